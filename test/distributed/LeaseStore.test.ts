import { Effect, Exit, Scope, TestClock, TestContext } from "effect"
import { LeaseStore } from "effect-concurrency/distributed"
import { leaseStoreMemory, type LeaseStore as Store } from "effect-concurrency/promise/distributed"
import { describe, vi } from "vitest"
import { leaseStoreLaws } from "../laws/LeaseStore.js"

describe("leases in memory, for promises", () => {
  leaseStoreLaws({
    name: "promise",
    open: async () => {
      vi.useFakeTimers({ toFake: ["performance"] })
      return {
        store: leaseStoreMemory(),
        advance: async (milliseconds) => void vi.advanceTimersByTime(milliseconds),
        close: async () => void vi.useRealTimers()
      }
    }
  })
})

describe("leases in memory, for fibers", () => {
  leaseStoreLaws({
    name: "effect",
    open: async () => {
      const runtime = await Effect.runPromise(Effect.provide(Effect.runtime<never>(), TestContext.TestContext))
      const run = <A>(self: Effect.Effect<A, unknown>): Promise<A> => Effect.runPromise(Effect.provide(self, runtime))
      const leases = await run(LeaseStore.makeMemory)
      const store: Store = {
        acquire: (request) => run(leases.acquire(request)),
        renew: (request) => run(leases.renew(request)),
        release: (request) => run(leases.release(request)),
        watch: async (name, onFreed) => {
          const watch = await Effect.runPromise(Scope.make())
          await run(Scope.extend(leases.watch(name, onFreed), watch))
          return () => Effect.runSync(Scope.close(watch, Exit.void))
        }
      }
      return {
        store,
        advance: (milliseconds) => run(TestClock.adjust(milliseconds)),
        close: async () => {}
      }
    }
  })
})
