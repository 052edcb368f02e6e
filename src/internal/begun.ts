/**
 * What has to be undone when an effect did not even begin.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type { Restore } from "./park.js"

/**
 * Runs an effect in an uninterruptible region, as interruptible as it was outside; does something when it was interrupted before its first
 * step.
 */
export const begun = <A, E, R>(
  restore: Restore,
  self: Effect.Effect<A, E, R>,
  undo: Effect.Effect<void>
): Effect.Effect<A, E, R> => {
  let began = false
  const run = Effect.suspend(() => {
    began = true
    return self
  })
  return Effect.matchCauseEffect(restore(run), {
    onFailure: (cause) => (began ? Effect.failCause(cause) : Effect.zipRight(undo, Effect.failCause(cause))),
    onSuccess: Effect.succeed
  })
}
