/**
 * The laws of an executor, against either skin on either kind of worker: what both promise. They run on real threads and processes, in real
 * time, so a law takes as few workers as it can.
 */
import * as NodeWorker from "@effect/platform-node/NodeWorker"
import { type ChildProcess, fork } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { Worker } from "node:worker_threads"
import { Cause, Effect, Exit, Layer, Scope } from "effect"
import * as Effects from "effect-concurrency/Executor"
import * as Promises from "effect-concurrency/promise"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import type { BoundCall } from "../../src/core/callOptions.js"
import type { Module } from "../../src/core/workerModule.js"
import { SharedMemory } from "../../src/internal/sharedMemory.js"
import type { Child, ChildProcesses } from "../../src/worker/node.js"
import { startProcess } from "../../src/worker/processes.js"
import { NotFound } from "../fixtures/jobs.mjs"

export const url = new URL("../fixtures/jobs.mjs", import.meta.url)
const entry = new URL("../../dist/worker/entry.js", import.meta.url)

type Fixture = typeof import("../fixtures/jobs.mjs")

export type Kind = "threads" | "processes"

/** How a job ended, for whoever waits for it. */
export type Outcome =
  | { readonly _tag: "value"; readonly value: any }
  | { readonly _tag: "error"; readonly error: any }
  | { readonly _tag: "cancelled" }

/** What is said of an executor; durations are milliseconds. */
export interface Options {
  readonly min?: number
  readonly max?: number
  readonly concurrency?: number
  readonly backlog?: number
  readonly idleTime?: number
  readonly startTimeout?: number
  readonly grace?: number
  readonly neighbours?: "rerun" | "fail"
  readonly maxMemory?: number
  readonly maxJobs?: number
  readonly deadline?: number
  readonly timeout?: number
  readonly data?: unknown
  readonly init?: BoundCall
  readonly name?: string
}

/** What is said of a job. */
export interface JobOptions {
  readonly signal?: AbortSignal
  readonly timeout?: number
  readonly priority?: number
  readonly transfer?: ReadonlyArray<unknown>
  readonly context?: unknown
}

/** What was reported. */
export interface Told {
  readonly where: string
  readonly name: string | undefined
  readonly message: string
  readonly error: unknown
}

type Calls = Module<Fixture, any>

/** An executor of either skin. */
export interface Subject {
  readonly told: ReadonlyArray<Told>
  run(call: any, ...args: ReadonlyArray<unknown>): Promise<Outcome>
  tryRun(call: any, ...args: ReadonlyArray<unknown>): Promise<Outcome>
  start(call: any, ...args: ReadonlyArray<unknown>): Promise<Started>
  toThread(f: (...args: ReadonlyArray<any>) => unknown, ...args: ReadonlyArray<unknown>): Promise<Outcome>
  with(options: JobOptions): Subject
  warmUp(count?: number): Promise<Outcome>
  close(): Promise<ReadonlyArray<string>>
  terminate(): Promise<ReadonlyArray<string>>
  stats(): Promises.ExecutorStats
}

export interface Started {
  readonly end: () => Promise<Outcome>
  readonly cancel: () => Promise<unknown>
}

/** Starts a process. What one says that crashes is of no interest here. */
const quietly: ChildProcesses["fork"] = (file, args, { stdio = [], ...options }) =>
  fork(file, args, {
    ...(options as object),
    stdio: ["ignore", "inherit", "ignore", ...stdio.slice(3)] as Array<"ipc" | "pipe">
  }) as unknown as Child

/** The workers that a test has started, of which none may be left. */
export class Registry {
  readonly live = new Set<Worker | ChildProcess>()
  started = 0

  constructor(readonly kind: Kind) {}

  readonly spawn = ({ name }: { readonly name: string }): Worker | ChildProcess => {
    const worker =
      this.kind === "threads"
        ? new Worker(entry, { name })
        : (startProcess({ fork: quietly }, entry, {}) as unknown as ChildProcess)
    this.started++
    this.live.add(worker)
    worker.once("exit", () => this.live.delete(worker))
    return worker
  }
}

export interface ExecutorSkin {
  readonly name: string
  readonly module: (url: URL | string, errors?: ReadonlyArray<typeof NotFound>) => Calls
  readonly make: (options: Options, registry: Registry) => Promise<Subject>
}

// -------------------------------------------------------------------------------------------------------------------------- skins

const settled = async (promise: Promise<unknown>, signal?: AbortSignal): Promise<Outcome> => {
  try {
    return { _tag: "value", value: await promise }
  } catch (error) {
    const isReason = signal?.aborted === true && error === signal.reason
    return isReason ? { _tag: "cancelled" } : { _tag: "error", error }
  }
}

const ofPromises = (executor: Promises.Executor, told: ReadonlyArray<Told>, signal?: AbortSignal): Subject => ({
  told,
  run: (call, ...args) => settled(executor.run(call, ...args), signal),
  tryRun: (call, ...args) => settled(executor.tryRun(call, ...args), signal),
  start: async (call, ...args) => {
    const { task } = await executor.start(call, ...args)
    return { end: () => settled(task.wait()), cancel: () => task.cancel("enough") }
  },
  toThread: (f, ...args) => settled(executor.toThread(f, ...args), signal),
  with: (options) => ofPromises(executor.with(options), told, options.signal ?? signal),
  warmUp: (count) => settled(executor.warmUp(count)),
  close: () => executor.close(),
  terminate: () => executor.terminate(),
  stats: () => executor.stats()
})

export const promise: ExecutorSkin = {
  name: "promise",
  module: (url, errors = []) => Promises.Executor.module<Fixture>(url, { errors }),
  make: async (options, registry) => {
    const told: Array<Told> = []
    const { kind, spawn } = registry
    const onError = (failure: Told) => void told.push(failure)
    return ofPromises(new Promises.Executor({ max: 1, kind, spawn, onError, ...options }), told)
  }
}

const ended = async <A, E>(effect: Effect.Effect<A, E>, signal?: AbortSignal): Promise<Outcome> => {
  const exit = await Effect.runPromiseExit(effect, signal && { signal })
  if (Exit.isSuccess(exit)) return { _tag: "value", value: exit.value }
  return Cause.isInterruptedOnly(exit.cause)
    ? { _tag: "cancelled" }
    : { _tag: "error", error: Cause.squash(exit.cause) }
}

const valueOf = <A>(effect: Effect.Effect<A>): Promise<A> => Effect.runPromise(effect)

const ofEffects = (executor: Effects.Executor, told: ReadonlyArray<Told>, signal?: AbortSignal): Subject => ({
  told,
  run: (call, ...args) => ended(executor.run(call, ...args), signal),
  tryRun: (call, ...args) => ended(executor.tryRun(call, ...args), signal),
  start: async (call, ...args) => {
    const task = await valueOf(executor.start(call, ...args))
    return { end: () => ended(task.await), cancel: () => valueOf(task.cancel()) }
  },
  toThread: (f, ...args) => ended(executor.toThread(f, ...args), signal),
  with: ({ signal: own, ...options }) => ofEffects(executor.with(options), told, own ?? signal),
  warmUp: (count) => ended(executor.warmUp(count)),
  close: () => valueOf(executor.close),
  terminate: () => valueOf(executor.terminate),
  stats: () => Effect.runSync(executor.stats)
})

export const effect: ExecutorSkin = {
  name: "Effect",
  module: (url, errors = []) => Effects.module<Fixture, NotFound>(url, { errors }) as Calls,
  make: async (options, registry) => {
    const told: Array<Told> = []
    const onError = ({ cause, ...rest }: Effects.Unhandled) =>
      Effect.sync(() => {
        told.push({ ...rest, error: Cause.isEmpty(cause) ? undefined : Cause.squash(cause) })
      })
    const platform = Layer.merge(
      NodeWorker.layerPlatform((id) => registry.spawn({ name: `${id}` }) as Worker),
      Layer.succeed(SharedMemory, registry.kind === "threads")
    )
    const scope = await valueOf(Scope.make())
    const made = Effects.make({ max: 1, onError, ...options }).pipe(Effect.provide(platform), Scope.extend(scope))
    return ofEffects(await valueOf(made), told)
  }
}

export const executorSkins: ReadonlyArray<ExecutorSkin> = [promise, effect]

// --------------------------------------------------------------------------------------------------------------------------- tools

export const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

export const timed = async <A>(work: () => Promise<A>): Promise<readonly [milliseconds: number, value: A]> => {
  const began = performance.now()
  const value = await work()
  return [performance.now() - began, value]
}

/** Waits until something is so. */
export const until = async (holds: () => boolean): Promise<void> => {
  const end = performance.now() + 20_000
  while (!holds()) {
    assert.isBelow(performance.now(), end, `${holds}`)
    await sleep(5)
  }
}

export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

const valueIn = async (outcome: Promise<Outcome>): Promise<any> => {
  const end = await outcome
  return end._tag === "value" ? end.value : assert.fail(`${end._tag}: ${"error" in end ? String(end.error) : ""}`)
}

const errorIn = async (outcome: Promise<Outcome>): Promise<any> => {
  const end = await outcome
  return end._tag === "error" ? end.error : assert.fail(`${end._tag}: ${"value" in end ? String(end.value) : ""}`)
}

const isCancelled = async (outcome: Promise<Outcome>): Promise<void> =>
  assert.strictEqual((await outcome)._tag, "cancelled")

/** Names of files for the tests of a file, one after the other; they are gone afterwards. */
export const newFiles = (): (() => string) => {
  const folder = mkdtempSync(join(tmpdir(), "executor-"))
  afterAll(() => rmSync(folder, { recursive: true }))
  let files = 0
  return () => join(folder, `${++files}`)
}

// ---------------------------------------------------------------------------------------------------------------------------- laws

export const executorLaws = (skin: ExecutorSkin, kind: Kind): void => {
  const jobs = skin.module(url)
  const known = skin.module(url, [NotFound])
  const file = newFiles()

  /** A law with an executor, after which no worker is left. */
  const withExecutor = async (
    options: Options,
    law: (executor: Subject, registry: Registry) => Promise<unknown>
  ): Promise<void> => {
    const registry = new Registry(kind)
    const executor = await skin.make(options, registry)
    try {
      await law(executor, registry)
    } finally {
      await executor.terminate()
      assert.strictEqual(registry.live.size, 0, "workers are left")
    }
  }

  describe(`Executor (${skin.name}) on ${kind}: what a job gives`, () => {
    const registry = new Registry(kind)
    let executor: Subject
    beforeAll(async () => {
      executor = await skin.make({ max: 1, data: { table: [1, 2] }, init: bind(skin, jobs.connect, "db") }, registry)
    })
    afterAll(async () => {
      assert.deepStrictEqual(await executor.close(), [])
      assert.strictEqual(registry.live.size, 0, "workers are left")
      assert.strictEqual(registry.started, 1, "none of it has cost a worker")
      assert.deepStrictEqual(executor.told, [])
    })

    it("a function runs elsewhere, and gives what it gives (test_run_in_executor)", async () => {
      assert.strictEqual(await valueIn(executor.run(jobs.add, 1, 2)), 3)
      assert.strictEqual(await valueIn(executor.run(jobs.addLater, 1, 2)), 3, "a promise is awaited")
      const who = await valueIn(executor.run(jobs.whoAmI))
      assert.strictEqual(who.isWorker, true)
      if (kind === "threads") assert.isAbove(who.threadId, 0)
      else assert.notStrictEqual(who.pid, process.pid)
    })

    it("what can be cloned is, and jobs have nothing in common", async () => {
      const value = { map: new Map([["a", [1n, new Date(0)]]]), set: new Set([/x/g]), bytes: new Uint8Array([1, 2]) }
      assert.deepStrictEqual(await valueIn(executor.run(jobs.echo, value)), value)
      assert.isTrue(await valueIn(executor.run(jobs.same, value, value)), "what was one object in a call is one there")
      const list = [1]
      const lengths = await Promise.all([1, 2, 3, 4].map((n) => valueIn(executor.run(jobs.pushTo, list, n))))
      assert.deepStrictEqual(lengths, [2, 2, 2, 2])
    })

    it("what it throws arrives as it was (test_to_thread_exception)", async () => {
      const error = await errorIn(executor.run(jobs.fails, "RangeError"))
      assert.instanceOf(error, RangeError)
      assert.strictEqual(error.message, "too far")
      assert.include(error.stack, "jobs.mjs")
      assert.instanceOf(error.cause, TypeError)
      const several = await errorIn(executor.run(known.failsLater, "AggregateError"))
      assert.instanceOf(several, AggregateError)
      assert.instanceOf(several.errors[0], RangeError)
      assert.instanceOf(several.errors[1], NotFound)
      assert.deepStrictEqual(await errorIn(executor.run(jobs.fails, "value")), { reason: "because" })
    })

    it("an error of a class that was named is an instance of it; of another it has the name and what it had", async () => {
      const found = await errorIn(executor.run(known.fails, "/etc"))
      assert.instanceOf(found, NotFound)
      assert.deepInclude(found, { path: "/etc", message: "no /etc" })
      assert.strictEqual(found.advice, "look beside /etc")
      const other = await errorIn(executor.run(jobs.fails, "/etc"))
      assert.notInstanceOf(other, NotFound)
      assert.deepInclude(other, { name: "NotFound", path: "/etc" })
    })

    it("what is not exported, is no function, or cannot be cloned is said so", async () => {
      const call = (name: string) => (jobs as any)[name]
      assert.match(
        (await errorIn(executor.run(call("nothing")))).message,
        /"nothing" is no export of .*jobs\.mjs, which has .*add, /
      )
      assert.include((await errorIn(executor.run(call("notAFunction")))).message, '"notAFunction" is no function of')
      const result = await errorIn(executor.run(jobs.closure))
      assert.strictEqual(result.message, "closure: the result cannot be sent: result.items[0].callback is a function")
      assert.strictEqual(result.name, "NotCloneable")
      assert.include((await errorIn(executor.run(jobs.generator))).message, "result is a Generator")
      const args = await errorIn(executor.run(jobs.echo, { f: () => 1 }))
      assert.instanceOf(args, Effects.NotCloneable)
      assert.strictEqual(args.message, "echo: the arguments cannot be sent: arguments[0][0].f is a function")
      // (A process gets what a port has of properties, which is nothing: Node does not say so.)
      if (kind === "threads") {
        const { port1 } = new MessageChannel()
        const unmoved = await errorIn(executor.run(jobs.echo, { port: port1 }))
        assert.strictEqual(
          unmoved.message,
          "echo: the arguments cannot be sent: arguments[0][0].port is a MessagePort that cannot be cloned, only moved"
        )
        port1.close()
      }
      const context = executor.with({ context: Symbol("s") }).run(jobs.context)
      assert.instanceOf(await errorIn(context), Effects.NotCloneable)
      const nowhere = skin.module(new URL("./nowhere.mjs", import.meta.url)) as any
      assert.include((await errorIn(executor.run(nowhere.f))).message, "nowhere.mjs")
    })

    it("what is named reaches the worker: data, what is called first, and the context, which does not come back", async () => {
      assert.deepStrictEqual(await valueIn(executor.run(jobs.data)), { table: [1, 2] })
      assert.strictEqual(await valueIn(executor.run(jobs.connection)), "db")
      const traced = executor.with({ context: { trace: 1 } })
      assert.deepStrictEqual(await valueIn(traced.run(jobs.contextLater)), { trace: 1 })
      assert.deepStrictEqual(await valueIn(traced.with({ priority: 1 }).run(jobs.context)), { trace: 1 }, "it adds up")
      assert.isUndefined(await valueIn(executor.run(jobs.context)))
    })

    it("buffers are moved to a thread, and copied for a process", async () => {
      const { buffer } = new Uint8Array(100_000)
      assert.strictEqual(await valueIn(executor.with({ transfer: [buffer] }).run(jobs.lengthOf, buffer)), 100_000)
      assert.strictEqual(buffer.byteLength, kind === "threads" ? 0 : 100_000)
      assert.deepStrictEqual(await valueIn(executor.run(jobs.bytes, 1_000)), new Uint8Array(1_000).fill(7))
    })

    it("a lone function runs by its source, unless it refers to what is not there (test_to_thread)", async () => {
      assert.strictEqual(await valueIn(executor.toThread((a: number, b: number) => a * b, 6, 7)), 42)
      const outside = 1
      const error = await errorIn(executor.toThread(() => outside))
      assert.instanceOf(error, ReferenceError)
      assert.include(error.message, 'refers to "outside"')
      assert.include((await errorIn(executor.toThread(Math.max, 1))).message, "neither built in nor bound")
    })

    it("jobs are handed out by priority, and otherwise in order", async () => {
      const order: Array<number> = []
      const call = async (n: number, priority: number) => {
        await valueIn(executor.with({ priority }).run(jobs.echo, n))
        order.push(n)
      }
      const first = executor.run(jobs.sleep, 30)
      await Promise.all([first, call(1, 0), call(2, 0), call(3, 5), call(4, -1), call(5, 5)])
      assert.deepStrictEqual(order, [3, 5, 1, 2, 4])
    })
  })

  describe(`Executor (${skin.name}) on ${kind}: giving up`, () => {
    it("what waits leaves at once, and never begins (test_run_in_executor_cancel)", () =>
      withExecutor({ grace: 5_000 }, async (executor) => {
        const path = file()
        const long = executor.run(jobs.sleep, 200, "long")
        const controller = new AbortController()
        const waiting = [1, 2, 3].map((n) => executor.with({ signal: controller.signal }).run(jobs.record, path, n))
        const last = executor.run(jobs.record, path, 4)
        await executor.warmUp()
        controller.abort(new RangeError("not needed"))
        for (const call of waiting) await isCancelled(call)
        assert.strictEqual(await valueIn(long), "long")
        assert.strictEqual(await valueIn(last), 4)
        assert.strictEqual(readFileSync(path, "utf8"), "4\n")
        assert.deepInclude(executor.stats(), { cancelled: 3, done: 2, died: 0, started: 1 })
      }))

    it("a function that runs is told, cleans up, and keeps its worker", () =>
      withExecutor({ grace: 20_000 }, async (executor, registry) => {
        const path = file()
        const controller = new AbortController()
        const call = executor.with({ signal: controller.signal }).run(jobs.cleansUp, path)
        await until(() => existsSync(path))
        controller.abort("enough")
        await isCancelled(call)
        assert.strictEqual(await valueIn(executor.run(jobs.cleanedUp)), 1)
        assert.strictEqual(registry.started, 1)
      }))

    it("one that does not stop frees the pool when the grace is over, and the next job has another worker", () =>
      withExecutor({ grace: 100 }, async (executor, registry) => {
        const path = file()
        const controller = new AbortController()
        const call = executor.with({ signal: controller.signal }).run(jobs.spinForEver, path)
        await until(() => existsSync(path))
        const next = executor.run(jobs.add, 1, 2)
        controller.abort("enough")
        const [took, value] = await timed(() => valueIn(next))
        await isCancelled(call)
        assert.strictEqual(value, 3)
        // The grace, the start of another worker, and what else the machine does.
        assert.isBelow(took, 5_000)
        await until(() => registry.live.size === 1)
        assert.deepInclude(executor.stats(), { cancelled: 1, done: 1, started: 2, died: 0 })
      }))

    it("a job's time is its own, and ends it; what it failed with as it stopped is the cause", () =>
      withExecutor({ grace: 50, timeout: 20_000 }, async (executor) => {
        await executor.warmUp()
        const short = executor.with({ timeout: 100 })
        const error = await errorIn(short.run(jobs.spinForEver))
        assert.instanceOf(error, Effects.JobTimeout)
        assert.deepInclude(error, { job: "spinForEver", milliseconds: 100, _tag: "JobTimeout" })
        assert.isUndefined(error.cause)
        assert.strictEqual(await valueIn(executor.run(jobs.add, 1, 2)), 3)
        assert.isUndefined((await errorIn(short.run(jobs.untilStopped))).cause, "that it was stopped is none")
        const failed = await errorIn(short.run(jobs.failsToStop))
        assert.instanceOf(failed, Effects.JobTimeout)
        assert.instanceOf(failed.cause, RangeError)
      }))

    it("neighbours of a job that did not stop are run again", () =>
      withExecutor({ concurrency: 2, grace: 50 }, async (executor) => {
        const path = file()
        await executor.warmUp()
        const neighbour = executor.run(jobs.sleep, 100, "slept")
        const writer = executor.run(jobs.record, path, 1)
        const spinning = executor.with({ timeout: 20 }).run(jobs.spinForEver)
        assert.instanceOf(await errorIn(spinning), Effects.JobTimeout)
        assert.strictEqual(await valueIn(writer), 1)
        assert.strictEqual(await valueIn(neighbour), "slept")
      }))

    it("a started job is in line at once, and cancelling it waits until it has stopped", () =>
      withExecutor({ backlog: 0, grace: 100 }, async (executor) => {
        const first = await executor.start(jobs.add, 1, 2)
        assert.strictEqual(await valueIn(first.end()), 3)
        const spinning = await executor.start(jobs.spinForEver)
        let accepted = false
        const next = executor.start(jobs.echo, "next").then((started) => {
          accepted = true
          return started.end()
        })
        await sleep(20)
        assert.isFalse(accepted, "there is no room")
        await spinning.cancel()
        assert.strictEqual(await valueIn(next), "next")
        const failed = await executor.start(jobs.fails, "RangeError")
        assert.instanceOf(await errorIn(failed.end()), RangeError)
        await executor.start(jobs.fails, "RangeError")
        await until(() => executor.told.length > 0)
        assert.deepInclude(executor.told[0], { where: "Executor.start", name: "fails" })
        assert.instanceOf(executor.told[0]!.error, RangeError)
      }))
  })

  describe(`Executor (${skin.name}) on ${kind}: workers that fail`, () => {
    it("one that exits fails its job, says how, and is replaced by one that was told the same", () =>
      withExecutor({ data: [1], init: bind(skin, jobs.connect, "db") }, async (executor, registry) => {
        const exited = executor.run(jobs.exit, 3)
        const next = executor.run(jobs.connection)
        const error = await errorIn(exited)
        assert.instanceOf(error, Effects.WorkerDied)
        assert.strictEqual(error.message, `the worker ended while it ran "exit": the worker exited with code 3`)
        assert.strictEqual(await valueIn(next), "db")
        assert.deepStrictEqual(await valueIn(executor.run(jobs.data)), [1])
        assert.instanceOf(await errorIn(executor.run(jobs.throwsBeside)), Effects.WorkerDied)
        assert.strictEqual(await valueIn(executor.run(jobs.add, 1, 2)), 3)
        assert.strictEqual(registry.started, 3)
        assert.deepInclude(executor.stats(), { died: 2, failed: 2, done: 3 })
        assert.deepStrictEqual(executor.told, [], "whoever waits for it is told")
      }))

    it("the death of one with nothing to do is reported, and it is replaced", () =>
      withExecutor({ min: 1, name: "thumbnails" }, async (executor, registry) => {
        await executor.run(jobs.exitsLater, 1)
        await until(() => executor.told.length > 0)
        assert.deepInclude(executor.told[0], { where: "Executor", name: "thumbnails", message: "a worker has ended" })
        assert.include((executor.told[0]!.error as Error).message, "exited with code 0")
        assert.strictEqual(await valueIn(executor.run(jobs.add, 1, 2)), 3)
        assert.deepInclude(executor.stats(), { died: 1, failed: 0, done: 2, started: 2 })
        assert.strictEqual(registry.started, 2)
      }))

    it("when workers cannot be started, whoever waits is told why", () =>
      withExecutor({ init: bind(skin, jobs.connect, "nowhere") }, async (executor) => {
        const error = await errorIn(executor.run(jobs.add, 1, 2))
        assert.instanceOf(error, Effects.WorkerDied)
        assert.deepInclude(error, { job: "add", started: false })
        assert.strictEqual(error.message, `the worker could not be started for "add": no route`)
        assert.instanceOf(await errorIn(executor.warmUp()), Effects.WorkerDied)
        assert.deepInclude(executor.stats(), { died: 4, misstarted: 4 })
        assert.deepStrictEqual(
          executor.told.map(({ message }) => message),
          ["a worker could not be started", "a worker could not be started"],
          "nobody was told of the first two"
        )
      }))

    it("one that is not ready in time is ended, and could not be started", () =>
      withExecutor({ startTimeout: 300, init: bind(skin, jobs.connect, "silence") }, async (executor, registry) => {
        const [took, error] = await timed(() => errorIn(executor.warmUp()))
        assert.instanceOf(error, Effects.WorkerDied)
        assert.include(error.message, "it was not ready within 300 ms")
        assert.isAtLeast(took, 299)
        await until(() => registry.live.size === 0)
        assert.deepInclude(executor.stats(), { workers: 0, misstarted: 1 })
      }))

    it("what one said before it ended counts", () =>
      withExecutor({}, async (executor) => {
        for (let died = 1; died <= 2; died++) {
          assert.strictEqual(await valueIn(executor.run(jobs.answersThenExits)), "answered")
          await until(() => executor.stats().died === died)
        }
      }))

    it("workers are recycled after so many jobs, or when they use too much memory", () =>
      withExecutor({ maxJobs: 2 }, async (executor, registry) => {
        const counts = []
        for (let i = 0; i < 3; i++) counts.push(await valueIn(executor.run(jobs.count)))
        assert.deepStrictEqual(counts, [1, 2, 1])
        await until(() => registry.live.size === 1)
      }))

    it("one that does not go when it is told to is ended", () =>
      withExecutor({ grace: 50, idleTime: 30 }, async (executor, registry) => {
        await executor.run(jobs.neverCloses)
        await until(() => registry.live.size === 0)
        assert.deepInclude(executor.stats(), { workers: 0, died: 0 })
        assert.deepStrictEqual(executor.told, [])
      }))
  })

  describe(`Executor (${skin.name}) on ${kind}: room and the end`, () => {
    it("has room for so many; who comes then waits for it, or is told at once", () =>
      withExecutor({ backlog: 1 }, async (executor) => {
        const [one, two] = [executor.run(jobs.sleep, 100, 1), executor.run(jobs.echo, 2)]
        const full = await errorIn(executor.tryRun(jobs.echo, 3))
        assert.instanceOf(full, Effects.ExecutorFull)
        assert.deepInclude(full, { job: "echo", backlog: 1, _tag: "ExecutorFull" })
        const order: Array<unknown> = []
        const call = async (n: number, options: JobOptions) =>
          order.push(await valueIn(executor.with(options).run(jobs.echo, n)))
        const [waits, sooner] = [call(4, {}), call(5, { priority: 1 })]
        const controller = new AbortController()
        const leaves = executor.with({ signal: controller.signal }).run(jobs.echo, 6)
        assert.deepInclude(executor.stats(), { waiting: 3, running: 0, queued: 2 })
        controller.abort("gone")
        await isCancelled(leaves)
        assert.strictEqual(executor.stats().waiting, 2)
        assert.deepStrictEqual([await valueIn(one), await valueIn(two)], [1, 2])
        await Promise.all([waits, sooner])
        assert.deepStrictEqual(order, [5, 4])
        assert.strictEqual(await valueIn(executor.tryRun(jobs.echo, 8)), 8)
      }))

    it("warming up waits for as many as are wanted", () =>
      withExecutor({ max: 2 }, async (executor, registry) => {
        await valueIn(executor.warmUp())
        assert.strictEqual(registry.started, 2)
        assert.deepInclude(executor.stats(), { workers: 2, busy: 0 })
        await executor.close()
        assert.instanceOf(await errorIn(executor.warmUp()), Effects.ExecutorClosed)
      }))

    it("closing lets the jobs end, and then the workers clean up; it takes nothing from then on (test_close)", () =>
      withExecutor({ max: 2, backlog: 2 }, async (executor, registry) => {
        const path = file()
        await executor.run(jobs.onClose, path)
        const jobsLeft = [1, 2, 3, 4].map((n) => executor.run(jobs.sleep, 50, n))
        const waiting = executor.run(jobs.echo, 5)
        const closing = executor.close()
        assert.instanceOf(await errorIn(waiting), Effects.ExecutorClosed, "who waits for room is told")
        const error = await errorIn(executor.run(jobs.echo, 6))
        assert.instanceOf(error, Effects.ExecutorClosed)
        assert.strictEqual(error.message, `the job "echo" was not started: the executor is closed`)
        assert.instanceOf(await errorIn(executor.tryRun(jobs.echo, 6)), Effects.ExecutorClosed)
        assert.deepStrictEqual(await Promise.all(jobsLeft.map(valueIn)), [1, 2, 3, 4])
        assert.deepStrictEqual(await closing, [])
        assert.strictEqual(registry.live.size, 0)
        assert.isTrue(existsSync(path))
        assert.deepStrictEqual(await executor.close(), [], "again")
        assert.isTrue(executor.stats().isClosed)
      }))

    it("after its deadline closing ends what is left, and reports it (test_shutdown_default_executor_timeout)", () =>
      withExecutor({ deadline: 100, backlog: 1, name: "thumbnails" }, async (executor, registry) => {
        await executor.warmUp()
        const calls = [executor.run(jobs.spinForEver), executor.run(jobs.echo, 1), executor.run(jobs.echo, 2)]
        const [took, names] = await timed(() => executor.close())
        assert.deepStrictEqual(names, ["spinForEver", "echo"])
        assert.isBelow(took, 5_000)
        assert.strictEqual(registry.live.size, 0)
        for (const call of calls) assert.instanceOf(await errorIn(call), Effects.ExecutorClosed)
        assert.deepStrictEqual(
          executor.told.map(({ message, name, where }) => [where, name, message]),
          [
            [
              "Executor.close",
              "thumbnails",
              "2 jobs had not ended by the deadline, and were stopped: spinForEver, echo"
            ]
          ]
        )
        assert.deepStrictEqual(await executor.close(), names, "whoever closes it is told the same")
      }))

    it("terminating ends everything at once", () =>
      withExecutor({}, async (executor, registry) => {
        await executor.warmUp()
        const calls = [executor.run(jobs.spinForEver), executor.run(jobs.echo, 1)]
        assert.deepStrictEqual(await executor.terminate(), ["spinForEver", "echo"])
        for (const call of calls) assert.instanceOf(await errorIn(call), Effects.ExecutorClosed)
        assert.strictEqual(registry.live.size, 0)
        assert.deepStrictEqual(executor.told, [], "whoever asks for it knows")
      }))
  })

  describe(`Executor (${skin.name}) on ${kind}: at length`, () => {
    // What is slow of the two, once.
    const many = skin === effect && kind === "processes" ? 1_000 : 10_000

    it(`of ${many} jobs, with cancellations and crashes, none is lost and none is left`, async () => {
      let seed = 1
      const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647
      // As many as take about a second to start again.
      const share = 10 / many / (kind === "threads" ? 1 : 2)
      await withExecutor({ max: 2, grace: 20, backlog: 500 }, async (executor, registry) => {
        const counts = { value: 0, cancelled: 0, died: 0 }
        const job = async (n: number) => {
          const what = random()
          const crash = what < share
          const spins = !crash && what < 2 * share
          const controller = new AbortController()
          const cancels = spins || (!crash && what < 0.1)
          const calling = executor.with({
            ...(cancels && { signal: controller.signal }),
            priority: Math.floor(random() * 3)
          })
          const call = crash
            ? calling.run(jobs.exit, 1)
            : spins
              ? calling.run(jobs.spinForEver)
              : calling.run(jobs.echo, n)
          if (cancels) setTimeout(() => controller.abort(n), random() * 50)
          const end = await call
          if (end._tag === "value") {
            assert.strictEqual(end.value, n)
            counts.value++
          } else if (end._tag === "error") {
            assert.instanceOf(end.error, Effects.WorkerDied)
            assert.isTrue(crash, "only who crashes fails")
            counts.died++
          } else {
            assert.isTrue(cancels)
            counts.cancelled++
          }
        }
        await Promise.all(Array.from({ length: many }, (_, n) => job(n)))
        assert.strictEqual(counts.value + counts.cancelled + counts.died, many)
        assert.isAbove(counts.died, 0)
        assert.isAbove(counts.cancelled, 0)
        await until(() => executor.stats().running === 0)
        const { ahead, busy, cancelled, done, failed, queued, waiting } = executor.stats()
        assert.deepStrictEqual([ahead, busy, queued, waiting], [0, 0, 0, 0])
        assert.strictEqual(done + failed + cancelled, many)
        assert.deepStrictEqual(await executor.close(), [])
        assert.strictEqual(registry.live.size, 0)
      })
    }, 120_000)
  })

  const ofThreads = () => {
    describe(`Executor (${skin.name}) on threads`, () => {
      it("a loop that never awaits sees that it is to stop, and its worker stays", () =>
        withExecutor({ grace: 20_000 }, async (executor, registry) => {
          const cells = new SharedArrayBuffer(4)
          const at = new Int32Array(cells)
          const controller = new AbortController()
          const call = executor.with({ signal: controller.signal }).run(jobs.spinUntilStopped, cells)
          await until(() => at[0] === 1)
          controller.abort("enough")
          await isCancelled(call)
          await until(() => at[0] === 2)
          const late = executor.with({ timeout: 30 }).run(jobs.spinUntilThrown)
          assert.instanceOf(await errorIn(late), Effects.JobTimeout)
          assert.strictEqual(await valueIn(executor.run(jobs.add, 1, 2)), 3)
          assert.strictEqual(registry.started, 1)
        }))

      it("two computations go on at the same time: each waits for the other, and neither awaits", () =>
        withExecutor({ max: 2 }, async (executor) => {
          const cells = new SharedArrayBuffer(4)
          const met = await Promise.all([1, 2].map(() => valueIn(executor.run(jobs.meet, cells))))
          assert.deepStrictEqual(met, [true, true])
        }))

      it(
        "two computations on two processors take about the time of one, and the event loop turns meanwhile",
        () =>
          withExecutor({ max: 2, min: 2 }, async (executor) => {
            await executor.warmUp()
            await withExecutor({ min: 1 }, async (one) => {
              await one.warmUp()
              const both = (executor: Subject, rounds: number) =>
                Promise.all([1, 2].map(() => valueIn(executor.run(jobs.compute, rounds))))
              await Promise.all([both(executor, 1e6), both(one, 1e6)])
              const delay = monitorEventLoopDelay({ resolution: 5 })
              let best = Infinity
              let lag = Infinity
              // Other things are done on this machine at the same time.
              for (let attempt = 0; attempt < 10 && (best > 0.8 || lag > 100); attempt++) {
                delay.reset()
                delay.enable()
                const [parallel] = await timed(() => both(executor, 1e7))
                delay.disable()
                lag = Math.min(lag, delay.percentile(99) / 1e6)
                const [serial] = await timed(() => both(one, 1e7))
                best = Math.min(best, parallel / serial)
              }
              assert.isBelow(best, 0.8, "of the time of one worker")
              assert.isBelow(lag, 100, "milliseconds that 99 % of the turns were not late")
            })
          }),
        120_000
      )
    })
  }

  const ofProcesses = () => {
    describe(`Executor (${skin.name}) on processes`, () => {
      it("process.abort, and a signal from inside or outside, end one worker and nothing else", () =>
        withExecutor({ max: 2 }, async (executor, registry) => {
          const other = executor.run(jobs.sleep, 700, "other")
          const aborted = await errorIn(executor.run(jobs.abort))
          assert.instanceOf(aborted, Effects.WorkerDied)
          assert.match(aborted.message, /the worker was killed by SIG(ABRT|TRAP|ILL)/)
          const killed = await errorIn(executor.run(jobs.killItself))
          assert.include(killed.message, "the worker was killed by SIGKILL")
          assert.strictEqual(await valueIn(other), "other")
          await valueIn(executor.run(jobs.add, 1, 2))
          const calls = [executor.run(jobs.never), executor.run(jobs.never)]
          await until(() => executor.stats().running === 2)
          const pids = Array.from(registry.live, (worker) => (worker as ChildProcess).pid!)
          for (const pid of pids) process.kill(pid, "SIGKILL")
          for (const call of calls) assert.instanceOf(await errorIn(call), Effects.WorkerDied)
          assert.isTrue(pids.every((pid) => !isAlive(pid)))
          assert.strictEqual(await valueIn(executor.run(jobs.add, 1, 2)), 3)
        }))
    })
  }

  const own = { threads: ofThreads, processes: ofProcesses }
  own[kind]()
}

/** A function with its arguments, for `init`. */
const bind = (skin: ExecutorSkin, call: any, ...args: ReadonlyArray<unknown>): BoundCall =>
  skin === promise ? Promises.Executor.bind(call, ...args) : Effects.bind(call, ...args)
