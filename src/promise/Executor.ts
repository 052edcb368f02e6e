/**
 * An executor for `async` functions: work that would block the event loop, done by a pool of workers, which are threads or processes.
 *
 * It corresponds to asyncio's `run_in_executor` and `to_thread`; see the Effect module for how it differs. What is different here: whoever gives up
 * by a signal does not wait until the work has stopped. It is told, and has its grace, all the same, and its worker is not given other work
 * before that. And there is a default executor, for `Executor.toThread`: it keeps no process alive.
 *
 * @since 0.1.0
 */
import { callable, expect, oneOf, record } from "../core/arguments.js"
import type { BoundCall } from "../core/callOptions.js"
import * as callOptions from "../core/callOptions.js"
import * as core from "../core/executor.js"
import type { End, ExecutorClosed, WorkerDied, Work } from "../core/job.js"
import { Job } from "../core/job.js"
import { Pool } from "../core/pool.js"
import * as tasks from "../core/task.js"
import { type Chain, wake } from "../core/ticket.js"
import * as workerModule from "../core/workerModule.js"
import type * as Effects from "../Executor.js"
import * as inWorker from "../worker/index.js"
import { parallelism, type ResourceLimits } from "../worker/node.js"
import { attempt, checkWait, park, PromiseTicket, wait, type WaitOptions } from "./park.js"
import { report, type Reporter, type Unhandled } from "./report.js"
import { Call, follow, type Hooks, launch, prepare, Signal, type Task, taskOf } from "./Task.js"
import { ownTimers } from "./timer.js"
import { claimOf, encoded } from "./translate.js"
import { view } from "./view.js"
import { isShared, type Settings, type Spawn, starter } from "./workers.js"

export {
  /**
   * The executor is closed, or was while the job waited or ran.
   *
   * @since 0.1.0
   */
  ExecutorClosed,
  /**
   * All workers are busy, and as many jobs wait as may.
   *
   * @since 0.1.0
   */
  ExecutorFull,
  /**
   * The job took longer than it may.
   *
   * @since 0.1.0
   */
  JobTimeout,
  /**
   * The worker that ran the job has ended by itself.
   *
   * @since 0.1.0
   */
  WorkerDied
} from "../core/job.js"
export {
  /**
   * Arguments or a result cannot be sent to another thread or process.
   *
   * @since 0.1.0
   */
  NotCloneable
} from "../core/wire.js"

/**
 * A function of a module, as a job: what `Executor.module` has for each.
 *
 * @since 0.1.0
 */
export type ExecutorCall<Args extends ReadonlyArray<any>, A> = workerModule.Call<Args, A, unknown>

/**
 * How an executor is made. Durations are milliseconds.
 *
 * @since 0.1.0
 */
export interface ExecutorOptions extends core.Options {
  /**
   * What the workers are. `"threads"`, the default, share the process: they start in some 30 milliseconds, buffers can be moved to them and back,
   * and a loop that never awaits can see that it is to stop. `"processes"` are for what may crash or needs memory of its own. Where there is no
   * Node, threads are workers of the web.
   */
  readonly kind?: "threads" | "processes" | undefined
  /** How many workers are started at once, and stay: 0 or more. Default 0: they are started when they are needed. */
  readonly min?: number | undefined
  /** How many there may be. Default: as many as the machine runs at a time. */
  readonly max?: number | undefined
  /** How many jobs a worker runs at a time: 1 or more. More than 1 is of use for functions that await. Default 1. */
  readonly concurrency?: number | undefined
  /** How many jobs may wait for a worker: 0 or more. Whoever comes then waits to be taken. Default: Infinity. */
  readonly backlog?: number | undefined
  /** After how long without work a worker ends. Default 30,000. */
  readonly idleTime?: number | undefined
  /**
   * How long a worker may take until it is ready, with what it calls first. One that takes longer is ended, and counts as one that could not be
   * started. Default 10,000.
   */
  readonly startTimeout?: number | undefined
  /** How long a job that was told to stop may take to do so, until its worker is ended. Default 1,000. */
  readonly grace?: number | undefined
  /**
   * What becomes of the other jobs of a worker that had to be ended because of one: they are run again, or fail with `WorkerDied`. Default:
   * `"rerun"`. It matters when `concurrency` is above 1. What was moved to a worker cannot be sent again, so such a job always fails.
   */
  readonly neighbours?: core.Neighbours | undefined
  /**
   * A worker whose heap is larger than that, in bytes, is replaced once its jobs have ended. It is measured when a job ends, ten times a
   * second at most. What is beside the heap does not count: buffers, and the memory of native modules. Default: Infinity.
   */
  readonly maxMemory?: number | undefined
  /** A worker that has done so many jobs is replaced. Default: Infinity. */
  readonly maxJobs?: number | undefined
  /** How long `close` waits for jobs to end, until it ends the workers. Default: Infinity. */
  readonly deadline?: number | undefined
  /** How long a job may run, unless it says so itself. Default: Infinity. */
  readonly timeout?: number | undefined
  /** For whoever asks for it in a worker, with `data()`. It is cloned for each. */
  readonly data?: unknown
  /** What each worker calls before its first job, as `Executor.bind(database.connect, url)`. */
  readonly init?: BoundCall | undefined
  /** How much memory a thread may use, in megabytes. Above it the thread ends, and its jobs fail with `WorkerDied`. For processes, see `execArgv`. */
  readonly resourceLimits?: ResourceLimits | undefined
  /** The environment variables that workers see. Default: those of this process. */
  readonly env?: Record<string, string | undefined> | undefined
  /** Options for Node, such as `--import` of a loader, or `--max-old-space-size` of a process. Default: those of this process. */
  readonly execArgv?: ReadonlyArray<string> | undefined
  /** What the workers are called in a debugger, with a number behind it. Default: `"executor"`. Reports say it, too, where it was given. */
  readonly name?: string | undefined
  /**
   * Starts a worker: where a bundler has to see what it begins with, which is `effect-concurrency/worker/entry`. What it returns is a thread of Node, a
   * worker of the web, or a child process with `serialization: "advanced"`.
   */
  readonly spawn?: Spawn | undefined
  /**
   * Where that goes which nobody waits for: a started job that failed, a worker that ended with nothing to do or could not be started, what
   * closing had to stop. Default: `console.error`.
   */
  readonly onError?: ((failure: Unhandled) => unknown) | undefined
}

/**
 * What is said of a job beside its arguments.
 *
 * @since 0.1.0
 */
export interface ExecutorCallOptions extends callOptions.CallOptions {
  /**
   * Gives the job up, with `signal.reason`. One that waits leaves at once. One that runs is told, and its worker is ended when it does not stop
   * within the `grace`; whoever waits for it does not wait so long. When the signal is aborted already, nothing is sent.
   */
  readonly signal?: AbortSignal | undefined
  /** How many milliseconds it may run, from when it begins. Longer, it is stopped, and rejects with `JobTimeout`. Default: as the executor says. */
  readonly timeout?: number | undefined
  /** Higher goes first. Default 0. */
  readonly priority?: number | undefined
  /** What of the arguments is moved rather than copied: array buffers, ports. A process gets a copy. */
  readonly transfer?: ReadonlyArray<unknown> | undefined
  /** Reaches the function beside its arguments, which asks for it with `context()`. It is cloned. */
  readonly context?: unknown
}

/**
 * A pool of workers. The same machine as the Effect module's `Executor`; `Executor.from` shares one.
 *
 * **When to use**: for what computes for more than some milliseconds, or calls something that blocks. What only waits needs no worker.
 *
 * **Details**: a job is a function of a module (`Executor.module`), with arguments and a result that can be cloned; a promise that it
 * returns is awaited, and an effect is run. All that follows the function are its arguments; what else is to be said of the job is said
 * before, with `with`, so that neither can be taken for the other. What the function throws is what `run` rejects with: with its class where that is one
 * of the language's, or was named in `module`'s `errors`. Jobs wait in one line. Workers are started when they are needed; one that ends by
 * itself rejects its jobs with `WorkerDied`, or is reported when it has none, and is replaced, after a pause if that happens again. When workers do not
 * start, three times in a row, and there is no other, whoever waits for one is rejected. A pool without work does not keep the process alive.
 *
 * Arguments are cloned when the job is sent to a worker, which is later than the call when it has to wait: do not change them meanwhile. The result is cloned
 * when the function has ended.
 *
 * **Interruption**: see the option `signal` of `with`. Inside, a function looks at `signal()` of `effect-concurrency/worker`.
 *
 * **Fairness**: by priority, and within one by order of arrival. While jobs are quick, workers are sent the next ones ahead, and so one may begin a
 * little before another that came earlier.
 *
 * @example
 * import { Executor } from "effect-concurrency/promise"
 *
 * // As a rule `new URL("./numbers.js", import.meta.url)`, and `typeof import("./numbers.js")`.
 * const url = "data:text/javascript,export const sum = (to) => { let n = 0; for (let i = 1; i <= to; i++) n += i; return n }"
 * const numbers = Executor.module<{ sum: (to: number) => number }>(url)
 *
 * const executor = new Executor({ max: 2 })
 * console.log(await executor.run(numbers.sum, 1_000_000)) // => 500000500000
 * console.log(await executor.with({ timeout: 10_000 }).run(numbers.sum, 10)) // => 55
 * console.log(await executor.toThread((a: number, b: number) => a * b, 6, 7)) // => 42
 * console.log(await executor.close()) // => []
 *
 * @see SyncBridge to call an `async` function from synchronous code
 * @since 0.1.0
 */
export class Executor {
  /** @internal */
  declare readonly [core.TypeId]: Pool
  private readonly options: ExecutorCallOptions
  private readonly onError: Reporter | undefined

  constructor(options: ExecutorOptions = {}) {
    const where = "new Executor"
    const settings = checked(where, options)
    const { name, onError } = options
    const pool = core.settings(where, options, { parallelism: parallelism(), shared: isShared(settings) })
    const tell = (told: core.Report) => void report({ ...told, name }, onError)
    this.options = {}
    this.onError = onError
    this[core.TypeId] = new Pool(pool, ownTimers, starter(settings), callOptions.hello(where, options), tell)
  }

  /**
   * A module that is run elsewhere: for each function that it exports, what an executor is told to run. Nothing of it is loaded here. The type is
   * that of the module, `typeof import("./hashing.js")`; `errors` has the classes of its errors that are to be instances of them again.
   */
  static module<M>(url: workerModule.Location, options?: workerModule.Options): workerModule.Module<M, unknown> {
    return workerModule.make<M, unknown>("Executor.module", url, options)
  }

  /** A function of a module with its arguments, for the option `init`. */
  static bind<Args extends ReadonlyArray<any>>(call: ExecutorCall<Args, unknown>, ...args: Args): BoundCall {
    return callOptions.bind("Executor.bind", call, args)
  }

  /**
   * A view of the executor that an Effect program, or other plain code, uses: its workers, its line, its limits. What is to be reported goes
   * where that executor's own reports go.
   */
  static from(executor: Effects.Executor | Executor): Executor {
    const onError =
      (executor as Executor | undefined)?.onError ?? (executor as Effects.Executor | undefined)?.reportPlain
    return view(Executor.prototype, "Executor", core.TypeId, executor, { options: {}, onError })
  }

  /**
   * Runs a function on a thread of an executor that all share and nobody closes: as many threads as the machine runs at a time, started when they
   * are needed. See the method of this name.
   */
  static toThread<Args extends ReadonlyArray<any>, A>(f: (...args: Args) => A, ...args: Args): Promise<Awaited<A>> {
    return (common ??= new Executor({ name: "common executor" })).toThread(f, ...args)
  }

  /** Whether this runs in a worker of an executor. */
  static isWorker(): boolean {
    return inWorker.isWorker()
  }

  /** In a worker: the signal of the job that asks. See `effect-concurrency/worker`, which costs a worker less to load than this module. */
  static signal(): AbortSignal {
    return inWorker.signal()
  }

  /** In a worker: what the caller gave as `context`. */
  static context<A = unknown>(): A {
    return inWorker.context<A>()
  }

  /** In a worker: what the executor gives each of its workers as `data`. */
  static data<A = unknown>(): A {
    return inWorker.data<A>()
  }

  /** In a worker: a result that is moved to the caller rather than copied. */
  static transfer<A>(value: A, list: ReadonlyArray<unknown>): A {
    return inWorker.transfer(value, list)
  }

  /** In a worker: has a function called before the worker ends because it is not needed any more. It has as long as the `grace`. */
  static onClose(f: () => unknown): void {
    inWorker.onClose(f)
  }

  /** Runs a function in a worker. When the executor has a `backlog`, waits to be taken. */
  run<Args extends ReadonlyArray<any>, A>(call: ExecutorCall<Args, A>, ...args: Args): Promise<A> {
    const where = "Executor.run"
    return attempt(() => this.encoded<A>(where, call, args, (work) => this.perform(where, work, submit)))
  }

  /** The same, or rejects at once with `ExecutorFull` when all workers are busy and as many jobs wait as may. */
  tryRun<Args extends ReadonlyArray<any>, A>(call: ExecutorCall<Args, A>, ...args: Args): Promise<A> {
    const where = "Executor.tryRun"
    return attempt(() => this.encoded<A>(where, call, args, (work) => this.perform(where, work, submitNow)))
  }

  /**
   * Waits until the job is taken, and gives a handle on it: `const { task } = await executor.start(...)`. (In an object, for whoever awaits a
   * task waits for its end.) The task outlives whoever starts it, unless the signal cancels it. Cancelling it tells the job to stop, and waits
   * until it has, or until the grace is over and its worker has been ended.
   */
  start<Args extends ReadonlyArray<any>, A>(
    call: ExecutorCall<Args, A>,
    ...args: Args
  ): Promise<{ readonly task: Task<A> }> {
    const where = "Executor.start"
    return attempt(() => this.encoded(where, call, args, (work) => this.begin<A>(where, work)))
  }

  /**
   * Runs a function by its source, which therefore must need nothing from around it: no variable, no import but its own `import()`. What it
   * misses, it is told by name. A function of a module has none of these limits, and is found again faster.
   */
  toThread<Args extends ReadonlyArray<any>, A>(f: (...args: Args) => A, ...args: Args): Promise<Awaited<A>> {
    const where = "Executor.toThread"
    return attempt(() =>
      this.perform(where, callOptions.lone(where, this[core.TypeId].state.settings, this.options, f, args), submit)
    )
  }

  /**
   * The same executor, for jobs of which something is said: `executor.with({ signal, timeout: 500 }).run(call, ...args)`. What was said before
   * stays, unless it is said anew.
   */
  with(options: ExecutorCallOptions): Executor {
    const where = "Executor.with"
    const { signal } = callOptions.check(where, options) as ExecutorCallOptions
    if (signal !== undefined) {
      expect(typeof signal?.addEventListener === "function", where, "signal", "an AbortSignal", signal)
    }
    return view(Executor.prototype, "Executor", core.TypeId, this, {
      options: callOptions.merge(this.options, options),
      onError: this.onError
    })
  }

  /**
   * Starts workers until there are so many, by default as many as there may be, and waits until they can be given work. Rejects with
   * `WorkerDied` when one of them cannot be started, and with `ExecutorClosed` when the executor is closed, or is before they are there.
   */
  warmUp(count?: number, options?: WaitOptions): Promise<void> {
    const where = "Executor.warmUp"
    return attempt(() => {
      const pool = this[core.TypeId]
      const ticket = new WarmTicket(core.checkCount(where, pool.state, count), 0)
      checkWait(where, options)
      const leave = (pool: Pool, ticket: WarmTicket) => core.cancelWarm(pool.state, ticket)
      return park<void, Pool, WarmTicket>(where, pool, ticket, options, (pool, ticket) => pool.warm(ticket), leave)
    })
  }

  /**
   * Takes nothing more, waits until all jobs have ended, up to the `deadline`, and then ends the workers. Gives the names of the jobs that it
   * had to stop, which are also reported. When this settles, no thread or process is left; but for one that cannot be ended even so,
   * which is waited for as long as the grace, and at least two seconds, and reported. It may be called again, also while it closes.
   */
  close(): Promise<ReadonlyArray<string>> {
    this[core.TypeId].close()
    return this.closed("Executor.close")
  }

  /**
   * Ends everything at once, and gives the names of the jobs that were stopped. They reject with `ExecutorClosed`. When this settles, no
   * thread or process is left, as with `close`.
   */
  terminate(): Promise<ReadonlyArray<string>> {
    this[core.TypeId].terminate()
    return this.closed("Executor.terminate")
  }

  /** Closes the executor: for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** A frozen snapshot. */
  stats(): core.Stats {
    return core.stats(this[core.TypeId].state)
  }

  /** Goes on with a function of a module as a job, at once unless a schema of its contract has to wait. */
  private encoded<B>(
    where: string,
    call: ExecutorCall<any, unknown>,
    args: ReadonlyArray<unknown>,
    go: (work: Work) => B | PromiseLike<B>
  ): B | PromiseLike<B> {
    const { settings } = this[core.TypeId].state
    checkWait(where, { signal: this.options.signal })
    return encoded(call, args, (args) => go(callOptions.work(where, settings, this.options, call, args)))
  }

  private perform<A>(where: string, work: Work, enter: typeof submit): Promise<A> {
    const { priority = 0, signal } = this.options
    checkWait(where, { signal })
    const ticket = new JobTicket(new Job(work), priority, signal)
    return park(where, this[core.TypeId], ticket, signal && { signal }, enter, leave)
  }

  /** Puts a job in line, and gives its task once it is taken. */
  private async begin<A>(where: string, work: Work): Promise<{ readonly task: Task<A> }> {
    const { signal } = this.options
    checkWait(where, { signal })
    const taken = new PromiseTicket<undefined, undefined>(undefined, 0)
    let task: Task<A>
    const enter = () => void (task = this.launch<A>(where, new core.StartedJob(work, taken)))
    // The task is told by the same signal, and it cancels the job.
    const leave = () => undefined
    await park(where, this[core.TypeId], taken, signal && { signal }, enter, leave)
    return { task: task! }
  }

  /** A job as a task, which does not end before the job has. */
  private launch<A>(where: string, job: core.StartedJob): Task<A> {
    const pool = this[core.TypeId]
    const { priority = 0, signal } = this.options
    const { name } = job.work
    const state = prepare(where, { name })
    const ticket = new JobTicket(job, priority, undefined)
    const ended = park<A, Pool, JobTicket>(where, pool, ticket, undefined, submit, leave)
    const hooks = new JobHooks(name, this.onError)
    const stop = new Signal()
    launch(state, stop, () => ended, hooks)
    wake(tasks.onStop(state, new Call(undefined, ({ reason }: tasks.Stop) => wake(pool.cancel(ticket, reason)))))
    hooks.unfollow = follow(where, state, signal)
    return taskOf(state, stop, this.onError)
  }

  private closed(where: string): Promise<ReadonlyArray<string>> {
    return wait(where, this[core.TypeId].state, undefined, undefined, core.awaitClosed, core.cancelClosed)
  }
}

/** For functions that are run without an executor. */
let common: Executor | undefined

/** The place of a caller whose job it is. */
class JobTicket extends PromiseTicket<Job, End> {
  constructor(
    job: Job,
    priority: number,
    readonly signal: AbortSignal | undefined
  ) {
    super(job, priority)
  }

  override claim(): unknown {
    return claimOf(this.request.work.codec, this.result!)
  }
}

const submit = (pool: Pool, ticket: JobTicket): void => pool.submit(ticket)

const submitNow = (pool: Pool, ticket: JobTicket): void => pool.submitNow(ticket)

/** The caller has gone. Its job has not, perhaps. */
const leave = (pool: Pool, ticket: JobTicket): Chain => pool.cancel(ticket, ticket.signal?.reason)

class WarmTicket extends PromiseTicket<number, WorkerDied | ExecutorClosed | undefined> {
  override claim(): unknown {
    return this.result === undefined ? undefined : Promise.reject(this.result)
  }
}

/** What a started job has to say of itself. */
class JobHooks implements Hooks {
  readonly running = true
  unfollow: () => void = nothing

  constructor(
    private readonly name: string,
    private readonly reporter: Reporter | undefined
  ) {}

  ended(): undefined {
    this.unfollow()
  }

  reported(): undefined {}

  report(error: unknown): void | Promise<void> {
    const message = "it failed, and nobody waits for it"
    return report({ where: "Executor.start", name: this.name, message, error }, this.reporter)
  }
}

const nothing = (): void => {}

const checked = (where: string, options: ExecutorOptions): Settings => {
  const { env, execArgv, kind = "threads", name = "executor" } = record(where, options)
  const { onError, resourceLimits, spawn } = options
  oneOf(where, "kind", kind, ["threads", "processes"])
  expect(typeof name === "string", where, "name", "a string", name)
  if (onError !== undefined) callable(where, "onError", onError)
  if (spawn !== undefined) callable(where, "spawn", spawn)
  if (env !== undefined) record(where, env)
  expect(execArgv === undefined || Array.isArray(execArgv), where, "execArgv", "an array of strings", execArgv)
  const limits = typeof resourceLimits === "object" && resourceLimits !== null && kind === "threads"
  const ofThreads = resourceLimits === undefined || limits
  expect(ofThreads, where, "resourceLimits", "an object, and of threads (processes have execArgv)", resourceLimits)
  return { kind, name, spawn, resourceLimits, env, execArgv }
}
