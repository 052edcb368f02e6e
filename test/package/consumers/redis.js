import assert from "node:assert/strict"
import { Effect, Layer } from "effect"
import { DistributedRateLimiter } from "effect-concurrency/distributed"
import { layer, layerStores, Redis, StoreError } from "effect-concurrency/redis"

class Limit extends DistributedRateLimiter.Service()("app/Limit", { limit: 1, interval: "1 minute" }) {}

const inMemory = Layer.provide(Limit.layer, DistributedRateLimiter.layerStoreMemory)
const twice = Effect.zipRight(Limit.consume("ada"), Limit.tryConsume("ada"))
assert.equal((await Effect.runPromise(Effect.provide(twice, inMemory))).allowed, false)

// Nobody listens there.
const redis = layer({ url: "redis://127.0.0.1:1", timeout: 200 })
const ping = Effect.flatMap(Redis, (redis) => Effect.flip(redis.send("PING")))
const error = await Effect.runPromise(Effect.provide(ping, redis))
assert.ok(error instanceof StoreError)
const onRedis = Layer.provide(Limit.layer, Layer.provide(layerStores, redis))
const refused = await Effect.runPromise(Effect.provide(Effect.flip(Limit.consume()), onRedis))
assert.equal(refused._tag, "StoreError")
console.log(error.message)
console.log("ok")
