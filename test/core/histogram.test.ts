import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import * as histogram from "../../src/core/histogram.js"

const of = (...durations: ReadonlyArray<number>): histogram.State => {
  const state = histogram.make()
  for (const duration of durations) histogram.record(state, duration)
  histogram.check(state)
  return state
}

const duration = fc.oneof(
  fc.double({ min: 0, max: 1, noNaN: true }),
  fc.double({ min: 0, max: 10_000, noNaN: true }),
  fc.double({ min: 0, max: 1e12, noNaN: true })
)

describe("core/histogram", () => {
  it("counts every duration (I1)", () => {
    fc.assert(fc.property(fc.array(duration), (all) => assert.strictEqual(of(...all).count, all.length)))
  })

  it("no percentile is below what it says, nor more than an eighth and a microsecond above", () => {
    const day = 24 * 3600 * 1000
    const some = fc.array(fc.double({ min: 0, max: 10 * day, noNaN: true }), { minLength: 1 })
    fc.assert(
      fc.property(some, (all) => {
        const summary = histogram.summary(of(...all))
        const sorted = all.toSorted((a, b) => a - b)
        for (const [share, said] of [
          [0.5, summary.p50],
          [0.9, summary.p90],
          [0.99, summary.p99]
        ] as const) {
          const exact = sorted[Math.ceil(all.length * share) - 1]!
          assert.isAtLeast(said * (1 + 1e-9), exact)
          assert.isAtMost(said, Math.min(summary.max, exact * 1.125 + 0.001) * (1 + 1e-9))
        }
      }),
      { numRuns: 500 }
    )
  })

  it("sums up", () => {
    const summary = histogram.summary(of(1, 2, 3, 4, 90))
    assert.deepInclude(summary, { count: 5, mean: 20, max: 90, p99: 90 })
    assert.isFrozen(summary)
    assert.deepStrictEqual(histogram.summary(histogram.make()), { count: 0, mean: 0, p50: 0, p90: 0, p99: 0, max: 0 })
  })

  it("has a bucket for all, down to nothing and up to for ever", () => {
    const summary = histogram.summary(of(0, 0.0001, 0.001, Number.MAX_VALUE))
    assert.strictEqual(summary.count, 4)
    assert.strictEqual(summary.max, Number.MAX_VALUE)
    assert.isAtMost(histogram.summary(of(0)).p50, 0.001)
  })

  it("its buckets do not overlap, and leave nothing out", () => {
    // Two durations that are an eighth apart never share a bucket, whatever their size.
    for (let ms = 0.01; ms < 1e8; ms *= 1.3) {
      const { p50 } = histogram.summary(of(ms, ms * 1.126))
      assert.isBelow(p50, ms * 1.126, `${ms}`)
      assert.isAtLeast(p50 * (1 + 1e-9), ms, `${ms}`)
    }
  })

  it("check sees what is wrong", () => {
    const state = of(1)
    state.count++
    assert.throws(() => histogram.check(state), "I1: 1 in the buckets, of 2")
  })
})
