/** N wait for a lock that somebody holds. What the heap grew by, for each. */
import { contenders, limiters, locks, pick, type Limiter } from "./limiters.js"
import { type Contender, never, ours, quiet, type Workload } from "./workload.js"

const waiting =
  (limiter: Limiter): Contender =>
  async (count) => {
    const call = await limiter(1, never)
    const calls = new Array<unknown>(count + 1)
    return async () => {
      for (let i = 0; i <= count; i++) calls[i] = call()
      await quiet()
      return calls.length - 1
    }
  }

type Wrap = <A>(self: import("effect").Effect.Effect<A>) => import("effect").Effect.Effect<A>

const waitingFibers =
  (make: () => Promise<Wrap>): Contender =>
  async (count) => {
    const { Effect } = await import("effect")
    const lock = await make()
    const fibers = new Array<unknown>(count + 1)
    return async () => {
      for (let i = 0; i <= count; i++) fibers[i] = Effect.runFork(lock(Effect.never))
      await quiet()
      return fibers.length - 1
    }
  }

export const workloads: ReadonlyArray<Workload> = [
  {
    name: "memory of a waiter (bytes), promise",
    unit: "bytes",
    sizes: [100_000],
    aims: { [`${ours} acquire`]: 0 },
    contenders: {
      ...contenders(
        {
          ...locks,
          ...pick(limiters, "async-sema", "@henrygd/semaphore", "p-limit", "p-queue", "fastq", "@henrygd/queue")
        },
        waiting
      ),
      asyncio: { python: "memory" }
    }
  },
  {
    name: "memory of a waiter (bytes), Effect",
    unit: "bytes",
    sizes: [100_000],
    aims: { "floor: no lock": 0 },
    contenders: {
      [ours]: waitingFibers(async () => (await import("effect-concurrency")).Mutex.makeUnsafe().withLock),
      "Effect.makeSemaphore": waitingFibers(async () =>
        (await import("effect")).Effect.unsafeMakeSemaphore(1).withPermits(1)
      ),
      "floor: no lock": waitingFibers(async () => (self) => self)
    }
  }
]
