/**
 * A clock that stands still while anybody is ready, and jumps to the next timer when nobody is.
 *
 * @internal
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { callback } from "../internal/effect.js"

export interface Timer {
  readonly due: number
  readonly fire: () => void
}

/** What the platform's timers take as "for ever", and so does this. */
const forever = 2 ** 31 - 1

export class VirtualClock implements Clock.Clock {
  readonly [Clock.ClockTypeId]: Clock.ClockTypeId = Clock.ClockTypeId
  /** Milliseconds since the run began. */
  now = 0
  /** In order of their time, and those of one time in order of creation. */
  private readonly timers: Array<Timer> = []

  /** As it was in the beginning. */
  reset(): void {
    this.now = 0
    this.timers.length = 0
  }

  get pending(): boolean {
    return this.timers.length > 0
  }

  schedule(fire: () => void, milliseconds: number): Timer {
    const timer = { due: this.now + Math.max(0, milliseconds), fire }
    if (milliseconds >= forever) return timer
    let index = this.timers.length
    while (index > 0 && this.timers[index - 1]!.due > timer.due) index--
    this.timers.splice(index, 0, timer)
    return timer
  }

  /** Says whether the timer was still to come. */
  cancel(timer: Timer): boolean {
    const index = this.timers.indexOf(timer)
    if (index >= 0) this.timers.splice(index, 1)
    return index >= 0
  }

  /** Jumps to the next timer and fires all that are due then. Says whether there was one. */
  advance(): boolean {
    const due = this.timers[0]?.due
    if (due === undefined) return false
    this.now = due
    while (this.timers[0]?.due === due) this.timers.shift()!.fire()
    return true
  }

  readonly currentTimeMillis = Effect.sync(() => this.unsafeCurrentTimeMillis())
  readonly currentTimeNanos = Effect.sync(() => this.unsafeCurrentTimeNanos())

  unsafeCurrentTimeMillis(): number {
    return this.now
  }

  unsafeCurrentTimeNanos(): bigint {
    return BigInt(Math.round(this.now * 1e6))
  }

  scheduler(): Effect.Effect<Clock.ClockScheduler> {
    return Effect.succeed({
      unsafeSchedule: (task, duration) => {
        const timer = this.schedule(task, Duration.toMillis(duration))
        return () => this.cancel(timer)
      }
    })
  }

  sleep(duration: Duration.Duration): Effect.Effect<void> {
    return Effect.suspend(() => {
      let timer: Timer | undefined = undefined
      return Effect.onInterrupt(
        callback<void>((resume) => {
          timer = this.schedule(() => resume(Effect.void), Duration.toMillis(duration))
        }),
        () => Effect.sync(() => timer && this.cancel(timer))
      )
    })
  }
}
