/** What it costs to give each piece of work a deadline that it does not need: one after the other, and very many at once. */
import {
  type Bodies,
  type Calls,
  effects,
  fibers,
  forked,
  functions,
  type Functions,
  type Runs,
  started
} from "./bodies.js"
import { ours, type Workload } from "./workload.js"

type Body = Bodies[number]

const long = 60_000

/** One caller, who does one after the other. */
const inARow =
  (limited: () => Promise<(body: Body) => Body>): Runs =>
  async (bodies) => {
    const { Effect } = await import("effect")
    const limit = await limited()
    return Effect.forEach(bodies, (body) => limit(body), { discard: true })
  }

/** A fiber for each. */
const atOnce =
  (limited: () => Promise<(body: Body) => Body>): Runs =>
  async (bodies) =>
    forked(bodies.map(await limited()))

const ourTimeout = async () => {
  const { Timeout } = await import("effect-concurrency")
  return (body: Body): Body => Timeout.timeout(long)(body)
}
const effectTimeout = async () => {
  const { Effect } = await import("effect")
  return (body: Body): Body => Effect.timeout(body, long)
}
const ownFiber = async () => {
  const { Effect } = await import("effect")
  return (body: Body): Body => Effect.flatMap(Effect.forkDaemon(body), (fiber) => fiber.await)
}

type Call = (f: () => Promise<void>) => Promise<unknown>

const inTurn = (call: () => Promise<Call>) => async (functions: Functions) => {
  const limited = await call()
  return async () => {
    for (const f of functions) await limited(f)
  }
}
const together = (call: () => Promise<Call>) => async (functions: Functions) => {
  const limited = await call()
  return () => Promise.all(functions.map((f) => limited(f)))
}

const calls: Record<string, () => Promise<Call>> = {
  [ours]: async () => {
    const { timeout } = await import("effect-concurrency/promise")
    return (f) => timeout(f, long)
  },
  "p-timeout": async () => {
    const { default: pTimeout } = await import("p-timeout")
    return (f) => pTimeout(f(), { milliseconds: long })
  },
  "es-toolkit": async () => {
    const { withTimeout } = await import("es-toolkit")
    return (f) => withTimeout(f, long)
  },
  cockatiel: async () => {
    const { timeout, TimeoutStrategy } = await import("cockatiel")
    const policy = timeout(long, TimeoutStrategy.Aggressive)
    return (f) => policy.execute(f)
  },
  // A breaker that never opens, for its limit of time. (It has no types.)
  opossum: async () => {
    const name: string = "opossum"
    const { default: CircuitBreaker } = await import(name)
    const options = { timeout: long, errorThresholdPercentage: 100, volumeThreshold: Infinity }
    const breaker = new CircuitBreaker((f: () => Promise<void>) => f(), options)
    return (f) => breaker.fire(f)
  }
}

const each = (make: (call: () => Promise<Call>) => Calls) =>
  Object.fromEntries(Object.entries(calls).map(([name, call]) => [name, make(call)]))

const twoFibers = "floor: a fiber for the work"

export const workloads: ReadonlyArray<Workload> = [
  {
    name: "timeout, one after the other, Effect",
    sizes: [1_000],
    aims: { [twoFibers]: 0 },
    contenders: effects({
      [ours]: inARow(ourTimeout),
      "Effect.timeout": inARow(effectTimeout),
      [twoFibers]: inARow(ownFiber)
    })
  },
  {
    name: "timeout, open at once, Effect",
    sizes: [1_000, 20_000, 100_000],
    flat: { from: 1_000, factor: 1.5 },
    aims: { [twoFibers]: 0, [fibers]: 0 },
    contenders: effects({
      [ours]: atOnce(ourTimeout),
      "Effect.timeout": atOnce(effectTimeout),
      [twoFibers]: atOnce(ownFiber),
      [fibers]: forked
    })
  },
  {
    name: "timeout, one after the other, promise",
    sizes: [1_000],
    aims: { "floor: promises": 0 },
    contenders: {
      ...functions({ ...each(inTurn), "floor: promises": inTurn(async () => (f) => f()) }),
      "asyncio.timeout": { python: "timeout_in_turn" }
    }
  },
  {
    name: "timeout, open at once, promise",
    sizes: [1_000, 20_000, 100_000],
    flat: { from: 1_000, factor: 1.5 },
    aims: { "floor: promises": 0 },
    contenders: {
      ...functions({
        ...each(together),
        "floor: promises": async (functions) => () => Promise.all(started(functions))
      }),
      "asyncio.timeout": { python: "timeout" }
    }
  }
]
