import { assert, describe, it } from "@effect/vitest"
import * as core from "../../src/core/deadline.js"
import { Expiry } from "../../src/core/expiry.js"
import { FakeTime } from "../utils/fakeWorkers.js"
import { TestTicket } from "../utils/tickets.js"

const worker = () => new TestTicket<core.Waiting | undefined, core.Stop>(undefined, 0)

const make = (at: number) => {
  const time = new FakeTime()
  const state = core.make({ name: undefined, grace: Infinity }, at, at, undefined)
  return { time, state, expiry: new Expiry(state, time) }
}

describe("the timer of a deadline", () => {
  it("tells who works when the time has come, and not before", () => {
    const { expiry, state, time } = make(10)
    const each = worker()
    core.begin(state, each, 0)
    expiry.follow()
    time.sleep(9)
    assert.isFalse(each.settled)
    time.sleep(1)
    assert.strictEqual(each.result, "deadline")
    assert.strictEqual(each.wakes, 1)
  })

  it("one that nobody works under leaves no timer behind", () => {
    const { expiry, state, time } = make(10)
    const each = worker()
    expiry.follow()
    assert.strictEqual(time.timers.size, 0)
    core.begin(state, each, 0)
    expiry.follow()
    assert.strictEqual(time.timers.size, 1)
    core.end(state, each)
    expiry.follow()
    assert.strictEqual(time.timers.size, 0)
  })

  it("one without an end sets none, for all that works under it", () => {
    const { expiry, state, time } = make(Infinity)
    core.begin(state, worker(), 0)
    expiry.follow()
    assert.strictEqual(time.timers.size, 0)
  })

  it("keeps the process alive when somebody waits for what works, and only then", () => {
    const { expiry, state, time } = make(10)
    core.begin(state, worker(), 0)
    expiry.follow()
    assert.isFalse(time.isAwake)
    const waited = new TestTicket<core.Waiting | undefined, core.Stop>(new TestTicket(undefined, 0) as core.Waiting, 0)
    core.begin(state, waited, 0)
    expiry.follow()
    assert.isTrue(time.isAwake)
  })
})
