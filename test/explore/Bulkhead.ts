import { Effect, Exit } from "effect"
import type { Explored, Library } from "./scenario.js"
import { between, claim, ended, fork, pause, same, settled } from "./tools.js"

const primitive = "Bulkhead"

const make = ({ effect, promise }: Library, permits: number, backlog: number) => {
  const bulkhead = effect.Bulkhead.makeUnsafe({ permits, backlog })
  const view = promise.Bulkhead.from(bulkhead)
  let inside = 0
  const counts = { ran: 0, refused: 0 }
  const enter = () => {
    claim(++inside <= permits, `${inside} are inside, of at most ${permits}`)
    claim(view.stats().waiting <= backlog, `${view.stats().waiting} wait, of at most ${backlog}`)
  }
  const leave = () => void inside--
  /** Is inside for a while, or is refused. */
  const visit = Effect.matchEffect(bulkhead.protect(between(enter, pause, leave)), {
    onFailure: () => Effect.sync(() => void counts.refused++),
    onSuccess: () => Effect.sync(() => void counts.ran++)
  })
  const atRest = () => {
    const { inUse, waiting } = view.stats()
    same([inUse, waiting, inside], [0, 0, 0], "at rest")
  }
  return { bulkhead, view, enter, leave, counts, visit, atRest }
}

/** Is inside for a while, or is refused. */
const visits = async (
  { counts, enter, leave, view }: ReturnType<typeof make>,
  signal: AbortSignal,
  step: (what: string) => Promise<void>
): Promise<void> => {
  try {
    await view.run(
      async () => {
        enter()
        try {
          await step("inside")
        } finally {
          leave()
        }
      },
      { signal }
    )
    counts.ran++
  } catch (error) {
    if ((error as { _tag?: string })._tag !== "BulkheadFull") throw error
    counts.refused++
  }
}

export const scenarios: ReadonlyArray<Explored> = [
  {
    primitive,
    name: "no more are inside than there are permits, no more wait than may, and all places come back, whoever is interrupted",
    options: { interrupt: true },
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, counts, visit } = make(library, 1, 1)
        const fibers = [yield* fork("a", visit), yield* fork("b", visit), yield* fork("c", visit)]
        yield* ended(...fibers)
        claim(counts.refused <= 1, `${counts.refused} were refused, and there are places for two`)
        atRest()
      })
  },
  {
    primitive,
    name: "whoever is accepted runs, and as many are refused as have no place",
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, counts, visit } = make(library, 1, 1)
        const fibers = [yield* fork("a", visit), yield* fork("b", visit), yield* fork("c", visit)]
        yield* ended(...fibers)
        same(counts.ran + counts.refused, 3, "who ran, and who was refused")
        claim(counts.refused <= 1, `${counts.refused} were refused, and there are places for two`)
        atRest()
      })
  },
  {
    primitive,
    name: "who is interrupted while he waits leaves his place to the next",
    options: { interrupt: ["victim"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, bulkhead, visit } = make(library, 1, 1)
        const holder = yield* fork("holder", visit)
        const victim = yield* fork("victim", visit)
        const next = yield* fork("next", Effect.zipRight(victim.await, bulkhead.protect(pause)))
        yield* ended(holder, victim)
        claim(Exit.isSuccess(yield* next.await), "the next was refused")
        atRest()
      })
  },
  {
    primitive,
    name: "promises: no more are inside than there are permits, and all places come back, whoever is aborted",
    models: ["taskOrder"],
    options: { interrupt: true },
    scenario: (library) => async (tasks) => {
      const made = make(library, 1, 1)
      const visit = (name: string) => tasks.spawn(name, ({ signal, step }) => visits(made, signal, step))
      await settled(visit("a"), visit("b"), visit("c"))
      claim(made.counts.refused <= 1, `${made.counts.refused} were refused, and there are places for two`)
      made.atRest()
    }
  },
  {
    primitive,
    name: "promises: what is aborted between its grant and its start does not start, and its permit goes on",
    models: ["taskOrder"],
    scenario:
      ({ promise }) =>
      async (tasks) => {
        // In a turn every promise goes on that can. So where in it the abort comes is not the explorer's choice: it comes everywhere.
        const rooms = Array.from({ length: 10 }, (_, steps) => {
          const bulkhead = new promise.Bulkhead({ permits: 1, backlog: 1 })
          const controller = new AbortController()
          const { signal } = controller
          const abort = async () => {
            for (let i = 0; i < steps; i++) await Promise.resolve()
            controller.abort()
          }
          return {
            hold: (over: Promise<void>) =>
              bulkhead.run(async () => {
                await over
                void abort()
              }),
            visit: () => bulkhead.run(() => claim(!signal.aborted, "it starts after its abort"), { signal }),
            atRest: () => {
              const { inUse, waiting } = bulkhead.stats()
              same([inUse, waiting], [0, 0], "at rest")
            }
          }
        })
        const holder = tasks.spawn("holder", async ({ step }) => {
          const over = step("inside")
          await Promise.all(rooms.map(({ hold }) => hold(over)))
        })
        const visitor = tasks.spawn("visitor", () => settled<void>(...rooms.map(({ visit }) => visit())))
        await settled<unknown>(holder, visitor)
        for (const { atRest } of rooms) atRest()
      }
  },
  {
    primitive,
    name: "fibers and async functions share permits and places, and all come back, whoever is interrupted",
    models: ["taskOrder", "aggressive"],
    options: { interrupt: true },
    scenario: (library) => async (tasks) => {
      const made = make(library, 1, 1)
      const task = tasks.spawn("task", ({ signal, step }) => visits(made, signal, step))
      await settled<unknown>(tasks.fork("fiber", made.visit), task, tasks.fork("another fiber", made.visit))
      claim(made.counts.refused <= 1, `${made.counts.refused} were refused, and there are places for two`)
      made.atRest()
    }
  }
]
