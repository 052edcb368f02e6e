import assert from "node:assert/strict"
import * as RateLimiter from "@effect/experimental/RateLimiter"
import { Effect, Layer } from "effect"
import { layer } from "effect-concurrency/redis"
import { layerPersistedQueueStore, layerRateLimiterStore } from "effect-concurrency/redis/experimental"

// Nobody listens there.
const store = Layer.provide(layerRateLimiterStore, layer({ url: "redis://127.0.0.1:1", timeout: 200 }))
const program = Effect.gen(function* () {
  const limiter = yield* RateLimiter.make
  return yield* Effect.flip(limiter.consume({ key: "ada", limit: 1, window: "1 minute", algorithm: "fixed-window" }))
})
const error = await Effect.runPromise(Effect.provide(program, store))
assert.match(String(error.cause?.message ?? error.message), /could not be reached/)
assert.ok(Layer.isLayer(layerPersistedQueueStore()))
console.log("ok")
