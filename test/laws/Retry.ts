/**
 * The laws of retrying, for effects and for functions. Time is virtual: both skins run on the platform's timers, and these are faked.
 *
 * They are the tests of asyncio-semantics 18: asyncio has no retry, so they follow from its rules for cancellation and for timeouts.
 */
import { assert, describe, it, vi } from "@effect/vitest"
import { Clock, Effect, Random } from "effect"
import * as Effects from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { type Attempt, fork, settle, start } from "./skins.js"

/** What an attempt does, after how many milliseconds, and how long it takes to clean up when it is told to stop. */
export interface Step {
  readonly after?: number
  readonly fails?: unknown
  readonly gives?: unknown
  readonly cleanup?: number
}

/** What both skins call the same. Durations are milliseconds. */
export interface Options {
  readonly attempts?: number
  readonly base?: number
  readonly factor?: number
  readonly cap?: number
  readonly jitter?: Effects.Retry.Jitter
  readonly while?: (error: any) => boolean
  readonly whileResult?: (value: any) => boolean
  readonly maxElapsed?: number
  readonly perAttemptTimeout?: number
  readonly retryAfter?: (error: any) => number | Date | undefined
  readonly retryAfterResult?: (value: any) => number | Date | undefined
  readonly budget?: any
  readonly onRetry?: (retried: Effects.Retry.Retried) => void
  readonly exhausted?: "last" | "wrap"
  /** What the dice show, again and again. Default: 0.5. */
  readonly dice?: ReadonlyArray<number>
  /** A limit for the whole. */
  readonly timeout?: number
}

export interface Driver {
  readonly name: string
  /** Whether its calls can be cancelled. */
  readonly cancels: boolean
  /** When each attempt began, and what became of it when it was told to stop. */
  readonly log: Array<string>
  retry(steps: ReadonlyArray<Step>, options?: Options): Attempt<unknown>
  budget(options: { readonly ratio?: number; readonly burst?: number }): unknown
}

/** Effect's own reads the hardware's clock, which is not faked. */
const platformClock = (): Clock.Clock => {
  const millis = () => Date.now()
  const nanos = () => BigInt(Math.round(performance.now() * 1e6))
  return {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: millis,
    unsafeCurrentTimeNanos: nanos,
    currentTimeMillis: Effect.sync(millis),
    currentTimeNanos: Effect.sync(nanos),
    sleep: (duration) =>
      Effect.async((resume) => {
        const timer = setTimeout(() => resume(Effect.void), (duration as any).value.millis)
        return Effect.sync(() => clearTimeout(timer))
      })
  }
}

/** Steps are taken in order, and the last again and again. */
const stepper = (steps: ReadonlyArray<Step>, log: Array<string>) => {
  let count = 0
  return () => {
    const number = ++count
    log.push(`${number} at ${performance.now()}`)
    return { number, step: steps[Math.min(number, steps.length) - 1]! }
  }
}

const dice = (values: ReadonlyArray<number> = [0.5]) => {
  let throws = 0
  return () => values[throws++ % values.length]!
}

export const effectDriver = (): Driver => {
  const log: Array<string> = []
  const clock = platformClock()
  const sleep = (milliseconds = 0) => (milliseconds > 0 ? Effect.sleep(milliseconds) : Effect.void)
  return {
    name: "effect",
    cancels: true,
    log,
    budget: (options) => Effects.Retry.makeBudgetUnsafe(options),
    retry: (steps, { dice: values, timeout, ...options } = {}) => {
      const next = stepper(steps, log)
      const attempt = Effect.suspend(() => {
        const { number, step } = next()
        return Effect.zipRight(
          sleep(step.after),
          "fails" in step ? Effect.fail(step.fails) : Effect.succeed(step.gives)
        ).pipe(
          Effect.onInterrupt(() =>
            Effect.zipRight(
              Effect.sync(() => log.push(`${number} stops`)),
              Effect.map(sleep(step.cleanup), () => log.push(`${number} is clean`))
            )
          )
        )
      })
      const all: Effect.Effect<unknown, unknown> = Effect.suspend(() => Effects.Retry.retry(attempt, options))
      const roll = Effect.sync(dice(values))
      const random = Object.create(Random.make(0), { next: { value: roll } }) as Random.Random
      const limited = timeout === undefined ? all : Effects.Timeout.timeout(timeout)(all)
      return fork(Effect.withClock(Effect.withRandom(limited, random), clock))
    }
  }
}

const promises = (name: string, cancels: boolean) => (): Driver => {
  const log: Array<string> = []
  return {
    name,
    cancels,
    log,
    budget: (options) => new Promises.RetryBudget(options),
    retry: (steps, { dice: values, timeout, ...options } = {}) => {
      const next = stepper(steps, log)
      const sleep = (milliseconds = 0) =>
        milliseconds > 0 ? new Promise<void>((resolve) => setTimeout(resolve, milliseconds)) : undefined
      const attempt = async ({ attempt, signal }: Promises.RetryContext) => {
        const { number, step } = next()
        assert.strictEqual(attempt, number)
        const { after = 0, cleanup } = step
        if (after > 0) {
          await new Promise<void>((resolve, reject) => {
            const stop = () => {
              clearTimeout(timer)
              reject(signal.reason)
            }
            const timer = setTimeout(() => {
              signal.removeEventListener("abort", stop)
              resolve()
            }, after)
            signal.addEventListener("abort", stop)
          }).catch(async (reason) => {
            log.push(`${number} stops`)
            await sleep(cleanup)
            log.push(`${number} is clean`)
            throw reason
          })
        }
        if ("fails" in step) throw step.fails
        return step.gives
      }
      const policy = { ...options, random: dice(values) }
      return start(({ signal }) =>
        Promises.retry<unknown>(attempt, policy, { ...(cancels ? { signal } : {}), ...(timeout ? { timeout } : {}) })
      )
    }
  }
}

export const promiseDriver = promises("promise", true)
export const plainDriver = promises("promise without a signal", false)

/** Lets so many milliseconds pass, and everything that follows from that happen. */
const pass = async (milliseconds: number): Promise<void> => {
  await vi.advanceTimersByTimeAsync(milliseconds)
  await settle()
}

const virtually = (test: () => Promise<void>) => async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date", "performance"], now: 1_000_000 })
  try {
    await test()
    assert.strictEqual(vi.getTimerCount(), 0, "timers are left")
  } finally {
    vi.useRealTimers()
  }
}

const statsOf = (budget: any) => Promises.RetryBudget.from(budget).stats()

const oops = new Error("oops")
const failing: ReadonlyArray<Step> = [{ fails: oops }]
const none = { jitter: "none" } as const

/** Attempts begin at these times, and not a millisecond before. */
const begins = async ({ log }: Driver, ...times: ReadonlyArray<number>): Promise<void> => {
  await settle()
  for (const [index, time] of times.entries()) {
    const left = time - performance.now()
    if (left > 0) {
      await pass(left - 1)
      assert.strictEqual(log.length, index, `attempt ${index + 1} begins before ${time}`)
      await pass(1)
    }
    assert.strictEqual(log.at(-1), `${index + 1} at ${time}`)
  }
  assert.strictEqual(log.length, times.length)
}

export const retryLaws = (make: () => Driver) => {
  const { cancels, name } = make()
  describe(`Retry, ${name}`, () => {
    const law = (title: string, test: (driver: Driver) => Promise<void>) =>
      it(
        title,
        virtually(() => test(make()))
      )

    law("success at the first attempt: no pause, and no timer", async (driver) => {
      const call = driver.retry([{ gives: 5 }])
      await settle()
      assert.strictEqual(call.value, 5)
      assert.deepStrictEqual(driver.log, ["1 at 0"])
    })

    law("success at the third attempt", async (driver) => {
      const call = driver.retry(
        [
          { fails: 1, after: 5 },
          { fails: 2, after: 5 },
          { gives: 3, after: 5 }
        ],
        {
          ...none,
          base: 10
        }
      )
      await begins(driver, 0, 15, 40)
      assert.strictEqual(call.state, "waiting")
      await pass(5)
      assert.strictEqual(call.value, 3)
    })

    law("exhaustion: the last error as it is, at once, with no pause after the last attempt", async (driver) => {
      const call = driver.retry([{ fails: "first" }, { fails: "second" }, { fails: oops }], { ...none, base: 10 })
      await begins(driver, 0, 10, 30)
      assert.strictEqual(call.error, oops)
      assert.strictEqual(vi.getTimerCount(), 0)
    })

    law("one attempt: no pause at all", async (driver) => {
      const call = driver.retry(failing, { attempts: 1 })
      await begins(driver, 0)
      assert.strictEqual(call.error, oops)
    })

    law("an error that is not worth it is not retried, and not wrapped", async (driver) => {
      const call = driver.retry([{ fails: 503 }, { fails: 404 }], {
        ...none,
        base: 10,
        while: (error) => error === 503,
        exhausted: "wrap"
      })
      await begins(driver, 0, 10)
      assert.strictEqual(call.error, 404)
    })

    law("a value that calls for another attempt; the last one is given", async (driver) => {
      const call = driver.retry([{ gives: "later" }, { gives: "now" }], {
        ...none,
        base: 10,
        whileResult: (value) => value === "later"
      })
      await begins(driver, 0, 10)
      assert.strictEqual(call.value, "now")
      const other = make()
      const never = other.retry([{ gives: "later" }], { attempts: 2, base: 0, whileResult: () => true })
      await settle()
      assert.deepStrictEqual([never.value, other.log.length], ["later", 2])
    })

    law("wrap: the last error as the cause, or the last value, with how many and how long", async (driver) => {
      const call = driver.retry([{ fails: oops, after: 5 }], { ...none, attempts: 2, base: 10, exhausted: "wrap" })
      await begins(driver, 0, 15)
      await pass(5)
      const error = call.error as Effects.Retry.RetryExhausted
      assert.instanceOf(error, Effects.Retry.RetryExhausted)
      assert.instanceOf(error, Promises.RetryExhausted)
      assert.deepStrictEqual(
        [error._tag, error.cause, error.attempts, error.elapsed, error.reason],
        ["RetryExhausted", oops, 2, 20, "attempts"]
      )
      const valued = make().retry([{ gives: 503 }], { attempts: 1, exhausted: "wrap", whileResult: () => true })
      await settle()
      assert.strictEqual((valued.error as Effects.Retry.RetryExhausted).value, 503)
    })

    // ------------------------------------------------------------------------------------------------------------ the pauses

    law("fixed pauses", async (driver) => {
      driver.retry(failing, { ...none, attempts: 4, base: 10, factor: 1 })
      await begins(driver, 0, 10, 20, 30)
    })

    law("pauses that grow, up to the cap", async (driver) => {
      driver.retry(failing, { ...none, attempts: 6, base: 10, factor: 3, cap: 100 })
      await begins(driver, 0, 10, 40, 130, 230, 330)
    })

    law("full jitter", async (driver) => {
      driver.retry(failing, { attempts: 5, base: 100, cap: 300, dice: [0.5, 0.01, 1, 0.1] })
      await begins(driver, 0, 50, 52, 352, 382)
    })

    law("equal jitter", async (driver) => {
      driver.retry(failing, { attempts: 5, base: 100, cap: 300, jitter: "equal", dice: [0.5, 0, 1, 0.1] })
      await begins(driver, 0, 75, 175, 475, 640)
    })

    law("decorrelated jitter: from the pause before", async (driver) => {
      driver.retry(failing, { attempts: 5, base: 100, cap: 1000, jitter: "decorrelated", dice: [0.5, 1, 0, 1] })
      // 100 + 0.5 * (300 - 100), then 600, then 100, then 300.
      await begins(driver, 0, 200, 800, 900, 1200)
    })

    law("a pause of zero is a turn, without a timer", async (driver) => {
      const call = driver.retry(failing, { attempts: 50, base: 0 })
      await settle()
      for (let i = 0; i < 20; i++) await settle()
      assert.strictEqual(call.error, oops)
      assert.strictEqual(driver.log.at(-1), "50 at 0")
    })

    law("a pause that is longer than a timer can be", async (driver) => {
      const days = 86_400_000
      driver.retry(failing, { ...none, attempts: 2, base: 60 * days })
      await begins(driver, 0, 60 * days)
    })

    // ----------------------------------------------------------------------------------------------------------- when to end

    law("maxElapsed: no pause that ends after it, and one that ends with it", async (driver) => {
      const options = { ...none, attempts: Infinity, base: 10, factor: 1 }
      const call = driver.retry([{ fails: oops, after: 2 }], { ...options, maxElapsed: 36 })
      await begins(driver, 0, 12, 24, 36)
      await pass(1)
      assert.strictEqual(call.state, "waiting")
      await pass(1)
      assert.strictEqual(call.error, oops)
      const other = make()
      const shorter = other.retry(failing, { ...options, maxElapsed: 9, exhausted: "wrap" })
      await settle()
      assert.strictEqual((shorter.error as Effects.Retry.RetryExhausted).reason, "maxElapsed")
      assert.strictEqual(other.log.length, 1)
    })

    law("retryAfter: seconds, to the millisecond, whatever the jitter", async (driver) => {
      driver.retry([{ fails: { after: 1.5 } }, { gives: 1 }], { base: 10, retryAfter: ({ after }) => after })
      await begins(driver, 0, 1500)
    })

    law("retryAfter: a date, by the calendar", async (driver) => {
      const date = new Date(Date.now() + 777)
      driver.retry([{ fails: date }, { gives: 1 }], { base: 10, retryAfter: (error) => error })
      await begins(driver, 0, 777)
    })

    law("retryAfter: zero, and a date that is past, mean at once", async (driver) => {
      const past = new Date(Date.now() - 1)
      const call = driver.retry([{ fails: 0 }, { fails: past }, { gives: 1 }], {
        base: 10,
        retryAfter: (error) => error
      })
      await settle()
      await begins(driver, 0, 0, 0).catch(() => {})
      assert.deepStrictEqual(driver.log, ["1 at 0", "2 at 0", "3 at 0"])
      assert.strictEqual(call.value, 1)
    })

    law("retryAfter: above the cap it is kept to; after maxElapsed there is no further attempt", async (driver) => {
      const options = { ...none, base: 10, cap: 10, maxElapsed: 1000, retryAfter: () => 0.6 }
      const call = driver.retry(failing, options)
      await begins(driver, 0, 600)
      assert.strictEqual(call.error, oops)
      const never = make().retry(failing, { retryAfter: () => Infinity })
      await settle()
      assert.strictEqual(never.error, oops)
    })

    law("retryAfter: none, for an error that does not say; and from a value", async (driver) => {
      driver.retry([{ fails: "?" }, { gives: { status: 503 } }, { gives: 1 }], {
        ...none,
        base: 10,
        whileResult: ({ status }) => status === 503,
        retryAfter: () => undefined,
        retryAfterResult: () => 2
      })
      await begins(driver, 0, 10, 2010)
    })

    law("a success is a request to the budget as well, and only a first attempt is one", async (driver) => {
      const budget = driver.budget({ ratio: 0.5, burst: 2 })
      driver.retry([{ fails: oops }, { gives: 1 }], { base: 0, budget })
      for (let i = 0; i < 3; i++) await settle()
      assert.deepStrictEqual(statsOf(budget), { available: 1, requests: 1, retries: 1, refused: 0 })
      driver.retry([{ gives: 1 }], { base: 0, budget })
      driver.retry([{ gives: 1 }], { base: 0, budget })
      await settle()
      assert.deepStrictEqual(statsOf(budget), { available: 2, requests: 3, retries: 1, refused: 0 })
    })

    law("a budget is shared: an outage is not multiplied", async (driver) => {
      const budget: any = driver.budget({ ratio: 0.5, burst: 2 })
      const options = { attempts: 10, base: 0, budget, exhausted: "wrap" } as const
      const calls = [0, 1, 2, 3].map(() => driver.retry(failing, options))
      for (let i = 0; i < 4; i++) await settle()
      for (const call of calls) assert.strictEqual((call.error as Effects.Retry.RetryExhausted).reason, "budget")
      // It is full in the beginning, so what the first two requests put in is too much for it.
      const { requests, retries } = Promises.RetryBudget.from(budget).stats()
      assert.strictEqual(requests, 4)
      assert.isAtMost(retries, 2 + 4 * 0.5)
      assert.strictEqual(driver.log.length, 4 + retries)
    })

    // -------------------------------------------------------------------------------------------------------------- time limits

    law(
      "an attempt that takes too long is stopped, and cleaned up, and retried; while is not asked",
      async (driver) => {
        const asked: Array<unknown> = []
        const events: Array<any> = []
        const ask = (error: unknown) => {
          asked.push(error)
          return false
        }
        const call = driver.retry(
          [
            { after: 1000, cleanup: 30 },
            { gives: 2, after: 99 }
          ],
          {
            ...none,
            base: 10,
            perAttemptTimeout: 100,
            while: ask,
            retryAfter: ask as never,
            onRetry: ({ error }) => void events.push(error)
          }
        )
        await pass(99)
        assert.deepStrictEqual(driver.log, ["1 at 0"])
        await pass(1)
        assert.deepStrictEqual(driver.log, ["1 at 0", "1 stops"])
        await pass(39)
        assert.deepStrictEqual(driver.log, ["1 at 0", "1 stops", "1 is clean"])
        await pass(1)
        assert.strictEqual(driver.log.at(-1), "2 at 140")
        await pass(99)
        assert.strictEqual(call.value, 2)
        assert.deepStrictEqual(
          [asked, events.map(({ _tag, deadline }) => [_tag, deadline])],
          [[], [["DeadlineExceeded", "attempt"]]]
        )
      }
    )

    law("every attempt takes too long: the last of these errors arrives", async (driver) => {
      const call = driver.retry([{ after: 1000 }], { ...none, attempts: 2, base: 10, perAttemptTimeout: 100 })
      await pass(210)
      assert.strictEqual((call.error as any)._tag, "DeadlineExceeded")
    })

    law("under a limit an attempt's own errors are its own, a deadline of its own among them", async (driver) => {
      const own = new Effects.Timeout.DeadlineExceeded("its own", 5)
      const asked: Array<unknown> = []
      const call = driver.retry([{ fails: oops, after: 5 }, { fails: own }], {
        ...none,
        base: 10,
        perAttemptTimeout: 100,
        while: (error) => {
          asked.push(error)
          return error !== own
        }
      })
      await pass(15)
      assert.strictEqual(call.error, own)
      assert.deepStrictEqual(asked, [oops, own])
    })

    law("a limit of the whole during a pause ends it then, with no further attempt", async (driver) => {
      const call = driver.retry(failing, { ...none, attempts: Infinity, base: 100, factor: 1, timeout: 250 })
      await begins(driver, 0, 100, 200)
      await pass(49)
      assert.strictEqual(call.state, "waiting")
      await pass(1)
      assert.strictEqual((call.error as Error).name, "TimeoutError")
      assert.strictEqual(vi.getTimerCount(), 0)
      await pass(1000)
      assert.strictEqual(driver.log.length, 3)
    })

    law(
      "a limit of the whole during an attempt stops that, waits for its cleanup, and is not retried",
      async (driver) => {
        const call = driver.retry([{ after: 1000, cleanup: 20 }], { ...none, base: 10, timeout: 50 })
        await pass(69)
        assert.deepStrictEqual([call.state, driver.log], ["waiting", ["1 at 0", "1 stops"]])
        await pass(1)
        assert.strictEqual((call.error as Error).name, "TimeoutError")
        await pass(1000)
        assert.deepStrictEqual(driver.log, ["1 at 0", "1 stops", "1 is clean"])
      }
    )

    // ------------------------------------------------------------------------------------------------------------- cancellation

    if (cancels) {
      law("cancelled during an attempt: its cleanup is waited for, and there is no other", async (driver) => {
        const call = driver.retry(
          [
            { fails: oops, after: 5 },
            { after: 1000, cleanup: 30 }
          ],
          { ...none, base: 10 }
        )
        await begins(driver, 0, 15)
        call.cancel()
        await settle()
        assert.deepStrictEqual([call.state, driver.log.slice(2)], ["waiting", ["2 stops"]])
        await pass(29)
        assert.strictEqual(call.state, "waiting")
        await pass(1)
        assert.strictEqual(call.state, "cancelled")
        await pass(1000)
        assert.deepStrictEqual(driver.log.slice(2), ["2 stops", "2 is clean"])
      })

      law("cancelled during an attempt under a limit of its own", async (driver) => {
        const call = driver.retry([{ after: 1000, cleanup: 30 }], { base: 10, perAttemptTimeout: 100 })
        await pass(50)
        call.cancel()
        await pass(30)
        assert.strictEqual(call.state, "cancelled")
        await pass(1000)
        assert.deepStrictEqual(driver.log, ["1 at 0", "1 stops", "1 is clean"])
      })

      law("cancelled during a pause: at once, and no timer is left", async (driver) => {
        const call = driver.retry(failing, { ...none, base: 100 })
        await pass(50)
        call.cancel()
        await settle()
        assert.strictEqual(call.state, "cancelled")
        assert.strictEqual(vi.getTimerCount(), 0)
        await pass(1000)
        assert.strictEqual(driver.log.length, 1)
      })

      law("cancelled in the tick in which a pause ends: there is no further attempt", async (driver) => {
        const call = driver.retry(failing, { ...none, base: 100 })
        await pass(99)
        vi.advanceTimersByTime(1)
        call.cancel()
        await settle()
        assert.strictEqual(call.state, "cancelled")
        assert.strictEqual(driver.log.length, 1)
      })

      law("cancelled during a pause: the token of the budget is there again, and for the next", async (driver) => {
        const budget = driver.budget({ ratio: 0, burst: 1 })
        const call = driver.retry(failing, { ...none, attempts: 2, base: 100, budget })
        await pass(50)
        assert.deepStrictEqual(statsOf(budget), { available: 0, requests: 1, retries: 1, refused: 0 })
        call.cancel()
        await settle()
        assert.deepStrictEqual(statsOf(budget), { available: 1, requests: 1, retries: 0, refused: 0 })
        driver.retry(failing, { ...none, attempts: 2, base: 100, budget })
        await pass(100)
        assert.deepStrictEqual(statsOf(budget), { available: 0, requests: 2, retries: 1, refused: 0 })
        assert.strictEqual(driver.log.length, 3)
      })

      law(
        "cancelled during the first attempt: it was no request; during a later one: its token is used",
        async (driver) => {
          const budget = driver.budget({ ratio: 0, burst: 1 })
          const first = driver.retry([{ after: 1000 }], { ...none, base: 10, budget })
          await pass(50)
          first.cancel()
          await settle()
          assert.deepStrictEqual(statsOf(budget), { available: 1, requests: 0, retries: 0, refused: 0 })
          const later = driver.retry([{ fails: oops }, { after: 1000 }], { ...none, base: 10, budget })
          await pass(50)
          later.cancel()
          await settle()
          assert.deepStrictEqual(statsOf(budget), { available: 0, requests: 1, retries: 1, refused: 0 })
        }
      )

      law("cancelled in the tick in which an attempt fails: there is no other", async (driver) => {
        const call = driver.retry([{ fails: oops, after: 10 }], { base: 0, attempts: Infinity })
        await pass(9)
        vi.advanceTimersByTime(1)
        call.cancel()
        await settle()
        assert.strictEqual(call.state, "cancelled")
        assert.strictEqual(driver.log.filter((line) => line.includes(" at ")).length, 1)
      })

      law("cancelled where pauses are zero", async (driver) => {
        const call = driver.retry(failing, { base: 0, attempts: Infinity })
        await settle()
        call.cancel()
        // Effect leaves the event loop a turn now and then, by a timer.
        await pass(1)
        assert.strictEqual(call.state, "cancelled")
        const { length } = driver.log
        await settle()
        assert.strictEqual(driver.log.length, length)
      })
    }

    // ------------------------------------------------------------------------------------------------------------------- telling

    law("each retry is told before its pause, and no other end is", async (driver) => {
      const events: Array<unknown> = []
      driver.retry([{ fails: "a", after: 5 }, { gives: "b" }, { fails: "c" }], {
        ...none,
        base: 10,
        whileResult: (value) => value === "b",
        onRetry: (event) => void events.push({ ...event, at: performance.now() })
      })
      await begins(driver, 0, 15, 35)
      assert.deepStrictEqual(events, [
        { attempt: 1, delay: 10, elapsed: 5, error: "a", value: undefined, at: 5 },
        { attempt: 2, delay: 20, elapsed: 15, error: undefined, value: "b", at: 15 }
      ])
    })

    for (const which of ["while", "whileResult", "retryAfter", "retryAfterResult", "onRetry"] as const) {
      law(
        `${which} throws: that arrives, there is no further attempt, and the budget has what it had`,
        async (driver) => {
          const bug = new Error("bug")
          const throws = () => {
            throw bug
          }
          const budget = driver.budget({ ratio: 0.5, burst: 3 })
          const step = which.endsWith("Result") ? { gives: 1 } : { fails: oops }
          // Not full, so that a request would be seen.
          driver.retry(failing, { attempts: 3, base: 0, budget })
          await settle()
          await settle()
          await settle()
          const before = statsOf(budget)
          assert.deepStrictEqual(before, { available: 1, requests: 1, retries: 2, refused: 0 })
          const call = driver.retry([step], { whileResult: () => true, [which]: throws, budget })
          await settle()
          assert.strictEqual(call.error, bug)
          // Who is told of a retry is told after it was decided: the attempt before it was a request, and the token is there again.
          const after = which === "onRetry" ? { ...before, requests: 2 } : before
          assert.deepStrictEqual(statsOf(budget), after)
          await pass(1000)
          assert.strictEqual(driver.log.filter((line) => line.startsWith("1 ")).length, 2)
          assert.strictEqual(driver.log.length, 4)
        }
      )
    }

    law("a policy that makes no sense is refused before anything runs", async (driver) => {
      const refusals = [
        [{ attempts: 0 }, "attempts must be an integer of at least 1, or Infinity, got 0"],
        [{ base: -1 }, "base must be 0 or more milliseconds, got -1"],
        [{ base: NaN }, "base must be 0 or more milliseconds, got NaN"],
        [{ base: Infinity }, "base must be a finite number of milliseconds, got Infinity"],
        [{ factor: 0.5 }, "factor must be a finite number of at least 1, got 0.5"],
        [{ factor: NaN }, "factor must be a finite number of at least 1, got NaN"],
        [{ base: 10, cap: 9 }, "cap must be at least the base, which is 10 milliseconds, got 9"],
        [{ cap: NaN }, "cap must be 0 or more milliseconds, got NaN"],
        [{ maxElapsed: -1 }, "maxElapsed must be 0 or more milliseconds, got -1"],
        [{ maxElapsed: NaN }, "maxElapsed must be 0 or more milliseconds, got NaN"],
        [{ perAttemptTimeout: 0 }, "perAttemptTimeout must be more than 0 milliseconds, got 0"],
        [{ perAttemptTimeout: -1 }, "got -1"],
        [{ perAttemptTimeout: NaN }, "got NaN"],
        [{ jitter: "some" as never }, 'jitter must be one of "none", "full", "equal", "decorrelated", got "some"'],
        [{ while: 5 as never }, "while must be a function, got 5"],
        [{ budget: {} }, "budget must be a budget, got an object (Object)"]
      ] as const
      for (const [options, message] of refusals) {
        const call = driver.retry([{ gives: 1 }], options)
        await settle()
        assert.match((call.error as Error).message, /^(Retry\.)?retry: /)
        assert.include((call.error as Error).message, message)
      }
      assert.deepStrictEqual(driver.log, [])
    })
  })
}
