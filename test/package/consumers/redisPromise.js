import assert from "node:assert/strict"
import { rateLimiterStoreMemory, StoreError } from "effect-concurrency/promise"
import { DistributedRateLimiter, insured } from "effect-concurrency/promise/distributed"
import { Redis } from "effect-concurrency/promise/redis"

const limiter = new DistributedRateLimiter(rateLimiterStoreMemory(), { limit: 1, interval: 60_000 })
await limiter.consume("ada")
assert.equal((await limiter.tryConsume("ada")).allowed, false)

// Nobody listens there.
const redis = new Redis({ url: "redis://127.0.0.1:1", timeout: 200 })
const error = await redis.send("PING").catch((error) => error)
assert.ok(error instanceof StoreError)
const onRedis = new DistributedRateLimiter(insured(redis.rates, { onError() {} }), { limit: 1, interval: 60_000 })
await onRedis.consume("ada")
redis.close()
console.log(error.message)
console.log("ok")
