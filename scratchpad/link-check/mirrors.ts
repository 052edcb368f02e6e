/** Asks the mirrors, which all serve the same: the first one, and the next one as well when an answer takes its time or does not come. */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { Cache, Effect } from "effect"
import { Wait } from "effect-concurrency"
import { UserError } from "./options.js"
import { Anchors } from "./server.js"
import { Mirrors, Progress, RequestSlots } from "./services.js"

export interface Answer {
  readonly status: number
  readonly anchors: ReadonlyArray<string> | null
  /** Who gave it: an index of `Mirrors`. */
  readonly mirror: number
}

export type Ask = (what: "files" | "anchors", path: string) => Effect.Effect<Answer, UserError>

/** How long a mirror has for its answer before the next one is asked beside it. */
const patience = "100 millis"

/** What was asked before, or is being asked, is not asked again. */
export const askOnce = Effect.gen(function* () {
  const client = yield* HttpClient.HttpClient
  const mirrors = yield* Mirrors

  const askMirror = (mirror: number, url: string) =>
    Effect.gen(function* () {
      if (url.startsWith("/files")) {
        return { status: (yield* client.head(mirrors[mirror] + url)).status, anchors: null, mirror }
      }
      const response = yield* client.get(mirrors[mirror] + url)
      if (response.status !== 200) return { status: response.status, anchors: null, mirror }
      return { status: 200, ...(yield* HttpClientResponse.schemaBodyJson(Anchors)(response)), mirror }
    })

  const askMirrors = (url: string) =>
    Effect.gen(function* () {
      const { inUse } = yield* RequestSlots.stats
      yield* Progress.update((results) => ({
        ...results,
        requests: results.requests + 1,
        peakInFlight: Math.max(results.peakInFlight, inUse)
      }))
      const attempts = mirrors.map((_, mirror) => askMirror(mirror, url))
      const answer = yield* Wait.staggered(attempts, patience)
      yield* Progress.update((results) => ({
        ...results,
        answers: results.answers.map((count, mirror) => (mirror === answer.mirror ? count + 1 : count))
      }))
      return answer
    }).pipe(
      RequestSlots.withPermit,
      Effect.mapError(({ errors }) => new UserError(`no mirror answers: ${errors.map(String).join("; ")}`))
    )

  const cache = yield* Cache.make({ capacity: Infinity, timeToLive: Infinity, lookup: askMirrors })
  const ask: Ask = (what, path) => cache.get(`/${what}?path=${encodeURIComponent(path)}`)
  return ask
})
