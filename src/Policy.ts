/**
 * Policies: a limit of time, another attempt, a breaker, a limit of how many, put together in an order that can be read.
 *
 * A policy is a function from effect to effect: what every wrapper of this library is, and many of Effect's own. `asyncio` has none; there it is a
 * decorator on a decorator.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { callable, refusal } from "./core/arguments.js"
import * as service from "./internal/service.js"

/**
 * A policy: what an effect gives stays as it is, errors may come on top (`X`), and requirements (`S`).
 *
 * @since 0.1.0
 * @category models
 */
export interface Policy<out X = never, out S = never> {
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | X, R | S>
}

/** Stands for whatever an effect gives, fails with and requires, to see what a policy adds to it. */
declare class Anything {
  private readonly anything: never
}

/**
 * One of the policies of {@link wrap}. It has to take every effect: what it adds is `X` and `S`.
 *
 * @since 0.1.0
 * @category models
 */
export type Part<X, S> = (
  effect: Effect.Effect<Anything, Anything, Anything>
) => Effect.Effect<Anything, Anything | X, Anything | S>

/**
 * Puts policies together, the outermost first.
 *
 * **When to use**: for what is called in one way from many places: a server, a database. With `Policy.Service` it has a name, and its breaker
 * and its bulkhead are made once.
 *
 * **Details**: `wrap(a, b, c)(effect)` is `a(b(c(effect)))`. A policy is a function, so it is given as `retry.retry`, `breaker.protect`,
 * `semaphore.withPermit` or `Timeout.timeout("1 second")`; the result is one, too. The order says what is meant:
 *
 * - a timeout outside of `retry` is for all attempts and the pauses between them; one inside is for each attempt;
 * - a bulkhead or a rate limit outside of `retry` lets a call keep its place until it has succeeded; inside, each attempt asks for one;
 * - a breaker inside of `retry` counts each attempt, and what it refuses may be retried: name that with `while`;
 * - a breaker around a timeout counts what took too long as a failure. Around a breaker, the timeout interrupts what it protects, and that counts
 *   neither way.
 *
 * The types show the errors that are left. A policy that takes only some errors, such as a retry whose `while` knows only yours, is refused: the
 * policies inside of it add theirs. Let it take them all, or use it by itself.
 *
 * **Interruption**: as each of them has it. What waits inside of a timeout leaves when the time is over.
 *
 * @example
 * import { Bulkhead, CircuitBreaker, Policy, Retry, Timeout } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const breaker = yield* CircuitBreaker.make({ trip: { kind: "consecutive", failures: 2 }, halfOpen: { after: "1 minute" } })
 *   const bulkhead = yield* Bulkhead.make({ permits: 10, backlog: 100 })
 *   const policy = Policy.wrap(
 *     Timeout.timeout("1 second"),
 *     Retry.retry({ attempts: 5, base: "1 milli", while: (error: unknown) => !(error instanceof CircuitBreaker.CircuitOpen) }),
 *     breaker.protect,
 *     bulkhead.protect
 *   )
 *   let attempts = 0
 *   const request = Effect.suspend(() => Effect.fail(`failure ${++attempts}`))
 *   return yield* policy(request).pipe(Effect.catchTag("CircuitOpen", () => Effect.succeed(`left alone after ${attempts}`)))
 * })
 *
 * console.log(await Effect.runPromise(program)) // => left alone after 2
 *
 * @see Policy.Service for one that can be exchanged
 * @since 0.1.0
 * @category combinators
 */
export const wrap: {
  <X1 = never, S1 = never, X2 = never, S2 = never, X3 = never, S3 = never, X4 = never, S4 = never>(
    policy1?: Part<X1, S1>,
    policy2?: Part<X2, S2>,
    policy3?: Part<X3, S3>,
    policy4?: Part<X4, S4>
  ): Policy<Exclude<X1 | X2 | X3 | X4, Anything>, Exclude<S1 | S2 | S3 | S4, Anything>>
  <
    X1 = never,
    S1 = never,
    X2 = never,
    S2 = never,
    X3 = never,
    S3 = never,
    X4 = never,
    S4 = never,
    X5 = never,
    S5 = never,
    X6 = never,
    S6 = never,
    X7 = never,
    S7 = never,
    X8 = never,
    S8 = never
  >(
    policy1: Part<X1, S1>,
    policy2: Part<X2, S2>,
    policy3: Part<X3, S3>,
    policy4: Part<X4, S4>,
    policy5: Part<X5, S5>,
    policy6?: Part<X6, S6>,
    policy7?: Part<X7, S7>,
    policy8?: Part<X8, S8>
  ): Policy<
    Exclude<X1 | X2 | X3 | X4 | X5 | X6 | X7 | X8, Anything>,
    Exclude<S1 | S2 | S3 | S4 | S5 | S6 | S7 | S8, Anything>
  >
} = (...policies: ReadonlyArray<any>): any => {
  const where = "Policy.wrap"
  policies.forEach((policy, index) => callable(where, `policies[${index}]`, policy))
  return (effect: unknown) => {
    if (!Effect.isEffect(effect)) return Effect.die(refusal(where, "effect", "an effect", effect))
    return policies.reduceRight((inner, policy) => policy(inner), effect)
  }
}

/**
 * A service class: a tag, its layer, and `protect` with whichever policy is provided.
 *
 * @since 0.1.0
 * @category services
 */
export interface ServiceClass<
  Self,
  Id extends string,
  X = never,
  S = never,
  E = never,
  R = never
> extends service.ServiceClass<Self, Id, Policy<X, S>, E, R> {
  readonly protect: Policy<X, S | Self>
}

/**
 * A policy as a service: what it is made of is made once, with the layer, and may be another in a test.
 *
 * **Details**: the policy is made by `wrap`, or by an effect that gives such a one. What it makes in its scope lives as long as the layer. A policy that
 * does nothing is `Policy.wrap()`.
 *
 * @example
 * import { Bulkhead, Policy, Timeout } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * class ApiPolicy extends Policy.Service<ApiPolicy>()(
 *   "app/ApiPolicy",
 *   Effect.map(Bulkhead.make({ permits: 10, backlog: 100 }), (bulkhead) =>
 *     Policy.wrap(Timeout.timeout("1 second"), bulkhead.protect)
 *   )
 * ) {}
 *
 * const program = Effect.succeed("a user").pipe(ApiPolicy.protect)
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(ApiPolicy.layer)))) // => a user
 *
 * @since 0.1.0
 * @category services
 */
export const Service =
  <Self>() =>
  <const Id extends string, X = never, S = never, E = never, R = never>(
    id: Id,
    policy: service.Options<Policy<X, S>, E, R>
  ): ServiceClass<Self, Id, X, S, E, Exclude<R, Scope.Scope>> =>
    service.make(
      id,
      Effect.map(service.options(policy), (policy) => callable("Policy.Service", "policy", policy)),
      {
        others: {
          protect: (tag) => (effect: Effect.Effect<unknown>) =>
            Effect.flatMap(tag as Effect.Effect<Policy>, (policy) => policy(effect))
        }
      }
    )
