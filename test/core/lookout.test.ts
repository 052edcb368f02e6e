import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import * as core from "../../src/core/lookout.js"
import { TestTicket, ticketsOf } from "../utils/tickets.js"

class Waiter extends TestTicket<undefined, core.Result> {}

class Machine {
  readonly state = core.make(100)
  now = 0
  isSo = false
  inFlight = false
  questions = 0

  proceed(chain: core.Waiting | undefined = undefined): void {
    const isDue = core.due(this.state, this.now)
    core.check(this.state)
    for (const ticket of ticketsOf(chain)) ticket.wake()
    if (!isDue) return
    assert.isFalse(this.inFlight, "I1: two questions")
    this.inFlight = true
    this.questions++
  }

  wait(): Waiter {
    const ticket = new Waiter(undefined, 0)
    core.enqueue(this.state, ticket, this.now)
    this.proceed()
    return ticket
  }

  answer(isSo = this.isSo, random = 1): void {
    this.inFlight = false
    this.proceed(core.answered(this.state, isSo, this.now, random) as core.Waiting | undefined)
  }

  fail(failure: unknown): void {
    this.inFlight = false
    this.proceed(core.failed(this.state, failure, this.now) as core.Waiting | undefined)
  }

  change(): void {
    core.changed(this.state, this.now)
    this.proceed()
  }

  cancel(ticket: Waiter): void {
    core.cancel(this.state, ticket)
    this.proceed()
  }

  advance(milliseconds: number): void {
    this.now += milliseconds
    this.proceed()
  }
}

describe("a lookout", () => {
  it("I1: asks once for all who are there; when it is so they are told", () => {
    const machine = new Machine()
    const first = machine.wait()
    assert.isTrue(machine.inFlight)
    machine.answer(true)
    assert.deepEqual(first.result, { kind: "so" })
    assert.isTrue(core.isIdle(machine.state))
    assert.strictEqual(machine.questions, 1)
  })

  it("I2: who comes while a question is in flight is not told by its answer, and is asked for after it", () => {
    const machine = new Machine()
    const first = machine.wait()
    const second = machine.wait()
    machine.answer(true)
    assert.deepEqual([first.settled, second.settled], [true, false])
    assert.isTrue(machine.inFlight)
    machine.answer(true)
    assert.isTrue(second.settled)

    const third = machine.wait()
    const fourth = machine.wait()
    machine.answer(false)
    assert.isTrue(machine.inFlight)
    machine.answer(true)
    assert.deepEqual([third.settled, fourth.settled], [true, true])
  })

  it("I3: sleeps until the store says that something has changed, and for a poll at most", () => {
    const machine = new Machine()
    const ticket = machine.wait()
    assert.isFalse(core.wantsWatch(machine.state, machine.now))
    machine.answer()
    assert.isTrue(core.wantsWatch(machine.state, machine.now))
    assert.strictEqual(machine.state.wakeAt, 100)
    machine.advance(99)
    assert.isFalse(machine.inFlight)
    machine.advance(1)
    assert.isTrue(machine.inFlight)
    machine.answer(false, 0)
    assert.strictEqual(machine.state.wakeAt, 175)
    machine.change()
    assert.isTrue(machine.inFlight)
    // Told while the question is in flight: what that says may be older.
    machine.change()
    machine.answer()
    assert.isTrue(machine.inFlight)
    machine.answer(true)
    assert.isTrue(ticket.settled)
    machine.change()
    assert.isFalse(machine.inFlight)
  })

  it("a failure is told to those who were asked for", () => {
    const machine = new Machine()
    const first = machine.wait()
    const gone = machine.wait()
    machine.answer()
    assert.isTrue(machine.inFlight)
    machine.cancel(gone)
    const second = machine.wait()
    machine.fail("no store")
    assert.deepEqual(first.result, { kind: "failed", failure: "no store" })
    assert.isFalse(gone.settled)
    assert.isFalse(second.settled)
    machine.answer(true)
    assert.isTrue(second.settled)
  })

  it("nobody is asked for who is gone", () => {
    const machine = new Machine()
    const ticket = machine.wait()
    machine.answer()
    machine.cancel(ticket)
    machine.advance(1000)
    assert.isFalse(machine.inFlight)
    assert.isTrue(core.isIdle(machine.state))
    const told = machine.wait()
    machine.answer(true)
    machine.cancel(told)
    assert.isTrue(core.isIdle(machine.state))
  })

  it("whatever happens, nobody is told too early, and all are told in the end", () => {
    const step = fc.constantFrom("wait", "cancel", "answer", "fail", "change", "so", "not", "advance")
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
        const machine = new Machine()
        const all: Array<{ ticket: Waiter; wasSo: boolean }> = []
        const waiting = () => all.filter(({ ticket }) => ticket.lane !== undefined)
        const now = () => {
          if (machine.isSo) for (const one of waiting()) one.wasSo = true
        }
        for (const each of steps) {
          if (each === "wait") all.push({ ticket: machine.wait(), wasSo: machine.isSo })
          if (each === "cancel" && waiting().length > 0) machine.cancel(waiting()[0]!.ticket)
          if (each === "answer" && machine.inFlight) machine.answer()
          if (each === "fail" && machine.inFlight) machine.fail("no")
          if (each === "change") machine.change()
          if (each === "so" || each === "not") machine.isSo = each === "so"
          if (each === "advance") machine.advance(70)
          now()
        }
        for (const { ticket, wasSo } of all) if (ticket.result?.kind === "so") assert.isTrue(wasSo)
        machine.isSo = true
        for (let i = 0; i < 5; i++) {
          if (machine.inFlight) machine.answer()
          machine.advance(100)
        }
        assert.strictEqual(machine.state.waiting.size, 0)
      })
    )
  })

  it("check finds what does not hold", () => {
    const broken = (change: Partial<core.State>, count = 0) => {
      const state = core.make(100)
      for (let i = 0; i < count; i++) core.enqueue(state, new Waiter(undefined, 0), 5)
      Object.assign(state, change)
      return () => core.check(state)
    }
    assert.doesNotThrow(broken({}))
    assert.doesNotThrow(broken({}, 1))
    assert.doesNotThrow(broken({ asked: [], wakeAt: Infinity }, 1))
    assert.throws(broken({ wakeAt: Infinity }, 1), "I1: 1 wait, the next question is due at Infinity")
    assert.throws(broken({ asked: [] }, 2), "I1: 2 wait, the next question is due at 5")
    assert.throws(broken({ wakeAt: 7 }), "I1: 0 wait, the next question is due at 7")
    assert.throws(broken({ waiting: { size: 1, lanes: [] } }), "I1: size 1, but 0 tickets")
  })
})
