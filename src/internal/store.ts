/**
 * What a store does among promises, as an effect.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import { StoreError } from "../core/storeError.js"

/**
 * A `StoreError` is a failure, and everything else a defect. Interrupted, it is over at once, and the signal aborts: what was not sent to the
 * server by then is not sent.
 */
export const fromPromise = <A>(f: (signal: AbortSignal) => PromiseLike<A>): Effect.Effect<A, StoreError> =>
  Effect.matchEffect(Effect.tryPromise({ try: f, catch: (error) => error }), {
    onFailure: (error) => (error instanceof StoreError ? Effect.fail(error) : Effect.die(error)),
    onSuccess: Effect.succeed
  })
