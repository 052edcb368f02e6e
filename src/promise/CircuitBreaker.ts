/**
 * A circuit breaker for `async` functions: what fails again and again is left alone for a while. See the Effect module for how it differs
 * from others.
 *
 * @since 0.1.0
 */
import type * as Effects from "../CircuitBreaker.js"
import { callable, number, record } from "../core/arguments.js"
import * as core from "../core/breaker.js"
import { Circuit } from "../core/circuit.js"
import { now, wall } from "./clock.js"
import { type RunContext, start } from "./context.js"
import { attempt, checkWait } from "./park.js"
import * as permits from "./permits.js"
import { report } from "./report.js"
import { view } from "./view.js"

export {
  /**
   * The breaker did not let the call through. `retryAfter` is in milliseconds.
   *
   * @since 0.1.0
   */
  CircuitOpen
} from "../core/breaker.js"

/**
 * How a breaker is made. Durations are in milliseconds.
 *
 * @since 0.1.0
 */
export interface CircuitBreakerOptions extends core.Options {
  /** For `CircuitOpen`, and for changes and reports. */
  readonly name?: string | undefined
  /**
   * When it opens: after so many failures in a row (`"consecutive"`); when too many of the last calls have failed (`"count"`), or too
   * many of the calls that have ended in the last so many milliseconds (`"time"`).
   */
  readonly trip: core.Options["trip"]
  /**
   * How it closes again. `after`: how many milliseconds it stays open; or, growing, `base` of them at first, and each time that it opens
   * again without having closed `factor` (default 2) times as many, up to `cap` (default: ten times the base). `sample`, default 1: how
   * many calls are then let through. `successes`, default all of them: how many of these have to succeed for it to close.
   */
  readonly halfOpen: core.HalfOpen
  /** Whether what a call rejected with is a failure of what is called. Default: everything is. */
  readonly isFailure?: ((error: unknown) => boolean) | undefined
  /** Whether what a call gave is a failure: a response with status 503, say. The caller is given it all the same. Default: nothing is. */
  readonly isFailureResult?: ((value: any) => boolean) | undefined
  /** Called with each change of the state, after it. What it throws, or rejects with, is told on the console. */
  readonly onStateChange?: ((change: core.Change) => unknown) | undefined
}

/**
 * How a function is run.
 *
 * @since 0.1.0
 */
export interface CircuitBreakerRunOptions {
  /** Given to the function. A call that rejects after its abort does not count. When it is aborted already, nothing runs. */
  readonly signal?: AbortSignal | undefined
}

/**
 * A circuit breaker. The same machine as the Effect module's `CircuitBreaker`; `CircuitBreaker.from` shares one, on the clock of where
 * that was made.
 *
 * **When to use**: around calls to something that may be down, so that it is left alone until it has recovered, and callers need not wait
 * for what will fail. Give the work a time limit inside of it: what never ends has no outcome.
 *
 * **Details**: a call is let through, or rejects at once with `CircuitOpen`; nobody waits. It starts before `run` returns. It counts when
 * it ends, and only if the breaker has not changed its state meanwhile. A function of the options that throws makes the call reject with
 * that, and not count. There is no timer.
 *
 * **Interruption**: a call that rejects after its signal has aborted does not count. It leaves its place in a sample.
 *
 * @example
 * import { CircuitBreaker } from "effect-concurrency/promise"
 *
 * const breaker = new CircuitBreaker({
 *   name: "mail",
 *   trip: { kind: "consecutive", failures: 2 },
 *   halfOpen: { after: 60_000 }
 * })
 * const send = () => breaker.run(async () => Promise.reject(new Error("no route"))).catch((error) => error.name)
 *
 * console.log([await send(), await send(), await send()]) // => [ 'Error', 'Error', 'CircuitOpen' ]
 * console.log(breaker.state) // => open
 *
 * @see Bulkhead for a limit to how many calls run at a time
 * @since 0.1.0
 */
export class CircuitBreaker {
  /** @internal */
  declare readonly [core.TypeId]: Circuit

  constructor(options: CircuitBreakerOptions) {
    const where = "new CircuitBreaker"
    const { isFailure, isFailureResult, onStateChange } = record(where, options)
    for (const [name, f] of Object.entries({ isFailure, isFailureResult, onStateChange }))
      if (f !== undefined) callable(where, name, f)
    const changed =
      onStateChange &&
      ((change: core.Change) => {
        void attempt(() => onStateChange(change)).catch((error) =>
          report({
            where: "CircuitBreaker.onStateChange",
            name: change.name,
            message: "a callback failed",
            error
          })
        )
      })
    this[core.TypeId] = new Circuit(core.make(where, options), { now, wall }, { isFailure, isFailureResult }, changed)
  }

  /** A view of the breaker that an Effect program, or other plain code, uses. */
  static from(breaker: Effects.CircuitBreaker | CircuitBreaker): CircuitBreaker {
    return view(CircuitBreaker.prototype, "CircuitBreaker", core.TypeId, breaker)
  }

  /** Runs a function, or rejects with `CircuitOpen`. */
  run<A>(f: (context: RunContext) => A | PromiseLike<A>, options?: CircuitBreakerRunOptions): Promise<A> {
    const where = "CircuitBreaker.run"
    const signal = options?.signal
    try {
      callable(where, "f", f)
      checkWait(where, options)
    } catch (error) {
      return Promise.reject(error)
    }
    const circuit = this[core.TypeId]
    const epoch = circuit.begin()
    if (typeof epoch !== "number") return Promise.reject(epoch)
    return start(f, signal).then(
      (value) => {
        circuit.succeeded(epoch, value)
        return value
      },
      (error) => {
        if (signal?.aborted) circuit.leave(epoch)
        else circuit.failed(epoch, error)
        throw error
      }
    )
  }

  /** A function that runs each of its calls behind the breaker. */
  wrap<This, Args extends Array<unknown>, A>(
    f: (this: This, ...args: Args) => A | PromiseLike<A>,
    options?: CircuitBreakerRunOptions
  ): (this: This, ...args: Args) => Promise<A> {
    return permits.wrap("CircuitBreaker.wrap", f, (call) => this.run(call, options))
  }

  /** The state as the next call will find it. */
  get state(): core.Phase {
    return this[core.TypeId].phase()
  }

  /**
   * Opens it by hand, for as long as the options say, or for so many milliseconds; Infinity: until it is reset. When its time was over it
   * was half open in between, and `onStateChange` is told of both.
   */
  trip(milliseconds?: number): void {
    if (milliseconds !== undefined) number("CircuitBreaker.trip", "milliseconds", milliseconds, 0)
    this[core.TypeId].trip(milliseconds)
  }

  /** Closes it by hand. It forgets what it remembers; calls that are under way do not count any more. */
  reset(): void {
    this[core.TypeId].reset()
  }

  /** What it knows, to be saved as JSON. */
  snapshot(): core.Snapshot {
    return this[core.TypeId].snapshot()
  }

  /**
   * Takes over what was saved, as if the time in between had passed here. Calls that are under way do not count any more. What was
   * remembered for another kind of rule is left out. Throws, and changes nothing, when it is no snapshot.
   */
  restore(snapshot: core.Snapshot): void {
    this[core.TypeId].restore("CircuitBreaker.restore", snapshot)
  }

  /** A frozen snapshot of the numbers. */
  stats(): core.Stats {
    return this[core.TypeId].stats()
  }
}
