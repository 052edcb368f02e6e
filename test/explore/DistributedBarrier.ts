import { Effect, Exit } from "effect"
import { MemoryParties } from "../../src/core/memoryParties.js"
import { both, inTime, longPoll, SlowParties, slowly } from "./meetings.js"
import type { Explored, Library } from "./scenario.js"
import { claim, ended, fork, same, settled } from "./tools.js"

const primitive = "DistributedBarrier"

const make = ({ distributed, promiseDistributed }: Library, more = {}, store = new SlowParties()) =>
  Effect.map(
    distributed.DistributedBarrier.make({ parties: 2, poll: longPoll, lease: 4 * longPoll, ...more }, store),
    (barrier) => {
      const view = promiseDistributed.DistributedBarrier.from(barrier)
      /** The index of an arrival, or "broken". */
      const arrive: Effect.Effect<number | string, unknown> = Effect.catchAll(barrier.wait("x"), (error) =>
        (error as { _tag?: string })._tag === "BrokenBarrier" ? Effect.succeed("broken") : Effect.fail(error)
      )
      return { barrier, arrive, store, view, rest: store.comesToRest(() => view.stats()) }
    }
  )

/**
 * Whether the other of two parties has passed, or waits for a third for certain. However long that takes: a question that is held up on its way
 * decides it, and so the store is asked, and not the clock. One that never comes to an end is found as a livelock.
 */
const isDecided = (store: SlowParties, isOver: boolean): boolean =>
  store.underWay === 0 && (isOver || store.waiting === 1)

const sorted = (values: ReadonlyArray<unknown>) => values.map(String).sort()

const valueOf = (exit: Exit.Exit<unknown, unknown>): unknown => (Exit.isSuccess(exit) ? exit.value : "gone")

export const scenarios: ReadonlyArray<Explored> = [
  ...both({
    primitive,
    name: "nobody passes before all are there, wherever they are, and each has an index of its own",
    scenario: (library, inTime) =>
      Effect.gen(function* () {
        const one = yield* make(library)
        const other = yield* make(library, {}, one.store)
        let arrived = 0
        const party = (arrive: typeof one.arrive) =>
          Effect.suspend(() => {
            arrived++
            return Effect.tap(arrive, () => claim(arrived === 2, `somebody passed when ${arrived} of 2 had come`))
          })
        const a = yield* fork("a", party(one.arrive))
        const b = yield* fork("b", party(other.arrive))
        same(sorted((yield* ended(a, b)).map(valueOf)), ["0", "1"], "the indices")
        inTime()
        one.store.check()
        yield* one.rest
      })
  }),
  ...both({
    primitive,
    name: "whoever is interrupted withdraws, unless all have passed, and another takes the place",
    options: { interrupt: ["a"] },
    scenario: (library, inTime) =>
      Effect.gen(function* () {
        const { arrive, rest, store } = yield* make(library)
        const a = yield* fork("a", arrive)
        yield* Effect.sleep(20)
        // Whoever has gone withdraws in the background: until the store has heard of that, b may pass with him.
        const isAlone = a.unsafePoll() !== null && store.underWay === 0
        const b = yield* fork("b", arrive)
        yield* ended(a)
        yield* Effect.repeat(Effect.sleep(20), { until: () => isDecided(store, b.unsafePoll() !== null) })
        claim(!isAlone || store.waiting === 1, "b passed with one who has gone")
        if (store.waiting === 1) {
          claim(Exit.isFailure(yield* a.await), "a passed alone")
          const c = yield* fork("c", arrive)
          same(sorted((yield* ended(b, c)).map(valueOf)), ["0", "1"], "the indices")
        }
        claim(valueOf(yield* b.await) !== "broken", "b was broken")
        inTime()
        store.check()
        yield* rest
      })
  }),
  ...both({
    primitive,
    name: "whoever is interrupted breaks the barrier if that was chosen: the other passes, or is told",
    models: ["taskOrder", "elastic"],
    options: { interrupt: ["a"] },
    scenario: (library, inTime) =>
      Effect.gen(function* () {
        const { arrive, rest, store } = yield* make(library, { onInterrupt: "break" })
        const a = yield* fork("a", arrive)
        // Its withdrawal may overtake it: then the store answers that first, and is broken when a arrives.
        const hasArrived = () => store.waiting > 0 || store.parties.isBroken("barrier:x")
        const isGone = () => a.unsafePoll() !== null && store.underWay === 0
        yield* Effect.repeat(Effect.yieldNow(), { until: () => hasArrived() || isGone() })
        if (!hasArrived()) {
          claim(store.count("arrive") === 0, "a came and went, and nothing is broken")
          return yield* rest
        }
        const b = yield* fork("b", arrive)
        const [first, second] = (yield* ended(a, b)).map(valueOf)
        const hasPassed = second === 1 && (first === 0 || first === "gone")
        claim(hasPassed || second === "broken", `${first} and ${second}`)
        inTime()
        yield* rest
      })
  }),
  ...both({
    primitive,
    name: "an arrival, or a question, whose answer is lost is put again, and counts once",
    models: ["taskOrder", "elastic"],
    scenario: (library, inTime) =>
      Effect.gen(function* () {
        const one = yield* make(library)
        const other = yield* make(library, {}, one.store)
        one.store.failures = ["unanswered"]
        const a = yield* fork("a", one.arrive)
        const b = yield* fork("b", other.arrive)
        same(sorted((yield* ended(a, b)).map(valueOf)), ["0", "1"], "the indices")
        inTime()
        one.store.check()
        yield* one.rest
      })
  }),
  {
    primitive,
    name: "a question that fails when all have passed is put again, long before the poll",
    models: ["taskOrder"],
    scenario: (library) =>
      Effect.gen(function* () {
        const one = yield* make(library)
        const other = yield* make(library, {}, new SlowParties(one.store.parties))
        const a = yield* fork("a", one.arrive)
        yield* Effect.repeat(Effect.yieldNow(), { until: () => one.store.count("renew") > 0 })
        one.store.failures = ["lost"]
        const b = yield* fork("b", other.arrive)
        same((yield* ended(a, b)).map(valueOf), [0, 1], "the indices")
        inTime()
        yield* one.rest
      })
  },
  {
    primitive,
    name: "if messages are lost, those who wait ask by themselves",
    models: ["taskOrder"],
    scenario: (library) =>
      Effect.gen(function* () {
        const one = yield* make(library, { poll: 40 })
        one.store.isDeaf = true
        const other = yield* make(library, {}, one.store)
        const a = yield* fork("a", one.arrive)
        yield* Effect.repeat(Effect.yieldNow(), { until: () => one.store.count("renew") > 0 })
        const b = yield* fork("b", other.arrive)
        yield* ended(a, b)
        inTime(200)
        yield* one.rest
      })
  },
  {
    primitive,
    name: "a party that is not heard of any more breaks the barrier when its lease ends, for those who wait and those who come",
    models: ["taskOrder"],
    scenario: (library) =>
      Effect.gen(function* () {
        const options = { parties: 3, lease: 300, poll: 40 }
        const dead = yield* make(library, options)
        const living = yield* make(library, options, new SlowParties(dead.store.parties))
        const gone = yield* fork("gone", dead.arrive)
        yield* Effect.repeat(Effect.yieldNow(), { until: () => dead.store.count("renew") > 0 })
        dead.store.isDead = true
        const a = yield* fork("a", living.arrive)
        same((yield* ended(a)).map(valueOf), ["broken"], "those who wait")
        claim(performance.now() >= 300 && performance.now() < 500, `it was told at ${performance.now()}`)
        same(yield* living.arrive, "broken", "those who come")
        gone.unsafeInterruptAsFork(gone.id())
        yield* ended(gone)
        same(living.view.stats(), { waiting: 0 }, "stats")
      })
  },
  {
    primitive,
    name: "whoever waits for a store that does not answer any more is told by his own clock",
    models: ["taskOrder"],
    scenario: (library) =>
      Effect.gen(function* () {
        const { barrier, rest, store } = yield* make(library, { lease: 300, poll: 40 })
        const a = yield* fork("a", Effect.flip(barrier.wait("x")))
        yield* Effect.repeat(Effect.yieldNow(), { until: () => store.count("renew") > 0 })
        store.failures = Array.from({ length: 100 }, () => "lost" as const)
        const [exit] = yield* ended(a)
        same((valueOf(exit!) as { _tag?: string })._tag, "LeaseLost", "the error")
        claim(performance.now() >= 300 && performance.now() < 400, `it was told at ${performance.now()}`)
        yield* rest
      })
  },
  {
    primitive,
    name: "fibers and async functions meet at one barrier, and nothing is left, whoever is interrupted",
    models: ["taskOrder", "aggressive"],
    options: { interrupt: ["fiber"] },
    scenario: (library) => async (tasks) => {
      let made: Effect.Effect.Success<ReturnType<typeof make>> | undefined
      await settled(
        tasks.fork(
          "begin",
          Effect.map(make(library), (it) => void (made = it))
        )
      )
      if (made === undefined) return
      const { arrive, rest, store, view } = made
      const fiber = tasks.fork("fiber", arrive)
      let isOver = false
      const task = tasks.spawn("task", ({ signal }) => view.wait("x", { signal }).finally(() => (isOver = true)))
      const [result] = await settled<unknown>(fiber)
      if (result!.status === "rejected") {
        do await new Promise((resolve) => setTimeout(resolve, 20))
        while (!isDecided(store, isOver))
        if (store.waiting === 1) await settled(tasks.fork("instead", arrive))
      }
      await settled<unknown>(task)
      store.check()
      await tasks.fork("rest", rest)
    }
  },
  {
    primitive,
    name: "promises: whoever is aborted withdraws, the others pass, and nothing is left",
    models: ["taskOrder"],
    options: { interrupt: ["a"] },
    scenario:
      ({ promiseDistributed: { DistributedBarrier } }) =>
      async (tasks) => {
        const parties = new MemoryParties({ now: () => performance.now() })
        const barrier = new DistributedBarrier(slowly(parties), { parties: 2, poll: longPoll, lease: 4 * longPoll })
        const use = (name: string) => tasks.spawn(name, ({ signal }) => barrier.wait("x", { signal }))
        const a = use("a")
        const b = use("b")
        const [result] = await settled(a)
        await new Promise((resolve) => setTimeout(resolve, 5))
        if (result!.status === "rejected" && barrier.stats().waiting > 0) await barrier.wait("x")
        await settled(b)
        await new Promise((resolve) => setTimeout(resolve, 5))
        same(barrier.stats(), { waiting: 0 }, "stats")
        same(parties.watched, 0, "what is watched")
        parties.check()
        inTime()
      }
  }
]
