import { Effect, Exit, Scope, TestClock, TestContext } from "effect"
import { LatchStore } from "effect-concurrency/distributed"
import { latchStoreMemory, type LatchStore as Store } from "effect-concurrency/promise/distributed"
import { describe, vi } from "vitest"
import { latchStoreLaws } from "../laws/LatchStore.js"

describe("flags in memory, for promises", () => {
  latchStoreLaws({
    name: "promise",
    open: async () => {
      vi.useFakeTimers({ toFake: ["performance"] })
      return {
        store: latchStoreMemory(),
        advance: async (milliseconds) => void vi.advanceTimersByTime(milliseconds),
        close: async () => void vi.useRealTimers()
      }
    }
  })
})

describe("flags in memory, for fibers", () => {
  latchStoreLaws({
    name: "effect",
    open: async () => {
      const runtime = await Effect.runPromise(Effect.provide(Effect.runtime<never>(), TestContext.TestContext))
      const run = <A>(self: Effect.Effect<A, unknown>): Promise<A> => Effect.runPromise(Effect.provide(self, runtime))
      const latches = await run(LatchStore.makeMemory)
      const store: Store = {
        set: (request) => run(latches.set(request)),
        clear: (name) => run(latches.clear(name)),
        pulse: (name) => run(latches.pulse(name)),
        look: (name) => run(latches.look(name)),
        watch: async (name, onChanged) => {
          const watch = await Effect.runPromise(Scope.make())
          await run(Scope.extend(latches.watch(name, onChanged), watch))
          return () => Effect.runSync(Scope.close(watch, Exit.void))
        }
      }
      return { store, advance: (milliseconds) => run(TestClock.adjust(milliseconds)), close: async () => {} }
    }
  })
})
