/** What it costs to start many pieces of work and wait for all: with a handle on each that is awaited, or with a registry that is awaited when empty. */
import { type Bodies, effects, fibers, forked, functions, sized, started } from "./bodies.js"
import { ours, type Workload } from "./workload.js"

export const fiberSet = async (bodies: Bodies) => {
  const { Effect, FiberSet } = await import("effect")
  return Effect.scoped(
    Effect.flatMap(FiberSet.make(), (set) =>
      Effect.zipRight(
        Effect.forEach(bodies, (body) => FiberSet.run(set, body), { discard: true }),
        FiberSet.awaitEmpty(set)
      )
    )
  )
}

export const effectAll = async (bodies: Bodies) => {
  const { Effect } = await import("effect")
  return Effect.all(bodies, { concurrency: "unbounded", discard: true })
}

/** A set whose `awaitEmpty` does not hear of failures, beside the `join` that does: what a group does, as far as a set can. */
export const fiberSetThatHears = async (bodies: Bodies) => {
  const { Effect, FiberSet } = await import("effect")
  return Effect.scoped(
    Effect.flatMap(FiberSet.make(), (set) =>
      Effect.zipRight(
        Effect.forEach(bodies, (body) => FiberSet.run(set, body), { discard: true }),
        Effect.raceFirst(FiberSet.join(set), FiberSet.awaitEmpty(set))
      )
    )
  )
}

export const workloads: ReadonlyArray<Workload> = [
  {
    name: "tasks, Effect",
    ...sized,
    aims: { [fibers]: 1 / 1.6, "Effect.all": 0 },
    contenders: effects({
      [ours]: async (bodies) => {
        const { Effect } = await import("effect")
        const { Task } = await import("effect-concurrency")
        return Effect.flatMap(
          Effect.forEach(bodies, (body) => Task.start(body)),
          (tasks) => Effect.forEach(tasks, (task) => task.await, { discard: true })
        )
      },
      "Effect.all": effectAll,
      [fibers]: forked
    })
  },
  {
    name: "registry, Effect",
    ...sized,
    aims: { [fibers]: 1 / 1.6 },
    contenders: effects({
      [ours]: async (bodies) => {
        const { Effect } = await import("effect")
        const { Background } = await import("effect-concurrency")
        const background = Background.makeUnsafe()
        return Effect.zipRight(
          Effect.forEach(bodies, (body) => background.fireAndForget(body), { discard: true }),
          background.awaitEmpty
        )
      },
      FiberSet: fiberSet,
      "FiberSet, hearing of failures": fiberSetThatHears,
      [fibers]: forked
    })
  },
  {
    name: "tasks, promise",
    ...sized,
    aims: { "floor: promises": 0, "p-map": 0, "p-limit": 0, "p-any": 0 },
    contenders: {
      ...functions({
        [ours]: async (functions) => {
          const { Task } = await import("effect-concurrency/promise")
          return () => Promise.all(functions.map((f) => new Task(f)))
        },
        "p-map": async (functions) => {
          const { default: pMap } = await import("p-map")
          return () => pMap(functions, (f) => f())
        },
        "p-limit": async (functions) => {
          const { default: pLimit } = await import("p-limit")
          const limit = pLimit(Infinity)
          return () => Promise.all(functions.map((f) => limit(f)))
        },
        "p-any": async (functions) => {
          const { default: pAny } = await import("p-any")
          // The first counts; the others run to their end all the same.
          return async () => {
            const calls = started(functions)
            await pAny(calls)
            await Promise.all(calls)
          }
        },
        effection: async (functions) => {
          const { all, call, run } = await import("effection")
          return () => run(() => all(functions.map((f) => call(f))))
        },
        "floor: promises": async (functions) => () => Promise.all(started(functions))
      }),
      "asyncio create_task": { python: "tasks" },
      "asyncio gather": { python: "gather" }
    }
  },
  {
    name: "registry, promise",
    ...sized,
    aims: { "floor: promises": 0 },
    contenders: {
      ...functions({
        [ours]: async (functions) => {
          const { Background } = await import("effect-concurrency/promise")
          const background = new Background()
          return () => {
            for (const f of functions) background.fireAndForget(f)
            return background.awaitEmpty()
          }
        },
        "floor: promises": async (functions) => () => Promise.all(started(functions))
      }),
      "asyncio create_task": { python: "tasks" }
    }
  }
]
