/** A clock that only work moves, and how long work goes on before the event loop turns. So it does not matter what else the machine does. */
import { vi } from "vitest"

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

/** Numbers, of which each takes so long. */
export function* slow(work: Work, ms: (n: number) => number): Generator<number, void> {
  for (let n = 0; ; n++) {
    work.now += ms(n)
    yield n
  }
}
