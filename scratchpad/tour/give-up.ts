/** How do I stop waiting? `task.cancel()`, `asyncio.timeout(1)` */
import { Effect, Fiber } from "effect"
import { Semaphore } from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { show, title } from "./show.js"

title("How do I stop waiting?", "task.cancel(); async with asyncio.timeout(1):")

const withEffect = Effect.gen(function* () {
  const semaphore = yield* Semaphore.make(1)
  yield* semaphore.take(1)
  const waiter = yield* Effect.fork(semaphore.withPermit(Effect.void))
  yield* Effect.yieldNow()
  const before = yield* semaphore.stats
  yield* Fiber.interrupt(waiter)
  const after = yield* semaphore.stats
  return `waiting ${before.waiting}, interrupted, waiting ${after.waiting}`
})
show("effect", await Effect.runPromise(withEffect))

const semaphore = new Promises.Semaphore(1)
const lease = await semaphore.acquire()
const controller = new AbortController()
const waiter = semaphore.run(() => "never", { signal: controller.signal }).catch((reason: unknown) => reason)
controller.abort("the user has left")
show("promise", `rejected with signal.reason: ${String(await waiter)}; waiting ${semaphore.stats().waiting}`)
lease.release()
