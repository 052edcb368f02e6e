/** What is wrong with the stores that `@effect/experimental` 0.61 brings with it: each of that, as a test of ours. */
import { PersistedQueue, RateLimiter } from "@effect/experimental"
import { assert, it } from "@effect/vitest"
import {
  Context,
  Deferred,
  Duration,
  Effect,
  Either,
  Exit,
  Fiber,
  Layer,
  Logger,
  LogLevel,
  Schema,
  Scope
} from "effect"
import { DistributedQueue, DeliveryStore } from "effect-concurrency/distributed"
import * as Redis from "effect-concurrency/redis"
import { layerPersistedQueueStore, layerRateLimiterStore } from "effect-concurrency/redis/experimental"
import { fixedWindow, tokenBucket } from "../../src/core/redis/windows.js"
import type { StoreError } from "../../src/core/storeError.js"
import { describeRedis } from "../utils/redis.js"
import { rejectionOf } from "../utils/rejection.js"

let count = 0

describeRedis("the stores of @effect/experimental", (redis) => {
  const open = () => {
    const prefix = `${redis.prefix}-${count++}`
    return { prefix, layer: Redis.layer({ url: redis.url, prefix }) }
  }
  // What is reported is not looked at here.
  const run = <A, E>(self: Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
    Effect.runPromise(Logger.withMinimumLogLevel(Effect.scoped(self), LogLevel.None))

  describeLimiter()
  describeQueue()

  function describeLimiter(): void {
    const make = () => {
      const { layer, prefix } = open()
      const whole = RateLimiter.layer.pipe(Layer.provideMerge(layerRateLimiterStore), Layer.provide(layer))
      return { prefix, services: Layer.build(whole) }
    }

    it("a rate whose tokens do not come back in whole milliseconds works, with both algorithms", () =>
      run(
        Effect.gen(function* () {
          const { services } = make()
          const limiter = Context.get(yield* services, RateLimiter.RateLimiter)
          for (const algorithm of ["fixed-window", "token-bucket"] as const) {
            for (const [limit, window] of [
              [3, "1 second"],
              [2000, "1 second"],
              [7, "100 millis"]
            ] as const) {
              const key = `${algorithm}:${limit}`
              const consume = limiter.consume({ algorithm, key, limit, window })
              const first = yield* consume
              assert.strictEqual(first.remaining, limit - 1)
              for (let i = 1; i < 3; i++) yield* consume
              yield* limiter.consume({ algorithm, key, limit, window, tokens: limit - 3 || 1 }).pipe(Effect.either)
              const over = yield* Effect.either(limiter.consume({ algorithm, key, limit, window, tokens: limit }))
              assert.isTrue(Either.isLeft(over), key)
              if (Either.isLeft(over)) assert.strictEqual(over.left.reason, "Exceeded")
            }
          }
        })
      ))

    it("a window lasts as long as it should, also with a fraction, and its count is exact", () =>
      run(
        Effect.gen(function* () {
          const store = Context.get(yield* make().services, RateLimiter.RateLimiterStore)
          const refillRate = Duration.unsafeDivide(Duration.millis(100), 3)
          const take = (tokens: number, limit?: number) => store.fixedWindow({ key: "a", tokens, refillRate, limit })
          const [count, ttl] = yield* take(2)
          assert.strictEqual(count, 2)
          assert.closeTo(ttl, 200 / 3, 0.01)
          const [over, same] = yield* take(2, 3)
          assert.strictEqual(over, 4)
          assert.isAtMost(same, ttl)
          assert.isAbove(same, ttl - 30)
          yield* Effect.sleep(70)
          assert.strictEqual((yield* take(1, 3))[0], 1)
        })
      ))

    it("a bucket is refilled by the server's clock, by whole tokens; it can be overdrawn if so wanted", () =>
      run(
        Effect.gen(function* () {
          const store = Context.get(yield* make().services, RateLimiter.RateLimiterStore)
          const take = (tokens: number, allowOverflow = false) =>
            store.tokenBucket({ key: "a", tokens, limit: 4, refillRate: Duration.millis(50), allowOverflow })
          assert.strictEqual(yield* take(3), 1)
          assert.strictEqual(yield* take(3), -2)
          assert.strictEqual(yield* take(1), 0)
          assert.strictEqual(yield* take(2, true), -2)
          yield* Effect.sleep(160)
          const left = yield* take(0)
          assert.isAtLeast(left, 1)
          assert.isAtMost(left, 3)
          yield* Effect.sleep(200)
          assert.strictEqual(yield* take(0), 4)
        })
      ))

    it("every key expires, and each touches one key of the server", () =>
      run(
        Effect.gen(function* () {
          const { prefix, services } = make()
          const limiter = Context.get(yield* services, RateLimiter.RateLimiter)
          for (const algorithm of ["fixed-window", "token-bucket"] as const) {
            for (const onExceeded of ["fail", "delay"] as const) {
              yield* limiter.consume({
                algorithm,
                onExceeded,
                key: `${algorithm} ${onExceeded}`,
                limit: 3,
                window: "10 seconds"
              })
            }
          }
          const client = redis.client()
          const keys = yield* Effect.promise(() => client.keys(`${prefix}:*`))
          assert.strictEqual(keys.length, 4)
          for (const key of keys) {
            const ttl = yield* Effect.promise(() => client.pttl(key))
            assert.isAbove(ttl, 0, key)
            assert.isAtMost(ttl, 10_000, key)
          }
        })
      ))

    it("something else under the key is an error of the store, and is left as it is", () =>
      run(
        Effect.gen(function* () {
          const { prefix, services } = make()
          const limiter = Context.get(yield* services, RateLimiter.RateLimiter)
          const client = redis.client()
          yield* Effect.promise(() => client.set(`${prefix}:{a}:experimental:bucket`, "mine"))
          const failed = yield* Effect.flip(
            limiter.consume({ algorithm: "token-bucket", key: "a", limit: 3, window: "1 second" })
          )
          assert.strictEqual(failed.reason, "StoreError")
          assert.include(failed.message, "experimental:bucket")
          assert.strictEqual(yield* Effect.promise(() => client.get(`${prefix}:{a}:experimental:bucket`)), "mine")
        })
      ))

    const clocked = (script: "window" | "bucket") => {
      const prefix = `${redis.prefix}-${count++}`
      const on = redis.connectOnAClock({ prefix })
      const advance = (milliseconds: number) => void (on.now += milliseconds * 1000)
      /** A token comes back each 100 ms; there are three. */
      const take = async (tokens: number): Promise<number> => {
        const request = { key: "a", tokens, refill: 100, limit: 3 }
        return script === "bucket"
          ? on.run(tokenBucket, { ...request, overflow: false })
          : (await on.run(fixedWindow, request))[0]
      }
      return { advance, take, key: `${prefix}:{a}:experimental:${script}` }
    }

    const hour = 3_600_000

    it("a server's clock that is set back makes no window longer, also when everybody is refused", async () => {
      const { advance, take } = clocked("window")
      assert.strictEqual(await take(3), 3)
      for (let i = 0; i < 3; i++) {
        advance(-hour)
        assert.strictEqual(await take(1), 4)
      }
      advance(299)
      assert.strictEqual(await take(1), 4)
      advance(1)
      assert.strictEqual(await take(1), 1)
    })

    it("nor does it keep tokens from coming back", async () => {
      const { advance, take } = clocked("bucket")
      assert.strictEqual(await take(3), 0)
      advance(50)
      assert.strictEqual(await take(1), -1)
      advance(-hour)
      assert.strictEqual(await take(1), -1)
      advance(49)
      assert.strictEqual(await take(1), -1)
      advance(1)
      assert.strictEqual(await take(1), 0)
    })

    it("a hash of somebody else, or of another format, is left alone", async () => {
      const client = redis.client()
      for (const [script, fields] of [
        ["window", { mine: "1" }],
        ["window", { count: "1", until: "2" }],
        ["bucket", { tokens: "1", since: "2", seen: "x", shift: "0" }]
      ] as const) {
        const { key, take } = clocked(script)
        await client.hset(key, fields)
        const error = (await rejectionOf(take(1))) as StoreError
        assert.strictEqual(error.reason, "wrong type")
        assert.include(error.message, key)
        assert.deepEqual<Record<string, string>>(await client.hgetall(key), fields)
      }
    })
  }

  function describeQueue(): void {
    const make = (options?: Parameters<typeof layerPersistedQueueStore>[0]) => {
      const { layer, prefix } = open()
      const stores = Layer.merge(layerPersistedQueueStore(options), Redis.layerDeliveries)
      const whole = PersistedQueue.layer.pipe(Layer.provideMerge(stores), Layer.provide(layer))
      return { prefix, services: Layer.build(whole) }
    }
    const queueOf = (services: Context.Context<PersistedQueue.PersistedQueueFactory>) =>
      Effect.flatMap(Effect.succeed(Context.get(services, PersistedQueue.PersistedQueueFactory)), (factory) =>
        factory.make({ name: "q", schema: Schema.Number })
      )
    const countsOf = (services: Context.Context<DeliveryStore.DeliveryStore>) =>
      Effect.map(Context.get(services, DeliveryStore.DeliveryStore).counts("q"), ({ dead, delayed, leased, ready }) => [
        ready,
        delayed,
        leased,
        dead
      ])

    it("the first that was offered is the first that is taken, with ids that were chosen and without", () =>
      run(
        Effect.gen(function* () {
          const queue = yield* queueOf(yield* make().services)
          for (let i = 0; i < 6; i++) yield* queue.offer(i, i % 2 === 0 ? { id: `id ${i}` } : undefined)
          const taken: Array<number> = []
          for (let i = 0; i < 6; i++) yield* queue.take((n) => Effect.sync(() => taken.push(n)))
          assert.deepEqual(taken, [0, 1, 2, 3, 4, 5])
        })
      ))

    it("an id that was chosen is put in once", () =>
      run(
        Effect.gen(function* () {
          const services = yield* make().services
          const queue = yield* queueOf(services)
          for (let i = 0; i < 3; i++) yield* queue.offer(i, { id: "same" })
          assert.strictEqual(yield* queue.take(Effect.succeed), 0)
          yield* queue.offer(9, { id: "same" })
          assert.deepEqual(yield* countsOf(services), [0, 0, 0, 0])
        })
      ))

    it("a taker that is interrupted while it waits takes nothing with it: all that is offered then is there for others", () =>
      run(
        Effect.gen(function* () {
          const services = yield* make().services
          const queue = yield* queueOf(services)
          const takers = yield* Effect.replicateEffect(Effect.fork(queue.take(Effect.succeed)), 5)
          yield* Effect.sleep(30)
          yield* Fiber.interruptAll(takers)
          for (let i = 0; i < 5; i++) yield* queue.offer(i)
          assert.deepEqual(yield* countsOf(services), [5, 0, 0, 0])
          const taken = yield* Effect.replicateEffect(queue.take(Effect.succeed), 5)
          assert.deepEqual(taken, [0, 1, 2, 3, 4])
          assert.deepEqual(yield* countsOf(services), [0, 0, 0, 0])
        })
      ))

    it("a handler that fails is tried again, with the number of failures; after the last its item is put aside, with the reason", () =>
      run(
        Effect.gen(function* () {
          const services = yield* make().services
          const queue = yield* queueOf(services)
          yield* queue.offer(7, { id: "seven" })
          const attempts: Array<number> = []
          const fails = queue.take(
            (_, metadata) =>
              Effect.zipRight(
                Effect.sync(() => attempts.push(metadata.attempts)),
                Effect.fail("no")
              ),
            {
              maxAttempts: 3
            }
          )
          for (let i = 0; i < 3; i++) assert.strictEqual(yield* Effect.flip(fails), "no")
          assert.deepEqual(attempts, [0, 1, 2])
          assert.deepEqual(yield* countsOf(services), [0, 0, 0, 1])
          const same = yield* Effect.provide(DistributedQueue.make({ name: "q", schema: Schema.Number }), services)
          const [letter] = yield* same.deadLetters.list()
          assert.deepInclude(letter, { id: "seven", attempts: 3, reason: "no" })
        })
      ))

    it("a handler that is interrupted gives its item back at once, uncounted", () =>
      run(
        Effect.gen(function* () {
          const services = yield* make().services
          const queue = yield* queueOf(services)
          yield* queue.offer(7)
          const taken = yield* Deferred.make<void>()
          const fiber = yield* Effect.fork(
            queue.take(() => Effect.zipRight(Deferred.succeed(taken, undefined), Effect.never))
          )
          yield* Deferred.await(taken)
          yield* Fiber.interrupt(fiber)
          const attempts = yield* queue.take((_, metadata) => Effect.succeed(metadata.attempts))
          assert.strictEqual(attempts, 0)
        })
      ))

    it("a worker whose lease has run out does nothing to whoever has the item now", () =>
      run(
        Effect.gen(function* () {
          const { prefix, services: build } = make({ lease: "100 millis" })
          const services = yield* build
          const queue = yield* queueOf(services)
          const store = Context.get(services, PersistedQueue.PersistedQueueStore)
          yield* queue.offer(7)
          const [one, two] = [yield* Scope.make(), yield* Scope.make()]
          yield* Scope.extend(store.take({ name: "q", maxAttempts: 9 }), one!)
          // Its lease ends at once, as if it had been stopped for long.
          const client = redis.client()
          const leased = `${prefix}:{q}:queue:leased`
          const [name] = yield* Effect.promise(() => client.zrange(leased, 0, 0))
          yield* Effect.promise(() => client.zadd(leased, 1_000_000_000_000, name!))
          const item = yield* Scope.extend(store.take({ name: "q", maxAttempts: 9 }), two!)
          assert.deepEqual(item.element, 7)
          yield* Scope.close(one!, Exit.void)
          assert.deepEqual(yield* countsOf(services), [0, 0, 1, 0])
          yield* Scope.close(two!, Exit.void)
          assert.deepEqual(yield* countsOf(services), [0, 0, 0, 0])
        })
      ))
  }
})
