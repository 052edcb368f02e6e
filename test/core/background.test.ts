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

const entry = (name: string | undefined, limited = true): core.Entry => ({
  name,
  task: tasks.make(name),
  limited,
  older: undefined,
  newer: undefined,
  list: undefined
})

const outcomes: ReadonlyArray<tasks.Outcome> = [
  { _tag: "Success", value: 1 },
  { _tag: "Failure", error: "oops" },
  { _tag: "Cancelled", reason: undefined }
]

/** The core, and beside it what it ought to be: arrays and counts. */
class Model {
  readonly state: core.State
  readonly limit: number
  running: Array<{ readonly entry: core.Entry; readonly stopper: Stopper }> = []
  reporting: Array<core.Entry> = []
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
    const added = entry(`task ${++this.started}`, how !== "unlimited")
    const counted = this.running.filter((each) => each.entry.limited).length
    const isFull = added.limited && counted >= this.limit
    if (how === "try") {
      assert.strictEqual(core.tryAdd(this.state, added), !this.closed && !isFull)
    } else {
      const refused = core.add(this.state, added)
      if (this.closed) assert.instanceOf(refused, core.BackgroundClosed)
      else if (isFull) assert.instanceOf(refused, core.BackgroundFull)
      else assert.isUndefined(refused)
    }
    if (this.closed || isFull) return
    const stopper = new Stopper()
    tasks.onStop(added.task, stopper)
    this.running.push({ entry: added, stopper })
  }

  end(at: number, outcome: tasks.Outcome) {
    const [ended] = this.running.splice(at % Math.max(1, this.running.length), 1)
    if (ended === undefined) return
    tasks.end(ended.entry.task, { ...outcome })
    const reporting = outcome._tag === "Failure"
    if (reporting) this.reporting.push(ended.entry)
    wake(core.remove(this.state, ended.entry, reporting))
    this.emptied()
  }

  reported(at: number) {
    const [told] = this.reporting.splice(at % Math.max(1, this.reporting.length), 1)
    if (told === undefined) return
    wake(core.reported(this.state, told))
    assert.isUndefined(core.reported(this.state, told), "twice is once")
    this.emptied()
  }

  wait() {
    if (core.isEmpty(this.state)) return
    const waiter = new Waiter()
    waiter.onWake = () => this.woken.push(waiter)
    wake(core.enqueue(this.state, "empty", waiter))
    this.waiting.push(waiter)
  }

  cancel(at: number) {
    const [waiter] = this.waiting.splice(at % Math.max(1, this.waiting.length), 1)
    if (waiter) assert.isUndefined(running.cancel(this.state, waiter))
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
    for (const { entry, stopper } of this.running) {
      assert.strictEqual(stopper.wakes, 1)
      assert.isDefined(entry.task.stop)
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
    const counted = this.running.filter(({ entry }) => entry.limited).length
    assert.strictEqual(queued, Math.max(0, counted - (this.state.semaphore?.permits ?? Infinity)))
    assert.strictEqual(core.size(this.state), size)
    assert.strictEqual(core.isEmpty(this.state), this.running.length + this.reporting.length === 0)
    assert.deepStrictEqual(
      core.tasks(this.state),
      this.running.map(({ entry }) => entry.task)
    )
    assert.strictEqual(this.state.waiting.size, this.waiting.length)
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
    arbitrary: fc.tuple(fc.nat(9), fc.constantFrom(...outcomes)).map(
      ([at, outcome]) =>
        (model: Model) =>
          model.end(at, outcome)
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
  const all = names.map((name) => entry(name))
  for (const each of all) assert.isUndefined(core.add(state, each))
  return {
    state,
    all,
    end: (...ending: ReadonlyArray<core.Entry>) => ending.forEach((each) => end(state, each, outcomes[0]!)),
    fail: (failing: core.Entry) => end(state, failing, outcomes[1]!)
  }
}

const end = (state: core.State, ending: core.Entry, outcome: tasks.Outcome) => {
  tasks.end(ending.task, { ...outcome })
  return core.remove(state, ending, outcome._tag === "Failure")
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

  it("I1: check finds a task that has ended and is kept, and one that is reported and has not failed", () => {
    const { all, fail, state } = withTasks({}, "a", "b")
    fail(all[1]!)
    core.check(state)
    tasks.end(all[0]!.task, { _tag: "Success", value: 1 })
    assert.throws(() => core.check(state), "I1: one that has ended is kept")
    core.remove(state, all[0]!, true)
    assert.throws(() => core.check(state), "I1: what has not failed is reported")
    all[0]!.task.outcome = undefined
    assert.throws(() => core.check(state), "I1: what has not failed is reported")
  })

  it("check finds what its parts find", () => {
    const { all, state } = withTasks({ concurrency: 1 }, "a")
    all[0]!.task.asked = -1
    assert.throws(() => core.check(state), "I4: 0 ask, and -1 are known")
    all[0]!.task.asked = 0
    state.semaphore!.taken = -1
    assert.throws(() => core.check(state), "I1: taken is -1")
    state.semaphore!.taken = 0
    for (const list of [state.works, state.reports]) {
      list.size++
      assert.throws(() => core.check(state), /^I2: size/)
      list.size--
    }
    state.waiting.size = 1
    assert.throws(() => core.check(state), "I1: size 1, but 0 tickets")
  })

  it("I2: one more than concurrency and backlog is refused; what is running already is not", () => {
    const { all, end, state } = withTasks({ concurrency: 1, backlog: 1 }, "a", "b")
    const refused = core.add(state, entry("c"))
    assert.instanceOf(refused, core.BackgroundFull)
    assert.strictEqual(refused!.message, 'the task "c" was not started: the registry is full, it holds 2')
    assert.strictEqual(core.tryAdd(state, entry("c")), false)
    const ran = entry("ran already", false)
    assert.isUndefined(core.add(state, ran))
    assert.deepInclude(core.stats(state), { size: 3, queued: 1 })
    end(ran)
    assert.strictEqual(core.tryAdd(state, entry("c")), false)
    end(all[0]!)
    assert.strictEqual(core.tryAdd(state, entry("c")), true)
    assert.deepInclude(core.stats(state), { size: 2, queued: 1 })
    running.add(state.works, entry("one too many"))
    assert.throws(() => core.check(state), "I2: 3 count against the limit, and 2 are known")
    state.limited++
    assert.throws(() => core.check(state), "I2: 3 count against a limit of 2")
  })

  it("I2: one that has failed and is being reported has made room", () => {
    const { all, fail, state } = withTasks({ concurrency: 1, backlog: 0 }, "a")
    assert.isUndefined(fail(all[0]!))
    assert.isUndefined(core.add(state, entry("b")))
    core.check(state)
  })

  it("I3: it is empty when every failure is reported, too", () => {
    const { all, fail, state } = withTasks({}, undefined)
    const [empty, ended, reported] = [new Waiter(), new Waiter(), new Waiter()]
    const wakes = () => [empty.wakes, ended.wakes, reported.wakes]
    wake(core.enqueue(state, "empty", empty))
    wake(core.enqueue(state, "ended", ended))
    wake(fail(all[0]!))
    assert.deepStrictEqual([...wakes(), core.isEmpty(state)], [0, 1, 0, false])
    assert.deepInclude(core.stats(state), { size: 0, failed: 1 })
    wake(core.enqueue(state, "reported", reported))
    wake(core.reported(state, all[0]!))
    assert.deepStrictEqual([...wakes(), core.isEmpty(state)], [1, 1, 1, true])
    const late = [new Waiter(), new Waiter(), new Waiter()]
    late.forEach((waiter, i) => wake(core.enqueue(state, (["empty", "ended", "reported"] as const)[i]!, waiter)))
    assert.deepStrictEqual(
      late.map(({ wakes }) => wakes),
      [1, 1, 1]
    )
    const another = entry("a")
    core.add(state, another)
    wake(core.enqueue(state, "empty", new Waiter()))
    running.remove(state.works, another)
    state.limited = 0
    assert.throws(() => core.check(state), "I3: 1 wait for nothing")
  })

  it("I3: what is started while a failure is reported is waited for, too", () => {
    const { all, end, fail, state } = withTasks({}, "a")
    const empty = new Waiter()
    wake(core.enqueue(state, "empty", empty))
    wake(fail(all[0]!))
    const next = entry("b")
    core.add(state, next)
    wake(core.reported(state, all[0]!))
    assert.strictEqual(empty.wakes, 0)
    end(next)
    assert.isTrue(empty.settled)
  })

  it("I4: a closed one takes nothing, and says so; what it has, it keeps", () => {
    for (const onClose of ["interrupt", "drain"] as const) {
      const { all, state } = withTasks({ onClose }, "kept")
      core.close(state, undefined)
      const refused = core.add(state, entry(undefined))
      assert.instanceOf(refused, core.BackgroundClosed)
      assert.strictEqual(refused!.message, "the task was not started: the registry is closed")
      assert.strictEqual(core.tryAdd(state, entry(undefined)), false)
      assert.deepStrictEqual(
        core.tasks(state),
        all.map(({ task }) => task)
      )
      assert.isTrue(core.stats(state).isClosed)
    }
  })

  it("totals are by how tasks ended", () => {
    const state = core.make("here", {})
    for (const outcome of [...outcomes, outcomes[1]!, outcomes[2]!, outcomes[2]!]) {
      const added = entry(undefined)
      core.add(state, added)
      end(state, added, outcome)
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
    const names = ({ givenUp, message }: core.Step) => [message, core.namesOf(givenUp)]

    it("with interruption: cancels all, waits for the grace, is done when it is empty", () => {
      const { all, end, state } = withTasks({ grace: 7, deadline: 3 }, "a", "b")
      const stoppers = all.map(({ task }) => {
        const stopper = new Stopper()
        tasks.onStop(task, stopper)
        return stopper
      })
      const step = core.close(state, "why")
      assert.deepStrictEqual([step.wait, step.until, ...names(step)], [7, "ended", undefined, []])
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
        [last.wait, last.until, ...names(last)],
        [7, "reported", "2 tasks had not cleaned up in time, and were left behind: b, (no name)", ["b", "(no name)"]]
      )
      const over = core.proceed(state, last, "why")
      assert.deepStrictEqual([over.wait, ...names(over)], [undefined, undefined, ["b", "(no name)"]])
    })

    it("with draining: waits for the deadline and cancels nobody; is done when it is empty", () => {
      const { all, end, state } = withTasks({ onClose: "drain", deadline: 3, grace: 7 }, "a")
      const step = core.close(state, "why")
      assert.deepStrictEqual(
        [step.wait, step.until, step.chain, ...names(step)],
        [3, "empty", undefined, undefined, []]
      )
      assert.isUndefined(all[0]!.task.stop)
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
      assert.deepStrictEqual(all[1]!.task.stop, { reason: "why" })
      end(all[1]!)
      const left = core.proceed(state, next, "why")
      assert.deepStrictEqual(
        [left.wait, ...names(left)],
        [3, "1 task had not cleaned up in time, and was left behind: c", ["b", "c"]],
        "it gives all that it gave up"
      )
      const over = core.proceed(state, left, "why")
      assert.deepStrictEqual([over.wait, ...names(over)], [undefined, undefined, ["b", "c"]])
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
        const { all, fail, state } = withTasks({ onClose, deadline: 3, grace: 7 }, "a")
        fail(all[0]!)
        const step = core.close(state, "why")
        assert.deepStrictEqual([step.until, step.wait], onClose === "drain" ? ["empty", 3] : ["ended", 7])
        core.reported(state, all[0]!)
        const over = core.proceed(state, step, "why")
        assert.deepStrictEqual([over.wait, over.overdue, ...names(over)], [undefined, [], undefined, []])
      }
    })

    it("a failure that is left behind in the tick in which it is empty has its time, too (I3)", () => {
      for (const onClose of ["drain", "interrupt"] as const) {
        const { all, end, fail, state } = withTasks({ onClose, deadline: 3, grace: 7 }, "a", "deaf")
        const [a, deaf] = [all[0]!, all[1]!]
        fail(a)
        let step = core.close(state, "why")
        if (onClose === "interrupt") step = core.proceed(state, step, "why", true)
        else end(deaf)
        wake(core.reported(state, a))
        const empty = new Waiter()
        core.unclaimed(state, a)
        core.check(state)
        core.enqueue(state, "empty", empty)
        const again = core.proceed(state, step, "why", true)
        assert.deepStrictEqual(
          [again.stage, again.until, again.wait, again.chain, again.overdue, again.message, again.givenUp],
          [step.stage, step.until, 3, undefined, [], undefined, step.givenUp]
        )
        const over = core.proceed(state, again, "why")
        assert.deepStrictEqual([over.wait, over.overdue], [undefined, [a.task]], "and no more than that")
        wake(core.reported(state, a))
        assert.isUndefined(core.proceed(state, again, "why", true).wait)
        if (onClose === "drain") wake(over.chain)
        assert.strictEqual(empty.wakes, onClose === "drain" ? 1 : 0)
      }
    })

    it("with draining: a failure that has not been reported by the deadline is logged and named, and it is over", () => {
      const { all, fail, state } = withTasks({ onClose: "drain", deadline: 3 }, "a")
      fail(all[0]!)
      const empty = new Waiter()
      core.enqueue(state, "empty", empty)
      const over = core.proceed(state, core.close(state, "why"), "why")
      assert.deepStrictEqual([over.wait, over.overdue, ...names(over)], [undefined, [all[0]!.task], undefined, ["a"]])
      wake(over.chain)
      assert.strictEqual(empty.wakes, 1)
      assert.isUndefined(core.reported(state, all[0]!), "which comes too late")
      assert.isTrue(core.isEmpty(state))
      core.check(state)
    })

    it("a failure of which it is open whose it is when the time is over: it is logged if nobody asks, and not reported then", () => {
      const { all, fail, state } = withTasks({ onClose: "drain", deadline: 3 }, "awaited", "forgotten")
      const [awaited, forgotten] = [all[0]!, all[1]!]
      tasks.enqueue(awaited.task, new TestTicket<boolean, tasks.Outcome>(true, 0))
      for (const each of all) fail(each)
      const over = core.proceed(state, core.close(state, "why"), "why")
      assert.deepStrictEqual(
        [over.wait, over.overdue, ...names(over)],
        [undefined, [forgotten.task], undefined, ["forgotten"]]
      )
      assert.isUndefined(tasks.unhandled(forgotten.task))
      assert.isTrue(core.isEmpty(state))
      core.check(state)
    })

    it("with draining: when others have not ended by then, either, they are cancelled, and who does not answer is not told", () => {
      const { all, end, fail, state } = withTasks({ onClose: "drain", deadline: 3 }, "failed", "slow")
      fail(all[0]!)
      const step = core.proceed(state, core.close(state, "why"), "why")
      assert.deepStrictEqual(
        [step.wait, step.overdue, ...names(step)],
        [Infinity, [all[0]!.task], "1 task had not ended by the deadline, and was cancelled: slow", ["slow", "failed"]]
      )
      end(all[1]!)
      const over = core.proceed(state, step, "why")
      assert.deepStrictEqual([over.wait, over.overdue, over.chain, ...names(over)], [
        undefined,
        [],
        undefined,
        undefined,
        ["slow", "failed"]
      ]) // prettier-ignore
    })

    it("reports that are all that is left have the shorter of the deadline and the grace, whichever way it closes", () => {
      for (const [deadline, grace, patience] of [
        [3, 7, 3],
        [7, 3, 3],
        [undefined, 7, 7],
        [3, undefined, 3],
        [undefined, undefined, Infinity]
      ] as const) {
        for (const onClose of ["drain", "interrupt"] as const) {
          const { all, end, fail, state } = withTasks({ onClose, deadline, grace }, "a", "b", "c")
          let step = core.close(state, "why")
          if (onClose === "drain") step = core.proceed(state, step, "why")
          fail(all[0]!)
          end(all[1]!, all[2]!)
          step = core.proceed(state, step, "why")
          assert.deepStrictEqual([step.until, step.wait, step.message], ["reported", patience, undefined])
          const over = core.proceed(state, step, "why")
          assert.deepStrictEqual([over.wait, over.overdue], [undefined, [all[0]!.task]])
          assert.deepStrictEqual(core.namesOf(over.givenUp), onClose === "drain" ? ["a", "b", "c"] : ["a"])
          assert.strictEqual(core.patience(state), patience)
        }
      }
    })

    it("is bounded when every wait of it is", () => {
      const isBounded = (options: core.Options) => core.isBounded(core.make("here", options))
      assert.deepStrictEqual(
        [
          isBounded({}),
          isBounded({ deadline: 3 }),
          isBounded({ grace: 7 }),
          isBounded({ onClose: "drain", grace: 7 }),
          isBounded({ onClose: "drain", deadline: 3 }),
          isBounded({ onClose: "drain", deadline: 3, grace: 7 })
        ],
        [false, false, true, false, false, true]
      )
    })

    it("several may: each goes all the way, and what is given up is told once", () => {
      const { state } = withTasks({ onClose: "drain", deadline: 3, grace: 7 }, "a")
      const first = core.close(state, "why")
      const second = core.close(state, "why")
      const third = core.proceed(state, first, "why")
      assert.deepStrictEqual(core.namesOf(third.givenUp), ["a"])
      const fourth = core.proceed(state, second, "why")
      assert.deepStrictEqual([fourth.wait, ...names(fourth)], [7, undefined, []])
      const last = core.proceed(state, third, "why")
      assert.match(last.message!, /left behind: a$/)
      const late = core.proceed(state, fourth, "why")
      assert.deepStrictEqual([late.wait, ...names(late)], [3, undefined, ["a"]])
      for (const each of [last, late])
        assert.deepStrictEqual(core.namesOf(core.proceed(state, each, "why").givenUp), ["a"])
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
