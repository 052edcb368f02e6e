import { assert, describe, it } from "@effect/vitest"
import { StoreError } from "effect-concurrency/promise"
import { RedisDeliveries } from "../../src/redis/deliveries.js"
import type { ExchangeRequest, Outcome } from "../../src/core/deliveries.js"
import { deliveryStoreLaws } from "../laws/DeliveryStore.js"
import { describeRedis } from "../utils/redis.js"
import { rejectionOf } from "../utils/rejection.js"

const later = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))

const asks = (more: Partial<ExchangeRequest>): ExchangeRequest => ({
  name: "q",
  settle: [],
  renew: [],
  take: [],
  lease: 10_000,
  attempts: 3,
  remember: 60_000,
  ...more
})

let opened = 0

describeRedis("deliveries on Redis", (redis) => {
  deliveryStoreLaws({
    name: "redis",
    open: async () => {
      // One server for the file: each store has a prefix of its own.
      const connection = redis.connectOnAClock({ prefix: `${redis.prefix}-${opened++}` })
      return {
        store: new RedisDeliveries(connection),
        advance: async (milliseconds) => void (connection.now += milliseconds * 1000),
        settle: () => later(10),
        close: async () => connection.close()
      }
    }
  })

  const queueKeys = (prefix: string) => redis.client().keys(`${prefix}:*`)

  it("a queue that is empty leaves nothing behind that does not expire", async () => {
    const prefix = `${redis.prefix}-empty`
    const store = new RedisDeliveries(redis.connect({ prefix }))
    const client = redis.client()
    await store.offer({
      name: "q",
      items: [
        { id: "a", payload: "1", named: true },
        { id: "b", payload: "2", named: false },
        { id: "c", payload: "3", named: false }
      ]
    })
    await store.exchange(asks({ take: ["1", "2", "3"] }))
    await store.exchange(
      asks({
        settle: [
          { delivery: "1", outcome: { kind: "acknowledge" } },
          { delivery: "2", outcome: { kind: "reject", delay: 0, reason: "" } },
          { delivery: "3", outcome: { kind: "bury", reason: "x" } }
        ]
      })
    )
    await store.purge({ name: "q" })
    await store.exchange(asks({ take: ["4"] }))
    await store.exchange(asks({ settle: [{ delivery: "4", outcome: { kind: "acknowledge" } }] }))
    const keys = await queueKeys(prefix)
    assert.deepEqual(keys.toSorted(), [`${prefix}:{q}:queue:done`, `${prefix}:{q}:queue:state`])
    for (const key of keys) assert.isAbove(await client.pttl(key), 0, key)
  })

  it("all keys of a queue are in one slot of a cluster: they have one hash tag", async () => {
    const prefix = `${redis.prefix}-slots`
    const store = new RedisDeliveries(redis.connect({ prefix }))
    await store.offer({ name: "a}b{c", items: [{ id: "a", payload: "1", named: true }] })
    const keys = await queueKeys(prefix)
    assert.isAbove(keys.length, 2)
    for (const key of keys) assert.strictEqual(/\{(.*?)\}/.exec(key)?.[1], "a")
  })

  type Questions = ReadonlyArray<() => Promise<unknown>>

  const everyQuestion = (store: RedisDeliveries): Questions => [
    () => store.offer({ name: "q", items: [{ id: "a", payload: "1", named: true }] }),
    () => store.exchange(asks({ take: ["1"], settle: [{ delivery: "0", outcome: { kind: "acknowledge" } }] })),
    () => store.counts("q"),
    () => store.deadLetters("q", 1),
    () => store.requeue({ name: "q" }),
    () => store.purge({ name: "q", ids: ["a"] })
  ]

  /** What would change a set, or answer by it, when "0" is in hand. */
  const touching = (store: RedisDeliveries): Record<string, Questions> => {
    const settle = (outcome: Outcome) => () => store.exchange(asks({ settle: [{ delivery: "0", outcome }] }))
    const inHand = () => store.exchange(asks({ renew: ["0"], take: ["1"] }))
    const dead = [() => store.deadLetters("q", 1), () => store.requeue({ name: "q" }), () => store.purge({ name: "q" })]
    return {
      ready: everyQuestion(store),
      leased: [inHand, () => store.exchange(asks({ renew: ["0"] })), () => store.counts("q")],
      delayed: [inHand, () => store.counts("q")],
      dead: [
        ...dead,
        settle({ kind: "bury", reason: "" }),
        settle({ kind: "reject", delay: 0, reason: "" }),
        () => store.counts("q")
      ],
      done: [settle({ kind: "acknowledge" })]
    }
  }

  const refuses = async (questions: Questions, key: string) => {
    for (const ask of questions) {
      const error = await rejectionOf(ask())
      assert.instanceOf(error, StoreError)
      assert.strictEqual(error.reason, "wrong type")
      assert.include(error.message, key)
    }
  }

  it("something else under one of its keys is an error that names it, whatever is asked, and is left as it is", async () => {
    const client = redis.client()
    const parts = ["ready", "items", "meta", "leased", "names", "delayed", "dead", "reasons", "done", "state"]
    for (const part of parts) {
      const prefix = `${redis.prefix}-type-${part}`
      const key = `${prefix}:{q}:queue:${part}`
      await client.set(key, "mine")
      await refuses(everyQuestion(new RedisDeliveries(redis.connect({ prefix }))), key)
      assert.strictEqual(await client.get(key), "mine")
      assert.deepEqual(await queueKeys(prefix), [key])
    }
  })

  it("nor is a sorted set of somebody else popped, moved or trimmed, nor his hash: also beside items of the queue", async () => {
    const client = redis.client()
    const micros = 1_700_000_000_000_000
    const sets: ReadonlyArray<readonly [part: string, set: Record<string, number>]> = [
      // Scores of a game, with names that begin as ids do; times in seconds; letters of another format.
      ["ready", { nina: 12, gero: 3 }],
      ["ready", { ada: micros }],
      ["leased", { a1b2: 1_700_000_000 }],
      ["leased", { a1b2: micros }],
      ["delayed", { nina: 1_700_000_000 }],
      ["delayed", { ada: 1_700_000_000_000 }],
      ["dead", { nina: 1_700_000_000_000 }],
      ["dead", { N: micros }],
      ["done", { nina: -1 }],
      ["done", { ga: 1_700_000_000_000 }]
    ]
    for (const [index, [part, set]] of sets.entries()) {
      for (const isNew of [true, false]) {
        const prefix = `${redis.prefix}-foreign-${index}-${isNew}`
        const store = new RedisDeliveries(redis.connect({ prefix }))
        const offer = (id: string) => store.offer({ name: "q", items: [{ id, payload: "1", named: true }] })
        if (!isNew) {
          await offer("mine")
          await store.exchange(asks({ take: ["0"] }))
          await offer("another")
        }
        const key = `${prefix}:{q}:queue:${part}`
        await client.del(key)
        await client.zadd(key, ...Object.entries(set).flatMap(([member, score]) => [score, member]))
        const before = await everything(prefix)
        if (isNew) await refuses(everyQuestion(store), key)
        // Of a queue that there is, what touches the set is refused, and nothing else need be.
        else await refuses(touching(store)[part]!, key)
        assert.deepEqual(await everything(prefix), before)
      }
    }
    for (const [index, fields] of [{ mine: "1" }, { place: "1", clock: "queue/2 0 0 0" }].entries()) {
      const prefix = `${redis.prefix}-foreign-state-${index}`
      const key = `${prefix}:{q}:queue:state`
      await client.hset(key, fields)
      await refuses(everyQuestion(new RedisDeliveries(redis.connect({ prefix }))), key)
      assert.deepEqual(await client.hgetall(key), fields)
    }
  })

  /** What is stored, of all keys. */
  const everything = async (prefix: string) => {
    const client = redis.client()
    const keys = (await queueKeys(prefix)).toSorted()
    return Promise.all(keys.map(async (key) => [key, await client.dumpBuffer(key)]))
  }

  it("to look whether the sets are the queue's own is hardly a command more: one for each says whether there is something, and whether it is due", async () => {
    if (!redis.isOurs) return
    const store = new RedisDeliveries(redis.connect({ prefix: `${redis.prefix}-calls` }))
    const client = redis.client()
    const items = Array.from({ length: 9 }, (_, i) => ({ id: `${i}`, payload: "", named: true }))
    await store.offer({ name: "q", items })
    await store.exchange(asks({ take: ["1", "2", "3"] }))
    const reject = { kind: "reject", delay: 60_000, reason: "" } as const
    await store.exchange(asks({ settle: [{ delivery: "1", outcome: reject }] }))
    await client.config("RESETSTAT")
    await store.exchange(asks({ settle: [{ delivery: "2", outcome: { kind: "acknowledge" } }], take: ["4"] }))
    const stats = (await client.info("commandstats")).matchAll(/^cmdstat_(\w+):calls=(\d+)/gm)
    const calls = new Map(Array.from(stats, ([, name, calls]) => [name!, Number(calls)]))
    // One for each set that it touches, and no more: its first says also that nothing is due.
    assert.deepEqual(
      ["zrange", "zcard", "exists", "zrangebyscore"].map((name) => calls.get(name) ?? 0),
      [4, 0, 0, 0]
    )
  })

  it("tokens grow also when the server has forgotten everything", async () => {
    const prefix = `${redis.prefix}-tokens`
    const store = new RedisDeliveries(redis.connect({ prefix }))
    const tokenOf = async (name: string) => {
      await store.offer({ name: "q", items: [{ id: name, payload: "", named: false }] })
      return (await store.exchange(asks({ take: [name] }))).taken[0]!.token
    }
    const before = await tokenOf("1")
    await redis.client().del(...(await queueKeys(prefix)))
    assert.isAbove(await tokenOf("2"), before)
  })

  it("a script that the server has forgotten is sent again", async () => {
    const store = new RedisDeliveries(redis.connect({ prefix: `${redis.prefix}-flush` }))
    const offer = (id: string) => store.offer({ name: "q", items: [{ id, payload: "", named: true }] })
    assert.deepEqual(await offer("a"), [true])
    await redis.client().script("FLUSH")
    assert.deepEqual(await offer("a"), [false])
    assert.deepEqual(await offer("b"), [true])
  })

  it("items of which something is missing are passed over", async () => {
    const prefix = `${redis.prefix}-damage`
    const store = new RedisDeliveries(redis.connect({ prefix }))
    await store.offer({
      name: "q",
      items: [
        { id: "a", payload: "1", named: false },
        { id: "b", payload: "2", named: false },
        { id: "c", payload: "3", named: false }
      ]
    })
    const client = redis.client()
    await client.hdel(`${prefix}:{q}:queue:items`, "ga")
    await client.hdel(`${prefix}:{q}:queue:meta`, "gb")
    const { taken } = await store.exchange(asks({ take: ["1", "2", "3"] }))
    assert.deepEqual(
      taken.map(({ attempt, delivery, id }) => [delivery, id, attempt]),
      [
        ["1", "b", 1],
        ["2", "c", 1]
      ]
    )
    await store.exchange(asks({ settle: [{ delivery: "1", outcome: { kind: "return" } }] }))
    assert.deepEqual(
      (await store.exchange(asks({ take: ["4"] }))).taken.map(({ id }) => id),
      ["b"]
    )
  })

  describe("a server's clock that is set back", () => {
    const hour = 3_600_000
    let prefixes = 0

    /** A queue on a clock, in milliseconds. A lease is 1,000. */
    const open = () => {
      const prefix = `${redis.prefix}-clock-${prefixes++}`
      const on = redis.connectOnAClock({ prefix })
      const store = new RedisDeliveries(on)
      const advance = (milliseconds: number) => void (on.now += milliseconds * 1000)
      const offer = (...ids: ReadonlyArray<string>) =>
        store.offer({ name: "q", items: ids.map((id) => ({ id, payload: id, named: true })) })
      const exchange = (more: Partial<ExchangeRequest>) => store.exchange(asks({ lease: 1000, ...more }))
      const take = async (...names: ReadonlyArray<string>) =>
        (await exchange({ take: names })).taken.map(({ attempt, id }) => `${id}${attempt}`)
      return { prefix, store, advance, offer, exchange, take }
    }

    it("makes no lease longer: one that was taken, one that was renewed, also long after", async () => {
      const { advance, exchange, offer, take } = open()
      await offer("a", "b")
      await take("1", "2")
      for (let i = 0; i < 10; i++) {
        advance(900)
        assert.deepEqual((await exchange({ renew: ["1", "2"] })).renewed, [true, true])
      }
      advance(500)
      assert.deepEqual((await exchange({ renew: ["1"] })).renewed, [true])
      advance(-hour)
      // It is found out, and kept, by whatever is asked next; also by what finds nothing to do.
      const { retryAfter, taken } = await exchange({ take: ["3"] })
      assert.deepEqual([taken, retryAfter], [[], 500])
      advance(499)
      assert.deepEqual(await take("4"), [])
      advance(1)
      assert.deepEqual(await take("5"), ["b2"])
      advance(-hour)
      assert.deepEqual(await take("6"), [])
      advance(499)
      assert.deepEqual(await take("7"), [])
      advance(1)
      assert.deepEqual(await take("8"), ["a2"])
    })

    it("makes no delay longer, and nothing is remembered for longer", async () => {
      const { advance, exchange, offer, take } = open()
      await offer("a", "b")
      await take("1", "2")
      await exchange({ settle: [{ delivery: "1", outcome: { kind: "reject", delay: 300, reason: "" } }] })
      await exchange({ settle: [{ delivery: "2", outcome: { kind: "acknowledge" } }], remember: 60_300 })
      advance(-hour)
      assert.deepEqual(await offer("b"), [false])
      assert.strictEqual((await exchange({ take: ["3"] })).retryAfter, 300)
      advance(299)
      assert.deepEqual(await take("4"), [])
      advance(1)
      assert.deepEqual(await take("5"), ["a2"])
      advance(59_999)
      assert.deepEqual(await offer("b"), [false])
      advance(1)
      assert.deepEqual(await offer("b"), [true])
    })

    it("changes no order: of items, of tokens, of dead letters; all of them can be had again", async () => {
      const { advance, exchange, offer, store } = open()
      const tokens: Array<number> = []
      for (const id of ["a", "b", "c"]) {
        await offer(id)
        const { taken } = await exchange({ take: [id] })
        tokens.push(taken[0]!.token)
        await exchange({ settle: [{ delivery: id, outcome: { kind: "bury", reason: "" } }] })
        advance(-hour)
        advance(1)
      }
      assert.deepEqual(
        tokens,
        tokens.toSorted((a, b) => a - b)
      )
      const letters = await store.deadLetters("q", 10)
      assert.deepEqual(
        letters.map(({ id }) => id),
        ["a", "b", "c"]
      )
      assert.strictEqual(await store.requeue({ name: "q" }), 3)
      await offer("d")
      assert.deepEqual(
        (await exchange({ take: ["1", "2", "3", "4"] })).taken.map(({ id }) => id),
        ["a", "b", "c", "d"]
      )
    })

    it("since when a letter is dead is told by the clock as it is now", async () => {
      const { advance, exchange, offer, store } = open()
      await offer("a")
      await exchange({ take: ["1"] })
      await exchange({ settle: [{ delivery: "1", outcome: { kind: "bury", reason: "" } }] })
      const before = (await store.deadLetters("q", 1))[0]!.since
      advance(-hour)
      assert.strictEqual((await store.deadLetters("q", 1))[0]!.since, before - hour)
    })

    it("is known for as long as it matters: half a day at least after the end of a lease or of a delay; then it is forgotten", async () => {
      const { advance, exchange, offer, prefix, take } = open()
      const client = redis.client()
      const isKeptFor = async (milliseconds: number) => {
        const left = await client.pttl(`${prefix}:{q}:queue:state`)
        assert.isAbove(left, milliseconds + 12 * hour - 60_000)
        assert.isAtMost(left, milliseconds + 24 * hour)
      }
      await offer("a")
      await isKeptFor(0)
      await take("1")
      const delay = 500 * hour
      await exchange({ settle: [{ delivery: "1", outcome: { kind: "reject", delay, reason: "" } }] })
      await isKeptFor(delay)
      advance(-hour)
      assert.deepEqual(await take("2"), [])
      advance(delay)
      assert.deepEqual(await take("3"), ["a2"])
    })
  })
})
