/**
 * A condition variable for `async` functions.
 *
 * @since 0.1.0
 */
import { callable, integer } from "../core/arguments.js"
import * as core from "../core/condition.js"
import * as mutex from "../core/mutex.js"
import type * as Effects from "../Condition.js"
import type * as EffectMutex from "../Mutex.js"
import type { Lease } from "./Lease.js"
import type { Mutex } from "./Mutex.js"
import { checkWait, limit, wait, type WaitOptions } from "./park.js"
import * as permits from "./permits.js"
import { stateOf, view } from "./view.js"

/**
 * A lock, and those who wait inside it for a notification. The same machine as the Effect module's `Condition`; `Condition.from` shares one.
 *
 * **When to use**: when functions have to wait until state that they share is as they need it, and `WorkQueue`, `Event` and `Barrier` are
 * not that already.
 *
 * **Details**: `wait` and `notify` are for inside `run`; without the lock they are an error, and nothing has changed. (That somebody holds
 * it is checked, not that it is you.) `wait` gives the lock up and has it again when it settles. A notification does not say that the state
 * still is as it was then: use `waitFor`, which looks again.
 *
 * **Interruption**: a wait that is aborted or times out takes the lock again before it rejects, so that what follows runs with it; until the
 * lock is free it cannot reject. If it had been notified, the next waiter is notified instead.
 *
 * **Fairness**: waiters are notified in order of arrival, and then get the lock in that order, behind whoever waits for it already.
 *
 * @example
 * import { Condition } from "effect-concurrency/promise"
 *
 * const changed = new Condition()
 * let money = 0
 * const buyer = changed.run(async () => {
 *   await changed.waitFor(() => money >= 3)
 *   money -= 3
 * })
 * for (let i = 0; i < 4; i++) {
 *   await changed.run(() => {
 *     money++
 *     changed.notifyAll()
 *   })
 * }
 * await buyer
 *
 * console.log(money) // => 1
 *
 * @since 0.1.0
 */
export class Condition {
  /** @internal */
  declare readonly [core.TypeId]: core.State

  constructor(lock?: Mutex | EffectMutex.Mutex) {
    this[core.TypeId] = core.make(
      lock === undefined ? mutex.make() : stateOf("new Condition", "Mutex", mutex.TypeId, lock)
    )
  }

  /** A view of the condition that an Effect program, or other plain code, uses. */
  static from(condition: Effects.Condition | Condition): Condition {
    return view(Condition.prototype, "Condition", core.TypeId, condition)
  }

  /** Runs a function with the lock. */
  run<A>(f: () => A | PromiseLike<A>, options?: permits.Options): Promise<A> {
    return permits.run("Condition.run", this[core.TypeId].lock, 1, options, f)
  }

  /** Takes the lock until the lease is released. */
  acquire(options?: permits.Options): Promise<Lease> {
    return permits.acquire("Condition.acquire", this[core.TypeId].lock, 1, options)
  }

  /** Gives the lock up, waits to be notified, and takes the lock again. */
  async wait(options?: WaitOptions): Promise<void> {
    const state = this[core.TypeId]
    checkWait("Condition.wait", options)
    core.checkLocked("Condition.wait", state)
    await wait("Condition.wait", state, 1, options, core.wait, core.cancel)
  }

  /** Waits until the predicate holds, and gives what it returned. It is asked with the lock held, at once and after each notification. */
  async waitFor<A>(predicate: () => A | PromiseLike<A>, options?: WaitOptions): Promise<A> {
    callable("Condition.waitFor", "predicate", predicate)
    checkWait("Condition.waitFor", options)
    const whole = limit("Condition.waitFor", options)
    try {
      for (;;) {
        const holds = await predicate()
        if (holds) return holds
        await this.wait(whole.options)
      }
    } finally {
      whole.end()
    }
  }

  /** Notifies the first n of those who wait, by default one. They go on when they get the lock. */
  notify(n = 1): void {
    const state = this[core.TypeId]
    integer("Condition.notify", "n", n, 0)
    core.checkLocked("Condition.notify", state)
    core.notify(state, n)
  }

  /** Notifies all who wait. */
  notifyAll(): void {
    const state = this[core.TypeId]
    core.checkLocked("Condition.notifyAll", state)
    core.notify(state, Infinity)
  }

  /** A frozen snapshot. */
  stats(): core.Stats {
    return core.stats(this[core.TypeId])
  }
}
