/**
 * What is aborted before it has begun does not begin: also in the few steps of promises that lie between a grant and the start of what it
 * was for. The permit then goes on.
 */
import { assert, describe, it } from "@effect/vitest"
import { vi } from "vitest"
import { Bulkhead, Condition, Guarded, Mutex, Policy, Semaphore } from "effect-concurrency/promise"
import { settle } from "../laws/skins.js"
import { gate } from "../utils/gate.js"
import { rejectionOf } from "../utils/rejection.js"
import { counted, watch } from "./waits.js"

type Call = (body: () => unknown, options?: { readonly signal?: AbortSignal; readonly timeout?: number }) => unknown

interface Subject {
  /** Runs a function when it has the one permit. */
  readonly call: Call
  readonly stats: () => { readonly inUse: number; readonly waiting: number }
}

const policies = () => {
  const bulkhead = new Bulkhead({ permits: 1, backlog: 9 })
  return { bulkhead, stats: () => bulkhead.stats() }
}

const subjects: Record<string, () => Subject> = {
  "Mutex.run": () => {
    const mutex = new Mutex()
    return { call: (body, options) => mutex.run(body, options), stats: () => mutex.stats() }
  },
  "Semaphore.run": () => {
    const semaphore = new Semaphore(1)
    return { call: (body, options) => semaphore.run(body, options), stats: () => semaphore.stats() }
  },
  "Semaphore.wrap": () => {
    const semaphore = new Semaphore(1)
    return { call: (body, options) => semaphore.wrap(body, options)(), stats: () => semaphore.stats() }
  },
  "Semaphore.map": () => {
    const semaphore = new Semaphore(1)
    return {
      call: (body, options) => semaphore.map([0], body, options),
      stats: () => semaphore.stats()
    }
  },
  "Condition.run": () => {
    const condition = new Condition()
    const stats = () => {
      const { isLocked, waitingForLock: waiting } = condition.stats()
      return { inUse: isLocked ? 1 : 0, waiting }
    }
    return { call: (body, options) => condition.run(body, options), stats }
  },
  "Guarded.update": () => {
    const guarded = new Guarded(0)
    const call: Call = (body, options) =>
      guarded.update(async (value) => {
        await body()
        return value
      }, options)
    return { call, stats: () => guarded.stats() }
  },
  "Guarded.modify": () => {
    const guarded = new Guarded(0)
    const call: Call = (body, options) => guarded.modify(async (value) => [await body(), value], options)
    return { call, stats: () => guarded.stats() }
  },
  "Bulkhead.run": () => {
    const { bulkhead, stats } = policies()
    return { call: (body, options) => bulkhead.run(body, options), stats }
  },
  "Bulkhead.wrap": () => {
    const { bulkhead, stats } = policies()
    return { call: (body, options) => bulkhead.wrap(body, options)(), stats }
  },
  "a policy with a bulkhead": () => {
    const { bulkhead, stats } = policies()
    const policy = Policy.wrap(bulkhead, new Semaphore(1))
    return { call: (body, { signal } = {}) => policy.run(body, { signal }), stats }
  }
}

describe.each(Object.entries(subjects))("%s", (_, make) => {
  for (const options of [{}, { timeout: 60_000 }]) {
    const how = "timeout" in options ? ", with a timeout" : ""

    it(`does not start what is aborted between its grant and its start, and its permit goes on${how}`, async () => {
      const ends = new Set<string>()
      for (let delay = 0; delay < 24; delay++) {
        const { call, stats } = make()
        const { open, opened } = gate()
        const { abort, left, signal } = counted()
        const holder = call(() => opened)
        const aborted: Array<boolean> = []
        const end = watch(call(() => void aborted.push(signal.aborted), { ...options, signal }) as Promise<unknown>)
        const next = watch(call(() => "next") as Promise<unknown>)
        await settle()
        assert.isAtLeast(stats().waiting, 2)
        open()
        for (let i = 0; i < delay; i++) await Promise.resolve()
        abort("reason")
        await holder
        await settle()
        const after = `an abort after ${delay} microtasks`
        ends.add(end.state)
        assert.notInclude(aborted, true, after)
        if (end.state === "done") assert.deepStrictEqual(aborted, [false], after)
        if (end.state === "failed") assert.strictEqual(end.error, "reason", after)
        assert.strictEqual(next.state, "done", after)
        assert.deepStrictEqual([stats().inUse, stats().waiting, left()], [0, 0, 0], after)
      }
      assert.deepStrictEqual([...ends].toSorted(), ["done", "failed"])
    })
  }
})

describe("Semaphore.map, aborted", () => {
  const abortable = () => {
    const controller = new AbortController()
    return { abort: () => controller.abort("reason"), signal: controller.signal }
  }
  const isFree = (semaphore: Semaphore) => assert.deepInclude(semaphore.stats(), { inUse: 0, waiting: 0 })

  it("asks for nothing more and starts nothing more, also when there are permits enough", async () => {
    const semaphore = new Semaphore(9)
    const { abort, signal } = abortable()
    const log: Array<string> = []
    async function* source() {
      try {
        for (let n = 0; n < 5; n++) {
          log.push(`asks ${n}`)
          if (n === 2) abort()
          yield n
        }
      } finally {
        log.push("closed")
      }
    }
    const error = await rejectionOf(semaphore.map(source(), (n) => log.push(`starts ${n}`), { signal }))
    assert.strictEqual(error, "reason")
    assert.deepStrictEqual(
      log.filter((line) => !line.startsWith("starts")),
      ["asks 0", "asks 1", "asks 2", "closed"]
    )
    assert.notInclude(log, "starts 2")
    isFree(semaphore)
  })

  it("does not start a call whose input comes after the abort", async () => {
    const semaphore = new Semaphore(2)
    const { abort, signal } = abortable()
    const { open, opened } = gate()
    const f = vi.fn()
    const rejection = rejectionOf(semaphore.map([opened.then(() => 1), opened.then(() => 2)], f, { signal }))
    await settle()
    abort()
    open()
    assert.strictEqual(await rejection, "reason", "once, though it keeps two calls from starting")
    assert.strictEqual(f.mock.calls.length, 0)
    isFree(semaphore)
  })

  it("does not start a call whose input comes after another call has failed", async () => {
    const semaphore = new Semaphore(2)
    const { open, opened } = gate()
    const f = vi.fn(() => Promise.reject(new Error("oops")))
    const rejection = rejectionOf(semaphore.map([1, opened.then(() => 2)], f))
    await settle()
    open()
    assert.strictEqual(((await rejection) as Error).message, "oops")
    assert.strictEqual(f.mock.calls.length, 1)
    isFree(semaphore)
  })

  it("rejects with the reason, once, when the calls that run reject with it; with their errors when they have others", async () => {
    for (const others of [false, true]) {
      const semaphore = new Semaphore(2)
      const { abort, signal } = abortable()
      const f = (n: number) =>
        new Promise<never>((_, reject) => {
          signal.addEventListener("abort", () => reject(others ? `other ${n}` : signal.reason))
        })
      const rejection = rejectionOf(semaphore.map([1, 2, 3], f, { signal }))
      await settle()
      abort()
      const error = await rejection
      if (others) assert.sameMembers((error as AggregateError).errors, ["other 1", "other 2", "reason"])
      else assert.strictEqual(error, "reason")
      isFree(semaphore)
    }
  })

  it("rejects with the reason also when all had been started, and have ended well", async () => {
    // With no permit to spare it has yet to find out that there is nothing more to start: the two must not differ.
    for (const permits of [2, 3]) {
      const semaphore = new Semaphore(permits)
      const { abort, signal } = abortable()
      const { open, opened } = gate()
      const rejection = rejectionOf(semaphore.map([1, 2], (n) => opened.then(() => n), { signal }))
      await settle()
      abort()
      open()
      assert.strictEqual(await rejection, "reason")
      isFree(semaphore)
    }
  })
})
