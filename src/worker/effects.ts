/**
 * Runs effects in a worker. The only file there that loads Effect, and not before a function has returned one.
 *
 * @internal
 */
import type { Effect } from "effect/Effect"

/** What a run rejects with when the effect has failed as its type says that it may, and not for a defect. */
export class Failure {
  constructor(readonly error: unknown) {}
}

const ofThree = Symbol.for("effect/Effect")

/** Known by the mark that every version of Effect leaves on its own. */
export const isEffect = (value: unknown): boolean =>
  ((typeof value === "object" && value !== null) || typeof value === "function") &&
  (ofThree in value || "~effect/Effect" in value)

/** Runs an effect to its end. Errors are the original ones; several are an `AggregateError`. */
export const run = async (effect: unknown, signal?: AbortSignal): Promise<unknown> => {
  const [{ runPromiseExit }, Cause] = await Promise.all([import("effect/Effect"), import("effect/Cause")])
  const exit = await runPromiseExit(effect as Effect<unknown, unknown>, signal && { signal })
  if (exit._tag === "Success") return exit.value
  const failures = Array.from(Cause.failures(exit.cause))
  const defects = Array.from(Cause.defects(exit.cause))
  const errors: ReadonlyArray<unknown> = [...failures, ...defects]
  const error = errors.length > 1 ? new AggregateError(errors, `${errors.length} errors`) : Cause.squash(exit.cause)
  throw failures.length > 0 && defects.length === 0 ? new Failure(error) : error
}
