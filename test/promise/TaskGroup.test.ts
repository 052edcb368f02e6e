import { AsyncLocalStorage } from "node:async_hooks"
import { assert, describe, it, vi } from "@effect/vitest"
import { Effect } from "effect"
import { TaskGroup as EffectTaskGroup } from "effect-concurrency"
import { Event, taskGroup, TaskGroup, TaskGroupClosed, TaskGroupError } from "effect-concurrency/promise"
import { settle } from "../laws/skins.js"
import { rejectionOf } from "../utils/rejection.js"
import { counted, watch, withFakeTimers } from "./waits.js"

const untilAborted = ({ signal }: { readonly signal: AbortSignal }) =>
  new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))

describe("taskGroup", () => {
  it("calls the body and the tasks at once, in the context of the caller", async () => {
    const context = new AsyncLocalStorage<string>()
    const seen: Array<string | undefined> = []
    const look = () => void seen.push(context.getStore())
    const done = context.run("body", () =>
      taskGroup((group) => {
        look()
        void context.run("task", () => group.start(look))
      })
    )
    assert.deepStrictEqual(seen, ["body", "task"])
    await done
  }) // asyncio: test_taskgroup_task_context

  it("a task that throws at once stops the group while it is being started, and the body hears of it", async () => {
    const oops = new Error("oops")
    let aborted: boolean | undefined
    const error = await rejectionOf(
      taskGroup(async (group) => {
        void group.start(() => {
          throw oops
        })
        await Promise.resolve()
        await Promise.resolve()
        aborted = group.signal.aborted
      })
    )
    assert.deepStrictEqual([error, aborted], [oops, true])
  }) // asyncio: test_cancels_task_if_created_during_creation

  it("a task that cancels the group while it is being started is told as well", async () => {
    const done = await taskGroup(async (group) => {
      const task = group.start(async ({ signal }) => {
        group.cancel("enough")
        return signal.aborted && signal.reason
      })
      return task
    })
    assert.strictEqual(done, "enough")
  }) // asyncio: test_taskgroup_cancel_from_child_before_first_suspension

  it("tells why: an AbortError with the error as its cause; what somebody gave, as it is", async () => {
    const reasons: Array<any> = []
    const listen = (group: TaskGroup) =>
      group.start(({ signal }) => untilAborted({ signal }).catch((reason) => void reasons.push(reason)))
    const oops = new Error("oops")
    await rejectionOf(
      taskGroup(async (group) => {
        void listen(group)
        throw oops
      })
    )
    await taskGroup(async (group) => {
      void listen(group)
      group.cancel()
    })
    await taskGroup(async (group) => {
      void listen(group)
      group.cancel("enough")
    })
    assert.deepStrictEqual([reasons[0].name, reasons[0].cause], ["AbortError", oops])
    assert.deepStrictEqual([reasons[1].name, reasons[1].cause], ["AbortError", undefined])
    assert.strictEqual(reasons[2], "enough")
  })

  it("an AbortError of a task that nobody told is a failure", async () => {
    const mine = new DOMException("mine", "AbortError")
    assert.strictEqual(await rejectionOf(taskGroup((group) => group.start(() => Promise.reject(mine)))), mine)
  })

  it("a task is the promise of its function, and the group hears of its end before others do", async () => {
    const log: Array<string> = []
    const own = Promise.resolve("own")
    await taskGroup(async (group) => {
      const task = group.start(() => own)
      assert.strictEqual(task, own)
      await task
      log.push(`${group.stats().running}`)
    })
    assert.deepStrictEqual(log, ["1"])
  })

  it("a body that hands on the error of a task has not failed once more", async () => {
    const oops = new Error("oops")
    const error = await rejectionOf(taskGroup(async (group) => await group.start(() => Promise.reject(oops))))
    assert.strictEqual(error, oops)
  })

  it("a rejection of a task that nobody looks at is not unhandled, and a refusal by a group that stops neither", async () => {
    const unhandled = vi.fn()
    process.on("unhandledRejection", unhandled)
    const error = await rejectionOf(
      taskGroup(async (group) => {
        void group.start(() => Promise.reject(new Error("oops")))
        await settle()
        void group.start(() => assert.fail("runs"))
      })
    )
    await settle()
    process.off("unhandledRejection", unhandled)
    assert.strictEqual((error as Error).message, "oops")
    assert.strictEqual(unhandled.mock.calls.length, 0)
  })

  it("with a signal that is aborted already nothing runs", async () => {
    const reason = { why: "before" }
    const signal = AbortSignal.abort(reason)
    assert.strictEqual(await rejectionOf(taskGroup(() => assert.fail("runs"), { signal })), reason)
    assert.throws(() => new TaskGroup({ signal }))
    const own = await taskGroup(async (group) => rejectionOf(group.start(() => assert.fail("runs"), { signal })))
    assert.strictEqual(own, reason)
  }) // asyncio: test_taskgroup_cancel_before_enter

  it("an abort rejects with the reason, when all have ended, and leaves no listener", async () => {
    const { abort, left, signal } = counted()
    const gate = new Event()
    const attempt = watch(taskGroup((group) => void group.start(() => gate.wait()), { signal }))
    await settle()
    assert.strictEqual(left(), 1)
    abort("enough")
    await settle()
    assert.strictEqual(attempt.state, "waiting")
    gate.set()
    await settle()
    assert.deepStrictEqual([attempt.error, left()], ["enough", 0])
  })

  it("a timeout rejects with a TimeoutError, which the tasks are told, and leaves no timer", () =>
    withFakeTimers(async () => {
      let told: any
      const attempt = watch(
        taskGroup(
          (group) => void group.start(({ signal }) => untilAborted({ signal }).catch((reason) => void (told = reason))),
          { timeout: 50 }
        )
      )
      const quick = watch(taskGroup(async () => "value", { timeout: 50 }))
      await vi.advanceTimersByTimeAsync(49)
      assert.strictEqual(attempt.state, "waiting")
      await vi.advanceTimersByTimeAsync(1)
      await settle()
      assert.deepStrictEqual([attempt.error.name, told, quick.value], ["TimeoutError", attempt.error, "value"])
    }))

  it("aborted while a task crashes in its cleanup: the error, and the reason as its cause", async () => {
    const controller = new AbortController()
    const oops = new Error("oops")
    const attempt = watch(
      taskGroup(
        (group) =>
          void group.start(({ signal }) =>
            untilAborted({ signal }).catch(() => {
              throw oops
            })
          ),
        controller
      )
    )
    controller.abort("enough")
    await settle()
    assert.instanceOf(attempt.error, TaskGroupError)
    assert.deepStrictEqual([attempt.error.errors, attempt.error.cause], [[oops], "enough"])
  }) // asyncio: test_taskgroup_08, test_error_and_cancel

  it("work that is done when the signal aborts stays done", async () => {
    const controller = new AbortController()
    const value = await taskGroup(async () => "value", controller)
    controller.abort("late")
    assert.strictEqual(value, "value")
  })

  it("its group ends with the body, and cannot be joined", async () => {
    const error = await taskGroup((group) => rejectionOf(group.join()))
    assert.match((error as Error).message, /^TaskGroup\.join: the group ends with its body/)
  })

  it("refuses bad arguments before anything starts", async () => {
    const message = async (promise: Promise<unknown>) => ((await rejectionOf(promise)) as Error).message
    assert.match(await message(taskGroup(5 as never)), /^taskGroup: body must be a function, got 5/)
    assert.match(await message(taskGroup(() => assert.fail("runs"), { timeout: -1 })), /^taskGroup: timeout must be/)
    const group = new TaskGroup()
    assert.match(await message(group.start(5 as never)), /^TaskGroup\.start: f must be a function, got 5/)
    assert.match(await message(group.start(() => 5, { name: 5 as never })), /^TaskGroup\.start: name must be a string/)
    assert.match(await message(group.start(() => 5, { signal: {} as never })), /^TaskGroup\.start: signal must be an/)
    assert.throws(() => new TaskGroup(null as never), /^new TaskGroup: options must be an object, got null/)
    assert.throws(() => TaskGroup.from({} as never), /^TaskGroup\.from: argument must be a TaskGroup/)
    await group.join()
  })
})

describe("new TaskGroup", () => {
  it("disposing waits for the tasks, and throws what they failed with", async () => {
    const log: Array<string> = []
    const error = await rejectionOf(
      (async () => {
        await using group = new TaskGroup()
        void group.start(async () => {
          await settle()
          throw new Error("oops")
        })
        log.push("block")
      })()
    )
    assert.deepStrictEqual([(error as Error).message, log], ["oops", ["block"]])
  })

  it("a generator that is left in one waits for the tasks, or tells them in a finally", async () => {
    for (const tells of [true, false]) {
      const log: Array<string> = []
      const numbers = async function* () {
        await using group = new TaskGroup()
        void group.start(async ({ signal }) => {
          await settle()
          log.push(signal.aborted ? "told" : "done")
        })
        try {
          yield 1
          yield 2
        } finally {
          if (tells) group.cancel()
        }
      }
      for await (const n of numbers()) {
        log.push(String(n))
        break
      }
      assert.deepStrictEqual(log, ["1", tells ? "told" : "done"])
    }
  }) // asyncio: test_taskgroup_generator_exit_01 (there, the tasks are always told)

  it("a generator that is left in one whose task has failed throws what that failed with", async () => {
    const numbers = async function* () {
      await using group = new TaskGroup()
      void group.start(() => Promise.reject("oops"))
      yield 1
    }
    const iterator = numbers()
    await iterator.next()
    assert.strictEqual(await rejectionOf(iterator.return()), "oops")
  }) // asyncio: test_taskgroup_generator_exit_04 (leaving is no error that would come with it)

  it("what was given to who joined is not thrown again by disposing", async () => {
    const errors: Array<unknown> = []
    {
      await using group = new TaskGroup()
      void group.start(() => Promise.reject("oops"))
      errors.push(await rejectionOf(group.join()))
      const refused = await rejectionOf(group.start(() => assert.fail("runs"), { name: "late" }))
      assert.instanceOf(refused, TaskGroupClosed)
    }
    assert.deepStrictEqual(errors, ["oops"])
  })

  it("a task that joins it in its first step is told so, and nothing has changed; others may", async () => {
    const group = new TaskGroup()
    const error: any = await rejectionOf(
      group
        .start(() => group.join())
        .catch(async (error) => {
          assert.strictEqual(group.stats().status, "stopping")
          throw error
        })
    )
    const message = "TaskGroup.join: a task of the group waits for the group, and so for itself, and would never end"
    assert.strictEqual(error.message, message)
    assert.strictEqual(await rejectionOf(group.join()), error)

    const [inner, outer] = [new TaskGroup(), new TaskGroup()]
    const joins: Array<Promise<void>> = []
    void outer.start(() => {
      void inner.start(() => void joins.push(outer.join()))
      joins.push(inner.join())
    })
    await Promise.all(joins)
    assert.deepStrictEqual([joins.length, inner.stats().status, outer.stats().status], [2, "closed", "closed"])
  })

  it("a signal of it is aborted whenever it stops, also when it is asked for later", async () => {
    const group = new TaskGroup()
    const early = group.signal
    assert.isFalse(early.aborted)
    group.cancel("enough")
    assert.deepStrictEqual([early.reason, group.signal, group.stats().status], ["enough", early, "stopping"])
    await group.join()
    const other = new TaskGroup()
    other.cancel("enough")
    assert.strictEqual(other.signal.reason, "enough")
    await other.join()
  })

  it("a signal of one task ends that task alone, and leaves no listener", async () => {
    const group = new TaskGroup()
    const { abort, left, signal } = counted()
    const victim = watch(group.start(untilAborted, { signal }))
    const other = watch(group.start(async () => settle(), { signal }))
    abort("you")
    await settle()
    await settle()
    assert.deepStrictEqual([victim.error, other.state, left()], ["you", "done", 0])
    await group.join()
  }) // asyncio: test_taskgroup_03

  it("a group of an Effect program takes functions, and their failures stop its fibers", async () => {
    let stopped = false
    const exit = await Effect.runPromiseExit(
      EffectTaskGroup.run((group: EffectTaskGroup.TaskGroup<string>) =>
        Effect.gen(function* () {
          yield* group.start(Effect.onInterrupt(Effect.never, () => Effect.sync(() => (stopped = true))))
          yield* Effect.yieldNow()
          void TaskGroup.from(group).start(() => Promise.reject("oops"))
          return yield* Effect.never
        })
      )
    )
    assert.deepStrictEqual([exit.toString().includes("oops"), stopped], [true, true])
  })

  it("20,000 tasks with one signal leave no listener", async () => {
    const { left, signal } = counted()
    await taskGroup(async (group) => {
      for (let i = 0; i < 20_000; i++) void group.start(async () => i, { signal })
      assert.isAtMost(left(), 1)
      await settle()
      assert.strictEqual(group.stats().running, 1)
    })
    assert.strictEqual(left(), 0)
  })
})
