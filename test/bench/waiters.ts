/** N wait; then all are let go at once. Timed from letting go until the last has run. */
import type { Effect } from "effect"
import { type Contender, ours, quiet, type Round, type Workload } from "./workload.js"

const sizes = [10, 1_000, 10_000]
const flat = { from: 1_000, factor: 1.5 }

/** Parks N fibers in `wait`. */
const fibers = async (
  count: number,
  wait: Effect.Effect<unknown, unknown>,
  go: Effect.Effect<unknown, unknown>
): Promise<Round> => {
  const { Effect } = await import("effect")
  let started = 0
  let done = 0
  let last!: () => void
  const all = new Promise<void>((resolve) => (last = resolve))
  const one = Effect.suspend(() => {
    started++
    return Effect.map(wait, () => {
      if (++done === count) last()
    })
  })
  for (let i = 0; i < count; i++) Effect.runFork(one)
  while (started < count) await quiet()
  await quiet()
  return async () => {
    Effect.runFork(go)
    await all
    return done
  }
}

/** Parks N promises of `wait`. */
const promises = async (count: number, wait: () => Promise<unknown>, go: () => unknown): Promise<Round> => {
  let done = 0
  const one = async () => {
    await wait()
    done++
  }
  const all = Promise.all(Array.from({ length: count }, one))
  await quiet()
  return async () => {
    await go()
    await all
    return done
  }
}

/** What fibers cost that are woken by Effect itself. */
const floor: Contender = async (count) => {
  const { Deferred, Effect } = await import("effect")
  const deferred = Effect.runSync(Deferred.make<void>())
  return fibers(count, Deferred.await(deferred), Deferred.succeed(deferred, undefined))
}

/** What async functions cost that wait for one promise. */
const promiseFloor: Contender = (count) => {
  let go!: () => void
  const promise = new Promise<void>((resolve) => (go = resolve))
  return promises(count, () => promise, go)
}

const pair = (what: string, effect: Record<string, Contender>, promise: Contender): ReadonlyArray<Workload> => [
  {
    name: `${what}, N waiting, Effect`,
    sizes,
    flat,
    aims: { "floor: Deferred": 0 },
    contenders: { ...effect, "floor: Deferred": floor, asyncio: { python: what } }
  },
  {
    name: `${what}, N waiting, promise`,
    sizes,
    flat,
    aims: { "floor: one promise": 0 },
    contenders: { [ours]: promise, "floor: one promise": promiseFloor, asyncio: { python: what } }
  }
]

export const workloads: ReadonlyArray<Workload> = [
  ...pair(
    "event",
    {
      [ours]: async (count) => {
        const { Event } = await import("effect-concurrency")
        const event = Event.makeUnsafe()
        return fibers(count, event.wait, event.set)
      },
      "Effect Latch": async (count) => {
        const { Effect } = await import("effect")
        const latch = Effect.unsafeMakeLatch()
        return fibers(count, latch.await, latch.open)
      }
    },
    async (count) => {
      const { Event } = await import("effect-concurrency/promise")
      const event = new Event()
      return promises(
        count,
        () => event.wait(),
        () => event.set()
      )
    }
  ),
  ...pair(
    "condition",
    {
      [ours]: async (count) => {
        const { Condition } = await import("effect-concurrency")
        const condition = Condition.makeUnsafe()
        return fibers(count, condition.withLock(condition.wait), condition.withLock(condition.notifyAll))
      }
    },
    async (count) => {
      const { Condition } = await import("effect-concurrency/promise")
      const condition = new Condition()
      return promises(
        count,
        () => condition.run(() => condition.wait()),
        () => condition.run(() => condition.notifyAll())
      )
    }
  ),
  ...pair(
    "barrier",
    {
      [ours]: async (count) => {
        const { Barrier } = await import("effect-concurrency")
        const barrier = Barrier.makeUnsafe(count + 1)
        return fibers(count, barrier.await, barrier.await)
      }
    },
    async (count) => {
      const { Barrier } = await import("effect-concurrency/promise")
      const barrier = new Barrier(count + 1)
      return promises(
        count,
        () => barrier.wait(),
        () => barrier.wait()
      )
    }
  )
]
