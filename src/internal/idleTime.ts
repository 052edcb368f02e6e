/**
 * A program's time, for what may be left lying without work: a timer that nobody waits for does not keep the process alive.
 *
 * A sleeping fiber does, so on the platform's clock such a timer is one of the platform's, which can be told not to. On any other clock, that of a
 * test say, it sleeps like the others: nothing keeps the process alive there.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type { Time, Timekeeper } from "../core/timekeeper.js"
import type { Timer } from "../core/timers.js"
import { clockOf, liveClock, withFiber } from "./effect.js"
import { timekeeperOf } from "./timer.js"

/** Past this a timer of the platform would fire at once: it is set again. */
const longest = 2 ** 31 - 1

class IdleTime implements Time {
  constructor(private readonly timekeeper: Timekeeper) {}

  now(): number {
    return this.timekeeper.now()
  }

  set(timer: Timer, at: number, idle = false): void {
    this.forget(timer)
    if (!idle || at === Infinity) return this.timekeeper.set(timer, at)
    this.timekeeper.clear(timer)
    this.sleep(timer, at)
  }

  clear(timer: Timer): void {
    this.forget(timer)
    this.timekeeper.clear(timer)
  }

  private sleep(timer: Timer, at: number): void {
    const left = Math.max(0, at - this.now())
    const ring = () => {
      timer.handle = undefined
      if (left > longest) this.sleep(timer, at)
      else timer.fire()
    }
    const handle: unknown = setTimeout(ring, Math.min(Math.ceil(left), longest))
    // In a browser it is a number: nothing there keeps a process alive.
    ;(handle as { unref?: () => void }).unref?.()
    timer.handle = handle
  }

  private forget(timer: Timer): void {
    if (timer.handle === undefined) return
    clearTimeout(timer.handle as number)
    timer.handle = undefined
  }
}

/** The time of the fiber that asks. */
export const idleTime: Effect.Effect<Time> = withFiber((fiber) => {
  const timekeeper = timekeeperOf(fiber)
  return Effect.succeed(clockOf(fiber) === liveClock() ? new IdleTime(timekeeper) : timekeeper)
})
