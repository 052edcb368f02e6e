import { Effect, Exit } from "effect"
import type { DistributedMutex, LeaseStore } from "effect-concurrency/distributed"
import { MemoryLeases } from "../../src/core/memoryLeases.js"
import type { Explored, Library } from "./scenario.js"
import { claim, ended, fork, pause, same, settled } from "./tools.js"

const primitive = "DistributedMutex"

/** A store somewhere else: it takes its time to decide, and its answers take some, too. What it tells may be lost. */
export class SlowStore implements LeaseStore.LeaseStoreShape<"down"> {
  readonly leases = new MemoryLeases({ now: () => performance.now() })
  readonly holders: Array<LeaseStore.AcquireRequest> = []
  /** How many questions fail: before they arrive, or after. */
  failures: Array<"lost" | "unanswered"> = []
  isDeaf = false
  /** How long it takes until something is watched. */
  watchTakes = 0
  acquires = 0
  renewals = 0
  private asking = 0
  overlapped = false

  private ask<A>(f: () => A): Effect.Effect<A, "down"> {
    return Effect.suspend(() => {
      const failure = this.failures.shift()
      const decide = Effect.suspend(() => {
        if (failure === "lost") return Effect.fail("down" as const)
        const answer = f()
        return failure === "unanswered" ? Effect.fail("down" as const) : Effect.succeed(answer)
      })
      return Effect.zipLeft(Effect.zipRight(pause, decide), pause)
    })
  }

  readonly acquire = (request: LeaseStore.AcquireRequest) =>
    Effect.suspend(() => {
      this.acquires++
      this.overlapped ||= ++this.asking > 1
      const asked = this.ask(() => {
        this.holders.push(request)
        return this.leases.acquire(request)
      })
      return Effect.ensuring(
        asked,
        Effect.sync(() => void this.asking--)
      )
    })

  readonly renew = (request: LeaseStore.RenewRequest) =>
    this.ask(() => {
      this.renewals++
      return this.leases.renew(request)
    })

  readonly release = (request: LeaseStore.Holder) => this.ask(() => this.leases.release(request))

  readonly watch = (name: string, onFreed: () => void) =>
    Effect.zipRight(
      Effect.repeatN(pause, this.watchTakes),
      Effect.asVoid(
        Effect.acquireRelease(
          Effect.sync(() => this.leases.watch(name, () => this.isDeaf || onFreed())),
          (stop) => Effect.sync(stop)
        )
      )
    )

  /** What is held is given back behind the back of its holder. */
  forget(): void {
    for (const { holder, name } of this.holders) this.leases.release({ name, holder })
  }
}

/** Short enough that a run comes to its end, and long enough that nobody loses what he holds unless he is held up. */
export const options = { lease: 200, poll: 40 }

/** Whoever is held up for so long loses what he holds, and is told so. Nobody may lose it before. */
const isHeldUp = (error: any): boolean => error?._tag === "LeaseLost" && performance.now() >= options.lease / 2

/** Somebody who may be held up. */
export const unlessHeldUp = <A, E>(use: Effect.Effect<A, E>): Effect.Effect<A | void, E> =>
  Effect.catchIf(use, isHeldUp, () => Effect.void)

/** The same of an async function. */
export const passHeldUp = (error: unknown): void => {
  if (!isHeldUp(error)) throw error
}

/** One at a time, and in order of their tokens. */
export class Inside {
  private latest = 0
  inside = 0
  names: Array<string> = []

  constructor(private readonly limit = 1) {}

  readonly body = (name: string) => (lease: DistributedMutex.Lease) =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        this.inside += lease.permits
        claim(this.inside <= this.limit, `${this.inside} are inside`)
        if (this.limit === 1) claim(lease.token > this.latest, "the tokens do not grow")
        this.latest = lease.token
        this.names.push(name)
      }),
      () => pause,
      () => Effect.sync(() => void (this.inside -= lease.permits))
    )

  /** The same for an async function. */
  readonly run =
    (name: string) =>
    async ({ token }: { readonly token: number }): Promise<void> => {
      claim(++this.inside <= this.limit, `${this.inside} are inside`)
      if (this.limit === 1) claim(token > this.latest, "the tokens do not grow")
      this.latest = token
      this.names.push(name)
      await Promise.resolve()
      this.inside--
    }
}

/** What is on its way arrives, and then nothing is held, watched or renewed. */
export const comesToRest = (store: SlowStore, stats: () => { readonly held: number; readonly waiting: number }) =>
  Effect.gen(function* () {
    yield* Effect.repeat(Effect.sleep(20), { until: () => store.leases.size === 0 && stats().held === 0, times: 8 })
    same(stats(), { held: 0, waiting: 0 }, "stats")
    same(store.leases.size, 0, "what is held or watched in the store")
    store.leases.check()
    const { renewals } = store
    yield* Effect.sleep(100)
    same(store.renewals, renewals, "renewals after the end")
    claim(!store.overlapped, "two questions were in flight")
  })

/** The same among async functions: what is on its way arrives, however long its fiber is held up. */
export const cameToRest = async (store: SlowStore, stats: () => unknown): Promise<void> => {
  const rests = () => store.leases.size === 0 && JSON.stringify(stats()) === JSON.stringify({ held: 0, waiting: 0 })
  for (let ms = 0; ms < 160 && !rests(); ms += 20) await new Promise((resolve) => setTimeout(resolve, 20))
  same(stats(), { held: 0, waiting: 0 }, "stats")
  same(store.leases.size, 0, "what is held in the store")
}

const make = ({ distributed, promiseDistributed }: Library, store = new SlowStore(), more = {}) =>
  Effect.map(distributed.DistributedMutex.make({ ...options, ...more }, store), (mutex) => {
    const view = promiseDistributed.DistributedMutex.from(mutex)
    return { mutex, store, view, inside: new Inside() }
  })

export const scenarios: ReadonlyArray<Explored> = [
  {
    primitive,
    name: "one at a time, in order of their tokens, and nothing is left held, whoever is interrupted",
    options: { interrupt: true },
    scenario: (library) =>
      Effect.gen(function* () {
        const { inside, mutex, store, view } = yield* make(library)
        const all = []
        for (const name of ["a", "b", "c"]) {
          all.push(yield* fork(name, unlessHeldUp(mutex.withLock("x", inside.body(name)))))
        }
        yield* ended(...all)
        yield* comesToRest(store, () => view.stats())
      })
  },
  {
    primitive,
    name: "what is granted to one who has gone goes back",
    models: ["taskOrder"],
    options: { interrupt: ["a"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const { mutex, store, view } = yield* make(library)
        yield* ended(yield* fork("a", mutex.withLock("x")(pause)))
        yield* Effect.repeat(Effect.sleep(5), { until: () => store.leases.size === 0, times: 3 })
        same(store.leases.size, 0, "what is held in the store")
        same(view.stats(), { held: 0, waiting: 0 }, "stats")
      })
  },
  {
    primitive,
    name: "two instances, as two processes have: nobody waits for ever, whoever is interrupted",
    options: { interrupt: ["a", "b"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const one = yield* make(library)
        const other = yield* make(library, one.store)
        const { inside, store } = one
        const a = yield* fork("a", unlessHeldUp(one.mutex.withLock("x", inside.body("a"))))
        const b = yield* fork("b", unlessHeldUp(other.mutex.withLock("x", inside.body("b"))))
        const c = yield* fork("c", unlessHeldUp(other.mutex.withLock("x", inside.body("c"))))
        yield* ended(a, b)
        claim(Exit.isSuccess(yield* c.await), "c has not had it")
        store.overlapped = false
        yield* comesToRest(store, () => other.view.stats())
        yield* comesToRest(store, () => one.view.stats())
      })
  },
  {
    primitive,
    name: "who waits for another instance is woken by it, long before the poll",
    // In the others, whoever is held up is held up for as long as there is something to wait for.
    models: ["taskOrder"],
    scenario: (library) =>
      Effect.gen(function* () {
        const one = yield* make(library, new SlowStore(), { lease: 60_000, poll: 60_000 })
        const other = yield* make(library, one.store, { lease: 60_000, poll: 60_000 })
        const a = yield* fork("a", one.mutex.withLock("x", one.inside.body("a")))
        const b = yield* fork("b", other.mutex.withLock("x", one.inside.body("b")))
        yield* ended(a, b)
        claim(performance.now() < 20_000, "its wake-up was lost")
        one.store.overlapped = false
        yield* comesToRest(one.store, () => other.view.stats())
      })
  },
  {
    primitive,
    name: "what is freed before the store is watched is not overlooked",
    models: ["taskOrder"],
    scenario: (library) =>
      Effect.gen(function* () {
        const one = yield* make(library, new SlowStore(), { lease: 60_000, poll: 60_000 })
        const other = yield* make(library, one.store, { lease: 60_000, poll: 60_000 })
        one.store.watchTakes = 3
        const a = yield* fork("a", one.mutex.withLock("x", one.inside.body("a")))
        const b = yield* fork("b", other.mutex.withLock("x", one.inside.body("b")))
        yield* ended(a, b)
        claim(performance.now() < 20_000, "its wake-up was lost")
      })
  },
  {
    primitive,
    name: "if messages are lost, those who wait ask by themselves",
    models: ["taskOrder"],
    scenario: (library) =>
      Effect.gen(function* () {
        const one = yield* make(library)
        const other = yield* make(library, one.store)
        one.store.isDeaf = true
        const a = yield* fork("a", one.mutex.withLock("x")(Effect.sleep(30)))
        const b = yield* fork("b", other.mutex.withLock("x", one.inside.body("b")))
        yield* ended(a, b)
        claim(performance.now() < 200, "nobody asked")
      })
  },
  {
    primitive,
    name: "in order of arrival, and who only tries overtakes nobody",
    models: ["taskOrder"],
    options: { interrupt: ["b"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const { inside, mutex, store, view } = yield* make(library)
        const a = yield* fork("a", mutex.withLock("x", inside.body("a")))
        yield* Effect.repeat(Effect.yieldNow(), { until: () => view.stats().held === 1 || a.unsafePoll() !== null })
        const b = yield* fork("b", mutex.withLock("x", inside.body("b")))
        yield* Effect.repeat(Effect.yieldNow(), { until: () => view.stats().waiting === 1 || b.unsafePoll() !== null })
        const tries = yield* fork("tries", mutex.withLockIfAvailable("x", inside.body("tries")))
        const c = yield* fork("c", mutex.withLock("x", inside.body("c")))
        yield* ended<unknown>(a, b, tries, c)
        if (inside.names.includes("b")) {
          claim(inside.names.indexOf("b") < inside.names.indexOf("c"), "c went before b")
          const tried = inside.names.indexOf("tries")
          claim(tried < 0 || tried > inside.names.indexOf("b"), "it overtook")
        }
        yield* comesToRest(store, () => view.stats())
      })
  },
  {
    primitive,
    name: "who only tries stands behind those who are being asked for",
    models: ["taskOrder"],
    options: { interrupt: ["tries"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const { inside, mutex, store, view } = yield* make(library)
        const a = yield* fork("a", mutex.withLock("x", inside.body("a")))
        yield* Effect.repeat(Effect.yieldNow(), { until: () => view.stats().waiting === 1 || a.unsafePoll() !== null })
        const tries = yield* fork("tries", mutex.withLockIfAvailable("x", inside.body("tries")))
        yield* ended<unknown>(a, tries)
        same(inside.names[0], "a", "the first")
        yield* comesToRest(store, () => view.stats())
      })
  },
  {
    primitive,
    name: "questions that fail, with or without having arrived: all who wait are told, and nothing is left held",
    options: { interrupt: ["a"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const { inside, mutex, store, view } = yield* make(library)
        store.failures = ["unanswered"]
        const a = yield* fork("a", Effect.exit(mutex.withLock("x", inside.body("a"))))
        const b = yield* fork("b", Effect.exit(mutex.withLock("x", inside.body("b"))))
        yield* ended<unknown>(a, b)
        yield* comesToRest(store, () => view.stats())
      })
  },
  {
    primitive,
    name: "a lease that is lost: the body is interrupted, its caller is told, and the next has it",
    models: ["taskOrder", "elastic"],
    scenario: (library) =>
      Effect.gen(function* () {
        const { inside, mutex, store, view } = yield* make(library)
        const a = yield* fork(
          "a",
          Effect.flip(
            mutex.withLock("x", () =>
              Effect.zipRight(
                Effect.sync(() => store.forget()),
                Effect.never
              )
            )
          )
        )
        const b = yield* fork("b", Effect.either(mutex.withLock("x", inside.body("b"))))
        const [exit] = yield* ended<unknown>(a, b)
        claim(Exit.isSuccess(exit!) && (exit.value as any)._tag === "LeaseLost", "it was not told")
        yield* comesToRest(store, () => view.stats())
      })
  },
  {
    primitive,
    name: "a store that does not answer any more: whoever holds is told by his own clock, and nothing is renewed",
    models: ["taskOrder"],
    scenario: (library) =>
      Effect.gen(function* () {
        const { mutex, store, view } = yield* make(library)
        const body = Effect.zipRight(
          Effect.sync(() => (store.failures = Array.from({ length: 100 }, () => "lost" as const))),
          Effect.never
        )
        const error = yield* Effect.flip(mutex.withLock("x")(body))
        same((error as any)._tag, "LeaseLost", "the error")
        claim(performance.now() >= 150 && performance.now() <= 199, `it was told at ${performance.now()}`)
        store.failures = []
        yield* Effect.sleep(options.lease)
        // The store drops what is over when somebody asks.
        yield* mutex.withLock("x")(Effect.void)
        yield* comesToRest(store, () => view.stats())
      })
  },
  {
    primitive,
    name: "what a scope holds is given back when it closes, whoever is interrupted",
    options: { interrupt: true },
    scenario: (library) =>
      Effect.gen(function* () {
        const { inside, mutex, store, view } = yield* make(library)
        const use = (name: string) =>
          Effect.scoped(Effect.flatMap(mutex.acquire("x"), (lease) => lease.guard(inside.body(name)(lease))))
        const a = yield* fork("a", unlessHeldUp(use("a")))
        const b = yield* fork("b", unlessHeldUp(use("b")))
        yield* ended(a, b)
        yield* comesToRest(store, () => view.stats())
      })
  },
  {
    primitive,
    name: "fibers and async functions stand in one line, one at a time, and nothing is left held, whoever is interrupted",
    models: ["taskOrder", "aggressive"],
    options: { interrupt: true },
    scenario: (library) => async (tasks) => {
      let made: Effect.Effect.Success<ReturnType<typeof make>> | undefined
      await settled(
        tasks.fork(
          "begin",
          Effect.map(make(library), (it) => void (made = it))
        )
      )
      if (made === undefined) return
      const { inside, mutex, store, view } = made
      const fiber = tasks.fork("fiber", unlessHeldUp(mutex.withLock("x", inside.body("fiber"))))
      const task = tasks.spawn("task", ({ signal }) => view.run("x", inside.run("task"), { signal }).catch(passHeldUp))
      const other = tasks.fork("other", unlessHeldUp(mutex.withLock("x", inside.body("other"))))
      await settled<unknown>(fiber, task, other)
      await cameToRest(store, () => view.stats())
    }
  },
  {
    primitive,
    name: "promises: one at a time, also where a wait is aborted, and nothing is left held",
    models: ["taskOrder"],
    options: { interrupt: true },
    scenario:
      ({ promiseDistributed: { DistributedMutex } }) =>
      async (tasks) => {
        const store = new MemoryLeases({ now: () => performance.now() })
        const slow = async <A>(f: () => A): Promise<A> => {
          await Promise.resolve()
          return f()
        }
        const mutex = new DistributedMutex(
          {
            acquire: (request) => slow(() => store.acquire(request)),
            renew: (request) => slow(() => store.renew(request)),
            release: (request) => slow(() => store.release(request)),
            watch: (name, freed) => slow(() => store.watch(name, freed))
          },
          options
        )
        const inside = new Inside()
        const use = (name: string) =>
          tasks.spawn(name, ({ signal, step }) =>
            mutex.run(
              "x",
              async (context) => {
                await inside.run(name)(context)
                await step("inside")
              },
              { signal }
            )
          )
        await settled(use("a"), use("b"), use("c"))
        // What is on its way arrives.
        await new Promise((resolve) => setTimeout(resolve, 20))
        same(mutex.stats(), { held: 0, waiting: 0 }, "stats")
        same(store.size, 0, "what is held in the store")
      }
  }
]
