import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as waitList from "../../src/core/waitList.js"
import { TestTicket, ticketsOf } from "../utils/tickets.js"

type Entry = TestTicket<number, string>
type Step = (list: waitList.WaitList<Entry>, model: Model) => void

/** The sequential model: entries in one sorted array. */
class Model {
  private arrivals = 0
  readonly entries: Array<{ readonly ticket: Entry; readonly rank: number; readonly arrival: number }> = []

  push(ticket: Entry, rank: number): void {
    this.entries.push({ ticket, rank, arrival: this.arrivals++ })
    this.entries.sort(
      (a, b) =>
        Number(b.ticket.priority > a.ticket.priority) - Number(b.ticket.priority < a.ticket.priority) ||
        a.rank - b.rank ||
        a.arrival - b.arrival
    )
  }

  get tickets(): ReadonlyArray<Entry> {
    return this.entries.map(({ ticket }) => ticket)
  }

  /** The first entry of each lane. */
  get heads(): ReadonlyArray<Entry> {
    return this.entries
      .filter(({ rank, ticket }, index) => {
        const previous = this.entries[index - 1]
        return previous === undefined || previous.rank !== rank || previous.ticket.priority !== ticket.priority
      })
      .map(({ ticket }) => ticket)
  }
}

const priorities = fc.oneof(
  { weight: 3, arbitrary: fc.constant(0) },
  { weight: 3, arbitrary: fc.integer({ min: -2, max: 2 }) },
  { weight: 1, arbitrary: fc.constantFrom(-Infinity, Infinity, -0, 0.5) },
  { weight: 2, arbitrary: fc.double({ noNaN: true }) }
)

const ranks = fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, fc.nat(3))

const push = fc.tuple(priorities, ranks).map(([priority, rank]): Step => (list, model) => {
  const ticket: Entry = new TestTicket(rank, priority)
  assert.isFalse(waitList.has(list, ticket))
  waitList.push(list, ticket, rank)
  model.push(ticket, rank)
  assert.isTrue(waitList.has(list, ticket))
})

const remove = fc.nat(1_000).map((pick): Step => (list, model) => {
  if (model.entries.length === 0) return
  const [removed] = model.entries.splice(pick % model.entries.length, 1)
  waitList.remove(removed!.ticket)
  assert.isFalse(waitList.has(list, removed!.ticket))
  assert.deepStrictEqual([removed!.ticket.previous, removed!.ticket.next], [undefined, undefined])
})

const shift = fc.constant<Step>((list, model) => {
  assert.strictEqual(waitList.shift(list), model.entries.shift()?.ticket)
})

const settleAll = fc.constant<Step>((list, model) => {
  const expected = model.tickets
  model.entries.length = 0
  assert.isTrue(sameTickets(ticketsOf(waitList.settleAll(list, undefined, "over")) as Array<Entry>, expected))
  assert.isTrue(expected.every(({ result, settled }) => settled && result === "over"))
})

const firstHead = fc.nat(3).map((limit): Step => (list, model) => {
  const asked: Array<Entry> = []
  const found = waitList.firstHead(list, (ticket) => {
    asked.push(ticket)
    return ticket.request <= limit
  })
  const index = model.heads.findIndex((ticket) => ticket.request <= limit)
  assert.strictEqual(found, model.heads[index])
  assert.isTrue(
    sameTickets(asked, index === -1 ? model.heads : model.heads.slice(0, index + 1)),
    "asks lane heads only"
  )
})

/** Identity: a deep comparison of linked tickets would walk the whole list each time. */
const sameTickets = (actual: ReadonlyArray<Entry>, expected: ReadonlyArray<Entry>): boolean =>
  actual.length === expected.length && actual.every((ticket, index) => ticket === expected[index])

const listOf = (...tickets: ReadonlyArray<readonly [priority: number, rank?: number]>) => {
  const list = waitList.make<Entry>()
  const pushed = tickets.map(([priority, rank = 0]) => {
    const ticket: Entry = new TestTicket(rank, priority)
    waitList.push(list, ticket, rank)
    return ticket
  })
  return { list, pushed }
}

describe("wait list", () => {
  it("does what a sorted array does, step by step (I1, I2, I3)", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            { weight: 8, arbitrary: push },
            { weight: 4, arbitrary: remove },
            { weight: 3, arbitrary: shift },
            { weight: 2, arbitrary: firstHead },
            { weight: 1, arbitrary: settleAll }
          ),
          { maxLength: 60 }
        ),
        (steps) => {
          const list = waitList.make<Entry>()
          const model = new Model()
          for (const step of steps) {
            step(list, model)
            waitList.check(list)
            assert.strictEqual(list.size, model.entries.length)
            assert.strictEqual(waitList.head(list), model.entries[0]?.ticket)
            assert.isTrue(sameTickets([...waitList.tickets(list)], model.tickets), "the order is that of the model")
          }
        }
      ),
      { numRuns: 400 }
    )
  })

  it("keeps a thousand distinct priorities in order, however they come and go (I2)", () => {
    const list = waitList.make<Entry>()
    const tickets = Array.from({ length: 1_000 }, (_, i): Entry => new TestTicket(i, (i * 617) % 1_000))
    for (const ticket of tickets) waitList.push(list, ticket)
    for (const ticket of tickets) if (ticket.request % 3 === 0) waitList.remove(ticket)
    waitList.check(list)
    const left = [...waitList.tickets(list)].map(({ priority }) => priority)
    assert.strictEqual(left.length, 666)
    assert.deepStrictEqual(
      left,
      left.toSorted((a, b) => b - a)
    )
  })

  it("orders equals by rank, lower first, and equals of a rank by arrival", () => {
    const { list, pushed } = listOf([0, 2], [0, 1], [1, 3], [0, 0], [0, 1])
    assert.isTrue(
      sameTickets([...waitList.tickets(list)], [pushed[2]!, pushed[3]!, pushed[1]!, pushed[4]!, pushed[0]!])
    )
  })

  it("treats a priority of -0 as 0", () => {
    const { list, pushed } = listOf([0], [-0], [0])
    assert.isTrue(sameTickets([...waitList.tickets(list)], pushed))
    waitList.check(list)
  })

  it("may lose the ticket that an iteration has just given", () => {
    const { list, pushed } = listOf([0], [2], [0], [2], [1])
    const seen: Array<Entry> = []
    for (const ticket of waitList.tickets(list)) {
      seen.push(ticket)
      waitList.remove(ticket)
    }
    assert.isTrue(sameTickets(seen, [pushed[1]!, pushed[3]!, pushed[4]!, pushed[0]!, pushed[2]!]))
    assert.strictEqual(list.size, 0)
    waitList.check(list)
  })

  it("makes one lane, however often it fills and empties", () => {
    const { list, pushed } = listOf([0])
    const { lane } = pushed[0]!
    for (let times = 0; times < 3; times++) {
      assert.isDefined(waitList.shift(list))
      const ticket: Entry = new TestTicket(0, 0)
      waitList.push(list, ticket)
      assert.strictEqual(ticket.lane, lane)
    }
  })

  it("does not take the ticket of another list for its own", () => {
    const { list } = listOf([0])
    const { pushed } = listOf([0])
    assert.isFalse(waitList.has(list, pushed[0]!))
  })

  it("appends to a chain when it settles all", () => {
    const first = listOf([0])
    const second = listOf([0], [1])
    const chain = waitList.settleAll(second.list, waitList.settleAll(first.list, undefined, "a"), "b")
    assert.isTrue(
      sameTickets(ticketsOf(chain) as Array<Entry>, [first.pushed[0]!, second.pushed[1]!, second.pushed[0]!])
    )
    assert.deepStrictEqual(
      ticketsOf(chain).map(({ result }) => result),
      ["a", "b", "b"]
    )
  })
})

describe("wait list: check sees", () => {
  it("a size that is not the number of tickets (I1)", () => {
    const { list } = listOf([0], [1])
    list.size = 3
    assert.throws(() => waitList.check(list), /I1: size 3, but 2 tickets/)
  })

  it("an empty lane that was left behind (I2)", () => {
    const { list } = listOf([1], [2])
    list.lanes[0]!.next = list.lanes[0]
    assert.throws(() => waitList.check(list), /I2: an empty lane/)
  })

  it("lanes out of order (I2)", () => {
    const { list } = listOf([1], [2], [3])
    list.lanes.reverse()
    assert.throws(() => waitList.check(list), /I2: lanes out of order/)
  })

  it("two lanes of one priority and rank (I2)", () => {
    const { list } = listOf([1], [1, 1])
    Object.assign(list.lanes[1]!, { rank: 0 })
    assert.throws(() => waitList.check(list), /I2: lanes out of order/)
  })

  it("a link that goes one way only (I3)", () => {
    const { list, pushed } = listOf([0], [0])
    pushed[1]!.previous = undefined
    assert.throws(() => waitList.check(list), /I3: links disagree/)
  })

  it("a ticket that names another lane (I3)", () => {
    const { list, pushed } = listOf([0], [1])
    pushed[0]!.lane = pushed[1]!.lane
    assert.throws(() => waitList.check(list), /I3: links disagree/)
  })

  it("a tail that is not the last ticket (I3)", () => {
    const { list, pushed } = listOf([1], [1])
    list.lanes[0]!.previous = pushed[0]
    assert.throws(() => waitList.check(list), /I3: the tail is not the last ticket/)
  })
})
