/**
 * Where the items of queues are kept: what `DistributedQueue` asks.
 *
 * It is a narrow interface, so that any server can stand behind it that decides in one step and has a clock. `effect-concurrency/redis` has
 * one on Redis; here is one in memory.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type {
  Change,
  Counts,
  DeadLetter,
  DeadRequest,
  ExchangeAnswer,
  ExchangeRequest,
  Given,
  NewItem,
  OfferRequest,
  Outcome,
  Settled,
  Settlement
} from "../core/deliveries.js"
import { MemoryDeliveries } from "../core/memoryDeliveries.js"
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
   * What has changed: something is ready, or will be sooner than was known; or nothing is left to be done. Undefined: perhaps both.
   *
   * @since 0.1.0
   * @category models
   */
  Change,
  /**
   * How many items a queue has, by what they are. A lease that has ended counts until somebody takes.
   *
   * @since 0.1.0
   * @category models
   */
  Counts,
  /**
   * An item that is not delivered any more.
   *
   * @since 0.1.0
   * @category models
   */
  DeadLetter,
  /**
   * Which dead letters: those of some ids, or all.
   *
   * @since 0.1.0
   * @category models
   */
  DeadRequest,
  /**
   * What came of an exchange, part by part.
   *
   * @since 0.1.0
   * @category models
   */
  ExchangeAnswer,
  /**
   * Several things at once: what is settled, which leases begin anew, and the names of the deliveries that are asked for.
   *
   * @since 0.1.0
   * @category models
   */
  ExchangeRequest,
  /**
   * An item that was delivered.
   *
   * @since 0.1.0
   * @category models
   */
  Given,
  /**
   * An item to be put in. `named`: its id was chosen by a caller.
   *
   * @since 0.1.0
   * @category models
   */
  NewItem,
  /**
   * Items to be put in.
   *
   * @since 0.1.0
   * @category models
   */
  OfferRequest,
  /**
   * What becomes of a delivered item.
   *
   * @since 0.1.0
   * @category models
   */
  Outcome,
  /**
   * What came of a settlement. `"lost"`: the store does not know the delivery, and has done nothing.
   *
   * @since 0.1.0
   * @category models
   */
  Settled,
  /**
   * What becomes of the item of a delivery.
   *
   * @since 0.1.0
   * @category models
   */
  Settlement
}

/**
 * What a store does. It keeps items, and to whom they are leased until when; who waits here for one, and in which order, is not its
 * business.
 *
 * **Details**: each operation is one step that nobody else comes between, and is done by the store's own clock. No request contains an
 * instant. An operation that was begun is not interrupted, for then nobody would know what it did. So each has to end by itself, and soon:
 * a store that cannot be reached fails, and does not wait until it can be.
 *
 * @see {@link layerMemory} for one in memory, which is what stands in for another in a test.
 * @since 0.1.0
 * @category models
 */
export interface DeliveryStoreShape<out E = StoreError> {
  /**
   * Puts items in, behind all others, in order. Says of each whether it is new: one whose id is that of an item that there is, be it a dead
   * letter, or of a `named` one that was done a short time ago (see `remember`), is not put in.
   */
  readonly offer: (request: OfferRequest) => Effect.Effect<ReadonlyArray<boolean>, E>
  /**
   * Does three things, in this order. It settles deliveries: one that is not known, since its lease has ended and somebody has taken
   * meanwhile, is `"lost"`. It lets leases begin anew, of those that are known. And it delivers, under the names that it is given, as many
   * items as are ready, the oldest first, after it has made ready again whatever had a lease or a delay that is over.
   *
   * An attempt that is rejected has failed, and so has one whose lease has ended; when as many have failed as `attempts`, the item is a
   * dead letter. What is returned, or comes back, has its old place: before all that was offered later. A token is larger than every one
   * that was given for the name before, also when the store has lost its data since.
   */
  readonly exchange: (request: ExchangeRequest) => Effect.Effect<ExchangeAnswer, E>
  /** How many items there are. */
  readonly counts: (name: string) => Effect.Effect<Counts, E>
  /** The dead letters, the oldest first, at most so many. */
  readonly deadLetters: (name: string, limit: number) => Effect.Effect<ReadonlyArray<DeadLetter>, E>
  /** Makes dead letters ready again, in their old places, with no failed attempts; says how many. */
  readonly requeue: (request: DeadRequest) => Effect.Effect<number, E>
  /** Forgets dead letters; says how many. */
  readonly purge: (request: DeadRequest) => Effect.Effect<number, E>
  /**
   * Watches a queue until the scope closes: the function is called when something is ready and nothing was before, when an item is delayed,
   * and when nothing is left to be done; also when one of that may have gone unnoticed. The effect ends when it is certain that nothing is
   * missed from now on. (If something is, all the same, it is noticed by a slow poll.)
   */
  readonly watch: (name: string, changed: (change: Change) => void) => Effect.Effect<void, E, Scope.Scope>
}

/**
 * Where the items of queues are kept.
 *
 * @since 0.1.0
 * @category services
 */
export class DeliveryStore extends tagClass<DeliveryStore, DeliveryStoreShape>("effect-concurrency/DeliveryStore") {}

/**
 * A store in memory, on the clock of where it is made: for one process.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeMemory: Effect.Effect<DeliveryStoreShape<never>> = Effect.map(timekeeper, (time) => {
  const deliveries = new MemoryDeliveries(time)
  return {
    offer: (request) => Effect.sync(() => deliveries.offer(request)),
    exchange: (request) => Effect.sync(() => deliveries.exchange(request)),
    counts: (name) => Effect.sync(() => deliveries.counts(name)),
    deadLetters: (name, limit) => Effect.sync(() => deliveries.deadLetters(name, limit)),
    requeue: (request) => Effect.sync(() => deliveries.requeue(request)),
    purge: (request) => Effect.sync(() => deliveries.purge(request)),
    watch: (name, changed) =>
      Effect.asVoid(
        Effect.acquireRelease(
          Effect.sync(() => deliveries.watch(name, changed)),
          (stop) => Effect.sync(stop)
        )
      )
  }
})

/**
 * A store that answers with promises. What it rejects with that is no `StoreError` is a defect.
 *
 * @since 0.1.0
 * @category models
 */
export interface PromiseStore {
  /** The signal aborts when the caller is interrupted: what was not sent by then need not be sent. */
  offer(request: OfferRequest, options?: { readonly signal: AbortSignal }): PromiseLike<ReadonlyArray<boolean>>
  exchange(request: ExchangeRequest): PromiseLike<ExchangeAnswer>
  counts(name: string): PromiseLike<Counts>
  deadLetters(name: string, limit: number): PromiseLike<ReadonlyArray<DeadLetter>>
  requeue(request: DeadRequest): PromiseLike<number>
  purge(request: DeadRequest): PromiseLike<number>
  /** Fulfils its promise once nothing is missed any more, with what ends it. */
  watch(name: string, changed: (change: Change) => void): PromiseLike<() => void>
}

/**
 * A store over one that answers with promises.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromPromises = (store: PromiseStore): DeliveryStoreShape => ({
  offer: (request) => fromPromise((signal) => store.offer(request, { signal })),
  exchange: (request) => fromPromise(() => store.exchange(request)),
  counts: (name) => fromPromise(() => store.counts(name)),
  deadLetters: (name, limit) => fromPromise(() => store.deadLetters(name, limit)),
  requeue: (request) => fromPromise(() => store.requeue(request)),
  purge: (request) => fromPromise(() => store.purge(request)),
  watch: (name, changed) =>
    Effect.asVoid(
      Effect.acquireRelease(
        fromPromise(() => store.watch(name, changed)),
        (stop) => Effect.sync(stop)
      )
    )
})

/**
 * A store in memory, on the clock of where the layer is built: for one process, and for tests. A program that outgrows its machine changes
 * this layer.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemory: Layer.Layer<DeliveryStore> = layerScoped(DeliveryStore, makeMemory)
