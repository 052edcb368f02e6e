/**
 * The cyclic barrier: a number of parties that wait for each other, again and again.
 *
 * State: the generation that is filling, the full ones whose action is running, and whether the barrier is broken. A generation knows
 * who waits, which are all that have arrived while it fills, and which indices were given back.
 *
 * Invariants:
 *
 * - I1 The filling generation has fewer arrivals than parties.
 * - I2 The indices of a generation's arrivals are distinct and within 0 to parties - 1, also after somebody withdrew.
 * - I3 Nobody waits at a broken barrier.
 * - I4 A generation ends once, for all of its parties alike: passed, or broken. What comes late for it changes nothing.
 *
 * Transitions: `arrive`, `enqueue`, `pass`, `fail`, `cancel`, `reset`, `abort`.
 *
 * @internal
 */
import { integer, oneOf } from "./arguments.js"
import type { Chain, Ticket } from "./ticket.js"
import { settle } from "./ticket.js"
import type { WaitList } from "./waitList.js"
import * as waitList from "./waitList.js"

export const TypeId = "~effect-concurrency/Barrier"

export type TypeId = typeof TypeId

/** The result of an arrival at a generation that broke. */
export const Broken = -1

/** The request is the arrival; the result is its index, or `Broken`. */
export type Waiting = Ticket<Arrival, number>

export type OnInterrupt = "withdraw" | "break"

interface Generation {
  status: "filling" | "acting" | "passed" | "broken"
  /** Indices given back by those who withdrew, highest first, so that the lowest is reused first. */
  readonly returned: Array<number>
  readonly waiting: WaitList<Waiting>
}

/** One party's arrival. */
export interface Arrival {
  readonly generation: Generation
  readonly index: number
  /** Whether it completed its generation, and so has the action to run, and then to call `pass` or `fail`. */
  readonly isLast: boolean
}

export interface State {
  readonly parties: number
  readonly onInterrupt: OnInterrupt
  filling: Generation
  readonly acting: Set<Generation>
  broken: boolean
}

const makeGeneration = (): Generation => ({ status: "filling", returned: [], waiting: waitList.make() })

export const make = (where: string, parties: number, onInterrupt: OnInterrupt = "withdraw"): State => ({
  parties: integer(where, "parties", parties, 1),
  onInterrupt: oneOf(where, "onInterrupt", onInterrupt, ["withdraw", "break"]),
  filling: makeGeneration(),
  acting: new Set(),
  broken: false
})

/**
 * Arrives; nothing when the barrier is broken. The last one opens the next generation at once: newcomers need not wait for the old. Any
 * other goes on with `enqueue`, in the same step.
 */
export const arrive = (state: State): Arrival | undefined => {
  if (state.broken) return undefined
  const generation = state.filling
  const arrived = generation.waiting.size
  const index = generation.returned.pop() ?? arrived
  const isLast = arrived + 1 === state.parties
  if (isLast) {
    generation.status = "acting"
    state.acting.add(generation)
    state.filling = makeGeneration()
  }
  return { generation, index, isLast }
}

/** The arrival was not the last of its generation. */
export const enqueue = (_: State, ticket: Waiting): void => waitList.push(ticket.request.generation.waiting, ticket)

/** The action of a full generation has succeeded. Nothing happens when it was broken meanwhile. */
export const pass = (state: State, { generation }: Arrival): Chain => {
  if (generation.status !== "acting") return undefined
  generation.status = "passed"
  state.acting.delete(generation)
  let chain: Chain = undefined
  for (
    let ticket = waitList.shift(generation.waiting);
    ticket !== undefined;
    ticket = waitList.shift(generation.waiting)
  ) {
    chain = settle(chain, ticket, ticket.request.index)
  }
  return chain
}

/** The action of a full generation has failed or was interrupted: the others must not believe that it was done. */
export const fail = (state: State, { generation }: Arrival): Chain =>
  generation.status === "acting" ? abort(state) : undefined

/** What the last arrival of a generation gets. */
export const result = ({ generation, index }: Arrival): number => (generation.status === "broken" ? Broken : index)

/**
 * The caller of a ticket is gone. While its generation fills it withdraws, or breaks the barrier, as was chosen. Once everybody has
 * arrived it only misses the rest.
 */
export const cancel = (state: State, ticket: Waiting): Chain => {
  if (ticket.settled) return undefined
  const { generation, index } = ticket.request
  waitList.remove(ticket)
  if (generation.status !== "filling") return undefined
  if (state.onInterrupt === "break") return abort(state)
  let at = generation.returned.length
  // Before the first there is nothing, which is less than no index.
  while (generation.returned[at - 1]! < index) at--
  generation.returned.splice(at, 0, index)
  return undefined
}

/** Breaks the generations that have not ended, and starts afresh. */
export const reset = (state: State): Chain => {
  const chain = abort(state)
  state.broken = false
  return chain
}

/** Breaks the generations that have not ended, and every later arrival until a `reset`. */
export const abort = (state: State): Chain => {
  let chain: Chain = undefined
  for (const generation of [...state.acting, state.filling]) {
    generation.status = "broken"
    chain = waitList.settleAll(generation.waiting, chain, Broken)
  }
  state.acting.clear()
  state.filling = makeGeneration()
  state.broken = true
  return chain
}

export interface Stats {
  /** How many have to arrive. */
  readonly parties: number
  /** How many of them have arrived and wait. */
  readonly waiting: number
  /** Whether the barrier is broken. */
  readonly isBroken: boolean
}

export const stats = (state: State): Stats =>
  Object.freeze({ parties: state.parties, waiting: state.filling.waiting.size, isBroken: state.broken })

/** Throws when an invariant does not hold. For tests. */
export const check = (state: State): void => {
  const { filling, parties } = state
  const arrived = filling.waiting.size
  if (arrived >= parties) throw new Error(`I1: ${arrived} of ${parties} have arrived and none passed`)
  if (state.broken && arrived > 0) throw new Error("I3: somebody waits at a broken barrier")
  for (const generation of [...state.acting, filling]) {
    waitList.check(generation.waiting)
    const indices = waitList.tickets(generation.waiting).map((ticket) => ticket.request.index)
    if (new Set(indices).size !== indices.length) throw new Error(`I2: indices ${indices.join()} are not distinct`)
    if (indices.some((index) => index < 0 || index >= parties))
      throw new Error(`I2: indices ${indices.join()} of ${parties}`)
    if (generation.status === "passed" || generation.status === "broken")
      throw new Error("I4: an ended generation is kept")
  }
}
