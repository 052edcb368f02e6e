import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import * as core from "../../src/core/background.js"
import * as running from "../../src/core/running.js"
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
  reporting: Array<tasks.State> = []
  waiting: Array<Waiter> = []
  closed = false
  readonly woken: Array<Waiter> = []
  readonly expected: Array<Waiter> = []
  started = 0

  constructor(concurrency: number | undefined, backlog: number | undefined) {
    this.state = core.make("here", { concurrency, backlog })
    this.limit = (concurrency ?? Infinity) + (backlog ?? Infinity)
  }

  add(how: "limited" | "unlimited" | "try") {
    const task = tasks.make(`task ${++this.started}`)
    const limited = how !== "unlimited"
    const counted = this.running.filter((each) => each.limited).length
    const isFull = limited && counted >= this.limit
    if (how === "try") {
      assert.strictEqual(core.tryAdd(this.state, task), !this.closed && !isFull)
    } else {
      const refused = core.add(this.state, task, limited)
      if (this.closed) assert.instanceOf(refused, core.BackgroundClosed)
      else if (isFull) assert.instanceOf(refused, core.BackgroundFull)
      else assert.isUndefined(refused)
    }
    if (this.closed || isFull) return
    const stopper = new Stopper()
    tasks.onStop(task, stopper)
    this.running.push({ task, limited, stopper })
  }

  end(at: number, outcome: tasks.Outcome, reporting: boolean) {
    const [ended] = this.running.splice(at % Math.max(1, this.running.length), 1)
    if (ended === undefined) return
    tasks.end(ended.task, { ...outcome })
    if (reporting) this.reporting.push(ended.task)
    wake(core.remove(this.state, ended.task, reporting))
    this.emptied()
  }

  reported(at: number) {
    const [task] = this.reporting.splice(at % Math.max(1, this.reporting.length), 1)
    if (task === undefined) return
    wake(core.reported(this.state, task))
    this.emptied()
  }

  wait() {
    if (core.isEmpty(this.state)) return
    const waiter = new Waiter()
    waiter.onWake = () => this.woken.push(waiter)
    wake(running.enqueue(this.state.works, waiter))
    this.waiting.push(waiter)
  }

  cancel(at: number) {
    const [waiter] = this.waiting.splice(at % Math.max(1, this.waiting.length), 1)
    if (waiter) assert.isUndefined(running.cancel(this.state.works, waiter))
  }

  stopAll() {
    wake(core.stopAll(this.state, "all"))
    this.areStopped()
  }

  close() {
    this.closed = true
    wake(core.close(this.state, "closed").chain)
    this.areStopped()
  }

  private areStopped() {
    for (const { stopper, task } of this.running) {
      assert.strictEqual(stopper.wakes, 1)
      assert.isDefined(task.stop)
    }
  }

  private emptied() {
    if (this.running.length + this.reporting.length > 0) return
    this.expected.push(...this.waiting)
    this.waiting = []
  }

  verify() {
    core.check(this.state)
    const { isClosed, queued, size } = core.stats(this.state)
    assert.deepStrictEqual([size, isClosed], [this.running.length, this.closed])
    const counted = this.running.filter(({ limited }) => limited).length
    assert.strictEqual(queued, Math.max(0, counted - (this.state.semaphore?.permits ?? Infinity)))
    assert.strictEqual(core.size(this.state), size)
    assert.strictEqual(core.isEmpty(this.state), this.running.length + this.reporting.length === 0)
    assert.deepStrictEqual(
      core.tasks(this.state),
      this.running.map(({ task }) => task)
    )
    assert.strictEqual(this.state.works.waiting.size, this.waiting.length)
    assert.deepStrictEqual(this.woken, this.expected)
  }
}

const command = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .constantFrom("limited" as const, "unlimited" as const, "try" as const)
      .map((how) => (model: Model) => model.add(how))
  },
  {
    weight: 8,
    arbitrary: fc.tuple(fc.nat(9), fc.constantFrom(...outcomes), fc.boolean()).map(
      ([at, outcome, reporting]) =>
        (model: Model) =>
          model.end(at, outcome, reporting)
    )
  },
  { weight: 3, arbitrary: fc.nat(9).map((at) => (model: Model) => model.reported(at)) },
  { weight: 4, arbitrary: fc.constant((model: Model) => model.wait()) },
  { weight: 2, arbitrary: fc.nat(9).map((at) => (model: Model) => model.cancel(at)) },
  { weight: 1, arbitrary: fc.constant((model: Model) => model.stopAll()) },
  { weight: 1, arbitrary: fc.constant((model: Model) => model.close()) }
)

/** A registry with tasks of these names. */
const withTasks = (options: core.Options, ...names: ReadonlyArray<string | undefined>) => {
  const state = core.make("here", options)
  const all = names.map((name) => tasks.make(name))
  for (const task of all) assert.isUndefined(core.add(state, task))
  return { state, all, end: (...ending: ReadonlyArray<tasks.State>) => ending.forEach((task) => end(state, task)) }
}

const end = (state: core.State, task: tasks.State, outcome: tasks.Outcome = { _tag: "Success", value: 1 }) => {
  tasks.end(task, { ...outcome })
  return core.remove(state, task, false)
}

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

  it("I1: check finds a task that has ended and is kept, and one that is not there to be reported", () => {
    const { all, state } = withTasks({}, "a")
    core.check(state)
    tasks.end(all[0]!, { _tag: "Success", value: 1 })
    assert.throws(() => core.check(state), "I1: 1 that have ended are kept, and 0 are being reported")
    state.reporting = 2
    assert.throws(() => core.check(state), "I1: 1 that have ended are kept, and 2 are being reported")
  })

  it("check finds what its parts find", () => {
    const { all, state } = withTasks({ concurrency: 1 }, "a")
    all[0]!.asked = -1
    assert.throws(() => core.check(state), "I4: 0 ask, and -1 are known")
    all[0]!.asked = 0
    state.semaphore!.taken = -1
    assert.throws(() => core.check(state), "I1: taken is -1")
  })

  it("I2: one more than concurrency and backlog is refused; what is running already is not", () => {
    const { all, end, state } = withTasks({ concurrency: 1, backlog: 1 }, "a", "b")
    const refused = core.add(state, tasks.make("c"))
    assert.instanceOf(refused, core.BackgroundFull)
    assert.strictEqual(refused!.message, 'the task "c" was not started: the registry is full, it holds 2')
    assert.strictEqual(core.tryAdd(state, tasks.make("c")), false)
    const ran = tasks.make("ran already")
    assert.isUndefined(core.add(state, ran, false))
    assert.deepInclude(core.stats(state), { size: 3, queued: 1 })
    end(ran)
    assert.strictEqual(core.tryAdd(state, tasks.make("c")), false)
    end(all[0]!)
    assert.strictEqual(core.tryAdd(state, tasks.make("c")), true)
    assert.deepInclude(core.stats(state), { size: 2, queued: 1 })
    running.add(state.works, tasks.make("one too many"))
    assert.throws(() => core.check(state), "I2: 3 count against a limit of 2")
    state.unlimited.add(tasks.make("not there"))
    assert.throws(() => core.check(state), "I2: what counts against no limit is not there")
  })

  it("I2: one that has failed and is being reported has made room", () => {
    const { all, state } = withTasks({ concurrency: 1, backlog: 0 }, "a")
    tasks.end(all[0]!, { _tag: "Failure", error: "oops" })
    assert.isUndefined(core.remove(state, all[0]!, true))
    assert.isUndefined(core.add(state, tasks.make("b")))
    core.check(state)
  })

  it("I3: it is empty when every failure is reported, too", () => {
    const { all, state } = withTasks({}, undefined)
    const [waiter] = [new Waiter()]
    wake(running.enqueue(state.works, waiter))
    tasks.end(all[0]!, { _tag: "Failure", error: "oops" })
    wake(core.remove(state, all[0]!, true))
    assert.deepStrictEqual([waiter.wakes, core.isEmpty(state)], [0, false])
    assert.deepInclude(core.stats(state), { size: 0, failed: 1 })
    wake(core.reported(state, all[0]!))
    assert.deepStrictEqual([waiter.wakes, core.isEmpty(state)], [1, true])
    core.add(state, tasks.make("a"))
    wake(running.enqueue(state.works, new Waiter()))
    state.works.works.clear()
    assert.throws(() => core.check(state), "wait for nothing")
  })

  it("I4: a closed one takes nothing, and says so; what it has, it keeps", () => {
    for (const onClose of ["interrupt", "drain"] as const) {
      const { all, state } = withTasks({ onClose }, "kept")
      core.close(state, undefined)
      const refused = core.add(state, tasks.make(undefined))
      assert.instanceOf(refused, core.BackgroundClosed)
      assert.strictEqual(refused!.message, "the task was not started: the registry is closed")
      assert.strictEqual(core.tryAdd(state, tasks.make(undefined)), false)
      assert.deepStrictEqual(core.tasks(state), all)
      assert.isTrue(core.stats(state).isClosed)
    }
  })

  it("totals are by how tasks ended", () => {
    const state = core.make("here", {})
    for (const outcome of [...outcomes, outcomes[1]!, outcomes[2]!, outcomes[2]!]) {
      const task = tasks.make(undefined)
      core.add(state, task)
      end(state, task, outcome)
    }
    assert.deepStrictEqual(core.stats(state), {
      size: 0,
      queued: 0,
      succeeded: 1,
      failed: 2,
      cancelled: 3,
      isClosed: false
    })
  })

  describe("closing (I5)", () => {
    const names = (step: core.Step) => [step.message, step.givenUp]

    it("with interruption: cancels all, waits for the grace, is done when it is empty", () => {
      const { all, end, state } = withTasks({ grace: 7, deadline: 3 }, "a", "b")
      const stoppers = all.map((task) => {
        const stopper = new Stopper()
        tasks.onStop(task, stopper)
        return stopper
      })
      const step = core.close(state, "why")
      assert.deepStrictEqual([step.wait, ...names(step)], [7, undefined, []])
      assert.deepStrictEqual(
        stoppers.map(({ wakes }) => wakes),
        [0, 0],
        "it is the skin that wakes"
      )
      wake(step.chain)
      assert.deepStrictEqual(
        stoppers.map(({ result, wakes }) => [wakes, result!.reason]),
        [
          [1, "why"],
          [1, "why"]
        ]
      )
      end(...all)
      const last = core.proceed(state, step, "why")
      assert.deepStrictEqual([last.wait, last.chain, ...names(last)], [undefined, undefined, undefined, []])
    })

    it("with interruption: what has not cleaned up in time is left behind, and told", () => {
      const { all, end, state } = withTasks({ grace: 7 }, "a", "b", undefined)
      const step = core.close(state, "why")
      end(all[0]!)
      const last = core.proceed(state, step, "why")
      assert.deepStrictEqual(
        [last.wait, ...names(last)],
        [undefined, "2 tasks had not cleaned up in time, and were left behind: b, (no name)", ["b", "(no name)"]]
      )
    })

    it("with draining: waits for the deadline and cancels nobody; is done when it is empty", () => {
      const { all, end, state } = withTasks({ onClose: "drain", deadline: 3, grace: 7 }, "a")
      const step = core.close(state, "why")
      assert.deepStrictEqual([step.wait, step.chain, ...names(step)], [3, undefined, undefined, []])
      assert.isUndefined(all[0]!.stop)
      end(...all)
      const last = core.proceed(state, step, "why")
      assert.deepStrictEqual([last.wait, ...names(last)], [undefined, undefined, []])
    })

    it("with draining: at the deadline cancels the rest, and tells; then as with interruption", () => {
      const { all, end, state } = withTasks({ onClose: "drain", deadline: 3, grace: 7 }, "a", "b", "c")
      const step = core.close(state, "why")
      end(all[0]!)
      const next = core.proceed(state, step, "why")
      const told = "2 tasks had not ended by the deadline, and were cancelled: b, c"
      assert.deepStrictEqual([next.wait, ...names(next)], [7, told, ["b", "c"]])
      assert.deepStrictEqual(all[1]!.stop, { reason: "why" })
      end(all[1]!)
      const left = core.proceed(state, next, "why")
      assert.deepStrictEqual(
        [left.wait, ...names(left)],
        [undefined, "1 task had not cleaned up in time, and was left behind: c", ["b", "c"]],
        "it gives all that it gave up"
      )
    })

    it("with draining: those that were cancelled and have cleaned up were given up all the same", () => {
      const { all, end, state } = withTasks({ onClose: "drain" }, "a")
      const next = core.proceed(state, core.close(state, "why"), "why")
      end(...all)
      const last = core.proceed(state, next, "why")
      assert.deepStrictEqual([last.wait, ...names(last)], [undefined, undefined, ["a"]])
    })

    it("one whose failure is being reported has ended: it is waited for, and not given up", () => {
      for (const onClose of ["drain", "interrupt"] as const) {
        const { all, state } = withTasks({ onClose, deadline: 3, grace: 7 }, "a")
        tasks.end(all[0]!, { _tag: "Failure", error: "oops" })
        core.remove(state, all[0]!, true)
        let step = core.close(state, "why")
        while (step.wait !== undefined) {
          assert.isUndefined(step.message)
          step = core.proceed(state, step, "why")
        }
        assert.deepStrictEqual(names(step), [undefined, []])
      }
    })

    it("several may: each goes all the way, and what is given up is told once", () => {
      const { state } = withTasks({ onClose: "drain", deadline: 3, grace: 7 }, "a")
      const first = core.close(state, "why")
      const second = core.close(state, "why")
      const third = core.proceed(state, first, "why")
      assert.deepStrictEqual(third.givenUp, ["a"])
      const fourth = core.proceed(state, second, "why")
      assert.deepStrictEqual([fourth.wait, ...names(fourth)], [7, undefined, []])
      const last = core.proceed(state, third, "why")
      assert.match(last.message!, /left behind: a$/)
      const late = core.proceed(state, fourth, "why")
      assert.deepStrictEqual([late.wait, ...names(late)], [undefined, undefined, ["a"]])
      assert.deepStrictEqual(core.close(state, "why").wait, 3, "whoever comes later waits, too")
      assert.strictEqual(state.stage, "leaving", "and it does not go back")
    })

    it("names the first twenty that it gave up", () => {
      const { state } = withTasks({}, ...Array.from({ length: 20 }, (_, i) => String(i)))
      const tell = () => core.proceed(state, core.close(state, undefined), undefined).message!
      assert.match(tell(), /^20 tasks had not cleaned up in time, and were left behind: 0, 1, .*, 18, 19$/)
      const more = withTasks({}, ...Array.from({ length: 22 }, (_, i) => String(i))).state
      const { message } = core.proceed(more, core.close(more, undefined), undefined)
      assert.match(message!, /^22 tasks had .*, 18, 19, and 2 more$/)
    })
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
