import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as check from "../../src/core/arguments.js"

const refuses = (call: () => unknown, kind: typeof RangeError | typeof TypeError, message: string): void => {
  let thrown: unknown
  try {
    call()
  } catch (error) {
    thrown = error
  }
  assert.instanceOf(thrown, kind)
  assert.strictEqual((thrown as Error).message, message)
}

const wrongKind = ["5", null, undefined, true, [], {}, () => 1] as ReadonlyArray<any>

describe("an integer", () => {
  it("in its range is given back, the bounds included", () => {
    fc.assert(
      fc.property(fc.integer(), fc.nat(), fc.nat(), (value, below, above) => {
        assert.strictEqual(check.integer("f", "n", value, value - below, value + above), value)
        assert.strictEqual(check.integerOrInfinity("f", "n", value, value - below), value)
      })
    )
  })

  it("may be the first or the last of its range, and the only one", () => {
    for (const value of [1, 2, 3]) assert.strictEqual(check.integer("f", "n", value, 1, 3), value)
    assert.strictEqual(check.integer("f", "n", 3, 3, 3), 3)
    assert.strictEqual(check.integerOrInfinity("f", "n", 3, 3), 3)
  })

  it("outside of its range is refused, at the first value outside", () => {
    refuses(() => check.integer("f", "n", 0, 1, 3), RangeError, "f: n must be an integer from 1 to 3, got 0")
    refuses(() => check.integer("f", "n", 4, 1, 3), RangeError, "f: n must be an integer from 1 to 3, got 4")
    refuses(() => check.integer("f", "n", -1, 0), RangeError, "f: n must be an integer of at least 0, got -1")
    refuses(
      () => check.integerOrInfinity("f", "n", 0, 1),
      RangeError,
      "f: n must be an integer of at least 1, or Infinity, got 0"
    )
  })

  it("is neither a fraction, nor NaN, nor an infinity, unless that is allowed", () => {
    for (const value of [0.5, NaN, -Infinity]) {
      assert.throws(() => check.integer("f", "n", value, -10), RangeError)
      assert.throws(() => check.integerOrInfinity("f", "n", value, -10), RangeError)
    }
    assert.throws(() => check.integer("f", "n", Infinity, 0), RangeError)
    assert.strictEqual(check.integerOrInfinity("f", "n", Infinity, 0), Infinity)
  })
})

describe("a priority", () => {
  it("is any number that can be ordered", () => {
    for (const value of [0, -1.5, Infinity, -Infinity, Number.MAX_VALUE]) {
      assert.strictEqual(check.number("f", "priority", value), value)
    }
    refuses(() => check.number("f", "priority", NaN), RangeError, "f: priority must be a number, got NaN")
  })
})

describe("milliseconds", () => {
  it("are zero or more, fractions and Infinity included", () => {
    for (const value of [0, 0.5, 1, Infinity]) assert.strictEqual(check.number("f", "timeout", value, 0), value)
  })

  it("below zero, or NaN, are refused", () => {
    const message = (got: string) => `f: timeout must be 0 or more milliseconds, got ${got}`
    refuses(() => check.number("f", "timeout", -1, 0), RangeError, message("-1"))
    refuses(() => check.number("f", "timeout", NaN, 0), RangeError, message("NaN"))
    refuses(() => check.number("f", "timeout", -Infinity, 0), RangeError, message("-Infinity"))
  })
})

describe("one of several words", () => {
  it("is given back, and another word is refused with the list of them", () => {
    assert.strictEqual(check.oneOf("f", "how", "a", ["a", "b"]), "a")
    refuses(() => check.oneOf("f", "how", "c", ["a", "b"]), RangeError, `f: how must be one of "a", "b", got "c"`)
    refuses(() => check.oneOf("f", "how", null as any, ["a"]), TypeError, `f: how must be one of "a", got null`)
  })
})

describe("a function, and options", () => {
  it("are given back", () => {
    const f = () => 1
    assert.strictEqual(check.callable("f", "it", f), f)
    const options = {}
    assert.strictEqual(check.record("f", options), options)
  })

  it("are refused with what came instead", () => {
    refuses(() => check.callable("f", "it", undefined), TypeError, "f: it must be a function, got undefined")
    for (const [got, shown] of [
      [{}, /Object/],
      [[1], /array/i],
      [new Map(), /Map/]
    ] as const) {
      assert.throws(() => check.callable("f", "it", got), TypeError, /^f: it must be a function, got /)
      assert.throws(() => check.callable("f", "it", got), shown)
    }
    refuses(() => check.record("f", null as any), TypeError, "f: options must be an object, got null")
    assert.throws(
      () => check.record("f", (() => 1) as any),
      TypeError,
      /^f: options must be an object, got .*function/i
    )
  })
})

describe("a refusal", () => {
  it("shows values of any kind, also those that do not convert to a string", () => {
    const shown = (value: unknown) => check.refusal("f", "it", "good", value).message.split("got ")[1]
    assert.strictEqual(shown("5"), `"5"`)
    assert.strictEqual(shown(Symbol("s")), "Symbol(s)")
    assert.strictEqual(shown(5n), "5")
    assert.match(shown(Object.create(null))!, /object/)
    assert.match(shown({ toString: 5 })!, /Object/)
    assert.strictEqual(shown(true), "true")
  })

  // Failure looks like `RangeError: Semaphore.make: permits must be an integer of at least 0, got "5"`.
  it("of a value of the wrong kind is a TypeError, whatever the kind", () => {
    for (const value of wrongKind) {
      assert.throws(() => check.integer("f", "n", value, 0), TypeError)
      assert.throws(() => check.integerOrInfinity("f", "n", value, 0), TypeError)
      assert.throws(() => check.number("f", "priority", value), TypeError)
      assert.throws(() => check.number("f", "timeout", value, 0), TypeError)
    }
    for (const value of [5, NaN, "5", null, undefined, true, {}] as ReadonlyArray<any>) {
      assert.throws(() => check.callable("f", "it", value), TypeError)
      if (typeof value !== "object" || value === null) assert.throws(() => check.record("f", value), TypeError)
    }
  })

  it("of an operation that makes no sense names the function and the reason", () => {
    assert.strictEqual(
      check.misuse("Condition.wait", "the lock is not held").message,
      "Condition.wait: the lock is not held"
    )
  })
})
