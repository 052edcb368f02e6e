/**
 * The condition variable: waiting for a change of state that a lock protects.
 *
 * State: the lock, and who waits to be notified. One ticket serves a whole wait: it stands in the condition's list until it is
 * notified, then in the lock's list until it is granted the lock.
 *
 * Invariants:
 *
 * - I1 A ticket is settled only by being granted the lock: whoever returns from a wait holds it, also when the wait was cut short.
 * - I2 A ticket of a wait is in one list at a time: the condition's, or the lock's.
 * - I3 A notification is not lost with the waiter that it was for: cancelled after being notified, it notifies the next.
 *
 * Transitions: `wait`, `cancel`, `passOn`, `notify`; those of the lock.
 *
 * @internal
 */
import { misuse } from "./arguments.js"
import * as Mutex from "./mutex.js"
import * as Semaphore from "./semaphore.js"
import type { Chain } from "./ticket.js"
import { settle } from "./ticket.js"
import type { WaitList } from "./waitList.js"
import * as waitList from "./waitList.js"

export const TypeId = "~effect-concurrency/Condition"

export type TypeId = typeof TypeId

/** A request for the one permit of the lock, made in advance. */
export type Waiting = Semaphore.Waiting

export interface State {
  readonly lock: Mutex.State
  readonly waiting: WaitList<Waiting>
}

export const make = (lock: Mutex.State): State => ({ lock, waiting: waitList.make() })

/** Refuses what only the holder of the lock may do, when nobody holds it. */
export const checkLocked = (where: string, state: State): void => {
  if (!Mutex.isLocked(state.lock)) throw misuse(where, "the lock is not held")
}

/** Gives up the lock and waits, in one step: no notification can fall between the two. */
export const wait = (state: State, ticket: Waiting): Chain => {
  waitList.push(state.waiting, ticket)
  return Semaphore.release(state.lock, 1)
}

/**
 * The caller of a ticket wants to go. It may not before it has the lock again (I1), so a ticket that was not notified asks for the
 * lock now, and one that was passes its notification on (I3); either way it has to be waited for once more.
 */
export const cancel = (state: State, ticket: Waiting): Chain =>
  waitList.has(state.waiting, ticket) ? askForLock(state, ticket) : passOn(state)

/** Notifies the next for one who has no use for its notification. The lock need not be held: whoever ends here may have lost it. */
export const passOn = (state: State): Chain => {
  const next = waitList.head(state.waiting)
  return next && askForLock(state, next)
}

const askForLock = (state: State, ticket: Waiting): Chain => {
  waitList.remove(ticket)
  if (Semaphore.tryTake(state.lock, 1, ticket.priority)) return settle(undefined, ticket, state.lock.epoch)
  Semaphore.enqueue(state.lock, ticket)
  return undefined
}

/**
 * Moves up to n waiters to the lock's list. They run one after the other, each when it is granted the lock: waking them before would
 * only have them queue up there. The lock is held, so nothing is granted here.
 */
export const notify = (state: State, n: number): void => {
  for (; n > 0; n--) {
    const ticket = waitList.shift(state.waiting)
    if (ticket === undefined) return
    Semaphore.enqueue(state.lock, ticket)
  }
}

export interface Stats {
  /** Whether somebody holds the lock. */
  readonly isLocked: boolean
  /** How many wait to be notified. */
  readonly waiting: number
  /** How many wait for the lock: to enter, or to go on after a notification. */
  readonly waitingForLock: number
}

export const stats = (state: State): Stats =>
  Object.freeze({
    isLocked: Mutex.isLocked(state.lock),
    waiting: state.waiting.size,
    waitingForLock: state.lock.waiting.size
  })

/** Throws when an invariant does not hold: a ticket that was settled without the lock (I1) is one that a list finds. For tests. */
export const check = (state: State): void => {
  Semaphore.check(state.lock)
  waitList.check(state.waiting)
}
