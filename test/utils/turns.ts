/**
 * How long work goes on before the event loop turns: by a clock that only the work moves, and by what this process computes. So it does not
 * matter what else the machine does.
 */
import { assert } from "@effect/vitest"
import { vi } from "vitest"
import * as slice from "../../src/core/slice.js"

export interface Work {
  /** Milliseconds, of the clock. */
  now: number
  /** How often the event loop was let turn, and how long it was kept waiting for that at most. */
  turns: number
  longest: number
}

/** Runs a test with a clock of its own, which `performance.now` reads as well. */
export const withWork = async (test: (work: Work) => Promise<unknown>): Promise<Work> => {
  const work: Work = { now: 1000, turns: 0, longest: 0 }
  const { setImmediate } = globalThis
  let turned = work.now
  const reading = vi.spyOn(performance, "now").mockImplementation(() => work.now)
  vi.stubGlobal("setImmediate", (callback: () => void) =>
    setImmediate(() => {
      work.turns++
      work.longest = Math.max(work.longest, work.now - turned)
      turned = work.now
      callback()
    })
  )
  try {
    await test(work)
  } finally {
    reading.mockRestore()
    vi.unstubAllGlobals()
  }
  return work
}

/** Milliseconds that this process has computed, by all its threads. */
const computed = (since: NodeJS.CpuUsage): number => {
  const { system, user } = process.cpuUsage(since)
  return (system + user) / 1000
}

/** Numbers, until this process has computed so long. */
export function* computing(ms: number): Generator<number, void> {
  const begin = process.cpuUsage()
  for (let n = 0; n % 64 > 0 || computed(begin) < ms; n++) yield n
}

/** How long this process computed between one turn of the event loop and the next, each time, while something went on. The shortest first. */
export const gapsDuring = async (body: () => Promise<unknown>): Promise<ReadonlyArray<number>> => {
  const gaps: Array<number> = []
  let on = true
  let last = process.cpuUsage()
  const turned = () => {
    gaps.push(computed(last))
    last = process.cpuUsage()
    if (on) setImmediate(turned)
  }
  setImmediate(turned)
  await body()
  on = false
  await new Promise((resolve) => setImmediate(resolve))
  return gaps.sort((a, b) => a - b)
}

/**
 * What "a millisecond or so" means, of 100 milliseconds of work and more: half of the gaps are within three slices, and nine in ten within
 * ten. The longest is the garbage collector's, or the compiler's. What does not turn has one gap, or two.
 */
export const turnedOften = (gaps: ReadonlyArray<number>): void => {
  const quantile = (part: number) => gaps[Math.floor(part * gaps.length)]!
  assert.isAbove(gaps.length, 10, "turns")
  assert.isBelow(quantile(0.5), 3 * slice.length, "half of the gaps, in milliseconds")
  assert.isBelow(quantile(0.9), 10 * slice.length, "nine in ten of the gaps, in milliseconds")
}

/** The same items, from a generator that never waits for anything. */
export async function* later<A>(items: Iterable<A>): AsyncGenerator<A, void> {
  for (const item of items) yield item
}

/** The items, as far as a condition holds. */
export function* asLongAs<A>(items: Iterable<A>, holds: (item: A) => boolean): Generator<A, void> {
  for (const item of items) {
    if (!holds(item)) return
    yield item
  }
}

/** Numbers, of which each takes so long. */
export function* slow(work: Work, ms: (n: number) => number): Generator<number, void> {
  for (let n = 0; ; n++) {
    work.now += ms(n)
    yield n
  }
}
