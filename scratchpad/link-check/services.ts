/** What the parts of the program share. Each is a service with a layer, so that no part is handed another's queue or lock. */
import {
  Background,
  Barrier,
  Event,
  Guarded,
  Retry,
  Semaphore,
  Shield,
  Timeout,
  type Wait,
  WorkQueue
} from "effect-concurrency"
import { DistributedRateLimiter } from "effect-concurrency/distributed"
import * as Executor from "effect-concurrency/Executor"
import * as HttpLimits from "effect-concurrency/HttpLimits"
import * as NodeExecutor from "effect-concurrency/NodeExecutor"
import { Context, Effect, HashMap, Layer } from "effect"
import type { Page } from "./markdown.js"
import { Options } from "./options.js"
import { complain, emptyResults, type Results } from "./report.js"

/** A link to something in the folder. */
export interface LocalLink {
  readonly file: string
  readonly line: number
  readonly href: string
  /** The path of its target, relative to the folder; it may lead outside. */
  readonly target: string
  readonly anchor: string | undefined
}

const capacity = Effect.map(Options, ({ capacity }) => ({ capacity }))

/** From the walker to the readers. It is bounded: the walker waits when it is too far ahead, whatever the size of the folder. */
export class Files extends WorkQueue.Service<Files, string>()("link-check/Files", capacity) {}

/** From the reader of the index to the checkers. */
export class LocalLinks extends WorkQueue.Service<LocalLinks, LocalLink>()("link-check/LocalLinks", capacity) {}

/** Who can be asked: the URLs of the mirrors, in order of preference. */
export class Mirrors extends Context.Tag("link-check/Mirrors")<Mirrors, ReadonlyArray<string>>() {}

/** Is told of each request that reaches a mirror, by an index of `Mirrors`: for whoever wants to count them. */
export class Arrivals extends Context.Reference<Arrivals>()("link-check/Arrivals", {
  defaultValue:
    () =>
    (_mirror: number): void => {}
}) {}

/**
 * Threads that parse files, so that the mirrors' answers, the progress line and Ctrl-C need not wait for a long one. They are started when
 * files come, each with a loader of its own: it has to load TypeScript, as this program does.
 */
export class Parsers extends Executor.Service<Parsers>()(
  "link-check/Parsers",
  Effect.map(Options, ({ threads }) => {
    const tsx = Executor.module<typeof import("tsx/esm/api")>(import.meta.resolve("tsx/esm/api"))
    // Whoever does without them starts none. And one that is in the midst of a file when it is over has nothing to clean up.
    return { max: Math.max(1, threads), init: Executor.bind(tsx.register), grace: "100 millis", shared: true } as const
  })
) {
  static readonly Live = Layer.provide(Parsers.layer, NodeExecutor.threads({ execArgv: [] }))
}

/** How many requests are under way, whoever makes them; one that several mirrors are asked for is one. */
export class RequestSlots extends Semaphore.Service<RequestSlots>()(
  "link-check/RequestSlots",
  Effect.map(Options, ({ requests }) => ({ permits: requests }))
) {}

/** How often a mirror is asked: a rate for each of them. A layer says for whom: this process, or all that share the run. */
export class RequestRate extends DistributedRateLimiter.Service<RequestRate>()(
  "link-check/RequestRate",
  Effect.map(Options, ({ rate }) => ({ limit: rate, interval: "1 second" }))
) {}

/** How long a mirror has for an answer, from when the request is sent. */
export class RequestTime extends Timeout.Service<RequestTime>()(
  "link-check/RequestTime",
  Effect.map(Options, ({ timeout }) => ({ duration: timeout, name: "a request" }))
) {}

/** How long everything may take. */
export class RunTime extends Timeout.Service<RunTime>()(
  "link-check/RunTime",
  Effect.map(Options, ({ deadline }) => ({ duration: deadline * 1000, name: "the whole run" }))
) {}

/** No mirror has given an answer: they are asked again, not all requests at the same moment, and not before one of them wants it. */
export class RequestRetry extends Retry.Service<RequestRetry>()("link-check/RequestRetry", {
  attempts: 6,
  base: "20 millis",
  cap: "1 second",
  jitter: "full",
  while: ({ errors }: Wait.TooManyFailed) => errors.some((error) => isLate(error) || HttpLimits.isTransient(error)),
  retryAfter: ({ errors }: Wait.TooManyFailed) => {
    const seconds = errors.map(HttpLimits.retryAfter).filter((hint) => typeof hint === "number")
    return seconds.length === errors.length ? Math.min(...seconds) : undefined
  }
}) {}

const isLate = (error: unknown): boolean => error instanceof Timeout.DeadlineExceeded

/** Every Markdown file that was read, by path. The readers write it, and the server answers from it, so that no file is parsed twice. */
export class Pages extends Guarded.Service<Pages, HashMap.HashMap<string, Page>>()("link-check/Pages", {
  initial: HashMap.empty<string, Page>()
}) {}

/** What came out so far. Everybody adds to it, the progress line and the summary show it: also when it ends early. */
export class Progress extends Guarded.Service<Progress, Results>()(
  "link-check/Progress",
  Effect.map(Options, ({ mirrors }) => ({
    initial: { ...emptyResults, answers: Array.from({ length: mirrors }, () => 0) }
  }))
) {}

/** Set when the server answers and the progress line stands: everybody waits for it. */
export class Start extends Event.Service<Start>()("link-check/Start") {}

/**
 * Between the phases. No link can be checked before all files are read, since it may point into any of them. The three who meet: the
 * producer, the readers, the checkers.
 */
export class AllRead extends Barrier.Service<AllRead>()("link-check/AllRead", { parties: 3 }) {}

/** Where the report is written while the work goes on: one at a time, and while it is, another is refused rather than kept waiting. */
export class Drafts extends Background.Service<Drafts>()("link-check/Drafts", {
  concurrency: 1,
  backlog: 0,
  onClose: "drain",
  deadline: "2 seconds",
  onError: complain
}) {}

/** For what Ctrl-C must not cut: the program ends when that is done, or says that it took too long. */
export class LastWords extends Shield.Service<LastWords>()("link-check/LastWords", {
  deadline: "5 seconds",
  onError: complain
}) {}
