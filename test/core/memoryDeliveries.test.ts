import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import type { DeliveryStore } from "effect-concurrency/promise/distributed"
import type { Change, ExchangeRequest, Outcome } from "../../src/core/deliveries.js"
import { MemoryDeliveries } from "../../src/core/memoryDeliveries.js"
import { deliveryStoreLaws } from "../laws/DeliveryStore.js"

// What every store has to do.
deliveryStoreLaws({
  name: "the core in memory",
  open: async () => {
    const time = { at: 0, now: () => time.at }
    return {
      // It answers at once, and the laws wait for what it answers.
      store: new MemoryDeliveries(time) as unknown as DeliveryStore,
      advance: async (milliseconds) => void (time.at += milliseconds),
      settle: async () => {},
      close: async () => {}
    }
  }
})

/** Here is what only this one promises. */
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
      // Half of what is kept may be gone, and as much as is not worth while.
      const { fresh } = (store as any).queues.get("q").ready
      assert.isAtMost(fresh.length, 2 * (300 - i) + 34)
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

  it("a lease that is renewed lasts as long again from then, and whoever finds nothing is told when it ends", () => {
    const { exchange, offer, time } = make()
    offer("a")
    assert.strictEqual(exchange({ take: ["1"], lease: 100 }).retryAfter, Infinity)
    time.at = 60
    assert.deepEqual(exchange({ renew: ["1"], take: ["2"], lease: 100 }), {
      settled: [],
      renewed: [true],
      taken: [],
      retryAfter: 100,
      died: []
    })
    time.at = 159
    assert.deepEqual(exchange({ take: ["3"] }).taken, [])
    time.at = 160
    assert.deepInclude(exchange({ take: ["4"] }).taken[0], { delivery: "4", id: "a", attempt: 2 })
  })

  it("a delay is over at its time, neither before nor after", () => {
    const { exchange, offer, time } = make()
    offer("a")
    exchange({ take: ["1"] })
    exchange({ settle: [{ delivery: "1", outcome: { kind: "reject", delay: 50, reason: "" } }] })
    time.at = 49
    assert.deepInclude(exchange({ take: ["2"] }), { taken: [], retryAfter: 1 })
    time.at = 50
    assert.strictEqual(exchange({ take: ["3"] }).taken.length, 1)
  })

  it("an id that is known for a short time is free again while others are still known", () => {
    const { exchange, offer, store, time } = make()
    offer("long", "short")
    exchange({ take: ["1", "2"] })
    exchange({ settle: [acknowledge("1")], remember: 100 })
    exchange({ settle: [acknowledge("2")], remember: 10 })
    time.at = 9
    assert.deepEqual(offer("long", "short"), [false, false])
    time.at = 10
    assert.deepEqual(offer("long", "short"), [false, true])
    // As many items as known ids, and neither is forgotten for that.
    assert.strictEqual(store.counts("q").ready, 1)
    const stop = store.watch("q", () => {})
    store.check()
    stop()
    store.check()
    exchange({ take: ["3"] })
    exchange({ settle: [acknowledge("3")] })
    time.at = 100
    assert.deepEqual(offer("long", "short"), [true, true])
    store.check()
  })

  it("an id that nobody has chosen is not remembered", () => {
    const { exchange, store } = make()
    store.offer({ name: "q", items: [{ id: "a", payload: "", named: false }] })
    exchange({ take: ["1"] })
    exchange({ settle: [acknowledge("1")], remember: 100 })
    assert.strictEqual(store.size, 0)
  })

  it("nor one that is to be remembered for no time", () => {
    const { exchange, offer, store } = make()
    offer("a")
    exchange({ take: ["1"] })
    exchange({ settle: [acknowledge("1")] })
    assert.strictEqual(store.size, 0)
  })

  it("a dead letter says since when, and has no failures any more when it is delivered again", () => {
    const { exchange, offer, store, time } = make()
    offer("a", "b")
    exchange({ take: ["1", "2"] })
    time.at = 5
    exchange({
      settle: [
        { delivery: "1", outcome: { kind: "bury", reason: "why" } },
        { delivery: "2", outcome: { kind: "reject", delay: 0, reason: "no" } }
      ],
      attempts: 1
    })
    assert.deepEqual(store.deadLetters("q", 10), [
      { id: "a", payload: "a", attempts: 1, reason: "why", since: 5 },
      { id: "b", payload: "b", attempts: 1, reason: "no", since: 5 }
    ])
    assert.strictEqual(store.requeue({ name: "q", ids: ["b", "b"] }), 1)
    store.check()
    assert.deepInclude(exchange({ take: ["3"] }).taken[0], { id: "b", attempt: 1 })
    assert.strictEqual(store.purge({ name: "q" }), 1)
    store.check()
  })

  it("who watches hears of what has changed, and of nothing else", () => {
    const { exchange, offer, store } = make()
    const changes: Array<Change> = []
    store.watch("q", (change) => changes.push(change))
    const heard = () => changes.splice(0)
    exchange({ take: ["0"] })
    assert.deepEqual(heard(), [])
    offer("a")
    assert.deepEqual(heard(), ["ready"])
    offer("b", "c")
    assert.deepEqual(heard(), [])
    exchange({ take: ["1", "2", "3"] })
    assert.deepEqual(heard(), [])
    const reject = (delivery: string, delay: number) =>
      exchange({ settle: [{ delivery, outcome: { kind: "reject", delay, reason: "" } }] })
    reject("1", 50)
    assert.deepEqual(heard(), ["ready"])
    // The other is over before.
    reject("2", 60)
    assert.deepEqual(heard(), [])
    // Without a delay it is ready, and not only later.
    reject("3", 0)
    assert.deepEqual(heard(), ["ready"])
    assert.deepEqual(store.counts("q"), { ready: 1, delayed: 2, leased: 0, dead: 0 })
    store.check()
  })

  it("I2: check finds what is not in its place", () => {
    const broken = (change: (queue: any, store: any) => void) => {
      const { exchange, offer, store } = make()
      offer("ready", "leased", "delayed", "dead", "fresh")
      exchange({ take: ["1", "2", "3", "4"] })
      exchange({
        settle: [
          { delivery: "1", outcome: { kind: "return" } },
          { delivery: "3", outcome: { kind: "reject", delay: 50, reason: "" } },
          { delivery: "4", outcome: { kind: "bury", reason: "" } }
        ]
      })
      store.check()
      const inside = store as any
      change(inside.queues.get("q"), inside)
      let message = "nothing"
      try {
        store.check()
      } catch (error) {
        message = (error as Error).message
      }
      return message
    }
    assert.strictEqual(
      broken(({ items }) => items.delete("dead")),
      "I1: 4 items, and 5 places"
    )
    assert.strictEqual(
      broken(({ dead }) => dead.clear()),
      "I1: 5 items, and 4 places"
    )
    for (const id of ["ready", "leased", "delayed", "dead"]) {
      assert.strictEqual(
        broken(({ items }) => (items.get(id).status = "gone")),
        `I1: ${id} is ${id}, and says gone`
      )
      assert.strictEqual(
        broken(({ items }) => items.set(id, { ...items.get(id) })),
        `I1: ${id} is ${id}, and says ${id}`
      )
    }
    assert.strictEqual(
      broken(({ leased }) => leased.heap.pop()),
      "I1: 1 deliveries, 0 leases"
    )
    assert.match(
      broken(({ leased }) => (leased.heap[0].place = 7)),
      /^I1: a timer at 0/
    )
    assert.match(
      broken(({ delayed }) => (delayed.heap[0].place = 7)),
      /^I1: a timer at 0/
    )
    // Each time with as many items as places.
    assert.strictEqual(
      broken(({ items, ready }) => {
        ready.push(items.get("ready"))
        items.set("one more", items.get("ready"))
      }),
      "I2: ready is ready before its turn, or twice"
    )
    assert.strictEqual(
      broken(({ items, ready }) => {
        ready.push(items.get("fresh"))
        items.set("one more", items.get("fresh"))
      }),
      "I2: fresh is ready before its turn, or twice"
    )
    assert.strictEqual(
      broken((_, store) => store.queue("other")),
      "I3: there is nothing about other"
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
