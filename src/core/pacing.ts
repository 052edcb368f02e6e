/**
 * Pacing: many calls of a function, few runs of it. What debounce and throttle have in common, and where they differ.
 *
 * State: lines, one a key. A line has a window, which is the time in which its calls belong together; the run in progress; the run that is
 * pending, which the next calls join; and the run that began last. A run has the latest arguments, who waits for it, and how it ended.
 *
 * A debounce opens a window with a call and keeps it open until there was none for `wait`. A throttle opens it with the start of a run,
 * and it lasts `wait`. The leading edge of a window is its first call, the trailing edge its end.
 *
 * Invariants:
 *
 * - I1 Runs of one line do not overlap: one is in progress, and at most one pending. Neither has ended.
 * - I2 A call is covered by one run: the pending one or, without a trailing edge, the last one. Nobody waits for a run that has ended.
 * - I3 There is a line while it has a run that has not ended, or its window is open: see `retire`.
 * - I4 Of a throttle, a run begins at least `wait` after the one before, unless it was flushed.
 * - I5 A failure of a run is somebody's: of whoever waited for it when it ended and is still there, or of one report.
 * - I6 A closed one takes no call.
 *
 * Transitions: `call`, `wait`, `leave`, `start`, `begun`, `end`, `late`, `told`, `flush`, `cancel`, `retire`, `close`.
 *
 * @internal
 */
import { expect, number, oneOf, record, refusal } from "./arguments.js"
import type { Chain, Ticket } from "./ticket.js"
import { concat, settle } from "./ticket.js"
import type { Timer } from "./timers.js"
import type { WaitList } from "./waitList.js"
import * as waitList from "./waitList.js"

export const DebounceTypeId = "~effect-concurrency/Debounce"
export const ThrottleTypeId = "~effect-concurrency/Throttle"

export type Kind = "Debounce" | "Throttle"

/** Which edges of a window are runs. */
export type Edges = "leading" | "trailing" | "both"

/** What closing does with calls that no run covers yet. */
export type OnClose = "flush" | "cancel"

/** How it is made. Durations are milliseconds here. */
export interface Options {
  readonly wait: number
  readonly maxWait?: number | undefined
  readonly edges?: Edges | undefined
  readonly onClose?: OnClose | undefined
  readonly name?: string | undefined
}

export interface State {
  readonly kind: Kind
  readonly name: string | undefined
  readonly wait: number
  readonly maxWait: number
  readonly leading: boolean
  readonly trailing: boolean
  readonly onClose: OnClose
  readonly lines: Map<unknown, Line>
  closed: boolean
}

export interface Line {
  readonly key: unknown
  /** When the window ends, as far as is known. */
  until: number
  /** When the last run began. */
  started: number
  running: Run | undefined
  pending: Run | undefined
  /** The run that began last: without a trailing edge it covers the calls of its window. */
  latest: Run | undefined
  /** The skin's, for when to look at it again. */
  timer: Timer | undefined
}

/** How a run ended. */
export interface End {
  readonly failed: boolean
  /** What it gave, or the error. */
  readonly value: unknown
  /** The skin's own account of it. */
  readonly account: unknown
}

/** Waits for a run. */
export type Waiting = Ticket<Run, End>

export interface Run {
  readonly line: Line
  /** Those of the latest call. */
  args: ReadonlyArray<unknown>
  /** How many calls it was made for. */
  calls: number
  /** When the first of them came. */
  readonly since: number
  /** Does not wait for the end of the window: it is a leading edge, or flushed. */
  atOnce: boolean
  status: "pending" | "running" | "ended" | "cancelled"
  readonly waiting: WaitList<Waiting>
  end: End | undefined
  /** How many were given the end, without those who went away in the same tick. */
  heard: number
  reported: boolean
  flushes: Array<Flush> | undefined
  /** What its callers share, what goes on at its end, and who works for it: the skin's. */
  shared: unknown
  over: unknown
  worker: unknown
}

/** Somebody who waits for several runs. */
export interface Flush {
  left: number
  gone: boolean
  ticket: Flushing | undefined
}

export type Flushing = Ticket<Flush, undefined>

/**
 * The call was cancelled before a run covered it, or came when the debounce was closed. Nothing has run for it.
 *
 * @since 0.1.0
 * @category errors
 */
export class DebounceCancelled extends Error {
  readonly _tag = "DebounceCancelled"
  override readonly name = "DebounceCancelled"

  constructor(
    /** Whether somebody cancelled, or it is closed. */
    readonly reason: "cancelled" | "closed"
  ) {
    super(why("debounced", reason))
  }
}

/**
 * The call was cancelled before a run covered it, or came when the throttle was closed. Nothing has run for it.
 *
 * @since 0.1.0
 * @category errors
 */
export class ThrottleCancelled extends Error {
  readonly _tag = "ThrottleCancelled"
  override readonly name = "ThrottleCancelled"

  constructor(
    /** Whether somebody cancelled, or it is closed. */
    readonly reason: "cancelled" | "closed"
  ) {
    super(why("throttled", reason))
  }
}

const why = (what: string, reason: "cancelled" | "closed"): string =>
  reason === "closed" ? `the ${what} function was not called: it is closed` : `the ${what} call was cancelled`

/** The error for calls that nothing runs for. */
export const cancellation = ({ kind }: State, reason: "cancelled" | "closed"): DebounceCancelled | ThrottleCancelled =>
  kind === "Debounce" ? new DebounceCancelled(reason) : new ThrottleCancelled(reason)

export const make = (where: string, kind: Kind, options: Options): State => {
  const isDebounce = kind === "Debounce"
  const defaultEdges = isDebounce ? "trailing" : "both"
  const { edges = defaultEdges, maxWait = Infinity, name, onClose = "flush", wait } = record(where, options)
  number(where, isDebounce ? "wait" : "interval", wait, 0)
  expect(wait < Infinity, where, isDebounce ? "wait" : "interval", "finite", wait, "number")
  oneOf(where, "edges", edges, ["leading", "trailing", "both"])
  expect(name === undefined || typeof name === "string", where, "name", "a string", name)
  number(where, "maxWait", maxWait, 0)
  if (maxWait < wait) throw refusal(where, "maxWait", `at least the wait of ${wait} ms`, maxWait, "number")
  if (maxWait < Infinity && edges === "leading")
    throw refusal(where, "maxWait", "given together with a trailing edge", maxWait, "number")
  return {
    kind,
    name,
    wait,
    maxWait,
    leading: edges !== "trailing",
    trailing: edges !== "leading",
    onClose: oneOf(where, "onClose", onClose, ["flush", "cancel"]),
    lines: new Map(),
    closed: false
  }
}

/** The line of a key, which is made if there is none. A call has to follow in the same step. */
export const lineOf = (state: State, key: unknown): Line => {
  let line = state.lines.get(key)
  if (line === undefined) {
    line = {
      key,
      until: -Infinity,
      started: -Infinity,
      running: undefined,
      pending: undefined,
      latest: undefined,
      timer: undefined
    }
    state.lines.set(key, line)
  }
  return line
}

// --------------------------------------------------------------------------------------------------------------------------- calls

/** Takes a call; gives the run that covers it. */
export const call = (state: State, line: Line, args: ReadonlyArray<unknown>, now: number): Run => {
  const inWindow = now < line.until
  // Only a number: whoever looks at the line later finds that it is not over yet.
  if (state.kind === "Debounce") line.until = now + state.wait
  const { pending } = line
  if (pending !== undefined) {
    pending.args = args
    pending.calls++
    return pending
  }
  if (inWindow && !state.trailing) return line.latest!
  if (!inWindow && !state.leading) line.until = now + state.wait
  return (line.pending = makeRun(line, args, now, !inWindow && state.leading))
}

const makeRun = (line: Line, args: ReadonlyArray<unknown>, since: number, atOnce: boolean): Run => ({
  line,
  args,
  calls: 1,
  since,
  atOnce,
  status: "pending",
  waiting: waitList.make(),
  end: undefined,
  heard: 0,
  reported: false,
  flushes: undefined,
  shared: undefined,
  over: undefined,
  worker: undefined
})

/** Waits for a run, which is the request of the ticket. One that comes late is settled at once. */
export const wait = (run: Run, ticket: Waiting): Chain => {
  if (run.end === undefined) {
    waitList.push(run.waiting, ticket)
    return undefined
  }
  run.heard++
  return settle(undefined, ticket, run.end)
}

/** The caller of a ticket is gone, and has not heard of the end. The run is made all the same: others may rely on it. */
export const leave = (run: Run, ticket: Waiting): Chain => {
  if (ticket.settled) run.heard--
  else waitList.remove(ticket)
  return undefined
}

// ---------------------------------------------------------------------------------------------------------------------------- runs

/** When the pending run is due, as far as the time is concerned. */
const dueAt = ({ maxWait }: State, { atOnce, line, since }: Run): number =>
  atOnce ? -Infinity : Math.min(line.until, since + maxWait)

/** When to look at a line again, unless its run ends before: for the run that is pending, or for the end of the window. */
export const wakeAt = (state: State, line: Line): number =>
  line.running !== undefined ? Infinity : line.pending === undefined ? line.until : dueAt(state, line.pending)

/** Begins the pending run, if it is due and none is in progress. */
export const start = (state: State, line: Line, now: number): Run | undefined => {
  const { pending, running } = line
  if (pending === undefined || running !== undefined || dueAt(state, pending) > now) return undefined
  line.pending = undefined
  line.running = line.latest = pending
  pending.status = "running"
  begun(state, pending, now)
  return pending
}

/** The function of a run in progress is called now: perhaps later than it was started, on a busy machine. */
export const begun = (state: State, { line }: Run, now: number): void => {
  line.started = now
  if (state.kind === "Debounce") return
  line.until = now + state.wait
  // A call that has come meanwhile is in the window after all.
  if (line.pending !== undefined && line.pending.flushes === undefined) line.pending.atOnce = false
}

/** A run has ended. To be followed by `late`, and by `told` once that is reported. */
export const end = (run: Run, end: End): Chain => {
  run.line.running = undefined
  run.status = "ended"
  return conclude(run, end)
}

const conclude = (run: Run, end: End): Chain => {
  run.end = end
  run.args = []
  run.heard = run.waiting.size
  return waitList.settleAll(run.waiting, undefined, end)
}

/** The failure that nobody hears of, for the one report of it. To be asked after `end`, and after `leave`. */
export const late = (run: Run): End | undefined => {
  if (run.status !== "ended" || !run.end!.failed || run.heard > 0 || run.reported) return undefined
  run.reported = true
  return run.end
}

/** What came of a run is everywhere that it belongs: tells who has flushed it. */
export const told = (run: Run): Chain => {
  const { flushes } = run
  run.flushes = undefined
  let chain: Chain = undefined
  for (const flush of flushes ?? []) {
    if (--flush.left === 0 && !flush.gone && flush.ticket) chain = settle(chain, flush.ticket, undefined)
  }
  return chain
}

/** Forgets a line of which nothing is left to know. True: it is gone. */
export const retire = (state: State, line: Line, now: number): boolean => {
  if (line.running !== undefined || line.pending !== undefined) return false
  if (now < line.until && !state.closed) return false
  // A line of the same key may have come since.
  if (state.lines.get(line.key) === line) state.lines.delete(line.key)
  return true
}

// ------------------------------------------------------------------------------------------------------------------------- by hand

/** Makes what is pending due, and gives something to wait with until that, and what is in progress, has ended. */
export const flush = (lines: Iterable<Line>): Flush => {
  const flush: Flush = { left: 0, gone: false, ticket: undefined }
  for (const { pending, running } of lines) {
    if (pending !== undefined) pending.atOnce = true
    for (const run of [running, pending]) {
      if (run === undefined) continue
      ;(run.flushes ??= []).push(flush)
      flush.left++
    }
  }
  return flush
}

/** Waits for a flush, which is the request of the ticket. */
export const awaitFlush = (flush: Flush, ticket: Flushing): Chain => {
  if (flush.left === 0) return settle(undefined, ticket, undefined)
  flush.ticket = ticket
  return undefined
}

export const leaveFlush = (flush: Flush): Chain => {
  flush.gone = true
  return undefined
}

/**
 * Drops what is pending, as if it had not been called, and gives those runs. The next call opens a window, unless that of a throttle is
 * open because something ran.
 */
export const cancel = (state: State, lines: Iterable<Line>, end: End): { runs: ReadonlyArray<Run>; chain: Chain } => {
  const runs: Array<Run> = []
  let chain: Chain = undefined
  for (const line of lines) {
    const { pending } = line
    line.until = state.kind === "Debounce" ? -Infinity : line.started + state.wait
    if (pending === undefined) continue
    line.pending = undefined
    pending.status = "cancelled"
    runs.push(pending)
    chain = concat(chain, concat(conclude(pending, end), told(pending)))
  }
  return { runs, chain }
}

/** Takes no more calls. */
export const close = (state: State): void => {
  state.closed = true
}

/** Whoever waits is what is waited for. */
export const itself = ({ kind }: State): string =>
  `a run of the ${kind.toLowerCase()} waits for itself, and would never end`

/** What is said of a failure that goes to the report. */
export const unheard = "it failed, and nobody waits for it"

/** A frozen snapshot. */
export interface Stats {
  /** How many keys it knows: those with a run that has not ended, or in whose window it is. */
  readonly keys: number
  /** How many calls are covered by no run that has begun. */
  readonly pending: number
  /** How many runs are in progress. */
  readonly running: number
  /** Whether it is closed. */
  readonly isClosed: boolean
}

export const pending = ({ lines }: State): number => {
  let calls = 0
  for (const { pending } of lines.values()) calls += pending?.calls ?? 0
  return calls
}

export const stats = (state: State): Stats => {
  let running = 0
  for (const line of state.lines.values()) if (line.running !== undefined) running++
  return Object.freeze({ keys: state.lines.size, pending: pending(state), running, isClosed: state.closed })
}

/** Throws when an invariant does not hold. For tests. */
export const check = (state: State, now: number, runs: Iterable<Run> = []): void => {
  for (const line of state.lines.values()) {
    const { pending, running } = line
    if (running !== undefined && (running.status !== "running" || running !== line.latest))
      throw new Error(`I1: the run in progress is ${running.status}`)
    if (pending !== undefined && pending.status !== "pending")
      throw new Error(`I1: the pending run is ${pending.status}`)
    if (running === undefined && pending === undefined && (now >= line.until || state.closed))
      throw new Error("I3: a line that nothing needs is kept")
  }
  for (const run of runs) {
    waitList.check(run.waiting)
    const { line } = run
    if (run.end !== undefined && run.waiting.size > 0)
      throw new Error(`I2: ${run.waiting.size} wait for a run that has ended`)
    if (run.end === undefined && run !== line.pending && run !== line.running) throw new Error("I2: a run was lost")
    if (run.end === undefined && state.lines.get(line.key) !== line)
      throw new Error("I3: a line that is needed was forgotten")
    if (run.heard < 0) throw new Error("I5: more have gone than were there")
    if (run.reported && !run.end?.failed) throw new Error("I5: what is no failure was reported")
  }
}
