import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  Context,
  Deferred,
  Effect,
  Exit,
  Fiber,
  FiberId,
  FiberRef,
  Layer,
  Scope,
  Stream,
  TestClock
} from "effect"
import { Event, TaskGroup } from "effect-concurrency"
import { taskGroupLaws, taskGroupSkins } from "./laws/TaskGroup.js"
import { fork, settle } from "./laws/skins.js"
import { Reporter } from "../src/internal/report.js"
import { dieWith } from "./utils/defects.js"
import { sweepIsClean } from "./utils/sweep.js"

for (const skin of taskGroupSkins) taskGroupLaws(skin)

type Group<E = string> = TaskGroup.TaskGroup<E>

const defectsOf = (exit: Exit.Exit<unknown, unknown>) =>
  Exit.isFailure(exit) ? Array.from(Cause.defects(exit.cause)) : []

const interrupted = (f: () => void) => Effect.onInterrupt(Effect.never, () => Effect.sync(f))

describe("TaskGroup: interrupted at any operation", () => {
  it("a caller: every task and the body have ended when it has, and what began cleaned up", () =>
    sweepIsClean({
      setup: () => ({ begun: 0, over: 0, group: undefined as Group | undefined }),
      victim: (state) => {
        const task = Effect.uninterruptibleMask((restore) => {
          state.begun++
          return Effect.ensuring(
            restore(Effect.yieldNow()),
            Effect.sync(() => state.over++)
          )
        })
        return TaskGroup.run((group: Group) => {
          state.group = group
          return Effect.zipRight(Effect.zipRight(group.start(task), group.start(task)), task)
        })
      },
      verify: ({ begun, group, over }, exit) => {
        if (begun !== over) return `${begun} began, ${over} have ended`
        if (Exit.isSuccess(exit) && over !== 3) return `${over} of 3`
        if (group !== undefined && Effect.runSync(group.stats).status !== "closed") return "the group goes on"
      }
    }))

  it("a body: the tasks that it started have ended, and the caller with them", () =>
    sweepIsClean({
      setup: () => ({ begun: 0, over: 0, ended: false }),
      victim: (state) => {
        const task = Effect.uninterruptibleMask((restore) => {
          state.begun++
          return Effect.ensuring(
            restore(Effect.yieldNow()),
            Effect.sync(() => state.over++)
          )
        })
        return Effect.onExit(
          TaskGroup.run((group: Group) =>
            Effect.zipRight(group.start(task), Effect.zipRight(group.start(Effect.never), group.cancel))
          ),
          () => Effect.sync(() => (state.ended = true))
        )
      },
      verify: ({ begun, over }) => (begun === over ? undefined : `${begun} began, ${over} have ended`)
    }))
})

describe("TaskGroup.run", () => {
  it.effect("a task that is stopped before its first step does not run", () =>
    Effect.gen(function* () {
      let ran = false
      const error = yield* Effect.flip(
        TaskGroup.run((group: Group) =>
          Effect.gen(function* () {
            yield* group.start(Effect.fail("oops"))
            yield* group.start(Effect.sync(() => (ran = true)))
            return yield* Effect.never
          })
        )
      )
      assert.deepStrictEqual([error, ran], ["oops", false])
    })
  ) // asyncio: test_taskgroup_10 ("unstarted children cancelled")

  it.effect("a body that waits for a task that fails is interrupted, and does not see the error", () =>
    Effect.gen(function* () {
      const seen: Array<boolean> = []
      const error = yield* Effect.flip(
        TaskGroup.run((group: Group) =>
          Effect.flatMap(group.start(Effect.zipRight(Effect.yieldNow(), Effect.fail("oops"))), (fiber) =>
            Effect.tapErrorCause(Fiber.join(fiber), (cause) =>
              Effect.sync(() => seen.push(Cause.isInterruptedOnly(cause)))
            )
          )
        )
      )
      assert.strictEqual(error, "oops")
      assert.isFalse(seen.includes(false))
    })
  )

  it("interrupted from outside while a task crashes in its cleanup: both come, also past a handler", async () => {
    for (const handled of [true, false]) {
      const group = TaskGroup.run((group: Group) =>
        Effect.zipRight(group.start(Effect.onInterrupt(Effect.never, () => Effect.die("cleanup"))), Effect.never)
      )
      const fiber = Effect.runFork(handled ? Effect.catchAll(group, () => Effect.void) : group)
      await settle()
      const exit = await Effect.runPromise(Fiber.interrupt(fiber))
      assert.isTrue(Exit.isInterrupted(exit))
      assert.deepStrictEqual(defectsOf(exit), ["cleanup"])
    }
  }) // asyncio: test_taskgroup_08

  it("a task that fails while an interrupted body still cleans up: both come, also to one who only waits", async () => {
    const ticks = (n: number) => Effect.forEach(Array.from({ length: n }), () => Effect.yieldNow(), { discard: true })
    const told = Effect.runSync(Event.make())
    const order: Array<string> = []
    const group = TaskGroup.run((group: Group) =>
      Effect.zipRight(
        group.start(
          Effect.uninterruptible(
            Effect.flatMap(told.wait, () => {
              order.push("task")
              return Effect.fail("task")
            })
          )
        ),
        Effect.onInterrupt(Effect.never, () =>
          Effect.zipRight(
            Effect.zipRight(told.set, ticks(20)),
            Effect.sync(() => order.push("body"))
          )
        )
      )
    )
    const fiber = Effect.runFork(group)
    const waiter = fork(Effect.exit(Fiber.join(fiber)))
    await settle()
    const exit = await Effect.runPromise(Fiber.interrupt(fiber))
    await settle()
    for (const each of [exit, waiter.value]) {
      assert.isTrue(Exit.isInterrupted(each))
      assert.deepStrictEqual(defectsOf(each), ["task"])
    }
    assert.deepStrictEqual(order, ["task", "body"])
  }) // asyncio: test_taskgroup_15, test_taskgroup_16

  it("tasks of an outer and an inner group fail in one tick: neither error is lost", async () => {
    for (const innerFirst of [true, false]) {
      const [inner, outer] = [Event.makeUnsafe(), Event.makeUnsafe()]
      const failing = (go: Event.Event, error: string) =>
        Effect.uninterruptible(Effect.zipRight(go.wait, Effect.fail(error)))
      const fiber = Effect.runFork(
        TaskGroup.run((group: TaskGroup.TaskGroup<any>) =>
          Effect.zipRight(
            group.start(failing(outer, "outer")),
            TaskGroup.run((group: Group) => Effect.zipRight(group.start(failing(inner, "inner")), Effect.never))
          )
        )
      )
      await settle()
      for (const go of innerFirst ? [inner, outer] : [outer, inner]) Effect.runSync(go.set)
      const exit = await Effect.runPromise(Fiber.await(fiber))
      const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
      assert.deepStrictEqual((error as AggregateError).errors, ["outer", "inner"])
    }
  }) // asyncio: test_nested_groups_both_cancelled

  it("interrupted and failing in one tick, in both orders: neither is lost", async () => {
    for (const interruptFirst of [true, false]) {
      const go = Event.makeUnsafe()
      const fiber = Effect.runFork(
        TaskGroup.run((group: Group) =>
          Effect.zipRight(
            group.start(Effect.uninterruptible(Effect.zipRight(go.wait, Effect.fail("oops")))),
            Effect.never
          )
        )
      )
      await settle()
      if (interruptFirst) fiber.unsafeInterruptAsFork(fiber.id())
      Effect.runSync(go.set)
      if (!interruptFirst) fiber.unsafeInterruptAsFork(fiber.id())
      const exit = await Effect.runPromise(Fiber.await(fiber))
      assert.isTrue(Exit.isInterrupted(exit))
      assert.deepStrictEqual(defectsOf(exit), ["oops"])
    }
  }) // asyncio: test_error_and_cancel

  it.effect("a handled failure leaves no interruption behind", () =>
    Effect.gen(function* () {
      const group = TaskGroup.run((group: Group) => Effect.zipRight(group.start(Effect.fail("oops")), Effect.never))
      const error = yield* Effect.flip(group)
      yield* Effect.yieldNow()
      const again = yield* Effect.flip(group)
      assert.deepStrictEqual([error, again], ["oops", "oops"])
    })
  ) // asyncio: test_cancelling_level_preserved, test_cancellation_does_not_leak_out_of_tg

  it.effect("an outer task's failure ends the inner group cleanly, and comes as it is", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const error = yield* Effect.flip(
        TaskGroup.run((outer: Group) =>
          Effect.zipRight(
            outer.start(Effect.zipRight(Effect.yieldNow(), Effect.fail("outer"))),
            TaskGroup.run((inner: Group<never>) =>
              Effect.zipRight(inner.start(interrupted(() => log.push("inner"))), Effect.never)
            )
          )
        )
      )
      assert.deepStrictEqual([error, log], ["outer", ["inner"]])
    })
  ) // asyncio: test_taskgroup_13

  it.effect("a body may turn its interruption into an error of its own", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        TaskGroup.run((group: Group) =>
          Effect.zipRight(
            group.start(Effect.fail("task")),
            Effect.uninterruptible(Effect.zipRight(Effect.yieldNow(), Effect.fail("mine")))
          )
        )
      )
      assert.deepStrictEqual((error as TaskGroup.TaskGroupError<string>).errors, ["task", "mine"])
    })
  ) // asyncio: test_taskgroup_18

  it("an interruption that the body makes itself ends the group like one from outside", async () => {
    let told = false
    const attempt = fork(
      TaskGroup.run((group: Group) =>
        Effect.zipRight(
          group.start(interrupted(() => (told = true))),
          Effect.zipRight(Effect.yieldNow(), Effect.interrupt)
        )
      )
    )
    await settle()
    assert.deepStrictEqual([attempt.state, told], ["cancelled", true])
  })

  it.effect("a defect stays the defect that it is; with others, all are in one that is a defect", () =>
    Effect.gen(function* () {
      const alone = yield* Effect.exit(TaskGroup.run((group: Group) => group.start(Effect.die("defect"))))
      assert.strictEqual(dieWith(alone), "defect")
      const both = yield* Effect.exit(
        TaskGroup.run((group: Group) =>
          Effect.zipRight(
            group.start(Effect.uninterruptible(Effect.zipRight(Effect.yieldNow(), Effect.fail("task")))),
            Effect.uninterruptible(Effect.zipRight(Effect.yieldNow(), Effect.die("defect")))
          )
        )
      )
      const error = dieWith(both) as TaskGroup.TaskGroupError
      assert.instanceOf(error, TaskGroup.TaskGroupError)
      assert.deepStrictEqual(error.errors, ["task", "defect"])
    })
  ) // asyncio: test_taskgroup_20, test_taskgroup_20a, test_taskgroup_21a

  // `FiberSet.clear` interrupts one after the other.
  it.effect("all are told at once: five who clean up for 50 ms take 50 ms", () =>
    Effect.gen(function* () {
      let clean = 0
      const slow = Effect.onInterrupt(Effect.never, () => Effect.map(Effect.sleep(50), () => clean++))
      const fiber = yield* Effect.fork(
        TaskGroup.run((group: Group) =>
          Effect.gen(function* () {
            for (let i = 0; i < 5; i++) yield* group.start(slow)
            yield* Effect.yieldNow()
            return yield* Effect.fail("oops")
          })
        )
      )
      yield* TestClock.adjust(49)
      assert.deepStrictEqual([fiber.unsafePoll(), clean], [null, 0])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual([yield* Effect.flip(Fiber.join(fiber)), clean], ["oops", 5])
    })
  )

  it.effect("a timeout around it drops the errors of the cleanup, as Effect does; one around its body does not", () =>
    Effect.gen(function* () {
      const slow = Effect.onInterrupt(Effect.never, () => Effect.die("cleanup"))
      const body = (group: Group) => Effect.flatMap(group.start(slow), Fiber.join)
      const attempt = (effect: Effect.Effect<unknown, unknown>) =>
        Effect.gen(function* () {
          const fiber = yield* Effect.fork(Effect.exit(effect))
          yield* TestClock.adjust("1 second")
          return yield* Fiber.join(fiber)
        })
      const around = yield* attempt(Effect.timeout(TaskGroup.run(body), "1 second"))
      assert.isTrue(Exit.isFailure(around) && Cause.isFailType(around.cause), "only the TimeoutException")
      const inside = yield* attempt(TaskGroup.run((group: Group) => Effect.timeout(body(group), "1 second")))
      const { errors } = dieWith(inside) as TaskGroup.TaskGroupError<any>
      assert.deepStrictEqual([errors[0], errors[1]._tag], ["cleanup", "TimeoutException"])
    })
  )

  it.effect("all failures of one task are kept, with its own cause", () =>
    Effect.gen(function* () {
      const cause = Cause.parallel(Cause.fail("a"), Cause.fail("b"))
      const exit = yield* Effect.exit(TaskGroup.run((group: Group) => group.start(Effect.failCause(cause))))
      assert.isTrue(Exit.isFailure(exit) && Array.from(Cause.failures(exit.cause)).join() === "a,b")
    })
  )

  it.effect("tasks have the services and the fiber refs of who starts them, and the body's changes last", () =>
    Effect.gen(function* () {
      class Name extends Context.Tag("Name")<Name, string>() {}
      const ref = FiberRef.unsafeMake("outside")
      const result = yield* TaskGroup.run((group) =>
        Effect.gen(function* () {
          yield* FiberRef.set(ref, "body")
          const fiber = yield* group.start(Effect.all([Name, FiberRef.get(ref)]))
          return yield* Fiber.join(fiber)
        })
      ).pipe(Effect.provide(Layer.succeed(Name, "service")))
      assert.deepStrictEqual([result, yield* FiberRef.get(ref)], [["service", "body"], "body"])
    })
  ) // asyncio: test_taskgroup_task_context

  it.effect("its effect may be run again: each run has a group of its own", () =>
    Effect.gen(function* () {
      const group = TaskGroup.run((group) => Effect.flatMap(group.start(Effect.succeed(1)), Fiber.join))
      assert.deepStrictEqual([yield* group, yield* group], [1, 1])
    })
  ) // asyncio: test_taskgroup_already_entered, test_taskgroup_double_enter, test_taskgroup_not_entered (nothing to enter)

  it("where nothing can be interrupted it runs to its end", async () => {
    const gate = Deferred.unsafeMake<void>(FiberId.none)
    const fiber = Effect.runFork(Effect.uninterruptible(TaskGroup.run((group) => group.start(Deferred.await(gate)))))
    await settle()
    fiber.unsafeInterruptAsFork(fiber.id())
    await settle()
    assert.isNull(fiber.unsafePoll())
    Effect.runSync(Deferred.succeed(gate, undefined))
    await settle()
    assert.isTrue(Exit.isInterrupted(fiber.unsafePoll()!))
  })

  it("20,000 tasks leave nothing behind, and cost what they cost", async () => {
    const seen = await Effect.runPromise(
      TaskGroup.run((group) =>
        Effect.gen(function* () {
          for (let i = 0; i < 20_000; i++) yield* group.start(Effect.void)
          yield* Effect.yieldNow()
          return (yield* group.stats).running
        })
      )
    )
    assert.strictEqual(seen, 1)
  })

  it.effect("refuses what is no function, no effect, and no name", () =>
    Effect.gen(function* () {
      const message = (effect: Effect.Effect<unknown, unknown>) =>
        Effect.map(Effect.exit(effect), (exit) => (dieWith(exit) as Error).message)
      const inGroup = (f: (group: TaskGroup.TaskGroup<any>) => unknown) =>
        message(TaskGroup.run((group) => f(group) as Effect.Effect<void>))
      assert.match(yield* message(TaskGroup.run(5 as never)), /^TaskGroup\.run: body must be a function, got 5/)
      assert.match(yield* inGroup(() => 5), /^TaskGroup\.run: body must be a function that returns an effect, got 5/)
      assert.match(
        yield* inGroup((group) => group.start(5 as never)),
        /^TaskGroup\.start: effect must be an effect, got 5/
      )
      assert.match(
        yield* inGroup((group) => group.start(Effect.void, { name: 5 as never })),
        /^TaskGroup\.start: name must be a string, got 5/
      )
    })
  )
})

describe("TaskGroup.make", () => {
  it.effect("join waits for all, and fails as they do; then the group has ended", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const group = yield* TaskGroup.make<string>()
        let told = false
        yield* group.start(interrupted(() => (told = true)))
        yield* Effect.yieldNow()
        yield* group.start(Effect.fail("oops"))
        assert.deepStrictEqual([yield* Effect.flip(group.join), told], ["oops", true])
        assert.strictEqual((yield* group.stats).status, "closed")
        yield* group.join
      })
    )
  )

  it.effect("start fails in one that is stopping or has ended, as whoever comes too late may not know", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const group = yield* TaskGroup.make<string>()
        const late = Effect.flip(
          group.start(
            Effect.sync(() => assert.fail("runs")),
            { name: "late" }
          )
        )
        yield* group.start(Effect.uninterruptible(Effect.zipRight(Effect.yieldNow(), Effect.yieldNow())))
        yield* Effect.yieldNow()
        yield* group.cancel
        const stopping = yield* late
        yield* group.join
        const closed = yield* late
        for (const error of [stopping, closed]) assert.instanceOf(error, TaskGroup.TaskGroupClosed)
        assert.deepStrictEqual([stopping._tag, stopping.task, stopping.status], ["TaskGroupClosed", "late", "stopping"])
        assert.strictEqual(closed.message, 'the task "late" was not started: the group has ended')
      })
    )
  ) // asyncio: test_taskgroup_finished

  it.effect("a task that fails with the refusal by its own group, which is stopping, has not failed", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const group = yield* TaskGroup.make<TaskGroup.TaskGroupClosed>()
        yield* group.start(
          Effect.uninterruptible(
            Effect.zipRight(Effect.yieldNow(), group.start(Effect.sync(() => assert.fail("runs"))))
          )
        )
        yield* group.cancel
        yield* group.join
        assert.strictEqual((yield* group.stats).failed, 0)
      })
    )
  )

  it("a stream that is left early closes its scope, which waits for the tasks unless they are told to stop", async () => {
    for (const stops of [true, false]) {
      const log: Array<string> = []
      const stream = Stream.unwrapScoped(
        Effect.gen(function* () {
          const group = yield* TaskGroup.make()
          yield* group.start(
            Effect.onExit(Effect.sleep(5), ({ _tag }) =>
              Effect.sync(() => log.push(_tag === "Success" ? "done" : "told"))
            )
          )
          return Stream.ensuring(Stream.fromIterable([1, 2, 3]), stops ? group.cancel : Effect.void)
        })
      )
      const first = await Effect.runPromise(Stream.runHead(Stream.tap(stream, () => Effect.yieldNow())))
      assert.deepStrictEqual([first._tag, log], ["Some", [stops ? "told" : "done"]])
    }
  }) // asyncio: test_taskgroup_generator_exit_01 (there, the tasks are always told)

  it.effect("a scope that closes waits for the tasks; one that fails or is interrupted interrupts them first", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const scope = (end: Effect.Effect<void, string>) =>
        Effect.exit(
          Effect.scoped(
            Effect.gen(function* () {
              const group = yield* TaskGroup.make()
              yield* group.start(
                Effect.onExit(Effect.zipRight(Effect.yieldNow(), Effect.yieldNow()), ({ _tag }) =>
                  Effect.sync(() => log.push(_tag))
                )
              )
              yield* Effect.yieldNow()
              yield* end
            })
          )
        )
      yield* scope(Effect.void)
      yield* scope(Effect.fail("no"))
      assert.deepStrictEqual(log, ["Success", "Failure"])
    })
  )

  it.effect("what nobody has joined is a defect of the scope that closes", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(
        Effect.scoped(Effect.flatMap(TaskGroup.make<string>(), (group) => group.start(Effect.fail("oops"))))
      )
      assert.deepStrictEqual(defectsOf(exit), ["oops"])
    })
  )

  it("a join that is interrupted interrupts the tasks, and waits for them", async () => {
    const log: Array<string> = []
    const fiber = Effect.runFork(
      Effect.scoped(
        Effect.gen(function* () {
          const group = yield* TaskGroup.make()
          yield* group.start(
            Effect.onInterrupt(Effect.never, () =>
              Effect.zipRight(
                Effect.sleep(5),
                Effect.sync(() => log.push("clean"))
              )
            )
          )
          yield* group.join
        })
      )
    )
    await settle()
    await Effect.runPromise(Fiber.interrupt(fiber))
    assert.deepStrictEqual(log, ["clean"])
  })

  describe("a task that waits for the group", () => {
    const message = "a task of the group waits for the group, and so for itself, and would never end"

    it.effect("is told so, and nothing has changed", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const group = yield* TaskGroup.make()
          const fiber = yield* group.start(Effect.uninterruptible(Effect.exit(group.join)))
          const exit = yield* Fiber.join(fiber)
          assert.strictEqual((dieWith(exit) as Error).message, `TaskGroup.join: ${message}`)
          assert.strictEqual((yield* group.stats).status, "open")
          yield* group.join
        })
      )
    )

    it.effect("may have a fiber that does, or wait with a timeout; and so may a task of another group", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const log: Array<string> = []
          const group = yield* TaskGroup.make()
          const other = yield* TaskGroup.make()
          const joins = Effect.map(group.join, () => log.push("joined"))
          yield* group.start(Effect.forkDaemon(joins))
          yield* group.start(Effect.zipRight(Effect.fork(joins), Effect.yieldNow()))
          yield* other.start(joins)
          yield* other.join
          yield* Effect.yieldNow()
          assert.isAtLeast(log.length, 2)
        })
      )
    )

    it("and closes its scope: the group ends when the task has, and its failures are not lost", async () => {
      const reports: Array<string> = []
      const exits: Array<Exit.Exit<unknown, unknown>> = []
      await Effect.runPromise(
        Effect.gen(function* () {
          const scope = yield* Scope.make()
          const group = yield* Scope.extend(TaskGroup.make<string>(), scope)
          yield* group.start(
            Effect.uninterruptible(
              Effect.flatMap(Effect.exit(Scope.close(scope, Exit.void)), (exit) => {
                exits.push(exit)
                return Effect.fail("oops")
              })
            )
          )
          while ((yield* group.stats).status !== "closed" || reports.length === 0) yield* Effect.sleep(1)
        }).pipe(
          Effect.provideService(Reporter, {
            report: ({ cause, where }) =>
              Effect.sync(() => void reports.push(`${where}: ${String(Cause.squash(cause))}`))
          })
        )
      )
      assert.strictEqual((dieWith(exits[0]!) as Error).message, `TaskGroup.make: ${message}`)
      assert.deepStrictEqual(reports, ["TaskGroup: oops"])
    })

    it("is not kept for that when it has ended", async () => {
      let seen: unknown
      await Effect.runPromise(
        Effect.exit(
          TaskGroup.run((group: Group) => {
            seen = group
            return Effect.gen(function* () {
              yield* group.start(Effect.void)
              yield* group.start(Effect.never)
              yield* Effect.yieldNow()
              yield* group.start(Effect.fail("oops"))
              return yield* Effect.never
            })
          })
        )
      )
      assert.strictEqual((seen as { insiders: Map<unknown, unknown> }).insiders.size, 0)
    })
  })
})

describe("TaskGroup.Service", () => {
  class Connections extends TaskGroup.Service<Connections, string>()("test/Connections") {}

  it.effect("has the operations of whichever group is provided, whose tasks are started anywhere", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const program = Effect.gen(function* () {
        const one = yield* Connections.start(Effect.succeed(1), { name: "one" })
        yield* Connections.start(interrupted(() => log.push("told")))
        assert.strictEqual(yield* Fiber.join(one), 1)
        assert.deepStrictEqual((yield* Connections.stats).names, ["(scope)", "(no name)"])
        yield* Connections.cancel
        yield* Connections.join
        assert.strictEqual((yield* Effect.flip(Connections.start(Effect.void)))._tag, "TaskGroupClosed")
      })
      yield* Effect.provide(program, Connections.layer)
      assert.deepStrictEqual(log, ["told"])
    })
  )

  it.effect(
    "a layer that closes well waits for the tasks; one whose program fails or is interrupted interrupts them",
    () =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const task = Effect.onExit(Effect.sleep(10), ({ _tag }) => Effect.sync(() => log.push(_tag)))
        const program = (end: Effect.Effect<void, string>) =>
          Effect.zipRight(Connections.start(task), Effect.zipRight(Effect.yieldNow(), end))
        const well = yield* Effect.fork(Effect.provide(program(Effect.void), Connections.layer))
        yield* TestClock.adjust(9)
        assert.deepStrictEqual([well.unsafePoll(), log], [null, []])
        yield* TestClock.adjust(1)
        yield* Fiber.join(well)
        yield* Effect.exit(Effect.provide(program(Effect.fail("no")), Connections.layer))
        const server = yield* Effect.fork(Effect.provide(program(Effect.never), Connections.layer))
        yield* TestClock.adjust(1)
        yield* Fiber.interrupt(server)
        assert.deepStrictEqual(log, ["Success", "Failure", "Failure"])
      })
  )

  it.effect("what a task fails with is for who joins, or the layer dies with it as it closes", () =>
    Effect.gen(function* () {
      const fails = Connections.start(Effect.fail("oops"))
      const joined = Effect.zipRight(fails, Effect.flip(Connections.join))
      assert.strictEqual(yield* Effect.provide(joined, Connections.layer), "oops")
      const exit = yield* Effect.exit(Effect.provide(Effect.zipRight(fails, Effect.yieldNow()), Connections.layer))
      assert.deepStrictEqual(defectsOf(exit), ["oops"])
    })
  )
})
