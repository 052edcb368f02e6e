/**
 * A rate limiter: at most so many in an interval, for each key, first come, first served.
 *
 * `asyncio` has none. Against Effect's own `RateLimiter` (which Effect 4 no longer has): exact at any rate, also above a thousand a second;
 * a line that costs the same however long it is; a cost that can never fit is refused rather than waited for; and what was granted to a
 * caller who is gone comes back.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import type * as Layer from "effect/Layer"
import { record } from "./core/arguments.js"
import * as event from "./core/event.js"
import { Limiter } from "./core/limiter.js"
import type * as rate from "./core/rate.js"
import * as core from "./core/rateLimiter.js"
import { RateLimited, StoreError } from "./core/rateLimiter.js"
import { wake } from "./core/ticket.js"
import type { Timekeeper } from "./core/timekeeper.js"
import { begun } from "./internal/begun.js"
import { milliseconds } from "./internal/duration.js"
import { layerScoped, tagClass } from "./internal/effect.js"
import { deliver, deliverNow, FiberTicket, park } from "./internal/park.js"
import * as stores from "./internal/rateStore.js"
import * as service from "./internal/service.js"
import { liveTimekeeper, timekeeper } from "./internal/timer.js"

export {
  /**
   * As many wait for the key as may. `retryAfter` is in milliseconds.
   *
   * @since 0.1.0
   * @category errors
   */
  RateLimited,
  /**
   * The store of a limiter could not decide.
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
 * How the rate is kept: see {@link Options}.
 *
 * @since 0.1.0
 * @category models
 */
export type Algorithm = rate.Algorithm

/**
 * How a limiter is made.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** How many units an interval: an integer, 1 or more. For a fraction, choose a longer interval: 5 in 2 seconds. */
  readonly limit: number
  /** The interval: finite, and longer than none. */
  readonly interval: Duration.DurationInput
  /**
   * With `"gcra"`: how many units there can be at once when nothing was used for a while: an integer, 1 or more. Default: the limit. With
   * 1, units are evenly spread, and no interval has more of them than the limit; but what a timer is late is not made up for, and timers
   * are late by a millisecond or so: above some hundred a second choose more.
   */
  readonly burst?: number | undefined
  /**
   * `"slidingWindow"`: at most `limit` units in any interval, whenever it begins; it remembers what was taken in the last interval.
   * `"gcra"`, also known as token bucket: units come back evenly, one by one, and up to `burst` of them can be taken at once; so in one
   * interval there can be `limit + burst`. It remembers two numbers a key. Default: `"gcra"` when a burst is given, and else
   * `"slidingWindow"`.
   */
  readonly algorithm?: Algorithm | undefined
  /** How many may wait for a key: an integer, 0 or more, or Infinity. One more is refused with `RateLimited`. Default: any number. */
  readonly backlog?: number | undefined
}

/**
 * How units are asked for: how many, by default one.
 *
 * @since 0.1.0
 * @category models
 */
export interface RequestOptions extends core.RequestOptions {}

/**
 * What was decided about a request, and how its key stands after it. Times are milliseconds from now.
 *
 * @since 0.1.0
 * @category models
 */
export interface Decision extends rate.Decision {}

/**
 * A frozen snapshot.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats extends core.Stats {}

/**
 * A place in the line of a key that was taken ahead of time.
 *
 * @since 0.1.0
 * @category models
 */
export interface Reservation {
  /**
   * In how many milliseconds, seen from the reservation, it comes. It comes sooner when somebody before it gives up; and later than this
   * only when several costs were mixed in a sliding window.
   */
  readonly delay: number
  /** Waits until it has come. False: it was cancelled. Interrupting this wait does not cancel it. */
  readonly wait: Effect.Effect<boolean>
  /** Gives up the place or, when it has come already, gives back what was not used. False: it was cancelled before. */
  readonly cancel: Effect.Effect<boolean>
}

/**
 * What every limiter does, whether it decides by itself or asks a store.
 *
 * @since 0.1.0
 * @category models
 */
export interface Limits<out Full = never, out E = never> {
  /** Never there: it says what a full line fails with. */
  readonly _Full?: () => Full

  /** Takes units, and waits for them if it has to. Interrupted before the next step of the caller, it has taken nothing. */
  consume(key?: string, options?: RequestOptions): Effect.Effect<void, Full | E>

  /** Takes units if they are to be had without waiting and without overtaking anybody, and says what was decided. */
  tryConsume(key?: string, options?: RequestOptions): Effect.Effect<Decision, E>

  /** Runs an effect when its turn has come. Units whose effect was interrupted before it began come back. */
  withLimit(
    key?: string,
    options?: RequestOptions
  ): <A, E1, R>(self: Effect.Effect<A, E1, R>) => Effect.Effect<A, E1 | Full | E, R>
}

/**
 * At most so many units in an interval, for each key.
 *
 * **When to use**: to keep to how often something may be done: requests to a server with a quota, mails to a person. The key is whom it
 * counts for: a host, a user. A limiter without keys uses one, `"default"`. To limit how many run at once, use a `Semaphore`.
 *
 * **Details**: the sliding window is exact: no interval, whenever it begins, has more than the limit. While there is a line, what is
 * granted follows the rate without drifting, also at fractions of a millisecond. Units count from when they are granted: an event loop that
 * is kept busy just then may begin the work later than that. A cost that can never fit is a defect with a `RangeError`.
 * `RateLimited` is in the types of a limiter with a `backlog` only. A key that is not used for an interval or so is forgotten, without a
 * timer of its own. All who wait share one timer, on the clock of where the limiter was made. Time per operation does not grow with the
 * number that wait.
 *
 * **Interruption**: a wait that is interrupted leaves the line at once, and those behind it move up. What was granted to it in the same
 * tick goes back, and to the next.
 *
 * **Fairness**: strict order of arrival for each key. Nobody overtakes: neither a newcomer, nor a smaller cost, nor `tryConsume`. Keys do
 * not wait for each other.
 *
 * @example
 * import { RateLimiter } from "effect-concurrency"
 * import { Clock, Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const limiter = yield* RateLimiter.make({ limit: 2, interval: "20 millis" })
 *   const began = yield* Clock.currentTimeMillis
 *   yield* Effect.forEach([1, 2, 3, 4], () => limiter.consume("example.org"), { concurrency: "unbounded" })
 *   const took = (yield* Clock.currentTimeMillis) - began
 *   const { allowed } = yield* limiter.tryConsume("example.org")
 *   return [took >= 19, allowed]
 * })
 *
 * console.log(await Effect.runPromise(program)) // => [ true, false ]
 *
 * @since 0.1.0
 * @category models
 */
export interface RateLimiter<out Full = never> extends Limits<Full> {
  readonly [TypeId]: Limiter

  /**
   * Takes a place in line now, for later: at once, with how long it will take. What is reserved is taken when its turn comes, whether
   * anybody waits for it or not; who does not need it any more cancels it.
   */
  reserve(key?: string, options?: RequestOptions): Effect.Effect<Reservation, Full>

  /** A frozen snapshot. */
  readonly stats: Effect.Effect<Stats>
}

/** A reservation's place in line: it tells those who wait for the reservation. */
class ReservationTicket extends FiberTicket<core.Request, rate.Grant> {
  readonly over = event.make()

  override wake(): void {
    wake(event.set(this.over))
  }
}

const what = "its turn at a rate limit"

class RateLimiterImpl implements RateLimiter<RateLimited> {
  readonly [TypeId]: Limiter
  readonly stats: RateLimiter["stats"]

  constructor(limiter: Limiter) {
    this[TypeId] = limiter
    this.stats = Effect.sync(() => core.stats(limiter.state))
  }

  // A key is looked up anew in every step: an idle one may be forgotten in between.

  readonly consume = (name = core.defaultKey, options?: RequestOptions): Effect.Effect<void, RateLimited> =>
    Effect.suspend(() => {
      const limiter = this[TypeId]
      const cost = core.checkRequest("RateLimiter.consume", limiter.state.rate, name, options)
      return deliver<core.Request, rate.Grant, void, RateLimited>({
        ready: () => limiter.available(limiter.key(name), cost),
        now: () => void limiter.tryTake(limiter.key(name), cost),
        failure: (result) => {
          const refused = result === undefined ? limiter.refusal(limiter.key(name), cost) : undefined
          return refused && Effect.fail(refused)
        },
        enqueue: () => enqueue(limiter, { key: limiter.key(name), cost }),
        cancel: (ticket) => limiter.cancel(ticket),
        collect: () => {}
      })
    })

  readonly tryConsume = (name = core.defaultKey, options?: RequestOptions): Effect.Effect<Decision> =>
    Effect.sync(() => {
      const limiter = this[TypeId]
      const cost = core.checkRequest("RateLimiter.tryConsume", limiter.state.rate, name, options)
      return limiter.decide(limiter.key(name), cost)
    })

  readonly withLimit =
    (name = core.defaultKey, options?: RequestOptions) =>
    <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | RateLimited, R> =>
      Effect.uninterruptibleMask((restore): Effect.Effect<A, E | RateLimited, R> => {
        const limiter = this[TypeId]
        const cost = core.checkRequest("RateLimiter.withLimit", limiter.state.rate, name, options)
        const key = limiter.key(name)
        const grant = limiter.tryTake(key, cost)
        if (grant !== undefined) {
          return begun(
            restore,
            self,
            Effect.sync(() => limiter.giveBack(key, grant))
          )
        }
        const refused = limiter.refusal(key, cost)
        if (refused !== undefined) return Effect.fail(refused)
        const ticket = enqueue(limiter, { key, cost })
        const cancel = () => limiter.cancel(ticket)
        return park(restore, ticket, cancel, () =>
          begun(
            restore,
            self,
            Effect.sync(() => wake(cancel()))
          )
        )
      })

  readonly reserve = (name = core.defaultKey, options?: RequestOptions): Effect.Effect<Reservation, RateLimited> =>
    Effect.suspend(() => {
      const limiter = this[TypeId]
      const cost = core.checkRequest("RateLimiter.reserve", limiter.state.rate, name, options)
      const refusal = () => {
        const key = limiter.key(name)
        return limiter.available(key, cost) ? undefined : limiter.refusal(key, cost)
      }
      return deliverNow<Reservation, RateLimited>(
        () => refusal() === undefined,
        () => place(limiter, { key: limiter.key(name), cost }),
        () => {
          const refused = refusal()
          return refused === undefined ? this.reserve(name, options) : Effect.fail(refused)
        }
      )
    })
}

const enqueue = (limiter: Limiter, request: core.Request): FiberTicket<core.Request, rate.Grant> => {
  const ticket = new FiberTicket<core.Request, rate.Grant>(request, 0, what)
  limiter.enqueue(ticket)
  return ticket
}

const place = (limiter: Limiter, request: core.Request): Reservation => {
  const ticket = new ReservationTicket(request, 0, what)
  const { over } = ticket
  const reserved = limiter.reserve(ticket, over)
  return {
    delay: reserved.delay,
    wait: Effect.uninterruptibleMask((restore) => {
      const outcome = () => Effect.sync(() => !reserved.isCancelled)
      if (over.isSet) return outcome()
      const waiting = new FiberTicket<undefined, undefined>(undefined, 0, what)
      event.enqueue(over, waiting)
      return park(restore, waiting, () => event.cancel(over, waiting), outcome)
    }),
    cancel: Effect.sync(() => reserved.cancel())
  }
}

const coreOptions = (where: string, options: Options): core.Options => {
  const { interval, ...rest } = record(where, options)
  return { ...rest, interval: milliseconds(where, "interval", interval) }
}

const made = (options: Options, time: () => Timekeeper): RateLimiter<RateLimited> =>
  new RateLimiterImpl(
    new Limiter(core.fromOptions("RateLimiter.make", coreOptions("RateLimiter.make", options)), time())
  )

type Bounded = { readonly backlog: number }

/**
 * Makes a limiter, without an effect around it, on the platform's clock.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeUnsafe: {
  (options: Options & Bounded): RateLimiter<RateLimited>
  (options: Options): RateLimiter
} = (options: Options): any => made(options, liveTimekeeper)

/**
 * Makes a limiter, on the clock of where it is made. Options that make no sense are a defect with a `RangeError` or a `TypeError`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: {
  (options: Options & Bounded): Effect.Effect<RateLimiter<RateLimited>>
  (options: Options): Effect.Effect<RateLimiter>
} = (options: Options): Effect.Effect<any> => Effect.map(timekeeper, (time) => made(options, () => time))

/**
 * Takes units, and waits for them if it has to. See {@link RateLimiter}.
 *
 * @since 0.1.0
 * @category operations
 */
export const consume = <Full, E>(
  self: Limits<Full, E>,
  key?: string,
  options?: RequestOptions
): Effect.Effect<void, Full | E> => self.consume(key, options)

/**
 * Takes units if they are to be had at once, and says what was decided. See {@link RateLimiter}.
 *
 * @since 0.1.0
 * @category operations
 */
export const tryConsume = <Full, E>(
  self: Limits<Full, E>,
  key?: string,
  options?: RequestOptions
): Effect.Effect<Decision, E> => self.tryConsume(key, options)

/**
 * Takes a place in line for later. See {@link RateLimiter}.
 *
 * @since 0.1.0
 * @category operations
 */
export const reserve = <Full>(
  self: RateLimiter<Full>,
  key?: string,
  options?: RequestOptions
): Effect.Effect<Reservation, Full> => self.reserve(key, options)

/**
 * Runs an effect when its turn has come. See {@link RateLimiter}.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withLimit: {
  <Full, E>(
    limiter: Limits<Full, E>,
    key?: string,
    options?: RequestOptions
  ): <A, E1, R>(self: Effect.Effect<A, E1, R>) => Effect.Effect<A, E1 | Full | E, R>
  <A, E1, R, Full, E>(
    self: Effect.Effect<A, E1, R>,
    limiter: Limits<Full, E>,
    key?: string,
    options?: RequestOptions
  ): Effect.Effect<A, E1 | Full | E, R>
} = dual(
  (args) => Effect.isEffect(args[0]),
  <A, E1, R, Full, E>(
    self: Effect.Effect<A, E1, R>,
    limiter: Limits<Full, E>,
    key?: string,
    options?: RequestOptions
  ) => limiter.withLimit(key, options)(self)
)

/**
 * A frozen snapshot. See {@link RateLimiter}.
 *
 * @since 0.1.0
 * @category operations
 */
export const stats = <Full>(self: RateLimiter<Full>): Effect.Effect<Stats> => self.stats

// ------------------------------------------------------------------------------------------------------------------------- service

/**
 * A service class: a tag, its layer, and the operations of a `RateLimiter` on whichever limiter is provided.
 *
 * @since 0.1.0
 * @category services
 */
export interface ServiceClass<Self, Id extends string, Full = never, E = never, R = never> extends service.ServiceClass<
  Self,
  Id,
  RateLimiter<Full>,
  E,
  R
> {
  readonly consume: (key?: string, options?: RequestOptions) => Effect.Effect<void, Full, Self>
  readonly tryConsume: (key?: string, options?: RequestOptions) => Effect.Effect<Decision, never, Self>
  readonly reserve: (key?: string, options?: RequestOptions) => Effect.Effect<Reservation, Full, Self>
  readonly withLimit: (
    key?: string,
    options?: RequestOptions
  ) => <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | Full, R | Self>
  readonly stats: Effect.Effect<Stats, never, Self>
}

/**
 * A limiter as a service.
 *
 * **Details**: the options are checked when the layer is built. They may also be an effect that finds them out then, such as a `Config`.
 *
 * @example
 * import { RateLimiter } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * class ApiLimit extends RateLimiter.Service<ApiLimit>()("app/ApiLimit", { limit: 600, interval: "1 minute" }) {}
 *
 * const program = Effect.succeed("a user").pipe(ApiLimit.withLimit("api.example.org"))
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(ApiLimit.layer)))) // => a user
 *
 * @since 0.1.0
 * @category services
 */
export const Service = <Self>(): {
  <const Id extends string, E = never, R = never>(
    id: Id,
    options: service.Options<Options & Bounded, E, R>
  ): ServiceClass<Self, Id, RateLimited, E, R>
  <const Id extends string, E = never, R = never>(
    id: Id,
    options: service.Options<Options, E, R>
  ): ServiceClass<Self, Id, never, E, R>
} => {
  return (id: string, options: service.Options<Options, any, any>): any =>
    service.make(id, Effect.flatMap(service.options(options), make), {
      properties: ["stats"],
      methods: ["consume", "tryConsume", "reserve"],
      wrappers: ["withLimit"]
    })
}

// --------------------------------------------------------------------------------------------------------------------------- store

/**
 * What a store is asked: a key, how much it wants, and the rate, whose interval is in milliseconds. For a sliding window, `burst` is the
 * limit.
 *
 * @since 0.1.0
 * @category stores
 */
export interface StoreRequest extends stores.StoreRequest {}

/**
 * What a store answers: the decision, and whatever it needs to give back what it granted.
 *
 * @since 0.1.0
 * @category stores
 */
export interface StoreDecision extends Decision {
  readonly grant?: unknown
}

/**
 * What a store does. It keeps the rates, each request being decided in one step; who waits is the limiter's business.
 *
 * @since 0.1.0
 * @category stores
 */
export interface StoreShape {
  /**
   * Takes what fits, and says so; takes nothing of what does not fit, and says when it will. It must end by itself: it is not interrupted.
   */
  readonly consume: (request: StoreRequest) => Effect.Effect<StoreDecision, StoreError>
  /**
   * Undoes what was granted to somebody who did not use it. A store that cannot, does nothing: then a little is lost, and never too much
   * had.
   */
  readonly giveBack: (request: StoreRequest, decision: StoreDecision) => Effect.Effect<void, StoreError>
}

/**
 * Where the rates of a limiter are kept that was made by {@link makeWithStore}: in another process, say, so that several share them.
 *
 * **When to use**: to have one limit for many processes. A limiter that is only for its own process needs none: see {@link make}.
 *
 * **Details**: two operations, of which the second may do nothing. `consume` decides in one step, so that a server can do it in one script.
 *
 * @see {@link layerStoreMemory} for one in memory, which is what stands in for another in a test.
 * @since 0.1.0
 * @category stores
 */
export class Store extends tagClass<Store, StoreShape>("effect-concurrency/RateLimiter/Store") {}

/**
 * A store in memory, on the clock of where the layer is built. A key is one for each rate that it is asked with.
 *
 * @since 0.1.0
 * @category stores
 */
export const layerStoreMemory: Layer.Layer<Store> = layerScoped(Store, Effect.map(timekeeper, stores.memory))

/**
 * Makes a limiter whose rates are kept by the {@link Store}.
 *
 * **Details**: it keeps a line for each key, whose first asks the store, sleeps for as long as that says, and asks again; so the store is
 * not asked for those who would wait anyway. What the store cannot do fails with `StoreError`.
 *
 * **Interruption**: a wait that is interrupted leaves the line at once, but a question that was put to the store is waited for. What was
 * granted to an effect that was interrupted before it began is given back; what was granted to a `consume` that was interrupted at its very
 * end is not.
 *
 * **Fairness**: strict order of arrival for each key in this process. Between processes the store decides.
 *
 * @example
 * import { RateLimiter } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const limiter = yield* RateLimiter.makeWithStore({ limit: 2, interval: "1 minute", backlog: 0 })
 *   yield* limiter.consume("ada")
 *   yield* limiter.consume("ada")
 *   return yield* Effect.flip(limiter.consume("ada"))
 * })
 *
 * const { _tag } = await Effect.runPromise(program.pipe(Effect.provide(RateLimiter.layerStoreMemory)))
 * console.log(_tag) // => RateLimited
 *
 * @since 0.1.0
 * @category stores
 */
export const makeWithStore: {
  (options: Options & Bounded): Effect.Effect<Limits<RateLimited, StoreError>, never, Store>
  (options: Options): Effect.Effect<Limits<never, StoreError>, never, Store>
} = (options: Options): Effect.Effect<any, never, Store> =>
  Effect.flatMap(Store, (store) =>
    Effect.map(timekeeper, (time) => {
      const where = "RateLimiter.makeWithStore"
      return new stores.StoreLimits(store, core.fromOptions(where, coreOptions(where, options)), time)
    })
  )
