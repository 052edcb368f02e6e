/** Checks the links of the Markdown files in a folder: `npm start -- --help`. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Cause, Clock, Console, Effect, Exit, type HashMap, Layer, Schedule } from "effect"
import { Event, Wait } from "effect-concurrency"
import { DistributedRateLimiter } from "effect-concurrency/distributed"
import { check } from "./check.js"
import { isExternal, type Page } from "./markdown.js"
import { Options, parse, usage, UserError } from "./options.js"
import { isReplaceable, type Outcome, type Place, summary, writeJson } from "./report.js"
import { MirrorsLive } from "./server.js"
import {
  AllRead,
  Drafts,
  Files,
  LastWords,
  LocalLinks,
  Pages,
  Parsers,
  Progress,
  RequestRate,
  RequestRetry,
  RequestSlots,
  RequestTime,
  RunTime,
  Start
} from "./services.js"
import { Shared, checkShared } from "./shared.js"
import { ProgressLine, showProgress } from "./terminal.js"

type Failure = Effect.Effect.Error<typeof check | typeof checkShared>

/** Does the work and tells what came out, also when it is interrupted. Returns the exit code. */
const run = <R>(check: Effect.Effect<void, Failure, R>) =>
  Effect.gen(function* () {
    const { strict } = yield* Options
    const started = yield* Clock.currentTimeMillis
    const interruption = yield* Event.make()

    const job = Effect.gen(function* () {
      const end = yield* Wait.firstCompleted([
        Effect.as(work(check, outcome(started, true)), "done" as const).pipe(
          RunTime.timeout,
          Effect.catchTag("DeadlineExceeded", Effect.succeed)
        ),
        Effect.as(interruption.wait, "interrupted" as const)
      ])
      yield* tell(yield* outcome(started, end !== "done"))
      if (typeof end !== "string") return yield* Effect.fail(new UserError(end.message))
    }).pipe(Effect.ensuring(Effect.zip(Files.shutdown, LocalLinks.shutdown)))

    // Ctrl-C ends the waiting here and, by the event, the work; but not the telling, which closing the shield waits for.
    yield* LastWords.shield(job, { name: "the summary and the report" }).pipe(
      Effect.onInterrupt(() => interruption.set)
    )

    const { broken } = yield* Progress.get
    return strict && broken.length > 0 ? 1 : 0
  })

const work = <R>(
  check: Effect.Effect<void, Failure, R>,
  soFar: Effect.Effect<Outcome, never, Progress | Pages | Files>
) =>
  Effect.gen(function* () {
    yield* showProgress
    yield* keepSaved(Effect.flatMap(soFar, save))
    // By now the mirrors listen and the progress line stands: they may go.
    yield* Effect.all([check, Start.set], { concurrency: "unbounded" })
  }).pipe(Effect.scoped)

/** Rewrites the report every second until its scope closes, so that a run that is killed leaves what it had. */
const keepSaved = <R>(draft: Effect.Effect<void, UserError, R>) =>
  Effect.gen(function* () {
    const { json } = yield* Options
    if (json === undefined || !(yield* Effect.promise(() => isReplaceable(json)))) return
    // The first is waited for: that the file cannot be written should be known before the work and not after it.
    yield* Effect.flatMap(Drafts.start(draft, { name: "a draft of the report" }), (task) => task.await)
    // It is refused while the one before is being written. What has come since is in the next.
    const again = Effect.ignore(Drafts.fireAndForget(draft, { name: "a draft of the report" }))
    yield* Effect.forkScoped(Effect.schedule(again, Schedule.spaced("1 second")))
  })

/** Prints the summary, then writes the report in place of the last draft. */
const tell = (outcome: Outcome) =>
  Effect.gen(function* () {
    yield* Console.log(summary(yield* Options, outcome))
    yield* Drafts.awaitEmpty
    yield* save(outcome)
  })

const save = (outcome: Outcome) =>
  Effect.flatMap(Options, (options) =>
    options.json === undefined ? Effect.void : writeJson(options.json, options, outcome)
  )

const outcome = (started: number, interrupted: boolean) =>
  Effect.gen(function* () {
    return {
      results: yield* Progress.get,
      external: externalLinks(yield* Pages.get),
      // None after a whole run. After an interrupted one, a file that was being read is back in its queue and counts as well.
      unread: yield* Files.size,
      milliseconds: (yield* Clock.currentTimeMillis) - started,
      interrupted
    }
  })

const externalLinks = (pages: HashMap.HashMap<string, Page>): Array<Place> =>
  [...pages].flatMap(([file, { links }]) => links.filter(isExternal).map(({ href, line }) => ({ file, line, href })))

/** One of each for the whole program. */
const Coordination = Layer.mergeAll(
  Files.layer,
  LocalLinks.layer,
  RequestSlots.layer,
  RequestRate.layer,
  RequestTime.layer,
  RequestRetry.layer,
  RunTime.layer,
  Parsers.Live,
  Pages.layer,
  Progress.layer,
  Start.layer,
  AllRead.layer,
  Drafts.layer
).pipe((coordination) => Layer.provideMerge(ProgressLine.layer, coordination))

/** Layers close in the opposite order: what must be completed first, while all that it needs is there. */
const Live = LastWords.layer.pipe(
  Layer.provideMerge(Layer.merge(MirrorsLive, NodeHttpClient.layerUndici)),
  Layer.provideMerge(Coordination)
)

const program = Effect.gen(function* () {
  const options = yield* parse(process.argv.slice(2))
  if (options === "help") {
    yield* Console.log(usage)
    return 0
  }
  const outcome =
    options.redis === undefined
      ? run(check).pipe(Effect.provide(Layer.provide(Live, DistributedRateLimiter.layerStoreMemory)))
      : run(checkShared).pipe(Effect.provide(Layer.provideMerge(Live, Shared)))
  return yield* Effect.provideService(outcome, Options, options)
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
