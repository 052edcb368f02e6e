/** How do I share one run among several processes? `npm start -- --redis URL` does it in earnest. */
import { Effect, Fiber, Layer, Schema } from "effect"
import { DeliveryStore, DistributedQueue, DistributedRateLimiter } from "effect-concurrency/distributed"
import * as Promises from "effect-concurrency/promise/distributed"
import { show, title } from "./show.js"

title("How do I share one run among several processes?", "no counterpart")

class Files extends DistributedQueue.Service<Files>()("tour/Files", { name: "files", schema: Schema.String }) {}
class Requests extends DistributedRateLimiter.Service<Requests>()("tour/Requests", {
  limit: 5,
  interval: "10 millis",
  burst: 1
}) {}

const folder = ["a.md", "b.md", "c.md", "d.md", "e.md", "f.md"]
const done = new Map<string, string>() // stands for a place that all see, by file: who does one twice changes nothing

/** What each process runs, and no one of them leads: all offer all files, and a file is taken in once, for its path is its id. */
const process = (name: string) =>
  Effect.gen(function* () {
    const check = (file: string) => Requests.withLimit("a server")(Effect.sync(() => void done.set(file, name)))
    const worker = yield* Effect.fork(Files.consume(check))
    yield* Effect.forEach(folder, (file) => Files.offer(file, { id: file }))
    yield* Files.join // nothing is left to be done, by anybody
    yield* Fiber.interrupt(worker)
  }).pipe(Effect.provide([Files.layer, Requests.layer])) // a queue and a limiter of its own, over the stores

// With `layerStores` of effect-concurrency/redis they may be on different machines; here the stores are in memory.
const stores = Layer.merge(DeliveryStore.layerMemory, DistributedRateLimiter.layerStoreMemory)
const two = Effect.all([process("one"), process("other")], { concurrency: "unbounded" })
await Effect.runPromise(Effect.provide(two, stores))
const by = (name: string) => [...done.values()].filter((who) => who === name).length
show(
  "effect",
  `${done.size} files done, each of two did ${Math.min(by("one"), by("other")) > 0 ? "some" : "all or none"}`
)

// The same as promises. Each has its own view of the queue, and stops when nothing is left.
const store = Promises.deliveryStoreMemory()
const doneBy = new Map<string, string>()
const takePart = async (name: string) => {
  const files = new Promises.DistributedQueue<string>(store, { name: "files" })
  const over = new AbortController()
  const worker = files.consume((file) => void doneBy.set(file, name), { signal: over.signal }).catch(() => {})
  const offers = await Promise.all(folder.map((file) => files.offer(file, { id: file })))
  await files.join()
  over.abort()
  await worker
  return offers.filter(({ isNew }) => isNew).length
}
const [one, other] = await Promise.all([takePart("one"), takePart("other")])
show("promise", `${2 * folder.length} offers, ${one + other} taken in, ${doneBy.size} files done`)
