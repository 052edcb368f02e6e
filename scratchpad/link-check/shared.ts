/**
 * One run that several processes share, with `--redis`: on one machine or on many that have the same folder.
 *
 * Each of them offers all files to one queue, and each file is taken in once, for its id is its path. So it does not matter who comes first, and
 * none of them leads. Whoever takes a file reads it, checks its links, and puts what he found where all of them see it; then the file is
 * done. When the queue has nothing left, each tells the whole. The file of a process that was killed comes back to the queue and is done by
 * another; if there is no other, whoever starts the same run next goes on with it.
 *
 * A file may be done twice: by one who was thought dead, and by another. What is found is stored by file, and so that changes nothing.
 *
 * Whatever a run keeps on the server expires a day after somebody last did something for it. So a run that nobody goes on with is forgotten.
 */
import { Context, Deferred, Effect, HashMap, Layer, Logger, Option, Schema, Stream } from "effect"
import { Wait } from "effect-concurrency"
import { DistributedQueue } from "effect-concurrency/distributed"
import { layer as connection, layerStores, Redis, type StoreError } from "effect-concurrency/redis"
import { createHash, randomUUID } from "node:crypto"
import { checkLink, readPage, toLocalLink } from "./check.js"
import { isExternal } from "./markdown.js"
import { type Ask, askOnce } from "./mirrors.js"
import { Options, storeFailed } from "./options.js"
import { brokenLine, type Results } from "./report.js"
import { Pages, Start } from "./services.js"
import { note, print } from "./terminal.js"
import { markdownFiles, type Unreadable } from "./walk.js"

/** What was found in a file. */
const Finding = Schema.Struct({
  page: Schema.Struct({
    links: Schema.Array(Schema.Struct({ href: Schema.String, line: Schema.Number })),
    anchors: Schema.Array(Schema.String)
  }),
  broken: Schema.Array(
    Schema.Struct({ file: Schema.String, line: Schema.Number, href: Schema.String, reason: Schema.String })
  ),
  /** Why it could not be read, or its links not be checked. */
  unreadable: Schema.optional(Schema.String)
})
type Finding = typeof Finding.Type

const failed = (reason: string): Finding => ({ page: { links: [], anchors: [] }, broken: [], unreadable: reason })

const FindingText = Schema.parseJson(Finding)

/** How long all that belongs to a run is kept after the last that was done for it, in seconds. */
const keep = 86_400

/** What is not there any more, or not yet, is passed over. */
const expireLater = `for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, ARGV[1]) end`

/** The run that goes on under a name, or a new one. Whoever comes goes on with one that nobody has ended. */
const begin = `redis.call('SET', KEYS[1], ARGV[2], 'NX')
${expireLater}
return redis.call('GET', KEYS[1])`

const put = `redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
${expireLater}`

/** The next who comes begins a new run. Any of those who see the end may say so. */
const end = `if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end`

/** Where the store keeps what is in a queue. (What it remembers of what is done expires by itself.) */
const queueKeys = (name: string): ReadonlyArray<string> =>
  ["ready", "items", "meta", "leased", "names", "delayed", "dead", "reasons"].map(
    (part) => `link-check:{${name}}:queue:${part}`
  )

const noStore = (error: StoreError) => Effect.flatMap(Options, ({ redis }) => Effect.fail(storeFailed(redis, error)))

/** The run in which this process takes part. */
class Run extends Context.Tag("link-check/Run")<
  Run,
  {
    /** What its queue is called. */
    readonly queue: string
    readonly put: (file: string, finding: Finding) => Effect.Effect<void, StoreError>
    readonly all: Effect.Effect<ReadonlyArray<readonly [file: string, finding: Finding]>, StoreError>
    /** It is not over: all that there is of it by now is kept for another day. */
    readonly prolong: Effect.Effect<void, StoreError>
    readonly end: Effect.Effect<void, StoreError>
  }
>() {
  static readonly layer = Layer.effect(
    Run,
    Effect.gen(function* () {
      const redis = yield* Redis
      const { run } = yield* Options
      const current = `link-check:{${run}}:run`
      const begun = redis.eval(begin, { keys: [current], args: [keep, randomUUID()] })
      const id = String(yield* Effect.catchTag(begun, "StoreError", noStore))
      const findings = `link-check:{${run}}:found:${id}`
      const keys = [current, findings]
      const queue = `files of ${id}`
      return {
        queue,
        put: (file, finding) => redis.eval(put, { keys, args: [keep, file, Schema.encodeSync(FindingText)(finding)] }),
        prolong: Effect.forEach([keys, queueKeys(queue)], (keys) => redis.eval(expireLater, { keys, args: [keep] }), {
          concurrency: 2,
          discard: true
        }),
        all: Effect.map(redis.send("HGETALL", findings), (reply) => {
          const flat = reply as ReadonlyArray<string>
          return Array.from(
            { length: flat.length / 2 },
            (_, i) => [flat[2 * i]!, Schema.decodeSync(FindingText)(flat[2 * i + 1]!)] as const
          )
        }),
        end: Effect.asVoid(redis.eval(end, { keys: [current], args: [id] }))
      }
    })
  )
}

/** The files that nobody has done yet. The lease is how long the others wait for the files of one who was killed. */
class SharedFiles extends DistributedQueue.Service<SharedFiles>()(
  "link-check/SharedFiles",
  Effect.map(Run, ({ queue }) => ({ name: queue, schema: Schema.String, lease: "3 seconds" }))
) {}

/** What the program needs from the server, in the place of the stores in memory. */
export const Shared = SharedFiles.layer.pipe(
  Layer.provideMerge(Run.layer),
  Layer.provideMerge(layerStores),
  Layer.provide(connection(Effect.map(Options, ({ redis }) => ({ url: redis, prefix: "link-check", timeout: 5000 })))),
  // What the library reports while the server is away is a line, as everything else here, and no stack trace. (It is the logger of `runMain`.)
  Layer.provideMerge(
    Logger.replace(
      Logger.prettyLoggerDefault,
      Logger.make(({ message }) => console.error(`link-check: ${[message].flat().join(" ")}`))
    )
  )
)

/** Does its share of the work, waits until all of it is done, and knows the whole then. It waits for `Start`. */
export const checkShared = Effect.gen(function* () {
  const { concurrency } = yield* Options
  const { prolong } = yield* Run
  const ask = yield* askOnce
  // Who cannot ask has to stop, and leave the work to those who can.
  const broken = yield* Deferred.make<never, Effect.Effect.Error<ReturnType<typeof checkFile>>>()
  yield* Start.wait
  yield* note((results) => ({ ...results, phase: "sharing", here: { begun: 0, done: 0 } }))
  yield* Wait.firstCompleted([
    Effect.zipRight(offerAll, SharedFiles.join),
    SharedFiles.consume((file) => Effect.tapError(checkFile(ask, file), (error) => Deferred.fail(broken, error)), {
      concurrency
    }),
    Deferred.await(broken)
    // What is given back in the end is there for a day as well.
  ]).pipe(Effect.ensuring(Effect.ignore(prolong)))
  yield* tellWhole
}).pipe(Effect.catchTag("StoreError", noStore))

const offerAll = Effect.gen(function* () {
  const { concurrency, root } = yield* Options
  const unreadable: Array<Unreadable> = []
  yield* markdownFiles(root, (problem) => unreadable.push(problem)).pipe(
    Stream.mapEffect((file) => SharedFiles.offer(file, { id: idOf(file) }), { concurrency }),
    Stream.runDrain
  )
  yield* note((results) => ({ ...results, unreadable: [...results.unreadable, ...unreadable] }))
})

/** The path, unless it is too long for an id. */
const idOf = (file: string): string => (file.length <= 512 ? file : createHash("sha256").update(file).digest("hex"))

/** Reads a file, and checks its links. It is counted when the others can see what was found. */
const checkFile = (ask: Ask, file: string) =>
  Effect.gen(function* () {
    const { concurrency, follow, root } = yield* Options
    const { prolong, put } = yield* Run
    yield* prolong
    yield* note(here({ begun: 1, done: 0 }))
    const read = yield* Effect.either(readPage(root, file))
    const finding =
      read._tag === "Left"
        ? failed(read.left.message)
        : yield* Effect.forEach(
            read.right.links.filter((link) => !isExternal(link)),
            (link) => checkLink(ask, toLocalLink(root, file, link)),
            { concurrency }
          ).pipe(
            Effect.map((checked): Finding => ({
              page: read.right,
              broken: checked.flatMap(({ href, line, reason }) =>
                reason === undefined ? [] : [{ file, line, href, reason }]
              )
            }))
          )
    yield* put(file, finding)
    yield* note((results) => add(here({ begun: 0, done: 1 })(results), file, finding))
    if (follow) yield* Effect.forEach(finding.broken, (link) => print(brokenLine(link)), { discard: true })
  })

const here =
  ({ begun, done }: NonNullable<Results["here"]>) =>
  (results: Results): Results => ({
    ...results,
    here: { begun: (results.here?.begun ?? 0) + begun, done: (results.here?.done ?? 0) + done }
  })

const add = (results: Results, file: string, { broken, page, unreadable }: Finding): Results => {
  const external = page.links.filter(isExternal).length
  const local = page.links.length - external
  return {
    ...results,
    files: unreadable === undefined ? results.files + 1 : results.files,
    links: results.links + page.links.length,
    external: results.external + external,
    local: results.local + local,
    checked: results.checked + local,
    broken: [...results.broken, ...broken],
    unreadable: unreadable === undefined ? results.unreadable : [...results.unreadable, { file, reason: unreadable }]
  }
}

/** What all have found takes the place of what was found here. What was tried too often without success is told as well. */
const tellWhole = Effect.gen(function* () {
  const { all, end, put } = yield* Run
  const { list, purge } = (yield* SharedFiles).deadLetters
  const letters = yield* list({ limit: 10_000 })
  yield* Effect.forEach(letters, ({ id, item, reason }) =>
    put(
      Option.getOrElse(item, () => id),
      failed(`was given up: ${reason}`)
    )
  )
  if (letters.length > 0) yield* purge(letters.map(({ id }) => id))

  const found = [...(yield* all)].sort(([a], [b]) => (a < b ? -1 : 1))
  const files = new Set(found.map(([file]) => file))
  yield* Pages.update(() => HashMap.fromIterable(found.map(([file, { page }]) => [file, page] as const)))
  yield* note((results) => {
    const none = { files: 0, links: 0, external: 0, local: 0, checked: 0, broken: [] }
    const unreadable = results.unreadable.filter(({ file }) => !files.has(file))
    return found.reduce<Results>((sum, [file, finding]) => add(sum, file, finding), {
      ...results,
      ...none,
      phase: "done",
      unreadable
    })
  })
  yield* end
})
