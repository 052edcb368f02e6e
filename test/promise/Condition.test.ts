import { AsyncLocalStorage } from "node:async_hooks"
import { assert, describe, it, vi } from "@effect/vitest"
import { Effect } from "effect"
import { Condition as EffectCondition, Mutex as EffectMutex } from "effect-concurrency"
import { Condition, Event, Lease, Mutex, Semaphore } from "effect-concurrency/promise"
import { settle } from "../laws/skins.js"
import { counted, waitLaws, watch, withFakeTimers } from "./waits.js"

const idle = { isLocked: false, waiting: 0, waitingForLock: 0 }

for (const operation of ["wait", "waitFor"] as const) {
  waitLaws(`Condition.${operation}`, () => {
    const condition = new Condition()
    let granted = 0
    return {
      wait: (options) =>
        condition.run(async () => {
          const mine = granted
          await (operation === "wait" ? condition.wait(options) : condition.waitFor(() => granted > mine, options))
        }),
      grant: () => {
        granted++
        void condition.run(() => condition.notifyAll())
      },
      waiting: () => condition.stats().waiting,
      isIdle: () => {
        const { isLocked, waiting, waitingForLock } = condition.stats()
        return !isLocked && waiting === 0 && waitingForLock === 0
      }
    }
  })
}

/** Holds the lock until the lease is released. */
const hold = async (condition: Condition): Promise<Lease> => {
  const lease = await condition.acquire()
  assert.isTrue(condition.stats().isLocked)
  return lease
}

/** Waits, and notes how the wait ended and whether the lock was held then. */
const waiter = (condition: Condition, options?: Parameters<Condition["wait"]>[0]) => {
  let locked: boolean | undefined
  const wait = () => condition.wait(options).finally(() => (locked = condition.stats().isLocked))
  const outcome = watch(condition.run(wait))
  return { outcome, locked: () => locked }
}

describe("Condition for async functions", () => {
  describe("an aborted or timed-out wait", () => {
    it("aborted while somebody holds the lock, rejects when it has the lock, with the very reason", async () => {
      const condition = new Condition()
      const { abort, left, signal } = counted()
      const order: Array<string> = []
      const promise = condition.run(async () => {
        await condition.wait({ signal }).catch((error: unknown) => {
          order.push(`waiter, locked: ${condition.stats().isLocked}`)
          throw error
        })
      })
      const attempt = watch(promise)
      const lease = await hold(condition)
      const reason = new Error("enough")
      abort(reason)
      await settle()
      assert.strictEqual(attempt.state, "waiting")
      assert.deepStrictEqual(condition.stats(), { isLocked: true, waiting: 0, waitingForLock: 1 })
      assert.strictEqual(left(), 0)
      order.push("holder leaves")
      lease.release()
      await settle()
      assert.strictEqual(attempt.error, reason)
      assert.deepStrictEqual(order, ["holder leaves", "waiter, locked: true"])
      assert.deepStrictEqual(condition.stats(), idle)
    }) // asyncio: test_wait_cancel_contested, test_cancelled_error_re_aquire

    it("timed out while somebody holds the lock, rejects when it has the lock", () =>
      withFakeTimers(async () => {
        const condition = new Condition()
        const attempt = waiter(condition, { timeout: 100 })
        const lease = await hold(condition)
        await vi.advanceTimersByTimeAsync(1000)
        await settle()
        assert.strictEqual(attempt.outcome.state, "waiting")
        assert.deepStrictEqual(condition.stats(), { isLocked: true, waiting: 0, waitingForLock: 1 })
        lease.release()
        await settle()
        assert.strictEqual(attempt.outcome.error.name, "TimeoutError")
        assert.strictEqual(attempt.outcome.error.message, "Condition.wait: timed out after 100 ms")
        assert.isTrue(attempt.locked())
        assert.deepStrictEqual(condition.stats(), idle)
      })) // asyncio: test_timeout_in_block

    it("aborted and waiting for the lock, takes no heed of a second abort or of its timeout", () =>
      withFakeTimers(async () => {
        const condition = new Condition()
        const { abort, signal } = counted()
        const attempt = waiter(condition, { signal, timeout: 100 })
        const lease = await hold(condition)
        const reason = new Error("first")
        abort(reason)
        abort(new Error("second"))
        await vi.advanceTimersByTimeAsync(100)
        await settle()
        assert.strictEqual(attempt.outcome.state, "waiting")
        lease.release()
        await settle()
        assert.strictEqual(attempt.outcome.error, reason)
        assert.deepStrictEqual(condition.stats(), idle)
      }))

    it("after it was notified, while somebody holds the lock: passes the notification on, and ends with the lock", () =>
      withFakeTimers(async () => {
        for (const how of ["abort", "timeout"] as const) {
          const condition = new Condition()
          const { abort, signal } = counted()
          const victim = waiter(condition, { signal, timeout: 100 })
          const next = waiter(condition)
          await settle()
          const lease = await hold(condition)
          condition.notify()
          assert.deepStrictEqual(condition.stats(), { isLocked: true, waiting: 1, waitingForLock: 1 })
          if (how === "abort") abort()
          else await vi.advanceTimersByTimeAsync(100)
          assert.deepStrictEqual(condition.stats(), { isLocked: true, waiting: 0, waitingForLock: 2 })
          await settle()
          assert.deepStrictEqual([victim.outcome.state, next.outcome.state], ["waiting", "waiting"])
          lease.release()
          await settle()
          assert.strictEqual(victim.outcome.error.name, how === "abort" ? "AbortError" : "TimeoutError")
          assert.strictEqual(next.outcome.state, "done")
          assert.deepStrictEqual([victim.locked(), next.locked()], [true, true])
          assert.deepStrictEqual(condition.stats(), idle)
        }
      })) // asyncio: test_cancelled_wakeup_relock

    it("granted the lock, and aborted in the same tick: passes the notification on, and ends with the lock", async () => {
      const condition = new Condition()
      const { abort, signal } = counted()
      const victim = waiter(condition, { signal })
      const next = waiter(condition)
      await settle()
      const lease = await hold(condition)
      condition.notify()
      lease.release()
      abort("enough")
      await settle()
      assert.strictEqual(victim.outcome.error, "enough")
      assert.strictEqual(next.outcome.state, "done")
      assert.deepStrictEqual([victim.locked(), next.locked()], [true, true])
      assert.deepStrictEqual(condition.stats(), idle)
    }) // asyncio: test_cancelled_wakeup

    it("with an already aborted signal keeps the lock all along, and is for inside the lock no more than others", async () => {
      const condition = new Condition()
      const signal = AbortSignal.abort("before")
      const outside = watch(condition.wait({ signal }))
      let reached = false
      const rival = () => condition.run(() => (reached = true))
      const inside = watch(
        condition.run(async () => {
          const rivalEnds = rival()
          await condition.wait({ signal }).catch(() => {})
          assert.isFalse(reached)
          return [rivalEnds] as const
        })
      )
      await settle()
      assert.deepStrictEqual([outside.state, inside.state, reached], ["failed", "done", true])
      assert.strictEqual(outside.error, "before")
    })
  })

  describe("waitFor", () => {
    it("gives what the predicate gave", async () => {
      const condition = new Condition()
      let value: { name: string } | undefined
      const attempt = watch(condition.run(() => condition.waitFor(() => value)))
      await settle()
      assert.strictEqual(attempt.state, "waiting")
      await condition.run(() => {
        value = { name: "it" }
        condition.notify()
      })
      await settle()
      assert.strictEqual(attempt.value, value)
    })

    it("with a predicate that holds needs no lock; one that does not is refused without it", async () => {
      const condition = new Condition()
      assert.strictEqual(await condition.waitFor(() => "yes"), "yes")
      const attempt = watch(condition.waitFor(() => false))
      await settle()
      assert.strictEqual(attempt.error.message, "Condition.wait: the lock is not held")
      assert.deepStrictEqual(condition.stats(), idle)
    }) // asyncio: test_wait_for_unacquired

    it("may ask an async function, with the lock held all the while", async () => {
      const condition = new Condition()
      let value = 0
      const locked: Array<boolean> = []
      const attempt = watch(
        condition.run(() =>
          condition.waitFor(async () => {
            await Promise.resolve()
            locked.push(condition.stats().isLocked)
            return value
          })
        )
      )
      await settle()
      await condition.run(() => {
        value = 7
        condition.notifyAll()
      })
      await settle()
      assert.strictEqual(attempt.value, 7)
      assert.deepStrictEqual(locked, [true, true])
    })

    it("rejects with what the predicate throws, at once or later, with the lock held inside and free after", async () => {
      const oops = new Error("oops")
      for (const predicate of [
        () => {
          throw oops
        },
        () => Promise.reject(oops)
      ]) {
        const condition = new Condition()
        let locked: boolean | undefined
        const attempt = watch(
          condition.run(() => condition.waitFor(predicate).finally(() => (locked = condition.stats().isLocked)))
        )
        await settle()
        assert.strictEqual(attempt.error, oops)
        assert.isTrue(locked)
        assert.deepStrictEqual(condition.stats(), idle)
      }
    })

    it("asks in the context of who waits, not of who notifies", async () => {
      const condition = new Condition()
      const context = new AsyncLocalStorage<string>()
      const seen: Array<string | undefined> = []
      let ready = false
      const predicate = () => {
        seen.push(context.getStore())
        return ready
      }
      const attempt = watch(context.run("waiter", () => condition.run(() => condition.waitFor(predicate))))
      await settle()
      ready = true
      await context.run("notifier", () => condition.run(() => condition.notify()))
      await settle()
      assert.strictEqual(attempt.state, "done")
      assert.deepStrictEqual(seen, ["waiter", "waiter"])
    })

    it("is over when its timeout is, however often it was notified meanwhile", () =>
      withFakeTimers(async () => {
        // With a timeout for each of its waits, notifications that come often enough keep it waiting for ever.
        const condition = new Condition()
        const attempt = watch(condition.run(() => condition.waitFor(() => false, { timeout: 100 })))
        for (const [time, state] of [
          [60, "waiting"],
          [39, "waiting"],
          [1, "failed"]
        ] as const) {
          await vi.advanceTimersByTimeAsync(time)
          await condition.run(() => condition.notify())
          await settle()
          assert.strictEqual(attempt.state, state)
        }
        assert.strictEqual(attempt.error.message, "Condition.waitFor: timed out after 100 ms")
        assert.deepStrictEqual(condition.stats(), idle)
      }))

    it("leaves no listener after several rounds", async () => {
      const condition = new Condition()
      const { left, signal } = counted()
      let rounds = 0
      const attempt = watch(condition.run(() => condition.waitFor(() => ++rounds > 5, { signal })))
      await settle()
      for (let i = 0; i < 5; i++) {
        assert.strictEqual(left(), 1)
        await condition.run(() => condition.notify())
        await settle()
      }
      assert.strictEqual(attempt.state, "done")
      assert.strictEqual(left(), 0)
    })

    for (const bad of [undefined, null, true, Effect.succeed(true)]) {
      it(`refuses ${bad === null ? "null" : typeof bad} as a predicate, and keeps the lock`, async () => {
        const condition = new Condition()
        let locked: boolean | undefined
        const attempt = watch(
          condition.run(() => condition.waitFor(bad as never).finally(() => (locked = condition.stats().isLocked)))
        )
        await settle()
        assert.instanceOf(attempt.error, TypeError)
        assert.match(attempt.error.message, /^Condition\.waitFor: predicate must be a function, got /)
        assert.isTrue(locked)
        assert.deepStrictEqual(condition.stats(), idle)
      })
    }

    it("with an already aborted signal does not ask", async () => {
      const condition = new Condition()
      let asked = false
      const signal = AbortSignal.abort("before")
      const attempt = watch(condition.run(() => condition.waitFor(() => (asked = true), { signal })))
      await settle()
      assert.strictEqual(attempt.error, "before")
      assert.isFalse(asked)
    })
  })

  describe("the lock", () => {
    it("that is free is taken, and the function started, before run returns", () => {
      const condition = new Condition()
      let ran = false
      void condition.run(() => {
        ran = condition.stats().isLocked
      })
      assert.isTrue(ran)
    })

    it("is released when the function throws, at once or later, and run rejects with what it threw", async () => {
      const oops = new Error("oops")
      for (const f of [
        () => {
          throw oops
        },
        () => Promise.reject(oops)
      ]) {
        const condition = new Condition()
        const attempt = watch(condition.run(f))
        await settle()
        assert.strictEqual(attempt.error, oops)
        assert.deepStrictEqual(condition.stats(), idle)
      }
    })

    it("waited for takes a signal and a timeout, and leaves no ghost", () =>
      withFakeTimers(async () => {
        const condition = new Condition()
        const lease = await hold(condition)
        const { abort, left, signal } = counted()
        let ran = false
        const f = () => (ran = true)
        const attempts = [
          watch(condition.run(f, { signal })),
          watch(condition.acquire({ signal })),
          watch(condition.run(f, { timeout: 10 })),
          watch(condition.acquire({ timeout: 10 })),
          watch(condition.run(f, { signal: AbortSignal.abort("before") }))
        ]
        await settle()
        assert.strictEqual(condition.stats().waitingForLock, 4)
        abort("enough")
        await vi.advanceTimersByTimeAsync(10)
        await settle()
        assert.deepStrictEqual(
          attempts.map(({ error }) => error?.message ?? error),
          [
            "enough",
            "enough",
            "Condition.run: timed out after 10 ms",
            "Condition.acquire: timed out after 10 ms",
            "before"
          ]
        )
        assert.deepStrictEqual([condition.stats().waitingForLock, left(), ran], [0, 0, false])
        lease.release()
        assert.deepStrictEqual(condition.stats(), idle)
      }))

    it("that was queued for is used in the caller's context", async () => {
      const condition = new Condition()
      const context = new AsyncLocalStorage<string>()
      const lease = await hold(condition)
      const queued = context.run("mine", () => condition.run(() => context.getStore()))
      const withSignal = context.run("mine", () =>
        condition.run(() => context.getStore(), { signal: counted().signal })
      )
      context.run("other", () => lease.release())
      assert.deepStrictEqual(await Promise.all([queued, withSignal]), ["mine", "mine"])
    })

    it("as a lease is given back once, by release or at the end of a block", async () => {
      const condition = new Condition()
      for (const release of [
        (lease: Lease) => lease.release(),
        (lease: Lease) => lease[Symbol.dispose](),
        (lease: Lease) => lease[Symbol.asyncDispose]()
      ]) {
        const lease = await condition.acquire()
        assert.instanceOf(lease, Lease)
        const attempt = watch(condition.wait())
        await settle()
        await condition.run(() => condition.notify())
        await settle()
        assert.strictEqual(attempt.state, "done")
        await release(lease)
        assert.deepStrictEqual(condition.stats(), idle)
        const next = await condition.acquire()
        await release(lease)
        assert.isTrue(condition.stats().isLocked)
        next.release()
      }
    })

    it("may be a mutex of either skin, shared both ways", async () => {
      for (const mutex of [new Mutex(), EffectMutex.makeUnsafe()]) {
        const condition = new Condition(mutex)
        const view = Mutex.from(mutex)
        assert.isTrue(await condition.run(() => view.isLocked))
        assert.isTrue(await view.run(() => condition.stats().isLocked))
        const attempt = watch(view.run(() => condition.wait()))
        await settle()
        assert.isFalse(view.isLocked)
        await view.run(() => condition.notify())
        await settle()
        assert.strictEqual(attempt.state, "done")
        assert.deepStrictEqual(condition.stats(), idle)
      }
    }) // asyncio: test_explicit_lock

    for (const bad of [null, {}, new Semaphore(1), new Event(), 5]) {
      it(`may not be what is no mutex: ${bad === null ? "null" : typeof bad === "object" ? bad.constructor.name : bad}`, () => {
        assert.throws(() => new Condition(bad as never), TypeError, /^new Condition: argument must be a Mutex, got /)
      })
    }

    it("refuses what is no function, and what is no priority, and stays free", async () => {
      const condition = new Condition()
      const attempts = [
        watch(condition.run(5 as never)),
        watch(condition.run(() => {}, { priority: NaN })),
        watch(condition.acquire({ priority: "high" as never })),
        watch(condition.acquire({ timeout: -1 }))
      ]
      await settle()
      assert.deepStrictEqual(
        attempts.map(({ error }) => error.message),
        [
          "Condition.run: f must be a function, got 5",
          "Condition.run: priority must be a number, got NaN",
          'Condition.acquire: priority must be a number, got "high"',
          "Condition.acquire: timeout must be 0 or more milliseconds, got -1"
        ]
      )
      assert.deepStrictEqual(condition.stats(), idle)
    })
  })

  it("wait and notify without the lock are refused, and nothing has changed", async () => {
    const condition = new Condition()
    const attempt = watch(condition.wait())
    await settle()
    assert.strictEqual(attempt.error.message, "Condition.wait: the lock is not held")
    assert.throws(() => condition.notify(), "Condition.notify: the lock is not held")
    assert.throws(() => condition.notifyAll(), "Condition.notifyAll: the lock is not held")
    assert.deepStrictEqual(condition.stats(), idle)
  }) // asyncio: test_wait_unacquired, test_notify_unacquired, test_notify_all_unacquired

  it("from shares a condition of either skin", async () => {
    const effects = EffectCondition.makeUnsafe()
    const condition = Condition.from(Condition.from(effects))
    assert.instanceOf(condition, Condition)
    const attempt = watch(condition.run(() => condition.wait()))
    await settle()
    assert.strictEqual(Effect.runSync(effects.stats).waiting, 1)
    await Effect.runPromise(effects.withLock(effects.notifyAll))
    await settle()
    assert.strictEqual(attempt.state, "done")
  })

  for (const bad of [undefined, null, {}, 5, "condition", new Mutex(), Effect.void]) {
    it(`from refuses what is no condition: ${typeof bad} ${String(bad).slice(0, 12)}`, () => {
      assert.throws(() => Condition.from(bad as never), TypeError, /^Condition\.from: \w+ must be an? Condition, got /)
    })
  }
})
