import { AsyncLocalStorage } from "node:async_hooks"
import { assert, describe, it, vi } from "@effect/vitest"
import { Background, BackgroundClosed, Mutex, Wait } from "effect-concurrency/promise"
import { heap } from "../utils/heap.js"
import { settle } from "../laws/skins.js"
import { timers } from "../laws/Task.js"
import { gate } from "../utils/gate.js"
import { rejectionOf, unhandledIn } from "../utils/rejection.js"
import { counted, waitLaws, watch, withFakeTimers } from "./waits.js"

const oops = new Error("oops")
const untilAborted = ({ signal }: { readonly signal: AbortSignal }) =>
  new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))

const noting = (options: ConstructorParameters<typeof Background>[0] = {}) => {
  const reports: Array<string> = []
  const background = new Background({
    ...options,
    onError: ({ error, message, name }) => reports.push(`${name}: ${error === undefined ? message : String(error)}`)
  })
  return { background, reports }
}

waitLaws("Background.awaitEmpty", () => {
  const { open, opened } = gate()
  const background = new Background()
  background.fireAndForget(() => opened)
  const { waiting } = background["~effect-concurrency/Background"]
  return {
    wait: (options) => background.awaitEmpty(options),
    grant: open,
    waiting: () => waiting.size,
    isIdle: () => waiting.size === 0
  }
})

describe("Background for async functions", () => {
  describe("fireAndForget of a promise", () => {
    it("holds it, and reports its failure once; there is no unhandledRejection", async () => {
      const { background, reports } = noting()
      const { open, opened } = gate()
      background.fireAndForget(
        opened.then(() => Promise.reject(oops)),
        { name: "mail" }
      )
      background.fireAndForget(Promise.reject(oops), { name: "failed already" })
      assert.strictEqual(background.size, 2)
      open()
      await background.awaitEmpty()
      await timers()
      assert.deepStrictEqual(reports, ["failed already: Error: oops", "mail: Error: oops"])
    })

    it("is not subject to concurrency and backlog, for it runs already", async () => {
      const { background } = noting({ concurrency: 1, backlog: 0 })
      const { open, opened } = gate()
      background.fireAndForget(() => opened)
      background.fireAndForget(opened)
      assert.deepInclude(background.stats(), { size: 2, queued: 0 })
      open()
      await background.awaitEmpty()
    })

    it("when it is cancelled before its first step, its failure is not lost", async () => {
      const { background, reports } = noting()
      background.fireAndForget(Promise.reject(oops), { name: "late" })
      await background.cancelAll()
      await background.awaitEmpty()
      assert.deepStrictEqual(reports, ["late: Error: oops"])
    })

    it("a closed registry refuses it, and reports its failure all the same", async () => {
      const { background, reports } = noting()
      await background.close()
      assert.throws(() => background.fireAndForget(Promise.reject(oops), { name: "late" }), BackgroundClosed)
      await settle()
      assert.deepStrictEqual(reports, ["late: Error: oops"])
    })
  })

  it("keeps the context of who starts a task, also when it waits for its turn", async () => {
    const context = new AsyncLocalStorage<string>()
    const seen: Array<string | undefined> = []
    const background = new Background({ concurrency: 1 })
    for (const name of ["a", "b", "c"]) {
      context.run(name, () =>
        background.fireAndForget(async () => {
          await Promise.resolve()
          seen.push(context.getStore())
        })
      )
    }
    await background.awaitEmpty()
    assert.deepStrictEqual(seen, ["a", "b", "c"])
  })

  it("a signal cancels a task, one that is aborted already starts nothing, and no listener is left", async () => {
    const { background, reports } = noting({ concurrency: 1 })
    const { abort, left, signal } = counted()
    let ran = false
    const running = background.start(untilAborted, { signal })
    const waiting = background.start(() => (ran = true), { signal })
    await settle()
    abort("enough")
    await background.awaitEmpty()
    assert.deepStrictEqual([await rejectionOf(running.wait()), await rejectionOf(waiting.wait())], ["enough", "enough"])
    background.fireAndForget(() => (ran = true), { signal })
    await background.awaitEmpty()
    assert.deepStrictEqual([ran, left(), reports], [false, 0, []])
  })

  it("reports to the console by default; a reporter may be async and is waited for; one that fails harms nobody", async () => {
    const console = vi.spyOn(globalThis.console, "error").mockImplementation(() => {})
    try {
      const plain = new Background()
      plain.fireAndForget(() => Promise.reject(oops), { name: "mail" })
      await plain.awaitEmpty()
      assert.deepStrictEqual(console.mock.calls, [["Background: mail: it failed, and nobody waits for it", oops]])
      console.mockClear()
      const { open, opened } = gate()
      const slow = new Background({ onError: () => opened.then(() => Promise.reject(new Error("no"))) })
      slow.fireAndForget(() => Promise.reject(oops))
      const empty = watch(slow.awaitEmpty())
      await settle()
      assert.strictEqual(empty.state, "waiting")
      open()
      await settle()
      assert.deepStrictEqual([empty.state, console.mock.calls.length], ["done", 2])
    } finally {
      console.mockRestore()
    }
  })

  describe("run", () => {
    it("with a signal that is aborted already it starts nothing, and rejects with its reason", async () => {
      const { background, reports } = noting()
      const { abort, added, signal } = counted()
      abort("before")
      let ran = false
      assert.strictEqual(await rejectionOf(background.run(() => (ran = true), { signal })), "before")
      await settle()
      assert.deepStrictEqual([ran, added(), background.stats().cancelled, reports], [false, 0, 0, []])
    })

    it("an abort cancels the work with its reason, and whoever waits, waits for its end; no listener is left", async () => {
      const { background, reports } = noting()
      const { abort, left, signal } = counted()
      const { open, opened } = gate()
      let seen: unknown
      const work = (context: { readonly signal: AbortSignal }) =>
        untilAborted(context).catch(async (reason) => {
          seen = reason
          await opened
          throw reason
        })
      const caller = watch(background.run(work, { signal }))
      await settle()
      abort("enough")
      await settle()
      assert.deepStrictEqual([seen, caller.state, background.size], ["enough", "waiting", 1])
      open()
      await settle()
      assert.deepStrictEqual([caller.error, left(), background.size, reports], ["enough", 0, 0, []])
    })

    it("a value that comes all the same, and a failure of the cleanup, are the caller's", async () => {
      const { background, reports } = noting()
      const { abort, signal } = counted()
      const value = watch(background.run((context) => untilAborted(context).catch(() => 42), { signal }))
      const failed = watch(
        background.run((context) => untilAborted(context).catch(() => Promise.reject(oops)), { signal })
      )
      await settle()
      abort("enough")
      await settle()
      await timers()
      assert.deepStrictEqual([value.value, failed.error, reports], [42, oops, []])
    })

    it("keeps the context of its caller", async () => {
      const context = new AsyncLocalStorage<string>()
      const background = new Background({ concurrency: 1 })
      const seen = await Promise.all(
        ["a", "b"].map((name) => context.run(name, () => background.run(async () => context.getStore())))
      )
      assert.deepStrictEqual(seen, ["a", "b"])
    })

    it("rejects what cannot be, and never throws", async () => {
      const background = new Background()
      const bad = [
        [background.run(5 as never), "Background.run: work must be a function, got 5"],
        [background.run(() => 1, null as never), "Background.run: options must be an object, got null"],
        [background.run(() => 1, { name: 5 as never }), "Background.run: name must be a string, got 5"],
        [background.run(() => 1, { signal: {} as never }), "Background.run: signal must be an AbortSignal"]
      ] as const
      for (const [promise, message] of bad) {
        const error: any = await rejectionOf(promise)
        assert.instanceOf(error, TypeError)
        assert.include(error.message, message)
      }
      assert.strictEqual(background.size, 0)
      await background.close()
      assert.instanceOf(await rejectionOf(background.run(() => 1)), BackgroundClosed)
    })
  })

  describe("tryStart", () => {
    it("follows a signal only if it starts", async () => {
      const { background } = noting({ concurrency: 1, backlog: 0 })
      const { abort, left, signal } = counted()
      const task = background.tryStart(untilAborted, { signal, name: "a" })
      assert.isUndefined(background.tryStart(untilAborted, { signal }))
      await settle()
      assert.deepStrictEqual([task?.name, left()], ["a", 1])
      abort("enough")
      assert.strictEqual(await rejectionOf(task!.wait()), "enough")
      await settle()
      assert.deepStrictEqual([left(), background.size], [0, 0])
    })

    it("refuses what cannot be, also where there is no room", async () => {
      const background = new Background()
      await background.close()
      assert.throws(() => background.tryStart(5 as never), TypeError, "Background.tryStart: work must be a function")
      assert.throws(
        () => background.tryStart(() => 1, { name: 5 as never }),
        TypeError,
        "Background.tryStart: name must be a string, got 5"
      )
    })
  })

  // It was reported by a timer of its own, after the closing had ended, and with it the program.
  it("what a race lets go of is reported before a closing ends that comes after it", async () => {
    for (const ends of ["close", "awaitEmpty"] as const) {
      const reports: Array<unknown> = []
      const { open, opened } = gate()
      const answer = gate()
      const background = new Background({
        onError: ({ name }) => {
          reports.push(name)
          return answer.opened
        }
      })
      const failing = background.start(() => Promise.reject(oops), { name: "a" })
      const race = Wait.firstSuccess([failing, () => opened])
      await timers()
      await background.awaitEmpty()
      assert.deepStrictEqual(reports, [], "the race has it")
      open()
      await race
      const ended = watch<unknown>(background[ends]())
      await timers()
      assert.deepStrictEqual([ended.state, reports], ["waiting", ["a"]])
      answer.open()
      await settle()
      assert.deepStrictEqual([ended.state, reports], ["done", ["a"]])
    }
  })

  it("and a race that ends with the last task lets the closing wait, and not give up", async () => {
    const { background, reports } = noting({ onClose: "drain" })
    const { open, opened } = gate()
    const failing = background.start(() => Promise.reject(oops), { name: "a" })
    const last = background.start(() => opened)
    const race = Wait.firstSuccess([failing, last])
    await timers()
    const close = watch(background.close())
    open()
    await race
    while (close.state === "waiting") await new Promise((resolve) => setImmediate(resolve))
    assert.deepStrictEqual([close.value, reports], [[], ["a: Error: oops"]])
  })

  it("describe is one line: where, who, what, and the error", () => {
    const failure = { where: "Background", name: "mail", message: "it failed" }
    assert.strictEqual(
      Background.describe({ ...failure, error: new Error("no\nroute") }),
      "Background: mail: it failed: Error: no route"
    )
    assert.strictEqual(Background.describe({ ...failure, name: undefined, error: undefined }), "Background: it failed")
  })

  describe("closing", () => {
    it("drains up to the deadline, then cancels the rest, and says whom; no timer is left", () =>
      withFakeTimers(async () => {
        const { background, reports } = noting({ onClose: "drain", deadline: 100 })
        const { open, opened } = gate()
        background.fireAndForget(() => opened, { name: "quick" })
        background.fireAndForget(untilAborted, { name: "slow" })
        const close = watch(background.close())
        open()
        await vi.advanceTimersByTimeAsync(99)
        assert.deepStrictEqual([close.state, background.size], ["waiting", 1])
        await vi.advanceTimersByTimeAsync(1)
        await settle()
        assert.deepStrictEqual(close.value, ["slow"])
        assert.deepStrictEqual(reports, ["undefined: 1 task had not ended by the deadline, and was cancelled: slow"])
      }))

    it("leaves behind what does not stop in time, says so, and still reports its failure", () =>
      withFakeTimers(async () => {
        const { background, reports } = noting({ grace: 100 })
        const { open, opened } = gate()
        background.fireAndForget(() => opened.then(() => Promise.reject(oops)), { name: "deaf" })
        const close = watch(background.close())
        await settle()
        await vi.advanceTimersByTimeAsync(100)
        await settle()
        // It was cancelled before its first step: it does not run.
        assert.deepStrictEqual([close.value, reports], [[], []])
        const { background: other, reports: others } = noting({ grace: 100 })
        other.fireAndForget(() => opened.then(() => Promise.reject(oops)), { name: "deaf" })
        await settle()
        const closing = watch(other.close())
        await vi.advanceTimersByTimeAsync(100)
        await settle()
        assert.deepStrictEqual(closing.value, ["deaf"])
        open()
        await settle()
        assert.deepStrictEqual(others, [
          "undefined: 1 task had not cleaned up in time, and was left behind: deaf",
          "deaf: Error: oops"
        ])
      }))

    describe("with an onError that never ends", () => {
      const late = "(the report of this has not ended in time)"
      /** What the console is told. */
      const onConsole = async (test: (lines: Array<string>) => Promise<void>) => {
        const lines: Array<string> = []
        const console = vi
          .spyOn(globalThis.console, "error")
          .mockImplementation((...args) => void lines.push(args.join(" ")))
        try {
          await withFakeTimers(() => test(lines))
        } finally {
          console.mockRestore()
        }
      }

      for (const options of [
        { onClose: "drain", deadline: 100 },
        { onClose: "interrupt", grace: 100 },
        { onClose: "interrupt", deadline: 100 }
      ] as const) {
        it(`is over when its time is, and the failure is named and told: ${JSON.stringify(options)}`, () =>
          onConsole(async (lines) => {
            const background = new Background({ ...options, onError: () => new Promise(() => {}) })
            background.fireAndForget(() => Promise.reject(oops), { name: "mail" })
            await settle()
            const [empty, close] = [watch(background.awaitEmpty()), watch(background.close())]
            await vi.advanceTimersByTimeAsync(99)
            assert.deepStrictEqual([close.state, lines], ["waiting", []])
            await vi.advanceTimersByTimeAsync(1)
            await settle()
            assert.deepStrictEqual([close.value, empty.state], [["mail"], "done"])
            assert.deepStrictEqual(lines, [`Background: mail: it failed, and nobody waits for it ${late} Error: oops`])
            assert.deepStrictEqual(await background.close(), [], "once")
          }))
      }

      it("what does not end either is reported, and that has as long again; a report that ends in time is not told twice", () =>
        onConsole(async (lines) => {
          for (const answers of [false, true]) {
            const { open, opened } = gate()
            const told: Array<string> = []
            const background = new Background({
              grace: 100,
              onError: ({ message }) => {
                told.push(message)
                return opened
              }
            })
            background.fireAndForget(() => new Promise(() => {}), { name: "deaf" })
            await settle()
            const close = watch(background.close())
            await vi.advanceTimersByTimeAsync(199)
            assert.deepStrictEqual([close.state, told.length, lines], ["waiting", 1, []])
            if (answers) open()
            else await vi.advanceTimersByTimeAsync(1)
            await settle()
            assert.deepStrictEqual(close.value, ["deaf"])
            const message = "1 task had not cleaned up in time, and was left behind: deaf"
            assert.deepStrictEqual(
              [told, lines.splice(0)],
              [[message], answers ? [] : [`Background.close: ${message} ${late}`]]
            )
            await vi.advanceTimersByTimeAsync(1)
          }
        }))

      it("who had a failure and did not answer is not told what was cancelled: the console is, at the deadline", () =>
        onConsole(async (lines) => {
          const background = new Background({ onClose: "drain", deadline: 100, onError: () => new Promise(() => {}) })
          background.fireAndForget(() => Promise.reject(oops), { name: "mail" })
          background.fireAndForget(untilAborted, { name: "slow" })
          await settle()
          const close = watch(background.close())
          await vi.advanceTimersByTimeAsync(100)
          await settle()
          assert.deepStrictEqual(close.value, ["slow", "mail"])
          assert.deepStrictEqual(lines, [
            `Background: mail: it failed, and nobody waits for it ${late} Error: oops`,
            "Background.close: 1 task had not ended by the deadline, and was cancelled: slow"
          ])
        }))
    })

    it("await using closes it", async () => {
      const { background } = noting()
      let reason: any
      background.fireAndForget((context) =>
        untilAborted(context).catch((error) => {
          reason = error
        })
      )
      await settle()
      await background[Symbol.asyncDispose]()
      assert.deepStrictEqual([reason.name, background.stats().isClosed], ["AbortError", true])
    })
  })

  describe("one of its own tasks that waits for it", () => {
    const message = "a task of the registry waits for the registry, and so for itself, and would never end"
    const unbounded = [{}, { onClose: "drain" }, { onClose: "drain", deadline: 5 }, { deadline: 5 }] as const

    for (const options of unbounded) {
      it(`is told so in its first step, and close closes it all the same: ${JSON.stringify(options)}`, async () => {
        for (const operation of ["awaitEmpty", "close"] as const) {
          const { background } = noting(options)
          const error: any = await rejectionOf(background.run(async () => void (await background[operation]())))
          assert.strictEqual(error.message, `Background.${operation}: ${message}`)
          await background.awaitEmpty()
          assert.strictEqual(background.stats().isClosed, operation === "close")
        }
      })
    }

    it("is told so in its first step also when that comes late, since it waited for its turn", async () => {
      const { background } = noting({ concurrency: 1 })
      background.fireAndForget(() => settle())
      const error: any = await rejectionOf(background.run(() => background.awaitEmpty()))
      assert.strictEqual(error.message, `Background.awaitEmpty: ${message}`)
    })

    it("may wait with a signal or a timeout, and for a close that is over at some time", () =>
      withFakeTimers(async () => {
        const { background } = noting({ grace: 100 })
        const { signal } = new AbortController()
        const controller = new AbortController()
        const tasks = [
          background.start(() => background.awaitEmpty({ timeout: 10 })),
          background.start(() => background.awaitEmpty({ signal: controller.signal })),
          background.start(() => background.awaitEmpty({ timeout: Infinity, signal }))
        ].map((task) => watch(task.wait()))
        await vi.advanceTimersByTimeAsync(10)
        controller.abort("enough")
        await settle()
        assert.deepStrictEqual(
          [tasks[0]!.error.name, tasks[1]!.error, tasks[2]!.state],
          ["TimeoutError", "enough", "waiting"]
        )
        const closer = watch(background.run(() => background.close()))
        await vi.advanceTimersByTimeAsync(200)
        await settle()
        assert.deepStrictEqual(closer.value, ["(no name)", "(no name)"])
      }))

    it("cancelAll in the first step of a task cancels all, itself too, and does not wait", async () => {
      const { background } = noting()
      const other = background.start(untilAborted)
      const count = await background.run(async ({ signal }) => [await background.cancelAll("why"), signal.reason])
      assert.deepStrictEqual([count, other.poll()._tag], [[2, "why"], "Cancelled"])
    })

    it("who closes it and does not wait for that is not told: there is no unhandled rejection, and others may wait", async () => {
      const unhandled = await unhandledIn(async () => {
        for (const operation of ["awaitEmpty", "close"] as const) {
          const { background, reports } = noting()
          const { open, opened } = gate()
          let closing: Promise<unknown> | undefined
          background.fireAndForget(
            async () => {
              void background[operation]()
              closing = background[operation]()
              await opened
            },
            { name: "shuts down" }
          )
          await settle()
          assert.strictEqual(background.stats().isClosed, operation === "close")
          const closed = watch(closing!)
          await settle()
          assert.strictEqual(closed.state, "waiting")
          open()
          await settle()
          assert.deepStrictEqual(
            [closed.state, closed.value, reports],
            ["done", operation === "close" ? [] : undefined, []]
          )
        }
      })
      assert.deepStrictEqual(unhandled, [])
    })

    const ways: Record<string, (ended: Promise<unknown>) => unknown> = {
      await: async (ended) => void (await ended),
      return: (ended) => ended,
      "its then": (ended) => ended.then(() => 1),
      catch: (ended) => ended.catch((error) => Promise.reject(error)),
      finally: (ended) => ended.finally(() => {}),
      "a race": (ended) => Promise.race([ended, new Promise(() => {})]),
      "a list": (ended) => Promise.all([ended, 1]),
      another: (ended) => Promise.resolve(ended)
    }
    for (const [way, waits] of Object.entries(ways)) {
      it(`is told so whichever way it waits: ${way}`, async () => {
        for (const operation of ["awaitEmpty", "close"] as const) {
          const { background } = noting()
          const error: any = await rejectionOf(background.run(() => waits(background[operation]())))
          assert.strictEqual(error.message, `Background.${operation}: ${message}`)
        }
      })
    }

    it("nobody else is taken for one: who is called by a task, but is no part of it, or comes after its first step", async () => {
      const { background } = noting()
      const other = new Background()
      const log: Array<string> = []
      background.fireAndForget(() => {
        other.fireAndForget(() => background.awaitEmpty().then(() => log.push("another's task")))
      })
      background.fireAndForget(async () => {
        await Promise.resolve()
        void background.awaitEmpty().then(() => log.push("later, and not awaited"))
      })
      background.fireAndForget(() => {
        throw oops
      })
      await Promise.all([background.awaitEmpty(), other.awaitEmpty()])
      await background.awaitEmpty()
      await settle()
      assert.deepStrictEqual(log.sort(), ["another's task", "later, and not awaited"])
    })
  })

  it("cancelAll gives its reason to all, and its wait can be aborted", async () => {
    const { open, opened } = gate()
    const { background } = noting()
    const tasks = [
      background.start(untilAborted),
      background.start((context) => untilAborted(context).catch(() => opened))
    ]
    await settle()
    const { abort, left, signal } = counted()
    const cancel = watch(background.cancelAll("why", { signal }))
    await settle()
    abort("gone")
    await settle()
    assert.deepStrictEqual([cancel.error, left(), tasks[0]!.poll()._tag, background.size], ["gone", 0, "Cancelled", 1])
    assert.strictEqual(tasks[1]!.signal.reason, "why")
    open()
    await background.awaitEmpty()
  })

  describe("from", () => {
    it("shares a registry of plain code", async () => {
      const { background, reports } = noting()
      Background.from(Background.from(background)).fireAndForget(() => Promise.reject(oops), { name: "a" })
      await background.awaitEmpty()
      assert.deepStrictEqual(reports, ["a: Error: oops"])
    })

    for (const bad of [undefined, null, {}, 5, new Mutex()]) {
      it(`refuses what is none: ${String(bad).slice(0, 16)}`, () => {
        assert.throws(
          () => Background.from(bad as never),
          TypeError,
          /^Background\.from: argument must be a Background, got /
        )
      })
    }
  })

  it("refuses what cannot be, before anything starts", () => {
    const background = new Background()
    assert.throws(() => new Background(null as never), TypeError, "new Background: options must be an object, got null")
    assert.throws(
      () => new Background({ concurrency: 0 }),
      RangeError,
      "new Background: concurrency must be an integer"
    )
    assert.throws(
      () => new Background({ onError: 5 as never }),
      TypeError,
      "new Background: onError must be a function"
    )
    assert.throws(() => background.start(5 as never), TypeError, "Background.start: work must be a function, got 5")
    assert.throws(
      () => background.start(Promise.resolve() as never),
      TypeError,
      "Background.start: work must be a function"
    )
    for (const bad of [5, undefined, null, {}]) {
      assert.throws(
        () => background.fireAndForget(bad as never),
        TypeError,
        "Background.fireAndForget: work must be a function or a promise, got"
      )
    }
    assert.throws(
      () => background.start(() => 1, { name: 5 as never }),
      "Background.start: name must be a string, got 5"
    )
    assert.strictEqual(background.size, 0)
  })

  it("a million tasks that are forgotten leave nothing behind, nor do those that fail or are cancelled", async () => {
    let failures = 0
    const background = new Background({ onError: () => failures++ })
    const { left, signal } = counted()
    const chunk = async (n: number) => {
      for (let i = 0; i < n; i++)
        background.fireAndForget(i % 100 === 0 ? async () => Promise.reject(oops) : async () => {})
      for (let i = 0; i < n / 100; i++) background.start(untilAborted, { signal })
      await settle()
      await background.cancelAll()
      await background.awaitEmpty()
    }
    await chunk(20_000)
    const before = await heap()
    for (let i = 0; i < 50; i++) await chunk(20_000)
    assert.isBelow((await heap()) - before, 4)
    assert.deepStrictEqual([failures, background.size, left()], [10_200, 0, 0])
  }, 60_000)
})
