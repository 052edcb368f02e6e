/** How do workers on several machines finish one phase before any begins the next? */
import { Effect } from "effect"
import { DistributedBarrier, PartyStore } from "effect-concurrency/distributed"
import * as Promises from "effect-concurrency/promise/distributed"
import { show, title } from "./show.js"

title(
  "How do workers on several machines finish one phase before any begins the next?",
  "no counterpart: a Barrier is of one process"
)

// In memory; on a server it is `layerParties` of effect-concurrency/redis.
const withEffect = Effect.gen(function* () {
  const log: Array<string> = []
  const barrier = yield* DistributedBarrier.make({ parties: 3, lease: "30 seconds" })
  const worker = (name: string) =>
    Effect.forEach([1, 2], (phase) =>
      Effect.zipRight(
        Effect.sync(() => log.push(`${phase}${name}`)),
        barrier.wait(`phase ${phase}`)
      )
    )
  yield* Effect.all(["a", "b", "c"].map(worker), { concurrency: "unbounded" })
  return log.map((entry) => entry[0])
})
show("effect", `phases ${(await Effect.runPromise(Effect.provide(withEffect, PartyStore.layerMemory))).join(" ")}`)

const barrier = new Promises.DistributedBarrier(Promises.partyStoreMemory(), { parties: 2 })
show("promise", `arrival indices ${(await Promise.all([barrier.wait("x"), barrier.wait("x")])).join(", ")}`)

const waiting = barrier.wait("x").catch((error: Error) => error.name)
await barrier.abort("x")
show("promise", `aborted: ${await waiting}`)
