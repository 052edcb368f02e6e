import { assert, describe, it } from "@effect/vitest"
import { LeaseLost } from "../../src/core/lease.js"
import * as lookout from "../../src/core/lookout.js"
import * as core from "../../src/core/party.js"
import { TestTicket, ticketsOf } from "../utils/tickets.js"

class Party extends core.Party {
  fire(): void {}
}

class Waiter extends TestTicket<undefined, lookout.Result> {}

const waits: core.Answer = { kind: "waiting", parties: 2, generation: 7 }

class Machine {
  readonly party = new Party("a", "id", 900, 1000)
  readonly ticket = new Waiter(undefined, 0)
  now = 0
  asked: Array<"arrive" | "renew"> = []
  doubtful = 0

  constructor() {
    lookout.enqueue(this.party.lookout, this.ticket, this.now)
    this.proceed()
  }

  proceed(chain?: lookout.Waiting): void {
    const step = core.due(this.party, this.now)
    core.check(this.party)
    for (const ticket of ticketsOf(chain)) ticket.wake()
    if (step !== undefined) this.asked.push(step)
  }

  answer(answer: core.Answer): this {
    this.proceed(core.answered(this.party, answer, this.now, 1) as lookout.Waiting | undefined)
    return this
  }

  fail(): this {
    const { chain, isDoubtful } = core.failed(this.party, "down", this.now, 1)
    if (isDoubtful) this.doubtful++
    this.proceed(chain as lookout.Waiting | undefined)
    return this
  }

  advance(milliseconds: number): this {
    this.now += milliseconds
    this.proceed()
    return this
  }

  get outcome(): core.Outcome | undefined {
    assert.strictEqual(this.ticket.settled, this.party.outcome !== undefined)
    return this.party.outcome
  }
}

describe("a party of a barrier of a store", () => {
  it("arrives, asks every third of its lease or more often, and passes with its index", () => {
    const machine = new Machine()
    assert.deepStrictEqual(machine.asked, ["arrive"])
    machine.answer(waits).advance(299)
    assert.deepStrictEqual(machine.asked, ["arrive"])
    machine.advance(1)
    assert.deepStrictEqual(machine.asked, ["arrive", "renew"])
    machine.answer(waits)
    core.changed(machine.party, machine.now)
    machine.proceed()
    assert.deepStrictEqual(machine.asked, ["arrive", "renew", "renew"])
    machine.answer({ kind: "passed", parties: 2, index: 0 })
    assert.deepStrictEqual(machine.outcome, { kind: "passed", index: 0 })
    assert.isTrue(lookout.isIdle(machine.party.lookout))
  })

  it("I1: what becomes of it is decided once, and then nothing is asked for it", () => {
    const machine = new Machine().answer(waits).advance(300)
    assert.isTrue(core.cancel(machine.party, machine.ticket))
    machine.answer({ kind: "broken", parties: 2 }).advance(10_000)
    assert.isUndefined(machine.party.outcome)
    assert.deepStrictEqual(machine.asked, ["arrive", "renew"])
    const other = new Machine().answer({ kind: "broken", parties: 2 }).advance(10_000)
    assert.deepStrictEqual(other.outcome, { kind: "broken" })
    assert.isFalse(core.cancel(other.party, other.ticket))
    assert.deepStrictEqual(other.asked, ["arrive"])
  })

  it("I2: an arrival that failed is put once more, at once; one that fails again is doubtful", () => {
    const machine = new Machine().fail()
    assert.deepStrictEqual(machine.asked, ["arrive", "arrive"])
    assert.strictEqual(machine.doubtful, 0)
    machine.fail()
    assert.strictEqual(machine.doubtful, 1)
    assert.deepStrictEqual(machine.outcome, { kind: "failed", failure: "down" })
    const other = new Machine().fail().answer(waits).advance(300).fail().answer(waits)
    assert.deepStrictEqual(other.asked, ["arrive", "arrive", "renew", "renew"])
    assert.isUndefined(other.outcome)
  })

  it("I3: one that has arrived gives up when a question fails after its lease has ended, and not before", () => {
    const machine = new Machine().answer(waits)
    for (const at of [300, 600]) {
      // Each is put once more, at once.
      machine.advance(300).fail().fail()
      assert.strictEqual(machine.now, at)
      assert.isUndefined(machine.outcome)
    }
    machine.advance(299)
    assert.strictEqual(machine.asked.length, 5)
    machine.advance(1).fail()
    const { outcome } = machine
    assert.isTrue(outcome?.kind === "lost")
    if (outcome?.kind !== "lost") return
    assert.instanceOf(outcome.loss, LeaseLost)
    assert.deepInclude(outcome.loss, { resource: "a", token: 7, reason: "expired" })
    assert.strictEqual(machine.doubtful, 0)
  })

  it("one that comes late asks once more: what the store says then is so", () => {
    // Its process was stopped for a day.
    const machine = new Machine().answer(waits).advance(86_400_000)
    assert.deepStrictEqual(machine.asked, ["arrive", "renew"])
    machine.answer({ kind: "passed", parties: 2, index: 1 })
    assert.deepStrictEqual(machine.outcome, { kind: "passed", index: 1 })
    const other = new Machine().answer(waits).advance(86_400_000).answer(waits).advance(300).fail()
    assert.isUndefined(other.outcome)
    const forgotten = new Machine().answer(waits).advance(86_400_000).answer({ kind: "unknown" })
    assert.isTrue(forgotten.outcome?.kind === "lost" && forgotten.outcome.loss.reason === "unknown to the store")
  })

  it("asks as often as it polls, where that is more often than a third of its lease", () => {
    assert.strictEqual(new Party("a", "id", 900, 200).lookout.poll, 200)
    assert.strictEqual(new Party("a", "id", 900, 1000).lookout.poll, 300)
  })

  it("I2: a question that fails is put once more, also when that has happened before", () => {
    const machine = new Machine().answer(waits)
    for (const [at, asked] of [
      [300, 3],
      [600, 5]
    ] as const) {
      machine.advance(at - machine.now).fail()
      assert.strictEqual(machine.asked.length, asked)
      machine.answer(waits)
    }
  })

  it("I3: its lease counts from when the question was put, and ends in that moment", () => {
    const machine = new Machine()
    machine.now = 500
    machine.answer(waits)
    assert.strictEqual(machine.party.deadline, 900)
    machine.now = 899
    machine.proceed()
    machine.fail()
    assert.isUndefined(machine.outcome)
    machine.now = 900
    machine.fail()
    assert.strictEqual(machine.party.outcome?.kind, "lost")
  })

  it("I1: one whose caller has gone is neither doubtful nor asked for again when its question fails", () => {
    const machine = new Machine()
    assert.isTrue(core.cancel(machine.party, machine.ticket))
    machine.fail().fail()
    assert.deepStrictEqual([machine.doubtful, machine.asked], [0, ["arrive"]])
    const late = new Machine()
    core.cancel(late.party, late.ticket)
    late.answer(waits).advance(10_000)
    assert.deepStrictEqual([late.party.status, late.asked, late.party.outcome], ["over", ["arrive"], undefined])
  })

  it("one that the store does not know any more says which generation it was of", () => {
    const machine = new Machine().answer(waits).advance(300).answer({ kind: "unknown" })
    const { outcome } = machine
    assert.strictEqual(
      outcome?.kind === "lost" ? String(outcome.loss) : outcome?.kind,
      'LeaseLost: the lease of "a" with the token 7 is lost: the store does not know it'
    )
  })

  it("check finds what does not hold", () => {
    const broken = (change: Partial<Party>, wakeAt = Infinity, size = 0) => {
      const party = Object.assign(new Party("a", "id", 900, 1000), change)
      party.lookout.wakeAt = wakeAt
      if (size > 0) lookout.enqueue(party.lookout, new Waiter(undefined, 0), wakeAt)
      return () => core.check(party)
    }
    const outcome = { kind: "broken" } as const
    assert.doesNotThrow(broken({}))
    assert.doesNotThrow(broken({ status: "over", outcome }))
    assert.doesNotThrow(broken({ status: "over" }))
    assert.throws(broken({}, 5), "I1: 0 wait, the next question is due at 5")
    assert.throws(broken({ outcome }), "I1: new, and broken")
    assert.throws(broken({ status: "arrived", outcome }), "I1: arrived, and broken")
    assert.doesNotThrow(broken({ status: "arrived" }, 5, 1))
    assert.throws(broken({ status: "over" }, 5, 1), "I1: it is over, and something is asked")
  })
})
