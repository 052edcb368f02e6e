import { Effect } from "effect"
import type { Explored, Library } from "./scenario.js"
import { between, claim, ended, fork, pause, same, settled } from "./tools.js"

const primitive = "CircuitBreaker"

/** A breaker that is half open, and stays so: what fails there opens it for no time at all. */
const halfOpen = ({ effect, promise }: Library, sample: number) => {
  const breaker = effect.CircuitBreaker.makeUnsafe({
    trip: { kind: "consecutive", failures: 1 },
    halfOpen: { after: 0, sample }
  })
  const view = promise.CircuitBreaker.from(breaker)
  view.trip(0)
  let inside = 0
  let failures = 0
  const enter = () => claim(++inside <= sample, `${inside} are let through, of a sample of ${sample}`)
  const leave = () => void inside--
  const fail = () => {
    failures++
    return new Error("no")
  }
  const probe = Effect.ignore(breaker.protect(Effect.zipRight(between(enter, pause, leave), Effect.failSync(fail))))
  const atRest = () => {
    const { opened, retryAfter } = view.stats()
    same([inside, view.state, retryAfter], [0, "halfOpen", 0], "inside, state, and when one is let through")
    // Once by hand. (A fiber that is interrupted in the step in which it fails was interrupted.)
    claim(opened - 1 <= failures, `${failures} failed, and it opened ${opened} times`)
  }
  return { breaker, view, enter, leave, fail, probe, atRest }
}

type Made = ReturnType<typeof halfOpen>

const probes = async (
  { enter, fail, leave, view }: Made,
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
        throw fail()
      },
      { signal }
    )
  } catch (error) {
    if ((error as { _tag?: string })._tag !== "CircuitOpen" && (error as Error).message !== "no") throw error
  }
}

export const scenarios: ReadonlyArray<Explored> = [
  {
    primitive,
    name: "half open, no more run than the sample, and each place is free again, whoever is interrupted",
    options: { interrupt: true },
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, probe } = halfOpen(library, 1)
        yield* ended(yield* fork("a", probe), yield* fork("b", probe), yield* fork("c", probe))
        atRest()
      })
  },
  {
    primitive,
    name: "what began before it was opened does not close it, whenever it ends",
    scenario: (library) =>
      Effect.gen(function* () {
        const { breaker } = halfOpen(library, 1)
        yield* breaker.reset
        const slow = yield* fork("slow", Effect.ignore(breaker.protect(pause)))
        const slower = yield* fork("slower", Effect.ignore(breaker.protect(Effect.zipRight(pause, pause))))
        const tripper = yield* fork("tripper", breaker.trip(Infinity))
        yield* ended(slow, slower, tripper)
        same((yield* breaker.stats).retryAfter, null, "when one is let through")
        same(yield* breaker.state, "open", "its state")
      })
  },
  {
    primitive,
    name: "a sample that all succeed in closes it, and a call that failed before it was reset opens it never",
    scenario: (library) =>
      Effect.gen(function* () {
        const { breaker } = halfOpen(library, 2)
        const good = Effect.ignore(breaker.protect(pause))
        const [a, b] = [yield* fork("a", good), yield* fork("b", good)]
        yield* ended(a, b)
        same(yield* breaker.state, "closed", "its state after the sample")
        const bad = yield* fork("bad", Effect.ignore(breaker.protect(Effect.zipRight(pause, Effect.fail("no")))))
        let ran = 0
        const resetter = yield* fork(
          "resetter",
          Effect.zipRight(breaker.reset, Effect.ignore(breaker.protect(Effect.sync(() => void ran++))))
        )
        yield* ended(bad, resetter)
        const { opened } = yield* breaker.stats
        // After the reset, the bad one counts only if it began then; and the other was refused only if it had ended by then.
        claim(opened <= 2, `it opened ${opened} times`)
        claim(ran === 1 || opened === 2, "somebody was refused, and nothing had opened it")
      })
  },
  {
    primitive,
    name: "promises: half open, no more run than the sample, and each place is free again, whoever is aborted",
    models: ["taskOrder"],
    options: { interrupt: true },
    scenario: (library) => async (tasks) => {
      const made = halfOpen(library, 1)
      const probe = (name: string) => tasks.spawn(name, ({ signal, step }) => probes(made, signal, step))
      await settled(probe("a"), probe("b"), probe("c"))
      made.atRest()
    }
  },
  {
    primitive,
    name: "promises: who is told of the changes misses none, and each begins where the one before has ended",
    models: ["taskOrder"],
    scenario:
      ({ promise }) =>
      async (tasks) => {
        const changes: Array<readonly [from: string, to: string]> = []
        const breaker = new promise.CircuitBreaker({
          trip: { kind: "consecutive", failures: 1 },
          halfOpen: { after: 0 },
          onStateChange: ({ from, to }) => void changes.push([from, to])
        })
        const trip = (name: string) =>
          tasks.spawn(name, async ({ step }) => {
            await step()
            breaker.trip(0)
          })
        const call = tasks.spawn("call", ({ step }) => breaker.run(() => step("inside")))
        await settled<void>(trip("a"), trip("b"), call)
        let before = "closed"
        for (const [from, to] of changes) {
          same(from, before, "where a change begins")
          before = to
        }
        same(changes.filter(([, to]) => to === "open").length, breaker.stats().opened, "how often it opened")
      }
  },
  {
    primitive,
    name: "fibers and async functions share the sample, and each place is free again, whoever is interrupted",
    models: ["taskOrder", "aggressive"],
    options: { interrupt: true },
    scenario: (library) => async (tasks) => {
      const made = halfOpen(library, 1)
      const task = tasks.spawn("task", ({ signal, step }) => probes(made, signal, step))
      await settled<unknown>(tasks.fork("fiber", made.probe), task, tasks.fork("another fiber", made.probe))
      made.atRest()
    }
  }
]
