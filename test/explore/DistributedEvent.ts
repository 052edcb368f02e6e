import { Effect, Exit } from "effect"
import { MemoryLatches } from "../../src/core/memoryLatches.js"
import { both, inTime, longPoll, SlowLatches, slowly } from "./meetings.js"
import type { Explored, Library } from "./scenario.js"
import { claim, ended, fork, same, settled } from "./tools.js"

const primitive = "DistributedEvent"

const make = ({ distributed, promiseDistributed }: Library, poll = longPoll, store = new SlowLatches()) =>
  Effect.map(distributed.DistributedEvent.make({ poll }, store), (event) => {
    const view = promiseDistributed.DistributedEvent.from(event)
    return { event, store, view, rest: store.comesToRest(() => view.stats()) }
  })

export const scenarios: ReadonlyArray<Explored> = [
  ...both({
    primitive,
    name: "whoever waits is let go by a set somewhere else, and nothing is left, whoever is interrupted",
    options: { interrupt: ["a", "b"] },
    scenario: (library, inTime) =>
      Effect.gen(function* () {
        const one = yield* make(library)
        const other = yield* make(library, longPoll, one.store)
        const a = yield* fork("a", one.event.wait("x"))
        const b = yield* fork("b", one.event.wait("x"))
        const c = yield* fork("c", one.event.wait("x"))
        const set = yield* fork("set", other.event.set("x"))
        yield* ended(a, b, c, set)
        claim(Exit.isSuccess(yield* c.await), "c was not let go")
        inTime()
        yield* one.rest
      })
  }),
  ...both({
    primitive,
    name: "a flag that is set and cleared at once lets go whoever was asked for before",
    scenario: (library, inTime) =>
      Effect.gen(function* () {
        const { event, rest, store } = yield* make(library)
        const a = yield* fork("a", event.wait("x"))
        yield* Effect.repeat(Effect.yieldNow(), { until: () => store.count("look") > 0 })
        // Another process, in one step.
        const b = yield* fork(
          "b",
          Effect.sync(() => store.flash("event:x"))
        )
        yield* ended(a, b)
        inTime()
        yield* rest
      })
  }),
  {
    primitive,
    name: "whoever comes after it was cleared is not let go by that, and is by the next pulse",
    models: ["taskOrder"],
    scenario: (library) =>
      Effect.gen(function* () {
        const { event, rest, store } = yield* make(library)
        const first = yield* fork("first", event.wait("x"))
        yield* Effect.repeat(Effect.yieldNow(), { until: () => store.count("look") > 0 })
        yield* event.pulse("x")
        let isPulsed = false
        const late = yield* fork(
          "late",
          Effect.andThen(
            event.wait("x"),
            Effect.sync(() => claim(isPulsed, "it was let go"))
          )
        )
        const looks = store.count("look")
        yield* Effect.sleep(50)
        claim(store.count("look") >= looks, "nobody asked")
        isPulsed = true
        yield* event.pulse("x")
        yield* ended(first, late)
        inTime()
        yield* rest
      })
  },
  {
    primitive,
    name: "if messages are lost, those who wait ask by themselves",
    models: ["taskOrder"],
    scenario: (library) =>
      Effect.gen(function* () {
        const { event, rest, store } = yield* make(library, 40)
        store.isDeaf = true
        const a = yield* fork("a", event.wait("x"))
        yield* Effect.repeat(Effect.yieldNow(), { until: () => store.count("look") > 1 })
        const b = yield* fork("b", Effect.zipRight(event.set("x"), event.clear("x")))
        yield* ended(a, b)
        inTime(200)
        yield* rest
      })
  },
  ...both({
    primitive,
    name: "a question that fails is put once more: nobody hears of it, and no wake-up is lost, whoever is interrupted",
    models: ["taskOrder", "elastic"],
    options: { interrupt: ["a"] },
    scenario: (library, inTime) =>
      Effect.gen(function* () {
        const { event, rest, store } = yield* make(library)
        store.failures = ["unanswered"]
        const a = yield* fork("a", event.wait("x"))
        const b = yield* fork("b", event.wait("x"))
        yield* Effect.repeat(Effect.yieldNow(), { until: () => store.failures.length === 0 })
        const c = yield* fork("c", event.set("x"))
        yield* ended(a, b, c)
        inTime()
        yield* rest
      })
  }),
  {
    primitive,
    name: "fibers and async functions wait for one flag, all are let go, and nothing is left, whoever is interrupted",
    models: ["taskOrder", "aggressive"],
    options: { interrupt: ["fiber", "task"] },
    scenario: (library) => async (tasks) => {
      let made: Effect.Effect.Success<ReturnType<typeof make>> | undefined
      await settled(
        tasks.fork(
          "begin",
          Effect.map(make(library), (it) => void (made = it))
        )
      )
      if (made === undefined) return
      const { event, rest, view } = made
      const fiber = tasks.fork("fiber", event.wait("x"))
      const task = tasks.spawn("task", ({ signal }) => view.wait("x", { signal }))
      const set = tasks.fork("set", event.set("x"))
      await settled<unknown>(fiber, task, set)
      await tasks.fork("rest", rest)
    }
  },
  {
    primitive,
    name: "promises: all who wait are let go by a pulse, also where a wait is aborted, and nothing is left",
    models: ["taskOrder"],
    options: { interrupt: ["a"] },
    scenario:
      ({ promiseDistributed: { DistributedEvent } }) =>
      async (tasks) => {
        const latches = new MemoryLatches({ now: () => performance.now() })
        const event = new DistributedEvent(slowly(latches), { poll: longPoll })
        const use = (name: string) => tasks.spawn(name, ({ signal }) => event.wait("x", { signal }))
        const all = [use("a"), use("b")]
        await new Promise((resolve) => setTimeout(resolve, 5))
        await event.pulse("x")
        await settled(...all)
        await new Promise((resolve) => setTimeout(resolve, 5))
        same(event.stats(), { waiting: 0 }, "stats")
        same(latches.watched, 0, "what is watched")
        inTime()
      }
  }
]
