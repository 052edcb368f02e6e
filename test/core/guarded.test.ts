import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as core from "../../src/core/guarded.js"
import * as semaphore from "../../src/core/semaphore.js"

const steps = fc.array(fc.oneof(fc.constant("lock" as const), fc.constant("unlock" as const), fc.nat(100)), {
  maxLength: 40
})

describe("guarded core", () => {
  it("changes its value by commits with the lock, and by nothing else (I1)", () => {
    fc.assert(
      fc.property(steps, (steps) => {
        const state = core.make(-1)
        let value = -1
        let locked = false
        for (const step of steps) {
          if (step === "lock") {
            assert.strictEqual(semaphore.tryTake(state.lock, 1, 0), !locked)
            locked = true
          } else if (step === "unlock") {
            if (locked) semaphore.release(state.lock, 1)
            locked = false
          } else if (locked) {
            core.commit(state, step)
            value = step
          } else {
            assert.throws(() => core.commit(state, step), "Guarded: I1: a change without the lock")
          }
          core.check(state)
          assert.strictEqual(state.value, value)
          assert.deepStrictEqual(core.stats(state), { capacity: 1, inUse: locked ? 1 : 0, waiting: 0 })
        }
      }),
      { numRuns: 300 }
    )
  })

  it("check sees a broken lock (I1)", () => {
    const state = core.make(0)
    core.check(state)
    state.lock.taken = -1
    assert.throws(() => core.check(state), /I1: taken is -1/)
  })

  it("takes a pair for a pair, and refuses whatever else a function returned", () => {
    const pair = ["result", 1] as const
    assert.strictEqual(core.pair("Guarded.modify", pair), pair)
    for (const result of [
      undefined,
      null,
      1,
      "ab",
      [],
      [1],
      [1, 2, 3],
      { 0: 1, 1: 2, length: 2 }
    ] as ReadonlyArray<any>) {
      assert.throws(() => core.pair("Guarded.modify", result), "Guarded.modify: the function must return a pair")
    }
  })
})
