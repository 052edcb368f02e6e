/** What a limiter does whose rates a store keeps, over a store that answers when the test says so. */
import { assert, beforeEach, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Effects from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import * as fc from "effect/FastCheck"
import { afterEach } from "vitest"
import { MemoryRates } from "../../src/core/memoryRates.js"
import { Timekeeper } from "../../src/core/timekeeper.js"
import { statesOf } from "../utils/gate.js"
import { anyRun, restOf } from "../utils/rates.js"
import { onStepClock, onTheClock, onPlatform, type StepTimes, timedSkins } from "./RateLimiter.js"
import { alternate, type Attempt, fork, settle, start } from "./skins.js"

interface Asked {
  readonly request: Promises.RateLimiterStoreRequest
  readonly resolve: (decisions: ReadonlyArray<Promises.RateLimiterStoreDecision>) => void
  readonly reject: (error: unknown) => void
}

/** A store in memory. While it is held, it answers when it is told to. */
export class HandStore implements Promises.RateLimiterStore {
  held = false
  /** What is asked and not answered. */
  readonly asked: Array<Asked> = []
  /** Everything that it was asked, question by question, and that was given back. */
  readonly questions: Array<ReadonlyArray<number>> = []
  readonly given: Array<number> = []
  giveBackFails: Error | undefined = undefined
  private readonly rates: MemoryRates

  constructor(now: () => number) {
    this.rates = new MemoryRates(new Timekeeper({ now, sleep: () => () => {} }))
  }

  consume(request: Promises.RateLimiterStoreRequest): Promise<ReadonlyArray<Promises.RateLimiterStoreDecision>> {
    this.questions.push(request.asks.map(({ cost }) => cost))
    return new Promise((resolve, reject) => {
      if (this.held) this.asked.push({ request, resolve, reject })
      else resolve(this.rates.consume(request))
    })
  }

  async giveBack(request: Promises.RateLimiterStoreReturn): Promise<void> {
    this.given.push(...request.grants.map(({ cost }) => cost))
    if (this.giveBackFails !== undefined) throw this.giveBackFails
    this.rates.giveBack(request)
  }

  /** Answers the oldest question, or says something of the test's about those who are first in it. */
  async answer(...decisions: ReadonlyArray<Partial<Promises.RateLimiterStoreDecision>>): Promise<void> {
    const { request, resolve } = this.asked.shift()!
    const own = this.rates.consume(request)
    resolve(decisions.length === 0 ? own : decisions.map((decision, index) => Object.assign({}, own[index]!, decision)))
    await settle()
  }

  async fail(error: unknown): Promise<void> {
    this.asked.shift()!.reject(error)
    await settle()
  }

  /** How much could be had of a rate now. */
  left(options: Promises.RateLimiterMakeOptions, key = "default"): number {
    const { burst, interval, limit } = options
    const algorithm = options.algorithm ?? (burst === undefined ? "slidingWindow" : "gcra")
    const asks = [{ cost: 0, tries: true }]
    return this.rates.consume({ algorithm, limit, interval, burst: burst ?? limit, key, asks, ahead: 0 })[0]!.remaining
  }
}

/** The store for an Effect program. */
export const inEffect = (store: HandStore): Effects.RateLimiter.StoreShape<unknown> => ({
  consume: (request) => Effect.tryPromise({ try: () => store.consume(request), catch: (error) => error }),
  giveBack: (request) => Effect.tryPromise({ try: () => store.giveBack(request), catch: (error) => error })
})

interface Driver {
  consume(key?: string, cost?: number): Attempt<void>
  tryConsume(key?: string, cost?: number): Attempt<Effects.RateLimiter.Decision>
  limit<A>(body: () => Promise<A>, key?: string, cost?: number): Attempt<A>
  reserve(key?: string, cost?: number): Attempt<{ readonly delay: number; wait(): Attempt<boolean>; cancel(): boolean }>
  stats(): Effects.RateLimiter.Stats
}

const costOf = (cost: number | undefined) => (cost === undefined ? undefined : { cost })

const run = <A>(self: Effect.Effect<A, unknown>): Attempt<A> => fork(onTheClock(self))

const effectDriver = (self: Effects.RateLimiter.WithStore<unknown, unknown>): Driver => ({
  consume: (key, cost) => run(self.consume(key, costOf(cost))),
  tryConsume: (key, cost) => run(self.tryConsume(key, costOf(cost))),
  limit: (body, key, cost) =>
    run(self.withLimit(key, costOf(cost))(Effect.tryPromise({ try: body, catch: (error) => error }))),
  reserve: (key, cost) =>
    run(
      Effect.map(self.reserve(key, costOf(cost)), ({ cancel, delay, wait }) => ({
        delay,
        wait: () => run(wait),
        cancel: () => run(cancel).value
      }))
    ),
  stats: () => run(self.stats).value
})

const promiseDriver = (self: Promises.RateLimiterWithStore): Driver => ({
  consume: (key, cost) => start((wait) => self.consume(key, { ...wait, ...costOf(cost) })),
  tryConsume: (key, cost) => start((wait) => self.tryConsume(key, { ...wait, ...costOf(cost) })),
  limit: (body, key, cost) => start((wait) => self.run(body, { ...wait, key, ...costOf(cost) })),
  reserve: (key, cost) =>
    start(async (wait) => {
      const reservation = await self.reserve(key, { ...wait, ...costOf(cost) })
      return {
        delay: reservation.delay,
        wait: () => start((wait) => reservation.wait(wait)),
        cancel: () => reservation.cancel()
      }
    }),
  stats: () => self.stats()
})

export interface StoreLimiterSkin extends StepTimes {
  readonly name: "effect" | "promise" | "mixed"
  make(options: Promises.RateLimiterMakeOptions, store: HandStore): Driver
}

const made = (options: Promises.RateLimiterMakeOptions, store: HandStore) => {
  const attempt = run(Effects.RateLimiter.makeWithStore(options, inEffect(store)))
  if (attempt.state === "failed") throw attempt.error
  return attempt.value
}

export const storeLimiterSkins: ReadonlyArray<StoreLimiterSkin> = [
  { ...onStepClock, name: "effect", make: (options, store) => effectDriver(made(options, store)) },
  {
    ...onPlatform,
    name: "promise",
    make: (options, store) => promiseDriver(new Promises.RateLimiterWithStore(options, store))
  },
  {
    ...onStepClock,
    name: "mixed",
    make: (options, store) => {
      const self = made(options, store)
      return alternate(effectDriver(self), promiseDriver(Promises.RateLimiterWithStore.from(self)))
    }
  }
]

/** How many microtasks an answer takes at most to reach its caller, in any skin; a cancellation is tried after each. */
const microtasks = 40

export const storeLimiterLaws = (skin: StoreLimiterSkin) =>
  describe(`RateLimiter laws over a store (${skin.name})`, () => {
    const { advance } = skin
    beforeEach(skin.begin)
    afterEach(skin.end)

    const open = (options: Promises.RateLimiterMakeOptions, held = true) => {
      const store = new HandStore(skin.now)
      store.held = held
      return { store, limiter: skin.make(options, store), left: (key?: string) => store.left(options, key) }
    }

    it("lets through what the store allows, in order, and sleeps for as long as it says", async () => {
      const { limiter, store } = open({ limit: 2, interval: 10 }, false)
      const order: Array<number> = []
      const all = [1, 2, 1, 1].map((cost, n) => limiter.limit(async () => void order.push(n), "a", cost))
      await settle()
      assert.deepStrictEqual(order, [0])
      assert.deepStrictEqual(limiter.stats(), { keys: 1, waiting: 3 })
      await advance(9)
      assert.deepStrictEqual(order, [0])
      await advance(1)
      assert.deepStrictEqual(order, [0, 1])
      await advance(10)
      assert.deepStrictEqual(order, [0, 1, 2, 3])
      assert.isTrue(all.every(({ state }) => state === "done"))
      assert.deepStrictEqual(limiter.stats(), { keys: 0, waiting: 0 })
      assert.deepStrictEqual(store.questions, [[1], [2, 1], [2, 1], [1, 1]])
    })

    it("asks one question a key at a time, and nothing for those who would wait anyway", async () => {
      const { limiter, store } = open({ limit: 1, interval: 10 })
      const all = [limiter.consume(), limiter.consume(), limiter.tryConsume(), limiter.consume()]
      await settle()
      assert.strictEqual(store.asked.length, 1)
      await store.answer()
      await store.answer()
      assert.deepStrictEqual(statesOf(...all), ["done", "waiting", "done", "waiting"])
      assert.deepStrictEqual(all[2]!.value as unknown, {
        allowed: false,
        remaining: 0,
        retryAfter: 20,
        resetAfter: 10
      })
      assert.strictEqual(store.asked.length, 0)
      all[1]!.cancel()
      all[3]!.cancel()
      await settle()
      assert.deepStrictEqual(limiter.stats(), { keys: 0, waiting: 0 })
    })

    it("of those who only try, whatever they want, all but the first are in one question", async () => {
      const { limiter, store } = open({ limit: 10, interval: 10 })
      const all = [3, 4, 5, 2, 2, 1].map((cost) => limiter.tryConsume("a", cost))
      await settle()
      await store.answer()
      await store.answer()
      assert.deepStrictEqual(store.questions, [[3], [4, 5, 2, 2, 1]])
      assert.deepStrictEqual(
        all.map(({ value }) => [value.allowed, value.remaining]),
        [
          [true, 7],
          [true, 3],
          [false, 3],
          [true, 1],
          [false, 1],
          [true, 0]
        ]
      )
    })

    it("what is granted ahead comes at its time, also when the answer was late; and who leaves lets those behind move up", async () => {
      const { left, limiter, store } = open({ limit: 1, interval: 5, burst: 1 })
      const order: Array<readonly [string, number]> = []
      const ask = (name: string) => limiter.limit(async () => void order.push([name, skin.now() - began]))
      const began = skin.now()
      const all = ["one", "two", "three", "four", "five"].map(ask)
      await settle()
      await advance(4)
      await store.answer()
      // Now it asks 20 ms ahead: for 9, 14, 19 and 24.
      await store.answer()
      assert.deepStrictEqual(statesOf(...all), ["done", "waiting", "waiting", "waiting", "waiting"])
      await advance(6)
      all[2]!.cancel()
      await settle()
      assert.deepStrictEqual(store.given, [1])
      await advance(20)
      assert.deepStrictEqual(order, [
        ["one", 4],
        ["two", 9],
        ["four", 14],
        ["five", 19]
      ])
      assert.deepStrictEqual(store.questions, [[1], [1, 1, 1, 1]])
      assert.deepStrictEqual([left(), limiter.stats()], [1, { keys: 0, waiting: 0 }])
    })

    it("tryConsume passes nobody, neither who is asked for nor who sleeps", async () => {
      const { limiter, store } = open({ limit: 3, interval: 10 })
      const large = limiter.consume("a", 3)
      const small = limiter.tryConsume("a", 1)
      await settle()
      assert.strictEqual(store.asked.length, 1)
      await store.answer({ allowed: false, retryAfter: 4, resetAfter: 6 })
      assert.deepStrictEqual(statesOf(large, small), ["waiting", "done"])
      assert.deepStrictEqual(small.value, { allowed: false, remaining: 0, retryAfter: 14, resetAfter: 6 })
      await advance(1)
      const later = limiter.tryConsume("a", 1)
      await settle()
      assert.deepInclude(later.value, { allowed: false, retryAfter: 13, resetAfter: 5 })
      large.cancel()
      await settle()
    })

    it("the backlog is bounded while the store is asked, too", async () => {
      const { limiter, store } = open({ limit: 2, interval: 10, backlog: 1 })
      const all = Array.from({ length: 1000 }, () => limiter.consume())
      await settle()
      assert.strictEqual(limiter.stats().waiting, 3)
      assert.strictEqual(all.filter(({ state }) => state === "failed").length, 997)
      await store.answer()
      await store.answer()
      assert.deepStrictEqual(statesOf(...all.slice(0, 3)), ["done", "done", "waiting"])
      const more = limiter.consume()
      await settle()
      const { _tag, key, retryAfter } = more.error as Promises.RateLimited
      assert.deepStrictEqual([_tag, key, retryAfter], ["RateLimited", "default", 10])
      store.held = false
      await advance(10)
      assert.strictEqual(all[2]!.state, "done")
    })

    it("with no backlog: now or not at all; and retryAfter is the store's", async () => {
      const { limiter } = open({ limit: 2, interval: 10, backlog: 0 }, false)
      const all = [limiter.consume(), limiter.consume(), limiter.limit(async () => {})]
      await settle()
      assert.deepStrictEqual(statesOf(...all), ["done", "done", "failed"])
      assert.strictEqual((all[2]!.error as Promises.RateLimited).retryAfter, 10)
      assert.strictEqual(limiter.stats().waiting, 0)
    })

    it("keys do not wait for each other", async () => {
      const { limiter, store } = open({ limit: 1, interval: 10 })
      const all = [limiter.consume("a"), limiter.consume("b")]
      await settle()
      assert.strictEqual(store.asked.length, 2)
      store.asked.reverse()
      await store.answer()
      assert.deepStrictEqual(statesOf(...all), ["waiting", "done"])
      await store.answer()
      assert.deepStrictEqual(statesOf(...all), ["done", "done"])
      assert.deepStrictEqual(limiter.stats(), { keys: 0, waiting: 0 })
    })

    describe("cancelled", () => {
      const calls = (limiter: Driver): Array<() => Attempt<unknown>> => [
        () => limiter.consume(),
        () => limiter.tryConsume(),
        () => limiter.limit(async () => {}),
        () => limiter.reserve()
      ]

      it("while the store is asked: it is gone at once, and what comes late goes to the next", async () => {
        for (const call of [0, 1, 2, 3]) {
          const { left, limiter, store } = open({ limit: 5, interval: 10 })
          const victim = calls(limiter)[call]!()
          const next = limiter.consume()
          await settle()
          victim.cancel()
          await settle()
          assert.deepStrictEqual(statesOf(victim, next), ["cancelled", "waiting"])
          await store.answer()
          assert.strictEqual(next.state, "done")
          assert.deepStrictEqual([left(), store.questions, store.given], [4, [[1]], []])
        }
      })

      it("while the store is asked, and nobody else is there: what comes late goes back", async () => {
        for (const call of [0, 1, 2, 3]) {
          const { left, limiter, store } = open({ limit: 5, interval: 10 })
          const victim = calls(limiter)[call]!()
          await settle()
          victim.cancel()
          await store.answer()
          assert.strictEqual(victim.state, "cancelled")
          assert.deepStrictEqual([left(), store.given], [5, [1]])
          assert.deepStrictEqual(limiter.stats(), { keys: 0, waiting: 0 })
        }
      })

      it("while the store never answers: it is gone, and so are those behind it, one by one", async () => {
        const { limiter } = open({ limit: 5, interval: 10 })
        const all = [...calls(limiter), ...calls(limiter)].map((call) => call())
        await settle()
        for (const attempt of all) attempt.cancel()
        await settle()
        assert.isTrue(all.every(({ state }) => state === "cancelled"))
        assert.strictEqual(limiter.stats().waiting, 0)
      })

      it("while it sleeps: it leaves at once, and who wants less behind it is asked for at once", async () => {
        const { limiter, store } = open({ limit: 2, interval: 10 })
        await settle()
        const first = limiter.consume("a", 1)
        const large = limiter.consume("a", 2)
        const small = limiter.consume("a", 1)
        await settle()
        await store.answer()
        await store.answer()
        assert.deepStrictEqual(statesOf(first, large, small), ["done", "waiting", "waiting"])
        large.cancel()
        await settle()
        await store.answer()
        assert.deepStrictEqual(statesOf(first, large, small), ["done", "cancelled", "done"])
      })

      it("in the tick of the answer: it has what it was granted, or the store, or the next", async () => {
        for (const call of [0, 1, 2, 3]) {
          for (let delay = 0; delay < microtasks; delay++) {
            const options = { limit: 5, interval: 10 }
            const { left, limiter, store } = open(options)
            let ran = 0
            const victim = call === 2 ? limiter.limit(async () => void ran++) : calls(limiter)[call]!()
            await settle()
            void store.answer()
            for (let i = 0; i < delay; i++) await Promise.resolve()
            victim.cancel()
            await settle()
            const message = `call ${call}, cancelled after ${delay} microtasks`
            assert.include(["done", "cancelled"], victim.state, message)
            // A body that was aborted has used what it took, if it began.
            assert.strictEqual(left(), victim.state === "done" || ran > 0 ? 4 : 5, message)
            assert.deepStrictEqual(limiter.stats(), { keys: 0, waiting: 0 }, message)
          }
        }
      })

      it("what goes back lets the next, who sleeps, ask again", async () => {
        const { limiter, store } = open({ limit: 1, interval: 10 }, false)
        const reserved = limiter.reserve()
        await settle()
        const next = limiter.consume()
        await settle()
        assert.strictEqual(next.state, "waiting")
        assert.isTrue(reserved.value.cancel())
        assert.isFalse(reserved.value.cancel())
        await settle()
        assert.strictEqual(next.state, "done")
        assert.deepStrictEqual(store.given, [1])
      })
    })

    it("what the store fails with is of those who were asked for, and the next are asked for", async () => {
      const { left, limiter, store } = open({ limit: 5, interval: 10 })
      const body = limiter.limit(async () => assert.fail("it ran"))
      const all = [limiter.tryConsume(), limiter.consume(), limiter.reserve(), limiter.consume()]
      await settle()
      const error = new Error("down")
      await store.fail(error)
      assert.deepStrictEqual([body.state, body.error], ["failed", error])
      assert.deepStrictEqual(statesOf(...all), Array(4).fill("waiting"))
      const again = new Error("down again")
      const next = limiter.consume()
      await settle()
      await store.fail(again)
      assert.isTrue(all.every((attempt) => attempt.error === again))
      await store.answer()
      assert.strictEqual(next.state, "done")
      assert.strictEqual(left(), 4)
    })

    it("an answer that is none is an error that names it", async () => {
      const { limiter, store } = open({ limit: 5, interval: 10 })
      const all = [limiter.consume(), limiter.tryConsume(), limiter.consume(), limiter.consume()]
      await settle()
      await store.answer({ allowed: false, retryAfter: NaN })
      assert.match(String(all[0]!.error), /RangeError: RateLimiter.Store: retryAfter must be a finite number/)
      const last = limiter.consume()
      await settle()
      await store.answer({})
      for (const attempt of all.slice(1))
        assert.match(
          String(attempt.error),
          /RangeError: RateLimiter.Store: answer must be 3 decisions, or fewer that end/
        )
      await store.answer()
      assert.strictEqual(last.state, "done")
    })

    describe("a reservation", () => {
      it("is there when the store has said when it comes", async () => {
        const { limiter, store } = open({ limit: 1, interval: 10 })
        const all = [limiter.reserve(), limiter.reserve(), limiter.reserve()]
        await settle()
        assert.deepStrictEqual(statesOf(...all), ["waiting", "waiting", "waiting"])
        await store.answer()
        assert.deepStrictEqual(statesOf(...all), ["done", "waiting", "waiting"])
        await store.answer()
        assert.deepStrictEqual(
          all.map(({ value }) => value.delay),
          [0, 10, 20]
        )
        const waits = all.map(({ value }) => value.wait())
        await settle()
        assert.deepStrictEqual(statesOf(...waits), ["done", "waiting", "waiting"])
        store.held = false
        waits[2]!.cancel()
        await advance(10)
        assert.deepStrictEqual(statesOf(...waits), ["done", "done", "cancelled"])
        const again = all[2]!.value.wait()
        await advance(10)
        assert.strictEqual(again.value, true)
      })

      it("that is cancelled tells who waits for it, and one that fails, too", async () => {
        const { limiter, store } = open({ limit: 1, interval: 10 })
        const all = [limiter.reserve(), limiter.reserve(), limiter.reserve()]
        await settle()
        await store.answer()
        await store.answer()
        const waits = all.slice(1).map(({ value }) => value.wait())
        await settle()
        assert.isTrue(all[1]!.value.cancel())
        await settle()
        assert.strictEqual(waits[0]!.value, false)
        await advance(10)
        const error = new Error("down")
        await store.fail(error)
        assert.strictEqual(waits[1]!.error, error)
        const late = all[2]!.value.wait()
        await settle()
        assert.strictEqual(late.error, error)
      })
    })

    it("refuses what is no cost and no key; the store is not asked", async () => {
      const { limiter, store } = open({ limit: 2, interval: 10 })
      for (const cost of [3, -1, 0.5, NaN]) {
        const all = [limiter.consume("a", cost), limiter.tryConsume("a", cost), limiter.reserve("a", cost)]
        all.push(limiter.limit(async () => {}, "a", cost) as never)
        await settle()
        for (const attempt of all) {
          assert.instanceOf(attempt.error, RangeError)
          assert.match(String(attempt.error), /cost must be an integer from 0 to 2, got/)
        }
      }
      const attempt = limiter.consume(1 as never)
      await settle()
      assert.match(String(attempt.error), /TypeError: RateLimiter.consume: key must be a string, got 1/)
      assert.deepStrictEqual(store.questions, [])
      assert.deepStrictEqual(limiter.stats(), { keys: 0, waiting: 0 })
      assert.throws(() => open({ limit: 0, interval: 1 }), RangeError, "limit")
      assert.throws(() => open({ limit: 1, interval: 1, backlog: -1 }), RangeError, "backlog")
    })

    it("grants when a limiter would that decides by itself, to the same callers", () =>
      fc.assert(
        fc.asyncProperty(anyRun(fc.option(fc.nat({ max: 3 }), { nil: undefined })), async (run) => {
          const { options } = run
          const { limiter, store } = open(options, false)
          const own = timedSkins.find(({ name }) => name === skin.name)!.make(options)
          const both = [limiter, own].map(() => ({
            times: [] as Array<readonly [number, number]>,
            attempts: [] as Array<Attempt<void>>
          }))
          for (const [n, { cancel, cost, wait }] of run.steps.entries()) {
            for (const [index, of] of [limiter, own].entries()) {
              const { attempts, times } = both[index]!
              attempts.push(of.limit(async () => void times.push([n, skin.now()]), "a", cost))
              await settle()
              if (cancel < attempts.length && attempts[cancel]!.state === "waiting") attempts[cancel]!.cancel()
            }
            await advance(wait)
          }
          await advance(restOf(run))
          const inOrder = (times: ReadonlyArray<readonly [number, number]>) =>
            [...times].sort(([one], [other]) => one - other)
          assert.deepStrictEqual(inOrder(both[0]!.times), inOrder(both[1]!.times))
          assert.deepStrictEqual(statesOf(...both[0]!.attempts), statesOf(...both[1]!.attempts))
          assert.deepStrictEqual(limiter.stats(), { keys: 0, waiting: 0 })
          assert.strictEqual(store.asked.length, 0)
        }),
        { numRuns: 12 }
      ))
  })
