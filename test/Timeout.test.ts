import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  Config,
  ConfigProvider,
  DateTime,
  Deferred,
  Duration,
  Effect,
  Exit,
  Fiber,
  FiberRef,
  Option,
  TestClock
} from "effect"
import { Mutex, Policy, Retry, TaskGroup, Timeout, WorkQueue } from "effect-concurrency"
import { Explore } from "effect-concurrency/testing"
import { Timer } from "../src/core/timers.js"
import * as reports from "../src/internal/report.js"
import { timekeeper } from "../src/internal/timer.js"
import { fork, settle } from "./laws/skins.js"
import { dieWith } from "./utils/defects.js"
import { sweepIsClean } from "./utils/sweep.js"

/** Runs what can run. */
const turn = Effect.repeatN(Effect.yieldNow(), 10)
const adjust = (milliseconds: number) => Effect.zipRight(TestClock.adjust(milliseconds), turn)

/** Notes what is reported. */
const noting = () => {
  const noted: Array<string> = []
  const report = (unhandled: reports.Unhandled) => Effect.sync(() => noted.push(reports.describe(unhandled)))
  const provide = Effect.provideService(reports.Reporter, { report })
  return { noted, provide }
}

const text = (error: unknown) => String((error as Error).message)
const failureOf = <E>(exit: Exit.Exit<unknown, E>): E => {
  if (Exit.isSuccess(exit)) throw new Error("it succeeded")
  const failure = Cause.failureOption(exit.cause)
  if (Option.isNone(failure)) throw new Error(`no failure: ${String(exit.cause)}`)
  return failure.value
}

describe("Timeout: a duration", () => {
  it.effect(
    "test_timeout_basic, test_wait_for: fails when it is over, not before, and the work has been interrupted",
    () =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const work = Effect.onExit(Effect.never, (exit) =>
          Effect.sync(() => log.push(Exit.isInterrupted(exit) ? "interrupted" : "?"))
        )
        const fiber = yield* Effect.fork(Timeout.timeout("1 second", { name: "mine" })(work))
        yield* turn
        yield* adjust(999)
        assert.deepStrictEqual([fiber.unsafePoll(), log], [null, []])
        yield* adjust(1)
        const error = failureOf(yield* fiber.await)
        assert.instanceOf(error, Timeout.DeadlineExceeded)
        assert.deepStrictEqual(log, ["interrupted"])
        const { _tag, deadline, message, milliseconds, name } = error as Timeout.DeadlineExceeded
        assert.deepStrictEqual(
          { _tag, deadline, message, milliseconds, name },
          {
            _tag: "DeadlineExceeded",
            deadline: "mine",
            message: 'the deadline "mine" of 1000 ms has passed',
            milliseconds: 1000,
            name: "TimeoutError"
          }
        )
      })
  )

  it.effect("test_timeout_not_called, test_wait_for_race_condition: what ends in time is what it was", () =>
    Effect.gen(function* () {
      const sleeping = Effect.delay(Effect.succeed(1), 999)
      const fiber = yield* Effect.fork(Timeout.timeout(1000)(sleeping))
      yield* turn
      yield* adjust(999)
      assert.deepStrictEqual(yield* fiber.await, Exit.succeed(1))
      assert.deepStrictEqual(yield* Effect.exit(Timeout.timeout(1000)(Effect.fail("oops"))), Exit.fail("oops"))
      assert.deepStrictEqual(yield* Effect.exit(Timeout.timeout(1000)(Effect.die("oops"))), Exit.die("oops"))
    })
  )

  it.effect("test_timeout_disabled, test_wait_for_blocking: one that is infinite is none, and sets no timer", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(Timeout.timeout(Duration.infinity)(Effect.delay(Effect.succeed(1), "3 days")))
      yield* turn
      assert.strictEqual((yield* TestClock.sleeps()).length, 1)
      yield* adjust(3 * 86_400_000)
      assert.deepStrictEqual(yield* fiber.await, Exit.succeed(1))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const deadline = yield* Timeout.make()
          assert.deepStrictEqual(yield* deadline.remaining, Option.none())
          assert.deepStrictEqual(yield* deadline.when, Option.none())
          assert.strictEqual(yield* deadline.run(Effect.succeed(5)), 5)
          assert.isFalse(yield* deadline.expired)
        })
      )
    })
  )

  it.effect(
    "test_timeout_zero, test_timeout_zero_sleep_zero, test_wait_for_timeout_less_then_0_or_0_coroutine_do_not_started: zero never starts the work",
    () =>
      Effect.gen(function* () {
        let started = false
        const work = Effect.sync(() => (started = true))
        const error = yield* Effect.flip(Timeout.timeout(0)(work))
        assert.strictEqual(text(error), "the deadline of 0 ms has passed")
        yield* turn
        assert.isFalse(started)
      })
  )

  it.effect("works for more than 2^31 milliseconds", () =>
    Effect.gen(function* () {
      const days = 60
      const fiber = yield* Effect.fork(Timeout.timeout(Duration.days(days))(Effect.never))
      yield* turn
      for (let day = 0; day < days - 1; day++) yield* adjust(86_400_000)
      yield* adjust(86_400_000 - 1)
      assert.isNull(fiber.unsafePoll())
      yield* adjust(1)
      assert.instanceOf(failureOf(yield* fiber.await), Timeout.DeadlineExceeded)
    })
  )

  it.effect("begins anew each time that the effect is run", () =>
    Effect.gen(function* () {
      const limited = Timeout.timeout(10)(Effect.sleep(8))
      const fiber = yield* Effect.fork(Effect.zipRight(limited, limited))
      yield* turn
      yield* adjust(8)
      yield* adjust(8)
      assert.deepStrictEqual(yield* fiber.await, Exit.succeed(undefined))
    })
  )

  it.effect("the work has its caller's services and fiber refs, and changes them for the caller", () =>
    Effect.gen(function* () {
      const ref = FiberRef.unsafeMake(0)
      yield* Timeout.timeout(1000)(FiberRef.update(ref, (n) => n + 1))
      yield* Effect.ignore(
        Timeout.timeout(1000)(
          Effect.zipRight(
            FiberRef.update(ref, (n) => n + 1),
            Effect.fail(1)
          )
        )
      )
      assert.strictEqual(yield* FiberRef.get(ref), 2)
      assert.isUndefined((yield* Timeout.Current).deadline)
    })
  )
})

describe("Timeout: an instant", () => {
  it.effect("test_timeout_at_basic: a date, milliseconds, or a DateTime, on Effect's clock", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_000_000)
      for (const instant of [1_000_050, new Date(1_000_050), DateTime.unsafeMake(1_000_050)]) {
        yield* TestClock.setTime(1_000_000)
        const fiber = yield* Effect.fork(Timeout.timeoutAt(instant, { name: "noon" })(Effect.never))
        yield* turn
        yield* adjust(49)
        assert.isNull(fiber.unsafePoll())
        yield* adjust(1)
        const { message, milliseconds } = failureOf(yield* fiber.await) as Timeout.DeadlineExceeded
        assert.deepStrictEqual([message, milliseconds], ['the deadline "noon" has passed', undefined])
      }
    })
  )

  it.effect(
    "test_timeout_in_the_past_sleep_zero, test_timeout_at_disabled: one in the past never starts the work; Infinity is never",
    () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(1_000_000)
        let started = false
        const work = Effect.sync(() => (started = true))
        for (const instant of [1_000_000, 999_989, -Infinity]) yield* Effect.flip(Timeout.timeoutAt(instant)(work))
        assert.isFalse(started)
        assert.isTrue(yield* Timeout.timeoutAt(Infinity)(work))
      })
  )
})

describe("Timeout: how the work ends", () => {
  it.effect("test_asyncio_wait_for_timeout, test_wait_for_waits_for_task_cancellation: the cleanup is awaited", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const work = Effect.onInterrupt(Effect.never, () => Effect.map(Effect.sleep(50), () => log.push("cleaned up")))
      const fiber = yield* Effect.fork(
        Effect.tapError(Timeout.timeout(10)(work), () => Effect.sync(() => log.push("failed")))
      )
      yield* turn
      yield* adjust(10)
      yield* adjust(49)
      assert.isNull(fiber.unsafePoll())
      yield* adjust(1)
      assert.instanceOf(failureOf(yield* fiber.await), Timeout.DeadlineExceeded)
      assert.deepStrictEqual(log, ["cleaned up", "failed"])
    })
  )

  it.effect(
    "test_asyncio_wait_for_cancelled: who cannot be interrupted ends, also when the caller is interrupted",
    () =>
      Effect.gen(function* () {
        let over = false
        const work = Effect.uninterruptible(Effect.map(Effect.sleep(50), () => (over = true)))
        const fiber = yield* Effect.fork(Timeout.timeout(100)(work))
        yield* turn
        yield* Fiber.interruptFork(fiber)
        yield* adjust(49)
        assert.isNull(fiber.unsafePoll())
        yield* adjust(1)
        assert.isTrue(Exit.isInterrupted(yield* fiber.await))
        assert.isTrue(over)
      })
  )

  it.effect("test_waiter_cancelled: the work is interrupted once, and its caller not at all", () =>
    Effect.gen(function* () {
      let times = 0
      const work = Effect.onInterrupt(Effect.never, () => Effect.sync(() => times++))
      const fiber = yield* Effect.fork(
        Effect.flatMap(Effect.exit(Timeout.timeout(10)(work)), (exit) => Effect.as(Effect.sleep(5), exit))
      )
      yield* turn
      yield* adjust(10)
      yield* adjust(5)
      const exit = yield* fiber.await
      assert.isTrue(Exit.isSuccess(exit) && Exit.isFailure(exit.value))
      assert.strictEqual(times, 1)
    })
  )

  it.effect("test_outer_task_is_not_cancelled: who handles it goes on", () =>
    Effect.gen(function* () {
      const program = Timeout.timeout(10)(Effect.never).pipe(Effect.catchTag("DeadlineExceeded", () => Effect.sleep(5)))
      const fiber = yield* Effect.fork(program)
      yield* turn
      yield* adjust(10)
      yield* adjust(5)
      assert.deepStrictEqual(yield* fiber.await, Exit.succeed(undefined))
    })
  )

  it.effect("test_foreign_exception_passed: an error of the work's own, before and in the tick of the deadline", () =>
    Effect.gen(function* () {
      const late = Effect.zipRight(Effect.sleep(10), Effect.fail("oops"))
      // The work's sleep was first, so it is woken first, and fails before anything else happens.
      const fiber = yield* Effect.fork(Timeout.timeout(10)(late))
      yield* turn
      yield* adjust(9)
      assert.isNull(fiber.unsafePoll())
      assert.deepStrictEqual(yield* Effect.exit(Timeout.timeout(10)(Effect.fail("oops"))), Exit.fail("oops"))
      yield* Fiber.interrupt(fiber)
    })
  )

  it.effect(
    "test_foreign_exception_on_timeout, test_wait_for_reraises_exception_during_cancellation: a failure of the cleanup arrives instead",
    () =>
      Effect.gen(function* () {
        const work = Effect.onInterrupt(Effect.never, () => Effect.die("the cleanup failed"))
        const fiber = yield* Effect.fork(Timeout.timeout(10)(work))
        yield* turn
        yield* adjust(10)
        const exit = yield* fiber.await
        assert.strictEqual(dieWith(exit), "the cleanup failed")
        assert.isFalse(Exit.isInterrupted(exit))
      })
  )

  it.effect("test_foreign_exception_on_timeout_2: several of them do", () =>
    Effect.gen(function* () {
      const work = Effect.never.pipe(Effect.ensuring(Effect.die("first")), Effect.ensuring(Effect.die("second")))
      const fiber = yield* Effect.fork(Timeout.timeout(10)(work))
      yield* turn
      yield* adjust(10)
      const exit = yield* fiber.await
      assert.isTrue(Exit.isFailure(exit))
      if (Exit.isFailure(exit)) {
        assert.deepStrictEqual([...Cause.defects(exit.cause)], ["first", "second"])
        assert.isFalse(Cause.isInterrupted(exit.cause))
      }
    })
  )

  it.effect(
    "test_wait_for_cancellation_race_condition, test_wait_for_cancel_suppressed: a value that it gives all the same is its result",
    () =>
      Effect.gen(function* () {
        // Told to stop before it is over, and out of reach of that.
        const work = Effect.uninterruptibleMask(() => Effect.as(Effect.sleep(20), 42))
        const run = Timeout.timeout(10)(work)
        const fiber = yield* Effect.fork(run)
        yield* turn
        yield* adjust(10)
        assert.isNull(fiber.unsafePoll())
        yield* adjust(10)
        const exit = yield* fiber.await
        // Effect interrupts what leaves a region that could not be interrupted: the value is not given after all.
        assert.instanceOf(failureOf(exit), Timeout.DeadlineExceeded)
        // What catches its interruption is interrupted all the same.
        const swallowing = yield* Effect.fork(
          Timeout.timeout(10)(Effect.catchAllCause(Effect.never, () => Effect.succeed(42)))
        )
        yield* turn
        yield* adjust(10)
        assert.instanceOf(failureOf(yield* swallowing.await), Timeout.DeadlineExceeded)
      })
  )

  it.effect(
    "an item that was taken in the tick of the deadline is given, and one that was not stays in the queue",
    () =>
      Effect.gen(function* () {
        const queue = yield* WorkQueue.make<number>()
        for (const offered of [9, 10]) {
          const fiber = yield* Effect.fork(Effect.exit(Timeout.timeout(10)(queue.take)))
          yield* turn
          yield* adjust(offered)
          if (offered === 9) yield* queue.offer(1)
          else {
            assert.isTrue(yield* Effect.exit(queue.offer(1)).pipe(Effect.map(Exit.isSuccess)))
          }
          yield* turn
          yield* adjust(10 - offered)
          const exit = yield* Fiber.join(fiber)
          assert.strictEqual((Exit.isSuccess(exit) ? 1 : 0) + (yield* queue.size), 1)
          if ((yield* queue.size) > 0) yield* queue.take
        }
      })
  )

  it.effect(
    "test_timeout_taskgroup: all that runs at once inside is interrupted, and what failed in its cleanup arrives",
    () =>
      Effect.gen(function* () {
        let interrupted = 0
        const waiting = Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++))
        const crashing = Effect.onInterrupt(Effect.never, () => Effect.die("crashed"))
        const fiber = yield* Effect.fork(
          Timeout.timeout(10)(
            TaskGroup.run((group) => Effect.forEach([waiting, crashing, waiting], (task) => group.start(task)))
          )
        )
        yield* turn
        yield* adjust(10)
        const exit = yield* fiber.await
        assert.strictEqual(interrupted, 2)
        assert.isTrue(Exit.isFailure(exit) && [...Cause.defects(exit.cause)].includes("crashed"))
      })
  )

  it.effect("fibers that the work forks end with it, as with Effect's own timeout", () =>
    Effect.gen(function* () {
      let interrupted = false
      const child = Effect.onInterrupt(Effect.never, () => Effect.sync(() => (interrupted = true)))
      yield* Timeout.timeout(1000)(Effect.zipRight(Effect.fork(child), turn))
      yield* turn
      assert.isTrue(interrupted)
    })
  )
})

describe("Timeout: the caller is interrupted", () => {
  it.effect(
    "test_cancel_blocking_wait_for, test_cancel_wait_for, test_foreign_cancel_doesnt_timeout_if_not_expired: so is the work, and the cleanup is awaited",
    () =>
      Effect.gen(function* () {
        for (const duration of [60_000, Duration.infinity]) {
          let over = false
          const work = Effect.onInterrupt(Effect.never, () => Effect.map(Effect.sleep(5), () => (over = true)))
          const fiber = yield* Effect.fork(Timeout.timeout(duration)(work))
          yield* turn
          yield* Fiber.interruptFork(fiber)
          yield* turn
          assert.isNull(fiber.unsafePoll())
          yield* adjust(5)
          assert.isTrue(Exit.isInterrupted(yield* fiber.await))
          assert.isTrue(over)
        }
      })
  )

  it.effect(
    "test_wait_for_issue86296, test_cancel_in_timeout_after_cancellation: in the tick of the end, or of the deadline, the interruption wins",
    () =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<number>()
        let after = false
        const fiber = yield* Effect.fork(Effect.map(Timeout.timeout(1000)(Deferred.await(gate)), () => (after = true)))
        yield* turn
        yield* Deferred.succeed(gate, 1)
        yield* Fiber.interruptFork(fiber)
        assert.isTrue(Exit.isInterrupted(yield* fiber.await))
        assert.isFalse(after)

        const late = yield* Effect.fork(Timeout.timeout(10)(Effect.never))
        yield* turn
        yield* TestClock.adjust(10)
        yield* Fiber.interruptFork(late)
        const exit = yield* late.await
        assert.isTrue(Exit.isFailure(exit))
        if (Exit.isFailure(exit) && Cause.isInterrupted(exit.cause))
          assert.strictEqual(Cause.failures(exit.cause).length, 0)
      })
  )

  it.effect("interrupted while it waits for the cleanup, it is interrupted, after the cleanup", () =>
    Effect.gen(function* () {
      const work = Effect.onInterrupt(Effect.never, () => Effect.sleep(20))
      const fiber = yield* Effect.fork(Timeout.timeout(10)(work))
      yield* turn
      yield* adjust(10)
      yield* Fiber.interruptFork(fiber)
      yield* adjust(19)
      assert.isNull(fiber.unsafePoll())
      yield* adjust(1)
      const exit = yield* fiber.await
      assert.isTrue(Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause))
    })
  )

  it.effect("a cleanup that fails then is not lost", () =>
    Effect.gen(function* () {
      const work = Effect.onInterrupt(Effect.never, () => Effect.die("the cleanup failed"))
      const fiber = yield* Effect.fork(Timeout.timeout(10)(work))
      yield* turn
      const exit = yield* Fiber.interrupt(fiber)
      assert.isTrue(Exit.isFailure(exit) && Cause.isInterrupted(exit.cause))
      assert.isTrue(Exit.isFailure(exit) && [...Cause.defects(exit.cause)].includes("the cleanup failed"))
    })
  )

  it.effect("test_nested_timeout_in_finally, test_timeout_after_cancellation: a finalizer can be limited", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const limited = Timeout.timeout(10)(Effect.never).pipe(
        Effect.catchTag("DeadlineExceeded", () => Effect.sync(() => log.push("gave up")))
      )
      const zero = Timeout.timeout(0)(Effect.never).pipe(
        Effect.catchTag("DeadlineExceeded", () => Effect.sync(() => log.push("had no time")))
      )
      const fiber = yield* Effect.fork(
        Timeout.timeout(5)(Effect.onInterrupt(Effect.never, () => Effect.zipRight(limited, zero)))
      )
      yield* turn
      yield* adjust(5)
      yield* adjust(9)
      assert.isNull(fiber.unsafePoll())
      yield* adjust(1)
      assert.instanceOf(failureOf(yield* fiber.await), Timeout.DeadlineExceeded)
      assert.deepStrictEqual(log, ["gave up", "had no time"])
    })
  )
})

describe("Timeout: the grace", () => {
  const stubborn = (log: Array<string>, end: Effect.Effect<void> = Effect.void) =>
    Effect.onInterrupt(Effect.never, () =>
      Effect.zipRight(
        Effect.sleep(100),
        Effect.zipRight(
          Effect.sync(() => log.push("cleaned up")),
          end
        )
      )
    )

  it.effect("work that does not end in it is left, which is reported, and its later failure as well", () =>
    Effect.gen(function* () {
      const { noted, provide } = noting()
      const log: Array<string> = []
      const run = Timeout.timeout(10, { name: "fetch", grace: 20 })(stubborn(log, Effect.die("too late")))
      const fiber = yield* Effect.fork(provide(run))
      yield* turn
      yield* adjust(10)
      yield* adjust(19)
      assert.deepStrictEqual([fiber.unsafePoll(), noted], [null, []])
      yield* adjust(1)
      assert.strictEqual((failureOf(yield* fiber.await) as Timeout.DeadlineExceeded).deadline, "fetch")
      assert.deepStrictEqual(noted, [
        "Timeout: fetch: the work had not ended 20 ms after it was told to stop, and was left behind"
      ])
      yield* adjust(80)
      assert.deepStrictEqual(log, ["cleaned up"])
      assert.strictEqual(noted[1], "Timeout: fetch: the work failed after it was left behind: too late")
      assert.strictEqual(noted.length, 2)
    })
  )

  it.effect("work that ends in it is waited for, and nothing is reported", () =>
    Effect.gen(function* () {
      const { noted, provide } = noting()
      const log: Array<string> = []
      const fiber = yield* Effect.fork(provide(Timeout.timeout(10, { grace: 101 })(stubborn(log))))
      yield* turn
      yield* adjust(10)
      yield* adjust(100)
      assert.instanceOf(failureOf(yield* fiber.await), Timeout.DeadlineExceeded)
      yield* adjust(1000)
      assert.deepStrictEqual([log, noted], [["cleaned up"], []])
    })
  )

  it.effect("an interrupted caller does not wait longer either", () =>
    Effect.gen(function* () {
      const { noted, provide } = noting()
      const fiber = yield* Effect.fork(provide(Timeout.timeout(10, { grace: 20 })(stubborn([]))))
      yield* turn
      yield* Fiber.interruptFork(fiber)
      yield* adjust(19)
      assert.isNull(fiber.unsafePoll())
      yield* adjust(1)
      assert.isTrue(Exit.isInterrupted(yield* fiber.await))
      assert.strictEqual(noted.length, 1)
    })
  )
})

describe("Timeout: nested", () => {
  const nested = (outer: number, inner: number) =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const work = Effect.never.pipe(
        Effect.onInterrupt(() => Effect.sync(() => log.push("interrupted"))),
        Timeout.timeout(inner, { name: "inner" }),
        Effect.catchTag("DeadlineExceeded", (error) => Effect.sync(() => log.push(`caught ${error.deadline}`))),
        Timeout.timeout(outer, { name: "outer" }),
        Effect.catchTag("DeadlineExceeded", (error) => Effect.sync(() => log.push(`outside ${error.deadline}`)))
      )
      const fiber = yield* Effect.fork(work)
      yield* turn
      yield* adjust(Math.min(outer, inner) - 1)
      assert.deepStrictEqual(log, [])
      yield* adjust(1)
      yield* Fiber.join(fiber)
      return log
    })

  it.effect("the earlier one counts", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* nested(20, 10), ["interrupted", "caught inner"])
      assert.deepStrictEqual(yield* nested(10, 20), ["interrupted", "outside outer"])
    })
  )

  it.effect("test_nested_timeouts: of two at one time, the outer, and no handler inside sees an error", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* nested(10, 10), ["interrupted", "outside outer"])
    })
  )

  it.effect("an interruption from outside that comes in their tick beats both", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const caught = (where: string) => () => Effect.sync(() => log.push(where))
      const nested = Effect.never.pipe(
        Timeout.timeout(10),
        Effect.catchTag("DeadlineExceeded", caught("inside")),
        Timeout.timeout(10),
        Effect.catchTag("DeadlineExceeded", caught("outside"))
      )
      const fibers: Array<Fiber.RuntimeFiber<unknown, unknown>> = []
      const interrupts = Effect.sync(() => fibers.forEach((fiber) => fiber.unsafeInterruptAsFork(fiber.id())))
      const victim = yield* Effect.fork(nested)
      fibers.push(victim)
      yield* turn
      // Of two sleeps until one time, the test clock ends the later first.
      yield* Effect.fork(Effect.delay(interrupts, 10))
      yield* turn
      yield* adjust(9)
      assert.isNull(victim.unsafePoll())
      yield* adjust(1)
      const exit = yield* victim.await
      assert.isTrue(Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause))
      assert.deepStrictEqual(log, [])
    })
  )

  it.effect(
    "test_nested_timeouts_concurrent: both pass while nobody can be interrupted: the inner is interrupted by the outer",
    () =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const busy = Effect.uninterruptible(Effect.sleep(50))
        const work = busy.pipe(
          Timeout.timeout(20, { name: "inner" }),
          Effect.catchTag("DeadlineExceeded", () => Effect.sync(() => log.push("caught inside"))),
          Timeout.timeout(10, { name: "outer" })
        )
        const fiber = yield* Effect.fork(work)
        yield* turn
        yield* adjust(50)
        assert.strictEqual((failureOf(yield* fiber.await) as Timeout.DeadlineExceeded).deadline, "outer")
        assert.deepStrictEqual(log, [])
      })
  )

  it.effect("test_nested_timeouts_loop_busy: after the inner one, the outer still interrupts", () =>
    Effect.gen(function* () {
      const work = Effect.never.pipe(
        Timeout.timeout(10),
        Effect.catchTag("DeadlineExceeded", () => Effect.never),
        Timeout.timeout(20, { name: "outer" })
      )
      const fiber = yield* Effect.fork(work)
      yield* turn
      yield* adjust(10)
      yield* adjust(9)
      assert.isNull(fiber.unsafePoll())
      yield* adjust(1)
      assert.strictEqual((failureOf(yield* fiber.await) as Timeout.DeadlineExceeded).deadline, "outer")
    })
  )

  it.effect(
    "under a deadline that has passed while the program was busy nothing is started, and nobody inside sees an error",
    () =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const inner = Effect.sync(() => log.push("started")).pipe(
          Timeout.timeout("1 minute", { name: "inner" }),
          Effect.catchTag("DeadlineExceeded", () => Effect.sync(() => log.push("caught inside")))
        )
        // A clock that jumps without waking anybody: a loop that was busy.
        let now = 0
        const busy = Effect.zipRight(
          Effect.sync(() => (now = 50)),
          inner
        )
        const clock = yield* Effect.clock
        const jumping = Object.assign(Object.create(clock) as typeof clock, {
          unsafeCurrentTimeNanos: () => BigInt(now * 1e6)
        })
        const exit = yield* busy.pipe(Timeout.timeout(10, { name: "outer" }), Effect.exit, Effect.withClock(jumping))
        assert.strictEqual((failureOf(exit) as Timeout.DeadlineExceeded).deadline, "outer")
        assert.deepStrictEqual(log, [])
      })
  )

  it.effect("what runs inside can ask how long is left, by the earlier of them; what outlives them is free", () =>
    Effect.gen(function* () {
      const left = Effect.map(Timeout.remaining, Option.map(Duration.toMillis))
      assert.deepStrictEqual(yield* left, Option.none())
      let daemon: Fiber.RuntimeFiber<Option.Option<number>, Timeout.DeadlineExceeded> | undefined
      const program = Effect.gen(function* () {
        const both = yield* Timeout.timeout(1000)(left)
        const inner = yield* Timeout.timeout(30)(left)
        const inside = yield* Timeout.timeout(Duration.infinity)(left)
        daemon = yield* Effect.forkDaemon(Effect.zipRight(Effect.sleep(500), Timeout.timeout(70)(left)))
        return [both, inner, inside]
      })
      const answers = yield* Timeout.timeout(100)(program)
      assert.deepStrictEqual(answers, [Option.some(100), Option.some(30), Option.some(100)])
      yield* adjust(500)
      assert.deepStrictEqual(yield* daemon!.await, Exit.succeed(Option.some(70)))
    })
  )
})

describe("Timeout: a deadline that is held", () => {
  it.scoped("runs several, one after the other and at once, and ends all of them; after that nothing starts", () =>
    Effect.gen(function* () {
      const deadline = yield* Timeout.make(100, { name: "all" })
      assert.strictEqual(deadline.name, "all")
      assert.strictEqual(yield* deadline.run(Effect.succeed(1)), 1)
      assert.strictEqual(yield* Timeout.run(deadline, Effect.succeed(2)), 2)
      const fibers = yield* Effect.forEach([1, 2, 3], () => Effect.fork(Effect.exit(deadline.run(Effect.never))))
      yield* turn
      yield* adjust(99)
      assert.isFalse(yield* deadline.expired)
      assert.deepStrictEqual(yield* deadline.remaining, Option.some(Duration.millis(1)))
      yield* adjust(1)
      const errors = (yield* Effect.forEach(fibers, (fiber) => Fiber.join(fiber))).map(failureOf)
      assert.strictEqual(new Set(errors).size, 1)
      assert.isTrue(yield* deadline.expired)
      assert.deepStrictEqual(yield* deadline.remaining, Option.some(Duration.zero))
      assert.strictEqual(yield* Effect.flip(deadline.run(Effect.die("started"))), errors[0])
    })
  )

  it.scoped("its run is a policy, which is handed on by itself", () =>
    Effect.gen(function* () {
      const deadline = yield* Timeout.make(100, { name: "all" })
      const { run } = deadline
      const policy = Policy.wrap(run, Retry.retry({ attempts: 3, base: 80, factor: 1, jitter: "none" }))
      let attempts = 0
      const fiber = yield* Effect.fork(Effect.flip(policy(Effect.suspend(() => Effect.fail(++attempts)))))
      yield* turn
      yield* adjust(99)
      assert.deepStrictEqual([attempts, fiber.unsafePoll()], [2, null])
      yield* adjust(1)
      const error = yield* Fiber.join(fiber)
      assert.strictEqual(error instanceof Timeout.DeadlineExceeded && error.deadline, "all")
      assert.strictEqual(yield* Effect.flip(run(Effect.die("started"))), error)
    })
  )

  it.scoped("nothing sleeps while nothing is run; the time goes on", () =>
    Effect.gen(function* () {
      const deadline = yield* Timeout.make(100)
      yield* turn
      assert.strictEqual((yield* TestClock.sleeps()).length, 0)
      yield* adjust(100)
      assert.isTrue(yield* deadline.expired)
      assert.instanceOf(yield* Effect.flip(deadline.run(Effect.die("started"))), Timeout.DeadlineExceeded)
    })
  )

  it.scoped("test_reschedule: later, earlier, to none; each from now", () =>
    Effect.gen(function* () {
      const deadline = yield* Timeout.make(100)
      const fiber = yield* Effect.fork(deadline.run(Effect.never))
      yield* turn
      yield* adjust(90)
      assert.isTrue(yield* deadline.reschedule("1 second"))
      yield* adjust(999)
      assert.isNull(fiber.unsafePoll())
      assert.isTrue(yield* deadline.reschedule("none"))
      assert.deepStrictEqual(yield* deadline.remaining, Option.none())
      yield* adjust(1e9)
      assert.isNull(fiber.unsafePoll())
      assert.isTrue(yield* Timeout.reschedule(deadline, 5))
      yield* adjust(4)
      assert.isNull(fiber.unsafePoll())
      yield* adjust(1)
      assert.strictEqual(text(failureOf(yield* fiber.await)), "the deadline of 5 ms has passed")
      const other = yield* Timeout.make(100)
      yield* other.reschedule("none")
      const cancelled = yield* Effect.fork(other.run(Effect.never))
      yield* turn
      assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(cancelled)))
      assert.isFalse(yield* other.expired)
    })
  )

  it.effect(
    "test_timeout_finished, test_timeout_expired, test_timeout_expiring: too late to move it, and it says so",
    () =>
      Effect.gen(function* () {
        const closed = yield* Effect.scoped(Timeout.make(100))
        assert.isFalse(yield* closed.reschedule(5))
        yield* Effect.scoped(
          Effect.gen(function* () {
            const deadline = yield* Timeout.make(100)
            const work = Effect.onInterrupt(Effect.never, () => Effect.sleep(10))
            const fiber = yield* Effect.fork(deadline.run(work))
            yield* turn
            yield* adjust(100)
            assert.isFalse(yield* deadline.reschedule("1 minute"))
            yield* adjust(10)
            assert.instanceOf(failureOf(yield* fiber.await), Timeout.DeadlineExceeded)
            assert.isFalse(yield* deadline.reschedule("none"))
            assert.isTrue(yield* deadline.expired)
          })
        )
      })
  )

  it.effect(
    "test_timeout_already_entered: closed with its scope: what runs has its time, and nothing more is run",
    () =>
      Effect.gen(function* () {
        let running: Fiber.RuntimeFiber<never, Timeout.DeadlineExceeded> | undefined
        const deadline = yield* Effect.scoped(
          Effect.gen(function* () {
            const deadline = yield* Timeout.make(100)
            running = yield* Effect.forkDaemon(deadline.run(Effect.never))
            yield* turn
            return deadline
          })
        )
        const refused = dieWith(yield* Effect.exit(deadline.run(Effect.void)))
        assert.strictEqual(text(refused), "Deadline.run: the deadline is closed")
        yield* adjust(99)
        assert.isNull(running!.unsafePoll())
        yield* adjust(1)
        assert.instanceOf(failureOf(yield* running!.await), Timeout.DeadlineExceeded)
      })
  )

  it.effect("test_timeout_double_enter: it may be run within itself", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const deadline = yield* Timeout.make(100)
        const fiber = yield* Effect.fork(deadline.run(Effect.exit(deadline.run(Effect.never))))
        yield* turn
        yield* adjust(100)
        assert.instanceOf(failureOf(yield* fiber.await), Timeout.DeadlineExceeded)
      })
    )
  )

  it.scoped("when: the instant by the calendar", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(5000)
      const deadline = yield* Timeout.make(100)
      yield* adjust(40)
      assert.deepStrictEqual(yield* deadline.when, Option.some(5100))
    })
  )
})

describe("Timeout: as a policy and as a service", () => {
  class RequestTime extends Timeout.Service<RequestTime>()("app/RequestTime", { duration: 10 }) {}
  class Configured extends Timeout.Service<Configured>()(
    "app/Configured",
    Config.all({ duration: Config.duration("TIME"), name: Config.succeed("configured") })
  ) {}

  it.effect("limits, under its id or its own name, with options that are found out when the layer is built", () =>
    Effect.gen(function* () {
      const error = (limited: Effect.Effect<never, Timeout.DeadlineExceeded>) =>
        Effect.gen(function* () {
          const fiber = yield* Effect.fork(limited)
          yield* turn
          yield* adjust(9)
          assert.isNull(fiber.unsafePoll())
          yield* adjust(1)
          return (failureOf(yield* fiber.await) as Timeout.DeadlineExceeded).deadline
        })
      assert.strictEqual(
        yield* error(Effect.never.pipe(RequestTime.timeout, Effect.provide(RequestTime.layer))),
        "app/RequestTime"
      )
      const provider = ConfigProvider.fromMap(new Map([["TIME", "10 millis"]]))
      const configured = Effect.never.pipe(Configured.timeout, Effect.provide(Configured.layer), Effect.orDie)
      assert.strictEqual(
        yield* error(
          Effect.never.pipe(
            Configured.timeout,
            Effect.provide(Configured.layer),
            Effect.catchTag("ConfigError", Effect.die),
            Effect.withConfigProvider(provider)
          )
        ),
        "configured"
      )
      void configured
      assert.strictEqual(yield* error(Timeout.policy({ duration: 10 }).timeout(Effect.never)), undefined)
    })
  )
})

describe("Timeout: bad input", () => {
  const refusal = (effect: Effect.Effect<unknown, unknown>) => dieWith(Effect.runSyncExit(effect))

  it("is refused, in words that say what is allowed, and nothing starts", () => {
    const limited = (wrap: (effect: Effect.Effect<unknown>) => Effect.Effect<unknown, unknown>) =>
      text(refusal(wrap(Effect.die("it was started"))))
    assert.strictEqual(limited(Timeout.timeout(-1)), "Timeout.timeout: duration must be 0 or more milliseconds, got -1")
    assert.strictEqual(
      limited(Timeout.timeout(NaN)),
      "Timeout.timeout: duration must be 0 or more milliseconds, got NaN"
    )
    assert.strictEqual(
      limited(Timeout.timeout("-1 seconds" as Duration.DurationInput)),
      'Timeout.timeout: duration must be a duration of 0 or more, got "-1 seconds"'
    )
    assert.strictEqual(
      limited(Timeout.timeout("soon" as any)),
      'Timeout.timeout: duration must be a duration, got "soon"'
    )
    assert.strictEqual(
      limited(Timeout.timeout(1, { grace: -1 })),
      "Timeout.timeout: grace must be 0 or more milliseconds, got -1"
    )
    assert.strictEqual(
      limited(Timeout.timeout(1, { grace: NaN })),
      "Timeout.timeout: grace must be 0 or more milliseconds, got NaN"
    )
    assert.strictEqual(
      limited(Timeout.timeout(1, { onError: 5 as any })),
      "Timeout.timeout: onError must be a function, got 5"
    )
    assert.strictEqual(limited(Timeout.timeout(1, null as any)), "Timeout.timeout: options must be an object, got null")
    assert.strictEqual(limited(Timeout.timeoutAt(NaN)), "Timeout.timeoutAt: instant must be a number, got NaN")
    assert.strictEqual(limited(Timeout.timeout(1, { name: 5 as any })), "Timeout.timeout: name must be a string, got 5")
    assert.strictEqual(
      limited(Timeout.timeoutAt(new Date(NaN))),
      "Timeout.timeoutAt: instant must be a number, got NaN"
    )
    assert.strictEqual(
      limited(Timeout.timeoutAt("noon" as any)),
      'Timeout.timeoutAt: instant must be a number, got "noon"'
    )
    assert.strictEqual(
      text(refusal(Timeout.timeout(1)((() => 5) as any))),
      "Timeout.timeout: effect must be an effect, got an object (Function)"
    )
    assert.throws(
      () => Timeout.policy({ duration: -1 }),
      "Timeout.policy: duration must be 0 or more milliseconds, got -1"
    )
    assert.strictEqual(
      text(refusal(Effect.scoped(Timeout.make(-1)))),
      "Timeout.make: duration must be 0 or more milliseconds, got -1"
    )
    assert.throws(() => Timeout.policy({ duration: 1, grace: -1 }), "Timeout.policy: grace must be 0 or more")
    for (const bad of [-1, NaN]) {
      const moved = Effect.scoped(Effect.flatMap(Timeout.make(1000), (deadline) => deadline.reschedule(bad)))
      assert.strictEqual(
        text(refusal(moved)),
        `Deadline.reschedule: duration must be 0 or more milliseconds, got ${bad}`
      )
    }
  })
})

describe("Timeout: many", () => {
  it.effect("any number that are open cost one sleep, and none is left when they have ended", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const fibers = yield* Effect.forEach(
        Array.from({ length: 1000 }, (_, n) => n),
        (n) => Effect.fork(Timeout.timeout(10_000 + n)(Deferred.await(gate)))
      )
      yield* turn
      assert.strictEqual((yield* TestClock.sleeps()).length, 1)
      yield* Deferred.succeed(gate, undefined)
      yield* Effect.forEach(fibers, (fiber) => Fiber.join(fiber))
      yield* turn
      // The sleep was interrupted: a timer that is set now is the only one that fires.
      const fired: Array<number> = []
      const time = yield* timekeeper
      class Noting extends Timer {
        fire(): void {
          fired.push(time.now())
        }
      }
      time.set(new Noting(), time.now() + 5)
      yield* adjust(5)
      assert.strictEqual(fired.length, 1)
    })
  )

  it("a process ends when no timeout is open any more, however long they were", async () => {
    const before = process.getActiveResourcesInfo().filter((name) => name === "Timeout").length
    await Effect.runPromise(Timeout.timeout("1 hour")(Effect.yieldNow()))
    await Effect.runPromise(
      Effect.forEach(Array.from({ length: 100 }), () => Timeout.timeout("1 hour")(Effect.yieldNow()), {
        concurrency: "unbounded"
      })
    )
    await settle()
    assert.isAtMost(process.getActiveResourcesInfo().filter((name) => name === "Timeout").length, before)
  })

  it("end in the order of their times, in real time too", async () => {
    const order: Array<number> = []
    const program = Effect.gen(function* () {
      const fibers = yield* Effect.forEach([3, 1, 2], (n) =>
        Effect.fork(Effect.catchAll(Timeout.timeout(n * 100)(Effect.never), () => Effect.sync(() => order.push(n))))
      )
      yield* Effect.forEach(fibers, (fiber) => fiber.await)
    })
    await Effect.runPromise(program)
    assert.deepStrictEqual(order, [1, 2, 3])
  })
})

describe("Timeout: interrupted at any operation", () => {
  it("the work has ended when its caller has, and nothing is held", async () => {
    await sweepIsClean({
      setup: () => ({ mutex: Mutex.makeUnsafe(), began: 0, ended: 0 }),
      victim: (state) => {
        const work = Effect.acquireUseRelease(
          Effect.sync(() => state.began++),
          () => Effect.yieldNow(),
          () => Effect.sync(() => state.ended++)
        )
        return Timeout.timeout("1 minute")(state.mutex.withLock(work))
      },
      verify: ({ began, ended, mutex }) => {
        if (began !== ended || began > 1) return `began ${began}, ended ${ended}`
        if (fork(mutex.withLock(Effect.void)).state === "waiting") return "the lock is held"
        return undefined
      }
    })
  })

  it("a deadline that several run under still ends the others", async () => {
    await sweepIsClean({
      setup: () => ({
        deadline: Effect.runSync(Effect.scoped(Effect.flatMap(Timeout.make(1e6), Effect.succeed))),
        open: 0
      }),
      victim: () =>
        Effect.scoped(
          Effect.flatMap(Timeout.make(1e6), (deadline) =>
            Effect.zipRight(deadline.run(Effect.yieldNow()), deadline.run(Effect.yieldNow()))
          )
        ),
      verify: () => undefined
    })
  })
})

describe("Timeout: on the explorer's clock", () => {
  it("the deadline is on it, to the millisecond", async () => {
    const scenario = Effect.gen(function* () {
      const clock = yield* Effect.clock
      const before = clock.unsafeCurrentTimeMillis()
      const fiber = yield* Explore.fork("slow", Effect.flip(Timeout.timeout("5 minutes")(Effect.never)))
      yield* fiber.await
      return clock.unsafeCurrentTimeMillis() - before
    })
    const { outcomes } = await Explore.check(scenario, { model: "taskOrder" })
    assert.deepStrictEqual([...outcomes.keys()], ["300000"])
  })
})
