/** What a primitive that lives as long as its program keeps of the waits that have ended: nothing. */
import { assert, describe, it } from "@effect/vitest"
import { getEventListeners } from "node:events"
import { afterEach, vi } from "vitest"
import { Mutex, Semaphore } from "effect-concurrency/promise"
import { heap } from "../utils/heap.js"
import { settle } from "../laws/skins.js"

const many = 200_000

/**
 * How many megabytes are still there after the work was done, once it has been done before (code and caches are no leak). When it looks like much, it is
 * done again: tables of the engine's grow once (Node 24 keeps some megabytes for so many signals), and a leak grows each time.
 */
const retained = async (work: (n: number) => Promise<void>): Promise<number> => {
  await work(many / 100)
  let least = Infinity
  for (let round = 0; round < 4 && least >= little; round++) {
    const before = await heap()
    await work(many)
    least = Math.min(least, (await heap()) - before)
  }
  return least
}

/**
 * A platform's signal walks over all its listeners for each that is added, and Node warns of a leak at the eleventh: 200,000 waits with a
 * listener each take a quarter of an hour.
 */
const assertOneListener = async () => {
  const semaphore = new Semaphore(1)
  semaphore.tryTake()
  const controller = new AbortController()
  const calls = Array.from({ length: 20 }, () => semaphore.acquire(1, { signal: controller.signal }))
  await settle()
  const listeners = getEventListeners(controller.signal, "abort").length
  controller.abort()
  await Promise.allSettled(calls)
  assert.strictEqual(listeners, 1, "however many wait, one listener a signal")
  assert.strictEqual(getEventListeners(controller.signal, "abort").length, 0)
}

/** A retained wait takes some hundred bytes: 200,000 of them, 40 MB and more. */
const little = 4

describe("leaks", () => {
  afterEach(() => {
    vi.unstubAllGlobals()
  })

  it("the garbage collector is at hand", () => {
    assert.isFunction(globalThis.gc)
  })

  it("the measure sees what is retained", async () => {
    const kept: Array<Promise<unknown>> = []
    const semaphore = new Semaphore(1)
    semaphore.tryTake()
    const megabytes = await retained(async (n) => {
      for (let i = 0; i < n; i++) kept.push(semaphore.run(() => i))
    })
    assert.isAbove(megabytes, 10 * little)
    assert.isAbove(kept.length, many)
  })

  it("many waits are one listener on their signal, and no warning", async () => {
    const warnings: Array<Error> = []
    const warned = (warning: Error) => void warnings.push(warning)
    process.on("warning", warned)
    try {
      await assertOneListener()
      await settle()
      assert.deepStrictEqual(warnings, [])
    } finally {
      process.off("warning", warned)
    }
  })

  it("200,000 waits that one signal aborts leave nothing behind", async () => {
    await assertOneListener()
    const semaphore = new Semaphore(1)
    semaphore.tryTake()
    const signals: Array<AbortSignal> = []
    const megabytes = await retained(async (n) => {
      const controller = new AbortController()
      signals.push(controller.signal)
      let rejected = 0
      for (let i = 0; i < n; i++) void semaphore.acquire(1, { signal: controller.signal }).catch(() => rejected++)
      await settle()
      assert.strictEqual(semaphore.stats().waiting, n)
      controller.abort()
      assert.strictEqual(semaphore.stats().waiting, 0)
      await settle()
      assert.strictEqual(rejected, n)
    })
    assert.deepStrictEqual(
      signals.map((signal) => getEventListeners(signal, "abort").length),
      [0, 0]
    )
    assert.isBelow(megabytes, little)
    assert.deepStrictEqual(semaphore.stats(), { capacity: 1, inUse: 1, waiting: 0 })
  })

  it("200,000 calls with a long-lived signal that is aborted leave nothing behind", async () => {
    const semaphore = new Semaphore(1)
    semaphore.tryTake()
    const signal = AbortSignal.abort("reason")
    const megabytes = await retained(async (n) => {
      for (let i = 0; i < n; i++) await semaphore.run(() => assert.fail("runs"), { signal }).catch(() => undefined)
    })
    assert.strictEqual(getEventListeners(signal, "abort").length, 0)
    assert.isBelow(megabytes, little)
    assert.strictEqual(semaphore.stats().waiting, 0)
  })

  it("200,000 waits with a long-lived signal, each granted in its turn, leave nothing behind", async () => {
    const semaphore = new Semaphore(1)
    const { signal } = new AbortController()
    const megabytes = await retained(async (n) => {
      for (let i = 0; i < n; i += 1_000) {
        semaphore.tryTake()
        const calls = Array.from({ length: 1_000 }, () => semaphore.run(() => undefined, { signal, timeout: 60_000 }))
        semaphore.release()
        await Promise.all(calls)
      }
    })
    assert.strictEqual(getEventListeners(signal, "abort").length, 0)
    assert.isBelow(megabytes, little)
    assert.deepStrictEqual(semaphore.stats(), { capacity: 1, inUse: 0, waiting: 0 })
  })

  it("200,000 waits on a lock that is never free, each aborted by a signal of its own, leave nothing behind", async () => {
    const mutex = new Mutex()
    mutex.tryAcquire()
    const megabytes = await retained(async (n) => {
      for (let i = 0; i < n; i += 1_000) {
        const controllers = Array.from({ length: 1_000 }, () => new AbortController())
        const calls = controllers.map(({ signal }) => mutex.run(() => undefined, { signal }).catch(() => undefined))
        for (const controller of controllers) controller.abort("reason")
        await Promise.all(calls)
      }
    })
    assert.isBelow(megabytes, little)
    assert.deepStrictEqual(mutex.stats(), { capacity: 1, inUse: 1, waiting: 0 })
  })

  it("20,000 waits that time out leave an empty list, no timer and no listener", async () => {
    await assertOneListener()
    // Not vi's fake timers: they look through all timers for each that they fire, which takes minutes for so many.
    const timers = new Map<object, { readonly fire: () => void; readonly delay: number }>()
    vi.stubGlobal("setTimeout", (fire: () => void, delay: number) => {
      const timer = {}
      timers.set(timer, { fire, delay })
      return timer
    })
    vi.stubGlobal("clearTimeout", (timer: object) => void timers.delete(timer))
    const semaphore = new Semaphore(1)
    semaphore.tryTake()
    const { signal } = new AbortController()
    let timedOut = 0
    const count = (error: DOMException) => void (timedOut += error.name === "TimeoutError" ? 1 : 0)
    for (let i = 0; i < 20_000; i++) {
      void semaphore.acquire(1, { signal, timeout: 1_000, priority: i % 3 }).then(() => assert.fail("granted"), count)
    }
    await settle()
    assert.deepStrictEqual([semaphore.stats().waiting, timers.size], [20_000, 20_000])
    for (const { delay, fire } of timers.values()) if (delay === 1_000) fire()
    assert.deepStrictEqual([semaphore.stats().waiting, timers.size], [0, 0])
    assert.strictEqual(getEventListeners(signal, "abort").length, 0)
    await settle()
    assert.strictEqual(timedOut, 20_000)
    assert.strictEqual(semaphore.release(), 1)
  })

  it("200,000 calls of run, one after the other or queued, leave nothing behind", async () => {
    const semaphore = new Semaphore(2)
    const megabytes = await retained(async (n) => {
      for (let i = 0; i < n / 2; i++) await semaphore.run(() => i)
      for (let i = 0; i < n / 2; i += 1_000) {
        await Promise.all(Array.from({ length: 1_000 }, () => semaphore.run(async () => i)))
      }
    })
    assert.isBelow(megabytes, little)
    assert.deepStrictEqual(semaphore.stats(), { capacity: 2, inUse: 0, waiting: 0 })
  })
})
