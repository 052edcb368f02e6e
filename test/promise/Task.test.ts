import { AsyncLocalStorage } from "node:async_hooks"
import { assert, describe, it, vi } from "@effect/vitest"
import { Cause, Effect } from "effect"
import { Task as EffectTask } from "effect-concurrency"
import { Deferred, Mutex, Task } from "effect-concurrency/promise"
import { Reporter } from "../../src/internal/report.js"
import { fork, settle } from "../laws/skins.js"
import { timers } from "../laws/Task.js"
import { gate } from "../utils/gate.js"
import { rejectionOf, unhandledIn } from "../utils/rejection.js"
import { counted, waitLaws, watch, withFakeTimers } from "./waits.js"

const oops = new Error("oops")

/** A function that ends when its signal aborts. */
const untilAborted = ({ signal }: { readonly signal: AbortSignal }) =>
  new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))

waitLaws("Task.wait", () => {
  const { open, opened } = gate()
  const task = new Task(() => opened)
  let waits = 0
  return {
    wait: (options) => (waits++, task.wait(options)),
    grant: open,
    waiting: () => task["~effect-concurrency/Task"].waiting?.size ?? 0,
    isIdle: () => !task["~effect-concurrency/Task"].waiting?.size && waits > 0
  }
})

describe("Task for async functions", () => {
  it("can be awaited, again and again, and combined like a promise", async () => {
    const task = Task.start(() => 42)
    assert.strictEqual(await task, 42)
    assert.deepStrictEqual(await Promise.all([task, task.wait(), new Task(async () => 1)]), [42, 42, 1])
    assert.strictEqual(await task.then((n) => n + 1), 43)
    const failed = new Task(() => Promise.reject(oops))
    assert.strictEqual(await rejectionOf(Promise.resolve(failed)), oops)
    assert.strictEqual(await failed.then(undefined, (error) => error), oops)
    assert.deepStrictEqual(failed.poll(), { _tag: "Failure", error: oops })
  }) // asyncio: test_ensure_future_coroutine, test_future_subclass

  it("may be a function that is not async, or that throws, or that gives anything that can be awaited", async () => {
    assert.strictEqual(await new Task(() => 1), 1)
    // oxlint-disable-next-line unicorn/no-thenable -- that is what is tested
    assert.strictEqual(await new Task(() => ({ then: (resolve: any) => resolve(5) }) as PromiseLike<number>), 5)
    assert.strictEqual(await new Task(() => new Task(async () => 6)), 6)
    const thrown = new Task(() => {
      throw oops
    })
    assert.strictEqual(await rejectionOf(thrown.wait()), oops)
  })
  // asyncio: test_create_task_with_async_function, test_create_task_with_asynclike_function, test_ensure_future_awaitable, test_ensure_future

  it("the error of a task that it waits for arrives as it is, with its cause", async () => {
    const error = new Error("outer", { cause: oops })
    const inner = new Task(() => Promise.reject(error))
    const outer = new Task(async () => {
      try {
        throw new Error("handled meanwhile")
      } catch {
        await inner
      }
    })
    assert.strictEqual(await rejectionOf(outer.wait()), error)
    assert.strictEqual(error.cause, oops)
  }) // asyncio: test_exception_chaining_after_await (there, the error that is being handled is chained to it)

  it("waits for a deferred result, and has its value", async () => {
    const deferred = new Deferred<number>()
    const task = new Task(async () => (await deferred.wait()) + 1)
    await settle()
    assert.strictEqual(deferred["~effect-concurrency/Deferred"].result().waiting?.size, 1)
    deferred.resolve(41)
    assert.strictEqual(await task, 42)
  }) // asyncio: test_step_result_future

  it("its first step may settle what its creator waits for", async () => {
    const deferred = new Deferred<string>()
    const task = new Task(async () => deferred.resolve("early"))
    assert.isFalse(deferred.isSettled, "not before its creator goes on")
    assert.deepStrictEqual([await deferred.wait(), await task], ["early", true])
  }) // asyncio: test_await_future_during_eager_step (there, it is settled already)

  it("who waits for a cancelled one fails with its reason, and was not cancelled", async () => {
    const inner = new Task(untilAborted)
    const outer = new Task(async () => await inner)
    await settle()
    await inner.cancel("why")
    assert.strictEqual(await rejectionOf(outer.wait()), "why")
    assert.deepStrictEqual(outer.poll(), { _tag: "Failure", error: "why" })
  }) // asyncio: test_cancel_inner_future (there, it is cancelled, too)

  it("the reason is kept of one that is cancelled before its first step, and it does not run", async () => {
    let ran = false
    const task = new Task(() => (ran = true))
    task.cancelNow("changed my mind")
    assert.strictEqual(await rejectionOf(task.wait()), "changed my mind")
    assert.isFalse(ran)
  }) // asyncio: test_cancel_with_message_before_starting_task

  it("its signal is that of the function, and is made when it is asked for", async () => {
    let made = 0
    const { AbortController } = globalThis
    class Counted extends AbortController {
      constructor() {
        super()
        made++
      }
    }
    vi.stubGlobal("AbortController", Counted)
    try {
      const quiet = new Task(async () => 1)
      await quiet
      assert.strictEqual(made, 0)
      let seen: AbortSignal | undefined
      const task = new Task(async (context) => {
        seen = context.signal
        await untilAborted(context)
      })
      await settle()
      assert.strictEqual(task.signal, seen)
      await task.cancel("why")
      assert.deepStrictEqual([task.signal.aborted, task.signal.reason], [true, "why"])
      assert.isFalse(quiet.signal.aborted)
      assert.strictEqual(made, 2)
    } finally {
      vi.unstubAllGlobals()
    }
  })

  it("whoever waits for a cancelled one gets the reason, an AbortError by default", async () => {
    const reason = { why: "enough" }
    const task = new Task(untilAborted, { name: "watcher" })
    await settle()
    await task.cancel(reason)
    await task.cancel("late")
    assert.strictEqual(await rejectionOf(task.wait()), reason)
    assert.deepStrictEqual([task.poll(), task.name], [{ _tag: "Cancelled", reason }, "watcher"])
    const plain = new Task(untilAborted)
    await settle()
    await plain.cancel()
    const error: any = await rejectionOf(plain.wait())
    assert.deepStrictEqual([error.name, plain.signal.reason === error], ["AbortError", true])
  })
  // asyncio: test_cancel_with_message_then_future_exception, test_task_cancel_message_getter, test_future_cancel_message_getter,
  // test_cancellation_after_eager_step_blocks

  it("a function that does not look at its signal runs to its end: whoever cancels waits, and the value stays", async () => {
    const { open, opened } = gate()
    const task = new Task(() => opened.then(() => 42))
    await settle()
    const cancel = watch(task.cancel())
    await settle()
    assert.strictEqual(cancel.state, "waiting")
    open()
    await settle()
    assert.deepStrictEqual([cancel.value, task.poll()], [true, { _tag: "Success", value: 42 }])
  }) // asyncio: test_cancel_task_catching, test_cancel_task_ignoring; deliberately different: test_cancel_at_end

  it("an AbortError of its own, once it was told to stop, is a cancellation; without that it is a failure", async () => {
    const own = new DOMException("mine", "AbortError")
    const told = new Task((context) => untilAborted(context).catch(() => Promise.reject(own)))
    await settle()
    await told.cancel("why")
    assert.deepStrictEqual(told.poll(), { _tag: "Cancelled", reason: "why" })
    const untold = new Task(() => Promise.reject(own))
    assert.strictEqual(await rejectionOf(untold.wait()), own)
    assert.strictEqual(untold.poll()._tag, "Failure")
  })

  describe("waiting for itself is refused", () => {
    const refused = /^Task\.wait: the task waits for itself, and would never end$/
    const bodies: Record<string, (self: () => Task<unknown>) => unknown> = {
      "await in the first step": async (self) => await self(),
      "wait in the first step": (self) => self().wait(),
      "then in the first step": (self) => self().then(() => 1),
      "an async function that returns it": async (self) => self(),
      "a function that returns it": (self) => self(),
      "a promise that is resolved with it": (self) => Promise.resolve(self()),
      "one of several": (self) => Promise.all([1, self()]),
      "a view of it": (self) => Task.from(self()),
      "in a function that it calls": async (self) => {
        const inner = async () => {
          await self()
        }
        await inner()
      }
    }
    for (const [name, body] of Object.entries(bodies)) {
      it(name, async () => {
        const task: Task<unknown> = new Task(() => body(() => task), { onError: () => {} })
        await settle()
        const outside = watch(task.wait())
        await settle()
        assert.match(outside.error.message, refused)
      })
    } // asyncio: test_task_awaits_on_itself

    it("and nobody else is: not who waited before, nor beside, nor another task", async () => {
      const early: Task<number> = new Task(async () => {
        await Promise.resolve()
        return 1
      })
      const waits = [early.wait(), (async () => await early)(), early.then((n) => n)]
      const other = new Task(async () => await early)
      queueMicrotask(() => waits.push(early.wait()))
      await Promise.resolve()
      waits.push(early.wait(), (async () => await early)())
      assert.strictEqual(await other, 1)
      assert.deepStrictEqual(await Promise.all(waits), Array(6).fill(1))
    })

    it("nor who waits for it while another runs, or calls what its first step has looked at", async () => {
      const { open, opened } = gate()
      let looked: unknown
      const task: Task<number> = new Task(() => {
        looked = typeof task.then
        return opened.then(() => 1)
      })
      const waits = [new Task(() => task), new Task(async () => await task)]
      await settle()
      open()
      assert.deepStrictEqual([...(await Promise.all(waits)), looked, await task.then((n) => n)], [1, 1, "function", 1])
    })

    it("cancelling itself does not wait for itself", async () => {
      const log: Array<unknown> = []
      const task: Task<void> = new Task(async ({ signal }) => {
        log.push(await task.cancel("done with it"))
        log.push(signal.aborted)
      })
      await settle()
      assert.deepStrictEqual([log, task.poll()._tag], [[true, true], "Success"])
    }) // asyncio: test_cancel_current_task
  })

  it("keeps the context of who starts it, and callbacks that of who registers them", async () => {
    const context = new AsyncLocalStorage<string>()
    const seen: Array<string | undefined> = []
    const note = () => void seen.push(context.getStore())
    const task = context.run("creator", () =>
      Task.start(async () => {
        note()
        await Promise.resolve()
        note()
        context.enterWith("changed inside")
      })
    )
    context.run("callback", () => task.onComplete(note))
    await context.run("waiter", async () => {
      await task
      note()
    })
    context.run("late", () => task.onComplete(note))
    await settle()
    assert.deepStrictEqual(seen, ["creator", "creator", "callback", "waiter", "late"])
  }) // asyncio: test_context_1, test_context_2, test_context_vars

  it("a failure is reported in the context of who started it, and one of a callback in that of who registered it", async () => {
    const context = new AsyncLocalStorage<string>()
    const seen: Array<string> = []
    const onError = ({ where }: { readonly where: string }) => void seen.push(`${where}: ${context.getStore()}`)
    context.run("starter", () => new Task(() => Promise.reject(oops), { onError }))
    const task = context.run("starter", () => new Task(async () => 1, { onError }))
    context.run("registrar", () => task.onComplete(() => Promise.reject(oops)))
    await context.run("waiter", () => task.wait())
    await timers()
    assert.sameMembers(seen, ["Task: starter", "Task.onComplete: registrar"])
  }) // asyncio: test_task_exc_handler_correct_context, test_handle_exc_handler_correct_context

  it("a hundred at once keep their own context", async () => {
    const context = new AsyncLocalStorage<number>()
    const tasks = Array.from({ length: 100 }, (_, i) =>
      context.run(i, () =>
        Task.start(async () => {
          await Promise.resolve()
          return context.getStore()
        })
      )
    )
    assert.deepStrictEqual(
      await Promise.all(tasks),
      Array.from({ length: 100 }, (_, i) => i)
    )
  }) // asyncio: test_context_3, test_asyncio_task_decimal_context

  describe("a signal", () => {
    it("that is aborted already starts nothing", async () => {
      let ran = false
      const { abort, added, signal } = counted()
      abort("before")
      const task = new Task(() => (ran = true), { signal })
      assert.strictEqual(await rejectionOf(task.wait()), "before")
      assert.deepStrictEqual([ran, added(), task.poll()], [false, 0, { _tag: "Cancelled", reason: "before" }])
    })

    it("cancels with its reason, and is let go of at the end", async () => {
      const { abort, left, signal } = counted()
      const task = new Task(untilAborted, { signal })
      const done = new Task(async () => 1, { signal })
      await done
      assert.strictEqual(left(), 1)
      abort("enough")
      assert.strictEqual(await rejectionOf(task.wait()), "enough")
      assert.deepStrictEqual([left(), done.poll()], [0, { _tag: "Success", value: 1 }])
    })
  })

  describe("cancel with a grace", () => {
    it("goes on after it and says so; a late failure is reported, too; and no timer is left", () =>
      withFakeTimers(async () => {
        const { open, opened } = gate()
        const reports: Array<string> = []
        const task = new Task(
          async (context) => {
            await untilAborted(context).catch(() => {})
            await opened
            throw oops
          },
          {
            name: "stubborn",
            onError: ({ error, message, where }) => reports.push(`${where}: ${message} ${error}`)
          }
        )
        await settle()
        const cancel = watch(task.cancel(undefined, { grace: 100 }))
        await vi.advanceTimersByTimeAsync(99)
        assert.strictEqual(cancel.state, "waiting")
        await vi.advanceTimersByTimeAsync(1)
        await settle()
        assert.deepStrictEqual([cancel.value, task.poll()._tag], [true, "Pending"])
        assert.deepStrictEqual(reports, [
          "Task.cancel: its cleanup has not ended 100 ms after it was cancelled undefined"
        ])
        open()
        await settle()
        await vi.advanceTimersByTimeAsync(0)
        assert.strictEqual(reports[1], "Task: it failed, and nobody waits for it Error: oops")
        assert.strictEqual(reports.length, 2)
      }))

    it("nobody waits for whoever is told that it is over", () =>
      withFakeTimers(async () => {
        const told: Array<string> = []
        const onError = ({ message }: { readonly message: string }) => {
          told.push(message)
          return new Promise(() => {})
        }
        const task = new Task(() => new Promise(() => {}), { onError })
        await settle()
        const cancel = watch(task.cancel(undefined, { grace: 100 }))
        await vi.advanceTimersByTimeAsync(100)
        await settle()
        assert.deepStrictEqual([cancel.value, told.length], [true, 1])
      }))

    it("a wait that is aborted ends, and the task is cancelled all the same", async () => {
      const { open, opened } = gate()
      const task = new Task((context) => untilAborted(context).catch(() => opened))
      await settle()
      const { abort, left, signal } = counted()
      const cancel = watch(task.cancel("why", { signal }))
      await settle()
      abort("gone")
      await settle()
      assert.deepStrictEqual([cancel.error, left(), task.signal.reason], ["gone", 0, "why"])
      open()
      await task
    })
  })

  describe("what nobody waits for", () => {
    it("is told on the console by default, once, with the task's name; there is no unhandledRejection", async () => {
      const console = vi.spyOn(globalThis.console, "error").mockImplementation(() => {})
      try {
        const unhandled = await unhandledIn(async () => {
          Task.start(() => Promise.reject(oops), { name: "job" })
          Task.start(() => {
            throw oops
          })
          Task.start(untilAborted).cancelNow()
        })
        assert.deepStrictEqual(unhandled, [])
        assert.deepStrictEqual(console.mock.calls, [
          ["Task: job: it failed, and nobody waits for it", oops],
          ["Task: it failed, and nobody waits for it", oops]
        ])
      } finally {
        console.mockRestore()
      }
    }) // asyncio: test_future_exception_never_retrieved

    it("a promise of it that nobody handles is the platform's to report, and is not reported twice", async () => {
      const reports: Array<unknown> = []
      const unhandled = await unhandledIn(async () => {
        const task = new Task(() => Promise.reject(oops), { onError: ({ error }) => reports.push(error) })
        void task.then(() => 1)
      })
      assert.deepStrictEqual([unhandled, reports], [[oops], []])
    })

    it("a reporter that throws or rejects is told on the console, with what it was told", async () => {
      const console = vi.spyOn(globalThis.console, "error").mockImplementation(() => {})
      try {
        for (const onError of [
          () => {
            throw new Error("no")
          },
          () => Promise.reject(new Error("no"))
        ]) {
          Task.start(() => Promise.reject(oops), { onError })
          await settle()
          await timers()
          assert.deepStrictEqual(
            console.mock.calls.map(([text]) => text),
            ["Task: it failed, and nobody waits for it", "Task: the reporter failed"]
          )
          console.mockClear()
        }
      } finally {
        console.mockRestore()
      }
    })
  })

  it("await using cancels at the end of the block, and waits", async () => {
    const log: Array<string> = []
    const task = new Task((context) =>
      untilAborted(context).catch(async () => {
        await Promise.resolve()
        log.push("cleaned up")
      })
    )
    await settle()
    await task[Symbol.asyncDispose]()
    assert.deepStrictEqual(log, ["cleaned up"])
  })

  describe("from", () => {
    it("is a view of an Effect program's task: its value, its error, its end", async () => {
      const task = fork(EffectTask.start(Effect.succeed(42), { name: "effect" })).value
      const view = Task.from(task)
      assert.instanceOf(view, Task)
      assert.deepStrictEqual([await view, view.name], [42, "effect"])
      const failed = fork(EffectTask.start(Effect.fail(oops))).value
      assert.strictEqual(await rejectionOf(Task.from(failed).wait()), oops)
    })

    it("is a view of a plain task: the same task", async () => {
      const task = new Task(untilAborted)
      const view = Task.from(task)
      await settle()
      assert.isTrue(await view.cancel("why"))
      assert.deepStrictEqual([task.signal.reason, view.signal.reason], ["why", "why"])
      for (const each of [task, view]) assert.deepStrictEqual(each.poll(), { _tag: "Cancelled", reason: "why" })
    }) // asyncio: test_ensure_future_future, test_ensure_future_task (there, the very object)

    it("cancels it, with a reason that the Effect side finds; its signal tells", async () => {
      const log: Array<string> = []
      const task = fork(
        EffectTask.start(Effect.onInterrupt(Effect.never, () => Effect.sync(() => void log.push("cleaned up"))))
      ).value
      const view = Task.from(task)
      const { signal } = view
      await settle()
      assert.isTrue(await view.cancel("why"))
      assert.deepStrictEqual([log, signal.reason], [["cleaned up"], "why"])
      assert.strictEqual(fork(task.await).error instanceof EffectTask.TaskCancelled, true)
      assert.strictEqual((fork(task.await).error as EffectTask.TaskCancelled).reason, "why")
      assert.strictEqual(await rejectionOf(view.wait()), "why")
    }) // asyncio: test_wrap_future_cancel

    it("one that the Effect side cancelled rejects with an AbortError", async () => {
      const task = fork(EffectTask.start(Effect.never)).value
      const view = Task.from(Task.from(task))
      await settle()
      fork(task.cancelNow)
      const error: any = await rejectionOf(view.wait())
      assert.strictEqual(error.name, "AbortError")
    })

    it("reports where the task does: what a callback fails with, and a cleanup that is overdue", () =>
      withFakeTimers(async () => {
        const plain: Array<string> = []
        const task = new Task((context) => untilAborted(context).catch(() => new Promise(() => {})), {
          onError: ({ message, where }) => plain.push(`${where}: ${message}`)
        })
        const effect: Array<string> = []
        const started = EffectTask.start(Effect.onInterrupt(Effect.never, () => Effect.never))
        const fromEffect = fork(
          Effect.provideService(started, Reporter, {
            report: ({ cause, message, where }) =>
              Effect.sync(() => void effect.push(`${where}: ${message} ${Cause.pretty(cause).split("\n")[0]}`.trim()))
          })
        ).value
        await settle()
        for (const view of [Task.from(Task.from(task)), Task.from(Task.from(fromEffect))]) {
          const cancel = view.cancel("why", { grace: 5 })
          await vi.advanceTimersByTimeAsync(5)
          assert.isTrue(await cancel)
        }
        const done = fork(
          Effect.provideService(EffectTask.start(Effect.void), Reporter, {
            report: ({ cause, message }) => Effect.sync(() => void effect.push(`${message}: ${Cause.squash(cause)}`))
          })
        ).value
        Task.from(done).onComplete(() => Promise.reject(oops))
        await settle()
        const overdue = "Task.cancel: its cleanup has not ended 5 ms after it was cancelled"
        assert.deepStrictEqual(plain, [overdue])
        assert.strictEqual(effect[0]!.slice(0, overdue.length), overdue)
        assert.deepStrictEqual(effect.slice(1), ["a callback failed: Error: oops"])
      }))

    for (const bad of [undefined, null, {}, 5, Promise.resolve(), new Mutex(), Effect.void]) {
      it(`refuses what is no task: ${typeof bad} ${String(bad).slice(0, 16)}`, () => {
        assert.throws(() => Task.from(bad as never), TypeError, /^Task\.from: argument must be a Task, got /)
      })
    } // asyncio: test_isfuture
  })

  describe("refuses", () => {
    for (const bad of [undefined, 123, "work", Promise.resolve(), Effect.void]) {
      it(`work that is no function: ${String(bad).slice(0, 16)}`, () => {
        assert.throws(() => new Task(bad as never), TypeError, /^new Task: work must be a function, got /)
      })
    } // asyncio: test_create_task_with_noncoroutine, test_ensure_future_neither

    it("options, callbacks and graces that are none", async () => {
      const work = () => 1
      assert.throws(() => new Task(work, null as never), TypeError, "new Task: options must be an object, got null")
      assert.throws(() => new Task(work, { name: 5 as never }), TypeError, "new Task: name must be a string, got 5")
      assert.throws(() => new Task(work, { signal: 5 as never }), TypeError, "new Task: signal must be an AbortSignal")
      assert.throws(() => new Task(work, { onError: 5 as never }), TypeError, "new Task: onError must be a function")
      const task = new Task(untilAborted)
      assert.throws(() => task.onComplete(5 as never), TypeError, "Task.onComplete: callback must be a function, got 5")
      const bad: any = await rejectionOf(task.cancel(undefined, { grace: -1 }))
      assert.deepStrictEqual(
        [bad.message, bad instanceof RangeError],
        ["Task.cancel: grace must be 0 or more milliseconds, got -1", true]
      )
      const noNumber: any = await rejectionOf(task.cancel(undefined, { grace: NaN }))
      assert.strictEqual(noNumber.message, "Task.cancel: grace must be 0 or more milliseconds, got NaN")
      // asyncio: test_sleep_when_delay_is_nan
      assert.strictEqual(task.poll()._tag, "Pending")
      task.cancelNow()
    })
  })
})
