/**
 * Policies for `async` functions: a limit of time, another attempt, a breaker, a limit of how many, put together in an order that can be read.
 *
 * @since 0.1.0
 */
import { callable, expect } from "../core/arguments.js"
import type { RunContext } from "./context.js"
import { overhear, Overhear, type Overheard } from "./overhear.js"
import { attempt, checkWait } from "./park.js"
import type { Deadline } from "./Timeout.js"

/**
 * What a function is told that is run by policies.
 *
 * @since 0.1.0
 */
export interface Context extends RunContext {
  /** Aborts when one of the policies wants it to stop, or the caller has aborted. */
  readonly signal: AbortSignal
  /** Which attempt it is, from 1, of the innermost policy that retries. */
  readonly attempt: number | undefined
  /** The deadline that comes first, of the policies that have one. */
  readonly deadline: Deadline | undefined
}

/**
 * How a function is run.
 *
 * @since 0.1.0
 */
export interface RunOptions {
  /** Ends waits, and is told to the function. When it is aborted already, nothing runs. */
  readonly signal?: AbortSignal | undefined
}

/**
 * What can be put together: whatever has such a `run`. In this library: `timeoutPolicy`, `retryPolicy`, a `CircuitBreaker`, a `Bulkhead`, a
 * `RateLimiter`, a `Semaphore`, a `Mutex`, a `Deadline`.
 *
 * @since 0.1.0
 */
export interface Part {
  run<A>(f: (context?: RunContext) => A | PromiseLike<A>, options?: RunOptions): Promise<A>
}

/**
 * Policies that were put together.
 *
 * @since 0.1.0
 */
export interface Policy {
  /** Runs a function by the policies. */
  run<A>(f: (context: Context) => A | PromiseLike<A>, options?: RunOptions): Promise<A>
}

/** What the function at the bottom is told, from what each policy tells. Who asks for the signal here has asked all of them. */
class Told implements Context, Overheard {
  readonly #told: ReadonlyArray<Partial<Context>>
  #signal: AbortSignal | undefined

  constructor(told: ReadonlyArray<Partial<Context>>, signal: AbortSignal | undefined) {
    this.#told = told
    this.#signal = signal
  }

  get signal(): AbortSignal {
    for (const { signal } of this.#told) this.#signal = signal ?? this.#signal
    return (this.#signal ??= new AbortController().signal)
  }

  get attempt(): number | undefined {
    return this.#told.findLast(({ attempt }) => attempt !== undefined)?.attempt
  }

  get deadline(): Deadline | undefined {
    const deadlines = this.#told.map(({ deadline }) => deadline).filter((deadline) => deadline !== undefined)
    return deadlines.reduce<Deadline | undefined>(
      (first, next) => (first !== undefined && first.remaining() <= next.remaining() ? first : next),
      undefined
    )
  }

  [Overhear](): AbortSignal | undefined {
    return this.#signal
  }
}

class Wrapped implements Policy {
  readonly #policies: ReadonlyArray<Part>

  constructor(policies: ReadonlyArray<Part>) {
    this.#policies = policies
  }

  run<A>(f: (context: Context) => A | PromiseLike<A>, options?: RunOptions): Promise<A> {
    const where = "Policy.run"
    const policies = this.#policies
    const from = (
      index: number,
      signal: AbortSignal | undefined,
      told: ReadonlyArray<Partial<Context>>
    ): A | PromiseLike<A> => {
      signal?.throwIfAborted()
      if (index === policies.length) return f(new Told(told, signal))
      const inner = (context?: RunContext) =>
        from(index + 1, overhear(context) ?? signal, context ? [...told, context] : told)
      return policies[index]!.run(inner, signal && { signal })
    }
    return attempt(() => {
      callable(where, "f", f)
      checkWait(where, options)
      return from(0, options?.signal, [])
    })
  }
}

/**
 * Puts policies together, the outermost first.
 *
 * **When to use**: for what is called in one way from many places: a server, a database.
 *
 * **Details**: `wrap(a, b, c).run(f)` is `a.run(() => b.run(() => c.run(f)))`, and takes care of the signals in between. The order says what is meant:
 *
 * - a timeout outside of a retry is for all attempts and the pauses between them; one inside is for each attempt;
 * - a bulkhead or a rate limiter outside of a retry lets a call keep its place until it has succeeded; inside, each attempt asks for one;
 * - a breaker inside of a retry counts each attempt, and what it refuses may be retried: name that with `while`;
 * - a breaker around a timeout counts what took too long as a failure. Around a breaker, the timeout aborts what it protects, and that counts
 *   neither way.
 *
 * The result can be put together with others in turn. Without any, it just runs the function.
 *
 * **Interruption**: an abort ends what waits inside, and tells the function. As for `timeout`, a function that has not asked for its signal is
 * left when the time is over; but it keeps its permit, or its place, to its end.
 *
 * @example
 * import { Bulkhead, CircuitBreaker, Policy, retryPolicy, timeoutPolicy } from "effect-concurrency/promise"
 *
 * const policy = Policy.wrap(
 *   timeoutPolicy(1000),
 *   retryPolicy({ attempts: 5, base: 1, while: (error) => error.name !== "CircuitOpen" }),
 *   new CircuitBreaker({ trip: { kind: "consecutive", failures: 2 }, halfOpen: { after: 60_000 } }),
 *   new Bulkhead({ permits: 10, backlog: 100 })
 * )
 * const log: Array<number | undefined> = []
 * const request = async ({ attempt }: Policy.Context) => {
 *   log.push(attempt)
 *   throw new Error("no route")
 * }
 *
 * const error = await policy.run(request).catch((error) => error)
 * console.log(error.name, log) // => CircuitOpen [ 1, 2 ]
 *
 * @since 0.1.0
 */
export const wrap = (...policies: ReadonlyArray<Part>): Policy => {
  policies.forEach((policy, index) =>
    expect(
      typeof (policy as Part | undefined)?.run === "function",
      "Policy.wrap",
      `policies[${index}]`,
      "an object with a function run",
      policy
    )
  )
  return new Wrapped(policies)
}
