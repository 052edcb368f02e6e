import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Layer, Option, TestClock } from "effect"
import { DistributedSemaphore, LeaseStore } from "effect-concurrency/distributed"
import * as Promises from "effect-concurrency/promise/distributed"
import { Reporter, type Unhandled } from "../../src/internal/report.js"
import { sweepIsClean } from "../utils/sweep.js"
import { FakeStore } from "./store.js"

const make = (options: DistributedSemaphore.Options, given?: FakeStore) =>
  Effect.gen(function* () {
    const store = given ?? (yield* FakeStore.make)
    const told: Array<Unhandled> = []
    const reporter = { report: (failure: Unhandled) => Effect.sync(() => void told.push(failure)) }
    const semaphore = yield* Effect.provideService(DistributedSemaphore.make(options, store), Reporter, reporter)
    return { store, semaphore, told }
  })

const errorOf = (exit: Exit.Exit<unknown, unknown>): Error =>
  Exit.isFailure(exit) ? (Cause.squash(exit.cause) as Error) : new Error("it succeeded")

const settle = TestClock.adjust(0)

describe("DistributedSemaphore", () => {
  it.effect("permits of one lease are given back together, and cost one round trip", () =>
    Effect.gen(function* () {
      const { semaphore, store } = yield* make({ limit: 5 })
      const lease = yield* semaphore.withPermits("a", 4, (lease) =>
        Effect.as(
          Effect.tap(Effect.scoped(semaphore.tryAcquire("a", 2)), (other) => assert.isTrue(Option.isNone(other))),
          lease
        )
      )
      assert.strictEqual(lease.permits, 4)
      // It is known here that two are not to be had.
      assert.deepStrictEqual(store.log, ["acquire", "release"])
      store.isEmpty()
    })
  )

  it.effect("another limit of another process counts while it holds permits, and is reported once for each value", () =>
    Effect.gen(function* () {
      const { semaphore: other, store } = yield* make({ limit: 2 })
      const { semaphore, told } = yield* make({ limit: 4 }, store)
      const use = semaphore.withPermitsIfAvailable("a", 2)(Effect.void)
      yield* other.withPermit("a")(
        Effect.gen(function* () {
          assert.isTrue(Option.isNone(yield* use))
          assert.isTrue(Option.isSome(yield* semaphore.withPermitsIfAvailable("a", 1)(Effect.void)))
        })
      )
      yield* settle
      assert.strictEqual(told.length, 1)
      assert.deepInclude(told[0], { where: "DistributedSemaphore", name: "a" })
      assert.include(told[0]!.message, "the limit is 2 and not 4")
      // Nobody holds any: from now on there are as many as this one says.
      assert.isTrue(Option.isSome(yield* semaphore.withPermitsIfAvailable("a", 4)(Effect.void)))
      const { semaphore: third } = yield* make({ limit: 3 }, store)
      yield* third.withPermit("b")(semaphore.withPermit("b")(Effect.void))
      yield* settle
      assert.strictEqual(told.length, 2)
    })
  )

  it.effect("a request that fits the own limit, and not that which counts, waits until nobody holds any", () =>
    Effect.gen(function* () {
      const { semaphore: other, store } = yield* make({ limit: 2 })
      const { semaphore } = yield* make({ limit: 4 }, store)
      const held = yield* Effect.fork(other.withPermit("a")(Effect.sleep(500)))
      yield* settle
      const fiber = yield* Effect.fork(semaphore.withPermits("a", 4)(Effect.succeed("done")))
      yield* TestClock.adjust(499)
      assert.isNull(fiber.unsafePoll())
      yield* TestClock.adjust(1)
      yield* Fiber.join(held)
      yield* TestClock.adjust(1000)
      assert.strictEqual(yield* Fiber.join(fiber), "done")
    })
  )

  it.effect("bad input is a defect, and nothing is asked", () =>
    Effect.gen(function* () {
      for (const limit of [0, -1, 1.5, NaN, Infinity, "1" as never, undefined as never]) {
        const store = yield* FakeStore.make
        assert.match(
          errorOf(yield* Effect.exit(DistributedSemaphore.make({ limit }, store))).message,
          /^DistributedSemaphore.make: limit must be an integer/
        )
      }
      const { semaphore, store } = yield* make({ limit: 3 })
      for (const permits of [0, -1, 4, 1.5, NaN, "1" as never]) {
        for (const operation of [
          semaphore.withPermits("a", permits)(Effect.void),
          semaphore.withPermitsIfAvailable("a", permits)(Effect.void),
          Effect.scoped(semaphore.acquire("a", permits)),
          Effect.scoped(semaphore.tryAcquire("a", permits))
        ]) {
          const exit = yield* Effect.exit(operation as Effect.Effect<unknown, unknown>)
          assert.match(errorOf(exit).message, /^DistributedSemaphore\.\w+: permits must be an integer from 1 to 3/)
        }
      }
      assert.deepStrictEqual(store.log, [])
    })
  )

  it.effect("as a service, and as functions", () =>
    Effect.gen(function* () {
      class Connections extends DistributedSemaphore.Service<Connections>()("test/Connections", { limit: 2 }) {}
      const program = Effect.gen(function* () {
        assert.strictEqual(yield* Effect.succeed(1).pipe(Connections.withPermit("a")), 1)
        assert.strictEqual(yield* Connections.withPermits("a", 2, ({ permits }) => Effect.succeed(permits)), 2)
        assert.deepStrictEqual(yield* Connections.withPermitsIfAvailable("a", 1)(Effect.succeed(3)), Option.some(3))
        yield* Effect.scoped(Effect.zipRight(Connections.acquire("a", 2), Connections.tryAcquire("a")))
        assert.deepStrictEqual(yield* Connections.stats, { held: 0, waiting: 0 })
        const semaphore = yield* Connections
        assert.strictEqual(yield* DistributedSemaphore.withPermit(Effect.succeed(4), semaphore, "a"), 4)
        assert.strictEqual(yield* Effect.succeed(5).pipe(DistributedSemaphore.withPermits(semaphore, "a", 2)), 5)
        assert.isTrue(Option.isSome(yield* DistributedSemaphore.withPermitsIfAvailable(Effect.void, semaphore, "a", 2)))
        yield* Effect.scoped(DistributedSemaphore.acquire(semaphore, "a"))
        yield* Effect.scoped(DistributedSemaphore.tryAcquire(semaphore, "a"))
        assert.deepStrictEqual(yield* DistributedSemaphore.stats(semaphore), { held: 0, waiting: 0 })
      })
      yield* Effect.provide(program, Layer.provide(Connections.layer, LeaseStore.layerMemory))
    })
  )

  it("interrupted at each of its operations, all permits come back", async () => {
    const setup = () => {
      const store = Effect.runSync(FakeStore.make)
      store.pause = Effect.yieldNow()
      return { store, semaphore: Effect.runSync(DistributedSemaphore.make({ limit: 3 }, store)) }
    }
    await sweepIsClean({
      setup,
      victim: ({ semaphore }) => semaphore.withPermits("a", 2)(semaphore.withPermit("a")(Effect.yieldNow())),
      meanwhile: ({ semaphore }) => semaphore.withPermits("a", 3)(Effect.void),
      verify: ({ semaphore, store }) => {
        store.isEmpty()
        assert.deepStrictEqual(Effect.runSync(semaphore.stats), { held: 0, waiting: 0 })
      }
    })
  })

  it("an instance that is none is refused by the facade", () => {
    assert.throws(() => Promises.DistributedSemaphore.from({} as never), TypeError)
  })
})
