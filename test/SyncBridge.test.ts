import { execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { promisify } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Layer, ManagedRuntime } from "effect"
import { Background, SyncBridge } from "effect-concurrency"
import { Reporter, type Unhandled } from "../src/internal/report.js"
import { NotFound } from "./fixtures/bridge.mjs"
import { NotFound as TaggedNotFound } from "./fixtures/bridgeEffects.mjs"
import { fixture, sleep, syncBridgeLaws, syncBridgeSkins, thrown } from "./laws/SyncBridge.js"
import { dieWith } from "./utils/defects.js"
import { root } from "./utils/source.js"

for (const skin of syncBridgeSkins.filter(({ name }) => name === "Effect")) syncBridgeLaws(skin)

/** A reporter that keeps what it is told. */
const reports = () => {
  const told: Array<Unhandled> = []
  return {
    told,
    layer: Layer.succeed(Reporter, { report: (unhandled) => Effect.sync(() => void told.push(unhandled)) })
  }
}

const exitOf = (exit: Exit.Exit<unknown, unknown>): unknown =>
  Exit.isFailure(exit) && exit.cause._tag === "Fail" ? exit.cause.error : assert.fail(`no failure: ${String(exit)}`)

describe("runSync", () => {
  it("an effect that can end at once is done in place, whatever it is made of", () => {
    assert.strictEqual(SyncBridge.runSync(Effect.succeed(1)), 1)
    const program = Effect.gen(function* () {
      const deferred = yield* Deferred.make<number>()
      const child = yield* Effect.fork(Effect.zipRight(Effect.yieldNow(), Deferred.await(deferred)))
      yield* Effect.repeatN(Effect.yieldNow(), 5_000)
      yield* Deferred.succeed(deferred, 42)
      return yield* Fiber.join(child)
    })
    assert.strictEqual(SyncBridge.runSync(program), 42)
    assert.strictEqual(
      SyncBridge.runSync(Effect.scoped(Effect.acquireRelease(Effect.succeed(1), () => Effect.void))),
      1
    )
  })

  it("errors are the original ones, several an AggregateError", () => {
    const error = new NotFound("x")
    assert.strictEqual(
      thrown(() => SyncBridge.runSync(Effect.fail(error))),
      error
    )
    assert.strictEqual(
      thrown(() => SyncBridge.runSync(Effect.die(error))),
      error
    )
    const both = thrown(() => SyncBridge.runSync(Effect.ensuring(Effect.fail(error), Effect.die("cleanup"))))
    assert.instanceOf(both, AggregateError)
    assert.deepStrictEqual(both.errors, [error, "cleanup"])
    assert.strictEqual(exitOf(SyncBridge.runSyncExit(Effect.fail(error))), error)
    assert.strictEqual(dieWith(SyncBridge.runSyncExit(Effect.die(error))), error)
    assert.isTrue(Exit.isInterrupted(SyncBridge.runSyncExit(Effect.interrupt)))
  })

  it("an effect that has to wait is AsyncWork, and is not left running", async () => {
    let ran = false
    const program = Effect.zipRight(
      Effect.sleep(20),
      Effect.sync(() => (ran = true))
    )
    const error = thrown(() => SyncBridge.runSync(program))
    assert.instanceOf(error, SyncBridge.AsyncWork)
    assert.strictEqual(error._tag, "AsyncWork")
    assert.match(error.message, /Effect\.runPromise.*SyncBridge\.make/)
    for (const waits of [
      Effect.never,
      Effect.promise(async () => 1),
      Effect.yieldNow().pipe(Effect.zipRight(Effect.never))
    ]) {
      assert.instanceOf(exitOf(SyncBridge.runSyncExit(waits)), SyncBridge.AsyncWork)
    }
    await sleep(60)
    assert.isFalse(ran)
    // What this is for: Effect's own leaves it running.
    assert.throws(() => Effect.runSync(program))
    await sleep(60)
    assert.isTrue(ran)
  })

  it("finalizers that need not wait have run when it returns, also those of its fibers", () => {
    const log: Array<string> = []
    const note = (what: string) => Effect.sync(() => void log.push(what))
    const program = Effect.gen(function* () {
      yield* Effect.fork(Effect.ensuring(Effect.never, note("child")))
      yield* Effect.yieldNow()
      return yield* Effect.never
    }).pipe(
      Effect.ensuring(Effect.zipRight(Effect.yieldNow(), note("own"))),
      Effect.onInterrupt(() => note("interrupted"))
    )
    assert.instanceOf(exitOf(SyncBridge.runSyncExit(program)), SyncBridge.AsyncWork)
    assert.deepStrictEqual(log.toSorted(), ["child", "interrupted", "own"])
  })

  it("a finalizer that waits, and an uninterruptible region, go on to their ends in the background", async () => {
    const log: Array<string> = []
    const slow = (what: string) =>
      Effect.zipRight(
        Effect.sleep(5),
        Effect.sync(() => void log.push(what))
      )
    SyncBridge.runSyncExit(Effect.ensuring(Effect.never, slow("finalizer")))
    SyncBridge.runSyncExit(Effect.zipRight(Effect.uninterruptible(slow("region")), slow("never")))
    assert.deepStrictEqual(log, [])
    await sleep(50)
    assert.deepStrictEqual(log, ["finalizer", "region"])
  })

  it("what goes wrong after that is logged, what only was interrupted is not", async () => {
    const lines: Array<string> = []
    const { log } = console
    console.log = (...args: ReadonlyArray<unknown>) => void lines.push(args.join(" "))
    try {
      SyncBridge.runSyncExit(Effect.never)
      SyncBridge.runSyncExit(Effect.ensuring(Effect.never, Effect.die("at once")))
      SyncBridge.runSyncExit(
        Effect.ensuring(Effect.never, Effect.zipRight(Effect.sleep(5), Effect.die("after a while")))
      )
      await sleep(50)
    } finally {
      console.log = log
    }
    assert.lengthOf(lines, 2)
    assert.match(lines[0]!, /SyncBridge\.runSync: the effect had to wait, was interrupted, and then failed.*at once/s)
    assert.match(lines[1]!, /after a while/)
  })

  it("works within an effect, and with the services of a runtime", async () => {
    class Name extends Effect.Service<Name>()("test/Name", { succeed: { name: "effect" } }) {}
    const runtime = ManagedRuntime.make(Name.Default)
    const inner = Effect.map(Name, ({ name }) => name)
    const outer = Effect.map(runtime.runtimeEffect, (services) => [SyncBridge.runSync(Effect.provide(inner, services))])
    assert.deepStrictEqual(await Effect.runPromise(outer), ["effect"])
    await runtime.dispose()
  })
})

const functions = SyncBridge.module<typeof import("./fixtures/bridge.mjs"), NotFound>(fixture, { errors: [NotFound] })
const effects = SyncBridge.module<typeof import("./fixtures/bridgeEffects.mjs"), TaggedNotFound>(
  new URL("./fixtures/bridgeEffects.mjs", import.meta.url),
  { errors: [TaggedNotFound] }
)

describe("SyncBridge (Effect)", () => {
  it("runs effects in its worker (test_run_coroutine_threadsafe_task_cancelled)", async () => {
    const program = Effect.gen(function* () {
      const bridge = yield* SyncBridge.make(effects)
      assert.strictEqual(bridge.run("twice", [21]), 42)
      const error = thrown(() => bridge.run("fails", ["x"]))
      assert.instanceOf(error, TaggedNotFound)
      assert.deepStrictEqual([error._tag, error.id], ["NotFound", "x"])
      assert.instanceOf(exitOf(bridge.runExit("fails", ["x"])), TaggedNotFound)
      assert.instanceOf(dieWith(bridge.runExit("dies", ["no"])), RangeError)
      const both = dieWith(bridge.runExit("failsTwice", [])) as AggregateError
      assert.instanceOf(both, AggregateError)
      assert.lengthOf(both.errors, 2)
      // Nobody has interrupted the caller, so this is an error there.
      assert.match((dieWith(bridge.runExit("stops", [])) as Error).message, /interrupted/i)
      return bridge
    })
    const bridge = await Effect.runPromise(Effect.scoped(program))
    assert.instanceOf(exitOf(bridge.runExit("twice", [1])), SyncBridge.BridgeClosed)
  })

  it("tells failures from defects", async () => {
    const bridge = SyncBridge.makeUnsafe(functions)
    assert.deepStrictEqual(bridge.runExit("add", [1, 2]), Exit.succeed(3))
    assert.instanceOf(exitOf(bridge.runExit("fails", ["x"])), NotFound)
    assert.instanceOf(dieWith(bridge.runExit("fails", ["TypeError"])), TypeError)
    assert.instanceOf(exitOf(bridge.runExit("spin", [], { timeout: "20 millis" })), SyncBridge.JobTimeout)
    assert.instanceOf(exitOf(bridge.runExit("exits", [1])), SyncBridge.WorkerDied)
    assert.instanceOf(exitOf(bridge.runExit("notCloneable", [])), SyncBridge.NotCloneable)
    assert.instanceOf(dieWith(bridge.runExit("add", 1 as any)), TypeError)
    assert.instanceOf(dieWith(bridge.runExit("add", [1, 2], { timeout: "-1 second" as any })), RangeError)
    await Effect.runPromise(bridge.close)
  })

  it("options that make no sense are a defect", async () => {
    const exit = await Effect.runPromiseExit(Effect.scoped(SyncBridge.make(functions, { timeout: -1 })))
    assert.instanceOf(dieWith(exit), RangeError)
  })

  it("a service has one for all, and its layer closes it", async () => {
    class Functions extends SyncBridge.Service<Functions>()(
      "test/Functions",
      functions,
      Effect.succeed({ timeout: 20_000 })
    ) {}
    const program = Effect.gen(function* () {
      yield* Functions.start
      const run = yield* Functions.run
      const runExit = yield* Functions.runExit
      assert.deepStrictEqual(
        [1, 2].map((n) => run("add", [n, 1])),
        [2, 3]
      )
      assert.deepStrictEqual(runExit("answer", []), Exit.succeed(42))
      assert.strictEqual((yield* Functions.stats).workers, 1)
      return yield* Functions
    })
    const bridge = await Effect.runPromise(Effect.provide(program, Functions.layer))
    assert.instanceOf(
      thrown(() => bridge.run("answer", [])),
      SyncBridge.BridgeClosed
    )
  })

  it("what nobody waited for goes to the reporter of where it was made", async () => {
    const { layer, told } = reports()
    const program = Effect.gen(function* () {
      const bridge = yield* SyncBridge.make(functions)
      bridge.run("throwsLater", [])
      while (told.length === 0) yield* Effect.sleep(10)
      return yield* bridge.stats
    })
    const stats = await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(layer)))
    assert.strictEqual(stats.workersDied, 1)
    assert.deepStrictEqual([told[0]!.where, told[0]!.name], ["SyncBridge", fixture.href])
    assert.instanceOf(Cause.squash(told[0]!.cause), RangeError)
  })
})

// What `asyncio.run` does at the end of a program is a matter of layers here: whatever runs in the background is a registry's, and the
// end of its layer is the end of all of it.
describe("the end of a program", () => {
  const main = (
    leftover: Effect.Effect<unknown, unknown>,
    told: Array<string> = []
  ): Promise<Exit.Exit<number, Background.BackgroundClosed>> => {
    class Tasks extends Background.Service<Tasks>()("test/Tasks", {
      onError: ({ cause, name }) => Effect.sync(() => void told.push(`${name}: ${Cause.squash(cause)}`))
    }) {}
    return Tasks.start(leftover, { name: "leftover" }).pipe(
      Effect.zipRight(Effect.yieldNow()),
      Effect.as(123),
      Effect.provide(Tasks.layer),
      Effect.runPromiseExit
    )
  }

  it("cancels what is left (test_asyncio_run_cancels_hanging_tasks)", async () => {
    let ended = false
    const exit = await main(
      Effect.ensuring(
        Effect.never,
        Effect.sync(() => void (ended = true))
      )
    )
    assert.deepStrictEqual([exit, ended], [Exit.succeed(123), true])
  })

  it("reports what goes wrong in that (test_asyncio_run_reports_hanging_tasks_errors)", async () => {
    const told: Array<string> = []
    const exit = await main(Effect.ensuring(Effect.never, Effect.die("in the cleanup")), told)
    assert.deepStrictEqual([exit, told], [Exit.succeed(123), ["leftover: in the cleanup"]])
  })

  it("ends the generators of what is left, and the program's own error wins (test_asyncio_run_closes_gens_after_hanging_tasks_errors)", async () => {
    let closed = false
    async function* items() {
      try {
        for (;;) yield 1
      } finally {
        closed = true
      }
    }
    const consume = Effect.acquireUseRelease(
      Effect.sync(items),
      (all) =>
        Effect.zipRight(
          Effect.promise(() => all.next()),
          Effect.never
        ),
      (all) => Effect.promise(() => all.return(undefined))
    )
    const told: Array<string> = []
    class Tasks extends Background.Service<Tasks>()("test/Tasks", {
      onError: ({ cause }) => Effect.sync(() => void told.push(String(Cause.squash(cause))))
    }) {}
    const program = Tasks.start(Effect.ensuring(consume, Effect.die("in the cleanup"))).pipe(
      Effect.zipRight(Effect.sleep(5)),
      Effect.zipRight(Effect.fail("the program's own")),
      Effect.provide(Tasks.layer)
    )
    assert.strictEqual(exitOf(await Effect.runPromiseExit(program)), "the program's own")
    assert.deepStrictEqual([closed, told], [true, ["in the cleanup"]])
  })

  const interrupted = async (wait: string) => {
    const child = spawn(
      process.execPath,
      [
        "--input-type=module",
        "--eval",
        `import { NodeRuntime } from "@effect/platform-node"
         import { Effect } from "effect"
         const main = Effect.zipRight(Effect.delay(Effect.sync(() => console.log("ready")), 10), ${wait})
         NodeRuntime.runMain(Effect.onInterrupt(main, () => Effect.sync(() => console.log("cleaned up"))))`
      ],
      { cwd: root, stdio: ["ignore", "pipe", "inherit"] }
    )
    let printed = ""
    child.stdout.on("data", (chunk) => {
      printed += chunk
      if (printed === "ready\n") child.kill("SIGINT")
    })
    const [code] = await once(child, "close")
    return [code, printed]
  }

  it("the first SIGINT interrupts what waits, and then ends the program (test_interrupt_wait)", async () => {
    assert.deepStrictEqual(await interrupted("Effect.never"), [0, "ready\ncleaned up\n"])
  })

  it("and what spins (test_interrupt_call_soon)", async () => {
    assert.deepStrictEqual(await interrupted("Effect.forever(Effect.yieldNow())"), [0, "ready\ncleaned up\n"])
  })

  it("a thread that is blocked hears no SIGINT: the program ends", async () => {
    const child = promisify(execFile)(
      process.execPath,
      [
        "--input-type=module",
        "--eval",
        `import { SyncBridge } from "effect-concurrency/promise"
         const bridge = new SyncBridge(SyncBridge.module(${JSON.stringify(fixture.href)}))
         bridge.run("prints", [1])
         bridge.run("never", [])`
      ],
      { cwd: root }
    )
    child.child.stdout!.once("data", () => child.child.kill("SIGINT"))
    const error: any = await child.catch((error: unknown) => error)
    assert.strictEqual(error.signal, "SIGINT")
  })
})
