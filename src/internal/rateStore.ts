/**
 * A rate limiter whose rates are kept somewhere else: one line a key here, whose first asks the store, sleeps for as long as that says, and
 * asks again. So nobody here overtakes, and the store is asked by one at a time.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type { Key } from "../core/limiter.js"
import { Limiter } from "../core/limiter.js"
import type * as rate from "../core/rate.js"
import * as core from "../core/rateLimiter.js"
import * as semaphore from "../core/semaphore.js"
import { wake } from "../core/ticket.js"
import type { Timekeeper } from "../core/timekeeper.js"
import { begun } from "./begun.js"
import { FiberTicket, park, type Restore } from "./park.js"

export interface StoreRequest extends rate.Rate {
  readonly key: string
  readonly cost: number
}

export interface StoreDecision extends rate.Decision {
  readonly grant?: unknown
}

export interface Store {
  readonly consume: (request: StoreRequest) => Effect.Effect<StoreDecision, core.StoreError>
  readonly giveBack: (request: StoreRequest, decision: StoreDecision) => Effect.Effect<void, core.StoreError>
}

/** Those who want something of one key. It is there as long as anybody does. */
class Line {
  users = 0
  /** Held by the first. */
  readonly turn = semaphore.make(1)
  /** When the first will ask again, and what it was told; none while it asks. */
  refused: { readonly decision: StoreDecision; readonly until: number } | undefined = undefined
}

type Failure = core.RateLimited | core.StoreError

export class StoreLimits {
  private readonly lines = new Map<string, Line>()

  constructor(
    private readonly store: Store,
    private readonly options: core.State,
    private readonly time: Timekeeper
  ) {}

  readonly consume = (name = core.defaultKey, options?: core.RequestOptions): Effect.Effect<void, Failure> =>
    this.limited("RateLimiter.consume", name, options, Effect.void)

  readonly withLimit =
    (name = core.defaultKey, options?: core.RequestOptions) =>
    <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | Failure, R> =>
      this.limited("RateLimiter.withLimit", name, options, self)

  readonly tryConsume = (
    name = core.defaultKey,
    options?: core.RequestOptions
  ): Effect.Effect<rate.Decision, core.StoreError> =>
    Effect.suspend((): Effect.Effect<rate.Decision, core.StoreError> => {
      const request = this.request("RateLimiter.tryConsume", name, options)
      const refused = this.lines.get(name)?.refused
      // Nobody is overtaken of whom it is known that he waits.
      if (refused === undefined) return Effect.map(Effect.uninterruptible(this.consumeNow(request)), plain)
      const passed = this.time.now() - refused.until
      const { resetAfter, retryAfter } = refused.decision
      return Effect.succeed({
        allowed: false,
        remaining: 0,
        retryAfter: Math.max(0, -passed),
        resetAfter: Math.max(0, resetAfter - retryAfter - passed)
      })
    })

  /** A store may look at its clock, or throw, as soon as its function is called: not before its turn. */
  private consumeNow(request: StoreRequest): Effect.Effect<StoreDecision, core.StoreError> {
    return Effect.suspend(() => this.store.consume(request))
  }

  private request(where: string, key: string, options: core.RequestOptions | undefined): StoreRequest {
    const { rate } = this.options
    return { ...rate, key, cost: core.checkRequest(where, rate, key, options) }
  }

  /** Runs an effect when its turn has come; what it did not begin to use goes back. */
  private limited<A, E, R>(
    where: string,
    name: string,
    options: core.RequestOptions | undefined,
    self: Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | Failure, R> {
    return Effect.uninterruptibleMask((restore): Effect.Effect<A, E | Failure, R> => {
      const request = this.request(where, name, options)
      const line = this.lines.get(name) ?? new Line()
      if (line.refused !== undefined && line.users >= this.options.backlog) {
        return Effect.fail(new core.RateLimited(name, Math.max(0, line.refused.until - this.time.now())))
      }
      this.lines.set(name, line)
      line.users++
      return Effect.flatMap(
        Effect.ensuring(
          this.inTurn(restore, line, request),
          Effect.sync(() => {
            if (--line.users === 0) this.lines.delete(name)
          })
        ),
        (decision) => begun(restore, self, Effect.ignore(Effect.suspend(() => this.store.giveBack(request, decision))))
      )
    })
  }

  private inTurn(restore: Restore, line: Line, request: StoreRequest): Effect.Effect<StoreDecision, Failure> {
    const ask = Effect.ensuring(
      this.ask(restore, line, request),
      Effect.sync(() => {
        line.refused = undefined
        wake(semaphore.release(line.turn, 1))
      })
    )
    if (semaphore.tryTake(line.turn, 1, 0)) return ask
    const ticket = new FiberTicket<number, semaphore.Grant>(1, 0, "its turn at a rate limit")
    semaphore.enqueue(line.turn, ticket)
    return park(
      restore,
      ticket,
      () => semaphore.cancel(line.turn, ticket),
      () => ask
    )
  }

  /** The store is asked to the end, since what it grants has to be known; the pause in between can be interrupted. */
  private ask(restore: Restore, line: Line, request: StoreRequest): Effect.Effect<StoreDecision, Failure> {
    return Effect.flatMap(this.consumeNow(request), (decision): Effect.Effect<StoreDecision, Failure> => {
      if (decision.allowed) return Effect.succeed(decision)
      if (this.options.backlog === 0) return Effect.fail(new core.RateLimited(request.key, decision.retryAfter))
      line.refused = { decision, until: this.time.now() + decision.retryAfter }
      return Effect.zipRight(restore(Effect.sleep(decision.retryAfter)), this.ask(restore, line, request))
    })
  }
}

const plain = ({ allowed, remaining, resetAfter, retryAfter }: StoreDecision): rate.Decision => ({
  allowed,
  remaining,
  retryAfter,
  resetAfter
})

/** A store in memory: the rates as the limiter without a store keeps them. A key is one for each rate that it is asked with. */
export const memory = (time: Timekeeper): Store => {
  const limiters = new Map<string, Limiter>()
  const limiterOf = ({ algorithm, burst, interval, limit }: StoreRequest): Limiter => {
    const id = [algorithm, burst, interval, limit].join()
    let limiter = limiters.get(id)
    if (limiter === undefined) {
      const options = { algorithm, limit, interval, burst: algorithm === "gcra" ? burst : undefined }
      limiters.set(id, (limiter = new Limiter(core.fromOptions("RateLimiter.Store", options), time)))
    }
    return limiter
  }
  return {
    consume: (request) =>
      Effect.sync(() => {
        const key = limiterOf(request).key(request.key)
        const { decision, grant } = core.decide(key, request.cost, key.now)
        return { ...decision, grant: grant && { key, grant } }
      }),
    giveBack: (request, { grant }) =>
      Effect.sync(() => {
        const granted = grant as { readonly key: Key; readonly grant: rate.Grant } | undefined
        if (granted !== undefined) limiterOf(request).giveBack(granted.key, granted.grant)
      })
  }
}
