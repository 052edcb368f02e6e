/** How do I hand work to other machines, so that none of it is lost? asyncio has nothing for that: a queue lives in one event loop. */
import { Effect, Fiber, Logger, LogLevel, Schema } from "effect"
import { DeliveryStore, DistributedQueue } from "effect-concurrency/distributed"
import * as Promises from "effect-concurrency/promise/distributed"
import { show, title } from "./show.js"

title(
  "How do I hand work to other machines, so that none of it is lost?",
  "(nothing: asyncio.Queue is for one event loop)"
)

const Mail = Schema.Struct({ to: Schema.String })

const withEffect = Effect.gen(function* () {
  const mails = yield* DistributedQueue.make({ name: "mails", schema: Mail })
  const sent: Array<string> = []
  const send = ({ to }: typeof Mail.Type) => Effect.sync(() => void sent.push(to))
  // Each item is leased while its handler runs, and done when that succeeds. In another process this looks the same.
  const worker = yield* Effect.fork(mails.consume(send, { concurrency: 2 }))
  yield* mails.offerAll([{ to: "ada" }, { to: "grace" }])
  yield* mails.join // nothing is left to be done, by anybody
  yield* Fiber.interrupt(worker)
  return sent
})
// To share it with other machines: layerDeliveries of effect-concurrency/redis in the place of this layer.
const sent = await Effect.runPromise(withEffect.pipe(Effect.provide(DeliveryStore.layerMemory)))
show("effect", `sent to: ${sent.join(", ")}`)

// Whoever dies while he works on an item loses it when his lease ends: the next one gets it, with a larger token.
const store = Promises.deliveryStoreMemory()
const dies = new Promises.DistributedQueue<string>(store, { name: "jobs", lease: 100 })
const lives = new Promises.DistributedQueue<string>(store, { name: "jobs" })
await dies.offer("the report", { id: "report 7" }) // with an id it can be offered again, and is put in once
const stale = await dies.take()
const end = performance.now() + 150
while (performance.now() < end); // the event loop is blocked for longer than the lease
const next = await lives.take()
show("promise", `attempt ${next.attempt} of ${next.id}; its token is larger: ${next.token > stale.token}`)
await stale.acknowledge().catch((error: Error) => show("promise", `the first one is told: ${error.name}`))
await next.acknowledge()

// What fails again and again is put aside, with the reason.
const fails = Effect.gen(function* () {
  const queue = yield* DistributedQueue.make({ name: "jobs", attempts: 2, retry: { base: 1 } })
  yield* queue.offer("divide by zero")
  const worker = yield* Effect.fork(queue.consume(() => Effect.fail("no such number")))
  yield* queue.join
  yield* Fiber.interrupt(worker)
  const [letter] = yield* queue.deadLetters.list()
  return `${letter!.payload} after ${letter!.attempts} attempts: ${letter!.reason}`
})
// Each dead letter is reported, too: by default, in the log.
const quiet = Logger.withMinimumLogLevel(Effect.provide(fails, DeliveryStore.layerMemory), LogLevel.None)
show("effect", `put aside: ${await Effect.runPromise(quiet)}`)
