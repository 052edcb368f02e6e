import { assert, describe, it } from "@effect/vitest"
import { Cause, Config, ConfigProvider, Effect, Exit, Fiber, Layer } from "effect"
import { Guarded } from "effect-concurrency"
import { guardedLaws } from "./laws/Guarded.js"
import { settle, skins } from "./laws/skins.js"
import { gate } from "./utils/gate.js"
import { dieWith } from "./utils/defects.js"
import { sweepIsClean } from "./utils/sweep.js"

for (const skin of skins) guardedLaws(skin)

const statsOf = <A>(guarded: Guarded.Guarded<A>): Guarded.Stats => Effect.runSync(guarded.stats)

const free = { capacity: 1, inUse: 0, waiting: 0 }

describe("Guarded: interrupted at any operation", () => {
  const changes: Record<string, (guarded: Guarded.Guarded<number>) => Effect.Effect<unknown, unknown>> = {
    set: (guarded) => guarded.set(1),
    update: (guarded) => guarded.update((value) => value + 1),
    modify: (guarded) => guarded.modify((value) => [value, value + 1]),
    updateEffect: (guarded) => guarded.updateEffect((value) => Effect.as(Effect.yieldNow(), value + 1)),
    modifyEffect: (guarded) =>
      guarded.modifyEffect((value) => Effect.as(Effect.yieldNow(), [value, value + 1] as const))
  }

  const whole = (guarded: Guarded.Guarded<number>, exit: Exit.Exit<unknown, unknown>) => {
    assert.deepStrictEqual(statsOf(guarded), free)
    const value = Effect.runSync(guarded.get)
    assert.oneOf(value, [0, 1])
    if (Exit.isSuccess(exit)) assert.strictEqual(value, 1)
  }

  for (const [name, change] of Object.entries(changes)) {
    it(`${name} leaves the old value or the new one, and a free lock`, async () => {
      const { operations } = await sweepIsClean({
        setup: () => Guarded.makeUnsafe(0),
        victim: change,
        verify: whole
      })
      assert.isAbove(operations, 2)
    })

    it(`${name} that has to wait leaves the old value or the new one, and a free lock`, async () => {
      const { operations } = await sweepIsClean({
        setup: () => {
          const { open, opened } = gate()
          const guarded = Guarded.makeUnsafe(0)
          Effect.runFork(
            guarded.updateEffect((value) =>
              Effect.as(
                Effect.promise(() => opened),
                value
              )
            )
          )
          return { guarded, open }
        },
        victim: ({ guarded }) => change(guarded),
        meanwhile: ({ open }) => Effect.sync(open),
        verify: ({ guarded }, exit) => whole(guarded, exit)
      })
      assert.isAbove(operations, 2)
    })
  }
})

describe("Guarded: a change that does not succeed", () => {
  const changes = (effect: Effect.Effect<never, string>) => (guarded: Guarded.Guarded<number>) =>
    [guarded.updateEffect(() => effect), guarded.modifyEffect(() => effect)] as const

  it("fails as its effect does, and the old value stays", async () => {
    const guarded = Guarded.makeUnsafe(1)
    for (const change of changes(Effect.fail("no"))(guarded)) {
      assert.deepStrictEqual(await Effect.runPromise(Effect.exit(change)), Exit.fail("no"))
    }
    assert.deepStrictEqual([Effect.runSync(guarded.get), statsOf(guarded)], [1, free])
  })

  it("dies as its effect, or its function, does, and the old value stays", async () => {
    const guarded = Guarded.makeUnsafe(1)
    const defect = new Error("defect")
    const broken = (): never => {
      throw defect
    }
    const all = [
      ...changes(Effect.die(defect))(guarded),
      guarded.update(broken),
      guarded.modify(broken),
      guarded.updateEffect<never, never>(broken),
      guarded.modifyEffect<never, never, never>(broken)
    ]
    for (const change of all) assert.strictEqual(dieWith(await Effect.runPromise(Effect.exit(change))), defect)
    assert.deepStrictEqual([Effect.runSync(guarded.get), statsOf(guarded)], [1, free])
  })

  it("is interrupted as its effect is, and the old value stays", async () => {
    const guarded = Guarded.makeUnsafe(1)
    for (const change of changes(Effect.never)(guarded)) {
      const fiber = Effect.runFork(change)
      const next = Effect.runFork(guarded.updateEffect(Effect.succeed))
      await settle()
      assert.deepStrictEqual(statsOf(guarded), { capacity: 1, inUse: 1, waiting: 1 })
      assert.isTrue(Exit.isInterrupted(await Effect.runPromise(Fiber.interrupt(fiber))))
      await Effect.runPromise(Fiber.join(next))
    }
    assert.deepStrictEqual([Effect.runSync(guarded.get), statsOf(guarded)], [1, free])
  })

  it("was interrupted before its first step: nothing is asked and nothing called", async () => {
    const guarded = Guarded.makeUnsafe(1)
    let called = false
    const change = guarded.update((value) => {
      called = true
      return value + 1
    })
    await Effect.runPromise(Fiber.interrupt(Effect.runFork(change, { immediate: false })))
    assert.deepStrictEqual([called, Effect.runSync(guarded.get), statsOf(guarded)], [false, 1, free])
  })
})

describe("Guarded: operations", () => {
  it("set waits for its turn", async () => {
    const guarded = Guarded.makeUnsafe("old")
    const { open, opened } = gate()
    Effect.runFork(
      guarded.updateEffect((value) =>
        Effect.as(
          Effect.promise(() => opened),
          `${value}er`
        )
      )
    )
    const setting = Effect.runFork(guarded.set("new"))
    await settle()
    assert.strictEqual(Effect.runSync(guarded.get), "old")
    open()
    await Effect.runPromise(Fiber.join(setting))
    assert.strictEqual(Effect.runSync(guarded.get), "new")
  })

  it("may be built once and run often", () => {
    const guarded = Guarded.makeUnsafe(0)
    const next = guarded.modify((value) => [value, value + 1])
    assert.deepStrictEqual(Effect.runSync(Effect.all([next, next, next])), [0, 1, 2])
  })

  it("are module functions too, data first and data last", () => {
    const program = Effect.gen(function* () {
      const guarded = yield* Guarded.make(0)
      yield* Guarded.set(guarded, 1)
      const log: Array<unknown> = [yield* Guarded.get(guarded)]
      yield* Guarded.set(2)(guarded)
      yield* Guarded.update(guarded, (value) => value + 1)
      yield* Guarded.update((value: number) => value + 1)(guarded)
      log.push(yield* Guarded.modify(guarded, (value) => [`was ${value}`, value + 1]))
      log.push(yield* Guarded.modify((value: number) => [`was ${value}`, value + 1] as const)(guarded))
      yield* Guarded.updateEffect(guarded, (value) => Effect.succeed(value + 1))
      yield* Guarded.updateEffect((value: number) => Effect.succeed(value + 1))(guarded)
      log.push(yield* Guarded.modifyEffect(guarded, (value) => Effect.succeed([`was ${value}`, value + 1] as const)))
      log.push(
        yield* Guarded.modifyEffect((value: number) => Effect.succeed([`was ${value}`, value + 1] as const))(guarded)
      )
      log.push(yield* Guarded.get(guarded), yield* Guarded.stats(guarded))
      return log
    })
    assert.deepStrictEqual(Effect.runSync(program), [1, "was 4", "was 5", "was 8", "was 9", 10, free])
  })

  it("die at once when they get no function, also while somebody has the lock, and nothing has changed", () => {
    const guarded = Guarded.makeUnsafe<unknown>(1)
    const { modify, modifyEffect, update, updateEffect } = Guarded
    const messages = (bad: never, got: string) => {
      for (const [name, operation] of Object.entries({ modify, modifyEffect, update, updateEffect })) {
        const method = guarded[name as "update"]
        for (const call of [method(bad), (operation as typeof update)(guarded, bad)]) {
          const error = dieWith(Effect.runSyncExit(call)) as Error
          assert.instanceOf(error, TypeError)
          assert.strictEqual(error.message, `Guarded.${name}: f must be a function, got ${got}`)
        }
      }
    }
    const all = Effect.sync(() => {
      messages(5 as never, "5")
      messages(undefined as never, "undefined")
      messages(new Date() as never, "an object (Date)")
    })
    Effect.runSync(all)
    Effect.runSync(guarded.updateEffect((value) => Effect.as(all, value)))
    assert.deepStrictEqual([Effect.runSync(guarded.get), statsOf(guarded)], [1, free])
  })

  it("die when modify returns no pair, and the old value stays", () => {
    const guarded = Guarded.makeUnsafe(1)
    const calls = [
      ["Guarded.modify", guarded.modify(() => 2 as any)],
      ["Guarded.modifyEffect", guarded.modifyEffect(() => Effect.succeed(2 as any))]
    ] as const
    for (const [name, call] of calls) {
      const message = `${name}: the function must return a pair: what to return, and the new value`
      assert.strictEqual((dieWith(Effect.runSyncExit(call)) as Error).message, message)
    }
    assert.deepStrictEqual([Effect.runSync(guarded.get), statsOf(guarded)], [1, free])
  })
})

describe("Guarded.Service", () => {
  class Balance extends Guarded.Service<Balance, number>()("test/Balance", { initial: 100 }) {}

  it("has all operations of the instance", async () => {
    const program = Effect.gen(function* () {
      const balance = yield* Balance
      const log: Array<unknown> = [yield* balance.get]
      yield* Balance.set(1)
      yield* Balance.update((value) => value + 1)
      log.push(yield* Balance.modify((value) => ["modified", value + 1]))
      yield* Balance.updateEffect((value) => Effect.succeed(value + 1))
      log.push(yield* Balance.modifyEffect((value) => Effect.succeed(["too", value + 1] as const)))
      log.push(yield* Balance.get, yield* Balance.stats)
      return log
    })
    const log = await Effect.runPromise(Effect.provide(program, Balance.layer))
    assert.deepStrictEqual(log, [100, "modified", "too", 5, free])
  })

  it("is one instance in one build, and another in another layer or build", async () => {
    const program = Effect.gen(function* () {
      yield* Balance.set(1)
      return [yield* Balance.get, yield* Effect.provide(Balance.get, Layer.fresh(Balance.layer))]
    })
    const layer = Layer.merge(Balance.layer, Balance.layer)
    assert.deepStrictEqual(await Effect.runPromise(Effect.provide(program, layer)), [1, 100])
    assert.strictEqual(await Effect.runPromise(Effect.provide(Balance.get, layer)), 100)
  })

  it("finds its options out when its layer is built, and fails as they do", async () => {
    class FromConfig extends Guarded.Service<FromConfig, number>()(
      "test/FromConfig",
      Config.all({ initial: Config.integer("INITIAL") })
    ) {}
    const program = Effect.provide(FromConfig.get, FromConfig.layer)
    const withInitial = (initial: string) =>
      Effect.withConfigProvider(program, ConfigProvider.fromMap(new Map([["INITIAL", initial]])))
    assert.strictEqual(await Effect.runPromise(withInitial("7")), 7)
    const failed = await Effect.runPromiseExit(withInitial("seven"))
    assert.isTrue(Exit.isFailure(failed) && Cause.isFailure(failed.cause))
    class Failing extends Guarded.Service<Failing, number>()("test/Failing", Effect.fail("none" as const)) {}
    const exit = await Effect.runPromise(Effect.exit(Effect.provide(Failing.get, Failing.layer)))
    assert.deepStrictEqual(exit, Exit.fail("none"))
  })

  it("refuses options that are none", async () => {
    class Bad extends Guarded.Service<Bad, number>()("test/Bad", null as never) {}
    const error = dieWith(await Effect.runPromiseExit(Effect.provide(Bad.get, Bad.layer)))
    assert.strictEqual((error as Error).message, "Guarded.Service: options must be an object, got null")
  })
})
