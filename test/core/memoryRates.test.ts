import { assert, describe, it } from "@effect/vitest"
import { MemoryRates } from "../../src/core/memoryRates.js"
import type { StoreRequest } from "../../src/core/rateStore.js"
import { Timekeeper } from "../../src/core/timekeeper.js"
import { rateLimiterStoreLaws } from "../laws/RateLimiterStore.js"
import { Jumps } from "../utils/clocks.js"

const make = () => {
  const clock = new Jumps(0)
  return { clock, store: new MemoryRates(new Timekeeper(clock)) }
}

// What every store has to do.
rateLimiterStoreLaws({
  name: "the core in memory",
  open: async () => {
    const { clock, store } = make()
    return {
      consume: async (request) => store.consume(request),
      giveBack: async (request) => store.giveBack(request),
      advance: async (milliseconds) => void (clock.time += milliseconds),
      close: async () => {}
    }
  }
})

describe("rates in memory", () => {
  const request = (more: Partial<StoreRequest> = {}): StoreRequest => ({
    algorithm: "gcra",
    limit: 2,
    interval: 100,
    burst: 2,
    key: "a",
    asks: [{ cost: 2, tries: true }],
    ahead: 0,
    ...more
  })
  const isAllowed = (store: MemoryRates, more?: Partial<StoreRequest>) => store.consume(request(more))[0]!.allowed

  it("a key is another one for each rate that it is asked with: nobody pays for what another rate allowed", () => {
    const { store } = make()
    assert.isTrue(isAllowed(store))
    assert.isFalse(isAllowed(store))
    const others: ReadonlyArray<Partial<StoreRequest>> = [
      { key: "b" },
      { burst: 3 },
      { limit: 3 },
      { interval: 101 },
      { algorithm: "slidingWindow" },
      // The same digits, put together otherwise.
      { interval: 10, burst: 21, limit: 2 },
      { interval: 1, burst: 22, limit: 10 }
    ]
    for (const other of others) assert.isTrue(isAllowed(store, other), JSON.stringify(other))
    assert.isFalse(isAllowed(store))
  })

  it("what is not granted has no grant", () => {
    const { store } = make()
    const asks = [
      { cost: 2, tries: true },
      { cost: 1, tries: true }
    ]
    const [granted, refused] = store.consume(request({ asks }))
    assert.isDefined(granted!.grant)
    assert.deepInclude(refused, { allowed: false, grant: undefined })
  })

  it("keys that have used nothing for an interval are forgotten: memory is that of the keys in use", () => {
    const { clock, store } = make()
    for (let i = 0; i < 1000; i++) {
      isAllowed(store, { key: `${i}` })
      clock.time += 10
    }
    const sizes = [...(store as any).states.values()].map(({ keys }) => keys.size)
    assert.strictEqual(sizes.length, 1)
    assert.isBelow(sizes[0], 50)
  })
})
