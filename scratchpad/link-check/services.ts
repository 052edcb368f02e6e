/** What the parts of the program share. Each is a service with a layer, so that no part is handed another's queue or lock. */
import { Barrier, Event, Guarded, Semaphore, WorkQueue } from "effect-concurrency"
import { Effect, HashMap } from "effect"
import type { Page } from "./markdown.js"
import { Options } from "./options.js"
import { emptyResults, type Results } from "./report.js"

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

/** How many HTTP requests are under way, whoever makes them. */
export class RequestSlots extends Semaphore.Service<RequestSlots>()(
  "link-check/RequestSlots",
  Effect.map(Options, ({ requests }) => ({ permits: requests }))
) {}

/** Every Markdown file that was read, by path. The readers write it, and the server answers from it, so that no file is parsed twice. */
export class Pages extends Guarded.Service<Pages, HashMap.HashMap<string, Page>>()("link-check/Pages", {
  initial: HashMap.empty<string, Page>()
}) {}

/** What came out so far. Everybody adds to it, the progress line and the summary show it: also when it ends early. */
export class Progress extends Guarded.Service<Progress, Results>()("link-check/Progress", { initial: emptyResults }) {}

/** Set when the server answers and the progress line stands: everybody waits for it. */
export class Start extends Event.Service<Start>()("link-check/Start") {}

/**
 * Between the phases. No link can be checked before all files are read, since it may point into any of them. The three who meet: the
 * producer, the readers, the checkers.
 */
export class AllRead extends Barrier.Service<AllRead>()("link-check/AllRead", { parties: 3 }) {}
