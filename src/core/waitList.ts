/**
 * The wait list: tickets in lanes. A lane is first in, first out; lanes are ordered by priority (higher first), then by rank
 * (lower first; ranks are for a core that orders equals further, and are 0 elsewhere).
 *
 * State: the lane of the ordinary tickets (priority 0, rank 0), which exists always, and a sorted array of the other lanes, which
 * exists while there are any.
 *
 * Invariants:
 *
 * - I1 `size` is the number of tickets in all lanes.
 * - I2 The other lanes are sorted, distinct, and none is empty.
 * - I3 Links are symmetric: `a.next === b` exactly if `b.previous === a`, and each ticket names its lane.
 *
 * Transitions: `push`, `remove`, `shift` are O(1) in the number of tickets. `push` searches other lanes by bisection, so that even
 * a priority for each ticket (a deadline, say) stays logarithmic.
 *
 * @internal
 */
import type { AnyTicket, Chain, Ticket } from "./ticket.js"
import { settle } from "./ticket.js"

export class Lane {
  head: AnyTicket | undefined = undefined
  tail: AnyTicket | undefined = undefined

  constructor(
    readonly list: WaitList<any>,
    readonly priority: number,
    readonly rank: number
  ) {}
}

export class WaitList<T extends AnyTicket> {
  size = 0
  private readonly ordinary = new Lane(this, 0, 0)
  private others: Array<Lane> | undefined = undefined

  /** The ticket whose turn is next. */
  get head(): T | undefined {
    const others = this.others
    if (others === undefined) return this.ordinary.head as T | undefined
    const first = others[0]!
    return (this.ordinary.head !== undefined && before(this.ordinary, first) ? this.ordinary.head : first.head) as T
  }

  /** Appends a ticket to the end of its lane. */
  push(ticket: T, rank = 0): void {
    const lane = ticket.priority === 0 && rank === 0 ? this.ordinary : this.open(ticket.priority, rank)
    ticket.lane = lane
    ticket.previous = lane.tail
    if (lane.tail === undefined) lane.head = ticket
    else lane.tail.next = ticket
    lane.tail = ticket
    this.size++
  }

  /** Takes a ticket out, wherever it stands. */
  remove(ticket: T): void {
    const lane = ticket.lane!
    if (ticket.previous === undefined) lane.head = ticket.next
    else ticket.previous.next = ticket.next
    if (ticket.next === undefined) lane.tail = ticket.previous
    else ticket.next.previous = ticket.previous
    ticket.previous = undefined
    ticket.next = undefined
    ticket.lane = undefined
    this.size--
    if (lane.head === undefined && lane !== this.ordinary) this.close(lane)
  }

  /** Takes out the ticket whose turn is next. */
  shift(): T | undefined {
    const head = this.head
    if (head !== undefined) this.remove(head)
    return head
  }

  /** Whether a ticket waits here. */
  has(ticket: T): boolean {
    return ticket.lane !== undefined && ticket.lane.list === this
  }

  /** Takes out all tickets and settles them with one result. */
  settleAll(chain: Chain, result: T extends Ticket<any, infer Result> ? Result : never): Chain {
    for (let ticket = this.shift(); ticket !== undefined; ticket = this.shift()) chain = settle(chain, ticket, result)
    return chain
  }

  /** The first ticket, in lane order, that satisfies a predicate on lane heads. Costs one step a lane, not one a ticket. */
  firstHead(predicate: (ticket: T) => boolean): T | undefined {
    for (const lane of this.lanes()) {
      if (predicate(lane.head as T)) return lane.head as T
    }
    return undefined
  }

  /** All tickets in order of their turn. For snapshots, checks and rare scans. */
  *[Symbol.iterator](): IterableIterator<T> {
    for (const lane of this.lanes()) {
      let ticket = lane.head
      while (ticket !== undefined) {
        const next: AnyTicket | undefined = ticket.next
        yield ticket as T
        ticket = next
      }
    }
  }

  /** The lanes that hold tickets, in order. */
  private lanes(): Array<Lane> {
    const lanes = this.others === undefined ? [] : [...this.others]
    if (this.ordinary.head !== undefined) lanes.splice(search(lanes, 0, 0), 0, this.ordinary)
    return lanes
  }

  private open(priority: number, rank: number): Lane {
    const others = (this.others ??= [])
    const index = search(others, priority, rank)
    const found = others[index]
    if (found !== undefined && found.priority === priority && found.rank === rank) return found
    const lane = new Lane(this, priority, rank)
    others.splice(index, 0, lane)
    return lane
  }

  private close(lane: Lane): void {
    const others = this.others!
    if (others.length === 1) this.others = undefined
    else others.splice(search(others, lane.priority, lane.rank), 1)
  }

  /** @see the invariants above; for tests. */
  check(): void {
    let count = 0
    const lanes = this.lanes()
    for (const lane of this.others ?? []) if (lane.head === undefined) throw new Error("I2: an empty lane")
    for (let i = 1; i < lanes.length; i++) if (!before(lanes[i - 1]!, lanes[i]!)) throw new Error("I2: lanes out of order")
    for (const lane of lanes) {
      let previous: AnyTicket | undefined = undefined
      for (let ticket = lane.head; ticket !== undefined; ticket = ticket.next) {
        if (ticket.previous !== previous || ticket.lane !== lane) throw new Error("I3: links disagree")
        if (ticket.settled) throw new Error("I3: a settled ticket in a list")
        previous = ticket
        count++
      }
      if (lane.tail !== previous) throw new Error("I3: the tail is not the last ticket")
    }
    if (count !== this.size) throw new Error(`I1: size ${this.size}, but ${count} tickets`)
  }
}

const before = (a: Lane, b: Lane): boolean => a.priority > b.priority || (a.priority === b.priority && a.rank < b.rank)

/** The index of the lane, or where it belongs. */
const search = (lanes: ReadonlyArray<Lane>, priority: number, rank: number): number => {
  let low = 0
  let high = lanes.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const lane = lanes[middle]!
    if (lane.priority > priority || (lane.priority === priority && lane.rank < rank)) low = middle + 1
    else high = middle
  }
  return low
}
