/**
 * What holds for every wait of the facade, whatever is waited for: a suite that is a function of the wait. Those for permits and locks
 * keep more promises, in `permitWaits.ts`.
 */
import { AsyncLocalStorage } from "node:async_hooks"
import { getEventListeners, setMaxListeners } from "node:events"
import { assert, describe, it, vi } from "@effect/vitest"
import type { WaitOptions } from "../../src/promise/park.js"
import { settle } from "../laws/skins.js"

export interface Wait {
  /** Waits. Nothing is granted before `grant`. */
  readonly wait: (options?: WaitOptions) => Promise<unknown>
  /** Ends the waits of all who wait now. */
  readonly grant: () => void
  /** How many wait. */
  readonly waiting: () => number
  /** Whether everything is as it was before the first wait. */
  readonly isIdle: () => boolean
}

/** A signal that counts what is asked of it. */
export const counted = () => {
  const controller = new AbortController()
  const { signal } = controller
  setMaxListeners(0, signal)
  const added = vi.spyOn(signal, "addEventListener")
  const removed = vi.spyOn(signal, "removeEventListener")
  return {
    signal,
    abort: (reason?: unknown) => controller.abort(reason),
    added: () => added.mock.calls.length,
    removed: () => removed.mock.calls.length,
    left: () => getEventListeners(signal, "abort").length
  }
}

/** How a promise has ended so far. */
export const watch = <A>(promise: Promise<A>) => {
  const outcome: { state: "waiting" | "done" | "failed"; value?: A; error?: any } = { state: "waiting" }
  promise.then(
    (value) => Object.assign(outcome, { state: "done", value }),
    (error) => Object.assign(outcome, { state: "failed", error })
  )
  return outcome
}

/** Runs a test with fake timers, and sees that none is left. `setImmediate` stays real, for `settle`. */
export const withFakeTimers = async (test: () => Promise<void>): Promise<void> => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
  try {
    await test()
    assert.strictEqual(vi.getTimerCount(), 0)
  } finally {
    vi.useRealTimers()
  }
}

export const waitLaws = (where: string, make: () => Wait) =>
  describe(`${where}, as every wait`, () => {
    it("an already aborted signal rejects with its reason, and nothing is tried", async () => {
      const { grant, isIdle, wait, waiting } = make()
      const reason = { why: "before" }
      const { abort, added, signal } = counted()
      abort(reason)
      const attempt = watch(wait({ signal }))
      assert.strictEqual(waiting(), 0)
      await settle()
      assert.strictEqual(attempt.error, reason)
      assert.strictEqual(added(), 0)
      grant()
      await settle()
      assert.isTrue(isIdle())
    })

    it("an already aborted signal goes before a timeout of 0", () =>
      withFakeTimers(async () => {
        const { isIdle, wait } = make()
        const reason = { why: "before" }
        const attempt = watch(wait({ signal: AbortSignal.abort(reason), timeout: 0 }))
        await settle()
        assert.strictEqual(attempt.error, reason)
        assert.isTrue(isIdle())
      }))

    it("an abort ends a wait with its reason at once, and no listener stays", async () => {
      // Also asyncio: test_cancelled_error_wakeup: the very reason, not a copy.
      const { isIdle, wait, waiting } = make()
      const { abort, added, left, signal } = counted()
      const attempt = watch(wait({ signal }))
      await settle()
      assert.deepStrictEqual([attempt.state, waiting(), added(), left()], ["waiting", 1, 1, 1])
      const reason = { why: "now" }
      abort(reason)
      assert.strictEqual(waiting(), 0)
      await settle()
      assert.strictEqual(attempt.error, reason)
      assert.strictEqual(left(), 0)
      assert.isTrue(isIdle())
    })

    it("an abort without a reason rejects with an AbortError", async () => {
      const { wait } = make()
      const { abort, signal } = counted()
      const attempt = watch(wait({ signal }))
      await settle()
      abort()
      await settle()
      assert.instanceOf(attempt.error, DOMException)
      assert.strictEqual(attempt.error.name, "AbortError")
    })

    for (const others of [0, 1]) {
      const beside = others ? "; the other goes on" : ""
      it(`an abort, then a grant, in one tick: the reason${beside}`, async () => {
        const { grant, isIdle, wait } = make()
        const { abort, left, signal } = counted()
        const victim = watch(wait({ signal }))
        const rest = Array.from({ length: others }, () => watch(wait()))
        await settle()
        const reason = { why: "first" }
        abort(reason)
        grant()
        await settle()
        assert.strictEqual(victim.error, reason)
        assert.isTrue(rest.every(({ state }) => state === "done"))
        assert.strictEqual(left(), 0)
        assert.isTrue(isIdle())
      })

      it(`a grant, then an abort, in one tick: the reason${beside}`, async () => {
        const { grant, isIdle, wait } = make()
        const { abort, left, signal } = counted()
        const victim = watch(wait({ signal }))
        const rest = Array.from({ length: others }, () => watch(wait()))
        await settle()
        const reason = { why: "second" }
        grant()
        abort(reason)
        await settle()
        assert.strictEqual(victim.error, reason)
        assert.isTrue(rest.every(({ state }) => state === "done"))
        assert.strictEqual(left(), 0)
        assert.isTrue(isIdle())
      })
    }

    it("a grant leaves no listener and no timer, and an abort after it means nothing", () =>
      withFakeTimers(async () => {
        const { grant, isIdle, wait } = make()
        const { abort, added, left, signal } = counted()
        const attempts = Array.from({ length: 3 }, () => watch(wait({ signal, timeout: 1000 })))
        await settle()
        assert.deepStrictEqual([added(), left(), vi.getTimerCount()], [1, 1, 3])
        grant()
        await settle()
        assert.isTrue(attempts.every(({ state }) => state === "done"))
        assert.deepStrictEqual([left(), vi.getTimerCount()], [0, 0])
        abort()
        await settle()
        assert.isTrue(attempts.every(({ state }) => state === "done"))
        assert.isTrue(isIdle())
      }))

    it("an abort leaves no timer", () =>
      withFakeTimers(async () => {
        const { wait } = make()
        const { abort, signal } = counted()
        const attempt = watch(wait({ signal, timeout: 1000 }))
        await settle()
        abort()
        await settle()
        assert.strictEqual(attempt.state, "failed")
        assert.strictEqual(vi.getTimerCount(), 0)
      }))

    it("a timeout ends a wait when it is over and not before, with a TimeoutError, and leaves no ghost", () =>
      withFakeTimers(async () => {
        const { grant, isIdle, wait, waiting } = make()
        const { left, signal } = counted()
        const attempt = watch(wait({ signal, timeout: 1000 }))
        const other = watch(wait())
        await settle()
        await vi.advanceTimersByTimeAsync(999)
        await settle()
        assert.deepStrictEqual([attempt.state, waiting()], ["waiting", 2])
        await vi.advanceTimersByTimeAsync(1)
        await settle()
        assert.instanceOf(attempt.error, DOMException)
        assert.strictEqual(attempt.error.name, "TimeoutError")
        assert.strictEqual(attempt.error.message, `${where}: timed out after 1000 ms`)
        assert.deepStrictEqual([waiting(), left(), other.state], [1, 0, "waiting"])
        grant()
        await settle()
        assert.strictEqual(other.state, "done")
        assert.isTrue(isIdle())
      }))

    it("a timeout of 0 ends a wait on the next turn", () =>
      withFakeTimers(async () => {
        const { isIdle, wait } = make()
        const attempt = watch(wait({ timeout: 0 }))
        await settle()
        assert.strictEqual(attempt.state, "waiting")
        await vi.advanceTimersByTimeAsync(0)
        await settle()
        assert.strictEqual(attempt.error.name, "TimeoutError")
        assert.isTrue(isIdle())
      }))

    it("a timeout of Infinity is none", () =>
      withFakeTimers(async () => {
        const { grant, wait } = make()
        const attempt = watch(wait({ timeout: Infinity }))
        await settle()
        assert.strictEqual(vi.getTimerCount(), 0)
        grant()
        await settle()
        assert.strictEqual(attempt.state, "done")
      }))

    it("a timeout that is longer than a timer of the platform can be is none", () =>
      withFakeTimers(async () => {
        // Such a timer fires at once.
        const { grant, wait } = make()
        const longest = 2 ** 31 - 1
        const attempt = watch(wait({ timeout: longest }))
        const longer = watch(wait({ timeout: longest + 1 }))
        await settle()
        await vi.advanceTimersByTimeAsync(longest - 1)
        await settle()
        assert.deepStrictEqual([attempt.state, longer.state], ["waiting", "waiting"])
        await vi.advanceTimersByTimeAsync(1)
        await settle()
        assert.strictEqual(attempt.error.name, "TimeoutError")
        assert.strictEqual(longer.state, "waiting")
        grant()
        await settle()
        assert.strictEqual(longer.state, "done")
      }))

    it("an abort and a timeout at once end it once, with what came first", () =>
      withFakeTimers(async () => {
        const { isIdle, wait } = make()
        const { abort, signal } = counted()
        const attempt = watch(wait({ signal, timeout: 10 }))
        await settle()
        vi.advanceTimersByTime(10)
        abort(new Error("late"))
        await settle()
        assert.strictEqual(attempt.error.name, "TimeoutError")
        assert.isTrue(isIdle())
      }))

    for (const [what, options, message] of [
      ["a timeout of NaN", { timeout: NaN }, "timeout must be 0 or more milliseconds, got NaN"],
      ["a timeout of -1", { timeout: -1 }, "timeout must be 0 or more milliseconds, got -1"],
      ['a timeout of "5"', { timeout: "5" }, 'timeout must be 0 or more milliseconds, got "5"'],
      ["a timeout of null", { timeout: null }, "timeout must be 0 or more milliseconds, got null"],
      ["a signal of {}", { signal: {} }, "signal must be an AbortSignal, got "],
      ["a signal of null", { signal: null }, "signal must be an AbortSignal, got null"],
      ["a controller for a signal", { signal: new AbortController() }, "signal must be an AbortSignal, got "]
    ] as const) {
      it(`${what} rejects, in words, and nothing has changed`, async () => {
        const { grant, isIdle, wait, waiting } = make()
        const attempt = watch(wait(options as never))
        assert.strictEqual(waiting(), 0)
        await settle()
        assert.isTrue(attempt.error instanceof TypeError || attempt.error instanceof RangeError)
        assert.isTrue(attempt.error.message.startsWith(`${where}: ${message}`), attempt.error.message)
        grant()
        await settle()
        assert.isTrue(isIdle())
      })
    }

    it("what follows a wait runs in the context of who waits, not of who grants or aborts", async () => {
      const context = new AsyncLocalStorage<string>()
      const { grant, wait } = make()
      const { abort, signal } = counted()
      const seen: Array<string | undefined> = []
      const waiter = async (options?: WaitOptions) => {
        try {
          await wait(options)
        } catch {
          seen.push(`${context.getStore()}, aborted`)
          return
        }
        seen.push(context.getStore())
      }
      context.run("a", waiter)
      context.run("b", () => waiter({ signal }))
      context.run("c", () => waiter({ signal: new AbortController().signal }))
      await settle()
      context.run("aborter", abort)
      await settle()
      context.run("granter", grant)
      await settle()
      assert.deepStrictEqual(seen, ["b, aborted", "a", "c"])
    })

    it("many aborted and timed-out waits on one signal leave nothing behind", () =>
      withFakeTimers(async () => {
        const { isIdle, wait, waiting } = make()
        const long = counted()
        const attempts = Array.from({ length: 500 }, () => watch(wait({ signal: long.signal, timeout: 5 })))
        await settle()
        assert.strictEqual(long.left(), 1)
        await vi.advanceTimersByTimeAsync(5)
        await settle()
        assert.isTrue(attempts.every(({ error }) => error?.name === "TimeoutError"))
        assert.deepStrictEqual([waiting(), long.left()], [0, 0])
        assert.isTrue(isIdle())
      }))
  })
