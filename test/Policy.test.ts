import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Scope, TestClock } from "effect"
import { Bulkhead, CircuitBreaker, Policy, Retry, Semaphore, Timeout, WorkQueue } from "effect-concurrency"
import { dieWith } from "./utils/defects.js"
import { sweepIsClean } from "./utils/sweep.js"

/** A policy that writes down when it begins and ends. */
const noted =
  (log: Array<string>, name: string) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.acquireUseRelease(
      Effect.sync(() => log.push(`${name} begins`)),
      () => effect,
      () => Effect.sync(() => log.push(`${name} ends`))
    )

/** A deadline that is never closed. */
const openDeadline = Effect.flatMap(Scope.make(), (scope) => Scope.extend(Timeout.make("1 minute"), scope))

describe("Policy.wrap", () => {
  it.effect("reads from outside in", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const policy = Policy.wrap(noted(log, "a"), noted(log, "b"), Policy.wrap(noted(log, "c"), noted(log, "d")))
      const value = yield* policy(Effect.sync(() => log.push("work")))
      assert.strictEqual(value, 5)
      const begins = ["a begins", "b begins", "c begins", "d begins"]
      assert.deepStrictEqual(log, [...begins, "work", "d ends", "c ends", "b ends", "a ends"])
    })
  )

  it.effect("takes as many as eight, and none", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const [a, b, c, d, e, f, g, h] = Array.from("abcdefgh", (name) => noted(log, name)) as any
      assert.strictEqual(yield* Policy.wrap(a, b, c, d, e, f, g, h)(Effect.succeed(1)), 1)
      assert.deepStrictEqual(
        log.slice(0, 8),
        Array.from("abcdefgh", (name) => `${name} begins`)
      )
      const effect = Effect.succeed(2)
      assert.strictEqual(Policy.wrap()(effect), effect)
    })
  )

  it.effect("a timeout around a retry is for all attempts and pauses; inside, for each attempt", () =>
    Effect.gen(function* () {
      let attempts = 0
      const slow = Effect.zipRight(
        Effect.sync(() => attempts++),
        Effect.never
      )
      const policy = Policy.wrap(
        Timeout.timeout("1 second", { name: "all" }),
        Retry.retry({ attempts: 10, base: "200 millis", factor: 1, jitter: "none" }),
        Timeout.timeout("300 millis", { name: "each" })
      )
      // Attempts begin after 0, 500 and 1,000 ms: the last not any more.
      const fiber = yield* Effect.fork(Effect.flip(policy(slow)))
      yield* TestClock.adjust(499)
      assert.strictEqual(attempts, 1)
      yield* TestClock.adjust(1)
      assert.strictEqual(attempts, 2)
      yield* TestClock.adjust(499)
      assert.isNull(fiber.unsafePoll())
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* Fiber.join(fiber)).deadline, "all")
      assert.strictEqual(attempts, 2)
    })
  )

  it.effect("a bulkhead inside a retry is asked for by each attempt, and given back in the pauses", () =>
    Effect.gen(function* () {
      const bulkhead = yield* Bulkhead.make({ permits: 1, backlog: 0 })
      const retry = Retry.policy({ attempts: 2, base: "1 second", jitter: "none" })
      const inUse = Effect.map(bulkhead.stats, ({ inUse }) => inUse)
      const fails = Effect.fail("no")

      const inside = yield* Effect.fork(Effect.flip(Policy.wrap(retry.retry, bulkhead.protect)(fails)))
      yield* TestClock.adjust(500)
      assert.strictEqual(yield* inUse, 0)
      yield* TestClock.adjust(500)
      assert.strictEqual(yield* Fiber.join(inside), "no")

      const outside = yield* Effect.fork(Effect.flip(Policy.wrap(bulkhead.protect, retry.retry)(fails)))
      yield* TestClock.adjust(500)
      assert.strictEqual(yield* inUse, 1)
      yield* TestClock.adjust(500)
      assert.strictEqual(yield* Fiber.join(outside), "no")
      assert.strictEqual(yield* inUse, 0)
    })
  )

  it.effect("a breaker around a timeout counts what took too long; a timeout around a breaker is no failure", () =>
    Effect.gen(function* () {
      const make = CircuitBreaker.make({
        trip: { kind: "consecutive", failures: 1 },
        halfOpen: { after: "1 minute" }
      })
      const limit = Timeout.timeout("1 second")
      const [around, inside] = [yield* make, yield* make]
      for (const policy of [Policy.wrap(around.protect, limit), Policy.wrap(limit, inside.protect)]) {
        const fiber = yield* Effect.fork(Effect.exit(policy(Effect.never)))
        yield* TestClock.adjust("1 second")
        assert.isTrue(Exit.isFailure(yield* Fiber.join(fiber)))
      }
      assert.deepStrictEqual([yield* around.state, yield* inside.state], ["open", "closed"])
    })
  )

  it.effect("who waits inside of a timeout leaves when the time is over", () =>
    Effect.gen(function* () {
      const semaphore = yield* Semaphore.make({ permits: 1 })
      yield* semaphore.take(1)
      const policy = Policy.wrap(Timeout.timeout("1 second"), semaphore.withPermit)
      const fiber = yield* Effect.fork(Effect.flip(policy(Effect.void)))
      yield* TestClock.adjust(999)
      assert.strictEqual((yield* semaphore.stats).waiting, 1)
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "DeadlineExceeded")
      assert.strictEqual((yield* semaphore.stats).waiting, 0)
    })
  )

  it("refuses what is no policy, and what is no effect", () => {
    assert.throws(
      () => Policy.wrap(Timeout.timeout("1 second"), "retry" as any),
      TypeError,
      'Policy.wrap: policies[1] must be a function, got "retry"'
    )
    const defect = dieWith(Effect.runSyncExit(Policy.wrap()(5 as any)))
    assert.strictEqual(String(defect), "TypeError: Policy.wrap: effect must be an effect, got 5")
  })

  it("whatever the operation at which it is interrupted, its parts have what they gave", async () => {
    const setup = () => {
      const bulkhead = Bulkhead.makeUnsafe({ permits: 1, backlog: 1 })
      const breaker = CircuitBreaker.makeUnsafe({
        trip: { kind: "consecutive", failures: 1 },
        halfOpen: { after: "1 minute", sample: 1 }
      })
      // Half open: whoever is let through has the only place of the sample.
      Effect.runSync(breaker.trip(0))
      return { breaker, bulkhead }
    }
    await sweepIsClean({
      setup,
      victim: ({ breaker, bulkhead }) =>
        Policy.wrap(
          Timeout.timeout("1 minute"),
          Retry.retry({ base: 0 }),
          breaker.protect,
          bulkhead.protect
        )(Effect.yieldNow()),
      verify: ({ breaker, bulkhead }) => {
        const again = Effect.runSync(
          Effect.exit(Policy.wrap(breaker.protect, bulkhead.protect)(Effect.succeed("free")))
        )
        if (!Exit.isSuccess(again)) return `not free afterwards: ${String(again)}`
      }
    })
  })
})

describe("a policy around what takes an item of a queue", () => {
  const policies = {
    "Timeout.timeout": () => Timeout.timeout("1 minute"),
    "Timeout.timeoutAt": () => Timeout.timeoutAt(new Date("2999-01-01")),
    "Deadline.run": () => Effect.runSync(openDeadline).run,
    "Retry.retry": () => Retry.retry({ base: 0 }),
    "Retry.retry, each attempt with a limit": () => Retry.retry({ base: 0, perAttemptTimeout: "1 minute" }),
    "CircuitBreaker.protect": () =>
      CircuitBreaker.makeUnsafe({ trip: { kind: "consecutive", failures: 1 }, halfOpen: { after: "1 minute" } })
        .protect,
    "Bulkhead.protect": () => Bulkhead.makeUnsafe({ permits: 1, backlog: 1 }).protect,
    "Semaphore.withPermit": () => Semaphore.makeUnsafe(1).withPermit,
    "Policy.wrap": () =>
      Policy.wrap(
        Timeout.timeout("1 minute"),
        Retry.retry({ base: 0 }),
        Bulkhead.makeUnsafe({ permits: 1, backlog: 1 }).protect
      )
  } satisfies Record<string, () => Policy.Policy<unknown, never>>

  // Failure looks like an item that nobody has: it was taken, is not worked on, and never comes back.
  for (const [name, policy] of Object.entries(policies)) {
    for (const [how, use] of Object.entries({
      "dealt with inside": (
        policy: Policy.Policy<unknown>,
        take: Effect.Effect<number, unknown>,
        done: Array<number>
      ) => policy(Effect.flatMap(take, (item) => Effect.succeed(void done.push(item)))),
      "taken, and dealt with outside": (
        policy: Policy.Policy<unknown>,
        take: Effect.Effect<number, unknown>,
        done: Array<number>
      ) => Effect.flatMap(policy(take), (item) => Effect.succeed(void done.push(item)))
    })) {
      for (const waits of [false, true]) {
        it(`${name}: interrupted at any operation, an item is ${how}, or left at the head${waits ? ", after a wait" : ""}`, () =>
          sweepIsClean({
            setup: () => {
              const queue = WorkQueue.makeUnsafe<number>()
              if (!waits) Effect.runSync(queue.offerAll([1, 2]))
              return { queue, policy: policy() as Policy.Policy<unknown>, done: [] as Array<number> }
            },
            victim: ({ done, policy, queue }) => use(policy, queue.take, done),
            meanwhile: ({ queue }) => (waits ? queue.offerAll([1, 2]) : Effect.void),
            verify: ({ done, queue }) => {
              const { inUse, takers } = Effect.runSync(queue.stats)
              const left = Effect.runSync(queue.shutdown)
              if ([...done, ...left].join() !== "1,2") return `done ${done}, left ${left}`
              if (inUse !== done.length || takers > 0) return `in use ${inUse}, ${takers} wait`
            }
          }))
      }
    }
  }
})

describe("Policy.Service", () => {
  class Mail extends Policy.Service<Mail>()(
    "app/Mail",
    Effect.map(Bulkhead.make({ permits: 1, backlog: 0 }), (bulkhead) => Policy.wrap(bulkhead.protect))
  ) {}

  it.effect("what the policy is made of is made once, with the layer", () =>
    Effect.gen(function* () {
      const send = Mail.protect(Effect.as(Effect.yieldNow(), "sent"))
      const results = yield* Effect.all([send, Effect.flip(send)], { concurrency: "unbounded" })
      assert.strictEqual(results[0], "sent")
      assert.strictEqual(results[1]._tag, "BulkheadFull")
    }).pipe(Effect.provide(Mail.layer))
  )

  it.effect("can be exchanged, for one that does nothing", () =>
    Effect.gen(function* () {
      const send = Mail.protect(Effect.as(Effect.yieldNow(), "sent"))
      assert.deepStrictEqual(yield* Effect.all([send, send], { concurrency: "unbounded" }), ["sent", "sent"])
    }).pipe(Effect.provide(Layer.succeed(Mail, Policy.wrap())))
  )

  it.effect("what it makes in its scope lives as long as the layer", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      class Scoped extends Policy.Service<Scoped>()(
        "app/Scoped",
        Effect.acquireRelease(
          Effect.sync(() => Policy.wrap(noted(log, "policy"))),
          () => Effect.sync(() => log.push("closed"))
        )
      ) {}
      yield* Effect.provide(
        Effect.zipRight(
          Scoped.protect(Effect.void),
          Effect.sync(() => log.push("work"))
        ),
        Scoped.layer
      )
      assert.deepStrictEqual(log, ["policy begins", "policy ends", "work", "closed"])
    })
  )

  it.effect("refuses what is no policy when the layer is built", () =>
    Effect.gen(function* () {
      class Wrong extends Policy.Service<Wrong>()("app/Wrong", 5 as any) {}
      const exit = yield* Effect.exit(Effect.provide(Effect.void, Wrong.layer))
      assert.strictEqual(String(dieWith(exit)), "TypeError: Policy.Service: policy must be a function, got 5")
    })
  )
})
