/** What it costs to shield many pieces of work at once, each of a caller of its own, when nobody interrupts. */
import { type Bodies, type Body, effects, forked, functions, type Runs, sized, started } from "./bodies.js"
import { ours, type Workload } from "./workload.js"

type Shielded = (body: Body) => Body

/** A fiber for each caller. */
const callers =
  (shielded: () => Promise<Shielded>): Runs =>
  async (bodies: Bodies) =>
    forked(bodies.map(await shielded()))

const twoFibers = "floor: two fibers"

export const workloads: ReadonlyArray<Workload> = [
  {
    name: "shield, Effect",
    ...sized,
    // What is only made uninterruptible has no fiber of its own, and its caller has to stay.
    aims: { [twoFibers]: 1 / 1.6, [`${ours} critical`]: 0, "floor: Effect.uninterruptible": 0 },
    contenders: effects({
      [ours]: callers(async () => {
        const { Shield } = await import("effect-concurrency")
        return (body) => Shield.shield(body)
      }),
      [`${ours} critical`]: callers(async () => {
        const { Shield } = await import("effect-concurrency")
        return (body) => Shield.critical(body)
      }),
      [twoFibers]: callers(async () => {
        const { Effect } = await import("effect")
        return (body) => Effect.flatMap(Effect.forkDaemon(body), (fiber) => fiber.await)
      }),
      "floor: Effect.uninterruptible": callers(async () => (await import("effect")).Effect.uninterruptible)
    })
  },
  {
    name: "shield, promise",
    ...sized,
    aims: { [`${ours} critical`]: 0, "floor: promises": 0 },
    contenders: {
      ...functions({
        [ours]: async (functions) => {
          const { shield } = await import("effect-concurrency/promise")
          return () => Promise.all(functions.map((f) => shield(f)))
        },
        [`${ours} critical`]: async (functions) => {
          const { critical } = await import("effect-concurrency/promise")
          return () => Promise.all(functions.map((f) => critical(f)))
        },
        "floor: promises": async (functions) => () => Promise.all(started(functions))
      }),
      "asyncio.shield": { python: "shield" }
    }
  }
]
