/**
 * Every name of Effect 3 that Effect 4 renamed or removed, as far as this library uses them: a move to Effect 4 touches this file.
 *
 * @internal
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"

/** Effect 4: `Effect.callback`. */
export const callback: <A, E = never>(
  register: (resume: (effect: Effect.Effect<A, E>) => void) => void
) => Effect.Effect<A, E> = Effect.async

/** Effect 4: `Effect.catchCause`. */
export const catchCause = Effect.catchAllCause

/** Effect 4: `Effect.withFiber`. */
export const withFiber = Effect.withFiberRuntime

/** Effect 4: `Layer.effect`, which closes the scope there. */
export const layerScoped = Layer.scoped

/** Effect 4: `Context.Service<Self, Shape>()(id)`. */
export const tagClass = <Self, Shape>(id: string): Context.TagClass<Self, string, Shape> =>
  Context.Tag(id)<Self, Shape>()

/** Calls a function with a fiber's exit; returns what prevents it. Effect 4: `fiber.addObserver` does so itself. */
export const onFiberExit = <A, E>(
  fiber: Fiber.RuntimeFiber<A, E>,
  f: (exit: Exit.Exit<A, E>) => void
): (() => void) => {
  fiber.addObserver(f)
  return () => fiber.removeObserver(f)
}

/** Effect 4: `Effect.forkChild`. */
export const fork = Effect.fork

/** Effect 4: a search in `cause.reasons`. */
export const isDieWith = (cause: Cause.Cause<unknown>, defect: unknown): boolean =>
  cause._tag === "Die" && cause.defect === defect

/** The failure of a cause that has neither a defect nor an interruption in it. Effect 4: a search in `cause.reasons`. */
export const failureOf = <E>(cause: Cause.Cause<E>): Option.Option<E> =>
  Cause.isDie(cause) || Cause.isInterrupted(cause) ? Option.none() : Cause.failureOption(cause)

/**
 * An effect as a function that returns a promise, for plain code that comes upon it inside one of our primitives. It rejects with the
 * original error. Effect 4: `Effect.runPromise` does so by itself.
 */
export const runnable =
  <A, E>(effect: Effect.Effect<A, E>): (() => Promise<A>) =>
  async () => {
    const exit = await Effect.runPromiseExit(effect)
    if (exit._tag === "Success") return exit.value
    throw Cause.squash(exit.cause)
  }
