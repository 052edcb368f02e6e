/** What debounce and throttle promise that only an Effect program can see. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Fiber, FiberRef, Logger, Option, Scope, TestClock } from "effect"
import { Debounce, Throttle } from "effect-concurrency"
import { dieWith } from "../utils/defects.js"
import { sweepIsClean } from "../utils/sweep.js"

type Kind = "Debounce" | "Throttle"

type Options<Args extends ReadonlyArray<any>, R> = Omit<Debounce.Options<Args, R>, "wait">

/** One that runs after 100 ms, unless it is told otherwise. */
const make = <Args extends ReadonlyArray<any>, A, E, R, R2 = never>(
  kind: Kind,
  f: (...args: Args) => Effect.Effect<A, E, R>,
  options: Options<Args, R2> = {},
  wait: any = 100
): Effect.Effect<Debounce.Debounce<Args, A, E>, never, R | R2 | Scope.Scope> =>
  kind === "Debounce"
    ? Debounce.make(f, { wait, ...options })
    : (Throttle.make(f, { interval: wait, edges: "trailing", ...options } as any) as any)

class Prefix extends Context.Tag("test/Prefix")<Prefix, string>() {}

export const pacedEffect = (kind: Kind) =>
  describe(`${kind}, as an effect`, () => {
    it.scoped("runs with the services of where it is made, and can be interrupted inside wherever that is", () =>
      Effect.gen(function* () {
        const local = FiberRef.unsafeMake("none")
        const f = (text: string) =>
          Effect.flatMap(Prefix, (prefix) =>
            Effect.zipWith(
              FiberRef.get(local),
              Effect.timeoutTo(Effect.never, { duration: 10, onSuccess: () => "", onTimeout: () => "timed out" }),
              (ref, end) => `${prefix} ${text} ${ref} ${end}`
            )
          )
        const self = yield* Effect.uninterruptible(
          Effect.locally(Effect.provideService(make(kind, f), Prefix, "maker's"), local, "made here")
        )
        const fiber = yield* Effect.fork(Effect.locally(self.call("a"), local, "called there"))
        yield* Effect.yieldNow()
        yield* TestClock.adjust(100)
        yield* TestClock.adjust(10)
        assert.strictEqual(yield* Fiber.join(fiber), "maker's a made here timed out")
      })
    )

    it.scoped(
      "a function that throws or dies is every caller's defect; one that interrupts itself, their interruption, which is not reported",
      () =>
        Effect.gen(function* () {
          const oops = new Error("oops")
          let reports = 0
          const f = (how: string): Effect.Effect<never> => {
            if (how === "throws") throw oops
            return how === "dies" ? Effect.die(oops) : Effect.interrupt
          }
          const self = yield* make(kind, f, { onError: () => Effect.sync(() => reports++) })
          for (const how of ["throws", "dies"]) {
            const fibers = [yield* Effect.fork(self.call("first")), yield* Effect.fork(self.call(how))]
            yield* Effect.yieldNow()
            yield* TestClock.adjust(100)
            for (const fiber of fibers) assert.strictEqual(dieWith(yield* fiber.await), oops)
          }
          const fiber = yield* Effect.fork(self.call("interrupts"))
          yield* Effect.yieldNow()
          yield* TestClock.adjust(100)
          assert.isTrue(Exit.isInterrupted(yield* fiber.await))
          yield* self.trigger("interrupts")
          yield* self.flush
          assert.strictEqual(reports, 0)
          yield* self.trigger("dies")
          yield* self.flush
          assert.strictEqual(reports, 1)
        })
    )

    // Failure looks like a run that never ends, and behind it all of its key.
    it.scoped("a run that waits for itself is told so: by a call, a flush or a close; elsewhere it may call", () =>
      Effect.gen(function* () {
        type Self = Debounce.Debounce<[string, string], unknown, unknown>
        let self!: Self
        const f = (_: string, how: string): Effect.Effect<unknown, unknown> => {
          switch (how) {
            case "call":
              return self.call("a", "nothing")
            case "flush":
              return self.flush
            case "flushKey":
              return self.flushKey("a")
            case "close":
              return self.close
            case "trigger":
              return self.trigger("a", "nothing")
            case "another key":
              return Effect.zipRight(
                self.trigger("b", "nothing"),
                Effect.zipRight(self.flushKey("b"), Effect.as(self.flushKey("c"), "done"))
              )
            default:
              return Effect.succeed("nothing")
          }
        }
        const scope = yield* Scope.make()
        self = (yield* Scope.extend(make(kind, f, { key: (key: string) => key }), scope)) as Self
        const run = (how: string) =>
          Effect.gen(function* () {
            const fiber = yield* Effect.fork(Effect.exit(self.call("a", how)))
            yield* Effect.yieldNow()
            for (let i = 0; i < 3; i++) yield* TestClock.adjust(100)
            const exit = Option.getOrUndefined(yield* Fiber.poll(fiber))
            assert.isDefined(exit, `${how}: it does not end`)
            return Exit.flatten(exit!)
          })
        for (const how of ["call", "flush", "flushKey"]) {
          const message = `${kind}.${how}: a run of the ${kind.toLowerCase()} waits for itself, and would never end`
          assert.strictEqual((dieWith(yield* run(how)) as Error).message, message)
          assert.strictEqual(yield* self.pending, 0)
        }
        assert.deepStrictEqual(yield* run("trigger"), Exit.succeed(true))
        assert.deepStrictEqual(yield* run("another key"), Exit.succeed("done"))
        assert.include((dieWith(yield* run("close")) as Error).message, `${kind}.close: a run of the`)
        assert.isTrue((yield* self.stats).isClosed)
        yield* Scope.close(scope, Exit.void)
      })
    )

    it.scoped("a failure that nobody waits for is logged, with the name; a reporter that fails is, too", () =>
      Effect.gen(function* () {
        const lines: Array<string> = []
        const logger = Logger.make(({ cause, message }) => {
          lines.push(`${String(message)}: ${String(Cause.squash(cause))}`)
        })
        const f = () => Effect.fail("oops")
        for (const onError of [undefined, (): Effect.Effect<void, string> => Effect.fail("no")]) {
          const self = yield* make<[], never, string, never, never>(kind, f, {
            name: "save",
            ...(onError && { onError })
          }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
          yield* self.trigger()
          yield* self.flush
        }
        const failed = `${kind}: save: it failed, and nobody waits for it: oops`
        assert.deepStrictEqual(lines, [failed, failed, `${kind}.onError: save: the reporter failed: no`])
      })
    )

    it.scoped("what it is made of is checked, as a defect", () =>
      Effect.gen(function* () {
        const f = () => Effect.succeed(5)
        const refused = (options: any, wait: any = 100, g: any = f) =>
          Effect.map(Effect.exit(make<[], number, never, never, never>(kind, g, options, wait)), (exit) =>
            String(dieWith(exit))
          )
        const where = `${kind}.make:`
        const time = kind === "Debounce" ? "wait" : "interval"
        assert.strictEqual(
          yield* refused({}, -1),
          `RangeError: ${where} ${time} must be 0 or more milliseconds, got -1`
        )
        assert.strictEqual(
          yield* refused({}, NaN),
          `RangeError: ${where} ${time} must be 0 or more milliseconds, got NaN`
        )
        assert.strictEqual(yield* refused({}, Infinity), `RangeError: ${where} ${time} must be finite, got Infinity`)
        assert.strictEqual(yield* refused({}, "soon"), `TypeError: ${where} ${time} must be a duration, got "soon"`)
        assert.strictEqual(yield* refused({}, 1, 5), `TypeError: ${where} function must be a function, got 5`)
        assert.strictEqual(yield* refused({ key: 5 }), `TypeError: ${where} key must be a function, got 5`)
        assert.strictEqual(yield* refused({ onError: 5 }), `TypeError: ${where} onError must be a function, got 5`)
        assert.include(yield* refused({ edges: "no" }), `RangeError: ${where} edges must be one of`)
        if (kind === "Debounce") {
          for (const maxWait of [-1, NaN])
            assert.strictEqual(
              yield* refused({ maxWait }),
              `RangeError: ${where} maxWait must be 0 or more milliseconds, got ${maxWait}`
            )
          assert.strictEqual(
            yield* refused({ maxWait: 99 }),
            `RangeError: ${where} maxWait must be at least the wait of 100 ms, got 99`
          )
          assert.strictEqual(
            yield* refused({ maxWait: 100, edges: "leading" }),
            `RangeError: ${where} maxWait must be given together with a trailing edge, got 100`
          )
        }
        assert.include(yield* refused({ onClose: "stop" }), `RangeError: ${where} onClose must be one of`)
        assert.strictEqual(yield* refused({ name: 5 }), `TypeError: ${where} name must be a string, got 5`)
        const unsafe: any = kind === "Debounce" ? Debounce.makeUnsafe : Throttle.makeUnsafe
        assert.throws(() => unsafe(f), TypeError, `${where} options must be an object, got undefined`)
      })
    )

    it("the unsafe one runs on the platform's clock, and closes when it is told to", async () => {
      const f = (n: number) => Effect.succeed(n)
      const self: Debounce.Debounce<[number], number> =
        kind === "Debounce"
          ? Debounce.makeUnsafe(f, { wait: 1 })
          : (Throttle.makeUnsafe(f, { interval: 1, edges: "trailing" }) as any)
      const results = Effect.all([self.call(1), self.call(2)], { concurrency: "unbounded" })
      assert.deepStrictEqual(await Effect.runPromise(results), [2, 2])
      await Effect.runPromise(self.close)
      assert.isFalse(await Effect.runPromise(self.trigger(3)))
    })

    it("wherever a caller is interrupted, the run is made at most once, and nobody is left in line", () =>
      sweepIsClean({
        setup: () => {
          const runs: Array<number> = []
          const f = (n: number) => Effect.sync(() => runs.push(n))
          const self: Debounce.Debounce<[number], number> =
            kind === "Debounce"
              ? Debounce.makeUnsafe(f, { wait: 10_000 })
              : (Throttle.makeUnsafe(f, { interval: 10_000, edges: "trailing" }) as any)
          return { runs, self }
        },
        victim: ({ self }) => self.call(1),
        meanwhile: ({ self }) => self.flush,
        verify: ({ runs, self }, exit) => {
          const { pending, running } = Effect.runSync(self.stats)
          if (pending + running > 0) return "something is pending or runs"
          if (Exit.isSuccess(exit) && runs.length !== 1) return `the caller has the result of ${runs.length} runs`
          return runs.length > 1 ? "it ran more than once" : undefined
        }
      }))

    it("wherever a flush is interrupted, what it has begun ends", () =>
      sweepIsClean({
        setup: () => {
          const runs: Array<number> = []
          const f = (n: number) =>
            Effect.zipRight(
              Effect.yieldNow(),
              Effect.sync(() => runs.push(n))
            )
          const self: Debounce.Debounce<[number], number> =
            kind === "Debounce"
              ? Debounce.makeUnsafe(f, { wait: 10_000 })
              : (Throttle.makeUnsafe(f, { interval: 10_000, edges: "trailing" }) as any)
          Effect.runSync(self.trigger(1))
          return { runs, self }
        },
        victim: ({ self }) => self.flush,
        verify: ({ runs, self }, exit) => {
          const { pending, running } = Effect.runSync(self.stats)
          if (running > 0) return "it still runs"
          if (pending + runs.length !== 1) return "the call was lost"
          Effect.runSync(self.cancel)
          return Exit.isSuccess(exit) && runs.length !== 1 ? "the flush was over too early" : undefined
        }
      }))

    it.effect("10,000 fibers that call share one run", () =>
      Effect.gen(function* () {
        let runs = 0
        const scope = yield* Scope.make()
        const self = yield* Scope.extend(
          make(kind, (n: number) => Effect.sync(() => (runs++, n))),
          scope
        )
        const last = 10_000
        const calls = yield* Effect.fork(
          Effect.forEach(Array.from({ length: last }), (_, n) => self.call(n), { concurrency: "unbounded" })
        )
        while ((yield* self.pending) < last) yield* Effect.yieldNow()
        yield* TestClock.adjust(100)
        assert.deepStrictEqual(new Set(yield* Fiber.join(calls)), new Set([last - 1]))
        assert.strictEqual(runs, 1)
        yield* Scope.close(scope, Exit.void)
      })
    )
  })
