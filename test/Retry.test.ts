import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  Config,
  ConfigProvider,
  Context,
  Duration,
  Effect,
  Exit,
  Fiber,
  Layer,
  Random,
  Schedule,
  TestClock
} from "effect"
import { Retry, Timeout, WorkQueue } from "effect-concurrency"
import { RetryBudget } from "effect-concurrency/promise"
import { effectDriver, retryLaws } from "./laws/Retry.js"
import { dieWith } from "./utils/defects.js"
import { sweepIsClean } from "./utils/sweep.js"

retryLaws(effectDriver)

const oops = new Error("oops")

/** An effect that fails so many times, and counts. */
const failing = (times = Infinity) => {
  const counted = { attempts: 0 }
  const effect = Effect.suspend(() => (++counted.attempts <= times ? Effect.fail(oops) : Effect.succeed("done")))
  return { counted, effect }
}

describe("Retry.retry", () => {
  it.effect("retries neither a defect nor an interruption", () =>
    Effect.gen(function* () {
      for (const ends of [
        Effect.die(oops),
        Effect.interrupt,
        Effect.failCause(Cause.parallel(Cause.fail(1), Cause.die(2)))
      ]) {
        let attempts = 0
        const exit = yield* Effect.exit(
          Effect.suspend(() => {
            attempts++
            return ends
          }).pipe(Retry.retry({ attempts: 5, base: 0 }))
        )
        assert.strictEqual(attempts, 1)
        assert.deepStrictEqual(exit, yield* Effect.exit(ends))
      }
    })
  )

  it.effect("an interruption inside an attempt is not retried, although the caller is not interrupted", () =>
    Effect.gen(function* () {
      let attempts = 0
      const attempt = Effect.suspend(() => {
        attempts++
        return Effect.flatMap(Effect.fork(Effect.never), (fiber) =>
          Effect.zipRight(Fiber.interrupt(fiber), Fiber.join(fiber))
        )
      })
      const exit = yield* Effect.exit(Retry.retry(attempt, { base: 0 }))
      assert.isTrue(Exit.isInterrupted(exit))
      assert.strictEqual(attempts, 1)
    })
  )

  it.effect("the cause of the last failure arrives as it is", () =>
    Effect.gen(function* () {
      const cause = Cause.parallel(Cause.fail(1), Cause.fail(2))
      const exit = yield* Effect.exit(Retry.retry(Effect.failCause(cause), { attempts: 2, base: 0 }))
      assert.deepStrictEqual(exit, Exit.failCause(cause))
    })
  )

  it.effect("on Effect's clock: just before a boundary not, and at it", () =>
    Effect.gen(function* () {
      const { counted, effect } = failing(2)
      const fiber = yield* Effect.fork(Retry.retry(effect, { base: "1 second", jitter: "none" }))
      for (const [milliseconds, attempts] of [
        [999, 1],
        [1, 2],
        [1999, 2],
        [1, 3]
      ] as const) {
        yield* TestClock.adjust(milliseconds)
        assert.strictEqual(counted.attempts, attempts)
      }
      assert.strictEqual(yield* Fiber.join(fiber), "done")
    })
  )

  it.effect("with Effect's dice: a seed gives the same pauses again, each in its range", () =>
    Effect.gen(function* () {
      const pauses = (seed: string) =>
        Effect.gen(function* () {
          const delays: Array<number> = []
          const onRetry = ({ delay }: Retry.Retried) => void delays.push(delay)
          const run = Effect.exit(Retry.retry(failing().effect, { attempts: 6, base: 100, cap: 1000, onRetry }))
          const fiber = yield* Effect.fork(Effect.withRandom(run, Random.make(seed)))
          yield* TestClock.adjust("1 minute")
          yield* Fiber.join(fiber)
          return delays
        })
      // (What the dice give is no whole number of nanoseconds: a clock that only sleeps move has to get there all the same.)
      const [first, again, other] = [yield* pauses("a"), yield* pauses("a"), yield* pauses("b")]
      assert.deepStrictEqual(first, again)
      assert.notDeepEqual(first, other)
      first.forEach((delay, index) => assert.isTrue(delay >= 0 && delay <= Math.min(1000, 100 * 2 ** index)))
    })
  )

  it.effect("takes a duration for a hint", () =>
    Effect.gen(function* () {
      const { counted, effect } = failing(1)
      yield* Effect.fork(Retry.retry(effect, { retryAfter: () => Duration.minutes(2) }))
      yield* TestClock.adjust(119_999)
      assert.strictEqual(counted.attempts, 1)
      yield* TestClock.adjust(1)
      assert.strictEqual(counted.attempts, 2)
    })
  )

  it.effect("a hint that is no time at all is a defect", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(Retry.retry(failing().effect, { retryAfter: () => "120" as never }))
      assert.strictEqual(
        (dieWith(exit) as Error).message,
        'retryAfter: it must be seconds, a Date or a Duration, if anything, got "120"'
      )
    })
  )

  it.effect("an outer deadline that passes with that of an attempt is the one that counts, and is not retried", () =>
    Effect.gen(function* () {
      let attempts = 0
      const attempt = Effect.zipRight(
        Effect.sync(() => attempts++),
        Effect.never
      )
      const fiber = yield* attempt.pipe(
        Retry.retry({ attempts: 5, base: 0, perAttemptTimeout: 50, jitter: "none" }),
        Timeout.timeout(100, { name: "the whole" }),
        Effect.flip,
        Effect.fork
      )
      yield* TestClock.adjust(100)
      assert.strictEqual((yield* Fiber.join(fiber)).deadline, "the whole")
      assert.strictEqual(attempts, 2)
    })
  )

  it.effect("onRetry is waited for, in the time of the pause, has its services, and can be interrupted", () =>
    Effect.gen(function* () {
      class Log extends Context.Tag("Log")<Log, Array<string>>() {}
      const log: Array<string> = []
      const { counted, effect } = failing(1)
      const onRetry = ({ attempt }: Retry.Retried) =>
        Effect.zipRight(
          Effect.sleep(50),
          Effect.map(Log, (log) => log.push(`after ${attempt}`))
        )
      const retried = Effect.provideService(Retry.retry(effect, { base: 60, jitter: "none", onRetry }), Log, log)
      const fiber = yield* Effect.fork(retried)
      yield* TestClock.adjust(59)
      assert.deepStrictEqual([counted.attempts, log], [1, ["after 1"]])
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* Fiber.join(fiber), "done")
      const other = yield* Effect.fork(Effect.provideService(Retry.retry(failing().effect, { onRetry }), Log, log))
      yield* TestClock.adjust(10)
      assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(other)))
      assert.strictEqual(log.length, 1)
    })
  )

  it.effect("data first, data last, with a policy, as a method: the same", () =>
    Effect.gen(function* () {
      const options = { attempts: 4, base: 0 }
      const policy = Retry.policy(options)
      type Way = (effect: Effect.Effect<string, Error>) => Effect.Effect<string, Error>
      const ways: ReadonlyArray<Way> = [
        (effect) => Retry.retry(effect, options),
        Retry.retry(options),
        (effect) => Retry.retry(effect, policy),
        Retry.retry(policy),
        policy.retry
      ]
      for (const retry of ways) {
        const { counted, effect } = failing(3)
        assert.strictEqual(yield* retry(effect), "done")
        assert.strictEqual(counted.attempts, 4)
      }
    })
  )

  it.effect("what is made once can run many times, and at once: each run counts for itself", () =>
    Effect.gen(function* () {
      const { counted, effect } = failing()
      const retried = Effect.exit(Retry.retry(effect, { attempts: 3, base: 0 }))
      yield* Effect.all([retried, retried], { concurrency: 2 })
      yield* retried
      assert.strictEqual(counted.attempts, 9)
    })
  )

  it.effect("10,000 attempts do not grow the stack", () =>
    Effect.gen(function* () {
      const { counted, effect } = failing(10_000)
      assert.strictEqual(yield* Retry.retry(effect, { attempts: Infinity, base: 0 }), "done")
      assert.strictEqual(counted.attempts, 10_001)
    })
  )

  it.effect("what is no effect is refused", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(Retry.retry({ base: 0 })(5 as unknown as Effect.Effect<void>))
      assert.strictEqual((dieWith(exit) as Error).message, "Retry.retry: effect must be an effect, got 5")
    })
  )

  it("interrupted at any operation: no attempt runs beside another, or afterwards; each is cleaned up", async () => {
    const setup = () => ({
      running: 0,
      began: 0,
      cleaned: 0,
      overlap: false,
      budget: Retry.makeBudgetUnsafe({ burst: 2 })
    })
    type State = ReturnType<typeof setup>
    const attempt = (state: State) =>
      Effect.acquireUseRelease(
        Effect.sync(() => {
          state.began++
          if (++state.running > 1) state.overlap = true
        }),
        () => Effect.zipRight(Effect.yieldNow(), Effect.fail(oops)),
        () =>
          Effect.sync(() => {
            state.cleaned++
            state.running--
          })
      )
    const options = { attempts: 3, base: 0, jitter: "none" } as const
    for (const perAttemptTimeout of [undefined, "1 minute"] as const) {
      await sweepIsClean({
        setup,
        victim: (state) => Retry.retry(attempt(state), { ...options, perAttemptTimeout, budget: state.budget }),
        verify: ({ began, budget, cleaned, overlap, running }, exit) => {
          const { retries } = Effect.runSync(budget.stats)
          const fate = `began ${began}, cleaned ${cleaned}, running ${running}, retries ${retries}`
          if (overlap || running > 0 || began !== cleaned) return fate
          // A token is for an attempt. (Of one that begins, the first operation may still be prevented.)
          if (began > retries + 1 || began < retries || began > 3) return fate
          if (!Exit.isInterrupted(exit) && began !== 3) return fate
        }
      })
    }
  })
})

describe("Retry: what an attempt has taken", () => {
  const setup = () => {
    const queue = WorkQueue.makeUnsafe<number>()
    Effect.runSync(queue.offerAll([1, 2, 3]))
    return { queue, attempts: 0, reached: [] as Array<number>, budget: Retry.makeBudgetUnsafe() }
  }
  type State = ReturnType<typeof setup>
  /** Takes an item at the second attempt, or the third. */
  const taking = (state: State, after: number): Effect.Effect<number, unknown> =>
    Effect.suspend((): Effect.Effect<number, unknown> =>
      ++state.attempts <= after ? Effect.fail("not yet") : state.queue.take
    )
  const verify = ({ queue, reached }: State): string | undefined => {
    const { inUse } = Effect.runSync(queue.stats)
    const left = Effect.runSync(queue.shutdown)
    const all = [...reached, ...left].join()
    return all === "1,2,3" && inUse === reached.length ? undefined : `reached ${reached}, left ${left}, in use ${inUse}`
  }

  const policies: Record<string, (state: State) => Retry.Options> = {
    "nothing else": () => ({}),
    "a budget": ({ budget }) => ({ budget }),
    whileResult: () => ({ whileResult: () => false }),
    perAttemptTimeout: () => ({ perAttemptTimeout: "1 minute" })
  }

  // Failure looks like an item that was taken, and that nobody has: it is not worked on, and never comes back.
  for (const [name, options] of Object.entries(policies)) {
    it(`interrupted at any operation, the caller has it, or it is left: ${name}`, () =>
      sweepIsClean({
        setup,
        victim: (state) =>
          Effect.flatMap(Retry.retry(state.queue.take, { base: 0, ...options(state) }), (item) =>
            Effect.succeed(void state.reached.push(item))
          ),
        verify
      }))

    it(`interrupted at any operation, what the attempt does with it is done, or it is left: ${name}`, () =>
      sweepIsClean({
        setup,
        victim: (state) =>
          Retry.retry(
            Effect.flatMap(taking(state, 1), (item) => Effect.succeed(void state.reached.push(item))),
            { base: 0, ...options(state) }
          ),
        verify
      }))
  }

  for (const after of [1, 2]) {
    it(`interrupted at any operation, it has it or leaves it: attempt ${after + 1} takes it, and the others fail`, () =>
      sweepIsClean({
        setup,
        victim: (state) =>
          Effect.flatMap(Retry.retry(taking(state, after), { base: 0 }), (item) =>
            Effect.succeed(void state.reached.push(item))
          ),
        verify
      }))
  }

  it.effect("an item that whileResult does not want is taken all the same; the last is given, wanted or not", () =>
    Effect.gen(function* () {
      const { queue } = setup()
      const until = (n: number, attempts: number) =>
        Retry.retry(queue.take, { base: 0, attempts, whileResult: (item) => item < n })
      assert.strictEqual(yield* until(9, 2), 2)
      assert.deepStrictEqual(yield* queue.shutdown, [3])
    })
  )
})

describe("Retry.policy", () => {
  it("is plain data: read, frozen, and taken over into another", () => {
    const policy = Retry.policy({ attempts: 5, base: "1 second", maxElapsed: "1 minute", perAttemptTimeout: Infinity })
    assert.deepStrictEqual({ ...policy }, {
      attempts: 5,
      base: 1000,
      factor: 2,
      cap: 30_000,
      jitter: "full",
      maxElapsed: 60_000,
      perAttemptTimeout: undefined,
      exhausted: "last",
      budget: undefined,
      while: undefined,
      whileResult: undefined,
      retryAfter: undefined,
      retryAfterResult: undefined,
      onRetry: undefined
    } as never)
    assert.isFrozen(policy)
    assert.strictEqual(Retry.policy(policy), policy)
    const other = Retry.policy({ ...policy, attempts: 2 })
    assert.deepStrictEqual([other.attempts, other.base], [2, 1000])
  })

  it("is checked at once, also when it is made from another", () => {
    assert.throws(
      () => Retry.policy({ attempts: 0 }),
      RangeError,
      "Retry.policy: attempts must be an integer of at least 1"
    )
    assert.throws(() => Retry.policy({ ...Retry.policy(), factor: 0 }), RangeError, "Retry.policy: factor")
    assert.throws(() => Retry.policy({ base: "soon" as never }), TypeError, "Retry.policy: base must be a duration")
    assert.throws(
      () => Retry.policy({ onRetry: "log" as never }),
      TypeError,
      "Retry.policy: onRetry must be a function"
    )
    assert.throws(() => Retry.policy(5 as never), TypeError, "Retry.policy: options must be an object, got 5")
  })
})

describe("Retry.schedule", () => {
  /** The pauses of `Effect.retry`, and the attempts. */
  const run = (schedule: Schedule.Schedule<Duration.Duration, Error>, times = Infinity) =>
    Effect.gen(function* () {
      const begins: Array<number> = []
      const { effect } = failing(times)
      const attempt = Effect.flatMap(TestClock.currentTimeMillis, (now) => {
        begins.push(now)
        return effect
      })
      const start = yield* TestClock.currentTimeMillis
      const fiber = yield* Effect.fork(Effect.exit(Effect.retry(attempt, schedule)))
      yield* TestClock.adjust("1 hour")
      yield* Fiber.join(fiber)
      return begins.map((time) => time - start)
    })

  it.effect("gives Effect.retry the pauses of the policy", () =>
    Effect.gen(function* () {
      const schedule = Retry.schedule({ attempts: 4, base: 10, jitter: "none" })
      assert.deepStrictEqual(yield* run(schedule), [0, 10, 30, 70])
      // It has no state of its own.
      assert.deepStrictEqual(yield* run(schedule), [0, 10, 30, 70])
    })
  )

  it.effect("composes with Effect's own", () =>
    Effect.gen(function* () {
      const schedule = Retry.schedule({ attempts: Infinity, base: 10, factor: 3, jitter: "none" })
      const both = Schedule.map(Schedule.intersect(schedule, Schedule.recurs(2)), ([pause]) => pause)
      assert.deepStrictEqual(yield* run(both), [0, 10, 40])
      const outs = yield* Effect.map(Schedule.run(schedule, 0, [oops, oops, oops]), Array.from)
      assert.deepStrictEqual(
        outs.map((out) => Duration.toMillis(out as Duration.Duration)),
        [10, 30, 90]
      )
    })
  )

  it.effect("minds while, retryAfter, the budget, maxElapsed from the first failure, and onRetry", () =>
    Effect.gen(function* () {
      const told: Array<number> = []
      const budget = yield* Retry.makeBudget({ burst: 1, ratio: 0 })
      const throwing = () => {
        throw oops
      }
      // All that throws is asked before the budget hears of it.
      for (const which of ["while", "retryAfter"] as const) {
        const schedule = Retry.schedule({ budget, [which]: throwing })
        assert.strictEqual(dieWith(yield* Effect.exit(Effect.retry(failing().effect, schedule))), oops)
      }
      assert.deepStrictEqual(yield* budget.stats, { available: 1, requests: 0, retries: 0, refused: 0 })
      const base = { base: 10, factor: 1, jitter: "none", attempts: Infinity } as const
      assert.deepStrictEqual(yield* run(Retry.schedule({ ...base, while: () => false })), [0])
      assert.deepStrictEqual(yield* run(Retry.schedule({ ...base, retryAfter: () => 1 }), 1), [0, 1000])
      assert.deepStrictEqual(yield* run(Retry.schedule({ ...base, budget })), [0, 10])
      assert.deepStrictEqual(yield* budget.stats, { available: 0, requests: 1, retries: 1, refused: 1 })
      const schedule = Retry.schedule({
        ...base,
        maxElapsed: 20,
        onRetry: ({ attempt }) => Effect.sync(() => told.push(attempt))
      })
      assert.deepStrictEqual(yield* run(schedule), [0, 10, 20])
      assert.deepStrictEqual(told, [1, 2])
    })
  )

  it("is checked when it is made", () => {
    assert.throws(() => Retry.schedule({ attempts: 0 }), RangeError, "Retry.schedule: attempts")
  })
})

describe("Retry.Budget", () => {
  it.effect("is made with a check, and shared with plain code", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(Retry.makeBudget({ burst: -1 }))
      assert.include((dieWith(exit) as Error).message, "Retry.makeBudget: burst must be an integer from 0 to")
      const budget = yield* Retry.makeBudget({ burst: 1, ratio: 0 })
      const plain = RetryBudget.from(budget)
      yield* Effect.exit(Retry.retry(failing().effect, { base: 0, budget }))
      assert.deepStrictEqual(plain.stats(), { available: 0, requests: 1, retries: 1, refused: 1 })
      assert.deepStrictEqual(yield* budget.stats, plain.stats())
      // And the other way round.
      yield* Effect.exit(Retry.retry(failing().effect, { base: 0, budget: plain }))
      assert.strictEqual(plain.stats().requests, 2)
    })
  )
})

describe("Retry.Service", () => {
  class Log extends Context.Tag("Log")<Log, Array<number>>() {}

  it.effect("names a policy; what onRetry needs is that of the layer", () =>
    Effect.gen(function* () {
      class ApiRetry extends Retry.Service<ApiRetry>()("test/ApiRetry", {
        attempts: 3,
        base: 0,
        onRetry: ({ attempt }: Retry.Retried) => Effect.map(Log, (log) => log.push(attempt))
      }) {}
      const log: Array<number> = []
      const { counted, effect } = failing()
      const layer = Layer.provide(ApiRetry.layer, Layer.succeed(Log, log))
      yield* effect.pipe(ApiRetry.retry, Effect.exit, Effect.provide(layer))
      assert.deepStrictEqual([counted.attempts, log], [3, [1, 2]])
      const { attempts } = yield* Effect.provide(ApiRetry, layer)
      assert.strictEqual(attempts, 3)
    })
  )

  it.effect("with options from a Config, a policy, or an effect that makes a budget", () =>
    Effect.gen(function* () {
      class Configured extends Retry.Service<Configured>()(
        "test/Configured",
        Config.map(Config.integer("ATTEMPTS"), (attempts) => ({ attempts, base: 0 }))
      ) {}
      class Named extends Retry.Service<Named>()("test/Named", Retry.policy({ attempts: 2, base: 0 })) {}
      class Budgeted extends Retry.Service<Budgeted>()(
        "test/Budgeted",
        Effect.map(Retry.makeBudget({ burst: 3, ratio: 0 }), (budget) => ({ attempts: 9, base: 0, budget }))
      ) {}
      const { counted, effect } = failing()
      const attempts = <E>(self: Effect.Effect<unknown, E>) =>
        Effect.map(Effect.exit(self), () => {
          const { attempts } = counted
          counted.attempts = 0
          return attempts
        })
      const provider = ConfigProvider.fromMap(new Map([["ATTEMPTS", "4"]]))
      const configured = Effect.provide(Configured.retry(effect), Configured.layer)
      assert.strictEqual(yield* attempts(Effect.withConfigProvider(configured, provider)), 4)
      assert.strictEqual(yield* attempts(Effect.provide(Named.retry(effect), Named.layer)), 2)
      assert.strictEqual(yield* attempts(Effect.provide(Budgeted.retry(effect), Budgeted.layer)), 4)
    })
  )

  it.effect("options that make no sense are a defect of the layer", () =>
    Effect.gen(function* () {
      class Bad extends Retry.Service<Bad>()("test/Bad", { attempts: 0 }) {}
      const exit = yield* Effect.exit(Effect.provide(Bad.retry(failing().effect), Bad.layer))
      assert.include((dieWith(exit) as Error).message, "Retry.Service: attempts must be an integer of at least 1")
    })
  )
})
