import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import * as core from "../../src/core/deadline.js"
import { TestTicket, ticketsOf } from "../utils/tickets.js"

const options = { name: undefined, grace: Infinity }
const make = (at: number, outer?: core.State) => core.make(options, at, at, outer)

type Waiting = TestTicket<undefined, "ended" | "left">
const waiting = (): Waiting => new TestTicket(undefined, 0)
const worker = (request: Waiting = waiting()) => new TestTicket<core.Waiting | undefined, core.Stop>(request, 0)
/** One that nobody waits for. */
const alone = () => new TestTicket<core.Waiting | undefined, core.Stop>(undefined, 0)

describe("a deadline", () => {
  it("tells all that works under it, in order of its beginning, once, and lets nothing begin after that (I1, I3)", () => {
    const state = make(10)
    const workers = [worker(), worker(), worker()]
    for (const each of workers) assert.isUndefined(core.begin(state, each, 9.9))
    assert.deepStrictEqual(ticketsOf(core.expire(state)), workers)
    assert.deepStrictEqual(
      workers.map(({ result }) => result),
      ["deadline", "deadline", "deadline"]
    )
    const { expired } = state
    assert.isUndefined(core.expire(state))
    assert.strictEqual(state.expired, expired)
    assert.strictEqual(core.begin(state, worker(), 0), state)
    core.check(state, workers)
  })

  it("nothing begins at its time, or later", () => {
    const state = make(10)
    assert.strictEqual(core.begin(state, worker(), 10), state)
    assert.isUndefined(core.begin(state, worker(), 10 - Number.EPSILON * 10))
  })

  it("the timer is for those who work, and so is the time that it has to fire", () => {
    const state = make(10)
    assert.strictEqual(core.wakeAt(state), Infinity)
    const one = worker()
    core.begin(state, one, 0)
    assert.strictEqual(core.wakeAt(state), 10)
    core.end(state, one)
    assert.strictEqual(core.wakeAt(state), Infinity)
  })

  it("that the caller is gone replaces the deadline as the reason, and not the other way round (I2)", () => {
    const state = make(10)
    const [first, second] = [worker(), worker()]
    core.begin(state, first, 0)
    core.begin(state, second, 0)
    assert.deepStrictEqual(ticketsOf(core.stop(state, first)), [first])
    core.expire(state)
    assert.isUndefined(core.stop(state, second))
    assert.deepStrictEqual([first.result, second.result], ["caller", "caller"])
    assert.isUndefined(core.stop(state, second))
    core.check(state, [first, second])
  })

  it("who waits is told once: that it has ended, or that it was left (I4)", () => {
    const state = make(10)
    const [ended, left] = [waiting(), waiting()]
    const workers = [worker(ended), worker(left)]
    workers.forEach((each) => core.begin(state, each, 0))
    core.expire(state)
    assert.deepStrictEqual(ticketsOf(core.end(state, workers[0]!)), [ended])
    assert.isUndefined(core.leave(workers[0]!))
    assert.deepStrictEqual(ticketsOf(core.leave(workers[1]!)), [left])
    assert.isUndefined(core.end(state, workers[1]!))
    assert.deepStrictEqual([ended.result, left.result], ["ended", "left"])
    assert.isUndefined(core.end(state, alone()))
  })

  it("moves until it has passed, also unnoticed, or was closed (I3)", () => {
    const state = make(10)
    assert.isTrue(core.move(state, 9, 20, 11))
    assert.isTrue(core.move(state, 19, Infinity, undefined))
    assert.isTrue(core.move(state, 19, 30, 11))
    assert.isFalse(core.move(state, 30, 40, 10))
    assert.deepStrictEqual([state.at, state.milliseconds], [30, 11])
    const expired = make(10)
    core.expire(expired)
    assert.isFalse(core.move(expired, 0, 40, 40))
    const closed = make(10)
    core.close(closed)
    assert.isFalse(core.move(closed, 0, 40, 40))
  })

  it("says whose it was", () => {
    const named = core.make({ name: "mine", grace: 5 }, 10, 10, undefined)
    core.expire(named)
    const { _tag, deadline, message, milliseconds, name } = named.expired!
    assert.deepStrictEqual(
      [_tag, name, deadline, milliseconds, message],
      ["DeadlineExceeded", "TimeoutError", "mine", 10, 'the deadline "mine" of 10 ms has passed']
    )
    assert.strictEqual(new core.DeadlineExceeded(undefined, undefined).message, "the deadline has passed")
    assert.strictEqual(core.left(named), "the work had not ended 5 ms after it was told to stop, and was left behind")
  })

  it("refuses what makes no sense", () => {
    assert.throws(() => core.options("f", { grace: -1 }), RangeError, "f: grace must be 0 or more milliseconds, got -1")
    assert.throws(() => core.options("f", { name: 1 as never }), TypeError, "f: name must be a string, got 1")
    assert.throws(() => core.options("f", null as never), TypeError, "f: options must be an object, got null")
    assert.deepStrictEqual(core.options("f", {}), { name: undefined, grace: Infinity })
  })
})

describe("deadlines within each other", () => {
  it("the earliest counts, and the outermost of those that are equal", () => {
    const outer = make(10)
    const middle = make(10, outer)
    const inner = make(20, middle)
    assert.strictEqual(core.earliest(inner), outer)
    assert.strictEqual(core.earliest(make(5, inner)).at, 5)
    assert.strictEqual(core.remaining(inner, 4), 6)
    assert.strictEqual(core.remaining(inner, 11), 0)
    assert.strictEqual(core.remaining(make(Infinity), 4), Infinity)
  })

  it("one that was closed does not count, nor one that has expired: what begins then is cleanup", () => {
    const outer = make(10)
    const inner = make(20, make(15, outer))
    core.close(outer)
    assert.strictEqual(core.earliest(inner), inner.outer)
    core.expire(inner.outer!)
    assert.strictEqual(core.earliest(inner), inner)
    assert.isUndefined(core.begin(inner, worker(), 19))
  })

  it("the timer of an inner one: an outer one that is not later expires with it, and it is its error", () => {
    const outer = make(10)
    const inner = make(10, outer)
    const [out, in_] = [worker(), worker()]
    core.begin(outer, out, 0)
    core.begin(inner, in_, 0)
    assert.deepStrictEqual(ticketsOf(core.fire(inner)), [out, in_])
    assert.strictEqual(inner.expired, outer.expired)
    const later = make(20)
    const alone = make(10, later)
    core.fire(alone)
    assert.isUndefined(later.expired)
  })

  it("nothing begins when an outer one has passed, and it is that one that has to expire", () => {
    const outer = make(10)
    const inner = make(100, outer)
    assert.strictEqual(core.begin(inner, worker(), 50), outer)
    assert.strictEqual(inner.works.size, 0)
  })
})

describe("the invariants of a deadline", () => {
  it("hold after any sequence of transitions, and who works is always told in the end (I1, I2, I3, I4, I5)", () => {
    const transition = fc.oneof(
      fc.record({ kind: fc.constant("begin" as const), waits: fc.boolean() }),
      fc.record({ kind: fc.constantFrom("end" as const, "stop" as const, "leave" as const), which: fc.nat(30) }),
      fc.record({ kind: fc.constant("fire" as const) }),
      fc.record({ kind: fc.constant("move" as const), by: fc.nat(50) }),
      fc.record({ kind: fc.constant("wait" as const), by: fc.nat(20) }),
      fc.record({ kind: fc.constant("close" as const) })
    )
    fc.assert(
      fc.property(fc.array(transition, { maxLength: 60 }), (transitions) => {
        const outer = make(60)
        const state = make(40, outer)
        const workers: Array<TestTicket<core.Waiting | undefined, core.Stop>> = []
        let now = 0
        for (const each of transitions) {
          if (each.kind === "begin") {
            const one = each.waits ? worker() : alone()
            const late = core.begin(state, one, now)
            if (late) core.expire(late)
            else workers.push(one)
          } else if (each.kind === "fire") core.fire(state)
          else if (each.kind === "move") core.move(state, now, now + each.by, each.by)
          else if (each.kind === "wait") now += each.by
          else if (each.kind === "close") core.close(state)
          else {
            const one = workers[each.which]
            if (!one) continue
            if (each.kind === "end") core.end(state, one)
            else if (each.kind === "stop") core.stop(state, one)
            else if (one.settled) core.leave(one)
          }
          core.check(state, workers)
          core.check(outer)
        }
        core.fire(state)
        core.check(state, workers)
        for (const one of workers) assert.isTrue(one.settled || one.lane === undefined)
      }),
      { numRuns: 500 }
    )
  })

  it("check finds what is broken", () => {
    const broken = (breakIt: (state: core.State, one: ReturnType<typeof worker>) => void) => {
      const state = make(10)
      const one = worker()
      core.begin(state, one, 0)
      breakIt(state, one)
      return () => core.check(state, [one])
    }
    assert.throws(
      broken((state) => (state.expired = new core.DeadlineExceeded(undefined, 1))),
      "I1"
    )
    assert.throws(
      broken((_, one) => (one.request!.settled = true)),
      "I1: what is listed has ended"
    )
    assert.throws(
      broken((state) => (state.waited = 0)),
      "I5"
    )
    assert.throws(
      broken((state, one) => {
        core.stop(state, one)
        one.result = "deadline"
      }),
      "I3"
    )
    assert.throws(
      broken((state, one) => {
        core.end(state, one)
        one.request!.result = "left"
      }),
      "I4"
    )
  })
})
