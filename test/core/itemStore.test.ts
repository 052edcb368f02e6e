import { assert, describe, it } from "@effect/vitest"
import { FastCheck } from "effect"
import * as itemStore from "../../src/core/itemStore.js"

interface Item {
  readonly rank: number
  readonly id: number
}

const byRank = (a: Item, b: Item): number => a.rank - b.rank

type Node = itemStore.Node<Item>

const orders = [
  { name: "fifo", order: "fifo", before: (a: Node, b: Node) => a.sequence - b.sequence },
  { name: "lifo", order: "lifo", before: (a: Node, b: Node) => b.sequence - a.sequence },
  { name: "an order", order: byRank, before: (a: Node, b: Node) => byRank(a.item, b.item) || a.sequence - b.sequence }
] as const

type Command =
  | { readonly kind: "add"; readonly rank: number }
  | { readonly kind: "shift" | "evict" }
  | { readonly kind: "restore" | "remove"; readonly n: number }

const command: FastCheck.Arbitrary<Command> = FastCheck.oneof(
  { weight: 6, arbitrary: FastCheck.record({ kind: FastCheck.constant("add" as const), rank: FastCheck.nat(4) }) },
  { weight: 3, arbitrary: FastCheck.constant<Command>({ kind: "shift" }) },
  { weight: 1, arbitrary: FastCheck.constant<Command>({ kind: "evict" }) },
  {
    weight: 4,
    arbitrary: FastCheck.record({
      kind: FastCheck.constantFrom("restore" as const, "remove" as const),
      n: FastCheck.nat(1000)
    })
  }
)

/** The contents, in the order in which they are taken; the store is empty after it. */
const shiftAll = <A>(store: itemStore.ItemStore<A>): Array<A> => {
  const items: Array<A> = []
  for (let node = store.shift(); node !== undefined; node = store.shift()) items.push(node.item)
  return items
}

const filled = <A>(order: itemStore.Order<A>, evicts: boolean, ...items: Array<A>) => {
  const store = itemStore.make(order, evicts)
  const nodes = items.map((item, index) => itemStore.node(item, index))
  for (const node of nodes) store.add(node)
  return { store, nodes }
}

/** The inner parts, which a check must find broken. */
const inside = (store: itemStore.ItemStore<any>): any => store

describe("the item store", () => {
  for (const { before, name, order } of orders) {
    // A model: an array of the nodes that are in it, sorted anew whenever somebody asks what is next.
    it(`does what a sorted array does (${name}): I1, I2, I3`, () => {
      FastCheck.assert(
        FastCheck.property(FastCheck.array(command, { maxLength: 60 }), (commands) => {
          const store = itemStore.make<Item>(order, true)
          let inIt: Array<Node> = []
          const out: Array<Node> = []
          let sequence = 0
          const leave = (node: Node | undefined, keep: boolean) => {
            inIt = inIt.filter((other) => other !== node)
            if (node !== undefined && keep) out.push(node)
          }
          for (const command of commands) {
            switch (command.kind) {
              case "add": {
                const node = itemStore.node({ rank: command.rank, id: sequence }, sequence++)
                store.add(node)
                inIt.push(node)
                break
              }
              case "shift": {
                const expected = inIt.slice().sort(before)[0]
                assert.strictEqual(store.shift(), expected)
                leave(expected, true)
                break
              }
              case "evict": {
                const oldest = (a: Node, b: Node) => a.sequence - b.sequence
                const expected = inIt
                  .slice()
                  .sort((a, b) => (typeof order === "function" ? byRank(b.item, a.item) : 0) || oldest(a, b))[0]
                assert.strictEqual(store.evict(), expected)
                leave(expected, false)
                break
              }
              case "restore":
                if (out.length > 0) {
                  const node = out.splice(command.n % out.length, 1)[0]!
                  store.restore(node)
                  inIt.push(node)
                }
                break
              case "remove":
                if (inIt.length > 0) {
                  const node = inIt[command.n % inIt.length]!
                  store.remove(node)
                  leave(node, true)
                }
            }
            itemStore.check(store)
            assert.strictEqual(store.size, inIt.length)
            assert.strictEqual(store.first, inIt.slice().sort(before)[0])
            assert.isTrue(inIt.every((node) => node.queued))
            assert.isTrue(out.every((node) => !node.queued))
          }
          const expected = inIt
            .slice()
            .sort(before)
            .map((node) => node.item)
          assert.deepEqual(shiftAll(store), expected)
        }),
        { numRuns: 300 }
      )
    })

    it(`when empty has no first and gives nothing (${name})`, () => {
      const store = itemStore.make<Item>(order, true)
      assert.deepEqual([store.size, store.first, store.shift(), store.evict()], [0, undefined, undefined, undefined])
      itemStore.check(store)
    })

    it(`sees a node that does not say that it is in it (${name}): I1`, () => {
      const { nodes, store } = filled<Item>(order, false, { rank: 1, id: 1 }, { rank: 2, id: 2 })
      nodes[1]!.queued = false
      assert.throws(() => itemStore.check(store), "I1")
    })
  }

  it("sees a size that is wrong: I2", () => {
    const { store } = filled<number>("fifo", false, 1, 2)
    inside(store).size = 3
    assert.throws(() => itemStore.check(store), "I2")
    const ordered = filled((a: number, b: number) => a - b, true, 1, 2).store
    inside(ordered).reverse.nodes.pop()
    assert.throws(() => itemStore.check(ordered), "I2")
  })

  it("sees nodes that are out of order: I3", () => {
    const { nodes, store } = filled<number>("lifo", false, 1, 2)
    nodes[0]!.sequence = 9
    assert.throws(() => itemStore.check(store), "I3")
    const ordered = filled((a: number, b: number) => a - b, false, 1, 2)
    ordered.nodes[0]!.sequence = 9
    itemStore.check(ordered.store)
    const equal = filled<number>(() => 0, false, 1, 2)
    equal.nodes[0]!.sequence = 9
    assert.throws(() => itemStore.check(equal.store), "I3")
  })

  it("sees two nodes of one number, whose order nobody knows: I3", () => {
    for (const order of ["fifo", "lifo", () => 0] as const) {
      const { nodes, store } = filled<number>(order, false, 1, 2)
      itemStore.check(store)
      nodes[1]!.sequence = nodes[0]!.sequence
      assert.throws(() => itemStore.check(store), "I3")
    }
  })

  it("sees a link that goes one way only: I3", () => {
    const { nodes, store } = filled<number>("fifo", false, 1, 2)
    nodes[1]!.previous = undefined
    assert.throws(() => itemStore.check(store), "I3: links disagree")
  })

  it("sees a node that does not know where it is in either heap: I1", () => {
    for (const key of ["index", "reverseIndex"] as const) {
      const { nodes, store } = filled((a: number, b: number) => a - b, true, 1, 2)
      nodes[1]![key] = 7
      assert.throws(() => itemStore.check(store), "I1")
    }
  })

  it("restores a node among those that came and went meanwhile: I3", () => {
    const { store } = filled("fifo", false, "a", "b", "c", "d")
    const [a, b, c] = [store.shift()!, store.shift()!, store.shift()!]
    store.add(itemStore.node("e", 4))
    for (const node of [c, a, b]) store.restore(node)
    assert.deepEqual(shiftAll(store), ["a", "b", "c", "d", "e"])

    const stack = filled("lifo", false, "a", "b", "c", "d").store
    const [d, c2] = [stack.shift()!, stack.shift()!]
    stack.add(itemStore.node("e", 4))
    for (const node of [c2, d]) stack.restore(node)
    assert.deepEqual(shiftAll(stack), ["e", "d", "c", "b", "a"])
  })

  for (const order of ["fifo", "lifo"] as const) {
    it(`restores what was taken last at a cost that does not depend on how many are left (${order})`, () => {
      const { nodes, store } = filled(order, false, ...Array.from({ length: 1_000 }, (_, index) => index))
      let looks = 0
      for (const node of nodes) {
        const { sequence } = node
        Object.defineProperty(node, "sequence", { get: () => (looks++, sequence) })
      }
      const first = store.shift()!
      store.restore(first)
      assert.isBelow(looks, 5)
      assert.strictEqual(store.first, first)
    })
  }

  // 4 comes to stand where 11 was, below 10, which it goes before: it has to rise, not to sink.
  it("keeps its order when the node that fills a gap comes from another branch of the heap: I3", () => {
    const { nodes, store } = filled((a: number, b: number) => a - b, false, 1, 10, 2, 11, 12, 3, 4)
    store.remove(nodes[3]!)
    itemStore.check(store)
    assert.deepEqual(shiftAll(store), [1, 2, 3, 4, 10, 12])
  })

  it("takes a comparison that gives NaN as equal", () => {
    const { store } = filled<number>(() => NaN, false, 3, 1, 2)
    assert.deepEqual(shiftAll(store), [3, 1, 2])
  })

  for (const evicts of [false, true]) {
    it(`is left as it was by a comparison that throws, wherever it throws (${evicts ? "with" : "without"} eviction)`, () => {
      const items = [5, 3, 8, 1, 4, 7, 2, 6]
      for (const operation of ["add", "shift", "remove", "evict"] as const) {
        if (operation === "evict" && !evicts) continue
        for (let limit = 0; limit < 14; limit++) {
          let left = Infinity
          const wearing = (a: number, b: number): number => {
            if (left-- <= 0) throw new Error("cannot compare")
            return a - b
          }
          const { nodes, store } = filled(wearing, evicts, ...items)
          const extra = itemStore.node(0, 100)
          left = limit
          let threw = false
          try {
            if (operation === "add") store.add(extra)
            else if (operation === "remove") store.remove(nodes[1]!)
            else store[operation]()
          } catch {
            threw = true
          }
          left = Infinity
          if (!threw) break
          itemStore.check(store)
          assert.isFalse(extra.queued)
          assert.isTrue(nodes.every((node) => node.queued))
          assert.strictEqual(store.size, 8, `${operation} after ${limit} comparisons`)
          assert.deepEqual(shiftAll(store), [1, 2, 3, 4, 5, 6, 7, 8], `${operation} after ${limit} comparisons`)
        }
      }
    })
  }
})
