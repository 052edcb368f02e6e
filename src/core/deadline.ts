/**
 * The deadline: how long some work may take, who is told to stop when it has passed, and whose deadline it was.
 *
 * State: when it is (Infinity: there is none), what it is named, within which other deadline it was made, what works under it and has not
 * been told to stop (in order of its beginning), how many of those somebody waits for, and the error once it has expired. A worker is the
 * ticket that is told; its request is the ticket of who waits for its end, if anybody does.
 *
 * Invariants:
 *
 * - I1 A worker that is listed has neither ended nor been told to stop. Under a deadline that has expired, none is listed.
 * - I2 A worker is told to stop once. That its caller is gone replaces the deadline as the reason, and never the other way round.
 * - I3 A deadline expires once. After that it has one error, and does not move any more.
 * - I4 Who waits is told once: that the work has ended, or that it was left behind.
 * - I5 `waited` is the number of listed workers that somebody waits for.
 *
 * Transitions: `begin`, `end`, `stop`, `leave`, `expire`, `fire`, `move`, `close`. Of several deadlines the earliest counts, and the
 * outermost of those that are equal: `earliest`.
 *
 * @internal
 */
import { expect, number, record } from "./arguments.js"
import type { Chain, Ticket } from "./ticket.js"
import { concat, settle } from "./ticket.js"
import type { WaitList } from "./waitList.js"
import * as waitList from "./waitList.js"

export const TypeId = "~effect-concurrency/Deadline"

export type TypeId = typeof TypeId

/** Why work was told to stop: the deadline, or whoever waits for it is gone. */
export type Stop = "deadline" | "caller"

/** What is told to stop. */
export type Worker = Ticket<Waiting | undefined, Stop>

/** Waits until work has ended, or is left behind. */
export type Waiting = Ticket<undefined, "ended" | "left">

/**
 * The deadline has passed. It says whose deadline it was. Its `name` is that of the web for a wait that took too long, `"TimeoutError"`.
 *
 * @since 0.1.0
 * @category errors
 */
export class DeadlineExceeded extends Error {
  readonly _tag = "DeadlineExceeded"
  override readonly name = "TimeoutError"

  constructor(
    /** The name of the deadline, if it has one. */
    readonly deadline: string | undefined,
    /** Its length in milliseconds; undefined for an instant. */
    readonly milliseconds: number | undefined
  ) {
    const which = deadline === undefined ? "the deadline" : `the deadline ${JSON.stringify(deadline)}`
    super(milliseconds === undefined ? `${which} has passed` : `${which} of ${milliseconds} ms has passed`)
  }
}

export interface State {
  readonly name: string | undefined
  /** Milliseconds that a caller waits for work that was told to stop. */
  readonly grace: number
  /** The deadline within which this one was made, if it is on the same clock. */
  readonly outer: State | undefined
  at: number
  /** How long it was meant to be, if it was given as a duration. */
  milliseconds: number | undefined
  readonly works: WaitList<Worker>
  waited: number
  expired: DeadlineExceeded | undefined
  closed: boolean
}

export interface Options {
  readonly name?: string | undefined
  readonly grace?: number | undefined
}

/** Checks how a deadline is to be made. */
export const options = (where: string, options: Options): Required<Options> => {
  const { grace = Infinity, name } = record(where, options)
  expect(name === undefined || typeof name === "string", where, "name", "a string", name)
  return { name, grace: number(where, "grace", grace, 0) }
}

export const make = (
  { grace, name }: Required<Options>,
  at: number,
  milliseconds: number | undefined,
  outer: State | undefined
): State => ({
  name,
  grace: grace!,
  outer,
  at,
  milliseconds,
  works: waitList.make(),
  waited: 0,
  expired: undefined,
  closed: false
})

/**
 * Of a deadline and those around it, the one that counts. One that was closed does not: what is left of its work has outlived it. Nor does
 * one that has expired: it has told all that it concerns, and what begins now is their cleanup.
 */
export const earliest = (state: State): State => {
  let first = state
  for (let outer = state.outer; outer; outer = outer.outer) {
    if (!outer.closed && !outer.expired && outer.at <= first.at) first = outer
  }
  return first
}

/** The deadline that has passed, if the one that counts has. */
export const passed = (state: State, now: number): State | undefined => {
  if (state.expired) return state
  const first = earliest(state)
  return first.at <= now ? first : undefined
}

/** Lists a worker. When it is too late for that, nothing is done: gives the deadline that has passed, which is to `expire`. */
export const begin = (state: State, worker: Worker, now: number): State | undefined => {
  const late = passed(state, now)
  if (late) return late
  waitList.push(state.works, worker)
  if (worker.request) state.waited++
  return undefined
}

const unlist = (state: State, worker: Worker): void => {
  waitList.remove(worker)
  if (worker.request) state.waited--
}

/** The work has ended, whatever came of it. */
export const end = (state: State, worker: Worker): Chain => {
  if (worker.lane) unlist(state, worker)
  return tell(worker, "ended")
}

/** The caller does not wait any longer for work that was told to stop. */
export const leave = (worker: Worker): Chain => tell(worker, "left")

const tell = ({ request }: Worker, how: "ended" | "left"): Chain =>
  request && !request.settled ? settle(undefined, request, how) : undefined

/** Whoever waits for the work is told to go: so is the work. */
export const stop = (state: State, worker: Worker): Chain => {
  if (worker.lane) {
    unlist(state, worker)
    return settle(undefined, worker, "caller")
  }
  if (worker.settled) worker.result = "caller"
  return undefined
}

/** The deadline has passed, its own or, when there is an error, one around it: all that works under it is told to stop. */
export const expire = (state: State, error?: DeadlineExceeded): Chain => {
  if (state.expired) return undefined
  state.expired = error ?? new DeadlineExceeded(state.name, state.milliseconds)
  state.waited = 0
  return waitList.settleAll(state.works, undefined, "deadline")
}

/** The timer of a deadline has fired. One around it that is not later has passed as well, and is the one that counts. */
export const fire = (state: State): Chain => {
  const first = earliest(state)
  return concat(expire(first), expire(state, first.expired))
}

/** Moves a deadline. False: it has passed, or was closed, and stays. */
export const move = (state: State, now: number, at: number, milliseconds: number | undefined): boolean => {
  if (state.closed || state.expired || state.at <= now) return false
  state.at = at
  state.milliseconds = milliseconds
  return true
}

/** Nothing more begins under the deadline. What works, works under it to its end. */
export const close = (state: State): void => void (state.closed = true)

/** When the timer has to fire: it is for those who work. */
export const wakeAt = (state: State): number => (state.works.size > 0 ? state.at : Infinity)

/** How many milliseconds are left. Infinity: there is no deadline. */
export const remaining = (state: State, now: number): number => {
  const late = passed(state, now)
  return late ? 0 : earliest(state).at - now
}

/** What a report says of work that was left behind. */
export const left = (state: State): string =>
  `the work had not ended ${state.grace} ms after it was told to stop, and was left behind`

/** What a report says of work that fails after that. */
export const failedLate = "the work failed after it was left behind"

/** What a report says of work whose failure its caller cannot be told, for it is gone. */
export const failedGone = "the work failed after its caller had gone"

/** Throws when an invariant does not hold. For tests. */
export const check = (state: State, workers: Iterable<Worker> = []): void => {
  const { expired, waited, works } = state
  waitList.check(works)
  const listed = waitList.tickets(works)
  if (expired && works.size > 0) throw new Error(`I1: ${works.size} work under a deadline that has expired`)
  if (listed.some(({ request }) => request?.settled)) throw new Error("I1: what is listed has ended")
  if (waited !== listed.filter(({ request }) => request).length) throw new Error(`I5: ${waited} are waited for`)
  for (const worker of workers) {
    if (worker.lane && worker.settled) throw new Error("I2: one that was told to stop is told again")
    if (worker.result === "deadline" && !expired)
      throw new Error("I3: a deadline that has not expired told one to stop")
    if (worker.request?.result === "left" && !worker.settled)
      throw new Error("I4: work was left that was not told to stop")
  }
}
