import { assert, describe, it } from "@effect/vitest"
import { Cause, Config, ConfigProvider, Effect, Exit, Fiber, Layer, TestClock } from "effect"
import { DistributedEvent, LatchStore } from "effect-concurrency/distributed"
import * as Promises from "effect-concurrency/promise/distributed"
import { MemoryLatches } from "../../src/core/memoryLatches.js"
import { Reporter, type Unhandled } from "../../src/internal/report.js"
import { timekeeper } from "../../src/internal/timer.js"
import { sweepIsClean } from "../utils/sweep.js"
import { FakeMeetings } from "./meetings.js"

const make = (options?: DistributedEvent.Options) =>
  Effect.gen(function* () {
    const latches = new MemoryLatches(yield* timekeeper)
    const fake = new FakeMeetings(latches)
    const told: Array<Unhandled> = []
    const reporter = { report: (failure: Unhandled) => Effect.sync(() => void told.push(failure)) }
    const event = yield* Effect.provideService(DistributedEvent.make(options, fake.latchStore()), Reporter, reporter)
    return { latches, fake, event, told }
  })

const settle = TestClock.adjust(0)

const failureOf = <A, E>(exit: Exit.Exit<A, E>): unknown =>
  Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined

describe("DistributedEvent", () => {
  it.effect("asks, listens, asks again, and then only now and then", () =>
    Effect.gen(function* () {
      const { event, fake, latches } = yield* make()
      const fiber = yield* Effect.fork(event.wait("a"))
      yield* settle
      assert.deepStrictEqual(fake.log, ["look", "watch", "look"])
      yield* TestClock.adjust("749 millis")
      assert.strictEqual(fake.count("look"), 2)
      yield* TestClock.adjust("1 minute")
      assert.isAtMost(fake.count("look"), 3 + 80)
      assert.isAtLeast(fake.count("look"), 2 + 60)
      assert.strictEqual(fake.count("watch"), 1)
      yield* event.set("a")
      yield* Fiber.join(fiber)
      const { length } = fake.log
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(fake.log.length, length)
      assert.strictEqual(fake.watching, 0)
      assert.strictEqual(latches.watched, 0)
    })
  )

  it.effect("a store that cannot be watched is polled, that is reported once, and it is tried again", () =>
    Effect.gen(function* () {
      const { event, fake, told } = yield* make({ poll: "100 millis" })
      fake.failing.add("watch")
      const fiber = yield* Effect.fork(event.wait("a"))
      yield* TestClock.adjust("1 second")
      assert.isAtLeast(fake.count("watch"), 9)
      assert.strictEqual(told.length, 1)
      assert.deepInclude(told[0], { where: "DistributedEvent", name: "a" })
      assert.include(told[0]!.message, "every 100 ms")
      fake.failing.clear()
      yield* TestClock.adjust("100 millis")
      const watches = fake.count("watch")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(fake.count("watch"), watches)
      yield* event.pulse("a")
      yield* Fiber.join(fiber)
    })
  )

  it.effect("a question whose fiber waits is not lost when it is interrupted: what was asked for is done", () =>
    Effect.gen(function* () {
      const { event, fake } = yield* make()
      fake.pause = Effect.sleep(10)
      const fiber = yield* Effect.fork(event.set("a"))
      yield* settle
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust(20)
      fake.pause = Effect.void
      assert.isTrue(yield* event.isSet("a"))
    })
  )

  it.effect("an answer that is none is a defect", () =>
    Effect.gen(function* () {
      const { fake } = yield* make()
      for (const [look, words] of [
        [undefined, "isSet"],
        [{ isSet: 1, count: 0 }, "isSet"],
        [{ isSet: true, count: "7" }, "count"]
      ] as const) {
        const store = { ...fake.latchStore(), look: () => Effect.succeed(look as never) }
        const event = yield* DistributedEvent.make({}, store)
        const exit = yield* Effect.exit(event.isSet("a"))
        assert.isTrue(Exit.isFailure(exit) && Cause.isDie(exit.cause))
        assert.include(String(failureOf(exit)), words)
      }
    })
  )

  it.effect("refuses what makes no sense, before anything is asked", () =>
    Effect.gen(function* () {
      const { event, fake } = yield* make()
      const refused = (effect: () => Effect.Effect<unknown, unknown>, words: string) =>
        Effect.map(Effect.exit(Effect.suspend(effect)), (exit) => {
          assert.isTrue(Exit.isFailure(exit) && Cause.isDie(exit.cause), words)
          assert.include(String(failureOf(exit)), words)
        })
      for (const operation of ["wait", "set", "clear", "pulse", "isSet"] as const) {
        yield* refused(
          () => event[operation](""),
          `DistributedEvent.${operation}: name must be of 1 to 1000 characters`
        )
        yield* refused(
          () => event[operation](7 as never),
          `DistributedEvent.${operation}: name must be a string, got 7`
        )
        yield* refused(() => event[operation]("x".repeat(1001)), "1000 characters")
      }
      for (const timeToLive of [0, -1, NaN, 1e15])
        yield* refused(() => event.set("a", { timeToLive }), "DistributedEvent.set: timeToLive must be")
      const store = fake.latchStore()
      yield* refused(() => DistributedEvent.make({ poll: 9 }, store), "poll must be from 10 ms to a day, got 9")
      yield* refused(() => DistributedEvent.make({ prefix: 7 as never }, store), "prefix must be a string")
      assert.deepStrictEqual(fake.log, [])
      assert.deepStrictEqual(yield* event.stats, { waiting: 0 })
      assert.throws(
        () => new Promises.DistributedEvent({} as never),
        "new DistributedEvent: store.set must be a function"
      )
    })
  )

  it.effect("a time to live of part of a millisecond is a whole one; one without an end is none", () =>
    Effect.gen(function* () {
      const { event } = yield* make()
      yield* event.set("a", { timeToLive: 0.5 })
      assert.isTrue(yield* event.isSet("a"))
      yield* TestClock.adjust(1.1)
      assert.isFalse(yield* event.isSet("a"))
      yield* event.set("a", { timeToLive: Infinity })
      yield* TestClock.adjust("1 day")
      assert.isTrue(yield* DistributedEvent.isSet(event, "a"))
    })
  )

  it("is whole, wherever a waiter is interrupted", async () => {
    const { operations } = await sweepIsClean({
      setup: () => {
        const latches = new MemoryLatches({ now: () => performance.now() })
        const fake = new FakeMeetings(latches)
        fake.pause = Effect.yieldNow()
        return { latches, fake, event: Effect.runSync(DistributedEvent.make({ poll: "1 hour" }, fake.latchStore())) }
      },
      victim: ({ event }) => event.wait("a"),
      meanwhile: ({ event }) => event.pulse("a"),
      verify: ({ event, fake, latches }) => {
        assert.deepStrictEqual(Effect.runSync(event.stats), { waiting: 0 })
        assert.strictEqual(fake.watching, 0)
        assert.strictEqual(latches.watched, 0)
      }
    })
    assert.isAtLeast(operations, 5)
  })

  it.effect("a service: its operations, and options that are found out when the layer is built", () => {
    class Signals extends DistributedEvent.Service<Signals>()(
      "test/Signals",
      Config.map(Config.number("POLL"), (poll) => ({ poll }))
    ) {}
    const layer = Layer.provide(Signals.layer, LatchStore.layerMemory).pipe(
      Layer.provide(Layer.setConfigProvider(ConfigProvider.fromMap(new Map([["POLL", "50"]]))))
    )
    const program = Effect.gen(function* () {
      const fiber = yield* Effect.fork(Signals.wait("a"))
      yield* settle
      assert.deepStrictEqual(yield* Signals.stats, { waiting: 1 })
      yield* Signals.pulse("a")
      yield* Fiber.join(fiber)
      assert.isFalse(yield* Signals.isSet("a"))
      yield* Signals.set("a", { timeToLive: "1 second" })
      assert.isTrue(yield* Signals.isSet("a"))
      yield* Signals.clear("a")
      assert.isFalse(yield* Signals.isSet("a"))
    })
    return Effect.provide(program, layer)
  })
})
