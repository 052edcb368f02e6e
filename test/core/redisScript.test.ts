import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import * as script from "../../src/core/redis/script.js"
import { StoreError } from "../../src/core/storeError.js"

/** What Redis Cluster hashes of a key: what is between its first brace and the next one that closes, if there is anything. */
const hashed = (key: string): string => {
  const open = key.indexOf("{")
  const close = key.indexOf("}", open + 1)
  return open < 0 || close < 0 || close === open + 1 ? key : key.slice(open + 1, close)
}

const names = fc.oneof(fc.string(), fc.stringOf(fc.constantFrom("{", "}", "\\", ":", "a", "")))

describe("the keys of a name", () => {
  it("are read as prefix, name, part", () => {
    assert.strictEqual(script.keyOf("app", "ada", "latch:state"), "app:{ada}:latch:state")
  })

  it("are on one server of a cluster, whatever the name is", () => {
    fc.assert(
      fc.property(names, (name) => {
        const [one, other] = ["latch:state", "x"].map((part) => script.keyOf("app", name, part))
        assert.strictEqual(hashed(one!), hashed(other!))
      })
    )
  })

  it("are of this name and part, and of no other", () => {
    const parts = fc.constantFrom("x", "x:y", "rate:gcra:1:1000:1")
    fc.assert(
      fc.property(names, parts, names, parts, (name, part, otherName, otherPart) => {
        const isSame = name === otherName && part === otherPart
        assert.strictEqual(script.keyOf("app", name, part) === script.keyOf("app", otherName, otherPart), isSame)
      })
    )
  })

  it("a prefix has no braces, and a name is not too long", () => {
    assert.strictEqual(script.checkPrefix("Redis", "my:app"), "my:app")
    assert.throws(() => script.checkPrefix("Redis", "{app}"), RangeError, /Redis: prefix must be .* without braces/)
    assert.throws(() => script.checkPrefix("Redis", "x".repeat(257)), RangeError)
    assert.throws(() => script.checkPrefix("Redis", 1 as never), TypeError)
    assert.strictEqual(script.checkName("f", "name", ""), "")
    assert.strictEqual(script.checkName("f", "name", "x".repeat(4096)).length, 4096)
    assert.throws(
      () => script.checkName("f", "name", "x".repeat(4097)),
      RangeError,
      /f: the length of name must be at most 4096, got 4097/
    )
    assert.throws(() => script.checkName("f", "name", undefined as never), TypeError)
  })
})

describe("a reply that is none", () => {
  const cases: ReadonlyArray<readonly [(reply: unknown) => unknown, ReadonlyArray<unknown>, ReadonlyArray<unknown>]> = [
    [(reply) => script.integerReply("s", reply), [0, -1, 2 ** 53 - 1], ["1", 0.5, 2 ** 53, null, [1]]],
    [(reply) => script.flagReply("s", reply), [1, 0], [2, "1", null, true]],
    [(reply) => script.textReply("s", reply), ["", "a"], [1, null, ["a"]]],
    [(reply) => script.numberReply("s", reply), [1, "1.5", "-2"], ["", " ", "a", "Infinity", null]],
    [(reply) => script.listReply("s", reply), [[], [1]], [null, "a", 1]],
    [(reply) => script.listReply("s", reply, 2), [[1, 2]], [[1], [], null]]
  ]

  it("is an error that says what came, and of which script", () => {
    for (const [check, good, bad] of cases) {
      for (const reply of good) assert.doesNotThrow(() => check(reply))
      for (const reply of bad) {
        try {
          check(reply)
          assert.fail(`accepted ${JSON.stringify(reply)}`)
        } catch (error) {
          assert.instanceOf(error, StoreError)
          assert.deepInclude(error, { _tag: "StoreError", operation: "s", reason: "reply" })
          assert.match((error as Error).message, /^s: the answer must be .*, got /)
        }
      }
    }
  })

  it("is shown, but not all of it", () => {
    assert.throws(() => script.integerReply("s", "x".repeat(1000)), /got "x{50,100}…$/)
    assert.throws(() => script.integerReply("s", undefined), /got undefined$/)
    assert.throws(() => script.integerReply("s", [1, 2]), /got a list of 2$/)
  })
})

describe("StoreError", () => {
  it("says what was asked, why it failed, and has the cause", () => {
    const cause = new Error("why")
    const error = new StoreError("no", { operation: "PING", reason: "timeout", cause })
    assert.deepInclude(error, {
      _tag: "StoreError",
      name: "StoreError",
      message: "no",
      operation: "PING",
      reason: "timeout"
    })
    assert.strictEqual(error.cause, cause)
  })

  it("of a store of one's own needs to say nothing", () => {
    const error = new StoreError("down")
    assert.deepInclude(error, { operation: undefined, reason: "server" })
    assert.isFalse("cause" in error)
  })
})
