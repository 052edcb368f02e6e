/** How do I keep several machines together within one rate? (asyncio has nothing of the kind.) */
import { Effect, Layer, Logger } from "effect"
import { DistributedRateLimiter } from "effect-concurrency/distributed"
import * as Promises from "effect-concurrency/promise/distributed"
import { rateLimiterStoreMemory } from "effect-concurrency/promise"
import { show, title } from "./show.js"

title("How do I keep several machines together within one rate?", "no counterpart")

// Two services over one store, as two processes have. With `layerRates` of effect-concurrency/redis they may be on different machines; here the
// store is in memory.
const rate = { limit: 10, interval: "100 millis", burst: 1 } as const
class Here extends DistributedRateLimiter.Service<Here>()("tour/LimitHere", rate) {}
class There extends DistributedRateLimiter.Service<There>()("tour/LimitThere", rate) {}

const call = Effect.sync(() => performance.now())
const calls = [1, 2, 3].flatMap(() => [call.pipe(Here.withLimit("a server")), call.pipe(There.withLimit("a server"))])
const layer = Layer.provide(Layer.merge(Here.layer, There.layer), DistributedRateLimiter.layerStoreMemory)
const begin = performance.now()
const times = await Effect.runPromise(Effect.all(calls, { concurrency: "unbounded" }).pipe(Effect.provide(layer)))
const took = Math.max(...times) - begin
show("effect", `6 calls at 10 in 100 ms, from two services, took ${took >= 49 ? "50 ms" : "too little"}`)

// A store that is down, and what stands in for it: better more than the limit than nothing.
const down = Effect.fail(new DistributedRateLimiter.StoreError("nobody there", { reason: "connection" }))
const store = Layer.succeed(DistributedRateLimiter.Store, { consume: () => down, giveBack: () => down })
const insured = Layer.provide(Here.layer, DistributedRateLimiter.layerInsured(store))
const quiet = Logger.remove(Logger.defaultLogger)
const { allowed } = await Effect.runPromise(
  Here.tryConsume("a server").pipe(Effect.provide(Layer.provideMerge(insured, quiet)))
)
show("effect", `the store is down, and the call goes ${allowed ? "through" : "nowhere"}`)

const shared = rateLimiterStoreMemory()
const [one, other] = [1, 2].map(() => new Promises.DistributedRateLimiter(shared, { limit: 1, interval: 60_000 }))
await one!.consume("ada")
const { retryAfter } = await other!.tryConsume("ada")
show("promise", `ada may come again in ${Math.ceil(retryAfter / 60_000)} minute, wherever she comes`)
