import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as core from "../../src/core/breaker.js"

const make = (options: Partial<core.Options> = {}) =>
  core.make("here", {
    trip: { kind: "consecutive", failures: 2 },
    halfOpen: { after: 100 },
    ...options
  })

const finished = (state: core.State, epoch: number, failed: boolean, now: number): void =>
  failed ? core.failure(state, epoch, now) : core.success(state, epoch, now)

/** Fails, or succeeds, so often, one after the other. */
const end = (state: core.State, how: "failure" | "success", now: number, times = 1) => {
  for (let i = 0; i < times; i++) {
    const epoch = core.begin(state, now)
    assert.isDefined(epoch, "it is let through")
    finished(state, epoch!, how === "failure", now)
    core.check(state)
  }
}

/** What a call that runs is of: the phase in which it began, as an object. */
interface Stretch {
  readonly phase: core.Phase
  outcomes: Array<boolean>
  running: number
}

/** The sequential model: what the rules say, in arrays. */
class Model {
  now = 0
  stretch: Stretch = { phase: "closed", outcomes: [], running: 0 }
  until = 0
  openings = 0
  refused = 0
  opened = 0
  readonly calls: Array<{ readonly stretch: Stretch; readonly epoch: number }> = []

  constructor(
    readonly failures: number,
    readonly sample: number,
    readonly successes: number,
    readonly base: number
  ) {}

  enter(phase: core.Phase): void {
    this.stretch = { phase, outcomes: [], running: 0 }
  }

  open(pause = Math.min(this.base * 2 ** this.openings, 10 * this.base)): void {
    this.enter("open")
    this.openings++
    this.opened++
    this.until = this.now + pause
  }

  close(): void {
    this.enter("closed")
    this.openings = 0
  }

  admits(): boolean {
    if (this.stretch.phase === "open" && this.now >= this.until) this.enter("halfOpen")
    const { outcomes, phase, running } = this.stretch
    const isIn = phase === "closed" || (phase === "halfOpen" && outcomes.length + running < this.sample)
    if (isIn) this.stretch.running++
    else this.refused++
    return isIn
  }

  end(stretch: Stretch, failed: boolean | undefined): void {
    if (stretch !== this.stretch) return
    stretch.running--
    if (failed === undefined) return
    stretch.outcomes.push(failed)
    const failures = stretch.outcomes.filter((failed) => failed).length
    if (stretch.phase === "closed") {
      const last = stretch.outcomes.slice(-this.failures)
      if (last.length === this.failures && last.every((failed) => failed)) this.open()
    } else if (failures > this.sample - this.successes) this.open()
    else if (stretch.outcomes.length - failures >= this.successes) this.close()
  }
}

type Step = (state: core.State, model: Model) => void

const begin = fc.constant<Step>((state, model) => {
  const isIn = model.admits()
  const epoch = core.begin(state, model.now)
  assert.strictEqual(epoch !== undefined, isIn)
  if (isIn) model.calls.push({ stretch: model.stretch, epoch: epoch! })
})

const finish = (failed: boolean | undefined) =>
  fc.nat(1_000).map((pick): Step => (state, model) => {
    if (model.calls.length === 0) return
    const [call] = model.calls.splice(pick % model.calls.length, 1)
    if (failed === undefined) core.leave(state, call!.epoch)
    else finished(state, call!.epoch, failed, model.now)
    model.end(call!.stretch, failed)
  })

const wait = fc.nat(400).map(
  (pause): Step =>
    (_, model) =>
      void (model.now += pause)
)

const trip = fc.option(fc.nat(300), { nil: undefined }).map((pause): Step => (state, model) => {
  core.trip(state, model.now, pause)
  if (model.stretch.phase === "open" && model.now < model.until) {
    const usual = Math.min(model.base * 2 ** (model.openings - 1), 10 * model.base)
    model.until = model.now + (pause ?? usual)
  } else model.open(pause)
})

const reset = fc.constant<Step>((state, model) => {
  core.reset(state)
  model.close()
})

/** What is saved and restored is as it was, but for calls that run. */
const restart = fc.integer({ min: -5_000, max: 5_000 }).map((shift): Step => (state, model) => {
  const saved = JSON.parse(JSON.stringify(core.snapshot(state, model.now, model.now + shift)))
  core.restore("here", state, saved, model.now, model.now + shift)
  const { outcomes, phase } = model.stretch
  model.stretch = { phase, outcomes: phase === "closed" ? outcomes : [], running: 0 }
  if (phase === "open" && model.now >= model.until) model.enter("halfOpen")
})

const steps = fc.array(
  fc.oneof(
    { weight: 10, arbitrary: begin },
    { weight: 6, arbitrary: finish(true) },
    { weight: 5, arbitrary: finish(false) },
    { weight: 3, arbitrary: finish(undefined) },
    { weight: 6, arbitrary: wait },
    { weight: 1, arbitrary: trip },
    { weight: 1, arbitrary: reset },
    { weight: 1, arbitrary: restart }
  ),
  { maxLength: 120 }
)

describe("core/breaker", () => {
  it("does what the model does, step by step (I1, I2, I3, I4, I5, I6, I7)", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 4 }),
        fc.nat(3),
        fc.integer({ min: 1, max: 100 }),
        steps,
        (failures, sample, less, base, steps) => {
          const successes = Math.max(1, sample - less)
          const state = make({
            trip: { kind: "consecutive", failures },
            halfOpen: { after: { base }, sample, successes }
          })
          const model = new Model(failures, sample, successes, base)
          for (const step of steps) {
            step(state, model)
            core.check(state)
            const { opened, refused, retryAfter, state: seen } = core.stats(state, model.now)
            const { outcomes, phase, running } = model.stretch
            const isOver = phase === "open" && model.now >= model.until
            assert.strictEqual(seen, isOver ? "halfOpen" : phase)
            assert.deepStrictEqual([opened, refused], [model.opened, model.refused])
            if (phase === "open") assert.closeTo(retryAfter!, Math.max(0, model.until - model.now), 1e-6)
            else if (phase === "halfOpen" && outcomes.length + running === sample) assert.isUndefined(retryAfter)
            else assert.strictEqual(retryAfter, 0)
          }
        }
      ),
      { numRuns: 400 }
    )
  })

  it("nobody is let through just before its time is over, one is at that instant (I2)", () => {
    const state = make()
    end(state, "failure", 7, 2)
    assert.deepStrictEqual(core.stats(state, 7), {
      state: "open",
      retryAfter: 100,
      calls: 0,
      failures: 0,
      opened: 1,
      refused: 0
    })
    assert.isUndefined(core.begin(state, 106.999))
    assert.strictEqual(core.phaseAt(state, 106.999), "open")
    assert.strictEqual(core.phaseAt(state, 107), "halfOpen")
    assert.strictEqual(core.retryAfter(state, 200), 0)
    assert.isDefined(core.begin(state, 107))
    assert.isUndefined(core.begin(state, 107), "the sample is one call")
    assert.strictEqual(core.stats(state, 107).refused, 2)
  })

  it("a place in the sample that is left without an outcome is free again (I3, I6)", () => {
    const state = make({ halfOpen: { after: 100, sample: 2 } })
    end(state, "failure", 0, 2)
    const [a, b] = [core.begin(state, 100), core.begin(state, 100)]
    assert.isUndefined(core.begin(state, 100))
    core.leave(state, a!)
    core.check(state)
    const c = core.begin(state, 100)
    assert.isDefined(c)
    core.success(state, b!, 100)
    assert.strictEqual(state.phase, "halfOpen")
    core.success(state, c!, 100)
    assert.strictEqual(state.phase, "closed")
  })

  it("of a sample of five with three successes, two may fail, and the third opens it (I4)", () => {
    for (const failures of [2, 3]) {
      const state = make({ halfOpen: { after: 100, sample: 5, successes: 3 } })
      end(state, "failure", 0, 2)
      end(state, "failure", 100, failures)
      if (failures === 2) end(state, "success", 100, 3)
      assert.strictEqual(state.phase, failures === 2 ? "closed" : "open")
    }
  })

  it("the time that it stays open grows with each opening up to the cap, and begins anew when it has closed (I7)", () => {
    const state = make({ halfOpen: { after: { base: 100, factor: 3, cap: 1_000 } } })
    let now = 0
    const pauses = () =>
      Array.from({ length: 4 }, () => {
        const pause = state.until - now
        now = state.until
        end(state, "failure", now)
        return pause
      })
    end(state, "failure", now, 2)
    assert.deepStrictEqual(pauses(), [100, 300, 900, 1_000])
    now = state.until
    end(state, "success", now)
    end(state, "failure", now, 2)
    assert.deepStrictEqual(pauses(), [100, 300, 900, 1_000])
  })

  it("by default it grows by two, up to ten times the base; without growing it does not", () => {
    const pausesOf = (after: core.HalfOpen["after"]) => {
      const state = make({ halfOpen: { after } })
      end(state, "failure", 0, 2)
      return Array.from({ length: 6 }, () => {
        const pause = state.until
        state.until = 0
        end(state, "failure", 0)
        return pause
      })
    }
    assert.deepStrictEqual(pausesOf({ base: 100 }), [100, 200, 400, 800, 1_000, 1_000])
    assert.deepStrictEqual(pausesOf(60_000), Array(6).fill(60_000))
    assert.deepStrictEqual(pausesOf(0), Array(6).fill(0))
    assert.deepStrictEqual(pausesOf({ base: 0 }), Array(6).fill(0))
  })

  it("what began before it opened says nothing about the sample, nor about what comes when it has closed (I6)", () => {
    const state = make()
    const [late, later, latest] = [core.begin(state, 0)!, core.begin(state, 0)!, core.begin(state, 0)!]
    end(state, "failure", 0, 2)
    core.success(state, late, 50)
    assert.strictEqual(state.phase, "open")
    const probe = core.begin(state, 100)!
    core.failure(state, later, 100)
    core.success(state, latest, 100)
    core.leave(state, latest)
    core.check(state)
    assert.strictEqual(state.phase, "halfOpen")
    core.success(state, probe, 100)
    core.failure(state, later, 100)
    core.failure(state, later, 100)
    assert.deepStrictEqual(core.stats(state, 100), {
      state: "closed",
      retryAfter: 0,
      calls: 0,
      failures: 0,
      opened: 1,
      refused: 0
    })
  })

  it("only a failure opens it, not a success that makes the minimum, and not time (I1)", () => {
    const count = make({ trip: { kind: "count", size: 4, rate: 0.5, minimum: 4 } })
    end(count, "failure", 0, 3)
    end(count, "success", 0)
    assert.strictEqual(count.phase, "closed")
    assert.deepInclude(core.stats(count, 0), { calls: 4, failures: 3 })
    end(count, "failure", 0)
    assert.strictEqual(count.phase, "open")

    const time = make({ trip: { kind: "time", window: 100, rate: 0.5, minimum: 2 } })
    end(time, "success", 0, 3)
    end(time, "failure", 50, 2)
    assert.deepInclude(core.stats(time, 99), { state: "closed", calls: 5, failures: 2 })
    assert.deepInclude(core.stats(time, 100), { state: "closed", calls: 2, failures: 2 })
    end(time, "success", 100)
    assert.strictEqual(time.phase, "closed")
  })

  it("a breaker forgets: whatever happened, a window later one failure is one failure", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(50), fc.boolean()), { maxLength: 60 }), (events) => {
        const state = make({ trip: { kind: "time", window: 1_000, rate: 0.5, minimum: 5 } })
        let now = 0
        for (const [pause, failed] of events) {
          now += pause
          const epoch = core.begin(state, now)
          if (epoch !== undefined) finished(state, epoch, failed, now)
        }
        core.reset(state)
        end(state, "failure", now, 4)
        now += 1_000
        end(state, "failure", now, 4)
        assert.deepInclude(core.stats(state, now), { state: "closed", calls: 4, failures: 4 })
        end(state, "failure", now)
        assert.strictEqual(state.phase, "open")
      })
    )
  })

  it("by hand it opens for as long as it would, or for so long; and Infinity is until it is reset", () => {
    const state = make()
    core.trip(state, 10, undefined)
    assert.strictEqual(core.retryAfter(state, 10), 100)
    core.trip(state, 50, 1_000)
    assert.strictEqual(core.retryAfter(state, 50), 1_000)
    assert.strictEqual(state.opened, 1, "it was open")
    core.trip(state, 60, 0)
    assert.strictEqual(core.phaseAt(state, 60), "halfOpen")
    core.trip(state, 70, Infinity)
    assert.strictEqual(state.opened, 2)
    assert.isUndefined(core.begin(state, 1e15))
    assert.strictEqual(core.retryAfter(state, 1e15), Infinity)
    const saved = core.snapshot(state, 100, 100)
    assert.deepInclude(saved, { state: "open", until: null })
    core.reset(state)
    assert.strictEqual(core.stats(state, 100).state, "closed")
    core.restore("here", state, saved, 200, 200)
    assert.isUndefined(core.begin(state, 1e15))
  })

  it("a snapshot is data: what it knows, with instants of the calendar", () => {
    const state = make({ trip: { kind: "time", window: 1_000, rate: 0.5, minimum: 2 } })
    end(state, "success", 10, 2)
    end(state, "failure", 20)
    assert.deepStrictEqual(core.snapshot(state, 500, 1_700_000_000_000), {
      state: "closed",
      until: null,
      openings: 0,
      outcomes: {
        kind: "time",
        slots: [
          [1_699_999_999_510, 2, 0],
          [1_699_999_999_520, 1, 1]
        ]
      }
    })
    assert.deepStrictEqual(core.snapshot(state, 1_010, 0).outcomes, { kind: "time", slots: [[-990, 1, 1]] })
    end(state, "failure", 600)
    assert.deepStrictEqual(core.snapshot(state, 650, 5_000), {
      state: "open",
      until: 5_050,
      openings: 1,
      outcomes: { kind: "time", slots: [] }
    })
    assert.deepInclude(core.snapshot(state, 700, 5_000), { state: "halfOpen", until: null, openings: 1 })
  })

  it("the time between a snapshot and its restoration passes: it may be half open by then", () => {
    const saved = core.snapshot(Object.assign(make(), { phase: "open", openings: 2, until: 100 }), 0, 50_000)
    for (const [later, expected] of [
      [99, "open"],
      [100, "halfOpen"]
    ] as const) {
      const state = make()
      core.restore("here", state, saved, 3, 50_000 + later)
      core.check(state)
      assert.strictEqual(core.phaseAt(state, 3), expected)
      assert.strictEqual(core.retryAfter(state, 3), 100 - later)
      assert.strictEqual(state.openings, 2)
    }
  })

  for (const [change, message] of [
    [{ state: "ajar" }, `state must be one of "closed", "open", "halfOpen", got "ajar"`],
    [{ until: "soon" }, `until must be a finite number, or null, got "soon"`],
    [{ until: NaN }, "until must be a finite number, or null, got NaN"],
    [{ openings: 1 }, "openings must be an integer from 0 to 0, got 1"],
    [{ state: "open", until: 5 }, "openings must be an integer of at least 1, got 0"],
    [{ outcomes: undefined }, "options must be an object, got undefined"],
    [{ outcomes: { kind: "consecutive" } }, "failures must be an integer of at least 0, got undefined"]
  ] as const) {
    it(`refuses a snapshot and stays as it is: ${message}`, () => {
      const state = make()
      end(state, "failure", 0)
      const saved = core.snapshot(state, 0, 0)
      const before = { ...state }
      assert.throws(() => core.restore("here", state, { ...saved, ...change } as never, 0, 0), `here: ${message}`)
      assert.deepStrictEqual({ ...state }, before)
      assert.deepStrictEqual(core.snapshot(state, 0, 0), saved)
    })
  }

  for (const [options, message] of [
    [null, "options must be an object, got null"],
    [{ name: 5 }, "name must be a string, got 5"],
    [{ trip: undefined }, "trip must be an object, got undefined"],
    [{ halfOpen: undefined }, "halfOpen must be an object, got undefined"],
    [{ halfOpen: {} }, "after must be 0 or more milliseconds, got undefined"],
    [{ halfOpen: { after: -1 } }, "after must be 0 or more milliseconds, got -1"],
    [{ halfOpen: { after: NaN } }, "after must be 0 or more milliseconds, got NaN"],
    [{ halfOpen: { after: Infinity } }, "after must be a finite number of milliseconds, got Infinity"],
    [{ halfOpen: { after: {} } }, "base must be 0 or more milliseconds, got undefined"],
    [{ halfOpen: { after: { base: Infinity } } }, "base must be a finite number of milliseconds, got Infinity"],
    [{ halfOpen: { after: { base: 5, factor: 0.5 } } }, "factor must be a finite number of at least 1, got 0.5"],
    [{ halfOpen: { after: { base: 5, cap: 4 } } }, "cap must be at least the base, which is 5 milliseconds, got 4"],
    [{ halfOpen: { after: 1, sample: 0 } }, "sample must be an integer of at least 1, got 0"],
    [{ halfOpen: { after: 1, sample: 2, successes: 3 } }, "successes must be an integer from 1 to 2, got 3"],
    [{ halfOpen: { after: 1, successes: 0 } }, "successes must be an integer from 1 to 1, got 0"]
  ] as const) {
    it(`refuses options: ${message}`, () => {
      const given = options && { trip: { kind: "consecutive", failures: 1 }, halfOpen: { after: 1 }, ...options }
      assert.throws(() => core.make("here", given as never), `here: ${message}`)
    })
  }

  it("says whose it is, and when to come again", () => {
    const messageOf = (name: string | undefined, retryAfter: number | undefined) =>
      new core.CircuitOpen(name, retryAfter).message
    assert.strictEqual(messageOf("db", 1.2), `the circuit breaker "db" is open: retry after 2 ms`)
    assert.strictEqual(messageOf(undefined, Infinity), "the circuit breaker is open")
    assert.strictEqual(
      messageOf(undefined, undefined),
      "the circuit breaker is half open, and waits for calls that it has let through"
    )
    const state = make({ name: "db" })
    core.trip(state, 0, 5)
    const refusal = new core.CircuitOpen(state.name, core.retryAfter(state, 1))
    assert.deepInclude(refusal, { _tag: "CircuitOpen", name: "CircuitOpen", breaker: "db", retryAfter: 4 })
    assert.deepStrictEqual(core.change(state, "closed", 2), { name: "db", from: "closed", to: "open", retryAfter: 3 })
    assert.isFrozen(core.change(state, "closed", 2))
    assert.isFrozen(core.stats(state, 2))
  })

  it("what it remembered while it was closed counts again after a restart, as old as it is", () => {
    const options = { trip: { kind: "time", window: 1_000, rate: 0.5, minimum: 3 } } as const
    const before = make(options)
    end(before, "failure", 100, 2)
    const saved = core.snapshot(before, 200, 50_000)
    // 300 ms later, in a process whose clock begins at 7.
    const after = make(options)
    core.restore("here", after, saved, 7, 50_300)
    core.check(after)
    assert.deepInclude(core.stats(after, 7), { state: "closed", calls: 2, failures: 2 })
    assert.deepInclude(core.stats(after, 606), { calls: 2 })
    assert.deepInclude(core.stats(after, 607), { calls: 0 })
    const soon = make(options)
    core.restore("here", soon, saved, 7, 50_300)
    end(soon, "failure", 8)
    assert.strictEqual(soon.phase, "open")
    // One that was open knows nothing of calls.
    const open = make(options)
    core.restore("here", open, { ...saved, state: "open", until: 60_000, openings: 1 }, 7, 50_300)
    core.check(open)
    assert.strictEqual(core.stats(open, 7).calls, 0)
  })

  it("who leaves after it has opened, or closed, frees no place in a sample that he is not of (I6)", () => {
    const state = make({ halfOpen: { after: 100, sample: 2 } })
    const early = core.begin(state, 0)!
    end(state, "failure", 0, 2)
    core.leave(state, early)
    core.check(state)
    const late = core.begin(state, 100)!
    core.leave(state, early)
    core.check(state)
    assert.isDefined(core.begin(state, 100))
    assert.isUndefined(core.begin(state, 100))
    core.failure(state, late, 100)
    assert.strictEqual(state.phase, "open")
    core.leave(state, late)
    core.check(state)
    core.reset(state)
    const closed = core.begin(state, 200)!
    core.leave(state, closed)
    core.check(state)
  })

  it("says of a sample how many have ended, and how many of them failed", () => {
    const state = make({ halfOpen: { after: 100, sample: 5, successes: 3 } })
    end(state, "failure", 0, 2)
    const [one, two] = [core.begin(state, 100)!, core.begin(state, 100)!]
    core.success(state, one, 100)
    assert.deepInclude(core.stats(state, 100), { calls: 1, failures: 0, retryAfter: 0 })
    core.failure(state, two, 100)
    assert.deepInclude(core.stats(state, 100), { calls: 2, failures: 1 })
    core.reset(state)
    assert.strictEqual(core.retryAfter(state, 100), 0)
  })

  it("check sees what is wrong", () => {
    const broken = (phase: core.Phase, change: Partial<core.State>, message: string) => {
      const state = make({ halfOpen: { after: 100, sample: 3, successes: 2 } })
      if (phase !== "closed") core.trip(state, 0, phase === "open" ? 1 : 0)
      if (phase === "halfOpen") core.leave(state, core.begin(state, 0)!)
      core.check(state)
      assert.throws(() => core.check(Object.assign(state, change)), message)
    }
    broken("halfOpen", { running: -1 }, "I3: -1 run")
    broken("halfOpen", { running: 4 }, "I3: 4 run")
    broken("halfOpen", { succeeded: 1, failed: 2 }, "I3: nobody runs, and nobody can")
    broken("halfOpen", { succeeded: 2 }, "I4: 2 succeeded")
    broken("halfOpen", { failed: 2 }, "I4: 0 succeeded and 2 failed")
    broken("open", { running: 1 }, "I5: a sample, and it is open")
    broken("open", { succeeded: 1, running: 1 }, "I5: a sample, and it is open")
    broken("open", { succeeded: 1 }, "I5: a sample, and it is open")
    broken("open", { failed: 1 }, "I5: a sample, and it is open")
    broken("halfOpen", { running: 1, succeeded: 1, failed: 2 }, "I3: 1 run, 1 succeeded and 2 failed, of 3")
    broken("halfOpen", { running: 3, succeeded: 1 }, "I3: 3 run, 1 succeeded and 0 failed, of 3")
    broken("halfOpen", { running: 3, failed: 1 }, "I3: 3 run, 0 succeeded and 1 failed, of 3")
    broken("closed", { openings: 1 }, "I7: 1 openings, and it is closed")
    broken("open", { openings: 0 }, "I7: 0 openings, and it is open")
    const state = make()
    core.trip(state, 0, 1)
    state.outcomes.record(0, true)
    assert.throws(() => core.check(state), "I5: 1 outcomes, and it is open")
  })
})
