import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import * as slice from "../../src/core/slice.js"

/** A clock that counts how often it is read. */
const clockAt = () => {
  const clock = { now: 1000, readings: 0, read: () => (clock.readings++, clock.now) }
  return clock
}

/** Items that take so long each, until the slice is over or so many have passed. Gives how many passed. */
const pass = (state: slice.State, clock: ReturnType<typeof clockAt>, ms: number, atMost: number): number => {
  for (let passed = 1; passed <= atMost; passed++) {
    clock.now += ms
    if (slice.isOver(state, clock.read)) return passed
  }
  return Infinity
}

describe("the time slice", () => {
  it("I1: is over when its time has passed, and when the clock was set back", () => {
    const state = slice.make()
    assert.isFalse(slice.isPast(state, 1000))
    assert.isFalse(slice.isPast(state, 1000 + slice.length - 0.1))
    assert.isTrue(slice.isPast(state, 1000 + slice.length))
    slice.begin(state, 1005)
    assert.isFalse(slice.isPast(state, 1005))
    assert.isTrue(slice.isPast(state, 1004.9))
    assert.isTrue(slice.isOver(state, () => 900))
  })

  it("begins when it is first asked", () => {
    const state = slice.make()
    assert.isFalse(slice.isOver(state, () => 5000))
    assert.strictEqual(state.began, 5000)
    assert.isFalse(slice.isPast(state, 5000.5))
    assert.isTrue(slice.isPast(state, 5001))
  })

  it("I2: as many at a time as fit into a slice, at most twice as many as before, down to one and up to a bound", () => {
    const state = slice.make()
    assert.strictEqual(slice.batch(state, 0, 0), 2)
    for (const more of [4, 8, 16, 32]) assert.strictEqual(slice.batch(state, 0, state.size), more)
    assert.strictEqual(slice.batch(state, 0.5, 32), 64)
    assert.strictEqual(slice.batch(state, 2.5, 64), 32)
    assert.strictEqual(slice.batch(state, 5.5, 32), 10, "rounded down")
    assert.strictEqual(slice.batch(state, 105.5, 10), 1)
    assert.strictEqual(slice.batch(state, 106.5, 1), 1)
    for (let i = 0; i < 20; i++) slice.batch(state, 106.5, state.size)
    assert.strictEqual(state.size, slice.most)
    slice.begin(state, 200)
    assert.strictEqual(slice.batch(state, 200, 1), slice.most, "the time before it began does not count")
  })

  it("I3: the clock is read for the first item, then for fewer and fewer while they are quick", () => {
    const state = slice.make()
    const clock = clockAt()
    const read: Array<number> = []
    for (let item = 1; item <= 64; item++) {
      const before = clock.readings
      assert.isFalse(slice.isOver(state, clock.read))
      if (clock.readings > before) read.push(item)
    }
    assert.deepStrictEqual(read, [1, 2, 4, 8, 16, 32, 48, 64])
  })

  it("I3: slow items that follow upon quick ones are noticed after 16 at most, and from then on one by one", () => {
    for (const quick of [0, 1, 7, 100, 1000]) {
      const state = slice.make()
      const clock = clockAt()
      pass(state, clock, 0.0001, quick)
      assert.isAtMost(pass(state, clock, 3, Infinity), slice.widest)
      for (let i = 0; i < 3; i++) {
        slice.begin(state, clock.now)
        assert.strictEqual(pass(state, clock, 3, Infinity), 1)
      }
      assert.strictEqual(state.stride, 1)
    }
  })

  it("I3: whatever items take, if they take the same, a slice is over a quarter too late at most", () => {
    fc.assert(
      fc.property(fc.double({ min: 0.001, max: 3, noNaN: true }), (ms) => {
        const state = slice.make()
        const clock = clockAt()
        pass(state, clock, ms, 200)
        for (let i = 0; i < 5; i++) {
          const began = clock.now
          slice.begin(state, began)
          pass(state, clock, ms, Infinity)
          assert.isAtMost(clock.now - began, slice.length * 1.25 + ms)
        }
      })
    )
  })

  it("a clock that counts in whole milliseconds does as well", () => {
    const state = slice.make()
    const clock = clockAt()
    const whole = () => Math.floor(clock.read())
    let longest = 0
    for (let i = 0, began = clock.now; i < 20_000; i++) {
      clock.now += 0.01
      if (!slice.isOver(state, whole)) continue
      longest = Math.max(longest, clock.now - began)
      began = clock.now
      slice.begin(state, Math.floor(clock.now))
    }
    assert.isAtMost(longest, 2 * slice.length + 0.25)
    assert.isAbove(longest, 0)
    assert.isBelow(clock.readings, 20_000 / 5)
  })

  it("keeps its invariants", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(
            fc.constantFrom("begin", "batch", "item", "item", "item"),
            fc.integer({ min: -5, max: 5 }),
            fc.nat(40)
          )
        ),
        (steps) => {
          const state = slice.make()
          let now = 0
          for (const [what, passed, taken] of steps) {
            now += passed / 4
            if (what === "begin") slice.begin(state, now)
            else if (what === "batch") slice.batch(state, now, taken)
            else slice.isOver(state, () => now)
            slice.check(state)
          }
        }
      )
    )
  })

  it("check finds what is wrong", () => {
    const broken = (change: Partial<slice.State>) => () => slice.check({ ...slice.make(), ...change })
    broken({})()
    broken({ size: 1 })()
    broken({ size: slice.most, stride: slice.widest, unread: slice.widest - 1 })()
    assert.throws(broken({ size: 0 }), "I2: 0 at a time")
    assert.throws(broken({ size: slice.most + 1 }), /I2/)
    assert.throws(broken({ size: NaN }), /I2/)
    assert.throws(broken({ stride: 0, unread: -1 }), "I3: 0 between two readings")
    assert.throws(broken({ stride: slice.widest + 1 }), /I3: 17 between/)
    assert.throws(broken({ unread: 1 }), "I3: 1 of 1 left")
    assert.throws(broken({ stride: 4, unread: -1 }), /I3: -1 of 4 left/)
  })
})
