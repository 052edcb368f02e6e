/**
 * The laws of waiting for several, for effects and for functions. Time is virtual: both skins run on the platform's timers, and these are
 * faked.
 */
import { assert, describe, it, vi } from "@effect/vitest"
import { Cause, Effect, Exit, type Fiber, Stream } from "effect"
import * as Effects from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { Reporter } from "../../src/internal/report.js"
import { type Attempt, fork, settle, start } from "./skins.js"

/** What a member does, after how many milliseconds, and how long it takes to clean up when it is told to stop. */
export interface Job {
  readonly name: string
  readonly after: number
  readonly fails?: boolean
  readonly cleanup?: number
  /** Fails in its cleanup. */
  readonly breaks?: boolean
  /** Called in the step in which it ends. */
  readonly atEnd?: () => void
}

interface Options {
  readonly losers?: "interruptAndWait" | "interrupt" | "keep"
  readonly withIndex?: boolean
}

export interface Settled {
  readonly index: number
  readonly result: string
}

/** One skin. A member that is running is a handle; else it is started by the call. */
export interface Driver {
  readonly name: "effect" | "promise"
  readonly log: Array<string>
  readonly reports: Array<string>
  member(job: Job): unknown
  running(job: Job): unknown
  /** The same as a `Task`, which reports a failure that is nobody's. */
  task(job: Job): unknown
  /** Asks for the value of such a one. */
  ask(task: unknown): Attempt<string>
  /** Waits for such, and asks for the value of the first then. */
  waitAndAsk(tasks: ReadonlyArray<unknown>): Attempt<string>
  cancelTask(task: unknown): void
  /** A member that succeeds with how that one ends. */
  settled(member: unknown): unknown
  firstCompleted(members: Iterable<unknown>, options?: Options): Attempt<string>
  firstSuccess(members: Iterable<unknown>, options?: Options): Attempt<string>
  firstN(members: Iterable<unknown>, n: number, options?: Options): Attempt<Array<string>>
  all(members: Iterable<unknown>, options?: Options): Attempt<Array<string>>
  staggered(members: Iterable<unknown>, delay: number, options?: Options): Attempt<string>
  hedge(member: unknown, options: Options & { readonly after: number; readonly max?: number }): Attempt<string>
  wait(
    handles: Iterable<unknown>,
    options?: { readonly until?: any; readonly timeout?: number }
  ): Attempt<{ readonly done: ReadonlyArray<unknown>; readonly pending: ReadonlyArray<unknown> }>
  /** Takes so many of those that complete, and leaves. */
  asCompleted(members: Iterable<unknown>, take?: number, options?: Options): Attempt<Array<Settled>>
}

export class Failed extends Error {
  constructor(readonly of: string) {
    super(`${of} failed`)
  }
}

export const effectDriver = (): Driver => {
  const log: Array<string> = []
  const reports: Array<string> = []
  const say = (text: string) => Effect.sync(() => void log.push(text))
  const reporter = {
    report: ({ cause, where }: { cause: Cause.Cause<unknown>; where: string }) =>
      Effect.sync(() => void reports.push(`${where}: ${(Cause.squash(cause) as Error).message}`))
  }
  const run = <A>(effect: Effect.Effect<A, unknown>): Attempt<A> =>
    fork(Effect.provideService(effect, Reporter, reporter))
  const member = ({ after, atEnd, breaks, cleanup = 0, fails, name }: Job): Effect.Effect<string, Failed> =>
    Effect.gen(function* () {
      log.push(`${name} starts`)
      if (after > 0) yield* after === Infinity ? Effect.never : Effect.sleep(after)
      atEnd?.()
      if (fails) return yield* Effect.fail(new Failed(name))
      return name
    }).pipe(
      Effect.onInterrupt(() =>
        Effect.zipRight(
          say(`${name} stops`),
          cleanup === 0 && !breaks
            ? Effect.void
            : Effect.zipRight(
                Effect.sleep(cleanup),
                breaks ? Effect.die(new Error(`${name} broke`)) : say(`${name} cleaned up`)
              )
        )
      )
    )
  const any = (members: unknown) => members as Iterable<Effect.Effect<any, any>>
  return {
    name: "effect",
    log,
    reports,
    member,
    running: (job) => Effect.runFork(member(job)),
    task: (job) => run(Effects.Task.start(member(job))).value,
    ask: (task) => run((task as Effects.Task.Task<string, Failed>).await),
    waitAndAsk: (tasks) =>
      run(
        Effect.flatMap(
          Effects.Wait.wait(tasks as Iterable<Effects.Task.Task<string, Failed>>),
          ({ done }) => done[0]!.await
        )
      ),
    cancelTask: (task) => void run((task as Effects.Task.Task<string>).cancelNow),
    settled: (effect) =>
      Effect.merge(Effect.mapError(effect as Effect.Effect<string, Failed>, ({ message }) => message)),
    firstCompleted: (members, options) => run(Effects.Wait.firstCompleted(any(members), options)),
    firstSuccess: (members, options) => run(Effects.Wait.firstSuccess(any(members), options)),
    firstN: (members, n, options) => run(Effects.Wait.firstN(any(members), n, options)),
    all: (members, options) => run(Effects.Wait.all(any(members), options)),
    staggered: (members, delay, options) => run(Effects.Wait.staggered(any(members), delay, options)),
    hedge: (effect, options) => run(Effects.Wait.hedge(effect as Effect.Effect<any, any>, options)),
    wait: (handles, options) => run(Effects.Wait.wait(handles as Iterable<Fiber.RuntimeFiber<any, any>>, options)),
    asCompleted: (members, take = Infinity, options) =>
      run(
        Effects.Wait.asCompleted(any(members), options).pipe(
          take === Infinity ? (stream) => stream : Stream.take(take),
          Stream.map(({ exit, index }) => ({
            index,
            result: Exit.isSuccess(exit) ? exit.value : (Cause.squash(exit.cause) as Error).message
          })),
          Stream.runCollect,
          Effect.map((chunk) => Array.from(chunk))
        )
      )
  }
}

export const promiseDriver = (): Driver => {
  const log: Array<string> = []
  const reports: Array<string> = []
  const onError = ({ error, where }: { error: unknown; where: string }) =>
    void reports.push(`${where}: ${(error as Error).message}`)
  const member =
    ({ after, atEnd, breaks, cleanup = 0, fails, name }: Job) =>
    async ({ signal }: { readonly signal?: AbortSignal } = {}): Promise<string> => {
      log.push(`${name} starts`)
      if (after > 0) {
        const aborted = await new Promise<boolean>((resolve) => {
          const timer = after === Infinity ? undefined : setTimeout(() => resolve(false), after)
          signal?.addEventListener("abort", () => {
            clearTimeout(timer)
            resolve(true)
          })
        })
        if (aborted) {
          log.push(`${name} stops`)
          if (cleanup > 0) await new Promise((resolve) => setTimeout(resolve, cleanup))
          if (breaks) throw new Error(`${name} broke`)
          if (cleanup > 0) log.push(`${name} cleaned up`)
          throw signal!.reason
        }
      }
      atEnd?.()
      if (fails) throw new Failed(name)
      return name
    }
  const any = (members: unknown) => members as Iterable<() => Promise<any>>
  const { Wait } = Promises
  return {
    name: "promise",
    log,
    reports,
    member,
    running: (job) => {
      const promise = member(job)()
      promise.catch(() => {})
      return promise
    },
    task: (job) => new Promises.Task(member(job), { onError }),
    ask: (task) => start((w) => (task as Promises.Task<string>).wait(w)),
    waitAndAsk: (tasks) =>
      start(async (w) => {
        const { done } = await Wait.wait(tasks as Iterable<Promises.Task<string>>, w)
        return await done[0]!
      }),
    cancelTask: (task) => void (task as Promises.Task<string>).cancelNow(),
    settled: (f) => (call: { readonly signal: AbortSignal }) =>
      (f as (call: unknown) => Promise<string>)(call).catch(({ message }) => message),
    firstCompleted: (members, options) =>
      start((w) => Wait.firstCompleted(any(members), { onError, ...w, ...options })),
    firstSuccess: (members, options) => start((w) => Wait.firstSuccess(any(members), { onError, ...w, ...options })),
    firstN: (members, n, options) => start((w) => Wait.firstN(any(members), n, { onError, ...w, ...options })),
    all: (members, options) => start((w) => Wait.all(any(members), { onError, ...w, ...options })),
    staggered: (members, delay, options) =>
      start((w) => Wait.staggered(any(members), delay, { onError, ...w, ...options })),
    hedge: (f, options) => start((w) => Wait.hedge(f as () => Promise<any>, options && { onError, ...w, ...options })),
    wait: (handles, options) => start((w) => Wait.wait(handles as Iterable<Promise<any>>, { ...w, ...options })),
    asCompleted: (members, take = Infinity, options) =>
      start(async (w) => {
        const taken: Array<Settled> = []
        if (take === 0) return taken
        for await (const result of Wait.asCompleted(any(members), { onError, ...w, ...options })) {
          taken.push({
            index: result.index,
            result: result.status === "fulfilled" ? result.value : (result.reason as Error).message
          })
          if (taken.length === take) break
        }
        return taken
      })
  }
}

/** Lets so many milliseconds pass, and everything that follows from that happen. */
const pass = async (milliseconds: number): Promise<void> => {
  await vi.advanceTimersByTimeAsync(milliseconds)
  await settle()
}

const virtually = (test: () => Promise<void>) => async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] })
  try {
    await test()
    assert.strictEqual(vi.getTimerCount(), 0, "timers are left")
  } finally {
    vi.useRealTimers()
  }
}

const messageOf = (attempt: Attempt<unknown>) => (attempt.error as Error).message

export const waitingLaws = (make: () => Driver) =>
  describe(`Wait, ${make().name}`, () => {
    const { name: skin } = make()
    const law = (name: string, test: (driver: Driver) => Promise<void>) =>
      it(
        name,
        virtually(() => test(make()))
      )
    const a: Job = { name: "a", after: 100 }
    const b: Job = { name: "b", after: 50 }
    const never: Job = { name: "never", after: Infinity }
    const no = (after: number, name = "no"): Job => ({ name, after, fails: true })
    const races = (driver: Driver) =>
      [
        ["firstCompleted", driver.firstCompleted],
        ["firstSuccess", driver.firstSuccess],
        ["firstN", (members: Iterable<unknown>, options?: Options) => driver.firstN(members, 1, options)],
        ["staggered", (members: Iterable<unknown>, options?: Options) => driver.staggered(members, 0, options)]
      ] as ReadonlyArray<
        readonly [string, (members: Iterable<unknown>, options?: Options) => Attempt<string | Array<string>>]
      >

    describe("the first", () => {
      for (const [index, race] of ["firstCompleted", "firstSuccess", "firstN", "staggered"].entries()) {
        law(`${race} gives the first, and interrupts the others`, async (driver) => {
          const attempt = races(driver)[index]![1]([a, b, never].map(driver.member))
          await pass(49)
          assert.strictEqual(attempt.state, "waiting")
          await pass(1)
          assert.deepStrictEqual([attempt.value].flat(), ["b"])
          assert.deepStrictEqual(driver.log, ["a starts", "b starts", "never starts", "a stops", "never stops"])
          assert.deepStrictEqual(driver.reports, [])
        })

        law(`${race}: of those that end in one tick, the first in start order`, async (driver) => {
          const attempt = races(driver)[index]![1](
            [0, 0, 0].map((after, index) => driver.member({ name: `${index}`, after }))
          )
          await settle()
          assert.deepStrictEqual([attempt.value].flat(), ["0"])
        })

        law(`${race} waits for the cleanup of those who lose`, async (driver) => {
          const attempt = races(driver)[index]![1](
            [{ ...a, cleanup: 30 }, b, { ...never, cleanup: 20 }].map(driver.member)
          )
          await pass(50 + 29)
          assert.strictEqual(attempt.state, "waiting")
          await pass(1)
          assert.deepStrictEqual([attempt.value].flat(), ["b"])
          assert.deepStrictEqual(driver.log.slice(3), ["a stops", "never stops", "never cleaned up", "a cleaned up"])
        })

        law(
          `${race}, losers "interrupt": does not wait, and cleanup goes on; its failure is reported`,
          async (driver) => {
            const members = [{ ...a, cleanup: 30 }, b, { ...never, cleanup: 20, breaks: true }].map(driver.member)
            const attempt = races(driver)[index]![1](members, { losers: "interrupt" })
            await pass(50)
            assert.deepStrictEqual([attempt.value].flat(), ["b"])
            assert.deepStrictEqual(driver.log.slice(3), ["a stops", "never stops"])
            await pass(30)
            assert.deepStrictEqual(driver.log.slice(5), ["a cleaned up"])
            assert.deepStrictEqual(driver.reports, [`Wait.${race}: never broke`])
          }
        )

        law(`${race}, losers "keep": they go on, and their failure is reported`, async (driver) => {
          const attempt = races(driver)[index]![1]([a, b, no(70)].map(driver.member), { losers: "keep" })
          await pass(50)
          assert.deepStrictEqual([attempt.value].flat(), ["b"])
          await pass(50)
          assert.deepStrictEqual(driver.log, ["a starts", "b starts", "no starts"])
          assert.deepStrictEqual(driver.reports, [`Wait.${race}: no failed`])
        })

        law(`${race}: a cleanup that fails after the win is reported, and the result stays`, async (driver) => {
          const attempt = races(driver)[index]![1]([b, { ...never, cleanup: 10, breaks: true }].map(driver.member))
          await pass(60)
          assert.deepStrictEqual([attempt.value].flat(), ["b"])
          assert.deepStrictEqual(driver.reports, [`Wait.${race}: never broke`])
        })

        for (const losers of ["interruptAndWait", "keep"] as const) {
          law(`${race}, losers "${losers}": cancelled, it cancels all, and waits for them`, async (driver) => {
            const attempt = races(driver)[index]![1]([{ ...a, cleanup: 10 }, never].map(driver.member), { losers })
            await pass(20)
            attempt.cancel()
            await pass(9)
            assert.strictEqual(attempt.state, "waiting")
            await pass(1)
            assert.strictEqual(attempt.state, "cancelled")
            assert.deepStrictEqual(driver.log.slice(2), ["a stops", "never stops", "a cleaned up"])
          })
        }

        law(
          `${race}: of the losers each is told at once: their cleanup takes as long as the longest`,
          async (driver) => {
            // Effect's `FiberSet.clear` interrupts one after the other.
            const losers = Array.from({ length: 5 }, (_, i) => driver.member({ ...never, name: `${i}`, cleanup: 50 }))
            const attempt = races(driver)[index]![1]([...losers, driver.member(b)])
            await pass(50 + 49)
            assert.strictEqual(attempt.state, "waiting")
            await pass(1)
            assert.deepStrictEqual([attempt.value].flat(), ["b"])
          }
        )

        law(`${race}, withIndex: the value, and whose it is`, async (driver) => {
          const race = races(driver)[index]![1]
          const attempt = race([never, a, b].map(driver.member), { withIndex: true })
          const without = race([never, a, b].map(driver.member), { withIndex: false })
          await pass(50)
          assert.deepStrictEqual([attempt.value as unknown].flat(), [{ index: 2, value: "b" }])
          assert.deepStrictEqual([without.value].flat(), ["b"])
        })

        law(`${race}: a withIndex that is none is refused`, async (driver) => {
          const attempt = races(driver)[index]![1]([driver.member(a)], { withIndex: 1 as unknown as true })
          await settle()
          assert.instanceOf(attempt.error, TypeError)
          assert.strictEqual(messageOf(attempt), `Wait.${race}: withIndex must be a boolean, got 1`)
          assert.deepStrictEqual(driver.log, [])
        })

        law(`${race}, losers "interrupt": cancelled, it cancels all, and does not wait`, async (driver) => {
          const members = [{ ...a, cleanup: 10, breaks: true }, never].map(driver.member)
          const attempt = races(driver)[index]![1](members, { losers: "interrupt" })
          await pass(20)
          attempt.cancel()
          await settle()
          assert.strictEqual(attempt.state, "cancelled")
          await pass(10)
          assert.deepStrictEqual(driver.reports, [`Wait.${race}: a broke`])
        })

        law(`${race}: of nothing is refused`, async (driver) => {
          const attempt = races(driver)[index]![1]([])
          await settle()
          assert.instanceOf(attempt.error, RangeError)
          assert.include(messageOf(attempt), `Wait.${race}: `)
          assert.include(messageOf(attempt), "must be a list of at least 1")
        })

        law(`${race}: what is no member is refused, and nothing is started`, async (driver) => {
          // asyncio: test_issue46672
          for (const bad of [[driver.member(a), 5], [driver.member(a), undefined], 5, null] as Array<any>) {
            const attempt = races(driver)[index]![1](bad)
            await settle()
            assert.instanceOf(attempt.error, TypeError)
            assert.match(
              messageOf(attempt),
              new RegExp(`^Wait.${race}: .* must be (an effect|a function|a list).*, got `)
            )
          }
          assert.deepStrictEqual(driver.log, [])
        })

        law(`${race}: losers that there are not are refused`, async (driver) => {
          const attempt = races(driver)[index]![1]([driver.member(a)], { losers: "drop" as "keep" })
          await settle()
          assert.strictEqual(
            messageOf(attempt),
            `Wait.${race}: losers must be one of "interruptAndWait", "interrupt", "keep", got "drop"`
          )
          assert.deepStrictEqual(driver.log, [])
        })

        // The facade starts functions one after the other, and nothing else.
        if (race === "staggered" && skin === "promise") continue
        law(`${race}: one that runs already is listened to, and left alone`, async (driver) => {
          const running = driver.running(a)
          const attempt = races(driver)[index]![1]([running, driver.member(b)])
          await pass(50)
          assert.deepStrictEqual([attempt.value].flat(), ["b"])
          const again = races(driver)[index]![1]([running, driver.member(never)])
          await pass(50)
          assert.deepStrictEqual([again.value].flat(), ["a"])
          assert.deepStrictEqual(driver.log, ["a starts", "b starts", "never starts", "never stops"])
          const which = races(driver)[index]![1]([driver.member(never), running], { withIndex: true })
          await settle()
          assert.deepStrictEqual([which.value as unknown].flat(), [{ index: 1, value: "a" }])
        })
      }

      law("firstCompleted: a failure is an end, and it is that failure", async (driver) => {
        const attempt = driver.firstCompleted([a, no(10), never].map(driver.member))
        await pass(10)
        assert.instanceOf(attempt.error, Failed)
        assert.strictEqual(messageOf(attempt), "no failed")
        assert.deepStrictEqual(driver.log.slice(3), ["a stops", "never stops"])
      })

      law("firstSuccess looks past failures, which nobody hears of", async (driver) => {
        const attempt = driver.firstSuccess([no(10), no(0), b].map(driver.member))
        await pass(50)
        assert.strictEqual(attempt.value, "b")
        assert.deepStrictEqual(driver.reports, [])
      })

      law("firstSuccess: when none succeeds, all errors in start order", async (driver) => {
        const attempt = driver.firstSuccess([no(30, "x"), no(10, "y"), no(20, "z")].map(driver.member))
        await pass(29)
        assert.strictEqual(attempt.state, "waiting")
        await pass(1)
        const error = attempt.error as Effects.Wait.TooManyFailed<Failed>
        assert.instanceOf(error, Effects.Wait.TooManyFailed)
        assert.instanceOf(error, AggregateError)
        assert.strictEqual(error._tag, "TooManyFailed")
        assert.deepStrictEqual(
          error.errors.map(({ of }) => of),
          ["x", "y", "z"]
        )
        assert.strictEqual(error.message, "3 of 3 failed, and 1 had to succeed")
      })

      law("firstN gives so many, in the order in which they succeeded", async (driver) => {
        const members = [a, b, no(10), never, { name: "c", after: 70 }].map(driver.member)
        const attempt = driver.firstN(members, 2)
        await pass(69)
        assert.strictEqual(attempt.state, "waiting")
        await pass(1)
        assert.deepStrictEqual(attempt.value, ["b", "c"])
        assert.deepStrictEqual(driver.log.slice(5), ["a stops", "never stops"])
      })

      law("firstN, withIndex: whose each is; and when it cannot succeed, all errors, as without", async (driver) => {
        const members = [a, b, no(10), never, { name: "c", after: 70 }].map(driver.member)
        const attempt = driver.firstN(members, 2, { withIndex: true })
        const none = driver.firstN([no(10), a].map(driver.member), 2, { withIndex: true })
        await pass(70)
        assert.deepStrictEqual(attempt.value as unknown, [
          { index: 1, value: "b" },
          { index: 4, value: "c" }
        ])
        assert.strictEqual(messageOf(none), "1 of 2 failed, and 2 had to succeed")
      })

      law("firstCompleted, withIndex: a failure is that failure, as without", async (driver) => {
        const attempt = driver.firstCompleted([a, no(10)].map(driver.member), { withIndex: true })
        await pass(10)
        assert.strictEqual(messageOf(attempt), "no failed")
      })

      law("firstN fails once it cannot succeed any more, and interrupts the others", async (driver) => {
        const attempt = driver.firstN([no(20, "x"), a, no(10, "y"), never].map(driver.member), 3)
        await pass(20)
        const error = attempt.error as Effects.Wait.TooManyFailed<Failed>
        assert.deepStrictEqual(
          error.errors.map(({ of }) => of),
          ["x", "y"]
        )
        assert.strictEqual(error.message, "2 of 4 failed, and 3 had to succeed")
        assert.deepStrictEqual(driver.log.slice(4), ["a stops", "never stops"])
      })

      for (const n of [0, -1, 1.5, 3, NaN, "1" as unknown as number]) {
        law(`firstN of 2: ${n} is refused`, async (driver) => {
          const attempt = driver.firstN([a, b].map(driver.member), n)
          await settle()
          assert.instanceOf(attempt.error, typeof n === "number" ? RangeError : TypeError)
          assert.include(messageOf(attempt), "Wait.firstN: n must be an integer from 1 to 2, got ")
          assert.deepStrictEqual(driver.log, [])
        })
      }
    })

    describe("all", () => {
      law("gives all values in the order of the members", async (driver) => {
        // asyncio: gather test_success, test_constructor_use_running_loop
        const attempt = driver.all([a, b, { name: "c", after: 0 }].map(driver.member))
        await pass(99)
        assert.strictEqual(attempt.state, "waiting")
        await pass(1)
        assert.deepStrictEqual(attempt.value, ["a", "b", "c"])
        // asyncio: test_cancel_gather_1: to cancel it when it is done has no effect
        attempt.cancel()
        await settle()
        assert.deepStrictEqual(attempt.value, ["a", "b", "c"])
      })

      law("of nothing is nothing", async (driver) => {
        // asyncio: gather test_constructor_empty_sequence_use_running_loop
        const attempt = driver.all([])
        await settle()
        assert.deepStrictEqual(attempt.value, [])
      })

      law("takes any iterable", async (driver) => {
        const attempt = driver.all(new Set([a, b].map(driver.member)))
        await pass(100)
        assert.deepStrictEqual(attempt.value, ["a", "b"])
      })

      law(
        "fails with the first failure, and interrupts the others (asyncio's gather has them run on)",
        async (driver) => {
          // asyncio: gather test_one_exception
          const attempt = driver.all([a, no(10, "first"), no(20, "second")].map(driver.member))
          await pass(10)
          assert.strictEqual(messageOf(attempt), "first failed")
          assert.deepStrictEqual(driver.log.slice(3), ["a stops", "second stops"])
          assert.deepStrictEqual(driver.reports, [])
        }
      )

      law('losers "keep": the others run on; what fails later is reported (asyncio drops it)', async (driver) => {
        // asyncio: gather test_one_exception, test_exception_marking
        const attempt = driver.all([a, no(10, "first"), no(20, "second")].map(driver.member), { losers: "keep" })
        await pass(10)
        assert.strictEqual(messageOf(attempt), "first failed")
        await pass(100)
        assert.deepStrictEqual(driver.reports, ["Wait.all: second failed"])
        assert.deepStrictEqual(driver.log.length, 3)
      })

      law("cancelled, it cancels each that has not ended, and waits for all cleanup", async (driver) => {
        // asyncio: gather test_cancellation_broadcast
        const attempt = driver.all([b, { ...a, cleanup: 10 }, { ...never, cleanup: 20 }].map(driver.member))
        await pass(60)
        attempt.cancel()
        await pass(19)
        assert.strictEqual(attempt.state, "waiting")
        await pass(1)
        assert.strictEqual(attempt.state, "cancelled")
        assert.deepStrictEqual(driver.log.slice(3), ["a stops", "never stops", "a cleaned up", "never cleaned up"])
      })

      law("of members that succeed with their failure it waits for all, and failures are values", async (driver) => {
        // asyncio: gather test_return_exceptions, test_result_exception_success
        const attempt = driver.all([no(10), a, b].map(driver.member).map(driver.settled))
        await pass(99)
        assert.strictEqual(attempt.state, "waiting")
        await pass(1)
        assert.deepStrictEqual(attempt.value, ["no failed", "a", "b"])
      })

      law("a member that is started once for each place it has", async (driver) => {
        // asyncio: gather test_duplicate_coroutines, where it runs once; here that holds for what runs already
        const twice = driver.member(b)
        const once = driver.running(a)
        const attempt = driver.all([twice, once, twice, once])
        await pass(100)
        assert.deepStrictEqual(attempt.value, ["b", "a", "b", "a"])
        assert.deepStrictEqual(driver.log, ["a starts", "b starts", "b starts"])
      })
    })

    describe("a failure that comes with the caller's end", () => {
      for (const name of ["firstCompleted", "firstSuccess", "all"] as const) {
        law(`${name}: cancelled in the step in which a member fails, that is reported`, async (driver) => {
          const fails = driver.member({ ...no(10), atEnd: () => attempt.cancel() })
          const attempt: Attempt<unknown> = driver[name](name === "firstSuccess" ? [fails] : [fails, driver.member(a)])
          await pass(10)
          assert.strictEqual(attempt.state, "cancelled")
          assert.deepStrictEqual(driver.reports, [`Wait.${name}: no failed`])
        })
      }

      law("what would have been looked past is not reported when the caller is cancelled", async (driver) => {
        const attempt = driver.firstSuccess([no(10), never].map(driver.member))
        await pass(20)
        attempt.cancel()
        await pass(0)
        assert.deepStrictEqual([attempt.state, driver.reports], ["cancelled", []])
      })

      law(
        "asCompleted: of one that is cancelled in the step in which a member fails, that is reported",
        async (driver) => {
          const fails = driver.member({ ...no(10), atEnd: () => attempt.cancel() })
          const attempt: Attempt<unknown> = driver.asCompleted([fails, driver.member(never)])
          await pass(10)
          assert.strictEqual(attempt.state, "cancelled")
          assert.deepStrictEqual(driver.reports, ["Wait.asCompleted: no failed"])
        }
      )
    })

    describe("a task that takes part", () => {
      for (const [index, race] of ["firstCompleted", "firstSuccess", "firstN", "staggered"].entries()) {
        // The facade starts functions one after the other, and nothing else.
        if (race === "staggered" && skin === "promise") continue
        law(`${race}: gives its value, and is left alone when another wins`, async (driver) => {
          const task = driver.task(a)
          const lost = races(driver)[index]![1]([task, driver.member(b)])
          const won = races(driver)[index]![1]([driver.member(never), task], { withIndex: true })
          await pass(50)
          assert.deepStrictEqual([lost.value].flat(), ["b"])
          await pass(50)
          assert.deepStrictEqual([won.value as unknown].flat(), [{ index: 1, value: "a" }])
          const late = races(driver)[index]![1]([task, driver.member(never)])
          await settle()
          assert.deepStrictEqual([late.value].flat(), ["a"])
          assert.sameMembers(driver.log, ["a starts", "b starts", "never starts", "never stops"])
        })

        law(`${race}: a failure after the race is reported by the task`, async (driver) => {
          const attempt = races(driver)[index]![1]([driver.task(no(70)), driver.member(b)])
          await pass(69)
          assert.deepStrictEqual([[attempt.value].flat(), driver.reports], [["b"], []])
          await pass(2)
          assert.deepStrictEqual(driver.reports, ["Task: no failed"])
        })

        law(`${race}: a failure that the race fails with is the race's`, async (driver) => {
          const attempt = races(driver)[index]![1]([driver.task(no(10))])
          await pass(20)
          assert.strictEqual(attempt.state, "failed")
          assert.deepStrictEqual(driver.reports, [])
        })

        law(`${race}: one that was cancelled is an error, and ends nobody else`, async (driver) => {
          const task = driver.task(never)
          const attempt = races(driver)[index]![1]([task])
          await pass(10)
          driver.cancelTask(task)
          await pass(10)
          assert.strictEqual(attempt.state, "failed")
          assert.deepStrictEqual(driver.reports, [])
        })
      }

      law(
        "firstSuccess: a failure that it looks past is held back as long as it lasts, and is reported then",
        async (driver) => {
          const attempt = driver.firstSuccess([driver.task(no(10)), driver.member(b)])
          await pass(49)
          assert.deepStrictEqual(driver.reports, [])
          await pass(2)
          assert.strictEqual(attempt.value, "b")
          assert.deepStrictEqual(driver.reports, ["Task: no failed"])
        }
      )

      law("a failure that another has asked for is not reported", async (driver) => {
        const task = driver.task(no(10))
        const asked = driver.ask(task)
        const attempt = driver.firstSuccess([task, driver.member(b)])
        await pass(60)
        assert.deepStrictEqual([attempt.value, asked.state, driver.reports], ["b", "failed", []])
      })

      law("all: the failure is its result, and what fails later is the task's", async (driver) => {
        const attempt = driver.all([driver.task(no(10, "first")), driver.task(no(20, "second"))])
        await pass(30)
        assert.strictEqual(messageOf(attempt), "first failed")
        assert.deepStrictEqual(driver.reports, ["Task: second failed"])
      })

      law(
        "a race that is cancelled leaves the failure to the task, before it, with it and after it",
        async (driver) => {
          const tasks = [driver.task(no(10, "x")), driver.task({ ...no(20, "y"), atEnd: () => attempt.cancel() })]
          const attempt: Attempt<unknown> = driver.firstSuccess([
            ...tasks,
            driver.task(no(30, "z")),
            driver.member(never)
          ])
          await pass(19)
          assert.deepStrictEqual(driver.reports, [])
          await pass(2)
          assert.strictEqual(attempt.state, "cancelled")
          assert.deepStrictEqual(driver.reports.sort(), ["Task: x failed", "Task: y failed"])
          await pass(11)
          assert.deepStrictEqual(driver.reports.sort(), ["Task: x failed", "Task: y failed", "Task: z failed"])
        }
      )

      law("wait: takes tasks, and takes no failure over", async (driver) => {
        const [x, y] = [no(10), { name: "c", after: 150 }].map(driver.task)
        const attempt = driver.wait([x, y, x], { timeout: 110 })
        await pass(109)
        assert.deepStrictEqual([attempt.state, driver.reports], ["waiting", []])
        await pass(2)
        assert.deepStrictEqual(attempt.value, { done: [x], pending: [y] })
        assert.deepStrictEqual(driver.reports, ["Task: no failed"])
        const again = driver.wait([x])
        await settle()
        assert.deepStrictEqual(again.value, { done: [x], pending: [] })
        await pass(50)
        assert.deepStrictEqual(driver.reports, ["Task: no failed"])
      })

      law("wait: a failure that is asked for when it has ended is not reported", async (driver) => {
        const attempt = driver.waitAndAsk([driver.task(no(10)), driver.running(a)])
        await pass(99)
        assert.deepStrictEqual([attempt.state, driver.reports], ["waiting", []])
        await pass(20)
        assert.deepStrictEqual([attempt.state, driver.reports], ["failed", []])
      })

      law("wait, firstFailure: one that was cancelled has not failed", async (driver) => {
        const [x, y] = [never, no(50)].map(driver.task)
        const attempt = driver.wait([x, y], { until: "firstFailure" })
        await pass(10)
        driver.cancelTask(x)
        await pass(39)
        assert.strictEqual(attempt.state, "waiting")
        await pass(1)
        assert.deepStrictEqual(attempt.value, { done: [x, y], pending: [] })
        await pass(1)
        assert.deepStrictEqual(driver.reports, ["Task: no failed"])
      })

      law(
        "wait, firstCompleted: tasks that have ended are all done, and so is what has ended beside them",
        async (driver) => {
          const now = { name: "now", after: 0 }
          const handles = [driver.task(now), driver.task(now), driver.running(now), driver.task(a)]
          await pass(0)
          const attempt = driver.wait(handles, { until: "firstCompleted" })
          await settle()
          assert.deepStrictEqual(attempt.value, { done: handles.slice(0, 3), pending: handles.slice(3) })
          await pass(100)
        }
      )

      law(
        "asCompleted: a failure that was taken is the reader's; what was not, and what is not ours, is the task's",
        async (driver) => {
          const first = driver.task(no(10, "first"))
          const attempt = driver.asCompleted(
            [first, first, driver.task(no(10, "same")), driver.task(no(30, "late"))],
            1
          )
          await pass(20)
          assert.deepStrictEqual(attempt.value, [{ index: 0, result: "first failed" }])
          assert.deepStrictEqual(driver.reports, ["Task: same failed"])
          await pass(20)
          assert.deepStrictEqual(driver.reports, ["Task: same failed", "Task: late failed"])
        }
      )
    })

    describe("wait", () => {
      law("waits for all; again, it is there at once", async (driver) => {
        // asyncio: test_wait
        const handles = [a, { name: "c", after: 150 }].map(driver.running)
        const attempt = driver.wait(handles)
        await pass(149)
        assert.strictEqual(attempt.state, "waiting")
        await pass(1)
        assert.deepStrictEqual(attempt.value, { done: handles, pending: [] })
        const again = driver.wait(handles)
        await settle()
        assert.deepStrictEqual(again.value, { done: handles, pending: [] })
      })

      law("one that is given twice counts once", async (driver) => {
        // asyncio: test_wait_duplicate_coroutines
        const [x, y] = [a, b].map(driver.running)
        const attempt = driver.wait([x, x, y, x])
        await pass(100)
        assert.deepStrictEqual(attempt.value, { done: [x, y], pending: [] })
      })

      law("refuses nothing, what is no list, what does not run, and an until that there is not", async (driver) => {
        // asyncio: test_wait_errors, test_wait_invalid_args
        const one = driver.running({ name: "one", after: 0 })
        const refused = async (kind: typeof Error, text: string, handles: any, options?: any) => {
          const attempt = driver.wait(handles, options)
          await settle()
          assert.instanceOf(attempt.error, kind)
          assert.include(messageOf(attempt), `Wait.wait: ${text}`)
        }
        const names = skin === "effect" ? "fibers" : "promises"
        await refused(RangeError, `${names} must be a list of at least 1`, [])
        await refused(TypeError, `${names} must be a list`, one)
        await refused(TypeError, `each of ${names} must be`, [driver.member(a)])
        await refused(RangeError, `until must be one of "firstCompleted"`, [one], { until: "ever" })
        await refused(RangeError, "timeout must be 0 or more milliseconds, got -1", [one], { timeout: -1 })
        await refused(RangeError, "timeout must be 0 or more milliseconds, got NaN", [one], { timeout: NaN })
      })

      law("firstCompleted: says who has ended, and leaves the others alone", async (driver) => {
        // asyncio: test_wait_first_completed
        const [x, y] = [a, b].map(driver.running)
        const attempt = driver.wait([x, y], { until: "firstCompleted" })
        await pass(49)
        assert.strictEqual(attempt.state, "waiting")
        await pass(1)
        assert.deepStrictEqual(attempt.value, { done: [y], pending: [x] })
        const rest = driver.wait([x!])
        await pass(50)
        assert.deepStrictEqual(rest.value.done, [x])
        assert.deepStrictEqual(driver.log, ["a starts", "b starts"])
      })

      law("firstCompleted: all that have ended by then are done", async (driver) => {
        // asyncio: test_wait_really_done
        const handles = [
          { name: "x", after: 0 },
          { name: "y", after: 0 }
        ].map(driver.running)
        const attempt = driver.wait([...handles, driver.running(b)], { until: "firstCompleted" })
        await settle()
        assert.deepStrictEqual(attempt.value.done, handles)
        await pass(50)
      })

      law("firstFailure: the failing one, at its first step, or while it waits", async (driver) => {
        // asyncio: test_wait_first_exception, test_wait_first_exception_in_wait
        for (const after of [0, 10]) {
          const [x, y] = [a, no(after)].map(driver.running)
          const attempt = driver.wait([x, y], { until: "firstFailure" })
          await pass(after)
          assert.deepStrictEqual(attempt.value, { done: [y], pending: [x] })
          await pass(100)
        }
      })

      law("firstFailure: without one, all", async (driver) => {
        const handles = [a, b].map(driver.running)
        const attempt = driver.wait(handles, { until: "firstFailure" })
        await pass(99)
        assert.strictEqual(attempt.state, "waiting")
        await pass(1)
        assert.deepStrictEqual(attempt.value.done, handles)
      })

      law("all: one that fails is done, and nothing fails", async (driver) => {
        // asyncio: test_wait_with_exception
        const handles = [a, no(10), no(0)].map(driver.running)
        const attempt = driver.wait(handles)
        await pass(100)
        assert.deepStrictEqual(attempt.value, { done: handles, pending: [] })
      })

      law("a timeout splits, and cancels nobody", async (driver) => {
        // asyncio: test_wait_with_timeout
        const [x, y] = [a, { name: "c", after: 150 }].map(driver.running)
        const attempt = driver.wait([x, y], { timeout: 110 })
        await pass(109)
        assert.strictEqual(attempt.state, "waiting")
        await pass(1)
        assert.deepStrictEqual(attempt.value, { done: [x], pending: [y] })
        await pass(40)
        assert.deepStrictEqual(driver.log, ["a starts", "c starts"])
      })

      law("a member that ends at the time of the timeout is done", async (driver) => {
        // asyncio: test_wait_concurrent_complete
        const [x, y] = [a, { name: "c", after: 150 }].map(driver.running)
        const attempt = driver.wait([x, y], { timeout: 100 })
        await pass(100)
        assert.deepStrictEqual(attempt.value, { done: [x], pending: [y] })
        await pass(50)
      })

      law("a timeout of 0 looks", async (driver) => {
        const [x, y] = [{ name: "now", after: 0 }, b].map(driver.running)
        const attempt = driver.wait([x, y], { timeout: 0 })
        await pass(0)
        assert.deepStrictEqual(attempt.value, { done: [x], pending: [y] })
        await pass(50)
      })

      law("takes iterators and generators", async (driver) => {
        // asyncio: test_wait_with_iterator_of_tasks, test_wait_generator
        const handles = Array.from({ length: 10 }, (_, i) => driver.running({ name: `${i}`, after: 10 }))
        const attempts = [
          driver.wait(handles.values()),
          driver.wait(
            (function* () {
              yield* handles
            })()
          )
        ]
        await pass(10)
        for (const attempt of attempts) assert.deepStrictEqual(attempt.value, { done: handles, pending: [] })
      })

      law("cancelled, it leaves them running", async (driver) => {
        // asyncio: test_yield_wait_does_not_shield_cancel
        const handle = driver.running(a)
        const attempt = driver.wait([handle], { timeout: 1000 })
        await pass(10)
        attempt.cancel()
        await settle()
        assert.strictEqual(attempt.state, "cancelled")
        const again = driver.wait([handle])
        await pass(90)
        assert.deepStrictEqual(again.value.done, [handle])
        assert.deepStrictEqual(driver.log, ["a starts"])
      })
    })

    describe("asCompleted", () => {
      law("gives each as it ends, with its place", async (driver) => {
        // asyncio: test_as_completed, test_as_completed_same_tasks_in_as_out, test_as_completed_coroutine_use_running_loop
        const attempt = driver.asCompleted(
          [a, b, driver.running({ name: "c", after: 150 }), no(10)].map(memberOf(driver))
        )
        await pass(150)
        assert.deepStrictEqual(attempt.value, [
          { index: 3, result: "no failed" },
          { index: 1, result: "b" },
          { index: 0, result: "a" },
          { index: 2, result: "c" }
        ])
      })

      law("what ends in one tick comes in start order", async (driver) => {
        const attempt = driver.asCompleted([0, 1, 2].map((i) => driver.member({ name: `${i}`, after: 0 })))
        await settle()
        assert.deepStrictEqual(
          attempt.value.map(({ index }) => index),
          [0, 1, 2]
        )
      })

      law("what runs already counts once, at its first place", async (driver) => {
        // asyncio: test_as_completed_duplicate_coroutines
        const [x, y] = [a, b].map(driver.running)
        const attempt = driver.asCompleted([x, x, y, x])
        await pass(100)
        assert.deepStrictEqual(attempt.value, [
          { index: 2, result: "b" },
          { index: 0, result: "a" }
        ])
      })

      law("of nothing is empty", async (driver) => {
        const attempt = driver.asCompleted([])
        await settle()
        assert.deepStrictEqual(attempt.value, [])
      })

      law("refuses what is no list, and what is no member", async (driver) => {
        // asyncio: test_as_completed_invalid_args
        for (const bad of [driver.running({ name: "one", after: 0 }), [5], undefined] as Array<any>) {
          const attempt = driver.asCompleted(bad)
          await settle()
          assert.instanceOf(attempt.error, TypeError)
          assert.include(messageOf(attempt), "Wait.asCompleted: ")
        }
      })

      law(
        "left early, it interrupts those that it started, waits for them, and leaves those that ran",
        async (driver) => {
          const running = driver.running({ name: "c", after: 150 })
          const attempt = driver.asCompleted([running, driver.member({ ...a, cleanup: 10 }), driver.member(b)], 1)
          await pass(59)
          assert.strictEqual(attempt.state, "waiting")
          await pass(1)
          assert.deepStrictEqual(attempt.value, [{ index: 2, result: "b" }])
          assert.deepStrictEqual(driver.log, ["c starts", "a starts", "b starts", "a stops", "a cleaned up"])
          await pass(90)
        }
      )

      law(
        'left early, losers "keep": they run on; what fails later, or has failed and was not taken, is reported',
        async (driver) => {
          const members = [b, no(50, "same tick"), no(70, "later"), a].map(driver.member)
          const attempt = driver.asCompleted(members, 1, { losers: "keep" })
          await pass(50)
          assert.deepStrictEqual(attempt.value, [{ index: 0, result: "b" }])
          await pass(50)
          assert.deepStrictEqual(driver.reports, [
            "Wait.asCompleted: same tick failed",
            "Wait.asCompleted: later failed"
          ])
          assert.strictEqual(driver.log.length, 4)
        }
      )

      law("cancelled, it interrupts those that it started, and leaves those that ran", async (driver) => {
        const running = driver.running(a)
        const attempt = driver.asCompleted([running, driver.member({ ...never, cleanup: 10 })])
        await pass(20)
        attempt.cancel()
        await pass(9)
        assert.strictEqual(attempt.state, "waiting")
        await pass(1)
        assert.strictEqual(attempt.state, "cancelled")
        await pass(70)
        assert.deepStrictEqual(driver.log.slice(2), ["never stops", "never cleaned up"])
      })
    })

    describe("staggered", () => {
      law("of nothing is refused (asyncio: no winner, and no error)", async (driver) => {
        // asyncio: test_empty
        const attempt = driver.staggered([], 10)
        await settle()
        assert.instanceOf(attempt.error, RangeError)
      })

      law("the first succeeds in time: the second is never started", async (driver) => {
        // asyncio: test_one_successful
        const attempt = driver.staggered([b, a].map(driver.member), 60, { withIndex: true })
        await pass(50)
        assert.deepStrictEqual(attempt.value as unknown, { index: 0, value: "b" })
        assert.deepStrictEqual(driver.log, ["b starts"])
        await pass(100)
        assert.deepStrictEqual(driver.log, ["b starts"])
      })

      law("the first fails: the second is started at once, and succeeds", async (driver) => {
        // asyncio: test_first_error_second_successful
        const attempt = driver.staggered([no(10), b].map(driver.member), 60, { withIndex: true })
        await pass(9)
        assert.deepStrictEqual(driver.log, ["no starts"])
        await pass(1)
        assert.deepStrictEqual(driver.log, ["no starts", "b starts"])
        await pass(50)
        assert.deepStrictEqual(attempt.value as unknown, { index: 1, value: "b" })
      })

      law(
        "the first is slow: the second is started after the delay, wins, and the first is cancelled",
        async (driver) => {
          // asyncio: test_first_timeout_second_successful
          const attempt = driver.staggered([{ ...never, cleanup: 10 }, b, a].map(driver.member), 60, {
            withIndex: true
          })
          await pass(59)
          assert.deepStrictEqual(driver.log, ["never starts"])
          await pass(1)
          assert.deepStrictEqual(driver.log, ["never starts", "b starts"])
          await pass(50)
          assert.strictEqual(attempt.state, "waiting")
          await pass(10)
          assert.deepStrictEqual(attempt.value as unknown, { index: 1, value: "b" })
          assert.deepStrictEqual(driver.log.slice(2), ["never stops", "never cleaned up"])
        }
      )

      law("none succeeds: both errors, in start order", async (driver) => {
        // asyncio: test_none_successful
        const attempt = driver.staggered([no(30, "x"), no(10, "y")].map(driver.member), 10)
        await pass(30)
        assert.deepStrictEqual(
          (attempt.error as AggregateError).errors.map(({ of }) => of),
          ["x", "y"]
        )
      })

      law("two are ready in one tick: exactly one wins", async (driver) => {
        // asyncio: test_multiple_winners
        const attempt = driver.staggered(
          [
            { name: "x", after: 20 },
            { name: "y", after: 10 }
          ].map(driver.member),
          10
        )
        await pass(20)
        assert.include(["x", "y"], attempt.value)
        assert.deepStrictEqual(driver.reports, [])
      })

      law("cancelled, it cancels those that were started, and starts no other", async (driver) => {
        // asyncio: test_cancelled
        const attempt = driver.staggered([{ ...never, cleanup: 50 }, { ...a, cleanup: 50 }, b].map(driver.member), 10)
        await pass(15)
        attempt.cancel()
        await pass(50)
        assert.strictEqual(attempt.state, "cancelled")
        assert.deepStrictEqual(driver.log.slice(0, 4), ["never starts", "a starts", "never stops", "a stops"])
        assert.strictEqual(driver.log.length, 6)
      })

      law("only a failure of the last that was started hurries the next", async (driver) => {
        const members = [no(30, "x"), no(45, "y"), { name: "z", after: 100 }, a].map(driver.member)
        const attempt = driver.staggered(members, 20)
        await pass(39)
        assert.deepStrictEqual(driver.log, ["x starts", "y starts"])
        await pass(1)
        assert.deepStrictEqual(driver.log, ["x starts", "y starts", "z starts"])
        await pass(20)
        assert.deepStrictEqual(driver.log.length, 4)
        await pass(80)
        assert.strictEqual(attempt.value, "z")
      })

      law("an infinite delay: the next only after a failure", async (driver) => {
        const attempt = driver.staggered([no(1000), b].map(driver.member), Infinity)
        await pass(999)
        assert.deepStrictEqual(driver.log, ["no starts"])
        await pass(51)
        assert.strictEqual(attempt.value, "b")
      })

      for (const delay of [-1, NaN, undefined as unknown as number]) {
        law(`a delay of ${delay} is refused`, async (driver) => {
          const attempt = driver.staggered([driver.member(a)], delay)
          await settle()
          assert.instanceOf(attempt.error, delay === undefined ? TypeError : RangeError)
          assert.include(messageOf(attempt), "Wait.staggered: delay must be ")
          assert.deepStrictEqual(driver.log, [])
        })
      }
    })

    describe("hedge", () => {
      law("starts the same again after the delay, and at most so often", async (driver) => {
        const attempt = driver.hedge(driver.member(never), { after: 10, max: 3 })
        await pass(9)
        assert.strictEqual(driver.log.length, 1)
        await pass(1)
        assert.strictEqual(driver.log.length, 2)
        await pass(1000)
        assert.strictEqual(driver.log.length, 3)
        attempt.cancel()
        await settle()
        assert.strictEqual(driver.log.length, 6)
      })

      law("an answer in time starts no other; by default there are two", async (driver) => {
        const quick = driver.hedge(driver.member(b), { after: 60 })
        await pass(50)
        assert.strictEqual(quick.value, "b")
        assert.deepStrictEqual(driver.log, ["b starts"])
        const slow = driver.hedge(driver.member(a), { after: 10, withIndex: true })
        await pass(100)
        assert.deepStrictEqual(slow.value as unknown, { index: 0, value: "a" })
        assert.deepStrictEqual(driver.log.slice(1), ["a starts", "a starts", "a stops"])
      })

      law("a failure starts the next at once; all errors when all fail", async (driver) => {
        const attempt = driver.hedge(driver.member(no(5)), { after: 10, max: 3 })
        await pass(15)
        assert.strictEqual((attempt.error as AggregateError).errors.length, 3)
      })

      law("refuses what cannot be", async (driver) => {
        for (const [options, text] of [
          [{ after: -1 }, "after must be 0 or more milliseconds, got -1"],
          [{ after: 1, max: 0 }, "max must be an integer of at least 1, got 0"],
          [undefined, "options must be an object"],
          [{}, "after must be "]
        ] as Array<[any, string]>) {
          const attempt = driver.hedge(driver.member(a), options)
          await settle()
          assert.include(messageOf(attempt), `Wait.hedge: ${text}`)
        }
        const attempt = driver.hedge(5, { after: 1 })
        await settle()
        assert.instanceOf(attempt.error, TypeError)
        assert.deepStrictEqual(driver.log, [])
      })
    })
  })

/** A job that is to be started; what runs already stays what it is. */
const memberOf =
  (driver: Driver) =>
  (job: unknown): unknown =>
    typeof (job as Job).name === "string" && "after" in (job as Job) ? driver.member(job as Job) : job
