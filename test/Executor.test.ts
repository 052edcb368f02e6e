import * as NodeWorker from "@effect/platform-node/NodeWorker"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Duration, Effect, Exit, Fiber, Layer, Logger, Option } from "effect"
import * as Executor from "effect-concurrency/Executor"
import * as NodeExecutor from "effect-concurrency/NodeExecutor"
import { Worker } from "node:worker_threads"
import { Degrees, Temperature, TooHot } from "./fixtures/contract.mjs"
import { NotFound } from "./fixtures/jobs.mjs"

const here = new URL("./fixtures/jobs.mjs", import.meta.url)
const jobs = Executor.module<typeof import("./fixtures/jobs.mjs")>(here)
const effects = Executor.module<typeof import("./fixtures/effects.mjs")>(
  new URL("./fixtures/effects.mjs", import.meta.url)
)
const known = Executor.module<typeof import("./fixtures/jobs.mjs"), NotFound>(here, { errors: [NotFound] })

type Make = (options?: Executor.Options) => Layer.Layer<Executor.Executor>

const platforms: ReadonlyArray<readonly [string, Make]> = [
  ["threads", NodeExecutor.layerThreads],
  ["processes", NodeExecutor.layerProcesses]
]

const failureOf = <A, E>(exit: Exit.Exit<A, E>): E => {
  assert.isTrue(Exit.isFailure(exit), String(exit))
  return Option.getOrThrow(Cause.failureOption((exit as Exit.Failure<A, E>).cause))
}

const defectOf = (exit: Exit.Exit<unknown, unknown>): any => {
  assert.isTrue(Exit.isFailure(exit), String(exit))
  return Option.getOrThrow(Cause.dieOption((exit as Exit.Failure<unknown, unknown>).cause))
}

const timed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.timed(effect), ([duration, value]) => [Duration.toMillis(duration), value] as const)

for (const [name, layer] of platforms) {
  describe(`Executor on ${name}`, () => {
    it.live("gives what the function gives, from elsewhere", () =>
      Effect.gen(function* () {
        assert.strictEqual(yield* Executor.run(jobs.add, 1, 2), 3)
        assert.notStrictEqual(yield* Executor.run(jobs.where), `${process.pid}/0`)
      }).pipe(Effect.provide(layer()))
    )

    it.live("an error of a registered class is a failure, with its class and what it has", () =>
      Effect.gen(function* () {
        const error = failureOf(yield* Effect.exit(Executor.run(known.find, "/etc")))
        assert.instanceOf(error, NotFound)
        assert.strictEqual((error as NotFound).path, "/etc")
        assert.strictEqual((error as NotFound).message, "no /etc")
      }).pipe(Effect.provide(layer()))
    )

    it.live("any other error is a defect, as it was thrown, with its cause", () =>
      Effect.gen(function* () {
        const error = defectOf(yield* Effect.exit(Executor.run(jobs.breaks)))
        assert.instanceOf(error, RangeError)
        assert.strictEqual(error.message, "too far")
        assert.instanceOf(error.cause, TypeError)
        assert.include(error.stack, "jobs.mjs")
      }).pipe(Effect.provide(layer()))
    )

    it.live("a function may return an effect: its failures are failures, its defects defects", () =>
      Effect.gen(function* () {
        assert.strictEqual(yield* Executor.run(effects.divide, 6, 2), 3)
        const caught = yield* Executor.run(effects.divide, 1, 0).pipe(
          Effect.catchTag("Refused", ({ reason }) => Effect.succeed(reason))
        )
        assert.strictEqual(caught, "zero")
        assert.instanceOf(defectOf(yield* Effect.exit(Executor.run(effects.dies))), RangeError)
      }).pipe(Effect.provide(layer()))
    )

    it.live("what is not there, is no function, or cannot be cloned is said so", () =>
      Effect.gen(function* () {
        const call = (name: string) => (jobs as any)[name] as Executor.Call<[], unknown>
        const missing = defectOf(yield* Effect.exit(Executor.run(call("nothing"))))
        assert.include(missing.message, '"nothing" is no export of')
        const wrong = defectOf(yield* Effect.exit(Executor.run(call("notAFunction"))))
        assert.include(wrong.message, '"notAFunction" is no function of')
        const result = defectOf(yield* Effect.exit(Executor.run(jobs.closure)))
        assert.strictEqual(result.message, "closure: the result cannot be sent: result is a function")
        const args = defectOf(yield* Effect.exit(Executor.run(jobs.add, 1, (() => 1) as never)))
        assert.include(args.message, "is a function")
        assert.strictEqual(yield* Executor.run(jobs.add, 1, 2), 3)
      }).pipe(Effect.provide(layer()))
    )

    it.live("a worker that ends by itself fails its job, and the next job has another", () =>
      Effect.gen(function* () {
        const error = failureOf(yield* Effect.exit(Executor.run(jobs.exit, 3)))
        assert.strictEqual(error._tag, "WorkerDied")
        assert.include(error.message, "exited with code 3")
        assert.strictEqual(yield* Executor.run(jobs.add, 1, 2), 3)
        assert.strictEqual((yield* Executor.stats).died, 1)
      }).pipe(Effect.provide(layer({ max: 1 })))
    )

    it.live("interrupting a job that does not stop frees the pool when its grace is over", () =>
      Effect.gen(function* () {
        yield* Executor.warmUp()
        const [time] = yield* timed(Effect.timeoutOption(Executor.run(jobs.spin, 10_000), 50))
        assert.isAtLeast(time, 149)
        assert.isBelow(time, 5000)
        const [next, sum] = yield* timed(Executor.run(jobs.add, 1, 2))
        assert.strictEqual(sum, 3)
        assert.isBelow(next, 5000)
      }).pipe(Effect.provide(layer({ max: 1, grace: 100 })))
    )

    it.live("interrupting a job that cleans up waits for that, and keeps the worker", () =>
      Effect.gen(function* () {
        const worker = yield* Executor.run(jobs.where)
        const fiber = yield* Effect.fork(Executor.run(jobs.cleansUp))
        yield* Effect.sleep(100)
        assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
        assert.strictEqual(yield* Executor.run(jobs.cleanedUp), 1)
        assert.strictEqual(yield* Executor.run(jobs.where), worker)
      }).pipe(Effect.provide(layer({ max: 1 })))
    )

    it.live("a job that waits leaves at once when it is interrupted, and never runs", () =>
      Effect.gen(function* () {
        yield* Executor.warmUp()
        const first = yield* Effect.fork(Executor.run(jobs.sleep, 300))
        yield* Effect.sleep(20)
        const [time] = yield* timed(Effect.timeoutOption(Executor.run(jobs.exit, 1), 20))
        assert.isBelow(time, 200)
        yield* Fiber.join(first)
        yield* Executor.run(jobs.add, 1, 1)
        assert.strictEqual((yield* Executor.stats).died, 0)
      }).pipe(Effect.provide(layer({ max: 1 })))
    )

    it.live("a job that takes longer than it may fails, and was stopped", () =>
      Effect.gen(function* () {
        const executor = yield* Executor.Executor
        const error = failureOf(yield* Effect.exit(executor.with({ timeout: 50 }).run(jobs.until)))
        assert.strictEqual(error._tag, "JobTimeout")
        assert.include(error.message, "longer than 50 ms")
      }).pipe(Effect.provide(layer({ max: 1 })))
    )

    it.live("what is named reaches the worker: context, data, and what is called first", () =>
      Effect.gen(function* () {
        const executor = yield* Executor.Executor
        assert.deepStrictEqual(yield* executor.with({ context: { request: 7 } }).run(jobs.context), { request: 7 })
        assert.isUndefined(yield* executor.run(jobs.context))
        assert.deepStrictEqual(yield* executor.run(jobs.data), { shard: 3 })
        assert.strictEqual(yield* executor.run(jobs.connectedTo), "db")
        // And a worker that comes after one that died was told the same.
        yield* Effect.exit(executor.run(jobs.exit, 1))
        assert.strictEqual(yield* executor.run(jobs.connectedTo), "db")
        assert.deepStrictEqual(yield* executor.run(jobs.data), { shard: 3 })
      }).pipe(Effect.provide(layer({ max: 1, data: { shard: 3 }, init: Executor.bind(jobs.connect, "db") })))
    )

    it.live("when what is called first fails again and again, jobs fail rather than wait for ever", () =>
      Effect.gen(function* () {
        const error = failureOf(yield* Effect.exit(Executor.run(jobs.add, 1, 2)))
        assert.strictEqual(error._tag, "WorkerDied")
        assert.include(error.message, "no route")
      }).pipe(Effect.provide(layer({ max: 1, init: Executor.bind(jobs.connect, "nowhere") })))
    )

    it.live("arguments and results of a contract are what the schemas say", () =>
      Effect.gen(function* () {
        const warmer = Temperature.of(effects.warmer)
        const warm = yield* Executor.run(warmer, new Degrees(20), 5)
        assert.instanceOf(warm, Degrees)
        assert.strictEqual(warm.value, 25)
        const error = failureOf(yield* Effect.exit(Executor.run(warmer, new Degrees(90), 15)))
        assert.instanceOf(error, TooHot)
        const wrong = defectOf(yield* Effect.exit(Executor.run(warmer, 20 as never, 5)))
        assert.include(String(wrong), "Degrees")
      }).pipe(Effect.provide(layer()))
    )

    it.live("a lone function runs by its source, unless it refers to what is not there", () =>
      Effect.gen(function* () {
        assert.strictEqual(yield* Executor.toThread((a: number, b: number) => a * b, 6, 7), 42)
        assert.strictEqual(yield* Executor.toThread(async () => (await import("node:path")).sep), "/")
        const outside = 1
        const error = defectOf(yield* Effect.exit(Executor.toThread(() => outside)))
        assert.instanceOf(error, ReferenceError)
        assert.include(error.message, 'refers to "outside"')
        assert.include(
          defectOf(yield* Effect.exit(Executor.toThread(Math.max, 1))).message,
          "neither built in nor bound"
        )
      }).pipe(Effect.provide(layer({ max: 1 })))
    )

    it.live("closing waits for the jobs that there are, takes no more, and leaves no worker", () =>
      Effect.gen(function* () {
        const executor = yield* Executor.Executor
        const fiber = yield* Effect.fork(executor.run(jobs.sleep, 100))
        yield* Effect.sleep(20)
        assert.deepStrictEqual(yield* executor.close, [])
        yield* Fiber.join(fiber)
        const error = failureOf(yield* Effect.exit(executor.run(jobs.add, 1, 2)))
        assert.strictEqual(error._tag, "ExecutorClosed")
        assert.strictEqual((yield* executor.stats).workers, 0)
      }).pipe(Effect.provide(layer()))
    )

    it.live("closing stops what has not ended by the deadline, and says so", () =>
      Effect.gen(function* () {
        const lines: Array<string> = []
        const logger = Logger.make(({ message }) => void lines.push(String(message)))
        const executor = yield* Executor.Executor
        const fiber = yield* Effect.fork(Effect.exit(executor.run(jobs.spin, 20_000)))
        yield* Effect.sleep(300)
        const [time, names] = yield* timed(Effect.provide(executor.close, Logger.replace(Logger.defaultLogger, logger)))
        assert.deepStrictEqual(names, ["spin"])
        assert.isBelow(time, 5000)
        const error = failureOf(yield* Fiber.join(fiber))
        assert.strictEqual(error._tag, "ExecutorClosed")
        assert.include(lines.join(), "1 job had not ended by the deadline, and was stopped: spin")
      }).pipe(Effect.provide(layer({ deadline: 50 })))
    )

    it.live("what is said of jobs adds up", () =>
      Effect.gen(function* () {
        const executor = yield* Executor.Executor
        const both = executor.with({ context: "said first" }).with({ priority: 1 })
        assert.strictEqual(yield* both.run(jobs.context), "said first")
      }).pipe(Effect.provide(layer({ max: 1 })))
    )

    it.live("what was started is in line: it comes before what is run after it, and closing waits for it", () =>
      Effect.gen(function* () {
        const executor = yield* Executor.Executor
        yield* executor.warmUp()
        const order: Array<string> = []
        const say = (word: string) => Effect.sync(() => void order.push(word))
        const first = yield* executor.start(jobs.sleep, 50)
        yield* Effect.fork(Effect.zipRight(first.await, say("started")))
        yield* Effect.zipRight(executor.run(jobs.add, 1, 2), say("run"))
        assert.deepStrictEqual(order, ["started", "run"])
        const last = yield* executor.start(jobs.add, 2, 2)
        yield* executor.close
        assert.strictEqual(yield* last.await, 4)
      }).pipe(Effect.provide(layer({ max: 1 })))
    )

    it.live("closing tells those who wait for room", () =>
      Effect.gen(function* () {
        const executor = yield* Executor.Executor
        yield* executor.warmUp()
        yield* executor.start(jobs.sleep, 300)
        const waiting = yield* Effect.fork(Effect.exit(executor.run(jobs.add, 1, 2)))
        yield* Effect.sleep(20)
        const closing = yield* Effect.fork(executor.close)
        assert.strictEqual(failureOf(yield* Fiber.join(waiting))._tag, "ExecutorClosed")
        yield* Fiber.join(closing)
      }).pipe(Effect.provide(layer({ max: 1, backlog: 0 })))
    )

    it.live("start gives a task once the job is taken, and cancelling it stops the job", () =>
      Effect.gen(function* () {
        const executor = yield* Executor.Executor
        const task = yield* executor.start(jobs.until)
        assert.isTrue(yield* task.cancel())
        const other = yield* executor.start(jobs.add, 1, 2)
        assert.strictEqual(yield* other.await, 3)
      }).pipe(Effect.provide(layer({ max: 1, backlog: 0 })))
    )

    it.live("with a backlog, tryRun is refused when it is full, and run waits", () =>
      Effect.gen(function* () {
        const executor = yield* Executor.Executor
        yield* executor.warmUp()
        const busy = yield* executor.start(jobs.sleep, 300)
        const queued = yield* executor.start(jobs.add, 1, 1)
        const error = failureOf(yield* Effect.exit(executor.tryRun(jobs.add, 1, 2)))
        assert.strictEqual(error._tag, "ExecutorFull")
        const waiting = yield* Effect.fork(executor.run(jobs.add, 2, 2))
        yield* busy.await
        assert.strictEqual(yield* queued.await, 2)
        assert.strictEqual(yield* Fiber.join(waiting), 4)
        assert.strictEqual(yield* executor.tryRun(jobs.add, 1, 2), 3)
      }).pipe(Effect.provide(layer({ max: 1, backlog: 1 })))
    )
  })
}

describe("Executor on threads only", () => {
  it.live("a loop that never awaits sees that it is to stop", () =>
    Effect.gen(function* () {
      const worker = yield* Executor.run(jobs.where)
      const [time] = yield* timed(Effect.timeoutOption(Executor.run(jobs.spinUntilStopped), 100))
      assert.isBelow(time, 4000)
      // It stopped by itself: the worker is the same.
      assert.strictEqual(yield* Executor.run(jobs.where), worker)
    }).pipe(Effect.provide(NodeExecutor.layerThreads({ max: 1, grace: 8000 })))
  )

  it.live("buffers are moved, there and back", () =>
    Effect.gen(function* () {
      const executor = yield* Executor.Executor
      const buffer = new ArrayBuffer(1000)
      assert.strictEqual(yield* executor.with({ transfer: [buffer] }).run(jobs.lengthOf, buffer), 1000)
      assert.strictEqual(buffer.byteLength, 0)
      assert.strictEqual((yield* executor.run(jobs.moved, 500)).byteLength, 500)
    }).pipe(Effect.provide(NodeExecutor.layerThreads()))
  )

  it.live("a thread that needs more memory than it may ends, and its job fails", () =>
    Effect.gen(function* () {
      const error = failureOf(
        yield* Effect.exit(
          Executor.toThread(() => {
            const all: Array<Array<number>> = []
            for (;;) all.push(new Array(100_000).fill(1))
          })
        )
      )
      assert.strictEqual(error._tag, "WorkerDied")
      assert.include(error.message, "memory")
    }).pipe(Effect.provide(NodeExecutor.layerThreads({ max: 1, resourceLimits: { maxOldGenerationSizeMb: 32 } })))
  )

  it.live("leaves no thread behind, however it ends", () =>
    Effect.gen(function* () {
      const alive = new Set<Worker>()
      const platform = NodeWorker.layerPlatform(() => {
        const worker = new Worker(new URL("../dist/worker/entry.js", import.meta.url))
        alive.add(worker)
        worker.on("exit", () => alive.delete(worker))
        return worker
      })
      class Own extends Executor.Service<Own>()("test/Own", { max: 2, shared: true, grace: 50, deadline: 50 }) {}
      const started = yield* Deferred.make<void>()
      const program = Effect.gen(function* () {
        yield* Own.warmUp()
        assert.strictEqual(alive.size, 2)
        yield* Deferred.succeed(started, undefined)
        yield* Effect.all([Own.run(jobs.spin, 10_000), Own.run(jobs.until), Own.run(jobs.add, 1, 2)], {
          concurrency: "unbounded"
        })
      }).pipe(Effect.provide(Layer.provide(Own.layer, platform)))
      const fiber = yield* Effect.fork(program)
      yield* Deferred.await(started)
      yield* Effect.sleep(100)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(alive.size, 0)
    })
  )
})

describe("Executor: bad input", () => {
  const made = (options: Executor.Options) =>
    Effect.exit(Effect.scoped(Executor.make(options))).pipe(Effect.provide(NodeExecutor.threads()))

  it.live.each<[Executor.Options, string]>([
    [{ max: 0 }, "Executor.make: max must be an integer of at least 1, got 0"],
    [{ min: 3, max: 2 }, "Executor.make: min must be an integer from 0 to 2, got 3"],
    [{ concurrency: 1.5 }, "Executor.make: concurrency must be an integer of at least 1, got 1.5"],
    [{ backlog: -1 }, "Executor.make: backlog must be an integer of at least 0, or Infinity, got -1"],
    [{ grace: Number.NaN }, "Executor.make: grace must be 0 or more milliseconds, got NaN"],
    [{ timeout: 0 }, "Executor.make: timeout must be more than 0 milliseconds, got 0"],
    [{ neighbours: "ask" as never }, 'Executor.make: neighbours must be one of "rerun", "fail", got "ask"'],
    [{ maxMemory: 0 }, "Executor.make: maxMemory must be a number of bytes above 0, got 0"]
  ])("%o is refused", ([options, message]) =>
    Effect.gen(function* () {
      assert.strictEqual(defectOf(yield* made(options)).message, message)
    })
  )

  it.live("what is no module, no call, no option is refused", () =>
    Effect.gen(function* () {
      assert.throws(() => Executor.module("./jobs.js"), "Executor.module: url must be a URL")
      assert.throws(() => Executor.module(3 as never), "Executor.module: url must be a URL")
      const executor = yield* Executor.Executor
      assert.include(defectOf(yield* Effect.exit(executor.run(3 as never))).message, "Executor.run: call must be")
      assert.throws(
        () => executor.with({ timeout: -1 }),
        "Executor.with: timeout must be 0 or more milliseconds, got -1"
      )
      assert.throws(() => executor.with({ priority: "high" as never }), "Executor.with: priority must be a number")
      assert.include(defectOf(yield* Effect.exit(executor.warmUp(-1))).message, "Executor.warmUp: count must be")
      assert.throws(() => Executor.signal(), "signal: there is no worker of an executor here")
    }).pipe(Effect.provide(NodeExecutor.layerThreads()))
  )
})
