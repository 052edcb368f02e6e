/**
 * A bulkhead for `async` functions: at most so many at a time, and at most so many that wait. See the Effect module for how it differs
 * from others.
 *
 * @since 0.1.0
 */
import type * as Effects from "../Bulkhead.js"
import { callable } from "../core/arguments.js"
import * as core from "../core/bulkhead.js"
import * as semaphore from "../core/semaphore.js"
import { wake } from "../core/ticket.js"
import { Context, type RunContext, start } from "./context.js"
import { checkWait, type WaitOptions } from "./park.js"
import * as permits from "./permits.js"
import { view } from "./view.js"

export {
  /**
   * As many run as may, and as many wait as may.
   *
   * @since 0.1.0
   */
  BulkheadFull
} from "../core/bulkhead.js"

/**
 * How a bulkhead is made.
 *
 * @since 0.1.0
 */
export interface BulkheadOptions extends core.Options {}

/**
 * A number of permits, and a number of places for those who wait for one. The same machine as the Effect module's `Bulkhead`;
 * `Bulkhead.from` shares one.
 *
 * **When to use**: around calls to something that slows down under load, so that they do not pile up: what is too much is refused at
 * once, while the caller can still do something else. Where everybody should wait, use a `Semaphore`.
 *
 * **Details**: with a free permit the function is started before `run` returns. When none is free, and as many wait as `backlog` says,
 * `run` rejects with `BulkheadFull`. Who was accepted is never refused later.
 *
 * **Interruption**: an aborted or timed-out wait leaves its place at once, and somebody else may have it. If it was granted its permit in
 * the same tick, that goes on: what is aborted before it has begun does not begin. The function is given the signal; who has begun holds
 * the permit to the end.
 *
 * **Fairness**: strict order of arrival. No newcomer takes a permit while somebody waits.
 *
 * @example
 * import { Bulkhead } from "effect-concurrency/promise"
 *
 * const bulkhead = new Bulkhead({ permits: 1, backlog: 1, name: "mail" })
 * const calls = [1, 2, 3].map((n) => bulkhead.run(async () => n).catch((error) => error.message))
 *
 * console.log(await Promise.all(calls)) // => [ 1, 2, 'the bulkhead "mail" is full: 1 may run, and 1 wait' ]
 *
 * @see Semaphore to let everybody wait
 * @since 0.1.0
 */
export class Bulkhead {
  /** @internal */
  declare readonly [core.TypeId]: core.State

  constructor(options: BulkheadOptions) {
    this[core.TypeId] = core.make("new Bulkhead", options)
  }

  /** A view of the bulkhead that an Effect program, or other plain code, uses: permits, places and order are the same. */
  static from(bulkhead: Effects.Bulkhead | Bulkhead): Bulkhead {
    return view(Bulkhead.prototype, "Bulkhead", core.TypeId, bulkhead)
  }

  /**
   * Runs a function with a permit, which comes back when what it returned has settled. Rejects with `BulkheadFull` when there is no
   * place.
   */
  run<A>(f: (context: RunContext) => A | PromiseLike<A>, options?: WaitOptions): Promise<A> {
    const where = "Bulkhead.run"
    try {
      callable(where, "f", f)
      checkWait(where, options)
    } catch (error) {
      return Promise.reject(error)
    }
    const signal = options?.signal
    const state = this[core.TypeId]
    const of = state.semaphore
    // All in this very step: what is free is still free when it is taken.
    if (!semaphore.tryTake(of, 1, 0)) {
      const refused = core.refuse(state)
      return refused ? Promise.reject(refused) : permits.run(where, of, 1, options, () => f(new Context(signal)))
    }
    const release = () => wake(semaphore.release(of, 1))
    const result = start(f, signal)
    // Its first reaction, so that whoever awaits it finds the permit given back.
    void result.then(release, release)
    return result
  }

  /** A function that runs each of its calls with a permit. */
  wrap<This, Args extends Array<unknown>, A>(
    f: (this: This, ...args: Args) => A | PromiseLike<A>,
    options?: WaitOptions
  ): (this: This, ...args: Args) => Promise<A> {
    return permits.wrap("Bulkhead.wrap", f, (call) => this.run(call, options))
  }

  /** A frozen snapshot. */
  stats(): core.Stats {
    return core.stats(this[core.TypeId])
  }
}
