/**
 * What a store of a rate limiter has to do, whatever it keeps its rates in: run for the stores in memory, and for any other. One on a clock
 * that cannot be moved by hand waits in `advance`, and has a `slack`.
 */
import { assert, describe, it } from "@effect/vitest"
import type {
  RateLimiterStore,
  RateLimiterStoreAsk,
  RateLimiterStoreDecision,
  RateLimiterStoreRequest,
  RateLimiterStoreReturn
} from "effect-concurrency/promise"

export interface OpenStore extends RateLimiterStore {
  consume(request: RateLimiterStoreRequest): Promise<ReadonlyArray<RateLimiterStoreDecision>>
  giveBack(request: RateLimiterStoreReturn): Promise<unknown>
  /** Lets so many milliseconds pass, and no fewer. */
  advance(milliseconds: number): Promise<void>
  close(): Promise<void>
}

export interface StoreSkin {
  readonly name: string
  /** A store with nothing in it. */
  open(): Promise<OpenStore>
  /** How many milliseconds a few calls, or `advance`, may take longer than they should. Default 0. */
  readonly slack?: number
}

/** What one wants who only tries. */
type One = Omit<RateLimiterStoreRequest, "asks" | "ahead"> & { readonly cost: number }

const rateOf = ({ algorithm, burst, interval, key, limit }: One) => ({ algorithm, burst, interval, key, limit })

/** A store, of which one thing is asked at a time, or several. */
class Asked {
  constructor(private readonly store: OpenStore) {}

  all(one: One, asks: ReadonlyArray<RateLimiterStoreAsk>, ahead = 0) {
    return this.store.consume({ ...rateOf(one), asks, ahead })
  }

  async consume(one: One): Promise<RateLimiterStoreDecision> {
    const [decision, ...others] = await this.all(one, [tries(one.cost)])
    assert.deepStrictEqual(others, [])
    assert.strictEqual(decision!.delay, 0)
    return decision!
  }

  giveBack(one: One, { grant }: RateLimiterStoreDecision) {
    return this.giveBackAll(one, [{ cost: one.cost, grant }])
  }

  giveBackAll(one: One, grants: RateLimiterStoreReturn["grants"]) {
    return this.store.giveBack({ ...rateOf(one), grants })
  }

  /** Clocks count nanoseconds, or less well: what they have rounded down is no time that has passed. */
  advance(milliseconds: number): Promise<void> {
    return this.store.advance(Math.ceil(milliseconds * 1000) / 1000)
  }
}

const tries = (cost: number): RateLimiterStoreAsk => ({ cost, tries: true })
const waits = (cost: number): RateLimiterStoreAsk => ({ cost, tries: false })

export const rateLimiterStoreLaws = ({ name, open, slack = 0 }: StoreSkin): void => {
  /** Long enough that the slack is a small part of it. */
  const interval = Math.max(200, 20 * slack)

  const sliding = (limit: number, cost = 1, key = "a"): One => ({
    algorithm: "slidingWindow",
    limit,
    interval,
    burst: limit,
    key,
    cost
  })
  const even = (limit: number, burst: number, cost = 1, key = "a"): One => ({
    algorithm: "gcra",
    limit,
    interval,
    burst,
    key,
    cost
  })
  const withStore = async (body: (store: Asked) => Promise<void>): Promise<void> => {
    const store = await open()
    try {
      await body(new Asked(store))
    } finally {
      await store.close()
    }
  }
  /** Time has gone on a little since, perhaps. */
  const about = (actual: number, expected: number, what: string) => {
    assert.isAtMost(actual, expected + 1e-6, what)
    assert.isAtLeast(actual, Math.max(0, expected - slack) - 1e-6, what)
  }
  const allowed = async (store: Asked, request: One): Promise<boolean> => (await store.consume(request)).allowed
  const left = async (store: Asked, request: One): Promise<number> =>
    (await store.consume({ ...request, cost: 0 })).remaining

  describe(`store laws (${name})`, () => {
    it("allows as much as fits, and says what is left; refuses the rest, takes nothing of it, and says when it fits", () =>
      withStore(async (store) => {
        const first = await store.consume(sliding(3, 2))
        assert.deepInclude(first, { allowed: true, remaining: 1, retryAfter: 0 })
        about(first.resetAfter, interval, "resetAfter")
        const second = await store.consume(sliding(3, 2))
        assert.deepInclude(second, { allowed: false, remaining: 1 })
        about(second.retryAfter, interval, "retryAfter")
        assert.deepInclude(await store.consume(sliding(3, 1)), { allowed: true, remaining: 0 })
        assert.isFalse(await allowed(store, sliding(3, 1)))
      }))

    it("whoever comes again after retryAfter is allowed, and before it is not", () =>
      withStore(async (store) => {
        for (const request of [sliding(3, 2), even(3, 2, 2, "b"), even(7, 3, 2, "c")]) {
          while (await allowed(store, request));
          const { retryAfter } = await store.consume(request)
          assert.isAbove(retryAfter, 0)
          if (retryAfter > 2 * slack + 2) {
            await store.advance(retryAfter - 2 * slack - 1)
            assert.isFalse(await allowed(store, request), "too early")
            await store.advance(2 * slack + 1)
          } else await store.advance(retryAfter)
          assert.isTrue(await allowed(store, request), "in time")
        }
      }))

    it("a sliding window: each unit comes back an interval after it was taken", () =>
      withStore(async (store) => {
        const pause = interval / 4
        for (let i = 0; i < 3; i++) {
          assert.isTrue(await allowed(store, sliding(3)))
          await store.advance(pause)
        }
        assert.strictEqual(await left(store, sliding(3)), 0)
        await store.advance(pause)
        assert.strictEqual(await left(store, sliding(3)), 1)
        const { resetAfter } = await store.consume(sliding(3, 0))
        about(resetAfter, 2 * pause, "resetAfter")
        await store.advance(pause)
        assert.strictEqual(await left(store, sliding(3)), 2)
        await store.advance(pause)
        assert.strictEqual(await left(store, sliding(3)), 3)
      }))

    it("gcra: a burst at once, and then one by one, evenly", () =>
      withStore(async (store) => {
        const request = even(4, 3)
        for (const remaining of [2, 1, 0]) {
          assert.deepInclude(await store.consume(request), { allowed: true, remaining })
        }
        const refused = await store.consume(request)
        assert.isFalse(refused.allowed)
        about(refused.retryAfter, interval / 4, "retryAfter")
        about(refused.resetAfter, (interval * 3) / 4, "resetAfter")
        for (const remaining of [1, 2, 3, 3]) {
          await store.advance(interval / 4)
          assert.strictEqual(await left(store, request), remaining)
        }
      }))

    it("any rate, also one whose units are not whole milliseconds apart, and an interval with a fraction", () =>
      withStore(async (store) => {
        // 7 in three tenths of an interval and a bit: what came back is right after any number of units.
        const request = { ...even(7, 2), interval: interval * 0.3 + 0.1 }
        let elapsed = 0
        let taken = 0
        for (let i = 0; i < 40; i++) {
          const { allowed, retryAfter } = await store.consume(request)
          if (allowed) taken++
          else {
            // As `advance` does here.
            elapsed += Math.ceil(retryAfter * 1000) / 1000
            await store.advance(retryAfter)
          }
        }
        const most = 2 + (elapsed * 7) / request.interval
        // With time that cannot be held there is more of it than was waited for.
        if (slack === 0) assert.isAtMost(taken, most + 1e-6)
        assert.isAtLeast(taken, Math.floor(most) - 1)
      }))

    it("with a cost of 0 it only looks", () =>
      withStore(async (store) => {
        for (const request of [sliding(2, 0), even(2, 2, 0, "b")]) {
          const look = await store.consume(request)
          assert.deepInclude(look, { allowed: true, remaining: 2, retryAfter: 0 })
          about(look.resetAfter, 0, "resetAfter")
          await store.consume({ ...request, cost: 2 })
          assert.deepInclude(await store.consume(request), { allowed: true, remaining: 0 })
        }
      }))

    it("keys have nothing to do with each other, whatever they are called", () =>
      withStore(async (store) => {
        for (const key of ["b", "", " ", "a:b", "{a}", "a*", "__proto__", "ключ 🔑", "x".repeat(1000)]) {
          assert.isTrue(await allowed(store, sliding(1, 1, key)), key)
          assert.isFalse(await allowed(store, sliding(1, 1, key)), key)
        }
        assert.isTrue(await allowed(store, sliding(1, 1, "a")))
      }))

    it("what is asked at the same time is decided one after the other", () =>
      withStore(async (store) => {
        for (const request of [sliding(10), even(10, 10, 1, "b")]) {
          const decisions = await Promise.all(Array.from({ length: 50 }, () => store.consume(request)))
          // Where time goes on, some may have come back.
          const count = decisions.filter(({ allowed }) => allowed).length
          assert.isAtLeast(count, 10)
          assert.isAtMost(count, slack === 0 || request.algorithm === "slidingWindow" ? 10 : 12)
        }
      }))

    describe("several at once", () => {
      const outcomes = (decisions: ReadonlyArray<RateLimiterStoreDecision>) => decisions.map(({ allowed }) => allowed)

      it("are decided about in their order; who only tries does not hold up the others", () =>
        withStore(async (store) => {
          for (const request of [sliding(6), even(6, 6, 1, "b")]) {
            const decisions = await store.all(request, [tries(4), tries(3), tries(1), tries(2), tries(1), tries(0)])
            assert.deepStrictEqual(outcomes(decisions), [true, false, true, false, true, true])
            assert.deepStrictEqual(
              decisions.map(({ remaining }) => remaining),
              [2, 2, 1, 1, 0, 0]
            )
            assert.strictEqual(await left(store, request), 0)
          }
        }))

      it("the refusal of one who waits is the last: nobody behind him is decided about, nor has anything", () =>
        withStore(async (store) => {
          for (const request of [sliding(4), even(4, 4, 1, "b")]) {
            const decisions = await store.all(request, [waits(2), tries(3), waits(3), waits(1), tries(1)])
            assert.deepStrictEqual(outcomes(decisions), [true, false, false])
            assert.strictEqual(await left(store, request), 2)
            assert.isAbove(decisions[2]!.retryAfter, 0)
          }
        }))

      it("a thousand, in one question", () =>
        withStore(async (store) => {
          const decisions = await store.all(
            sliding(600),
            Array.from({ length: 1000 }, () => tries(1))
          )
          assert.strictEqual(decisions.length, 1000)
          assert.strictEqual(decisions.filter(({ allowed }) => allowed).length, 600)
        }))
    })

    describe("ahead", () => {
      it("who waits is granted units for when they come, up to so far ahead; and the rate is kept", () =>
        withStore(async (store) => {
          const request = even(4, 1)
          const decisions = await store.all(request, [waits(1), waits(1), waits(1), waits(1)], interval / 2)
          assert.deepStrictEqual(
            decisions.map(({ allowed }) => allowed),
            [true, true, true, false]
          )
          for (const [index, delay] of [0, interval / 4, interval / 2].entries())
            about(decisions[index]!.delay, delay, `delay `)
          about(decisions[3]!.retryAfter, (interval * 3) / 4, "retryAfter")
          assert.strictEqual(decisions[1]!.remaining, 0)
          about(decisions[2]!.resetAfter, (interval * 3) / 4, "resetAfter")
          // Nobody comes before them.
          await store.advance(interval / 4)
          assert.isFalse(await allowed(store, request))
          await store.advance(interval / 2)
          assert.isTrue(await allowed(store, request))
        }))

      it("in a sliding window, each an interval after what it follows; who only tries has nothing of it", () =>
        withStore(async (store) => {
          const request = sliding(2)
          assert.isTrue(await allowed(store, request))
          await store.advance(interval / 2)
          const decisions = await store.all(request, [waits(1), waits(1), tries(1), waits(1), waits(1)], interval)
          assert.deepStrictEqual(
            decisions.map(({ allowed }) => allowed),
            [true, true, false, true, false]
          )
          for (const [index, delay] of [0, interval / 2, 0, interval].entries())
            about(decisions[index]!.delay, delay, `delay `)
          await store.advance(interval)
          assert.strictEqual(await left(store, request), 0)
          await store.advance(interval / 2)
          assert.strictEqual(await left(store, request), 1)
          await store.advance(interval / 2)
          assert.strictEqual(await left(store, request), 2)
        }))

      it("what is given back before its time can be had by others, the latest first", () =>
        withStore(async (store) => {
          for (const request of [even(4, 1), sliding(1, 1, "b")]) {
            const asks = [waits(1), waits(1), waits(1)]
            const decisions = await store.all(request, asks, 3 * interval)
            assert.isTrue(decisions.every(({ allowed }) => allowed))
            const [, second, third] = decisions
            await store.giveBackAll(request, [
              { cost: 1, grant: third!.grant },
              { cost: 1, grant: second!.grant }
            ])
            const [again] = await store.all(request, [waits(1)], 3 * interval)
            about(again!.delay, second!.delay, "delay")
          }
        }))
    })

    describe("giveBack", () => {
      it("undoes what was taken, all of it", () =>
        withStore(async (store) => {
          for (const request of [sliding(3, 2), even(3, 3, 2, "b")]) {
            const decision = await store.consume(request)
            await store.giveBack(request, decision)
            const look = await store.consume({ ...request, cost: 0 })
            assert.strictEqual(look.remaining, 3)
            about(look.resetAfter, 0, "nothing is used")
            assert.isTrue(await allowed(store, { ...request, cost: 3 }))
          }
        }))

      it("or a part, and then another", () =>
        withStore(async (store) => {
          for (const request of [sliding(5, 4), even(5, 5, 4, "b")]) {
            const decision = await store.consume(request)
            await store.giveBack({ ...request, cost: 1 }, decision)
            assert.strictEqual(await left(store, request), 2)
            await store.giveBack({ ...request, cost: 2 }, decision)
            assert.strictEqual(await left(store, request), 4)
          }
        }))

      it("of one grant leaves another, that was taken at the same time or later", () =>
        withStore(async (store) => {
          const one = await store.consume(sliding(5, 2))
          const same = await store.consume(sliding(5, 1))
          await store.advance(interval / 4)
          await store.consume(sliding(5, 1))
          await store.giveBack(sliding(5, 2), one)
          assert.strictEqual(await left(store, sliding(5)), 3)
          await store.advance((interval * 3) / 4)
          // What was taken later is not back yet.
          assert.strictEqual(await left(store, sliding(5)), 4)
          await store.giveBack(sliding(5, 1), same)
          assert.strictEqual(await left(store, sliding(5)), 4)
        }))

      it("of what has come back by itself does nothing: there is never more than the limit, or the burst", () =>
        withStore(async (store) => {
          for (const request of [sliding(3, 3), even(3, 3, 3, "b")]) {
            const decision = await store.consume(request)
            await store.advance(interval)
            assert.isTrue(await allowed(store, { ...request, cost: 3 }))
            await store.giveBack(request, decision)
            assert.isAtMost(await left(store, request), request.algorithm === "gcra" ? slack / 10 : 0)
          }
        }))
    })

    it("an interval after the last nothing is used any more", () =>
      withStore(async (store) => {
        for (const request of [sliding(3, 2), even(3, 3, 2, "b")]) {
          const { resetAfter } = await store.consume(request)
          assert.isAtMost(resetAfter, interval)
          await store.advance(resetAfter)
          assert.deepInclude(await store.consume({ ...request, cost: 0 }), { remaining: 3, resetAfter: 0 })
        }
      }))
  })
}
