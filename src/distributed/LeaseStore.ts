/**
 * Where leases are kept: what `DistributedMutex` and `DistributedSemaphore` ask.
 *
 * It is a narrow interface, so that any server can stand behind it that decides in one step and has a clock. `effect-concurrency/redis` has one on
 * Redis; here is one in memory.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { AcquireRequest, Answer, Holder, Released, RenewRequest } from "../core/lessor.js"
import { MemoryLeases } from "../core/memoryLeases.js"
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
   * A request for permits: so many of a name, for a holder, for so many milliseconds.
   *
   * @since 0.1.0
   * @category models
   */
  AcquireRequest,
  /**
   * What became of a request. Granted: with a token, and with how many permits there are. Busy: for `retryAfter` milliseconds, rounded up, no lease
   * ends; whoever asks then may still be early, if it was renewed meanwhile.
   *
   * @since 0.1.0
   * @category models
   */
  Answer,
  /**
   * A holder of permits of a name.
   *
   * @since 0.1.0
   * @category models
   */
  Holder,
  /**
   * What became of permits that were given back.
   *
   * @since 0.1.0
   * @category models
   */
  Released,
  /**
   * A request to hold on, for so many milliseconds from now.
   *
   * @since 0.1.0
   * @category models
   */
  RenewRequest
}

/**
 * What a store does. It keeps who holds permits until when, and decides; who waits, and in which order, is not its business.
 *
 * **Details**: each operation is one step that nobody else comes between, and is done by the store's own clock. No request contains an instant.
 * An operation that was begun is not interrupted, for then nobody would know what it did. So each has to end by itself, and soon: a store that
 * cannot be reached fails, and does not wait until it can be.
 *
 * @see {@link layerMemory} for one in memory, which is what stands in for another in a test.
 * @since 0.1.0
 * @category models
 */
export interface LeaseStoreShape<out E = StoreError> {
  /**
   * Drops what is over, and grants the permits if so many are free; otherwise it takes nothing.
   *
   * Whoever asks again with the same holder, while that holds permits, is granted the same once more, with the same token, and the lease counts
   * from now: so a request whose answer was lost can be repeated. Otherwise the token is larger than every one that was granted for the name
   * before, also when the store has lost its data since. If nobody holds permits of the name, the limit of the request becomes the limit;
   * while somebody does, the limit stays as it is, and the answer says what it is.
   */
  readonly acquire: (request: AcquireRequest) => Effect.Effect<Answer, E>
  /** Lets the lease of a holder count from now. False: it holds nothing, or not any more. */
  readonly renew: (request: RenewRequest) => Effect.Effect<boolean, E>
  /** Frees what a holder holds, tells those who watch, and says whether it was held, and how many watchers there were. */
  readonly release: (request: Holder) => Effect.Effect<Released, E>
  /**
   * Watches a name until the scope closes: the function is called whenever permits of it are given back, also when that may have gone unnoticed.
   * The effect ends when it is certain that nothing is missed from now on. (If something is, all the same, it is noticed by a slow poll.)
   */
  readonly watch: (name: string, onFreed: () => void) => Effect.Effect<void, E, Scope.Scope>
}

/**
 * Where leases are kept.
 *
 * @since 0.1.0
 * @category services
 */
export class LeaseStore extends tagClass<LeaseStore, LeaseStoreShape>("effect-concurrency/LeaseStore") {}

/**
 * A store in memory, on the clock of where it is made: for one process.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeMemory: Effect.Effect<LeaseStoreShape<never>> = Effect.map(timekeeper, (time) => {
  const leases = new MemoryLeases(time)
  return {
    acquire: (request) => Effect.sync(() => leases.acquire(request)),
    renew: (request) => Effect.sync(() => leases.renew(request)),
    release: (request) => Effect.sync(() => leases.release(request)),
    watch: (name, onFreed) =>
      Effect.asVoid(
        Effect.acquireRelease(
          Effect.sync(() => leases.watch(name, onFreed)),
          (stop) => Effect.sync(stop)
        )
      )
  }
})

/** A store that answers with promises. */
interface Promises {
  acquire(request: AcquireRequest): PromiseLike<Answer>
  renew(request: RenewRequest): PromiseLike<boolean>
  release(request: Holder): PromiseLike<Released>
  watch(name: string, onFreed: () => void): PromiseLike<() => void>
}

/**  */
export const fromPromises = (store: Promises): LeaseStoreShape => ({
  acquire: (request) => fromPromise(() => store.acquire(request)),
  renew: (request) => fromPromise(() => store.renew(request)),
  release: (request) => fromPromise(() => store.release(request)),
  watch: (name, onFreed) =>
    Effect.asVoid(
      Effect.acquireRelease(
        fromPromise(() => store.watch(name, onFreed)),
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
export const layerMemory: Layer.Layer<LeaseStore> = layerScoped(LeaseStore, makeMemory)
