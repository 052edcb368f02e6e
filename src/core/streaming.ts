/**
 * The flow: items from a source, through a number of calls at a time, to whoever asks for results.
 *
 * State: who waits for a result, who waits for the end, and which workers have nothing to do; what the source gave and was not started; the
 * entries, which are the items that were started and whose results were not handed over; whether the source owes an answer, and whether
 * it is open; whether the flow was stopped, and what has failed; whether a worker was called and has not come yet.
 *
 * It reads ahead of those who wait by a fixed number of entries, and asks the source only when the answer could be started at once. A
 * failure stops the flow: nothing is started any more, what runs is waited for, then the source is closed. What was ready before is still
 * handed over. A flow that is stopped from outside hands over only what somebody waits for.
 *
 * Invariants:
 *
 * - I1 At most `concurrency` entries run.
 * - I2 Until the flow is stopped there are at most as many entries as wait for a result, and `ahead` more.
 * - I3 Nobody waits for a result while the next one is ready.
 * - I4 Nobody waits once the flow has ended: the source is closed, nothing runs, and nothing is left to start.
 * - I5 The source is asked once at a time, and neither asked nor closed after it was closed; and it is not closed while a call runs.
 * - I6 In order, a result is handed over after those of all items before it; a failed entry lets none behind it pass.
 * - I7 At most one worker is on its way. Who has come, and has taken what there is to do, calls the next if there is more; so calls that end
 *   at once cost one worker, and calls that take long get as many as they may.
 *
 * Transitions: `request`, `cancel`, `askFor` with `passed`, `next`, `enqueueIdle`, `cancelIdle`, `isShort`, `recruit` or `call`, `arrive`,
 * `give`, `endSource`, `failSource`, `unanswered`, `complete`, `drop`, `fail`, `stop`, `close`, `closed`, `take` with `took`.
 *
 * @internal
 */
import { expect, integer, record } from "./arguments.js"
import type { Chain, Ticket } from "./ticket.js"
import { settle } from "./ticket.js"
import type { WaitList } from "./waitList.js"
import * as waitList from "./waitList.js"

export interface Options {
  /** How many calls run at a time: an integer, 1 or more. Default 1. */
  readonly concurrency?: number | undefined
  /** Whether results come in the order of their items (the default) or as they are ready. */
  readonly ordered?: boolean | undefined
  /**
   * How many results may be ready before they are asked for, besides those of the calls that make up the concurrency: an integer, 0 or
   * more. Default 0. So nobody reads further ahead of the consumer than `concurrency - 1 + buffer` items.
   */
  readonly buffer?: number | undefined
}

/** An item that was started. */
export interface Entry<A, B> {
  readonly index: number
  readonly item: A
  status: "running" | "ready" | "failed" | "gone"
  value: B | undefined
  /** Its neighbours in the line for the consumer. */
  previous: Entry<A, B> | undefined
  next: Entry<A, B> | undefined
}

/** What there is to do: ask the source, close it, or work on an entry. */
export type Work<A, B> = Entry<A, B> | typeof Ask | typeof Close
export const Ask = Symbol("Ask")
export const Close = Symbol("Close")
const Start = Symbol("Start")

/** The result of an item that was filtered out. */
export const Skip = Symbol("Skip")

/** What comes after the last result. */
export const End = Symbol("End")

/** What has failed, in the order in which it was started. */
export class Failed {
  constructor(readonly errors: ReadonlyArray<unknown>) {}
}

export type Consumer<B> = Ticket<undefined, B | typeof End | Failed>
export type Closer = Ticket<undefined, typeof End | Failed>
export type Worker = Ticket<undefined, undefined>

export interface State<A, B> {
  readonly concurrency: number
  readonly ordered: boolean
  readonly ahead: number
  /** Whether items go through a call. An item that needs none and comes late is still handed to who waits for it. */
  readonly calls: boolean
  readonly waiting: WaitList<Consumer<B>>
  readonly closing: WaitList<Closer>
  readonly idle: WaitList<Worker>
  /** Whether a worker was called that has not come yet. */
  called: boolean
  /** What the source gave last, and how much of it was started. */
  supply: ReadonlyArray<A>
  taken: number
  /** The line, by its ends. In order: all that were started and not handed over. Otherwise: those that are ready. */
  first: Entry<A, B> | undefined
  last: Entry<A, B> | undefined
  /** How many run or are ready. */
  held: number
  running: number
  started: number
  /** Whether the source owes an answer. */
  asked: boolean
  source: "open" | "closing" | "closed"
  /** Whether nothing is started any more. */
  stopped: boolean
  /** Whether it was stopped from outside: what nobody waits for is dropped. */
  left: boolean
  failures: Array<{ readonly index: number; readonly error: unknown }>
  /** What it was stopped with, from outside. */
  reason: { readonly error: unknown } | undefined
}

export const make = <A, B>(where: string, options: Options = {}, calls = true): State<A, B> => {
  const { buffer = 0, concurrency = 1, ordered = true } = record(where, options)
  integer(where, "concurrency", concurrency, 1)
  integer(where, "buffer", buffer, 0)
  expect(typeof ordered === "boolean", where, "ordered", "a boolean", ordered)
  return {
    concurrency,
    ordered,
    ahead: concurrency - 1 + buffer,
    calls,
    waiting: waitList.make(),
    closing: waitList.make(),
    idle: waitList.make(),
    called: false,
    supply: nothing,
    taken: 0,
    first: undefined,
    last: undefined,
    held: 0,
    running: 0,
    started: 0,
    asked: false,
    source: "open",
    stopped: false,
    left: false,
    failures: [],
    reason: undefined
  }
}

const nothing: ReadonlyArray<never> = []

/** Somebody asks for a result. */
export const request = <A, B>(state: State<A, B>, ticket: Consumer<B>): Chain => {
  waitList.push(state.waiting, ticket)
  return advance(state)
}

/** Who asked is gone. A result that was handed over is lost with it: who leaves a flow leaves what was read ahead. */
export const cancel = <A, B>(_: State<A, B>, ticket: Consumer<B>): Chain => {
  if (!ticket.settled) waitList.remove(ticket)
  return undefined
}

/**
 * Asks the source for somebody who wants a result, if an answer that comes at once is to be his and nobody else's: it needs no call, and
 * nobody and nothing is before him. The caller goes on with `passed`; or with `request`, and then with what the answer is.
 */
export const askFor = <A, B>(state: State<A, B>): boolean => {
  const { asked, calls, held, source, stopped, supply, taken, waiting } = state
  if (calls || stopped || asked || source !== "open" || held + waiting.size > 0 || taken < supply.length) return false
  state.asked = true
  return true
}

/** The source has answered at once, with an item that was handed over. */
export const passed = <A, B>(state: State<A, B>): Chain => {
  state.started++
  return unanswered(state)
}

/** The next thing to do, which is the caller's from now on. */
export const next = <A, B>(state: State<A, B>): Work<A, B> | undefined => {
  const work = todo(state)
  if (work === Start) return start(state)
  if (work === Ask) state.asked = true
  if (work === Close) state.source = "closing"
  return work
}

const todo = <A, B>(state: State<A, B>): typeof Start | typeof Ask | typeof Close | undefined => {
  const { running, source } = state
  if (state.stopped) return running > 0 || source !== "open" ? undefined : Close
  if (running >= state.concurrency || state.held >= state.waiting.size + state.ahead) return undefined
  if (state.taken < state.supply.length) return Start
  return state.asked || source !== "open" ? undefined : Ask
}

const start = <A, B>(state: State<A, B>): Entry<A, B> => {
  const entry: Entry<A, B> = {
    index: state.started++,
    item: state.supply[state.taken++]!,
    status: "running",
    value: undefined,
    previous: undefined,
    next: undefined
  }
  if (state.taken === state.supply.length) refill(state, nothing)
  state.running++
  state.held++
  if (state.ordered) append(state, entry)
  return entry
}

const refill = <A, B>(state: State<A, B>, supply: ReadonlyArray<A>): void => {
  state.supply = supply
  state.taken = 0
}

const append = <A, B>(state: State<A, B>, entry: Entry<A, B>): void => {
  const { last } = state
  entry.previous = last
  if (last) last.next = entry
  else state.first = entry
  state.last = entry
}

const unlink = <A, B>(state: State<A, B>, entry: Entry<A, B>): void => {
  const { next, previous } = entry
  if (previous) previous.next = next
  else state.first = next
  if (next) next.previous = previous
  else state.last = previous
  entry.previous = entry.next = undefined
}

/** A worker has nothing to do: `next` gave nothing. */
export const enqueueIdle = <A, B>(state: State<A, B>, ticket: Worker): void => waitList.push(state.idle, ticket)

/** Whether there is something to do that nobody was called for. */
export const isShort = <A, B>(state: State<A, B>): boolean => !state.called && todo(state) !== undefined

/** Calls a worker that is idle, if there is something to do. */
export const recruit = <A, B>(state: State<A, B>): Chain => {
  if (state.idle.size === 0 || !isShort(state)) return undefined
  call(state)
  return settle(undefined, waitList.shift(state.idle)!, undefined)
}

/** A new worker is called. */
export const call = <A, B>(state: State<A, B>): void => {
  state.called = true
}

/** The worker that was called is there. */
export const arrive = <A, B>(state: State<A, B>): void => {
  state.called = false
}

/** A worker that had nothing to do is gone, and comes no more if it was called. */
export const cancelIdle = <A, B>(state: State<A, B>, ticket: Worker): Chain => {
  if (ticket.settled) arrive(state)
  else waitList.remove(ticket)
  return recruit(state)
}

/** The source answered with items; with none, it is asked again. Those that come when the flow was stopped are too late for a call. */
export const give = <A, B>(state: State<A, B>, items: ReadonlyArray<A>): Chain => {
  state.asked = false
  if (!state.stopped) refill(state, items)
  else if (!state.calls && state.source !== "closed") return advance(state, handLate(state, items))
  return advance(state)
}

/** An item that needs no call goes to who waits for it, although the flow was stopped. */
const handLate = <A, B>({ waiting }: State<A, B>, items: ReadonlyArray<A>): Chain => {
  let chain: Chain = undefined
  for (const item of items) {
    const consumer = waitList.shift(waiting)
    if (consumer) chain = settle<any>(chain, consumer, item)
  }
  return chain
}

/** The source answered that there is nothing more. */
export const endSource = <A, B>(state: State<A, B>): Chain => {
  state.asked = false
  // Being closed already, it is closed when it says so.
  if (state.source === "open") state.source = "closed"
  return advance(state)
}

/** The source answered with an error: it has closed itself. What runs goes on, since it came before. */
export const failSource = <A, B>(state: State<A, B>, error: unknown): Chain => {
  state.failures.push({ index: Infinity, error })
  return endSource(state)
}

/** Whoever asked the source is gone, and no answer will come. */
export const unanswered = <A, B>(state: State<A, B>): Chain => {
  state.asked = false
  return advance(state)
}

/** A call has ended with a result. */
export const complete = <A, B>(state: State<A, B>, entry: Entry<A, B>, value: B | typeof Skip): Chain => {
  if (value === Skip) {
    if (state.ordered) unlink(state, entry)
    return ending(state, entry, "gone")
  }
  entry.status = "ready"
  entry.value = value
  state.running--
  if (!state.ordered) append(state, entry)
  return advance(state)
}

/** A call has ended without a result, because it was told to. */
export const drop = <A, B>(state: State<A, B>, entry: Entry<A, B>): Chain => ending(state, entry, "failed")

/** A call has failed: the flow stops. The caller tells the other calls. */
export const fail = <A, B>(state: State<A, B>, entry: Entry<A, B>, error: unknown): Chain => {
  state.failures.push({ index: entry.index, error })
  state.stopped = true
  return ending(state, entry, "failed")
}

const ending = <A, B>(state: State<A, B>, entry: Entry<A, B>, status: "failed" | "gone"): Chain => {
  entry.status = status
  state.running--
  state.held--
  return advance(state)
}

/** Stops the flow from outside, with the error that is told in the end. What was ready and nobody waits for is dropped. */
export const stop = <A, B>(state: State<A, B>, reason?: { readonly error: unknown }): Chain => {
  if (!isOver(state) || ready(state)) state.reason ??= reason
  state.stopped = state.left = true
  return advance(state)
}

/** The consumer leaves: the flow stops, and the ticket is settled when it has ended. */
export const close = <A, B>(state: State<A, B>, ticket: Closer): Chain => {
  waitList.push(state.closing, ticket)
  return stop(state)
}

/** The source has been closed, or could not be. An answer that it still owes is not waited for. */
export const closed = <A, B>(state: State<A, B>, failure?: { readonly error: unknown }): Chain => {
  state.asked = false
  state.source = "closed"
  if (failure) state.failures.push({ index: Infinity, error: failure.error })
  return advance(state)
}

/** Whether a result can be handed over. */
export const ready = <A, B>({ first }: State<A, B>): boolean => first !== undefined && first.status === "ready"

/** Takes the result that is ready, without a wait. The caller goes on with `took`, in the same step. */
export const take = <A, B>(state: State<A, B>): B => hand(state)

/** Somebody took a result: there is room for another. */
export const took = <A, B>(state: State<A, B>): Chain => advance(state)

const hand = <A, B>(state: State<A, B>): B => {
  const entry = state.first!
  unlink(state, entry)
  state.held--
  return entry.value!
}

/** Whether nothing more can become ready. */
export const isOver = <A, B>({ asked, running, source, stopped, supply, taken }: State<A, B>): boolean =>
  source === "closed" && !asked && running === 0 && (stopped || taken === supply.length)

/** Hands over what is ready and waited for, and tells of the end. */
const advance = <A, B>(state: State<A, B>, chain?: Chain): Chain => {
  const { waiting } = state
  while (waiting.size > 0 && ready(state)) chain = settle<any>(chain, waitList.shift(waiting)!, hand(state))
  if (state.left) while (ready(state)) hand(state)
  if (!isOver(state)) return chain
  for (const list of [waiting, state.closing] as ReadonlyArray<WaitList<Closer>>) {
    for (let ticket = waitList.shift(list); ticket; ticket = waitList.shift(list)) {
      chain = settle(chain, ticket, outcome(state))
    }
  }
  return chain
}

/** What comes after the last result, the first time that it is asked for; afterwards it is just the end. */
const outcome = <A, B>(state: State<A, B>): typeof End | Failed => {
  const { failures, reason } = state
  state.failures = []
  state.reason = undefined
  if (failures.length > 0) return new Failed(failures.sort((a, b) => a.index - b.index).map(({ error }) => error))
  return reason ? new Failed([reason.error]) : End
}

/** Throws when an invariant does not hold. For tests. */
export const check = <A, B>(state: State<A, B>): void => {
  const { ahead, closing, concurrency, held, idle, ordered, running, source, stopped, waiting } = state
  for (const list of [waiting, closing, idle]) waitList.check(list)
  if (running > concurrency) throw new Error(`I1: ${running} of ${concurrency} run`)
  const entries = lineOf(state)
  const count = (status: string) => entries.filter((entry) => entry.status === status).length
  const counted = ordered ? count("running") + count("ready") : running + entries.length
  if (held !== counted || running < 0) throw new Error(`I2: ${held} are held, and ${counted} are there`)
  if (!stopped && held > waiting.size + ahead) throw new Error(`I2: ${held} for ${waiting.size} and ${ahead} ahead`)
  if (waiting.size > 0 && ready(state)) throw new Error(`I3: ${waiting.size} wait for what is ready`)
  if (isOver(state) && waiting.size + closing.size > 0) throw new Error("I4: somebody waits after the end")
  if (source === "closing" && running > 0) throw new Error("I5: closed while a call runs")
  if (ordered && entries.some((entry, i) => i > 0 && entry.index <= entries[i - 1]!.index)) {
    throw new Error("I6: the entries are not in order")
  }
}

const lineOf = <A, B>({ first, last }: State<A, B>): Array<Entry<A, B>> => {
  const entries: Array<Entry<A, B>> = []
  let previous: Entry<A, B> | undefined = undefined
  for (let entry = first; entry; previous = entry, entry = entry.next) {
    if (entry.previous !== previous) throw new Error("I6: links disagree")
    entries.push(entry)
  }
  if (last !== previous) throw new Error("I6: the end is not the last entry")
  return entries
}
