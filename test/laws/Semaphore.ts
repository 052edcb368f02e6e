/** What a semaphore does, whoever asks it. */
import { assert, describe, it } from "@effect/vitest"
import { gate, statesOf } from "../utils/gate.js"
import { type Attempt, type SemaphoreDriver, settle, type Skin } from "./skins.js"

/** Which skin a mixed driver begins with. */
export const shiftsOf = (skin: Skin): ReadonlyArray<number> => (skin.name === "mixed" ? [0, 1] : [0])

/** Refused: with an error of the class, whose message names the function, the argument, what is allowed, what came. */
export const assertRefused = (attempt: Attempt<unknown>, kind: typeof RangeError, message: RegExp): void => {
  assert.strictEqual(attempt.state, "failed")
  assert.instanceOf(attempt.error, kind)
  assert.match((attempt.error as Error).message, message)
}

const ended = async (attempt: Attempt<unknown>): Promise<void> => {
  while (attempt.state === "waiting") await settle()
}

/** Logs the names of attempts in the order in which they are done. */
const watch = (log: Array<string>, attempts: Record<string, Attempt<unknown>>) => {
  const seen = new Set(Object.keys(attempts).filter((name) => attempts[name]!.state === "done"))
  return () => {
    for (const [name, attempt] of Object.entries(attempts)) {
      if (attempt.state !== "done" || seen.has(name)) continue
      seen.add(name)
      log.push(name)
    }
  }
}

export const semaphoreLaws = (skin: Skin) =>
  describe(`Semaphore (${skin.name})`, () => {
    describe("permits", () => {
      it("with none to begin with, a semaphore is closed", async () => {
        // asyncio: test_initial_value_zero
        const semaphore = skin.semaphore(0)
        assert.isFalse(semaphore.tryTake(1))
        const waiting = semaphore.take(1)
        await settle()
        assert.strictEqual(waiting.state, "waiting")
        assert.deepStrictEqual(semaphore.stats(), { capacity: 0, inUse: 0, waiting: 1 })
      })

      it("are held across an await, and come back at the end of the body", async () => {
        // asyncio: test_context_manager_async_with
        for (const permits of [1, 2]) {
          const semaphore = skin.semaphore(2)
          const { open, opened } = gate()
          const body = semaphore.hold(permits, () => opened)
          await settle()
          assert.deepStrictEqual(semaphore.stats(), { capacity: 2, inUse: permits, waiting: 0 })
          open()
          await settle()
          assert.strictEqual(body.state, "done")
          assert.isUndefined(body.value)
          assert.deepStrictEqual(semaphore.stats(), { capacity: 2, inUse: 0, waiting: 0 })
        }
      })

      it("come back when the body fails, with its own error", async () => {
        const semaphore = skin.semaphore(2)
        for (const wait of [false, true]) {
          if (wait) semaphore.take(2)
          const error = new Error("the body's")
          const failing = semaphore.hold(2, () => Promise.reject(error))
          const next = semaphore.hold(2, () => Promise.resolve())
          if (wait) semaphore.release(2)
          await settle()
          assert.strictEqual(failing.state, "failed")
          assert.strictEqual(failing.error, error)
          assert.strictEqual(next.state, "done")
          assert.deepStrictEqual(semaphore.stats(), { capacity: 2, inUse: 0, waiting: 0 })
        }
      })

      it("that are free are had without waiting, and their number is told", async () => {
        const semaphore = skin.semaphore(3)
        const two = semaphore.take(2)
        const none = semaphore.take(0)
        await settle()
        assert.deepStrictEqual([two.value, none.value], [2, 0])
        assert.strictEqual(semaphore.release(1), 2)
        assert.strictEqual(semaphore.release(0), 2)
        assert.strictEqual(semaphore.release(1), 3)
      })

      it("that nobody waits for are free again when they are released", async () => {
        // asyncio: test_release_no_waiters
        const semaphore = skin.semaphore(1)
        assert.isTrue(semaphore.tryTake(1))
        assert.isFalse(semaphore.tryTake(1))
        assert.strictEqual(semaphore.release(1), 1)
        assert.isTrue(semaphore.tryTake(1))
      })

      it("belong to whom they were granted before he runs", async () => {
        const semaphore = skin.semaphore(1)
        semaphore.take(1)
        const waiting = semaphore.take(1)
        assert.strictEqual(semaphore.release(1), 0)
        assert.deepStrictEqual(semaphore.stats(), { capacity: 1, inUse: 1, waiting: 0 })
        assert.isFalse(semaphore.tryTake(1))
        await settle()
        assert.strictEqual(waiting.value, 1)
      })
    })

    describe("order", () => {
      it("is that of arrival: each release wakes one, and who comes late does not overtake", async () => {
        // asyncio: test_acquire
        const semaphore = skin.semaphore(3)
        const first = [semaphore.take(1), semaphore.take(1), semaphore.take(1)]
        const [a, b, c] = [semaphore.take(1), semaphore.take(1), semaphore.take(1)]
        await settle()
        assert.deepStrictEqual(statesOf(...first, a, b, c), ["done", "done", "done", "waiting", "waiting", "waiting"])
        semaphore.release(2)
        const late = semaphore.take(1)
        assert.strictEqual(semaphore.stats().inUse, 3)
        await settle()
        assert.deepStrictEqual(statesOf(a, b, c, late), ["done", "done", "waiting", "waiting"])
        semaphore.release(1)
        await settle()
        assert.deepStrictEqual(statesOf(c, late), ["done", "waiting"])
        semaphore.release(1)
        await settle()
        assert.strictEqual(late.state, "done")
        assert.deepStrictEqual(semaphore.stats(), { capacity: 3, inUse: 3, waiting: 0 })
      })

      it("takes turns between tasks that ask again and again", async () => {
        // asyncio: test_acquire_fifo_order
        const semaphore = skin.semaphore(1)
        const log: Array<string> = []
        const task = async (name: string) => {
          for (const round of [1, 2]) {
            const turn = semaphore.take(1)
            await ended(turn)
            log.push(`${name}${round}`)
            await settle()
            semaphore.release(1)
          }
        }
        await Promise.all(["a", "b", "c"].map(task))
        assert.deepStrictEqual(log, ["a1", "b1", "c1", "a2", "b2", "c2"])
      })

      it("puts who releases and asks again last", async () => {
        // asyncio: test_acquire_fifo_order_2
        const semaphore = skin.semaphore(1)
        semaphore.take(1)
        const [second, third] = [semaphore.take(1), semaphore.take(1)]
        semaphore.release(1)
        const again = semaphore.take(1)
        const log: Array<string> = []
        const look = watch(log, { second, third, again })
        for (let i = 0; i < 3; i++) {
          await settle()
          look()
          semaphore.release(1)
        }
        assert.deepStrictEqual(log, ["second", "third", "again"])
        assert.deepStrictEqual(semaphore.stats(), { capacity: 1, inUse: 0, waiting: 0 })
      })

      it("passes over who was cancelled", async () => {
        // asyncio: test_acquire_fifo_order_3
        const semaphore = skin.semaphore(0)
        const [a, b, c] = [semaphore.take(1), semaphore.take(1), semaphore.take(1)]
        a.cancel()
        await settle()
        semaphore.resize(1)
        await settle()
        assert.deepStrictEqual(statesOf(a, b, c), ["cancelled", "done", "waiting"])
        semaphore.release(1)
        await settle()
        assert.strictEqual(c.state, "done")
      })

      it("lets in all whom several releases allow before anybody who comes later", async () => {
        // asyncio: test_acquire_fifo_order_4
        const semaphore = skin.semaphore(3)
        semaphore.take(3)
        const waiting = [semaphore.take(1), semaphore.take(1), semaphore.take(1)]
        for (let i = 0; i < 3; i++) semaphore.release(1)
        const late = semaphore.take(1)
        await settle()
        assert.deepStrictEqual(statesOf(...waiting, late), ["done", "done", "done", "waiting"])
      })

      it("does not let small requests starve a large one", async () => {
        const semaphore = skin.semaphore(3)
        semaphore.take(2)
        const large = semaphore.take(3)
        const small = semaphore.take(1)
        await settle()
        assert.deepStrictEqual(statesOf(large, small), ["waiting", "waiting"])
        semaphore.release(1)
        await settle()
        assert.strictEqual(large.state, "waiting")
        semaphore.release(1)
        await settle()
        assert.deepStrictEqual(statesOf(large, small), ["done", "waiting"])
        semaphore.release(1)
        await settle()
        assert.strictEqual(small.state, "done")
      })

      it("lets the next in when a large request that blocked it is cancelled", async () => {
        const semaphore = skin.semaphore(3)
        semaphore.take(2)
        const large = semaphore.take(3)
        const small = semaphore.take(1)
        large.cancel()
        await settle()
        assert.deepStrictEqual(statesOf(large, small), ["cancelled", "done"])
        assert.deepStrictEqual(semaphore.stats(), { capacity: 3, inUse: 3, waiting: 0 })
      })

      it("holds for tryTake: it does not barge, though permits are free", async () => {
        const semaphore = skin.semaphore(3)
        semaphore.take(2)
        const large = semaphore.take(3)
        assert.isFalse(semaphore.tryTake(1))
        large.cancel()
        await settle()
        assert.isTrue(semaphore.tryTake(1))
      })

      it("holds for a request of no permits", async () => {
        const semaphore = skin.semaphore(1)
        semaphore.take(1)
        const free = semaphore.take(0)
        const waiting = semaphore.take(1)
        const behind = semaphore.take(0)
        await settle()
        assert.deepStrictEqual(statesOf(free, waiting, behind), ["done", "waiting", "waiting"])
        semaphore.release(1)
        await settle()
        assert.deepStrictEqual(statesOf(waiting, behind), ["done", "done"])
      })
    })

    describe("priority", () => {
      it("goes before arrival, and arrival among equals", async () => {
        const semaphore = skin.semaphore(1)
        semaphore.take(1)
        const low = semaphore.take(1, { priority: -1 })
        const first = semaphore.take(1)
        const high1 = semaphore.take(1, { priority: 5 })
        const second = semaphore.take(1, { priority: 0 })
        const high2 = semaphore.take(1, { priority: 5 })
        const log: Array<string> = []
        const look = watch(log, { low, first, high1, second, high2 })
        for (let i = 0; i < 5; i++) {
          semaphore.release(1)
          await settle()
          look()
        }
        assert.deepStrictEqual(log, ["high1", "high2", "first", "second", "low"])
      })

      it("may be distinct for each of many", async () => {
        const semaphore = skin.semaphore(1)
        semaphore.take(1)
        const log: Array<number> = []
        const priorities = [...Array.from({ length: 199 }, (_, i) => ((i * 97) % 199) / 4 - 20), Infinity, -Infinity]
        const attempts = priorities.map((priority) =>
          semaphore.hold(1, () => Promise.resolve(void log.push(priority)), { priority })
        )
        assert.strictEqual(semaphore.stats().waiting, 201)
        semaphore.release(1)
        while (log.length < priorities.length) await settle()
        await settle()
        assert.isTrue(attempts.every(({ state }) => state === "done"))
        assert.deepStrictEqual(
          log,
          priorities.toSorted((a, b) => b - a)
        )
        assert.deepStrictEqual(semaphore.stats(), { capacity: 1, inUse: 0, waiting: 0 })
      })

      it("lets a newcomer that fits pass those below it", async () => {
        const semaphore = skin.semaphore(3)
        semaphore.take(2)
        const large = semaphore.take(3)
        const high = semaphore.take(1, { priority: 1 })
        await settle()
        assert.deepStrictEqual(statesOf(large, high), ["waiting", "done"])
      })

      it("makes those below wait for a newcomer that does not fit", async () => {
        const semaphore = skin.semaphore(3)
        semaphore.take(3)
        const small = semaphore.take(1)
        const high = semaphore.take(2, { priority: 1 })
        semaphore.release(1)
        await settle()
        assert.deepStrictEqual(statesOf(small, high), ["waiting", "waiting"])
        semaphore.release(2)
        await settle()
        assert.deepStrictEqual(statesOf(small, high), ["done", "done"])
      })
    })

    describe('fairness "throughput"', () => {
      it("lets whoever fits go, the smallest first", async () => {
        const semaphore = skin.semaphore({ permits: 4, fairness: "throughput" })
        semaphore.take(4)
        const large = semaphore.take(4)
        const two = semaphore.take(2)
        const one = semaphore.take(1)
        semaphore.release(1)
        await settle()
        assert.deepStrictEqual(statesOf(large, two, one), ["waiting", "waiting", "done"])
        semaphore.release(2)
        await settle()
        assert.deepStrictEqual(statesOf(large, two), ["waiting", "done"])
        semaphore.release(3)
        await settle()
        assert.strictEqual(large.state, "waiting")
        assert.deepStrictEqual(semaphore.stats(), { capacity: 4, inUse: 1, waiting: 1 })
        semaphore.release(1)
        await settle()
        assert.strictEqual(large.state, "done")
      })

      it("lets a newcomer that fits go at once, also one that tries", async () => {
        const semaphore = skin.semaphore({ permits: 4, fairness: "throughput" })
        semaphore.take(2)
        const large = semaphore.take(4)
        const small = semaphore.take(1)
        await settle()
        assert.deepStrictEqual(statesOf(large, small), ["waiting", "done"])
        assert.isTrue(semaphore.tryTake(1))
        assert.isFalse(semaphore.tryTake(1))
      })

      it("keeps equals in order of arrival, and priority before size", async () => {
        const semaphore = skin.semaphore({ permits: 2, fairness: "throughput" })
        semaphore.take(2)
        const small1 = semaphore.take(1)
        const small2 = semaphore.take(1)
        const urgent = semaphore.take(2, { priority: 1 })
        semaphore.release(2)
        await settle()
        assert.deepStrictEqual(statesOf(small1, small2, urgent), ["waiting", "waiting", "done"])
        semaphore.release(1)
        await settle()
        assert.deepStrictEqual(statesOf(small1, small2), ["done", "waiting"])
      })
    })

    describe("resize", () => {
      it("that grows lets in as many as fit now", async () => {
        const semaphore = skin.semaphore(1)
        semaphore.take(1)
        const waiting = [semaphore.take(1), semaphore.take(1), semaphore.take(1)]
        semaphore.resize(3)
        await settle()
        assert.deepStrictEqual(statesOf(...waiting), ["done", "done", "waiting"])
        assert.deepStrictEqual(semaphore.stats(), { capacity: 3, inUse: 3, waiting: 1 })
      })

      it("that shrinks takes nothing from anybody, and grants nothing until enough came back", async () => {
        const semaphore = skin.semaphore(3)
        semaphore.take(3)
        semaphore.resize(1)
        assert.deepStrictEqual(semaphore.stats(), { capacity: 1, inUse: 3, waiting: 0 })
        const waiting = semaphore.take(1)
        const none = semaphore.take(0)
        assert.strictEqual(semaphore.release(1), 0)
        assert.strictEqual(semaphore.release(1), 0)
        await settle()
        assert.deepStrictEqual(statesOf(waiting, none), ["waiting", "waiting"])
        semaphore.release(1)
        await settle()
        assert.deepStrictEqual(statesOf(waiting, none), ["done", "done"])
        assert.deepStrictEqual(semaphore.stats(), { capacity: 1, inUse: 1, waiting: 0 })
      })

      it("refuses who waits for more than there are now, and lets in who waited behind", async () => {
        const semaphore = skin.semaphore(4)
        semaphore.take(2)
        const large = semaphore.take(4)
        let ran = false
        const body = semaphore.hold(4, async () => void (ran = true), { priority: -1 })
        const small = semaphore.take(1)
        semaphore.resize(3)
        await settle()
        const message = /^Semaphore\.resize: permits of a request that waits must be an integer from 0 to 3, got 4$/
        assertRefused(large, RangeError, message)
        assertRefused(body, RangeError, message)
        assert.isFalse(ran)
        assert.strictEqual(small.state, "done")
        assert.deepStrictEqual(semaphore.stats(), { capacity: 3, inUse: 3, waiting: 0 })
      })

      it("loses nothing when who is refused is cancelled in the same tick", async () => {
        const semaphore = skin.semaphore(4)
        semaphore.take(4)
        const large = semaphore.take(4)
        semaphore.resize(2)
        large.cancel()
        await settle()
        assert.oneOf(large.state, ["failed", "cancelled"])
        assert.deepStrictEqual(semaphore.stats(), { capacity: 2, inUse: 4, waiting: 0 })
      })

      it("to 0 pauses: whoever waits or comes, for however many, waits", async () => {
        const semaphore = skin.semaphore(2)
        semaphore.take(1)
        const before = semaphore.take(2)
        semaphore.resize(0)
        const after = semaphore.take(3)
        semaphore.release(1)
        await settle()
        assert.deepStrictEqual(statesOf(before, after), ["waiting", "waiting"])
        assert.deepStrictEqual(semaphore.stats(), { capacity: 0, inUse: 0, waiting: 2 })
        semaphore.resize(2)
        await settle()
        assert.strictEqual(before.state, "done")
        assertRefused(after, RangeError, /from 0 to 2, got 3$/)
        assert.deepStrictEqual(semaphore.stats(), { capacity: 2, inUse: 2, waiting: 0 })
      })

      it("to the same size changes nothing", async () => {
        const semaphore = skin.semaphore(2)
        semaphore.take(2)
        const waiting = semaphore.take(1)
        semaphore.resize(2)
        await settle()
        assert.strictEqual(waiting.state, "waiting")
        assert.deepStrictEqual(semaphore.stats(), { capacity: 2, inUse: 2, waiting: 1 })
      })
    })

    describe("releaseAll", () => {
      it("takes all permits back and lets in who waits", async () => {
        const semaphore = skin.semaphore(3)
        semaphore.take(3)
        const waiting = [semaphore.take(1), semaphore.take(1)]
        assert.strictEqual(semaphore.releaseAll(), 1)
        await settle()
        assert.deepStrictEqual(statesOf(...waiting), ["done", "done"])
        assert.deepStrictEqual(semaphore.stats(), { capacity: 3, inUse: 2, waiting: 0 })
      })

      it("makes what its holders give back later not count", async () => {
        const semaphore = skin.semaphore(2)
        const { open, opened } = gate()
        const holder = semaphore.hold(2, () => opened)
        await settle()
        assert.strictEqual(semaphore.releaseAll(), 2)
        const next = semaphore.take(2)
        await settle()
        open()
        await settle()
        assert.deepStrictEqual(statesOf(holder, next), ["done", "done"])
        assert.deepStrictEqual(semaphore.stats(), { capacity: 2, inUse: 2, waiting: 0 })
      })

      it("takes back only what was taken before it: who waited gives back in his turn", async () => {
        const semaphore = skin.semaphore(1)
        semaphore.take(1)
        const { open, opened } = gate()
        const waiting = semaphore.hold(1, () => opened)
        semaphore.releaseAll()
        await settle()
        assert.strictEqual(semaphore.stats().inUse, 1)
        open()
        await settle()
        assert.strictEqual(waiting.state, "done")
        assert.strictEqual(semaphore.stats().inUse, 0)
      })

      it("loses nothing when who had just been granted his permits is cancelled after it", async () => {
        const semaphore = skin.semaphore(1)
        semaphore.take(1)
        const granted = semaphore.take(1)
        semaphore.release(1)
        semaphore.releaseAll()
        granted.cancel()
        const next = semaphore.take(1)
        await settle()
        assert.deepStrictEqual(statesOf(granted, next), ["cancelled", "done"])
        assert.deepStrictEqual(semaphore.stats(), { capacity: 1, inUse: 1, waiting: 0 })
      })
    })

    describe("cancellation", () => {
      it("leaves no waiter", async () => {
        // asyncio: test_acquire_cancel
        const semaphore = skin.semaphore(1)
        semaphore.take(1)
        const waiting = semaphore.take(1)
        waiting.cancel()
        await settle()
        assert.strictEqual(waiting.state, "cancelled")
        assert.deepStrictEqual(semaphore.stats(), { capacity: 1, inUse: 1, waiting: 0 })
      })

      it("of the first two of four lets one release reach the third", async () => {
        // asyncio: test_acquire_cancel_before_awoken
        const semaphore = skin.semaphore(1)
        semaphore.take(1)
        const [a, b, c, d] = [semaphore.take(1), semaphore.take(1), semaphore.take(1), semaphore.take(1)]
        a.cancel()
        b.cancel()
        semaphore.release(1)
        await settle()
        assert.deepStrictEqual(statesOf(a, b, c, d), ["cancelled", "cancelled", "done", "waiting"])
      })

      it("of the first does not hang the second", async () => {
        // asyncio: test_acquire_hang
        const semaphore = skin.semaphore(1)
        semaphore.take(1)
        const [a, b] = [semaphore.take(1), semaphore.take(1)]
        a.cancel()
        semaphore.release(1)
        await settle()
        assert.deepStrictEqual(statesOf(a, b), ["cancelled", "done"])
        assert.strictEqual(semaphore.stats().inUse, 1)
      })

      it("of who was woken, by who released, leaves the semaphore usable", async () => {
        // asyncio: test_acquire_no_hang
        const semaphore = skin.semaphore(1)
        const { open, opened } = gate()
        const waiting: Array<Attempt<number>> = []
        const holder = semaphore.hold(1, () => opened)
        waiting.push(semaphore.take(1))
        open()
        while (semaphore.stats().waiting > 0) await Promise.resolve()
        waiting[0]!.cancel()
        await settle()
        assert.strictEqual(holder.state, "done")
        // Woken at last or cancelled in time: a permit is free, or its owner knows that he has it.
        assert.strictEqual(semaphore.stats().inUse, waiting[0]!.state === "done" ? 1 : 0)
        assert.strictEqual(semaphore.tryTake(1), waiting[0]!.state === "cancelled")
      })

      const ways: Record<string, (semaphore: SemaphoreDriver) => Attempt<unknown>> = {
        take: (semaphore) => semaphore.take(1),
        hold: (semaphore) => semaphore.hold(1, () => Promise.reject(new Error("must not run")))
      }
      for (const [way, request] of Object.entries(ways)) {
        for (const another of [false, true]) {
          for (const shift of shiftsOf(skin)) {
            const arranged = async () => {
              const semaphore = skin.semaphore(1)
              semaphore.tryTake(1)
              if (shift === 1) semaphore.stats()
              const victim = request(semaphore)
              const next = another ? semaphore.take(1) : undefined
              await settle()
              return { semaphore, victim, next }
            }
            const name = `${way}, ${another ? "with another waiter" : "alone"}${shift === 0 ? "" : ", the other skin first"}`

            it(`while it waits loses nothing (${name})`, async () => {
              const { next, semaphore, victim } = await arranged()
              victim.cancel()
              await settle()
              assert.strictEqual(victim.state, "cancelled")
              assert.strictEqual(semaphore.stats().waiting, another ? 1 : 0)
              semaphore.release(1)
              await settle()
              assert.deepStrictEqual(semaphore.stats(), { capacity: 1, inUse: another ? 1 : 0, waiting: 0 })
              assert.strictEqual(next?.state ?? "done", "done")
            })

            it(`right after its grant passes the grant on (${name})`, async () => {
              const { next, semaphore, victim } = await arranged()
              semaphore.release(1)
              victim.cancel()
              await settle()
              assert.strictEqual(victim.state, "cancelled")
              assert.deepStrictEqual(semaphore.stats(), { capacity: 1, inUse: another ? 1 : 0, waiting: 0 })
              assert.strictEqual(next?.state ?? "done", "done")
            })

            it(`right before its grant passes the grant on (${name})`, async () => {
              const { next, semaphore, victim } = await arranged()
              victim.cancel()
              semaphore.release(1)
              await settle()
              assert.strictEqual(victim.state, "cancelled")
              assert.deepStrictEqual(semaphore.stats(), { capacity: 1, inUse: another ? 1 : 0, waiting: 0 })
              assert.strictEqual(next?.state ?? "done", "done")
            })
          }
        }
      }

      it("of every second of many keeps the others in order", async () => {
        const semaphore = skin.semaphore(1)
        semaphore.take(1)
        const log: Array<number> = []
        const attempts = Array.from({ length: 100 }, (_, i) => semaphore.hold(1, async () => void log.push(i)))
        for (const [i, attempt] of attempts.entries()) if (i % 2 === 0) attempt.cancel()
        semaphore.release(1)
        while (attempts.some(({ state }) => state === "waiting")) await settle()
        assert.deepStrictEqual(
          log,
          Array.from({ length: 50 }, (_, i) => 2 * i + 1)
        )
        assert.deepStrictEqual(semaphore.stats(), { capacity: 1, inUse: 0, waiting: 0 })
      })
    })

    describe("refusals", () => {
      it("a semaphore has an integer of 0 or more permits", () => {
        // asyncio: test_semaphore_value
        for (const [permits, kind] of [
          [-1, RangeError],
          [1.5, RangeError],
          [NaN, RangeError],
          [Infinity, RangeError],
          [undefined, TypeError],
          [null, TypeError],
          [{}, TypeError],
          [{ permits: null }, TypeError]
        ] as ReadonlyArray<[any, typeof RangeError]>) {
          assert.throws(() => skin.semaphore(permits), kind, `${skin.maker("Semaphore")}: `)
        }
        assert.throws(
          () => skin.semaphore(-1),
          `${skin.maker("Semaphore")}: permits must be an integer of at least 0, got -1`
        )
        assert.throws(
          () => skin.semaphore({ permits: 1, fairness: "lifo" as any }),
          RangeError,
          `${skin.maker("Semaphore")}: fairness must be one of "fifo", "throughput", got "lifo"`
        )
      })

      it("more than are taken cannot be released, and nothing changes", async () => {
        // asyncio: test_release_not_acquired
        const semaphore = skin.semaphore(2)
        const message = (got: unknown, most: number) =>
          `Semaphore.release: permits must be an integer from 0 to ${most}, got ${String(got)}`
        assert.throws(() => semaphore.release(1), RangeError, message(1, 0))
        semaphore.take(1)
        const waiting = semaphore.take(2)
        for (const permits of [2, -1, 0.5, NaN, Infinity]) {
          assert.throws(() => semaphore.release(permits), RangeError, message(permits, 1))
          assert.deepStrictEqual(semaphore.stats(), { capacity: 2, inUse: 1, waiting: 1 })
        }
        await settle()
        assert.strictEqual(waiting.state, "waiting")
        semaphore.release(1)
        await settle()
        assert.strictEqual(waiting.state, "done")
      })

      it("what was granted and not yet picked up counts as taken", async () => {
        const semaphore = skin.semaphore(1)
        semaphore.take(1)
        const waiting = semaphore.take(1)
        semaphore.release(1)
        assert.strictEqual(semaphore.release(1), 1)
        assert.throws(() => semaphore.release(1), RangeError)
        await settle()
        assert.strictEqual(waiting.state, "done")
      })

      it("a request for more permits than there are, or for no number of permits, is refused and nothing changes", async () => {
        for (const permits of [3, -1, 0.5, NaN, Infinity]) {
          const semaphore = skin.semaphore(2)
          semaphore.take(1)
          let ran = false
          const attempts = [semaphore.take(permits), semaphore.hold(permits, async () => void (ran = true))]
          assert.throws(() => semaphore.tryTake(permits), RangeError, "Semaphore.tryTake: permits must be")
          await settle()
          for (const attempt of attempts) {
            const must = "permits must be an integer from 0 to 2, got"
            assertRefused(attempt, RangeError, new RegExp(`^Semaphore\\.(take|withPermits|run): ${must} ${permits}$`))
          }
          assert.isFalse(ran)
          assert.deepStrictEqual(semaphore.stats(), { capacity: 2, inUse: 1, waiting: 0 })
        }
      })

      it("a priority that cannot be ordered is refused and nothing changes", async () => {
        const semaphore = skin.semaphore(2)
        semaphore.take(1)
        let ran = false
        const attempts = [
          semaphore.take(1, { priority: NaN }),
          semaphore.hold(1, async () => void (ran = true), { priority: NaN }),
          semaphore.take(2, { priority: NaN })
        ]
        await settle()
        for (const attempt of attempts) assertRefused(attempt, RangeError, /: priority must be a number, got NaN$/)
        assert.isFalse(ran)
        assert.deepStrictEqual(semaphore.stats(), { capacity: 2, inUse: 1, waiting: 0 })
      })

      it("a size that is no integer of 0 or more is refused and nothing changes", async () => {
        const semaphore = skin.semaphore(1)
        semaphore.take(1)
        const waiting = semaphore.take(1)
        for (const permits of [-1, 0.5, NaN, Infinity]) {
          const message = `Semaphore.resize: permits must be an integer of at least 0, got ${permits}`
          assert.throws(() => semaphore.resize(permits), RangeError, message)
          assert.deepStrictEqual(semaphore.stats(), { capacity: 1, inUse: 1, waiting: 1 })
        }
        await settle()
        assert.strictEqual(waiting.state, "waiting")
      })
    })

    it("has frozen snapshots", () => {
      assert.isFrozen(skin.semaphore(1).stats())
    })
  })
