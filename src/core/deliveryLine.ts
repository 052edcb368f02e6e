/**
 * The line at a queue that a store keeps: those who wait for a delivery, what they have in hand, and what is to be said of what they had.
 *
 * All of it goes in one question: what is settled, which leases are renewed, and how many items those can have who wait. So a consumer who
 * has done one item and wants the next takes one round trip for both, and what comes together goes together.
 *
 * State: who waits, in order of arrival, and when the next question for them is due; what is in hand, each with its lease; what has been
 * settled and not been answered, and when it is due; the question in flight; whether the store has said anything since that was put; how
 * often it has failed in a row.
 *
 * Invariants:
 *
 * - I1 At most one question is in flight. While there is none, everything that is to be asked has its time.
 * - I2 What is delivered is in hand, or settled, or its lease is lost: it is in one of these, and never comes back.
 * - I3 A delivery goes to the first in line. When nobody is there any more, it goes back to the store.
 * - I4 Of a question that has failed nobody knows what the store did. The names that it offered for deliveries are given back, and what it
 *   settled is settled again, until the leases would have ended anyway.
 * - I5 Nobody sleeps longer than the time of a poll, nor past a change that the store told.
 * - I6 What is settled goes before what is taken. So the store never has more of ours in hand than there are hands.
 *
 * Transitions: `enqueue`, `cancel`, `settleWith`, `flush`, `due`, `answered`, `failed`, `changed`, `look`. After each, `due` is to be
 * called, and again at `wakeAt`. Dice, which roll from 0 to 1, spread those who would come together; they are rolled only for who goes to
 * sleep, for that may cost something.
 *
 * @internal
 */
import type { ExchangeAnswer, ExchangeRequest, Given, Outcome, Settled, Settings } from "./deliveries.js"
import { leaseEnded } from "./deliveries.js"
import * as event from "./event.js"
import * as lease from "./lease.js"
import { wrongReply } from "./redis/script.js"
import { StoreError } from "./storeError.js"
import type { Chain, Ticket } from "./ticket.js"
import { concat, settle } from "./ticket.js"
import type { WaitList } from "./waitList.js"
import * as waitList from "./waitList.js"

/** How somebody waits for a delivery. */
export interface Request {
  /** He waits also while the store cannot be reached, rather than be told. */
  readonly patient: boolean
}

export type Result =
  { readonly kind: "given"; readonly held: Held } | { readonly kind: "failed"; readonly failure: unknown }

export type Waiting = Ticket<Request, Result>

/** A delivery in somebody's hand, on a lease. */
export class Held extends lease.Lease {
  /** Set when it is in nobody's hand any more: settled, or lost. */
  readonly over: event.State = event.make()
  isSettled = false

  constructor(
    readonly given: Given,
    { lease, name }: Settings,
    sentAt: number
  ) {
    super(name, given.token, lease, sentAt)
  }

  /** Never set: one timer is enough for all of a line. */
  fire(): void {}
}

/** What somebody hears who has settled a delivery. */
export type Verdict =
  | { readonly kind: "settled" }
  | { readonly kind: "lost"; readonly loss: lease.LeaseLost }
  | { readonly kind: "failed"; readonly failure: unknown }

export type Judged = Ticket<undefined, Verdict>

/** What is to be told to the store about a delivery. */
export interface Settling {
  readonly delivery: string
  readonly outcome: Outcome
  /** Who had it. Undefined: nobody, as far as we know. */
  readonly held: Held | undefined
  /** When its lease ends: after that there is nothing to be told any more. */
  readonly until: number
  /** Who waits for what the store says to it. */
  readonly waiting: Judged | undefined
  /** What the attempt has failed with, for a report. */
  readonly cause: unknown
  /** It was told before, so the store may have done it. */
  readonly tried: boolean
}

/** What happened that nobody waits for, and somebody has to know. */
export type Note =
  /** The lease of a delivery has ended before it was settled: somebody else may have the item. */
  | { readonly kind: "lost"; readonly id: string; readonly loss: lease.LeaseLost }
  /** An item has become a dead letter. */
  | { readonly kind: "buried"; readonly id: string; readonly reason: string; readonly cause: unknown }
  /** The store cannot be reached. It is told once, and again when it was reached in between. */
  | { readonly kind: "outage"; readonly failure: unknown }

/** What a transition leaves for others to do: whom to wake, and what to tell. */
export class Done {
  chain: Chain = undefined
  readonly notes: Array<Note> = []
}

export interface Question {
  readonly request: ExchangeRequest
  readonly settling: ReadonlyArray<Settling>
  readonly renewing: ReadonlyArray<Held>
  readonly tickets: ReadonlyArray<Waiting>
  readonly sentAt: number
}

export interface State {
  readonly settings: Settings
  readonly waiting: WaitList<Waiting>
  /** Who waits until all that was settled has been answered, or has failed. */
  readonly flushing: WaitList<Ticket<undefined, undefined>>
  readonly held: Set<Held>
  settling: Array<Settling>
  question: Question | undefined
  /** When those who wait are asked for. */
  askAt: number
  /** When what is settled is told. */
  settleAt: number
  /** No lease is to be renewed before this, and none ends before that. */
  renewAt: number
  endAt: number
  /** The store has said something since the question in flight was put. */
  hasChanged: boolean
  failures: number
}

export const make = (settings: Settings): State => ({
  settings,
  waiting: waitList.make(),
  flushing: waitList.make(),
  held: new Set(),
  settling: [],
  question: undefined,
  askAt: Infinity,
  settleAt: Infinity,
  renewAt: Infinity,
  endAt: Infinity,
  hasChanged: false,
  failures: 0
})

/** As many as fit one question. */
export const most = { take: 100, settle: 500, renew: 500 } as const

// -------------------------------------------------------------------------------------------------------------------------- callers

/** Waits for a delivery. */
export const enqueue = (state: State, ticket: Waiting, now: number): void => {
  waitList.push(state.waiting, ticket)
  // While others sleep there is nothing. While the store cannot be reached, whoever is not patient wants to know it.
  if (state.askAt === Infinity || (state.failures > 0 && !ticket.request.patient)) state.askAt = now
}

/** The caller of a ticket is gone. What was delivered to it goes back. */
export const cancel = (state: State, ticket: Waiting, now: number): Done => {
  const done = new Done()
  const { result } = ticket
  if (result?.kind === "given") giveBack(state, result.held, now, done)
  if (result === undefined) {
    waitList.remove(ticket)
    if (state.waiting.size === 0) state.askAt = Infinity
  }
  return done
}

/**
 * Says what becomes of a delivery. With a ticket, whoever waits hears what the store says, or that it could not be reached: then it is told
 * later. Of one that is settled, or lost, nothing more is said.
 */
export const settleWith = (
  state: State,
  held: Held,
  outcome: Outcome,
  now: number,
  waiting?: Judged,
  cause?: unknown
): Done => {
  const done = new Done()
  expire(state, held, now, done, waiting === undefined)
  if (held.loss !== undefined) answer(done, waiting, { kind: "lost", loss: held.loss })
  else if (held.isSettled) answer(done, waiting, { kind: "settled" })
  else end(state, held, outcome, now, done, waiting, cause)
  return done
}

const answer = (done: Done, waiting: Judged | undefined, verdict: Verdict): void => {
  if (waiting !== undefined) done.chain = settle(done.chain, waiting, verdict)
}

const end = (
  state: State,
  held: Held,
  outcome: Outcome,
  now: number,
  done: Done,
  waiting?: Judged,
  cause?: unknown
): void => {
  const { deadline, given } = held
  held.isSettled = true
  lease.end(held)
  state.held.delete(held)
  state.settling.push({ delivery: given.delivery, outcome, held, until: deadline, waiting, cause, tried: false })
  state.settleAt = Math.min(state.settleAt, now)
  done.chain = concat(done.chain, event.set(held.over))
}

/** Nobody had begun with it. */
const giveBack = (state: State, held: Held, now: number, done: Done): void => {
  expire(state, held, now, done, false)
  if (held.status === "held") end(state, held, { kind: "return" }, now, done)
}

/** Waits until the store has heard all that was settled; or could not be reached: then it is told later. */
export const flush = (state: State, ticket: Ticket<undefined, undefined>): Chain => {
  // While the store cannot be reached there is nothing to be waited for.
  if (isFlushed(state) || (state.question === undefined && state.failures > 0))
    return settle(undefined, ticket, undefined)
  waitList.push(state.flushing, ticket)
  return undefined
}

export const cancelFlush = (_: State, ticket: Ticket<undefined, undefined>): Chain => {
  if (!ticket.settled) waitList.remove(ticket)
  return undefined
}

const isFlushed = ({ question, settling }: State): boolean =>
  settling.length === 0 && (question === undefined || question.settling.length === 0)

/** Finds a lease lost if its time is over. */
export const look = (state: State, held: Held, now: number): Done => {
  const done = new Done()
  expire(state, held, now, done)
  return done
}

const expire = (state: State, held: Held, now: number, done: Done, isNews = true): void => {
  if (lease.look(held, now) !== undefined) lose(state, held, done, isNews)
}

/** Nobody holds it any more. Whoever works on it is to hear of it. */
const lose = (state: State, held: Held, done: Done, isNews = true): void => {
  state.held.delete(held)
  done.chain = concat(done.chain, event.set(held.over))
  if (isNews) done.notes.push({ kind: "lost", id: held.given.id, loss: held.loss! })
}

// ------------------------------------------------------------------------------------------------------------------------ questions

export const isIdle = ({ held, question, settling, waiting }: State): boolean =>
  question === undefined && waiting.size === 0 && held.size === 0 && settling.length === 0

/** When `due` has something to do. */
export const wakeAt = ({ askAt, endAt, question, renewAt, settleAt }: State): number =>
  question === undefined ? Math.min(askAt, settleAt, renewAt) : endAt

/** Whether somebody sleeps who wants to hear of a change. */
export const wantsWatch = ({ askAt, question, waiting }: State, now: number): boolean =>
  question === undefined && waiting.size > 0 && askAt > now

/** What is to be asked now, if anything is. `name` makes up the names of deliveries. */
export const due = (state: State, now: number, name: () => string, done: Done): Question | undefined => {
  const { settings, waiting } = state
  const renewing = renewals(state, now, done)
  if (state.question !== undefined) return undefined
  // There is a time only for what there is (I1).
  if (state.askAt > now && state.settleAt > now && renewing.length === 0) return undefined

  for (const one of renewing) lease.due(one, now)
  // Whatever made it necessary: who waits is asked for as well, since it costs nothing more.
  const tickets = firsts(waiting)
  const settling = state.settling.splice(0, most.settle)
  state.askAt = Infinity
  state.settleAt = state.settling.length > 0 ? now : Infinity
  state.hasChanged = false
  const request: ExchangeRequest = {
    name: settings.name,
    settle: settling.map(({ delivery, outcome }) => ({ delivery, outcome })),
    renew: renewing.map(({ given }) => given.delivery),
    take: tickets.map(name),
    lease: settings.lease,
    attempts: settings.attempts,
    remember: settings.remember
  }
  return (state.question = { request, settling, renewing, tickets, sentAt: now })
}

/** As many as fit one question. (There is one lane.) */
const firsts = (waiting: WaitList<Waiting>): Array<Waiting> => {
  const tickets: Array<Waiting> = []
  for (let next = waitList.head(waiting); next !== undefined && tickets.length < most.take;) {
    tickets.push(next)
    next = next.next === (next.lane as unknown) ? undefined : next.next
  }
  return tickets
}

/** Looks at what is in hand, if anything may have to be done about it; gives what is to be renewed. */
const renewals = (state: State, now: number, done: Done): Array<Held> => {
  const renewing: Array<Held> = []
  // Nobody is to be kept awake for what is in nobody's hand any more.
  if (state.held.size === 0) state.renewAt = state.endAt = Infinity
  if (now < (state.question === undefined ? state.renewAt : state.endAt)) return renewing
  state.renewAt = state.endAt = Infinity
  for (const one of state.held) {
    expire(state, one, now, done)
    if (one.renewAt <= now && state.question === undefined && renewing.length < most.renew) renewing.push(one)
    else isInHand(state, one)
  }
  // They are asked about now, and again at their new time.
  for (const one of renewing) state.endAt = Math.min(state.endAt, one.deadline)
  return renewing
}

/** The line looks at it in time. */
const isInHand = (state: State, held: Held): void => {
  if (held.status !== "held") return
  state.renewAt = Math.min(state.renewAt, lease.wakeAt(held))
  state.endAt = Math.min(state.endAt, held.deadline)
}

/** An answer that is none would be waited on for ever. */
export const checkAnswer = (request: ExchangeRequest, answer: ExchangeAnswer): ExchangeAnswer => {
  const fits =
    answer?.settled?.length === request.settle.length &&
    answer.renewed?.length === request.renew.length &&
    Array.isArray(answer.taken) &&
    answer.taken.length <= request.take.length &&
    answer.taken.every(({ delivery }, i) => delivery === request.take[i]) &&
    Array.isArray(answer.died) &&
    answer.retryAfter >= 0
  if (!fits) throw wrongReply("DeliveryStore.exchange", "an answer to each part of the question", answer)
  return answer
}

/** The store has answered the question in flight. */
export const answered = (state: State, answer: ExchangeAnswer, now: number, roll: () => number): Done => {
  const { renewing, request, sentAt, settling } = state.question!
  const done = new Done()
  state.question = undefined
  state.failures = 0
  settling.forEach((one, i) => judge(one, answer.settled[i]!, done))
  renewing.forEach((one, i) => {
    if (lease.renewed(one, answer.renewed[i]!, now) !== undefined) lose(state, one, done)
    else isInHand(state, one)
  })
  for (const id of answer.died) done.notes.push({ kind: "buried", id, reason: leaseEnded, cause: undefined })
  for (const given of answer.taken) hand(state, new Held(given, state.settings, sentAt), now, done)
  if (state.waiting.size > 0) {
    const isEmpty = answer.taken.length < request.take.length
    state.askAt = isEmpty && !state.hasChanged ? now + pause(state, answer.retryAfter, roll) : now
  } else state.askAt = Infinity
  if (isFlushed(state)) done.chain = waitList.settleAll(state.flushing, done.chain, undefined)
  return done
}

/** Hands a delivery to the first in line. */
const hand = (state: State, held: Held, now: number, done: Done): void => {
  // The answer took longer than the lease. (The item comes back by itself, or has.)
  if (lease.look(held, now) !== undefined) return
  state.held.add(held)
  isInHand(state, held)
  const ticket = waitList.shift(state.waiting)
  if (ticket === undefined) giveBack(state, held, now, done)
  else done.chain = settle(done.chain, ticket, { kind: "given", held })
}

/** How long those sleep for whom there is nothing. (A store that says "now" would be asked without end.) */
const pause = ({ settings }: State, retryAfter: number, roll: () => number): number =>
  Math.min(Math.max(retryAfter, 1), settings.poll * (0.75 + roll() / 4))

/** The store has said what became of a settlement. */
const judge = ({ cause, held, outcome, tried, waiting }: Settling, settled: Settled, done: Done): void => {
  if (held === undefined) return
  const { id } = held.given
  // When it was told before, it may have been done before. And what was only to be given back is back.
  if (settled === "lost" && !tried && (waiting !== undefined || outcome.kind !== "return")) {
    const loss = new lease.LeaseLost(held.name, held.token, "unknown to the store")
    if (waiting === undefined) done.notes.push({ kind: "lost", id, loss })
    return answer(done, waiting, { kind: "lost", loss })
  }
  if (settled === "buried") {
    done.notes.push({ kind: "buried", id, reason: "reason" in outcome ? outcome.reason : "", cause })
  }
  answer(done, waiting, { kind: "settled" })
}

/** The question in flight has no answer. `passing`: it may have one later. */
export const failed = (state: State, failure: unknown, passing: boolean, now: number, roll: () => number): Done => {
  const { renewing, request, sentAt, settling, tickets } = state.question!
  const { settings } = state
  const done = new Done()
  const random = roll()
  let isTold = false
  state.question = undefined
  state.failures++
  for (const one of renewing) {
    if (lease.failed(one, now, random) !== undefined) lose(state, one, done)
    else isInHand(state, one)
  }
  const again = request.take.map((delivery) => unknown(delivery, sentAt + settings.lease))
  for (const one of settling) {
    if (one.waiting !== undefined) {
      answer(done, one.waiting, { kind: "failed", failure })
      isTold = true
    }
    if (one.until > now) again.push({ ...one, waiting: undefined, tried: true })
    else untold(one, done)
  }
  for (const ticket of tickets) {
    if (ticket.lane === undefined || (passing && ticket.request.patient)) continue
    waitList.remove(ticket)
    done.chain = settle(done.chain, ticket, { kind: "failed", failure })
    isTold = true
  }
  const later = now + Math.min(settings.poll, 50 * 2 ** Math.min(10, state.failures - 1)) * (0.5 + random / 2)
  state.settling = again.concat(state.settling)
  state.settleAt = state.settling.length > 0 ? later : Infinity
  state.askAt = state.waiting.size > 0 ? later : Infinity
  if (state.failures === 1 && !isTold) done.notes.push({ kind: "outage", failure })
  done.chain = waitList.settleAll(state.flushing, done.chain, undefined)
  return done
}

/** A delivery that there may be. */
const unknown = (delivery: string, until: number): Settling => ({
  delivery,
  outcome: { kind: "return" },
  held: undefined,
  until,
  waiting: undefined,
  cause: undefined,
  tried: true
})

/** Its lease has ended before the store could be told what became of it. */
const untold = ({ held, outcome }: Settling, done: Done): void => {
  if (held === undefined || outcome.kind === "return") return
  const loss = new lease.LeaseLost(held.name, held.token, "expired")
  done.notes.push({ kind: "lost", id: held.given.id, loss })
}

/** The store says that something is ready, or may be: as when it has only just begun to be watched. */
export const changed = (state: State, now: number): void => {
  state.hasChanged = true
  if (state.question === undefined && state.waiting.size > 0) state.askAt = Math.min(state.askAt, now)
}

// ---------------------------------------------------------------------------------------------------------------------------- looks

export interface Stats {
  /** How many wait for a delivery here. */
  readonly waiting: number
  /** How many deliveries are in hand here. */
  readonly held: number
  /** How many are settled, and the store has not said that it knows. */
  readonly settling: number
}

export const stats = ({ held, question, settling, waiting }: State): Stats =>
  Object.freeze({
    waiting: waiting.size,
    held: held.size,
    settling: settling.length + (question?.settling.length ?? 0)
  })

/** Throws when an invariant does not hold. For tests. */
export const check = (state: State): void => {
  const { askAt, endAt, flushing, held, question, renewAt, settleAt, settling, waiting } = state
  waitList.check(waiting)
  waitList.check(flushing)
  if (question === undefined && waiting.size > 0 !== askAt < Infinity)
    throw new Error(`I1: ${waiting.size} wait, and are asked for at ${askAt}`)
  if (question === undefined && settling.length > 0 !== settleAt < Infinity)
    throw new Error(`I1: ${settling.length} are settled, and told at ${settleAt}`)
  if (flushing.size > 0 && isFlushed(state)) throw new Error(`I1: ${flushing.size} wait for nothing to be told`)
  for (const one of held) {
    lease.check(one)
    if (one.isSettled || one.status !== "held" || one.over.isSet) throw new Error("I2: what is in hand is over")
    if (endAt > one.deadline) throw new Error(`I1: a lease ends at ${one.deadline}, and is looked at only at ${endAt}`)
    if (question === undefined && renewAt > lease.wakeAt(one))
      throw new Error(`I1: a lease is due at ${lease.wakeAt(one)}, and is looked at only at ${renewAt}`)
  }
  const told = [...settling, ...(question?.settling ?? [])]
  if (told.some((one) => one.held !== undefined && held.has(one.held)))
    throw new Error("I2: what is settled is in hand")
  if (new Set(told.map(({ delivery }) => delivery)).size < told.length) throw new Error("I2: settled twice")
}

// --------------------------------------------------------------------------------------------------------------------------- words

/** What a note says. */
export const textOf = (note: Note): string => {
  switch (note.kind) {
    case "lost":
      return `the lease of item ${JSON.stringify(note.id)} was lost before it was settled: somebody else may do it as well`
    case "buried":
      return `item ${JSON.stringify(note.id)} is a dead letter now: ${note.reason}`
    case "outage":
      return "the store cannot be reached: whoever consumes waits until it can"
  }
}

/** Whether a failure passes, as an outage does. What is wrong with the data, or with the store, does not. */
export const isPassing = (error: unknown): boolean => error instanceof StoreError && !lasting.has(error.reason)

const lasting: ReadonlySet<string> = new Set(["wrong type", "reply", "closed"])
