/**
 * The executor: a pool of workers, the work that waits for one, and what becomes of it when a worker or its caller goes.
 *
 * State: the queue; the workers, each with the jobs that it was handed, in order; what is to be done outside (`actions`); when a worker may be
 * started again after failures; how far closing has got; totals.
 *
 * A job is *queued*, *offered* (it was sent, and waits in the worker behind others: it can be had back), *running*, *stopping* (it was told
 * to stop) or *ended*. A worker is *starting*, *ready*, *retiring* (it takes no more, and goes when it has nothing to do) or *gone*.
 *
 * Invariants:
 *
 * - I1 A job is in one place: the queue, or one worker's jobs. One that has ended is in none.
 * - I2 A worker is sent no more jobs than it runs at a time, and `ahead` beside them, which are offered. Only one that is ready is sent any.
 * - I3 There are no more workers than `max`. One that is gone is none of them.
 * - I4 No job waits while a worker could run it; and if there could be one more worker, one is on its way, or its time is set.
 * - I5 What was offered is in the order of the queue: a job that comes with more priority takes it back.
 * - I6 A pool that closes takes nothing, and one that is closed has no job.
 *
 * Transitions: `submit`, `cancel`, `expire` (its time, or its grace, is over); of a worker `ready`, `answer`, `exited`; `tick`, for what
 * waits for a time; `close` and `terminate`. Each leaves in `actions` what is to be done.
 *
 * @internal
 */
import { expect, integer, integerOrInfinity, number, oneOf, record } from "./arguments.js"
import type { Backoff } from "./backoff.js"
import * as backoff from "./backoff.js"
import * as board from "./board.js"
import type { Durations, State as Histogram } from "./histogram.js"
import * as histogram from "./histogram.js"
import type { Call, End, Job, Stop } from "./job.js"
import { ExecutorClosed, ExecutorFull, JobTimeout, WorkerDied } from "./job.js"
import { check as checkWorker, Worker } from "./poolWorker.js"
import type { State as Semaphore } from "./semaphore.js"
import * as semaphore from "./semaphore.js"
import type { Chain, Ticket } from "./ticket.js"
import { concat, settle } from "./ticket.js"
import type { WaitList } from "./waitList.js"
import * as waitList from "./waitList.js"

export const TypeId = "~effect-concurrency/Executor"

export type TypeId = typeof TypeId

// ------------------------------------------------------------------------------------------------------------------------- options

/** How a pool is made. Durations are milliseconds here. */
export interface Options {
  readonly min?: number | undefined
  readonly max?: number | undefined
  readonly concurrency?: number | undefined
  readonly backlog?: number | undefined
  readonly idleTime?: number | undefined
  readonly grace?: number | undefined
  readonly neighbours?: Neighbours | undefined
  readonly maxMemory?: number | undefined
  readonly maxJobs?: number | undefined
  readonly deadline?: number | undefined
  readonly timeout?: number | undefined
}

/** What becomes of the jobs of a worker that had to be ended because of another one. */
export type Neighbours = "rerun" | "fail"

/** What the platform is, for whom there is no option. */
export interface Platform {
  /** How many processors there are. */
  readonly parallelism: number
  /** Whether the workers share memory: then what they were offered can be had back, and what spins can see that it is to stop. */
  readonly shared: boolean
}

export interface Settings {
  readonly min: number
  readonly max: number
  readonly concurrency: number
  /** How many may wait for a worker. */
  readonly backlog: number
  readonly shared: boolean
  /** How many jobs a worker is offered beside those that it runs, so that it need not wait for the next. */
  readonly ahead: number
  readonly idleTime: number
  readonly grace: number
  readonly neighbours: Neighbours
  readonly maxMemory: number
  readonly maxJobs: number
  readonly deadline: number
  readonly timeout: number
}

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

/** Waits until no worker is starting. */
export type Warming = Ticket<undefined, WorkerDied | undefined>

export interface State {
  readonly settings: Settings
  readonly respawn: Backoff
  readonly queue: WaitList<Call>
  readonly workers: Set<Worker>
  /** Workers that are gone for the pool, and have not ended yet. */
  readonly leaving: Set<Worker>
  /** Who waits until no worker is starting. */
  readonly warming: WaitList<Warming>
  /** Who waits until no worker is left. */
  readonly closing: WaitList<Ticket<undefined, undefined>>
  actions: Array<Action>
  stage: "open" | "draining" | "closed"
  ids: number
  starting: number
  /** No offered job has less priority than this. */
  leastOffered: number
  /** How often a worker has ended by itself since one has answered. */
  failures: number
  /** How often in a row one has before it was ready. */
  misstarts: number
  /** Before that no worker is started. */
  startAt: number
  readonly totals: { done: number; failed: number; cancelled: number; started: number; died: number }
  readonly waits: Histogram
  readonly runs: Histogram
}

/** So often may a worker end before it is ready, until who waits for one is told. */
const startAttempts = 3

const offeredAhead = 32

export const settings = (where: string, options: Options, platform: Platform): Settings => {
  const {
    backlog = Infinity,
    concurrency = 1,
    max = platform.parallelism,
    neighbours = "rerun"
  } = record(where, options)
  const { min = 0, idleTime = 30_000, grace = 1000, maxMemory = Infinity, maxJobs = Infinity } = options
  const { deadline = Infinity, timeout = Infinity } = options
  integer(where, "max", max, 1)
  return {
    max,
    min: integer(where, "min", min, 0, max),
    concurrency: integer(where, "concurrency", concurrency, 1),
    backlog: integerOrInfinity(where, "backlog", backlog, 0),
    shared: platform.shared,
    ahead: platform.shared ? offeredAhead : 0,
    idleTime: number(where, "idleTime", idleTime, 0),
    grace: number(where, "grace", grace, 0),
    neighbours: oneOf(where, "neighbours", neighbours, ["rerun", "fail"]),
    maxMemory: expect(maxMemory > 0, where, "maxMemory", "a number of bytes above 0", maxMemory, "number"),
    maxJobs: integerOrInfinity(where, "maxJobs", maxJobs, 1),
    deadline: number(where, "deadline", deadline, 0),
    timeout: checkTimeout(where, timeout)
  }
}

export const checkTimeout = (where: string, timeout: number): number => {
  number(where, "timeout", timeout, 0)
  return expect(timeout > 0, where, "timeout", "more than 0 milliseconds", timeout, "number")
}

/** How many workers are wanted; by default, as many as there may be. */
export const checkCount = (where: string, { settings }: State, count = settings.max): number =>
  integer(where, "count", count, 0, settings.max)

export const make = (settings: Settings): State => ({
  settings,
  respawn: { base: 100, factor: 2, cap: 2000, jitter: "none" },
  queue: waitList.make(),
  workers: new Set(),
  leaving: new Set(),
  warming: waitList.make(),
  closing: waitList.make(),
  actions: [],
  stage: "open",
  ids: 0,
  starting: 0,
  leastOffered: Infinity,
  failures: 0,
  misstarts: 0,
  startAt: 0,
  totals: { done: 0, failed: 0, cancelled: 0, started: 0, died: 0 },
  waits: histogram.make(),
  runs: histogram.make()
})

// ---------------------------------------------------------------------------------------------------------------------------- jobs

/**
 * Whoever wants a job done has a permit of this first: as many as the workers can run, and the backlog beside them. Without a limit there is none.
 */
export const admission = ({ backlog, concurrency, max }: Settings): Semaphore | undefined =>
  backlog === Infinity ? undefined : semaphore.make(max * concurrency + backlog)

/** Why a job that does not wait for a permit is not taken. */
export const full = ({ settings }: State, name: string): ExecutorFull => new ExecutorFull(name, settings.backlog)

const busy = ({ workers }: State): number => {
  let count = 0
  for (const worker of workers) count += worker.calls.size
  return count
}

/** Takes a job. A pool that is closed settles it. */
export const submit = (state: State, call: Call, now: number): Chain => {
  if (state.stage !== "open") return end(state, undefined, call, closed(call))
  call.request.since = now
  waitList.push(state.queue, call)
  assign(state, now)
  return undefined
}

/** A caller does not want it any more. What waits goes at once; what runs is told, and ends by itself or when its grace is over. */
export const cancel = (state: State, call: Call, reason: unknown, now: number): Chain => {
  const job = call.request
  if (job.phase === "offered") takeBack(state, call, now)
  if (job.phase === "queued") {
    waitList.remove(call)
    const chain = end(state, undefined, call, { _tag: "Cancelled" })
    assign(state, now)
    return chain
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

/** Ends a job: settles its call and counts it. */
const end = (state: State, chain: Chain, call: Call, how: End): Chain => {
  const job = call.request
  job.phase = "ended"
  setTime(state, call, Infinity)
  const { totals } = state
  if (how._tag === "Value") totals.done++
  else if (how._tag === "Cancelled") totals.cancelled++
  else totals.failed++
  return settle(chain, call, how)
}

/** What the end of a job is that was told to stop; otherwise as it says. */
const endOf = <E extends End | undefined>(job: Job, otherwise: E): End | E => {
  if (job.stop === undefined) return otherwise
  if (job.stop._tag === "Cancelled") return { _tag: "Cancelled" }
  return { _tag: "Failed", error: new JobTimeout(job.work.name, job.work.timeout) }
}

const closed = ({ request }: Call): End => ({
  _tag: "Failed",
  error: new ExecutorClosed(request.work.name, request.phase === "running" || request.phase === "stopping")
})

// --------------------------------------------------------------------------------------------------------------- handing out work

/** Hands out what can be handed out, and sees to it that there are workers for the rest. */
const assign = (state: State, now: number): void => {
  const { queue, settings } = state
  if (now >= state.startAt) fill(state, settings.min)
  if (settings.ahead > 0) relieve(state, now)
  if (queue.size > 0) makeWay(state, waitList.head(queue)!.priority, now)
  while (queue.size > 0) {
    const free = freest(state, settings.concurrency)
    if (free !== undefined) hand(state, free, waitList.shift(queue)!, now)
    else if (canStart(state)) {
      if (state.starting >= queue.size || now < state.startAt) return
      start(state)
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

const start = (state: State): void => {
  const { ahead, concurrency, shared } = state.settings
  const worker = new Worker(++state.totals.started, shared ? concurrency + ahead : 0)
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
  return concat(warmed(state, undefined), settleDown(state, now))
}

/** A worker has answered a call of its own. */
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
  worker.leaveBy = now + state.settings.grace
  state.actions.push({ do: "dismiss", worker })
}

const leave = (state: State, worker: Worker): void => {
  if (worker.phase === "starting") state.starting--
  worker.phase = "gone"
  state.workers.delete(worker)
  state.leaving.add(worker)
}

/** Ends a worker at once, because of a job that did not stop. */
const kill = (state: State, worker: Worker, now: number): Chain => {
  leave(state, worker)
  state.actions.push({ do: "kill", worker })
  const { neighbours } = state.settings
  const chain = bereave(state, worker, (call) =>
    neighbours === "rerun" && !isMoved(call)
      ? undefined
      : died(call, new Error("another job in it did not stop in time"))
  )
  assign(state, now)
  return concat(chain, settleDown(state, now))
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
  state.actions.push({ do: "kill", worker })
  return lost(state, worker, cause, now)
}

/** A worker is gone by itself. The next one is started after a pause; who waits for one is told when that happens again and again. */
const lost = (state: State, worker: Worker, cause: unknown, now: number): Chain => {
  const wasStarting = worker.phase === "starting"
  worker.phase = "gone"
  state.totals.died++
  // The first is replaced at once: it may have been an accident. That others answer says nothing of those that do not start.
  const again = wasStarting ? state.misstarts++ : state.failures
  state.failures++
  state.startAt = again === 0 ? now : now + backoff.pause(state.respawn, again, undefined, 0)
  let chain = bereave(state, worker, (call) => died(call, cause))
  if (wasStarting) {
    state.starting--
    // While one is there, all can be done.
    if (state.misstarts >= startAttempts && state.workers.size === 0) chain = giveUp(state, chain, cause)
    chain = warmed(state, chain, new WorkerDied("warmUp", false, cause))
  }
  assign(state, now)
  return concat(chain, settleDown(state, now))
}

const giveUp = (state: State, chain: Chain, cause: unknown): Chain => {
  for (let call = waitList.shift(state.queue); call !== undefined; call = waitList.shift(state.queue)) {
    chain = end(state, chain, call, died(call, cause, false))
  }
  return chain
}

/** Starts workers until there are so many, whether there is work or not. */
export const fill = (state: State, count: number): void => {
  while (state.stage === "open" && state.workers.size < Math.min(count, state.settings.max)) start(state)
}

/** The same, and waits until none is starting any more. */
export const warm = (state: State, count: number, ticket: Warming): Chain => {
  fill(state, count)
  waitList.push(state.warming, ticket)
  return warmed(state, undefined)
}

export const cancelWarm = (_: State, ticket: Warming): Chain => {
  if (!ticket.settled) waitList.remove(ticket)
  return undefined
}

const warmed = (state: State, chain: Chain, error?: WorkerDied): Chain =>
  state.starting === 0 ? waitList.settleAll(state.warming, chain, error) : chain

// ---------------------------------------------------------------------------------------------------------------------------- time

/** Does what was waiting for a time: starts workers again, lets idle ones go, and ends those that do not leave. */
export const tick = (state: State, now: number): Chain => {
  const { idleTime, min } = state.settings
  for (const worker of state.workers) {
    if (state.workers.size <= min) break
    if (isIdle(worker) && now >= worker.idleSince + idleTime) dismiss(state, worker, now)
  }
  for (const worker of state.leaving) {
    if (now < worker.leaveBy) continue
    worker.leaveBy = Infinity
    state.actions.push({ do: "kill", worker })
  }
  assign(state, now)
  return settleDown(state, now)
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
  let at = Infinity
  if (lacks(state)) at = state.startAt
  if (state.workers.size > min) {
    for (const worker of state.workers) if (isIdle(worker)) at = Math.min(at, worker.idleSince + idleTime)
  }
  for (const { leaveBy } of state.leaving) at = Math.min(at, leaveBy)
  return at
}

// ------------------------------------------------------------------------------------------------------------------------- closing

/** Takes nothing more. What was taken goes on; when all of it has ended, so do the workers. */
export const close = (state: State, now: number): Chain => {
  if (state.stage === "open") state.stage = "draining"
  return settleDown(state, now)
}

/** Ends everything at once. Gives the names of the jobs that it has stopped, or not started. */
export const terminate = (
  state: State,
  now: number
): { readonly chain: Chain; readonly names: ReadonlyArray<string> } => {
  state.stage = "draining"
  const names: Array<string> = []
  const stop = (call: Call): End => {
    names.push(call.request.work.name)
    return closed(call)
  }
  let chain: Chain = undefined
  for (const worker of state.workers) {
    leave(state, worker)
    state.actions.push({ do: "kill", worker })
    for (const call of worker.calls.values()) {
      worker.drop(call)
      chain = end(state, chain, call, endOf(call.request, undefined) ?? stop(call))
    }
    worker.offered = 0
  }
  // These have been told to go, and may be at their cleanup.
  for (const worker of state.leaving) {
    if (worker.leaveBy === Infinity) continue
    worker.leaveBy = Infinity
    state.actions.push({ do: "kill", worker })
  }
  for (let call = waitList.shift(state.queue); call !== undefined; call = waitList.shift(state.queue)) {
    chain = end(state, chain, call, stop(call))
  }
  return { chain: concat(chain, settleDown(state, now)), names }
}

/** A pool that closes and has no work lets its workers go; when they have gone, it is closed. */
const settleDown = (state: State, now: number): Chain => {
  if (state.stage !== "draining" || state.queue.size > 0) return undefined
  for (const worker of state.workers) if (worker.calls.size > 0) return undefined
  for (const worker of state.workers) {
    dismiss(state, worker, now)
  }
  if (state.leaving.size > 0) return warmed(state, undefined)
  state.stage = "closed"
  return waitList.settleAll(state.closing, warmed(state, undefined), undefined)
}

/** Waits until no worker is left. */
export const awaitClosed = (state: State, ticket: Ticket<undefined, undefined>): Chain => {
  if (state.stage === "closed") return settle(undefined, ticket, undefined)
  waitList.push(state.closing, ticket)
  return undefined
}

export const cancelClosed = (_: State, ticket: Ticket<undefined, undefined>): Chain => {
  if (!ticket.settled) waitList.remove(ticket)
  return undefined
}

/** What is said of the jobs that were stopped so that it could close. */
export const stopped = (names: ReadonlyArray<string>): string | undefined => {
  if (names.length === 0) return undefined
  const [count, were] = names.length === 1 ? ["1 job", "was"] : [`${names.length} jobs`, "were"]
  const more = names.length > 20 ? `, and ${names.length - 20} more` : ""
  return `${count} had not ended by the deadline, and ${were} stopped: ${names.slice(0, 20).join(", ")}${more}`
}

// -------------------------------------------------------------------------------------------------------------------- for a reader

export interface Stats {
  /** How many workers there are, those included that are starting. */
  readonly workers: number
  /** How many of them have something to do. */
  readonly busy: number
  /** How many jobs wait for a worker. */
  readonly queued: number
  /** How many jobs a worker has been sent and has not answered. */
  readonly running: number
  /** How many jobs have ended with a value. */
  readonly done: number
  /** How many have failed. */
  readonly failed: number
  /** How many were cancelled. */
  readonly cancelled: number
  /** How many workers were started, and how many of them have ended by themselves. */
  readonly started: number
  readonly died: number
  /** How long jobs waited for a worker, and how long they ran, the way there and back included. */
  readonly waitTime: Durations
  readonly runTime: Durations
  readonly isClosed: boolean
}

export const stats = (state: State): Stats => {
  const calls = Array.from(state.workers, (worker) => worker.calls.size)
  return Object.freeze({
    workers: state.workers.size,
    busy: calls.filter((size) => size > 0).length,
    queued: state.queue.size,
    running: busy(state),
    ...state.totals,
    waitTime: histogram.summary(state.waits),
    runTime: histogram.summary(state.runs),
    isClosed: state.stage !== "open"
  })
}

/** Throws when an invariant does not hold. For tests. */
export const check = (state: State): void => {
  const { ahead, concurrency, max } = state.settings
  waitList.check(state.queue)
  for (const { request } of waitList.tickets(state.queue)) {
    if (request.phase !== "queued" || request.worker !== undefined) throw new Error("I1: a queued job is elsewhere")
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
}
