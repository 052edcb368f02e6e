import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import * as running from "../../src/core/running.js"
import * as core from "../../src/core/shield.js"
import { wake } from "../../src/core/ticket.js"
import { TestTicket } from "../utils/tickets.js"

const caller = () => new TestTicket<undefined, core.End<any>>(undefined, 0)
const make = () => core.make("here")
const start = (state: core.State, name?: string) => {
  const work = core.makeWork(name)
  assert.isUndefined(core.add(state, work))
  return work
}
const oops = { failed: true, error: "oops", account: "oops" }
const done = { failed: false, error: undefined, account: "done" }

describe("the shield", () => {
  it("work that has ended is not kept, and wakes all who wait for it, who then wait no longer (I1, I2)", () => {
    const state = make()
    const work = start(state, "save")
    const callers = [caller(), caller()]
    for (const each of callers) wake(core.wait(work, each))
    assert.deepStrictEqual(core.stats(state), { running: 1, names: ["save"], isClosed: false })
    wake(core.end(state, work, { ...done, account: 5 }))
    core.check(state, [work])
    assert.deepStrictEqual(
      callers.map(({ result, wakes }) => [wakes, result!.account]),
      [
        [1, 5],
        [1, 5]
      ]
    )
    assert.strictEqual(core.stats(state).running, 0)
    const late = caller()
    wake(core.wait(work, late))
    assert.deepStrictEqual([late.wakes, late.result!.account], [1, 5])
  })

  it("a failure is reported when nobody has it, and once (I3)", () =>
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom("wait", "leave", "end"), { maxLength: 20 }),
        fc.boolean(),
        (commands, failed) => {
          const state = make()
          const work = start(state)
          const there: Array<TestTicket<undefined, core.End<any>>> = []
          let ended = false
          let reports = 0
          for (const command of commands) {
            if (command === "wait") {
              const ticket = caller()
              wake(core.wait(work, ticket))
              there.push(ticket)
            } else if (command === "leave" && there.length > 0) {
              core.leave(work, there.pop()!)
            } else if (command === "end" && !ended) {
              ended = true
              wake(core.end(state, work, { failed, error: "end", account: "end" }))
            }
            if (core.late(work)) {
              reports++
              core.check(state, [work])
              assert.strictEqual(core.stats(state).running, 1)
              wake(core.told(state, work))
              assert.isTrue(ended && failed && there.length === 0)
            }
            core.check(state, [work])
            if (ended && failed && there.length === 0) assert.strictEqual(reports, 1)
          }
          assert.isAtMost(reports, 1)
        }
      )
    ))

  it("a failure stays until a caller takes it, or until it is told, and comes back never (I1)", () => {
    for (const takes of [true, false]) {
      const state = make()
      const work = start(state, "save")
      const [first, second] = [caller(), caller()]
      for (const each of [first, second]) wake(core.wait(work, each))
      const empty = new TestTicket<undefined, undefined>(undefined, 0)
      running.enqueue(state.works, empty)
      core.beginClose(state)
      wake(core.end(state, work, oops))
      core.leave(work, first)
      assert.isUndefined(core.late(work), "there is another caller")
      core.check(state, [work])
      assert.deepStrictEqual([empty.wakes, state.status], [0, "closing"], "who is it that has the failure?")
      if (takes) wake(core.take(state, work))
      else {
        core.leave(work, second)
        assert.strictEqual(core.late(work), oops)
        assert.strictEqual(empty.wakes, 0)
        const late = caller()
        wake(core.wait(work, late))
        assert.isUndefined(core.take(state, work), "it is told to the end, whoever hears of it as well")
        assert.deepStrictEqual([late.wakes, empty.wakes], [1, 0])
        wake(core.told(state, work))
      }
      core.check(state, [work])
      assert.deepStrictEqual([empty.wakes, state.status, state.works.size], [1, "closed", 0])
      assert.isUndefined(core.late(work))
      assert.isUndefined(core.take(state, work))
    }
  })

  it("one that is closed in the tick of a failure leaves it to the caller, who may yet go (I3)", () => {
    const state = make()
    const work = start(state, "save")
    const ticket = caller()
    wake(core.wait(work, ticket))
    wake(core.end(state, work, oops))
    const left = core.close(state)
    assert.deepStrictEqual([left.names, left.overdue, left.message], [[], [], undefined])
    core.leave(work, ticket)
    assert.strictEqual(core.late(work), oops)
    wake(core.told(state, work))
    core.check(state, [work])
    assert.strictEqual(state.works.size, 0)
  })

  it("one that is closed takes no work, names what it leaves behind, and lets it end (I4)", () => {
    const state = make()
    const work = start(state, "save")
    start(state)
    const left = core.close(state)
    assert.deepStrictEqual(
      [left.names, left.overdue, left.chain, left.message],
      [
        ["save", "(no name)"],
        [],
        undefined,
        "2 pieces of shielded work had not ended by the deadline, and were left behind: save, (no name)"
      ]
    )
    const again = core.close(state)
    assert.deepStrictEqual([again.names, again.message], [["save", "(no name)"], undefined], "it is told once")
    const refused = core.add(state, core.makeWork("late"))
    assert.instanceOf(refused, core.ShieldClosed)
    assert.strictEqual(refused!.message, 'the work "late" was not started: the shield is closed')
    assert.deepStrictEqual([refused!.name, refused!._tag, refused!.work], ["ShieldClosed", "ShieldClosed", "late"])
    assert.strictEqual(
      core.add(state, core.makeWork(undefined))!.message,
      "the work was not started: the shield is closed"
    )
    wake(core.end(state, work, oops))
    assert.strictEqual(core.late(work), oops)
    assert.deepStrictEqual(core.stats(state).names, ["save", "(no name)"], "it is there until its failure is told")
    wake(core.told(state, work))
    assert.deepStrictEqual(core.stats(state), { running: 1, names: ["(no name)"], isClosed: true })
  })

  it("one that is closing takes work as long as there is some, and is closed with the end of the last (I4)", () => {
    const state = make()
    const [a, b] = [start(state), start(state)]
    core.beginClose(state)
    wake(core.end(state, a, done))
    const c = start(state)
    wake(core.end(state, b, done))
    core.check(state)
    wake(core.end(state, c, oops))
    assert.isFalse(core.stats(state).isClosed, "not before the failure is told")
    core.late(c)
    wake(core.told(state, c))
    assert.isTrue(core.stats(state).isClosed)
    assert.instanceOf(core.add(state, core.makeWork("late")), core.ShieldClosed)
    const left = make()
    start(left)
    core.close(left)
    core.beginClose(left)
    assert.isTrue(core.stats(left).isClosed, "closed is closed")
    const idle = make()
    core.beginClose(idle)
    assert.isTrue(core.stats(idle).isClosed)
  })

  it("a failure whose report has not ended when it is closed is overdue: it is named, given out once, and not waited for", () => {
    const state = make()
    const [failed, heard, goesOn] = [start(state, "failed"), start(state, "heard"), start(state, "goes on")]
    core.beginClose(state)
    const waiter = new TestTicket<undefined, undefined>(undefined, 0)
    running.enqueue(state.works, waiter)
    wake(core.end(state, failed, oops))
    assert.strictEqual(core.late(failed), oops)
    core.wait(heard, caller())
    wake(core.end(state, heard, oops))
    const left = core.close(state)
    assert.deepStrictEqual([left.names, left.overdue], [["failed", "goes on"], [failed]])
    assert.strictEqual(
      left.message,
      "1 piece of shielded work had not ended by the deadline, and was left behind: goes on"
    )
    assert.isUndefined(core.told(state, failed), "which comes too late")
    assert.deepStrictEqual(core.close(state).overdue, [])
    wake(core.take(state, heard))
    core.check(state, [failed, heard])
    wake(core.end(state, goesOn, done))
    assert.strictEqual(waiter.wakes, 1)
  })

  it("one whose report has not begun when it is closed is overdue, too, and wakes who waits; it is not reported then", () => {
    const state = make()
    const failed = start(state, "failed")
    const waiter = new TestTicket<undefined, undefined>(undefined, 0)
    running.enqueue(state.works, waiter)
    wake(core.end(state, failed, oops))
    const { chain, message, overdue } = core.close(state)
    wake(chain)
    assert.deepStrictEqual([overdue, message, waiter.wakes], [[failed], undefined, 1])
    assert.isUndefined(core.late(failed))
    core.check(state, [failed])
  })

  it("says what it abandoned, and not more than twenty names of it", () => {
    const abandoned = (...names: ReadonlyArray<string>) => {
      const state = make()
      for (const name of names) start(state, name)
      return core.close(state).message!
    }
    const late = "had not ended by the deadline, and"
    assert.strictEqual(abandoned("a"), `1 piece of shielded work ${late} was left behind: a`)
    assert.strictEqual(abandoned("a", "b"), `2 pieces of shielded work ${late} were left behind: a, b`)
    const twenty = Array.from({ length: 20 }, (_, index) => `w${index}`)
    assert.isTrue(abandoned(...twenty).endsWith(", w18, w19"))
    assert.isTrue(abandoned(...twenty, "w20").endsWith("w19, and 1 more"))
    assert.isUndefined(core.close(make()).message)
  })

  it("one that nobody closes stays open when its last work has ended", () => {
    const state = make()
    assert.strictEqual(state.status, "open")
    wake(core.end(state, start(state), done))
    assert.isFalse(core.stats(state).isClosed)
  })

  it("waits as long as it takes, or as one says", () => {
    assert.deepStrictEqual([make().deadline, core.make("here", { deadline: 5 }).deadline], [Infinity, 5])
  })

  it("refuses a deadline that is none", () => {
    for (const deadline of [-1, NaN]) assert.throws(() => core.make("here", { deadline }), RangeError, "here: deadline")
    assert.throws(() => core.make("here", { deadline: "5" as never }), TypeError, "here: deadline")
  })

  it("the check finds what is wrong", () => {
    const kept = make()
    start(kept).end = done
    assert.throws(() => core.check(kept), /^I1/)
    const state = make()
    const work = start(state)
    core.wait(work, caller())
    running.remove(state.works, work)
    work.end = oops
    assert.throws(() => core.check(state, [work]), /^I2/)
    const crowd = make()
    crowd.works.waiting.size = 1
    assert.throws(() => core.check(crowd), /^I1: size 1/)
    const line = start(make())
    line.waiting.size = 1
    assert.throws(() => core.check(make(), [line]), /^I1: size 1/)
    const idle = make()
    idle.status = "closing"
    assert.throws(() => core.check(idle), /^I4/)
    const wrong = start(make())
    wrong.heard = -1
    assert.throws(() => core.check(make(), [wrong]), /^I3/)
    const silent = start(make())
    silent.reported = true
    assert.throws(() => core.check(make(), [silent]), /^I3/)
  })
})
