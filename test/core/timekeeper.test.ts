import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import { type Source, Timekeeper } from "../../src/core/timekeeper.js"
import { Timer } from "../../src/core/timers.js"

/** A clock that is moved by hand, and what sleeps on it. */
class ByHand implements Source {
  time = 0
  slept = 0
  readonly sleeping = new Set<{ readonly until: number; readonly ring: () => void }>()

  now(): number {
    return this.time
  }

  sleep(milliseconds: number, ring: () => void): () => void {
    assert.isAtLeast(milliseconds, 0)
    this.slept++
    const sleep = { until: this.time + milliseconds, ring }
    this.sleeping.add(sleep)
    return () => void this.sleeping.delete(sleep)
  }

  /** Moves to a time, and rings what is due, also what is only set then. */
  to(time: number): void {
    this.time = time
    for (let rings = 0; rings < 100; rings++) {
      const due = [...this.sleeping].find(({ until }) => until <= time)
      if (!due) return
      this.sleeping.delete(due)
      due.ring()
    }
    assert.fail("it never stops ringing")
  }

  /** Rings although nothing is due yet, as timers of platforms do at times. */
  ringEarly(): void {
    const [sleep] = this.sleeping
    this.sleeping.delete(sleep!)
    sleep!.ring()
  }

  get alarms(): Array<number> {
    return [...this.sleeping].map(({ until }) => until)
  }
}

class Noting extends Timer {
  constructor(
    readonly name: number,
    readonly log: Array<string>,
    readonly source: Source,
    readonly fired?: () => void
  ) {
    super()
  }

  fire(): void {
    this.log.push(`${this.name} at ${this.source.now()}`)
    this.fired?.()
  }
}

const setup = () => {
  const source = new ByHand()
  const time = new Timekeeper(source)
  const log: Array<string> = []
  const timer = (name: number, fired?: () => void) => new Noting(name, log, source, fired)
  return { source, time, log, timer }
}

describe("a timekeeper", () => {
  it("sleeps once, however many timers there are, and not at all when there is none", () => {
    const { source, time, timer } = setup()
    assert.deepStrictEqual(source.alarms, [])
    const timers = Array.from({ length: 1000 }, (_, n) => timer(n))
    timers.forEach((timer, n) => time.set(timer, 100 + n))
    assert.deepStrictEqual([source.alarms, source.slept], [[100], 1])
    timers.forEach((timer) => time.clear(timer))
    assert.deepStrictEqual(source.alarms, [])
  })

  it("fires at the time, and not before", () => {
    const { log, source, time, timer } = setup()
    time.set(timer(1), 10)
    source.to(9.999)
    assert.deepStrictEqual(log, [])
    source.to(10)
    assert.deepStrictEqual([log, source.alarms], [["1 at 10"], []])
  })

  it("moves the alarm for a timer that is earlier, and only for that", () => {
    const { log, source, time, timer } = setup()
    time.set(timer(1), 50)
    time.set(timer(2), 80)
    assert.deepStrictEqual(source.alarms, [50])
    time.set(timer(3), 20)
    assert.deepStrictEqual([source.alarms, source.slept], [[20], 2])
    source.to(20)
    assert.deepStrictEqual([log, source.alarms], [["3 at 20"], [50]])
    source.to(100)
    assert.deepStrictEqual(log, ["3 at 20", "1 at 100", "2 at 100"])
  })

  it("a ring that comes early fires nothing, and is set again", () => {
    const { log, source, time, timer } = setup()
    time.set(timer(1), 10)
    source.time = 9.5
    source.ringEarly()
    assert.deepStrictEqual([log, source.alarms], [[], [10]])
    source.to(10)
    assert.deepStrictEqual(log, ["1 at 10"])
  })

  it("one that is past fires with the next ring, and never within the call that sets it", () => {
    const { log, source, time, timer } = setup()
    source.time = 100
    time.set(timer(1), 50)
    assert.deepStrictEqual([log, source.alarms], [[], [100]])
    source.to(100)
    assert.deepStrictEqual(log, ["1 at 100"])
  })

  it("one that is set again is moved; where it is already, nothing happens; for ever is never", () => {
    const { log, source, time, timer } = setup()
    const one = timer(1)
    time.set(one, 10)
    time.set(one, 10)
    assert.strictEqual(source.slept, 1)
    time.set(one, 30)
    source.to(20)
    assert.deepStrictEqual(log, [])
    time.set(one, Infinity)
    assert.deepStrictEqual(source.alarms, [])
    source.to(1e12)
    assert.deepStrictEqual(log, [])
  })

  it("what a timer sets when it fires, be it for now, is for the next ring", () => {
    const { log, source, time, timer } = setup()
    let times = 0
    const again: Timer = timer(1, () => {
      if (++times < 4) time.set(again, source.now())
    })
    time.set(again, 5)
    time.set(timer(2), 5)
    source.time = 5
    source.ringEarly()
    assert.deepStrictEqual(log, ["1 at 5", "2 at 5"])
    source.to(5)
    assert.strictEqual(times, 4)
    assert.deepStrictEqual(source.alarms, [])
  })

  it("one that a timer clears when it fires does not fire", () => {
    const { log, source, time, timer } = setup()
    const second = timer(2)
    time.set(
      timer(1, () => time.clear(second)),
      5
    )
    time.set(second, 5)
    source.to(5)
    assert.deepStrictEqual(log, ["1 at 5"])
  })

  it("when one throws, the others fire all the same", () => {
    const { log, source, time, timer } = setup()
    time.set(
      timer(1, () => {
        throw new Error("oops")
      }),
      5
    )
    time.set(timer(2), 5)
    time.set(timer(3), 9)
    assert.throws(() => source.to(5), "oops")
    source.to(5)
    source.to(9)
    assert.deepStrictEqual(log, ["1 at 5", "2 at 5", "3 at 9"])
  })

  it("fires all that is set in order of time, once each, whatever is set, moved and cleared in between", () => {
    const command = fc.oneof(
      fc.record({ kind: fc.constant("set" as const), name: fc.nat(9), after: fc.nat(30) }),
      fc.record({ kind: fc.constant("clear" as const), name: fc.nat(9) }),
      fc.record({ kind: fc.constant("wait" as const), for: fc.nat(20) })
    )
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
        const { log, source, time, timer } = setup()
        const timers = Array.from({ length: 10 }, (_, n) => timer(n))
        const due = new Map<number, number>()
        for (const each of commands) {
          if (each.kind === "set") {
            time.set(timers[each.name]!, source.time + each.after)
            due.set(each.name, source.time + each.after)
          } else if (each.kind === "clear") {
            time.clear(timers[each.name]!)
            due.delete(each.name)
          } else {
            const end = source.time + each.for
            while (source.time < end) {
              source.to(source.time + 1)
              const now = source.time
              const fired = log.splice(0).map((line) => Number(line.split(" ")[0]))
              const expected = [...due].filter(([, at]) => at <= now).map(([name]) => name)
              assert.sameMembers(fired, expected)
              assert.deepStrictEqual(
                fired.map((name) => due.get(name)!),
                fired.map((name) => due.get(name)!).sort((a, b) => a - b)
              )
              expected.forEach((name) => due.delete(name))
            }
          }
          assert.isAtMost(source.sleeping.size, 1)
          if (due.size === 0) assert.strictEqual(source.sleeping.size, 0)
          else assert.isAtMost(source.alarms[0]!, Math.min(...due.values()))
        }
      }),
      { numRuns: 300 }
    )
  })
})
