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
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
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
