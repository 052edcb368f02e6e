/**
 * A small HTTP server on loopback which knows the folder:
 *
 *   GET or HEAD /files?path=docs/a.md   the file; of a folder, the names in it
 *   GET /anchors?path=docs/a.md         { "anchors": [...] }, or null for a kind of file that has none (such as an image)
 *
 * 404 says that there is no such thing, 403 that the path leads outside the folder. The path is a parameter because a URL would not keep
 * it: every client turns `/files/../../etc/passwd` into `/etc/passwd` before it asks.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Context, Effect, HashMap, Layer, Option, Schema } from "effect"
import { readdir, readFile, realpath, stat } from "node:fs/promises"
import { createServer } from "node:http"
import { isAbsolute, join, relative, resolve, sep } from "node:path"
import { parseHtml, parseMarkdown } from "./markdown.js"
import { Options } from "./options.js"
import { Pages } from "./services.js"
import { isMarkdown } from "./walk.js"

/** What the client needs to know of the server. */
export class ServerUrl extends Context.Tag("link-check/ServerUrl")<ServerUrl, string>() {}

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

const url = Layer.effect(
  ServerUrl,
  HttpServer.addressWith((address) =>
    address._tag === "TcpAddress"
      ? Effect.succeed(`http://127.0.0.1:${address.port}`)
      : Effect.dieMessage("the server listens on a port")
  )
)

/** Listens on a free port as long as the layer lives, and knows its URL. */
export const ServerLive = Layer.merge(url, HttpServer.serve(router)).pipe(
  Layer.provide(
    Layer.unwrapEffect(
      Effect.sync(() => {
        const server = createServer()
        // The server closes when its last connection does. An interrupted run does not wait for what is still under way.
        const cut = Layer.scopedDiscard(Effect.addFinalizer(() => Effect.sync(() => server.closeAllConnections())))
        return Layer.provideMerge(
          cut,
          NodeHttpServer.layer(() => server, { host: "127.0.0.1", port: 0 })
        )
      })
    )
  )
)
