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
 * - I3 Links are symmetric: `a.next === b` exactly if `b.previous === a`, and each ticket names its lane.
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

export interface Lane {
  readonly list: WaitList<any>
  readonly priority: number
  readonly rank: number
  head?: AnyTicket | undefined
  tail?: AnyTicket | undefined
}

export interface WaitList<out T extends AnyTicket> {
  size: number
  readonly lanes: Array<Lane>
  /** Never used: it says what the lanes hold. */
  readonly _T?: T
}

export const make = <T extends AnyTicket>(): WaitList<T> => ({ size: 0, lanes: [] })

/** The ticket whose turn is next. */
export const head = <T extends AnyTicket>(list: WaitList<T>): T | undefined => list.lanes[0]?.head as T | undefined

/** Appends a ticket to the end of its lane. */
export const push = <T extends AnyTicket>(list: WaitList<T>, ticket: T, rank = 0): void => {
  const lane = open(list, ticket.priority, rank)
  const { tail } = lane
  ticket.lane = lane
  ticket.previous = tail
  if (tail === undefined) lane.head = ticket
  else tail.next = ticket
  lane.tail = ticket
  list.size++
}

/** Takes a ticket out, wherever it stands. */
export const remove = (ticket: AnyTicket): void => {
  const { next, previous } = ticket
  const lane = ticket.lane!
  if (previous === undefined) lane.head = next
  else previous.next = next
  if (next === undefined) lane.tail = previous
  else next.previous = previous
  ticket.previous = ticket.next = ticket.lane = undefined
  const { lanes } = lane.list
  lane.list.size--
  // The last lane stays, so that a list that fills and empties again and again makes one lane.
  if (lane.head === undefined && lanes.length > 1) lanes.splice(lanes.indexOf(lane), 1)
}

/** Takes out the ticket whose turn is next. */
export const shift = <T extends AnyTicket>(list: WaitList<T>): T | undefined => {
  const first = head(list)
  if (first !== undefined) remove(first)
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
  list.lanes.find(({ head }) => head !== undefined && predicate(head as T))?.head as T | undefined

/** All tickets in order of their turn. For snapshots, checks and rare scans. */
export const tickets = <T extends AnyTicket>(list: WaitList<T>): Array<T> => {
  const all: Array<T> = []
  for (const lane of list.lanes) {
    for (let ticket = lane.head; ticket !== undefined; ticket = ticket.next) all.push(ticket as T)
  }
  return all
}

/** The lane of a priority and rank. Looks from the end, where the latest and least urgent are. */
const open = (list: WaitList<any>, priority: number, rank: number): Lane => {
  const { lanes } = list
  let index = lanes.length
  for (; index > 0; index--) {
    const lane = lanes[index - 1]!
    const ordered = order(lane, priority, rank)
    if (ordered === 0) return lane
    if (ordered > 0) break
  }
  const lane: Lane = { list, priority, rank }
  if (list.size === 0) lanes[0] = lane
  else lanes.splice(index, 0, lane)
  return lane
}

/** Positive when a lane's turn is before that of a priority and rank. (Equal infinities differ by NaN, which is as false as 0.) */
const order = (lane: Lane, priority: number, rank: number): number => lane.priority - priority || rank - lane.rank

/** Throws when an invariant does not hold. For tests. */
export const check = (list: WaitList<any>): void => {
  const { lanes } = list
  let count = 0
  lanes.forEach((lane, index) => {
    const next = lanes[index + 1]
    if (lane.head === undefined && lanes.length > 1) throw new Error("I2: an empty lane beside others")
    if (next !== undefined && order(lane, next.priority, next.rank) <= 0) throw new Error("I2: lanes out of order")
    let previous: AnyTicket | undefined = undefined
    for (let ticket = lane.head; ticket !== undefined; ticket = ticket.next) {
      if (ticket.previous !== previous || ticket.lane !== lane) throw new Error("I3: links disagree")
      if (ticket.settled) throw new Error("I3: a settled ticket in a list")
      previous = ticket
      count++
    }
    if (lane.tail !== previous) throw new Error("I3: the tail is not the last ticket")
  })
  if (count !== list.size) throw new Error(`I1: size ${list.size}, but ${count} tickets`)
}
