import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import * as core from "../../src/core/background.js"
import * as tasks from "../../src/core/task.js"
import { wake } from "../../src/core/ticket.js"
import { TestTicket } from "../utils/tickets.js"

class Waiter extends TestTicket<undefined, undefined> {
  constructor() {
    super(undefined, 0)
  }
}

class Stopper extends TestTicket<undefined, tasks.Stop> {
  constructor() {
    super(undefined, 0)
  }
}

const outcomes: ReadonlyArray<tasks.Outcome> = [
  { _tag: "Success", value: 1 },
  { _tag: "Failure", error: "oops" },
  { _tag: "Cancelled", reason: undefined }
]

/** The core, and beside it what it ought to be: arrays and counts. */
class Model {
  readonly state: core.State
  readonly limit: number
  running: Array<{ readonly task: tasks.State; readonly limited: boolean; readonly stopper: Stopper }> = []
  reporting = 0
  waiting: Array<Waiter> = []
  closed = false
  readonly woken: Array<Waiter> = []
  readonly expected: Array<Waiter> = []
  started = 0

  constructor(concurrency: number | undefined, backlog: number | undefined) {
    this.state = core.make("here", { concurrency, backlog })
    this.limit = (concurrency ?? Infinity) + (backlog ?? Infinity)
  }

  add(limited: boolean) {
    const task = tasks.make(`task ${++this.started}`)
    const refused = core.add(this.state, task, limited)
    const counted = this.running.filter((each) => each.limited).length
    if (this.closed) assert.instanceOf(refused, core.BackgroundClosed)
    else if (limited && counted >= this.limit) assert.instanceOf(refused, core.BackgroundFull)
    else {
      assert.isUndefined(refused)
      const stopper = new Stopper()
      tasks.onStop(task, stopper)
      this.running.push({ task, limited, stopper })
    }
  }

  end(at: number, outcome: tasks.Outcome, reporting: boolean) {
    const [ended] = this.running.splice(at % Math.max(1, this.running.length), 1)
    if (ended === undefined) return
    tasks.end(ended.task, { ...outcome })
    if (reporting) this.reporting++
    wake(core.remove(this.state, ended.task, reporting))
    this.emptied()
  }

  reported() {
    if (this.reporting === 0) return
    this.reporting--
    wake(core.reported(this.state))
    this.emptied()
  }

  wait() {
    if (core.isEmpty(this.state)) return
    const waiter = new Waiter()
    waiter.onWake = () => this.woken.push(waiter)
    core.enqueue(this.state, waiter)
    this.waiting.push(waiter)
  }

  cancel(at: number) {
    const [waiter] = this.waiting.splice(at % Math.max(1, this.waiting.length), 1)
    if (waiter) assert.isUndefined(core.cancel(this.state, waiter))
  }

  stopAll() {
    wake(core.stopAll(this.state, "all"))
    assert.isTrue(this.running.every(({ stopper, task }) => stopper.wakes === 1 && task.stop?.reason === "all"))
  }

  close() {
    this.closed = true
    core.close(this.state)
  }

  private emptied() {
    if (this.running.length + this.reporting > 0) return
    this.expected.push(...this.waiting)
    this.waiting = []
  }

  verify() {
    core.check(this.state)
    const { isClosed, size } = core.stats(this.state)
    assert.deepStrictEqual([size, isClosed], [this.running.length, this.closed])
    assert.strictEqual(core.isEmpty(this.state), this.running.length + this.reporting === 0)
    assert.deepStrictEqual(
      core.names(this.state),
      this.running.map(({ task }) => task.name!)
    )
    assert.strictEqual(this.state.waiting.size, this.waiting.length)
    assert.deepStrictEqual(this.woken, this.expected)
  }
}

const command = fc.oneof(
  { weight: 8, arbitrary: fc.boolean().map((limited) => (model: Model) => model.add(limited)) },
  {
    weight: 8,
    arbitrary: fc.tuple(fc.nat(9), fc.constantFrom(...outcomes), fc.boolean()).map(
      ([at, outcome, reporting]) =>
        (model: Model) =>
          model.end(at, outcome, reporting)
    )
  },
  { weight: 3, arbitrary: fc.constant((model: Model) => model.reported()) },
  { weight: 4, arbitrary: fc.constant((model: Model) => model.wait()) },
  { weight: 2, arbitrary: fc.nat(9).map((at) => (model: Model) => model.cancel(at)) },
  { weight: 1, arbitrary: fc.constant((model: Model) => model.stopAll()) },
  { weight: 1, arbitrary: fc.constant((model: Model) => model.close()) }
)

describe("core/background", () => {
  it("does what arrays and counts do (I1, I2, I3, I4)", () => {
    const sizes = fc.option(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.option(fc.nat(2), { nil: undefined })), {
      nil: undefined
    })
    fc.assert(
      fc.property(sizes, fc.array(command, { maxLength: 60 }), (size, commands) => {
        const model = new Model(size?.[0], size?.[1])
        for (const run of commands) {
          run(model)
          model.verify()
        }
      }),
      { numRuns: 400 }
    )
  })

  it("I1: check finds a task that has ended and is kept", () => {
    const state = core.make("here", {})
    const task = tasks.make(undefined)
    core.add(state, task)
    core.check(state)
    tasks.end(task, { _tag: "Success", value: 1 })
    assert.throws(() => core.check(state), "I1: a task that has ended is kept")
  })

  it("I2: one more than concurrency and backlog is refused; what is running already is not", () => {
    const state = core.make("here", { concurrency: 1, backlog: 1 })
    assert.isUndefined(core.add(state, tasks.make("a")))
    assert.isUndefined(core.add(state, tasks.make("b")))
    const refused = core.add(state, tasks.make("c"))
    assert.instanceOf(refused, core.BackgroundFull)
    assert.strictEqual(refused!.message, 'the task "c" was not started: the registry is full, it holds 2')
    assert.isUndefined(core.add(state, tasks.make("running"), false))
    assert.deepInclude(core.stats(state), { size: 3, queued: 1 })
    state.limited = 3
    assert.throws(() => core.check(state), "I2: 3 count against a limit of 2")
  })

  it("I3: it is empty when every failure is reported, too", () => {
    const state = core.make("here", {})
    const task = tasks.make(undefined)
    core.add(state, task)
    const waiter = new Waiter()
    core.enqueue(state, waiter)
    tasks.end(task, { _tag: "Failure", error: "oops" })
    wake(core.remove(state, task, true))
    assert.deepStrictEqual([waiter.wakes, core.stats(state).size, core.stats(state).failed], [0, 0, 1])
    wake(core.reported(state))
    assert.strictEqual(waiter.wakes, 1)
    core.enqueue(state, new Waiter())
    assert.throws(() => core.check(state), "I3: 1 wait for what is so")
  })

  it("I4: a closed one takes nothing, and says so; what it has, it keeps", () => {
    const state = core.make("here", {})
    core.add(state, tasks.make("kept"))
    core.close(state)
    const refused = core.add(state, tasks.make(undefined))
    assert.instanceOf(refused, core.BackgroundClosed)
    assert.strictEqual(refused!.message, "the task was not started: the registry is closed")
    assert.deepStrictEqual(core.names(state), ["kept"])
  })

  it("names what was given up, the first twenty", () => {
    assert.strictEqual(core.abandoned("were left", ["a"]), "1 task were left: a")
    const names = Array.from({ length: 22 }, (_, i) => String(i))
    assert.match(core.abandoned("were left", names), /^22 tasks were left: 0, 1, .*, 19, and 2 more$/)
    const state = core.make("here", {})
    core.add(state, tasks.make(undefined))
    assert.deepStrictEqual(core.names(state), ["(no name)"])
  })

  it("refuses what cannot be", () => {
    for (const concurrency of [0, -1, 1.5, NaN, Infinity]) {
      assert.throws(
        () => core.make("here", { concurrency }),
        RangeError,
        "here: concurrency must be an integer of at least 1"
      )
    }
    for (const backlog of [-1, 1.5, NaN]) {
      assert.throws(
        () => core.make("here", { concurrency: 1, backlog }),
        RangeError,
        "here: backlog must be an integer of at least 0"
      )
    }
    assert.throws(
      () => core.make("here", { backlog: 3 }),
      "here: backlog must be given together with a concurrency, got 3"
    )
    assert.throws(
      () => core.make("here", { deadline: -1 }),
      RangeError,
      "here: deadline must be 0 or more milliseconds"
    )
    assert.throws(() => core.make("here", { grace: NaN }), RangeError, "here: grace must be 0 or more milliseconds")
    assert.throws(
      () => core.make("here", { onClose: "stop" as "drain" }),
      'here: onClose must be one of "interrupt", "drain"'
    )
    assert.throws(() => core.make("here", null as never), TypeError, "here: options must be an object, got null")
  })

  it("its snapshot is frozen", () => {
    assert.isFrozen(core.stats(core.make("here", {})))
  })
})
