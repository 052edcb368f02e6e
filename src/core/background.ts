/**
 * The registry of tasks in the background: what runs, how much may, and who waits until nothing does.
 *
 * State: the tasks that have not ended (held strongly, in order of their start), each with whether it counts against the limit; how many of
 * them do; the semaphore of those that may run at a time, if there is one; how many failures are being reported; whether it is closed; who
 * waits for it to be empty; totals.
 *
 * Invariants:
 *
 * - I1 No task in it has ended: one that ends leaves in the same step.
 * - I2 What counts against the limit is never more than concurrency and backlog together.
 * - I3 Nobody waits for an empty registry to be empty. It is empty when every task has ended, and every failure is reported.
 * - I4 A closed registry takes no task. What was taken is still accounted for.
 *
 * Transitions: `add`, `remove`, `reported`, `close`, `stopAll`, `enqueue`, `cancel`.
 *
 * @internal
 */
import { expect, integer, integerOrInfinity, number, oneOf, record } from "./arguments.js"
import type { State as Semaphore } from "./semaphore.js"
import * as semaphore from "./semaphore.js"
import type { State as Task } from "./task.js"
import * as task from "./task.js"
import type { Chain, Ticket } from "./ticket.js"
import { concat } from "./ticket.js"
import type { WaitList } from "./waitList.js"
import * as waitList from "./waitList.js"

export const TypeId = "~effect-concurrency/Background"

export type TypeId = typeof TypeId

export type Waiting = Ticket<undefined, undefined>

export type OnClose = "interrupt" | "drain"

/** How a registry is made. Durations are milliseconds here. */
export interface Options {
  readonly concurrency?: number | undefined
  readonly backlog?: number | undefined
  readonly onClose?: OnClose | undefined
  readonly deadline?: number | undefined
  readonly grace?: number | undefined
}

export interface State {
  readonly tasks: Map<Task, boolean>
  readonly semaphore: Semaphore | undefined
  /** The most that may run or wait to run. */
  readonly limit: number
  /** How many run or wait to run, of those that count. */
  limited: number
  /** How many failures are being reported. */
  reporting: number
  closed: boolean
  readonly onClose: OnClose
  readonly deadline: number
  readonly grace: number
  readonly waiting: WaitList<Waiting>
  readonly ended: Record<task.Outcome["_tag"], number>
}

/**
 * The registry is closed: nothing can be started there any more.
 *
 * @since 0.1.0
 * @category errors
 */
export class BackgroundClosed extends Error {
  readonly _tag = "BackgroundClosed"
  override readonly name = "BackgroundClosed"

  constructor(
    /** The name of the task that was not started, if it has one. */
    readonly task: string | undefined
  ) {
    super(`${notStarted(task)}: the registry is closed`)
  }
}

/**
 * As many tasks run as may, and as many wait as may.
 *
 * @since 0.1.0
 * @category errors
 */
export class BackgroundFull extends Error {
  readonly _tag = "BackgroundFull"
  override readonly name = "BackgroundFull"

  constructor(
    /** The name of the task that was not started, if it has one. */
    readonly task: string | undefined,
    /** How many may run and wait together. */
    readonly limit: number
  ) {
    super(`${notStarted(task)}: the registry is full, it holds ${limit}`)
  }
}

const notStarted = (name: string | undefined): string =>
  `the task ${name === undefined ? "" : `${JSON.stringify(name)} `}was not started`

export const make = (where: string, options: Options): State => {
  const { backlog, concurrency, deadline = Infinity, grace = Infinity, onClose = "interrupt" } = record(where, options)
  if (concurrency !== undefined) integer(where, "concurrency", concurrency, 1)
  if (backlog !== undefined) {
    integerOrInfinity(where, "backlog", backlog, 0)
    expect(concurrency !== undefined, where, "backlog", "given together with a concurrency", backlog, "number")
  }
  return {
    tasks: new Map(),
    semaphore: concurrency === undefined ? undefined : semaphore.make(concurrency),
    limit: (concurrency ?? Infinity) + (backlog ?? Infinity),
    limited: 0,
    reporting: 0,
    closed: false,
    onClose: oneOf(where, "onClose", onClose, ["interrupt", "drain"]),
    deadline: number(where, "deadline", deadline, 0),
    grace: number(where, "grace", grace, 0),
    waiting: waitList.make(),
    ended: { Success: 0, Failure: 0, Cancelled: 0 }
  }
}

/** Takes a task in, or gives why not. What is running already counts against no limit. */
export const add = (state: State, task: Task, limited = true): BackgroundClosed | BackgroundFull | undefined => {
  if (state.closed) return new BackgroundClosed(task.name)
  if (limited) {
    if (state.limited >= state.limit) return new BackgroundFull(task.name, state.limit)
    state.limited++
  }
  state.tasks.set(task, limited)
  return undefined
}

/** A task has ended. When its failure is to be reported, the registry is not empty before that is done: see `reported`. */
export const remove = (state: State, task: Task, reporting: boolean): Chain => {
  if (state.tasks.get(task)) state.limited--
  state.tasks.delete(task)
  state.ended[task.outcome!._tag]++
  if (reporting) state.reporting++
  return emptied(state)
}

/** A failure was reported, or turned out to be somebody's. */
export const reported = (state: State): Chain => {
  state.reporting--
  return emptied(state)
}

export const isEmpty = ({ reporting, tasks }: State): boolean => tasks.size + reporting === 0

const emptied = (state: State): Chain =>
  isEmpty(state) ? waitList.settleAll(state.waiting, undefined, undefined) : undefined

/** Takes nothing more. */
export const close = (state: State): void => {
  state.closed = true
}

/** Tells all that are there to stop, in one step. */
export const stopAll = (state: State, reason: unknown): Chain => {
  let chain: Chain = undefined
  for (const each of state.tasks.keys()) chain = concat(chain, task.stop(each, reason))
  return chain
}

/** Waits until the registry is empty. It is not. */
export const enqueue = (state: State, ticket: Waiting): void => waitList.push(state.waiting, ticket)

export const cancel = (_: State, ticket: Waiting): Chain => {
  if (!ticket.settled) waitList.remove(ticket)
  return undefined
}

/** The names of what has not ended, for a reader. */
export const names = (state: State): ReadonlyArray<string> =>
  Array.from(state.tasks.keys(), ({ name }) => name ?? "(no name)")

/** Why a registry says that it gave something up. */
export const abandoned = (what: string, names: ReadonlyArray<string>): string => {
  const more = names.length > 20 ? `, and ${names.length - 20} more` : ""
  return `${names.length} ${names.length === 1 ? "task" : "tasks"} ${what}: ${names.slice(0, 20).join(", ")}${more}`
}

export interface Stats {
  /** How many tasks have not ended: those that run, and those that wait to. */
  readonly size: number
  /** How many of them wait until others have ended. */
  readonly queued: number
  /** How many have ended with a value. */
  readonly succeeded: number
  /** How many have failed, whether somebody waited for them or not. */
  readonly failed: number
  /** How many have ended because they were cancelled. */
  readonly cancelled: number
  /** Whether it is closed. */
  readonly isClosed: boolean
}

export const stats = ({ closed, ended, limited, semaphore, tasks }: State): Stats =>
  Object.freeze({
    size: tasks.size,
    queued: semaphore === undefined ? 0 : Math.max(0, limited - semaphore.permits),
    succeeded: ended.Success,
    failed: ended.Failure,
    cancelled: ended.Cancelled,
    isClosed: closed
  })

/** Throws when an invariant does not hold. For tests. */
export const check = (state: State): void => {
  const { limit, limited, tasks, waiting } = state
  waitList.check(waiting)
  if (state.semaphore) semaphore.check(state.semaphore)
  for (const each of tasks.keys()) {
    task.check(each)
    if (each.outcome) throw new Error("I1: a task that has ended is kept")
  }
  if (limited > limit || limited !== Array.from(tasks.values()).filter(Boolean).length)
    throw new Error(`I2: ${limited} count against a limit of ${limit}`)
  if (isEmpty(state) && waiting.size > 0) throw new Error(`I3: ${waiting.size} wait for what is so`)
}
