import { Cause, Effect, Exit, Fiber } from "effect"
import type { Explored, Library } from "./scenario.js"
import { claim, ended, fork, pause, same, settled } from "./tools.js"

const primitive = "TaskGroup"

/** Who works, and whether all who began have ended. */
const workers = () => {
  const counts = { began: 0, over: 0 }
  /** A worker that is waited for: it holds something from its first step to its last. */
  const worker = <E = never>(body: Effect.Effect<void, E>): Effect.Effect<void, E> =>
    Effect.uninterruptibleMask((restore) => {
      counts.began++
      return Effect.ensuring(
        restore(body),
        Effect.sync(() => counts.over++)
      )
    })
  const allOver = () => same(counts.over, counts.began, "who has ended, of those who began")
  return { counts, worker, allOver }
}

/** Every error of an exit, failures and defects, those of an aggregate one by one. */
const errorsOf = (exit: Exit.Exit<unknown, unknown>): ReadonlyArray<unknown> =>
  Exit.isSuccess(exit)
    ? []
    : [...Cause.failures(exit.cause), ...Cause.defects(exit.cause)].flatMap((error: any) =>
        error?._tag === "TaskGroupError" ? error.errors : [error]
      )

type Run = Library["effect"]["TaskGroup"]["run"]
type Group = Parameters<Parameters<Run>[0]>[0]

const run = ({ effect }: Library, body: (group: any) => Effect.Effect<any, any, any>): Effect.Effect<any, any> =>
  effect.TaskGroup.run(body) as Effect.Effect<any, any>

export const scenarios: ReadonlyArray<Explored> = [
  {
    primitive,
    name: "a failure stops the others and the body, and when the group ends all have ended",
    scenario: (library) =>
      Effect.gen(function* () {
        const { allOver, worker } = workers()
        const group = yield* fork(
          "caller",
          Effect.exit(
            run(library, (group: Group) =>
              Effect.zipRight(
                group.start(worker(Effect.zipRight(pause, Effect.fail("oops"))) as Effect.Effect<void>),
                Effect.zipRight(group.start(worker(Effect.never)), worker(Effect.never))
              )
            )
          )
        )
        const [exit] = yield* ended(group)
        allOver()
        claim(Exit.isSuccess(exit!), "the caller was interrupted")
        same(errorsOf((exit as Exit.Success<any, any>).value), ["oops"], "the errors")
      })
  },
  {
    primitive,
    name: "of several failures none is lost, and they are in order of the start",
    // A fiber that is preempted in the very step of its failure, and interrupted then, has not failed: Effect does that, with any fiber.
    models: ["taskOrder"],
    scenario: (library) =>
      Effect.gen(function* () {
        const failed: Array<string> = []
        const task = (name: string) =>
          Effect.uninterruptible(
            Effect.zipRight(
              pause,
              Effect.suspend(() => {
                failed.push(name)
                return Effect.fail(name)
              })
            )
          )
        const group = yield* fork(
          "caller",
          Effect.exit(
            run(library, (group) =>
              Effect.zipRight(group.start(task("a")), Effect.zipRight(group.start(task("b")), task("c")))
            )
          )
        )
        const [exit] = yield* ended(group)
        same(errorsOf((exit as Exit.Success<any, any>).value), failed.sort(), "the errors")
      })
  },
  {
    primitive,
    name: "interrupted from outside, once or twice, it waits for all who began",
    options: { interrupt: ["caller"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const { allOver, worker } = workers()
        const caller = yield* fork(
          "caller",
          run(library, (group) =>
            Effect.zipRight(
              group.start(worker(Effect.never)),
              Effect.zipRight(group.start(worker(pause)), worker(pause))
            )
          )
        )
        const again = yield* fork("again", Effect.zipRight(pause, Effect.asVoid(caller.interruptAsFork(caller.id()))))
        yield* again.await
        const exit = yield* caller.await
        allOver()
        claim(Exit.isInterrupted(exit), "the interruption was lost")
      })
  },
  {
    primitive,
    name: "interrupted from outside, it loses no error of those who crash then",
    options: { interrupt: ["caller"] },
    // See above.
    models: ["taskOrder"],
    scenario: (library) =>
      Effect.gen(function* () {
        const { allOver, worker } = workers()
        let crashed = 0
        const crashing = Effect.onInterrupt(Effect.zipRight(pause, Effect.never), () =>
          Effect.suspend(() => {
            crashed++
            return Effect.die("cleanup")
          })
        )
        const caller = yield* fork(
          "caller",
          run(library, (group) =>
            Effect.zipRight(group.start(worker(crashing)), Effect.zipRight(group.start(worker(pause)), worker(pause)))
          )
        )
        const again = yield* fork("again", Effect.zipRight(pause, Effect.asVoid(caller.interruptAsFork(caller.id()))))
        yield* again.await
        const exit = yield* caller.await
        allOver()
        claim(Exit.isInterrupted(exit), "the interruption was lost")
        same(errorsOf(exit).length, crashed, "the errors of those who crashed")
      })
  },
  {
    primitive,
    name: "a task that is interrupted on its own ends alone",
    scenario: (library) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const caller = yield* fork(
          "caller",
          run(library, (group) =>
            Effect.gen(function* () {
              const victim: Fiber.Fiber<never> = yield* group.start(Effect.zipRight(pause, Effect.never))
              yield* group.start(Effect.map(pause, () => log.push("other")))
              yield* Fiber.interrupt(victim)
              log.push("body")
            })
          )
        )
        const [exit] = yield* ended(caller)
        claim(Exit.isSuccess(exit!), "the group did not end well")
        same(log.sort(), ["body", "other"], "who came to the end")
      })
  },
  {
    primitive,
    name: "tasks are added while the group ends: each runs to its end, or is refused, or is stopped",
    scenario: (library) =>
      Effect.gen(function* () {
        const { allOver, counts, worker } = workers()
        let refused = 0
        let leaked: Group | undefined
        const add = Effect.suspend(() =>
          leaked === undefined
            ? Effect.void
            : Effect.catchAllDefect(leaked.start(worker(pause)), () => Effect.sync(() => refused++))
        )
        const adder = yield* fork("adder", Effect.zipRight(add, Effect.zipRight(pause, add)))
        const caller = yield* fork(
          "caller",
          run(library, (group) =>
            Effect.suspend(() => {
              leaked = group
              return pause
            })
          )
        )
        const [exit] = yield* ended(caller)
        claim(Exit.isSuccess(exit!), "the group did not end well")
        allOver()
        yield* ended<unknown>(adder)
        // Whoever was taken in has ended, though it came at the last moment.
        same(counts.over, counts.began, "those who were taken in")
        claim(refused <= 2, "refused more often than it was asked")
      })
  },
  {
    primitive,
    name: "cancel ends the tasks and not the body, whoever calls it",
    scenario: (library) =>
      Effect.gen(function* () {
        const { allOver, worker } = workers()
        const caller = yield* fork(
          "caller",
          run(library, (group) =>
            Effect.gen(function* () {
              yield* group.start(worker(Effect.never))
              yield* group.start(Effect.zipRight(pause, group.cancel))
              yield* pause
              yield* group.cancel
              return "value"
            })
          )
        )
        const [exit] = yield* ended(caller)
        same((exit as Exit.Success<any, any>).value, "value", "what the body gave")
        allOver()
      })
  },
  {
    primitive,
    name: "promises: a group waits for all, whoever fails or aborts it, and every promise settles",
    models: ["taskOrder"],
    options: { interrupt: ["caller"] },
    scenario:
      ({ promise }) =>
      async (tasks) => {
        let began = 0
        let over = 0
        const errors: Array<unknown> = []
        const task = (step: () => Promise<void>, error?: string) => async () => {
          began++
          await step()
          await step()
          over++
          if (error === undefined) return
          errors.push(error)
          throw error
        }
        const caller = tasks.spawn("caller", async ({ signal, step }) => {
          try {
            await promise.taskGroup(
              async (group) => {
                void group.start(task(step, "a"))
                await step()
                group.start(task(step, "b")).catch(() => undefined)
              },
              { signal }
            )
          } catch (error: any) {
            same(over, began, "who has ended when the group has")
            if (errors.length === 0) throw error
            const all = error._tag === "TaskGroupError" ? error.errors : [error]
            same(all, errors, "the errors")
          }
        })
        await settled(caller)
        same(over, began, "who has ended")
      }
  },
  {
    primitive,
    name: "a fiber's group takes async functions: both are waited for, and a failure of either stops the other",
    models: ["taskOrder", "aggressive"],
    scenario: (library) => async (tasks) => {
      let stopped = ""
      let over = 0
      const scenario = run(library, (group) =>
        Effect.gen(function* () {
          yield* group.start(
            Effect.onInterrupt(Effect.zipRight(pause, Effect.never), () => Effect.sync(() => (stopped += "fiber")))
          )
          const view = library.promise.TaskGroup.from(group)
          void view.start(async ({ signal }) => {
            await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()))
            over++
          })
          yield* group.start(Effect.zipRight(pause, Effect.fail("oops")))
          return yield* Effect.never
        })
      )
      const fiber = tasks.fork("fiber", Effect.exit(scenario) as Effect.Effect<Exit.Exit<any, any>>)
      const [result] = await settled<any>(fiber)
      const exit = (result as PromiseFulfilledResult<any>).value as Exit.Exit<any, any>
      same(errorsOf(exit), ["oops"], "the errors")
      same(over, 1, "the async function has ended")
      claim(stopped === "" || stopped === "fiber", "stopped twice")
    }
  }
]
