import assert from "node:assert/strict"
import {
  Barrier,
  Condition,
  Event,
  Guarded,
  Mutex,
  QueueClosed,
  Semaphore,
  WorkQueue
} from "effect-concurrency/promise"

const mutex = new Mutex()
assert.equal(await mutex.run(() => 1), 1)
const lease = await mutex.acquire()
assert.equal(mutex.isLocked, true)
await assert.rejects(mutex.acquire({ timeout: 5 }), { name: "TimeoutError" })
lease.release()
assert.equal(mutex.isLocked, false)

const semaphore = new Semaphore(2)
let running = 0
let peak = 0
const doubled = await semaphore.map([1, 2, 3, 4], async (n) => {
  peak = Math.max(peak, ++running)
  await new Promise((resolve) => setTimeout(resolve, 1))
  running--
  return n * 2
})
assert.deepEqual(doubled, [2, 4, 6, 8])
assert.equal(peak, 2)

const counter = new Guarded(0)
await counter.update((n) => n + 1)
assert.equal(await counter.get(), 1)

const event = new Event()
const waited = event.wait()
event.set()
await waited

const condition = new Condition()
await condition.run(() => condition.notifyAll())

const barrier = new Barrier(2)
assert.deepEqual((await Promise.all([barrier.wait(), barrier.wait()])).toSorted(), [0, 1])

const queue = new WorkQueue({ capacity: 2 })
await queue.offer("a")
assert.equal(await queue.take(), "a")
queue.taskDone()
await queue.end()
await assert.rejects(queue.take(), QueueClosed)
console.log("ok")
