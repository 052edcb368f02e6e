import type { Config, ConfigError, Duration, Effect, Layer, Scope } from "effect"
import { Throttle } from "effect-concurrency"
import { throttle, type Throttled } from "effect-concurrency/promise"
import { describe, expect, it } from "tstyche"

declare const save: (text: string, force?: boolean) => Effect.Effect<"a", "e", "r">
declare const config: Config.Config<{ readonly interval: Duration.Duration; readonly run: () => Effect.Effect<1> }>

class Save extends Throttle.Service<Save>()("app/Save", { run: save, interval: "1 second" }) {}
class Configured extends Throttle.Service<Configured>()("app/Configured", config) {}

describe("Throttle", () => {
  it("keeps what the function takes, gives and fails with; what it requires is required once", () => {
    expect(Throttle.make(save, { interval: 5 })).type.toBe<
      Effect.Effect<Throttle.Throttle<[text: string, force?: boolean | undefined], "a", "e">, never, "r" | Scope.Scope>
    >()
    expect(Save.call("text", true)).type.toBe<Effect.Effect<"a", "e" | Throttle.ThrottleCancelled, Save>>()
    expect(Save.layer).type.toBe<Layer.Layer<Save, never, "r">>()
    expect(Configured.layer).type.toBe<Layer.Layer<Configured, ConfigError.ConfigError>>()
  })

  it("gives the key what the function takes", () => {
    const made = Throttle.make(save, {
      interval: 5,
      key: (text, force) => {
        expect(text).type.toBe<string>()
        expect(force).type.toBe<boolean | undefined>()
        return text
      }
    })
    expect(made).type.toBeAssignableTo<Effect.Effect<unknown, never, "r" | Scope.Scope>>()
  })

  it("refuses misuse", () => {
    expect(Save.call).type.not.toBeCallableWith(5)
    expect(Throttle.make).type.not.toBeCallableWith(save, {})
    expect(Throttle.make).type.not.toBeCallableWith(save, { interval: 5, edges: "none" })
    expect(Throttle.makeUnsafe).type.not.toBeCallableWith(save, { interval: 5 })
  })
})

describe("the facade's", () => {
  const throttled = throttle(async (text: string, _force?: boolean) => text.length, 100)

  it("throttle keeps what the function takes, and gives a promise", () => {
    expect(throttled).type.toBe<Throttled<[text: string, _force?: boolean | undefined], number>>()
    expect(throttled("text")).type.toBe<Promise<number>>()
    expect(throttled.with({ timeout: 5 })("text")).type.toBe<Promise<number>>()
    expect(throttle(() => 5, 100)()).type.toBe<Promise<number>>()
    expect(throttled).type.not.toBeCallableWith(5)
  })

  it("throttle.from keeps it, too", () => {
    expect(throttle.from({} as Throttle.Throttle<[string], 5, "e">)("text")).type.toBe<Promise<5>>()
    expect(throttle.from(throttled)).type.toBe<typeof throttled>()
  })
})
