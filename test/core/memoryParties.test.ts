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

  const arrive = (store: MemoryParties, party: string, parties = 2) => store.arrive({ ...of(party), parties })

  it("the parties of one generation pass together, with an index each; and hear of it when they ask again", () => {
    const { store } = make()
    assert.deepStrictEqual(arrive(store, "one"), { kind: "waiting", parties: 2, generation: 1 })
    assert.deepStrictEqual(arrive(store, "two"), { kind: "passed", parties: 2, index: 1 })
    assert.deepStrictEqual(store.renew(of("one")), { kind: "passed", parties: 2, index: 0 })
    // An answer that was lost: the same arrival comes again, and is not counted for the next generation.
    assert.deepStrictEqual(arrive(store, "two"), { kind: "passed", parties: 2, index: 1 })
    assert.deepStrictEqual(arrive(store, "three"), { kind: "waiting", parties: 2, generation: 2 })
    assert.deepStrictEqual(arrive(store, "three"), { kind: "waiting", parties: 2, generation: 2 })
    store.check()
  })

  it("the number of parties is that of the first who waits, until nobody does", () => {
    const { store } = make()
    arrive(store, "one", 3)
    assert.deepInclude(arrive(store, "two", 2), { kind: "waiting", parties: 3 })
    assert.deepInclude(arrive(store, "three", 2), { kind: "passed", parties: 3, index: 2 })
    assert.deepInclude(arrive(store, "four", 2), { kind: "waiting", parties: 2 })
  })

  it("an index that somebody left who withdrew is taken by the next: or two would have the same (I2)", () => {
    const { store } = make()
    for (const party of ["one", "two", "three"]) arrive(store, party, 4)
    store.withdraw({ ...of("two"), breaks: false })
    assert.deepInclude(arrive(store, "four", 4), { kind: "waiting" })
    assert.deepInclude(arrive(store, "five", 4), { kind: "passed", index: 3 })
    assert.deepInclude(store.renew(of("four")), { kind: "passed", index: 1 })
    assert.deepStrictEqual(store.renew(of("two")), { kind: "unknown" })
  })

  it("a lease that has ended breaks the barrier, for all who wait; a renewal keeps it (I3)", () => {
    const { store, time } = make()
    arrive(store, "one", 3)
    time.at = 50
    arrive(store, "two", 3)
    time.at = 99
    assert.deepInclude(store.renew(of("one")), { kind: "waiting" })
    time.at = 149
    assert.isFalse(store.isBroken("a"))
    time.at = 150
    assert.isTrue(store.isBroken("a"))
    for (const party of ["one", "two"]) assert.deepStrictEqual(store.renew(of(party)), { kind: "broken", parties: 3 })
    assert.deepStrictEqual(arrive(store, "three", 3), { kind: "broken", parties: 3 })
    store.reset("a")
    assert.deepInclude(arrive(store, "four", 3), { kind: "waiting" })
    store.check()
  })

  it("what became of a party is remembered for twice its lease, as long as it may ask (I3)", () => {
    const { store, time } = make()
    arrive(store, "one", 1)
    time.at = 199
    assert.deepInclude(store.renew(of("one")), { kind: "passed" })
    time.at = 200
    assert.deepStrictEqual(store.renew(of("one")), { kind: "unknown" })
    arrive(store, "two")
    assert.deepInclude(store.renew({ ...of("two"), lease: 300 }), { kind: "waiting" })
    store.reset("a")
    time.at = 799
    assert.deepInclude(store.renew(of("two")), { kind: "broken" })
    time.at = 800
    assert.deepStrictEqual(store.renew(of("two")), { kind: "unknown" })
    assert.strictEqual(store.size, 0)
  })

  it("one that withdraws does not count, also when its arrival comes after that", () => {
    const { store, time } = make()
    arrive(store, "one")
    store.withdraw({ ...of("one"), breaks: false })
    assert.isFalse(store.isBroken("a"))
    assert.deepStrictEqual(arrive(store, "one"), { kind: "unknown" })
    store.withdraw({ ...of("early"), breaks: false })
    assert.deepStrictEqual(arrive(store, "early"), { kind: "unknown" })
    assert.deepInclude(arrive(store, "two"), { kind: "waiting" })
    time.at = 90
    store.renew(of("two"))
    time.at = 180
    store.renew(of("two"))
    time.at = 200
    // It is forgotten by now.
    assert.deepInclude(arrive(store, "early"), { kind: "passed" })
  })

  it("one that withdraws to break the barrier does so, also when its arrival comes after that: but once (I3)", () => {
    const { store } = make()
    arrive(store, "one", 3)
    arrive(store, "two", 3)
    store.withdraw({ ...of("one"), breaks: true })
    for (const party of ["one", "two"]) assert.deepInclude(store.renew(of(party)), { kind: "broken" })
    store.reset("a")
    store.withdraw({ ...of("early"), breaks: true })
    assert.isFalse(store.isBroken("a"))
    assert.deepStrictEqual(store.renew(of("early")), { kind: "unknown" })
    arrive(store, "waits", 3)
    assert.deepStrictEqual(arrive(store, "early", 3), { kind: "broken", parties: 3 })
    assert.deepInclude(store.renew(of("waits")), { kind: "broken" })
    store.reset("a")
    arrive(store, "next", 3)
    assert.deepStrictEqual(arrive(store, "early", 3), { kind: "broken", parties: 3 })
    assert.deepInclude(store.renew(of("next")), { kind: "waiting" })
    store.check()
  })

  it("a withdrawal changes nothing of what was decided before it (I3)", () => {
    const { store } = make()
    arrive(store, "one", 1)
    for (const breaks of [false, true]) {
      store.withdraw({ ...of("one"), breaks })
      assert.deepInclude(store.renew(of("one")), { kind: "passed", index: 0 })
    }
    assert.isFalse(store.isBroken("a"))
  })

  it("whoever watches a name is told when those who wait pass or are broken", () => {
    const { store } = make()
    let told = 0
    const tell = () => void told++
    const stops = [store.watch("a", tell), store.watch("a", tell)]
    store.watch("b", () => assert.fail("nobody waits there"))
    arrive(store, "one")
    assert.strictEqual(told, 0)
    arrive(store, "two")
    assert.strictEqual(told, 2)
    stops[0]!()
    store.abort("a")
    assert.strictEqual(told, 3)
  })

  it("a watch that is ended twice does not end the one that came after it", () => {
    const { store } = make()
    let told = 0
    const stop = store.watch("a", () => assert.fail("it was ended"))
    stop()
    store.watch("a", () => void told++)
    stop()
    store.abort("a")
    assert.strictEqual(told, 1)
  })

  it("check finds what does not hold", () => {
    const broken = (barrier: { broken?: boolean; indices?: ReadonlyArray<number>; past?: ReadonlyArray<string> }) => {
      const { store } = make()
      const { broken = false, indices = [], past = [] } = barrier
      const waiting = new Map(indices.map((index, n) => [`p${n}`, { index, lease: 1, until: 1 }]))
      const a = { parties: 3, broken, waiting, past: new Map(past.map((id) => [id, { index: 0, until: 1 }])) }
      ;(store as unknown as { names: Map<string, unknown> }).names.set("a", a)
      return () => store.check()
    }
    for (const whole of [{ indices: [0, 2] }, { broken: true }, { past: ["p0"] }, { indices: [1], past: ["p1"] }])
      assert.doesNotThrow(broken(whole))
    assert.throws(broken({ indices: [0, 1, 2] }), "I1: 3 of 3 wait at a")
    assert.throws(broken({ indices: [0], broken: true }), "I1: 1 wait at a, which is broken")
    assert.throws(broken({ indices: [1, 1] }), "I2: the indices at a are 1,1")
    assert.throws(broken({ indices: [0, 3] }), "I2: the indices at a are 0,3")
    assert.throws(broken({ indices: [0], past: ["p0"] }), "I3: p0 waits at a again")
    assert.throws(broken({}), "I4: there is nothing at a")
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
      fc.property(fc.array(step, { maxLength: 80, size: "max" }), (steps) => {
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
