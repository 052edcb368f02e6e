import type { Config, ConfigError, Duration, Effect, Layer, Option, Scope } from "effect"
import { Policy, Timeout } from "effect-concurrency"
import {
  Deadline,
  deadline as made,
  Policy as Wrapped,
  timeout,
  timeoutAt,
  timeoutPolicy
} from "effect-concurrency/promise"
import { describe, expect, it } from "tstyche"

declare const effect: Effect.Effect<"a", "e", "r">
declare const config: Config.Config<{ readonly duration: Duration.Duration }>
declare const deadline: Timeout.Deadline

class RequestTime extends Timeout.Service<RequestTime>()("app/RequestTime", { duration: "1 second" }) {}
class Configured extends Timeout.Service<Configured>()("app/Configured", config) {}

type Limited = Effect.Effect<"a", "e" | Timeout.DeadlineExceeded, "r">

describe("Timeout", () => {
  it("keeps what an effect gives and requires, and adds its error", () => {
    expect(effect.pipe(Timeout.timeout("1 second"))).type.toBe<Limited>()
    expect(effect.pipe(Timeout.timeoutAt(new Date(), { name: "noon", grace: 5 }))).type.toBe<Limited>()
    expect(deadline.run(effect)).type.toBe<Limited>()
    expect(Timeout.policy({ duration: 5 }).timeout(effect)).type.toBe<Limited>()
    expect(RequestTime.timeout(effect)).type.toBe<
      Effect.Effect<"a", "e" | Timeout.DeadlineExceeded, "r" | RequestTime>
    >()
    expect(RequestTime.layer).type.toBe<Layer.Layer<RequestTime>>()
    expect(Configured.layer).type.toBe<Layer.Layer<Configured, ConfigError.ConfigError>>()
  })

  it("a deadline is scoped, and tells", () => {
    expect(Timeout.make()).type.toBe<Effect.Effect<Timeout.Deadline, never, Scope.Scope>>()
    expect(Timeout.remaining).type.toBe<Effect.Effect<Option.Option<Duration.Duration>>>()
    expect(deadline.reschedule("none")).type.toBe<Effect.Effect<boolean>>()
    expect(Policy.wrap(deadline.run)(effect)).type.toBe<Limited>()
  })

  it("refuses misuse", () => {
    expect(Timeout.timeout).type.not.toBeCallableWith("soon")
    expect(Timeout.timeoutAt).type.not.toBeCallableWith("noon")
    expect(Timeout.policy).type.not.toBeCallableWith({})
  })
})

describe("the facade's", () => {
  it("takes functions and promises", () => {
    expect(timeout(async () => 5, 10)).type.toBe<Promise<number>>()
    expect(timeout(Promise.resolve(5), 10)).type.toBe<Promise<number>>()
    expect(timeout(({ deadline }) => deadline.remaining(), 10)).type.toBe<Promise<number>>()
    expect(timeoutAt(() => "a", new Date())).type.toBe<Promise<string>>()
    expect(timeoutPolicy(5).run(() => 5)).type.toBe<Promise<number>>()
    expect(Deadline.from(deadline).run(() => 5)).type.toBe<Promise<number>>()
    expect(made(5)).type.toBe<Deadline>()
    expect(Wrapped.wrap).type.toBeCallableWith(made(5))
    expect(timeout).type.not.toBeCallableWith(5, 10)
    expect(timeout).type.not.toBeCallableWith(() => 5, "1 second")
  })
})
