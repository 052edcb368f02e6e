import type { Effect } from "effect"
import { Executor as Plain, type ExecutorCall, type ExecutorStats, type Task } from "effect-concurrency/promise"
import { describe, expect, it } from "tstyche"

class NotFound extends Error {}

/** What a module exports, as `typeof import("./module.js")` has it. */
interface Exports {
  readonly sha256: (bytes: Uint8Array, rounds?: number) => string
  readonly load: (path: string) => Promise<ReadonlyArray<number>>
  readonly divide: (a: number, b: number) => Effect.Effect<number, NotFound>
  readonly query: (id: string) => Effect.Effect<number, never, "database">
  readonly version: string
}

declare const plain: Plain
const exported = Plain.module<Exports>("file:///exports.js", { errors: [NotFound] })

describe("Executor (promise)", () => {
  it("takes the arguments of the function, and gives what it gives: of a promise and of an effect, the result", () => {
    expect(plain.run(exported.sha256, new Uint8Array())).type.toBe<Promise<string>>()
    expect(plain.run(exported.sha256, new Uint8Array(), 2)).type.toBe<Promise<string>>()
    expect(plain.run(exported.load, "a")).type.toBe<Promise<ReadonlyArray<number>>>()
    expect(plain.tryRun(exported.divide, 1, 2)).type.toBe<Promise<number>>()
    expect(plain.start(exported.load, "a")).type.toBe<Promise<{ readonly task: Task<ReadonlyArray<number>> }>>()
    expect(exported.load).type.toBeAssignableTo<ExecutorCall<[string], ReadonlyArray<number>>>()
  })

  it("refuses other arguments, and what is no function of a module", () => {
    expect(plain.run).type.not.toBeCallableWith(exported.sha256, "text")
    expect(plain.run).type.not.toBeCallableWith(exported.sha256)
    expect(plain.run).type.not.toBeCallableWith(exported.load, "a", { signal: undefined })
    expect(plain.run).type.not.toBeCallableWith(() => 1)
    expect(exported).type.not.toHaveProperty("version")
    expect(exported).type.not.toHaveProperty("query")
    expect(exported).type.not.toHaveProperty("nothing")
  })

  it("says beforehand what else there is to say of a job", () => {
    const { signal } = new AbortController()
    expect(plain.with({ signal, timeout: 5, priority: 1, context: { trace: 1 } }).run(exported.load, "a")).type.toBe<
      Promise<ReadonlyArray<number>>
    >()
    expect(plain.with).type.not.toBeCallableWith({ deadline: 5 })
  })

  it("runs a lone function with its arguments", () => {
    expect(plain.toThread((a: number, b: string) => a + b, 1, "b")).type.toBe<Promise<string>>()
    expect(Plain.toThread(async (a: number) => a, 1)).type.toBe<Promise<number>>()
    expect(Plain.toThread((n: number) => n, 1)).type.toBe<Promise<number>>()
  })

  it("binds a function for a worker's start", () => {
    expect(new Plain({ init: Plain.bind(exported.load, "a") })).type.toBe<Plain>()
    expect(Plain.bind).type.not.toBeCallableWith(exported.load, 5)
    expect(Plain).type.not.toBeConstructableWith({ kind: "fibers" })
  })

  it("gives names and statistics", () => {
    expect(plain.close()).type.toBe<Promise<ReadonlyArray<string>>>()
    expect(plain.stats()).type.toBe<ExecutorStats>()
    expect(Plain.from(plain)).type.toBe<Plain>()
    expect(Plain.from).type.not.toBeCallableWith({})
  })
})
