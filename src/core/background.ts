/**
 * The registry of tasks in the background: what runs, how much may, who waits until nothing does, and how it ends.
 *
 * State: running work, which is the tasks that have not ended; those that have failed and are being reported; who waits until there are
 * neither; how many tasks count against the limit; the semaphore of those that may run at a time, if there is one; how far closing has
 * got; totals.
 *
 * Invariants:
 *
 * - I1 A task in it has not ended, or its failure is being reported: one that ends leaves in the same step, or when that is done, or has
 *   to be logged instead.
 * - I2 What counts against the limit is never more than concurrency and backlog together.
 * - I3 It is empty when every task has ended and every failure is reported, or somebody's; and who waits for that is told then.
 * - I4 A registry that is closed, or closing, takes no task. What was taken is still accounted for.
 * - I5 Closing goes from stage to stage and never back, however many close. Of what a stage gives up it is told once. A stage that waits
 *   for what somebody else does waits no longer than the options say. (What turns up in the tick in which its wait is over has as long again.)
 *
 * Transitions: `add`, `tryAdd`, `remove`, `reported`, `unclaimed`, `stopAll`; `close` and `proceed`; `enqueue`, and `running.cancel`, for who
 * waits.
 *
 * @internal
 */
import { expect, integer, integerOrInfinity, number, oneOf, record } from "./arguments.js"
import { listed } from "./report.js"
import * as running from "./running.js"
import type { State as Semaphore } from "./semaphore.js"
import * as semaphore from "./semaphore.js"
import type { State as Task } from "./task.js"
import * as task from "./task.js"
import type { Chain } from "./ticket.js"
import { concat, settle } from "./ticket.js"
import type { WaitList } from "./waitList.js"
import * as waitList from "./waitList.js"

export const TypeId = "~effect-concurrency/Background"

export type TypeId = typeof TypeId

export type OnClose = "interrupt" | "drain"

/** How a registry is made. Durations are milliseconds here. */
export interface Options {
  readonly concurrency?: number | undefined
  readonly backlog?: number | undefined
  readonly onClose?: OnClose | undefined
  readonly deadline?: number | undefined
  readonly grace?: number | undefined
}

/** A task in the registry. The skins add what they have to know of it: one object, since there are many. */
export interface Entry extends running.Work {
  readonly task: Task
  /** Whether it counts against the limit. What ran before it came does not. */
  readonly limited: boolean
}

/** Open; letting tasks end; having cancelled them; having left behind what did not clean up. */
const stages = ["open", "draining", "stopping", "leaving"] as const

export type Stage = (typeof stages)[number]

export interface State {
  readonly works: running.State<Entry>
  /** Those that have failed, and are being reported. */
  readonly reports: running.State<Entry>
  /** Who waits until it is empty. */
  readonly waiting: WaitList<running.Waiting>
  /** How many of the tasks count against the limit. */
  limited: number
  readonly semaphore: Semaphore | undefined
  /** The most that may run or wait to run. */
  readonly limit: number
  readonly onClose: OnClose
  readonly deadline: number
  readonly grace: number
  stage: Stage
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
    works: running.make(),
    reports: running.make(),
    waiting: waitList.make(),
    limited: 0,
    semaphore: concurrency === undefined ? undefined : semaphore.make(concurrency),
    limit: (concurrency ?? Infinity) + (backlog ?? Infinity),
    onClose: oneOf(where, "onClose", onClose, ["interrupt", "drain"]),
    deadline: number(where, "deadline", deadline, 0),
    grace: number(where, "grace", grace, 0),
    stage: "open",
    ended: { Success: 0, Failure: 0, Cancelled: 0 }
  }
}

// --------------------------------------------------------------------------------------------------------------------------- tasks

/** What is said of a failure that goes to the report. */
export const unheard = "it failed, and nobody waits for it"

/** Who waits for the end of all waits for itself. */
export const itself = "a task of the registry waits for the registry, and so for itself, and would never end"

/** How many tasks have not ended. */
export const size = ({ works }: State): number => works.size

const isFull = ({ limit, limited }: State): boolean => limited >= limit

const isOpen = ({ stage }: State): boolean => stage === "open"

export const isEmpty = ({ reports, works }: State): boolean => works.size === 0 && reports.size === 0

/** Takes a task in, or gives why not. What is running already counts against no limit. */
export const add = (state: State, entry: Entry): BackgroundClosed | BackgroundFull | undefined => {
  if (!isOpen(state)) return new BackgroundClosed(entry.name)
  if (entry.limited && isFull(state)) return new BackgroundFull(entry.name, state.limit)
  take(state, entry)
  return undefined
}

/** Takes a task in, if it is open and there is room; says whether it has. (An error costs more than that: it has a stack.) */
export const tryAdd = (state: State, entry: Entry): boolean => {
  const takes = isOpen(state) && !isFull(state)
  if (takes) take(state, entry)
  return takes
}

const take = (state: State, entry: Entry): void => {
  running.add(state.works, entry)
  if (entry.limited) state.limited++
}

/** A task has ended. When its failure is to be reported, it leaves when that is done: see `reported`. */
export const remove = (state: State, entry: Entry, reporting: boolean): Chain => {
  if (entry.limited) state.limited--
  state.ended[entry.task.outcome!._tag]++
  const chain = running.remove(state.works, entry)
  if (reporting) running.add(state.reports, entry)
  return concat(chain, emptied(state))
}

/** The failure of a task was reported, or turned out to be somebody's. */
export const reported = (state: State, entry: Entry): Chain =>
  concat(running.remove(state.reports, entry), emptied(state))

/**
 * A failure that was somebody's is to be reported after all: whoever had it has left it behind. From this step on it is waited for, as all that
 * is to be reported.
 */
export const unclaimed = (state: State, entry: Entry): void => running.add(state.reports, entry)

/** Tells those who wait until it is empty, if it is. */
const emptied = (state: State): Chain =>
  isEmpty(state) ? waitList.settleAll(state.waiting, undefined, undefined) : undefined

/** The tasks that have not ended, in order of their start. */
export const tasks = ({ works }: State): ReadonlyArray<Task> => running.all(works).map(({ task }) => task)

/** Tells all that are there to stop, in one step. */
export const stopAll = (state: State, reason: unknown): Chain => {
  let chain: Chain = undefined
  for (const each of tasks(state)) chain = concat(chain, task.stop(each, reason))
  return chain
}

/** What can be waited for: that it is empty; that every task has ended; that every failure is reported. */
export type Until = "empty" | "ended" | "reported"

/** Waits for something; `running.cancel` leaves. */
export const enqueue = (state: State, until: Until, ticket: running.Waiting): Chain => {
  if (until === "ended") return running.enqueue(state.works, ticket)
  if (until === "reported") return running.enqueue(state.reports, ticket)
  if (isEmpty(state)) return settle(undefined, ticket, undefined)
  waitList.push(state.waiting, ticket)
  return undefined
}

// ------------------------------------------------------------------------------------------------------------------------- closing

/**
 * What whoever closes has to do next, in this order: wake; log what is overdue; report the message, which nobody waits for longer than
 * `patience` says; wait; and then ask `proceed`. Without something to wait for, it is done.
 */
export interface Step {
  readonly stage: Stage
  readonly chain: Chain
  /** Failures whose report has not ended in time. They are logged, since nobody waits for those reports any more. */
  readonly overdue: ReadonlyArray<Task>
  /** What is to be reported. When something is overdue, it is logged as well: who should report does not answer. */
  readonly message: string | undefined
  /** What it waits for. */
  readonly until: Until
  /** How many milliseconds it waits at most. */
  readonly wait: number | undefined
  /** The tasks that it has given up so far, or the reports of which. */
  readonly givenUp: ReadonlyArray<Task>
}

const idle = { chain: undefined, overdue: [], message: undefined, until: "empty", givenUp: [] } as const

/**
 * How long a report may take when there is nothing else to wait for: no longer than the tasks may, whichever way they end. A reporter
 * that never ends does not keep the registry from being closed.
 */
export const patience = ({ deadline, grace }: State): number => Math.min(deadline, grace)

/** Whether closing is over at some time, whatever the tasks do. */
export const isBounded = ({ deadline, grace, onClose }: State): boolean =>
  grace < Infinity && (onClose === "interrupt" || deadline < Infinity)

/** Takes nothing more, and begins to close as the options say: with letting the tasks end, or with cancelling them. */
export const close = (state: State, reason: unknown): Step => {
  if (state.onClose === "interrupt") return stop(state, reason, idle, [])
  reach(state, "draining")
  return { ...idle, stage: "draining", wait: state.deadline }
}

/**
 * The wait of a step is over: since what it was for has come, or since there was no more time. What is closed takes nothing, so all that can be
 * there in the first case is what somebody has left to be reported meanwhile: the step waits once more.
 */
export const proceed = (state: State, step: Step, reason: unknown, inTime = false): Step => {
  const { givenUp, stage } = step
  if (isEmpty(state)) return over({ ...idle, givenUp })
  if (stage === "stopping") return leave(state, givenUp)
  if (inTime && state.reports.size > 0) return { ...step, ...idle, until: step.until, givenUp }
  const { chain, overdue } = giveUpReports(state)
  const account = { chain, overdue, givenUp: union(givenUp, overdue) }
  // What does not end is there after the draining, and is left behind after all the rest.
  return stage === "draining" && size(state) > 0 ? stop(state, reason, account, tasks(state)) : over(account)
}

type Account = Pick<Step, "chain" | "overdue" | "givenUp">

/** Cancels what there is, some of which had time to end. */
const stop = (state: State, reason: unknown, account: Account, late: ReadonlyArray<Task>): Step => {
  const cancelled = reach(state, "stopping") ? late : []
  return {
    ...account,
    stage: "stopping",
    chain: concat(account.chain, stopAll(state, reason)),
    message: gaveUp(cancelled, "had not ended by the deadline", "cancelled"),
    until: "ended",
    wait: state.grace,
    givenUp: union(cancelled, account.givenUp)
  }
}

/** Every task has ended, or there was time enough for that. What is to be said of it has its time from now on. */
const leave = (state: State, givenUp: ReadonlyArray<Task>): Step => {
  const left = tasks(state)
  return {
    ...idle,
    stage: "leaving",
    message: reach(state, "leaving") ? gaveUp(left, "had not cleaned up in time", "left behind") : undefined,
    until: "reported",
    wait: patience(state),
    givenUp: union(givenUp, left)
  }
}

const over = (account: Account): Step => ({ ...idle, ...account, stage: "leaving", wait: undefined })

const union = (some: ReadonlyArray<Task>, others: ReadonlyArray<Task>): ReadonlyArray<Task> => [
  ...new Set([...some, ...others])
]

/** The failures that are being reported, which are nobody's business here any more. Some may turn out to be somebody's: those are not told of. */
const giveUpReports = (state: State): Pick<Step, "chain" | "overdue"> => {
  const entries = running.all(state.reports)
  let chain: Chain = undefined
  for (const entry of entries) chain = concat(chain, reported(state, entry))
  return { chain, overdue: entries.map(({ task }) => task).filter(task.giveUp) }
}

/** Gets to a stage. Says whether it is the first who does: several may close. */
const reach = (state: State, stage: Stage): boolean => {
  const first = stages.indexOf(stage) > stages.indexOf(state.stage)
  if (first) state.stage = stage
  return first
}

export const namesOf = (tasks: ReadonlyArray<Task>): ReadonlyArray<string> => tasks.map(running.nameOf)

const gaveUp = (tasks: ReadonlyArray<Task>, why: string, what: string): string | undefined => {
  if (tasks.length === 0) return undefined
  const [count, were] = tasks.length === 1 ? ["1 task", "was"] : [`${tasks.length} tasks`, "were"]
  return `${count} ${why}, and ${were} ${what}: ${listed(namesOf(tasks))}`
}

// -------------------------------------------------------------------------------------------------------------------- for a reader

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

export const stats = (state: State): Stats =>
  Object.freeze({
    size: size(state),
    queued: state.semaphore === undefined ? 0 : Math.max(0, state.limited - state.semaphore.permits),
    succeeded: state.ended.Success,
    failed: state.ended.Failure,
    cancelled: state.ended.Cancelled,
    isClosed: !isOpen(state)
  })

/** Throws when an invariant does not hold. For tests. */
export const check = (state: State): void => {
  const { limit, limited, reports, waiting, works } = state
  running.check(works)
  running.check(reports)
  waitList.check(waiting)
  if (state.semaphore) semaphore.check(state.semaphore)
  const [there, told] = [running.all(works), running.all(reports)]
  for (const each of [...there, ...told]) task.check(each.task)
  if (there.some(({ task }) => task.outcome)) throw new Error("I1: one that has ended is kept")
  if (told.some(({ task }) => task.outcome?._tag !== "Failure")) throw new Error("I1: what has not failed is reported")
  const counted = there.filter((each) => each.limited).length
  if (counted !== limited) throw new Error(`I2: ${counted} count against the limit, and ${limited} are known`)
  if (limited > limit) throw new Error(`I2: ${limited} count against a limit of ${limit}`)
  if (isEmpty(state) && waiting.size > 0) throw new Error(`I3: ${waiting.size} wait for nothing`)
}
