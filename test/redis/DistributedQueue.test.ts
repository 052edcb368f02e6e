/** A queue on a real server, and what can happen to that. */
import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Logger, LogLevel, Schema } from "effect"
import { DistributedQueue } from "effect-concurrency/distributed"
import * as Promises from "effect-concurrency/promise/distributed"
import * as Redis from "effect-concurrency/redis"
import { afterEach, beforeEach, vi } from "vitest"
import { LeaseLost } from "../../src/core/lease.js"
import { StoreError } from "../../src/core/storeError.js"
import { RedisDeliveries } from "../../src/redis/deliveries.js"
import { describeRedis } from "../utils/redis.js"

const later = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))

const until = async (holds: () => boolean | Promise<boolean>, what: string, limit = 10_000): Promise<void> => {
  for (const end = performance.now() + limit; !(await holds()); await later(5)) {
    if (performance.now() > end) throw new Error(`it took too long: ${what}`)
  }
}

const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error
  )

describeRedis(
  "a queue on Redis",
  (redis) => {
    let count = 0
    let prefix = ""
    const lines: Array<string> = []
    beforeEach(() => {
      prefix = `${redis.prefix}-${count++}`
      lines.length = 0
      vi.spyOn(console, "error").mockImplementation((...args) => void lines.push(args.map(String).join(" ")))
    })
    afterEach(() => void vi.restoreAllMocks())

    type Options = Partial<Promises.DistributedQueueOptions<any>> & { readonly timeout?: number }

    /** A queue on a connection of its own, as another process would have. */
    const open = <A = string>({ timeout = 2000, ...options }: Options = {}): Promises.DistributedQueue<A> =>
      new Promises.DistributedQueue<A>(new RedisDeliveries(redis.connect({ prefix, timeout })), {
        name: "q",
        ...options
      })

    const consume = <A>(
      queue: Promises.DistributedQueue<A>,
      handler: (item: A, context: Promises.DistributedQueueContext) => unknown,
      concurrency = 1
    ) => {
      const end = new AbortController()
      const consumed = failure(queue.consume(handler, { concurrency, signal: end.signal }))
      redis.onClose(() => end.abort())
      return {
        consumed,
        end: () => {
          end.abort()
          return consumed
        }
      }
    }

    it("items go from one to the other, in order, at once, and join ends when all are done", async () => {
      const [producer, consumer] = [open<number>(), open<number>({ poll: 60_000 })]
      const seen: Array<number> = []
      const worker = consume(consumer, (n) => seen.push(n))
      await until(() => consumer.stats().waiting === 1, "it waits")
      await later(50)
      const begin = performance.now()
      for (let i = 0; i < 20; i++) await producer.offer(i)
      await producer.join()
      // A message woke it: a poll would take a minute.
      assert.isBelow(performance.now() - begin, 5000)
      assert.deepEqual(
        seen,
        Array.from({ length: 20 }, (_, i) => i)
      )
      await worker.end()
      assert.deepEqual(await producer.size(), { ready: 0, delayed: 0, leased: 0, dead: 0 })
    })

    it("the same as a layer, with a schema", () =>
      Effect.gen(function* () {
        const queue = yield* DistributedQueue.make({ name: "dates", schema: Schema.Struct({ at: Schema.Date }) })
        const seen: Array<Date> = []
        const done = yield* Deferred.make<void>()
        const worker = yield* Effect.fork(
          queue.consume(({ at }) =>
            Effect.zipRight(
              Effect.sync(() => seen.push(at)),
              Deferred.succeed(done, undefined)
            )
          )
        )
        yield* queue.offer({ at: new Date(0) })
        yield* Deferred.await(done)
        yield* queue.join
        const exit = yield* Fiber.interrupt(worker)
        assert.isTrue(Exit.isInterrupted(exit))
        assert.deepEqual(seen, [new Date(0)])
      }).pipe(
        Effect.provide(Layer.provide(Redis.layerDeliveries, Redis.layer({ url: redis.url, prefix }))),
        Effect.runPromise
      ))

    it("of the size that an item can have, and of the names that a queue can have, none is too large or too strange", async () => {
      for (const name of ["{}", "}{", " ", "\n", "x".repeat(1000)]) {
        const queue = open<string>({ name })
        const item = name.repeat(50)
        await queue.offer(item)
        const delivery = await queue.take()
        assert.isTrue(delivery.item === item)
        await delivery.acknowledge()
      }
      assert.throws(() => open({ name: "x".repeat(1001) }), RangeError)
    })

    it("a wrong type in a key fails whatever is asked, with an error that names it; a consumer ends; nothing is overwritten", async () => {
      const client = redis.client()
      const key = `${prefix}:{q}:queue:leased`
      await client.set(key, "mine")
      const queue = open()
      const asked = [queue.offer("a"), queue.take(), queue.join(), queue.size()].map(failure)
      for (const error of await Promise.all([...asked, consume(queue, () => {}).consumed])) {
        assert.instanceOf(error, StoreError)
        assert.strictEqual(error.reason, "wrong type")
        assert.include(error.message, key)
      }
      assert.strictEqual(await client.get(key), "mine")
    })

    it("SCRIPT FLUSH and CLIENT KILL TYPE pubsub: nobody notices", async () => {
      const client = redis.client()
      const [producer, consumer] = [open<number>(), open<number>({ poll: 60_000 })]
      const seen: Array<number> = []
      const worker = consume(consumer, (n) => seen.push(n), 2)
      for (let i = 0; i < 5; i++) {
        await until(() => consumer.stats().waiting === 2, "they wait")
        await client.script("FLUSH")
        await client.client("KILL", "TYPE", "pubsub")
        await producer.offer(i)
        await until(() => seen.length === i + 1, `item ${i}`)
      }
      await worker.end()
    })

    it("an interrupted taker loses nothing, whenever that is: after each step of its way", async () => {
      const queue = open<number>()
      const total = 40
      for (let i = 0; i < total; i++) {
        await queue.offer(i)
        const end = new AbortController()
        const taken = queue.take({ signal: end.signal })
        // From before it was sent until after it has arrived.
        for (let turns = 0; turns < i % 8; turns++) await new Promise((resolve) => setImmediate(resolve))
        if (i % 5 === 4) await later(1)
        end.abort()
        const delivery = await taken.catch(() => undefined)
        if (delivery !== undefined) await delivery.giveBack()
      }
      await until(async () => (await queue.size()).leased === 0, "all is back")
      assert.strictEqual((await queue.size()).ready, total)
      for (let i = 0; i < total; i++) {
        const delivery = await queue.take()
        assert.deepEqual([delivery.item, delivery.attempt], [i, 1])
        await delivery.acknowledge()
      }
    })

    it("the server is stopped for longer than a lease: the handler is told, and when the server goes on the item is done", async () => {
      const queue = open({ lease: 300, timeout: 200 })
      await queue.offer("a")
      const told: Array<unknown> = []
      let attempts = 0
      const worker = consume(queue, async (_, { signal }) => {
        if (++attempts > 1) return
        await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()))
        told.push(signal.reason)
      })
      await until(() => attempts === 1, "it has begun")
      redis.stop()
      try {
        await until(() => told.length === 1, "it is told")
      } finally {
        redis.continue()
      }
      assert.instanceOf(told[0], LeaseLost)
      await until(() => attempts === 2, "it comes again")
      await until(async () => (await queue.size().catch(() => undefined))?.leased === 0, "it is done")
      await worker.end()
    })

    it("the event loop is blocked beyond a lease: somebody else has the item, and an acknowledgement is refused, and told", async () => {
      const [queue, other] = [open({ lease: 100 }), open({ lease: 10_000 })]
      await queue.offer("a")
      const delivery = await queue.take()
      for (const end = performance.now() + 150; performance.now() < end;);
      const theirs = await other.take()
      assert.isAbove(theirs.token, delivery.token)
      assert.instanceOf(await failure(delivery.acknowledge()), LeaseLost)
      assert.strictEqual((await other.size()).leased, 1)
      await theirs.acknowledge()
    })

    it("a restart with empty data: what was in it is lost; nothing hangs; what is offered then is done", async () => {
      const queue = open({ lease: 400 })
      await queue.offer("lost")
      await queue.offer("lost too")
      const seen: Array<string> = []
      const reasons: Array<LeaseLost> = []
      const worker = consume(queue, async (item, { signal }) => {
        if (!item.startsWith("lost")) return seen.push(item)
        await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()))
        reasons.push(signal.reason as LeaseLost)
      })
      await until(async () => (await queue.size()).leased === 1, "it has begun")
      const before = open()
      await redis.restart()
      await until(() => reasons.length === 1, "it is told")
      assert.strictEqual(reasons[0]!.reason, "unknown to the store")
      await queue.offer("new")
      await until(() => seen.length === 1, "it goes on")
      assert.deepEqual(seen, ["new"])
      await before.join()
      await worker.end()
    })

    it("while the server is away everything fails in time, but who consumes waits, and goes on when it is back", async () => {
      const queue = open({ timeout: 200, poll: 200 })
      const seen: Array<string> = []
      const worker = consume(queue, (item) => seen.push(item))
      await until(() => queue.stats().waiting === 1, "it waits")
      await redis.kill()
      const asked = [queue.offer("a"), queue.join(), queue.size()].map(failure)
      for (const error of await Promise.all(asked)) assert.instanceOf(error, StoreError)
      await later(300)
      await redis.start()
      await until(
        () =>
          queue.offer("b", { id: "b" }).then(
            () => true,
            () => false
          ),
        "it is back"
      )
      await until(() => seen.length === 1, "it goes on")
      assert.strictEqual(lines.filter((line) => line.includes("cannot be reached")).length, 1)
      await worker.end()
    })

    it("fibers: who is interrupted hands back what is not done, before that ends", () =>
      Effect.gen(function* () {
        const queue = yield* DistributedQueue.make({ name: "q" })
        yield* queue.offerAll([1, 2, 3])
        const begun = yield* Deferred.make<void>()
        const worker = yield* Effect.fork(
          queue.consume(() => Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never), { concurrency: 2 })
        )
        yield* Deferred.await(begun)
        yield* Fiber.interrupt(worker)
        assert.deepEqual(yield* queue.size, { ready: 3, delayed: 0, leased: 0, dead: 0 })
        const first = yield* Effect.scoped(Effect.map(queue.take, ({ attempt, item }) => [item, attempt]))
        assert.deepEqual(first, [1, 1])
      }).pipe(
        Effect.provide(Layer.provide(Redis.layerDeliveries, Redis.layer({ url: redis.url, prefix }))),
        Logger.withMinimumLogLevel(LogLevel.None),
        Effect.runPromise
      ))
  },
  { faults: true }
)
