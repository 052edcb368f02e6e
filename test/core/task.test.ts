import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import * as deferreds from "../../src/core/deferred.js"
import * as core from "../../src/core/task.js"
import { wake } from "../../src/core/ticket.js"
import { TestTicket } from "../utils/tickets.js"

const success = (value: unknown): core.Outcome => ({ _tag: "Success", value })
const failure = (error: unknown): core.Outcome => ({ _tag: "Failure", error })

class Waiter extends TestTicket<boolean, core.Outcome> {
  constructor(asks = true) {
    super(asks, 0)
  }
}

class Stopper extends TestTicket<undefined, core.Stop> {
  constructor() {
    super(undefined, 0)
  }
}

/** The core, and beside it what it ought to be: an outcome, a reason, arrays. */
class Model {
  readonly state = core.make("model")
  readonly woken: Array<unknown> = []
  expected: Array<unknown> = []
  waiting: Array<Waiter> = []
  stopping: Array<Stopper> = []
  readonly all: Array<Waiter> = []
  outcome: core.Outcome | undefined
  reason: { readonly reason: unknown } | undefined
  observed = false
  readonly asking = new Set<Waiter>()
  reports = 0

  wait(asks: boolean) {
    const ticket = new Waiter(asks)
    if (asks) this.asking.add(ticket)
    ticket.onWake = () => this.woken.push(ticket)
    this.all.push(ticket)
    wake(core.enqueue(this.state, ticket))
    if (this.outcome) this.expected.push(ticket)
    else this.waiting.push(ticket)
  }

  leave(at: number) {
    const ticket = this.all[at % this.all.length]
    if (ticket === undefined) return
    this.all.splice(this.all.indexOf(ticket), 1)
    assert.isUndefined(core.leave(this.state, ticket))
    this.asking.delete(ticket)
    this.waiting = this.waiting.filter((other) => other !== ticket)
  }

  onStop() {
    const ticket = new Stopper()
    ticket.onWake = () => this.woken.push(ticket)
    wake(core.onStop(this.state, ticket))
    if (this.reason) this.expected.push(ticket)
    else if (!this.outcome) this.stopping.splice(1, 0, ticket)
  }

  stop(reason: unknown) {
    wake(core.stop(this.state, reason))
    if (this.reason || this.outcome) return
    this.reason = { reason }
    this.expected.push(...this.stopping)
    this.stopping = []
  }

  end(outcome: core.Outcome) {
    wake(core.end(this.state, outcome))
    if (this.outcome) return
    this.outcome = outcome
    this.expected.push(...this.waiting)
    this.waiting = []
    this.stopping = []
  }

  observe() {
    core.observe(this.state)
    this.observed = true
  }

  report() {
    const failure = core.unhandled(this.state)
    const due = !this.observed && this.asking.size === 0 && this.outcome?._tag === "Failure"
    assert.strictEqual(failure, due ? this.outcome : undefined)
    if (due) this.observed = true
    if (failure) this.reports++
  }

  verify() {
    core.check(this.state)
    assert.strictEqual(this.state.outcome, this.outcome)
    assert.deepStrictEqual(this.state.stop, this.reason)
    assert.strictEqual(this.state.waiting?.size ?? 0, this.waiting.length)
    assert.strictEqual(this.state.stopping !== undefined, this.stopping.length > 0)
    assert.strictEqual(this.woken.length, this.expected.length)
    assert.isTrue(this.woken.every((ticket, i) => ticket === this.expected[i]))
    assert.isAtMost(this.reports, 1)
  }
}

const command = fc.oneof(
  { weight: 6, arbitrary: fc.boolean().map((asks) => (model: Model) => model.wait(asks)) },
  { weight: 3, arbitrary: fc.nat(20).map((at) => (model: Model) => model.leave(at)) },
  { weight: 3, arbitrary: fc.constant((model: Model) => model.onStop()) },
  { weight: 2, arbitrary: fc.nat(3).map((reason) => (model: Model) => model.stop(reason)) },
  { weight: 1, arbitrary: fc.nat(3).map((value) => (model: Model) => model.end(success(value))) },
  { weight: 1, arbitrary: fc.nat(3).map((error) => (model: Model) => model.end(failure(error))) },
  { weight: 1, arbitrary: fc.constant((model: Model) => model.end(core.cancelled(model.state))) },
  { weight: 1, arbitrary: fc.constant((model: Model) => model.observe()) },
  { weight: 2, arbitrary: fc.constant((model: Model) => model.report()) }
)

describe("core/task", () => {
  it("does what an outcome, a reason and arrays do (I1, I2, I3, I4)", () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
        const model = new Model()
        for (const run of commands) {
          run(model)
          model.verify()
        }
      }),
      { numRuns: 400 }
    )
  })

  it("I1: the first outcome counts, whatever comes later, and cannot be changed", () => {
    const state = core.make<number>(undefined)
    const outcome = success(1)
    core.end(state, outcome)
    assert.isUndefined(core.end(state, failure("late")))
    assert.strictEqual(state.outcome, outcome)
    assert.isFrozen(outcome)
    state.outcome = success(2)
    assert.throws(() => core.check(state), "I1: the outcome can be changed")
  })

  it("I2: check finds one who waits for a task that has ended", () => {
    const state = core.make(undefined)
    core.enqueue(state, new Waiter())
    core.check(state)
    state.outcome = Object.freeze(success(1))
    assert.throws(() => core.check(state), "I2: 1 wait for a task that has ended")
  })

  it("check finds a wait list that is broken, and none where nobody has waited", () => {
    const state = core.make(undefined)
    core.check(state)
    core.enqueue(state, new Waiter())
    state.waiting!.size = 2
    assert.throws(() => core.check(state), "I1: size 2, but 1 tickets")
  })

  it("has the ids, the words and the constant that both skins use", () => {
    assert.deepStrictEqual(
      [core.TypeId, deferreds.TypeId, core.itself, core.pending._tag],
      [
        "~effect-concurrency/Task",
        "~effect-concurrency/Deferred",
        "the task waits for itself, and would never end",
        "Pending"
      ]
    )
    assert.isFrozen(core.pending)
  })

  it("I3: check finds one who was not told to stop", () => {
    const state = core.make(undefined)
    core.onStop(state, new Stopper())
    core.check(state)
    state.stop = { reason: "why" }
    assert.throws(() => core.check(state), "I3: somebody was not told to stop")
  })

  it("I3: who is told to stop is told once, with the first reason, also one who comes late", () => {
    const state = core.make(undefined)
    const [early, late] = [new Stopper(), new Stopper()]
    wake(core.onStop(state, early))
    wake(core.stop(state, "first"))
    wake(core.stop(state, "second"))
    wake(core.onStop(state, late))
    assert.deepStrictEqual([early.wakes, late.wakes], [1, 1])
    assert.deepStrictEqual([early.result, late.result], [{ reason: "first" }, { reason: "first" }])
    assert.deepStrictEqual(core.cancelled(state), { _tag: "Cancelled", reason: "first" })
  })

  it("I3: a task that has ended is not told to stop", () => {
    const state = core.make(undefined)
    const stopper = new Stopper()
    core.onStop(state, stopper)
    core.end(state, success(1))
    assert.isUndefined(core.stop(state, "late"))
    assert.isUndefined(state.stop)
    assert.strictEqual(stopper.wakes, 0)
    assert.isUndefined(core.onStop(state, new Stopper()))
    core.check(state)
  })

  it("I4: a failure is reported once, and not when somebody asked for it; a cancellation never is", () => {
    const failed = core.make(undefined)
    assert.isUndefined(core.unhandled(failed))
    core.end(failed, failure("oops"))
    assert.deepStrictEqual(core.unhandled(failed), failure("oops"))
    assert.isUndefined(core.unhandled(failed))
    const asked = core.make(undefined)
    const [waiter, canceller] = [new Waiter(), new Waiter(false)]
    core.enqueue(asked, waiter)
    core.enqueue(asked, canceller)
    core.end(asked, failure("oops"))
    assert.isUndefined(core.unhandled(asked))
    core.leave(asked, waiter)
    assert.deepStrictEqual(core.unhandled(asked), failure("oops"), "who asked was gone in the same tick")
    const left = core.make(undefined)
    const reporter = new TestTicket<undefined, undefined>(undefined, 0)
    const [late, later] = [new Waiter(), new Waiter()]
    core.enqueue(left, late)
    core.end(left, failure("oops"))
    core.enqueue(left, later)
    core.reportLate(left, reporter)
    wake(core.leave(left, late))
    assert.strictEqual(reporter.wakes, 0, "one has it still")
    wake(core.leave(left, later))
    assert.strictEqual(reporter.wakes, 1)
    assert.deepStrictEqual(core.unhandled(left), failure("oops"))
    assert.isUndefined(core.unhandled(left))
    const gone = core.make(undefined)
    core.end(gone, failure("oops"))
    const soon = new TestTicket<undefined, undefined>(undefined, 0)
    wake(core.reportLate(gone, soon))
    assert.deepStrictEqual([soon.wakes, gone.reporting], [1, undefined], "they have gone already")
    asked.asked = 0
    asked.outcome = undefined
    core.enqueue(asked, new Waiter())
    asked.asked = 0
    assert.throws(() => core.check(asked), "I4: 1 ask, and 0 are known")
    const cancelled = core.make(undefined)
    core.end(cancelled, core.cancelled(cancelled))
    assert.isUndefined(core.unhandled(cancelled))
  })

  it("I4: who looks after a failure that was left is asked once, and may be put in place again", () => {
    const state = core.make(undefined)
    core.end(state, failure("oops"))
    for (const look of [1, 2].map(() => new TestTicket<undefined, undefined>(undefined, 0))) {
      const waiter = new Waiter()
      core.enqueue(state, waiter)
      core.reportLate(state, look)
      wake(core.leave(state, waiter))
      assert.deepStrictEqual([look.wakes, state.reporting], [1, undefined])
    }
  })

  it("I4: a watch asks for the failure until it leaves, once, or keeps it", () => {
    for (const when of ["before", "after"] as const) {
      const state = core.make(undefined)
      const seen: Array<core.Outcome> = []
      const ticket = new Waiter()
      ticket.onWake = () => seen.push(ticket.result!)
      const [left, kept] = [new core.Watch(state, ticket), new core.Watch(state, new Waiter())]
      if (when === "after") core.end(state, failure("oops"))
      wake(left.begin())
      if (when === "before") {
        assert.deepStrictEqual([state.waiting?.size, seen.length], [1, 0])
        wake(core.end(state, failure("oops")))
      }
      assert.deepStrictEqual(seen, [failure("oops")])
      assert.isUndefined(core.unhandled(state))
      wake(kept.begin())
      kept.keep()
      for (const watch of [kept, left, left]) wake(watch.leave())
      assert.deepStrictEqual([state.asked, core.unhandled(state)], [1, undefined])
    }
    const pending = core.make(undefined)
    const watch = new core.Watch(pending, new Waiter())
    wake(watch.begin())
    wake(watch.leave())
    assert.deepStrictEqual([pending.waiting?.size, pending.asked], [0, 0])
    core.end(pending, failure("oops"))
    assert.deepStrictEqual(core.unhandled(pending), failure("oops"))
  })

  it("one who is woken may wait, leave, stop and end again: nothing changes any more", () => {
    const state = core.make(undefined)
    const [first, second] = [new Waiter(), new Waiter()]
    core.enqueue(state, first)
    core.enqueue(state, second)
    first.onWake = () => {
      core.leave(state, second)
      wake(core.stop(state, "late"))
      wake(core.end(state, failure("late")))
      wake(core.enqueue(state, new Waiter()))
      core.check(state)
    }
    wake(core.end(state, success(1)))
    assert.deepStrictEqual([first.wakes, second.wakes], [1, 1])
    assert.deepStrictEqual(second.result, success(1))
  })

  it("TaskCancelled names the task, if it has a name, and has the reason", () => {
    const error = new core.TaskCancelled("indexing", "shutdown")
    assert.deepStrictEqual(
      [error._tag, error.name, error.task, error.reason],
      ["TaskCancelled", "TaskCancelled", "indexing", "shutdown"]
    )
    assert.strictEqual(error.message, 'the task "indexing" was cancelled')
    assert.strictEqual(new core.TaskCancelled(undefined, undefined).message, "the task was cancelled")
    assert.instanceOf(error, Error)
  })
})
