/**
 * A ticket is one caller's place in a wait list. The skin that parks the caller makes it, a core moves it.
 *
 * State: a ticket is *new*, *waiting* (it has a lane), or *settled* (it has a result). It is used once.
 *
 * Invariants:
 *
 * - I1 A waiting ticket is in exactly one list, and that list is the lane it names.
 * - I2 A settled ticket is in no list. Its links belong to the chain that the settling transition returned, until the
 *   skin has woken it.
 *
 * Transitions: `settle` gives a result and appends the ticket to a chain; `wake` is called by skins, after the commit.
 *
 * @internal
 */
import type { Lane } from "./waitList.js"

/**
 * What a transition returns: the first of the tickets to wake, or nothing. The chain is made of the tickets' own links, and its
 * first ticket's `previous` is its last, so that appending needs neither an allocation nor a walk.
 */
export type Chain = AnyTicket | undefined

export type AnyTicket = Ticket<any, any>

export abstract class Ticket<out Request, in out Result> {
  declare readonly request: Request
  declare readonly priority: number
  declare previous: AnyTicket | undefined
  declare next: AnyTicket | undefined
  declare lane: Lane | undefined
  declare settled: boolean
  declare result: Result | undefined

  /** Assigns rather than declares, in one place: shorter in a bundle, and all tickets have one shape from the start. */
  constructor(request: Request, priority: number) {
    this.request = request
    this.priority = priority
    this.previous = this.next = this.lane = this.result = undefined
    this.settled = false
  }

  /** Resumes whoever is parked. Never called by a core: user code could run inside it. */
  abstract wake(): void
}

/** Gives a waiting ticket, already out of its list, its result, and appends it to the chain. */
export const settle = <Result>(chain: Chain, ticket: Ticket<unknown, Result>, result: Result): Chain => {
  ticket.result = result
  ticket.settled = true
  if (chain) chain.previous!.next = ticket
  else chain = ticket
  chain.previous = ticket
  return chain
}

/** The tickets of `first`, then those of `second`. */
export const concat = (first: Chain, second: Chain): Chain => {
  if (!first) return second
  if (!second) return first
  const last = second.previous!
  first.previous!.next = second
  first.previous = last
  return first
}

/**
 * Wakes a chain in order. For skins only, and only after the state is committed: what is woken may call straight back into
 * the same core, so each ticket is unlinked before it is woken.
 */
export const wake = (chain: Chain): void => {
  while (chain) {
    const ticket: AnyTicket = chain
    chain = ticket.next
    ticket.previous = ticket.next = undefined
    ticket.wake()
  }
}
