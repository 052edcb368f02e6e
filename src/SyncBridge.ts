/**
 * Async code called from synchronous code: an effect that can end at once, in place; any other function in a worker, for which the calling
 * thread waits, blocked.
 *
 * It corresponds to `asyncio.run` and `Runner`, called from code that is not `async`, and to `run_coroutine_threadsafe(…).result()`. The
 * differences: JavaScript cannot turn the event loop of the thread that calls, so the function runs in a worker, and sees no variables of
 * ours; arguments and results are cloned. A worker is kept from call to call, as `Runner` keeps its loop, with what its modules hold and
 * what they left running: nothing is cancelled between two calls, and a time-out or the end of the bridge ends the worker's thread, without
 * finalizers. There is no first Ctrl-C: what is blocked hears no signals, and the default one ends the process. For a program's own
 * beginning and end, with signals, there is `NodeRuntime.runMain`; for work left over that is to be cancelled and reported, `Background`.
 *
 * **When not to use it**: where the caller could be `async` after all. In a server, a blocked thread is a server that answers nobody. And
 * what the function waits for must not come from the thread that waits: a message from it, a request to its own server, a lock that it
 * holds. Neither can go on, so give a `timeout` where that is possible. It is for what has to be synchronous: a hook of a linter or a
 * compiler, a `require`, a getter, a script.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import { record } from "./core/arguments.js"
import { JobTimeout, WorkerDied } from "./core/job.js"
import * as core from "./core/syncBridge.js"
import { AsyncWork, BridgeClosed } from "./core/syncBridge.js"
import { NotCloneable } from "./core/wire.js"
import * as workerModule from "./core/workerModule.js"
import { milliseconds } from "./internal/duration.js"
import { errorsOf, runInPlace, runLater, runner, runPlain, withoutInterruptions } from "./internal/effect.js"
import { report } from "./internal/report.js"
import * as service from "./internal/service.js"
import { Bridge } from "./worker/bridge.js"
import type { ResourceLimits } from "./worker/node.js"

export {
  /**
   * The effect cannot come to its end in the present step, and was interrupted.
   *
   * @since 0.1.0
   * @category errors
   */
  AsyncWork,
  /**
   * The bridge is closed.
   *
   * @since 0.1.0
   * @category errors
   */
  BridgeClosed,
  /**
   * The function ran longer than it may. Its worker was stopped.
   *
   * @since 0.1.0
   * @category errors
   */
  JobTimeout,
  /**
   * An argument or a result cannot be sent between threads.
   *
   * @since 0.1.0
   * @category errors
   */
  NotCloneable,
  /**
   * The worker has ended while it ran the function, or could not be started: it exited, or ran out of memory.
   *
   * @since 0.1.0
   * @category errors
   */
  WorkerDied
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
 * A module whose functions are run in a worker, and the classes of the errors that they fail with. See {@link module}.
 *
 * @since 0.1.0
 * @category models
 */
export type Module<M, E = never> = workerModule.Module<M, E>

const module_: <M, E = never>(url: workerModule.Location, options?: workerModule.Options<E>) => Module<M, E> = (
  url,
  options
): any => workerModule.make("SyncBridge.module", url, options)

export {
  /**
   * A handle of a module. Nothing of it is loaded here: the worker loads it, when it is started.
   *
   * **Details**: the first type is that of the module, `typeof import("./hashing.js")`; the second, what its functions fail with, of which
   * `errors` has the classes. What an effect fails with is known from its type; where its class is not among `errors`, what arrives is an
   * `Error` with the same name, message, `_tag` and properties.
   *
   * @since 0.1.0
   * @category constructors
   */
  module_ as module
}

/**
 * The names of the functions of a module, and what each takes, gives, and fails with.
 *
 * @since 0.1.0
 * @category models
 */
export type Name<Calls> = workerModule.NameOf<Calls>

/**
 * How a bridge is made.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** How long a function may run, unless a call says otherwise. Default: as long as it takes. */
  readonly timeout?: Duration.DurationInput | undefined
  /** How long a worker may take to start and to load the module. Default 30 seconds. */
  readonly startTimeout?: Duration.DurationInput | undefined
  /** How much memory the worker may use. Default: that of the platform. */
  readonly resourceLimits?: ResourceLimits | undefined
}

/**
 * How a function is run.
 *
 * @since 0.1.0
 * @category models
 */
export interface RunOptions {
  /**
   * How long the function may run. Starting the worker does not count. After that the worker is stopped, and the next call has another one.
   * With 0 nothing is run. Default: that of the bridge.
   */
  readonly timeout?: Duration.DurationInput | undefined
}

/**
 * A frozen snapshot.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats extends core.Stats {}

/**
 * What a call of a bridge can fail with, beside what the function fails with.
 *
 * @since 0.1.0
 * @category errors
 */
export type BridgeError = BridgeClosed | JobTimeout | NotCloneable | WorkerDied

/**
 * A worker for the functions of one module, and a thread that waits for it.
 *
 * **When to use**: where a function has to return its result, and only an `async` one has it. See the top of this module for when not to.
 *
 * **Details**: the arguments are an array, so that options behind them cannot be taken for one of them. The worker is started with the
 * first call, and used by all that follow; what its module holds stays from call to call. It does not keep the process alive. Errors are
 * the original ones. Arguments are cloned when the call is made, and the result when the function has ended, of any size: what either side
 * changes after that, the other does not see. A `SharedArrayBuffer` is shared. What the worker prints appears at once and in its order, also while
 * the calling thread is blocked; what takes it there, a `process.stdout.write` of your own, may call the bridge as well. The worker has a copy of
 * the environment variables, of when it was started, and no standard input.
 *
 * **Interruption**: nothing can interrupt a thread that is blocked; there is `timeout`. It, and `close`, end the worker as it stands:
 * finalizers in it do not run. A thread in native code, as in `execSync`, ends when that returns: nobody waits for it, but the end of the process.
 *
 * @example
 * import { SyncBridge } from "effect-concurrency"
 *
 * // As a rule `new URL("./numbers.js", import.meta.url)`, and `typeof import("./numbers.js")`.
 * const url = "data:text/javascript,export const twice = async (n) => 2 * n"
 * const numbers = SyncBridge.module<{ twice: (n: number) => Promise<number> }>(url)
 *
 * const bridge = SyncBridge.makeUnsafe(numbers)
 * console.log(bridge.run("twice", [21], { timeout: "5 seconds" })) // => 42
 *
 * @since 0.1.0
 * @category models
 */
export interface SyncBridge<in out Calls> {
  readonly [TypeId]: Bridge

  /**
   * Calls a function of the module in the worker, and blocks this thread until it has ended. Throws what it throws or fails with, or one of
   * `BridgeError`.
   */
  run<const N extends Name<Calls>>(
    name: N,
    args: workerModule.ArgsOf<Calls, N>,
    options?: RunOptions
  ): workerModule.SuccessOf<Calls, N>

  /** The same, and gives what comes of it. What is neither an error of the function's type nor a `BridgeError` is a defect. */
  runExit<const N extends Name<Calls>>(
    name: N,
    args: workerModule.ArgsOf<Calls, N>,
    options?: RunOptions
  ): Exit.Exit<workerModule.SuccessOf<Calls, N>, workerModule.FailureOf<Calls, N> | BridgeError>

  /** Starts the worker, if there is none, so that the first call need not wait for it. */
  readonly start: Effect.Effect<void>

  /**
   * Ends the worker, and waits until its thread is gone, or for five seconds: one in native code cannot be ended, and is reported. From here on
   * `run` fails with `BridgeClosed`.
   */
  readonly close: Effect.Effect<void>

  /** A frozen snapshot. */
  readonly stats: Effect.Effect<Stats>
}

class SyncBridgeImpl implements SyncBridge<any> {
  readonly [TypeId]: Bridge
  readonly start: Effect.Effect<void>
  readonly close: Effect.Effect<void>
  readonly stats: Effect.Effect<Stats>

  constructor(bridge: Bridge) {
    this[TypeId] = bridge
    this.start = Effect.sync(() => bridge.start("SyncBridge.start"))
    this.close = Effect.promise(() => bridge.close())
    this.stats = Effect.sync(() => core.stats(bridge.state))
  }

  // Functions rather than methods: they are handed on to what wants a callback.
  readonly run = (name: string, args: ReadonlyArray<unknown>, options?: RunOptions): any =>
    core.valueOf(this.ended("SyncBridge.run", name, args, options))

  readonly runExit = (name: string, args: ReadonlyArray<unknown>, options?: RunOptions): Exit.Exit<any, any> => {
    try {
      const ended = this.ended("SyncBridge.runExit", name, args, options)
      if (ended._tag === "value") return Exit.succeed(ended.value)
      return core.isFailure(this[TypeId].state, ended) ? Exit.fail(ended.error) : Exit.die(ended.error)
    } catch (misuse) {
      return Exit.die(misuse)
    }
  }

  private ended(where: string, name: string, args: ReadonlyArray<unknown>, options: RunOptions = {}): core.Ended {
    const { timeout } = record(where, options)
    return this[TypeId].call(
      where,
      name,
      args,
      timeout === undefined ? undefined : milliseconds(where, "timeout", timeout)
    )
  }
}

type Calls = { readonly [workerModule.TypeId]: workerModule.Source }

const construct = (
  where: string,
  module: Calls,
  options: Options,
  run: (effect: Effect.Effect<unknown>) => unknown
): SyncBridge<any> => {
  const { resourceLimits, startTimeout, timeout } = record(where, options)
  const state = core.make(where, workerModule.sourceOf(where, module), {
    timeout: timeout === undefined ? undefined : milliseconds(where, "timeout", timeout),
    startTimeout: startTimeout === undefined ? undefined : milliseconds(where, "startTimeout", startTimeout),
    resourceLimits
  })
  const told = (message: string, error: unknown) =>
    void run(
      report({
        where: "SyncBridge",
        name: state.source.href,
        message,
        cause: Cause.die(error)
      })
    )
  return new SyncBridgeImpl(new Bridge(state, told))
}

/**
 * Makes a bridge, without an effect around it. Nobody closes it but who calls `close`; it does not keep the process alive.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeUnsafe = <M extends Calls>(module: M, options: Options = {}): SyncBridge<M> =>
  construct("SyncBridge.make", module, options, runPlain)

/**
 * Makes a bridge to a module, which is closed with the scope. Options that make no sense are a defect with a `RangeError` or a `TypeError`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <M extends Calls>(
  module: M,
  options: Options = {}
): Effect.Effect<SyncBridge<M>, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.map(runner, (run) => construct("SyncBridge.make", module, options, run)),
    (bridge) => bridge.close
  )

/**
 * Runs an effect to its end in the present step. Gives its exit, or a failure with `AsyncWork` when it has to wait for something.
 *
 * **When to use**: from code that cannot wait, for effects that do not have to. For those that do, there is `SyncBridge.make`.
 *
 * **Details**: like `Effect.runSyncExit`, which leaves the fiber running when it cannot end. Yielding is no waiting. An effect that needs
 * services is given them before, as by `Effect.provide(effect, runtime)`.
 *
 * **Interruption**: an effect that has to wait is interrupted. Those of its finalizers that need not wait have run when this returns. One
 * that does, and an uninterruptible region, go on in the background to their ends; when that goes wrong it is reported.
 *
 * @example
 * import { SyncBridge } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * console.log(SyncBridge.runSyncExit(Effect.yieldNow())._tag) // => Success
 * console.log(SyncBridge.runSyncExit(Effect.sleep("1 second"))._tag) // => Failure
 *
 * @since 0.1.0
 * @category running
 */
export const runSyncExit = <A, E>(effect: Effect.Effect<A, E>): Exit.Exit<A, E | AsyncWork> =>
  runInPlace(effect, reportLate) ?? Exit.fail(new AsyncWork())

/** The effect was interrupted; nobody hears what went wrong after that. */
const reportLate = (exit: Exit.Exit<unknown, unknown>): void => {
  if (Exit.isSuccess(exit)) return
  const cause = withoutInterruptions(exit.cause)
  if (errorsOf(cause).length === 0) return
  runLater(
    report({
      where: "SyncBridge.runSync",
      name: undefined,
      message: "the effect had to wait, was interrupted, and then failed",
      cause
    })
  )
}

/**
 * Runs an effect to its end in the present step, and gives its result. Throws the original error; of several, an `AggregateError`; and
 * `AsyncWork` when it has to wait for something. See {@link runSyncExit} for what then becomes of it.
 *
 * @example
 * import { SyncBridge } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * const attempt = (effect: Effect.Effect<unknown, Error>) => {
 *   try {
 *     return SyncBridge.runSync(effect)
 *   } catch (error) {
 *     return (error as Error).name
 *   }
 * }
 *
 * console.log(attempt(Effect.succeed(42))) // => 42
 * console.log(attempt(Effect.fail(new RangeError("too much")))) // => RangeError
 * console.log(attempt(Effect.sleep("1 second"))) // => AsyncWork
 *
 * @since 0.1.0
 * @category running
 */
export const runSync = <A, E>(effect: Effect.Effect<A, E>): A => {
  const exit = runSyncExit(effect)
  if (Exit.isSuccess(exit)) return exit.value
  const errors = errorsOf(exit.cause)
  throw errors.length > 1
    ? new AggregateError(errors, `SyncBridge.runSync: ${errors.length} errors`)
    : Cause.squash(exit.cause)
}

/**
 * A service class: a tag, its layer, and the operations of a `SyncBridge` on whichever bridge is provided.
 *
 * @since 0.1.0
 * @category services
 */
export interface ServiceClass<Self, Id extends string, Calls, E = never, R = never> extends service.ServiceClass<
  Self,
  Id,
  SyncBridge<Calls>,
  E,
  R
> {
  /** The function that calls and blocks, to be handed on to what is synchronous. */
  readonly run: Effect.Effect<SyncBridge<Calls>["run"], never, Self>
  readonly runExit: Effect.Effect<SyncBridge<Calls>["runExit"], never, Self>
  readonly start: Effect.Effect<void, never, Self>
  readonly stats: Effect.Effect<Stats, never, Self>
}

/**
 * A bridge as a service. Its layer closes it.
 *
 * **Details**: the options are checked when the layer is built. They may also be an effect that finds them out then, such as a `Config`.
 *
 * @example
 * import { SyncBridge } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * const numbers = SyncBridge.module<{ twice: (n: number) => Promise<number> }>(
 *   "data:text/javascript,export const twice = async (n) => 2 * n"
 * )
 * class Numbers extends SyncBridge.Service<Numbers>()("app/Numbers", numbers) {}
 *
 * // `map` waits for nobody.
 * const program = Effect.map(Numbers.run, (run) => [1, 2, 3].map((n) => run("twice", [n])))
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(Numbers.layer)))) // => [ 2, 4, 6 ]
 *
 * @since 0.1.0
 * @category services
 */
export const Service =
  <Self>() =>
  <const Id extends string, M extends Calls, E = never, R = never>(
    id: Id,
    module: M,
    options: service.Options<Options, E, R> = {}
  ): ServiceClass<Self, Id, M, E, R> =>
    service.make(
      id,
      Effect.flatMap(service.options(options), (options) => make(module, options)),
      {
        properties: ["start", "stats"],
        others: {
          run: (tag) => Effect.map(tag, ({ run }) => run),
          runExit: (tag) => Effect.map(tag, ({ runExit }) => runExit)
        }
      }
    )
