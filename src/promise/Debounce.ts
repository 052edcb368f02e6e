/**
 * Debounce for `async` functions: of many calls one run, once they have stopped for a while.
 *
 * Every call gets the result of the run that covers it, runs of one key never overlap, and a call moves no timer. The function is given the
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
import type * as Effects from "../Debounce.js"
import { makePacer, type Paced, paced } from "./pacing.js"
import type { Reporter } from "./report.js"
import { stateOf } from "./view.js"

export {
  /**
   * The call was cancelled before a run covered it, or came when it was closed. Nothing has run for it.
   *
   * @since 0.1.0
   */
  DebounceCancelled
} from "../core/pacing.js"

/**
 * How a function is debounced.
 *
 * @since 0.1.0
 */
export interface DebounceOptions<in Args extends ReadonlyArray<any> = ReadonlyArray<any>> {
  /**
   * `"trailing"`: the run begins when there was no call for the wait. `"leading"`: it begins with the first call, and covers those that
   * come before there was none for the wait. `"both"`: as leading, and the later calls have a trailing run. Default: `"trailing"`.
   */
  readonly edges?: Edges | undefined
  /**
   * Milliseconds that a trailing run is put off at most, seen from its first call. At least the wait. Default: as long as there are calls.
   */
  readonly maxWait?: number | undefined
  /** Which calls belong together: those with the same key (compared as by a `Map`). Each key is debounced by itself. Default: all calls. */
  readonly key?: ((...args: Args) => unknown) | undefined
  /**
   * What closing does with pending calls: `"flush"` runs them at once, `"cancel"` rejects them with `DebounceCancelled`. Either waits
   * for what runs. Default: `"flush"`.
   */
  readonly onClose?: OnClose | undefined
  /** For reports. */
  readonly name?: string | undefined
  /** Where the failures of runs go that nobody waits for, once each. Default: `console.error`. */
  readonly onError?: Reporter | undefined
}

/**
 * A debounced function.
 *
 * @since 0.1.0
 */
export interface Debounced<in Args extends ReadonlyArray<any>, out A> extends Paced<Args, A> {
  /** @internal */
  readonly [core.DebounceTypeId]: Pacer
}

const make = <Args extends ReadonlyArray<any>, A>(
  fn: (...args: Args) => A | PromiseLike<A>,
  ms: number,
  options: DebounceOptions<Args> = {}
): Debounced<Args, A> => {
  const { edges, maxWait, name, onClose } = record("debounce", options)
  const pacer = makePacer("debounce", "Debounce", fn, { edges, maxWait, name, onClose, wait: ms }, options)
  return paced("debounce", core.DebounceTypeId, pacer)
}

/** A view of the debounced function that an Effect program, or other plain code, uses. It runs where that does. */
const from = <Args extends ReadonlyArray<any>, A>(
  debounced: Effects.Debounce<Args, A, unknown> | Debounced<Args, A>
): Debounced<Args, A> =>
  paced(
    "debounce",
    core.DebounceTypeId,
    stateOf<typeof core.DebounceTypeId, { readonly [core.DebounceTypeId]: Pacer }>(
      "debounce.from",
      "Debounce",
      core.DebounceTypeId,
      debounced
    )
  )

/**
 * Makes a debounced function. The same machine as the Effect module's `Debounce`; `debounce.from` shares one.
 *
 * **When to use**: to save, search, reload or redraw once a burst of changes is over, rather than after each of them.
 *
 * **Details**: time is in milliseconds: finite, 0 or more. The latest arguments win. The callers of a run share one promise, with its
 * result or its error; so a failure that nobody handles is one unhandled rejection. A call that is not waited for is better made with
 * `trigger`: its failures are reported instead. A run that is due while the one before is in progress begins when that has ended.
 * `cancel` rejects the pending calls with `DebounceCancelled`, which is no unhandled rejection. `await using` closes. Fake timers have
 * to fake `performance.now` as well. A pending run keeps the process alive. A run has the `AsyncLocalStorage` context of its first call
 * or, when it is flushed, of who does that.
 *
 * **Interruption**: `debounced.with({ signal, timeout })(...)` ends the wait of one caller, and not the run, which is made also when no
 * caller is left. What it fails with then is reported, once.
 *
 * **Fairness**: the callers of a run are told in order of their calls. Runs of different keys do not wait for each other.
 *
 * @example
 * import { debounce } from "effect-concurrency/promise"
 *
 * const saved: Array<string> = []
 * const save = debounce(async (text: string) => saved.push(text), 10, { maxWait: 1000 })
 * const counts = await Promise.all([save("a"), save("ab"), save("abc")])
 *
 * console.log(saved, counts) // => [ 'abc' ] [ 1, 1, 1 ]
 *
 * @see throttle for a run now and then while calls go on
 * @since 0.1.0
 */
export const debounce = /* @__PURE__ */ Object.assign(make, { from })
