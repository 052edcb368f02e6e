import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import * as core from "../../src/core/http.js"

const parsed = (text: string) => {
  const said = core.parseRetryAfter(text)
  return typeof said === "object" ? new Date(said.getTime()).toISOString() : said
}

describe("Retry-After", () => {
  it.each([
    ["0", 0],
    ["120", 120],
    [" 7 ", 7],
    ["1.5", 1.5],
    ["1.25", 1.25],
    ["Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37.000Z"],
    ["Sunday, 06-Nov-94 08:49:37 GMT", "1994-11-06T08:49:37.000Z"],
    ["Sun Nov  6 08:49:37 1994", "1994-11-06T08:49:37.000Z"],
    ["sun, 6 nov 1994 08:49:37 gmt", "1994-11-06T08:49:37.000Z"],
    ["Friday, 06-Nov-26 08:49:37 GMT", "2026-11-06T08:49:37.000Z"],
    ["Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00.000Z"],
    ["Thu, 29 Feb 2024 23:59:59 GMT", "2024-02-29T23:59:59.000Z"],
    ["Saturday, 06-Nov-69 08:49:37 GMT", "2069-11-06T08:49:37.000Z"],
    ["Friday, 06-Nov-70 08:49:37 GMT", "1970-11-06T08:49:37.000Z"],
    // A leap second is the first of the next minute.
    ["Sat, 31 Dec 2016 23:59:60 GMT", "2017-01-01T00:00:00.000Z"]
  ])("%j is %s", (text, expected) => {
    assert.strictEqual(parsed(text), expected)
  })

  it.each([
    "",
    "soon",
    "-1",
    "1e3",
    "1 minute",
    "2026-11-06T08:49:37Z",
    "Sun, 06 Nov 1994 08:49:37",
    "Sun, 06 Nov 1994 08:49:37 CET",
    "Sun, 06 Nov 1994 24:00:00 GMT",
    "Sun, 06 Nov 1994 08:60:00 GMT",
    "Sun, 06 Nov 1994 08:49:61 GMT",
    "Sun, 00 Nov 1994 08:49:37 GMT",
    "Sun, 32 Nov 1994 08:49:37 GMT",
    "on Sun, 06 Nov 1994 08:49:37 GMT",
    "Sun, 06 Nov 1994 08:49:37 GMT+1",
    "on Sun Nov  6 08:49:37 1994",
    "Sun Nov  6 08:49:37 19945",
    "Sun Nov x6 08:49:37 1994",
    "Sun, 06 Nov 1994 8:49:370 GMT",
    "Sun, 06 Nov 1994 :08:49:3 GMT",
    "Sun, 06 Brumaire 1994 08:49:37 GMT",
    "Sun, 06 Bru 1994 08:49:37 GMT"
  ])("%j says nothing", (text) => {
    assert.isUndefined(core.parseRetryAfter(text))
  })

  it("is the inverse of how dates are written", () => {
    const dates = fc.date({ min: new Date(0), max: new Date("9999-12-31T23:59:59Z") })
    fc.assert(
      fc.property(dates, (date) => {
        const seconds = Math.floor(date.getTime() / 1000) * 1000
        const said = core.parseRetryAfter(date.toUTCString())
        assert.strictEqual((said as core.Instant).getTime(), seconds)
      })
    )
  })

  it("is found in what fetch, node:http and Effect call headers, and behind an error", () => {
    const headers = { "retry-after": "5" }
    for (const response of [{ headers: new Headers(headers) }, { headers }, { response: { headers } }]) {
      assert.strictEqual(core.retryAfterOf(response), 5)
    }
    const without = [
      undefined,
      null,
      {},
      { headers: {} },
      { headers: new Headers() },
      { headers: { "retry-after": 5 } }
    ]
    for (const response of without) assert.isUndefined(core.retryAfterOf(response))
  })
})

describe("what is transient", () => {
  it("of all statuses: 408, 429, 500, 502, 503 and 504", () => {
    const statuses = Array.from({ length: 500 }, (_, index) => index + 100)
    assert.deepStrictEqual(statuses.filter(core.isTransientStatus), [408, 429, 500, 502, 503, 504])
  })

  it("the status is that of a response, or of an error with one", () => {
    for (const response of [{ status: 503 }, { statusCode: 503 }, { response: { status: 503 } }]) {
      assert.strictEqual(core.statusOf(response), 503)
    }
    for (const other of [undefined, null, 503, "503", {}, { status: "503" }, new Error("503")]) {
      assert.isUndefined(core.statusOf(other))
    }
  })

  const coded = (code: string) => Object.assign(new Error("it broke"), { code })

  it.each([
    [coded("ECONNRESET"), true],
    [coded("UND_ERR_SOCKET"), true],
    [new TypeError("fetch failed", { cause: coded("ECONNREFUSED") }), true],
    [new TypeError("fetch failed"), true],
    [new TypeError("Failed to fetch"), true],
    [new TypeError("NetworkError when attempting to fetch resource."), true],
    [new TypeError("Load failed"), true],
    [new TypeError("fetch failed", { cause: coded("ENOTFOUND") }), false],
    [new TypeError("fetch failed", { cause: coded("CERT_HAS_EXPIRED") }), false],
    [new TypeError("undefined is not a function"), false],
    [new TypeError("the fetch failed"), false],
    [new TypeError("fetch failed to be a function"), false],
    [new Error("fetch failed"), false],
    [coded("ENOENT"), false],
    [new DOMException("stopped", "AbortError"), false],
    [undefined, false],
    ["ECONNRESET", false]
  ])("%s is an error of the network: %s", (error, expected) => {
    assert.strictEqual(core.isNetworkError(error), expected)
  })

  it("each way in which a connection breaks, or does not come about, is one: a retry is for them", () => {
    const breaks = ["ECONNABORTED", "ECONNREFUSED", "ECONNRESET", "EPIPE", "ENETRESET", "ETIMEDOUT"]
    const unreached = ["EAI_AGAIN", "EHOSTUNREACH", "ENETDOWN", "ENETUNREACH"]
    const undici = ["BODY_TIMEOUT", "CONNECT_TIMEOUT", "HEADERS_TIMEOUT", "SOCKET"].map((what) => `UND_ERR_${what}`)
    for (const code of [...breaks, ...unreached, ...undici]) assert.isTrue(core.isNetworkError(coded(code)), code)
    assert.isFalse(core.isNetworkError(coded("")))
  })

  it("what may be done twice", () => {
    const methods = ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "POST", "PATCH", "CONNECT", "get", "post"]
    const may = methods.filter((method) => core.isIdempotent(method, {}))
    assert.deepStrictEqual(may, ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "get"])
    assert.isTrue(core.isIdempotent("POST", { "idempotency-key": "a" }))
  })
})
