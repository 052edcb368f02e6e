/**
 * Every name of Effect 3 that Effect 4 renamed or removed, as far as this library uses them: a move to Effect 4 touches this file.
 *
 * @internal
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as DefaultServices from "effect/DefaultServices"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as FiberRef from "effect/FiberRef"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Runtime from "effect/Runtime"
import * as RuntimeFlags from "effect/RuntimeFlags"
import * as Schedule from "effect/Schedule"
import * as ScheduleDecision from "effect/ScheduleDecision"
import * as ScheduleInterval from "effect/ScheduleInterval"
import * as Scheduler from "effect/Scheduler"

/** Effect 4: `Effect.callback`. */
export const callback: <A, E = never>(
  register: (resume: (effect: Effect.Effect<A, E>) => void) => void
) => Effect.Effect<A, E> = Effect.async

/** Effect 4: `Effect.catchCause`. */
export const catchCause = Effect.catchAllCause

/** Effect 4: `Effect.withFiber`. */
export const withFiber = Effect.withFiberRuntime

/** Effect 4: `Layer.effect`, which closes the scope there. */
export const layerScoped = Layer.scoped

/** Effect 4: `Context.Service<Self, Shape>()(id)`. */
export const tagClass = <Self, Shape>(id: string): Context.TagClass<Self, string, Shape> =>
  Context.Tag(id)<Self, Shape>()

/** Effect 4: `Context.Service<Shape>(id)`. */
export const tag = <Shape>(id: string): Context.Tag<Shape, Shape> => Context.GenericTag<Shape>(id)

/** Calls a function with a fiber's exit; returns what prevents it. Effect 4: `fiber.addObserver` does so itself. */
export const onFiberExit = <A, E>(
  fiber: Fiber.RuntimeFiber<A, E>,
  f: (exit: Exit.Exit<A, E>) => void
): (() => void) => {
  fiber.addObserver(f)
  return () => fiber.removeObserver(f)
}

/** Effect 4: `Effect.forkChild`. */
export const fork = Effect.fork

/** Effect 4: `Effect.forkDetach`. */
export const forkDetached = Effect.forkDaemon

/** Tells a fiber that it is interrupted, and does not wait for its end. Effect 4: `fiber.interruptUnsafe(by)`. */
export const interruptNow = (fiber: Fiber.RuntimeFiber<unknown, unknown>, by: Fiber.RuntimeFiber<any, any>): void =>
  fiber.unsafeInterruptAsFork(by.id())

/** A fiber that runs, or has run. Effect 4: `Fiber.Fiber`. */
export type RunningFiber<A, E> = Fiber.RuntimeFiber<A, E>

/** Whether there is neither a failure nor a defect. Effect 4: `Cause.hasInterruptsOnly`. */
export const isInterruptedOnly = Cause.isInterruptedOnly

/**
 * Takes over what a fiber that has ended has set in its `FiberRef`s, as if it had been done here. Most have set nothing, and that is found out for a
 * part of what the rest costs. Effect 4 has none.
 */
export const inheritFrom = (child: Fiber.RuntimeFiber<unknown, unknown>): Effect.Effect<void> =>
  Effect.withFiberRuntime((fiber) => (hasSet(child, fiber) ? Fiber.inheritAll(child) : Effect.void))

/** Whether a fiber has set something to another value than it has here. */
const hasSet = (child: AnyFiber, here: AnyFiber): boolean => {
  const id = child.id()
  for (const [ref, [[owner, value]]] of child.getFiberRefs().locals) {
    if (owner !== id) continue
    const own = here.getFiberRef(ref)
    const isSame = ref === FiberRef.currentRuntimeFlags ? lasting(value) === lasting(own) : value === own
    if (!isSame) return true
  }
  return false
}

/** The flags that are taken over. */
const lasting = (flags: RuntimeFlags.RuntimeFlags): RuntimeFlags.RuntimeFlags =>
  RuntimeFlags.disable(RuntimeFlags.disable(flags, RuntimeFlags.Interruption), RuntimeFlags.WindDown)

/** Effect 4: `Duration.Input`. */
export type DurationInput = Duration.DurationInput

/** The milliseconds of a duration, if it is one. Effect 4: `Duration.fromInput`. */
export const millisecondsOf = (duration: unknown): number | undefined =>
  Option.getOrUndefined(Option.map(Duration.decodeUnknown(duration), Duration.toMillis))

/** What an effect gives, fails with, requires. Effect 4: `Effect.Success`, `Effect.Error`, `Effect.Services`. */
export type Success<T extends Effect.Effect<any, any, any>> = Effect.Effect.Success<T>
export type Failure<T extends Effect.Effect<any, any, any>> = Effect.Effect.Error<T>
export type Requirements<T extends Effect.Effect<any, any, any>> = Effect.Effect.Context<T>

/** Effect 4: `Effect.yieldNow` is a value. */
export const yieldNow: Effect.Effect<void> = Effect.yieldNow()

/** Effect 4: a search in `cause.reasons`. */
export const isDieWith = (cause: Cause.Cause<unknown>, defect: unknown): boolean =>
  cause._tag === "Die" && cause.defect === defect

/** The failure of a cause that has neither a defect nor an interruption in it. Effect 4: a search in `cause.reasons`. */
export const failureOf = <E>(cause: Cause.Cause<E>): Option.Option<E> =>
  Cause.isDie(cause) || Cause.isInterrupted(cause) ? Option.none() : Cause.failureOption(cause)

/**
 * An effect as a function that returns a promise, for plain code that comes upon it inside one of our primitives. It rejects with the
 * original error. Effect 4: `Effect.runPromise` does so by itself.
 */
export const runnable =
  <A, E>(effect: Effect.Effect<A, E>): (() => Promise<A>) =>
  async () => {
    const exit = await Effect.runPromiseExit(effect)
    if (exit._tag === "Success") return exit.value
    throw Cause.squash(exit.cause)
  }

/**
 * What runs an effect for plain code, with the loggers and the like of where it is made. Effect 4: `Effect.context`, and
 * `Effect.runPromiseExitWith`.
 */
export const runner: Effect.Effect<(effect: Effect.Effect<unknown, unknown>) => Promise<unknown>> = Effect.map(
  Effect.runtime<never>(),
  (runtime) => (effect) => Runtime.runPromiseExit(runtime, effect)
)

/** The same, without an effect around it. */
export const runPlain: (effect: Effect.Effect<unknown, unknown>) => Promise<unknown> = Effect.runPromiseExit

/** What forks an effect for plain code, with the services of where it is made. Effect 4: `Effect.context`, and `Effect.runForkWith`. */
export const forker = <R>(): Effect.Effect<
  <A, E>(effect: Effect.Effect<A, E, R>) => Fiber.RuntimeFiber<A, E>,
  never,
  R
> => Effect.map(Effect.runtime<R>(), (runtime) => (effect) => Runtime.runFork(runtime, effect))

/** Reads a clock, in milliseconds. Effect 4: `clock.currentTimeMillisUnsafe()`. */
export const readClock = (clock: Clock.Clock): number => clock.unsafeCurrentTimeMillis()

/** What has failed, without the interruptions. Effect 4: `cause.reasons`. */
export const errorsOf = (cause: Cause.Cause<unknown>): ReadonlyArray<unknown> => [
  ...Cause.failures(cause),
  ...Cause.defects(cause)
]

/** What plain code does with a `Deferred`. Effect 4: `Deferred.doneUnsafe`, and the rest as here. */
export const sharedDeferred = <A, E>(deferred: Deferred.Deferred<A, E>) => ({
  settle: (exit: Exit.Exit<A, E>): boolean => Effect.runSync(Deferred.done(deferred, exit)),
  isSettled: (): boolean => Effect.runSync(Deferred.isDone(deferred)),
  onSettled: (f: (exit: Exit.Exit<A, E>) => void): void => {
    Effect.runCallback(Deferred.await(deferred), { onExit: f })
  }
})

/** Whether there is a defect. Effect 4: `Cause.hasDies`. */
export const hasDefect = Cause.isDie

/** A defect, and the interruption of whoever is to see it: what is a failure does not survive that. Effect 4: `Cause.combine`. */
export const dieInterrupted = (defect: unknown, interruption: Cause.Cause<never>): Cause.Cause<never> =>
  Cause.sequential(Cause.die(defect), interruption)

/**
 * What starts an effect as a fiber of its own, not before the present step has ended, with what the fiber has that asks for it here. Effect 4:
 * `Effect.context`, and `Effect.runForkWith`.
 */
export const laterForker = <R>(): Effect.Effect<(effect: Effect.Effect<unknown, never, R>) => void, never, R> =>
  Effect.map(Effect.runtime<R>(), (runtime) => (effect) => {
    Runtime.runFork(runtime, effect, { immediate: false })
  })

/**
 * What starts an effect as a fiber of its own at once, as far as it comes without waiting, with what the fiber has that asks for it here. It can be
 * interrupted, wherever that was: Effect's timeouts are interruptions. Effect 4: `Effect.context`, and `Effect.runForkWith`.
 */
export const starter = <R>(): Effect.Effect<(effect: Effect.Effect<unknown, never, R>) => void, never, R> =>
  Effect.map(Effect.runtime<R>(), (runtime) => {
    const interruptible = Runtime.enableRuntimeFlag(runtime, RuntimeFlags.Interruption)
    return (effect) => {
      Runtime.runFork(interruptible, effect)
    }
  })

/** How many fibers began inside each other, and had not come to their first wait. */
let begun = 0

/** Each has its part of the stack. */
const mostBegun = 100

/**
 * Starts an effect as a fiber of its own, like `forkDetached`, and at once, as far as it comes without waiting: for work that its caller waits for
 * anyway. Of many inside each other the innermost begin later, or the stack would overflow. Effect 4: `Effect.forkDetach` with `startImmediately`.
 */
export const forkDetachedNow = <A, E, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<Fiber.RuntimeFiber<A, E>, never, R> =>
  Effect.withFiberRuntime((fiber, { runtimeFlags }) => {
    const context = fiber.currentContext as Context.Context<R>
    const runtime = Runtime.make({ context, runtimeFlags, fiberRefs: fiber.getFiberRefs() })
    begun++
    try {
      return Effect.succeed(Runtime.runFork(runtime, effect, { immediate: begun <= mostBegun }))
    } finally {
      begun--
    }
  })

/** The same for plain code, with nothing but the defaults. Effect 4: `Effect.runFork`. */
export const runLater = (effect: Effect.Effect<unknown>): void => {
  Runtime.runFork(Runtime.defaultRuntime, effect, { immediate: false })
}

/** What rolls the dice that a fiber has, for plain code: from 0 to 1. Effect 4: `Effect.context`, and `Effect.runSyncWith`. */
export const dice: Effect.Effect<() => number> = Effect.map(
  Effect.runtime<never>(),
  (runtime) => () => Runtime.runSync(runtime, Random.next)
)

/** Runs an effect that does not wait for anything. */
export const runNow = <A, E>(effect: Effect.Effect<A, E>): Exit.Exit<A, E> => Effect.runSyncExit(effect)

/** Any fiber that runs, whatever comes of it. */
export type AnyFiber = Fiber.RuntimeFiber<any, any>

/** The clock that a fiber reads. Effect 4: `fiber.getRef(Clock)`. */
export const clockOf = (fiber: AnyFiber): Clock.Clock => Context.get(fiber.currentDefaultServices, Clock.Clock)

/** What runs a fiber. */
export const schedulerOf = (fiber: AnyFiber): Scheduler.Scheduler => fiber.currentScheduler

/** The clock and the scheduler of a program that names no other. Effect 4: the default values of the references. */
export const liveClock = (): Clock.Clock => Context.get(DefaultServices.liveServices, Clock.Clock)
export const liveScheduler = (): Scheduler.Scheduler => Scheduler.defaultScheduler

/** Reads a clock that only grows, in nanoseconds. Effect 4: `clock.currentTimeNanosUnsafe()`. */
export const readNanos = (clock: Clock.Clock): number => Number(clock.unsafeCurrentTimeNanos())

/** Sleeps on a clock, in a fiber of its own, and then calls a function. What it gives prevents that. Effect 4: `Effect.runFork`. */
export const sleepThen = (
  scheduler: Scheduler.Scheduler,
  clock: Clock.Clock,
  milliseconds: number,
  f: () => void
): (() => void) => {
  // Durations count nanoseconds. Less than half of one would be none, and a clock that only sleeps move would stand still.
  const sleep = clock.sleep(Duration.millis(Math.ceil(milliseconds * 1e6) / 1e6))
  const fiber = Runtime.runFork(Runtime.defaultRuntime, Effect.zipRight(sleep, Effect.sync(f)), { scheduler })
  return () => fiber.unsafeInterruptAsFork(FiberId.none)
}

/** What a fiber has of a service that has a default. Effect 4: `fiber.getRef(reference)`. */
export const referenceOf = <A>(fiber: AnyFiber, reference: Context.Reference<any, A>): A =>
  Context.get(fiber.currentContext as Context.Context<never>, reference)

/** The milliseconds since 1970 of an instant, if it is one. */
export const epochOf = (instant: unknown): number =>
  instant instanceof Date
    ? instant.getTime()
    : DateTime.isDateTime(instant)
      ? DateTime.toEpochMillis(instant)
      : (instant as number)

/** An instant. */
export type Instant = Date | DateTime.DateTime | number

/** What went wrong in a cause, each thing once, without the interruptions. Effect 4: a filter of `cause.reasons`. */
export const withoutInterruptions = <E>(cause: Cause.Cause<E>): Cause.Cause<E> =>
  [...new Set(Cause.failures(cause))]
    .map((error): Cause.Cause<E> => Cause.fail(error))
    .concat([...new Set(Cause.defects(cause))].map(Cause.die))
    .reduce((all, each) => (all === Cause.empty ? each : Cause.sequential(all, each)), Cause.empty)

/** What went wrong, and then the interruption of whoever is to see it. Effect 4: `Cause.combine`. */
export const andInterrupted = <E>(cause: Cause.Cause<E>, interruption: Cause.Cause<never>): Cause.Cause<E> =>
  Cause.sequential(cause, interruption)

/** A schedule from a step, which gives the next state, what comes out, and the milliseconds to wait; or none, to end. Effect 4: `Schedule.fromStep`. */
export const scheduleFrom = <S, In, Out, R>(
  initial: S,
  step: (
    input: In,
    state: S
  ) => Effect.Effect<{ readonly state: S; readonly out: Out; readonly delay: number | undefined }, never, R>
): Schedule.Schedule<Out, In, R> =>
  Schedule.makeWithState(initial, (now, input, state) =>
    Effect.map(step(input, state), ({ delay, out, state }) => [
      state,
      out,
      delay === undefined ? ScheduleDecision.done : ScheduleDecision.continueWith(ScheduleInterval.after(now + delay))
    ])
  )

/**
 * Runs an effect in the present step, as far as it comes, and gives its exit. One that has to wait is interrupted; what of its cleanup does not
 * wait is done then, too, and `later` hears how it ended when it has: here, or after the rest of it. Effect 4: `Effect.runForkWith` on a
 * `MixedScheduler`.
 */
export const runInPlace = <A, E>(
  effect: Effect.Effect<A, E>,
  later: (exit: Exit.Exit<A, E>) => void
): Exit.Exit<A, E> | undefined => {
  const scheduler = new Scheduler.SyncScheduler()
  const fiber = Runtime.runFork(Runtime.defaultRuntime, effect, { scheduler })
  scheduler.flush()
  const exit = fiber.unsafePoll()
  if (exit !== null) return exit
  // From its first flush on it hands everything to the default one. Not yet.
  scheduler.deferred = false
  fiber.unsafeInterruptAsFork(FiberId.none)
  scheduler.flush()
  fiber.addObserver(later)
  return undefined
}

/** The fiber whose step this is, if it is one of a fiber. Effect 4: `Fiber.getCurrent()`. */
export const currentFiber = (): AnyFiber | undefined => Option.getOrUndefined(Fiber.getCurrentFiber())
