import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import * as core from "../../src/core/condition.js"
import * as Mutex from "../../src/core/mutex.js"
import * as Semaphore from "../../src/core/semaphore.js"
import { type Chain, Ticket, wake } from "../../src/core/ticket.js"
import { has, push, tickets } from "../../src/core/waitList.js"

/** Somebody who asks for the lock, or waits for a notification and then for the lock. */
class Party extends Ticket<number, number> {
  constructor(
    private readonly granted: Array<Party>,
    priority = 0
  ) {
    super(1, priority)
  }

  wake(): void {
    this.granted.push(this)
  }
}

/** The core, and beside it what it ought to be: who holds the lock, and two arrays. */
class Model {
  readonly state = core.make(Mutex.make())
  readonly granted: Array<Party> = []
  readonly expected: Array<Party> = []
  /** Who is in a wait and was not cancelled: only these can be. */
  readonly cancellable = new Set<Party>()
  readonly entering = new Set<Party>()
  holder: Party | undefined = undefined
  queue: Array<Party> = []
  waiting: Array<Party> = []

  enter() {
    const party = new Party(this.granted)
    if (Semaphore.tryTake(this.state.lock, 1, 0)) {
      assert.strictEqual(this.holder, undefined)
      this.holder = party
      return
    }
    Semaphore.enqueue(this.state.lock, party)
    this.entering.add(party)
    this.queue.push(party)
  }

  leave() {
    if (this.holder === undefined) return
    this.expectRelease()
    this.run(Semaphore.giveBack(this.state.lock, 1, this.state.lock.epoch))
  }

  wait() {
    if (this.holder === undefined) {
      assert.throws(() => core.checkLocked("wait", this.state), "wait: the lock is not held")
      return
    }
    core.checkLocked("wait", this.state)
    const party = new Party(this.granted)
    this.waiting.push(party)
    this.cancellable.add(party)
    this.expectRelease()
    this.run(core.wait(this.state, party))
  }

  notify(n: number) {
    if (this.holder === undefined) return
    core.notify(this.state, n)
    this.queue.push(...this.waiting.splice(0, n))
  }

  /** Cancels one that waits for a notification, or one that was notified (and may have the lock by now, but not yet run). */
  cancel(at: number) {
    const parties = [...this.cancellable]
    const party = parties[at % parties.length]
    if (party === undefined) return
    this.cancellable.delete(party)
    const index = this.waiting.indexOf(party)
    if (index === -1) this.queue.push(...this.waiting.splice(0, 1))
    else {
      this.waiting.splice(index, 1)
      if (this.holder === undefined) this.grant(party)
      else this.queue.push(party)
    }
    this.run(core.cancel(this.state, party))
  }

  /** Cancels one that waits to enter. */
  giveUp(at: number) {
    const parties = this.queue.filter((party) => this.entering.has(party))
    const party = parties[at % parties.length]
    if (party === undefined) return
    this.queue = this.queue.filter((other) => other !== party)
    this.run(Semaphore.cancel(this.state.lock, party))
  }

  private expectRelease() {
    // Whoever leaves, or waits, has long run: too late to cancel how it came by the lock.
    if (this.holder !== undefined) this.cancellable.delete(this.holder)
    this.holder = undefined
    const next = this.queue.shift()
    if (next !== undefined) this.grant(next)
  }

  private grant(party: Party) {
    this.holder = party
    this.expected.push(party)
  }

  private run(chain: Chain) {
    wake(chain)
  }

  verify() {
    core.check(this.state)
    assert.deepStrictEqual(core.stats(this.state), {
      isLocked: this.holder !== undefined,
      waiting: this.waiting.length,
      waitingForLock: this.queue.length
    })
    assert.isTrue(tickets(this.state.waiting).every((party, i) => party === this.waiting[i]))
    assert.isTrue(tickets(this.state.lock.waiting).every((party, i) => party === this.queue[i]))
    assert.strictEqual(this.granted.length, this.expected.length)
    assert.isTrue(this.granted.every((party, i) => party === this.expected[i] && party.settled))
  }
}

const command = fc.oneof(
  { weight: 4, arbitrary: fc.constant((model: Model) => model.enter()) },
  { weight: 3, arbitrary: fc.constant((model: Model) => model.leave()) },
  { weight: 5, arbitrary: fc.constant((model: Model) => model.wait()) },
  { weight: 3, arbitrary: fc.oneof(fc.nat(3), fc.constant(Infinity)).map((n) => (model: Model) => model.notify(n)) },
  { weight: 3, arbitrary: fc.nat(20).map((at) => (model: Model) => model.cancel(at)) },
  fc.nat(20).map((at) => (model: Model) => model.giveUp(at))
)

describe("core/condition", () => {
  it("does what a holder and two arrays do (I1, I2, I3)", () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 80 }), (commands) => {
        const model = new Model()
        for (const run of commands) {
          run(model)
          model.verify()
        }
      }),
      { numRuns: 300 }
    )
  })

  const locked = (): core.State => {
    const state = core.make(Mutex.make())
    assert.isTrue(Semaphore.tryTake(state.lock, 1, 0))
    return state
  }
  const waiting = (state: core.State, log: Array<Party> = []): Party => {
    const party = new Party(log)
    wake(core.wait(state, party))
    return party
  }
  const relock = (state: core.State) => assert.isTrue(Semaphore.tryTake(state.lock, 1, 0))

  it("I1: a notification settles nobody; the lock does", () => {
    const state = locked()
    const log: Array<Party> = []
    const party = waiting(state, log)
    relock(state)
    core.notify(state, 1)
    assert.isFalse(party.settled)
    wake(Semaphore.release(state.lock, 1))
    assert.deepStrictEqual(log, [party])
    assert.isTrue(Mutex.isLocked(state.lock))
  })

  it("I1: cancelled with the lock free, it is granted that at once", () => {
    const state = locked()
    const log: Array<Party> = []
    const party = waiting(state, log)
    assert.isFalse(Mutex.isLocked(state.lock))
    wake(core.cancel(state, party))
    assert.deepStrictEqual(log, [party])
    assert.isTrue(Mutex.isLocked(state.lock))
    assert.strictEqual(party.result, state.lock.epoch)
    core.check(state)
  })

  it("I1: check finds a ticket that was settled without the lock", () => {
    const state = locked()
    waiting(state).settled = true
    assert.throws(() => core.check(state), "a settled ticket in a list")
  })

  it("check finds a lock that is taken less than not at all", () => {
    const state = locked()
    core.check(state)
    state.lock.taken = -1
    assert.throws(() => core.check(state), "I1: taken is -1")
  })

  it("I2: check finds a ticket in both lists", () => {
    const state = locked()
    const party = waiting(state)
    relock(state)
    push(state.lock.waiting, party)
    assert.throws(() => core.check(state), "I3: links disagree")
  })

  it("I2: a notified ticket is in the lock's list, and not in the condition's", () => {
    const state = locked()
    const party = waiting(state)
    relock(state)
    assert.isTrue(has(state.waiting, party))
    core.notify(state, 1)
    assert.isFalse(has(state.waiting, party))
    assert.isTrue(has(state.lock.waiting, party))
    core.check(state)
  })

  it("I3: cancelled after being notified, whether it has the lock or waits for it, it notifies the next", () => {
    for (const hasLock of [false, true]) {
      const state = locked()
      const [first, second, third] = [0, 1, 2].map(() => {
        const party = waiting(state)
        relock(state)
        return party
      })
      core.notify(state, 1)
      if (hasLock) wake(Semaphore.release(state.lock, 1))
      assert.strictEqual(first!.settled, hasLock)
      assert.strictEqual(core.cancel(state, first!), undefined)
      assert.isTrue(has(state.lock.waiting, second!))
      assert.isTrue(has(state.waiting, third!))
      core.check(state)
    }
  })

  it("I3: cancelled before being notified, it notifies nobody", () => {
    const state = locked()
    const first = waiting(state)
    relock(state)
    const second = waiting(state)
    relock(state)
    wake(core.cancel(state, first))
    assert.isTrue(has(state.waiting, second))
    assert.isTrue(has(state.lock.waiting, first))
  })

  it("a wait gives the lock to who waits for it", () => {
    const state = locked()
    const log: Array<Party> = []
    const entering = new Party(log)
    Semaphore.enqueue(state.lock, entering)
    waiting(state)
    assert.deepStrictEqual(log, [entering])
    core.check(state)
  })

  it("notify(0) and a surplus do nothing; the snapshot is frozen", () => {
    const state = locked()
    waiting(state)
    relock(state)
    core.notify(state, 0)
    assert.deepStrictEqual(core.stats(state), { isLocked: true, waiting: 1, waitingForLock: 0 })
    core.notify(state, 5)
    assert.deepStrictEqual(core.stats(state), { isLocked: true, waiting: 0, waitingForLock: 1 })
    assert.isFrozen(core.stats(state))
  })
})
