import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import * as core from "../../src/core/budget.js"

describe("the budget", () => {
  it("holds from nothing to burst tokens, and gives no more than burst and the ratio allow (I1, I2)", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 3, noNaN: true }),
        fc.integer({ min: 0, max: 5 }),
        fc.array(fc.constantFrom("request", "take", "giveBack"), { maxLength: 60 }),
        (ratio, burst, commands) => {
          const state = core.make("here", { ratio, burst })
          let retries = 0
          let refused = 0
          for (const command of commands) {
            if (command === "request") core.request(state)
            else if (command === "giveBack") {
              if (retries === 0) continue
              core.giveBack(state)
              retries--
            } else if (core.take(state)) retries++
            else refused++
            core.check(state)
          }
          const requests = commands.filter((command) => command === "request").length
          assert.deepStrictEqual(core.stats(state), { ...core.stats(state), requests, retries, refused })
        }
      )
    )
  })

  it("begins full, and takes exactly as many requests for a retry as the ratio says", () => {
    const state = core.make("here", { ratio: 0.1, burst: 2 })
    assert.deepStrictEqual([core.take(state), core.take(state), core.take(state)], [true, true, false])
    for (let i = 0; i < 9; i++) core.request(state)
    assert.isFalse(core.take(state))
    core.request(state)
    assert.isTrue(core.take(state))
    assert.isFalse(core.take(state))
    assert.deepStrictEqual(core.stats(state), { available: 0, requests: 10, retries: 3, refused: 3 })
  })

  it("holds no more than burst, however many requests go well", () => {
    const state = core.make("here", { ratio: 1, burst: 3 })
    for (let i = 0; i < 100; i++) core.request(state)
    assert.strictEqual(core.stats(state).available, 3)
    for (let i = 0; i < 3; i++) assert.isTrue(core.take(state))
    assert.isFalse(core.take(state))
  })

  it("takes back what was taken for a retry that is not made, and holds no more than burst then", () => {
    const state = core.make("here", { ratio: 0.5, burst: 2 })
    core.take(state)
    core.take(state)
    core.giveBack(state)
    assert.deepStrictEqual(core.stats(state), { available: 1, requests: 0, retries: 1, refused: 0 })
    for (let i = 0; i < 2; i++) core.request(state)
    core.giveBack(state)
    assert.deepStrictEqual(core.stats(state), { available: 2, requests: 2, retries: 0, refused: 0 })
    assert.isTrue(core.take(state) && core.take(state))
    assert.isFalse(core.take(state))
  })

  it("can be closed: a burst of 0 gives nothing, whatever the ratio", () => {
    const state = core.make("here", { ratio: 1, burst: 0 })
    core.request(state)
    assert.isFalse(core.take(state))
  })

  it("has defaults, and a frozen snapshot", () => {
    const state = core.make("here", {})
    assert.deepStrictEqual([state.ratio, state.burst], [0.1, 10])
    assert.isFrozen(core.stats(state))
  })

  it("check finds what is wrong", () => {
    const state = core.make("here", { burst: 1, ratio: 0 })
    assert.throws(() => core.check({ ...state, tokens: -1 }), /^I1/)
    assert.throws(() => core.check({ ...state, tokens: 1_000_001 }), /^I1/)
    assert.throws(() => core.check({ ...state, tokens: 0.5 }), /^I1/)
    assert.throws(() => core.check({ ...state, retries: 2 }), /^I2/)
  })

  for (const [options, kind, message] of [
    [{ ratio: -0.1 }, RangeError, "ratio must be a number from 0 to 1000, got -0.1"],
    [{ ratio: NaN }, RangeError, "ratio must be a number from 0 to 1000, got NaN"],
    [{ ratio: 1001 }, RangeError, "ratio must be a number from 0 to 1000, got 1001"],
    [{ ratio: "1" }, TypeError, 'ratio must be a number from 0 to 1000, got "1"'],
    [{ burst: -1 }, RangeError, "burst must be an integer from 0 to"],
    [{ burst: 1.5 }, RangeError, "burst must be an integer from 0 to"],
    [{ burst: Infinity }, RangeError, "burst must be an integer from 0 to"],
    [5, TypeError, "options must be an object, got 5"]
  ] as ReadonlyArray<[any, typeof RangeError, string]>) {
    it(`refuses ${JSON.stringify(options)}: ${message}`, () => {
      assert.throws(() => core.make("here", options), kind, `here: ${message}`)
    })
  }
})
