import { assert, describe, it } from "@effect/vitest"
import { MemoryLatches } from "../../src/core/memoryLatches.js"

const make = () => {
  const time = { at: 0, now: () => time.at }
  return { time, store: new MemoryLatches(time) }
}

const day = 86_400_000

describe("flags in memory", () => {
  // What every store does is in test/laws/LatchStore.ts.

  it("count over all names (I1)", () => {
    const { store } = make()
    store.set({ name: "a" })
    store.pulse("b")
    store.pulse("a")
    store.clear("a")
    assert.deepStrictEqual(store.look("a"), { isSet: false, count: 3 })
    assert.deepStrictEqual(store.look("b"), { isSet: false, count: 2 })
    store.check()
  })

  it("forget a count after a day; a flag that is set stays, and the next count is larger than the forgotten one (I2)", () => {
    const { store, time } = make()
    store.set({ name: "set" })
    store.set({ name: "over", timeToLive: 5 })
    store.pulse("pulsed")
    time.at = day - 1
    store.pulse("other")
    assert.strictEqual(store.size, 4)
    time.at = day
    store.pulse("other")
    assert.strictEqual(store.size, 1)
    assert.deepStrictEqual(store.look("set"), { isSet: true, count: 0 })
    assert.deepStrictEqual(store.look("over"), { isSet: false, count: 0 })
    store.pulse("pulsed")
    assert.strictEqual(store.look("pulsed").count, 6)
    store.check()
  })

  it("nobody who does not watch any more is kept; one function may watch twice", () => {
    const { store } = make()
    let heard = 0
    const hear = () => void heard++
    const stops = [store.watch("a", hear), store.watch("a", hear)]
    store.pulse("a")
    assert.strictEqual(heard, 2)
    for (const stop of [...stops, ...stops]) stop()
    assert.strictEqual(store.watched, 0)
  })

  it("a flag is set for as long as was asked for, and no longer", () => {
    const { store, time } = make()
    store.set({ name: "a", timeToLive: 5 })
    time.at = 4.9
    assert.isTrue(store.look("a").isSet)
    time.at = 5
    assert.deepStrictEqual(store.look("a"), { isSet: false, count: 1 })
    assert.deepStrictEqual(store.look("b"), { isSet: false, count: 0 })
  })

  it("setting and pulsing are told to those who watch that name; clearing lets nobody go", () => {
    const { store } = make()
    const told: Array<string> = []
    store.watch("a", () => told.push("a"))
    store.watch("b", () => told.push("b"))
    store.set({ name: "a" })
    store.pulse("b")
    store.clear("a")
    assert.deepStrictEqual(told, ["a", "b"])
  })

  it("who begins to watch when told of a change is told of the next one; who is told may go", () => {
    const { store } = make()
    const told: Array<string> = []
    const stop = store.watch("a", () => {
      told.push("first")
      stop()
      store.watch("a", () => told.push("second"))
    })
    store.pulse("a")
    assert.deepStrictEqual(told, ["first"])
    store.pulse("a")
    assert.deepStrictEqual(told, ["first", "second"])
  })

  it("a watch that is ended twice does not end the one that came after it", () => {
    const { store } = make()
    let told = 0
    const stop = store.watch("a", () => assert.fail("it was ended"))
    stop()
    const stopped = store.watch("a", () => void told++)
    const kept = store.watch("a", () => void told++)
    stop()
    stopped()
    store.pulse("a")
    assert.deepStrictEqual([told, store.watched], [1, 1])
    kept()
    assert.strictEqual(store.watched, 0)
  })

  it("check finds what does not hold", () => {
    const broken = (...values: ReadonlyArray<number>) => {
      const { store } = make()
      store.pulse("latest is 1")
      store.pulse("latest is 2")
      const counts = new Map(values.map((value, index) => [`n${index}`, { value, at: 0 }]))
      Object.assign(store, { counts })
      return () => store.check()
    }
    assert.doesNotThrow(broken(1, 2))
    assert.throws(broken(3), "I1: the count of n0 is 3")
    assert.throws(broken(1, 1), "I1: the count of n1 is 1")
    assert.throws(broken(2, 1), "I1: the count of n1 is 1")
    assert.throws(broken(0), "I1: the count of n0 is 0")
  })
})
