import { assert, describe, it } from "@effect/vitest"
import type { Change, Counts, ExchangeAnswer, ExchangeRequest, Outcome } from "../../src/core/deliveries.js"
import { settings } from "../../src/core/deliveries.js"
import { Deliverer, type Port } from "../../src/core/deliverer.js"
import type { Held, Note, Request, Result, Verdict } from "../../src/core/deliveryLine.js"
import type * as lookout from "../../src/core/lookout.js"
import { MemoryDeliveries } from "../../src/core/memoryDeliveries.js"
import { Timekeeper } from "../../src/core/timekeeper.js"
import { Jumps } from "../utils/clocks.js"
import { TestTicket, ticketsOf } from "../utils/tickets.js"

class Waiter extends TestTicket<Request, Result> {}
class Judge extends TestTicket<undefined, Verdict> {}
class Joiner extends TestTicket<undefined, lookout.Result> {}

interface Watch {
  readonly name: string
  readonly changed: (change: Change) => void
  readonly watching: () => void
  readonly over: () => void
  stopped: boolean
}

/** A store that is reached when the test says so, and what it was asked. */
class Hand implements Port {
  readonly clock = new Jumps(0)
  readonly store = new MemoryDeliveries(this.clock)
  readonly deliverer: Deliverer
  readonly asked: Array<ExchangeRequest> = []
  readonly notes: Array<Note> = []
  readonly watches: Array<Watch> = []
  passes = true
  counted = 0
  private answers: Array<{ readonly answer: () => void; readonly fail: (failure: unknown) => void }> = []

  constructor(lease = 1000) {
    this.deliverer = new Deliverer(settings("test", { name: "q", lease, poll: 400 }), this, new Timekeeper(this.clock))
  }

  exchange(request: ExchangeRequest, answer: (answer: ExchangeAnswer) => void, fail: (failure: unknown) => void): void {
    this.asked.push(request)
    this.answers.push({ answer: () => answer(this.store.exchange(request)), fail })
  }

  counts(name: string, answer: (counts: Counts) => void, fail: (failure: unknown) => void): void {
    this.counted++
    this.answers.push({ answer: () => answer(this.store.counts(name)), fail })
  }

  watch(name: string, changed: Watch["changed"], watching: () => void, over: () => void): () => void {
    const watch: Watch = { name, changed, watching, over, stopped: false }
    this.watches.push(watch)
    return () => void (watch.stopped = true)
  }

  isPassing(): boolean {
    return this.passes
  }

  errorOf(failure: unknown): unknown {
    return failure
  }

  report(note: Note): void {
    this.notes.push(note)
  }

  random(): number {
    return 1
  }

  unique(): string {
    return "me"
  }

  get unanswered(): number {
    return this.answers.length
  }

  answer(): void {
    this.answers.shift()!.answer()
  }

  fail(failure: unknown): void {
    this.answers.shift()!.fail(failure)
  }

  offer(...ids: ReadonlyArray<string>): void {
    this.store.offer({ name: "q", items: ids.map((id) => ({ id, payload: id, named: false })) })
  }

  wait(patient = true): Waiter {
    const ticket = new Waiter({ patient }, 0)
    this.deliverer.enqueue(ticket)
    return ticket
  }

  take(): Held {
    const ticket = this.wait()
    this.answer()
    assert.strictEqual(ticket.wakes, 1)
    return heldOf(ticket)
  }

  join(): Joiner {
    const ticket = new Joiner(undefined, 0)
    this.deliverer.join(ticket)
    return ticket
  }

  /** Until the next timer. */
  jump(): number {
    assert.isTrue(this.clock.jump(Infinity), "no timer is set")
    return this.clock.time
  }
}

const heldOf = ({ result }: Waiter): Held => {
  if (result?.kind !== "given") throw new Error(`nothing was given: ${result?.kind}`)
  return result.held
}
const acknowledge: Outcome = { kind: "acknowledge" }

describe("a queue that a store keeps, on a clock", () => {
  it("asks for who waits, under names that nobody else makes, and wakes him with what comes", () => {
    const hand = new Hand()
    hand.offer("a", "b")
    const [one, two] = [hand.wait(), hand.wait()]
    assert.deepEqual(
      hand.asked.map(({ take }) => take),
      [["me:0"]]
    )
    hand.answer()
    hand.answer()
    assert.deepEqual(
      [one!, two!].map((ticket) => [heldOf(ticket).given.id, ticket.wakes]),
      [
        ["a", 1],
        ["b", 1]
      ]
    )
    assert.deepEqual(
      hand.asked.map(({ take }) => take),
      [["me:0"], ["me:1"]]
    )
    // Short ones: they travel with each question.
    hand.offer(...Array.from({ length: 40 }, (_, i) => `${i}`))
    for (let i = 2; i < 37; i++) hand.take()
    assert.deepEqual(hand.asked.at(-1)!.take, ["me:10"])
    assert.deepEqual(hand.deliverer.stats(), { waiting: 0, held: 37, settling: 0, watching: false })
    assert.isFrozen(hand.deliverer.stats())
  })

  it("settles and asks for the next in one question: half the round trips for who consumes", () => {
    const hand = new Hand()
    hand.offer("a", "b")
    const held = hand.take()
    const next = new Waiter({ patient: true }, 0)
    const waiting = new Judge(undefined, 0)
    hand.deliverer.settle(held, acknowledge, { waiting, next })
    assert.strictEqual(hand.unanswered, 1)
    assert.deepInclude(hand.asked[1], { settle: [{ delivery: "me:0", outcome: acknowledge }], take: ["me:1"] })
    hand.answer()
    assert.deepEqual([waiting.wakes, waiting.result], [1, { kind: "settled" }])
    assert.strictEqual(heldOf(next).given.id, "b")
  })

  it("settles for whoever does not wait for it, and tells with which cause it was buried", () => {
    const hand = new Hand()
    hand.offer("a", "b")
    hand.deliverer.settle(hand.take(), acknowledge)
    hand.answer()
    hand.deliverer.settle(hand.take(), { kind: "bury", reason: "why" }, { cause: "the cause" })
    hand.answer()
    assert.deepEqual(hand.notes, [{ kind: "buried", id: "b", reason: "why", cause: "the cause" }])
  })

  it("renews what is in hand, and keeps nobody awake when nothing is", () => {
    const hand = new Hand()
    hand.offer("a")
    const held = hand.take()
    assert.strictEqual(hand.clock.size, 1)
    assert.closeTo(hand.jump(), 333, 1)
    assert.deepEqual(hand.asked[1]!.renew, ["me:0"])
    hand.answer()
    hand.deliverer.settle(held, acknowledge)
    hand.answer()
    assert.strictEqual(hand.clock.size, 0)
    assert.strictEqual(hand.unanswered, 0)
  })

  it("the timer rings for what is due first", () => {
    const hand = new Hand(3000)
    hand.offer("a")
    hand.take()
    // The lease alone: a third of it.
    const waiter = hand.wait()
    hand.answer()
    assert.strictEqual(hand.jump(), 400)
    assert.deepEqual(hand.asked.at(-1)!.take, ["me:2"])
    hand.deliverer.cancel(waiter)
    hand.answer()
    // It may ring in vain, and not late.
    while (hand.unanswered === 0) hand.jump()
    assert.closeTo(hand.clock.time, 1000, 1)
  })

  it("tells a failure that passes only to who is not patient, and any other to everybody", () => {
    const hand = new Hand()
    const patient = hand.wait(true)
    hand.fail("down")
    assert.isFalse(patient.settled)
    assert.deepEqual(hand.notes, [{ kind: "outage", failure: "down" }])
    const other = hand.wait(false)
    hand.passes = false
    hand.fail("wrong type")
    for (const { result, wakes } of [patient, other]) {
      assert.deepEqual([wakes, result], [1, { kind: "failed", failure: "wrong type" }])
    }
  })

  it("what was given to who is gone goes back at once", () => {
    const hand = new Hand()
    hand.offer("a")
    const ticket = hand.wait()
    hand.answer()
    assert.deepEqual(ticketsOf(hand.deliverer.cancel(ticket)), [])
    hand.answer()
    assert.deepEqual(hand.store.counts("q"), { ready: 1, delayed: 0, leased: 0, dead: 0 })
  })

  it("a flush ends when the store has heard of what was settled", () => {
    const hand = new Hand()
    hand.offer("a")
    const flush = () => new TestTicket<undefined, undefined>(undefined, 0)
    const [early, late] = [flush(), flush()]
    assert.deepEqual(ticketsOf(hand.deliverer.flush(early)), [early])
    hand.deliverer.settle(hand.take(), acknowledge)
    assert.deepEqual(ticketsOf(hand.deliverer.flush(late)), [])
    hand.answer()
    assert.strictEqual(late.wakes, 1)
  })

  it("a lease whose time is over is found lost by who looks, and told", () => {
    const hand = new Hand()
    hand.offer("a")
    const held = hand.take()
    // As if the process had been stopped: its timers are late.
    hand.clock.time = 2000
    hand.deliverer.look(held)
    assert.strictEqual(held.loss!.reason, "expired")
    assert.deepEqual(hand.notes, [{ kind: "lost", id: "a", loss: held.loss! }])
  })

  describe("watches the store", () => {
    const asleep = () => {
      const hand = new Hand()
      const waiter = hand.wait()
      assert.deepEqual(hand.watches, [])
      hand.answer()
      const [watch] = hand.watches
      return { hand, waiter, watch: watch! }
    }

    it("while somebody sleeps; what was ready before it did is not missed, nor what it tells", () => {
      const { hand, waiter, watch } = asleep()
      assert.strictEqual(watch.name, "q")
      assert.isFalse(hand.deliverer.stats().watching)
      // Offered before the store could tell.
      hand.offer("a")
      watch.watching()
      assert.isTrue(hand.deliverer.stats().watching)
      assert.strictEqual(hand.unanswered, 1)
      hand.answer()
      assert.strictEqual(heldOf(waiter).given.id, "a")
      const next = hand.wait()
      hand.answer()
      hand.offer("b")
      watch.changed("ready")
      hand.answer()
      assert.strictEqual(heldOf(next).given.id, "b")
      assert.strictEqual(hand.watches.length, 1)
      assert.isFalse(watch.stopped)
    })

    it("and is not asked for nothing: that nothing is left is no news for who waits for an item", () => {
      const { hand, watch } = asleep()
      watch.changed("idle")
      assert.strictEqual(hand.unanswered, 0)
      watch.changed(undefined)
      assert.strictEqual(hand.unanswered, 1)
    })

    it("until nobody needs it, and not again for what that watch says later", () => {
      const { hand, waiter, watch } = asleep()
      watch.watching()
      hand.answer()
      hand.deliverer.cancel(waiter)
      assert.isTrue(watch.stopped)
      assert.isFalse(hand.deliverer.stats().watching)
      assert.strictEqual(hand.clock.size, 0)
      watch.changed(undefined)
      watch.watching()
      assert.isFalse(hand.deliverer.stats().watching)
      hand.wait()
      hand.answer()
      assert.strictEqual(hand.watches.length, 2)
      const asked = hand.asked.length
      // The first one's words do not end the second.
      watch.over()
      watch.changed("ready")
      watch.watching()
      assert.isFalse(hand.deliverer.stats().watching)
      assert.strictEqual(hand.asked.length, asked)
      hand.watches[1]!.watching()
      assert.isTrue(hand.deliverer.stats().watching)
      hand.answer()
      assert.strictEqual(hand.watches.length, 2)
    })

    it("again, when a watch is over that was needed: the next who goes to sleep tries", () => {
      const { hand, watch } = asleep()
      watch.watching()
      hand.answer()
      watch.over()
      assert.isFalse(hand.deliverer.stats().watching)
      watch.watching()
      assert.isFalse(hand.deliverer.stats().watching)
      assert.strictEqual(hand.watches.length, 1)
      hand.jump()
      hand.answer()
      assert.strictEqual(hand.watches.length, 2)
    })

    it("while what it has in hand goes on, although nobody sleeps", () => {
      const { hand, watch, waiter } = asleep()
      hand.offer("a")
      watch.changed("ready")
      hand.answer()
      assert.isFalse(watch.stopped)
      hand.deliverer.settle(heldOf(waiter), acknowledge)
      assert.isFalse(watch.stopped)
      hand.answer()
      assert.isTrue(watch.stopped)
    })
  })

  describe("join", () => {
    it("is told when nothing is left to be done", () => {
      const hand = new Hand()
      const joiner = hand.join()
      assert.isFalse(joiner.settled)
      hand.answer()
      assert.deepEqual([joiner.wakes, joiner.result], [1, { kind: "so" }])
      assert.strictEqual(hand.clock.size, 0)
      assert.deepEqual(hand.watches, [])
    })

    it("asks again when the store says that nothing is left, and not when something is ready", () => {
      const hand = new Hand()
      hand.offer("a")
      const joiner = hand.join()
      hand.answer()
      const [watch] = hand.watches
      watch!.watching()
      hand.answer()
      assert.strictEqual(hand.counted, 2)
      watch!.changed("ready")
      assert.strictEqual(hand.unanswered, 0)
      hand.store.exchange({ ...request, take: ["x"] })
      hand.store.exchange({ ...request, settle: [{ delivery: "x", outcome: acknowledge }] })
      watch!.changed("idle")
      hand.answer()
      assert.strictEqual(joiner.wakes, 1)
      assert.isTrue(watch!.stopped)
      assert.strictEqual(hand.clock.size, 0)
    })

    it("asks again after the time of a poll, for what the store says may be lost", () => {
      const hand = new Hand()
      hand.offer("a")
      const joiner = hand.join()
      hand.answer()
      assert.strictEqual(hand.jump(), 400)
      assert.strictEqual(hand.counted, 2)
      hand.answer()
      assert.isFalse(joiner.settled)
    })

    it("is told of a failure", () => {
      const hand = new Hand()
      const joiner = hand.join()
      hand.fail("down")
      assert.deepEqual([joiner.wakes, joiner.result], [1, { kind: "failed", failure: "down" }])
    })

    it("who has gone is not asked for any more, and the watch ends with him", () => {
      const hand = new Hand()
      hand.offer("a")
      const joiner = hand.join()
      hand.answer()
      assert.deepEqual(ticketsOf(hand.deliverer.cancelJoin(joiner)), [])
      assert.strictEqual(hand.clock.size, 0)
      assert.isTrue(hand.watches[0]!.stopped)
    })
  })
})

const request: ExchangeRequest = {
  name: "q",
  settle: [],
  renew: [],
  take: [],
  lease: 1000,
  attempts: 3,
  remember: 0
}
