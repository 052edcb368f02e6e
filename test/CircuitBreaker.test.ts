import { assert, describe, it } from "@effect/vitest"
import { Config, Context, Effect, Exit, FiberRef, Layer, Logger, TestClock, TestContext } from "effect"
import { CircuitBreaker } from "effect-concurrency"
import { CircuitBreaker as Plain } from "effect-concurrency/promise"
import { breakerLaws, breakerSkins } from "./laws/CircuitBreaker.js"
import { settle } from "./laws/skins.js"
import { dieWith } from "./utils/defects.js"
import { sweepIsClean } from "./utils/sweep.js"

for (const skin of breakerSkins.filter(({ name }) => name !== "promise")) breakerLaws(skin)

const options: CircuitBreaker.Options = {
  trip: { kind: "consecutive", failures: 2 },
  halfOpen: { after: "1 minute" }
}

const statsOf = (breaker: CircuitBreaker.CircuitBreaker) => Effect.runSync(breaker.stats)

describe("CircuitBreaker: interrupted at any operation", () => {
  class Mail extends CircuitBreaker.Service<Mail>()("test/Mail", options) {}

  const victims: Record<string, (breaker: CircuitBreaker.CircuitBreaker) => Effect.Effect<unknown, unknown>> = {
    protect: (breaker) => breaker.protect(Effect.yieldNow()),
    "the module's protect": (breaker) => Effect.yieldNow().pipe(CircuitBreaker.protect(breaker)),
    "the service's protect": (breaker) => Effect.yieldNow().pipe(Mail.protect, Effect.provideService(Mail, breaker)),
    "protect around a body that fails": (breaker) =>
      breaker.protect(Effect.zipRight(Effect.yieldNow(), Effect.fail("body")))
  }
  for (const [name, victim] of Object.entries(victims)) {
    it(`${name} leaves its place in the sample, or counts`, async () => {
      const seen = new Set<string>()
      await sweepIsClean({
        setup: () => {
          const breaker = CircuitBreaker.makeUnsafe(options)
          Effect.runSync(breaker.trip(0))
          return breaker
        },
        victim,
        verify: (breaker, exit) => {
          const { retryAfter, state } = statsOf(breaker)
          seen.add(state)
          if (state === "halfOpen") return retryAfter === 0 ? undefined : "its place is not free"
          if (Exit.isSuccess(exit) && state !== "closed") return `it succeeded, and the breaker is ${state}`
        }
      })
      assert.isTrue(seen.has("halfOpen"))
      assert.isTrue(seen.has(name.includes("fails") ? "open" : "closed"))
    })

    it(`${name} is no failure when it is interrupted`, async () => {
      await sweepIsClean({
        setup: () => CircuitBreaker.makeUnsafe(options),
        victim,
        verify: (breaker, exit) => {
          const { failures } = statsOf(breaker)
          const isFailure = Exit.isFailure(exit) && !Exit.isInterrupted(exit)
          return failures <= (isFailure || name.includes("fails") ? 1 : 0) ? undefined : `${failures} failures`
        }
      })
    })
  }
})

describe("CircuitBreaker", () => {
  it("is on the clock of where it was made: TestClock, to the millisecond, also for a view of it", async () => {
    const program = Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make(options)
      const plain = Plain.from(breaker)
      yield* Effect.ignore(Effect.replicateEffect(Effect.exit(breaker.protect(Effect.fail("no"))), 2))
      yield* TestClock.adjust(59_999)
      const before = [yield* breaker.state, plain.state]
      const { retryAfter } = yield* Effect.flip(breaker.protect(Effect.void))
      yield* TestClock.adjust(1)
      return [...before, retryAfter, yield* breaker.state, plain.state, yield* breaker.protect(Effect.succeed("in"))]
    })
    assert.deepStrictEqual(await Effect.runPromise(Effect.provide(program, TestContext.TestContext)), [
      "open",
      "open",
      1,
      "halfOpen",
      "halfOpen",
      "in"
    ])
  })

  it("durations may be given in any way", async () => {
    const program = Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make({
        trip: { kind: "time", window: "2 seconds", rate: 1, minimum: 2 },
        halfOpen: { after: { base: "1 second", factor: 2, cap: "3 seconds" } }
      })
      const fail = Effect.exit(breaker.protect(Effect.fail("no")))
      yield* fail
      yield* TestClock.adjust("2 seconds")
      yield* fail
      const forgotten = yield* breaker.state
      yield* fail
      const pauses: Array<unknown> = []
      for (let i = 0; i < 3; i++) {
        const { retryAfter = NaN } = yield* breaker.stats
        pauses.push(retryAfter)
        yield* TestClock.adjust(retryAfter)
        yield* fail
      }
      yield* breaker.trip("1 hour")
      return [forgotten, ...pauses, (yield* breaker.stats).retryAfter]
    })
    assert.deepStrictEqual(await Effect.runPromise(Effect.provide(program, TestContext.TestContext)), [
      "closed",
      1_000,
      2_000,
      3_000,
      3_600_000
    ])
  })

  it("defects are failures; the error of a judgement is the failure, not what it is wrapped in", () => {
    const seen: Array<unknown> = []
    const breaker = CircuitBreaker.makeUnsafe({ ...options, isFailure: (error) => seen.push(error) > 0 })
    Effect.runSyncExit(breaker.protect(Effect.die("a defect")))
    Effect.runSyncExit(breaker.protect(Effect.fail("a failure")))
    assert.deepStrictEqual(seen, ["a defect", "a failure"])
    assert.strictEqual(statsOf(breaker).state, "open")
  })

  it("work that interrupts itself counts neither way; work that fails beside an interrupted sibling is a failure", async () => {
    const breaker = CircuitBreaker.makeUnsafe(options)
    await Effect.runPromiseExit(breaker.protect(Effect.interrupt))
    assert.deepInclude(statsOf(breaker), { calls: 0 })
    await Effect.runPromiseExit(
      breaker.protect(Effect.all([Effect.never, Effect.fail("no")], { concurrency: "unbounded" }))
    )
    assert.deepInclude(statsOf(breaker), { calls: 1, failures: 1 })
  })

  it("a judgement that throws is a defect", () => {
    const wrong = new Error("the judgement is wrong")
    const breaker = CircuitBreaker.makeUnsafe({
      ...options,
      isFailure: () => {
        throw wrong
      }
    })
    assert.strictEqual(dieWith(Effect.runSyncExit(breaker.protect(Effect.fail("no")))), wrong)
    assert.deepInclude(statsOf(breaker), { state: "closed", calls: 0 })
  })

  it("the body is as interruptible as outside", async () => {
    const breaker = CircuitBreaker.makeUnsafe(options)
    const fiber = Effect.runFork(breaker.protect(Effect.never))
    await settle()
    fiber.unsafeInterruptAsFork(fiber.id())
    assert.isTrue(Exit.isInterrupted(await Effect.runPromise(fiber.await)))
  })

  it("onStateChange has the services of where the breaker was made, and nobody waits for it", async () => {
    class Log extends Context.Tag("test/Log")<Log, Array<string>>() {}
    const ref = FiberRef.unsafeMake("elsewhere")
    const log: Array<string> = []
    const breaker = await Effect.runPromise(
      CircuitBreaker.make({
        ...options,
        onStateChange: ({ from, to }) =>
          Effect.flatMap(Log, (log) =>
            Effect.map(Effect.zipLeft(FiberRef.get(ref), Effect.yieldNow()), (where) =>
              log.push(`${where}: ${from} ${to}`)
            )
          )
      }).pipe(Effect.locally(ref, "here"), Effect.provideService(Log, log))
    )
    await Effect.runPromise(Effect.as(breaker.trip(), assert.deepStrictEqual(log, [])))
    Plain.from(breaker).reset()
    await settle()
    assert.deepStrictEqual(log, ["here: closed open", "here: open closed"])
  })

  it("an onStateChange that fails, or throws, is reported by name, and harms nobody", async () => {
    for (const [how, onStateChange] of [
      ["fails", () => Effect.fail("no route")],
      [
        "throws",
        () => {
          throw new Error("no route")
        }
      ]
    ] as const) {
      const lines: Array<string> = []
      const logger = Logger.replace(
        Logger.defaultLogger,
        Logger.make(({ cause, message }) => void lines.push(`${String(message)} ${String(cause)}`))
      )
      const breaker = await Effect.runPromise(
        Effect.provide(CircuitBreaker.make({ ...options, name: "db", onStateChange }), logger)
      )
      await Effect.runPromise(breaker.trip())
      await settle()
      assert.strictEqual(lines.length, 1, how)
      assert.match(lines[0]!, /^CircuitBreaker\.onStateChange: db: a callback failed .*no route/s)
      assert.strictEqual(statsOf(breaker).state, "open")
    }
  })

  it("what is no callback is a defect", () => {
    const exit = Effect.runSyncExit(CircuitBreaker.make({ ...options, onStateChange: 5 as never }))
    assert.strictEqual(String(dieWith(exit)), "TypeError: CircuitBreaker.make: onStateChange must be a function, got 5")
  })

  it("made without an effect, it tells of changes, too", async () => {
    const changes: Array<string> = []
    const breaker = CircuitBreaker.makeUnsafe({
      ...options,
      onStateChange: ({ to }) => Effect.sync(() => changes.push(to))
    })
    Effect.runSync(breaker.trip())
    await settle()
    assert.deepStrictEqual(changes, ["open"])
  })

  it("as a service, its options may be a Config, and are checked when the layer is built", async () => {
    const config = Config.map(Config.succeed(2), (failures): CircuitBreaker.Options => ({
      ...options,
      trip: { kind: "consecutive", failures }
    }))
    class Mail extends CircuitBreaker.Service<Mail>()("test/Mail", config) {}
    const program = Effect.gen(function* () {
      yield* Effect.replicateEffect(Effect.exit(Mail.protect(Effect.fail("no"))), 2)
      const refused = yield* Effect.flip(Mail.protect(Effect.void))
      const snapshot = yield* Mail.snapshot
      yield* Mail.reset
      const closed = yield* Mail.state
      yield* Mail.restore(snapshot)
      const opened = yield* Mail.state
      yield* Mail.trip("1 hour")
      return [refused._tag, closed, opened, (yield* Mail.stats).opened]
    })
    assert.deepStrictEqual(await Effect.runPromise(Effect.provide(program, Mail.layer)), [
      "CircuitOpen",
      "closed",
      "open",
      1
    ])
    class Wrong extends CircuitBreaker.Service<Wrong>()("test/Wrong", {
      ...options,
      trip: { kind: "consecutive", failures: 0 }
    }) {}
    assert.instanceOf(dieWith(await Effect.runPromiseExit(Effect.scoped(Layer.build(Wrong.layer)))), RangeError)
  })

  it("as the module's functions", () => {
    const breaker = CircuitBreaker.makeUnsafe(options)
    assert.strictEqual(Effect.runSync(CircuitBreaker.protect(Effect.succeed(1), breaker)), 1)
    assert.strictEqual(Effect.runSync(Effect.succeed(2).pipe(CircuitBreaker.protect(breaker))), 2)
    Effect.runSync(CircuitBreaker.trip(breaker, "1 hour"))
    const saved = Effect.runSync(CircuitBreaker.snapshot(breaker))
    Effect.runSync(CircuitBreaker.reset(breaker))
    assert.strictEqual(Effect.runSync(CircuitBreaker.state(breaker)), "closed")
    Effect.runSync(CircuitBreaker.restore(breaker, saved))
    assert.strictEqual(Effect.runSync(CircuitBreaker.stats(breaker)).state, "open")
  })
})
