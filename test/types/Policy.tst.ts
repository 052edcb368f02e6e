import type { Config, ConfigError, Effect, Layer, Scope } from "effect"
import {
  Bulkhead,
  type CircuitBreaker,
  type Mutex,
  Policy,
  type RateLimiter,
  Retry,
  Semaphore,
  Timeout
} from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { describe, expect, it } from "tstyche"

declare const effect: Effect.Effect<"a", "e", "r">
declare const breaker: CircuitBreaker.CircuitBreaker
declare const bulkhead: Bulkhead.Bulkhead
declare const mutex: Mutex.Mutex
declare const bounded: RateLimiter.RateLimiter<RateLimiter.RateLimited>

class Slots extends Semaphore.Service<Slots>()("app/Slots", { permits: 1 }) {}
class Places extends Bulkhead.Service<Places>()("app/Places", { permits: 1, backlog: 1 }) {}

describe("Policy.wrap", () => {
  it("shows the errors that are left", () => {
    const limit = Timeout.timeout("1 second")
    const retry = Retry.policy({ attempts: 2 })
    const policy = Policy.wrap(limit, retry.retry, breaker.protect, bulkhead.protect)
    type Errors = Timeout.DeadlineExceeded | CircuitBreaker.CircuitOpen | Bulkhead.BulkheadFull
    expect(policy).type.toBe<Policy.Policy<Errors>>()
    expect(policy(effect)).type.toBe<Effect.Effect<"a", "e" | Errors, "r">>()
    expect(effect.pipe(policy)).type.toBe<Effect.Effect<"a", "e" | Errors, "r">>()
    // A policy is one of the policies that can be put together.
    expect(Policy.wrap(policy, bounded.withLimit("key"))).type.toBe<Policy.Policy<Errors | RateLimiter.RateLimited>>()
    expect(Policy.wrap(Retry.retry({ exhausted: "wrap" }))).type.toBe<Policy.Policy<Retry.RetryExhausted>>()
  })

  it("adds nothing that its policies do not add", () => {
    expect(Policy.wrap()(effect)).type.toBe<Effect.Effect<"a", "e", "r">>()
    expect(Policy.wrap(mutex.withLock, Retry.retry({}))(effect)).type.toBe<Effect.Effect<"a", "e", "r">>()
  })

  it("shows the services that are needed", () => {
    const policy = Policy.wrap(Slots.withPermit, Places.protect)
    expect(policy).type.toBe<Policy.Policy<Bulkhead.BulkheadFull, Slots | Places>>()
    expect(policy(effect)).type.toBe<Effect.Effect<"a", "e" | Bulkhead.BulkheadFull, "r" | Slots | Places>>()
  })

  it("takes eight", () => {
    const { withLock } = mutex
    const seven = [withLock, withLock, withLock, withLock, withLock, withLock, withLock] as const
    expect(Policy.wrap(...seven, bulkhead.protect)).type.toBe<Policy.Policy<Bulkhead.BulkheadFull>>()
  })

  it("refuses a policy that does not take every effect, or gives something else", () => {
    const onlyMine = Retry.policy({ while: (error: { readonly status: number }) => error.status >= 500 })
    expect(Policy.wrap).type.not.toBeCallableWith(onlyMine.retry)
    expect(Policy.wrap).type.not.toBeCallableWith(() => effect)
    expect(Policy.wrap).type.not.toBeCallableWith(mutex)
  })
})

describe("Policy.Service", () => {
  it("names a policy", () => {
    class Named extends Policy.Service<Named>()("app/Named", Policy.wrap(bulkhead.protect, Slots.withPermit)) {}
    expect(Named.protect(effect)).type.toBe<Effect.Effect<"a", "e" | Bulkhead.BulkheadFull, "r" | Slots | Named>>()
    expect(Named.layer).type.toBe<Layer.Layer<Named>>()
  })

  it("is made by an effect, in the scope of its layer", () => {
    const made = null! as Effect.Effect<Policy.Policy<Bulkhead.BulkheadFull>, "no config", Scope.Scope | Slots>
    class Made extends Policy.Service<Made>()("app/Made", made) {}
    expect(Made.protect(effect)).type.toBe<Effect.Effect<"a", "e" | Bulkhead.BulkheadFull, "r" | Made>>()
    expect(Made.layer).type.toBe<Layer.Layer<Made, "no config", Slots>>()
    class Configured extends Policy.Service<Configured>()("app/C", null! as Config.Config<Policy.Policy>) {}
    expect(Configured.layer).type.toBe<Layer.Layer<Configured, ConfigError.ConfigError>>()
  })
})

describe("the facade's", () => {
  it("takes everything that has a run", () => {
    const { timeoutPolicy, retryPolicy } = Promises
    const policy = Promises.Policy.wrap(
      timeoutPolicy(5),
      retryPolicy({}),
      Promises.CircuitBreaker.from(breaker),
      Promises.Bulkhead.from(bulkhead),
      Promises.RateLimiter.from(bounded),
      Promises.Mutex.from(mutex),
      new Promises.Semaphore(1),
      new Promises.Deadline(5)
    )
    expect(policy.run(async () => 5)).type.toBe<Promise<number>>()
    expect(policy.run(({ signal }) => signal)).type.toBe<Promise<AbortSignal>>()
    expect(policy.run(({ attempt }) => attempt)).type.toBe<Promise<number | undefined>>()
    expect(Promises.Policy.wrap(policy, policy).run(() => "a")).type.toBe<Promise<string>>()
  })

  it("refuses what takes only some functions, and what has no run", () => {
    const responses = Promises.retryPolicy<Response>({ whileResult: ({ status }) => status === 503 })
    expect(Promises.Policy.wrap).type.not.toBeCallableWith(responses)
    expect(Promises.Policy.wrap).type.not.toBeCallableWith(async () => 5)
  })
})
