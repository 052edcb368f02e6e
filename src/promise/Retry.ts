/**
 * Retry for `async` functions: another attempt after a pause that grows, and not all at once.
 *
 * As the Effect module's `Retry`; asyncio has none.
 *
 * @since 0.1.0
 */
import { callable, record } from "../core/arguments.js"
import { checkRandom, type Jitter } from "../core/backoff.js"
import * as budgets from "../core/budget.js"
import * as core from "../core/retry.js"
import { Timer } from "../core/timers.js"
import type * as Effects from "../Retry.js"
import { now, turn, wall } from "./clock.js"
import { overhear, Overhear, type Overheard } from "./overhear.js"
import { checkWait, limit, type WaitOptions, watch } from "./park.js"
import { roll } from "./random.js"
import type { Reporter } from "./report.js"
import { ownTimers } from "./timer.js"
import { DeadlineExceeded, timeout, type TimeoutContext } from "./Timeout.js"
import { view } from "./view.js"

export { RetryExhausted } from "../core/retry.js"

/**
 * What is told of a retry, before the pause. An attempt that took longer than the policy allows has failed with `DeadlineExceeded`.
 *
 * @since 0.1.0
 */
export interface Retried<out A = unknown> extends core.Retried<unknown, A> {}

/**
 * When to come back, as a server says it: so many seconds, or an instant. None: it does not say.
 *
 * @since 0.1.0
 */
export type RetryHint = number | Date | undefined | null

/**
 * How to retry. Durations are milliseconds.
 *
 * @since 0.1.0
 */
export interface RetryOptions<in A = any> extends core.Settings<number, any, A, RetryHint> {
  /**
   * Whether an error is worth another attempt. Default: every one. Not asked about an attempt that took too long, which is, nor about an
   * `AbortError`, which is not.
   */
  readonly while?: ((error: any) => boolean) | undefined
  /** How long an attempt may take. One that takes longer fails with `DeadlineExceeded`, and is retried. Default: as long as it takes. */
  readonly perAttemptTimeout?: number | undefined
  /** Is told before each pause, which begins when it has ended. */
  readonly onRetry?: ((retried: Retried<A>) => unknown) | undefined
  /** The dice: numbers from 0 to 1. Default: `Math.random`. */
  readonly random?: (() => number) | undefined
}

/**
 * How a function is retried. A signal or a timeout ends all of it.
 *
 * @since 0.1.0
 */
export interface RetryRunOptions extends WaitOptions {
  /**
   * How many milliseconds to wait for the end of an attempt that was told to stop. After that it is left behind, which is reported.
   * Default: as long as it takes.
   */
  readonly grace?: number | undefined
  /** Is told of an attempt that is left behind, and of one that fails later. Default: the console. */
  readonly onError?: Reporter | undefined
}

/**
 * What an attempt is told.
 *
 * @since 0.1.0
 */
export interface RetryContext {
  /** Aborts when the attempt has taken too long, or its caller has aborted. */
  readonly signal: AbortSignal
  /** Which attempt it is, from 1. */
  readonly attempt: number
}

/**
 * A way to retry, as data: checked options, with the defaults in place. They may be read, and taken over into another policy.
 *
 * @since 0.1.0
 */
export interface RetryPolicy<in A = any> {
  readonly attempts: number
  readonly base: number
  readonly factor: number
  readonly cap: number
  readonly jitter: Jitter
  readonly while: ((error: any) => boolean) | undefined
  readonly whileResult: ((value: A) => boolean) | undefined
  readonly maxElapsed: number
  readonly perAttemptTimeout: number | undefined
  readonly retryAfter: ((error: any) => RetryHint) | undefined
  readonly retryAfterResult: ((value: A) => RetryHint) | undefined
  readonly budget: core.Budget | undefined
  readonly onRetry: ((retried: Retried<A>) => unknown) | undefined
  readonly exhausted: core.Exhausted
  readonly random: (() => number) | undefined

  /** Calls a function until it succeeds, or there is no further attempt. See {@link retry}. */
  run<B extends A>(f: (context: RetryContext) => B | PromiseLike<B>, options?: RetryRunOptions): Promise<B>
}

/** What an attempt is told. A signal that nobody asks for is not made. */
class Context implements RetryContext, Overheard {
  private made: AbortSignal | undefined = undefined

  constructor(
    readonly attempt: number,
    private readonly limit: TimeoutContext | undefined
  ) {}

  get signal(): AbortSignal {
    return this.limit === undefined ? (this.made ??= new AbortController().signal) : this.limit.signal
  }

  [Overhear](): AbortSignal | undefined {
    return overhear(this.limit)
  }
}

type Attempt = (context: RetryContext) => any

class Policy implements RetryPolicy {
  readonly attempts: number
  readonly base: number
  readonly factor: number
  readonly cap: number
  readonly jitter: Jitter
  readonly while: RetryPolicy["while"]
  readonly whileResult: RetryPolicy["whileResult"]
  readonly maxElapsed: number
  readonly perAttemptTimeout: number | undefined
  readonly retryAfter: RetryPolicy["retryAfter"]
  readonly retryAfterResult: RetryPolicy["retryAfterResult"]
  readonly budget: core.Budget | undefined
  readonly onRetry: RetryPolicy["onRetry"]
  readonly exhausted: core.Exhausted
  readonly random: RetryPolicy["random"]

  constructor(where: string, options: RetryOptions) {
    const settings = core.policy(where, options)
    this.attempts = settings.attempts
    this.base = settings.base
    this.factor = settings.factor
    this.cap = settings.cap
    this.jitter = settings.jitter
    this.while = callableIfAny(where, "while", options.while)
    this.whileResult = callableIfAny(where, "whileResult", options.whileResult)
    this.maxElapsed = settings.maxElapsed
    this.perAttemptTimeout = settings.perAttemptTimeout
    this.retryAfter = callableIfAny(where, "retryAfter", options.retryAfter)
    this.retryAfterResult = callableIfAny(where, "retryAfterResult", options.retryAfterResult)
    this.budget = settings.budget
    this.onRetry = callableIfAny(where, "onRetry", options.onRetry)
    this.exhausted = settings.exhausted
    this.random = callableIfAny(where, "random", options.random)
  }

  run<A>(f: (context: RetryContext) => A | PromiseLike<A>, options?: RetryRunOptions): Promise<A> {
    return run("RetryPolicy.run", this, f, options)
  }
}

const callableIfAny = <F>(where: string, name: string, f: F): F => (f === undefined ? f : callable(where, name, f))

const policyOf = (where: string, options: RetryOptions | RetryPolicy): Policy =>
  options instanceof Policy ? options : new Policy(where, record(where, options))

const run = (
  where: string,
  settings: RetryOptions | RetryPolicy,
  f: Attempt,
  options: RetryRunOptions | undefined
): Promise<any> => {
  let policy: Policy
  try {
    policy = policyOf(where, settings)
    callable(where, "argument", f)
    if (options !== undefined) checkWait(where, options)
  } catch (error) {
    return Promise.reject(error)
  }
  if (options?.timeout !== undefined) return within(where, policy, f, options)
  const startedAt = timeOf(policy)
  if (
    policy.whileResult !== undefined ||
    policy.budget !== undefined ||
    policy.perAttemptTimeout !== undefined ||
    options?.signal !== undefined
  )
    return attempts(policy, f, options, startedAt)
  // With nobody to be asked about what it gives, and nobody who may stop it, the first attempt is a call, and a handler of its failure.
  try {
    return Promise.resolve(f(new Context(1, undefined))).then(undefined, (error: unknown) =>
      attempts(policy, f, options, startedAt, { error })
    )
  } catch (error) {
    return attempts(policy, f, options, startedAt, { error })
  }
}

/** To read the clock may take as long as all else: it is for those who want to know. */
const timeOf = (policy: Policy): number => (core.isTimed(policy, policy.onRetry !== undefined) ? now() : 0)

/** One attempt after the other. Perhaps the first is over, and has come to something. */
const attempts = async (
  policy: Policy,
  f: Attempt,
  options: RetryRunOptions | undefined,
  startedAt: number,
  first?: core.Last<any, any>
): Promise<any> => {
  const signal = options?.signal
  const isLimited = signal !== undefined || policy.perAttemptTimeout !== undefined
  let last = first
  for (let state = core.make(startedAt); ; last = undefined) {
    let late = false
    if (last === undefined) {
      try {
        const { attempt } = state
        last = {
          value: await (isLimited ? limited(policy, f, attempt, options) : f(new Context(attempt, undefined)))
        }
      } catch (error) {
        signal?.throwIfAborted()
        late = error instanceof Late
        last = { error: late ? (error as Late).error : error }
      }
    }
    if ("value" in last && policy.whileResult?.(last.value) !== true) {
      core.succeed(policy, state)
      return last.value
    }
    const decision = decide(policy, state, last, late)
    if (decision.next === undefined) {
      if (core.wraps(policy, decision)) throw core.exhausted(state, decision, last)
      if ("error" in last) throw last.error
      return last.value
    }
    try {
      // Those who were asked may have aborted it: a pause hears of what comes, not of what was.
      signal?.throwIfAborted()
      await told(policy, state, last, decision, signal)
      signal?.throwIfAborted()
    } catch (error) {
      core.abandon(policy)
      throw error
    }
    // In the same tick the attempt begins: what the budget gave is not given back any more.
    state = decision.next
  }
}

/** The pause, from the decision on: whoever is told must not make it longer than was decided. */
const told = async (
  policy: Policy,
  state: core.State,
  last: core.Last<any, any>,
  decision: core.Decision,
  signal: AbortSignal | undefined
): Promise<void> => {
  const { delay } = decision
  if (policy.onRetry === undefined) return pause(delay, signal)
  const at = now() + delay
  const answer: any = policy.onRetry(core.retried(state, decision, last))
  if (typeof answer?.then === "function") await answer
  signal?.throwIfAborted()
  await pause(delay === 0 ? 0 : at - now(), signal)
}

/** The same with a limit for all of it. */
const within = async (where: string, policy: Policy, f: Attempt, given: RetryRunOptions): Promise<any> => {
  const { end, options } = limit(where, given)
  try {
    return await run(where, policy, f, { ...given, signal: options!.signal, timeout: undefined })
  } finally {
    end()
  }
}

/** An attempt that took longer than it may. The policy's functions do not know that error: they are not asked. */
class Late {
  constructor(readonly error: DeadlineExceeded) {}
}

/** An attempt that can be told to stop. */
const limited = async (
  { perAttemptTimeout = Infinity }: Policy,
  f: Attempt,
  attempt: number,
  { grace, onError, signal }: RetryRunOptions = {}
): Promise<any> => {
  // A deadline of its own that the function rejects with is told from the limit of the attempt.
  let own = false
  const call = async (limit: TimeoutContext) => {
    try {
      return await f(new Context(attempt, limit))
    } catch (error) {
      own = !limit.deadline.expired
      throw error
    }
  }
  try {
    return await timeout(call, perAttemptTimeout, { name: "attempt", signal, grace, onError })
  } catch (error) {
    throw !own && error instanceof DeadlineExceeded ? new Late(error) : error
  }
}

/** Whether there is another attempt. All that the policy is asked is asked before the budget hears of it. */
const decide = (policy: Policy, state: core.State, last: core.Last<any, any>, late: boolean): core.Decision => {
  const wanted = late || "value" in last || (!isAbort(last.error) && (policy.while?.(last.error) ?? true))
  const hint = core.hint(late || !wanted ? undefined : hintOf(policy, last), wall)
  const random = core.isRandom(policy) ? checkRandom("retry", (policy.random ?? roll)()) : 0
  return core.decide(policy, state, { now: timeOf(policy), wanted, hint, random })
}

const hintOf = (policy: Policy, last: core.Last<any, any>): RetryHint =>
  "error" in last ? policy.retryAfter?.(last.error) : policy.retryAfterResult?.(last.value)

/** Somebody wanted it to stop. */
const isAbort = (error: any): boolean => error?.name === "AbortError"

class Alarm extends Timer {
  constructor(private readonly ring: () => void) {
    super()
  }

  fire(): void {
    this.ring()
  }
}

/** Ends after so many milliseconds, or when the signal aborts. Of none, a turn of the event loop is left. */
const pause = (milliseconds: number, signal: AbortSignal | undefined): Promise<void> => {
  if (milliseconds <= 0) return turn()
  return new Promise((resolve) => {
    const at = now() + milliseconds
    if (signal === undefined) return ownTimers.set(new Alarm(resolve), at)
    const end = () => {
      ownTimers.clear(alarm)
      unwatch()
      resolve()
    }
    const alarm = new Alarm(end)
    const unwatch = watch("retry", { signal }, end)
    ownTimers.set(alarm, at)
  })
}

/**
 * Calls a function until it succeeds, or there is no further attempt.
 *
 * **When to use**: for work that may fail for a moment, and may be done twice: a request to a server, a lock in a database. Not for what
 * will fail again: name that with `while`.
 *
 * **Details**: by default three attempts, with a pause of up to 100 ms before the second and of up to 200 ms before the third. The last
 * error arrives as it is; with `exhausted: "wrap"`, as the `cause` of `RetryExhausted`. An `AbortError` is not retried: somebody wanted
 * it to stop. There is no pause after the last attempt; one of zero lets the event loop turn. A function of the policy that throws ends
 * it with what it throws. The policy is checked with each call, unless it was made by `retryPolicy`. asyncio has nothing of the kind.
 *
 * **Interruption**: an abort, or the timeout of the whole, ends a pause at once. An attempt is told by its `signal`, and its end is
 * waited for; one that has not asked for its signal cannot be told, and is left. There is no further attempt, and it rejects with
 * `signal.reason`. The same holds for an attempt that takes too long, after which the next may begin. What fails after it was left is
 * reported.
 *
 * **Fairness**: after an outage those who retry come back one by one, as the jitter has it, and not in order. With `"none"` they come all
 * at once.
 *
 * @example
 * import { retry } from "effect-concurrency/promise"
 *
 * const fetchUser = async ({ attempt }: { attempt: number }) => {
 *   if (attempt < 3) throw new Error("503")
 *   return "a user"
 * }
 * const log: Array<string> = []
 * const user = await retry(fetchUser, {
 *   attempts: 5,
 *   base: 5,
 *   onRetry: ({ attempt, error }) => log.push(`${attempt}: ${(error as Error).message}`)
 * })
 *
 * console.log(user, log) // => a user [ '1: 503', '2: 503' ]
 *
 * @see retryPolicy for a policy with a name
 * @since 0.1.0
 */
export const retry = <A>(
  f: (context: RetryContext) => A | PromiseLike<A>,
  policy: RetryOptions<NoInfer<A>> | RetryPolicy<NoInfer<A>> = {},
  options?: RetryRunOptions
): Promise<A> => run("retry", policy, f, options)

/**
 * A way to retry as a value, checked now: it throws when the options make no sense.
 *
 * **When to use**: to name a way to retry once, and use it in many places; to combine it with other policies.
 *
 * @example
 * import { retryPolicy } from "effect-concurrency/promise"
 *
 * const patient = retryPolicy({ attempts: 5, base: 10, jitter: "none" })
 * const hasty = retryPolicy({ ...patient, attempts: 2, exhausted: "wrap" })
 *
 * const error = await hasty.run(() => Promise.reject("no route")).catch((error) => error)
 * console.log(error.message, error.cause) // => every attempt failed, after 2 attempts no route
 *
 * @since 0.1.0
 */
export const retryPolicy = <A = any>(options: RetryOptions<A> = {}): RetryPolicy<A> =>
  Object.freeze(policyOf("retryPolicy", options))

/**
 * A budget of retries that callers share. The same as the Effect module's `Retry.Budget`; `RetryBudget.from` shares one.
 *
 * **When to use**: for all that call one server: when it is down, each request becomes three or five without one, and it does not come
 * back up.
 *
 * **Details**: each request (a first attempt, once it has succeeded or failed) puts `ratio` tokens in, up to `burst`, which it holds in the
 * beginning; each retry takes one out, and puts it back if it is aborted before it begins. So there are never more retries than `burst`,
 * and `ratio` for each request. When it is empty, an error arrives as after the last attempt. It knows no time. A function of the policy
 * that throws changes nothing.
 *
 * @example
 * import { retry, RetryBudget } from "effect-concurrency/promise"
 *
 * const budget = new RetryBudget({ ratio: 0.1, burst: 2 })
 * const outage = () => retry(() => Promise.reject("503"), { attempts: 5, base: 0, budget }).catch(() => {})
 *
 * await Promise.all([outage(), outage(), outage()])
 * console.log(budget.stats()) // => { available: 0, requests: 3, retries: 2, refused: 3 }
 *
 * @since 0.1.0
 */
export class RetryBudget {
  /** @internal */
  declare readonly [budgets.TypeId]: budgets.State

  constructor(options: budgets.Options = {}) {
    this[budgets.TypeId] = budgets.make("new RetryBudget", options)
  }

  /** A view of the budget that an Effect program, or other plain code, uses. */
  static from(budget: Effects.Budget | RetryBudget): RetryBudget {
    return view(RetryBudget.prototype, "RetryBudget", budgets.TypeId, budget)
  }

  /** A frozen snapshot. */
  stats(): budgets.Stats {
    return budgets.stats(this[budgets.TypeId])
  }
}
