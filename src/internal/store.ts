/**
 * What a store does among promises, as an effect.
 *
 * @internal
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { StoreError } from "../core/storeError.js"

const Promised = Symbol("Promised")

/** The function whose promise an effect waits for, if that is all that it does, and nothing can interrupt it. */
export const promisedBy = <A, E>(effect: Effect.Effect<A, E>): (() => PromiseLike<A>) | undefined =>
  (effect as any)?.[Promised]

/** What an effect fails with that waits for such a promise. */
export const causeOf = (error: unknown): Cause.Cause<StoreError> =>
  error instanceof StoreError ? Cause.fail(error) : Cause.die(error)

/**
 * A `StoreError` is a failure, and everything else a defect. Interrupted, it is over at once, and the signal aborts: what was not sent to the
 * server by then is not sent.
 *
 * Whoever asks in nobody's name can do without a fiber: one that only waits for a promise would cost more than all else that is done here for a
 * question. If something is put around the effect, it has to be run.
 */
export const fromPromise = <A>(f: (signal: AbortSignal) => PromiseLike<A>): Effect.Effect<A, StoreError> => {
  const effect = Effect.suspend(() =>
    Effect.matchEffect(Effect.tryPromise({ try: f, catch: (error) => error }), {
      onFailure: (error) => Effect.failCause(causeOf(error)),
      onSuccess: Effect.succeed
    })
  )
  return f.length === 0 ? Object.assign(effect, { [Promised]: f }) : effect
}
