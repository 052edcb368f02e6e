import type { Config, ConfigError, Effect, Layer, Scope } from "effect"
import type { RateLimiter } from "effect-concurrency"
import { DistributedRateLimiter } from "effect-concurrency/distributed"
import type { RateLimiterStore } from "effect-concurrency/promise"
import * as Promises from "effect-concurrency/promise/distributed"
import { Redis as PromiseRedis } from "effect-concurrency/promise/redis"
import { layer, layerFrom, layerRates, type Redis, type RedisShape, type StoreError } from "effect-concurrency/redis"
import { Redis as Client } from "ioredis"
import { describe, expect, it } from "tstyche"

declare const effect: Effect.Effect<"a", "e", "r">
declare const redis: RedisShape
declare const config: Config.Config<{ url: string }>
declare const store: RateLimiterStore
declare const shared: DistributedRateLimiter.DistributedRateLimiter<DistributedRateLimiter.RateLimited>
declare const limiter: RateLimiter.RateLimiter

class Limit extends DistributedRateLimiter.Service<Limit>()("app/Limit", { limit: 1, interval: "1 minute" }) {}

describe("DistributedRateLimiter", () => {
  it("can fail as the store can", () => {
    expect(effect.pipe(Limit.withLimit("x"))).type.toBe<Effect.Effect<"a", "e" | StoreError, "r" | Limit>>()
    expect(Limit.layer).type.toBe<Layer.Layer<Limit, never, RateLimiter.Store>>()
    expect(DistributedRateLimiter.layerInsured(layerRates)).type.toBe<Layer.Layer<RateLimiter.Store, never, Redis>>()
    expect(Promises.insured(store)).type.toBe<RateLimiterStore>()
    expect(new Promises.DistributedRateLimiter(store, { limit: 1, interval: 1000 }).consume("x")).type.toBe<
      Promise<void>
    >()
    expect(Promises.DistributedRateLimiter).type.not.toBeConstructableWith({ limit: 1, interval: 1000 }, store)
    expect(Promises.DistributedRateLimiter.from(shared)).type.toBe<Promises.DistributedRateLimiter>()
    expect(Promises.DistributedRateLimiter.from).type.not.toBeCallableWith(limiter)
  })
})

describe("Redis", () => {
  it("has its options from where they are", () => {
    expect(layer()).type.toBe<Layer.Layer<Redis>>()
    expect(layer({ url: "redis://localhost", timeout: 100 })).type.toBe<Layer.Layer<Redis>>()
    expect(layer(config)).type.toBe<Layer.Layer<Redis, ConfigError.ConfigError>>()
    expect(layerFrom(new Client())).type.toBe<Layer.Layer<Redis>>()
    expect(new PromiseRedis({ client: new Client() }).rates).type.toBe<RateLimiterStore>()
    expect(layerFrom).type.not.toBeCallableWith("redis://localhost")
  })

  it("answers what nobody knows beforehand, or fails", () => {
    expect(redis.send("GET", "a")).type.toBe<Effect.Effect<unknown, StoreError>>()
    expect(redis.eval("return 1", { keys: ["a"] })).type.toBe<Effect.Effect<unknown, StoreError>>()
    expect(redis.subscribe("c", (message) => expect(message).type.toBe<string | undefined>())).type.toBe<
      Effect.Effect<void, StoreError, Scope.Scope>
    >()
    expect(redis.send).type.not.toBeCallableWith("SET", "a", true)
  })
})
