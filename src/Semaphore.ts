/**
 * A semaphore: at most so many at a time, first come, first served.
 *
 * It corresponds to `asyncio.BoundedSemaphore`, with weights, priorities, a size that can change, and it can stand wherever an
 * `Effect.Semaphore` is expected.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { integer } from "./core/arguments.js"
import * as core from "./core/semaphore.js"
import { wake } from "./core/ticket.js"
import * as permits from "./internal/permits.js"
import * as service from "./internal/service.js"

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
 * How a semaphore is made.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends core.Options {}

/**
 * How a request is made.
 *
 * @since 0.1.0
 * @category models
 */
export interface RequestOptions extends core.RequestOptions {}

/**
 * A frozen snapshot.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats extends core.Stats {}

/**
 * A number of permits that effects take and give back.
 *
 * **When to use**: to limit how many do something at once. For one at a time, `Mutex` says so; to limit how often, use a rate limiter.
 *
 * **Details**: a request for more permits than there are is a defect with a `RangeError`, since it could never be granted; so is
 * giving back more than is taken. Time per operation does not grow with the number of waiters.
 *
 * **Interruption**: a waiter that is interrupted leaves at once. One that was granted its permits in the same tick gives them back, and
 * they go to the next.
 *
 * **Fairness**: strict order of arrival within a priority. Nobody overtakes: neither a newcomer, nor a smaller request, nor `tryTake`.
 * The option `fairness: "throughput"` changes that.
 *
 * @example
 * import { Semaphore } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const semaphore = yield* Semaphore.make(2)
 *   let running = 0
 *   let peak = 0
 *   const task = Effect.sync(() => (peak = Math.max(peak, ++running))).pipe(
 *     Effect.zipRight(Effect.yieldNow()),
 *     Effect.zipRight(Effect.sync(() => running--))
 *   )
 *   yield* Effect.all(Array.from({ length: 10 }, () => semaphore.withPermit(task)), { concurrency: "unbounded" })
 *   return peak
 * })
 *
 * console.log(await Effect.runPromise(program)) // => 2
 *
 * @since 0.1.0
 * @category models
 */
export interface Semaphore {
  readonly [TypeId]: core.State

  /** Runs an effect with a number of permits, which come back however it ends. */
  withPermits(
    permits: number,
    options?: RequestOptions
  ): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

  /** Runs an effect with one permit. */
  readonly withPermit: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

  /** Runs an effect if the permits are to be had without waiting and without overtaking anybody; otherwise gives `None`. */
  withPermitsIfAvailable(
    permits: number,
    options?: RequestOptions
  ): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<Option.Option<A>, E, R>

  /**
   * Takes permits which the caller will give back with `release`, and returns their number. Prefer `withPermits` or `acquire`, which
   * cannot forget. Interrupted before the next step of the caller, it has taken nothing.
   */
  take(permits: number, options?: RequestOptions): Effect.Effect<number>

  /** Takes permits if they are to be had without waiting and without overtaking anybody; says whether it did. */
  tryTake(permits: number, options?: RequestOptions): Effect.Effect<boolean>

  /** Gives permits back and returns how many are free. A defect if more would come back than are taken. */
  release(permits: number): Effect.Effect<number>

  /** Takes all permits back from whoever holds them and returns how many are free. What those holders give back later does not count. */
  readonly releaseAll: Effect.Effect<number>

  /** Takes permits for the rest of the scope. */
  acquire(permits: number, options?: RequestOptions): Effect.Effect<void, never, Scope.Scope>

  /**
   * Changes how many permits there are. Nobody loses a permit: when there are fewer, nobody is granted any until enough came back. Those
   * who wait for more permits than there now are die with a `RangeError`; but `resize(0)` only closes, and they wait on.
   */
  resize(permits: number): Effect.Effect<void>

  /** A frozen snapshot. */
  readonly stats: Effect.Effect<Stats>
}

/** Its operations are closures, so that they can be passed around by themselves, as those of an `Effect.Semaphore` can. */
class SemaphoreImpl implements Semaphore {
  readonly [TypeId]: core.State
  readonly withPermits: Semaphore["withPermits"]
  readonly withPermit: Semaphore["withPermit"]
  readonly withPermitsIfAvailable: Semaphore["withPermitsIfAvailable"]
  readonly take: Semaphore["take"]
  readonly tryTake: Semaphore["tryTake"]
  readonly release: Semaphore["release"]
  readonly releaseAll: Semaphore["releaseAll"]
  readonly acquire: Semaphore["acquire"]
  readonly resize: Semaphore["resize"]
  readonly stats: Semaphore["stats"]

  constructor(state: core.State) {
    this[TypeId] = state
    this.withPermits = (count, options) => (self) => permits.hold("Semaphore.withPermits", state, count, options, self)
    this.withPermit = (self) => permits.hold("Semaphore.withPermit", state, 1, undefined, self)
    this.withPermitsIfAvailable = (count, options) => (self) =>
      permits.holdIfAvailable("Semaphore.withPermitsIfAvailable", state, count, options, self)
    this.take = (count, options) => permits.take("Semaphore.take", state, count, options)
    this.tryTake = (count, options) => permits.tryTake("Semaphore.tryTake", state, count, options)
    this.release = (count) =>
      Effect.sync(() => {
        integer("Semaphore.release", "permits", count, 0, state.taken)
        wake(core.release(state, count))
        return core.free(state)
      })
    this.releaseAll = Effect.sync(() => {
      wake(core.releaseAll(state))
      return core.free(state)
    })
    this.acquire = (count, options) => permits.acquire("Semaphore.acquire", state, count, options)
    this.resize = (count) =>
      Effect.sync(() => {
        integer("Semaphore.resize", "permits", count, 0)
        wake(core.resize(state, count))
      })
    this.stats = Effect.sync(() => core.stats(state))
  }
}

/**
 * Makes a semaphore with a number of permits, without an effect around it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeUnsafe = (options: number | Options): Semaphore => {
  return new SemaphoreImpl(core.fromOptions("Semaphore.make", options))
}

/**
 * Makes a semaphore with a number of permits. A number of permits that is not an integer of 0 or more is a defect with a `RangeError`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: number | Options): Effect.Effect<Semaphore> => Effect.sync(() => makeUnsafe(options))

/**
 * Runs an effect with a number of permits. See {@link Semaphore}.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withPermits: {
  (
    semaphore: Semaphore,
    permits: number,
    options?: RequestOptions
  ): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(
    self: Effect.Effect<A, E, R>,
    semaphore: Semaphore,
    permits: number,
    options?: RequestOptions
  ): Effect.Effect<A, E, R>
} = dual(
  (args) => Effect.isEffect(args[0]),
  <A, E, R>(self: Effect.Effect<A, E, R>, semaphore: Semaphore, permits: number, options?: RequestOptions) =>
    semaphore.withPermits(permits, options)(self)
)

/**
 * Runs an effect with one permit. See {@link Semaphore}.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withPermit: {
  (semaphore: Semaphore): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, semaphore: Semaphore): Effect.Effect<A, E, R>
} = dual(2, <A, E, R>(self: Effect.Effect<A, E, R>, semaphore: Semaphore) => semaphore.withPermit(self))

/**
 * Runs an effect if the permits are to be had at once. See {@link Semaphore}.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withPermitsIfAvailable: {
  (
    semaphore: Semaphore,
    permits: number,
    options?: RequestOptions
  ): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<Option.Option<A>, E, R>
  <A, E, R>(
    self: Effect.Effect<A, E, R>,
    semaphore: Semaphore,
    permits: number,
    options?: RequestOptions
  ): Effect.Effect<Option.Option<A>, E, R>
} = dual(
  (args) => Effect.isEffect(args[0]),
  <A, E, R>(self: Effect.Effect<A, E, R>, semaphore: Semaphore, permits: number, options?: RequestOptions) =>
    semaphore.withPermitsIfAvailable(permits, options)(self)
)

/**
 * Takes permits which the caller will give back. See {@link Semaphore}.
 *
 * @since 0.1.0
 * @category operations
 */
export const take = (self: Semaphore, permits: number, options?: RequestOptions): Effect.Effect<number> =>
  self.take(permits, options)

/**
 * Takes permits if they are to be had at once. See {@link Semaphore}.
 *
 * @since 0.1.0
 * @category operations
 */
export const tryTake = (self: Semaphore, permits: number, options?: RequestOptions): Effect.Effect<boolean> =>
  self.tryTake(permits, options)

/**
 * Gives permits back. See {@link Semaphore}.
 *
 * @since 0.1.0
 * @category operations
 */
export const release = (self: Semaphore, permits: number): Effect.Effect<number> => self.release(permits)

/**
 * Takes all permits back from whoever holds them. See {@link Semaphore}.
 *
 * @since 0.1.0
 * @category operations
 */
export const releaseAll = (self: Semaphore): Effect.Effect<number> => self.releaseAll

/**
 * Takes permits for the rest of the scope. See {@link Semaphore}.
 *
 * @since 0.1.0
 * @category operations
 */
export const acquire = (
  self: Semaphore,
  permits: number,
  options?: RequestOptions
): Effect.Effect<void, never, Scope.Scope> => self.acquire(permits, options)

/**
 * Changes how many permits there are. See {@link Semaphore}.
 *
 * @since 0.1.0
 * @category operations
 */
export const resize = (self: Semaphore, permits: number): Effect.Effect<void> => self.resize(permits)

/**
 * A frozen snapshot. See {@link Semaphore}.
 *
 * @since 0.1.0
 * @category operations
 */
export const stats = (self: Semaphore): Effect.Effect<Stats> => self.stats

/**
 * A service class: a tag, its layer, and the operations of a `Semaphore` on whichever semaphore is provided.
 *
 * @since 0.1.0
 * @category services
 */
export interface ServiceClass<Self, Id extends string, E = never, R = never> extends service.ServiceClass<
  Self,
  Id,
  Semaphore,
  E,
  R
> {
  readonly withPermits: (
    permits: number,
    options?: RequestOptions
  ) => <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R | Self>
  readonly withPermit: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R | Self>
  readonly withPermitsIfAvailable: (
    permits: number,
    options?: RequestOptions
  ) => <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<Option.Option<A>, E, R | Self>
  readonly take: (permits: number, options?: RequestOptions) => Effect.Effect<number, never, Self>
  readonly tryTake: (permits: number, options?: RequestOptions) => Effect.Effect<boolean, never, Self>
  readonly release: (permits: number) => Effect.Effect<number, never, Self>
  readonly releaseAll: Effect.Effect<number, never, Self>
  readonly acquire: (permits: number, options?: RequestOptions) => Effect.Effect<void, never, Self | Scope.Scope>
  readonly resize: (permits: number) => Effect.Effect<void, never, Self>
  readonly stats: Effect.Effect<Stats, never, Self>
}

/**
 * A semaphore as a service.
 *
 * **Details**: the options are checked when the layer is built. They may also be an effect that finds them out then, such as a `Config`.
 *
 * @example
 * import { Semaphore } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * class ApiSlots extends Semaphore.Service<ApiSlots>()("app/ApiSlots", { permits: 5 }) {}
 *
 * const program = Effect.succeed("a user").pipe(ApiSlots.withPermit)
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(ApiSlots.layer)))) // => a user
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
    service.make(id, Effect.flatMap(service.options(options), make), {
      properties: ["releaseAll", "stats"],
      methods: ["take", "tryTake", "release", "acquire", "resize"],
      wrappers: ["withPermits", "withPermitsIfAvailable"],
      wrapper: ["withPermit"]
    })
