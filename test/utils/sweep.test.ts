import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Queue } from "effect"
import { WorkQueue } from "effect-concurrency"
import { sweep, sweepIsClean } from "./sweep.js"

describe("the interruption sweep", () => {
  it("finds that Effect's own withPermits loses permits", async () => {
    const report = await sweep({
      setup: () => Effect.unsafeMakeSemaphore(1),
      victim: (semaphore) => semaphore.withPermits(1)(Effect.void),
      verify: (semaphore) => {
        let free = false
        Effect.runFork(semaphore.withPermitsIfAvailable(1)(Effect.sync(() => (free = true))))
        return free ? undefined : "the permit is gone"
      }
    })
    assert.isAbove(report.findings.length, 0)
    assert.isTrue(report.findings.every(({ operation }) => operation > 0))
  })

  it("finds nothing where nothing is held", async () => {
    const report = await sweepIsClean({
      setup: () => undefined,
      victim: () => Effect.zipRight(Effect.yieldNow(), Effect.void),
      verify: () => undefined
    })
    assert.isAbove(report.operations, 2)
  })

  it("says so when the victim never ends", async () => {
    const report = await sweep({
      setup: () => undefined,
      victim: () => Effect.never,
      verify: () => undefined
    })
    assert.deepInclude(report.findings[0], { operation: 0, message: "the victim never ends" })
  })
})

describe("a taker that is interrupted just after an offer", () => {
  const leftOver = <A>(
    take: Effect.Effect<A, unknown>,
    offer: Effect.Effect<unknown, unknown>,
    size: Effect.Effect<number>
  ) =>
    Effect.gen(function* () {
      const taker = yield* Effect.fork(take)
      yield* Effect.yieldNow()
      yield* offer
      yield* Fiber.interrupt(taker)
      return yield* size
    })

  it.effect("takes the item with it from Effect's own queue", () =>
    Effect.gen(function* () {
      const queue = yield* Queue.unbounded<number>()
      assert.strictEqual(yield* leftOver(Queue.take(queue), Queue.offer(queue, 1), Queue.size(queue)), 0)
    })
  )

  it.effect("leaves it in ours", () =>
    Effect.gen(function* () {
      const queue = yield* WorkQueue.make<number>()
      assert.strictEqual(yield* leftOver(queue.take, queue.offer(1), queue.size), 1)
    })
  )
})
