import { AsyncLocalStorage } from "node:async_hooks"
import { assert, describe, it, vi } from "@effect/vitest"
import { Effect } from "effect"
import { Retry } from "effect-concurrency"
import { retry, RetryBudget, retryPolicy, timeout, type Unhandled } from "effect-concurrency/promise"
import { heap } from "../utils/heap.js"
import { plainDriver, promiseDriver, retryLaws } from "../laws/Retry.js"
import { settle } from "../laws/skins.js"
import { rejectionOf } from "../utils/rejection.js"
import { counted, watch, withFakeTimers } from "./waits.js"

retryLaws(promiseDriver)
retryLaws(plainDriver)

const oops = new Error("oops")
const fails = () => Promise.reject(oops)

describe("retry", () => {
  it("a signal that is aborted already: nothing is called, and nothing counted", async () => {
    const reason = { why: "before" }
    const { abort, added, signal } = counted()
    abort(reason)
    const budget = new RetryBudget()
    const f = vi.fn(fails)
    assert.strictEqual(await rejectionOf(retry(f, { budget }, { signal, timeout: 0 })), reason)
    assert.deepStrictEqual([f.mock.calls.length, added(), budget.stats().requests], [0, 0, 0])
  })

  it("calls the function at once, and each attempt in the context of the caller", async () => {
    const context = new AsyncLocalStorage<string>()
    const seen: Array<unknown> = []
    const f = async ({ attempt }: { attempt: number }) => {
      seen.push(attempt, context.getStore())
      if (attempt < 3) throw oops
      return "done"
    }
    const options = { base: 1, onRetry: () => void seen.push(context.getStore()) }
    const call = context.run("caller", () => retry(f, options))
    assert.deepStrictEqual(seen, [1, "caller"])
    assert.strictEqual(await call, "done")
    assert.deepStrictEqual(seen, [1, "caller", "caller", 2, "caller", "caller", 3, "caller"])
  })

  it("a throw is a rejection, and is retried", async () => {
    let attempts = 0
    const throws = (): number => {
      attempts++
      throw oops
    }
    assert.strictEqual(await rejectionOf(retry(throws, { base: 0 })), oops)
    assert.strictEqual(attempts, 3)
  })

  it("an AbortError is not retried: somebody wanted it to stop", async () => {
    const f = vi.fn(async () => AbortSignal.abort().throwIfAborted())
    const error: any = await rejectionOf(retry(f, { base: 0, exhausted: "wrap", while: () => true }))
    assert.deepStrictEqual([error.name, f.mock.calls.length], ["AbortError", 1])
  })

  it("a TimeoutError of the attempt's own is retried, and so is a TypeError", async () => {
    for (const error of [new DOMException("late", "TimeoutError"), new TypeError("fetch failed")]) {
      const f = vi.fn(() => Promise.reject(error))
      assert.strictEqual(await rejectionOf(retry(f, { base: 0 })), error)
      assert.strictEqual(f.mock.calls.length, 3)
    }
  })

  it("an attempt that does not look at its signal cannot be told: an abort leaves it at once, and reports what it fails with", () =>
    withFakeTimers(async () => {
      const reports: Array<Unhandled> = []
      const controller = new AbortController()
      const deaf = () => new Promise<never>((_, reject) => setTimeout(() => reject(oops), 100))
      const options = { signal: controller.signal, onError: (report: Unhandled) => void reports.push(report) }
      const call = watch(retry(deaf, {}, options))
      await settle()
      controller.abort("enough")
      await settle()
      assert.strictEqual(call.error, "enough")
      await vi.advanceTimersByTimeAsync(100)
      await settle()
      assert.deepStrictEqual(
        reports.map(({ error, name }) => [name, error]),
        [["attempt", oops]]
      )
    }))

  it("grace: an attempt that takes too long to clean up is left, and reported", () =>
    withFakeTimers(async () => {
      const reports: Array<string> = []
      const controller = new AbortController()
      const slow = ({ signal }: { signal: AbortSignal }) =>
        new Promise<never>((_, reject) => {
          signal.addEventListener("abort", () => setTimeout(() => reject(signal.reason), 100))
        })
      const onError = ({ message }: Unhandled) => void reports.push(message)
      const call = watch(retry(slow, {}, { signal: controller.signal, grace: 30, onError }))
      await settle()
      controller.abort("enough")
      await vi.advanceTimersByTimeAsync(29)
      await settle()
      assert.strictEqual(call.state, "waiting")
      await vi.advanceTimersByTimeAsync(1)
      await settle()
      assert.strictEqual(call.error, "enough")
      assert.strictEqual(reports.length, 1)
      await vi.advanceTimersByTimeAsync(100)
    }))

  it("an outer deadline that passes with that of an attempt is the one that counts", () =>
    withFakeTimers(async () => {
      let attempts = 0
      const hangs = ({ signal }: { signal: AbortSignal }) =>
        new Promise<never>((_, reject) => {
          attempts++
          signal.addEventListener("abort", () => reject(signal.reason))
        })
      const policy = retryPolicy({ attempts: 5, base: 0, perAttemptTimeout: 100 })
      const call = watch(timeout(({ signal }) => policy.run(hangs, { signal }), 100, { name: "the whole" }))
      await settle()
      await vi.advanceTimersByTimeAsync(99)
      await settle()
      assert.strictEqual(call.state, "waiting")
      await vi.advanceTimersByTimeAsync(1)
      await settle()
      assert.deepStrictEqual([call.error.deadline, attempts], ["the whole", 1])
    }))

  it("leaves no listener and no timer, whatever the end, with one listener at a time", () =>
    withFakeTimers(async () => {
      const { abort, left, signal } = counted()
      let attempts = 0
      const twice = async () => (++attempts < 3 ? fails() : "done")
      const options = { signal, timeout: 1000 }
      const call = watch(retry(twice, { base: 100, jitter: "none" }, options))
      await settle()
      assert.deepStrictEqual([left(), vi.getTimerCount()], [1, 2])
      await vi.advanceTimersByTimeAsync(300)
      await settle()
      assert.strictEqual(call.value, "done")
      assert.deepStrictEqual([left(), vi.getTimerCount()], [0, 0])
      const failed = watch(retry(fails, { base: 0 }, options))
      for (let i = 0; i < 3; i++) await settle()
      assert.strictEqual(failed.error, oops)
      assert.deepStrictEqual([left(), vi.getTimerCount()], [0, 0])
      const paused = watch(retry(fails, { base: 100 }, options))
      await settle()
      abort("enough")
      await settle()
      assert.strictEqual(paused.error, "enough")
      assert.deepStrictEqual([left(), vi.getTimerCount()], [0, 0])
    }))

  it("20,000 calls with one signal that lives long retain nothing", async () => {
    const { signal } = new AbortController()
    const work = async (n: number) => {
      for (let i = 0; i < n; i++) await retry(({ attempt }) => (attempt < 2 ? fails() : 1), { base: 0 }, { signal })
    }
    await work(1000)
    const before = await heap()
    await work(20_000)
    assert.isBelow((await heap()) - before, 4)
  }, 60_000)

  it("what makes no sense is rejected, and not thrown; nothing is called", async () => {
    const f = vi.fn(fails)
    for (const [call, message] of [
      [() => retry(5 as never), "retry: argument must be a function, got 5"],
      [() => retry(Promise.resolve(1) as never), "retry: argument must be a function, got an object (Promise)"],
      [() => retry(f, null as never), "retry: options must be an object, got null"],
      [() => retry(f, { random: 0.5 as never }), "retry: random must be a function, got 0.5"],
      [() => retry(f, {}, { timeout: -1 }), "retry: timeout must be 0 or more milliseconds, got -1"],
      [() => retry(f, {}, { signal: {} as never }), "retry: signal must be an AbortSignal, got an object (Object)"]
    ] as const) {
      const error = (await rejectionOf(call() as Promise<unknown>)) as Error
      assert.strictEqual(error.message, message)
    }
    assert.strictEqual(f.mock.calls.length, 0)
  })

  it("dice that give no number from 0 to 1 end it", async () => {
    const error = (await rejectionOf(retry(fails, { random: () => 7 }))) as Error
    assert.strictEqual(error.message, "retry: random must be a function that gives numbers from 0 to 1, got 7")
  })

  it("the dice are those of the platform, looked up when they are thrown", async () => {
    const roll = vi.spyOn(Math, "random").mockReturnValue(0.25)
    const delays: Array<number> = []
    try {
      await rejectionOf(retry(fails, { base: 8, onRetry: ({ delay }) => delays.push(delay) }))
    } finally {
      roll.mockRestore()
    }
    assert.deepStrictEqual(delays, [2, 4])
  })

  it("onRetry is waited for; what it rejects with arrives", async () => {
    const log: Array<string> = []
    const f = ({ attempt }: { attempt: number }) => {
      log.push(`attempt ${attempt}`)
      return fails()
    }
    const onRetry = async () => {
      await settle()
      log.push("told")
    }
    await rejectionOf(retry(f, { attempts: 2, base: 0, onRetry }))
    assert.deepStrictEqual(log, ["attempt 1", "told", "attempt 2"])
    const bug = new Error("bug")
    assert.strictEqual(await rejectionOf(retry(fails, { onRetry: () => Promise.reject(bug) })), bug)
  })

  it("a function of the policy that aborts the signal ends it: there is no pause, and the token is there again", () =>
    withFakeTimers(async () => {
      for (const which of ["while", "whileResult", "retryAfter", "onRetry", "random"] as const) {
        const controller = new AbortController()
        const budget = new RetryBudget({ burst: 5 })
        const abort = () => {
          controller.abort(which)
          return which === "retryAfter" || which === "random" ? 1 : true
        }
        let attempts = 0
        const f = () => {
          attempts++
          return which === "whileResult" ? Promise.resolve(1) : Promise.reject("no")
        }
        const call = watch(retry(f, { base: 1_000, [which]: abort, budget }, { signal: controller.signal }))
        await settle()
        assert.strictEqual(call.error, which)
        assert.deepStrictEqual([attempts, budget.stats().retries, vi.getTimerCount()], [1, 0, 0])
      }
    }))
})

describe("retryPolicy", () => {
  it("is plain data: read, frozen, and taken over into another", async () => {
    const policy = retryPolicy({ attempts: 2, base: 0 })
    assert.isFrozen(policy)
    assert.strictEqual(retryPolicy(policy), policy)
    assert.deepStrictEqual([policy.cap, retryPolicy({ ...policy, attempts: 4 }).attempts], [30_000, 4])
    const f = vi.fn(fails)
    await rejectionOf(policy.run(f))
    await rejectionOf(retry(f, policy))
    assert.strictEqual(f.mock.calls.length, 4)
    assert.throws(
      () => retryPolicy({ attempts: 0 }),
      RangeError,
      "retryPolicy: attempts must be an integer of at least 1"
    )
    const error = (await rejectionOf(policy.run(5 as never))) as Error
    assert.strictEqual(error.message, "RetryPolicy.run: argument must be a function, got 5")
  })
})

describe("RetryBudget", () => {
  it("is that of an Effect program as well", async () => {
    const budget = Retry.makeBudgetUnsafe({ burst: 1, ratio: 0 })
    const f = vi.fn(fails)
    await rejectionOf(retry(f, { base: 0, budget }))
    assert.strictEqual(f.mock.calls.length, 2)
    assert.strictEqual(Effect.runSync(budget.stats).retries, 1)
    assert.strictEqual(RetryBudget.from(budget).stats().available, 0)
    assert.throws(() => RetryBudget.from({} as never), TypeError, "RetryBudget.from: argument must be a RetryBudget")
    assert.throws(
      () => new RetryBudget({ ratio: -1 }),
      RangeError,
      "new RetryBudget: ratio must be a number from 0 to 1000"
    )
  })
})
