import { assert, describe, it } from "@effect/vitest"
import { range } from "../../src/core/range.js"

const of = (...args: [number, number?, number?]) => [...range("f", ...args)]

describe("range", () => {
  it("counts as Python's does", () => {
    assert.deepStrictEqual(of(3), [0, 1, 2])
    assert.deepStrictEqual(of(2, 5), [2, 3, 4])
    assert.deepStrictEqual(of(0, 7, 3), [0, 3, 6])
    assert.deepStrictEqual(of(5, 0, -2), [5, 3, 1])
    assert.deepStrictEqual(of(-1, -4, -1), [-1, -2, -3])
    for (const empty of [of(0), of(-3), of(5, 5), of(5, 3), of(3, 5, -1)]) assert.deepStrictEqual(empty, [])
  })

  it("may be endless, and gone through twice", () => {
    const numbers = range("f", 0, -Infinity, -5)
    for (let i = 0; i < 2; i++) {
      const got: Array<number> = []
      for (const n of numbers) if (got.push(n) === 3) break
      assert.deepStrictEqual(got, [0, -5, -10])
    }
    assert.deepStrictEqual(of(3, -Infinity), [])
  })

  it("refuses what is no range", () => {
    assert.throws(() => of(0, 5, 0), RangeError, "f: step must be an integer other than 0, got 0")
    assert.throws(() => of(0, 5, 0.5), RangeError)
    assert.throws(() => of(0, 5, NaN), RangeError)
    assert.throws(() => of(0.5, 5), RangeError, "f: start must be an integer, got 0.5")
    assert.throws(() => of(Infinity, 5), RangeError)
    assert.throws(() => of(0, 1.5), RangeError, "f: end must be an integer, or Infinity, got 1.5")
    assert.throws(() => of(NaN), RangeError)
    assert.throws(() => of("5" as never), TypeError)
    assert.throws(() => of(undefined as never), TypeError)
  })
})
