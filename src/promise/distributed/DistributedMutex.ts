/**
 * A mutex for `async` functions on several machines: one at a time, wherever they run.
 *
 * @since 0.1.0
 */
import * as core from "../../core/lessor.js"
import type * as Effects from "../../distributed/DistributedMutex.js"
import type { WaitOptions } from "../park.js"
import { view } from "../view.js"
import * as leases from "./leases.js"

/**
 * How a lock is asked for: a signal or a timeout to give up by.
 *
 * @since 0.1.0
 */
export interface DistributedMutexOptions extends WaitOptions {}

/**
 * Locks by name, each of which one caller holds at a time, of all processes that share a store. The same machine as the Effect module's
 * `DistributedMutex`, which says in full what is promised and what is not; `DistributedMutex.from` shares one.
 *
 * **When to use**: to do something in one place at a time although many could. If it must never happen twice at the same time, hand the token to the
 * resource, and let that check it.
 *
 * **Details**: a lock is held on a lease, which is renewed while the function runs. When it is lost (the store was out of reach for too long, the
 * event loop was blocked, the process was stopped), the function's `signal` aborts with `LeaseLost`. Its end is waited for, and then `run` rejects
 * with `LeaseLost`, whatever the function returned; an error of its own arrives. What the store rejects with is what `run` rejects with; if it
 * fails while the lock is given back, the result is kept and the failure goes to the console: the lease ends by itself. Not reentrant.
 *
 * Make one and share it: those who wait in one instance stand in one line, and the store is asked for the first of them only.
 *
 * **Interruption**: an aborted or timed-out wait is over at once, also while the store is being asked. What is granted to it goes to the next, or
 * back. The caller's signal reaches a function that runs, too, through its own; what that makes of it is the result.
 *
 * **Fairness**: strict order of arrival within one instance; between processes there is no order.
 *
 * @example
 * import { DistributedMutex, leaseStoreMemory } from "effect-concurrency/promise/distributed"
 *
 * const mutex = new DistributedMutex(leaseStoreMemory(), { lease: 30_000 })
 * const seen: Array<number> = []
 * await Promise.all([1, 2, 3].map(() => mutex.run("report", ({ token }) => void seen.push(token))))
 *
 * console.log(seen[0]! < seen[1]! && seen[1]! < seen[2]!) // => true
 *
 * @since 0.1.0
 */
export class DistributedMutex {
  /** @internal */
  declare readonly [core.MutexTypeId]: core.Lessor

  constructor(store: leases.LeaseStore, options: leases.LeaseOptions = {}) {
    const config = core.config("new DistributedMutex", "mutex", { ...options, limit: 1 })
    this[core.MutexTypeId] = leases.makeLessor("DistributedMutex", store, config)
  }

  /** A view of the locks that an Effect program, or other plain code, uses: all wait in one line. */
  static from(mutex: Effects.DistributedMutex<unknown> | DistributedMutex): DistributedMutex {
    return view(DistributedMutex.prototype, "DistributedMutex", core.MutexTypeId, mutex)
  }

  /** Runs a function with the lock of a name, which is given back when what it returned has settled. */
  run<A>(name: string, f: leases.LeaseWork<A>, options?: DistributedMutexOptions): Promise<A> {
    const request = { where: "DistributedMutex.run", name, permits: 1 }
    return leases.run(this[core.MutexTypeId], request, options, f) as Promise<A>
  }

  /** Runs a function with the lock of a name if that is free, and nobody waits for it here; otherwise resolves to undefined. */
  runIfAvailable<A>(name: string, f: leases.LeaseWork<A>, options?: DistributedMutexOptions): Promise<A | undefined> {
    const request = { where: "DistributedMutex.runIfAvailable", name, permits: 1, tries: true }
    return leases.run(this[core.MutexTypeId], request, options, f)
  }

  /** Takes the lock of a name until the lease is given back. */
  acquire(name: string, options?: DistributedMutexOptions): Promise<leases.DistributedLease> {
    const request = { where: "DistributedMutex.acquire", name, permits: 1 }
    return leases.acquire(this[core.MutexTypeId], request, options) as Promise<leases.DistributedLease>
  }

  /** Takes the lock of a name if it is free, and nobody waits for it here; otherwise resolves to undefined. */
  tryAcquire(name: string, options?: DistributedMutexOptions): Promise<leases.DistributedLease | undefined> {
    const request = { where: "DistributedMutex.tryAcquire", name, permits: 1, tries: true }
    return leases.acquire(this[core.MutexTypeId], request, options)
  }

  /** A frozen snapshot of this process. */
  stats(): core.Stats {
    return this[core.MutexTypeId].stats()
  }
}
