/**
 * A rate limiter over a store among fibers: how the store is reached, and how fibers wait.
 *
 * @internal
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as event from "../core/event.js"
import { MemoryRates } from "../core/memoryRates.js"
import type { Decision } from "../core/rate.js"
import * as rateLimiter from "../core/rateLimiter.js"
import type { Answer, Outcome, Place, Request, State, StoreRequest, StoreReturn } from "../core/rateStore.js"
import * as core from "../core/rateStore.js"
import { type Port, StoreLimiter } from "../core/storeLimiter.js"
import { wake } from "../core/ticket.js"
import type { Timekeeper } from "../core/timekeeper.js"
import { begun } from "./begun.js"
import { deliverLater, FiberTicket, park } from "./park.js"
import { report } from "./report.js"
import { type Fail, type Forks, forks, Questioner, unchecked } from "./storePort.js"
import { timekeeper } from "./timer.js"

export interface Store<out E> {
  readonly consume: (request: StoreRequest) => Effect.Effect<ReadonlyArray<Answer>, E>
  readonly giveBack: (request: StoreReturn) => Effect.Effect<void, E>
}

class StorePort implements Port {
  private readonly questioner: Questioner

  constructor(
    private readonly store: Store<unknown>,
    private readonly forks: Forks
  ) {
    this.questioner = new Questioner(forks)
  }

  ask(request: StoreRequest, answer: (answers: ReadonlyArray<Answer>) => void, fail: Fail): void {
    const check = (answers: ReadonlyArray<Answer>) => core.checkAnswers(request.asks, answers)
    this.questioner.ask(() => this.store.consume(request), check, answer, fail)
  }

  giveBack(request: StoreReturn, over: () => void): void {
    const fail = (cause: unknown) => {
      this.tell(request.key, "what was not used could not be given back", cause)
      over()
    }
    this.questioner.ask(() => this.store.giveBack(request), unchecked, over, fail)
  }

  report(key: string, failure: unknown): void {
    this.tell(key, "the store failed, and nobody waits for its answer", failure)
  }

  errorOf(failure: unknown): unknown {
    return this.questioner.errorOf(failure)
  }

  private tell(key: string, message: string, cause: unknown): void {
    this.forks.later(report({ where: "RateLimiter", name: key, message, cause: cause as Cause.Cause<unknown> }))
  }
}

/** A limiter over a store, on the clock of where it is made. */
export const make = (store: Store<unknown>, state: State): Effect.Effect<StoreLimiter> =>
  Effect.zipWith(timekeeper, forks, (time, forks) => new StoreLimiter(state, new StorePort(store, forks), time))

export const memory = (time: Timekeeper): Store<never> => {
  const rates = new MemoryRates(time)
  return {
    consume: (request) => Effect.sync(() => rates.consume(request)),
    giveBack: (request) => Effect.sync(() => rates.giveBack(request))
  }
}

const what = "its turn at a rate limit"

type Failing = Effect.Effect<never, any>

const failureOf = (outcome: Outcome): Failing | undefined =>
  outcome.kind === "full"
    ? Effect.fail(outcome.error)
    : outcome.kind === "failed"
      ? Effect.failCause(outcome.failure as Cause.Cause<unknown>)
      : undefined

const enqueued = <T extends FiberTicket<Request, Outcome>>(self: StoreLimiter, ticket: T): T => {
  self.enqueue(ticket)
  return ticket
}

const costOf = (
  self: StoreLimiter,
  where: string,
  name: string,
  options: rateLimiter.RequestOptions | undefined
): number => rateLimiter.checkRequest(where, self.state.rate, name, options)

const refusal = (self: StoreLimiter, name: string, cost: number): Failing | undefined => {
  const refused = self.refusal(name, cost)
  return refused && Effect.fail(refused)
}

export const consume = (
  self: StoreLimiter,
  name: string,
  options: rateLimiter.RequestOptions | undefined
): Effect.Effect<void, any> =>
  Effect.suspend(() => {
    const cost = costOf(self, "RateLimiter.consume", name, options)
    return deliverLater<Request, Outcome, void, any>({
      failure: (outcome) => (outcome === undefined ? refusal(self, name, cost) : failureOf(outcome)),
      enqueue: () => enqueued(self, new FiberTicket({ key: self.key(name), cost }, 0, what)),
      cancel: (ticket) => self.cancel(ticket),
      collect: () => {}
    })
  })

export const tryConsume = (
  self: StoreLimiter,
  name: string,
  options: rateLimiter.RequestOptions | undefined
): Effect.Effect<Decision, any> =>
  Effect.suspend(() => {
    const cost = costOf(self, "RateLimiter.tryConsume", name, options)
    // Nobody is overtaken of whom it is known that he waits, and the store is not asked for that.
    const refused = self.refused(name, cost)
    if (refused !== undefined) return Effect.succeed(refused)
    return deliverLater<Request, Outcome, Decision, any>({
      failure: (outcome) => outcome && failureOf(outcome),
      enqueue: () => trying(self, { key: self.key(name), cost, tries: true }),
      cancel: (ticket) => self.cancel(ticket),
      collect: (ticket) => (ticket.result as Extract<Outcome, { decision: Decision }>).decision
    })
  })

/** Since it asked last, somebody may have begun to wait. */
const trying = (self: StoreLimiter, request: Request): FiberTicket<Request, Outcome> => {
  const ticket = new FiberTicket<Request, Outcome>(request, 0, what)
  const decision = self.refused(request.key.name, request.cost)
  if (decision === undefined) return enqueued(self, ticket)
  ticket.result = { kind: "refused", decision }
  ticket.settled = true
  return ticket
}

export const withLimit = <A, E, R>(
  limiter: StoreLimiter,
  name: string,
  options: rateLimiter.RequestOptions | undefined,
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, any, R> =>
  Effect.uninterruptibleMask((restore): Effect.Effect<A, any, R> => {
    const cost = costOf(limiter, "RateLimiter.withLimit", name, options)
    const refused = refusal(limiter, name, cost)
    if (refused !== undefined) return refused
    const ticket = enqueued(limiter, new FiberTicket<Request, Outcome>({ key: limiter.key(name), cost }, 0, what))
    const cancel = () => limiter.cancel(ticket)
    return park(
      restore,
      ticket,
      cancel,
      (outcome) =>
        failureOf(outcome) ??
        begun(
          restore,
          self,
          Effect.sync(() => wake(cancel()))
        )
    )
  })

/** A place in line that is taken for later. */
export interface PlaceTicket extends FiberTicket<Request, Outcome> {
  readonly over: event.State
}

/** Takes a place in line, and waits until it is known for how long. What it fails with later, whoever waits for it is told. */
export const reserve = <A>(
  self: StoreLimiter,
  name: string,
  options: rateLimiter.RequestOptions | undefined,
  ticketFor: (request: Request & { readonly place: Place }) => PlaceTicket,
  reserved: (ticket: PlaceTicket, delay: number) => A
): Effect.Effect<A, any> =>
  Effect.suspend(() => {
    const cost = costOf(self, "RateLimiter.reserve", name, options)
    const place = core.place()
    let ticket: PlaceTicket | undefined
    return deliverLater<undefined, undefined, A, any>({
      failure: () => (ticket === undefined ? refusal(self, name, cost) : ticket.result && failureOf(ticket.result)),
      enqueue: () => {
        ticket = enqueued(self, ticketFor({ key: self.key(name), cost, place }))
        const waiting = new FiberTicket<undefined, undefined>(undefined, 0, what)
        if (place.known.isSet) waiting.settled = true
        else event.enqueue(place.known, waiting)
        return waiting
      },
      cancel: (waiting) => {
        wake(event.cancel(place.known, waiting))
        return self.cancel(ticket!)
      },
      collect: () => reserved(ticket!, place.delay)
    })
  })

/** Waits until a reservation is over. */
export const waitFor = (ticket: PlaceTicket, isCancelled: () => boolean): Effect.Effect<boolean, any> =>
  Effect.uninterruptibleMask((restore) => {
    const outcome = (): Effect.Effect<boolean, any> =>
      isCancelled() ? Effect.succeed(false) : ((ticket.result && failureOf(ticket.result)) ?? Effect.succeed(true))
    const { over } = ticket
    if (over.isSet) return outcome()
    const waiting = new FiberTicket<undefined, undefined>(undefined, 0, what)
    event.enqueue(over, waiting)
    return park(restore, waiting, () => event.cancel(over, waiting), outcome)
  })
