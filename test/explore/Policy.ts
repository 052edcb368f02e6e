import { Effect } from "effect"
import type { Explored } from "./scenario.js"
import { claim, ended, fork, pause, same, settled } from "./tools.js"

const primitive = "Policy"

const isExpected = (error: unknown): boolean =>
  ["DeadlineExceeded", "BulkheadFull"].includes((error as { _tag?: string })._tag!)

export const scenarios: ReadonlyArray<Explored> = [
  {
    primitive,
    name: "timeout, retry and bulkhead together: places come back, and no work goes on that was not let in",
    options: { interrupt: ["a", "b"] },
    scenario: ({ effect }) =>
      Effect.gen(function* () {
        const bulkhead = effect.Bulkhead.makeUnsafe({ permits: 1, backlog: 1 })
        const policy = effect.Policy.wrap(
          effect.Timeout.timeout(1),
          effect.Retry.retry({ attempts: 2, base: 0 }),
          bulkhead.protect
        )
        let inside = 0
        const work = Effect.acquireUseRelease(
          Effect.sync(() => claim(++inside === 1, "two are inside")),
          () => Effect.zipRight(pause, Effect.fail({ _tag: "BulkheadFull" as const })),
          () => Effect.sync(() => inside--)
        )
        const caller = (name: string) =>
          fork(
            name,
            Effect.catchAll(policy(work), (error) => Effect.sync(() => claim(isExpected(error), String(error))))
          )
        yield* ended<void>(yield* caller("a"), yield* caller("b"))
        const { inUse, waiting } = yield* bulkhead.stats
        same({ inUse, waiting, inside }, { inUse: 0, waiting: 0, inside: 0 }, "what is left")
      })
  },
  {
    primitive,
    name: "promises: places come back, whoever was first: the work, the deadline, or an abort",
    models: ["taskOrder"],
    options: { interrupt: ["a", "b"] },
    scenario:
      ({ promise }) =>
      async (tasks) => {
        const bulkhead = new promise.Bulkhead({ permits: 1, backlog: 1 })
        const policy = promise.Policy.wrap(
          promise.timeoutPolicy(1),
          promise.retryPolicy({ attempts: 2, base: 0 }),
          bulkhead
        )
        let inside = 0
        const caller = (name: string) =>
          tasks.spawn(name, async ({ signal, step }) => {
            await step()
            const work = async () => {
              claim(++inside === 1, "two are inside")
              await step()
              inside--
            }
            await policy.run(work, { signal }).catch((error: unknown) => {
              if (!isExpected(error)) throw error
            })
          })
        await settled<void>(caller("a"), caller("b"))
        // Who has not asked for its signal may go on for a while after its caller.
        await bulkhead.run(() => {})
        const { inUse, waiting } = bulkhead.stats()
        same({ inUse, waiting, inside }, { inUse: 0, waiting: 0, inside: 0 }, "what is left")
      }
  },
  {
    primitive,
    name: "fibers and async functions under policies with one bulkhead",
    models: ["taskOrder", "aggressive"],
    options: { interrupt: ["fiber", "task"] },
    scenario:
      ({ effect, promise }) =>
      async (tasks) => {
        const bulkhead = effect.Bulkhead.makeUnsafe({ permits: 1, backlog: 1 })
        const ours = effect.Policy.wrap(effect.Retry.retry({ base: 0 }), bulkhead.protect)
        const theirs = promise.Policy.wrap(promise.retryPolicy({ base: 0 }), promise.Bulkhead.from(bulkhead))
        let inside = 0
        const enter = () => claim(++inside === 1, "two are inside")
        const leave = () => void inside--
        const work = Effect.acquireUseRelease(
          Effect.sync(enter),
          () => pause,
          () => Effect.sync(leave)
        )
        const fiber = tasks.fork("fiber", ours(work))
        const task = tasks.spawn("task", async ({ signal, step }) => {
          await step()
          await theirs.run(
            async () => {
              enter()
              await step()
              leave()
            },
            { signal }
          )
        })
        await settled<void>(fiber, task)
        await promise.Bulkhead.from(bulkhead).run(() => {})
        const { inUse, waiting } = promise.Bulkhead.from(bulkhead).stats()
        same({ inUse, waiting, inside }, { inUse: 0, waiting: 0, inside: 0 }, "what is left")
      }
  }
]
