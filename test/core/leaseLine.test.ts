import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import { Lease as CoreLease } from "../../src/core/lease.js"
import * as core from "../../src/core/leaseLine.js"
import type { Chain } from "../../src/core/ticket.js"
import * as waitList from "../../src/core/waitList.js"
import { TestTicket, ticketsOf } from "../utils/tickets.js"

class Line extends core.Line {
  fire(): void {}
}

class Lease extends CoreLease {
  fire(): void {}
}

class Waiter extends TestTicket<core.Request, core.Outcome> {
  get kind(): string | undefined {
    return this.result?.kind
  }
}

const poll = 1000

/** The line as a lessor uses it, over a store that is as slow as the test wants it to be. */
class Machine {
  readonly line: Line
  now = 0
  /** Who was told what, in order. */
  readonly ended: Array<Waiter> = []
  questions = 0
  /** What the store says: permits that others hold, and that are held here. */
  others = 0
  here = 0
  /** The question in flight: what the store has decided, once it has. */
  asked: { readonly permits: number; granted: boolean | undefined } | undefined = undefined
  /** What is held here, and releases that are on their way. */
  readonly held: Array<number> = []
  readonly releasing: Array<number> = []
  starts = 0
  stops = 0
  /** What nobody wanted any more. */
  returned = 0

  constructor(readonly limit: number) {
    this.line = new Line("a", limit, poll)
  }

  ask(permits = 1, tries = false): Waiter {
    const ticket = new Waiter({ line: this.line, permits, tries }, 0)
    if (tries && core.isBusy(this.line, permits)) {
      ticket.settled = true
      ticket.result = { kind: "busy" }
      this.ended.push(ticket)
    } else {
      core.enqueue(this.line, ticket, this.now)
      this.proceed(undefined)
    }
    return ticket
  }

  proceed(chain: Chain): void {
    const permits = core.due(this.line, this.now)
    const watch = core.watchDue(this.line)
    if (watch === "start") this.starts++
    if (watch === "stop") this.stops++
    for (const ticket of ticketsOf(chain)) this.end(ticket as Waiter)
    if (permits !== undefined) {
      assert.isUndefined(this.asked, "two questions are in flight")
      this.questions++
      this.asked = { permits, granted: undefined }
    }
    core.check(this.line)
  }

  end(ticket: Waiter): void {
    this.ended.push(ticket)
    if (ticket.kind === "granted") this.held.push(ticket.request.permits)
  }

  /** The store decides. */
  decide(): void {
    const { asked } = this
    if (asked === undefined || asked.granted !== undefined) return
    asked.granted = this.others + this.here + asked.permits <= this.limit
    if (asked.granted) this.here += asked.permits
  }

  /** Its answer arrives. */
  answer(): void {
    this.decide()
    const { asked, line, now } = this
    if (asked === undefined) return
    this.asked = undefined
    if (!asked.granted) return this.proceed(core.refused(line, this.limit, 400, now, () => 1))
    const { chain, taken } = core.granted(line, new Lease("a", 1, 1e6, now), this.limit, now)
    if (!taken) {
      this.here -= asked.permits
      this.returned++
    }
    this.proceed(chain)
  }

  fail(): void {
    if (this.asked === undefined) return
    if (this.asked.granted) this.here -= this.asked.permits
    this.asked = undefined
    this.proceed(core.failed(this.line, "down"))
  }

  cancel(ticket: Waiter): void {
    if (ticket.settled && ticket.kind !== "granted") return
    const { chain, taken } = core.cancel(this.line, ticket, this.now)
    if (taken) this.release(this.held.indexOf(ticket.request.permits))
    this.proceed(chain)
  }

  /** A release is sent. */
  release(index = 0): void {
    const [permits] = this.held.splice(index, 1)
    if (permits === undefined) return
    core.ending(this.line)
    this.releasing.push(permits)
  }

  /** The store has freed it, and says so. */
  released(otherWatchers = 0): void {
    const permits = this.releasing.shift()
    if (permits === undefined) return
    this.here -= permits
    const isOn = this.line.watch === "on"
    if (isOn && otherWatchers > 0) this.message()
    this.proceed(core.ended(this.line, permits, otherWatchers + (isOn ? 1 : 0), this.now, () => 1))
  }

  message(): void {
    if (this.line.watch === "on") this.proceed(core.news(this.line, this.now))
  }

  watching(): void {
    if (this.line.watch === "starting") this.proceed(core.watched(this.line, this.now))
  }

  watchFails(): void {
    if (this.line.watch !== "starting") return
    core.watchFailed(this.line)
    this.stops++
    core.check(this.line)
  }

  advance(milliseconds: number): void {
    this.now += milliseconds
    this.proceed(undefined)
  }

  get kinds(): ReadonlyArray<string | undefined> {
    return this.ended.map(({ kind }) => kind)
  }
}

describe("the line for permits on lease", () => {
  it("asks for the first, and hands over: while somebody here holds the last permit the store is not asked (I1)", () => {
    const machine = new Machine(1)
    const all = [machine.ask(), machine.ask(), machine.ask()]
    assert.strictEqual(machine.questions, 1)
    machine.answer()
    assert.strictEqual(machine.questions, 1)
    machine.advance(100 * poll)
    assert.strictEqual(machine.questions, 1)
    assert.strictEqual(machine.line.wakeAt, Infinity)
    assert.strictEqual(machine.starts, 0)
    for (const [index, ticket] of all.entries()) {
      assert.strictEqual(ticket.kind, "granted")
      assert.strictEqual(machine.questions, index + 1)
      machine.release()
      machine.released()
      machine.answer()
    }
    assert.isTrue(core.isIdle(machine.line))
  })

  it("64 who wait here cost a question each when their turn comes, and none before it", () => {
    const machine = new Machine(1)
    const all = Array.from({ length: 64 }, () => machine.ask())
    for (let i = 0; i < 64; i++) {
      machine.answer()
      machine.advance(10 * poll)
      machine.release()
      machine.released()
    }
    assert.strictEqual(machine.questions, 64)
    assert.deepStrictEqual(machine.ended, all)
  })

  it("asks, watches, asks again, and only then sleeps; until a message, the end of the earliest lease, or the poll (I4, I5)", () => {
    const machine = new Machine(1)
    machine.others = 1
    const ticket = machine.ask()
    machine.answer()
    assert.deepStrictEqual([machine.questions, machine.starts], [1, 1])
    machine.watching()
    assert.strictEqual(machine.questions, 2)
    machine.answer()
    // The earliest lease ends in 400 ms.
    machine.advance(399.9)
    assert.strictEqual(machine.questions, 2)
    machine.advance(0.1)
    assert.strictEqual(machine.questions, 3)
    machine.answer()
    machine.message()
    assert.strictEqual(machine.questions, 4)
    // A message that comes while it is being asked: the answer may be older.
    machine.decide()
    machine.others = 0
    machine.message()
    machine.answer()
    assert.strictEqual(machine.questions, 5)
    machine.answer()
    assert.strictEqual(ticket.kind, "granted")
    assert.deepStrictEqual([machine.starts, machine.stops], [1, 1])
  })

  it("without a watch there is the poll, and each time it is tried again (I5)", () => {
    const machine = new Machine(1)
    machine.others = 1
    const ticket = machine.ask()
    machine.answer()
    machine.watchFails()
    assert.strictEqual(machine.starts, 1)
    machine.advance(400)
    machine.answer()
    assert.strictEqual(machine.starts, 2)
    machine.watchFails()
    machine.others = 0
    machine.advance(400)
    machine.answer()
    assert.strictEqual(ticket.kind, "granted")
  })

  it("a pause is between a half and all of the poll", () => {
    for (const [random, expected] of [
      [0, poll / 2],
      [1, poll]
    ] as const) {
      const line = new Line("a", 1, poll)
      core.enqueue(line, new Waiter({ line, permits: 1, tries: false }, 0), 0)
      core.due(line, 0)
      core.refused(line, 1, 60_000, 0, () => random)
      assert.strictEqual(line.wakeAt, expected)
    }
  })

  it("a store that refuses and says now is not asked without end", () => {
    const line = new Line("a", 1, poll)
    core.enqueue(line, new Waiter({ line, permits: 1, tries: false }, 0), 0)
    core.due(line, 0)
    core.refused(line, 1, 0, 0, () => 0)
    assert.strictEqual(line.wakeAt, 1)
  })

  it("whoever has just let go does not go first while others watch: not before the message, or the watch", () => {
    for (const isWatched of [false, true]) {
      const machine = new Machine(1)
      if (isWatched) {
        machine.others = 1
        machine.ask()
        machine.ask()
        machine.answer()
        machine.watching()
        machine.others = 0
        machine.answer()
      } else {
        machine.ask()
        machine.ask()
        machine.answer()
      }
      const { questions } = machine
      machine.release()
      const permits = machine.releasing.shift()!
      machine.here -= permits
      machine.proceed(core.ended(machine.line, permits, isWatched ? 2 : 1, machine.now, () => 1))
      assert.strictEqual(machine.questions, questions, "it waits")
      if (isWatched) machine.message()
      else machine.watching()
      assert.strictEqual(machine.questions, questions + 1)
      machine.answer()
      assert.deepStrictEqual(machine.kinds, ["granted", "granted"])
    }
  })

  it("a message that comes before the answer to the release counts", () => {
    const machine = new Machine(1)
    machine.others = 1
    machine.ask()
    machine.ask()
    machine.answer()
    machine.watching()
    machine.others = 0
    machine.answer()
    const { questions } = machine
    machine.release()
    // `released` delivers the message first.
    machine.released(1)
    assert.strictEqual(machine.questions, questions + 1)
  })

  it("should the message be lost, it asks by itself", () => {
    const machine = new Machine(1)
    machine.ask()
    machine.ask()
    machine.answer()
    machine.release()
    machine.here = 0
    machine.releasing.shift()
    machine.proceed(core.ended(machine.line, 1, 1, machine.now, () => 1))
    assert.strictEqual(machine.line.wakeAt, poll)
    machine.advance(poll)
    machine.answer()
    assert.deepStrictEqual(machine.kinds, ["granted", "granted"])
  })

  it("nobody overtakes: not a smaller request, nor one who only tries (I2, I3)", () => {
    const machine = new Machine(3)
    machine.others = 1
    const big = machine.ask(3)
    const tries = machine.ask(1, true)
    const small = machine.ask(1)
    machine.answer()
    assert.strictEqual(tries.kind, "busy")
    assert.strictEqual(machine.ask(1, true).kind, "busy")
    assert.isUndefined(big.kind)
    machine.others = 0
    machine.watching()
    machine.answer()
    assert.deepStrictEqual([big.kind, small.kind], ["granted", undefined])
    machine.release()
    machine.released()
    machine.answer()
    assert.strictEqual(small.kind, "granted")
  })

  it("who only tries is told as soon as it is known that those before him wait, also because of what is held here (I3)", () => {
    const machine = new Machine(2)
    machine.ask(1)
    machine.answer()
    const big = machine.ask(2)
    assert.strictEqual(machine.questions, 1)
    assert.strictEqual(machine.ask(1, true).kind, "busy")
    machine.cancel(big)
    assert.isUndefined(machine.ask(1, true).kind)
    machine.answer()
    assert.strictEqual(machine.ended.at(-1)!.kind, "granted")
  })

  it("those who only try and stand behind a grant that leaves no room are refused without a question (I3)", () => {
    const machine = new Machine(1)
    machine.ask(1)
    const tries = [machine.ask(1, true), machine.ask(1, true)]
    machine.answer()
    assert.deepStrictEqual(
      tries.map(({ kind }) => kind),
      ["busy", "busy"]
    )
    assert.strictEqual(machine.questions, 1)
  })

  it("what is granted to one who has gone goes to the next who wants as much, or back (I2)", () => {
    const machine = new Machine(2)
    const [gone, next] = [machine.ask(1), machine.ask(1)]
    machine.decide()
    machine.cancel(gone)
    machine.answer()
    assert.strictEqual(next.kind, "granted")
    const other = machine.ask(1)
    machine.decide()
    machine.cancel(other)
    machine.answer()
    assert.strictEqual(machine.returned, 1)
    const [one, two] = [machine.ask(1), machine.ask(1)]
    machine.answer()
    assert.strictEqual(one.kind, "granted")
    assert.isUndefined(two.kind)
  })

  it("a refusal of one who has gone does not keep one waiting who wants less", () => {
    const machine = new Machine(3)
    machine.others = 2
    const big = machine.ask(3)
    const small = machine.ask(1)
    machine.decide()
    machine.cancel(big)
    machine.answer()
    assert.strictEqual(machine.questions, 2)
    machine.answer()
    assert.strictEqual(small.kind, "granted")
  })

  it("who stands behind one that sleeps and goes is asked for if he wants less, and otherwise sleeps on", () => {
    const machine = new Machine(3)
    machine.others = 2
    const [big, same, small] = [machine.ask(2), machine.ask(2), machine.ask(1)]
    machine.answer()
    machine.watching()
    machine.answer()
    machine.cancel(big)
    assert.strictEqual(machine.questions, 2)
    machine.cancel(same)
    assert.strictEqual(machine.questions, 3)
    machine.answer()
    assert.strictEqual(small.kind, "granted")
  })

  it("a refusal of one who only tried does not wake one behind him who waits for what is held here (I1)", () => {
    const machine = new Machine(3)
    const [first, tries, big] = [machine.ask(2), machine.ask(1, true), machine.ask(2)]
    machine.answer()
    machine.others = 1
    machine.answer()
    assert.deepStrictEqual([first.kind, tries.kind, big.kind], ["granted", "busy", undefined])
    assert.strictEqual(machine.line.wakeAt, Infinity)
    assert.strictEqual(machine.starts, 0)
  })

  it("a grant that is over before it is here is asked for again, once", () => {
    const machine = new Machine(1)
    const ticket = machine.ask()
    const grant = () => {
      machine.asked = undefined
      const late = new Lease("a", 1, 100, machine.now - 100)
      const { chain, taken } = core.granted(machine.line, late, 1, machine.now)
      machine.proceed(chain)
      return taken
    }
    assert.isFalse(grant())
    assert.strictEqual(machine.questions, 2)
    assert.isTrue(grant())
    assert.strictEqual(ticket.kind, "granted")
  })

  it("a failure of the store is told to all in line", () => {
    const machine = new Machine(1)
    const all = [machine.ask(), machine.ask(1, true), machine.ask()]
    machine.fail()
    assert.deepStrictEqual(machine.ended, all)
    assert.deepStrictEqual(machine.kinds, ["failed", "failed", "failed"])
    assert.isTrue(core.isIdle(machine.line))
    // And the next is asked for.
    const next = machine.ask()
    machine.answer()
    assert.strictEqual(next.kind, "granted")
  })

  it("another limit counts as long as the store says so", () => {
    const machine = new Machine(1)
    machine.ask()
    core.due(machine.line, 0)
    machine.asked = undefined
    machine.proceed(core.granted(machine.line, new Lease("a", 1, 1e6, 0), 5, 0).chain)
    machine.ask()
    assert.strictEqual(machine.questions, 2, "there is room")
  })

  it("what was freed while it is being asked is asked for again, unless others were told of that as well", () => {
    for (const [others, questions] of [
      [0, 3],
      [1, 2]
    ] as const) {
      const machine = new Machine(2)
      machine.ask(1)
      machine.answer()
      machine.others = 1
      machine.ask(1)
      machine.decide()
      machine.release()
      machine.releasing.shift()
      machine.here--
      machine.proceed(core.ended(machine.line, 1, others, machine.now, () => 1))
      machine.answer()
      assert.strictEqual(machine.questions, questions)
    }
  })

  it("who comes while the store is being asked for one who has gone is not asked for beside that", () => {
    const machine = new Machine(1)
    machine.cancel(machine.ask())
    const next = machine.ask()
    assert.strictEqual(machine.questions, 1)
    machine.answer()
    assert.strictEqual(next.kind, "granted")
  })

  it("who wants more than there is now is asked for when nothing is held here: the limit may have grown since", () => {
    const machine = new Machine(3)
    const line = new Line("a", 1, poll)
    assert.isFalse(core.isBusy(line, 2))
    core.enqueue(line, new Waiter({ line, permits: 2, tries: false }, 0), machine.now)
    assert.strictEqual(core.due(line, machine.now), 2)
  })

  it("who comes while the first sleeps does not wake him: the store would be asked in vain", () => {
    const machine = new Machine(1)
    machine.others = 1
    machine.ask()
    machine.answer()
    machine.ask()
    assert.strictEqual(machine.questions, 1)
    assert.strictEqual(machine.line.wakeAt, 400)
  })

  it("a lease that ends in the moment in which it is here is of no use", () => {
    const line = new Line("a", 1, poll)
    core.enqueue(line, new Waiter({ line, permits: 1, tries: false }, 0), 0)
    core.due(line, 0)
    const lease = new Lease("a", 1, 1000, 0)
    assert.isFalse(core.granted(line, lease, 1, lease.deadline).taken)
  })

  it("news for nobody who sleeps asks nothing", () => {
    const line = new Line("a", 1, poll)
    assert.isUndefined(core.news(line, 5))
    assert.strictEqual(line.wakeAt, Infinity)
    core.check(line)
  })

  it("a watch that has failed needs no end", () => {
    const machine = new Machine(1)
    machine.others = 1
    const ticket = machine.ask()
    machine.answer()
    core.watchFailed(machine.line)
    core.cancel(machine.line, ticket, machine.now)
    assert.isUndefined(core.watchDue(machine.line))
    assert.strictEqual(machine.line.watch, "off")
  })

  it("of one who goes, what he was granted has to be given back, and nothing else", () => {
    const machine = new Machine(1)
    const first = machine.ask()
    const tries = machine.ask(1, true)
    machine.answer()
    assert.deepStrictEqual(core.cancel(machine.line, first, 0), { chain: undefined, taken: true })
    assert.deepStrictEqual(core.cancel(machine.line, tries, 0), { chain: undefined, taken: false })
    const waits = machine.ask()
    assert.deepStrictEqual(core.cancel(machine.line, waits, 0), { chain: undefined, taken: false })
  })

  it("a line may be forgotten when nobody is in it, nothing is held, and no answer is on its way", () => {
    const machine = new Machine(2)
    const isIdle = () => core.isIdle(machine.line)
    assert.isTrue(isIdle())
    const gone = machine.ask()
    assert.isFalse(isIdle())
    machine.cancel(gone)
    assert.isFalse(isIdle(), "an answer is on its way")
    machine.others = 2
    machine.answer()
    assert.isTrue(isIdle())
    machine.others = 0
    const holds = machine.ask()
    machine.answer()
    assert.isFalse(isIdle(), "it is held")
    machine.others = 1
    const sleeps = machine.ask()
    machine.answer()
    machine.release()
    machine.releasing.shift()
    machine.here--
    core.ended(machine.line, 1, 1, machine.now, () => 1)
    assert.strictEqual(machine.line.held, 0)
    assert.isFalse(isIdle(), "somebody sleeps")
    machine.cancel(sleeps)
    assert.isTrue(isIdle())
    assert.strictEqual(holds.kind, "granted")
  })

  it("check finds what does not hold", () => {
    const broken = (change: (line: Line) => void, tickets: ReadonlyArray<boolean> = []) => {
      const line = new Line("a", 1, poll)
      for (const tries of tickets) waitList.push(line.waiting, new Waiter({ line, permits: 1, tries }, 0))
      change(line)
      return () => core.check(line)
    }
    const asked = { permits: 1, news: false }
    assert.doesNotThrow(broken(() => {}))
    assert.throws(
      broken((line) => void (line.waiting.size = 1)),
      "I1: size 1, but 0 tickets"
    )
    assert.throws(
      broken((line) => void (line.wakeAt = 5)),
      "I1: the next question is due at 5"
    )
    assert.throws(
      broken(() => {}, [false]),
      "I1: the next question is due at Infinity"
    )
    assert.throws(
      broken((line) => Object.assign(line, { wakeAt: 5, question: asked }), [false]),
      "I1: the next question is due at 5"
    )
    assert.throws(
      broken((line) => Object.assign(line, { wakeAt: 5, held: 1 }), [false]),
      "I1: the next question is due at 5"
    )
    assert.throws(
      broken((line) => void (line.held = -1)),
      "I1: -1 permits are held"
    )
    assert.throws(
      broken((line) => void (line.held = 1), [false, true]),
      "I3: one who only tries waits"
    )
    // While the store is being asked, it is not known that they wait.
    assert.doesNotThrow(broken((line) => Object.assign(line, { held: 1, question: asked }), [false, true]))
    const sleeps = { wakeAt: 5, refused: 1, watch: "on" }
    assert.doesNotThrow(broken((line) => Object.assign(line, sleeps), [false]))
    assert.throws(
      broken((line) => Object.assign(line, sleeps, { wakeAt: Infinity, question: asked }), [false]),
      "I4: nobody sleeps on the refusal of 1"
    )
    assert.throws(
      broken((line) => Object.assign(line, sleeps, { wakeAt: Infinity })),
      "I4: nobody sleeps on the refusal of 1"
    )
    assert.throws(
      broken((line) => void (line.watch = "starting")),
      "I5: the store is watched for nobody: starting"
    )
    assert.throws(
      broken((line) => Object.assign(line, sleeps, { watch: "off" }), [false]),
      "I5: the first sleeps, and the store is not watched"
    )
  })

  it("whatever happens, in whatever order: all have their turn, in order, and nothing is lost (I1 to I5)", () => {
    const step = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({
          kind: fc.constant("ask" as const),
          permits: fc.integer({ min: 1, max: 3 }),
          tries: fc.boolean()
        })
      },
      fc.record({ kind: fc.constant("cancel" as const), index: fc.nat(10) }),
      fc.record({ kind: fc.constantFrom("decide" as const, "answer" as const, "answer" as const, "message" as const) }),
      fc.record({ kind: fc.constantFrom("watching" as const, "watchFails" as const, "fail" as const) }),
      fc.record({ kind: fc.constant("release" as const), index: fc.nat(3) }),
      fc.record({ kind: fc.constant("released" as const), watchers: fc.nat(1) }),
      fc.record({ kind: fc.constantFrom("othersTake" as const, "othersFree" as const, "othersFreeAndTell" as const) }),
      fc.record({ kind: fc.constant("pass" as const), milliseconds: fc.integer({ min: 1, max: 600 }) })
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
        const machine = new Machine(3)
        const all: Array<Waiter> = []
        const gone = new Set<Waiter>()
        for (const each of steps) {
          if (each.kind === "ask") all.push(machine.ask(each.permits, each.tries))
          else if (each.kind === "cancel") {
            const ticket = all.filter((ticket) => !ticket.settled && !gone.has(ticket))[each.index]
            if (ticket !== undefined) {
              gone.add(ticket)
              machine.cancel(ticket)
            }
          } else if (each.kind === "release") machine.release(each.index % Math.max(1, machine.held.length))
          else if (each.kind === "released") machine.released(each.watchers)
          else if (each.kind === "pass") machine.advance(each.milliseconds)
          else if (each.kind === "othersTake") {
            if (machine.others + machine.here < machine.limit) machine.others++
          } else if (each.kind === "othersFree" || each.kind === "othersFreeAndTell") {
            machine.others = Math.max(0, machine.others - 1)
            if (each.kind === "othersFreeAndTell") machine.message()
          } else machine[each.kind]()
        }
        // The others go, and nobody is told.
        machine.others = 0
        for (let i = 0; machine.line.waiting.size > 0; i++) {
          assert.isBelow(i, 500, "somebody waits for ever")
          machine.answer()
          machine.release()
          machine.released()
          if (machine.line.wakeAt < Infinity) machine.advance(Math.max(0, machine.line.wakeAt - machine.now))
        }
        machine.answer()
        while (machine.held.length > 0) machine.release()
        while (machine.releasing.length > 0) machine.released()
        machine.proceed(undefined)
        assert.isTrue(core.isIdle(machine.line))
        assert.strictEqual(machine.here, 0)
        assert.strictEqual(machine.starts, machine.stops)
        const kept = all.filter((ticket) => !gone.has(ticket))
        assert.isTrue(kept.every(({ settled }) => settled))
        const waited = (tickets: ReadonlyArray<Waiter>) =>
          tickets.filter((ticket) => !ticket.request.tries && ticket.kind === "granted")
        assert.deepStrictEqual(waited(machine.ended), waited(all))
        assert.strictEqual(waitList.tickets(machine.line.waiting).length, 0)
      })
    )
  })
})
