/**
 * The rate limiter: keys, each with a rate of its own, and those who wait for it in line.
 *
 * State: the rate, how many may wait for a key, and the keys that are in use: what each has used of its rate, who waits there, how much
 * they want together, and when the first of them can go.
 *
 * Invariants:
 *
 * - I1 What a key has used is within the rate.
 * - I2 `ahead` is the sum of what those want who wait.
 * - I3 `wakeAt` is when the first in line can go, and Infinity when nobody waits. Nobody waits who could have gone at the latest
 *   transition, and nobody behind the first goes before it, however little it wants.
 * - I4 No more wait for a key than the backlog.
 * - I5 A key that is not here has used nothing, and nobody waits for it. Each look-up of a key looks at two others, and forgets them when
 *   that is so: idle keys go without a timer, and twice as fast as new ones can come.
 *
 * Transitions: `tryTake`, `enqueue`, `due`, `cancel`, `giveBack`, `evict`. Each leaves `wakeAt` as it has to be: it is for whoever calls it
 * to see to it that `due` is called then.
 *
 * @internal
 */
import { expect, integerOrInfinity, record } from "./arguments.js"
import * as rate from "./rate.js"
import type { Chain, Ticket } from "./ticket.js"
import { settle } from "./ticket.js"
import { Timer } from "./timers.js"
import type { WaitList } from "./waitList.js"
import * as waitList from "./waitList.js"

export const TypeId = "~effect-concurrency/RateLimiter"

export type TypeId = typeof TypeId

export interface Request {
  readonly key: Key
  readonly cost: number
}

export type Waiting = Ticket<Request, rate.Grant>

/** A key is its own timer: whoever knows the time sets it for `wakeAt`. */
export abstract class Key extends Timer {
  readonly line: WaitList<Waiting> = waitList.make()
  ahead = 0
  wakeAt = Infinity

  constructor(
    readonly name: string,
    readonly usage: rate.Usage
  ) {
    super()
  }
}

export interface State {
  readonly rate: rate.Rate
  readonly backlog: number
  readonly keys: Map<string, Key>
  /** Goes round the keys, in search of those that can be forgotten. */
  round: Iterator<Key>
}

/** How a limiter is made. The interval is in milliseconds here. */
export interface Options extends rate.Options {
  readonly backlog?: number | undefined
}

/** How units are asked for. */
export interface RequestOptions {
  /** How many units: an integer, 0 or more, and no more than fit at once. Default 1. */
  readonly cost?: number | undefined
}

/**
 * As many wait for the key as may.
 *
 * @since 0.1.0
 * @category errors
 */
export class RateLimited extends Error {
  readonly _tag = "RateLimited"
  override readonly name = "RateLimited"

  constructor(
    /** The key that was asked for. */
    readonly key: string,
    /** In so many milliseconds the request could be granted, if nobody else asks until then. */
    readonly retryAfter: number
  ) {
    super(
      `the rate limit of ${JSON.stringify(key)} is reached, and no more may wait: retry after ${Math.ceil(retryAfter)} ms`
    )
  }
}

export { StoreError } from "./storeError.js"

export const fromOptions = (where: string, options: Options): State => {
  const { backlog = Infinity, ...rest } = record(where, options)
  const keys = new Map<string, Key>()
  return {
    rate: rate.fromOptions(where, rest),
    backlog: integerOrInfinity(where, "backlog", backlog, 0),
    keys,
    round: keys.values()
  }
}

/** The key that a request names when it names none. */
export const defaultKey = "default"

/** Checks a request, and gives its cost. */
export const checkRequest = (
  where: string,
  of: rate.Rate,
  key: string,
  options: RequestOptions | undefined
): number => {
  expect(typeof key === "string", where, "key", "a string", key)
  return options?.cost === undefined ? 1 : rate.checkCost(where, of, options.cost)
}

/** Whether so much can be had now without passing anybody. */
export const available = (key: Key, cost: number, now: number): boolean =>
  key.line.size === 0 && key.usage.availableAt(now, cost) <= now

export const tryTake = (key: Key, cost: number, now: number): rate.Grant | undefined =>
  available(key, cost, now) ? key.usage.take(now, cost) : undefined

/** Takes what is to be had now without passing anybody, or says when it will be. */
export const decide = (key: Key, cost: number, now: number): ReturnType<typeof rate.decide> =>
  rate.decide(key.usage, now, cost, key.line.size > 0 ? key.ahead : undefined)

/** When a newcomer could go: after those who wait. */
export const availableAt = (key: Key, cost: number, now: number): number => key.usage.availableAt(now, key.ahead + cost)

/** Why a request cannot wait, if it cannot. */
export const refusal = (state: State, key: Key, cost: number, now: number): RateLimited | undefined =>
  key.line.size < state.backlog ? undefined : new RateLimited(key.name, availableAt(key, cost, now) - now)

/** The ticket's request was not available, nor refused. */
export const enqueue = (ticket: Waiting, now: number): void => {
  const { cost, key } = ticket.request
  waitList.push(key.line, ticket)
  key.ahead += cost
  if (key.line.size === 1) look(key, now)
}

/** Those go who can go now. */
export const due = (key: Key, now: number): Chain => {
  let chain: Chain = undefined
  for (let ticket; (ticket = look(key, now)) !== undefined && key.wakeAt <= now;) {
    remove(ticket)
    chain = settle(chain, ticket, key.usage.take(now, ticket.request.cost))
  }
  return chain
}

/**
 * The caller of a ticket is gone. Its place goes to those behind it, and if it was the first it kept them waiting; what it was granted goes
 * back.
 */
export const cancel = (ticket: Waiting, now: number): Chain => {
  const { key } = ticket.request
  if (ticket.settled) return giveBack(key, ticket.result!, now)
  remove(ticket)
  return due(key, now)
}

/** What was granted was not used. */
export const giveBack = (key: Key, grant: rate.Grant, now: number): Chain => {
  key.usage.giveBack(now, grant)
  return due(key, now)
}

const remove = (ticket: Waiting): void => {
  waitList.remove(ticket)
  const { cost, key } = ticket.request
  key.ahead -= cost
}

/** Finds out when the first in line can go, and gives it. */
const look = (key: Key, now: number): Waiting | undefined => {
  const first = waitList.head(key.line)
  key.wakeAt = first === undefined ? Infinity : key.usage.availableAt(now, first.request.cost)
  return first
}

const isIdle = (key: Key, now: number): boolean => key.line.size === 0 && key.usage.resetAt(now) === now

/**
 * Looks at two keys more, and forgets those that are idle. At one a look-up, the round would never get past the keys that are added
 * meanwhile.
 */
export const evict = (state: State, now: number): void => {
  const { keys } = state
  for (let looks = 0; looks < 2 && keys.size > 1; looks++) {
    const next = state.round.next()
    if (next.done === true) state.round = keys.values()
    else if (isIdle(next.value, now)) keys.delete(next.value.name)
  }
}

export interface Stats {
  /** How many keys are in memory: those in use, and some that were not long ago. */
  readonly keys: number
  /** How many requests wait, of all keys. */
  readonly waiting: number
}

export const stats = (state: State): Stats => {
  let waiting = 0
  for (const key of state.keys.values()) waiting += key.line.size
  return Object.freeze({ keys: state.keys.size, waiting })
}

/** Throws when an invariant does not hold. For tests. */
export const check = (state: State, now: number): void => {
  for (const key of state.keys.values()) {
    key.usage.check(now)
    waitList.check(key.line)
    const all = waitList.tickets(key.line)
    const ahead = all.reduce((sum, { request }) => sum + request.cost, 0)
    if (key.ahead !== ahead) throw new Error(`I2: ${ahead} units are wanted, not ${key.ahead}`)
    const wakeAt = all.length === 0 ? Infinity : key.usage.availableAt(now, all[0]!.request.cost)
    if (key.wakeAt !== wakeAt && Math.max(key.wakeAt, now) !== wakeAt)
      throw new Error(`I3: the first can go at ${wakeAt}, not ${key.wakeAt}`)
    if (all.length > state.backlog) throw new Error(`I4: ${all.length} wait`)
    if (all.some((ticket) => ticket.request.key !== key))
      throw new Error("I5: somebody waits for a key that is not here")
  }
}
