/**
 * The line at a rate limit that somebody else keeps: a store, which is asked, and answers later.
 *
 * A question is for the first in line, and for those behind it as far as the last grant left room. So what there is to be had takes two
 * questions, however many want it; and whoever is not first does not cost one of his own.
 *
 * State: of each key, who stands in line, in two parts: those of whom it is known that they have to wait, and behind them those of whom nothing
 * is known yet; how much they want together; the question that is in flight; what the first was told, who sleeps until he asks again; when
 * the next question is due; how much the last grant left.
 *
 * Invariants:
 *
 * - I1 At most one question about a key is in flight. While there is none, and somebody is in line, the next has its time; and else it has not.
 * - I2 `ahead` is the sum of what those want who are in line, and `tries` how many of them do not wait.
 * - I3 Nobody goes before those in front of him, whatever he wants: what is granted is handed out from the head of the line, and what is then
 *   left is given back.
 * - I4 No more are known to wait than the backlog, and no more can come to wait than that and a burst, who might all go at once.
 * - I5 While the first sleeps, it is known of everybody that he has to wait, and none of them only tries. It sleeps on no answer that is older
 *   than the last that was given back.
 * - I6 An answer belongs to the line: of a caller who has gone, the next have what was granted, as far as it goes, and are refused as he was.
 *   A failure belongs to those who were asked for.
 *
 * Transitions: `enqueue`, `due`, `answered`, `failed`, `returned`, `cancel`. After each, `due` is to be called, and again at `wakeAt`.
 *
 * @internal
 */
import { expect } from "./arguments.js"
import * as event from "./event.js"
import type { Decision, Rate } from "./rate.js"
import { spread } from "./rate.js"
import type { Options } from "./rateLimiter.js"
import * as limiter from "./rateLimiter.js"
import type { Chain, Ticket } from "./ticket.js"
import { concat, settle } from "./ticket.js"
import { Timer } from "./timers.js"
import type { WaitList } from "./waitList.js"
import * as waitList from "./waitList.js"

/** What a store is asked. */
export interface StoreRequest extends Rate {
  readonly key: string
  readonly cost: number
}

/** What a store answers. */
export interface Answer extends Decision {
  readonly grant?: unknown
}

export interface Request {
  readonly key: Key
  readonly cost: number
  /** It takes what is to be had when its turn comes to be asked for, and does not wait for more. */
  readonly tries?: boolean | undefined
  readonly place?: Place | undefined
}

/** What somebody is told who takes a place in line for later. */
export interface Place {
  /** Set when it is known that he has to wait. (When it is over, whoever wakes him sees to it.) */
  readonly known: event.State
  /** For how long, then. */
  delay: number
}

/** What became of a request. */
export type Outcome =
  | { readonly kind: "granted"; readonly decision: Decision; readonly answer: Answer }
  | { readonly kind: "refused"; readonly decision: Decision }
  | { readonly kind: "full"; readonly error: limiter.RateLimited }
  | { readonly kind: "failed"; readonly failure: unknown }

export type Waiting = Ticket<Request, Outcome>

export interface Question {
  readonly cost: number
  /** For whom it is. */
  readonly tickets: ReadonlyArray<Waiting>
  /** How often something had been given back by then. */
  readonly returns: number
}

/** A key is its own timer: whoever knows the time sets it for `wakeAt`. */
export abstract class Key extends Timer {
  /** Those of whom it is known that they have to wait, and behind them the others. */
  readonly waiting: WaitList<Waiting> = waitList.make()
  readonly undecided: WaitList<Waiting> = waitList.make()
  ahead = 0
  tries = 0
  question: Question | undefined = undefined
  /** What the first was refused, and when nothing will be used any more. */
  told: { readonly cost: number; readonly resetAt: number } | undefined = undefined
  wakeAt = Infinity
  room = 0
  returns = 0

  constructor(readonly name: string) {
    super()
  }
}

export interface State {
  readonly rate: Rate
  readonly backlog: number
  /** Those that somebody is in line for, or that are asked about. */
  readonly keys: Map<string, Key>
}

export const fromOptions = (where: string, options: Options): State => {
  const { backlog, rate } = limiter.fromOptions(where, options)
  return { rate, backlog, keys: new Map() }
}

/** An answer that is none would be waited on for ever, or asked for without end. */
export const checkAnswer = (answer: Answer): Answer => {
  const where = "RateLimiter.Store"
  expect(typeof answer === "object" && answer !== null, where, "decision", "an object", answer)
  expect(typeof answer.allowed === "boolean", where, "allowed", "true or false", answer.allowed)
  for (const name of ["remaining", "retryAfter", "resetAfter"] as const) {
    const value = answer[name]
    expect(value >= 0 && value < Infinity, where, name, "a finite number of 0 or more", value, "number")
  }
  return answer
}

/** A store that refuses and says "now" would be asked without end. */
const leastPause = 1

const size = (key: Key): number => key.waiting.size + key.undecided.size

export const isIdle = (key: Key): boolean => key.question === undefined && size(key) === 0

const first = (key: Key): Waiting | undefined => waitList.head(key.waiting) ?? waitList.head(key.undecided)

/** Who stands behind a ticket. (A list has one lane here, which comes after its last.) */
const behind = (key: Key, ticket: Waiting): Waiting | undefined => {
  const { lane } = ticket
  if (ticket.next !== (lane as unknown)) return ticket.next
  return lane!.list === key.waiting ? waitList.head(key.undecided) : undefined
}

/** When somebody can go at the soonest who has so much before him, if meanwhile nobody else takes anything. */
const availableAt = ({ rate }: State, { told, wakeAt }: Key, ahead: number, cost: number, now: number): number =>
  told === undefined
    ? now + spread(rate, ahead + cost, rate.burst)
    : Math.max(now, wakeAt) + spread(rate, ahead + cost, told.cost)

/** Why a newcomer cannot wait, if he cannot. */
export const refusal = (state: State, key: Key, cost: number, now: number): limiter.RateLimited | undefined => {
  // Of those who may not have to wait at all there can be a burst.
  const most = state.backlog + (key.told === undefined ? state.rate.burst : 0)
  return size(key) - key.tries < most ? undefined : full(state, key, key.ahead, cost, now)
}

const full = (state: State, key: Key, ahead: number, cost: number, now: number) =>
  new limiter.RateLimited(key.name, availableAt(state, key, ahead, cost, now) - now)

/** What somebody is told who only tries, without asking, while others are known to wait. */
export const refused = (state: State, key: Key, cost: number, now: number): Decision | undefined =>
  key.told && decision(false, 0, availableAt(state, key, key.ahead, cost, now) - now, key.told.resetAt - now)

const decision = (allowed: boolean, remaining: number, retryAfter: number, resetAfter: number): Decision =>
  Object.freeze({ allowed, remaining, retryAfter, resetAfter: Math.max(0, resetAfter) })

/** Neither `refusal` nor, of one who only tries, `refused` had anything to say. */
export const enqueue = (state: State, ticket: Waiting, now: number): Chain => {
  const { cost, key, place, tries } = ticket.request
  let chain: Chain = undefined
  if (key.told === undefined) {
    if (isIdle(key)) key.wakeAt = now
    waitList.push(key.undecided, ticket)
    if (tries) key.tries++
  } else {
    chain = tell(place, availableAt(state, key, key.ahead, cost, now) - now)
    waitList.push(key.waiting, ticket)
  }
  key.ahead += cost
  return chain
}

const tell = (place: Place | undefined, delay: number): Chain => {
  if (place === undefined) return undefined
  place.delay = delay
  return event.set(place.known)
}

const remove = (ticket: Waiting): void => {
  const { cost, key, tries } = ticket.request
  waitList.remove(ticket)
  key.ahead -= cost
  if (tries) key.tries--
}

/** The question to be put now, if there is one. */
export const due = (key: Key, now: number): Question | undefined => {
  if (key.wakeAt > now) return undefined
  key.wakeAt = Infinity
  key.told = undefined
  const tickets: Array<Waiting> = []
  let cost = 0
  for (let ticket = first(key); ticket !== undefined; ticket = behind(key, ticket)) {
    if (tickets.length > 0 && cost + ticket.request.cost > key.room) break
    cost += ticket.request.cost
    tickets.push(ticket)
  }
  return (key.question = { cost, tickets, returns: key.returns })
}

/** Somebody else is first, or the first need not sleep any more. */
const askAgain = (key: Key, now: number): void => {
  key.told = undefined
  key.wakeAt = size(key) > 0 ? now : Infinity
}

export interface Answered {
  readonly chain: Chain
  /** How much of what was granted is nobody's, and has to be given back. */
  readonly left: number
}

/** The store has answered the question in flight. */
export const answered = (state: State, key: Key, answer: Answer, now: number): Answered => {
  const { cost, returns, tickets } = key.question!
  key.question = undefined
  if (answer.allowed) return granted(state, key, cost, answer, now)
  key.room = 0
  if (tickets.length === 1 && returns === key.returns) {
    return { chain: wasRefused(state, key, cost, answer, now), left: 0 }
  }
  // It was too much at once, or comes from before something was given back.
  askAgain(key, now)
  return { chain: undefined, left: 0 }
}

/** Hands out what was granted. */
const granted = ({ rate }: State, key: Key, cost: number, answer: Answer, now: number): Answered => {
  let chain: Chain = undefined
  let left = cost
  for (let ticket; (ticket = first(key)) !== undefined && ticket.request.cost <= left;) {
    left -= ticket.request.cost
    remove(ticket)
    // As if each had been asked for by himself.
    const own = decision(true, answer.remaining + left, 0, answer.resetAfter)
    chain = settle(chain, ticket, { kind: "granted", decision: own, answer })
  }
  key.room = Math.min(answer.remaining, rate.burst)
  askAgain(key, now)
  return { chain, left }
}

/** A refusal takes nothing, so it is the answer for all who want as much, until one of them waits. */
const wasRefused = (state: State, key: Key, cost: number, answer: Answer, now: number): Chain => {
  const { remaining, resetAfter, retryAfter } = answer
  let chain: Chain = undefined
  for (let ticket; (ticket = first(key)) !== undefined && ticket.request.cost === cost;) {
    const { tries } = ticket.request
    if (!tries && state.backlog > 0) {
      key.wakeAt = now + (retryAfter || leastPause)
      key.told = { cost, resetAt: now + resetAfter }
      return allKnown(state, key, chain, now)
    }
    remove(ticket)
    chain = settle(
      chain,
      ticket,
      tries
        ? { kind: "refused", decision: decision(false, remaining, retryAfter, resetAfter) }
        : { kind: "full", error: new limiter.RateLimited(key.name, retryAfter) }
    )
  }
  askAgain(key, now)
  return chain
}

/** The first has to wait, and so all have: as many as may, and the others are refused. */
const allKnown = (state: State, key: Key, chain: Chain, now: number): Chain => {
  const all = waitList.tickets(key.undecided)
  let ahead = all.reduce((rest, { request }) => rest - request.cost, key.ahead)
  for (const ticket of all) {
    const { cost, place, tries } = ticket.request
    if (tries) {
      const own = decision(false, 0, availableAt(state, key, ahead, cost, now) - now, key.told!.resetAt - now)
      remove(ticket)
      chain = settle(chain, ticket, { kind: "refused", decision: own })
    } else if (key.waiting.size < state.backlog) {
      waitList.remove(ticket)
      waitList.push(key.waiting, ticket)
      chain = concat(chain, tell(place, availableAt(state, key, ahead, cost, now) - now))
      ahead += cost
    } else {
      remove(ticket)
      chain = settle(chain, ticket, { kind: "full", error: full(state, key, ahead, cost, now) })
    }
  }
  return chain
}

/** The store could not answer the question in flight. Nobody is in the chain: all who were asked for have gone. */
export const failed = (key: Key, failure: unknown, now: number): Chain => {
  const { tickets } = key.question!
  key.question = undefined
  key.room = 0
  let chain: Chain = undefined
  for (const ticket of tickets) {
    // Others have gone, or had what one who has gone was granted.
    if (ticket.lane === undefined) continue
    remove(ticket)
    chain = settle(chain, ticket, { kind: "failed", failure })
  }
  askAgain(key, now)
  return chain
}

/** Something was given back, as far as the store could: what it refused before that may be had now. */
export const returned = (key: Key, now: number): void => {
  key.returns++
  if (key.question === undefined) askAgain(key, now)
}

/** The caller of a ticket is gone. What it was granted, if it is here, has to be given back. */
export const cancel = (ticket: Waiting, now: number): Answer | undefined => {
  const { result } = ticket
  if (result !== undefined) return result.kind === "granted" ? result.answer : undefined
  const { key } = ticket.request
  remove(ticket)
  const next = first(key)
  // Who wants as much as the first was refused need not ask before he would have.
  if (key.told !== undefined && (next === undefined || next.request.cost < key.told.cost)) askAgain(key, now)
  return undefined
}

export const stats = (state: State): limiter.Stats => {
  let waiting = 0
  for (const key of state.keys.values()) waiting += size(key) - key.tries
  return Object.freeze({ keys: state.keys.size, waiting })
}

/** Throws when an invariant does not hold. For tests. */
export const check = (state: State): void => {
  for (const key of state.keys.values()) {
    waitList.check(key.waiting)
    waitList.check(key.undecided)
    const waiting = waitList.tickets(key.waiting)
    const undecided = waitList.tickets(key.undecided)
    const all = [...waiting, ...undecided]
    const isDue = key.wakeAt < Infinity
    if (isDue !== (key.question === undefined && all.length > 0))
      throw new Error(`I1: the next is due at ${key.wakeAt}`)
    const ahead = all.reduce((sum, { request }) => sum + request.cost, 0)
    const tries = all.filter(({ request }) => request.tries).length
    if (key.ahead !== ahead) throw new Error(`I2: ${ahead} units are wanted, not ${key.ahead}`)
    if (key.tries !== tries) throw new Error(`I2: ${tries} only try, not ${key.tries}`)
    if (all.some((ticket) => ticket.request.key !== key)) throw new Error("I2: somebody is in line for another key")
    const most = state.backlog + state.rate.burst
    if (waiting.length > state.backlog) throw new Error(`I4: ${waiting.length} wait`)
    if (all.length - tries > most) throw new Error(`I4: ${all.length - tries} can come to wait`)
    if (waiting.some(({ request }) => request.tries)) throw new Error("I5: who only tries waits")
    if (key.told === undefined) continue
    if (!isDue) throw new Error("I5: the first sleeps and never asks again")
    if (undecided.length > 0) throw new Error("I5: the first sleeps, and somebody does not know that he has to wait")
  }
}
