/**
 * Leases of permits among fibers: how the store is reached, and how fibers wait, work and let go.
 *
 * @internal
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { callable } from "../core/arguments.js"
import * as event from "../core/event.js"
import type { LeaseLost } from "../core/lease.js"
import type { Outcome, Request } from "../core/leaseLine.js"
import {
  type AcquireRequest,
  type Answer,
  checkAnswer,
  checkHeld,
  checkReleased,
  checkRequest,
  type Config,
  type Held,
  type Holder,
  Lessor,
  type Port,
  type Released,
  type RenewRequest
} from "../core/lessor.js"
import { settle, wake } from "../core/ticket.js"
import {
  dice,
  forkDetachedNow,
  inheritFrom,
  isInterruptedOnly,
  andInterrupted,
  withFiber,
  withoutInterruptions
} from "./effect.js"
import { idleTime } from "./idleTime.js"
import { FiberTicket, park, type Restore } from "./park.js"
import { type Fail, type Forks, forks, StorePort } from "./storePort.js"
import { Work } from "./work.js"

export interface Store<out E> {
  readonly acquire: (request: AcquireRequest) => Effect.Effect<Answer, E>
  readonly renew: (request: RenewRequest) => Effect.Effect<boolean, E>
  readonly release: (request: Holder) => Effect.Effect<Released, E>
  readonly watch: (name: string, onFreed: () => void) => Effect.Effect<void, E, Scope.Scope>
}

class LeasePort extends StorePort implements Port {
  constructor(
    where: string,
    private readonly store: Store<unknown>,
    forks: Forks,
    random: () => number
  ) {
    super(where, (name, freed) => store.watch(name, freed), forks, random)
  }

  acquire(request: AcquireRequest, answer: (answer: Answer) => void, fail: Fail): void {
    this.ask(() => this.store.acquire(request), checkAnswer, answer, fail)
  }

  renew(request: RenewRequest, answer: (held: boolean) => void, fail: Fail): void {
    this.ask(() => this.store.renew(request), checkHeld, answer, fail)
  }

  release(request: Holder, answer: (released: Released) => void, fail: Fail): void {
    this.ask(() => this.store.release(request), checkReleased, answer, fail)
  }
}

/** A lessor over a store, on the clock of where it is made. */
export const make = (where: string, store: Store<unknown>, config: Config): Effect.Effect<Lessor> =>
  Effect.map(
    Effect.all([idleTime, forks, dice]),
    ([time, forks, random]) => new Lessor(config, new LeasePort(where, store, forks, random), time)
  )

const what = "permits on lease"

const failureOf = (outcome: Outcome): Effect.Effect<never, any> | undefined =>
  outcome.kind === "failed" ? Effect.failCause(outcome.failure as Cause.Cause<unknown>) : undefined

const heldOf = (outcome: Outcome): Held | undefined =>
  outcome.kind === "granted" ? (outcome.lease as Held) : undefined

/** What is asked for, and by which function. */
export interface Requested {
  readonly where: string
  readonly name: string
  readonly permits: number
}

/** Asks in an uninterruptible region, waits as the caller would, and goes on there with what it holds: undefined if it only tried, in vain. */
const taken = <A, E, R>(
  lessor: Lessor,
  { name, permits, where }: Requested,
  tries: boolean,
  restore: Restore,
  settled: (held: Held | undefined) => Effect.Effect<A, E, R>
): Effect.Effect<A, any, R> => {
  checkRequest(where, lessor, name, permits)
  const ticket = new FiberTicket<Request, Outcome>({ line: lessor.line(name), permits, tries }, 0, what)
  lessor.enqueue(ticket)
  return park(
    restore,
    ticket,
    () => lessor.cancel(ticket),
    (outcome) => failureOf(outcome) ?? settled(heldOf(outcome))
  )
}

/** Gives it back, and then what came of it; or the loss if it was lost before, unless there is a failure. For uninterruptible regions. */
const released = <A, E>(held: Held, exit: Exit.Exit<A, E>): Effect.Effect<A, E | LeaseLost> => {
  const ticket = new FiberTicket<undefined, LeaseLost | undefined>(undefined, 0, "a lease to be given back")
  held.release((loss) => wake(settle(undefined, ticket, loss)))
  return Effect.flatMap(ticket.settlement, (): Effect.Effect<A, E | LeaseLost> => {
    const loss = ticket.result
    return loss === undefined || exit._tag === "Failure" ? exit : Effect.fail(loss)
  })
}

const leave = (lessor: Lessor, held: Held): Effect.Effect<void> =>
  Effect.suspend(() => {
    const ticket = new FiberTicket<undefined, undefined>(undefined, 0, "a lease to be given back")
    lessor.leave(held, () => wake(settle(undefined, ticket, undefined)))
    return ticket.settlement
  })

/** Runs an effect with permits. */
export const hold = <A, E, R>(
  lessor: Lessor,
  request: Requested,
  body: (held: Held) => Effect.Effect<A, E, R>
): Effect.Effect<A, any, R> =>
  Effect.uninterruptibleMask((restore) =>
    taken(lessor, request, false, restore, (held) => holding(restore, held!, body))
  )

/** Runs an effect with permits, or not at all. */
export const holdIfAvailable = <A, E, R>(
  lessor: Lessor,
  request: Requested,
  body: (held: Held) => Effect.Effect<A, E, R>
): Effect.Effect<Option.Option<A>, any, R> =>
  Effect.uninterruptibleMask((restore) =>
    taken(lessor, request, true, restore, (held) =>
      held === undefined ? Effect.succeedNone : Effect.asSome(holding(restore, held, body))
    )
  )

const holding = <A, E, R>(
  restore: Restore,
  held: Held,
  body: (held: Held) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | LeaseLost, R> =>
  guarded(
    restore,
    held,
    Effect.suspend(() => body(held)),
    (exit) => released(held, exit)
  )

/** Takes permits for the rest of the scope. */
export const acquire = (lessor: Lessor, request: Requested): Effect.Effect<Held, any, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) => taken(lessor, request, false, restore, (held) => kept(lessor, held!)))

/** Takes permits for the rest of the scope if they are to be had now. */
export const tryAcquire = <A>(
  lessor: Lessor,
  request: Requested,
  f: (held: Held) => A
): Effect.Effect<Option.Option<A>, any, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    taken(lessor, request, true, restore, (held) =>
      held === undefined ? Effect.succeedNone : Effect.as(kept(lessor, held), Option.some(f(held)))
    )
  )

const kept = (lessor: Lessor, held: Held): Effect.Effect<Held, never, Scope.Scope> =>
  Effect.as(
    Effect.addFinalizer(() => leave(lessor, held)),
    held
  )

/** Waits until it is lost. */
export const lost = (held: Held): Effect.Effect<never, LeaseLost> =>
  Effect.uninterruptibleMask((restore) => {
    const failed = (): Effect.Effect<never, LeaseLost> => Effect.fail(held.hear()!)
    if (held.look() !== undefined) return failed()
    const ticket = new FiberTicket<undefined, undefined>(undefined, 0, "the loss of a lease")
    event.enqueue(held.lost, ticket)
    return park(restore, ticket, () => event.cancel(held.lost, ticket), failed)
  })

/** Fails if it is lost. */
export const checked = (held: Held): Effect.Effect<void, LeaseLost> =>
  Effect.suspend(() => {
    const loss = held.hear()
    return loss === undefined ? Effect.void : Effect.fail(loss)
  })

/** Runs an effect in a fiber of its own, which is interrupted when the lease is lost; and waits for its end. */
export const guard = <A, E, R>(held: Held, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | LeaseLost, R> =>
  Effect.uninterruptibleMask((restore) => guarded(restore, held, effect, (exit) => exit))

/** And goes on with what came of it, in the uninterruptible region that it was called in. */
const guarded = <A, E, R>(
  restore: Restore,
  held: Held,
  effect: Effect.Effect<A, E, R>,
  ended: (exit: Exit.Exit<A, E | LeaseLost>) => Effect.Effect<A, E | LeaseLost>
): Effect.Effect<A, E | LeaseLost, R> =>
  withFiber((caller): Effect.Effect<A, E | LeaseLost, R> => {
    // It may have been lost on the way here: then nothing begins.
    const loss = held.hear()
    if (loss !== undefined) return ended(Exit.fail(loss))
    const work = new HolderWork<A, E>(caller)
    const forget = held.listen(() => work.stop())
    return Effect.flatMap(forkDetachedNow(work.run(effect)), (child) => {
      const over = (interruption?: Cause.Cause<never>) => {
        forget()
        return Effect.flatMap(inheritFrom(child), () => ended(result(held, work.exit!, interruption)))
      }
      // What does not wait has ended by now.
      if (work.exit !== undefined) return over()
      const { settlement } = work.over
      return Effect.matchCauseEffect(restore(settlement), {
        onFailure: (interruption) => {
          work.stop()
          return Effect.flatMap(settlement, () => over(interruption))
        },
        onSuccess: () => over()
      })
    })
  })

type Body = (lease: any) => Effect.Effect<any, any, any>

/** The two ways to say what works: at once, with a function that is told of the lease; or later, with an effect. */
export const withBody = (
  where: string,
  body: Body | undefined,
  run: (body: Body) => Effect.Effect<any, any, any>
): any =>
  body === undefined ? (self: Effect.Effect<any, any, any>) => run(() => self) : run(callable(where, "body", body))

/** The same for the accessor of a service, for a method with so many arguments before the body. */
export const withBodyOf =
  (method: string, count: number) =>
  (tag: Effect.Effect<any, never, any>) =>
  (...args: Array<any>): any =>
    withBody(method, args[count], (body) => Effect.flatMap(tag, (self) => self[method](...args.slice(0, count), body)))

/** What works while it holds a lease. */
class HolderWork<A, E> extends Work<A, E> {
  readonly over = new FiberTicket<undefined, undefined>(undefined, 0, "the end of what holds a lease")

  protected ended(): void {
    wake(settle(undefined, this.over, undefined))
  }
}

/** What the caller gets: a loss takes the place of a value, and of the interruption that it caused, and never that of an error. */
const result = <A, E>(
  held: Held,
  exit: Exit.Exit<A, E>,
  interruption: Cause.Cause<never> | undefined
): Exit.Exit<A, E | LeaseLost> => {
  const isError = exit._tag === "Failure" && !isInterruptedOnly(exit.cause)
  if (interruption !== undefined) {
    return Exit.failCause(isError ? andInterrupted(withoutInterruptions(exit.cause), interruption) : interruption)
  }
  const loss = held.hear()
  if (loss === undefined) return exit
  return isError ? Exit.failCause(withoutInterruptions(exit.cause)) : Exit.fail(loss)
}
