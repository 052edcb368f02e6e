import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope, TestClock, TestContext } from "effect"
import { DeliveryStore } from "effect-concurrency/distributed"
import { deliveryStoreMemory } from "effect-concurrency/promise/distributed"
import { vi } from "vitest"
import { deliveryStoreLaws } from "../laws/DeliveryStore.js"

describe("in memory, for promises", () => {
  deliveryStoreLaws({
    name: "promise",
    open: async () => {
      vi.useFakeTimers({ now: 1_000_000 })
      return {
        store: deliveryStoreMemory(),
        advance: async (milliseconds) => void vi.advanceTimersByTime(milliseconds),
        settle: async () => {},
        close: async () => void vi.useRealTimers()
      }
    }
  })
})

describe("in memory, for effects", () => {
  deliveryStoreLaws({
    name: "effect",
    open: async () => {
      const runtime = await Effect.runPromise(Effect.runtime<never>().pipe(Effect.provide(TestContext.TestContext)))
      const run = <A>(self: Effect.Effect<A, unknown>): Promise<A> =>
        Effect.runPromise(Effect.provide(self, runtime) as Effect.Effect<A>)
      const store = await run(DeliveryStore.makeMemory)
      return {
        store: {
          offer: (request) => run(store.offer(request)),
          exchange: (request) => run(store.exchange(request)),
          counts: (name) => run(store.counts(name)),
          deadLetters: (name, limit) => run(store.deadLetters(name, limit)),
          requeue: (request) => run(store.requeue(request)),
          purge: (request) => run(store.purge(request)),
          watch: async (name, changed) => {
            const end = new AbortController()
            const watching = new Promise<void>((resolve) => {
              const watch = Effect.zipRight(
                store.watch(name, changed) as Effect.Effect<void, never, Scope.Scope>,
                Effect.sync(resolve)
              )
              Effect.runPromise(Effect.scoped(Effect.zipRight(watch, Effect.never)), { signal: end.signal }).catch(
                () => {}
              )
            })
            await watching
            return () => end.abort()
          }
        },
        advance: (milliseconds) => run(TestClock.adjust(milliseconds)),
        settle: () => new Promise((resolve) => setTimeout(resolve)),
        close: async () => {}
      }
    }
  })

  it("each layer is a store of its own", async () => {
    const offer = Effect.flatMap(DeliveryStore.DeliveryStore, (store) =>
      Effect.zipRight(store.offer({ name: "a", items: [{ id: "a", payload: "", named: true }] }), store.counts("a"))
    )
    const run = () => Effect.runPromise(Effect.provide(offer, DeliveryStore.layerMemory))
    assert.strictEqual((await run()).ready, 1)
    assert.strictEqual((await run()).ready, 1)
  })
})
