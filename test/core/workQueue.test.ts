import { assert, describe, it } from "@effect/vitest"
import { FastCheck } from "effect"
import type { Node } from "../../src/core/itemStore.js"
import * as itemStore from "../../src/core/itemStore.js"
import { type Chain, Ticket, wake } from "../../src/core/ticket.js"
import * as waitList from "../../src/core/waitList.js"
import * as core from "../../src/core/workQueue.js"

/** Writes down when it is woken. */
class TestTicket<Request, Result> extends Ticket<Request, Result> {
  constructor(
    readonly id: number,
    request: Request,
    private readonly log: Array<number>
  ) {
    super(request, 0)
  }

  wake(): void {
    this.log.push(this.id)
  }
}

const node = <A>(item: A, sequence = 0): Node<A> => itemStore.node(item, sequence)

const taker = <A>(n = 1, log: Array<number> = [], id = 0) => new TestTicket<number, any>(id, n, log) as core.Taker<A>

const offerer = <A>(items: Array<A>, log: Array<number> = [], id = 0) =>
  new TestTicket<core.Offer<A>, any>(id, core.offer(items), log) as core.Offerer<A>

const joiner = (log: Array<number> = [], id = 0): core.Joiner =>
  new TestTicket<undefined, undefined>(id, undefined, log)

const filled = <A>(options: core.Options<A>, ...items: Array<A>): core.State<A> => {
  const state = core.make("here", options)
  for (const item of items) core.accept(state, item)
  return state
}

/** What is in it, in the order in which it is taken, and without taking it. */
const contents = <A>(state: core.State<A>): Array<A> => {
  const nodes: Array<Node<A>> = []
  for (let node = state.store.shift(); node !== undefined; node = state.store.shift()) nodes.push(node)
  for (const node of nodes.slice().sort((a, b) => a.sequence - b.sequence)) state.store.restore(node)
  return nodes.map((node) => node.item)
}

/** The items that a taker was given. */
const given = <A>(ticket: core.Taker<A>): unknown =>
  Array.isArray(ticket.result) ? ticket.result.map((node) => node.item) : ticket.result

// ------------------------------------------------------------------------------------------------------------------------ the model

interface ModelItem {
  readonly id: number
  readonly rank: number
  sequence: number
}

interface ModelWaiter {
  readonly id: number
  readonly kind: "take" | "offer" | "join"
  readonly n: number
  readonly items: ReadonlyArray<ModelItem>
  accepted: number
  /** What it was given, once it was. */
  result: ReadonlyArray<ModelItem> | true | "closed" | undefined
}

/** A queue as one would write it without a care for speed: arrays, sorted when needed. */
class Model {
  items: Array<ModelItem> = []
  takers: Array<ModelWaiter> = []
  offerers: Array<ModelWaiter> = []
  joiners: Array<ModelWaiter> = []
  delivered: Array<ModelItem> = []
  finished = 0
  dropped = 0
  drained = 0
  closed = false
  sequence = 0
  readonly woken: Array<number> = []

  constructor(
    readonly capacity: number,
    readonly strategy: core.Strategy,
    readonly order: "fifo" | "lifo" | "rank"
  ) {}

  get unfinished(): number {
    return this.items.length + this.delivered.length
  }

  sorted(): Array<ModelItem> {
    return this.items
      .slice()
      .sort((a, b) =>
        this.order === "lifo"
          ? b.sequence - a.sequence
          : (this.order === "rank" ? a.rank - b.rank : 0) || a.sequence - b.sequence
      )
  }

  take(n: number): Array<ModelItem> {
    const taken = this.sorted().slice(0, n)
    this.items = this.items.filter((item) => !taken.includes(item))
    this.delivered.push(...taken)
    return taken
  }

  settle(waiter: ModelWaiter, result: ModelWaiter["result"]): void {
    waiter.result = result
    this.woken.push(waiter.id)
  }

  add(item: ModelItem): void {
    item.sequence = this.sequence++
    this.items.push(item)
  }

  match(): void {
    for (;;) {
      if (this.takers.length > 0 && this.items.length > 0) {
        const first = this.takers.shift()!
        this.settle(first, this.take(first.n))
      } else if (this.offerers.length > 0 && this.items.length < this.capacity) {
        const first = this.offerers[0]!
        while (first.accepted < first.items.length && this.items.length < this.capacity) {
          this.add(first.items[first.accepted++]!)
        }
        if (first.accepted === first.items.length) this.settle(this.offerers.shift()!, true)
      } else return
    }
  }

  offer(item: ModelItem): core.Admission {
    if (this.closed) return "closed"
    if (this.items.length < this.capacity && this.offerers.length === 0) {
      this.add(item)
      this.match()
      return "accept"
    }
    if (this.strategy === "dropping") {
      this.dropped++
      return "drop"
    }
    if (this.strategy === "reject") return "refuse"
    if (this.strategy === "suspend") return "wait"
    this.add(item)
    if (this.items.length <= this.capacity) return "accept"
    const last = this.order === "rank" ? Math.max(...this.items.map((item) => item.rank)) : undefined
    const candidates = this.items.filter((item) => last === undefined || item.rank === last)
    const out = candidates.sort((a, b) => a.sequence - b.sequence)[0]!
    this.items = this.items.filter((item) => item !== out)
    this.dropped++
    return "slide"
  }

  release(): void {
    if (this.unfinished === 0) for (const waiter of this.joiners.splice(0)) this.settle(waiter, true)
  }

  giveBack(items: ReadonlyArray<ModelItem>): void {
    this.delivered = this.delivered.filter((item) => !items.includes(item))
    this.items.push(...items)
    this.match()
  }
}

type Command =
  | { readonly kind: "offer" | "take" | "takeAll" | "tryTake" | "finish" | "join" }
  | { readonly kind: "close" | "fail" | "drain" }
  | { readonly kind: "enqueueOffer" | "takeUpTo" | "cancel" | "giveBack" | "requeue"; readonly n: number }

const command: FastCheck.Arbitrary<Command> = FastCheck.oneof(
  {
    weight: 8,
    arbitrary: FastCheck.constantFrom<Array<Command>>({ kind: "offer" }, { kind: "take" }, { kind: "finish" })
  },
  {
    weight: 3,
    arbitrary: FastCheck.constantFrom<Array<Command>>({ kind: "takeAll" }, { kind: "tryTake" }, { kind: "join" })
  },
  {
    weight: 6,
    arbitrary: FastCheck.record({
      kind: FastCheck.constantFrom(
        "enqueueOffer" as const,
        "takeUpTo" as const,
        "cancel" as const,
        "cancel" as const,
        "giveBack" as const,
        "requeue" as const
      ),
      n: FastCheck.nat(100)
    })
  },
  {
    weight: 1,
    arbitrary: FastCheck.constantFrom<Array<Command>>({ kind: "close" }, { kind: "fail" }, { kind: "drain" })
  }
)

const run = (commands: ReadonlyArray<Command>, capacity: number, strategy: core.Strategy, order: Model["order"]) => {
  const model = new Model(capacity, strategy, order)
  const state = core.make<ModelItem>("here", {
    capacity,
    strategy,
    order: order === "rank" ? (a, b) => a.rank - b.rank : order
  })
  const woken: Array<number> = []
  const wakeUp = (chain: Chain) => wake(chain)
  const pairs: Array<{ model: ModelWaiter; ticket: core.Taker<ModelItem> | core.Offerer<ModelItem> | core.Joiner }> = []
  /** The nodes of what was delivered, by item: what the cancelled takers gave back is not in it. */
  const nodes = new Map<number, Node<ModelItem>>()
  let offered = 0
  let neverCame = 0
  const item = (): ModelItem => ({ id: offered++, rank: offered % 3, sequence: -1 })
  const copy = (item: ModelItem): ModelItem => ({ ...item })
  const waiter = (kind: ModelWaiter["kind"], n: number, items: ReadonlyArray<ModelItem>): ModelWaiter => ({
    id: pairs.length,
    kind,
    n,
    items,
    accepted: 0,
    result: undefined
  })
  const taking = (n: number) => {
    const wanted = waiter("take", n, [])
    const available = model.items.length > 0
    assert.strictEqual(core.available(state), available)
    if (available) {
      const taken = core.take(state, n)
      for (const node of taken) nodes.set(node.item.id, node)
      wakeUp(core.match(state))
      const expected = model.take(n)
      model.match()
      assert.deepEqual(
        taken.map((node) => node.item.id),
        expected.map((item) => item.id)
      )
    } else if (state.closed === undefined) {
      const ticket = taker<ModelItem>(n, woken, wanted.id)
      core.enqueueTake(state, ticket)
      model.takers.push(wanted)
      pairs.push({ model: wanted, ticket })
    }
  }

  for (const command of commands) {
    switch (command.kind) {
      case "offer": {
        const mine = item()
        const before = model.items.length
        const expected = model.offer(mine)
        assert.strictEqual(core.admission(state), expected, `of ${before} of ${capacity}`)
        if (expected === "accept") wakeUp(core.accept(state, copy(mine)))
        if (expected === "slide") assert.strictEqual(core.slide(state, copy(mine)), model.items.includes(mine))
        else if (expected === "drop") core.drop(state)
        if (expected !== "accept" && expected !== "slide") neverCame++
        break
      }
      case "enqueueOffer":
        if (strategy === "suspend" && state.closed === undefined) {
          const items = Array.from({ length: 1 + (command.n % 3) }, item)
          const wanted = waiter("offer", 0, items)
          const ticket = offerer(items.map(copy), woken, wanted.id)
          pairs.push({ model: wanted, ticket })
          model.offerers.push(wanted)
          wakeUp(core.enqueueOffer(state, ticket))
          model.match()
        }
        break
      case "take":
        taking(1)
        break
      case "takeUpTo":
        taking(1 + (command.n % 3))
        break
      case "takeAll":
        taking(Infinity)
        break
      case "tryTake": {
        const taken = core.shift(state)
        if (taken !== undefined) nodes.set(taken.item.id, taken)
        wakeUp(core.match(state))
        const [expected] = model.take(1)
        model.match()
        assert.strictEqual(taken?.item.id, expected?.id)
        break
      }
      case "cancel": {
        if (pairs.length === 0) break
        const { model: wanted, ticket } = pairs[command.n % pairs.length]!
        if (wanted.kind === "take") {
          // Once only, as a skin does, and only while what it was given is untouched.
          const intact = Array.isArray(wanted.result) && wanted.result.every((item) => model.delivered.includes(item))
          if (wanted.result === undefined ? !model.takers.includes(wanted) : !intact && wanted.result !== "closed")
            break
          wakeUp(core.cancelTake(state, ticket as core.Taker<ModelItem>))
          if (wanted.result === undefined) model.takers = model.takers.filter((other) => other !== wanted)
          else if (wanted.result !== "closed") {
            model.giveBack(wanted.result as Array<ModelItem>)
            wanted.result = "closed"
            ticket.result = core.Closed as never
          }
        } else if (wanted.kind === "offer") {
          const waits = model.offerers.includes(wanted)
          const mine = wanted.items[0]!
          wakeUp(core.cancelOffer(state, ticket as core.Offerer<ModelItem>))
          if (waits) {
            model.offerers = model.offerers.filter((other) => other !== wanted)
            model.match()
          } else if (wanted.result === true && wanted.items.length === 1 && model.items.includes(mine)) {
            model.items = model.items.filter((item) => item !== mine)
            wanted.accepted = 0
            model.match()
            model.release()
          }
        } else if (ticket.settled || model.joiners.includes(wanted)) {
          wakeUp(core.cancelJoin(state, ticket as core.Joiner))
          model.joiners = model.joiners.filter((other) => other !== wanted)
        }
        break
      }
      case "giveBack":
      case "requeue": {
        if (nodes.size === 0) break
        const [id, taken] = [...nodes][command.n % nodes.size]!
        nodes.delete(id)
        const mine = model.delivered.find((item) => item.id === id)!
        if (command.kind === "giveBack") {
          wakeUp(core.giveBack(state, [taken]))
          model.giveBack([mine])
        } else {
          wakeUp(core.requeue(state, taken))
          mine.sequence = model.sequence++
          model.giveBack([mine])
        }
        break
      }
      case "finish": {
        const mine = model.delivered.find((item) => nodes.has(item.id)) ?? model.delivered[0]
        if (mine === undefined) {
          assert.throws(() => core.finish("test", state), "test: no item is being worked on")
          break
        }
        nodes.delete(mine.id)
        model.delivered = model.delivered.filter((item) => item !== mine)
        model.finished++
        wakeUp(core.finish("test", state))
        model.release()
        break
      }
      case "join": {
        if (state.unfinished === 0) break
        const wanted = waiter("join", 0, [])
        const ticket = joiner(woken, wanted.id)
        pairs.push({ model: wanted, ticket })
        model.joiners.push(wanted)
        core.enqueueJoin(state, ticket)
        break
      }
      case "close":
      case "fail":
        wakeUp(core.close(state, command.kind === "fail" ? { error: "no more" } : undefined))
        if (!model.closed) {
          for (const waiter of model.offerers.splice(0)) model.settle(waiter, "closed")
          for (const waiter of model.takers.splice(0)) model.settle(waiter, "closed")
        }
        model.closed = true
        break
      case "drain": {
        if (!model.closed) break
        const left: Array<ModelItem> = []
        wakeUp(core.drain(state, left))
        assert.deepEqual(
          left.map((item) => item.id),
          model.sorted().map((item) => item.id)
        )
        model.drained += left.length
        if (left.length > 0) {
          model.items = []
          model.release()
        }
      }
    }

    // After each step.
    core.check(state)
    assert.deepEqual(
      contents(state).map((item) => item.id),
      model.sorted().map((item) => item.id),
      command.kind
    )
    assert.deepEqual(woken, model.woken, `woken by ${command.kind}`)
    const stats = core.stats(state)
    assert.deepEqual(
      { ...stats },
      {
        capacity,
        size: model.items.length,
        inUse: model.delivered.length,
        waiting: model.takers.length + model.offerers.length,
        takers: model.takers.length,
        offerers: model.offerers.length,
        unfinished: model.unfinished,
        dropped: model.dropped,
        isClosed: model.closed
      }
    )
    for (const { model: wanted, ticket } of pairs) {
      assert.strictEqual(ticket.settled, model.woken.includes(wanted.id))
      if (wanted.kind === "take" && Array.isArray(wanted.result)) {
        const items = given(ticket as core.Taker<ModelItem>) as Array<ModelItem>
        assert.deepEqual(
          items.map((item) => item.id),
          wanted.result.map((item) => item.id)
        )
      }
    }
    // I5: everything that was accepted is somewhere.
    const waitingItems = pairs
      .filter(({ model }) => model.kind === "offer")
      .reduce((sum, { model }) => sum + model.items.length - model.accepted, 0)
    const slid = strategy === "sliding" ? model.dropped : 0
    const { inUse, size } = stats
    assert.strictEqual(offered - neverCame - waitingItems, size + inUse + model.finished + model.drained + slid)
  }
}

describe("the work queue's core", () => {
  it("I4: an item that comes back is unfinished, also when somebody else had reported it as done", () => {
    for (const back of [
      (state: core.State<string>, node: Node<string>) => core.giveBack(state, [node]),
      (state: core.State<string>, node: Node<string>) => core.requeue(state, node)
    ]) {
      const state = core.make<string>("here", {})
      const ticket = taker<string>()
      core.enqueueTake(state, ticket)
      core.accept(state, "a")
      core.match(state)
      core.finish("test", state)
      back(state, (ticket.result as Array<Node<string>>)[0]!)
      core.check(state)
      assert.deepStrictEqual([core.inProgress(state), state.unfinished], [0, 1])
      assert.throws(() => core.finish("test", state), "test: no item is being worked on")
    }
  })

  for (const order of ["fifo", "lifo", "rank"] as const) {
    for (const strategy of ["suspend", "dropping", "sliding", "reject"] as const) {
      it(`does what the model does (${order}, ${strategy}): I1, I2, I3, I4, I5`, () => {
        FastCheck.assert(
          FastCheck.property(
            FastCheck.array(command, { maxLength: 50 }),
            FastCheck.constantFrom(1, 2, 3, Infinity),
            (commands, capacity) => run(commands, capacity, strategy, order)
          ),
          { numRuns: 300 }
        )
      })
    }
  }

  it("sees somebody who waits to take in vain: I1", () => {
    const state = filled({}, 1)
    waitList.push(state.takers, taker())
    assert.throws(() => core.check(state), "I1: 1 wait to take in vain")
    const closed = core.make("here")
    core.close(closed)
    waitList.push(closed.takers, taker())
    assert.throws(() => core.check(closed), "I1")
  })

  it("sees somebody who waits to offer in vain: I2", () => {
    const state = filled({ capacity: 2 }, 1)
    waitList.push(state.offerers, offerer([2]))
    assert.throws(() => core.check(state), "I2: 1 wait to offer in vain")
    const closed = filled({ capacity: 1 }, 1)
    core.close(closed)
    waitList.push(closed.offerers, offerer([2]))
    assert.throws(() => core.check(closed), "I2")
  })

  it("accepts no more than the capacity, but takes more back: I3", () => {
    const state = filled({ capacity: 1 }, "a")
    const taken = core.take(state, 1)
    core.accept(state, "b")
    assert.strictEqual(core.admission(state), "wait")
    core.giveBack(state, taken)
    assert.deepEqual(contents(state), ["a", "b"])
    assert.strictEqual(core.room(state), 0)
    const waits = offerer(["c"])
    assert.isUndefined(core.enqueueOffer(state, waits))
    core.take(state, 1)
    assert.isUndefined(core.match(state), "b is in, so there is no room yet")
    assert.isFalse(waits.settled)
    core.take(state, 1)
    wake(core.match(state))
    assert.isTrue(waits.settled)
    core.check(state)
  })

  it("sees a count of unfinished items that is too small, or joiners without any: I4", () => {
    const state = filled({}, 1, 2)
    state.unfinished = 1
    assert.throws(() => core.check(state), "I4: unfinished is 1")
    const empty = core.make("here")
    waitList.push(empty.joiners, joiner())
    assert.throws(() => core.check(empty), "I4: unfinished is 0")
  })

  it("sees what is wrong with one of its lists, or with its store", () => {
    const breaks = {
      takers: (state: core.State<number>) => waitList.push(state.takers, taker()),
      offerers: (state: core.State<number>) => waitList.push(state.offerers, offerer([2])),
      joiners: (state: core.State<number>) => waitList.push(state.joiners, joiner())
    }
    for (const [list, wait] of Object.entries(breaks)) {
      const state = list === "takers" ? filled<number>({}) : filled({ capacity: 1 }, 1)
      wait(state)
      core.check(state)
      state[list as keyof typeof breaks].size++
      assert.throws(() => core.check(state), "I1: size 2, but 1 tickets")
    }
    const state = filled({}, 1)
    state.store.first!.queued = false
    assert.throws(() => core.check(state), "I1: a node in the list that does not say so")
  })

  it("gives a cancelled delivery to the next taker, in the chain: I5", () => {
    const log: Array<number> = []
    const state = core.make<string>("here")
    const [first, second] = [taker<string>(2, log, 1), taker<string>(1, log, 2)]
    core.enqueueTake(state, first)
    core.enqueueTake(state, second)
    wake(core.accept(state, "a"))
    assert.deepEqual(given(first), ["a"])
    wake(core.cancelTake(state, first))
    assert.deepEqual(given(second), ["a"])
    assert.deepEqual(log, [1, 2])
    assert.strictEqual(core.inProgress(state), 1)
    core.check(state)
  })

  it("cancels a take from a queue that was closed without an item: nothing comes back", () => {
    const state = core.make<string>("here")
    const ticket = taker<string>()
    core.enqueueTake(state, ticket)
    core.close(state)
    assert.strictEqual(ticket.result, core.Closed)
    assert.isUndefined(core.cancelTake(state, ticket))
    assert.strictEqual(core.stats(state).size, 0)
    core.check(state)
  })

  it("tells those who wait to offer before those who wait to take when it is closed, each in order", () => {
    const log: Array<number> = []
    const full = filled({ capacity: 1 }, 0)
    core.enqueueOffer(full, offerer([1], log, 1))
    core.enqueueOffer(full, offerer([2], log, 2))
    wake(core.close(full))
    const empty = core.make<number>("here")
    core.enqueueTake(empty, taker(1, log, 3))
    core.enqueueTake(empty, taker(1, log, 4))
    wake(core.close(empty))
    assert.deepEqual(log, [1, 2, 3, 4])
  })

  it("keeps the first reason for which it was closed", () => {
    const state = core.make("here")
    core.close(state, { error: "first" })
    assert.isUndefined(core.close(state))
    assert.strictEqual(state.closed?.failure?.error, "first")
  })

  it("ends an offer whose items cannot be put in order, and goes on with the next: I2", () => {
    const log: Array<number> = []
    const state = filled<number>(
      {
        capacity: 2,
        order: (a, b) => {
          if (a === 13 || b === 13) throw new Error("cannot compare")
          return a - b
        }
      },
      1,
      2
    )
    const [bad, good] = [offerer([13], log, 1), offerer([3], log, 2)]
    core.enqueueOffer(state, bad)
    core.enqueueOffer(state, good)
    assert.deepEqual(
      core.take(state, 1).map((node) => node.item),
      [1]
    )
    wake(core.match(state))
    assert.instanceOf(bad.result, core.Thrown)
    assert.isTrue(good.result)
    assert.deepEqual(log, [1, 2])
    assert.isUndefined(core.cancelOffer(state, bad))
    assert.deepEqual(contents(state), [2, 3])
    core.check(state)
  })

  it("settles a taker whose turn an order that throws spoils, rather than let it wait in vain: I1", () => {
    let armed = false
    const state = core.make<number>("here", {
      order: (a, b) => {
        if (armed) throw new Error("cannot compare")
        return a - b
      }
    })
    const [first, second] = [taker<number>(3), taker<number>(1)]
    core.enqueueTake(state, first)
    core.enqueueTake(state, second)
    wake(core.enqueueOffer(state, offerer([3, 1, 2])))
    assert.deepEqual(given(first), [1, 2, 3])
    armed = true
    try {
      wake(core.cancelTake(state, first))
    } catch {}
    armed = false
    assert.strictEqual(state.takers.size, 0)
    assert.isTrue(second.settled, "it left the list, so somebody has to tell it")
    core.check(state)
    const held = Array.isArray(second.result) ? second.result.length : 0
    assert.strictEqual(state.store.size + held, 3)
  })

  it("does what onFailure says, and refuses what it cannot say, before anything changes: I5", () => {
    for (const [onFailure, expected] of [
      ["fail", ["a", "b"]],
      ["requeue", ["b", "a"]],
      ["drop", ["b"]]
    ] as const) {
      const state = filled({}, "a", "b")
      const [taken] = core.take(state, 1)
      core.afterFailure("test", state, taken!, onFailure)
      assert.deepEqual(contents(state), [...expected])
      assert.strictEqual(core.inProgress(state), 0)
    }
    const state = filled({}, "a")
    const [taken] = core.take(state, 1)
    assert.throws(
      () => core.afterFailure("test", state, taken!, "retry" as never),
      RangeError,
      'test: onFailure must be one of "fail", "requeue", "drop", got "retry"'
    )
    assert.strictEqual(core.inProgress(state), 1)
  })

  it("deals with many items at once as with one after the other, and hands back those that never came in: I3, I5", () => {
    const byNumber = (a: number, b: number) => a - b
    for (const { dropped, inIt, lost, options } of [
      { options: { strategy: "dropping" }, inIt: [1, 5], dropped: [0, 3], lost: 2 },
      { options: { strategy: "sliding" }, inIt: [0, 3], dropped: [], lost: 2 },
      { options: { strategy: "sliding", order: byNumber }, inIt: [0, 1], dropped: [3], lost: 2 },
      { options: { strategy: "suspend", capacity: 4 }, inIt: [1, 5, 0, 3], dropped: [], lost: 0 }
    ] as const) {
      const state = core.make<number>("here", { capacity: 2, ...options })
      const out: Array<number> = []
      assert.isUndefined(core.acceptAll(state, [1, 5, 0, 3], out))
      assert.deepEqual(contents(state), [...inIt])
      assert.deepEqual(out, [...dropped])
      assert.deepInclude(core.stats(state), { dropped: lost, unfinished: inIt.length })
      core.check(state)
    }
  })

  it("gives those who wait to take the first of many items, in one chain", () => {
    const log: Array<number> = []
    const state = core.make<string>("here", { capacity: 1, strategy: "dropping" })
    const takers = [1, 2].map((id) => taker<string>(1, log, id))
    for (const each of takers) core.enqueueTake(state, each)
    const dropped: Array<string> = []
    wake(core.acceptAll(state, ["a", "b", "c", "d"], dropped))
    assert.deepEqual(takers.map(given), [["a"], ["b"]])
    assert.deepEqual([contents(state), dropped, log], [["c"], ["d"], [1, 2]])
    core.check(state)
  })

  it("refuses options that make no queue", () => {
    for (const capacity of [0, -1, 1.5, NaN]) {
      const message = `here: capacity must be an integer of at least 1, or Infinity, got ${capacity}`
      assert.throws(() => core.make("here", { capacity }), RangeError, message)
    }
    assert.throws(
      () => core.make("here", { strategy: "wait" as "suspend" }),
      RangeError,
      'here: strategy must be one of "suspend", "dropping", "sliding", "reject", got "wait"'
    )
    assert.throws(
      () => core.make("here", { order: "random" as "fifo" }),
      RangeError,
      'here: order must be one of "fifo", "lifo", got "random"'
    )
    assert.throws(() => core.make("here", null as never), TypeError, "here: options must be an object, got null")
  })

  it("refuses to finish what nobody works on, and says why", () => {
    assert.throws(
      () => core.finish("test", filled({}, "a")),
      "test: no item is being worked on: called more often than items were taken"
    )
  })

  it("checks counts and lists", () => {
    assert.strictEqual(core.checkCount("test", Infinity), Infinity)
    assert.strictEqual(core.checkCount("test", 3), 3)
    assert.throws(() => core.checkCount("test", 0), RangeError, "test: n must be an integer of at least 1, got 0")
    const items = [1, 2]
    const copy = core.checkItems("test", items)
    assert.notStrictEqual(copy, items)
    assert.deepEqual(copy, items)
    assert.deepEqual(core.checkItems("test", new Map([[1, 2]]).keys()), [1])
    for (const [items, shown] of [
      ["abc", '"abc"'],
      [null, "null"],
      [undefined, "undefined"],
      [5, "5"],
      [{}, "an object (Object)"]
    ] as ReadonlyArray<[any, string]>) {
      const message = `test: items must be an iterable that is not a string, got ${shown}`
      assert.throws(() => core.checkItems("test", items), TypeError, message)
    }
  })

  it("drains what is left into its caller's hands, and it is finished; what is being worked on is not: I4, I5", () => {
    const log: Array<number> = []
    const state = filled<string>({}, "a", "b", "c")
    core.take(state, 1)
    core.enqueueJoin(state, joiner(log, 1))
    core.close(state)
    const left: Array<string> = []
    wake(core.drain(state, left))
    assert.deepEqual(left, ["b", "c"])
    assert.deepInclude(core.stats(state), { size: 0, inUse: 1, unfinished: 1 })
    assert.deepEqual(log, [])
    wake(core.finish("test", state))
    assert.deepEqual(log, [1])
    core.check(state)
  })

  it("tells those who wait for the end of all work when what it drained was all of it", () => {
    const log: Array<number> = []
    const state = filled<string>({}, "a", "b")
    core.enqueueJoin(state, joiner(log, 1))
    core.enqueueJoin(state, joiner(log, 2))
    core.close(state)
    wake(core.drain(state, []))
    assert.deepEqual(log, [1, 2])
    assert.strictEqual(state.unfinished, 0)
    core.check(state)
  })

  it("does not tell who no longer waits for the end of all work; cancelled too late, it was told", () => {
    const log: Array<number> = []
    const state = filled<string>({}, "a")
    const [gone, stays] = [joiner(log, 1), joiner(log, 2)]
    core.enqueueJoin(state, gone)
    core.enqueueJoin(state, stays)
    assert.isUndefined(core.cancelJoin(state, gone))
    core.check(state)
    core.take(state, 1)
    wake(core.finish("test", state))
    assert.deepEqual(log, [2])
    assert.isFalse(gone.settled)
    assert.isUndefined(core.cancelJoin(state, stays))
    core.check(state)
  })

  it("needs no items to drain nothing", () => {
    const state = core.make("here")
    core.close(state)
    const left: Array<unknown> = []
    assert.isUndefined(core.drain(state, left))
    assert.deepEqual(left, [])
    assert.strictEqual(state.unfinished, 0)
    assert.isFalse(node(1).queued)
  })
})
