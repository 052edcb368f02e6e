import { AsyncLocalStorage } from "node:async_hooks"
import { assert, describe, it, vi } from "@effect/vitest"
import { Effect } from "effect"
import { Barrier as EffectBarrier } from "effect-concurrency"
import { Barrier, BrokenBarrier, Event, Mutex } from "effect-concurrency/promise"
import { settle } from "../laws/skins.js"
import { counted, waitLaws, watch, withFakeTimers } from "./waits.js"

waitLaws("Barrier.wait", () => {
  const parties = 1000
  const barrier = new Barrier(parties)
  return {
    wait: (options) => barrier.wait(options),
    grant: () => {
      const missing = parties - barrier.stats().waiting
      for (let i = 0; i < missing; i++) void barrier.wait()
    },
    waiting: () => barrier.stats().waiting,
    isIdle: () => barrier.stats().waiting === 0 && !barrier.isBroken
  }
})

const latch = () => {
  let open = () => {}
  let fail: (reason: unknown) => void = () => {}
  const opened = new Promise<void>((resolve, reject) => {
    open = resolve
    fail = reject
  })
  return { open, fail, opened }
}

describe("Barrier for async functions", () => {
  it("parties pass in order of arrival, the last one first", async () => {
    const barrier = new Barrier(4)
    const log: Array<number> = []
    for (let i = 0; i < 4; i++) void barrier.wait().then((index) => log.push(index))
    await settle()
    assert.deepStrictEqual(log, [3, 0, 1, 2])
  })

  it("the last to arrive needs no listener and no timer, and nor does a barrier for one", async () => {
    const { added, signal } = counted()
    const barrier = new Barrier(2)
    void barrier.wait()
    assert.strictEqual(await barrier.wait({ signal, timeout: 1000 }), 1)
    assert.strictEqual(await new Barrier(1).wait({ signal, timeout: 1000 }), 0)
    assert.strictEqual(added(), 0)
  })

  for (const how of ["abort", "timeout"] as const) {
    it(`${how}: withdraws, and its index is given to the next`, () =>
      withFakeTimers(async () => {
        const barrier = new Barrier(3)
        const { abort, signal } = counted()
        const victim = watch(barrier.wait({ signal, timeout: 100 }))
        const other = watch(barrier.wait())
        await settle()
        if (how === "abort") abort()
        else await vi.advanceTimersByTimeAsync(100)
        assert.strictEqual(barrier.stats().waiting, 1)
        await settle()
        assert.strictEqual(victim.error.name, how === "abort" ? "AbortError" : "TimeoutError")
        const rest = [watch(barrier.wait()), watch(barrier.wait())]
        await settle()
        assert.deepStrictEqual([other.value, rest[0]!.value, rest[1]!.value], [1, 0, 2])
      }))

    it(`${how} with onInterrupt "break": breaks the barrier for the others`, () =>
      withFakeTimers(async () => {
        const barrier = new Barrier(3, { onInterrupt: "break" })
        const { abort, left, signal } = counted()
        const victim = watch(barrier.wait({ signal, timeout: 100 }))
        const other = watch(barrier.wait({ signal: counted().signal, timeout: 1000 }))
        await settle()
        if (how === "abort") abort()
        else await vi.advanceTimersByTimeAsync(100)
        await settle()
        assert.strictEqual(victim.error.name, how === "abort" ? "AbortError" : "TimeoutError")
        assert.instanceOf(other.error, BrokenBarrier)
        assert.deepStrictEqual(barrier.stats(), { parties: 3, waiting: 0, isBroken: true })
        assert.deepStrictEqual([left(), vi.getTimerCount()], [0, 0])
      }))
  }

  it("a broken barrier does not excuse an aborted signal, and breaks no promise", async () => {
    const barrier = new Barrier(2)
    barrier.abort()
    const attempts = [watch(barrier.wait({ signal: AbortSignal.abort("before") })), watch(barrier.wait())]
    await settle()
    assert.strictEqual(attempts[0]!.error, "before")
    assert.instanceOf(attempts[1]!.error, BrokenBarrier)
  })

  for (const operation of ["reset", "abort"] as const) {
    it(`${operation} settles all who wait, and leaves no listener and no timer`, () =>
      withFakeTimers(async () => {
        const barrier = new Barrier(4)
        const { left, signal } = counted()
        const attempts = [barrier.wait(), barrier.wait({ signal }), barrier.wait({ timeout: 1000 })].map(watch)
        await settle()
        barrier[operation]()
        await settle()
        assert.isTrue(attempts.every(({ error }) => error instanceof BrokenBarrier))
        assert.deepStrictEqual([left(), vi.getTimerCount()], [0, 0])
        assert.strictEqual(barrier.isBroken, operation === "abort")
      }))
  }

  it("an abort in the tick of a reset ends a wait once, and the next round is not touched", async () => {
    const barrier = new Barrier(2)
    const { abort, signal } = counted()
    const attempt = watch(barrier.wait({ signal }))
    await settle()
    barrier.reset()
    const next = watch(barrier.wait())
    abort("late")
    await settle()
    assert.strictEqual(attempt.error, "late")
    assert.deepStrictEqual([next.state, barrier.stats().waiting], ["waiting", 1])
  })

  describe("action", () => {
    it("may be an async function: nobody passes before it ends", async () => {
      const { open, opened } = latch()
      const barrier = new Barrier(2, { action: () => opened })
      const attempts = [watch(barrier.wait()), watch(barrier.wait())]
      await settle()
      assert.isTrue(attempts.every(({ state }) => state === "waiting"))
      open()
      await settle()
      assert.deepStrictEqual(
        attempts.map(({ value }) => value),
        [0, 1]
      )
    })

    it("starts before the last wait returns, and in its context", async () => {
      const context = new AsyncLocalStorage<string>()
      const seen: Array<string | undefined> = []
      const barrier = new Barrier(2, { action: () => seen.push(context.getStore()) })
      const first = context.run("first", () => barrier.wait())
      const last = context.run("last", () => barrier.wait())
      assert.deepStrictEqual(seen, ["last"])
      assert.deepStrictEqual(await Promise.all([first, last]), [0, 1])
    })

    it("that throws, at once or later, is what the last one rejects with; the others get BrokenBarrier", async () => {
      const oops = new Error("oops")
      for (const action of [
        () => {
          throw oops
        },
        () => Promise.reject(oops)
      ]) {
        const barrier = new Barrier(2, { action })
        const [other, last] = [watch(barrier.wait()), watch(barrier.wait())]
        await settle()
        assert.strictEqual(last.error, oops)
        assert.instanceOf(other.error, BrokenBarrier)
        assert.isTrue(barrier.isBroken)
      }
    })

    it("does not run for a last one whose signal is aborted already", async () => {
      let ran = false
      const barrier = new Barrier(2, { action: () => (ran = true) })
      const other = watch(barrier.wait())
      const last = watch(barrier.wait({ signal: AbortSignal.abort("before") }))
      await settle()
      assert.strictEqual(last.error, "before")
      assert.deepStrictEqual([ran, other.state, barrier.stats().waiting], [false, "waiting", 1])
    })

    it("while it runs, another party may be aborted or time out; the rest pass", () =>
      withFakeTimers(async () => {
        for (const onInterrupt of ["withdraw", "break"] as const) {
          const { open, opened } = latch()
          const barrier = new Barrier(4, { action: () => opened, onInterrupt })
          const { abort, signal } = counted()
          const attempts = [
            barrier.wait({ signal }),
            barrier.wait({ timeout: 10 }),
            barrier.wait(),
            barrier.wait()
          ].map(watch)
          await settle()
          abort("enough")
          await vi.advanceTimersByTimeAsync(10)
          await settle()
          assert.strictEqual(attempts[0]!.error, "enough")
          assert.strictEqual(attempts[1]!.error.name, "TimeoutError")
          open()
          await settle()
          assert.deepStrictEqual([attempts[2]!.value, attempts[3]!.value], [2, 3])
          assert.isFalse(barrier.isBroken)
        }
      }))

    for (const operation of ["reset", "abort"] as const) {
      it(`during which there is ${operation === "reset" ? "a reset" : "an abort"}: its round is broken, for the last one as well`, async () => {
        const { open, opened } = latch()
        const barrier = new Barrier(2, { action: () => opened })
        const [other, last] = [watch(barrier.wait()), watch(barrier.wait())]
        await settle()
        barrier[operation]()
        await settle()
        assert.instanceOf(other.error, BrokenBarrier)
        open()
        await settle()
        assert.instanceOf(last.error, BrokenBarrier)
        assert.strictEqual(barrier.isBroken, operation === "abort")
      })
    }

    it("that fails late, after a reset, breaks nothing of then", async () => {
      const { fail, opened } = latch()
      const barrier = new Barrier(2, { action: () => opened })
      const attempts = [watch(barrier.wait()), watch(barrier.wait())]
      await settle()
      barrier.reset()
      const next = watch(barrier.wait())
      fail("oops")
      await settle()
      assert.strictEqual(attempts[1]!.error, "oops")
      assert.strictEqual(next.state, "waiting")
      assert.deepStrictEqual(barrier.stats(), { parties: 2, waiting: 1, isBroken: false })
    })
  })

  describe("from", () => {
    it("shares a barrier of either skin, and its action", async () => {
      let ran = 0
      const effects = EffectBarrier.makeUnsafe(2, { action: Effect.sync(() => ran++) })
      const plain = new Barrier(2, { action: () => ran++ })
      for (const barrier of [Barrier.from(effects), Barrier.from(plain), Barrier.from(Barrier.from(plain))]) {
        assert.instanceOf(barrier, Barrier)
        assert.deepStrictEqual(await Promise.all([barrier.wait(), barrier.wait()]), [0, 1])
      }
      assert.strictEqual(ran, 3)
    })

    for (const bad of [undefined, null, {}, 5, "barrier", new Mutex(), new Event(), Effect.void]) {
      it(`refuses what is no barrier: ${typeof bad} ${String(bad).slice(0, 12)}`, () => {
        assert.throws(() => Barrier.from(bad as never), TypeError, /^Barrier\.from: \w+ must be an? Barrier, got /)
      })
    }
  })

  describe("refuses", () => {
    for (const parties of [0, -4, 1.5, NaN, Infinity]) {
      it(`${parties} parties`, () => {
        assert.throws(
          () => new Barrier(parties),
          RangeError,
          `new Barrier: parties must be an integer of at least 1, got ${parties}`
        )
      })
    }

    it("options that are none, and an action that is no function", () => {
      assert.throws(() => new Barrier(2, null as never), TypeError, "new Barrier: options must be an object, got null")
      assert.throws(
        () => new Barrier(2, { action: Effect.void as never }),
        TypeError,
        /^new Barrier: action must be a function, got /
      )
      assert.throws(
        () => new Barrier(2, { onInterrupt: "leave" as "break" }),
        /^new Barrier: onInterrupt must be one of/
      )
    })
  })
})
