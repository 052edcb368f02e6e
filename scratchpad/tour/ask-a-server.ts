/** How do I ask a server, and do not do it harm? No counterpart: urllib3's `Retry` knows the header */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { Effect } from "effect"
import { RateLimiter } from "effect-concurrency"
import * as HttpLimits from "effect-concurrency/HttpLimits"
import * as Promises from "effect-concurrency/promise"
import { show, title } from "./show.js"

title("How do I ask a server, and do not do it harm?", "no counterpart")

/** Busy at first: "come back in 0 seconds". */
const server = () => {
  let requests = 0
  return () =>
    ++requests < 3
      ? new Response("busy", { status: 503, headers: { "retry-after": "0" } })
      : new Response(`a user, at request ${requests}`)
}

const respond = server()
const withEffect = Effect.gen(function* () {
  const limiter = yield* RateLimiter.make({ limit: 100, interval: "1 second" })
  // Here: a client that asks nobody. From the inside out, so that each attempt asks for its turn.
  const client = HttpClient.make((request) => Effect.sync(() => HttpClientResponse.fromWeb(request, respond()))).pipe(
    HttpLimits.concurrency(4),
    HttpLimits.rateLimit(limiter),
    HttpLimits.retry({ attempts: 5, maxElapsed: "1 minute" })
  )
  const response = yield* client.get("https://example.org/user")
  return yield* response.text
})
show("effect", await Effect.runPromise(withEffect))

const { HttpLimits: Http, Policy, retryPolicy } = Promises
const respondPlain = server()
const policy = Policy.wrap(
  retryPolicy<any>({ whileResult: Http.isTransient, while: Http.isTransient, retryAfterResult: Http.retryAfter }),
  new Promises.RateLimiter({ limit: 100, interval: 1000 }),
  new Promises.Semaphore(4)
)
const response = await policy.run(async () => respondPlain()) // with fetch: ({ signal }) => fetch(url, { signal })
show("promise", await response.text())
