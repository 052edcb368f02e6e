/**
 * A one-shot result for `async` functions.
 *
 * It corresponds to `asyncio.Future`, with these differences. What cannot be done any more says so by its result, and is no error:
 * `resolve` and `reject` give `false` once it is settled. What it is rejected with is handed on as it is. It has no `cancel`: reject it. An
 * error that nobody asked for yet is kept, and reported nowhere: whoever rejects it knows. The promise is made when it is asked for; from
 * then on it is the platform's business, as ever.
 *
 * @since 0.1.0
 */
import * as core from "../core/deferred.js"
import * as tasks from "../core/task.js"
import { wake } from "../core/ticket.js"
import type * as Effects from "../Task.js"
import { attempt, checkWait, type WaitOptions } from "./park.js"
import { result } from "./Task.js"
import { stateOf, view } from "./view.js"

/**
 * A result that is settled once. `Deferred.from` shares one with an Effect program.
 *
 * **When to use**: when who finds a result, and who waits for it, do not call each other. For an event without a value, use `Event`.
 *
 * **Details**: an Effect `Deferred` comes as `Task.shareDeferred(deferred)`, since this module knows nothing of Effect. Either side settles it, and
 * the first one counts.
 *
 * **Interruption**: an aborted or timed-out wait leaves at once, and nobody else notices.
 *
 * **Fairness**: waits end in order of arrival.
 *
 * @example
 * import { Deferred } from "effect-concurrency/promise"
 *
 * const answer = new Deferred<number>()
 * const waiter = answer.wait({ timeout: 1000 })
 *
 * console.log(answer.resolve(42), answer.resolve(43), await waiter) // => true false 42
 *
 * @since 0.1.0
 */
export class Deferred<in out A> {
  /** @internal */
  declare readonly [core.TypeId]: core.State<A>
  declare private shared: Promise<A> | undefined

  constructor() {
    const state = tasks.make<A>(undefined)
    this[core.TypeId] = {
      isSettled: () => state.outcome !== undefined,
      settle: (outcome) => {
        if (state.outcome) return false
        wake(tasks.end(state, outcome))
        return true
      },
      result: () => state
    }
  }

  /** A view of the result that an Effect program shares with `Task.shareDeferred`, or of a plain one. */
  static from<A>(deferred: Effects.SharedDeferred<A> | Deferred<A>): Deferred<A> {
    const allowed = "Deferred, or what Task.shareDeferred makes of an Effect one"
    stateOf("Deferred.from", allowed, core.TypeId, deferred as Deferred<A>)
    return view(Deferred.prototype as Deferred<A>, "Deferred", core.TypeId, deferred as Deferred<A>)
  }

  /** Settles it with a value; says whether it did. */
  resolve(value: A): boolean {
    return this[core.TypeId].settle({ _tag: "Success", value })
  }

  /** Settles it with an error; says whether it did. */
  reject(error: unknown): boolean {
    return this[core.TypeId].settle({ _tag: "Failure", error })
  }

  /** Whether it is settled, by either side. */
  get isSettled(): boolean {
    return this[core.TypeId].isSettled()
  }

  /** The result, as one promise for all. */
  get promise(): Promise<A> {
    return (this.shared ??= this.wait())
  }

  /** Waits for the result. */
  wait(options?: WaitOptions): Promise<A> {
    return attempt(() => {
      checkWait("Deferred.wait", options)
      return result("Deferred.wait", this[core.TypeId].result(), options)
    })
  }
}
