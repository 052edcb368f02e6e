import { Config, type ConfigError, Effect, type Layer } from "effect"
import { Guarded } from "effect-concurrency"
import { describe, expect, it } from "tstyche"

declare const guarded: Guarded.Guarded<number>

class Counter extends Guarded.Service<Counter, number>()("app/Counter", { initial: 0 }) {}

describe("Guarded", () => {
  it("holds one type of value", () => {
    expect(Guarded.make(0)).type.toBe<Effect.Effect<Guarded.Guarded<number>>>()
    expect(guarded.get).type.toBe<Effect.Effect<number>>()
    expect(guarded.set(1)).type.toBe<Effect.Effect<void>>()
    expect(guarded).type.not.toBeAssignableTo<Guarded.Guarded<number | string>>()
    expect<Guarded.Guarded<number | string>>().type.not.toBeAssignableTo<Guarded.Guarded<number>>()
  })

  it("fails with and requires what its updates do", () => {
    expect(guarded.modify((n) => ["a", n + 1])).type.toBe<Effect.Effect<string>>()
    const next = (n: number): Effect.Effect<number, "e", "r"> => Effect.succeed(n + 1)
    expect(guarded.updateEffect(next)).type.toBeAssignableTo<Effect.Effect<unknown, "e", "r">>()
    expect(guarded.updateEffect(next)).type.not.toBeAssignableTo<Effect.Effect<unknown, never, "r">>()
    expect(guarded.updateEffect(next)).type.not.toBeAssignableTo<Effect.Effect<unknown, "e">>()
    const pair = (n: number): Effect.Effect<readonly [string, number], "e", "r"> => Effect.succeed(["a", n])
    expect(guarded.modifyEffect(pair)).type.toBe<Effect.Effect<string, "e", "r">>()
    expect(Guarded.modifyEffect(guarded, pair)).type.toBe<Effect.Effect<string, "e", "r">>()
  })

  it("refuses misuse", () => {
    expect(guarded.set).type.not.toBeCallableWith("1")
    expect(guarded.update).type.not.toBeCallableWith(1)
    expect(guarded.update).type.not.toBeCallableWith((n: number) => String(n))
    expect(guarded.update).type.not.toBeCallableWith((n: number) => Effect.succeed(n))
    expect(guarded.modify).type.not.toBeCallableWith((n: number) => n)
    expect(guarded.updateEffect).type.not.toBeCallableWith((n: number) => n + 1)
  })
})

describe("Guarded.Service", () => {
  it("adds itself to the requirements until its layer is provided", () => {
    expect(Counter.get).type.toBe<Effect.Effect<number, never, Counter>>()
    expect(Counter.set(1)).type.toBe<Effect.Effect<void, never, Counter>>()
    expect(Counter.modify((n) => ["a", n])).type.toBe<Effect.Effect<string, never, Counter>>()
    expect(Counter.layer).type.toBe<Layer.Layer<Counter>>()
    expect(Counter.get.pipe(Effect.provide(Counter.layer))).type.toBe<Effect.Effect<number>>()
  })

  it("puts the error of its options into the layer", () => {
    const config = Config.map(Config.integer("START"), (initial) => ({ initial }))
    class Configured extends Guarded.Service<Configured, number>()("app/Configured", config) {}
    expect(Configured.layer).type.toBe<Layer.Layer<Configured, ConfigError.ConfigError>>()
    expect(Guarded.Service<Counter, number>()).type.not.toBeCallableWith("app/Counter", { initial: "0" })
    expect(Guarded.Service<Counter, number>()).type.not.toBeCallableWith("app/Counter")
  })
})
