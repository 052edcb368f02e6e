import { AsyncLocalStorage } from "node:async_hooks"
import { getEventListeners } from "node:events"
import { assert, describe, it, vi } from "@effect/vitest"
import { Bulkhead as EffectBulkhead } from "effect-concurrency"
import {
  Bulkhead,
  CircuitBreaker,
  Deadline,
  Mutex,
  Policy,
  RateLimiter,
  retryPolicy,
  Semaphore,
  timeoutPolicy
} from "effect-concurrency/promise"
import { settle } from "../laws/skins.js"
import { gate } from "../utils/gate.js"
import { rejectionOf } from "../utils/rejection.js"
import { counted, watch, withFakeTimers } from "./waits.js"

const oops = new Error("oops")

/** A policy that writes down when it begins and ends. */
const noted = (log: Array<string>, name: string): Policy.Part => ({
  async run(f) {
    log.push(`${name} begins`)
    try {
      return await f({ signal: new AbortController().signal })
    } finally {
      log.push(`${name} ends`)
    }
  }
})

const everything = () => [
  timeoutPolicy(1000),
  retryPolicy({ attempts: 2, base: 0 }),
  new CircuitBreaker({ trip: { kind: "consecutive", failures: 9 }, halfOpen: { after: 1000 } }),
  new Bulkhead({ permits: 1, backlog: 1 }),
  new RateLimiter({ limit: 100, interval: 1 }),
  new Semaphore(1),
  new Mutex(),
  new Deadline(1000)
]

describe("Policy.wrap", () => {
  it("reads from outside in", async () => {
    const log: Array<string> = []
    const policy = Policy.wrap(noted(log, "a"), Policy.wrap(noted(log, "b"), noted(log, "c")))
    assert.strictEqual(await policy.run(() => log.push("work")), 4)
    assert.deepStrictEqual(log, ["a begins", "b begins", "c begins", "work", "c ends", "b ends", "a ends"])
  })

  it("takes everything that has a run", async () => {
    assert.strictEqual(await Policy.wrap(...everything()).run(() => 5), 5)
    assert.strictEqual(await rejectionOf(Policy.wrap(...everything()).run(() => Promise.reject(oops))), oops)
    assert.strictEqual(await Policy.wrap().run(({ signal }) => signal.aborted), false)
  })

  it("a throw is a rejection, and what is free is taken before run returns", async () => {
    const throws = (): number => {
      throw oops
    }
    assert.strictEqual(await rejectionOf(Policy.wrap().run(throws)), oops)
    const f = vi.fn(() => 5)
    const running = Policy.wrap(timeoutPolicy(1000), new Bulkhead({ permits: 1, backlog: 0 })).run(f)
    assert.strictEqual(f.mock.calls.length, 1)
    await running
  })

  it("a signal that is aborted already: nothing runs", async () => {
    for (const policy of [Policy.wrap(), Policy.wrap(...everything())]) {
      const f = vi.fn()
      const reason = { why: "before" }
      const { abort, added, signal } = counted()
      abort(reason)
      assert.strictEqual(await rejectionOf(policy.run(f, { signal })), reason)
      assert.deepStrictEqual([f.mock.calls.length, added()], [0, 0])
    }
  })

  it("leaves no listener and no timer", () =>
    withFakeTimers(async () => {
      const controller = new AbortController()
      const { signal } = controller
      const seen: Array<AbortSignal> = []
      const policy = Policy.wrap(...everything())
      await policy.run((context) => void seen.push(context.signal), { signal })
      assert.strictEqual(await rejectionOf(policy.run(() => Promise.reject(oops), { signal })), oops)
      for (const each of [signal, ...seen]) assert.strictEqual(getEventListeners(each, "abort").length, 0)
    }))

  it("tells the function what the policies tell: attempt, deadline, signal", () =>
    withFakeTimers(async () => {
      const seen: Array<unknown> = []
      const policy = Policy.wrap(
        timeoutPolicy(1000, { name: "all" }),
        retryPolicy({ attempts: 3, base: 0 }),
        timeoutPolicy(300, { name: "each" }),
        new Semaphore(1)
      )
      const running = policy.run(({ attempt, deadline, signal }) => {
        seen.push(attempt, deadline?.name, signal.aborted)
        if (attempt! < 2) throw oops
        return "done"
      })
      assert.strictEqual(await running, "done")
      assert.deepStrictEqual(seen, [1, "each", false, 2, "each", false])
      // The deadline that comes first is told, whichever it is.
      const other = Policy.wrap(timeoutPolicy(300, { name: "all" }), timeoutPolicy(1000, { name: "each" }))
      assert.strictEqual(await other.run(({ deadline }) => deadline?.name), "all")
      assert.isUndefined(await Policy.wrap(new Semaphore(1)).run(({ attempt, deadline }) => attempt ?? deadline))
    }))

  it("an abort is told to the function, by its reason", () =>
    withFakeTimers(async () => {
      for (const policy of [Policy.wrap(), Policy.wrap(...everything())]) {
        const controller = new AbortController()
        const work = ({ signal }: Policy.Context) =>
          new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))
        const running = watch(policy.run(work, { signal: controller.signal }))
        const reason = { why: "enough" }
        controller.abort(reason)
        await settle()
        assert.strictEqual(running.error, reason)
      }
    }))

  it("who waits inside of a timeout leaves when the time is over", () =>
    withFakeTimers(async () => {
      const bulkhead = new Bulkhead({ permits: 1, backlog: 1 })
      const held = gate()
      const holder = bulkhead.run(() => held.opened)
      const f = vi.fn()
      const running = watch(Policy.wrap(timeoutPolicy(100), bulkhead).run(f))
      assert.strictEqual(bulkhead.stats().waiting, 1)
      vi.advanceTimersByTime(99)
      await settle()
      assert.strictEqual(running.state, "waiting")
      vi.advanceTimersByTime(1)
      await settle()
      assert.strictEqual(running.error._tag, "DeadlineExceeded")
      assert.strictEqual(bulkhead.stats().waiting, 0)
      held.open()
      await holder
      assert.strictEqual(f.mock.calls.length, 0)
    }))

  it("a function that has not asked for its signal is left when the time is over, and keeps its permit to its end", () =>
    withFakeTimers(async () => {
      const retries = retryPolicy({ attempts: 3, base: 0 })
      const breaker = new CircuitBreaker({ trip: { kind: "consecutive", failures: 1 }, halfOpen: { after: 1000 } })
      const bulkhead = new Bulkhead({ permits: 1, backlog: 0 })
      const policy = Policy.wrap(timeoutPolicy(100), Policy.wrap(retries, breaker), bulkhead)
      const body = gate()
      const f = vi.fn(() => body.opened)
      const running = watch(policy.run(f))
      vi.advanceTimersByTime(100)
      await settle()
      assert.strictEqual(running.error._tag, "DeadlineExceeded")
      assert.strictEqual(bulkhead.stats().inUse, 1)
      body.open()
      await settle()
      assert.strictEqual(bulkhead.stats().inUse, 0)
      assert.deepStrictEqual([f.mock.calls.length, breaker.state], [1, "closed"])
    }))

  it("one that has asked is told, and its end is waited for", () =>
    withFakeTimers(async () => {
      const bulkhead = new Bulkhead({ permits: 1, backlog: 0 })
      const cleanup = gate()
      const told: Array<unknown> = []
      const work = async ({ signal }: Policy.Context) => {
        await new Promise((resolve) => signal.addEventListener("abort", resolve))
        told.push(signal.reason._tag)
        await cleanup.opened
        throw signal.reason
      }
      const retries = retryPolicy({ attempts: 3, base: 0 })
      const running = watch(Policy.wrap(timeoutPolicy(100), retries, bulkhead).run(work))
      vi.advanceTimersByTime(100)
      await settle()
      assert.deepStrictEqual([running.state, told], ["waiting", ["DeadlineExceeded"]])
      cleanup.open()
      await settle()
      assert.strictEqual(running.error._tag, "DeadlineExceeded")
      assert.strictEqual(bulkhead.stats().inUse, 0)
    }))

  it("an attempt that took too long gives up its wait before the next one begins", () =>
    withFakeTimers(async () => {
      const bulkhead = new Bulkhead({ permits: 1, backlog: 9 })
      const held = gate()
      const holder = bulkhead.run(() => held.opened)
      const f = vi.fn(() => "done")
      const policy = Policy.wrap(
        retryPolicy({ attempts: 3, base: 50, jitter: "none", perAttemptTimeout: 100 }),
        bulkhead
      )
      const running = watch(policy.run(f))
      vi.advanceTimersByTime(100)
      await settle()
      assert.strictEqual(bulkhead.stats().waiting, 0)
      vi.advanceTimersByTime(50)
      await settle()
      assert.strictEqual(bulkhead.stats().waiting, 1)
      held.open()
      await holder
      await settle()
      assert.deepStrictEqual([running.value, f.mock.calls.length], ["done", 1])
    }))

  it("calls the function in the context of its caller", async () => {
    const context = new AsyncLocalStorage<string>()
    const held = gate()
    const semaphore = new Semaphore(1)
    const holder = semaphore.run(() => held.opened)
    const policy = Policy.wrap(timeoutPolicy(1000), retryPolicy({ base: 0 }), semaphore)
    const running = context.run("caller", () => policy.run(() => context.getStore()))
    held.open()
    assert.strictEqual(await running, "caller")
    await holder
  })

  it("shares what an Effect program uses", async () => {
    const bulkhead = EffectBulkhead.makeUnsafe({ permits: 1, backlog: 0 })
    const policy = Policy.wrap(Bulkhead.from(bulkhead))
    const body = gate()
    const running = policy.run(() => body.opened)
    const error: any = await rejectionOf(policy.run(() => 5))
    assert.strictEqual(error._tag, "BulkheadFull")
    body.open()
    await running
  })

  it("refuses what has no run, and what is no function", async () => {
    assert.throws(
      () => Policy.wrap(timeoutPolicy(5), (() => {}) as any),
      TypeError,
      "Policy.wrap: policies[1] must be an object with a function run, got an object (Function)"
    )
    const error: any = await rejectionOf(Policy.wrap().run(5 as any))
    assert.strictEqual(error.message, "Policy.run: f must be a function, got 5")
    const notASignal = Policy.wrap(...everything()).run(() => assert.fail("runs"), { signal: 5 as any })
    assert.strictEqual(
      ((await rejectionOf(notASignal)) as Error).message,
      "Policy.run: signal must be an AbortSignal, got 5"
    )
  })
})
