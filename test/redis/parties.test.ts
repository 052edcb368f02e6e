/** Barriers on a Redis server: the laws of every store, those of the barriers over it, and what only a server has. */
import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { DistributedBarrier as Effects } from "effect-concurrency/distributed"
import { buildSync } from "esbuild"
import { type ChildProcess, fork } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { BrokenBarrier, DistributedBarrier, LeaseLost, type PartyStore } from "effect-concurrency/promise/distributed"
import { Redis } from "effect-concurrency/promise/redis"
import { layer, layerParties } from "effect-concurrency/redis"
import { afterAll, beforeAll, vi } from "vitest"
import { StoreError } from "../../src/core/storeError.js"
import { RedisParties } from "../../src/redis/parties.js"
import { distributedBarrierLaws } from "../laws/DistributedBarrier.js"
import { until } from "../laws/leaseSkins.js"
import { barrierSkins } from "../laws/meetingSkins.js"
import { partyStoreLaws } from "../laws/PartyStore.js"
import { disturbed, type StoreFactory } from "../laws/stores.js"
import { describeRedis, type RedisServer } from "../utils/redis.js"
import { rejectionOf } from "../utils/rejection.js"
import { root } from "../utils/source.js"

const later = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))

const lease = 60_000

const parts = ["past", "state", "waiting"]

let prefixes = 0

const storeOf = (redis: RedisServer, prefix = `${redis.prefix}-${prefixes++}`, timeout = 2000) => {
  const connection = redis.connect({ prefix, timeout })
  return {
    prefix,
    key: (part: string) => `${prefix}:{a}:parties:${part}`,
    connection,
    store: new RedisParties(connection)
  }
}

const of = (party: string) => ({ name: "a", party, lease })

const arrival = (party: string, parties = 2) => ({ ...of(party), parties })

describeRedis("barriers on Redis", (redis) => {
  partyStoreLaws({
    name: "redis",
    slack: 25,
    open: async () => {
      const { connection, store } = storeOf(redis)
      return { store, advance: later, close: async () => connection.close() }
    }
  })

  const server: StoreFactory<PartyStore> = {
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
  for (const skin of barrierSkins) distributedBarrierLaws(skin, server)

  it("a name has three keys in one hash slot, all of which expire; one that only asks leaves none", async () => {
    const { key, prefix, store } = storeOf(redis)
    const client = redis.client()
    const keysAre = async (names: ReadonlyArray<string>, ttl: number) => {
      const keys = await client.keys(`${prefix}:*`)
      assert.deepStrictEqual(keys.toSorted(), names.map(key))
      for (const each of keys) {
        const left = await client.pttl(each)
        assert.isAtMost(left, ttl)
        assert.isAbove(left, ttl - 5000)
      }
    }
    assert.isFalse(await store.isBroken("a"))
    await store.renew(of("one"))
    await keysAre([], 0)
    await store.arrive(arrival("one", 3))
    await keysAre(["state", "waiting"], 2 * lease + 60_000)
    await store.arrive(arrival("two", 3))
    await store.withdraw({ ...of("one"), breaks: false })
    await keysAre(parts, 2 * lease + 60_000)
    await store.abort("a")
    await store.arrive(arrival("three", 3))
    await keysAre(["past", "state"], 86_400_000)
  })

  it("what is remembered of those who have passed is forgotten, however many generations there were", async () => {
    const { key, store } = storeOf(redis)
    for (let i = 0; i < 50; i++) await store.arrive({ ...arrival(`${i}`), lease: 100 })
    await later(205)
    await store.arrive(arrival("last"))
    const fields = Object.keys(await redis.client().hgetall(key("state")))
    assert.deepStrictEqual(
      fields.filter((field) => field.startsWith(":")),
      [":last"]
    )
    assert.strictEqual(await redis.client().zcard(key("past")), 0)
  })

  it("keys that hold something else are left alone: a StoreError names them", async () => {
    const { key, prefix, store } = storeOf(redis)
    const client = redis.client()
    for (const part of parts) {
      await client.set(key(part), "mine")
      for (const question of [
        () => store.arrive(arrival("one")),
        () => store.renew(of("one")),
        () => store.withdraw({ ...of("one"), breaks: true }),
        () => store.reset("a"),
        () => store.abort("a"),
        () => store.isBroken("a")
      ]) {
        const error = (await rejectionOf(question())) as StoreError
        assert.instanceOf(error, StoreError)
        assert.strictEqual(error.reason, "wrong type")
        assert.include(error.message, key(part))
      }
      assert.strictEqual(await client.get(key(part)), "mine")
      assert.deepStrictEqual(await client.keys(`${prefix}:*`), [key(part)])
      await client.del(key(part))
    }
  })

  it("a sorted set, or a hash, of somebody else is left alone, also beside a barrier", async () => {
    const client = redis.client()
    const everything = async (prefix: string) => {
      const keys = (await client.keys(`${prefix}:*`)).toSorted()
      return Promise.all(keys.map(async (each) => [each, await client.dumpBuffer(each)]))
    }
    const refuses = async (store: RedisParties, key: string) => {
      for (const question of [
        () => store.arrive(arrival("two")),
        () => store.renew(of("one")),
        () => store.withdraw({ ...of("one"), breaks: true }),
        () => store.reset("a"),
        () => store.abort("a"),
        () => store.isBroken("a")
      ]) {
        const error = (await rejectionOf(question())) as StoreError
        assert.strictEqual(error.reason, "wrong type")
        assert.include(error.message, key)
      }
    }
    for (const part of ["waiting", "past"]) {
      for (const score of [3, -1, 1_700_000_000, 1_700_000_000_000_000]) {
        for (const isNew of [true, false]) {
          const { key, prefix, store } = storeOf(redis)
          if (!isNew) await store.arrive(arrival("one"))
          await client.del(key(part))
          await client.zadd(key(part), score, "mine")
          const before = await everything(prefix)
          await refuses(store, key(part))
          assert.deepStrictEqual(await everything(prefix), before)
        }
      }
    }
    const { key, prefix, store } = storeOf(redis)
    await client.hset(key("state"), { parties: "2", generation: "1", broken: "0", seen: "1", shift: "parties/2" })
    const before = await everything(prefix)
    await refuses(store, key("state"))
    assert.deepStrictEqual(await everything(prefix), before)
  })

  it("if the server loses one of the keys, nobody is waited for who does not wait; a new generation passes", async () => {
    for (const part of parts) {
      const { key, store } = storeOf(redis)
      await store.arrive(arrival("zero", 4))
      await store.arrive(arrival("one", 4))
      await store.withdraw({ ...of("zero"), breaks: false })
      await redis.client().del(key(part))
      if (part === "state" || part === "waiting") {
        assert.deepStrictEqual(await store.renew(of("one")), { kind: "unknown" })
        for (const party of ["two", "three", "four"]) await store.arrive(arrival(party, 4))
      } else {
        for (const party of ["two", "three"]) await store.arrive(arrival(party, 4))
      }
      assert.deepStrictEqual(await store.arrive(arrival("last", 4)), { kind: "passed", parties: 4, index: 3 })
    }
  })

  it("a server's clock that is set back does not keep a party that is gone", async () => {
    const { key, store } = storeOf(redis)
    const client = redis.client()
    await store.arrive({ ...arrival("one"), lease: 200 })
    const hour = 3_600_000
    await client.zincrby(key("waiting"), hour, "one")
    await client.hincrby(key("state"), "seen", hour)
    assert.strictEqual((await store.renew({ ...of("one"), lease: 200 })).kind, "waiting")
    await later(205)
    assert.isTrue(await store.isBroken("a"))
  })

  it("nor when it is only asked whether it is broken", async () => {
    const connection = redis.connectOnAClock({ prefix: `${redis.prefix}-${prefixes++}` })
    const store = new RedisParties(connection)
    await store.arrive({ ...arrival("one"), lease: 1000 })
    connection.now -= 3_600_000_000
    for (let i = 0; i < 4; i++) {
      assert.isFalse(await store.isBroken("a"))
      connection.now += 250_000
    }
    connection.now += 1000
    assert.isTrue(await store.isBroken("a"))
  })

  it("a program of effects and one of promises meet", async () => {
    const options = { url: redis.url, prefix: `${redis.prefix}-${prefixes++}` }
    const plain = new Redis(options)
    redis.onClose(() => plain.close())
    const waiting = new DistributedBarrier(plain.parties, { parties: 2 }).wait("a")
    const program = Effect.flatMap(Effects.make({ parties: 2 }), (barrier) => barrier.wait("a"))
    const index = await Effect.runPromise(Effect.provide(program, Layer.provide(layerParties, layer(options))))
    assert.strictEqual(index + (await waiting), 1)
  })

  it("a server that has forgotten its scripts is told them again", async () => {
    const { connection, store } = storeOf(redis)
    const flush = () => connection.send("SCRIPT", ["FLUSH"])
    await store.arrive(arrival("one"))
    await flush()
    assert.strictEqual((await store.renew(of("one"))).kind, "waiting")
    await flush()
    assert.strictEqual((await store.arrive(arrival("two"))).kind, "passed")
    await flush()
    await store.withdraw({ ...of("three"), breaks: false })
    await flush()
    await store.abort("a")
    await flush()
    assert.isTrue(await store.isBroken("a"))
    await flush()
    await store.reset("a")
    assert.isFalse(await store.isBroken("a"))
  })
})

describeRedis(
  "barriers on Redis, when something fails",
  (redis) => {
    const open = (
      options: { readonly poll?: number; readonly lease?: number; readonly prefix?: string; timeout?: number } = {}
    ) => {
      const { prefix, store } = storeOf(redis, options.prefix, options.timeout)
      const { it, store: seen } = disturbed<PartyStore>(store)
      const { lease = 60_000, poll = 60_000 } = options
      return { prefix, it, barrier: new DistributedBarrier(seen, { parties: 2, lease, poll, prefix: "p" }) }
    }

    const folder = mkdtempSync(join(tmpdir(), "party-"))
    const file = join(folder, "party.cjs")
    const children = new Set<ChildProcess>()

    beforeAll(() => {
      const entry = join(root, "test/redis/processes/party.ts")
      buildSync({
        entryPoints: [entry],
        outfile: file,
        bundle: true,
        platform: "node",
        format: "cjs",
        logLevel: "error"
      })
    })

    afterAll(() => {
      for (const child of children) child.kill("SIGKILL")
      rmSync(folder, { recursive: true, force: true })
    })

    /** Another process, which has begun to wait. */
    const start = async (prefix: string, parties: number, lease: number) => {
      const options = { url: redis.url, prefix, name: "a", parties, lease }
      const child = fork(file, [JSON.stringify(options)], { execArgv: [], stdio: "ignore" })
      children.add(child)
      const told: Array<string> = []
      child.on("message", (text) => told.push(text as string))
      const key = `${prefix}:{barrier:a}:parties:waiting`
      const client = redis.client()
      const before = await client.zcard(key)
      for (let i = 0; (await client.zcard(key)) === before; i++) {
        if (i > 1000) throw new Error("it does not arrive")
        await later(5)
      }
      return { child, told }
    }

    it("a party is killed: the others get BrokenBarrier when its lease ends, and not before", async () => {
      const { prefix, store } = storeOf(redis)
      const leaseOfTheDead = 600
      const { child } = await start(prefix, 3, leaseOfTheDead)
      const barrier = new DistributedBarrier(store, { parties: 3, poll: 50 })
      const waiting = barrier.wait("a")
      child.kill("SIGKILL")
      const at = performance.now()
      assert.instanceOf(await rejectionOf(waiting), BrokenBarrier)
      const took = performance.now() - at
      assert.isAbove(took, leaseOfTheDead - leaseOfTheDead / 3 - 60)
      assert.isBelow(took, leaseOfTheDead + 1000)
      assert.instanceOf(await rejectionOf(barrier.wait("a")), BrokenBarrier)
      assert.isTrue(await barrier.isBroken("a"))
    })

    it("a party is stopped for longer than its lease: the others get BrokenBarrier, and so does it when it goes on", async () => {
      const { prefix, store } = storeOf(redis)
      const { child, told } = await start(prefix, 3, 300)
      const barrier = new DistributedBarrier(store, { parties: 3, poll: 50 })
      const waiting = barrier.wait("a")
      child.kill("SIGSTOP")
      assert.instanceOf(await rejectionOf(waiting), BrokenBarrier)
      child.kill("SIGCONT")
      await until("it is told", () => told.length === 2)
      assert.deepStrictEqual(told, ["begun", "BrokenBarrier"])
    })

    it("a party is stopped while the others pass: it passes, too, when it goes on", async () => {
      const { prefix, store } = storeOf(redis)
      const { child, told } = await start(prefix, 2, 1200)
      child.kill("SIGSTOP")
      assert.strictEqual(await new DistributedBarrier(store, { parties: 2 }).wait("a"), 1)
      await later(1300)
      child.kill("SIGCONT")
      await until("it is told", () => told.length === 2)
      assert.deepStrictEqual(told, ["begun", "0"])
    })

    it("those who listen are cut off while all pass: whoever waits asks when it listens again", async () => {
      const one = open()
      const waiting = one.barrier.wait("a")
      await until("it listens", () => one.it.watching === 1 && one.it.count("renew") >= 1)
      const other = open({ prefix: one.prefix })
      await Promise.all([redis.client().client("KILL", "TYPE", "pubsub"), other.barrier.wait("a")])
      assert.strictEqual(await waiting, 0)
    })

    it("all connections are cut while they wait, again and again: nobody is lost", async () => {
      const one = open({ poll: 30 })
      const other = open({ poll: 30, prefix: one.prefix })
      const waiting = one.barrier.wait("a")
      const client = redis.client()
      for (let i = 0; i < 3; i++) {
        await later(40)
        await client.client("KILL", "TYPE", "normal", "SKIPME", "yes")
      }
      await later(40)
      assert.strictEqual(await other.barrier.wait("a"), 1)
      assert.strictEqual(await waiting, 0)
    })

    it("the server starts again with nothing in it: whoever waits is told that it does not know him; then all is as new", async () => {
      const one = open({ poll: 30 })
      const waiting = rejectionOf(one.barrier.wait("a"))
      await until("it waits", () => one.it.count("renew") >= 1)
      await redis.restart()
      const loss = await waiting
      assert.instanceOf(loss, LeaseLost)
      assert.deepInclude(loss, { resource: "a", reason: "unknown to the store" })
      const other = open({ prefix: one.prefix })
      assert.deepStrictEqual(
        await Promise.all([one.barrier.wait("a"), other.barrier.wait("a")]).then((all) => all.sort()),
        [0, 1]
      )
    })

    it("the server does not answer: whoever waits gives up when its lease has ended; whoever comes, after two questions", async () => {
      const one = open({ poll: 30, lease: 600, timeout: 200 })
      const waiting = rejectionOf(one.barrier.wait("a"))
      await until("it waits", () => one.it.count("renew") >= 1)
      const told = vi.spyOn(console, "error").mockImplementation(() => {})
      redis.stop()
      try {
        const at = performance.now()
        const late = rejectionOf(one.barrier.wait("b"))
        const loss = await waiting
        assert.instanceOf(loss, LeaseLost)
        assert.deepInclude(loss, { reason: "expired" })
        assert.isBelow(performance.now() - at, 600 + 1000)
        assert.instanceOf(await late, StoreError)
        await until("it is reported", () =>
          told.mock.calls.some(([text]) => `${text}`.includes("could not be withdrawn"))
        )
      } finally {
        told.mockRestore()
        redis.continue()
      }
    })
  },
  { faults: true }
)
