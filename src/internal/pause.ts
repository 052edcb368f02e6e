/**
 * A pause of a fiber, on the one timer that all of a clock share.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type { Time } from "../core/timekeeper.js"
import { Timer } from "../core/timers.js"
import { yieldNow } from "./effect.js"

class Alarm extends Timer {
  constructor(private readonly resume: (effect: Effect.Effect<void>) => void) {
    super()
  }

  fire(): void {
    this.resume(Effect.void)
  }
}

/** Waits so many milliseconds. Of none, a turn is left: others go on, and an interruption is seen. */
export const pause = (time: Time, milliseconds: number): Effect.Effect<void> =>
  milliseconds <= 0
    ? yieldNow
    : Effect.async((resume) => {
        const alarm = new Alarm(resume)
        time.set(alarm, time.now() + milliseconds)
        return Effect.sync(() => time.clear(alarm))
      })
