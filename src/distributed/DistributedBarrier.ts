/**
 * A cyclic barrier for several machines: parties that wait for each other, wherever they run, again and again.
 *
 * `asyncio` has none. It is `Barrier`, with a name for each, and with what can happen to a party that is in another process: it dies, or cannot be
 * reached. So a party that waits is relied on for the length of a lease, which is renewed while it waits.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { BrokenBarrier } from "../core/errors.js"
import { LeaseLost } from "../core/lease.js"
import * as core from "../core/parties.js"
import { StoreError } from "../core/storeError.js"
import { milliseconds } from "../internal/duration.js"
import type { DurationInput } from "../internal/effect.js"
import * as parties from "../internal/parties.js"
import * as service from "../internal/service.js"
import { PartyStore, type PartyStoreShape } from "./PartyStore.js"

export {
  /**
   * The barrier was reset or aborted, or a party was lost, while this one waited; or it was broken already.
   *
   * @since 0.1.0
   * @category errors
   */
  BrokenBarrier,
  /**
   * The store could not be asked for longer than the lease of the party that waited, or does not know it any more. Whether the others have passed is
   * not known.
   *
   * @since 0.1.0
   * @category errors
   */
  LeaseLost,
  /**
   * The store could not be asked, or could not answer.
   *
   * @since 0.1.0
   * @category errors
   */
  StoreError
}

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: TypeId = core.TypeId

/**
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = core.TypeId

/**
 * How a barrier is made.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** How many have to arrive: an integer, 1 or more. */
  readonly parties: number
  /**
   * For how long a party is relied on that is not heard of: from 100 ms to a day, in whole milliseconds. It is heard of every third of that, or more
   * often, for as long as it waits. So this is no limit for the wait, but how long the others wait after a party has died. Default: 10 seconds.
   */
  readonly lease?: DurationInput | undefined
  /**
   * What an interrupted wait does to the others: `"withdraw"`, the default, has them wait for one more to arrive in its place;
   * `"break"` breaks the barrier, as soon as the store has heard of both the arrival and the end of the wait; without an arrival it breaks nothing.
   */
  readonly onInterrupt?: core.OnInterrupt | undefined
  /**
   * The longest time between two questions while somebody waits, should the store's message that all have arrived be lost: from 10 ms to a day. Each
   * time it is between three quarters and all of that, at random. Default: 1 second.
   */
  readonly poll?: DurationInput | undefined
  /** What the names of the instance are put under in the store. Default: `"barrier"`. */
  readonly prefix?: string | undefined
}

/**
 * A frozen snapshot of this process.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats extends core.Stats {}

/**
 * Places by name, at each of which a number of parties wait for each other, of all processes that share a store.
 *
 * **When to use**: when workers on several machines work in phases, and none may begin one before all have ended the last. Within one process, use
 * `Barrier`. To wait once, for others that do not wait for you, use `DistributedEvent`.
 *
 * **Details**: the last to arrive lets all pass. What becomes of a generation becomes of all of it: those who wait hear the same, also the one whose
 * message or answer was lost, for the store remembers it and is asked again.
 *
 * A barrier is broken by `abort`, by an interruption with `onInterrupt: "break"`, and by a party that is lost: whose process has died, was stopped,
 * or could not reach the store for the length of its lease. Nobody knows whether such a party will go on, so nobody passes without it. Then every
 * arrival fails with `BrokenBarrier`, until `reset`. (A barrier that was broken a day ago is as new.) Let one process reset it,
 * when the others are known to have heard; or give each attempt a name of its own.
 *
 * A party that itself cannot reach the store asks until its lease has ended, and once after that. Then it fails with `LeaseLost`, and not with
 * `BrokenBarrier`: the others may have passed. It fails with the same if the store has lost its data. An arrival that fails is put once more, at once;
 * it is the same arrival. If that fails, too, the wait fails with `StoreError`, and the party is withdrawn.
 *
 * How many parties there are is said by the first who waits; it stays so until nobody waits, and a process that was made with another number reports
 * that, once. To arrive costs one round trip. Whoever has to wait listens and asks
 * once more, and then asks when the store tells of a change, and every `poll` in any case. A name is a text of 1 to 1,000 characters.
 *
 * **Interruption**: a party that is interrupted leaves at once. Before all have arrived it withdraws or breaks the barrier, as chosen, in the background.
 * Once all have arrived the others pass without it.
 *
 * **Fairness**: an index says in which order the parties came to the store. They pass in no particular order.
 *
 * @example
 * import { DistributedBarrier, PartyStore } from "effect-concurrency/distributed"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const barrier = yield* DistributedBarrier.make({ parties: 2 })
 *   const party = Effect.map(barrier.wait("phase 1"), (index) => (index === 0 ? "first" : "second"))
 *   return yield* Effect.all([party, party], { concurrency: "unbounded" })
 * })
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(PartyStore.layerMemory)))) // => [ 'first', 'second' ]
 *
 * @since 0.1.0
 * @category models
 */
export interface DistributedBarrier<out E = StoreError> {
  readonly [TypeId]: core.Parties

  /** Arrives, waits for the others, and gives the arrival index: 0 for the first, and so on. */
  readonly wait: (name: string) => Effect.Effect<number, BrokenBarrier | LeaseLost | E>

  /** Fails all who wait with `BrokenBarrier`, and starts afresh; a broken barrier works again. */
  readonly reset: (name: string) => Effect.Effect<void, E>

  /** Fails all who wait with `BrokenBarrier`, and all who come, until `reset`. */
  readonly abort: (name: string) => Effect.Effect<void, E>

  /** Whether the barrier of a name is broken. */
  readonly isBroken: (name: string) => Effect.Effect<boolean, E>

  /** A frozen snapshot of this process. */
  readonly stats: Effect.Effect<Stats>
}

class DistributedBarrierImpl implements DistributedBarrier<any> {
  readonly [TypeId]: core.Parties
  readonly stats: DistributedBarrier["stats"]

  constructor(self: core.Parties) {
    this[TypeId] = self
    this.stats = Effect.sync(() => self.stats())
  }

  readonly wait = (name: string): Effect.Effect<number, any> =>
    parties.wait(this[TypeId], "DistributedBarrier.wait", name)

  readonly reset = (name: string): Effect.Effect<void, any> =>
    parties.ask<void>(this[TypeId], "DistributedBarrier.reset", name, (port, name, done, fail) =>
      port.reset(name, done, fail)
    )

  readonly abort = (name: string): Effect.Effect<void, any> =>
    parties.ask<void>(this[TypeId], "DistributedBarrier.abort", name, (port, name, done, fail) =>
      port.abort(name, done, fail)
    )

  readonly isBroken = (name: string): Effect.Effect<boolean, any> =>
    parties.ask<boolean>(this[TypeId], "DistributedBarrier.isBroken", name, (port, name, answer, fail) =>
      port.isBroken(name, answer, fail)
    )
}

/**
 * Makes barriers over the {@link PartyStore}, or over a store that it is given, whose errors are then its own. Options that make no sense are a defect.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: {
  (options: Options): Effect.Effect<DistributedBarrier, never, PartyStore>
  <E>(options: Options, store: PartyStoreShape<E>): Effect.Effect<DistributedBarrier<E>>
} = (options: Options, store?: PartyStoreShape<unknown>): any => {
  const where = "DistributedBarrier.make"
  const over = (store: PartyStoreShape<unknown>) =>
    Effect.map(
      Effect.suspend(() => parties.make("DistributedBarrier", store, core.config(where, coreOptions(where, options)))),
      (self) => new DistributedBarrierImpl(self)
    )
  return store === undefined ? Effect.flatMap(PartyStore, over) : over(store)
}

const coreOptions = (where: string, { lease, poll, ...rest }: Options): core.Options => ({
  ...rest,
  lease: lease === undefined ? undefined : milliseconds(where, "lease", lease),
  poll: poll === undefined ? undefined : milliseconds(where, "poll", poll)
})

/**
 * Arrives, waits for the others, and gives the arrival index. See {@link DistributedBarrier}.
 *
 * @since 0.1.0
 * @category operations
 */
export const wait = <E>(
  self: DistributedBarrier<E>,
  name: string
): Effect.Effect<number, BrokenBarrier | LeaseLost | E> => self.wait(name)

/**
 * Fails all who wait, and starts afresh. See {@link DistributedBarrier}.
 *
 * @since 0.1.0
 * @category operations
 */
export const reset = <E>(self: DistributedBarrier<E>, name: string): Effect.Effect<void, E> => self.reset(name)

/**
 * Fails all who wait, and all who come, until `reset`. See {@link DistributedBarrier}.
 *
 * @since 0.1.0
 * @category operations
 */
export const abort = <E>(self: DistributedBarrier<E>, name: string): Effect.Effect<void, E> => self.abort(name)

/**
 * Whether the barrier of a name is broken. See {@link DistributedBarrier}.
 *
 * @since 0.1.0
 * @category operations
 */
export const isBroken = <E>(self: DistributedBarrier<E>, name: string): Effect.Effect<boolean, E> => self.isBroken(name)

/**
 * A frozen snapshot of this process. See {@link DistributedBarrier}.
 *
 * @since 0.1.0
 * @category operations
 */
export const stats = <E>(self: DistributedBarrier<E>): Effect.Effect<Stats> => self.stats

/**
 * A service class: a tag, its layer, and the operations of a `DistributedBarrier` on whichever is provided.
 *
 * @since 0.1.0
 * @category services
 */
export interface ServiceClass<Self, Id extends string, E = never, R = never> extends service.ServiceClass<
  Self,
  Id,
  DistributedBarrier,
  E,
  R | PartyStore
> {
  readonly wait: (name: string) => Effect.Effect<number, BrokenBarrier | LeaseLost | StoreError, Self>
  readonly reset: (name: string) => Effect.Effect<void, StoreError, Self>
  readonly abort: (name: string) => Effect.Effect<void, StoreError, Self>
  readonly isBroken: (name: string) => Effect.Effect<boolean, StoreError, Self>
  readonly stats: Effect.Effect<Stats, never, Self>
}

/**
 * Barriers by name as a service. The layer needs a {@link PartyStore}: that is what changes when the program outgrows one machine.
 *
 * @example
 * import { DistributedBarrier, PartyStore } from "effect-concurrency/distributed"
 * import { Effect, Layer } from "effect"
 *
 * class Phases extends DistributedBarrier.Service<Phases>()("app/Phases", { parties: 2 }) {}
 *
 * const program = Effect.all([Phases.wait("load"), Phases.wait("load")], { concurrency: "unbounded" })
 * const layer = Layer.provide(Phases.layer, PartyStore.layerMemory)
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(layer)))) // => [ 0, 1 ]
 *
 * @since 0.1.0
 * @category services
 */
export const Service =
  <Self>() =>
  <const Id extends string, E = never, R = never>(
    id: Id,
    options: service.Options<Options, E, R>
  ): ServiceClass<Self, Id, E, R> =>
    service.make(
      id,
      Effect.flatMap(service.options(options), (options) => make(options)),
      { properties: ["stats"], methods: ["wait", "reset", "abort", "isBroken"] }
    )
