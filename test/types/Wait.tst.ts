import type { Effect, Exit, Fiber, Stream } from "effect"
import { type Task, Wait } from "effect-concurrency"
import { Wait as Promises } from "effect-concurrency/promise"
import { describe, expect, it } from "tstyche"

declare const a: Effect.Effect<"a", "e1", "r1">
declare const b: Effect.Effect<2, "e2", "r2">
declare const fiber: Fiber.RuntimeFiber<"f", "e">
declare const task: Task.Task<3, "e3">

describe("Wait", () => {
  it("keeps what effects give, fail with and require", () => {
    expect(Wait.firstCompleted([a, b])).type.toBe<Effect.Effect<"a" | 2, "e1" | "e2", "r1" | "r2">>()
    expect(Wait.firstSuccess([a, b])).type.toBe<Effect.Effect<"a" | 2, Wait.TooManyFailed<"e1" | "e2">, "r1" | "r2">>()
    expect(Wait.firstN([a, b], 2)).type.toBe<
      Effect.Effect<Array<"a" | 2>, Wait.TooManyFailed<"e1" | "e2">, "r1" | "r2">
    >()
    expect(Wait.staggered([a, b], "1 second")).type.toBe<
      Effect.Effect<"a" | 2, Wait.TooManyFailed<"e1" | "e2">, "r1" | "r2">
    >()
    expect(Wait.asCompleted([a, b])).type.toBe<
      Stream.Stream<Wait.Completed<"a" | 2, "e1" | "e2">, never, "r1" | "r2">
    >()
  })

  it("all gives a tuple of a tuple, and an array of any other iterable", () => {
    expect(Wait.all([a, b])).type.toBe<Effect.Effect<["a", 2], "e1" | "e2", "r1" | "r2">>()
    expect(Wait.all(new Set([a]))).type.toBe<Effect.Effect<Array<"a">, "e1", "r1">>()
  })

  it("hedge is dual", () => {
    expect(Wait.hedge(a, { after: 5 })).type.toBe<Effect.Effect<"a", Wait.TooManyFailed<"e1">, "r1">>()
    expect(a.pipe(Wait.hedge({ after: "5 millis", max: 3 }))).type.toBe<
      Effect.Effect<"a", Wait.TooManyFailed<"e1">, "r1">
    >()
    expect(Wait.hedge).type.not.toBeCallableWith(a, { max: 3 })
  })

  it("withIndex gives the winner with its place; only true does", () => {
    const options = { withIndex: true } as const
    type Failed = Wait.TooManyFailed<"e1" | "e2">
    expect(Wait.firstCompleted([a, b], options)).type.toBe<
      Effect.Effect<Wait.Winner<"a" | 2>, "e1" | "e2", "r1" | "r2">
    >()
    expect(Wait.firstSuccess([a, b], options)).type.toBe<Effect.Effect<Wait.Winner<"a" | 2>, Failed, "r1" | "r2">>()
    expect(Wait.firstN([a, b], 2, options)).type.toBe<Effect.Effect<Array<Wait.Winner<"a" | 2>>, Failed, "r1" | "r2">>()
    expect(Wait.staggered([a, b], 5, options)).type.toBe<Effect.Effect<Wait.Winner<"a" | 2>, Failed, "r1" | "r2">>()
    expect(Wait.hedge(a, { after: 5, withIndex: true })).type.toBe<
      Effect.Effect<Wait.Winner<"a">, Wait.TooManyFailed<"e1">, "r1">
    >()
    expect(a.pipe(Wait.hedge({ after: 5, withIndex: true }))).type.toBe<
      Effect.Effect<Wait.Winner<"a">, Wait.TooManyFailed<"e1">, "r1">
    >()
    expect(Wait.firstCompleted([a], { withIndex: false })).type.toBe<Effect.Effect<"a", "e1", "r1">>()
    expect(Wait.firstCompleted([a], { withIndex: true as boolean })).type.toBe<
      Effect.Effect<"a" | Wait.Winner<"a">, "e1", "r1">
    >()
    expect(Wait.all).type.not.toBeCallableWith([a], { withIndex: true })
    expect(Wait.asCompleted).type.not.toBeCallableWith([a], { withIndex: true })
  })

  it("wait takes what runs, and gives the same back", () => {
    expect(Wait.wait([fiber])).type.toBe<Effect.Effect<Wait.Waited<Fiber.RuntimeFiber<"f", "e">>>>()
    expect(Wait.wait).type.not.toBeCallableWith([a])
    expect(Wait.wait).type.not.toBeCallableWith([fiber], { until: "first" })
    expect<Wait.Completed<1, 2>["exit"]>().type.toBe<Exit.Exit<1, 2>>()
  })

  it("takes tasks beside effects and fibers; one that was cancelled fails", () => {
    type Cancelled = Task.TaskCancelled
    expect(Wait.firstCompleted([task])).type.toBe<Effect.Effect<3, "e3" | Cancelled>>()
    expect(Wait.firstCompleted([a, task, fiber])).type.toBe<
      Effect.Effect<"a" | 3 | "f", "e1" | "e3" | "e" | Cancelled, "r1">
    >()
    expect(Wait.firstSuccess([a, task])).type.toBe<
      Effect.Effect<"a" | 3, Wait.TooManyFailed<"e1" | "e3" | Cancelled>, "r1">
    >()
    expect(Wait.all([a, task])).type.toBe<Effect.Effect<["a", 3], "e1" | "e3" | Cancelled, "r1">>()
    expect(Wait.asCompleted([a, task])).type.toBe<
      Stream.Stream<Wait.Completed<"a" | 3, "e1" | "e3" | Cancelled>, never, "r1">
    >()
    expect(Wait.wait([task])).type.toBe<Effect.Effect<Wait.Waited<Task.Task<3, "e3">>>>()
    expect(Wait.wait([task, fiber])).type.toBe<
      Effect.Effect<Wait.Waited<Task.Task<3, "e3"> | Fiber.RuntimeFiber<"f", "e">>>
    >()
    expect(Wait.hedge).type.not.toBeCallableWith(task, { after: 5 })
  })

  it("refuses misuse", () => {
    expect(Wait.firstCompleted).type.not.toBeCallableWith([Promise.resolve(1)])
    expect(Wait.firstCompleted).type.not.toBeCallableWith([a], { losers: "drop" })
    expect(Wait.firstN).type.not.toBeCallableWith([a])
  })
})

declare const f: (call: Promises.Call) => Promise<"f">
declare const g: () => 2
declare const promise: Promise<true>

describe("Wait for promises", () => {
  it("gives what functions and promises come to", () => {
    expect(Promises.firstCompleted([f, g, promise])).type.toBe<Promise<"f" | 2 | true>>()
    expect(Promises.firstSuccess([f, g])).type.toBe<Promise<"f" | 2>>()
    expect(Promises.firstN([f, g], 1)).type.toBe<Promise<Array<"f" | 2>>>()
    expect(Promises.all([f, g, promise])).type.toBe<Promise<["f", 2, true]>>()
    expect(Promises.staggered([f], 5)).type.toBe<Promise<"f">>()
    expect(Promises.hedge(f, { after: 5 })).type.toBe<Promise<"f">>()
    expect(Promises.asCompleted([f, promise])).type.toBeAssignableTo<AsyncIterable<Promises.Completed<"f" | true>>>()
  })

  it("withIndex gives the winner with its place", () => {
    const options = { withIndex: true } as const
    expect(Promises.firstCompleted([f, promise], options)).type.toBe<Promise<Promises.Winner<"f" | true>>>()
    expect(Promises.firstSuccess([f, g], options)).type.toBe<Promise<Promises.Winner<"f" | 2>>>()
    expect(Promises.firstN([f, g], 1, options)).type.toBe<Promise<Array<Promises.Winner<"f" | 2>>>>()
    expect(Promises.staggered([f], 5, options)).type.toBe<Promise<Promises.Winner<"f">>>()
    expect(Promises.hedge(f, { after: 5, withIndex: true })).type.toBe<Promise<Promises.Winner<"f">>>()
    expect(Promises.firstSuccess([f], { withIndex: true as boolean })).type.toBe<Promise<"f" | Promises.Winner<"f">>>()
  })

  it("wait takes promises, and gives the same back", () => {
    expect(Promises.wait([promise])).type.toBe<Promise<Promises.Waited<Promise<true>>>>()
    expect(Promises.wait).type.not.toBeCallableWith([f])
  })

  it("refuses misuse", () => {
    expect(Promises.firstCompleted).type.not.toBeCallableWith([5])
    expect(Promises.firstCompleted).type.not.toBeCallableWith([f], { ms: 5 })
    expect(Promises.staggered).type.not.toBeCallableWith([promise], 5)
    expect(Promises.hedge).type.not.toBeCallableWith(f)
  })
})
