/**
 * A bulkhead: at most so many at a time, and at most so many that wait; what is more than that is refused at once.
 *
 * `asyncio` has none: there it is a semaphore, and a counter beside it. Against those that there are elsewhere: a call that was accepted
 * is never refused later, when a newcomer happens to come at the moment in which a permit goes on; and who is interrupted while he waits
 * is gone at once, and his place is free.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import type { BulkheadFull } from "./core/bulkhead.js"
import * as core from "./core/bulkhead.js"
import * as semaphore from "./core/semaphore.js"
import { wake } from "./core/ticket.js"
import { around } from "./internal/parcel.js"
import { FiberTicket, holding, park } from "./internal/park.js"
import * as service from "./internal/service.js"

export {
  /**
   * As many run as may, and as many wait as may.
   *
   * @since 0.1.0
   * @category errors
   */
  BulkheadFull
} from "./core/bulkhead.js"

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
 * How a bulkhead is made.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends core.Options {}

/**
 * A frozen snapshot.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats extends core.Stats {}

/**
 * A number of permits, and a number of places for those who wait for one.
 *
 * **When to use**: around calls to something that slows down under load, so that they do not pile up: what is too much is refused at
 * once, while the caller can still do something else. Where everybody should wait, use a `Semaphore`.
 *
 * **Details**: when no permit is free, and as many wait as `backlog` says, `protect` fails with `BulkheadFull`. Who was accepted is never
 * refused later. Time per operation does not grow with the number that wait.
 *
 * **Interruption**: who is interrupted while he waits leaves at once, and somebody else may have his place. If he was granted his permit
 * in the same tick, it goes on.
 *
 * **Fairness**: strict order of arrival. No newcomer takes a permit while somebody waits.
 *
 * @example
 * import { Bulkhead } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const bulkhead = yield* Bulkhead.make({ permits: 1, backlog: 1, name: "mail" })
 *   const call = (n: number) =>
 *     Effect.as(Effect.yieldNow(), n).pipe(
 *       bulkhead.protect,
 *       Effect.catchTag("BulkheadFull", ({ message }) => Effect.succeed(message))
 *     )
 *   return yield* Effect.forEach([1, 2, 3], call, { concurrency: "unbounded" })
 * })
 *
 * console.log(await Effect.runPromise(program)) // => [ 1, 2, 'the bulkhead "mail" is full: 1 may run, and 1 wait' ]
 *
 * @since 0.1.0
 * @category models
 */
export interface Bulkhead {
  readonly [TypeId]: core.State

  /** Runs an effect with a permit, which comes back however it ends. Fails with `BulkheadFull` when there is no place. */
  protect<A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | BulkheadFull, R>

  /** A frozen snapshot. */
  readonly stats: Effect.Effect<Stats>
}

class BulkheadImpl implements Bulkhead {
  readonly [TypeId]: core.State
  readonly stats: Bulkhead["stats"]

  constructor(state: core.State) {
    this[TypeId] = state
    this.stats = Effect.sync(() => core.stats(state))
  }

  /** Whether there is room, and taking it, are one step; so this is not a semaphore's operation with a question before it. */
  readonly protect = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | BulkheadFull, R> =>
    around(self, (self) => this.run(self))

  private readonly run = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | BulkheadFull, R> =>
    Effect.uninterruptibleMask((restore): Effect.Effect<A, E | BulkheadFull, R> => {
      const state = this[TypeId]
      const refused = core.refuse(state)
      if (refused) return Effect.fail(refused)
      const of = state.semaphore
      const held = () => holding(restore(self), () => wake(semaphore.release(of, 1)))
      if (semaphore.tryTake(of, 1, 0)) return held()
      const ticket = new FiberTicket<number, semaphore.Grant>(1, 0, "a permit of a bulkhead")
      semaphore.enqueue(of, ticket)
      return park(restore, ticket, () => semaphore.cancel(of, ticket), held)
    })
}

/**
 * Makes a bulkhead, without an effect around it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeUnsafe = (options: Options): Bulkhead => new BulkheadImpl(core.make("Bulkhead.make", options))

/**
 * Makes a bulkhead. Options that make no sense are a defect with a `RangeError` or a `TypeError`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): Effect.Effect<Bulkhead> => Effect.sync(() => makeUnsafe(options))

/**
 * Runs an effect with a permit. See {@link Bulkhead}.
 *
 * @since 0.1.0
 * @category combinators
 */
export const protect: {
  (bulkhead: Bulkhead): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | BulkheadFull, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, bulkhead: Bulkhead): Effect.Effect<A, E | BulkheadFull, R>
} = dual(2, <A, E, R>(self: Effect.Effect<A, E, R>, bulkhead: Bulkhead) => bulkhead.protect(self))

/**
 * A frozen snapshot. See {@link Bulkhead}.
 *
 * @since 0.1.0
 * @category operations
 */
export const stats = (self: Bulkhead): Effect.Effect<Stats> => self.stats

/**
 * A service class: a tag, its layer, and the operations of a `Bulkhead` on whichever bulkhead is provided.
 *
 * @since 0.1.0
 * @category services
 */
export interface ServiceClass<Self, Id extends string, E = never, R = never> extends service.ServiceClass<
  Self,
  Id,
  Bulkhead,
  E,
  R
> {
  readonly protect: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | BulkheadFull, R | Self>
  readonly stats: Effect.Effect<Stats, never, Self>
}

/**
 * A bulkhead as a service.
 *
 * **Details**: the options are checked when the layer is built. They may also be an effect that finds them out then, such as a `Config`.
 *
 * @example
 * import { Bulkhead } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * class Reports extends Bulkhead.Service<Reports>()("app/Reports", { permits: 2, backlog: 10 }) {}
 *
 * const program = Effect.succeed("a report").pipe(Reports.protect)
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(Reports.layer)))) // => a report
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
    service.make(id, Effect.flatMap(service.options(options), make), { properties: ["stats"], wrapper: ["protect"] })
