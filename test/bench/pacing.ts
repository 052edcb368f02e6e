/** What a call of a debounced or throttled function costs, when there are very many: a burst of them, until the run at its end is over. */
import { type Contender, ours, type Workload } from "./workload.js"

/** Makes a function of which each call counts, and that runs another in the end. */
type Maker = (f: (n: number) => unknown) => Promise<(n: number) => unknown>

/** Long enough that a burst of a million is one, for whoever is quick; whoever is slow is not disturbed by it. */
const wait = 1

/** Calls until the last number has arrived. */
const burst = (make: Maker) => async (operations: number) => {
  let arrived: (n: number) => void
  const call = await make((n) => arrived(n))
  return async () => {
    const last = new Promise<void>((resolve) => {
      arrived = (n) => {
        if (n === operations) resolve()
      }
    })
    for (let n = 1; n <= operations; n++) call(n)
    await last
    return operations
  }
}

/**
 * Calls of which only the first has to arrive; it does so before the burst is over. (A burst that takes longer than the wait is several
 * windows of a throttle, and has as many runs.)
 */
const leading = (make: Maker) => async (operations: number) => {
  let first = 0
  const call = await make((n) => {
    first ||= n
  })
  return () => {
    for (let n = 1; n <= operations; n++) call(n)
    return first === 1 ? operations : 0
  }
}

const contenders = (makers: Record<string, Maker>, round: (make: Maker) => Contender = burst): Workload["contenders"] =>
  Object.fromEntries(Object.entries(makers).map(([name, make]) => [name, round(make)]))

const atFirst = { edges: "leading" } as const

const sizes = [10_000, 1_000_000]

export const workloads: ReadonlyArray<Workload> = [
  {
    name: "debounced calls",
    sizes,
    flat: { from: 10_000, factor: 1.5 },
    contenders: contenders({
      [ours]: async (f) => (await import("effect-concurrency/promise")).debounce(f, wait),
      [`${ours} trigger`]: async (f) => (await import("effect-concurrency/promise")).debounce(f, wait).trigger,
      "es-toolkit": async (f) => (await import("es-toolkit")).debounce(f, wait),
      "@tanstack/pacer": async (f) => (await import("@tanstack/pacer")).debounce(f, { wait }),
      "@tanstack/pacer asyncDebounce": async (f) =>
        (await import("@tanstack/pacer")).asyncDebounce(async (n: number) => f(n), { wait }),
      "p-debounce": async (f) => (await import("p-debounce")).default(async (n: number) => f(n), wait)
    }),
    aims: { [`${ours} trigger`]: 0 }
  },
  {
    name: "throttled calls",
    sizes,
    flat: { from: 10_000, factor: 1.5 },
    contenders: contenders({
      [ours]: async (f) => (await import("effect-concurrency/promise")).throttle(f, wait),
      [`${ours} trigger`]: async (f) => (await import("effect-concurrency/promise")).throttle(f, wait).trigger,
      "es-toolkit": async (f) => (await import("es-toolkit")).throttle(f, wait),
      "@tanstack/pacer": async (f) => (await import("@tanstack/pacer")).throttle(f, { wait }),
      "@tanstack/pacer asyncThrottle": async (f) =>
        (await import("@tanstack/pacer")).asyncThrottle(async (n: number) => f(n), { wait }),
      // It leaves no call out: here they all may go.
      "p-throttle": async (f) =>
        (await import("p-throttle")).default({ limit: Number.MAX_SAFE_INTEGER, interval: 1 })(f)
    }),
    aims: { [`${ours} trigger`]: 0 }
  },
  {
    name: "debounced calls, leading",
    sizes,
    flat: { from: 10_000, factor: 1.5 },
    contenders: contenders(
      {
        [ours]: async (f) => (await import("effect-concurrency/promise")).debounce(f, wait, atFirst),
        [`${ours} trigger`]: async (f) =>
          (await import("effect-concurrency/promise")).debounce(f, wait, atFirst).trigger,
        "es-toolkit": async (f) => (await import("es-toolkit")).debounce(f, wait, { edges: ["leading"] }),
        "@tanstack/pacer": async (f) =>
          (await import("@tanstack/pacer")).debounce(f, { wait, leading: true, trailing: false }),
        "p-debounce": async (f) =>
          (await import("p-debounce")).default(async (n: number) => f(n), wait, { before: true })
      },
      leading
    ),
    aims: { [`${ours} trigger`]: 0 }
  },
  {
    name: "throttled calls, leading",
    sizes,
    flat: { from: 10_000, factor: 1.5 },
    contenders: contenders(
      {
        [ours]: async (f) => (await import("effect-concurrency/promise")).throttle(f, wait, atFirst),
        [`${ours} trigger`]: async (f) =>
          (await import("effect-concurrency/promise")).throttle(f, wait, atFirst).trigger,
        "es-toolkit": async (f) => (await import("es-toolkit")).throttle(f, wait, { edges: ["leading"] }),
        "@tanstack/pacer": async (f) =>
          (await import("@tanstack/pacer")).throttle(f, { wait, leading: true, trailing: false })
      },
      leading
    ),
    aims: { [`${ours} trigger`]: 0 }
  },
  {
    name: "debounced calls, Effect",
    sizes,
    flat: { from: 10_000, factor: 1.5 },
    // A stream's cost grows faster than its calls.
    upTo: { "Stream.debounce": 10_000 },
    contenders: {
      [ours]: async (operations) => {
        const { Debounce } = await import("effect-concurrency")
        const { Effect } = await import("effect")
        const debounced = Debounce.makeUnsafe((n: number) => Effect.succeed(n), { wait })
        const calls = Effect.forEach(Array.from({ length: operations - 1 }), (_, n) => debounced.trigger(n), {
          discard: true
        })
        const program = Effect.zipRight(calls, debounced.call(operations))
        return () => Effect.runPromise(program)
      },
      "Stream.debounce": async (operations) => {
        const { Effect, Queue, Stream } = await import("effect")
        return () =>
          Effect.runPromise(
            Effect.gen(function* () {
              const queue = yield* Queue.unbounded<number>()
              const last = Stream.fromQueue(queue).pipe(
                Stream.debounce(wait),
                Stream.filter((n) => n === operations),
                Stream.runHead
              )
              const fiber = yield* Effect.fork(last)
              yield* Effect.forEach(Array.from({ length: operations }), (_, n) => queue.offer(n + 1), { discard: true })
              yield* fiber.await
              return operations
            })
          )
      }
    }
  },
  {
    name: "throttled calls, leading, Effect",
    sizes,
    flat: { from: 10_000, factor: 1.5 },
    upTo: { "Stream.throttle": 10_000 },
    contenders: {
      [ours]: async (operations) => {
        const { Throttle } = await import("effect-concurrency")
        const { Effect } = await import("effect")
        let ran = 0
        const throttled = Throttle.makeUnsafe((n: number) => Effect.sync(() => (ran += n)), {
          interval: wait,
          ...atFirst
        })
        const program = Effect.forEach(Array.from({ length: operations }), (_, n) => throttled.trigger(n + 1), {
          discard: true
        })
        return async () => {
          await Effect.runPromise(Effect.zipRight(program, throttled.flush))
          return ran > 0 ? operations : 0
        }
      },
      // It decides about chunks; here there is one for each call.
      "Stream.throttle": async (operations) => {
        const { Effect, Stream } = await import("effect")
        const passed = Stream.range(1, operations, 1).pipe(
          Stream.throttle({ cost: () => 1, units: 1, duration: wait, strategy: "enforce" }),
          Stream.runCount
        )
        return async () => ((await Effect.runPromise(passed)) > 0 ? operations : 0)
      }
    }
  }
]
