/**
 * The laws of a bridge, against either skin. Both block this thread, so a law needs no turn of the event loop but where it says so. They
 * run on real threads, and in real time.
 */
import { readdirSync, writeFileSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { Effect } from "effect"
import * as Effects from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { afterAll, assert, describe, it, vi } from "vitest"
import { JobTimeout, WorkerDied } from "../../src/core/job.js"
import { BridgeClosed } from "../../src/core/syncBridge.js"
import { NotCloneable } from "../../src/core/wire.js"
import type { Module } from "../../src/core/workerModule.js"
import { NotFound } from "../fixtures/bridge.mjs"

type Fixture = typeof import("../fixtures/bridge.mjs")

interface Options {
  readonly timeout?: number
  readonly startTimeout?: number
  readonly resourceLimits?: { readonly maxOldGenerationSizeMb: number }
}

export interface Bridge {
  run(name: string, args: ReadonlyArray<unknown>, options?: { readonly timeout?: number }): any
  start(): void
  close(): Promise<void>
  stats(): Promises.SyncBridgeStats
}

export interface SyncBridgeSkin {
  readonly name: string
  make(module: Module<Fixture, any>, options?: Options): Bridge
  module(url: URL | string): Module<Fixture, any>
}

const promise: SyncBridgeSkin = {
  name: "promise",
  make: (module, options) => new Promises.SyncBridge(module, options) as any,
  module: (url) => Promises.SyncBridge.module<Fixture>(url, { errors: [NotFound] })
}

const effect: SyncBridgeSkin = {
  name: "Effect",
  make: (module, options) => {
    const bridge = Effects.SyncBridge.makeUnsafe(module, options)
    return {
      run: bridge.run as any,
      start: () => Effect.runSync(bridge.start),
      close: () => Effect.runPromise(bridge.close),
      stats: () => Effect.runSync(bridge.stats)
    }
  },
  module: (url) => Effects.SyncBridge.module<Fixture, NotFound>(url, { errors: [NotFound] })
}

export const syncBridgeSkins: ReadonlyArray<SyncBridgeSkin> = [promise, effect]

export const fixture = new URL("../fixtures/bridge.mjs", import.meta.url)

export const thrown = (f: () => unknown): any => {
  try {
    f()
  } catch (error) {
    return error
  }
  return assert.fail("it did not throw")
}

export const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** The threads of this process, where that can be seen. */
const threads = (): number => (process.platform === "linux" ? readdirSync("/proc/self/task").length : 0)

export const syncBridgeLaws = ({ make, module, name }: SyncBridgeSkin): void => {
  describe(`SyncBridge (${name})`, () => {
    const bridges: Array<Bridge> = []
    const made = (options?: Options, url: URL | string = fixture): Bridge => {
      const bridge = make(module(url), options)
      bridges.push(bridge)
      return bridge
    }
    const shared = made()
    afterAll(() => Promise.all(bridges.map((bridge) => bridge.close())))

    it("gives what an async function gives (test_asyncio_run_return, test_run, test_run_coroutine_threadsafe)", () => {
      assert.strictEqual(shared.run("later", [5, 42]), 42)
      assert.strictEqual(shared.run("add", [1, 2]), 3)
    })

    it("and what any function gives, now or later (test_run_awaitable, test_run_future)", () => {
      assert.strictEqual(shared.run("addAtOnce", [1, 2]), 3)
      assert.strictEqual(shared.run("thenable", [4]), 4)
      assert.strictEqual(shared.run("answer", []), 42)
    })

    it("errors are the original ones (test_asyncio_run_raises, test_run_coroutine_threadsafe_with_exception)", () => {
      const error = thrown(() => shared.run("fails", ["TypeError"]))
      assert.instanceOf(error, TypeError)
      assert.strictEqual(error.message, "not of this kind")
      assert.instanceOf(error.cause, RangeError)
      assert.match(error.stack!, /bridge\.mjs/)
      const several = thrown(() => shared.run("fails", ["AggregateError"]))
      assert.instanceOf(several, AggregateError)
      assert.instanceOf(several.errors[1], NotFound)
      const own = thrown(() => shared.run("fails", ["x"]))
      assert.instanceOf(own, NotFound)
      assert.deepStrictEqual([own.id, own.advice], ["x", "look for another than x"])
      const abort = thrown(() => shared.run("fails", ["abort"]))
      assert.deepStrictEqual([abort instanceof DOMException, abort.name], [true, "AbortError"])
      assert.deepStrictEqual(
        thrown(() => shared.run("fails", ["value"])),
        { reason: "because" }
      )
    })

    it("what is no function of the module is refused, with what there is (test_asyncio_run_only_coro, test_run_non_coro)", () => {
      assert.match(thrown(() => shared.run("nope", [])).message, /^"nope" is no export of file:.*, which has .*add/)
      assert.match(thrown(() => shared.run("version", [])).message, /^"version" is no function of file:/)
      assert.match(thrown(() => shared.run(1 as any, [])).message, /^SyncBridge\.run: name must be/)
      assert.match(thrown(() => shared.run("add", 1 as any)).message, /^SyncBridge\.run: args must be an array/)
      assert.instanceOf(
        thrown(() => shared.run("add", [1, 2], { timeout: -1 })),
        RangeError
      )
      assert.instanceOf(
        thrown(() => shared.run("add", [1, 2], 5 as any)),
        TypeError
      )
    })

    it("what the module holds stays from call to call (test_run_keeps_context)", () => {
      const bridge = made()
      assert.deepStrictEqual([bridge.run("count", []), bridge.run("count", []), bridge.run("count", [])], [1, 2, 3])
      assert.deepStrictEqual(bridge.stats(), { calls: 3, timedOut: 0, workers: 1, workersDied: 0 })
    })

    it("is refused in its own worker, also at the second remove (test_asyncio_run_from_running_loop, test_recursive_run)", () => {
      const own = thrown(() => shared.run("calls", [fixture.href, "answer", []]))
      assert.match(own.message, /^SyncBridge\.run: this is the worker of a bridge to file:.*call the function/)
      const other = `${fixture.href}?other`
      assert.strictEqual(shared.run("calls", [other, "answer", []]), 42)
      const back = thrown(() => shared.run("calls", [other, "calls", [fixture.href, "answer", []]]))
      assert.match(back.message, /this is the worker of a bridge/)
      assert.strictEqual(shared.run("answer", []), 42)
    })

    it("closed, it fails; closed again, nothing happens (test_explicit_close, test_double_close, test_second_with_block_raises)", async () => {
      const bridge = made()
      bridge.run("answer", [])
      await bridge.close()
      await bridge.close()
      assert.instanceOf(
        thrown(() => bridge.run("answer", [])),
        BridgeClosed
      )
      bridge.start()
      const unused = made()
      await unused.close()
      assert.instanceOf(
        thrown(() => unused.run("answer", [])),
        BridgeClosed
      )
      assert.strictEqual(bridge.stats().workers, 1)
    })

    it("a function that takes too long is stopped, and the next call has another worker", () => {
      const bridge = made({ timeout: 60_000 })
      bridge.run("count", [])
      for (const name of ["spin", "never"]) {
        const begin = performance.now()
        const error = thrown(() => bridge.run(name, [], { timeout: 50 }))
        assert.instanceOf(error, JobTimeout)
        assert.deepStrictEqual([error.job, error.milliseconds], [name, 50])
        assert.isAtLeast(performance.now() - begin, 49)
      }
      assert.strictEqual(bridge.run("count", []), 1)
      assert.deepStrictEqual(bridge.stats(), { calls: 4, timedOut: 2, workers: 3, workersDied: 0 })
    })

    it("the time of a bridge holds for calls that name none", () => {
      const bridge = made({ timeout: 30 })
      assert.instanceOf(
        thrown(() => bridge.run("never", [])),
        JobTimeout
      )
      assert.strictEqual(bridge.run("later", [60, "slow"], { timeout: 60_000 }), "slow")
    })

    it("starting does not count as time of the function", () => {
      const bridge = made()
      assert.strictEqual(bridge.run("answer", [], { timeout: 1_000 }), 42)
      const slow = made(
        {},
        `data:text/javascript,await new Promise((r) => setTimeout(r, 300)); export const answer = () => 42`
      )
      assert.strictEqual(slow.run("answer", [], { timeout: 250 }), 42)
    })

    it("a worker that does not come to listen is given up after a time of its own", () => {
      const bridge = made(
        { startTimeout: 100 },
        "data:text/javascript,await new Promise(() => {}), setInterval(() => {}, 1e6)"
      )
      const stuck = made({ startTimeout: 300 }, "data:text/javascript,for (;;);")
      for (const each of [stuck, bridge]) {
        const error = thrown(() => each.run("answer", []))
        assert.instanceOf(error, WorkerDied)
        assert.isFalse(error.started)
      }
    })

    it("with no time nothing is run (test_run_coroutine_threadsafe_with_timeout)", () => {
      const bridge = made()
      bridge.run("count", [])
      assert.instanceOf(
        thrown(() => bridge.run("count", [], { timeout: 0 })),
        JobTimeout
      )
      assert.strictEqual(bridge.run("count", []), 2)
      assert.strictEqual(bridge.stats().workers, 1)
    })

    it("no call ever has the answer of another", () => {
      const bridge = made()
      let late = 0
      for (let i = 0; i < 30; i++) {
        try {
          assert.strictEqual(bridge.run("later", [i % 5, i], { timeout: 3 }), i)
        } catch (error) {
          assert.instanceOf(error, JobTimeout)
          late++
        }
      }
      assert.strictEqual(bridge.stats().timedOut, late)
      assert.isAbove(late, 0)
    })

    it("a worker that exits in a call is an error, and the next call has another one", () => {
      const bridge = made()
      const error = thrown(() => bridge.run("exits", [3]))
      assert.instanceOf(error, WorkerDied)
      assert.deepStrictEqual(
        [error.job, error.started, error.message],
        ["exits", true, 'the worker ended while it ran "exits": it exited with code 3']
      )
      assert.strictEqual(bridge.run("answer", []), 42)
    })

    it("a worker that has no memory left is an error", () => {
      const bridge = made({ resourceLimits: { maxOldGenerationSizeMb: 24 } })
      const error = thrown(() => bridge.run("eats", []))
      assert.instanceOf(error, WorkerDied)
      assert.strictEqual((error.cause as any).code, "ERR_WORKER_OUT_OF_MEMORY")
      assert.strictEqual(bridge.run("answer", []), 42)
    })

    it("a worker that ends between two calls is replaced, whether or not this thread has seen it", async () => {
      const error = vi.spyOn(console, "error").mockImplementation(() => {})
      const log = vi.spyOn(console, "log").mockImplementation(() => {})
      try {
        const bridge = made()
        assert.strictEqual(bridge.run("exitsLater", [4]), "before")
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 250)
        assert.strictEqual(bridge.run("answer", []), 42)
        bridge.run("throwsLater", [])
        await vi.waitFor(() => assert.strictEqual(bridge.stats().workersDied, 2), 10_000)
        assert.strictEqual(bridge.run("answer", []), 42)
        assert.strictEqual(bridge.stats().workers, 3)
        await vi.waitFor(() => {
          const told = [...error.mock.calls, ...log.mock.calls].flat().map(String).join("\n")
          assert.match(told, /the worker ended while nothing was called/)
          assert.match(told, /it exited with code 4/)
          assert.match(told, /nobody waits for this/)
        })
      } finally {
        error.mockRestore()
        log.mockRestore()
      }
    })

    it("a module that cannot be loaded is the original error, and tried again", async () => {
      const folder = await mkdtemp(join(tmpdir(), "bridge-"))
      try {
        const url = pathToFileURL(join(folder, "late.mjs"))
        const bridge = made({}, url)
        assert.strictEqual(thrown(() => bridge.run("answer", [])).code, "ERR_MODULE_NOT_FOUND")
        writeFileSync(url, "export const answer = async () => 42")
        assert.strictEqual(bridge.run("answer", []), 42)
      } finally {
        await rm(folder, { recursive: true })
      }
      const broken = made({}, "data:text/javascript,throw new RangeError('at the top')")
      assert.instanceOf(
        thrown(() => broken.run("answer", [])),
        RangeError
      )
    })

    it("start does not wait, and the first call has the worker that it started", async () => {
      const bridge = made()
      bridge.start()
      bridge.start()
      assert.strictEqual(bridge.run("answer", []), 42)
      assert.strictEqual(bridge.stats().workers, 1)
      const early = made()
      early.start()
      await sleep(300)
      assert.strictEqual(early.run("answer", []), 42)
      assert.strictEqual(early.stats().workers, 1)
    })

    it("large arguments and results arrive whole", () => {
      const { bytes, text } = shared.run("big", [20_000_000])
      assert.deepStrictEqual([text.length, bytes.length], [20_000_000, 20_000_000])
      assert.strictEqual(shared.run("size", [new Uint8Array(20_000_000)]), 20_000_000)
    })

    it("what cannot be cloned is said to be, and where it is", () => {
      const result = thrown(() => shared.run("notCloneable", []))
      assert.instanceOf(result, NotCloneable)
      assert.strictEqual(
        result.message,
        "notCloneable: the result cannot be sent: result.items[1].callback is a function"
      )
      const argument = thrown(() => shared.run("add", [1, { on: [() => {}] }]))
      assert.instanceOf(argument, NotCloneable)
      assert.strictEqual(argument.found, "arguments[1].on[0] is a function")
      assert.strictEqual(shared.run("add", [1, 2]), 3)
    })

    it("an argument may itself call the bridge, however that ends", () => {
      const bridge = made()
      const inner = (name: string, args: ReadonlyArray<unknown>, timeout: number) => ({
        get value() {
          try {
            return bridge.run(name, args, { timeout })
          } catch (error) {
            return (error as Error).name
          }
        }
      })
      assert.deepStrictEqual(bridge.run("later", [1, inner("add", [1, 2], 60_000)]), { value: 3 })
      assert.deepStrictEqual(bridge.run("later", [1, inner("never", [], 20)]), { value: "JobTimeout" })
      const closing = {
        get value() {
          return void bridge.close()
        }
      }
      assert.instanceOf(
        thrown(() => bridge.run("later", [1, closing])),
        BridgeClosed
      )
    })

    it("what is printed is out before the call returns, and who waits for that in the worker is not kept waiting", () => {
      const out = vi.spyOn(process.stdout, "write").mockReturnValue(true)
      const err = vi.spyOn(process.stderr, "write").mockReturnValue(true)
      try {
        assert.strictEqual(shared.run("prints", [3]), 3)
        assert.deepStrictEqual(
          out.mock.calls.map(([chunk]) => String(chunk).slice(0, 6)),
          ["line 0", "line 1", "line 2"]
        )
        assert.strictEqual(shared.run("printsAndWaits", [1_000_000], { timeout: 20_000 }), "printed")
        assert.strictEqual(String(out.mock.calls.at(-1)![0]).length, 1_000_001)
        assert.deepStrictEqual(err.mock.calls.at(-1), ["to stderr\n"])
      } finally {
        out.mockRestore()
        err.mockRestore()
      }
    })

    it("what is printed may itself call the bridge, however that ends", () => {
      const bridge = made()
      const write = vi.spyOn(process.stdout, "write")
      const inner: Array<unknown> = []
      /** Runs a function that prints, while what prints calls something. */
      const around = (name: string, call: () => unknown): unknown => {
        write.mockImplementationOnce(() => {
          try {
            inner.push(call())
          } catch (error) {
            inner.push((error as Error).name)
          }
          return true
        })
        return name === "prints" ? bridge.run(name, [1]) : bridge.run(name, [100_000])
      }
      try {
        // Its answer is there before that of the call within it, which waits longer.
        assert.strictEqual(
          around("prints", () => bridge.run("later", [10, "inner"])),
          1
        )
        const lost = thrown(() => around("printsAndStays", () => bridge.run("never", [], { timeout: 20 })))
        assert.instanceOf(lost, WorkerDied)
        assert.deepStrictEqual([lost.job, lost.started], ["printsAndStays", true])
        assert.match(lost.message, /it was given up: another call took too long, or closed the bridge/)
        assert.strictEqual(bridge.run("answer", []), 42)
        const closed = thrown(() => around("printsAndStays", () => void bridge.close()))
        assert.instanceOf(closed, WorkerDied)
        assert.deepStrictEqual(inner, ["inner", "JobTimeout", undefined])
        assert.deepInclude(bridge.stats(), { timedOut: 1, workers: 2 })
      } finally {
        write.mockRestore()
      }
    })

    it("when printing fails, that is thrown, and nothing is left running", () => {
      const bridge = made()
      bridge.run("count", [])
      const write = vi.spyOn(process.stdout, "write").mockImplementationOnce(() => {
        throw new RangeError("no room")
      })
      try {
        assert.instanceOf(
          thrown(() => bridge.run("printsAndStays", [100_000])),
          RangeError
        )
      } finally {
        write.mockRestore()
      }
      assert.strictEqual(bridge.run("count", []), 1)
      assert.deepInclude(bridge.stats(), { workers: 2, workersDied: 1 })
    })

    it("what was printed between two calls is out before the second waits", () => {
      const bridge = made()
      bridge.run("printsLater", [1])
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50)
      let printed = Infinity
      const write = vi.spyOn(process.stdout, "write").mockImplementation(() => {
        printed = performance.now()
        return true
      })
      try {
        const begin = performance.now()
        bridge.run("later", [300, 0])
        assert.isBelow(printed - begin, 200)
      } finally {
        write.mockRestore()
      }
    })

    it("where blocking is not allowed, or there are no threads, that is said", () => {
      const wait = vi.spyOn(Atomics, "wait").mockImplementation(() => {
        throw new TypeError("Atomics.wait cannot be called in this context")
      })
      try {
        const browser = made()
        assert.match(
          thrown(() => browser.run("answer", [])).message,
          /^SyncBridge\.run: this thread may not be blocked/
        )
        assert.match(thrown(() => browser.start()).message, /^SyncBridge\.start: this thread may not be blocked/)
        assert.strictEqual(browser.stats().workers, 0)
      } finally {
        wait.mockRestore()
      }
      const builtin = vi.spyOn(process, "getBuiltinModule").mockReturnValue(undefined)
      try {
        assert.match(thrown(() => made().run("answer", [])).message, /there are no threads of Node's kind here/)
      } finally {
        builtin.mockRestore()
      }
    })

    it.runIf(process.platform === "linux")("leaves no thread behind", async () => {
      const before = threads()
      for (let i = 0; i < 3; i++) {
        const bridge = made()
        thrown(() => bridge.run("spin", [], { timeout: 20 }))
        thrown(() => bridge.run("exits", [0]))
        bridge.run("answer", [])
        assert.isAbove(threads(), before)
        await bridge.close()
      }
      await vi.waitFor(() => assert.isAtMost(threads(), before), 10_000)
    })

    it("refuses what makes no sense", () => {
      for (const options of [
        { timeout: -1 },
        { timeout: NaN },
        { startTimeout: -1 },
        { resourceLimits: 5 },
        5,
        null
      ] as ReadonlyArray<any>) {
        assert.throws(() => make(module(fixture), options), /SyncBridge(\.make)?: /)
      }
      for (const value of [undefined, null, {}, fixture] as ReadonlyArray<any>) {
        assert.throws(() => make(value), TypeError, /SyncBridge(\.make)?: module must be a module/)
      }
      assert.throws(() => module("./bridge.mjs"), TypeError, /^SyncBridge\.module: url must be a URL/)
    })
  })
}
