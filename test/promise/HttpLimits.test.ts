import { type AddressInfo, createServer } from "node:net"
import { assert, describe, it, vi } from "@effect/vitest"
import { HttpLimits, retryPolicy } from "effect-concurrency/promise"
import { settle } from "../laws/skins.js"
import { watch } from "./waits.js"

const busy = (retryAfter?: string) =>
  new Response("busy", { status: 503, headers: retryAfter === undefined ? {} : { "retry-after": retryAfter } })

describe("HttpLimits.retryAfter", () => {
  it("is in seconds from now, also for a date", () => {
    vi.useFakeTimers({ now: Date.UTC(1994, 10, 6, 8, 49, 30), toFake: ["Date"] })
    try {
      assert.strictEqual(HttpLimits.retryAfter(busy("7")), 7)
      assert.strictEqual(HttpLimits.retryAfter(busy("0")), 0)
      assert.strictEqual(HttpLimits.retryAfter(busy("Sun, 06 Nov 1994 08:49:37 GMT")), 7)
      assert.strictEqual(HttpLimits.retryAfter(busy("Sun, 06 Nov 1994 08:49:29 GMT")), 0)
      assert.strictEqual(HttpLimits.retryAfter({ response: busy("7") }), 7)
      for (const nothing of [busy(), busy("soon"), new Error("oops"), undefined]) {
        assert.isUndefined(HttpLimits.retryAfter(nothing))
      }
    } finally {
      vi.useRealTimers()
    }
  })

  it("is what a policy takes: just before not, and then", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance", "Date"] })
    try {
      const request = vi.fn(async () => (request.mock.calls.length === 1 ? busy("2") : new Response("a user")))
      const policy = retryPolicy<Response>({
        while: HttpLimits.isTransient,
        whileResult: HttpLimits.isTransient,
        retryAfterResult: HttpLimits.retryAfter
      })
      const running = watch(policy.run(request))
      await settle()
      vi.advanceTimersByTime(1999)
      await settle()
      assert.strictEqual(request.mock.calls.length, 1)
      vi.advanceTimersByTime(1)
      await settle()
      assert.strictEqual(running.value?.status, 200)
    } finally {
      vi.useRealTimers()
    }
  })
})

describe("HttpLimits.isTransient", () => {
  it("tells responses and errors that are worth another attempt", () => {
    const yes = [busy(), { response: busy() }, { statusCode: 429 }, new TypeError("fetch failed")]
    const no = [new Response(), new Response(null, { status: 404 }), new TypeError("x is not a function"), undefined]
    assert.deepStrictEqual([...yes, ...no].map(HttpLimits.isTransient), [
      ...yes.map(() => true),
      ...no.map(() => false)
    ])
  })

  it("knows what fetch says about a server that is not there", async () => {
    const server = createServer()
    const port = await new Promise<number>((resolve) =>
      server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port))
    )
    await new Promise((resolve) => server.close(resolve))
    const error: unknown = await fetch(`http://127.0.0.1:${port}/`).catch((error: unknown) => error)
    assert.isTrue(HttpLimits.isTransient(error))
  })
})
