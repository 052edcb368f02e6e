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
import { Limiter, Reservation as Reserved } from "./core/limiter.js"
import type * as rate from "./core/rate.js"
import * as core from "./core/rateLimiter.js"
import { RateLimited, StoreError } from "./core/rateLimiter.js"
import type { Outcome } from "./core/rateStore.js"
import * as storeCore from "./core/rateStore.js"
import type { StoreLimiter } from "./core/storeLimiter.js"
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
export interface Reservation<out E = never> {
  /**
   * In how many milliseconds, seen from the reservation, it comes. It comes sooner when somebody before it gives up; and later than this
   * only when several costs were mixed in a sliding window. Over a store it is a least time: others may take what it counts on.
   */
  readonly delay: number
  /** Waits until it has come. False: it was cancelled. Interrupting this wait does not cancel it. */
  readonly wait: Effect.Effect<boolean, E>
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

  /**
   * Takes a place in line now, for later: at once, with how long it will take. What is reserved is taken when its turn comes, whether
   * anybody waits for it or not; who does not need it any more cancels it.
   */
  reserve(key?: string, options?: RequestOptions): Effect.Effect<Reservation<E>, Full | E>

  /** Runs an effect when its turn has come. Units whose effect was interrupted before it began come back. */
  withLimit(
    key?: string,
    options?: RequestOptions
  ): <A, E1, R>(self: Effect.Effect<A, E1, R>) => Effect.Effect<A, E1 | Full | E, R>

  /** A frozen snapshot. */
  readonly stats: Effect.Effect<Stats>
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
 *   const limiter = yield* RateLimiter.make({ limit: 2, interval: "200 millis" })
 *   const began = yield* Clock.currentTimeMillis
 *   yield* Effect.forEach([1, 2, 3, 4], () => limiter.consume("example.org"), { concurrency: "unbounded" })
 *   const took = (yield* Clock.currentTimeMillis) - began
 *   const { allowed } = yield* limiter.tryConsume("example.org")
 *   return [took >= 199, allowed]
 * })
 *
 * console.log(await Effect.runPromise(program)) // => [ true, false ]
 *
 * @since 0.1.0
 * @category models
 */
export interface RateLimiter<out Full = never> extends Limits<Full> {
  readonly [TypeId]: Limiter
}

const what = "its turn at a rate limit"

/** A reservation's place in line: it tells those who wait for the reservation, or for what there is to know of it. */
class ReservationTicket<out Request, in out Result> extends FiberTicket<Request, Result> {
  readonly over: event.State
  private readonly known: event.State | undefined

  constructor(request: Request, place?: { readonly known: event.State; readonly over: event.State }) {
    super(request, 0, what)
    this.over = place?.over ?? event.make()
    this.known = place?.known
  }

  override wake(): void {
    wake(event.set(this.over))
    if (this.known !== undefined) wake(event.set(this.known))
  }
}

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
  const ticket = new ReservationTicket<core.Request, rate.Grant>(request)
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
export const reserve = <Full, E>(
  self: Limits<Full, E>,
  key?: string,
  options?: RequestOptions
): Effect.Effect<Reservation<E>, Full | E> => self.reserve(key, options)

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
export const stats = <Full, E>(self: Limits<Full, E>): Effect.Effect<Stats> => self.stats

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

const accessors: service.Accessors = {
  properties: ["stats"],
  methods: ["consume", "tryConsume", "reserve"],
  wrappers: ["withLimit"]
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
    service.make(id, Effect.flatMap(service.options(options), make), accessors)
}

// --------------------------------------------------------------------------------------------------------------------------- store

/**
 * What somebody wants of a store.
 *
 * @since 0.1.0
 * @category stores
 */
export interface StoreAsk extends rate.Ask {}

/**
 * What a store is asked: a key, the rate, whose interval is in milliseconds, perhaps with a fraction, and what is wanted. For a sliding
 * window, `burst` is the limit.
 *
 * @since 0.1.0
 * @category stores
 */
export interface StoreRequest extends storeCore.StoreRequest {}

/**
 * What a store decides about one who asked: see {@link StoreShape}.
 *
 * @since 0.1.0
 * @category stores
 */
export interface StoreDecision extends Decision {
  /** In how many milliseconds what was granted can be used: 0 when it can now, and when nothing was granted. */
  readonly delay: number
  /** Whatever the store needs to know its grant again. */
  readonly grant?: unknown
}

/**
 * What a store is given back: parts of grants, or all of them.
 *
 * @since 0.1.0
 * @category stores
 */
export interface StoreReturn extends storeCore.StoreReturn {}

/**
 * What a store does. It keeps what is used of the rates, and decides; who waits, and in which order, is the limiter's business.
 *
 * **Details**: a limiter has at most one question about a key in flight, and asks for as many of its callers at once as it can: for up to
 * 1,000. A caller who leaves does not interrupt a question, for then nobody would know what was taken; and those in line wait for its
 * answer. So both operations have to end by themselves, and soon: give them a timeout, which is the store's own business, and may interrupt
 * whatever it does. A store that cannot be reached should fail at once, rather than let each question find out again how long that takes.
 * What it does with one key that is asked with different rates is its own business, as long as no rate is exceeded.
 *
 * @since 0.1.0
 * @category stores
 */
export interface StoreShape<out E = StoreError> {
  /**
   * Decides about each of `asks` in turn, all in one step that nobody else comes between, and by its own clock. Each is granted all of its
   * `cost`, or nothing:
   *
   * - now, if it fits now: `delay` is 0;
   * - if it does not, and does not only try: for the time at which it will fit, if that is no more than `ahead` milliseconds from now.
   *   `delay` says how far it is. The units are taken from now on: whoever asks later comes after them;
   * - or it is refused, and nothing is taken. When it only tried (`tries`), those behind it are decided about all the same. Otherwise they
   *   would pass somebody who waits: the answer ends with this refusal.
   *
   * The answer has one decision for each of `asks`, or, if it ends early, for the first of them. A store that cannot grant anything for a
   * later time may refuse it; then each unit comes later by the time that an answer takes.
   *
   * A decision has no instants, only times from when it was made, in milliseconds and parts of them: `retryAfter`, 0 when it was allowed,
   * and otherwise when the same request would be granted for now, if meanwhile nobody took or gave back anything (rounded up, or it is
   * asked in vain); and `resetAfter`, when nothing will be used, and the key can be forgotten. `remaining` is how many units more could be
   * had now, right after it: to try with a cost of 0 is a way to look.
   */
  readonly consume: (request: StoreRequest) => Effect.Effect<ReadonlyArray<StoreDecision>, E>
  /**
   * Undoes what was granted, or parts of it: `cost` says how much of each grant. It may be called again for other parts, in all never for
   * more than was taken; also at the same time as other questions, and for units whose time has not come. A store that cannot give back, or
   * cannot any more, does nothing: then a little is lost, and never too much had.
   */
  readonly giveBack: (request: StoreReturn) => Effect.Effect<void, E>
}

/**
 * Where the rates of a limiter are kept that was made by {@link makeWithStore}: in another process, say, so that several share them.
 *
 * **When to use**: to have one limit for many processes. A limiter that is only for its own process needs none: see {@link make}.
 *
 * **Details**: two operations, of which the second may do nothing. `consume` decides in one step, so that a server can do it in one script.
 *
 * Names: a limiter over a store is a {@link WithStore}; {@link makeWithStore} makes one, and {@link ServiceWithStore} makes a service of
 * one. The types of a store itself begin with `Store`: `StoreShape` is what this tag stands for. In the facade all of them have
 * `RateLimiter` in front: `RateLimiterWithStore`, `RateLimiterStoreRequest`; and the shape, which has no tag there, is `RateLimiterStore`.
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
 * A limiter whose rates a store keeps: so several programs can share one limit. It does what {@link RateLimiter} does; every operation can
 * fail as the store can.
 *
 * **Details**: it keeps a line for each key, and asks the store for all who stand in it, in one question. When there is a line it asks
 * *ahead*, for units whose time has not come yet, and hands them out when it has, on the clock of where the limiter was made. So the time
 * that an answer takes does not lower the rate: as long as the line is not empty it gets all there is, also of a store that is 20 ms away.
 * How far it asks ahead follows from how long answers took of late: about four times that, at least 20 ms and at most 2 seconds, and
 * nothing while answers take no time. The units that it holds ahead are lost to others if the process dies.
 *
 * Granted units belong to the line: when somebody leaves it, those behind him move up, and what nobody needs goes back to the store. A cost
 * of 0 waits for those in front of it, and asks nothing.
 *
 * `backlog`: while the store is being asked nobody knows yet who has to wait. Until then, as many more are let in line as could all go at
 * once, a `burst`; when the first is refused, those who are too many are refused in turn, the latest. So a line is never longer than the
 * backlog and a burst. `retryAfter` counts those in front, and is a least time: others share the rate.
 *
 * `tryConsume` takes its place in line until it was asked for, and does not wait for more; when it is known that somebody waits it asks for
 * nothing. At most 1,000 can be in line to try for a key, or a `burst` if that is more; one more is refused without a question. `reserve`
 * ends when the store has said whether it comes at once or has to wait.
 *
 * A failure of the store reaches those who were asked for, and the next are asked for. Whoever waits for a reservation whose units could
 * not be had fails with it, also later. When nobody hears of a failure, because all have gone, or nobody waits for the reservation at that
 * time, and when giving back fails, it is reported. The store is asked with the context of where the limiter was made, not with a caller's.
 *
 * **Interruption**: a caller who is interrupted is gone at once, also while the store is being asked: nobody waits for an answer that he
 * does not need. The question is not interrupted; what it grants to nobody is given back, and so is what was granted to an effect that did
 * not begin, or to a `consume` whose caller did not go on.
 *
 * **Fairness**: strict order of arrival for each key in this process; nobody overtakes. Between processes the store decides: who asks
 * first.
 *
 * @since 0.1.0
 * @category stores
 */
export interface WithStore<out Full = never, out E = StoreError> extends Limits<Full, E> {
  readonly [TypeId]: StoreLimiter
}

class WithStoreImpl implements WithStore<RateLimited, unknown> {
  readonly [TypeId]: StoreLimiter
  readonly stats: RateLimiter["stats"]

  constructor(limiter: StoreLimiter) {
    this[TypeId] = limiter
    this.stats = Effect.sync(() => storeCore.stats(limiter.state))
  }

  readonly consume = (name = core.defaultKey, options?: RequestOptions) => stores.consume(this[TypeId], name, options)

  readonly tryConsume = (name = core.defaultKey, options?: RequestOptions) =>
    stores.tryConsume(this[TypeId], name, options)

  readonly withLimit =
    (name = core.defaultKey, options?: RequestOptions) =>
    <A, E, R>(self: Effect.Effect<A, E, R>) =>
      stores.withLimit(this[TypeId], name, options, self)

  readonly reserve = (name = core.defaultKey, options?: RequestOptions) => {
    const limiter = this[TypeId]
    return stores.reserve(
      limiter,
      name,
      options,
      (request) => new ReservationTicket<storeCore.Request, Outcome>(request, request.place),
      (ticket, delay): Reservation<unknown> => {
        const reserved = new Reserved(limiter, ticket, ticket.over, delay)
        return {
          delay,
          wait: stores.waitFor(ticket, () => reserved.isCancelled),
          cancel: Effect.sync(() => reserved.cancel())
        }
      }
    )
  }
}

/**
 * Makes a limiter whose rates are kept by the {@link Store}, or by one that it is given, whose errors are then its own.
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
 * @see {@link WithStore} for what it does.
 * @since 0.1.0
 * @category stores
 */
export const makeWithStore: {
  (options: Options & Bounded): Effect.Effect<WithStore<RateLimited>, never, Store>
  (options: Options): Effect.Effect<WithStore, never, Store>
  <E>(options: Options & Bounded, store: StoreShape<E>): Effect.Effect<WithStore<RateLimited, E>>
  <E>(options: Options, store: StoreShape<E>): Effect.Effect<WithStore<never, E>>
} = (options: Options, store?: StoreShape<unknown>): any => {
  const where = "RateLimiter.makeWithStore"
  const over = (store: StoreShape<unknown>) =>
    Effect.map(
      Effect.suspend(() => stores.make(store, storeCore.fromOptions(where, coreOptions(where, options)))),
      (limiter) => new WithStoreImpl(limiter)
    )
  return store === undefined ? Effect.flatMap(Store, over) : over(store)
}

/**
 * A service class as {@link ServiceClass}, whose operations can fail as the store can, and whose layer needs one.
 *
 * @since 0.1.0
 * @category stores
 */
export interface ServiceWithStoreClass<
  Self,
  Id extends string,
  Full = never,
  E = never,
  R = never
> extends service.ServiceClass<Self, Id, WithStore<Full>, E, R | Store> {
  readonly consume: (key?: string, options?: RequestOptions) => Effect.Effect<void, Full | StoreError, Self>
  readonly tryConsume: (key?: string, options?: RequestOptions) => Effect.Effect<Decision, StoreError, Self>
  readonly reserve: (
    key?: string,
    options?: RequestOptions
  ) => Effect.Effect<Reservation<StoreError>, Full | StoreError, Self>
  readonly withLimit: (
    key?: string,
    options?: RequestOptions
  ) => <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | Full | StoreError, R | Self>
  readonly stats: Effect.Effect<Stats, never, Self>
}

/**
 * A limiter over the {@link Store} as a service. The program says that its rate is kept elsewhere; the layers say where.
 *
 * @example
 * import { RateLimiter } from "effect-concurrency"
 * import { Effect, Layer } from "effect"
 *
 * class ApiLimit extends RateLimiter.ServiceWithStore<ApiLimit>()("app/SharedApiLimit", { limit: 600, interval: "1 minute" }) {}
 *
 * const program = Effect.succeed("a user").pipe(ApiLimit.withLimit("api.example.org"))
 * const layer = Layer.provide(ApiLimit.layer, RateLimiter.layerStoreMemory)
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(layer)))) // => a user
 *
 * @see {@link WithStore} for what it does, and {@link Service} for one that decides by itself.
 * @since 0.1.0
 * @category stores
 */
export const ServiceWithStore = <Self>(): {
  <const Id extends string, E = never, R = never>(
    id: Id,
    options: service.Options<Options & Bounded, E, R>
  ): ServiceWithStoreClass<Self, Id, RateLimited, E, R>
  <const Id extends string, E = never, R = never>(
    id: Id,
    options: service.Options<Options, E, R>
  ): ServiceWithStoreClass<Self, Id, never, E, R>
} => {
  return (id: string, options: service.Options<Options, any, any>): any =>
    service.make(
      id,
      Effect.flatMap(service.options(options), (options) => makeWithStore(options)),
      accessors
    )
}
