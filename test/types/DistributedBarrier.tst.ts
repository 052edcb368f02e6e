import type { Config, ConfigError, Effect, Layer } from "effect"
import { DistributedBarrier, type DistributedEvent, type PartyStore } from "effect-concurrency/distributed"
import * as Promises from "effect-concurrency/promise/distributed"
import { Redis as PromiseRedis } from "effect-concurrency/promise/redis"
import { layerParties, type Redis } from "effect-concurrency/redis"
import { describe, expect, it } from "tstyche"

declare const barrier: DistributedBarrier.DistributedBarrier
declare const ofStore: DistributedBarrier.DistributedBarrier<"s">
declare const event: DistributedEvent.DistributedEvent
declare const store: PartyStore.PartyStoreShape<"s">
declare const config: Config.Config<{ parties: number }>

class Phases extends DistributedBarrier.Service<Phases>()("app/Phases", { parties: 2 }) {}
class Configured extends DistributedBarrier.Service<Configured>()("app/Configured", config) {}

type Broken = DistributedBarrier.BrokenBarrier
type Lost = DistributedBarrier.LeaseLost
type Failed = DistributedBarrier.StoreError

describe("DistributedBarrier", () => {
  it("a wait can be broken, and lose its lease; what only asks can not", () => {
    expect(barrier.wait("x")).type.toBe<Effect.Effect<number, Broken | Lost | Failed>>()
    expect(barrier.reset("x")).type.toBe<Effect.Effect<void, Failed>>()
    expect(barrier.abort("x")).type.toBe<Effect.Effect<void, Failed>>()
    expect(barrier.isBroken("x")).type.toBe<Effect.Effect<boolean, Failed>>()
    expect(barrier.stats).type.toBe<Effect.Effect<DistributedBarrier.Stats>>()
  })

  it("fails as its store does", () => {
    expect(ofStore.wait("x")).type.toBe<Effect.Effect<number, Broken | Lost | "s">>()
    expect(DistributedBarrier.wait(ofStore, "x")).type.toBe<Effect.Effect<number, Broken | Lost | "s">>()
    expect(DistributedBarrier.reset(ofStore, "x")).type.toBe<Effect.Effect<void, "s">>()
    expect(DistributedBarrier.abort(ofStore, "x")).type.toBe<Effect.Effect<void, "s">>()
    expect(DistributedBarrier.isBroken(ofStore, "x")).type.toBe<Effect.Effect<boolean, "s">>()
    expect(DistributedBarrier.stats(ofStore)).type.toBe<Effect.Effect<DistributedBarrier.Stats>>()
  })

  it("is made over the store of the program, or over one that it is given, for a number of parties", () => {
    expect(DistributedBarrier.make({ parties: 2 })).type.toBe<
      Effect.Effect<DistributedBarrier.DistributedBarrier, never, PartyStore.PartyStore>
    >()
    expect(DistributedBarrier.make({ parties: 2, lease: "1 second", onInterrupt: "break" }, store)).type.toBe<
      Effect.Effect<DistributedBarrier.DistributedBarrier<"s">>
    >()
    expect(DistributedBarrier.make).type.not.toBeCallableWith()
    expect(DistributedBarrier.make).type.not.toBeCallableWith({ lease: "1 second" })
    expect(DistributedBarrier.make).type.not.toBeCallableWith({ parties: 2, onInterrupt: "wait" })
    expect(layerParties).type.toBe<Layer.Layer<PartyStore.PartyStore, never, Redis>>()
  })

  it("as a service needs a store", () => {
    expect(Phases.layer).type.toBe<Layer.Layer<Phases, never, PartyStore.PartyStore>>()
    expect(Configured.layer).type.toBe<Layer.Layer<Configured, ConfigError.ConfigError, PartyStore.PartyStore>>()
    expect(Phases.wait("x")).type.toBe<Effect.Effect<number, Broken | Lost | Failed, Phases>>()
    expect(Phases.reset("x")).type.toBe<Effect.Effect<void, Failed, Phases>>()
    expect(Phases.abort("x")).type.toBe<Effect.Effect<void, Failed, Phases>>()
    expect(Phases.isBroken("x")).type.toBe<Effect.Effect<boolean, Failed, Phases>>()
    expect(Phases.stats).type.toBe<Effect.Effect<DistributedBarrier.Stats, never, Phases>>()
    expect(DistributedBarrier.Service<Phases>()).type.not.toBeCallableWith("app/None")
  })
})

describe("the facade", () => {
  const plain = new Promises.DistributedBarrier(Promises.partyStoreMemory(), { parties: 2, lease: 1000 })

  it("waits, and takes what ends a wait", () => {
    expect(plain.wait("x", { signal: AbortSignal.abort(), timeout: 5 })).type.toBe<Promise<number>>()
    expect(plain.reset("x")).type.toBe<Promise<void>>()
    expect(plain.isBroken("x")).type.toBe<Promise<boolean>>()
    expect(plain.stats()).type.toBe<Promises.PartyStats>()
    expect(Promises.DistributedBarrier).type.not.toBeConstructableWith(Promises.partyStoreMemory())
    expect(Promises.DistributedBarrier).type.not.toBeConstructableWith(Promises.partyStoreMemory(), {
      parties: 2,
      lease: "1 second"
    })
  })

  it("shares the barriers of an effect, whatever they fail with; not what is no barrier", () => {
    expect(Promises.DistributedBarrier.from(barrier)).type.toBe<Promises.DistributedBarrier>()
    expect(Promises.DistributedBarrier.from(ofStore)).type.toBe<Promises.DistributedBarrier>()
    expect(Promises.DistributedBarrier.from(plain)).type.toBe<Promises.DistributedBarrier>()
    expect(Promises.DistributedBarrier.from).type.not.toBeCallableWith(event)
  })

  it("has a store on Redis", () => {
    expect(Promises.DistributedBarrier).type.toBeConstructableWith(new PromiseRedis().parties, { parties: 2 })
    expect(Promises.DistributedBarrier).type.not.toBeConstructableWith(new PromiseRedis().latches, { parties: 2 })
  })
})
