import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import { wake } from "../../src/core/ticket.js"
import * as core from "../../src/core/wait.js"
import { TestTicket } from "../utils/tickets.js"

const everyone = (n: number) => Array.from({ length: n }, () => true)

/** Starts all that can be started now. */
const startAll = (state: core.State, now = 0): Array<number> => {
  const started: Array<number> = []
  for (let next = core.startNext(state, now); next !== undefined; next = core.startNext(state, now)) started.push(next)
  return started
}

const endings: ReadonlyArray<core.Ending> = ["succeeded", "failed", "interrupted"]

/** What the goal is, said again: over the whole history, and not step by step. */
const decidedAfter = (goal: core.Goal, size: number, history: ReadonlyArray<core.Ending>): number | undefined => {
  const met = (ended: ReadonlyArray<core.Ending>): boolean => {
    const count = (ending: core.Ending) => ended.filter((each) => each === ending).length
    if (goal === "firstCompleted") return ended.length >= 1
    if (goal === "firstFailure") return count("failed") >= 1 || ended.length === size
    if (typeof goal === "string") return ended.length === size
    return count("succeeded") >= goal || size - count("failed") - count("interrupted") < goal
  }
  for (let n = 0; n <= history.length; n++) if (met(history.slice(0, n))) return n
  return undefined
}

const goals = (size: number): fc.Arbitrary<core.Goal> =>
  fc.oneof(
    fc.constantFrom<core.Goal>("firstCompleted", "firstFailure", "all", "each"),
    fc.integer({ min: 1, max: size })
  )

const setups = fc.integer({ min: 1, max: 6 }).chain((size) =>
  fc.record({
    size: fc.constant(size),
    goal: goals(size),
    ours: fc.array(fc.boolean(), { minLength: size, maxLength: size })
  })
)

describe("core/wait", () => {
  it("is decided at the first ending that meets the goal, or makes it impossible (I1, I2, I3, I4)", () => {
    fc.assert(
      fc.property(
        setups,
        fc.constantFrom(0, 3, Infinity),
        fc.constantFrom<core.Losers>("interruptAndWait", "interrupt", "keep"),
        fc.array(fc.tuple(fc.nat(10), fc.nat(20), fc.nat(2)), { maxLength: 40 }),
        ({ goal, ours, size }, delay, losers, steps) => {
          const state = core.make<number>("here", goal, ours, { delay, losers })
          const history: Array<core.Ending> = []
          let now = 0
          let last = -Infinity
          let closed = false
          let ticket: TestTicket<undefined, undefined> | undefined
          const running = new Set<number>()
          for (const [what, which, how] of steps) {
            const decided = core.isDecided(state)
            if (what < 3) {
              const free =
                state.started === 0 ||
                ["failed", "interrupted"].includes(state.members[state.started - 1]!.status) ||
                now >= last + delay
              const may = !decided && !closed && state.started < size && (free || delay === 0)
              assert.strictEqual(core.isStartDue(state, now), may)
              const before = state.started
              const index = core.startNext(state, now)
              assert.strictEqual(index, may ? before : undefined)
              if (index !== undefined) {
                running.add(index)
                last = now
                if (core.wakeAt(state) !== Infinity) assert.strictEqual(core.wakeAt(state), now + delay)
              }
            } else if (what < 7) {
              const index = [...running][which % Math.max(1, running.size)]
              if (index === undefined) continue
              running.delete(index)
              history.push(endings[how]!)
              wake(core.end(state, index, endings[how]!, index))
              // A second end of the same changes nothing.
              assert.strictEqual(core.end(state, index, "succeeded", 99), undefined)
            } else if (what < 8) {
              now += which
              wake(core.tick(state))
            } else if (what < 9) {
              const taken = core.take(state)
              if (taken === undefined && !core.isDecided(state) && ticket?.lane === undefined) {
                ticket = new TestTicket<undefined, undefined>(undefined, 0)
                core.enqueue(state, ticket)
              }
            } else if (ticket?.lane !== undefined) {
              core.cancel(state, ticket)
            } else if (which === 0 && !closed) {
              const interrupted = core.close(state, how === 0)
              closed = true
              const mine = [...running].filter((index) => ours[index]).sort()
              assert.deepStrictEqual(interrupted, losers === "keep" && how !== 0 ? [] : mine)
              assert.strictEqual(core.mustWait(state), mine.length > 0 && state.losers === "interruptAndWait")
            }
            core.check(state)
            if (!closed) assert.strictEqual(state.decidedAt, decidedAfter(goal, size, history))
          }
        }
      ),
      { numRuns: 500 }
    )
  })

  it("I1: with a delay the next starts when it is over, or when the last that was started failed", () => {
    const state = core.make("here", 1, everyone(4), { delay: 10 })
    assert.deepStrictEqual(startAll(state, 5), [0])
    assert.strictEqual(core.wakeAt(state), 15)
    assert.deepStrictEqual(startAll(state, 14), [])
    assert.deepStrictEqual(startAll(state, 15), [1])
    core.end(state, 0, "failed", undefined)
    assert.deepStrictEqual(startAll(state, 16), [])
    core.end(state, 1, "failed", undefined)
    assert.deepStrictEqual(startAll(state, 17), [2])
    assert.strictEqual(core.wakeAt(state), 27)
    core.end(state, 2, "succeeded", undefined)
    assert.deepStrictEqual(startAll(state, 100), [])
    assert.strictEqual(core.wakeAt(state), Infinity)
    core.check(state)
  })

  it("I1: check finds one that was started out of turn", () => {
    const state = core.make("here", "all", everyone(2))
    state.members[1]!.status = "running"
    assert.throws(() => core.check(state), "I1: 1 is running, and 0 were started")
  })

  it("I2: what comes late, twice, or was never started, changes nothing", () => {
    const state = core.make("here", "all", everyone(2))
    assert.strictEqual(core.end(state, 0, "succeeded", "early"), undefined)
    startAll(state)
    core.end(state, 0, "failed", "first")
    core.end(state, 0, "succeeded", "second")
    assert.deepStrictEqual(state.members[0], { ours: true, status: "failed", result: "first" })
    core.check(state)
  })

  it("I2: check finds what is counted wrong", () => {
    const broken = (change: (state: core.State) => void) => () => {
      const state = core.make<unknown>("here", 2, everyone(3))
      startAll(state)
      core.end(state, 0, "succeeded", undefined)
      core.check(state)
      change(state)
      core.check(state)
    }
    assert.throws(
      broken((state) => state.endings.push(0)),
      "I2: one of 0,0 has ended twice"
    )
    assert.throws(
      broken((state) => state.endings.pop()),
      "I2: 0 have ended, and  are said to have"
    )
    assert.throws(
      broken((state) => state.succeeded++),
      "I2: 2 succeeded and 0 failed, they say"
    )
    assert.throws(
      broken((state) => state.running--),
      "I2: 1 of ours run, they say"
    )
    assert.throws(
      broken((state) => (state.taken = 2)),
      "I2: 2 of 1 endings were taken"
    )
  })

  it("I3: check finds what ought to be decided", () => {
    const state = core.make("here", "firstCompleted", everyone(2))
    startAll(state)
    core.end(state, 1, "failed", undefined)
    state.decidedAt = undefined
    assert.throws(() => core.check(state), "I3: it is not decided, and ought to be")
  })

  it("I3: the decision stays: those that end later are neither winners nor losses", () => {
    const state = core.make("here", 2, everyone(5))
    startAll(state)
    for (const [index, ending] of [
      [3, "failed"],
      [4, "succeeded"],
      [0, "failed"],
      [2, "succeeded"],
      [1, "succeeded"]
    ] as const) {
      core.end(state, index, ending, undefined)
    }
    assert.deepStrictEqual(core.winners(state), [4, 2])
    assert.deepStrictEqual(core.losses(state), [0, 3])
    assert.isTrue(core.hasSucceeded(state))
    core.expire(state)
    assert.strictEqual(state.decidedAt, 4)
  })

  it("I3: interrupted members are no failures, and no successes", () => {
    const wait = core.make("here", "firstFailure", everyone(2))
    startAll(wait)
    core.end(wait, 0, "interrupted", undefined)
    assert.isFalse(core.isDecided(wait))
    const quorum = core.make("here", 2, everyone(2))
    startAll(quorum)
    core.end(quorum, 0, "interrupted", undefined)
    assert.isTrue(core.isDecided(quorum))
    assert.isFalse(core.hasSucceeded(quorum))
    assert.deepStrictEqual(core.losses(quorum), [0])
  })

  it("I4: whoever waits is woken by the decision, and once it is closed by the last that ended", () => {
    const state = core.make("here", "firstCompleted", everyone(3))
    startAll(state)
    const ticket = new TestTicket<undefined, undefined>(undefined, 0)
    core.enqueue(state, ticket)
    wake(core.end(state, 1, "succeeded", undefined))
    assert.strictEqual(ticket.wakes, 1)
    assert.deepStrictEqual(core.close(state, false), [0, 2])
    const drained = new TestTicket<undefined, undefined>(undefined, 0)
    core.enqueue(state, drained)
    wake(core.end(state, 0, "interrupted", undefined))
    assert.strictEqual(drained.wakes, 0)
    core.check(state)
    wake(core.end(state, 2, "interrupted", undefined))
    assert.strictEqual(drained.wakes, 1)
    core.check(state)
  })

  it("I4: check finds one who waits for what is there", () => {
    const waiting = (goal: core.Goal, change: (state: core.State) => void) => () => {
      const state = core.make<unknown>("here", goal, everyone(2), { losers: "interrupt" })
      startAll(state)
      change(state)
      core.enqueue(state, new TestTicket<undefined, undefined>(undefined, 0))
      core.check(state)
    }
    const end = (state: core.State) => void core.end(state, 0, "succeeded", undefined)
    assert.throws(waiting("firstCompleted", end), "I4: somebody waits for what is decided")
    assert.throws(waiting("each", end), "I4: somebody waits for what is there")
    assert.throws(
      waiting("all", (state) => void core.close(state, false)),
      "I4: somebody waits, and nobody has to be waited for"
    )
  })

  it("a caller who is gone keeps nobody", () => {
    for (const gone of [true, false]) {
      const state = core.make("here", 1, [true, false, true], { losers: "keep" })
      startAll(state)
      assert.deepStrictEqual(core.close(state, gone), gone ? [0, 2] : [])
      assert.strictEqual(core.mustWait(state), gone)
    }
  })

  it("what failed and was not taken is told; what fails after the end is not told twice", () => {
    const state = core.make("here", "each", [true, true, true, false])
    startAll(state)
    core.end(state, 1, "failed", undefined)
    core.end(state, 3, "failed", undefined)
    core.end(state, 0, "failed", undefined)
    assert.strictEqual(core.take(state), 1)
    core.close(state, false)
    core.end(state, 2, "failed", undefined)
    assert.deepStrictEqual(core.disown(state), [0, 3])
    assert.deepStrictEqual(core.disown(state), [])
  })

  it("what failed and was given up can be taken all the same, and is not given up again", () => {
    const state = core.make("here", "each", everyone(4))
    startAll(state)
    core.end(state, 2, "failed", undefined)
    core.end(state, 1, "succeeded", undefined)
    core.end(state, 0, "failed", undefined)
    assert.deepStrictEqual(core.disown(state), [0, 2])
    assert.deepStrictEqual([core.take(state), core.take(state)], [2, 1])
    core.end(state, 3, "failed", undefined)
    assert.deepStrictEqual(core.disown(state), [3])
    assert.deepStrictEqual([core.take(state), core.take(state), core.take(state)], [0, 3, undefined])
    assert.deepStrictEqual(core.disown(state), [])
  })

  it("the reasons are the failures that are the result, in start order: none of a success, nor before it is decided", () => {
    const reasons = (goal: core.Goal, ...endings: ReadonlyArray<readonly [number, core.Ending]>) => {
      const state = core.make("here", goal, everyone(3))
      startAll(state)
      for (const [index, ending] of endings) core.end(state, index, ending, undefined)
      return core.reasons(state)
    }
    assert.deepStrictEqual(reasons(1, [2, "failed"], [0, "failed"]), [])
    assert.deepStrictEqual(reasons(1, [2, "failed"], [1, "interrupted"], [0, "failed"]), [0, 2])
    assert.deepStrictEqual(reasons(1, [2, "failed"], [0, "succeeded"], [1, "failed"]), [])
    assert.deepStrictEqual(reasons(3, [1, "failed"], [0, "failed"]), [1])
    assert.deepStrictEqual(reasons(3, [1, "interrupted"]), [])
    assert.deepStrictEqual(reasons("firstCompleted", [1, "failed"], [0, "failed"]), [1])
    assert.deepStrictEqual(reasons("firstCompleted", [1, "succeeded"], [0, "failed"]), [])
    assert.deepStrictEqual(reasons("each", [1, "failed"], [0, "failed"], [2, "failed"]), [])
  })

  it("who waits for itself: where nobody else takes part, or all are needed", () => {
    const is = (goal: core.Goal, size: number, own: number) => core.waitsForItself(goal, size, own)
    for (const goal of ["firstCompleted", "firstFailure", "all", "each", 1] as const) {
      assert.deepStrictEqual([is(goal, 1, 1), is(goal, 2, 2), is(goal, 2, 0)], [true, true, false])
      assert.strictEqual(is(goal, 2, 1), goal === "all")
    }
    assert.deepStrictEqual([is(2, 3, 1), is(3, 3, 1), is(2, 3, 2)], [false, true, true])
  })

  it("I3: those who wait themselves bring nothing about: it is decided when the others have ended", () => {
    const ended = (goal: core.Goal, selves: number, ...endings: ReadonlyArray<core.Ending>) => {
      const state = core.make<undefined>("here", goal, everyone(3), { selves })
      while (core.startNext(state, 0) !== undefined);
      endings.forEach((ending, index) => core.end(state, index, ending, undefined))
      core.check(state)
      return core.isDecided(state)
    }
    for (const goal of ["firstFailure", 1] as const) {
      const other = goal === 1 ? "failed" : "succeeded"
      assert.deepStrictEqual([ended(goal, 1, other), ended(goal, 1, other, other)], [false, true])
      assert.deepStrictEqual([ended(goal, 2, other), ended(goal, 0, other, other)], [true, false])
    }
    assert.deepStrictEqual(
      [ended(2, 1, "failed"), ended(2, 1, "succeeded"), ended(2, 0, "failed")],
      [true, false, false]
    )
    // Who takes the endings one by one takes those of the others first.
    assert.isFalse(ended("each", 1, "succeeded", "succeeded"))
  })

  it("gives what a winner gave, and told to, whose it is", () => {
    const [alone, withIndex] = [false, true].map((withIndex) => core.make("here", 1, everyone(2), { withIndex }))
    assert.strictEqual(core.won(alone!, 1, "value"), "value")
    assert.strictEqual(core.won(core.make("here", 1, everyone(2)), 1, "value"), "value")
    assert.deepStrictEqual(core.won(withIndex!, 1, "value"), { index: 1, value: "value" })
  })

  it("refuses options that there are not", () => {
    const make = (options: object) => () => core.make("here", 1, everyone(1), options)
    assert.throws(make({ withIndex: "yes" }), TypeError, 'here: withIndex must be a boolean, got "yes"')
    for (const losers of ["drop", null, 0]) {
      assert.throws(
        make({ losers }),
        typeof losers === "string" ? RangeError : TypeError,
        `here: losers must be one of "interruptAndWait", "interrupt", "keep", got`
      )
    }
    for (const losers of ["interruptAndWait", "interrupt", "keep"])
      assert.strictEqual(make({ losers })().losers, losers)
    assert.strictEqual(make({ losers: undefined })().losers, "interruptAndWait")
  })

  it("refuses a list that is none, what is no member, and one that is too short", () => {
    const isMember = (value: number) => value > 0
    const list = (members: any, min?: number) => () => core.list("here", "numbers", members, "a number", isMember, min)
    assert.deepStrictEqual(list(new Set([1, 2]))(), [1, 2])
    const given = [1, 2]
    assert.notStrictEqual(list(given)(), given)
    assert.deepStrictEqual(list([], 0)(), [])
    assert.throws(list([]), RangeError, "here: numbers must be a list of at least 1, got an empty one")
    for (const bad of [undefined, null, 5, {}])
      assert.throws(list(bad), TypeError, "here: numbers must be a list, got ")
    assert.throws(list([1, 0]), TypeError, "here: each of numbers must be a number, got 0")
    assert.throws(list(new Array(1)), TypeError, "here: each of numbers must be a number, got undefined")
  })

  it("refuses numbers, words and options out of range", () => {
    assert.deepStrictEqual([core.count("here", 1, 2), core.count("here", 2, 2)], [1, 2])
    for (const n of [0, 3]) {
      assert.throws(() => core.count("here", n, 2), RangeError, `here: n must be an integer from 1 to 2, got ${n}`)
    }
    assert.deepStrictEqual([core.pace("here", "delay", 0), core.pace("here", "delay", Infinity)], [0, Infinity])
    assert.throws(
      () => core.pace("here", "delay", -1),
      RangeError,
      "here: delay must be 0 or more milliseconds, got -1"
    )
    assert.deepStrictEqual([core.attempts("here"), core.attempts("here", 1)], [2, 1])
    assert.throws(() => core.attempts("here", 0), RangeError, "here: max must be an integer of at least 1, got 0")
    assert.strictEqual(core.until("here"), "all")
    for (const until of ["firstCompleted", "firstFailure", "all"] as const) {
      assert.strictEqual(core.until("here", until), until)
    }
    assert.throws(
      () => core.until("here", "each" as "all"),
      RangeError,
      `here: until must be one of "firstCompleted", "firstFailure", "all", got "each"`
    )
    assert.strictEqual(core.options("here", undefined), undefined)
    const options = {}
    assert.strictEqual(core.options("here", options), options)
    for (const bad of [5, 0, null] as Array<any>) {
      assert.throws(() => core.options("here", bad), TypeError, "here: options must be an object, got ")
    }
  })

  it("TooManyFailed is an AggregateError with a tag", () => {
    const error = new core.TooManyFailed(["a", "b"], 2, 3)
    assert.instanceOf(error, AggregateError)
    assert.deepStrictEqual([error._tag, error.name, error.needed, error.of], ["TooManyFailed", "TooManyFailed", 2, 3])
    assert.deepStrictEqual(error.errors, ["a", "b"])
    assert.strictEqual(error.message, "2 of 3 failed, and 2 had to succeed")
  })
})
