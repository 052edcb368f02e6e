/** How do I tell processes on other machines that something has happened? */
import { Effect, Fiber } from "effect"
import { DistributedEvent, LatchStore } from "effect-concurrency/distributed"
import * as Promises from "effect-concurrency/promise/distributed"
import { show, title } from "./show.js"

title(
  "How do I tell processes on other machines that something has happened?",
  "no counterpart: an Event is of one process"
)

// In memory; on a server it is `layerLatches` of effect-concurrency/redis.
const withEffect = Effect.gen(function* () {
  const event = yield* DistributedEvent.make()
  const workers = yield* Effect.forEach(["a", "b"], (name) =>
    Effect.fork(Effect.as(event.wait("migrated"), `${name} begins`))
  )
  yield* event.set("migrated", { timeToLive: "1 day" })
  return yield* Fiber.join(Fiber.all(workers))
})
show("effect", (await Effect.runPromise(Effect.provide(withEffect, LatchStore.layerMemory))).join(", "))

const event = new Promises.DistributedEvent(Promises.latchStoreMemory())
const begun = event.wait("migrated").then(() => "begun")
await event.set("migrated")
show("promise", `${await begun}, and it is ${(await event.isSet("migrated")) ? "set" : "not set"}`)

const late = await event.wait("never", { timeout: 20 }).catch((error: Error) => error.name)
show("promise", `nobody sets the other: ${late}`)
