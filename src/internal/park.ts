/**
 * The only place where a ticket becomes a suspended fiber.
 *
 * The rule: taking a resource and installing its release are one uninterruptible step; the wait before it is interruptible and not
 * part of that step. What is granted to a fiber that was interrupted meanwhile goes back through the core's `cancel`.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type { Chain } from "../core/ticket.js"
import { Ticket, wake } from "../core/ticket.js"
import { callback, catchCause, isDieWith, onFiberExit, withFiber } from "./effect.js"
import { Parcel, sends } from "./parcel.js"

/** Who is told when a fiber begins to wait: the explorer, so that it can say what a fiber is stuck at. */
export const waits: { observer: ((ticket: FiberTicket<any, any>) => void) | undefined } = { observer: undefined }

/** The place of a fiber in a wait list. */
export class FiberTicket<out Request, in out Result> extends Ticket<Request, Result> {
  private resume: ((effect: Effect.Effect<void>) => void) | undefined = undefined

  constructor(
    request: Request,
    priority: number,
    /** What is waited for, for a reader. */
    readonly what: string
  ) {
    super(request, priority)
  }

  /** Suspends until the ticket is settled. May be awaited again after an interruption. (A getter: many a ticket is never waited for.) */
  get settlement(): Effect.Effect<void> {
    return callback((resume) => {
      if (this.settled) resume(Effect.void)
      else {
        this.resume = resume
        waits.observer?.(this)
      }
    })
  }

  wake(): void {
    this.resume?.(Effect.void)
  }
}

/** What `Effect.uninterruptibleMask` hands to its body: the caller's own interruptibility. */
export type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** Waits for an enqueued ticket, then goes on in the uninterruptible region that it was called in. */
export const park = <Request, Result, A, E, R>(
  restore: Restore,
  ticket: FiberTicket<Request, Result>,
  cancel: () => Chain,
  settled: (result: Result) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.matchCauseEffect(restore(ticket.settlement), {
    onFailure: (cause) => {
      wake(cancel())
      return Effect.failCause(cause)
    },
    onSuccess: () => settled(ticket.result!)
  })

/** Runs an effect that holds something and lets go of it, however the effect ends. For uninterruptible regions. */
export const holding = <A, E, R>(self: Effect.Effect<A, E, R>, release: () => void): Effect.Effect<A, E, R> =>
  Effect.matchCauseEffect(self, {
    onFailure: (cause) => {
      release()
      return Effect.failCause(cause)
    },
    onSuccess: (value) => {
      release()
      return Effect.succeed(value)
    }
  })

/** How something that a caller takes away is waited for; see `deliver`. */
export interface LaterDelivery<Request, Result, A, E> {
  /** A failure that waiting cannot mend; asked before the wait, and with its result after it. */
  readonly failure: (result: Result | undefined) => Effect.Effect<never, E> | undefined
  readonly enqueue: () => FiberTicket<Request, Result>
  readonly cancel: (ticket: FiberTicket<Request, Result>) => Chain
  readonly collect: (ticket: FiberTicket<Request, Result>) => A
}

/** How something that a caller takes away is taken; see `deliver`. */
export interface Delivery<Request, Result, A, E> extends LaterDelivery<Request, Result, A, E> {
  /** Whether `now` would succeed. */
  readonly ready: () => boolean
  readonly now: () => A
  /** A ticket that has what is ready, so that it can be handed on as a parcel. */
  readonly grant?: () => FiberTicket<Request, Result>
}

/**
 * Takes something and hands it to the caller, who is from then on responsible for it. `now` and `collect` run in the very step
 * that calls the caller's continuation, so no interruption finds what was taken in nobody's hands.
 *
 * Why it is not simply returned from `park`: handlers see an interruption only inside an uninterruptible region, and leaving that
 * region is a step of its own. What was granted to a fiber that had to wait therefore stays in its ticket across that step,
 * and should the fiber end right there, its end gives it back.
 */
export const deliver = <Request, Result, A, E>(delivery: Delivery<Request, Result, A, E>): Effect.Effect<A, E> => {
  const wait = Effect.flatten(
    granted(
      delivery,
      () => Effect.succeed(take),
      (ticket) => keepUntilCollected(ticket, delivery)
    )
  )
  const take: Effect.Effect<A, E> = deliverNow(delivery.ready, delivery.now, () => wait)
  return delivery.grant === undefined ? take : sends(take, parcel(delivery, delivery.grant))
}

/** The same for what is never ready, since whoever grants it answers later. */
export const deliverLater = <Request, Result, A, E>(
  delivery: LaterDelivery<Request, Result, A, E>
): Effect.Effect<A, E> =>
  Effect.flatten(
    Effect.uninterruptibleMask((restore) =>
      awaited(restore, delivery, (ticket) => keepUntilCollected(ticket, delivery))
    )
  )

/** The same as something that whatever is put around it can hand on. */
const parcel = <Request, Result, A, E>(
  delivery: Delivery<Request, Result, A, E>,
  grant: () => FiberTicket<Request, Result>
): Effect.Effect<Parcel<A>, E> => {
  const send = (ticket: FiberTicket<Request, Result>): Effect.Effect<Parcel<A>> =>
    withFiber((fiber) => {
      const parcel = new Parcel(
        () => delivery.collect(ticket),
        () => wake(delivery.cancel(ticket))
      )
      parcel.carriedBy(fiber)
      return Effect.succeed(parcel)
    })
  return granted(delivery, () => send(grant()), send)
}

/** Goes on with what is ready, or with the ticket that it was granted to after a wait. */
const granted = <Request, Result, A, E, B>(
  delivery: Delivery<Request, Result, A, E>,
  now: () => Effect.Effect<B>,
  later: (ticket: FiberTicket<Request, Result>) => Effect.Effect<B>
): Effect.Effect<B, E> =>
  Effect.uninterruptibleMask((restore) => (delivery.ready() ? now() : awaited(restore, delivery, later)))

/** Waits, unless that is in vain, and goes on with the ticket that it was granted to. */
const awaited = <Request, Result, A, E, B>(
  restore: Restore,
  { cancel, enqueue, failure }: LaterDelivery<Request, Result, A, E>,
  later: (ticket: FiberTicket<Request, Result>) => Effect.Effect<B>
): Effect.Effect<B, E> => {
  const failed = failure(undefined)
  if (failed !== undefined) return failed
  const ticket = enqueue()
  return park(
    restore,
    ticket,
    () => cancel(ticket),
    (result) => failure(result) ?? later(ticket)
  )
}

/**
 * Takes something that is ready in the step that calls the caller's continuation; if it is not, does something else. It throws to
 * get out of that step, and so costs those who will wait a little, and those who need not, nothing.
 */
export const deliverNow = <A, E>(
  ready: () => boolean,
  now: () => A,
  otherwise: () => Effect.Effect<A, E>
): Effect.Effect<A, E> =>
  catchCause(
    Effect.sync(() => {
      if (!ready()) throw notReady
      return now()
    }),
    (cause) => (isDieWith(cause, notReady) ? otherwise() : Effect.failCause(cause))
  )

/** No object: Effect would hand on a proxy of it, inside a span. */
const notReady = Symbol("notReady")

const keepUntilCollected = <Request, Result, A, E>(
  ticket: FiberTicket<Request, Result>,
  delivery: LaterDelivery<Request, Result, A, E>
): Effect.Effect<Effect.Effect<A>> =>
  withFiber((fiber) => {
    const forget = onFiberExit(fiber, () => wake(delivery.cancel(ticket)))
    return Effect.succeed(
      Effect.sync(() => {
        forget()
        return delivery.collect(ticket)
      })
    )
  })

/** Gives something back should the fiber end before it called the function that it is given here. */
export const untilForgotten = (giveBack: () => Chain): Effect.Effect<() => void> =>
  withFiber((fiber) => Effect.succeed(onFiberExit(fiber, () => wake(giveBack()))))
