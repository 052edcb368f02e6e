/** Rates on a Redis server: the laws of every store, the arithmetic beside that in memory, and what only a server has. */
import { assert, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import * as rate from "../../src/core/rate.js"
import type { StoreRequest } from "../../src/core/rateStore.js"
import { scriptsOf } from "../../src/core/redis/rates.js"
import { StoreError } from "../../src/core/storeError.js"
import { RedisRates } from "../../src/redis/rates.js"
import { rateLimiterStoreLaws } from "../laws/RateLimiterStore.js"
import { mostInAnInterval, type Taken } from "../utils/rates.js"
import { describeRedis, type RedisServer, runNode } from "../utils/redis.js"
import { rejectionOf } from "../utils/rejection.js"

const asks = (...costs: ReadonlyArray<number>) => costs.map((cost) => ({ cost, tries: false }))

const sliding = (limit: number, interval: number, key = "a"): StoreRequest => ({
  algorithm: "slidingWindow",
  limit,
  interval,
  burst: limit,
  key,
  ahead: 0,
  asks: asks(1)
})

const even = (limit: number, interval: number, burst: number, key = "a"): StoreRequest => ({
  ...sliding(limit, interval, key),
  algorithm: "gcra",
  burst
})

const anyRate = (even: boolean) =>
  fc
    .record({
      limit: fc.integer({ min: 1, max: 6 }),
      // Whole microseconds for a unit: then both sides have the same numbers.
      unit: fc.integer({ min: 1, max: 50 }),
      burst: fc.integer({ min: 1, max: 7 })
    })
    .map(({ burst, limit, unit }): rate.Rate =>
      even
        ? { algorithm: "gcra", limit, interval: (limit * unit) / 1000, burst }
        : { algorithm: "slidingWindow", limit, interval: (limit * unit) / 1000, burst: limit }
    )

interface Step {
  readonly pass: number
  readonly costs: ReadonlyArray<{ readonly cost: number; readonly tries: boolean }>
  readonly ahead: number
  readonly back: ReadonlyArray<{ readonly which: number; readonly part: number }>
}

const anyStep: fc.Arbitrary<Step> = fc.record({
  pass: fc.nat({ max: 120 }),
  costs: fc.array(fc.record({ cost: fc.nat({ max: 7 }), tries: fc.boolean() }), { minLength: 1, maxLength: 5 }),
  ahead: fc.nat({ max: 200 }),
  back: fc.array(fc.record({ which: fc.nat(), part: fc.nat({ max: 7 }) }), { maxLength: 2 })
})

/** The scripts beside the arithmetic in memory, on one clock. */
const decidesAsInMemory = async (
  on: ReturnType<RedisServer["connectOnAClock"]>,
  of: rate.Rate,
  key: string,
  steps: Iterable<Step> | AsyncIterable<Step>
): Promise<void> => {
  const { giveBack, take } = scriptsOf(of)
  // In memory a microsecond is the unit of time.
  const usage = rate.make({ ...of, interval: of.interval * 1000 })
  const grants: Array<{ left: number; readonly theirs: unknown; readonly ours: rate.Grant }> = []
  for await (const { ahead, back, costs, pass } of steps) {
    on.now += pass
    // (To look is a law of its own, and no step of time in a bucket.)
    const list = costs.map(({ cost, tries }) => ({ cost: Math.min(cost, of.burst), tries }))
    const ours = rate.decideAll(usage, on.now, list, ahead)
    const theirs = await on.run(take, { ...of, key, asks: list, ahead: ahead / 1000 })
    assert.deepStrictEqual(
      theirs.map(({ allowed, delay, remaining, resetAfter, retryAfter }) => ({
        allowed,
        remaining,
        retryAfter: Math.round(retryAfter * 1000),
        resetAfter: Math.round(resetAfter * 1000),
        delay: Math.round(delay * 1000)
      })),
      ours.map(({ allowed, delay, remaining, resetAfter, retryAfter }) => ({
        allowed,
        remaining,
        retryAfter,
        resetAfter,
        delay
      }))
    )
    ours.forEach(({ grant }, index) => {
      if (grant !== undefined && list[index]!.cost > 0) {
        grants.push({ left: grant.cost, theirs: theirs[index]!.grant, ours: grant })
      }
    })
    for (const { part, which } of back) {
      const grant = grants.at(which % grants.length)
      if (grant === undefined) continue
      const cost = Math.min(part, grant.left)
      if (cost === 0) continue
      grant.left -= cost
      usage.giveBack(on.now, { ...grant.ours, cost })
      await on.run(giveBack, { ...of, key, grants: [{ cost, grant: grant.theirs }] })
    }
  }
}

describeRedis("rates on a server", (redis) => {
  it.each(["gcra", "slidingWindow"])(
    "%s: decide as in memory, at every microsecond, whatever is asked and given back",
    async (kind) => {
      const on = redis.connectOnAClock()
      let run = 0
      await fc.assert(
        fc.asyncProperty(anyRate(kind === "gcra"), fc.array(anyStep, { maxLength: 12 }), async (of, steps) => {
          await decidesAsInMemory(on, of, `same-${kind}-${run++}`, steps)
        }),
        { numRuns: 60 }
      )
    }
  )

  it("a long log decides as in memory, also when its front is cut off and its end was given back, and stays short", async () => {
    const on = redis.connectOnAClock()
    const of: rate.Rate = { algorithm: "slidingWindow", limit: 80, interval: 10, burst: 80 }
    let seed = 1
    const nat = (max: number) => (seed = (seed * 48271) % 2147483647) % (max + 1)
    const several = <A>(length: number, make: () => A) => Array.from({ length }, make)
    const lengths: Array<number> = []
    const steps = async function* (): AsyncGenerator<Step> {
      const client = redis.client()
      let log: string | undefined
      for (let i = 0; i < 500; i++) {
        yield {
          // Now and then all of it leaves the window, or most.
          pass: nat(60) === 0 ? 7_000 + nat(5_000) : nat(300),
          costs: several(1 + nat(2), () => ({ cost: 1 + nat(2), tries: nat(2) === 0 })),
          ahead: nat(2) * 500,
          back: several(nat(30) === 0 ? 60 : nat(1), () => ({ which: -1 - nat(nat(80)), part: 1 + nat(3) }))
        }
        log ??= (await redis.keys("long"))[0]
        if (log !== undefined) lengths.push(await client.strlen(log))
      }
    }
    await decidesAsInMemory(on, of, "long", steps())
    assert.isAbove(lengths.filter((length, i) => i > 0 && length < lengths[i - 1]!).length, 3, "times that it was cut")
    assert.isBelow(Math.max(...lengths), 16 * (64 + 2 * 80) + 88)
  })

  it("any rate is exact over any time: 3 and 2,000 a second, 3 in ten seconds, 7 in a third of one", async () => {
    const on = redis.connectOnAClock()
    for (const [limit, interval] of [
      [3, 1000],
      [2000, 1000],
      [3, 10_000],
      [7, 1000 / 3]
    ] as const) {
      const request = even(limit, interval, 2, `exact-${limit}-${interval}`)
      const begin = on.now
      let taken = 0
      for (let i = 0; i < 100; i++) {
        const [answer] = await on.run(scriptsOf(request).take, request)
        if (answer!.allowed) taken++
        else on.now += Math.round(answer!.retryAfter * 1000)
      }
      const most = 2 + ((on.now - begin) * limit) / (interval * 1000)
      assert.isAtMost(taken, most + 1e-6)
      assert.isAtLeast(taken, Math.floor(most))
    }
  })

  it("a clock that is set back, by an hour say, stops nothing, and nothing is had twice", async () => {
    const on = redis.connectOnAClock()
    for (const request of [sliding(2, 10, "back"), even(2, 10, 2, "back")]) {
      const { take } = scriptsOf(request)
      const next = async () => (await on.run(take, request))[0]!
      assert.isTrue((await next()).allowed)
      assert.isTrue((await next()).allowed)
      on.now -= 3_600_000_000
      const refused = await next()
      assert.isFalse(refused.allowed)
      assert.isAtMost(refused.retryAfter, 10)
      on.now += refused.retryAfter * 1000 - 1
      assert.isFalse((await next()).allowed, "a microsecond too early")
      on.now += 1
      assert.isTrue((await next()).allowed)
    }
  })

  it("keys expire, with the last unit, and looking makes none", async () => {
    const rates = new RedisRates(redis.connect())
    for (const request of [sliding(5, 250, "expires"), even(5, 250, 5, "expires")]) {
      await rates.consume({ ...request, asks: [{ cost: 0, tries: true }] })
      assert.deepStrictEqual(await redis.keys("expires"), [])
      await rates.consume({ ...request, asks: asks(2, 1) })
      const keys = await redis.keys("expires")
      assert.isAbove(keys.length, 0)
      const client = redis.client()
      for (const left of await Promise.all(keys.map((key) => client.pttl(key)))) {
        assert.isAtMost(left, 285)
        assert.notStrictEqual(left, -1, "it never expires")
      }
      for (let tries = 0; (await client.exists(...keys)) > 0 && tries < 400; tries++) {
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
      assert.deepStrictEqual(await redis.keys("expires"), [])
    }
  })

  it("another rate for the same key is another count", async () => {
    const rates = new RedisRates(redis.connect())
    for (const request of [
      sliding(1, 10_000, "b"),
      sliding(1, 10_001, "b"),
      sliding(2, 10_000, "b"),
      even(1, 10_000, 1, "b")
    ]) {
      assert.isTrue((await rates.consume(request))[0]!.allowed)
    }
    assert.isFalse((await rates.consume(sliding(1, 10_000, "b")))[0]!.allowed)
  })

  it("a thousand that wait are one question", async () => {
    const rates = new RedisRates(redis.connect())
    for (const request of [sliding(600, 60_000, "many"), even(600, 60_000, 600, "many")]) {
      const answers = await rates.consume({ ...request, asks: asks(...Array.from({ length: 1000 }, () => 1)) })
      assert.strictEqual(answers.length, 601)
      assert.strictEqual(answers.filter(({ allowed }) => allowed).length, 600)
      await rates.giveBack({ ...request, grants: answers.slice(0, 600).map(({ grant }) => ({ cost: 1, grant })) })
      assert.strictEqual((await rates.consume({ ...request, asks: [{ cost: 0, tries: true }] }))[0]!.remaining, 600)
    }
  })

  it("what somebody else keeps under a key is left alone, and named", async () => {
    const rates = new RedisRates(redis.connect())
    const client = redis.client()
    for (const request of [sliding(5, 10_000, "taken"), even(5, 10_000, 5, "taken")]) {
      await rates.consume(request)
      for (const key of await redis.keys("taken")) {
        await client.del(key)
        await client.set(key, "mine")
        const error = await rejectionOf(rates.consume(request))
        assert.instanceOf(error, StoreError)
        assert.deepInclude(error, { reason: "wrong type" })
        assert.include((error as Error).message, key)
        assert.strictEqual(await client.get(key), "mine")
        await client.del(key)
      }
    }
  })

  it("what was granted under a key that has expired since is not given back to the one after it", async () => {
    const on = redis.connectOnAClock()
    for (const request of [sliding(3, 10, "expired"), even(3, 10, 3, "expired")]) {
      const { giveBack, take } = scriptsOf(request)
      const all = { ...request, asks: asks(3) }
      const [old] = await on.run(take, all)
      await redis.client().del(...(await redis.keys("expired")))
      on.now += 20_000
      assert.isTrue((await on.run(take, all))[0]!.allowed)
      await on.run(giveBack, { ...request, grants: [{ cost: 3, grant: old!.grant }] })
      assert.isFalse((await on.run(take, request))[0]!.allowed)
    }
  })

  it("a key that is too long, and a cost that can never fit, are refused before anything is asked", async () => {
    const rates = new RedisRates(redis.connect())
    assert.instanceOf(await rejectionOf(rates.consume(sliding(1, 1000, "x".repeat(5000)))), RangeError)
    assert.instanceOf(await rejectionOf(rates.consume({ ...sliding(2, 1000, "refused"), asks: asks(3) })), RangeError)
    assert.deepStrictEqual(await redis.keys("refused"), [])
  })

  it("several processes together never have more than the limit in any interval of the server's clock, and all of it", async () => {
    const [limit, interval, during] = [40, 100, 350]
    const rates = [sliding(limit, interval, "shared"), even(limit, interval, 1, "shared")]
    const worker = `
      import { connect } from "./dist/redis/connect.js"
      import { RedisRates } from "./dist/redis/rates.js"
      const connection = connect(${JSON.stringify({ url: redis.url, prefix: redis.prefix, timeout: 10_000 })})
      const store = new RedisRates(connection)
      const ready = "${redis.prefix}:ready"
      await connection.send("INCR", [ready])
      while (Number(await connection.send("GET", [ready])) < 3);
      const end = performance.now() + ${during}
      const all = ${JSON.stringify(rates)}.map(async (rate) => {
        const taken = []
        while (performance.now() < end) {
          const [{ allowed, grant }] = await store.consume({ ...rate, asks: [{ cost: 1, tries: true }] })
          if (allowed) taken.push({ at: grant[0] / 1000, cost: 1 })
        }
        return taken
      })
      console.log(JSON.stringify(await Promise.all(all)))
      connection.close()`
    const outputs = await Promise.all([1, 2, 3].map(() => runNode(worker)))
    const each = outputs.map((stdout) => JSON.parse(stdout) as ReadonlyArray<ReadonlyArray<Taken>>)
    rates.forEach((_, index) => {
      const taken = each.flatMap((kinds) => kinds[index]!).toSorted((a, b) => a.at - b.at)
      // A bucket of one unit is evenly spread: it never has more than the limit either.
      assert.isAtMost(mostInAnInterval(taken, interval), limit)
      // How much of what there is they find depends on how often the machine lets them ask.
      assert.isAbove(taken.length, limit)
    })
  })
})

describeRedis("the laws of a store", (redis) => {
  let opened = 0
  rateLimiterStoreLaws({
    name: "Redis",
    async open() {
      const connection = redis.connectOnAClock({ prefix: `${redis.prefix}-${opened++}` })
      const rates = new RedisRates(connection)
      return {
        consume: (request) => rates.consume(request),
        giveBack: (request) => rates.giveBack(request),
        async advance(milliseconds) {
          connection.now += Math.ceil(milliseconds * 1000 - 1e-3)
        },
        async close() {}
      }
    }
  })
})
