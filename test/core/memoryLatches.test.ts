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
})
