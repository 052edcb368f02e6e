/** Checks the links of the Markdown files in a folder: `npm start -- --help`. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Cause, Clock, Console, Effect, Exit, type HashMap, Layer, Schedule } from "effect"
import { check } from "./check.js"
import { isExternal, type Page } from "./markdown.js"
import { Options, parse, usage } from "./options.js"
import { type Place, progressLine, summary, writeJson } from "./report.js"
import { ServerLive } from "./server.js"
import { AllRead, Files, LocalLinks, Pages, Progress, RequestSlots, Start } from "./services.js"

/** Shows the progress until its scope closes: a line rewritten in place on a terminal, else a line now and then. */
const showProgress = Effect.gen(function* () {
  const { stdout } = process
  const show = Effect.map(Progress.get, (results) => {
    const line = progressLine(results)
    stdout.write(stdout.isTTY ? `\r\x1b[2K${line.slice(0, (stdout.columns || 80) - 1)}` : `${line}\n`)
  })
  yield* Effect.addFinalizer(() => Effect.sync(() => stdout.isTTY && stdout.write("\r\x1b[2K")))
  yield* Effect.forkScoped(Effect.repeat(show, Schedule.spaced(stdout.isTTY ? "100 millis" : "1 second")))
})

/** Does the work and tells what came out, also when it is interrupted. Returns the exit code. */
const run = Effect.gen(function* () {
  const options = yield* Options
  const started = yield* Clock.currentTimeMillis

  const tell = (interrupted: boolean) =>
    Effect.gen(function* () {
      // Empty after a whole run. After an interrupted one, an item that was being worked on is back in its queue and counts as well.
      const unread = yield* Files.shutdown
      yield* LocalLinks.shutdown
      const outcome = {
        results: yield* Progress.get,
        external: externalLinks(yield* Pages.get),
        unread: unread.length,
        milliseconds: (yield* Clock.currentTimeMillis) - started,
        interrupted
      }
      yield* Console.log(summary(options, outcome))
      if (options.json !== undefined) yield* writeJson(options.json, options, outcome)
    })

  yield* Effect.gen(function* () {
    yield* showProgress
    // By now the server listens and the progress line stands: they may go.
    yield* Effect.all([check, Start.set], { concurrency: "unbounded" })
  }).pipe(
    Effect.scoped,
    Effect.onInterrupt(() => Effect.catchAll(tell(true), ({ message }) => Console.error(`link-check: ${message}`)))
  )
  yield* Effect.uninterruptible(tell(false))

  const { broken } = yield* Progress.get
  return options.strict && broken.length > 0 ? 1 : 0
})

const externalLinks = (pages: HashMap.HashMap<string, Page>): Array<Place> =>
  [...pages].flatMap(([file, { links }]) => links.filter(isExternal).map(({ href, line }) => ({ file, line, href })))

/** One of each for the whole program. */
const Coordination = Layer.mergeAll(
  Files.layer,
  LocalLinks.layer,
  RequestSlots.layer,
  Pages.layer,
  Progress.layer,
  Start.layer,
  AllRead.layer
)

const Live = Layer.mergeAll(ServerLive, NodeHttpClient.layerUndici).pipe(Layer.provideMerge(Coordination))

const program = Effect.gen(function* () {
  const options = yield* parse(process.argv.slice(2))
  if (options === "help") {
    yield* Console.log(usage)
    return 0
  }
  return yield* run.pipe(Effect.provide(Live), Effect.provideService(Options, options))
}).pipe(Effect.catchTag("UserError", ({ message }) => Effect.as(Console.error(`link-check: ${message}`), 2)))

// `npm start` passes Ctrl-C on although the terminal has told us already. Effect listens for the first signal only, and a second that
// nobody listens for would kill us in the middle of the summary.
process.on("SIGINT", () => {})

// `npm start -- --json FILE | head` closes the pipe early. Nobody reads what comes then, but the report is still wanted.
process.stdout.on("error", () => {})

NodeRuntime.runMain(program, {
  disableErrorReporting: true,
  teardown: (exit, onExit) => {
    if (Exit.isSuccess(exit)) return onExit(Number(exit.value))
    if (Cause.isInterruptedOnly(exit.cause)) return onExit(130)
    console.error(`link-check: ${Cause.pretty(exit.cause)}`)
    onExit(2)
  }
})
