/**
 * Throttle for `async` functions: while they are called again and again, a run now and then.
 *
 * Every call gets the result of the run that covers it, and runs of one key never overlap. The function is given the
 * arguments of the latest call, and nothing else: no `this`, and no signal, for no caller's abort ends a run.
 *
 * A run that flushes or closes what it is a run of waits for itself: before it has awaited anything it is told so, unless a signal or a timeout ends
 * the wait. That it awaits a call of its own key nobody can see: such a call waits for ever. To call again from inside, `trigger`.
 *
 * @since 0.1.0
 */
import { record } from "../core/arguments.js"
import type { Pacer } from "../core/pacer.js"
import type { Edges, OnClose } from "../core/pacing.js"
import * as core from "../core/pacing.js"
import type * as Effects from "../Throttle.js"
import { makePacer, type Paced, paced } from "./pacing.js"
import type { Reporter } from "./report.js"
import { stateOf } from "./view.js"

export {
  /**
   * The call was cancelled before a run covered it, or came when it was closed. Nothing has run for it.
   *
   * @since 0.1.0
   */
  ThrottleCancelled
} from "../core/pacing.js"

/**
 * How a function is throttled.
 *
 * @since 0.1.0
 */
export interface ThrottleOptions<in Args extends ReadonlyArray<any> = ReadonlyArray<any>> {
  /**
   * `"leading"`: a run begins with a call, and covers those that come in the interval. `"trailing"`: the run begins an interval after the
   * first call. `"both"`: as leading, and those that come in the interval have a run when it is over. Default: `"both"`.
   */
  readonly edges?: Edges | undefined
  /** Which calls belong together: those with the same key (compared as by a `Map`). Each key is throttled by itself. Default: all calls. */
  readonly key?: ((...args: Args) => unknown) | undefined
  /**
   * What closing does with pending calls: `"flush"` runs them at once, `"cancel"` rejects them with `ThrottleCancelled`. Either waits
   * for what runs. Default: `"flush"`.
   */
  readonly onClose?: OnClose | undefined
  /** For reports. */
  readonly name?: string | undefined
  /** Where the failures of runs go that nobody waits for, once each. Default: `console.error`. */
  readonly onError?: Reporter | undefined
}

/**
 * A throttled function.
 *
 * @since 0.1.0
 */
export interface Throttled<in Args extends ReadonlyArray<any>, out A> extends Paced<Args, A> {
  /** @internal */
  readonly [core.ThrottleTypeId]: Pacer
}

const make = <Args extends ReadonlyArray<any>, A>(
  fn: (...args: Args) => A | PromiseLike<A>,
  ms: number,
  options: ThrottleOptions<Args> = {}
): Throttled<Args, A> => {
  const { edges, name, onClose } = record("throttle", options)
  const pacer = makePacer("throttle", "Throttle", fn, { edges, name, onClose, wait: ms }, options)
  return paced("throttle", core.ThrottleTypeId, pacer)
}

/** A view of the throttled function that an Effect program, or other plain code, uses. It runs where that does. */
const from = <Args extends ReadonlyArray<any>, A>(
  throttled: Effects.Throttle<Args, A, unknown> | Throttled<Args, A>
): Throttled<Args, A> =>
  paced(
    "throttle",
    core.ThrottleTypeId,
    stateOf<typeof core.ThrottleTypeId, { readonly [core.ThrottleTypeId]: Pacer }>(
      "throttle.from",
      "Throttle",
      core.ThrottleTypeId,
      throttled
    )
  )

/**
 * Makes a throttled function. The same machine as the Effect module's `Throttle`; `throttle.from` shares one.
 *
 * **When to use**: to show progress, sync or reload at a steady pace while changes go on. To limit calls that must all be made, use a
 * `RateLimiter`: a throttle leaves out all but the latest.
 *
 * **Details**: time is in milliseconds: finite, 0 or more. The latest arguments win. The callers of a run share one promise, with its
 * result or its error; so a failure that nobody handles is one unhandled rejection. A call that is not waited for is better made with
 * `trigger`: its failures are reported instead. A run that is due while the one before is in progress begins when that has ended.
 * `cancel` rejects the pending calls with `ThrottleCancelled`, which is no unhandled rejection. `await using` closes. Fake timers have
 * to fake `performance.now` as well. A pending run keeps the process alive. A run has the `AsyncLocalStorage` context of its first call
 * or, when it is flushed, of who does that.
 *
 * **Interruption**: `throttled.with({ signal, timeout })(...)` ends the wait of one caller, and not the run, which is made also when no
 * caller is left. What it fails with then is reported, once.
 *
 * **Fairness**: the callers of a run are told in order of their calls. Runs of different keys do not wait for each other.
 *
 * @example
 * import { throttle } from "effect-concurrency/promise"
 *
 * const shown: Array<number> = []
 * const show = throttle(async (done: number) => shown.push(done), 20)
 * await Promise.all([show(1), show(2), show(3)])
 *
 * console.log(shown) // => [ 1, 3 ]
 *
 * @see debounce for one run when calls have stopped
 * @since 0.1.0
 */
export const throttle = /* @__PURE__ */ Object.assign(make, { from })
