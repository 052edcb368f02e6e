/** Leases on a Redis server: the laws of every store, those of the locks over it, and what only a server has. */
import { assert, it } from "@effect/vitest"
import { acquire } from "../../src/core/redis/leases.js"
import { StoreError } from "../../src/core/storeError.js"
import { RedisLeases } from "../../src/redis/leases.js"
import { distributedMutexLaws } from "../laws/DistributedMutex.js"
import { distributedSemaphoreLaws, type StoreFactory } from "../laws/DistributedSemaphore.js"
import { leaseStoreLaws } from "../laws/LeaseStore.js"
import { promise, Recorded, skins, until } from "../laws/leaseSkins.js"
import { describeRedis, type RedisServer } from "../utils/redis.js"
import { rejectionOf } from "../utils/rejection.js"

const lease = 60_000

const ask = (holder: string, rest: object = {}) => ({ name: "a", holder, permits: 1, limit: 1, lease, ...rest })

const later = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))

let prefixes = 0

/** Keys of its own for each test. */
const prefixOf = (redis: RedisServer): string => `${redis.prefix}-${prefixes++}`

const storeOf = (redis: RedisServer, prefix = prefixOf(redis)) => {
  const connection = redis.connect({ prefix })
  return { prefix, connection, store: new RedisLeases(connection) }
}

describeRedis("leases on Redis", (redis) => {
  leaseStoreLaws({
    name: "redis",
    slack: 25,
    open: async () => {
      const connection = redis.connectOnAClock({ prefix: prefixOf(redis) })
      const advance = async (milliseconds: number) => void (connection.now += milliseconds * 1000)
      return { store: new RedisLeases(connection), advance, close: async () => connection.close() }
    }
  })

  const server: StoreFactory = {
    name: "redis",
    open: async () => {
      const prefix = prefixOf(redis)
      const connections: Array<() => void> = []
      return {
        // A connection each, as processes have.
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
  // Both in one line is the same over every store: that is shown over memory.
  for (const skin of skins.filter(({ name }) => name !== "mixed")) {
    distributedSemaphoreLaws(skin, server)
    distributedMutexLaws(skin, server)
  }

  const keysOf = async (prefix: string) => {
    const client = redis.client()
    const keys = (await client.keys(`${prefix}:*`)).toSorted()
    return Promise.all(keys.map(async (key) => ({ key: key.slice(prefix.length), ttl: await client.pttl(key) })))
  }

  /** What is kept for all: eight bytes for each of these. */
  const parts = ["limit", "used", "fence", "seen", "shift", "first", "kept"] as const
  type Parts = Record<(typeof parts)[number], number>

  const read = async (prefix: string, field: string): Promise<ReadonlyArray<number>> => {
    const bytes = (await redis.client().hgetBuffer(`${prefix}:{a}:leases`, field))!
    return Array.from({ length: bytes.length / 8 }, (_, i) => bytes.readDoubleLE(8 * i))
  }

  const write = async (prefix: string, field: string, numbers: ReadonlyArray<number>): Promise<void> => {
    const bytes = Buffer.alloc(8 * numbers.length)
    numbers.forEach((number, i) => bytes.writeDoubleLE(number, 8 * i))
    await redis.client().hset(`${prefix}:{a}:leases`, field, bytes)
  }

  const stateOf = async (prefix: string): Promise<Parts> => {
    const numbers = await read(prefix, "state")
    return Object.fromEntries(parts.map((part, i) => [part, numbers[i]!])) as Parts
  }

  const change = async (prefix: string, changes: Partial<Parts>): Promise<void> => {
    const state = { ...(await stateOf(prefix)), ...changes }
    await write(
      prefix,
      "state",
      parts.map((part) => state[part])
    )
  }

  it("a name has one key, which expires a day after the lease; what is given back leaves the latest token", async () => {
    const { prefix, store } = storeOf(redis)
    const answer = await store.acquire(ask("one"))
    const [key, ...rest] = await keysOf(prefix)
    assert.deepStrictEqual(rest, [])
    assert.strictEqual(key!.key, ":{a}:leases")
    assert.isAtMost(key!.ttl, lease + 86_400_000)
    assert.isAbove(key!.ttl, lease + 86_390_000)
    await store.release({ name: "a", holder: "one" })
    const [left] = await keysOf(prefix)
    assert.isAbove(left!.ttl, 86_390_000)
    assert.deepStrictEqual(Object.keys(await redis.client().hgetall(`${prefix}:{a}:leases`)), ["state"])
    const { fence, used } = await stateOf(prefix)
    assert.strictEqual(used, 0)
    assert.deepInclude(answer, { token: fence })
  })

  it("a key that is used is kept: half a day before it would expire, it is told again", async () => {
    const { prefix, store } = storeOf(redis)
    const client = redis.client()
    await store.acquire(ask("one"))
    const { kept } = await stateOf(prefix)
    for (const question of [
      () => store.renew({ name: "a", holder: "one", lease }),
      () => store.acquire(ask("two", { limit: 2 }))
    ]) {
      await change(prefix, { kept, limit: 2 })
      await client.pexpire(`${prefix}:{a}:leases`, 1_000_000)
      await question()
      assert.isAtMost((await keysOf(prefix))[0]!.ttl, 1_000_000, "it need not be told")
      await change(prefix, { kept: kept - 43_300_000 })
      await question()
      assert.isAbove((await keysOf(prefix))[0]!.ttl, lease + 86_390_000)
      await store.release({ name: "a", holder: "two" })
    }
  })

  it("a key that holds something else is left alone: a StoreError names it", async () => {
    const { prefix, store } = storeOf(redis)
    const client = redis.client()
    const key = `${prefix}:{a}:leases`
    const theirs = [
      { make: () => client.set(key, "mine"), look: () => client.get(key) },
      { make: () => client.hset(key, { mine: "1" }), look: () => client.hgetall(key) },
      { make: () => client.hset(key, { state: "mine" }), look: () => client.hgetall(key) },
      { make: () => client.zadd(key, 1, "mine"), look: () => client.zrange(key, 0, -1) }
    ]
    for (const { look, make } of theirs) {
      await make()
      const before = await look()
      for (const question of [
        () => store.acquire(ask("one")),
        () => store.renew({ name: "a", holder: "one", lease }),
        () => store.release({ name: "a", holder: "one" })
      ]) {
        const error = (await rejectionOf(question())) as StoreError
        assert.instanceOf(error, StoreError)
        assert.strictEqual(error.reason, "wrong type")
        assert.include(error.message, key)
      }
      assert.deepEqual(await look(), before)
      await client.del(key)
    }
  })

  it("if the server loses the key, nobody holds anything, and tokens go on growing", async () => {
    const { prefix, store } = storeOf(redis)
    const first = await store.acquire(ask("one", { permits: 2, limit: 3 }))
    await redis.client().del(`${prefix}:{a}:leases`)
    assert.isFalse(await store.renew({ name: "a", holder: "one", lease }))
    const second = await store.acquire(ask("two", { permits: 3, limit: 3 }))
    assert.isTrue(first.kind === "granted" && second.kind === "granted" && second.token > first.token)
    assert.isFalse((await store.release({ name: "a", holder: "one" })).held)
    assert.strictEqual((await store.acquire(ask("three", { limit: 3 }))).kind, "busy")
    await store.release({ name: "a", holder: "two" })
    assert.strictEqual((await store.acquire(ask("three", { permits: 3, limit: 3 }))).kind, "granted")
  })

  it("who is refused hears when the first lease ends, also after some were renewed", async () => {
    const { store } = storeOf(redis)
    const of = { limit: 2 }
    await store.acquire(ask("one", { ...of, lease: 100 }))
    await store.acquire(ask("two", { ...of, lease: 400 }))
    await store.renew({ name: "a", holder: "one", lease: 1000 })
    // Nobody has looked since: it may be early, and then it says the next time.
    const early = await store.acquire(ask("three", of))
    assert.isTrue(early.kind === "busy" && early.retryAfter <= 100, JSON.stringify(early))
    await later(105)
    const exact = await store.acquire(ask("three", of))
    assert.isTrue(exact.kind === "busy" && exact.retryAfter > 200 && exact.retryAfter <= 295, JSON.stringify(exact))
    await later(300)
    assert.strictEqual((await store.acquire(ask("three", of))).kind, "granted")
    assert.strictEqual((await store.acquire(ask("four", of))).kind, "busy")
    assert.isFalse(await store.renew({ name: "a", holder: "two", lease }))
  })

  it("tokens are the server's time in microseconds, or one more than the latest", async () => {
    const { prefix, store } = storeOf(redis)
    const [seconds, micros] = await redis.client().time()
    const answer = await store.acquire(ask("one"))
    assert.strictEqual(answer.kind, "granted")
    const token = answer.kind === "granted" ? answer.token : 0
    assert.isAtLeast(token, Number(seconds) * 1e6 + Number(micros))
    assert.isBelow(token, Number(seconds) * 1e6 + Number(micros) + 10e6)
    // As if the clock had been set back since.
    await store.release({ name: "a", holder: "one" })
    const latest = 8_999_999_999_999_990
    await change(prefix, { fence: latest })
    assert.deepInclude(await store.acquire(ask("two")), { token: latest + 1 })
  })

  it("a server's clock that is set back does not make a lease longer", async () => {
    const { prefix, store } = storeOf(redis)
    await store.acquire(ask("one", { lease: 200 }))
    // As if an hour ahead until now.
    const hour = 3_600_000
    const [permits, token, ends] = await read(prefix, ":one")
    await write(prefix, ":one", [permits!, token!, ends! + hour])
    const { first, seen } = await stateOf(prefix)
    await change(prefix, { first: first + hour, seen: seen + hour })
    assert.isTrue(await store.renew({ name: "a", holder: "one", lease: 200 }))
    const answer = await store.acquire(ask("two", { lease: 200 }))
    assert.isTrue(answer.kind === "busy" && answer.retryAfter <= 200, JSON.stringify(answer))
    await later(205)
    assert.strictEqual((await store.acquire(ask("two", { lease: 200 }))).kind, "granted")
    await later(205)
    assert.strictEqual((await store.acquire(ask("three", { lease: 200 }))).kind, "granted")
  })

  it("nor does it keep those waiting who ask for what a dead holder had", async () => {
    const connection = redis.connectOnAClock({ prefix: prefixOf(redis) })
    const store = new RedisLeases(connection)
    await store.acquire(ask("dead", { lease: 1000 }))
    connection.now -= 3_600_000_000
    for (let left = 1000; left > 0; left -= 250) {
      assert.deepInclude(await store.acquire(ask("one")), { kind: "busy", retryAfter: left })
      connection.now += 250_000
    }
    assert.strictEqual((await store.acquire(ask("one"))).kind, "granted")
  })

  it("a server that has forgotten its scripts is told them again", async () => {
    const { connection, store } = storeOf(redis)
    assert.strictEqual((await store.acquire(ask("one"))).kind, "granted")
    await connection.send("SCRIPT", ["FLUSH"])
    assert.isTrue(await store.renew({ name: "a", holder: "one", lease }))
    await connection.send("SCRIPT", ["FLUSH"])
    assert.strictEqual((await store.acquire(ask("two"))).kind, "busy")
    await connection.send("SCRIPT", ["FLUSH"])
    assert.isTrue((await store.release({ name: "a", holder: "one" })).held)
  })

  it("many leases that have ended are dropped at once, and cost those who come later nothing", async () => {
    const { prefix, store } = storeOf(redis)
    const limit = 500
    await Promise.all(Array.from({ length: limit }, (_, i) => store.acquire(ask(`${i}`, { limit, lease: 100 }))))
    await later(150)
    assert.strictEqual((await store.acquire(ask("next", { permits: limit, limit }))).kind, "granted")
    assert.strictEqual(await redis.client().hlen(`${prefix}:{a}:leases`), 2)
  })

  it("an answer that is none is a StoreError, and the caller has it", async () => {
    for (const reply of [null, 1, "OK", [1, 2], [2, 1, 1], [1, "x", 1], [0, 1.5, 1]]) {
      assert.throws(() => acquire.decode(reply, ask("one")), StoreError)
    }
  })

  it("64 who wait use two connections, and one subscription", async () => {
    const { prefix, store } = storeOf(redis)
    const recorded = new Recorded(store)
    const other = promise.open(storeOf(redis, prefix).store, 1)
    const handle = other.acquire("a", 1)
    await until("it is held", () => handle.state === "done")
    const before = Number(/connected_clients:(\d+)/.exec(await redis.client().info("clients"))![1])
    const driver = promise.open(recorded, 1, { poll: 10_000 })
    const all = Array.from({ length: 64 }, () => driver.hold("a", 1, async () => {}))
    await until("it watches", () => recorded.watching === 1)
    await until("it has asked again", () => recorded.count("acquire") === 2)
    await later(50)
    assert.deepStrictEqual(recorded.log, ["acquire", "watch", "acquire"])
    const after = Number(/connected_clients:(\d+)/.exec(await redis.client().info("clients"))![1])
    assert.isAtMost(after - before, 3)
    const channel = `${prefix}:{laws:a}:leases:freed`
    assert.deepStrictEqual(await redis.client().pubsub("NUMSUB", channel), [channel, 1])
    const released = handle.value.release()
    await until("all have had it", () => all.every(({ state }) => state === "done"))
    await until("it is given back", () => released.state === "done")
    assert.strictEqual(recorded.watching, 0)
  })
})
