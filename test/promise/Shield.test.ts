import { AsyncLocalStorage } from "node:async_hooks"
import { assert, describe, it, vi } from "@effect/vitest"
import { Effect } from "effect"
import { Shield as EffectShield } from "effect-concurrency"
import { critical, Event, shield as shieldAlone, Shield, ShieldClosed } from "effect-concurrency/promise"
import { heap } from "../utils/heap.js"
import { settle } from "../laws/skins.js"
import { rejectionOf, unhandledIn } from "../utils/rejection.js"
import { counted, watch, withFakeTimers } from "./waits.js"

const make = (options: { readonly deadline?: number } = {}) => {
  const reports: Array<string> = []
  const shield = new Shield({
    ...options,
    onError: ({ error, message, name, where }) => void reports.push(`${where} ${name}: ${message}: ${String(error)}`)
  })
  return { reports, shield }
}

/** Work that ends when it is told to. */
const working = () => {
  const go = new Event()
  let error: unknown
  const work = async () => {
    await go.wait()
    if (error !== undefined) throw error
    return 1
  }
  return {
    work,
    end: (with_?: unknown) => {
      error = with_
      go.set()
    }
  }
}

const late = "Shield save: it failed after its caller had gone: oops"

describe("shield", () => {
  it("gives what a function or a promise gives; an error is the original one", async () => {
    const oops = new Error("oops")
    assert.strictEqual(await shieldAlone(() => 5), 5)
    assert.strictEqual(await shieldAlone(Promise.resolve(5)), 5)
    assert.strictEqual(await critical(async () => 5), 5)
    for (const fails of [() => Promise.reject(oops), Promise.reject(oops)]) {
      assert.strictEqual(await rejectionOf(shieldAlone(fails)), oops)
      assert.strictEqual(await rejectionOf(critical(fails)), oops)
    }
    const throws = () => {
      throw oops
    }
    assert.strictEqual(await rejectionOf(shieldAlone(throws)), oops)
  }) // asyncio: test_shield_result, test_shield_exception, test_shield_shortcut

  it("calls the function at once, in the context of the caller, with a signal that is never aborted", async () => {
    const context = new AsyncLocalStorage<string>()
    const controller = new AbortController()
    const seen: Array<unknown> = []
    const call = context.run("caller", () =>
      shieldAlone(({ signal }) => {
        seen.push(context.getStore(), signal.aborted)
        controller.abort("enough")
        seen.push(signal.aborted)
      }, controller)
    )
    assert.deepStrictEqual(seen, ["caller", false, false])
    assert.strictEqual(await rejectionOf(call), "enough")
  })

  it("work that aborts its caller's signal as it is called lets the caller go, who is told, by critical at its end", async () => {
    const { reports, shield } = make()
    for (const how of ["shield", "critical"] as const) {
      const { abort, left, signal } = counted()
      const { end, work } = working()
      const call = watch(
        shield[how](
          () => {
            abort("enough")
            return work()
          },
          { signal }
        )
      )
      await settle()
      assert.strictEqual(call.state, how === "shield" ? "failed" : "waiting")
      end()
      await settle()
      assert.deepStrictEqual([call.error, left()], ["enough", 0])
    }
    assert.deepStrictEqual(reports, [])
  })

  it("an abort or a timeout lets the caller go at once, and the work goes on", () =>
    withFakeTimers(async () => {
      const { reports, shield } = make()
      const { abort, left, signal } = counted()
      const { end, work } = working()
      const aborted = watch(shield.shield(work, { signal }))
      const late = watch(shield.shield(work, { timeout: 10, signal }))
      abort("enough")
      await settle()
      assert.deepStrictEqual([aborted.error, late.error, left(), shield.stats().running], ["enough", "enough", 0, 2])
      const slow = watch(shield.shield(work, { timeout: 10 }))
      await vi.advanceTimersByTimeAsync(9)
      assert.strictEqual(slow.state, "waiting")
      await vi.advanceTimersByTimeAsync(1)
      assert.strictEqual(slow.error.name, "TimeoutError")
      end()
      await settle()
      assert.deepStrictEqual([shield.stats().running, reports], [0, []])
    })) // asyncio: test_shield_cancel_outer, test_shield_cancel_outer_result, test_shield_effect, test_zero_timeout, test_shielded_timeout

  it("a late failure is reported once, to onError, without one on the console, and is not unhandled", async () => {
    const unhandled = vi.fn()
    process.on("unhandledRejection", unhandled)
    const error = vi.spyOn(console, "error").mockImplementation(() => {})
    try {
      const { reports, shield } = make()
      for (const call of [shield.shield.bind(shield), shieldAlone]) {
        const { end, work } = working()
        const controller = new AbortController()
        const caller = watch(call(work, { signal: controller.signal, name: "save" }))
        controller.abort("enough")
        await settle()
        end("oops")
        await settle()
        assert.strictEqual(caller.error, "enough")
      }
      assert.deepStrictEqual(reports, [late])
      assert.deepStrictEqual(error.mock.calls, [["Shield: save: it failed after its caller had gone", "oops"]])
      assert.strictEqual(unhandled.mock.calls.length, 0)
    } finally {
      error.mockRestore()
      process.off("unhandledRejection", unhandled)
    }
  }) // asyncio: test_shield_cancel_outer_exception

  it("several callers of one promise: each may go; who stays has the error, and if nobody does it is reported once", async () => {
    for (const stays of [true, false]) {
      const { reports, shield } = make()
      const { end, work } = working()
      const promise = work()
      const controller = new AbortController()
      const options = { signal: controller.signal, name: "save" }
      const gone = [watch(shield.shield(promise, options)), watch(shield.shield(promise, options))]
      const there = stays ? watch(shield.shield(promise)) : undefined
      assert.strictEqual(shield.stats().running, 1)
      controller.abort("enough")
      await settle()
      end("oops")
      await settle()
      assert.deepStrictEqual(
        gone.map(({ error }) => error),
        ["enough", "enough"]
      )
      assert.strictEqual(there?.error, stays ? "oops" : undefined)
      assert.deepStrictEqual(reports, stays ? [] : [late])
      assert.strictEqual(await rejectionOf(shield.shield(promise)), "oops", "also who comes later")
    }
  }) // asyncio: test_shield_duplicate_log_once, test_gather_shield

  it("aborted and failing in one tick, in both orders: the caller has it or it is reported, and not both", async () => {
    for (const abortFirst of [true, false]) {
      for (let delay = 0; delay < 12; delay++) {
        const { reports, shield } = make()
        const { end, work } = working()
        const controller = new AbortController()
        const caller = watch(shield.shield(work, { signal: controller.signal, name: "save" }))
        await settle()
        if (!abortFirst) end("oops")
        for (let i = 0; i < delay; i++) await Promise.resolve()
        controller.abort("enough")
        if (abortFirst) end("oops")
        await settle()
        const told = caller.error === "oops" ? 1 : 0
        assert.strictEqual(told + reports.length, 1, `${delay} microtasks`)
      }
    }
  })

  it("with a signal that is aborted already nothing is called", async () => {
    const signal = AbortSignal.abort("before")
    for (const call of [shieldAlone, critical]) {
      assert.strictEqual(await rejectionOf(call(() => assert.fail("runs"), { signal })), "before")
    }
  })
})

describe("critical", () => {
  it("an abort or a timeout is delivered when the work has ended, and leaves nothing", () =>
    withFakeTimers(async () => {
      const { abort, left, signal } = counted()
      const { end, work } = working()
      const aborted = watch(critical(work, { signal }))
      const slow = watch(critical(work, { timeout: 10 }))
      abort("enough")
      await vi.advanceTimersByTimeAsync(10)
      await settle()
      assert.deepStrictEqual([aborted.state, slow.state], ["waiting", "waiting"])
      end()
      await settle()
      assert.deepStrictEqual([aborted.error, slow.error.name, left()], ["enough", "TimeoutError", 0])
    }))

  it("its failure when the caller is aborted is reported once; otherwise the caller has it", async () => {
    for (const aborts of [true, false]) {
      const { reports, shield } = make()
      const { end, work } = working()
      const controller = new AbortController()
      const caller = watch(shield.critical(work, { signal: controller.signal, name: "save" }))
      if (aborts) controller.abort("enough")
      end("oops")
      await settle()
      assert.deepStrictEqual([caller.error, reports], aborts ? ["enough", [late]] : ["oops", []])
    }
  })
})

describe("Shield", () => {
  it("close waits for the work, takes more while it waits, and none after it; so does await using", async () => {
    const { end, work } = working()
    let leaked: Shield
    const closed = watch(
      (async () => {
        await using shield = new Shield()
        leaked = shield
        void shield.shield(work)
      })()
    )
    await settle()
    assert.strictEqual(closed.state, "waiting")
    const more = watch(leaked!.shield(() => "more"))
    end()
    await settle()
    assert.deepStrictEqual([closed.state, more.value], ["done", "more"])
    const refused = (await rejectionOf(leaked!.shield(() => assert.fail("runs"), { name: "late" }))) as Error
    assert.instanceOf(refused, ShieldClosed)
    assert.strictEqual(refused.message, 'the work "late" was not started: the shield is closed')
  })

  it("at the deadline, or the timeout of close, reports by name what it leaves behind", () =>
    withFakeTimers(async () => {
      for (const [deadline, timeout, at] of [
        [100, undefined, 100],
        [100, 20, 20]
      ] as const) {
        const { reports, shield } = make({ deadline })
        const { end, work } = working()
        void shield.shield(work, { name: "save" })
        const closed = watch(shield.close({ timeout }))
        await vi.advanceTimersByTimeAsync(at - 1)
        assert.strictEqual(closed.state, "waiting")
        await vi.advanceTimersByTimeAsync(1)
        assert.deepStrictEqual(closed.value, ["save"])
        assert.match(
          reports.join(),
          /^Shield\.close undefined: 1 piece of shielded work had not ended by the deadline.*: save/
        )
        end()
        await settle()
      }
    }))

  it("work that waits for it is told so in its first step, and close closes it all the same", async () => {
    const message = "shielded work waits for all that is shielded, and so for itself, and would never end"
    for (const operation of ["awaitEmpty", "close"] as const) {
      for (const how of ["shield", "critical"] as const) {
        const { reports, shield } = make()
        const error: any = await rejectionOf(shield[how]((): Promise<unknown> => shield[operation]()))
        assert.strictEqual(error.message, `Shield.${operation}: ${message}`)
        await shield.awaitEmpty()
        assert.deepStrictEqual([shield.stats().isClosed, reports], [operation === "close", []])
      }
    }
  })

  it("work that closes it and does not wait for that is not told: there is no unhandled rejection, and others may wait", async () => {
    const unhandled = await unhandledIn(async () => {
      for (const operation of ["awaitEmpty", "close"] as const) {
        const { reports, shield } = make()
        const { end, work } = working()
        let closing: Promise<unknown> | undefined
        const caller = shield.shield(async () => {
          void shield[operation]()
          closing = shield[operation]()
          return work()
        })
        const closed = watch(closing!)
        await settle()
        assert.strictEqual(closed.state, "waiting")
        end()
        assert.strictEqual(await caller, 1)
        await settle()
        assert.deepStrictEqual([closed.value, reports], [operation === "close" ? [] : undefined, []])
        assert.strictEqual(shield.stats().isClosed, operation === "close")
      }
    })
    assert.deepStrictEqual(unhandled, [])
  })

  it("work that waits for it with a signal or a timeout may; so may what is called by work, and is no part of it", () =>
    withFakeTimers(async () => {
      const { shield } = make()
      const other = make().shield
      const controller = new AbortController()
      const calls = [
        watch(shield.shield(() => shield.awaitEmpty({ timeout: 10 }))),
        watch(shield.shield(() => shield.awaitEmpty({ signal: controller.signal }))),
        watch(shield.shield(() => void other.shield(() => shield.awaitEmpty()))),
        watch(shield.shield(() => shield.close({ timeout: 20 })))
      ]
      await vi.advanceTimersByTimeAsync(10)
      controller.abort("enough")
      await vi.advanceTimersByTimeAsync(10)
      await settle()
      assert.deepStrictEqual(
        calls.map(({ error, value }) => error?.name ?? error ?? value),
        ["TimeoutError", "enough", undefined, ["(no name)"]]
      )
      assert.deepStrictEqual([shield.stats().running, other.stats().running], [0, 0])
    }))

  it("the report of what is left behind is waited for, as long again, and then told on the console", () =>
    withFakeTimers(async () => {
      const console = vi.spyOn(globalThis.console, "error").mockImplementation(() => {})
      try {
        const told: Array<string> = []
        const shield = new Shield({
          deadline: 10,
          onError: ({ message }) => {
            told.push(message)
            return new Promise(() => {})
          }
        })
        void shield.shield(() => new Promise(() => {}), { name: "save" })
        const closed = watch(shield.close())
        await vi.advanceTimersByTimeAsync(19)
        assert.deepStrictEqual([closed.state, told.length, console.mock.calls], ["waiting", 1, []])
        await vi.advanceTimersByTimeAsync(1)
        assert.deepStrictEqual(closed.value, ["save"])
        assert.deepStrictEqual(console.mock.calls, [
          [`Shield.close: ${told[0]} (the report of this has not ended in time)`]
        ])
      } finally {
        console.mockRestore()
      }
    }))

  it("shares the shield of an Effect program: its work is waited for there, and reported there", async () => {
    const reports: Array<unknown> = []
    const { end, work } = working()
    const attempt = await Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const effects = yield* EffectShield.make({ onError: ({ name }) => Effect.sync(() => reports.push(name)) })
          const controller = new AbortController()
          const caller = watch(Shield.from(effects).shield(work, { signal: controller.signal, name: "save" }))
          controller.abort("enough")
          setTimeout(() => end("oops"), 5)
          return caller
        })
      )
    )
    await settle()
    assert.deepStrictEqual([attempt.error, reports], ["enough", ["save"]])
    assert.instanceOf(Shield.from(Shield.from(new Shield())), Shield)
  })

  it("200,000 shields of one promise that is never done, each aborted, retain nothing", async () => {
    const shield = new Shield()
    const never = new Promise<never>(() => {})
    const round = async (n: number) => {
      for (let i = 0; i < n; i += 1_000) {
        const controller = new AbortController()
        const calls = Array.from({ length: 1_000 }, () => shield.shield(never, controller).catch(() => undefined))
        controller.abort()
        await Promise.all(calls)
      }
    }
    await round(2_000)
    const before = await heap()
    await round(200_000)
    assert.isBelow((await heap()) - before, 4)
    assert.strictEqual(shield.stats().running, 1)
  }) // asyncio: bpo-35125

  it("refuses bad arguments before anything starts", async () => {
    const message = async (promise: Promise<unknown>) => ((await rejectionOf(promise)) as Error).message
    const shield = new Shield()
    assert.match(
      await message(shield.shield(5 as never)),
      /^Shield\.shield: work must be a function or a promise, got 5/
    )
    assert.match(
      await message(shield.critical(() => assert.fail("runs"), { timeout: -1 })),
      /^Shield\.critical: timeout/
    )
    assert.match(await message(shield.shield(() => assert.fail("runs"), { name: 5 as never })), /^Shield\.shield: name/)
    assert.match(await message(shield.close({ timeout: NaN })), /^Shield\.close: timeout must be/)
    assert.throws(() => new Shield({ deadline: -1 }), RangeError, "new Shield: deadline")
    assert.throws(() => new Shield({ onError: 5 as never }), TypeError, "new Shield: onError")
    assert.throws(() => Shield.from({} as never), /^Shield\.from: argument must be a Shield/)
    assert.deepStrictEqual(shield.stats(), { running: 0, names: [], isClosed: false })
  })
})
