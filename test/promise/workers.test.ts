/** Workers as a pool sees them, over ones that are none. */
import { assert, describe, it } from "@effect/vitest"
import { EventEmitter } from "node:events"
import { Do, message, Say } from "../../src/core/protocol.js"
import { type Settings, type Spawn, starter } from "../../src/promise/workers.js"

class Thread extends EventEmitter {
  readonly sent: Array<unknown> = []
  postMessage(frame: unknown): void {
    this.sent.push(frame)
  }
}

class Child extends EventEmitter {
  readonly sent: Array<unknown> = []
  readonly connected = true
  readonly pid = 1
  send(frame: unknown): void {
    this.sent.push(frame)
  }
}

class WebWorker extends EventTarget {
  readonly sent: Array<unknown> = []
  postMessage(frame: unknown): void {
    this.sent.push(frame)
  }
  emit(event: string, data: unknown): void {
    this.dispatchEvent(Object.assign(new Event(event), { data }))
  }
}

const started = (spawn: Spawn, kind: Settings["kind"] = "threads") => {
  const said: Array<unknown> = []
  const ends: Array<unknown> = []
  const settings = { kind, name: "test", spawn, resourceLimits: undefined, env: undefined, execArgv: undefined }
  const listener = {
    message: (message: unknown) => void said.push(message),
    exited: (cause: unknown) => void ends.push((cause as Error).message)
  }
  return { port: starter(settings)(1, listener), said, ends }
}

const strange = [null, undefined, "progress", { type: "progress" }, [], [1], [1, null], [0], [7]]

describe.each([
  ["a thread", () => new Thread(), "threads"],
  ["a process", () => new Child(), "processes"],
  ["a worker of the web", () => new WebWorker(), "threads"]
] as const)("%s", (_, make, kind) => {
  it("says what is in its frames; what else comes that way is nothing of ours", () => {
    const worker = make()
    const { ends, port, said } = started(() => worker, kind)
    for (const frame of strange) worker.emit("message", frame)
    worker.emit("message", message([Say.ready]))
    assert.deepStrictEqual([said, ends], [[[Say.ready]], []])
    port.send([Do.end], undefined)
    port.dismiss()
    assert.deepStrictEqual(worker.sent, [[0, [Do.end]], [1]])
  })

  it("that says that it ends has ended, if it is of the web: others are seen to", () => {
    const worker = make()
    const { ends, said } = started(() => worker, kind)
    worker.emit("message", [2])
    worker.emit("message", message([Say.ready]))
    const isWeb = worker instanceof WebWorker
    assert.deepStrictEqual(ends, isWeb ? ["the worker has ended"] : [])
    assert.lengthOf(said, isWeb ? 0 : 1)
  })
})

describe("what was spawned", () => {
  it.each<[unknown, string]>([
    [new Child(), 'spawn returned a child process: say so with kind: "processes"'],
    [undefined, "spawn must return a worker or a child process, got undefined"],
    [{}, "spawn must return a worker or a child process, got [object Object]"]
  ])("%o is no thread", async (worker, why) => {
    const { ends } = started(() => worker)
    await Promise.resolve()
    assert.deepStrictEqual(ends, [why])
  })
})
