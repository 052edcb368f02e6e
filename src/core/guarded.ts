/**
 * A value and the lock that its changes take.
 *
 * State: the value as of the last change that was completed, and the lock.
 *
 * Invariants:
 *
 * - I1 The value changes only by `commit`, while the lock is held. So who reads it without the lock sees a state that some change left
 *   behind whole.
 *
 * Transitions: `commit`; those of the lock.
 *
 * @internal
 */
import { misuse } from "./arguments.js"
import * as Mutex from "./mutex.js"
import * as Semaphore from "./semaphore.js"

export const TypeId = "~effect-concurrency/Guarded"

export type TypeId = typeof TypeId

export interface State<A> {
  value: A
  readonly lock: Mutex.State
}

export const make = <A>(value: A): State<A> => ({ value, lock: Mutex.make() })

/** Ends a change. */
export const commit = <A>(state: State<A>, value: A): void => {
  if (!Mutex.isLocked(state.lock)) throw misuse("Guarded", "I1: a change without the lock")
  state.value = value
}

/** What a `modify` function returned, checked, since it is easily forgotten that it is a pair. */
export const pair = <B, A>(where: string, result: readonly [B, A]): readonly [B, A] => {
  if (Array.isArray(result) && result.length === 2) return result
  throw misuse(where, "the function must return a pair: what to return, and the new value")
}

export const stats = <A>(state: State<A>): Semaphore.Stats => Semaphore.stats(state.lock)

/** Throws when an invariant does not hold. For tests. */
export const check = <A>(state: State<A>): void => Semaphore.check(state.lock)
