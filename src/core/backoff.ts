/**
 * How long to pause before another attempt: arithmetic, without a state.
 *
 * Whatever the jitter, a pause is never longer than the cap, and never negative.
 *
 * @internal
 */
import { expect, number, oneOf, refusal } from "./arguments.js"

/**
 * How pauses are spread, so that those who failed together do not come back together.
 *
 * - `"none"`: not at all.
 * - `"full"`: anything from 0 to the pause.
 * - `"equal"`: anything from half of the pause to all of it.
 * - `"decorrelated"`: anything from the base to the pause before it times the factor. It grows by itself.
 */
export type Jitter = "none" | "full" | "equal" | "decorrelated"

export interface Options {
  readonly base?: number | undefined
  readonly factor?: number | undefined
  readonly cap?: number | undefined
  readonly jitter?: Jitter | undefined
}

/** Durations are milliseconds. */
export interface Backoff {
  readonly base: number
  readonly factor: number
  readonly cap: number
  readonly jitter: Jitter
}

/** Checks what was given, and adds the defaults. */
export const make = (where: string, options: Options): Backoff => {
  const { base = 100, jitter = "full" } = options
  const { cap = Math.max(30_000, base), factor = jitter === "decorrelated" ? 3 : 2 } = options
  if (options.jitter !== undefined) oneOf(where, "jitter", jitter, ["none", "full", "equal", "decorrelated"])
  number(where, "base", base, 0)
  expect(base < Infinity, where, "base", "a finite number of milliseconds", base, "number")
  const finite = typeof factor === "number" && factor >= 1 && factor < Infinity
  expect(finite, where, "factor", "a finite number of at least 1", factor, "number")
  number(where, "cap", cap, 0)
  if (cap < base) throw refusal(where, "cap", `at least the base, which is ${base} milliseconds`, cap, "number")
  return { base, factor, cap, jitter }
}

/** Past this there is no arithmetic with random numbers, and no clock either. */
const longest = Number.MAX_SAFE_INTEGER

/**
 * The pause before a retry, of which the first is 1, in milliseconds. It depends on the pause before it, if that was one of ours, and on a
 * random number from 0 to 1.
 */
export const pause = (backoff: Backoff, retry: number, previous: number | undefined, random: number): number => {
  const { base, cap, factor, jitter } = backoff
  const most = Math.min(cap, longest)
  if (base === 0) return 0
  if (jitter === "decorrelated") {
    const high = Math.min(most, (previous ?? base) * factor)
    return Math.min(most, base + random * Math.max(0, high - base))
  }
  const full = Math.min(most, base * factor ** (retry - 1))
  if (jitter === "none") return full
  return jitter === "full" ? random * full : Math.min(full, full / 2 + (random * full) / 2)
}

/** A number of the dice, if it is one that can be used. */
export const checkRandom = (where: string, random: number): number =>
  expect(random >= 0 && random <= 1, where, "random", "a function that gives numbers from 0 to 1", random)
