import { Effect, Exit } from "effect"
import * as models from "../testing/models.js"
import type { Explored, Library } from "./scenario.js"
import { claim, ended, fork, judge, pause, Recording, same, settled, atOnce } from "./tools.js"

const primitive = "Barrier"

type Options = Parameters<Library["effect"]["Barrier"]["makeUnsafe"]>[1]

const make = ({ effect, promise }: Library, parties: number, options?: Options) => {
  const barrier = effect.Barrier.makeUnsafe(parties, options as object)
  const view = promise.Barrier.from(barrier)
  const atRest = (isBroken = false) => same(view.stats(), { parties, waiting: 0, isBroken }, "at rest")
  /** The index of an arrival, or "broken". */
  const arrive: Effect.Effect<number | string, unknown> = Effect.catchAll(barrier.await, (error) =>
    (error as { _tag?: string })._tag === "BrokenBarrier" ? Effect.succeed("broken") : Effect.fail(error)
  )
  return { barrier, view, arrive, atRest }
}

const two = judge(models.barrier(2))
const breaking = judge(models.barrier(2, "break"))
const asPromises = judge(models.barrier(2))

const valueOf = (exit: Exit.Exit<unknown, unknown>): unknown => (Exit.isSuccess(exit) ? exit.value : "none")

const sorted = (indices: ReadonlyArray<unknown>) => indices.map(String).sort()

export const scenarios: ReadonlyArray<Explored> = [
  {
    primitive,
    name: "nobody passes before all are there, in two generations, and each has an index of its own",
    scenario: (library) =>
      Effect.gen(function* () {
        const { arrive, atRest } = make(library, 3)
        const arrived = [0, 0]
        const indices: ReadonlyArray<Array<unknown>> = [[], []]
        const round = (n: number) =>
          Effect.suspend(() => {
            arrived[n]!++
            return Effect.map(arrive, (index) => {
              claim(arrived[n] === 3, `somebody passed when ${arrived[n]} of 3 had come, in generation ${n}`)
              indices[n]!.push(index)
            })
          })
        const party = Effect.zipRight(round(0), round(1))
        const a = yield* fork("a", party)
        const b = yield* fork("b", party)
        const c = yield* fork("c", party)
        yield* ended(a, b, c)
        same(indices.map(sorted), [["0", "1", "2"], ["0", "1", "2"]], "the indices of both generations") // prettier-ignore
        atRest()
      })
  },
  {
    primitive,
    name: "the action runs once a generation, before anybody passes",
    scenario: (library) =>
      Effect.gen(function* () {
        let actions = 0
        let passed = 0
        const { arrive, atRest } = make(library, 2, {
          action: Effect.map(pause, () => {
            claim(passed % 2 === 0, "somebody passed while the action ran")
            actions++
          })
        })
        const round = Effect.map(arrive, () => {
          passed++
          claim(passed <= actions * 2, `${passed} passed after ${actions} actions`)
        })
        const a = yield* fork("a", Effect.zipRight(round, round))
        const b = yield* fork("b", Effect.zipRight(round, round))
        yield* ended(a, b)
        same([actions, passed], [2, 4], "actions, and who passed")
        atRest()
      })
  },
  {
    primitive,
    name: "who withdrew is not counted: the others wait for one more",
    scenario: (library) =>
      Effect.gen(function* () {
        const { arrive, atRest, view } = make(library, 2)
        const first = yield* fork("first", arrive)
        const killer = yield* fork("killer", Effect.asVoid(first.interruptAsFork(first.id())))
        yield* ended<unknown>(first, killer)
        same(view.stats().waiting, 0, "who waits after the withdrawal")
        const a = yield* fork("a", arrive)
        const b = yield* fork("b", arrive)
        const exits = yield* ended(a, b)
        same(sorted(exits.map(valueOf)), ["0", "1"], "the indices of the others")
        atRest()
      })
  },
  {
    primitive,
    name: "who is interrupted in the tick in which all have come does not keep the others",
    options: { interrupt: ["a"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const { arrive, atRest, barrier, view } = make(library, 2)
        const a = yield* fork("a", arrive)
        const b = yield* fork("b", arrive)
        const [exit] = yield* ended(a)
        // B passed with it, or needs company.
        const company = Exit.isSuccess(exit!) ? undefined : yield* fork("company", arrive)
        const [other] = yield* ended(b)
        claim(typeof valueOf(other!) === "number", `b ended with ${String(valueOf(other!))}`)
        view.abort()
        if (company !== undefined) yield* ended(company)
        yield* barrier.reset
        atRest()
      })
  },
  {
    primitive,
    name: "an interruption breaks the barrier if it is so made, for those who are there; a reset mends it",
    scenario: (library) =>
      Effect.gen(function* () {
        const { arrive, atRest, barrier, view } = make(library, 2, { onInterrupt: "break" })
        const { call, recorder, wait } = new Recording(breaking, () => view.stats().waiting)
        const awaits = (who: string) => Effect.exit(wait(who, ["await"], barrier.await))
        const a = yield* fork("a", awaits("a"))
        const b = yield* fork("b", awaits("b"))
        const killer = yield* fork("killer", Effect.asVoid(a.interruptAsFork(a.id())))
        yield* ended<unknown>(a, killer)
        yield* call("main", ["isBroken"], barrier.isBroken)
        yield* call("main", ["abort"], barrier.abort)
        yield* ended<unknown>(b)
        yield* call("main", ["reset"], barrier.reset)
        breaking(recorder.historyAtRest)
        const c = yield* fork("c", arrive)
        const d = yield* fork("d", arrive)
        same(sorted((yield* ended(c, d)).map(valueOf)), ["0", "1"], "the indices after the reset")
        atRest()
      })
  },
  {
    primitive,
    name: "await, reset and abort are what its model says, and every wait settles",
    options: { interrupt: ["a"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, barrier, view } = make(library, 2)
        const { call, recorder, wait } = new Recording(two, () => view.stats().waiting)
        const awaits = (who: string) => Effect.exit(wait(who, ["await"], barrier.await))
        const a = yield* fork("a", awaits("a"))
        const b = yield* fork("b", Effect.zipRight(awaits("b"), awaits("b")))
        // In the end whoever is left without a partner goes home.
        const c = yield* fork(
          "c",
          call("c", ["reset"], barrier.reset).pipe(
            Effect.zipRight(pause),
            Effect.zipRight(call("c", ["isBroken"], barrier.isBroken)),
            Effect.zipRight(call("c", ["abort"], barrier.abort))
          )
        )
        yield* ended<unknown>(a, b, c)
        two(recorder.historyAtRest)
        atRest(true)
      })
  },
  {
    primitive,
    name: "an action that fails or is interrupted breaks the barrier, and nobody waits for ever",
    options: { interrupt: ["a", "b"] },
    scenario: (library) =>
      Effect.gen(function* () {
        let fails = true
        const { arrive, atRest, barrier, view } = make(library, 2, {
          action: Effect.suspend((): Effect.Effect<void, string> =>
            fails ? Effect.zipRight(pause, Effect.fail("no")) : Effect.void
          )
        } as Options)
        const arrives = Effect.catchAll(arrive, () => Effect.succeed("failed"))
        const a = yield* fork("a", arrives)
        const b = yield* fork("b", arrives)
        const exits = yield* ended(
          a,
          yield* fork("abort", Effect.zipRight(pause, Effect.as(barrier.abort, "abort"))),
          b
        )
        for (const exit of exits) claim(typeof valueOf(exit) !== "number", "somebody passed")
        claim(view.isBroken, "the barrier is not broken")
        yield* barrier.reset
        fails = false
        const c = yield* fork("c", arrives)
        const d = yield* fork("d", arrives)
        same(sorted((yield* ended(c, d)).map(valueOf)), ["0", "1"], "the indices after the reset")
        atRest()
      })
  },
  {
    primitive,
    name: "promises: await, reset and abort are what its model says, and every wait settles",
    models: ["taskOrder"],
    options: { interrupt: ["a"] },
    scenario:
      ({ promise }) =>
      async (tasks) => {
        const barrier = new promise.Barrier(2)
        const { recorder } = new Recording(asPromises, () => 0)
        const waits = (who: string, times: number) =>
          tasks.spawn(who, async ({ signal, step }) => {
            // What is aborted already never stands in line.
            for (let time = 0; time < times && !signal.aborted; time++) {
              await recorder
                .promise(who, ["await"], () => barrier.wait({ signal }))
                .catch((error: { readonly _tag?: string }) => {
                  if (error._tag !== "BrokenBarrier") throw error
                })
              await step()
            }
          })
        const resets = tasks.spawn("c", async ({ step }) => {
          recorder.sync("c", ["reset"], () => barrier.reset())
          await step()
          recorder.sync("c", ["isBroken"], () => barrier.isBroken)
          await step()
          recorder.sync("c", ["abort"], () => barrier.abort())
        })
        await settled(waits("a", 1), waits("b", 2), resets)
        same(barrier.stats(), { parties: 2, waiting: 0, isBroken: true }, "at rest")
        asPromises(recorder.historyAtRest)
      }
  },
  {
    primitive,
    name: "fibers and async functions wait for each other, in two generations",
    models: ["taskOrder", "aggressive"],
    scenario: (library) => async (tasks) => {
      const { arrive, atRest, view } = make(library, 3)
      const indices: ReadonlyArray<Array<unknown>> = [[], []]
      const rounds = Effect.zipRight(
        atOnce(arrive, (index) => indices[0]!.push(index)),
        atOnce(arrive, (index) => indices[1]!.push(index))
      )
      const task = tasks.spawn("task", async ({ step }) => {
        indices[0]!.push(await view.wait())
        await step("between")
        indices[1]!.push(await view.wait())
      })
      await settled<unknown>(tasks.fork("fiber", rounds), task, tasks.fork("another fiber", rounds))
      same(indices.map(sorted), [["0", "1", "2"], ["0", "1", "2"]], "the indices of both generations") // prettier-ignore
      atRest()
    }
  }
]
