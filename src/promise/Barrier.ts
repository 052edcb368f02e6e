/**
 * A cyclic barrier for `async` functions: parties that wait for each other, again and again.
 *
 * @since 0.1.0
 */
import type * as Effects from "../Barrier.js"
import { callable, record } from "../core/arguments.js"
import * as core from "../core/barrier.js"
import { BrokenBarrier } from "../core/errors.js"
import { wake } from "../core/ticket.js"
import { checkWait, wait, type WaitOptions } from "./park.js"
import { view } from "./view.js"

/**
 * How a barrier is made.
 *
 * @since 0.1.0
 */
export interface BarrierOptions {
  /** What the last to arrive does before anybody passes. When it throws or rejects, the barrier is broken. */
  readonly action?: (() => unknown) | undefined
  /**
   * What an aborted or timed-out wait does to the others: `"withdraw"`, the default, has them wait for one more to arrive in its place;
   * `"break"` breaks the barrier.
   */
  readonly onInterrupt?: core.OnInterrupt | undefined
}

/**
 * A place where a number of parties wait for each other. The same machine as the Effect module's `Barrier`; `Barrier.from` shares one.
 *
 * **When to use**: when functions work in phases, and nobody may begin one before all have ended the last.
 *
 * **Details**: the last to arrive runs the action, if there is one, and all pass. A barrier is broken by `abort`, by an action that does
 * not succeed (which the last arrival rejects with), or by an abort or timeout with `onInterrupt: "break"`; then every arrival rejects with
 * `BrokenBarrier` until `reset`.
 *
 * **Interruption**: a party that is aborted or times out before all have arrived withdraws or breaks the barrier, as chosen. Once all have
 * arrived the others pass without it. The last to arrive does not wait: its signal and timeout do not reach the action that it runs.
 *
 * **Fairness**: parties pass in order of arrival, the last one first.
 *
 * @example
 * import { Barrier } from "effect-concurrency/promise"
 *
 * const log: Array<string> = []
 * const barrier = new Barrier(2, { action: () => log.push("both are ready") })
 * const party = async (name: string) => {
 *   log.push(`${name} gets ready`)
 *   await barrier.wait()
 *   log.push(`${name} goes`)
 * }
 * await Promise.all([party("a"), party("b")])
 *
 * console.log(log[2]) // => both are ready
 *
 * @since 0.1.0
 */
export class Barrier {
  /** @internal */
  declare readonly [core.TypeId]: core.State
  /** @internal */
  readonly action: (() => unknown) | undefined

  constructor(parties: number, options: BarrierOptions = {}) {
    const { action, onInterrupt } = record("new Barrier", options)
    if (action !== undefined) callable("new Barrier", "action", action)
    this[core.TypeId] = core.make("new Barrier", parties, onInterrupt)
    this.action = action
  }

  /** A view of the barrier that an Effect program, or other plain code, uses. */
  static from<E>(barrier: Effects.Barrier<E> | Barrier): Barrier {
    return view(Barrier.prototype, "Barrier", core.TypeId, barrier, { action: barrier?.action })
  }

  /** Arrives, waits for the others, and gives the arrival index: 0 for the first, and so on. */
  async wait(options?: WaitOptions): Promise<number> {
    const state = this[core.TypeId]
    checkWait("Barrier.wait", options)
    const arrival = core.arrive(state)
    if (arrival === undefined) throw new BrokenBarrier()
    if (!arrival.isLast) return outcome(await wait("Barrier.wait", state, arrival, options, core.enqueue, core.cancel))
    try {
      if (this.action !== undefined) await this.action()
    } catch (error) {
      wake(core.fail(state, arrival))
      throw error
    }
    wake(core.pass(state, arrival))
    return outcome(core.result(arrival))
  }

  /** Rejects all who wait with `BrokenBarrier`, and starts afresh; a broken barrier works again. */
  reset(): void {
    wake(core.reset(this[core.TypeId]))
  }

  /** Rejects all who wait with `BrokenBarrier`, and all who come, until `reset`. */
  abort(): void {
    wake(core.abort(this[core.TypeId]))
  }

  /** Whether the barrier is broken. */
  get isBroken(): boolean {
    return this[core.TypeId].broken
  }

  /** A frozen snapshot. */
  stats(): core.Stats {
    return core.stats(this[core.TypeId])
  }
}

const outcome = (result: number): number => {
  if (result === core.Broken) throw new BrokenBarrier()
  return result
}
