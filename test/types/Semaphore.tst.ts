import { Config, type ConfigError, Effect, type Layer, type Option, type Scope } from "effect"
import { Semaphore } from "effect-concurrency"
import { describe, expect, it } from "tstyche"

declare const effect: Effect.Effect<"a", "e", "r">
declare const semaphore: Semaphore.Semaphore

class Slots extends Semaphore.Service<Slots>()("app/Slots", { permits: 5 }) {}

describe("Semaphore", () => {
  it("is an Effect.Semaphore", () => {
    expect(semaphore).type.toBeAssignableTo<Effect.Semaphore>()
    expect<Effect.Semaphore>().type.not.toBeAssignableTo<Semaphore.Semaphore>()
  })

  it("is made without error or requirement", () => {
    expect(Semaphore.make(1)).type.toBe<Effect.Effect<Semaphore.Semaphore>>()
    expect(Semaphore.make({ permits: 1, fairness: "throughput" })).type.toBe<Effect.Effect<Semaphore.Semaphore>>()
    expect(Semaphore.makeUnsafe(1)).type.toBe<Semaphore.Semaphore>()
  })

  it("keeps what an effect gives, fails with and requires", () => {
    expect(effect.pipe(semaphore.withPermit)).type.toBe<Effect.Effect<"a", "e", "r">>()
    expect(effect.pipe(semaphore.withPermits(2, { priority: 1 }))).type.toBe<Effect.Effect<"a", "e", "r">>()
    expect(effect.pipe(Semaphore.withPermit(semaphore))).type.toBe<Effect.Effect<"a", "e", "r">>()
    expect(Semaphore.withPermit(effect, semaphore)).type.toBe<Effect.Effect<"a", "e", "r">>()
    expect(effect.pipe(Semaphore.withPermits(semaphore, 2))).type.toBe<Effect.Effect<"a", "e", "r">>()
    expect(Semaphore.withPermits(effect, semaphore, 2)).type.toBe<Effect.Effect<"a", "e", "r">>()
  })

  it("gives an Option where it may not run", () => {
    type Maybe = Effect.Effect<Option.Option<"a">, "e", "r">
    expect(effect.pipe(semaphore.withPermitsIfAvailable(1))).type.toBe<Maybe>()
    expect(effect.pipe(Semaphore.withPermitsIfAvailable(semaphore, 1))).type.toBe<Maybe>()
    expect(Semaphore.withPermitsIfAvailable(effect, semaphore, 1)).type.toBe<Maybe>()
  })

  it("requires a scope where it holds until the end of one", () => {
    expect(semaphore.acquire(1)).type.toBe<Effect.Effect<void, never, Scope.Scope>>()
    expect(Effect.scoped(semaphore.acquire(1))).type.toBe<Effect.Effect<void>>()
  })

  it("has operations that cannot fail", () => {
    expect(semaphore.take(1)).type.toBe<Effect.Effect<number>>()
    expect(semaphore.tryTake(1)).type.toBe<Effect.Effect<boolean>>()
    expect(semaphore.release(1)).type.toBe<Effect.Effect<number>>()
    expect(semaphore.releaseAll).type.toBe<Effect.Effect<number>>()
    expect(semaphore.resize(1)).type.toBe<Effect.Effect<void>>()
    expect(semaphore.stats).type.toBe<Effect.Effect<Semaphore.Stats>>()
  })

  it("refuses misuse", () => {
    expect(Semaphore.make).type.not.toBeCallableWith("1")
    expect(Semaphore.make).type.not.toBeCallableWith()
    expect(Semaphore.make).type.not.toBeCallableWith({ fairness: "fifo" })
    expect(Semaphore.make).type.not.toBeCallableWith({ permits: 1, fairness: "lifo" })
    expect(Semaphore.make).type.not.toBeCallableWith({ permits: 1, limit: 2 })
    expect(semaphore.withPermits).type.not.toBeCallableWith(1, { prio: 1 })
    expect(semaphore.withPermit).type.not.toBeCallableWith(() => 1)
    expect(semaphore.withPermit).type.not.toBeCallableWith(Promise.resolve(1))
    expect(semaphore.take).type.not.toBeCallableWith("1")
    expect(semaphore.take).type.not.toBeCallableWith()
    expect(semaphore.release).type.not.toBeCallableWith()
    expect(Semaphore.take).type.not.toBeCallableWith(1, semaphore)
  })

  it("has a snapshot that nobody changes", () => {
    expect<Semaphore.Stats>().type.toBeAssignableTo<{ capacity: number; inUse: number; waiting: number }>()
    const change = (stats: Semaphore.Stats) => {
      // @ts-expect-error read-only
      stats.inUse = 0
    }
    expect(change).type.toBe<(stats: Semaphore.Stats) => void>()
  })
})

describe("Semaphore.Service", () => {
  it("adds itself to the requirements", () => {
    expect(effect.pipe(Slots.withPermit)).type.toBe<Effect.Effect<"a", "e", "r" | Slots>>()
    expect(effect.pipe(Slots.withPermits(2))).type.toBe<Effect.Effect<"a", "e", "r" | Slots>>()
    expect(effect.pipe(Slots.withPermitsIfAvailable(2))).type.toBe<
      Effect.Effect<Option.Option<"a">, "e", "r" | Slots>
    >()
    expect(Slots.take(1)).type.toBe<Effect.Effect<number, never, Slots>>()
    expect(Slots.acquire(1)).type.toBe<Effect.Effect<void, never, Slots | Scope.Scope>>()
    expect(Slots.stats).type.toBe<Effect.Effect<Semaphore.Stats, never, Slots>>()
  })

  it("is the semaphore when yielded", () => {
    const program = Effect.gen(function* () {
      return yield* Slots
    })
    expect(program).type.toBe<Effect.Effect<Semaphore.Semaphore, never, Slots>>()
  })

  it("is provided by its layer", () => {
    expect(Slots.layer).type.toBe<Layer.Layer<Slots>>()
    expect(effect.pipe(Slots.withPermit, Effect.provide(Slots.layer))).type.toBe<Effect.Effect<"a", "e", "r">>()
  })

  it("puts the error of its options into the layer", () => {
    const config = Config.map(Config.integer("SLOTS"), (permits) => ({ permits }))
    expect(config).type.toBeAssignableTo<Config.Config<Semaphore.Options>>()
    class Configured extends Semaphore.Service<Configured>()("app/Configured", config) {}
    expect(Configured.layer).type.toBe<Layer.Layer<Configured, ConfigError.ConfigError>>()
    expect(effect.pipe(Configured.withPermit)).type.toBe<Effect.Effect<"a", "e", "r" | Configured>>()

    class Limits extends Effect.Service<Limits>()("app/Limits", { succeed: { permits: 3 } }) {}
    class Effectful extends Semaphore.Service<Effectful>()("app/Effectful", Limits) {}
    expect(Effectful.layer).type.toBe<Layer.Layer<Effectful, never, Limits>>()
  })

  it("differs from another service of the same kind", () => {
    class Others extends Semaphore.Service<Others>()("app/Others", { permits: 1 }) {}
    const program = Effect.succeed(1).pipe(Others.withPermit, Effect.provide(Slots.layer))
    expect(program).type.toBe<Effect.Effect<number, never, Others>>()
  })

  it("refuses misuse", () => {
    expect(Semaphore.Service<Slots>()).type.not.toBeCallableWith("app/Slots")
    expect(Semaphore.Service<Slots>()).type.not.toBeCallableWith("app/Slots", { permits: "5" })
    expect(Slots.withPermit).type.not.toBeCallableWith(1)
    expect(Slots.take).type.not.toBeCallableWith("1")
  })
})
