import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Effects from "effect-concurrency"
import { Lease, Mutex, Semaphore } from "effect-concurrency/promise"
import { settle } from "../laws/skins.js"
import { permitWaitLaws } from "./permitWaits.js"
import { gate } from "../utils/gate.js"
import { rejectionOf } from "../utils/rejection.js"

const locked = () => {
  const mutex = new Mutex()
  const lease = mutex.tryAcquire()!
  return { mutex, open: () => lease.release(), stats: () => mutex.stats() }
}

const free = { capacity: 1, inUse: 0, waiting: 0 }

permitWaitLaws({
  name: "Mutex.run",
  make: () => {
    const { mutex, ...rest } = locked()
    return { call: (body, options) => mutex.run(body, options), ...rest }
  }
})

permitWaitLaws({
  name: "Mutex.acquire",
  make: () => {
    const { mutex, ...rest } = locked()
    const call = async (body: () => void, options?: Parameters<Mutex["acquire"]>[0]) => {
      const lease = await mutex.acquire(options)
      body()
      lease.release()
    }
    return { call, ...rest }
  }
})

describe("Mutex.run", () => {
  it("starts the function before it returns when the lock is free", async () => {
    const mutex = new Mutex()
    for (const options of [undefined, {}, { priority: 1 }, { timeout: 5 }]) {
      let started = false
      const result = mutex.run(() => {
        started = true
        return mutex.isLocked
      }, options)
      assert.isTrue(mutex.isLocked)
      assert.isTrue(started, `with ${JSON.stringify(options)}`)
      assert.instanceOf(result, Promise)
      assert.isTrue(await result)
      assert.isFalse(mutex.isLocked)
    }
  })

  it("gives what the function gives, or what its promise does", async () => {
    const mutex = new Mutex()
    assert.strictEqual(await mutex.run(() => 1), 1)
    assert.strictEqual(await mutex.run(async () => 2), 2)
    const queued = [mutex.run(() => 4), mutex.run(() => Promise.resolve(5)), mutex.run(() => 6, { timeout: 5 })]
    assert.deepStrictEqual(await Promise.all(queued), [4, 5, 6])
  })

  for (const wait of [false, true]) {
    it(`releases and rejects with the original error when the function throws (${wait ? "queued" : "at once"})`, async () => {
      const error = new Error("original")
      const failing: ReadonlyArray<() => Promise<void>> = [
        () => {
          throw error
        },
        () => Promise.reject(error),
        async () => {
          await Promise.resolve()
          throw error
        }
      ]
      for (const f of failing) {
        for (const options of [undefined, { timeout: 1_000 }]) {
          const { mutex, open } = locked()
          if (!wait) open()
          const result = mutex.run(f, options)
          const next = mutex.run(() => "next")
          if (wait) open()
          assert.strictEqual(await rejectionOf(result), error)
          assert.strictEqual(await next, "next")
          assert.deepStrictEqual(mutex.stats(), free)
        }
      }
    })
  }

  it("rejects what is no function, and asks for nothing", async () => {
    const mutex = new Mutex()
    for (const f of [undefined, null, {}, Promise.resolve()] as ReadonlyArray<any>) {
      for (const [name, call] of [
        ["run", () => mutex.run(f)],
        ["runIfAvailable", () => mutex.runIfAvailable(f)]
      ] as const) {
        const error = await rejectionOf(call())
        assert.instanceOf(error, TypeError)
        assert.match((error as Error).message, new RegExp(`^Mutex\\.${name}: f must be a function, got`))
      }
    }
    assert.deepStrictEqual(mutex.stats(), free)
  })
})

describe("Mutex.runIfAvailable", () => {
  it("starts the function before it returns, and is undefined when the lock is not free", async () => {
    const mutex = new Mutex()
    const { open, opened } = gate()
    let started = false
    const result = mutex.runIfAvailable(() => {
      started = true
      return opened.then(() => "ran")
    })
    assert.isTrue(started)
    assert.isUndefined(await mutex.runIfAvailable(() => assert.fail("runs")))
    open()
    assert.strictEqual(await result, "ran")
  })

  it("releases and rejects with the original error when the function throws", async () => {
    const mutex = new Mutex()
    const error = new Error("original")
    const failing = mutex.runIfAvailable(() => {
      throw error
    })
    assert.strictEqual(await rejectionOf(failing), error)
    assert.deepStrictEqual(mutex.stats(), free)
  })
})

describe("Lease", () => {
  // asyncio: test_release_not_acquired, with a difference: there is no release without a lease, and a lease gives back once.
  it("gives back once, however often it is asked to", async () => {
    const mutex = new Mutex()
    const lease = await mutex.acquire()
    assert.instanceOf(lease, Lease)
    const next = await Promise.all([mutex.acquire({ timeout: 1_000 }), Promise.resolve(lease.release())])
    assert.isTrue(mutex.isLocked)
    lease.release()
    lease[Symbol.dispose]()
    await lease[Symbol.asyncDispose]()
    assert.isTrue(mutex.isLocked)
    next[0].release()
    assert.isFalse(mutex.isLocked)
  })

  it("is given back by the end of a using or an await using block", async () => {
    const mutex = new Mutex()
    for (const dispose of [Symbol.dispose, Symbol.asyncDispose] as const) {
      const lease = await mutex.acquire()
      assert.isTrue(mutex.isLocked)
      await lease[dispose]()
      assert.isFalse(mutex.isLocked)
    }
  })

  it("comes at once, or not at all, from tryAcquire", () => {
    const mutex = new Mutex()
    const lease = mutex.tryAcquire()
    assert.instanceOf(lease, Lease)
    assert.isUndefined(mutex.tryAcquire())
    lease!.release()
    assert.deepStrictEqual(mutex.stats(), free)
  })

  it("is not had from tryAcquire in the tick in which the lock goes to somebody else", async () => {
    const { mutex, open } = locked()
    const next = mutex.acquire()
    open()
    assert.isUndefined(mutex.tryAcquire())
    const lease = await next
    lease.release()
  })
})

describe("Mutex.from", () => {
  it("is the lock of an Effect program: both queue behind each other", async () => {
    const effect = Effects.Mutex.makeUnsafe()
    const mutex = Mutex.from(effect)
    const log: Array<string> = []
    const lease = await mutex.acquire()
    assert.isTrue(Effect.runSync(effect.isLocked))
    const fiber = Effect.runPromise(effect.withLock(Effect.sync(() => log.push("fiber"))))
    const plain = mutex.run(() => log.push("plain"))
    const last = Effect.runPromise(effect.withLock(Effect.sync(() => log.push("last"))))
    assert.deepStrictEqual(mutex.stats(), { capacity: 1, inUse: 1, waiting: 3 })
    lease.release()
    await Promise.all([fiber, plain, last])
    assert.deepStrictEqual(log, ["fiber", "plain", "last"])
  })

  it("is one lock with another view of it", () => {
    const mutex = new Mutex()
    const view = Mutex.from(Mutex.from(mutex))
    assert.instanceOf(view, Mutex)
    const lease = view.tryAcquire()
    assert.isTrue(mutex.isLocked)
    lease!.release()
    assert.isFalse(mutex.isLocked)
  })

  for (const bad of [undefined, null, {}, 5, "mutex", new Semaphore(1)] as ReadonlyArray<any>) {
    it(`refuses ${String(bad)}, which is no mutex`, () => {
      assert.throws(() => Mutex.from(bad), TypeError, "Mutex.from: argument must be a Mutex, got")
    })
  }
})

it("a mutex that waits for itself is freed by a timeout", async () => {
  const mutex = new Mutex()
  const inner = await mutex.run(() => rejectionOf(mutex.run(() => 1, { timeout: 1 })))
  assert.strictEqual((inner as DOMException).name, "TimeoutError")
  await settle()
  assert.deepStrictEqual(mutex.stats(), free)
})
