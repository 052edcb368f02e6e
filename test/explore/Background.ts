import { Cause, Chunk, Effect } from "effect"
import type { Explored, Library } from "./scenario.js"
import { claim, ended, fork, pause, same, settled } from "./tools.js"

const primitive = "Background"

interface Options {
  readonly concurrency?: number
  readonly backlog?: number
  readonly onClose?: "interrupt" | "drain"
}

/** A registry that counts what it reports, and what runs in it. */
const make = ({ effect, promise }: Library, options: Options = {}) => {
  const counts = { running: 0, peak: 0, ended: 0, reported: 0 }
  const background = effect.Background.makeUnsafe({
    ...options,
    onError: () => Effect.map(pause, () => counts.reported++)
  })
  const view = promise.Background.from(background)
  const leave = () => {
    counts.running--
    counts.ended++
  }
  const enter = () => {
    counts.peak = Math.max(counts.peak, ++counts.running)
  }
  const work = Effect.acquireUseRelease(
    Effect.sync(enter),
    () => pause,
    () => Effect.sync(leave)
  )
  const atRest = () => {
    same([view.size, counts.running], [0, 0], "at rest")
    const { semaphore, waiting } = background["~effect-concurrency/Background"]
    same([semaphore?.taken ?? 0, semaphore?.waiting.size ?? 0, waiting.size], [0, 0, 0], "permits, and who waits")
  }
  return { background, view, counts, enter, leave, work, atRest }
}

/** One runs, one runs what fails, and all are cancelled. Gives how many have failed, and of how many somebody was told. */
const runAndFail = (library: Library) =>
  Effect.gen(function* () {
    const { atRest, background, counts, view, work } = make(library, { concurrency: 1 })
    let heard = 0
    let mine = 0
    const track = Effect.acquireUseRelease(
      Effect.sync(() => mine++),
      () => work,
      () => Effect.sync(() => mine--)
    )
    const runs = yield* fork(
      "runs",
      Effect.onExit(Effect.ignore(background.run(track)), () => Effect.sync(() => same(mine, 0, "work is left")))
    )
    const fails = yield* fork(
      "fails",
      Effect.ignore(
        Effect.onExit(background.run(Effect.zipRight(pause, Effect.fail("oops"))), (exit) =>
          Effect.sync(() => {
            if (exit._tag === "Failure" && Chunk.contains(Cause.failures<unknown>(exit.cause), "oops")) heard++
          })
        )
      )
    )
    const all = yield* fork("all", background.cancelAll)
    const exits = yield* ended<unknown>(runs, fails, all)
    yield* background.awaitEmpty
    atRest()
    claim(counts.peak <= 1, `${counts.peak} ran at a time`)
    const interrupted = exits[1]!._tag === "Failure"
    return { failed: view.stats().failed, told: heard + counts.reported, interrupted }
  })

export const scenarios: ReadonlyArray<Explored> = [
  {
    primitive,
    name: "what was started ends, and it is empty only then, whoever is interrupted",
    options: { interrupt: true },
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, background, counts, view, work } = make(library)
        const a = yield* fork("a", background.fireAndForget(work))
        const b = yield* fork(
          "b",
          Effect.flatMap(background.start(work), (task) => task.await)
        )
        const empty = yield* fork(
          "empty",
          Effect.zipRight(
            background.awaitEmpty,
            Effect.sync(() => counts.running)
          )
        )
        yield* ended<unknown>(a, b, empty)
        yield* background.awaitEmpty
        atRest()
        same(view.stats().succeeded, counts.ended, "tasks that ended")
      })
  },
  {
    primitive,
    name: "no more run at a time than may; no permit is lost, whoever is cancelled or interrupted",
    options: { interrupt: true },
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, background, counts, work } = make(library, { concurrency: 1 })
        const user = Effect.flatMap(background.start(work), (task) => task.cancel())
        const a = yield* fork("a", Effect.asVoid(background.start(work)))
        const b = yield* fork("b", Effect.asVoid(user))
        yield* ended<unknown>(a, b)
        yield* background.fireAndForget(work)
        yield* background.awaitEmpty
        atRest()
        claim(counts.peak <= 1, `${counts.peak} ran at a time`)
      })
  },
  {
    primitive,
    name: "a failure is reported once, before it is empty",
    options: { interrupt: true },
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, background, counts, view } = make(library)
        const failing = Effect.zipRight(pause, Effect.fail("oops"))
        const a = yield* fork("a", background.fireAndForget(failing))
        const b = yield* fork("b", background.fireAndForget(failing))
        yield* ended<unknown>(a, b)
        yield* background.awaitEmpty
        atRest()
        same(counts.reported, view.stats().failed, "reports")
      })
  },
  {
    primitive,
    name: "what a race leaves behind is reported once, before a closing has ended that comes after it, whoever is interrupted",
    options: { interrupt: ["race"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, background, counts, view } = make(library)
        const failing = yield* background.start(Effect.fail("oops"))
        const race = yield* fork("race", library.effect.Wait.firstSuccess([failing, pause]))
        yield* ended<unknown>(race)
        yield* background.close
        atRest()
        same(counts.reported, view.stats().failed, "reports")
      })
  },
  {
    primitive,
    name: "cancelAll and close, at any moment: everything ends, nothing is started later, nobody is left waiting",
    options: { interrupt: ["starter", "all"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, background, view, work } = make(library, { concurrency: 1 })
        yield* background.fireAndForget(Effect.never)
        const starter = yield* fork("starter", Effect.exit(background.fireAndForget(work)))
        const all = yield* fork("all", background.cancelAll)
        const close = yield* fork("close", Effect.zipRight(pause, background.close))
        yield* ended<unknown>(starter, all, close)
        atRest()
        same((yield* Effect.exit(background.start(work)))._tag, "Failure", "a start after the end")
        same(view.stats().isClosed, true, "it is closed")
      })
  },
  {
    primitive,
    name: "draining waits for all that was taken",
    options: { interrupt: ["starter"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, background, counts, view, work } = make(library, { concurrency: 1, onClose: "drain" })
        yield* background.fireAndForget(work)
        const starter = yield* fork("starter", Effect.exit(background.fireAndForget(work)))
        const close = yield* fork("close", background.close)
        yield* ended<unknown>(starter, close)
        yield* background.awaitEmpty
        atRest()
        same([counts.ended, view.stats().cancelled], [view.stats().succeeded, 0], "tasks that ended")
      })
  },
  {
    primitive,
    name: "whoever tries to start has a task if there is room, and no permit is lost",
    options: { interrupt: true },
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, background, counts, view, work } = make(library, { concurrency: 1, backlog: 0 })
        const user = Effect.flatMap(background.tryStart(work), (task) =>
          task._tag === "Some" ? task.value.cancel() : Effect.succeed(false)
        )
        const a = yield* fork("a", Effect.asVoid(background.tryStart(work)))
        const b = yield* fork("b", Effect.asVoid(user))
        const close = yield* fork("close", Effect.asVoid(background.close))
        yield* ended<unknown>(a, b, close)
        yield* background.awaitEmpty
        atRest()
        claim(counts.peak <= 1, `${counts.peak} ran at a time`)
        same(view.stats().failed, 0, "failures")
      })
  },
  {
    primitive,
    name: "who runs has ended when the work has, and a failure is heard or reported, whoever is interrupted or cancelled",
    options: { interrupt: ["runs", "fails"] },
    // In the other, Effect itself drops a failure that is interrupted in its own step.
    models: ["taskOrder", "elastic"],
    scenario: (library) => Effect.map(runAndFail(library), ({ failed, told }) => same(told, failed, "failures told"))
  },
  {
    primitive,
    name: "who runs has ended when the work has, and no failure is told twice, whoever is interrupted or cancelled",
    options: { interrupt: ["runs", "fails"] },
    models: ["aggressive"],
    scenario: (library) =>
      Effect.map(runAndFail(library), ({ failed, interrupted, told }) => {
        if (interrupted) claim(told <= failed, `${told} of ${failed} failures told`)
        else same(told, failed, "failures told")
      })
  },
  {
    primitive,
    name: "what `run` fails with is its caller's, and nobody else is told, however late he goes on",
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, background, counts } = make(library)
        const fails = yield* fork("fails", Effect.exit(background.run(Effect.fail("oops"))))
        const exit = (yield* ended(fails))[0]!
        yield* background.awaitEmpty
        atRest()
        claim(exit._tag === "Success" && exit.value._tag === "Failure", "its caller did not hear of it")
        same(counts.reported, 0, "reports")
      })
  },
  {
    primitive,
    name: "closed by two, it ends for both, and nothing is given up while there is time",
    options: { interrupt: ["starter"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, background, counts, view, work } = make(library, { onClose: "drain" })
        const starter = yield* fork("starter", Effect.asVoid(background.tryStart(work)))
        const a = yield* fork("a", background.close)
        const b = yield* fork("b", background.close)
        for (const exit of yield* ended<unknown>(starter, a, b)) {
          if (exit._tag === "Success" && exit.value !== undefined) same(exit.value, [], "what was given up")
        }
        atRest()
        same([counts.reported, view.stats().cancelled, view.stats().isClosed], [0, 0, true], "reports")
      })
  },
  {
    primitive,
    name: "promises: who runs gets the value or the reason of the abort, and who tries to start has a task or none",
    models: ["taskOrder"],
    options: { interrupt: true },
    scenario:
      ({ promise }) =>
      async (tasks) => {
        let [running, started, failures] = [0, 0, 0]
        const background = new promise.Background({ concurrency: 1, backlog: 0, onError: () => void failures++ })
        const work = (step: (label: string) => PromiseLike<void>) => async () => {
          claim(++running === 1, `${running} run`)
          await step("inside")
          running--
          return 42
        }
        await settled<unknown>(
          tasks.spawn("runs", async ({ signal, step }) => {
            const result = await background.run(work(step), { signal }).catch((error) => {
              if (error._tag !== "BackgroundFull") throw error
              return 42
            })
            same(result, 42, "the value")
          }),
          ...["a", "b"].map((name) =>
            tasks.spawn(name, async ({ step }) => {
              if (background.tryStart(work(step)) !== undefined) started++
              await step("has tried")
            })
          )
        )
        await background.close()
        const { failed, queued, size, succeeded } = background.stats()
        same([size, queued, running, failures, failed], [0, 0, 0, 0, 0], "at rest")
        claim(succeeded >= started - 1, `${succeeded} of ${started} succeeded`)
      }
  },
  {
    primitive,
    name: "promises: no more run than may, every failure is reported, and it is empty in the end, whoever is aborted",
    models: ["taskOrder"],
    options: { interrupt: true },
    scenario:
      ({ promise }) =>
      async (tasks) => {
        let [running, failures] = [0, 0]
        const background = new promise.Background({ concurrency: 1, onError: () => void failures++ })
        const start = (name: string, fails: boolean) =>
          tasks.spawn(name, async ({ signal, step }) => {
            await background.start(
              async () => {
                claim(++running === 1, `${running} run`)
                await step("inside")
                running--
                if (fails) throw new Error("oops")
              },
              { signal, name }
            )
          })
        await settled<unknown>(
          start("a", false),
          start("b", true).catch((error) => {
            if (error.message !== "oops") throw error
          }),
          tasks.spawn("c", async () => background.fireAndForget(() => Promise.reject("oops")))
        )
        await background.close()
        same([background.size, running], [0, 0], "at rest")
        const { failed } = background.stats()
        claim(failures <= failed && failures >= failed - 1, `${failures} of ${failed} reported`)
      }
  },
  {
    primitive,
    name: "fibers and async functions start there, and one of each kind waits until it is empty",
    models: ["taskOrder", "aggressive"],
    options: { interrupt: true },
    scenario: (library) => async (tasks) => {
      const { atRest, background, counts, enter, leave, view, work } = make(library, { concurrency: 1 })
      await settled<unknown>(
        tasks.fork("fiber", Effect.asVoid(background.fireAndForget(work))),
        tasks.spawn("function", async ({ step }) => {
          await view.start(async () => {
            enter()
            await step("inside")
            leave()
          })
        }),
        tasks.fork("waits", background.awaitEmpty)
      )
      await view.awaitEmpty()
      atRest()
      claim(counts.peak <= 1, `${counts.peak} ran at a time`)
    }
  }
]
