import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import * as core from "../../src/core/insured.js"
import type { Answer } from "../../src/core/rateStore.js"
import { StoreError } from "../../src/core/storeError.js"

const answer: Answer = { allowed: true, remaining: 1, retryAfter: 0, resetAfter: 0, delay: 0, grant: "g" }
const rate = { algorithm: "gcra", limit: 1, interval: 1, burst: 1, key: "a" } as const

describe("insured rates", () => {
  it("I1: an outage is told when it begins and when it is over, once each", () => {
    const state = core.make()
    const [one, two] = [core.ask(state), core.ask(state)]
    assert.isTrue(core.failed(state, one))
    assert.isFalse(core.failed(state, two))
    const three = core.ask(state)
    assert.isFalse(core.failed(state, three))
    const [four, five] = [core.ask(state), core.ask(state)]
    assert.isTrue(core.worked(state, four))
    assert.isFalse(core.worked(state, five))
    assert.isTrue(core.failed(state, core.ask(state)))
  })

  it("I1: late answers from before an outage do not end it, and late failures from before its end begin none", () => {
    const state = core.make()
    const [one, two, three] = [core.ask(state), core.ask(state), core.ask(state)]
    assert.isTrue(core.failed(state, two))
    assert.isFalse(core.worked(state, one))
    assert.isFalse(core.worked(state, three))
    const [four, five] = [core.ask(state), core.ask(state)]
    assert.isTrue(core.worked(state, five))
    assert.isFalse(core.failed(state, four))
    core.check(state)
  })

  it("I1: whatever comes in whatever order, beginning and end take turns", () => {
    const event = fc.record({ kind: fc.constantFrom("ask", "fail", "work"), n: fc.nat() })
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60, size: "max" }), (events) => {
        const state = core.make()
        const open: Array<number> = []
        const told: Array<string> = []
        for (const { kind, n } of events) {
          if (kind === "ask") open.push(core.ask(state))
          else if (open.length > 0) {
            const [question] = open.splice(n % open.length, 1)
            if (kind === "fail" && core.failed(state, question!)) told.push("down")
            if (kind === "work" && core.worked(state, question!)) told.push("up")
          }
          core.check(state)
        }
        assert.deepStrictEqual(
          told,
          told.map((_, index) => (index % 2 === 0 ? "down" : "up"))
        )
      })
    )
  })

  it("check says what is wrong", () => {
    const check = (questions: number, downAt: number | undefined, upAt: number) => () =>
      core.check({ questions, downAt, upAt })
    assert.doesNotThrow(check(2, undefined, 2))
    assert.doesNotThrow(check(2, 2, 1))
    assert.doesNotThrow(check(0, undefined, 0))
    assert.throws(check(1, undefined, 2), "I1: there were fewer questions")
    assert.throws(check(1, 2, 0), "I1: there were fewer questions")
    assert.throws(check(3, 2, 2), "I1: it is down since 2, and up since 2")
    assert.throws(check(3, 1, 2), "I1: it is down since 1, and up since 2")
  })

  it("the stand-in is asked when the store is down, and not for what it would only hide", () => {
    for (const reason of ["timeout", "connection", "server"] as const)
      assert.isTrue(core.isDown(new StoreError("", { reason })))
    for (const reason of ["wrong type", "reply"] as const) assert.isFalse(core.isDown(new StoreError("", { reason })))
    assert.isFalse(core.isDown(new RangeError()))
  })

  it("I2: what is given back goes to whoever granted it", () => {
    const [own] = core.substituted([answer])
    assert.notStrictEqual(own!.grant, "g")
    assert.deepInclude(own, { allowed: true, remaining: 1 })
    const grants = [
      { cost: 1, grant: "g" },
      { cost: 2, grant: own!.grant }
    ]
    assert.deepStrictEqual(core.returns({ ...rate, grants }), {
      toStore: { ...rate, grants: [{ cost: 1, grant: "g" }] },
      toSubstitute: { ...rate, grants: [{ cost: 2, grant: "g" }] }
    })
  })

  it("what is reported says what becomes of the rates", () => {
    assert.deepStrictEqual(core.reports, {
      down: "the store cannot be reached: until it can, rates are kept apart from it",
      up: "the store can be reached again, and keeps the rates"
    })
  })
})
