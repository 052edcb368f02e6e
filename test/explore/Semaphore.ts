import { Effect, Exit } from "effect"
import * as models from "../testing/models.js"
import type { Explored, Library } from "./scenario.js"
import { between, claim, ended, fork, judge, pause, Recording, same, settled } from "./tools.js"

const primitive = "Semaphore"

const make = ({ effect, promise }: Library, options: Parameters<Library["effect"]["Semaphore"]["makeUnsafe"]>[0]) => {
  const semaphore = effect.Semaphore.makeUnsafe(options)
  const view = promise.Semaphore.from(semaphore)
  const { capacity } = view.stats()
  let inside = 0
  /** Is inside with so many permits for a while. */
  const use = (permits: number) =>
    between(
      () => {
        inside += permits
        claim(inside <= capacity, `${inside} permits of ${capacity} are out`)
      },
      pause,
      () => (inside -= permits)
    )
  const atRest = () => same(view.stats(), { capacity, inUse: 0, waiting: 0 }, "at rest")
  return { semaphore, view, use, atRest }
}

const history = (
  library: Library,
  options: Parameters<typeof make>[1],
  judgement: ReturnType<typeof judge>,
  scenario: (
    made: ReturnType<typeof make>,
    recording: Recording,
    takes: (who: string, permits: number, priority?: number) => Effect.Effect<void>
  ) => Effect.Effect<unknown, unknown>
) =>
  Effect.suspend(() => {
    const made = make(library, options)
    const { semaphore, view } = made
    const recording = new Recording(judgement, () => view.stats().waiting)
    /** Takes, and gives back what it was granted, if it was. */
    const takes = (who: string, permits: number, priority?: number) =>
      recording
        .wait(
          who,
          priority === undefined ? ["take", permits] : ["take", permits, priority],
          semaphore.take(permits, priority === undefined ? undefined : { priority })
        )
        .pipe(
          Effect.zipRight(pause),
          Effect.zipRight(recording.call(who, ["release", permits], semaphore.release(permits)))
        )
    return Effect.zipRight(
      scenario(made, recording, (...args) => Effect.asVoid(takes(...args))),
      Effect.sync(() => recording.check())
    )
  })

const fifo = judge(models.semaphore(2))
const one = judge(models.semaphore(1))
const throughput = judge(models.semaphore(2, "throughput"))
const asPromises = judge(models.semaphore(2))

export const scenarios: ReadonlyArray<Explored> = [
  {
    primitive,
    name: "no more permits are out than there are, and all come back, whoever is interrupted",
    options: { interrupt: true },
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, semaphore, use } = make(library, 2)
        const a = yield* fork("a", semaphore.withPermit(use(1)))
        const b = yield* fork("b", semaphore.withPermits(2)(use(2)))
        const c = yield* fork("c", semaphore.withPermit(use(1)))
        yield* ended(a, b, c)
        atRest()
      })
  },
  {
    primitive,
    name: "what was granted to one who is interrupted goes to the next",
    options: { interrupt: ["first"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, semaphore, use } = make(library, 1)
        const holder = yield* fork("holder", semaphore.withPermit(use(1)))
        const first = yield* fork("first", semaphore.withPermit(use(1)))
        const next = yield* fork("next", semaphore.withPermit(use(1)))
        yield* ended(holder, first)
        claim(Exit.isSuccess(yield* next.await), "the next did not get it")
        atRest()
      })
  },
  {
    primitive,
    name: "a wait that a sibling interrupts leaves the line, and keeps nobody behind it waiting",
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, semaphore, use } = make(library, 2)
        const large = yield* fork(
          "large",
          Effect.zipRight(semaphore.withPermit(use(1)), semaphore.withPermits(2)(use(2)))
        )
        const small = yield* fork("small", semaphore.withPermit(use(1)))
        const killer = yield* fork("killer", Effect.zipRight(pause, Effect.asVoid(large.interruptAsFork(large.id()))))
        yield* ended(large, killer)
        claim(Exit.isSuccess(yield* small.await), "the small one did not get its permit")
        atRest()
      })
  },
  {
    primitive,
    name: "requests are granted in order of arrival, whatever their weight, and tryTake overtakes nobody",
    scenario: (library) =>
      history(library, 2, fifo, ({ atRest, semaphore }, recording, takes) =>
        Effect.gen(function* () {
          const a = yield* fork("a", takes("a", 1))
          const b = yield* fork("b", takes("b", 2))
          const c = yield* fork(
            "c",
            Effect.flatMap(recording.call("c", ["tryTake", 1], semaphore.tryTake(1)), (took) =>
              took ? Effect.asVoid(recording.call("c", ["release", 1], semaphore.release(1))) : takes("c", 1)
            )
          )
          yield* ended(a, b, c)
          atRest()
        })
      )
  },
  {
    primitive,
    name: "a higher priority goes first, and among equals the first",
    scenario: (library) =>
      history(library, 1, one, ({ atRest }, _, takes) =>
        Effect.gen(function* () {
          const holder = yield* fork("holder", takes("holder", 1))
          const low = yield* fork("low", takes("low", 1, 0))
          const high = yield* fork("high", takes("high", 1, 1))
          const high2 = yield* fork("high too", takes("high too", 1, 1))
          yield* ended(holder, low, high, high2)
          atRest()
        })
      )
  },
  {
    primitive,
    name: "with throughput whoever fits is granted",
    scenario: (library) =>
      history(library, { permits: 2, fairness: "throughput" }, throughput, ({ atRest }, _, takes) =>
        Effect.gen(function* () {
          const a = yield* fork("a", takes("a", 1))
          const b = yield* fork("b", takes("b", 2))
          const c = yield* fork("c", takes("c", 1))
          yield* ended(a, b, c)
          atRest()
        })
      )
  },
  {
    primitive,
    name: "resize grants what fits now, and refuses what cannot be any more",
    scenario: (library) =>
      history(library, 2, fifo, ({ semaphore, view }, recording, takes) =>
        Effect.gen(function* () {
          const a = yield* fork("a", Effect.exit(takes("a", 2)))
          const b = yield* fork("b", Effect.exit(takes("b", 1)))
          const resizer = yield* fork(
            "resizer",
            recording
              .call("resizer", ["resize", 1], semaphore.resize(1))
              .pipe(
                Effect.zipRight(pause),
                Effect.zipRight(recording.call("resizer", ["resize", 3], semaphore.resize(3)))
              )
          )
          yield* ended<unknown>(a, b, resizer)
          same(view.stats(), { capacity: 3, inUse: 0, waiting: 0 }, "at rest")
        })
      )
  },
  {
    primitive,
    name: "after releaseAll nobody gives back what he does not hold any more",
    options: { interrupt: true },
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, semaphore } = make(library, 2)
        const a = yield* fork("a", semaphore.withPermits(2)(pause))
        const b = yield* fork("b", semaphore.withPermit(pause))
        const all = yield* fork("all", Effect.zipRight(pause, semaphore.releaseAll))
        yield* ended<unknown>(a, b, all)
        atRest()
      })
  },
  {
    primitive,
    name: "permits for a scope, and those that are only taken if available, come back",
    options: { interrupt: true },
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, semaphore, use } = make(library, 2)
        const a = yield* fork("a", Effect.scoped(Effect.zipRight(semaphore.acquire(2), use(2))))
        const b = yield* fork("b", semaphore.withPermitsIfAvailable(1)(use(1)))
        const c = yield* fork("c", Effect.scoped(Effect.zipRight(semaphore.acquire(1), use(1))))
        yield* ended<unknown>(a, b, c)
        atRest()
      })
  },
  {
    primitive,
    name: "promises: no more are out than there are, and all come back, whoever is aborted",
    models: ["taskOrder"],
    options: { interrupt: true },
    scenario:
      ({ promise }) =>
      async (tasks) => {
        const semaphore = new promise.Semaphore(2)
        let inside = 0
        const run = (name: string, permits: number) =>
          tasks.spawn(name, ({ signal, step }) =>
            semaphore.run(
              async () => {
                inside += permits
                claim(inside <= 2, `${inside} permits of 2 are out`)
                await step("inside")
                inside -= permits
              },
              { permits, signal }
            )
          )
        await settled(run("a", 1), run("b", 2), run("c", 1))
        same(semaphore.stats(), { capacity: 2, inUse: 0, waiting: 0 }, "at rest")
      }
  },
  {
    primitive,
    name: "promises: requests are granted in order of arrival, whatever their weight",
    models: ["taskOrder"],
    scenario:
      ({ promise }) =>
      async (tasks) => {
        const semaphore = new promise.Semaphore(2)
        const { recorder } = new Recording(asPromises, () => 0)
        const takes = (who: string, permits: number) =>
          tasks.spawn(who, async ({ step }) => {
            await recorder.promise(who, ["take", permits], () => semaphore.take(permits))
            await step("inside")
            recorder.sync(who, ["release", permits], () => semaphore.release(permits))
          })
        const tries = tasks.spawn("d", async ({ step }) => {
          await step()
          if (recorder.sync("d", ["tryTake", 1], () => semaphore.tryTake(1)))
            recorder.sync("d", ["release", 1], () => semaphore.release(1))
        })
        await settled(takes("a", 1), takes("b", 2), takes("c", 1), tries)
        asPromises(recorder.historyAtRest)
      }
  },
  {
    primitive,
    name: "fibers and async functions share the permits, and all come back, whoever is interrupted",
    models: ["taskOrder", "aggressive"],
    options: { interrupt: true },
    scenario: (library) => async (tasks) => {
      const { atRest, semaphore, use, view } = make(library, 1)
      const fiber = (name: string) => tasks.fork(name, semaphore.withPermit(use(1)))
      let inside = 0
      const task = (name: string) =>
        tasks.spawn(name, ({ signal, step }) =>
          view.run(
            async () => {
              claim(++inside === 1, "two are inside")
              await step("inside")
              inside--
            },
            { signal }
          )
        )
      await settled(fiber("fiber"), task("task"), fiber("another fiber"))
      atRest()
    }
  }
]
