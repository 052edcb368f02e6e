import { assert, describe, it } from "@effect/vitest"
import type { Look, Result } from "../../src/core/latch.js"
import type { Line, Port } from "../../src/core/latches.js"
import * as core from "../../src/core/latches.js"
import { HandClock } from "../utils/handClock.js"
import { TestTicket } from "../utils/tickets.js"

class Waiter extends TestTicket<undefined, Result> {}

interface Question {
  readonly name: string
  readonly answer: (look: Look) => void
  readonly fail: (failure: unknown) => void
}

const setup = () => {
  const time = new HandClock()
  const questions: Array<Question> = []
  const watches: Array<{ readonly name: string; readonly changed: () => void; ended: boolean }> = []
  const none = () => assert.fail("nobody asked for that")
  const port: Port = {
    set: none,
    clear: none,
    pulse: none,
    look: (name, answer, fail) => void questions.push({ name, answer, fail }),
    watch: (name, changed) => {
      const watch = { name, changed, ended: false }
      watches.push(watch)
      return () => void (watch.ended = true)
    },
    random: () => 1,
    report: none,
    errorOf: (failure) => failure
  }
  const latches = new core.Latches(core.config("here", { poll: 100 }), port, time)
  const wait = (name = "a"): { readonly line: Line; readonly waiter: Waiter } => {
    const line = latches.line(name)
    const waiter = new Waiter(undefined, 0)
    latches.enqueue(line, waiter)
    latches.check()
    return { line, waiter }
  }
  return { time, questions, watches, latches, wait }
}

const notSet: Look = { isSet: false, count: 0 }
const isSet: Look = { isSet: true, count: 1 }

describe("flags of a store, on a clock", () => {
  it("are looked at under their prefix, every second, unless something else was asked for", () => {
    assert.deepStrictEqual(core.config("here", {}), { poll: 1000, prefix: "event" })
    assert.deepStrictEqual(core.config("here", { poll: 10, prefix: "app" }), { poll: 10, prefix: "app" })
    assert.throws(
      () => core.config("here", undefined as any),
      TypeError,
      "here: options must be an object, got undefined"
    )
    assert.throws(() => core.config("here", { poll: 1 }), RangeError, "here: poll must be from 10 ms to a day, got 1")
    assert.throws(
      () => core.config("here", { prefix: 1 as any }),
      TypeError,
      "here: prefix must be a string of at most 256 characters, got 1"
    )
  })

  it("an answer of a store that is none is refused by its name, and not taken for a flag that is not set", () => {
    assert.strictEqual(core.checkLook(isSet), isSet)
    assert.strictEqual(core.checkLook(notSet), notSet)
    const refused = (look: any) => {
      try {
        core.checkLook(look)
      } catch (error) {
        return String(error)
      }
      return "accepted"
    }
    assert.strictEqual(refused(undefined), "TypeError: LatchStore.look: isSet must be true or false, got undefined")
    assert.strictEqual(
      refused({ isSet: 1, count: 0 }),
      "TypeError: LatchStore.look: isSet must be true or false, got 1"
    )
    assert.strictEqual(
      refused({ isSet: true, count: -1 }),
      "RangeError: LatchStore.look: count must be an integer of at least 0, got -1"
    )
  })

  it("a flag is set for more than 0 ms and up to a hundred years, in whole milliseconds and for no less than was asked", () => {
    const years = 100 * 365 * 86_400_000
    assert.isUndefined(core.checkTimeToLive("here"))
    assert.isUndefined(core.checkTimeToLive("here", Infinity))
    assert.strictEqual(core.checkTimeToLive("here", 0.1), 1)
    assert.strictEqual(core.checkTimeToLive("here", years), years)
    for (const bad of [0, -1, NaN, years + 1])
      assert.throws(
        () => core.checkTimeToLive("here", bad),
        RangeError,
        `here: timeToLive must be more than 0 ms, and at most 100 years, got ${bad}`
      )
    assert.throws(
      () => core.checkTimeToLive("here", "soon" as any),
      TypeError,
      'here: timeToLive must be more than 0 ms, and at most 100 years, got "soon"'
    )
  })

  it("all who wait for one name are asked for together, and woken when it is set; others are not", () => {
    const { latches, questions, time, wait } = setup()
    const [one, other] = [wait("a"), wait("b")]
    assert.deepStrictEqual(
      questions.map(({ name }) => name),
      ["event:a", "event:b"]
    )
    const two = wait("a")
    assert.strictEqual(two.line, one.line)
    questions[0]!.answer(notSet)
    assert.strictEqual(questions.length, 3, "the second came after the question")
    questions[2]!.answer(notSet)
    assert.deepStrictEqual(latches.stats(), { waiting: 3 })
    assert.isTrue(Object.isFrozen(latches.stats()))
    time.to(99)
    assert.strictEqual(questions.length, 3)
    time.to(100)
    assert.strictEqual(questions.length, 4)
    questions[3]!.answer(isSet)
    assert.deepStrictEqual(
      [one, two, other].map(({ waiter }) => waiter.wakes),
      [1, 1, 0]
    )
    assert.deepStrictEqual(latches.stats(), { waiting: 1 })
    questions[1]!.answer(isSet)
    assert.isTrue(latches.isIdle)
    assert.strictEqual(time.timers.size, 0)
  })

  it("the store is watched while somebody sleeps, under the same name: what it tells is looked into at once", () => {
    const { questions, time, wait, watches } = setup()
    const { waiter } = wait()
    assert.strictEqual(watches.length, 0)
    questions[0]!.answer(notSet)
    assert.deepStrictEqual(
      watches.map(({ ended, name }) => [name, ended]),
      [["event:a", false]]
    )
    watches[0]!.changed()
    assert.deepStrictEqual([questions.length, time.at], [2, 0])
    // Nobody sleeps while the store is being asked, but it will be told again.
    assert.isFalse(watches[0]!.ended)
    assert.strictEqual(time.timers.size, 0)
    questions[1]!.answer(isSet)
    assert.strictEqual(waiter.wakes, 1)
    assert.isTrue(watches[0]!.ended)
  })

  it("a store that fails is asked once more, at once; then whoever waits hears what failed", () => {
    const { latches, questions, wait } = setup()
    const { waiter } = wait()
    questions[0]!.fail("down")
    assert.strictEqual(questions.length, 2)
    assert.strictEqual(waiter.wakes, 0)
    questions[1]!.fail("still down")
    assert.deepStrictEqual(waiter.result, { kind: "failed", failure: "still down" })
    assert.strictEqual(waiter.wakes, 1)
    assert.isTrue(latches.isIdle)
  })

  it("of those who go nothing is left: no timer, no watch, no line", () => {
    const { latches, questions, time, wait, watches } = setup()
    const { line, waiter } = wait()
    questions[0]!.answer(notSet)
    assert.isFalse(latches.isIdle)
    assert.isUndefined(latches.cancel(line, waiter))
    assert.isTrue(latches.isIdle)
    assert.isTrue(watches[0]!.ended)
    assert.strictEqual(time.timers.size, 0)
    assert.strictEqual(waiter.wakes, 0)
  })

  it("a line that ends late does not take away the one that its name has by then", () => {
    const { latches, questions, wait } = setup()
    const first = wait()
    questions[0]!.answer(isSet)
    const second = wait()
    assert.notStrictEqual(second.line, first.line)
    latches.changed(first.line)
    assert.deepStrictEqual(latches.stats(), { waiting: 1 })
    assert.strictEqual(latches.line("a"), second.line)
  })

  it("check finds a line that does not hold", () => {
    const { latches, questions, wait } = setup()
    const { line } = wait()
    questions[0]!.answer(notSet)
    line.state.lookout.wakeAt = Infinity
    assert.throws(() => latches.check(), "I1: 1 wait, the next question is due at Infinity")
  })
})
