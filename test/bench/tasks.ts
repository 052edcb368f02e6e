/** What it costs to start many pieces of work and wait for all: a handle on each, or a registry around them. */
import { all, type Contender, ours, type Workload } from "./workload.js"

type Body = import("effect").Effect.Effect<void>
type Program = import("effect").Effect.Effect<unknown>

/** Makes, of a body that counts, the effect that runs it so many times. */
type Runs = (body: Body, operations: number) => Promise<Program>

const bodies = (operations: number): ReadonlyArray<undefined> => Array.from({ length: operations })

const effects = (runs: Record<string, Runs>): Record<string, Contender> =>
  Object.fromEntries(
    Object.entries(runs).map(([name, run]): [string, Contender] => [
      name,
      async (operations) => {
        const { Effect } = await import("effect")
        let done = 0
        const body = Effect.map(Effect.yieldNow(), () => {
          done++
        })
        const program = await run(body, operations)
        return async () => {
          await Effect.runPromise(program)
          return done
        }
      }
    ])
  )

/** Makes what runs an async function so many times. */
type Calls = (body: () => Promise<void>, operations: number) => Promise<() => Promise<unknown>>

const functions = (calls: Record<string, Calls>): Record<string, Contender> =>
  Object.fromEntries(
    Object.entries(calls).map(([name, call]): [string, Contender] => [
      name,
      async (operations) => {
        let done = 0
        const run = await call(async () => {
          await Promise.resolve()
          done++
        }, operations)
        return async () => {
          await run()
          return done
        }
      }
    ])
  )

const sizes = [10, 1_000, 20_000]
const flat = { from: 1_000, factor: 1.5 }

export const workloads: ReadonlyArray<Workload> = [
  {
    name: "tasks, Effect",
    sizes,
    flat,
    aims: { "floor: fibers": 1 / 1.6, "Effect.all": 0, [`${ours} Background`]: 0 },
    contenders: effects({
      [`${ours}`]: async (body, operations) => {
        const { Effect } = await import("effect")
        const { Task } = await import("effect-concurrency")
        return Effect.flatMap(
          Effect.forEach(bodies(operations), () => Task.start(body)),
          (tasks) => Effect.forEach(tasks, (task) => task.await, { discard: true })
        ) as Program
      },
      [`${ours} Background`]: async (body, operations) => {
        const { Effect } = await import("effect")
        const { Background } = await import("effect-concurrency")
        const background = Background.makeUnsafe()
        return Effect.zipRight(
          Effect.forEach(bodies(operations), () => background.fireAndForget(body), { discard: true }),
          background.awaitEmpty
        ) as Program
      },
      FiberSet: async (body, operations) => {
        const { Effect, FiberSet } = await import("effect")
        return Effect.scoped(
          Effect.flatMap(FiberSet.make(), (set) =>
            Effect.zipRight(
              Effect.forEach(bodies(operations), () => FiberSet.run(set, body), { discard: true }),
              FiberSet.awaitEmpty(set)
            )
          )
        )
      },
      "Effect.all": async (body, operations) => {
        const { Effect } = await import("effect")
        return Effect.all(
          bodies(operations).map(() => body),
          { concurrency: "unbounded", discard: true }
        )
      },
      "floor: fibers": async (body, operations) => {
        const { Effect } = await import("effect")
        return Effect.flatMap(
          Effect.forEach(bodies(operations), () => Effect.forkDaemon(body)),
          (fibers) => Effect.forEach(fibers, (fiber) => fiber.await, { discard: true })
        )
      }
    })
  },
  {
    name: "tasks, promise",
    sizes,
    flat,
    aims: { "floor: promises": 0, [`${ours} Background`]: 0, "p-map": 0, "p-limit": 0, "p-any": 0 },
    contenders: {
      ...functions({
        [`${ours}`]: async (body, operations) => {
          const { Task } = await import("effect-concurrency/promise")
          return () => all(operations, () => Promise.resolve(new Task(body)))
        },
        [`${ours} Background`]: async (body, operations) => {
          const { Background } = await import("effect-concurrency/promise")
          const background = new Background()
          return () => {
            for (let i = 0; i < operations; i++) background.fireAndForget(body)
            return background.awaitEmpty()
          }
        },
        "p-map": async (body, operations) => {
          const { default: pMap } = await import("p-map")
          return () => pMap(bodies(operations), body)
        },
        "p-limit": async (body, operations) => {
          const { default: pLimit } = await import("p-limit")
          const limit = pLimit(Infinity)
          return () => all(operations, () => limit(body))
        },
        "p-any": async (body, operations) => {
          const { default: pAny } = await import("p-any")
          // The first counts; the others run to their end all the same.
          return async () => {
            const calls = bodies(operations).map(() => body())
            await pAny(calls)
            await Promise.all(calls)
          }
        },
        effection: async (body, operations) => {
          const { all: every, call, run } = await import("effection")
          return () => run(() => every(bodies(operations).map(() => call(body))))
        },
        "floor: promises": async (body, operations) => () => all(operations, body)
      }),
      "asyncio create_task": { python: "tasks" },
      "asyncio gather": { python: "gather" }
    }
  }
]
