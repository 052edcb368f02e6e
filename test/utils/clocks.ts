/** Virtual clocks that jump to what is due next, so that an hour takes as long as what is done in it. */
import { Clock, type Duration, Effect, type Scheduler } from "effect"
import type { Source } from "../../src/core/timekeeper.js"

/** Timers and a time that is moved to the first of them. */
export class Jumps implements Source {
  time = 0
  private readonly timers = new Set<{ readonly due: number; readonly ring: () => void }>()

  /** @param grain timers count whole multiples of this, and are late by less than one. 0: they are exact. */
  constructor(private readonly grain: number) {}

  now(): number {
    return this.time
  }

  get size(): number {
    return this.timers.size
  }

  readonly sleep = (milliseconds: number, ring: () => void): (() => void) => {
    const length = this.grain === 0 ? milliseconds : Math.ceil(milliseconds / this.grain) * this.grain
    const timer = { due: this.time + length, ring }
    this.timers.add(timer)
    return () => void this.timers.delete(timer)
  }

  /** Goes to the first timer, and rings it. False: there is none before the end. */
  jump(end: number): boolean {
    let first: { readonly due: number; readonly ring: () => void } | undefined
    for (const timer of this.timers) if (first === undefined || timer.due < first.due) first = timer
    if (first === undefined || first.due >= end) return false
    this.timers.delete(first)
    this.time = Math.max(this.time, first.due)
    first.ring()
    return true
  }
}

/** A clock of Effect, and a scheduler that runs what it has when it is told to. */
export class JumpClock implements Clock.Clock {
  readonly [Clock.ClockTypeId]: Clock.ClockTypeId = Clock.ClockTypeId
  readonly jumps = new Jumps(1e-6)
  readonly currentTimeMillis = Effect.sync(() => this.unsafeCurrentTimeMillis())
  readonly currentTimeNanos = Effect.sync(() => this.unsafeCurrentTimeNanos())
  private tasks: Array<() => void> = []
  readonly fibers: Scheduler.Scheduler = {
    shouldYield: () => false,
    scheduleTask: (task) => void this.tasks.push(task)
  }

  unsafeCurrentTimeMillis(): number {
    return Math.floor(this.jumps.time)
  }

  unsafeCurrentTimeNanos(): bigint {
    return BigInt(Math.round(this.jumps.time * 1e6))
  }

  scheduler(): never {
    throw new Error("not needed")
  }

  sleep(duration: Duration.Duration): Effect.Effect<void> {
    return Effect.async((resume) => {
      const cancel = this.jumps.sleep(toMillis(duration), () => resume(Effect.void))
      return Effect.sync(cancel)
    })
  }

  /** Everything that can run now. */
  run(): void {
    while (this.tasks.length > 0) {
      const { tasks } = this
      this.tasks = []
      for (const task of tasks) task()
    }
  }
}

const toMillis = (duration: Duration.Duration): number => {
  const { millis, nanos } = duration.value as { millis: number; nanos?: bigint }
  return nanos === undefined ? millis : Number(nanos) / 1e6
}
