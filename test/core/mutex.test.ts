import { assert, describe, it } from "@effect/vitest"
import * as core from "../../src/core/mutex.js"
import * as semaphore from "../../src/core/semaphore.js"

describe("mutex core", () => {
  it("is a semaphore of one permit", () => {
    const state = core.make()
    assert.deepStrictEqual(semaphore.stats(state), { capacity: 1, inUse: 0, waiting: 0 })
    semaphore.check(state)
  })

  it("is locked exactly while its permit is taken", () => {
    const state = core.make()
    assert.isFalse(core.isLocked(state))
    assert.isTrue(semaphore.tryTake(state, 1, 0))
    assert.isTrue(core.isLocked(state))
    assert.isFalse(semaphore.tryTake(state, 1, 0))
    semaphore.release(state, 1)
    assert.isFalse(core.isLocked(state))
  })

  it("shares nothing with another one", () => {
    const [one, other] = [core.make(), core.make()]
    semaphore.tryTake(one, 1, 0)
    assert.isFalse(core.isLocked(other))
  })
})
