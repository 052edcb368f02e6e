import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import { MemoryLeases } from "../../src/core/memoryLeases.js"

const make = () => {
  const time = { at: 0, now: () => time.at }
  return { time, store: new MemoryLeases(time) }
}

const request = (holder: string, permits = 1, limit = 1, name = "a") => ({ name, holder, permits, limit, lease: 100 })

describe("leases in memory", () => {
  // What every store does is in test/laws/LeaseStore.ts.

  it("forget a name when nobody holds it, and nobody watches it (I2)", () => {
    const { store, time } = make()
    store.acquire(request("one"))
    const stop = store.watch("a", () => {})
    assert.strictEqual(store.size, 2)
    store.release({ name: "a", holder: "one" })
    stop()
    stop()
    assert.strictEqual(store.size, 0)
    // Also what was left to end by itself, once somebody asks.
    store.acquire(request("one"))
    time.at = 100
    store.acquire(request("two"))
    store.release({ name: "a", holder: "two" })
    assert.strictEqual(store.size, 0)
    store.check()
  })

  it("a request for more than there are is refused, and leaves nothing (I2)", () => {
    const { store } = make()
    assert.deepInclude(store.acquire(request("one", 2, 1)), { kind: "busy" })
    assert.strictEqual(store.size, 0)
  })

  it("a holder whose lease has ended, and who asks again, has a new token: the old one would pass for the newest (I3)", () => {
    const { store, time } = make()
    assert.deepInclude(store.acquire(request("one", 1, 3)), { kind: "granted", token: 1 })
    time.at = 99
    assert.deepInclude(store.acquire(request("one", 1, 3)), { kind: "granted", token: 1 })
    time.at = 199
    assert.deepInclude(store.acquire(request("one", 1, 3)), { kind: "granted", token: 2 })
    store.check()
  })

  it("another limit counts as soon as all leases of a name have ended, although there was still room", () => {
    const { store, time } = make()
    store.acquire(request("one", 1, 3))
    time.at = 99
    assert.deepInclude(store.acquire(request("two", 1, 4)), { kind: "granted", limit: 3 })
    time.at = 199
    assert.deepInclude(store.acquire(request("three", 1, 4)), { kind: "granted", limit: 4 })
    store.check()
  })

  it("nothing is left of a name whose lease has ended and of which more is wanted than there is (I2)", () => {
    const { store, time } = make()
    store.acquire(request("one"))
    time.at = 100
    assert.deepStrictEqual(store.acquire(request("two", 2, 1)), { kind: "busy", limit: 1, retryAfter: 100 })
    assert.strictEqual(store.size, 0)
  })

  it("whoever watches a name is told when its permits are given back, and the giver how many those are", () => {
    const { store, time } = make()
    let told = 0
    const tell = () => void told++
    const stops = [store.watch("a", tell), store.watch("a", tell)]
    store.watch("b", () => assert.fail("nothing was freed there"))
    store.acquire(request("one"))
    assert.strictEqual(told, 0)
    assert.deepStrictEqual(store.release({ name: "a", holder: "one" }), { held: true, watchers: 2 })
    assert.strictEqual(told, 2)
    assert.deepStrictEqual(store.release({ name: "a", holder: "one" }), { held: false, watchers: 0 })
    stops[0]!()
    store.acquire(request("two"))
    time.at = 100
    assert.deepStrictEqual(store.release({ name: "a", holder: "two" }), { held: false, watchers: 1 })
    assert.strictEqual(told, 3)
  })

  it("a watch that is ended twice does not end the one that came after it", () => {
    const { store } = make()
    let told = 0
    const stop = store.watch("a", () => assert.fail("it was ended"))
    stop()
    store.watch("a", () => void told++)
    stop()
    store.acquire(request("one"))
    store.release({ name: "a", holder: "one" })
    assert.strictEqual(told, 1)
  })

  it("check finds what does not hold", () => {
    const broken = (limit: number, used: number, permits: ReadonlyArray<number>, token = 1) => {
      const { store } = make()
      store.acquire(request("one", 1, 1, "b"))
      const holdings = new Map(permits.map((permits, index) => [`${index}`, { permits, token, until: 100 }]))
      ;(store as unknown as { names: Map<string, unknown> }).names.set("a", { limit, used, holdings })
      return () => store.check()
    }
    assert.doesNotThrow(broken(3, 3, [1, 2]))
    assert.throws(broken(3, 2, [1, 2]), "I1: of 3 permits of a, 2 are held: 3")
    assert.throws(broken(3, 4, [2, 2]), "I1: of 3 permits of a, 4 are held: 4")
    assert.throws(broken(3, 0, []), "I2: nobody holds a")
    assert.throws(broken(3, 1, [1], 2), "I3: the token 2 is above 1")
  })

  it("whatever is asked: no more is held than there is, tokens grow, and what ends comes back (I1, I2, I3)", () => {
    const holders = ["one", "two", "three", "four"] as const
    const step = fc.oneof(
      fc.record({
        kind: fc.constant("acquire" as const),
        holder: fc.constantFrom(...holders),
        permits: fc.integer({ min: 1, max: 3 }),
        limit: fc.integer({ min: 3, max: 4 })
      }),
      fc.record({ kind: fc.constant("renew" as const), holder: fc.constantFrom(...holders) }),
      fc.record({ kind: fc.constant("release" as const), holder: fc.constantFrom(...holders) }),
      fc.record({ kind: fc.constant("pass" as const), milliseconds: fc.integer({ min: 1, max: 60 }) })
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
        const { store, time } = make()
        const model = new Map<string, { permits: number; token: number; until: number }>()
        const live = () => [...model].filter(([, { until }]) => until > time.at)
        let limit = 0
        let latest = 0
        for (const each of steps) {
          if (each.kind === "pass") time.at += each.milliseconds
          else if (each.kind === "acquire") {
            const { holder, permits } = each
            const held = live()
            if (held.length === 0) ({ limit } = each)
            const used = held.reduce((sum, [, { permits }]) => sum + permits, 0)
            const mine = held.find(([id]) => id === holder)?.[1]
            const answer = store.acquire({ ...request(holder, permits, each.limit) })
            assert.strictEqual(answer.limit, limit)
            if (mine !== undefined) {
              assert.deepInclude(answer, { kind: "granted", token: mine.token })
              mine.until = time.at + 100
            } else if (used + permits <= limit) {
              assert.strictEqual(answer.kind, "granted")
              if (answer.kind !== "granted") continue
              assert.isAbove(answer.token, latest)
              latest = answer.token
              model.set(holder, { permits, token: latest, until: time.at + 100 })
            } else {
              const earliest = Math.min(...held.map(([, { until }]) => until))
              assert.deepInclude(answer, { kind: "busy", retryAfter: earliest - time.at })
            }
          } else {
            const mine = live().find(([id]) => id === each.holder)?.[1]
            if (each.kind === "renew") {
              assert.strictEqual(store.renew({ name: "a", holder: each.holder, lease: 100 }), mine !== undefined)
              if (mine !== undefined) mine.until = time.at + 100
            } else {
              assert.strictEqual(store.release({ name: "a", holder: each.holder }).held, mine !== undefined)
              model.delete(each.holder)
            }
          }
          store.check()
        }
      })
    )
  })
})
