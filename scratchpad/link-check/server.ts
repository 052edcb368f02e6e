/**
 * Small HTTP servers on loopback which know the folder, and all serve the same:
 *
 *   GET or HEAD /files?path=docs/a.md   the file; of a folder, the names in it
 *   GET /anchors?path=docs/a.md         { "anchors": [...] }, or null for a kind of file that has none (such as an image)
 *
 * 404 says that there is no such thing, 403 that the path leads outside the folder. The path is a parameter because a URL would not keep
 * it: every client turns `/files/../../etc/passwd` into `/etc/passwd` before it asks.
 *
 * With `--faults` they fail now and then.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Effect, HashMap, Layer, Option, Random, Schema } from "effect"
import { readdir, readFile, realpath, stat } from "node:fs/promises"
import { createServer } from "node:http"
import { isAbsolute, join, relative, resolve, sep } from "node:path"
import { parseHtml, parseMarkdown } from "./markdown.js"
import { Options } from "./options.js"
import { Arrivals, Mirrors, Pages } from "./services.js"
import { isMarkdown } from "./walk.js"

export const Anchors = Schema.Struct({ anchors: Schema.NullOr(Schema.Array(Schema.String)) })

class Refused {
  readonly _tag = "Refused"
  constructor(readonly status: 403 | 404) {}
}

/** Where a path of a request is on the disk, if it is in the folder, its symbolic links followed. */
const locate = Effect.gen(function* () {
  const { root } = yield* Options
  const { path } = yield* HttpServerRequest.schemaSearchParams(Schema.Struct({ path: Schema.String }))
  const wanted = resolve(root, `./${path}`)
  if (!isInside(root, wanted)) return yield* Effect.fail(new Refused(403))
  const file = yield* fromDisk(() => realpath(wanted))
  if (!isInside(root, file)) return yield* Effect.fail(new Refused(403))
  return {
    file,
    path: relative(root, file).split(sep).join("/"),
    isFolder: (yield* fromDisk(() => stat(file))).isDirectory()
  }
})

const isInside = (root: string, file: string): boolean => {
  const path = relative(root, file)
  return path.split(sep)[0] !== ".." && !isAbsolute(path)
}

/** Whatever goes wrong on the way to a file (it is missing, its name is too long, we may not read it), there is none for us. */
const fromDisk = <A>(read: () => Promise<A>): Effect.Effect<A, Refused> =>
  Effect.tryPromise({ try: read, catch: () => new Refused(404) })

const files = Effect.gen(function* () {
  const { file, isFolder } = yield* locate
  if (!isFolder) return yield* HttpServerResponse.file(file)
  return HttpServerResponse.text((yield* fromDisk(() => readdir(file))).join("\n"))
})

const anchors = Effect.gen(function* () {
  const { file, isFolder, path } = yield* locate
  // GitHub shows the README of a folder below its files, so that its headings are the anchors of the folder.
  const names = isFolder ? yield* fromDisk(() => readdir(file)) : []
  const readme = names.find((name) => /^readme\.(md|markdown)$/i.test(name))
  if (isFolder && readme === undefined) return HttpServerResponse.unsafeJson({ anchors: [] })
  return HttpServerResponse.unsafeJson({
    anchors: yield* readme === undefined ? anchorsOf(file, path) : anchorsOf(join(file, readme), join(path, readme))
  })
})

/** The readers have read nearly everything that is asked for. The rest is HTML, and Markdown behind a symbolic link or in `.git`. */
const anchorsOf = (file: string, path: string) =>
  Effect.gen(function* () {
    const known = HashMap.get(yield* Pages.get, path)
    if (Option.isSome(known)) return known.value.anchors
    if (isMarkdown(file)) return parseMarkdown(yield* fromDisk(() => readFile(file, "utf8"))).anchors
    if (/\.html?$/i.test(file)) return parseHtml(yield* fromDisk(() => readFile(file, "utf8"))).anchors
    return null
  })

const router = HttpRouter.empty.pipe(
  HttpRouter.get("/files", files),
  HttpRouter.get("/anchors", anchors),
  HttpRouter.catchTags({
    Refused: ({ status }) => Effect.succeed(HttpServerResponse.empty({ status })),
    ParseError: () => Effect.succeed(HttpServerResponse.empty({ status: 400 }))
  })
)

/**
 * Four in ten requests are in for trouble: an answer that takes its time, and perhaps more than anybody waits; none at all; a 503; a connection that
 * breaks. Which ones, the seed says, and not the order in which they come. Whoever asks for the same thing three times in vain has an answer the
 * fourth time.
 */
const faulty = (seed: number, mirror: number, timeout: number) => {
  const asked = new Map<string, number>()
  return Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const times = asked.get(request.url) ?? 0
    asked.set(request.url, times + 1)
    const dice = Random.make(`${seed} ${mirror} ${times} ${request.url}`)
    const fault = times < 3 ? yield* dice.nextIntBetween(0, 10) : undefined
    // As often in time as not.
    if (fault === 0) yield* Effect.interruptible(Effect.sleep(yield* dice.nextIntBetween(0, 2 * timeout)))
    if (fault === 1) return yield* Effect.interruptible(Effect.never)
    if (fault === 2)
      return HttpServerResponse.empty({ status: 503, headers: { "retry-after": times === 0 ? "0" : "1" } })
    if (fault === 3) NodeHttpServerRequest.toIncomingMessage(request).socket.destroy()
    return yield* router
  })
}

/** Listens on a free port until its scope closes. Each answer takes some milliseconds more, for those who want to see a slow one. */
const mirror = (slow: number, index: number) =>
  Effect.gen(function* () {
    const { faults, timeout } = yield* Options
    const arrived = yield* Arrivals
    const app = faults === undefined ? router : faulty(faults, index, timeout)
    // Around the router nothing can be interrupted, and a client that has gone would be waited for.
    const answer = slow === 0 ? app : Effect.zipRight(Effect.interruptible(Effect.sleep(slow)), app)
    const node = createServer()
    const server = yield* NodeHttpServer.make(() => node, { host: "127.0.0.1", port: 0 })
    // It closes when its last connection does. An interrupted run does not wait for what is still under way.
    yield* Effect.addFinalizer(() => Effect.sync(() => node.closeAllConnections()))
    yield* server.serve(Effect.suspend(() => (arrived(index), answer)))
    if (server.address._tag !== "TcpAddress") return yield* Effect.dieMessage("a mirror listens on a port")
    return `http://127.0.0.1:${server.address.port}`
  })

/** The mirrors, of which the first may be slow. */
export const MirrorsLive = Layer.scoped(
  Mirrors,
  Effect.gen(function* () {
    const { mirrors, slow } = yield* Options
    return yield* Effect.forEach(Array.from({ length: mirrors }).keys(), (index) =>
      mirror(index === 0 ? slow : 0, index)
    )
  })
).pipe(Layer.provide(NodeHttpServer.layerContext))
