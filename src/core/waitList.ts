/**
 * The wait list: tickets in lanes. A lane is first in, first out; lanes are ordered by priority (higher first), then by rank
 * (lower first; ranks are for a core that orders equals further, and are 0 elsewhere).
 *
 * State: a sorted array of lanes, of which nearly every list has one.
 *
 * Invariants:
 *
 * - I1 `size` is the number of tickets in all lanes.
 * - I2 The lanes are sorted and distinct, and none is empty unless it is the only one.
 * - I3 Links are symmetric, those from and to the lane as well: `a.next === b` exactly if `b.previous === a`; and each ticket names its lane.
 *
 * Transitions: `push`, `remove`, `shift` are O(1) in the number of tickets. What grows is the number of lanes: a
 * ticket steps over those of a lower priority, so a priority for each ticket (a deadline, say) is cheap when it mostly comes last.
 *
 * They are functions rather than methods so that a bundle holds those that it uses.
 *
 * @internal
 */
import type { AnyTicket, Chain, Ticket } from "./ticket.js"
import { settle } from "./ticket.js"

/** A lane closes its tickets to a ring: it comes before the first and after the last, so no link of a ticket in it is missing. */
export interface Lane {
  readonly list: WaitList<any>
  readonly priority: number
  readonly rank: number
  /** The first ticket, or the lane itself when it is empty. */
  next: Link
  /** The last ticket, or the lane itself when it is empty. */
  previous: Link
}

/** A ticket or its lane, between which the links of a ring need not distinguish. */
type Link = any

export interface WaitList<out T extends AnyTicket> {
  size: number
  lanes: Array<Lane>
  /** Never used: it says what the lanes hold. */
  readonly _T?: T
}

export const make = <T extends AnyTicket>(): WaitList<T> => ({ size: 0, lanes: [] })

/** The ticket whose turn is next. */
export const head = <T extends AnyTicket>(list: WaitList<T>): T | undefined =>
  list.size > 0 ? list.lanes[0]!.next : undefined

/** Appends a ticket to the end of the lane of its priority and rank. */
export const push = <T extends AnyTicket>(list: WaitList<T>, ticket: T, rank = 0): void => {
  const { lanes } = list
  // Looks from the end, where the latest and least urgent are.
  let index = lanes.length
  while (index > 0 && order(lanes[index - 1]!, ticket.priority, rank) < 0) index--
  let lane = lanes[index - 1]
  if (!lane || order(lane, ticket.priority, rank) > 0) {
    lane = { list, priority: ticket.priority, rank, next: undefined, previous: undefined }
    lane.next = lane.previous = lane
    if (list.size) lanes.splice(index, 0, lane)
    // A literal holds one lane; storing into the empty array would reserve room for seventeen.
    else list.lanes = [lane]
  }
  ticket.lane = lane
  ticket.next = lane as Link
  ticket.previous = lane.previous
  lane.previous = lane.previous.next = ticket
  list.size++
}

/** Takes a ticket out, wherever it stands. */
export const remove = (ticket: AnyTicket): void => {
  const lane = ticket.lane!
  const { lanes } = lane.list
  ticket.previous!.next = ticket.next
  ticket.next!.previous = ticket.previous
  ticket.previous = ticket.next = ticket.lane = undefined
  lane.list.size--
  // The last lane stays, so that a list that fills and empties again and again makes one lane.
  if (lane.next === lane && lanes.length > 1) lanes.splice(lanes.indexOf(lane), 1)
}

/** Takes out the ticket whose turn is next. */
export const shift = <T extends AnyTicket>(list: WaitList<T>): T | undefined => {
  const first = head(list)
  if (first) remove(first)
  return first
}

/** Whether a ticket waits here. */
export const has = <T extends AnyTicket>(list: WaitList<T>, ticket: T): boolean => ticket.lane?.list === list

/** Takes out all tickets and settles them with one result. */
export const settleAll = <Result>(list: WaitList<Ticket<any, Result>>, chain: Chain, result: Result): Chain => {
  for (let ticket = shift(list); ticket !== undefined; ticket = shift(list)) chain = settle(chain, ticket, result)
  return chain
}

/** The first ticket, in lane order, that satisfies a predicate on lane heads. Costs one step a lane, not one a ticket. */
export const firstHead = <T extends AnyTicket>(list: WaitList<T>, predicate: (ticket: T) => boolean): T | undefined =>
  list.size > 0 ? list.lanes.find(({ next }) => predicate(next))?.next : undefined

/** All tickets in order of their turn. For snapshots, checks and rare scans. */
export const tickets = <T extends AnyTicket>(list: WaitList<T>): Array<T> => {
  const all: Array<T> = []
  for (const lane of list.lanes) {
    for (let ticket = lane.next; ticket !== lane; ticket = ticket.next) all.push(ticket)
  }
  return all
}

/** Positive when a lane's turn is before that of a priority and rank. (Equal infinities differ by NaN, which is as false as 0.) */
const order = (lane: Lane, priority: number, rank: number): number => lane.priority - priority || rank - lane.rank

/** Throws when an invariant does not hold. For tests. */
export const check = (list: WaitList<any>): void => {
  const { lanes } = list
  let count = 0
  lanes.forEach((lane, index) => {
    const next = lanes[index + 1]
    if (lane.next === lane && lanes.length > 1) throw new Error("I2: an empty lane beside others")
    if (next !== undefined && order(lane, next.priority, next.rank) <= 0) throw new Error("I2: lanes out of order")
    let previous: Link = lane
    for (let ticket = lane.next; ticket !== lane; ticket = ticket.next) {
      if (ticket.previous !== previous || ticket.lane !== lane) throw new Error("I3: links disagree")
      if (ticket.settled) throw new Error("I3: a settled ticket in a list")
      previous = ticket
      count++
    }
    if (lane.previous !== previous) throw new Error("I3: the tail is not the last ticket")
  })
  if (count !== list.size) throw new Error(`I1: size ${list.size}, but ${count} tickets`)
}
