import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import type { ExchangeRequest, Outcome } from "../../src/core/deliveries.js"
import { MemoryDeliveries } from "../../src/core/memoryDeliveries.js"

/** What a store has to do is in `test/laws/DeliveryStore.ts`. Here is what only this one promises. */
describe("deliveries in memory", () => {
  const make = () => {
    const time = { at: 0, now: () => time.at }
    const store = new MemoryDeliveries(time)
    const exchange = (more: Partial<ExchangeRequest>) =>
      store.exchange({ name: "q", settle: [], renew: [], take: [], lease: 1000, attempts: 3, remember: 0, ...more })
    const offer = (...ids: ReadonlyArray<string>) =>
      store.offer({ name: "q", items: ids.map((id) => ({ id, payload: id, named: true })) })
    return { time, store, exchange, offer }
  }
  const acknowledge = (delivery: string) => ({ delivery, outcome: { kind: "acknowledge" } as const })

  it("I3: keeps nothing of a queue that is empty, once no id is known and nobody watches", () => {
    const { exchange, offer, store, time } = make()
    offer("a")
    exchange({ take: ["1"] })
    exchange({ settle: [acknowledge("1")], remember: 100 })
    assert.strictEqual(store.size, 1)
    time.at = 100
    exchange({})
    assert.strictEqual(store.size, 0)
    const stop = store.watch("q", () => {})
    assert.strictEqual(store.size, 1)
    stop()
    stop()
    assert.strictEqual(store.size, 0)
    assert.deepEqual(store.counts("q"), { ready: 0, delayed: 0, leased: 0, dead: 0 })
    assert.deepEqual(store.deadLetters("q", 1), [])
    assert.strictEqual(store.size, 0)
  })

  it("a function that watches twice is told twice, and each ends by itself", () => {
    const { offer, store } = make()
    let told = 0
    const watcher = () => void told++
    const [one, two] = [store.watch("q", watcher), store.watch("q", watcher)]
    offer("a")
    assert.strictEqual(told, 2)
    one!()
    one!()
    store.exchange({ ...nothing, take: ["1"] })
    store.exchange({ ...nothing, settle: [{ delivery: "1", outcome: { kind: "return" } }] })
    assert.strictEqual(told, 3)
    two!()
  })

  it("I2: a long queue that is worked off lets go of what is gone, and keeps the order of what comes back", () => {
    const { exchange, offer, store } = make()
    const ids = Array.from({ length: 300 }, (_, i) => `${i}`)
    offer(...ids)
    const taken: Array<string> = []
    for (let i = 0; i < 300; i++) {
      const [given] = exchange({ take: [`a${i}`] }).taken
      // Every other one is given back once.
      if (i % 2 === 0) {
        exchange({ settle: [{ delivery: `a${i}`, outcome: { kind: "return" } }] })
        assert.strictEqual(exchange({ take: [`b${i}`] }).taken[0]!.id, given!.id)
      }
      taken.push(given!.id)
      store.check()
    }
    assert.deepEqual(taken, ids)
  })

  it("I1 I4: whatever is done, each item is in one place, and tokens grow", () => {
    const outcome = fc.constantFrom<Outcome>(
      { kind: "acknowledge" },
      { kind: "return" },
      { kind: "reject", delay: 0, reason: "" },
      { kind: "reject", delay: 50, reason: "" },
      { kind: "bury", reason: "" }
    )
    const step = fc.oneof(
      fc.record({ kind: fc.constant("offer" as const), id: fc.nat(6) }),
      fc.record({ kind: fc.constant("take" as const), n: fc.nat(3) }),
      fc.record({ kind: fc.constant("settle" as const), delivery: fc.nat(10), outcome }),
      fc.record({ kind: fc.constant("renew" as const), delivery: fc.nat(10) }),
      fc.record({ kind: fc.constant("advance" as const), by: fc.nat(60) }),
      fc.record({ kind: fc.constantFrom("requeue" as const, "purge" as const) })
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { exchange, offer, store, time } = make()
        let count = 0
        let token = 0
        for (const each of steps) {
          if (each.kind === "offer") offer(`${each.id}`)
          if (each.kind === "take") {
            const { taken } = exchange({ take: Array.from({ length: each.n }, () => `${count++}`), lease: 100 })
            for (const given of taken) {
              assert.isAbove(given.token, token)
              token = given.token
            }
          }
          if (each.kind === "settle") {
            exchange({ settle: [{ delivery: `${each.delivery}`, outcome: each.outcome }], remember: 30 })
          }
          if (each.kind === "renew") exchange({ renew: [`${each.delivery}`], lease: 100 })
          if (each.kind === "advance") time.at += each.by
          if (each.kind === "requeue") store.requeue({ name: "q" })
          if (each.kind === "purge") store.purge({ name: "q" })
          store.check()
        }
      })
    )
  })

  const nothing: ExchangeRequest = {
    name: "q",
    settle: [],
    renew: [],
    take: [],
    lease: 1000,
    attempts: 3,
    remember: 0
  }
})
