/**
 * Running work: what runs, in order of its start, and who waits until nothing does. What is common to registries, task groups and shields.
 *
 * State: the work that has not ended, linked from the oldest to the newest, so that to come and to go costs the same however much there
 * is, and needs no object beside the work itself; and who waits for all of it to end.
 *
 * Invariants:
 *
 * - I1 Nobody waits when nothing runs.
 * - I2 Work that runs names the list that it is in; links are symmetric; and `size` counts what is linked. Other work has no links.
 *
 * Transitions: `add`, `remove`, `enqueue`, `cancel`.
 *
 * @internal
 */
import type { Chain, Ticket } from "./ticket.js"
import { settle } from "./ticket.js"
import type { WaitList } from "./waitList.js"
import * as waitList from "./waitList.js"

export interface Named {
  readonly name: string | undefined
}

/** What runs. The links are those of its list. */
export interface Work extends Named {
  older: Work | undefined
  newer: Work | undefined
  /** Where it runs. */
  list: State<any> | undefined
}

/** Waits until nothing runs. */
export type Waiting = Ticket<undefined, undefined>

export interface State<W extends Work> {
  size: number
  oldest: W | undefined
  newest: W | undefined
  readonly waiting: WaitList<Waiting>
}

export const make = <W extends Work>(): State<W> => ({
  size: 0,
  oldest: undefined,
  newest: undefined,
  waiting: waitList.make()
})

export const has = (state: State<any>, work: Work): boolean => work.list === state

export const add = <W extends Work>(state: State<W>, work: W): void => {
  const { newest } = state
  work.list = state
  work.older = newest
  if (newest) newest.newer = work
  else state.oldest = work
  state.newest = work
  state.size++
}

/** Some work has ended. The last to end wakes all who wait. Nothing happens when it had ended before. */
export const remove = <W extends Work>(state: State<W>, work: W): Chain => {
  if (work.list !== state) return undefined
  const { newer, older } = work
  if (older) older.newer = newer
  else state.oldest = newer as W | undefined
  if (newer) newer.older = older
  else state.newest = older as W | undefined
  work.list = work.older = work.newer = undefined
  return --state.size === 0 ? waitList.settleAll(state.waiting, undefined, undefined) : undefined
}

/** Waits until nothing runs. When nothing does, the ticket is settled at once. */
export const enqueue = (state: State<any>, ticket: Waiting): Chain => {
  if (state.size === 0) return settle(undefined, ticket, undefined)
  waitList.push(state.waiting, ticket)
  return undefined
}

export const cancel = (_: unknown, ticket: Waiting): Chain => {
  if (!ticket.settled) waitList.remove(ticket)
  return undefined
}

/** What runs, in order of its start. */
export const all = <W extends Work>(state: State<W>): Array<W> => {
  const works: Array<W> = []
  for (let work = state.oldest; work; work = work.newer as W | undefined) works.push(work)
  return works
}

export const nameOf = ({ name }: Named): string => name ?? "(no name)"

/** The names of what runs, for a reader. */
export const names = (state: State<any>): ReadonlyArray<string> => Object.freeze(all(state).map(nameOf))

/** Throws when an invariant does not hold. For tests. */
export const check = (state: State<any>): void => {
  waitList.check(state.waiting)
  if (state.size === 0 && state.waiting.size > 0) throw new Error(`I1: ${state.waiting.size} wait for nothing`)
  const works = all(state)
  if (works.length !== state.size) throw new Error(`I2: size ${state.size}, but ${works.length} run`)
  works.forEach((work, i) => {
    if (work.list !== state || work.older !== works[i - 1]) throw new Error("I2: links disagree")
  })
  if (state.newest !== works.at(-1)) throw new Error("I2: the newest is not the last")
}
