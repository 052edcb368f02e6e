import { assert, describe, it } from "@effect/vitest"
import { Cause, Config, ConfigProvider, Effect, Exit, Fiber, Layer, Option, Scope } from "effect"
import { Semaphore } from "effect-concurrency"
import { semaphoreLaws } from "./laws/Semaphore.js"
import { settle, skins } from "./laws/skins.js"
import { dieWith } from "./utils/defects.js"
import { sweepIsClean } from "./utils/sweep.js"

for (const skin of skins) semaphoreLaws(skin)

const statsOf = (semaphore: Semaphore.Semaphore): Semaphore.Stats => Effect.runSync(semaphore.stats)

const taken = (permits: number, options: number | Semaphore.Options) => {
  const semaphore = Semaphore.makeUnsafe(options)
  Effect.runSync(semaphore.take(permits))
  return semaphore
}

const permitsAreBack = (semaphore: Semaphore.Semaphore) => {
  const { inUse, waiting } = statsOf(semaphore)
  return inUse === 0 && waiting === 0 ? undefined : `in use ${inUse}, waiting ${waiting}`
}

describe("Semaphore: interrupted at any operation", () => {
  class Slots extends Semaphore.Service<Slots>()("test/Slots", { permits: 2 }) {}

  const holders: Record<string, (semaphore: Semaphore.Semaphore) => Effect.Effect<unknown, unknown>> = {
    withPermits: (semaphore) => semaphore.withPermits(2)(Effect.yieldNow()),
    "withPermits with a priority": (semaphore) => semaphore.withPermits(2, { priority: 1 })(Effect.yieldNow()),
    "withPermits around a body that fails": (semaphore) =>
      semaphore.withPermits(2)(Effect.zipRight(Effect.yieldNow(), Effect.fail("body"))),
    "withPermits around a body that is synchronous": (semaphore) => semaphore.withPermits(2)(Effect.sync(() => 1)),
    withPermit: (semaphore) => semaphore.withPermit(semaphore.withPermit(Effect.yieldNow())),
    withPermitsIfAvailable: (semaphore) => semaphore.withPermitsIfAvailable(2)(Effect.yieldNow()),
    acquire: (semaphore) => Effect.scoped(Effect.zipRight(semaphore.acquire(2), Effect.yieldNow())),
    "two of acquire": (semaphore) =>
      Effect.scoped(Effect.zipRight(semaphore.acquire(1), Effect.zipRight(semaphore.acquire(1), Effect.yieldNow()))),
    "the service's withPermits": (semaphore) =>
      Effect.yieldNow().pipe(Slots.withPermits(2), Effect.provideService(Slots, semaphore)),
    "the service's acquire": (semaphore) =>
      Effect.zipRight(Slots.acquire(2), Effect.yieldNow()).pipe(Effect.scoped, Effect.provideService(Slots, semaphore)),
    "the module's withPermits": (semaphore) => Effect.yieldNow().pipe(Semaphore.withPermits(semaphore, 2))
  }

  for (const [name, victim] of Object.entries(holders)) {
    it(`${name} gives back what it holds`, async () => {
      const { operations } = await sweepIsClean({
        setup: () => Semaphore.makeUnsafe(2),
        victim,
        verify: permitsAreBack
      })
      assert.isAbove(operations, 2)
    })

    it(`${name} that has to wait gives back what it is granted`, async () => {
      const { operations } = await sweepIsClean({
        setup: () => taken(1, 2),
        victim,
        meanwhile: (semaphore) => semaphore.release(1),
        verify: permitsAreBack
      })
      assert.isAbove(operations, 2)
    })

    it(`${name} that has to wait, "throughput", gives back what it is granted`, async () => {
      const { operations } = await sweepIsClean({
        setup: () => taken(1, { permits: 2, fairness: "throughput" }),
        victim,
        meanwhile: (semaphore) => semaphore.release(1),
        verify: permitsAreBack
      })
      assert.isAbove(operations, 2)
    })

    it(`${name} passes on what it is granted to whoever waits behind it`, async () => {
      const { operations } = await sweepIsClean({
        setup: () => ({ semaphore: taken(1, 2), behind: undefined as Fiber.RuntimeFiber<number> | undefined }),
        victim: ({ semaphore }) => victim(semaphore),
        meanwhile: (state) =>
          Effect.suspend(() => {
            state.behind = Effect.runFork(state.semaphore.take(2))
            return state.semaphore.release(1)
          }),
        verify: ({ behind, semaphore }) => {
          const { inUse, waiting } = statsOf(semaphore)
          const reached = behind!.unsafePoll() !== null
          return reached && inUse === 2 && waiting === 0
            ? undefined
            : `reached ${reached}, in use ${inUse}, waiting ${waiting}`
        }
      })
      assert.isAbove(operations, 2)
    })

    it(`${name} gives back nothing that a releaseAll took back meanwhile`, async () => {
      const { operations } = await sweepIsClean({
        setup: () => taken(1, 2),
        victim,
        meanwhile: (semaphore) => Effect.zipRight(semaphore.releaseAll, Effect.asVoid(semaphore.release(0))),
        verify: permitsAreBack
      })
      assert.isAbove(operations, 2)
    })
  }

  type Take = (semaphore: Semaphore.Semaphore, next: () => Effect.Effect<void>) => Effect.Effect<void>

  const takers: Record<string, Take> = {
    take: (semaphore, next) => Effect.flatMap(semaphore.take(1), next),
    "take with a priority": (semaphore, next) => Effect.flatMap(semaphore.take(1, { priority: 1 }), next),
    "the module's take": (semaphore, next) => Effect.flatMap(Semaphore.take(semaphore, 1), next),
    "the service's take": (semaphore, next) =>
      Effect.provideService(Effect.flatMap(Slots.take(1), next), Slots, semaphore)
  }

  for (const [name, take] of Object.entries(takers)) {
    for (const waits of [false, true]) {
      it(`${name} ${waits ? "that has to wait " : ""}has taken nothing, or reaches the next step`, async () => {
        const { operations } = await sweepIsClean({
          setup: () => ({ semaphore: waits ? taken(1, 1) : Semaphore.makeUnsafe(1), reached: false }),
          victim: (state) =>
            take(state.semaphore, () => {
              state.reached = true
              return Effect.void
            }),
          meanwhile: (state) => (waits ? state.semaphore.release(1) : Effect.void),
          verify: ({ reached, semaphore }) => {
            const { inUse, waiting } = statsOf(semaphore)
            const lost = inUse !== (reached ? 1 : 0) || waiting !== 0
            return lost ? `in use ${inUse}, waiting ${waiting}, reached the next step: ${reached}` : undefined
          }
        })
        assert.isAbove(operations, 2)
      })
    }
  }

  it("tryTake has taken nothing, or reaches the next step", async () => {
    const { operations } = await sweepIsClean({
      setup: () => ({ semaphore: Semaphore.makeUnsafe(1), reached: false }),
      victim: (state) =>
        Effect.flatMap(state.semaphore.tryTake(1), (taken) => {
          state.reached = taken
          return Effect.yieldNow()
        }),
      verify: ({ reached, semaphore }) =>
        statsOf(semaphore).inUse === (reached ? 1 : 0) ? undefined : `reached the next step: ${reached}`
    })
    assert.isAbove(operations, 2)
  })

  it("who is refused by a resize while he waits has nothing and leaves nothing", async () => {
    const { operations } = await sweepIsClean({
      setup: () => taken(1, 3),
      victim: (semaphore) => semaphore.withPermits(3)(Effect.yieldNow()),
      meanwhile: (semaphore) => Effect.zipRight(semaphore.resize(2), semaphore.release(1)),
      verify: permitsAreBack
    })
    assert.isAbove(operations, 2)
  })
})

describe("Semaphore: interruption", () => {
  it("before the first step asks for nothing", async () => {
    const semaphore = Semaphore.makeUnsafe(1)
    let ran = false
    const body = Effect.sync(() => (ran = true))
    const calls = [
      semaphore.withPermit(body),
      semaphore.withPermitsIfAvailable(1)(body),
      Effect.scoped(semaphore.acquire(1)),
      semaphore.take(1)
    ]
    for (const call of calls) {
      const fiber = Effect.runFork(call, { immediate: false })
      await Effect.runPromise(Fiber.interrupt(fiber))
      assert.isTrue(Exit.isInterrupted(await Effect.runPromise(Fiber.await(fiber))))
    }
    assert.isFalse(ran)
    assert.deepStrictEqual(statsOf(semaphore), { capacity: 1, inUse: 0, waiting: 0 })
  })

  it("of the body gives its permits to the next", async () => {
    const semaphore = Semaphore.makeUnsafe(1)
    const holder = Effect.runFork(semaphore.withPermit(Effect.never))
    const next = Effect.runFork(semaphore.withPermit(Effect.succeed("next")))
    assert.deepStrictEqual(statsOf(semaphore), { capacity: 1, inUse: 1, waiting: 1 })
    await Effect.runPromise(Fiber.interrupt(holder))
    assert.strictEqual(await Effect.runPromise(Fiber.join(next)), "next")
    assert.strictEqual(permitsAreBack(semaphore), undefined)
  })

  it("waits for the finalizers of the body before the permits go on", async () => {
    const semaphore = Semaphore.makeUnsafe(1)
    const log: Array<string> = []
    const finalizer = Effect.zipRight(
      Effect.yieldNow(),
      Effect.sync(() => log.push("finalized"))
    )
    const holder = Effect.runFork(semaphore.withPermit(Effect.ensuring(Effect.never, finalizer)))
    const next = Effect.runFork(semaphore.withPermit(Effect.sync(() => log.push("next"))))
    await Effect.runPromise(Effect.all([Fiber.interrupt(holder), Fiber.join(next)]))
    assert.deepStrictEqual(log, ["finalized", "next"])
  })

  it("cannot reach who waits in an uninterruptible region, and he still gets his turn", async () => {
    const semaphore = taken(1, 1)
    let ran = false
    const fiber = Effect.runFork(Effect.uninterruptible(semaphore.withPermit(Effect.sync(() => (ran = true)))))
    fiber.unsafeInterruptAsFork(fiber.id())
    await settle()
    assert.deepStrictEqual(statsOf(semaphore), { capacity: 1, inUse: 1, waiting: 1 })
    Effect.runSync(semaphore.release(1))
    await settle()
    assert.isTrue(ran)
    assert.strictEqual(permitsAreBack(semaphore), undefined)
  })
})

describe("Semaphore.acquire", () => {
  it("holds until the scope is closed", async () => {
    const semaphore = Semaphore.makeUnsafe(2)
    const inside = await Effect.runPromise(Effect.scoped(Effect.zipRight(semaphore.acquire(2), semaphore.stats)))
    assert.deepStrictEqual(inside, { capacity: 2, inUse: 2, waiting: 0 })
    assert.strictEqual(permitsAreBack(semaphore), undefined)
  })

  it("gives back when its scope was closed while it waited", async () => {
    const semaphore = taken(1, 1)
    const scope = Effect.runSync(Scope.make())
    const acquiring = Effect.runFork(Scope.extend(semaphore.acquire(1), scope))
    const next = Effect.runFork(semaphore.take(1))
    await Effect.runPromise(Scope.close(scope, Exit.void))
    assert.strictEqual(statsOf(semaphore).waiting, 2)
    Effect.runSync(semaphore.release(1))
    await Effect.runPromise(Fiber.await(acquiring))
    assert.strictEqual(await Effect.runPromise(Fiber.join(next)), 1)
    assert.deepStrictEqual(statsOf(semaphore), { capacity: 1, inUse: 1, waiting: 0 })
  })

  it("in a scope that is closed already holds nothing", async () => {
    const semaphore = Semaphore.makeUnsafe(1)
    const scope = Effect.runSync(Scope.make())
    await Effect.runPromise(Scope.close(scope, Exit.void))
    await Effect.runPromise(Effect.exit(Scope.extend(semaphore.acquire(1), scope)))
    assert.strictEqual(permitsAreBack(semaphore), undefined)
  })

  it("gives back once, also when a releaseAll came before the end of its scope", async () => {
    const semaphore = Semaphore.makeUnsafe(2)
    const program = Effect.zipRight(semaphore.acquire(2), Effect.zipRight(semaphore.releaseAll, semaphore.take(2)))
    await Effect.runPromise(Effect.scoped(program))
    assert.deepStrictEqual(statsOf(semaphore), { capacity: 2, inUse: 2, waiting: 0 })
  })

  it("asks with a priority", async () => {
    const semaphore = taken(1, 1)
    const log: Array<string> = []
    const enter = (name: string, priority: number) =>
      Effect.runFork(
        Effect.scoped(
          Effect.zipRight(
            semaphore.acquire(1, { priority }),
            Effect.sync(() => log.push(name))
          )
        )
      )
    enter("low", 0)
    enter("high", 1)
    Effect.runSync(semaphore.release(1))
    await settle()
    assert.deepStrictEqual(log, ["high", "low"])
  })
})

describe("Semaphore.withPermitsIfAvailable", () => {
  it("runs with permits that are free, and not at all with others", async () => {
    const semaphore = taken(1, 3)
    const inside = semaphore.withPermitsIfAvailable(2)(semaphore.stats)
    const stats = await Effect.runPromise(inside)
    assert.deepStrictEqual(Option.getOrThrow(stats), { capacity: 3, inUse: 3, waiting: 0 })
    assert.isTrue(Option.isNone(await Effect.runPromise(semaphore.withPermitsIfAvailable(3)(Effect.die("runs")))))
    assert.deepStrictEqual(statsOf(semaphore), { capacity: 3, inUse: 1, waiting: 0 })
  })

  it("passes nobody, except those of a lower priority", async () => {
    const semaphore = taken(2, 3)
    const waiting = Effect.runFork(semaphore.take(2))
    const tryWith = (priority?: number) =>
      Effect.runSync(
        semaphore.withPermitsIfAvailable(1, priority === undefined ? undefined : { priority })(Effect.succeed(1))
      )
    assert.deepStrictEqual([tryWith(), tryWith(0), tryWith(1)].map(Option.isSome), [false, false, true])
    assert.isFalse(Effect.runSync(semaphore.tryTake(1)))
    assert.isTrue(Effect.runSync(semaphore.tryTake(1, { priority: 1 })))
    await Effect.runPromise(Fiber.interrupt(waiting))
  })
})

describe("Semaphore in the place of Effect's own", () => {
  /** Knows Effect's interface only. */
  const scenario = (semaphore: Effect.Semaphore) =>
    Effect.gen(function* () {
      const log: Array<unknown> = []
      log.push(yield* semaphore.take(2))
      log.push(yield* semaphore.withPermitsIfAvailable(2)(Effect.succeed("not now")))
      log.push(yield* semaphore.withPermitsIfAvailable(1)(Effect.succeed("now")))
      const waiting = yield* Effect.fork(semaphore.withPermits(2)(Effect.succeed("waited")))
      yield* Effect.yieldNow()
      log.push(waiting.unsafePoll())
      yield* semaphore.release(1)
      log.push(yield* Fiber.join(waiting))
      log.push(yield* semaphore.release(1))
      log.push(yield* semaphore.take(1))
      log.push(yield* semaphore.releaseAll)
      yield* semaphore.resize(1)
      log.push(yield* semaphore.withPermitsIfAvailable(1)(Effect.succeed("one")))
      return log
    })

  it("does what Effect's own does", async () => {
    const ours = await Effect.runPromise(scenario(Semaphore.makeUnsafe(3)))
    assert.deepStrictEqual(ours, await Effect.runPromise(scenario(Effect.unsafeMakeSemaphore(3))))
    assert.deepStrictEqual(ours.slice(0, 3), [2, Option.none(), Option.some("now")])
  })

  // Effect's own has arrow functions for members. Failure looks like "Cannot read properties of undefined".
  it("can be taken apart, as Effect's own can", async () => {
    for (const semaphore of [Effect.unsafeMakeSemaphore(1), Semaphore.makeUnsafe(1) as Effect.Semaphore]) {
      const { release, resize, take, withPermits, withPermitsIfAvailable } = semaphore
      const program = Effect.gen(function* () {
        yield* take(1)
        yield* release(1)
        yield* resize(2)
        yield* withPermitsIfAvailable(2)(Effect.void)
        return yield* Effect.succeed("done").pipe(withPermits(2))
      })
      assert.strictEqual(await Effect.runPromise(program), "done")
    }
  })
})

describe("Semaphore: module functions", () => {
  it("act on the instance, data first and data last", async () => {
    const semaphore = Semaphore.makeUnsafe(3)
    const stats = Semaphore.stats(semaphore)
    const inUse = Effect.map(stats, ({ inUse }) => inUse)
    const program = Effect.gen(function* () {
      const log: Array<unknown> = []
      log.push(
        yield* inUse.pipe(Semaphore.withPermits(semaphore, 2)),
        yield* Semaphore.withPermits(inUse, semaphore, 3)
      )
      log.push(yield* inUse.pipe(Semaphore.withPermit(semaphore)), yield* Semaphore.withPermit(inUse, semaphore))
      log.push(
        Option.getOrNull(yield* inUse.pipe(Semaphore.withPermitsIfAvailable(semaphore, 2))),
        Option.getOrNull(yield* Semaphore.withPermitsIfAvailable(inUse, semaphore, 3))
      )
      log.push(yield* Semaphore.take(semaphore, 2), yield* Semaphore.tryTake(semaphore, 2))
      log.push(yield* Semaphore.release(semaphore, 1), yield* Semaphore.releaseAll(semaphore))
      log.push(yield* Effect.scoped(Effect.zipRight(Semaphore.acquire(semaphore, 2), inUse)), yield* inUse)
      yield* Semaphore.resize(semaphore, 5)
      log.push((yield* stats).capacity)
      return log
    })
    assert.deepStrictEqual(await Effect.runPromise(program), [2, 3, 1, 1, 2, 3, 2, false, 2, 3, 2, 0, 5])
  })

  it("pass a priority on, data first and data last", async () => {
    const semaphore = taken(1, 1)
    const log: Array<string> = []
    const say = (name: string) => Effect.sync(() => log.push(name))
    Effect.runFork(Semaphore.withPermits(say("low"), semaphore, 1))
    Effect.runFork(Semaphore.withPermits(say("high"), semaphore, 1, { priority: 1 }))
    Effect.runFork(say("higher").pipe(Semaphore.withPermits(semaphore, 1, { priority: 2 })))
    Effect.runSync(semaphore.release(1))
    await settle()
    assert.deepStrictEqual(log, ["higher", "high", "low"])
    const waiting = Effect.runFork(Effect.zipRight(semaphore.take(1), semaphore.take(1)))
    const tryWith = (options?: Semaphore.RequestOptions) =>
      Effect.runSync(Semaphore.withPermitsIfAvailable(Effect.void, semaphore, 0, options))
    assert.deepStrictEqual([tryWith(), tryWith({ priority: 1 })].map(Option.isSome), [false, true])
    await Effect.runPromise(Fiber.interrupt(waiting))
  })
})

describe("Semaphore: bad input", () => {
  it("is a defect, which is no failure and which changes nothing", () => {
    const semaphore = taken(1, 2)
    const calls: ReadonlyArray<readonly [string, Effect.Effect<unknown>]> = [
      ["Semaphore.withPermits", semaphore.withPermits(3)(Effect.die("runs"))],
      ["Semaphore.withPermitsIfAvailable", semaphore.withPermitsIfAvailable(3)(Effect.die("runs"))],
      ["Semaphore.take", semaphore.take(3)],
      ["Semaphore.tryTake", semaphore.tryTake(3)],
      ["Semaphore.acquire", Effect.scoped(semaphore.acquire(3))],
      ["Semaphore.release", semaphore.release(3)],
      ["Semaphore.resize", semaphore.resize(-3)],
      ["Semaphore.make", Semaphore.make(-3)]
    ]
    for (const [name, call] of calls) {
      const defect = dieWith(Effect.runSyncExit(call))
      assert.instanceOf(defect, RangeError)
      assert.match((defect as Error).message, new RegExp(`^${name}: permits must be an integer .*, got -?3$`))
    }
    assert.deepStrictEqual(statsOf(semaphore), { capacity: 2, inUse: 1, waiting: 0 })
  })

  it("is found when an effect runs, not when it is built", () => {
    const semaphore = Semaphore.makeUnsafe(1)
    const early = semaphore.withPermits(2)(Effect.succeed("later"))
    assert.instanceOf(dieWith(Effect.runSyncExit(early)), RangeError)
    Effect.runSync(semaphore.resize(2))
    assert.strictEqual(Effect.runSync(early), "later")
  })

  it("makes makeUnsafe throw", () => {
    assert.throws(
      () => Semaphore.makeUnsafe(-1),
      RangeError,
      "Semaphore.make: permits must be an integer of at least 0, got -1"
    )
    assert.throws(
      () => Semaphore.makeUnsafe(null as any),
      TypeError,
      "Semaphore.make: options must be an object, got null"
    )
  })

  it("of who is refused by a resize is a defect too", async () => {
    const semaphore = taken(2, 2)
    const waiting = Effect.runFork(Effect.exit(semaphore.withPermits(2)(Effect.void)))
    Effect.runSync(semaphore.resize(1))
    const exit = await Effect.runPromise(Fiber.join(waiting))
    assert.match((dieWith(exit) as Error).message, /^Semaphore\.resize: .* from 0 to 1, got 2$/)
  })
})

describe("Semaphore.Service", () => {
  class Slots extends Semaphore.Service<Slots>()("test/Slots", { permits: 2 }) {}

  it("is the semaphore that its layer makes", async () => {
    const program = Effect.gen(function* () {
      const slots = yield* Slots
      yield* slots.take(1)
      return yield* Slots.stats
    })
    const run = () => Effect.runPromise(Effect.provide(program, Slots.layer))
    assert.deepStrictEqual(await run(), { capacity: 2, inUse: 1, waiting: 0 })
    assert.deepStrictEqual(await run(), { capacity: 2, inUse: 1, waiting: 0 })
  })

  it("has all operations of the instance", async () => {
    const inUse = Effect.map(Slots.stats, (stats) => stats.inUse)
    const program = Effect.gen(function* () {
      const log: Array<unknown> = []
      log.push(yield* inUse.pipe(Slots.withPermits(2)), yield* inUse.pipe(Slots.withPermit))
      log.push(Option.getOrNull(yield* inUse.pipe(Slots.withPermitsIfAvailable(2))))
      log.push(yield* Slots.take(1), yield* Slots.tryTake(2), yield* Slots.release(1), yield* Slots.tryTake(2))
      log.push(yield* Slots.releaseAll, yield* Effect.scoped(Effect.zipRight(Slots.acquire(1), inUse)), yield* inUse)
      yield* Slots.resize(7)
      log.push((yield* Slots.stats).capacity)
      return log
    })
    const log = await Effect.runPromise(Effect.provide(program, Slots.layer))
    assert.deepStrictEqual(log, [2, 1, 2, 1, false, 2, true, 2, 1, 0, 7])
  })

  it("is one instance in one build, and another in another layer", async () => {
    class Others extends Semaphore.Service<Others>()("test/Others", { permits: 2 }) {}
    const program = Effect.gen(function* () {
      yield* Slots.take(2)
      const nested = yield* Effect.provide(Slots.stats, Layer.fresh(Slots.layer))
      return [(yield* Slots.stats).inUse, nested.inUse, (yield* Others.stats).inUse]
    })
    const layer = Layer.mergeAll(Slots.layer, Others.layer, Slots.layer)
    assert.deepStrictEqual(await Effect.runPromise(Effect.provide(program, layer)), [2, 0, 0])
  })

  it("finds its options out when its layer is built", async () => {
    class FromConfig extends Semaphore.Service<FromConfig>()(
      "test/FromConfig",
      Config.all({ permits: Config.integer("SLOTS") })
    ) {}
    const program = Effect.map(FromConfig.stats, ({ capacity }) => capacity).pipe(Effect.provide(FromConfig.layer))
    const withSlots = (slots: string) =>
      Effect.withConfigProvider(program, ConfigProvider.fromMap(new Map([["SLOTS", slots]])))
    assert.strictEqual(await Effect.runPromise(withSlots("4")), 4)
    const failed = await Effect.runPromiseExit(withSlots("four"))
    assert.isTrue(Exit.isFailure(failed) && Cause.isFailure(failed.cause))
    assert.match(
      (dieWith(await Effect.runPromiseExit(withSlots("-4"))) as Error).message,
      /^Semaphore\.make: permits .* got -4$/
    )
  })

  it("has a layer that fails as its options do", async () => {
    class Failing extends Semaphore.Service<Failing>()("test/Failing", Effect.fail("no options" as const)) {}
    const exit = await Effect.runPromise(Effect.exit(Effect.provide(Failing.stats, Failing.layer)))
    assert.deepStrictEqual(exit, Exit.fail("no options"))
  })

  it("takes a fairness", async () => {
    class Eager extends Semaphore.Service<Eager>()("test/Eager", { permits: 2, fairness: "throughput" }) {}
    const program = Effect.gen(function* () {
      yield* Eager.take(1)
      yield* Effect.fork(Eager.take(2))
      yield* Effect.yieldNow()
      return yield* Eager.tryTake(1)
    })
    assert.isTrue(await Effect.runPromise(Effect.provide(program, Eager.layer)))
  })
})

describe("Semaphore: inside a span", () => {
  // Effect wraps a thrown object in a proxy there: what `take` throws to leave its step was not recognized, and it died of it.
  it("a take waits as it does outside", async () => {
    const program = Effect.gen(function* () {
      const semaphore = yield* Semaphore.make(1)
      yield* semaphore.take(1)
      const waiter = yield* semaphore.take(1).pipe(Effect.withSpan("take"), Effect.fork)
      yield* Effect.yieldNow()
      yield* semaphore.release(1)
      return yield* Fiber.join(waiter)
    })
    assert.strictEqual(await Effect.runPromise(program), 1)
  })
})
