/**
 * The event: a flag that many can wait for.
 *
 * State: the flag, and who waits for it. Those who wait at the moment of `set` are a generation: they are settled there and then.
 *
 * Invariants:
 *
 * - I1 Nobody waits while the flag is set.
 * - I2 A settled ticket stays settled: `clear` does not revoke a wake-up, and a later `set` wakes nobody twice.
 *
 * Transitions: `enqueue`, `cancel`, `set`, `clear`, `pulse`.
 *
 * @internal
 */
import type { Chain, Ticket } from "./ticket.js"
import type { WaitList } from "./waitList.js"
import * as waitList from "./waitList.js"

export const TypeId = "~effect-concurrency/Event"

export type TypeId = typeof TypeId

export type Waiting = Ticket<undefined, undefined>

export interface State {
  isSet: boolean
  readonly waiting: WaitList<Waiting>
}

export const make = (): State => ({ isSet: false, waiting: waitList.make() })

/** The flag is not set. */
export const enqueue = (state: State, ticket: Waiting): void => waitList.push(state.waiting, ticket)

/** The caller of a ticket is gone. A wake-up that it was given is nobody else's business. */
export const cancel = (state: State, ticket: Waiting): Chain => {
  if (!ticket.settled) waitList.remove(ticket)
  return undefined
}

/** Sets the flag and wakes all who wait. */
export const set = (state: State): Chain => {
  state.isSet = true
  return pulse(state)
}

export const clear = (state: State): void => {
  state.isSet = false
}

/** Wakes all who wait now and leaves the flag as it is. */
export const pulse = (state: State): Chain => waitList.settleAll(state.waiting, undefined, undefined)

export interface Stats {
  /** Whether the flag is set. */
  readonly isSet: boolean
  /** How many wait for it. */
  readonly waiting: number
}

export const stats = (state: State): Stats => Object.freeze({ isSet: state.isSet, waiting: state.waiting.size })

/** Throws when an invariant does not hold. For tests. */
export const check = (state: State): void => {
  waitList.check(state.waiting)
  if (state.isSet && state.waiting.size > 0) throw new Error(`I1: ${state.waiting.size} wait for a flag that is set`)
}
