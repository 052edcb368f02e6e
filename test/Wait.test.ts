import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, FiberRef, Option, Stream, TestClock } from "effect"
import { Task, Wait } from "effect-concurrency"
import { heap } from "./utils/heap.js"
import { Reporter } from "../src/internal/report.js"
import { settle } from "./laws/skins.js"
import { effectDriver, waitingLaws } from "./laws/Wait.js"
import { sweepIsClean } from "./utils/sweep.js"

waitingLaws(effectDriver)

/** Counts those that run, and cleans up in a step of its own. */
const counter = () => {
  let running = 0
  return {
    running: () => running,
    count: <A, E>(self: Effect.Effect<A, E>): Effect.Effect<A, E> =>
      Effect.uninterruptibleMask((restore) => {
        running++
        return Effect.ensuring(
          restore(self),
          Effect.zipRight(
            Effect.yieldNow(),
            Effect.sync(() => void running--)
          )
        )
      })
  }
}

const all = {
  firstCompleted: (effects: Array<Effect.Effect<string>>) => Wait.firstCompleted(effects),
  firstSuccess: (effects: Array<Effect.Effect<string>>) => Wait.firstSuccess(effects),
  all: (effects: Array<Effect.Effect<string>>) => Effect.asVoid(Wait.all(effects))
}

describe("Wait for effects", () => {
  for (const name of [
    "firstCompleted",
    "firstSuccess",
    "firstN",
    "all",
    "staggered",
    "hedge",
    "asCompleted"
  ] as const) {
    it(`${name}: interrupted at each of its operations, nobody runs after it`, () =>
      sweepIsClean({
        setup: counter,
        victim: ({ count }): Effect.Effect<unknown, unknown> => {
          const a = count(Effect.as(Effect.yieldNow(), "a"))
          const b = count(Effect.as(Effect.zipRight(Effect.yieldNow(), Effect.yieldNow()), "b"))
          const both = [a, b]
          switch (name) {
            case "firstN":
              return Wait.firstN(both, 2)
            case "staggered":
              return Wait.staggered(both, 0)
            case "hedge":
              return Wait.hedge(a, { after: 0 })
            case "asCompleted":
              return Stream.runDrain(Wait.asCompleted(both))
            default:
              return all[name](both)
          }
        },
        verify: ({ running }, exit) => {
          if (running() > 0) return `${running()} run in the end`
          if (Exit.isFailure(exit) && !Cause.isInterruptedOnly(exit.cause)) return String(exit)
          return undefined
        }
      }))
  }

  it.effect("keeps time by the clock of the program", () =>
    Effect.gen(function* () {
      const started: Array<string> = []
      const member = (name: string) =>
        Effect.zipRight(
          Effect.sync(() => started.push(name)),
          Effect.as(Effect.sleep("1 minute"), name)
        )
      const fiber = yield* Effect.fork(Wait.staggered(["a", "b", "c"].map(member), "25 seconds"))
      yield* TestClock.adjust("24999 millis")
      assert.deepStrictEqual(started, ["a"])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(started, ["a", "b"])
      yield* TestClock.adjust("35 seconds")
      assert.strictEqual(yield* Fiber.join(fiber), "a")
      assert.deepStrictEqual(started, ["a", "b", "c"])
    })
  )

  it.effect("a caller that cannot be interrupted can still have its losers interrupted", () =>
    Effect.gen(function* () {
      const result = yield* Effect.uninterruptible(Wait.firstCompleted([Effect.never, Effect.succeed(1)]))
      assert.strictEqual(result, 1)
    })
  )

  it.effect("what the winner has set in a FiberRef is set for the caller, and not what a loser has", () =>
    Effect.gen(function* () {
      const ref = FiberRef.unsafeMake("nobody")
      yield* Wait.firstSuccess([
        Effect.zipRight(FiberRef.set(ref, "loser"), Effect.never),
        Effect.zipRight(FiberRef.set(ref, "winner"), Effect.yieldNow())
      ])
      assert.strictEqual(yield* FiberRef.get(ref), "winner")
    })
  )

  it.effect(
    "a defect is an end for firstCompleted and all; firstSuccess looks past it, and keeps it when none succeeds",
    () =>
      Effect.gen(function* () {
        const dies = Effect.die("defect")
        assert.deepStrictEqual(yield* Effect.exit(Wait.firstCompleted([dies, Effect.never])), Exit.die("defect"))
        assert.deepStrictEqual(yield* Effect.exit(Wait.all([dies, Effect.never])), Exit.die("defect"))
        assert.strictEqual(yield* Wait.firstSuccess([dies, Effect.succeed(1)]), 1)
        const exit = yield* Effect.exit(Wait.firstSuccess([dies, Effect.fail("no")]))
        assert.isTrue(Exit.isFailure(exit) && Cause.isDie(exit.cause))
        assert.isTrue(
          Exit.isFailure(exit) && Cause.failures(exit.cause).pipe((errors) => Array.from(errors).length === 1)
        )
        assert.deepStrictEqual(yield* Effect.exit(Wait.firstSuccess([dies])), Exit.die("defect"))
      })
  )

  it.effect("TooManyFailed is caught by its tag", () =>
    Effect.gen(function* () {
      const errors = yield* Wait.firstSuccess([Effect.fail("x"), Effect.fail("y")]).pipe(
        Effect.catchTag("TooManyFailed", ({ errors }) => Effect.succeed(errors))
      )
      assert.deepStrictEqual(errors, ["x", "y"])
    })
  )

  it.effect("a member that interrupts itself has ended: that interruption; for wait it has not failed", () =>
    Effect.gen(function* () {
      // asyncio: gather test_one_cancellation; wait's FIRST_EXCEPTION, for which it does not count
      const exit = yield* Effect.exit(Wait.firstCompleted([Effect.interrupt, Effect.never]))
      assert.isTrue(Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause))
      const all = yield* Effect.exit(Wait.all([Effect.succeed(1), Effect.interrupt]))
      assert.isTrue(Exit.isFailure(all) && Cause.isInterruptedOnly(all.cause))
      const exits = yield* Wait.all([Effect.exit(Effect.succeed(1)), Effect.exit(Effect.fail("no"))])
      assert.deepStrictEqual(exits, [Exit.succeed(1), Exit.fail("no")])
      const interrupted = yield* Effect.forkDaemon(Effect.interrupt)
      const succeeds = yield* Effect.forkDaemon(Effect.as(Effect.sleep(10), 1))
      const waiter = yield* Effect.fork(
        Wait.wait<Fiber.RuntimeFiber<number>>([interrupted, succeeds], { until: "firstFailure" })
      )
      yield* TestClock.adjust(9)
      assert.strictEqual(waiter.unsafePoll(), null)
      yield* TestClock.adjust(1)
      assert.deepStrictEqual((yield* Fiber.join(waiter)).done.length, 2)
    })
  )

  it.effect("a loop of it ends when it is interrupted", () =>
    Effect.gen(function* () {
      // asyncio: test_cancel_gather_2
      const fiber = yield* Effect.fork(Effect.forever(Wait.all([Effect.exit(Effect.sleep(1)), Effect.yieldNow()])))
      yield* TestClock.adjust(10)
      const exit = yield* Fiber.interrupt(fiber)
      assert.isTrue(Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause))
    })
  )

  it.effect("asCompleted: a timeout of the stream leaves fibers alone", () =>
    Effect.gen(function* () {
      // asyncio: test_as_completed_with_timeout, test_as_completed_with_unused_timeout
      const fibers = yield* Effect.forEach([100, 150], (millis) =>
        Effect.forkDaemon(Effect.as(Effect.sleep(millis), millis))
      )
      const seen: Array<number> = []
      const reader = yield* Wait.asCompleted(fibers).pipe(
        Stream.interruptAfter(120),
        Stream.runForEach(({ index }) => Effect.sync(() => seen.push(index))),
        Effect.fork
      )
      yield* TestClock.adjust(120)
      yield* Fiber.join(reader)
      assert.deepStrictEqual(seen, [0])
      yield* TestClock.adjust(30)
      assert.strictEqual(yield* Fiber.join(fibers[1]!), 150)
    })
  )

  it.effect("asCompleted starts anew each time it is run, and its elements can be made failures again", () =>
    Effect.gen(function* () {
      // asyncio: test_as_completed_resume_iterator has one run; here the stream is a description
      let started = 0
      const stream = Wait.asCompleted([Effect.sync(() => ++started), Effect.fail("no")])
      assert.strictEqual(yield* Stream.runCount(stream), 2)
      assert.strictEqual(yield* Stream.runCount(stream), 2)
      assert.strictEqual(started, 2)
      assert.strictEqual(yield* Effect.flip(Stream.runDrain(Stream.mapEffect(stream, ({ exit }) => exit))), "no")
    })
  )

  it.effect("refusals are defects, also of what is checked before it runs, and it can be run again", () =>
    Effect.gen(function* () {
      function* twice() {
        yield Effect.succeed(1)
        yield Effect.succeed(2)
      }
      const all = Wait.all(twice())
      assert.deepStrictEqual(yield* all, [1, 2])
      assert.deepStrictEqual(yield* all, [1, 2])
      const refused = yield* Effect.exit(Wait.staggered([Effect.void], "-5 millis" as "5 millis"))
      assert.isTrue(Exit.isFailure(refused) && Cause.isDieType(refused.cause))
      const soon = yield* Effect.exit(Wait.hedge(Effect.void, { after: "soon" as "5 millis" }))
      assert.isTrue(Exit.isFailure(soon) && Cause.isDieType(soon.cause))
    })
  )

  it.effect("reports go to the reporter of the program", () =>
    Effect.gen(function* () {
      const told: Array<string> = []
      const broken = Effect.onInterrupt(Effect.never, () => Effect.die("broken"))
      yield* Effect.provideService(Wait.firstCompleted([broken, Effect.succeed(1)]), Reporter, {
        report: ({ message, where }) => Effect.sync(() => void told.push(`${where}: ${message}`))
      })
      assert.deepStrictEqual(told, ["Wait.firstCompleted: number 0 failed, and nobody waits for it any more"])
    })
  )

  it.effect("hedge, withIndex: which attempt it was", () =>
    Effect.gen(function* () {
      let attempts = 0
      const third = Effect.suspend(() => (++attempts < 3 ? Effect.fail("no") : Effect.succeed("yes")))
      const result = yield* third.pipe(Wait.hedge({ after: "1 minute", max: 3, withIndex: true }))
      assert.deepStrictEqual(result, { index: 2, value: "yes" })
    })
  )

  it.effect("all of what awaits fibers: that one of them was interrupted is a value", () =>
    Effect.gen(function* () {
      // asyncio: gather test_result_exception_one_cancellation
      const interrupted = yield* Effect.fork(Effect.never)
      const succeeds = yield* Effect.fork(Effect.as(Effect.yieldNow(), 1))
      const waiter = yield* Effect.fork(Wait.all([Fiber.await(interrupted), Fiber.await(succeeds)]))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(interrupted)
      const [first, second] = yield* Fiber.join(waiter)
      assert.isTrue(Exit.isFailure(first) && Cause.isInterruptedOnly(first.cause))
      assert.deepStrictEqual(second, Exit.succeed(1))
    })
  )

  it("a failure is heard or reported, once, in whichever turn the caller is interrupted", async () => {
    type Race = (fails: Effect.Effect<never, string>) => Effect.Effect<unknown, unknown>
    const cleanup = Effect.onInterrupt(Effect.never, () => Effect.yieldNow())
    const races: Record<string, Race> = {
      all: (fails) => Wait.all([fails, Effect.never]),
      // The other takes its time when it is interrupted: the decision is made, and not told.
      firstCompleted: (fails) => Wait.firstCompleted([cleanup, fails]),
      firstSuccess: (fails) => Wait.firstSuccess([fails]),
      "of a task": (fails) => Effect.flatMap(Task.start(fails), (task) => Wait.all([task, cleanup]))
    }
    for (const [name, race] of Object.entries(races)) {
      const seen = new Set<string>()
      for (let turns = 0; turns < 12; turns++) {
        let [failed, heard, reported] = [0, 0, 0]
        const fails = Effect.zipRight(
          Effect.repeatN(Effect.yieldNow(), 2),
          Effect.suspend(() => (failed++, Effect.fail("oops")))
        )
        const hears = Effect.matchCauseEffect(race(fails), {
          onFailure: (cause) => Effect.sync(() => void (Cause.isInterruptedOnly(cause) || heard++)),
          onSuccess: () => Effect.void
        })
        const program = Effect.gen(function* () {
          const fiber = yield* Effect.forkDaemon(hears)
          yield* Effect.repeatN(Effect.yieldNow(), turns)
          yield* Fiber.interrupt(fiber)
        })
        await Effect.runPromise(
          Effect.provideService(program, Reporter, { report: () => Effect.sync(() => void reported++) })
        )
        await settle()
        assert.strictEqual(heard + reported, failed, `${name}, ${turns} turns: ${heard} heard, ${reported} reported`)
        seen.add(heard ? "heard" : reported ? "reported" : "interrupted")
      }
      assert.isTrue(seen.has("heard") && seen.has("reported"), `${name}: ${[...seen].join()}`)
    }
  })
  describe("a task of one's own", () => {
    const oops = { _tag: "Oops" } as const

    it.effect("what it fails with comes as it was, beside TaskCancelled", () =>
      Effect.gen(function* () {
        const task = yield* Task.start(Effect.fail(oops), { name: "failing" })
        assert.strictEqual(yield* Effect.flip(Wait.all([task])), oops)
        const dies = yield* Task.start(Effect.die("defect"))
        assert.deepStrictEqual(yield* Effect.exit(Wait.firstCompleted([dies])), Exit.die("defect"))
        const cancelled = yield* Task.start(Effect.never, { name: "cancelled" })
        yield* cancelled.cancel({ reason: "why" })
        const error = yield* Effect.flip(Wait.firstCompleted([cancelled, Effect.never]))
        assert.deepStrictEqual([(error as any)._tag, (error as any).task], ["TaskCancelled", "cancelled"])
        const errors = yield* Wait.firstSuccess([task, cancelled]).pipe(
          Effect.catchTag("TooManyFailed", ({ errors }) => Effect.succeed(errors.map(({ _tag }) => _tag)))
        )
        assert.deepStrictEqual(errors, ["Oops", "TaskCancelled"])
        const exits = yield* Stream.runCollect(Wait.asCompleted([task, Effect.succeed(1)]))
        assert.deepStrictEqual(
          Array.from(exits, ({ exit, index }) => `${index} ${exit._tag}`),
          ["0 Failure", "1 Success"]
        )
      })
    )

    it.effect("that waits for itself where that has no end is told so; elsewhere it may take part", () =>
      Effect.gen(function* () {
        const ways: Record<
          string,
          readonly [told: boolean, (self: Task.Task<unknown>) => Effect.Effect<unknown, unknown>]
        > = {
          all: [true, (self) => Wait.all([self, Effect.succeed(1)])],
          "first of one": [true, (self) => Wait.firstCompleted([self])],
          quorum: [true, (self) => Wait.firstN([self, Effect.succeed(1)], 2)],
          "wait for all": [true, (self) => Wait.wait([self])],

          "wait for some time": [false, (self) => Wait.wait([self], { timeout: 5 })],
          "first of two": [false, (self) => Wait.firstCompleted([self, Effect.succeed(1)])],
          "from a child": [
            false,
            (self) => Effect.map(Effect.forkDaemon(Wait.all([self, Effect.succeed(1)])), () => "forked")
          ],
          "some, as they complete": [
            false,
            (self) => Stream.runDrain(Stream.take(Wait.asCompleted([self, Effect.succeed(1)]), 1))
          ]
        }
        for (const [name, [told, wait]] of Object.entries(ways)) {
          const self = yield* Deferred.make<Task.Task<unknown, unknown>>()
          const task = yield* Task.start(Effect.flatMap(Deferred.await(self), (me) => wait(me as Task.Task<unknown>)))
          yield* Deferred.succeed(self, task)
          const waiter = yield* Effect.fork(Effect.exit(task.await))
          for (let i = 0; i < 3; i++) yield* TestClock.adjust(5)
          const exit = yield* Fiber.join(waiter)
          assert.strictEqual(Exit.isFailure(exit), told, name)
          if (Exit.isFailure(exit))
            assert.match(String(Cause.squash(exit.cause)), /^Error: Wait\.\w+: the task waits for itself/)
        }
      })
    )

    // Failure looks like a program that stands still.
    it.effect("a fiber that waits for itself where that has no end is told so; elsewhere it may take part", () =>
      Effect.gen(function* () {
        type Self = Fiber.RuntimeFiber<any, any>
        const fails = Effect.zipRight(Effect.yieldNow(), Effect.fail("no"))
        const ways: Record<string, readonly [expected: string, (self: Self) => Effect.Effect<unknown, unknown>]> = {
          "wait for all": ["told", (self) => Wait.wait([self])],
          "wait for all, with another": [
            "told",
            (self) => Effect.flatMap(Effect.fork(Effect.never), (other) => Wait.wait([self, other]))
          ],
          "wait for the first, alone": ["told", (self) => Wait.wait([self, self], { until: "firstCompleted" })],
          all: ["told", (self) => Wait.all([self, Effect.succeed(1)])],
          "first of one": ["told", (self) => Wait.firstCompleted([self])],
          "first success of one, twice": ["told", (self) => Wait.firstSuccess([self, self])],
          quorum: ["told", (self) => Wait.firstN([self, Effect.succeed(1)], 2)],
          staggered: ["told", (self) => Wait.staggered([self], 5)],
          hedge: ["told", (self) => Wait.hedge(self, { after: 5 })],
          "pulled at": [
            "told",
            (self) =>
              Effect.scoped(Effect.flatMap(Stream.toPull(Wait.asCompleted([self])), Effect.mapError(Option.getOrNull)))
          ],

          "wait for some time": [
            "pending",
            (self) =>
              Effect.map(Wait.wait([self], { timeout: 5 }), ({ pending }) => (pending[0] === self ? "pending" : ""))
          ],
          "wait for the first of two": [
            "done",
            (self) =>
              Effect.flatMap(Effect.fork(Effect.void), (other) =>
                Effect.map(Wait.wait([self, other], { until: "firstCompleted" }), ({ done }) =>
                  done[0] === other ? "done" : ""
                )
              )
          ],
          "wait for a failure that does not come": [
            "pending",
            (self) =>
              Effect.flatMap(Effect.fork(Effect.void), (other) =>
                Effect.map(Wait.wait([self, other], { until: "firstFailure" }), ({ done, pending }) =>
                  done[0] === other && pending[0] === self ? "pending" : ""
                )
              )
          ],
          "first of two": ["other", (self) => Wait.firstCompleted([self, Effect.succeed("other")])],
          "first success, when the others fail": [
            "TooManyFailed no",
            (self) =>
              Effect.catchTag(Wait.firstSuccess([self, fails]), "TooManyFailed", ({ _tag, errors }) =>
                Effect.succeed(`${_tag} ${errors.join()}`)
              )
          ],
          "from a child": [
            "forked",
            (self) => Effect.as(Effect.forkDaemon(Wait.all([self, Effect.succeed(1)])), "forked")
          ],
          "some, as they complete": [
            "1",
            (self) =>
              Effect.map(
                Stream.runCollect(Stream.take(Wait.asCompleted([self, Effect.succeed(1)]), 1)),
                (all) => `${all.length}`
              )
          ]
        }
        for (const [name, [expected, wait]] of Object.entries(ways)) {
          const fiber = yield* Effect.forkDaemon(Effect.withFiberRuntime<unknown, unknown>(wait))
          for (let i = 0; i < 3; i++) yield* TestClock.adjust(5)
          const exit = fiber.unsafePoll()
          assert.isNotNull(exit, `${name}: it does not end`)
          if (expected !== "told") assert.deepStrictEqual(exit, Exit.succeed(expected), name)
          else {
            const text =
              exit !== null && Exit.isFailure(exit) && Cause.isDie(exit.cause) ? Cause.squash(exit.cause) : exit
            assert.match(String(text), /^Error: Wait\.\w+: the fiber waits for itself, and would never end/, name)
          }
        }
      })
    )

    it.effect("a fiber's failure is its owner's: nobody reports it", () =>
      Effect.gen(function* () {
        const told: Array<string> = []
        const fails = yield* Effect.forkDaemon(Effect.zipRight(Effect.yieldNow(), Effect.fail("no")))
        const program = Effect.zipRight(Wait.firstSuccess([fails, Effect.sleep(1)]), Wait.wait([fails]))
        const waiter = yield* Effect.fork(
          Effect.provideService(program, Reporter, { report: ({ where }) => Effect.sync(() => void told.push(where)) })
        )
        yield* TestClock.adjust(1)
        yield* Fiber.join(waiter)
        assert.deepStrictEqual(told, [])
      })
    )
  })

  describe("leaks", () => {
    const retained = async (once: Effect.Effect<unknown, unknown>, n: number): Promise<number> => {
      const work = async (n: number) => {
        for (let i = 0; i < n; i += 1000) await Effect.runPromise(Effect.repeatN(once, 999))
      }
      await work(2000)
      const before = await heap()
      await work(n)
      return (await heap()) - before
    }
    const observersOf = (fiber: Fiber.RuntimeFiber<any, any>) => (fiber as any)._observers.length as number

    it("200,000 races against one fiber that lives long leave nothing in it, and retain nothing", async () => {
      const fiber = Effect.runFork(Effect.never)
      const before = observersOf(fiber)
      assert.isBelow(await retained(Wait.firstCompleted([fiber, Effect.void]), 200_000), 4)
      assert.strictEqual(observersOf(fiber), before)
    }, 120_000)

    it("races of each kind against one fiber that lives long, with its index, leave nothing in it", async () => {
      const fiber = Effect.runFork(Effect.never)
      const before = observersOf(fiber)
      const both = [fiber, Effect.void]
      const megabytes = await retained(
        Effect.zipRight(
          Wait.firstSuccess(both, { withIndex: true }),
          Effect.zipRight(Wait.firstN(both, 1, { losers: "keep" }), Wait.staggered(both, 0, { losers: "interrupt" }))
        ),
        5_000
      )
      assert.isBelow(megabytes, 4)
      assert.strictEqual(observersOf(fiber), before)
    }, 120_000)

    it("20,000 waits for one fiber that lives long leave nothing in it, and retain nothing", async () => {
      const fiber = Effect.runFork(Effect.never)
      const done = Effect.runFork(Effect.void)
      const before = observersOf(fiber)
      assert.isBelow(await retained(Wait.wait([fiber, done], { until: "firstCompleted" }), 20_000), 4)
      assert.strictEqual(observersOf(fiber), before)
    }, 120_000)

    it("200,000 races against one task that lives long leave nothing in it, and retain nothing", async () => {
      const task = Effect.runSync(Task.start(Effect.never))
      assert.isBelow(await retained(Wait.firstCompleted([task, Effect.void]), 200_000), 4)
      assert.strictEqual(task[Task.TypeId].waiting?.size, 0)
    }, 120_000)

    it("and so do those that start to await it, and are interrupted", async () => {
      const task = Effect.runSync(Task.start(Effect.never))
      assert.isBelow(await retained(Wait.firstCompleted([task.await, Effect.void]), 20_000), 4)
      assert.strictEqual(task[Task.TypeId].waiting?.size, 0)
    }, 120_000)
  })
})
