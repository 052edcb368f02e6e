import { Effect, Exit } from "effect"
import * as models from "../testing/models.js"
import type { Explored, Library } from "./scenario.js"
import { claim, ended, fork, judge, pause, Recording, same, settled } from "./tools.js"

const primitive = "Event"

const make = ({ effect, promise }: Library) => {
  const event = effect.Event.makeUnsafe()
  const view = promise.Event.from(event)
  const nobody = () => same(view.stats().waiting, 0, "who waits in the end")
  return { event, view, nobody }
}

const judgement = judge(models.event())
const asPromises = judge(models.event())

export const scenarios: ReadonlyArray<Explored> = [
  {
    primitive,
    name: "a flag that is set and cleared in the same tick wakes those who wait",
    scenario: (library) =>
      Effect.gen(function* () {
        const { event, nobody, view } = make(library)
        const a = yield* fork("a", event.wait)
        const b = yield* fork("b", event.wait)
        // Whoever is not there yet needs it to stay set; nobody else does.
        const setter = yield* fork(
          "setter",
          Effect.suspend(() => (view.stats().waiting === 2 ? Effect.zipRight(event.set, event.clear) : event.set))
        )
        yield* ended(a, b, setter)
        nobody()
      })
  },
  {
    primitive,
    name: "a pulse wakes all who wait and nobody who comes later",
    scenario: (library) =>
      Effect.gen(function* () {
        const { event, nobody, view } = make(library)
        const a = yield* fork("a", event.wait)
        const b = yield* fork("b", event.wait)
        const pulser = yield* fork(
          "pulser",
          Effect.suspend(() => (view.stats().waiting === 2 ? event.pulse : Effect.zipRight(event.pulse, event.set)))
        )
        yield* ended(pulser)
        let passed = false
        const late = view.isSet
          ? undefined
          : yield* fork(
              "late",
              Effect.map(event.wait, () => (passed = true))
            )
        yield* ended(a, b)
        if (late !== undefined) {
          claim(!passed, "the pulse woke one who came later")
          yield* event.set
          yield* ended(late)
        }
        nobody()
      })
  },
  {
    primitive,
    name: "a generation that was woken stays so, also when the next one waits",
    scenario: (library) =>
      Effect.gen(function* () {
        const { event, nobody, view } = make(library)
        const rounds = Effect.zipRight(event.wait, event.wait)
        const a = yield* fork("a", rounds)
        const b = yield* fork("b", rounds)
        const setter = yield* fork(
          "setter",
          Effect.suspend(() =>
            view.stats().waiting === 2 ? Effect.zipRight(event.set, event.clear) : Effect.void
          ).pipe(Effect.zipRight(pause), Effect.zipRight(event.set))
        )
        yield* ended(a, b, setter)
        nobody()
      })
  },
  {
    primitive,
    name: "an interrupted wait leaves at once and takes nobody's wake-up with it",
    options: { interrupt: ["a"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const { event, nobody, view } = make(library)
        const a = yield* fork("a", event.wait)
        const b = yield* fork("b", event.wait)
        const setter = yield* fork(
          "setter",
          Effect.zipRight(
            pause,
            Effect.suspend(() => (view.stats().waiting === 2 ? Effect.zipRight(event.set, event.clear) : event.set))
          )
        )
        yield* ended(a, setter)
        claim(Exit.isSuccess(yield* b.await), "b was not woken")
        nobody()
      })
  },
  {
    primitive,
    name: "wait, set, clear and pulse are what its model says, also when a wait is interrupted",
    options: { interrupt: ["a"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const { event, nobody, view } = make(library)
        const { call, recorder, wait } = new Recording(judgement, () => view.stats().waiting)
        const a = yield* fork("a", wait("a", ["wait"], event.wait))
        const b = yield* fork(
          "b",
          call("b", ["isSet"], event.isSet).pipe(
            Effect.zipRight(wait("b", ["wait"], event.wait)),
            Effect.zipRight(call("b", ["isSet"], event.isSet))
          )
        )
        const c = yield* fork(
          "c",
          call("c", ["pulse"], event.pulse).pipe(
            Effect.zipRight(call("c", ["set"], event.set)),
            Effect.zipRight(call("c", ["clear"], event.clear)),
            Effect.zipRight(pause),
            Effect.zipRight(call("c", ["set"], event.set))
          )
        )
        yield* ended<unknown>(a, b, c)
        nobody()
        judgement(recorder.historyAtRest)
      })
  },
  {
    primitive,
    name: "promises: wait, set, clear and pulse are what its model says, and every wait settles",
    models: ["taskOrder"],
    options: { interrupt: ["a", "b"] },
    scenario:
      ({ promise }) =>
      async (tasks) => {
        const event = new promise.Event()
        const { recorder } = new Recording(asPromises, () => 0)
        const waits = (who: string) =>
          tasks.spawn(who, async ({ signal, step }) => {
            await step()
            // What is aborted already never stands in line.
            if (!signal.aborted) await recorder.promise(who, ["wait"], () => event.wait({ signal }))
          })
        const sets = tasks.spawn("c", async ({ step }) => {
          recorder.sync("c", ["pulse"], () => event.pulse())
          await step()
          recorder.sync("c", ["set"], () => event.set())
          recorder.sync("c", ["clear"], () => event.clear())
          await step()
          recorder.sync("c", ["isSet"], () => event.isSet)
          recorder.sync("c", ["set"], () => event.set())
        })
        await settled(waits("a"), waits("b"), sets)
        same(event.stats(), { isSet: true, waiting: 0 }, "at rest")
        asPromises(recorder.historyAtRest)
      }
  },
  {
    primitive,
    name: "an async function wakes fibers, and a fiber async functions",
    models: ["taskOrder", "aggressive"],
    options: { interrupt: ["fiber", "task"] },
    scenario: (library) => async (tasks) => {
      const there = make(library)
      const back = make(library)
      const wakes = ({ event, view }: typeof there, n: number) =>
        Effect.suspend(() => (view.stats().waiting === n ? Effect.zipRight(event.set, event.clear) : event.set))
      const fiber = tasks.fork("fiber", there.event.wait)
      const task = tasks.spawn("task", ({ signal }) => back.view.wait({ signal }))
      const setter = tasks.fork("setter", wakes(back, 1))
      const sets = tasks.spawn("sets", () => {
        const seen = there.view.stats().waiting
        there.view.set()
        if (seen === 1) there.view.clear()
      })
      await settled(fiber, task, setter, sets)
      there.nobody()
      back.nobody()
    }
  }
]
