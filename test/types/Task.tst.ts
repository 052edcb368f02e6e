import { Context, type Deferred, Effect, type Scope } from "effect"
import { Background, Task } from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { describe, expect, it } from "tstyche"

class Name extends Context.Tag("Name")<Name, string>() {}

describe("Task", () => {
  const effect = {} as Effect.Effect<number, "oops", Name>

  it("keeps the types of its effect, and adds its cancellation", () => {
    const task = {} as Task.Task<number, "oops">
    expect(Task.start(effect)).type.toBe<Effect.Effect<Task.Task<number, "oops">, never, Name>>()
    expect(Task.startScoped(effect)).type.toBe<Effect.Effect<Task.Task<number, "oops">, never, Name | Scope.Scope>>()
    expect(task.await).type.toBe<Effect.Effect<number, "oops" | Task.TaskCancelled>>()
    expect(task.onComplete(() => Name)).type.toBe<Effect.Effect<Task.Registration, never, Name>>()
    expect(task.onComplete(() => {})).type.toBe<Effect.Effect<Task.Registration>>()
    expect<Task.Task<1>>().type.toBeAssignableTo<Task.Task<number, string>>()
  })

  it("starts effects only", () => {
    expect(Task.start).type.not.toBeCallableWith(() => 1)
    expect(Task.start).type.not.toBeCallableWith(Promise.resolve(1))
  })
})

describe("Background", () => {
  it("is full only if it has a backlog", () => {
    expect(Background.makeUnsafe().start(Effect.void)).type.toBe<
      Effect.Effect<Task.Task<void>, Background.BackgroundClosed>
    >()
    expect(Background.makeUnsafe({ concurrency: 1, backlog: 1 }).fireAndForget(Effect.void)).type.toBe<
      Effect.Effect<void, Background.BackgroundClosed | Background.BackgroundFull>
    >()
    expect(Background.make({ onError: () => Name })).type.toBe<
      Effect.Effect<Background.Background, never, Name | Scope.Scope>
    >()
  })
})

describe("the facade", () => {
  it("wraps tasks, registries and deferred results", () => {
    expect(Promises.Task.from({} as Task.Task<number, string>)).type.toBe<Promises.Task<number>>()
    expect(Promises.Background.from).type.toBeCallableWith({} as Background.Background<Background.BackgroundFull>)
    const deferred = Task.shareDeferred({} as Deferred.Deferred<number, string>)
    expect(Promises.Deferred.from(deferred)).type.toBe<Promises.Deferred<number>>()
    expect(Promises.Deferred.from).type.not.toBeCallableWith({} as Deferred.Deferred<number>)
  })

  it("a task is awaited like a promise", () => {
    const task = new Promises.Task(async ({ signal }) => signal.aborted)
    expect(task).type.toBe<Promises.Task<boolean>>()
    expect(task).type.toBeAssignableTo<PromiseLike<boolean>>()
    expect<Awaited<typeof task>>().type.toBe<boolean>()
    expect(new Promises.Background().fireAndForget).type.toBeCallableWith(Promise.resolve(1))
    expect(new Promises.Background().start).type.not.toBeCallableWith(Promise.resolve(1))
  })
})
