/** Several policies around one call that succeeds: a limit of time, another attempt, a breaker, a limit of how many. */
import type { Body } from "./limiters.js"
import { ours, type Workload } from "./workload.js"

const long = 60_000
const breaker = { trip: { kind: "consecutive", failures: 5 }, halfOpen: { after: long } } as const
const bulkhead = { permits: 5, backlog: 5 }
const attempts = 3

/** Makes, of a function, one that runs under all that a library has of it. */
const guards: Record<string, (body: Body) => Promise<() => Promise<unknown>>> = {
  [ours]: async (body) => {
    const { Bulkhead, CircuitBreaker, Policy, retryPolicy, timeoutPolicy } = await import("effect-concurrency/promise")
    const policy = Policy.wrap(
      timeoutPolicy(long),
      retryPolicy({ attempts }),
      new CircuitBreaker(breaker),
      new Bulkhead(bulkhead)
    )
    return () => policy.run(body)
  },
  cockatiel: async (body) => {
    const {
      bulkhead: room,
      circuitBreaker,
      ConsecutiveBreaker,
      handleAll,
      retry,
      timeout,
      TimeoutStrategy,
      wrap
    } = await import("cockatiel")
    const policy = wrap(
      timeout(long, TimeoutStrategy.Aggressive),
      retry(handleAll, { maxAttempts: attempts }),
      circuitBreaker(handleAll, { halfOpenAfter: long, breaker: new ConsecutiveBreaker(5) }),
      room(bulkhead.permits, bulkhead.backlog)
    )
    return () => policy.execute(body)
  },
  // It has no retry, and its function is told of no deadline.
  opossum: async (body) => {
    const name: string = "opossum"
    const { default: CircuitBreaker } = await import(name)
    const circuit = new CircuitBreaker(body, { timeout: long, capacity: bulkhead.permits, resetTimeout: long })
    return () => circuit.fire()
  },
  // They have no breaker.
  "p-timeout, p-retry, p-limit": async (body) => {
    const [{ default: pTimeout }, { default: pRetry }, { default: pLimit }] = await Promise.all([
      import("p-timeout"),
      import("p-retry"),
      import("p-limit")
    ])
    const limit = pLimit(bulkhead.permits)
    return () =>
      pTimeout(
        pRetry(() => limit(body), { retries: attempts - 1 }),
        { milliseconds: long }
      )
  },
  "floor: no policy": async (body) => body
}

type Wrap = (self: import("effect").Effect.Effect<void>) => import("effect").Effect.Effect<unknown, unknown>

const wraps: Record<string, () => Promise<Wrap>> = {
  [ours]: async () => {
    const { Bulkhead, CircuitBreaker, Policy, Retry, Timeout } = await import("effect-concurrency")
    return Policy.wrap(
      Timeout.timeout(long),
      Retry.retry({ attempts }),
      CircuitBreaker.makeUnsafe(breaker).protect,
      Bulkhead.makeUnsafe(bulkhead).protect
    )
  },
  // Effect has no breaker, and no limit to how many wait.
  "Effect.timeout, Effect.retry, Effect.makeSemaphore": async () => {
    const { Effect } = await import("effect")
    const limited = Effect.unsafeMakeSemaphore(bulkhead.permits).withPermits(1)
    return (self) => Effect.timeout(Effect.retry(limited(self), { times: attempts - 1 }), long)
  },
  "floor: no policy": async () => (self) => self
}

export const workloads: ReadonlyArray<Workload> = [
  {
    name: "policy of four, promise",
    sizes: [1],
    repeat: 10_000,
    aims: { "floor: no policy": 0, opossum: 0 },
    contenders: Object.fromEntries(
      Object.entries(guards).map(([name, guard]) => [
        name,
        async (operations) => {
          let done = 0
          const call = await guard(async () => {
            done++
          })
          return async () => {
            for (let i = 0; i < operations; i++) await call()
            return done
          }
        }
      ])
    )
  },
  {
    name: "policy of four, Effect",
    sizes: [1],
    repeat: 10_000,
    aims: { "floor: no policy": 0 },
    contenders: Object.fromEntries(
      Object.entries(wraps).map(([name, wrap]) => [
        name,
        async (operations) => {
          const { Effect } = await import("effect")
          let done = 0
          const body = Effect.sync(() => {
            done++
          })
          const program = Effect.repeatN((await wrap())(body), operations - 1)
          return async () => {
            await Effect.runPromise(program)
            return done
          }
        }
      ])
    )
  }
]
