import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { SyncBridge } from "effect-concurrency/promise"
import * as Effects from "effect-concurrency/SyncBridge"
import { assert, describe, it, vi } from "vitest"
import { BridgeClosed } from "../../src/core/syncBridge.js"
import { fixture, syncBridgeLaws, syncBridgeSkins, thrown } from "../laws/SyncBridge.js"
import { root } from "../utils/source.js"

for (const skin of syncBridgeSkins.filter(({ name }) => name === "promise")) syncBridgeLaws(skin)

const functions = SyncBridge.module<typeof import("../fixtures/bridge.mjs")>(fixture)

describe("SyncBridge (promise): its end", () => {
  it("`using` and `await using` close it", async () => {
    const bridge = new SyncBridge(functions)
    bridge.run("answer", [])
    bridge[Symbol.dispose]()
    assert.instanceOf(
      thrown(() => bridge.run("answer", [])),
      BridgeClosed
    )
    await bridge[Symbol.asyncDispose]()
  })

  it("is not kept waiting by a thread that cannot be ended: that is reported", async () => {
    const error = vi.spyOn(console, "error").mockImplementation(() => {})
    try {
      const bridge = new SyncBridge(functions)
      thrown(() => bridge.run("blocksInNative", [3_000], { timeout: 500 }))
      vi.useFakeTimers({ toFake: ["setTimeout"] })
      const closed = bridge.close()
      vi.advanceTimersByTime(5_000)
      await closed
      assert.match(
        error.mock.calls.flat().map(String).join("\n"),
        /the worker of a bridge cannot be ended.*native code/s
      )
    } finally {
      vi.useRealTimers()
      error.mockRestore()
    }
  })

  it("a view has the worker of the other skin's bridge, and ends it", async () => {
    const bridge = Effects.makeUnsafe(functions)
    const plain = SyncBridge.from(bridge)
    assert.deepStrictEqual([bridge.run("count", []), plain.run("count", []), bridge.run("count", [])], [1, 2, 3])
    assert.strictEqual(plain.stats().workers, 1)
    await plain.close()
    assert.throws(() => bridge.run("count", []), BridgeClosed)
    assert.strictEqual(SyncBridge.from(plain).stats().calls, 4)
  })

  it("a view is of a bridge", () => {
    assert.throws(() => SyncBridge.from({} as any), TypeError, /^SyncBridge\.from: argument must be a SyncBridge/)
  })
})

const run = promisify(execFile)

/** Runs a program of its own, with a bridge to the fixture. */
const program = (body: string, ...options: ReadonlyArray<string>) =>
  run(
    process.execPath,
    [
      ...options,
      "--input-type=module",
      "--eval",
      `import { SyncBridge } from "effect-concurrency/promise"
       const bridge = new SyncBridge(SyncBridge.module(${JSON.stringify(fixture.href)}))
       ${body}`
    ],
    { cwd: root, timeout: 30_000 }
  )

describe("SyncBridge (promise): a program that has one", () => {
  it("ends by itself, without closing it, and with all that was printed", async () => {
    const { stdout } = await program(`
      console.log("before")
      bridge.run("prints", [1000])
      console.log("after")
    `)
    const lines = stdout.trimEnd().split("\n")
    assert.strictEqual(lines.length, 1002)
    assert.deepStrictEqual([lines[0], lines.at(-1)], ["before", "after"])
    assert.match(lines[1000]!, /^line 999 /)
  })

  it("ends also with a worker that was started and never used, or given up", async () => {
    await program("bridge.start()")
    await program("try { bridge.run('spin', [], { timeout: 20 }) } catch {}")
    await program("try { bridge.run('exits', [0]) } catch {}")
  })

  it("may end in the middle: what was printed is out", async () => {
    const { stdout } = await program("bridge.run('prints', [10]); process.exit()")
    assert.strictEqual(stdout.trimEnd().split("\n").length, 10)
  })

  it("closes with all that was printed, also when nobody had called", async () => {
    const { stdout } = await program(`
      bridge.run("printsLater", [10])
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200)
      await bridge.close()
    `)
    assert.strictEqual(stdout, "later\n")
  })

  it("may have a loader for TypeScript", async () => {
    const { stdout } = await program("console.log(bridge.run('add', [1, 2]))", "--import", "tsx")
    assert.strictEqual(stdout, "3\n")
  })

  it("may have options that are not for a thread", async () => {
    const { stdout } = await program(
      "console.log(bridge.run('add', [1, 2]))",
      "--expose-gc",
      "--max-old-space-size=500"
    )
    assert.strictEqual(stdout, "3\n")
  })

  it("is not woken by a worker that has something to say when nobody waits for it", async () => {
    const { stdout } = await program(`
      const told = []
      console.error = (...args) => told.push(args.join(" "))
      bridge.run("throwsLater", [])
      await new Promise((resolve) => setTimeout(resolve, 500))
      console.log(told.length, /nobody waits for this/.test(told.join()))
    `)
    assert.strictEqual(stdout, "1 true\n")
  })
})
