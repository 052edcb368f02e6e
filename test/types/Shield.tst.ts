import type { Config, ConfigError, Duration, Effect, Layer } from "effect"
import { Shield } from "effect-concurrency"
import { critical, shield } from "effect-concurrency/promise"
import { describe, expect, it } from "tstyche"

declare const effect: Effect.Effect<"a", "e", "r">
declare const config: Config.Config<{ readonly deadline: Duration.Duration }>

class Saves extends Shield.Service<Saves>()("app/Saves") {}
class Configured extends Shield.Service<Configured>()("app/Configured", config) {}

describe("Shield", () => {
  it("keeps what an effect gives, fails with and requires", () => {
    expect(Shield.shield(effect)).type.toBe<Effect.Effect<"a", "e", "r">>()
    expect(effect.pipe(Shield.critical)).type.toBe<Effect.Effect<"a", "e", "r">>()
    expect(Saves.shield(effect, { name: "save" })).type.toBe<
      Effect.Effect<"a", "e" | Shield.ShieldClosed, "r" | Saves>
    >()
    expect(Saves.critical(effect)).type.toBe<Effect.Effect<"a", "e" | Shield.ShieldClosed, "r" | Saves>>()
    expect(Saves.layer).type.toBe<Layer.Layer<Saves>>()
    expect(Configured.layer).type.toBe<Layer.Layer<Configured, ConfigError.ConfigError>>()
  })

  it("refuses misuse", () => {
    expect(Shield.shield).type.not.toBeCallableWith(() => effect)
    expect(Shield.make).type.not.toBeCallableWith({ timeout: 5 })
  })
})

describe("the facade's", () => {
  it("takes functions and promises", () => {
    expect(shield(async () => 5)).type.toBe<Promise<number>>()
    expect(critical(Promise.resolve(5))).type.toBe<Promise<number>>()
    expect(shield).type.not.toBeCallableWith(5)
  })
})
