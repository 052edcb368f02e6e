import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import * as core from "../../src/core/latch.js"
import * as lookout from "../../src/core/lookout.js"
import { TestTicket, ticketsOf } from "../utils/tickets.js"

class Waiter extends TestTicket<undefined, core.Result> {}

/** Those who wait, and the flag itself, which is asked and answers when the test says so. */
class Machine {
  readonly state = core.make(100)
  now = 0
  flag: core.Look = { isSet: false, count: 0 }
  inFlight = false
  questions = 0

  proceed(chain?: core.Waiting): void {
    const isDue = lookout.due(this.state.lookout, this.now)
    core.check(this.state)
    for (const ticket of ticketsOf(chain)) ticket.wake()
    if (!isDue) return
    this.inFlight = true
    this.questions++
  }

  wait(): Waiter {
    const ticket = new Waiter(undefined, 0)
    lookout.enqueue(this.state.lookout, ticket, this.now)
    this.proceed()
    return ticket
  }

  /** What the flag is when the question comes there. */
  answer(flag = this.flag): void {
    this.inFlight = false
    this.proceed(core.answered(this.state, flag, this.now, 1) as core.Waiting | undefined)
  }

  fail(): void {
    this.inFlight = false
    this.proceed(core.failed(this.state, "down", this.now) as core.Waiting | undefined)
  }

  advance(milliseconds: number): void {
    this.now += milliseconds
    this.proceed()
  }

  count(count: number, isSet = false): void {
    this.flag = { isSet, count }
  }
}

/** Each has been asked for, and waits. */
const waiting = (machine: Machine, count: number): ReadonlyArray<Waiter> =>
  Array.from({ length: count }, () => {
    const waiter = machine.wait()
    if (!machine.inFlight) machine.advance(100)
    machine.answer()
    if (machine.inFlight) machine.answer()
    return waiter
  })

describe("those who wait for a flag of a store", () => {
  it("I1: are let go when it is set, and when the count has grown since they were first asked for", () => {
    const machine = new Machine()
    machine.count(7)
    const [first, second] = waiting(machine, 2)
    assert.isFalse(first!.settled || second!.settled)
    machine.count(8)
    machine.advance(100)
    // Comes when the question is on its way: nobody knows which of the two was first.
    const late = machine.wait()
    machine.answer()
    assert.isTrue(first!.settled && second!.settled)
    assert.isFalse(late.settled)
    machine.answer()
    assert.isFalse(late.settled)
    machine.count(8, true)
    machine.advance(100)
    machine.answer()
    assert.deepStrictEqual(late.result, { kind: "so" })
    assert.isTrue(lookout.isIdle(machine.state.lookout))
  })

  it("I2: whoever comes later remembers a later count, and one is enough for all", () => {
    const machine = new Machine()
    machine.count(1)
    waiting(machine, 1)
    machine.count(2)
    machine.advance(100)
    const late = machine.wait()
    machine.answer()
    machine.answer()
    assert.strictEqual(machine.state.count, 2)
    machine.count(3)
    machine.advance(100)
    machine.answer()
    assert.isTrue(late.settled)
  })

  it("I3: a question that fails is put once more at once; then all it was put for are told, and the next begins anew", () => {
    const machine = new Machine()
    const [first] = waiting(machine, 1)
    machine.advance(100)
    machine.fail()
    assert.isFalse(first!.settled)
    assert.isTrue(machine.inFlight)
    machine.answer()
    assert.isFalse(first!.settled)
    for (let i = 0; i < 2; i++) {
      machine.advance(100)
      machine.fail()
      machine.answer()
    }
    machine.advance(100)
    machine.fail()
    machine.fail()
    assert.deepStrictEqual(first!.result, { kind: "failed", failure: "down" })
    const next = machine.wait()
    machine.fail()
    assert.isFalse(next.settled)
  })

  it("a failure does not make them forget the count", () => {
    const machine = new Machine()
    machine.count(1)
    const [first] = waiting(machine, 1)
    machine.advance(100)
    machine.fail()
    machine.count(2)
    machine.answer()
    assert.isTrue(first!.settled)
  })

  it("a count that went back (the store has lost its data) lets nobody go, and keeps nobody: the next one that grows does", () => {
    const machine = new Machine()
    machine.count(1000)
    const [first] = waiting(machine, 1)
    machine.count(0)
    machine.advance(100)
    machine.answer()
    assert.isFalse(first!.settled)
    machine.count(3)
    machine.advance(100)
    machine.answer()
    assert.isTrue(first!.settled)
  })

  it("whatever happens, nobody is let go without a reason, and nobody stays who has one", () => {
    const step = fc.constantFrom(
      "wait",
      "cancel",
      "set",
      "clear",
      "pulse",
      "arrive",
      "answer",
      "fail",
      "pass",
      "change"
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
        const machine = new Machine()
        const all: Array<{ waiter: Waiter; from: number | undefined; reason: boolean }> = []
        /** What the store said when the question came there; and for whom. */
        let said: core.Look | undefined
        let asked: ReadonlyArray<core.Waiting> = []
        const arrive = () => {
          if (!machine.inFlight || said !== undefined) return
          said = machine.flag
          asked = machine.state.lookout.asked!
          for (const each of all) {
            if (!asked.includes(each.waiter)) continue
            if (said.isSet || (each.from !== undefined && said.count > each.from)) each.reason = true
            each.from ??= said.count
          }
        }
        const finish = (fails: boolean) => {
          if (!machine.inFlight) return
          if (!fails) arrive()
          const answer = said
          said = undefined
          if (fails || answer === undefined) {
            machine.fail()
            // A first look that was lost on the way back was none: the next one counts.
            for (const each of all)
              if (asked.includes(each.waiter) && !machine.state.looked.has(each.waiter)) each.from = undefined
            return
          }
          machine.answer(answer)
        }
        let count = 0
        for (const each of steps) {
          if (each === "wait") all.push({ waiter: machine.wait(), from: undefined, reason: false })
          if (each === "cancel") {
            const one = all.find(({ waiter }) => !waiter.settled && waiter.lane !== undefined)
            if (one !== undefined) lookout.cancel(machine.state.lookout, one.waiter)
            machine.proceed()
          }
          if (each === "set") machine.flag = { isSet: true, count: ++count }
          if (each === "clear") machine.flag = { isSet: false, count }
          if (each === "pulse") machine.flag = { ...machine.flag, count: ++count }
          if (each === "arrive") arrive()
          if (each === "answer") finish(false)
          if (each === "fail") finish(true)
          if (each === "pass") machine.advance(40)
          if (each === "change") {
            lookout.changed(machine.state.lookout, machine.now)
            machine.proceed()
          }
          for (const { reason, waiter } of all)
            if (waiter.result?.kind === "so") assert.isTrue(reason, "let go without a reason")
        }
        // In the end it is set, and all are let go.
        machine.flag = { isSet: true, count: ++count }
        for (let i = 0; i < 5; i++) {
          finish(false)
          machine.advance(200)
        }
        for (const { waiter } of all) assert.isTrue(waiter.settled || waiter.lane === undefined)
        assert.isTrue(lookout.isIdle(machine.state.lookout))
      }),
      { numRuns: 300 }
    )
  })

  it("check finds what does not hold", () => {
    const state = core.make(100)
    assert.doesNotThrow(() => core.check(state))
    state.lookout.wakeAt = 5
    assert.throws(() => core.check(state), "I1: 0 wait, the next question is due at 5")
  })
})
