/**
 * A rate limiter on a clock: what both skins call.
 *
 * It is no core, for it wakes whom it finds due, but it has no clock either: it is handed a timekeeper, and an instance keeps that of where
 * it was made. A key's timer is set only while somebody waits for it.
 *
 * @internal
 */
import * as event from "./event.js"
import type { Decision, Grant } from "./rate.js"
import { make } from "./rate.js"
import type { State, Waiting } from "./rateLimiter.js"
import * as core from "./rateLimiter.js"
import type { AnyTicket, Chain } from "./ticket.js"
import { wake } from "./ticket.js"
import type { Timekeeper } from "./timekeeper.js"

/** A place in line that is taken now, for a caller who comes later. */
export class Reservation {
  isCancelled = false

  constructor(
    private readonly limiter: { cancel(ticket: AnyTicket): Chain },
    private readonly ticket: AnyTicket,
    /** Set when it has come, by the ticket, or was cancelled. */
    readonly over: event.State,
    readonly delay: number
  ) {}

  cancel(): boolean {
    if (this.isCancelled) return false
    this.isCancelled = true
    wake(this.limiter.cancel(this.ticket))
    wake(event.set(this.over))
    return true
  }
}

/** A key, good for the step in which it was looked up: in another, an idle one may be forgotten. */
export class Key extends core.Key {
  /** When it was looked up. */
  now = 0

  constructor(
    private readonly limiter: Limiter,
    name: string
  ) {
    super(name, make(limiter.state.rate))
  }

  fire(): void {
    this.limiter.grant(this, this.limiter.now())
  }
}

export class Limiter {
  constructor(
    readonly state: State,
    private readonly time: Timekeeper
  ) {}

  now(): number {
    return this.time.now()
  }

  key(name: string): Key {
    const now = this.now()
    const { state } = this
    core.evict(state, now)
    let key = state.keys.get(name) as Key | undefined
    if (key === undefined) state.keys.set(name, (key = new Key(this, name)))
    // Its timer may be late.
    if (key.wakeAt <= now) this.grant(key, now)
    key.now = now
    return key
  }

  available(key: Key, cost: number): boolean {
    return core.available(key, cost, key.now)
  }

  tryTake(key: Key, cost: number): Grant | undefined {
    return core.tryTake(key, cost, key.now)
  }

  decide(key: Key, cost: number): Decision {
    return core.decide(key, cost, key.now).decision
  }

  /** Why a request that is not available cannot wait, if it cannot. */
  refusal(key: Key, cost: number): core.RateLimited | undefined {
    return core.refusal(this.state, key, cost, key.now)
  }

  /** Takes a place in line; what is to be had now comes in this step. */
  reserve(ticket: Waiting, over: event.State): Reservation {
    const { cost } = ticket.request
    const key = ticket.request.key as Key
    const reservation = new Reservation(this, ticket, over, core.availableAt(key, cost, key.now) - key.now)
    core.enqueue(ticket, key.now)
    this.grant(key, key.now)
    return reservation
  }

  enqueue(ticket: Waiting): void {
    const key = ticket.request.key as Key
    core.enqueue(ticket, key.now)
    this.arm(key)
  }

  cancel(ticket: Waiting): Chain {
    const { key } = ticket.request
    const chain = core.cancel(ticket, this.now())
    this.arm(key)
    return chain
  }

  /** What was granted was not used. */
  giveBack(key: core.Key, grant: Grant): void {
    const chain = core.giveBack(key, grant, this.now())
    this.arm(key)
    wake(chain)
  }

  /** Those go who can go now. */
  grant(key: core.Key, now: number): void {
    const chain = core.due(key, now)
    this.arm(key)
    wake(chain)
  }

  /**
   * Sets the timer of a key for when the first in its line can go. One that is set for an earlier time stays: it is cheaper to look in vain
   * than to move a timer with each that goes.
   */
  private arm(key: core.Key): void {
    const { wakeAt } = key
    if (wakeAt === Infinity) this.time.clear(key)
    else if (key.place < 0 || key.at > wakeAt) this.time.set(key, wakeAt)
  }
}
