/**
 * A value that one `async` function at a time changes.
 *
 * @since 0.1.0
 */
import { callable } from "../core/arguments.js"
import * as core from "../core/guarded.js"
import type { Stats } from "../core/semaphore.js"
import type * as Effects from "../Guarded.js"
import * as permits from "./permits.js"
import { view } from "./view.js"

/**
 * A value and the lock that its changes take. The same machine as the Effect module's `Guarded`; `Guarded.from` shares one.
 *
 * **When to use**: for shared state whose next value takes an `await` to find out.
 *
 * **Details**: changes happen one after the other. When a change throws or rejects, the old value stays. `get` does not wait: it gives the
 * value as the last completed change left it. The value is not copied; treat it as immutable.
 *
 * **Interruption**: a change that waits for its turn can be aborted or time out; once its function runs, that decides.
 *
 * **Fairness**: changes run in order of arrival within a priority.
 *
 * @example
 * import { Guarded } from "effect-concurrency/promise"
 *
 * const stock = new Guarded(1)
 * const buy = () => stock.modify(async (left) => (left > 0 ? [true, left - 1] : [false, left]))
 *
 * console.log(await Promise.all([buy(), buy()])) // => [ true, false ]
 *
 * @since 0.1.0
 */
export class Guarded<A> {
  /** @internal */
  declare readonly [core.TypeId]: core.State<A>

  constructor(initial: A) {
    this[core.TypeId] = core.make(initial)
  }

  /** A view of the value that an Effect program, or other plain code, uses. */
  static from<A>(guarded: Effects.Guarded<A> | Guarded<A>): Guarded<A> {
    return view(Guarded.prototype, "Guarded", core.TypeId, guarded)
  }

  /** The value as the last completed change left it. Does not wait. */
  get(): A {
    return this[core.TypeId].value
  }

  /** Replaces the value. */
  set(value: A, options?: permits.Options): Promise<void> {
    return this.change("Guarded.set", () => [undefined, value], options)
  }

  /** Changes the value with a function, which may be `async`. */
  async update(f: (value: A) => A | PromiseLike<A>, options?: permits.Options): Promise<void> {
    callable("Guarded.update", "f", f)
    return await this.change("Guarded.update", async (value) => [undefined, await f(value)], options)
  }

  /** Changes the value with a function, which may be `async`, and returns a pair: a result, and the new value. */
  async modify<B>(
    f: (value: A) => readonly [B, A] | PromiseLike<readonly [B, A]>,
    options?: permits.Options
  ): Promise<B> {
    callable("Guarded.modify", "f", f)
    return await this.change("Guarded.modify", f, options)
  }

  private change<B>(
    where: string,
    f: (value: A) => readonly [B, A] | PromiseLike<readonly [B, A]>,
    options: permits.Options | undefined
  ): Promise<B> {
    const state = this[core.TypeId]
    return permits.run(where, state.lock, 1, options, async () => {
      const [returned, value] = core.pair(where, await f(state.value))
      core.commit(state, value)
      return returned
    })
  }

  /** A frozen snapshot of the lock. */
  stats(): Stats {
    return core.stats(this[core.TypeId])
  }
}
