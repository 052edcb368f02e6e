/** A clock for tests of what is driven by one, without an Effect or a promise. */
import type { Time } from "../../src/core/timekeeper.js"
import type { Timer } from "../../src/core/timers.js"

/** A clock that is moved by hand. */
export class HandClock implements Time {
  at = 0
  readonly timers = new Map<Timer, { readonly at: number; readonly idle: boolean }>()

  now(): number {
    return this.at
  }

  set(timer: Timer, at: number, idle = false): void {
    this.timers.set(timer, { at, idle })
  }

  clear(timer: Timer): void {
    this.timers.delete(timer)
  }

  /** Moves to a time, and fires what is due by then. */
  to(at: number): void {
    this.at = at
    for (const [timer, due] of this.timers) {
      if (due.at > at) continue
      this.timers.delete(timer)
      timer.fire()
    }
  }

  /** Moves to a time, and fires nothing: as when the process was stopped. */
  stopped(at: number): void {
    this.at = at
  }
}
