import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Semaphore } from "effect-concurrency"
import { sweepIsClean } from "./utils/sweep.js"

const permitsAreBack = (semaphore: Semaphore.Semaphore) => {
  const { inUse, waiting } = Effect.runSync(semaphore.stats)
  return inUse === 0 && waiting === 0 ? undefined : `in use ${inUse}, waiting ${waiting}`
}

describe("Semaphore: interrupted at any operation", () => {
  it("withPermits gives back what it holds", () =>
    sweepIsClean({
      setup: () => Semaphore.makeUnsafe(2),
      victim: (semaphore) => semaphore.withPermits(2)(Effect.yieldNow()),
      verify: permitsAreBack
    }))

  it("withPermits that has to wait gives back what it is granted", () =>
    sweepIsClean({
      setup: () => {
        const semaphore = Semaphore.makeUnsafe(2)
        Effect.runSync(semaphore.take(1))
        return semaphore
      },
      victim: (semaphore) => semaphore.withPermits(2)(Effect.yieldNow()),
      meanwhile: (semaphore) => semaphore.release(1),
      verify: permitsAreBack
    }))

  for (const waits of [false, true]) {
    it(`take ${waits ? "that has to wait " : ""}has taken nothing, or reaches the next step`, () =>
      sweepIsClean({
        setup: () => {
          const semaphore = Semaphore.makeUnsafe(1)
          if (waits) Effect.runSync(semaphore.take(1))
          return { semaphore, reached: false }
        },
        victim: (state) =>
          Effect.flatMap(state.semaphore.take(1), () => {
            state.reached = true
            return Effect.void
          }),
        meanwhile: (state) => (waits ? state.semaphore.release(1) : Effect.void),
        verify: ({ reached, semaphore }) => {
          const { inUse } = Effect.runSync(semaphore.stats)
          return inUse === (reached ? 1 : 0) ? undefined : `in use ${inUse}, reached the next step: ${reached}`
        }
      }))
  }
})
