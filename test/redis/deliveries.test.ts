import { assert, it } from "@effect/vitest"
import { StoreError } from "effect-concurrency/promise"
import { RedisDeliveries } from "../../src/redis/deliveries.js"
import type { ExchangeRequest } from "../../src/core/deliveries.js"
import { deliveryStoreLaws } from "../laws/DeliveryStore.js"
import { describeRedis } from "../utils/redis.js"

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
    unit: 30,
    open: async () => {
      // One server for the file: each store has a prefix of its own.
      const connection = redis.connect({ prefix: `${redis.prefix}-${opened++}` })
      return {
        store: new RedisDeliveries(connection),
        // Timers of the platform may ring a little early.
        advance: (milliseconds) => later(milliseconds + 3),
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

  it("something else under one of its keys is an error that names it, whatever is asked, and is left as it is", async () => {
    const client = redis.client()
    const parts = ["ready", "items", "meta", "leased", "names", "delayed", "dead", "reasons", "done", "state"]
    for (const part of parts) {
      const prefix = `${redis.prefix}-type-${part}`
      const store = new RedisDeliveries(redis.connect({ prefix }))
      const key = `${prefix}:{q}:queue:${part}`
      await client.set(key, "mine")
      const questions: ReadonlyArray<() => Promise<unknown>> = [
        () => store.offer({ name: "q", items: [{ id: "a", payload: "1", named: true }] }),
        () => store.exchange(asks({ take: ["1"], settle: [{ delivery: "0", outcome: { kind: "acknowledge" } }] })),
        () => store.counts("q"),
        () => store.deadLetters("q", 1),
        () => store.requeue({ name: "q" }),
        () => store.purge({ name: "q", ids: ["a"] })
      ]
      for (const ask of questions) {
        const error = await ask().then(
          () => undefined,
          (error: unknown) => error
        )
        assert.instanceOf(error, StoreError)
        assert.strictEqual(error.reason, "wrong type")
        assert.include(error.message, key)
      }
      assert.strictEqual(await client.get(key), "mine")
      assert.deepEqual(await queueKeys(prefix), [key])
    }
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
})
