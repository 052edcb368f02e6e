import { Config, type ConfigError, Context, type Duration, Effect, type Layer } from "effect"
import { CircuitBreaker } from "effect-concurrency"
import { CircuitBreaker as Plain, type CircuitBreakerSnapshot, type RunContext } from "effect-concurrency/promise"
import { describe, expect, it } from "tstyche"

declare const effect: Effect.Effect<"a", "e", "r">
declare const breaker: CircuitBreaker.CircuitBreaker
declare const plain: Plain
declare const duration: Duration.Duration

const options = { trip: { kind: "consecutive", failures: 5 }, halfOpen: { after: "1 minute" } } as const

class Log extends Context.Tag("test/Log")<Log, Array<string>>() {}

describe("CircuitBreaker", () => {
  it("adds its error, and keeps the rest", () => {
    type Protected = Effect.Effect<"a", "e" | CircuitBreaker.CircuitOpen, "r">
    expect(effect.pipe(breaker.protect)).type.toBe<Protected>()
    expect(effect.pipe(CircuitBreaker.protect(breaker))).type.toBe<Protected>()
    expect(CircuitBreaker.protect(effect, breaker)).type.toBe<Protected>()
    const caught = effect.pipe(
      breaker.protect,
      Effect.catchTag("CircuitOpen", ({ retryAfter }) => Effect.succeed(retryAfter))
    )
    expect(caught).type.toBe<Effect.Effect<number | "a" | undefined, "e", "r">>()
  })

  it("requires what its callback requires", () => {
    expect(CircuitBreaker.make(options)).type.toBe<Effect.Effect<CircuitBreaker.CircuitBreaker>>()
    expect(
      CircuitBreaker.make({ ...options, onStateChange: ({ to }) => Effect.map(Log, (log) => log.push(to)) })
    ).type.toBe<Effect.Effect<CircuitBreaker.CircuitBreaker, never, Log>>()
    expect(CircuitBreaker.makeUnsafe).type.not.toBeCallableWith({ ...options, onStateChange: () => Log })
  })

  it("takes each rule with what it needs, and durations in any form", () => {
    const trip = (trip: CircuitBreaker.Trip) => trip
    expect(trip).type.toBeCallableWith({ kind: "count", size: 5, rate: 0.5 })
    expect(trip).type.toBeCallableWith({ kind: "time", window: duration, rate: 0.5, minimum: 5 })
    expect(trip).type.not.toBeCallableWith({ kind: "consecutive" })
    expect(trip).type.not.toBeCallableWith({ kind: "count", failures: 5 })
    expect(trip).type.not.toBeCallableWith({ kind: "time", rate: 0.5 })
    expect(trip).type.not.toBeCallableWith({ kind: "sometimes" })
    const halfOpen = (halfOpen: CircuitBreaker.HalfOpen) => halfOpen
    expect(halfOpen).type.toBeCallableWith({ after: { base: "1 second", cap: 5_000 } })
    expect(halfOpen).type.not.toBeCallableWith({ after: { factor: 2 } })
    expect(breaker.trip).type.toBeCallableWith("1 hour")
  })

  it("has operations that cannot fail", () => {
    expect(breaker.state).type.toBe<Effect.Effect<"closed" | "open" | "halfOpen">>()
    expect(breaker.stats).type.toBe<Effect.Effect<CircuitBreaker.Stats>>()
    expect(breaker.snapshot).type.toBe<Effect.Effect<CircuitBreaker.Snapshot>>()
    expect(breaker.restore).type.toBe<(snapshot: CircuitBreaker.Snapshot) => Effect.Effect<void>>()
    expect(CircuitBreaker.reset(breaker)).type.toBe<Effect.Effect<void>>()
  })
})

describe("CircuitBreaker.Service", () => {
  class Mail extends CircuitBreaker.Service<Mail>()("app/Mail", options) {}

  it("adds itself to the requirements, and is provided by its layer", () => {
    expect(effect.pipe(Mail.protect)).type.toBe<Effect.Effect<"a", "e" | CircuitBreaker.CircuitOpen, "r" | Mail>>()
    expect(Mail.state).type.toBe<Effect.Effect<CircuitBreaker.State, never, Mail>>()
    expect(Mail.layer).type.toBe<Layer.Layer<Mail>>()
  })

  it("puts the error of its options, and what its callback requires, into the layer", () => {
    class Configured extends CircuitBreaker.Service<Configured>()(
      "app/Configured",
      Config.map(Config.integer("FAILURES"), (failures) => ({
        ...options,
        trip: { kind: "consecutive" as const, failures }
      }))
    ) {}
    expect(Configured.layer).type.toBe<Layer.Layer<Configured, ConfigError.ConfigError>>()
    class Logged extends CircuitBreaker.Service<Logged>()("app/Logged", { ...options, onStateChange: () => Log }) {}
    expect(Logged.layer).type.toBe<Layer.Layer<Logged, never, Log>>()
  })
})

describe("CircuitBreaker (promise)", () => {
  it("gives what the function gives", () => {
    expect(plain.run(async () => 1)).type.toBe<Promise<number>>()
    expect(plain.run((context) => context)).type.toBe<Promise<RunContext>>()
    expect(plain.wrap((n: number) => `${n}`)).type.toBe<(this: unknown, n: number) => Promise<string>>()
    expect(plain.state).type.toBe<CircuitBreaker.State>()
    expect(plain.snapshot()).type.toBe<CircuitBreakerSnapshot>()
  })

  it("is a view of either", () => {
    expect(Plain.from(breaker)).type.toBe<Plain>()
    expect(Plain.from(plain)).type.toBe<Plain>()
    expect(Plain.from).type.not.toBeCallableWith({})
  })
})
