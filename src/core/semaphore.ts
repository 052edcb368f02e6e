/**
 * The semaphore: a number of permits, and those who wait for some of them.
 *
 * State: how many permits there are, how many are taken, who waits, and an epoch that `releaseAll` advances.
 *
 * Invariants:
 *
 * - I1 `taken` is an integer, never negative.
 * - I2 A grant never raises `taken` above `permits`. (Shrinking may leave it above; then nothing is granted until enough came back.)
 * - I3 Fairness "fifo": the head of the wait list does not fit into what is free, so nobody waits who could go, and nobody behind the
 *   head goes first, however small.
 * - I4 Fairness "throughput": no waiting ticket fits into what is free.
 * - I5 Unless the semaphore is closed (0 permits), no waiting request is larger than `permits`: what can never be granted is refused.
 *
 * Transitions: `tryTake`, `enqueue`, `cancel`, `release`, `giveBack`, `releaseAll`, `resize`. Each that frees permits grants them
 * before it returns, so between transitions the invariants hold, and a newcomer cannot slip in before a waiter.
 *
 * @internal
 */
import { integer, number, oneOf, record, refusal } from "./arguments.js"
import type { Chain, Ticket } from "./ticket.js"
import { concat, settle } from "./ticket.js"
import type { WaitList } from "./waitList.js"
import * as waitList from "./waitList.js"

/** The request is a number of permits; the result is the epoch of the grant, or why a later `resize` made it impossible. */
export type Waiting = Ticket<number, Grant>

export type Grant = number | Error

export const TypeId = "~effect-concurrency/Semaphore"

export type TypeId = typeof TypeId

export type Fairness = "fifo" | "throughput"

export interface State {
  permits: number
  taken: number
  epoch: number
  readonly pick: Pick
  readonly waiting: WaitList<Waiting>
}

/** Who of those who wait is granted next, if anybody, with so many permits free. */
type Pick = (waiting: WaitList<Waiting>, free: number) => Waiting | undefined

/** Strict: a head that does not fit keeps everybody waiting, or a stream of small requests would starve it. */
const fifo: Pick = (waiting, free) => {
  const head = waitList.head(waiting)
  return head && head.request <= free ? head : undefined
}

/** Whoever fits may go: lanes are ranked by size, so the first lane that fits is the smallest request of the highest priority. */
const throughput: Pick = (waiting, free) => waitList.firstHead(waiting, ({ request }) => request <= free)

export interface Options {
  /** How many permits there are: an integer, 0 or more. A semaphore of 0 permits is closed until it is resized. */
  readonly permits: number
  /**
   * Who goes first when permits are free. `"fifo"`, the default, is strict: a request that does not fit keeps those behind it waiting, so
   * it cannot starve. `"throughput"` uses every permit that somebody can use: smaller requests overtake larger ones, which may starve.
   */
  readonly fairness?: Fairness | undefined
}

export interface RequestOptions {
  /** Requests of a higher priority go first, and those of one priority in order of arrival. Default 0. */
  readonly priority?: number | undefined
}

export const fromOptions = (where: string, options: number | Options): State => {
  const { fairness = "fifo", permits } = record<Options>(
    where,
    typeof options === "number" ? { permits: options } : options
  )
  integer(where, "permits", permits, 0)
  oneOf(where, "fairness", fairness, ["fifo", "throughput"])
  return make(permits, fairness === "throughput" ? throughput : fifo)
}

/** Checks a request against the semaphore as it is now, and gives its priority. */
export const checkRequest = (
  where: string,
  state: State,
  permits: number,
  options: RequestOptions | undefined
): number => {
  checkPermits(where, state, permits)
  return priorityOf(where, options)
}

/** What can never be granted is refused at once; a closed semaphore refuses nobody. */
export const checkPermits = (where: string, state: State, permits: number): number =>
  integer(where, "permits", permits, 0, state.permits === 0 ? Infinity : state.permits)

export const priorityOf = (where: string, options: RequestOptions | undefined): number =>
  options?.priority === undefined ? 0 : number(where, "priority", options.priority)

/** Why a waiting request ends when the semaphore was made smaller than it. */
const refusalOf = (state: State, permits: number): Error =>
  refusal(
    "Semaphore.resize",
    "permits of a request that waits",
    `an integer from 0 to ${state.permits}`,
    permits,
    "number"
  )

export const make = (permits: number, pick = fifo): State => ({
  permits,
  taken: 0,
  epoch: 0,
  pick,
  waiting: waitList.make()
})

export const free = (state: State): number => Math.max(0, state.permits - state.taken)

/** Whether a request can ever be granted at the present size. A closed semaphore refuses nobody: it is paused, not small. */
export const possible = (state: State, permits: number): boolean => permits <= state.permits || state.permits === 0

/** Whether a request would be granted now, without passing anybody whose turn is before it. */
export const available = (state: State, permits: number, priority: number): boolean =>
  permits <= state.permits - state.taken &&
  (state.waiting.size === 0 || state.pick !== fifo || waitList.head(state.waiting)!.priority < priority)

export const tryTake = (state: State, permits: number, priority: number): boolean => {
  if (!available(state, permits, priority)) return false
  state.taken += permits
  return true
}

/** The ticket's request was not available and is possible. */
export const enqueue = (state: State, ticket: Waiting): void => {
  waitList.push(state.waiting, ticket, state.pick === fifo ? 0 : ticket.request)
}

/**
 * The caller of a ticket is gone. A waiting ticket leaves, and if it was the head it blocked others; a granted one gives its
 * permits back.
 */
export const cancel = (state: State, ticket: Waiting): Chain => {
  if (ticket.settled) return giveBack(state, ticket.request, ticket.result!)
  waitList.remove(ticket)
  return grant(state)
}

/** Returns permits that nobody can be shown to hold: for callers who count for themselves. At most what is taken. */
export const release = (state: State, permits: number): Chain => {
  state.taken -= permits
  return grant(state)
}

/** Returns the permits of one grant. One from before a `releaseAll`, and one that was refused, has nothing to return. */
export const giveBack = (state: State, permits: number, epoch: Grant): Chain =>
  epoch === state.epoch ? release(state, permits) : undefined

export const releaseAll = (state: State): Chain => {
  state.epoch++
  return release(state, state.taken)
}

/** Changes the number of permits. Requests that can never be granted any more are refused rather than left waiting. */
export const resize = (state: State, permits: number): Chain => {
  state.permits = permits
  let refused: Chain = undefined
  for (const ticket of waitList.tickets(state.waiting)) {
    if (possible(state, ticket.request)) continue
    waitList.remove(ticket)
    refused = settle(refused, ticket, refusalOf(state, ticket.request))
  }
  return concat(refused, grant(state))
}

/** Permits go to tickets here, before anybody runs: whoever asks next finds them taken. */
const grant = (state: State): Chain => {
  let chain: Chain = undefined
  for (;;) {
    const ticket = state.pick(state.waiting, state.permits - state.taken)
    if (!ticket) return chain
    waitList.remove(ticket)
    state.taken += ticket.request
    chain = settle(chain, ticket, state.epoch)
  }
}

export interface Stats {
  /** How many permits there are. */
  readonly capacity: number
  /** How many of them are taken. Above the capacity while a semaphore that was made smaller waits for permits to come back. */
  readonly inUse: number
  /** How many requests wait. */
  readonly waiting: number
}

export const stats = (state: State): Stats =>
  Object.freeze({ capacity: state.permits, inUse: state.taken, waiting: state.waiting.size })

/** Throws when an invariant does not hold. For tests. */
export const check = (state: State): void => {
  waitList.check(state.waiting)
  if (!Number.isInteger(state.taken) || state.taken < 0) throw new Error(`I1: taken is ${state.taken}`)
  const head = state.pick(state.waiting, state.permits - state.taken)
  if (head !== undefined)
    throw new Error(`${state.pick === fifo ? "I3" : "I4"}: a request of ${head.request} fits and waits`)
  for (const ticket of waitList.tickets(state.waiting)) {
    if (!possible(state, ticket.request)) throw new Error(`I5: a request of ${ticket.request} waits for ever`)
  }
}
