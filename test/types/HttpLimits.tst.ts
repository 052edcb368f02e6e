import type { HttpClient, HttpClientError, HttpClientResponse } from "@effect/platform"
import { Bulkhead, RateLimiter, Retry, Semaphore, type Timeout } from "effect-concurrency"
import * as HttpLimits from "effect-concurrency/HttpLimits"
import { describe, expect, it } from "tstyche"

type Client<E = never, R = never> = HttpClient.HttpClient.With<HttpClientError.HttpClientError | E, R>

declare const client: HttpClient.HttpClient
declare const limiter: RateLimiter.RateLimiter
declare const bounded: RateLimiter.RateLimiter<RateLimiter.RateLimited>
declare const stored: RateLimiter.Limits<never, RateLimiter.StoreError>
declare const semaphore: Semaphore.Semaphore
declare const bulkhead: Bulkhead.Bulkhead

class ApiLimit extends RateLimiter.Service<ApiLimit>()("app/L", { limit: 1, interval: 1, backlog: 0 }) {}
class Slots extends Semaphore.Service<Slots>()("app/Slots", { permits: 1 }) {}
class Places extends Bulkhead.Service<Places>()("app/Places", { permits: 1, backlog: 1 }) {}

describe("HttpLimits", () => {
  it("retry keeps the client's errors, and adds those of the policy", () => {
    expect(client.pipe(HttpLimits.retry())).type.toBe<Client>()
    expect(client.pipe(HttpLimits.retry({ attempts: 2 }))).type.toBe<Client>()
    expect(client.pipe(HttpLimits.retry(Retry.policy({ attempts: 2 })))).type.toBe<Client>()
    expect(client.pipe(HttpLimits.retry({ exhausted: "wrap", perAttemptTimeout: 5 }))).type.toBe<
      Client<Retry.RetryExhausted | Timeout.DeadlineExceeded>
    >()
    expect(client.pipe(HttpLimits.retry(Retry.policy({ exhausted: "wrap" })))).type.toBe<Client<Retry.RetryExhausted>>()
  })

  it("a policy knows what it is asked about", () => {
    const mine = {
      while: (error: HttpClientError.HttpClientError) => error.reason === "Transport",
      whileResult: ({ status }: HttpClientResponse.HttpClientResponse) => status === 503
    }
    expect(client.pipe(HttpLimits.retry(mine))).type.toBe<Client>()
    expect(client.pipe(HttpLimits.retry(Retry.policy(mine)))).type.toBe<Client>()
    expect(client.pipe).type.not.toBeCallableWith(HttpLimits.retry({ while: (error: "mine") => error === "mine" }))
  })

  it("rateLimit adds what the limiter refuses with, and the service", () => {
    expect(client.pipe(HttpLimits.rateLimit(limiter))).type.toBe<Client>()
    expect(client.pipe(HttpLimits.rateLimit(bounded))).type.toBe<Client<RateLimiter.RateLimited>>()
    expect(client.pipe(HttpLimits.rateLimit(stored))).type.toBe<Client<RateLimiter.StoreError>>()
    expect(client.pipe(HttpLimits.rateLimit(ApiLimit))).type.toBe<Client<RateLimiter.RateLimited, ApiLimit>>()
    expect(client.pipe(HttpLimits.rateLimit(limiter, { key: ({ url }) => url }))).type.toBe<Client>()
  })

  it("concurrency adds what a bulkhead refuses with, and the service", () => {
    expect(client.pipe(HttpLimits.concurrency(5))).type.toBe<Client>()
    expect(client.pipe(HttpLimits.concurrency(semaphore))).type.toBe<Client>()
    expect(client.pipe(HttpLimits.concurrency(Slots))).type.toBe<Client<never, Slots>>()
    expect(client.pipe(HttpLimits.concurrency(bulkhead))).type.toBe<Client<Bulkhead.BulkheadFull>>()
    expect(client.pipe(HttpLimits.concurrency(Places))).type.toBe<Client<Bulkhead.BulkheadFull, Places>>()
  })

  it("stands in one line each", () => {
    const limited = client.pipe(HttpLimits.concurrency(5), HttpLimits.rateLimit(limiter), HttpLimits.retry())
    expect(limited).type.toBe<Client>()
  })
})
