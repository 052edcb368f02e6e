/**
 * Where those are kept who wait for each other: what `DistributedBarrier` asks.
 *
 * It is a narrow interface, so that any server can stand behind it that decides in one step and has a clock. `effect-concurrency/redis` has one on
 * Redis; here is one in memory.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { MemoryParties } from "../core/memoryParties.js"
import type { ArriveRequest, PartyRequest, WithdrawRequest } from "../core/parties.js"
import type { Answer } from "../core/party.js"
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
   * What has become of a party. Waiting: not all have arrived; with the number of its generation. Passed: with its index. Broken: somebody who waited
   * with it is gone, or the barrier was broken otherwise. Unknown: the store does not know it. And how many parties there are.
   *
   * @since 0.1.0
   * @category models
   */
  Answer,
  /**
   * An arrival: how many parties there are is what counts if nobody waits yet.
   *
   * @since 0.1.0
   * @category models
   */
  ArriveRequest,
  /**
   * A party, and for how many milliseconds from now it is relied on.
   *
   * @since 0.1.0
   * @category models
   */
  PartyRequest,
  /**
   * A party that is gone, and whether that breaks the barrier.
   *
   * @since 0.1.0
   * @category models
   */
  WithdrawRequest
}

/**
 * What a store does. It keeps who waits until when, and decides; how they wait is not its business.
 *
 * **Details**: each operation is one step that nobody else comes between, and is done by the store's own clock. No request contains an instant. Each
 * operation has to end by itself, and soon: a store that cannot be reached fails, and does not wait until it can be.
 *
 * Before anything else, each operation finds whether the lease of somebody who waits has ended: then the barrier is broken. What has become of a
 * party is decided once, for all of its generation alike; the store remembers it for twice the lease of the party, for whoever has not
 * heard it.
 *
 * @see {@link layerMemory} for one in memory, which is what stands in for another in a test.
 * @since 0.1.0
 * @category models
 */
export interface PartyStoreShape<out E = StoreError> {
  /**
   * A party arrives, with the lowest index that nobody has who waits; if it is the last, all pass. Whoever has arrived before, with the same id, does
   * not arrive again: the answer says what has become of it. If the barrier is broken, nobody arrives.
   */
  readonly arrive: (request: ArriveRequest) => Effect.Effect<Answer, E>
  /** Says what has become of a party. If it waits, its lease counts from now. */
  readonly renew: (request: PartyRequest) => Effect.Effect<Answer, E>
  /**
   * A party that waits does not any more; with `breaks`, that breaks the barrier. One that is not there does not arrive later, should its arrival come
   * after this; with `breaks`, that arrival breaks the barrier, once. (It is not broken before: perhaps none comes, and nobody was kept waiting.)
   */
  readonly withdraw: (request: WithdrawRequest) => Effect.Effect<void, E>
  /** Breaks the generation of those who wait. The barrier itself is not broken any more. */
  readonly reset: (name: string) => Effect.Effect<void, E>
  /** Breaks the barrier. A store may forget that it is broken after a day. */
  readonly abort: (name: string) => Effect.Effect<void, E>
  readonly isBroken: (name: string) => Effect.Effect<boolean, E>
  /**
   * Watches a name until the scope closes: the function is called whenever something has become of those who waited, also when that may have gone
   * unnoticed. The effect ends when it is certain that nothing is missed from now on. (If something is, all the same, it is noticed by a slow
   * poll.)
   */
  readonly watch: (name: string, onChanged: () => void) => Effect.Effect<void, E, Scope.Scope>
}

/**
 * Where those are kept who wait for each other.
 *
 * @since 0.1.0
 * @category services
 */
export class PartyStore extends tagClass<PartyStore, PartyStoreShape>("effect-concurrency/PartyStore") {}

/**
 * A store in memory, on the clock of where it is made: for one process.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeMemory: Effect.Effect<PartyStoreShape<never>> = Effect.map(timekeeper, (time) => {
  const parties = new MemoryParties(time)
  return {
    arrive: (request) => Effect.sync(() => parties.arrive(request)),
    renew: (request) => Effect.sync(() => parties.renew(request)),
    withdraw: (request) => Effect.sync(() => parties.withdraw(request)),
    reset: (name) => Effect.sync(() => parties.reset(name)),
    abort: (name) => Effect.sync(() => parties.abort(name)),
    isBroken: (name) => Effect.sync(() => parties.isBroken(name)),
    watch: (name, onChanged) =>
      Effect.asVoid(
        Effect.acquireRelease(
          Effect.sync(() => parties.watch(name, onChanged)),
          (stop) => Effect.sync(stop)
        )
      )
  }
})

/** A store that answers with promises. */
interface Promises {
  arrive(request: ArriveRequest): PromiseLike<Answer>
  renew(request: PartyRequest): PromiseLike<Answer>
  withdraw(request: WithdrawRequest): PromiseLike<void>
  reset(name: string): PromiseLike<void>
  abort(name: string): PromiseLike<void>
  isBroken(name: string): PromiseLike<boolean>
  watch(name: string, onChanged: () => void): PromiseLike<() => void>
}

/** @internal */
export const fromPromises = (store: Promises): PartyStoreShape => ({
  arrive: (request) => fromPromise(() => store.arrive(request)),
  renew: (request) => fromPromise(() => store.renew(request)),
  withdraw: (request) => fromPromise(() => store.withdraw(request)),
  reset: (name) => fromPromise(() => store.reset(name)),
  abort: (name) => fromPromise(() => store.abort(name)),
  isBroken: (name) => fromPromise(() => store.isBroken(name)),
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
export const layerMemory: Layer.Layer<PartyStore> = layerScoped(PartyStore, makeMemory)
