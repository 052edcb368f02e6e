import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect } from "effect"
import { Barrier, WorkQueue } from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import * as errors from "../../src/core/errors.js"

describe("core/errors", () => {
  for (const [name, error, message] of [
    ["BrokenBarrier", new errors.BrokenBarrier(), "the barrier is broken"],
    ["QueueClosed", new errors.QueueClosed(), "the queue is closed"],
    ["QueueFull", new errors.QueueFull(7), "the queue is full: it holds 7"]
  ] as const) {
    it(`${name} is an Error with a name, a tag, a message and a stack`, () => {
      assert.instanceOf(error, Error)
      assert.strictEqual(error.name, name)
      assert.strictEqual(error._tag, name)
      assert.strictEqual(error.message, message)
      assert.strictEqual(String(error), `${name}: ${message}`)
      assert.include(error.stack!, "errors.test.ts")
    })

    it(`${name} is found by catchTag, and shown with its message`, () => {
      const failing: Effect.Effect<never, errors.BrokenBarrier | errors.QueueClosed | errors.QueueFull> =
        Effect.fail(error)
      const caught = Effect.runSync(
        Effect.catchTag(failing, name, (found) => Effect.succeed<unknown>(found)).pipe(Effect.merge)
      )
      assert.strictEqual(caught, error)
      assert.include(Cause.pretty(Cause.fail(error)), `${name}: ${message}`)
    })
  }

  it("are the same classes on both sides", () => {
    assert.strictEqual(Promises.BrokenBarrier, errors.BrokenBarrier)
    assert.strictEqual(Promises.QueueClosed, errors.QueueClosed)
    assert.strictEqual(Promises.QueueFull, errors.QueueFull)
    assert.strictEqual(Barrier.BrokenBarrier, errors.BrokenBarrier)
    assert.strictEqual(WorkQueue.QueueClosed, errors.QueueClosed)
    assert.strictEqual(WorkQueue.QueueFull, errors.QueueFull)
  })

  it("QueueFull says how much the queue holds", () => {
    assert.strictEqual(new errors.QueueFull(3).capacity, 3)
  })
})
