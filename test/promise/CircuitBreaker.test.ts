import { assert, describe, it } from "@effect/vitest"
import { AsyncLocalStorage } from "node:async_hooks"
import { getEventListeners } from "node:events"
import { vi } from "vitest"
import { CircuitBreaker, type CircuitBreakerChange, CircuitOpen } from "effect-concurrency/promise"
import { breakerLaws, breakerSkins } from "../laws/CircuitBreaker.js"
import { settle } from "../laws/skins.js"
import { rejectionOf } from "../utils/rejection.js"

for (const skin of breakerSkins.filter(({ name }) => name === "promise")) breakerLaws(skin)

const make = (more: object = {}) =>
  new CircuitBreaker({ trip: { kind: "consecutive", failures: 2 }, halfOpen: { after: 60_000 }, ...more })

describe("CircuitBreaker (promise)", () => {
  it("starts the function before run returns, with the caller's signal, to which it does not listen", async () => {
    const breaker = make()
    const controller = new AbortController()
    let seen: AbortSignal | undefined
    const call = breaker.run(({ signal }) => (seen = signal), { signal: controller.signal })
    assert.strictEqual(seen, controller.signal)
    assert.strictEqual(getEventListeners(controller.signal, "abort").length, 0)
    await call
    const other = await breaker.run(({ signal }) => signal)
    assert.isFalse(other.aborted)
    assert.notStrictEqual(await breaker.run(({ signal }) => signal), other, "one for each call")
  })

  it("with an aborted signal nothing runs, nothing counts and nothing is refused", async () => {
    const breaker = make()
    const reason = new Error("gone")
    for (const state of ["closed", "open"] as const) {
      if (state === "open") breaker.trip()
      const call = breaker.run(() => assert.fail("must not run"), { signal: AbortSignal.abort(reason) })
      assert.strictEqual(await rejectionOf(call), reason)
      assert.deepInclude(breaker.stats(), { state, calls: 0, refused: 0 })
    }
  })

  it("a call that succeeds after its abort counts; one that fails does not, whatever it fails with", async () => {
    const breaker = make()
    const controller = new AbortController()
    const { signal } = controller
    const good = breaker.run(async () => 1, { signal })
    const bad = breaker.run(() => Promise.reject(new Error("other")), { signal })
    controller.abort()
    assert.strictEqual(await good, 1)
    assert.strictEqual(((await rejectionOf(bad)) as Error).message, "other")
    assert.deepInclude(breaker.stats(), { failures: 0 })
  })

  it("a throw is a failure, and rejects with the very error", async () => {
    const breaker = make()
    const error = { why: "any" }
    const call = breaker.run(() => {
      throw error
    })
    assert.strictEqual(await rejectionOf(call), error)
    assert.strictEqual(breaker.stats().failures, 1)
  })

  it("what makes no sense rejects, and nothing has changed", async () => {
    const breaker = make()
    const messageOf = async (call: Promise<unknown>) => ((await rejectionOf(call)) as Error).message
    assert.strictEqual(await messageOf(breaker.run(5 as never)), "CircuitBreaker.run: f must be a function, got 5")
    assert.strictEqual(
      await messageOf(breaker.run(() => 1, { signal: 5 as never })),
      "CircuitBreaker.run: signal must be an AbortSignal, got 5"
    )
    assert.deepInclude(breaker.stats(), { calls: 0, refused: 0 })
    assert.throws(() => breaker.wrap(5 as never), "CircuitBreaker.wrap: f must be a function, got 5")
    assert.throws(() => CircuitBreaker.from({} as never), /^CircuitBreaker\.from: argument must be a CircuitBreaker/)
    assert.throws(() => new CircuitBreaker(undefined as never), TypeError, "options must be an object")
    assert.throws(() => make({ onStateChange: 5 }), "new CircuitBreaker: onStateChange must be a function, got 5")
  })

  it("wrap keeps this and the arguments", async () => {
    const breaker = make()
    const object = {
      base: 10,
      add: breaker.wrap(async function (this: { base: number }, n: number) {
        return this.base + n
      })
    }
    assert.strictEqual(await object.add(1), 11)
    breaker.trip()
    assert.instanceOf(await rejectionOf(object.add(1)), CircuitOpen)
  })

  it("sets no timer, and with fake timers it is on their time", async () => {
    vi.useFakeTimers()
    try {
      const breaker = make({ trip: { kind: "time", window: 1_000, rate: 1, minimum: 2 } })
      await rejectionOf(breaker.run(() => Promise.reject(new Error("oops"))))
      breaker.trip()
      assert.strictEqual(vi.getTimerCount(), 0)
      vi.advanceTimersByTime(59_999)
      assert.strictEqual(breaker.state, "open")
      vi.advanceTimersByTime(1)
      assert.strictEqual(breaker.state, "halfOpen")
    } finally {
      vi.useRealTimers()
    }
  })

  it("tells of a change when it is made, in the context of who made it; what throws or rejects is told on the console", async () => {
    const told = vi.spyOn(console, "error").mockImplementation(() => {})
    try {
      const storage = new AsyncLocalStorage<string>()
      const seen: Array<unknown> = []
      const oops = new Error("oops")
      const breaker: CircuitBreaker = make({
        name: "db",
        onStateChange: ({ to }: CircuitBreakerChange) => {
          seen.push([storage.getStore(), to, breaker.state])
          if (to === "open") throw oops
          return Promise.reject(oops)
        }
      })
      storage.run("somebody", () => breaker.trip())
      storage.run("somebody else", () => breaker.reset())
      assert.deepStrictEqual(seen, [
        ["somebody", "open", "open"],
        ["somebody else", "closed", "closed"]
      ])
      await settle()
      assert.deepStrictEqual(
        told.mock.calls,
        Array.from({ length: 2 }, () => ["CircuitBreaker.onStateChange: db: a callback failed", oops])
      )
    } finally {
      told.mockRestore()
    }
  })

  it("a change may be answered by another, from within", async () => {
    const seen: Array<string> = []
    const breaker: CircuitBreaker = make({
      onStateChange: ({ from, to }: CircuitBreakerChange) => {
        seen.push(`${from} ${to}`)
        if (to === "open") breaker.reset()
      }
    })
    breaker.trip()
    assert.strictEqual(breaker.state, "closed")
    assert.deepStrictEqual(seen, ["closed open", "open closed"])
  })

  it("the first of two changes may be answered from within: the second begins where that has left it", () => {
    const seen: Array<string> = []
    const breaker: CircuitBreaker = make({
      onStateChange: ({ from, to }: CircuitBreakerChange) => {
        seen.push(`${from} ${to}`)
        if (to === "halfOpen") breaker.reset()
      }
    })
    breaker.trip(0)
    breaker.trip()
    assert.strictEqual(breaker.state, "open")
    assert.deepStrictEqual(seen, ["closed open", "open halfOpen", "halfOpen closed", "closed open"])
  })
})
