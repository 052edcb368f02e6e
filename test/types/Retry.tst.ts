import { Context, type Duration, Effect, type Schedule } from "effect"
import { Retry, type Timeout } from "effect-concurrency"
import { retry, RetryBudget, type RetryContext, retryPolicy } from "effect-concurrency/promise"
import { describe, expect, it } from "tstyche"

class Name extends Context.Tag("Name")<Name, string>() {}
class Oops extends Error {
  readonly status: number = 503
}

describe("Retry", () => {
  const effect = {} as Effect.Effect<number, Oops, Name>

  it("leaves the errors of the effect, and adds those that the policy makes", () => {
    expect(effect.pipe(Retry.retry({ attempts: 3 }))).type.toBe<Effect.Effect<number, Oops, Name>>()
    expect(Retry.retry(effect, { exhausted: "wrap" })).type.toBe<
      Effect.Effect<number, Oops | Retry.RetryExhausted, Name>
    >()
    expect(Retry.retry(effect, { perAttemptTimeout: "1 second" })).type.toBe<
      Effect.Effect<number, Oops | Timeout.DeadlineExceeded, Name>
    >()
    // Of what is not known to be absent, both.
    const options: Retry.Options = {}
    expect(Retry.retry(effect, options)).type.toBe<
      Effect.Effect<number, Oops | Retry.RetryExhausted | Timeout.DeadlineExceeded, Name>
    >()
  })

  it("knows the error and the value, data first", () => {
    expect(Retry.retry).type.toBeCallableWith(effect, { while: (error: Oops) => error.status > 500 })
    const retried = Retry.retry(effect, {
      while: (error) => {
        expect(error).type.toBe<Oops>()
        return true
      },
      whileResult: (value) => {
        expect(value).type.toBe<number>()
        return false
      },
      onRetry: ({ error }) => {
        expect(error).type.toBe<Oops | Timeout.DeadlineExceeded | undefined>()
      }
    })
    expect(retried).type.toBe<Effect.Effect<number, Oops, Name>>()
  })

  it("refuses an effect whose errors the policy does not know", () => {
    const policy = Retry.policy({ while: (error: Oops) => error.status > 500 })
    expect(policy.retry(effect)).type.toBe<Effect.Effect<number, Oops, Name>>()
    expect(policy.retry).type.not.toBeCallableWith(Effect.fail("no"))
    expect(Retry.retry(policy)).type.not.toBeCallableWith(Effect.fail("no"))
  })

  it("takes hints from errors, and from values", () => {
    const policy = Retry.policy({
      retryAfter: (error: Oops) => error.status,
      whileResult: (value: number) => value > 5,
      retryAfterResult: (value: number) => new Date(value)
    })
    expect(policy.retry(effect)).type.toBe<Effect.Effect<number, Oops, Name>>()
    expect(policy.retry).type.not.toBeCallableWith(Effect.succeed("no number"))
    // What is only about errors is right for all values.
    expect(Retry.policy({ retryAfter: (error: Oops) => error.status }).retry).type.toBeCallableWith(effect)
  })

  it("requires what onRetry does", () => {
    const onRetry = () => Effect.asVoid(Name)
    expect(Retry.retry(Effect.succeed(1), { onRetry })).type.toBe<Effect.Effect<number, never, Name>>()
    expect(Retry.retry).type.not.toBeCallableWith(effect, { onRetry: () => Effect.fail("no") })
  })

  it("is a schedule of the errors", () => {
    expect(Retry.schedule({ while: (error: Oops) => error.status > 500 })).type.toBe<
      Schedule.Schedule<Duration.Duration, Oops>
    >()
  })

  it("is a service with the same errors", () => {
    class ApiRetry extends Retry.Service<ApiRetry>()("ApiRetry", {
      exhausted: "wrap",
      while: (error: Oops) => error.status > 500
    }) {}
    expect(ApiRetry.retry(effect)).type.toBe<Effect.Effect<number, Oops | Retry.RetryExhausted, Name | ApiRetry>>()
    expect(ApiRetry.retry).type.not.toBeCallableWith(Effect.fail("no"))
    class Named extends Retry.Service<Named>()("Named", Retry.policy({ attempts: 2 })) {}
    expect(Named.retry(effect)).type.toBe<Effect.Effect<number, Oops, Name | Named>>()
  })
})

describe("retry", () => {
  it("runs functions, async or not, which are told", () => {
    expect(retry(() => 1)).type.toBe<Promise<number>>()
    expect(retry(async ({ attempt, signal }) => signal.aborted || attempt)).type.toBe<Promise<number | true>>()
    expect(retryPolicy().run(async (context: RetryContext) => context.attempt)).type.toBe<Promise<number>>()
    expect(retry).type.not.toBeCallableWith(Promise.resolve(1))
    expect(retry).type.not.toBeCallableWith(() => 1, { attempts: "3" })
    expect(retry(() => 1, { whileResult: (value) => value > 5 })).type.toBe<Promise<number>>()
  })

  it("shares budgets of either side", () => {
    expect(RetryBudget.from).type.toBeCallableWith(Retry.makeBudgetUnsafe())
    expect(retryPolicy).type.toBeCallableWith({ budget: Retry.makeBudgetUnsafe() })
    expect(Retry.policy).type.toBeCallableWith({ budget: new RetryBudget() })
  })
})
