/** What a mutex does, whoever asks it. */
import { assert, describe, it } from "@effect/vitest"
import { gate, statesOf } from "../utils/gate.js"
import { assertRefused, shiftsOf } from "./Semaphore.js"
import { settle, type Skin } from "./skins.js"

const free = { capacity: 1, inUse: 0, waiting: 0 }

export const mutexLaws = (skin: Skin) =>
  describe(`Mutex (${skin.name})`, () => {
    /** Holders, each until its gate is opened; the first has the lock. */
    const queue = (size: number, log: Array<number> = []) => {
      const mutex = skin.mutex()
      const holders = Array.from({ length: size }, (_, i) => {
        const { open, opened } = gate()
        const hold = () =>
          mutex.hold(() => {
            log.push(i)
            return opened
          })
        return { open, attempt: hold() }
      })
      return { mutex, holders, log, attempts: holders.map(({ attempt }) => attempt) }
    }

    it("goes from hand to hand in order of arrival, and who comes late waits for his turn", async () => {
      // asyncio: test_acquire
      const { attempts, holders, log, mutex } = queue(2)
      await settle()
      assert.deepStrictEqual(log, [0])
      const late = mutex.hold(async () => void log.push(2))
      assert.deepStrictEqual(mutex.stats(), { capacity: 1, inUse: 1, waiting: 2 })
      holders[0]!.open()
      await settle()
      assert.deepStrictEqual(log, [0, 1])
      assert.deepStrictEqual(statesOf(...attempts, late), ["done", "waiting", "waiting"])
      holders[1]!.open()
      await settle()
      assert.deepStrictEqual(log, [0, 1, 2])
      assert.deepStrictEqual(statesOf(...attempts, late), ["done", "done", "done"])
      assert.deepStrictEqual(mutex.stats(), free)
    })

    it("lets one at a time in, however many ask", async () => {
      const mutex = skin.mutex()
      const log: Array<number> = []
      let inside = 0
      let most = 0
      const attempts = Array.from({ length: 50 }, (_, i) =>
        mutex.hold(async () => {
          most = Math.max(most, ++inside)
          await Promise.resolve()
          log.push(i)
          inside--
        })
      )
      while (attempts.some(({ state }) => state === "waiting")) await settle()
      assert.strictEqual(most, 1)
      assert.deepStrictEqual(
        log,
        Array.from({ length: 50 }, (_, i) => i)
      )
    })

    it("is locked inside, across an await, and free after", async () => {
      // asyncio: test_context_manager, test_context_manager_async_with
      const mutex = skin.mutex()
      assert.isFalse(mutex.isLocked())
      const inside: Array<boolean> = []
      const { open, opened } = gate()
      const attempt = mutex.hold(async () => {
        inside.push(mutex.isLocked())
        await opened
        inside.push(mutex.isLocked())
      })
      await settle()
      open()
      await settle()
      assert.deepStrictEqual(inside, [true, true])
      assert.isUndefined(attempt.value)
      assert.isFalse(mutex.isLocked())
    })

    it("is taken and left with nobody waiting, again and again", async () => {
      // asyncio: test_release_no_waiters
      const mutex = skin.mutex()
      for (let i = 0; i < 5; i++) {
        const attempt = mutex.hold(() => Promise.resolve())
        await settle()
        assert.strictEqual(attempt.state, "done")
        assert.deepStrictEqual(mutex.stats(), free)
      }
    })

    it("is free after a body that fails, with the body's own error", async () => {
      const mutex = skin.mutex()
      const error = new Error("the body's")
      const failing = [mutex.hold(() => Promise.reject(error)), mutex.hold(() => Promise.reject(error))]
      const next = mutex.hold(() => Promise.resolve())
      await settle()
      assert.deepStrictEqual(
        failing.map((attempt) => attempt.error),
        [error, error]
      )
      assert.strictEqual(next.state, "done")
      assert.deepStrictEqual(mutex.stats(), free)
    })

    it("is not reentrant: who asks for the lock that he holds waits until he gives up", async () => {
      const mutex = skin.mutex()
      let inner: ReturnType<typeof mutex.hold> | undefined
      const { open, opened } = gate()
      const outer = mutex.hold(() => {
        inner = mutex.hold(() => Promise.resolve())
        return opened
      })
      await settle()
      assert.deepStrictEqual(statesOf(outer, inner!), ["waiting", "waiting"])
      inner!.cancel()
      open()
      await settle()
      assert.deepStrictEqual(statesOf(outer, inner!), ["done", "cancelled"])
      assert.deepStrictEqual(mutex.stats(), free)
    })

    it("goes to a higher priority first, and to equals in order of arrival", async () => {
      const mutex = skin.mutex()
      const log: Array<string> = []
      const { open, opened } = gate()
      mutex.hold(() => opened)
      const enter = (name: string, priority?: number) =>
        mutex.hold(async () => void log.push(name), priority === undefined ? undefined : { priority })
      enter("low", -1)
      enter("first")
      enter("high", 1)
      enter("second", 0)
      enter("higher", 1.5)
      enter("high too", 1)
      await settle()
      open()
      await settle()
      assert.deepStrictEqual(log, ["higher", "high", "high too", "first", "second", "low"])
    })

    describe("if available", () => {
      it("is had when it is free", async () => {
        const mutex = skin.mutex()
        let ran = 0
        const attempt = mutex.holdIfAvailable(async () => void ran++)
        await settle()
        assert.deepStrictEqual([attempt.value, ran], [true, 1])
        assert.deepStrictEqual(mutex.stats(), free)
      })

      it("is not had, and nothing runs, while somebody holds it or is about to", async () => {
        const { attempts, holders, mutex } = queue(2)
        let ran = 0
        const tryNow = () => mutex.holdIfAvailable(async () => void ran++)
        const whileHeld = tryNow()
        await settle()
        assert.deepStrictEqual([whileHeld.value, ran], [false, 0])
        holders[0]!.open()
        while (mutex.stats().waiting > 0) await Promise.resolve()
        const whileHandedOver = tryNow()
        await settle()
        assert.deepStrictEqual([whileHandedOver.value, ran], [false, 0])
        holders[1]!.open()
        await settle()
        assert.deepStrictEqual(statesOf(...attempts), ["done", "done"])
        assert.deepStrictEqual(mutex.stats(), free)
      })

      it("is free after a body that fails, with the body's own error", async () => {
        const mutex = skin.mutex()
        const error = new Error("the body's")
        const attempt = mutex.holdIfAvailable(() => Promise.reject(error))
        await settle()
        assert.strictEqual(attempt.error, error)
        assert.deepStrictEqual(mutex.stats(), free)
      })
    })

    describe("cancellation", () => {
      it("of who waits leaves no waiter", async () => {
        // asyncio: test_acquire_cancel
        const { attempts, holders, log, mutex } = queue(2)
        attempts[1]!.cancel()
        await settle()
        assert.strictEqual(attempts[1]!.state, "cancelled")
        assert.deepStrictEqual(mutex.stats(), { capacity: 1, inUse: 1, waiting: 0 })
        holders[0]!.open()
        await settle()
        assert.deepStrictEqual(log, [0])
        assert.deepStrictEqual(mutex.stats(), free)
      })

      for (const order of ["cancel, then release", "release, then cancel"] as const) {
        for (const shift of shiftsOf(skin)) {
          const name = `${order}${shift === 0 ? "" : ", the other skin first"}`

          /** A released lock whose first waiter is cancelled in the same tick. */
          const race = async (waiters: number) => {
            const mutex = skin.mutex()
            if (shift === 1) mutex.stats()
            const log: Array<number> = []
            const { open, opened } = gate()
            const holder = mutex.hold(() => opened)
            const gates = Array.from({ length: waiters }, gate)
            const attempts = gates.map(({ opened }, i) =>
              mutex.hold(() => {
                log.push(i)
                return opened
              })
            )
            await settle()
            if (order === "cancel, then release") attempts[0]!.cancel()
            open()
            if (order === "release, then cancel") {
              while (mutex.stats().waiting === waiters) await Promise.resolve()
              if (log.length === 0) attempts[0]!.cancel()
            }
            await settle()
            assert.strictEqual(holder.state, "done")
            return { mutex, log, attempts, gates }
          }

          it(`of the next owner lets exactly one of the others in (${name})`, async () => {
            // asyncio: test_cancel_race, test_cancel_release_race
            const { attempts, gates, log, mutex } = await race(3)
            assert.deepStrictEqual(statesOf(...attempts), ["cancelled", "waiting", "waiting"])
            assert.deepStrictEqual(log, [1])
            assert.deepStrictEqual(mutex.stats(), { capacity: 1, inUse: 1, waiting: 1 })
            gates[1]!.open()
            gates[2]!.open()
            await settle()
            assert.deepStrictEqual(log, [1, 2])
            assert.deepStrictEqual(mutex.stats(), free)
          })

          it(`of the next owner lets the only other in (${name})`, async () => {
            // asyncio: test_finished_waiter_cancelled
            const { attempts, log, mutex } = await race(2)
            assert.deepStrictEqual(statesOf(...attempts), ["cancelled", "waiting"])
            assert.deepStrictEqual(log, [1])
            assert.isTrue(mutex.isLocked())
          })

          it(`of the next owner, who is alone, leaves the lock free (${name})`, async () => {
            const { attempts, log, mutex } = await race(1)
            assert.deepStrictEqual(statesOf(...attempts), ["cancelled"])
            assert.deepStrictEqual(log, [])
            assert.deepStrictEqual(mutex.stats(), free)
          })
        }
      }
    })

    it("refuses a priority that cannot be ordered, and nothing changes", async () => {
      const mutex = skin.mutex()
      let ran = false
      const attempt = mutex.hold(async () => void (ran = true), { priority: NaN })
      await settle()
      assertRefused(attempt, RangeError, /^Mutex\.(withLockPriority|run): priority must be a number, got NaN$/)
      assert.isFalse(ran)
      assert.deepStrictEqual(mutex.stats(), free)
    })

    it("has frozen snapshots", () => {
      assert.isFrozen(skin.mutex().stats())
    })
  })
