/** A store that limits its own time does so wherever the instance was made: a layer, for one, is built in an uninterruptible region. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, TestClock } from "effect"
import {
  DeliveryStore,
  DistributedBarrier,
  DistributedEvent,
  DistributedMutex,
  DistributedQueue,
  LatchStore,
  LeaseStore,
  PartyStore
} from "effect-concurrency/distributed"
import { StoreError } from "effect-concurrency/redis"

const tooLate = new StoreError("no answer", { reason: "reply" })

/** Never answers; the store itself gives up after a second. */
const silent = () => Effect.timeoutFail(Effect.never, { duration: "1 second", onTimeout: () => tooLate })

/** A store all of whose questions are left unanswered. */
const store = new Proxy({}, { get: () => silent }) as never

const asked: Record<string, Effect.Effect<unknown, unknown>> = {
  DistributedMutex: Effect.flatMap(
    Effect.uninterruptible(Effect.provideService(DistributedMutex.make(), LeaseStore.LeaseStore, store)),
    (mutex) => mutex.withLock("a")(Effect.void)
  ),
  DistributedEvent: Effect.flatMap(
    Effect.uninterruptible(Effect.provideService(DistributedEvent.make(), LatchStore.LatchStore, store)),
    (event) => event.wait("a")
  ),
  DistributedBarrier: Effect.flatMap(
    Effect.uninterruptible(
      Effect.provideService(DistributedBarrier.make({ parties: 2 }), PartyStore.PartyStore, store)
    ),
    (barrier) => barrier.wait("a")
  ),
  DistributedQueue: Effect.flatMap(
    Effect.uninterruptible(
      Effect.provideService(DistributedQueue.make({ name: "a" }), DeliveryStore.DeliveryStore, store)
    ),
    (queue) => Effect.scoped(queue.take)
  )
}

describe("a store that limits its own time", () => {
  for (const [name, program] of Object.entries(asked)) {
    it.effect(name, () =>
      Effect.gen(function* () {
        const fiber = yield* Effect.fork(Effect.flip(program))
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(fiber.unsafePoll() === null, false, "it has ended")
        assert.strictEqual(yield* Fiber.join(fiber), tooLate)
      })
    )
  }
})
