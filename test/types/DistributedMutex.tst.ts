import type { Config, ConfigError, Effect, Layer, Option, Scope } from "effect"
import { DistributedMutex, DistributedSemaphore, type Lease, type LeaseStore } from "effect-concurrency/distributed"
import * as Promises from "effect-concurrency/promise/distributed"
import { describe, expect, it } from "tstyche"

declare const effect: Effect.Effect<"a", "e", "r">
declare const mutex: DistributedMutex.DistributedMutex
declare const semaphore: DistributedSemaphore.DistributedSemaphore<"s">
declare const store: LeaseStore.LeaseStoreShape<"s">
declare const config: Config.Config<{ lease: number }>

class Locks extends DistributedMutex.Service<Locks>()("app/Locks") {}
class Configured extends DistributedMutex.Service<Configured>()("app/Configured", config) {}
class Permits extends DistributedSemaphore.Service<Permits>()("app/Permits", { limit: 2 }) {}

type Lost = DistributedMutex.LeaseLost
type Failed = DistributedMutex.StoreError

describe("DistributedMutex", () => {
  it("can lose what memory cannot, and says so", () => {
    expect(effect.pipe(mutex.withLock("x"))).type.toBe<Effect.Effect<"a", "e" | Lost | Failed, "r">>()
    expect(mutex.withLock("x", (lease) => (expect(lease).type.toBe<DistributedMutex.Lease>(), effect))).type.toBe<
      Effect.Effect<"a", "e" | Lost | Failed, "r">
    >()
    expect(effect.pipe(mutex.withLockIfAvailable("x"))).type.toBe<
      Effect.Effect<Option.Option<"a">, "e" | Lost | Failed, "r">
    >()
    expect(mutex.acquire("x")).type.toBe<Effect.Effect<DistributedMutex.Lease, Failed, Scope.Scope>>()
    expect(mutex.tryAcquire("x")).type.toBe<Effect.Effect<Option.Option<DistributedMutex.Lease>, Failed, Scope.Scope>>()
    expect(effect.pipe(DistributedMutex.withLock(mutex, "x"))).type.toBe<Effect.Effect<"a", "e" | Lost | Failed, "r">>()
  })

  it("fails as its store does", () => {
    expect(DistributedMutex.make()).type.toBe<
      Effect.Effect<DistributedMutex.DistributedMutex, never, LeaseStore.LeaseStore>
    >()
    expect(DistributedMutex.make({}, store)).type.toBe<Effect.Effect<DistributedMutex.DistributedMutex<"s">>>()
    expect(effect.pipe(semaphore.withPermits("x", 2))).type.toBe<Effect.Effect<"a", "e" | "s" | Lost, "r">>()
    expect(semaphore.acquire("x", 2)).type.toBe<Effect.Effect<DistributedSemaphore.Lease, "s", Scope.Scope>>()
  })

  it("as a service needs a store", () => {
    expect(Locks.layer).type.toBe<Layer.Layer<Locks, never, LeaseStore.LeaseStore>>()
    expect(Configured.layer).type.toBe<Layer.Layer<Configured, ConfigError.ConfigError, LeaseStore.LeaseStore>>()
    expect(effect.pipe(Locks.withLock("x"))).type.toBe<Effect.Effect<"a", "e" | Lost | Failed, "r" | Locks>>()
    expect(Permits.withPermits("x", 2, () => effect)).type.toBe<
      Effect.Effect<"a", "e" | Lost | Failed, "r" | Permits>
    >()
    expect(DistributedSemaphore.make).type.not.toBeCallableWith({})
  })

  it("a lease tells of its loss", () => {
    expect<Lease.Lease["lost"]>().type.toBe<Effect.Effect<never, Lost>>()
    expect<Lease.Lease["check"]>().type.toBe<Effect.Effect<void, Lost>>()
  })
})

describe("the facade", () => {
  const plain = new Promises.DistributedMutex(Promises.leaseStoreMemory())

  it("gives what the function gives", () => {
    expect(plain.run("x", ({ signal, token }) => [signal, token] as const)).type.toBe<
      Promise<readonly [AbortSignal, number]>
    >()
    expect(plain.runIfAvailable("x", async () => 1)).type.toBe<Promise<number | undefined>>()
    expect(plain.acquire("x", { timeout: 5 })).type.toBe<Promise<Promises.DistributedLease>>()
    expect(Promises.DistributedMutex.from(mutex)).type.toBe<Promises.DistributedMutex>()
    expect(Promises.DistributedMutex.from).type.not.toBeCallableWith(semaphore)
  })
})
