import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  Config,
  ConfigProvider,
  Context,
  Deferred,
  Effect,
  Exit,
  Fiber,
  FiberId,
  FiberRef,
  Layer,
  Logger,
  TestClock
} from "effect"
import { Shield } from "effect-concurrency"
import { heap } from "./utils/heap.js"
import { fork, settle } from "./laws/skins.js"
import { shieldLaws, shieldSkins } from "./laws/Shield.js"
import { dieWith } from "./utils/defects.js"
import { sweep } from "./utils/sweep.js"

for (const skin of shieldSkins) shieldLaws(skin)

/** A shield that notes what it reports. */
const noting = (options: Shield.Options = {}) => {
  const reports: Array<string> = []
  const shield = Shield.makeUnsafe({
    ...options,
    onError: ({ cause, message, name, where }) =>
      Effect.sync(() => reports.push(`${where} ${name}: ${message}: ${String(Cause.squash(cause))}`))
  })
  return { reports, shield }
}

const gate = () => Deferred.unsafeMake<number, string>(FiberId.none)
const open = (gate: Deferred.Deferred<number, string>, effect: Effect.Effect<number, string> = Effect.succeed(1)) =>
  void Effect.runSync(Deferred.complete(gate, effect))
const running = (shield: Shield.Shield) => Effect.runSync(shield.stats).running
const late = "Shield save: it failed after its caller had gone: oops"

describe("Shield: interrupted at any operation", () => {
  for (const operation of ["shield", "critical"] as const) {
    it(`${operation}: work that began ends, and its failure has the caller, or one report`, async () => {
      const { findings, operations } = await sweep({
        setup: () => ({ ...noting(), began: 0, ended: 0, seen: 0 }),
        victim: (state) => {
          const work = Effect.zipRight(
            Effect.sync(() => state.began++),
            Effect.zipRight(
              Effect.yieldNow(),
              Effect.suspend(() => {
                state.ended++
                return Effect.fail("oops")
              })
            )
          )
          return state.shield[operation](work, { name: "save" })
        },
        verify: ({ began, ended, reports, shield }, exit) => {
          const told = Exit.isFailure(exit) && Array.from(Cause.failures(exit.cause)).includes("oops") ? 1 : 0
          const fate = `began ${began}, ended ${ended}, told ${told}, reports ${reports.join()}`
          if (running(shield) > 0 || began !== ended || began > 1) return fate
          if (told + reports.length !== began) return fate
        }
      })
      // The last operation but one is the failure itself, when the caller has it: Effect puts the interruption in its place, as it does
      // with any `Effect.fail`.
      assert.deepStrictEqual(
        findings.filter(({ operation }) => operation !== operations - 1),
        []
      )
    })
  }
})

describe("Shield.shield", () => {
  it.effect("gives what the work gives, fails as it fails", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* Shield.shield(Effect.succeed(5)), 5)
      const oops = new Error("oops")
      assert.strictEqual(yield* Effect.flip(Shield.shield(Effect.fail(oops))), oops)
      assert.strictEqual(dieWith(yield* Effect.exit(Shield.shield(Effect.die(oops)))), oops)
    })
  ) // asyncio: test_shield_result, test_shield_exception, test_shield_shortcut, test_shield_coroutine_use_running_loop

  it.effect("work that interrupts itself is mirrored, and the caller is not interrupted", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(Shield.shield(Effect.interrupt))
      assert.isTrue(Exit.isInterrupted(exit))
    })
  ) // asyncio: test_shield_cancel_inner

  it("a caller that is interrupted goes at once, the work goes on, and a late value is nobody's business", async () => {
    const { reports, shield } = noting()
    const work = gate()
    const caller = fork(shield.shield(Deferred.await(work), { name: "save" }))
    await settle()
    caller.cancel()
    await settle()
    assert.deepStrictEqual([caller.state, running(shield)], ["cancelled", 1])
    open(work)
    await settle()
    assert.deepStrictEqual([running(shield), reports], [0, []])
  }) // asyncio: test_shield_cancel_outer, test_shield_cancel_outer_result, test_shield_effect, test_shielded_timeout

  it("a late failure is reported once", async () => {
    const { reports, shield } = noting()
    const work = gate()
    const caller = fork(shield.shield(Deferred.await(work), { name: "save" }))
    await settle()
    caller.cancel()
    await settle()
    open(work, Effect.fail("oops"))
    await settle()
    assert.deepStrictEqual(reports, [late])
  }) // asyncio: test_shield_cancel_outer_exception

  it("interrupted and failing in one tick, in both orders: the caller has it or it is reported, and not both", async () => {
    for (const interruptFirst of [true, false]) {
      const { reports, shield } = noting()
      const work = gate()
      const caller = fork(shield.shield(Deferred.await(work), { name: "save" }))
      await settle()
      if (interruptFirst) caller.cancel()
      open(work, Effect.fail("oops"))
      if (!interruptFirst) caller.cancel()
      await settle()
      assert.deepStrictEqual([caller.state, reports], ["cancelled", [late]])
    }
  })

  it("several who join one running fiber are views of it: one that is interrupted hurts nobody", async () => {
    const work = gate()
    const inner = Effect.runFork(Deferred.await(work))
    const views = [fork(Shield.shield(Fiber.join(inner))), fork(Fiber.join(inner)), fork(Fiber.join(inner))]
    await settle()
    views[0]!.cancel()
    views[1]!.cancel()
    open(work)
    await settle()
    assert.deepStrictEqual(
      views.map(({ state }) => state),
      ["cancelled", "cancelled", "done"]
    )
  }) // asyncio: test_shield_duplicate_log_once (one fiber, one failure)

  it.effect("around several: interrupted, all of them go on", () =>
    Effect.gen(function* () {
      const done: Array<number> = []
      const one = (n: number) =>
        Effect.zipRight(
          Effect.sleep(10),
          Effect.sync(() => done.push(n))
        )
      const caller = yield* Effect.fork(Shield.shield(Effect.all([one(1), one(2)], { concurrency: "unbounded" })))
      yield* TestClock.adjust(5)
      yield* Fiber.interrupt(caller)
      assert.deepStrictEqual(done, [])
      yield* TestClock.adjust(5)
      assert.deepStrictEqual(done.sort(), [1, 2])
    })
  ) // asyncio: test_shield_gather

  it.effect("several shields, waited for together: interrupted, the work of each goes on", () =>
    Effect.gen(function* () {
      const done: Array<number> = []
      const one = (n: number) =>
        Shield.shield(
          Effect.zipRight(
            Effect.sleep(10),
            Effect.sync(() => done.push(n))
          )
        )
      const caller = yield* Effect.fork(Effect.all([one(1), one(2)], { concurrency: "unbounded" }))
      yield* TestClock.adjust(5)
      yield* Fiber.interrupt(caller)
      assert.deepStrictEqual(done, [])
      yield* TestClock.adjust(5)
      assert.deepStrictEqual(done.sort(), [1, 2])
    })
  ) // asyncio: test_gather_shield

  // `Effect.disconnect` does not help there either, and says nothing.
  it("where the caller cannot be interrupted, it waits as critical does", async () => {
    const { shield } = noting()
    const work = gate()
    const caller = fork(Effect.uninterruptible(shield.shield(Deferred.await(work))))
    await settle()
    caller.cancel()
    await settle()
    assert.deepStrictEqual([caller.state, running(shield)], ["waiting", 1])
    open(work)
    await settle()
    assert.deepStrictEqual([caller.state, running(shield)], ["cancelled", 0])
  })

  it.effect("a timeout around it, also of zero, leaves the work alone", () =>
    Effect.gen(function* () {
      let done = 0
      const work = Shield.shield(
        Effect.zipRight(
          Effect.sleep(10),
          Effect.sync(() => ++done)
        )
      )
      for (const limit of [0, 5]) {
        const fiber = yield* Effect.fork(Effect.timeoutOption(work, limit))
        yield* TestClock.adjust(limit)
        assert.strictEqual((yield* Fiber.join(fiber))._tag, "None")
      }
      const patient = yield* Effect.fork(work)
      yield* TestClock.adjust(10)
      assert.strictEqual(yield* Fiber.join(patient), done)
    })
  ) // asyncio: test_zero_timeout, test_none_timeout, test_shielded_timeout

  it.effect("a timeout inside it works", () =>
    Effect.gen(function* () {
      for (const operation of [Shield.shield, Shield.critical]) {
        const fiber = yield* Effect.fork(operation(Effect.timeoutOption(Effect.never, 10)))
        yield* TestClock.adjust(10)
        assert.strictEqual((yield* Fiber.join(fiber))._tag, "None")
      }
    })
  )

  it.effect("the work has the services and the fiber refs of the caller, who takes over its changes", () =>
    Effect.gen(function* () {
      class Name extends Context.Tag("Name")<Name, string>() {}
      const ref = FiberRef.unsafeMake("caller")
      const work = Effect.zipLeft(Effect.all([Name, FiberRef.get(ref)]), FiberRef.set(ref, "work"))
      const seen = yield* Shield.shield(work).pipe(Effect.provide(Layer.succeed(Name, "service")))
      assert.deepStrictEqual([seen, yield* FiberRef.get(ref)], [["service", "caller"], "work"])
    })
  )

  it("without a shield of its own, a late failure is logged at error level, with the name", async () => {
    const logged: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => void logged.push(`${logLevel.label} ${String(message)}`))
    const work = gate()
    const caller = fork(
      Shield.shield(Deferred.await(work), { name: "save" }).pipe(
        Effect.provide(Logger.replace(Logger.defaultLogger, logger))
      )
    )
    await settle()
    caller.cancel()
    open(work, Effect.fail("oops"))
    await settle()
    assert.deepStrictEqual(logged, ["ERROR Shield: save: it failed after its caller had gone"])
  })

  it("an onError that fails hides neither the failure nor itself", async () => {
    const logged: Array<string> = []
    const logger = Logger.make(
      ({ cause, message }) => void logged.push(`${String(message)} ${String(Cause.squash(cause))}`)
    )
    const shield = Shield.makeUnsafe({ onError: () => Effect.die("bad reporter") })
    const work = gate()
    const caller = fork(
      shield
        .shield(Deferred.await(work), { name: "save" })
        .pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
    )
    await settle()
    caller.cancel()
    open(work, Effect.fail("oops"))
    await settle()
    assert.deepStrictEqual(logged, [
      "Shield: save: it failed after its caller had gone oops",
      "Shield.onError: save: the reporter failed bad reporter"
    ])
  })
})

describe("Shield.critical", () => {
  it("a caller that is interrupted waits for the end, and is interrupted then", async () => {
    const { reports, shield } = noting()
    const work = gate()
    let went = false
    const caller = fork(Effect.map(shield.critical(Deferred.await(work)), () => (went = true)))
    await settle()
    caller.cancel()
    await settle()
    assert.strictEqual(caller.state, "waiting")
    open(work)
    await settle()
    assert.deepStrictEqual([caller.state, went, reports], ["cancelled", false, []])
  })

  it("its failure when the caller is interrupted is reported once; otherwise the caller has it", async () => {
    for (const interrupt of [true, false]) {
      const { reports, shield } = noting()
      const work = gate()
      const caller = fork(shield.critical(Deferred.await(work), { name: "save" }))
      await settle()
      if (interrupt) caller.cancel()
      open(work, Effect.fail("oops"))
      await settle()
      assert.deepStrictEqual([caller.state, reports], interrupt ? ["cancelled", [late]] : ["failed", []])
    }
  })
})

describe("Shield.close", () => {
  // It returned with the report under way, and a program that ended then had lost the failure.
  it("waits until a late failure is reported", async () => {
    const log: Array<string> = []
    const program = Effect.gen(function* () {
      const shield = yield* Shield.make({
        onError: ({ name }) =>
          Effect.zipRight(
            Effect.sleep(5),
            Effect.sync(() => log.push(`told ${name}`))
          )
      })
      const work = Effect.zipRight(Effect.sleep(5), Effect.fail("oops"))
      const caller = yield* Effect.fork(shield.shield(work, { name: "save" }))
      yield* Effect.sleep(1)
      yield* Fiber.interrupt(caller)
      yield* shield.close
      log.push("closed")
    })
    await Effect.runPromise(Effect.scoped(program))
    assert.deepStrictEqual(log, ["told save", "closed"])
  })

  it.effect("waits for the work, takes more while it waits, and none after it", () =>
    Effect.gen(function* () {
      const { reports, shield } = noting()
      const log: Array<string> = []
      const step = (name: string) =>
        Effect.zipRight(
          Effect.sleep(10),
          Effect.sync(() => log.push(name))
        )
      yield* Effect.fork(shield.shield(Effect.zipRight(step("outer"), shield.shield(step("inner")))))
      yield* Effect.yieldNow()
      const closing = yield* Effect.fork(shield.close)
      yield* TestClock.adjust(19)
      assert.isNull(closing.unsafePoll())
      yield* TestClock.adjust(1)
      assert.deepStrictEqual([yield* Fiber.join(closing), log, reports], [[], ["outer", "inner"], []])
      for (const operation of [shield.shield, shield.critical]) {
        const error = yield* Effect.flip(
          operation(
            Effect.sync(() => assert.fail("runs")),
            { name: "late" }
          )
        )
        assert.instanceOf(error, Shield.ShieldClosed)
        assert.deepStrictEqual([error._tag, error.work], ["ShieldClosed", "late"])
        assert.strictEqual(error.message, 'the work "late" was not started: the shield is closed')
      }
    })
  )

  it.effect("at the deadline, and not before, reports by name what it leaves behind, which goes on", () =>
    Effect.gen(function* () {
      const { reports, shield } = noting({ deadline: "1 second" })
      let done = false
      yield* Effect.fork(
        shield.shield(
          Effect.zipRight(
            Effect.sleep(2_000),
            Effect.sync(() => (done = true))
          ),
          { name: "save" }
        )
      )
      yield* Effect.yieldNow()
      const closing = yield* Effect.fork(shield.close)
      yield* TestClock.adjust(999)
      assert.isNull(closing.unsafePoll())
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* Fiber.join(closing), ["save"])
      assert.strictEqual(reports.length, 1)
      assert.match(
        reports[0]!,
        /^Shield\.close undefined: 1 piece of shielded work had not ended by the deadline, and was left behind: save/
      )
      yield* TestClock.adjust(1_000)
      assert.isTrue(done)
    })
  )

  it("an awaitEmpty that is interrupted leaves at once", async () => {
    const { shield } = noting()
    const work = gate()
    const caller = fork(shield.shield(Deferred.await(work)))
    await settle()
    const [a, b] = [fork(shield.awaitEmpty), fork(Shield.awaitEmpty(shield))]
    await settle()
    a.cancel()
    await settle()
    assert.deepStrictEqual([a.state, b.state], ["cancelled", "waiting"])
    open(work)
    await settle()
    assert.deepStrictEqual([b.state, caller.state], ["done", "done"])
  })
})

describe("Shield: work that waits for it", () => {
  const message = "shielded work waits for all that is shielded, and so for itself, and would never end"

  for (const operation of ["awaitEmpty", "close"] as const) {
    it.effect(`${operation} tells it so, and does not hang`, () =>
      Effect.gen(function* () {
        for (const how of ["shield", "critical"] as const) {
          const { reports, shield } = noting()
          const exit = yield* Effect.exit(shield[how](shield[operation]))
          assert.strictEqual((dieWith(exit) as Error).message, `Shield.${operation}: ${message}`)
          yield* shield.awaitEmpty
          yield* Effect.yieldNow()
          const { isClosed } = yield* shield.stats
          assert.deepStrictEqual([isClosed, running(shield), reports], [operation === "close", 0, []])
        }
      })
    )
  }

  it.effect("close closes it all the same, at its deadline", () =>
    Effect.gen(function* () {
      const { reports, shield } = noting({ deadline: 100 })
      yield* Effect.fork(shield.shield(Effect.never, { name: "save" }))
      yield* Effect.exit(shield.shield(shield.close))
      yield* TestClock.adjust(100)
      assert.isTrue((yield* shield.stats).isClosed)
      assert.match(reports.join(), /left behind: save/)
    })
  )

  it.effect("a fiber that it has forked may wait, and so may the work of another shield, and its caller", () =>
    Effect.gen(function* () {
      const [here, there] = [noting(), noting()]
      const log: Array<string> = []
      const waits = Effect.map(here.shield.awaitEmpty, () => log.push("empty"))
      const work = Effect.zipRight(Effect.forkDaemon(waits), Effect.sleep(10))
      yield* Effect.fork(here.shield.shield(work))
      yield* Effect.yieldNow()
      const other = yield* Effect.fork(there.shield.shield(waits))
      yield* TestClock.adjust(10)
      yield* Fiber.join(other)
      yield* here.shield.critical(Effect.timeoutOption(Effect.void, 10))
      yield* waits
      assert.deepStrictEqual([log, here.reports, there.reports], [["empty", "empty", "empty"], [], []])
    })
  )

  it.effect("who has ended is not kept for that", () =>
    Effect.gen(function* () {
      const { shield } = noting()
      for (let i = 0; i < 10; i++) yield* Effect.exit(shield.shield(i % 2 ? Effect.void : Effect.fail("oops")))
      const caller = yield* Effect.fork(shield.shield(Effect.zipRight(Effect.sleep(5), Effect.fail("oops"))))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(caller)
      yield* TestClock.adjust(5)
      yield* shield.awaitEmpty
      yield* Effect.yieldNow()
      assert.strictEqual((shield as unknown as { insiders: Map<unknown, unknown> }).insiders.size, 0)
    })
  )
})

describe("Shield: an onError that never ends", () => {
  /** What is logged, and a program that runs with that. */
  const logging = () => {
    const lines: Array<string> = []
    const logger = Logger.make(({ message }) => void lines.push(String(message)))
    return { lines, layer: Logger.replace(Logger.defaultLogger, logger) }
  }
  const late = "(the report of this has not ended in time)"

  it.effect("keeps no layer from closing: at the deadline the failure is named and logged", () => {
    const { layer, lines } = logging()
    class Saves extends Shield.Service<Saves>()("test/Saves", { deadline: 100, onError: () => Effect.never }) {}
    return Effect.gen(function* () {
      const program = Effect.gen(function* () {
        const caller = yield* Effect.fork(
          Saves.shield(Effect.zipRight(Effect.sleep(5), Effect.fail("oops")), { name: "save" })
        )
        yield* Effect.yieldNow()
        yield* Fiber.interrupt(caller)
      })
      const main = yield* Effect.fork(Effect.provide(program, Saves.layer))
      yield* TestClock.adjust(99)
      assert.isNull(main.unsafePoll())
      yield* TestClock.adjust(1)
      yield* Fiber.join(main)
      assert.deepStrictEqual(lines, [`Shield: save: it failed after its caller had gone ${late}`])
    }).pipe(Effect.provide(layer))
  })

  it.effect("what it should say of work that is left behind has as long again, and is logged then", () => {
    const { layer, lines } = logging()
    return Effect.gen(function* () {
      const shield = Shield.makeUnsafe({ deadline: 100, onError: () => Effect.never })
      yield* Effect.fork(shield.shield(Effect.never, { name: "save" }))
      yield* Effect.yieldNow()
      const closing = yield* Effect.fork(shield.close)
      yield* TestClock.adjust(100)
      yield* TestClock.adjust(99)
      assert.deepStrictEqual([closing.unsafePoll(), lines], [null, []])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* Fiber.join(closing), ["save"])
      assert.match(lines.join(), /^Shield\.close: 1 piece of .*: save \(the report of this has not ended in time\)$/)
    }).pipe(Effect.provide(layer))
  })
})

describe("Shield: what it retains", () => {
  it("10,000 works, each with a caller who has gone, beside one that goes on: nothing", async () => {
    const { shield } = noting()
    const first = gate()
    const caller = fork(shield.shield(Deferred.await(first)))
    const round = async (n: number) => {
      for (let i = 0; i < n; i += 1_000) {
        const work = gate()
        const calls = Array.from({ length: 1_000 }, () => fork(shield.shield(Deferred.await(work))))
        await new Promise((resolve) => setImmediate(resolve))
        assert.strictEqual(running(shield), 1_001)
        for (const call of calls) call.cancel()
        open(work)
        await Effect.runPromise(Deferred.await(work))
        await settle()
      }
    }
    await round(2_000)
    const before = await heap()
    await round(10_000)
    assert.isBelow((await heap()) - before, 4)
    assert.deepStrictEqual([caller.state, running(shield)], ["waiting", 1])
  })
})

describe("Shield.Service", () => {
  it("closing the layer waits for the work of a program that was interrupted", async () => {
    class Saves extends Shield.Service<Saves>()("test/Saves") {}
    const log: Array<string> = []
    const save = Effect.zipRight(
      Effect.sleep(5),
      Effect.sync(() => log.push("saved"))
    )
    const program = Effect.zipRight(Effect.fork(Saves.critical(save)), Saves.shield(save))
    const main = Effect.runFork(Effect.provide(program, Saves.layer))
    await settle()
    await Effect.runPromise(Fiber.interrupt(main))
    assert.deepStrictEqual(log, ["saved", "saved"])
  })

  it.effect("its deadline may come from a Config, and its onError use a service", () =>
    Effect.gen(function* () {
      class Sink extends Context.Tag("Sink")<Sink, Array<string>>() {}
      class Saves extends Shield.Service<Saves>()(
        "test/Saves",
        Effect.map(Config.duration("DEADLINE"), (deadline) => ({
          deadline,
          onError: ({ message }: Shield.Unhandled) => Effect.map(Sink, (sink) => void sink.push(message))
        }))
      ) {}
      const sink: Array<string> = []
      const layer = Saves.layer.pipe(
        Layer.provide(Layer.succeed(Sink, sink)),
        Layer.provide(Layer.setConfigProvider(ConfigProvider.fromMap(new Map([["DEADLINE", "1 second"]]))))
      )
      const program = Effect.zipRight(Effect.fork(Saves.shield(Effect.never, { name: "save" })), Effect.yieldNow())
      const main = yield* Effect.fork(Effect.provide(program, layer))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(main)
      assert.strictEqual(sink.length, 1)
      assert.include(sink[0], "left behind: save")
    })
  )
})

describe("Shield refuses", () => {
  it("a negative duration, in words as in numbers", async () => {
    for (const deadline of ["-1 second", -1] as const) {
      const exit = await Effect.runPromise(Effect.exit(Effect.scoped(Shield.make({ deadline }))))
      const message = exit._tag === "Failure" ? Cause.pretty(exit.cause) : "accepted"
      assert.match(message, /Shield\.make: deadline must be .*, got ("-1 second"|-1)/)
    }
  })

  it.effect("what is no effect, no name, no deadline, no function", () =>
    Effect.gen(function* () {
      const message = (effect: Effect.Effect<unknown, unknown>) =>
        Effect.map(Effect.exit(effect), (exit) => (dieWith(exit) as Error).message)
      assert.match(yield* message(Shield.shield(5 as never)), /^Shield\.shield: effect must be an effect, got 5/)
      assert.match(
        yield* message(Shield.critical(Effect.void, { name: 5 as never })),
        /^Shield\.critical: name must be a/
      )
      assert.throws(() => Shield.makeUnsafe({ deadline: -1 }), RangeError, "Shield.make: deadline")
      assert.throws(() => Shield.makeUnsafe({ deadline: "soon" as never }), TypeError, "Shield.make: deadline")
      assert.throws(() => Shield.makeUnsafe({ onError: 5 as never }), TypeError, "Shield.make: onError")
      assert.throws(() => Shield.makeUnsafe(null as never), TypeError, "Shield.make: options")
    })
  )
})
