import { Cause, Clock, Deferred, Effect, Exit, Fiber, Logger, LogLevel, Stream } from "effect"
import type { Explored, Library } from "./scenario.js"
import { claim, ended, fork, pause, same, settled } from "./tools.js"

const primitive = "Wait"

/** Members that count how many of them run, and clean up in several steps. */
const members = () => {
  let running = 0
  const count = <A, E>(self: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.uninterruptibleMask((restore) => {
      running++
      return Effect.ensuring(
        restore(self),
        Effect.zipRight(
          pause,
          Effect.sync(() => void running--)
        )
      )
    })
  return {
    succeeds: (name: string) => count(Effect.as(pause, name)),
    fails: (name: string) => count(Effect.zipRight(pause, Effect.fail(name))),
    never: count(Effect.never),
    running: () => running,
    atRest: () => claim(running === 0, `${running} run in the end`)
  }
}

/** Time passes while others are ready, too, so it has to pass more than once until they have ended. */
const later = Effect.repeatN(Effect.sleep(1), 5)

const isInterrupted = (exit: Exit.Exit<unknown, unknown>) => Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause)

/** What fails too late is reported, which is right, and not of interest here. */
const quiet = Logger.withMinimumLogLevel(LogLevel.None)

type Losers = "interruptAndWait" | "interrupt" | "keep"

const raceOf = ({ effect: { Wait } }: Library, name: string, losers: Losers) => {
  const { fails, never, running, succeeds, atRest } = members()
  const effects = [succeeds("a"), fails("b"), never, succeeds("d")]
  const options = { losers, withIndex: true } as const
  const isOwn = ({ index, value }: { readonly index: number; readonly value: string }): void =>
    claim("abcd"[index] === value, `${value} is said to be from ${index}`)
  const race: Record<string, Effect.Effect<unknown, unknown>> = {
    firstCompleted: Effect.tap(Wait.firstCompleted(effects, options), isOwn),
    firstSuccess: Effect.tap(Wait.firstSuccess(effects, options), isOwn),
    firstN: Effect.tap(Wait.firstN(effects, 2, options), (both) => both.forEach(isOwn)),
    all: Wait.all(effects, options),
    staggered: Effect.tap(Wait.staggered(effects, 1, options), isOwn)
  }
  return { race: quiet(race[name]!), running, atRest }
}

const waited: ReadonlyArray<Explored> = ["firstCompleted", "firstSuccess", "firstN", "all", "staggered"].map(
  (name) => ({
    primitive,
    name: `${name}: it ends, and nobody runs after its end, whoever is interrupted`,
    options: { interrupt: ["caller"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, race } = raceOf(library, name, "interruptAndWait")
        const caller = yield* fork("caller", Effect.ensuring(race, Effect.sync(atRest)))
        const exit = yield* Fiber.await(caller)
        claim(
          isInterrupted(exit) ||
            Exit.isSuccess(exit) === (name !== "all" && name !== "firstCompleted") ||
            name === "firstCompleted",
          `it ended with ${String(exit)}`
        )
        if (Exit.isFailure(exit)) claim(!Cause.isDie(exit.cause), String(exit))
        atRest()
      })
  })
)

export const scenarios: ReadonlyArray<Explored> = [
  ...waited,
  {
    primitive,
    name: 'losers "interrupt": the result does not wait for them, and they end',
    options: { interrupt: ["caller"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, race } = raceOf(library, "firstSuccess", "interrupt")
        const caller = yield* fork("caller", race)
        const exit = yield* Fiber.await(caller)
        claim(isInterrupted(exit) || Exit.isSuccess(exit), String(exit))
        yield* later
        atRest()
      })
  },
  {
    primitive,
    name: 'losers "keep": they run to their end, and nobody runs for ever, whoever is interrupted',
    options: { interrupt: ["caller"] },
    scenario: ({ effect: { Wait } }) =>
      Effect.gen(function* () {
        const { atRest, succeeds } = members()
        let ended = 0
        let started = 0
        const slow = Effect.suspend(() => {
          started++
          return Effect.tap(Effect.zipRight(pause, succeeds("slow")), () => Effect.sync(() => void ended++))
        })
        const caller = yield* fork("caller", Wait.firstSuccess([succeeds("fast"), slow], { losers: "keep" }))
        const exit = yield* Fiber.await(caller)
        yield* later
        if (Exit.isSuccess(exit)) claim(ended === started, "the loser was not kept")
        atRest()
      })
  },
  {
    primitive,
    name: "an interruption in the tick of the decision, and one during the cleanup: nobody runs after it",
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, race } = raceOf(library, "firstSuccess", "interruptAndWait")
        const caller = yield* fork("caller", Effect.ensuring(race, Effect.sync(atRest)))
        yield* fork("first", Effect.zipRight(pause, Fiber.interrupt(caller)))
        yield* fork("second", Effect.zipRight(pause, Effect.zipRight(pause, Fiber.interrupt(caller))))
        yield* Fiber.await(caller)
        atRest()
      })
  },
  {
    primitive,
    name: "staggered: the next starts after the delay or a failure, never both, and never after the win",
    options: { interrupt: ["caller"] },
    scenario: ({ effect: { Wait } }) =>
      Effect.gen(function* () {
        const started: Array<string> = []
        let failures = 0
        // A fiber takes its first step when the scheduler has it: who was started later may begin sooner.
        const member = (name: string, self: Effect.Effect<string, string>) =>
          Effect.flatMap(Clock.currentTimeMillis, (now) => {
            started.push(name)
            const may = 1 + failures + Math.floor(now / 2)
            claim(started.length <= may, `${started.join()} have begun after ${now} ms and ${failures} failures`)
            return Effect.tapError(self, () => Effect.sync(() => failures++))
          })
        const caller = yield* fork(
          "caller",
          quiet(
            Wait.staggered(
              [
                member("a", Effect.zipRight(Effect.sleep(2), Effect.fail("a"))),
                member("b", Effect.zipRight(Effect.sleep(1), Effect.fail("b"))),
                member("c", Effect.as(Effect.sleep(3), "c")),
                member("d", Effect.as(Effect.sleep(3), "d"))
              ],
              2,
              { withIndex: true }
            )
          )
        )
        const exit = yield* Fiber.await(caller)
        const seen = started.join("")
        claim(new Set(seen).size === seen.length, `started ${seen}`)
        if (Exit.isFailure(exit)) claim(isInterrupted(exit), String(exit))
        else {
          const { index, value } = exit.value
          claim(seen.includes(value) && value >= "c", `${value} won, of ${seen}`)
          same("abcd"[index], value, "whose place the winner has")
        }
        yield* Effect.sleep(10)
        same(started.join(""), seen, "who was started")
      })
  },
  {
    primitive,
    name: "wait says who has ended, interrupts nobody, and can be asked again, whoever is interrupted",
    options: { interrupt: ["waiter"] },
    scenario: ({ effect: { Wait } }) =>
      Effect.gen(function* () {
        const a = yield* fork("a", Effect.as(pause, "a"))
        const b = yield* fork("b", Effect.zipRight(pause, Effect.fail("b")))
        const waiter = yield* fork(
          "waiter",
          Effect.gen(function* () {
            const first = yield* Wait.wait<Fiber.RuntimeFiber<string, string>>([a, b], {
              until: "firstCompleted",
              timeout: 5
            })
            claim(first.done.length + first.pending.length === 2, "not who has ended")
            claim(
              first.done.every((fiber) => fiber.unsafePoll() !== null),
              "one is done that runs"
            )
            const all = yield* Wait.wait<Fiber.RuntimeFiber<string, string>>([a, b])
            claim(all.done.length === 2, "all are not all")
          })
        )
        const exit = yield* Fiber.await(waiter)
        claim(Exit.isSuccess(exit) || isInterrupted(exit), String(exit))
        claim(Exit.isSuccess(yield* Fiber.await(a)) && Exit.isFailure(yield* Fiber.await(b)), "one was interrupted")
      })
  },
  {
    primitive,
    name: "firstN gives so many as were needed, each once, and the errors of too few come in start order",
    options: { interrupt: ["few"] },
    scenario: ({ effect: { Wait } }) =>
      Effect.gen(function* () {
        const [good, bad] = [(n: number) => Effect.as(pause, n), (n: number) => Effect.zipRight(pause, Effect.fail(n))]
        const few = yield* fork("few", Wait.firstN([good(0), good(1), good(2)], 2))
        const [exit] = yield* ended(few)
        if (Exit.isSuccess(exit!))
          same([exit.value.length, new Set(exit.value).size], [2, 2], "how many, and different")
        const none = yield* fork("none", Effect.flip(Wait.firstSuccess([bad(0), bad(1)])))
        same((yield* Fiber.join(none)).errors, [0, 1], "the errors")
      })
  },
  {
    primitive,
    name: "fibers that are waited for know nothing of it afterwards, and run on, whoever is interrupted",
    options: { interrupt: ["waiter", "racer"] },
    scenario: ({ effect: { Wait } }) =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        const fiber = yield* Effect.fork(Deferred.await(gate))
        yield* Effect.yieldNow()
        const observers = () => (fiber as any)._observers.length as number
        const before = observers()
        const waiter = yield* fork("waiter", Wait.wait([fiber, yield* Effect.fork(pause)], { until: "firstCompleted" }))
        const racer = yield* fork("racer", Wait.firstCompleted([fiber, pause]))
        yield* ended<unknown>(waiter, racer)
        same([observers(), fiber.unsafePoll()], [before, null], "who listens to it, and how it ended")
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(fiber)
      })
  },
  ...(["a task", "a member"] as const).map((who): Explored => ({
    primitive,
    name: `${who} that fails in a race: somebody has the failure, or it is reported, and never both, whoever is interrupted`,
    // Effect strips the failure off a fiber that is preempted and then interrupted while it is being told of it.
    models: ["taskOrder"],
    options: { interrupt: ["racer"] },
    scenario: ({ effect: { Task, Wait } }) =>
      Effect.suspend(() => {
        let [failed, heard, reported] = [0, 0, 0]
        let state: { readonly outcome?: unknown; readonly waiting?: { readonly size: number } } | undefined
        const counting = Logger.replace(
          Logger.defaultLogger,
          Logger.make(() => void reported++)
        )
        const fails = Effect.zipRight(
          pause,
          Effect.suspend(() => {
            failed++
            return Effect.fail("oops")
          })
        )
        const slowly = Effect.onInterrupt(Effect.never, () => pause)
        // It starts the task: what has failed long before is told before anybody races it.
        const race =
          who === "a member"
            ? Wait.all([fails, slowly])
            : Effect.flatMap(Task.start(fails), (task) => {
                state = task[Task.TypeId] as never
                return Wait.all([task, slowly])
              })
        return Effect.gen(function* () {
          const racer = yield* fork(
            "racer",
            Effect.matchCauseEffect(race, {
              // In the step that hears of it.
              onFailure: (cause) => {
                if (Cause.isInterruptedOnly(cause)) return Effect.failCause(cause)
                heard++
                return Effect.void
              },
              onSuccess: () => Effect.die("it has no value")
            })
          )
          yield* ended<unknown>(racer)
          // A task goes on without the race. A failure of which nobody hears: that would never end.
          while ((state !== undefined && state.outcome === undefined) || heard + reported < failed)
            yield* Effect.yieldNow()
          for (let turns = 0; turns < 5; turns++) yield* Effect.yieldNow()
          same(heard + reported, failed, "who has heard of it, and who was told")
          same(state?.waiting?.size ?? 0, 0, "how many wait for the task")
        }).pipe(Effect.provide(counting))
      })
  })),
  {
    primitive,
    name: "tasks that are waited for know nothing of it afterwards, and run on, whoever is interrupted",
    options: { interrupt: ["waiter", "racer"] },
    scenario: ({ effect: { Task, Wait } }) =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        const task = yield* Task.start(Deferred.await(gate))
        const quick = yield* Task.start(pause)
        const waiter = yield* fork("waiter", Wait.wait([task, quick], { until: "firstCompleted" }))
        const racer = yield* fork("racer", Wait.firstCompleted([task, pause]))
        const reader = yield* fork("reader", Stream.runDrain(Stream.take(Wait.asCompleted([task, pause]), 1)))
        yield* ended<unknown>(waiter, racer, reader)
        same((task as any)[Task.TypeId].waiting?.size ?? 0, 0, "how many wait for it")
        same((yield* task.poll)._tag, "Pending", "how it ended")
        yield* Deferred.succeed(gate, undefined)
        yield* task.await
      })
  },
  {
    primitive,
    name: "asCompleted gives each ending once, and nobody runs after the stream, whoever is interrupted",
    options: { interrupt: ["reader"] },
    scenario: ({ effect: { Wait } }) =>
      Effect.gen(function* () {
        const { atRest, fails, succeeds } = members()
        const seen: Array<number> = []
        const reader = yield* fork(
          "reader",
          Wait.asCompleted([succeeds("a"), fails("b"), succeeds("c")]).pipe(
            Stream.runForEach(({ index }) => Effect.sync(() => void seen.push(index))),
            quiet
          )
        )
        const exit = yield* Fiber.await(reader)
        atRest()
        claim(new Set(seen).size === seen.length, `twice: ${seen.join()}`)
        if (Exit.isSuccess(exit)) same(seen.toSorted(), [0, 1, 2], "what was seen")
        else claim(isInterrupted(exit), String(exit))
      })
  },
  {
    primitive,
    name: "promises: nobody runs after the end, whoever is aborted; and a shared promise is left alone",
    models: ["taskOrder"],
    options: { interrupt: true },
    scenario:
      ({ promise: { Wait } }) =>
      async (tasks) => {
        const running = new Map<string, number>()
        const add = (name: string, n: number) => running.set(name, (running.get(name) ?? 0) + n)
        const shared = tasks.spawn("shared", async ({ step }) => {
          await step()
          await step()
          return "shared"
        })
        shared.catch(() => {})
        const racer = (name: string) =>
          tasks.spawn(name, async ({ signal, step }) => {
            const member =
              (text: string, steps: number) =>
              async ({ signal }: { readonly signal: AbortSignal }) => {
                add(name, 1)
                try {
                  for (let i = 0; i < steps; i++) {
                    await step(text)
                    signal.throwIfAborted()
                  }
                  return text
                } finally {
                  add(name, -1)
                }
              }
            try {
              const members = [shared, member("quick", 1), member("slow", 3)]
              const { index, value } = await Wait.firstSuccess(members, { signal, withIndex: true })
              same(["shared", "quick", "slow"][index], value, "whose place the winner has")
            } finally {
              same(running.get(name) ?? 0, 0, `those of ${name} that run`)
            }
          })
        await settled(racer("first"), racer("second"))
      }
  },
  {
    primitive,
    name: "promises: a task that is raced, waited for and read of knows nothing of it afterwards, whoever is aborted",
    models: ["taskOrder"],
    options: { interrupt: true },
    scenario:
      ({ promise: { Task, Wait } }) =>
      async (tasks) => {
        let end!: () => void
        const task = new Task(() => new Promise<void>((resolve) => (end = resolve)))
        await settled<unknown>(
          tasks.spawn("racer", ({ signal, step }) => Wait.firstCompleted([task, () => step("wins")], { signal })),
          tasks.spawn("waiter", async ({ signal, step }) => {
            const quick = new Task(() => step("ends"))
            await Wait.wait([task, quick], { until: "firstCompleted", signal })
          }),
          tasks.spawn("reader", async ({ signal, step }) => {
            for await (const _ of Wait.asCompleted([task, () => step("is read")], { signal })) break
          })
        )
        same((task as any)["~effect-concurrency/Task"].waiting?.size ?? 0, 0, "how many wait for it")
        same(task.poll()._tag, "Pending", "how it ended")
        end()
        await task
      }
  },
  {
    primitive,
    name: "promises: asCompleted settles every next, whoever closes it",
    models: ["taskOrder"],
    options: { interrupt: true },
    scenario:
      ({ promise: { Wait } }) =>
      async (tasks) => {
        const one = tasks.spawn("one", ({ step }) => step().then(() => 1))
        const two = tasks.spawn("two", ({ step }) => step().then(() => 2))
        one.catch(() => {})
        two.catch(() => {})
        await settled(
          tasks.spawn("reader", async ({ signal, step }) => {
            const results = Wait.asCompleted([one, two], { signal })
            const asked = [results.next(), results.next(), results.next()]
            for (const each of asked) each.catch(() => {})
            await step("asked")
            const closed = results.return()
            const all = await Promise.allSettled(asked)
            claim((await closed).done === true, "not closed")
            const given = all.flatMap((each) =>
              each.status === "fulfilled" && !each.value.done ? [each.value.value.index] : []
            )
            claim(new Set(given).size === given.length, `twice: ${given.join()}`)
          })
        )
      }
  },
  {
    primitive,
    name: "a fiber races, an async function races, and both wait for one fiber, whoever is interrupted",
    models: ["taskOrder", "aggressive"],
    options: { interrupt: true },
    scenario:
      ({ effect, promise }) =>
      async (tasks) => {
        const { atRest, never, succeeds } = members()
        const shared = tasks.fork("shared", Effect.zipRight(pause, pause))
        shared.catch(() => {})
        await settled<unknown>(
          tasks.fork("fiber", Effect.ensuring(effect.Wait.firstCompleted([never, succeeds("a")]), Effect.sync(atRest))),
          tasks.spawn("task", ({ signal, step }) =>
            promise.Wait.firstCompleted([shared, ({ signal }) => step("a member").then(() => signal.aborted)], {
              signal
            })
          )
        )
        atRest()
      }
  }
]
