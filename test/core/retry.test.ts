import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import type { Jitter } from "../../src/core/backoff.js"
import * as budget from "../../src/core/budget.js"
import * as core from "../../src/core/retry.js"

const make = (options: core.Options = {}) => core.policy("here", { jitter: "none", ...options })
const budgetOf = (options: budget.Options): core.Budget => ({ [budget.TypeId]: budget.make("here", options) })

const facts = { wanted: true, hint: undefined, random: 0.5 }

/** The pauses until there are no more attempts, each of which takes so long; and why there are no more. */
const run = (policy: core.Policy, takes = 0, hint?: number) => {
  const delays: Array<number> = []
  let now = 1000
  let state = core.make(now)
  for (;;) {
    now += takes
    const { delay, next, reason } = core.decide(policy, state, { ...facts, now, hint })
    if (next === undefined) return { attempts: state.attempt, delays, reason, elapsed: now - 1000 }
    delays.push(delay)
    now += delay
    state = next
  }
}

const jitters: ReadonlyArray<Jitter> = ["none", "full", "equal", "decorrelated"]

describe("the decision", () => {
  it("holds its invariants for any policy and any history (I1, I2, I3, I4, I5)", () => {
    const policies = fc.record({
      attempts: fc.oneof(fc.integer({ min: 1, max: 6 }), fc.constant(Infinity)),
      base: fc.integer({ min: 0, max: 100 }),
      factor: fc.integer({ min: 1, max: 3 }),
      more: fc.integer({ min: 0, max: 500 }),
      jitter: fc.constantFrom(...jitters),
      maxElapsed: fc.oneof(fc.integer({ min: 0, max: 500 }), fc.constant(Infinity)),
      burst: fc.integer({ min: 0, max: 5 })
    })
    const steps = fc.array(
      fc.record({
        takes: fc.integer({ min: 0, max: 100 }),
        /** The caller goes while it pauses. */
        gone: fc.integer({ min: 0, max: 9 }).map((n) => n === 9),
        wanted: fc.boolean().map((no) => !no),
        hint: fc.oneof(fc.constant(undefined), fc.integer({ min: 0, max: 1000 }), fc.constant(Infinity)),
        random: fc.double({ min: 0, max: 1, noNaN: true })
      }),
      { minLength: 1, maxLength: 10 }
    )
    fc.assert(
      fc.property(policies, steps, ({ burst, more, ...options }, history) => {
        const shared = budgetOf({ burst, ratio: 0.5 })
        const policy = make({ ...options, cap: options.base + more, budget: shared })
        let now = 7
        let state = core.make(now)
        let retries = 0
        for (const { gone, takes, ...rest } of history) {
          now += takes
          const given = { ...rest, now }
          const decision = core.decide(policy, state, given)
          core.check(policy, state, given, decision)
          budget.check(shared[budget.TypeId])
          if (decision.next === undefined) {
            assert.strictEqual(
              budget.stats(shared[budget.TypeId]).retries,
              retries,
              "a token for a retry that is not made"
            )
            if (decision.reason === "attempts") assert.strictEqual(state.attempt, policy.attempts)
            return
          }
          assert.strictEqual(budget.stats(shared[budget.TypeId]).retries, ++retries)
          if (gone) {
            core.abandon(policy)
            budget.check(shared[budget.TypeId])
            assert.strictEqual(budget.stats(shared[budget.TypeId]).retries, retries - 1)
            return
          }
          now += decision.delay
          state = decision.next
        }
      })
    )
  })

  it("pauses between attempts, and not after the last (I1)", () => {
    assert.deepStrictEqual(run(make({ attempts: 4, base: 10 })), {
      attempts: 4,
      delays: [10, 20, 40],
      reason: "attempts",
      elapsed: 70
    })
    assert.deepStrictEqual(run(make({ attempts: 1 })), { attempts: 1, delays: [], reason: "attempts", elapsed: 0 })
  })

  it("makes no pause that would end after maxElapsed, and one that ends then (I2)", () => {
    const policy = (maxElapsed: number) => make({ attempts: Infinity, base: 10, factor: 1, maxElapsed })
    assert.deepStrictEqual(run(policy(35), 2), { attempts: 3, delays: [10, 10], reason: "maxElapsed", elapsed: 26 })
    assert.strictEqual(run(policy(36), 2).attempts, 4)
    assert.strictEqual(run(policy(0)).attempts, 1)
  })

  it("takes a hint for the pause, whatever the cap, but not past maxElapsed (I3)", () => {
    const policy = make({ attempts: 3, base: 10, cap: 10, maxElapsed: 1000 })
    assert.deepStrictEqual(run(policy, 0, 500).delays, [500, 500])
    assert.deepStrictEqual(run(policy, 0, 501), { attempts: 2, delays: [501], reason: "maxElapsed", elapsed: 501 })
    assert.deepStrictEqual(run(policy, 0, 0).delays, [0, 0])
    assert.strictEqual(run(make(), 0, Infinity).reason, "maxElapsed")
  })

  it("a hint is not what the next pause grows from", () => {
    const policy = core.policy("here", { attempts: 4, base: 10, jitter: "decorrelated" })
    const first = core.decide(policy, core.make(0), { ...facts, now: 0, random: 1 })
    const second = core.decide(policy, first.next!, { ...facts, now: 0, hint: 5000 })
    const third = core.decide(policy, second.next!, { ...facts, now: 0, random: 1 })
    assert.deepStrictEqual([first.delay, second.delay, third.delay], [30, 5000, 90])
  })

  it("takes a token for a retry that is made, after all else allows it (I4)", () => {
    const shared = budgetOf({ burst: 1, ratio: 0 })
    const policy = make({ attempts: 2, base: 10, maxElapsed: 10, budget: shared })
    const retries = () => budget.stats(shared[budget.TypeId]).retries
    const state = core.make(0)
    assert.strictEqual(core.decide(policy, state, { ...facts, now: 0, wanted: false }).reason, "refused")
    assert.strictEqual(core.decide(policy, state, { ...facts, now: 1 }).reason, "maxElapsed")
    assert.strictEqual(core.decide(policy, { ...state, attempt: 2 }, { ...facts, now: 0 }).reason, "attempts")
    assert.strictEqual(retries(), 0)
    assert.strictEqual(core.decide(policy, state, { ...facts, now: 0 }).next!.attempt, 2)
    assert.strictEqual(retries(), 1)
    assert.strictEqual(core.decide(policy, state, { ...facts, now: 0 }).reason, "budget")
  })

  it("does not try again what is not wanted (I5)", () => {
    const policy = make({ exhausted: "wrap" })
    const decision = core.decide(policy, core.make(0), { ...facts, now: 0, wanted: false })
    assert.deepStrictEqual([decision.next, decision.reason], [undefined, "refused"])
    assert.isFalse(core.wraps(policy, decision))
  })

  it("needs the time only for a limit of it, or for somebody who is told", () => {
    assert.isFalse(core.isTimed(make(), false))
    for (const options of [{ maxElapsed: 5 }, { exhausted: "wrap" }] as const) {
      assert.isTrue(core.isTimed(make(options), false))
    }
    assert.isTrue(core.isTimed(make(), true))
    const { delay, elapsed } = core.decide(make({ base: 10 }), core.make(0), { ...facts, now: 0 })
    assert.deepStrictEqual([delay, elapsed], [10, 0])
  })

  it("counts each first attempt that has come to something as a request, and no other", () => {
    const shared = budgetOf({ burst: 10 })
    const policy = make({ attempts: 3, budget: shared })
    const stats = () => budget.stats(shared[budget.TypeId])
    run(policy)
    run(policy)
    assert.deepStrictEqual(stats(), { available: 6, requests: 2, retries: 4, refused: 0 })
    const state = core.make(0)
    assert.strictEqual(stats().requests, 2)
    core.succeed(policy, state)
    assert.strictEqual(stats().requests, 3)
    core.succeed(policy, { ...state, attempt: 2 })
    core.decide(policy, { ...state, attempt: 2 }, { ...facts, now: 0 })
    assert.strictEqual(stats().requests, 3)
    core.decide(policy, state, { ...facts, now: 0, wanted: false })
    assert.strictEqual(stats().requests, 4)
  })

  it("a retry that does not begin gives its token back (I4)", () => {
    const shared = budgetOf({ burst: 1, ratio: 0 })
    const policy = make({ budget: shared })
    assert.isDefined(core.decide(policy, core.make(0), { ...facts, now: 0 }).next)
    core.abandon(policy)
    assert.deepStrictEqual(budget.stats(shared[budget.TypeId]), { available: 1, requests: 1, retries: 0, refused: 0 })
    core.abandon(make())
    core.succeed(make(), core.make(0))
  })

  it("needs dice only for a pause that chance has a say in", () => {
    assert.deepStrictEqual(
      jitters.map((jitter) => core.isRandom(make({ jitter }))),
      [false, true, true, true]
    )
    assert.isFalse(core.isRandom(make({ jitter: "full", base: 0 })))
    assert.isTrue(core.isRandom(make({ jitter: "full", base: 0.1 })))
  })

  it("leaves the state from which it is made, so that it can be made twice", () => {
    const policy = make({ base: 10 })
    const state = Object.freeze(core.make(0))
    const twice = [0, 1].map(() => core.decide(policy, state, { ...facts, now: 3 }))
    assert.deepStrictEqual(twice[0], twice[1])
  })

  it("check finds what is wrong", () => {
    const policy = make({ attempts: 2, base: 10, cap: 10, maxElapsed: 20 })
    const state = core.make(0)
    const given = { ...facts, now: 0 }
    const good = core.decide(policy, state, given)
    const stopped = { ...good, next: undefined }
    for (const [number, decision, more] of [
      ["I1", { ...good, next: { ...good.next!, attempt: 3 } }, {}],
      ["I2", { ...good, delay: 21 }, {}],
      ["I3", { ...good, delay: 11 }, {}],
      ["I3", { ...good, delay: -1 }, {}],
      ["I3", good, { hint: 5 }],
      ["I5", good, { wanted: false }],
      ["I5", stopped, {}],
      ["I5", { ...stopped, reason: "attempts" }, { wanted: false }]
    ] as ReadonlyArray<[string, core.Decision, object]>) {
      assert.throws(() => core.check(policy, state, { ...given, ...more }, decision), new RegExp(`^${number}`))
    }
    core.check(policy, state, given, good)
  })
})

describe("what a server asks for", () => {
  const at = (asked: unknown) => core.hint(asked, () => 10_000)

  it("is seconds, or an instant; what is past means at once", () => {
    assert.deepStrictEqual([at(2), at(0.5), at(0), at(-3)], [2000, 500, 0, 0])
    assert.deepStrictEqual([at(new Date(12_500)), at(new Date(10_000)), at(new Date(5))], [2500, 0, 0])
    assert.strictEqual(at(Infinity), Infinity)
  })

  it("is nothing when there is none, or no number", () => {
    assert.deepStrictEqual(
      [at(undefined), at(null), at(NaN), at(new Date(NaN))],
      [undefined, undefined, undefined, undefined]
    )
  })

  it("refuses what is no time at all", () => {
    for (const asked of ["120", {}, true]) {
      assert.throws(
        () => at(asked),
        TypeError,
        "retryAfter: it must be seconds, a Date or a Duration, if anything, got "
      )
    }
  })
})

describe("the policy", () => {
  it("has defaults", () => {
    assert.deepStrictEqual(core.policy("here", {}), {
      attempts: 3,
      base: 100,
      factor: 2,
      cap: 30_000,
      jitter: "full",
      maxElapsed: Infinity,
      perAttemptTimeout: undefined,
      exhausted: "last",
      budget: undefined
    })
    assert.isUndefined(core.policy("here", { perAttemptTimeout: Infinity }).perAttemptTimeout)
  })

  for (const [options, kind, message] of [
    [{ attempts: 0 }, RangeError, "attempts must be an integer of at least 1, or Infinity, got 0"],
    [{ attempts: 1.5 }, RangeError, "attempts must be an integer of at least 1, or Infinity, got 1.5"],
    [{ attempts: NaN }, RangeError, "attempts must be an integer of at least 1, or Infinity, got NaN"],
    [{ attempts: "3" }, TypeError, 'attempts must be an integer of at least 1, or Infinity, got "3"'],
    [{ maxElapsed: -1 }, RangeError, "maxElapsed must be 0 or more milliseconds, got -1"],
    [{ maxElapsed: NaN }, RangeError, "maxElapsed must be 0 or more milliseconds, got NaN"],
    [{ perAttemptTimeout: 0 }, RangeError, "perAttemptTimeout must be more than 0 milliseconds, got 0"],
    [{ perAttemptTimeout: NaN }, RangeError, "perAttemptTimeout must be more than 0 milliseconds, got NaN"],
    [{ perAttemptTimeout: "x" }, TypeError, 'perAttemptTimeout must be more than 0 milliseconds, got "x"'],
    [{ exhausted: "first" }, RangeError, 'exhausted must be one of "last", "wrap", got "first"'],
    [{ budget: {} }, TypeError, "budget must be a budget, got an object (Object)"],
    [{ budget: null }, TypeError, "budget must be a budget, got null"],
    [{ factor: 0 }, RangeError, "factor must be a finite number of at least 1, got 0"],
    [null, TypeError, "options must be an object, got null"]
  ] as ReadonlyArray<[any, typeof RangeError, string]>) {
    it(`refuses ${JSON.stringify(options)}: ${message}`, () => {
      assert.throws(() => core.policy("here", options), kind, `here: ${message}`)
    })
  }
})

describe("what is told", () => {
  it("is the last error, as the cause, or the last value", () => {
    const policy = make({ attempts: 1, exhausted: "wrap" })
    const state = core.make(0)
    const decision = core.decide(policy, state, { ...facts, now: 5 })
    assert.isTrue(core.wraps(policy, decision))
    const oops = new Error("oops")
    const failed = core.exhausted(state, decision, { error: oops })
    assert.deepStrictEqual(
      [failed._tag, failed.name, failed.message, failed.cause, failed.attempts, failed.elapsed, failed.reason],
      ["RetryExhausted", "RetryExhausted", "every attempt failed, after 1 attempt", oops, 1, 5, "attempts"]
    )
    const valued = core.exhausted({ ...state, attempt: 2 }, { ...decision, reason: "budget" }, { value: 503 })
    assert.deepStrictEqual([valued.value, valued.cause, "cause" in valued], [503, undefined, false])
    assert.strictEqual(valued.message, "the budget for retries is empty, after 2 attempts")
    const late = core.exhausted(state, { ...decision, reason: "maxElapsed" }, { error: 1 })
    assert.strictEqual(late.message, "there is no time for another attempt, after 1 attempt")
  })

  it("of a retry, which attempt failed and how long until the next", () => {
    const policy = make({ base: 10 })
    const state = core.make(0)
    const decision = core.decide(policy, state, { ...facts, now: 3 })
    const base = { attempt: 1, delay: 10, elapsed: 3 }
    assert.deepStrictEqual(core.retried(state, decision, { error: "no" }), { ...base, error: "no", value: undefined })
    assert.deepStrictEqual(core.retried(state, decision, { value: 5 }), { ...base, error: undefined, value: 5 })
    assert.isFalse(core.wraps(make(), { ...decision, next: undefined, reason: "attempts" }))
  })
})
