/** Work that is done elsewhere: by two workers, which are there when the time begins to run. */
import { fileURLToPath } from "node:url"
import type { Request } from "./executorPlatform.js"
import { all, ours, type Contender, type Workload } from "./workload.js"

type Job = Request["name"]

/** Calls a function in a worker. */
type Call = (argument: any) => Promise<unknown>

type EffectCall = (argument: any) => import("effect").Effect.Effect<unknown, unknown>

/** A pool of so many workers, as one calls a function in them. What is moved, is moved there and back. */
type Make<C> = (job: Job, workers: number) => Promise<C>

type Kind = "threads" | "processes"

const here = (file: string): URL => new URL(file, import.meta.url)

const bufferOf = (job: Job, bytes: Uint8Array): [ArrayBuffer] | undefined =>
  job === "moved" ? [bytes.buffer as ArrayBuffer] : undefined

// ----------------------------------------------------------------------------------------------------------------------- promises

const executor =
  (kind: Kind): Make<Call> =>
  async (job, workers) => {
    const { Executor } = await import("effect-concurrency/promise")
    const jobs = Executor.module<typeof import("./executorOurs.js")>(here("./executorOurs.js"))
    const call = jobs[job] as import("effect-concurrency/promise").ExecutorCall<[unknown], unknown>
    const executor = new Executor({ kind, max: workers })
    await executor.warmUp()
    return job === "moved"
      ? (bytes) => executor.with({ transfer: [bytes.buffer] }).run(call, bytes)
      : (argument) => executor.run(call, argument)
  }

const piscina: Make<Call> = async (job, workers) => {
  const { Piscina } = await import("piscina")
  const filename = here("./executorPiscina.js").href
  const pool = new Piscina({ filename, name: job, minThreads: workers, maxThreads: workers })
  return (argument) => {
    const transferList = bufferOf(job, argument)
    return pool.run(argument, transferList && { transferList })
  }
}

const tinypool =
  (runtime: "worker_threads" | "child_process"): Make<Call> =>
  async (job, workers) => {
    const { Tinypool } = await import("tinypool")
    const filename = here("./executorTinypool.js").href
    const pool = new Tinypool({ filename, name: job, runtime, minThreads: workers, maxThreads: workers })
    return (argument) => {
      const transferList = bufferOf(job, argument)
      return pool.run(argument, transferList && { transferList })
    }
  }

const workerpool =
  (workerType: "thread" | "process"): Make<Call> =>
  async (job, workers) => {
    const { default: workerpool } = await import("workerpool")
    const script = fileURLToPath(here("./executorWorkerpool.js"))
    const pool = workerpool.pool(script, { minWorkers: workers, maxWorkers: workers, workerType })
    return async (argument) => {
      const transfer = bufferOf(job, argument)
      return pool.exec(job, [argument], transfer && { transfer })
    }
  }

/** A thread that answers each message, and nothing around it. */
const thread: Make<Call> = async (job) => {
  const { Worker } = await import("node:worker_threads")
  const worker = new Worker(here("./executorFloor.js"), { workerData: job })
  const waiting: Array<(message: unknown) => void> = []
  worker.on("message", (message) => waiting.shift()!(message))
  return (argument) =>
    new Promise((resolve) => {
      waiting.push(resolve)
      worker.postMessage(argument, bufferOf(job, argument))
    })
}

// ------------------------------------------------------------------------------------------------------------------------ effects

/** It lives as long as the process. */
const held = async <A>(effect: import("effect").Effect.Effect<A, unknown, import("effect").Scope.Scope>) => {
  const { Effect, Scope } = await import("effect")
  return Effect.runPromise(Effect.flatMap(Scope.make(), (scope) => Scope.extend(effect, scope)))
}

const executorEffect =
  (kind: Kind): Make<EffectCall> =>
  async (job, workers) => {
    const { Effect } = await import("effect")
    const Executor = await import("effect-concurrency/Executor")
    const NodeExecutor = await import("effect-concurrency/NodeExecutor")
    const jobs = Executor.module<typeof import("./executorOurs.js")>(here("./executorOurs.js"))
    const call = jobs[job] as import("effect-concurrency/Executor").Call<[unknown], unknown>
    const made = Executor.make({ max: workers, shared: kind === "threads" })
    const executor = await held(Effect.provide(made, NodeExecutor[kind]()))
    await Effect.runPromise(executor.warmUp())
    return job === "moved"
      ? (bytes) => executor.with({ transfer: [bytes.buffer] }).run(call, bytes)
      : (argument) => executor.run(call, argument)
  }

const platformPool =
  (kind: Kind): Make<EffectCall> =>
  async (job, workers) => {
    const { Effect } = await import("effect")
    const NodeWorker = await import("@effect/platform-node/NodeWorker")
    const Transferable = await import("@effect/platform/Transferable")
    const PlatformWorker = await import("@effect/platform/Worker")
    const { fork } = await import("node:child_process")
    const { Worker } = await import("node:worker_threads")
    const file = here("./executorPlatform.js")
    const spawn = () => (kind === "threads" ? new Worker(file) : fork(file, [], { serialization: "advanced" }))
    const made = PlatformWorker.makePool<Request, unknown, never>({
      size: workers,
      encode: (request) => Effect.as(Transferable.addAll(bufferOf(request.name, request.argument) ?? []), request)
    })
    const pool = await held(Effect.provide(made, NodeWorker.layer(spawn)))
    return (argument) => pool.executeEffect({ name: job, argument })
  }

/** What an Effect program would do without either. */
const piscinaEffect: Make<EffectCall> = async (job, workers) => {
  const { Effect } = await import("effect")
  const call = await piscina(job, workers)
  return (argument) => Effect.promise(() => call(argument))
}

/** A turn of the event loop for each: what the fibers cost that wait. */
const turn: Make<EffectCall> = async () => {
  const { Effect } = await import("effect")
  return () => Effect.async((resume) => void setImmediate(() => resume(Effect.void)))
}

// ---------------------------------------------------------------------------------------------------------------------- workloads

/** The one that a process has, so that no round starts workers. */
const once = <A>(make: () => Promise<A>): (() => Promise<A>) => {
  let made: Promise<A> | undefined
  return () => (made ??= make())
}

interface Use {
  readonly job: Job
  readonly argument?: () => unknown
  /** Whether an answer is right. */
  readonly isAnswer?: (answer: any) => boolean
  readonly atOnce?: boolean
  readonly workers?: number
}

const isNothing = (answer: unknown): boolean => answer === undefined

const none = (): undefined => undefined

const promises =
  (use: Use) =>
  (make: Make<Call>): Contender => {
    const { argument = none, atOnce = false, isAnswer = isNothing, job, workers = 2 } = use
    const made = once(async () => {
      const call = await make(job, workers)
      for (let i = 0; i < 20; i++) await all(2 * workers, () => call(argument()))
      return call
    })
    return async (operations) => {
      const call = await made()
      let done = 0
      let last = argument()
      const one = async () => {
        const answer = await call(last)
        if (isAnswer(answer)) done++
        return answer
      }
      return async () => {
        if (atOnce) await all(operations, one)
        // What was moved comes back, and is moved again.
        else for (let i = 0; i < operations; i++) last = await one()
        return done
      }
    }
  }

const effects =
  (use: Use) =>
  (make: Make<EffectCall>): Contender => {
    const { argument = none, atOnce = false, isAnswer = isNothing, job, workers = 2 } = use
    const made = once(async () => {
      const { Effect } = await import("effect")
      const call = await make(job, workers)
      const warm = Effect.all(
        Array.from({ length: 2 * workers }, () => Effect.suspend(() => call(argument()))),
        { concurrency: "unbounded", discard: true }
      )
      for (let i = 0; i < 20; i++) await Effect.runPromise(warm)
      return call
    })
    return async (operations) => {
      const { Effect } = await import("effect")
      const call = await made()
      let done = 0
      let last = argument()
      const one = Effect.map(
        Effect.suspend(() => call(last)),
        (answer) => {
          if (isAnswer(answer)) done++
          if (!atOnce) last = answer
        }
      )
      const concurrency = atOnce ? "unbounded" : 1
      const program = Effect.forEach(Array.from({ length: operations }), () => one, { concurrency, discard: true })
      return async () => {
        await Effect.runPromise(program)
        return done
      }
    }
  }

const map = <A>(makes: Record<string, A>, f: (make: A) => Contender): Record<string, Contender> =>
  Object.fromEntries(Object.entries(makes).map(([name, make]) => [name, f(make)]))

const pools = {
  [ours]: executor("threads"),
  piscina,
  tinypool: tinypool("worker_threads"),
  workerpool: workerpool("thread")
}
const alone = { ...pools, "floor: one thread": thread }
const processPools = {
  [ours]: executor("processes"),
  tinypool: tinypool("child_process"),
  workerpool: workerpool("process")
}
const effectPools = {
  [ours]: executorEffect("threads"),
  "Worker.makePool": platformPool("threads"),
  "piscina in an effect": piscinaEffect
}
const effectProcessPools = { [ours]: executorEffect("processes"), "Worker.makePool": platformPool("processes") }

/** One call after the other: nobody may be more than half as fast again. */
const near = (makes: object, own: Record<string, number> = {}): Record<string, number> => ({
  ...Object.fromEntries(Object.keys(makes).map((name) => [name, 1 / 1.5])),
  "floor: one thread": 0,
  ...own
})

const size = 100_000
const bytes = (): Uint8Array => new Uint8Array(size)
const isWhole = (answer: Uint8Array): boolean => answer.length === size

const nothing: Use = { job: "nothing" }
const nothingAtOnce: Use = { job: "nothing", atOnce: true }
const copied: Use = { job: "echo", argument: bytes, isAnswer: isWhole }
const moved: Use = { ...copied, job: "moved" }

/** A round of these is long enough to be timed. */
const inTurn = { sizes: [1], repeat: 1_000 }
const sized = { sizes: [1_000] }

/** Two jobs that compute, done by so many workers. */
const rounds = 20_000_000
const computing = (workers: number): Use => ({
  job: "compute",
  argument: () => rounds,
  isAnswer: (answer) => typeof answer === "number",
  atOnce: true,
  workers
})

/** Of two processors one is ours too: this much of the gain is left to what else the machine does. */
const scaling = { "one worker": 1.6, "asyncio.to_thread": 0, "asyncio ProcessPoolExecutor": 0 }

/** Threads of Python share the bytes: nothing is copied, and nothing moved. Processes copy them. */
const asyncioMoved = { "asyncio.to_thread": { python: "thread-bytes" } }
const asyncioBytes = { ...asyncioMoved, "asyncio ProcessPoolExecutor": { python: "process-bytes" } }

/** For information: how an interpreter computes. Its threads take turns, its processes do not. */
const asyncioComputing = {
  "asyncio.to_thread": { python: "thread-compute" },
  "asyncio ProcessPoolExecutor": { python: "process-compute" }
}

export const workloads: ReadonlyArray<Workload> = [
  {
    name: "job in a thread, promise",
    ...inTurn,
    aims: near(alone),
    contenders: { ...map(alone, promises(nothing)), "asyncio.to_thread": { python: "thread" } }
  },
  {
    name: "1,000 jobs in threads, promise",
    ...sized,
    contenders: { ...map(pools, promises(nothingAtOnce)), "asyncio.to_thread": { python: "thread-at-once" } }
  },
  {
    name: "job in a thread, Effect",
    ...inTurn,
    aims: near(effectPools),
    contenders: { ...map(effectPools, effects(nothing)), "asyncio.to_thread": { python: "thread" } }
  },
  {
    name: "1,000 jobs in threads, Effect",
    ...sized,
    contenders: {
      ...map({ ...effectPools, "floor: fibers": turn }, effects(nothingAtOnce)),
      "asyncio.to_thread": { python: "thread-at-once" }
    }
  },
  {
    name: "100 KB there and back, promise",
    ...inTurn,
    aims: near(alone),
    contenders: { ...map(alone, promises(copied)), ...asyncioBytes }
  },
  {
    name: "100 KB there and back, Effect",
    ...inTurn,
    aims: near(effectPools),
    contenders: { ...map(effectPools, effects(copied)), ...asyncioBytes }
  },
  {
    name: "100 KB moved there and back, promise",
    ...inTurn,
    aims: near(alone),
    contenders: { ...map(alone, promises(moved)), ...asyncioMoved }
  },
  {
    name: "100 KB moved there and back, Effect",
    ...inTurn,
    aims: near(effectPools),
    contenders: { ...map(effectPools, effects(moved)), ...asyncioMoved }
  },
  {
    name: "two computing jobs, promise",
    sizes: [2],
    aims: { ...near(pools), ...scaling },
    contenders: {
      ...map(pools, promises(computing(2))),
      "one worker": promises(computing(1))(executor("threads")),
      ...asyncioComputing
    }
  },
  {
    name: "two computing jobs, Effect",
    sizes: [2],
    aims: { ...near(effectPools), ...scaling },
    contenders: {
      ...map(effectPools, effects(computing(2))),
      "one worker": effects(computing(1))(executorEffect("threads")),
      ...asyncioComputing
    }
  },
  {
    name: "job in a process, promise",
    ...inTurn,
    aims: near(processPools),
    contenders: {
      ...map(processPools, promises(nothing)),
      "asyncio ProcessPoolExecutor": { python: "process" }
    }
  },
  {
    name: "1,000 jobs in processes, promise",
    ...sized,
    contenders: {
      ...map(processPools, promises(nothingAtOnce)),
      "asyncio ProcessPoolExecutor": { python: "process-at-once" }
    }
  },
  {
    name: "job in a process, Effect",
    ...inTurn,
    aims: near(effectProcessPools),
    contenders: {
      ...map(effectProcessPools, effects(nothing)),
      "asyncio ProcessPoolExecutor": { python: "process" }
    }
  },
  {
    // Without `Worker.makePool`: its time grows with the square, and over processes it takes ten seconds for a thousand, or never ends.
    name: "1,000 jobs in processes, Effect",
    ...sized,
    contenders: {
      [ours]: effects(nothingAtOnce)(effectProcessPools[ours]),
      "asyncio ProcessPoolExecutor": { python: "process-at-once" }
    }
  }
]
