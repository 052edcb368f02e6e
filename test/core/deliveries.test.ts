import { assert, describe, it } from "@effect/vitest"
import * as core from "../../src/core/deliveries.js"

describe("how a queue is used", () => {
  const settings = (options: Partial<core.Options> = {}) => core.settings("where", { name: "q", ...options })

  it("has defaults", () => {
    assert.deepEqual(settings(), {
      name: "q",
      lease: 30_000,
      attempts: 5,
      retry: { base: 1000, factor: 2, cap: 30_000, jitter: "full" },
      poll: 1000,
      remember: 86_400_000
    })
  })

  it("is checked", () => {
    const refused = (options: Partial<core.Options>, text: RegExp) => assert.throws(() => settings(options), text)
    refused({ name: 5 as any }, /where: name must be a string, got 5/)
    refused({ name: "x".repeat(1001) }, /1000 characters/)
    refused({ name: "" }, /1000 characters/)
    refused({ lease: 99 }, /lease must be from 100 ms/)
    refused({ lease: 86_400_001 }, /lease/)
    refused({ attempts: 0 }, /attempts must be an integer from 1/)
    refused({ attempts: 1.5 }, /attempts/)
    refused({ poll: 9 }, /poll must be from 10 to 2147483647 milliseconds, got 9/)
    refused({ poll: Infinity }, /poll/)
    refused({ remember: NaN }, /remember/)
    refused({ remember: 2 ** 31 }, /remember/)
    refused({ retry: { base: -1 } }, /base/)
    assert.throws(() => core.settings("where", undefined as any), /options must be an object/)
    assert.strictEqual(settings({ remember: 0 }).remember, 0)
    assert.strictEqual(settings({ remember: 0.5 }).remember, 1)
    assert.strictEqual(settings({ lease: 100.5 }).lease, 100)
    assert.strictEqual(settings({ poll: 10 }).poll, 10)
  })

  it("when an item comes back: the pause grows with its attempts", () => {
    const all = settings({ retry: { base: 10, cap: 50, jitter: "none" } })
    assert.deepEqual(
      [1, 2, 3, 4, 5].map((attempt) => core.retryDelay(all, attempt, 0.5)),
      [10, 20, 40, 50, 50]
    )
    assert.strictEqual(core.retryDelay(settings(), 1, 0.25), 250)
  })

  it("ids, payloads and delays are checked", () => {
    assert.strictEqual(core.checkId("where", "x"), "x")
    assert.strictEqual(core.checkId("where", "x".repeat(512)).length, 512)
    assert.throws(
      () => core.checkId("where", ""),
      RangeError,
      'where: id must be a string of 1 to 512 characters, got ""'
    )
    assert.throws(() => core.checkId("where", "x".repeat(513)), RangeError, "where: id must be a string of 1 to 512")
    assert.throws(() => core.checkId("where", 1 as any), TypeError, "where: id must be a string, got 1")
    assert.strictEqual(core.checkPayload("where", ""), "")
    assert.throws(() => core.checkPayload("where", undefined), /item must be something that has a JSON text/)
    assert.strictEqual(core.checkDelay("where", 0), 0)
    assert.strictEqual(core.checkDelay("where", 2 ** 31 - 1), 2 ** 31 - 1)
    assert.throws(() => core.checkDelay("where", -1), RangeError, "where: delay")
    assert.throws(
      () => core.checkDelay("where", Infinity),
      RangeError,
      "where: delay must be from 0 to 2147483647 milliseconds, got Infinity"
    )
  })

  it("reasons are as long as one can read", () => {
    assert.strictEqual(core.reasonOf("short"), "short")
    assert.strictEqual(core.reasonOf("x".repeat(2000)), "x".repeat(2000))
    assert.strictEqual(core.reasonOf("x".repeat(2001)), `${"x".repeat(2000)}…`)
    assert.strictEqual(core.leaseEnded, "its lease ended: whoever had it has died, or did not answer in time")
    assert.match(core.undecodable("why"), /^it cannot be decoded: why$/)
  })

  it("nothing is left to be done when all that there is are dead letters", () => {
    const none = { ready: 0, delayed: 0, leased: 0, dead: 7 }
    assert.isTrue(core.isAtRest(none))
    for (const part of ["ready", "delayed", "leased"] as const) assert.isFalse(core.isAtRest({ ...none, [part]: 1 }))
    // Two counts that are the same do not make nothing.
    assert.isFalse(core.isAtRest({ ready: 1, delayed: 1, leased: 2, dead: 0 }))
    assert.isFalse(core.isAtRest({ ready: 1, delayed: 1, leased: 0, dead: 0 }))
  })
})
