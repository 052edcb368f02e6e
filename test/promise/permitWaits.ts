/**
 * What every wait for permits or for a lock does besides what every wait does (`waits.ts`, which is run here first): whether the body
 * runs, where the permit goes, what is to be had without a wait, and in which order and context the bodies run.
 */
import { assert, describe, it } from "@effect/vitest"
import { AsyncLocalStorage } from "node:async_hooks"
import { afterEach, beforeEach, vi } from "vitest"
import type { Options } from "../../src/promise/permits.js"
import { settle } from "../laws/skins.js"
import { counted, type Wait, waitLaws, watch } from "./waits.js"

export interface Subject {
  /** The function. */
  readonly name: string
  /** How errors name it, if by another name: that which it is an alias of, say. */
  readonly where?: string
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

/** The subject as a wait of any kind: the permit that is given back ends one wait after the other. */
const asWait = (make: Subject["make"]) => (): Wait => {
  const { call, open, stats } = make()
  let held = 1
  return {
    wait: (options) => call(nothing, options),
    grant: () => {
      held = 0
      open()
    },
    waiting: () => stats().waiting,
    isIdle: () => stats().waiting === 0 && stats().inUse === held
  }
}

export const permitWaitLaws = ({ make, name, where = name }: Subject) =>
  describe(name, () => {
    waitLaws(where, asWait(make))

    describe("as a wait for permits", () => {
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
            const end = watch(instance.call(body, { signal: AbortSignal.abort(reason), timeout: 5 }))
            assert.deepStrictEqual(inUse(instance), before)
            await settle()
            assert.strictEqual(end.error, reason)
            assert.strictEqual(body.mock.calls.length, 0)
            assert.deepStrictEqual(inUse(instance), before)
            assert.strictEqual(vi.getTimerCount(), 0)
          })
        }

        for (const another of [false, true]) {
          for (const order of ["grant, then abort", "abort, then grant"] as const) {
            it(`that aborts in the tick of the grant loses nothing (${order}${another ? ", another waits" : ""})`, async () => {
              const instance = make()
              const { abort, left, signal } = counted()
              const body = vi.fn()
              const end = watch(instance.call(body, { signal }))
              const next = another ? watch(instance.call(nothing)) : undefined
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
            const { abort, left, signal } = counted()
            const body = vi.fn()
            const end = watch(instance.call(body, { signal, timeout: 1_000 }))
            const next = watch(instance.call(nothing))
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

        it("does not listen to it when there is nothing to wait for", async () => {
          const instance = make()
          instance.open()
          const { added, signal } = counted()
          const end = watch(instance.call(nothing, { signal, timeout: 5 }))
          assert.deepStrictEqual([added(), vi.getTimerCount()], [0, 0])
          await settle()
          assert.strictEqual(end.state, "done")
        })
      })

      describe("with a timeout", () => {
        it("rejects with a TimeoutError at that time and not before, and leaves no ghost", async () => {
          const instance = make()
          const body = vi.fn()
          const end = watch(instance.call(body, { timeout: 50 }))
          const next = watch(instance.call(nothing, { timeout: 51 }))
          await settle()
          vi.advanceTimersByTime(49)
          await settle()
          assert.deepStrictEqual([end.state, ...inUse(instance)], ["waiting", 1, 2])
          vi.advanceTimersByTime(1)
          assert.deepStrictEqual(inUse(instance), [1, 1])
          await settle()
          assert.strictEqual(end.error.name, "TimeoutError")
          assert.strictEqual(next.state, "waiting")
          instance.open()
          await settle()
          assert.deepStrictEqual([body.mock.calls.length, next.state], [0, "done"])
          assert.deepStrictEqual([...inUse(instance), vi.getTimerCount()], [0, 0, 0])
        })

        it("that a grant precedes has no timer any more", async () => {
          const instance = make()
          const end = watch(instance.call(nothing, { timeout: 50 }))
          await settle()
          assert.strictEqual(vi.getTimerCount(), 1)
          vi.advanceTimersByTime(49)
          instance.open()
          assert.strictEqual(vi.getTimerCount(), 0)
          vi.advanceTimersByTime(1)
          await settle()
          assert.deepStrictEqual([end.state, ...inUse(instance)], ["done", 0, 0])
        })

        it("of 0 gets what is free, and waits for nothing", async () => {
          const instance = make()
          const end = watch(instance.call(nothing, { timeout: 0 }))
          await settle()
          vi.advanceTimersByTime(0)
          await settle()
          assert.strictEqual(end.error.name, "TimeoutError")
          instance.open()
          const next = watch(instance.call(nothing, { timeout: 0 }))
          await settle()
          assert.deepStrictEqual([next.state, ...inUse(instance)], ["done", 0, 0])
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
        [{ timeout: -1 }, RangeError, "timeout must be 0 or more milliseconds, got -1"],
        [{ timeout: "5" }, TypeError, `timeout must be 0 or more milliseconds, got "5"`],
        [{ signal: {} }, TypeError, "signal must be an AbortSignal, got "],
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
            const end = watch(instance.call(body, options))
            assert.deepStrictEqual(inUse(instance), before)
            await settle()
            assert.isTrue(end.error.message.startsWith(`${where}: ${message}`), end.error.message)
            assert.instanceOf(end.error, kind)
            assert.deepStrictEqual([body.mock.calls.length, ...inUse(instance), vi.getTimerCount()], [0, ...before, 0])
          }
        })
      }
    })
  })
