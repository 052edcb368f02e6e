/**
 * The task: running work, as those see it who did not start it. How it ended, who waits for that, and whether it was told to stop.
 *
 * State: the outcome once there is one, the request to stop once there was one, who is to be told of the request, who waits for the end (in
 * order of arrival: those who await, and callbacks), and how many have asked for the outcome and not gone before they had it.
 *
 * Invariants:
 *
 * - I1 A task ends once: its outcome does not change.
 * - I2 Nobody waits for a task that has ended.
 * - I3 It is told to stop once, with the reason of the first request. Nobody is left to be told once it was, or has ended.
 * - I4 A failure is somebody's: of whoever asked for the outcome, or of one report.
 *
 * Transitions: `enqueue`, `leave`, `onStop`, `stop`, `end`, `observe`, `unhandled`, `giveUp`, `reportLate`.
 *
 * @internal
 */
import type { Chain, Ticket } from "./ticket.js"
import { settle } from "./ticket.js"
import type { WaitList } from "./waitList.js"
import * as waitList from "./waitList.js"

export const TypeId = "~effect-concurrency/Task"

export type TypeId = typeof TypeId

/**
 * The work ended with a value.
 *
 * @since 0.1.0
 */
export interface Success<out A> {
  readonly _tag: "Success"
  readonly value: A
}

/** The work failed. The cause is the skin's own account of it, if it has one. */
export interface Failure {
  readonly _tag: "Failure"
  readonly error: unknown
  readonly cause?: unknown
}

/**
 * The work was cancelled, and ended because of that.
 *
 * @since 0.1.0
 */
export interface Cancelled {
  readonly _tag: "Cancelled"
  /** What the first who cancelled gave as the reason. */
  readonly reason: unknown
}

export type Outcome<A = any> = Success<A> | Failure | Cancelled

/**
 * The work has not ended.
 *
 * @since 0.1.0
 */
export interface Pending {
  readonly _tag: "Pending"
}

/** Waits for the end; the request is whether it asks for the outcome, so that a failure is its business. */
export type Waiting = Ticket<boolean, Outcome>

/** Is told to stop; the result is the request. */
export type Stopping = Ticket<undefined, Stop>

export interface Stop {
  readonly reason: unknown
}

/** Looks whether a failure is anybody's, should all who had asked for it be gone. */
export type Reporting = Ticket<undefined, undefined>

export interface State<out A = any> {
  readonly name: string | undefined
  outcome: Outcome<A> | undefined
  stop: Stop | undefined
  /** How many have asked for the outcome; whoever reports a failure is one of them. */
  asked: number
  /** Whether one of those reports it. */
  told: boolean
  /** Who looks after a failure that all who asked for it have left behind. */
  reporting: Reporting | undefined
  /** Made when somebody waits: of most tasks in the background, nobody does. */
  waiting: WaitList<Waiting> | undefined
  /** The first of those to be told, linked by `next`. There is one, the worker, and seldom more. */
  stopping: Stopping | undefined
}

/**
 * Somebody waited for a task that was cancelled. It says that the task was, and not who waits.
 *
 * @since 0.1.0
 * @category errors
 */
export class TaskCancelled extends Error {
  readonly _tag = "TaskCancelled"
  override readonly name = "TaskCancelled"

  constructor(
    /** The name of the task, if it has one. */
    readonly task: string | undefined,
    /** What the first who cancelled gave as the reason. */
    readonly reason: unknown
  ) {
    super(`the task ${task === undefined ? "" : `${JSON.stringify(task)} `}was cancelled`)
  }
}

/** It waits for itself. */
export const itself = "the task waits for itself, and would never end"

export const pending: Pending = Object.freeze({ _tag: "Pending" })

export const make = <A>(name: string | undefined): State<A> => ({
  name,
  outcome: undefined,
  stop: undefined,
  asked: 0,
  told: false,
  reporting: undefined,
  waiting: undefined,
  stopping: undefined
})

/** Waits for the end. A ticket that comes late is settled at once. */
export const enqueue = (state: State, ticket: Waiting): Chain => {
  if (ticket.request) state.asked++
  if (state.outcome) return settle(undefined, ticket, state.outcome)
  waitList.push((state.waiting ??= waitList.make()), ticket)
  return undefined
}

/**
 * The caller of a ticket is gone, or does not want to be called. A failure that it was told of is not its business then; when it was the last
 * to ask, the failure is to be looked after.
 */
export const leave = (state: State, ticket: Waiting): Chain => {
  if (ticket.request) state.asked--
  if (ticket.lane) waitList.remove(ticket)
  const { reporting } = state
  if (!reporting || state.asked > 0) return undefined
  state.reporting = undefined
  return settle(undefined, reporting, undefined)
}

/** Who has to know that the task is to stop: the worker, signals. One that comes late is told at once. */
export const onStop = (state: State, ticket: Stopping): Chain => {
  if (state.stop) return settle(undefined, ticket, state.stop)
  if (state.outcome) return undefined
  // Behind the worker, whom it is better to tell first.
  if (state.stopping) {
    ticket.next = state.stopping.next
    state.stopping.next = ticket
  } else state.stopping = ticket
  return undefined
}

/** Asks the task to stop. Nothing happens when it was asked before, or has ended. */
export const stop = (state: State, reason: unknown): Chain => {
  if (state.stop || state.outcome) return undefined
  state.stop = { reason }
  let chain: Chain = undefined
  for (let ticket = state.stopping; ticket;) {
    const { next } = ticket
    ticket.next = undefined
    chain = settle(chain, ticket, state.stop)
    ticket = next
  }
  state.stopping = undefined
  return chain
}

/** The work has ended. What comes later changes nothing. */
export const end = <A>(state: State<A>, outcome: Outcome<A>): Chain => {
  if (state.outcome) return undefined
  state.outcome = Object.freeze(outcome)
  state.stopping = undefined
  return state.waiting && waitList.settleAll(state.waiting, undefined, outcome)
}

export const cancelled = (state: State): Cancelled => ({ _tag: "Cancelled", reason: state.stop?.reason })

/** Somebody has looked at the outcome, and so a failure is theirs. */
export const observe = (state: State): void => {
  state.asked++
}

/** The failure that is nobody's, for the one report of it. */
export const unhandled = (state: State): Failure | undefined => {
  if (state.asked > 0 || state.outcome?._tag !== "Failure") return undefined
  state.asked++
  state.told = true
  return state.outcome
}

/** Nobody waits for the report any more. Says whether the failure is one that is told, or was to be: the latter need not any more. */
export const giveUp = (state: State): boolean => state.told || unhandled(state) !== undefined

/** Somebody has the failure, it seems: should they all go and leave it behind, this ticket is to look after it. Perhaps they have gone. */
export const reportLate = (state: State, ticket: Reporting): Chain => {
  if (state.asked === 0) return settle(undefined, ticket, undefined)
  state.reporting = ticket
  return undefined
}

/**
 * Watches a task for others, who may or may not get its outcome: a race. As long as it watches it asks for a failure, so that nobody is told of
 * one twice. When it is over, the failure is whose who got it (`keep`), or left to whoever else asks for it (`leave`).
 */
export class Watch {
  private over = false

  constructor(
    private readonly task: State,
    /** Asks for the outcome, and is woken when it is there. */
    private readonly ticket: Waiting
  ) {}

  begin(): Chain {
    return enqueue(this.task, this.ticket)
  }

  keep(): void {
    this.over = true
  }

  leave(): Chain {
    if (this.over) return undefined
    this.over = true
    return leave(this.task, this.ticket)
  }
}

/** Throws when an invariant does not hold. For tests. */
export const check = (state: State): void => {
  const { outcome, stop, stopping, waiting } = state
  if (waiting) waitList.check(waiting)
  const asking = waiting ? waitList.tickets(waiting).filter(({ request }) => request).length : 0
  if (state.asked < asking) throw new Error(`I4: ${asking} ask, and ${state.asked} are known`)
  if (outcome && !Object.isFrozen(outcome)) throw new Error("I1: the outcome can be changed")
  if (outcome && waiting?.size) throw new Error(`I2: ${waiting.size} wait for a task that has ended`)
  if ((outcome || stop) && stopping) throw new Error("I3: somebody was not told to stop")
}
