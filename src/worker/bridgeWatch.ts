/**
 * What watches the worker of a bridge: starts it, and tells who is blocked when it has ended. Imported by nobody.
 */
import { canClone, encode } from "../core/wire.js"
import { announce, Cell, type Note, type Setup } from "./bridge.js"
import { builtin, startThread } from "./node.js"

const threads = builtin("node:worker_threads")!
const { calls, callers, cells, href, name, notes, resourceLimits } = threads.workerData as Setup

const ended = (code: number, failure: { readonly error: unknown } | undefined): void => {
  const note: Note = { code, error: failure && encode(failure.error, canClone) }
  notes.postMessage(note, [])
  Atomics.store(cells, Cell.ended, 1)
  announce(cells)
  threads.parentPort!.postMessage(note, [])
}

try {
  const worker = startThread(threads, new URL("./bridgeRun.js", import.meta.url), {
    workerData: { calls, callers, cells, href },
    transferList: [calls],
    resourceLimits,
    name
  })
  let failure: { readonly error: unknown } | undefined
  worker.on("error", (error) => {
    failure = { error }
  })
  worker.on("exit", (code) => ended(code, failure))
} catch (error) {
  // It could not be started. As an error of this thread the one who is blocked would not hear of it.
  ended(1, { error })
}
