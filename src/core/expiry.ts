/**
 * The timer of a deadline, which follows it: both skins that share a deadline share this as well, and so its clock.
 *
 * It is no core, for it wakes who is told to stop.
 *
 * @internal
 */
import * as core from "./deadline.js"
import { wake } from "./ticket.js"
import type { Time } from "./timekeeper.js"
import { Timer } from "./timers.js"

export class Expiry extends Timer {
  constructor(
    readonly state: core.State,
    readonly time: Time
  ) {
    super()
  }

  /** After each transition: sets the timer if anybody works under the deadline, and takes it away otherwise. */
  follow(): void {
    const { state, time } = this
    const at = core.wakeAt(state)
    if (at < Infinity) time.set(this, at, state.waited === 0)
    else time.clear(this)
  }

  fire(): void {
    wake(core.fire(this.state))
  }
}
