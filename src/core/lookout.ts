/**
 * A lookout: those who wait until a store says that something is so. It is asked, it is watched, it is asked again; and from then on
 * whenever it says that something has changed, and now and then anyway, for what it says may be lost.
 *
 * State: who waits; whether a question is in flight, and whether the store has said anything since; when the next is due.
 *
 * Invariants:
 *
 * - I1 At most one question is in flight. While there is none and somebody waits, the next has its time; and else it has not.
 * - I2 Nobody is told on the strength of a question that was put before he came.
 * - I3 Nobody sleeps longer than the time of a poll, nor past a change that the store told.
 *
 * Transitions: `enqueue`, `cancel`, `due`, `answered`, `failed`, `changed`. After each, `due` is to be called, and again at `wakeAt`.
 *
 * @internal
 */
import type { Chain, Ticket } from "./ticket.js"
import { settle } from "./ticket.js"
import type { WaitList } from "./waitList.js"
import * as waitList from "./waitList.js"

export type Result = { readonly kind: "so" } | { readonly kind: "failed"; readonly failure: unknown }

export type Waiting = Ticket<undefined, Result>

export interface State {
  /** How long those sleep who hear of no change, in milliseconds. */
  readonly poll: number
  readonly waiting: WaitList<Waiting>
  /** For whom a question is in flight. */
  asked: ReadonlyArray<Waiting> | undefined
  hasChanged: boolean
  wakeAt: number
}

export const make = (poll: number): State => ({
  poll,
  waiting: waitList.make(),
  asked: undefined,
  hasChanged: false,
  wakeAt: Infinity
})

export const enqueue = (state: State, ticket: Waiting, now: number): void => {
  waitList.push(state.waiting, ticket)
  // It may be so already, and what is in flight may have been answered before.
  if (state.asked === undefined) state.wakeAt = now
  else state.hasChanged = true
}

export const cancel = (state: State, ticket: Waiting): Chain => {
  if (!ticket.settled) waitList.remove(ticket)
  if (state.waiting.size === 0) state.wakeAt = Infinity
  return undefined
}

export const isIdle = ({ asked, waiting }: State): boolean => asked === undefined && waiting.size === 0

/** Whether somebody sleeps who wants to hear of a change. */
export const wantsWatch = ({ asked, wakeAt, waiting }: State, now: number): boolean =>
  asked === undefined && waiting.size > 0 && wakeAt > now

/** Whether the store is to be asked now. */
export const due = (state: State, now: number): boolean => {
  if (state.asked !== undefined || state.wakeAt > now) return false
  state.wakeAt = Infinity
  state.hasChanged = false
  state.asked = waitList.tickets(state.waiting)
  return true
}

/** The store has answered. */
export const answered = (state: State, isSo: boolean, now: number, random: number): Chain =>
  isSo ? tell(state, { kind: "so" }, now) : sleep(state, now + state.poll * (0.75 + random / 4))

/** The store could not answer: those hear of it who were asked for. */
export const failed = (state: State, failure: unknown, now: number): Chain =>
  tell(state, { kind: "failed", failure }, now)

const tell = (state: State, result: Result, now: number): Chain => {
  let chain: Chain = undefined
  for (const ticket of state.asked!) {
    if (ticket.lane === undefined) continue
    waitList.remove(ticket)
    chain = settle(chain, ticket, result)
  }
  sleep(state, now)
  return chain
}

const sleep = (state: State, until: number): undefined => {
  state.asked = undefined
  state.wakeAt = state.waiting.size === 0 ? Infinity : state.hasChanged ? 0 : until
}

/** The store says that something has changed, or may have: as when it has only just begun to be watched. */
export const changed = (state: State, now: number): void => {
  state.hasChanged = true
  if (state.asked === undefined && state.waiting.size > 0) state.wakeAt = now
}

/** Throws when an invariant does not hold. For tests. */
export const check = ({ asked, waiting, wakeAt }: State): void => {
  waitList.check(waiting)
  const isDue = wakeAt < Infinity
  if (isDue !== (asked === undefined && waiting.size > 0))
    throw new Error(`I1: ${waiting.size} wait, the next question is due at ${wakeAt}`)
}
