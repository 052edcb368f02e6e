/**
 * The work queue: items on their way from those who offer to those who take, and how many of them are still being worked on.
 *
 * State: the items, who waits to take, who waits to offer, who waits for all work to be done, the number of unfinished items, and why the
 * queue was closed, if it was.
 *
 * Invariants:
 *
 * - I1 Nobody waits to take while there is an item, and nobody waits to take from a closed queue.
 * - I2 Nobody waits to offer while there is room, and nobody waits to offer to a closed queue.
 * - I3 Accepting an offer never raises the number of items above the capacity. Giving back may.
 * - I4 `unfinished` counts the items and the deliveries that were neither finished nor given back; nobody waits for the end of all
 *   work while it is 0.
 * - I5 Each item that was accepted is in the store, or in one delivery, or finished, or was handed out by `drain`, or made room for
 *   others in a "sliding" queue.
 *
 * Transitions: `accept`, `enqueueOffer`, `enqueueTake`, `take` with `settle`, `cancelOffer`, `cancelTake`, `giveBack`, `requeue`, `finish`,
 * `close`, `drain`. `take` returns what it took; `match`, which belongs to it, returns whom that made room for.
 *
 * @internal
 */
import { expect, integer, integerOrInfinity, misuse, oneOf, record } from "./arguments.js"
import type { ItemStore, Node, Order } from "./itemStore.js"
import * as itemStore from "./itemStore.js"
import type { Chain, Ticket } from "./ticket.js"
import { concat, settle } from "./ticket.js"
import type { WaitList } from "./waitList.js"
import * as waitList from "./waitList.js"

export const TypeId = "~effect-concurrency/WorkQueue"

export type TypeId = typeof TypeId

export type Strategy = "suspend" | "dropping" | "sliding" | "reject"

export const onFailures = ["fail", "requeue", "drop"] as const

export type OnFailure = (typeof onFailures)[number]

export interface Options<A> {
  /** How many items it holds: an integer, 1 or more, or Infinity. Default Infinity. */
  readonly capacity?: number | undefined
  /**
   * What becomes of an offer when it is full: `"suspend"`, the default, waits for room; `"dropping"` drops the offered item;
   * `"sliding"` drops the oldest item instead (in an order, the oldest of those that come last); `"reject"` fails with `QueueFull`.
   */
  readonly strategy?: Strategy | undefined
  /**
   * Which item is taken first: `"fifo"`, the default, `"lifo"`, or an order (an Effect `Order`, or a function for `Array.sort`), of
   * which the smallest comes first and equals in order of arrival.
   */
  readonly order?: Order<A> | undefined
}

/** An offer that waits: its items, and how many of them are in. */
export interface Offer<A> {
  readonly items: ReadonlyArray<A>
  accepted: number
  /** The node of an offer of one item, so that it can be taken back. */
  node: Node<A> | undefined
}

/** The result of a wait at a queue that was closed. */
export const Closed = Symbol("Closed")
export type Closed = typeof Closed

/** The result of an offer whose items could not be put in order. */
export class Thrown {
  constructor(readonly error: unknown) {}
}

/** The request is the largest number of items; the result is the nodes. */
export type Taker<A> = Ticket<number, Array<Node<A>> | Closed>
export type Offerer<A> = Ticket<Offer<A>, true | Closed | Thrown>
export type Joiner = Ticket<undefined, undefined>

export interface State<A> {
  readonly capacity: number
  readonly strategy: Strategy
  readonly store: ItemStore<A>
  readonly takers: WaitList<Taker<A>>
  readonly offerers: WaitList<Offerer<A>>
  readonly joiners: WaitList<Joiner>
  sequence: number
  unfinished: number
  dropped: number
  closed: Closing | undefined
}

/** Why a queue was closed: with a failure, or because it ended. */
export interface Closing {
  readonly failure: { readonly error: unknown } | undefined
}

export const make = <A>(where: string, options: Options<A> = {}): State<A> => {
  const { capacity = Infinity, order = "fifo", strategy = "suspend" } = record(where, options)
  integerOrInfinity(where, "capacity", capacity, 1)
  oneOf(where, "strategy", strategy, ["suspend", "dropping", "sliding", "reject"])
  if (typeof order !== "function") oneOf(where, "order", order, ["fifo", "lifo"])
  return {
    capacity,
    strategy,
    store: itemStore.make(order, strategy === "sliding"),
    takers: waitList.make(),
    offerers: waitList.make(),
    joiners: waitList.make(),
    sequence: 0,
    unfinished: 0,
    dropped: 0,
    closed: undefined
  }
}

/** What becomes of one more item: it is accepted, perhaps at the cost of another, dropped, refused, has to wait, or comes too late. */
export type Admission = "accept" | "slide" | "drop" | "refuse" | "wait" | "closed"

export const admission = <A>(state: State<A>): Admission => {
  if (state.closed) return "closed"
  // Whoever waits to offer comes before a newcomer, and waits only while there is no room (I2).
  if (state.store.size < state.capacity) return "accept"
  switch (state.strategy) {
    case "suspend":
      return "wait"
    case "dropping":
      return "drop"
    case "sliding":
      return "slide"
    case "reject":
      return "refuse"
  }
}

/** How many items can come in before the queue is full. */
export const room = <A>(state: State<A>): number => Math.max(0, state.capacity - state.store.size)

/** Accepts an item; its admission was "accept". */
export const accept = <A>(state: State<A>, item: A): Chain => {
  const taker = waitList.shift(state.takers)
  if (taker) {
    // The queue is empty, then: to add the item and to match would come to the same, and takes longer.
    state.unfinished++
    return settle(undefined, taker, [itemStore.node(item, state.sequence++)])
  }
  add(state, item)
  return undefined
}

/** Puts an item in at the cost of another, or of itself; says whether it is in. Its admission was "slide". */
export const slide = <A>(state: State<A>, item: A): boolean => {
  const node = add(state, item)
  state.store.evict()
  state.unfinished--
  state.dropped++
  return node.queued
}

/** Deals with items by a strategy that does not wait, in one step, and gives those that were dropped. The queue is open. */
export const acceptAll = <A>(state: State<A>, items: ReadonlyArray<A>, dropped: Array<A>): Chain => {
  let chain: Chain = undefined
  for (const item of items) {
    const admitted = admission(state)
    if (admitted === "accept") chain = concat(chain, accept(state, item))
    else if (admitted === "drop") drop(state)
    if (admitted === "drop" || (admitted === "slide" && !slide(state, item))) dropped.push(item)
  }
  return chain
}

/** Counts an item that its admission dropped. */
export const drop = <A>(state: State<A>): void => {
  state.dropped++
}

const add = <A>(state: State<A>, item: A): Node<A> => {
  const node = itemStore.node(item, state.sequence)
  state.store.add(node)
  state.sequence++
  state.unfinished++
  return node
}

export const offer = <A>(items: ReadonlyArray<A>): Offer<A> => ({ items, accepted: 0, node: undefined })

/** Waits for room; what fits goes in at once. */
export const enqueueOffer = <A>(state: State<A>, ticket: Offerer<A>): Chain => {
  waitList.push(state.offerers, ticket)
  return match(state)
}

/** Whether a take would have something to take. */
export const available = <A>(state: State<A>): boolean => state.store.size > 0

/** Nothing is available, and the queue is not closed. */
export const enqueueTake = <A>(state: State<A>, ticket: Taker<A>): void => waitList.push(state.takers, ticket)

/** Takes up to n items out. The caller goes on with `match`, in the same step. */
export const take = <A>(state: State<A>, n: number): Array<Node<A>> => {
  let node = shift(state)
  // Not pushed to an empty array, which would make room for 17.
  const nodes = node ? [node] : []
  while (node && nodes.length < n) {
    node = shift(state)
    if (node) nodes.push(node)
  }
  return nodes
}

/** Takes one item out, or nothing. The caller goes on with `match`, in the same step. */
export const shift = <A>(state: State<A>): Node<A> | undefined => state.store.shift()

/** Brings takers and items together, then offers and room, until neither is left. */
export const match = <A>(state: State<A>): Chain => {
  let chain: Chain = undefined
  for (;;) {
    while (state.takers.size > 0 && state.store.size > 0) {
      const taker = waitList.shift(state.takers)!
      chain = settle(chain, taker, take(state, taker.request))
    }
    const offerer = waitList.head(state.offerers)
    if (!offerer || state.store.size >= state.capacity) return chain
    const result = admit(state, offerer.request)
    if (!result) continue
    waitList.remove(offerer)
    chain = settle(chain, offerer, result)
  }
}

/**
 * Accepts as many items of an offer as there is room for; gives the result when that ends it. An order that throws ends the offer
 * that it was called for, not the take that made room.
 */
const admit = <A>(state: State<A>, offer: Offer<A>): true | Thrown | undefined => {
  while (offer.accepted < offer.items.length) {
    if (state.store.size >= state.capacity) return undefined
    try {
      const node = add(state, offer.items[offer.accepted]!)
      offer.accepted++
      if (offer.items.length === 1) offer.node = node
    } catch (error) {
      return new Thrown(error)
    }
  }
  return true
}

/**
 * The caller of an offer is gone. A waiting offer leaves; what it brought in already stays, and the rest never comes. A single item
 * that came in before its caller could know is taken back, so that the caller may offer it again; unless somebody took it first.
 */
export const cancelOffer = <A>(state: State<A>, ticket: Offerer<A>): Chain => {
  if (waitList.has(state.offerers, ticket)) {
    waitList.remove(ticket)
    return match(state)
  }
  const node = ticket.request.node
  if (!node?.queued) return undefined
  state.store.remove(node)
  return finishing(state, match(state))
}

/** The caller of a take is gone. What was delivered to it goes back to where it was taken from, or on to the next taker. */
export const cancelTake = <A>(state: State<A>, ticket: Taker<A>): Chain => {
  if (ticket.settled) return ticket.result === Closed ? undefined : giveBack(state, ticket.result!)
  waitList.remove(ticket)
  return undefined
}

/** Returns items that were delivered and not worked on. There may be more of them than the capacity allows for a while. */
export const giveBack = <A>(state: State<A>, nodes: ReadonlyArray<Node<A>>): Chain => {
  for (const node of nodes) state.store.restore(node)
  // Somebody may have called `taskDone` for an item that he did not have, and that now comes back: it is unfinished all the same.
  state.unfinished = Math.max(state.unfinished, state.store.size)
  return match(state)
}

/** Puts an item that was delivered behind all others, also when the queue is closed: it was accepted long ago. */
export const requeue = <A>(state: State<A>, node: Node<A>): Chain => {
  node.sequence = state.sequence++
  return giveBack(state, [node])
}

/** How many items were delivered and are not finished. */
export const inProgress = <A>(state: State<A>): number => state.unfinished - state.store.size

/** Ends the work on one delivered item. */
export const finish = <A>(where: string, state: State<A>): Chain => {
  if (inProgress(state) === 0)
    throw misuse(where, "no item is being worked on: called more often than items were taken")
  return finishing(state, undefined)
}

const finishing = <A>(state: State<A>, chain: Chain, n = 1): Chain => {
  state.unfinished -= n
  return state.unfinished === 0 ? waitList.settleAll(state.joiners, chain, undefined) : chain
}

/** What to do with an item whose handler failed, as a transition. "fail" keeps it at the head: it was not worked off. */
export const afterFailure = <A>(where: string, state: State<A>, node: Node<A>, onFailure: OnFailure): Chain => {
  switch (oneOf(where, "onFailure", onFailure, onFailures)) {
    case "fail":
      return giveBack(state, [node])
    case "requeue":
      return requeue(state, node)
    case "drop":
      return finish(where, state)
  }
}

/**
 * Closes the queue to offers. Those who wait to offer are told; takers drain what is left, and then get the failure, or learn that it is
 * closed. The first close counts.
 */
export const close = <A>(state: State<A>, failure?: { readonly error: unknown }): Chain => {
  if (state.closed) return undefined
  state.closed = { failure }
  return waitList.settleAll(state.takers, waitList.settleAll(state.offerers, undefined, Closed), Closed)
}

/** Empties a closed queue into the caller's hands: those items are finished, as far as the queue can know. */
export const drain = <A>(state: State<A>, into: Array<A>): Chain => {
  for (const node of take(state, Infinity)) into.push(node.item)
  return finishing(state, undefined, into.length)
}

/** Waits for the end of all work; there is some. */
export const enqueueJoin = <A>(state: State<A>, ticket: Joiner): void => waitList.push(state.joiners, ticket)

export const cancelJoin = <A>(state: State<A>, ticket: Joiner): Chain => {
  if (!ticket.settled) waitList.remove(ticket)
  return undefined
}

export const checkCount = (where: string, n: number): number => (n === Infinity ? n : integer(where, "n", n, 1))

export const checkItems = <A>(where: string, items: Iterable<A>): ReadonlyArray<A> => {
  const iterable = typeof items === "object" && typeof items?.[Symbol.iterator] === "function"
  return [...expect(iterable, where, "items", "an iterable that is not a string", items)]
}

export interface Stats {
  /** How many items it holds at the most. */
  readonly capacity: number
  /** How many items it holds. */
  readonly size: number
  /** How many were taken and are not done. */
  readonly inUse: number
  /** How many callers wait: to take or to offer. */
  readonly waiting: number
  /** How many callers wait to take. */
  readonly takers: number
  /** How many callers wait to offer. */
  readonly offerers: number
  /** How many items are not done: in the queue, or taken. */
  readonly unfinished: number
  /** How many items a dropping or sliding queue has dropped. */
  readonly dropped: number
  /** Whether it takes no more. */
  readonly isClosed: boolean
}

export const stats = <A>(state: State<A>): Stats =>
  Object.freeze({
    capacity: state.capacity,
    size: state.store.size,
    inUse: inProgress(state),
    waiting: state.takers.size + state.offerers.size,
    takers: state.takers.size,
    offerers: state.offerers.size,
    unfinished: state.unfinished,
    dropped: state.dropped,
    isClosed: state.closed !== undefined
  })

/** Throws when an invariant does not hold. For tests. */
export const check = <A>(state: State<A>): void => {
  const { capacity, closed, joiners, offerers, store, takers, unfinished } = state
  for (const list of [takers, offerers, joiners]) waitList.check(list)
  itemStore.check(store)
  if (takers.size > 0 && (store.size > 0 || closed !== undefined))
    throw new Error(`I1: ${takers.size} wait to take in vain`)
  if (offerers.size > 0 && (store.size < capacity || closed !== undefined)) {
    throw new Error(`I2: ${offerers.size} wait to offer in vain`)
  }
  if (unfinished < store.size || (unfinished === 0 && joiners.size > 0))
    throw new Error(`I4: unfinished is ${unfinished}`)
}
