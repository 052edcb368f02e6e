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

class LinkedStore<A> implements ItemStore<A> {
  size = 0
  head: Node<A> | undefined = undefined
  private tail: Node<A> | undefined = undefined

  constructor(private readonly lifo: boolean) {}

  get first(): Node<A> | undefined {
    return this.lifo ? this.tail : this.head
  }

  add(node: Node<A>): void {
    this.insertAfter(this.tail, node)
  }

  shift(): Node<A> | undefined {
    return this.take(this.first)
  }

  restore(node: Node<A>): void {
    if (this.lifo) {
      let previous = this.tail
      while (previous !== undefined && previous.sequence > node.sequence) previous = previous.previous
      this.insertAfter(previous, node)
    } else {
      let next = this.head
      while (next !== undefined && next.sequence < node.sequence) next = next.next
      this.insertAfter(next === undefined ? this.tail : next.previous, node)
    }
  }

  remove(node: Node<A>): void {
    if (node.previous === undefined) this.head = node.next
    else node.previous.next = node.next
    if (node.next === undefined) this.tail = node.previous
    else node.next.previous = node.previous
    node.previous = undefined
    node.next = undefined
    node.queued = false
    this.size--
  }

  evict(): Node<A> | undefined {
    return this.take(this.head)
  }

  private take(node: Node<A> | undefined): Node<A> | undefined {
    if (node !== undefined) this.remove(node)
    return node
  }

  private insertAfter(previous: Node<A> | undefined, node: Node<A>): void {
    const next = previous === undefined ? this.head : previous.next
    node.previous = previous
    node.next = next
    if (previous === undefined) this.head = node
    else previous.next = node
    if (next === undefined) this.tail = node
    else next.previous = node
    node.queued = true
    this.size++
  }
}

class OrderedStore<A> implements ItemStore<A> {
  readonly heap: Heap<A>
  /** The same nodes, last one first; kept only for a queue that evicts. */
  readonly reverse: Heap<A> | undefined

  constructor(compare: Compare<A>, evicts: boolean) {
    this.heap = new Heap("index", (a, b) => compare(a.item, b.item))
    this.reverse = evicts ? new Heap("reverseIndex", (a, b) => compare(b.item, a.item)) : undefined
  }

  get size(): number {
    return this.heap.nodes.length
  }

  get first(): Node<A> | undefined {
    return this.heap.nodes[0]
  }

  add(node: Node<A>): void {
    // Both places are found before either heap is touched, so that an order that throws leaves both as they were.
    const index = this.heap.place(node, this.heap.strict)
    const reverseIndex = this.reverse?.place(node, this.reverse.strict)
    this.heap.insert(node, index)
    if (reverseIndex !== undefined) this.reverse!.insert(node, reverseIndex)
    node.queued = true
  }

  shift(): Node<A> | undefined {
    const first = this.first
    if (first !== undefined) this.remove(first)
    return first
  }

  restore(node: Node<A>): void {
    this.heap.insert(node, this.heap.place(node))
    this.reverse?.insert(node, this.reverse.place(node))
    node.queued = true
  }

  remove(node: Node<A>): void {
    this.heap.remove(node)
    this.reverse?.remove(node)
    node.queued = false
  }

  evict(): Node<A> | undefined {
    const last = this.reverse?.nodes[0]
    if (last !== undefined) this.remove(last)
    return last
  }
}

class Heap<A> {
  readonly nodes: Array<Node<A>> = []

  constructor(
    readonly key: "index" | "reverseIndex",
    private readonly order: Compare<Node<A>>
  ) {}

  /** The order, then the sequence. Throws what the order throws. */
  readonly strict: Compare<Node<A>> = (a, b) => this.order(a, b) || a.sequence - b.sequence

  /** The same, for those who cannot deal with an error. */
  readonly compare: Compare<Node<A>> = (a, b) => {
    try {
      return this.strict(a, b)
    } catch {
      return a.sequence - b.sequence
    }
  }

  /** Where a new node would come to stand. */
  place(node: Node<A>, compare = this.compare): number {
    return this.rise(node, this.nodes.length, compare)
  }

  insert(node: Node<A>, index: number): void {
    this.moveDown(this.nodes.length, index)
    this.put(node, index)
  }

  /** Fills the gap with the last node, which sinks or rises to its place. */
  remove(node: Node<A>): void {
    const { nodes } = this
    const gap = node[this.key]!
    const last = nodes.pop()!
    if (last === node) return
    let at = gap
    for (;;) {
      const left = 2 * at + 1
      if (left >= nodes.length) break
      const right = left + 1
      const child = right < nodes.length && this.compare(nodes[right]!, nodes[left]!) < 0 ? right : left
      if (!(this.compare(nodes[child]!, last) < 0)) break
      this.put(nodes[child]!, at)
      at = child
    }
    if (at === gap) {
      at = this.rise(last, gap)
      this.moveDown(gap, at)
    }
    this.put(last, at)
  }

  private rise(node: Node<A>, from: number, compare = this.compare): number {
    let at = from
    while (at > 0) {
      const parent = (at - 1) >>> 1
      if (!(compare(node, this.nodes[parent]!) < 0)) break
      at = parent
    }
    return at
  }

  /** Moves the ancestors between two places down by one, which opens the upper one. */
  private moveDown(from: number, to: number): void {
    let at = from
    while (at > to) {
      const parent = (at - 1) >>> 1
      this.put(this.nodes[parent]!, at)
      at = parent
    }
  }

  private put(node: Node<A>, index: number): void {
    this.nodes[index] = node
    node[this.key] = index
  }
}

/** Throws when an invariant does not hold. For tests. */
export const check = <A>(store: ItemStore<A>): void => {
  if (store instanceof OrderedStore) {
    for (const heap of store.reverse === undefined ? [store.heap] : [store.heap, store.reverse]) {
      checkHeap(heap)
      if (heap.nodes.length !== store.size) throw new Error("I2: the heaps hold different numbers of nodes")
    }
    return
  }
  let count = 0
  for (let node = (store as LinkedStore<A>).head; node !== undefined; node = node.next) {
    count++
    if (!node.queued) throw new Error("I1: a node in the list that does not say so")
    if (node.next !== undefined && node.next.sequence <= node.sequence) throw new Error("I3: out of sequence")
  }
  if (count !== store.size) throw new Error(`I2: size ${store.size}, but ${count} nodes`)
}

const checkHeap = <A>({ compare, key, nodes }: Heap<A>): void =>
  nodes.forEach((node, index) => {
    if (node[key] !== index || !node.queued) throw new Error("I1: a node does not know where it is")
    const parent = nodes[(index - 1) >>> 1]!
    if (index > 0 && compare(node, parent) < 0) throw new Error("I3: a node before its parent")
  })
