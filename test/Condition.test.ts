import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, FiberId, Layer } from "effect"
import { Condition, Mutex } from "effect-concurrency"
import { Condition as PromiseCondition, Mutex as PromiseMutex } from "effect-concurrency/promise"
import { conditionLaws } from "./laws/Condition.js"
import { fork, settle, skins, start } from "./laws/skins.js"
import { sweepIsClean } from "./utils/sweep.js"

for (const skin of skins) conditionLaws(skin)

const idle = { isLocked: false, waiting: 0, waitingForLock: 0 }

const isIdle = (condition: Condition.Condition): string | undefined => {
  const stats = Effect.runSync(condition.stats)
  return stats.isLocked || stats.waiting > 0 || stats.waitingForLock > 0 ? JSON.stringify(stats) : undefined
}

const stats = (condition: Condition.Condition) => Effect.runSync(condition.stats)

/** The defect of an effect that dies at once. */
const defect = (effect: Effect.Effect<unknown, unknown>): unknown => {
  const exit = Effect.runSyncExit(effect)
  assert.isTrue(Exit.isFailure(exit) && Cause.isDie(exit.cause))
  return Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
}

describe("Condition: interrupted at any operation", () => {
  const setup = () => ({
    condition: Condition.makeUnsafe(),
    gate: Deferred.unsafeMake<void>(FiberId.none),
    inside: 0,
    locked: true,
    reached: false,
    other: fork(Effect.void)
  })
  type State = ReturnType<typeof setup>

  /** Something that only the holder of the lock may do, and that takes its time. */
  const critical = (state: State) =>
    Effect.suspend(() => {
      if (!stats(state.condition).isLocked || ++state.inside > 1) state.locked = false
      return Effect.zipRight(
        Effect.yieldNow(),
        Effect.sync(() => state.inside--)
      )
    }).pipe(Effect.uninterruptible)

  /** Whatever becomes of the effect, what comes after it in the lock must have the lock. */
  const watched = (state: State, self: Effect.Effect<unknown>) =>
    state.condition.withLock(Effect.ensuring(self, critical(state)))

  const verify = (state: State) =>
    isIdle(state.condition) ?? (state.locked ? undefined : "two were inside the lock, or nobody held it")

  it("withLock gives the lock back", () =>
    sweepIsClean({ setup, victim: (state) => watched(state, Effect.yieldNow()), verify }))

  it("withLock that has to wait gives the lock back", () =>
    sweepIsClean({
      setup: () => {
        const state = setup()
        fork(state.condition.withLock(Deferred.await(state.gate)))
        return state
      },
      victim: (state) => watched(state, Effect.yieldNow()),
      meanwhile: ({ gate }) => Deferred.succeed(gate, undefined),
      verify
    }))

  it("a wait that is notified has the lock when it ends", () =>
    sweepIsClean({
      setup,
      victim: (state) => watched(state, Effect.zipRight(state.condition.wait, Effect.yieldNow())),
      meanwhile: ({ condition }) => condition.withLock(condition.notifyAll),
      verify
    }))

  it("a wait that is notified while others fight for the lock has the lock when it ends", () =>
    sweepIsClean({
      setup,
      victim: (state) => watched(state, Effect.zipRight(state.condition.wait, Effect.yieldNow())),
      meanwhile: (state) => {
        const rival = watched(state, Effect.zipRight(critical(state), state.condition.notifyAll))
        return Effect.all([rival, rival, rival], { concurrency: "unbounded" })
      },
      verify
    }))

  it("waitFor has the lock when it ends", () =>
    sweepIsClean({
      setup,
      victim: (state) =>
        watched(
          state,
          state.condition.waitFor(() => state.reached)
        ),
      meanwhile: (state) =>
        Effect.suspend(() => {
          state.reached = true
          return state.condition.notifyAll
        }).pipe(state.condition.withLock),
      verify
    }))

  it("a notification is lost to nobody: whoever was notified goes on, or the next is notified", () =>
    sweepIsClean({
      setup,
      victim: (state) =>
        state.condition.withLock(
          Effect.flatMap(state.condition.wait, () => {
            state.reached = true
            return Effect.void
          })
        ),
      meanwhile: (state) =>
        Effect.suspend(() => {
          state.other = fork(state.condition.withLock(state.condition.wait))
          return state.condition.withLock(state.condition.notify(1))
        }),
      verify: ({ condition, other, reached }) => {
        const { isLocked, waitingForLock } = stats(condition)
        if (isLocked || waitingForLock > 0) return "the lock is not free"
        if (reached === (other.state === "done")) return `victim went on: ${reached}, the other: ${other.state}`
        return undefined
      }
    }))

  it("an item that waitFor was notified of is taken: by whoever was notified, or by the next", () =>
    sweepIsClean({
      setup: () => {
        const condition = Condition.makeUnsafe()
        const state = { condition, items: 0, taken: 0 }
        const consume = condition.withLock(
          Effect.flatMap(
            condition.waitFor(() => state.items > 0),
            () => {
              state.items--
              state.taken++
              return Effect.void
            }
          )
        )
        return Object.assign(state, { consume })
      },
      victim: ({ consume }) => consume,
      meanwhile: (state) =>
        Effect.suspend(() => {
          fork(state.consume)
          state.items++
          return state.condition.withLock(state.condition.notify(1))
        }),
      verify: ({ items, taken }) => (items === 0 && taken === 1 ? undefined : `${items} left, ${taken} taken`)
    }))
})

describe("Condition for effects", () => {
  it("shares its lock with whoever has the mutex, both ways", async () => {
    const mutex = Effect.runSync(Mutex.make())
    const condition = Effect.runSync(Condition.make(mutex))
    assert.isTrue(Effect.runSync(Effect.zipRight(Effect.void, condition.withLock(mutex.isLocked))))
    assert.isTrue(Effect.runSync(mutex.withLock(Effect.map(condition.stats, ({ isLocked }) => isLocked))))
    const waiter = fork(mutex.withLock(condition.wait))
    await settle()
    assert.isFalse(Effect.runSync(mutex.isLocked))
    const notifier = fork(mutex.withLock(condition.notify()))
    await settle()
    assert.deepStrictEqual([waiter.state, notifier.state], ["done", "done"])
    assert.deepStrictEqual(stats(condition), idle)
  }) // asyncio: test_explicit_lock

  it("two conditions on one mutex have two lists of waiters, and one lock", async () => {
    const mutex = Mutex.makeUnsafe()
    const [full, empty] = [Condition.makeUnsafe(mutex), Condition.makeUnsafe(mutex)]
    const waiters = [fork(full.withLock(full.wait)), fork(empty.withLock(empty.wait))]
    await settle()
    fork(mutex.withLock(empty.notifyAll))
    await settle()
    assert.deepStrictEqual(
      waiters.map(({ state }) => state),
      ["waiting", "done"]
    )
    assert.deepStrictEqual(stats(full), { ...idle, waiting: 1 })
  })

  it("an interrupted wait on a shared mutex holds that mutex when it ends", async () => {
    const mutex = Mutex.makeUnsafe()
    const condition = Condition.makeUnsafe(mutex)
    let locked: boolean | undefined
    const waiter = fork(
      condition.wait.pipe(
        Effect.ensuring(Effect.map(mutex.isLocked, (isLocked) => (locked = isLocked))),
        mutex.withLock
      )
    )
    await settle()
    const gate = Deferred.unsafeMake<void>(FiberId.none)
    fork(mutex.withLock(Deferred.await(gate)))
    await settle()
    waiter.cancel()
    await settle()
    assert.strictEqual(waiter.state, "waiting")
    Effect.runSync(Deferred.succeed(gate, undefined))
    await settle()
    assert.strictEqual(waiter.state, "cancelled")
    assert.isTrue(locked)
    assert.deepStrictEqual(stats(condition), idle)
  })

  it("a timeout inside withLock ends with the lock, though somebody else had it meanwhile", async () => {
    const condition = Condition.makeUnsafe()
    const log: Array<string> = []
    const waiter = fork(
      condition.wait.pipe(
        Effect.timeoutOption(5),
        Effect.tap((result) => log.push(`${result._tag}, locked: ${stats(condition).isLocked}`)),
        condition.withLock
      )
    )
    await settle()
    const gate = Deferred.unsafeMake<void>(FiberId.none)
    const holder = fork(condition.withLock(Effect.tap(Deferred.await(gate), () => log.push("holder leaves"))))
    await Effect.runPromise(Effect.sleep(20))
    await settle()
    assert.strictEqual(waiter.state, "waiting")
    assert.deepStrictEqual(log, [])
    Effect.runSync(Deferred.succeed(gate, undefined))
    await settle()
    assert.strictEqual(holder.state, "done")
    assert.strictEqual(waiter.state, "done")
    assert.deepStrictEqual(log, ["holder leaves", "None, locked: true"])
    assert.deepStrictEqual(stats(condition), idle)
  }) // asyncio: test_timeout_in_block

  describe("waitFor", () => {
    for (const [kind, make] of [
      ["a function", (f: () => boolean) => f],
      ["an effect", (f: () => boolean) => Effect.sync(f)]
    ] as const) {
      it(`with ${kind} waits until it holds`, async () => {
        const condition = Condition.makeUnsafe()
        let value = 0
        const asked: Array<boolean> = []
        const predicate = make(() => {
          asked.push(stats(condition).isLocked)
          return value >= 2
        })
        const waiter = fork(condition.withLock(condition.waitFor(predicate)))
        await settle()
        for (let i = 1; i <= 2; i++) {
          assert.strictEqual(waiter.state, "waiting")
          value++
          fork(condition.withLock(condition.notify()))
          await settle()
        }
        assert.strictEqual(waiter.state, "done")
        assert.deepStrictEqual(asked, [true, true, true])
        assert.deepStrictEqual(stats(condition), idle)
      }) // asyncio: test_wait_for

      it(`with ${kind} that holds needs no lock; one that does not is refused without it`, () => {
        const condition = Condition.makeUnsafe()
        assert.isTrue(Exit.isSuccess(Effect.runSyncExit(condition.waitFor(make(() => true)))))
        const error = defect(condition.waitFor(make(() => false)))
        assert.strictEqual((error as Error).message, "Condition.wait: the lock is not held")
        assert.deepStrictEqual(stats(condition), idle)
      }) // asyncio: test_wait_for_unacquired
    }

    it("may ask an effect that takes its time: others wait for the lock meanwhile", async () => {
      const condition = Condition.makeUnsafe()
      const gate = Deferred.unsafeMake<boolean>(FiberId.none)
      const waiter = fork(condition.withLock(condition.waitFor(Deferred.await(gate))))
      const other = fork(condition.withLock(Effect.void))
      await settle()
      assert.deepStrictEqual(stats(condition), { isLocked: true, waiting: 0, waitingForLock: 1 })
      assert.strictEqual(other.state, "waiting")
      Effect.runSync(Deferred.succeed(gate, true))
      await settle()
      assert.deepStrictEqual([waiter.state, other.state], ["done", "done"])
    })

    it("interrupted while it asks, has the lock, and gives it back", async () => {
      const condition = Condition.makeUnsafe()
      let locked: boolean | undefined
      const waiter = fork(
        condition
          .waitFor(Effect.never)
          .pipe(Effect.ensuring(Effect.sync(() => (locked = stats(condition).isLocked))), condition.withLock)
      )
      await settle()
      waiter.cancel()
      await settle()
      assert.strictEqual(waiter.state, "cancelled")
      assert.isTrue(locked)
      assert.deepStrictEqual(stats(condition), idle)
    })

    it("interrupted while it asks after a notification, passes that on", async () => {
      // Lost, the other waits for ever, beside an item that it may have.
      const condition = Condition.makeUnsafe()
      let items = 0
      let asked = 0
      const victim = fork(
        condition.withLock(
          condition.waitFor(Effect.suspend(() => (asked++ > 0 ? Effect.never : Effect.succeed(false))))
        )
      )
      const other = fork(condition.withLock(condition.waitFor(() => items > 0)))
      await settle()
      items++
      fork(condition.withLock(condition.notify()))
      await settle()
      assert.strictEqual(asked, 2)
      victim.cancel()
      await settle()
      assert.strictEqual(victim.state, "cancelled")
      assert.strictEqual(other.state, "done")
      assert.deepStrictEqual(stats(condition), idle)
    })

    it("fails as its predicate does, with the lock held inside and free after", async () => {
      for (const notified of [false, true]) {
        const condition = Condition.makeUnsafe()
        let locked: boolean | undefined
        let asked = 0
        const predicate = Effect.suspend(() => (asked++ === 0 && notified ? Effect.succeed(false) : Effect.fail("no")))
        const waiter = fork(
          condition.waitFor(predicate).pipe(
            Effect.tapError(() => Effect.sync(() => (locked = stats(condition).isLocked))),
            condition.withLock
          )
        )
        await settle()
        if (notified) fork(condition.withLock(condition.notify()))
        await settle()
        assert.strictEqual(waiter.error, "no")
        assert.isTrue(locked)
        assert.deepStrictEqual(stats(condition), idle)
      }
    })

    for (const bad of [5, null, undefined, "yes"]) {
      it(`refuses ${JSON.stringify(bad)} as a predicate, in words`, () => {
        const condition = Condition.makeUnsafe()
        const error = defect(condition.withLock(Effect.suspend(() => condition.waitFor(bad as never))))
        assert.match(
          (error as Error).message,
          /^Condition\.waitFor: predicate must be a function( or an effect)?, got /
        )
        assert.deepStrictEqual(stats(condition), idle)
      })
    }
  })

  describe("refuses as a defect", () => {
    it("what is for inside the lock, outside it", () => {
      const condition = Condition.makeUnsafe()
      const message = (effect: Effect.Effect<unknown>) => (defect(effect) as Error).message
      assert.strictEqual(message(condition.wait), "Condition.wait: the lock is not held")
      assert.strictEqual(message(condition.notify()), "Condition.notify: the lock is not held")
      assert.strictEqual(message(condition.notifyAll), "Condition.notifyAll: the lock is not held")
      assert.deepStrictEqual(stats(condition), idle)
    }) // asyncio: test_notify_all_unacquired

    it("a number of notifications that is none", () => {
      const condition = Condition.makeUnsafe()
      const error = defect(condition.withLock(condition.notify(-1)))
      assert.instanceOf(error, RangeError)
      assert.strictEqual((error as Error).message, "Condition.notify: n must be an integer of at least 0, got -1")
      assert.deepStrictEqual(stats(condition), idle)
    })

    for (const bad of [null, {}, Condition.makeUnsafe()]) {
      it(`a mutex that is none (${bad === null ? "null" : Object.keys(bad).length ? "a condition" : "{}"})`, () => {
        const error = defect(Condition.make(bad as never))
        assert.instanceOf(error, TypeError)
        assert.match((error as Error).message, /^Condition\.make: mutex must be a Mutex, got /)
        assert.throws(() => Condition.makeUnsafe(bad as never), TypeError, "Condition.make: mutex must be a Mutex")
      })
    }
  })

  it("a fiber and a promise wait for one condition, and each notifies the other", async () => {
    const condition = Effect.runSync(Condition.make())
    const facade = PromiseCondition.from(condition)
    const log: Array<string> = []
    const fiber = fork(condition.withLock(Effect.tap(condition.wait, () => log.push("fiber"))))
    const promise = start((options) => facade.run(() => facade.wait(options).then(() => log.push("promise"))))
    await settle()
    assert.deepStrictEqual(stats(condition), { ...idle, waiting: 2 })
    await facade.run(() => facade.notify())
    await settle()
    assert.deepStrictEqual(log, ["fiber"])
    await Effect.runPromise(condition.withLock(condition.notify()))
    await settle()
    assert.deepStrictEqual(log, ["fiber", "promise"])
    assert.deepStrictEqual([fiber.state, promise.state], ["done", "done"])
    assert.deepStrictEqual(facade.stats(), idle)
  })

  it("a condition of each skin can be made with the mutex of the other", async () => {
    const mutex = Mutex.makeUnsafe()
    const facade = new PromiseCondition(mutex)
    await facade.run(() => assert.isTrue(Effect.runSync(mutex.isLocked)))
    const fiber = fork(mutex.withLock(PromiseMutexHolder(PromiseMutex.from(mutex))))
    await settle()
    assert.strictEqual(fiber.value, true)
  })

  it("module functions are the methods, data first and data last", () =>
    Effect.runPromise(
      Effect.gen(function* () {
        const condition = yield* Condition.make()
        const first = yield* Effect.fork(Condition.withLock(Condition.wait(condition), condition))
        const second = yield* Effect.fork(Condition.wait(condition).pipe(Condition.withLock(condition)))
        yield* Effect.yieldNow()
        assert.deepStrictEqual(yield* Condition.stats(condition), { ...idle, waiting: 2 })
        yield* Condition.notify(condition, 1).pipe(condition.withLock)
        yield* Fiber.join(first)
        yield* Condition.notifyAll(condition).pipe(condition.withLock)
        yield* Fiber.join(second)
        yield* Condition.waitFor(condition, () => true)
        yield* Condition.waitFor(Effect.succeed(true))(condition)
        const third = yield* Effect.fork(condition.withLock(condition.wait))
        yield* Effect.yieldNow()
        yield* Condition.notify(condition).pipe(condition.withLock)
        yield* Fiber.join(third)
        assert.deepStrictEqual(yield* condition.stats, idle)
      })
    ))
})

const PromiseMutexHolder = (mutex: PromiseMutex) => Effect.sync(() => mutex.isLocked)

describe("Condition.Service", () => {
  class Changed extends Condition.Service<Changed>()("test/Changed") {}
  class Other extends Condition.Service<Other>()("test/OtherChanged") {}

  it("has the operations of whichever condition is provided", () =>
    Effect.runPromise(
      Effect.gen(function* () {
        let ready = false
        const waiters = [
          yield* Effect.fork(Changed.withLock(Changed.wait)),
          yield* Effect.fork(Changed.withLock(Changed.waitFor(() => ready)))
        ]
        yield* Effect.yieldNow()
        assert.deepStrictEqual(yield* Changed.stats, { ...idle, waiting: 2 })
        yield* Changed.withLock(Changed.notify())
        yield* Fiber.join(waiters[0]!)
        ready = true
        yield* Changed.withLock(Changed.notifyAll)
        yield* Fiber.join(waiters[1]!)
        const condition = yield* Changed
        assert.deepStrictEqual(yield* condition.stats, idle)
      }).pipe(Effect.provide(Changed.layer))
    ))

  it("of two classes, or built twice, are two conditions", () => {
    const build = () => Effect.runSync(Effect.provide(Changed, Changed.layer))
    assert.notStrictEqual(build(), build())
    const seen = Effect.runSync(
      Changed.withLock(Other.stats).pipe(Effect.provide(Layer.merge(Changed.layer, Other.layer)))
    )
    assert.isFalse(seen.isLocked)
  })
})
