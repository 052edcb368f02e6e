/**
 * The only place where a wake time becomes a timer of the platform.
 *
 * @internal
 */
import { type Time, Timekeeper } from "../core/timekeeper.js"
import type { Timer } from "../core/timers.js"
import { now } from "./clock.js"

/** Past this a timer of the platform would fire at once: it is set again. */
const longest = 2 ** 31 - 1

/** A timekeeper on the platform's clock, looked up when it is needed, so that fake timers work. */
export const platformTime = (): Timekeeper =>
  new Timekeeper({
    now,
    sleep(milliseconds, ring) {
      const handle = setTimeout(ring, Math.min(Math.ceil(milliseconds), longest))
      return () => clearTimeout(handle)
    }
  })

/** What Node hands out. In a browser it is a number: nothing there keeps a process alive. */
interface Handle {
  readonly ref?: () => void
  readonly unref?: () => void
}

/**
 * The platform's clock with a timer of its own for each, which fires in the `AsyncLocalStorage` context of whoever sets it: for what calls
 * user code when it fires. A timer that is idle does not keep the process alive.
 */
export const ownTimers: Time = {
  now,
  set(timer, at, idle = false) {
    if (timer.at === at && timer.handle !== undefined) return keepAlive(timer, !idle)
    this.clear(timer)
    timer.at = at
    if (at < Infinity) sleep(timer, !idle)
  },
  clear(timer) {
    clearTimeout(timer.handle as undefined)
    timer.handle = undefined
  }
}

const sleep = (timer: Timer, alive: boolean): void => {
  const left = Math.max(0, timer.at - now())
  const ring = () => {
    timer.handle = undefined
    if (left > longest) sleep(timer, alive)
    else timer.fire()
  }
  timer.handle = setTimeout(ring, Math.min(Math.ceil(left), longest))
  if (!alive) keepAlive(timer, alive)
}

const keepAlive = (timer: Timer, alive: boolean): void => {
  const handle = timer.handle as Handle
  if (alive) handle.ref?.()
  else handle.unref?.()
}
