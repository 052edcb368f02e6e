/**
 * A clock with timers: what both skins give to whatever has to act at a time, each over a clock of its own.
 *
 * It is no core, for it calls what is due, but it has no clock either: it is handed one. What is made in an Effect program keeps that
 * program's clock, so plain code that uses the same instance is on the same time.
 *
 * @internal
 */
import type { Timer } from "./timers.js"
import * as timers from "./timers.js"

/** A clock with timers, as those use it who have to act at a time. */
export interface Time {
  /** Milliseconds from whenever, and parts of them; they only grow. */
  now(): number
  /**
   * Fires a timer at a time, or as soon as it can when that is past. Infinity: never. One that is set already is moved. Nobody waits for
   * one that is idle: it does not keep the process alive, if the clock can help it.
   */
  set(timer: Timer, at: number, idle?: boolean): void
  /** A timer that does not fire any more keeps nobody awake. */
  clear(timer: Timer): void
}

/** The clock that a timekeeper is handed. */
export interface Source {
  /** Milliseconds from whenever, and parts of them; they only grow. */
  now(): number
  /** Calls a function after some time, perhaps a little early. What it gives prevents that. */
  sleep(milliseconds: number, ring: () => void): () => void
}

export class Timekeeper implements Time {
  private readonly state = timers.make()
  private silence: (() => void) | undefined = undefined

  constructor(private readonly source: Source) {}

  now(): number {
    return this.source.now()
  }

  set(timer: Timer, at: number): void {
    if (timer.place >= 0 && timer.at === at) return
    this.clear(timer)
    if (at < Infinity && timers.add(this.state, timer, at)) this.wind()
  }

  clear(timer: Timer): void {
    if (timers.remove(this.state, timer)) this.stop()
  }

  private readonly ring = (): void => {
    this.silence = undefined
    const { source, state } = this
    const now = source.now()
    // Those that a fired one adds, for now perhaps, are for the next ring: or this one might never end.
    const { turns } = state
    try {
      for (let timer; (timer = timers.due(state, now, turns)) !== undefined;) timer.fire()
    } finally {
      // Also when one of them throws: the others must not pay for that.
      if (timers.rung(state)) this.wind()
    }
  }

  private wind(): void {
    this.stop()
    this.silence = this.source.sleep(Math.max(0, this.state.alarm - this.source.now()), this.ring)
  }

  private stop(): void {
    this.silence?.()
    this.silence = undefined
  }
}
