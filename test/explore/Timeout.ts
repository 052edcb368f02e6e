import { Cause, Effect, Exit } from "effect"
import type { Explored } from "./scenario.js"
import { claim, ended, fork, pause, same, settled } from "./tools.js"

const primitive = "Timeout"

/** Work that counts its beginnings and its ends, and takes a while. */
const counting = (milliseconds = 1) => countingWhile(Effect.sleep(milliseconds))

const countingWhile = (body: Effect.Effect<void>) => {
  const counts = { began: 0, over: 0 }
  const work = Effect.acquireUseRelease(
    Effect.sync(() => counts.began++),
    () => Effect.zipRight(pause, body),
    () =>
      Effect.zipRight(
        pause,
        Effect.sync(() => counts.over++)
      )
  )
  return { counts, work }
}

const isExceeded = (error: unknown): boolean => (error as { _tag?: string })._tag === "DeadlineExceeded"

export const scenarios: ReadonlyArray<Explored> = [
  {
    primitive,
    name: "the work has ended when its caller has, whoever was first: the work, the deadline, or an interruption",
    options: { interrupt: ["a", "b"] },
    scenario: ({ effect }) =>
      Effect.gen(function* () {
        const caller = (name: string, milliseconds: number) => {
          const { counts, work } = counting()
          return fork(
            name,
            Effect.onExit(effect.Timeout.timeout(milliseconds)(work), (exit) => {
              same(counts.over, counts.began, "work that has ended")
              claim(Exit.isSuccess(exit) || counts.began <= 1, "it was begun twice")
              return Effect.void
            }).pipe(Effect.catchTag("DeadlineExceeded", () => Effect.void))
          )
        }
        yield* ended<unknown>(yield* caller("a", 1), yield* caller("b", 2))
      })
  },
  {
    primitive,
    name: "of two deadlines at one time, the outer: no handler inside sees an error",
    options: { interrupt: ["caller"] },
    scenario: ({ effect }) =>
      Effect.gen(function* () {
        const { timeout } = effect.Timeout
        let inside = 0
        let whose: string | undefined
        // It does not end by itself: a timer that is held up for long enough would find that it has a value.
        const { counts, work } = countingWhile(Effect.never)
        const caller = yield* fork(
          "caller",
          work.pipe(
            timeout(1, { name: "inner" }),
            Effect.catchTag("DeadlineExceeded", () => Effect.sync(() => inside++)),
            timeout(1, { name: "outer" }),
            Effect.catchTag("DeadlineExceeded", ({ deadline }) => Effect.sync(() => (whose = deadline)))
          )
        )
        const [exit] = yield* ended<unknown>(caller)
        same(inside, 0, "handlers inside that were called")
        same(counts.over, counts.began, "work that has ended")
        if (Exit.isSuccess(exit!)) same(whose, "outer", "whose deadline it was")
      })
  },
  {
    primitive,
    name: "an item that is taken under a deadline is given, or stays where it was",
    scenario: ({ effect }) =>
      Effect.gen(function* () {
        const queue = effect.WorkQueue.makeUnsafe<number>()
        const taker = yield* fork("taker", Effect.exit(effect.Timeout.timeout(1)(queue.take)))
        const offerer = yield* fork("offerer", Effect.zipRight(Effect.sleep(1), queue.offer(1)))
        const [exit] = yield* ended<Exit.Exit<number, unknown>>(taker)
        yield* ended<unknown>(offerer)
        const given = Exit.isSuccess(exit!) && Exit.isSuccess(exit.value) ? 1 : 0
        same(given + (yield* queue.size), 1, "items that were given, or are there")
      })
  },
  {
    primitive,
    name: "a deadline that several run under, and one moves, ends each of them, or none that had time",
    options: { interrupt: ["a"] },
    scenario: ({ effect }) =>
      Effect.scoped(
        Effect.gen(function* () {
          const deadline = yield* effect.Timeout.make(1)
          const first = counting(1)
          const second = counting(3)
          const a = yield* fork("a", Effect.exit(deadline.run(first.work)))
          const b = yield* fork("b", Effect.exit(deadline.run(second.work)))
          const mover = yield* fork("mover", Effect.zipRight(Effect.sleep(1), deadline.reschedule(10)))
          const [moved] = yield* ended<boolean>(mover)
          const exits = yield* ended<Exit.Exit<unknown, unknown>>(a, b)
          for (const { counts } of [first, second]) same(counts.over, counts.began, "work that has ended")
          if (Exit.isSuccess(moved!) && moved.value) {
            claim(!(yield* deadline.expired), "it was moved, and has expired")
            claim(Exit.isSuccess(exits[1]!) && Exit.isSuccess(exits[1].value), "it had time, and was ended")
          } else claim(yield* deadline.expired, "it could not be moved, and has not expired")
        })
      )
  },
  {
    primitive,
    name: "the grace ends the wait for a cleanup, and only once: an end, or a report",
    options: { interrupt: ["caller"] },
    scenario: ({ effect }) =>
      Effect.gen(function* () {
        let began = 0
        let over = 0
        let reports = 0
        const report = () => Effect.sync(() => void reports++)
        const stubborn = Effect.acquireUseRelease(
          Effect.sync(() => began++),
          () => Effect.never,
          () =>
            Effect.zipRight(
              Effect.sleep(1),
              Effect.sync(() => over++)
            )
        )
        const run = effect.Timeout.timeout(1, { grace: 1, onError: report })(stubborn)
        const caller = yield* fork("caller", Effect.exit(run))
        const [exit] = yield* ended<Exit.Exit<unknown, unknown>>(caller)
        claim(began === 0 || over + reports > 0, "it was left without a word")
        if (Exit.isSuccess(exit!) && Exit.isFailure(exit.value)) {
          const error = Cause.squash(exit.value.cause)
          claim(isExceeded(error) || Cause.isInterruptedOnly(exit.value.cause), `it failed with ${String(error)}`)
        }
        while (over < began) yield* Effect.sleep(1)
        same(over, began, "cleanups")
        claim(reports <= 1, `${reports} reports`)
      })
  },
  {
    primitive,
    name: "promises: a function that heeds its signal has ended when its caller has, whoever was first",
    models: ["taskOrder"],
    options: { interrupt: ["a", "b"] },
    scenario:
      ({ promise }) =>
      async (tasks) => {
        const counts = { began: 0, over: 0 }
        const caller = (who: string, milliseconds: number) =>
          tasks.spawn(who, async ({ signal, step }) => {
            await step()
            try {
              await promise.timeout(
                async (context) => {
                  counts.began++
                  try {
                    await new Promise<void>((resolve, reject) => {
                      const timer = setTimeout(resolve, 1)
                      context.signal.addEventListener("abort", () => {
                        clearTimeout(timer)
                        reject(context.signal.reason)
                      })
                      if (context.signal.aborted) reject(context.signal.reason)
                    })
                    await step()
                  } finally {
                    counts.over++
                  }
                },
                milliseconds,
                { signal }
              )
            } catch (error) {
              if (!isExceeded(error)) throw error
            }
          })
        await settled<unknown>(caller("a", 1), caller("b", 2))
        same(counts.over, counts.began, "functions that have ended")
      }
  },
  {
    primitive,
    name: "fibers and async functions under one deadline are ended together",
    models: ["taskOrder", "aggressive"],
    scenario:
      ({ effect, promise }) =>
      async (tasks) => {
        const errors: Array<unknown> = []
        const note = (error: unknown) => {
          claim(isExceeded(error), `it failed with ${String(error)}`)
          errors.push(error)
        }
        const fiber = tasks.fork(
          "fiber",
          Effect.scoped(
            Effect.gen(function* () {
              const deadline = yield* effect.Timeout.make(2)
              const view = promise.Deadline.from(deadline)
              const task = tasks.spawn("task", async ({ step }) => {
                await step()
                await view
                  .run(
                    ({ signal }) =>
                      new Promise<void>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))
                  )
                  .catch(note)
              })
              yield* Effect.catchAll(deadline.run(Effect.never), (error) => Effect.sync(() => note(error)))
              yield* Effect.promise(() => settled<unknown>(task))
            })
          )
        )
        await settled<unknown>(fiber)
        same(errors.length, 2, "who was told")
        claim(errors[0] === errors[1], "of two deadlines")
      }
  }
]
