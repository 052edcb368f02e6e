/**
 * A cyclic barrier for `async` functions on several machines: parties that wait for each other, wherever they run, again and again.
 *
 * @since 0.1.0
 */
import { BrokenBarrier } from "../../core/errors.js"
import type { Result } from "../../core/lookout.js"
import { checkName } from "../../core/naming.js"
import * as core from "../../core/parties.js"
import type * as Effects from "../../distributed/DistributedBarrier.js"
import { checkWait, wait, type WaitOptions } from "../park.js"
import { view } from "../view.js"
import { makeParties, type PartyStore } from "./parties.js"
import { asked } from "./storePort.js"

/**
 * How a barrier is made.
 *
 * @since 0.1.0
 */
export interface DistributedBarrierOptions {
  /** How many have to arrive: an integer, 1 or more. */
  readonly parties: number
  /**
   * For how many milliseconds a party is relied on that is not heard of: from 100 to a day. It is heard of every third of that, or more often, for as
   * long as it waits. So this is no limit for the wait, but how long the others wait after a party has died. Default: 10,000.
   */
  readonly lease?: number | undefined
  /**
   * What an aborted or timed-out wait does to the others: `"withdraw"`, the default, has them wait for one more to arrive in its place;
   * `"break"` breaks the barrier, as soon as the store has heard of both the arrival and the end of the wait; without an arrival it breaks nothing.
   */
  readonly onInterrupt?: core.OnInterrupt | undefined
  /**
   * The most milliseconds between two questions while somebody waits, should the store's message that all have arrived be lost: from 10 to a day. Each
   * time it is between three quarters and all of that, at random. Default: 1,000.
   */
  readonly poll?: number | undefined
  /** What the names of the instance are put under in the store. Default: `"barrier"`. */
  readonly prefix?: string | undefined
}

/**
 * Places by name, at each of which a number of parties wait for each other, of all processes that share a store. The same machine as the Effect module's
 * `DistributedBarrier`, which says in full what is promised; `DistributedBarrier.from` shares one.
 *
 * **When to use**: when workers on several machines work in phases, and none may begin one before all have ended the last. Within one process, use
 * `Barrier`.
 *
 * **Details**: the last to arrive lets all pass. A barrier is broken by `abort`, by an abort or timeout with `onInterrupt: "break"`, and by a party that is
 * lost: whose process has died, was stopped, or could not reach the store for the length of its lease. Then every arrival rejects with
 * `BrokenBarrier`, until `reset`. A party that itself could not reach the store for so long rejects with `LeaseLost`: the others may have passed. An
 * arrival that fails is put once more, at once; if that fails, too, `wait` rejects with what the store rejected with.
 *
 * **Interruption**: a party that is aborted or times out leaves at once. Before all have arrived it withdraws or breaks the barrier, as chosen, in
 * the background. Once all have arrived the others pass without it.
 *
 * **Fairness**: an index says in which order the parties came to the store. They pass in no particular order.
 *
 * @example
 * import { DistributedBarrier, partyStoreMemory } from "effect-concurrency/promise/distributed"
 *
 * const barrier = new DistributedBarrier(partyStoreMemory(), { parties: 2 })
 *
 * console.log(await Promise.all([barrier.wait("phase 1"), barrier.wait("phase 1")])) // => [ 0, 1 ]
 *
 * @since 0.1.0
 */
export class DistributedBarrier {
  /** @internal */
  declare readonly [core.TypeId]: core.Parties

  constructor(store: PartyStore, options: DistributedBarrierOptions) {
    this[core.TypeId] = makeParties("DistributedBarrier", store, core.config("new DistributedBarrier", options))
  }

  /** A view of the barriers that an Effect program, or other plain code, uses. */
  static from(barrier: Effects.DistributedBarrier<unknown> | DistributedBarrier): DistributedBarrier {
    return view(DistributedBarrier.prototype, "DistributedBarrier", core.TypeId, barrier)
  }

  /** Arrives, waits for the others, and gives the arrival index: 0 for the first, and so on. */
  async wait(name: string, options?: WaitOptions): Promise<number> {
    const where = "DistributedBarrier.wait"
    const self = this[core.TypeId]
    checkName(where, name)
    checkWait(where, options)
    const arrival = self.arrival(name)
    await wait<core.Arrival, undefined, Result>(
      where,
      arrival,
      undefined,
      options,
      (arrival, ticket) => self.enqueue(arrival, ticket),
      (arrival, ticket) => self.cancel(arrival, ticket)
    )
    const outcome = arrival.outcome!
    if (outcome.kind === "passed") return outcome.index
    if (outcome.kind === "broken") throw new BrokenBarrier()
    throw outcome.kind === "lost" ? outcome.loss : self.port.errorOf(outcome.failure)
  }

  /** Rejects all who wait with `BrokenBarrier`, and starts afresh; a broken barrier works again. */
  reset(name: string): Promise<void> {
    return asked<core.Port, void>(this[core.TypeId], "DistributedBarrier.reset", name, (port, name, done, fail) =>
      port.reset(name, done, fail)
    )
  }

  /** Rejects all who wait with `BrokenBarrier`, and all who come, until `reset`. */
  abort(name: string): Promise<void> {
    return asked<core.Port, void>(this[core.TypeId], "DistributedBarrier.abort", name, (port, name, done, fail) =>
      port.abort(name, done, fail)
    )
  }

  /** Whether the barrier of a name is broken. */
  isBroken(name: string): Promise<boolean> {
    return asked<core.Port, boolean>(
      this[core.TypeId],
      "DistributedBarrier.isBroken",
      name,
      (port, name, answer, fail) => port.isBroken(name, answer, fail)
    )
  }

  /** A frozen snapshot of this process. */
  stats(): core.Stats {
    return this[core.TypeId].stats()
  }
}
