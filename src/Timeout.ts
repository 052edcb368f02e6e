/**
 * Timeouts and deadlines: how long some work may take, for itself and for all that it calls.
 *
 * It corresponds to `asyncio.timeout`, `timeout_at` and `wait_for`, with these differences:
 *
 * - The work runs in a fiber of its own, which is interrupted when the deadline has passed. Effect's interruption cannot be refused: work
 *   that catches it is interrupted all the same. What is `Effect.uninterruptible` goes on to its end. A value that the work has by then is
 *   its result; one that it makes up afterwards, where it could have been interrupted, is not.
 * - `DeadlineExceeded` says whose deadline it was. Of nested ones the earlier counts, and of two at one time the outer: then the inner one
 *   is interrupted, and no handler inside sees an error. In Python the inner deadline says that it has expired as well; here it has, too.
 * - A caller that is interrupted in the tick in which the deadline passes, or in which the work ends, is interrupted. (As in Python since
 *   3.12.)
 * - A deadline of zero, or in the past, never starts the work. Python begins it, and interrupts it where it first waits, except for
 *   coroutines that are given to `wait_for`.
 * - To `reschedule` a deadline that has passed, or is closed, is no error: it says that it was too late. A `Deadline` may have several
 *   runs, one after the other or at once; it cannot be used before it is made.
 * - A failure of the cleanup arrives instead of `DeadlineExceeded`. Nothing is chained to it.
 * - The wait for the cleanup can be limited: `grace`.
 * - A time that is given as an instant is that of the calendar when the work begins; setting the calendar's clock later changes nothing.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { callable, misuse, number, record, refusal } from "./core/arguments.js"
import type { DeadlineExceeded, Stop, Waiting } from "./core/deadline.js"
import * as core from "./core/deadline.js"
import { Expiry } from "./core/expiry.js"
import { wake } from "./core/ticket.js"
import { Timer } from "./core/timers.js"
import { milliseconds } from "./internal/duration.js"
import {
  andInterrupted,
  type AnyFiber,
  clockOf,
  type DurationInput,
  epochOf,
  forkDetached,
  inheritFrom,
  type Instant,
  interruptNow,
  isInterruptedOnly,
  readClock,
  referenceOf,
  type RunningFiber,
  withFiber,
  withoutInterruptions
} from "./internal/effect.js"
import { around, parcelIn } from "./internal/parcel.js"
import { FiberTicket, type Restore } from "./internal/park.js"
import { reporter, type Unhandled } from "./internal/report.js"
import * as service from "./internal/service.js"
import { timekeeperOf } from "./internal/timer.js"

export {
  /**
   * The deadline has passed. It says whose deadline it was.
   *
   * @since 0.1.0
   * @category errors
   */
  DeadlineExceeded
} from "./core/deadline.js"

export type {
  /**
   * What is reported: which work, what happened to it, and why.
   *
   * @since 0.1.0
   * @category models
   */
  Unhandled
}

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: TypeId = core.TypeId

/**
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = core.TypeId

/**
 * How a deadline is made.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** For `DeadlineExceeded`, reports, and whoever looks. */
  readonly name?: string | undefined
  /**
   * How long to wait for the end of work that was told to stop, by the deadline or because its caller is interrupted. After that it is
   * left behind, which is reported; should it fail later, that is reported too. Default: as long as it takes.
   */
  readonly grace?: DurationInput | undefined
  /** Is told of work that is left behind after its grace, and of such work that fails later. Default: logs at error level. */
  readonly onError?: ((failure: Unhandled) => Effect.Effect<unknown, unknown>) | undefined
}

/**
 * A limit of time that is given to work again and again: a policy.
 *
 * @since 0.1.0
 * @category models
 */
export interface PolicyOptions extends Options {
  /** How long the work may take. */
  readonly duration: DurationInput
}

/**
 * A limit of time for work, each time from its beginning.
 *
 * @since 0.1.0
 * @category models
 */
export interface Timeout {
  /** Fails with `DeadlineExceeded` when the work takes too long. */
  timeout<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | DeadlineExceeded, R>
}

/**
 * A deadline, under which work can be run until it has passed.
 *
 * **When to use**: for a time that is shared by several pieces of work, that is looked at, or that moves. For one piece of work use
 * `timeout`.
 *
 * **Details**: each `run` interrupts its work when the deadline has passed, and fails with `DeadlineExceeded` then; after that nothing
 * starts. `run` is a policy, and may be handed on by itself: `Policy.wrap(deadline.run, retry)`. The time goes on when nothing is run. It
 * costs no fiber, and nothing sleeps for it while nothing is run.
 *
 * **Interruption**: as for `timeout`.
 *
 * @example
 * import { Timeout } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const deadline = yield* Timeout.make("20 millis", { name: "the whole run" })
 *   const first = yield* deadline.run(Effect.succeed("in time"))
 *   const second = yield* Effect.flip(deadline.run(Effect.sleep("1 minute")))
 *   return `${first}; ${second.message}`
 * })
 *
 * console.log(await Effect.runPromise(Effect.scoped(program))) // => in time; the deadline "the whole run" of 20 ms has passed
 *
 * @since 0.1.0
 * @category models
 */
export interface Deadline {
  readonly [TypeId]: Expiry

  /** What it was named. */
  readonly name: string | undefined

  /** Runs an effect until the deadline has passed. */
  readonly run: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | DeadlineExceeded, R>

  /** Moves the deadline: so long from now, or never. Says whether that was in time; if not, nothing has changed. */
  reschedule(duration: DurationInput | "none"): Effect.Effect<boolean>

  /** How long is left, until this deadline or one around it that is earlier. None: for ever. */
  readonly remaining: Effect.Effect<Option.Option<Duration.Duration>>

  /** Whether the deadline, or one around it, has passed. */
  readonly expired: Effect.Effect<boolean>

  /** When it is, in milliseconds since 1970, by the calendar of now: for `timeoutAt` of somebody else. */
  readonly when: Effect.Effect<Option.Option<number>>
}

/**
 * The deadline that a fiber runs under. Fibers inherit it, also those that outlive the run; a deadline that is over does not count.
 *
 * **When to use**: to hand the deadline on to plain code, with `Deadline.from` of `effect-concurrency/promise`; or, with `{ deadline:
 * undefined }`, to take what runs out of sight of the deadlines around it. (They interrupt it all the same.)
 *
 * @example
 * import { Timeout } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * const whose = Effect.map(Timeout.Current, ({ deadline }) => deadline?.name ?? "nobody's")
 *
 * const limited = Timeout.timeout("1 second", { name: "mine" })(whose)
 *
 * console.log(await Effect.runPromise(Effect.all([whose, limited]))) // => [ "nobody's", 'mine' ]
 *
 * @since 0.1.0
 * @category references
 */
export class Current extends Context.Reference<Current>()("effect-concurrency/Timeout/Current", {
  defaultValue: (): { readonly deadline: Deadline | undefined } => ({ deadline: undefined })
}) {}

/** Who does the work. */
class Worker<A, E> extends FiberTicket<Waiting, Stop> {
  fiber: RunningFiber<void, never> | undefined = undefined
  exit: Exit.Exit<A, E> | undefined = undefined
  grace: Grace | undefined = undefined

  constructor(
    private readonly deadline: DeadlineImpl,
    /** Who is interrupted: so it says in the trace. */
    readonly caller: AnyFiber,
    /** Whether the deadline is over when this is. */
    private readonly once: boolean
  ) {
    super(new FiberTicket<undefined, "ended" | "left">(undefined, 0, "work to end, under a deadline"), 0, "nothing")
  }

  get expiry(): Expiry {
    return this.deadline[core.TypeId]
  }

  report(message: string, cause: Cause.Cause<unknown>): Effect.Effect<void> {
    return this.deadline.report({ where, name: this.deadline.name, message, cause })
  }

  /** It is told to stop. Before its first step there is nothing to interrupt: it looks for itself. */
  override wake(): void {
    const { caller, expiry, fiber } = this
    const { grace } = expiry.state
    if (grace < Infinity) expiry.time.set((this.grace = new Grace(this)), expiry.time.now() + grace)
    if (fiber !== undefined) interruptNow(fiber, caller)
  }

  /** The work, in a fiber that begins uninterruptible, so that its end is noted in any case. */
  run<R>(effect: Effect.Effect<A, E, R>): Effect.Effect<void, never, R> {
    return withFiber((fiber: RunningFiber<void, never>): Effect.Effect<void, never, R> => {
      if (this.settled) return this.end(Exit.interrupt(this.caller.id()))
      this.fiber = fiber
      return Effect.matchCauseEffect(Effect.interruptible(effect), {
        onFailure: (cause) => this.end(Exit.failCause(cause)),
        onSuccess: (value) => this.end(Exit.succeed(value))
      })
    })
  }

  private end(exit: Exit.Exit<A, E>): Effect.Effect<void> {
    const { caller, expiry, grace, request } = this
    this.exit = exit
    parcelIn(exit)?.carriedBy(caller)
    if (grace !== undefined) expiry.time.clear(grace)
    wake(core.end(expiry.state, this))
    expiry.follow()
    if (this.once) core.close(expiry.state)
    if (request.result === "left") parcelIn(exit)?.return()
    if (request.result !== "left" || exit._tag === "Success" || isInterruptedOnly(exit.cause)) return Effect.void
    return this.report(core.failedLate, exit.cause)
  }
}

const where = "Timeout"

/** Work that was told to stop is waited for so long. */
class Grace extends Timer {
  constructor(private readonly worker: Worker<any, any>) {
    super()
  }

  fire(): void {
    wake(core.leave(this.worker))
  }
}

class DeadlineImpl implements Deadline {
  readonly [core.TypeId]: Expiry

  constructor(
    expiry: Expiry,
    readonly report: (failure: Unhandled) => Effect.Effect<void>
  ) {
    this[core.TypeId] = expiry
  }

  get name(): string | undefined {
    return this[core.TypeId].state.name
  }

  /** Made when it is asked for: each `timeout` makes a deadline, and hardly any of them is run by hand. */
  get run(): Deadline["run"] {
    return (effect) => around(effect, (effect) => runUnder("Deadline.run", effect, () => this, false))
  }

  reschedule(duration: DurationInput | "none"): Effect.Effect<boolean> {
    return Effect.sync(() => {
      const expiry = this[core.TypeId]
      const limit = duration === "none" ? undefined : milliseconds("Deadline.reschedule", "duration", duration)
      const now = expiry.time.now()
      const moved = core.move(expiry.state, now, limit === undefined ? Infinity : now + limit, limit)
      expiry.follow()
      return moved
    })
  }

  private get left(): number {
    const { state, time } = this[core.TypeId]
    return core.remaining(state, time.now())
  }

  get remaining(): Effect.Effect<Option.Option<Duration.Duration>> {
    return Effect.sync(() => finite(this.left, Duration.millis))
  }

  get expired(): Effect.Effect<boolean> {
    return Effect.sync(() => this.left === 0)
  }

  get when(): Effect.Effect<Option.Option<number>> {
    return withFiber((fiber) => {
      const { state, time } = this[core.TypeId]
      return Effect.succeed(finite(state.at, (at) => Math.round(readClock(clockOf(fiber)) + at - time.now())))
    })
  }
}

const finite = <A>(milliseconds: number, f: (milliseconds: number) => A): Option.Option<A> =>
  milliseconds < Infinity ? Option.some(f(milliseconds)) : Option.none()

/** Runs an effect in a fiber of its own, which the deadline interrupts; and waits for its end, for as long as the grace allows. */
const runUnder = <A, E, R>(
  where: string,
  effect: Effect.Effect<A, E, R>,
  deadlineOf: (fiber: AnyFiber) => DeadlineImpl,
  once: boolean
): Effect.Effect<A, E | DeadlineExceeded, R> =>
  Effect.uninterruptibleMask((restore) =>
    withFiber((fiber): Effect.Effect<A, E | DeadlineExceeded, R> => {
      if (!Effect.isEffect(effect)) throw refusal(where, "effect", "an effect", effect)
      const deadline = deadlineOf(fiber)
      const expiry = deadline[core.TypeId]
      const { state, time } = expiry
      if (state.closed) throw misuse(where, "the deadline is closed")
      const worker = new Worker<A, E>(deadline, fiber, once)
      const passed = core.begin(state, worker, time.now())
      if (passed !== undefined) {
        wake(core.expire(passed))
        return Effect.fail(passed.expired!)
      }
      expiry.follow()
      // Around the fork, and not around the work: what that has taken must not be lost on the way out.
      const fork = Effect.provideService(forkDetached(worker.run(effect)), Current, { deadline })
      return Effect.flatMap(fork, (child) => awaitEnd(restore, worker, child))
    })
  )

const awaitEnd = <A, E>(
  restore: Restore,
  worker: Worker<A, E>,
  child: RunningFiber<void, never>
): Effect.Effect<A, E | DeadlineExceeded> => {
  const { expiry, request } = worker
  const { settlement } = request as FiberTicket<undefined, "ended" | "left">
  return Effect.matchCauseEffect(restore(settlement), {
    onFailure: (interruption) => {
      wake(core.stop(expiry.state, worker))
      expiry.follow()
      return Effect.flatMap(settlement, () => result(worker, child, interruption))
    },
    onSuccess: () => result(worker, child, undefined)
  })
}

/** What the caller gets. */
const result = <A, E>(
  worker: Worker<A, E>,
  child: RunningFiber<void, never>,
  interruption: Cause.Cause<never> | undefined
): Effect.Effect<A, E | DeadlineExceeded> => {
  const { exit, expiry, request } = worker
  const { state } = expiry
  const exceeded = (): Effect.Effect<never, DeadlineExceeded> =>
    interruption === undefined ? Effect.fail(state.expired!) : Effect.failCause(interruption)
  if (request.result === "left" || exit === undefined) {
    return Effect.zipRight(worker.report(core.left(state), Cause.empty), Effect.suspend(exceeded))
  }
  return Effect.flatMap(inheritFrom(child), (): Effect.Effect<A, E | DeadlineExceeded> => {
    if (interruption !== undefined) {
      parcelIn(exit)?.return()
      return exit._tag === "Success" || isInterruptedOnly(exit.cause)
        ? Effect.failCause(interruption)
        : Effect.failCause(andInterrupted(withoutInterruptions(exit.cause), interruption))
    }
    // The work has a result of its own, or nobody else has interrupted it.
    if (exit._tag === "Success" || worker.result === undefined) return exit
    return isInterruptedOnly(exit.cause) ? exceeded() : Effect.failCause(withoutInterruptions(exit.cause))
  })
}

/** On the clock of a fiber, and within the deadline that it inherits, if that is on the same clock: otherwise they cannot be compared. */
const makeDeadline = (
  fiber: AnyFiber,
  where: string,
  options: Options,
  length: number | undefined,
  limit: number
): DeadlineImpl => {
  const time = timekeeperOf(fiber)
  const outer = referenceOf(fiber, Current).deadline?.[core.TypeId]
  const checked = checkOptions(where, options)
  const state = core.make(checked, time.now() + limit, length, outer?.time === time ? outer.state : undefined)
  return new DeadlineImpl(new Expiry(state, time), reporter("Timeout.onError", options.onError))
}

const checkOptions = (where: string, options: Options): Required<core.Options> => {
  const { grace, name, onError } = record(where, options)
  if (onError !== undefined) callable(where, "onError", onError)
  return core.options(where, { name, grace: grace === undefined ? undefined : milliseconds(where, "grace", grace) })
}

/** A deadline for one run, which is over when that has ended. */
const limited =
  (where: string, limitOf: (fiber: AnyFiber) => readonly [limit: number, length?: number], options: Options) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | DeadlineExceeded, R> =>
    around(effect, (effect) =>
      runUnder(
        where,
        effect,
        (fiber) => {
          const [limit, length] = limitOf(fiber)
          return makeDeadline(fiber, where, options, length, limit)
        },
        true
      )
    )

/**
 * Fails with `DeadlineExceeded` when an effect takes longer than that.
 *
 * **When to use**: around work that may take too long: a request, a wait for a lock, all of a job. For a time that moves, or that several
 * pieces of work share, make a `Deadline`.
 *
 * **Details**: the work runs in a fiber of its own, with the services of its caller. When the time is over it is interrupted, and its end
 * is waited for, unless that takes longer than the `grace`. What it has then decides: a value that it still gave, or an error of its own,
 * arrives; otherwise `DeadlineExceeded`. With a duration of zero the work is not started; one that is infinite is no limit. What the work
 * calls can ask how long is left: `remaining`. It costs one fiber, and all open timeouts together one sleep. asyncio: `timeout`,
 * `wait_for`.
 *
 * Nested: the earlier deadline counts, and of two at one time the outer, so that nothing inside mistakes it for its own.
 *
 * **Interruption**: the caller can be interrupted at once, and waits for the work's end as above; that it was interrupted comes before
 * what the deadline or the work has to say, but for a failed cleanup. In a region that cannot be interrupted, such as a finalizer, the
 * work can be, by its deadline and nothing else: so a finalizer can be limited. Work that must not be cut has to be
 * `Effect.uninterruptible` itself. What the work is to take, and nothing else, reaches the next step of the caller or goes back:
 * `Timeout.timeout("1 second")(queue.take)` loses no item. If more is done with it under the deadline, put all of that there, or take it in an
 * `Effect.acquireRelease`.
 *
 * @example
 * import { Mutex, Timeout } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const mutex = yield* Mutex.make()
 *   yield* Effect.fork(mutex.withLock(Effect.never))
 *   yield* Effect.yieldNow()
 *   return yield* mutex.withLock(Effect.succeed("never")).pipe(
 *     Timeout.timeout("10 millis", { name: "the lock" }),
 *     Effect.catchTag("DeadlineExceeded", ({ deadline, milliseconds }) => Effect.succeed(`${deadline}: ${milliseconds} ms`))
 *   )
 * })
 *
 * console.log(await Effect.runPromise(program)) // => the lock: 10 ms
 *
 * @see Timeout.timeoutAt for an instant
 * @see Timeout.make for a deadline that can be moved, and shared
 * @since 0.1.0
 * @category combinators
 */
export const timeout = (
  duration: DurationInput,
  options: Options = {}
): (<A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | DeadlineExceeded, R>) => {
  const where = "Timeout.timeout"
  const limitOf = () => {
    const length = milliseconds(where, "duration", duration)
    return [length, length] as const
  }
  return limited(where, limitOf, options)
}

/**
 * Fails with `DeadlineExceeded` when an effect has not ended at an instant.
 *
 * **When to use**: for a deadline that came from elsewhere: a header of a request, the end of a whole run.
 *
 * **Details**: an instant is a `Date`, a `DateTime`, or milliseconds since 1970, of Effect's `Clock`. One that is past does not start the
 * work. Otherwise as `timeout`. asyncio: `timeout_at`.
 *
 * **Interruption**: as for `timeout`.
 *
 * @example
 * import { Timeout } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * const late = Effect.succeed("done").pipe(Timeout.timeoutAt(new Date("2001-01-01"), { name: "the century" }), Effect.flip)
 *
 * console.log((await Effect.runPromise(late)).message) // => the deadline "the century" has passed
 *
 * @since 0.1.0
 * @category combinators
 */
export const timeoutAt = (
  instant: Instant,
  options: Options = {}
): (<A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | DeadlineExceeded, R>) => {
  const where = "Timeout.timeoutAt"
  return limited(where, (fiber) => [untilInstant(where, fiber, instant)], options)
}

const untilInstant = (where: string, fiber: AnyFiber, instant: Instant): number =>
  number(where, "instant", epochOf(instant)) - readClock(clockOf(fiber))

/**
 * Makes a deadline: so long from now, or none until it is moved. It is closed with the scope: after that nothing can be run under it, and
 * what still runs has its time.
 *
 * @see Timeout.timeout for one piece of work
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  duration?: DurationInput | undefined,
  options: Options = {}
): Effect.Effect<Deadline, never, Scope.Scope> =>
  Effect.acquireRelease(
    withFiber((fiber) => {
      const where = "Timeout.make"
      const length = duration === undefined ? undefined : milliseconds(where, "duration", duration)
      return Effect.succeed<Deadline>(makeDeadline(fiber, where, options, length, length ?? Infinity))
    }),
    (deadline) => Effect.sync(() => core.close(deadline[core.TypeId].state))
  )

/**
 * How long the caller has left, by the deadlines around it: none if there are none.
 *
 * **When to use**: deep inside, to hand a limit on, or not to begin what cannot be done in time.
 *
 * @example
 * import { Timeout } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * const isLimited = Effect.map(Timeout.remaining, ({ _tag }) => _tag)
 *
 * const limited = Timeout.timeout("1 second")(isLimited)
 *
 * console.log(await Effect.runPromise(Effect.all([isLimited, limited]))) // => [ 'None', 'Some' ]
 *
 * @since 0.1.0
 * @category getters
 */
export const remaining: Effect.Effect<Option.Option<Duration.Duration>> = Effect.flatMap(Current, ({ deadline }) =>
  deadline === undefined ? Effect.succeed(Option.none()) : deadline.remaining
)

/**
 * Runs an effect until the deadline has passed. See {@link Deadline}.
 *
 * @since 0.1.0
 * @category operations
 */
export const run = <A, E, R>(
  self: Deadline,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E | DeadlineExceeded, R> => self.run(effect)

/**
 * Moves the deadline: so long from now, or never. See {@link Deadline}.
 *
 * @since 0.1.0
 * @category operations
 */
export const reschedule = (self: Deadline, duration: DurationInput | "none"): Effect.Effect<boolean> =>
  self.reschedule(duration)

/**
 * A limit of time as a value, checked now: it throws when the options make no sense.
 *
 * @example
 * import { Timeout } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * const brief = Timeout.policy({ duration: "5 millis", name: "brief" })
 *
 * console.log((await Effect.runPromise(Effect.flip(brief.timeout(Effect.never)))).deadline) // => brief
 *
 * @since 0.1.0
 * @category constructors
 */
export const policy = (options: PolicyOptions): Timeout => {
  const where = "Timeout.policy"
  const length = milliseconds(where, "duration", record(where, options).duration)
  const limit = [length, length] as const
  checkOptions(where, options)
  return { timeout: limited(where, () => limit, options) }
}

/**
 * A service class: a tag, its layer, and its limit as a function of effects.
 *
 * @since 0.1.0
 * @category services
 */
export interface ServiceClass<Self, Id extends string, E = never, R = never> extends service.ServiceClass<
  Self,
  Id,
  Timeout,
  E,
  R
> {
  timeout<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | DeadlineExceeded, R | Self>
}

/**
 * A limit of time as a service, so that it is configured in one place. Its name is the id, unless it has another.
 *
 * @example
 * import { Timeout } from "effect-concurrency"
 * import { Config, Effect } from "effect"
 *
 * class RequestTime extends Timeout.Service<RequestTime>()(
 *   "app/RequestTime",
 *   Config.all({ duration: Config.duration("REQUEST_TIME").pipe(Config.withDefault("5 millis")) })
 * ) {}
 *
 * const program = Effect.never.pipe(RequestTime.timeout, Effect.flip, Effect.provide(RequestTime.layer))
 *
 * console.log((await Effect.runPromise(program)).message) // => the deadline "app/RequestTime" of 5 ms has passed
 *
 * @since 0.1.0
 * @category services
 */
export const Service =
  <Self>() =>
  <const Id extends string, E = never, R = never>(
    id: Id,
    options: service.Options<PolicyOptions, E, R>
  ): ServiceClass<Self, Id, E, Exclude<R, Scope.Scope>> =>
    service.make(
      id,
      Effect.map(service.options(options), (options) => policy({ name: id, ...options })),
      { wrapper: ["timeout"] }
    )
