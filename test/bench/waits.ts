/**
 * What it costs to wait for several: for all; for the first to succeed, when all the others fail; for the first to end, when all the others
 * are stopped and waited for then; and for what others have started.
 */
import { effects, fibers, forked, functions, sized, started } from "./bodies.js"
import { ours, type Workload } from "./workload.js"

const aims = { [fibers]: 1 / 1.6 }

export const workloads: ReadonlyArray<Workload> = [
  {
    name: "wait for all, Effect",
    ...sized,
    aims,
    contenders: effects({
      [ours]: async (bodies) => (await import("effect-concurrency")).Wait.all(bodies),
      "Effect.all": async (bodies) => (await import("effect")).Effect.all(bodies, { concurrency: "unbounded" }),
      [fibers]: forked
    })
  },
  {
    name: "wait for all, promise",
    ...sized,
    aims: { "floor: Promise.all": 0 },
    contenders: {
      ...functions({
        [ours]: async (functions) => {
          const { Wait } = await import("effect-concurrency/promise")
          return () => Wait.all(functions)
        },
        "p-map": async (functions) => {
          const { default: pMap } = await import("p-map")
          return () => pMap(functions, (f) => f(), { concurrency: Infinity })
        },
        "floor: Promise.all": async (functions) => () => Promise.all(started(functions))
      }),
      "asyncio gather": { python: "gather" }
    }
  },
  {
    name: "first success, Effect",
    ...sized,
    aims,
    contenders: effects(
      {
        [ours]: async (bodies) => (await import("effect-concurrency")).Wait.firstSuccess(bodies),
        "Effect.raceAll": async (bodies) => (await import("effect")).Effect.raceAll(bodies),
        [fibers]: forked
      },
      "fail"
    )
  },
  {
    name: "first success, promise",
    ...sized,
    aims: { "floor: Promise.any": 0 },
    contenders: {
      ...functions(
        {
          [ours]: async (functions) => {
            const { Wait } = await import("effect-concurrency/promise")
            return () => Wait.firstSuccess(functions)
          },
          "p-any": async (functions) => {
            const { default: pAny } = await import("p-any")
            return () => pAny(started(functions))
          },
          "floor: Promise.any": async (functions) => () => Promise.any(started(functions))
        },
        "fail"
      ),
      "asyncio as_completed": { python: "first-success" }
    }
  },
  {
    name: "first completed, Effect",
    ...sized,
    aims,
    // It takes two. For so many, each in the one before, a stack of races is made and taken down again.
    upTo: { "Effect.raceFirst": 1_000 },
    contenders: effects(
      {
        [ours]: async (bodies) => (await import("effect-concurrency")).Wait.firstCompleted(bodies),
        "Effect.raceFirst": async (bodies) => {
          const { Effect } = await import("effect")
          return bodies.reduceRight((others, body) => Effect.raceFirst(body, others))
        },
        "Effect.raceAll of exits": async (bodies) => {
          const { Effect } = await import("effect")
          return Effect.flatten(Effect.raceAll(bodies.map((body) => Effect.exit(body))))
        },
        [fibers]: async (bodies) => {
          const { Effect, Fiber } = await import("effect")
          return Effect.flatMap(
            Effect.forEach(bodies, (body) => Effect.forkDaemon(body)),
            (fibers) => Effect.zipRight(fibers.at(-1)!.await, Fiber.interruptAll(fibers))
          )
        }
      },
      "wait"
    )
  },
  {
    name: "first completed, promise",
    ...sized,
    aims: { "floor: Promise.race": 0 },
    contenders: {
      ...functions(
        {
          [ours]: async (functions) => {
            const { Wait } = await import("effect-concurrency/promise")
            return () => Wait.firstCompleted(functions)
          },
          "floor: Promise.race": async (functions) => async () => {
            const calls = started(functions)
            await Promise.race(calls)
            await Promise.all(calls)
          }
        },
        "wait"
      ),
      "asyncio wait": { python: "first-completed" }
    }
  },
  {
    name: "wait for what runs, Effect",
    ...sized,
    aims,
    contenders: effects({
      [ours]: async (bodies) => {
        const { Effect } = await import("effect")
        const { Wait } = await import("effect-concurrency")
        return Effect.flatMap(
          Effect.forEach(bodies, (body) => Effect.forkDaemon(body)),
          (fibers) => Wait.wait(fibers)
        )
      },
      "Fiber.awaitAll": async (bodies) => {
        const { Effect, Fiber } = await import("effect")
        return Effect.flatMap(
          Effect.forEach(bodies, (body) => Effect.forkDaemon(body)),
          (fibers) => Fiber.awaitAll(fibers)
        )
      },
      [fibers]: forked
    })
  },
  {
    name: "wait for what runs, promise",
    ...sized,
    aims: { "floor: Promise.allSettled": 0 },
    contenders: {
      ...functions({
        [ours]: async (functions) => {
          const { Wait } = await import("effect-concurrency/promise")
          return () => Wait.wait(started(functions))
        },
        "floor: Promise.allSettled": async (functions) => () => Promise.allSettled(started(functions))
      }),
      "asyncio wait": { python: "wait" }
    }
  }
]
