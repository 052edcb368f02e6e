/**
 * `async` functions called from synchronous code: they run in a worker, for which the calling thread waits, blocked. See the Effect
 * module for how it differs from asyncio.
 *
 * **When not to use it**: where the caller could be `async` after all. In a server, a blocked thread is a server that answers nobody. And
 * what the function waits for must not come from the thread that waits: a message from it, a request to its own server, a lock that it
 * holds. Neither can go on, so give a `timeout` where that is possible. It is for what has to be synchronous: a hook of a linter or a
 * compiler, a `require`, a getter, a script.
 *
 * @since 0.1.0
 */
import { record } from "../core/arguments.js"
import * as core from "../core/syncBridge.js"
import * as workerModule from "../core/workerModule.js"
import type * as Effects from "../SyncBridge.js"
import { Bridge } from "../worker/bridge.js"
import type { ResourceLimits } from "../worker/node.js"
import { report } from "./report.js"
import { view } from "./view.js"

export {
  /**
   * The bridge is closed.
   *
   * @since 0.1.0
   */
  BridgeClosed
} from "../core/syncBridge.js"

/**
 * How a bridge is made.
 *
 * @since 0.1.0
 */
export interface SyncBridgeOptions {
  /** How many milliseconds a function may run, unless a call says otherwise. Default: as long as it takes. */
  readonly timeout?: number | undefined
  /** How many milliseconds a worker may take to start and to load the module. Default 30,000. */
  readonly startTimeout?: number | undefined
  /** How much memory the worker may use. Default: that of the platform. */
  readonly resourceLimits?: ResourceLimits | undefined
}

/**
 * How a function is run.
 *
 * @since 0.1.0
 */
export interface SyncBridgeRunOptions {
  /**
   * How many milliseconds the function may run. Starting the worker does not count. After that the worker is stopped, and the next call has
   * another one. With 0 nothing is run. Default: that of the bridge.
   */
  readonly timeout?: number | undefined
}

type Calls = { readonly [workerModule.TypeId]: workerModule.Source }

/**
 * A worker for the functions of one module, and a thread that waits for it.
 *
 * **When to use**: where a function has to return its result, and only an `async` one has it. See above for when not to.
 *
 * **Details**: the arguments are an array, so that options behind them cannot be taken for one of them. The worker is started with the
 * first call, and used by all that follow; what its module holds stays from call to call. It does not keep the process alive. Errors are
 * the original ones: those of the language, and those whose classes the module's handle has. `run` also throws `JobTimeout`, `WorkerDied`
 * when the worker has exited or has no memory left, `NotCloneable`, and `BridgeClosed`. Arguments are cloned when the call is made, and the
 * result when the function has ended, of any size: what either side changes after that, the other does not see. A `SharedArrayBuffer` is shared.
 * What the worker prints appears at once and in its order, also while the calling thread is blocked, and nobody waits for that; what takes it
 * there, a `process.stdout.write` of your own, may call the bridge as well. The worker has a copy of the environment variables, of when it was
 * started, and no standard input.
 *
 * **Interruption**: nothing can interrupt a thread that is blocked; there is `timeout`. It, and `close`, end the worker as it stands: no
 * `finally` in it is run. A thread in native code, as in `execSync`, ends when that returns: nobody waits for it, but the end of the process.
 *
 * @example
 * import { SyncBridge } from "effect-concurrency/promise"
 *
 * // As a rule `new URL("./numbers.js", import.meta.url)`, and `typeof import("./numbers.js")`.
 * const url = "data:text/javascript,export const twice = async (n) => 2 * n"
 * const numbers = SyncBridge.module<{ twice: (n: number) => Promise<number> }>(url)
 *
 * const bridge = new SyncBridge(numbers)
 * console.log(bridge.run("twice", [21], { timeout: 5_000 })) // => 42
 * await bridge.close()
 *
 * @since 0.1.0
 */
export class SyncBridge<in out M extends Calls> {
  /** @internal */
  declare readonly [core.TypeId]: Bridge

  constructor(module: M, options: SyncBridgeOptions = {}) {
    const where = "new SyncBridge"
    const state = core.make(where, workerModule.sourceOf(where, module), options)
    const told = (message: string, error: unknown) =>
      void report({ where: "SyncBridge", name: state.source.href, message, error })
    this[core.TypeId] = new Bridge(state, told)
  }

  /**
   * A handle of a module. Nothing of it is loaded here: the worker loads it, when it is started. The type is that of the module,
   * `typeof import("./hashing.js")`; `errors` has the classes of its errors that are to be instances of them again.
   */
  static module<M>(url: workerModule.Location, options?: workerModule.Options): workerModule.Module<M, unknown> {
    return workerModule.make<M, unknown>("SyncBridge.module", url, options)
  }

  /** A view of the bridge that an Effect program, or other plain code, uses: the worker is the same. */
  static from<M extends Calls>(bridge: Effects.SyncBridge<M> | SyncBridge<M>): SyncBridge<M> {
    return view(SyncBridge.prototype as SyncBridge<M>, "SyncBridge", core.TypeId, bridge)
  }

  /** Calls a function of the module in the worker, and blocks this thread until it has ended. Throws what it throws or rejects with. */
  run<const N extends workerModule.NameOf<M>>(
    name: N,
    args: workerModule.ArgsOf<M, N>,
    options: SyncBridgeRunOptions = {}
  ): workerModule.SuccessOf<M, N> {
    const where = "SyncBridge.run"
    const { timeout } = record(where, options)
    return core.valueOf(this[core.TypeId].call(where, name, args, timeout)) as workerModule.SuccessOf<M, N>
  }

  /** Starts the worker, if there is none, so that the first call need not wait for it. */
  start(): void {
    this[core.TypeId].start("SyncBridge.start")
  }

  /**
   * Ends the worker; the promise settles when its thread is gone, or after five seconds: one in native code cannot be ended, and is reported. From
   * here on `run` throws `BridgeClosed`.
   */
  close(): Promise<void> {
    return this[core.TypeId].close()
  }

  /** Ends the worker, and does not wait for that: for `using`. */
  [Symbol.dispose](): void {
    void this.close()
  }

  /** Ends the worker: for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** A frozen snapshot. */
  stats(): core.Stats {
    return core.stats(this[core.TypeId].state)
  }
}
