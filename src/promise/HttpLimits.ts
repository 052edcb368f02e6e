/**
 * What an HTTP response says about another attempt, for `fetch` and its like.
 *
 * The Effect module of this name limits and retries a client of `@effect/platform`. There is no such client for plain code, so here are the two
 * questions that a policy asks; the rest is `retry`, `RateLimiter`, `Semaphore` and `Policy`.
 *
 * @since 0.1.0
 */
import * as core from "../core/http.js"
import { wall } from "./clock.js"

/**
 * When to come back, as the header `Retry-After` of a response says it: in how many seconds from now. Undefined: it does not say.
 *
 * **When to use**: as the `retryAfterResult` of a policy, and as its `retryAfter` where errors have a response.
 *
 * **Details**: of a response of `fetch` or `node:http`, or of an error that has it as `response`. The header is a number of seconds or a date; what has
 * passed is 0; what cannot be understood counts as not there.
 *
 * @example
 * import { HttpLimits, retryPolicy } from "effect-concurrency/promise"
 *
 * const policy = retryPolicy<Response>({
 *   while: HttpLimits.isTransient,
 *   whileResult: HttpLimits.isTransient,
 *   retryAfterResult: HttpLimits.retryAfter
 * })
 * let requests = 0
 * const request = async () =>
 *   ++requests === 1 ? new Response("busy", { status: 503, headers: { "retry-after": "0" } }) : new Response("a user")
 *
 * const response = await policy.run(request) // with fetch: ({ signal }) => fetch(url, { signal })
 * console.log(await response.text(), requests) // => a user 2
 *
 * @since 0.1.0
 */
export const retryAfter = (responseOrError: unknown): number | undefined => {
  const said = core.retryAfterOf(responseOrError)
  return typeof said === "object" ? Math.max(0, (said.getTime() - wall()) / 1000) : said
}

/**
 * Whether a response, or an error, is worth another attempt: the status is 408, 429, 500, 502, 503 or 504; or the network has failed.
 *
 * **When to use**: as `while` and `whileResult` of a policy, or as `isFailure` and `isFailureResult` of a breaker. Only for requests that may be
 * done twice: whether a `POST` may, only you know.
 *
 * **Details**: of an error that has a `response` that counts. Otherwise its `code`, or that of its `cause`, tells (`ECONNRESET` and the like); in a
 * browser the words of `fetch` do. A host that does not exist, a wrong certificate, and whatever else is not known, is not worth it.
 *
 * @since 0.1.0
 */
export const isTransient = (responseOrError: unknown): boolean => {
  const status = core.statusOf(responseOrError)
  return status === undefined ? core.isNetworkError(responseOrError) : core.isTransientStatus(status)
}
