/** What a debounced and a throttled function have in common that only plain code can see. */
import { AsyncLocalStorage } from "node:async_hooks"
import { assert, describe, it, vi } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { Debounce, Throttle } from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import type { Pacer } from "../../src/core/pacer.js"
import { settle } from "../laws/skins.js"
import { rejectionOf } from "../utils/rejection.js"
import { counted, waitLaws, watch } from "./waits.js"

type Kind = "debounce" | "throttle"

type Options = Promises.DebounceOptions<ReadonlyArray<any>>

const { debounce, throttle } = Promises
const functions = { debounce, throttle }

const functionOf = <Args extends ReadonlyArray<any>, A>(
  kind: Kind,
  f: (...args: Args) => A | PromiseLike<A>,
  ms: number,
  options: Options = {}
): Promises.Debounced<Args, A> => (functions[kind] as typeof debounce)(f, ms, options as object)

/** With a clock that stands still unless the test moves it; sees that no timer is left. */
const withFakeTimers = async (test: () => Promise<void>): Promise<void> => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] })
  try {
    await test()
    assert.strictEqual(vi.getTimerCount(), 0)
  } finally {
    vi.useRealTimers()
  }
}

const withUnhandled = async (test: () => Promise<void>): Promise<ReadonlyArray<unknown>> => {
  const unhandled: Array<unknown> = []
  const note = (reason: unknown) => void unhandled.push(reason)
  const others = process.listeners("unhandledRejection")
  process.removeAllListeners("unhandledRejection")
  process.on("unhandledRejection", note)
  try {
    await test()
    await settle()
  } finally {
    process.off("unhandledRejection", note)
    for (const other of others) process.on("unhandledRejection", other)
  }
  return unhandled
}

const flushes = (kind: Kind) =>
  waitLaws(`${kind}.flush`, () => {
    let end!: () => void
    const self = functionOf(kind, () => new Promise<void>((resolve) => (end = resolve)), 0, { edges: "leading" })
    const id = `~effect-concurrency/${kind === "debounce" ? "Debounce" : "Throttle"}`
    const running = () => [...(self as unknown as Record<string, Pacer>)[id]!.state.lines.values()][0]?.running
    const waiting = () => running()?.flushes?.filter(({ gone }) => !gone).length ?? 0
    return {
      wait: (options) => {
        if (running() === undefined) self.trigger()
        return self.flush(options)
      },
      grant: () => end?.(),
      waiting,
      isIdle: () => waiting() === 0
    }
  })

export const pacedFunction = (kind: Kind): void => {
  flushes(kind)

  describe(`a ${kind} function`, () => {
    it("is called in the step in which its time has come: with fake timers that need not be awaited", () =>
      withFakeTimers(async () => {
        const f = vi.fn((n: number) => n)
        const self = functionOf(kind, f, 100, { edges: "trailing" })
        self.trigger(1)
        vi.advanceTimersByTime(50)
        self.trigger(2)
        vi.advanceTimersByTime(49)
        assert.strictEqual(f.mock.calls.length, 0)
        vi.advanceTimersByTime(kind === "debounce" ? 51 : 1)
        assert.deepStrictEqual(f.mock.calls, [[2]])
        await settle()
        vi.advanceTimersByTime(100)
        await settle()
      }))

    it("on a leading edge, sets one timer of the platform for a burst, and none for a call that its window covers", () =>
      withFakeTimers(async () => {
        const set = vi.spyOn(globalThis, "setTimeout")
        const f = vi.fn()
        const self = functionOf(kind, f, 100, { edges: "leading" })
        for (let i = 0; i < 1_000; i++) self.trigger(i)
        await settle()
        for (let i = 0; i < 1_000; i++) void self(i)
        await settle()
        assert.deepStrictEqual([f.mock.calls, set.mock.calls.length], [[[0]], 1])
        vi.advanceTimersByTime(100)
        assert.deepStrictEqual([self.stats().keys, set.mock.calls.length, vi.getTimerCount()], [0, 1, 0])
      }))

    it("a run that flushes or closes itself is told so, before it has awaited anything; with a timeout it may wait", async () => {
      const log: Array<unknown> = []
      const self: Promises.Debounced<[string], unknown> = functionOf(
        kind,
        (how: string): unknown => {
          if (how === "again") return self.trigger("nothing")
          const wait = { flush: () => self.flush(), close: () => self.close(), time: () => self.flush({ timeout: 1 }) }
          return how in wait ? wait[how as "flush"]().catch((error: Error) => log.push(error.message)) : undefined
        },
        0,
        { edges: "leading" }
      )
      const itself = `a run of the ${kind} waits for itself, and would never end`
      for (const [how, message] of [
        ["flush", `${kind}.flush: ${itself}`],
        ["time", `${kind}.flush: timed out after 1 ms`],
        ["again", undefined],
        ["close", `${kind}.close: ${itself}`]
      ] as const) {
        await self(how)
        assert.deepStrictEqual(log.splice(0), message === undefined ? [] : [message])
        await new Promise((resolve) => setTimeout(resolve, 2))
      }
      assert.isTrue(self.stats().isClosed)
    })

    it("gives the callers of a run one promise, with what the function gives, or the original error", async () => {
      const oops = new Error("oops")
      const self = functionOf(
        kind,
        async (error?: Error) => {
          if (error) throw error
          return 5
        },
        1,
        { edges: "trailing" }
      )
      const first = self()
      assert.strictEqual(self(), first)
      assert.strictEqual(await first, 5)
      assert.strictEqual(await rejectionOf(self(oops)), oops)
      const throws = functionOf(
        kind,
        () => {
          throw oops
        },
        1
      )
      assert.strictEqual(await rejectionOf(throws()), oops)
    })

    it("a failure that nobody handles is one unhandled rejection; what is cancelled is none", async () => {
      const self = functionOf(kind, () => Promise.reject("oops"), 1, { edges: "trailing" })
      assert.deepStrictEqual(
        await withUnhandled(async () => {
          for (let i = 0; i < 3; i++) void self()
          await self.flush()
        }),
        ["oops"]
      )
      assert.deepStrictEqual(
        await withUnhandled(async () => {
          void self()
          assert.strictEqual(self.cancel(), 1)
          await self.close()
          void self()
        }),
        []
      )
    })

    it("a failure of what was only triggered is reported, on the console unless somebody wants it; so is a reporter that throws", async () => {
      const logged = vi.spyOn(console, "error").mockImplementation(() => {})
      try {
        const fails = () => Promise.reject("oops")
        for (const onError of [undefined, () => Promise.reject("no")]) {
          const self = functionOf(kind, fails, 1, { name: "save", onError })
          self.trigger()
          await self.close()
          await settle()
        }
        assert.deepStrictEqual(logged.mock.calls, [
          [`${kind}: save: it failed, and nobody waits for it`, "oops"],
          [`${kind}: save: it failed, and nobody waits for it`, "oops"],
          [`${kind}: save: the reporter failed`, "no"]
        ])
      } finally {
        logged.mockRestore()
      }
    })

    it("with: a signal or a timeout ends the wait and not the run, and leaves no listener", () =>
      withFakeTimers(async () => {
        const runs: Array<number> = []
        const self = functionOf(kind, (n: number) => runs.push(n), 100, { edges: "trailing" })
        const { abort, left, signal } = counted()
        const calls = [self.with({ signal })(1), self.with({ timeout: 10 })(2), self(3)].map(watch)
        abort("enough")
        await settle()
        assert.deepStrictEqual([calls[0]!.error, left()], ["enough", 0])
        await vi.advanceTimersByTimeAsync(10)
        await settle()
        assert.strictEqual(calls[1]!.error.name, "TimeoutError")
        assert.strictEqual(calls[1]!.error.message, `${kind}: timed out after 10 ms`)
        await vi.advanceTimersByTimeAsync(200)
        await settle()
        assert.deepStrictEqual([calls[2]!.value, runs], [1, [3]])
      }))

    it("with: what is aborted already calls nothing, and a bad timeout is refused", async () => {
      const self = functionOf(kind, () => 5, 1, { edges: "trailing" })
      assert.strictEqual(await rejectionOf(self.with({ signal: AbortSignal.abort("before") })()), "before")
      assert.instanceOf(await rejectionOf(self.with({ timeout: -1 })()), RangeError)
      assert.strictEqual(self.pending, 0)
    })

    it("runs in the AsyncLocalStorage context of the first call of a run, also when it had to wait for another run", async () => {
      const context = new AsyncLocalStorage<string>()
      const seen: Array<unknown> = []
      let end: (() => void) | undefined
      const self = functionOf(
        kind,
        async () => {
          seen.push(context.getStore())
          await new Promise<void>((resolve) => (end = resolve))
        },
        1,
        { edges: "both" }
      )
      const call = (who: string) => context.run(who, () => self())
      const first = call("first")
      await new Promise((resolve) => setTimeout(resolve, 10))
      const second = [call("second"), call("third")]
      await settle()
      end!()
      await first
      // A throttle is due already; a debounce when the others have stopped.
      while (seen.length < 2) await new Promise((resolve) => setTimeout(resolve, 1))
      const idle = Promise.all(second)
      end!()
      await idle
      // The timer for the end of the window was set in another context.
      const fourth = [call("fourth"), call("fifth")]
      end!()
      while (seen.length < 3) await new Promise((resolve) => setTimeout(resolve, 1))
      end!()
      if (seen.length < 4 && self.pending > 0)
        while (seen.length < 4) await new Promise((resolve) => setTimeout(resolve, 1))
      end!()
      await Promise.all(fourth)
      assert.deepStrictEqual(seen.slice(0, 3), ["first", "second", "fourth"])
    })

    it("a function that calls itself has one run after the other, and not one in the other", async () => {
      const runs: Array<number> = []
      const self: Promises.Debounced<[number], number> = functionOf(
        kind,
        (n: number) => {
          runs.push(n)
          if (n < 3) self.trigger(n + 1)
          assert.strictEqual(runs.at(-1), n)
          return n
        },
        1,
        { edges: "both" }
      )
      assert.strictEqual(await self(1), 1)
      await vi.waitFor(() => assert.deepStrictEqual(runs, [1, 2, 3]))
      await self.close()
    })

    it("await using runs what is pending", async () => {
      const runs: Array<number> = []
      {
        await using self = functionOf(kind, (n: number) => runs.push(n), 10_000, { edges: "trailing" })
        self.trigger(1)
        self.trigger(2)
      }
      assert.deepStrictEqual(runs, [2])
    })

    it("a window in which nothing is pending does not keep the process alive, and a pending call does", async () => {
      const refs: Array<boolean> = []
      const real = globalThis.setTimeout
      const spied = vi.spyOn(globalThis, "setTimeout").mockImplementation(((f: () => void, ms: number) => {
        const handle = real(f, ms)
        refs.push(true)
        const index = refs.length - 1
        const { ref, unref } = handle
        handle.unref = () => {
          refs[index] = false
          return unref.call(handle)
        }
        handle.ref = () => {
          refs[index] = true
          return ref.call(handle)
        }
        return handle
      }) as typeof setTimeout)
      try {
        const self = functionOf(kind, () => 5, 10_000, { edges: "both" })
        await self()
        assert.deepStrictEqual(refs, [false])
        self.trigger()
        assert.deepStrictEqual(refs, [false, true])
        self.cancel()
        assert.deepStrictEqual(refs.at(-1), kind === "debounce")
        await self.close()
      } finally {
        spied.mockRestore()
      }
    })

    it("refuses what makes no sense, before anything is made", () => {
      const make = (f: any, ms: any, options?: any) => () => functionOf(kind, f, ms, options)
      const f = () => 5
      assert.throws(make(5, 1), TypeError, `${kind}: fn must be a function, got 5`)
      assert.throws(make(f, -1), RangeError, `${kind}: ${kind === "debounce" ? "wait" : "interval"} must be 0 or more`)
      assert.throws(make(f, NaN), RangeError)
      assert.throws(make(f, Infinity), RangeError)
      assert.throws(make(f, "1"), TypeError)
      assert.throws(make(f, 1, { key: "id" }), TypeError, `${kind}: key must be a function, got "id"`)
      assert.throws(make(f, 1, { onError: 5 }), TypeError, `${kind}: onError must be a function, got 5`)
      assert.throws(make(f, 1, { edges: "none" }), RangeError, `${kind}: edges must be one of`)
      assert.throws(make(f, 1, { onClose: "stop" }), RangeError, `${kind}: onClose must be one of`)
      assert.throws(make(f, 1, { name: 5 }), TypeError, `${kind}: name must be a string, got 5`)
      if (kind === "debounce") {
        for (const maxWait of [-1, NaN])
          assert.throws(make(f, 1, { maxWait }), RangeError, "debounce: maxWait must be 0 or more milliseconds")
        assert.throws(
          make(f, 5, { maxWait: 4 }),
          RangeError,
          "debounce: maxWait must be at least the wait of 5 ms, got 4"
        )
        assert.throws(make(f, 5, { maxWait: 9, edges: "leading" }), RangeError, "given together with a trailing edge")
      }
      assert.throws(make(f, 1, null), TypeError, `${kind}: options must be an object, got null`)
      assert.throws(() => (functions[kind] as any).from({}), TypeError)
    })

    it("from: a view calls the Effect program's function, on its clock, and shares its runs", async () => {
      const scope = Effect.runSync(Scope.make())
      const runs: Array<number> = []
      const f = (n: number) => Effect.suspend(() => (n === 0 ? Effect.fail("oops") : Effect.succeed(runs.push(n))))
      const shared: Debounce.Debounce<[number], number, string> =
        kind === "debounce"
          ? Effect.runSync(Scope.extend(Debounce.make(f, { wait: 5 }), scope))
          : (Effect.runSync(Scope.extend(Throttle.make(f, { interval: 5, edges: "trailing" }), scope)) as any)
      const self = (functions[kind] as typeof debounce).from(shared)
      const fiber = Effect.runPromise(shared.call(1))
      const plain = [self(2), (functions[kind] as typeof debounce).from(self)(3)]
      assert.deepStrictEqual([await Promise.all([fiber, ...plain]), runs], [[1, 1, 1], [3]])
      assert.strictEqual(await rejectionOf(self(0)), "oops")
      const late = self(1)
      await Effect.runPromise(Scope.close(scope, Exit.void))
      assert.strictEqual(await late, 2)
      const closed = (await rejectionOf(self(2))) as { _tag: string; reason: string }
      assert.deepStrictEqual(
        [closed._tag, closed.reason],
        [kind === "debounce" ? "DebounceCancelled" : "ThrottleCancelled", "closed"]
      )
    })
  })
}
