/**
 * A semaphore for `async` functions on several machines: at most so many at a time, wherever they run.
 *
 * @since 0.1.0
 */
import { record } from "../../core/arguments.js"
import * as core from "../../core/lessor.js"
import type * as Effects from "../../distributed/DistributedSemaphore.js"
import type { WaitOptions } from "../park.js"
import { view } from "../view.js"
import * as leases from "./leases.js"

/**
 * How permits are held.
 *
 * @since 0.1.0
 */
export interface DistributedSemaphoreMakeOptions extends leases.LeaseOptions {
  /** How many permits there are of each name: an integer, 1 or more. */
  readonly limit: number
}

/**
 * How permits are asked for: how many (by default one), and a signal or a timeout to give up by.
 *
 * @since 0.1.0
 */
export interface DistributedSemaphoreOptions extends WaitOptions {
  readonly permits?: number | undefined
}

/**
 * A number of permits by name, which all processes share that have the same store. The same machine as the Effect module's
 * `DistributedSemaphore`, which says in full what is promised and what is not; `DistributedSemaphore.from` shares one.
 *
 * **When to use**: to limit how many do something at once, in all processes together.
 *
 * **Details**: as for `DistributedMutex`, which is one with a single permit. The permits of a holder that dies come back when its lease ends. If
 * another process was made with another `limit`, the one counts with which those ask who hold permits now; that is reported. A request for more
 * permits than the limit is a `RangeError`.
 *
 * **Interruption**: an aborted or timed-out wait is over at once, also while the store is being asked. What is granted to it goes to the next, or
 * back.
 *
 * **Fairness**: strict order of arrival within one instance: no request overtakes a larger one. Between processes there is no order.
 *
 * @example
 * import { DistributedSemaphore, leaseStoreMemory } from "effect-concurrency/promise/distributed"
 *
 * const connections = new DistributedSemaphore(leaseStoreMemory(), { limit: 2 })
 * let running = 0
 * let peak = 0
 * const job = async () => {
 *   peak = Math.max(peak, ++running)
 *   await new Promise((resolve) => setTimeout(resolve, 5))
 *   running--
 * }
 * await Promise.all([1, 2, 3, 4].map(() => connections.run("database", job)))
 *
 * console.log(peak) // => 2
 *
 * @since 0.1.0
 */
export class DistributedSemaphore {
  /** @internal */
  declare readonly [core.SemaphoreTypeId]: core.Lessor

  constructor(store: leases.LeaseStore, options: DistributedSemaphoreMakeOptions) {
    const where = "new DistributedSemaphore"
    const config = core.config(where, "semaphore", record(where, options))
    this[core.SemaphoreTypeId] = leases.makeLessor("DistributedSemaphore", store, config)
  }

  /** A view of the permits that an Effect program, or other plain code, uses: all wait in one line. */
  static from(semaphore: Effects.DistributedSemaphore<unknown> | DistributedSemaphore): DistributedSemaphore {
    return view(DistributedSemaphore.prototype, "DistributedSemaphore", core.SemaphoreTypeId, semaphore)
  }

  /** Runs a function with permits of a name, which are given back when what it returned has settled. */
  run<A>(name: string, f: leases.LeaseWork<A>, options?: DistributedSemaphoreOptions): Promise<A> {
    const request = { where: "DistributedSemaphore.run", name, permits: options?.permits ?? 1 }
    return leases.run(this[core.SemaphoreTypeId], request, options, f) as Promise<A>
  }

  /** Runs a function with permits of a name if they are free, and nobody waits for any here; otherwise resolves to undefined. */
  runIfAvailable<A>(
    name: string,
    f: leases.LeaseWork<A>,
    options?: DistributedSemaphoreOptions
  ): Promise<A | undefined> {
    const where = "DistributedSemaphore.runIfAvailable"
    const request = { where, name, permits: options?.permits ?? 1, tries: true }
    return leases.run(this[core.SemaphoreTypeId], request, options, f)
  }

  /** Takes permits of a name until the lease is given back. */
  acquire(name: string, options?: DistributedSemaphoreOptions): Promise<leases.DistributedLease> {
    const request = { where: "DistributedSemaphore.acquire", name, permits: options?.permits ?? 1 }
    return leases.acquire(this[core.SemaphoreTypeId], request, options) as Promise<leases.DistributedLease>
  }

  /** Takes permits of a name if they are free, and nobody waits for any here; otherwise resolves to undefined. */
  tryAcquire(name: string, options?: DistributedSemaphoreOptions): Promise<leases.DistributedLease | undefined> {
    const where = "DistributedSemaphore.tryAcquire"
    const request = { where, name, permits: options?.permits ?? 1, tries: true }
    return leases.acquire(this[core.SemaphoreTypeId], request, options)
  }

  /** A frozen snapshot of this process. */
  stats(): core.Stats {
    return this[core.SemaphoreTypeId].stats()
  }
}
