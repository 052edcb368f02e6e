/**
 * Those in this process who wait for a flag that a store keeps. One question is put for all of them.
 *
 * A flag that is set and cleared at once must not go unnoticed, although what the store tells of it may be lost. So the store counts how often the
 * flag was set, and whoever waits remembers what the count was when the store was first asked for him.
 *
 * State: who waits (a lookout); for whom the store was asked before, and what the count was then; whether the latest question failed.
 *
 * Invariants:
 *
 * - I1 Nobody is let go unless the flag was set when the store was asked for him, or the count has grown since the store was first asked for him.
 * - I2 Whoever the store was asked for before has seen the latest count. So one count is enough for all.
 * - I3 Nobody hears of a failure before the question was put twice.
 *
 * Transitions: `enqueue`, `cancel`, `due`, `answered`, `failed`, `changed`: those of the lookout.
 *
 * A count that has become smaller was kept by a server that has lost its data. It is taken as it is: those who wait go on waiting, for the next time
 * that the flag is set, however small the count is by then.
 *
 * @internal
 */
import * as lookout from "./lookout.js"
import type { Chain } from "./ticket.js"
import { settle } from "./ticket.js"

/** What a store says of a flag. */
export interface Look {
  readonly isSet: boolean
  /** Larger each time that the flag was set, or pulsed; 0: nothing is known of that. */
  readonly count: number
}

export type Waiting = lookout.Waiting
export type Result = lookout.Result

export interface State {
  readonly lookout: lookout.State
  looked: ReadonlySet<Waiting>
  count: number
  hasFailed: boolean
}

export const make = (poll: number): State => ({
  lookout: lookout.make(poll),
  looked: new Set(),
  count: 0,
  hasFailed: false
})

export const answered = (state: State, { count, isSet }: Look, now: number, random: number): Chain => {
  const hasGrown = count > state.count
  const looked = new Set<Waiting>()
  let chain: Chain = undefined
  for (const ticket of state.lookout.asked!) {
    if (ticket.lane === undefined) continue
    if (isSet || (hasGrown && state.looked.has(ticket))) {
      lookout.cancel(state.lookout, ticket)
      chain = settle(chain, ticket, { kind: "so" })
    } else looked.add(ticket)
  }
  state.looked = looked
  state.count = count
  state.hasFailed = false
  lookout.answered(state.lookout, false, now, random)
  return chain
}

/** The store could not answer. It is asked once more, at once: the connection may have been lost, and be there again. */
export const failed = (state: State, failure: unknown, now: number): Chain => {
  state.hasFailed = !state.hasFailed
  if (!state.hasFailed) return lookout.failed(state.lookout, failure, now)
  lookout.changed(state.lookout, now)
  return lookout.answered(state.lookout, false, now, 0)
}

/** Throws when an invariant does not hold. For tests. */
export const check = (state: State): void => lookout.check(state.lookout)
