import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Layer } from "effect"
import { RateLimiter } from "effect-concurrency"
import { DistributedRateLimiter } from "effect-concurrency/distributed"
import * as Promises from "effect-concurrency/promise"
import * as Facade from "effect-concurrency/promise/distributed"
import { Redis as PromiseRedis } from "effect-concurrency/promise/redis"
import * as redisModule from "effect-concurrency/redis"
import { Reporter } from "../../src/internal/report.js"
import type { Answer } from "../../src/core/rateStore.js"
import { vi } from "vitest"
import { describeRedis } from "../utils/redis.js"
import { rejectionOf } from "../utils/rejection.js"

const hour = { limit: 2, interval: 3_600_000 }
const { StoreError } = DistributedRateLimiter

const down = (reason: "timeout" | "connection" | "server" | "wrong type" | "reply" = "connection") =>
  new StoreError("nobody there", { reason })

const granted: Answer = { allowed: true, remaining: 1, retryAfter: 0, resetAfter: 0, delay: 0, grant: "store" }

/** A store that fails while it is told to. */
class Shaky {
  error: unknown = undefined
  given = 0

  async consume(): Promise<ReadonlyArray<Answer>> {
    if (this.error !== undefined) throw this.error
    return [granted]
  }

  async giveBack(): Promise<void> {
    this.given++
    if (this.error !== undefined) throw this.error
  }
}

interface Insured {
  consume(cost?: number): Promise<Answer>
  giveBack(...grants: ReadonlyArray<unknown>): Promise<void>
}

const request = { algorithm: "slidingWindow", burst: 2, key: "a", ahead: 0, ...hour } as const

const inEffect = async (
  store: Shaky,
  told: Array<string>,
  body: (insured: Insured) => Promise<void>
): Promise<void> => {
  const call = <A>(f: () => Promise<A>) =>
    Effect.catchAll(Effect.tryPromise({ try: f, catch: (error) => error }), (error) =>
      error instanceof StoreError ? Effect.fail(error) : Effect.die(error)
    )
  const primary = Layer.succeed(RateLimiter.Store, {
    consume: () => call(() => store.consume()),
    giveBack: () => call(() => store.giveBack())
  })
  const reporter = {
    report: ({ cause, message, where }: { cause: Cause.Cause<unknown>; message: string; where: string }) =>
      Effect.sync(() => void told.push([where, message, ...Cause.failures(cause)].join(": ")))
  }
  const run = <A>(self: Effect.Effect<A, unknown>) =>
    Effect.runPromiseExit(Effect.provideService(self, Reporter, reporter)).then((exit) => {
      if (exit._tag === "Success") return exit.value
      throw Cause.squash(exit.cause)
    })
  const { consume, giveBack } = await Effect.runPromise(
    Effect.provide(DistributedRateLimiter.Store, DistributedRateLimiter.layerInsured(primary))
  )
  await body({
    consume: (cost = 1) =>
      run(consume({ ...request, asks: [{ cost, tries: true }] })).then(([answer]) => answer as Answer),
    giveBack: (...grants) => run(giveBack({ ...request, grants: grants.map((grant) => ({ cost: 1, grant })) }))
  })
}

const inPromises = async (
  store: Shaky,
  told: Array<string>,
  body: (insured: Insured) => Promise<void>
): Promise<void> => {
  const insured = Facade.insured(store, {
    onError: ({ error, message, where }) =>
      told.push([where, message, ...(error === undefined ? [] : [String(error)])].join(": "))
  })
  await body({
    consume: async (cost = 1) => (await insured.consume({ ...request, asks: [{ cost, tries: true }] }))[0] as Answer,
    async giveBack(...grants) {
      await insured.giveBack({ ...request, grants: grants.map((grant) => ({ cost: 1, grant })) })
    }
  })
}

const isDown =
  "DistributedRateLimiter: the store cannot be reached: until it can, rates are kept apart from it: StoreError: nobody there"
const isUp = "DistributedRateLimiter: the store can be reached again, and keeps the rates"

for (const [skin, open] of Object.entries({ Effect: inEffect, promises: inPromises })) {
  describe(`an insured store (${skin})`, () => {
    it("falls back to memory while the store is down, and says when that begins and when it is over, once each", () => {
      const store = new Shaky()
      const told: Array<string> = []
      return open(store, told, async ({ consume }) => {
        assert.deepStrictEqual(await consume(), granted)
        for (const reason of ["timeout", "connection", "server"] as const) {
          store.error = down(reason)
          // Memory knows nothing of what the store granted.
          assert.deepInclude(await consume(0), { allowed: true, remaining: 2 })
        }
        assert.isTrue((await consume(2)).allowed)
        assert.isFalse((await consume()).allowed)
        assert.deepStrictEqual(told, [isDown])
        store.error = undefined
        assert.deepStrictEqual(await consume(), granted)
        await consume()
        assert.deepStrictEqual(told, [isDown, isUp])
        store.error = down()
        await consume()
        assert.deepStrictEqual(told, [isDown, isUp, isDown])
      })
    })

    it("gives back to whoever granted it; what a store that is down cannot take back is lost without a word more", () => {
      const store = new Shaky()
      const told: Array<string> = []
      return open(store, told, async ({ consume, giveBack }) => {
        const { grant } = await consume()
        store.error = down()
        const { grant: own } = await consume(2)
        assert.isFalse((await consume()).allowed)
        await giveBack(own)
        assert.strictEqual(store.given, 0)
        assert.isTrue((await consume()).allowed)
        await giveBack(grant)
        assert.strictEqual(store.given, 1)
        assert.deepStrictEqual(told, [isDown])
        store.error = undefined
        await giveBack(grant, own)
        assert.strictEqual(store.given, 2)
        assert.deepStrictEqual(told, [isDown, isUp])
      })
    })

    it("hides nothing but that the store is down", () => {
      const store = new Shaky()
      const told: Array<string> = []
      return open(store, told, async ({ consume, giveBack }) => {
        for (const error of [down("wrong type"), down("reply"), new RangeError("a bug")]) {
          store.error = error
          assert.strictEqual(await rejectionOf(consume()), error)
          assert.strictEqual(await rejectionOf(giveBack("store")), error)
        }
        assert.deepStrictEqual(told, [])
      })
    })
  })
}

describe("insured", () => {
  it("refuses what is no store", () => {
    assert.throws(() => Facade.insured({} as never), TypeError, /store.consume must be a function/)
    assert.throws(() => Facade.insured(new Shaky(), { substitute: {} as never }), TypeError, /substitute.consume/)
    assert.throws(() => Facade.insured(new Shaky(), { onError: 1 as never }), TypeError, /onError/)
  })
})

describe("DistributedRateLimiter of the facade", () => {
  const { DistributedRateLimiter: Plain } = Facade
  const rate = { limit: 1, interval: 60_000 }
  const store = Promises.rateLimiterStoreMemory()

  it("has the store first, as the others here; in the wrong order, the error names what is no store", () => {
    for (const [make, error] of [
      [() => new Plain(rate as never, store as never), "store.consume must be a function, got undefined"],
      [() => new Plain(undefined as never, rate), "store.consume must be a function, got undefined"],
      [() => new Plain({ consume() {} } as never, rate), "store.giveBack must be a function, got undefined"],
      [() => new Plain(store, undefined as never), "options must be an object, got undefined"]
    ] as const) {
      assert.throws(make, TypeError, `new DistributedRateLimiter: ${error}`)
    }
    assert.throws(
      () => new Plain(store, { ...rate, limit: 0 }),
      RangeError,
      "new DistributedRateLimiter: limit must be"
    )
    assert.throws(() => new Promises.RateLimiterWithStore(store as never, rate as never), TypeError, "store.consume")
  })

  it("is what its errors name: of its own, of a view of it, and of a view of one that an Effect program has", async () => {
    const effects = await Effect.runPromise(
      Effect.provide(DistributedRateLimiter.make(rate), DistributedRateLimiter.layerStoreMemory)
    )
    const own = new Plain(store, rate)
    for (const limiter of [own, Plain.from(own), Plain.from(effects)]) {
      assert.instanceOf(limiter, Plain)
      for (const [name, call] of [
        ["consume", () => limiter.consume("a", { cost: -1 })],
        ["tryConsume", () => limiter.tryConsume(1 as never)],
        ["reserve", () => limiter.reserve("a", { cost: 2 })],
        ["run", () => limiter.run(1 as never)],
        ["wrap", async () => limiter.wrap(1 as never)]
      ] as const) {
        assert.include(String(await rejectionOf(call())), `Error: DistributedRateLimiter.${name}: `)
      }
      await limiter.tryConsume("full")
      const timeout = (await rejectionOf(limiter.consume("full", { timeout: 1 }))) as Error
      assert.include(timeout.message, "DistributedRateLimiter.consume: timed out")
      assert.strictEqual(limiter.stats().waiting, 0)
    }
    assert.throws(
      () => Plain.from({} as never),
      TypeError,
      "DistributedRateLimiter.from: argument must be a DistributedRateLimiter"
    )
  })

  it("a view and what it shows are one limiter, and stand in one line", async () => {
    const own = new Plain(store, rate)
    const view = Promises.RateLimiterWithStore.from(own)
    await own.consume("one line")
    assert.isFalse((await view.tryConsume("one line")).allowed)
    assert.include(String(await rejectionOf(view.consume("a", { cost: -1 }))), " RateLimiter.consume: ")
  })

  it("what the store fails with reaches whoever asks, also through a view of one that an Effect program has", async () => {
    const error = down()
    const failing = Layer.succeed(DistributedRateLimiter.Store, {
      consume: () => Effect.fail(error),
      giveBack: () => Effect.void
    })
    const effects = await Effect.runPromise(Effect.provide(DistributedRateLimiter.make(rate), failing))
    assert.strictEqual(await rejectionOf(Plain.from(effects).consume("a")), error)
  })

  it("is named by what it reports", async () => {
    const console = vi.spyOn(globalThis.console, "error").mockImplementation(() => {})
    try {
      const controller = new AbortController()
      let fail = () => {}
      const late = { consume: () => new Promise<never>((_, reject) => (fail = () => reject(down()))), giveBack() {} }
      const waiting = new Plain(late, rate).consume("ada", { signal: controller.signal })
      await new Promise((resolve) => setTimeout(resolve))
      controller.abort()
      await rejectionOf(waiting)
      fail()
      await new Promise((resolve) => setTimeout(resolve))
      assert.match(String(console.mock.calls[0]![0]), /^DistributedRateLimiter: ada: the store failed/)
    } finally {
      console.mockRestore()
    }
  })
})

describeRedis(
  "limiters on a server",
  (redis) => {
    const options = () => ({ url: redis.url, prefix: redis.prefix, timeout: 10_000 })

    it("of both skins share a rate", async () => {
      const facade = new PromiseRedis(options())
      redis.onClose(() => facade.close())
      const plain = new Facade.DistributedRateLimiter(facade.rates, { limit: 3, interval: 60_000 })
      class Shared extends DistributedRateLimiter.Service<Shared>()("test/Shared", {
        limit: 3,
        interval: "1 minute"
      }) {}
      const layer = Layer.provide(Shared.layer, Layer.provide(redisModule.layerRates, redisModule.layer(options())))
      await plain.consume("ada")
      const program = Effect.gen(function* () {
        yield* Shared.consume("ada")
        yield* Effect.succeed("done").pipe(Shared.withLimit("ada"))
        return yield* Shared.tryConsume("ada")
      })
      assert.isFalse((await Effect.runPromise(Effect.provide(program, layer))).allowed)
      assert.isFalse((await plain.tryConsume("ada")).allowed)
      assert.isTrue((await plain.tryConsume("bob")).allowed)
    })

    it("a wait that was given up gives back what it was granted", async () => {
      const facade = new PromiseRedis(options())
      redis.onClose(() => facade.close())
      const limiter = new Facade.DistributedRateLimiter(facade.rates, { limit: 1, interval: 60_000 })
      const controller = new AbortController()
      const call = limiter.consume("given up", { signal: controller.signal })
      controller.abort("changed my mind")
      assert.strictEqual(await rejectionOf(call), "changed my mind")
      await limiter.consume("given up", { timeout: 5000 })
    })

    it("as many as want it have the rate, and no more", async () => {
      const facade = new PromiseRedis(options())
      redis.onClose(() => facade.close())
      const limiter = () => new Facade.DistributedRateLimiter(facade.rates, { limit: 50, interval: 100, burst: 1 })
      const two = [limiter(), limiter()]
      const begin = performance.now()
      await Promise.all(Array.from({ length: 100 }, (_, index) => two[index % 2]!.consume("busy")))
      assert.isAtLeast(performance.now() - begin, 197)
    })

    it("that is insured go on without the server, and with it again", async () => {
      const facade = new PromiseRedis({ ...options(), timeout: 500 })
      redis.onClose(() => facade.close())
      while (!(await facade.send("PING").catch(() => false)));
      const told: Array<string> = []
      const store = Facade.insured(facade.rates, { onError: ({ message }) => told.push(message) })
      const limiter = new Facade.DistributedRateLimiter(store, { limit: 2, interval: 60_000 })
      await limiter.consume("insured")
      await redis.kill()
      assert.isTrue((await limiter.tryConsume("insured")).allowed)
      assert.isTrue((await limiter.tryConsume("insured")).allowed)
      assert.isFalse((await limiter.tryConsume("insured")).allowed)
      assert.strictEqual(told.length, 1)
      await redis.start()
      for (let tries = 0; told.length === 1 && tries < 400; tries++) {
        await limiter.tryConsume("insured", { cost: 0 })
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
      assert.match(told[1]!, /can be reached again/)
      // The server is another by now.
      assert.isTrue((await limiter.tryConsume("insured")).allowed)
    })
  },
  { faults: true }
)

it("the facade has the error of the other skin", () => {
  assert.strictEqual(Promises.StoreError, StoreError)
})
