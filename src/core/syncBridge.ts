/**
 * The bridge: which worker does the work of a thread that waits, and which of its answers count.
 *
 * State: the worker that there is, by its number, and whether it has begun to listen; the numbers of calls and of workers, which are
 * never used twice; whether the bridge is closed; totals.
 *
 * Invariants:
 *
 * - I1 An answer counts when it comes from the worker that there is, and is that of the call that waits for it.
 * - I2 A worker that has died, or took too long, is none any more: the next call has another one, with a greater number.
 * - I3 A bridge that is closed has no worker, and gets none.
 * - I4 Every worker that was started is there, was closed, died, or took too long.
 *
 * Transitions: `begin` and `start`, `ready`, `accept`, `expire`, `died`, `broken` (its module could not be loaded), `close`.
 *
 * @internal
 */
import { expect, number, record } from "./arguments.js"
import { JobTimeout, WorkerDied } from "./job.js"
import type { Source } from "./workerModule.js"

export const TypeId = "~effect-concurrency/SyncBridge"

export type TypeId = typeof TypeId

/** How a bridge is made. Durations are milliseconds here. */
export interface Options {
  readonly timeout?: number | undefined
  readonly startTimeout?: number | undefined
  /** Of the platform, which knows what they are. */
  readonly resourceLimits?: object | undefined
}

export interface State extends Required<Options> {
  readonly timeout: number
  readonly startTimeout: number
  readonly source: Source
  /** The number of the worker that there is, or was the last. */
  worker: number
  phase: "none" | "starting" | "ready" | "closed"
  /** The number of the last call. */
  call: number
  timedOut: number
  workersDied: number
}

/**
 * A frozen snapshot.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats {
  /** Calls that were made, with those that failed. */
  readonly calls: number
  /** How many of them took too long. */
  readonly timedOut: number
  /** Workers that were started, one after the other. */
  readonly workers: number
  /** How many of them died by themselves, or could not be started. */
  readonly workersDied: number
}

/** How a call ended. `failure`: an effect has failed, as its type says that it may. `error`: something was thrown. */
export type Ended =
  { readonly _tag: "value"; readonly value: unknown } | { readonly _tag: "error" | "failure"; readonly error: unknown }

/**
 * The effect cannot come to its end in the present step: it waits for a timer, for input, for a promise, or for another fiber that does. It
 * was interrupted.
 *
 * @since 0.1.0
 * @category errors
 */
export class AsyncWork extends Error {
  readonly _tag = "AsyncWork"
  override readonly name = "AsyncWork"

  constructor() {
    super(
      "the effect cannot end at once: it waits for something, and was interrupted. Run it with Effect.runPromise; or, where only a " +
        "synchronous call will do, put it into a module, and call that through SyncBridge.make"
    )
  }
}

/**
 * The bridge is closed.
 *
 * @since 0.1.0
 * @category errors
 */
export class BridgeClosed extends Error {
  readonly _tag = "BridgeClosed"
  override readonly name = "BridgeClosed"

  constructor(
    /** The name of the function that was to be called. */
    readonly job: string
  ) {
    super(`${JSON.stringify(job)} was not called: the bridge is closed`)
  }
}

export const make = (where: string, source: Source, options: Options): State => {
  const { resourceLimits, startTimeout = 30_000, timeout = Infinity } = record(where, options)
  const isLimits = resourceLimits === undefined || (typeof resourceLimits === "object" && resourceLimits !== null)
  return {
    source,
    timeout: number(where, "timeout", timeout, 0),
    startTimeout: number(where, "startTimeout", startTimeout, 0),
    resourceLimits: expect(isLimits, where, "resourceLimits", "an object", resourceLimits),
    worker: 0,
    phase: "none",
    call: 0,
    timedOut: 0,
    workersDied: 0
  }
}

/** A call, or why there is none. */
export interface Call {
  readonly id: number
  readonly name: string
  readonly timeout: number
}

/** Checks a call, and counts it. */
export const begin = (
  state: State,
  where: string,
  name: string,
  args: ReadonlyArray<unknown>,
  timeout = state.timeout
): Call => {
  expect(typeof name === "string", where, "name", "the name of a function", name)
  expect(Array.isArray(args), where, "args", "an array", args)
  number(where, "timeout", timeout, 0)
  return { id: ++state.call, name, timeout }
}

/** Why a call is not to be made, if it is not. Without any time for it, nothing begins, and no worker has to be given up. */
export const refuse = (state: State, { name, timeout }: Call): BridgeClosed | JobTimeout | undefined => {
  if (state.phase === "closed") return new BridgeClosed(name)
  if (timeout > 0) return undefined
  state.timedOut++
  return new JobTimeout(name, timeout)
}

/** There was no worker, and one is started. Gives its number. */
export const start = (state: State): number => {
  state.phase = "starting"
  return ++state.worker
}

const isCurrent = (state: State, worker: number): boolean =>
  worker === state.worker && (state.phase === "starting" || state.phase === "ready")

/** The worker listens. */
export const ready = (state: State, worker: number): void => {
  if (isCurrent(state, worker)) state.phase = "ready"
}

/** Whether an answer is the one that is waited for. */
export const accept = (state: State, worker: number, waiting: Call, answer: number): boolean =>
  isCurrent(state, worker) && answer === waiting.id

/** Nothing came in time. What the caller is told; the worker is to be given up. */
export const expire = (state: State, { name, timeout }: Call): JobTimeout | WorkerDied => {
  const isReady = state.phase === "ready"
  state.phase = "none"
  if (isReady) {
    state.timedOut++
    return new JobTimeout(name, timeout)
  }
  state.workersDied++
  const cause = new Error(`it had not loaded ${state.source.href} after ${state.startTimeout} ms`)
  return new WorkerDied(name, false, cause)
}

/** A worker has ended by itself, or because of another call. What the caller is told, if one waits. */
export const died = (
  state: State,
  worker: number,
  waiting: Call | undefined,
  cause: unknown
): WorkerDied | undefined => {
  const started = !isCurrent(state, worker) || state.phase === "ready"
  broken(state, worker)
  return waiting && new WorkerDied(waiting.name, started, cause)
}

/** The worker could not load the module. The next call tries it again. */
export const broken = (state: State, worker: number): void => {
  if (!isCurrent(state, worker)) return
  state.phase = "none"
  state.workersDied++
}

/** Whether there was a worker, which is to be given up. */
export const close = (state: State): boolean => {
  const had = state.phase === "starting" || state.phase === "ready"
  state.phase = "closed"
  return had
}

/** What a call gives; throws what it ended with otherwise. */
export const valueOf = (ended: Ended): unknown => {
  if (ended._tag === "value") return ended.value
  throw ended.error
}

/** Whether an error is one of those that the function is said to fail with, and not a defect. */
export const isFailure = ({ source }: State, ended: Ended): boolean =>
  ended._tag === "failure" || (ended._tag === "error" && source.errors.some((each) => ended.error instanceof each))

export const stats = ({ call, timedOut, worker, workersDied }: State): Stats =>
  Object.freeze({ calls: call, timedOut, workers: worker, workersDied })

/** What a report says of a worker that nobody waited for. */
export const diedIdle = "the worker ended while nothing was called; the next call starts another"

/** What a report says of a worker that goes on although it was ended. */
export const unended = "the worker of a bridge cannot be ended"

/** Throws when an invariant does not hold. For tests, which see to I1 to I3 themselves: they are about what a transition gives. */
export const check = ({ phase, timedOut, worker, workersDied }: State): void => {
  // What had no time was not started for it, so there may be more of the one than of the other.
  const accounted = workersDied + timedOut + (phase === "none" ? 0 : 1)
  if (worker > accounted) throw new Error(`I4: of ${worker} workers, ${accounted} are accounted for`)
}
