import { Config, type ConfigError, Effect, type Exit, type Layer, type Scope } from "effect"
import { SyncBridge } from "effect-concurrency"
import { SyncBridge as Plain, type SyncBridgeStats } from "effect-concurrency/promise"
import { describe, expect, it } from "tstyche"

class NotFound extends Error {
  readonly _tag = "NotFound"
}
class Broken extends Error {
  readonly _tag = "Broken"
}

declare class Db {
  readonly db: true
}

interface Functions {
  readonly later: (ms: number, text?: string) => Promise<"a">
  readonly now: () => number
  readonly effect: (n: number) => Effect.Effect<"b", Broken>
  readonly either: (n: number) => Effect.Effect<"b", Broken> | Promise<"c">
  readonly anything: (...args: ReadonlyArray<any>) => any
  readonly needs: () => Effect.Effect<number, never, Db>
  readonly version: string
}

const functions = SyncBridge.module<Functions, NotFound>("file:///x.js", { errors: [NotFound] })
const bridge = SyncBridge.makeUnsafe(functions)
type Fails = SyncBridge.BridgeError

describe("SyncBridge.module", () => {
  it("has the functions of the module, with what their effects fail with", () => {
    expect(functions.later).type.toBeAssignableTo<{ readonly name: string; readonly href: string }>()
    expect<SyncBridge.Name<typeof functions>>().type.toBe<"later" | "now" | "effect" | "either" | "anything">()
    expect(functions).type.not.toHaveProperty("needs")
    expect(functions).type.not.toHaveProperty("version")
  })

  it("takes classes of the errors that it is said to have", () => {
    expect(SyncBridge.module<Functions, NotFound>).type.not.toBeCallableWith("file:///x.js", { errors: [Broken] })
    expect(SyncBridge.module<Functions>).type.not.toBeCallableWith("file:///x.js", { errors: [Broken] })
    expect(SyncBridge.module<Functions>).type.toBeCallableWith(new URL("file:///x.js"))
    expect(SyncBridge.module<Functions>).type.not.toBeCallableWith(1)
  })
})

describe("SyncBridge", () => {
  it("takes what the function takes, and gives what comes of it", () => {
    expect(bridge.run("later", [1])).type.toBe<"a">()
    expect(bridge.run("later", [1, "text"], { timeout: "1 second" })).type.toBe<"a">()
    expect(bridge.run("now", [])).type.toBe<number>()
    expect(bridge.run("effect", [1])).type.toBe<"b">()
    expect(bridge.run("either", [1])).type.toBe<"b" | "c">()
    expect(bridge.run("anything", [1, 2])).type.toBe<any>()
  })

  it("refuses other names and arguments", () => {
    expect(bridge.run).type.not.toBeCallableWith("later", ["1"])
    expect(bridge.run).type.not.toBeCallableWith("later", [])
    expect(bridge.run).type.not.toBeCallableWith("now", [], 5)
    expect(bridge.run).type.not.toBeCallableWith("nope", [])
    expect(bridge.run).type.not.toBeCallableWith("needs", [])
    expect(bridge.run).type.not.toBeCallableWith("version", [])
    expect(SyncBridge.make).type.not.toBeCallableWith("file:///x.js")
  })

  it("says what it can fail with", () => {
    expect(bridge.runExit("later", [1])).type.toBe<Exit.Exit<"a", NotFound | Fails>>()
    expect(bridge.runExit("effect", [1])).type.toBe<Exit.Exit<"b", NotFound | Broken | Fails>>()
    const plain = SyncBridge.makeUnsafe(SyncBridge.module<Functions>("file:///x.js"))
    expect(plain.runExit("later", [1])).type.toBe<Exit.Exit<"a", Fails>>()
    expect(plain.runExit("effect", [1])).type.toBe<Exit.Exit<"b", Broken | Fails>>()
  })

  it("is made in a scope", () => {
    expect(SyncBridge.make(functions)).type.toBe<
      Effect.Effect<SyncBridge.SyncBridge<typeof functions>, never, Scope.Scope>
    >()
  })
})

describe("SyncBridge.runSync", () => {
  it("takes an effect that needs nothing", () => {
    expect(SyncBridge.runSync(Effect.succeed(1))).type.toBe<number>()
    expect(SyncBridge.runSyncExit(Effect.fail("e" as const))).type.toBe<Exit.Exit<never, "e" | SyncBridge.AsyncWork>>()
    expect(SyncBridge.runSync).type.not.toBeCallableWith(Effect.scope)
  })
})

describe("SyncBridge.Service", () => {
  it("gives the function that blocks, and is provided by its layer", () => {
    class Hashing extends SyncBridge.Service<Hashing>()("app/Hashing", functions) {}
    expect(Hashing.layer).type.toBe<Layer.Layer<Hashing>>()
    expect(Effect.map(Hashing.run, (run) => run("later", [1]))).type.toBe<Effect.Effect<"a", never, Hashing>>()
    class Configured extends SyncBridge.Service<Configured>()(
      "app/Configured",
      functions,
      Config.map(Config.integer("MS"), (timeout) => ({ timeout }))
    ) {}
    expect(Configured.layer).type.toBe<Layer.Layer<Configured, ConfigError.ConfigError>>()
  })
})

describe("SyncBridge (promise)", () => {
  it("takes what the function takes, and gives what comes of it", () => {
    const plain = new Plain(Plain.module<Functions>("file:///x.js", { errors: [NotFound] }))
    expect(plain.run("later", [1], { timeout: 5 })).type.toBe<"a">()
    expect(plain.run("effect", [1])).type.toBe<"b">()
    expect(plain.run).type.not.toBeCallableWith("later", ["1"])
    expect(plain.run).type.not.toBeCallableWith("later", [1], { timeout: "1 second" })
    expect(plain.stats()).type.toBe<SyncBridgeStats>()
    expect(plain.close()).type.toBe<Promise<void>>()
    expect(Plain.from(bridge)).type.toBe<Plain<typeof functions>>()
    expect(Plain.from(plain)).type.toBe<typeof plain>()
    expect(Plain).type.not.toBeConstructableWith("file:///x.js")
  })
})
