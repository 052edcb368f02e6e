import { assert, describe, it } from "@effect/vitest"
import { Redis, StoreError } from "effect-concurrency/promise/redis"
import { FakeDriver } from "../utils/fakeRedis.js"
import { describeRedis } from "../utils/redis.js"
import { rejectionOf } from "../utils/rejection.js"

describe("Redis", () => {
  it("is closed at the end of its scope", async () => {
    const driver = new FakeDriver()
    const redis = new Redis({ driver })
    await redis[Symbol.asyncDispose]()
    assert.isTrue(driver.links[0]!.isClosed)
    assert.instanceOf(await rejectionOf(redis.send("PING")), StoreError)
  })

  it("gives up with the reason of the signal", async () => {
    const driver = new FakeDriver()
    const redis = new Redis({ driver })
    const controller = new AbortController()
    const { signal } = controller
    const calls = [
      redis.send("PING", [], { signal }),
      redis.eval("return 1", [], [], { signal }),
      redis.subscribe("c", () => {}, { signal })
    ]
    controller.abort("enough")
    for (const call of calls) assert.strictEqual(await rejectionOf(call), "enough")
    for (const link of driver.links) {
      link.events.ready()
      assert.deepStrictEqual(link.sent, [])
    }
    redis.close()
  })
})

describeRedis("Redis, with a server", (server) => {
  it("sends, runs scripts, listens", async () => {
    const redis = new Redis({ client: server.client(), prefix: server.prefix })
    assert.strictEqual(await redis.send("PING"), "PONG")
    assert.deepStrictEqual(await redis.eval("return {KEYS[1], ARGV[1]}", ["a"], [1]), ["a", "1"])
    const heard: Array<string | undefined> = []
    const channel = `${server.prefix}:plain`
    const leave = await redis.subscribe(channel, (message) => heard.push(message))
    await redis.send("PUBLISH", [channel, "hello"])
    while (heard.length === 0) await new Promise((resolve) => setTimeout(resolve, 2))
    leave()
    assert.deepStrictEqual(heard, ["hello"])
    redis.close()
  })
})
