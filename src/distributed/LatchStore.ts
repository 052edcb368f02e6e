/**
 * Where flags are kept: what `DistributedEvent` asks.
 *
 * It is a narrow interface, so that any server can stand behind it that decides in one step and has a clock. `effect-concurrency/redis` has one on
 * Redis; here is one in memory.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Look } from "../core/latch.js"
import type { SetRequest } from "../core/latches.js"
import { MemoryLatches } from "../core/memoryLatches.js"
import { StoreError } from "../core/storeError.js"
import { layerScoped, tagClass } from "../internal/effect.js"
import { fromPromise } from "../internal/store.js"
import { timekeeper } from "../internal/timer.js"

export {
  /**
   * The store could not do what it was asked: `reason` says why.
   *
   * @since 0.1.0
   * @category errors
   */
  StoreError
}

export type {
  /**
   * What a store says of a flag: whether it is set, and its count.
   *
   * @since 0.1.0
   * @category models
   */
  Look,
  /**
   * A flag that is to be set, for so many milliseconds perhaps.
   *
   * @since 0.1.0
   * @category models
   */
  SetRequest
}

/**
 * What a store does. It keeps flags, and counts how often each was set; who waits is not its business.
 *
 * **Details**: each operation is one step that nobody else comes between, and is done by the store's own clock. No request contains an instant. Each
 * operation has to end by itself, and soon: a store that cannot be reached fails, and does not wait until it can be.
 *
 * The count of a name is larger each time than it was at any time before. If the store has forgotten it (a flag that nobody has set for a day need
 * not be remembered), it is 0, and then again larger than ever.
 *
 * @see {@link layerMemory} for one in memory, which is what stands in for another in a test.
 * @since 0.1.0
 * @category models
 */
export interface LatchStoreShape<out E = StoreError> {
  /** Sets the flag, lets the count grow, and tells those who watch. With a time to live it is cleared by itself; a new one takes the place of the old. */
  readonly set: (request: SetRequest) => Effect.Effect<void, E>
  /** Clears the flag, and leaves the count as it is. */
  readonly clear: (name: string) => Effect.Effect<void, E>
  /** Lets the count grow, and tells those who watch. */
  readonly pulse: (name: string) => Effect.Effect<void, E>
  /** Changes nothing. */
  readonly look: (name: string) => Effect.Effect<Look, E>
  /**
   * Watches a name until the scope closes: the function is called whenever its count has grown, also when that may have gone unnoticed. The effect
   * ends when it is certain that nothing is missed from now on. (If something is, all the same, it is noticed by a slow poll.)
   */
  readonly watch: (name: string, onChanged: () => void) => Effect.Effect<void, E, Scope.Scope>
}

/**
 * Where flags are kept.
 *
 * @since 0.1.0
 * @category services
 */
export class LatchStore extends tagClass<LatchStore, LatchStoreShape>("effect-concurrency/LatchStore") {}

/**
 * A store in memory, on the clock of where it is made: for one process.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeMemory: Effect.Effect<LatchStoreShape<never>> = Effect.map(timekeeper, (time) => {
  const latches = new MemoryLatches(time)
  return {
    set: (request) => Effect.sync(() => latches.set(request)),
    clear: (name) => Effect.sync(() => latches.clear(name)),
    pulse: (name) => Effect.sync(() => latches.pulse(name)),
    look: (name) => Effect.sync(() => latches.look(name)),
    watch: (name, onChanged) =>
      Effect.asVoid(
        Effect.acquireRelease(
          Effect.sync(() => latches.watch(name, onChanged)),
          (stop) => Effect.sync(stop)
        )
      )
  }
})

/** A store that answers with promises. */
interface Promises {
  set(request: SetRequest): PromiseLike<void>
  clear(name: string): PromiseLike<void>
  pulse(name: string): PromiseLike<void>
  look(name: string): PromiseLike<Look>
  watch(name: string, onChanged: () => void): PromiseLike<() => void>
}

/** @internal */
export const fromPromises = (store: Promises): LatchStoreShape => ({
  set: (request) => fromPromise(() => store.set(request)),
  clear: (name) => fromPromise(() => store.clear(name)),
  pulse: (name) => fromPromise(() => store.pulse(name)),
  look: (name) => fromPromise(() => store.look(name)),
  watch: (name, onChanged) =>
    Effect.asVoid(
      Effect.acquireRelease(
        fromPromise(() => store.watch(name, onChanged)),
        (stop) => Effect.sync(stop)
      )
    )
})

/**
 * A store in memory, on the clock of where the layer is built: for one process, and for tests. A program that outgrows its machine changes this
 * layer.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemory: Layer.Layer<LatchStore> = layerScoped(LatchStore, makeMemory)
