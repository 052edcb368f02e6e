import { Context, Effect, type Option } from "effect"
import { Background, type Task } from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { describe, expect, it } from "tstyche"

class Name extends Context.Tag("Name")<Name, string>() {}

describe("Background", () => {
  const effect = {} as Effect.Effect<number, "oops", Name>
  const bounded = Background.makeUnsafe({ concurrency: 1, backlog: 1 })
  const unbounded = Background.makeUnsafe()

  it("tries to start without an error", () => {
    expect(bounded.tryStart(effect)).type.toBe<Effect.Effect<Option.Option<Task.Task<number, "oops">>, never, Name>>()
    expect(Background.tryStart(unbounded, Effect.void)).type.toBe<Effect.Effect<Option.Option<Task.Task<void>>>>()
  })

  it("runs with the errors of the work, of its cancellation, and of a refusal", () => {
    type Cancelled = Task.TaskCancelled | Background.BackgroundClosed
    expect(unbounded.run(effect)).type.toBe<Effect.Effect<number, "oops" | Cancelled, Name>>()
    expect(Background.run(bounded, effect)).type.toBe<
      Effect.Effect<number, "oops" | Cancelled | Background.BackgroundFull, Name>
    >()
  })

  it("is a service with the same operations", () => {
    class Jobs extends Background.Service<Jobs>()("Jobs") {}
    expect(Jobs.tryStart(Effect.void)).type.toBe<Effect.Effect<Option.Option<Task.Task<void>>, never, Jobs>>()
    expect(Jobs.run(Effect.succeed(1))).type.toBe<
      Effect.Effect<number, Task.TaskCancelled | Background.BackgroundClosed, Jobs>
    >()
  })

  it("describes what it reports, on each side its own", () => {
    expect(Background.describe).type.toBeCallableWith({} as Background.Unhandled)
    expect(Background.describe).type.not.toBeCallableWith({} as Promises.Unhandled)
    expect(Promises.Background.describe).type.toBeCallableWith({} as Promises.Unhandled)
  })
})

describe("the facade's Background", () => {
  const background = new Promises.Background()

  it("runs, and tries to start", () => {
    expect(background.run(() => 1)).type.toBe<Promise<number>>()
    expect(background.run(async ({ signal }) => signal.aborted)).type.toBe<Promise<boolean>>()
    expect(background.tryStart(async () => 1)).type.toBe<Promises.Task<number> | undefined>()
    expect(background.run).type.not.toBeCallableWith(Promise.resolve(1))
    expect(background.tryStart).type.not.toBeCallableWith(Promise.resolve(1))
  })
})
