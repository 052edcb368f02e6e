/**
 * Deliveries of a queue among fibers: how the store is reached, and how fibers wait, work and settle.
 *
 * @internal
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import {
  type Change,
  checkDelay,
  type Counts,
  type ExchangeAnswer,
  type ExchangeRequest,
  type Given,
  type Outcome,
  reasonOf,
  retryDelay,
  type Settings,
  undecodable
} from "../core/deliveries.js"
import { Deliverer, type Port } from "../core/deliverer.js"
import type { Held, Note, Request, Result, Verdict } from "../core/deliveryLine.js"
import { checkAnswer, isPassing, textOf as textOfNote } from "../core/deliveryLine.js"
import * as event from "../core/event.js"
import type { LeaseLost } from "../core/lease.js"
import type * as lookout from "../core/lookout.js"
import type { StoreError } from "../core/storeError.js"
import { settle as settleTicket, wake } from "../core/ticket.js"
import {
  type AnyFiber,
  catchCause,
  dice,
  errorsOf,
  forkDetachedNow,
  inheritFrom,
  isInterruptedOnly,
  withFiber
} from "./effect.js"
import { FiberTicket, park, type Restore } from "./park.js"
import { report } from "./report.js"
import { Asker, type Fail, type Forks, forks, unchecked } from "./storePort.js"
import { timekeeper } from "./timer.js"
import { together } from "./together.js"
import { Work } from "./work.js"

export interface Store {
  readonly exchange: (request: ExchangeRequest) => Effect.Effect<ExchangeAnswer, StoreError>
  readonly counts: (name: string) => Effect.Effect<Counts, StoreError>
  readonly watch: (name: string, changed: (change: Change) => void) => Effect.Effect<void, StoreError, Scope.Scope>
}

/** How items become text, and are made of it. */
export interface Codec<in out A> {
  readonly encode: (item: A) => Effect.Effect<string>
  /** Fails with what is wrong with it, in words. */
  readonly decode: (payload: string) => Effect.Effect<A, string>
}

/** What the text of an item says. */
export const parse = (payload: string): Effect.Effect<unknown, string> =>
  Effect.try({ try: () => JSON.parse(payload) as unknown, catch: String })

class DeliveryPort extends Asker<Change> implements Port {
  constructor(
    private readonly where: string,
    private readonly name: string,
    private readonly store: Store,
    forks: Forks,
    readonly random: () => number
  ) {
    super((name, changed) => store.watch(name, changed), forks)
  }

  exchange(request: ExchangeRequest, answer: (answer: ExchangeAnswer) => void, fail: Fail): void {
    this.ask(
      () => this.store.exchange(request),
      (given) => checkAnswer(request, given),
      answer,
      fail
    )
  }

  counts(name: string, answer: (counts: Counts) => void, fail: Fail): void {
    this.ask(() => this.store.counts(name), unchecked, answer, fail)
  }

  isPassing(failure: unknown): boolean {
    const cause = failure as Cause.Cause<unknown>
    return errorsOf(cause).every((error) => isPassing(error))
  }

  report(note: Note): void {
    const error = note.kind === "lost" ? note.loss : note.kind === "outage" ? note.failure : note.cause
    // What a view for plain code has failed with is no cause.
    const cause = error === undefined ? Cause.empty : Cause.isCause(error) ? error : Cause.fail(error)
    const message = textOfNote(note)
    this.forks.later(report({ where: this.where, name: this.name, message, cause }))
  }

  unique(): string {
    return globalThis.crypto.randomUUID()
  }
}

/** A deliverer over a store, on the clock of where it is made. */
export const make = (where: string, store: Store, settings: Settings): Effect.Effect<Deliverer> =>
  Effect.map(
    Effect.all([timekeeper, forks, dice]),
    ([time, forks, random]) =>
      new Deliverer(settings, new DeliveryPort(where, settings.name, store, forks, random), time)
  )

const ticketFor = (patient: boolean): FiberTicket<Request, Result> =>
  new FiberTicket<Request, Result>({ patient }, 0, "an item of a distributed queue")

/** Waits for a ticket that is in line, and goes on with what is delivered. In an uninterruptible region. */
const delivered = <A, E, R>(
  deliverer: Deliverer,
  ticket: FiberTicket<Request, Result>,
  restore: Restore,
  go: (held: Held) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | StoreError, R> =>
  park(
    restore,
    ticket,
    () => deliverer.cancel(ticket),
    (result): Effect.Effect<A, E | StoreError, R> =>
      result.kind === "failed" ? Effect.failCause(result.failure as Cause.Cause<StoreError>) : go(result.held)
  )

/** Takes a delivery, in an uninterruptible region, and decodes its item. What cannot be decoded is a dead letter, and the next is taken. */
const taken = <A>(
  deliverer: Deliverer,
  codec: Codec<A>,
  restore: Restore
): Effect.Effect<{ readonly held: Held; readonly item: A }, StoreError> =>
  Effect.suspend(() => {
    const ticket = ticketFor(false)
    deliverer.enqueue(ticket)
    return delivered(deliverer, ticket, restore, (held) =>
      Effect.matchCauseEffect(restore(codec.decode(held.given.payload)), {
        onSuccess: (item) => Effect.succeed({ held, item }),
        onFailure: (cause) => {
          deliverer.settle(held, outcomeOfDecoding(cause), { cause })
          return isInterruptedOnly(cause)
            ? Effect.failCause(cause as Cause.Cause<never>)
            : taken(deliverer, codec, restore)
        }
      })
    )
  })

const outcomeOfDecoding = (cause: Cause.Cause<string>): Outcome =>
  isInterruptedOnly(cause) ? { kind: "return" } : { kind: "bury", reason: undecodable(textOf(cause)) }

const textOf = (cause: Cause.Cause<unknown>): string => errorsOf(cause).map(String).join("; ")

const rejected = (deliverer: Deliverer, { attempt }: Given, reason: string, delay?: number): Outcome => ({
  kind: "reject",
  reason: reasonOf(reason),
  delay: delay ?? retryDelay(deliverer.settings, attempt, deliverer.port.random())
})

/**
 * Takes a delivery for the rest of the scope. What is not settled when that closes is settled then: after a failure, its attempt has
 * failed; after an interruption it goes back; and after a success, as is said here.
 */
export const take = <A, B>(
  deliverer: Deliverer,
  codec: Codec<A>,
  made: (held: Held, item: A) => B,
  onSuccess: Outcome = { kind: "return" }
): Effect.Effect<B, StoreError, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(taken(deliverer, codec, restore), ({ held, item }) =>
      Effect.as(
        Effect.addFinalizer((exit) => close(deliverer, held, outcomeOf(deliverer, held, exit, onSuccess))),
        made(held, item)
      )
    )
  )

/** Nobody waits for what the store says to it: it is reported. */
const close = (deliverer: Deliverer, held: Held, outcome: Outcome): Effect.Effect<void> =>
  held.isSettled || held.loss !== undefined
    ? Effect.void
    : catchCause(settle(deliverer, held, outcome), (cause) =>
        report({
          where: "DistributedQueue",
          name: deliverer.settings.name,
          message: `the store was not told what became of item ${JSON.stringify(held.given.id)} when its scope was closed`,
          cause
        })
      )

const outcomeOf = (
  deliverer: Deliverer,
  held: Held,
  exit: Exit.Exit<unknown, unknown>,
  onSuccess: Outcome
): Outcome => {
  if (exit._tag === "Success") return onSuccess
  return isInterruptedOnly(exit.cause) ? { kind: "return" } : rejected(deliverer, held.given, textOf(exit.cause))
}

/** Settles a delivery, and waits for what the store says to it. It cannot be interrupted: what was said cannot be taken back. */
export const settle = (
  deliverer: Deliverer,
  held: Held,
  outcome: Outcome
): Effect.Effect<void, LeaseLost | StoreError> =>
  Effect.uninterruptible(
    Effect.suspend(() => {
      const ticket = new FiberTicket<undefined, Verdict>(undefined, 0, "what the store says to a delivery")
      deliverer.settle(held, outcome, { waiting: ticket })
      return Effect.flatMap(ticket.settlement, (): Effect.Effect<void, LeaseLost | StoreError> => {
        const verdict = ticket.result!
        if (verdict.kind === "lost") return Effect.fail(verdict.loss)
        return verdict.kind === "failed" ? Effect.failCause(verdict.failure as Cause.Cause<StoreError>) : Effect.void
      })
    })
  )

/** Says that an attempt has failed. */
export const reject = (
  deliverer: Deliverer,
  held: Held,
  where: string,
  options: { readonly reason?: string | undefined; readonly delay?: number | undefined }
): Effect.Effect<void, LeaseLost | StoreError> =>
  Effect.suspend(() => {
    const { delay, reason = "it was rejected" } = options
    if (delay !== undefined) checkDelay(where, delay)
    return settle(deliverer, held, rejected(deliverer, held.given, reason, delay))
  })

/** Waits until the lease of a delivery is lost. One that was settled never is. */
export const lost = (deliverer: Deliverer, held: Held): Effect.Effect<never, LeaseLost> =>
  Effect.uninterruptibleMask((restore) => {
    deliverer.look(held)
    const failed = () => (held.loss === undefined ? restore(Effect.never) : Effect.fail(held.loss))
    if (held.over.isSet) return failed()
    const ticket = new FiberTicket<undefined, undefined>(undefined, 0, "the loss of a lease")
    event.enqueue(held.over, ticket)
    return park(restore, ticket, () => event.cancel(held.over, ticket), failed)
  })

/** Fails if the lease is lost. */
export const checked = (deliverer: Deliverer, held: Held): Effect.Effect<void, LeaseLost> =>
  Effect.suspend(() => {
    deliverer.look(held)
    return held.loss === undefined ? Effect.void : Effect.fail(held.loss)
  })

/** What a worker has done with the delivery before. */
interface Last {
  readonly held: Held
  readonly outcome: Outcome
  readonly cause: unknown
}

/** Works items off, several at a time, until it is interrupted. When it ends the store has heard of all that was done. */
export const consume = <A, X, E, R>(
  deliverer: Deliverer,
  codec: Codec<A>,
  concurrency: number,
  handler: (held: Held, item: A) => Effect.Effect<X, E, R>
): Effect.Effect<never, StoreError, R> => {
  const next = (restore: Restore, last: Last | undefined): Effect.Effect<never, StoreError, R> =>
    Effect.suspend(() => {
      const ticket = ticketFor(true)
      if (last === undefined) deliverer.enqueue(ticket)
      else deliverer.settle(last.held, last.outcome, { cause: last.cause, next: ticket })
      return delivered(deliverer, ticket, restore, (held) => work(restore, held))
    })

  const work = (restore: Restore, held: Held): Effect.Effect<never, StoreError, R> =>
    Effect.matchCauseEffect(restore(codec.decode(held.given.payload)), {
      onFailure: (cause) =>
        isInterruptedOnly(cause)
          ? gone(held, cause as Cause.Cause<never>)
          : next(restore, { held, outcome: outcomeOfDecoding(cause), cause }),
      onSuccess: (item) =>
        Effect.flatMap(
          guarded(
            restore,
            deliverer,
            held,
            Effect.suspend(() => handler(held, item))
          ),
          (exit) => {
            // The loss has been told; there is nothing to be settled.
            if (held.loss !== undefined || exit === undefined) return next(restore, undefined)
            if (exit._tag === "Success")
              return next(restore, { held, outcome: { kind: "acknowledge" }, cause: undefined })
            if (isInterruptedOnly(exit.cause)) return gone(held, exit.cause as Cause.Cause<never>)
            return next(restore, {
              held,
              outcome: rejected(deliverer, held.given, textOf(exit.cause)),
              cause: exit.cause
            })
          }
        )
    })

  /** The consumption ends here. */
  const gone = (held: Held, cause: Cause.Cause<never>): Effect.Effect<never> =>
    Effect.suspend(() => {
      deliverer.settle(held, { kind: "return" })
      return Effect.failCause(cause)
    })

  const worker = Effect.uninterruptibleMask((restore) => next(restore, undefined))
  const workers = concurrency === 1 ? worker : (together(concurrency, worker) as typeof worker)
  return Effect.ensuring(workers, flushed(deliverer))
}

/**
 * Runs an effect, in a fiber of its own, which is interrupted when the lease is lost, and when the caller is; gives how it ended. Nothing:
 * the lease was lost before. For uninterruptible regions: what has ended by then has its end noted.
 */
const guarded = <A, E, R>(
  restore: Restore,
  deliverer: Deliverer,
  held: Held,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<Exit.Exit<A, E> | undefined, never, R> =>
  withFiber((caller): Effect.Effect<Exit.Exit<A, E> | undefined, never, R> => {
    deliverer.look(held)
    if (held.over.isSet) return Effect.succeed(undefined)
    const work = new ItemWork<A, E>(held, caller)
    event.enqueue(held.over, work.first)
    const stopped = () => {
      work.stop()
      return work.last.settlement
    }
    return Effect.flatMap(forkDetachedNow(work.run(effect)), (child) => {
      const over = () => Effect.map(inheritFrom(child), () => work.exit)
      // What does not wait has ended by now.
      if (work.exit !== undefined) return over()
      return Effect.flatMap(
        Effect.matchCauseEffect(restore(work.first.settlement), {
          onFailure: stopped,
          onSuccess: () => (work.exit === undefined ? stopped() : Effect.void)
        }),
        over
      )
    })
  })

/** What works on an item. */
class ItemWork<A, E> extends Work<A, E> {
  /** Its end, or that of its lease. */
  readonly first = new FiberTicket<undefined, undefined>(undefined, 0, "an item to be done")
  /** Its end. */
  readonly last = new FiberTicket<undefined, undefined>(undefined, 0, "an item to be let go of")

  constructor(
    private readonly held: Held,
    caller: AnyFiber
  ) {
    super(caller)
  }

  protected ended(): void {
    const { first, held, last } = this
    let chain = event.cancel(held.over, first)
    if (!first.settled) chain = settleTicket(chain, first, undefined)
    wake(settleTicket(chain, last, undefined))
  }
}

const flushed = (deliverer: Deliverer): Effect.Effect<void> =>
  Effect.uninterruptible(
    Effect.suspend(() => {
      const ticket = new FiberTicket<undefined, undefined>(undefined, 0, "the store to hear what was done")
      wake(deliverer.flush(ticket))
      return ticket.settlement
    })
  )

/** Waits until nothing is left to be done. */
export const join = (deliverer: Deliverer): Effect.Effect<void, StoreError> =>
  Effect.uninterruptibleMask((restore) => {
    const ticket = new FiberTicket<undefined, lookout.Result>(
      undefined,
      0,
      "the work of a distributed queue to be done"
    )
    deliverer.join(ticket)
    return park(
      restore,
      ticket,
      () => deliverer.cancelJoin(ticket),
      (result): Effect.Effect<void, StoreError> =>
        result.kind === "so" ? Effect.void : Effect.failCause(result.failure as Cause.Cause<StoreError>)
    )
  })
