import { assert, describe, it } from "@effect/vitest"
import { checkName, checkPoll, checkPrefix } from "../../src/core/naming.js"

describe("what is said under a name that several processes share", () => {
  it("a name has 1 to 1000 characters: others would be found out in the store, or by nobody", () => {
    for (const name of ["a", "é", "x".repeat(1000)]) assert.strictEqual(checkName("here", name), name)
    assert.throws(() => checkName("here", ""), RangeError, /^here: name must be of 1 to 1000 characters, got ""$/)
  })

  it("of a name that is too long, the refusal shows where it begins, and not a screen of it", () => {
    const told = `here: name must be of 1 to 1000 characters, got "${"x".repeat(50)}"`
    assert.throws(() => checkName("here", "x".repeat(1001)), RangeError, new RegExp(`^${told}$`))
  })

  it("what is no name is refused before it becomes part of a key", () => {
    for (const [name, said] of [
      [undefined, "undefined"],
      [1, "1"],
      [null, "null"]
    ] as const)
      assert.throws(() => checkName("here", name as any), TypeError, `here: name must be a string, got ${said}`)
  })

  it("a prefix may be empty, and has at most 256 characters", () => {
    for (const prefix of ["", "app:", "x".repeat(256)]) assert.strictEqual(checkPrefix("here", prefix), prefix)
    const told = /^here: prefix must be a string of at most 256 characters, got /
    assert.throws(() => checkPrefix("here", "x".repeat(257)), told)
    // This one has a length, and it would fit.
    assert.throws(() => checkPrefix("here", ["app"] as any), TypeError, told)
  })

  it("who polls more often than each 10 ms burdens the store; who polls less than daily mistook the unit", () => {
    for (const poll of [10, 86_400_000]) assert.strictEqual(checkPoll("here", poll), poll)
    for (const poll of [9.9, 86_400_001, NaN, Infinity])
      assert.throws(() => checkPoll("here", poll), RangeError, `here: poll must be from 10 ms to a day, got ${poll}`)
    assert.throws(() => checkPoll("here", "1s" as any), TypeError, 'here: poll must be from 10 ms to a day, got "1s"')
  })
})
