import { Config, type ConfigError, Effect, type Layer } from "effect"
import { Bulkhead } from "effect-concurrency"
import { Bulkhead as Plain, type BulkheadStats, type RunContext } from "effect-concurrency/promise"
import { describe, expect, it } from "tstyche"

declare const effect: Effect.Effect<"a", "e", "r">
declare const bulkhead: Bulkhead.Bulkhead
declare const plain: Plain

describe("Bulkhead", () => {
  it("adds its error, and keeps the rest", () => {
    type Protected = Effect.Effect<"a", "e" | Bulkhead.BulkheadFull, "r">
    expect(effect.pipe(bulkhead.protect)).type.toBe<Protected>()
    expect(effect.pipe(Bulkhead.protect(bulkhead))).type.toBe<Protected>()
    expect(Bulkhead.protect(effect, bulkhead)).type.toBe<Protected>()
    const caught = effect.pipe(
      bulkhead.protect,
      Effect.catchTag("BulkheadFull", ({ backlog }) => Effect.succeed(backlog))
    )
    expect(caught).type.toBe<Effect.Effect<number | "a", "e", "r">>()
  })

  it("is made without error or requirement, and not without permits", () => {
    expect(Bulkhead.make({ permits: 1 })).type.toBe<Effect.Effect<Bulkhead.Bulkhead>>()
    expect(Bulkhead.make).type.not.toBeCallableWith({ backlog: 1 })
    expect(Bulkhead.make).type.not.toBeCallableWith(1)
    expect(Bulkhead.stats(bulkhead)).type.toBe<Effect.Effect<Bulkhead.Stats>>()
  })
})

describe("Bulkhead.Service", () => {
  it("adds itself to the requirements, and is provided by its layer", () => {
    class Slots extends Bulkhead.Service<Slots>()("app/Slots", { permits: 5, backlog: 10 }) {}
    expect(effect.pipe(Slots.protect)).type.toBe<Effect.Effect<"a", "e" | Bulkhead.BulkheadFull, "r" | Slots>>()
    expect(Slots.layer).type.toBe<Layer.Layer<Slots>>()
    class Configured extends Bulkhead.Service<Configured>()(
      "app/Configured",
      Config.map(Config.integer("SLOTS"), (permits) => ({ permits }))
    ) {}
    expect(Configured.layer).type.toBe<Layer.Layer<Configured, ConfigError.ConfigError>>()
  })
})

describe("Bulkhead (promise)", () => {
  it("gives what the function gives", () => {
    expect(plain.run(async () => 1, { timeout: 5 })).type.toBe<Promise<number>>()
    expect(plain.run((context) => context)).type.toBe<Promise<RunContext>>()
    expect(plain.wrap((n: number) => `${n}`)).type.toBe<(this: unknown, n: number) => Promise<string>>()
    expect(plain.stats()).type.toBe<BulkheadStats>()
    expect(Plain.from(bulkhead)).type.toBe<Plain>()
    expect(Plain.from).type.not.toBeCallableWith({})
  })
})
