/**
 * Streams by the arrays that they are made of. Effect 4 has arrays where Effect 3 has chunks.
 *
 * @internal
 */
import * as Channel from "effect/Channel"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { callback } from "./effect.js"

/** Gives the next items, or `undefined` when there are no more. */
export type Pull<A, E, R> = Effect.Effect<ReadonlyArray<A> | undefined, E, R>

/** Something to pull at. */
export interface Pulled<A, E, R> {
  readonly pull: Pull<A, E, R>
  /** The next items, if they are there. */
  readonly now?: () => ReadonlyArray<A> | undefined
}

/** Gives the next items of a stream, or fails with `None` when there are no more. */
export type Source<A, E, R> = Effect.Effect<ReadonlyArray<A>, Option.Option<E>, R>

/** A stream as something to pull at, until the scope is closed. */
export const toPull = <A, E, R>(self: Stream.Stream<A, E, R>): Effect.Effect<Source<A, E, R>, never, R | Scope.Scope> =>
  Effect.map(Stream.toPull(self), (pull) => Effect.map(pull, Chunk.toReadonlyArray))

/**
 * A stream of what is pulled at something that is there as long as the stream. What is there at once is not pulled: a stream leaves its own loop
 * for each effect, which takes a third of what an item costs. (`Stream.fromPull` makes a loop of six steps of what is one of three; and with a
 * scope around it, each item would go from one loop to another.)
 */
export const fromPulled = <P, A, E, R>(
  acquire: Effect.Effect<P & Pulled<A, E, R>, never, R>,
  release: (pulled: P & Pulled<A, E, R>, exit: Exit.Exit<unknown, E>) => Effect.Effect<unknown>
): Stream.Stream<A, E, R> =>
  Stream.fromChannel(Channel.acquireUseRelease(acquire, ({ now, pull }) => emit(pull, now), release))

type Emitting<A, E, R> = Channel.Channel<Chunk.Chunk<A>, unknown, E, unknown, unknown, unknown, R>

const emit = <A, E, R>(pull: Pull<A, E, R>, now: Pulled<A, E, R>["now"]): Emitting<A, E, R> => {
  const give = (items: ReadonlyArray<A> | undefined): Emitting<A, E, R> =>
    items === undefined ? Channel.void : Channel.flatMap(Channel.write(Chunk.unsafeFromArray(items)), () => loop)
  const pulled = Channel.flatMap(Channel.fromEffect(pull), give)
  const loop: Emitting<A, E, R> =
    now === undefined
      ? pulled
      : Channel.suspend(() => {
          const items = now()
          return items === undefined ? pulled : give(items)
        })
  return loop
}

export const forEachArray = <A, E, R, X, E2, R2>(
  self: Stream.Stream<A, E, R>,
  f: (items: ReadonlyArray<A>) => Effect.Effect<X, E2, R2>
): Effect.Effect<void, E | E2, R | R2> => Stream.runForEachChunk(self, (chunk) => f(Chunk.toReadonlyArray(chunk)))

const platform = globalThis as unknown as { readonly setImmediate?: (callback: () => void) => unknown }

/** Goes on when the event loop has turned: input, timers, whatever waited. A fiber that yields only lets other fibers go on. */
export const afterTurn = (go: () => void): void => {
  if (typeof platform.setImmediate === "function") platform.setImmediate(go)
  else setTimeout(go)
}

/** Lets the event loop turn. */
export const turn: Effect.Effect<void> = callback((resume) => afterTurn(() => resume(Effect.void)))
