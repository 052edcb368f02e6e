import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as core from "../../src/core/outcomes.js"

interface Outcome {
  readonly at: number
  readonly failed: boolean
}

const countsOf = (counted: ReadonlyArray<Outcome>) => ({
  calls: counted.length,
  failures: counted.filter(({ failed }) => failed).length
})

const seen = ({ calls, failures }: core.Outcomes) => ({ calls, failures })

/** Outcomes, and how long after the one before. */
const history = (longest: number) =>
  fc.array(fc.tuple(fc.oneof(fc.constant(0), fc.nat(longest)), fc.boolean()), { maxLength: 80 })

const play = (
  outcomes: core.Outcomes,
  events: ReadonlyArray<readonly [number, boolean]>,
  look: (past: ReadonlyArray<Outcome>, now: number) => void
) => {
  const past: Array<Outcome> = []
  let now = 1_000.5
  for (const [pause, failed] of events) {
    now += pause
    outcomes.record(now, failed)
    past.push({ at: now, failed })
    outcomes.check()
    look(past, now)
  }
  return now
}

describe("core/outcomes", () => {
  it("in a row: the failures since the last success (I1, I2)", () => {
    fc.assert(
      fc.property(history(10), fc.integer({ min: 1, max: 4 }), (events, most) => {
        const outcomes = core.make("here", { kind: "consecutive", failures: most })
        play(outcomes, events, (past) => {
          const failures = past.length - 1 - past.findLastIndex(({ failed }) => !failed)
          assert.deepStrictEqual(seen(outcomes), { calls: failures, failures })
          assert.strictEqual(outcomes.tripped, failures >= most)
        })
      })
    )
  })

  it("count: the last so many, and no other (I1, I3)", () => {
    fc.assert(
      fc.property(
        history(10),
        fc.integer({ min: 1, max: 7 }),
        fc.integer({ min: 1, max: 10 }),
        (events, size, tenths) => {
          const rate = tenths / 10
          const minimum = Math.ceil(size / 2)
          const outcomes = core.make("here", { kind: "count", size, rate, minimum })
          play(outcomes, events, (past) => {
            const counts = countsOf(past.slice(-size))
            assert.deepStrictEqual(seen(outcomes), counts)
            const isTooMany = counts.calls >= minimum && 10 * counts.failures >= tenths * counts.calls
            assert.strictEqual(outcomes.tripped, isTooMany)
          })
        }
      )
    )
  })

  it("time: to the millisecond while a thousandth of the window is that much (I1, I4)", () => {
    fc.assert(
      fc.property(history(400), fc.integer({ min: 1, max: 1_000 }), (events, window) => {
        const outcomes = core.make("here", { kind: "time", window, rate: 0.5, minimum: 3 })
        play(outcomes, events, (past, now) => {
          const counts = countsOf(past.filter(({ at }) => now - at < window))
          assert.deepStrictEqual(seen(outcomes), counts)
          assert.strictEqual(outcomes.tripped, counts.calls >= 3 && 2 * counts.failures >= counts.calls)
        })
      })
    )
  })

  it("time: nothing that is as old as the window, everything that is younger by a thousandth (I4, I5)", () => {
    fc.assert(
      fc.property(history(100), fc.integer({ min: 1_000, max: 50_000 }), fc.nat(60_000), (events, window, later) => {
        const outcomes = core.make("here", { kind: "time", window, rate: 0.5 })
        const look = (past: ReadonlyArray<Outcome>, now: number) => {
          const most = countsOf(past.filter(({ at }) => now - at < window))
          const least = countsOf(past.filter(({ at }) => now - at < window - window / 1_000))
          assert.isTrue(least.calls <= outcomes.calls && outcomes.calls <= most.calls)
          assert.isTrue(least.failures <= outcomes.failures && outcomes.failures <= most.failures)
        }
        let all: ReadonlyArray<Outcome> = []
        const now = play(outcomes, events, (past, now) => {
          all = past
          look(past, now)
        })
        outcomes.forget(now + later)
        outcomes.check()
        look(all, now + later)
      })
    )
  })

  it("time: an outcome counts until just before the window is over, and not then", () => {
    const outcomes = core.make("here", { kind: "time", window: 1_000, rate: 0.5 })
    outcomes.record(5, true)
    outcomes.forget(1_004.999)
    assert.deepStrictEqual(seen(outcomes), { calls: 1, failures: 1 })
    outcomes.forget(1_005)
    assert.deepStrictEqual(seen(outcomes), { calls: 0, failures: 0 })
  })

  it("time: an idle hour forgets all at once, and what comes then counts alone", () => {
    const outcomes = core.make("here", { kind: "time", window: 5_000, rate: 0.5, minimum: 1 })
    for (let i = 0; i < 6; i++) outcomes.record(i, true)
    outcomes.record(3_600_000, false)
    assert.deepStrictEqual(seen(outcomes), { calls: 1, failures: 0 })
    assert.isFalse(outcomes.tripped)
  })

  it("time: a million calls in one window are a thousand slots, and all count (I5)", () => {
    const outcomes = core.make("here", { kind: "time", window: 1_001_000, rate: 0.5 })
    for (let i = 0; i < 1_000_000; i++) outcomes.record(i, i % 4 === 0)
    outcomes.check()
    assert.deepStrictEqual(seen(outcomes), { calls: 1_000_000, failures: 250_000 })
    const saved = outcomes.save(0)
    assert.isAtMost(saved.kind === "time" ? saved.slots.length : NaN, 1_001)
  })

  it("a rate is not rounded: 55 of 100 are 0.55, and 7 of 70 are 0.1", () => {
    for (const [failures, calls, rate] of [
      [55, 100, 0.55],
      [7, 70, 0.1],
      [29, 100, 0.29],
      [1, 3, 1 / 3]
    ] as const) {
      const outcomes = core.make("here", { kind: "count", size: calls, rate })
      for (let i = 0; i < calls; i++) {
        assert.isFalse(outcomes.tripped)
        outcomes.record(0, i >= calls - failures)
      }
      assert.isTrue(outcomes.tripped, `${failures} of ${calls}`)
    }
  })

  const rules: Record<string, core.Trip> = {
    consecutive: { kind: "consecutive", failures: 3 },
    count: { kind: "count", size: 5, rate: 0.5 },
    time: { kind: "time", window: 700, rate: 0.5 }
  }
  for (const [kind, trip] of Object.entries(rules)) {
    it(`${kind}: what was cleared is as new`, () => {
      fc.assert(
        fc.property(history(100), history(100), (before, after) => {
          const outcomes = core.make("here", trip)
          const fresh = core.make("here", trip)
          play(outcomes, before, () => {})
          outcomes.clear()
          outcomes.check()
          assert.deepStrictEqual(seen(outcomes), { calls: 0, failures: 0 })
          play(outcomes, after, () => {})
          play(fresh, after, () => {})
          assert.deepStrictEqual(outcomes.save(0), fresh.save(0))
        })
      )
    })

    it(`${kind}: what was saved as JSON goes on elsewhere as if nothing had happened`, () => {
      fc.assert(
        fc.property(history(100), history(100), fc.integer({ min: -1_000, max: 5_000 }), (before, after, shift) => {
          const outcomes = core.make("here", trip)
          const now = play(outcomes, before, () => {})
          outcomes.forget(now)
          const saved: core.Saved = JSON.parse(JSON.stringify(outcomes.save(shift)))
          assert.strictEqual(core.checkSaved("here", saved), saved)
          const other = core.make("here", trip)
          // Elsewhere the clock shows something else at the same instant.
          other.load(saved, now - 500, shift + 500)
          other.check()
          assert.deepStrictEqual(seen(other), seen(outcomes))
          let [a, b] = [now, now - 500]
          for (const [pause, failed] of after) {
            outcomes.record((a += pause), failed)
            other.record((b += pause), failed)
            assert.deepStrictEqual(seen(other), seen(outcomes))
          }
        })
      )
    })
  }

  it("what was saved for another kind of rule is left out", () => {
    for (const [kind, trip] of Object.entries(rules)) {
      for (const other of Object.values(rules)) {
        if (other.kind === kind) continue
        const outcomes = core.make("here", other)
        outcomes.record(0, true)
        const fresh = core.make("here", trip)
        fresh.load(outcomes.save(0), 0, 0)
        assert.deepStrictEqual(seen(fresh), { calls: 0, failures: 0 })
      }
    }
  })

  it("a smaller memory takes over the latest of a larger one", () => {
    const large = core.make("here", { kind: "count", size: 5, rate: 1 })
    for (const failed of [true, true, false, true, false]) large.record(0, failed)
    const small = core.make("here", { kind: "count", size: 3, rate: 1 })
    small.load(large.save(0), 0, 0)
    assert.deepStrictEqual(small.save(0), { kind: "count", outcomes: "010" })
  })

  it("what was saved with instants from the future, when the calendar was set back, is from now, and forgotten in time", () => {
    const outcomes = core.make("here", { kind: "time", window: 1_000, rate: 0.5 })
    outcomes.load(
      {
        kind: "time",
        slots: [
          [0, 3, 2],
          [10_000, 5, 5]
        ]
      },
      100,
      0
    )
    outcomes.check()
    assert.deepStrictEqual(seen(outcomes), { calls: 8, failures: 7 })
    outcomes.forget(1_000)
    assert.deepStrictEqual(seen(outcomes), { calls: 5, failures: 5 })
    outcomes.forget(1_100)
    assert.deepStrictEqual(seen(outcomes), { calls: 0, failures: 0 })
  })

  for (const [trip, message] of [
    [undefined, "trip must be an object, got undefined"],
    [null, "trip must be an object, got null"],
    [{ kind: "sometimes" }, `kind must be one of "consecutive", "count", "time", got "sometimes"`],
    [{ kind: "consecutive", failures: 0 }, "failures must be an integer of at least 1, got 0"],
    [{ kind: "consecutive", failures: 1.5 }, "failures must be an integer of at least 1, got 1.5"],
    [{ kind: "count", size: 0, rate: 1 }, "size must be an integer from 1 to 1000000, got 0"],
    [{ kind: "count", size: 2e6, rate: 1 }, "size must be an integer from 1 to 1000000, got 2000000"],
    [{ kind: "count", size: 5, rate: 0 }, "rate must be more than 0, and at most 1, got 0"],
    [{ kind: "count", size: 5, rate: 1.1 }, "rate must be more than 0, and at most 1, got 1.1"],
    [{ kind: "count", size: 5, rate: NaN }, "rate must be more than 0, and at most 1, got NaN"],
    [{ kind: "count", size: 5, rate: "1" }, `rate must be more than 0, and at most 1, got "1"`],
    [{ kind: "count", size: 5, rate: 1, minimum: 6 }, "minimum must be an integer from 1 to 5, got 6"],
    [{ kind: "count", size: 5, rate: 1, minimum: 0 }, "minimum must be an integer from 1 to 5, got 0"],
    [{ kind: "time", window: 0, rate: 1 }, "window must be finite, and more than 0 milliseconds, got 0"],
    [{ kind: "time", window: Infinity, rate: 1 }, "window must be finite, and more than 0 milliseconds, got Infinity"],
    [{ kind: "time", window: -1, rate: 1 }, "window must be 0 or more milliseconds, got -1"],
    [{ kind: "time", window: NaN, rate: 1 }, "window must be 0 or more milliseconds, got NaN"],
    [{ kind: "time", window: 1, rate: 2 }, "rate must be more than 0, and at most 1, got 2"],
    [{ kind: "time", window: 1, rate: 1, minimum: 0 }, "minimum must be an integer of at least 1, got 0"]
  ] as const) {
    it(`refuses a rule: ${message}`, () => {
      assert.throws(() => core.make("here", trip as never), `here: ${message}`)
    })
  }

  for (const [saved, message] of [
    [null, "options must be an object, got null"],
    [{ kind: "other" }, `kind must be one of "consecutive", "count", "time", got "other"`],
    [{ kind: "consecutive", failures: -1 }, "failures must be an integer of at least 0, got -1"],
    [{ kind: "count", outcomes: "01x" }, `outcomes must be a text of "0" and "1", got "01x"`],
    [{ kind: "count", outcomes: [0] }, `outcomes must be a text of "0" and "1", got an object (Array)`],
    [{ kind: "time", slots: {} }, "slots must be an array, got an object (Object)"],
    [{ kind: "time", slots: [1] }, "slots must be an array of arrays, got 1"],
    [{ kind: "time", slots: [[NaN, 1, 1]] }, "slots must be in order of their instants, got NaN"],
    [
      {
        kind: "time",
        slots: [
          [2, 1, 1],
          [1, 1, 1]
        ]
      },
      "slots must be in order of their instants, got 1"
    ],
    [{ kind: "time", slots: [[1, 0, 0]] }, "calls of a slot must be an integer of at least 1, got 0"],
    [{ kind: "time", slots: [[1, 1, 2]] }, "failures of a slot must be an integer from 0 to 1, got 2"]
  ] as const) {
    it(`refuses what was not saved by it: ${message}`, () => {
      assert.throws(() => core.checkSaved("here", saved as never), `here: ${message}`)
    })
  }

  it("check sees what is wrong", () => {
    const broken = (trip: core.Trip, message: string, breakIt: (outcomes: any) => void) => {
      const outcomes = core.make("here", trip)
      for (let i = 0; i < 3; i++) outcomes.record(i * 10, true)
      outcomes.check()
      breakIt(outcomes)
      assert.throws(() => outcomes.check(), message)
    }
    broken(rules.consecutive!, "I2: 4 calls", (outcomes) => outcomes.calls++)
    broken(rules.count!, "I1: 2 failures", (outcomes) => outcomes.failures--)
    broken(rules.count!, "I3: 6 calls", (outcomes) => {
      outcomes.calls = 6
      outcomes.failures = 6
      outcomes.ring.fill(1)
    })
    broken(rules.time!, "I1: the slots have 3", (outcomes) => outcomes.calls++)
    broken(rules.time!, "I5: slots out of order", (outcomes) => {
      outcomes.first.at = 100
    })
    broken(rules.time!, "I5: 1002 slots", (outcomes) => {
      for (let i = 0; i < 999; i++) {
        const { last } = outcomes
        outcomes.last = last.next = { at: last.at + 1, calls: 0, failures: 0, next: undefined }
      }
    })
  })
})
