/** What debounce and throttle both promise, whoever is interrupted when. */
import { Effect, Exit } from "effect"
import type { Debounce } from "effect-concurrency"
import type { Debounced } from "effect-concurrency/promise"
import type { Explored, Library } from "./scenario.js"
import { atOnce, claim, ended, fork, pause, same, settled } from "./tools.js"

export type Primitive = "Debounce" | "Throttle"

interface Options {
  readonly edges?: "leading" | "trailing" | "both"
  readonly onClose?: "flush" | "cancel"
  readonly fails?: boolean
  /** Called in the step in which a call is taken. */
  readonly key?: (n: number) => unknown
}

const wait = 10

/** What runs there were, and who was told of their failures. */
const record = () => {
  const runs: Array<{ readonly n: number; readonly at: number }> = []
  let inside = 0
  let over = 0
  let reports = 0
  return {
    runs,
    reports: () => reports,
    over: () => over,
    enter: (n: number, at: number) => {
      claim(inside++ === 0, "two runs overlap")
      runs.push({ n, at })
    },
    leave: () => {
      inside--
      over++
    },
    reported: () => void reports++
  }
}

type Recorded = ReturnType<typeof record>

/** An instance whose runs give their number, a turn later, or fail. */
const make = ({ effect }: Library, primitive: Primitive, { fails = false, ...options }: Options = {}) => {
  const recorded = record()
  const run = (n: number) => {
    // In the step of the call: what comes later may be preempted.
    recorded.enter(n, performance.now())
    return Effect.flatMap(pause, () => {
      recorded.leave()
      return fails ? Effect.fail("oops") : Effect.succeed(n)
    })
  }
  const all = { ...options, onError: () => Effect.sync(recorded.reported) }
  const made =
    primitive === "Debounce"
      ? effect.Debounce.make(run, { ...all, wait })
      : effect.Throttle.make(run, { ...all, interval: wait })
  return Effect.map(made as Effect.Effect<Debounce.Debounce<[n: number], number, string>>, (self) => ({
    self,
    recorded
  }))
}

const viewOf = (
  { promise }: Library,
  primitive: Primitive,
  self: Debounce.Debounce<[number], number, string>
): Debounced<[number], number> =>
  (primitive === "Debounce" ? promise.debounce.from(self) : promise.throttle.from(self as any)) as any

/** The result of a call: the number of its run, or "cancelled". */
const call = (self: Debounce.Debounce<[number], number, string>, n: number): Effect.Effect<number | string, unknown> =>
  Effect.catchAll(self.call(n), (error) =>
    typeof error === "object" && error._tag.endsWith("Cancelled") ? Effect.succeed("cancelled") : Effect.fail(error)
  )

/** Every caller that is still there has the result of a run. */
const answered = (exits: ReadonlyArray<Exit.Exit<unknown, unknown>>, { runs }: Recorded): void => {
  for (const exit of exits) {
    if (Exit.isSuccess(exit) && exit.value !== "cancelled")
      claim(
        runs.some(({ n }) => n === exit.value),
        `${String(exit.value)} is the result of no run`
      )
  }
}

const spaced = (primitive: Primitive, { runs }: Recorded): void =>
  runs.forEach(({ at }, i) => {
    const before = runs[i - 1]
    if (primitive === "Throttle" && before !== undefined)
      claim(at - before.at >= wait, `runs at ${before.at} and at ${at}`)
  })

const atRest = (self: Debounce.Debounce<[number], number, string>) =>
  Effect.map(self.stats, ({ pending, running }) => same([pending, running], [0, 0], "pending, and running"))

export const pacing = (primitive: Primitive): ReadonlyArray<Explored> => [
  {
    primitive,
    name: "every caller that stays has the result of a run, of which no two overlap",
    options: { interrupt: ["a", "b"] },
    scenario: (library) =>
      Effect.scoped(
        Effect.gen(function* () {
          const { recorded, self } = yield* make(library, primitive, { edges: "both" })
          const a = yield* fork("a", call(self, 1))
          const b = yield* fork("b", Effect.zipRight(Effect.sleep(wait), call(self, 2)))
          const c = yield* fork("c", Effect.zipRight(Effect.sleep(wait), call(self, 3)))
          const exits = yield* ended(a, b, c)
          answered(exits, recorded)
          claim(Exit.isSuccess(exits[2]!), "who stayed was not told")
          // What is flushed does not wait for the interval.
          spaced(primitive, recorded)
          yield* self.flush
          yield* atRest(self)
        })
      )
  },
  {
    primitive,
    name: "what was called is run, with the latest arguments, also when its callers have gone",
    options: { interrupt: ["a", "b"] },
    scenario: (library) =>
      Effect.scoped(
        Effect.gen(function* () {
          let taken = 0
          const key = (n: number) => {
            taken = n
          }
          const { recorded, self } = yield* make(library, primitive, { edges: "trailing", key })
          const a = yield* fork("a", call(self, 1))
          const b = yield* fork("b", call(self, 2))
          answered(yield* ended(a, b), recorded)
          yield* self.flush
          same(recorded.runs.at(-1)?.n ?? 0, taken, "the last call that was run")
          yield* atRest(self)
        })
      )
  },
  {
    primitive,
    name: "flush: what was called before has run when it is over, and the timer does not run it again",
    scenario: (library) =>
      Effect.scoped(
        Effect.gen(function* () {
          const { recorded, self } = yield* make(library, primitive, { edges: "trailing" })
          const flushing = Effect.flatMap(self.trigger(1), () =>
            Effect.flatMap(self.flush, () =>
              Effect.sync(() => claim(recorded.over() > 0, "a flush is over, and nothing has run"))
            )
          )
          const a = yield* fork("a", flushing)
          const b = yield* fork("b", Effect.zipRight(Effect.sleep(wait), self.flush))
          yield* ended<void>(a, b)
          yield* Effect.sleep(3 * wait)
          same(recorded.runs.length, 1, "runs")
          yield* atRest(self)
        })
      )
  },
  {
    primitive,
    name: "cancel in the tick in which a run is due: a call has its run, or is cancelled, and not both",
    scenario: (library) =>
      Effect.scoped(
        Effect.gen(function* () {
          const { recorded, self } = yield* make(library, primitive, { edges: "trailing" })
          const a = yield* fork("a", call(self, 1))
          const b = yield* fork("b", Effect.zipRight(Effect.sleep(wait), self.cancel))
          const [result] = yield* ended<number | string>(a)
          const [dropped] = yield* ended<number>(b)
          yield* Effect.sleep(3 * wait)
          const cancelled = Exit.isSuccess(dropped!) ? dropped.value : -1
          same(recorded.runs.length + cancelled, 1, "runs, and calls that were cancelled")
          same(Exit.isSuccess(result!) && result.value, cancelled ? "cancelled" : 1, "what the caller was told")
          yield* atRest(self)
        })
      )
  },
  {
    primitive,
    name: "a failure has its callers, or is reported, once, also in the tick of the interruption",
    options: { interrupt: ["a"] },
    // In "aggressive", Effect itself drops a failure that is interrupted in its own step.
    models: ["taskOrder", "elastic"],
    scenario: (library) =>
      Effect.gen(function* () {
        const { exit, recorded } = yield* Effect.scoped(
          Effect.gen(function* () {
            const { recorded, self } = yield* make(library, primitive, { edges: "trailing", fails: true })
            const a = yield* fork("a", Effect.exit(self.call(1)))
            const b = yield* fork("b", Effect.exit(self.trigger(2)))
            const [exit] = yield* ended<Exit.Exit<unknown, unknown>>(a, b)
            yield* b.await
            return { exit, recorded }
          })
        )
        // Whoever reports late does so in a fiber of its own, and whoever is told runs in another: either may come after a sleep.
        yield* Effect.repeatN(Effect.sleep(1), 3)
        const told = Exit.isSuccess(exit!) && Exit.isFailure(exit.value) ? 1 : 0
        same(told + recorded.reports(), recorded.runs.length, "who was told, and reports")
      })
  },
  {
    primitive,
    name: "closing runs all that was taken in, and takes nothing more",
    options: { interrupt: ["a"] },
    scenario: (library) =>
      Effect.scoped(
        Effect.gen(function* () {
          const { recorded, self } = yield* make(library, primitive, { edges: "both" })
          let taken = 0
          const trigger = (n: number) =>
            atOnce(self.trigger(n), (isTaken) => {
              if (isTaken) taken = n
            })
          const a = yield* fork("a", Effect.zipRight(trigger(1), trigger(2)))
          const closer = yield* fork(
            "closer",
            Effect.flatMap(self.close, () =>
              Effect.sync(() => {
                same(recorded.over(), recorded.runs.length, "runs that were over when it was closed")
                same(recorded.runs.at(-1)?.n ?? 0, taken, "the last call that was run")
              })
            )
          )
          yield* ended<void>(a, closer)
          same(yield* call(self, 3), "cancelled", "a call that comes later")
          yield* atRest(self)
        })
      )
  },
  {
    primitive,
    name: "promises: every call that is not aborted has a run with its arguments or later ones",
    models: ["taskOrder"],
    options: { interrupt: ["a", "b"] },
    scenario:
      ({ promise }) =>
      async (tasks) => {
        const recorded = record()
        const run = async (n: number) => {
          recorded.enter(n, performance.now())
          await new Promise((resolve) => setTimeout(resolve, 1))
          recorded.leave()
          return n
        }
        const options = { edges: "trailing" } as const
        const self =
          primitive === "Debounce" ? promise.debounce(run, wait, options) : promise.throttle(run, wait, options)
        const caller = (who: string, n: number) =>
          tasks.spawn(who, async ({ signal, step }) => {
            await step()
            return self.with({ signal })(n)
          })
        const results = await settled<number>(caller("a", 1), caller("b", 2), caller("c", 3))
        await self.close()
        for (const result of results) {
          if (result.status === "fulfilled")
            claim(
              recorded.runs.some(({ n }) => n === result.value),
              "the result of no run"
            )
        }
        claim(results[2]!.status === "fulfilled", "who stayed was not told")
        spaced(primitive, recorded)
        same(self.stats(), { keys: 0, pending: 0, running: 0, isClosed: true }, "at rest")
      }
  },
  {
    primitive,
    name: "fibers and async functions share a run, and its result",
    models: ["aggressive"],
    scenario: (library) => async (tasks) => {
      const fiber = tasks.fork(
        "fiber",
        Effect.scoped(
          Effect.gen(function* () {
            const { recorded, self } = yield* make(library, primitive, { edges: "trailing" })
            const view = viewOf(library, primitive, self)
            const results: Array<unknown> = []
            const task = tasks.spawn("task", async ({ step }) => {
              await step()
              results.push(await view(1))
            })
            results.push(yield* self.call(2))
            yield* Effect.promise(() => settled<unknown>(task))
            same(results.length, 2, "who was told")
            for (const result of results)
              claim(
                recorded.runs.some(({ n }) => n === result),
                "the result of no run"
              )
            yield* atRest(self)
          })
        )
      )
      await settled<unknown>(fiber)
    }
  }
]
