/** Processes and their pipes. */
import { assert, describe, it } from "@effect/vitest"
import { EventEmitter } from "node:events"
import { Executor, WorkerDied } from "effect-concurrency/promise"
import { order, Say } from "../../src/core/protocol.js"
import type { ChildProcesses } from "../../src/worker/node.js"
import { pack } from "../../src/worker/packets.js"
import { ownPipe, startProcess } from "../../src/worker/processes.js"
import { rejectionOf } from "../utils/rejection.js"

class FakePipe extends EventEmitter {
  readonly written: Array<Uint8Array> = []
  isHeld = true
  write(bytes: Uint8Array): void {
    this.written.push(bytes)
  }
  ref(): void {
    this.isHeld = true
  }
  unref(): void {
    this.isHeld = false
  }
}

class FakeChild extends EventEmitter {
  readonly pid = 1
  readonly connected = true
  killed: string | undefined
  isHeld = true
  constructor(readonly stdio: ReadonlyArray<unknown>) {
    super()
  }
  send(): void {
    assert.fail("by the channel")
  }
  kill(signal: string): void {
    this.killed = signal
  }
  ref(): void {
    this.isHeld = true
  }
  unref(): void {
    this.isHeld = false
  }
}

/** A process with a pipe, and what it was started with. */
const started = () => {
  const pipe = new FakePipe()
  const child = new FakeChild([null, null, null, null, pipe])
  const calls: Array<readonly unknown[]> = []
  const fork = ((...args: ReadonlyArray<unknown>) => {
    calls.push(args)
    return child
  }) as unknown as ChildProcesses["fork"]
  const made = startProcess({ fork }, new URL("file:///entry.js"), { env: { a: "b" } }) as any
  return { child, made, pipe, calls }
}

const ready = [1, [Say.ready]] as const

describe("a process", () => {
  it("is told that it has a pipe, and its functions do not see that", () => {
    const [[, args, options]] = started().calls as any
    assert.deepStrictEqual(options.stdio, ["inherit", "inherit", "inherit", "ipc", "pipe"])
    assert.deepStrictEqual([options.serialization, options.env], ["advanced", { a: "b" }])
    assert.lengthOf(args, 1)
    assert.isUndefined(ownPipe(["node", "entry.js", "other"]))
  })

  it("sends and hears by the pipe, and is heard by one listener once there is one", () => {
    const { made, pipe } = started()
    const messages: Array<unknown> = []
    const frames: Array<unknown> = []
    made.on("message", (frame: unknown) => messages.push(frame))
    pipe.emit("data", pack(ready))
    made.hear((frame: unknown) => frames.push(frame))
    pipe.emit("data", pack(ready))
    assert.deepStrictEqual([messages, frames], [[ready], [ready]])
    made.send(order([4]))
    assert.deepStrictEqual(pipe.written, [pack(order([4]))])
  })

  it("holds its parent with both", () => {
    const { child, made, pipe } = started()
    made.unref()
    assert.deepStrictEqual([child.isHeld, pipe.isHeld], [false, false])
    made.ref()
    assert.deepStrictEqual([child.isHeld, pipe.isHeld], [true, true])
  })

  it("whose words cannot be read is ended, for whoever waits for them", () => {
    const { child, made, pipe } = started()
    const errors: Array<unknown> = []
    made.on("error", (error: unknown) => errors.push(error))
    pipe.emit("data", Buffer.from([1, 0, 0, 0, 1, 0xfe]))
    assert.lengthOf(errors, 1)
    assert.strictEqual(child.killed, "SIGKILL")
  })

  it("that has gone, with its pipe, is seen by that it has gone", () => {
    assert.doesNotThrow(() => started().pipe.emit("error", new Error("EPIPE")))
  })

  it("that could not be started has no pipe", () => {
    const child = new FakeChild([])
    const fork = (() => child) as unknown as ChildProcesses["fork"]
    assert.strictEqual(startProcess({ fork }, new URL("file:///entry.js"), {}) as unknown, child)
  })
})

describe("a process of an executor", () => {
  it("has no arguments, says all that it said before it died, and is seen to die while one that it started lives", async () => {
    const executor = new Executor({ kind: "processes", max: 1, concurrency: 2 })
    assert.strictEqual(await executor.toThread(() => process.argv.length), 2)
    const big = executor.toThread(() => new Uint8Array(1_000_000))
    const died = executor.toThread(async () => {
      const { spawn } = await import("node:child_process")
      const { pid } = spawn(process.execPath, ["-e", "setTimeout(() => {}, 20000)"], {
        stdio: "ignore",
        detached: true
      })
      setTimeout(() => process.exit(pid! % 2 === 0 ? 8 : 9), 50)
      await new Promise(() => {})
    })
    assert.lengthOf(await big, 1_000_000)
    const began = performance.now()
    assert.instanceOf(await rejectionOf(died), WorkerDied)
    assert.isBelow(performance.now() - began, 10_000)
    await executor.close()
  })
})
