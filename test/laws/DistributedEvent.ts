/**
 * What an event over a store promises, over any store: run for each skin over the store in memory, and over any other. Nothing here depends on how
 * long a store takes to answer.
 */
import { assert, describe, it } from "@effect/vitest"
import type { LatchStore } from "effect-concurrency/promise/distributed"
import { until } from "./leaseSkins.js"
import type { EventDriver, EventSkin } from "./meetingSkins.js"
import type { Attempt } from "./skins.js"
import { disturbed, type Disturbance, type StoreFactory } from "./stores.js"

export const distributedEventLaws = (skin: EventSkin, factory: StoreFactory<LatchStore>): void => {
  interface Opened {
    readonly driver: EventDriver
    readonly it: Disturbance
  }

  /** A long poll: what is woken is woken by what the store tells. */
  const withEvents = async (body: (open: (poll?: number) => Opened) => Promise<void>): Promise<void> => {
    const { close, connect } = await factory.open()
    const all: Array<Opened> = []
    try {
      await body((poll = 60_000) => {
        const { it, store } = disturbed(connect())
        const opened = { driver: skin.open(store, { poll }), it }
        all.push(opened)
        return opened
      })
      for (const { driver, it } of all) {
        assert.deepStrictEqual(driver.stats(), { waiting: 0 })
        await until("nothing is watched", () => it.watching === 0)
      }
    } finally {
      await close()
    }
  }

  const done = async <A>(attempt: Attempt<A>): Promise<A> => {
    await until("it ends", () => attempt.state !== "waiting")
    return attempt.value
  }

  /** Waits until those who wait have nothing more to ask. */
  const asleep = async ({ driver, it }: Opened, waiting: number): Promise<void> => {
    await until("they wait", () => driver.stats().waiting === waiting && it.watching >= 1)
    let seen = -1
    await until("they have asked", () => {
      const isQuiet = it.log.length === seen
      seen = it.log.length
      return isQuiet && it.count("look") >= 2
    })
  }

  describe(`an event over a store (${skin.name}, ${factory.name})`, () => {
    it("whoever waits is let go when the flag is set, wherever that is; with a flag that is set, nobody waits", () =>
      withEvents(async (open) => {
        const one = open()
        const { driver: other } = open()
        const all = [one.driver.wait("a"), one.driver.wait("a"), other.wait("a")]
        await asleep(one, 2)
        assert.isFalse(await done(other.isSet("a")))
        assert.isTrue(all.every(({ state }) => state === "waiting"))
        await done(other.set("a"))
        for (const each of all) await done(each)
        assert.isTrue(await done(one.driver.isSet("a")))
        await done(one.driver.wait("a"))
        await done(one.driver.clear("a"))
        assert.isFalse(await done(other.isSet("a")))
        const late = other.wait("a")
        await until("it waits", () => other.stats().waiting === 1)
        await done(one.driver.set("a"))
        await done(late)
      }))

    it("a flag that is set and cleared at once lets those go who waited before, and not those who come later; so does a pulse", () =>
      withEvents(async (open) => {
        const one = open()
        const { driver: other } = open()
        for (const operation of ["set", "pulse"] as const) {
          const before = one.driver.wait("a")
          await asleep(one, 1)
          await done(other[operation]("a"))
          await done(other.clear("a"))
          await done(before)
          const after = one.driver.wait("a")
          await asleep(one, 1)
          assert.strictEqual(after.state, "waiting")
          after.cancel()
          await until("it is gone", () => after.state === "cancelled")
        }
      }))

    it("one question is enough for all who wait in one instance", () =>
      withEvents(async (open) => {
        const one = open()
        const all = Array.from({ length: 50 }, () => one.driver.wait("a"))
        await asleep(one, 50)
        assert.isAtMost(one.it.count("look"), 4)
        assert.strictEqual(one.it.count("watch"), 1)
        await done(one.driver.pulse("a"))
        for (const each of all) await done(each)
      }))

    it("messages are lost: those who wait find out by themselves, also of a flag that is cleared again", () =>
      withEvents(async (open) => {
        const one = open(30)
        const { driver: other } = open()
        one.it.isDeaf = true
        const waiting = one.driver.wait("a")
        await asleep(one, 1)
        await done(other.set("a"))
        await done(other.clear("a"))
        await done(waiting)
      }))

    it("a question that fails is put once more, and nothing is lost by it; when both fail, those who wait are told", () =>
      withEvents(async (open) => {
        const one = open()
        const { driver: other } = open()
        one.it.failures = ["lost"]
        const waiting = one.driver.wait("a")
        await asleep(one, 1)
        await done(other.pulse("a"))
        await done(waiting)
        one.it.failures = ["lost", "unanswered"]
        const [first, second] = [one.driver.wait("a"), one.driver.wait("a")]
        await until("they are told", () => first.state === "failed")
        assert.include(String(first.error), "look: down")
        // Who came while the first was asked for was not told by its answer.
        await done(other.set("a"))
        await until("the second ends", () => second.state !== "waiting")
      }))

    it("what an operation fails with is what the store failed with", () =>
      withEvents(async (open) => {
        const { driver, it } = open()
        for (const operation of ["set", "clear", "pulse", "isSet"] as const) {
          it.failures = ["lost"]
          const attempt = driver[operation]("a")
          await until("it fails", () => attempt.state === "failed")
          assert.include(String(attempt.error), "down")
        }
      }))

    it("a flag with a time to live is cleared by itself", () =>
      withEvents(async (open) => {
        const { driver } = open()
        await done(driver.set("a", 60))
        assert.isTrue(await done(driver.isSet("a")))
        await new Promise((resolve) => setTimeout(resolve, 70))
        assert.isFalse(await done(driver.isSet("a")))
      }))

    it("a waiter that is interrupted leaves at once, and the others notice nothing", () =>
      withEvents(async (open) => {
        const one = open()
        const all = [one.driver.wait("a"), one.driver.wait("a"), one.driver.wait("a")]
        await asleep(one, 3)
        all[1]!.cancel()
        await until("it is gone", () => all[1]!.state === "cancelled")
        assert.deepStrictEqual(one.driver.stats(), { waiting: 2 })
        await done(one.driver.set("a"))
        await done(all[0]!)
        await done(all[2]!)
        assert.strictEqual(all[1]!.state, "cancelled")
      }))

    it("names and prefixes have nothing to do with each other", async () => {
      const { close, connect } = await factory.open()
      const one = skin.open(connect(), { prefix: "one" })
      const two = skin.open(connect(), { prefix: "two" })
      await done(one.set("a"))
      assert.isFalse(await done(one.isSet("b")))
      assert.isFalse(await done(two.isSet("a")))
      await close()
    })
  })
}
