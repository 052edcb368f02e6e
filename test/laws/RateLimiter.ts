import { assert, beforeEach, describe, it } from "@effect/vitest"
import { Clock, type Duration, Effect } from "effect"
import * as Effects from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import * as fc from "effect/FastCheck"
import { afterEach, vi } from "vitest"
import { statesOf } from "../utils/gate.js"
import { anyRun, mostInAnInterval, mostOf, restOf } from "../utils/rates.js"
import { alternate, type Attempt, fork, settle, start } from "./skins.js"

/** A clock that stands still until it is told to go on. It stops at each timer, so that whoever wakes acts at that time. */
export class StepClock implements Clock.Clock {
  readonly [Clock.ClockTypeId]: Clock.ClockTypeId = Clock.ClockTypeId
  now = 0
  /** How often anything slept. */
  sleeps = 0
  readonly timers = new Set<{ readonly due: number; readonly fire: () => void }>()
  readonly currentTimeMillis = Effect.sync(() => this.now)
  readonly currentTimeNanos = Effect.sync(() => this.unsafeCurrentTimeNanos())

  unsafeCurrentTimeMillis(): number {
    return this.now
  }
  unsafeCurrentTimeNanos(): bigint {
    return BigInt(Math.round(this.now * 1e6))
  }
  scheduler(): never {
    throw new Error("not needed")
  }
  sleep(duration: Duration.Duration): Effect.Effect<void> {
    return Effect.async((resume) => {
      this.sleeps++
      const millis = (duration as unknown as { value: { millis: number; nanos?: bigint } }).value
      const length = millis.nanos === undefined ? millis.millis : Number(millis.nanos) / 1e6
      const timer = { due: this.now + length, fire: () => resume(Effect.void) }
      this.timers.add(timer)
      return Effect.sync(() => this.timers.delete(timer))
    })
  }
  async advance(milliseconds: number): Promise<void> {
    const end = this.now + milliseconds
    await settle()
    for (;;) {
      const [first] = [...this.timers].sort((one, other) => one.due - other.due)
      if (first === undefined || first.due > end) break
      this.now = first.due
      this.timers.delete(first)
      first.fire()
      await settle()
    }
    this.now = end
  }
}

export interface RateLimiterDriver {
  consume(key?: string, cost?: number): Attempt<void>
  tryConsume(key?: string, cost?: number): Effects.RateLimiter.Decision
  /** Runs a body when its turn has come. */
  limit<A>(body: () => Promise<A>, key?: string, cost?: number): Attempt<A>
  reserve(key?: string, cost?: number): { readonly delay: number; wait(): Attempt<boolean>; cancel(): boolean }
  stats(): Effects.RateLimiter.Stats
}

/** A clock that stands still until it is told to go on; in the end no timer may be left on it. */
export interface StepTimes {
  begin(): void
  end(): void
  advance(milliseconds: number): Promise<void>
  now(): number
}

export interface TimedSkin extends StepTimes {
  readonly name: "effect" | "promise" | "mixed"
  make(options: Promises.RateLimiterMakeOptions): RateLimiterDriver
}

const costOf = (cost: number | undefined) => (cost === undefined ? undefined : { cost })

let clock = new StepClock()

export const onTheClock = <A, E>(self: Effect.Effect<A, E>): Effect.Effect<A, E> => Effect.withClock(self, clock)

const now = <A>(self: Effect.Effect<A, unknown>): A => {
  const attempt = fork(onTheClock(self))
  if (attempt.state === "failed") throw attempt.error
  return attempt.value
}

const effectDriver = (self: Effects.RateLimiter.RateLimiter<unknown>): RateLimiterDriver => ({
  consume: (key, cost) => fork(onTheClock(self.consume(key, costOf(cost)))),
  tryConsume: (key, cost) => now(self.tryConsume(key, costOf(cost))),
  limit: (body, key, cost) =>
    fork(onTheClock(self.withLimit(key, costOf(cost))(Effect.tryPromise({ try: body, catch: (error) => error })))),
  reserve: (key, cost) => {
    const { cancel, delay, wait } = now(self.reserve(key, costOf(cost)))
    return { delay, wait: () => fork(onTheClock(wait)), cancel: () => now(cancel) }
  },
  stats: () => now(self.stats)
})

const promiseDriver = (self: Promises.RateLimiter): RateLimiterDriver => ({
  consume: (key, cost) => start((wait) => self.consume(key, { ...wait, ...costOf(cost) })),
  tryConsume: (key, cost) => self.tryConsume(key, costOf(cost)),
  limit: (body, key, cost) => start((wait) => self.run(body, { ...wait, key, ...costOf(cost) })),
  reserve: (key, cost) => {
    const reservation = self.reserve(key, costOf(cost))
    return {
      delay: reservation.delay,
      wait: () => start((wait) => reservation.wait(wait)),
      cancel: () => reservation.cancel()
    }
  },
  stats: () => self.stats()
})

export const onStepClock: StepTimes = {
  begin: () => void (clock = new StepClock()),
  end: () => assert.strictEqual(clock.timers.size, 0, "a timer is left"),
  advance: (milliseconds: number) => clock.advance(milliseconds),
  now: () => clock.now
}

export const onPlatform: StepTimes = {
  begin: () => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }),
  end: () => {
    assert.strictEqual(vi.getTimerCount(), 0, "a timer is left")
    vi.useRealTimers()
  },
  async advance(milliseconds) {
    await settle()
    await vi.advanceTimersByTimeAsync(milliseconds)
    await settle()
  },
  now: () => performance.now()
}

export const timedSkins: ReadonlyArray<TimedSkin> = [
  { ...onStepClock, name: "effect", make: (options) => effectDriver(now(Effects.RateLimiter.make(options))) },
  { ...onPlatform, name: "promise", make: (options) => promiseDriver(new Promises.RateLimiter(options)) },
  {
    ...onStepClock,
    name: "mixed",
    make: (options) => {
      const self = now(Effects.RateLimiter.make(options))
      return alternate(effectDriver(self), promiseDriver(Promises.RateLimiter.from(self)))
    }
  }
]

/** How many microtasks a grant takes at most to reach its caller, in any skin; a cancellation is tried after each. */
const microtasks = 30

export const rateLimiterLaws = (skin: TimedSkin) =>
  describe(`RateLimiter laws (${skin.name})`, () => {
    const { advance } = skin
    beforeEach(skin.begin)
    afterEach(skin.end)

    it("lets through up to the limit at once, and one more an interval after each", async () => {
      const limiter = skin.make({ limit: 2, interval: 10 })
      const first = limiter.consume()
      await advance(3)
      const rest = [limiter.consume(), limiter.consume(), limiter.consume(), limiter.consume()]
      await settle()
      assert.deepStrictEqual(statesOf(first, ...rest), ["done", "done", "waiting", "waiting", "waiting"])
      await advance(6)
      assert.deepStrictEqual(statesOf(...rest), ["done", "waiting", "waiting", "waiting"])
      await advance(1)
      assert.deepStrictEqual(statesOf(...rest), ["done", "done", "waiting", "waiting"])
      await advance(2)
      assert.deepStrictEqual(statesOf(...rest), ["done", "done", "waiting", "waiting"])
      await advance(1)
      assert.deepStrictEqual(statesOf(...rest), ["done", "done", "done", "waiting"])
      await advance(6)
      assert.deepStrictEqual(statesOf(...rest), ["done", "done", "done", "waiting"])
      await advance(1)
      assert.deepStrictEqual(statesOf(...rest), ["done", "done", "done", "done"])
    })

    it("gcra: lets through a burst, and then one by one, evenly spread", async () => {
      const limiter = skin.make({ limit: 2, interval: 10, burst: 3 })
      const all = Array.from({ length: 5 }, () => limiter.consume())
      const done = () => all.filter(({ state }) => state === "done").length
      await settle()
      assert.strictEqual(done(), 3)
      await advance(4)
      assert.strictEqual(done(), 3)
      await advance(1)
      assert.strictEqual(done(), 4)
      await advance(4)
      assert.strictEqual(done(), 4)
      await advance(1)
      assert.strictEqual(done(), 5)
      await advance(14)
      assert.strictEqual(limiter.tryConsume("default", 0).remaining, 2)
      await advance(1)
      assert.strictEqual(limiter.tryConsume("default", 0).remaining, 3)
    })

    it("in order of arrival for each key: a large cost is not overtaken, neither by a small one nor by tryConsume", async () => {
      const limiter = skin.make({ limit: 3, interval: 10 })
      const order: Array<string> = []
      const ask = (name: string, cost: number) => limiter.limit(async () => void order.push(name), "a", cost)
      const all = [ask("two", 2), ask("three", 3), ask("one", 1), ask("one more", 1)]
      await settle()
      assert.isFalse(limiter.tryConsume("a", 1).allowed)
      assert.isTrue(limiter.tryConsume("b", 1).allowed)
      assert.deepStrictEqual(order, ["two"])
      await advance(10)
      assert.deepStrictEqual(order, ["two", "three"])
      assert.deepStrictEqual(limiter.tryConsume("a", 1), {
        allowed: false,
        remaining: 0,
        retryAfter: 10,
        resetAfter: 10
      })
      await advance(10)
      assert.deepStrictEqual(order, ["two", "three", "one", "one more"])
      assert.isTrue(all.every(({ state }) => state === "done"))
    })

    it("tryConsume says what is left, and when to come again", async () => {
      const limiter = skin.make({ limit: 3, interval: 10 })
      assert.deepStrictEqual(limiter.tryConsume("a", 2), { allowed: true, remaining: 1, retryAfter: 0, resetAfter: 10 })
      await advance(4)
      assert.deepStrictEqual(limiter.tryConsume("a", 2), { allowed: false, remaining: 1, retryAfter: 6, resetAfter: 6 })
      await advance(5)
      assert.isFalse(limiter.tryConsume("a", 2).allowed)
      await advance(1)
      assert.isTrue(limiter.tryConsume("a", 2).allowed)
    })

    it("keys do not wait for each other, and are forgotten when they are idle", async () => {
      const limiter = skin.make({ limit: 1, interval: 10 })
      const waits = [limiter.consume("a"), limiter.consume("b"), limiter.consume("a"), limiter.consume("b")]
      await settle()
      assert.deepStrictEqual(statesOf(...waits), ["done", "done", "waiting", "waiting"])
      assert.deepStrictEqual(limiter.stats(), { keys: 2, waiting: 2 })
      await advance(10)
      assert.deepStrictEqual(limiter.stats(), { keys: 2, waiting: 0 })
      await advance(10)
      for (let i = 0; i < 1000; i++) {
        assert.isTrue(limiter.tryConsume(`user ${i}`).allowed)
        await (i % 100 === 0 ? advance(10) : undefined)
      }
      assert.isAtMost(limiter.stats().keys, 300)
      await advance(10)
      for (let i = 0; i < 300; i++) limiter.tryConsume("one", 0)
      assert.isAtMost(limiter.stats().keys, 2)
    })

    describe("cancelled", () => {
      it("while it waits: it leaves at once, and those behind it move up", async () => {
        const limiter = skin.make({ limit: 2, interval: 10 })
        await advance(0)
        const first = limiter.consume("a", 1)
        const large = limiter.consume("a", 2)
        const small = limiter.consume("a", 1)
        await settle()
        assert.deepStrictEqual(statesOf(first, large, small), ["done", "waiting", "waiting"])
        large.cancel()
        await settle()
        assert.deepStrictEqual(statesOf(first, large, small), ["done", "cancelled", "done"])
        assert.strictEqual(limiter.stats().waiting, 0)
      })

      it("the last who waits: no timer is left", async () => {
        const limiter = skin.make({ limit: 1, interval: 10 })
        const attempts = [limiter.consume(), limiter.consume(), limiter.consume()]
        await settle()
        attempts[1]!.cancel()
        attempts[2]!.cancel()
        await settle()
        assert.deepStrictEqual(statesOf(...attempts), ["done", "cancelled", "cancelled"])
        // The check after the test looks for timers.
      })

      it("in the tick of its grant: what it was granted goes to the next", async () => {
        for (let delay = 0; delay < microtasks; delay++) {
          const limiter = skin.make({ limit: 1, interval: 10 })
          assert.isTrue(limiter.tryConsume().allowed)
          const victim = limiter.consume()
          const next = limiter.consume()
          const last = limiter.consume()
          await advance(9)
          // A look at the limiter at its time grants, without the event loop's turn.
          const going = advance(1)
          for (let i = 0; i < delay; i++) await Promise.resolve()
          victim.cancel()
          await going
          const message = `cancelled after ${delay} microtasks`
          assert.include(["done", "cancelled"], victim.state, message)
          // Either it had it, or the next has.
          assert.strictEqual(next.state, victim.state === "done" ? "waiting" : "done", message)
          assert.strictEqual(last.state, "waiting", message)
          next.cancel()
          last.cancel()
          await settle()
          await advance(20)
        }
      })

      it("several in the tick of their grants: all of it comes back", async () => {
        for (const algorithm of ["slidingWindow", "gcra"] as const) {
          const limiter = skin.make({ limit: 3, interval: 12, algorithm })
          limiter.tryConsume("a", algorithm === "gcra" ? 3 : 1)
          const body = async () => {
            throw new Error("it ran")
          }
          const head = limiter.limit(body, "a", 3)
          const victims = Array.from({ length: 3 }, () => limiter.limit(body, "a"))
          await advance(11)
          // Two of them are granted.
          head.cancel()
          for (const victim of victims) victim.cancel()
          await settle()
          assert.deepStrictEqual(statesOf(head, ...victims), Array(4).fill("cancelled"))
          await advance(1)
          assert.isTrue(limiter.tryConsume("a", 3).allowed)
          await advance(30)
        }
      })
    })

    it("with a backlog: one more than may wait is refused, and told when to come again", async () => {
      const limiter = skin.make({ limit: 1, interval: 10, backlog: 2 })
      const all = [limiter.consume(), limiter.consume(), limiter.consume(), limiter.consume()]
      await settle()
      assert.deepStrictEqual(statesOf(...all), ["done", "waiting", "waiting", "failed"])
      const error = all[3]!.error as Promises.RateLimited
      assert.instanceOf(error, Promises.RateLimited)
      assert.deepStrictEqual([error._tag, error.key, error.retryAfter], ["RateLimited", "default", 30])
      assert.throws(() => limiter.reserve(), Promises.RateLimited)
      const body = limiter.limit(async () => 1)
      await settle()
      assert.instanceOf(body.error, Promises.RateLimited)
      assert.strictEqual(limiter.consume("other").state === "failed", false)
      await advance(20)
      assert.deepStrictEqual(statesOf(...all), ["done", "done", "done", "failed"])
    })

    it("with no backlog: now or not at all", async () => {
      const limiter = skin.make({ limit: 2, interval: 10, backlog: 0 })
      const all = [limiter.consume(), limiter.consume(), limiter.consume()]
      await settle()
      assert.deepStrictEqual(statesOf(...all), ["done", "done", "failed"])
      assert.strictEqual((all[2]!.error as Promises.RateLimited).retryAfter, 10)
      await advance(10)
      assert.strictEqual(limiter.reserve().delay, 0)
    })

    describe("a reservation", () => {
      it("takes its place in line, and says when it comes", async () => {
        const limiter = skin.make({ limit: 1, interval: 10 })
        const now = limiter.reserve()
        const second = limiter.reserve()
        const third = limiter.consume()
        const last = limiter.reserve()
        assert.deepStrictEqual([now.delay, second.delay, last.delay], [0, 10, 30])
        const waits = [now.wait(), second.wait(), third, last.wait(), last.wait()] as Array<Attempt<unknown>>
        await settle()
        assert.deepStrictEqual(statesOf(...waits), ["done", "waiting", "waiting", "waiting", "waiting"])
        await advance(10)
        assert.deepStrictEqual(statesOf(...waits), ["done", "done", "waiting", "waiting", "waiting"])
        await advance(19)
        assert.deepStrictEqual(statesOf(...waits), ["done", "done", "done", "waiting", "waiting"])
        await advance(1)
        assert.isTrue(waits.every(({ state }) => state === "done"))
        assert.strictEqual(waits[3]!.value, true)
      })

      it("that is cancelled lets those behind it move up, and tells who waits for it", async () => {
        const limiter = skin.make({ limit: 1, interval: 10 })
        const [now, next] = [limiter.reserve(), limiter.reserve()]
        const wait = next.wait()
        const gone = next.wait()
        const behind = limiter.consume()
        await settle()
        gone.cancel()
        assert.isTrue(next.cancel())
        assert.isFalse(next.cancel())
        await settle()
        assert.strictEqual(wait.value, false)
        assert.strictEqual(gone.state, "cancelled")
        await advance(10)
        assert.strictEqual(behind.state, "done")
        assert.isTrue(now.cancel())
      })

      it("that has come and was not used comes back", async () => {
        const limiter = skin.make({ limit: 1, interval: 10 })
        const now = limiter.reserve()
        const behind = limiter.consume()
        await settle()
        assert.strictEqual(behind.state, "waiting")
        assert.isTrue(now.cancel())
        await settle()
        assert.strictEqual(behind.state, "done")
      })
    })

    it("what a limited body gives, and what it throws", async () => {
      const limiter = skin.make({ limit: 5, interval: 10 })
      const error = new Error("the body's own")
      const good = limiter.limit(async () => 42)
      const bad = limiter.limit(async () => {
        throw error
      })
      await settle()
      assert.strictEqual(good.value, 42)
      assert.strictEqual(bad.error, error)
      // It has been used all the same.
      assert.strictEqual(limiter.tryConsume("default", 0).remaining, 3)
    })

    it("refuses a cost above the limit, and what is none; nothing has changed", async () => {
      const limiter = skin.make({ limit: 2, interval: 10 })
      for (const cost of [3, -1, 0.5, NaN]) {
        for (const attempt of [limiter.consume("a", cost), limiter.limit(async () => {}, "a", cost)]) {
          await settle()
          assert.instanceOf(attempt.error, RangeError)
          assert.match(String(attempt.error), /cost must be an integer from 0 to 2, got/)
        }
        assert.throws(() => limiter.tryConsume("a", cost), RangeError, "RateLimiter.tryConsume: cost")
        assert.throws(() => limiter.reserve("a", cost), RangeError, "RateLimiter.reserve: cost")
      }
      const attempt = limiter.consume(1 as never)
      await settle()
      assert.match(String(attempt.error), /TypeError: RateLimiter.consume: key must be a string, got 1/)
      assert.throws(() => skin.make({ limit: 0, interval: 1 }), RangeError, "limit")
      assert.throws(() => skin.make({ limit: 1, interval: 0 }), RangeError, "interval")
      assert.throws(() => skin.make({ limit: 1, interval: 1, backlog: -1 }), RangeError, "backlog")
      assert.strictEqual(limiter.tryConsume("a", 0).remaining, 2)
    })

    it("never above the limit in any window, none lost, and in order, whoever gives up when", () =>
      fc.assert(
        fc.asyncProperty(anyRun(fc.constant(undefined)), async (run) => {
          const limiter = skin.make(run.options)
          const grants: Array<{ readonly n: number; readonly at: number; readonly cost: number }> = []
          const attempts: Array<Attempt<void>> = []
          for (const [n, { cancel, cost, wait }] of run.steps.entries()) {
            attempts.push(limiter.limit(async () => void grants.push({ n, at: skin.now(), cost }), "a", cost))
            await settle()
            if (cancel < attempts.length && attempts[cancel]!.state === "waiting") attempts[cancel]!.cancel()
            await advance(wait)
          }
          await advance(restOf(run))
          await settle()
          // Of those who are granted in one tick, fibers and promises get going in their own ways.
          const inOrder = [...grants].sort((one, other) => one.at - other.at || one.n - other.n)
          assert.deepStrictEqual(
            inOrder.map(({ n }) => n),
            attempts.flatMap(({ state }, n) => (state === "done" ? [n] : []))
          )
          assert.isFalse(attempts.some(({ state }) => state === "waiting"))
          assert.isAtMost(mostInAnInterval(grants, run.options.interval), mostOf(run.options))
        }),
        { numRuns: 12 }
      ))
  })
