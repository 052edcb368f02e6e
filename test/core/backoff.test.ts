import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import * as core from "../../src/core/backoff.js"

const make = (options: core.Options = {}) => core.make("here", options)

/** The pauses before the first retries, with random numbers that are given. */
const pauses = (options: core.Options, randoms: ReadonlyArray<number>) => {
  const backoff = make(options)
  let previous: number | undefined
  return randoms.map((random, index) => (previous = core.pause(backoff, index + 1, previous, random)))
}

const unused = [0.9, 0.9, 0.9, 0.9, 0.9]

const jitters: ReadonlyArray<core.Jitter> = ["none", "full", "equal", "decorrelated"]

const anyBackoff = fc
  .record({
    base: fc.double({ min: 0, max: 1e6, noNaN: true }),
    factor: fc.double({ min: 1, max: 1e6, noNaN: true }),
    more: fc.oneof(fc.double({ min: 0, max: 1e9, noNaN: true }), fc.constant(Infinity)),
    jitter: fc.constantFrom(...jitters)
  })
  .map(({ base, factor, jitter, more }) => make({ base, factor, cap: base + more, jitter }))

describe("the pauses", () => {
  it("grow by the factor, up to the cap", () => {
    assert.deepStrictEqual(
      pauses({ base: 100, factor: 2, cap: 500, jitter: "none" }, unused),
      [100, 200, 400, 500, 500]
    )
    assert.deepStrictEqual(pauses({ base: 100, factor: 1.5, jitter: "none" }, unused.slice(2)), [100, 150, 225])
  })

  it("are fixed with a factor of 1", () => {
    assert.deepStrictEqual(pauses({ base: 7, factor: 1, jitter: "none" }, unused), [7, 7, 7, 7, 7])
  })

  it("are none with a base of 0, however many", () => {
    for (const jitter of ["none", "full", "equal", "decorrelated"] as const) {
      assert.deepStrictEqual(pauses({ base: 0, jitter }, unused), [0, 0, 0, 0, 0])
      assert.strictEqual(core.pause(make({ base: 0, jitter }), 5000, 0, 0.5), 0)
    }
  })

  it("full: from 0 to the pause; equal: from half of it; both at most the cap", () => {
    const options = { base: 100, factor: 2, cap: 300 }
    assert.deepStrictEqual(pauses({ ...options, jitter: "full" }, [0, 0.25, 1]), [0, 50, 300])
    assert.deepStrictEqual(pauses({ ...options, jitter: "equal" }, [0, 0.25, 1]), [50, 125, 300])
  })

  it("decorrelated: from the base to the pause before it times the factor, which is 3 by default", () => {
    assert.deepStrictEqual(
      pauses({ base: 100, cap: 1000, jitter: "decorrelated" }, [0, 1, 0.5, 1, 1]),
      [100, 300, 500, 1000, 1000]
    )
    assert.deepStrictEqual(pauses({ base: 100, factor: 2, jitter: "decorrelated" }, [1, 1]), [200, 400])
    assert.deepStrictEqual(pauses({ base: 100, factor: 1, jitter: "decorrelated" }, [1, 1]), [100, 100])
    assert.deepStrictEqual(pauses({ base: 100, cap: 100, jitter: "decorrelated" }, [0, 1]), [100, 100])
  })

  it("are in their range for any policy and any chance, and never above the cap", () => {
    fc.assert(
      fc.property(
        anyBackoff,
        fc.integer({ min: 1, max: 2000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (backoff, retry, place, random) => {
          const { base, cap, factor, jitter } = backoff
          const most = Math.min(cap, Number.MAX_SAFE_INTEGER)
          const previous = base + place * (most - base)
          const pause = core.pause(backoff, retry, previous, random)
          const full = base === 0 ? 0 : Math.min(most, base * factor ** (retry - 1))
          const [low, high] = {
            none: [full, full],
            full: [0, full],
            equal: [full / 2, full],
            decorrelated: [base, Math.max(base, Math.min(most, previous * factor))]
          }[jitter]
          assert.isTrue(Number.isFinite(pause) && pause <= cap, `${pause} is above the cap`)
          const slack = 1e-9 * high!
          assert.isTrue(pause >= low! - slack && pause <= high! + slack, `${pause} is not from ${low} to ${high}`)
        }
      )
    )
  })
})

describe("the settings", () => {
  it("have defaults", () => {
    assert.deepStrictEqual(make(), { base: 100, factor: 2, cap: 30_000, jitter: "full" })
    assert.deepStrictEqual(make({ base: 60_000, jitter: "decorrelated" }), {
      base: 60_000,
      factor: 3,
      cap: 60_000,
      jitter: "decorrelated"
    })
  })

  for (const [options, message] of [
    [{ base: -1 }, "base must be 0 or more milliseconds, got -1"],
    [{ base: NaN }, "base must be 0 or more milliseconds, got NaN"],
    [{ base: Infinity }, "base must be a finite number of milliseconds, got Infinity"],
    [{ factor: 0.99 }, "factor must be a finite number of at least 1, got 0.99"],
    [{ factor: NaN }, "factor must be a finite number of at least 1, got NaN"],
    [{ factor: Infinity }, "factor must be a finite number of at least 1, got Infinity"],
    [{ base: 100, cap: 99 }, "cap must be at least the base, which is 100 milliseconds, got 99"],
    [{ cap: NaN }, "cap must be 0 or more milliseconds, got NaN"],
    [{ jitter: "half" }, 'jitter must be one of "none", "full", "equal", "decorrelated", got "half"']
  ] as ReadonlyArray<[any, string]>) {
    it(`refuse ${JSON.stringify(options)}: ${message}`, () => {
      assert.throws(() => make(options), RangeError, `here: ${message}`)
    })
  }

  for (const options of [{ base: "5" }, { factor: "2" }, { cap: null }, { jitter: 5 }] as ReadonlyArray<any>) {
    it(`refuse a ${JSON.stringify(options)} as the wrong kind`, () => {
      assert.throws(() => make(options), TypeError)
    })
  }

  it("refuse dice that give no number from 0 to 1", () => {
    for (const number of [0, 0.5, 1]) assert.strictEqual(core.checkRandom("here", number), number)
    const message = "here: random must be a function that gives numbers from 0 to 1"
    for (const number of [-0.1, 1.1, NaN, undefined as never]) {
      assert.throws(() => core.checkRandom("here", number), TypeError, message)
    }
  })
})
