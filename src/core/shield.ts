/**
 * The shield: work that goes on when those who wait for it have gone, and the registry of it.
 *
 * State: of the registry, the work that has not ended or whose failure is being told, and whether it is closing, or closed. Of a work, how
 * it ended once it has, who waits for that, and how many were given the end and may have heard of it.
 *
 * Invariants:
 *
 * - I1 What is in a registry has not ended, or has failed and nobody heard of it until it is told.
 * - I2 Nobody waits for work that has ended.
 * - I3 A failure is somebody's: of whoever waited for the work when it ended and is still there, or of one report.
 * - I4 A closed registry takes no work. One that is closing has work.
 *
 * Transitions: `add`, `wait`, `leave`, `end`, `late`, `told`, `beginClose`, `close`; waiting for a registry to be empty is that of running work.
 *
 * @internal
 */
import { number, record } from "./arguments.js"
import * as running from "./running.js"
import type { Chain, Ticket } from "./ticket.js"
import { concat, settle } from "./ticket.js"
import type { WaitList } from "./waitList.js"
import * as waitList from "./waitList.js"

export const TypeId = "~effect-concurrency/Shield"

export type TypeId = typeof TypeId

/** How work ended: the skin's own account, and whether that is a failure. */
export interface End<out A = unknown> {
  readonly failed: boolean
  readonly account: A
}

/** Waits for the end of a work. */
export type Waiting = Ticket<undefined, End<any>>

export interface Work {
  readonly name: string | undefined
  end: End<any> | undefined
  readonly waiting: WaitList<Waiting>
  /** How many were given the end, without those who went away in the same tick. */
  heard: number
  reported: boolean
}

export interface State {
  readonly works: running.State<Work>
  /** The works of promises, of which several callers may wait for one. */
  readonly shared: WeakMap<object, Work>
  /** Milliseconds that closing waits. */
  readonly deadline: number
  /** A closing shield is closed in the step in which its last work ends: nothing gets in between. */
  status: "open" | "closing" | "closed"
}

/**
 * The shield is closed: nobody would wait for what is started there.
 *
 * @since 0.1.0
 * @category errors
 */
export class ShieldClosed extends Error {
  readonly _tag = "ShieldClosed"
  override readonly name = "ShieldClosed"

  constructor(
    /** The name of the work that was not started, if it has one. */
    readonly work: string | undefined
  ) {
    super(`the work ${work === undefined ? "" : `${JSON.stringify(work)} `}was not started: the shield is closed`)
  }
}

export const make = (where: string, options: { readonly deadline?: number | undefined } = {}): State => ({
  works: running.make(),
  shared: new WeakMap(),
  deadline: number(where, "deadline", record(where, options).deadline ?? Infinity, 0),
  status: "open"
})

export const makeWork = (name: string | undefined): Work => ({
  name,
  end: undefined,
  waiting: waitList.make(),
  heard: 0,
  reported: false
})

/** Takes work in, or gives why not. */
export const add = (state: State, work: Work): ShieldClosed | undefined => {
  if (state.status === "closed") return new ShieldClosed(work.name)
  running.add(state.works, work)
  return undefined
}

/** Waits for the end of a work. A ticket that comes late is settled at once. */
export const wait = (work: Work, ticket: Waiting): Chain => {
  if (work.end) {
    work.heard++
    return settle(undefined, ticket, work.end)
  }
  waitList.push(work.waiting, ticket)
  return undefined
}

/** The caller of a ticket is gone, and has not heard of the end. */
export const leave = (work: Work, ticket: Waiting): Chain => {
  if (ticket.settled) work.heard--
  else waitList.remove(ticket)
  return undefined
}

/** Work has ended. A failure that nobody hears of stays until it is told: who waits for an empty shield may end the program next. */
export const end = (state: State, work: Work, end: End): Chain => {
  work.end = end
  work.heard = work.waiting.size
  const chain = waitList.settleAll(work.waiting, undefined, end)
  return end.failed && work.heard === 0 ? chain : concat(chain, remove(state, work))
}

/** The failure that nobody hears of, for the one report of it. To be asked after `end`, and after `leave`; then it has to be `told`. */
export const late = (state: State, work: Work): End<any> | undefined => {
  if (!work.end?.failed || work.heard > 0 || work.reported) return undefined
  work.reported = true
  // It may have left already: with a caller who then went away in the tick of the end.
  running.add(state.works, work)
  return work.end
}

/** The report of a failure is over. */
export const told = (state: State, work: Work): Chain => remove(state, work)

const remove = (state: State, work: Work): Chain => {
  const chain = running.remove(state.works, work)
  if (state.status === "closing") beginClose(state)
  return chain
}

/** Takes work as long as there is some. */
export const beginClose = (state: State): void => {
  if (state.status !== "closed") state.status = state.works.works.size === 0 ? "closed" : "closing"
}

/** Takes nothing more. What runs, runs: gives its names. */
export const close = (state: State): ReadonlyArray<string> => {
  state.status = "closed"
  return running.names(state.works)
}

/** What a report says that a shield did not wait for. */
export const abandoned = (names: ReadonlyArray<string>): string => {
  const which = names.slice(0, 20).join(", ") + (names.length > 20 ? `, and ${names.length - 20} more` : "")
  const [what, were] = names.length === 1 ? ["piece of shielded work", "was"] : ["pieces of shielded work", "were"]
  return `${names.length} ${what} had not ended by the deadline, and ${were} left behind: ${which}`
}

export interface Stats {
  /** How much work has not ended. */
  readonly running: number
  /** Its names. */
  readonly names: ReadonlyArray<string>
  /** Whether the shield is closed. */
  readonly isClosed: boolean
}

export const stats = ({ status, works }: State): Stats =>
  Object.freeze({ running: works.works.size, names: running.names(works), isClosed: status === "closed" })

/** Throws when an invariant does not hold. For tests. */
export const check = (state: State, works: Iterable<Work> = []): void => {
  running.check(state.works)
  if (state.status === "closing" && state.works.works.size === 0) throw new Error("I4: nothing is waited for")
  for (const { end, heard } of state.works.works) {
    if (end && (!end.failed || heard > 0)) throw new Error("I1: work that has ended is kept")
  }
  for (const { end, heard, reported, waiting } of [...works, ...state.works.works]) {
    waitList.check(waiting)
    if (end && waiting.size > 0) throw new Error(`I2: ${waiting.size} wait for work that has ended`)
    if (heard < 0) throw new Error("I3: more have gone than were there")
    if (reported && !end?.failed) throw new Error("I3: what is no failure was reported")
  }
}
