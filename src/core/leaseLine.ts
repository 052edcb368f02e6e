/**
 * Those in this process who want permits of one name, which a store gives out on lease, to other processes as well.
 *
 * They stand in one line, and only the first of them is asked for. So however many wait here, the store answers one question at a time, and
 * while they wait for each other it answers none.
 *
 * State: who stands in line; how many permits are held here, and how many the store says that there are; the question in flight, and whether
 * something has changed since it was sent; how many permits the store has refused, if the first in line sleeps on that; when the next question
 * is due; whether we are told when permits are freed (whether the store is *watched*), and whether that has happened since a release was sent; and
 * whether the latest grant came too late.
 *
 * Invariants:
 *
 * - I1 At most one question is in flight. The next one has its time exactly if none is in flight, somebody is in line, and what is held here
 *   leaves room for what the first one wants: otherwise the store would certainly refuse.
 * - I2 Nobody goes before those in front of him, whatever he wants: what is granted goes to the first in line, or back.
 * - I3 Nobody who only tries is in line while it is known that the first one waits.
 * - I4 Nobody sleeps on a refusal that may be out of date: if something has changed since the question was sent, it is asked again.
 * - I5 The store is watched only while somebody is in line. When the first one sleeps it is watched, or was tried to be.
 *
 * Transitions: `enqueue`, `due`, `granted`, `refused`, `failed`, `news`, `watched`, `watchFailed`, `ending`, `ended`, `cancel`. After each, `due`
 * is to be called, and again at `wakeAt`; and `watchDue`.
 *
 * **No lost wake-up.** The order is: ask, watch, ask again, and only then sleep. A message may still be lost on the way. So whoever sleeps wakes
 * when the earliest lease ends, and after `poll` in any case.
 *
 * **Other processes are not starved.** A process whose caller has just let go is quicker than any that hears of it first. So when the store says
 * that others watch, the next in line here does not ask before it has heard the same message; or, if the store is not watched here yet, before
 * it is. Between processes there is no order beyond that.
 *
 * @internal
 */
import type { Lease } from "./lease.js"
import type { Chain, Ticket } from "./ticket.js"
import { settle } from "./ticket.js"
import { Timer } from "./timers.js"
import type { WaitList } from "./waitList.js"
import * as waitList from "./waitList.js"

export interface Request {
  readonly line: Line
  readonly permits: number
  /** It takes what is to be had when its turn comes to be asked for, and does not wait for more. */
  readonly tries: boolean
}

/** What became of a request. What it is that failed, only the port knows. */
export type Outcome =
  | { readonly kind: "granted"; readonly lease: Lease }
  | { readonly kind: "busy" }
  | { readonly kind: "failed"; readonly failure: unknown }

export type Waiting = Ticket<Request, Outcome>

export interface Question {
  readonly permits: number
  /** Whether something has changed since it was sent. */
  news: boolean
}

/** A line is its own timer: whoever knows the time sets it for `wakeAt`. */
export abstract class Line extends Timer {
  readonly waiting: WaitList<Waiting> = waitList.make()
  /** How many permits are held here. */
  held = 0
  question: Question | undefined = undefined
  /** How many permits the store has refused. Undefined: the first does not sleep. */
  refused: number | undefined = undefined
  wakeAt = Infinity
  watch: "off" | "starting" | "on" | "failed" = "off"
  /** Whether permits were freed, as far as we were told, since a release was sent. */
  heard = false
  /** Whether the latest grant came too late. */
  late = false

  constructor(
    readonly name: string,
    /** How many permits there are: as the store has said last. */
    public limit: number,
    /** The most milliseconds to sleep. */
    readonly poll: number
  ) {
    super()
  }
}

/** Gives a random number. It is called only for whoever goes to sleep: not every pair of dice is cheap to roll. */
export type Roll = () => number

/** A store that refuses and says "now" would be asked without end. */
const leastPause = 1

/** Whether what is held here leaves no room for so much. While something is held, the limit stays. */
const isBlocked = (line: Line, permits: number): boolean => line.held > 0 && line.held + permits > line.limit

/** Whether it is known, without asking, that so much is not to be had without overtaking anybody. */
export const isBusy = (line: Line, permits: number): boolean => {
  const first = waitList.head(line.waiting)
  return isBlocked(line, permits) || (first !== undefined && waits(line, first))
}

/** Whether it is known of the first in line that he has to wait. */
const waits = (line: Line, first: Waiting): boolean =>
  line.refused !== undefined || isBlocked(line, first.request.permits)

const busy: Outcome = { kind: "busy" }

/** Of one who only tries, `isBusy` was false. */
export const enqueue = (line: Line, ticket: Waiting, now: number): void => {
  waitList.push(line.waiting, ticket)
  if (line.waiting.size === 1) next(line, undefined, now)
}

/** The first in line need not sleep any more, or is another: he is to be asked for, unless that were in vain. */
const next = (line: Line, chain: Chain, now: number): Chain => {
  line.refused = undefined
  line.wakeAt = Infinity
  if (line.question !== undefined) return chain
  for (let first; (first = waitList.head(line.waiting)) !== undefined;) {
    if (!isBlocked(line, first.request.permits)) {
      line.wakeAt = now
      return chain
    }
    if (!first.request.tries) return refuseTries(line, chain)
    chain = refuse(first, chain)
  }
  return chain
}

const refuse = (ticket: Waiting, chain: Chain): Chain => {
  waitList.remove(ticket)
  return settle(chain, ticket, busy)
}

/** The first waits: whoever only tries would have to overtake him. */
const refuseTries = (line: Line, chain: Chain): Chain =>
  waitList
    .tickets(line.waiting)
    .reduce((chain, ticket) => (ticket.request.tries ? refuse(ticket, chain) : chain), chain)

/** How many permits are to be asked for now, if any. */
export const due = (line: Line, now: number): number | undefined => {
  if (line.wakeAt > now) return undefined
  const { permits } = waitList.head(line.waiting)!.request
  line.wakeAt = Infinity
  line.refused = undefined
  line.question = { permits, news: false }
  return permits
}

export interface Granted {
  readonly chain: Chain
  /** False: nobody wants it any more. It has to be given back, before the next question. */
  readonly taken: boolean
}

/**
 * The store has granted what was asked for: this lease. It goes to the first in line, if he wants as much. One that is over before it is here is
 * of no use (a connection had to be made first, say): then the store is asked again, but once only, or a store that is always slower than the
 * lease would be asked for ever.
 */
export const granted = (line: Line, lease: Lease, limit: number, now: number): Granted => {
  const { permits } = line.question!
  line.question = undefined
  line.limit = limit
  const first = waitList.head(line.waiting)
  line.late = lease.deadline <= now && !line.late
  const taken = !line.late && first?.request.permits === permits
  let chain: Chain = undefined
  if (taken) {
    waitList.remove(first)
    line.held += permits
    chain = settle(chain, first, { kind: "granted", lease })
  }
  return { chain: next(line, chain, now), taken }
}

/** The store has refused. No lease ends before `retryAfter`. Dice, which roll from 0 to 1, keep processes from asking all at once. */
export const refused = (line: Line, limit: number, retryAfter: number, now: number, roll: Roll): Chain => {
  const { news, permits } = line.question!
  line.question = undefined
  line.limit = limit
  let chain: Chain = undefined
  // Whoever was asked for may be gone, and the first now want less, which the store has not refused.
  for (let first; (first = waitList.head(line.waiting)) !== undefined && first.request.permits >= permits;) {
    if (first.request.tries) chain = refuse(first, chain)
    else if (news || isBlocked(line, first.request.permits)) break
    else return sleep(line, permits, chain, now, Math.min(retryAfter, pause(line, roll)))
  }
  return next(line, chain, now)
}

const pause = ({ poll }: Line, roll: Roll): number => poll * (0.5 + roll() / 2)

const sleep = (line: Line, permits: number, chain: Chain, now: number, milliseconds: number): Chain => {
  line.refused = permits
  line.wakeAt = now + Math.max(leastPause, milliseconds)
  // Another try, each time.
  if (line.watch === "failed") line.watch = "off"
  return refuseTries(line, chain)
}

/** The store could not answer. All in line are told: each of them would find out the same, and each after as long a time. */
export const failed = (line: Line, failure: unknown): Chain => {
  line.question = undefined
  line.refused = undefined
  line.wakeAt = Infinity
  return waitList.settleAll(line.waiting, undefined, { kind: "failed", failure })
}

/** Permits were freed somewhere, or may have been without our being told. */
export const news = (line: Line, now: number): Chain => {
  line.heard = true
  if (line.question !== undefined) line.question.news = true
  else if (line.refused !== undefined) return next(line, undefined, now)
  return undefined
}

/** What is to be done about the watch, and counts as done. */
export const watchDue = (line: Line): "start" | "stop" | undefined => {
  if (line.refused !== undefined && line.watch === "off") {
    line.watch = "starting"
    return "start"
  }
  if (line.waiting.size > 0 || line.watch === "off") return undefined
  const isWatched = line.watch !== "failed"
  line.watch = "off"
  return isWatched ? "stop" : undefined
}

/** From now on we are told. What was freed before that we were not. */
export const watched = (line: Line, now: number): Chain => {
  line.watch = "on"
  return news(line, now)
}

/** The store cannot be watched. Then there is `poll`. */
export const watchFailed = (line: Line): void => {
  line.watch = "failed"
}

/** A release is about to be sent. */
export const ending = (line: Line): void => {
  line.heard = false
}

/** Permits that were held here are not any more. `watchers` is how many the store has told of that. */
export const ended = (line: Line, permits: number, watchers: number, now: number, roll: Roll): Chain => {
  line.held -= permits
  const others = watchers > (line.watch === "on" ? 1 : 0)
  if (line.question !== undefined) {
    line.question.news ||= !others
    return undefined
  }
  const first = waitList.head(line.waiting)
  const yields = first !== undefined && others && !line.heard && !isBlocked(line, first.request.permits)
  return yields ? sleep(line, first.request.permits, undefined, now, pause(line, roll)) : next(line, undefined, now)
}

/** The caller of a ticket is gone. What it was granted, if it is here, has to be given back. */
export const cancel = (line: Line, ticket: Waiting, now: number): Granted => {
  const { result } = ticket
  if (result !== undefined) return { chain: undefined, taken: result.kind === "granted" }
  waitList.remove(ticket)
  const first = waitList.head(line.waiting)
  // Whoever wants as much as was refused need not ask before he would have.
  const sleeps = first !== undefined && line.refused !== undefined && first.request.permits >= line.refused
  const chain = sleeps || line.question !== undefined ? undefined : next(line, undefined, now)
  return { chain, taken: false }
}

export const isIdle = (line: Line): boolean => line.question === undefined && line.waiting.size === 0 && line.held === 0

/** Throws when an invariant does not hold. For tests. */
export const check = (line: Line): void => {
  const { held, question, refused, wakeAt, waiting, watch } = line
  waitList.check(waiting)
  const all = waitList.tickets(waiting)
  const first = all[0]
  const isDue = wakeAt < Infinity
  const mustBeDue = question === undefined && first !== undefined && !isBlocked(line, first.request.permits)
  if (isDue !== mustBeDue) throw new Error(`I1: the next question is due at ${wakeAt}`)
  if (held < 0) throw new Error(`I1: ${held} permits are held`)
  if (question === undefined && first !== undefined && waits(line, first) && all.some(({ request }) => request.tries))
    throw new Error("I3: one who only tries waits")
  if (refused !== undefined && (question !== undefined || first === undefined))
    throw new Error(`I4: nobody sleeps on the refusal of ${refused}`)
  if (all.length === 0 && watch !== "off") throw new Error(`I5: the store is watched for nobody: ${watch}`)
  if (refused !== undefined && watch === "off") throw new Error("I5: the first sleeps, and the store is not watched")
}
