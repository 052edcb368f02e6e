/**
 * The job: a piece of work for a worker, and how it ended.
 *
 * @internal
 */
import type { Worker } from "./poolWorker.js"
import type { Target } from "./protocol.js"
import type { Ticket } from "./ticket.js"
import type { Timer } from "./timers.js"
import type { ErrorClass } from "./wire.js"
import type { Codec } from "./workerModule.js"

/** What a job is. The skin makes it, and it does not change. */
export interface Work {
  /** For errors and for a reader. */
  readonly name: string
  readonly target: Target
  /** Reaches the function beside its arguments. */
  readonly context: unknown
  readonly transfer: ReadonlyArray<unknown> | undefined
  /** How long it may run, in milliseconds. */
  readonly timeout: number
  /** The classes of the errors that it may fail with. */
  readonly errors: ReadonlyArray<ErrorClass>
  /** What decodes its end, where it has a contract and the skin has no way of its own. */
  readonly codec?: Codec | undefined
}

type Phase = "queued" | "offered" | "running" | "stopping" | "ended"

/** Why a job was told to stop. */
export type Stop = { readonly _tag: "Cancelled"; readonly reason: unknown } | { readonly _tag: "TimedOut" }

/** A job, which is what a caller's ticket asks for. */
export class Job {
  phase: Phase = "queued"
  /** Its number, anew each time that it is sent. */
  id = 0
  /** Where in the worker's board it stands; see core/board. */
  slot = -1
  worker: Worker | undefined = undefined
  stop: Stop | undefined = undefined
  /** When it came, and when it began to run. */
  since = 0
  /** When its time is over, or its grace. */
  wakeAt = Infinity
  /** Rings then. */
  timer: Timer | undefined = undefined

  constructor(readonly work: Work) {}
}

/** How a job ended. */
export type End =
  | { readonly _tag: "Value"; readonly value: unknown }
  /** What the function threw, or failed with; `expected`, if it says of itself that it may. Or the job could not be sent. */
  | { readonly _tag: "Rejected"; readonly error: unknown; readonly expected: boolean }
  | { readonly _tag: "Failed"; readonly error: WorkerDied | JobTimeout | ExecutorClosed }
  | { readonly _tag: "Cancelled" }

export type Call = Ticket<Job, End>

// ------------------------------------------------------------------------------------------------------------------------- errors

/**
 * The worker that ran the job has ended by itself: it exited, ran out of memory, was killed, or could not be started.
 *
 * @since 0.1.0
 * @category errors
 */
export class WorkerDied extends Error {
  readonly _tag = "WorkerDied"
  override readonly name = "WorkerDied"

  constructor(
    /** The name of the job that it ran. */
    readonly job: string,
    /** Whether the job had begun, or at least may have. */
    readonly started: boolean,
    cause: unknown
  ) {
    const how = started ? "ended while it ran" : "could not be started for"
    super(`the worker ${how} ${JSON.stringify(job)}${reasonOf(cause)}`, { cause })
  }
}

/**
 * The job took longer than it may.
 *
 * @since 0.1.0
 * @category errors
 */
export class JobTimeout extends Error {
  readonly _tag = "JobTimeout"
  override readonly name = "JobTimeout"

  constructor(
    /** The name of the job. */
    readonly job: string,
    /** How long it may run, in milliseconds. */
    readonly milliseconds: number
  ) {
    super(`the job ${JSON.stringify(job)} ran longer than ${milliseconds} ms, and was stopped`)
  }
}

/**
 * The executor is closed, or was while the job waited or ran.
 *
 * @since 0.1.0
 * @category errors
 */
export class ExecutorClosed extends Error {
  readonly _tag = "ExecutorClosed"
  override readonly name = "ExecutorClosed"

  constructor(
    /** The name of the job. */
    readonly job: string,
    /** Whether the job had begun: closing did not wait for it longer than it may. */
    readonly started: boolean
  ) {
    super(`the job ${JSON.stringify(job)} was ${started ? "stopped" : "not started"}: the executor is closed`)
  }
}

/**
 * All workers are busy, and as many jobs wait as may.
 *
 * @since 0.1.0
 * @category errors
 */
export class ExecutorFull extends Error {
  readonly _tag = "ExecutorFull"
  override readonly name = "ExecutorFull"

  constructor(
    /** The name of the job. */
    readonly job: string,
    /** How many may wait. */
    readonly backlog: number
  ) {
    super(`the job ${JSON.stringify(job)} was not taken: all workers are busy, and ${backlog} wait`)
  }
}

const reasonOf = (cause: unknown): string => (cause instanceof Error ? `: ${cause.message}` : "")
