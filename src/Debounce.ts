/**
 * Debounce: of many calls of an effectful function, one run, once they have stopped for a while.
 *
 * asyncio has no counterpart. Other than the usual ones:
 *
 * - Every call gets the result of the run that covers it, or fails as that does, or with `DebounceCancelled`. None waits for ever.
 *   A run that would wait for one of its own key, or for a flush, waits for itself, and is told so by a defect. (It may `trigger` the next.)
 * - Runs of one key never overlap. When a run takes longer than the calls stop for, the next one waits for its end.
 * - The function runs in a fiber of its own. No caller's interruption ends it, and when all of its callers have gone it runs all the same.
 * - A call moves no timer: it costs about as much as reading the clock.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { callable, record } from "./core/arguments.js"
import type { Pacer } from "./core/pacer.js"
import * as core from "./core/pacing.js"
import { DebounceCancelled } from "./core/pacing.js"
import { milliseconds } from "./internal/duration.js"
import type { DurationInput } from "./internal/effect.js"
import { type Hooks, make as makePacer, makeUnsafe as makePacerUnsafe, Paced } from "./internal/pacing.js"
import type { Unhandled } from "./internal/report.js"
import * as service from "./internal/service.js"

export {
  /**
   * The call was cancelled before a run covered it, or came when the debounce was closed. Nothing has run for it.
   *
   * @since 0.1.0
   * @category errors
   */
  DebounceCancelled
}

export type {
  /**
   * What is reported: which debounce, and why its run failed.
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
export const TypeId: TypeId = core.DebounceTypeId

/**
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = typeof core.DebounceTypeId

/**
 * When there is a run: at the first call after a pause, when calls have stopped, or both.
 *
 * @since 0.1.0
 * @category models
 */
export type Edges = core.Edges

/**
 * How a debounce is made.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<in Args extends ReadonlyArray<any> = ReadonlyArray<any>, out R = never> {
  /** For how long there has to be no call. Finite, 0 or more. */
  readonly wait: DurationInput
  /**
   * `"trailing"`: the run begins when there was no call for `wait`. `"leading"`: it begins with the first call, and covers those that
   * come before there was none for `wait`. `"both"`: as leading, and the later calls have a trailing run. Default: `"trailing"`.
   */
  readonly edges?: Edges | undefined
  /** For how long a trailing run is put off at most, seen from its first call. At least `wait`. Default: as long as there are calls. */
  readonly maxWait?: DurationInput | undefined
  /** Which calls belong together: those with the same key (compared as by a `Map`). Each key is debounced by itself. Default: all calls. */
  readonly key?: ((...args: Args) => unknown) | undefined
  /**
   * What closing does with pending calls: `"flush"` runs them at once, `"cancel"` fails them with `DebounceCancelled`. Either waits for
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
 * A debounced function.
 *
 * **When to use**: to save, search, reload or redraw once a burst of changes is over, rather than after each of them.
 *
 * **Details**: the latest arguments win. `call` waits for the run that covers the call; `trigger` does not wait. Time is counted on the
 * `Clock` of where the debounce is made, in milliseconds; so the function's services are also those from there. With `"leading"` a call
 * inside the window is covered by the run with which it began: it gets that result, and its own arguments are not used. A run that is
 * due while the one before is in progress begins when that has ended, and takes the calls that come until then; `wait` is counted from
 * the last of them. A function that throws, or a `key` that does, is a defect of the caller.
 *
 * **Interruption**: a caller that is interrupted goes at once; the run is made all the same, also when no caller is left. Nothing
 * interrupts a run: give the function a timeout if it needs one. What a run fails with when nobody waits is reported, once.
 *
 * **Fairness**: the callers of a run are told in order of their calls. Runs of different keys do not wait for each other.
 *
 * @example
 * import { Debounce } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const saved: Array<string> = []
 *   const save = yield* Debounce.make((text: string) => Effect.sync(() => saved.push(text)), { wait: "10 millis" })
 *   const counts = yield* Effect.all([save.call("a"), save.call("ab"), save.call("abc")], { concurrency: "unbounded" })
 *   return `${saved.join()}: ${counts.join()}`
 * })
 *
 * console.log(await Effect.runPromise(Effect.scoped(program))) // => abc: 1,1,1
 *
 * @see Throttle for a run now and then while calls go on
 * @since 0.1.0
 * @category models
 */
export interface Debounce<in Args extends ReadonlyArray<any>, out A, out E = never> {
  readonly [TypeId]: Pacer

  /** Calls the function, as soon as it is due; waits for the run that covers this call. */
  call(...args: Args): Effect.Effect<A, E | DebounceCancelled>

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
   * Fails the pending calls with `DebounceCancelled`, says how many, and forgets that there were any: the next is the first of a burst.
   * What is in progress goes on.
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

class DebounceImpl<Args extends ReadonlyArray<any>, A, E>
  extends Paced<Args, A, E, DebounceCancelled>
  implements Debounce<Args, A, E>
{
  readonly [TypeId]: Pacer

  constructor(pacer: Pacer) {
    super(pacer)
    this[TypeId] = pacer
  }
}

const coreOptions = ({ edges, maxWait, name, onClose, wait }: Options<any, any>): core.Options => ({
  edges,
  name,
  onClose,
  wait: milliseconds("Debounce.make", "wait", wait),
  maxWait: maxWait === undefined ? undefined : milliseconds("Debounce.make", "maxWait", maxWait)
})

/**
 * Makes a debounced function, without an effect around it: on the platform's clock, for a function that needs no services. Nobody closes
 * it but who calls `close`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeUnsafe = <Args extends ReadonlyArray<any>, A, E = never>(
  f: (...args: Args) => Effect.Effect<A, E>,
  options: Options<Args>
): Debounce<Args, A, E> =>
  new DebounceImpl(makePacerUnsafe("Debounce", f, () => coreOptions(record("Debounce.make", options)), options))

/**
 * Makes a debounced function, which is closed with the scope. Its clock, and what the function and `onError` need, are those of where it
 * is made.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <Args extends ReadonlyArray<any>, A, E = never, R = never, R2 = never>(
  f: (...args: Args) => Effect.Effect<A, E, R>,
  options: Options<Args, R2>
): Effect.Effect<Debounce<Args, A, E>, never, R | R2 | Scope.Scope> =>
  makePacer<Args, R | R2, Debounce<Args, A, E>>(
    "Debounce",
    f,
    () => coreOptions(record("Debounce.make", options)),
    () => options as Hooks<Args, R | R2>,
    (pacer) => new DebounceImpl(pacer)
  )

/**
 * Makes what is pending due now, and waits for what runs. See {@link Debounce}.
 *
 * @since 0.1.0
 * @category operations
 */
export const flush = (self: Debounce<any, unknown, unknown>): Effect.Effect<void> => self.flush

/**
 * Fails the pending calls, and says how many. See {@link Debounce}.
 *
 * @since 0.1.0
 * @category operations
 */
export const cancel = (self: Debounce<any, unknown, unknown>): Effect.Effect<number> => self.cancel

/**
 * How many calls are covered by no run that has begun. See {@link Debounce}.
 *
 * @since 0.1.0
 * @category operations
 */
export const pending = (self: Debounce<any, unknown, unknown>): Effect.Effect<number> => self.pending

/**
 * A frozen snapshot. See {@link Debounce}.
 *
 * @since 0.1.0
 * @category operations
 */
export const stats = (self: Debounce<any, unknown, unknown>): Effect.Effect<Stats> => self.stats

/**
 * Takes no more calls, flushes or cancels, and waits for what runs. See {@link Debounce}.
 *
 * @since 0.1.0
 * @category operations
 */
export const close = (self: Debounce<any, unknown, unknown>): Effect.Effect<void> => self.close

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
 * A service class: a tag, its layer, and the operations of a `Debounce` on whichever is provided.
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
> extends service.ServiceClass<Self, Id, Debounce<Args, A, RunE>, E, R> {
  readonly call: (...args: Args) => Effect.Effect<A, RunE | DebounceCancelled, Self>
  readonly trigger: (...args: Args) => Effect.Effect<boolean, never, Self>
  readonly flush: Effect.Effect<void, never, Self>
  readonly flushKey: (key: unknown) => Effect.Effect<void, never, Self>
  readonly cancel: Effect.Effect<number, never, Self>
  readonly cancelKey: (key: unknown) => Effect.Effect<number, never, Self>
  readonly pending: Effect.Effect<number, never, Self>
  readonly stats: Effect.Effect<Stats, never, Self>
}

/**
 * A debounced function as a service. Closing the layer closes it. The options may also be an effect that finds them out when the layer
 * is built.
 *
 * @example
 * import { Debounce } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * const saved: Array<string> = []
 *
 * class Save extends Debounce.Service<Save>()("app/Save", {
 *   run: (text: string) => Effect.sync(() => saved.push(text)),
 *   wait: "1 second"
 * }) {}
 *
 * const program = Effect.zipRight(Save.trigger("a"), Save.trigger("ab"))
 *
 * await Effect.runPromise(program.pipe(Effect.provide(Save.layer)))
 * console.log(saved) // => [ 'ab' ]
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
        const { run, ...rest } = record("Debounce.Service", options)
        return make(callable("Debounce.Service", "run", run), rest)
      }),
      {
        properties: ["flush", "cancel", "pending", "stats"],
        methods: ["call", "trigger", "flushKey", "cancelKey"]
      }
    )
