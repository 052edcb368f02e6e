/** What it costs to retry: a call that succeeds at once, one that fails first and is called again at once, and many that pause together. */
import { all, type Contender, ours, type Workload } from "./workload.js"

/** A function, of which each call is one operation: it succeeds at its last attempt. */
type Retry = (f: () => Promise<void>) => Promise<unknown>

/** One for all: to make an error takes longer than what is measured. */
const error = new Error("no")

/** Calls one after the other, or all at once. Each succeeds at the first attempt, or at the second. */
const calls =
  (make: () => Promise<Retry>, failures: 0 | 1, together = false): Contender =>
  async (operations) => {
    const retry = await make()
    let done = 0
    const call = () => {
      let left = failures
      return retry(async () => {
        if (left-- > 0) throw error
        done++
      })
    }
    return async () => {
      if (together) await all(operations, call)
      else for (let i = 0; i < operations; i++) await call()
      return done
    }
  }

const effects =
  (
    make: () => Promise<
      (body: import("effect").Effect.Effect<void, Error>) => import("effect").Effect.Effect<void, unknown>
    >,
    failures: 0 | 1,
    together = false
  ): Contender =>
  async (operations) => {
    const { Effect } = await import("effect")
    const retry = await make()
    let done = 0
    const call = Effect.suspend(() => {
      let left = failures as number
      return retry(Effect.suspend(() => (left-- > 0 ? Effect.fail(error) : Effect.sync(() => void done++))))
    })
    const calls = Array.from({ length: operations }, () => call)
    const program = Effect.forEach(calls, (call) => call, {
      discard: true,
      concurrency: together ? "unbounded" : undefined
    })
    return async () => {
      await Effect.runPromise(program)
      return done
    }
  }

interface Pause {
  readonly base: number
}

const mine =
  ({ base }: Pause) =>
  async (): Promise<Retry> => {
    const { retry, retryPolicy } = await import("effect-concurrency/promise")
    const policy = retryPolicy({ base, jitter: "none" })
    return (f) => retry(f, policy)
  }

const pRetry =
  ({ base }: Pause) =>
  async (): Promise<Retry> => {
    const { default: pRetry } = await import("p-retry")
    const options = { retries: 2, minTimeout: base, maxTimeout: Math.max(1, base) }
    return (f) => pRetry(f, options)
  }

const cockatiel =
  ({ base }: Pause) =>
  async (): Promise<Retry> => {
    const { ConstantBackoff, handleAll, retry } = await import("cockatiel")
    const policy = retry(handleAll, { maxAttempts: 2, backoff: new ConstantBackoff(base) })
    return (f) => policy.execute(f)
  }

const toolkit =
  ({ base }: Pause) =>
  async (): Promise<Retry> => {
    const { retry } = await import("es-toolkit")
    const options = { retries: 2, delay: base }
    return (f) => retry(f, options)
  }

const libraries = (pause: Pause) => ({
  "p-retry": pRetry(pause),
  cockatiel: cockatiel(pause),
  "es-toolkit": toolkit(pause)
})

const contenders = (pause: Pause, failures: 0 | 1, together?: boolean): Record<string, Contender> =>
  Object.fromEntries(
    Object.entries({ [ours]: mine(pause), ...libraries(pause) }).map(([name, make]) => [
      name,
      calls(make, failures, together)
    ])
  )

const effectContenders = (base: number, failures: 0 | 1, together?: boolean): Record<string, Contender> => ({
  [ours]: effects(
    async () => {
      const { Retry } = await import("effect-concurrency")
      return Retry.policy({ base, jitter: "none" }).retry
    },
    failures,
    together
  ),
  "Effect.retry": effects(
    async () => {
      const { Effect, Schedule } = await import("effect")
      const schedule = Schedule.intersect(Schedule.exponential(base), Schedule.recurs(2))
      return Effect.retry(schedule)
    },
    failures,
    together
  )
})

const inARow = { sizes: [1_000] }
const atOnce = { sizes: [10, 1_000, 20_000], flat: { from: 1_000, factor: 1.5 } }
const bare = { "floor: the call": calls(async () => (f) => f(), 0) }

export const workloads: ReadonlyArray<Workload> = [
  {
    name: "retry, success at once, promise",
    ...inARow,
    aims: { "floor: the call": 0 },
    contenders: {
      ...contenders({ base: 1 }, 0),
      [`${ours}, with a signal`]: calls(async () => {
        const { retry, retryPolicy } = await import("effect-concurrency/promise")
        const policy = retryPolicy()
        const { signal } = new AbortController()
        return (f) => retry(f, policy, { signal })
      }, 0),
      ...bare
    }
  },
  { name: "retry, success at the second, promise", ...inARow, contenders: contenders({ base: 0 }, 1) },
  { name: "retry, many pause, promise", ...atOnce, contenders: contenders({ base: 1 }, 1, true) },
  { name: "retry, success at once, Effect", ...inARow, contenders: effectContenders(1, 0) },
  { name: "retry, success at the second, Effect", ...inARow, contenders: effectContenders(0, 1) },
  { name: "retry, many pause, Effect", ...atOnce, contenders: effectContenders(1, 1, true) }
]
