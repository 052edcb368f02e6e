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
})
