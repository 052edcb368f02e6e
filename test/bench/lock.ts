/** One at a time: with nobody else there, and with everybody at once. */
import { contenders, limiters, locks, pick, type Limiter } from "./limiters.js"
import { all, type Contender, ours, type Workload } from "./workload.js"

const floor: Limiter = async (_, body) => body

/** One call after the other. */
const alone =
  (limiter: Limiter): Contender =>
  async (operations) => {
    let done = 0
    const call = await limiter(1, async () => {
      done++
    })
    return async () => {
      for (let i = 0; i < operations; i++) await call()
      return done
    }
  }

/** All calls in one go; each waits for the one before it. */
const contended =
  (limiter: Limiter): Contender =>
  async (operations) => {
    let done = 0
    const call = await limiter(1, async () => {
      done++
    })
    return async () => {
      await all(operations, call)
      return done
    }
  }

type Wrap = <A>(self: import("effect").Effect.Effect<A>) => import("effect").Effect.Effect<A>

/** The ways to hold a lock around an effect. */
const wraps: Record<string, () => Promise<Wrap>> = {
  [ours]: async () => (await import("effect-concurrency")).Mutex.makeUnsafe().withLock,
  "Effect.makeSemaphore": async () => (await import("effect")).Effect.unsafeMakeSemaphore(1).withPermits(1),
  "floor: no lock": async () => (self) => self
}

const effects = (contender: (wrap: Wrap, operations: number) => ReturnType<Contender>): Record<string, Contender> =>
  Object.fromEntries(
    Object.entries(wraps).map(([name, wrap]) => [name, async (operations) => contender(await wrap(), operations)])
  )

export const workloads: ReadonlyArray<Workload> = [
  {
    name: "lock, nobody waiting, Effect",
    sizes: [1],
    repeat: 10_000,
    aims: { "Effect.makeSemaphore": 2, "floor: no lock": 0 },
    contenders: effects(async (wrap, operations) => {
      const { Effect } = await import("effect")
      let done = 0
      const body = Effect.sync(() => {
        done++
      })
      const loop = Effect.whileLoop({ while: () => done < operations, body: () => wrap(body), step: () => {} })
      return async () => {
        await Effect.runPromise(loop)
        return done
      }
    })
  },
  {
    name: "lock, contended, async body, Effect",
    sizes: [100, 1_000, 20_000],
    upTo: { "Effect.makeSemaphore": 1_000 },
    aims: { "floor: no lock": 1 / 1.4 },
    flat: { from: 1_000, factor: 1.5 },
    contenders: effects(async (wrap, operations) => {
      const { Effect } = await import("effect")
      let done = 0
      const body = Effect.map(
        Effect.promise(() => Promise.resolve()),
        () => {
          done++
        }
      )
      const each = () => wrap(body)
      const calls = Effect.forEach(Array.from({ length: operations }), each, {
        concurrency: "unbounded",
        discard: true
      })
      return async () => {
        await Effect.runPromise(calls)
        return done
      }
    })
  },
  {
    name: "lock, nobody waiting, promise",
    sizes: [1],
    repeat: 10_000,
    aims: { "floor: bare await": 1 / 2.5, [`${ours} acquire`]: 0 },
    contenders: {
      ...contenders(
        { ...locks, ...pick(limiters, "async-sema", "@henrygd/semaphore", "p-limit"), "floor: bare await": floor },
        alone
      ),
      asyncio: { python: "lock-alone" }
    }
  },
  {
    name: "lock, contended, promise",
    sizes: [1_000, 10_000, 100_000],
    aims: { "floor: no lock": 0, [`${ours} acquire`]: 0 },
    upTo: { "@henrygd/queue/async-storage": 10_000 },
    flat: { from: 1_000, factor: 1.5 },
    contenders: {
      ...contenders(
        {
          ...locks,
          ...pick(
            limiters,
            "async-sema",
            "@henrygd/semaphore",
            "p-limit",
            "p-queue",
            "fastq",
            "@henrygd/queue",
            "@henrygd/queue/async-storage"
          ),
          "floor: no lock": floor
        },
        contended
      ),
      asyncio: { python: "lock-contended" }
    }
  }
]
