/**
 * Asks the mirrors, which all serve the same: the first one, and the next one as well when an answer takes its time or does not come. When none
 * of them has answered, they are asked again, after a pause.
 */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { Cache, Effect } from "effect"
import { Wait } from "effect-concurrency"
import * as HttpLimits from "effect-concurrency/HttpLimits"
import { StoreError } from "effect-concurrency/redis"
import { Options, storeFailed, UserError } from "./options.js"
import { Anchors } from "./server.js"
import { Mirrors, RequestRate, RequestRetry, RequestSlots, RequestTime } from "./services.js"
import { note } from "./terminal.js"

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
  const mirrors = yield* Mirrors
  const { redis, run } = yield* Options
  // Whoever shares the run has the same mirrors, under other addresses.
  const key = ({ url }: { readonly url: string }) =>
    `${run}, mirror ${mirrors.findIndex((mirror) => url.startsWith(`${mirror}/`)) + 1}`
  const { timeout } = yield* RequestTime
  // From the inside out: the time of a request begins when its turn has come.
  const client = (yield* HttpClient.HttpClient).pipe(
    HttpClient.filterStatus((status) => !HttpLimits.isTransient({ status })),
    HttpClient.transformResponse(timeout),
    HttpLimits.rateLimit(yield* RequestRate, { key })
  )

  const askMirror = (mirror: number, url: string) =>
    Effect.gen(function* () {
      if (url.startsWith("/files")) {
        return { status: (yield* client.head(mirrors[mirror] + url)).status, anchors: null, mirror }
      }
      const response = yield* client.get(mirrors[mirror] + url)
      if (response.status !== 200) return { status: response.status, anchors: null, mirror }
      const body = HttpClientResponse.schemaBodyJson(Anchors)(response)
      return { status: 200, ...(yield* timeout(body)), mirror }
    })

  const attempt = (url: string) =>
    Effect.gen(function* () {
      const { inUse } = yield* RequestSlots.stats
      yield* note((results) => ({ ...results, peakInFlight: Math.max(results.peakInFlight, inUse) }))
      return yield* Wait.staggered(
        mirrors.map((_, mirror) => askMirror(mirror, url)),
        patience
      )
    }).pipe(RequestSlots.withPermit)

  const askMirrors = (url: string) =>
    Effect.gen(function* () {
      yield* note((results) => ({ ...results, requests: results.requests + 1 }))
      let attempts = 0
      const answer = yield* Effect.suspend(() => (attempts++, attempt(url))).pipe(RequestRetry.retry)
      yield* note((results) => ({
        ...results,
        retries: results.retries + attempts - 1,
        answers: results.answers.map((count, mirror) => (mirror === answer.mirror ? count + 1 : count))
      }))
      return answer
    }).pipe(
      Effect.mapError(({ errors }) => {
        const failure = errors.find((error) => error instanceof StoreError)
        if (failure !== undefined) return storeFailed(redis, failure)
        return new UserError(`no mirror answers: ${errors.map(String).join("; ")}`)
      })
    )

  const cache = yield* Cache.make({ capacity: Infinity, timeToLive: Infinity, lookup: askMirrors })
  const ask: Ask = (what, path) => cache.get(`/${what}?path=${encodeURIComponent(path)}`)
  return ask
})
