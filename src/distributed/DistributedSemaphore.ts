/**
 * A semaphore for several machines: at most so many at a time, wherever they run.
 *
 * `asyncio` has none. It is `Semaphore` with what memory cannot lose and a network can: permits are held on a lease, which is renewed while the
 * work goes on, and which can be lost. So its operations can fail with `LeaseLost` and with `StoreError`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { record } from "../core/arguments.js"
import { LeaseLost } from "../core/lease.js"
import * as core from "../core/lessor.js"
import { StoreError } from "../core/storeError.js"
import * as lessor from "../internal/lessor.js"
import * as service from "../internal/service.js"
import * as leases from "./Lease.js"
import { LeaseStore, type LeaseStoreShape } from "./LeaseStore.js"

export {
  /**
   * The permits were lost while they were held: they were not renewed in time, or the store does not know them any more.
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
export const TypeId: TypeId = core.SemaphoreTypeId

/**
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = core.SemaphoreTypeId

/**
 * How permits are held.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends leases.Options {
  /** How many permits there are of each name: an integer, 1 or more. */
  readonly limit: number
}

/**
 * Permits that are held: with a fencing `token`, and with what tells of their loss.
 *
 * @since 0.1.0
 * @category models
 */
export interface Lease extends leases.Lease {}

/**
 * A frozen snapshot of this process.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats extends core.Stats {}

type Body<A, E, R> = (lease: Lease) => Effect.Effect<A, E, R>

/**
 * A number of permits by name, which all processes share that have the same store.
 *
 * **When to use**: to limit how many do something at once, in all processes together: connections to a server that allows ten, heavy jobs. Within
 * one process, use `Semaphore`. For how *often* something may be done, use a rate limiter.
 *
 * **Details**: as for `DistributedMutex`, which is one with a single permit. The permits of a holder that dies come back when its lease ends.
 *
 * `limit` is what this instance was made with. If another process was made with another limit, the one counts with which those ask who hold permits
 * now: it stays until nobody holds any. That is reported, once for each value. A request for more permits than the limit is a defect with a
 * `RangeError`: it could never be granted.
 *
 * To take permits costs one round trip, however many, and so does to give them back.
 *
 * **Interruption**: a waiter that is interrupted leaves at once, also while the store is being asked. What that grants then goes to the next
 * waiter, or back. Giving back is not interrupted; it takes a round trip, and at the most the store's timeout.
 *
 * **Fairness**: strict order of arrival within one instance: no request overtakes a larger one. Between processes there is no order: a request for
 * many permits can wait for long while others ask for few.
 *
 * @example
 * import { DistributedSemaphore, LeaseStore } from "effect-concurrency/distributed"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const connections = yield* DistributedSemaphore.make({ limit: 2 })
 *   let running = 0
 *   let peak = 0
 *   const job = Effect.gen(function* () {
 *     peak = Math.max(peak, ++running)
 *     yield* Effect.sleep("5 millis")
 *     running--
 *   }).pipe(connections.withPermit("database"))
 *   yield* Effect.all([job, job, job, job], { concurrency: "unbounded" })
 *   return peak
 * })
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(LeaseStore.layerMemory)))) // => 2
 *
 * @see `DistributedMutex` for one at a time.
 *
 * @since 0.1.0
 * @category models
 */
export interface DistributedSemaphore<out E = StoreError> {
  readonly [TypeId]: core.Lessor

  /** Runs an effect with one permit of a name. It is interrupted when that is lost. */
  readonly withPermit: {
    (name: string): <A, E1, R>(self: Effect.Effect<A, E1, R>) => Effect.Effect<A, E1 | E | LeaseLost, R>
    <A, E1, R>(name: string, body: (lease: Lease) => Effect.Effect<A, E1, R>): Effect.Effect<A, E1 | E | LeaseLost, R>
  }

  /** Runs an effect with several permits of a name, which are one lease. */
  readonly withPermits: {
    (
      name: string,
      permits: number
    ): <A, E1, R>(self: Effect.Effect<A, E1, R>) => Effect.Effect<A, E1 | E | LeaseLost, R>
    <A, E1, R>(
      name: string,
      permits: number,
      body: (lease: Lease) => Effect.Effect<A, E1, R>
    ): Effect.Effect<A, E1 | E | LeaseLost, R>
  }

  /** Runs an effect with permits of a name if they are free, and nobody waits for any here; otherwise gives `None`. */
  readonly withPermitsIfAvailable: {
    (
      name: string,
      permits: number
    ): <A, E1, R>(self: Effect.Effect<A, E1, R>) => Effect.Effect<Option.Option<A>, E1 | E | LeaseLost, R>
    <A, E1, R>(
      name: string,
      permits: number,
      body: (lease: Lease) => Effect.Effect<A, E1, R>
    ): Effect.Effect<Option.Option<A>, E1 | E | LeaseLost, R>
  }

  /**
   * Takes permits of a name, by default one, for the rest of the scope. Nothing is interrupted when they are lost: use `lease.guard`, or look at
   * `lease.check`. A loss that nobody was told of is reported when the scope closes.
   */
  readonly acquire: (name: string, permits?: number) => Effect.Effect<Lease, E, Scope.Scope>

  /** Takes permits of a name, by default one, for the rest of the scope if they are free, and nobody waits for any here. */
  readonly tryAcquire: (name: string, permits?: number) => Effect.Effect<Option.Option<Lease>, E, Scope.Scope>

  /** A frozen snapshot of this process. */
  readonly stats: Effect.Effect<Stats>
}

class DistributedSemaphoreImpl implements DistributedSemaphore<any> {
  readonly [TypeId]: core.Lessor
  readonly stats: DistributedSemaphore["stats"]

  constructor(self: core.Lessor) {
    this[TypeId] = self
    this.stats = Effect.sync(() => self.stats())
  }

  private hold(method: string, name: string, permits: number, body: Body<any, any, any> | undefined): any {
    const where = `DistributedSemaphore.${method}`
    return lessor.withBody(where, body, (body) =>
      lessor.hold(this[TypeId], { where, name, permits }, (held) => body(leases.fromHeld(held)))
    )
  }

  readonly withPermit = (name: string, body?: Body<any, any, any>): any => this.hold("withPermit", name, 1, body)

  readonly withPermits = (name: string, permits: number, body?: Body<any, any, any>): any =>
    this.hold("withPermits", name, permits, body)

  readonly withPermitsIfAvailable = (name: string, permits: number, body?: Body<any, any, any>): any => {
    const where = "DistributedSemaphore.withPermitsIfAvailable"
    return lessor.withBody(where, body, (body) =>
      lessor.holdIfAvailable(this[TypeId], { where, name, permits }, (held) => body(leases.fromHeld(held)))
    )
  }

  readonly acquire = (name: string, permits = 1): Effect.Effect<Lease, any, Scope.Scope> =>
    Effect.map(lessor.acquire(this[TypeId], { where: "DistributedSemaphore.acquire", name, permits }), leases.fromHeld)

  readonly tryAcquire = (name: string, permits = 1): Effect.Effect<Option.Option<Lease>, any, Scope.Scope> =>
    lessor.tryAcquire(this[TypeId], { where: "DistributedSemaphore.tryAcquire", name, permits }, leases.fromHeld)
}

/**
 * Makes permits by name over the {@link LeaseStore}, or over one that it is given, whose errors are then its own. Options that make no sense are a
 * defect.
 *
 * **Details**: those who wait in one instance stand in one line. Make one and share it: two instances compete, as two processes would.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: {
  (options: Options): Effect.Effect<DistributedSemaphore, never, LeaseStore>
  <E>(options: Options, store: LeaseStoreShape<E>): Effect.Effect<DistributedSemaphore<E>>
} = (options: Options, store?: LeaseStoreShape<unknown>): any => {
  const where = "DistributedSemaphore.make"
  const over = (store: LeaseStoreShape<unknown>) =>
    Effect.map(
      Effect.suspend(() => {
        const { limit } = record(where, options)
        const config = core.config(where, "semaphore", leases.coreOptions(where, limit, options))
        return lessor.make("DistributedSemaphore", store, config)
      }),
      (lessor) => new DistributedSemaphoreImpl(lessor)
    )
  return store === undefined ? Effect.flatMap(LeaseStore, over) : over(store)
}

/**
 * A service class: a tag, its layer, and the operations of a `DistributedSemaphore` on whichever is provided.
 *
 * @since 0.1.0
 * @category services
 */
export interface ServiceClass<Self, Id extends string, E = never, R = never> extends service.ServiceClass<
  Self,
  Id,
  DistributedSemaphore,
  E,
  R | LeaseStore
> {
  readonly withPermit: {
    (
      name: string
    ): <A, E1, R1>(self: Effect.Effect<A, E1, R1>) => Effect.Effect<A, E1 | StoreError | LeaseLost, R1 | Self>
    <A, E1, R1>(
      name: string,
      body: (lease: Lease) => Effect.Effect<A, E1, R1>
    ): Effect.Effect<A, E1 | StoreError | LeaseLost, R1 | Self>
  }
  readonly withPermits: {
    (
      name: string,
      permits: number
    ): <A, E1, R1>(self: Effect.Effect<A, E1, R1>) => Effect.Effect<A, E1 | StoreError | LeaseLost, R1 | Self>
    <A, E1, R1>(
      name: string,
      permits: number,
      body: (lease: Lease) => Effect.Effect<A, E1, R1>
    ): Effect.Effect<A, E1 | StoreError | LeaseLost, R1 | Self>
  }
  readonly withPermitsIfAvailable: {
    (
      name: string,
      permits: number
    ): <A, E1, R1>(
      self: Effect.Effect<A, E1, R1>
    ) => Effect.Effect<Option.Option<A>, E1 | StoreError | LeaseLost, R1 | Self>
    <A, E1, R1>(
      name: string,
      permits: number,
      body: (lease: Lease) => Effect.Effect<A, E1, R1>
    ): Effect.Effect<Option.Option<A>, E1 | StoreError | LeaseLost, R1 | Self>
  }
  readonly acquire: (name: string, permits?: number) => Effect.Effect<Lease, StoreError, Self | Scope.Scope>
  readonly tryAcquire: (
    name: string,
    permits?: number
  ) => Effect.Effect<Option.Option<Lease>, StoreError, Self | Scope.Scope>
  readonly stats: Effect.Effect<Stats, never, Self>
}

/**
 * Permits by name as a service. The layer needs a {@link LeaseStore}: that is what changes when the program outgrows one machine.
 *
 * @example
 * import { DistributedSemaphore, LeaseStore } from "effect-concurrency/distributed"
 * import { Effect, Layer } from "effect"
 *
 * class Connections extends DistributedSemaphore.Service<Connections>()("app/Connections", { limit: 10 }) {}
 *
 * const query = Effect.succeed("a row").pipe(Connections.withPermit("database"))
 * const layer = Layer.provide(Connections.layer, LeaseStore.layerMemory)
 *
 * console.log(await Effect.runPromise(query.pipe(Effect.provide(layer)))) // => a row
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
      {
        properties: ["stats"],
        methods: ["acquire", "tryAcquire"],
        others: {
          withPermit: lessor.withBodyOf("withPermit", 1),
          withPermits: lessor.withBodyOf("withPermits", 2),
          withPermitsIfAvailable: lessor.withBodyOf("withPermitsIfAvailable", 2)
        }
      }
    )

/**
 * Runs an effect with one permit of a name. See {@link DistributedSemaphore}.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withPermit: {
  <E>(
    semaphore: DistributedSemaphore<E>,
    name: string
  ): <A, E1, R>(self: Effect.Effect<A, E1, R>) => Effect.Effect<A, E1 | E | LeaseLost, R>
  <A, E1, R, E>(
    self: Effect.Effect<A, E1, R>,
    semaphore: DistributedSemaphore<E>,
    name: string
  ): Effect.Effect<A, E1 | E | LeaseLost, R>
} = dual(3, <A, E1, R, E>(self: Effect.Effect<A, E1, R>, semaphore: DistributedSemaphore<E>, name: string) =>
  semaphore.withPermit(name)(self)
)

/**
 * Runs an effect with several permits of a name. See {@link DistributedSemaphore}.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withPermits: {
  <E>(
    semaphore: DistributedSemaphore<E>,
    name: string,
    permits: number
  ): <A, E1, R>(self: Effect.Effect<A, E1, R>) => Effect.Effect<A, E1 | E | LeaseLost, R>
  <A, E1, R, E>(
    self: Effect.Effect<A, E1, R>,
    semaphore: DistributedSemaphore<E>,
    name: string,
    permits: number
  ): Effect.Effect<A, E1 | E | LeaseLost, R>
} = dual(
  4,
  <A, E1, R, E>(self: Effect.Effect<A, E1, R>, semaphore: DistributedSemaphore<E>, name: string, permits: number) =>
    semaphore.withPermits(name, permits)(self)
)

/**
 * Runs an effect with permits of a name if they are to be had at once. See {@link DistributedSemaphore}.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withPermitsIfAvailable: {
  <E>(
    semaphore: DistributedSemaphore<E>,
    name: string,
    permits: number
  ): <A, E1, R>(self: Effect.Effect<A, E1, R>) => Effect.Effect<Option.Option<A>, E1 | E | LeaseLost, R>
  <A, E1, R, E>(
    self: Effect.Effect<A, E1, R>,
    semaphore: DistributedSemaphore<E>,
    name: string,
    permits: number
  ): Effect.Effect<Option.Option<A>, E1 | E | LeaseLost, R>
} = dual(
  4,
  <A, E1, R, E>(self: Effect.Effect<A, E1, R>, semaphore: DistributedSemaphore<E>, name: string, permits: number) =>
    semaphore.withPermitsIfAvailable(name, permits)(self)
)

/**
 * Takes permits of a name, by default one, for the rest of the scope. See {@link DistributedSemaphore}.
 *
 * @since 0.1.0
 * @category operations
 */
export const acquire = <E>(
  self: DistributedSemaphore<E>,
  name: string,
  permits?: number
): Effect.Effect<Lease, E, Scope.Scope> => self.acquire(name, permits)

/**
 * Takes permits of a name, by default one, for the rest of the scope if they are to be had at once. See {@link DistributedSemaphore}.
 *
 * @since 0.1.0
 * @category operations
 */
export const tryAcquire = <E>(
  self: DistributedSemaphore<E>,
  name: string,
  permits?: number
): Effect.Effect<Option.Option<Lease>, E, Scope.Scope> => self.tryAcquire(name, permits)

/**
 * A frozen snapshot of this process. See {@link DistributedSemaphore}.
 *
 * @since 0.1.0
 * @category operations
 */
export const stats = <E>(self: DistributedSemaphore<E>): Effect.Effect<Stats> => self.stats
