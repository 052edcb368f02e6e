import { assert, describe, it } from "@effect/vitest"
import { type ConditionDriver, settle, type Skin } from "./skins.js"

/** How many microtasks a notification takes at most to reach whoever it is for, in any skin; a cancellation is tried after each. */
const microtasks = 60

const latch = () => {
  let open = () => {}
  const opened = new Promise<void>((resolve) => (open = resolve))
  return { open, opened }
}

/** Holds the lock until `open`. */
const holdLock = (condition: ConditionDriver) => {
  const gate = latch()
  let left = false
  const leave = () => {
    left = true
  }
  condition.withLock([() => gate.opened, leave])
  return { open: gate.open, left: () => left }
}

const isIdle = (condition: ConditionDriver, message?: string) =>
  assert.deepStrictEqual(condition.stats(), { isLocked: false, waiting: 0, waitingForLock: 0 }, message)

export const conditionLaws = (skin: Skin) =>
  describe(`Condition laws (${skin.name})`, () => {
    const make = () => {
      const condition = skin.condition()
      const log: Array<string> = []
      const waiter = (name: string) =>
        condition.withLock([
          "wait",
          () => {
            log.push(name)
          }
        ])
      return { condition, log, waiter }
    }

    it("a lock is held inside, and free after", async () => {
      const { condition } = make()
      let inside: unknown
      const attempt = condition.withLock([
        () => {
          inside = condition.stats().isLocked
        }
      ])
      await settle()
      assert.strictEqual(attempt.state, "done")
      assert.strictEqual(inside, true)
      isIdle(condition)
    }) // asyncio: test_context_manager

    it("the lock admits one at a time, in order of arrival", async () => {
      const { condition } = make()
      const log: Array<string> = []
      const body = (name: string) => async () => {
        log.push(`${name} in`)
        await Promise.resolve()
        log.push(`${name} out`)
      }
      const attempts = ["a", "b", "c"].map((name) => condition.withLock([body(name)]))
      await settle()
      assert.deepStrictEqual(log, ["a in", "a out", "b in", "b out", "c in", "c out"])
      assert.isTrue(attempts.every(({ state }) => state === "done"))
    })

    it("a wait gives the lock up", async () => {
      const { condition, waiter } = make()
      const attempt = waiter("a")
      await settle()
      assert.strictEqual(attempt.state, "waiting")
      assert.deepStrictEqual(condition.stats(), { isLocked: false, waiting: 1, waitingForLock: 0 })
      const other = condition.withLock([])
      await settle()
      assert.strictEqual(other.state, "done")
    })

    it("a notification gives nobody the lock before the notifier lets go; then one goes for each, in order", async () => {
      const { condition, log, waiter } = make()
      const waiters = ["a", "b", "c"].map(waiter)
      await settle()
      const gate = latch()
      const notifier = condition.withLock([{ notify: 1 }, () => gate.opened])
      await settle()
      assert.deepStrictEqual(log, [])
      assert.deepStrictEqual(condition.stats(), { isLocked: true, waiting: 2, waitingForLock: 1 })
      gate.open()
      await settle()
      assert.strictEqual(notifier.state, "done")
      assert.deepStrictEqual(log, ["a"])
      assert.deepStrictEqual(condition.stats(), { isLocked: false, waiting: 2, waitingForLock: 0 })
      condition.withLock([{ notify: 2 }])
      await settle()
      assert.deepStrictEqual(log, ["a", "b", "c"])
      assert.isTrue(waiters.every(({ state }) => state === "done"))
      isIdle(condition)
    }) // asyncio: test_wait

    it("those who are notified together hold the lock one after the other", async () => {
      const { condition } = make()
      let inside = 0
      let most = 0
      const body = async () => {
        most = Math.max(most, ++inside)
        await Promise.resolve()
        await Promise.resolve()
        inside--
      }
      const waiters = Array.from({ length: 10 }, () => condition.withLock(["wait", body]))
      await settle()
      condition.withLock(["notifyAll"])
      await settle()
      assert.isTrue(waiters.every(({ state }) => state === "done"))
      assert.strictEqual(most, 1)
    })

    it("notify(1) wakes one; a notification of more than there are wakes the rest, and the surplus is not kept", async () => {
      const { condition, log, waiter } = make()
      for (const name of ["a", "b", "c"]) waiter(name)
      await settle()
      condition.withLock([{ notify: 1 }])
      await settle()
      assert.deepStrictEqual(log, ["a"])
      condition.withLock([{ notify: 1 }, { notify: 2048 }])
      await settle()
      assert.deepStrictEqual(log, ["a", "b", "c"])
      const late = waiter("d")
      await settle()
      assert.strictEqual(late.state, "waiting")
    }) // asyncio: test_notify

    it("notify(0) wakes nobody", async () => {
      const { condition, waiter } = make()
      const attempt = waiter("a")
      await settle()
      const notifier = condition.withLock([{ notify: 0 }])
      await settle()
      assert.strictEqual(notifier.state, "done")
      assert.strictEqual(attempt.state, "waiting")
    })

    it("notifyAll wakes all who wait, and nobody who comes after", async () => {
      const { condition, log, waiter } = make()
      waiter("a")
      waiter("b")
      await settle()
      condition.withLock(["notifyAll"])
      const late = waiter("c")
      await settle()
      assert.deepStrictEqual(log, ["a", "b"])
      assert.strictEqual(late.state, "waiting")
    }) // asyncio: test_notify_all

    it("a notification with nobody waiting is not remembered", async () => {
      const { condition, waiter } = make()
      condition.withLock([{ notify: 1 }])
      condition.withLock(["notifyAll"])
      await settle()
      const attempt = waiter("a")
      await settle()
      assert.strictEqual(attempt.state, "waiting")
    })

    it("the notified get the lock behind those who wait for it already, and before those who come later", async () => {
      const { condition, log, waiter } = make()
      waiter("notified")
      await settle()
      const gate = latch()
      const say = (name: string) => () => {
        log.push(name)
      }
      condition.withLock([() => gate.opened, { notify: 1 }, say("notifier"), async () => void (await settle())])
      condition.withLock([say("was there")])
      gate.open()
      await Promise.resolve()
      while (condition.stats().waitingForLock < 2) await Promise.resolve()
      condition.withLock([say("came later")])
      await settle()
      await settle()
      assert.deepStrictEqual(log, ["notifier", "was there", "notified", "came later"])
    })

    it("waitFor asks at once, and does not wait for what holds already", async () => {
      const { condition } = make()
      let asked = 0
      const attempt = condition.withLock([
        {
          waitFor: () => {
            asked++
            return true
          }
        }
      ])
      await settle()
      assert.strictEqual(attempt.state, "done")
      assert.strictEqual(asked, 1)
      isIdle(condition)
    })

    it("waitFor asks again after each notification, with the lock held, and goes on waiting until it holds", async () => {
      const { condition } = make()
      let value = 0
      const asked: Array<readonly [number, boolean]> = []
      const attempt = condition.withLock([
        {
          waitFor: () => {
            asked.push([value, condition.stats().isLocked])
            return value >= 2
          }
        }
      ])
      await settle()
      for (let i = 1; i <= 2; i++) {
        assert.strictEqual(attempt.state, "waiting")
        condition.withLock([
          () => {
            value++
          },
          { notify: 1 }
        ])
        await settle()
      }
      assert.strictEqual(attempt.state, "done")
      assert.deepStrictEqual(asked, [
        [0, true],
        [1, true],
        [2, true]
      ])
      isIdle(condition)
    }) // asyncio: test_wait_for

    it("a predicate that throws leaves the lock held inside, and free after", async () => {
      const { condition } = make()
      const oops = new Error("oops")
      let inside: unknown
      const attempt = condition.withLock(
        [
          {
            waitFor: () => {
              throw oops
            }
          }
        ],
        () => {
          inside = condition.stats().isLocked
        }
      )
      await settle()
      assert.strictEqual(attempt.error, oops)
      assert.strictEqual(inside, true)
      isIdle(condition)
    })

    it("a predicate that throws after a notification leaves the lock held inside, and free after", async () => {
      const { condition } = make()
      const oops = new Error("oops")
      let inside: unknown
      let asked = 0
      const attempt = condition.withLock(
        [
          {
            waitFor: () => {
              if (asked++ > 0) throw oops
              return false
            }
          }
        ],
        () => {
          inside = condition.stats().isLocked
        }
      )
      await settle()
      condition.withLock([{ notify: 1 }])
      await settle()
      assert.strictEqual(attempt.error, oops)
      assert.strictEqual(inside, true)
      isIdle(condition)
    })

    describe("cancelled", () => {
      it("while it waits: nothing is left of it, and it has the lock again when it ends", async () => {
        const { condition } = make()
        let inside: unknown
        const attempt = condition.withLock(["wait"], () => {
          inside = condition.stats()
        })
        await settle()
        attempt.cancel()
        await settle()
        assert.strictEqual(attempt.state, "cancelled")
        assert.deepStrictEqual(inside, { isLocked: true, waiting: 0, waitingForLock: 0 })
        isIdle(condition)
      }) // asyncio: test_wait_cancel, test_cancelled_error_wakeup

      it("while somebody holds the lock: it does not end before it has the lock", async () => {
        // Ending without it, the code after the wait would run beside the holder, and then release the holder's lock.
        const { condition } = make()
        let inside: unknown
        const attempt = condition.withLock(["wait"], () => {
          inside = { left: holder.left(), locked: condition.stats().isLocked }
        })
        await settle()
        const holder = holdLock(condition)
        await settle()
        attempt.cancel()
        await settle()
        assert.strictEqual(attempt.state, "waiting")
        assert.deepStrictEqual(condition.stats(), { isLocked: true, waiting: 0, waitingForLock: 1 })
        attempt.cancel()
        await settle()
        assert.strictEqual(attempt.state, "waiting")
        holder.open()
        await settle()
        assert.strictEqual(attempt.state, "cancelled")
        assert.deepStrictEqual(inside, { left: true, locked: true })
        isIdle(condition)
      })

      it("after it was notified, while somebody holds the lock: it has the lock when it ends", async () => {
        const { condition } = make()
        let inside: unknown
        const attempt = condition.withLock(["wait"], () => {
          inside = condition.stats().isLocked
        })
        await settle()
        const gate = latch()
        const holder = condition.withLock([{ notify: 1 }, () => gate.opened])
        await settle()
        attempt.cancel()
        gate.open()
        await settle()
        assert.strictEqual(holder.state, "done")
        assert.strictEqual(attempt.state, "cancelled")
        assert.strictEqual(inside, true)
        isIdle(condition)
      }) // asyncio: test_wait_cancel_contested

      it("while it takes the lock again: it still ends as cancelled, once the lock is free", async () => {
        const { condition, log, waiter } = make()
        const attempt = waiter("a")
        await settle()
        const gate = latch()
        condition.withLock([{ notify: 1 }, () => gate.opened])
        await settle()
        assert.strictEqual(condition.stats().waitingForLock, 1)
        attempt.cancel()
        await settle()
        assert.strictEqual(attempt.state, "waiting")
        gate.open()
        await settle()
        assert.strictEqual(attempt.state, "cancelled")
        assert.deepStrictEqual(log, [])
        isIdle(condition)
      }) // asyncio: test_wait_cancel_after_notify, test_cancelled_error_re_aquire

      it("while it waits to enter: it never enters, and the next does", async () => {
        const { condition } = make()
        const holder = holdLock(condition)
        await settle()
        let entered = false
        const victim = condition.withLock([
          () => {
            entered = true
          }
        ])
        const next = condition.withLock([])
        await settle()
        victim.cancel()
        await settle()
        assert.strictEqual(victim.state, "cancelled")
        assert.strictEqual(condition.stats().waitingForLock, 1)
        holder.open()
        await settle()
        assert.isFalse(entered)
        assert.strictEqual(next.state, "done")
        isIdle(condition)
      })

      it("before it is notified: the notification goes to the next", async () => {
        const { condition, log, waiter } = make()
        const victim = waiter("a")
        waiter("b")
        await settle()
        victim.cancel()
        condition.withLock([{ notify: 1 }])
        await settle()
        assert.strictEqual(victim.state, "cancelled")
        assert.deepStrictEqual(log, ["b"])
        isIdle(condition)
      })

      it("notified, and waiting for the lock: the notification passes to the next", async () => {
        // Python 3.11 loses it here: b waits for ever.
        const { condition, log, waiter } = make()
        const victim = waiter("a")
        const next = waiter("b")
        await settle()
        condition.withLock([{ notify: 1 }, () => victim.cancel()])
        await settle()
        assert.strictEqual(victim.state, "cancelled")
        assert.strictEqual(next.state, "done")
        assert.deepStrictEqual(log, ["b"])
        isIdle(condition)
      }) // asyncio: test_cancelled_wakeup_relock

      it("notified, with nobody else waiting: the notification is for nobody, and not kept", async () => {
        const { condition, waiter } = make()
        const victim = waiter("a")
        await settle()
        condition.withLock([{ notify: 1 }, () => victim.cancel()])
        await settle()
        assert.strictEqual(victim.state, "cancelled")
        isIdle(condition)
        const late = waiter("b")
        await settle()
        assert.strictEqual(late.state, "waiting")
      })

      it("not notified, and waiting for the lock: no notification is made up", async () => {
        const { condition, waiter } = make()
        const victim = waiter("a")
        const other = waiter("b")
        await settle()
        const holder = holdLock(condition)
        await settle()
        victim.cancel()
        holder.open()
        await settle()
        assert.strictEqual(victim.state, "cancelled")
        assert.strictEqual(other.state, "waiting")
      })

      it("two of three notified: both notifications pass on, as far as there is anybody", async () => {
        const { condition, log, waiter } = make()
        const victims = [waiter("a"), waiter("b")]
        waiter("c")
        await settle()
        condition.withLock([{ notify: 2 }, () => victims.forEach((victim) => victim.cancel())])
        await settle()
        assert.isTrue(victims.every(({ state }) => state === "cancelled"))
        assert.deepStrictEqual(log, ["c"])
        isIdle(condition)
      })

      it("at any moment around its notification: the item is consumed, once", async () => {
        // Losing the notification leaves the item there and b waiting for it.
        for (let delay = 0; delay < microtasks; delay++) {
          const condition = skin.condition()
          let items = 0
          let consumed = 0
          const consumer = () =>
            condition.withLock([
              { waitFor: () => items > 0 },
              () => {
                items--
                consumed++
              }
            ])
          const victim = consumer()
          const other = consumer()
          await settle()
          condition.withLock([
            () => {
              items++
            },
            { notify: 1 }
          ])
          for (let i = 0; i < delay; i++) await Promise.resolve()
          victim.cancel()
          await settle()
          const message = `cancelled after ${delay} microtasks: ${victim.state}, ${other.state}`
          assert.strictEqual(items, 0, message)
          assert.strictEqual(consumed, 1, message)
          const { isLocked, waitingForLock } = condition.stats()
          assert.deepStrictEqual([isLocked, waitingForLock], [false, 0], message)
        }
      }) // asyncio: test_cancelled_wakeup
    })

    describe("refused", () => {
      it("a wait without the lock, and nothing has changed", async () => {
        const { condition } = make()
        const attempt = condition.wait()
        await settle()
        assert.strictEqual((attempt.error as Error).message, "Condition.wait: the lock is not held")
        isIdle(condition)
      }) // asyncio: test_wait_unacquired

      it("a notification without the lock, and nothing has changed", async () => {
        const { condition, waiter } = make()
        const attempt = waiter("a")
        await settle()
        assert.throws(() => condition.notify(), "Condition.notify: the lock is not held")
        await settle()
        assert.strictEqual(attempt.state, "waiting")
        assert.deepStrictEqual(condition.stats(), { isLocked: false, waiting: 1, waitingForLock: 0 })
      }) // asyncio: test_notify_unacquired

      for (const n of [-1, 1.5, NaN, "2" as unknown as number, null as unknown as number]) {
        it(`notify(${JSON.stringify(n)}), and nothing has changed`, async () => {
          const { condition, waiter } = make()
          const attempt = waiter("a")
          await settle()
          const notifier = condition.withLock([{ notify: n }])
          await settle()
          const error = notifier.error as Error
          assert.isTrue(error instanceof RangeError || error instanceof TypeError)
          assert.match(error.message, /^Condition\.notify: n must be an integer of at least 0, got /)
          assert.isTrue(error.message.endsWith(`got ${typeof n === "string" ? JSON.stringify(n) : String(n)}`))
          assert.strictEqual(attempt.state, "waiting")
          assert.deepStrictEqual(condition.stats(), { isLocked: false, waiting: 1, waitingForLock: 0 })
        })
      }
    })

    it("stats are a frozen snapshot", async () => {
      const { condition } = make()
      const before = condition.stats()
      const holder = holdLock(condition)
      await settle()
      assert.isFrozen(before)
      assert.isFalse(before.isLocked)
      assert.isTrue(condition.stats().isLocked)
      holder.open()
      await settle()
      isIdle(condition)
    })
  })
