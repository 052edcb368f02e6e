import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import * as deliveries from "../../src/core/deliveries.js"
import * as core from "../../src/core/deliveryLine.js"
import { LeaseLost } from "../../src/core/lease.js"
import { MemoryDeliveries } from "../../src/core/memoryDeliveries.js"
import { StoreError } from "../../src/core/storeError.js"
import { TestTicket, ticketsOf } from "../utils/tickets.js"

class Waiter extends TestTicket<core.Request, core.Result> {}
class Judge extends TestTicket<undefined, core.Verdict> {}

const failure = new Error("no store")

/** The line as a queue on a clock uses it, over a store in memory that answers when it is told to. */
class Machine {
  readonly settings: deliveries.Settings
  readonly state: core.State
  readonly store: MemoryDeliveries
  now = 0
  count = 0
  offers = 0
  random = 1
  /** What is in flight. */
  asked: core.Question | undefined = undefined
  questions = 0
  readonly notes: Array<core.Note> = []

  constructor(options: Partial<deliveries.Options> = {}) {
    this.settings = deliveries.settings("test", { name: "q", lease: 1000, attempts: 3, poll: 400, ...options })
    this.state = core.make(this.settings)
    this.store = new MemoryDeliveries({ now: () => this.now })
  }

  /** What a deliverer does after each transition. */
  done(done: core.Done): void {
    const question = core.due(this.state, this.now, () => `d${this.count++}`, done)
    core.check(this.state)
    if (question !== undefined) {
      assert.isUndefined(this.asked, "I1: two questions")
      this.asked = question
      this.questions++
    }
    for (const ticket of ticketsOf(done.chain)) ticket.wake()
    this.notes.push(...done.notes)
  }

  wait(patient = false): Waiter {
    const ticket = new Waiter({ patient }, 0)
    core.enqueue(this.state, ticket, this.now)
    this.done(new core.Done())
    return ticket
  }

  offer(n = 1): void {
    const items = Array.from({ length: n }, () => `i${this.offers++}`)
    this.store.offer({ name: "q", items: items.map((id) => ({ id, payload: id, named: false })) })
  }

  /** The store hears the question; its answer comes later. */
  hear(): () => void {
    const { request } = this.asked!
    const answer = core.checkAnswer(request, this.store.exchange(request))
    return () => {
      this.asked = undefined
      this.done(core.answered(this.state, answer, this.now, () => this.random))
    }
  }

  answer(): void {
    this.hear()()
  }

  fail(passing = true, heard = false): void {
    if (heard) this.hear()
    this.asked = undefined
    this.done(core.failed(this.state, failure, passing, this.now, () => this.random))
  }

  advance(milliseconds: number): void {
    this.now += milliseconds
    this.done(new core.Done())
  }

  /** As the timer would: to the next time that the line wants to be looked at. */
  sleep(): void {
    const at = core.wakeAt(this.state)
    assert.isBelow(at, Infinity)
    this.advance(Math.max(0, at - this.now))
  }

  settle(held: core.Held, outcome: deliveries.Outcome, judge?: Judge): void {
    this.done(core.settleWith(this.state, held, outcome, this.now, judge))
  }

  cancel(ticket: Waiter): void {
    this.done(core.cancel(this.state, ticket, this.now))
  }

  /** Takes an item that is there. */
  take(): core.Held {
    const ticket = this.wait()
    this.answer()
    return heldOf(ticket)
  }

  counts(): ReadonlyArray<number> {
    const { dead, delayed, leased, ready } = this.store.counts("q")
    return [ready, delayed, leased, dead]
  }
}

const heldOf = ({ result }: Waiter): core.Held => {
  if (result?.kind !== "given") throw new Error(`nothing was given: ${result?.kind}`)
  return result.held
}
const idOf = (ticket: Waiter) => heldOf(ticket).given.id
const acknowledge: deliveries.Outcome = { kind: "acknowledge" }
const giveBack: deliveries.Outcome = { kind: "return" }
const reject: deliveries.Outcome = { kind: "reject", delay: 0, reason: "no" }

describe("the line at a queue", () => {
  it("I1 I3: asks once for all who are there, and hands out in order of arrival", () => {
    const machine = new Machine()
    machine.offer(3)
    const all = [machine.wait(), machine.wait(), machine.wait()]
    assert.strictEqual(machine.asked!.request.take.length, 1)
    machine.answer()
    assert.strictEqual(machine.asked!.request.take.length, 2)
    machine.answer()
    assert.deepEqual(all.map(idOf), ["i0", "i1", "i2"])
    assert.strictEqual(machine.questions, 2)
    assert.deepEqual(core.stats(machine.state), { waiting: 0, held: 3, settling: 0 })
  })

  it("asks for no more at a time than fit", () => {
    const machine = new Machine()
    machine.offer(250)
    const all = Array.from({ length: 250 }, () => machine.wait())
    while (machine.asked !== undefined) {
      assert.isAtMost(machine.asked.request.take.length, core.most.take)
      machine.answer()
    }
    assert.deepEqual(
      all.map(idOf),
      all.map((_, i) => `i${i}`)
    )
  })

  it("I6: what is settled and what is taken go in one question, in that order", () => {
    const machine = new Machine()
    machine.offer(2)
    const held = machine.take()
    const next = new Waiter({ patient: true }, 0)
    const done = core.settleWith(machine.state, held, acknowledge, machine.now)
    core.enqueue(machine.state, next, machine.now)
    machine.done(done)
    assert.deepInclude(machine.asked!.request, {
      settle: [{ delivery: "d0", outcome: acknowledge }],
      take: ["d1"]
    })
    machine.answer()
    assert.strictEqual(idOf(next), "i1")
    assert.deepEqual(machine.counts(), [0, 0, 1, 0])
  })

  it("I5: sleeps while there is nothing: for a poll at most, or until the store says when, or that something has changed", () => {
    const machine = new Machine()
    const ticket = machine.wait()
    assert.isFalse(core.wantsWatch(machine.state, machine.now))
    machine.answer()
    assert.isTrue(core.wantsWatch(machine.state, machine.now))
    assert.strictEqual(core.wakeAt(machine.state), 400)
    machine.advance(399)
    assert.isUndefined(machine.asked)
    machine.advance(1)
    machine.random = 0
    machine.answer()
    assert.strictEqual(core.wakeAt(machine.state), 400 + 300)

    machine.advance(100)
    machine.offer()
    core.changed(machine.state, machine.now)
    machine.done(new core.Done())
    machine.answer()
    assert.strictEqual(idOf(ticket), "i0")

    machine.wait()
    machine.answer()
    // The lease of the other ends, but a poll comes sooner.
    assert.strictEqual(core.wakeAt(machine.state), machine.now + 300)
    machine.settle(heldOf(ticket), { kind: "reject", delay: 50, reason: "" })
    machine.answer()
    assert.strictEqual(core.wakeAt(machine.state), machine.now + 50)
  })

  it("I5: a change that the store told while a question was in flight is looked at", () => {
    const machine = new Machine()
    const ticket = machine.wait()
    const answered = machine.hear()
    machine.offer()
    core.changed(machine.state, machine.now)
    machine.done(new core.Done())
    answered()
    machine.answer()
    assert.strictEqual(idOf(ticket), "i0")
  })

  it("who comes while others sleep sleeps too; who comes when nobody does asks", () => {
    const machine = new Machine()
    const first = machine.wait()
    machine.answer()
    machine.wait()
    assert.isUndefined(machine.asked)
    machine.cancel(first)
    assert.isUndefined(machine.asked)
    machine.advance(400)
    assert.strictEqual(machine.asked!.request.take.length, 1)
  })

  it('a store that says "now", and has nothing, is not asked without end', () => {
    const machine = new Machine()
    machine.wait()
    machine.asked = undefined
    const nothing = { settled: [], renewed: [], taken: [], died: [], retryAfter: 0 }
    machine.done(core.answered(machine.state, nothing, machine.now, () => 1))
    assert.isUndefined(machine.asked)
    assert.strictEqual(core.wakeAt(machine.state), 1)
  })

  describe("whoever is gone", () => {
    it("leaves the line, and nobody asks for him", () => {
      const machine = new Machine()
      machine.wait()
      machine.answer()
      machine.cancel([...machine.state.waiting.lanes].map(({ next }) => next as Waiter)[0]!)
      machine.advance(1000)
      assert.isUndefined(machine.asked)
      assert.isTrue(core.isIdle(machine.state))
    })

    it("I3: while the store is asked: what comes is the next one's", () => {
      const machine = new Machine()
      machine.offer()
      const first = machine.wait()
      const second = machine.wait()
      machine.cancel(first)
      machine.answer()
      assert.strictEqual(idOf(second), "i0")
    })

    it("I3: and if there is no next one, it goes back, at once and uncounted", () => {
      const machine = new Machine()
      machine.offer()
      machine.cancel(machine.wait())
      machine.answer()
      assert.deepEqual(machine.asked!.request.settle, [{ delivery: "d0", outcome: giveBack }])
      machine.answer()
      assert.deepEqual(machine.counts(), [1, 0, 0, 0])
      assert.strictEqual(machine.take().given.attempt, 1)
      assert.deepEqual(machine.notes, [])
    })

    it("in the tick of the delivery: it goes back", () => {
      const machine = new Machine()
      machine.offer()
      const ticket = machine.wait()
      machine.answer()
      machine.cancel(ticket)
      machine.answer()
      assert.deepEqual(machine.counts(), [1, 0, 0, 0])
      // Twice is once.
      machine.cancel(ticket)
      assert.isUndefined(machine.asked)
    })

    it("after his failure has nothing to give back", () => {
      const machine = new Machine()
      const ticket = machine.wait()
      machine.fail()
      assert.deepEqual(ticket.result, { kind: "failed", failure })
      machine.cancel(ticket)
      assert.isTrue(core.isIdle(machine.state) || machine.state.settling.length === 1)
    })
  })

  describe("a delivery", () => {
    it("I2: is settled once; whoever does it again is told that it is", () => {
      const machine = new Machine()
      machine.offer()
      const held = machine.take()
      const [one, two] = [new Judge(undefined, 0), new Judge(undefined, 0)]
      machine.settle(held, acknowledge, one)
      machine.settle(held, reject, two)
      assert.deepEqual([one.result, two.result], [undefined, { kind: "settled" }])
      machine.answer()
      assert.deepEqual(one.result, { kind: "settled" })
      assert.deepEqual(machine.counts(), [0, 0, 0, 0])
      assert.isTrue(held.over.isSet)
    })

    it("that is buried is told, with what it failed with", () => {
      const machine = new Machine({ attempts: 1 })
      machine.offer(2)
      machine.done(core.settleWith(machine.state, machine.take(), reject, machine.now, undefined, failure))
      machine.answer()
      const judge = new Judge(undefined, 0)
      machine.settle(machine.take(), { kind: "bury", reason: "unreadable" }, judge)
      machine.answer()
      assert.deepEqual(machine.notes, [
        { kind: "buried", id: "i0", reason: "no", cause: failure },
        { kind: "buried", id: "i1", reason: "unreadable", cause: undefined }
      ])
      assert.deepEqual(judge.result, { kind: "settled" })
    })

    it("whose lease was somebody's last attempt is told when it is found dead", () => {
      const machine = new Machine({ attempts: 1 })
      machine.offer()
      const held = machine.take()
      machine.now += 1000
      machine.wait()
      machine.answer()
      assert.deepEqual(
        machine.notes.map(({ kind }) => kind),
        ["lost", "buried"]
      )
      assert.strictEqual(held.loss!.reason, "expired")
    })

    it("is renewed every third of its lease, all that is in hand in one question", () => {
      const machine = new Machine()
      machine.offer(2)
      const [one, two] = [machine.take(), machine.take()]
      assert.closeTo(core.wakeAt(machine.state), 333, 1)
      for (let i = 1; i < 10; i++) {
        machine.sleep()
        assert.closeTo(machine.now, (i * 1000) / 3, 1)
        assert.deepEqual(machine.asked!.request.renew, ["d0", "d1"])
        machine.answer()
      }
      assert.deepEqual([one!.status, two!.status], ["held", "held"])
    })

    it("I2: is lost when the store does not know it: whoever works on it hears of it, and it is told", () => {
      const machine = new Machine()
      machine.offer()
      const held = machine.take()
      machine.store.exchange({ ...ask, settle: [{ delivery: "d0", outcome: giveBack }] })
      machine.sleep()
      machine.answer()
      assert.isTrue(held.over.isSet)
      assert.strictEqual(held.loss!.reason, "unknown to the store")
      assert.deepEqual(machine.notes, [{ kind: "lost", id: "i0", loss: held.loss! }])
      const judge = new Judge(undefined, 0)
      machine.settle(held, acknowledge, judge)
      assert.deepEqual(judge.result, { kind: "lost", loss: held.loss! })
      assert.isUndefined(machine.asked)
    })

    it("I2: is lost on its own clock when nothing is heard of the store, also while a question is in flight", () => {
      const machine = new Machine()
      machine.offer()
      const held = machine.take()
      machine.sleep()
      assert.isDefined(machine.asked)
      machine.sleep()
      // A hundredth of the lease and 2 ms before its end.
      assert.strictEqual(machine.now, 988)
      assert.strictEqual(held.loss!.reason, "expired")
      assert.isTrue(held.over.isSet)
      machine.answer()
      assert.strictEqual(held.status, "lost")
    })

    it("whose answer took longer than its lease is nobody's", () => {
      const machine = new Machine()
      machine.offer()
      const ticket = machine.wait()
      const answered = machine.hear()
      machine.now += 1000
      answered()
      assert.isUndefined(ticket.result)
      machine.answer()
      assert.strictEqual(heldOf(ticket).given.attempt, 2)
    })

    it("that is lost before it is settled is told to whoever settles it: the store was told nothing", () => {
      const machine = new Machine()
      machine.offer()
      const held = machine.take()
      machine.now += 1000
      const judge = new Judge(undefined, 0)
      machine.settle(held, acknowledge, judge)
      assert.instanceOf((judge.result as { loss: LeaseLost }).loss, LeaseLost)
      assert.deepEqual(machine.notes, [])
      assert.deepEqual(machine.counts(), [0, 0, 1, 0])
    })

    it("that somebody else has by now: its acknowledgement is refused, and told: to who waits for it, or in a note", () => {
      const machine = new Machine()
      machine.offer(3)
      const all = [machine.take(), machine.take(), machine.take()]
      machine.store.exchange({
        ...ask,
        settle: all.map(({ given }) => ({ delivery: given.delivery, outcome: giveBack }))
      })
      const judge = new Judge(undefined, 0)
      machine.settle(all[0]!, acknowledge, judge)
      machine.answer()
      assert.strictEqual(judge.result!.kind, "lost")
      assert.strictEqual((judge.result as { loss: LeaseLost }).loss.reason, "unknown to the store")
      assert.deepEqual(machine.notes, [])
      machine.settle(all[1]!, acknowledge)
      machine.answer()
      assert.deepEqual(
        machine.notes.map(({ kind }) => kind),
        ["lost"]
      )
      // What was only to be given back is back.
      machine.settle(all[2]!, giveBack)
      machine.answer()
      assert.strictEqual(machine.notes.length, 1)
    })
  })

  describe("a question that fails", () => {
    it("is told to whoever was asked for and is not patient; the patient wait, and ask again after a pause", () => {
      const machine = new Machine()
      machine.offer(2)
      const first = machine.wait(true)
      const patient = machine.wait(true)
      const other = machine.wait()
      machine.fail()
      assert.deepEqual(
        [first, patient, other].map(({ settled }) => settled),
        [false, false, false]
      )
      assert.strictEqual(core.wakeAt(machine.state), 50)
      machine.sleep()
      machine.fail()
      assert.deepEqual(other.result, { kind: "failed", failure })
      assert.strictEqual(core.wakeAt(machine.state), 50 + 100)
      machine.sleep()
      machine.answer()
      assert.deepEqual([idOf(first), idOf(patient)], ["i0", "i1"])
    })

    it("of a kind that does not pass is told to the patient, too", () => {
      const machine = new Machine()
      const ticket = machine.wait(true)
      machine.fail(false)
      assert.deepEqual(ticket.result, { kind: "failed", failure })
    })

    it("is reported once while it lasts, unless somebody was told", () => {
      const machine = new Machine()
      machine.wait(true)
      for (let i = 0; i < 3; i++) {
        machine.fail()
        machine.sleep()
      }
      assert.deepEqual(machine.notes, [{ kind: "outage", failure }])
      machine.answer()
      machine.sleep()
      machine.fail()
      assert.strictEqual(machine.notes.length, 2)
    })

    it("the pauses grow, up to that of a poll, and are spread", () => {
      const machine = new Machine()
      machine.wait(true)
      const pauses: Array<number> = []
      for (let i = 0; i < 6; i++) {
        machine.random = i === 5 ? 0 : 1
        machine.fail()
        pauses.push(core.wakeAt(machine.state) - machine.now)
        machine.sleep()
      }
      assert.deepEqual(pauses, [50, 100, 200, 400, 400, 200])
    })

    it("who comes during an outage and is not patient is told without a pause", () => {
      const machine = new Machine()
      machine.wait(true)
      machine.fail()
      const other = machine.wait()
      assert.isDefined(machine.asked)
      machine.fail()
      assert.isTrue(other.settled)
    })

    it("I4: what it may have delivered goes back: the item is not lost to its lease, and its attempt does not count", () => {
      const machine = new Machine()
      machine.offer()
      machine.wait()
      machine.fail(true, true)
      assert.deepEqual(machine.counts(), [0, 0, 1, 0])
      machine.sleep()
      assert.deepEqual(machine.asked!.request.settle, [{ delivery: "d0", outcome: giveBack }])
      machine.answer()
      assert.deepEqual(machine.counts(), [1, 0, 0, 0])
      assert.strictEqual(machine.take().given.attempt, 1)
      assert.deepEqual(machine.notes, [])
    })

    it("I4: what it settled is settled again; that the store knows nothing of it then is no loss", () => {
      const machine = new Machine()
      machine.offer()
      machine.settle(machine.take(), acknowledge)
      machine.fail(true, true)
      machine.sleep()
      assert.strictEqual(machine.asked!.request.settle.length, 1)
      machine.answer()
      assert.isTrue(core.isIdle(machine.state))
      assert.deepEqual(
        machine.notes.map(({ kind }) => kind),
        ["outage"]
      )
    })

    it("I4: who waits for what the store says to it is told of the failure, and it is told again nevertheless", () => {
      const machine = new Machine()
      machine.offer()
      const judge = new Judge(undefined, 0)
      machine.settle(machine.take(), acknowledge, judge)
      machine.fail()
      assert.deepEqual(judge.result, { kind: "failed", failure })
      assert.deepEqual(machine.notes, [])
      machine.sleep()
      machine.answer()
      assert.deepEqual(machine.counts(), [0, 0, 0, 0])
    })

    it("I4: until its lease would have ended: then it is lost, and told", () => {
      const machine = new Machine()
      machine.offer(2)
      const [one, two] = [machine.take(), machine.take()]
      machine.settle(one!, acknowledge)
      machine.fail()
      machine.settle(two!, giveBack)
      while (!core.isIdle(machine.state)) {
        if (machine.asked === undefined) machine.sleep()
        else machine.fail()
      }
      assert.isTrue(core.isIdle(machine.state))
      assert.deepEqual(
        machine.notes.map((note) => (note.kind === "lost" ? [note.id, note.loss.reason] : note.kind)),
        ["outage", ["i0", "expired"]]
      )
    })

    it("a renewal is tried again, until the lease is lost on its own clock", () => {
      const machine = new Machine()
      machine.offer()
      const held = machine.take()
      machine.sleep()
      machine.fail()
      machine.sleep()
      assert.closeTo(machine.now, 433, 1)
      machine.answer()
      assert.strictEqual(held.status, "held")
      machine.sleep()
      while (held.status === "held") {
        if (machine.asked !== undefined) machine.fail()
        if (held.status === "held") machine.sleep()
      }
      assert.closeTo(machine.now, 433 + 988, 1)
    })
  })

  describe("flush", () => {
    const flush = (machine: Machine) => {
      const ticket = new TestTicket<undefined, undefined>(undefined, 0)
      for (const woken of ticketsOf(core.flush(machine.state, ticket))) woken.wake()
      return ticket
    }

    it("waits until the store has heard of everything", () => {
      const machine = new Machine()
      assert.isTrue(flush(machine).settled)
      machine.offer(2)
      const [one, two] = [machine.take(), machine.take()]
      machine.settle(one!, acknowledge)
      machine.settle(two!, acknowledge)
      const waits = flush(machine)
      const gone = flush(machine)
      core.cancelFlush(machine.state, gone)
      machine.answer()
      assert.isFalse(waits.settled)
      machine.answer()
      assert.strictEqual(waits.wakes, 1)
      assert.isFalse(gone.settled)
    })

    it("waits for nothing when the store is only asked for items", () => {
      const machine = new Machine()
      machine.wait()
      assert.isTrue(flush(machine).settled)
    })

    it("does not wait while the store cannot be reached, and does while it is tried again", () => {
      const machine = new Machine()
      machine.offer()
      machine.settle(machine.take(), acknowledge)
      machine.fail()
      assert.isTrue(flush(machine).settled)
      machine.sleep()
      const waits = flush(machine)
      assert.isFalse(waits.settled)
      machine.answer()
      assert.isTrue(waits.settled)
      // Whoever is told too late that he may go takes nobody's place.
      core.cancelFlush(machine.state, waits)
      core.check(machine.state)
    })

    it("or could not be told: it is told later", () => {
      const machine = new Machine()
      machine.offer()
      machine.settle(machine.take(), acknowledge)
      const waits = flush(machine)
      machine.fail()
      assert.isTrue(waits.settled)
    })
  })

  describe("what it tells of itself", () => {
    it("it is idle only when nobody waits, nothing is in hand, and the store knows of everything", () => {
      const machine = new Machine()
      assert.isTrue(core.isIdle(machine.state))
      const ticket = machine.wait()
      machine.answer()
      assert.isFalse(core.isIdle(machine.state), "somebody sleeps")
      machine.offer()
      machine.advance(400)
      machine.answer()
      assert.isFalse(core.isIdle(machine.state), "something is in hand")
      machine.settle(heldOf(ticket), acknowledge)
      machine.fail()
      assert.isFalse(core.isIdle(machine.state), "something is to be told")
      machine.sleep()
      machine.answer()
      assert.isTrue(core.isIdle(machine.state))
      // Nobody is kept awake for the lease that was.
      assert.strictEqual(core.wakeAt(machine.state), Infinity)
    })

    it("it wants to hear of changes only while somebody sleeps", () => {
      const machine = new Machine()
      machine.offer()
      machine.take()
      assert.isFalse(core.wantsWatch(machine.state, machine.now))
      core.enqueue(machine.state, new Waiter({ patient: true }, 0), machine.now)
      // He is asked for in this moment.
      assert.isFalse(core.wantsWatch(machine.state, machine.now))
      assert.isTrue(core.wantsWatch(machine.state, machine.now - 1))
    })

    it("what is settled counts until the store has answered", () => {
      const machine = new Machine()
      machine.offer(2)
      const [one, two] = [machine.take(), machine.take()]
      machine.settle(one!, acknowledge)
      machine.settle(two!, acknowledge)
      assert.deepEqual(core.stats(machine.state), { waiting: 0, held: 0, settling: 2 })
      machine.answer()
      assert.deepEqual(core.stats(machine.state), { waiting: 0, held: 0, settling: 1 })
    })
  })

  it("more than fits one question goes in the next, at once: renewals, and what is settled", () => {
    const machine = new Machine()
    const n = core.most.settle + 1
    machine.offer(n)
    const all = Array.from({ length: n }, () => machine.wait())
    while (machine.asked !== undefined) machine.answer()
    machine.sleep()
    assert.strictEqual(machine.asked!.request.renew.length, core.most.renew)
    machine.answer()
    assert.deepEqual(machine.asked!.request.renew.length, 1)
    for (const ticket of all) machine.settle(heldOf(ticket), acknowledge)
    machine.answer()
    assert.strictEqual(machine.asked!.request.settle.length, core.most.settle)
    machine.answer()
    assert.strictEqual(machine.asked!.request.settle.length, 1)
    machine.answer()
    assert.isTrue(core.isIdle(machine.state))
    assert.deepEqual(machine.counts(), [0, 0, 0, 0])
  })

  it("a lease that was due while the store did not answer is renewed as soon as it does", () => {
    const machine = new Machine()
    machine.offer(2)
    machine.take()
    machine.advance(300)
    const other = machine.take()
    machine.sleep()
    assert.deepEqual(machine.asked!.request.renew, ["d0"])
    // The first is lost meanwhile, and the other is past its third.
    machine.sleep()
    assert.strictEqual(machine.now, 988)
    machine.answer()
    assert.deepEqual(machine.asked!.request.renew, ["d1"])
    machine.answer()
    machine.advance(600)
    assert.strictEqual(other.status, "held")
  })

  describe("a lease that is over before anybody noticed", () => {
    const over = () => {
      const machine = new Machine()
      machine.offer()
      const ticket = machine.wait()
      machine.answer()
      machine.now += 1000
      return { machine, ticket, held: heldOf(ticket) }
    }

    it("is found by who looks, and told once", () => {
      const { held, machine } = over()
      machine.done(core.look(machine.state, held, machine.now))
      machine.done(core.look(machine.state, held, machine.now))
      assert.deepEqual(machine.notes, [{ kind: "lost", id: "i0", loss: held.loss! }])
      assert.isTrue(held.over.isSet)
    })

    it("is told in a note when nobody waits for what becomes of it", () => {
      const { held, machine } = over()
      machine.settle(held, acknowledge)
      assert.deepEqual(machine.notes, [{ kind: "lost", id: "i0", loss: held.loss! }])
    })

    it("is no news when nobody had begun with it", () => {
      const { held, machine, ticket } = over()
      machine.cancel(ticket)
      assert.strictEqual(held.status, "lost")
      assert.deepEqual(machine.notes, [])
      assert.isUndefined(machine.asked)
    })

    it("is found when its renewal fails", () => {
      const machine = new Machine()
      machine.offer()
      const held = machine.take()
      machine.sleep()
      machine.now = 2000
      machine.fail()
      assert.isTrue(held.over.isSet)
      assert.deepEqual(
        machine.notes.map(({ kind }) => kind),
        ["lost", "outage"]
      )
      assert.strictEqual(core.wakeAt(machine.state), Infinity)
    })
  })

  it("who waits for it is told that what he gave back was not his any more", () => {
    const machine = new Machine()
    machine.offer()
    const held = machine.take()
    machine.store.exchange({ ...ask, settle: [{ delivery: "d0", outcome: giveBack }] })
    const judge = new Judge(undefined, 0)
    machine.settle(held, giveBack, judge)
    machine.answer()
    assert.strictEqual(judge.result!.kind, "lost")
    assert.deepEqual(machine.notes, [])
  })

  it("a store that buries what was acknowledged is believed", () => {
    const machine = new Machine()
    machine.offer()
    machine.settle(machine.take(), acknowledge)
    machine.asked = undefined
    const answer = { settled: ["buried" as const], renewed: [], taken: [], died: [], retryAfter: Infinity }
    machine.done(core.answered(machine.state, answer, machine.now, () => 1))
    assert.deepEqual(machine.notes, [{ kind: "buried", id: "i0", reason: "", cause: undefined }])
  })

  it("I4: what the store may have delivered is given back until its lease would have ended, however often that fails", () => {
    const machine = new Machine()
    machine.cancel(machine.wait())
    machine.fail()
    for (let i = 0; i < 3; i++) {
      machine.sleep()
      assert.deepEqual(machine.asked!.request.settle, [{ delivery: "d0", outcome: giveBack }])
      machine.fail()
    }
    machine.sleep()
    machine.now = 1000
    machine.fail()
    assert.isTrue(core.isIdle(machine.state))
  })

  it("who has gone while the store was asked is not told that it failed", () => {
    const machine = new Machine()
    const [first, second] = [machine.wait(), machine.wait()]
    machine.fail()
    assert.isTrue(first!.settled)
    machine.sleep()
    machine.cancel(second!)
    machine.fail()
    assert.strictEqual(second!.wakes, 0)
    assert.isFalse(second!.settled)
  })

  it("an answer that fits no question is refused", () => {
    const machine = new Machine()
    machine.offer()
    machine.wait()
    const { request } = machine.asked!
    const answer = machine.store.exchange(request)
    assert.strictEqual(core.checkAnswer(request, answer), answer)
    const [given] = answer.taken
    for (const wrong of [
      undefined,
      {},
      { ...answer, settled: ["settled"] },
      { ...answer, renewed: [true] },
      { ...answer, taken: undefined },
      { ...answer, taken: [given, given] },
      { ...answer, renewed: undefined },
      { ...answer, taken: [given, { ...given, delivery: undefined }] },
      { ...answer, taken: [{ ...given, delivery: "another" }] },
      { ...answer, died: undefined },
      { ...answer, retryAfter: NaN }
    ]) {
      const error = thrown(() => core.checkAnswer(request, wrong as deliveries.ExchangeAnswer))
      assert.instanceOf(error, StoreError)
      assert.strictEqual(error.reason, "reply")
      assert.match(error.message, /DeliveryStore\.exchange.*an answer to each part of the question/)
    }
    const now = { ...answer, retryAfter: 0 }
    assert.strictEqual(core.checkAnswer(request, now), now)
  })

  it("a failure passes unless something is wrong with the data", () => {
    const reasons = ["timeout", "connection", "server", "wrong type", "reply"] as const
    assert.deepEqual(
      reasons.map((reason) => core.isPassing(new StoreError("", { reason }))),
      [true, true, true, false, false]
    )
    assert.isFalse(core.isPassing(new StoreError("", { reason: "closed" as "server" })))
    assert.isFalse(core.isPassing(new Error("a bug")))
  })

  it("notes have words", () => {
    const loss = new LeaseLost("q", 1, "expired")
    assert.match(core.textOf({ kind: "lost", id: "a", loss }), /item "a" was lost/)
    assert.match(core.textOf({ kind: "buried", id: "a", reason: "why", cause: 1 }), /"a" is a dead letter now: why/)
    assert.match(core.textOf({ kind: "outage", failure }), /cannot be reached/)
  })

  it("whatever happens, no item is lost: each is done, or there, and is done by one at a time", () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constantFrom("wait", "cancel", "offer", "answer", "fail", "failHeard", "change") }),
      fc.record({ kind: fc.constant("advance"), by: fc.integer({ min: 1, max: 400 }) }),
      fc.record({
        kind: fc.constant("settle"),
        which: fc.nat(20),
        outcome: fc.constantFrom(acknowledge, giveBack, reject)
      })
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const machine = new Machine({ attempts: 1_000_000 })
        const tickets: Array<Waiter> = []
        const held = () =>
          tickets.flatMap(({ result }) => (result?.kind === "given" && !result.held.isSettled ? [result.held] : []))
        let done = 0
        for (const each of steps) {
          switch (each.kind) {
            case "wait":
              tickets.push(machine.wait(tickets.length % 2 === 0))
              break
            case "cancel": {
              const ticket = tickets.find(({ settled }) => !settled)
              if (ticket?.lane !== undefined) machine.cancel(ticket)
              break
            }
            case "offer":
              machine.offer()
              break
            case "answer":
              if (machine.asked !== undefined) machine.answer()
              break
            case "fail":
            case "failHeard":
              if (machine.asked !== undefined) machine.fail(true, each.kind === "failHeard")
              break
            case "change":
              core.changed(machine.state, machine.now)
              machine.done(new core.Done())
              break
            case "advance":
              machine.advance((each as { by: number }).by)
              break
            case "settle": {
              const { outcome, which } = each as { which: number; outcome: deliveries.Outcome }
              const all = held().filter(({ status }) => status === "held")
              const one = all[which % Math.max(1, all.length)]
              if (one === undefined) break
              // Nobody else has it while its lease is held.
              const same = all.filter(({ given }) => given.id === one.given.id)
              assert.strictEqual(same.length, 1)
              machine.settle(one, outcome)
              break
            }
          }
          machine.store.check()
          const { dead, delayed, leased, ready } = machine.store.counts("q")
          done = machine.offers - ready - delayed - leased - dead
          assert.isAtLeast(done, 0)
        }
        // In the end everything can be done.
        for (
          let i = 0;
          i < 200 &&
          machine
            .counts()
            .slice(0, 3)
            .some((n) => n > 0);
          i++
        ) {
          for (const one of held()) if (one.status === "held") machine.settle(one, acknowledge)
          if (machine.asked !== undefined) machine.answer()
          else {
            if (machine.state.waiting.size === 0) tickets.push(machine.wait())
            machine.advance(250)
          }
        }
        assert.deepEqual(machine.counts(), [0, 0, 0, 0])
        const acknowledged = new Set(
          tickets.flatMap(({ result }) =>
            result?.kind === "given" && result.held.isSettled ? [result.held.given.id] : []
          )
        )
        assert.strictEqual(acknowledged.size, machine.offers)
      })
    )
  })

  it("check finds what does not hold", () => {
    const broken = (change: (machine: Machine) => void) => {
      const machine = new Machine()
      machine.offer(2)
      machine.take()
      change(machine)
      return (thrown(() => core.check(machine.state)) as Error).message
    }
    const waits = (machine: Machine) => {
      machine.wait()
      machine.answer()
      machine.wait()
      machine.answer()
    }
    assert.match(
      broken((machine) => {
        waits(machine)
        machine.state.askAt = Infinity
      }),
      /I1: 1 wait/
    )
    assert.match(
      broken(({ state }) => (state.settleAt = 0)),
      /I1: 0 are settled/
    )
    const flush = ({ state }: Machine) => core.flush(state, new TestTicket<undefined, undefined>(undefined, 0))
    assert.strictEqual(
      broken((machine) => {
        machine.settle([...machine.state.held][0]!, acknowledge)
        flush(machine)
        machine.state.question = undefined
      }),
      "I1: 1 wait for nothing to be told"
    )
    for (const line of ["waiting", "flushing"] as const) {
      assert.strictEqual(
        broken((machine) => {
          machine.wait()
          machine.settle([...machine.state.held][0]!, acknowledge)
          flush(machine)
          machine.state[line].size++
        }),
        "I1: size 2, but 1 tickets"
      )
    }
    assert.match(
      broken(({ state }) => (state.endAt = Infinity)),
      /I1: a lease ends/
    )
    assert.match(
      broken(({ state }) => (state.renewAt = Infinity)),
      /I1: a lease is due/
    )
    assert.match(
      broken(({ state }) => ([...state.held][0]!.isSettled = true)),
      /I2: what is in hand/
    )
    assert.match(
      broken(({ state }) => ([...state.held][0]!.sentAt = 0)),
      /I3: the next renewal is due/
    )
    assert.match(
      broken(({ state }) => {
        const [held] = state.held
        held!.status = "over"
        held!.renewAt = Infinity
      }),
      /I2: what is in hand/
    )
    const settling = (held: core.Held | undefined, delivery = "d"): core.Settling => ({
      delivery,
      outcome: giveBack,
      held,
      until: 0,
      waiting: undefined,
      cause: undefined,
      tried: false
    })
    assert.match(
      broken(({ state }) => {
        state.settling.push(settling([...state.held][0]))
        state.settleAt = 0
      }),
      /I2: what is settled/
    )
    assert.match(
      broken(({ state }) => {
        state.settling.push(settling(undefined), settling(undefined))
        state.settleAt = 0
      }),
      /I2: settled twice/
    )
  })
})

const ask: deliveries.ExchangeRequest = {
  name: "q",
  settle: [],
  renew: [],
  take: [],
  lease: 1000,
  attempts: 3,
  remember: 0
}

const thrown = (f: () => unknown): unknown => {
  try {
    f()
  } catch (error) {
    return error
  }
  throw new Error("nothing was thrown")
}
