/**
 * The only place where a wake time becomes a sleep on Effect's clock.
 *
 * @internal
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scheduler from "effect/Scheduler"
import { type Source, Timekeeper } from "../core/timekeeper.js"
import type { AnyFiber } from "./effect.js"
import { clockOf, liveClock, liveScheduler, readNanos, schedulerOf, sleepThen, withFiber } from "./effect.js"

/**
 * One timekeeper for all that sleeps on one clock, so that any number of timers cost one sleeping fiber. That fiber runs where those do who
 * asked for it: a scheduler of their own (a test that controls the order of fibers) has a timekeeper of its own.
 */
const timekeepers = new WeakMap<Scheduler.Scheduler, WeakMap<Clock.Clock, Timekeeper>>()

const timekeeperFor = (scheduler: Scheduler.Scheduler, clock: Clock.Clock): Timekeeper => {
  let clocks = timekeepers.get(scheduler)
  if (clocks === undefined) timekeepers.set(scheduler, (clocks = new WeakMap()))
  let timekeeper = clocks.get(clock)
  if (timekeeper === undefined) clocks.set(clock, (timekeeper = sleepingOn(scheduler, clock)))
  return timekeeper
}

const sleepingOn = (scheduler: Scheduler.Scheduler, clock: Clock.Clock): Timekeeper =>
  new Timekeeper(new Sleeper(scheduler, clock))

/**
 * The sleep of a timekeeper. One that is not needed goes on until the next turn of the scheduler, and serves for the next that is not
 * shorter: where one timer after the other is set and cleared, as by timeouts in a row, that saves a fiber for each.
 */
class Sleeper implements Source {
  private until = Infinity
  private ring: (() => void) | undefined = undefined
  private wake: (() => void) | undefined = undefined
  private settling = false

  constructor(
    private readonly scheduler: Scheduler.Scheduler,
    private readonly clock: Clock.Clock
  ) {}

  now(): number {
    return readNanos(this.clock) / 1e6
  }

  sleep(milliseconds: number, ring: () => void): () => void {
    const until = this.now() + Math.min(milliseconds, longest)
    this.ring = ring
    if (this.wake === undefined || until < this.until) {
      this.wake?.()
      this.until = until
      this.wake = sleepThen(this.scheduler, this.clock, Math.min(milliseconds, longest), this.awake)
    }
    return this.cancel
  }

  private readonly awake = (): void => {
    const { ring } = this
    this.ring = this.wake = undefined
    ring?.()
  }

  private readonly cancel = (): void => {
    this.ring = undefined
    if (this.settling) return
    this.settling = true
    this.scheduler.scheduleTask(this.settle, 0)
  }

  private readonly settle = (): void => {
    this.settling = false
    if (this.ring !== undefined) return
    this.wake?.()
    this.wake = undefined
  }
}

/** A platform's timer that is set for longer fires at once, and Effect's clock never: it is set again. */
const longest = 2 ** 31 - 1

/** The timekeeper on the clock of a fiber. */
export const timekeeperOf = (fiber: AnyFiber): Timekeeper => timekeeperFor(schedulerOf(fiber), clockOf(fiber))

/** The timekeeper on the clock of the fiber that asks. */
export const timekeeper: Effect.Effect<Timekeeper> = withFiber((fiber) => Effect.succeed(timekeeperOf(fiber)))

/** The timekeeper on the platform's clock, for what is made outside of any fiber. */
export const liveTimekeeper = (): Timekeeper => timekeeperFor(liveScheduler(), liveClock())
