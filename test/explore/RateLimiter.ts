import { Effect, Exit, type Fiber, Logger, LogLevel } from "effect"
import type { RateLimiter } from "effect-concurrency"
import type { Explored, Library } from "./scenario.js"
import { atOnce, claim, ended, fork, pause, same, settled } from "./tools.js"

const primitive = "RateLimiter"

const limit = 2
const interval = 10

/** A limiter, and what began when: what is granted is counted then, so who is held up after that begins later than he counts. */
const make = ({ effect, promise }: Library, options: Partial<RateLimiter.Options> = {}) =>
  Effect.map(effect.RateLimiter.make({ limit, interval, ...options }), (limiter) => {
    const view = promise.RateLimiter.from(limiter)
    const log = new Log()
    const use = (name: string, cost = 1) =>
      Effect.zipRight(
        Effect.sync(() => log.add(name, cost)),
        pause
      )
    return { limiter, view, log, use }
  })

type View = ReturnType<typeof promiseView>
const promiseView = ({ promise }: Library) => new promise.RateLimiter({ limit, interval })

/** Nobody waits, and what is not used can be had. */
const nothingIsLost = (view: View, log: Log) => {
  same(view.stats().waiting, 0, "waiting")
  same(view.tryConsume("default", { cost: 0 }).remaining, limit - log.inWindow(), "left")
}

/** Nobody waits, and after an interval all can be had. */
const comesToRest = (view: View) =>
  Effect.map(Effect.sleep(interval), () => {
    same(view.stats().waiting, 0, "waiting")
    claim(view.tryConsume("default", { cost: limit }).allowed, "not all of it came back")
  })

class Log {
  readonly all: Array<{ readonly name: string; readonly cost: number; readonly at: number }> = []

  /** Also of who is held up: no more have begun than were granted by then. */
  readonly add = (name: string, cost: number): void => {
    const at = performance.now()
    this.all.push({ name, cost, at })
    const sum = this.all.reduce((sum, { cost }) => sum + cost, 0)
    const most = limit * (1 + Math.floor(at / interval))
    claim(sum <= most, `${sum} in ${at} ms`)
  }

  inWindow(now = performance.now()): number {
    return this.all.reduce((sum, { at, cost }) => (at + interval > now ? sum + cost : sum), 0)
  }

  /** Of those who are not held up. */
  isExact(): void {
    for (const { at } of this.all) {
      const sum = this.all.reduce(
        (sum, other) => (other.at >= at && other.at < at + interval ? sum + other.cost : sum),
        0
      )
      claim(sum <= limit, `${sum} in the interval from ${at}`)
    }
  }

  get names(): ReadonlyArray<string> {
    return this.all.map(({ name }) => name)
  }
}

/** A sliding window, somewhere else: it takes its time to decide, and its answers take some, too. */
class SlowStore {
  granted = 0
  returned = 0
  failures = 0
  overlapped = false
  private asking = 0
  private readonly log: Array<{ readonly at: number; cost: number }> = []

  /**  away what it takes to reach it, and each answer on its way back */
  constructor(private readonly away: Effect.Effect<void> = pause) {}

  readonly consume = (
    request: RateLimiter.StoreRequest
  ): Effect.Effect<ReadonlyArray<RateLimiter.StoreDecision>, "down"> =>
    Effect.suspend(() => {
      this.overlapped ||= ++this.asking > 1
      const decide = Effect.suspend(() =>
        this.failures-- > 0 ? Effect.fail("down" as const) : Effect.succeed(this.decideAll(request))
      )
      return Effect.ensuring(
        Effect.zipLeft(Effect.zipRight(this.away, decide), this.away),
        Effect.sync(() => void this.asking--)
      )
    })

  readonly giveBack = ({ grants }: RateLimiter.StoreReturn) =>
    Effect.zipRight(
      this.away,
      Effect.sync(() => {
        for (const { cost, grant } of grants) {
          const entry = grant as { cost: number }
          entry.cost -= cost
          this.returned += cost
        }
      })
    )

  private decideAll({ ahead, asks, limit }: RateLimiter.StoreRequest): ReadonlyArray<RateLimiter.StoreDecision> {
    const decisions: Array<RateLimiter.StoreDecision> = []
    for (const { cost, tries } of asks) {
      const decision = this.decide(cost, limit, tries ? 0 : ahead)
      decisions.push(decision)
      if (!decision.allowed && !tries) break
    }
    return decisions
  }

  private decide(cost: number, limit: number, ahead: number): RateLimiter.StoreDecision {
    const now = performance.now()
    const used = this.log.filter(({ at, cost }) => cost > 0 && at + interval > now)
    // It fits when so many have left, and nobody comes before another.
    const times = [now, ...used.map(({ at }) => at + interval)]
    const last = used.at(-1)?.at ?? now
    const leftAt = (time: number) =>
      used.reduce((left, { at, cost }) => (at + interval > time ? left - cost : left), limit)
    const at = Math.max(last, times.find((time) => time >= last && leftAt(time) >= cost) ?? now)
    const remaining = Math.max(0, last > now ? 0 : leftAt(now))
    const resetAfter = used.length === 0 ? 0 : last + interval - now
    if (at > now + ahead) return { allowed: false, delay: 0, remaining, retryAfter: at - now, resetAfter }
    const grant = { at, cost }
    this.log.push(grant)
    this.granted += cost
    const left = Math.max(0, remaining - cost)
    return { allowed: true, delay: at - now, remaining: left, retryAfter: 0, resetAfter: at + interval - now, grant }
  }
}

/** What is on its way arrives, also when it is held up: a question, which goes on when all have gone who asked, and what is given back. */
const arrives = (has: () => boolean) => Effect.repeat(Effect.sleep(interval), { until: has, times: 5 })

/** No key is in use any more: no question is on its way. */
const isIdle = (view: { readonly stats: () => RateLimiter.Stats }) => view.stats().keys === 0

/** Until a fiber waits, or has ended. */
const untilWaits = ({ view }: { readonly view: View }, fiber: Fiber.RuntimeFiber<unknown, unknown>, waiting = 1) =>
  Effect.repeat(Effect.yieldNow(), { until: () => view.stats().waiting >= waiting || fiber.unsafePoll() !== null })

const threeFibers = (library: Library) =>
  Effect.gen(function* () {
    const made = yield* make(library)
    const { limiter, use } = made
    const a = yield* fork("a", limiter.withLimit()(use("a")))
    const b = yield* fork("b", limiter.withLimit("default", { cost: 2 })(use("b", 2)))
    const c = yield* fork("c", limiter.withLimit()(use("c")))
    yield* ended(a, b, c)
    return made
  })

export const scenarios: ReadonlyArray<Explored> = [
  {
    primitive,
    name: "no interval has more than the limit, and nothing is lost, whoever is interrupted",
    models: ["taskOrder"],
    options: { interrupt: true },
    scenario: (library) =>
      Effect.map(threeFibers(library), ({ log, view }) => {
        log.isExact()
        nothingIsLost(view, log)
      })
  },
  {
    primitive,
    name: "no more is granted than there is, and all comes back, whoever is held up or interrupted",
    options: { interrupt: true },
    scenario: (library) => Effect.flatMap(threeFibers(library), ({ view }) => comesToRest(view))
  },
  {
    primitive,
    name: "what consume was granted and did not hand over goes to the next",
    models: ["taskOrder"],
    options: { interrupt: ["first"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const made = yield* make(library)
        const { limiter, log, view } = made
        claim(view.tryConsume("default", { cost: 2 }).allowed, "it was not idle")
        log.add("holder", 2)
        const consume = (name: string) => atOnce(limiter.consume("default", { cost: 2 }), () => log.add(name, 2))
        const first = yield* fork("first", consume("first"))
        yield* untilWaits(made, first)
        const next = yield* fork("next", consume("next"))
        yield* ended(first)
        claim(Exit.isSuccess(yield* next.await), "the next did not get it")
        log.isExact()
        same(performance.now(), interval * (log.names.includes("first") ? 2 : 1), "time")
        same(view.stats().waiting, 0, "waiting")
      })
  },
  {
    primitive,
    name: "a wait that a sibling interrupts leaves the line, and keeps nobody behind it waiting",
    scenario: (library) =>
      Effect.gen(function* () {
        const made = yield* make(library)
        const { limiter, log, use, view } = made
        claim(view.tryConsume().allowed, "it was not idle")
        log.add("holder", 1)
        const large = yield* fork("large", limiter.withLimit("default", { cost: 2 })(use("large", 2)))
        yield* untilWaits(made, large)
        const small = yield* fork("small", limiter.withLimit()(use("small")))
        const killer = yield* fork("killer", Effect.asVoid(large.interruptAsFork(large.id())))
        yield* ended(large, killer)
        claim(Exit.isSuccess(yield* small.await), "the small one did not get its turn")
        yield* comesToRest(view)
      })
  },
  {
    primitive,
    name: "those behind a wait that is given up go at once",
    models: ["taskOrder"],
    scenario: (library) =>
      Effect.gen(function* () {
        const made = yield* make(library)
        const { limiter, log, use, view } = made
        claim(view.tryConsume().allowed, "it was not idle")
        log.add("holder", 1)
        const large = yield* fork("large", limiter.withLimit("default", { cost: 2 })(use("large", 2)))
        yield* untilWaits(made, large)
        const small = yield* fork("small", limiter.withLimit()(use("small")))
        const killer = yield* fork("killer", Effect.asVoid(large.interruptAsFork(large.id())))
        yield* ended(large, killer)
        yield* ended(small)
        same(performance.now(), 0, "the small one went at")
      })
  },
  {
    primitive,
    name: "in order of arrival, whatever the cost, and tryConsume overtakes nobody",
    options: { interrupt: ["large"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const made = yield* make(library, { burst: limit })
        const { limiter, use, view } = made
        claim(view.tryConsume().allowed, "it was not idle")
        const large = yield* fork("large", limiter.withLimit("default", { cost: 2 })(use("large", 2)))
        yield* untilWaits(made, large)
        // Who is held up after his grant may begin after the next, so the line is looked at, and not who begins first: the small one came last.
        const begins = Effect.sync(() => same(view.stats().waiting, 0, "in line when the last has its turn"))
        const small = yield* fork("small", limiter.withLimit()(Effect.zipRight(begins, use("small"))))
        const tries = yield* fork(
          "tries",
          Effect.sync(() => {
            const { waiting } = view.stats()
            const { allowed } = view.tryConsume()
            claim(!allowed || waiting === 0 || view.stats().waiting === 0, "it overtook")
          })
        )
        yield* ended(large, small, tries)
        yield* comesToRest(view)
      })
  },
  {
    primitive,
    name: "who waits begins in order of arrival when nobody is held up",
    models: ["taskOrder"],
    options: { interrupt: ["large"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const made = yield* make(library)
        const { limiter, log, use, view } = made
        claim(view.tryConsume().allowed, "it was not idle")
        const large = yield* fork("large", limiter.withLimit("default", { cost: 2 })(use("large", 2)))
        yield* untilWaits(made, large)
        const small = yield* fork("small", limiter.withLimit()(use("small")))
        yield* ended(large, small)
        if (log.names.includes("large")) same(log.names, ["large", "small"], "order")
      })
  },
  {
    primitive,
    name: "a reservation comes, or is cancelled, for all who wait for it; and those behind it go",
    options: { interrupt: ["waits"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const { limiter, view } = yield* make(library)
        claim(view.tryConsume("default", { cost: 2 }).allowed, "it was not idle")
        const reserved = yield* limiter.reserve("default", { cost: 2 })
        const waits = yield* fork("waits", reserved.wait)
        const too = yield* fork("too", reserved.wait)
        const behind = yield* fork("behind", limiter.consume())
        const cancels = yield* fork("cancels", Effect.zipRight(pause, reserved.cancel))
        yield* ended<unknown>(waits, cancels, too)
        claim(Exit.isSuccess(yield* too.await), "one was left waiting")
        claim(Exit.isSuccess(yield* behind.await), "it did not go")
        yield* comesToRest(view)
      })
  },
  {
    primitive,
    name: "with a backlog nobody is accepted and refused later, and who is interrupted makes room",
    options: { interrupt: ["a"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const limiter = yield* library.effect.RateLimiter.make({ limit: 1, interval, backlog: 1 })
        yield* limiter.consume()
        const a = yield* fork("a", Effect.exit(limiter.consume()))
        const b = yield* fork("b", Effect.exit(limiter.consume()))
        const exits = yield* ended<unknown>(a, b)
        const { waiting } = yield* limiter.stats
        same(waiting, 0, "waiting")
        claim(exits.length === 2, "both ended")
        claim((yield* limiter.tryConsume()).remaining === 0, "one of the two had it")
      })
  },
  {
    primitive,
    name: "over a store that answers late: no more begin than it granted, and all else goes back to it, whoever is interrupted",
    // In the other, who is interrupted between the step that begins an effect and its first has used what he took.
    models: ["taskOrder", "elastic"],
    options: { interrupt: true },
    scenario: (library) =>
      Effect.gen(function* () {
        const store = new SlowStore()
        const limiter = yield* library.effect.RateLimiter.makeWithStore({ limit, interval }, store)
        const view = library.promise.RateLimiterWithStore.from(limiter)
        let used = 0
        const use = (cost: number) =>
          Effect.zipRight(
            Effect.sync(() => void (used += cost)),
            pause
          )
        const a = yield* fork("a", limiter.withLimit()(use(1)))
        const b = yield* fork("b", limiter.withLimit("default", { cost: 2 })(use(2)))
        const c = yield* fork(
          "c",
          atOnce(limiter.tryConsume(), ({ allowed }) => void (used += allowed ? 1 : 0))
        )
        yield* ended<unknown>(a, b, c)
        yield* arrives(() => store.granted - store.returned === used && isIdle(view))
        same(store.granted - store.returned, used, "granted")
        claim(!store.overlapped, "two questions were in flight")
        same(view.stats(), { keys: 0, waiting: 0 }, "stats")
      })
  },
  {
    primitive,
    name: "over a store that is far away: what it grants ahead is used at its time or goes back, whoever is interrupted",
    models: ["taskOrder"],
    options: { interrupt: true },
    scenario: (library) =>
      Effect.gen(function* () {
        const store = new SlowStore(Effect.sleep(1))
        const limiter = yield* library.effect.RateLimiter.makeWithStore({ limit, interval }, store)
        const log = new Log()
        const use = (name: string, cost: number) =>
          fork(name, limiter.withLimit("default", { cost })(Effect.sync(() => log.add(name, cost))))
        const a = yield* use("a", 1)
        const b = yield* use("b", 2)
        const c = yield* use("c", 1)
        yield* ended<unknown>(a, b, c)
        const used = () => log.all.reduce((sum, { cost }) => sum + cost, 0)
        yield* arrives(() => store.granted - store.returned === used())
        same(store.granted - store.returned, used(), "granted")
        log.isExact()
        same(yield* limiter.stats, { keys: 0, waiting: 0 }, "stats")
      })
  },
  {
    primitive,
    name: "over a store: what goes back lets the next ask again at once, whoever is interrupted",
    models: ["taskOrder"],
    options: { interrupt: ["a"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const store = new SlowStore()
        const limiter = yield* library.effect.RateLimiter.makeWithStore({ limit: 1, interval }, store)
        let used = 0
        const a = yield* fork("a", limiter.withLimit()(Effect.sync(() => void used++)))
        let at = NaN
        const b = yield* fork(
          "b",
          atOnce(limiter.consume(), () => void (at = performance.now()))
        )
        yield* ended<unknown>(a, b)
        claim(at === 0 || (at === interval && used === 1), `the other went at ${at}, and ${used} was used`)
      })
  },
  {
    primitive,
    name: "over a store that fails: its error is of those who were asked for, and the next have their turn",
    options: { interrupt: ["b"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const store = new SlowStore()
        store.failures = 1
        const limiter = yield* library.effect.RateLimiter.makeWithStore({ limit: 5, interval }, store)
        const view = library.promise.RateLimiterWithStore.from(limiter)
        const consume = (name: string) => fork(name, Effect.either(limiter.consume()))
        const a = yield* consume("a")
        const b = yield* consume("b")
        const c = yield* consume("c")
        const exits = yield* ended(a, b, c)
        const failed = exits.filter((exit) => Exit.isSuccess(exit) && exit.value._tag === "Left").length
        claim(failed <= 1, `${failed} failed`)
        yield* arrives(() => isIdle(view))
        same(view.stats(), { keys: 0, waiting: 0 }, "stats")
        // What is reported of one who has gone is not looked at here.
      }).pipe(Logger.withMinimumLogLevel(LogLevel.None))
  },
  {
    primitive,
    name: "over a store: a fiber and an async function wait in one line, and what they do not use goes back, whoever is interrupted",
    models: ["taskOrder", "aggressive"],
    options: { interrupt: true },
    scenario:
      ({ effect, promise }) =>
      async (tasks) => {
        const store = new SlowStore()
        let made: RateLimiter.WithStore<never, unknown> | undefined
        const begin = effect.RateLimiter.makeWithStore({ limit, interval }, store)
        await settled(
          tasks.fork(
            "begin",
            atOnce(begin, (it) => void (made = it))
          )
        )
        if (made === undefined) return
        const limiter = made
        const view = promise.RateLimiterWithStore.from(limiter)
        let used = 0
        const a = tasks.fork(
          "a",
          atOnce(limiter.consume("default", { cost: 2 }), () => void (used += 2))
        )
        const b = tasks.spawn("b", ({ signal }) => view.run(() => void used++, { signal }))
        const c = tasks.fork(
          "c",
          atOnce(limiter.consume(), () => void used++)
        )
        await settled<unknown>(a, b, c)
        await settled(
          tasks.fork(
            "end",
            arrives(() => store.granted - store.returned === used && isIdle(view))
          )
        )
        same(store.granted - store.returned, used, "granted")
        same(view.stats(), { keys: 0, waiting: 0 }, "stats")
      }
  },
  {
    primitive,
    name: "promises: no interval has more than the limit, and nothing is lost, whoever is aborted",
    models: ["taskOrder"],
    options: { interrupt: true },
    scenario:
      ({ promise }) =>
      async (tasks) => {
        const limiter = new promise.RateLimiter({ limit, interval })
        const log = new Log()
        const run = (name: string, cost: number) =>
          tasks.spawn(name, ({ signal, step }) =>
            limiter.run(
              async () => {
                log.add(name, cost)
                await step("inside")
              },
              { cost, signal }
            )
          )
        await settled(run("a", 1), run("b", 2), run("c", 1))
        log.isExact()
        nothingIsLost(limiter, log)
      }
  },
  {
    primitive,
    name: "promises: what was granted in the tick of an abort goes to the next",
    models: ["taskOrder"],
    scenario:
      ({ promise }) =>
      async (tasks) => {
        const limiter = new promise.RateLimiter({ limit: 1, interval })
        claim(limiter.tryConsume().allowed, "it was not idle")
        const controller = new AbortController()
        const victim = tasks.spawn("victim", () =>
          limiter.consume("default", { signal: controller.signal }).then(
            () => true,
            () => false
          )
        )
        const next = tasks.spawn("next", () => limiter.consume())
        const reserved = tasks.spawn("aborts", async ({ step }) => {
          await step()
          const timer = new promise.RateLimiter({ limit: 1, interval })
          timer.tryConsume()
          await timer.consume()
          controller.abort()
        })
        const [had] = await settled<unknown>(victim, next, reserved)
        const time = (had as PromiseFulfilledResult<boolean>).value ? 2 * interval : interval
        claim(performance.now() <= time, `the next went at ${performance.now()}`)
        same(limiter.stats().waiting, 0, "waiting")
      }
  },
  {
    primitive,
    name: "a fiber and an async function wait in one line, and all of it comes back, whoever is interrupted",
    models: ["taskOrder", "aggressive"],
    options: { interrupt: true },
    scenario: (library) => async (tasks) => {
      let made: Effect.Effect.Success<ReturnType<typeof make>> | undefined
      const begin = tasks.fork(
        "begin",
        Effect.map(make(library), (it) => void (made = it))
      )
      await settled(begin)
      if (made === undefined) return
      const { limiter, log, use, view } = made
      const fiber = (name: string) => tasks.fork(name, limiter.withLimit("default", { cost: 2 })(use(name, 2)))
      const task = (name: string) =>
        tasks.spawn(name, ({ signal, step }) =>
          view.run(
            async () => {
              log.add(name, 2)
              await step("inside")
            },
            { signal, cost: 2 }
          )
        )
      await settled<unknown>(fiber("a"), task("b"), fiber("c"))
      await settled(tasks.fork("end", comesToRest(view)))
    }
  }
]
