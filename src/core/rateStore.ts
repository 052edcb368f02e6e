/**
 * The line at a rate limit that a store keeps. The store counts units, and answers after some milliseconds; the line knows who waits, in
 * which order, and whom to ask for when.
 *
 * How it goes. A question has what those in line want, in their order. The store answers each of them in turn: yes, now; yes, but not
 * before a time; or no, and when to ask again. A "no" to somebody who waits ends the answer, for nobody may pass him. (One who only tries
 * does not wait, so those behind him are answered all the same.) There is one question about a key at a time; who comes meanwhile is in the
 * next. So what any number of callers want together takes two questions.
 *
 * Units that were granted for a later time are the line's *slots*. They belong to the line and not to a caller: the first in line has the
 * first units. So when somebody leaves, all who have units move up, and the latest units go to the next who has none, or back to the store.
 *
 * The line asks *ahead*. An answer takes some time, and if the line asked for a unit when it is due, each unit would be late by that time,
 * and the rate would be missed. So it asks for what is due soon, as soon as the slots that it has are half used up. How soon is soon
 * depends on how long the store took to answer: of a store that answers at once nothing is asked ahead.
 *
 * State: of a key, who stands in line, in two parts: those of whom it is known that they have to wait, and behind them those of whom
 * nothing is known yet; the slots; the first who has no units yet, and what he and those behind him want together; the question in flight;
 * what the last answer refused, and when to ask again.
 *
 * Invariants:
 *
 * - I1 At most one question about a key is in flight. While there is none, and somebody in line has no units, the next question has its
 *   time.
 * - I2 `wanted` is the sum of what those want who have no units yet, and `tries` is how many of those in line only try.
 * - I3 Nobody goes before those in front of him, whatever he wants. The slots are in the order of their times, and have just what those
 *   want who have units: they are the first in line. What is left over is given back.
 * - I4 No more are known to wait than the backlog, and no more can come to wait than that and a burst, who might all go at once. Of those
 *   who only try there are no more than a burst, or than one question holds.
 * - I5 While anybody is known to wait, this is known of everybody, and nobody only tries. The line does not wait for the time that a
 *   refusal named if something was given back since the store was asked.
 * - I6 A failure of the store is of those who were asked for, and have no units still.
 *
 * Transitions: `enqueue`, `due`, `answered`, `failed`, `returned`, `cancel`. After each, `due` is to be called, and again at `wakeAt`.
 *
 * @internal
 */
import { expect } from "./arguments.js"
import * as event from "./event.js"
import type { Ask, Decision, Rate } from "./rate.js"
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
  /** What is wanted, in the order of those who want it. */
  readonly asks: ReadonlyArray<Ask>
  /** Units may be granted for a time that is no more than so many milliseconds from now. */
  readonly ahead: number
}

/** What a store answers one who asked. */
export interface Answer extends Decision {
  readonly delay: number
  readonly grant?: unknown
}

/** Units that were granted together, or some of them. */
export interface Granted {
  readonly cost: number
  /** What the store needs to know its grant again. */
  readonly grant: unknown
}

/** What a store is given back. */
export interface StoreReturn extends Rate {
  readonly key: string
  readonly grants: ReadonlyArray<Granted>
}

export interface Request {
  readonly key: Key
  readonly cost: number
  /** It takes what is to be had when it is asked for, and does not wait for more. */
  readonly tries?: boolean | undefined
  readonly place?: Place | undefined
  /** Whether there are units for it. */
  hasUnits?: boolean
}

/** What somebody knows who has taken a place in line for later. */
export interface Place {
  /** Set when it is known that he has to wait, or that he need not. */
  readonly known: event.State
  /** For how long, then. */
  delay: number
  /** Set when it has come, or was cancelled, or has failed. */
  readonly over: event.State
}

export const place = (): Place => ({ known: event.make(), delay: 0, over: event.make() })

/** What became of a request. */
export type Outcome =
  | { readonly kind: "granted"; readonly decision: Decision; readonly grants: ReadonlyArray<Granted> }
  | { readonly kind: "refused"; readonly decision: Decision }
  | { readonly kind: "full"; readonly error: limiter.RateLimited }
  | { readonly kind: "failed"; readonly failure: unknown }

export type Waiting = Ticket<Request, Outcome>

/** Units that the line has, and from when on they can be used. */
interface Slot {
  cost: number
  readonly at: number
  readonly grant: unknown
}

export interface Question {
  readonly asks: ReadonlyArray<Ask>
  readonly ahead: number
  /** Who wants it. */
  readonly tickets: ReadonlyArray<Waiting>
  /** When it was put, and how often something had been given back by then. */
  readonly at: number
  readonly returns: number
}

/** What the store refused. */
interface Refusal {
  readonly cost: number
  /** When it could be had, and when to ask for it. */
  readonly at: number
  readonly askAt: number
}

/** A key is its own timer: whoever knows the time sets it for `wakeAt`. */
export abstract class Key extends Timer {
  /** Those of whom it is known that they have to wait, and behind them the others. */
  readonly waiting: WaitList<Waiting> = waitList.make()
  readonly undecided: WaitList<Waiting> = waitList.make()
  readonly slots: Array<Slot> = []
  /** The first in line who has no units. */
  open: Waiting | undefined = undefined
  wanted = 0
  tries = 0
  question: Question | undefined = undefined
  refusal: Refusal | undefined = undefined
  /** When nothing will be used any more, by the last answer. */
  resetAt = 0
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
  /** How long an answer takes: as long as the slowest of late. */
  latency: number
}

export const fromOptions = (where: string, options: Options): State => {
  const { backlog, rate } = limiter.fromOptions(where, options)
  return { rate, backlog, keys: new Map(), latency: 0 }
}

/** No question has more in it, however long the line. */
const mostAsks = 1000

/** A line that asks ahead at all asks at least so far ahead: timers are late by a millisecond or two. */
const leastAhead = 20

/** What is granted ahead is lost to all if this process dies, so it is not more than that. */
const mostAhead = 2000

/** A store that refuses and says "now" would be asked without end. */
const leastPause = 1

/**
 * How far ahead the line asks: it asks again when half of that is left, and the answer takes half of that half. So one that takes twice as
 * long as those before is still in time.
 */
const horizon = ({ latency }: State): number =>
  latency === 0 ? 0 : Math.min(mostAhead, Math.max(leastAhead, 4 * latency))

/** An answer that is none would be waited on for ever, or asked for without end. */
export const checkAnswers = (asks: ReadonlyArray<Ask>, answers: ReadonlyArray<Answer>): ReadonlyArray<Answer> => {
  const where = "RateLimiter.Store"
  expect(Array.isArray(answers), where, "answer", "an array of decisions", answers)
  answers.forEach(checkAnswer)
  const last = answers[answers.length - 1]
  const isWhole = answers.length === asks.length || (last?.allowed === false && !asks[answers.length - 1]?.tries)
  expect(
    isWhole,
    where,
    "answer",
    `${asks.length} decisions, or fewer that end with a refusal`,
    answers.length,
    "number"
  )
  return answers
}

const checkAnswer = (answer: Answer): void => {
  const where = "RateLimiter.Store"
  expect(typeof answer === "object" && answer !== null, where, "decision", "an object", answer)
  expect(typeof answer.allowed === "boolean", where, "allowed", "true or false", answer.allowed)
  for (const name of ["delay", "remaining", "retryAfter", "resetAfter"] as const) {
    const value = answer[name]
    expect(value >= 0 && value < Infinity, where, name, "a finite number of 0 or more", value, "number")
  }
}

const size = (key: Key): number => key.waiting.size + key.undecided.size

export const isIdle = (key: Key): boolean => key.question === undefined && size(key) === 0

const first = (key: Key): Waiting | undefined => waitList.head(key.waiting) ?? waitList.head(key.undecided)

/** Who stands behind a ticket. (A list has one lane here, which comes after its last.) */
const behind = (key: Key, ticket: Waiting): Waiting | undefined => {
  const { lane } = ticket
  if (ticket.next !== (lane as unknown)) return ticket.next
  return lane!.list === key.waiting ? waitList.head(key.undecided) : undefined
}

/** Whether somebody goes now or not at all. */
const isBrief = ({ backlog }: State, ticket: Waiting): boolean => ticket.request.tries === true || backlog === 0

/** Whether it is known that the first in line has to wait, and so everybody who comes. */
const isBlocked = (key: Key): boolean => key.slots.length > 0 || key.refusal !== undefined

// ---------------------------------------------------------------------------------------------------------------------------- times

const lastSlotAt = ({ slots }: Key): number => (slots.length === 0 ? -Infinity : slots[slots.length - 1]!.at)

/** When the first so many units in the slots can all be used. */
const slotAt = ({ slots }: Key, units: number): number => {
  let index = 0
  for (let had = 0; had < units; index++) had += slots[index]!.cost
  return index === 0 ? -Infinity : slots[index - 1]!.at
}

const goAt = (key: Key): number => {
  const ticket = first(key)
  return ticket?.request.hasUnits ? slotAt(key, ticket.request.cost) : Infinity
}

const askAt = (state: State, key: Key): number =>
  key.question !== undefined || key.open === undefined
    ? Infinity
    : Math.max(key.refusal?.askAt ?? -Infinity, lastSlotAt(key) - horizon(state) / 2)

/** When something is to be done: somebody can go, or a question is due. */
export const wakeAt = (state: State, key: Key): number => Math.min(goAt(key), askAt(state, key))

/** When somebody without units can go at the soonest who has so much before him, if meanwhile nobody else takes anything. */
const availableAt = ({ rate }: State, key: Key, before: number, cost: number, now: number): number => {
  const { refusal } = key
  if (refusal !== undefined) return Math.max(now, refusal.at) + spread(rate, before + cost, refusal.cost)
  if (key.slots.length > 0) return Math.max(now, lastSlotAt(key)) + spread(rate, before + cost, 0)
  return now + spread(rate, before + cost, rate.burst)
}

// ------------------------------------------------------------------------------------------------------------------------ newcomers

/** Why a newcomer cannot wait, if he cannot. */
export const refusal = (state: State, key: Key, cost: number, now: number): limiter.RateLimited | undefined => {
  // Of those who may not have to wait at all there can be a burst.
  const most = state.backlog + (isBlocked(key) ? 0 : state.rate.burst)
  return size(key) - key.tries < most ? undefined : full(state, key, key.wanted, cost, now)
}

const full = (state: State, key: Key, before: number, cost: number, now: number) =>
  new limiter.RateLimited(key.name, availableAt(state, key, before, cost, now) - now)

/** What somebody is told who only tries, without asking: when others are known to wait, or too many try. */
export const refused = (state: State, key: Key, cost: number, now: number): Decision | undefined =>
  isBlocked(key) || key.tries >= Math.max(state.rate.burst, mostAsks)
    ? triedInVain(state, key, key.wanted, cost, now)
    : undefined

const triedInVain = (state: State, key: Key, before: number, cost: number, now: number): Decision => {
  const retryAfter = availableAt(state, key, before, cost, now) - now
  return decision(false, 0, retryAfter, isBlocked(key) ? key.resetAt - now : retryAfter)
}

const decision = (allowed: boolean, remaining: number, retryAfter: number, resetAfter: number): Decision =>
  Object.freeze({ allowed, remaining, retryAfter, resetAfter: Math.max(0, resetAfter) })

/** Neither `refusal` nor, of one who only tries, `refused` had anything to say. */
export const enqueue = (state: State, ticket: Waiting, now: number): Step => {
  const { cost, key, place, tries } = ticket.request
  const isKnown = isBlocked(key)
  const at = availableAt(state, key, key.wanted, cost, now)
  waitList.push(isKnown ? key.waiting : key.undecided, ticket)
  key.wanted += cost
  if (tries) key.tries++
  key.open ??= ticket
  return allot(state, key, 0, isKnown ? tell(place, at - now) : undefined)
}

const tell = (place: Place | undefined, delay: number): Chain => {
  if (place === undefined) return undefined
  place.delay = delay
  return event.set(place.known)
}

// ---------------------------------------------------------------------------------------------------------------------------- units

/** What has to be done after a transition. */
export interface Step {
  readonly chain: Chain
  /** What is nobody's, and has to be given back. */
  readonly back: ReadonlyArray<Granted>
}

/** The latest of the slots' units are free: they go to the next in line who have none, and the rest goes back. */
const allot = (state: State, key: Key, free: number, chain: Chain): Step => {
  const left = assign(state, key, free)
  const { open, refusal } = key
  // Who wants less than was refused may have it now; who wants as much, or more, need not ask before it is there.
  if (refusal !== undefined && (open === undefined || open.request.cost < refusal.cost)) key.refusal = undefined
  return { chain, back: takeBack(key, left) }
}

/** Gives how many units are left. Whoever wants nothing has all that he wants. */
const assign = (state: State, key: Key, free: number): number => {
  let ticket = key.open
  for (; ticket !== undefined && ticket.request.cost <= free && !isBrief(state, ticket); ticket = behind(key, ticket)) {
    const { request } = ticket
    request.hasUnits = true
    free -= request.cost
    key.wanted -= request.cost
  }
  key.open = ticket
  return free
}

/** Takes the latest units out of the slots. */
const takeBack = ({ slots }: Key, units: number): ReadonlyArray<Granted> => {
  const back: Array<Granted> = []
  while (units > 0) {
    const slot = slots[slots.length - 1]!
    const cost = Math.min(units, slot.cost)
    back.push({ cost, grant: slot.grant })
    units -= cost
    if ((slot.cost -= cost) === 0) slots.pop()
  }
  return back
}

/** Takes the earliest units out of the slots. */
const takeFirst = ({ slots }: Key, units: number): ReadonlyArray<Granted> => {
  const taken: Array<Granted> = []
  while (units > 0) {
    const slot = slots[0]!
    const cost = Math.min(units, slot.cost)
    taken.push({ cost, grant: slot.grant })
    units -= cost
    if ((slot.cost -= cost) === 0) slots.shift()
  }
  return taken
}

const remove = (ticket: Waiting): void => {
  const { cost, hasUnits, key, tries } = ticket.request
  if (key.open === ticket) key.open = behind(key, ticket)
  waitList.remove(ticket)
  if (!hasUnits) key.wanted -= cost
  if (tries) key.tries--
}

/** He goes, with units from the slots. */
const grant = (chain: Chain, ticket: Waiting, own: Decision): Chain => {
  const { cost, key } = ticket.request
  remove(ticket)
  return settle(chain, ticket, { kind: "granted", decision: own, grants: takeFirst(key, cost) })
}

/** Those go whose time has come. */
const goOn = (key: Key, chain: Chain, now: number): Chain => {
  while (goAt(key) <= now) chain = grant(chain, first(key)!, decision(true, 0, 0, key.resetAt - now))
  return chain
}

// -------------------------------------------------------------------------------------------------------------------------- questions

/** Who goes now, and the question to be put now, if there is one. */
export const due = (
  state: State,
  key: Key,
  now: number
): { readonly chain: Chain; readonly question: Question | undefined } => {
  const chain = goOn(key, undefined, now)
  return { chain, question: askAt(state, key) <= now ? ask(state, key, now) : undefined }
}

/**
 * Asks for as many of those who wait as could be granted something, and for one more: so it is known when to ask again. And for all who
 * only try.
 */
const ask = (state: State, key: Key, now: number): Question => {
  const { burst, interval, limit } = state.rate
  const ahead = horizon(state)
  const most = burst + (ahead * limit) / interval
  const tickets: Array<Waiting> = []
  let cost = 0
  for (let ticket = key.open; ticket !== undefined; ticket = behind(key, ticket)) {
    if (cost > most && !isBrief(state, ticket)) break
    if (tickets.push(ticket) === mostAsks) break
    cost += ticket.request.cost
  }
  const asks = tickets.map((ticket) => ({ cost: ticket.request.cost, tries: isBrief(state, ticket) }))
  key.refusal = undefined
  return (key.question = { asks, ahead, tickets, at: now, returns: key.returns })
}

const ended = (key: Key): Question => {
  const question = key.question!
  key.question = undefined
  return question
}

/** The store has answered the question in flight. */
export const answered = (state: State, key: Key, answers: ReadonlyArray<Answer>, now: number): Step => {
  const question = ended(key)
  state.latency = Math.max(now - question.at, state.latency * 0.9)
  const last = answers[answers.length - 1]!
  key.resetAt = now + last.resetAfter
  const handed = handOut(state, key, question, answers, addSlots(key, question, answers, now), now)
  const back = takeBack(key, handed.free)
  if (!last.allowed) noteRefusal(state, key, question, answers.length - 1, last, now)
  const known = isBlocked(key) ? allKnown(state, key, handed.chain, now) : { chain: handed.chain, free: 0 }
  const step = allot(state, key, known.free, known.chain)
  return { chain: step.chain, back: [...back, ...step.back] }
}

/** Gives how many units there are more. */
const addSlots = (key: Key, { asks }: Question, answers: ReadonlyArray<Answer>, now: number): number => {
  let units = 0
  answers.forEach(({ allowed, delay, grant }, index) => {
    const { cost } = asks[index]!
    if (!allowed || cost === 0) return
    key.slots.push({ cost, at: Math.max(now + delay, lastSlotAt(key)), grant })
    units += cost
  })
  return units
}

interface Handed {
  readonly chain: Chain
  /** How many units are nobody's. */
  readonly free: number
}

/** Those go who can go now, and those who only try are told. */
const handOut = (
  state: State,
  key: Key,
  { tickets }: Question,
  answers: ReadonlyArray<Answer>,
  free: number,
  now: number
): Handed => {
  const answerTo = new Map(tickets.map((ticket, index) => [ticket, answers[index]]))
  let chain: Chain = undefined
  for (;;) {
    free = assign(state, key, free)
    chain = goOn(key, chain, now)
    const ticket = first(key)
    const answer = ticket && !ticket.request.hasUnits && isBrief(state, ticket) ? answerTo.get(ticket) : undefined
    if (answer === undefined) return { chain, free }
    const { cost } = ticket!.request
    const own = decision(answer.allowed, answer.remaining, answer.retryAfter, answer.resetAfter)
    if (answer.allowed) {
      free -= cost
      chain = grant(chain, ticket!, own)
    } else chain = refuse(chain, ticket!, own)
  }
}

const refuse = (chain: Chain, ticket: Waiting, own: Decision): Chain => {
  const { key, tries } = ticket.request
  remove(ticket)
  return settle(
    chain,
    ticket,
    tries
      ? { kind: "refused", decision: own }
      : { kind: "full", error: new limiter.RateLimited(key.name, own.retryAfter) }
  )
}

/**
 * A refusal of one who waits is good for whoever is now the first without units, if he wants as much; and as long as nothing is given back.
 */
const noteRefusal = (
  state: State,
  key: Key,
  { ahead, returns, tickets }: Question,
  index: number,
  { retryAfter }: Answer,
  now: number
): void => {
  const ticket = tickets[index]!
  const { cost } = ticket.request
  const { open } = key
  if (isBrief(state, ticket) || returns !== key.returns || open === undefined || open.request.cost < cost) return
  const at = now + (retryAfter || leastPause)
  // A store that refuses what is due so soon does not grant ahead.
  key.refusal = { cost, at, askAt: retryAfter > ahead ? at - ahead * 0.75 : at }
}

/** The first has to wait, and so all have: as many as may, and the others are refused. */
const allKnown = (state: State, key: Key, chain: Chain, now: number): Handed => {
  const all = waitList.tickets(key.undecided)
  const sum = (has: boolean) =>
    all.reduce((sum, { request }) => ((request.hasUnits === true) === has ? sum + request.cost : sum), 0)
  let before = key.wanted - sum(false)
  let units = key.slots.reduce((sum, { cost }) => sum + cost, 0) - sum(true)
  let free = 0
  for (const ticket of all) {
    const { cost, hasUnits, place, tries } = ticket.request
    if (tries) chain = refuse(chain, ticket, triedInVain(state, key, before, cost, now))
    else if (key.waiting.size < state.backlog) {
      waitList.remove(ticket)
      waitList.push(key.waiting, ticket)
      if (hasUnits) units += cost
      if (place) chain = concat(chain, tell(place, comesAt(state, key, ticket, units, before, now) - now))
      if (!hasUnits) before += cost
    } else {
      remove(ticket)
      if (hasUnits) free += cost
      chain = settle(chain, ticket, { kind: "full", error: full(state, key, before, cost, now) })
    }
  }
  return { chain, free }
}

/** When somebody goes, of whom it is known how much is taken before him. */
const comesAt = (state: State, key: Key, { request }: Waiting, units: number, before: number, now: number): number =>
  request.hasUnits ? Math.max(now, slotAt(key, units)) : availableAt(state, key, before, request.cost, now)

export interface Failed extends Step {
  /** Whether there is somebody, or nobody at all, who does not hear of it. */
  readonly isUnheard: boolean
}

/** The store could not answer the question in flight. */
export const failed = (state: State, key: Key, failure: unknown, now: number): Failed => {
  const { tickets } = ended(key)
  let chain: Chain = undefined
  let isUnheard = false
  for (const ticket of tickets) {
    // Others have gone, or had what was granted to one who has gone.
    if (ticket.lane === undefined || ticket.request.hasUnits) continue
    const { place } = ticket.request
    if (place?.known.isSet && place.over.waiting.size === 0) isUnheard = true
    remove(ticket)
    chain = settle(chain, ticket, { kind: "failed", failure })
  }
  return { ...allot(state, key, 0, goOn(key, chain, now)), isUnheard: isUnheard || chain === undefined }
}

/** Something was given back, as far as the store could: what it refused before that may be had now. */
export const returned = (key: Key): void => {
  key.returns++
  key.refusal = undefined
}

/** The caller of a ticket is gone. */
export const cancel = (state: State, ticket: Waiting): Step => {
  const { result } = ticket
  if (result !== undefined) return { chain: undefined, back: result.kind === "granted" ? result.grants : [] }
  const { cost, hasUnits, key } = ticket.request
  remove(ticket)
  return allot(state, key, hasUnits ? cost : 0, undefined)
}

export const stats = (state: State): limiter.Stats => {
  let waiting = 0
  for (const key of state.keys.values()) waiting += size(key) - key.tries
  return Object.freeze({ keys: state.keys.size, waiting })
}

/** Throws when an invariant does not hold. For tests. */
export const check = (state: State): void => {
  const { backlog, rate } = state
  for (const key of state.keys.values()) {
    waitList.check(key.waiting)
    waitList.check(key.undecided)
    const waiting = waitList.tickets(key.waiting)
    const all = [...waiting, ...waitList.tickets(key.undecided)]
    const without = all.filter(({ request }) => !request.hasUnits)
    const sum = (tickets: ReadonlyArray<Waiting>) => tickets.reduce((sum, { request }) => sum + request.cost, 0)
    const hasTime = askAt(state, key) < Infinity
    if (hasTime !== (key.question === undefined && without.length > 0))
      throw new Error(`I1: ${without.length} have no units, and the next question is due at ${askAt(state, key)}`)
    if (key.wanted !== sum(without)) throw new Error(`I2: ${sum(without)} units are wanted, not ${key.wanted}`)
    const tries = all.filter(({ request }) => request.tries).length
    if (key.tries !== tries) throw new Error(`I2: ${tries} only try, not ${key.tries}`)
    if (all.some((ticket) => ticket.request.key !== key)) throw new Error("I2: somebody is in line for another key")
    if (key.open !== without[0]) throw new Error("I3: the first without units is another")
    if (all.indexOf(without[0]!) >= 0 && all.slice(all.indexOf(without[0]!)).length !== without.length)
      throw new Error("I3: somebody has units who is not among the first")
    const units = key.slots.reduce((sum, { cost }) => sum + cost, 0)
    if (units !== sum(all) - sum(without)) throw new Error(`I3: the slots have ${units} units`)
    if (key.slots.some(({ at, cost }, index) => cost <= 0 || at < (key.slots[index - 1]?.at ?? -Infinity)))
      throw new Error("I3: the slots are not in order")
    if (waiting.length > backlog) throw new Error(`I4: ${waiting.length} wait`)
    if (all.length - tries > backlog + rate.burst) throw new Error(`I4: ${all.length - tries} can come to wait`)
    if (tries > Math.max(rate.burst, mostAsks)) throw new Error(`I4: ${tries} only try`)
    if (waiting.some(({ request }) => request.tries)) throw new Error("I5: who only tries waits")
    if (key.refusal !== undefined && without.length === 0) throw new Error("I5: a refusal of nobody")
    if (isBlocked(key) && key.undecided.size > 0)
      throw new Error("I5: somebody waits, and somebody does not know that he has to")
  }
}
