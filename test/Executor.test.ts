/** The executor in Effect programs, on real threads and processes: what is this skin's own. What both promise is in test/laws/Executor.ts. */
import * as NodeWorker from "@effect/platform-node/NodeWorker"
import { assert, describe, it } from "@effect/vitest"
import { fork, spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { Cause, Deferred, Duration, Effect, Exit, Fiber, Layer, Option, Scope } from "effect"
import * as Executor from "effect-concurrency/Executor"
import * as NodeExecutor from "effect-concurrency/NodeExecutor"
import { Worker } from "node:worker_threads"
import { Reporter, type Unhandled } from "../src/internal/report.js"
import { Degrees, Temperature, TooHot } from "./fixtures/contract.mjs"
import { NotFound } from "./fixtures/jobs.mjs"
import { effect, executorLaws, newFiles, until, url } from "./laws/Executor.js"
import { closeAll, FakeTime, FakeWorkers, functions as fakes, settle } from "./utils/fakeWorkers.js"
import { sweepIsClean } from "./utils/sweep.js"

const file = newFiles()
const jobs = Executor.module<typeof import("./fixtures/jobs.mjs")>(url)
const effects = Executor.module<typeof import("./fixtures/effects.mjs")>(
  new URL("./fixtures/effects.mjs", import.meta.url)
)
const known = Executor.module<typeof import("./fixtures/jobs.mjs"), NotFound>(url, { errors: [NotFound] })

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

for (const kind of ["threads", "processes"] as const) executorLaws(effect, kind)

describe("Executor on processes that somebody else starts", () => {
  const entry = new URL("../dist/worker/entry.js", import.meta.url)
  const platform = NodeWorker.layerPlatform(() => fork(entry, [], { serialization: "advanced" }))

  it.live("speaks by Node's own channel", () =>
    Effect.gen(function* () {
      const value = new Map([["a", [undefined, -0]]])
      assert.deepStrictEqual(yield* Executor.run(jobs.echo, value), value)
      const defect = defectOf(yield* Effect.exit(Executor.run(jobs.closure)))
      assert.include(defect.message, "items[0].callback is a function")
      assert.strictEqual(defectOf(yield* Effect.exit(Executor.run(jobs.echo, () => 1))).name, "NotCloneable")
    }).pipe(Effect.provide(Layer.provide(Executor.layer({ max: 1 }), platform)))
  )
})

for (const [name, layer] of platforms) {
  describe(`Executor on ${name}`, () => {
    it.live("an error of a registered class is a failure, with its class and what it has; any other is a defect", () =>
      Effect.gen(function* () {
        const error = failureOf(yield* Effect.exit(Executor.run(known.fails, "/etc")))
        assert.instanceOf(error, NotFound)
        assert.strictEqual((error as NotFound).path, "/etc")
        const defect = defectOf(yield* Effect.exit(Executor.run(known.fails, "RangeError")))
        assert.instanceOf(defect, RangeError)
        assert.instanceOf(defect.cause, TypeError)
      }).pipe(Effect.provide(layer({ max: 1 })))
    )

    it.live("a function may return an effect: its failures are failures, its defects defects", () =>
      Effect.gen(function* () {
        assert.strictEqual(yield* Executor.run(effects.divide, 6, 2), 3)
        const caught = yield* Executor.run(effects.divide, 1, 0).pipe(
          Effect.catchTag("Refused", ({ reason }) => Effect.succeed(reason))
        )
        assert.strictEqual(caught, "zero")
        assert.instanceOf(defectOf(yield* Effect.exit(Executor.run(effects.dies))), RangeError)
      }).pipe(Effect.provide(layer({ max: 1 })))
    )

    it.live("whoever is interrupted waits until the job has stopped, or its worker was ended", () =>
      Effect.gen(function* () {
        const path = file()
        const fiber = yield* Effect.fork(Executor.run(jobs.cleansUp, path))
        yield* Effect.promise(() => until(() => existsSync(path)))
        assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
        assert.strictEqual(yield* Executor.run(jobs.cleanedUp), 1)
        const begun = file()
        const spinning = yield* Effect.fork(Executor.run(jobs.spinForEver, begun))
        yield* Effect.promise(() => until(() => existsSync(begun)))
        const [time] = yield* timed(Fiber.interrupt(spinning))
        assert.isAtLeast(time, 999)
        assert.isBelow(time, 10_000)
      }).pipe(Effect.provide(layer({ max: 1, grace: 1000 })))
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
      }).pipe(Effect.provide(layer({ max: 1 })))
    )

    it.live("what was started is in line: it comes before what is run after it, and closing waits for it", () =>
      Effect.gen(function* () {
        const executor = yield* Executor.Executor
        yield* executor.warmUp()
        const first = yield* executor.start(jobs.count)
        assert.strictEqual(yield* executor.run(jobs.count), 2)
        assert.strictEqual(yield* first.await, 1)
        const last = yield* executor.start(jobs.add, 2, 2)
        yield* executor.close
        assert.strictEqual(yield* last.await, 4)
      }).pipe(Effect.provide(layer({ max: 1 })))
    )

    it.live("what is reported goes to the reporter of whoever makes it, if no other is named", () =>
      Effect.gen(function* () {
        const told: Array<Unhandled> = []
        const reporter = Layer.succeed(Reporter, { report: (failure) => Effect.sync(() => void told.push(failure)) })
        yield* Effect.gen(function* () {
          yield* Executor.run(jobs.exitsLater, 1)
          while (told.length === 0) yield* Effect.sleep(5)
          yield* Effect.fork(Executor.run(jobs.never))
          yield* Effect.sleep(10)
          assert.deepStrictEqual(yield* Executor.close, ["never"])
        }).pipe(Effect.provide(Layer.provide(layer({ max: 1, name: "own", deadline: 10 }), reporter)))
        assert.deepStrictEqual(
          told.map(({ message, name, where }) => [where, name, message]),
          [
            ["Executor", "own", "a worker has ended"],
            ["Executor.close", "own", "1 job had not ended by the deadline, and was stopped: never"]
          ]
        )
      })
    )

    it.live("an idle pool that nobody closes does not keep the process alive", () =>
      Effect.gen(function* () {
        const dist = (name: string) => JSON.stringify(new URL(`../dist/${name}.js`, import.meta.url).href)
        const program = `
          import { Context, Effect, Layer, Scope } from "effect"
          const Executor = await import(${dist("Executor")})
          const { ${layer === NodeExecutor.layerThreads ? "layerThreads" : "layerProcesses"}: layer } = await import(${dist("NodeExecutor")})
          const jobs = Executor.module(${JSON.stringify(url.href)})
          const built = Effect.flatMap(Scope.make(), (scope) => Layer.buildWithScope(layer({ max: 1 }), scope))
          const executor = Context.get(await Effect.runPromise(built), Executor.Executor)
          console.log(await Effect.runPromise(executor.run(jobs.add, 1, 2)))`
        const [time, output] = yield* timed(
          Effect.async<string>((resume) => {
            const args = ["--input-type=module", "--eval", program]
            const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] })
            let output = ""
            child.stdout.on("data", (chunk) => (output += chunk))
            child.on("close", () => resume(Effect.succeed(output)))
          })
        )
        assert.strictEqual(output, "3\n")
        assert.isBelow(time, 20_000, "it does not wait for the idle time of the workers")
      })
    )
  })
}

describe("Executor on threads only", () => {
  it.live("a thread that needs more memory than it may ends, and its job fails", () =>
    Effect.gen(function* () {
      const error = failureOf(yield* Effect.exit(Executor.run(jobs.eatMemory)))
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
      class Own extends Executor.Service<Own>()("test/Two", { max: 2, shared: true, grace: 50, deadline: 50 }) {}
      const started = yield* Deferred.make<void>()
      const program = Effect.gen(function* () {
        yield* Own.warmUp()
        assert.strictEqual(alive.size, 2)
        yield* Deferred.succeed(started, undefined)
        yield* Effect.all([Own.run(jobs.spin, 10_000), Own.run(jobs.untilStopped), Own.run(jobs.add, 1, 2)], {
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

  class Own extends Executor.Service<Own>()("test/Own", { max: 1, onError: () => Effect.void }) {}

  it.live("a service and the module offer what an executor has", () =>
    Effect.gen(function* () {
      const traced = yield* Own.with({ context: "said first" })
      assert.strictEqual(yield* traced.with({ priority: 1 }).run(jobs.context), "said first")
      assert.strictEqual(yield* Own.tryRun(jobs.add, 1, 2), 3)
      assert.strictEqual(yield* Own.toThread((n: number) => n + 1, 1), 2)
      assert.strictEqual((yield* Own.stats).done, 3)
      const late = yield* Executor.with({ timeout: 20 })
      assert.strictEqual(failureOf(yield* Effect.exit(late.run(jobs.untilStopped)))._tag, "JobTimeout")
      const stuck = yield* Own.start(jobs.never)
      assert.deepStrictEqual(yield* Own.terminate, ["never"])
      assert.deepStrictEqual(yield* Own.close, ["never"])
      assert.strictEqual(failureOf(yield* Effect.exit(stuck.await))._tag, "ExecutorClosed")
      yield* Effect.fork(Executor.run(jobs.never))
      yield* Effect.sleep(20)
      assert.deepStrictEqual(yield* Executor.terminate, ["never"])
    }).pipe(
      Effect.provide(
        Layer.merge(Layer.provide(Own.layer, NodeExecutor.threads()), NodeExecutor.layerThreads({ max: 1 }))
      )
    )
  )
})

describe("Executor, interrupted at each operation", () => {
  const { crashes, echo, hangs, spins } = fakes

  /** An executor on workers that a test moves, with a job before the one that is interrupted, and one after it. */
  const make = (options: Executor.Options) => {
    const time = new FakeTime()
    const workers = new FakeWorkers()
    const scope = Effect.runSync(Scope.make())
    const made = Executor.over({ max: 2, grace: 100, ...options }, workers.start, time)
    const executor = Effect.runSync(Scope.extend(made, scope))
    const pool = executor[Executor.TypeId]
    const others = [1, 2].map((n) => Effect.runFork(executor.run(echo, n)))
    return { executor, others, pool, time, workers, left: undefined as unknown }
  }

  type World = ReturnType<typeof make>

  /** What is wrong is for the end to say. */
  const over = (world: World, end: (world: World) => Promise<void>) =>
    Effect.promise(() =>
      end(world).catch((error: unknown) => {
        world.left ??= error
      })
    )

  const swept = (
    options: Executor.Options,
    victim: (executor: Executor.Executor) => Effect.Effect<unknown, unknown>,
    lives: (world: World) => void
  ) =>
    sweepIsClean<World>({
      setup: () => make(options),
      victim: ({ executor }) => victim(executor),
      meanwhile: (world) =>
        Effect.gen(function* () {
          lives(world)
          const last = yield* Effect.fork(world.executor.run(echo, 3))
          yield* over(world, settle)
          for (const fiber of [...world.others, last]) yield* Fiber.await(fiber)
          yield* over(world, closeAll)
        }),
      verify: ({ left, others }, exit) => {
        if (left !== undefined) throw left
        others.forEach((fiber, n) => {
          const exit = fiber.unsafePoll()
          assert.isTrue(exit !== null && Exit.isSuccess(exit) && exit.value === n + 1, `job ${n + 1}: ${exit}`)
        })
        if (Exit.isFailure(exit) && !Cause.isInterrupted(exit.cause)) {
          assert.include(["WorkerDied", "ExecutorClosed"], (failureOf(exit) as { _tag: string })._tag)
        }
      }
    })

  const nothing = () => {}
  /** The workers go on while the victim waits. */
  const works = ({ workers }: World) => workers.work()

  for (const shared of [true, false]) {
    const where = shared ? "threads" : "processes"
    for (const [name, victim, options] of [
      ["a job", (executor) => executor.run(echo, 9), {}],
      ["a job that waits for room", (executor) => executor.run(echo, 9), { max: 1, backlog: 1 }],
      [
        "a job for which there is no room",
        (executor) => Effect.ignore(executor.tryRun(echo, 9)),
        { max: 1, backlog: 0 }
      ],
      ["a job that ends its worker", (executor) => executor.run(crashes, 9), {}],
      ["a wait for workers", (executor) => executor.warmUp(2), {}],
      [
        "a job that is started and awaited",
        (executor) => Effect.flatMap(executor.start(echo, 9), (task) => task.await),
        { max: 1, backlog: 1 }
      ],
      [
        // It would outlive whoever has started it.
        "a job that is started and cancelled",
        (executor) =>
          Effect.acquireUseRelease(
            executor.start(hangs, 9),
            () => Effect.yieldNow(),
            (task) => task.cancel()
          ),
        {}
      ]
    ] as ReadonlyArray<
      readonly [string, (executor: Executor.Executor) => Effect.Effect<unknown, unknown>, Executor.Options]
    >) {
      it(`${name}, like on ${where}`, async () => {
        for (const lives of [nothing, works]) await swept({ ...options, shared }, victim, lives)
      })
    }

    it(`closing, like on ${where}: it closes all the same`, async () => {
      await sweepIsClean<World & { readonly job: Fiber.RuntimeFiber<unknown, unknown> }>({
        setup: () => {
          const world = make({ shared, deadline: 50 })
          world.workers.work()
          const job = Effect.runFork(world.executor.run(spins, 9))
          world.workers.work()
          return { ...world, job }
        },
        victim: ({ executor }) => executor.close,
        meanwhile: (world) =>
          Effect.gen(function* () {
            // Unless it was interrupted before it began.
            world.pool.close()
            world.time.sleep(50)
            yield* over(world, closeAll)
            yield* Fiber.await(world.job)
          }),
        verify: ({ job, left, pool, workers }, exit) => {
          if (left !== undefined) throw left
          assert.strictEqual(pool.state.stage, "closed")
          assert.strictEqual(workers.alive.length, 0)
          assert.strictEqual((failureOf(job.unsafePoll()!) as { _tag: string })._tag, "ExecutorClosed")
          if (Exit.isSuccess(exit)) assert.deepStrictEqual(exit.value, ["spins"])
        }
      })
    })
  }

  it("a job that does not stop: its worker is ended, and whoever is interrupted waits for that", async () => {
    const world = make({ shared: true })
    world.workers.work()
    const fiber = Effect.runFork(world.executor.run(spins, 9))
    world.workers.work()
    fiber.unsafeInterruptAsFork(fiber.id())
    await new Promise((resolve) => setImmediate(resolve))
    world.time.sleep(99)
    await new Promise((resolve) => setImmediate(resolve))
    assert.isNull(fiber.unsafePoll())
    world.time.sleep(1)
    await new Promise((resolve) => setImmediate(resolve))
    assert.isTrue(Exit.isInterrupted(fiber.unsafePoll()!))
    await closeAll(world)
  })
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
    [{ startTimeout: 0 }, "Executor.make: startTimeout must be more than 0 milliseconds, got 0"],
    [{ startTimeout: -5 }, "Executor.make: startTimeout must be 0 or more milliseconds, got -5"],
    [{ name: 3 as never }, "Executor.make: name must be a string, got 3"],
    [{ onError: "log" as never }, 'Executor.make: onError must be a function, got "log"'],
    [
      { data: { f: () => 1 } },
      "Executor.make: data must be something that can be cloned (data.f is a function), got an object (Object)"
    ],
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
