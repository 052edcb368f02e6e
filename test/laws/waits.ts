/**
 * What every wait of the facade does with its `signal` and its `timeout`: one suite, for each function that waits for permits or a lock.
 */
import { assert, describe, it } from "@effect/vitest"
import { AsyncLocalStorage } from "node:async_hooks"
import { getEventListeners } from "node:events"
import { afterEach, beforeEach, vi } from "vitest"
import type { Options } from "../../src/promise/permits.js"
import { settle } from "./skins.js"

export interface Subject {
  /** The function. */
  readonly name: string
  /** How errors name it, if it goes by another name: that which it is an alias of, say. */
  readonly alias?: string
  /** An instance whose one permit is taken. */
  readonly make: () => Instance
}

export interface Instance {
  /** Asks for the permit, calls `body` when it is there, and gives it back. */
  readonly call: (body: () => void, options?: Options) => Promise<unknown>
  /** Gives the permit back. */
  readonly open: () => void
  readonly stats: () => { readonly inUse: number; readonly waiting: number }
}

const nothing = () => {}

/** How a promise ended, to look at without waiting for it. */
const follow = (promise: Promise<unknown>) => {
  const end: { state: "waiting" | "done" | "failed"; error?: unknown } = { state: "waiting" }
  promise.then(
    () => {
      end.state = "done"
    },
    (error: unknown) => {
      end.state = "failed"
      end.error = error
    }
  )
  return end
}

/** A signal that counts how often somebody listens to it, and how many still do. */
const listened = () => {
  const controller = new AbortController()
  const { signal } = controller
  const added = vi.spyOn(signal, "addEventListener")
  return {
    signal,
    abort: (reason?: unknown) => controller.abort(reason),
    added: () => added.mock.calls.length,
    left: () => getEventListeners(signal, "abort").length
  }
}

export const waitLaws = ({ alias, make, name }: Subject) =>
  describe(name, () => {
    /** The message, whichever of its names the function goes by. */
    const assertMessage = (error: unknown, rest: string) => {
      const { message } = error as Error
      const named = [name, alias ?? name].some((each) => message.startsWith(`${each}: ${rest}`))
      assert.isTrue(named, `${name}: ${rest} is: ${message}`)
    }

    beforeEach(() => {
      vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
    })
    afterEach(() => {
      vi.useRealTimers()
    })

    const inUse = (instance: Instance) => [instance.stats().inUse, instance.stats().waiting]

    describe("with a signal", () => {
      for (const free of [false, true]) {
        it(`that is aborted already rejects with its reason, and nothing runs (${free ? "free" : "taken"})`, async () => {
          const instance = make()
          if (free) instance.open()
          const before = inUse(instance)
          const reason = { any: "value" }
          const body = vi.fn()
          const end = follow(instance.call(body, { signal: AbortSignal.abort(reason), timeout: 5 }))
          assert.deepStrictEqual(inUse(instance), before)
          await settle()
          assert.strictEqual(end.error, reason)
          assert.strictEqual(body.mock.calls.length, 0)
          assert.deepStrictEqual(inUse(instance), before)
          assert.strictEqual(vi.getTimerCount(), 0)
        })
      }

      it("that aborts while it waits rejects with the reason, and leaves the queue at once", async () => {
        const instance = make()
        const { abort, added, left, signal } = listened()
        const body = vi.fn()
        const end = follow(instance.call(body, { signal }))
        await settle()
        assert.deepStrictEqual([added(), left(), ...inUse(instance)], [1, 1, 1, 1])
        const reason = new Error("enough")
        abort(reason)
        assert.deepStrictEqual([left(), ...inUse(instance)], [0, 1, 0])
        await settle()
        assert.strictEqual(end.error, reason)
        instance.open()
        await settle()
        assert.deepStrictEqual([body.mock.calls.length, ...inUse(instance)], [0, 0, 0])
      })

      it("that aborts without a reason rejects with the web's AbortError", async () => {
        const instance = make()
        const { abort, signal } = listened()
        const end = follow(instance.call(nothing, { signal }))
        await settle()
        abort()
        await settle()
        assert.strictEqual((end.error as DOMException).name, "AbortError")
        assert.strictEqual(end.error, signal.reason)
      })

      for (const another of [false, true]) {
        for (const order of ["grant, then abort", "abort, then grant"] as const) {
          it(`that aborts in the tick of the grant loses nothing (${order}${another ? ", another waits" : ""})`, async () => {
            const instance = make()
            const { abort, left, signal } = listened()
            const body = vi.fn()
            const end = follow(instance.call(body, { signal }))
            const next = another ? follow(instance.call(nothing)) : undefined
            await settle()
            if (order === "abort, then grant") abort("reason")
            instance.open()
            if (order === "grant, then abort") abort("reason")
            await settle()
            assert.deepStrictEqual([end.state, end.error], ["failed", "reason"])
            assert.strictEqual(body.mock.calls.length, 0)
            assert.strictEqual(next?.state ?? "done", "done")
            assert.deepStrictEqual([left(), ...inUse(instance)], [0, 0, 0])
          })
        }
      }

      it("that aborts any number of microtasks after the grant either runs or rejects, and loses nothing", async () => {
        const ends = new Set<string>()
        for (let delay = 0; delay < 12; delay++) {
          const instance = make()
          const { abort, left, signal } = listened()
          const body = vi.fn()
          const end = follow(instance.call(body, { signal, timeout: 1_000 }))
          const next = follow(instance.call(nothing))
          await settle()
          instance.open()
          for (let i = 0; i < delay; i++) await Promise.resolve()
          abort("reason")
          await settle()
          ends.add(end.state)
          assert.strictEqual(body.mock.calls.length, end.state === "done" ? 1 : 0, `after ${delay} microtasks`)
          assert.strictEqual(next.state, "done")
          assert.deepStrictEqual([left(), ...inUse(instance), vi.getTimerCount()], [0, 0, 0, 0])
        }
        assert.deepStrictEqual([...ends].toSorted(), ["done", "failed"])
      })

      it("that aborts later changes nothing, and has no listener any more", async () => {
        const instance = make()
        const { abort, added, left, signal } = listened()
        const end = follow(instance.call(nothing, { signal }))
        await settle()
        instance.open()
        await settle()
        assert.deepStrictEqual([end.state, added(), left()], ["done", 1, 0])
        abort("too late")
        await settle()
        assert.deepStrictEqual([end.state, ...inUse(instance)], ["done", 0, 0])
      })

      it("does not listen to it when there is nothing to wait for", async () => {
        const instance = make()
        instance.open()
        const { added, signal } = listened()
        const end = follow(instance.call(nothing, { signal, timeout: 5 }))
        assert.deepStrictEqual([added(), vi.getTimerCount()], [0, 0])
        await settle()
        assert.strictEqual(end.state, "done")
      })
    })

    describe("with a timeout", () => {
      it("rejects with a TimeoutError at that time and not before, and leaves no ghost", async () => {
        const instance = make()
        const body = vi.fn()
        const end = follow(instance.call(body, { timeout: 50 }))
        const next = follow(instance.call(nothing, { timeout: 51 }))
        await settle()
        vi.advanceTimersByTime(49)
        await settle()
        assert.deepStrictEqual([end.state, ...inUse(instance)], ["waiting", 1, 2])
        vi.advanceTimersByTime(1)
        assert.deepStrictEqual(inUse(instance), [1, 1])
        await settle()
        assert.instanceOf(end.error, DOMException)
        assert.strictEqual((end.error as DOMException).name, "TimeoutError")
        assertMessage(end.error, "timed out after 50 ms")
        assert.strictEqual(next.state, "waiting")
        instance.open()
        await settle()
        assert.deepStrictEqual([body.mock.calls.length, next.state], [0, "done"])
        assert.deepStrictEqual([...inUse(instance), vi.getTimerCount()], [0, 0, 0])
      })

      it("that a grant precedes has no timer any more", async () => {
        const instance = make()
        const end = follow(instance.call(nothing, { timeout: 50 }))
        await settle()
        assert.strictEqual(vi.getTimerCount(), 1)
        vi.advanceTimersByTime(49)
        instance.open()
        assert.strictEqual(vi.getTimerCount(), 0)
        vi.advanceTimersByTime(1)
        await settle()
        assert.deepStrictEqual([end.state, ...inUse(instance)], ["done", 0, 0])
      })

      it("that an abort precedes has no timer any more, and the other way round no listener", async () => {
        const aborted = make()
        const first = listened()
        const firstEnd = follow(aborted.call(nothing, { signal: first.signal, timeout: 50 }))
        const timed = make()
        const second = listened()
        const secondEnd = follow(timed.call(nothing, { signal: second.signal, timeout: 50 }))
        await settle()
        first.abort("aborted")
        assert.deepStrictEqual([vi.getTimerCount(), first.left(), second.left()], [1, 0, 1])
        vi.advanceTimersByTime(50)
        assert.deepStrictEqual([vi.getTimerCount(), first.left(), second.left()], [0, 0, 0])
        second.abort("too late")
        await settle()
        assert.strictEqual(firstEnd.error, "aborted")
        assert.strictEqual((secondEnd.error as DOMException).name, "TimeoutError")
        assert.deepStrictEqual([...inUse(aborted), ...inUse(timed)], [1, 0, 1, 0])
      })

      it("of 0 gets what is free, and waits for nothing", async () => {
        const instance = make()
        const end = follow(instance.call(nothing, { timeout: 0 }))
        await settle()
        vi.advanceTimersByTime(0)
        await settle()
        assert.strictEqual((end.error as DOMException).name, "TimeoutError")
        instance.open()
        const next = follow(instance.call(nothing, { timeout: 0 }))
        await settle()
        assert.deepStrictEqual([next.state, ...inUse(instance)], ["done", 0, 0])
      })

      it("of Infinity is none", async () => {
        const instance = make()
        const end = follow(instance.call(nothing, { timeout: Infinity }))
        await settle()
        assert.strictEqual(vi.getTimerCount(), 0)
        instance.open()
        await settle()
        assert.strictEqual(end.state, "done")
      })

      // A setTimeout of 2^31 ms fires after 1 ms: failure looks like a TimeoutError at once.
      it("is kept up to what timers can count, and is none beyond", async () => {
        for (const [timeout, timers] of [
          [2 ** 31 - 1, 1],
          [2 ** 31, 0],
          [2 ** 40, 0]
        ] as const) {
          const instance = make()
          const end = follow(instance.call(nothing, { timeout }))
          await settle()
          vi.advanceTimersByTime(2 ** 31 - 2)
          await settle()
          assert.deepStrictEqual([end.state, vi.getTimerCount()], ["waiting", timers])
          vi.advanceTimersByTime(1)
          await settle()
          assert.strictEqual(end.state, timers === 1 ? "failed" : "waiting")
          instance.open()
          await settle()
          assert.deepStrictEqual([...inUse(instance), vi.getTimerCount()], [0, 0, 0])
        }
      })
    })

    it("waits by priority, whether or not something could end the wait", async () => {
      const instance = make()
      const log: Array<string> = []
      const say = (text: string) => () => void log.push(text)
      const { signal } = new AbortController()
      const ends = [
        instance.call(say("plain")),
        instance.call(say("low"), { priority: -1, signal }),
        instance.call(say("high"), { priority: 1, timeout: 5 }),
        instance.call(say("plain too"), { signal })
      ]
      instance.open()
      await Promise.all(ends)
      assert.deepStrictEqual(log, ["high", "plain", "plain too", "low"])
    })

    it("runs in the context of its caller, also when it was queued", async () => {
      const storage = new AsyncLocalStorage<string>()
      const { signal } = new AbortController()
      for (const options of [undefined, {}, { priority: 1 }, { signal }, { timeout: 5 }, { signal, timeout: 5 }]) {
        for (const queued of [true, false]) {
          const instance = make()
          if (!queued) storage.run("releaser", () => instance.open())
          let seen: string | undefined
          const call = storage.run("caller", () => instance.call(() => void (seen = storage.getStore()), options))
          if (queued) {
            await settle()
            storage.run("releaser", () => instance.open())
          }
          await call
          assert.strictEqual(seen, "caller", `${queued ? "queued" : "at once"} with ${JSON.stringify(options)}`)
        }
      }
    })

    const bad: ReadonlyArray<readonly [options: any, kind: typeof RangeError, message: string]> = [
      [{ timeout: NaN }, RangeError, "timeout must be 0 or more milliseconds, got NaN"],
      [{ timeout: -1 }, RangeError, "timeout must be 0 or more milliseconds, got -1"],
      [{ timeout: "5" }, TypeError, `timeout must be 0 or more milliseconds, got "5"`],
      [{ signal: {} }, TypeError, "signal must be an AbortSignal, got "],
      [{ signal: null }, TypeError, "signal must be an AbortSignal, got null"],
      [{ signal: new AbortController() }, TypeError, "signal must be an AbortSignal, got "],
      [{ signal: "abort" }, TypeError, `signal must be an AbortSignal, got "abort"`],
      [{ priority: NaN }, RangeError, "priority must be a number, got NaN"],
      [{ priority: "1" }, TypeError, `priority must be a number, got "1"`]
    ]
    for (const [options, kind, message] of bad) {
      it(`rejects, and changes nothing: ${message}`, async () => {
        const body = vi.fn()
        for (const free of [false, true]) {
          const instance = make()
          if (free) instance.open()
          const before = inUse(instance)
          const end = follow(instance.call(body, options))
          assert.deepStrictEqual(inUse(instance), before)
          await settle()
          assertMessage(end.error, message)
          assert.instanceOf(end.error, kind)
          assert.deepStrictEqual([body.mock.calls.length, ...inUse(instance), vi.getTimerCount()], [0, ...before, 0])
        }
      })
    }
  })
