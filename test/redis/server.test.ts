/** What a connection and its scripts do when the server is another than was thought: demoted, out of memory, or used by somebody else. */
import { assert, it } from "@effect/vitest"
import { describe } from "vitest"
import { StoreError } from "../../src/core/storeError.js"
import { DistributedQueue } from "../../src/promise/distributed/DistributedQueue.js"
import { RedisDeliveries } from "../../src/redis/deliveries.js"
import { RedisLatches } from "../../src/redis/latches.js"
import { RedisLeases } from "../../src/redis/leases.js"
import { RedisParties } from "../../src/redis/parties.js"
import { fake } from "../utils/fakeRedis.js"
import { describeRedis } from "../utils/redis.js"
import { rejectionOf } from "../utils/rejection.js"

describe("a server that was the primary", () => {
  // A managed server that fails over keeps its address, and the old primary its connections.
  it.each([
    "READONLY You can't write against a read only replica. script: 1, on @user_script:39.",
    "ERR Error running script (call to f_1): @user_script:39: @user_script: 39: -READONLY You can't write against a read only replica."
  ])("and is a replica now is left, to look who is at its address: %s", async (message) => {
    const { connection, link } = fake()
    link.events.ready()
    const call = connection.send("SET", ["a", "1"])
    link.refuse(message)
    const error = (await rejectionOf(call)) as StoreError
    assert.instanceOf(error, StoreError)
    assert.strictEqual(error.reason, "server")
    assert.strictEqual(link.resets, 1)
    const again = connection.send("SET", ["a", "2"])
    assert.deepStrictEqual(link.sent, ["SET a 1"], "it waits for the new connection")
    link.events.ready()
    link.answer("OK")
    assert.strictEqual(await again, "OK")
    connection.close()
  })
})

describe("a command that would change the connection for all others", () => {
  it.each(["MULTI", "select", "Subscribe", "RESET", "AUTH", "", 1 as never])(
    "is refused, and not sent: %j",
    async (command) => {
      const { connection, link } = fake()
      link.events.ready()
      const error = (await rejectionOf(connection.send(command))) as Error
      assert.match(error.message, /^Redis\.send: command must be /)
      assert.deepStrictEqual(link.sent, [])
      connection.close()
    }
  )
})

describeRedis("a program that was busy", (redis) => {
  it("for longer than the timeout, while its answer had arrived, has the answer, on the same connection", async () => {
    // The driver is loaded by then.
    await redis.connect().send("PING")
    const connection = redis.connect({ timeout: 400 })
    const id = await connection.send("CLIENT", ["ID"])
    const call = connection.send("ECHO", ["here"])
    // In a callback of the event loop after which timers come first.
    await new Promise<void>((resolve) =>
      setImmediate(() => {
        for (const end = performance.now() + 600; performance.now() < end;);
        resolve()
      })
    )
    assert.strictEqual(await call, "here")
    assert.strictEqual(await connection.send("CLIENT", ["ID"]), id)
  })
})

describeRedis("a hash of somebody else under the key", (redis) => {
  it("of a barrier is left alone, and named, also by who only asks", async () => {
    const prefix = `${redis.prefix}-foreign`
    const store = new RedisParties(redis.connect({ prefix }))
    const key = `${prefix}:{a}:parties:state`
    const client = redis.client()
    await client.hset(key, { mine: "1" })
    for (const ask of [() => store.isBroken("a"), () => store.abort("a"), () => store.reset("a")]) {
      const error = (await rejectionOf(ask())) as StoreError
      assert.strictEqual(error.reason, "wrong type")
      assert.include(error.message, key)
    }
    assert.deepEqual(await client.hgetall(key), { mine: "1" })
  })

  it("of an event is left alone, and named", async () => {
    const prefix = `${redis.prefix}-foreign`
    const store = new RedisLatches(redis.connect({ prefix }))
    const key = `${prefix}:{a}:latch:state`
    const client = redis.client()
    await client.hset(key, { mine: "1" })
    for (const ask of [() => store.set({ name: "a" }), () => store.pulse("a"), () => store.clear("a")]) {
      const error = (await rejectionOf(ask())) as StoreError
      assert.strictEqual(error.reason, "wrong type")
      assert.include(error.message, key)
    }
    assert.deepEqual(await client.hgetall(key), { mine: "1" })
  })
})

describeRedis(
  "a server that has no memory left",
  (redis) => {
    it("refuses new leases, and renews and takes back those that there are", async () => {
      const connection = redis.connect({ prefix: `${redis.prefix}-memory` })
      const store = new RedisLeases(connection)
      const ask = (holder: string) => ({ name: "a", holder, permits: 1, limit: 2, lease: 60_000 })
      assert.strictEqual((await store.acquire(ask("one"))).kind, "granted")
      await connection.send("CONFIG", ["SET", "maxmemory", "1"])
      try {
        assert.include(String(await rejectionOf(store.acquire(ask("two")))), "OOM")
        assert.isTrue(await store.renew({ name: "a", holder: "one", lease: 60_000 }))
        assert.isTrue((await store.release({ name: "a", holder: "one" })).held)
      } finally {
        await connection.send("CONFIG", ["SET", "maxmemory", "0"])
      }
    })

    it("refuses more items, and gives those that there are, and hears of what is done, and what has failed", async () => {
      const connection = redis.connect({ prefix: `${redis.prefix}-memory` })
      const queue = new DistributedQueue<string>(new RedisDeliveries(connection), {
        name: "q",
        retry: { jitter: "none" }
      })
      for (const item of ["a", "b", "c"]) await queue.offer(item)
      const [first, second] = [await queue.take(), await queue.take()]
      await connection.send("CONFIG", ["SET", "maxmemory", "1"])
      try {
        assert.include(String(await rejectionOf(queue.offer("d"))), "OOM")
        await first.acknowledge()
        await second.reject({ reason: "it failed", delay: 0 })
      } finally {
        await connection.send("CONFIG", ["SET", "maxmemory", "0"])
      }
      assert.deepInclude(await queue.size(), { dead: 0 })
      const rest = [await queue.take(), await queue.take()].map(({ attempt, item }) => `${item}${attempt}`)
      assert.deepStrictEqual(rest.toSorted(), ["b2", "c1"])
    })
  },
  { faults: true }
)
