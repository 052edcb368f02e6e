import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import * as core from "../../src/core/timers.js"

class Alarm extends core.Timer {
  constructor(readonly name: number) {
    super()
  }
  fire(): void {}
}

/** The core, and beside it what it ought to be: a sorted array. */
class Model {
  readonly state = core.make()
  readonly timers = Array.from({ length: 20 }, (_, name) => new Alarm(name))
  set: Array<{ readonly timer: Alarm; readonly at: number; readonly turn: number }> = []
  turns = 0
  alarm = Infinity

  add(name: number, at: number) {
    const timer = this.timers[name]!
    if (timer.place >= 0) return
    this.set.push({ timer, at, turn: this.turns++ })
    this.set.sort((one, other) => one.at - other.at || one.turn - other.turn)
    const first = this.set[0]!.at
    assert.strictEqual(core.add(this.state, timer, at), first < this.alarm)
    this.alarm = Math.min(this.alarm, first)
  }

  remove(name: number) {
    const timer = this.timers[name]!
    const wasLast = this.set.length === 1 && this.set[0]!.timer === timer
    this.set = this.set.filter((entry) => entry.timer !== timer)
    assert.strictEqual(core.remove(this.state, timer), wasLast)
    if (wasLast) this.alarm = Infinity
  }

  ring(now: number) {
    const { turns } = this.state
    const fired: Array<Alarm> = []
    for (let timer; (timer = core.due(this.state, now, turns)) !== undefined;) fired.push(timer as Alarm)
    const due = this.set.filter(({ at }) => at <= now)
    this.set = this.set.filter(({ at }) => at > now)
    assert.deepStrictEqual(
      fired.map(({ name }) => name),
      due.map(({ timer }) => timer.name)
    )
    this.alarm = this.set[0]?.at ?? Infinity
    assert.strictEqual(core.rung(this.state), this.set.length > 0)
  }

  verify() {
    core.check(this.state)
    assert.strictEqual(this.state.alarm, this.alarm)
    assert.strictEqual(this.state.heap.length, this.set.length)
    const known = new Set(this.set.map(({ timer }) => timer))
    for (const timer of this.timers) assert.strictEqual(timer.place >= 0, known.has(timer), "I2")
  }
}

const command = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(fc.nat(19), fc.nat(30)).map(
      ([name, at]) =>
        (model: Model) =>
          model.add(name, at)
    )
  },
  { weight: 2, arbitrary: fc.nat(19).map((name) => (model: Model) => model.remove(name)) },
  { weight: 1, arbitrary: fc.nat(30).map((now) => (model: Model) => model.ring(now)) }
)

describe("timers", () => {
  it("fire in order of their time, then of their arrival, and set the alarm no oftener than they must (I1, I2, I3)", () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 80 }), (commands) => {
        const model = new Model()
        for (const run of commands) {
          run(model)
          model.verify()
        }
      }),
      { numRuns: 1000 }
    )
  })

  it("what is added while others fire is for the next ring", () => {
    const state = core.make()
    const [first, second] = [new Alarm(1), new Alarm(2)]
    core.add(state, first, 5)
    const { turns } = state
    assert.strictEqual(core.due(state, 5, turns), first)
    core.add(state, second, 3)
    assert.isUndefined(core.due(state, 5, turns))
    assert.isTrue(core.rung(state))
    assert.strictEqual(state.alarm, 3)
  })

  it("removing one that is not set changes nothing", () => {
    const state = core.make()
    assert.isFalse(core.remove(state, new Alarm(1)))
  })

  it("check finds what is broken", () => {
    const broken = (breakIt: (state: core.State) => void) => {
      const state = core.make()
      for (const at of [1, 2, 3]) core.add(state, new Alarm(at), at)
      breakIt(state)
      return () => core.check(state)
    }
    assert.throws(
      broken((state) => (state.heap[0]!.at = 9)),
      "I1: the timer at 1 comes before its parent"
    )
    assert.throws(
      broken((state) => (state.heap[1]!.place = 0)),
      "I1: a timer at 1 says that it is at 0"
    )
    assert.throws(
      broken((state) => (state.alarm = 2)),
      "I3: the alarm is at 2, a timer at 1"
    )
  })
})
