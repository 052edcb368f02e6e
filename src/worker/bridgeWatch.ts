/**
 * What watches the worker of a bridge: starts it, and tells who is blocked when it has ended. Imported by nobody.
 */
import { encode } from "../core/wire.js"
import { announce, Cell, type Note, type Setup } from "./bridge.js"
import { canClone } from "./clone.js"
import { builtin } from "./node.js"

const { parentPort, Worker, workerData } = builtin("node:worker_threads")!
const { calls, callers, cells, href, name, notes, resourceLimits } = workerData as Setup

const worker = new Worker(new URL("./bridgeRun.js", import.meta.url), {
  workerData: { calls, callers, cells, href },
  transferList: [calls],
  resourceLimits,
  name
})

let failure: { readonly error: unknown } | undefined
worker.on("error", (error) => {
  failure = { error }
})
worker.on("exit", (code) => {
  const note: Note = { code, error: failure && encode(failure.error, canClone) }
  notes.postMessage(note, [])
  Atomics.store(cells, Cell.ended, 1)
  announce(cells)
  parentPort!.postMessage(note, [])
})
