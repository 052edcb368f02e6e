import { Effect, type Fiber } from "effect"
import { Explore } from "effect-concurrency/testing"
import { describe, expect, it } from "tstyche"

declare const needy: Effect.Effect<"a", "e", "r">
declare const closed: Effect.Effect<"a", "e">
declare const tasks: Explore.Tasks
declare const runner: ((name: string, test: () => Promise<unknown>, timeout?: number) => void) & {
  readonly only: "only"
}

describe("a scenario", () => {
  it("is an effect without requirements, or a function that is given tasks", () => {
    expect(Explore.check).type.toBeCallableWith(closed)
    expect(Explore.check).type.toBeCallableWith(Effect.void)
    expect(Explore.check).type.toBeCallableWith(async () => 1)
    expect(Explore.check).type.toBeCallableWith(({ spawn }: Explore.Tasks) => spawn("a", () => 1))
    expect(Explore.check(closed)).type.toBe<Promise<Explore.Report>>()
    expect(Explore.report(closed)).type.toBe<Promise<Explore.Report>>()
    expect(Explore.interruptEverywhere(closed)).type.toBe<Promise<Explore.Report>>()
    expect(Explore.replay(closed, "aggressive")).type.toBe<Promise<Explore.Replay>>()
  })

  it("is no effect that requires something, no promise, and no function that gives none", () => {
    expect(Explore.check).type.not.toBeCallableWith(needy)
    expect(Explore.report).type.not.toBeCallableWith(needy)
    expect(Explore.interruptEverywhere).type.not.toBeCallableWith(needy)
    expect(Explore.replay).type.not.toBeCallableWith(needy, "aggressive")
    expect(Explore.check).type.not.toBeCallableWith(Promise.resolve(1))
    expect(Explore.check).type.not.toBeCallableWith(() => 1)
    expect(Explore.check).type.not.toBeCallableWith(() => closed)
  })
})

describe("options", () => {
  it("are all optional, and may be undefined", () => {
    expect(Explore.check).type.toBeCallableWith(closed, {})
    expect(Explore.check).type.toBeCallableWith(closed, { bound: undefined })
    expect(Explore.check).type.toBeCallableWith(closed, {
      model: "elastic",
      bound: 2,
      interrupt: ["a"],
      strategy: "fastCheck",
      runs: 1,
      time: 1,
      seed: 1,
      promises: true,
      operations: 1
    })
    expect(Explore.interruptEverywhere).type.toBeCallableWith(closed, { model: "taskOrder" })
    expect(Explore.replay).type.toBeCallableWith(closed, "aggressive", { operations: 1 })
  })

  it("are known", () => {
    expect(Explore.check).type.not.toBeCallableWith(closed, { bounds: 2 })
    expect(Explore.check).type.not.toBeCallableWith(closed, { model: "paranoid" })
    expect(Explore.check).type.not.toBeCallableWith(closed, { strategy: "best" })
    expect(Explore.check).type.not.toBeCallableWith(closed, { interrupt: "a" })
    expect(Explore.replay).type.not.toBeCallableWith(closed, "aggressive", { bound: 1 })
  })
})

describe("within a scenario", () => {
  it("fork keeps what an effect gives, fails with and requires", () => {
    expect(Explore.fork("name", needy)).type.toBe<Effect.Effect<Fiber.RuntimeFiber<"a", "e">, never, "r">>()
    expect(Explore.step("label")).type.toBe<Effect.Effect<void>>()
    expect(Explore.work).type.toBe<Effect.Effect<void>>()
    expect(Explore.fork).type.not.toBeCallableWith(needy)
  })

  it("tasks give their results", () => {
    expect(tasks.spawn("a", async () => 1)).type.toBe<Promise<number>>()
    expect(tasks.spawn("a", ({ step }) => step("label"))).type.toBe<Promise<void>>()
    expect(tasks.fork("a", closed)).type.toBe<Promise<"a">>()
    expect(tasks.fork).type.not.toBeCallableWith("a", needy)
    expect<Explore.Task["signal"]>().type.toBe<AbortSignal>()
  })
})

describe("a report", () => {
  it("has a finding or none", () => {
    expect<Explore.Report["finding"]>().type.toBe<Explore.Finding | undefined>()
    expect<Explore.Finding>().type.toBeAssignableTo<Error>()
    expect<Explore.Finding["kind"]>().type.toBe<"failure" | "deadlock" | "livelock" | "nondeterminism">()
  })
})

describe("Explore.extend", () => {
  it("keeps what the test function had", () => {
    const it = Explore.extend(runner)
    expect(it.only).type.toBe<"only">()
    expect(it.explore).type.toBeCallableWith("name", closed)
    expect(it.explore).type.toBeCallableWith("name", async () => 1, { bound: 2 })
    expect(it.explore).type.not.toBeCallableWith("name", needy)
    expect(Explore.extend).type.not.toBeCallableWith("it")
  })
})
