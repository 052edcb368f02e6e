/**
 * Deliveries: the words between a queue that several programs share and the store that keeps it. Data, and checks of data.
 *
 * An item is *ready*, *delayed*, *leased* or *dead*. Taking leases it under the name of a delivery, which whoever asks makes up before he
 * asks: so the name is his also when the answer is lost, and no other delivery of the item ever has it. All that is said of a delivery, its
 * end above all, is about that name. A lease that has ended makes the item ready again, as soon as somebody takes.
 *
 * Items have an order, that of their offers. What becomes ready again has its old place in it: before all that was offered later.
 *
 * @internal
 */
import { expect, integer, number, record } from "./arguments.js"
import * as backoff from "./backoff.js"
import { checkDuration } from "./lease.js"
import { checkName } from "./naming.js"

export const TypeId = "~effect-concurrency/DistributedQueue"

export type TypeId = typeof TypeId

// ----------------------------------------------------------------------------------------------------------------------- the store

/** An item to be put in. */
export interface NewItem {
  readonly id: string
  readonly payload: string
  /** Its id was chosen by a caller, who may offer it again: the store knows it for some time after the item is done. */
  readonly named: boolean
}

export interface OfferRequest {
  readonly name: string
  readonly items: ReadonlyArray<NewItem>
}

/**
 * What becomes of a delivered item: it is done; it is ready again, as if it had not been taken; its attempt has failed, and it is ready
 * again after a delay, or dead if that was the last; it is dead.
 */
export type Outcome =
  | { readonly kind: "acknowledge" }
  | { readonly kind: "return" }
  | { readonly kind: "reject"; readonly delay: number; readonly reason: string }
  | { readonly kind: "bury"; readonly reason: string }

export interface Settlement {
  readonly delivery: string
  readonly outcome: Outcome
}

/** Several things at once, in this order, in one step. */
export interface ExchangeRequest {
  readonly name: string
  readonly settle: ReadonlyArray<Settlement>
  /** Deliveries whose leases begin anew. */
  readonly renew: ReadonlyArray<string>
  /** The names of new deliveries, of as many items as are ready. */
  readonly take: ReadonlyArray<string>
  /** How long a lease is, in milliseconds. */
  readonly lease: number
  /** After so many failed attempts, or leases that have ended, an item is dead. */
  readonly attempts: number
  /** For how many milliseconds the id of an item that is done is known, if a caller chose it. */
  readonly remember: number
}

/** An item that was delivered. */
export interface Given {
  readonly delivery: string
  readonly id: string
  readonly payload: string
  /** 1 for the first attempt. */
  readonly attempt: number
  /** Grows with each delivery of the queue. */
  readonly token: number
}

/** What became of a settlement. `"lost"`: the delivery is not known, so the item may be somebody else's. */
export type Settled = "settled" | "buried" | "lost"

export interface ExchangeAnswer {
  readonly settled: ReadonlyArray<Settled>
  /** Whether each delivery is still known. */
  readonly renewed: ReadonlyArray<boolean>
  /** With the names that were asked for, from the first. Fewer: no more items were ready. */
  readonly taken: ReadonlyArray<Given>
  /** In so many milliseconds a lease may end, or a delay, and an item be ready. */
  readonly retryAfter: number
  /** The ids of items that were found dead: the lease of their last attempt has ended. */
  readonly died: ReadonlyArray<string>
}

/** How many items a queue has, by what they are. */
export interface Counts {
  /** They can be taken. */
  readonly ready: number
  /** They have failed, and come back after a while. */
  readonly delayed: number
  /** They have been taken, and are not settled. */
  readonly leased: number
  /** They are dead letters. Not counted as work to be done. */
  readonly dead: number
}

/** An item that is not delivered any more. */
export interface DeadLetter {
  readonly id: string
  readonly payload: string
  /** How many attempts have failed. */
  readonly attempts: number
  /** Why it is here. */
  readonly reason: string
  /** Since when, in milliseconds of the store's clock: that of a server counts from 1970. */
  readonly since: number
}

export interface DeadRequest {
  readonly name: string
  /** Which ones. Default: all. */
  readonly ids?: ReadonlyArray<string> | undefined
}

/** What has changed: something is ready, or will be sooner; nothing is left to be done. Undefined: perhaps both. */
export type Change = "ready" | "idle" | undefined

export const isAtRest = ({ delayed, leased, ready }: Counts): boolean => ready + delayed + leased === 0

// --------------------------------------------------------------------------------------------------------------------- how it is made

/** How a queue is used. Durations are milliseconds. */
export interface Options {
  readonly name: string
  readonly lease?: number | undefined
  readonly attempts?: number | undefined
  readonly retry?: backoff.Options | undefined
  readonly poll?: number | undefined
  readonly remember?: number | undefined
}

export interface Settings {
  readonly name: string
  readonly lease: number
  readonly attempts: number
  readonly retry: backoff.Backoff
  readonly poll: number
  readonly remember: number
}

const day = 24 * 60 * 60_000

/** A platform's timer that is set for longer fires at once. */
const longest = 2 ** 31 - 1

const between = (where: string, name: string, value: number, min: number): number =>
  expect(
    number(where, name, value, 0) >= min && value <= longest,
    where,
    name,
    `from ${min} to ${longest} milliseconds`,
    value,
    "number"
  )

/** Checks what was given, and adds the defaults. */
export const settings = (where: string, options: Options): Settings => {
  const { attempts = 5, lease = 30_000, name, poll = 1000, remember = day, retry = {} } = record(where, options)
  return {
    name: checkName(where, name),
    lease: checkDuration(where, lease),
    attempts: integer(where, "attempts", attempts, 1, 1_000_000),
    retry: backoff.make(where, { base: 1000, ...retry }),
    poll: between(where, "poll", poll, 10),
    // A store counts whole milliseconds.
    remember: Math.ceil(between(where, "remember", remember, 0))
  }
}

/** The longest id. */
export const longestId = 512

/** An id that a caller has chosen. */
export const checkId = (where: string, id: string): string => {
  expect(typeof id === "string", where, "id", "a string", id)
  return expect(
    id.length > 0 && id.length <= longestId,
    where,
    "id",
    `a string of 1 to ${longestId} characters`,
    id,
    "string"
  )
}

/** What is offered as text, if it is text. */
export const checkPayload = (where: string, payload: unknown): string =>
  expect(typeof payload === "string", where, "item", "something that has a JSON text", payload as string)

/** Why an attempt has failed: as much of it as one can read. */
export const reasonOf = (text: string): string => (text.length > 2000 ? `${text.slice(0, 2000)}…` : text)

/** Why a dead letter is one whose last lease nobody renewed. */
export const leaseEnded = "its lease ended: whoever had it has died, or did not answer in time"

/** Why an item is dead that cannot be read. */
export const undecodable = (text: string): string => reasonOf(`it cannot be decoded: ${text}`)

/** When an item comes back of which so many attempts have failed, in milliseconds. */
export const retryDelay = ({ retry }: Settings, attempt: number, random: number): number =>
  backoff.pause(retry, attempt, undefined, random)

/** A delay that a caller chose. */
export const checkDelay = (where: string, delay: number): number => between(where, "delay", delay, 0)
