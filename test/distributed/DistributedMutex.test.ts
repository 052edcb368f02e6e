import { assert, describe, it } from "@effect/vitest"
import { Cause, Config, ConfigProvider, Deferred, Effect, Exit, Fiber, Layer, Option, Scope, TestClock } from "effect"
import { DistributedMutex, DistributedSemaphore, Lease, LeaseStore } from "effect-concurrency/distributed"
import * as Promises from "effect-concurrency/promise/distributed"
import { refused } from "../../src/core/lease.js"
import { Reporter, type Unhandled } from "../../src/internal/report.js"
import { sweepIsClean } from "../utils/sweep.js"
import { FakeStore } from "./store.js"

const { LeaseLost } = DistributedMutex

/** The deadline of a lease of 10 seconds: 1 % and 2 ms before its end. */
const deadline = 10_000 - 102

const make = (options?: DistributedMutex.Options) =>
  Effect.gen(function* () {
    const store = yield* FakeStore.make
    const told: Array<Unhandled> = []
    const reporter = { report: (failure: Unhandled) => Effect.sync(() => void told.push(failure)) }
    const mutex = yield* Effect.provideService(DistributedMutex.make(options, store), Reporter, reporter)
    return { store, mutex, told }
  })

const failureOf = <A, E>(exit: Exit.Exit<A, E> | null): unknown =>
  exit !== null && Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined

/** Runs until nothing is left to run now. */
const settle = TestClock.adjust(0)

describe("DistributedMutex", () => {
  it("keeps its state under a key of its own", () => {
    assert.deepStrictEqual(
      [DistributedMutex.TypeId, DistributedSemaphore.TypeId, Lease.TypeId],
      ["~effect-concurrency/DistributedMutex", "~effect-concurrency/DistributedSemaphore", "~effect-concurrency/Lease"]
    )
  })

  it.effect("a lease is renewed every third of it, and the body is not disturbed", () =>
    Effect.gen(function* () {
      const { mutex, store } = yield* make()
      const fiber = yield* Effect.fork(mutex.withLock("a")(Effect.as(Effect.sleep("1 minute"), "done")))
      yield* TestClock.adjust(3333)
      assert.strictEqual(store.count("renew"), 0)
      yield* TestClock.adjust(1)
      assert.strictEqual(store.count("renew"), 1)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* Fiber.join(fiber), "done")
      assert.strictEqual(store.count("renew"), 17)
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(store.count("renew"), 17)
      store.isEmpty()
    })
  )

  for (const kind of ["failing", "hanging"] as const) {
    it.effect(
      `the store is ${kind}: the body is interrupted when the deadline has passed, and not before; the caller gets LeaseLost`,
      () =>
        Effect.gen(function* () {
          const { mutex, store } = yield* make()
          let interruptedAt = NaN
          const body = Effect.onInterrupt(Effect.never, () =>
            Effect.map(Effect.clock, (clock) => void (interruptedAt = clock.unsafeCurrentTimeMillis()))
          )
          const fiber = yield* Effect.fork(mutex.withLock("a")(body))
          yield* settle
          store[kind].add("renew").add("release")
          yield* TestClock.adjust(deadline - 1)
          assert.isNull(fiber.unsafePoll())
          // A timer may be late by a part of a millisecond.
          yield* TestClock.adjust(1.01)
          const loss = failureOf(fiber.unsafePoll())
          assert.instanceOf(loss, LeaseLost)
          assert.deepInclude(loss, { resource: "a", reason: "expired" })
          assert.approximately(interruptedAt, deadline, 0.01)
          const { length } = store.log
          yield* TestClock.adjust("1 hour")
          assert.strictEqual(store.log.length, length, "nothing is renewed any more")
        })
    )
  }

  it.effect("a store that is out of reach for a while, and back before the deadline, costs nothing", () =>
    Effect.gen(function* () {
      const { mutex, store } = yield* make()
      const fiber = yield* Effect.fork(mutex.withLock("a")(Effect.as(Effect.sleep("1 minute"), "done")))
      yield* settle
      store.failing.add("renew")
      yield* TestClock.adjust(8500)
      assert.isAtLeast(store.count("renew"), 6)
      store.failing.delete("renew")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* Fiber.join(fiber), "done")
    })
  )

  it.effect("a body that cannot be interrupted is waited for, and its value is not the result", () =>
    Effect.gen(function* () {
      const { mutex, store } = yield* make()
      let ended = false
      const body = Effect.uninterruptible(Effect.as(Effect.sleep("1 minute"), "value"))
      const fiber = yield* Effect.fork(mutex.withLock("a")(Effect.tap(body, () => void (ended = true))))
      yield* settle
      store.failing.add("renew")
      yield* TestClock.adjust(deadline + 1)
      assert.isNull(fiber.unsafePoll())
      yield* TestClock.adjust("1 minute")
      assert.isTrue(Exit.isFailure(fiber.unsafePoll()!))
      assert.instanceOf(failureOf(fiber.unsafePoll()), LeaseLost)
      // It was told to stop, so what could be interrupted after it did not run.
      assert.isFalse(ended)
      // The store may have had it until now: others come after the work has ended.
      assert.strictEqual(store.log.at(-1), "release")
    })
  )

  it.effect(
    "an error of the body, or of its cleanup, arrives rather than the loss; so does an interruption from outside",
    () =>
      Effect.gen(function* () {
        const { mutex, store } = yield* make()
        store.failing.add("renew")
        const cleanup = Effect.onInterrupt(Effect.never, () => Effect.die("the cleanup"))
        const dies = yield* Effect.fork(mutex.withLock("a")(cleanup))
        yield* TestClock.adjust(deadline + 1)
        assert.strictEqual(failureOf(dies.unsafePoll()), "the cleanup")
        const gone = yield* Effect.fork(mutex.withLock("b")(Effect.never))
        yield* settle
        yield* Fiber.interrupt(gone)
        assert.isTrue(Exit.isInterrupted(gone.unsafePoll()!))
        assert.strictEqual(store.log.at(-1), "release")
      })
  )

  it.effect("what fails when the lock is given back is reported, and the result is kept", () =>
    Effect.gen(function* () {
      const { mutex, store, told } = yield* make()
      store.failing.add("release")
      assert.strictEqual(yield* mutex.withLock("a")(Effect.succeed("done")), "done")
      yield* settle
      assert.strictEqual(told.length, 1)
      assert.deepInclude(told[0], { where: "DistributedMutex", name: "a" })
      assert.include(told[0]!.message, "ends by itself")
      assert.include(Cause.pretty(told[0]!.cause), "release: down")
      // It does.
      store.failing.clear()
      const next = yield* Effect.fork(mutex.withLock("a")(Effect.succeed("next")))
      yield* TestClock.adjust(9999)
      assert.isNull(next.unsafePoll())
      yield* TestClock.adjust(2)
      assert.strictEqual(yield* Fiber.join(next), "next")
    })
  )

  it.effect("the body is told of its lease: its token, and how long it can rely on it", () =>
    Effect.gen(function* () {
      const { mutex, store } = yield* make()
      const tokens: Array<number> = []
      const body = (lease: DistributedMutex.Lease) =>
        Effect.gen(function* () {
          tokens.push(lease.token)
          assert.strictEqual(lease.name, "a")
          assert.strictEqual(lease.permits, 1)
          assert.strictEqual(Number((yield* lease.remaining).pipe((d) => (d.value as any).millis)), deadline)
          yield* lease.check
        })
      yield* mutex.withLock("a", body)
      yield* mutex.withLock("a", body)
      assert.isAbove(tokens[1]!, tokens[0]!)
      store.isEmpty()
    })
  )

  it.effect(
    "acquire: nothing is interrupted, but guard, check and lost tell; a loss that somebody heard of is not reported",
    () =>
      Effect.gen(function* () {
        const { mutex, store, told } = yield* make()
        const scope = yield* Scope.make()
        const lease = yield* Scope.extend(mutex.acquire("a"), scope)
        const guarded = yield* Effect.fork(lease.guard(Effect.never))
        const lost = yield* Effect.fork(lease.lost)
        const plain = yield* Effect.fork(Effect.sleep("1 minute"))
        yield* lease.check
        store.failing.add("renew")
        yield* TestClock.adjust(deadline - 1)
        yield* lease.check
        assert.isNull(guarded.unsafePoll())
        yield* TestClock.adjust(1.01)
        const loss = failureOf(guarded.unsafePoll())
        assert.instanceOf(loss, LeaseLost)
        assert.strictEqual(failureOf(lost.unsafePoll()), loss)
        assert.strictEqual(yield* Effect.flip(lease.check), loss)
        assert.isNull(plain.unsafePoll())
        assert.strictEqual(yield* Effect.flip(lease.guard(Effect.dieMessage("it does not begin"))), loss)
        yield* Scope.close(scope, Exit.void)
        yield* settle
        assert.deepStrictEqual(told, [])
      })
  )

  it.effect("a loss that nobody was told of is reported when the scope closes", () =>
    Effect.gen(function* () {
      const { mutex, store, told } = yield* make()
      yield* Effect.scoped(
        Effect.zipRight(
          mutex.acquire("a"),
          Effect.sync(() => store.forget())
        )
      )
      yield* settle
      assert.strictEqual(told.length, 1)
      assert.include(told[0]!.message, "nobody was told")
    })
  )

  it.effect("the scope that closes gives the lock back, in the same step in which it was taken or later", () =>
    Effect.gen(function* () {
      const { mutex, store } = yield* make()
      yield* Effect.scoped(mutex.acquire("a"))
      assert.isTrue(Option.isSome(yield* Effect.scoped(mutex.tryAcquire("a"))))
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* mutex.acquire("a")
          assert.isTrue(Option.isNone(yield* Effect.scoped(mutex.tryAcquire("a"))))
          assert.isTrue(Option.isNone(yield* mutex.withLockIfAvailable("a")(Effect.void)))
        })
      )
      assert.deepStrictEqual(
        yield* mutex.withLockIfAvailable("a", ({ token }) => Effect.succeed(token)),
        Option.some(4)
      )
      store.isEmpty()
      assert.deepStrictEqual(yield* mutex.stats, { held: 0, waiting: 0 })
    })
  )

  it.effect("a store that fails to tell of what is freed is asked every now and then, and that is reported once", () =>
    Effect.gen(function* () {
      const { mutex, store, told } = yield* make()
      const holder = { name: "mutex:a", holder: "another", permits: 1, limit: 1, lease: 86_400_000 }
      store.leases.acquire(holder)
      store.failing.add("watch")
      const fiber = yield* Effect.fork(mutex.withLock("a")(Effect.succeed("done")))
      yield* TestClock.adjust("10 seconds")
      assert.isAtLeast(store.count("acquire"), 10)
      assert.isAtMost(store.count("acquire"), 22)
      assert.strictEqual(told.length, 1)
      assert.include(told[0]!.message, "every 1000 ms")
      store.leases.release(holder)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(fiber), "done")
    })
  )

  it.effect("whoever waits is asked for again as long as it takes, but not often", () =>
    Effect.gen(function* () {
      const { mutex, store } = yield* make({ poll: "1 minute" })
      const holder = { name: "mutex:a", holder: "another", permits: 1, limit: 1, lease: 10_000 }
      store.leases.acquire(holder)
      const fiber = yield* Effect.fork(mutex.withLock("a")(Effect.succeed("done")))
      yield* settle
      assert.deepStrictEqual(store.log, ["acquire", "watch", "acquire"])
      // The message is lost; the lease ends.
      yield* TestClock.adjust(9999)
      assert.strictEqual(store.count("acquire"), 2)
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* Fiber.join(fiber), "done")
      assert.strictEqual(store.count("acquire"), 3)
      store.isEmpty()
    })
  )

  it.effect("a view of the facade stands in the same line", () =>
    Effect.gen(function* () {
      const { mutex } = yield* make()
      const view = Promises.DistributedMutex.from(mutex)
      const order: Array<string> = []
      const opened = yield* Deferred.make<void>()
      const first = yield* Effect.fork(mutex.withLock("a")(Deferred.await(opened)))
      yield* settle
      const second = view.run("a", () => void order.push("promise"))
      const third = yield* Effect.fork(mutex.withLock("a")(Effect.sync(() => order.push("fiber"))))
      yield* settle
      assert.deepStrictEqual(view.stats(), { held: 1, waiting: 2 })
      yield* Deferred.succeed(opened, undefined)
      yield* Effect.promise(() => second)
      yield* Fiber.joinAll([first, third] as never)
      assert.deepStrictEqual(order, ["promise", "fiber"])
    })
  )

  describe("bad input is a defect, and nothing is asked", () => {
    it.effect.each([
      [{ lease: 99 }, "lease"],
      [{ lease: "2 days" }, "lease"],
      [{ lease: "50 millis" }, "lease"],
      [{ lease: "infinity" }, "lease"],
      [{ poll: 9 }, "poll"],
      [{ poll: Infinity }, "poll"],
      [{ prefix: 1 as never }, "prefix"],
      [{ prefix: "x".repeat(257) }, "prefix"]
    ] as ReadonlyArray<[DistributedMutex.Options, string]>)("make(%j)", ([options, name]) =>
      Effect.gen(function* () {
        const store = yield* FakeStore.make
        const exit = yield* Effect.exit(DistributedMutex.make(options, store))
        const error = failureOf(exit) as Error
        assert.match(error.message, new RegExp(`^DistributedMutex.make: ${name} must be`))
      })
    )

    it.effect.each(["", "x".repeat(1001), 1 as never, undefined as never])("a name like %j", (name) =>
      Effect.gen(function* () {
        const { mutex, store } = yield* make()
        const operations = [
          mutex.withLock(name)(Effect.void),
          mutex.withLockIfAvailable(name)(Effect.void),
          Effect.scoped(mutex.acquire(name)),
          Effect.scoped(mutex.tryAcquire(name))
        ]
        for (const operation of operations) {
          const error = failureOf(yield* Effect.exit(operation as Effect.Effect<unknown, unknown>)) as Error
          assert.match(error.message, /^DistributedMutex\.\w+: name must be/)
          assert.instanceOf(error, typeof name === "string" ? RangeError : TypeError)
        }
        assert.deepStrictEqual(store.log, [])
      })
    )

    it.effect("a store that answers nonsense is a defect, and not taken for a lock", () =>
      Effect.gen(function* () {
        for (const answer of [
          undefined,
          {},
          { kind: "granted", limit: 1 },
          { kind: "busy", limit: 1 },
          { kind: "granted", token: NaN, limit: 1 }
        ]) {
          const store = yield* FakeStore.make
          const mutex = yield* DistributedMutex.make({}, { ...store, acquire: () => Effect.succeed(answer as never) })
          const exit = yield* Effect.exit(mutex.withLock("a")(Effect.succeed("done")))
          assert.isTrue(Exit.isFailure(exit) && Cause.isDie(exit.cause), JSON.stringify(answer))
        }
      })
    )
  })

  describe("as a service", () => {
    class Jobs extends DistributedMutex.Service<Jobs>()("test/Jobs", Config.all({ lease: Config.duration("LEASE") })) {}

    it.effect("the layer needs a store, and the options can be found out when it is built", () =>
      Effect.gen(function* () {
        const layer = Layer.provide(Jobs.layer, LeaseStore.layerMemory).pipe(
          Layer.provide(Layer.setConfigProvider(ConfigProvider.fromMap(new Map([["LEASE", "5 seconds"]]))))
        )
        const program = Effect.gen(function* () {
          const outer = yield* Jobs.withLock("a", (lease) =>
            Effect.zip(lease.remaining, Jobs.withLockIfAvailable("a")(Effect.void))
          )
          const inner = yield* Effect.succeed(1).pipe(Jobs.withLock("a"))
          const held = yield* Effect.scoped(Effect.zip(Jobs.acquire("a"), Jobs.tryAcquire("a")))
          return [outer, inner, held, yield* Jobs.stats] as const
        })
        const [[remaining, none], one, [lease, taken], stats] = yield* Effect.provide(program, layer)
        assert.strictEqual((remaining.value as any).millis, 5000 - 52)
        assert.isTrue(Option.isNone(none))
        assert.strictEqual(one, 1)
        assert.strictEqual(lease.name, "a")
        assert.isTrue(Option.isNone(taken))
        assert.deepStrictEqual(stats, { held: 0, waiting: 0 })
      })
    )

    it.effect("options that make no sense are a defect of the layer", () =>
      Effect.gen(function* () {
        class Bad extends DistributedMutex.Service<Bad>()("test/Bad", { lease: 1 }) {}
        const build = Layer.build(Layer.provide(Bad.layer, LeaseStore.layerMemory))
        const exit = yield* Effect.exit(Effect.scoped(build))
        assert.match((failureOf(exit) as Error).message, /lease must be from 100 ms/)
      })
    )
  })

  describe("interrupted at each of its operations, nothing is left held, and nothing is renewed", () => {
    const setup = () => {
      const store = Effect.runSync(FakeStore.make)
      store.pause = Effect.yieldNow()
      const silent = { report: () => Effect.void }
      const mutex = Effect.runSync(Effect.provideService(DistributedMutex.make({}, store), Reporter, silent))
      return { store, mutex, runs: 0 }
    }
    type State = ReturnType<typeof setup>

    const verify = ({ mutex, store }: State) => {
      store.isEmpty()
      assert.deepStrictEqual(Effect.runSync(mutex.stats), { held: 0, waiting: 0 })
      assert.strictEqual(store.watching, 0)
      assert.isTrue(mutex[DistributedMutex.TypeId].isIdle)
    }

    const inside = (state: State) =>
      Effect.zipRight(
        Effect.sync(() => void state.runs++),
        Effect.yieldNow()
      )

    it("withLock", () => sweepIsClean({ setup, victim: (state) => state.mutex.withLock("a")(inside(state)), verify }))

    it("withLockIfAvailable", () =>
      sweepIsClean({ setup, victim: (state) => state.mutex.withLockIfAvailable("a")(inside(state)), verify }))

    it("acquire", () =>
      sweepIsClean({
        setup,
        victim: (state) => Effect.scoped(Effect.zipRight(state.mutex.acquire("a"), inside(state))),
        verify
      }))

    it("tryAcquire", () =>
      sweepIsClean({
        setup,
        victim: (state) => Effect.scoped(Effect.zipRight(state.mutex.tryAcquire("a"), inside(state))),
        verify
      }))

    it("withLock of one who waits for another process, which lets go", () =>
      sweepIsClean({
        setup: () => {
          const state = setup()
          state.store.leases.acquire({ name: "mutex:a", holder: "another", permits: 1, limit: 1, lease: 60_000 })
          return state
        },
        victim: (state) => state.mutex.withLock("a")(inside(state)),
        meanwhile: ({ store }) => Effect.sync(() => store.leases.release({ name: "mutex:a", holder: "another" })),
        verify
      }))

    it("withLock of one whose lease is lost", () =>
      sweepIsClean({
        setup,
        victim: (state) =>
          state.mutex.withLock("a")(
            Effect.zipRight(
              Effect.sync(() => state.store.forget()),
              inside(state)
            )
          ),
        verify
      }))

    it.effect(
      "whenever it is: before the answer, while the lock is held, while a renewal is on its way, while it is given back",
      () =>
        Effect.gen(function* () {
          for (let at = 1; at <= 130; at += 13) {
            const { mutex, store } = yield* make({ lease: 100 })
            // A request takes so long to get there, and its answer to come back.
            store.pause = Effect.sleep(5)
            const fiber = yield* Effect.fork(mutex.withLock("a")(Effect.sleep(110)))
            yield* TestClock.adjust(at)
            yield* Fiber.interruptFork(fiber)
            yield* TestClock.adjust(60)
            assert.isNotNull(fiber.unsafePoll(), `interrupted at ${at}, it does not end`)
            store.isEmpty()
            const { length } = store.log
            yield* TestClock.adjust(200)
            assert.strictEqual(store.log.length, length, `interrupted at ${at}, it is renewed`)
            assert.isTrue(mutex[DistributedMutex.TypeId].isIdle)
          }
        })
    )

    it("guard", () =>
      sweepIsClean({
        setup,
        victim: (state) =>
          Effect.scoped(Effect.flatMap(state.mutex.acquire("a"), (lease) => lease.guard(inside(state)))),
        verify
      }))

    it("the wait for the loss", () =>
      sweepIsClean({
        setup,
        victim: ({ mutex, store }) =>
          Effect.scoped(
            Effect.flatMap(mutex.acquire("a"), (lease) =>
              Effect.zipRight(
                Effect.sync(() => {
                  store.forget()
                  // What a renewal would find.
                  lease[Lease.TypeId].line.lessor.told(lease[Lease.TypeId], refused(lease[Lease.TypeId]))
                }),
                lease.lost
              )
            )
          ),
        verify
      }))

    it("what is granted to one who has gone is given back when the answer comes, however late", () =>
      sweepIsClean({
        setup: () => {
          const state = setup()
          state.store.pause = Effect.sleep(2)
          return state
        },
        victim: (state) => state.mutex.withLock("a")(inside(state)),
        // What is on its way arrives.
        meanwhile: ({ mutex, store }) =>
          Effect.repeat(Effect.sleep(2), {
            until: () => mutex[DistributedMutex.TypeId].isIdle && store.leases.size === 0,
            times: 500
          }),
        verify
      }))
  })

  it("an instance that is none is refused by the facade", () => {
    assert.throws(() => Promises.DistributedMutex.from({} as never), TypeError)
  })
})
