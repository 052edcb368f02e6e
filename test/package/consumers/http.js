import assert from "node:assert/strict"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { Effect } from "effect"
import { RateLimiter } from "effect-concurrency"
import * as HttpLimits from "effect-concurrency/HttpLimits"

let requests = 0
const respond = () => new Response(null, ++requests < 3 ? { status: 503, headers: { "retry-after": "0" } } : {})

const program = Effect.gen(function* () {
  const limiter = yield* RateLimiter.make({ limit: 10, interval: "1 second" })
  const client = HttpClient.make((request) => Effect.sync(() => HttpClientResponse.fromWeb(request, respond()))).pipe(
    HttpLimits.concurrency(2),
    HttpLimits.rateLimit(limiter),
    HttpLimits.retry({ attempts: 5 })
  )
  assert.equal((yield* client.get("http://example.org/")).status, 200)
  assert.equal(requests, 3)
})

await Effect.runPromise(program)
console.log("ok")
