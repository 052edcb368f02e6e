import { AsyncLocalStorage } from "node:async_hooks"
import { assert, describe, it, vi } from "@effect/vitest"
import { Effect } from "effect"
import { Task as EffectTask } from "effect-concurrency"
import { Task, Wait } from "effect-concurrency/promise"
import { Reporter } from "../../src/internal/report.js"
import { heap } from "../utils/heap.js"
import { promiseDriver, waitingLaws } from "../laws/Wait.js"
import { settle } from "../laws/skins.js"
import { rejectionOf } from "../utils/rejection.js"
import { counted, watch, withFakeTimers } from "./waits.js"

waitingLaws(promiseDriver)

/** Rejects with the reason when it is told to stop. */
const until =
  <A>(promise: Promise<A>) =>
  ({ signal }: Wait.Call): Promise<A> =>
    new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason))
      promise.then(resolve, reject)
    })

const never = new Promise<never>(() => {})

const races = {
  firstCompleted: (inputs: Array<Wait.Start<any>>, options?: Wait.Options) => Wait.firstCompleted(inputs, options),
  firstSuccess: (inputs: Array<Wait.Start<any>>, options?: Wait.Options) => Wait.firstSuccess(inputs, options),
  firstN: (inputs: Array<Wait.Start<any>>, options?: Wait.Options) => Wait.firstN(inputs, 1, options),
  all: (inputs: Array<Wait.Start<any>>, options?: Wait.Options) => Wait.all(inputs, options),
  staggered: (inputs: Array<Wait.Start<any>>, options?: Wait.Options) => Wait.staggered(inputs, 5, options),
  hedge: ([f]: Array<Wait.Start<any>>, options?: Wait.Options) => Wait.hedge(f!, { after: 5, ...options }),
  asCompleted: (inputs: Array<Wait.Start<any>>, options?: Wait.Options) => Wait.asCompleted(inputs, options).next()
}

describe("Wait for async functions", () => {
  for (const [name, race] of Object.entries(races)) {
    it(`${name}: an aborted signal starts nothing and rejects with its reason, before a timeout of 0`, () =>
      withFakeTimers(async () => {
        let started = 0
        const reason = { why: "before" }
        const { added, abort, signal } = counted()
        abort(reason)
        const attempt = watch(race([() => started++], { signal, timeout: 0 }))
        await settle()
        assert.strictEqual(attempt.error, reason)
        assert.deepStrictEqual([started, added()], [0, 0])
      }))

    it(`${name}: an abort reaches the functions, rejects with its reason, and leaves no listener and no timer`, () =>
      withFakeTimers(async () => {
        const reason = { why: "now" }
        const seen: Array<unknown> = []
        const { abort, left, signal } = counted()
        const member = (call: Wait.Call) =>
          until(never)(call).catch((error: unknown) => {
            seen.push(error)
            throw error
          })
        const attempt = watch(race([member, member], { signal, timeout: 1000 }))
        await settle()
        assert.deepStrictEqual([attempt.state, left()], ["waiting", 1])
        abort(reason)
        await settle()
        assert.strictEqual(attempt.error, reason)
        assert.isAbove(seen.length, 0)
        for (const each of seen) assert.strictEqual(each, reason)
        assert.strictEqual(left(), 0)
      }))

    it(`${name}: a function that aborts the signal as it is called ends the wait, which leaves no listener and no timer`, () =>
      withFakeTimers(async () => {
        for (const timeout of [undefined, 1000]) {
          const reason = { why: "from inside" }
          const { abort, left, signal } = counted()
          const aborts = () => {
            abort(reason)
            return never
          }
          const attempt = watch(race([aborts, aborts], { signal, timeout, losers: "interrupt" }))
          await settle()
          assert.deepStrictEqual([attempt.state, attempt.error], ["failed", reason])
          assert.strictEqual(left(), 0)
        }
      }))

    it(`${name}: a timeout aborts the functions and rejects with a TimeoutError`, () =>
      withFakeTimers(async () => {
        const { left, signal } = counted()
        const attempt = watch(race([until(never), until(never)], { signal, timeout: 100 }))
        await vi.advanceTimersByTimeAsync(99)
        assert.strictEqual(attempt.state, "waiting")
        await vi.advanceTimersByTimeAsync(1)
        await settle()
        assert.strictEqual(attempt.error.name, "TimeoutError")
        assert.include(attempt.error.message, "timed out after 100 ms")
        assert.strictEqual(left(), 0)
      }))

    it(`${name}: a result leaves no listener and no timer`, () =>
      withFakeTimers(async () => {
        const { left, signal } = counted()
        await race([() => 1, () => 2], { signal, timeout: 1000 })
        assert.strictEqual(left(), 0)
        assert.strictEqual(vi.getTimerCount(), 0)
      }))

    it(`${name}: functions run in the context of the caller, whenever they are started`, () =>
      withFakeTimers(async () => {
        const storage = new AsyncLocalStorage<string>()
        const seen: Array<string | undefined> = []
        const member = async (call: Wait.Call) => {
          seen.push(storage.getStore())
          await until(never)(call)
        }
        const { abort, signal } = counted()
        const attempt = storage.run("caller", () => watch(race([member, member], { signal })))
        await vi.advanceTimersByTimeAsync(20)
        abort()
        await settle()
        assert.strictEqual(attempt.state, "failed")
        assert.deepStrictEqual(seen, name === "all" || seen.length > 1 ? ["caller", "caller"] : ["caller"])
      }))
  }

  it("a function that throws has failed, with that error", async () => {
    const error = new Error("thrown")
    const fails = () => {
      throw error
    }
    assert.strictEqual(await rejectionOf(Wait.firstCompleted([fails, () => 1])), error)
    assert.strictEqual(await rejectionOf(Wait.all([() => 1, fails])), error)
    assert.strictEqual(await Wait.firstSuccess([fails, () => 1]), 1)
  })

  it("the signal of the winner never aborts", async () => {
    const signals: Array<AbortSignal> = []
    const keep =
      <A>(f: Wait.Start<A>): Wait.Start<A> =>
      (call) => {
        signals.push(call.signal)
        return f(call)
      }
    await Wait.firstSuccess([keep(() => 1), keep(until(never))])
    assert.deepStrictEqual(
      signals.map(({ aborted }) => aborted),
      [false, true]
    )
    assert.strictEqual(signals[1]!.reason.name, "AbortError")
  })

  it("one that ignores its signal delays the result, unless it is left", async () => {
    let end!: () => void
    const deaf = () => new Promise<void>((resolve) => (end = resolve))
    const waits = watch(Wait.firstCompleted([deaf, () => 1]))
    await settle()
    assert.strictEqual(waits.state, "waiting")
    end()
    await settle()
    assert.strictEqual(waits.value, 1)
    assert.strictEqual(await Wait.firstCompleted([deaf, () => 1], { losers: "interrupt" }), 1)
  })

  it("a function that asks for its signal only after it has lost finds it aborted, and its rejection is no failure", async () => {
    const told: Array<unknown> = []
    let call!: Wait.Call
    let go!: () => void
    const gate = new Promise<void>((resolve) => (go = resolve))
    const late: Wait.Start<number> = async (given) => {
      call = given
      await gate
      given.signal.throwIfAborted()
      return 0
    }
    const attempt = watch(Wait.firstCompleted([late, () => 1], { onError: (each) => told.push(each) }))
    await settle()
    go()
    await settle()
    assert.strictEqual(attempt.value, 1)
    assert.deepStrictEqual(told, [])
    assert.deepStrictEqual([call.signal.aborted, call.signal.reason.name], [true, "AbortError"])
    assert.strictEqual(call.signal, call.signal)
  })

  it("hedge, withIndex: which attempt it was", async () => {
    let attempts = 0
    const third = async () => {
      if (++attempts < 3) throw new Error("no")
      return "yes"
    }
    assert.deepStrictEqual(await Wait.hedge(third, { after: 60_000, max: 3, withIndex: true }), {
      index: 2,
      value: "yes"
    })
  })

  it("an abort after the decision, while losers clean up, changes nothing", async () => {
    let end!: () => void
    const deaf = () => new Promise<void>((resolve) => (end = resolve))
    const { abort, signal } = counted()
    const attempt = watch(Wait.firstCompleted([deaf, () => 1], { signal }))
    await settle()
    abort()
    end()
    await settle()
    assert.strictEqual(attempt.value, 1)
  })

  it("the decision, then an abort, in one tick: the reason", async () => {
    let win!: (value: number) => void
    const { abort, signal } = counted()
    const attempt = watch(Wait.firstCompleted([new Promise<number>((resolve) => (win = resolve))], { signal }))
    await settle()
    win(1)
    await Promise.resolve()
    abort("reason")
    await settle()
    assert.strictEqual(attempt.error, "reason")
  })

  it("what fails late is told on the console by default", async () => {
    const told = vi.spyOn(console, "error").mockImplementation(() => {})
    try {
      const late = new Error("late")
      await Wait.firstSuccess([() => 1, () => Promise.reject(late).finally(() => {})], { losers: "keep" })
      await settle()
      assert.deepStrictEqual(told.mock.calls, [
        ["Wait.firstSuccess: number 1 failed, and nobody waits for it any more", late]
      ])
    } finally {
      told.mockRestore()
    }
  })

  it("a promise that fails late is its owner's, and no unhandled rejection of ours", async () => {
    const unhandled: Array<unknown> = []
    const on = (reason: unknown) => void unhandled.push(reason)
    process.on("unhandledRejection", on)
    try {
      const told: Array<unknown> = []
      let fail!: (reason: unknown) => void
      const promise = new Promise<number>((_, reject) => (fail = reject))
      await Wait.firstCompleted([promise, () => 1], { onError: (each) => told.push(each) })
      promise.catch(() => {})
      fail(new Error("late"))
      await settle()
      assert.deepStrictEqual([told, unhandled], [[], []])
    } finally {
      process.off("unhandledRejection", on)
    }
  })

  it("promises that settle in the tick of the decision are their owners', and not reported", async () => {
    const told: Array<unknown> = []
    const onError = (each: unknown) => void told.push(each)
    const fails = Promise.reject(new Error("same tick"))
    fails.catch(() => {})
    assert.strictEqual(await Wait.firstCompleted([Promise.resolve(1), fails], { onError }), 1)
    assert.strictEqual(
      await Wait.all([Promise.resolve(1), fails], { onError }).catch(({ message }) => message),
      "same tick"
    )
    for await (const _ of Wait.asCompleted([Promise.resolve(1), fails], { onError })) break
    await settle()
    assert.deepStrictEqual(told, [])
  })

  it("a failure is heard or reported, once, in whichever tick the caller is aborted", async () => {
    type Race = (inputs: ReadonlyArray<Wait.Start<never>>, options: Wait.Options) => Promise<unknown>
    const races: Record<string, Race> = {
      firstCompleted: Wait.firstCompleted,
      firstSuccess: (inputs, options) => Wait.firstSuccess([inputs[0]!], options),
      all: Wait.all
    }
    const fails = {
      "a function": (failing: Promise<never>) => () => failing,
      "a task": (failing: Promise<never>, onError: () => void) => new Task(() => failing, { onError }) as any
    }
    for (const [name, race] of Object.entries(races)) {
      for (const [who, make] of Object.entries(fails)) {
        const seen = new Set<string>()
        for (let ticks = 0; ticks < 12; ticks++) {
          let [heard, reported] = [0, 0]
          const told = () => void reported++
          let fail!: (error: unknown) => void
          const failing = new Promise<never>((_, reject) => (fail = reject))
          const { abort, signal } = counted()
          const members = [make(failing, told), until(never)]
          const racing = race(members, { signal, onError: told }).catch((error: unknown) => {
            if (error !== "aborted") heard++
          })
          await settle()
          fail(new Error("oops"))
          for (let i = 0; i < ticks; i++) await Promise.resolve()
          abort("aborted")
          await racing
          await new Promise((resolve) => setTimeout(resolve, 2))
          assert.strictEqual(
            heard + reported,
            1,
            `${name} of ${who}, ${ticks} ticks: ${heard} heard, ${reported} reported`
          )
          seen.add(heard ? "heard" : "reported")
        }
        assert.strictEqual(seen.size, 2)
      }
    }
  })

  it("a task is not asked to then, and is no unhandled rejection", async () => {
    const told: Array<unknown> = []
    const task = new Task(() => Promise.reject(new Error("no")), { onError: (each) => told.push(each) })
    assert.strictEqual(await Wait.firstCompleted([task, () => 1], { losers: "keep" }), 1)
    assert.deepStrictEqual((await Wait.wait([task])).done, [task])
    await new Promise((resolve) => setTimeout(resolve, 2))
    assert.strictEqual(told.length, 1)
    assert.strictEqual(task["~effect-concurrency/Task"].asked, 1, "the one who reported it")
  })

  it("a task that waits for itself where that has no end is told so in its first step; elsewhere it may take part", async () => {
    const one = () => 1
    const ways: Record<string, readonly [told: boolean, (self: Task<unknown>) => unknown]> = {
      all: [true, (self) => Wait.all([self, one])],
      "first of one": [true, (self) => Wait.firstCompleted([self])],
      quorum: [true, (self) => Wait.firstN([self, one], 2)],
      "wait for all": [true, (self) => Wait.wait([self])],
      "as completed": [true, (self) => Wait.asCompleted([self]).next()],
      "wait for some time": [false, (self) => Wait.wait([self], { timeout: 1 })],
      "first of two": [false, (self) => Wait.firstCompleted([self, one])],
      "some, as they complete": [false, (self) => Wait.asCompleted([self, one]).next()]
    }
    for (const [name, [told, wait]] of Object.entries(ways)) {
      const task: Task<unknown> = new Task(async () => wait(task), { onError: () => {} })
      const outcome = watch(task.wait())
      await new Promise((resolve) => setTimeout(resolve, 5))
      assert.strictEqual(outcome.state, told ? "failed" : "done", name)
      if (told) assert.match(outcome.error.message, /^Wait\.\w+: the task waits for itself/)
    }
  })

  it("a task of an Effect program reports there what no race has taken over", async () => {
    const told: Array<string> = []
    const start = Effect.provideService(
      EffectTask.start(Effect.zipRight(Effect.sleep(2), Effect.fail("late"))),
      Reporter,
      {
        report: ({ message }) => Effect.sync(() => void told.push(message))
      }
    )
    const task = Task.from(Effect.runSync(start))
    assert.strictEqual(await Wait.firstSuccess([task, () => 1], { losers: "keep" }), 1)
    await new Promise((resolve) => setTimeout(resolve, 10))
    assert.deepStrictEqual(told, ["it failed, and nobody waits for it"])
  })

  it("a promise is waited for with one reaction, however often", async () => {
    let resolve!: (value: string) => void
    const promise = new Promise<string>((r) => (resolve = r))
    const then = vi.spyOn(promise, "then")
    for (let i = 0; i < 100; i++) await Wait.firstCompleted([promise, () => i])
    const both = [watch(Wait.wait([promise])), watch(Wait.firstCompleted([promise]))]
    assert.strictEqual(then.mock.calls.length, 1)
    resolve("there")
    await settle()
    assert.deepStrictEqual(both[0]!.value, { done: [promise], pending: [] })
    assert.strictEqual(both[1]!.value, "there")
    assert.strictEqual(await Wait.firstCompleted([promise]), "there")
  })

  it("thenables are promises, too", async () => {
    class Thenable {
      // oxlint-disable-next-line unicorn/no-thenable -- this is what it is about
      then(f: (value: number) => void): any {
        queueMicrotask(() => f(5))
      }
    }
    assert.strictEqual(await Wait.firstCompleted([new Thenable() as PromiseLike<number>]), 5)
  })

  describe("wait", () => {
    it("an abort rejects with the reason, and leaves no listener and no timer; an aborted signal as well", () =>
      withFakeTimers(async () => {
        const { abort, left, signal } = counted()
        const attempt = watch(Wait.wait([never], { signal, timeout: 1000 }))
        await settle()
        abort("reason")
        await settle()
        assert.strictEqual(attempt.error, "reason")
        assert.strictEqual(left(), 0)
        assert.strictEqual(await rejectionOf(Wait.wait([never], { signal, timeout: 0 })), "reason")
      }))

    it("an unused timeout is cleared", () =>
      withFakeTimers(async () => {
        await Wait.wait([Promise.resolve()], { timeout: 1000 })
        assert.strictEqual(vi.getTimerCount(), 0)
      }))
  })

  describe("asCompleted", () => {
    const later = (ms: number, value: string) => () =>
      new Promise<string>((resolve) => setTimeout(() => resolve(value), ms))
    const valueOf = (result: IteratorResult<Wait.Completed<string>, undefined>) =>
      result.done === true ? "end" : result.value.status === "fulfilled" ? result.value.value : "rejected"

    it("starts when it is called, and can be taken from and resumed", () =>
      withFakeTimers(async () => {
        // asyncio: test_as_completed_resume_iterator
        const results = Wait.asCompleted([later(10, "a"), later(20, "b"), later(30, "c")])
        const taken = [results.next(), results.next()]
        await vi.advanceTimersByTimeAsync(30)
        assert.deepStrictEqual((await Promise.all(taken)).map(valueOf), ["a", "b"])
        const rest: Array<string> = []
        for await (const result of results) rest.push(valueOf({ done: false, value: result }))
        assert.deepStrictEqual(rest, ["c"])
        assert.strictEqual(valueOf(await results.next()), "end")
      }))

    it("whoever asks first gets what settles first", () =>
      withFakeTimers(async () => {
        // asyncio: test_as_completed_reverse_wait, test_as_completed_concurrent
        const results = Wait.asCompleted([later(20, "slow"), later(10, "fast")])
        const [first, second, third] = [results.next(), results.next(), results.next()]
        await vi.advanceTimersByTimeAsync(20)
        assert.deepStrictEqual([await third, await second, await first].map(valueOf), ["end", "slow", "fast"])
      }))

    it("a timeout: what settled in time, then a TimeoutError, and promises are left alone", () =>
      withFakeTimers(async () => {
        // asyncio: test_as_completed_with_timeout
        const slow = later(150, "b")()
        const results = Wait.asCompleted([later(100, "a"), slow], { timeout: 120 })
        const first = watch(results.next())
        const second = watch(results.next())
        await vi.advanceTimersByTimeAsync(119)
        assert.deepStrictEqual([first.state, second.state], ["done", "waiting"])
        await vi.advanceTimersByTimeAsync(1)
        assert.strictEqual(second.error.name, "TimeoutError")
        assert.strictEqual(((await rejectionOf(results.next())) as Error).name, "TimeoutError")
        await vi.advanceTimersByTimeAsync(30)
        assert.strictEqual(await slow, "b")
      }))

    it("an unused timeout is cleared", () =>
      withFakeTimers(async () => {
        // asyncio: test_as_completed_with_unused_timeout
        for await (const _ of Wait.asCompleted([() => "a"], { timeout: 1000 }));
        assert.strictEqual(vi.getTimerCount(), 0)
        const unread = Wait.asCompleted([() => "a", Promise.resolve("b")], { timeout: 1000 })
        await settle()
        assert.strictEqual(vi.getTimerCount(), 0)
        assert.strictEqual(valueOf(await unread.next()), "a")
      }))

    it("never read: what fails is reported by the next turn, once, and can be taken all the same", () =>
      withFakeTimers(async () => {
        const told: Array<string> = []
        const onError = ({ error, where }: { error: unknown; where: string }) =>
          void told.push(`${where}: ${(error as Error).message}`)
        const fails = (ms: number) => async () => {
          await new Promise((resolve) => setTimeout(resolve, ms))
          throw new Error(`after ${ms} ms`)
        }
        const task = new Task(fails(10), { onError })
        const results = Wait.asCompleted([fails(5), fails(5), task, later(7, "a"), fails(20)], { onError })
        await vi.advanceTimersByTimeAsync(5)
        assert.deepStrictEqual(told, [])
        await vi.advanceTimersByTimeAsync(1)
        assert.deepStrictEqual(told, ["Wait.asCompleted: after 5 ms", "Wait.asCompleted: after 5 ms"])
        await vi.advanceTimersByTimeAsync(6)
        assert.deepStrictEqual(told.slice(2), ["Task: after 10 ms"])
        const first = await results.next()
        assert.strictEqual(valueOf(first as never), "rejected")
        await vi.advanceTimersByTimeAsync(10)
        await results.return()
        // Whoever has begun to read has all that fails, until he leaves.
        assert.deepStrictEqual(told.slice(3), ["Wait.asCompleted: after 20 ms"])
        await vi.advanceTimersByTimeAsync(1)
        assert.strictEqual(told.length, 4)
      }))

    it("read in the tick of a failure: the reader has it, and nothing is reported", () =>
      withFakeTimers(async () => {
        const told: Array<unknown> = []
        const results = Wait.asCompleted([() => Promise.reject(new Error("no"))], {
          onError: (each) => told.push(each)
        })
        await settle()
        assert.strictEqual(valueOf((await results.next()) as never), "rejected")
        await vi.advanceTimersByTimeAsync(1)
        assert.deepStrictEqual(told, [])
      }))

    it("tasks that have ended all: a timeout leaves no timer", () =>
      withFakeTimers(async () => {
        const task = new Task(() => "a")
        await task
        const results = Wait.asCompleted([task], { timeout: 1000 })
        assert.strictEqual(vi.getTimerCount(), 0)
        assert.strictEqual(valueOf(await results.next()), "a")
      }))

    it("what has settled when the signal aborts is still given, and then its reason", async () => {
      const { abort, left, signal } = counted()
      const results = Wait.asCompleted([() => "done", until(never)], { signal })
      await settle()
      abort("reason")
      assert.strictEqual(valueOf(await results.next()), "done")
      assert.strictEqual(await rejectionOf(results.next()), "reason")
      assert.strictEqual(left(), 0)
    })

    it("return while others wait for the next: all settle, and again is done", async () => {
      let aborted = false
      const results = Wait.asCompleted([
        async (call) => {
          await until(never)(call).catch(() => (aborted = true))
          return "late"
        }
      ])
      const asked = [results.next(), results.next()]
      assert.deepStrictEqual(await results.return(), { done: true, value: undefined })
      assert.isTrue(aborted)
      for (const each of asked) assert.strictEqual(valueOf(await each), "end")
      assert.deepStrictEqual(await results.next(), { done: true, value: undefined })
      assert.deepStrictEqual(await results.return(), { done: true, value: undefined })
    })

    it("throw closes it, and rejects with the error", async () => {
      const results = Wait.asCompleted([until(never)])
      const asked = results.next()
      const error = new Error("thrown in")
      assert.strictEqual(await rejectionOf(results.throw(error)), error)
      assert.strictEqual((await asked).done, true)
    })

    it("disposing closes it", async () => {
      let signal!: AbortSignal
      const results = Wait.asCompleted([
        (call) => {
          signal = call.signal
          return until(never)(call)
        }
      ])
      await results[Symbol.asyncDispose]()
      assert.isTrue(signal.aborted)
    })
  })

  describe("leaks", () => {
    const many = 200_000
    const retained = async (work: (n: number) => Promise<void>, n = many): Promise<number> => {
      await work(2000)
      const before = await heap()
      await work(n)
      return (await heap()) - before
    }

    it("200,000 races against one promise that lives long retain nothing", async () => {
      const { signal } = new AbortController()
      const value = Promise.resolve(1)
      const megabytes = await retained(async (n) => {
        for (let i = 0; i < n; i++) await Wait.firstCompleted([never, value], { signal })
      })
      assert.isBelow(megabytes, 4)
    }, 120_000)

    it("races of each kind against it, with its index, retain nothing", async () => {
      const value = Promise.resolve(1)
      const megabytes = await retained(async (n) => {
        for (let i = 0; i < n; i++) {
          await Wait.firstSuccess([never, value], { withIndex: true })
          await Wait.firstN([never, value], 1, { losers: "keep" })
          for await (const _ of Wait.asCompleted([never, value])) break
        }
      }, 20_000)
      assert.isBelow(megabytes, 4)
    }, 120_000)

    it("200,000 races against one task that lives long leave nothing in it, and retain nothing", async () => {
      const task = new Task(() => never)
      const megabytes = await retained(async (n) => {
        for (let i = 0; i < n; i++) await Wait.firstCompleted([task, async () => i])
      })
      assert.isBelow(megabytes, 4)
      assert.strictEqual(task["~effect-concurrency/Task"].waiting?.size, 0)
    }, 120_000)

    it("100,000 races at once against one task, each left on its own, retain nothing", async () => {
      const task = new Task(() => never)
      const megabytes = await retained(async (n) => {
        const races = Array.from({ length: n }, (_, i) => Wait.firstCompleted([task, async () => i]))
        await Promise.all(races)
      }, 100_000)
      assert.isBelow(megabytes, 8)
      assert.strictEqual(task["~effect-concurrency/Task"].waiting?.size, 0)
    }, 120_000)

    it("races of functions against it, at once in thousands, retain nothing", async () => {
      const megabytes = await retained(async (n) => {
        for (let i = 0; i < n; i += 1000) {
          await Promise.all(Array.from({ length: 1000 }, (_, i) => Wait.firstSuccess([never, async () => i])))
        }
      }, 50_000)
      assert.isBelow(megabytes, 4)
    }, 120_000)

    it("waits for it, each with a timeout, retain nothing", async () => {
      const value = Promise.resolve(1)
      const megabytes = await retained(async (n) => {
        for (let i = 0; i < n; i++) await Wait.wait([never, value], { until: "firstCompleted", timeout: 60_000 })
      }, 50_000)
      assert.isBelow(megabytes, 4)
    }, 120_000)
  })
})
