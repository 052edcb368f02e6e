import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import * as core from "../../src/core/rate.js"

const of = (options: core.Options) => core.make(core.fromOptions("test", options))
const isAvailable = (usage: core.Usage, now: number, units: number) => usage.availableAt(now, units) <= now

interface Taken {
  readonly at: number
  readonly cost: number
}

/** What was taken in the interval that ends at a time. */
const inWindow = (log: ReadonlyArray<Taken>, interval: number, now: number): number =>
  log.reduce((sum, { at, cost }) => (at + interval > now && at <= now ? sum + cost : sum), 0)

/** The most that is above `units` at once and what comes back evenly, over all windows from one entry to another: 0 or less when none is. */
const excess = (log: ReadonlyArray<Taken>, burst: number, perMs: number): number => {
  let worst = -Infinity
  for (let first = 0; first < log.length; first++) {
    let sum = 0
    for (let last = first; last < log.length; last++) {
      sum += log[last]!.cost
      worst = Math.max(worst, sum - burst - (log[last]!.at - log[first]!.at) * perMs)
    }
  }
  return worst
}

const rates: ReadonlyArray<readonly [string, core.Options]> = [
  ["600 a second", { limit: 600, interval: 1000 }],
  ["3,000 a second", { limit: 3000, interval: 1000 }],
  ["70 in 91 ms", { limit: 70, interval: 91 }],
  ["7 in 3 seconds", { limit: 7, interval: 3000 }],
  ["11 in 333.3 ms", { limit: 11, interval: 333.3 }]
]
const hour = 3_600_000

describe("fromOptions", () => {
  const refused = (options: unknown): string => {
    try {
      core.fromOptions("Limiter", options as core.Options)
    } catch (error) {
      return String(error)
    }
    return "it was not refused"
  }

  it("refuses a limit, an interval or a burst that is none", () => {
    assert.match(
      refused({ limit: 0, interval: 1 }),
      /^RangeError: Limiter: limit must be an integer of at least 1, got 0/
    )
    for (const limit of [-1, 1.5, NaN, Infinity]) assert.match(refused({ limit, interval: 1 }), /^RangeError: .*limit/)
    assert.match(refused({ limit: "1", interval: 1 }), /^TypeError: .*limit.*got "1"/)
    for (const interval of [0, -1, NaN, Infinity])
      assert.match(refused({ limit: 1, interval }), /^RangeError: Limiter: interval must be a finite time above 0, got/)
    assert.match(refused({ limit: 1 }), /^TypeError: .*interval.*got undefined/)
    assert.match(refused({ limit: 1, interval: 1, burst: 0 }), /^RangeError: .*burst/)
    assert.match(
      refused({ limit: 1, interval: 1, algorithm: "leaky" }),
      /^RangeError: .*algorithm.*"slidingWindow", "gcra"/
    )
    assert.match(
      refused({ limit: 1, interval: 1, burst: 1, algorithm: "slidingWindow" }),
      /burst must be given with.*"gcra"/
    )
    assert.match(refused(undefined), /^TypeError: .*options must be an object/)
  })

  it("takes a sliding window, or with a burst gcra", () => {
    assert.deepStrictEqual(core.fromOptions("", { limit: 3, interval: 1 }), {
      algorithm: "slidingWindow",
      limit: 3,
      interval: 1,
      burst: 3
    })
    assert.strictEqual(core.fromOptions("", { limit: 3, interval: 1, burst: 5 }).algorithm, "gcra")
    assert.strictEqual(core.fromOptions("", { limit: 3, interval: 1, algorithm: "gcra" }).burst, 3)
  })

  it("refuses a cost that can never fit", () => {
    const rate = core.fromOptions("", { limit: 3, interval: 1, burst: 2 })
    assert.strictEqual(core.checkCost("", rate, 2), 2)
    assert.strictEqual(core.checkCost("", rate, 0), 0)
    assert.throws(() => core.checkCost("take", rate, 3), RangeError, "take: cost must be an integer from 0 to 2, got 3")
    for (const cost of [-1, 0.5, NaN]) assert.throws(() => core.checkCost("take", rate, cost), RangeError)
  })
})

describe("an hour of taking whatever can be had", () => {
  it.each(rates)("%s, in a sliding window: no window has more than the limit, and none is missing", (_, options) => {
    const usage = of(options)
    const { interval, limit } = options
    const recent = new Float64Array(limit).fill(-Infinity)
    let count = 0
    for (let now = 0; (now = usage.availableAt(now, 1)) < hour; count++) {
      if (recent[count % limit]! + interval > now) assert.fail(`too many: the ${count}th at ${now}`)
      recent[count % limit] = now
      usage.take(now, 1)
    }
    // As many as there are intervals that begin in the hour, but for what is cut off at its end.
    assert.isAtMost(Math.abs(count - Math.ceil(hour / interval) * limit), limit - 1)
  })

  it.each(rates)("%s, evenly spread: no window has more than the limit, and none is missing", (_, options) => {
    const usage = of({ ...options, burst: 1 })
    const { interval, limit } = options
    const recent = new Float64Array(limit).fill(-Infinity)
    let count = 0
    for (let now = 0.1; (now = usage.availableAt(now, 1)) < hour; count++) {
      // Times are sums: they have the rounding of one sum, after ten million units as after ten.
      if (recent[count % limit]! + interval - now > 1e-8) assert.fail(`too many: the ${count}th at ${now}`)
      recent[count % limit] = now
      usage.take(now, 1)
    }
    assert.isAtMost(Math.abs(count - (hour / interval) * limit), 1)
  })

  it.each(rates)("%s, with a burst: that at once, and then the rate, also when timers are late", (_, options) => {
    const usage = of({ ...options, burst: options.limit })
    const { interval, limit } = options
    let count = 0
    // A timer of the platform: whole milliseconds, and now and then one more.
    for (let now = 0; now < hour; now = Math.ceil(usage.availableAt(now, 1)) + (count % 7 === 0 ? 1 : 0)) {
      for (; isAvailable(usage, now, 1); count++) usage.take(now, 1)
      const most = limit + (now * limit) / interval
      const least = most - (4 * limit) / interval - 2
      if (count > most + 1e-6 || count < least) assert.fail(`${count} units at ${now}, not from ${least} to ${most}`)
    }
  })
})

/** Steps of time, and costs, with ties and pauses longer than the interval. */
const arrivals = fc.array(
  fc.record({
    wait: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 5 }), fc.double({ min: 0, max: 30, noNaN: true })),
    cost: fc.nat({ max: 6 }),
    giveBack: fc.option(fc.nat({ max: 20 }), { freq: 4 })
  }),
  { maxLength: 60 }
)
const anyRate = fc.record({ limit: fc.integer({ min: 1, max: 6 }), interval: fc.integer({ min: 1, max: 20 }) })

describe("a sliding window", () => {
  it("allows what a log of all would, and knows when: I2, I3", () =>
    fc.assert(
      fc.property(anyRate, arrivals, (options, steps) => {
        const usage = of(options)
        const log: Array<Taken & { readonly grant: core.Grant }> = []
        let now = 0
        for (const { cost: wanted, giveBack, wait } of steps) {
          now += wait
          const cost = wanted % (options.limit + 1)
          const used = inWindow(log, options.interval, now)
          assert.strictEqual(usage.remaining(now), options.limit - used)
          const at = usage.availableAt(now, cost)
          assert.strictEqual(at <= now, used + cost <= options.limit)
          if (at > now) {
            assert.isAtMost(inWindow(log, options.interval, at) + cost, options.limit)
            // Just before it, what leaves then is still there.
            assert.isAbove(inWindow(log, options.interval, at - 1e-9) + cost, options.limit)
          } else log.push({ at: now, cost, grant: usage.take(now, cost) })
          usage.check(now)
          if (giveBack !== null && log.length > 0) {
            const [gone] = log.splice(giveBack % log.length, 1)
            usage.giveBack(now, gone!.grant)
            usage.check(now)
          }
          const ends = log.filter(({ at, cost }) => cost > 0 && at + options.interval > now).map(({ at }) => at)
          if (ends.length > 0) assert.isAtLeast(usage.resetAt(now), Math.max(...ends) + options.interval)
        }
      })
    ))

  it("knows when the last of a line of units can go", () =>
    fc.assert(
      fc.property(anyRate, arrivals, fc.integer({ min: 1, max: 40 }), (options, steps, line) => {
        const usage = of(options)
        let now = 0
        for (const { cost, wait } of steps) {
          now += wait
          if (cost <= options.limit && isAvailable(usage, now, cost)) usage.take(now, cost)
        }
        const promised = usage.availableAt(now, line)
        for (let i = 1; i < line; i++) usage.take((now = usage.availableAt(now, 1)), 1)
        // Times are sums, which are rounded: of several intervals in another order than of one.
        assert.approximately(usage.availableAt(now, 1), promised, 1e-9)
      })
    ))

  it("does not keep what has left the window", () => {
    const usage = of({ limit: 2, interval: 10 })
    for (let now = 0; now < 100_000; now += 5) usage.take(now, 1)
    const { times } = usage as unknown as { readonly times: ReadonlyArray<number> }
    assert.isBelow(times.length, 10)
  })

  it("does not keep the room that a burst needed", () => {
    const usage = of({ limit: 10_000, interval: 10 })
    const { times } = usage as unknown as { readonly times: ReadonlyArray<number> }
    for (let n = 0; n < 10_000; n++) usage.take(n / 1000, 1)
    assert.isAtLeast(times.length, 10_000)
    for (let now = 20; now < 60; now++) usage.take(now, 1)
    usage.check(60)
    assert.isBelow(times.length, 200)
  })

  it("keeps nothing of what was given back whole, in whatever order: I3", () => {
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
      [1, 2, 0],
      [1, 0, 2]
    ]) {
      const usage = of({ limit: 3, interval: 10 })
      const grants = [1, 2, 3].map((now) => usage.take(now, 1))
      for (const [index, n] of order.entries()) {
        usage.giveBack(4, grants[n]!)
        usage.check(4)
        assert.strictEqual(usage.remaining(4), index + 1)
      }
      // So a limiter can forget the key.
      assert.strictEqual(usage.resetAt(4), 4)
      assert.deepInclude(usage as unknown, { first: 0, end: 0 })
      usage.take(5, 3)
      assert.strictEqual(usage.availableAt(6, 1), 15)
    }
  })

  it("gives back a part of what was taken, and the rest, also when what came before has left", () => {
    const usage = of({ limit: 5, interval: 10 })
    for (let now = 0; now < 4; now++) usage.take(now, 1)
    const grant = usage.take(12, 3)
    usage.giveBack(12, { ...grant, cost: 1 })
    usage.check(12)
    assert.strictEqual(usage.remaining(12), 2)
    assert.strictEqual(usage.resetAt(12), 22)
    usage.giveBack(13.5, { ...grant, cost: 2 })
    usage.check(13.5)
    assert.strictEqual(usage.remaining(13.5), 5)
    assert.strictEqual(usage.resetAt(13.5), 13.5)
  })

  it("is free again an interval after what was last taken, and not before", () => {
    const usage = of({ limit: 2, interval: 10 })
    usage.take(1, 1)
    usage.take(4, 1)
    assert.strictEqual(usage.availableAt(4, 1), 11)
    assert.strictEqual(usage.availableAt(4, 2), 14)
    assert.strictEqual(usage.availableAt(10.999, 1), 11)
    assert.strictEqual(usage.availableAt(11, 1), 11)
    assert.strictEqual(usage.resetAt(4), 14)
    assert.strictEqual(usage.resetAt(14), 14)
  })
})

describe("gcra", () => {
  it("never gives more than the burst and what has come back, whatever is given back: I1", () =>
    fc.assert(
      fc.property(anyRate, fc.integer({ min: 1, max: 8 }), arrivals, (options, burst, steps) => {
        const usage = of({ ...options, burst })
        const log: Array<Taken & { readonly grant: core.Grant }> = []
        let now = 0
        for (const { cost: wanted, giveBack, wait } of steps) {
          now += wait
          const cost = wanted % (burst + 1)
          if (isAvailable(usage, now, cost)) log.push({ at: now, cost, grant: usage.take(now, cost) })
          usage.check(now)
          if (giveBack !== null && log.length > 0) {
            const [gone] = log.splice(giveBack % log.length, 1)
            usage.giveBack(now, gone!.grant)
            usage.check(now)
          }
          const left = usage.remaining(now)
          assert.isTrue(isAvailable(usage, now, left))
          assert.isTrue(left === burst || !isAvailable(usage, now, left + 1))
        }
        assert.isAtMost(excess(log, burst, options.limit / options.interval), 1e-6)
      }),
      { numRuns: 500 }
    ))

  it("allows whatever a bucket would that fills evenly", () =>
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 8 }), arrivals, (limit, burst, steps) => {
        // A unit comes back in a millisecond, so that the model is in whole numbers.
        const usage = of({ limit, interval: limit, burst })
        let tokens = burst
        let now = 0
        for (const { cost: wanted, wait } of steps) {
          const cost = wanted % (burst + 1)
          now += Math.floor(wait)
          tokens = Math.min(burst, tokens + Math.floor(wait))
          assert.strictEqual(usage.remaining(now), tokens)
          assert.strictEqual(usage.resetAt(now), now + burst - tokens)
          const missing = Math.max(0, cost - tokens)
          assert.strictEqual(usage.availableAt(now, cost), now + missing)
          if (missing > 0) continue
          usage.take(now, cost)
          tokens -= cost
        }
      })
    ))

  it("gives back all of what was taken in the same tick, in any order, and a later one not twice", () => {
    const usage = of({ limit: 10, interval: 10, burst: 4 })
    usage.take(0, 4)
    const [one, two, three] = [usage.take(3, 1), usage.take(3, 1), usage.take(3, 1)]
    assert.strictEqual(usage.remaining(3), 0)
    usage.giveBack(3.5, two)
    usage.giveBack(3.5, one)
    usage.giveBack(3.5, three)
    assert.strictEqual(usage.availableAt(3.5, 4), 4)
    assert.strictEqual(usage.remaining(3.5), 3)
  })

  it("gives back to no more than a full bucket", () => {
    const usage = of({ limit: 10, interval: 10, burst: 4 })
    const first = usage.take(0, 4)
    usage.take(4, 1)
    usage.giveBack(4, first)
    assert.strictEqual(usage.remaining(4), 3)
    usage.giveBack(100, first)
    assert.strictEqual(usage.remaining(100), 4)
  })
})

describe("decide", () => {
  it("takes what fits and says what is left", () => {
    const usage = of({ limit: 3, interval: 10 })
    const { decision, grant } = core.decide(usage, 5, 2, undefined)
    assert.deepStrictEqual(decision, { allowed: true, remaining: 1, retryAfter: 0, resetAfter: 10 })
    assert.deepStrictEqual(grant, { cost: 2, at: 5, before: 0, total: 2 })
    assert.isFrozen(decision)
  })

  it("takes nothing of what does not fit and says when it will", () => {
    const usage = of({ limit: 3, interval: 10 })
    usage.take(5, 2)
    const { decision, grant } = core.decide(usage, 7, 2, undefined)
    assert.deepStrictEqual(decision, { allowed: false, remaining: 1, retryAfter: 8, resetAfter: 8 })
    assert.isUndefined(grant)
  })

  it("passes nobody, and says when it would have its turn after all", () => {
    const usage = of({ limit: 1, interval: 10 })
    usage.take(0, 1)
    assert.deepStrictEqual(core.decide(usage, 5, 1, 2).decision, {
      allowed: false,
      remaining: 0,
      retryAfter: 25,
      resetAfter: 5
    })
    assert.isFalse(core.decide(of({ limit: 1, interval: 10 }), 5, 0, 0).decision.allowed)
  })
})

describe.each([
  ["a sliding window", undefined],
  ["gcra", 2]
])("units taken for a time ahead: %s", (_, burst) => {
  it("no window has more than it may, whatever is given back, and nobody comes before them: I1, I2, I3", () =>
    fc.assert(
      fc.property(anyRate, arrivals, (options, steps) => {
        const usage = of({ ...options, burst })
        const most = burst ?? options.limit
        let log: Array<core.Grant> = []
        let now = 0
        for (const { cost: wanted, giveBack, wait } of steps) {
          now += wait
          const cost = wanted % (most + 1)
          const at = usage.availableAt(now, cost)
          // (Whoever wants nothing leaves no trace.)
          const last = log.findLast(({ cost }) => cost > 0)
          if (burst === undefined && last !== undefined && last.at > now) assert.isAtLeast(at, last.at)
          assert.isTrue(usage.remaining(now) <= most && usage.remaining(now) >= 0)
          assert.isAtLeast(usage.resetAt(now), now)
          // As far ahead as three bursts or windows.
          if (at <= now + 3 * options.interval) log.push(usage.take(at, cost, now))
          usage.check(now)
          if (giveBack !== null && log.length > 0) {
            // The latest, or any.
            const [gone] = log.splice(giveBack % 2 === 0 ? log.length - 1 : giveBack % log.length, 1)
            usage.giveBack(now, gone!)
            usage.check(now)
          }
        }
        log = log.filter(({ cost }) => cost > 0)
        if (burst === undefined) {
          for (const { at } of log) assert.isAtMost(inWindow(log, options.interval, at), options.limit)
        } else {
          const inOrder = [...log].sort((one, other) => one.at - other.at)
          assert.isAtMost(excess(inOrder, burst, options.limit / options.interval), 1e-6)
        }
      }),
      { numRuns: 500 }
    ))

  it("all of them given back, the latest first: it is as if they had never been there", () => {
    const usage = of({ limit: 4, interval: 10, burst })
    const take = (cost: number) => usage.take(usage.availableAt(3, cost), cost, 3)
    take(1)
    const before = [usage.availableAt(3, 2), usage.resetAt(3), usage.remaining(3)]
    const grants = [take(2), take(2), take(1), take(2)]
    assert.strictEqual(usage.remaining(3), 0)
    for (const grant of grants.toReversed()) usage.giveBack(3, grant)
    usage.check(3)
    assert.deepStrictEqual([usage.availableAt(3, 2), usage.resetAt(3), usage.remaining(3)], before)
  })

  it("one in the middle given back: those behind it keep their times", () => {
    const usage = of({ limit: 1, interval: 10, burst: burst && 1 })
    const grants = Array.from({ length: 4 }, () => usage.take(usage.availableAt(0, 1), 1, 0))
    assert.deepStrictEqual(
      grants.map(({ at }) => at),
      [0, 10, 20, 30]
    )
    usage.giveBack(0, grants[1]!)
    usage.check(0)
    assert.strictEqual(usage.availableAt(0, 1), 40)
    usage.giveBack(0, grants[3]!)
    usage.check(0)
    assert.strictEqual(usage.availableAt(0, 1), 30)
  })
})

describe("decideAll", () => {
  const decided = (asks: ReadonlyArray<readonly [cost: number, tries?: "tries"]>, ahead: number) => {
    const all = core.decideAll(
      of({ limit: 3, interval: 10 }),
      5,
      asks.map(([cost, tries]) => ({ cost, tries: tries !== undefined })),
      ahead
    )
    return all.map(({ allowed, delay, remaining, retryAfter }) => [allowed, delay, remaining, retryAfter])
  }

  it("grants now, or for a time that is near enough, or refuses, and then decides about nobody behind", () => {
    assert.deepStrictEqual(decided([[2], [2], [1], [3], [1]], 15), [
      [true, 0, 1, 0],
      [true, 10, 0, 0],
      [true, 10, 0, 0],
      [false, 0, 0, 20]
    ])
    assert.deepStrictEqual(decided([[2], [2], [1]], 0), [
      [true, 0, 1, 0],
      [false, 0, 1, 10]
    ])
  })

  it("who only tries has what there is now, or nothing, and does not hold up those behind", () => {
    assert.deepStrictEqual(decided([[2, "tries"], [2, "tries"], [1, "tries"], [1], [1, "tries"]], 15), [
      [true, 0, 1, 0],
      [false, 0, 1, 10],
      [true, 0, 0, 0],
      [true, 10, 0, 0],
      [false, 0, 0, 10]
    ])
  })
})

describe("spread", () => {
  const rateOf = (options: core.Options) => core.fromOptions("", options)

  it("in a sliding window a limit's worth goes at a time", () => {
    const rate = rateOf({ limit: 3, interval: 10 })
    assert.deepStrictEqual(
      [0, 1, 3, 4, 6, 7].map((units) => core.spread(rate, units, 3)),
      [0, 0, 0, 10, 10, 20]
    )
  })

  it("evenly, what is beyond those that can go at once goes one by one", () => {
    const rate = rateOf({ limit: 4, interval: 10, burst: 3 })
    assert.deepStrictEqual(
      [0, 3, 4, 6].map((units) => core.spread(rate, units, 3)),
      [0, 0, 2.5, 7.5]
    )
    assert.strictEqual(core.spread(rate, 3, 1), 5)
  })
})
