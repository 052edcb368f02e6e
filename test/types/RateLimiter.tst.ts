import { type Config, type ConfigError, Effect, type Layer } from "effect"
import { RateLimiter } from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { describe, expect, it } from "tstyche"

declare const effect: Effect.Effect<"a", "e", "r">
declare const limiter: RateLimiter.RateLimiter
declare const bounded: RateLimiter.RateLimiter<RateLimiter.RateLimited>
declare const config: Config.Config<{ limit: number; interval: number }>

const options = { limit: 1, interval: "1 second" } as const

class Limit extends RateLimiter.Service<Limit>()("app/Limit", options) {}
class Bounded extends RateLimiter.Service<Bounded>()("app/Bounded", { ...options, backlog: 5 }) {}
class Configured extends RateLimiter.Service<Configured>()("app/Configured", config) {}

describe("RateLimiter", () => {
  it("is refused by none, unless it has a backlog", () => {
    expect(RateLimiter.make(options)).type.toBe<Effect.Effect<RateLimiter.RateLimiter>>()
    expect(RateLimiter.make({ ...options, backlog: 5 })).type.toBe<
      Effect.Effect<RateLimiter.RateLimiter<RateLimiter.RateLimited>>
    >()
    expect(limiter.consume()).type.toBe<Effect.Effect<void>>()
    expect(bounded.consume("a", { cost: 2 })).type.toBe<Effect.Effect<void, RateLimiter.RateLimited>>()
    expect(bounded.tryConsume()).type.toBe<Effect.Effect<RateLimiter.Decision>>()
    expect(bounded.reserve()).type.toBe<Effect.Effect<RateLimiter.Reservation, RateLimiter.RateLimited>>()
  })

  it("keeps what an effect gives, fails with and requires", () => {
    expect(effect.pipe(limiter.withLimit())).type.toBe<Effect.Effect<"a", "e", "r">>()
    expect(effect.pipe(bounded.withLimit("a"))).type.toBe<Effect.Effect<"a", "e" | RateLimiter.RateLimited, "r">>()
    expect(effect.pipe(RateLimiter.withLimit(limiter, "a"))).type.toBe<Effect.Effect<"a", "e", "r">>()
    expect(RateLimiter.withLimit(effect, limiter)).type.toBe<Effect.Effect<"a", "e", "r">>()
  })

  it("as a service says what it needs, and how its layer can fail", () => {
    expect(Limit.consume()).type.toBe<Effect.Effect<void, never, Limit>>()
    expect(Bounded.consume()).type.toBe<Effect.Effect<void, RateLimiter.RateLimited, Bounded>>()
    expect(effect.pipe(Bounded.withLimit("a"))).type.toBe<
      Effect.Effect<"a", "e" | RateLimiter.RateLimited, "r" | Bounded>
    >()
    expect(Limit.layer).type.toBe<Layer.Layer<Limit>>()
    expect(Configured.layer).type.toBe<Layer.Layer<Configured, ConfigError.ConfigError>>()
  })

  it("on a store can fail as that can", () => {
    expect(RateLimiter.makeWithStore(options)).type.toBe<
      Effect.Effect<RateLimiter.Limits<never, RateLimiter.StoreError>, never, RateLimiter.Store>
    >()
    expect(Effect.flatMap(RateLimiter.makeWithStore({ ...options, backlog: 1 }), (made) => made.consume())).type.toBe<
      Effect.Effect<void, RateLimiter.RateLimited | RateLimiter.StoreError, RateLimiter.Store>
    >()
  })

  it("refuses misuse", () => {
    expect(RateLimiter.make).type.not.toBeCallableWith({ limit: 1 })
    expect(RateLimiter.make).type.not.toBeCallableWith({ ...options, algorithm: "leaky" })
    expect(limiter.consume).type.not.toBeCallableWith(1)
    expect(limiter.withLimit()).type.not.toBeCallableWith(() => 1)
  })

  it("can be seen from plain code, with or without a backlog", () => {
    expect(Promises.RateLimiter.from(limiter)).type.toBe<Promises.RateLimiter>()
    expect(Promises.RateLimiter.from(bounded)).type.toBe<Promises.RateLimiter>()
    expect(Promises.RateLimiter.from(limiter).run(({ signal }) => signal.aborted)).type.toBe<Promise<boolean>>()
  })
})
