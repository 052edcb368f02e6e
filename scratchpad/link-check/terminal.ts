/** What the user sees while the work goes on. */
import { Effect } from "effect"
import { Debounce } from "effect-concurrency"
import { progressLine, type Results } from "./report.js"
import { Progress } from "./services.js"

const { stdout } = process

/** On a terminal, what takes the progress line away. */
const clear = stdout.isTTY ? "\r\x1b[2K" : ""

/**
 * The progress line: on a terminal it is rewritten in place, else there is a line now and then. What happens is told far more often; it is
 * shown when nothing has happened for a moment, or not for long.
 */
export class ProgressLine extends Debounce.Service<ProgressLine>()("link-check/ProgressLine", {
  run: () =>
    Effect.map(Progress.get, (results) => {
      const line = progressLine(results)
      stdout.write(stdout.isTTY ? `${clear}${line.slice(0, (stdout.columns || 80) - 1)}` : `${line}\n`)
    }),
  edges: "both",
  wait: stdout.isTTY ? "50 millis" : "1 second",
  maxWait: stdout.isTTY ? "100 millis" : "1 second",
  onClose: "cancel"
}) {}

/** Something has happened. */
export const note = (f: (results: Results) => Results): Effect.Effect<void, never, Progress | ProgressLine> =>
  Effect.zipRight(Progress.update(f), Effect.asVoid(ProgressLine.trigger()))

/** Shows the progress until its scope closes. */
export const showProgress = Effect.acquireRelease(ProgressLine.trigger(), () =>
  Effect.zipRight(
    ProgressLine.cancel,
    Effect.sync(() => stdout.write(clear))
  )
)

/** A line that stays. The progress line comes back below it. */
export const print = (line: string): Effect.Effect<void> => Effect.sync(() => void stdout.write(`${clear}${line}\n`))
