import { AsyncLocalStorage } from "node:async_hooks"
import { execFileSync } from "node:child_process"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, TestClock } from "effect"
import { Timeout } from "effect-concurrency"
import {
  Deadline,
  deadline,
  DeadlineExceeded,
  Policy,
  retryPolicy,
  timeout,
  timeoutAt,
  timeoutPolicy,
  type TimeoutContext
} from "effect-concurrency/promise"
import { afterEach, beforeEach, expect, vi } from "vitest"
import { settle } from "../laws/skins.js"
import { rejectionOf } from "../utils/rejection.js"
import { root } from "../utils/source.js"

const never = () => new Promise<never>(() => {})
const sleep = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))

/** Ends when it is told, with the reason; after a cleanup, if there is one. */
const heeding =
  (cleanup: () => Promise<unknown> = async () => {}) =>
  ({ signal }: TimeoutContext) =>
    new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => cleanup().then(() => reject(signal.reason), reject), { once: true })
    })

/** What has become of a promise. */
const watching = <A>(promise: Promise<A>) => {
  const seen: { state: "pending" | "value" | "error"; value?: A; error?: any } = { state: "pending" }
  promise.then(
    (value) => Object.assign(seen, { state: "value", value }),
    (error: unknown) => Object.assign(seen, { state: "error", error })
  )
  return seen
}

const go = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds)

beforeEach(() => void vi.useFakeTimers())
afterEach(() => {
  // Nothing is left: no timer of a wait that has ended.
  const left = vi.isFakeTimers() ? vi.getTimerCount() : 0
  vi.useRealTimers()
  vi.restoreAllMocks()
  assert.strictEqual(left, 0, "timers that are left")
})

describe("timeout", () => {
  it("test_timeout_basic, test_wait_for: rejects when it is over, not before, and tells the function", async () => {
    let reason: unknown
    const seen = watching(
      timeout(
        (context) => {
          context.signal.addEventListener("abort", () => (reason = context.signal.reason))
          return heeding()(context)
        },
        1000,
        { name: "mine" }
      )
    )
    await go(999)
    assert.deepStrictEqual([seen.state, reason], ["pending", undefined])
    await go(1)
    assert.instanceOf(seen.error, DeadlineExceeded)
    const { _tag, deadline, message, milliseconds, name } = seen.error
    assert.deepStrictEqual(
      [_tag, deadline, message, milliseconds, name],
      ["DeadlineExceeded", "mine", 'the deadline "mine" of 1000 ms has passed', 1000, "TimeoutError"]
    )
    assert.strictEqual(reason, seen.error)
  })

  it("test_timeout_not_called, test_wait_for_race_condition, test_foreign_exception_passed: what ends in time is what it was", async () => {
    const slow = watching(timeout(() => sleep(999).then(() => 1), 1000))
    await go(999)
    assert.strictEqual(slow.value, 1)
    const error = new Error("oops")
    assert.strictEqual(await rejectionOf(timeout(() => Promise.reject(error), 1000)), error)
    assert.strictEqual(
      await rejectionOf(
        timeout(() => {
          throw error
        }, 1000)
      ),
      error
    )
    assert.strictEqual(await timeout(() => 5, 1000), 5)
    assert.strictEqual(await timeout(Promise.resolve(6), 1000), 6)
    // An AbortError of the function's own.
    const abort = new DOMException("no", "AbortError")
    assert.strictEqual(
      await rejectionOf(timeout(({ signal }) => (signal.aborted ? 0 : Promise.reject(abort)), 1000)),
      abort
    )
  })

  it("a function is called at once, and in the context of its caller, in which its abort listeners run as well", async () => {
    // The platform's own: fake timers lose the context.
    vi.useRealTimers()
    const storage = new AsyncLocalStorage<string>()
    const seen: Array<string | undefined> = []
    let called = false
    const run = (name: string) =>
      storage.run(name, () =>
        timeout((context) => {
          called = true
          context.signal.addEventListener("abort", () => seen.push(storage.getStore()))
          return heeding()(context)
        }, 100).catch(() => seen.push(storage.getStore()))
      )
    const both = [run("a"), run("b")]
    assert.isTrue(called)
    await Promise.all(both)
    assert.sameMembers(seen, ["a", "a", "b", "b"])
  })

  it("test_timeout_zero, test_timeout_zero_sleep_zero, test_wait_for_timeout_less_then_0_or_0_coroutine_do_not_started: zero never calls the function", async () => {
    let called = false
    assert.instanceOf(await rejectionOf(timeout(() => (called = true), 0)), DeadlineExceeded)
    assert.isFalse(called)
    assert.instanceOf(await rejectionOf(timeout(Promise.resolve(1), 0)), DeadlineExceeded)
  })

  it("test_timeout_disabled, test_wait_for_blocking: Infinity is no limit, and sets no timer", async () => {
    let end!: (value: number) => void
    const seen = watching(timeout(() => new Promise<number>((resolve) => (end = resolve)), Infinity))
    assert.strictEqual(vi.getTimerCount(), 0)
    end(1)
    await go(0)
    assert.strictEqual(seen.value, 1)
  })

  it("works for more than 2^31 milliseconds", async () => {
    const days = 60 * 86_400_000
    const seen = watching(timeout(heeding(), days))
    await go(days - 1)
    assert.strictEqual(seen.state, "pending")
    await go(1)
    assert.instanceOf(seen.error, DeadlineExceeded)
  })

  it("test_asyncio_wait_for_timeout, test_wait_for_waits_for_task_cancellation: the cleanup of a function is awaited", async () => {
    const seen = watching(
      timeout(
        heeding(() => sleep(50)),
        10
      )
    )
    await go(59)
    assert.strictEqual(seen.state, "pending")
    await go(1)
    assert.instanceOf(seen.error, DeadlineExceeded)
  })

  it("one that has not asked for its signal cannot be told, and is left at once; if it fails later, that is reported, once", async () => {
    const told = vi.fn()
    const late = (error: unknown) => async () => {
      await sleep(50)
      throw error
    }
    const seen = watching(timeout(late("too late"), 10, { name: "old", onError: told }))
    const quiet = watching(timeout(late(new DOMException("", "AbortError")), 10, { onError: told }))
    await go(10)
    assert.deepStrictEqual([seen.state, quiet.state], ["error", "error"])
    expect(told).not.toHaveBeenCalled()
    await go(40)
    expect(told.mock.calls).toEqual([
      [{ where: "Timeout", name: "old", message: "the work failed after it was left behind", error: "too late" }]
    ])
  })

  it("a promise is left at once, and its failure is its owner's", async () => {
    const told = vi.fn()
    const promise = sleep(50).then(() => Promise.reject(new Error("oops")))
    promise.catch(() => {})
    const seen = watching(timeout(promise, 10, { onError: told }))
    await go(10)
    assert.instanceOf(seen.error, DeadlineExceeded)
    await go(40)
    expect(told).not.toHaveBeenCalled()
  })

  it("test_foreign_exception_on_timeout, test_wait_for_reraises_exception_during_cancellation: a failure of the cleanup arrives instead", async () => {
    const error = new Error("the cleanup failed")
    const seen = watching(
      timeout(
        heeding(() => Promise.reject(error)),
        10
      )
    )
    await go(10)
    assert.strictEqual(seen.error, error)
  })

  it("test_wait_for_cancellation_race_condition, test_wait_for_cancel_suppressed: a value that it gives all the same is its result", async () => {
    const swallowing = (context: TimeoutContext) => heeding(() => sleep(5))(context).catch(() => 42)
    const seen = watching(timeout(swallowing, 10))
    await go(15)
    assert.strictEqual(seen.value, 42)
  })

  it("what ends with an AbortError once it was told has stopped", async () => {
    const aborting = (context: TimeoutContext) =>
      heeding()(context).catch(() => Promise.reject(new DOMException("stopped", "AbortError")))
    const seen = watching(timeout(aborting, 10))
    await go(10)
    assert.instanceOf(seen.error, DeadlineExceeded)
  })

  it("the grace: what does not end in it is left, which is reported, and its later failure as well", async () => {
    const told = vi.fn()
    const stubborn = heeding(() => sleep(100).then(() => Promise.reject(new Error("too late"))))
    const seen = watching(timeout(stubborn, 10, { name: "fetch", grace: 20, onError: told }))
    const inTime = watching(
      timeout(
        heeding(() => sleep(20)),
        10,
        { grace: 21, onError: told }
      )
    )
    await go(29)
    assert.strictEqual(seen.state, "pending")
    await go(1)
    assert.instanceOf(seen.error, DeadlineExceeded)
    assert.instanceOf(inTime.error, DeadlineExceeded)
    const message = "the work had not ended 20 ms after it was told to stop, and was left behind"
    expect(told.mock.calls).toEqual([[{ where: "Timeout", name: "fetch", message, error: undefined }]])
    await go(80)
    expect(told).toHaveBeenCalledTimes(2)
    assert.strictEqual(told.mock.calls[1]![0].message, "the work failed after it was left behind")
  })

  it("by default it is the console that is told", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {})
    void timeout(
      heeding(() => sleep(100)),
      10,
      { grace: 20 }
    ).catch(() => {})
    await go(200)
    expect(log.mock.calls).toEqual([
      ["Timeout: the work had not ended 20 ms after it was told to stop, and was left behind"]
    ])
  })
})

describe("timeout: aborted", () => {
  it("when the signal is aborted already, nothing is called", async () => {
    let called = false
    const error = await rejectionOf(timeout(() => (called = true), 10, { signal: AbortSignal.abort("no") }))
    assert.deepStrictEqual([error, called], ["no", false])
  })

  it("test_cancel_blocking_wait_for, test_cancel_wait_for, test_foreign_cancel_doesnt_timeout_if_not_expired: tells the function, and waits for its cleanup", async () => {
    for (const milliseconds of [60_000, Infinity]) {
      const controller = new AbortController()
      let reason: unknown
      const work = (context: TimeoutContext) =>
        heeding(async () => {
          reason = context.signal.reason
          await sleep(5)
        })(context)
      const seen = watching(timeout(work, milliseconds, { signal: controller.signal }))
      controller.abort("enough")
      await go(4)
      assert.deepStrictEqual([seen.state, reason], ["pending", "enough"])
      await go(1)
      assert.strictEqual(seen.error, "enough")
    }
  })

  it("test_asyncio_wait_for_cancelled: one that does not heed its signal is waited for, one that has not asked for it is left", async () => {
    const controller = new AbortController()
    const options = { signal: controller.signal }
    const deaf = watching(timeout(({ signal }) => sleep(signal.aborted ? 0 : 50), 1000, options))
    const left = watching(timeout(() => sleep(50), 1000, options))
    const promise = watching(timeout(sleep(50), 1000, options))
    controller.abort("enough")
    await go(0)
    assert.deepStrictEqual([deaf.state, left.error, promise.error], ["pending", "enough", "enough"])
    await go(50)
    assert.strictEqual(deaf.error, "enough")
  })

  it("test_wait_for_issue86296, test_cancel_in_timeout_after_cancellation: the abort comes before the deadline in its tick, and in the wait for the cleanup", async () => {
    const controller = new AbortController()
    const options = { signal: controller.signal }
    setTimeout(() => controller.abort("enough"), 10)
    const tick = watching(timeout(never, 10, options))
    const cleanup = watching(
      timeout(
        heeding(() => sleep(20)),
        5,
        options
      )
    )
    await go(10)
    await go(20)
    assert.deepStrictEqual([tick.error, cleanup.error], ["enough", "enough"])
  })

  it("a cleanup that fails then is reported, for its caller hears the reason", async () => {
    const told = vi.fn()
    const controller = new AbortController()
    const failing = heeding(() => Promise.reject(new Error("rollback failed")))
    const seen = watching(timeout(failing, 1000, { signal: controller.signal, name: "save", onError: told }))
    controller.abort("gone")
    await go(0)
    assert.strictEqual(seen.error, "gone")
    const message = "the work failed after its caller had gone"
    expect(told.mock.calls).toEqual([
      [{ where: "Timeout", name: "save", message, error: new Error("rollback failed") }]
    ])
  })

  it("no listener stays on the signal", async () => {
    const controller = new AbortController()
    const { signal } = controller
    const added = vi.spyOn(signal, "addEventListener")
    const removed = vi.spyOn(signal, "removeEventListener")
    await timeout(() => 1, 10, { signal })
    await rejectionOf(timeout(() => Promise.reject(1), 10, { signal }))
    const late = watching(timeout(never, 10, { signal }))
    await go(10)
    assert.strictEqual(late.state, "error")
    assert.isAbove(added.mock.calls.length, 0)
    assert.strictEqual(removed.mock.calls.length, added.mock.calls.length)
  })
})

describe("timeoutAt", () => {
  it("test_timeout_at_basic: a date, or milliseconds", async () => {
    for (const at of [Date.now() + 50, new Date(Date.now() + 50)]) {
      vi.setSystemTime(typeof at === "number" ? at - 50 : at.getTime() - 50)
      const seen = watching(timeoutAt(heeding(), at, { name: "noon" }))
      await go(49)
      assert.strictEqual(seen.state, "pending")
      await go(1)
      assert.deepStrictEqual(
        [seen.error.message, seen.error.milliseconds],
        ['the deadline "noon" has passed', undefined]
      )
    }
  })

  it("test_timeout_in_the_past_sleep_zero, test_timeout_at_disabled: one in the past calls nothing; Infinity is never", async () => {
    let called = false
    for (const at of [Date.now(), Date.now() - 11]) {
      assert.instanceOf(await rejectionOf(timeoutAt(() => (called = true), at)), DeadlineExceeded)
    }
    assert.isFalse(called)
    assert.strictEqual(await timeoutAt(() => 1, Infinity), 1)
  })
})

describe("Deadline", () => {
  it("runs several, one after the other and at once, and ends all of them; after that nothing is called", async () => {
    const deadline = new Deadline(100, { name: "all" })
    assert.strictEqual(deadline.name, "all")
    assert.strictEqual(await deadline.run(() => 1), 1)
    assert.strictEqual(await deadline.run(async (context) => (context.deadline === deadline ? 2 : 0)), 2)
    const runs = [1, 2, 3].map(() => watching(deadline.run(heeding())))
    await go(99)
    assert.deepStrictEqual([deadline.expired, deadline.remaining()], [false, 1])
    await go(1)
    assert.strictEqual(new Set(runs.map(({ error }) => error)).size, 1)
    assert.deepStrictEqual([deadline.expired, deadline.remaining()], [true, 0])
    assert.strictEqual(await rejectionOf(deadline.run(() => assert.fail("called"))), runs[0]!.error)
  })

  it("deadline(ms) is new Deadline(ms)", async () => {
    const made = deadline(100, { name: "made" })
    assert.instanceOf(made, Deadline)
    assert.deepStrictEqual([made.name, made.remaining(), deadline().remaining()], ["made", 100, Infinity])
    const seen = watching(made.run(heeding()))
    const within = watching(deadline(1000, { deadline: made }).run(heeding()))
    await go(99)
    assert.strictEqual(seen.state, "pending")
    await go(1)
    assert.deepStrictEqual([seen.error.deadline, within.error], ["made", seen.error])
  })

  it("its run is handed on by itself, and the deadline to a policy", async () => {
    const made = deadline(100, { name: "all" })
    const { run } = made
    assert.strictEqual(await [() => 5].map((f) => run(f))[0], 5)
    let attempts = 0
    const fails = async () => {
      attempts++
      throw new Error("oops")
    }
    const policy = Policy.wrap({ run }, retryPolicy({ attempts: 3, base: 80, factor: 1, jitter: "none" }))
    const seen = watching(policy.run(fails))
    const other = watching(Policy.wrap(made, retryPolicy({ attempts: 1 })).run(never))
    await go(99)
    assert.deepStrictEqual([seen.state, other.state, attempts], ["pending", "pending", 2])
    await go(1)
    assert.deepStrictEqual([seen.error.deadline, other.error], ["all", seen.error])
    assert.strictEqual(await rejectionOf(run(() => assert.fail("called"))), seen.error)
  })

  it("sets no timer while nothing is run; the time goes on", async () => {
    const deadline = new Deadline(100)
    assert.strictEqual(vi.getTimerCount(), 0)
    await go(100)
    assert.isTrue(deadline.expired)
    assert.instanceOf(await rejectionOf(deadline.run(() => 1)), DeadlineExceeded)
  })

  it("its signal aborts, also when it is asked for late, and not after it was closed", async () => {
    const deadline = new Deadline(100)
    const { signal } = deadline
    await go(99)
    assert.isFalse(signal.aborted)
    await go(1)
    assert.isTrue(signal.aborted)
    assert.instanceOf(signal.reason, DeadlineExceeded)
    const late = new Deadline(5)
    await go(5)
    assert.instanceOf(late.signal.reason, DeadlineExceeded)
    assert.strictEqual(await rejectionOf(late.run(() => 1)), late.signal.reason)
    const closed = new Deadline(5)
    const unaborted = closed.signal
    closed[Symbol.dispose]()
    assert.strictEqual(vi.getTimerCount(), 0)
    await go(5)
    assert.isFalse(unaborted.aborted)
  })

  it("test_reschedule: later, earlier, to none; each from now", async () => {
    const deadline = new Deadline(100)
    const seen = watching(deadline.run(heeding()))
    await go(90)
    assert.isTrue(deadline.reschedule(1000))
    await go(999)
    assert.strictEqual(seen.state, "pending")
    assert.isTrue(deadline.reschedule(undefined))
    assert.deepStrictEqual([deadline.remaining(), deadline.when, vi.getTimerCount()], [Infinity, Infinity, 0])
    await go(1e6)
    assert.isTrue(deadline.reschedule(5))
    await go(4)
    assert.strictEqual(seen.state, "pending")
    await go(1)
    assert.strictEqual(seen.error.message, "the deadline of 5 ms has passed")
  })

  it("test_timeout_finished, test_timeout_expired, test_timeout_expiring: too late to move it, and it says so", async () => {
    const closed = new Deadline(100)
    closed[Symbol.dispose]()
    assert.isFalse(closed.reschedule(5))
    const deadline = new Deadline(100)
    const seen = watching(deadline.run(heeding(() => sleep(10))))
    await go(100)
    assert.isFalse(deadline.reschedule(1000))
    await go(10)
    assert.instanceOf(seen.error, DeadlineExceeded)
    assert.isFalse(deadline.reschedule(undefined))
  })

  it("test_timeout_already_entered: closed: what runs has its time, and nothing more is run", async () => {
    const deadline = new Deadline(100)
    const running = watching(deadline.run(heeding()))
    deadline[Symbol.dispose]()
    assert.strictEqual(String(await rejectionOf(deadline.run(() => 1))), "Error: Deadline.run: the deadline is closed")
    await go(99)
    assert.strictEqual(running.state, "pending")
    await go(1)
    assert.instanceOf(running.error, DeadlineExceeded)
  })

  it("a signal and a timeout of one run end that one", async () => {
    const deadline = new Deadline(100)
    const controller = new AbortController()
    const aborted = watching(deadline.run(heeding(), { signal: controller.signal }))
    const brief = watching(deadline.run(heeding(), { timeout: 5 }))
    const other = watching(deadline.run(heeding()))
    controller.abort("enough")
    await go(5)
    assert.deepStrictEqual([aborted.error, brief.error.name, other.state], ["enough", "TimeoutError", "pending"])
    assert.notInstanceOf(brief.error, DeadlineExceeded)
    await go(95)
    assert.instanceOf(other.error, DeadlineExceeded)
  })

  it("at: an instant; when: the instant", async () => {
    const at = Date.now() + 100
    const deadline = Deadline.at(at)
    await go(40)
    assert.deepStrictEqual([deadline.when, deadline.remaining()], [at, 60])
    assert.strictEqual(Deadline.at(new Date(at)).when, at)
  })
})

describe("Deadline: within another", () => {
  const nested = async (outer: number, inner: number) => {
    const seen = watching(
      timeout(({ deadline }) => timeout(heeding(), inner, { name: "inner", deadline }), outer, { name: "outer" })
    )
    await go(Math.min(outer, inner) - 1)
    assert.strictEqual(seen.state, "pending")
    await go(1)
    return seen.error.deadline
  }

  it("test_nested_timeouts: the earlier counts, and of two at one time the outer", async () => {
    assert.strictEqual(await nested(20, 10), "inner")
    assert.strictEqual(await nested(10, 20), "outer")
    assert.strictEqual(await nested(10, 10), "outer")
  })

  it("an abort from outside that comes in their tick beats both", async () => {
    const controller = new AbortController()
    const { signal } = controller
    setTimeout(() => controller.abort("enough"), 10)
    let inside: unknown
    const seen = watching(
      timeout(
        ({ deadline, signal }) =>
          timeout(heeding(), 10, { name: "inner", deadline, signal }).catch((error: unknown) => {
            inside = error
            throw error
          }),
        10,
        { name: "outer", signal }
      )
    )
    await go(9)
    assert.strictEqual(seen.state, "pending")
    await go(1)
    assert.deepStrictEqual([seen.error, inside], ["enough", "enough"])
  })

  it("test_nested_timeouts_concurrent: under one that has passed while the program was busy nothing is called", async () => {
    const outer = new Deadline(10, { name: "outer" })
    const running = watching(outer.run(heeding()))
    vi.setSystemTime(Date.now())
    const now = performance.now()
    vi.spyOn(performance, "now").mockImplementation(() => now + 50)
    const error = (await rejectionOf(
      timeout(() => assert.fail("called"), 1000, { deadline: outer })
    )) as DeadlineExceeded
    assert.strictEqual(error.deadline, "outer")
    await go(0)
    assert.strictEqual(running.error, error)
  })

  it("work that an inner one left behind, or told to stop, keeps no timer of the outer one, nor is it kept there", async () => {
    for (const work of [never, heeding(never)]) {
      const outer = new Deadline(60_000)
      const seen = watching(timeout(work, 10, { deadline: outer, grace: 5, onError: () => {} }))
      await go(15)
      assert.instanceOf(seen.error, DeadlineExceeded)
      assert.strictEqual(vi.getTimerCount(), 0)
      outer[Symbol.dispose]()
    }
  })

  it("when the outer one passes while the clock is looked at, nothing is called", async () => {
    for (let reads = 1; reads <= 8; reads++) {
      const called = vi.fn()
      const outer = new Deadline(10, { name: "outer" })
      const now = vi.spyOn(performance, "now")
      const start = performance.now()
      let left = reads
      now.mockImplementation(() => (left-- > 0 ? start : start + 20))
      const seen = watching(timeout(called, 1000, { deadline: outer }))
      now.mockRestore()
      await go(30)
      if (called.mock.calls.length > 0) assert.strictEqual(seen.state, "value")
      else assert.instanceOf(seen.error, DeadlineExceeded, `after ${reads} looks`)
      outer[Symbol.dispose]()
    }
  })

  it("follows the outer one where it is moved, both ways", async () => {
    const outer = new Deadline(100, { name: "outer" })
    const seen = watching(timeout(heeding(), 1000, { deadline: outer }))
    await go(50)
    outer.reschedule(200)
    await go(199)
    assert.strictEqual(seen.state, "pending")
    outer.reschedule(1)
    await go(1)
    assert.strictEqual(seen.error.deadline, "outer")
    const other = new Deadline(100)
    const inner = new Deadline(undefined, { deadline: other })
    assert.strictEqual(inner.remaining(), 100)
    assert.isFalse(inner.signal.aborted)
    other.reschedule(5)
    await go(5)
    assert.isTrue(inner.signal.aborted)
    assert.strictEqual(inner.signal.reason, other.signal.reason)
  })

  it("an outer one that was closed does not count for what begins then", async () => {
    const outer = new Deadline(10)
    const inner = new Deadline(100, { deadline: outer })
    outer[Symbol.dispose]()
    const seen = watching(inner.run(heeding()))
    await go(99)
    assert.deepStrictEqual([seen.state, inner.remaining()], ["pending", 1])
    await go(1)
    assert.strictEqual(seen.error.milliseconds, 100)
  })
})

describe("Deadline.from", () => {
  it.scoped("shares that of an Effect program, on its clock, both ways", () =>
    Effect.gen(function* () {
      vi.useRealTimers()
      const deadline = yield* Timeout.make(100, { name: "shared" })
      const view = Deadline.from(deadline)
      assert.deepStrictEqual([view.name, view.remaining(), view.expired], ["shared", 100, false])
      const plain = watching(view.run(heeding()))
      const within = watching(timeout(heeding(), 60_000, { deadline: view }))
      const fiber = yield* Effect.fork(Effect.flip(deadline.run(Effect.never)))
      yield* Effect.yieldNow()
      yield* TestClock.adjust(90)
      assert.isTrue(view.reschedule(50))
      yield* TestClock.adjust(49)
      yield* Effect.promise(settle)
      assert.deepStrictEqual([plain.state, within.state, fiber.unsafePoll()], ["pending", "pending", null])
      yield* TestClock.adjust(1)
      yield* Effect.promise(settle)
      assert.deepStrictEqual([plain.error, within.error], [yield* Fiber.join(fiber), plain.error])
      assert.strictEqual(Deadline.from(view), view)
      assert.throws(
        () => Deadline.from({} as Deadline),
        "Deadline.from: argument must be a Deadline, got an object (Object)"
      )
    })
  )
})

describe("timeoutPolicy", () => {
  it("limits each run from its beginning, within a deadline if there is one", async () => {
    const policy = timeoutPolicy(10, { name: "brief" })
    assert.strictEqual(await policy.run(() => 1), 1)
    const seen = watching(policy.run(heeding()))
    await go(9)
    const second = watching(policy.run(heeding(), { deadline: new Deadline(3, { name: "outer" }) }))
    await go(1)
    assert.strictEqual(seen.error.deadline, "brief")
    await go(2)
    assert.strictEqual(second.error.deadline, "outer")
  })
})

describe("timeouts that are refused", () => {
  it("say what is allowed, and call nothing", async () => {
    const message = async (promise: Promise<unknown>) => String(await rejectionOf(promise))
    const fail = () => assert.fail("called")
    assert.strictEqual(
      await message(timeout(fail, -1)),
      "RangeError: timeout: milliseconds must be 0 or more milliseconds, got -1"
    )
    assert.strictEqual(
      await message(timeout(fail, NaN)),
      "RangeError: timeout: milliseconds must be 0 or more milliseconds, got NaN"
    )
    assert.strictEqual(
      await message(timeout(fail, "1" as any)),
      'TypeError: timeout: milliseconds must be 0 or more milliseconds, got "1"'
    )
    assert.strictEqual(
      await message(timeout(5 as any, 1)),
      "TypeError: timeout: work must be a function or a promise, got 5"
    )
    assert.strictEqual(
      await message(timeout(fail, 1, { grace: -1 })),
      "RangeError: timeout: grace must be 0 or more milliseconds, got -1"
    )
    assert.strictEqual(
      await message(timeout(fail, 1, { name: 5 as any })),
      "TypeError: timeout: name must be a string, got 5"
    )
    assert.strictEqual(
      await message(timeout(fail, 1, { deadline: 5 as any })),
      "TypeError: timeout: deadline must be a Deadline, got 5"
    )
    assert.strictEqual(
      await message(timeout(fail, 1, { signal: 5 as any })),
      "TypeError: timeout: signal must be an AbortSignal, got 5"
    )
    assert.strictEqual(
      await message(timeout(fail, 1, null as any)),
      "TypeError: timeout: options must be an object, got null"
    )
    assert.strictEqual(
      await message(timeoutAt(fail, new Date(NaN))),
      "RangeError: timeoutAt: instant must be a number, got NaN"
    )
    assert.throws(() => new Deadline(-1), "new Deadline: milliseconds must be 0 or more milliseconds, got -1")
    for (const bad of [-1, NaN]) {
      assert.throws(
        () => deadline(bad),
        RangeError,
        `deadline: milliseconds must be 0 or more milliseconds, got ${bad}`
      )
    }
    assert.throws(
      () => deadline("1" as any),
      TypeError,
      'deadline: milliseconds must be 0 or more milliseconds, got "1"'
    )
    assert.throws(() => deadline(1, { grace: -1 }), "deadline: grace must be 0 or more milliseconds, got -1")
    assert.throws(() => deadline(1, null as any), TypeError, "deadline: options must be an object, got null")
    assert.throws(() => Deadline.at(new Date(NaN)), "Deadline.at: instant must be a number, got NaN")
    assert.throws(
      () => timeoutPolicy(1, { grace: NaN }),
      "timeoutPolicy: grace must be 0 or more milliseconds, got NaN"
    )
    for (const bad of [-1, NaN]) {
      const unmoved = new Deadline(1000)
      assert.throws(
        () => unmoved.reschedule(bad),
        `Deadline.reschedule: milliseconds must be 0 or more milliseconds, got ${bad}`
      )
      assert.strictEqual(unmoved.remaining(), 1000)
    }
    assert.throws(() => timeoutPolicy(-1), "timeoutPolicy: milliseconds must be 0 or more milliseconds, got -1")
  })
})

describe("timeouts and the process", () => {
  it("ends although a deadline's signal is out, but not before a wait has ended", () => {
    const script = `
      import { Deadline, timeout } from "effect-concurrency/promise"
      const began = performance.now()
      const { signal } = new Deadline(60_000)
      const pending = timeout(() => new Promise(() => {}), 30)
      pending.catch((error) => console.log(error.name, signal.aborted))
      process.on("exit", () => console.log(performance.now() - began < 20_000))
    `
    const output = execFileSync(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script], {
      cwd: root
    })
    assert.strictEqual(String(output), "TimeoutError false\ntrue\n")
  })
})
