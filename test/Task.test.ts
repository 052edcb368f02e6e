import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Context, Deferred, Effect, Exit, Fiber, FiberRef, TestClock, TestContext } from "effect"
import { vi } from "vitest"
import { Task, TaskGroup, Wait } from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { Reporter } from "../src/internal/report.js"
import { fork, settle } from "./laws/skins.js"
import { reportingTo, taskLaws, taskSkins } from "./laws/Task.js"
import { withFakeTimers } from "./promise/waits.js"
import { dieWith } from "./utils/defects.js"
import { sweepIsClean } from "./utils/sweep.js"

for (const skin of taskSkins) taskLaws(skin)

/** Runs with a clock of its own, and a reporter that notes. */
const run = <A, E>(effect: Effect.Effect<A, E>, reports: Array<string> = []): Promise<A> =>
  Effect.runPromise(
    Effect.provide(
      Effect.provideService(effect, Reporter, {
        report: ({ message, name, where }) => Effect.sync(() => void reports.push(`${where}: ${name}: ${message}`))
      }),
      TestContext.TestContext
    )
  )

describe("Task: interrupted at any operation", () => {
  const make = () => {
    let open!: () => void
    const opened = new Promise<void>((resolve) => (open = resolve))
    const task = fork(Task.start(Effect.promise(() => opened))).value
    return { task, open }
  }

  it("who waits: the task and other waiters do not notice", () =>
    sweepIsClean({
      setup: () => {
        const { open, task } = make()
        return { open, task, other: fork(task.await) }
      },
      victim: ({ task }) => Effect.zipRight(task.await, Effect.yieldNow()),
      meanwhile: ({ open }) => Effect.sync(open),
      verify: ({ other, task }) =>
        other.state === "done" && !task[Task.TypeId].waiting?.size ? undefined : `the other: ${other.state}`
    }))

  it("who cancels: the request is made, or not; the task has ended then, and nobody is left waiting", () =>
    sweepIsClean({
      setup: () => {
        const { open, task } = make()
        return { open, task, other: fork(task.await) }
      },
      victim: ({ task }) => Effect.zipRight(task.cancel(), Effect.yieldNow()),
      meanwhile: ({ open }) => Effect.sync(open),
      verify: ({ other, task }) => {
        const { outcome, stop, waiting } = task[Task.TypeId]
        if (waiting?.size || outcome === undefined) return "somebody waits"
        return (outcome._tag === "Cancelled") === (stop !== undefined) && other.state !== "waiting"
          ? undefined
          : outcome._tag
      }
    }))

  it("who starts one: it runs to its end, or was not started; and if it failed, that is reported", async () => {
    const reports: Array<unknown> = []
    let started = 0
    const report = await sweepIsClean({
      setup: () => ({ before: [started, reports.length] as const }),
      victim: () =>
        Effect.zipRight(
          reportingTo(reports)(Task.start(Effect.suspend(() => (started++, Effect.fail("oops"))))),
          Effect.yieldNow()
        ),
      verify: ({ before }) =>
        started - before[0] === reports.length - before[1]
          ? undefined
          : `${started} started, ${reports.length} reported`
    })
    assert.isAbove(started, report.operations / 3)
  })

  it("who starts one in a scope: nothing of it is left", () =>
    sweepIsClean({
      setup: () => ({ running: 0 }),
      victim: (state) =>
        Effect.scoped(
          Effect.zipRight(
            Task.startScoped(
              Effect.acquireUseRelease(
                Effect.sync(() => state.running++),
                () => Effect.never,
                () => Effect.sync(() => state.running--)
              )
            ),
            Effect.yieldNow()
          )
        ),
      verify: ({ running }) => (running === 0 ? undefined : `${running} are running`)
    }))

  it("the task itself: what it holds is released, and those who wait hear of it", () => {
    let released = 0
    return sweepIsClean({
      setup: () => ({ task: Promises.Deferred, held: { count: 0 } }),
      victim: ({ held }) =>
        Effect.flatMap(
          Task.start(
            Effect.acquireUseRelease(
              Effect.sync(() => held.count++),
              () => Effect.yieldNow(),
              () => Effect.sync(() => (held.count--, released++))
            )
          ),
          (task) => Effect.zipRight(Effect.yieldNow(), task.cancel())
        ),
      verify: ({ held }) => (held.count === 0 ? undefined : "it is held")
    }).then(() => assert.isAbove(released, 0))
  })
})

describe("Task for effects", () => {
  it("can be cancelled when it was started where nothing is interruptible", () =>
    run(
      Effect.gen(function* () {
        const task = yield* Effect.uninterruptible(Task.start(Effect.never))
        yield* Effect.yieldNow()
        assert.isTrue(yield* task.cancel())
        assert.deepStrictEqual(yield* task.poll, { _tag: "Cancelled", reason: undefined })
      })
    ))

  it("whoever waits for one that was cancelled fails with TaskCancelled, and is not interrupted", () =>
    run(
      Effect.gen(function* () {
        const task = yield* Task.start(Effect.never, { name: "watcher" })
        const waiter = yield* Effect.fork(Effect.exit(task.await))
        yield* Effect.yieldNow()
        yield* task.cancel({ reason: "not needed" })
        yield* task.cancel({ reason: "too late" })
        const exit = yield* Fiber.join(waiter)
        assert.isFalse(Exit.isInterrupted(exit))
        const error = yield* Effect.flip(task.await)
        assert.deepStrictEqual([error._tag, error.task, error.reason], ["TaskCancelled", "watcher", "not needed"])
      })
    )) // asyncio: test_cancel_with_message_then_future_result, test_task_cancel_message_getter

  it("the reason is that of the first who cancels, also when it has not begun", () =>
    run(
      Effect.gen(function* () {
        const task = yield* Task.start(Effect.never)
        yield* task.cancel({ reason: "changed my mind" })
        assert.strictEqual((yield* Effect.flip(task.await)).reason, "changed my mind")
      })
    )) // asyncio: test_cancel_with_message_before_starting_task

  it("who waits for a task that is cancelled fails, and was not cancelled", () =>
    run(
      Effect.gen(function* () {
        const inner = yield* Task.start(Effect.never, { name: "inner" })
        const outer = yield* Task.start(inner.await)
        yield* Effect.yieldNow()
        yield* inner.cancel()
        const error = yield* Effect.flip(outer.await)
        assert.deepStrictEqual(
          [error._tag, error.task, (yield* outer.poll)._tag],
          ["TaskCancelled", "inner", "Failure"]
        )
      })
    )) // asyncio: test_cancel_inner_future (there, it is cancelled, too)

  for (const first of ["inner", "outer"] as const) {
    it(`it and what it waits for are cancelled in one tick, ${first} first: each has one end`, () =>
      run(
        Effect.gen(function* () {
          const inner = yield* Task.start(Effect.never)
          const outer = yield* Task.start(inner.await)
          yield* Effect.yieldNow()
          const both = first === "inner" ? [inner, outer] : [outer, inner]
          for (const task of both) assert.isTrue(yield* task.cancelNow)
          yield* outer.cancel()
          yield* inner.cancel()
          assert.deepStrictEqual([(yield* inner.poll)._tag, (yield* outer.poll)._tag], ["Cancelled", "Cancelled"])
          assert.deepStrictEqual([inner[Task.TypeId].waiting?.size, yield* outer.cancel()], [0, false])
        })
      )) // asyncio: test_cancel_both_task_and_inner_future
  }

  it("what it waited for forgets it when it is cancelled, and goes on", () =>
    run(
      Effect.gen(function* () {
        const inner = yield* Task.start(Effect.never)
        const outer = yield* Task.start(inner.await)
        yield* Effect.yieldNow()
        assert.strictEqual(inner[Task.TypeId].waiting?.size, 1)
        yield* outer.cancel()
        assert.strictEqual(inner[Task.TypeId].waiting?.size, 0)
        assert.strictEqual((yield* inner.poll)._tag, "Pending")
        yield* inner.cancelNow
      })
    )) // asyncio: test_task_cancel_waiter_future (there, what it waits for is cancelled)

  it("a timeout inside ends what it is around, expired or not, and the task goes on; cancelling it still ends it", () =>
    run(
      Effect.gen(function* () {
        const log: Array<string> = []
        const timed = (limit: number) =>
          Effect.map(Effect.timeoutOption(Effect.sleep(10), limit), ({ _tag }) => log.push(_tag))
        const task = yield* Task.start(Effect.zipRight(Effect.zipRight(timed(5), timed(20)), Effect.never))
        yield* Effect.yieldNow()
        yield* TestClock.adjust(5)
        yield* TestClock.adjust(10)
        assert.deepStrictEqual([log, (yield* task.poll)._tag], [["None", "Some"], "Pending"])
        assert.deepStrictEqual([yield* task.cancel(), yield* task.cancel()], [true, false])
        assert.strictEqual((yield* task.poll)._tag, "Cancelled")
      })
    )) // asyncio: test_uncancel_structured_blocks; and test_uncancel_basic, without a count

  it("two half sleeps are one, and it gives what the second gives", () =>
    run(
      Effect.gen(function* () {
        const task = yield* Task.start(Effect.zipRight(Effect.sleep(50), Effect.as(Effect.sleep(50), 42)))
        yield* Effect.yieldNow()
        yield* TestClock.adjust(99)
        assert.strictEqual((yield* task.poll)._tag, "Pending")
        yield* TestClock.adjust(1)
        assert.strictEqual(yield* task.await, 42)
      })
    )) // asyncio: test_sleep

  it("one that yields lets the other go on, once", () =>
    run(
      Effect.gen(function* () {
        const log: Array<string> = []
        const steps = (name: string) =>
          Effect.forEach(
            [1, 2, 3],
            (n) =>
              Effect.zipRight(
                Effect.sync(() => log.push(`${name}${n}`)),
                Effect.yieldNow()
              ),
            { discard: true }
          )
        const tasks = yield* Effect.forEach(["a", "b"], (name) => Task.start(steps(name)))
        for (const task of tasks) yield* task.await
        assert.deepStrictEqual(log, ["a1", "b1", "a2", "b2", "a3", "b3"])
      })
    )) // asyncio: test_sleep_zero

  it("an effect may be started again: each start is another task", () =>
    run(
      Effect.gen(function* () {
        let runs = 0
        const effect = Effect.sync(() => ++runs)
        const [a, b] = [yield* Task.start(effect), yield* Task.start(effect)]
        assert.deepStrictEqual([yield* a.await, yield* b.await, yield* a.await], [1, 2, 1])
      })
    )) // asyncio: test_double_await (there, a coroutine runs once)

  it("what it waits for runs in its own fiber, unless that is a task", () =>
    run(
      Effect.gen(function* () {
        const deep = (depth: number): Effect.Effect<unknown> =>
          depth === 0 ? Effect.fiberId : Effect.suspend(() => deep(depth - 1))
        const [a, b, c] = yield* Effect.flatMap(
          Task.start(Effect.all([Effect.fiberId, deep(10), Effect.flatMap(Task.start(deep(0)), Task.await)])),
          Task.await
        )
        assert.strictEqual(a, b)
        assert.notStrictEqual(a, c)
      })
    )) // asyncio: test_awaitables_chain

  const ways: Record<string, (bodies: ReadonlyArray<Effect.Effect<unknown>>) => Effect.Effect<unknown, unknown>> = {
    tasks: (bodies) =>
      Effect.flatMap(
        Effect.forEach(bodies, (body) => Task.start(body)),
        (tasks) => Effect.forEach(tasks, Task.await)
      ),
    "task groups": (bodies) => TaskGroup.run((group) => Effect.forEach(bodies, (body) => group.start(body))),
    "Wait.all": (bodies) => Wait.all(bodies)
  }
  for (const [name, together] of Object.entries(ways)) {
    it(`each starts five more, four levels deep: ${name}`, async () => {
      let started = 0
      const grow = (depth: number): Effect.Effect<unknown> =>
        Effect.suspend(() => {
          started++
          return depth === 0 ? Effect.yieldNow() : Effect.orDie(together(Array(5).fill(grow(depth - 1))))
        })
      await run(Effect.flatMap(Task.start(grow(4)), Task.await))
      assert.strictEqual(started, 1 + 5 + 25 + 125 + 625)
    })
  } // asyncio: test_recursive_taskgroups, test_recursive_gather

  it("a task that interrupts itself was cancelled; one that is interrupted and fails to clean up has failed", () =>
    run(
      Effect.gen(function* () {
        const itself = yield* Task.start(Effect.interrupt)
        const dirty = yield* Task.start(Effect.ensuring(Effect.never, Effect.die("oops")))
        yield* Effect.yieldNow()
        yield* dirty.cancel()
        assert.deepStrictEqual(yield* itself.poll, { _tag: "Cancelled", reason: undefined })
        const outcome = yield* dirty.poll
        assert.isTrue(outcome._tag === "Failure" && outcome.error === "oops" && Cause.isInterrupted(outcome.cause))
        assert.strictEqual((yield* Effect.exit(dirty.await))._tag, "Failure")
      })
    ))

  it("what is uninterruptible goes on; the rest does not run, and a value that comes after all is discarded", () =>
    run(
      Effect.gen(function* () {
        const log: Array<string> = []
        const critical = Effect.uninterruptible(
          Effect.as(
            Effect.zipRight(
              Effect.yieldNow(),
              Effect.sync(() => log.push("critical"))
            ),
            42
          )
        )
        const value = yield* Task.start(critical)
        const rest = yield* Task.start(
          Effect.zipRight(
            critical,
            Effect.sync(() => log.push("rest"))
          )
        )
        yield* Effect.yieldNow()
        yield* value.cancelNow
        assert.isTrue(yield* rest.cancel())
        assert.deepStrictEqual(log, ["critical", "critical"])
        assert.deepStrictEqual([(yield* value.poll)._tag, (yield* rest.poll)._tag], ["Cancelled", "Cancelled"])
      })
    )) // deliberately different: test_cancel_task_catching, test_cancel_task_ignoring

  it("cancels itself: it does not wait for itself, and stops where it can be interrupted", () =>
    run(
      Effect.gen(function* () {
        const log: Array<unknown> = []
        const self = yield* Deferred.make<Task.Task<void>>()
        const task: Task.Task<void> = yield* Task.start(
          Effect.gen(function* () {
            const me = yield* Deferred.await(self)
            yield* Effect.uninterruptible(Effect.map(me.cancel(), (told) => log.push(told)))
            yield* Effect.sleep(100_000)
            log.push("went on")
          })
        )
        yield* Deferred.succeed(self, task)
        assert.strictEqual((yield* Effect.flip(task.await))._tag, "TaskCancelled")
        assert.deepStrictEqual(log, [true])
      })
    )) // asyncio: test_cancel_current_task

  it("cancels itself while it waits for a task in a scope of its own: that is cancelled, too", () =>
    run(
      Effect.gen(function* () {
        const log: Array<string> = []
        const nested = Effect.onInterrupt(Effect.never, () => Effect.sync(() => log.push("nested")))
        const self = yield* Deferred.make<Task.Task<void>>()
        const task: Task.Task<void> = yield* Task.start(
          Effect.scoped(
            Effect.gen(function* () {
              const inner = yield* Task.startScoped(nested)
              yield* Effect.yieldNow()
              yield* (yield* Deferred.await(self)).cancelNow
              return yield* Effect.orDie(inner.await)
            })
          )
        )
        yield* Deferred.succeed(self, task)
        assert.strictEqual((yield* Effect.flip(task.await))._tag, "TaskCancelled")
        assert.deepStrictEqual(log, ["nested"])
      })
    )) // asyncio: test_cancel_awaited_task

  it("cancels itself in its last step: its value is discarded", () =>
    run(
      Effect.gen(function* () {
        const self = yield* Deferred.make<Task.Task<number>>()
        const task: Task.Task<number> = yield* Task.start(
          Effect.flatMap(Deferred.await(self), (me) => Effect.uninterruptible(Effect.as(me.cancelNow, 12)))
        )
        yield* Deferred.succeed(self, task)
        assert.strictEqual((yield* Effect.flip(task.await))._tag, "TaskCancelled")
      })
    )) // asyncio: test_cancel_at_end

  it("refuses to wait for itself, as a defect; afterwards it may", () =>
    run(
      Effect.gen(function* () {
        const self = yield* Deferred.make<Task.Task<unknown, any>>()
        const task = yield* Task.start(Effect.flatMap(Deferred.await(self), (me) => me.await))
        yield* Deferred.succeed(self, task)
        const exit = yield* Effect.exit(task.await)
        assert.match(String(dieWith(exit)), /Task\.await: the task waits for itself/)
      })
    )) // asyncio: test_task_awaits_on_itself

  it("a child of it may wait for it, and that wait ends with it, however it ends", () =>
    run(
      Effect.gen(function* () {
        for (const end of ["succeeds", "fails", "cancelled", "a task within a task"] as const) {
          const self = yield* Deferred.make<Task.Task<number, string>>()
          const waiting = yield* Deferred.make<Fiber.RuntimeFiber<unknown, unknown>>()
          const body = Effect.gen(function* () {
            const me = yield* Deferred.await(self)
            const wait = end === "a task within a task" ? Effect.flatMap(Task.start(me.await), Task.await) : me.await
            yield* Deferred.succeed(waiting, yield* Effect.fork(wait))
            yield* Effect.yieldNow()
            if (end === "cancelled") return yield* Effect.never
            return end === "fails" ? yield* Effect.fail("oops") : 5
          })
          const task = yield* Task.start(body)
          yield* Deferred.succeed(self, task)
          const child = yield* Deferred.await(waiting)
          yield* Effect.yieldNow()
          if (end === "cancelled") yield* task.cancel()
          const exit = yield* Effect.exit(task.await)
          assert.strictEqual(Exit.isSuccess(exit), end === "succeeds" || end === "a task within a task")
          const ended = yield* Fiber.await(child)
          // It hears of the end, or is interrupted with it.
          assert.isTrue(Exit.isInterrupted(ended) || Exit.isSuccess(ended) === Exit.isSuccess(exit))
          assert.strictEqual(task[Task.TypeId].waiting?.size ?? 0, 0)
        }
      })
    ))

  it("another fiber within it may wait for it", () =>
    run(
      Effect.gen(function* () {
        const self = yield* Deferred.make<Task.Task<number>>()
        const seen = yield* Deferred.make<number>()
        const task: Task.Task<number> = yield* Task.start(
          Effect.flatMap(Deferred.await(self), (me) =>
            Effect.as(Effect.forkDaemon(Effect.flatMap(Effect.orDie(me.await), (n) => Deferred.succeed(seen, n))), 5)
          )
        )
        yield* Deferred.succeed(self, task)
        assert.strictEqual(yield* Deferred.await(seen), 5)
      })
    ))

  it("cancelling clears its timer", () =>
    withFakeTimers(async () => {
      const task = fork(Task.start(Effect.sleep("1 hour"))).value
      await settle()
      assert.strictEqual(vi.getTimerCount(), 1)
      fork(task.cancel())
      await settle()
      assert.strictEqual(vi.getTimerCount(), 0)
    })) // asyncio: test_sleep_cancel

  it("what it waits for is interrupted, inner handlers first; two requests in one tick are one", () =>
    run(
      Effect.gen(function* () {
        const log: Array<string> = []
        const handled =
          (name: string) =>
          <A, E>(self: Effect.Effect<A, E>) =>
            Effect.onInterrupt(self, () => Effect.sync(() => void log.push(name)))
        const inner = yield* Task.start(handled("its task")(Effect.never))
        const outer = yield* Task.start(
          Effect.ensuring(handled("outer")(handled("inner")(inner.await)), inner.cancel())
        )
        yield* Effect.yieldNow()
        yield* outer.cancelNow
        yield* outer.cancelNow
        yield* outer.cancel()
        assert.deepStrictEqual(log, ["inner", "outer", "its task"])
        assert.strictEqual((yield* inner.poll)._tag, "Cancelled")
      })
    )) // asyncio: test_yield_future_passes_cancel

  it("has the services and references of who starts it, and its changes stay its own", () =>
    run(
      Effect.gen(function* () {
        class Name extends Context.Tag("test/Name")<Name, string>() {}
        const local = FiberRef.unsafeMake("creator")
        const body = Effect.gen(function* () {
          const before = yield* FiberRef.get(local)
          yield* FiberRef.set(local, "task")
          return [yield* Name, before] as const
        })
        const task = yield* Effect.provideService(Task.start(body), Name, "Ada")
        yield* FiberRef.set(local, "creator, later")
        assert.deepStrictEqual(yield* task.await, ["Ada", "creator"])
        assert.strictEqual(yield* FiberRef.get(local), "creator, later")
      })
    )) // asyncio: test_context_1, test_context_3, test_context_vars

  it("has services of its own, if it is given some, and works on those", () =>
    run(
      Effect.gen(function* () {
        class Counter extends Context.Tag("test/Counter")<Counter, { count: number }>() {}
        const count = Effect.map(Counter, (counter) => counter.count++)
        const [own, outer] = [{ count: 0 }, { count: 0 }]
        const started = Effect.gen(function* () {
          yield* Task.await(yield* Task.start(Effect.provideService(count, Counter, own)))
          yield* Task.await(yield* Effect.provideService(Task.start(count), Counter, own))
          yield* Task.await(yield* Task.start(count))
        })
        yield* Effect.provideService(started, Counter, outer)
        assert.deepStrictEqual([own.count, outer.count], [2, 1])
      })
    )) // asyncio: test_context_4, test_context_5, test_context_6

  describe("callbacks", () => {
    it("have the services of who registers them, and do not hold anybody up", () =>
      run(
        Effect.gen(function* () {
          class Name extends Context.Tag("test/Name")<Name, string>() {}
          const log: Array<string> = []
          const task = yield* Task.start(Effect.succeed(1))
          const note = Effect.flatMap(Name, (name) => Effect.sync(() => void log.push(name)))
          yield* Effect.provideService(
            task.onComplete(() => Effect.zipRight(Effect.sleep(10), note)),
            Name,
            "slow"
          )
          yield* Effect.provideService(
            task.onComplete(() => note),
            Name,
            "quick"
          )
          assert.strictEqual(yield* task.await, 1)
          yield* Effect.yieldNow()
          yield* Effect.yieldNow()
          assert.deepStrictEqual(log, ["quick"])
          yield* TestClock.adjust(10)
          assert.deepStrictEqual(log, ["quick", "slow"])
        })
      )) // asyncio: test_context_2

    it("have nothing of the task's: neither its services nor its references; what is put into the task has those", () =>
      run(
        Effect.gen(function* () {
          class Name extends Context.Tag("test/Name")<Name, string>() {}
          class Place extends Context.Reference<Place>()("test/Place", { defaultValue: () => "nowhere" }) {}
          const local = FiberRef.unsafeMake("nobody")
          const log: Array<string> = []
          const note = (who: string) =>
            Effect.map(Effect.all([Name, Place, FiberRef.get(local)]), (all) => void log.push(`${who}: ${all.join()}`))
          const having =
            (name: string) =>
            <A, E, R>(self: Effect.Effect<A, E, R | Name>) =>
              self.pipe(
                Effect.provideService(Name, name),
                Effect.provideService(Place, name),
                Effect.locally(local, name)
              )
          const started = Task.start(Effect.onExit(Effect.yieldNow(), () => note("inside"))).pipe(having("starter"))
          const task = yield* started
          yield* task.onComplete(() => note("callback")).pipe(having("registrar"))
          yield* Effect.provideService(
            task.onComplete(() => note("other")),
            Name,
            "other"
          )
          yield* task.await
          for (let i = 0; i < 4; i++) yield* Effect.yieldNow()
          assert.deepStrictEqual(log, [
            "inside: starter,starter,starter",
            "callback: registrar,registrar,registrar",
            "other: other,nowhere,nobody"
          ])
        })
      )) // asyncio: test_context_2 (there, too, the context is that of the registrar)

    it("can be interrupted inside, though they are registered where nothing is", () =>
      run(
        Effect.gen(function* () {
          const timedOut = yield* Deferred.make<string>()
          const task = yield* Task.start(Effect.void)
          yield* Effect.uninterruptible(
            task.onComplete(() =>
              Effect.flatMap(Effect.timeoutOption(Effect.never, 5), ({ _tag }) => Deferred.succeed(timedOut, _tag))
            )
          )
          yield* Effect.yieldNow()
          yield* Effect.yieldNow()
          yield* TestClock.adjust(5)
          assert.strictEqual(yield* Deferred.await(timedOut), "None")
        })
      ))

    it("that fail, die or throw are reported with the name of the task", async () => {
      const reports: Array<string> = []
      await run(
        Effect.gen(function* () {
          const task = yield* Task.start(Effect.void, { name: "job" })
          yield* task.onComplete(() => Effect.fail("no"))
          yield* task.onComplete(() => Effect.die("no"))
          yield* task.onComplete(() => {
            throw new Error("no")
          })
          yield* task.onComplete(() => Effect.interrupt)
          yield* task.await
        }),
        reports
      )
      await settle()
      assert.deepStrictEqual(reports, Array(3).fill("Task.onComplete: job: a callback failed"))
    })
  })

  describe("cancel with a grace", () => {
    const stubborn = (cleanup: Effect.Effect<unknown>) =>
      Task.start(
        Effect.onInterrupt(Effect.never, () => cleanup),
        { name: "stubborn" }
      )

    it("goes on after it and says so; a late failure is reported too", async () => {
      const reports: Array<string> = []
      await run(
        Effect.gen(function* () {
          const task = yield* stubborn(Effect.zipRight(Effect.sleep(1_000), Effect.die("oops")))
          yield* Effect.yieldNow()
          const cancel = yield* Effect.fork(task.cancel({ grace: "100 millis" }))
          yield* TestClock.adjust(99)
          assert.strictEqual(yield* Fiber.poll(cancel).pipe(Effect.map(({ _tag }) => _tag)), "None")
          assert.deepStrictEqual(reports, [])
          yield* TestClock.adjust(1)
          assert.isTrue(yield* Fiber.join(cancel))
          assert.deepStrictEqual(reports, [
            "Task.cancel: stubborn: its cleanup has not ended 100 ms after it was cancelled"
          ])
          assert.strictEqual((yield* task.poll)._tag, "Pending")
          yield* TestClock.adjust(900)
          yield* Effect.yieldNow()
          assert.strictEqual((yield* task.poll)._tag, "Failure")
          assert.strictEqual(reports[1], "Task: stubborn: it failed, and nobody waits for it")
          assert.strictEqual(reports.length, 2)
        }),
        reports
      )
    })

    it("does not wait for it when the cleanup is quick", async () => {
      const reports: Array<string> = []
      await run(
        Effect.gen(function* () {
          const task = yield* stubborn(Effect.sleep(10))
          yield* Effect.yieldNow()
          const cancel = yield* Effect.fork(task.cancel({ grace: 100 }))
          yield* TestClock.adjust(10)
          assert.isTrue(yield* Fiber.join(cancel))
          assert.strictEqual(yield* Clock.currentTimeMillis, 10)
        }),
        reports
      )
      assert.deepStrictEqual(reports, [])
    })

    it("holds in a finalizer, too", () =>
      run(
        Effect.gen(function* () {
          const task = yield* stubborn(Effect.sleep(1_000))
          yield* Effect.yieldNow()
          const fiber = yield* Effect.fork(Effect.onInterrupt(Effect.never, () => task.cancel({ grace: 5 })))
          yield* Effect.yieldNow()
          const interrupted = yield* Effect.fork(Fiber.interrupt(fiber))
          yield* TestClock.adjust(5)
          yield* Fiber.join(interrupted)
          assert.strictEqual((yield* task.poll)._tag, "Pending")
        })
      ))
  })

  it("startScoped: the end of the scope waits for the cleanup", () =>
    run(
      Effect.gen(function* () {
        const log: Array<string> = []
        const body = Effect.onInterrupt(Effect.never, () =>
          Effect.zipRight(
            Effect.yieldNow(),
            Effect.sync(() => log.push("cleaned up"))
          )
        )
        const task = yield* Effect.scoped(Effect.tap(Task.startScoped(body), () => Effect.yieldNow()))
        log.push("closed")
        assert.deepStrictEqual([log, (yield* task.poll)._tag], [["cleaned up", "closed"], "Cancelled"])
      })
    ))

  it("has its name; module functions are the methods", () =>
    run(
      Effect.gen(function* () {
        const task = yield* Task.start(Effect.succeed(1), { name: "one" })
        assert.strictEqual(task.name, "one")
        assert.strictEqual((yield* Task.poll(task))._tag, "Pending")
        const called = yield* Deferred.make<string>()
        yield* Task.onComplete(task, ({ _tag }) => Deferred.succeed(called, _tag))
        assert.strictEqual(yield* Task.await(task), 1)
        assert.strictEqual(yield* Deferred.await(called), "Success")
        assert.deepStrictEqual([yield* Task.cancel(task), yield* Task.cancelNow(task)], [false, false])
        assert.isFrozen(yield* task.poll)
      })
    )) // asyncio: test_bare_create_named_task

  it("logs an error that nobody waits for when no reporter is given, and waits no longer for anything", async () => {
    const lines: Array<string> = []
    const { Logger } = await import("effect")
    const logger = Logger.make(
      ({ logLevel, message, cause }) => void lines.push(`${logLevel.label} ${String(message)} ${Cause.squash(cause)}`)
    )
    const printedBy = async (effect: Effect.Effect<unknown>) => {
      await Effect.runPromise(
        Effect.provide(Effect.zipRight(effect, Effect.sleep(1)), Logger.replace(Logger.defaultLogger, logger))
      )
      return lines.splice(0)
    }
    assert.deepStrictEqual(await printedBy(Task.start(Effect.fail("oops"), { name: "job" })), [
      "ERROR Task: job: it failed, and nobody waits for it oops"
    ])
    // What Effect itself does: the reason why.
    assert.deepStrictEqual(await printedBy(Effect.forkDaemon(Effect.fail("oops"))), [])
  })

  it("what reports a failure has what the task had, and of a callback what its registration had", async () => {
    const local = FiberRef.unsafeMake("nobody")
    const seen: Array<string> = []
    await Effect.runPromise(
      Effect.provideService(
        Effect.gen(function* () {
          yield* Effect.locally(Task.start(Effect.fail("oops")), local, "starter")
          const task = yield* Effect.locally(Task.start(Effect.void), local, "starter")
          yield* Effect.locally(
            task.onComplete(() => Effect.fail("no")),
            local,
            "registrar"
          )
        }),
        Reporter,
        { report: ({ where }) => Effect.map(FiberRef.get(local), (value) => void seen.push(`${where}: ${value}`)) }
      )
    )
    await settle()
    assert.sameMembers(seen, ["Task: starter", "Task.onComplete: registrar"])
  }) // asyncio: test_task_exc_handler_correct_context, test_handle_exc_handler_correct_context

  it("a failed task that is then cancelled is not reported: somebody has looked", async () => {
    const reports: Array<string> = []
    await run(
      Effect.gen(function* () {
        const task = yield* Task.start(Effect.fail("oops"))
        while ((yield* Effect.sync(() => task[Task.TypeId].outcome)) === undefined) yield* Effect.yieldNow()
        yield* task.cancelNow
      }),
      reports
    )
    await settle()
    assert.deepStrictEqual(reports, [])
  }) // asyncio: test_tb_logger_not_called_after_cancel

  describe("refuses as a defect", () => {
    const exits = (effect: Effect.Effect<unknown, unknown>) => dieWith(Effect.runSyncExit(effect)) as Error
    for (const bad of [123, "effect", undefined, null, () => {}, Promise.resolve()]) {
      it(`what is no effect: ${String(bad)}`, () => {
        assert.match(exits(Task.start(bad as never)).message, /^Task\.start: effect must be an effect, got /)
      })
    } // asyncio: test_create_task_with_noncoroutine, test_ensure_future_neither

    it("options, names, graces and callbacks that are none", () => {
      const task = Effect.runSync(Task.start(Effect.never))
      assert.match(exits(Task.start(Effect.void, null as never)).message, /^Task\.start: options must be an object/)
      assert.match(
        exits(Task.start(Effect.void, { name: 5 as never })).message,
        /^Task\.start: name must be a string, got 5/
      )
      assert.match(
        exits(task.cancel({ grace: -1 })).message,
        /^Task\.cancel: grace must be 0 or more milliseconds, got -1/
      )
      assert.match(
        exits(task.cancel({ grace: NaN })).message,
        /^Task\.cancel: grace must be 0 or more milliseconds, got NaN/
      ) // asyncio: test_sleep_when_delay_is_nan
      assert.match(
        exits(task.cancel({ grace: "soon" as never })).message,
        /^Task\.cancel: grace must be a duration, got "soon"/
      )
      assert.match(exits(task.cancel(5 as never)).message, /^Task\.cancel: options must be an object, got 5/)
      assert.match(
        exits(task.onComplete(Effect.void as never)).message,
        /^Task\.onComplete: callback must be a function/
      )
      assert.strictEqual(Effect.runSync(task.poll)._tag, "Pending", "nothing has changed")
      Effect.runSync(task.cancelNow)
    })
  })
})

describe("Task.shareDeferred", () => {
  it("is settled from either side, once", async () => {
    for (const first of ["effect", "promise"] as const) {
      const deferred = Effect.runSync(Deferred.make<number, string>())
      const plain = Promises.Deferred.from(Task.shareDeferred(deferred))
      const [fiber, wait] = [fork(Deferred.await(deferred)), plain.wait()]
      assert.isFalse(plain.isSettled)
      const viaEffect = () => Effect.runSync(Deferred.succeed(deferred, 1))
      const viaPromise = () => plain.resolve(2)
      const [a, b] = first === "effect" ? [viaEffect(), viaPromise()] : [viaPromise(), viaEffect()]
      assert.deepStrictEqual([a, b, plain.isSettled], [true, false, true])
      await settle()
      const expected = first === "effect" ? 1 : 2
      assert.deepStrictEqual([fiber.value, await wait, await plain.promise], [expected, expected, expected])
    }
  }) // asyncio: test_wrap_future

  it("hands errors over as they are, and an interruption as an AbortError", async () => {
    const oops = new Error("oops")
    const failed = Effect.runSync(Deferred.make<number, Error>())
    const plain = Promises.Deferred.from(Task.shareDeferred(failed))
    assert.isTrue(plain.reject(oops))
    assert.strictEqual(Effect.runSync(Effect.flip(Deferred.await(failed))), oops)
    assert.strictEqual(await plain.promise.catch((error: unknown) => error), oops)
    const died = Effect.runSync(Deferred.make<number>())
    Effect.runSync(Deferred.die(died, oops))
    assert.strictEqual(
      await Promises.Deferred.from(Task.shareDeferred(died))
        .wait()
        .catch((error: unknown) => error),
      oops
    )
    const interrupted = Effect.runSync(Deferred.make<number>())
    Effect.runSync(Deferred.interrupt(interrupted))
    const error: any = await Promises.Deferred.from(Task.shareDeferred(interrupted))
      .wait()
      .catch((error: unknown) => error)
    assert.strictEqual(error.name, "AbortError")
  }) // asyncio: test_copy_state
})
