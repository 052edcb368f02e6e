/**
 * Debounce and throttle on a clock: what both skins call, and share.
 *
 * It is no core, for it starts what is due and wakes who waits, but it has no clock either: it is handed one. A line has one timer. A
 * call does not move it: it rings when the first call would have been due, and is set again for what has come since.
 *
 * @internal
 */
import { misuse } from "./arguments.js"
import type { End, Flush, Line, Run, State } from "./pacing.js"
import * as core from "./pacing.js"
import { wake } from "./ticket.js"
import type { Time } from "./timekeeper.js"
import { Timer } from "./timers.js"

/** What a skin does. */
export interface Runner {
  /** Calls the function, and says when that has `ended`. It has not when this returns. */
  start(run: Run): void
  /** Tells of a failure that nobody hears of, and then calls a function. */
  report(failure: End, told: () => void): void
  /**
   * Goes on when a run has ended, in the context of whoever calls this: for a skin to whom that matters. Otherwise the pacer goes on in
   * that of the run that has ended.
   */
  readonly after?: (running: Run, go: () => void) => void
  /** Whether whoever asks is, as far as can be seen, the function that is called for a run in progress. */
  readonly isInside?: (running: Run) => boolean
}

export class Pacer {
  constructor(
    readonly state: State,
    private readonly time: Time,
    private readonly key: ((...args: ReadonlyArray<any>) => unknown) | undefined,
    private readonly runner: Runner
  ) {}

  /**
   * Takes a call; gives the run that covers it, or nothing when it is closed. Whoever will wait for that, and for as long as it takes, says where:
   * from inside of a run of the same key it is refused.
   */
  call(args: ReadonlyArray<unknown>, where?: string): Run | undefined {
    const { state } = this
    if (state.closed) return undefined
    const line = core.lineOf(state, this.key?.(...args))
    if (line.running !== undefined) this.refuseItself(where, [line])
    const now = this.time.now()
    const before = line.pending
    const run = core.call(state, line, args, now)
    // What joins a pending run makes it due later, if anything: the timer rings in vain then. What an earlier run covers has nothing to wait for.
    if (run !== before && run === line.pending) this.proceed(line, now, true)
    return run
  }

  /** A caller has gone. */
  leave(run: Run, ticket: core.Waiting): undefined {
    core.leave(run, ticket)
    const failure = core.late(run)
    if (failure !== undefined) this.runner.report(failure, () => {})
  }

  /** The function is called, in a later step than that of the start: the time of a throttle counts from here. */
  begun(run: Run): void {
    core.begun(this.state, run, this.time.now())
  }

  /** A run has ended. */
  ended(run: Run, end: End): void {
    const { line } = run
    wake(core.end(run, end))
    const failure = core.late(run)
    const told = () => wake(core.told(run))
    if (failure === undefined) told()
    else this.runner.report(failure, told)
    if (line.pending === undefined || this.runner.after === undefined) this.proceed(line, this.time.now())
  }

  /** Runs what is pending, of one key or of all, as soon as it can. Whoever will wait for that says where, as for a call. */
  flush(where?: string, ...key: ReadonlyArray<unknown>): Flush {
    const lines = this.lines(key)
    this.refuseItself(where, lines)
    return this.hurry(lines)
  }

  private hurry(lines: ReadonlyArray<Line>): Flush {
    const flush = core.flush(lines)
    const now = this.time.now()
    for (const line of lines) this.proceed(line, now)
    return flush
  }

  /** Drops what is pending, of one key or of all; says of how many calls. */
  cancel(...key: ReadonlyArray<unknown>): number {
    return this.drop("cancelled", this.lines(key))
  }

  /** Takes no more calls, and runs or drops what is pending. What is given ends with the last run: in that it is refused to wait, and closed. */
  close(where?: string): Flush {
    core.close(this.state)
    if (this.state.onClose === "cancel") this.drop("closed", this.lines([]))
    const lines = this.lines([])
    const flush = this.hurry(lines)
    this.refuseItself(where, lines)
    return flush
  }

  /** A run that waits for what comes after it, or for its own end, would wait for ever. */
  private refuseItself(where: string | undefined, lines: ReadonlyArray<Line>): void {
    if (where === undefined) return
    const isInside = ({ running }: Line) => running !== undefined && this.runner.isInside?.(running)
    if (lines.some(isInside)) throw misuse(where, core.itself(this.state))
  }

  private drop(reason: "cancelled" | "closed", lines: ReadonlyArray<Line>): number {
    const { state } = this
    const error = core.cancellation(state, reason)
    const { chain, runs } = core.cancel(state, lines, { failed: true, value: error, account: undefined })
    const now = this.time.now()
    for (const line of lines) this.proceed(line, now)
    wake(chain)
    return runs.reduce((calls, run) => calls + run.calls, 0)
  }

  private lines(key: ReadonlyArray<unknown>): ReadonlyArray<Line> {
    const { lines } = this.state
    if (key.length === 0) return Array.from(lines.values())
    const line = lines.get(key[0])
    return line === undefined ? [] : [line]
  }

  /** Looks at a line: begins what is due, or sets the timer for that, or forgets the line. `created`: its pending run is new. */
  proceed(line: Line, now: number, created = false): void {
    const { runner, state, time } = this
    const { timer } = line
    const run = core.start(state, line, now)
    if (run !== undefined) {
      if (timer !== undefined) time.clear(timer)
      runner.start(run)
    } else if (line.running !== undefined) {
      if (created && line.pending !== undefined) runner.after?.(line.running, () => this.proceed(line, this.time.now()))
    } else if (core.retire(state, line, now)) {
      if (timer !== undefined) time.clear(timer)
    } else {
      // Set anew for a run that is new: a clock may call what it fires in the context of whoever has set it.
      if (created && timer !== undefined) time.clear(timer)
      time.set((line.timer ??= new LineTimer(this, line)), core.wakeAt(state, line), line.pending === undefined)
    }
  }

  now(): number {
    return this.time.now()
  }
}

class LineTimer extends Timer {
  constructor(
    private readonly pacer: Pacer,
    private readonly line: Line
  ) {
    super()
  }

  /** The platform's timers are a little early at times: it is as late as they say. */
  fire(): void {
    this.pacer.proceed(this.line, Math.max(this.pacer.now(), this.at))
  }
}
