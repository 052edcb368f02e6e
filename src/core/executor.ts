/**
 * The executor: a pool of workers, the work that waits for one, and what becomes of it when a worker or its caller goes.
 *
 * State: who waits to be let in; the queue; the workers, each with the jobs that it was handed, in order; those that have to go and have not
 * gone; what is to be done outside (`actions`); when a worker may be started again after failures; how far closing has got; totals.
 *
 * A job is *queued*, *offered* (it was sent, and waits in the worker behind others: it can be had back), *running*, *stopping* (it was told
 * to stop) or *ended*. A worker is *starting*, *ready*, *retiring* (it takes no more, and goes when it has nothing to do) or *gone*.
 *
 * Invariants:
 *
 * - I1 A job is in one place: outside, in the queue, or among one worker's jobs. One that has ended is in none.
 * - I2 A worker is sent no more jobs than it runs at a time, and `ahead` beside them, which are offered. Only one that is ready is sent any.
 * - I3 There are no more workers than `max`. One that is gone is none of them.
 * - I4 No job waits while a worker could run it; and if there could be one more worker, one is on its way, or its time is set.
 * - I5 What was offered is in the order of the queue: a job that comes with more priority takes it back.
 * - I6 A pool that closes takes nothing, and one that is closed has no job.
 * - I7 No more jobs are inside than there is room for, and nobody waits outside while there is room.
 * - I8 When a worker ends by itself somebody is told: those whose jobs it had, those who waited for it to start, or else the report.
 *
 * Transitions: `submit`, `submitNow`, `cancel`, `expire` (its time, or its grace, is over); of a worker `ready`, `answer`, `misstarted`,
 * `exited`; `warm`; `tick`, for what waits for a time; `close` and `terminate`. Each leaves in `actions` what is to be done.
 *
 * @internal
 */
import { integer } from "./arguments.js"
import type { Backoff } from "./backoff.js"
import * as backoff from "./backoff.js"
import * as board from "./board.js"
import type { Settings } from "./executorSettings.js"
import type { Durations, State as Histogram } from "./histogram.js"
import * as histogram from "./histogram.js"
import type { Call, End, Stop, Work } from "./job.js"
import { ExecutorClosed, ExecutorFull, Job, JobTimeout, WorkerDied } from "./job.js"
import { check as checkWorker, Worker } from "./poolWorker.js"
import { listed } from "./report.js"
import type { Chain, Ticket } from "./ticket.js"
import { concat, settle } from "./ticket.js"
import type { WaitList } from "./waitList.js"
import * as waitList from "./waitList.js"

export { settings } from "./executorSettings.js"
export type { Neighbours, Options, Settings } from "./executorSettings.js"

export const TypeId = "~effect-concurrency/Executor"

export type TypeId = typeof TypeId

// --------------------------------------------------------------------------------------------------------------------------- state

/** What is to be done outside, in order. */
export type Action =
  | { readonly do: "start"; readonly worker: Worker }
  /** Unless it has been had back since, and has another number. */
  | { readonly do: "send"; readonly worker: Worker; readonly call: Call; readonly id: number }
  | { readonly do: "stop"; readonly worker: Worker; readonly call: Call }
  /** It has nothing to do, and may clean up. */
  | { readonly do: "dismiss"; readonly worker: Worker }
  /** It is ended at once. */
  | { readonly do: "kill"; readonly worker: Worker }
  /** The time of a job has changed: see its `wakeAt`. */
  | { readonly do: "time"; readonly call: Call }
  /** Something that nobody waits for has gone wrong. */
  | { readonly do: "report"; readonly report: Report }

export interface Report {
  readonly where: "Executor" | "Executor.close"
  readonly message: string
  readonly error: unknown
}

/** Waits until so many workers are ready. */
export type Warming = Ticket<number, WorkerDied | ExecutorClosed | undefined>

/** Waits until no worker is left; is told which jobs had to be stopped for that. */
export type Closing = Ticket<undefined, ReadonlyArray<string>>

/** A job of somebody who waits until it is taken, and not until it has ended. */
export class StartedJob extends Job {
  constructor(
    work: Work,
    /** Settled when the job is taken, or has ended before. */
    readonly taken: Ticket<undefined, undefined>
  ) {
    super(work)
  }
}

export interface State {
  readonly settings: Settings
  readonly respawn: Backoff
  /** How many jobs may be inside: as many as the workers run, and the backlog beside them. */
  readonly room: number
  /** How many are: those in the queue, and those of the workers. */
  inside: number
  /** Who waits to be let in. */
  readonly outside: WaitList<Call>
  readonly queue: WaitList<Call>
  readonly workers: Set<Worker>
  /** Workers that are gone for the pool, and have not ended yet. */
  readonly leaving: Set<Worker>
  readonly warming: WaitList<Warming>
  readonly closing: WaitList<Closing>
  actions: Array<Action>
  stage: "open" | "draining" | "closed"
  /** When what has not ended is stopped so that the pool can close. */
  closeBy: number
  /** The names of the jobs that were. */
  readonly stopped: Array<string>
  ids: number
  starting: number
  /** No offered job has less priority than this. */
  leastOffered: number
  /** How often a worker has ended by itself since one has answered. */
  failures: number
  /** How often in a row one has before it was ready. */
  misstarts: number
  /** The newest worker that there was when one did so last. */
  misstarted: number
  /** Before that no worker is started. */
  startAt: number
  readonly totals: {
    done: number
    failed: number
    cancelled: number
    started: number
    died: number
    misstarted: number
  }
  readonly waits: Histogram
  readonly runs: Histogram
}

/** So often may a worker end before it is ready, until who waits for one is told. */
const startAttempts = 3

/** How long a worker may take to end once it was killed, in milliseconds, if the grace is not longer. */
const endsWithin = 2_000

/** How many workers are wanted; by default, as many as there may be. */
export const checkCount = (where: string, { settings }: State, count = settings.max): number =>
  integer(where, "count", count, 0, settings.max)

export const make = (settings: Settings): State => ({
  settings,
  respawn: { base: 100, factor: 2, cap: 2000, jitter: "none" },
  room: settings.max * settings.concurrency + settings.backlog,
  inside: 0,
  outside: waitList.make(),
  queue: waitList.make(),
  workers: new Set(),
  leaving: new Set(),
  warming: waitList.make(),
  closing: waitList.make(),
  actions: [],
  stage: "open",
  closeBy: Infinity,
  stopped: [],
  ids: 0,
  starting: 0,
  leastOffered: Infinity,
  failures: 0,
  misstarts: 0,
  misstarted: 0,
  startAt: 0,
  totals: { done: 0, failed: 0, cancelled: 0, started: 0, died: 0, misstarted: 0 },
  waits: histogram.make(),
  runs: histogram.make()
})

const report = (state: State, where: Report["where"], message: string, error: unknown): void =>
  void state.actions.push({ do: "report", report: { where, message, error } })

// ---------------------------------------------------------------------------------------------------------------------------- jobs

/** Takes a job, or has it wait outside until there is room. A pool that is closed settles it. */
export const submit = (state: State, call: Call, now: number): Chain => {
  if (state.stage !== "open") return finish(state, undefined, call, closed(call))
  call.request.since = now
  if (!hasRoom(state)) {
    waitList.push(state.outside, call)
    return undefined
  }
  return admit(state, call, now)
}

/** The same, but one for which there is no room is refused. */
export const submitNow = (state: State, call: Call, now: number): Chain => {
  if (state.stage !== "open" || hasRoom(state)) return submit(state, call, now)
  const job = call.request
  job.phase = "ended"
  return settle(undefined, call, { _tag: "Rejected", error: full(state, job), expected: true })
}

const full = ({ settings }: State, { work }: Job): ExecutorFull => new ExecutorFull(work.name, settings.backlog)

const hasRoom = ({ inside, room }: State): boolean => inside < room

const admit = (state: State, call: Call, now: number): Chain => {
  const chain = enter(state, undefined, call)
  assign(state, now)
  return chain
}

const enter = (state: State, chain: Chain, call: Call): Chain => {
  state.inside++
  waitList.push(state.queue, call)
  return taken(chain, call)
}

const taken = (chain: Chain, { request }: Call): Chain =>
  request instanceof StartedJob && !request.taken.settled ? settle(chain, request.taken, undefined) : chain

const busy = ({ workers }: State): number => {
  let count = 0
  for (const worker of workers) count += worker.calls.size
  return count
}

/** A caller does not want it any more. What waits goes at once; what runs is told, and ends by itself or when its grace is over. */
export const cancel = (state: State, call: Call, reason: unknown, now: number): Chain => {
  const job = call.request
  if (job.phase === "offered") takeBack(state, call, now)
  if (job.phase === "queued") {
    const over = waitList.has(state.outside, call) ? finish : end
    waitList.remove(call)
    return concat(over(state, undefined, call, { _tag: "Cancelled" }), rest(state, now))
  }
  if (job.phase === "running" && unsend(state, call, now)) {
    return concat(end(state, undefined, call, { _tag: "Cancelled" }), rest(state, now))
  }
  if (job.phase !== "ended") tell(state, call, { _tag: "Cancelled", reason }, now)
  return undefined
}

/** Has a job back that the worker was sent to run now, unless it has begun it. */
const unsend = (state: State, call: Call, now: number): boolean => {
  const job = call.request
  const worker = job.worker!
  if (worker.board === undefined || !board.takeBack(worker.board, job.slot, job.id)) return false
  worker.drop(call)
  worker.idleSince = now
  advance(state, worker, now)
  if (worker.phase === "retiring" && worker.calls.size === 0) dismiss(state, worker, now)
  return true
}

/** Goes on after something has ended without an answer. */
const rest = (state: State, now: number): Chain => {
  assign(state, now)
  return settleDown(state, now)
}

/** The time of a job is over, or its grace. */
export const expire = (state: State, call: Call, now: number): Chain => {
  const job = call.request
  if (job.phase === "running") {
    const stop: Stop = { _tag: "TimedOut" }
    if (unsend(state, call, now)) {
      job.stop = stop
      return concat(end(state, undefined, call, endOf(job, { _tag: "Cancelled" })), rest(state, now))
    }
    tell(state, call, stop, now)
    return undefined
  }
  return job.phase === "stopping" ? kill(state, job.worker!, now) : undefined
}

/** Tells a job to stop. Its grace begins. */
const tell = (state: State, call: Call, stop: Stop, now: number): void => {
  const job = call.request
  // The first reason counts.
  job.stop ??= stop
  if (job.phase === "stopping") return
  job.phase = "stopping"
  setTime(state, call, now + state.settings.grace)
  const { worker } = job
  if (worker!.board !== undefined) board.stop(worker!.board, job.slot, job.id)
  state.actions.push({ do: "stop", worker: worker!, call })
}

/** Ends a job that was inside, and lets in who has waited for its room. */
const end = (state: State, chain: Chain, call: Call, how: End): Chain => {
  state.inside--
  chain = finish(state, chain, call, how)
  while (state.outside.size > 0 && hasRoom(state)) chain = enter(state, chain, waitList.shift(state.outside)!)
  return chain
}

/** Settles a call, and counts it. */
const finish = (state: State, chain: Chain, call: Call, how: End): Chain => {
  const job = call.request
  job.phase = "ended"
  setTime(state, call, Infinity)
  const { totals } = state
  if (how._tag === "Value") totals.done++
  else if (how._tag === "Cancelled") totals.cancelled++
  else totals.failed++
  return settle(taken(chain, call), call, how)
}

/** What the end of a job is that was told to stop; otherwise as it says. */
const endOf = <E extends End | undefined>(job: Job, otherwise: E): End | E => {
  if (job.stop === undefined) return otherwise
  if (job.stop._tag === "Cancelled") return { _tag: "Cancelled" }
  return { _tag: "Failed", error: late(job, otherwise?._tag === "Rejected" ? otherwise.error : undefined) }
}

/** A job that fails while it stops has an error of its own, perhaps, which is the cause then. That it was stopped is none. */
const late = ({ work }: Job, error: unknown): JobTimeout => {
  const timeout = new JobTimeout(work.name, work.timeout)
  const name = (error as { readonly name?: unknown } | null | undefined)?.name
  if (error === undefined || name === timeout.name || name === "AbortError") return timeout
  return Object.defineProperty(timeout, "cause", { value: error, configurable: true, writable: true })
}

const closed = ({ request }: Call): End => ({
  _tag: "Failed",
  error: new ExecutorClosed(request.work.name, request.phase === "running" || request.phase === "stopping")
})

// --------------------------------------------------------------------------------------------------------------- handing out work

/** Hands out what can be handed out, and sees to it that there are workers for the rest. */
const assign = (state: State, now: number): void => {
  const { queue, settings } = state
  if (now >= state.startAt) fill(state, settings.min, now)
  if (settings.ahead > 0) relieve(state, now)
  if (queue.size > 0) makeWay(state, waitList.head(queue)!.priority, now)
  while (queue.size > 0) {
    const free = freest(state, settings.concurrency)
    if (free !== undefined) hand(state, free, waitList.shift(queue)!, now)
    else if (canStart(state)) {
      if (state.starting >= queue.size || now < state.startAt) return
      start(state, now)
    } else return offer(state, now)
  }
  if (settings.ahead > 0) spread(state, now)
}

/** How long a worker may be silent, in milliseconds, until what it was offered may be better off elsewhere. */
const slow = 2

const isSlow = (worker: Worker, now: number): boolean => now - worker.heardAt > slow

/** What waits behind a long job is first in line again, if another worker is quicker: so it is not overtaken by more than was sent ahead. */
const relieve = (state: State, now: number): void => {
  if (freest(state, Infinity, now) === undefined) return
  for (const worker of state.workers) {
    if (worker.offered === 0 || !isSlow(worker, now)) continue
    for (const call of offers(worker)) if (call.request.phase === "offered") takeBack(state, call, now)
  }
}

/**
 * Sends workers ahead what they will do next, if they are quick: to others it would be of no use. One that has more than half of what it may have gets
 * nothing: then several are sent with one message, and a worker is woken for all of them once.
 */
const offer = (state: State, now: number): void => {
  const { queue, settings } = state
  const { ahead, concurrency } = settings
  if (ahead === 0 || freest(state, concurrency + ahead / 2, now) === undefined) return
  while (queue.size > 0) {
    // What was moved to a worker cannot be had back, and so it is not offered.
    const next = isMoved(waitList.head(queue)!) ? undefined : freest(state, concurrency + ahead, now)
    if (next === undefined) return
    hand(state, next, waitList.shift(queue)!, now)
  }
}

/** Whether something of its arguments is moved: then it can be sent once. */
const isMoved = ({ request: { work } }: Call): boolean => work.transfer !== undefined && work.transfer.length > 0

/** The ready worker with the fewest jobs, if it has fewer than so many; with a time, of those that are quick. */
const freest = ({ workers }: State, below: number, now?: number): Worker | undefined => {
  let found: Worker | undefined
  for (const worker of workers) {
    if (worker.phase !== "ready" || worker.calls.size >= below) continue
    if (worker.calls.size === 0) return worker
    if (now !== undefined && isSlow(worker, now)) continue
    if (found === undefined || worker.calls.size < found.calls.size) found = worker
  }
  return found
}

const canStart = ({ settings, workers }: State): boolean => workers.size < settings.max

const start = (state: State, now: number): void => {
  const { ahead, concurrency, shared, startTimeout } = state.settings
  const worker = new Worker(++state.totals.started, shared ? concurrency + ahead : 0)
  worker.startBy = now + startTimeout
  state.workers.add(worker)
  state.starting++
  state.actions.push({ do: "start", worker })
}

/** Sends a job to a worker. */
const hand = (state: State, worker: Worker, call: Call, now: number): void => {
  if (worker.calls.size === 0) worker.heardAt = now
  worker.put(call, (state.ids = (state.ids % 0x7fff_ffff) + 1))
  if (worker.running > state.settings.concurrency) {
    worker.offered++
    call.request.phase = "offered"
    state.leastOffered = Math.min(state.leastOffered, call.priority)
  } else begin(state, call, now)
  state.actions.push({ do: "send", worker, call, id: call.request.id })
}

/** A job begins, as far as one can tell from here. */
const begin = (state: State, call: Call, now: number): void => {
  const job = call.request
  job.phase = "running"
  histogram.record(state.waits, Math.max(0, now - job.since))
  job.since = now
  setTime(state, call, now + job.work.timeout)
}

const setTime = (state: State, call: Call, at: number): void => {
  const job = call.request
  if (job.wakeAt === at) return
  job.wakeAt = at
  state.actions.push({ do: "time", call })
}

/** Those of a worker's offered jobs begin for which there is room now. */
const advance = (state: State, worker: Worker, now: number): void => {
  if (worker.offered === 0) return
  for (const call of worker.calls.values()) {
    if (worker.running >= state.settings.concurrency || worker.offered === 0) return
    if (call.request.phase !== "offered") continue
    worker.offered--
    begin(state, call, now)
  }
}

/**
 * Has an offered job back, unless the worker has begun it. Then it has begun those before it as well, and answers to what ran until then are
 * on their way.
 */
const takeBack = (state: State, call: Call, now: number): boolean => {
  const job = call.request
  const worker = job.worker!
  if (!board.takeBack(worker.board!, job.slot, job.id)) {
    for (const each of offers(worker)) {
      worker.offered--
      begin(state, each, now)
      if (each === call) return false
    }
  }
  worker.offered--
  worker.drop(call)
  requeue(state, call)
  return true
}

/** Back in the queue, before all that has never left it. */
const requeue = (state: State, call: Call): void => {
  call.request.phase = "queued"
  setTime(state, call, Infinity)
  waitList.push(state.queue, call, -1)
}

/** Takes back what is less urgent than a job that came. */
const makeWay = (state: State, priority: number, now: number): void => {
  if (priority <= state.leastOffered) return
  state.leastOffered = Infinity
  for (const worker of state.workers) {
    for (const call of offers(worker)) {
      if (call.priority >= priority) state.leastOffered = Math.min(state.leastOffered, call.priority)
      else takeBack(state, call, now)
    }
  }
}

const offers = (worker: Worker): ReadonlyArray<Call> =>
  worker.offered === 0 ? [] : Array.from(worker.calls.values()).filter(({ request }) => request.phase === "offered")

/** A worker with nothing to do gets the last half of what another has been offered. */
const spread = (state: State, now: number): void => {
  if (freest(state, state.settings.concurrency) === undefined) return
  const most = mostOffered(state)
  if (most === undefined) return
  const offered = offers(most)
  for (const call of offered.slice(Math.floor(offered.length / 2))) {
    // It has begun those before it too, perhaps.
    if (call.request.phase === "offered") takeBack(state, call, now)
  }
  if (state.queue.size > 0) assign(state, now)
}

const mostOffered = ({ workers }: State): Worker | undefined => {
  let found: Worker | undefined
  for (const worker of workers) if (worker.offered > (found?.offered ?? 0)) found = worker
  return found
}

// ------------------------------------------------------------------------------------------------------------------------- workers

/** A worker can be given work. */
export const ready = (state: State, worker: Worker, now: number): Chain => {
  if (worker.phase !== "starting") return undefined
  worker.phase = "ready"
  worker.idleSince = now
  state.starting--
  state.misstarts = 0
  assign(state, now)
  return concat(warmed(state), settleDown(state, now))
}

export const answer = (
  state: State,
  worker: Worker,
  call: Call,
  how: End,
  memory: number | undefined,
  now: number
): Chain => {
  const job = call.request
  if (job.phase === "offered") {
    worker.offered--
    begin(state, call, now)
  }
  histogram.record(state.runs, Math.max(0, now - job.since))
  worker.drop(call)
  worker.answered++
  worker.idleSince = worker.heardAt = now
  state.failures = 0
  const { maxJobs, maxMemory } = state.settings
  if (worker.answered >= maxJobs || (memory !== undefined && memory > maxMemory)) retire(state, worker, now)
  const chain = end(state, undefined, call, endOf(job, how))
  advance(state, worker, now)
  if (worker.phase === "retiring" && worker.calls.size === 0) dismiss(state, worker, now)
  assign(state, now)
  return concat(chain, settleDown(state, now))
}

/** What was to be sent cannot be: it never came to the worker. */
export const unsendable = (state: State, call: Call, error: unknown, now: number): Chain => {
  const job = call.request
  const { worker } = job
  if (worker === undefined) return undefined
  if (job.phase === "offered") worker.offered--
  worker.drop(call)
  const chain = end(state, undefined, call, { _tag: "Rejected", error, expected: false })
  advance(state, worker, now)
  if (worker.phase === "retiring" && worker.calls.size === 0) dismiss(state, worker, now)
  assign(state, now)
  return concat(chain, settleDown(state, now))
}

/** A worker takes no more. What it was offered others can have. */
const retire = (state: State, worker: Worker, now: number): void => {
  worker.phase = "retiring"
  for (const call of offers(worker)) takeBack(state, call, now)
}

/** A worker that has nothing to do goes, and may clean up. Who does not in time is ended. */
const dismiss = (state: State, worker: Worker, now: number): void => {
  leave(state, worker)
  worker.going = "dismissed"
  worker.leaveBy = now + state.settings.grace
  state.actions.push({ do: "dismiss", worker })
}

const leave = (state: State, worker: Worker): void => {
  if (worker.phase === "starting") state.starting--
  worker.phase = "gone"
  state.workers.delete(worker)
  state.leaving.add(worker)
}

/** Ends a worker that has left the pool, at once. */
const finishOff = (state: State, worker: Worker, now: number): void => {
  worker.going = "killed"
  worker.leaveBy = now + Math.max(state.settings.grace, endsWithin)
  state.actions.push({ do: "kill", worker })
}

/** Ends a worker at once, because of a job that did not stop. */
const kill = (state: State, worker: Worker, now: number): Chain => {
  leave(state, worker)
  finishOff(state, worker, now)
  const { neighbours } = state.settings
  const chain = bereave(state, worker, (call) =>
    neighbours === "rerun" && !isMoved(call)
      ? undefined
      : died(call, new Error("another job in it did not stop in time"))
  )
  return concat(chain, rest(state, now))
}

/** What becomes of the jobs of a worker that is gone: those that had begun end, or are queued again when there is no end for them. */
const bereave = (state: State, worker: Worker, endFor: (call: Call) => End | undefined): Chain => {
  let chain: Chain = undefined
  for (const call of worker.calls.values()) {
    const job = call.request
    // When it cannot be had back it had begun, and the news of that died with the worker.
    const offered = job.phase === "offered" && board.takeBack(worker.board!, job.slot, job.id)
    const how = offered ? undefined : (endOf(job, undefined) ?? endFor(call))
    worker.drop(call)
    if (how === undefined) requeue(state, call)
    else chain = end(state, chain, call, how)
  }
  worker.offered = 0
  return chain
}

const died = ({ request: { work } }: Call, cause: unknown, started = true): End => ({
  _tag: "Failed",
  error: new WorkerDied(work.name, started, cause)
})

/** A worker has ended. If nobody told it to, its jobs fail. */
export const exited = (state: State, worker: Worker, cause: unknown, now: number): Chain => {
  if (state.leaving.delete(worker)) return settleDown(state, now)
  return state.workers.delete(worker) ? lost(state, worker, cause, now) : undefined
}

/** A worker could not do what it was to do first. It is of no use. */
export const misstarted = (state: State, worker: Worker, cause: unknown, now: number): Chain => {
  if (worker.phase !== "starting") return undefined
  state.workers.delete(worker)
  state.leaving.add(worker)
  finishOff(state, worker, now)
  return lost(state, worker, cause, now)
}

/** A worker is gone by itself. The next one is started after a pause; who waits for one is told when that happens again and again. */
const lost = (state: State, worker: Worker, cause: unknown, now: number): Chain => {
  const wasStarting = worker.phase === "starting"
  worker.phase = "gone"
  state.totals.died++
  // The first is replaced at once: it may have been an accident. That others answer says nothing of those that do not start.
  const again = wasStarting ? countMisstart(state, worker) : state.failures
  state.failures++
  state.startAt = again === 0 ? now : now + backoff.pause(state.respawn, again, undefined, 0)
  let told = false
  const tellOf = (call: Call): End => {
    told = true
    return died(call, cause)
  }
  let chain = bereave(state, worker, tellOf)
  if (wasStarting) {
    state.starting--
    if (state.misstarts >= startAttempts && state.queue.size > 0 && !hasReady(state)) {
      told = true
      chain = giveUp(state, chain, cause)
    }
  }
  for (const ticket of waitList.tickets(state.warming)) {
    // There are not so many any more, and none is started because of that.
    if (ticket.request <= state.workers.size) continue
    told = true
    waitList.remove(ticket)
    chain = settle(chain, ticket, new WorkerDied("warmUp", false, cause))
  }
  if (!told) report(state, "Executor", wasStarting ? "a worker could not be started" : "a worker has ended", cause)
  return concat(concat(chain, warmed(state)), rest(state, now))
}

/** How often it has happened in a row before. Workers that were on their way together count as one. */
const countMisstart = (state: State, worker: Worker): number => {
  state.totals.misstarted++
  if (worker.id > state.misstarted) {
    state.misstarts++
    state.misstarted = state.totals.started
  }
  return Math.max(0, state.misstarts - 1)
}

/** Whether there is one that has started: while there is, all can be done. */
const hasReady = ({ starting, workers }: State): boolean => workers.size > starting

const giveUp = (state: State, chain: Chain, cause: unknown): Chain => {
  for (let call = waitList.shift(state.queue); call !== undefined; call = waitList.shift(state.queue)) {
    chain = end(state, chain, call, died(call, cause, false))
  }
  return chain
}

/** Starts workers until there are so many, whether there is work or not. */
export const fill = (state: State, count: number, now: number): void => {
  while (state.stage === "open" && state.workers.size < Math.min(count, state.settings.max)) start(state, now)
}

/** The same, and waits until so many can be given work. */
export const warm = (state: State, ticket: Warming, now: number): Chain => {
  if (state.stage !== "open") return settle(undefined, ticket, new ExecutorClosed("warmUp", false))
  fill(state, ticket.request, now)
  waitList.push(state.warming, ticket)
  return warmed(state)
}

export const cancelWarm = (_: State, ticket: Warming): Chain => {
  if (!ticket.settled) waitList.remove(ticket)
  return undefined
}

/** Tells those for whom enough are ready; or as many as there will be, for the others have been replaced by policy meanwhile. */
const warmed = (state: State): Chain => {
  let chain: Chain = undefined
  if (state.warming.size === 0) return chain
  let ready = 0
  for (const { phase } of state.workers) if (phase === "ready") ready++
  for (const ticket of waitList.tickets(state.warming)) {
    if (ready < ticket.request && state.starting > 0) continue
    waitList.remove(ticket)
    chain = settle(chain, ticket, undefined)
  }
  return chain
}

// ---------------------------------------------------------------------------------------------------------------------------- time

/**
 * Does what was waiting for a time: gives up workers that do not start, starts others again, lets idle ones go, ends those that do not leave, and what
 * keeps the pool from closing.
 */
export const tick = (state: State, now: number): Chain => {
  const { idleTime, min, startTimeout } = state.settings
  let chain: Chain = undefined
  for (const worker of state.workers) {
    if (worker.phase !== "starting" || now < worker.startBy) continue
    const cause = new Error(`it was not ready within ${startTimeout} ms`)
    chain = concat(chain, misstarted(state, worker, cause, now))
  }
  for (const worker of state.workers) {
    // Whoever waits until so many are there wants all of them.
    if (state.workers.size <= min || state.warming.size > 0) break
    if (isIdle(worker) && now >= worker.idleSince + idleTime) dismiss(state, worker, now)
  }
  for (const worker of state.leaving) {
    if (now < worker.leaveBy) continue
    if (worker.going === "dismissed") finishOff(state, worker, now)
    else {
      worker.going = "left"
      worker.leaveBy = Infinity
      report(state, "Executor", "a worker cannot be ended, and is left behind", undefined)
    }
  }
  if (now >= state.closeBy) {
    chain = concat(chain, terminate(state, now))
    if (state.stopped.length > 0) report(state, "Executor.close", overdue(state.stopped), undefined)
  }
  return concat(chain, rest(state, now))
}

/** Whether a worker should be started as soon as one may be. */
const lacks = (state: State): boolean => {
  if (state.stage === "open" && state.workers.size < state.settings.min) return true
  return state.queue.size > state.starting && canStart(state)
}

const isIdle = ({ calls, phase }: Worker): boolean => phase === "ready" && calls.size === 0

/** When `tick` has something to do; Infinity: never. */
export const wakeAt = (state: State): number => {
  const { idleTime, min } = state.settings
  let at = state.closeBy
  if (lacks(state)) at = Math.min(at, state.startAt)
  const mayGo = state.workers.size > min && state.warming.size === 0
  for (const worker of state.workers) {
    if (worker.phase === "starting") at = Math.min(at, worker.startBy)
    else if (mayGo && isIdle(worker)) at = Math.min(at, worker.idleSince + idleTime)
  }
  for (const { leaveBy } of state.leaving) at = Math.min(at, leaveBy)
  return at
}

/** Whether somebody waits for that time, and nothing else keeps the process alive: a worker that starts or has work does. */
export const isAwaited = ({ queue, stage, workers }: State): boolean =>
  stage === "draining" || (queue.size > 0 && workers.size === 0)

// ------------------------------------------------------------------------------------------------------------------------- closing

/** Takes nothing more. What was taken goes on, up to the deadline; when all of it has ended, so do the workers. */
export const close = (state: State, now: number): Chain => {
  if (state.stage !== "open") return undefined
  state.closeBy = now + state.settings.deadline
  return concat(shut(state), settleDown(state, now))
}

/** From here on nobody is let in. Who waits for that, or for more workers, is told. */
const shut = (state: State): Chain => {
  state.stage = "draining"
  let chain: Chain = undefined
  for (let call = waitList.shift(state.outside); call !== undefined; call = waitList.shift(state.outside)) {
    chain = finish(state, chain, call, closed(call))
  }
  return waitList.settleAll(state.warming, chain, new ExecutorClosed("warmUp", false))
}

/** Ends everything at once, and notes the names of the jobs that it has stopped, or not started. */
export const terminate = (state: State, now: number): Chain => {
  if (state.stage === "closed") return undefined
  let chain = state.stage === "open" ? shut(state) : undefined
  state.closeBy = Infinity
  const stop = (call: Call): End => {
    state.stopped.push(call.request.work.name)
    return closed(call)
  }
  for (const worker of state.workers) {
    leave(state, worker)
    finishOff(state, worker, now)
    for (const call of worker.calls.values()) {
      worker.drop(call)
      chain = end(state, chain, call, endOf(call.request, undefined) ?? stop(call))
    }
    worker.offered = 0
  }
  // These have been told to go, and may be at their cleanup.
  for (const worker of state.leaving) if (worker.going === "dismissed") finishOff(state, worker, now)
  for (let call = waitList.shift(state.queue); call !== undefined; call = waitList.shift(state.queue)) {
    chain = end(state, chain, call, stop(call))
  }
  return concat(chain, settleDown(state, now))
}

/** A pool that closes and has no work lets its workers go; when they have gone, but for those that cannot be ended, it is closed. */
const settleDown = (state: State, now: number): Chain => {
  if (state.stage !== "draining" || state.queue.size > 0) return undefined
  for (const worker of state.workers) if (worker.calls.size > 0) return undefined
  for (const worker of state.workers) dismiss(state, worker, now)
  for (const { going } of state.leaving) if (going !== "left") return undefined
  state.stage = "closed"
  state.closeBy = Infinity
  return waitList.settleAll(state.closing, undefined, state.stopped)
}

/** Waits until no worker is left. */
export const awaitClosed = (state: State, ticket: Closing): Chain => {
  if (state.stage === "closed") return settle(undefined, ticket, state.stopped)
  waitList.push(state.closing, ticket)
  return undefined
}

export const cancelClosed = (_: State, ticket: Closing): Chain => {
  if (!ticket.settled) waitList.remove(ticket)
  return undefined
}

/** What is said of the jobs that were stopped so that it could close. */
export const overdue = (names: ReadonlyArray<string>): string => {
  const [count, were] = names.length === 1 ? ["1 job", "was"] : [`${names.length} jobs`, "were"]
  return `${count} had not ended by the deadline, and ${were} stopped: ${listed(names)}`
}

// -------------------------------------------------------------------------------------------------------------------- for a reader

export interface Stats {
  /** How many workers there are, those included that are starting. */
  readonly workers: number
  /** How many of them have something to do. */
  readonly busy: number
  /** How many jobs wait to be taken, since the backlog is full. */
  readonly waiting: number
  /** How many jobs were taken and have not begun, those included that were sent ahead. */
  readonly queued: number
  /** How many of these a worker was sent ahead, so that it need not wait for its next job. */
  readonly ahead: number
  /** How many jobs run, or were told to stop and have not yet. */
  readonly running: number
  /** How many jobs have ended with a value. */
  readonly done: number
  /** How many have failed. One that was not taken, as there was no room, is none of them. */
  readonly failed: number
  /** How many were cancelled. */
  readonly cancelled: number
  /** How many workers were started. */
  readonly started: number
  /** How many of them have ended by themselves, those included that could not be started. */
  readonly died: number
  /** How many could not be started: they ended before they were ready, or were not in time. */
  readonly misstarted: number
  /** How long jobs waited for a worker, and how long they ran, the way there and back included. */
  readonly waitTime: Durations
  readonly runTime: Durations
  readonly isClosed: boolean
}

export const stats = (state: State): Stats => {
  let [busy, running, ahead] = [0, 0, 0]
  for (const worker of state.workers) {
    if (worker.calls.size > 0) busy++
    running += worker.running
    ahead += worker.offered
  }
  return Object.freeze({
    workers: state.workers.size,
    busy,
    waiting: state.outside.size,
    queued: state.queue.size + ahead,
    ahead,
    running,
    ...state.totals,
    waitTime: histogram.summary(state.waits),
    runTime: histogram.summary(state.runs),
    isClosed: state.stage !== "open"
  })
}

/** Throws when an invariant does not hold. For tests. */
export const check = (state: State): void => {
  const { ahead, concurrency, max } = state.settings
  for (const list of [state.outside, state.queue]) {
    waitList.check(list)
    for (const { request } of waitList.tickets(list)) {
      if (request.phase !== "queued" || request.worker !== undefined) throw new Error("I1: a queued job is elsewhere")
    }
  }
  if (state.workers.size > max) throw new Error(`I3: ${state.workers.size} workers of ${max}`)
  let starting = 0
  for (const worker of state.workers) {
    checkWorker(worker)
    if (worker.phase === "gone") throw new Error("I3: a worker that is gone")
    if (worker.phase === "starting") starting++
    const phases = Array.from(worker.calls.values(), ({ request }) => request.phase)
    const offered = phases.filter((phase) => phase === "offered").length
    if (offered !== worker.offered) throw new Error(`I1: ${offered} are offered, not ${worker.offered}`)
    if (phases.includes("queued") || phases.includes("ended")) throw new Error("I1: a worker has what is not its own")
    if (worker.calls.size > concurrency + ahead) throw new Error(`I2: ${worker.calls.size} were sent`)
    if (worker.offered > 0 && worker.running < concurrency) throw new Error("I2: one is offered that could run")
    if (worker.phase === "starting" && worker.calls.size > 0) throw new Error("I2: a worker that is not ready has jobs")
    if (worker.phase === "retiring" && worker.calls.size === 0) throw new Error("I4: a worker stays for nothing")
  }
  if (starting !== state.starting) throw new Error(`I3: ${starting} are starting, not ${state.starting}`)
  if (state.queue.size > 0) {
    const free = freest(state, concurrency)
    if (free !== undefined) throw new Error("I4: a job waits beside a worker that could run it")
    if (canStart(state) && state.starting === 0 && wakeAt(state) === Infinity)
      throw new Error("I4: nobody is on the way")
  }
  if (state.stage === "closed" && (state.queue.size > 0 || busy(state) > 0)) throw new Error("I6: closed, with jobs")
  const inside = state.queue.size + busy(state)
  if (inside !== state.inside) throw new Error(`I7: ${inside} jobs are inside, not ${state.inside}`)
  if (inside > state.room) throw new Error(`I7: ${inside} jobs are inside, and there is room for ${state.room}`)
  if (state.outside.size > 0 && hasRoom(state)) throw new Error("I7: a job waits outside, and there is room")
}
