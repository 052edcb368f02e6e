import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import * as slice from "../../src/core/slice.js"

describe("the time slice", () => {
  it("I1: is over when its time has passed, and when the clock was set back", () => {
    const state = slice.make()
    assert.isFalse(slice.isOver(state, 1000))
    assert.isFalse(slice.isOver(state, 1000 + slice.length - 0.1))
    assert.isTrue(slice.isOver(state, 1000 + slice.length))
    slice.begin(state, 1005)
    assert.isFalse(slice.isOver(state, 1005))
    assert.isTrue(slice.isOver(state, 900))
  })

  it("I2: takes more at a time while that is quick, and fewer when it is not, down to one", () => {
    const state = slice.make()
    for (let i = 0; i < 20; i++) slice.adapt(state, false)
    assert.strictEqual(state.size, slice.most)
    for (let i = 0; i < 20; i++) slice.adapt(state, true)
    assert.strictEqual(state.size, 1)
  })

  it("keeps its invariants", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.integer({ min: -5, max: 5 }))), (steps) => {
        const state = slice.make()
        let now = 0
        for (const [begins, passed] of steps) {
          now += passed
          if (begins) slice.begin(state, now)
          slice.adapt(state, slice.isOver(state, now))
          slice.check(state, now)
        }
      })
    )
    assert.throws(() => slice.check({ began: 0, size: 0 }, 0), /I2/)
  })
})
