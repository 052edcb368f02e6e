import { assert, describe, it } from "@effect/vitest"
import { type Call, type End, Job } from "../../src/core/job.js"
import { check, Worker } from "../../src/core/poolWorker.js"
import { TestTicket } from "../utils/tickets.js"

const call = (): Call =>
  new TestTicket<Job, End>(
    new Job({ name: "", target: ["", "", []], context: undefined, transfer: undefined, timeout: Infinity, errors: [] }),
    0
  )

describe("core/poolWorker", () => {
  it("each of its jobs has a slot of its own, and they are used again (I1)", () => {
    const worker = new Worker(1, 3)
    const calls = [call(), call(), call()]
    for (let round = 0; round < 5; round++) {
      calls.forEach((each, n) => worker.put(each, 10 * round + n + 1))
      check(worker)
      assert.sameMembers(
        calls.map(({ request }) => request.slot),
        [0, 1, 2]
      )
      assert.strictEqual(worker.running, 3)
      const [one] = calls
      worker.drop(one!)
      assert.isUndefined(one!.request.worker)
      check(worker)
      worker.put(one!, 10 * round + 9)
      check(worker)
      for (const each of calls) worker.drop(each)
      assert.deepStrictEqual(Array.from(worker.board!), [0, 0, 0])
    }
  })

  it("has no board where no memory is shared", () => {
    const worker = new Worker(1, 0)
    worker.put(call(), 1)
    check(worker)
    assert.isUndefined(worker.board)
  })

  it("check sees what is wrong (I1, I2)", () => {
    const worker = new Worker(1, 3)
    const [first, second] = [call(), call()]
    worker.put(first, 1)
    worker.put(second, 2)
    second.request.slot = first.request.slot
    assert.throws(() => check(worker), "I1: two jobs with one slot")
    const other = new Worker(2, 3)
    other.put(first, 1)
    other.put(second, 2)
    first.request.phase = "offered"
    second.request.phase = "running"
    other.offered = 1
    assert.throws(() => check(other), "I2: 2 are the last, and 1 are offered")
  })
})
