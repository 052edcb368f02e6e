/**
 * An executor: work that would block the event loop, done by a pool of workers, which are threads or processes.
 *
 * It corresponds to asyncio's `run_in_executor` and `to_thread`, with these differences:
 *
 * - A job is a function of a module, not a closure: JavaScript shares no memory between threads. A lone function may be sent as its source
 *   (`toThread`) when it needs nothing from around it.
 * - Work that runs can be stopped. The caller who goes tells the worker, whose function may look (`signal()`); when it does not stop within
 *   the grace, the worker is ended and replaced. Python lets the thread go on, and drops its result.
 * - `to_thread` copies the caller's context variables. Here what is to reach the worker is named: `with({ context })`.
 * - An executor belongs to a scope, so that none is left when a program ends: closing lets the jobs end, up to the `deadline`. There is no
 *   default one that nobody closes.
 *
 * Against `Worker.makePool` of `@effect/platform`: a worker whose job was interrupted is not handed out while it still computes, a worker that died
 * is told its first message again, waiting costs the same however many wait, and closing takes no longer than it must.
 *
 * It is imported as `effect-concurrency/Executor` and is not part of the index, because `@effect/platform` need not be installed for the rest.
 *
 * @since 0.1.0
 */
import { PlatformWorker, Spawner, type SpawnerFn } from "@effect/platform/Worker"
import { isWorkerError } from "@effect/platform/WorkerError"
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { callable, expect, record } from "./core/arguments.js"
import type { BoundCall } from "./core/callOptions.js"
import * as callOptions from "./core/callOptions.js"
import * as core from "./core/executor.js"
import type { End, Work } from "./core/job.js"
import { ExecutorClosed, ExecutorFull, Job, JobTimeout, WorkerDied } from "./core/job.js"
import type { Listener, Port, Start } from "./core/pool.js"
import { isOfCloning, Pool } from "./core/pool.js"
import { unheard } from "./core/background.js"
import { Do, hearMessage, type Message, type Order, order, type ToWorker } from "./core/protocol.js"
import { wake } from "./core/ticket.js"
import type { Time } from "./core/timekeeper.js"
import * as workerModule from "./core/workerModule.js"
import { milliseconds } from "./internal/duration.js"
import {
  catchCause,
  type DurationInput,
  forker,
  interruptNow,
  layerScoped,
  type RunningFiber,
  runner,
  runNow,
  tag
} from "./internal/effect.js"
import { idleTime } from "./internal/idleTime.js"
import { FiberTicket, park, type Restore } from "./internal/park.js"
import { reporter, type Unhandled } from "./internal/report.js"
import { launch, prepare } from "./internal/task.js"
import * as service from "./internal/service.js"
import { SharedMemory } from "./internal/sharedMemory.js"
import type * as Task from "./Task.js"
import * as contract from "./worker/contract.js"
import { parallelism, received } from "./worker/node.js"

export {
  /** @since 0.1.0 */
  ExecutorClosed,
  /** @since 0.1.0 */
  ExecutorFull,
  /** @since 0.1.0 */
  JobTimeout,
  /** @since 0.1.0 */
  WorkerDied
} from "./core/job.js"
export { NotCloneable } from "./core/wire.js"
export type {
  /**
   * What is reported: where, of which executor or job, what happened, and why.
   *
   * @since 0.1.0
   * @category models
   */
  Unhandled
} from "./internal/report.js"
export {
  /** @since 0.1.0 */
  context,
  /** @since 0.1.0 */
  data,
  /** @since 0.1.0 */
  isWorker,
  /** @since 0.1.0 */
  onClose,
  /** @since 0.1.0 */
  signal,
  /** @since 0.1.0 */
  transfer
} from "./worker/index.js"

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

// ------------------------------------------------------------------------------------------------------------------------- models

/**
 * How an executor is made.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Omit<core.Options, "idleTime" | "startTimeout" | "grace" | "deadline" | "timeout"> {
  /** How many workers are started at once, and stay: 0 or more. Default 0: they are started when they are needed. */
  readonly min?: number | undefined
  /** How many there may be. Default: as many as the machine runs at a time. */
  readonly max?: number | undefined
  /** How many jobs a worker runs at a time: 1 or more. More than 1 is of use for functions that await. Default 1. */
  readonly concurrency?: number | undefined
  /** How many jobs may wait for a worker: 0 or more. Whoever comes then waits to be taken. Default: Infinity. */
  readonly backlog?: number | undefined
  /** After how long without work a worker ends. Default: 30 seconds. */
  readonly idleTime?: DurationInput | undefined
  /**
   * How long a worker may take until it is ready, with what it calls first. One that takes longer is ended, and counts as one that could not be
   * started. Default: 10 seconds.
   */
  readonly startTimeout?: DurationInput | undefined
  /** How long a job that was told to stop may take to do so, until its worker is ended. Default: 1 second. */
  readonly grace?: DurationInput | undefined
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
  /** How long closing waits for jobs to end, until it ends the workers. Default: Infinity. */
  readonly deadline?: DurationInput | undefined
  /** How long a job may run, unless it says so itself. Default: Infinity. */
  readonly timeout?: DurationInput | undefined
  /** For whoever asks for it in a worker, with `data()`. It is cloned for each. */
  readonly data?: unknown
  /** What each worker calls before its first job, as `Executor.bind(database.connect, url)`. */
  readonly init?: BoundCall | undefined
  /**
   * Whether workers can share memory with this thread, as threads can and processes cannot. Then a worker is sent the next jobs while it still
   * runs one, and a loop that never awaits sees that it is to stop. Default: what the platform says of itself, as those of `NodeExecutor` do.
   */
  readonly shared?: boolean | undefined
  /** What reports call the executor. Default: nothing. */
  readonly name?: string | undefined
  /**
   * Where that goes which nobody waits for: a started job that failed, a worker that ended with nothing to do or could not be started, what
   * closing had to stop. Default: logs at error level.
   */
  readonly onError?: ((failure: Unhandled) => Effect.Effect<unknown, unknown>) | undefined
}

/**
 * What is said of a job beside its arguments.
 *
 * @since 0.1.0
 * @category models
 */
export interface CallOptions extends Omit<callOptions.CallOptions, "timeout"> {
  /** How long it may run, from when it begins. Longer, it is stopped, and fails with `JobTimeout`. Default: as the executor says. */
  readonly timeout?: DurationInput | undefined
  /** Higher goes first. Default 0. */
  readonly priority?: number | undefined
  /** What of the arguments is moved rather than copied: array buffers, ports. A process gets a copy. */
  readonly transfer?: ReadonlyArray<unknown> | undefined
  /** Reaches the function beside its arguments, which asks for it with `context()`. It is cloned. */
  readonly context?: unknown
}

/**
 * A frozen snapshot.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats extends core.Stats {}

/**
 * What any job may fail with beside what its function fails with.
 *
 * @since 0.1.0
 * @category errors
 */
export type ExecutorError = WorkerDied | JobTimeout | ExecutorClosed

/**
 * A function of a module that is run elsewhere. See {@link module}.
 *
 * @since 0.1.0
 * @category models
 */
export type Call<Args extends ReadonlyArray<any>, A, E = never> = workerModule.Call<Args, A, E>

/**
 * A pool of workers.
 *
 * **When to use**: for what computes for more than some milliseconds, or calls something that blocks. What only waits needs no worker.
 *
 * **Details**: a job is a function of a module (`module`), with arguments and a result that can be cloned. What the function throws arrives
 * as it was: with its class where that is one of the language's, or was named in `module`'s `errors`; those are failures, and so is what an effect
 * fails with that the function returns. Anything else is a defect. Jobs wait in one line, workers are started when they are needed, and a
 * worker that ends by itself fails its jobs with `WorkerDied`, or is reported when it has none, and is replaced, after a pause if that happens again. When
 * workers do not start, three times in a row, and there is no other, whoever waits for one fails.
 *
 * Arguments are cloned when the job is sent to a worker, which is later than the call when it has to wait: do not change them meanwhile. The result is cloned
 * when the function has ended.
 *
 * Its time is the clock of whoever makes it: of timeouts, the grace, pauses. Workers live in real time whatever that is, and so in a
 * test with `TestClock` no time is ever over while a real worker computes: make the executor on the live clock there (`it.live`).
 *
 * **Interruption**: a job that waits leaves at once. One that runs is told to stop (`signal()`), and whoever was interrupted waits until it has,
 * or until the `grace` is over: then its worker is ended, and the next job has another. The platform may take a moment for that, longer while native
 * code runs; whoever closes waits for it, and nobody else does.
 *
 * **Fairness**: by priority, and within one by order of arrival. While jobs are quick, workers are sent the next ones ahead, and so one may begin a
 * little before another that came earlier.
 *
 * @example
 * import { Effect } from "effect"
 * import * as Executor from "effect-concurrency/Executor"
 * import * as NodeExecutor from "effect-concurrency/NodeExecutor"
 *
 * // A module of your own: Executor.module<typeof import("./hashing.js")>(new URL("./hashing.js", import.meta.url))
 * const crypto = Executor.module<typeof import("node:crypto")>("node:crypto")
 *
 * const program = Effect.gen(function* () {
 *   const key = yield* Executor.run(crypto.pbkdf2Sync, "secret", "salt", 1000, 4, "sha256")
 *   return key.length
 * })
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(NodeExecutor.layerThreads())))) // => 4
 *
 * @see NodeExecutor for threads and processes
 * @since 0.1.0
 * @category models
 */
export interface Executor {
  readonly [TypeId]: Pool
  /** Reports for plain code. */
  readonly reportPlain: (failure: { readonly error: unknown } & Omit<Unhandled, "cause">) => Promise<unknown>

  /** Runs a function in a worker. When the executor has a `backlog`, waits to be taken. */
  run<Args extends ReadonlyArray<any>, A, E>(call: Call<Args, A, E>, ...args: Args): Effect.Effect<A, E | ExecutorError>

  /** The same, or fails at once with `ExecutorFull` when all workers are busy and as many jobs wait as may. */
  tryRun<Args extends ReadonlyArray<any>, A, E>(
    call: Call<Args, A, E>,
    ...args: Args
  ): Effect.Effect<A, E | ExecutorError | ExecutorFull>

  /** Waits until the job is taken, and gives a handle on it. It outlives whoever starts it. */
  start<Args extends ReadonlyArray<any>, A, E>(
    call: Call<Args, A, E>,
    ...args: Args
  ): Effect.Effect<Task.Task<A, E | ExecutorError>>

  /**
   * Runs a function by its source, which therefore must need nothing from around it: no variable, no import but its own `import()`. What it throws
   * is a defect.
   */
  toThread<Args extends ReadonlyArray<any>, A>(
    f: (...args: Args) => A,
    ...args: Args
  ): Effect.Effect<Awaited<A>, ExecutorError>

  /** The same executor, for jobs of which something is said: how long they may run, what they are given beside the arguments. */
  with(options: CallOptions): Executor

  /**
   * Starts workers until there are so many, by default as many as there may be, and waits until they can be given work. Fails with
   * `WorkerDied` when one of them cannot be started, and with `ExecutorClosed` when the executor is closed, or is before they are there.
   */
  warmUp(count?: number): Effect.Effect<void, WorkerDied | ExecutorClosed>

  /**
   * Takes nothing more, waits until all jobs have ended, up to the `deadline`, and then ends the workers. Gives the names of the jobs that it had
   * to stop, which are also reported. When this succeeds, no thread or process is left; but for one that cannot be ended even so, which is
   * waited for as long as the grace, and at least two seconds, and reported. It may be called again, also while it closes. Whoever is
   * interrupted waits no longer; the executor closes all the same.
   */
  readonly close: Effect.Effect<ReadonlyArray<string>>

  /** Ends everything at once, and gives the names of the jobs that were stopped. They fail with `ExecutorClosed`. It ends as `close` does. */
  readonly terminate: Effect.Effect<ReadonlyArray<string>>

  /** A frozen snapshot. */
  readonly stats: Effect.Effect<Stats>
}

// ------------------------------------------------------------------------------------------------------------------------ workers

/** What a platform starts: a thread or a worker of the web, or a process. */
interface Handle {
  readonly pid?: number | undefined
  once?(event: "close", f: () => void): unknown
  /** What a process was killed with. */
  readonly signalCode?: string | null
  terminate?(): unknown
  kill?(signal: string): unknown
  ref?(): void
  unref?(): void
  /** What a process speaks through keeps this one alive as well. */
  readonly channel?: { ref(): void; unref(): void } | null
  /** A process of this package can be spoken with directly: see worker/processes. */
  hear?(listener: (frame: unknown) => void): void
  send?(frame: ToWorker): unknown
}

type Fork = (effect: Effect.Effect<void>) => RunningFiber<void, never>

/** How workers of whatever platform is provided are started. */
const starter =
  (platform: PlatformWorker, spawner: SpawnerFn, fork: Fork, shared: boolean): Start =>
  (id, listener) =>
    new WorkerPort(id, platform, spawner, fork, shared, listener)

/**
 * A worker, by way of the platform: it lives in a fiber. The platform can only ask it to end; so what was spawned is kept, to end it if need
 * be.
 */
class WorkerPort implements Port {
  private readonly fiber: RunningFiber<void, never>
  private handle: Handle | undefined = undefined
  private backing: Backing | undefined = undefined
  private early: Array<readonly [message: unknown, transfer: ReadonlyArray<unknown> | undefined]> = []
  /** Where it shares memory, it has a port as well: the platform would start a fiber for each message. */
  private readonly port: NodePort | undefined = undefined
  /** A process that is spoken with directly, for the same reason: once it has answered, for what the platform was given comes first. */
  private direct: Handle | undefined = undefined
  private closed: Promise<void> | undefined = undefined
  private held = true
  private over = false

  constructor(
    id: number,
    platform: PlatformWorker,
    spawner: SpawnerFn,
    fork: Fork,
    shared: boolean,
    private readonly listener: Listener
  ) {
    if (shared) {
      const { port1, port2 } = new MessageChannel()
      port1.addEventListener("message", ({ data }) => listener.message(data))
      // What it said cannot be read, and whoever waits for that would wait for ever.
      port1.addEventListener("messageerror", () => this.kill())
      port1.start()
      this.early.push([[Do.connect, port2], [port2]])
      this.port = port1
    }
    const spawn = (n: number) => {
      const handle = spawner(n) as Handle
      this.handle = handle
      // The last of what a process said may be read later than its exit.
      if (handle.terminate === undefined && handle.pid !== undefined && handle.once !== undefined) {
        this.closed = new Promise((resolve) => void handle.once!("close", () => resolve()))
      }
      handle.hear?.((frame) => hearMessage(frame, this))
      return handle
    }
    const backing = Effect.provideService(platform.spawn<unknown, unknown>(id), Spawner, spawn)
    const life = Effect.flatMap(backing, (backing) => {
      this.backing = backing
      for (const [message, transfer] of this.early) this.sendAround(message, transfer)
      return backing.run((frame) => {
        hearMessage(frame, this)
        return Effect.void
      })
    })
    // In a later step than this one: the pool does not know this port yet.
    const ended = (cause: Cause.Cause<unknown>) =>
      Effect.promise(async () => {
        await this.closed
        this.exited(causeOf(cause))
      })
    this.fiber = fork(Effect.uninterruptibleMask((restore) => catchCause(restore(life), ended)))
  }

  send(message: unknown, transfer: ReadonlyArray<unknown> = []): void {
    if (this.port !== undefined) this.port.postMessage(message, transfer as Array<Transferable>)
    else if (this.direct !== undefined) this.direct.send!(order(message as Order))
    else this.sendAround(message, transfer)
  }

  /** By way of the platform. */
  private sendAround(message: unknown, transfer: ReadonlyArray<unknown> | undefined): void {
    if (this.backing === undefined) {
      this.early.push([message, transfer])
      return
    }
    const error = sendNow(this.backing, message, transfer)
    if (error === undefined) return
    if (isOfCloning(error)) throw error
    // Its channel is closed. It is gone, or is of no use: its end is told when it comes.
    this.kill()
  }

  /** Not by an interruption: the platform would end it at once, and not wait until it has ended. */
  dismiss(): void {
    this.send([Do.end], undefined)
  }

  kill(): void {
    const { handle } = this
    if (handle?.terminate !== undefined) {
      // A worker of the web does not say that it was ended.
      const ended = () => this.gone()
      void Promise.resolve(handle.terminate()).then(ended, ended)
    } else if (handle?.kill !== undefined) handle.kill("SIGKILL")
    else interruptNow(this.fiber, this.fiber)
  }

  hold(held: boolean): void {
    if (held === this.held) return
    this.held = held
    for (const each of [this.handle, this.handle?.channel, this.port]) {
      if (held) each?.ref?.()
      else each?.unref?.()
    }
  }

  /** What a frame says. */
  message(message: Message): void {
    if (this.handle?.hear !== undefined) this.direct = this.handle
    this.listener.message(message)
  }

  /** A worker of the web says that it ends: nobody could see that otherwise. Of the others it is seen when they have. */
  ended(): void {
    if (this.handle?.once === undefined) this.gone()
  }

  private gone(): void {
    this.exited(undefined)
    interruptNow(this.fiber, this.fiber)
  }

  private exited(cause: unknown): void {
    if (this.over) return
    this.over = true
    if (this.port !== undefined) {
      // What it said last is still on its way.
      for (const message of received(this.port)) this.listener.message(message)
      this.port.close()
    }
    this.listener.exited(howEnded(cause, this.handle?.signalCode))
  }
}

/** How a worker ended, in our words. Of one that was killed the platform only says that it exited. */
const howEnded = (cause: unknown, signal: string | null | undefined): unknown => {
  if (signal) return new Error(`the worker was killed by ${signal}`)
  const isExit = cause instanceof Error && cause.message.startsWith("exited with code")
  return isExit ? new Error(`the worker ${cause.message}`) : cause
}

/** A port, and what it can do besides on Node. */
interface NodePort extends MessagePort {
  ref?(): void
  unref?(): void
}

type Backing = Effect.Effect.Success<ReturnType<typeof PlatformWorker.Service.spawn<unknown, unknown>>>

const sendNow = (backing: Backing, message: unknown, transfer: ReadonlyArray<unknown> | undefined): unknown => {
  const exit = runNow(backing.send(message, transfer))
  return exit._tag === "Success" ? undefined : causeOf(exit.cause)
}

/** Why a worker has ended, as the platform knows it. */
const causeOf = (cause: Cause.Cause<unknown>): unknown => {
  const error = Cause.squash(cause)
  return isWorkerError(error) ? error.cause : error
}

// ---------------------------------------------------------------------------------------------------------------------------- jobs

class ExecutorImpl implements Executor {
  readonly [TypeId]: Pool
  readonly close: Executor["close"]
  readonly terminate: Executor["terminate"]
  readonly stats: Executor["stats"]

  constructor(
    pool: Pool,
    private readonly tell: (failure: Unhandled) => Effect.Effect<void>,
    readonly reportPlain: Executor["reportPlain"],
    private readonly options: callOptions.CallOptions = {}
  ) {
    this[TypeId] = pool
    this.stats = Effect.sync(() => core.stats(pool.state))
    this.close = Effect.suspend(() => {
      pool.close()
      return closed(pool)
    })
    this.terminate = Effect.suspend(() => {
      pool.terminate()
      return closed(pool)
    })
  }

  readonly run = <Args extends ReadonlyArray<any>, A, E>(
    call: Call<Args, A, E>,
    ...args: Args
  ): Effect.Effect<A, E | ExecutorError> =>
    translated<A, E, ExecutorError>(call, args, (args) =>
      this.perform(() => this.work("Executor.run", call, args), submit)
    )

  readonly tryRun = <Args extends ReadonlyArray<any>, A, E>(
    call: Call<Args, A, E>,
    ...args: Args
  ): Effect.Effect<A, E | ExecutorError | ExecutorFull> =>
    translated<A, E, ExecutorError | ExecutorFull>(call, args, (args) =>
      this.perform(() => this.work("Executor.tryRun", call, args), submitNow)
    )

  readonly start = <Args extends ReadonlyArray<any>, A, E>(
    call: Call<Args, A, E>,
    ...args: Args
  ): Effect.Effect<Task.Task<A, E | ExecutorError>> =>
    Effect.uninterruptibleMask((restore) => {
      const codec = contract.codec(call)
      const encoded: Effect.Effect<ReadonlyArray<unknown>> =
        codec === undefined ? Effect.succeed(args) : codec.encode(args)
      return Effect.flatMap(encoded, (args) => {
        const pool = this[TypeId]
        const taken = new FiberTicket<undefined, undefined>(undefined, 0, "room in an executor")
        const ticket = this.ticket(new core.StartedJob(this.work("Executor.start", call, args), taken))
        const launched = () => this.launch<A, E>(call, ticket)
        pool.submit(ticket)
        return taken.settled ? launched() : park(restore, taken, () => pool.cancel(ticket, undefined), launched)
      })
    })

  /** The job is in line already, whenever its task takes its first step. */
  private launch<A, E>(call: object, ticket: JobTicket): Effect.Effect<Task.Task<A, E | ExecutorError>> {
    const pool = this[TypeId]
    const { name } = ticket.request.work
    const end = Effect.uninterruptibleMask((restore) => settled<A, E>(pool, ticket, restore))
    const job = decoded<A, E, ExecutorError>(call, end)
    return launch<Task.Task<A, E | ExecutorError>, A, E | ExecutorError, never>(
      prepare("Executor.start", job, { name }),
      job,
      {
        // However it ends, and be it before its first step.
        ended: () => (ticket.settled ? undefined : pool.cancel(ticket, undefined)),
        reported: () => undefined,
        unclaimed: () => undefined,
        report: ({ cause }) =>
          this.tell({ where: "Executor.start", name, message: unheard, cause: cause as Cause.Cause<unknown> })
      }
    )
  }

  readonly toThread = <Args extends ReadonlyArray<any>, A>(
    f: (...args: Args) => A,
    ...args: Args
  ): Effect.Effect<Awaited<A>, ExecutorError> =>
    this.perform(
      () => callOptions.lone("Executor.toThread", this[TypeId].state.settings, this.options, f, args),
      submit
    )

  readonly with = (options: CallOptions): Executor =>
    new ExecutorImpl(
      this[TypeId],
      this.tell,
      this.reportPlain,
      callOptions.merge(this.options, checkedCall("Executor.with", options))
    )

  readonly warmUp = (count?: number): Effect.Effect<void, WorkerDied | ExecutorClosed> =>
    Effect.uninterruptibleMask((restore) => {
      const pool = this[TypeId]
      const wanted = core.checkCount("Executor.warmUp", pool.state, count)
      const ticket = new FiberTicket<number, WorkerDied | ExecutorClosed | undefined>(wanted, 0, "workers to start")
      wake(pool.warm(ticket))
      return park(
        restore,
        ticket,
        () => core.cancelWarm(pool.state, ticket),
        (failed) => (failed === undefined ? Effect.void : Effect.fail(failed))
      )
    })

  private work(where: string, call: Call<any, any, any>, args: ReadonlyArray<unknown>): Work {
    return callOptions.work(where, this[TypeId].state.settings, this.options, call, args)
  }

  private ticket(job: Job): JobTicket {
    return new FiberTicket(job, this.options.priority ?? 0, "a worker")
  }

  /** Hands a job to the pool and waits for its end. */
  private perform<A, E>(work: () => Work, enter: typeof submit): Effect.Effect<A, E | ExecutorError> {
    return Effect.uninterruptibleMask((restore) => {
      const pool = this[TypeId]
      const ticket = this.ticket(new Job(work()))
      enter(pool, ticket)
      return settled<A, E>(pool, ticket, restore)
    })
  }
}

type JobTicket = FiberTicket<Job, End>

const submit = (pool: Pool, ticket: JobTicket): void => pool.submit(ticket)

const submitNow = (pool: Pool, ticket: JobTicket): void => pool.submitNow(ticket)

/** A call that has a contract is encoded, and what comes of it decoded. */
const translated = <A, E, F>(
  call: object,
  args: ReadonlyArray<any>,
  run: (args: ReadonlyArray<any>) => Effect.Effect<A, E | F>
): Effect.Effect<A, E | F> => {
  const codec = contract.codec(call)
  if (codec === undefined) return run(args)
  return Effect.flatMap(codec.encode(args), (args) => decoded<A, E, F>(call, run(args)))
}

/** What comes of a call that has a contract, decoded. */
const decoded = <A, E, F>(call: object, self: Effect.Effect<A, E | F>): Effect.Effect<A, E | F> => {
  const codec = contract.codec(call)
  if (codec === undefined) return self
  return self.pipe(
    Effect.matchEffect({
      onSuccess: (value) => codec.success(value) as Effect.Effect<A>,
      onFailure: (error): Effect.Effect<never, E | F> =>
        isOwn(error) ? Effect.fail(error) : Effect.flatMap(codec.failure(error) as Effect.Effect<E>, Effect.fail)
    })
  )
}

const isOwn = (error: unknown): boolean =>
  error instanceof WorkerDied ||
  error instanceof JobTimeout ||
  error instanceof ExecutorClosed ||
  error instanceof ExecutorFull

/** Waits for the end of a job. Who is interrupted waits for it too: the worker is told to stop, and has its grace for that. */
const settled = <A, E>(pool: Pool, ticket: JobTicket, restore: Restore): Effect.Effect<A, E | ExecutorError> =>
  Effect.matchCauseEffect(restore(ticket.settlement), {
    onFailure: (cause) => {
      wake(pool.cancel(ticket, undefined))
      return Effect.zipRight(ticket.settlement, Effect.failCause(cause))
    },
    onSuccess: () => outcome<A, E>(ticket.result!)
  })

const outcome = <A, E>(end: End): Effect.Effect<A, E | ExecutorError> => {
  switch (end._tag) {
    case "Value":
      return Effect.succeed(end.value as A)
    case "Rejected":
      return end.expected ? Effect.fail(end.error as E) : Effect.die(end.error)
    case "Failed":
      return Effect.fail(end.error)
    case "Cancelled":
      return Effect.interrupt
  }
}

/** Waits until no worker is left; gives the names of the jobs that were stopped for that. */
const closed = (pool: Pool): Effect.Effect<ReadonlyArray<string>> =>
  Effect.uninterruptibleMask((restore) => {
    const ticket = new FiberTicket<undefined, ReadonlyArray<string>>(undefined, 0, "workers to end")
    wake(core.awaitClosed(pool.state, ticket))
    return park(restore, ticket, () => core.cancelClosed(pool.state, ticket), Effect.succeed)
  })

// -------------------------------------------------------------------------------------------------------------------- constructors

const inMilliseconds = (where: string, name: string, input: DurationInput | undefined): number | undefined =>
  input === undefined ? undefined : milliseconds(where, name, input)

const checkedCall = (where: string, options: CallOptions): callOptions.CallOptions => {
  const { timeout, ...rest } = record(where, options)
  return callOptions.check(where, { ...rest, timeout: inMilliseconds(where, "timeout", timeout) })
}

const checked = (where: string, options: Options): core.Settings => {
  const { deadline, grace, idleTime, name, onError, startTimeout, timeout, ...rest } = record(where, options)
  const { shared = false } = rest
  expect(typeof shared === "boolean", where, "shared", "a boolean", shared)
  expect(name === undefined || typeof name === "string", where, "name", "a string", name)
  if (onError !== undefined) callable(where, "onError", onError)
  return core.settings(
    where,
    {
      ...rest,
      idleTime: inMilliseconds(where, "idleTime", idleTime),
      startTimeout: inMilliseconds(where, "startTimeout", startTimeout),
      grace: inMilliseconds(where, "grace", grace),
      deadline: inMilliseconds(where, "deadline", deadline),
      timeout: inMilliseconds(where, "timeout", timeout)
    },
    { parallelism: parallelism(), shared }
  )
}

/**
 * Makes an executor, which is closed with the scope. Its workers are those of the platform that is provided, and run this package's
 * `effect-concurrency/worker/entry`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): Effect.Effect<Executor, never, PlatformWorker | Spawner | Scope.Scope> =>
  Effect.gen(function* () {
    const shared = record("Executor.make", options).shared ?? (yield* SharedMemory)
    const platform = yield* PlatformWorker
    const spawner = yield* Spawner
    const fork = yield* forker<never>()
    const time = yield* idleTime
    return yield* over({ ...options, shared }, starter(platform, spawner, fork, shared), time)
  })

/**
 * The same, over whatever starts its workers, and on whatever clock.
 *
 * @internal
 */
export const over = (options: Options, start: Start, time: Time): Effect.Effect<Executor, never, Scope.Scope> =>
  Effect.gen(function* () {
    const where = "Executor.make"
    const settings = checked(where, options)
    const hello = callOptions.hello(where, options)
    const { name, onError } = options
    const tell = reporter("Executor.onError", onError)
    const fork = yield* forker<never>()
    const run = yield* runner
    const acquire = Effect.sync(() => {
      const report = ({ error, ...rest }: core.Report) => void fork(tell({ ...rest, name, cause: causeFor(error) }))
      const reportPlain: Executor["reportPlain"] = ({ error, ...rest }) =>
        run(tell({ ...rest, cause: causeFor(error) }))
      return new ExecutorImpl(new Pool(settings, time, start, hello, report), tell, reportPlain)
    })
    return yield* Effect.acquireRelease(acquire, (executor) => executor.close)
  })

const causeFor = (error: unknown): Cause.Cause<unknown> => (error === undefined ? Cause.empty : Cause.fail(error))

/**
 * A module that is run elsewhere: for each function that it exports, what an executor is told to run.
 *
 * @since 0.1.0
 * @category constructors
 */
export const module: <M, E = never>(
  url: string | URL,
  options?: workerModule.Options<E>
) => workerModule.Module<M, E> = (url, options): any => workerModule.make("Executor.module", url, options)

/**
 * A function of a module with its arguments, for the option `init`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const bind = <Args extends ReadonlyArray<any>, A, E>(call: Call<Args, A, E>, ...args: Args): BoundCall =>
  callOptions.bind("Executor.bind", call, args)

// ------------------------------------------------------------------------------------------------------------------------ services

/**
 * The executor of a program that has one.
 *
 * @since 0.1.0
 * @category services
 */
export const Executor: Context.Tag<Executor, Executor> = tag<Executor>("effect-concurrency/Executor")

/**
 * The executor of a program, over whatever platform is provided.
 *
 * @see NodeExecutor for threads and processes
 * @since 0.1.0
 * @category layers
 */
export const layer = (options?: Options): Layer.Layer<Executor, never, PlatformWorker | Spawner> =>
  layerScoped(Executor, make(options))

/**
 * Runs a function of a module on the program's executor. See {@link Executor}.
 *
 * @since 0.1.0
 * @category operations
 */
export const run = <Args extends ReadonlyArray<any>, A, E>(
  call: Call<Args, A, E>,
  ...args: Args
): Effect.Effect<A, E | ExecutorError, Executor> => Effect.flatMap(Executor, (self) => self.run(call, ...args))

/**
 * The same, or fails at once when there is no room. See {@link Executor}.
 *
 * @since 0.1.0
 * @category operations
 */
export const tryRun = <Args extends ReadonlyArray<any>, A, E>(
  call: Call<Args, A, E>,
  ...args: Args
): Effect.Effect<A, E | ExecutorError | ExecutorFull, Executor> =>
  Effect.flatMap(Executor, (self) => self.tryRun(call, ...args))

/**
 * Starts a function of a module on the program's executor. See {@link Executor}.
 *
 * @since 0.1.0
 * @category operations
 */
export const start = <Args extends ReadonlyArray<any>, A, E>(
  call: Call<Args, A, E>,
  ...args: Args
): Effect.Effect<Task.Task<A, E | ExecutorError>, never, Executor> =>
  Effect.flatMap(Executor, (self) => self.start(call, ...args))

/**
 * Runs a function by its source on the program's executor. See {@link Executor}.
 *
 * @example
 * import { Effect } from "effect"
 * import * as Executor from "effect-concurrency/Executor"
 * import * as NodeExecutor from "effect-concurrency/NodeExecutor"
 *
 * const sum = Executor.toThread((limit: number) => {
 *   let sum = 0
 *   for (let i = 1; i <= limit; i++) sum += i
 *   return sum
 * }, 1000)
 *
 * console.log(await Effect.runPromise(sum.pipe(Effect.provide(NodeExecutor.layerThreads())))) // => 500500
 *
 * @since 0.1.0
 * @category operations
 */
export const toThread = <Args extends ReadonlyArray<any>, A>(
  f: (...args: Args) => A,
  ...args: Args
): Effect.Effect<Awaited<A>, ExecutorError, Executor> => Effect.flatMap(Executor, (self) => self.toThread(f, ...args))

/**
 * Starts workers of the program's executor. See {@link Executor}.
 *
 * @since 0.1.0
 * @category operations
 */
export const warmUp = (count?: number): Effect.Effect<void, WorkerDied | ExecutorClosed, Executor> =>
  Effect.flatMap(Executor, (self) => self.warmUp(count))

const with_ = (options: CallOptions): Effect.Effect<Executor, never, Executor> =>
  Effect.map(Executor, (self) => self.with(options))

export {
  /**
   * The program's executor, for jobs of which something is said: `const patient = yield* Executor.with({ timeout: "1 minute" })`. See
   * {@link Executor}.
   *
   * @since 0.1.0
   * @category operations
   */
  with_ as with
}

/**
 * Closes the program's executor, before its layer does. See {@link Executor}.
 *
 * @since 0.1.0
 * @category operations
 */
export const close: Effect.Effect<ReadonlyArray<string>, never, Executor> = Effect.flatMap(
  Executor,
  (self) => self.close
)

/**
 * Ends everything in the program's executor. See {@link Executor}.
 *
 * @since 0.1.0
 * @category operations
 */
export const terminate: Effect.Effect<ReadonlyArray<string>, never, Executor> = Effect.flatMap(
  Executor,
  (self) => self.terminate
)

/**
 * A frozen snapshot of the program's executor. See {@link Executor}.
 *
 * @since 0.1.0
 * @category operations
 */
export const stats: Effect.Effect<Stats, never, Executor> = Effect.flatMap(Executor, (self) => self.stats)

/**
 * A service class: a tag, its layer, and the operations of an `Executor` on whichever executor is provided.
 *
 * @since 0.1.0
 * @category services
 */
export interface ServiceClass<Self, Id extends string, E = never, R = never> extends service.ServiceClass<
  Self,
  Id,
  Executor,
  E,
  R
> {
  readonly run: <Args extends ReadonlyArray<any>, A, E>(
    call: Call<Args, A, E>,
    ...args: Args
  ) => Effect.Effect<A, E | ExecutorError, Self>
  readonly tryRun: <Args extends ReadonlyArray<any>, A, E>(
    call: Call<Args, A, E>,
    ...args: Args
  ) => Effect.Effect<A, E | ExecutorError | ExecutorFull, Self>
  readonly start: <Args extends ReadonlyArray<any>, A, E>(
    call: Call<Args, A, E>,
    ...args: Args
  ) => Effect.Effect<Task.Task<A, E | ExecutorError>, never, Self>
  readonly toThread: <Args extends ReadonlyArray<any>, A>(
    f: (...args: Args) => A,
    ...args: Args
  ) => Effect.Effect<Awaited<A>, ExecutorError, Self>
  /** The executor, for jobs of which something is said. */
  readonly with: (options: CallOptions) => Effect.Effect<Executor, never, Self>
  readonly warmUp: (count?: number) => Effect.Effect<void, WorkerDied | ExecutorClosed, Self>
  readonly close: Effect.Effect<ReadonlyArray<string>, never, Self>
  readonly terminate: Effect.Effect<ReadonlyArray<string>, never, Self>
  readonly stats: Effect.Effect<Stats, never, Self>
}

/**
 * An executor as a service: a pool of its own beside that of the program, for jobs that must not wait behind others, say.
 *
 * **Details**: the options are checked when the layer is built. They may also be an effect that finds them out then, such as a `Config`. The
 * layer needs a platform: `NodeExecutor.threads` and `NodeExecutor.processes`, or what `@effect/platform-browser` and `-bun` have.
 *
 * @example
 * import { Effect, Layer } from "effect"
 * import * as Executor from "effect-concurrency/Executor"
 * import * as NodeExecutor from "effect-concurrency/NodeExecutor"
 *
 * class Thumbnails extends Executor.Service<Thumbnails>()("app/Thumbnails", { max: 2, backlog: 100, shared: true }) {}
 *
 * const path = Executor.module<typeof import("node:path")>("node:path")
 * const program = Thumbnails.run(path.basename, "/pictures/sea.jpg")
 * const layer = Layer.provide(Thumbnails.layer, NodeExecutor.threads())
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(layer)))) // => sea.jpg
 *
 * @since 0.1.0
 * @category services
 */
export const Service =
  <Self>() =>
  <const Id extends string, E = never, R = never>(
    id: Id,
    options: service.Options<Options, E, R> = {}
  ): ServiceClass<Self, Id, E, R | PlatformWorker | Spawner> =>
    service.make(id, Effect.flatMap(service.options(options), make), {
      properties: ["close", "terminate", "stats"],
      methods: ["run", "tryRun", "start", "toThread", "warmUp"],
      others: {
        with: (tag) => (options: CallOptions) => Effect.map(tag, (self: Executor) => self.with(options))
      }
    })
