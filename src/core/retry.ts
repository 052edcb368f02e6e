/**
 * Retrying: after each attempt that came to nothing, whether there is another, and after what pause.
 *
 * State: which attempt runs, when the first began, and the last pause that was our own choice. It is never changed: the decision after an
 * attempt holds the state of the next one, so a schedule can be stepped twice from one state. Only the budget, which callers share,
 * changes: once the first attempt has come to something, and all that the policy asks about it has been answered. An answer that throws
 * leaves it as it was.
 *
 * Invariants:
 *
 * - I1 Attempts are counted from 1, and there are never more than the policy says.
 * - I2 No pause ends later than `maxElapsed` after the first attempt began: then there is no further attempt, and no pause.
 * - I3 A pause is that of the backoff, at most the cap; or what the server asked for, whatever the cap. It is finite, and not negative.
 * - I4 A token of the budget is taken for a retry that is made, and for no other. One whose caller is gone before it begins is given back.
 * - I5 What is not wanted again is not tried again, and costs nothing.
 *
 * Transitions: `make`, `succeed`, `decide`, `abandon`.
 *
 * @internal
 */
import { expect, integerOrInfinity, number, oneOf, record, refusal } from "./arguments.js"
import * as backoff from "./backoff.js"
import * as budget from "./budget.js"

/** What the caller gets when there is no further attempt: what the last one gave, or an error around it. */
export type Exhausted = "last" | "wrap"

/**
 * Why there was no further attempt: there were as many as may be; the pause would have been too long; or the budget was empty.
 * `"refused"`: the policy does not retry what came.
 */
export type Reason = "attempts" | "maxElapsed" | "budget" | "refused"

/**
 * What both skins can be told. `Time` is what a duration may be, and `Hint` how a server may say when to come back.
 */
export interface Settings<out Time, in E, in A, out Hint, out Wraps extends Exhausted = Exhausted> {
  /** How many attempts there are, the first included: an integer of 1 or more, or Infinity. Default 3. */
  readonly attempts?: number | undefined
  /** The pause before the first retry. Default 100 milliseconds. */
  readonly base?: Time | undefined
  /** What each pause is multiplied with for the next: 1, for pauses that do not grow, or more. Default 2; 3 for `"decorrelated"`. */
  readonly factor?: number | undefined
  /** No pause is longer, whatever the jitter. At least the base. Default 30 seconds, or the base if that is more. */
  readonly cap?: Time | undefined
  /**
   * How pauses are spread: `"none"`; `"full"`, the default, from 0 to the pause; `"equal"`, from half of it to all of it; `"decorrelated"`,
   * from the base to `factor` times the pause before.
   */
  readonly jitter?: backoff.Jitter | undefined
  /** Whether a value calls for another attempt. Default: none does. */
  readonly whileResult?: ((value: A) => boolean) | undefined
  /**
   * No pause ends later than that after the first attempt began: instead, there is no further attempt. It does not cut an attempt short:
   * a timeout for the whole does that. Default: as long as it takes.
   */
  readonly maxElapsed?: Time | undefined
  /**
   * When the server says to come back, from its error. That is the pause then, without jitter, whatever the cap; if it would end after
   * `maxElapsed`, there is no further attempt. What is past means at once. Not asked about an attempt that took too long.
   */
  readonly retryAfter?: ((error: E) => Hint) | undefined
  /** The same, from a value that calls for another attempt. */
  readonly retryAfterResult?: ((value: A) => Hint) | undefined
  /** Where retries come from that callers share. When it is empty there is no further attempt. Default: there is no such limit. */
  readonly budget?: Budget | undefined
  /**
   * What the caller gets when there is no further attempt: `"last"`, the default, is the error (or the value) of the last one; `"wrap"` is
   * `RetryExhausted` around it. What `while` refuses arrives as it is.
   */
  readonly exhausted?: Wraps | undefined
}

/** The plain part of a policy. Durations are milliseconds here. */
export interface Options extends backoff.Options {
  readonly attempts?: number | undefined
  readonly maxElapsed?: number | undefined
  readonly perAttemptTimeout?: number | undefined
  readonly exhausted?: Exhausted | undefined
  readonly budget?: Budget | undefined
}

/** What either side has as a budget. */
export interface Budget {
  readonly [budget.TypeId]: budget.State
}

export interface Policy extends backoff.Backoff {
  readonly attempts: number
  readonly maxElapsed: number
  readonly perAttemptTimeout: number | undefined
  readonly exhausted: Exhausted
  readonly budget: Budget | undefined
}

/** Checks what was given, and adds the defaults. (What is not given is not checked: some make a policy for each call.) */
export const policy = (where: string, options: Options): Policy => {
  const { attempts, exhausted, maxElapsed, perAttemptTimeout: limit } = record(where, options)
  if (attempts !== undefined) integerOrInfinity(where, "attempts", attempts, 1)
  if (maxElapsed !== undefined) number(where, "maxElapsed", maxElapsed, 0)
  if (exhausted !== undefined) oneOf(where, "exhausted", exhausted, ["last", "wrap"])
  if (limit !== undefined) {
    const takesTime = typeof limit === "number" && limit > 0
    expect(takesTime, where, "perAttemptTimeout", "more than 0 milliseconds", limit, "number")
  }
  if (options.budget !== undefined) {
    expect(options.budget?.[budget.TypeId] !== undefined, where, "budget", "a budget", options.budget)
  }
  const { base, cap, factor, jitter } = backoff.make(where, options)
  return {
    attempts: attempts ?? 3,
    base,
    factor,
    cap,
    jitter,
    maxElapsed: maxElapsed ?? Infinity,
    // Infinity is none.
    perAttemptTimeout: limit === Infinity ? undefined : limit,
    exhausted: exhausted ?? "last",
    budget: options.budget
  }
}

/** Whether chance has a say in the pauses. If not, nobody has to throw the dice. */
export const isRandom = ({ base, jitter }: Policy): boolean => jitter !== "none" && base > 0

/** Whether it matters what time it is: for the policy, or for somebody who is told. If not, the time may always be 0. */
export const isTimed = ({ exhausted, maxElapsed }: Policy, isTold: boolean): boolean =>
  isTold || maxElapsed < Infinity || exhausted === "wrap"

export interface State {
  /** Which attempt runs. */
  readonly attempt: number
  /** When the first began. */
  readonly startedAt: number
  /** The last pause that the backoff chose. */
  readonly previous: number | undefined
}

/** The first attempt begins. */
export const make = (now: number): State => ({ attempt: 1, startedAt: now, previous: undefined })

/** The first attempt has come to something, whatever it is: that was a request. */
const count = ({ budget: shared }: Policy, { attempt }: State): void => {
  if (shared !== undefined && attempt === 1) budget.request(shared[budget.TypeId])
}

/** An attempt gave what was wanted. */
export const succeed = count

/** What is known of an attempt that came to nothing. */
export interface Facts {
  readonly now: number
  /** Whether the policy wants another. */
  readonly wanted: boolean
  /** How many milliseconds the server asks for, if it does. */
  readonly hint: number | undefined
  /** From 0 to 1. */
  readonly random: number
}

/** What is done next. */
export interface Decision {
  /** The state of the next attempt; none, if there is none. */
  readonly next: State | undefined
  /** Why there is none. */
  readonly reason: Reason | undefined
  /** How many milliseconds to pause before it. */
  readonly delay: number
  /** Since the first began. */
  readonly elapsed: number
}

/** An attempt came to nothing. The budget is asked last: what it gives is used, or given back. */
export const decide = (policy: Policy, state: State, { hint, now, random, wanted }: Facts): Decision => {
  count(policy, state)
  const elapsed = now - state.startedAt
  const stop = (reason: Reason): Decision => ({ next: undefined, reason, delay: 0, elapsed })
  if (!wanted) return stop("refused")
  if (state.attempt >= policy.attempts) return stop("attempts")
  const delay = hint ?? backoff.pause(policy, state.attempt, state.previous, random)
  if (delay === Infinity || elapsed + delay > policy.maxElapsed) return stop("maxElapsed")
  if (policy.budget !== undefined && !budget.take(policy.budget[budget.TypeId])) return stop("budget")
  const previous = hint === undefined ? delay : state.previous
  return {
    next: { attempt: state.attempt + 1, startedAt: state.startedAt, previous },
    reason: undefined,
    delay,
    elapsed
  }
}

/** The retry that was decided does not begin: its caller is gone, or was told of it and threw. */
export const abandon = ({ budget: shared }: Policy): void => {
  if (shared !== undefined) budget.giveBack(shared[budget.TypeId])
}

/** Something that is a point in time: a `Date`. */
export interface Instant {
  getTime(): number
}

/**
 * What a server asks for, in milliseconds from now: seconds, or an instant on the wall clock. What has passed is 0; what is no number is
 * nothing, since it comes from outside.
 */
export const hint = (asked: unknown, wallClock: () => number): number | undefined => {
  if (asked === undefined || asked === null) return undefined
  const milliseconds =
    typeof asked === "number" ? asked * 1000 : isInstant(asked) ? asked.getTime() - wallClock() : asked
  if (typeof milliseconds !== "number")
    throw refusal("retryAfter", "it", "seconds, a Date or a Duration, if anything", asked)
  return Number.isNaN(milliseconds) ? undefined : Math.max(0, milliseconds)
}

const isInstant = (value: any): value is Instant => typeof value?.getTime === "function"

/** Whether a caller is to get an error around the last result. What was refused is not exhausted. */
export const wraps = ({ exhausted }: Policy, { reason }: Decision): boolean =>
  exhausted === "wrap" && reason !== "refused"

/**
 * There is no further attempt, and the policy says to tell so. The last error is its `cause`.
 *
 * @since 0.1.0
 * @category errors
 */
export class RetryExhausted extends Error {
  readonly _tag = "RetryExhausted"
  override readonly name = "RetryExhausted"
  /** The last error; or undefined, when the last attempt gave a value that was not wanted. */
  declare readonly cause: unknown

  constructor(
    /** How many attempts there were. */
    readonly attempts: number,
    /** Milliseconds from the beginning of the first to the end of the last. */
    readonly elapsed: number,
    /** Why there was no other. */
    readonly reason: Exclude<Reason, "refused">,
    /** What the last attempt gave, if it gave a value that was not wanted. */
    readonly value: unknown,
    options?: { readonly cause: unknown }
  ) {
    super(`${whys[reason]}, after ${attempts} ${attempts === 1 ? "attempt" : "attempts"}`, options)
  }
}

const whys = {
  attempts: "every attempt failed",
  maxElapsed: "there is no time for another attempt",
  budget: "the budget for retries is empty"
}

/** What the last attempt gave. */
export type Last<E = unknown, A = unknown> = { readonly error: E } | { readonly value: A }

/** The error around the last result. */
export const exhausted = ({ attempt }: State, { elapsed, reason }: Decision, last: Last): RetryExhausted =>
  "error" in last
    ? new RetryExhausted(attempt, elapsed, reason as "attempts", undefined, { cause: last.error })
    : new RetryExhausted(attempt, elapsed, reason as "attempts", last.value)

/** What is told of a retry, before the pause. */
export interface Retried<out E = unknown, out A = unknown> {
  /** Which attempt came to nothing, from 1. */
  readonly attempt: number
  /** Milliseconds until the next. */
  readonly delay: number
  /** Milliseconds from the beginning of the first attempt until now. */
  readonly elapsed: number
  /** What it failed with; undefined, if it gave a value that is not wanted. */
  readonly error: E | undefined
  /** The value that is not wanted, if it gave one. */
  readonly value: A | undefined
}

export const retried = <E, A>({ attempt }: State, { delay, elapsed }: Decision, last: Last<E, A>): Retried<E, A> =>
  "error" in last
    ? { attempt, delay, elapsed, error: last.error, value: undefined }
    : { attempt, delay, elapsed, error: undefined, value: last.value }

/** Throws when an invariant does not hold between a state and what was decided. For tests. */
export const check = (policy: Policy, state: State, { hint, now, wanted }: Facts, decision: Decision): void => {
  const { delay, elapsed, next, reason } = decision
  if (next === undefined) {
    if (reason === undefined) throw new Error("I5: it ends for no reason")
    if (!wanted && reason !== "refused") throw new Error(`I5: refused, and the reason is ${reason}`)
    return
  }
  if (!wanted) throw new Error("I5: another attempt that is not wanted")
  if (next.attempt !== state.attempt + 1 || next.attempt > policy.attempts)
    throw new Error(`I1: attempt ${next.attempt}`)
  if (now + delay - state.startedAt > policy.maxElapsed) throw new Error(`I2: ${delay} ms after ${elapsed}`)
  if (!(delay >= 0 && delay < Infinity)) throw new Error(`I3: a pause of ${delay}`)
  if (hint !== undefined ? delay !== hint : delay > policy.cap)
    throw new Error(`I3: a pause of ${delay}, asked for ${hint}`)
}
