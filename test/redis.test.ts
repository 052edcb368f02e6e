import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Effect, Exit, Layer, Scope } from "effect"
import { layer, layerFrom, Redis, StoreError } from "effect-concurrency/redis"
import { settle } from "./laws/skins.js"
import { dieWith } from "./utils/defects.js"
import { FakeDriver } from "./utils/fakeRedis.js"
import { describeRedis } from "./utils/redis.js"

describe("Redis", () => {
  const open = (driver: FakeDriver) => layer({ driver, timeout: 1000 })

  it.live("sends commands and scripts; what fails is a StoreError", () => {
    const driver = new FakeDriver()
    return Effect.gen(function* () {
      const redis = yield* Redis
      const [link] = driver.links
      link!.events.ready()
      const fiber = yield* Effect.fork(
        Effect.all(
          [redis.send("GET", "a"), redis.eval("return 1", { keys: ["k"], args: [1] }), Effect.flip(redis.send("NO"))],
          {
            concurrency: "unbounded"
          }
        )
      )
      yield* Effect.promise(settle)
      assert.deepStrictEqual(link!.sent, ["GET a", "SCRIPT LOAD return 1", "EVAL return 1 1 k 1", "NO"])
      link!.answer("1")
      link!.answer("digest")
      link!.answer(2)
      link!.refuse("ERR no")
      const [value, result, error] = yield* fiber
      assert.deepStrictEqual([value, result], ["1", 2])
      assert.instanceOf(error, StoreError)
      assert.deepInclude(error, { reason: "server", operation: "NO" })
    }).pipe(Effect.provide(open(driver)))
  })

  it.live("interrupted before it was sent, nothing is sent; and after that nobody waits for the answer", () => {
    const driver = new FakeDriver()
    return Effect.gen(function* () {
      const redis = yield* Redis
      const [link] = driver.links
      const early = yield* Effect.fork(redis.send("SET", "a", 1))
      yield* Effect.promise(settle)
      yield* Effect.interruptible(Effect.void)
      yield* early.interruptAsFork(early.id())
      assert.isTrue(Exit.isInterrupted(yield* early.await))
      link!.events.ready()
      assert.deepStrictEqual(link!.sent, [])
      const late = yield* Effect.fork(redis.send("GET", "a"))
      yield* Effect.promise(settle)
      yield* late.interruptAsFork(late.id())
      assert.isTrue(Exit.isInterrupted(yield* late.await))
    }).pipe(Effect.provide(open(driver)))
  })

  it.live("listens until its scope is closed, also when it is interrupted just as the server confirms", () => {
    const driver = new FakeDriver()
    const heard: Array<string | undefined> = []
    return Effect.gen(function* () {
      const redis = yield* Redis
      const scope = yield* Scope.make()
      const subscribed = redis.subscribe("c", (message) => heard.push(message))
      const fiber = yield* Effect.fork(Scope.extend(subscribed, scope))
      yield* Effect.promise(settle)
      const link = driver.links[1]!
      link.events.ready()
      link.answer(1)
      yield* fiber
      link.events.message("c", "hello")
      yield* Scope.close(scope, Exit.void)
      link.events.message("c", "late")
      assert.deepStrictEqual(heard, ["hello"])
      assert.deepStrictEqual(link.sent, ["SUBSCRIBE c", "UNSUBSCRIBE c"])

      for (const turns of [0, 1, 2, 3, 4]) {
        const fiber = yield* Effect.fork(Effect.scoped(Effect.zipRight(subscribed, Effect.never)))
        yield* Effect.promise(settle)
        link.open.splice(0).forEach(({ answer }) => answer(1))
        for (let turn = 0; turn < turns; turn++) yield* Effect.promise(() => Promise.resolve())
        yield* fiber.interruptAsFork(fiber.id())
        yield* fiber.await
        yield* Effect.promise(settle)
        assert.strictEqual(link.sent.at(-1), "UNSUBSCRIBE c", `after ${turns} turns`)
      }
    }).pipe(Effect.provide(open(driver)))
  })

  it.live("is closed with its layer", () => {
    const driver = new FakeDriver()
    return Effect.gen(function* () {
      const redis = yield* Effect.provide(Redis, open(driver))
      assert.isTrue(driver.links[0]!.isClosed)
      assert.match((yield* Effect.flip(redis.send("PING"))).message, /the connection is closed/)
    })
  })

  it.live("its options may be a Config; those that make no sense are a defect", () =>
    Effect.gen(function* () {
      const provider = Layer.setConfigProvider(ConfigProvider.fromMap(new Map([["URL", "redis://127.0.0.1:1"]])))
      const options = Config.map(Config.string("URL"), (url) => ({ url, timeout: 20 }))
      const error = yield* Effect.flatMap(Redis, (redis) => Effect.flip(redis.send("PING"))).pipe(
        Effect.provide(Layer.provide(layer(options), provider))
      )
      assert.match(String(error.cause), /ECONNREFUSED|undefined/)
      const exit = yield* Effect.exit(Effect.provide(Redis, layer({ timeout: -1 })))
      assert.instanceOf(dieWith(exit), RangeError)
      const other = yield* Effect.exit(Effect.provide(Redis, layerFrom({} as never)))
      assert.instanceOf(dieWith(other), TypeError)
    })
  )
})

describeRedis("Redis, with a server", (redis) => {
  it.live("sends, runs scripts, listens", () => {
    const heard: Array<string | undefined> = []
    return Effect.gen(function* () {
      const self = yield* Redis
      assert.strictEqual(yield* self.send("PING"), "PONG")
      assert.deepStrictEqual(yield* self.eval("return {KEYS[1], ARGV[1]}", { keys: ["a"], args: [1] }), ["a", "1"])
      assert.strictEqual(yield* self.eval("return 7"), 7)
      const channel = `${redis.prefix}:effects`
      yield* self.subscribe(channel, (message) => heard.push(message))
      yield* self.send("PUBLISH", channel, "hello")
      while (heard.length === 0) yield* Effect.sleep(2)
      assert.deepStrictEqual(heard, ["hello"])
    }).pipe(Effect.scoped, Effect.provide(layerFrom(redis.client())))
  })
})
