/**
 * A range of integers. Nothing here has a state.
 *
 * @internal
 */
import { expect } from "./arguments.js"

/** As Python's: from `start` up or down to `end`, which is not among them; with one argument, from 0. */
export const range = (where: string, start: number, end?: number, step = 1): Iterable<number> => {
  const [from, to] = end === undefined ? [0, start] : [start, end]
  const isInteger = Number.isInteger
  const limit = isInteger(to) || to === Infinity || to === -Infinity
  expect(isInteger(from), where, "start", "an integer", from, "number")
  expect(limit, where, "end", "an integer, or Infinity", to, "number")
  expect(isInteger(step) && step !== 0, where, "step", "an integer other than 0", step, "number")
  return {
    *[Symbol.iterator]() {
      const count = (to - from) / step
      for (let i = 0; i < count; i++) yield from + i * step
    }
  }
}
