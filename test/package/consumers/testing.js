import assert from "node:assert/strict"
import { Effect, Fiber } from "effect"
import { Mutex } from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { Explore, Linearizable } from "effect-concurrency/testing"

/** Two who count; a lock around it, or nothing. */
const counting = (lock) =>
  Effect.gen(function* () {
    let count = 0
    const increment = lock()(
      Effect.map(
        Effect.sync(() => count),
        (seen) => void (count = seen + 1)
      )
    )
    const fibers = [yield* Explore.fork("a", increment), yield* Explore.fork("b", increment)]
    for (const fiber of fibers) yield* Fiber.join(fiber)
    assert.equal(count, 2)
  })

const { finding } = await Explore.report(counting(() => (self) => self))
assert.equal(finding.kind, "failure")
assert.equal(
  (
    await Explore.replay(
      counting(() => (self) => self),
      finding.replay
    )
  ).finding.kind,
  "failure"
)

const locked = Effect.suspend(() => {
  const mutex = Mutex.makeUnsafe()
  return counting(() => mutex.withLock)
})
assert.equal((await Explore.check(locked)).complete, true)

await Explore.check(async ({ spawn }) => {
  const mutex = new Promises.Mutex()
  await Promise.all(["a", "b"].map((name) => spawn(name, (task) => mutex.run(() => task.step("has it")))))
})

const register = {
  initial: 0,
  apply: (state, [name, value]) => (name === "set" ? { state: value } : { state, result: state })
}
assert.equal(Linearizable.check(register, []).linearizable, true)
console.log("ok")
