/**
 * Leases of permits among fibers: how the store is reached, and how fibers wait, work and let go.
 *
 * @internal
 */
import * as Cause from "effect/Cause"
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
  type AnyFiber,
  callback,
  dice,
  forkDetached,
  inheritFrom,
  interruptNow,
  isInterruptedOnly,
  laterForker,
  andInterrupted,
  type RunningFiber,
  withFiber,
  withoutInterruptions
} from "./effect.js"
import { idleTime } from "./idleTime.js"
import { FiberTicket, park, type Restore } from "./park.js"
import { report } from "./report.js"

export interface Store<out E> {
  readonly acquire: (request: AcquireRequest) => Effect.Effect<Answer, E>
  readonly renew: (request: RenewRequest) => Effect.Effect<boolean, E>
  readonly release: (request: Holder) => Effect.Effect<Released, E>
  readonly watch: (name: string, onFreed: () => void) => Effect.Effect<void, E, Scope.Scope>
}

type Fork = (effect: Effect.Effect<void>) => void

type Fail = (cause: unknown) => void

/** A store that fibers of their own ask, with what the fiber has that made the instance. What fails is a cause. */
class StorePort implements Port {
  constructor(
    private readonly where: string,
    private readonly store: Store<unknown>,
    private readonly fork: Fork,
    readonly random: () => number
  ) {}

  acquire(request: AcquireRequest, answer: (answer: Answer) => void, fail: Fail): void {
    this.ask(() => this.store.acquire(request), checkAnswer, answer, fail)
  }

  renew(request: RenewRequest, answer: (held: boolean) => void, fail: Fail): void {
    this.ask(() => this.store.renew(request), checkHeld, answer, fail)
  }

  release(request: Holder, answer: (released: Released) => void, fail: Fail): void {
    this.ask(() => this.store.release(request), checkReleased, answer, fail)
  }

  /** A store may throw as soon as its function is called. */
  private ask<A>(
    question: () => Effect.Effect<A, unknown>,
    check: (answer: A) => A,
    answer: (answer: A) => void,
    fail: Fail
  ): void {
    this.fork(Effect.matchCause(Effect.map(Effect.suspend(question), check), { onFailure: fail, onSuccess: answer }))
  }

  watch(name: string, freed: () => void, watching: () => void, fail: Fail): () => void {
    let isStopped = false
    let resume = () => {}
    const stopped = callback<void>((done) => {
      if (isStopped) done(Effect.void)
      else resume = () => done(Effect.void)
    })
    const watch = Effect.suspend(() => this.store.watch(name, freed))
    const whole = Effect.scoped(Effect.zipRight(Effect.zipRight(watch, Effect.sync(watching)), stopped))
    this.fork(Effect.matchCause(whole, { onFailure: fail, onSuccess: () => {} }))
    return () => {
      isStopped = true
      resume()
    }
  }

  id(): string {
    return globalThis.crypto.randomUUID()
  }

  report(name: string, message: string, failed?: { readonly failure: unknown }): void {
    const cause = failed === undefined ? Cause.empty : (failed.failure as Cause.Cause<unknown>)
    this.fork(report({ where: this.where, name, message, cause }))
  }

  errorOf(failure: unknown): unknown {
    return Cause.squash(failure as Cause.Cause<unknown>)
  }
}

/** A lessor over a store, on the clock of where it is made. */
export const make = (where: string, store: Store<unknown>, config: Config): Effect.Effect<Lessor> =>
  Effect.map(
    Effect.all([idleTime, laterForker<never>(), dice]),
    ([time, fork, random]) => new Lessor(config, new StorePort(where, store, fork, random), time)
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

/** Gives it back, and gives the loss if it was lost before. For uninterruptible regions. */
const release = (held: Held): Effect.Effect<LeaseLost | undefined> =>
  Effect.suspend(() => {
    const ticket = new FiberTicket<undefined, LeaseLost | undefined>(undefined, 0, "a lease to be given back")
    held.release((loss) => wake(settle(undefined, ticket, loss)))
    return Effect.map(ticket.settlement, () => ticket.result)
  })

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
  Effect.matchCauseEffect(
    guarded(
      restore,
      held,
      Effect.suspend(() => body(held))
    ),
    {
      onFailure: (cause) => Effect.zipRight(release(held), Effect.failCause(cause)),
      onSuccess: (value) =>
        Effect.flatMap(release(held), (loss) => (loss === undefined ? Effect.succeed(value) : Effect.fail(loss)))
    }
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
  Effect.uninterruptibleMask((restore) => guarded(restore, held, effect))

const guarded = <A, E, R>(
  restore: Restore,
  held: Held,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E | LeaseLost, R> =>
  withFiber((caller): Effect.Effect<A, E | LeaseLost, R> => {
    // It may have been lost on the way here: then nothing begins.
    const loss = held.hear()
    if (loss !== undefined) return Effect.fail(loss)
    const work = new Work<A, E>(caller)
    const forget = held.listen(() => work.stop())
    return Effect.flatMap(forkDetached(work.run(effect)), (child) => {
      const settlement = work.ended.settlement
      return Effect.matchCauseEffect(restore(settlement), {
        onFailure: (interruption) => {
          work.stop()
          return Effect.zipRight(
            settlement,
            Effect.suspend(() => {
              forget()
              return result(held, work, child, interruption)
            })
          )
        },
        onSuccess: () => {
          forget()
          return result(held, work, child, undefined)
        }
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
class Work<A, E> {
  readonly ended = new FiberTicket<undefined, undefined>(undefined, 0, "the end of what holds a lease")
  exit: Exit.Exit<A, E> | undefined = undefined
  private fiber: RunningFiber<void, never> | undefined = undefined
  private isStopped = false

  /** Who is said to have interrupted it, in the trace. */
  constructor(private readonly caller: AnyFiber) {}

  /** Before its first step there is nothing to interrupt: it looks for itself. */
  stop(): void {
    this.isStopped = true
    if (this.fiber !== undefined && this.exit === undefined) interruptNow(this.fiber, this.caller)
  }

  /** In a fiber that begins uninterruptible, so that its end is noted in any case. */
  run<R>(effect: Effect.Effect<A, E, R>): Effect.Effect<void, never, R> {
    return withFiber((fiber: RunningFiber<void, never>): Effect.Effect<void, never, R> => {
      if (this.isStopped) return this.end(Exit.interrupt(this.caller.id()))
      this.fiber = fiber
      return Effect.matchCauseEffect(Effect.interruptible(effect), {
        onFailure: (cause) => this.end(Exit.failCause(cause)),
        onSuccess: (value) => this.end(Exit.succeed(value))
      })
    })
  }

  private end(exit: Exit.Exit<A, E>): Effect.Effect<void> {
    this.exit = exit
    wake(settle(undefined, this.ended, undefined))
    return Effect.void
  }
}

/** What the caller gets: a loss takes the place of a value, and of the interruption that it caused, and never that of an error. */
const result = <A, E>(
  held: Held,
  work: Work<A, E>,
  child: RunningFiber<void, never>,
  interruption: Cause.Cause<never> | undefined
): Effect.Effect<A, E | LeaseLost> =>
  Effect.flatMap(inheritFrom(child), (): Effect.Effect<A, E | LeaseLost> => {
    const exit = work.exit!
    const isError = exit._tag === "Failure" && !isInterruptedOnly(exit.cause)
    if (interruption !== undefined) {
      return Effect.failCause(isError ? andInterrupted(withoutInterruptions(exit.cause), interruption) : interruption)
    }
    const loss = held.hear()
    if (loss === undefined) return exit
    return isError ? Effect.failCause(withoutInterruptions(exit.cause)) : Effect.fail(loss)
  })
