import { assert, describe, it } from "@effect/vitest"
import { Cause, Config, ConfigProvider, Context, Effect, Exit, Fiber, Layer, TestClock } from "effect"
import { RateLimiter } from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { settle } from "./laws/skins.js"
import { rateLimiterLaws, StepClock, timedSkins } from "./laws/RateLimiter.js"
import { rateLimiterStoreLaws } from "./laws/RateLimiterStore.js"
import { HandStore, inEffect, storeLimiterLaws, storeLimiterSkins } from "./laws/RateLimiterWithStore.js"
import { Reporter } from "../src/internal/report.js"
import { JumpClock } from "./utils/clocks.js"
import { dieWith } from "./utils/defects.js"
import { sweep, sweepIsClean } from "./utils/sweep.js"

describe("laws", () => {
  for (const skin of timedSkins.filter(({ name }) => name !== "promise")) rateLimiterLaws(skin)
  for (const skin of storeLimiterSkins.filter(({ name }) => name !== "promise")) storeLimiterLaws(skin)
  rateLimiterStoreLaws({
    name: "in memory, in an Effect program",
    async open() {
      const clock = new StepClock()
      const run = <A, E>(self: Effect.Effect<A, E>) => Effect.runPromise(Effect.withClock(self, clock))
      const layer = await run(Effect.scoped(Layer.build(RateLimiter.layerStoreMemory)))
      const store = Context.get(layer, RateLimiter.Store)
      return {
        consume: (request) => run(store.consume(request)),
        giveBack: (request) => run(store.giveBack(request)),
        advance: (milliseconds) => clock.advance(milliseconds),
        close: async () => {}
      }
    }
  })
})

const hour = { limit: 1, interval: "1 hour" } as const

describe("RateLimiter", () => {
  it.effect("waits on Effect's clock: just before the interval is over it waits, then it goes", () =>
    Effect.gen(function* () {
      const limiter = yield* RateLimiter.make({ limit: 2, interval: "1 second" })
      yield* limiter.consume()
      yield* limiter.consume()
      const third = yield* Effect.fork(limiter.consume())
      yield* TestClock.adjust("999 millis")
      assert.isNull(third.unsafePoll())
      yield* TestClock.adjust("1 millis")
      assert.isTrue(Exit.isSuccess(yield* third.await))
    })
  )

  it.effect.each([
    { limit: 600, interval: 1000 },
    { limit: 3000, interval: 1000 },
    { limit: 1, interval: 0.4 }
  ])("$limit in $interval ms: while there is a line it is neither above nor below", ({ interval, limit }) =>
    Effect.gen(function* () {
      const limiter = yield* RateLimiter.make({ limit, interval, burst: 1 })
      let done = 0
      const all = Array.from({ length: 400 }, () => Effect.map(limiter.consume(), () => void done++))
      const line = yield* Effect.fork(Effect.all(all, { concurrency: "unbounded", discard: true }))
      for (let time = 10; time <= 100; time += 10) {
        yield* TestClock.adjust(10)
        assert.isAtMost(Math.abs(done - Math.min(400, 1 + (time * limit) / interval)), 1)
      }
      yield* Fiber.interrupt(line)
      assert.strictEqual((yield* limiter.stats).waiting, 0)
    })
  )

  it("one timer for all who wait, of whatever key, and none for nobody", async () => {
    const clock = new StepClock()
    const run = <A>(self: Effect.Effect<A, unknown>) => Effect.runFork(Effect.withClock(self, clock))
    const limiter = await Effect.runPromise(Effect.withClock(RateLimiter.make({ limit: 1, interval: 10 }), clock))
    for (const key of ["a", "b"]) for (let i = 0; i < 50; i++) run(limiter.consume(key))
    await clock.advance(5)
    assert.strictEqual(clock.timers.size, 1)
    await clock.advance(500)
    assert.strictEqual(clock.timers.size, 0)
    // It slept once a grant, or a little more often, not once for each who waits.
    assert.isAtMost(clock.sleeps, 110)
  })

  it("a line of 100,000 that is given up at once leaves nothing", async () => {
    const limiter = RateLimiter.makeUnsafe(hour)
    Effect.runSync(limiter.consume())
    const line = Array.from({ length: 100_000 }, () => Effect.runFork(limiter.consume()))
    const stats = () => Effect.runSync(limiter.stats)
    assert.deepStrictEqual(stats(), { keys: 1, waiting: 100_000 })
    for (const fiber of line) fiber.unsafeInterruptAsFork(fiber.id())
    await settle()
    assert.deepStrictEqual(stats(), { keys: 1, waiting: 0 })
    assert.isTrue(line.every((fiber) => fiber.unsafePoll() !== null))
  }, 120_000)

  it("100,000 who wait go in order, as many an interval as may", () => {
    const clock = new JumpClock()
    const run = <A, E>(self: Effect.Effect<A, E>) => {
      const fiber = Effect.runFork(Effect.withClock(self, clock), { scheduler: clock.fibers })
      clock.run()
      return fiber
    }
    const made = run(RateLimiter.make({ limit: 10_000, interval: 10 })).unsafePoll()
    const limiter = (made as Exit.Success<RateLimiter.RateLimiter, never>).value
    const times: Array<number> = []
    const order: Array<number> = []
    for (let n = 0; n < 100_000; n++) {
      const note = Effect.sync(() => {
        times.push(clock.jumps.time)
        order.push(n)
      })
      run(limiter.withLimit()(note))
    }
    while (clock.jumps.jump(1000)) clock.run()
    assert.deepStrictEqual(
      order,
      Array.from({ length: 100_000 }, (_, n) => n)
    )
    for (let n = 0; n < times.length; n += 500) assert.strictEqual(times[n], 10 * Math.floor(n / 10_000))
  }, 120_000)

  it.each([
    { limit: 600, interval: 1000, cost: 60 },
    { limit: 3000, interval: 1000, cost: 300 },
    { limit: 70, interval: 91, cost: 35 },
    { limit: 7, interval: 3000, cost: 1 },
    { limit: 11, interval: 333.3, cost: 11 }
  ])("an hour of $limit in $interval ms: no interval has more, and none is missing", ({ cost, interval, limit }) => {
    const clock = new JumpClock()
    const run = <A, E>(self: Effect.Effect<A, E>) => {
      const fiber = Effect.runFork(Effect.withClock(self, clock), { scheduler: clock.fibers })
      clock.run()
      return fiber
    }
    const made = run(RateLimiter.make({ limit, interval })).unsafePoll()
    const limiter = (made as Exit.Success<RateLimiter.RateLimiter, never>).value
    const window = Math.floor(limit / cost)
    const recent = new Array<number>(window).fill(-Infinity)
    let count = 0
    const note = Effect.sync(() => {
      const now = clock.jumps.time
      // The clock counts nanoseconds.
      if (recent[count % window]! + interval - now > 1e-6) assert.fail(`too many: the ${count}th at ${now}`)
      recent[count++ % window] = now
    })
    // Three fibers, one after the other without end, so that there is always a line.
    for (let n = 0; n < 3; n++) run(Effect.forever(limiter.withLimit("default", { cost })(note)))
    const hour = 3_600_000
    while (clock.jumps.jump(hour)) clock.run()
    assert.isAtMost(Math.abs(count * cost - (hour * limit) / interval), limit)
  })

  it("interrupted at any operation, consume has handed over what it took, or taken nothing", async () => {
    for (const waits of [false, true]) {
      const clock = new StepClock()
      await sweepIsClean({
        setup: () => {
          const limiter = Effect.runSync(Effect.withClock(RateLimiter.make({ limit: 2, interval: 10 }), clock))
          const state = { limiter, got: 0, view: Promises.RateLimiter.from(limiter) }
          if (waits) state.view.tryConsume("default", { cost: 2 })
          return state
        },
        victim: (state) =>
          Effect.matchCauseEffect(state.limiter.consume("default", { cost: 2 }), {
            onFailure: Effect.failCause,
            onSuccess: () => Effect.succeed(void (state.got = 2))
          }),
        meanwhile: () => Effect.promise(() => clock.advance(waits ? 10 : 0)),
        verify: ({ got, view }) => {
          assert.strictEqual(view.stats().waiting, 0)
          assert.strictEqual(view.tryConsume("default", { cost: 0 }).remaining, 2 - got)
        }
      })
      assert.strictEqual(clock.timers.size, 0)
    }
  })

  it("interrupted at any operation, withLimit has begun its effect, or gives back what it took", async () => {
    for (const waits of [false, true]) {
      const clock = new StepClock()
      const { findings, operations } = await sweep({
        setup: () => {
          const limiter = Effect.runSync(Effect.withClock(RateLimiter.make({ limit: 2, interval: 10 }), clock))
          const state = { limiter, got: 0, view: Promises.RateLimiter.from(limiter) }
          if (waits) state.view.tryConsume("default", { cost: 2 })
          return state
        },
        victim: (state) => state.limiter.withLimit("default", { cost: 2 })(Effect.sync(() => void (state.got = 2))),
        meanwhile: () => Effect.promise(() => clock.advance(waits ? 10 : 0)),
        verify: ({ got, view }) => {
          assert.strictEqual(view.stats().waiting, 0)
          assert.strictEqual(view.tryConsume("default", { cost: 0 }).remaining, 2 - got)
        }
      })
      assert.isAbove(operations, 5)
      // The effect is begun in one operation, and its own first is the next: between the two it counts as begun.
      assert.isAtMost(findings.length, 1, JSON.stringify(findings))
    }
  })

  it.effect("an effect that is interrupted after it began has used what it took", () =>
    Effect.gen(function* () {
      const limiter = yield* RateLimiter.make(hour)
      const fiber = yield* Effect.fork(limiter.withLimit()(Effect.never))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(fiber)
      assert.isFalse((yield* limiter.tryConsume()).allowed)
    })
  )

  it.effect("a wait can be timed out", () =>
    Effect.gen(function* () {
      const limiter = yield* RateLimiter.make(hour)
      yield* limiter.consume()
      const wait = yield* Effect.fork(Effect.timeoutOption(limiter.consume(), "1 second"))
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(wait))._tag, "None")
      assert.strictEqual((yield* limiter.stats).waiting, 0)
    })
  )

  it.effect("RateLimited can be caught by its tag", () =>
    Effect.gen(function* () {
      const limiter = yield* RateLimiter.make({ ...hour, backlog: 0 })
      yield* limiter.consume("ada")
      const after = yield* limiter.consume("ada").pipe(
        Effect.as(0),
        Effect.catchTag("RateLimited", ({ retryAfter }) => Effect.succeed(retryAfter))
      )
      assert.strictEqual(after, 3_600_000)
    })
  )

  it("refuses bad options as a defect, that names the function", () => {
    const defect = (options: unknown) => String(dieWith(Effect.runSyncExit(RateLimiter.make(options as never))))
    assert.match(
      defect({ limit: 0, interval: 1 }),
      /^RangeError: RateLimiter.make: limit must be an integer of at least 1, got 0/
    )
    assert.match(
      defect({ limit: 1, interval: "0 millis" }),
      /^RangeError: RateLimiter.make: interval must be a finite time above 0/
    )
    assert.match(defect({ limit: 1, interval: "a while" }), /^TypeError: RateLimiter.make: interval must be a duration/)
    assert.match(defect({ limit: 1, interval: Infinity }), /^RangeError: RateLimiter.make: interval/)
    assert.match(defect(undefined), /^TypeError: RateLimiter.make: options must be an object/)
    assert.throws(() => RateLimiter.makeUnsafe({ limit: 0, interval: 1 }), RangeError)
  })

  it.effect("has its operations as functions, too", () =>
    Effect.gen(function* () {
      const limiter = yield* RateLimiter.make({ limit: 3, interval: "1 hour" })
      yield* RateLimiter.consume(limiter, "a")
      assert.strictEqual((yield* RateLimiter.tryConsume(limiter, "a")).remaining, 1)
      assert.strictEqual((yield* RateLimiter.reserve(limiter, "b", { cost: 3 })).delay, 0)
      assert.strictEqual(yield* RateLimiter.withLimit(Effect.succeed(1), limiter, "a"), 1)
      assert.strictEqual(yield* Effect.succeed(2).pipe(RateLimiter.withLimit(limiter, "c", { cost: 2 })), 2)
      assert.deepStrictEqual(yield* RateLimiter.stats(limiter), { keys: 3, waiting: 0 })
    })
  )
})

describe("Service", () => {
  class Limit extends RateLimiter.Service<Limit>()("test/Limit", { limit: 3, interval: "1 hour" }) {}

  it.effect("offers the operations of the limiter that is provided", () =>
    Effect.gen(function* () {
      yield* Limit.consume()
      assert.strictEqual((yield* Limit.tryConsume()).remaining, 1)
      assert.strictEqual(yield* Effect.succeed(42).pipe(Limit.withLimit()), 42)
      const reserved = yield* Limit.reserve()
      assert.strictEqual(reserved.delay, 3_600_000)
      assert.isTrue(yield* reserved.cancel)
      assert.deepStrictEqual(yield* Limit.stats, { keys: 1, waiting: 0 })
    }).pipe(Effect.provide(Limit.layer))
  )

  it.effect("finds its options out when the layer is built", () => {
    const limit = Config.map(Config.integer("LIMIT"), (limit) => ({ limit, interval: "1 hour", backlog: 0 }) as const)
    class Configured extends RateLimiter.Service<Configured>()("test/Configured", limit) {}
    const provider = ConfigProvider.fromMap(new Map([["LIMIT", "1"]]))
    return Effect.gen(function* () {
      yield* Configured.consume()
      assert.strictEqual((yield* Effect.flip(Configured.consume()))._tag, "RateLimited")
    }).pipe(Effect.provide(Configured.layer), Effect.withConfigProvider(provider))
  })
})

describe("Store", () => {
  it.effect("a limiter on the store in memory keeps to the limit, in order", () =>
    Effect.gen(function* () {
      const limiter = yield* RateLimiter.makeWithStore({ limit: 2, interval: "10 millis" })
      const order: Array<string> = []
      const ask = (name: string, cost: number) =>
        Effect.fork(limiter.withLimit("a", { cost })(Effect.sync(() => order.push(name))))
      yield* Effect.forEach(["one", "two"], (name, i) => ask(name, i + 1))
      const other = yield* ask("three", 1)
      yield* TestClock.adjust(9)
      assert.deepStrictEqual(order, ["one"])
      assert.deepStrictEqual(yield* limiter.tryConsume("a"), {
        allowed: false,
        remaining: 0,
        // The two, the three, and then it: three units, of which two come back at a time.
        retryAfter: 11,
        resetAfter: 1
      })
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(order, ["one", "two"])
      yield* TestClock.adjust(10)
      yield* Fiber.join(other)
      assert.deepStrictEqual(order, ["one", "two", "three"])
      assert.strictEqual((yield* limiter.tryConsume("a")).remaining, 0)
      assert.strictEqual((yield* limiter.tryConsume("b", { cost: 2 })).allowed, true)
    }).pipe(Effect.provide(RateLimiter.layerStoreMemory))
  )

  it.effect("two limiters on one store share its limits, and those of another rate do not", () =>
    Effect.gen(function* () {
      const one = yield* RateLimiter.makeWithStore(hour)
      const other = yield* RateLimiter.makeWithStore(hour)
      const even = yield* RateLimiter.makeWithStore({ ...hour, algorithm: "gcra" })
      yield* one.consume()
      assert.isFalse((yield* other.tryConsume()).allowed)
      assert.isTrue((yield* even.tryConsume()).allowed)
    }).pipe(Effect.provide(RateLimiter.layerStoreMemory))
  )

  it.effect("interrupted while it waits, it leaves, and the next asks", () =>
    Effect.gen(function* () {
      const limiter = yield* RateLimiter.makeWithStore({ limit: 1, interval: 10, backlog: 2 })
      yield* limiter.consume()
      const fibers = yield* Effect.forEach([1, 2], () => Effect.fork(limiter.consume()))
      yield* TestClock.adjust(5)
      assert.strictEqual((yield* Effect.flip(limiter.consume()))._tag, "RateLimited")
      yield* Fiber.interrupt(fibers[0]!)
      yield* TestClock.adjust(5)
      yield* Fiber.join(fibers[1]!)
      assert.isFalse((yield* limiter.tryConsume()).allowed)
    }).pipe(Effect.provide(RateLimiter.layerStoreMemory))
  )

  it.effect("is asked with numbers and names, and what it cannot do is an error of type StoreError", () => {
    const asked: Array<RateLimiter.StoreRequest> = []
    const broken = Layer.succeed(RateLimiter.Store, {
      consume: (request) =>
        Effect.zipRight(
          Effect.sync(() => asked.push(request)),
          Effect.fail(new RateLimiter.StoreError("down"))
        ),
      giveBack: () => Effect.void
    })
    return Effect.gen(function* () {
      const limiter = yield* RateLimiter.makeWithStore({ limit: 5, interval: "2 seconds" })
      const error = yield* Effect.flip(limiter.consume("ada", { cost: 2 }))
      assert.strictEqual(error._tag, "StoreError")
      assert.strictEqual((yield* Effect.flip(limiter.tryConsume("ada"))).message, "down")
      // It is not stuck.
      assert.strictEqual((yield* Effect.flip(limiter.withLimit("ada")(Effect.void)))._tag, "StoreError")
      assert.deepStrictEqual(asked[0], {
        algorithm: "slidingWindow",
        limit: 5,
        interval: 2000,
        burst: 5,
        key: "ada",
        asks: [{ cost: 2, tries: false }],
        ahead: 0
      })
      const refused = yield* Effect.exit(limiter.consume("ada", { cost: 6 }))
      assert.instanceOf(dieWith(refused), RangeError)
      assert.strictEqual(asked.length, 3)
    }).pipe(Effect.provide(broken))
  })

  it.effect("gets back what was granted to an effect that did not begin", () => {
    let given = 0
    const store = Layer.succeed(RateLimiter.Store, {
      consume: () =>
        Effect.succeed([{ allowed: true, delay: 0, remaining: 0, retryAfter: 0, resetAfter: 0, grant: 7 }]),
      giveBack: ({ grants }) => Effect.sync(() => void (given += grants[0]!.grant as number))
    })
    return Effect.gen(function* () {
      const limiter = yield* RateLimiter.makeWithStore(hour)
      const exit = yield* Effect.exit(
        Effect.withFiberRuntime<void, unknown>((fiber) => {
          fiber.unsafeInterruptAsFork(fiber.id())
          return limiter.withLimit()(Effect.die("it began"))
        }).pipe(Effect.fork, Effect.flatMap(Fiber.join))
      )
      assert.isTrue(Exit.isFailure(exit) && !Cause.isDie(exit.cause))
      assert.include([0, 7], given)
    }).pipe(Effect.provide(store))
  })

  const rate = { limit: 5, interval: 10 }
  type Limiter = RateLimiter.WithStore<never, unknown>
  const victims: Record<string, (limiter: Limiter, got: () => void) => Effect.Effect<unknown, unknown>> = {
    consume: (limiter, got) => gotten(limiter.consume("default", { cost: 2 }), got),
    tryConsume: (limiter, got) =>
      gotten(limiter.tryConsume("default", { cost: 2 }), ({ allowed }) => (allowed ? got() : undefined)),
    reserve: (limiter, got) => gotten(limiter.reserve("default", { cost: 2 }), got),
    withLimit: (limiter, got) => limiter.withLimit("default", { cost: 2 })(Effect.sync(got))
  }
  const gotten = <A>(self: Effect.Effect<A, unknown>, got: (value: A) => void) =>
    Effect.matchCauseEffect(self, { onFailure: Effect.failCause, onSuccess: (value) => Effect.succeed(got(value)) })

  const answers: Record<string, (store: HandStore, clock: StepClock) => Promise<unknown>> = {
    "at once": async () => {},
    late: async (store) => {
      while (store.asked.length > 0) await store.answer()
    },
    "that it has to wait, and then late": async (store, clock) => {
      while (store.asked.length > 0) await store.answer()
      await clock.advance(10)
      while (store.asked.length > 0) await store.answer()
    },
    "with an error": async (store) => {
      if (store.asked.length > 0) await store.fail(new Error("down"))
    }
  }

  for (const [how, answer] of Object.entries(answers)) {
    it.each(Object.entries(victims))(
      `interrupted at any operation, over a store that answers ${how}, %s has what it took, or the store has it back`,
      async (name, victim) => {
        const used = how.startsWith("that") ? 4 : 0
        const clock = new StepClock()
        const { findings, operations } = await sweep({
          setup: () => {
            clock.now += 100
            const store = new HandStore(() => clock.now)
            const limiter = Effect.runSync(
              RateLimiter.makeWithStore(rate, inEffect(store)).pipe(
                Effect.withClock(clock),
                Effect.provideService(Reporter, { report: () => Effect.void })
              )
            )
            if (used > 0)
              void store.consume({
                ...rate,
                algorithm: "slidingWindow",
                burst: 5,
                key: "default",
                asks: [{ cost: used, tries: true }],
                ahead: 0
              })
            store.held = how !== "at once"
            return { store, limiter, got: 0, began: clock.now }
          },
          victim: (state) => victim(state.limiter, () => void (state.got += 2)),
          meanwhile: ({ store }) => Effect.promise(() => answer(store, clock)),
          verify: ({ began, got, limiter, store }) => {
            const left = 5 - got - (clock.now < began + 10 ? used : 0)
            assert.strictEqual(store.left(rate), left, "left")
            assert.deepStrictEqual(Effect.runSync(limiter.stats), { keys: 0, waiting: 0 })
          }
        })
        assert.strictEqual(clock.timers.size, 0)
        assert.isAbove(operations, 5)
        // An effect is begun in one operation, and its own first is the next: between the two it counts as begun.
        assert.isAtMost(findings.length, name === "withLimit" ? 1 : 0, JSON.stringify(findings))
      }
    )
  }

  it("what nobody waits for is reported: a failure when the caller has gone, or of a reservation, and one to give back", async () => {
    const reports: Array<string> = []
    const store = new HandStore(() => 0)
    store.held = true
    const limiter = Effect.runSync(
      RateLimiter.makeWithStore(rate, inEffect(store)).pipe(
        Effect.provideService(Reporter, {
          report: ({ cause, message, name, where }) =>
            Effect.sync(() => void reports.push(`${where}, ${name}: ${message}: ${String(Cause.squash(cause))}`))
        })
      )
    )
    const interrupted = async (answer: () => Promise<void>) => {
      const fiber = Effect.runFork(limiter.consume("ada"))
      await settle()
      fiber.unsafeInterruptAsFork(fiber.id())
      await settle()
      await answer()
    }
    await interrupted(() => store.fail(new Error("down")))
    store.giveBackFails = new Error("no")
    await interrupted(() => store.answer())
    const reserving = Effect.runPromise(limiter.reserve("ada"))
    await settle()
    await store.answer({ allowed: false, retryAfter: 5 })
    const reserved = await reserving
    await new Promise((resolve) => setTimeout(resolve, 10))
    await store.fail(new Error("gone"))
    // Whoever comes to wait for it later hears of it too.
    for (let i = 0; i < 2; i++) assert.match(String(await Effect.runPromise(Effect.flip(reserved.wait))), /gone/)
    assert.deepStrictEqual(reports, [
      "RateLimiter, ada: the store failed, and nobody waits for its answer: Error: down",
      "RateLimiter, ada: what was not used could not be given back: Error: no",
      "RateLimiter, ada: the store failed, and nobody waits for its answer: Error: gone"
    ])
    assert.deepStrictEqual(store.given, [1])
  })

  it.effect("a store that throws is a defect of those who were asked for", () =>
    Effect.gen(function* () {
      const limiter = yield* RateLimiter.makeWithStore(rate, {
        consume: () => {
          throw new Error("a bug")
        },
        giveBack: () => Effect.void
      })
      assert.match(String(dieWith(yield* Effect.exit(limiter.consume()))), /a bug/)
      assert.deepStrictEqual(yield* limiter.stats, { keys: 0, waiting: 0 })
    })
  )

  /** It gives up by itself after 100 ms, and is asked by a limiter that is made where nothing can be interrupted. */
  const impatient = (asked: Array<string>, answer: Effect.Effect<ReadonlyArray<RateLimiter.StoreDecision>>) =>
    Effect.uninterruptible(
      RateLimiter.makeWithStore(rate, {
        consume: () =>
          Effect.sync(() => asked.push("asked")).pipe(
            Effect.zipRight(answer),
            Effect.onInterrupt(() => Effect.sync(() => asked.push("interrupted"))),
            Effect.timeoutFail({ duration: 100, onTimeout: () => new RateLimiter.StoreError("too late") })
          ),
        giveBack: ({ grants }) => Effect.sync(() => void asked.push(`given back ${grants[0]!.cost}`))
      })
    )

  it.effect("a store may interrupt what it does: its timeout holds wherever the limiter was made", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const limiter = yield* impatient(asked, Effect.never)
      const fiber = yield* Effect.fork(Effect.flip(limiter.consume()))
      yield* TestClock.adjust(99)
      assert.isNull(fiber.unsafePoll())
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "StoreError")
      assert.deepStrictEqual(asked, ["asked", "interrupted"])
      assert.deepStrictEqual(yield* limiter.stats, { keys: 0, waiting: 0 })
    })
  )

  it.effect("when the last who waits is interrupted, the question goes on, and what it grants is given back", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const granted = [{ allowed: true, delay: 0, remaining: 0, retryAfter: 0, resetAfter: 0 }]
      const limiter = yield* impatient(asked, Effect.delay(Effect.succeed(granted), 50))
      const fiber = yield* Effect.fork(limiter.consume("default", { cost: 2 }))
      yield* TestClock.adjust(10)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual([asked, (yield* limiter.stats).waiting], [["asked"], 0])
      yield* TestClock.adjust(40)
      assert.deepStrictEqual(asked, ["asked", "given back 2"])
      assert.deepStrictEqual(yield* limiter.stats, { keys: 0, waiting: 0 })
    })
  )

  class Shared extends RateLimiter.ServiceWithStore<Shared>()("test/Shared", {
    limit: 3,
    interval: "1 hour",
    backlog: 1
  }) {}

  it.effect("as a service it has the same operations, and the layers say where the rates are", () =>
    Effect.gen(function* () {
      yield* Shared.consume()
      assert.strictEqual((yield* Shared.tryConsume()).remaining, 1)
      assert.strictEqual(yield* Effect.succeed(42).pipe(Shared.withLimit()), 42)
      const reserved = yield* Shared.reserve()
      assert.strictEqual(reserved.delay, 3_600_000)
      assert.strictEqual((yield* Effect.flip(Shared.consume()))._tag, "RateLimited")
      assert.deepStrictEqual(yield* Shared.stats, { keys: 1, waiting: 1 })
      assert.isTrue(yield* reserved.cancel)
      assert.isFalse(yield* reserved.wait)
    }).pipe(Effect.provide(Layer.provide(Shared.layer, RateLimiter.layerStoreMemory)))
  )

  it("refuses bad options as a defect, that names the function", () => {
    const made = RateLimiter.makeWithStore({ limit: 0, interval: 1 }, inEffect(new HandStore(() => 0)))
    assert.match(String(dieWith(Effect.runSyncExit(made))), /^RangeError: RateLimiter.makeWithStore: limit/)
  })
})
