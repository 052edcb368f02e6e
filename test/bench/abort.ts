/** N wait for a lock that somebody holds; then all give up, first come first. Timed from the first abort until all have settled. */
import { type Contender, never, ours, quiet, type Workload } from "./workload.js"

const sizes = [1_000, 100_000]
const flat = { from: 1_000, factor: 1.5 }

const reason = new Error("enough")

type Wait = (signal: AbortSignal) => Promise<unknown>

/** `signals` is how many: one that all share, or one each. */
const aborted =
  (signals: "one" | "each", make: () => Promise<Wait>): Contender =>
  async (count) => {
    const wait = await make()
    const controllers = Array.from({ length: signals === "one" ? 1 : count }, () => new AbortController())
    let rejected = 0
    const waits = Array.from({ length: count }, (_, i) =>
      wait(controllers[i % controllers.length]!.signal).catch(() => {
        rejected++
      })
    )
    await quiet()
    return async () => {
      // A reason made before: the platform's own, with its stack trace, costs more than everything else here.
      for (const controller of controllers) controller.abort(reason)
      await Promise.all(waits)
      return rejected
    }
  }

const floor = "floor: bare listener"

const locks: Record<string, () => Promise<Wait>> = {
  [ours]: async () => {
    const { Mutex } = await import("effect-concurrency/promise")
    const mutex = new Mutex()
    void mutex.run(never)
    return (signal) => mutex.run(never, { signal })
  },
  "p-queue": async () => {
    const { default: PQueue } = await import("p-queue")
    const queue = new PQueue({ concurrency: 1 })
    void queue.add(never)
    return (signal) => queue.add(never, { signal })
  },
  /** What the platform takes for a listener, its event and a rejection. */
  [floor]: async () => (signal) =>
    new Promise((_, reject) => {
      const listener = () => {
        signal.removeEventListener("abort", listener)
        reject(signal.reason)
      }
      signal.addEventListener("abort", listener)
    })
}

type Wrap = <A>(self: import("effect").Effect.Effect<A>) => import("effect").Effect.Effect<A>

const interrupted =
  (make: () => Promise<Wrap>): Contender =>
  async (count) => {
    const { Effect, Fiber } = await import("effect")
    const lock = await make()
    Effect.runFork(lock(Effect.never))
    let started = 0
    let interrupted = 0
    const one = Effect.suspend(() => {
      started++
      return lock(Effect.never)
    })
    const waits = Array.from({ length: count }, () => Effect.runFork(one))
    for (const wait of waits) {
      wait.addObserver(() => {
        interrupted++
      })
    }
    while (started < count) await quiet()
    await quiet()
    return async () => {
      await Effect.runPromise(Fiber.interruptAll(waits))
      return interrupted
    }
  }

const promise = (signals: "one" | "each"): Workload => ({
  name: `abort, ${signals === "one" ? "one signal" : "a signal each"}, promise`,
  sizes,
  flat,
  // Quadratic in the number of waiters, as is the platform in the number of listeners on one signal: 100,000 would take minutes.
  upTo: { "p-queue": 1_000, ...(signals === "one" ? { [floor]: 1_000 } : {}) },
  aims: { [floor]: 0 },
  contenders: {
    [ours]: aborted(signals, locks[ours]!),
    "p-queue": aborted(signals, locks["p-queue"]!),
    [floor]: aborted(signals, locks[floor]!),
    ...(signals === "each" ? { asyncio: { python: "abort" } } : {})
  }
})

export const workloads: ReadonlyArray<Workload> = [
  promise("each"),
  promise("one"),
  {
    name: "abort, Effect",
    sizes,
    flat,
    contenders: {
      [ours]: interrupted(async () => (await import("effect-concurrency")).Mutex.makeUnsafe().withLock),
      "Effect.makeSemaphore": interrupted(async () =>
        (await import("effect")).Effect.unsafeMakeSemaphore(1).withPermits(1)
      )
    }
  }
]
