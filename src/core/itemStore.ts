/**
 * The items of a queue, in the order in which they are taken.
 *
 * State: nodes, each with an item and a sequence number that says when it arrived. First in, first out and last in, first out are
 * one linked list taken from one end or the other; an order is a binary heap in which the sequence number breaks ties, which makes it stable.
 *
 * Invariants:
 *
 * - I1 A node says that it is queued exactly while it is in the store.
 * - I2 `size` is the number of nodes in it.
 * - I3 `first` is what `shift` takes next; a node that is restored is back where its sequence number belongs.
 *
 * Transitions: `add`, `shift`, `restore`, `remove`, `evict`. The list's are O(1), but for `restore`, which looks past
 * what was taken later and restored before, or, in a stack, added meanwhile; the heap's are O(log n).
 *
 * An order that throws while an item is added has refused it: nothing has changed. One that throws later, of items that it has compared
 * before, contradicts itself; those two then count as equal, since nobody is there whom it could tell.
 *
 * @internal
 */

/** Negative or zero or positive, as for `Array.sort`. */
export type Compare<A> = (a: A, b: A) => number

export type Order<A> = "fifo" | "lifo" | Compare<A>

export interface Node<A> {
  readonly item: A
  sequence: number
  queued: boolean
  previous: Node<A> | undefined
  next: Node<A> | undefined
  /** Where it is in the heap, and in the heap of the reverse order, for a store that has them. */
  index?: number
  reverseIndex?: number
}

export const node = <A>(item: A, sequence: number): Node<A> => ({
  item,
  sequence,
  queued: false,
  previous: undefined,
  next: undefined
})

export interface ItemStore<A> {
  readonly size: number
  readonly first: Node<A> | undefined
  /** Puts in a node with a new sequence number. */
  add(node: Node<A>): void
  /** Takes out the first. */
  shift(): Node<A> | undefined
  /** Puts a node that was shifted back where it was. */
  restore(node: Node<A>): void
  /** Takes out any node. */
  remove(node: Node<A>): void
  /** Takes out the one that can best be done without: the oldest; in an order, the oldest of those that come last. */
  evict(): Node<A> | undefined
}

export const make = <A>(order: Order<A>, evicts: boolean): ItemStore<A> =>
  typeof order === "function" ? new OrderedStore(order, evicts) : new LinkedStore(order === "lifo")

/** Takes a node, if there is one, out of a store. */
const takeOut = <A>(store: ItemStore<A>, node: Node<A> | undefined): Node<A> | undefined => {
  if (node !== undefined) store.remove(node)
  return node
}

class LinkedStore<A> implements ItemStore<A> {
  size = 0
  /**
   * What closes the list to a ring: before the first node and after the last, and not a node itself. It is before all others by its
   * number, which is a small integer like theirs: NaN or Infinity would make every node slower.
   */
  readonly end: Node<A> = node<any>(undefined, -1)

  constructor(private readonly lifo: boolean) {
    this.end.previous = this.end.next = this.end
  }

  get first(): Node<A> | undefined {
    return this.size === 0 ? undefined : this.lifo ? this.end.previous : this.end.next
  }

  add(node: Node<A>): void {
    insertBefore(this, this.end, node)
  }

  shift(): Node<A> | undefined {
    return takeOut(this, this.first)
  }

  restore(node: Node<A>): void {
    const { end } = this
    let at = end
    if (this.lifo) {
      while (at.previous!.sequence > node.sequence) at = at.previous!
    } else {
      do at = at.next!
      while (at !== end && at.sequence < node.sequence)
    }
    insertBefore(this, at, node)
  }

  remove(node: Node<A>): void {
    node.previous!.next = node.next
    node.next!.previous = node.previous
    node.previous = node.next = undefined
    node.queued = false
    this.size--
  }

  evict(): Node<A> | undefined {
    return takeOut(this, this.size === 0 ? undefined : this.end.next)
  }
}

const insertBefore = <A>(store: LinkedStore<A>, next: Node<A>, node: Node<A>): void => {
  node.next = next
  node.previous = next.previous
  next.previous = node.previous!.next = node
  node.queued = true
  store.size++
}

class OrderedStore<A> implements ItemStore<A> {
  readonly heap: Heap<A>
  /** The same nodes, last one first; kept only for a queue that evicts. */
  readonly reverse: Heap<A> | undefined

  constructor(order: Compare<A>, evicts: boolean) {
    this.heap = makeHeap("index", (a, b) => order(a.item, b.item))
    this.reverse = evicts ? makeHeap("reverseIndex", (a, b) => order(b.item, a.item)) : undefined
  }

  get size(): number {
    return this.heap.nodes.length
  }

  get first(): Node<A> | undefined {
    return this.heap.nodes[0]
  }

  add(node: Node<A>): void {
    this.restore(node, true)
  }

  shift(): Node<A> | undefined {
    return takeOut(this, this.first)
  }

  restore(node: Node<A>, strict = false): void {
    // Both places are found before either heap is touched, so that an order that throws leaves both as they were.
    const index = this.heap.place(node, strict)
    const reverseIndex = this.reverse?.place(node, strict)
    this.heap.insert(node, index)
    this.reverse?.insert(node, reverseIndex!)
    node.queued = true
  }

  remove(node: Node<A>): void {
    this.heap.remove(node)
    this.reverse?.remove(node)
    node.queued = false
  }

  evict(): Node<A> | undefined {
    return takeOut(this, this.reverse!.nodes[0])
  }
}

interface Heap<A> {
  readonly key: "index" | "reverseIndex"
  readonly nodes: Array<Node<A>>
  /** The order, then the sequence. An order that throws is as one of equals. */
  readonly compare: Compare<Node<A>>
  /** Where a new node would come to stand. When it is strict, throws what the order throws. */
  place(node: Node<A>, strict: boolean): number
  insert(node: Node<A>, index: number): void
  remove(node: Node<A>): void
}

const makeHeap = <A>(key: "index" | "reverseIndex", order: Compare<Node<A>>): Heap<A> => {
  const nodes: Array<Node<A>> = []

  const compare = (a: Node<A>, b: Node<A>, strict = false): number => {
    let ordered = 0
    try {
      ordered = order(a, b)
    } catch (error) {
      if (strict) throw error
    }
    return ordered || a.sequence - b.sequence
  }
  const put = (node: Node<A>, index: number): void => {
    nodes[index] = node
    node[key] = index
  }
  const rise = (node: Node<A>, at: number, strict = false): number => {
    while (at > 0) {
      const parent = (at - 1) >>> 1
      if (!(compare(node, nodes[parent]!, strict) < 0)) break
      at = parent
    }
    return at
  }
  /** Puts a node in a place above a free one, and what stands between the two one down. */
  const lower = (node: Node<A>, at: number, to: number): void => {
    while (at > to) {
      const parent = (at - 1) >>> 1
      put(nodes[parent]!, at)
      at = parent
    }
    put(node, to)
  }

  return {
    key,
    nodes,
    compare,
    place: (node, strict) => rise(node, nodes.length, strict),
    insert: (node, index) => lower(node, nodes.length, index),
    remove: (node) => {
      // The last node fills the gap, and sinks or rises to its place.
      const gap = node[key]!
      const last = nodes.pop()!
      if (last === node) return
      let at = gap
      for (;;) {
        let child = 2 * at + 1
        if (child + 1 < nodes.length && compare(nodes[child + 1]!, nodes[child]!) < 0) child++
        if (child >= nodes.length || !(compare(nodes[child]!, last) < 0)) break
        put(nodes[child]!, at)
        at = child
      }
      lower(last, at, at === gap ? rise(last, at) : at)
    }
  }
}

/** Throws when an invariant does not hold. For tests. */
export const check = <A>(store: ItemStore<A>): void => {
  if (store instanceof OrderedStore) {
    const { heap, reverse } = store
    for (const each of reverse === undefined ? [heap] : [heap, reverse]) {
      checkHeap(each)
      if (each.nodes.length !== store.size) throw new Error("I2: the heaps hold different numbers of nodes")
    }
    return
  }
  const { end } = store as LinkedStore<A>
  let count = 0
  for (let node = end.next!; node !== end; node = node.next!) {
    count++
    if (!node.queued) throw new Error("I1: a node in the list that does not say so")
    if (node.next !== end && node.next!.sequence <= node.sequence) throw new Error("I3: out of sequence")
    if (node.next!.previous !== node) throw new Error("I3: links disagree")
  }
  if (count !== store.size) throw new Error(`I2: size ${store.size}, but ${count} nodes`)
}

const checkHeap = <A>({ compare, key, nodes }: Heap<A>): void =>
  nodes.forEach((node, index) => {
    if (node[key] !== index || !node.queued) throw new Error("I1: a node does not know where it is")
    const parent = nodes[(index - 1) >>> 1]!
    if (index > 0 && compare(node, parent) <= 0) throw new Error("I3: a node before its parent")
  })
