/**
 * What a store of barriers has to do, wherever it keeps them: run for the store in memory, and for any other. One on a clock that cannot be moved by
 * hand waits in `advance`, and has a `slack`.
 */
import { assert, describe, it } from "@effect/vitest"
import type { PartyAnswer, PartyStore } from "effect-concurrency/promise/distributed"
import { until } from "./leaseSkins.js"
import type { StoreSkin } from "./stores.js"

export const partyStoreLaws = ({ name: skin, open, slack = 0 }: StoreSkin<PartyStore>): void => {
  /** Long enough that a busy machine does not end it. */
  const lease = Math.max(200, 20 * slack)

  const withStore = async (
    body: (store: PartyStore, advance: (milliseconds: number) => Promise<void>) => Promise<void>
  ): Promise<void> => {
    const { advance, close, store } = await open()
    try {
      await body(store, advance)
    } finally {
      await close()
    }
  }

  const of = (party: string, name = "a") => ({ name, party, lease })

  const arrival = (party: string, parties = 2, name = "a") => ({ ...of(party, name), parties })

  const waits = (answer: PartyAnswer, parties = 2): number => {
    assert.deepInclude(answer, { kind: "waiting", parties })
    assert.isTrue(answer.kind === "waiting" && Number.isSafeInteger(answer.generation))
    return answer.kind === "waiting" ? answer.generation : NaN
  }

  const passed = (answer: PartyAnswer, index: number, parties = 2): void =>
    assert.deepStrictEqual(answer, { kind: "passed", parties, index })

  const broken = (answer: PartyAnswer): void => assert.strictEqual(answer.kind, "broken")

  const unknown = (answer: PartyAnswer): void => assert.deepStrictEqual(answer, { kind: "unknown" })

  describe(`party store laws (${skin})`, () => {
    it("all pass when the last has arrived, each with its index; generation after generation", () =>
      withStore(async (store) => {
        let latest = 0
        for (let round = 0; round < 3; round++) {
          const generation = waits(await store.arrive(arrival(`a${round}`, 3)), 3)
          assert.isAbove(generation, latest)
          latest = generation
          assert.strictEqual(waits(await store.arrive(arrival(`b${round}`, 3)), 3), generation)
          assert.strictEqual(waits(await store.renew(of(`a${round}`)), 3), generation)
          passed(await store.arrive(arrival(`c${round}`, 3)), 2, 3)
          passed(await store.renew(of(`a${round}`)), 0, 3)
          passed(await store.renew(of(`b${round}`)), 1, 3)
        }
        // One party waits for nobody.
        passed(await store.arrive(arrival("alone", 1, "b")), 0, 1)
      }))

    it("an arrival that is repeated (its answer was lost) counts once, and hears what has become of it", () =>
      withStore(async (store) => {
        const generation = waits(await store.arrive(arrival("one")))
        assert.strictEqual(waits(await store.arrive(arrival("one"))), generation)
        passed(await store.arrive(arrival("two")), 1)
        passed(await store.arrive(arrival("one")), 0)
        passed(await store.arrive(arrival("two")), 1)
        // The next generation is not theirs.
        waits(await store.arrive(arrival("three")))
        passed(await store.arrive(arrival("two")), 1)
        passed(await store.renew(of("one")), 0)
      }))

    it("what has become of a party is remembered for twice its lease, also when its generation is long over", () =>
      withStore(async (store, advance) => {
        waits(await store.arrive(arrival("one")))
        passed(await store.arrive(arrival("two")), 1)
        await advance(lease + slack)
        passed(await store.renew(of("one")), 0)
        await advance(lease)
        unknown(await store.renew(of("one")))
        unknown(await store.renew(of("two")))
        unknown(await store.renew(of("nobody")))
      }))

    it("a party that is not heard of breaks the barrier when its lease ends: for those who wait, and for those who come", () =>
      withStore(async (store, advance) => {
        waits(await store.arrive(arrival("one", 3)), 3)
        await advance(lease / 2)
        waits(await store.arrive(arrival("two", 3)), 3)
        await advance(lease / 4)
        waits(await store.renew(of("two")), 3)
        assert.isFalse(await store.isBroken("a"))
        await advance(lease / 4 + 1)
        broken(await store.renew(of("two")))
        broken(await store.renew(of("one")))
        broken(await store.arrive(arrival("three", 3)))
        assert.isTrue(await store.isBroken("a"))
        await store.reset("a")
        waits(await store.arrive(arrival("four", 3)), 3)
        broken(await store.renew(of("two")))
      }))

    it("whoever would be the last does not pass without one whose lease has ended; and whoever only asks finds it out", () =>
      withStore(async (store, advance) => {
        waits(await store.arrive(arrival("one")))
        waits(await store.arrive(arrival("one", 2, "b")))
        await advance(lease)
        broken(await store.arrive(arrival("two")))
        assert.isTrue(await store.isBroken("b"))
      }))

    it("who renews is relied on", () =>
      withStore(async (store, advance) => {
        waits(await store.arrive(arrival("one")))
        for (let i = 0; i < 4; i++) {
          await advance(lease / 2)
          waits(await store.renew(of("one")))
        }
        passed(await store.arrive(arrival("two")), 1)
      }))

    it("who withdraws is not waited for, and its index is the next one's; indices are distinct", () =>
      withStore(async (store) => {
        for (const party of ["zero", "one", "two"]) waits(await store.arrive(arrival(party, 4)), 4)
        await store.withdraw({ ...of("one"), breaks: false })
        await store.withdraw({ ...of("zero"), breaks: false })
        unknown(await store.renew(of("one")))
        waits(await store.arrive(arrival("three", 4)), 4)
        waits(await store.arrive(arrival("four", 4)), 4)
        passed(await store.arrive(arrival("five", 4)), 3, 4)
        passed(await store.renew(of("two")), 2, 4)
        passed(await store.renew(of("three")), 0, 4)
        passed(await store.renew(of("four")), 1, 4)
      }))

    it("of many who withdrew, the lowest index comes first", () =>
      withStore(async (store) => {
        for (let i = 0; i < 22; i++) await store.arrive(arrival(`p${i}`, 23))
        for (const i of [21, 10, 1, 0, 11, 20]) await store.withdraw({ ...of(`p${i}`), breaks: false })
        const late = ["a", "b", "c", "d", "e", "f"]
        for (const party of late) waits(await store.arrive(arrival(party, 23)), 23)
        passed(await store.arrive(arrival("last", 23)), 22, 23)
        const answers = await Promise.all(late.map((party) => store.renew(of(party))))
        assert.deepStrictEqual(
          answers.map((answer) => (answer.kind === "passed" ? answer.index : NaN)),
          [0, 1, 10, 11, 20, 21]
        )
      }))

    it("who withdraws before the arrival comes (it was overtaken) does not arrive", () =>
      withStore(async (store) => {
        await store.withdraw({ ...of("one"), breaks: false })
        unknown(await store.arrive(arrival("one")))
        waits(await store.arrive(arrival("two")))
        await store.withdraw({ ...of("ghost"), breaks: true })
        waits(await store.renew(of("two")))
        unknown(await store.renew(of("ghost")))
        passed(await store.arrive(arrival("three")), 1)
      }))

    it("who withdraws with `breaks` before the arrival comes breaks the barrier when it does: once, and whoever waits hears of it", () =>
      withStore(async (store) => {
        let heard = 0
        const stop = await store.watch("a", () => void heard++)
        waits(await store.arrive(arrival("one", 3)), 3)
        await store.withdraw({ ...of("ghost"), breaks: true })
        assert.isFalse(await store.isBroken("a"))
        broken(await store.arrive(arrival("ghost", 3)))
        assert.isTrue(await store.isBroken("a"))
        broken(await store.renew(of("one")))
        broken(await store.arrive(arrival("two", 3)))
        await until("it is told", () => heard === 1)
        await store.reset("a")
        // Its arrival was put twice, for an answer was lost.
        broken(await store.arrive(arrival("ghost", 3)))
        broken(await store.renew(of("ghost")))
        await store.withdraw({ ...of("ghost"), breaks: true })
        assert.isFalse(await store.isBroken("a"))
        waits(await store.arrive(arrival("three", 3)), 3)
        stop()
      }))

    it("it does so also if nobody waits, if it is the last, and if the barrier is broken already; the number of parties is its own or theirs", () =>
      withStore(async (store) => {
        await store.withdraw({ ...of("ghost", "alone"), breaks: true })
        assert.deepStrictEqual(await store.arrive(arrival("ghost", 3, "alone")), { kind: "broken", parties: 3 })
        assert.isTrue(await store.isBroken("alone"))
        await store.withdraw({ ...of("ghost", "only"), breaks: true })
        broken(await store.arrive(arrival("ghost", 1, "only")))
        waits(await store.arrive(arrival("one")))
        await store.withdraw({ ...of("ghost"), breaks: true })
        assert.deepStrictEqual(await store.arrive(arrival("ghost", 5)), { kind: "broken", parties: 2 })
        broken(await store.renew(of("one")))
        await store.withdraw({ ...of("other"), breaks: true })
        broken(await store.arrive(arrival("other")))
        await store.reset("a")
        broken(await store.arrive(arrival("other")))
        assert.isFalse(await store.isBroken("a"))
      }))

    it("it is forgotten after twice its lease", () =>
      withStore(async (store, advance) => {
        await store.withdraw({ ...of("ghost"), breaks: true })
        await advance(2 * lease + slack)
        waits(await store.arrive(arrival("ghost")))
        assert.isFalse(await store.isBroken("a"))
      }))

    it("who withdraws when all have passed changes nothing; with `breaks`, those who wait are broken", () =>
      withStore(async (store) => {
        waits(await store.arrive(arrival("one")))
        passed(await store.arrive(arrival("two")), 1)
        await store.withdraw({ ...of("one"), breaks: true })
        assert.isFalse(await store.isBroken("a"))
        passed(await store.renew(of("one")), 0)
        waits(await store.arrive(arrival("three", 3)), 3)
        waits(await store.arrive(arrival("four", 3)), 3)
        await store.withdraw({ ...of("three"), breaks: true })
        broken(await store.renew(of("four")))
        broken(await store.arrive(arrival("five", 3)))
        assert.isTrue(await store.isBroken("a"))
      }))

    it("abort breaks it until a reset; a reset breaks only those who wait", () =>
      withStore(async (store) => {
        assert.isFalse(await store.isBroken("a"))
        waits(await store.arrive(arrival("one")))
        await store.abort("a")
        assert.isTrue(await store.isBroken("a"))
        broken(await store.renew(of("one")))
        broken(await store.arrive(arrival("two")))
        await store.reset("a")
        assert.isFalse(await store.isBroken("a"))
        waits(await store.arrive(arrival("three")))
        await store.reset("a")
        broken(await store.renew(of("three")))
        waits(await store.arrive(arrival("four")))
        passed(await store.arrive(arrival("five")), 1)
        assert.isFalse(await store.isBroken("b"))
      }))

    it("how many parties there are is said by the first who waits", () =>
      withStore(async (store) => {
        waits(await store.arrive(arrival("one", 3)), 3)
        waits(await store.arrive(arrival("two", 2)), 3)
        passed(await store.arrive(arrival("three", 5)), 2, 3)
        waits(await store.arrive(arrival("four", 2)))
        await store.withdraw({ ...of("four"), breaks: false })
        passed(await store.arrive(arrival("five", 1)), 0, 1)
      }))

    it("of many who come at the same time, as many generations pass as are full, with every index in each", () =>
      withStore(async (store) => {
        const parties = Array.from({ length: 20 }, (_, i) => `p${i}`)
        await Promise.all(parties.map((party) => store.arrive(arrival(party, 4))))
        const answers = await Promise.all(parties.map((party) => store.renew(of(party))))
        const indices = answers.map((answer) => (answer.kind === "passed" ? answer.index : NaN)).sort()
        assert.deepStrictEqual(
          indices,
          parties.map((_, i) => Math.floor(i / 5))
        )
      }))

    it("names have nothing to do with each other, whatever they are called", () =>
      withStore(async (store) => {
        for (const name of ["b", " ", "a:b", "{a}", "{", "}", "a}b", "a*", "__proto__", "ключ 🔑", "x".repeat(1000)]) {
          waits(await store.arrive(arrival("one", 2, name)))
          waits(await store.arrive(arrival("one", 2)))
          passed(await store.arrive(arrival("two", 2, name)), 1)
        }
      }))

    it("tells those who watch a name when all pass, and when it is broken: also by a lease that has ended, once somebody asks", () =>
      withStore(async (store, advance) => {
        const heard: Array<string> = []
        const stops = [
          await store.watch("a", () => heard.push("one")),
          await store.watch("a", () => heard.push("two")),
          await store.watch("b", () => heard.push("other"))
        ]
        waits(await store.arrive(arrival("one")))
        passed(await store.arrive(arrival("two")), 1)
        await until("both hear", () => heard.length === 2)
        assert.deepStrictEqual(heard.toSorted(), ["one", "two"])
        stops[0]!()
        stops[0]!()
        await store.abort("a")
        await until("the other one hears", () => heard.length >= 3)
        await store.reset("a")
        await until("it hears again", () => heard.length >= 4)
        waits(await store.arrive(arrival("three")))
        await advance(lease)
        assert.isTrue(await store.isBroken("a"))
        await until("it hears of the lease", () => heard.length >= 5)
        assert.isTrue(heard.slice(2).every((who) => who === "two"))
        for (const stop of stops) stop()
      }))
  })
}
