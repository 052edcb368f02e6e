import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import { MemoryParties } from "../../src/core/memoryParties.js"

const make = () => {
  const time = { at: 0, now: () => time.at }
  return { time, store: new MemoryParties(time) }
}

const of = (party: string) => ({ name: "a", party, lease: 100 })

describe("barriers in memory", () => {
  // What every store does is in test/laws/PartyStore.ts.

  it("forget a name when nobody waits, nothing is remembered, and it is not broken (I4)", () => {
    const { store, time } = make()
    assert.isFalse(store.isBroken("a"))
    assert.deepStrictEqual(store.renew(of("one")), { kind: "unknown" })
    assert.strictEqual(store.size, 0)
    store.arrive({ ...of("one"), parties: 1 })
    assert.strictEqual(store.size, 1)
    time.at = 200
    store.isBroken("a")
    assert.strictEqual(store.size, 0)
    store.abort("a")
    assert.strictEqual(store.size, 1)
    store.reset("a")
    assert.strictEqual(store.size, 0)
    const stop = store.watch("a", () => {})
    assert.strictEqual(store.watched, 1)
    stop()
    stop()
    assert.strictEqual(store.watched, 0)
  })

  it("a barrier that was broken a day ago is as new", () => {
    const { store, time } = make()
    time.at = 5
    store.abort("a")
    time.at = 86_400_004
    assert.isTrue(store.isBroken("a"))
    time.at = 86_400_005
    assert.isFalse(store.isBroken("a"))
    assert.strictEqual(store.size, 0)
  })

  it("whatever is asked: generations pass whole or break whole, with distinct indices, and no outcome changes (I1, I2, I3)", () => {
    const names = ["one", "two", "three", "four", "five"] as const
    const who = fc.constantFrom(...names)
    const step = fc.oneof(
      fc.record({ kind: fc.constant("arrive" as const), who }),
      fc.record({ kind: fc.constant("renew" as const), who }),
      fc.record({ kind: fc.constant("new" as const), who }),
      fc.record({ kind: fc.constant("withdraw" as const), who, breaks: fc.boolean() }),
      fc.record({ kind: fc.constant("abort" as const) }),
      fc.record({ kind: fc.constant("reset" as const) }),
      fc.record({ kind: fc.constant("pass" as const), milliseconds: fc.integer({ min: 1, max: 60 }) })
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const { store, time } = make()
        /** Each arrival has an id of its own. */
        const rounds = new Map<string, number>()
        const idOf = (name: string) => `${name}${rounds.get(name) ?? 0}`
        const decided = new Map<string, string>()
        const generations = new Map<string, number>()
        const passedIn = new Map<number, Map<string, number>>()
        const note = (id: string, answer: ReturnType<MemoryParties["renew"]>) => {
          store.check()
          if (answer.kind === "waiting") {
            assert.isUndefined(decided.get(id), "I3: it waits again")
            generations.set(id, answer.generation)
          }
          if (answer.kind !== "passed" && answer.kind !== "broken") return
          const text = JSON.stringify(answer.kind === "passed" ? answer.index : "broken")
          // An arrival at a broken barrier is none: it may come again.
          if (generations.has(id)) assert.strictEqual(decided.get(id) ?? text, text, "I3")
          if (generations.has(id) || answer.kind === "passed") decided.set(id, text)
          const generation = generations.get(id)
          if (answer.kind !== "passed" || generation === undefined) return
          const others = passedIn.get(generation) ?? new Map<string, number>()
          passedIn.set(generation, others.set(id, answer.index))
          assert.strictEqual(new Set(others.values()).size, others.size, "I2: an index came twice")
        }
        for (const each of steps) {
          if (each.kind === "pass") time.at += each.milliseconds
          else if (each.kind === "abort" || each.kind === "reset") store[each.kind]("a")
          else if (each.kind === "new") rounds.set(each.who, (rounds.get(each.who) ?? 0) + 1)
          else if (each.kind === "withdraw") store.withdraw({ ...of(idOf(each.who)), breaks: each.breaks })
          else if (each.kind === "arrive") {
            // What was decided is forgotten some time, and then it would arrive anew.
            if (decided.has(idOf(each.who))) rounds.set(each.who, (rounds.get(each.who) ?? 0) + 1)
            note(idOf(each.who), store.arrive({ ...of(idOf(each.who)), parties: 3 }))
          } else note(idOf(each.who), store.renew(of(idOf(each.who))))
          store.check()
        }
        for (const id of generations.keys()) note(id, store.renew(of(id)))
        for (const [generation, passed] of passedIn) {
          for (const [id, own] of generations) {
            if (own === generation) assert.notStrictEqual(decided.get(id), `"broken"`, `I3: ${passed.size} passed`)
          }
        }
      }),
      { numRuns: 300 }
    )
  })
})
