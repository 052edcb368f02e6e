import type { Config, ConfigError, Effect, Layer } from "effect"
import { RateLimiter } from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { describe, expect, it } from "tstyche"

declare const effect: Effect.Effect<"a", "e", "r">
declare const limiter: RateLimiter.RateLimiter
declare const bounded: RateLimiter.RateLimiter<RateLimiter.RateLimited>
declare const store: RateLimiter.StoreShape<"s">
declare const shared: RateLimiter.WithStore<RateLimiter.RateLimited, "s">
declare const config: Config.Config<{ limit: number; interval: number }>

const options = { limit: 1, interval: "1 second" } as const

class Limit extends RateLimiter.Service<Limit>()("app/Limit", options) {}
class Bounded extends RateLimiter.Service<Bounded>()("app/Bounded", { ...options, backlog: 5 }) {}
class Shared extends RateLimiter.ServiceWithStore<Shared>()("app/Shared", options) {}
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
      Effect.Effect<RateLimiter.WithStore, never, RateLimiter.Store>
    >()
    expect(RateLimiter.makeWithStore(options, store)).type.toBe<Effect.Effect<RateLimiter.WithStore<never, "s">>>()
    expect(RateLimiter.makeWithStore({ ...options, backlog: 1 }, store)).type.toBe<
      Effect.Effect<RateLimiter.WithStore<RateLimiter.RateLimited, "s">>
    >()
    expect(shared.consume()).type.toBe<Effect.Effect<void, RateLimiter.RateLimited | "s">>()
    expect(shared.tryConsume()).type.toBe<Effect.Effect<RateLimiter.Decision, "s">>()
    expect(shared.reserve()).type.toBe<Effect.Effect<RateLimiter.Reservation<"s">, RateLimiter.RateLimited | "s">>()
    expect(effect.pipe(shared.withLimit())).type.toBe<Effect.Effect<"a", "e" | RateLimiter.RateLimited | "s", "r">>()
    expect(effect.pipe(RateLimiter.withLimit(shared, "a"))).type.toBe<
      Effect.Effect<"a", "e" | RateLimiter.RateLimited | "s", "r">
    >()
  })

  it("on a store as a service needs one, and can fail", () => {
    expect(Shared.consume()).type.toBe<Effect.Effect<void, RateLimiter.StoreError, Shared>>()
    expect(Shared.tryConsume()).type.toBe<Effect.Effect<RateLimiter.Decision, RateLimiter.StoreError, Shared>>()
    expect(Shared.layer).type.toBe<Layer.Layer<Shared, never, RateLimiter.Store>>()
    expect(effect.pipe(Shared.withLimit("a"))).type.toBe<
      Effect.Effect<"a", "e" | RateLimiter.StoreError, "r" | Shared>
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

  it("and its kinds are not taken for each other there", () => {
    expect(Promises.RateLimiterWithStore.from(shared)).type.toBe<Promises.RateLimiterWithStore>()
    expect(Promises.RateLimiter.from).type.not.toBeCallableWith(shared)
    expect(Promises.RateLimiterWithStore.from).type.not.toBeCallableWith(limiter)
  })
})
