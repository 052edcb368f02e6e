/**
 * The circuit breaker: whether a call is let through, by what became of those before it.
 *
 * State: the phase; an epoch that advances with it, so that a call counts only in the phase in which it began; what is remembered of the
 * calls that ended while it is closed; until when it is open; how often in a row it opened; of the sample of calls that is let through
 * while it is half open, how many run, succeeded and failed; totals.
 *
 * Invariants:
 *
 * - I1 Closed: everybody is let through. What is remembered has not tripped the rule, unless by a success or by time that took successes
 *   away.
 * - I2 Open: nobody is let through before `until`. It is half open for the first who comes then, or who opens it anew.
 * - I3 Half open: at most `sample` calls run or have ended with an outcome. As long as none of them runs, one more is let through.
 * - I4 Half open: fewer than `successes` have succeeded, and so few failed that so many still can.
 * - I5 Unless it is closed, no outcome is remembered; unless it is half open, no sample.
 * - I6 A call changes nothing when it ends in another epoch than that in which it began, nor when it ends without an outcome, except that
 *   it leaves its place in the sample.
 * - I7 `openings` is 0 if, and only if, it has not opened since it was closed last.
 *
 * Transitions: `expire`, `begin`, `success`, `failure`, `leave`; `trip`, `reset`, `restore` by hand.
 *
 * @internal
 */
import { expect, integer, number, oneOf, record } from "./arguments.js"
import type { Backoff } from "./backoff.js"
import * as backoff from "./backoff.js"
import type { Outcomes, Saved, Trip } from "./outcomes.js"
import * as outcomes from "./outcomes.js"

export const TypeId = "~effect-concurrency/CircuitBreaker"

export type TypeId = typeof TypeId

/**
 * Closed: calls are let through, and their outcomes counted. Open: they are refused. Half open: a sample of them is let through, whose
 * outcomes decide.
 *
 * @since 0.1.0
 */
export type Phase = "closed" | "open" | "halfOpen"

/** How a breaker is made. Durations are milliseconds here. */
export interface Options {
  readonly name?: string | undefined
  readonly trip: Trip
  readonly halfOpen: HalfOpen
}

export interface HalfOpen {
  readonly after: number | Growing
  readonly sample?: number | undefined
  readonly successes?: number | undefined
}

export interface Growing {
  readonly base: number
  readonly factor?: number | undefined
  readonly cap?: number | undefined
}

export interface State {
  readonly name: string | undefined
  readonly outcomes: Outcomes
  readonly pause: Backoff
  readonly sample: number
  readonly successes: number
  phase: Phase
  epoch: number
  until: number
  openings: number
  running: number
  succeeded: number
  failed: number
  /** How often it opened, and how many calls it refused, since it was made. */
  opened: number
  refused: number
}

/**
 * The breaker did not let the call through: too many before it have failed.
 *
 * @since 0.1.0
 * @category errors
 */
export class CircuitOpen extends Error {
  readonly _tag = "CircuitOpen"
  override readonly name = "CircuitOpen"

  constructor(
    /** The name of the breaker, if it has one. */
    readonly breaker: string | undefined,
    /**
     * In so many milliseconds calls are let through again; Infinity: not before somebody resets it. Undefined: it is half open, and those
     * that it has let through will decide.
     */
    readonly retryAfter: number | undefined
  ) {
    const name = breaker === undefined ? "" : ` ${JSON.stringify(breaker)}`
    super(
      retryAfter === undefined
        ? `the circuit breaker${name} is half open, and waits for calls that it has let through`
        : `the circuit breaker${name} is open${retryAfter < Infinity ? `: retry after ${Math.ceil(retryAfter)} ms` : ""}`
    )
  }
}

export const make = (where: string, options: Options): State => {
  const { halfOpen, name, trip } = record(where, options)
  expect(name === undefined || typeof name === "string", where, "name", "a string", name)
  const memory = outcomes.make(where, trip)
  expect(typeof halfOpen === "object" && halfOpen !== null, where, "halfOpen", "an object", halfOpen)
  const { after, sample = 1 } = halfOpen
  integer(where, "sample", sample, 1)
  const { successes = sample } = halfOpen
  return {
    name,
    outcomes: memory,
    pause: pauseOf(where, after),
    sample,
    successes: integer(where, "successes", successes, 1, sample),
    phase: "closed",
    epoch: 0,
    until: 0,
    openings: 0,
    running: 0,
    succeeded: 0,
    failed: 0,
    opened: 0,
    refused: 0
  }
}

const pauseOf = (where: string, after: number | Growing): Backoff => {
  if (typeof after === "object" && after !== null) {
    number(where, "base", after.base, 0)
    const { base, cap = 10 * base, factor } = after
    return backoff.make(where, { base, factor, cap, jitter: "none" })
  }
  number(where, "after", after, 0)
  expect(after < Infinity, where, "after", "a finite number of milliseconds", after, "number")
  return backoff.make(where, { base: after, factor: 1, cap: after, jitter: "none" })
}

// --------------------------------------------------------------------------------------------------------------------------- calls

const places = ({ failed, running, sample, succeeded }: State): number => sample - running - succeeded - failed

/** One that is open is half open once its time is over: for whoever comes then, and for whoever opens it anew. */
export const expire = (state: State, now: number): void => {
  if (phaseAt(state, now) !== state.phase) enter(state, "halfOpen")
}

/** Lets a call through, and gives the epoch to end it with; or refuses it. */
export const begin = (state: State, now: number): number | undefined => {
  if (state.phase === "closed") return state.epoch
  expire(state, now)
  if (state.phase === "open" || places(state) === 0) {
    state.refused++
    return undefined
  }
  state.running++
  return state.epoch
}

export const success = (state: State, epoch: number, now: number): void => {
  if (epoch !== state.epoch) return
  if (state.phase === "closed") return state.outcomes.record(now, false)
  state.running--
  if (++state.succeeded >= state.successes) close(state)
}

export const failure = (state: State, epoch: number, now: number): void => {
  if (epoch !== state.epoch) return
  if (state.phase === "closed") {
    state.outcomes.record(now, true)
    // Nobody who succeeds opens it, and nobody who comes.
    if (state.outcomes.tripped) open(state, now)
    return
  }
  state.running--
  if (++state.failed > state.sample - state.successes) open(state, now)
}

/** A call has ended, and says nothing about whether calls succeed: it was interrupted, say. */
export const leave = (state: State, epoch: number): void => {
  if (epoch === state.epoch && state.phase === "halfOpen") state.running--
}

const enter = (state: State, phase: Phase): void => {
  state.phase = phase
  state.epoch++
  state.outcomes.clear()
  state.running = state.succeeded = state.failed = 0
}

const open = (state: State, now: number, pause?: number): void => {
  enter(state, "open")
  state.opened++
  state.openings++
  stayOpen(state, now, pause)
}

const stayOpen = (state: State, now: number, pause: number | undefined): void => {
  state.until = now + (pause ?? backoff.pause(state.pause, state.openings, undefined, 0))
}

const close = (state: State): void => {
  enter(state, "closed")
  state.openings = 0
}

// ------------------------------------------------------------------------------------------------------------------------- by hand

/** Opens it, for as long as the options say, or so long. One that is open stays so, from now on; unless its time was over. */
export const trip = (state: State, now: number, pause: number | undefined): void => {
  expire(state, now)
  if (state.phase === "open") stayOpen(state, now, pause)
  else open(state, now, pause)
}

/** Closes it, and forgets. */
export const reset = (state: State): void => close(state)

/**
 * What a breaker knows, as data that can be saved as JSON. Instants are those of the calendar, in milliseconds since 1970.
 *
 * @since 0.1.0
 */
export interface Snapshot {
  readonly state: Phase
  /** Until when it is open. Null: until somebody resets it, or it is not open. */
  readonly until: number | null
  /** How often it has opened since it was closed last. */
  readonly openings: number
  /** What it remembers of the calls that have ended while it was closed. */
  readonly outcomes: Saved
}

export const snapshot = (state: State, now: number, wall: number): Snapshot => {
  const phase = phaseAt(state, now)
  state.outcomes.forget(now)
  return {
    state: phase,
    until: phase === "open" && state.until < Infinity ? state.until - now + wall : null,
    openings: state.openings,
    outcomes: state.outcomes.save(wall - now)
  }
}

/** Takes over what was saved. A sample begins anew: nobody knows what became of its calls. */
export const restore = (where: string, state: State, saved: Snapshot, now: number, wall: number): void => {
  const { openings, outcomes: memory, state: phase, until } = record(where, saved)
  oneOf(where, "state", phase, ["closed", "open", "halfOpen"])
  expect(until === null || Number.isFinite(until), where, "until", "a finite number, or null", until, "number")
  integer(where, "openings", openings, phase === "closed" ? 0 : 1, phase === "closed" ? 0 : Infinity)
  outcomes.checkSaved(where, memory)
  enter(state, phase)
  state.openings = openings
  state.until = until === null ? Infinity : until - wall + now
  if (phase === "closed") state.outcomes.load(memory, now, wall - now)
}

// -------------------------------------------------------------------------------------------------------------------- for a reader

/** The phase as the next call will find it: nothing happens when the time is over, until somebody comes. */
export const phaseAt = ({ phase, until }: State, now: number): Phase =>
  phase === "open" && now >= until ? "halfOpen" : phase

export const retryAfter = (state: State, now: number): number | undefined => {
  if (state.phase === "open") return Math.max(0, state.until - now)
  return state.phase === "closed" || places(state) > 0 ? 0 : undefined
}

/**
 * The breaker has another state.
 *
 * @since 0.1.0
 */
export interface Change {
  /** The name of the breaker, if it has one. */
  readonly name: string | undefined
  readonly from: Phase
  readonly to: Phase
  /** As in the stats. */
  readonly retryAfter: number | undefined
}

export const change = (state: State, from: Phase, now: number): Change =>
  Object.freeze({ name: state.name, from, to: state.phase, retryAfter: retryAfter(state, now) })

export interface Stats {
  /** The state as the next call will find it. */
  readonly state: Phase
  /** In how many milliseconds a call is let through: 0, now; Infinity, not before somebody resets it; undefined, that is being decided. */
  readonly retryAfter: number | undefined
  /** How many calls count now: those that the rule looks at or, half open, those of the sample that have ended. */
  readonly calls: number
  /** How many of them failed. */
  readonly failures: number
  /** How often it has opened since it was made. */
  readonly opened: number
  /** How many calls it has refused since it was made. */
  readonly refused: number
}

export const stats = (state: State, now: number): Stats => {
  state.outcomes.forget(now)
  return Object.freeze({
    state: phaseAt(state, now),
    retryAfter: retryAfter(state, now),
    calls: state.outcomes.calls + state.succeeded + state.failed,
    failures: state.outcomes.failures + state.failed,
    opened: state.opened,
    refused: state.refused
  })
}

/** Throws when an invariant does not hold. For tests. */
export const check = (state: State): void => {
  const { failed, openings, outcomes, phase, running, sample, succeeded, successes } = state
  outcomes.check()
  if (phase === "halfOpen") {
    if (running < 0 || running + succeeded + failed > sample)
      throw new Error(`I3: ${running} run, ${succeeded} succeeded and ${failed} failed, of ${sample}`)
    if (running === 0 && places(state) === 0) throw new Error("I3: nobody runs, and nobody can")
    if (succeeded >= successes || failed > sample - successes)
      throw new Error(`I4: ${succeeded} succeeded and ${failed} failed, and it is half open`)
  } else if (running + succeeded + failed > 0) throw new Error(`I5: a sample, and it is ${phase}`)
  if (phase !== "closed" && outcomes.calls > 0) throw new Error(`I5: ${outcomes.calls} outcomes, and it is ${phase}`)
  if ((phase === "closed") !== (openings === 0)) throw new Error(`I7: ${openings} openings, and it is ${phase}`)
}
