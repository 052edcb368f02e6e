/** Circuit breakers and bulkheads: what they cost when all is well, and when they refuse. */
import type { Body } from "./limiters.js"
import { all, type Contender, never, ours, type Workload } from "./workload.js"

/** Makes, of a function, one that runs behind a breaker; `open` opens it. */
type Guard = (body: Body) => Promise<{ readonly call: () => Promise<unknown>; readonly open: () => unknown }>

type Rule = "consecutive" | "count" | "time"

const rules = {
  consecutive: { kind: "consecutive", failures: 5 },
  count: { kind: "count", size: 100, rate: 0.5 },
  time: { kind: "time", window: 10_000, rate: 0.5 }
} as const

const our =
  (rule: Rule): Guard =>
  async (body) => {
    const { CircuitBreaker } = await import("effect-concurrency/promise")
    const breaker = new CircuitBreaker({ trip: rules[rule], halfOpen: { after: 60_000 } })
    return { call: () => breaker.run(body), open: () => breaker.trip() }
  }

const cockatiel =
  (rule: Rule): Guard =>
  async (body) => {
    const { circuitBreaker, ConsecutiveBreaker, CountBreaker, handleAll, SamplingBreaker } = await import("cockatiel")
    const breaker = {
      consecutive: () => new ConsecutiveBreaker(5),
      count: () => new CountBreaker({ size: 100, threshold: 0.5 }),
      time: () => new SamplingBreaker({ duration: 10_000, threshold: 0.5 })
    }[rule]()
    const policy = circuitBreaker(handleAll, { halfOpenAfter: 60_000, breaker })
    return { call: () => policy.execute(body), open: () => policy.isolate() }
  }

const opossumModule = async (): Promise<any> => {
  const name: string = "opossum"
  return (await import(name)).default
}

/** It has the time window only. */
const opossum: Guard = async (body) => {
  const CircuitBreaker = await opossumModule()
  const breaker = new CircuitBreaker(body, {
    timeout: false,
    rollingCountTimeout: 10_000,
    errorThresholdPercentage: 50,
    resetTimeout: 60_000
  })
  return { call: () => breaker.fire(), open: () => breaker.open() }
}

const closed =
  (guard: Guard): Contender =>
  async (operations) => {
    let done = 0
    const { call } = await guard(async () => {
      done++
    })
    return async () => {
      for (let i = 0; i < operations; i++) await call()
      return done
    }
  }

const refused = async (operations: number, call: () => Promise<unknown>): Promise<number> => {
  let count = 0
  for (let i = 0; i < operations; i++) {
    try {
      await call()
    } catch {
      count++
    }
  }
  return count
}

const opened =
  (guard: Guard): Contender =>
  async (operations) => {
    const { call, open } = await guard(async () => {})
    open()
    return () => refused(operations, call)
  }

/** Makes, of a function, one that runs in a bulkhead. */
type Room = (permits: number, backlog: number, body: Body) => Promise<() => Promise<unknown>>

const rooms: Record<string, Room> = {
  [ours]: async (permits, backlog, body) => {
    const { Bulkhead } = await import("effect-concurrency/promise")
    const bulkhead = new Bulkhead({ permits, backlog })
    return () => bulkhead.run(body)
  },
  cockatiel: async (permits, backlog, body) => {
    const { bulkhead } = await import("cockatiel")
    const policy = bulkhead(permits, backlog)
    return () => policy.execute(body)
  },
  // It refuses nobody.
  "p-limit": async (permits, _, body) => {
    const { default: pLimit } = await import("p-limit")
    const limit = pLimit(permits)
    return () => limit(body)
  }
}

/** It has no places to wait. */
const opossumRoom: Room = async (permits, _, body) => {
  const CircuitBreaker = await opossumModule()
  const breaker = new CircuitBreaker(body, {
    timeout: false,
    capacity: permits,
    errorThresholdPercentage: 100,
    volumeThreshold: Infinity
  })
  return () => breaker.fire()
}

const inRoom =
  (room: Room): Contender =>
  async (operations) => {
    let done = 0
    const call = await room(5, 0, async () => {
      done++
    })
    return async () => {
      for (let i = 0; i < operations; i++) await call()
      return done
    }
  }

const waiting =
  (room: Room): Contender =>
  async (operations) => {
    let done = 0
    const call = await room(5, operations, async () => {
      done++
    })
    return async () => {
      await all(operations, call)
      return done
    }
  }

const full =
  (room: Room): Contender =>
  async (operations) => {
    const call = await room(1, 0, never)
    void call()
    return () => refused(operations, call)
  }

type Wrap = <A, E>(self: import("effect").Effect.Effect<A, E>) => import("effect").Effect.Effect<A, unknown>

const wraps: Record<string, () => Promise<Wrap>> = {
  [ours]: async () => {
    const { CircuitBreaker } = await import("effect-concurrency")
    return CircuitBreaker.makeUnsafe({ trip: rules.consecutive, halfOpen: { after: 60_000 } }).protect
  },
  [`${ours}, time window`]: async () => {
    const { CircuitBreaker } = await import("effect-concurrency")
    return CircuitBreaker.makeUnsafe({ trip: rules.time, halfOpen: { after: 60_000 } }).protect
  },
  [`${ours}, bulkhead`]: async () => {
    const { Bulkhead } = await import("effect-concurrency")
    return Bulkhead.makeUnsafe({ permits: 1 }).protect
  },
  "Effect.makeSemaphore": async () => (await import("effect")).Effect.unsafeMakeSemaphore(1).withPermits(1),
  "floor: no breaker": async () => (self) => self
}

const map = <A, B>(of: Record<string, A>, f: (a: A) => B): Record<string, B> =>
  Object.fromEntries(Object.entries(of).map(([name, a]) => [name, f(a)]))

const guards = (rule: Rule): Record<string, Guard> => ({
  [ours]: our(rule),
  cockatiel: cockatiel(rule),
  ...(rule === "time" && { opossum })
})

const repeat = 10_000

export const workloads: ReadonlyArray<Workload> = [
  { name: "breaker, closed, failures in a row", sizes: [1], repeat, contenders: map(guards("consecutive"), closed) },
  { name: "breaker, closed, the last 100", sizes: [1], repeat, contenders: map(guards("count"), closed) },
  { name: "breaker, closed, the last 10 s", sizes: [1], repeat, contenders: map(guards("time"), closed) },
  { name: "breaker, open", sizes: [1], repeat, contenders: map(guards("time"), opened) },
  {
    name: "breaker, closed, Effect",
    sizes: [1],
    repeat,
    aims: { [`${ours}, time window`]: 0, [`${ours}, bulkhead`]: 0, "Effect.makeSemaphore": 0, "floor: no breaker": 0 },
    contenders: map(wraps, (wrap): Contender => async (operations) => {
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
    })
  },
  { name: "bulkhead, room for all", sizes: [1], repeat, contenders: map({ ...rooms, opossum: opossumRoom }, inRoom) },
  { name: "bulkhead, 5 run, all others wait", sizes: [1_000, 10_000, 100_000], contenders: map(rooms, waiting) },
  {
    name: "bulkhead, full",
    sizes: [1],
    repeat,
    contenders: map({ [ours]: rooms[ours]!, cockatiel: rooms.cockatiel!, opossum: opossumRoom }, full)
  }
]
