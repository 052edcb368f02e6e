/**
 * The shield: work that goes on when those who wait for it have gone, and the registry of it.
 *
 * State: of the registry, the work that has not ended, or has failed and it is open who hears of that, and whether it is closing, or closed.
 * Of a work, how it ended once it has, who waits for that, and how many were given the end and have not gone since.
 *
 * Invariants:
 *
 * - I1 What is in a registry has not ended, or has failed and has neither been taken by a caller nor been told, nor has to be logged
 *   instead. What has left does not come back, so who waits for an empty registry is not woken too early.
 * - I2 Nobody waits for work that has ended.
 * - I3 A failure is somebody's: of whoever waited for the work when it ended and is still there, or of one report.
 * - I4 A closed registry takes no work. One that is closing has work.
 *
 * Transitions: `add`, `wait`, `leave`, `end`, `take`, `late`, `told`, `beginClose`, `close`; waiting for a registry to be empty is that of
 * running work.
 *
 * @internal
 */
import { number, record } from "./arguments.js"
import { listed } from "./report.js"
import * as running from "./running.js"
import type { Chain, Ticket } from "./ticket.js"
import { concat, settle } from "./ticket.js"
import type { WaitList } from "./waitList.js"
import * as waitList from "./waitList.js"

export const TypeId = "~effect-concurrency/Shield"

export type TypeId = typeof TypeId

/** How work ended: the skin's own account, and whether that is a failure, with the error. */
export interface End<out A = unknown> {
  readonly failed: boolean
  readonly error: unknown
  readonly account: A
}

/** Waits for the end of a work. */
export type Waiting = Ticket<undefined, End<any>>

export interface Work extends running.Work {
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
  older: undefined,
  newer: undefined,
  list: undefined,
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

/**
 * Work has ended. A failure stays until it is known whose it is: who waits for an empty shield may end the program next. A caller who was given
 * it may yet go in the same tick.
 */
export const end = (state: State, work: Work, end: End): Chain => {
  work.end = end
  work.heard = work.waiting.size
  const chain = waitList.settleAll(work.waiting, undefined, end)
  return end.failed ? chain : concat(chain, remove(state, work))
}

/** A caller goes on with the end that he was given: a failure is his. One that is being told already stays until that is over. */
export const take = (state: State, work: Work): Chain => (work.reported ? undefined : remove(state, work))

/** The failure that nobody hears of, for the one report of it. To be asked after `end`, and after `leave`; then it has to be `told`. */
export const late = (work: Work): End<any> | undefined => {
  if (!work.end?.failed || work.heard > 0 || work.reported) return undefined
  work.reported = true
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
  if (state.status !== "closed") state.status = state.works.size === 0 ? "closed" : "closing"
}

/** What a closed shield leaves behind. */
export interface Left {
  readonly chain: Chain
  /** The names of all of it. */
  readonly names: ReadonlyArray<string>
  /** Failures whose report has not ended in time. They are logged, since nobody waits for those reports any more. */
  readonly overdue: ReadonlyArray<Work>
  /** What is to be reported, once. When something is overdue, it is logged as well: who should report does not answer. */
  readonly message: string | undefined
}

/** Takes nothing more, and waits for nothing. What runs, runs; and a failure that a caller was just given is his, or reported. */
export const close = (state: State): Left => {
  const first = state.status !== "closed"
  state.status = "closed"
  const works = running.all(state.works).filter((work) => !work.end || work.heard === 0)
  const overdue = works.filter((work) => work.end)
  const left = works.filter((work) => !work.end)
  let chain: Chain = undefined
  for (const work of overdue) {
    work.reported = true
    chain = concat(chain, running.remove(state.works, work))
  }
  const message = first && left.length > 0 ? abandoned(left.map(running.nameOf)) : undefined
  return { chain, names: works.map(running.nameOf), overdue, message }
}

/** What is said of a failure that nobody hears of. */
export const unheard = "it failed after its caller had gone"

/** Who waits for the end of all waits for itself. */
export const itself = "shielded work waits for all that is shielded, and so for itself, and would never end"

const abandoned = (names: ReadonlyArray<string>): string => {
  const [what, were] = names.length === 1 ? ["piece of shielded work", "was"] : ["pieces of shielded work", "were"]
  return `${names.length} ${what} had not ended by the deadline, and ${were} left behind: ${listed(names)}`
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
  Object.freeze({ running: works.size, names: running.names(works), isClosed: status === "closed" })

/** Throws when an invariant does not hold. For tests. */
export const check = (state: State, works: Iterable<Work> = []): void => {
  running.check(state.works)
  if (state.status === "closing" && state.works.size === 0) throw new Error("I4: nothing is waited for")
  const there = running.all(state.works)
  for (const { end } of there) {
    if (end && !end.failed) throw new Error("I1: work that has ended is kept")
  }
  for (const { end, heard, reported, waiting } of [...works, ...there]) {
    waitList.check(waiting)
    if (end && waiting.size > 0) throw new Error(`I2: ${waiting.size} wait for work that has ended`)
    if (heard < 0) throw new Error("I3: more have gone than were there")
    if (reported && !end?.failed) throw new Error("I3: what is no failure was reported")
  }
}
