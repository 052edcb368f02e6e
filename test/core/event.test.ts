import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import * as core from "../../src/core/event.js"
import { type Chain, Ticket, wake } from "../../src/core/ticket.js"
import { tickets } from "../../src/core/waitList.js"

/** A waiter that notes when it is woken. */
class Waiter extends Ticket<undefined, undefined> {
  constructor(private readonly log: Array<Waiter>) {
    super(undefined, 0)
  }

  wake(): void {
    this.log.push(this)
  }
}

/** The core, and beside it what it ought to be: a flag and an array. */
class Model {
  readonly state = core.make()
  readonly woken: Array<Waiter> = []
  readonly all: Array<Waiter> = []
  isSet = false
  waiting: Array<Waiter> = []
  expected: Array<Waiter> = []

  /** What a skin does: only who finds the flag not set waits. */
  wait() {
    if (this.state.isSet) return
    const waiter = new Waiter(this.woken)
    core.enqueue(this.state, waiter)
    this.all.push(waiter)
    this.waiting.push(waiter)
  }

  cancel(at: number) {
    const waiter = this.all[at % this.all.length]
    if (waiter === undefined) return
    // Once a ticket is woken, or cancelled, it is its skin's business not to cancel it again.
    if (!this.waiting.includes(waiter) && !waiter.settled) return
    this.run(core.cancel(this.state, waiter), [])
    this.waiting = this.waiting.filter((other) => other !== waiter)
  }

  set() {
    this.isSet = true
    this.run(core.set(this.state), this.waiting)
    this.waiting = []
  }

  clear() {
    this.isSet = false
    core.clear(this.state)
  }

  pulse() {
    this.run(core.pulse(this.state), this.waiting)
    this.waiting = []
  }

  private run(chain: Chain, expected: ReadonlyArray<Waiter>) {
    wake(chain)
    this.expected.push(...expected)
  }

  verify() {
    core.check(this.state)
    assert.deepStrictEqual(core.stats(this.state), { isSet: this.isSet, waiting: this.waiting.length })
    assert.isTrue(tickets(this.state.waiting).every((waiter, i) => waiter === this.waiting[i]))
    assert.strictEqual(this.woken.length, this.expected.length)
    assert.isTrue(this.woken.every((waiter, i) => waiter === this.expected[i] && waiter.settled))
    assert.strictEqual(new Set(this.woken).size, this.woken.length)
  }
}

const command = fc.oneof(
  { weight: 5, arbitrary: fc.constant((model: Model) => model.wait()) },
  { weight: 3, arbitrary: fc.nat(30).map((at) => (model: Model) => model.cancel(at)) },
  fc.constant((model: Model) => model.set()),
  { weight: 2, arbitrary: fc.constant((model: Model) => model.clear()) },
  fc.constant((model: Model) => model.pulse())
)

describe("core/event", () => {
  it("does what a flag and an array do (I1, I2)", () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
        const model = new Model()
        for (const run of commands) {
          run(model)
          model.verify()
        }
      }),
      { numRuns: 300 }
    )
  })

  it("I1: check finds one who waits for a flag that is set", () => {
    const state = core.make()
    core.enqueue(state, new Waiter([]))
    core.check(state)
    state.isSet = true
    assert.throws(() => core.check(state), "I1: 1 wait for a flag that is set")
  })

  it("I2: check finds a settled ticket that still waits", () => {
    const state = core.make()
    const waiter = new Waiter([])
    core.enqueue(state, waiter)
    waiter.settled = true
    assert.throws(() => core.check(state), "a settled ticket in a list")
  })

  it("I2: what is settled stays settled: a clear does not revoke it, a set does not wake it again", () => {
    const state = core.make()
    const log: Array<Waiter> = []
    const waiter = new Waiter(log)
    core.enqueue(state, waiter)
    wake(core.set(state))
    core.clear(state)
    assert.isTrue(waiter.settled)
    assert.strictEqual(core.set(state), undefined)
    assert.strictEqual(core.pulse(state), undefined)
    assert.strictEqual(core.cancel(state, waiter), undefined)
    assert.deepStrictEqual(log, [waiter])
    core.check(state)
  })

  it("a woken waiter may set, clear and wait again while the others are still being woken", () => {
    const state = core.make()
    const log: Array<string> = []
    class Again extends Ticket<undefined, undefined> {
      constructor(private readonly rounds: number) {
        super(undefined, 0)
      }
      wake(): void {
        log.push(`round ${this.rounds}`)
        core.clear(state)
        if (this.rounds > 1) core.enqueue(state, new Again(this.rounds - 1))
        core.check(state)
      }
    }
    core.enqueue(state, new Again(2))
    core.enqueue(state, new Again(2))
    wake(core.set(state))
    assert.deepStrictEqual(log, ["round 2", "round 2"])
    assert.deepStrictEqual(core.stats(state), { isSet: false, waiting: 2 })
    wake(core.set(state))
    assert.deepStrictEqual(log, ["round 2", "round 2", "round 1", "round 1"])
  })
})
