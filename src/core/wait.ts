/**
 * Waiting for several: members that start, in order, all at once or paced, and end; and a goal that decides when enough have.
 *
 * State: of each member whether it was started and how it ended; in which order they ended; when it was decided; what becomes of those
 * that still run then; and who waits for news of it.
 *
 * Invariants:
 *
 * - I1 Members start in order, and none once it is decided or closed. With a delay, the next starts when that is over, or when the last
 *   that was started has ended without success.
 * - I2 A member ends once, and only if it was started: each that has ended is in `endings` once, and the counts are theirs.
 * - I3 It is decided at the first ending that meets the goal, or makes it impossible (or by `expire`), and that stays. Nobody waits for
 *   what only those who wait could still bring about.
 * - I4 Nobody waits for what is there: a decision, once closed the end of those that were started here, an ending that nobody has taken.
 *
 * Transitions: `startNext`, `end`, `tick`, `expire`, `close`, `take`, `disown`, `enqueue`, `cancel`.
 *
 * @internal
 */
import { expect, integer, number, oneOf, record, refusal } from "./arguments.js"
import type { Chain, Ticket } from "./ticket.js"
import type { WaitList } from "./waitList.js"
import * as waitList from "./waitList.js"

/**
 * What becomes of those that still run when there is a result: they are interrupted and waited for; interrupted and left, so that their
 * cleanup goes on in the background; or kept.
 */
export type Losers = "interruptAndWait" | "interrupt" | "keep"

export type Until = "firstCompleted" | "firstFailure" | "all"

/** Until when to wait; a number is of successes. `"each"` is `"all"` for one who takes the endings one by one. */
export type Goal = Until | "each" | number

/** `"interrupted"`: it ended because it was told to, which is no failure of its own. */
export type Ending = "succeeded" | "failed" | "interrupted"

export interface Member<out Result> {
  /** Whether it is started here, and so is ours to interrupt. Else it runs already, and for somebody else. */
  readonly ours: boolean
  status: "due" | "running" | Ending
  result: Result | undefined
}

/** It waits for news, and looks for itself what they are. */
export type Waiting = Ticket<undefined, undefined>

/** Who won, and with what. */
export interface Winner<out A> {
  /** Its place in what was given. */
  readonly index: number
  readonly value: A
}

/** What a race gives: the value; told to say who won, with its place. */
export type Won<A, WithIndex extends boolean> = WithIndex extends true ? Winner<A> : A

export interface State<out Result = unknown> {
  readonly goal: Goal
  /** Milliseconds between two starts. */
  readonly delay: number
  readonly members: ReadonlyArray<Member<Result>>
  /** Whether a value is given with who gave it. */
  readonly withIndex: boolean
  /** How many members do not end as long as this waits: it is they who wait. */
  readonly selves: number
  losers: Losers
  started: number
  startedAt: number
  succeeded: number
  failed: number
  /** How many of ours run. */
  running: number
  /** The members that have ended, in that order. */
  readonly endings: Array<number>
  /** How many of these were taken. */
  taken: number
  /** How many of these were given up. */
  disowned: number
  /** How many had ended when it was decided. */
  decidedAt: number | undefined
  closed: boolean
  readonly waiting: WaitList<Waiting>
}

export interface Options {
  readonly delay?: number | undefined
  readonly losers?: Losers | undefined
  /** Whether a value is to be given with who gave it. */
  readonly withIndex?: boolean | undefined
  /** How many members are the caller itself. */
  readonly selves?: number | undefined
}

/** One flag for each member: whether it is ours. */
export const make = <Result>(
  where: string,
  goal: Goal,
  ours: ReadonlyArray<boolean>,
  { delay = 0, losers, selves = 0, withIndex = false }: Options = {}
): State<Result> => ({
  goal,
  delay,
  members: ours.map((ours) => ({ ours, status: "due", result: undefined })),
  withIndex: expect(typeof withIndex === "boolean", where, "withIndex", "a boolean", withIndex),
  selves,
  losers:
    losers === undefined
      ? "interruptAndWait"
      : oneOf(where, "losers", losers, ["interruptAndWait", "interrupt", "keep"]),
  started: 0,
  startedAt: 0,
  succeeded: 0,
  failed: 0,
  running: 0,
  endings: [],
  taken: 0,
  disowned: 0,
  decidedAt: ours.length === 0 ? 0 : undefined,
  closed: false,
  waiting: waitList.make()
})

/** The next member to start now, if there is one. It counts as started. */
export const startNext = (state: State, now: number): number | undefined => {
  if (!isStartDue(state, now)) return undefined
  const index = state.started++
  state.startedAt = now
  const member = state.members[index]!
  member.status = "running"
  if (member.ours) state.running++
  return index
}

/** Whether there is one to start now. */
export const isStartDue = (state: State, now: number): boolean =>
  hasMore(state) && (isFree(state) || now >= wakeAt(state))

const hasMore = ({ closed, decidedAt, members, started }: State): boolean =>
  decidedAt === undefined && !closed && started < members.length

/** Whether the next need not wait for its time. */
const isFree = ({ delay, members, started }: State): boolean => {
  const last = members[started - 1]?.status
  return delay === 0 || last === undefined || last === "failed" || last === "interrupted"
}

/** When the next one is to be started, if nothing happens before. */
export const wakeAt = (state: State): number => (hasMore(state) ? state.startedAt + state.delay : Infinity)

/** A member has ended. */
export const end = <Result>(state: State<Result>, index: number, ending: Ending, result: Result): Chain => {
  const member = state.members[index]!
  if (member.status !== "running") return undefined
  member.status = ending
  member.result = result
  state.endings.push(index)
  if (member.ours) state.running--
  if (ending === "succeeded") state.succeeded++
  if (ending === "failed") state.failed++
  if (isDecided(state)) return state.closed && state.running > 0 ? undefined : tell(state)
  if (isMet(state)) state.decidedAt = state.endings.length
  return state.decidedAt !== undefined || state.goal === "each" || (hasMore(state) && isFree(state))
    ? tell(state)
    : undefined
}

const isMet = ({ endings, failed, goal, members, selves, succeeded }: State): boolean => {
  const left = members.length - endings.length
  if (goal === "firstCompleted") return endings.length > 0
  if (goal === "firstFailure") return failed > 0 || left === selves
  if (goal === "all" || goal === "each") return left === 0
  return succeeded === goal || succeeded + left - selves < goal
}

/** Whoever waits has to look again: the time for the next start has come, or nobody wants more. */
export const tick = (state: State): Chain => tell(state)

/** The time is over: what has ended by now is all there is. */
export const expire = (state: State): Chain => {
  state.decidedAt ??= state.endings.length
  return tell(state)
}

/**
 * Nobody wants more. Gives those that are to be interrupted: those that still run; none if they are kept. A caller who is gone, rather
 * than has a result, keeps none.
 */
export const close = (state: State, gone: boolean): Array<number> => {
  state.closed = true
  state.decidedAt ??= state.endings.length
  if (gone && state.losers === "keep") state.losers = "interruptAndWait"
  if (state.losers === "keep" || state.running === 0) return []
  return indices(state, ({ ours, status }) => ours && status === "running")
}

/** Whether the caller, having closed it, has to wait for those that still run. */
export const mustWait = ({ losers, running }: State): boolean => running > 0 && losers === "interruptAndWait"

/** Takes the next ending, if there is one. What ended before it was closed is still there. */
export const take = (state: State): number | undefined =>
  isExhausted(state) || state.taken === state.endings.length ? undefined : state.endings[state.taken++]

/** Nothing is there yet. */
export const enqueue = (state: State, ticket: Waiting): void => waitList.push(state.waiting, ticket)

/** The caller of a ticket is gone. News are the next caller's as well. */
export const cancel = (_: State, ticket: Waiting): Chain => {
  if (!ticket.settled) waitList.remove(ticket)
  return undefined
}

const tell = (state: State): Chain => waitList.settleAll(state.waiting, undefined, undefined)

export const isDecided = ({ decidedAt }: State): boolean => decidedAt !== undefined

/** Whether nothing will come of `take` any more. */
export const isExhausted = ({ closed, decidedAt, members, taken }: State): boolean =>
  taken === (closed ? decidedAt : members.length)

/** Whether the members that were needed have succeeded. */
export const hasSucceeded = ({ goal, succeeded }: State): boolean => typeof goal === "number" && succeeded >= goal

/** Those that it was decided by, in the order in which they ended: of successes, so many as were needed. */
export const winners = (state: State): Array<number> => {
  const ended = state.endings.slice(0, state.decidedAt)
  return typeof state.goal === "number"
    ? ended.filter((index) => state.members[index]!.status === "succeeded")
    : ended.slice(0, 1)
}

/** Those that had ended without success when it was decided, in start order. */
export const losses = (state: State): Array<number> =>
  state.endings
    .slice(0, state.decidedAt)
    .filter((index) => state.members[index]!.status !== "succeeded")
    .sort((a, b) => a - b)

/** Those whose failure is the result, in start order: of a race that is decided, and not by successes. */
export const reasons = (state: State): Array<number> =>
  !isDecided(state) || state.goal === "each" || hasSucceeded(state)
    ? []
    : losses(state).filter((index) => state.members[index]!.status === "failed")

/**
 * Nobody has taken what failed so far, and before it was closed, and perhaps nobody will. Gives those of it that it did not give before, in start
 * order. What fails later is told when it does.
 */
export const disown = (state: State): Array<number> => {
  const { decidedAt, disowned, endings, members, taken } = state
  state.disowned = endings.length
  return endings
    .slice(Math.max(taken, disowned), decidedAt)
    .filter((index) => members[index]!.status === "failed")
    .sort((a, b) => a - b)
}

/** The members, in start order, of which something holds. */
export const indices = <Result>(state: State<Result>, holds: (member: Member<Result>) => boolean): Array<number> => {
  const found: Array<number> = []
  state.members.forEach((member, index) => {
    if (holds(member)) found.push(index)
  })
  return found
}

/** What a winner gave, as the caller wants it. */
export const won = <A>({ withIndex }: State, index: number, value: A): A | Winner<A> =>
  withIndex ? { index, value } : value

/** A fiber waits for itself. */
export const itself = "the fiber waits for itself, and would never end"

/** Whether it can come to no end, or to no good one, without the work that waits for it: `own` of so many members are that. */
export const waitsForItself = (goal: Goal, size: number, own: number): boolean =>
  own > 0 && (own === size || goal === "all" || (typeof goal === "number" && goal > size - own))

// ----------------------------------------------------------------------------------------------------------------------- arguments

/** The list that a function was given. `isMember` says what may be in it. */
export const list = <A>(
  where: string,
  name: string,
  members: Iterable<A>,
  allowed: string,
  isMember: (member: A) => boolean,
  min = 1
): Array<A> => {
  expect(typeof (members as any)?.[Symbol.iterator] === "function", where, name, "a list", members)
  const all = [...members]
  for (const member of all) if (!isMember(member)) throw refusal(where, `each of ${name}`, allowed, member)
  if (all.length < min) throw new RangeError(`${where}: ${name} must be a list of at least ${min}, got an empty one`)
  return all
}

export const count = (where: string, n: number, size: number): number => integer(where, "n", n, 1, size)

export const pace = (where: string, name: string, delay: number): number => number(where, name, delay, 0)

export const attempts = (where: string, max = 2): number => integer(where, "max", max, 1)

export const until = (where: string, until: Until = "all"): Until =>
  oneOf(where, "until", until, ["firstCompleted", "firstFailure", "all"])

export const options = <A extends object>(where: string, options: A | undefined): A | undefined =>
  options === undefined ? undefined : record(where, options)

/**
 * So many failed that the successes that were needed cannot come any more. `errors` are those of the members, in start order.
 *
 * @since 0.1.0
 */
export class TooManyFailed<out E = unknown> extends AggregateError {
  readonly _tag = "TooManyFailed"
  override readonly name = "TooManyFailed"
  declare readonly errors: Array<any> & Array<E>

  constructor(
    errors: ReadonlyArray<E>,
    /** How many successes were needed. */
    readonly needed: number,
    /** How many members there were. */
    readonly of: number
  ) {
    super(errors, `${errors.length} of ${of} failed, and ${needed} had to succeed`)
  }
}

// -------------------------------------------------------------------------------------------------------------------------- check

/** Throws when an invariant does not hold. For tests. */
export const check = (state: State): void => {
  const { closed, decidedAt, endings, failed, members, running, started, succeeded, taken, waiting } = state
  waitList.check(waiting)
  const count = (status: Member<unknown>["status"]) => members.filter((member) => member.status === status).length
  members.forEach(({ status }, index) => {
    if ((status !== "due") !== index < started)
      throw new Error(`I1: ${index} is ${status}, and ${started} were started`)
  })
  if (new Set(endings).size !== endings.length) throw new Error(`I2: one of ${endings.join()} has ended twice`)
  const ended = indices(state, ({ status }) => status !== "due" && status !== "running")
  if (ended.length !== endings.length || !ended.every((index) => endings.includes(index)))
    throw new Error(`I2: ${ended.join()} have ended, and ${endings.join()} are said to have`)
  if (count("succeeded") !== succeeded || count("failed") !== failed)
    throw new Error(`I2: ${succeeded} succeeded and ${failed} failed, they say`)
  if (indices(state, ({ ours, status }) => ours && status === "running").length !== running)
    throw new Error(`I2: ${running} of ours run, they say`)
  if (taken > endings.length) throw new Error(`I2: ${taken} of ${endings.length} endings were taken`)
  if (decidedAt === undefined && (isMet(state) || closed)) throw new Error("I3: it is not decided, and ought to be")
  if (waiting.size === 0) return
  if (decidedAt !== undefined && !closed) throw new Error("I4: somebody waits for what is decided")
  if (closed && !mustWait(state)) throw new Error("I4: somebody waits, and nobody has to be waited for")
  if (state.goal === "each" && !closed && taken < endings.length)
    throw new Error("I4: somebody waits for what is there")
}
