import { createServer, type RequestListener, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as HttpBody from "@effect/platform/HttpBody"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Stream, TestClock } from "effect"
import { Bulkhead, CircuitBreaker, RateLimiter, Retry, Semaphore } from "effect-concurrency"
import * as HttpLimits from "effect-concurrency/HttpLimits"

type Answer = (
  request: HttpClientRequest.HttpClientRequest
) => Effect.Effect<globalThis.Response, HttpClientError.HttpClientError>

const status = (status: number, retryAfter?: string): Answer => {
  const init = { status, headers: retryAfter === undefined ? {} : { "retry-after": retryAfter } }
  return () => Effect.sync(() => new Response(null, init))
}

const fails =
  (reason: "Transport" | "Encode" | "InvalidUrl"): Answer =>
  (request) =>
    Effect.fail(new HttpClientError.RequestError({ request, reason }))

/** A client that answers in turn, the last answer again and again; and what it was asked, with when. */
const server = (...answers: ReadonlyArray<Answer>) => {
  const asked: Array<HttpClientRequest.HttpClientRequest> = []
  const client = HttpClient.make((request) =>
    Effect.suspend(() => {
      asked.push(request)
      return answers[Math.min(asked.length, answers.length) - 1]!(request)
    }).pipe(Effect.map((response) => HttpClientResponse.fromWeb(request, response)))
  )
  return { asked, client }
}

const url = "https://example.org/user"

/** Without pauses, so that the clock does not matter. */
const atOnce = { attempts: 4, base: 0 } as const

describe("HttpLimits.retry", () => {
  it.effect("comes back when the server says: just before not, and then", () =>
    Effect.gen(function* () {
      const { asked, client } = server(status(503, "2"), status(429, "3"), status(200))
      const fiber = yield* Effect.fork(client.pipe(HttpLimits.retry({ attempts: 3 })).get(url))
      for (const [milliseconds, requests] of [
        [0, 1],
        [1999, 1],
        [1, 2],
        [2999, 2],
        [1, 3]
      ] as const) {
        yield* TestClock.adjust(milliseconds)
        assert.strictEqual(asked.length, requests)
      }
      assert.strictEqual((yield* Fiber.join(fiber)).status, 200)
    })
  )

  it.effect("at a date, on Effect's clock", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(Date.UTC(1994, 10, 6, 8, 49, 30))
      const { asked, client } = server(status(503, "Sun, 06 Nov 1994 08:49:37 GMT"), status(200))
      const fiber = yield* Effect.fork(client.pipe(HttpLimits.retry()).get(url))
      yield* TestClock.adjust(6999)
      assert.strictEqual(asked.length, 1)
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* Fiber.join(fiber)).status, 200)
    })
  )

  it.effect("at once, if that is zero, or a date that is past", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(Date.UTC(2020, 0))
      for (const said of ["0", "Sun, 06 Nov 1994 08:49:37 GMT"]) {
        const { asked, client } = server(status(503, said), status(200))
        const response = yield* client.pipe(HttpLimits.retry({ base: "1 hour" })).get(url)
        assert.deepStrictEqual([response.status, asked.length], [200, 2])
      }
    })
  )

  it.effect("as the policy has it, if the server says nothing that can be understood", () =>
    Effect.gen(function* () {
      const { asked, client } = server(status(503, "soon"), status(200))
      const fiber = yield* Effect.fork(client.pipe(HttpLimits.retry({ base: "1 second", jitter: "none" })).get(url))
      yield* TestClock.adjust(999)
      assert.strictEqual(asked.length, 1)
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* Fiber.join(fiber)).status, 200)
    })
  )

  it.effect("not when the server wants it later than the policy waits: its response arrives", () =>
    Effect.gen(function* () {
      const { asked, client } = server(status(503, "3600"))
      const response = yield* client.pipe(HttpLimits.retry({ maxElapsed: "1 minute" })).get(url)
      assert.deepStrictEqual([response.status, asked.length], [503, 1])
    })
  )

  it.effect("when there is no further attempt, the last response arrives", () =>
    Effect.gen(function* () {
      const { asked, client } = server(status(500), status(502), status(503))
      const response = yield* client.pipe(HttpLimits.retry({ attempts: 3, base: 0 })).get(url)
      assert.deepStrictEqual([response.status, asked.length], [503, 3])
    })
  )

  it.effect("does not matter whether the client gives the response or fails on it", () =>
    Effect.gen(function* () {
      const { asked, client } = server(status(503, "0"), status(404))
      const strict = client.pipe(HttpClient.filterStatusOk, HttpLimits.retry({ base: "1 hour" }))
      const error = yield* Effect.flip(strict.get(url))
      assert.strictEqual(error._tag === "ResponseError" && error.response.status, 404)
      assert.strictEqual(asked.length, 2)
    })
  )

  it.effect("after a request that did not get through, and not after one that cannot be made", () =>
    Effect.gen(function* () {
      const through = server(fails("Transport"), fails("Transport"), status(200))
      yield* through.client.pipe(HttpLimits.retry(atOnce)).get(url)
      assert.strictEqual(through.asked.length, 3)
      for (const reason of ["Encode", "InvalidUrl"] as const) {
        const { asked, client } = server(fails(reason))
        yield* Effect.flip(client.pipe(HttpLimits.retry(atOnce)).get(url))
        assert.strictEqual(asked.length, 1)
      }
    })
  )

  it.effect("of all statuses only those that are transient", () =>
    Effect.gen(function* () {
      const retried: Array<number> = []
      for (let code = 200; code < 600; code++) {
        const { asked, client } = server(status(code))
        yield* client.pipe(HttpLimits.retry({ attempts: 2, base: 0 })).get(url)
        if (asked.length > 1) retried.push(code)
      }
      assert.deepStrictEqual(retried, [408, 429, 500, 502, 503, 504])
    })
  )

  it.effect("what the policy says itself counts", () =>
    Effect.gen(function* () {
      const { asked, client } = server(status(404), fails("Transport"))
      const policy = Retry.policy({
        ...atOnce,
        while: () => false,
        whileResult: ({ status }: HttpClientResponse.HttpClientResponse) => status === 404,
        retryAfterResult: () => 1
      })
      const fiber = yield* Effect.fork(Effect.flip(client.pipe(HttpLimits.retry(policy)).get(url)))
      yield* TestClock.adjust(999)
      assert.strictEqual(asked.length, 1)
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "RequestError")
      assert.strictEqual(asked.length, 2)
    })
  )

  it.effect("tells of each retry", () =>
    Effect.gen(function* () {
      const told: Array<unknown> = []
      const { client } = server(status(503, "0"), fails("Transport"), status(200))
      const onRetry = ({ attempt, error, value }: Retry.Retried<any, HttpClientResponse.HttpClientResponse>) =>
        Effect.sync(() => told.push([attempt, value?.status, error?._tag]))
      yield* client.pipe(HttpLimits.retry({ ...atOnce, onRetry })).get(url)
      assert.deepStrictEqual(told, [
        [1, 503, undefined],
        [2, undefined, "RequestError"]
      ])
    })
  )

  describe("a request that may not be sent again is sent once:", () => {
    const bytes = new Uint8Array([1, 2, 3])
    const post = HttpClientRequest.post(url)
    const put = HttpClientRequest.put(url)
    const body = (body: HttpBody.HttpBody) => HttpClientRequest.setBody(put, body)
    const iterable = (async function* () {})()

    it.effect.each([
      ["GET", HttpClientRequest.get(url), 4],
      ["HEAD", HttpClientRequest.head(url), 4],
      ["DELETE", HttpClientRequest.del(url), 4],
      ["OPTIONS", HttpClientRequest.options(url), 4],
      ["PUT of text", body(HttpBody.text("a")), 4],
      ["PUT of JSON", body(HttpBody.unsafeJson({ a: 1 })), 4],
      ["PUT of bytes", body(HttpBody.uint8Array(bytes)), 4],
      ["PUT of a form", body(HttpBody.formData(new FormData())), 4],
      ["PUT of raw text", body(HttpBody.raw("a")), 4],
      ["PUT of a raw buffer", body(HttpBody.raw(bytes.buffer)), 4],
      ["PUT of a blob", body(HttpBody.raw(new Blob(["a"]))), 4],
      ["PUT of a stream", body(HttpBody.stream(Stream.make(bytes))), 1],
      ["PUT of a web stream", body(HttpBody.raw(new Blob(["a"]).stream())), 1],
      ["PUT of an async iterable", body(HttpBody.raw(iterable)), 1],
      ["POST", post, 1],
      ["PATCH", HttpClientRequest.patch(url), 1],
      ["POST with an Idempotency-Key", HttpClientRequest.setHeader(post, "Idempotency-Key", "7"), 4]
    ] as const)("%s", ([, request, requests]) =>
      Effect.gen(function* () {
        const { asked, client } = server(status(503))
        const response = yield* client.pipe(HttpLimits.retry(atOnce)).execute(request)
        assert.deepStrictEqual([response.status, asked.length], [503, requests])
      })
    )

    it.effect("unless one says so", () =>
      Effect.gen(function* () {
        const { asked, client } = server(status(503))
        yield* client.pipe(HttpLimits.retry(atOnce, { repeatable: () => true })).post(url)
        assert.strictEqual(asked.length, 4)
      })
    )

    it.effect("and its limit of time holds all the same", () =>
      Effect.gen(function* () {
        const { client } = server(() => Effect.never)
        const limited = client.pipe(HttpLimits.retry({ ...atOnce, perAttemptTimeout: "1 second" }))
        const fiber = yield* Effect.fork(Effect.flip(limited.post(url)))
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* Fiber.join(fiber))._tag, "DeadlineExceeded")
      })
    )
  })

  it.effect("reads what is left of a response that nobody will see", () =>
    Effect.gen(function* () {
      let read = 0
      let cancelled = 0
      const bodyOf = (chunks: number) =>
        new ReadableStream({
          pull: (controller) => (read++ < chunks ? controller.enqueue(new Uint8Array(8)) : controller.close()),
          cancel: () => void cancelled++
        })
      const short: Answer = () => Effect.sync(() => new Response(bodyOf(2), { status: 503 }))
      const { client } = server(short, status(200))
      yield* client.pipe(HttpLimits.retry(atOnce)).get(url)
      assert.deepStrictEqual([read, cancelled], [3, 0])
    })
  )

  it.effect("but for 100 ms at most", () =>
    Effect.gen(function* () {
      const cancelled = yield* Deferred.make<void>()
      const endless = new ReadableStream({ cancel: () => void Effect.runSync(Deferred.succeed(cancelled, undefined)) })
      const { asked, client } = server(() => Effect.sync(() => new Response(endless, { status: 503 })), status(200))
      const fiber = yield* Effect.fork(client.pipe(HttpLimits.retry(atOnce)).get(url))
      yield* TestClock.adjust(99)
      assert.strictEqual(asked.length, 1)
      yield* TestClock.adjust(1)
      yield* Deferred.await(cancelled)
      yield* Fiber.join(fiber)
      assert.strictEqual(asked.length, 2)
    })
  )

  it("refuses what makes no sense, at once", () => {
    assert.throws(() => HttpLimits.retry({ attempts: 0 }), RangeError, /attempts/)
    assert.throws(() => HttpLimits.retry({}, { repeatable: true } as any), TypeError, /repeatable must be a function/)
  })
})

describe("HttpLimits.rateLimit", () => {
  const limiterOf = RateLimiter.make({ limit: 1, interval: "1 second" })

  it.effect("each host has its own rate, and a request waits for its turn", () =>
    Effect.gen(function* () {
      const limiter = yield* limiterOf
      const { asked, client } = server(status(200))
      const limited = client.pipe(HttpLimits.rateLimit(limiter))
      const urls = [
        "https://a.org/1",
        "https://b.org/2",
        "https://a.org/3",
        "https://a.org:444/4",
        "https://a.org:443/5"
      ]
      const fiber = yield* Effect.fork(Effect.forEach(urls, (url) => limited.get(url), { concurrency: "unbounded" }))
      const paths = () => asked.map(({ url }) => url.at(-1)).join("")
      yield* TestClock.adjust(999)
      assert.strictEqual(paths(), "124")
      yield* TestClock.adjust(1)
      assert.strictEqual(paths(), "1243")
      yield* TestClock.adjust(1000)
      yield* Fiber.join(fiber)
      assert.strictEqual(paths(), "12435")
    })
  )

  it.effect("the host is that of the request as it is sent", () =>
    Effect.gen(function* () {
      const limiter = yield* limiterOf
      const { client } = server(status(200))
      const based = client.pipe(
        HttpClient.mapRequest(HttpClientRequest.prependUrl("https://a.org")),
        HttpLimits.rateLimit(limiter)
      )
      yield* based.get("/user")
      assert.isFalse((yield* limiter.tryConsume("a.org")).allowed)
    })
  )

  it.effect("by a key and at a cost of one's own", () =>
    Effect.gen(function* () {
      const limiter = yield* RateLimiter.make({ limit: 5, interval: "1 second" })
      const { client } = server(status(200))
      const key = ({ headers }: HttpClientRequest.HttpClientRequest) => headers["x-user"]!
      const cost = ({ method }: HttpClientRequest.HttpClientRequest) => (method === "GET" ? 1 : 3)
      const limited = client.pipe(HttpLimits.rateLimit(limiter, { key, cost }))
      yield* limited.get(url, { headers: { "x-user": "ada" } })
      yield* limited.post(url, { headers: { "x-user": "ada" } })
      assert.strictEqual((yield* limiter.tryConsume("ada")).remaining, 0)
    })
  )

  it.effect("what is no URL shares the limiter's own key", () =>
    Effect.gen(function* () {
      const limiter = yield* limiterOf
      const { client } = server(status(200))
      yield* Effect.ignore(client.pipe(HttpLimits.rateLimit(limiter)).get("/user"))
      assert.isFalse((yield* limiter.tryConsume()).allowed)
    })
  )

  it.effect("each attempt asks for its turn, if retry comes last", () =>
    Effect.gen(function* () {
      const limiter = yield* limiterOf
      const { asked, client } = server(status(503, "0"), status(200))
      const limited = client.pipe(HttpLimits.rateLimit(limiter), HttpLimits.retry())
      const fiber = yield* Effect.fork(limited.get(url))
      yield* TestClock.adjust(999)
      assert.strictEqual(asked.length, 1)
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* Fiber.join(fiber)).status, 200)
    })
  )

  it.effect("of a service; what is too much is refused with RateLimited", () => {
    class ApiLimit extends RateLimiter.Service<ApiLimit>()("app/ApiLimit", {
      limit: 1,
      interval: "1 second",
      backlog: 0
    }) {}
    return Effect.gen(function* () {
      const { asked, client } = server(status(200))
      const limited = client.pipe(HttpLimits.rateLimit(ApiLimit))
      yield* limited.get(url)
      const error = yield* Effect.flip(limited.get(url))
      assert.strictEqual(error._tag === "RateLimited" && error.retryAfter, 1000)
      assert.strictEqual(asked.length, 1)
    }).pipe(Effect.provide(ApiLimit.layer))
  })
})

describe("HttpLimits.concurrency", () => {
  /** How many of five requests are sent while none is answered, and then all. */
  const peak = (limited: (client: HttpClient.HttpClient) => HttpClient.HttpClient.With<any, any>) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const { asked, client } = server(() => Effect.zipRight(Deferred.await(gate), status(200)(undefined as never)))
      const requests = Effect.forEach([1, 2, 3, 4, 5], () => Effect.exit(limited(client).get(url)), {
        concurrency: "unbounded"
      })
      const fiber = yield* Effect.fork(requests as Effect.Effect<unknown>)
      yield* TestClock.adjust(1)
      const sent = asked.length
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(fiber)
      return [sent, asked.length]
    })

  it.effect("a number is for all requests of the client, and of those made from it", () =>
    Effect.gen(function* () {
      const two = HttpLimits.concurrency(2)
      assert.deepStrictEqual(yield* peak(two), [2, 5])
      assert.deepStrictEqual(yield* peak((client) => HttpClient.filterStatusOk(two(client))), [2, 5])
    })
  )

  it.effect("of a semaphore, which others may use", () =>
    Effect.gen(function* () {
      const semaphore = yield* Semaphore.make({ permits: 3 })
      yield* semaphore.take(1)
      assert.deepStrictEqual(yield* peak(HttpLimits.concurrency(semaphore)), [2, 5])
    })
  )

  it.effect("of a bulkhead: what is too much is refused with BulkheadFull", () =>
    Effect.gen(function* () {
      const bulkhead = yield* Bulkhead.make({ permits: 2, backlog: 1 })
      assert.deepStrictEqual(yield* peak(HttpLimits.concurrency(bulkhead)), [2, 3])
    })
  )

  it.effect("of their services", () => {
    class Slots extends Semaphore.Service<Slots>()("app/Slots", { permits: 2 }) {}
    class Places extends Bulkhead.Service<Places>()("app/Places", { permits: 2, backlog: 1 }) {}
    return Effect.gen(function* () {
      assert.deepStrictEqual(yield* peak(HttpLimits.concurrency(Slots)).pipe(Effect.provide(Slots.layer)), [2, 5])
      assert.deepStrictEqual(yield* peak(HttpLimits.concurrency(Places)).pipe(Effect.provide(Places.layer)), [2, 3])
    })
  })

  it("refuses what limits nothing", () => {
    assert.throws(() => HttpLimits.concurrency(0), RangeError, /permits must be an integer of at least 1, got 0/)
    assert.throws(
      () => HttpLimits.concurrency(undefined as any),
      TypeError,
      /must be a number, a semaphore or a bulkhead/
    )
  })
})

describe("HttpLimits.isTransient", () => {
  it.effect("is what a breaker asks", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make({
        trip: { kind: "consecutive", failures: 2 },
        halfOpen: { after: "1 minute" },
        isFailure: HttpLimits.isTransient,
        isFailureResult: HttpLimits.isTransient
      })
      const { asked, client } = server(status(404), fails("InvalidUrl"), fails("Transport"), status(503))
      const behind = client.pipe(HttpClient.transformResponse(breaker.protect))
      for (let n = 0; n < 4; n++) yield* Effect.ignore(behind.get(url))
      const error = yield* Effect.flip(behind.get(url))
      assert.deepStrictEqual([error._tag, asked.length], ["CircuitOpen", 4])
    })
  )
})

// Time is virtual, and the network is not: what is to come by it is waited for, and what is not to come is given some turns to come all the same.
describe("HttpLimits, with a server on loopback", () => {
  const turn = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))
  const turns = Effect.repeatN(turn, 50)
  const until = (ready: () => boolean): Effect.Effect<void> =>
    Effect.suspend(() => (ready() ? Effect.void : Effect.zipRight(turn, until(ready))))

  /** Listens until its scope closes; says how many connections and requests there were, and how many of these their client has given up. */
  const listening = (listener: RequestListener) =>
    Effect.gen(function* () {
      const seen = { connections: 0, requests: 0, gone: 0 }
      const server = createServer((request, response) => {
        seen.requests++
        response.on("close", () => void (response.writableFinished || seen.gone++))
        listener(request, response)
      }).on("connection", () => void seen.connections++)
      yield* Effect.acquireRelease(
        Effect.promise(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))),
        () =>
          Effect.promise(() => {
            const closed = new Promise((resolve) => server.close(resolve))
            server.closeAllConnections()
            return closed
          })
      )
      const client = yield* HttpClient.HttpClient
      return { client, seen, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` }
    })

  /** Refuses the first request, and knows when its client has been told. */
  const busyOnce = (retryAfter: string) =>
    Effect.gen(function* () {
      const { client, seen, url } = yield* listening((_, response) =>
        seen.requests > 1
          ? void response.end("a user")
          : void response.writeHead(503, { "retry-after": retryAfter }).end("busy ".repeat(10_000))
      )
      const told = { times: 0 }
      const onRetry = () => Effect.sync(() => void told.times++)
      return { onRetry, client, seen, told, url }
    })

  it.scoped.each([
    ["2", 2000],
    ["0", 0],
    ["Sun, 06 Nov 1994 08:49:37 GMT", 7000],
    ["Sun, 06 Nov 1994 08:49:29 GMT", 0],
    ["soon", 3_600_000],
    ["", 3_600_000]
  ] as const)("Retry-After: %s", ([said, milliseconds]) =>
    Effect.gen(function* () {
      yield* TestClock.setTime(Date.UTC(1994, 10, 6, 8, 49, 30))
      const { client, onRetry, seen, told, url } = yield* busyOnce(said)
      const patient = client.pipe(HttpLimits.retry({ base: "1 hour", jitter: "none", onRetry }))
      const fiber = yield* Effect.fork(Effect.flatMap(patient.get(url), ({ text }) => text))
      yield* until(() => told.times === 1)
      if (milliseconds > 0) {
        yield* TestClock.adjust(milliseconds - 1)
        yield* turns
        assert.strictEqual(seen.requests, 1)
        yield* TestClock.adjust(1)
      }
      assert.strictEqual(yield* Fiber.join(fiber), "a user")
      assert.deepStrictEqual([seen.requests, seen.gone], [2, 0])
      // What was left of the refusal was read, so its connection is free again; but not in the turn in which that has ended.
      if (milliseconds > 0) assert.strictEqual(seen.connections, 1)
    }).pipe(Effect.provide(NodeHttpClient.layerUndici))
  )

  it.scoped("interrupted in a pause: at once, nothing is sent any more, and nothing is held", () =>
    Effect.gen(function* () {
      const { client, onRetry, seen, told, url } = yield* busyOnce("60")
      const slots = yield* Semaphore.make(1)
      const limited = client.pipe(HttpLimits.concurrency(slots), HttpLimits.retry({ onRetry }))
      const fiber = yield* Effect.fork(limited.get(url))
      yield* until(() => told.times === 1)
      assert.strictEqual((yield* slots.stats).inUse, 0)
      yield* turns
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("1 hour")
      yield* turns
      assert.deepStrictEqual(seen, { requests: 1, connections: 1, gone: 0 })
      assert.strictEqual((yield* limited.get(url)).status, 200)
    }).pipe(Effect.provide(NodeHttpClient.layerUndici))
  )

  it.scoped("interrupted in a request: the server hears of it, and the place is free", () =>
    Effect.gen(function* () {
      const { client, seen, url } = yield* listening(() => {})
      const slots = yield* Semaphore.make(1)
      const limited = client.pipe(HttpLimits.concurrency(slots), HttpLimits.retry())
      const fiber = yield* Effect.fork(limited.get(url))
      yield* until(() => seen.requests === 1)
      assert.strictEqual((yield* slots.stats).inUse, 1)
      yield* Fiber.interrupt(fiber)
      yield* until(() => seen.gone === 1)
      assert.strictEqual((yield* slots.stats).inUse, 0)
      yield* TestClock.adjust("1 hour")
      yield* turns
      assert.strictEqual(seen.requests, 1)
    }).pipe(Effect.provide(NodeHttpClient.layerUndici))
  )

  it.scoped("an attempt that takes too long is given up, as the server sees, and there is another", () =>
    Effect.gen(function* () {
      const { client, seen, url } = yield* listening(
        (_, response) => void (seen.requests > 1 && response.end("a user"))
      )
      const limited = client.pipe(HttpLimits.retry({ base: 0, perAttemptTimeout: "1 second" }))
      const fiber = yield* Effect.fork(limited.get(url))
      yield* until(() => seen.requests === 1)
      yield* TestClock.adjust(999)
      yield* turns
      assert.deepStrictEqual([seen.requests, seen.gone], [1, 0])
      yield* TestClock.adjust(1)
      yield* until(() => seen.gone === 1)
      assert.strictEqual((yield* Fiber.join(fiber)).status, 200)
      assert.strictEqual(seen.requests, 2)
    }).pipe(Effect.provide(NodeHttpClient.layerUndici))
  )

  it.scoped("a connection that breaks is worth another attempt, and one that does not come about", () =>
    Effect.gen(function* () {
      const { client, seen, url } = yield* listening((request, response) =>
        seen.requests > 2 ? void response.end("a user") : void request.socket.destroy()
      )
      const limited = client.pipe(HttpLimits.retry({ attempts: 3, base: 0 }))
      assert.strictEqual((yield* limited.get(url)).status, 200)
      assert.strictEqual(seen.requests, 3)
      let attempts = 0
      const counting = client.pipe(
        HttpClient.transformResponse((response) => Effect.suspend(() => (attempts++, response))),
        HttpLimits.retry({ attempts: 3, base: 0 })
      )
      const error = yield* Effect.flip(counting.get("http://127.0.0.1:1/"))
      assert.deepStrictEqual([error._tag, attempts], ["RequestError", 3])
    }).pipe(Effect.provide(NodeHttpClient.layerUndici))
  )

  it.scoped("a rate: not before its turn comes", () =>
    Effect.gen(function* () {
      const limiter = yield* RateLimiter.make({ limit: 2, interval: "1 second" })
      const { client, seen, url } = yield* listening((_, response) => void response.end())
      const limited = client.pipe(HttpLimits.rateLimit(limiter))
      const all = Effect.forEach([1, 2, 3, 4, 5], () => limited.get(url), { concurrency: "unbounded" })
      const fiber = yield* Effect.fork(all)
      for (const requests of [2, 4, 5]) {
        yield* until(() => seen.requests === requests)
        yield* TestClock.adjust(999)
        yield* turns
        assert.strictEqual(seen.requests, requests)
        yield* TestClock.adjust(1)
      }
      assert.strictEqual((yield* Fiber.join(fiber)).length, 5)
    }).pipe(Effect.provide(NodeHttpClient.layerUndici))
  )

  it.scoped("so many at a time: until the response begins, not until its body has been read", () =>
    Effect.gen(function* () {
      const responses: Array<ServerResponse> = []
      const { client, seen, url } = yield* listening((_, response) => void responses.push(response))
      const limited = client.pipe(HttpLimits.concurrency(2))
      const all = Effect.forEach([1, 2, 3, 4], () => Effect.flatMap(limited.get(url), ({ text }) => text), {
        concurrency: "unbounded"
      })
      const fiber = yield* Effect.fork(all)
      yield* until(() => seen.requests === 2)
      yield* turns
      assert.strictEqual(seen.requests, 2)
      for (const response of responses.slice()) response.write("a ")
      yield* until(() => seen.requests === 4)
      for (const response of responses) response.end("user")
      assert.deepStrictEqual(yield* Fiber.join(fiber), ["a user", "a user", "user", "user"])
    }).pipe(Effect.provide(NodeHttpClient.layerUndici))
  )
})
