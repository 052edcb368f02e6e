/**
 * A circuit breaker on a clock: what both skins call.
 *
 * It is no core, for it tells whoever wants to know of a change, but it has no clock either: it is handed one, and an instance keeps that
 * of where it was made. It sets no timer: that its time is over is seen by the next who comes.
 *
 * @internal
 */
import type { Change, Phase, Snapshot, State, Stats } from "./breaker.js"
import * as core from "./breaker.js"

/** The clock that a breaker is handed. */
export interface Source {
  /** Milliseconds from whenever, and parts of them; they only grow. */
  now(): number
  /** Milliseconds of the calendar, which somebody may set. */
  wall(): number
}

/** Whether an error, or a value, is a failure of what is called. */
export interface Judgement {
  readonly isFailure?: ((error: unknown) => boolean) | undefined
  readonly isFailureResult?: ((value: any) => boolean) | undefined
}

export class Circuit {
  constructor(
    readonly state: State,
    private readonly source: Source,
    private readonly judgement: Judgement,
    /** Told when the change is made. It does not throw. */
    private readonly changed: ((change: Change) => void) | undefined
  ) {}

  /** Lets a call through, and gives what it is to be ended with; or the error of one that is refused. */
  begin(): number | core.CircuitOpen {
    const { state } = this
    const { phase } = state
    // To a breaker that is not open, time is nothing.
    const now = phase === "open" ? this.source.now() : 0
    const epoch = core.begin(state, now)
    if (epoch === undefined) return new core.CircuitOpen(state.name, core.retryAfter(state, now))
    this.tell(phase)
    return epoch
  }

  /** A call has ended with a value. Throws what the judgement throws: then the call does not count. */
  succeeded(epoch: number, value: unknown): void {
    const { isFailureResult } = this.judgement
    if (isFailureResult === undefined) this.succeed(epoch)
    else if (this.judge(epoch, isFailureResult, value)) this.fail(epoch)
    else this.succeed(epoch)
  }

  /** A call has ended with an error. Throws what the judgement throws: then the call does not count. */
  failed(epoch: number, error: unknown): void {
    const { isFailure } = this.judgement
    if (isFailure === undefined || this.judge(epoch, isFailure, error)) this.fail(epoch)
    else this.succeed(epoch)
  }

  /** A call has ended, and does not count: it was interrupted. */
  leave(epoch: number): void {
    core.leave(this.state, epoch)
  }

  private judge(epoch: number, isFailure: (outcome: unknown) => boolean, outcome: unknown): boolean {
    try {
      return isFailure(outcome)
    } catch (error) {
      this.leave(epoch)
      throw error
    }
  }

  private succeed(epoch: number): void {
    const { outcomes, phase } = this.state
    core.success(this.state, epoch, outcomes.timed ? this.source.now() : 0)
    this.tell(phase)
  }

  private fail(epoch: number): void {
    const { phase } = this.state
    core.failure(this.state, epoch, this.source.now())
    this.tell(phase)
  }

  trip(pause: number | undefined): void {
    const now = this.source.now()
    // Two changes, when its time was over: who is told of each finds that one begins where the one before has ended.
    this.change(() => core.expire(this.state, now))
    this.change(() => core.trip(this.state, now, pause))
  }

  reset(): void {
    this.change(() => core.reset(this.state))
  }

  snapshot(): Snapshot {
    return core.snapshot(this.state, this.source.now(), this.source.wall())
  }

  restore(where: string, snapshot: Snapshot): void {
    this.change(() => core.restore(where, this.state, snapshot, this.source.now(), this.source.wall()))
  }

  phase(): Phase {
    return core.phaseAt(this.state, this.source.now())
  }

  stats(): Stats {
    return core.stats(this.state, this.source.now())
  }

  /** Does something by hand, and tells of it if that is a change. */
  private change(transition: () => void): void {
    const { phase } = this.state
    transition()
    this.tell(phase)
  }

  private tell(before: Phase): void {
    if (this.state.phase !== before && this.changed !== undefined)
      this.changed(core.change(this.state, before, this.source.now()))
  }
}
