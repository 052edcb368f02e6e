/**
 * The work, in two phases with a barrier between them.
 *
 *   1. The producer walks the folder and offers files; the readers parse them: links and anchors go into the index.
 *   2. The producer offers the links of the index; the checkers ask a mirror whether their targets are there.
 */
import { Effect, HashMap, Stream } from "effect"
import { Streaming } from "effect-concurrency"
import * as Executor from "effect-concurrency/Executor"
import { readFile } from "node:fs/promises"
import { posix } from "node:path"
import { hasAnchor, isExternal, type Link, parseMarkdown } from "./markdown.js"
import { type Ask, askOnce } from "./mirrors.js"
import { Options } from "./options.js"
import { brokenLine } from "./report.js"
import { AllRead, Files, type LocalLink, LocalLinks, Pages, Parsers, Start } from "./services.js"
import { note, print } from "./terminal.js"
import { markdownFiles, type Unreadable } from "./walk.js"

/** Runs both phases. It waits for `Start`. */
export const check = Effect.gen(function* () {
  const ask = yield* askOnce
  yield* Effect.all([producer, readers, checkers(ask)], { concurrency: "unbounded", discard: true })
  yield* note((results) => ({ ...results, phase: "done" }))
})

const producer = Effect.gen(function* () {
  const { root } = yield* Options
  yield* Start.wait

  yield* note((results) => ({ ...results, phase: "reading" }))
  const unreadable: Array<Unreadable> = []
  yield* Stream.runForEach(
    markdownFiles(root, (problem) => unreadable.push(problem)),
    (file) => Effect.zipRight(Files.offer(file), Effect.flatMap(Files.size, notePeakQueue))
  )
  yield* Files.end
  yield* note((results) => ({ ...results, unreadable: [...results.unreadable, ...unreadable] }))

  yield* AllRead.await

  yield* note((results) => ({ ...results, phase: "checking" }))
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

/** The checks are a stream of results, in the order in which they are there: a slow one holds up nobody. */
const checkers = (ask: Ask) =>
  Effect.gen(function* () {
    const { concurrency } = yield* Options
    yield* AllRead.await
    yield* LocalLinks.stream.pipe(
      Streaming.map((link) => checkLink(ask, link), { concurrency, ordered: false }),
      Stream.runForEach(noteChecked)
    )
  })

/** Reads a file: what it links to, and what in it can be linked to. */
export const readPage = (root: string, file: string) =>
  Effect.gen(function* () {
    const text = yield* Effect.tryPromise({
      try: () => readFile(posix.join(root, file), "utf8"),
      catch: (error) => error as Error
    })
    const page = yield* parse(text)
    yield* Pages.update(HashMap.set(file, page))
    return page
  })

const read = (root: string, file: string) =>
  Effect.gen(function* () {
    const page = yield* readPage(root, file)
    const external = page.links.filter(isExternal).length
    yield* note((results) => ({
      ...results,
      files: results.files + 1,
      links: results.links + page.links.length,
      external: results.external + external,
      local: results.local + page.links.length - external
    }))
  }).pipe(
    // One file that cannot be read is a line in the report, not the end of the run.
    Effect.catchAll(({ message }) =>
      note((results) => ({ ...results, unreadable: [...results.unreadable, { file, reason: message }] }))
    )
  )

const markdown = Executor.module<typeof import("./markdown.js")>(new URL("./markdown.ts", import.meta.url))

const parse = (text: string) =>
  Effect.flatMap(Options, ({ threads }) =>
    threads === 0 ? Effect.sync(() => parseMarkdown(text)) : Parsers.run(markdown.parseMarkdown, text)
  )

/** Where a link leads. `/a.md` starts at the repository, as on GitHub; anything else at the folder that the file stands in. */
export const toLocalLink = (root: string, file: string, { href, line }: Link): LocalLink => {
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

interface Checked extends LocalLink {
  /** Why it is broken, if it is. */
  readonly reason: string | undefined
}

export const checkLink = (ask: Ask, link: LocalLink) =>
  Effect.map(link.href === "" ? Effect.succeed("is empty") : problemOf(ask, link), (reason): Checked => ({
    ...link,
    reason
  }))

const noteChecked = ({ file, href, line, reason }: Checked) =>
  Effect.gen(function* () {
    yield* note((results) => ({
      ...results,
      checked: results.checked + 1,
      broken: reason === undefined ? results.broken : [...results.broken, { file, line, href, reason }]
    }))
    const { follow } = yield* Options
    if (follow && reason !== undefined) yield* print(brokenLine({ file, line, href, reason }))
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

const notePeakQueue = (size: number) =>
  note((results) => (size > results.peakQueue ? { ...results, peakQueue: size } : results))
