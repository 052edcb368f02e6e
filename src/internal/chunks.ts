/**
 * Streams by the arrays that they are made of. Effect 4 has arrays where Effect 3 has chunks.
 *
 * @internal
 */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { callback } from "./effect.js"

/** Gives the next items, or fails with `None` when there are no more. */
export type Pull<A, E, R> = Effect.Effect<ReadonlyArray<A>, Option.Option<E>, R>

/** A stream as something to pull at, until the scope is closed. */
export const toPull = <A, E, R>(self: Stream.Stream<A, E, R>): Effect.Effect<Pull<A, E, R>, never, R | Scope.Scope> =>
  Effect.map(Stream.toPull(self), (pull) => Effect.map(pull, Chunk.toReadonlyArray))

/** A stream of what a pull gives. The scope is the stream's. */
export const fromPull = <A, E, R, R2>(
  scoped: Effect.Effect<Pull<A, E, R2>, never, R>
): Stream.Stream<A, E, Exclude<R, Scope.Scope> | R2> =>
  Stream.fromPull(Effect.map(scoped, (pull) => Effect.map(pull, Chunk.unsafeFromArray<A>)))

export const forEachArray = <A, E, R, X, E2, R2>(
  self: Stream.Stream<A, E, R>,
  f: (items: ReadonlyArray<A>) => Effect.Effect<X, E2, R2>
): Effect.Effect<void, E | E2, R | R2> => Stream.runForEachChunk(self, (chunk) => f(Chunk.toReadonlyArray(chunk)))

const platform = globalThis as unknown as { readonly setImmediate?: (callback: () => void) => unknown }

/** Lets the event loop turn: input, timers, whatever waited. A fiber that yields only lets other fibers go on. */
export const turn: Effect.Effect<void> = callback((resume) => {
  const go = () => resume(Effect.void)
  if (typeof platform.setImmediate === "function") platform.setImmediate(go)
  else setTimeout(go)
})
