/**
 * A stream made of what an effect gives, again and again. Apart from the other names of Effect, so that only who uses streams loads them.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

/** The scope is the stream's. It ends when the effect fails with `None`. Effect 4: `Stream.fromPull`. */
export const pullStream = <A, E, R, R2>(
  scoped: Effect.Effect<Effect.Effect<A, Option.Option<E>, R2>, never, R>
): Stream.Stream<A, E, Exclude<R, Scope.Scope> | R2> =>
  Stream.unwrapScoped(Effect.map(scoped, Stream.repeatEffectOption))
