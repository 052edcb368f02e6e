import { Effect, type Fiber, type Layer, type Scope } from "effect"
import { TaskGroup } from "effect-concurrency"
import { taskGroup } from "effect-concurrency/promise"
import { describe, expect, it } from "tstyche"

declare const effect: Effect.Effect<"a", "e", "r">
declare const group: TaskGroup.TaskGroup<"e" | "f">
declare const scoped: TaskGroup.Scoped<"e">

describe("TaskGroup", () => {
  it("a task keeps what it gives, fails with and requires; the group says what it may fail with", () => {
    expect(group.start(effect)).type.toBe<Effect.Effect<Fiber.Fiber<"a", "e">, never, "r">>()
    expect(group.start).type.not.toBeCallableWith(Effect.fail("g"))
    expect(group.start).type.not.toBeCallableWith(() => effect)
  })

  it("run fails with an error of the body, of a task, or with several", () => {
    expect(TaskGroup.run((group: TaskGroup.TaskGroup<"t">) => Effect.zipRight(group.cancel, effect))).type.toBe<
      Effect.Effect<"a", "e" | "t" | TaskGroup.TaskGroupError<"e" | "t">, "r">
    >()
  })

  it("without a word about its errors, its tasks have none", () => {
    const run = TaskGroup.run((group) => {
      expect(group).type.toBe<TaskGroup.TaskGroup>()
      return Effect.void
    })
    expect(run).type.toBe<Effect.Effect<void>>()
  })

  it("only one with a scope is joined", () => {
    expect(TaskGroup.make<"e">()).type.toBe<Effect.Effect<TaskGroup.Scoped<"e">, never, Scope.Scope>>()
    expect(group).type.not.toHaveProperty("join")
  })

  it("only in one with a scope can a start come too late", () => {
    expect(scoped.start(effect)).type.toBe<Effect.Effect<Fiber.Fiber<"a", "e">, TaskGroup.TaskGroupClosed, "r">>()
    expect(scoped).type.toBeAssignableTo<TaskGroup.TaskGroup<"e", TaskGroup.TaskGroupClosed>>()
    expect(scoped).type.not.toBeAssignableTo<TaskGroup.TaskGroup<"e">>()
  })
})

describe("TaskGroup.Service", () => {
  class Tasks extends TaskGroup.Service<Tasks, "e" | "f">()("app/Tasks") {}
  class Sure extends TaskGroup.Service<Sure>()("app/Sure") {}

  it("says what its tasks may fail with, and requires the service", () => {
    expect(Tasks.start(effect)).type.toBe<
      Effect.Effect<Fiber.Fiber<"a", "e">, TaskGroup.TaskGroupClosed, "r" | Tasks>
    >()
    expect(Tasks.join).type.toBe<Effect.Effect<void, "e" | "f" | TaskGroup.TaskGroupError<"e" | "f">, Tasks>>()
    expect(Tasks.layer).type.toBe<Layer.Layer<Tasks>>()
  })

  it("without a word about its errors, its tasks have none", () => {
    expect(Sure.join).type.toBe<Effect.Effect<void, never, Sure>>()
    expect(Sure.start).type.not.toBeCallableWith(effect)
  })
})

describe("taskGroup", () => {
  it("gives what its function gives", () => {
    expect(taskGroup(async (group) => group.start(() => 5))).type.toBe<Promise<number>>()
  })
})
