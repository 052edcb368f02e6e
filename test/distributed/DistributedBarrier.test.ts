import { assert, describe, it } from "@effect/vitest"
import { Cause, Config, ConfigProvider, Effect, Exit, Fiber, Layer, TestClock } from "effect"
import { DistributedBarrier, PartyStore } from "effect-concurrency/distributed"
import * as Promises from "effect-concurrency/promise/distributed"
import { MemoryParties } from "../../src/core/memoryParties.js"
import { Reporter, type Unhandled } from "../../src/internal/report.js"
import { timekeeper } from "../../src/internal/timer.js"
import { sweepIsClean } from "../utils/sweep.js"
import { FakeMeetings } from "./meetings.js"

const { BrokenBarrier, LeaseLost, StoreError } = DistributedBarrier

const make = (options: Partial<DistributedBarrier.Options> = {}, given?: MemoryParties) =>
  Effect.gen(function* () {
    const parties = given ?? new MemoryParties(yield* timekeeper)
    const fake = new FakeMeetings(parties)
    const told: Array<Unhandled> = []
    const reporter = { report: (failure: Unhandled) => Effect.sync(() => void told.push(failure)) }
    const barrier = yield* Effect.provideService(
      DistributedBarrier.make({ parties: 2, ...options }, fake.partyStore()),
      Reporter,
      reporter
    )
    return { parties, fake, barrier, told }
  })

const settle = TestClock.adjust(0)

const failureOf = <A, E>(exit: Exit.Exit<A, E> | null): unknown =>
  exit !== null && Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined

describe("DistributedBarrier", () => {
  it.effect("asks, listens, asks again, and then as often as the poll says; nothing is asked afterwards", () =>
    Effect.gen(function* () {
      const { barrier, fake, parties } = yield* make()
      const fiber = yield* Effect.fork(barrier.wait("a"))
      yield* settle
      assert.deepStrictEqual(fake.log, ["arrive", "watch", "renew"])
      yield* TestClock.adjust("1 minute")
      assert.isAtMost(fake.count("renew"), 1 + 80)
      assert.isAtLeast(fake.count("renew"), 1 + 60)
      assert.strictEqual(yield* barrier.wait("a"), 1)
      assert.strictEqual(yield* Fiber.join(fiber), 0)
      const { length } = fake.log
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(fake.log.length, length)
      assert.strictEqual(fake.watching + parties.watched, 0)
      assert.deepStrictEqual(yield* barrier.stats, { waiting: 0 })
    })
  )

  it.effect("a long poll does not let the lease end: it is renewed every third of it", () =>
    Effect.gen(function* () {
      const { barrier, fake } = yield* make({ poll: "1 day", lease: "9 seconds" })
      const fiber = yield* Effect.fork(barrier.wait("a"))
      yield* TestClock.adjust("3 minutes")
      assert.isNull(fiber.unsafePoll())
      assert.isAtLeast(fake.count("renew"), 60)
      assert.strictEqual(yield* barrier.wait("a"), 1)
      yield* Fiber.join(fiber)
    })
  )

  it.effect("a party that is not heard of any more breaks the barrier, by the clock of the store", () =>
    Effect.gen(function* () {
      const dying = yield* make({ parties: 3 })
      const living = yield* make({ parties: 3 }, dying.parties)
      yield* Effect.fork(dying.barrier.wait("a"))
      const fiber = yield* Effect.fork(living.barrier.wait("a"))
      yield* settle
      dying.fake.hanging.add("renew")
      dying.fake.failing.add("watch")
      yield* TestClock.adjust("9 seconds")
      assert.isNull(fiber.unsafePoll())
      yield* TestClock.adjust("2 seconds")
      assert.instanceOf(failureOf(fiber.unsafePoll()), BrokenBarrier)
      assert.instanceOf(yield* Effect.flip(living.barrier.wait("a")), BrokenBarrier)
      assert.isTrue(yield* living.barrier.isBroken("a"))
    })
  )

  it.effect(
    "a store that is out of reach for less than a lease costs nothing; for longer, whoever waits gets LeaseLost",
    () =>
      Effect.gen(function* () {
        const { barrier, fake } = yield* make()
        const fiber = yield* Effect.fork(barrier.wait("a"))
        yield* settle
        fake.failing.add("renew")
        yield* TestClock.adjust("9 seconds")
        fake.failing.clear()
        yield* TestClock.adjust("1 second")
        assert.isNull(fiber.unsafePoll())
        fake.failing.add("renew")
        yield* TestClock.adjust("9 seconds")
        assert.isNull(fiber.unsafePoll())
        yield* TestClock.adjust("2 seconds")
        const loss = failureOf(fiber.unsafePoll())
        assert.instanceOf(loss, LeaseLost)
        assert.deepInclude(loss, { resource: "a", reason: "expired" })
      })
  )

  it.effect(
    "an arrival that fails twice is a StoreError, and is withdrawn in the background; what fails there is reported",
    () =>
      Effect.gen(function* () {
        const { barrier, fake, told } = yield* make()
        fake.failing.add("arrive").add("withdraw")
        const error = yield* Effect.flip(barrier.wait("a"))
        assert.instanceOf(error, StoreError)
        yield* settle
        assert.deepStrictEqual(fake.log, ["arrive", "arrive", "withdraw"])
        assert.strictEqual(told.length, 1)
        assert.deepInclude(told[0], { where: "DistributedBarrier", name: "a" })
        assert.include(told[0]!.message, "could not be withdrawn")
      })
  )

  it.effect("another number of parties is reported once, and the first one counts", () =>
    Effect.gen(function* () {
      const { barrier, parties } = yield* make({ parties: 3 })
      const other = yield* make({ parties: 2 }, parties)
      const fibers = [yield* Effect.fork(barrier.wait("a")), yield* Effect.fork(other.barrier.wait("a"))]
      yield* settle
      assert.isTrue(fibers.every((fiber) => fiber.unsafePoll() === null))
      assert.strictEqual(yield* other.barrier.wait("a"), 2)
      yield* settle
      assert.strictEqual(other.told.length, 1)
      assert.include(other.told[0]!.message, "the number of parties is 3 and not 2")
    })
  )

  it.effect("an answer that is none is a defect", () =>
    Effect.gen(function* () {
      const { fake } = yield* make()
      for (const answer of [
        undefined,
        { kind: "late" },
        { kind: "passed", parties: 2 },
        { kind: "waiting", parties: 0 }
      ]) {
        const store = { ...fake.partyStore(), arrive: () => Effect.succeed(answer as never) }
        const barrier = yield* DistributedBarrier.make({ parties: 2 }, store)
        const exit = yield* Effect.exit(barrier.wait("a"))
        assert.isTrue(Exit.isFailure(exit) && Cause.isDie(exit.cause))
        assert.include(String(failureOf(exit)), "PartyStore")
      }
      const store = { ...fake.partyStore(), isBroken: () => Effect.succeed(1 as never) }
      const barrier = yield* DistributedBarrier.make({ parties: 2 }, store)
      assert.include(String(failureOf(yield* Effect.exit(barrier.isBroken("a")))), "true or false")
    })
  )

  it.effect("refuses what makes no sense, before anything is asked", () =>
    Effect.gen(function* () {
      const { barrier, fake } = yield* make()
      const refused = (effect: () => Effect.Effect<unknown, unknown>, words: string) =>
        Effect.map(Effect.exit(Effect.suspend(effect)), (exit) => {
          assert.isTrue(Exit.isFailure(exit) && Cause.isDie(exit.cause), words)
          assert.include(String(failureOf(exit)), words)
        })
      for (const operation of ["wait", "reset", "abort", "isBroken"] as const) {
        yield* refused(
          () => barrier[operation](""),
          `DistributedBarrier.${operation}: name must be of 1 to 1000 characters`
        )
        yield* refused(
          () => barrier[operation](7 as never),
          `DistributedBarrier.${operation}: name must be a string, got 7`
        )
      }
      const store = fake.partyStore()
      for (const [options, words] of [
        [{ parties: 0 }, "parties must be an integer from 1"],
        [{ parties: 1.5 }, "parties must be an integer"],
        [{}, "parties must be an integer"],
        [{ parties: 2, lease: 99 }, "lease must be from 100 ms"],
        [{ parties: 2, poll: 9 }, "poll must be from 10 ms"],
        [{ parties: 2, onInterrupt: "leave" }, `onInterrupt must be one of "withdraw", "break"`],
        [{ parties: 2, prefix: 7 }, "prefix must be a string"]
      ] as const)
        yield* refused(() => DistributedBarrier.make(options as never, store), `DistributedBarrier.make: ${words}`)
      assert.deepStrictEqual(fake.log, [])
      assert.throws(
        () => new Promises.DistributedBarrier({} as never, { parties: 2 }),
        "new DistributedBarrier: store.arrive must be a function"
      )
    })
  )

  for (const onInterrupt of ["withdraw", "break"] as const) {
    it(`is whole, wherever a party is interrupted that is to ${onInterrupt}`, async () => {
      let later: Exit.Exit<number, unknown> | undefined
      const { operations } = await sweepIsClean({
        setup: () => {
          later = undefined
          const parties = new MemoryParties({ now: () => performance.now() })
          const fake = new FakeMeetings(parties)
          fake.pause = Effect.yieldNow()
          const options = { parties: 2, onInterrupt, poll: "1 hour", lease: "1 hour" } as const
          return { parties, fake, barrier: Effect.runSync(DistributedBarrier.make(options, fake.partyStore())) }
        },
        victim: ({ barrier }) => barrier.wait("a"),
        meanwhile: ({ barrier }) =>
          Effect.gen(function* () {
            later = yield* Effect.exit(Effect.timeout(barrier.wait("a"), 20))
          }),
        verify: ({ barrier, fake, parties }, exit) => {
          assert.deepStrictEqual(Effect.runSync(barrier.stats), { waiting: 0 })
          assert.strictEqual(fake.watching + parties.watched, 0)
          parties.check()
          // Both pass; or the victim is gone, and then nobody passes, and its place is free or the barrier broken.
          const isBroken = parties.isBroken("barrier:a")
          if (Exit.isSuccess(exit)) assert.isTrue(Exit.isSuccess(later!))
          else if (onInterrupt === "withdraw") assert.isFalse(isBroken)
          else assert.strictEqual(isBroken, fake.count("withdraw") > 0)
        }
      })
      assert.isAtLeast(operations, 5)
    })
  }

  it.effect("a service: its operations, and options that are found out when the layer is built", () => {
    class Phases extends DistributedBarrier.Service<Phases>()(
      "test/Phases",
      Config.map(Config.number("PARTIES"), (parties) => ({ parties }))
    ) {}
    const layer = Layer.provide(Phases.layer, PartyStore.layerMemory).pipe(
      Layer.provide(Layer.setConfigProvider(ConfigProvider.fromMap(new Map([["PARTIES", "2"]]))))
    )
    const program = Effect.gen(function* () {
      const fiber = yield* Effect.fork(Phases.wait("a"))
      yield* settle
      assert.deepStrictEqual(yield* Phases.stats, { waiting: 1 })
      assert.strictEqual(yield* Phases.wait("a"), 1)
      assert.strictEqual(yield* Fiber.join(fiber), 0)
      yield* Phases.abort("a")
      assert.isTrue(yield* Phases.isBroken("a"))
      assert.instanceOf(yield* Effect.flip(Phases.wait("a")), BrokenBarrier)
      yield* Phases.reset("a")
      assert.isFalse(yield* Phases.isBroken("a"))
    })
    return Effect.provide(program, layer)
  })
})
