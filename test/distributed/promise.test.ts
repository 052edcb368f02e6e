/** Locks on lease for `async` functions: what is theirs alone. What they share with fibers is in test/laws. */
import {
  deliveryStoreMemory,
  DistributedMutex,
  DistributedQueue,
  DistributedSemaphore,
  LeaseLost,
  leaseStoreMemory
} from "effect-concurrency/promise/distributed"
import { AsyncLocalStorage } from "node:async_hooks"
import { afterEach, assert, beforeEach, describe, it, vi } from "vitest"
import { Recorded } from "../laws/leaseSkins.js"
import { rejectionOf } from "../utils/rejection.js"

/** The deadline of a lease of 10 seconds: 1 % and 2 ms before its end. */
const deadline = 10_000 - 102

const never = () => new Promise<never>(() => {})

const aborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))

describe("DistributedMutex of the facade", () => {
  let store: Recorded
  let mutex: DistributedMutex
  let told: Array<ReadonlyArray<unknown>> = []

  beforeEach(() => {
    vi.useFakeTimers()
    store = new Recorded(leaseStoreMemory())
    mutex = new DistributedMutex(store)
    told = []
    vi.spyOn(console, "error").mockImplementation((...args) => void told.push(args))
  })
  afterEach(() => {
    vi.restoreAllMocks()
    vi.useRealTimers()
  })

  const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds)

  it("the store is out of reach: the function is told at its deadline, and run rejects with LeaseLost when it has ended", async () => {
    let reason: unknown
    let end!: (value: string) => void
    const result = new Promise<string>((resolve) => (end = resolve))
    const run = mutex.run("a", ({ signal }) => {
      signal.addEventListener("abort", () => (reason = signal.reason))
      return result
    })
    const settled = vi.fn()
    run.then(settled, settled)
    await pass(0)
    store.failures = Array.from({ length: 50 }, () => "lost" as const)
    await pass(deadline - 1)
    assert.isUndefined(reason)
    await pass(2)
    assert.instanceOf(reason, LeaseLost)
    assert.deepInclude(reason, { resource: "a", reason: "expired" })
    await pass(10_000)
    assert.isFalse(settled.mock.calls.length > 0, "it does not wait for the end")
    end("a value")
    assert.strictEqual(await rejectionOf(run), reason)
    const { length } = store.log
    await pass(60_000)
    assert.strictEqual(store.log.length, length)
    assert.deepStrictEqual(told, [])
  })

  it("an AbortError of the function is that it has stopped; another error is its own, and arrives", async () => {
    const lose = async (f: (signal: AbortSignal) => Promise<never>) => {
      const run = mutex.run("a", ({ signal }) => f(signal))
      const rejection = rejectionOf(run)
      await pass(0)
      await store.forget("a")
      await pass(4000)
      return rejection
    }
    const abortError = async (signal: AbortSignal): Promise<never> => {
      await aborted(signal).catch(() => {})
      throw new DOMException("stopped", "AbortError")
    }
    assert.instanceOf(await lose(abortError), LeaseLost)
    assert.instanceOf(await lose(aborted), LeaseLost)
    const error = new Error("its cleanup")
    assert.strictEqual(await lose((signal) => aborted(signal).catch(() => Promise.reject(error))), error)
  })

  it("the signal of the caller reaches the function, and what that makes of it is the result", async () => {
    const controller = new AbortController()
    const run = mutex.run("a", ({ signal }) => aborted(signal), { signal: controller.signal })
    const ignores = mutex.run("b", ({ signal }) => aborted(signal).catch(() => "a value"), {
      signal: controller.signal
    })
    await pass(0)
    const reason = new Error("enough")
    controller.abort(reason)
    assert.strictEqual(await rejectionOf(run), reason)
    assert.strictEqual(await ignores, "a value")
    await pass(0)
    assert.strictEqual(store.count("release"), 2)
  })

  it("an aborted signal starts nothing, a wait that is aborted or takes too long ends at once, and leaves nothing behind", async () => {
    const reason = new Error("enough")
    assert.strictEqual(await rejectionOf(mutex.run("a", () => 1, { signal: AbortSignal.abort(reason) })), reason)
    assert.deepStrictEqual(store.log, [])
    const lease = await mutex.acquire("a")
    const controller = new AbortController()
    const waits = rejectionOf(mutex.run("a", never, { signal: controller.signal }))
    const late = rejectionOf(mutex.acquire("a", { timeout: 50 }))
    await pass(0)
    controller.abort(reason)
    assert.strictEqual(await waits, reason)
    await pass(50)
    assert.strictEqual(((await late) as Error).name, "TimeoutError")
    assert.deepStrictEqual(mutex.stats(), { held: 1, waiting: 0 })
    await lease.release()
    assert.strictEqual(vi.getTimerCount(), 0)
  })

  it("aborted whenever it is: nothing stays held, and nothing is renewed", async () => {
    const slow = () => new Promise<void>((resolve) => setTimeout(resolve, 5))
    for (let at = 0; at <= 140; at += 3) {
      const own = new Recorded(leaseStoreMemory())
      own.there = own.back = slow
      const waiting = new DistributedMutex(own, { lease: 100 })
      const controller = new AbortController()
      const body = ({ signal }: { readonly signal: AbortSignal }) =>
        Promise.race([aborted(signal), new Promise((resolve) => setTimeout(resolve, 110))])
      const run = waiting.run("a", body, { signal: controller.signal }).catch(() => {})
      await pass(at)
      controller.abort()
      await pass(60)
      await run
      assert.deepStrictEqual(waiting.stats(), { held: 0, waiting: 0 })
      const { length } = own.log
      await pass(300)
      assert.strictEqual(own.log.length, length, `aborted at ${at}, it is renewed`)
      assert.strictEqual(own.count("acquire"), own.count("release"))
    }
  })

  it("await using gives it back, also when the block throws", async () => {
    const error = new Error("inside")
    const use = async () => {
      await using lease = await mutex.acquire("a")
      assert.isUndefined(await mutex.tryAcquire("a"))
      assert.isAbove(lease.token, 0)
      throw error
    }
    assert.strictEqual(await rejectionOf(use()), error)
    assert.deepStrictEqual(mutex.stats(), { held: 0, waiting: 0 })
  })

  it("a lease, and what a function is told of it, can be logged as JSON", async () => {
    const told = await mutex.run("a", (context) => JSON.stringify(context))
    assert.deepInclude(JSON.parse(told), { lease: { name: "a", token: 1, permits: 1 } })
    const queue = new DistributedQueue<string>(deliveryStoreMemory(), { name: "q" })
    await queue.offer("item", { id: "one" })
    const delivery = await queue.take()
    assert.deepStrictEqual(JSON.parse(JSON.stringify(delivery)), { id: "one", attempt: 1, token: delivery.token })
    await delivery.acknowledge()
  })

  it("release rejects with a loss that nobody was told of, and only then, and once", async () => {
    const lease = await mutex.acquire("a")
    await store.forget("a")
    assert.instanceOf(await rejectionOf(lease.release()), LeaseLost)
    await lease.release()
    const other = await mutex.acquire("a")
    const { signal } = other
    await store.forget("a")
    await pass(4000)
    assert.instanceOf(signal.reason, LeaseLost)
    await other.release()
    const third = await mutex.acquire("a")
    await store.forget("a")
    await pass(4000)
    assert.throws(() => third.check(), LeaseLost)
    assert.isTrue(third.signal.aborted, "asked for afterwards")
    await third.release()
    assert.deepStrictEqual(told, [])
  })

  it("what fails when it is given back goes to the console, and the result is kept", async () => {
    const run = mutex.run("a", () => {
      store.failures = ["lost"]
      return "done"
    })
    assert.strictEqual(await run, "done")
    assert.strictEqual(told.length, 1)
    assert.include(String(told[0]![0]), "DistributedMutex: a: the lease could not be given back, and ends by itself")
    assert.strictEqual((told[0]![1] as Error).message, "release: down")
  })

  it("after a block of the event loop the lease is lost at the next look, before any timer could say so", async () => {
    const lease = await mutex.acquire("a")
    const context = mutex.run("b", async (context) => {
      // Time passes, and nothing runs.
      vi.setSystemTime(Date.now())
      vi.spyOn(performance, "now").mockReturnValue(performance.now() + 20_000)
      assert.isTrue(context.signal.aborted)
      assert.throws(() => context.lease.check(), LeaseLost)
    })
    assert.instanceOf(await rejectionOf(context), LeaseLost)
    assert.throws(() => lease.check(), LeaseLost)
    assert.strictEqual(lease.remaining, 0)
    vi.mocked(performance.now).mockRestore()
  })

  it("the function runs in the AsyncLocalStorage context of its caller", async () => {
    const storage = new AsyncLocalStorage<string>()
    const lease = await mutex.acquire("a")
    const seen = [
      storage.run("one", () => mutex.run("a", () => storage.getStore())),
      storage.run("two", () => mutex.run("a", () => storage.getStore()))
    ]
    await lease.release()
    assert.deepStrictEqual(await Promise.all(seen), ["one", "two"])
  })

  it("a wait in the store's line leaves no listener on a signal that outlives it", async () => {
    const controller = new AbortController()
    const add = vi.spyOn(controller.signal, "addEventListener")
    const remove = vi.spyOn(controller.signal, "removeEventListener")
    for (let i = 0; i < 5; i++) await mutex.run("a", ({ signal }) => void signal, { signal: controller.signal })
    assert.strictEqual(add.mock.calls.length, remove.mock.calls.length)
  })

  it("bad input is refused before anything is asked", async () => {
    assert.throws(() => new DistributedMutex({} as never), /new DistributedMutex: store.acquire must be a function/)
    assert.throws(() => new DistributedMutex(undefined as never), TypeError)
    assert.throws(() => new DistributedMutex(store, { lease: 99 }), RangeError)
    assert.throws(() => new DistributedMutex(store, { poll: 1 }), RangeError)
    assert.throws(() => new DistributedSemaphore(store, { limit: 0 }), RangeError)
    assert.throws(() => new DistributedSemaphore(store, undefined as never), TypeError)
    const semaphore = new DistributedSemaphore(store, { limit: 2 })
    for (const call of [
      () => mutex.run("", () => 1),
      () => mutex.run("x".repeat(1001), () => 1),
      () => mutex.run("a", undefined as never),
      () => mutex.acquire(1 as never),
      () => mutex.run("a", () => 1, { timeout: -1 }),
      () => semaphore.run("a", () => 1, { permits: 3 }),
      () => semaphore.tryAcquire("a", { permits: 0 })
    ]) {
      const error = await rejectionOf(call())
      assert.isTrue(error instanceof RangeError || error instanceof TypeError, String(error))
    }
    assert.deepStrictEqual(store.log, [])
  })
})
