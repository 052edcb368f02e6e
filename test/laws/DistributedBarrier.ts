/**
 * What a barrier over a store promises, over any store: run for each skin over the store in memory, and over any other. Nothing here depends on how
 * long a store takes to answer.
 */
import { assert, describe, it } from "@effect/vitest"
import { BrokenBarrier, type DistributedBarrierOptions, type PartyStore } from "effect-concurrency/promise/distributed"
import { until } from "./leaseSkins.js"
import type { BarrierDriver, BarrierSkin } from "./meetingSkins.js"
import type { Attempt } from "./skins.js"
import { disturbed, type Disturbance, type StoreFactory } from "./stores.js"

export const distributedBarrierLaws = (skin: BarrierSkin, factory: StoreFactory<PartyStore>): void => {
  interface Opened {
    readonly driver: BarrierDriver
    readonly it: Disturbance
  }

  /** A long poll: what is woken is woken by what the store tells. */
  const withBarriers = async (
    body: (open: (options?: Partial<DistributedBarrierOptions>) => Opened) => Promise<void>
  ): Promise<void> => {
    const { close, connect } = await factory.open()
    const all: Array<Opened> = []
    try {
      await body((options) => {
        const { it, store } = disturbed(connect())
        const opened = { driver: skin.open(store, { parties: 2, poll: 60_000, lease: 600_000, ...options }), it }
        all.push(opened)
        return opened
      })
      for (const { driver, it } of all) {
        assert.deepStrictEqual(driver.stats(), { waiting: 0 })
        await until("nothing is watched", () => it.watching === 0)
        const { length } = it.log
        await new Promise((resolve) => setImmediate(resolve))
        assert.strictEqual(it.log.length, length)
      }
    } finally {
      await close()
    }
  }

  const done = async <A>(attempt: Attempt<A>): Promise<A> => {
    await until("it ends", () => attempt.state !== "waiting")
    return attempt.value
  }

  const failed = async (attempt: Attempt<unknown>): Promise<unknown> => {
    await until("it ends", () => attempt.state !== "waiting")
    return attempt.error
  }

  const waits = async ({ driver, it }: Opened, waiting: number): Promise<void> => {
    await until("they wait", () => driver.stats().waiting === waiting && it.watching === waiting)
    let seen = -1
    await until("they have asked", () => {
      const isQuiet = it.log.length === seen
      seen = it.log.length
      return isQuiet && it.count("renew") >= waiting
    })
  }

  const gone = (attempt: Attempt<unknown>) => until("it is gone", () => attempt.state === "cancelled")

  describe(`a barrier over a store (${skin.name}, ${factory.name})`, () => {
    it("nobody passes before all have arrived, wherever they are; then all do, with distinct indices; again and again", () =>
      withBarriers(async (open) => {
        const one = open({ parties: 3 })
        const other = open({ parties: 3 })
        for (let round = 1; round <= 3; round++) {
          const a = one.driver.wait("x")
          const b = other.driver.wait("x")
          await until("both wait", () => one.driver.stats().waiting + other.driver.stats().waiting === 2)
          await new Promise((resolve) => setTimeout(resolve, 5))
          assert.deepStrictEqual([a.state, b.state], ["waiting", "waiting"])
          const c = one.driver.wait("x")
          const indices = [await done(a), await done(b), await done(c)]
          assert.deepStrictEqual(indices.toSorted(), [0, 1, 2])
        }
      }))

    it("a party that is interrupted withdraws: another takes its place", () =>
      withBarriers(async (open) => {
        const one = open()
        const other = open()
        const first = one.driver.wait("x")
        await waits(one, 1)
        first.cancel()
        await gone(first)
        const second = other.driver.wait("x")
        await waits(other, 1)
        const third = one.driver.wait("x")
        assert.deepStrictEqual([await done(second), await done(third)].toSorted(), [0, 1])
        assert.isFalse(await done(one.driver.isBroken("x")))
      }))

    it("a party that is interrupted breaks the barrier if that was chosen: those who wait are told, and those who come, until a reset", () =>
      withBarriers(async (open) => {
        const one = open({ parties: 3, onInterrupt: "break" })
        const other = open({ parties: 3 })
        const first = one.driver.wait("x")
        const second = other.driver.wait("x")
        await waits(one, 1)
        await waits(other, 1)
        first.cancel()
        await gone(first)
        assert.instanceOf(await failed(second), BrokenBarrier)
        assert.instanceOf(await failed(other.driver.wait("x")), BrokenBarrier)
        assert.isTrue(await done(other.driver.isBroken("x")))
        await done(other.driver.reset("x"))
        const all = [one.driver.wait("x"), one.driver.wait("x"), other.driver.wait("x")]
        for (const each of all) await done(each)
      }))

    it("abort breaks it until a reset, and a reset only those who wait", () =>
      withBarriers(async (open) => {
        const one = open()
        const other = open()
        const first = one.driver.wait("x")
        await waits(one, 1)
        await done(other.driver.reset("x"))
        assert.instanceOf(await failed(first), BrokenBarrier)
        const second = one.driver.wait("x")
        await waits(one, 1)
        await done(other.driver.abort("x"))
        assert.instanceOf(await failed(second), BrokenBarrier)
        assert.instanceOf(await failed(one.driver.wait("x")), BrokenBarrier)
        assert.isTrue(await done(one.driver.isBroken("x")))
        await done(one.driver.reset("x"))
        assert.isFalse(await done(other.driver.isBroken("x")))
        const all = [one.driver.wait("x"), other.driver.wait("x")]
        for (const each of all) await done(each)
      }))

    it("an arrival whose answer is lost is put again, counts once, and its party passes", () =>
      withBarriers(async (open) => {
        const one = open()
        const other = open()
        one.it.failures = ["unanswered"]
        const first = one.driver.wait("x")
        await waits(one, 1)
        assert.strictEqual(one.it.count("arrive"), 2)
        other.it.failures = ["unanswered"]
        const second = other.driver.wait("x")
        assert.deepStrictEqual([await done(first), await done(second)], [0, 1])
      }))

    it("an arrival that fails twice is withdrawn, whether or not it has arrived: the others wait for another", () =>
      withBarriers(async (open) => {
        const one = open()
        const other = open()
        one.it.failures = ["unanswered", "lost"]
        assert.include(String(await failed(one.driver.wait("x"))), "arrive: down")
        await until("it is withdrawn", () => one.it.count("withdraw") === 1)
        // The withdrawal is on its way before this.
        const second = other.driver.wait("x")
        await waits(other, 1)
        assert.strictEqual(second.state, "waiting")
        const third = one.driver.wait("x")
        await done(second)
        await done(third)
      }))

    it("messages are lost: those who wait find out by themselves", () =>
      withBarriers(async (open) => {
        const one = open({ poll: 30 })
        one.it.isDeaf = true
        const other = open()
        const first = one.driver.wait("x")
        await waits(one, 1)
        const second = other.driver.wait("x")
        assert.deepStrictEqual([await done(first), await done(second)], [0, 1])
      }))

    it("questions of one who waits may fail as long as its lease lasts", () =>
      withBarriers(async (open) => {
        const one = open({ poll: 10 })
        const other = open()
        const first = one.driver.wait("x")
        await until("it waits", () => one.it.count("renew") >= 1)
        one.it.failures = Array.from({ length: 5 }, () => "lost" as const)
        await until("they have failed", () => one.it.failures.length === 0)
        const second = other.driver.wait("x")
        assert.deepStrictEqual([await done(first), await done(second)], [0, 1])
      }))

    it("what an operation fails with is what the store failed with", () =>
      withBarriers(async (open) => {
        const { driver, it } = open()
        for (const operation of ["reset", "abort", "isBroken"] as const) {
          it.failures = ["lost"]
          assert.include(String(await failed(driver[operation]("x"))), `${operation}: down`)
        }
      }))

    it("names and prefixes have nothing to do with each other", async () => {
      const { close, connect } = await factory.open()
      const one = skin.open(connect(), { parties: 2, prefix: "one" })
      const two = skin.open(connect(), { parties: 2, prefix: "two" })
      await done(one.abort("a"))
      assert.isFalse(await done(one.isBroken("b")))
      assert.isFalse(await done(two.isBroken("a")))
      await close()
    })
  })
}
