import type { Config, ConfigError, Effect, Layer } from "effect"
import { type DistributedBarrier, DistributedEvent, type LatchStore } from "effect-concurrency/distributed"
import * as Promises from "effect-concurrency/promise/distributed"
import { Redis as PromiseRedis } from "effect-concurrency/promise/redis"
import { layerLatches, type Redis } from "effect-concurrency/redis"
import { describe, expect, it } from "tstyche"

declare const event: DistributedEvent.DistributedEvent
declare const ofStore: DistributedEvent.DistributedEvent<"s">
declare const barrier: DistributedBarrier.DistributedBarrier
declare const store: LatchStore.LatchStoreShape<"s">
declare const config: Config.Config<{ poll: number }>

class Signals extends DistributedEvent.Service<Signals>()("app/Signals") {}
class Configured extends DistributedEvent.Service<Configured>()("app/Configured", config) {}

type Failed = DistributedEvent.StoreError

describe("DistributedEvent", () => {
  it("fails as its store does, whatever is asked; a wait has nothing else to fail with", () => {
    expect(event.wait("x")).type.toBe<Effect.Effect<void, Failed>>()
    expect(event.set("x", { timeToLive: "1 day" })).type.toBe<Effect.Effect<void, Failed>>()
    expect(event.clear("x")).type.toBe<Effect.Effect<void, Failed>>()
    expect(event.pulse("x")).type.toBe<Effect.Effect<void, Failed>>()
    expect(event.isSet("x")).type.toBe<Effect.Effect<boolean, Failed>>()
    expect(event.stats).type.toBe<Effect.Effect<DistributedEvent.Stats>>()
    expect(ofStore.wait("x")).type.toBe<Effect.Effect<void, "s">>()
    expect(DistributedEvent.wait(ofStore, "x")).type.toBe<Effect.Effect<void, "s">>()
    expect(DistributedEvent.set(ofStore, "x", { timeToLive: 5 })).type.toBe<Effect.Effect<void, "s">>()
    expect(DistributedEvent.clear(event, "x")).type.toBe<Effect.Effect<void, Failed>>()
    expect(DistributedEvent.pulse(event, "x")).type.toBe<Effect.Effect<void, Failed>>()
    expect(DistributedEvent.isSet(ofStore, "x")).type.toBe<Effect.Effect<boolean, "s">>()
    expect(DistributedEvent.stats(ofStore)).type.toBe<Effect.Effect<DistributedEvent.Stats>>()
  })

  it("is made over the store of the program, or over one that it is given", () => {
    expect(DistributedEvent.make()).type.toBe<
      Effect.Effect<DistributedEvent.DistributedEvent, never, LatchStore.LatchStore>
    >()
    expect(DistributedEvent.make({ poll: "1 second", prefix: "p" }, store)).type.toBe<
      Effect.Effect<DistributedEvent.DistributedEvent<"s">>
    >()
    expect(DistributedEvent.make).type.not.toBeCallableWith({ poll: true })
    expect(event.set).type.not.toBeCallableWith("x", { timeToLive: new Date() })
    expect(event.wait).type.not.toBeCallableWith()
    expect(layerLatches).type.toBe<Layer.Layer<LatchStore.LatchStore, never, Redis>>()
  })

  it("as a service needs a store", () => {
    expect(Signals.layer).type.toBe<Layer.Layer<Signals, never, LatchStore.LatchStore>>()
    expect(Configured.layer).type.toBe<Layer.Layer<Configured, ConfigError.ConfigError, LatchStore.LatchStore>>()
    expect(Signals.wait("x")).type.toBe<Effect.Effect<void, Failed, Signals>>()
    expect(Signals.set("x", { timeToLive: 5 })).type.toBe<Effect.Effect<void, Failed, Signals>>()
    expect(Signals.clear("x")).type.toBe<Effect.Effect<void, Failed, Signals>>()
    expect(Signals.pulse("x")).type.toBe<Effect.Effect<void, Failed, Signals>>()
    expect(Signals.isSet("x")).type.toBe<Effect.Effect<boolean, Failed, Signals>>()
    expect(Signals.stats).type.toBe<Effect.Effect<DistributedEvent.Stats, never, Signals>>()
  })
})

describe("the facade", () => {
  const plain = new Promises.DistributedEvent(Promises.latchStoreMemory(), { poll: 100 })

  it("waits, and takes what ends a wait", () => {
    expect(plain.wait("x", { signal: AbortSignal.abort(), timeout: 5 })).type.toBe<Promise<void>>()
    expect(plain.set("x", { timeToLive: 5 })).type.toBe<Promise<void>>()
    expect(plain.isSet("x")).type.toBe<Promise<boolean>>()
    expect(plain.stats()).type.toBe<Promises.LatchStats>()
    expect(plain.set).type.not.toBeCallableWith("x", { timeToLive: "1 day" })
  })

  it("shares the flags of an effect, whatever that fails with; not what is no event", () => {
    expect(Promises.DistributedEvent.from(event)).type.toBe<Promises.DistributedEvent>()
    expect(Promises.DistributedEvent.from(ofStore)).type.toBe<Promises.DistributedEvent>()
    expect(Promises.DistributedEvent.from(plain)).type.toBe<Promises.DistributedEvent>()
    expect(Promises.DistributedEvent.from).type.not.toBeCallableWith(barrier)
    expect(Promises.DistributedEvent).type.not.toBeConstructableWith()
  })

  it("has a store on Redis", () => {
    expect(Promises.DistributedEvent).type.toBeConstructableWith(new PromiseRedis().latches)
    expect(Promises.DistributedEvent).type.not.toBeConstructableWith(new PromiseRedis().parties)
  })
})
