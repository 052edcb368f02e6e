/**
 * What is held on lease by an effect, until it lets go or loses it.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { LeaseLost } from "../core/lease.js"
import * as core from "../core/lessor.js"
import { milliseconds } from "../internal/duration.js"
import type { DurationInput } from "../internal/effect.js"
import * as lessor from "../internal/lessor.js"

export {
  /**
   * What was held is not held any more, although its holder had not let go. `reason` says why.
   *
   * @since 0.1.0
   * @category errors
   */
  LeaseLost
}

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: TypeId = core.LeaseTypeId

/**
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = core.LeaseTypeId

/**
 * How leases are held.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * How long one lease lasts: from 100 ms to a day, in whole milliseconds. It is renewed every third of that for as long as it is held. So this is
   * not a limit for the work, but how long others wait after a holder has died; and how long the store may be out of reach before a holder loses
   * what it holds. Shorter leases could not be renewed in time and are refused. Default: 10 seconds.
   */
  readonly lease?: DurationInput | undefined
  /**
   * The longest time between two questions while somebody waits, should the store's message that something is free be lost: from 10 ms to a day.
   * Each time it is between a half and all of that, at random. Default: 1 second.
   */
  readonly poll?: DurationInput | undefined
  /** What the names of the instance are put under in the store. Default: `"mutex"`, or `"semaphore"`: the two have no names in common. */
  readonly prefix?: string | undefined
}

/** @internal */
export const coreOptions = (where: string, limit: number, { lease, poll, prefix }: Options): core.Options => ({
  limit,
  lease: lease === undefined ? undefined : milliseconds(where, "lease", lease),
  poll: poll === undefined ? undefined : milliseconds(where, "poll", poll),
  prefix
})

/**
 * Something that is held on lease.
 *
 * **Details**: `token` is a fencing token: every later lease of the same name has a larger one. Hand it to the resource that is protected, with
 * each write, and let the resource refuse a token that is smaller than the largest it has seen. Only the resource can do that: a lease can end
 * while its holder does not run (its process was stopped, its event loop blocked, its network cut), and the holder finds out only afterwards.
 *
 * A holder finds out on its own clock, also without the store: {@link remaining} counts down, and when it is over the lease is lost.
 *
 * @since 0.1.0
 * @category models
 */
export interface Lease {
  readonly [TypeId]: core.Held

  /** What it was asked for by. */
  readonly name: string

  /** Larger than the token of every earlier lease of the name. A safe integer. */
  readonly token: number

  /** How many permits it is of: 1 for a lock. */
  readonly permits: number

  /** How long it can be relied on if it is not renewed from now on. Zero when it is lost, or over. */
  readonly remaining: Effect.Effect<Duration.Duration>

  /** Fails if the lease is lost by now. For work that is long and does not wait: nothing else can stop that. */
  readonly check: Effect.Effect<void, LeaseLost>

  /** Waits, and fails when the lease is lost. */
  readonly lost: Effect.Effect<never, LeaseLost>

  /**
   * Runs an effect, which is interrupted when the lease is lost; its end is waited for. A loss takes the place of what it succeeds with, but not
   * of an error.
   */
  guard<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | LeaseLost, R>
}

class LeaseImpl implements Lease {
  readonly [TypeId]: core.Held

  constructor(held: core.Held) {
    this[TypeId] = held
  }

  get name(): string {
    return this[TypeId].name
  }

  get token(): number {
    return this[TypeId].token
  }

  get permits(): number {
    return this[TypeId].permits
  }

  get remaining(): Effect.Effect<Duration.Duration> {
    return Effect.sync(() => Duration.millis(this[TypeId].remaining))
  }

  get check(): Effect.Effect<void, LeaseLost> {
    return lessor.checked(this[TypeId])
  }

  get lost(): Effect.Effect<never, LeaseLost> {
    return lessor.lost(this[TypeId])
  }

  guard<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | LeaseLost, R> {
    return lessor.guard(this[TypeId], effect)
  }
}

/** @internal */
export const fromHeld = (held: core.Held): Lease => new LeaseImpl(held)
