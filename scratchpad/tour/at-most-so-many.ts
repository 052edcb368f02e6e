/** How do I limit how many run at once? `async with semaphore:` */
import { Effect } from "effect"
import { Semaphore } from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { show, title } from "./show.js"

title("How do I limit how many run at once?", "async with semaphore:")

/** Counts how many are inside at the same time. */
const meter = () => {
  let inside = 0
  let peak = 0
  return {
    enter: () => (peak = Math.max(peak, ++inside)),
    leave: () => inside--,
    peak: () => peak
  }
}

class ApiSlots extends Semaphore.Service<ApiSlots>()("tour/ApiSlots", { permits: 3 }) {}

const requests = meter()
const request = Effect.sync(requests.enter).pipe(
  Effect.zipRight(Effect.sleep(1)),
  Effect.zipRight(Effect.sync(requests.leave)),
  ApiSlots.withPermit
)
const program = Effect.all(
  Array.from({ length: 12 }, () => request),
  { concurrency: "unbounded" }
)
await Effect.runPromise(program.pipe(Effect.provide(ApiSlots.layer)))
show("effect", `12 requests, 3 slots from a layer: at most ${requests.peak()} at once`)

const downloads = meter()
const semaphore = new Promises.Semaphore(3)
const sizes = await semaphore.map(["a.png", "bb.png", "ccc.png", "dddd.png"], async (name) => {
  downloads.enter()
  await new Promise((resolve) => setTimeout(resolve, 1))
  downloads.leave()
  return name.length
})
show("promise", `sizes ${sizes.join(", ")}: at most ${downloads.peak()} at once`)

// Weights and priorities: a large request is not starved by small ones, and an urgent one goes first.
const held = await semaphore.acquire(3)
const order: Array<string> = []
const all = [
  semaphore.run(() => order.push("large"), { permits: 3 }),
  semaphore.run(() => order.push("small")),
  semaphore.run(() => order.push("urgent"), { priority: 1 })
]
held.release()
await Promise.all(all)
show("promise", `order of grants: ${order.join(", ")}`)
