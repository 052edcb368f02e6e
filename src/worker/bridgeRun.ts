/**
 * What runs the functions of a bridge: one call after the other, each to its end. Imported by nobody.
 */
import * as wire from "../core/wire.js"
import { type Answer, announce, enter, type Print, type Request, type Setup } from "./bridge.js"
import * as effects from "./effects.js"
import { isTransfer } from "./here.js"
import { Library } from "./library.js"
import { builtin, divert } from "./node.js"

const { calls, callers, cells, href } = builtin("node:worker_threads")!.workerData as Setup
const library = new Library()

const say = (answer: Answer | Print, transfer?: ReadonlyArray<unknown>): void => {
  calls.postMessage(answer, transfer)
  announce(cells)
}

const answer = async ([id, name, args]: Request): Promise<void> => {
  let value: unknown
  try {
    const f = library.known([href, name, args]) ?? (await library.load([href, name, args]))
    const result = f(...args)
    value = effects.isEffect(result) ? await effects.run(result) : await result
  } catch (error) {
    const expected = error instanceof effects.Failure
    return say([id, expected ? "failure" : "error", wire.encode(expected ? error.error : error, wire.canClone)])
  }
  const [sent, transfer] = isTransfer(value) ? [value.value, value.list] : [value]
  try {
    say([id, "value", sent], transfer)
  } catch (cause) {
    say([id, "failure", wire.encode(wire.notCloneable(name, "result", sent, cause), wire.canClone)])
  }
}

for (const output of ["stdout", "stderr"] as const) divert(output, (chunk) => say([output, chunk]))

enter([...callers, href])
try {
  await import(/* @vite-ignore */ /* webpackIgnore: true */ href)
  calls.on("message", (request: Request) => void answer(request))
  // A request that cannot be read would never be answered; so the worker ends, and the caller is told why.
  calls.on("messageerror", (error: unknown) => {
    throw error
  })
  say([0, "value", undefined])
} catch (error) {
  say([0, "error", wire.encode(error, wire.canClone)])
}
