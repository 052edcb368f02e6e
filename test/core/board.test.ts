import { assert, describe, it } from "@effect/vitest"
import { Worker } from "node:worker_threads"
import * as board from "../../src/core/board.js"

describe("core/board", () => {
  it("a job is begun, or had back, and not both (I1)", () => {
    const shared = board.make(2)
    board.offer(shared, 1, 7)
    assert.isTrue(board.begin(shared, 1, 7))
    assert.isFalse(board.takeBack(shared, 1, 7))
    assert.isFalse(board.begin(shared, 1, 7), "nor twice")
    board.clear(shared, 1)
    board.offer(shared, 1, 8)
    assert.isTrue(board.takeBack(shared, 1, 8))
    assert.isFalse(board.begin(shared, 1, 8))
    assert.isFalse(board.takeBack(shared, 1, 8))
  })

  it("what comes late for a slot finds another number in it, and does nothing (I1)", () => {
    const shared = board.make(1)
    board.offer(shared, 0, 1)
    board.takeBack(shared, 0, 1)
    board.offer(shared, 0, 2)
    assert.isFalse(board.begin(shared, 0, 1))
    assert.isFalse(board.stop(shared, 0, 1))
    assert.isTrue(board.begin(shared, 0, 2))
    assert.isTrue(board.isStopped(shared, 0, 1))
    assert.isFalse(board.isStopped(shared, 0, 2))
  })

  it("a job that has begun sees that it is to stop; one that has not is had back instead", () => {
    const shared = board.make(1)
    board.offer(shared, 0, 1)
    assert.isFalse(board.stop(shared, 0, 1))
    board.begin(shared, 0, 1)
    assert.isFalse(board.isStopped(shared, 0, 1))
    assert.isTrue(board.stop(shared, 0, 1))
    assert.isTrue(board.isStopped(shared, 0, 1))
    assert.isFalse(board.stop(shared, 0, 1))
  })

  it("of two threads that want a job one has it, 20,000 times (I1)", async () => {
    const rounds = 20_000
    const shared = board.make(2)
    // The other thread begins whatever appears in slot 0, and counts; slot 1 says that it is done.
    const source = `
      const { parentPort, workerData: { shared, rounds } } = require("node:worker_threads")
      let begun = 0
      let last = 0
      for (;;) {
        const id = Atomics.load(shared, 0)
        if (id > last && Atomics.compareExchange(shared, 0, id, -id) === id) begun++, (last = id)
        if (Atomics.load(shared, 1) !== 0) break
      }
      parentPort.postMessage(begun)`
    const worker = new Worker(source, { eval: true, workerData: { shared, rounds } })
    const counted = new Promise<number>((resolve, reject) => worker.on("message", resolve).on("error", reject))
    await new Promise((resolve) => worker.once("online", resolve))
    let hadBack = 0
    for (let id = 1; id <= rounds; id++) {
      board.offer(shared, 0, id)
      for (let spin = id % 50; spin > 0; spin--) Atomics.load(shared, 0)
      if (board.takeBack(shared, 0, id)) hadBack++
      board.clear(shared, 0)
    }
    board.offer(shared, 1, 1)
    assert.strictEqual((await counted) + hadBack, rounds)
    await worker.terminate()
  })

  it("check sees what is wrong", () => {
    const shared = board.make(2)
    board.offer(shared, 0, 3)
    board.check(shared, new Set([3, 4]))
    board.begin(shared, 0, 3)
    board.check(shared, new Set([3]))
    assert.throws(() => board.check(shared, new Set()), "I1: -3 is no job")
  })
})
