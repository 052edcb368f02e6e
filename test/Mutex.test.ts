import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Option, Scope } from "effect"
import { Mutex } from "effect-concurrency"
import { mutexLaws } from "./laws/Mutex.js"
import { settle, skins } from "./laws/skins.js"
import { dieWith } from "./utils/defects.js"
import { sweepIsClean } from "./utils/sweep.js"

for (const skin of skins) mutexLaws(skin)

const statsOf = (mutex: Mutex.Mutex): Mutex.Stats => Effect.runSync(mutex.stats)

const free = { capacity: 1, inUse: 0, waiting: 0 }

/** A lock that is held until the scope is closed. */
const locked = () => {
  const mutex = Mutex.makeUnsafe()
  const scope = Effect.runSync(Scope.make())
  Effect.runSync(Scope.extend(mutex.acquire(), scope))
  return { mutex, unlock: Scope.close(scope, Exit.void) }
}

describe("Mutex: interrupted at any operation", () => {
  class Lock extends Mutex.Service<Lock>()("test/Lock") {}

  const holders: Record<string, (mutex: Mutex.Mutex) => Effect.Effect<unknown, unknown>> = {
    withLock: (mutex) => mutex.withLock(Effect.yieldNow()),
    "withLock around a body that fails": (mutex) => mutex.withLock(Effect.zipRight(Effect.yieldNow(), Effect.fail(1))),
    withLockPriority: (mutex) => mutex.withLockPriority(1)(Effect.yieldNow()),
    withLockIfAvailable: (mutex) => mutex.withLockIfAvailable(Effect.yieldNow()),
    acquire: (mutex) => Effect.scoped(Effect.zipRight(mutex.acquire(), Effect.yieldNow())),
    "the service's withLock": (mutex) => Effect.provideService(Lock.withLock(Effect.yieldNow()), Lock, mutex)
  }

  for (const [name, victim] of Object.entries(holders)) {
    it(`${name} leaves the lock free`, async () => {
      const { operations } = await sweepIsClean({
        setup: Mutex.makeUnsafe,
        victim,
        verify: (mutex) => assert.deepStrictEqual(statsOf(mutex), free)
      })
      assert.isAbove(operations, 2)
    })

    it(`${name} that has to wait leaves the lock free`, async () => {
      const { operations } = await sweepIsClean({
        setup: locked,
        victim: ({ mutex }) => victim(mutex),
        meanwhile: ({ unlock }) => unlock,
        verify: ({ mutex }) => assert.deepStrictEqual(statsOf(mutex), free)
      })
      assert.isAbove(operations, 2)
    })

    it(`${name} that has to wait hands the lock on`, async () => {
      const { operations } = await sweepIsClean({
        setup: () => ({ ...locked(), reached: false }),
        victim: ({ mutex }) => victim(mutex),
        meanwhile: (state) =>
          Effect.suspend(() => {
            Effect.runFork(state.mutex.withLock(Effect.sync(() => (state.reached = true))))
            return state.unlock
          }),
        verify: ({ mutex, reached }) => {
          assert.deepStrictEqual(statsOf(mutex), free)
          return reached ? undefined : "who waited behind it never had his turn"
        }
      })
      assert.isAbove(operations, 2)
    })
  }
})

describe("Mutex: interruption", () => {
  it("before the first step asks for nothing", async () => {
    const mutex = Mutex.makeUnsafe()
    let ran = false
    const body = Effect.sync(() => (ran = true))
    for (const call of [mutex.withLock(body), mutex.withLockIfAvailable(body), Effect.scoped(mutex.acquire())]) {
      const fiber = Effect.runFork(call, { immediate: false })
      await Effect.runPromise(Fiber.interrupt(fiber))
    }
    assert.isFalse(ran)
    assert.deepStrictEqual(statsOf(mutex), free)
  })

  it("of who holds the lock hands it to the next", async () => {
    const mutex = Mutex.makeUnsafe()
    const holder = Effect.runFork(mutex.withLock(Effect.never))
    const next = Effect.runFork(mutex.withLock(Effect.succeed("next")))
    await Effect.runPromise(Fiber.interrupt(holder))
    assert.strictEqual(await Effect.runPromise(Fiber.join(next)), "next")
    assert.deepStrictEqual(statsOf(mutex), free)
  })

  it("ends who waits for himself", async () => {
    const mutex = Mutex.makeUnsafe()
    const fiber = Effect.runFork(mutex.withLock(mutex.withLock(Effect.void)))
    await settle()
    assert.deepStrictEqual(statsOf(mutex), { capacity: 1, inUse: 1, waiting: 1 })
    await Effect.runPromise(Fiber.interrupt(fiber))
    assert.deepStrictEqual(statsOf(mutex), free)
  })
})

describe("Mutex.acquire", () => {
  it("holds until the scope is closed", async () => {
    const mutex = Mutex.makeUnsafe()
    const inside = await Effect.runPromise(Effect.scoped(Effect.zipRight(mutex.acquire(), mutex.isLocked)))
    assert.deepStrictEqual([inside, statsOf(mutex)], [true, free])
  })

  it("gives back when its scope was closed while it waited", async () => {
    const { mutex, unlock } = locked()
    const scope = Effect.runSync(Scope.make())
    const acquiring = Effect.runFork(Scope.extend(mutex.acquire(), scope))
    await Effect.runPromise(Scope.close(scope, Exit.void))
    const next = Effect.runFork(mutex.withLock(Effect.succeed("next")))
    await Effect.runPromise(unlock)
    await Effect.runPromise(Fiber.await(acquiring))
    assert.strictEqual(await Effect.runPromise(Fiber.join(next)), "next")
    assert.deepStrictEqual(statsOf(mutex), free)
  })

  it("asks with a priority", async () => {
    const { mutex, unlock } = locked()
    const log: Array<string> = []
    const enter = (name: string, options?: Mutex.RequestOptions) =>
      Effect.runFork(
        Effect.scoped(
          Effect.zipRight(
            mutex.acquire(options),
            Effect.sync(() => log.push(name))
          )
        )
      )
    enter("low")
    enter("high", { priority: 1 })
    await Effect.runPromise(unlock)
    await settle()
    assert.deepStrictEqual(log, ["high", "low"])
  })
})

describe("Mutex: module functions", () => {
  it("act on the instance, data first and data last", () => {
    const mutex = Mutex.makeUnsafe()
    const isLocked = Mutex.isLocked(mutex)
    const results = [
      isLocked,
      Mutex.withLock(isLocked, mutex),
      isLocked.pipe(Mutex.withLock(mutex)),
      Mutex.withLockPriority(isLocked, mutex, 1),
      isLocked.pipe(Mutex.withLockPriority(mutex, 1)),
      Effect.map(Mutex.withLockIfAvailable(isLocked, mutex), Option.getOrNull),
      Effect.map(isLocked.pipe(Mutex.withLockIfAvailable(mutex)), Option.getOrNull),
      Effect.scoped(Effect.zipRight(Mutex.acquire(mutex), isLocked))
    ]
    assert.deepStrictEqual(Effect.runSync(Effect.all(results)), [false, true, true, true, true, true, true, true])
    assert.deepStrictEqual(Effect.runSync(Mutex.stats(mutex)), free)
    assert.isTrue(Option.isNone(Effect.runSync(mutex.withLock(mutex.withLockIfAvailable(Effect.die("runs"))))))
  })

  it("make locks that share nothing", () => {
    const [one, other] = Effect.runSync(Effect.all([Mutex.make(), Mutex.make()]))
    assert.isFalse(Effect.runSync(one.withLock(other.isLocked)))
  })
})

describe("Mutex: bad input", () => {
  it("is a defect, which changes nothing", () => {
    const mutex = Mutex.makeUnsafe()
    const calls = [
      ["Mutex.withLockPriority", mutex.withLockPriority(NaN)(Effect.die("runs"))],
      ["Mutex.acquire", Effect.scoped(mutex.acquire({ priority: NaN }))]
    ] as const
    for (const [name, call] of calls) {
      const defect = dieWith(Effect.runSyncExit(call))
      assert.instanceOf(defect, RangeError)
      assert.strictEqual((defect as Error).message, `${name}: priority must be a number, got NaN`)
    }
    assert.deepStrictEqual(statsOf(mutex), free)
  })
})

describe("Mutex.Service", () => {
  class Lock extends Mutex.Service<Lock>()("test/Lock") {}
  class Other extends Mutex.Service<Other>()("test/Other") {}

  it("has all operations of the instance", async () => {
    const program = Effect.gen(function* () {
      const lock = yield* Lock
      const log: Array<unknown> = []
      log.push(yield* Lock.isLocked, yield* lock.withLock(Lock.isLocked), yield* Lock.withLock(lock.isLocked))
      log.push(yield* Lock.withLockPriority(1)(Lock.isLocked))
      log.push(Option.getOrNull(yield* Lock.withLockIfAvailable(Lock.isLocked)))
      log.push(yield* Effect.scoped(Effect.zipRight(Lock.acquire(), Lock.isLocked)))
      log.push(yield* Lock.withLock(Lock.stats))
      return log
    })
    const log = await Effect.runPromise(Effect.provide(program, Lock.layer))
    assert.deepStrictEqual(log, [false, true, true, true, true, true, { capacity: 1, inUse: 1, waiting: 0 }])
  })

  it("is one instance in one build, and another in another layer", async () => {
    const program = Lock.withLock(
      Effect.all([Lock.isLocked, Effect.provide(Lock.isLocked, Layer.fresh(Lock.layer)), Other.isLocked])
    )
    const layer = Layer.mergeAll(Lock.layer, Other.layer, Lock.layer)
    assert.deepStrictEqual(await Effect.runPromise(Effect.provide(program, layer)), [true, false, false])
  })
})
