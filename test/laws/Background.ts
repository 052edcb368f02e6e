import { assert, describe, it, vi } from "@effect/vitest"
import { Cause, Effect, Option } from "effect"
import * as Effects from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { withFakeTimers } from "../promise/waits.js"
import { gate } from "../utils/gate.js"
import { alternate, type Attempt, fork, settle, start } from "./skins.js"
import { asEffect, asFunction, type Body, timers } from "./Task.js"

interface Started<A> {
  readonly wait: () => Attempt<A>
  readonly cancel: () => Attempt<boolean>
}

export interface BackgroundDriver {
  /** Starts a task; how it ends, for whoever asks. Throws when it is refused. */
  start<A>(body: Body<A>, name?: string): Started<A>
  tryStart<A>(body: Body<A>, name?: string): Started<A> | undefined
  fireAndForget(body: Body<unknown>, name?: string): void
  run<A>(body: Body<A>): Attempt<A>
  size(): number
  awaitEmpty(): Attempt<void>
  cancelAll(): Attempt<number>
  close(): Attempt<ReadonlyArray<string>>
  stats(): Effects.Background.Stats
}

export interface Settings {
  readonly concurrency?: number
  readonly backlog?: number
  readonly onClose?: "interrupt" | "drain"
  readonly deadline?: number
  readonly grace?: number
}

export interface BackgroundSkin {
  readonly name: string
  make(settings?: Settings, reports?: Array<string>): BackgroundDriver
}

/** Runs an effect that does not wait; throws its error itself. */
const now = <A>(effect: Effect.Effect<A, unknown>): A => {
  const attempt = fork(effect)
  if (attempt.state === "failed") throw attempt.error
  return attempt.value
}

const effectTask = <A>(task: Effects.Task.Task<A, unknown>): Started<A> => ({
  wait: () => fork(task.await),
  cancel: () => fork(task.cancel())
})

const effectDriver = (self: Effects.Background.Background<any>): BackgroundDriver => ({
  start: (body, name) => effectTask(now(self.start(asEffect(body), { name }))),
  tryStart: (body, name) => {
    const task = Option.getOrUndefined(now(self.tryStart(asEffect(body), { name })))
    return task && effectTask(task)
  },
  fireAndForget: (body, name) => now(self.fireAndForget(asEffect(body), { name })),
  run: (body) => fork(self.run(asEffect(body))),
  size: () => now(self.size),
  awaitEmpty: () => fork(self.awaitEmpty),
  cancelAll: () => fork(self.cancelAll),
  close: () => fork(self.close),
  stats: () => now(self.stats)
})

const promiseTask = <A>(task: Promises.Task<A>): Started<A> => ({
  wait: () => start((options) => task.wait(options)),
  cancel: () => start(() => task.cancel())
})

const promiseDriver = (self: Promises.Background): BackgroundDriver => ({
  start: (body, name) => promiseTask(self.start(asFunction(body), { name })),
  tryStart: (body, name) => {
    const task = self.tryStart(asFunction(body), { name })
    return task && promiseTask(task)
  },
  fireAndForget: (body, name) => self.fireAndForget(asFunction(body), { name }),
  run: (body) => start((options) => self.run(asFunction(body), options)),
  size: () => self.size,
  awaitEmpty: () => start((options) => self.awaitEmpty(options)),
  cancelAll: () => start((options) => self.cancelAll(undefined, options)),
  close: () => start(() => self.close()),
  stats: () => self.stats()
})

const effectBackground = (settings: Settings, reports: Array<string>) =>
  Effects.Background.makeUnsafe({
    ...settings,
    onError: ({ cause, message, name }) =>
      Effect.sync(() => void reports.push(`${name}: ${Cause.isEmpty(cause) ? message : String(Cause.squash(cause))}`))
  })

export const backgroundSkins: ReadonlyArray<BackgroundSkin> = [
  { name: "effect", make: (settings = {}, reports = []) => effectDriver(effectBackground(settings, reports)) },
  {
    name: "promise",
    make: (settings = {}, reports = []) =>
      promiseDriver(
        new Promises.Background({
          ...settings,
          onError: ({ error, message, name }) =>
            reports.push(`${name}: ${error === undefined ? message : String(error)}`)
        })
      )
  },
  {
    name: "mixed",
    make: (settings = {}, reports = []) => {
      const background = effectBackground(settings, reports)
      return alternate(effectDriver(background), promiseDriver(Promises.Background.from(background)))
    }
  }
]

const never = () => new Promise<never>(() => {})
const oops = new Error("oops")
const fail = () => Promise.reject(oops)

export const backgroundLaws = (skin: BackgroundSkin) =>
  describe(`Background laws (${skin.name})`, () => {
    it("runs what is started, holds it while it runs, and lets go of it in the step in which it ends", async () => {
      const { open, opened } = gate()
      const background = skin.make()
      const task = background.start({ work: () => opened.then(() => 42) })
      background.fireAndForget({ work: () => opened })
      await settle()
      assert.strictEqual(background.size(), 2)
      const wait = task.wait()
      open()
      await settle()
      assert.deepStrictEqual([wait.value, background.size()], [42, 0])
      assert.deepInclude(background.stats(), { size: 0, queued: 0, succeeded: 2, failed: 0, cancelled: 0 })
    }) // asyncio: test__register_task_3, test_all_tasks_with_blocking, test_all_tasks_with_eager_completion

    it("a failure is reported once, with the name of the task", async () => {
      const reports: Array<string> = []
      const background = skin.make({}, reports)
      background.fireAndForget({ work: fail }, "mail")
      background.start({ work: fail }, "index")
      background.fireAndForget({ work: fail })
      await settle()
      await timers()
      assert.deepStrictEqual(reports.sort(), ["index: Error: oops", "mail: Error: oops", "undefined: Error: oops"])
      assert.deepInclude(background.stats(), { size: 0, failed: 3 })
    }) // asyncio: test_tb_logger_exception_unretrieved, and see test_asyncio_run_reports_hanging_tasks_errors

    it("is not reported when somebody waits for it; a cancellation is no failure", async () => {
      const reports: Array<string> = []
      const background = skin.make({}, reports)
      const wait = background.start({ work: fail }).wait()
      const cancelled = background.start({ work: never })
      await settle()
      const cancel = cancelled.cancel()
      await settle()
      await timers()
      assert.deepStrictEqual([wait.error, cancel.value, reports], [oops, true, []])
      assert.deepInclude(background.stats(), { failed: 1, cancelled: 1 })
    })

    it("one that has failed, and is cancelled before that is reported, is not: whoever cancels has looked", async () => {
      const reports: Array<string> = []
      const { open, opened } = gate()
      const background = skin.make({}, reports)
      const task = background.start({ work: () => opened.then(fail) })
      await settle()
      open()
      while (background.size() > 0) await Promise.resolve()
      const cancel = task.cancel()
      await settle()
      await timers()
      assert.deepStrictEqual([cancel.value, reports], [false, []])
      assert.deepInclude(background.stats(), { failed: 1, cancelled: 0 })
    }) // asyncio: test_tb_logger_not_called_after_cancel

    describe("tryStart", () => {
      it("starts where there is room; where there is none, it says so, and nothing has changed", async () => {
        const { open, opened } = gate()
        const log: Array<string> = []
        const background = skin.make({ concurrency: 1, backlog: 1 })
        const note = (name: string) => ({ work: () => opened.then(() => void log.push(name)) })
        const tasks = ["a", "b", "c"].map((name) => background.tryStart(note(name), name))
        assert.deepStrictEqual(
          tasks.map((task) => task !== undefined),
          [true, true, false]
        )
        await settle()
        assert.deepInclude(background.stats(), { size: 2, queued: 1 })
        open()
        await settle()
        assert.deepStrictEqual(log, ["a", "b"])
        const wait = background.tryStart({ work: async () => 42 })!.wait()
        await settle()
        assert.strictEqual(wait.value, 42)
        assert.deepInclude(background.stats(), { size: 0, succeeded: 3 })
      })

      it("starts nothing where it is closed, and that is no failure", async () => {
        const reports: Array<string> = []
        let ran = false
        const background = skin.make({}, reports)
        background.close()
        assert.isUndefined(background.tryStart({ work: async () => (ran = true) }))
        await settle()
        assert.deepStrictEqual([ran, reports, background.size()], [false, [], 0])
      })
    })

    describe("run", () => {
      it("gives what the work gives, and a failure is the caller's: it is not reported", async () => {
        const reports: Array<string> = []
        const background = skin.make({}, reports)
        const [good, bad] = [background.run({ work: async () => 42 }), background.run({ work: fail })]
        assert.strictEqual(background.size(), 2)
        await settle()
        await timers()
        assert.deepStrictEqual([good.value, bad.error, reports], [42, oops, []])
        assert.deepInclude(background.stats(), { size: 0, succeeded: 1, failed: 1 })
      })

      it("is refused as start is", async () => {
        const background = skin.make({ concurrency: 1, backlog: 0 })
        background.fireAndForget({ work: never })
        const full = background.run({ work: async () => {} })
        await settle()
        assert.instanceOf(full.error, Promises.BackgroundFull)
        background.close()
        const closed = background.run({ work: async () => {} })
        await settle()
        assert.instanceOf(closed.error, Promises.BackgroundClosed)
      })

      it("whoever goes away takes the work along, and waits for its cleanup", async () => {
        const { open, opened } = gate()
        const log: Array<string> = []
        const background = skin.make()
        const caller = background.run({
          work: never,
          cleanup: () => {
            log.push("cleaning up")
            return opened
          }
        })
        const other = background.run({ work: () => opened.then(() => 1) })
        await settle()
        caller.cancel()
        await settle()
        assert.deepStrictEqual([log, caller.state, background.size()], [["cleaning up"], "waiting", 2])
        open()
        await settle()
        assert.deepStrictEqual([caller.state, other.value, background.size()], ["cancelled", 1, 0])
        assert.deepInclude(background.stats(), { cancelled: 1, succeeded: 1 })
      })

      it("whoever goes away while the work waits for its turn: it does not run", async () => {
        const { open, opened } = gate()
        let ran = false
        const background = skin.make({ concurrency: 1 })
        background.fireAndForget({ work: () => opened })
        const caller = background.run({ work: async () => (ran = true) })
        await settle()
        caller.cancel()
        await settle()
        assert.deepStrictEqual([caller.state, background.size()], ["cancelled", 1])
        open()
        await settle()
        assert.deepStrictEqual([ran, background.size()], [false, 0])
      })

      it("when somebody else cancels the work, the caller is told, and is not cancelled", async () => {
        const background = skin.make()
        const caller = background.run({ work: never })
        await settle()
        background.cancelAll()
        await settle()
        assert.strictEqual(caller.state, "failed")
        assert.include(["TaskCancelled", "AbortError"], (caller.error as Error).name)
      })
    })

    it("awaitEmpty waits for all, also for what is started meanwhile, and for the reports", async () => {
      const reports: Array<string> = []
      const gates = [gate(), gate()]
      const background = skin.make({}, reports)
      const already = background.awaitEmpty()
      background.fireAndForget({ work: () => gates[0]!.opened })
      const empty = background.awaitEmpty()
      await settle()
      assert.deepStrictEqual([already.state, empty.state], ["done", "waiting"])
      background.fireAndForget({ work: () => gates[1]!.opened.then(fail) }, "late")
      gates[0]!.open()
      await settle()
      assert.strictEqual(empty.state, "waiting")
      gates[1]!.open()
      while (empty.state === "waiting") await Promise.resolve()
      assert.deepStrictEqual(reports, ["late: Error: oops"])
    })

    it("who waits for it to be empty may give up", async () => {
      const background = skin.make()
      background.fireAndForget({ work: never })
      const [gone, stays] = [background.awaitEmpty(), background.awaitEmpty()]
      await settle()
      gone.cancel()
      await settle()
      assert.deepStrictEqual([gone.state, stays.state, background.size()], ["cancelled", "waiting", 1])
      const cancelled = background.cancelAll()
      await settle()
      assert.deepStrictEqual([stays.state, cancelled.value], ["done", 1])
    })

    it("cancelAll cancels all at once, waits for all cleanups, and leaves it open", async () => {
      const { open, opened } = gate()
      let cleaning = 0
      const background = skin.make()
      for (let i = 0; i < 5; i++) {
        background.fireAndForget({
          work: never,
          cleanup: () => {
            cleaning++
            return opened
          }
        })
      }
      await settle()
      const cancel = background.cancelAll()
      await settle()
      assert.deepStrictEqual([cleaning, cancel.state], [5, "waiting"])
      open()
      await settle()
      assert.strictEqual(cancel.value, 5)
      const task = background.start({ work: async () => 1 })
      const wait = task.wait()
      await settle()
      assert.strictEqual(wait.value, 1)
      assert.deepInclude(background.stats(), { cancelled: 5, succeeded: 1, isClosed: false })
    }) // asyncio: test_asyncio_run_cancels_hanging_tasks

    describe("with a concurrency", () => {
      it("so many run at a time, in order of their start", async () => {
        const gates = Array.from({ length: 6 }, gate)
        const order: Array<number> = []
        let [running, peak] = [0, 0]
        const background = skin.make({ concurrency: 2 })
        gates.forEach(({ opened }, i) => {
          background.fireAndForget({
            work: async () => {
              order.push(i)
              peak = Math.max(peak, ++running)
              await opened
              running--
            }
          })
        })
        await settle()
        assert.deepStrictEqual([order.length, background.size()], [2, 6])
        assert.deepInclude(background.stats(), { queued: 4 })
        for (const { open } of gates) {
          open()
          await settle()
        }
        if (skin.name === "mixed") order.sort()
        assert.deepStrictEqual([order, peak, background.size()], [[0, 1, 2, 3, 4, 5], 2, 0])
      })

      it("one that waits for its turn can be cancelled, and does not run", async () => {
        const { open, opened } = gate()
        const log: Array<string> = []
        const background = skin.make({ concurrency: 1 })
        background.fireAndForget({ work: () => opened })
        const task = background.start({ work: async () => log.push("ran") })
        background.fireAndForget({ work: async () => log.push("next") })
        await settle()
        const cancel = task.cancel()
        await settle()
        assert.deepStrictEqual([cancel.value, background.size()], [true, 2])
        open()
        await settle()
        assert.deepStrictEqual([log, background.size()], [["next"], 0])
      })

      it("one more than there is room for is refused, and nothing has changed", async () => {
        const { open, opened } = gate()
        const background = skin.make({ concurrency: 1, backlog: 1 })
        background.fireAndForget({ work: () => opened })
        background.fireAndForget({ work: async () => {} })
        for (const operation of ["start", "fireAndForget"] as const) {
          let ran = false
          assert.throws(
            () => background[operation]({ work: async () => (ran = true) }, "c"),
            Promises.BackgroundFull,
            'the task "c" was not started: the registry is full, it holds 2'
          )
          await settle()
          assert.deepStrictEqual([ran, background.size()], [false, 2])
        }
        open()
        await settle()
        background.fireAndForget({ work: async () => {} })
        await settle()
        assert.deepInclude(background.stats(), { size: 0, succeeded: 3 })
      })
    })

    describe("closed", () => {
      it("it takes nothing more, and says so", async () => {
        const background = skin.make()
        const close = background.close()
        for (const operation of ["start", "fireAndForget"] as const) {
          assert.throws(
            () => background[operation]({ work: async () => {} }, "late"),
            Promises.BackgroundClosed,
            'the task "late" was not started: the registry is closed'
          )
        }
        await settle()
        assert.deepStrictEqual([close.value, background.stats().isClosed], [[], true])
      })

      it("it cancels what runs, all at once, and waits for the cleanup; a second time it waits, too", async () => {
        const { open, opened } = gate()
        const reports: Array<string> = []
        let cleaning = 0
        const background = skin.make({}, reports)
        for (const name of ["a", "b"]) {
          background.fireAndForget({ work: never, cleanup: () => (cleaning++, opened) }, name)
        }
        await settle()
        const closes = [background.close(), background.close()]
        await settle()
        assert.deepStrictEqual([cleaning, ...closes.map(({ state }) => state)], [2, "waiting", "waiting"])
        open()
        await settle()
        assert.deepStrictEqual([...closes.map(({ value }) => value), reports], [[], [], []])
      })

      it("a failure in the cleanup is reported before it is closed", async () => {
        const reports: Array<string> = []
        const background = skin.make({}, reports)
        background.fireAndForget({ work: never, cleanup: fail }, "dirty")
        await settle()
        const close = background.close()
        while (close.state === "waiting") await new Promise((resolve) => setImmediate(resolve))
        assert.strictEqual(reports.length, 1)
        assert.include(reports[0], "oops")
      }) // asyncio: test_asyncio_run_reports_hanging_tasks_errors

      it("draining, it lets all end, those that wait for their turn as well", async () => {
        const { open, opened } = gate()
        const log: Array<string> = []
        const background = skin.make({ onClose: "drain", concurrency: 1 })
        background.fireAndForget({ work: () => opened.then(() => void log.push("a")) })
        background.fireAndForget({ work: async () => void log.push("b") })
        await settle()
        const close = background.close()
        await settle()
        assert.strictEqual(close.state, "waiting")
        open()
        await settle()
        assert.deepStrictEqual([close.value, log], [[], ["a", "b"]])
      })

      it("by several, it tells once whom it gave up", () =>
        withFakeTimers(async () => {
          const reports: Array<string> = []
          const background = skin.make({ onClose: "drain", deadline: 5, grace: 5 }, reports)
          background.fireAndForget({ work: never, cleanup: never }, "deaf")
          await settle()
          const closes = [background.close(), background.close(), background.close()]
          for (let i = 0; i < 3; i++) {
            await vi.advanceTimersByTimeAsync(5)
            await settle()
          }
          assert.deepStrictEqual(reports, [
            "undefined: 1 task had not ended by the deadline, and was cancelled: deaf",
            "undefined: 1 task had not cleaned up in time, and was left behind: deaf"
          ])
          assert.deepStrictEqual(
            closes.map(({ value }) => value),
            [["deaf"], ["deaf"], ["deaf"]]
          )
        }))
    })
  })
