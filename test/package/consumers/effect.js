import assert from "node:assert/strict"
import { Effect, Fiber } from "effect"
import { Mutex, Semaphore } from "effect-concurrency"
import * as Barrier from "effect-concurrency/Barrier"
import * as Condition from "effect-concurrency/Condition"
import * as Event from "effect-concurrency/Event"
import * as Guarded from "effect-concurrency/Guarded"
import * as WorkQueue from "effect-concurrency/WorkQueue"

class Slots extends Semaphore.Service()("app/Slots", { permits: 2 }) {}

const program = Effect.gen(function* () {
  const mutex = yield* Mutex.make()
  assert.equal(yield* mutex.withLock(Effect.succeed(1)), 1)
  assert.equal(yield* mutex.isLocked, false)

  let running = 0
  let peak = 0
  const task = Effect.sync(() => (peak = Math.max(peak, ++running))).pipe(
    Effect.zipRight(Effect.sleep(1)),
    Effect.zipRight(Effect.sync(() => running--))
  )
  yield* Effect.all(
    Array.from({ length: 10 }, () => Slots.withPermit(task)),
    { concurrency: "unbounded" }
  )
  assert.equal(peak, 2)

  const counter = yield* Guarded.make(0)
  yield* counter.update((n) => n + 1)
  assert.equal(yield* counter.get, 1)

  const event = yield* Event.make()
  const waiting = yield* Effect.fork(event.wait)
  yield* Effect.yieldNow()
  yield* event.set
  yield* Fiber.join(waiting)

  const condition = yield* Condition.make()
  yield* condition.withLock(condition.notifyAll)

  const barrier = yield* Barrier.make(2)
  const indices = yield* Effect.all([barrier.await, barrier.await], { concurrency: "unbounded" })
  assert.deepEqual(indices.toSorted(), [0, 1])

  const queue = yield* WorkQueue.make({ capacity: 2 })
  yield* queue.offer("a")
  assert.equal(yield* queue.take, "a")
  yield* queue.taskDone
  yield* queue.end
  assert.equal((yield* Effect.flip(queue.take))._tag, "QueueClosed")
})

await Effect.runPromise(program.pipe(Effect.provide(Slots.layer)))
console.log("ok")
