/**
 * An event for `async` functions: a flag to wait for.
 *
 * @since 0.1.0
 */
import * as core from "../core/event.js"
import { wake } from "../core/ticket.js"
import type * as Effects from "../Event.js"
import { checkWait, wait, type WaitOptions } from "./park.js"
import { view } from "./view.js"

/**
 * A flag that is set or not, and those who wait for it to be set. The same machine as the Effect module's `Event`; `Event.from` shares one.
 *
 * **When to use**: to start several functions at once, or to tell them that something has happened.
 *
 * **Details**: who waits when the flag is set is woken, even if it is cleared in the same tick; who comes after that waits.
 *
 * **Interruption**: an aborted or timed-out wait leaves at once, and nobody else notices.
 *
 * **Fairness**: waiters are woken in order of arrival.
 *
 * @example
 * import { Event } from "effect-concurrency/promise"
 *
 * const started = new Event()
 * const runner = started.wait().then(() => "off they go")
 * started.set()
 *
 * console.log(await runner) // => off they go
 *
 * @since 0.1.0
 */
export class Event {
  /** @internal */
  declare readonly [core.TypeId]: core.State

  constructor() {
    this[core.TypeId] = core.make()
  }

  /** A view of the event that an Effect program, or other plain code, uses. */
  static from(event: Effects.Event | Event): Event {
    return view(Event.prototype, "Event", core.TypeId, event)
  }

  /** Waits until the flag is set; with a flag that is set, does not wait. */
  async wait(options?: WaitOptions): Promise<void> {
    const state = this[core.TypeId]
    checkWait("Event.wait", options)
    if (!state.isSet) await wait("Event.wait", state, undefined, options, core.enqueue, core.cancel)
  }

  /** Sets the flag and wakes all who wait. */
  set(): void {
    wake(core.set(this[core.TypeId]))
  }

  /** Clears the flag. Who was woken stays woken. */
  clear(): void {
    core.clear(this[core.TypeId])
  }

  /** Wakes all who wait now, and leaves the flag as it is. */
  pulse(): void {
    wake(core.pulse(this[core.TypeId]))
  }

  /** Whether the flag is set. */
  get isSet(): boolean {
    return this[core.TypeId].isSet
  }

  /** A frozen snapshot. */
  stats(): core.Stats {
    return core.stats(this[core.TypeId])
  }
}
