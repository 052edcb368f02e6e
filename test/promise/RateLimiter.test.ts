import { AsyncLocalStorage } from "node:async_hooks"
import { getEventListeners } from "node:events"
import { assert, describe, it } from "@effect/vitest"
import { afterEach, beforeEach, vi } from "vitest"
import {
  RateLimited,
  RateLimiter,
  type RateLimiterStore,
  rateLimiterStoreMemory,
  RateLimiterWithStore
} from "effect-concurrency/promise"
import { rateLimiterLaws, timedSkins } from "../laws/RateLimiter.js"
import { rateLimiterStoreLaws } from "../laws/RateLimiterStore.js"
import { HandStore, storeLimiterLaws, storeLimiterSkins } from "../laws/RateLimiterWithStore.js"
import { settle } from "../laws/skins.js"
import { Jumps } from "../utils/clocks.js"
import { rejectionOf } from "../utils/rejection.js"

describe("laws", () => {
  for (const skin of timedSkins.filter(({ name }) => name === "promise")) rateLimiterLaws(skin)
  for (const skin of storeLimiterSkins.filter(({ name }) => name === "promise")) storeLimiterLaws(skin)
  rateLimiterStoreLaws({
    name: "in memory, for plain code",
    async open() {
      vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] })
      const store = rateLimiterStoreMemory()
      return {
        consume: async (request) => store.consume(request),
        giveBack: async (request) => store.giveBack(request),
        advance: async (milliseconds) => void vi.advanceTimersByTime(milliseconds),
        close: async () => void vi.useRealTimers()
      }
    }
  })
})

describe("RateLimiter", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }))
  afterEach(() => {
    assert.strictEqual(vi.getTimerCount(), 0, "a timer is left")
    vi.useRealTimers()
  })

  const full = () => {
    const limiter = new RateLimiter({ limit: 1, interval: 10 })
    limiter.tryConsume()
    return limiter
  }
  const pass = async (milliseconds: number) => {
    await vi.advanceTimersByTimeAsync(milliseconds)
    await settle()
  }

  it("starts a function that need not wait before run returns, and always gives a promise", async () => {
    const limiter = new RateLimiter({ limit: 2, interval: 10 })
    let ran = false
    const result = limiter.run(() => {
      ran = true
      return 42
    })
    assert.isTrue(ran)
    assert.instanceOf(result, Promise)
    assert.strictEqual(await result, 42)
    const error = new Error("its own")
    assert.strictEqual(
      await rejectionOf(
        limiter.run(() => {
          throw error
        })
      ),
      error
    )
  })

  it("a signal that is aborted starts nothing and takes nothing", async () => {
    const limiter = new RateLimiter({ limit: 1, interval: 10 })
    const reason = new Error("no need")
    const signal = AbortSignal.abort(reason)
    assert.strictEqual(await rejectionOf(limiter.run(() => assert.fail(), { signal })), reason)
    assert.strictEqual(await rejectionOf(limiter.consume("default", { signal })), reason)
    assert.isTrue(limiter.tryConsume().allowed)
  })

  it("an abort ends the wait with its reason, and leaves no listener", async () => {
    const limiter = full()
    const controller = new AbortController()
    const { signal } = controller
    const waits = [limiter.consume("default", { signal }), limiter.run(() => assert.fail(), { signal })]
    assert.strictEqual(getEventListeners(signal, "abort").length, 1)
    const reason = new Error("enough")
    controller.abort(reason)
    for (const wait of waits) assert.strictEqual(await rejectionOf(wait), reason)
    assert.strictEqual(getEventListeners(signal, "abort").length, 0)
    assert.strictEqual(limiter.stats().waiting, 0)
  })

  it("a timeout ends the wait with a TimeoutError, in time, and not before", async () => {
    const limiter = full()
    const wait = rejectionOf(limiter.consume("default", { timeout: 5 }))
    await pass(4)
    assert.strictEqual(limiter.stats().waiting, 1)
    await pass(1)
    const error = (await wait) as DOMException
    assert.strictEqual(error.name, "TimeoutError")
    assert.match(error.message, /RateLimiter.consume: timed out after 5 ms/)
    assert.strictEqual(limiter.stats().waiting, 0)
  })

  it("an abort between the grant and the function: it does not run, and what it was granted comes back", async () => {
    for (let delay = 0; delay < 12; delay++) {
      const limiter = full()
      const controller = new AbortController()
      let ran = 0
      const victim = limiter.run(() => ran++, { signal: controller.signal }).catch(() => "aborted")
      await settle()
      vi.advanceTimersByTime(10)
      for (let i = 0; i < delay; i++) await Promise.resolve()
      controller.abort()
      await victim
      assert.strictEqual(limiter.tryConsume().allowed, ran === 0, `after ${delay} microtasks`)
      if (delay === 0) assert.strictEqual(ran, 0)
    }
  })

  it("a function is given the caller's signal, or one that never aborts", async () => {
    const limiter = new RateLimiter({ limit: 5, interval: 10 })
    const { signal } = new AbortController()
    assert.strictEqual(await limiter.run((context) => context.signal, { signal }), signal)
    const own = await limiter.run(({ signal }) => signal)
    assert.isFalse(own.aborted)
    assert.notStrictEqual(own, await limiter.run(({ signal }) => signal))
  })

  it("what waits runs in the AsyncLocalStorage context of its caller", async () => {
    const limiter = full()
    const storage = new AsyncLocalStorage<string>()
    const calls = ["ada", "bob"].map((name) => storage.run(name, () => limiter.run(() => storage.getStore())))
    await pass(20)
    assert.deepStrictEqual(await Promise.all(calls), ["ada", "bob"])
  })

  it("wrap keeps this and the arguments", async () => {
    const limiter = new RateLimiter({ limit: 2, interval: 10 })
    const counter = {
      base: 40,
      add: limiter.wrap(
        function (this: { base: number }, n: number) {
          return this.base + n
        },
        { key: "a" }
      )
    }
    assert.strictEqual(await counter.add(2), 42)
    assert.strictEqual(limiter.tryConsume("a", { cost: 0 }).remaining, 1)
    assert.throws(() => limiter.wrap(1 as never), TypeError, "RateLimiter.wrap: f must be a function")
  })

  it("refuses what is no function and no option, as a rejection", async () => {
    const limiter = new RateLimiter({ limit: 2, interval: 10 })
    assert.match(
      String(await rejectionOf(limiter.run(1 as never))),
      /TypeError: RateLimiter.run: f must be a function, got 1/
    )
    assert.match(
      String(await rejectionOf(limiter.consume("a", { timeout: -1 }))),
      /RangeError: RateLimiter.consume: timeout/
    )
    assert.throws(() => RateLimiter.from({} as never), TypeError, "RateLimiter.from: argument must be a RateLimiter")
    assert.throws(() => new RateLimiter({ limit: 1, interval: "1s" as never }), TypeError, "new RateLimiter: interval")
    assert.strictEqual(limiter.tryConsume("a", { cost: 0 }).remaining, 2)
  })

  it("RateLimited is an error with a key and a time", async () => {
    const limiter = new RateLimiter({ limit: 1, interval: 10, backlog: 0 })
    await limiter.consume("ada")
    const error = await rejectionOf(limiter.consume("ada"))
    assert.instanceOf(error, RateLimited)
    assert.instanceOf(error, Error)
    assert.deepInclude(error, { name: "RateLimited", key: "ada", retryAfter: 10 })
  })

  it("a view of a view is the same limiter", () => {
    const limiter = new RateLimiter({ limit: 2, interval: 10 })
    RateLimiter.from(RateLimiter.from(limiter)).tryConsume()
    assert.strictEqual(limiter.tryConsume().remaining, 0)
  })

  it("a line of 100,000 in which everybody gives up leaves nothing, and has one timer", async () => {
    const limiter = full()
    const controller = new AbortController()
    const waits = Array.from({ length: 100_000 }, () => limiter.consume("default", { signal: controller.signal }))
    assert.strictEqual(vi.getTimerCount(), 1)
    controller.abort()
    const ends = await Promise.allSettled(waits)
    assert.isTrue(ends.every(({ status }) => status === "rejected"))
    assert.deepStrictEqual(limiter.stats(), { keys: 1, waiting: 0 })
  })

  it("100,000 who wait go in order, as many an interval as may", async () => {
    const limiter = new RateLimiter({ limit: 10_000, interval: 10 })
    const times: Array<number> = []
    const began = performance.now()
    const all = Array.from({ length: 100_000 }, (_, n) => limiter.run(() => (times.push(performance.now() - began), n)))
    await pass(90)
    assert.deepStrictEqual(
      await Promise.all(all),
      Array.from({ length: 100_000 }, (_, n) => n)
    )
    for (let n = 0; n < times.length; n += 500) assert.strictEqual(times[n], 10 * Math.floor(n / 10_000))
  })
})

describe("an hour, on a clock that jumps", () => {
  afterEach(() => void vi.unstubAllGlobals())

  // Timers of the platform count whole milliseconds: what they are late in a window of a fraction, only a bucket makes up for.
  it.each([
    { limit: 600, interval: 1000, burst: undefined, cost: 60 },
    { limit: 3000, interval: 1000, burst: undefined, cost: 300 },
    { limit: 70, interval: 91, burst: 70, cost: 35 },
    { limit: 7, interval: 3000, burst: undefined, cost: 1 },
    { limit: 11, interval: 333.3, burst: 11, cost: 1 }
  ])("$limit in $interval ms: no interval has more, and none is missing", async ({ burst, cost, interval, limit }) => {
    const jumps = new Jumps(1)
    vi.stubGlobal("performance", { now: () => jumps.time })
    vi.stubGlobal("setTimeout", (ring: () => void, milliseconds: number) => jumps.sleep(milliseconds, ring))
    vi.stubGlobal("clearTimeout", (cancel: (() => void) | undefined) => cancel?.())
    const limiter = new RateLimiter({ limit, interval, burst })
    const window = Math.floor((limit + (burst ?? 0)) / cost)
    const recent = new Array<number>(window).fill(-Infinity)
    const hour = 3_600_000
    let count = 0
    const again = async (): Promise<void> => {
      for (;;) {
        await limiter.consume("default", { cost })
        const now = jumps.time
        if (recent[count % window]! + interval - now > 1e-6) assert.fail(`too many: the ${count}th at ${now}`)
        recent[count++ % window] = now
      }
    }
    let failure: unknown
    for (let n = 0; n < 3; n++) again().catch((error: unknown) => (failure ??= error))
    do {
      // Whoever was granted goes on, and asks again.
      for (let i = 0; i < 5; i++) await Promise.resolve()
    } while (failure === undefined && jumps.jump(hour))
    assert.isUndefined(failure)
    assert.isAtMost(Math.abs(count * cost - (hour * limit) / interval), limit)
  })
})

describe("RateLimiterWithStore", () => {
  const rate = { limit: 1, interval: 10 }
  const opened = () => {
    const store = new HandStore(() => performance.now())
    return { store, limiter: new RateLimiterWithStore(rate, store) }
  }

  it("a signal that is aborted starts nothing, and the store is not asked", async () => {
    const { limiter, store } = opened()
    const reason = new Error("no need")
    const signal = AbortSignal.abort(reason)
    const calls = [
      limiter.run(() => assert.fail(), { signal }),
      limiter.consume("default", { signal }),
      limiter.tryConsume("default", { signal }),
      limiter.reserve("default", { signal })
    ]
    for (const call of calls) assert.strictEqual(await rejectionOf(call), reason)
    assert.deepStrictEqual(store.questions, [])
  })

  it("an abort ends the wait with its reason, and leaves no listener, also while the store is asked", async () => {
    const { limiter, store } = opened()
    store.held = true
    const controller = new AbortController()
    const { signal } = controller
    const calls = [
      limiter.run(() => assert.fail(), { signal }),
      limiter.consume("default", { signal }),
      limiter.tryConsume("default", { signal }),
      limiter.reserve("default", { signal })
    ]
    await settle()
    const reason = new Error("enough")
    controller.abort(reason)
    for (const call of calls) assert.strictEqual(await rejectionOf(call), reason)
    assert.strictEqual(getEventListeners(signal, "abort").length, 0)
    await store.answer()
    assert.deepStrictEqual([limiter.stats(), store.given], [{ keys: 0, waiting: 0 }, [1]])
  })

  it("a timeout ends a wait for a store that never answers", async () => {
    const { limiter, store } = opened()
    store.held = true
    const error = (await rejectionOf(limiter.consume("default", { timeout: 5 }))) as DOMException
    assert.strictEqual(error.name, "TimeoutError")
    assert.match(error.message, /RateLimiter.consume: timed out after 5 ms/)
    assert.strictEqual(limiter.stats().waiting, 0)
  })

  it("what waits runs in the AsyncLocalStorage context of its caller, with its signal", async () => {
    const { limiter } = opened()
    const storage = new AsyncLocalStorage<string>()
    const { signal } = new AbortController()
    const run = () => limiter.run((context) => [storage.getStore(), context.signal === signal], { signal })
    const calls = ["ada", "bob"].map((name) => storage.run(name, run))
    assert.deepStrictEqual(await Promise.all(calls), [
      ["ada", true],
      ["bob", true]
    ])
  })

  it("a store that throws, or answers at once, is one that rejects, or resolves", async () => {
    const error = new Error("a bug")
    const throws: RateLimiterStore = {
      consume: () => {
        throw error
      },
      giveBack: () => {}
    }
    assert.strictEqual(await rejectionOf(new RateLimiterWithStore(rate, throws).consume()), error)
    const limiter = new RateLimiterWithStore(rate, rateLimiterStoreMemory())
    assert.isTrue((await limiter.tryConsume()).allowed)
    assert.isFalse((await limiter.tryConsume()).allowed)
  })

  it("what nobody waits for is reported: a failure when the caller has gone, or of a reservation, and one to give back", async () => {
    const console = vi.spyOn(globalThis.console, "error").mockImplementation(() => {})
    try {
      const { limiter, store } = opened()
      store.held = true
      const aborted = async (answer: () => Promise<void>) => {
        const controller = new AbortController()
        const call = rejectionOf(limiter.consume("ada", { signal: controller.signal }))
        await settle()
        controller.abort()
        await call
        await answer()
      }
      const errors = [new Error("down"), new Error("no"), new Error("gone")]
      await aborted(() => store.fail(errors[0]))
      store.giveBackFails = errors[1]
      await aborted(() => store.answer())
      const reserving = limiter.reserve("ada")
      await settle()
      await store.answer({ allowed: false, retryAfter: 5 })
      const reserved = await reserving
      await new Promise((resolve) => setTimeout(resolve, 10))
      await store.fail(errors[2])
      // Whoever comes to wait for it later hears of it too.
      for (let i = 0; i < 2; i++) assert.strictEqual(await rejectionOf(reserved.wait()), errors[2])
      assert.deepStrictEqual(console.mock.calls, [
        ["RateLimiter: ada: the store failed, and nobody waits for its answer", errors[0]],
        ["RateLimiter: ada: what was not used could not be given back", errors[1]],
        ["RateLimiter: ada: the store failed, and nobody waits for its answer", errors[2]]
      ])
    } finally {
      console.mockRestore()
    }
  })

  it("wrap keeps this and the arguments", async () => {
    const { limiter } = opened()
    const counter = {
      base: 40,
      add: limiter.wrap(
        function (this: { base: number }, n: number) {
          return this.base + n
        },
        { key: "a" }
      )
    }
    assert.strictEqual(await counter.add(2), 42)
    assert.throws(() => limiter.wrap(1 as never), TypeError, "RateLimiter.wrap: f must be a function")
  })

  it("refuses what is no store, no function and no limiter", async () => {
    const { limiter, store } = opened()
    assert.throws(
      () => new RateLimiterWithStore(rate, {} as never),
      TypeError,
      "new RateLimiterWithStore: store.consume must be a function, got undefined"
    )
    assert.throws(() => new RateLimiterWithStore(rate, undefined as never), TypeError, "store.consume")
    assert.throws(() => new RateLimiterWithStore(rate, { consume() {} } as never), TypeError, "store.giveBack")
    assert.throws(() => new RateLimiterWithStore({ limit: 0, interval: 1 }, store), RangeError, "limit")
    assert.match(String(await rejectionOf(limiter.run(1 as never))), /TypeError: RateLimiter.run: f must be a function/)
    assert.throws(() => RateLimiterWithStore.from({} as never), TypeError, "argument must be a RateLimiterWithStore")
  })
})
