/**
 * What a store of flags has to do, wherever it keeps them: run for the store in memory, and for any other. One on a clock that cannot be moved by
 * hand waits in `advance`, and has a `slack`.
 */
import { assert, describe, it } from "@effect/vitest"
import type { LatchStore } from "effect-concurrency/promise/distributed"
import type { StoreSkin } from "./stores.js"
import { until } from "./leaseSkins.js"

export const latchStoreLaws = ({ name: skin, open, slack = 0 }: StoreSkin<LatchStore>): void => {
  const timeToLive = Math.max(200, 10 * slack)

  const withStore = async (
    body: (store: LatchStore, advance: (milliseconds: number) => Promise<void>) => Promise<void>
  ): Promise<void> => {
    const { advance, close, store } = await open()
    try {
      await body(store, advance)
    } finally {
      await close()
    }
  }

  const isSet = async (store: LatchStore, name = "a") => (await store.look(name)).isSet

  const countOf = async (store: LatchStore, name = "a") => {
    const { count } = await store.look(name)
    assert.isTrue(Number.isSafeInteger(count))
    return count
  }

  describe(`latch store laws (${skin})`, () => {
    it("a flag is set until it is cleared; nothing is known of one that nobody has set", () =>
      withStore(async (store) => {
        assert.deepStrictEqual(await store.look("a"), { isSet: false, count: 0 })
        await store.clear("a")
        assert.deepStrictEqual(await store.look("a"), { isSet: false, count: 0 })
        await store.set({ name: "a" })
        assert.isTrue(await isSet(store))
        assert.isFalse(await isSet(store, "b"))
        await store.clear("a")
        assert.isFalse(await isSet(store))
        await store.set({ name: "a" })
        assert.isTrue(await isSet(store))
      }))

    it("the count grows each time that it is set or pulsed, and stays when it is cleared", () =>
      withStore(async (store) => {
        let latest = await countOf(store)
        const grows = async () => {
          const count = await countOf(store)
          assert.isAbove(count, latest)
          latest = count
        }
        await store.set({ name: "a" })
        await grows()
        await store.set({ name: "a" })
        await grows()
        await store.clear("a")
        assert.strictEqual(await countOf(store), latest)
        await store.pulse("a")
        await grows()
        assert.isFalse(await isSet(store))
        await store.set({ name: "a" })
        await grows()
        await store.pulse("a")
        await grows()
        assert.isTrue(await isSet(store))
      }))

    it("a flag with a time to live is cleared by itself; a new time takes the place of the old, also none", () =>
      withStore(async (store, advance) => {
        await store.set({ name: "a", timeToLive })
        await advance(timeToLive - slack - 1 - (slack > 0 ? timeToLive / 2 : 0))
        assert.isTrue(await isSet(store))
        await store.set({ name: "a", timeToLive })
        await store.set({ name: "b", timeToLive })
        await store.set({ name: "b" })
        await store.set({ name: "c", timeToLive })
        await store.pulse("c")
        const count = await countOf(store)
        await advance(timeToLive + 1)
        assert.isFalse(await isSet(store))
        assert.isTrue(await isSet(store, "b"))
        assert.isFalse(await isSet(store, "c"))
        assert.strictEqual(await countOf(store), count)
        await store.set({ name: "b", timeToLive })
        await advance(timeToLive + 1)
        assert.isFalse(await isSet(store, "b"))
      }))

    it("names have nothing to do with each other, whatever they are called", () =>
      withStore(async (store) => {
        for (const name of ["b", " ", "a:b", "{a}", "{", "}", "a}b", "a*", "__proto__", "ключ 🔑", "x".repeat(1000)]) {
          assert.isFalse(await isSet(store, name))
          await store.set({ name })
          assert.isTrue(await isSet(store, name))
        }
        assert.isFalse(await isSet(store))
      }))

    it("tells those who watch a name when its count grows", () =>
      withStore(async (store) => {
        const heard: Array<string> = []
        const stops = [
          await store.watch("a", () => heard.push("one")),
          await store.watch("a", () => heard.push("two")),
          await store.watch("b", () => heard.push("other"))
        ]
        await store.set({ name: "a" })
        await until("both hear", () => heard.length === 2)
        assert.deepStrictEqual(heard.toSorted(), ["one", "two"])
        stops[0]!()
        stops[0]!()
        await store.pulse("a")
        await until("the other one hears", () => heard.length === 3)
        assert.strictEqual(heard[2], "two")
        for (const stop of stops) stop()
        await store.set({ name: "a" })
        await new Promise((resolve) => setTimeout(resolve, slack))
        assert.strictEqual(heard.length, 3)
      }))
  })
}
