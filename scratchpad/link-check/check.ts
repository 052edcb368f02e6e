/**
 * The work, in two phases with a barrier between them.
 *
 *   1. The producer walks the folder and offers files; the readers parse them: links and anchors go into the index.
 *   2. The producer offers the links of the index; the checkers ask the server whether their targets are there.
 */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { Cache, Effect, HashMap, Stream } from "effect"
import { readFile } from "node:fs/promises"
import { posix } from "node:path"
import { hasAnchor, isExternal, type Link, parseMarkdown } from "./markdown.js"
import { Options } from "./options.js"
import { Anchors, ServerUrl } from "./server.js"
import { AllRead, Files, type LocalLink, LocalLinks, Pages, Progress, RequestSlots, Start } from "./services.js"
import { markdownFiles, type Unreadable } from "./walk.js"

/** Runs both phases. It waits for `Start`. */
export const check = Effect.gen(function* () {
  const ask = yield* askOnce
  yield* Effect.all([producer, readers, checkers(ask)], { concurrency: "unbounded", discard: true })
  yield* Progress.update((results) => ({ ...results, phase: "done" }))
})

const producer = Effect.gen(function* () {
  const { root } = yield* Options
  yield* Start.wait

  yield* Progress.update((results) => ({ ...results, phase: "reading" }))
  const unreadable: Array<Unreadable> = []
  yield* Stream.runForEach(
    markdownFiles(root, (problem) => unreadable.push(problem)),
    (file) => Effect.zipRight(Files.offer(file), Effect.flatMap(Files.size, notePeakQueue))
  )
  yield* Files.end
  yield* Progress.update((results) => ({ ...results, unreadable: [...results.unreadable, ...unreadable] }))

  yield* AllRead.await

  yield* Progress.update((results) => ({ ...results, phase: "checking" }))
  for (const [file, { links }] of yield* Pages.get) {
    for (const link of links) {
      if (isExternal(link)) continue
      yield* LocalLinks.offer(toLocalLink(root, file, link))
      yield* Effect.flatMap(LocalLinks.size, notePeakQueue)
    }
  }
  yield* LocalLinks.end
})

const readers = Effect.gen(function* () {
  const { concurrency, root } = yield* Options
  yield* Start.wait
  yield* Files.consume((file) => read(root, file), { concurrency })
  yield* AllRead.await
})

const checkers = (ask: Ask) =>
  Effect.gen(function* () {
    const { concurrency } = yield* Options
    yield* AllRead.await
    yield* LocalLinks.consume((link) => checkLink(ask, link), { concurrency })
  })

/** Reads a file once: what it links to, and what in it can be linked to. */
const read = (root: string, file: string) =>
  Effect.gen(function* () {
    const text = yield* Effect.tryPromise({
      try: () => readFile(posix.join(root, file), "utf8"),
      catch: (error) => error as Error
    })
    const page = parseMarkdown(text)
    const external = page.links.filter(isExternal).length
    yield* Pages.update(HashMap.set(file, page))
    yield* Progress.update((results) => ({
      ...results,
      files: results.files + 1,
      links: results.links + page.links.length,
      external: results.external + external,
      local: results.local + page.links.length - external
    }))
  }).pipe(
    // One file that cannot be read is a line in the report, not the end of the run.
    Effect.catchAll(({ message }) =>
      Progress.update((results) => ({ ...results, unreadable: [...results.unreadable, { file, reason: message }] }))
    )
  )

/** Where a link leads. `/a.md` starts at the repository, as on GitHub; anything else at the folder that the file stands in. */
const toLocalLink = (root: string, file: string, { href, line }: Link): LocalLink => {
  const [, path = "", anchor] = /^([^?#]*)(?:\?[^#]*)?(?:#(.*))?$/s.exec(href) ?? []
  const decoded = decode(path)
  const from = decoded.startsWith("/") ? repositoryOf(root, file) : posix.dirname(file)
  const target = decoded === "" ? file : posix.join(from, decoded)
  return { file, line, href, target, anchor: anchor === undefined ? undefined : decode(anchor) }
}

/** The folder that is checked; but in `node_modules` each package comes from a repository of its own. */
const repositoryOf = (root: string, file: string): string => {
  const above = `${posix.basename(root)}/`
  const [repository] = /^.*\bnode_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(above + file) ?? []
  return repository === undefined ? "." : repository.slice(above.length)
}

/** A lone `%` is no escape; it stands for itself. */
const decode = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

const checkLink = (ask: Ask, link: LocalLink) =>
  Effect.gen(function* () {
    const reason = link.href === "" ? "is empty" : yield* problemOf(ask, link)
    yield* Progress.update((results) => ({
      ...results,
      checked: results.checked + 1,
      broken:
        reason === undefined
          ? results.broken
          : [...results.broken, { file: link.file, line: link.line, href: link.href, reason }]
    }))
  })

const problemOf = (ask: Ask, { anchor, target }: LocalLink) =>
  Effect.gen(function* () {
    const answer = yield* ask(anchor === undefined ? "files" : "anchors", target)
    if (answer.status === 403) return "is outside the folder"
    if (answer.status === 404) return "does not exist"
    if (answer.status !== 200) return `the server answered ${answer.status}`
    if (anchor !== undefined && answer.anchors && !hasAnchor(answer.anchors, anchor)) return `has no anchor "${anchor}"`
    return undefined
  })

interface Answer {
  readonly status: number
  readonly anchors: ReadonlyArray<string> | null
}

type Ask = (what: "files" | "anchors", path: string) => Effect.Effect<Answer>

/** Asks the server; what was asked before, or is being asked, is not asked again. */
const askOnce = Effect.gen(function* () {
  const client = yield* HttpClient.HttpClient
  const base = yield* ServerUrl

  const request = (url: string) =>
    Effect.gen(function* () {
      const { inUse } = yield* RequestSlots.stats
      yield* Progress.update((results) => ({
        ...results,
        requests: results.requests + 1,
        peakInFlight: Math.max(results.peakInFlight, inUse)
      }))
      if (url.startsWith("/files")) return { status: (yield* client.head(base + url)).status, anchors: null }
      const response = yield* client.get(base + url)
      if (response.status !== 200) return { status: response.status, anchors: null }
      return { status: 200, ...(yield* HttpClientResponse.schemaBodyJson(Anchors)(response)) }
    }).pipe(RequestSlots.withPermit, Effect.orDie)

  const cache = yield* Cache.make({ capacity: Infinity, timeToLive: Infinity, lookup: request })
  const ask: Ask = (what, path) => cache.get(`/${what}?path=${encodeURIComponent(path)}`)
  return ask
})

const notePeakQueue = (size: number) =>
  Progress.update((results) => (size > results.peakQueue ? { ...results, peakQueue: size } : results))
