/**
 * Limits for an `HttpClient` of `@effect/platform`: another attempt when the server says so, so many requests a second, so many at a time.
 *
 * It is imported as `effect-concurrency/HttpLimits` and is not part of the index, because `@effect/platform` need not be installed for the rest.
 *
 * @since 0.1.0
 */
import * as HttpClient from "@effect/platform/HttpClient"
import type { HttpBody } from "@effect/platform/HttpBody"
import type { HttpClientRequest } from "@effect/platform/HttpClientRequest"
import type { HttpClientResponse } from "@effect/platform/HttpClientResponse"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Stream from "effect/Stream"
import type * as Bulkhead from "./Bulkhead.js"
import { callable, expect, integer } from "./core/arguments.js"
import type { DeadlineExceeded } from "./core/deadline.js"
import * as core from "./core/http.js"
import type { Exhausted, RetryExhausted } from "./core/retry.js"
import type { DurationInput } from "./internal/effect.js"
import type * as RateLimiter from "./RateLimiter.js"
import * as Retry from "./Retry.js"
import * as Semaphore from "./Semaphore.js"
import { timeout } from "./Timeout.js"

/**
 * Whether a response, or an error, is worth another attempt: the request did not get through; or the status is 408, 429, 500, 502, 503 or 504.
 *
 * **When to use**: where a policy asks: it is the default of `retry`, and is meant for `isFailure` and `isFailureResult` of a `CircuitBreaker`.
 *
 * **Details**: of an error that has a response, that counts. A request that cannot be made (`InvalidUrl`, `Encode`) fails again, and so does whatever
 * comes from elsewhere.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isTransient = (responseOrError: unknown): boolean => {
  const status = core.statusOf(responseOrError)
  if (status !== undefined) return core.isTransientStatus(status)
  const error = responseOrError as { readonly _tag?: unknown; readonly reason?: unknown } | undefined
  return error?._tag === "RequestError" && error.reason === "Transport"
}

/**
 * When to come back, as the header `Retry-After` says it: in so many seconds, or at an instant. It is the default of `retry`.
 *
 * @since 0.1.0
 * @category getters
 */
export const retryAfter = (responseOrError: unknown): Retry.Hint =>
  core.retryAfterOf(responseOrError) as number | Date | undefined

/**
 * Whether a request may be sent again: its method is one that may be done twice (`GET`, `HEAD`, `OPTIONS`, `PUT`, `DELETE`), or it has a header
 * `Idempotency-Key`; and its body is there to be sent again, which a stream is not.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isRepeatable = (request: HttpClientRequest): boolean =>
  core.isIdempotent(request.method, request.headers) && isKept(request.body)

const isKept = (body: HttpBody): boolean => (body._tag === "Raw" ? isValue(body.body) : body._tag !== "Stream")

/** Text and bytes: what is read as often as one likes. Of anything else that was given as it is, who knows? */
const isValue = (body: unknown): boolean =>
  body === undefined ||
  body === null ||
  typeof body === "string" ||
  body instanceof ArrayBuffer ||
  ArrayBuffer.isView(body) ||
  body instanceof URLSearchParams ||
  body instanceof Blob ||
  body instanceof FormData

/**
 * How requests are retried.
 *
 * @since 0.1.0
 * @category models
 */
export interface RetryOptions {
  /** Whether a request may be sent again. Default: {@link isRepeatable}. */
  readonly repeatable?: ((request: HttpClientRequest) => boolean) | undefined
}

type Left<Exhausted, Timeout> =
  ("wrap" extends Exhausted ? RetryExhausted : never) | ([Timeout] extends [undefined] ? never : DeadlineExceeded)

/**
 * Retries requests: after what is transient, and not before the server wants it.
 *
 * **When to use**: for a client that asks one server, or one kind of them.
 *
 * **Details**: the policy is one of `Retry`, or its options. Where it does not say otherwise, `while` and `whileResult` are {@link isTransient}, so
 * that it does not matter whether the client fails on a status or gives the response; `retryAfter` and `retryAfterResult` are the header of that name. A
 * server may ask for hours: say with `maxElapsed` how long you wait. When there is no further attempt, the last response arrives as it is, or the last error.
 *
 * A request that is not {@link isRepeatable} is sent once: a `POST`, say, or a body that is a stream. The body of a response that nobody will
 * see is read to its end, but for 100 ms at most, so that its connection can be used again.
 *
 * Policies stand in the order of the pipe, from the inside out. With `retry` last, each attempt asks for its place at the limits before it;
 * with `retry` first, a request keeps one place for all of its attempts, and for the pauses.
 *
 * **Interruption**: as for `Retry.retry`.
 *
 * @example
 * import { HttpClient, HttpClientResponse } from "@effect/platform"
 * import { Effect } from "effect"
 * import { RateLimiter } from "effect-concurrency"
 * import * as HttpLimits from "effect-concurrency/HttpLimits"
 *
 * let requests = 0
 * const server = HttpClient.make((request) =>
 *   Effect.sync(() => {
 *     const busy = new Response("busy", { status: 503, headers: { "retry-after": "0" } })
 *     return HttpClientResponse.fromWeb(request, ++requests < 3 ? busy : new Response("a user"))
 *   })
 * )
 *
 * const program = Effect.gen(function* () {
 *   const limiter = yield* RateLimiter.make({ limit: 10, interval: "1 second" })
 *   const client = server.pipe(
 *     HttpLimits.concurrency(4),
 *     HttpLimits.rateLimit(limiter),
 *     HttpLimits.retry({ attempts: 5, maxElapsed: "1 minute" })
 *   )
 *   const response = yield* client.get("https://example.org/user")
 *   return yield* response.text
 * })
 *
 * console.log(await Effect.runPromise(program), requests) // => a user 3
 *
 * @see HttpClient.transformResponse for other policies: `client.pipe(HttpClient.transformResponse(breaker.protect))`
 * @since 0.1.0
 * @category combinators
 */
export const retry: {
  <E0, Left, R1>(
    policy: Retry.Policy<E0, HttpClientResponse, Left, R1>,
    options?: RetryOptions
  ): <E extends E0, R>(client: HttpClient.HttpClient.With<E, R>) => HttpClient.HttpClient.With<E | Left, R | R1>
  <E0 = unknown, R1 = never, Ex extends Exhausted = "last", Timeout extends DurationInput | undefined = undefined>(
    policy?: Retry.Options<E0, HttpClientResponse, R1, Ex, Timeout>,
    options?: RetryOptions
  ): <E extends E0, R>(
    client: HttpClient.HttpClient.With<E, R>
  ) => HttpClient.HttpClient.With<E | Left<Ex, Timeout>, R | R1>
} = (given: Retry.Options<any, HttpClientResponse, any> = {}, options: RetryOptions = {}): any => {
  const { repeatable = isRepeatable } = options
  callable("HttpLimits.retry", "repeatable", repeatable)
  const policy = Retry.policy({
    ...given,
    while: given.while ?? isTransient,
    whileResult: given.whileResult ?? isTransient,
    retryAfter: given.retryAfter ?? retryAfter,
    retryAfterResult: given.retryAfterResult ?? retryAfter,
    onRetry: (event: Retry.Retried<any, HttpClientResponse>) =>
      Effect.zipRight(discard(event.value ?? event.error?.response), given.onRetry?.(event) ?? Effect.void)
  })
  const once = Retry.policy({ ...policy, attempts: 1 })
  return HttpClient.transform((effect, request) => (repeatable(request) ? policy : once).retry(effect))
}

/**
 * Reads what is left of a response, if it is not much. A connection that is not read to its end cannot be used again. (An error of the user's may
 * have a `response` that is no response of the platform's.)
 */
const discard = (response: unknown): Effect.Effect<void> =>
  Predicate.hasProperty(response, "stream") && Predicate.hasProperty(response.stream, Stream.StreamTypeId)
    ? Effect.ignore(timeout(100)(Stream.runDrain(response.stream as Stream.Stream<unknown, unknown>)))
    : Effect.void

/**
 * How requests are limited in their rate.
 *
 * @since 0.1.0
 * @category models
 */
export interface RateLimitOptions {
  /** For whom a request counts. Default: the host, with its port if that is not the usual one. */
  readonly key?: ((request: HttpClientRequest) => string) | undefined
  /** How many units it takes: an integer, 1 or more. Default 1. */
  readonly cost?: ((request: HttpClientRequest) => number) | undefined
}

/** What is needed of a limiter, or of a limiter's service. */
interface Limiter<Full, S> {
  readonly consume: (key?: string, options?: RateLimiter.RequestOptions) => Effect.Effect<void, Full, S>
  readonly withLimit: (
    key?: string,
    options?: RateLimiter.RequestOptions
  ) => <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | Full, R | S>
}

/**
 * Sends requests at a rate: so many in an interval, for each host.
 *
 * **When to use**: to keep to a quota, before the server says 429.
 *
 * **Details**: the limiter is a `RateLimiter`, one with a store, or a service class. Its errors are those of the requests then: `RateLimited`, when it has
 * a `backlog`.
 *
 * **Interruption**, **Fairness**: as for `RateLimiter.withLimit`.
 *
 * @see retry for an example, and for the order
 * @since 0.1.0
 * @category combinators
 */
export const rateLimit =
  <Full, S>(
    limiter: Limiter<Full, S>,
    options: RateLimitOptions = {}
  ): (<E, R>(client: HttpClient.HttpClient.With<E, R>) => HttpClient.HttpClient.With<E | Full, R | S>) =>
  (client) => {
    const { cost, key = hostOf } = options
    return HttpClient.transform(client, (effect, request) =>
      Effect.suspend(() => limiter.withLimit(key(request), { cost: cost?.(request) })(effect))
    )
  }

/** What cannot be read as a URL shares the limiter's own key. */
const hostOf = ({ url }: HttpClientRequest): string | undefined => (URL.canParse(url) ? new URL(url).host : undefined)

/** What is needed of a semaphore, or of a semaphore's service. */
interface Permits<S> {
  readonly stats: Effect.Effect<Semaphore.Stats, never, S>
  readonly withPermit: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R | S>
}

/** What is needed of a bulkhead, or of a bulkhead's service. */
interface Places<S> {
  readonly stats: Effect.Effect<Bulkhead.Stats, never, S>
  readonly protect: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | Bulkhead.BulkheadFull, R | S>
}

/**
 * Sends at most so many requests at a time.
 *
 * **Details**: a number is for all requests of this client and of those that are made from it; a `Semaphore`, a `Bulkhead`, or the service class of one
 * can be shared with others. With a bulkhead, what is too much fails with `BulkheadFull`. A request has its place until the response begins, not
 * until its body has been read.
 *
 * **Interruption**, **Fairness**: as for `Semaphore.withPermit`.
 *
 * @see retry for an example, and for the order
 * @since 0.1.0
 * @category combinators
 */
export const concurrency: {
  (permits: number): <E, R>(client: HttpClient.HttpClient.With<E, R>) => HttpClient.HttpClient.With<E, R>
  <S>(
    bulkhead: Places<S>
  ): <E, R>(client: HttpClient.HttpClient.With<E, R>) => HttpClient.HttpClient.With<E | Bulkhead.BulkheadFull, R | S>
  <S>(semaphore: Permits<S>): <E, R>(client: HttpClient.HttpClient.With<E, R>) => HttpClient.HttpClient.With<E, R | S>
} = (limit: number | Places<any> | Permits<any>): any => {
  const where = "HttpLimits.concurrency"
  if (typeof limit === "number")
    return concurrency(Semaphore.makeUnsafe({ permits: integer(where, "permits", limit, 1) }))
  const { protect, withPermit = protect } = Object(limit) as Partial<Places<any> & Permits<any>>
  const allowed = "a number, a semaphore or a bulkhead"
  expect(typeof withPermit === "function", where, "limit", allowed, limit)
  return HttpClient.transformResponse(withPermit as Semaphore.Semaphore["withPermit"])
}
