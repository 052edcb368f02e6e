import { assert, describe, it } from "@effect/vitest"
import {
  Do,
  dismissal,
  ending,
  hearMessage,
  hearOrder,
  listening,
  message,
  order,
  Say
} from "../../src/core/protocol.js"

/** What a worker is told by some frames. */
const heardByWorker = (...frames: ReadonlyArray<unknown>): ReadonlyArray<unknown> => {
  const heard: Array<unknown> = []
  const worker = { hear: (order: unknown) => void heard.push(order), end: () => void heard.push("end") }
  for (const frame of frames) hearOrder(structuredClone(frame), worker)
  return heard
}

const heardByPool = (...frames: ReadonlyArray<unknown>): ReadonlyArray<unknown> => {
  const heard: Array<unknown> = []
  const pool = { message: (message: unknown) => void heard.push(message), ended: () => void heard.push("ended") }
  for (const frame of frames) hearMessage(structuredClone(frame), pool)
  return heard
}

/** What somebody else may post by the same way. */
const strange = [
  null,
  undefined,
  0,
  "text",
  {},
  { type: "progress" },
  [],
  [0],
  [3],
  [1],
  [1, null],
  [1, "text"],
  ["1", []]
]

describe("frames", () => {
  it("are those of @effect/platform", () => {
    assert.deepStrictEqual(order([Do.end]), [0, [Do.end]])
    assert.deepStrictEqual(dismissal, [1])
    assert.deepStrictEqual(listening, [0])
    assert.deepStrictEqual(message([Say.ready]), [1, [Say.ready]])
    assert.deepStrictEqual(ending, [2])
  })

  it("say the same on both sides", () => {
    assert.deepStrictEqual(heardByWorker(order([Do.end]), dismissal), [[Do.end], "end"])
    assert.deepStrictEqual(heardByPool(listening, message([Say.ready]), ending), [[Say.ready], "ended"])
  })

  it("that are none of ours say nothing", () => {
    assert.deepStrictEqual(heardByPool(...strange), [])
    assert.deepStrictEqual(heardByWorker(...strange.filter((frame) => !Array.isArray(frame) || frame[0] !== 1)), [])
    assert.deepStrictEqual(heardByWorker([0, null], [0, "text"], [2], ending), [])
  })
})
