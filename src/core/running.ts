/**
 * Running work: what runs, in order of its start, and who waits until nothing does. What is common to task groups and shields.
 *
 * State: the work that has not ended (held strongly), and who waits for all of it to end.
 *
 * Invariants:
 *
 * - I1 Nobody waits when nothing runs.
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

/** Waits until nothing runs. */
export type Waiting = Ticket<undefined, undefined>

export interface State<W extends Named> {
  readonly works: Set<W>
  readonly waiting: WaitList<Waiting>
}

export const make = <W extends Named>(): State<W> => ({ works: new Set(), waiting: waitList.make() })

export const add = <W extends Named>(state: State<W>, work: W): void => void state.works.add(work)

/** Some work has ended. The last to end wakes all who wait. */
export const remove = <W extends Named>(state: State<W>, work: W): Chain =>
  state.works.delete(work) && state.works.size === 0
    ? waitList.settleAll(state.waiting, undefined, undefined)
    : undefined

/** Waits until nothing runs. When nothing does, the ticket is settled at once. */
export const enqueue = (state: State<any>, ticket: Waiting): Chain => {
  if (state.works.size === 0) return settle(undefined, ticket, undefined)
  waitList.push(state.waiting, ticket)
  return undefined
}

export const cancel = (_: State<any>, ticket: Waiting): Chain => {
  if (!ticket.settled) waitList.remove(ticket)
  return undefined
}

/** The names of what runs, for a reader. */
export const names = (state: State<Named>): ReadonlyArray<string> =>
  Object.freeze(Array.from(state.works, ({ name }) => name ?? "(no name)"))

/** Throws when an invariant does not hold. For tests. */
export const check = (state: State<Named>): void => {
  waitList.check(state.waiting)
  if (state.works.size === 0 && state.waiting.size > 0) throw new Error(`I1: ${state.waiting.size} wait for nothing`)
}
