import { assert, describe, it } from "@effect/vitest"
import { headline, line } from "../../src/core/report.js"

const report = { where: "Background", name: "mail", message: "it failed" }

describe("core/report", () => {
  it("says where, who, and what happened", () => {
    assert.strictEqual(headline(report), "Background: mail: it failed")
    assert.strictEqual(headline({ ...report, name: undefined }), "Background: it failed")
  })

  it("with its errors, in one line", () => {
    const textOf = (error: unknown) => line(report, [error]).slice("Background: mail: it failed: ".length)
    assert.strictEqual(line(report, []), "Background: mail: it failed")
    assert.strictEqual(textOf("no route"), "no route")
    assert.strictEqual(textOf(new RangeError("too far")), "RangeError: too far")
    assert.strictEqual(textOf(new Error("two\n  lines \n\n of it")), "Error: two lines of it")
    assert.strictEqual(textOf({ _tag: "NotFound", id: 3 }), '{"_tag":"NotFound","id":3}')
    assert.strictEqual(textOf(5), "5")
    assert.strictEqual(textOf(null), "null")
    assert.strictEqual(textOf(Symbol("s")), "Symbol(s)")
    assert.strictEqual(
      line(report, ["a", new Error("b")]),
      "Background: mail: it failed: a; Error: b",
      "several, in order"
    )
  })

  it("of what has no text, what kind of thing it is: it never throws", () => {
    const circular: Record<string, unknown> = {}
    circular["self"] = circular
    const bad = Object.assign(new Error(), {
      toString() {
        throw new Error("no")
      }
    })
    const textOf = (error: unknown) => line(report, [error]).slice("Background: mail: it failed: ".length)
    assert.strictEqual(textOf(circular), "[object Object]")
    assert.strictEqual(textOf({ toJSON: () => undefined }), "[object Object]")
    assert.strictEqual(textOf(bad), "[object Error]")
  })
})
