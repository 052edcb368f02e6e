import { Config, type ConfigError, Effect, type Layer } from "effect"
import { Barrier, Condition, Event, type Mutex } from "effect-concurrency"
import { describe, expect, it } from "tstyche"

declare const effect: Effect.Effect<"a", "e", "r">
declare const mutex: Mutex.Mutex

describe("Event", () => {
  class Started extends Event.Service<Started>()("app/Started") {}

  it("has operations that cannot fail", () => {
    const event = Event.makeUnsafe()
    expect(Event.make()).type.toBe<Effect.Effect<Event.Event>>()
    expect(event.wait).type.toBe<Effect.Effect<void>>()
    expect(event.set).type.toBe<Effect.Effect<void>>()
    expect(event.clear).type.toBe<Effect.Effect<void>>()
    expect(event.pulse).type.toBe<Effect.Effect<void>>()
    expect(event.isSet).type.toBe<Effect.Effect<boolean>>()
    expect(Event.wait(event)).type.toBe<Effect.Effect<void>>()
  })

  it("is a service", () => {
    expect(Started.wait).type.toBe<Effect.Effect<void, never, Started>>()
    expect(Started.layer).type.toBe<Layer.Layer<Started>>()
  })
})

describe("Condition", () => {
  const condition = Condition.makeUnsafe()
  class Changed extends Condition.Service<Changed>()("app/Changed") {}

  it("is made with a mutex or with its own", () => {
    expect(Condition.make()).type.toBe<Effect.Effect<Condition.Condition>>()
    expect(Condition.make(mutex)).type.toBe<Effect.Effect<Condition.Condition>>()
    expect(Condition.make).type.not.toBeCallableWith(Effect.unsafeMakeSemaphore(1))
    expect(Condition.make).type.not.toBeCallableWith({})
  })

  it("fails with and requires what its predicate does", () => {
    expect(condition.wait).type.toBe<Effect.Effect<void>>()
    expect(condition.waitFor(() => true)).type.toBe<Effect.Effect<void>>()
    const predicate: Effect.Effect<boolean, "e", "r"> = Effect.succeed(true)
    expect(condition.waitFor(predicate)).type.toBe<Effect.Effect<void, "e", "r">>()
    expect(condition.waitFor).type.not.toBeCallableWith(true)
    expect(condition.waitFor).type.not.toBeCallableWith(() => "yes")
    expect(condition.waitFor).type.not.toBeCallableWith(Effect.succeed("yes"))
  })

  it("keeps what an effect gives, fails with and requires", () => {
    expect(effect.pipe(condition.withLock)).type.toBe<Effect.Effect<"a", "e", "r">>()
    expect(effect.pipe(Changed.withLock)).type.toBe<Effect.Effect<"a", "e", "r" | Changed>>()
    expect(Changed.notify(2)).type.toBe<Effect.Effect<void, never, Changed>>()
    expect(Changed.notifyAll).type.toBe<Effect.Effect<void, never, Changed>>()
    expect(condition.notify).type.not.toBeCallableWith("1")
  })
})

describe("Barrier", () => {
  it("fails with BrokenBarrier and what its action fails with", () => {
    expect(Barrier.make(2)).type.toBe<Effect.Effect<Barrier.Barrier>>()
    expect(Barrier.makeUnsafe(2).await).type.toBe<Effect.Effect<number, Barrier.BrokenBarrier>>()
    const action: Effect.Effect<void, "e", "r"> = Effect.void
    const made = Barrier.make(2, { action })
    expect(made).type.toBe<Effect.Effect<Barrier.Barrier<"e">, never, "r">>()
    expect<Barrier.Barrier<"e">>().type.not.toBeAssignableTo<Barrier.Barrier>()
    expect(Effect.flatMap(made, Barrier.await)).type.toBe<Effect.Effect<number, Barrier.BrokenBarrier | "e", "r">>()
  })

  it("has an error that is caught by its tag", () => {
    const caught = Barrier.makeUnsafe(2).await.pipe(Effect.catchTag("BrokenBarrier", () => Effect.succeed("broken")))
    expect(caught).type.toBe<Effect.Effect<number | string>>()
  })

  it("is a service", () => {
    class Phase extends Barrier.Service<Phase>()("app/Phase", { parties: 2 }) {}
    expect(Phase.await).type.toBe<Effect.Effect<number, Barrier.BrokenBarrier, Phase>>()
    expect(Phase.layer).type.toBe<Layer.Layer<Phase>>()
    const config = Config.map(Config.integer("PARTIES"), (parties) => ({ parties }))
    class Configured extends Barrier.Service<Configured>()("app/Configured", config) {}
    expect(Configured.layer).type.toBe<Layer.Layer<Configured, ConfigError.ConfigError>>()
  })

  it("refuses misuse", () => {
    expect(Barrier.make).type.not.toBeCallableWith()
    expect(Barrier.make).type.not.toBeCallableWith("2")
    expect(Barrier.make).type.not.toBeCallableWith(2, { onInterrupt: "ignore" })
    expect(Barrier.make).type.not.toBeCallableWith(2, { action: () => 1 })
    expect(Barrier.makeUnsafe).type.not.toBeCallableWith(2, { action: Effect.void as Effect.Effect<void, never, "r"> })
  })
})
