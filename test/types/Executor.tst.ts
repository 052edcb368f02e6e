import type { PlatformWorker, Spawner } from "@effect/platform/Worker"
import { Effect, type Layer, type Scope } from "effect"
import type { Task } from "effect-concurrency"
import * as Executor from "effect-concurrency/Executor"
import * as NodeExecutor from "effect-concurrency/NodeExecutor"
import {
  Executor as Plain,
  type ExecutorCall,
  type ExecutorStats,
  type Task as PlainTask
} from "effect-concurrency/promise"
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
    expect(plain.start(exported.load, "a")).type.toBe<Promise<{ readonly task: PlainTask<ReadonlyArray<number>> }>>()
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

declare const executor: Executor.Executor
const known = Executor.module<Exports, NotFound>("file:///exports.js", { errors: [NotFound] })
const unknown = Executor.module<Exports>("file:///exports.js")

class Own extends Executor.Service<Own>()("test/Own", { max: 2 }) {}

describe("Executor (Effect)", () => {
  it("takes the arguments of the function, and gives what it gives: of a promise and of an effect, the result", () => {
    expect(executor.run(unknown.sha256, new Uint8Array(), 2)).type.toBe<Effect.Effect<string, Executor.ExecutorError>>()
    expect(executor.run(unknown.load, "a")).type.toBe<Effect.Effect<ReadonlyArray<number>, Executor.ExecutorError>>()
    expect(unknown.load).type.toBeAssignableTo<Executor.Call<[string], ReadonlyArray<number>>>()
  })

  it("fails with what an effect fails with, with the classes that were named, and with what befalls the job", () => {
    expect(executor.run(unknown.divide, 1, 2)).type.toBe<Effect.Effect<number, NotFound | Executor.ExecutorError>>()
    expect(executor.run(known.sha256, new Uint8Array())).type.toBe<
      Effect.Effect<string, NotFound | Executor.ExecutorError>
    >()
    expect<Executor.ExecutorError>().type.toBe<Executor.WorkerDied | Executor.JobTimeout | Executor.ExecutorClosed>()
    expect(executor.tryRun(unknown.load, "a")).type.toBe<
      Effect.Effect<ReadonlyArray<number>, Executor.ExecutorError | Executor.ExecutorFull>
    >()
    expect(executor.start(known.load, "a")).type.toBe<
      Effect.Effect<Task.Task<ReadonlyArray<number>, NotFound | Executor.ExecutorError>>
    >()
    expect(executor.warmUp()).type.toBe<Effect.Effect<void, Executor.WorkerDied | Executor.ExecutorClosed>>()
  })

  it("refuses other arguments, and what is no function of a module", () => {
    expect(executor.run).type.not.toBeCallableWith(unknown.sha256, "text")
    expect(executor.run).type.not.toBeCallableWith(unknown.sha256)
    expect(executor.run).type.not.toBeCallableWith(() => 1)
    expect(unknown).type.not.toHaveProperty("version")
    expect(unknown).type.not.toHaveProperty("query")
    expect(Executor.bind).type.not.toBeCallableWith(unknown.load, 5)
  })

  it("says beforehand what else there is to say of a job", () => {
    expect(executor.with({ timeout: "5 seconds", priority: 1, context: { trace: 1 } })).type.toBe<Executor.Executor>()
    expect(executor.with).type.not.toBeCallableWith({ deadline: 5 })
    expect(executor.with).type.not.toBeCallableWith({ signal: new AbortController().signal })
  })

  it("runs a lone function with its arguments", () => {
    expect(executor.toThread((a: number, b: string) => a + b, 1, "b")).type.toBe<
      Effect.Effect<string, Executor.ExecutorError>
    >()
    expect(executor.toThread(async (a: number) => a, 1)).type.toBe<Effect.Effect<number, Executor.ExecutorError>>()
  })

  it("asks for the executor of the program, or for that of a service", () => {
    expect(Executor.run(unknown.load, "a")).type.toBe<
      Effect.Effect<ReadonlyArray<number>, Executor.ExecutorError, Executor.Executor>
    >()
    expect(Executor.with({ priority: 1 })).type.toBe<Effect.Effect<Executor.Executor, never, Executor.Executor>>()
    expect(Executor.close).type.toBe<Effect.Effect<ReadonlyArray<string>, never, Executor.Executor>>()
    expect(Own.run(unknown.divide, 1, 2)).type.toBe<Effect.Effect<number, NotFound | Executor.ExecutorError, Own>>()
    expect(Own.with({ priority: 1 })).type.toBe<Effect.Effect<Executor.Executor, never, Own>>()
    expect(Own.terminate).type.toBe<Effect.Effect<ReadonlyArray<string>, never, Own>>()
    expect(Own.stats).type.toBe<Effect.Effect<Executor.Stats, never, Own>>()
  })

  it("is made on a platform, or by a layer that has one", () => {
    expect(Executor.make({ max: 2, startTimeout: "5 seconds", onError: () => Effect.void })).type.toBe<
      Effect.Effect<Executor.Executor, never, PlatformWorker | Spawner | Scope.Scope>
    >()
    expect(NodeExecutor.layerThreads({ max: 2 })).type.toBe<Layer.Layer<Executor.Executor>>()
    expect(NodeExecutor.layerProcesses()).type.toBe<Layer.Layer<Executor.Executor>>()
  })
})
