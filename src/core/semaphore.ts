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
import { integer, oneOf, orderable, record, refusal } from "./arguments.js"
import type { Chain, Ticket } from "./ticket.js"
import { concat, settle } from "./ticket.js"
import { WaitList } from "./waitList.js"

/** The request is a number of permits; the result is the epoch of the grant, or `Refused`. */
export type Waiting = Ticket<number, number>

/** The result of a request that a later `resize` made impossible. */
export const Refused = -1

export const TypeId = "~effect-concurrency/Semaphore"

export type TypeId = typeof TypeId

export type Fairness = "fifo" | "throughput"

export interface State {
  permits: number
  taken: number
  epoch: number
  readonly fairness: Fairness
  readonly waiting: WaitList<Waiting>
}

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

export const fromOptions = (options: number | Options): State => {
  const { fairness = "fifo", permits } = record<Options>("Semaphore.make", typeof options === "number" ? { permits: options } : options)
  integer("Semaphore.make", "permits", permits, 0)
  oneOf("Semaphore.make", "fairness", fairness, ["fifo", "throughput"])
  return make(permits, fairness)
}

/** Checks a request against the semaphore as it is now, and gives its priority. */
export const checkRequest = (where: string, state: State, permits: number, options: RequestOptions | undefined): number => {
  integer(where, "permits", permits, 0, state.permits === 0 ? Infinity : state.permits)
  return options?.priority === undefined ? 0 : orderable(where, "priority", options.priority)
}

/** Why a waiting request ends when the semaphore was made smaller than it. */
export const refusalOf = (state: State, permits: number): Error =>
  refusal("Semaphore.resize", "permits of a request that waits", `an integer from 0 to ${state.permits}`, permits)

export const make = (permits: number, fairness: Fairness = "fifo"): State => ({
  permits,
  taken: 0,
  epoch: 0,
  fairness,
  waiting: new WaitList()
})

export const free = (state: State): number => Math.max(0, state.permits - state.taken)

/** Whether a request can ever be granted at the present size. A closed semaphore refuses nobody: it is paused, not small. */
export const possible = (state: State, permits: number): boolean => permits <= state.permits || state.permits === 0

/** Whether a request would be granted now, without passing anybody whose turn is before it. */
export const available = (state: State, permits: number, priority: number): boolean =>
  permits <= state.permits - state.taken && (state.waiting.size === 0 || !yieldsTo(state, priority))

/** "throughput" lets a newcomer that fits go at once; "fifo" only if everybody who waits has a lower priority. */
const yieldsTo = (state: State, priority: number): boolean =>
  state.fairness === "fifo" && state.waiting.head!.priority >= priority

export const tryTake = (state: State, permits: number, priority: number): boolean => {
  if (!available(state, permits, priority)) return false
  state.taken += permits
  return true
}

/** The ticket's request was not available and is possible. */
export const enqueue = (state: State, ticket: Waiting): void => {
  state.waiting.push(ticket, state.fairness === "throughput" ? ticket.request : 0)
}

/**
 * The caller of a ticket is gone. A waiting ticket leaves, and if it was the head it blocked others; a granted one gives its
 * permits back.
 */
export const cancel = (state: State, ticket: Waiting): Chain => {
  if (ticket.settled) return ticket.result === Refused ? undefined : giveBack(state, ticket.request, ticket.result!)
  state.waiting.remove(ticket)
  return grant(state)
}

/** Returns permits that nobody can be shown to hold: for callers who count for themselves. At most what is taken. */
export const release = (state: State, permits: number): Chain => {
  state.taken -= permits
  return grant(state)
}

/** Returns the permits of one grant. A grant from before a `releaseAll` has nothing left to return. */
export const giveBack = (state: State, permits: number, epoch: number): Chain =>
  epoch === state.epoch ? release(state, permits) : undefined

export const releaseAll = (state: State): Chain => {
  state.epoch++
  return release(state, state.taken)
}

/** Changes the number of permits. Requests that can never be granted any more are refused rather than left waiting. */
export const resize = (state: State, permits: number): Chain => {
  state.permits = permits
  let refused: Chain = undefined
  for (const ticket of state.waiting) {
    if (possible(state, ticket.request)) continue
    state.waiting.remove(ticket)
    refused = settle(refused, ticket, Refused)
  }
  return concat(refused, grant(state))
}

/** Permits go to tickets here, before anybody runs: whoever asks next finds them taken. */
const grant = (state: State): Chain => {
  let chain: Chain = undefined
  let ticket = next(state)
  while (ticket !== undefined) {
    state.waiting.remove(ticket)
    state.taken += ticket.request
    chain = settle(chain, ticket, state.epoch)
    ticket = next(state)
  }
  return chain
}

/**
 * Who is granted next. In "fifo" a head that does not fit keeps everybody waiting, or a stream of small requests would starve
 * it. In "throughput" lanes are ranked by size, so the first lane that fits is the smallest request of the highest priority.
 */
const next = (state: State): Waiting | undefined => {
  if (state.waiting.size === 0) return undefined
  const available = state.permits - state.taken
  if (state.fairness === "throughput") return state.waiting.firstHead((ticket) => ticket.request <= available)
  const head = state.waiting.head!
  return head.request <= available ? head : undefined
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
  state.waiting.check()
  if (!Number.isInteger(state.taken) || state.taken < 0) throw new Error(`I1: taken is ${state.taken}`)
  const head = next(state)
  if (head !== undefined) throw new Error(`${state.fairness === "fifo" ? "I3" : "I4"}: a request of ${head.request} fits and waits`)
  for (const ticket of state.waiting) {
    if (!possible(state, ticket.request)) throw new Error(`I5: a request of ${ticket.request} waits for ever`)
  }
}
