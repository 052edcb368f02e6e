import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  Config,
  ConfigError,
  ConfigProvider,
  Context,
  Deferred,
  Effect,
  Exit,
  Fiber,
  FiberId,
  Layer,
  Option
} from "effect"
import { Barrier } from "effect-concurrency"
import { Barrier as PromiseBarrier, BrokenBarrier } from "effect-concurrency/promise"
import { barrierLaws } from "./laws/Barrier.js"
import { fork, settle, skins, start } from "./laws/skins.js"
import { sweepIsClean } from "./utils/sweep.js"

for (const skin of skins) barrierLaws(skin)

const gate = () => Deferred.unsafeMake<void, string>(FiberId.none)
const open = (gate: Deferred.Deferred<void, string>) => Effect.runSync(Deferred.succeed(gate, undefined))
const stats = (barrier: Barrier.Barrier<any>) => Effect.runSync(barrier.stats)

/** The defect of an effect that dies at once. */
const defect = (effect: Effect.Effect<unknown, unknown>): unknown => {
  const exit = Effect.runSyncExit(effect)
  assert.isTrue(Exit.isFailure(exit) && Cause.isDie(exit.cause))
  return Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
}

describe("Barrier: interrupted at any operation", () => {
  for (const onInterrupt of ["withdraw", "break"] as const) {
    it(`a party that waits passes with the other, or ${onInterrupt}s`, () =>
      sweepIsClean({
        setup: () => ({
          barrier: Barrier.makeUnsafe(2, { onInterrupt }),
          other: fork(Effect.void as Effect.Effect<unknown>)
        }),
        victim: ({ barrier }) => Effect.zipRight(barrier.await, Effect.yieldNow()),
        meanwhile: (state) =>
          Effect.sync(() => {
            state.other = fork(state.barrier.await)
          }),
        verify: ({ barrier, other }, exit) => {
          const { isBroken, waiting } = stats(barrier)
          const fate = `victim ${exit._tag}, other ${other.state}, waiting ${waiting}, broken ${isBroken}`
          if (other.state === "done") return waiting === 0 && !isBroken ? undefined : fate
          if (Exit.isSuccess(exit)) return fate
          if (other.state === "failed") return onInterrupt === "break" && isBroken && waiting === 0 ? undefined : fate
          return waiting === 1 && !isBroken ? undefined : fate
        }
      }))

    it(`the last party to arrive takes the others along, or breaks the barrier, or never came (${onInterrupt})`, () =>
      sweepIsClean({
        setup: () => {
          const barrier = Barrier.makeUnsafe(2, { onInterrupt, action: Effect.yieldNow() })
          return { barrier, other: fork(barrier.await) }
        },
        victim: ({ barrier }) => Effect.zipRight(barrier.await, Effect.yieldNow()),
        verify: ({ barrier, other }, exit) => {
          const { isBroken, waiting } = stats(barrier)
          const fate = `victim ${exit._tag}, other ${other.state}, waiting ${waiting}, broken ${isBroken}`
          if (other.state === "done") return waiting === 0 && !isBroken ? undefined : fate
          if (Exit.isSuccess(exit)) return fate
          if (other.state === "failed") return waiting === 0 && isBroken ? undefined : fate
          return waiting === 1 && !isBroken ? undefined : fate
        }
      }))
  }

  it("the last party without an action takes the other along, or never came", () =>
    sweepIsClean({
      setup: () => {
        const barrier = Barrier.makeUnsafe(2)
        return { barrier, other: fork(barrier.await) }
      },
      victim: ({ barrier }) => Effect.zipRight(barrier.await, Effect.yieldNow()),
      verify: ({ barrier, other }) => {
        const { isBroken, waiting } = stats(barrier)
        return !isBroken && waiting === (other.state === "waiting" ? 1 : 0) ? undefined : `waiting ${waiting}`
      }
    }))
})

describe("Barrier for effects", () => {
  it("parties pass in order of arrival, the last one first", async () => {
    const barrier = Barrier.makeUnsafe(4)
    const log: Array<number> = []
    for (let i = 0; i < 4; i++) fork(Effect.tap(barrier.await, (index) => log.push(index)))
    await settle()
    assert.deepStrictEqual(log, [3, 0, 1, 2])
  })

  it("a party fails with BrokenBarrier in the error channel, for catchTag", async () => {
    const barrier = Barrier.makeUnsafe(2)
    Effect.runSync(barrier.abort)
    const caught = Effect.runSync(Effect.catchTag(barrier.await, "BrokenBarrier", (error) => Effect.succeed(error)))
    assert.instanceOf(caught, BrokenBarrier)
    assert.strictEqual(Barrier.BrokenBarrier, BrokenBarrier)
    assert.strictEqual(caught.message, "the barrier is broken")
  })

  describe("action", () => {
    it("is waited for: nobody passes before it ends", async () => {
      const done = gate()
      const barrier = Barrier.makeUnsafe(2, { action: Deferred.await(done) })
      const attempts = [fork(barrier.await), fork(barrier.await)]
      await settle()
      assert.deepStrictEqual(
        attempts.map(({ state }) => state),
        ["waiting", "waiting"]
      )
      assert.deepStrictEqual(stats(barrier), { parties: 2, waiting: 0, isBroken: false })
      open(done)
      await settle()
      assert.deepStrictEqual(
        attempts.map(({ value }) => value),
        [0, 1]
      )
    })

    it("that fails: its error is the last one's, the others get BrokenBarrier", async () => {
      const done = gate()
      const barrier = Barrier.makeUnsafe(3, { action: Deferred.await(done) })
      const attempts = [fork(barrier.await), fork(barrier.await), fork(barrier.await)]
      await settle()
      Effect.runSync(Deferred.fail(done, "no"))
      await settle()
      assert.strictEqual(attempts[2]!.error, "no")
      assert.instanceOf(attempts[0]!.error, BrokenBarrier)
      assert.instanceOf(attempts[1]!.error, BrokenBarrier)
      assert.isTrue(Effect.runSync(barrier.isBroken))
    })

    it("that is interrupted with the last party breaks the barrier for the others", async () => {
      let interrupted = false
      const action = Effect.onInterrupt(Effect.never, () => Effect.sync(() => (interrupted = true)))
      const barrier = Barrier.makeUnsafe(2, { action })
      const other = fork(barrier.await)
      const last = fork(barrier.await)
      await settle()
      last.cancel()
      await settle()
      assert.isTrue(interrupted)
      assert.strictEqual(last.state, "cancelled")
      assert.instanceOf(other.error, BrokenBarrier)
      assert.isTrue(Effect.runSync(barrier.isBroken))
    })

    for (const onInterrupt of ["withdraw", "break"] as const) {
      it(`goes on when another party is interrupted: the rest pass (${onInterrupt})`, async () => {
        const done = gate()
        const barrier = Barrier.makeUnsafe(3, { action: Deferred.await(done), onInterrupt })
        const [victim, other, last] = [fork(barrier.await), fork(barrier.await), fork(barrier.await)]
        await settle()
        victim.cancel()
        await settle()
        assert.strictEqual(victim.state, "cancelled")
        assert.deepStrictEqual([other.state, last.state], ["waiting", "waiting"])
        open(done)
        await settle()
        assert.deepStrictEqual([other.value, last.value], [1, 2])
        assert.isFalse(Effect.runSync(barrier.isBroken))
      })
    }

    it("does not keep newcomers from arriving: two rounds may have theirs running", async () => {
      const gates = [gate(), gate()]
      let round = 0
      const barrier = Barrier.makeUnsafe(2, { action: Effect.suspend(() => Deferred.await(gates[round++]!)) })
      const attempts = Array.from({ length: 4 }, () => fork(barrier.await))
      await settle()
      assert.strictEqual(round, 2)
      open(gates[1]!)
      await settle()
      assert.deepStrictEqual(
        attempts.map(({ state }) => state),
        ["waiting", "waiting", "done", "done"]
      )
      open(gates[0]!)
      await settle()
      assert.deepStrictEqual(
        attempts.map(({ value }) => value),
        [0, 1, 0, 1]
      )
    })

    it("that fails breaks a later round that waits, too", async () => {
      const done = gate()
      const barrier = Barrier.makeUnsafe(2, { action: Deferred.await(done) })
      const attempts = [fork(barrier.await), fork(barrier.await), fork(barrier.await)]
      await settle()
      Effect.runSync(Deferred.fail(done, "no"))
      await settle()
      assert.instanceOf(attempts[2]!.error, BrokenBarrier)
      assert.strictEqual(stats(barrier).waiting, 0)
    })

    for (const operation of ["reset", "abort"] as const) {
      it(`during which there is ${operation === "reset" ? "a reset" : "an abort"}: its round is broken, for the last one as well`, async () => {
        const done = gate()
        const barrier = Barrier.makeUnsafe(2, { action: Deferred.await(done) })
        const [other, last] = [fork(barrier.await), fork(barrier.await)]
        await settle()
        Effect.runSync(barrier[operation])
        await settle()
        assert.instanceOf(other.error, BrokenBarrier)
        assert.strictEqual(last.state, "waiting")
        open(done)
        await settle()
        assert.instanceOf(last.error, BrokenBarrier)
        assert.strictEqual(Effect.runSync(barrier.isBroken), operation === "abort")
      })
    }

    it("that ends late, after a reset, neither passes nor breaks the round of then", async () => {
      for (const fails of [false, true]) {
        const done = gate()
        const barrier = Barrier.makeUnsafe(2, { action: Deferred.await(done) })
        fork(barrier.await)
        const last = fork(barrier.await)
        await settle()
        Effect.runSync(barrier.reset)
        const next = fork(barrier.await)
        await settle()
        if (fails) Effect.runSync(Deferred.fail(done, "no"))
        else open(done)
        await settle()
        if (fails) assert.strictEqual(last.error, "no")
        else assert.instanceOf(last.error, BrokenBarrier)
        assert.strictEqual(next.state, "waiting")
        assert.deepStrictEqual(stats(barrier), { parties: 2, waiting: 1, isBroken: false })
      }
    })

    it("takes what it needs from where the barrier is made", async () => {
      class Name extends Context.Tag("test/Name")<Name, string>() {}
      const log: Array<string> = []
      const action = Effect.map(Name, (name) => log.push(name))
      const barrier = Effect.runSync(Effect.provideService(Barrier.make(1, { action }), Name, "maker"))
      await Effect.runPromise(barrier.await)
      await PromiseBarrier.from(barrier).wait()
      assert.deepStrictEqual(log, ["maker", "maker"])
    })
  })

  describe("with a promise party", () => {
    it("a fiber and a promise meet", async () => {
      const barrier = Effect.runSync(Barrier.make(2))
      const facade = PromiseBarrier.from(barrier)
      const fiber = fork(barrier.await)
      assert.strictEqual(await facade.wait(), 1)
      await settle()
      assert.strictEqual(fiber.value, 0)
      const promise = facade.wait()
      assert.strictEqual(await Effect.runPromise(barrier.await), 1)
      assert.strictEqual(await promise, 0)
    })

    it("that comes last runs the action, and waits for it", async () => {
      const done = gate()
      const barrier = Barrier.makeUnsafe(2, { action: Deferred.await(done) })
      const fiber = fork(barrier.await)
      const promise = start((options) => PromiseBarrier.from(barrier).wait(options))
      await settle()
      assert.deepStrictEqual([fiber.state, promise.state], ["waiting", "waiting"])
      open(done)
      await settle()
      assert.deepStrictEqual([fiber.value, promise.value], [0, 1])
    })

    it("that comes last and whose action fails rejects with the original error", async () => {
      const oops = new Error("oops")
      for (const action of [Effect.fail(oops), Effect.die(oops)]) {
        const barrier = Barrier.makeUnsafe(2, { action })
        const fiber = fork(barrier.await)
        const promise = start((options) => PromiseBarrier.from(barrier).wait(options))
        await settle()
        assert.strictEqual(promise.error, oops)
        assert.instanceOf(fiber.error, BrokenBarrier)
        assert.isTrue(Effect.runSync(barrier.isBroken))
      }
    })

    it("that comes last and whose action is interrupted rejects, and the barrier is broken", async () => {
      const barrier = Barrier.makeUnsafe(2, { action: Effect.interrupt })
      const fiber = fork(barrier.await)
      const promise = start((options) => PromiseBarrier.from(barrier).wait(options))
      await settle()
      assert.strictEqual(promise.state, "failed")
      assert.instanceOf(fiber.error, BrokenBarrier)
    })
  })

  describe("refuses as a defect", () => {
    for (const parties of [0, -4, 1.5, NaN, Infinity]) {
      it(`${parties} parties`, () => {
        const error = defect(Barrier.make(parties))
        assert.instanceOf(error, RangeError)
        assert.strictEqual(
          (error as Error).message,
          `Barrier.make: parties must be an integer of at least 1, got ${parties}`
        )
        assert.throws(() => Barrier.makeUnsafe(parties), RangeError, "Barrier.make: parties must be")
      })
    }

    it("an action that is no effect", () => {
      const bad = { action: (() => {}) as never }
      const message = /^Barrier\.make: action must be an effect, got /
      assert.match((defect(Barrier.make(2, bad)) as Error).message, message)
      assert.throws(() => Barrier.makeUnsafe(2, bad), TypeError, message)
    })

    it("options that are none", () => {
      const message = /^Barrier\.make: options must be an object, got null$/
      assert.match((defect(Barrier.make(2, null as never)) as Error).message, message)
      assert.throws(() => Barrier.makeUnsafe(2, null as never), TypeError, message)
    })

    it("an onInterrupt that there is not", () => {
      const bad = { onInterrupt: "leave" as "break" }
      const message = /^Barrier\.make: onInterrupt must be one of "withdraw", "break", got "leave"$/
      assert.match((defect(Barrier.make(2, bad)) as Error).message, message)
      assert.throws(() => Barrier.makeUnsafe(2, bad), message)
    })
  })

  it("module functions are the methods", () =>
    Effect.runPromise(
      Effect.gen(function* () {
        const barrier = yield* Barrier.make(2)
        const waiter = yield* Effect.fork(Barrier.await(barrier))
        yield* Effect.yieldNow()
        assert.deepStrictEqual(yield* Barrier.stats(barrier), { parties: 2, waiting: 1, isBroken: false })
        assert.strictEqual(yield* Barrier.await(barrier), 1)
        assert.strictEqual(yield* Fiber.join(waiter), 0)
        yield* Barrier.abort(barrier)
        assert.isTrue(yield* Barrier.isBroken(barrier))
        yield* Barrier.reset(barrier)
        assert.isFalse(yield* Barrier.isBroken(barrier))
      })
    ))
})

describe("Barrier.Service", () => {
  class PhaseEnd extends Barrier.Service<PhaseEnd>()("test/PhaseEnd", { parties: 2 }) {}

  it("has the operations of whichever barrier is provided", () =>
    Effect.runPromise(
      Effect.gen(function* () {
        const waiter = yield* Effect.fork(PhaseEnd.await)
        yield* Effect.yieldNow()
        assert.deepStrictEqual(yield* PhaseEnd.stats, { parties: 2, waiting: 1, isBroken: false })
        const barrier = yield* PhaseEnd
        assert.strictEqual(yield* barrier.await, 1)
        assert.strictEqual(yield* Fiber.join(waiter), 0)
        yield* PhaseEnd.abort
        assert.isTrue(yield* PhaseEnd.isBroken)
        yield* PhaseEnd.reset
        assert.isFalse(yield* barrier.isBroken)
      }).pipe(Effect.provide(PhaseEnd.layer))
    ))

  it("of two classes, or built twice, are two barriers", () => {
    class Other extends Barrier.Service<Other>()("test/OtherPhaseEnd", { parties: 3 }) {}
    const build = () => Effect.runSync(Effect.provide(PhaseEnd, PhaseEnd.layer))
    assert.notStrictEqual(build(), build())
    const seen = Effect.runSync(
      Effect.zipRight(PhaseEnd.abort, Other.stats).pipe(Effect.provide(Layer.merge(PhaseEnd.layer, Other.layer)))
    )
    assert.deepStrictEqual(seen, { parties: 3, waiting: 0, isBroken: false })
  })

  describe("with options that are found out", () => {
    class Configured extends Barrier.Service<Configured>()(
      "test/Configured",
      Config.all({ parties: Config.integer("PARTIES") })
    ) {}

    const built = (config: ReadonlyArray<readonly [string, string]>) =>
      Effect.exit(Effect.provide(Configured.stats, Configured.layer)).pipe(
        Effect.withConfigProvider(ConfigProvider.fromMap(new Map(config))),
        Effect.runSync
      )

    it("finds them when the layer is built", () => {
      assert.deepStrictEqual(built([["PARTIES", "7"]]), Exit.succeed({ parties: 7, waiting: 0, isBroken: false }))
    })

    it("fails as they do", () => {
      const exit = built([])
      assert.isTrue(Exit.isFailure(exit))
      const error = Exit.isFailure(exit) ? Option.getOrThrow(Cause.failureOption(exit.cause)) : undefined
      assert.isTrue(ConfigError.isConfigError(error))
      class Failing extends Barrier.Service<Failing>()("test/Failing", Effect.fail("no options")) {}
      assert.deepStrictEqual(
        Effect.runSyncExit(Effect.provide(Failing.stats, Failing.layer)),
        Exit.fail("no options") as never
      )
    })

    it("dies of bad ones", () => {
      const exit = built([["PARTIES", "0"]])
      assert.isTrue(Exit.isFailure(exit) && Cause.isDie(exit.cause))
      const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
      assert.instanceOf(error, RangeError)
      assert.strictEqual((error as Error).message, "Barrier.make: parties must be an integer of at least 1, got 0")
    })
  })

  it("refuses options that are none", () => {
    class Bad extends Barrier.Service<Bad>()("test/Bad", null as never) {}
    const error = defect(Effect.provide(Bad.stats, Bad.layer)) as Error
    assert.strictEqual(error.message, "Barrier.Service: options must be an object, got null")
  })

  it("with an action: it runs, and its failure is the last one's", async () => {
    class Failing extends Barrier.Service<Failing>()("test/FailingAction", {
      parties: 2,
      action: Effect.fail("no" as const)
    }) {}
    const exits = await Effect.runPromise(
      Effect.all([Effect.exit(Failing.await), Effect.exit(Failing.await)], { concurrency: "unbounded" }).pipe(
        Effect.provide(Failing.layer)
      )
    )
    assert.deepStrictEqual(exits[1], Exit.fail("no" as const))
    const error = Exit.isFailure(exits[0]) ? Cause.squash(exits[0].cause) : undefined
    assert.instanceOf(error, BrokenBarrier)
  })
})
