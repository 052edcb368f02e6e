/** What the user sees while the work goes on. */
import { Effect, Schedule } from "effect"
import { progressLine } from "./report.js"
import { Progress } from "./services.js"

const { stdout } = process

/** On a terminal, what takes the progress line away. */
const clear = stdout.isTTY ? "\r\x1b[2K" : ""

/** Shows the progress until its scope closes: a line rewritten in place on a terminal, else a line now and then. */
export const showProgress = Effect.gen(function* () {
  const show = Effect.map(Progress.get, (results) => {
    const line = progressLine(results)
    stdout.write(stdout.isTTY ? `${clear}${line.slice(0, (stdout.columns || 80) - 1)}` : `${line}\n`)
  })
  yield* Effect.addFinalizer(() => Effect.sync(() => stdout.write(clear)))
  yield* Effect.forkScoped(Effect.repeat(show, Schedule.spaced(stdout.isTTY ? "100 millis" : "1 second")))
})

/** A line that stays. The progress line comes back below it. */
export const print = (line: string): Effect.Effect<void> => Effect.sync(() => void stdout.write(`${clear}${line}\n`))
