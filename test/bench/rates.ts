/** So many an interval: with nobody waiting, and with a line of them behind a limit that is used up. */
import { all, type Contender, ours, quiet, type Workload } from "./workload.js"

type Body = () => Promise<unknown>
type Rate = (limit: number, interval: number, body: Body) => Promise<() => Promise<unknown>>

const rates: Record<string, Rate> = {
  [ours]: async (limit, interval, body) => {
    const { RateLimiter } = await import("effect-concurrency/promise")
    const limiter = new RateLimiter({ limit, interval })
    return () => limiter.run(body)
  },
  [`${ours} gcra`]: async (limit, interval, body) => {
    const { RateLimiter } = await import("effect-concurrency/promise")
    const limiter = new RateLimiter({ limit, interval, burst: limit })
    return () => limiter.run(body)
  },
  [`${ours} consume`]: async (limit, interval, body) => {
    const { RateLimiter } = await import("effect-concurrency/promise")
    const limiter = new RateLimiter({ limit, interval })
    return async () => {
      await limiter.consume()
      return body()
    }
  },
  limiter: async (limit, interval, body) => {
    const { RateLimiter } = await import("limiter")
    const limiter = new RateLimiter({ tokensPerInterval: limit, interval })
    return async () => {
      await limiter.removeTokens(1)
      return body()
    }
  },
  "p-throttle": async (limit, interval, body) => {
    const { default: pThrottle } = await import("p-throttle")
    return pThrottle({ limit, interval })(body)
  },
  "p-throttle strict": async (limit, interval, body) => {
    const { default: pThrottle } = await import("p-throttle")
    return pThrottle({ limit, interval, strict: true })(body)
  },
  // It has no interval below 250 ms; the nearest is a least distance between two. Either way it starts one call a timer, so that each takes it
  // some milliseconds: 100,000 of them would be five minutes a round.
  bottleneck: async (limit, interval, body) => {
    const { default: Bottleneck } = await import("bottleneck")
    const limiter = new Bottleneck({ minTime: interval / limit })
    return () => limiter.schedule(body)
  }
}

const contenders = (contender: (rate: Rate) => Contender): Record<string, Contender> =>
  Object.fromEntries(Object.entries(rates).map(([name, rate]) => [name, contender(rate)]))

/** One call after the other. */
const alone =
  (rate: Rate): Contender =>
  async (operations) => {
    let done = 0
    const call = await rate(1_000_000, 1, async () => {
      done++
    })
    return async () => {
      for (let i = 0; i < operations; i++) await call()
      return done
    }
  }

/** What a line has to wait for anyway: a microsecond each. */
const intervalOf = (operations: number): number => operations / 1000

/** Keeps the event loop busy until the time has come of those who wait, so that no timer's rounding is measured. */
const busyUntil = (time: number): void => {
  while (performance.now() < time);
}

/** All calls in one go, behind a limit that is used up. */
const backlog =
  (rate: Rate): Contender =>
  async (operations) => {
    let done = 0
    const interval = intervalOf(operations)
    const call = await rate(operations, interval, async () => {
      done++
    })
    await all(operations, call)
    done = 0
    return async () => {
      const end = performance.now() + interval
      const calls = all(operations, call)
      busyUntil(end)
      await calls
      return done
    }
  }

type Wrap = <A>(self: import("effect").Effect.Effect<A>) => import("effect").Effect.Effect<A>

/** The limiter, and what ends it. */
const effects: Record<string, (limit: number, interval: number) => Promise<readonly [Wrap, () => Promise<void>]>> = {
  [ours]: async (limit, interval) => {
    const { RateLimiter } = await import("effect-concurrency")
    return [RateLimiter.makeUnsafe({ limit, interval }).withLimit(), async () => {}]
  },
  // Its least distance between two is a millisecond, whatever the limit.
  "RateLimiter of Effect, token bucket": async (limit, interval) => ofEffect(limit, interval, "token-bucket"),
  "RateLimiter of Effect, fixed window": async (limit, interval) => ofEffect(limit, interval, "fixed-window"),
  "floor: no limit": async () => [(self) => self, async () => {}]
}

const ofEffect = async (limit: number, interval: number, algorithm: "token-bucket" | "fixed-window") => {
  const { Effect, Exit, RateLimiter, Scope } = await import("effect")
  const scope = Effect.runSync(Scope.make())
  const limiter = await Effect.runPromise(Scope.extend(RateLimiter.make({ limit, interval, algorithm }), scope))
  const wrap: Wrap = (self) => limiter(self)
  return [wrap, () => Effect.runPromise(Scope.close(scope, Exit.void))] as const
}

const inEffect = (
  contender: (wrap: Wrap, operations: number) => Promise<() => Promise<number>>,
  rateOf: (operations: number) => readonly [number, number]
): Record<string, Contender> =>
  Object.fromEntries(
    Object.entries(effects).map(([name, make]) => [
      name,
      async (operations: number) => {
        const [wrap, end] = await make(...rateOf(operations))
        const round = await contender(wrap, operations)
        return async () => {
          const done = await round()
          await end()
          return done
        }
      }
    ])
  )

/** bottleneck starts one call a timer: its rows say how long a timer takes. */
const informative = { [`${ours} gcra`]: 0, [`${ours} consume`]: 0, bottleneck: 0 }

export const workloads: ReadonlyArray<Workload> = [
  {
    name: "rate limit, nobody waiting",
    sizes: [1],
    repeat: 10_000,
    aims: informative,
    contenders: contenders(alone)
  },
  {
    name: "rate limit, backlog",
    sizes: [2_000, 100_000],
    aims: informative,
    // The strict one looks through its calls for each: 100,000 do not end.
    upTo: { bottleneck: 2_000, "p-throttle strict": 2_000 },
    flat: { from: 2_000, factor: 1.5 },
    contenders: contenders(backlog)
  },
  {
    name: "rate limit, nobody waiting, Effect",
    sizes: [1],
    repeat: 10_000,
    aims: { "floor: no limit": 0 },
    contenders: inEffect(
      async (wrap, operations) => {
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
      },
      () => [1_000_000, 1]
    )
  },
  {
    name: "rate limit, backlog, Effect",
    sizes: [2_000, 100_000],
    aims: { "floor: no limit": 0 },
    // The bucket gives one out each millisecond at most, and does not come to its end in three minutes. What the window takes for each grows with the line.
    upTo: { "RateLimiter of Effect, token bucket": 0, "RateLimiter of Effect, fixed window": 2_000 },
    flat: { from: 2_000, factor: 1.5 },
    contenders: inEffect(
      async (wrap, operations) => {
        const { Effect } = await import("effect")
        let done = 0
        let last!: () => void
        const ended = new Promise<void>((resolve) => (last = resolve))
        const body = Effect.sync(() => {
          if (++done === 2 * operations) last()
        })
        const one = wrap(body)
        for (let i = 0; i < operations; i++) Effect.runFork(one)
        while (done < operations) await quiet()
        return async () => {
          const end = performance.now() + intervalOf(operations)
          for (let i = 0; i < operations; i++) Effect.runFork(one)
          busyUntil(end)
          await ended
          return done - operations
        }
      },
      (operations) => [operations, intervalOf(operations)]
    )
  }
]
