/**
 * The registry of tasks in the background: what runs, how much may, who waits until nothing does, and how it ends.
 *
 * State: running work, which is the tasks that have not ended and those that have failed and are being reported; how many of the latter there
 * are; which tasks count against no limit; the semaphore of those that may run at a time, if there is one; how far closing has got;
 * totals.
 *
 * Invariants:
 *
 * - I1 A task in it has not ended, or its failure is being reported: one that ends leaves in the same step, or when that is done.
 * - I2 What counts against the limit is never more than concurrency and backlog together.
 * - I3 It is empty when every task has ended and every failure is reported; and who waits for that is told then.
 * - I4 A registry that is closed, or closing, takes no task. What was taken is still accounted for.
 * - I5 Closing goes from stage to stage and never back, however many close. Of what a stage gives up it is told once.
 *
 * Transitions: `add`, `tryAdd`, `remove`, `reported`, `stopAll`; `close` and `proceed`; waiting until it is empty is that of running work.
 *
 * @internal
 */
import { expect, integer, integerOrInfinity, number, oneOf, record } from "./arguments.js"
import * as running from "./running.js"
import type { State as Semaphore } from "./semaphore.js"
import * as semaphore from "./semaphore.js"
import type { State as Task } from "./task.js"
import * as task from "./task.js"
import type { Chain } from "./ticket.js"
import { concat } from "./ticket.js"

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

/** Open; letting tasks end; having cancelled them; having left behind what did not clean up. */
const stages = ["open", "draining", "stopping", "leaving"] as const

export type Stage = (typeof stages)[number]

export interface State {
  readonly works: running.State<Task>
  /** How many of the works have ended, and are being reported. */
  reporting: number
  /** Those of the works that count against no limit: they ran before they came. */
  readonly unlimited: Set<Task>
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
    reporting: 0,
    unlimited: new Set(),
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

/** How many tasks have not ended. */
export const size = ({ reporting, works }: State): number => works.works.size - reporting

const limited = (state: State): number => size(state) - state.unlimited.size

const isFull = (state: State): boolean => limited(state) >= state.limit

const isOpen = ({ stage }: State): boolean => stage === "open"

export const isEmpty = ({ works }: State): boolean => works.works.size === 0

/** Takes a task in, or gives why not. What is running already counts against no limit. */
export const add = (state: State, task: Task, counts = true): BackgroundClosed | BackgroundFull | undefined => {
  if (!isOpen(state)) return new BackgroundClosed(task.name)
  if (counts && isFull(state)) return new BackgroundFull(task.name, state.limit)
  running.add(state.works, task)
  if (!counts) state.unlimited.add(task)
  return undefined
}

/** Takes a task in, if it is open and there is room; says whether it has. (An error costs more than that: it has a stack.) */
export const tryAdd = (state: State, task: Task): boolean => {
  const takes = isOpen(state) && !isFull(state)
  if (takes) running.add(state.works, task)
  return takes
}

/** A task has ended. When its failure is to be reported, it leaves when that is done: see `reported`. */
export const remove = (state: State, task: Task, reporting: boolean): Chain => {
  state.unlimited.delete(task)
  state.ended[task.outcome!._tag]++
  if (!reporting) return running.remove(state.works, task)
  state.reporting++
  return undefined
}

/** The failure of a task was reported, or turned out to be somebody's. */
export const reported = (state: State, task: Task): Chain => {
  state.reporting--
  return running.remove(state.works, task)
}

/** The tasks that have not ended, in order of their start. */
export const tasks = ({ works }: State): ReadonlyArray<Task> =>
  Array.from(works.works).filter(({ outcome }) => outcome === undefined)

/** Tells all that are there to stop, in one step. */
export const stopAll = (state: State, reason: unknown): Chain => {
  let chain: Chain = undefined
  for (const each of state.works.works) chain = concat(chain, task.stop(each, reason))
  return chain
}

// ------------------------------------------------------------------------------------------------------------------------- closing

/**
 * What whoever closes has to do next, in this order: wake, report, wait until the registry is empty, and then ask `proceed`. Without
 * something to wait for, it is done.
 */
export interface Step {
  readonly stage: Stage
  readonly chain: Chain
  /** What is to be reported. */
  readonly message: string | undefined
  /** How many milliseconds it waits at most. */
  readonly wait: number | undefined
  /** The names of the tasks that it has given up so far. */
  readonly givenUp: ReadonlyArray<string>
}

/** Takes nothing more, and begins to close as the options say: with letting the tasks end, or with cancelling them. */
export const close = (state: State, reason: unknown): Step => {
  if (state.onClose === "interrupt") return stop(state, [], reason)
  reach(state, "draining")
  return { stage: "draining", chain: undefined, message: undefined, wait: state.deadline, givenUp: [] }
}

/** The wait of a step is over, in whichever way. What is closed takes nothing: once empty, it stays so. */
export const proceed = (state: State, { givenUp, stage }: Step, reason: unknown): Step => {
  if (isEmpty(state)) return done(undefined, givenUp)
  const names = namesOf(state)
  if (stage === "draining") return stop(state, names, reason)
  const message = reach(state, "leaving") ? gaveUp(names, "had not cleaned up in time", "left behind") : undefined
  return done(message, givenUp.length > 0 ? givenUp : names)
}

/** Cancels what there is, some of which had time to end. */
const stop = (state: State, late: ReadonlyArray<string>, reason: unknown): Step => {
  const givenUp = reach(state, "stopping") ? late : []
  return {
    stage: "stopping",
    chain: stopAll(state, reason),
    message: gaveUp(givenUp, "had not ended by the deadline", "cancelled"),
    wait: state.grace,
    givenUp
  }
}

const done = (message: string | undefined, givenUp: ReadonlyArray<string>): Step => ({
  stage: "leaving",
  chain: undefined,
  message,
  wait: undefined,
  givenUp
})

/** Gets to a stage. Says whether it is the first who does: several may close. */
const reach = (state: State, stage: Stage): boolean => {
  const first = stages.indexOf(stage) > stages.indexOf(state.stage)
  if (first) state.stage = stage
  return first
}

const namesOf = (state: State): ReadonlyArray<string> => tasks(state).map(({ name }) => name ?? "(no name)")

const gaveUp = (names: ReadonlyArray<string>, why: string, what: string): string | undefined => {
  if (names.length === 0) return undefined
  const [count, were] = names.length === 1 ? ["1 task", "was"] : [`${names.length} tasks`, "were"]
  const more = names.length > 20 ? `, and ${names.length - 20} more` : ""
  return `${count} ${why}, and ${were} ${what}: ${names.slice(0, 20).join(", ")}${more}`
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
    queued: state.semaphore === undefined ? 0 : Math.max(0, limited(state) - state.semaphore.permits),
    succeeded: state.ended.Success,
    failed: state.ended.Failure,
    cancelled: state.ended.Cancelled,
    isClosed: !isOpen(state)
  })

/** Throws when an invariant does not hold. For tests. */
export const check = (state: State): void => {
  const { limit, reporting, unlimited, works } = state
  running.check(works)
  if (state.semaphore) semaphore.check(state.semaphore)
  for (const each of works.works) task.check(each)
  const all = tasks(state)
  const ended = works.works.size - all.length
  if (ended !== reporting) throw new Error(`I1: ${ended} that have ended are kept, and ${reporting} are being reported`)
  const counted = all.filter((each) => !unlimited.has(each)).length
  if (counted !== limited(state)) throw new Error("I2: what counts against no limit is not there")
  if (counted > limit) throw new Error(`I2: ${counted} count against a limit of ${limit}`)
}
