import { Effect, Exit, Scope, TestClock, TestContext } from "effect"
import { PartyStore } from "effect-concurrency/distributed"
import { partyStoreMemory, type PartyStore as Store } from "effect-concurrency/promise/distributed"
import { describe, vi } from "vitest"
import { partyStoreLaws } from "../laws/PartyStore.js"

describe("barriers in memory, for promises", () => {
  partyStoreLaws({
    name: "promise",
    open: async () => {
      vi.useFakeTimers({ toFake: ["performance"] })
      return {
        store: partyStoreMemory(),
        advance: async (milliseconds) => void vi.advanceTimersByTime(milliseconds),
        close: async () => void vi.useRealTimers()
      }
    }
  })
})

describe("barriers in memory, for fibers", () => {
  partyStoreLaws({
    name: "effect",
    open: async () => {
      const runtime = await Effect.runPromise(Effect.provide(Effect.runtime<never>(), TestContext.TestContext))
      const run = <A>(self: Effect.Effect<A, unknown>): Promise<A> => Effect.runPromise(Effect.provide(self, runtime))
      const parties = await run(PartyStore.makeMemory)
      const store: Store = {
        arrive: (request) => run(parties.arrive(request)),
        renew: (request) => run(parties.renew(request)),
        withdraw: (request) => run(parties.withdraw(request)),
        reset: (name) => run(parties.reset(name)),
        abort: (name) => run(parties.abort(name)),
        isBroken: (name) => run(parties.isBroken(name)),
        watch: async (name, onChanged) => {
          const watch = await Effect.runPromise(Scope.make())
          await run(Scope.extend(parties.watch(name, onChanged), watch))
          return () => Effect.runSync(Scope.close(watch, Exit.void))
        }
      }
      return { store, advance: (milliseconds) => run(TestClock.adjust(milliseconds)), close: async () => {} }
    }
  })
})
