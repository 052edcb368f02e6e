import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import * as Effects from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { afterEach, beforeEach, vi } from "vitest"
import { gate, statesOf } from "../utils/gate.js"
import { alternate, type Attempt, fork, settle, start } from "./skins.js"

/** Both clocks, which stand still until the test moves them: nothing here sleeps. */
export const time = { now: 0, calendar: 0 }

const clock: Clock.Clock = {
  ...Clock.make(),
  unsafeCurrentTimeMillis: () => time.calendar,
  unsafeCurrentTimeNanos: () => BigInt(Math.round(time.now * 1e6)),
  currentTimeMillis: Effect.sync(() => time.calendar),
  currentTimeNanos: Effect.sync(() => BigInt(Math.round(time.now * 1e6)))
}

/** Some time goes by. */
export const pass = (milliseconds: number): void => {
  time.now += milliseconds
  time.calendar += milliseconds
}

export const withTime = (): void => {
  beforeEach(() => {
    Object.assign(time, { now: 1_000, calendar: 1_700_000_000_000 })
    vi.spyOn(performance, "now").mockImplementation(() => time.now)
    vi.spyOn(Date, "now").mockImplementation(() => time.calendar)
  })
  afterEach(() => {
    vi.restoreAllMocks()
  })
}

export const onClock = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => Effect.withClock(self, clock)

export interface BreakerDriver {
  run<A>(body: () => Promise<A>): Attempt<A>
  state(): Effects.CircuitBreaker.State
  stats(): Effects.CircuitBreaker.Stats
  trip(milliseconds?: number): void
  reset(): void
  snapshot(): Effects.CircuitBreaker.Snapshot
  restore(snapshot: Effects.CircuitBreaker.Snapshot): void
}

export type Options = Omit<Promises.CircuitBreakerOptions, "onStateChange"> & {
  readonly onStateChange?: (change: Effects.CircuitBreaker.Change) => void
}

export interface BreakerSkin {
  readonly name: "effect" | "promise" | "mixed"
  make(options?: Partial<Options>): BreakerDriver
}

const defaults: Options = { trip: { kind: "consecutive", failures: 2 }, halfOpen: { after: 100 } }

const now = <A>(self: Effect.Effect<A, unknown>): A => {
  const attempt = fork(self)
  if (attempt.state === "failed") throw attempt.error
  return attempt.value
}

const effectOptions = ({ onStateChange, ...rest }: Options): Effects.CircuitBreaker.Options => ({
  ...rest,
  ...(onStateChange && { onStateChange: (change) => Effect.sync(() => onStateChange(change)) })
})

const effectDriver = (self: Effects.CircuitBreaker.CircuitBreaker): BreakerDriver => ({
  // No clock is named here: the breaker keeps that of where it was made.
  run: (body) => fork(self.protect(Effect.tryPromise({ try: body, catch: (error) => error }))),
  state: () => now(self.state),
  stats: () => now(self.stats),
  trip: (milliseconds) => now(self.trip(milliseconds)),
  reset: () => now(self.reset),
  snapshot: () => now(self.snapshot),
  restore: (snapshot) => now(self.restore(snapshot))
})

const promiseDriver = (self: Promises.CircuitBreaker): BreakerDriver => ({
  run: (body) => start((options) => self.run(body, options)),
  state: () => self.state,
  stats: () => self.stats(),
  trip: (milliseconds) => self.trip(milliseconds),
  reset: () => self.reset(),
  snapshot: () => self.snapshot(),
  restore: (snapshot) => self.restore(snapshot)
})

const effectBreaker = (options: Partial<Options> = {}) =>
  now(onClock(Effects.CircuitBreaker.make(effectOptions({ ...defaults, ...options }))))

export const breakerSkins: ReadonlyArray<BreakerSkin> = [
  { name: "effect", make: (options) => effectDriver(effectBreaker(options)) },
  {
    name: "promise",
    make: (options) => promiseDriver(new Promises.CircuitBreaker({ ...defaults, ...options } as Options))
  },
  {
    name: "mixed",
    make: (options) => {
      const self = effectBreaker(options)
      return alternate(effectDriver(self), promiseDriver(Promises.CircuitBreaker.from(self)))
    }
  }
]

/** A call that ends when and how it is told to. */
const pending = () => {
  const { open, opened } = gate()
  let error: unknown
  return {
    body: async () => {
      await opened
      if (error !== undefined) throw error
      return "done"
    },
    succeed: async () => {
      open()
      await settle()
    },
    fail: async () => {
      error = new Error("oops")
      open()
      await settle()
    }
  }
}

const oops = () => Promise.reject(new Error("oops"))
const fine = async () => "fine"

export const breakerLaws = (skin: BreakerSkin) =>
  describe(`CircuitBreaker laws (${skin.name})`, () => {
    withTime()

    const fail = async (breaker: BreakerDriver, times = 1) => {
      for (let i = 0; i < times; i++) {
        const call = breaker.run(oops)
        await settle()
        assert.strictEqual((call.error as Error).message, "oops")
      }
    }

    it("opens at so many failures in a row, refuses just before its time is over, lets one through then", async () => {
      const breaker = skin.make({ name: "db" })
      await fail(breaker)
      assert.strictEqual(breaker.state(), "closed")
      const good = breaker.run(fine)
      await settle()
      assert.strictEqual(good.value, "fine")
      await fail(breaker, 2)
      assert.strictEqual(breaker.state(), "open")
      pass(99)
      let ran = false
      const refused = breaker.run(async () => void (ran = true))
      await settle()
      assert.isFalse(ran)
      assert.instanceOf(refused.error, Promises.CircuitOpen)
      assert.deepInclude(refused.error as object, { _tag: "CircuitOpen", breaker: "db", retryAfter: 1 })
      pass(0.999)
      assert.strictEqual(breaker.state(), "open")
      pass(0.001)
      assert.strictEqual(breaker.state(), "halfOpen")
      const probe = pending()
      const first = breaker.run(probe.body)
      const second = breaker.run(fine)
      await settle()
      assert.deepStrictEqual(statesOf(first, second), ["waiting", "failed"])
      assert.isUndefined((second.error as Promises.CircuitOpen).retryAfter)
      await probe.succeed()
      assert.strictEqual(breaker.state(), "closed")
      assert.deepStrictEqual(breaker.stats(), {
        state: "closed",
        retryAfter: 0,
        calls: 0,
        failures: 0,
        opened: 1,
        refused: 2
      })
    })

    it("a sample that fails opens it again, for longer if it grows", async () => {
      const breaker = skin.make({ halfOpen: { after: { base: 100, factor: 3 }, sample: 3, successes: 2 } })
      await fail(breaker, 2)
      for (const pause of [100, 300, 900, 1_000, 1_000]) {
        pass(pause - 1)
        assert.strictEqual(breaker.state(), "open")
        pass(1)
        await fail(breaker)
        assert.strictEqual(breaker.state(), "halfOpen")
        await fail(breaker)
      }
      pass(1_000)
      for (let i = 0; i < 2; i++) breaker.run(fine)
      await settle()
      assert.strictEqual(breaker.state(), "closed")
    })

    it("count: of the last four, half, once there were four", async () => {
      const breaker = skin.make({ trip: { kind: "count", size: 4, rate: 0.5 } })
      await fail(breaker, 1)
      breaker.run(fine)
      breaker.run(fine)
      await settle()
      assert.strictEqual(breaker.state(), "closed")
      await fail(breaker, 1)
      assert.strictEqual(breaker.state(), "open")
    })

    it("time: nothing that is older than the window counts, to the millisecond", async () => {
      for (const late of [0, 1]) {
        const breaker = skin.make({ trip: { kind: "time", window: 1_000, rate: 1, minimum: 3 } })
        await fail(breaker, 2)
        pass(999 + late)
        await fail(breaker)
        assert.strictEqual(breaker.state(), late ? "closed" : "open")
      }
    })

    it("who is cancelled counts neither way, and leaves his place in the sample", async () => {
      const breaker = skin.make()
      await fail(breaker)
      const one = breaker.run(() => new Promise<never>(() => {}))
      const calls = [one]
      if (skin.name !== "effect") {
        // In a promise the work decides when it ends.
        const { open, opened } = gate()
        const other = breaker.run(() => opened.then(() => Promise.reject(new Error("stopped"))))
        other.cancel()
        open()
      }
      one.cancel()
      await settle()
      if (skin.name === "effect") assert.deepStrictEqual(statesOf(...calls), ["cancelled"])
      assert.deepInclude(breaker.stats(), { state: "closed", calls: 1, failures: 1 })
      await fail(breaker)
      pass(100)
      const { open, opened } = gate()
      const probe = breaker.run(() => opened.then(() => Promise.reject(new Error("stopped"))))
      await settle()
      assert.isUndefined(breaker.stats().retryAfter)
      probe.cancel()
      open()
      await settle()
      assert.deepInclude(breaker.stats(), { state: "halfOpen", retryAfter: 0 })
      const next = breaker.run(fine)
      await settle()
      assert.strictEqual(next.value, "fine")
      assert.strictEqual(breaker.state(), "closed")
    })

    it("what began in another state counts neither there nor later", async () => {
      const breaker = skin.make()
      const [slow, slower] = [pending(), pending()]
      const calls = [breaker.run(slow.body), breaker.run(slower.body)]
      await fail(breaker, 2)
      await slow.succeed()
      assert.strictEqual(breaker.state(), "open")
      pass(100)
      const probe = pending()
      breaker.run(probe.body)
      await slower.fail()
      assert.strictEqual(breaker.state(), "halfOpen")
      await probe.succeed()
      assert.deepInclude(breaker.stats(), { state: "closed", failures: 0 })
      assert.deepStrictEqual(statesOf(...calls), ["done", "failed"])
    })

    it("isFailure and isFailureResult say what counts; the caller is given the same", async () => {
      const breaker = skin.make({
        isFailure: (error) => (error as Error).message !== "not found",
        isFailureResult: (value) => value === 503
      })
      const call = async (body: () => Promise<unknown>) => {
        const attempt = breaker.run(body)
        await settle()
        return attempt
      }
      await fail(breaker)
      const missing = await call(() => Promise.reject(new Error("not found")))
      assert.strictEqual((missing.error as Error).message, "not found")
      assert.deepInclude(breaker.stats(), { state: "closed", failures: 0 })
      assert.strictEqual((await call(async () => 503)).value, 503)
      assert.strictEqual((await call(async () => 200)).value, 200)
      assert.deepInclude(breaker.stats(), { state: "closed", failures: 0 })
      await call(async () => 503)
      await call(async () => 503)
      assert.strictEqual(breaker.state(), "open")
    })

    it("a judgement that throws is what the caller gets, and the call does not count", async () => {
      const wrong = new Error("the judgement is wrong")
      const breaker = skin.make({
        isFailure: () => {
          throw wrong
        },
        isFailureResult: () => {
          throw wrong
        }
      })
      for (const body of [oops, fine]) {
        const attempt = breaker.run(body)
        await settle()
        assert.strictEqual(attempt.error, wrong)
        assert.deepInclude(breaker.stats(), { state: "closed", calls: 0 })
      }
      breaker.trip(0)
      for (const body of [oops, fine]) {
        const attempt = breaker.run(body)
        await settle()
        assert.strictEqual(attempt.error, wrong)
        assert.deepInclude(breaker.stats(), { state: "halfOpen", retryAfter: 0, calls: 0 })
      }
    })

    it("by hand it is opened, for so long or until it is reset, and closed", async () => {
      const breaker = skin.make()
      breaker.trip()
      assert.strictEqual(breaker.stats().retryAfter, 100)
      breaker.trip(5_000)
      assert.strictEqual(breaker.stats().retryAfter, 5_000)
      breaker.trip(Infinity)
      pass(1e12)
      const refused = breaker.run(fine)
      await settle()
      assert.strictEqual((refused.error as Promises.CircuitOpen).retryAfter, Infinity)
      breaker.reset()
      const let1 = breaker.run(fine)
      await settle()
      assert.strictEqual(let1.value, "fine")
    })

    it("tells of each change, in order, once it is made", async () => {
      const changes: Array<Effects.CircuitBreaker.Change> = []
      const breaker = skin.make({ name: "db", onStateChange: (change) => void changes.push(change) })
      await fail(breaker, 2)
      pass(100)
      await fail(breaker)
      pass(100)
      breaker.run(fine)
      await settle()
      breaker.reset()
      breaker.trip()
      breaker.trip()
      breaker.reset()
      await settle()
      assert.deepStrictEqual(
        changes.map(({ from, to }) => `${from} ${to}`),
        [
          "closed open",
          "open halfOpen",
          "halfOpen open",
          "open halfOpen",
          "halfOpen closed",
          "closed open",
          "open closed"
        ]
      )
      assert.deepStrictEqual(changes[0], { name: "db", from: "closed", to: "open", retryAfter: 100 })
    })

    it("opened by hand when its time was over, it was half open in between: both changes are told", async () => {
      const changes: Array<unknown> = []
      const breaker = skin.make({
        onStateChange: ({ from, retryAfter, to }) => void changes.push([from, to, retryAfter])
      })
      breaker.trip(100)
      pass(99)
      // It is open already, and stays so: no change.
      breaker.trip(50)
      await settle()
      const opened = ["closed", "open", 100]
      assert.deepStrictEqual([changes, breaker.stats().opened], [[opened], 1])
      pass(50)
      breaker.trip(70)
      await settle()
      assert.deepStrictEqual(changes, [opened, ["open", "halfOpen", 0], ["halfOpen", "open", 70]])
      assert.deepInclude(breaker.stats(), { state: "open", retryAfter: 70, opened: 2 })
    })

    it("what it knows is saved as JSON, and restored elsewhere as if the time between had passed there", async () => {
      const breaker = skin.make({ trip: { kind: "time", window: 1_000, rate: 0.5, minimum: 2 } })
      await fail(breaker)
      pass(500)
      const closed = JSON.stringify(breaker.snapshot())
      await fail(breaker)
      pass(30)
      const open = JSON.stringify(breaker.snapshot())

      const restored = (snapshot: string, later: number) => {
        const other = skin.make({ trip: { kind: "time", window: 1_000, rate: 0.5, minimum: 2 } })
        // Another process has another clock, and the same calendar.
        time.now = 5
        time.calendar += later
        other.restore(JSON.parse(snapshot))
        time.calendar -= later
        return other
      }
      assert.deepInclude(restored(open, 0).stats(), { state: "open", retryAfter: 70 })
      assert.deepInclude(restored(open, 69).stats(), { state: "open", retryAfter: 1 })
      assert.strictEqual(restored(open, 70).state(), "halfOpen")
      assert.deepInclude(restored(closed, 0).stats(), { state: "closed", calls: 1 })
      assert.deepInclude(restored(closed, 469).stats(), { calls: 1 })
      assert.deepInclude(restored(closed, 470).stats(), { calls: 0 })
    })

    it("a snapshot that is none is refused, and nothing has changed", async () => {
      const breaker = skin.make()
      await fail(breaker)
      const before = breaker.stats()
      for (const snapshot of [undefined, {}, { ...breaker.snapshot(), state: "ajar" }]) {
        assert.throws(() => breaker.restore(snapshot as never), /^CircuitBreaker\.restore: /)
        assert.deepStrictEqual(breaker.stats(), before)
      }
    })

    it("options and arguments that make no sense are refused", () => {
      const maker = skin.name === "promise" ? "new CircuitBreaker" : "CircuitBreaker.make"
      const bad: ReadonlyArray<readonly [options: any, message: string]> = [
        [{ trip: undefined }, "trip must be an object, got undefined"],
        [{ trip: { kind: "never" } }, `kind must be one of "consecutive", "count", "time", got "never"`],
        [{ trip: { kind: "consecutive", failures: 0 } }, "failures must be an integer of at least 1, got 0"],
        [{ trip: { kind: "count", size: 0, rate: 1 } }, "size must be an integer from 1 to 1000000, got 0"],
        [{ trip: { kind: "count", size: 5, rate: 0 } }, "rate must be more than 0, and at most 1, got 0"],
        [{ trip: { kind: "count", size: 5, rate: 1.5 } }, "rate must be more than 0, and at most 1, got 1.5"],
        [{ trip: { kind: "count", size: 5, rate: 1, minimum: 6 } }, "minimum must be an integer from 1 to 5, got 6"],
        [{ trip: { kind: "time", window: 0, rate: 1 } }, "window must be finite, and more than 0 milliseconds, got 0"],
        [{ trip: { kind: "time", window: Infinity, rate: 1 } }, "window must be finite, and more than 0"],
        [{ halfOpen: { after: NaN } }, "after must be 0 or more milliseconds, got NaN"],
        [{ halfOpen: { after: Infinity } }, "after must be a finite number of milliseconds, got Infinity"],
        [{ halfOpen: { after: 5, sample: 0 } }, "sample must be an integer of at least 1, got 0"],
        [{ halfOpen: { after: 5, sample: 2, successes: 3 } }, "successes must be an integer from 1 to 2, got 3"],
        [{ halfOpen: { after: { base: 5, factor: 0.5 } } }, "factor must be a finite number of at least 1, got 0.5"],
        [{ name: 5 }, "name must be a string, got 5"],
        [{ trip: { kind: "time", window: -1, rate: 1 } }, "window must be 0 or more milliseconds, got -1"],
        [{ trip: { kind: "time", window: NaN, rate: 1 } }, "window must be 0 or more milliseconds, got NaN"],
        [{ halfOpen: undefined }, "halfOpen must be an object, got undefined"],
        [{ halfOpen: { after: -1 } }, "after must be 0 or more milliseconds, got -1"],
        [{ halfOpen: { after: { base: NaN } } }, "base must be 0 or more milliseconds, got NaN"],
        [{ halfOpen: { after: { base: 5, cap: 1 } } }, "cap must be at least the base"],
        [{ halfOpen: { after: { base: 5, factor: 0 } } }, "factor must be a finite number of at least 1, got 0"],
        [{ isFailure: true }, "isFailure must be a function, got true"],
        [{ isFailureResult: 503 }, "isFailureResult must be a function, got 503"]
      ]
      for (const [options, message] of bad) assert.throws(() => skin.make(options), `${maker}: ${message}`)
      const breaker = skin.make()
      for (const milliseconds of [-1, NaN])
        assert.throws(() => breaker.trip(milliseconds), RangeError, /must be 0 or more milliseconds/)
      assert.strictEqual(breaker.state(), "closed")
    })

    it("has frozen snapshots of its numbers", () => {
      assert.isFrozen(skin.make().stats())
    })
  })
