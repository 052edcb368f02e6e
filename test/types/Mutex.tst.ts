import { Effect, type Layer, type Option, type Scope } from "effect"
import { Mutex } from "effect-concurrency"
import { describe, expect, it } from "tstyche"

declare const effect: Effect.Effect<"a", "e", "r">
declare const mutex: Mutex.Mutex

class Lock extends Mutex.Service<Lock>()("app/Lock") {}

describe("Mutex", () => {
  it("keeps what an effect gives, fails with and requires", () => {
    expect(Mutex.make()).type.toBe<Effect.Effect<Mutex.Mutex>>()
    expect(effect.pipe(mutex.withLock)).type.toBe<Effect.Effect<"a", "e", "r">>()
    expect(effect.pipe(mutex.withLockPriority(1))).type.toBe<Effect.Effect<"a", "e", "r">>()
    expect(effect.pipe(Mutex.withLock(mutex))).type.toBe<Effect.Effect<"a", "e", "r">>()
    expect(Mutex.withLock(effect, mutex)).type.toBe<Effect.Effect<"a", "e", "r">>()
    expect(Mutex.withLockPriority(effect, mutex, 1)).type.toBe<Effect.Effect<"a", "e", "r">>()
    expect(effect.pipe(mutex.withLockIfAvailable)).type.toBe<Effect.Effect<Option.Option<"a">, "e", "r">>()
    expect(mutex.acquire({ priority: 1 })).type.toBe<Effect.Effect<void, never, Scope.Scope>>()
    expect(mutex.isLocked).type.toBe<Effect.Effect<boolean>>()
  })

  it("is no semaphore: nobody takes two, or resizes it", () => {
    expect(mutex).type.not.toBeAssignableTo<Effect.Semaphore>()
    expect(mutex).type.not.toHaveProperty("resize")
    expect(mutex).type.not.toHaveProperty("release")
  })

  it("refuses misuse", () => {
    expect(Mutex.make).type.not.toBeCallableWith(1)
    expect(mutex.withLock).type.not.toBeCallableWith(() => 1)
    expect(mutex.withLock).type.not.toBeCallableWith(1)
    expect(mutex.withLock).type.not.toBeCallableWith(Promise.resolve(1))
    expect(mutex.withLockPriority).type.not.toBeCallableWith("high")
    expect(mutex.acquire).type.not.toBeCallableWith({ prio: 1 })
  })
})

describe("Mutex.Service", () => {
  it("adds itself to the requirements until its layer is provided", () => {
    expect(effect.pipe(Lock.withLock)).type.toBe<Effect.Effect<"a", "e", "r" | Lock>>()
    expect(effect.pipe(Lock.withLockIfAvailable)).type.toBe<Effect.Effect<Option.Option<"a">, "e", "r" | Lock>>()
    expect(Lock.acquire()).type.toBe<Effect.Effect<void, never, Lock | Scope.Scope>>()
    expect(Lock.isLocked).type.toBe<Effect.Effect<boolean, never, Lock>>()
    expect(Lock.layer).type.toBe<Layer.Layer<Lock>>()
    expect(effect.pipe(Lock.withLock, Effect.provide(Lock.layer))).type.toBe<Effect.Effect<"a", "e", "r">>()
  })

  it("has no options", () => {
    expect(Mutex.Service<Lock>()).type.not.toBeCallableWith("app/Lock", { permits: 2 })
  })
})
