/**
 * A mutex for `async` functions: one at a time, first come, first served.
 *
 * @since 0.1.0
 */
import * as core from "../core/mutex.js"
import * as semaphore from "../core/semaphore.js"
import type * as Effects from "../Mutex.js"
import type { Lease } from "./Lease.js"
import * as permits from "./permits.js"
import { view } from "./view.js"

/**
 * How a lock is asked for: a signal or a timeout to give up by, and a priority.
 *
 * @since 0.1.0
 */
export interface MutexOptions extends permits.Options {}

/**
 * A lock that one caller holds at a time. The same machine as the Effect module's `Mutex`; `Mutex.from` shares one.
 *
 * **When to use**: to keep others out while a function awaits in the middle of something that belongs together.
 *
 * **Details**: not reentrant. A function that asks for a lock that it holds waits for itself, for ever; a `timeout` turns that into an
 * error. A free lock is taken, and the function started, before `run` returns. What the function throws is what `run` rejects with.
 *
 * **Interruption**: an aborted or timed-out wait leaves the queue at once. If it was granted the lock in the same tick, the lock goes on.
 *
 * **Fairness**: strict order of arrival within a priority; nobody overtakes, not even who has just released.
 *
 * @example
 * import { Mutex } from "effect-concurrency/promise"
 *
 * const mutex = new Mutex()
 * let balance = 100
 * const withdraw = (amount: number) =>
 *   mutex.run(async () => {
 *     const seen = balance
 *     await Promise.resolve()
 *     balance = seen - amount
 *   })
 *
 * await Promise.all([withdraw(10), withdraw(20), withdraw(30)])
 * console.log(balance) // => 40
 *
 * @since 0.1.0
 */
export class Mutex {
  /** @internal */
  declare readonly [core.TypeId]: core.State

  constructor() {
    this[core.TypeId] = core.make()
  }

  /** A view of the lock that an Effect program, or other plain code, uses: both queue behind each other. */
  static from(mutex: Effects.Mutex | Mutex): Mutex {
    return view(Mutex.prototype, "Mutex", core.TypeId, mutex)
  }

  /** Runs a function with the lock, which is released when what it returned has settled. */
  run<A>(f: () => A | PromiseLike<A>, options?: MutexOptions): Promise<A> {
    return permits.run("Mutex.run", this[core.TypeId], 1, options, f)
  }

  /** Runs a function with the lock if that is free and nobody waits for it; otherwise resolves to undefined. */
  runIfAvailable<A>(f: () => A | PromiseLike<A>): Promise<A | undefined> {
    return permits.runIfAvailable("Mutex.runIfAvailable", this[core.TypeId], 1, undefined, f)
  }

  /** Takes the lock until the lease is released. */
  acquire(options?: MutexOptions): Promise<Lease> {
    return permits.acquire("Mutex.acquire", this[core.TypeId], 1, options)
  }

  /** Takes the lock if it is free and nobody waits for it. */
  tryAcquire(): Lease | undefined {
    return permits.tryTake(this[core.TypeId], 1, 0)
  }

  /** Whether somebody holds the lock. */
  get isLocked(): boolean {
    return this.stats().inUse > 0
  }

  /** A frozen snapshot. */
  stats(): semaphore.Stats {
    return semaphore.stats(this[core.TypeId])
  }
}
