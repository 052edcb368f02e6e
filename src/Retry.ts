/**
 * Retry: another attempt after a pause that grows, and not all at once.
 *
 * asyncio has none. What follows from its rules holds: a cancellation is never retried, during an attempt as well as during a pause; an
 * attempt that took too long is, if the limit is its own; and the last error arrives unchanged.
 *
 * Beside `Effect.retry`: the cap holds after the jitter, the kinds of jitter are those that are known to work against an outage, a server
 * can say when to come back, and a budget that callers share keeps an outage from being multiplied.
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import { identity } from "effect/Function"
import * as Random from "effect/Random"
import type * as Schedule from "effect/Schedule"
import { callable, record, refusal } from "./core/arguments.js"
import type { Jitter } from "./core/backoff.js"
import * as budgets from "./core/budget.js"
import { DeadlineExceeded } from "./core/deadline.js"
import type { RetryExhausted } from "./core/retry.js"
import * as core from "./core/retry.js"
import type { Time } from "./core/timekeeper.js"
import { milliseconds } from "./internal/duration.js"
import {
  catchCause,
  clockOf,
  type DurationInput,
  failureOf,
  readClock,
  scheduleFrom,
  withFiber
} from "./internal/effect.js"
import { around, contentOf, opened } from "./internal/parcel.js"
import { untilForgotten } from "./internal/park.js"
import { pause } from "./internal/pause.js"
import * as service from "./internal/service.js"
import { timekeeperOf } from "./internal/timer.js"
import { timeout } from "./Timeout.js"

export {
  /**
   * There is no further attempt, and the policy says to tell so. The last error is its `cause`.
   *
   * @since 0.1.0
   * @category errors
   */
  RetryExhausted
} from "./core/retry.js"

export type {
  /**
   * How pauses are spread, so that those who failed together do not come back together.
   *
   * @since 0.1.0
   * @category models
   */
  Jitter
}

/**
 * What is told of a retry, before the pause. An attempt that took longer than the policy allows has failed with `DeadlineExceeded`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Retried<out E = unknown, out A = unknown> extends core.Retried<E | DeadlineExceeded, A> {}

/**
 * When to come back, as a server says it: so many seconds, an instant, or a duration. None: it does not say.
 *
 * @since 0.1.0
 * @category models
 */
export type Hint = number | Date | Duration.Duration | undefined | null

/**
 * How to retry.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<
  in E = unknown,
  in A = unknown,
  out R = never,
  out Exhausted extends core.Exhausted = core.Exhausted,
  out Timeout extends DurationInput | undefined = DurationInput | undefined
> extends core.Settings<DurationInput, E, A, Hint, Exhausted> {
  /** Whether an error is worth another attempt. Default: every one. Not asked about an attempt that took too long. */
  readonly while?: ((error: E) => boolean) | undefined
  /** How long an attempt may take. One that takes longer fails with `DeadlineExceeded`, and is retried. Default: as long as it takes. */
  readonly perAttemptTimeout?: Timeout
  /** Is told before each pause, which begins when it has ended. */
  readonly onRetry?: ((retried: Retried<E, A>) => Effect.Effect<unknown, never, R> | void) | undefined
}

type Left<Exhausted, Timeout> =
  ("wrap" extends Exhausted ? RetryExhausted : never) | ([Timeout] extends [undefined] ? never : DeadlineExceeded)

/**
 * A way to retry, as data: checked options, with the defaults in place and durations in milliseconds. Plain code may read them, and take
 * them over into another policy.
 *
 * **When to use**: to name a way to retry once, and use it in many places. As a service it can be exchanged: `Retry.Service`.
 *
 * **Details**: see {@link retry}.
 *
 * @example
 * import { Retry } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * const patient = Retry.policy({ attempts: 5, base: "10 millis", jitter: "none" })
 * const hasty = Retry.policy({ ...patient, attempts: 2, exhausted: "wrap" })
 *
 * const error = await Effect.runPromise(Effect.flip(hasty.retry(Effect.fail(new Error("no route")))))
 * console.log(patient.cap, error.message) // => 30000 every attempt failed, after 2 attempts
 *
 * @since 0.1.0
 * @category models
 */
export interface Policy<in E = unknown, in A = unknown, out Left = never, out R = never> {
  readonly attempts: number
  readonly base: number
  readonly factor: number
  readonly cap: number
  readonly jitter: Jitter
  readonly while: ((error: E) => boolean) | undefined
  readonly whileResult: ((value: A) => boolean) | undefined
  readonly maxElapsed: number
  readonly perAttemptTimeout: number | undefined
  readonly retryAfter: ((error: E) => Hint) | undefined
  readonly retryAfterResult: ((value: A) => Hint) | undefined
  readonly budget: core.Budget | undefined
  readonly onRetry: ((retried: Retried<E, A>) => Effect.Effect<unknown, never, R> | void) | undefined
  readonly exhausted: core.Exhausted

  /** Runs an effect until it succeeds, or there is no further attempt. See {@link retry}. */
  readonly retry: <A1 extends A, E1 extends E, R1>(
    effect: Effect.Effect<A1, E1, R1>
  ) => Effect.Effect<A1, E1 | Left, R1 | R>
}

class PolicyImpl implements Policy<any, any, any, any> {
  declare readonly attempts: number
  declare readonly base: number
  declare readonly factor: number
  declare readonly cap: number
  declare readonly jitter: Jitter
  declare readonly maxElapsed: number
  declare readonly perAttemptTimeout: number | undefined
  declare readonly budget: core.Budget | undefined
  declare readonly exhausted: core.Exhausted
  readonly while: ((error: any) => boolean) | undefined
  readonly whileResult: ((value: any) => boolean) | undefined
  readonly retryAfter: ((error: any) => Hint) | undefined
  readonly retryAfterResult: ((value: any) => Hint) | undefined
  readonly onRetry: ((retried: any) => Effect.Effect<unknown, never, any> | void) | undefined

  constructor(where: string, options: Options<any, any, any>) {
    const {
      base,
      cap,
      maxElapsed,
      onRetry,
      perAttemptTimeout,
      retryAfter,
      retryAfterResult,
      while: wanted,
      whileResult
    } = options
    const time = (name: string, input: DurationInput | undefined) =>
      input === undefined ? undefined : milliseconds(where, name, input)
    const settings = core.policy(where, {
      ...options,
      base: time("base", base),
      cap: time("cap", cap),
      maxElapsed: time("maxElapsed", maxElapsed),
      perAttemptTimeout: time("perAttemptTimeout", perAttemptTimeout)
    })
    for (const [name, f] of Object.entries({ while: wanted, whileResult, retryAfter, retryAfterResult, onRetry })) {
      if (f !== undefined) callable(where, name, f)
    }
    Object.assign(this, settings)
    this.while = wanted
    this.whileResult = whileResult
    this.retryAfter = retryAfter
    this.retryAfterResult = retryAfterResult
    this.onRetry = onRetry
    // It is no setting: not one of those that are copied.
    Object.defineProperty(this, "retry", {
      value: (effect: AnyEffect) => around(effect, (effect) => run(this, effect))
    })
    Object.freeze(this)
  }

  declare readonly retry: Policy["retry"]
}

const policyOf = (where: string, options: Options<any, any, any> | Policy<any, any, any, any>): PolicyImpl =>
  options instanceof PolicyImpl ? options : new PolicyImpl(where, record(where, options))

/** The policy of options that are checked when they are first used, so that what is wrong with them is a defect of who uses them. */
const lazily = (where: string, options: Options<any, any, any> | Policy<any, any, any, any>): (() => PolicyImpl) => {
  let policy: PolicyImpl | undefined = undefined
  return () => (policy ??= policyOf(where, options))
}

type AnyEffect = Effect.Effect<any, any, any>

/** What is tried again and again: an effect, with its limit, if there is one. */
interface Tried {
  readonly policy: PolicyImpl
  readonly once: AnyEffect
}

/** An attempt that came to nothing. */
interface Ended {
  readonly state: core.State
  readonly last: core.Last<any, any>
  /** Whether it took longer than it may. The policy's functions do not know that error: they are not asked. */
  readonly late: boolean
}

const run = (policy: PolicyImpl, effect: AnyEffect): AnyEffect => {
  if (!Effect.isEffect(effect)) return Effect.die(refusal("Retry.retry", "effect", "an effect", effect))
  const { perAttemptTimeout: limit } = policy
  const once = limit === undefined ? effect : timeout(limit, { name: "attempt" })(Effect.exit(effect))
  const tried: Tried = { policy, once }
  if (!isTimed(policy)) return attempt(tried, once, { state: core.make(0) })
  return withFiber((fiber) => attempt(tried, once, { state: core.make(timekeeperOf(fiber).now()) }))
}

const isTimed = (policy: PolicyImpl): boolean => core.isTimed(policy, policy.onRetry !== undefined)

/**
 * An attempt, and what follows from it. Its state may be known only once it has begun; when it has none by then, there was no further attempt,
 * and what comes is what the caller gets.
 */
const attempt = (tried: Tried, work: AnyEffect, given: { readonly state: core.State | undefined }): AnyEffect => {
  const { budget, perAttemptTimeout, whileResult } = tried.policy
  const isLimited = perAttemptTimeout !== undefined
  const onFailure = (cause: Cause.Cause<any>) => failed(tried, given.state, cause, isLimited)
  // With nobody to be asked about what it gives, success costs nothing.
  if (!isLimited && whileResult === undefined && budget === undefined) return catchCause(work, onFailure)
  return Effect.matchCauseEffect(work, {
    onFailure,
    onSuccess: (value: any) => {
      const { state } = given
      if (!isLimited || state === undefined) return succeeded(tried, state, value)
      // What comes of the effect is told from what comes of its limit.
      const exit = value as Exit.Exit<any, any>
      return exit._tag === "Success" ? succeeded(tried, state, exit.value) : failed(tried, state, exit.cause, false)
    }
  })
}

/** Neither an interruption nor a defect is retried. */
const failed = (
  tried: Tried,
  state: core.State | undefined,
  cause: Cause.Cause<any>,
  isLimited: boolean
): AnyEffect => {
  const result = Effect.failCause(cause)
  if (state === undefined) return result
  const failure = failureOf(cause)
  if (failure._tag === "None") return result
  const error: unknown = failure.value
  return again(tried, { state, last: { error }, late: isLimited && error instanceof DeadlineExceeded }, result)
}

const succeeded = (tried: Tried, state: core.State | undefined, value: unknown): AnyEffect => {
  const { policy } = tried
  const result = Effect.succeed(value)
  if (state === undefined) return result
  const content = contentOf(value)
  if (policy.whileResult?.(content)) {
    // It was looked at, and is not wanted: that is what became of it, and it does not go back to where it was taken.
    opened(value)
    return again(tried, { state, last: { value: content }, late: false }, result)
  }
  core.succeed(policy, state)
  return result
}

/**
 * Another attempt, after a pause; or, if there is none, the result. No region ends after the attempt has: an interruption that is seen where one
 * ends would take away what the attempt has given.
 */
const again = (tried: Tried, ended: Ended, result: AnyEffect): AnyEffect => {
  const { once, policy } = tried
  const next: { state: core.State | undefined } = { state: undefined }
  const ready = (pausing: (pause: AnyEffect) => AnyEffect, begin: Effect.Effect<AnyEffect>) =>
    decide(policy, ended, (decision, time) => {
      next.state = decision.next
      if (next.state !== undefined)
        return Effect.zipRight(pausing(Effect.suspend(() => told(policy, ended, decision, time))), begin)
      return Effect.succeed(
        core.wraps(policy, decision) ? Effect.fail(core.exhausted(ended.state, decision, ended.last)) : result
      )
    })
  const work = policy.budget === undefined ? ready(identity, Effect.succeed(once)) : paid(policy, once, ready)
  return attempt(tried, Effect.flatten(work), next)
}

/** A retry with a token of the budget, which comes back if the attempt does not begin: an interruption finds it in nobody else's hands. */
const paid = (
  policy: PolicyImpl,
  once: AnyEffect,
  ready: (
    pausing: (pause: AnyEffect) => AnyEffect,
    begin: Effect.Effect<AnyEffect>
  ) => Effect.Effect<AnyEffect, any, any>
): Effect.Effect<AnyEffect, any, any> => {
  const giveBack = () => {
    core.abandon(policy)
    return undefined
  }
  const begin = Effect.map(untilForgotten(giveBack), (forget) =>
    Effect.suspend(() => {
      forget()
      return once
    })
  )
  return Effect.uninterruptibleMask((restore) =>
    ready(
      (pause) =>
        catchCause(restore(pause), (cause) => {
          giveBack()
          return Effect.failCause(cause)
        }),
      begin
    )
  )
}

/** Whether there is another attempt. All that the policy is asked is asked before the budget hears of it. */
const decide = <A, E, R>(
  policy: PolicyImpl,
  { last, late, state }: Ended,
  then: (decision: core.Decision, time: Time) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.flatMap(core.isRandom(policy) ? Random.next : noChance, (random) =>
    withFiber((fiber) => {
      const wanted = late || "value" in last || (policy.while?.(last.error) ?? true)
      const asked = late || !wanted ? undefined : hintOf(policy, last)
      const seconds = Duration.isDuration(asked) ? Duration.toSeconds(asked) : asked
      const hint = core.hint(seconds, () => readClock(clockOf(fiber)))
      const time = timekeeperOf(fiber)
      const now = isTimed(policy) ? time.now() : state.startedAt
      return then(core.decide(policy, state, { now, wanted, hint, random }), time)
    })
  )

const noChance = Effect.succeed(0)

const hintOf = (policy: PolicyImpl, last: core.Last<any, any>): Hint =>
  "error" in last ? policy.retryAfter?.(last.error) : policy.retryAfterResult?.(last.value)

/** The pause, from the decision on: whoever is told must not make it longer than was decided. */
const told = (policy: PolicyImpl, { last, state }: Ended, decision: core.Decision, time: Time): AnyEffect => {
  const { delay } = decision
  if (policy.onRetry === undefined) return pause(time, delay)
  const at = time.now() + delay
  return Effect.flatMap(tell(policy, state, last, decision), () => pause(time, Math.max(0, at - time.now())))
}

const tell = (
  policy: PolicyImpl,
  state: core.State,
  last: core.Last<any, any>,
  decision: core.Decision
): Effect.Effect<unknown, never, any> => policy.onRetry?.(core.retried(state, decision, last)) ?? Effect.void

/**
 * A way to retry as a value, checked now: it throws when the options make no sense.
 *
 * @since 0.1.0
 * @category constructors
 */
export const policy: {
  <
    E = unknown,
    A = unknown,
    R = never,
    Exhausted extends core.Exhausted = "last",
    Timeout extends DurationInput | undefined = undefined
  >(
    options?: Options<E, A, R, Exhausted, Timeout>
  ): Policy<E, A, Left<Exhausted, Timeout>, R>
} = (options: Options<any, any, any> = {}): any => policyOf("Retry.policy", options)

/**
 * Runs an effect until it succeeds, or there is no further attempt.
 *
 * **When to use**: for work that may fail for a moment, and may be done twice: a request to a server, a lock in a database. Not for what
 * will fail again: name that with `while`. To end the whole after some time put a `Timeout` around it.
 *
 * **Details**: by default three attempts, with a pause of up to 100 ms before the second and of up to 200 ms before the third. The last
 * error arrives as it is; with `exhausted: "wrap"`, as the `cause` of `RetryExhausted`. Neither a defect nor an interruption is retried.
 * There is no pause after the last attempt; one of zero lets others run. An attempt has ended, with its cleanup, before the next begins.
 * A function of the policy that throws is a defect. Chance is Effect's `Random`, time its `Clock`. asyncio has nothing of the kind.
 *
 * **Interruption**: in an attempt, after the attempt's own cleanup; in a pause, at once. There is no further attempt. What an attempt is to take,
 * and nothing else, such as an item of a queue, reaches the next step of the caller or goes back.
 *
 * **Fairness**: after an outage those who retry come back one by one, as the jitter has it, and not in order. With `"none"` they come all
 * at once.
 *
 * @example
 * import { Retry } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * let requests = 0
 * const fetch = Effect.suspend(() => (++requests < 3 ? Effect.fail({ status: 503 }) : Effect.succeed("a user")))
 *
 * const program = fetch.pipe(Retry.retry({ attempts: 5, base: "5 millis", while: (error: { status: number }) => error.status >= 500 }))
 *
 * console.log(await Effect.runPromise(program), requests) // => a user 3
 *
 * @see Retry.Service for a policy that can be exchanged
 * @see Retry.schedule to combine it with Effect's own schedules
 * @since 0.1.0
 * @category combinators
 */
export const retry: {
  <A, E, R, Left, R1>(
    effect: Effect.Effect<A, E, R>,
    policy: Policy<E, A, Left, R1>
  ): Effect.Effect<A, E | Left, R | R1>
  <
    A,
    E,
    R,
    R1 = never,
    Exhausted extends core.Exhausted = "last",
    Timeout extends DurationInput | undefined = undefined
  >(
    effect: Effect.Effect<A, E, R>,
    options: Options<E, A, R1, Exhausted, Timeout>
  ): Effect.Effect<A, E | Left<Exhausted, Timeout>, R | R1>
  <E, A, Left, R1>(
    policy: Policy<E, A, Left, R1>
  ): <A1 extends A, E1 extends E, R>(effect: Effect.Effect<A1, E1, R>) => Effect.Effect<A1, E1 | Left, R | R1>
  <
    E = unknown,
    A = unknown,
    R1 = never,
    Exhausted extends core.Exhausted = "last",
    Timeout extends DurationInput | undefined = undefined
  >(
    options: Options<E, A, R1, Exhausted, Timeout>
  ): <A1 extends A, E1 extends E, R>(
    effect: Effect.Effect<A1, E1, R>
  ) => Effect.Effect<A1, E1 | Left<Exhausted, Timeout>, R | R1>
} = (...args: ReadonlyArray<any>): any => {
  const where = "Retry.retry"
  const policy = lazily(where, args[args.length - 1])
  const wrapper = (effect: AnyEffect) => around(effect, (effect) => Effect.suspend(() => run(policy(), effect)))
  return args.length > 1 ? wrapper(args[0]) : wrapper
}

/** A step of a schedule. None of the delay: it ends. */
interface Step {
  readonly state: core.State | undefined
  readonly out: Duration.Duration
  readonly delay: number | undefined
}

/**
 * A policy as an Effect `Schedule`, which gives the length of each pause.
 *
 * **When to use**: with `Effect.retry` and whatever else takes a schedule, or to combine a policy with other schedules.
 *
 * **Details**: it gets the errors. What it cannot know it leaves out: `perAttemptTimeout`, `exhausted`, and what is about values;
 * `maxElapsed` counts from the first failure, only what has failed at least once counts as a request to the budget, and a token is taken
 * whether or not another attempt follows.
 *
 * @example
 * import { Retry } from "effect-concurrency"
 * import { Effect, Schedule } from "effect"
 *
 * const schedule = Retry.schedule({ attempts: 3, base: "5 millis", jitter: "none" })
 * let attempts = 0
 * const failing = Effect.suspend(() => Effect.fail(++attempts))
 *
 * console.log(await Effect.runPromise(Effect.flip(Effect.retry(failing, schedule)))) // => 3
 * console.log(await Effect.runPromise(Effect.flip(Effect.retry(failing, Schedule.intersect(schedule, Schedule.recurs(1)))))) // => 5
 *
 * @since 0.1.0
 * @category conversions
 */
export const schedule = <E = unknown, A = unknown, R = never>(
  options: Options<E, A, R>
): Schedule.Schedule<Duration.Duration, E, R> => {
  const policy = policyOf("Retry.schedule", options)
  return scheduleFrom<core.State | undefined, E, Duration.Duration, R>(undefined, (error, begun) =>
    withFiber((fiber) => {
      const state = begun ?? core.make(timekeeperOf(fiber).now())
      const last = { error }
      return decide(policy, { state, last, late: false }, (decision) => {
        const { delay, next } = decision
        const made: Step = { state: next ?? state, out: Duration.millis(delay), delay: next && delay }
        return next === undefined ? Effect.succeed(made) : Effect.as(tell(policy, state, last, decision), made)
      })
    })
  )
}

/**
 * How many retries callers may make together.
 *
 * @since 0.1.0
 * @category models
 */
export interface BudgetOptions extends budgets.Options {}

/**
 * A frozen snapshot.
 *
 * @since 0.1.0
 * @category models
 */
export interface BudgetStats extends budgets.Stats {}

/**
 * A budget of retries that callers share.
 *
 * **When to use**: for all that call one server: when it is down, each request becomes three or five without one, and it does not come
 * back up.
 *
 * **Details**: each request (a first attempt, once it has succeeded or failed) puts `ratio` tokens in, up to `burst`, which it holds in the
 * beginning; each retry takes one out, and puts it back if it is interrupted before it begins. So there are never more retries than
 * `burst`, and `ratio` for each request. When it is empty, an error arrives as after the last attempt. It knows no time. A function of the
 * policy that throws changes nothing. Plain code can share one: `RetryBudget.from`.
 *
 * @example
 * import { Retry } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * const budget = Retry.makeBudgetUnsafe({ ratio: 0.1, burst: 2 })
 * const policy = Retry.policy({ attempts: 5, base: 0, budget })
 * let attempts = 0
 * const outage = Effect.suspend(() => Effect.fail(++attempts))
 *
 * await Effect.runPromise(Effect.forEach([1, 2, 3, 4, 5], () => Effect.ignore(policy.retry(outage))))
 * const { refused, retries } = await Effect.runPromise(budget.stats)
 * console.log(attempts, retries, refused) // => 7 2 5
 *
 * @since 0.1.0
 * @category models
 */
export interface Budget {
  readonly [budgets.TypeId]: budgets.State

  /** A frozen snapshot. */
  readonly stats: Effect.Effect<BudgetStats>
}

/**
 * Makes a budget, without an effect around it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeBudgetUnsafe = (options: BudgetOptions = {}): Budget => {
  const state = budgets.make("Retry.makeBudget", options)
  return { [budgets.TypeId]: state, stats: Effect.sync(() => budgets.stats(state)) }
}

/**
 * Makes a budget.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeBudget = (options: BudgetOptions = {}): Effect.Effect<Budget> =>
  Effect.sync(() => makeBudgetUnsafe(options))

/**
 * A service class: a tag, its layer, and `retry` with whichever policy is provided.
 *
 * @since 0.1.0
 * @category services
 */
export interface ServiceClass<
  Self,
  Id extends string,
  E = unknown,
  A = unknown,
  Left = never,
  LayerE = never,
  LayerR = never
> extends service.ServiceClass<Self, Id, Policy<E, A, Left>, LayerE, LayerR> {
  readonly retry: <A1 extends A, E1 extends E, R>(
    effect: Effect.Effect<A1, E1, R>
  ) => Effect.Effect<A1, E1 | Left, R | Self>
}

/**
 * A policy as a service.
 *
 * **Details**: what `onRetry` needs is taken from where the layer is built. The options may also be an effect that finds them out then,
 * such as a `Config`, or one that makes a budget.
 *
 * @example
 * import { Retry } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * class ApiRetry extends Retry.Service<ApiRetry>()("app/ApiRetry", { attempts: 2, base: 0, exhausted: "wrap" }) {}
 *
 * const program = Effect.fail("no route").pipe(
 *   ApiRetry.retry,
 *   Effect.catchTag("RetryExhausted", ({ attempts, cause }) => Effect.succeed(`${attempts} times: ${cause}`))
 * )
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(ApiRetry.layer)))) // => 2 times: no route
 *
 * @since 0.1.0
 * @category services
 */
export const Service = <Self>(): {
  <const Id extends string, E, A, Left, R, LayerE = never, LayerR = never>(
    id: Id,
    policy: service.Options<Policy<E, A, Left, R>, LayerE, LayerR>
  ): ServiceClass<Self, Id, E, A, Left, LayerE, R | LayerR>
  <
    const Id extends string,
    E = unknown,
    A = unknown,
    R = never,
    Exhausted extends core.Exhausted = "last",
    Timeout extends DurationInput | undefined = undefined,
    LayerE = never,
    LayerR = never
  >(
    id: Id,
    options: service.Options<Options<E, A, R, Exhausted, Timeout>, LayerE, LayerR>
  ): ServiceClass<Self, Id, E, A, Left<Exhausted, Timeout>, LayerE, R | LayerR>
} => {
  return (id: string, options: service.Options<any, any, any>): any =>
    service.make(id, Effect.flatMap(service.options(options), provided), { wrapper: ["retry"] })
}

/** The policy with what its `onRetry` needs. */
const provided = <R>(options: Options<any, any, R>): Effect.Effect<PolicyImpl, never, R> =>
  Effect.map(Effect.context<R>(), (context) => {
    const { onRetry } = record("Retry.Service", options)
    const provide = onRetry && ((event: Retried<any, any>) => Effect.provide(onRetry(event) ?? Effect.void, context))
    return policyOf("Retry.Service", { ...options, onRetry: provide })
  })
