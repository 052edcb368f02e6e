import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Effects from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { vi } from "vitest"
import { Reporter } from "../../src/internal/report.js"
import { gate } from "../utils/gate.js"
import { alternate, type Attempt, fork, settle, start } from "./skins.js"

/** Work, and what it does when it is cancelled. */
export interface Body<A> {
  readonly work: () => Promise<A>
  readonly cleanup?: () => Promise<void>
}

export interface TaskDriver<A> {
  wait(): Attempt<A>
  cancel(reason?: unknown): Attempt<boolean>
  cancelNow(): boolean
  onComplete(callback: (tag: string) => unknown): () => boolean
  poll(): string
}

export interface TaskSkin {
  readonly name: string
  /** Starts a task. Failures that nobody waits for, and of callbacks, go to `reports`. */
  start<A>(body: Body<A>, reports?: Array<unknown>): TaskDriver<A>
}

/** A body as an effect: the cleanup is a finalizer. */
export const asEffect = <A>({ cleanup, work }: Body<A>): Effect.Effect<A, unknown> => {
  const effect = Effect.tryPromise({ try: () => work(), catch: (error) => error })
  if (cleanup === undefined) return effect
  return Effect.onInterrupt(effect, () => Effect.promise(cleanup))
}

/** A body as an async function: it ends when its signal aborts, after the cleanup. */
export const asFunction =
  <A>({ cleanup, work }: Body<A>) =>
  async ({ signal }: { readonly signal: AbortSignal }): Promise<A> => {
    const aborted = new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))
    try {
      return await Promise.race([work(), aborted])
    } catch (error) {
      if (signal.aborted) await cleanup?.()
      throw error
    }
  }

const now = <A>(effect: Effect.Effect<A, unknown>): A => fork(effect).value

const effectDriver = <A>(task: Effects.Task.Task<A, unknown>, reporting: Reporting): TaskDriver<A> => ({
  wait: () => fork(task.await),
  cancel: (reason) => fork(task.cancel({ reason })),
  cancelNow: () => now(task.cancelNow),
  onComplete: (callback) => {
    const { remove } = now(
      reporting(
        task.onComplete((outcome) =>
          Effect.tryPromise({ try: async () => callback(outcome._tag), catch: (error) => error })
        )
      )
    )
    return () => now(remove)
  },
  poll: () => now(task.poll)._tag
})

const promiseDriver = <A>(task: Promises.Task<A>): TaskDriver<A> => ({
  wait: () => start((options) => task.wait(options)),
  cancel: (reason) => start((options) => task.cancel(reason, options)),
  cancelNow: () => task.cancelNow(),
  onComplete: (callback) => task.onComplete((outcome) => callback(outcome._tag)),
  poll: () => task.poll()._tag
})

type Reporting = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** Has failures reported there. */
export const reportingTo =
  (reports: Array<unknown>): Reporting =>
  (effect) =>
    Effect.provideService(effect, Reporter, {
      report: ({ cause }) =>
        Effect.sync(() => void reports.push((cause as { error?: unknown; defect?: unknown }).error ?? cause))
    }) as never

export const effect: TaskSkin = {
  name: "effect",
  start: (body, reports = []) =>
    effectDriver(now(reportingTo(reports)(Effects.Task.start(asEffect(body)))), reportingTo(reports))
}

export const promise: TaskSkin = {
  name: "promise",
  start: (body, reports = []) =>
    promiseDriver(new Promises.Task(asFunction(body), { onError: ({ error }) => reports.push(error) }))
}

export const mixed: TaskSkin = {
  name: "mixed",
  start: (body, reports = []) => {
    const task = now(reportingTo(reports)(Effects.Task.start(asEffect(body))))
    return alternate(effectDriver(task, reportingTo(reports)), promiseDriver(Promises.Task.from(task)))
  }
}

export const taskSkins: ReadonlyArray<TaskSkin> = [effect, promise, mixed]

const states = (...attempts: ReadonlyArray<Attempt<unknown>>) => attempts.map(({ state }) => state)
const never = () => new Promise<never>(() => {})
const oops = new Error("oops")

export const taskLaws = (skin: TaskSkin) =>
  describe(`Task laws (${skin.name})`, () => {
    it("runs, and gives its value to all who wait, before and after its end", async () => {
      const { open, opened } = gate()
      const task = skin.start({ work: () => opened.then(() => 42) })
      const early = [task.wait(), task.wait()]
      await settle()
      assert.deepStrictEqual([task.poll(), ...states(...early)], ["Pending", "waiting", "waiting"])
      open()
      await settle()
      const late = task.wait()
      await settle()
      assert.deepStrictEqual(
        [...early, late].map(({ value }) => value),
        [42, 42, 42]
      )
      assert.strictEqual(task.poll(), "Success")
    }) // asyncio: test_task_class, test_bare_create_task, test_task_basics

    it("does not run before its creator goes on", async () => {
      let ran = false
      const task = skin.start({ work: async () => (ran = true) })
      assert.deepStrictEqual([ran, task.poll()], [false, "Pending"])
      await settle()
      assert.deepStrictEqual([ran, task.poll()], [true, "Success"])
    }) // asyncio: test_eager_start_false

    it("fails with the very error, each time it is awaited", async () => {
      const task = skin.start({ work: () => Promise.reject(oops) })
      const waits = [task.wait(), task.wait(), task.wait()]
      await settle()
      assert.isTrue(waits.every(({ error }) => error === oops))
      assert.strictEqual(task.poll(), "Failure")
    }) // asyncio: test_exception, test_future_traceback

    it("nested tasks add up", async () => {
      const inner = skin.start({ work: async () => 3 })
      const outer = skin.start({ work: async () => 10 * (await valueOf(inner.wait())) })
      const wait = outer.wait()
      await settle()
      assert.strictEqual(wait.value, 30)
    }) // asyncio: test_task_basics, test_async_def_coroutines

    it("a waiter who gives up does not end it, nor the wait of others", async () => {
      const { open, opened } = gate()
      const task = skin.start({ work: () => opened.then(() => 1) })
      const [gone, stays] = [task.wait(), task.wait()]
      await settle()
      gone.cancel()
      await settle()
      assert.deepStrictEqual(states(gone, stays), ["cancelled", "waiting"])
      assert.strictEqual(task.poll(), "Pending")
      open()
      await settle()
      assert.strictEqual(stays.value, 1)
    })

    describe("cancelled", () => {
      it("it ends so, and whoever waits fails; a second time there is nothing to cancel", async () => {
        const task = skin.start({ work: never })
        const wait = task.wait()
        await settle()
        const cancel = task.cancel()
        await settle()
        assert.strictEqual(cancel.value, true)
        assert.deepStrictEqual([task.poll(), wait.state], ["Cancelled", "failed"])
        const again = task.cancel()
        await settle()
        assert.deepStrictEqual([again.value, task.cancelNow()], [false, false])
      }) // asyncio: test_cancel, test_task_cancel_sleeping_task

      it("before its first step: it does not run, and neither does its cleanup", async () => {
        const log: Array<string> = []
        const task = skin.start({
          work: async () => void log.push("ran"),
          cleanup: async () => void log.push("cleaned up")
        })
        assert.isTrue(task.cancelNow())
        await settle()
        assert.deepStrictEqual([log, task.poll()], [[], "Cancelled"])
      })

      it("between two of its steps", async () => {
        const log: Array<string> = []
        const task = skin.start({
          work: async () => {
            log.push("first")
            await settle()
            await never()
          }
        })
        await Promise.resolve()
        task.cancelNow()
        await settle()
        assert.deepStrictEqual([log.length <= 1, task.poll()], [true, "Cancelled"])
      }) // asyncio: test_cancel_yield

      it("whoever cancels waits for the cleanup, and nobody can cut it short", async () => {
        const { open, opened } = gate()
        const log: Array<string> = []
        const task = skin.start({ work: never, cleanup: () => opened.then(() => void log.push("cleaned up")) })
        await settle()
        const first = task.cancel()
        await settle()
        const second = task.cancel()
        assert.isTrue(task.cancelNow())
        await settle()
        assert.deepStrictEqual([...states(first, second), task.poll()], ["waiting", "waiting", "Pending"])
        open()
        await settle()
        assert.deepStrictEqual(
          [first.value, second.value, task.poll(), log.join()],
          [true, true, "Cancelled", "cleaned up"]
        )
      }) // asyncio: test_cancelling (a second request is accepted, and here changes nothing)

      it("by one who is interrupted while it waits: it is cancelled all the same", async () => {
        const { open, opened } = gate()
        const task = skin.start({ work: never, cleanup: () => opened })
        await settle()
        const cancel = task.cancel()
        await settle()
        cancel.cancel()
        await settle()
        assert.deepStrictEqual([cancel.state, task.poll()], ["cancelled", "Pending"])
        open()
        await settle()
        assert.strictEqual(task.poll(), "Cancelled")
      }) // asyncio: pipecat#5186, the caller's own cancellation is not swallowed

      it("and its cleanup fails: that is its failure", async () => {
        const reports: Array<unknown> = []
        const task = skin.start({ work: never, cleanup: () => Promise.reject(oops) }, reports)
        const wait = task.wait()
        await settle()
        const cancel = task.cancel()
        await settle()
        assert.deepStrictEqual([cancel.value, task.poll()], [true, "Failure"])
        assert.strictEqual(wait.error, oops)
        assert.deepStrictEqual(reports, [])
      }) // asyncio: test_cancellation_exception_context, test_baseexception_during_cancel

      it("in the tick of its end: the value stays", async () => {
        const task = skin.start({ work: async () => 7 })
        const wait = task.wait()
        await settle()
        assert.isFalse(task.cancelNow())
        await settle()
        assert.strictEqual(wait.value, 7)
      }) // asyncio: test_cancellation_after_eager_completion
    })

    describe("a failure that nobody waits for", () => {
      it("is reported once", async () => {
        const reports: Array<unknown> = []
        skin.start({ work: () => Promise.reject(oops) }, reports)
        await settle()
        await timers()
        assert.deepStrictEqual(reports, [oops])
      }) // asyncio: test_tb_logger_exception_unretrieved, test_future_exception_never_retrieved

      it("is not reported when somebody waits, or is to be called", async () => {
        const reports: Array<unknown> = []
        const awaited = skin.start({ work: () => Promise.reject(oops) }, reports)
        awaited.wait()
        const called = skin.start({ work: () => Promise.reject(oops) }, reports)
        called.onComplete(() => {})
        skin.start({ work: async () => 1 }, reports).wait()
        await settle()
        await timers()
        assert.deepStrictEqual(reports, [])
      }) // asyncio: test_tb_logger_exception_retrieved, test_tb_logger_exception_result_retrieved, test_tb_logger_result_retrieved

      it("neither a value nor a cancellation is one, and nor is looking asking", async () => {
        const reports: Array<unknown> = []
        skin.start({ work: async () => 1 }, reports)
        skin.start({ work: never }, reports).cancelNow()
        skin.start({ work: never }, reports)
        const task = skin.start({ work: () => Promise.reject(oops) }, reports)
        while (task.poll() === "Pending") await Promise.resolve()
        await settle()
        await timers()
        assert.deepStrictEqual(reports, [oops])
      }) // asyncio: test_tb_logger_result_unretrieved, test_tb_logger_abandoned

      it("that came of the cleanup is reported, too", async () => {
        const reports: Array<unknown> = []
        const task = skin.start({ work: never, cleanup: () => Promise.reject(oops) }, reports)
        await settle()
        task.cancel()
        await settle()
        await timers()
        const reported =
          reports.length === 1 && String(JSON.stringify(reports[0]) + String(reports[0])).includes("oops")
        assert.isTrue(reported, String(reports))
      })
    })

    describe("callbacks", () => {
      const outcomes = { success: async () => 1 as unknown, failure: () => Promise.reject(oops), cancelled: never }

      for (const [kind, work] of Object.entries(outcomes)) {
        it(`are called once each, never at once, in order of registration, also late: ${kind}`, async () => {
          const log: Array<string> = []
          const task = skin.start({ work })
          task.onComplete((tag) => log.push(`1 ${tag}`))
          task.onComplete((tag) => log.push(`2 ${tag}`))
          assert.deepStrictEqual(log, [])
          if (kind === "cancelled") task.cancelNow()
          await settle()
          task.onComplete((tag) => log.push(`3 ${tag}`))
          task.onComplete((tag) => log.push(`4 ${tag}`))
          assert.strictEqual(log.length, 2, "a late one is not called at once")
          await settle()
          const tag = `${kind[0]!.toUpperCase()}${kind.slice(1)}`
          if (skin.name === "mixed") log.sort()
          assert.deepStrictEqual(
            log,
            [1, 2, 3, 4].map((n) => `${n} ${tag}`)
          )
        })
      } // asyncio: test_callbacks_invoked_on_set_result, test_callbacks_invoked_on_set_exception

      for (const removed of [[0], [0, 1], [2], [0, 1, 2]]) {
        it(`those that were removed are not called: ${removed.join(" and ")}`, async () => {
          const { open, opened } = gate()
          const log: Array<number> = []
          const task = skin.start({ work: () => opened })
          const removers = [0, 1, 2].map((n) => task.onComplete(() => log.push(n)))
          for (const n of removed) {
            assert.isTrue(removers[n]!())
            assert.isFalse(removers[n]!(), "a second time there is nothing to remove")
          }
          open()
          await settle()
          if (skin.name === "mixed") log.sort()
          assert.deepStrictEqual(
            log,
            [0, 1, 2].filter((n) => !removed.includes(n))
          )
          assert.isTrue(removers.every((remove) => !remove()))
        })
      }
      // asyncio: test_callbacks_remove_first_callback, test_callbacks_remove_first_and_second_callback, test_callbacks_remove_third_callback

      it("one that fails is reported, and the others are called", async () => {
        const reports: Array<unknown> = []
        const console = vi.spyOn(globalThis.console, "error").mockImplementation((_, error) => void reports.push(error))
        try {
          const log: Array<string> = []
          const task = skin.start({ work: async () => 1 }, reports)
          const throwing = () => {
            throw oops
          }
          task.onComplete(throwing)
          task.onComplete(() => log.push("second"))
          task.onComplete(() => Promise.reject(oops))
          task.onComplete(() => log.push("fourth"))
          await settle()
          assert.deepStrictEqual(log, ["second", "fourth"])
          assert.deepStrictEqual(reports, [oops, oops])
          assert.strictEqual(task.poll(), "Success")
        } finally {
          console.mockRestore()
        }
      })

      it("one may register and remove others: what is called already is called, what is new comes last", async () => {
        const log: Array<string> = []
        const task = skin.start({ work: async () => 1 })
        const removers: Array<() => boolean> = []
        removers.push(
          task.onComplete(() => {
            log.push("first")
            for (const remove of removers) assert.isFalse(remove())
            task.onComplete(() => log.push("late"))
          })
        )
        removers.push(task.onComplete(() => log.push("second")))
        await settle()
        assert.sameMembers(log, ["first", "second", "late"])
        assert.strictEqual(log.at(-1), "late")
      })
      // asyncio: test_schedule_callbacks_list_mutation_1, test_schedule_callbacks_list_mutation_2,
      // test_remove_done_callbacks_list_mutation, test_remove_done_callbacks_list_clear

      it("the same function twice is called twice, and removed one at a time", async () => {
        const { open, opened } = gate()
        let calls = 0
        const callback = () => calls++
        const task = skin.start({ work: () => opened })
        const removers = Array.from({ length: 6 }, () => task.onComplete(callback))
        assert.deepStrictEqual([removers[0]!(), removers[3]!()], [true, true])
        open()
        await settle()
        assert.strictEqual(calls, 4)
      }) // asyncio: test_remove_done_callback (there, all equal ones at once)
    })
  })

/** Waits for an attempt, in real turns. */
const valueOf = async <A>(attempt: Attempt<A>): Promise<A> => {
  while (attempt.state === "waiting") await new Promise((resolve) => setImmediate(resolve))
  return attempt.value
}

/** Until timers of no time have fired. */
export const timers = async (): Promise<void> => {
  await new Promise((resolve) => setTimeout(resolve, 2))
  await settle()
}
