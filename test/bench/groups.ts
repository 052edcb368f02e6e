/** What it costs to have many pieces of work in a group that ends when all of them have. */
import { effects, fibers, forked, functions, sized, started } from "./bodies.js"
import { effectAll, fiberSet, fiberSetThatHears } from "./tasks.js"
import { ours, type Workload } from "./workload.js"

export const workloads: ReadonlyArray<Workload> = [
  {
    name: "task group, Effect",
    ...sized,
    aims: { [fibers]: 1 / 1.6 },
    contenders: effects({
      [ours]: async (bodies) => {
        const { Effect } = await import("effect")
        const { TaskGroup } = await import("effect-concurrency")
        return TaskGroup.run((group: import("effect-concurrency").TaskGroup.TaskGroup<unknown>) =>
          Effect.forEach(bodies, (body) => group.start(body), { discard: true })
        )
      },
      FiberSet: fiberSet,
      "FiberSet, hearing of failures": fiberSetThatHears,
      "Effect.all": effectAll,
      [fibers]: forked
    })
  },
  {
    name: "task group, promise",
    ...sized,
    aims: { "floor: promises": 0 },
    contenders: {
      ...functions({
        [ours]: async (functions) => {
          const { taskGroup } = await import("effect-concurrency/promise")
          return () =>
            taskGroup((group) => {
              for (const f of functions) void group.start(f)
            })
        },
        effection: async (functions) => {
          const { call, run, spawn } = await import("effection")
          return () =>
            run(function* () {
              const tasks: Array<import("effection").Task<void>> = []
              for (const f of functions) tasks.push(yield* spawn(() => call(f)))
              for (const task of tasks) yield* task
            })
        },
        "floor: promises": async (functions) => () => Promise.all(started(functions))
      }),
      "asyncio TaskGroup": { python: "task-group" }
    }
  }
]
