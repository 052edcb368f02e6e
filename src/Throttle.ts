/**
 * Throttle: while an effectful function is called again and again, a run now and then.
 *
 * asyncio has no counterpart. Other than the usual ones:
 *
 * - Every call gets the result of the run that covers it, or fails as that does, or with `ThrottleCancelled`. None waits for ever.
 *   A run that would wait for one of its own key, or for a flush, waits for itself, and is told so by a defect. (It may `trigger` the next.)
 * - Runs of one key never overlap. When a run takes longer than the interval, the next one waits for its end.
 * - The function runs in a fiber of its own. No caller's interruption ends it, and when all of its callers have gone it runs all the same.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { callable, record } from "./core/arguments.js"
import type { Pacer } from "./core/pacer.js"
import * as core from "./core/pacing.js"
import { ThrottleCancelled } from "./core/pacing.js"
import { milliseconds } from "./internal/duration.js"
import type { DurationInput } from "./internal/effect.js"
import { type Hooks, make as makePacer, makeUnsafe as makePacerUnsafe, Paced } from "./internal/pacing.js"
import type { Unhandled } from "./internal/report.js"
import * as service from "./internal/service.js"

export {
  /**
   * The call was cancelled before a run covered it, or came when the throttle was closed. Nothing has run for it.
   *
   * @since 0.1.0
   * @category errors
   */
  ThrottleCancelled
}

export type {
  /**
   * What is reported: which throttle, and why its run failed.
   *
   * @since 0.1.0
   * @category models
   */
  Unhandled
}

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: TypeId = core.ThrottleTypeId

/**
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = typeof core.ThrottleTypeId

/**
 * When there is a run: at the first call, at the end of an interval, or both.
 *
 * @since 0.1.0
 * @category models
 */
export type Edges = core.Edges

/**
 * How a throttle is made.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<in Args extends ReadonlyArray<any> = ReadonlyArray<any>, out R = never> {
  /** There is at most one run in this time, counted from its start. Finite, 0 or more. */
  readonly interval: DurationInput
  /**
   * `"leading"`: a run begins with a call, and covers those that come in the interval. `"trailing"`: the run begins an interval after the
   * first call. `"both"`: as leading, and those that come in the interval have a run when it is over. Default: `"both"`.
   */
  readonly edges?: Edges | undefined
  /** Which calls belong together: those with the same key (compared as by a `Map`). Each key is throttled by itself. Default: all calls. */
  readonly key?: ((...args: Args) => unknown) | undefined
  /**
   * What closing does with pending calls: `"flush"` runs them at once, `"cancel"` fails them with `ThrottleCancelled`. Either waits for
   * what runs. Default: `"flush"`.
   */
  readonly onClose?: core.OnClose | undefined
  /** For reports. */
  readonly name?: string | undefined
  /** Where the failures of runs go that nobody waits for, once each. Default: logs at error level. */
  readonly onError?: ((failure: Unhandled) => Effect.Effect<unknown, unknown, R>) | undefined
}

/**
 * A frozen snapshot.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats extends core.Stats {}

/**
 * A throttled function.
 *
 * **When to use**: to show progress, sync or reload at a steady pace while changes go on. To limit calls that must all be made, use a rate
 * limiter: a throttle leaves out all but the latest.
 *
 * **Details**: the latest arguments win. `call` waits for the run that covers the call; `trigger` does not wait. Time is counted on the
 * `Clock` of where the throttle is made, in milliseconds; so the function's services are also those from there. With `"leading"` a call
 * inside the interval is covered by the run with which it began: it gets that result, and its own arguments are not used. A run that is
 * due while the one before is in progress begins when that has ended, and takes the calls that come until then. A function that throws,
 * or a `key` that does, is a defect of the caller.
 *
 * **Interruption**: a caller that is interrupted goes at once; the run is made all the same, also when no caller is left. Nothing
 * interrupts a run: give the function a timeout if it needs one. What a run fails with when nobody waits is reported, once.
 *
 * **Fairness**: the callers of a run are told in order of their calls. Runs of different keys do not wait for each other.
 *
 * @example
 * import { Throttle } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const shown: Array<number> = []
 *   const show = yield* Throttle.make((done: number) => Effect.sync(() => shown.push(done)), { interval: "20 millis" })
 *   yield* Effect.all([show.call(1), show.call(2), show.call(3)], { concurrency: "unbounded" })
 *   return shown
 * })
 *
 * console.log(await Effect.runPromise(Effect.scoped(program))) // => [ 1, 3 ]
 *
 * @see Debounce for one run when calls have stopped
 * @since 0.1.0
 * @category models
 */
export interface Throttle<in Args extends ReadonlyArray<any>, out A, out E = never> {
  readonly [TypeId]: Pacer

  /** Calls the function, as soon as it is due; waits for the run that covers this call. */
  call(...args: Args): Effect.Effect<A, E | ThrottleCancelled>

  /** Calls the function, as soon as it is due, and does not wait. False: it is closed. */
  trigger(...args: Args): Effect.Effect<boolean>

  /**
   * Makes what is pending due now, and waits until that, and what was in progress, has ended. It does not fail: failures are those of
   * the callers.
   */
  readonly flush: Effect.Effect<void>

  /** As `flush`, of one key. */
  flushKey(key: unknown): Effect.Effect<void>

  /**
   * Fails the pending calls with `ThrottleCancelled`, and says how many. What is in progress goes on, and the interval after the last
   * run is kept.
   */
  readonly cancel: Effect.Effect<number>

  /** As `cancel`, of one key. */
  cancelKey(key: unknown): Effect.Effect<number>

  /** How many calls are covered by no run that has begun. */
  readonly pending: Effect.Effect<number>

  /** A frozen snapshot. */
  readonly stats: Effect.Effect<Stats>

  /** Takes no more calls, flushes or cancels as it was made to, and waits for what runs. The scope does so when it closes. */
  readonly close: Effect.Effect<void>
}

class ThrottleImpl<Args extends ReadonlyArray<any>, A, E>
  extends Paced<Args, A, E, ThrottleCancelled>
  implements Throttle<Args, A, E>
{
  readonly [TypeId]: Pacer

  constructor(pacer: Pacer) {
    super(pacer)
    this[TypeId] = pacer
  }
}

const coreOptions = ({ edges, interval, name, onClose }: Options<any, any>): core.Options => ({
  edges,
  name,
  onClose,
  wait: milliseconds("Throttle.make", "interval", interval)
})

/**
 * Makes a throttled function, without an effect around it: on the platform's clock, for a function that needs no services. Nobody closes
 * it but who calls `close`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeUnsafe = <Args extends ReadonlyArray<any>, A, E = never>(
  f: (...args: Args) => Effect.Effect<A, E>,
  options: Options<Args>
): Throttle<Args, A, E> =>
  new ThrottleImpl(makePacerUnsafe("Throttle", f, () => coreOptions(record("Throttle.make", options)), options))

/**
 * Makes a throttled function, which is closed with the scope. Its clock, and what the function and `onError` need, are those of where it
 * is made.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <Args extends ReadonlyArray<any>, A, E = never, R = never, R2 = never>(
  f: (...args: Args) => Effect.Effect<A, E, R>,
  options: Options<Args, R2>
): Effect.Effect<Throttle<Args, A, E>, never, R | R2 | Scope.Scope> =>
  makePacer<Args, R | R2, Throttle<Args, A, E>>(
    "Throttle",
    f,
    () => coreOptions(record("Throttle.make", options)),
    () => options as Hooks<Args, R | R2>,
    (pacer) => new ThrottleImpl(pacer)
  )

/**
 * Makes what is pending due now, and waits for what runs. See {@link Throttle}.
 *
 * @since 0.1.0
 * @category operations
 */
export const flush = (self: Throttle<any, unknown, unknown>): Effect.Effect<void> => self.flush

/**
 * Fails the pending calls, and says how many. See {@link Throttle}.
 *
 * @since 0.1.0
 * @category operations
 */
export const cancel = (self: Throttle<any, unknown, unknown>): Effect.Effect<number> => self.cancel

/**
 * How many calls are covered by no run that has begun. See {@link Throttle}.
 *
 * @since 0.1.0
 * @category operations
 */
export const pending = (self: Throttle<any, unknown, unknown>): Effect.Effect<number> => self.pending

/**
 * A frozen snapshot. See {@link Throttle}.
 *
 * @since 0.1.0
 * @category operations
 */
export const stats = (self: Throttle<any, unknown, unknown>): Effect.Effect<Stats> => self.stats

/**
 * Takes no more calls, flushes or cancels, and waits for what runs. See {@link Throttle}.
 *
 * @since 0.1.0
 * @category operations
 */
export const close = (self: Throttle<any, unknown, unknown>): Effect.Effect<void> => self.close

/**
 * How a service is made.
 *
 * @since 0.1.0
 * @category services
 */
export interface ServiceOptions<
  in out Args extends ReadonlyArray<any>,
  out A,
  out E = never,
  out R = never
> extends Options<Args, R> {
  /** The function. What it needs, the layer needs. */
  readonly run: (...args: Args) => Effect.Effect<A, E, R>
}

/**
 * A service class: a tag, its layer, and the operations of a `Throttle` on whichever is provided.
 *
 * @since 0.1.0
 * @category services
 */
export interface ServiceClass<
  Self,
  Id extends string,
  Args extends ReadonlyArray<any>,
  A,
  RunE = never,
  E = never,
  R = never
> extends service.ServiceClass<Self, Id, Throttle<Args, A, RunE>, E, R> {
  readonly call: (...args: Args) => Effect.Effect<A, RunE | ThrottleCancelled, Self>
  readonly trigger: (...args: Args) => Effect.Effect<boolean, never, Self>
  readonly flush: Effect.Effect<void, never, Self>
  readonly flushKey: (key: unknown) => Effect.Effect<void, never, Self>
  readonly cancel: Effect.Effect<number, never, Self>
  readonly cancelKey: (key: unknown) => Effect.Effect<number, never, Self>
  readonly pending: Effect.Effect<number, never, Self>
  readonly stats: Effect.Effect<Stats, never, Self>
}

/**
 * A throttled function as a service. Closing the layer closes it. The options may also be an effect that finds them out when the layer
 * is built.
 *
 * @example
 * import { Throttle } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * const saved: Array<string> = []
 *
 * class Save extends Throttle.Service<Save>()("app/Save", {
 *   run: (text: string) => Effect.sync(() => saved.push(text)),
 *   interval: "1 second"
 * }) {}
 *
 * const program = Effect.zipRight(Save.trigger("a"), Save.trigger("ab"))
 *
 * await Effect.runPromise(program.pipe(Effect.provide(Save.layer)))
 * console.log(saved) // => [ 'a', 'ab' ]
 *
 * @since 0.1.0
 * @category services
 */
export const Service =
  <Self>() =>
  <const Id extends string, Args extends ReadonlyArray<any>, A, RunE = never, RunR = never, E = never, R = never>(
    id: Id,
    options: service.Options<ServiceOptions<Args, A, RunE, RunR>, E, R>
  ): ServiceClass<Self, Id, Args, A, RunE, E, R | RunR> =>
    service.make(
      id,
      Effect.flatMap(service.options(options), (options) => {
        const { run, ...rest } = record("Throttle.Service", options)
        return make(callable("Throttle.Service", "run", run), rest)
      }),
      {
        properties: ["flush", "cancel", "pending", "stats"],
        methods: ["call", "trigger", "flushKey", "cancelKey"]
      }
    )
