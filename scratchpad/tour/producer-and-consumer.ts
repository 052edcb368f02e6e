/** How do I hand work from one task to others? `await queue.put(item)`, `await queue.get()`, `await queue.join()` */
import { Effect, Fiber } from "effect"
import { WorkQueue } from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { show, title } from "./show.js"

title("How do I hand work from one task to others?", "await queue.put(item); await queue.get(); await queue.join()")

const withEffect = Effect.gen(function* () {
  const queue = yield* WorkQueue.make<number>({ capacity: 2 })
  const squares: Array<number> = []
  const workers = yield* Effect.fork(queue.consume((n) => Effect.sync(() => squares.push(n * n)), { concurrency: 3 }))
  yield* queue.offerAll([1, 2, 3, 4, 5]) // waits whenever two are in the queue
  yield* queue.end // no sentinel: consumers drain what is left, and return
  yield* Fiber.join(workers)
  return squares
})
show("effect", `squares: ${(await Effect.runPromise(withEffect)).join(", ")}`)

const queue = new Promises.WorkQueue<string>({ capacity: 2 })
const produce = async () => {
  for (const word of ["to", "whom", "it", "may", "concern"]) await queue.offer(word)
  queue.end()
}
const read: Array<string> = []
const consume = async () => {
  for await (const word of queue) read.push(word)
}
await Promise.all([produce(), consume()])
show("promise", `for await: ${read.join(" ")}`)

// A taker that is gone loses nothing: what it was given goes back to the head.
const lossless = Effect.gen(function* () {
  const queue = yield* WorkQueue.make<string>()
  const taker = yield* Effect.fork(queue.take)
  yield* Effect.yieldNow()
  yield* queue.offer("the parcel")
  yield* Fiber.interrupt(taker)
  return yield* queue.take
})
show("effect", `interrupted just after the delivery, and still there: ${await Effect.runPromise(lossless)}`)
