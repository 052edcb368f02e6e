/** Flags on a Redis server: the laws of every store, those of the events over it, and what only a server has. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { DistributedEvent as Effects } from "effect-concurrency/distributed"
import { DistributedEvent, type LatchStore } from "effect-concurrency/promise/distributed"
import { Redis } from "effect-concurrency/promise/redis"
import { layer, layerLatches } from "effect-concurrency/redis"
import { StoreError } from "../../src/core/storeError.js"
import { RedisLatches } from "../../src/redis/latches.js"
import { distributedEventLaws } from "../laws/DistributedEvent.js"
import { latchStoreLaws } from "../laws/LatchStore.js"
import { until } from "../laws/leaseSkins.js"
import { eventSkins } from "../laws/meetingSkins.js"
import type { StoreFactory } from "../laws/stores.js"
import { disturbed } from "../laws/stores.js"
import { describeRedis, type RedisServer } from "../utils/redis.js"
import { rejectionOf } from "../utils/rejection.js"

const later = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))

const day = 86_400_000

let prefixes = 0

const storeOf = (redis: RedisServer, prefix = `${redis.prefix}-${prefixes++}`) => {
  const connection = redis.connect({ prefix })
  return { prefix, key: `${prefix}:{a}:latch:state`, connection, store: new RedisLatches(connection) }
}

describeRedis("flags on Redis", (redis) => {
  latchStoreLaws({
    name: "redis",
    slack: 25,
    open: async () => {
      const { connection, store } = storeOf(redis)
      return { store, advance: later, close: async () => connection.close() }
    }
  })

  const server: StoreFactory<LatchStore> = {
    name: "redis",
    open: async () => {
      const prefix = `${redis.prefix}-${prefixes++}`
      const connections: Array<() => void> = []
      return {
        connect: () => {
          const { connection, store } = storeOf(redis, prefix)
          connections.push(() => connection.close())
          return store
        },
        close: async () => {
          for (const close of connections) close()
        }
      }
    }
  }
  for (const skin of eventSkins) distributedEventLaws(skin, server)

  it("a name has one key, which expires a day after it was changed last, or after its time; one that is set for ever does not", async () => {
    const { key, prefix, store } = storeOf(redis)
    const client = redis.client()
    const isNear = async (milliseconds: number) => {
      const ttl = await client.pttl(key)
      assert.isAtMost(ttl, milliseconds)
      assert.isAbove(ttl, milliseconds - 5000)
    }
    await store.clear("a")
    await store.look("a")
    assert.deepStrictEqual(await client.keys(`${prefix}:*`), [])
    await store.pulse("a")
    await isNear(day)
    await store.set({ name: "a", timeToLive: 10_000 })
    await isNear(day + 10_000)
    await store.pulse("a")
    await isNear(day + 10_000)
    await store.set({ name: "a" })
    assert.strictEqual(await client.pttl(key), -1)
    await store.pulse("a")
    assert.strictEqual(await client.pttl(key), -1)
    await store.clear("a")
    await isNear(day)
    assert.deepStrictEqual(await client.keys(`${prefix}:*`), [key])
  })

  it("counts are the server's time in microseconds, or one more than the latest: also when the key was lost", async () => {
    const { key, store } = storeOf(redis)
    const client = redis.client()
    await store.pulse("a")
    const { count } = await store.look("a")
    const [seconds, micros] = await client.time()
    assert.isAtMost(count, Number(seconds) * 1e6 + Number(micros))
    assert.isAbove(count, (Number(seconds) - 10) * 1e6)
    await client.del(key)
    await store.pulse("a")
    assert.isAbove((await store.look("a")).count, count)
    const late = 8_999_999_999_999_990
    await client.hset(key, "count", `${late}`)
    await store.set({ name: "a" })
    assert.deepStrictEqual(await store.look("a"), { isSet: true, count: late + 1 })
  })

  it("a key that holds something else is left alone: a StoreError names it", async () => {
    const { key, store } = storeOf(redis)
    const client = redis.client()
    await client.set(key, "mine")
    for (const question of [
      () => store.set({ name: "a" }),
      () => store.clear("a"),
      () => store.pulse("a"),
      () => store.look("a")
    ]) {
      const error = (await rejectionOf(question())) as StoreError
      assert.instanceOf(error, StoreError)
      assert.strictEqual(error.reason, "wrong type")
      assert.include(error.message, key)
    }
    assert.strictEqual(await client.get(key), "mine")
    assert.strictEqual(await client.pttl(key), -1)
  })

  it("a hash that has no count, or no clock, is somebody else's, whatever else it has: it is left alone", async () => {
    const client = redis.client()
    for (const fields of [
      { count: "5" },
      { count: "5", until: "inf" },
      { count: "many", seen: "1", shift: "0" },
      { count: "5", until: "tomorrow", seen: "1", shift: "0" },
      { count: "5", seen: "1.2.3", shift: "0" },
      { format: "2", count: "5", seen: "1" }
    ]) {
      const { key, store } = storeOf(redis)
      await client.hset(key, fields)
      for (const ask of [
        () => store.set({ name: "a" }),
        () => store.clear("a"),
        () => store.pulse("a"),
        () => store.look("a")
      ]) {
        const error = (await rejectionOf(ask())) as StoreError
        assert.strictEqual(error.reason, "wrong type")
        assert.include(error.message, key)
      }
      assert.deepEqual<Record<string, string>>(await client.hgetall(key), fields)
    }
  })

  describe("a server's clock that is set back", () => {
    const hour = 3_600_000

    const open = () => {
      const on = redis.connectOnAClock({ prefix: `${redis.prefix}-${prefixes++}` })
      const store = new RedisLatches(on)
      const advance = (milliseconds: number) => void (on.now += milliseconds * 1000)
      return { store, advance, isSet: async () => (await store.look("a")).isSet, key: `${on.prefix}:{a}:latch:state` }
    }

    it("keeps no flag that is set for a time, also when everybody only looks, and when it is set back again", async () => {
      const { advance, isSet, store } = open()
      await store.set({ name: "a", timeToLive: 1000 })
      for (let i = 0; i < 3; i++) {
        advance(-hour)
        assert.isTrue(await isSet())
      }
      advance(999)
      assert.isTrue(await isSet())
      advance(1)
      assert.isFalse(await isSet())
    })

    it("lets it last longer by what had passed since it was set or pulsed, and no more", async () => {
      const { advance, isSet, store } = open()
      await store.set({ name: "a", timeToLive: 1000 })
      advance(300)
      await store.pulse("a")
      advance(200)
      advance(-hour)
      assert.isTrue(await isSet())
      advance(699)
      assert.isTrue(await isSet())
      advance(1)
      assert.isFalse(await isSet())
    })

    it("whoever sets it then sets it for as long as he says; for ever is for ever; and the counts grow", async () => {
      const { advance, isSet, store } = open()
      await store.set({ name: "a", timeToLive: 1000 })
      const { count } = await store.look("a")
      advance(-hour)
      await store.set({ name: "a", timeToLive: 2000 })
      assert.strictEqual((await store.look("a")).count, count + 1)
      advance(1999)
      assert.isTrue(await isSet())
      advance(1)
      assert.isFalse(await isSet())
      await store.set({ name: "a" })
      advance(-hour)
      assert.isTrue(await isSet())
      advance(2 * hour)
      assert.isTrue(await isSet())
      await store.clear("a")
      assert.isFalse(await isSet())
      advance(-hour)
      await store.set({ name: "a", timeToLive: 1000 })
      advance(1000)
      assert.isFalse(await isSet())
    })

    it("is written by who only looks once, and only if a flag is set for a time; otherwise to look is two commands, and to set five", async () => {
      if (!redis.isOurs) return
      const { advance, isSet, key, store } = open()
      const client = redis.client()
      /** What is done is a question of the store; the test's own are a SET and the GET that stand for the clock. */
      const commands = async (f: () => Promise<unknown>) => {
        await client.config("RESETSTAT")
        await f()
        const stats = (await client.info("commandstats")).matchAll(/^cmdstat_(\w+):calls=(\d+)/gm)
        return Array.from(stats, ([, name, calls]) => `${name} ${calls}`)
          .filter((each) => /^(h|p|exists|del)/.test(each) && !each.startsWith("ping"))
          .toSorted()
      }
      await store.set({ name: "a", timeToLive: 1000 })
      assert.deepEqual(await commands(isSet), ["hmget 1"])
      assert.deepEqual(await commands(() => store.set({ name: "a", timeToLive: 1000 })), [
        "hmget 1",
        "hset 1",
        "persist 1",
        "publish 1"
      ])
      advance(-hour)
      assert.deepEqual(await commands(isSet), ["hmget 1", "hset 1"])
      assert.deepEqual(await commands(isSet), ["hmget 1"])
      await store.set({ name: "a" })
      const before = await client.hgetall(key)
      advance(-hour)
      assert.deepEqual(await commands(isSet), ["hmget 1"])
      assert.deepEqual(await client.hgetall(key), before)
    })
  })

  it("a program of effects and one of promises share a flag", async () => {
    const options = { url: redis.url, prefix: `${redis.prefix}-${prefixes++}` }
    const plain = new Redis(options)
    redis.onClose(() => plain.close())
    const event = new DistributedEvent(plain.latches)
    const waiting = event.wait("a")
    const program = Effect.flatMap(Effects.make(), (event) => event.set("a"))
    await Effect.runPromise(Effect.provide(program, Layer.provide(layerLatches, layer(options))))
    await waiting
    assert.isTrue(await event.isSet("a"))
  })

  it("a server that has forgotten its scripts is told them again", async () => {
    const { connection, store } = storeOf(redis)
    const flush = () => connection.send("SCRIPT", ["FLUSH"])
    await store.set({ name: "a" })
    await flush()
    assert.isTrue((await store.look("a")).isSet)
    await flush()
    await store.clear("a")
    await flush()
    await store.pulse("a")
    await flush()
    await store.set({ name: "a" })
    assert.isTrue((await store.look("a")).isSet)
  })
})

describeRedis(
  "flags on Redis, when it fails",
  (redis) => {
    const open = (poll: number) => {
      const { prefix, store } = storeOf(redis)
      const { it, store: seen } = disturbed<LatchStore>(store)
      const setter = new DistributedEvent(storeOf(redis, prefix).store)
      return { event: new DistributedEvent(seen, { poll }), setter, it }
    }

    /** Waits, and has heard of nothing. */
    const begun = async ({ event, it }: ReturnType<typeof open>) => {
      const state = { is: "waiting" as "waiting" | "done" | "failed" }
      event.wait("a").then(
        () => (state.is = "done"),
        () => (state.is = "failed")
      )
      await until("it watches, and has asked again", () => it.watching === 1 && it.count("look") >= 2)
      return state
    }

    it("those who listen are cut off: whoever waits looks again when they listen again, and misses nothing", async () => {
      const all = open(60_000)
      const state = await begun(all)
      const client = redis.client()
      await Promise.all([client.client("KILL", "TYPE", "pubsub"), all.setter.set("a"), all.setter.clear("a")])
      await until("it is let go", () => state.is === "done")
    })

    it("all connections are cut while it waits: it asks again, and is let go", async () => {
      const all = open(60)
      const state = await begun(all)
      await redis.client().client("KILL", "TYPE", "normal", "SKIPME", "yes")
      await later(100)
      await all.setter.pulse("a")
      await until("it is let go", () => state.is !== "waiting")
      assert.strictEqual(state.is, "done")
    })

    it("the server starts again with nothing in it: those who wait go on waiting, and are let go by the next who sets it", async () => {
      const all = open(60)
      await all.setter.pulse("a")
      const state = await begun(all)
      await redis.restart()
      await later(150)
      assert.strictEqual(state.is, "waiting")
      await all.setter.pulse("a")
      await until("it is let go", () => state.is !== "waiting")
      assert.strictEqual(state.is, "done")
    })

    it("the server does not answer: those who wait fail with StoreError after the timeout, twice", async () => {
      const connection = redis.connect({ timeout: 150 })
      const event = new DistributedEvent(new RedisLatches(connection), { poll: 30 })
      const waiting = event.wait("b")
      await later(60)
      redis.stop()
      try {
        assert.instanceOf(await rejectionOf(waiting), StoreError)
      } finally {
        redis.continue()
      }
    })
  },
  { faults: true }
)
