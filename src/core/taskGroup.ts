/**
 * The task group: work that ends together. The first failure tells all others to stop, and the group ends when everybody has.
 *
 * State: whether the group is open, stopping or closed; the members that have not ended; others who listen; the body, which tells the
 * group's own story and is a member like the others, as long as it was not told to stop; the failures; whether somebody outside had the
 * group stop. A scope in place of a body is a member, too: it keeps the group open.
 *
 * Invariants:
 *
 * - I1 An open group has members, and has neither failed nor been stopped. A closed one has no member.
 * - I2 Every member, and whoever listens, is told to stop once; in a group that is stopping or closed nobody is left to be told, but a
 *   body that `cancel` spares.
 * - I3 A group that is stopping or closed takes no member.
 * - I4 Every failure is kept, in order of the start of who failed, the body's last.
 * - I5 The outcome is given out once.
 *
 * Transitions: `enter`, `start`, `listen`, `end`, `endScope`, `cancel`, `outside`, `claim`; waiting for the end is that of running work.
 *
 * @internal
 */
import { listed } from "./report.js"
import * as running from "./running.js"
import type { Chain, Ticket } from "./ticket.js"
import { concat, settle } from "./ticket.js"
import type { WaitList } from "./waitList.js"
import * as waitList from "./waitList.js"

export const TypeId = "~effect-concurrency/TaskGroup"

export type TypeId = typeof TypeId

/** Why a group stops, and what those are told who listen. */
export interface Stop {
  readonly why: "failure" | "cancel" | "outside"
  /** The first error, or the reason that was given. */
  readonly reason: unknown
}

/** Who is to be told to stop. */
export type Listener = Ticket<undefined, Stop>

/** A member: what runs, and who is to be told, in one. The skins make it, for they know whom to tell how. */
export interface Member extends Listener, running.Work {
  /** In which order it was started. */
  readonly order: number
}

/** How a member failed: its errors, whether one of them is none that anybody could expect, and the skin's own account. */
export interface Failure {
  readonly errors: ReadonlyArray<unknown>
  readonly fatal: boolean
  readonly cause?: unknown
}

/** How a member ended. `"cancelled"`: because it was told to, or by itself as if it had been. */
export type End = "done" | "cancelled" | Failure

export type Status = "open" | "stopping" | "closed"

export interface State {
  readonly keeper: "body" | "scope"
  readonly members: running.State<Member>
  /** Who is no member, and is to be told. */
  readonly listening: WaitList<Listener>
  /** The body, while it was not told. */
  body: Member | undefined
  started: number
  stop: Stop | undefined
  outside: { readonly reason: unknown } | undefined
  readonly failures: Array<Failure & Pick<Member, "name" | "order">>
  claimed: boolean
}

/** What became of a group: nothing bad when all is undefined. */
export interface Outcome {
  /** The error, or all of them in one. */
  readonly error: unknown
  readonly failed: boolean
  readonly fatal: boolean
  /** Of the failure, when it was only one: the skin's own account. */
  readonly cause: unknown
  readonly outside: { readonly reason: unknown } | undefined
}

/**
 * Several tasks of a group have failed; or one has, and the group was told from outside to stop.
 *
 * **Details**: `errors` has the original errors, in order of the start of the tasks, the body's last. An error that several handed on
 * is there once.
 *
 * @since 0.1.0
 * @category errors
 */
export class TaskGroupError<out E = unknown> extends AggregateError {
  readonly _tag = "TaskGroupError"
  override readonly name = "TaskGroupError"
  declare readonly errors: Array<any> & ReadonlyArray<E>
}

/**
 * The group takes no task: it is stopping, or has ended.
 *
 * @since 0.1.0
 * @category errors
 */
export class TaskGroupClosed extends Error {
  readonly #group: object
  readonly _tag = "TaskGroupClosed"
  override readonly name = "TaskGroupClosed"

  constructor(
    /** The name of the task that was not started, if it has one. */
    readonly task: string | undefined,
    /** Whether the group was stopping, or had ended. */
    readonly status: "stopping" | "closed",
    group: object
  ) {
    const what = task === undefined ? "" : `${JSON.stringify(task)} `
    super(`the task ${what}was not started: the group ${status === "closed" ? "has ended" : "is stopping"}`)
    this.#group = group
  }

  /** @internal */
  static isBy(error: unknown, group: object): boolean {
    return typeof error === "object" && error !== null && #group in error && error.#group === group
  }
}

/** Makes a group that its body keeps open, or a scope in its place, until that is over. */
export const make = (keeper: State["keeper"], body: (name: string, order: number) => Member): State => {
  const members = running.make<Member>()
  const first = body(`(${keeper})`, Infinity)
  running.add(members, first)
  return {
    keeper,
    members,
    listening: waitList.make(),
    body: first,
    started: 0,
    stop: undefined,
    outside: undefined,
    failures: [],
    claimed: false
  }
}

export const status = ({ members, stop }: State): Status =>
  members.size === 0 ? "closed" : stop === undefined ? "open" : "stopping"

/** Whether an error is this group's own refusal: to who made it and is to stop anyway, that is no news. */
export const isRefusal = (state: State, error: unknown): boolean => TaskGroupClosed.isBy(error, state)

/** Whoever waits for the end of the group waits for itself. */
export const itself = "a task of the group waits for the group, and so for itself, and would never end"

/** A place in the group, or why there is none. Who gets one goes on with `start`, in the same step. */
export const enter = (state: State, name: string | undefined): number | TaskGroupClosed => {
  const now = status(state)
  return now === "open" ? state.started++ : new TaskGroupClosed(name, now, state)
}

export const start = (state: State, member: Member): void => running.add(state.members, member)

/** Listens without being a member. */
export const listen = (state: State, listener: Listener): Chain => {
  if (state.stop) return settle(undefined, listener, state.stop)
  if (status(state) === "open") waitList.push(state.listening, listener)
  return undefined
}

/** A member has ended. Its failure stops the group; so does a body that was cancelled, as nobody is left to be what the group is for. */
export const end = (state: State, member: Member, how: End): Chain => {
  const { name, order } = member
  const isBody = order === Infinity
  if (!running.has(state.members, member)) return undefined
  if (isBody) state.body = undefined
  // It has left before the others are told, so it is not.
  const last = running.remove(state.members, member)
  let chain: Chain = undefined
  if (typeof how === "object") {
    state.failures.push({ ...how, name, order })
    chain = tell(state, { why: "failure", reason: how.errors[0] })
  } else if (isBody && how === "cancelled") chain = tell(state, { why: "cancel", reason: undefined })
  forget(state)
  return concat(chain, last)
}

/** Who only listens to a group that has ended hears nothing any more. */
const forget = (state: State): void => {
  if (status(state) === "closed") while (waitList.shift(state.listening));
}

/** The scope is over that kept the group open; perhaps it was before. It came first, so it is the first as long as it is there. */
export const endScope = (state: State): Chain => {
  const { oldest } = state.members
  if (oldest?.order !== Infinity) return undefined
  state.body = undefined
  const chain = running.remove(state.members, oldest)
  forget(state)
  return chain
}

/** Stops all tasks, and not the body: the group will have ended well. */
export const cancel = (state: State, reason: unknown): Chain => {
  if (status(state) === "closed") return undefined
  if (state.stop) return undefined
  state.stop = { why: "cancel", reason }
  return tellOthers(state, undefined, state.stop)
}

/** Stops the group as somebody outside wants. */
export const outside = (state: State, reason: unknown): Chain => {
  if (status(state) === "closed") return undefined
  state.outside ??= { reason }
  return tell(state, { why: "outside", reason })
}

/** Tells all to stop: the body first, which may wait for one of the others, and is not to take the end of that for news. */
const tell = (state: State, stop: Stop): Chain => {
  const { body } = state
  const first = state.stop === undefined
  state.stop ??= stop
  state.body = undefined
  const chain = body && settle(undefined, body, state.stop)
  return first ? tellOthers(state, chain, state.stop) : chain
}

/** Tells the tasks and who listens: once, for a group that is stopping takes neither. */
const tellOthers = (state: State, chain: Chain, stop: Stop): Chain => {
  for (const member of running.all(state.members)) {
    if (member.order !== Infinity) chain = settle(chain, member, stop)
  }
  return waitList.settleAll(state.listening, chain, stop)
}

/**
 * What became of a group that has ended, for the first who asks. A skin that can show only one thing has an error and the request from
 * outside put into one.
 */
export const claim = (state: State, intoOne: boolean): Outcome | undefined => {
  if (state.claimed) return undefined
  state.claimed = true
  const { outside } = state
  const failures = state.failures.sort((a, b) => a.order - b.order)
  if (failures.length === 0) return { error: undefined, failed: false, fatal: false, cause: undefined, outside }
  const errors = distinct(failures.flatMap((failure) => failure.errors))
  return {
    error: errors.length === 1 && !(intoOne && outside) ? errors[0] : together(errors, failures, outside),
    failed: true,
    fatal: failures.some(({ fatal }) => fatal),
    cause: errors.length === 1 || failures.length === 1 ? failures[0]!.cause : undefined,
    outside
  }
}

/** Who waited for a failing task fails with its error: that is not another one. Of values that are no objects one cannot tell. */
const distinct = (errors: ReadonlyArray<unknown>): ReadonlyArray<unknown> => {
  const seen = new Set<unknown>()
  return errors.filter((error) => Object(error) !== error || seen.size < seen.add(error).size)
}

const together = (
  errors: ReadonlyArray<unknown>,
  failures: ReadonlyArray<running.Named>,
  outside: State["outside"]
): unknown => {
  const who = listed(failures.map(running.nameOf))
  const message = `${failures.length} ${failures.length === 1 ? "task" : "tasks"} of the group failed: ${who}`
  return new TaskGroupError(errors, message, outside && { cause: outside.reason })
}

export interface Stats {
  readonly status: Status
  /** How many have not ended; the body counts, and so does a scope that keeps the group open. */
  readonly running: number
  /** Their names. */
  readonly names: ReadonlyArray<string>
  /** How many have failed. */
  readonly failed: number
}

export const stats = (state: State): Stats =>
  Object.freeze({
    status: status(state),
    running: state.members.size,
    names: running.names(state.members),
    failed: state.failures.length
  })

/** Throws when an invariant does not hold. For tests. */
export const check = (state: State): void => {
  const { body, failures, listening, members, outside, stop } = state
  running.check(members)
  waitList.check(listening)
  const now = status(state)
  if (now === "open" && (failures.length > 0 || outside))
    throw new Error("I1: the group goes on although it has failed")
  if (now !== "open" && listening.size > 0) throw new Error(`I2: ${listening.size} were not told to stop`)
  if (body && (body.settled || (stop && stop.why !== "cancel"))) throw new Error("I2: the body was not told to stop")
  for (const { order, settled } of running.all(members)) {
    if (order !== Infinity && settled !== (stop !== undefined))
      throw new Error("I2: a task was not told to stop, or too early")
  }
}
