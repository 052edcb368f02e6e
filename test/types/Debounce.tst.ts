import type { Config, ConfigError, Duration, Effect, Layer, Scope } from "effect"
import { Debounce } from "effect-concurrency"
import { debounce, type Debounced } from "effect-concurrency/promise"
import { describe, expect, it } from "tstyche"

declare const save: (text: string, force?: boolean) => Effect.Effect<"a", "e", "r">
declare const config: Config.Config<{ readonly wait: Duration.Duration; readonly run: () => Effect.Effect<1> }>

class Save extends Debounce.Service<Save>()("app/Save", { run: save, wait: "1 second" }) {}
class Configured extends Debounce.Service<Configured>()("app/Configured", config) {}

describe("Debounce", () => {
  it("keeps what the function takes, gives and fails with; what it requires is required once", () => {
    expect(Debounce.make(save, { wait: 5 })).type.toBe<
      Effect.Effect<Debounce.Debounce<[text: string, force?: boolean | undefined], "a", "e">, never, "r" | Scope.Scope>
    >()
    expect(Save.call("text", true)).type.toBe<Effect.Effect<"a", "e" | Debounce.DebounceCancelled, Save>>()
    expect(Save.layer).type.toBe<Layer.Layer<Save, never, "r">>()
    expect(Configured.layer).type.toBe<Layer.Layer<Configured, ConfigError.ConfigError>>()
  })

  it("gives the key what the function takes", () => {
    const made = Debounce.make(save, {
      wait: 5,
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
    expect(Debounce.make).type.not.toBeCallableWith(save, {})
    expect(Debounce.make).type.not.toBeCallableWith(save, { wait: 5, edges: "none" })
    expect(Debounce.makeUnsafe).type.not.toBeCallableWith(save, { wait: 5 })
  })
})

describe("the facade's", () => {
  const debounced = debounce(async (text: string, _force?: boolean) => text.length, 100)

  it("debounce keeps what the function takes, and gives a promise", () => {
    expect(debounced).type.toBe<Debounced<[text: string, _force?: boolean | undefined], number>>()
    expect(debounced("text")).type.toBe<Promise<number>>()
    expect(debounced.with({ timeout: 5 })("text")).type.toBe<Promise<number>>()
    expect(debounce(() => 5, 100)()).type.toBe<Promise<number>>()
    expect(debounced).type.not.toBeCallableWith(5)
  })

  it("debounce.from keeps it, too", () => {
    expect(debounce.from({} as Debounce.Debounce<[string], 5, "e">)("text")).type.toBe<Promise<5>>()
    expect(debounce.from(debounced)).type.toBe<typeof debounced>()
  })
})
