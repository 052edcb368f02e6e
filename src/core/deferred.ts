/**
 * A one-shot result, whoever keeps it: an Effect `Deferred`, or a plain one.
 *
 * State: what the facade has to know of either. It is kept as a task that nobody works at, whose invariants are that core's: it ends once, and
 * tells those who wait.
 *
 * @internal
 */
import type { Failure, State as Task, Success } from "./task.js"

export const TypeId = "~effect-concurrency/Deferred"

export type TypeId = typeof TypeId

export interface State<in out A = any> {
  /** Settles it; says whether it did. */
  readonly settle: (outcome: Success<A> | Failure) => boolean
  readonly isSettled: () => boolean
  /** Where the result arrives. Asked for once somebody waits. */
  readonly result: () => Task<A>
}
