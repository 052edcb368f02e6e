import { Effect, Exit } from "effect"
import * as models from "../testing/models.js"
import type { Explored, Library } from "./scenario.js"
import { claim, ended, fork, judge, pause, Recording, same, settled } from "./tools.js"

const primitive = "Guarded"

const make = <A>({ effect, promise }: Library, initial: A) => {
  const guarded = effect.Guarded.makeUnsafe(initial)
  const view = promise.Guarded.from(guarded)
  const atRest = () => same(view.stats(), { capacity: 1, inUse: 0, waiting: 0 }, "at rest")
  return { guarded, view, atRest }
}

type Names = ReadonlyArray<string>

const judgement = judge(models.guarded(0))

/** Each name is there as often as it may be: once for a change that succeeded, at most once for one that was interrupted. */
const accounts = (names: Names, changes: Readonly<Record<string, { readonly _tag: string }>>): void => {
  for (const [name, exit] of Object.entries(changes)) {
    const times = names.filter((each) => each === name).length
    claim(times === 1 || (times === 0 && exit._tag !== "Success"), `${name} is ${times} times in ${names.join()}`)
  }
}

export const scenarios: ReadonlyArray<Explored> = [
  {
    primitive,
    name: "no change is lost, none happens twice, and none overlaps another, whoever is interrupted",
    options: { interrupt: true },
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, guarded, view } = make<Names>(library, [])
        const append = (name: string) => guarded.updateEffect((names) => Effect.as(pause, [...names, name]))
        const modify = (name: string) =>
          guarded.modifyEffect((names) => Effect.map(pause, () => [names.length, [...names, name]] as const))
        const fibers = [
          yield* fork("a", append("a")),
          yield* fork("b", Effect.asVoid(modify("b"))),
          yield* fork(
            "c",
            guarded.update((names) => [...names, "c"])
          )
        ]
        const [a, b, c] = yield* ended(...fibers)
        accounts(view.get(), { a: a!, b: b!, c: c! })
        atRest()
      })
  },
  {
    primitive,
    name: "a change that fails, dies or is interrupted keeps the old value, and the next goes on from that",
    options: { interrupt: ["a"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, guarded, view } = make<Names>(library, [])
        const a = yield* fork(
          "a",
          guarded.updateEffect((names) => Effect.as(pause, [...names, "a"]))
        )
        const fails = yield* fork(
          "fails",
          Effect.exit(guarded.updateEffect(() => Effect.zipRight(pause, Effect.fail("no"))))
        )
        const dies = yield* fork(
          "dies",
          Effect.exit(
            guarded.update(() => {
              throw new Error("no")
            })
          )
        )
        const last = yield* fork(
          "last",
          guarded.update((names) => [...names, "last"])
        )
        const [exit] = yield* ended<unknown>(a, fails, dies)
        yield* ended(last)
        accounts(view.get(), { a: exit!, last: Exit.void })
        same(view.get().length, view.get().includes("a") ? 2 : 1, "how many changes there were")
        atRest()
      })
  },
  {
    primitive,
    name: "changes come in order of arrival, and who only looks sees none that is half done",
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, guarded, view } = make(library, 0)
        const { call, recorder, wait } = new Recording(judgement, () => view.stats().waiting)
        const double = (n: number) => n * 2
        const next = (n: number) => [n, n + 1] as const
        // Who is at work does not wait, so an operation that runs is not seen in line, and then nothing is claimed of the others.
        const a = yield* fork(
          "a",
          Effect.zipRight(
            wait("a", ["set", 3], guarded.set(3)),
            wait(
              "a",
              ["updateEffect", double],
              guarded.updateEffect((n) => Effect.as(pause, double(n)))
            )
          )
        )
        const b = yield* fork(
          "b",
          Effect.zipRight(call("b", ["get"], guarded.get), wait("b", ["update", double], guarded.update(double)))
        )
        const c = yield* fork(
          "c",
          wait(
            "c",
            ["modifyEffect", next],
            guarded.modifyEffect((n) => Effect.as(pause, next(n)))
          )
        )
        yield* ended<unknown>(a, b, c)
        yield* call("main", ["get"], guarded.get)
        atRest()
        judgement(recorder.historyAtRest)
      })
  },
  {
    primitive,
    name: "promises: no change is lost, none happens twice, and none overlaps another, whoever is aborted",
    models: ["taskOrder"],
    options: { interrupt: true },
    scenario:
      ({ promise }) =>
      async (tasks) => {
        const guarded = new promise.Guarded<Names>([])
        const appends = (name: string) =>
          tasks.spawn(name, ({ signal, step }) =>
            guarded.update(
              async (names) => {
                await step("changes it")
                return [...names, name]
              },
              { signal }
            )
          )
        const fails = tasks.spawn("fails", async ({ step }) => {
          const error = await guarded
            .update(async () => {
              await step("fails")
              throw new Error("no")
            })
            .catch((error: unknown) => error)
          same((error as Error).message, "no", "what it rejected with")
        })
        const [a, , b] = await settled(appends("a"), fails, appends("b"))
        const exit = (result: PromiseSettledResult<unknown>) => ({
          _tag: result.status === "fulfilled" ? "Success" : "Failure"
        })
        accounts(guarded.get(), { a: exit(a!), b: exit(b!) })
        same(guarded.stats(), { capacity: 1, inUse: 0, waiting: 0 }, "at rest")
      }
  },
  {
    primitive,
    name: "fibers and async functions change one value after the other, whoever is interrupted",
    models: ["taskOrder", "aggressive"],
    options: { interrupt: true },
    scenario: (library) => async (tasks) => {
      const { atRest, guarded, view } = make(library, 0)
      let done = 0
      const fiber = (name: string) =>
        tasks.fork(
          name,
          guarded.updateEffect((n) =>
            Effect.map(pause, () => {
              done++
              return n + 1
            })
          )
        )
      const task = tasks.spawn("task", ({ signal, step }) =>
        view.update(
          async (n) => {
            await step("changes it")
            done++
            return n + 1
          },
          { signal }
        )
      )
      const results = await settled(fiber("fiber"), task, fiber("another fiber"))
      const succeeded = results.filter(({ status }) => status === "fulfilled").length
      // What is interrupted between the end of its function and the change has not made it.
      claim(view.get() >= succeeded && view.get() <= done, `${view.get()} after ${succeeded} to ${done} changes`)
      atRest()
    }
  }
]
