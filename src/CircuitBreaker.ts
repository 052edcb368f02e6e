/**
 * A circuit breaker: what fails again and again is left alone for a while.
 *
 * `asyncio` has none. Against those that there are elsewhere: nothing counts that is older than the window, however long nobody called; a
 * call counts only in the state in which it began, so what was slow when the breaker opened does not decide about a sample later; who is
 * interrupted counts neither way, and leaves his place in the sample; nobody waits for the outcome of somebody else's call; and there is
 * no timer.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import { callable, record } from "./core/arguments.js"
import type { CircuitOpen } from "./core/breaker.js"
import * as core from "./core/breaker.js"
import { Circuit } from "./core/circuit.js"
import type * as outcomes from "./core/outcomes.js"
import type { Timekeeper } from "./core/timekeeper.js"
import { milliseconds } from "./internal/duration.js"
import {
  catchCause,
  clockOf,
  type DurationInput,
  isInterruptedOnly,
  laterForker,
  liveClock,
  readClock,
  runPlain,
  withFiber
} from "./internal/effect.js"
import { around, contentOf } from "./internal/parcel.js"
import { report } from "./internal/report.js"
import * as service from "./internal/service.js"
import { liveTimekeeper, timekeeperOf } from "./internal/timer.js"

export {
  /**
   * The breaker did not let the call through. `retryAfter` is in milliseconds.
   *
   * @since 0.1.0
   * @category errors
   */
  CircuitOpen
} from "./core/breaker.js"

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
 * Closed: calls are let through, and their outcomes counted. Open: they are refused. Half open: a sample of them is let through, whose
 * outcomes decide.
 *
 * @since 0.1.0
 * @category models
 */
export type State = core.Phase

/**
 * When a breaker opens: after so many failures in a row; when too many of the last calls have failed, or too many of those that have
 * ended in the last so much time.
 *
 * @since 0.1.0
 * @category models
 */
export type Trip = Consecutive | Count | Time

/**
 * After so many failures in a row.
 *
 * @since 0.1.0
 * @category models
 */
export interface Consecutive extends outcomes.Consecutive {}

/**
 * When too many of the last calls have failed. It remembers one byte for each.
 *
 * @since 0.1.0
 * @category models
 */
export interface Count extends outcomes.Count {}

/**
 * When too many of the calls of the last time have failed.
 *
 * **Details**: nothing counts any more from the moment on in which it is as old as the window. What ends within a thousandth of the
 * window is forgotten together, with the first of it; so it remembers a thousand and one numbers at most, however many calls there are.
 *
 * @since 0.1.0
 * @category models
 */
export interface Time extends Omit<outcomes.Time, "window"> {
  /** How long a call counts after its end: finite, and longer than none. */
  readonly window: DurationInput
}

/**
 * How a breaker is made.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<R = never> {
  /** For `CircuitOpen`, and for changes and reports. */
  readonly name?: string | undefined
  /** When it opens. Only a call that fails opens it. */
  readonly trip: Trip
  /** How it closes again. */
  readonly halfOpen: HalfOpen
  /** Whether what a call failed with, or died of, is a failure of what is called. Default: everything is. */
  readonly isFailure?: ((error: unknown) => boolean) | undefined
  /** Whether what a call gave is a failure: a response with status 503, say. The caller is given it all the same. Default: nothing is. */
  readonly isFailureResult?: ((value: any) => boolean) | undefined
  /**
   * Run for each change of the state: in the order of the changes, each in a fiber of its own that nobody waits for. When it fails, that is
   * reported.
   */
  readonly onStateChange?: ((change: Change) => Effect.Effect<unknown, unknown, R>) | undefined
}

/**
 * How a breaker closes again.
 *
 * @since 0.1.0
 * @category models
 */
export interface HalfOpen {
  /** How long it stays open; it is half open for the first who comes after that. Finite. */
  readonly after: DurationInput | Growing
  /** How many calls it then lets through: an integer, 1 or more. Default 1. Who is interrupted leaves his place to another. */
  readonly sample?: number | undefined
  /**
   * How many of them have to succeed for it to close: an integer from 1 to the sample. When that cannot be any more, it opens again.
   * Default: all.
   */
  readonly successes?: number | undefined
}

/**
 * A time that grows with each opening, until the breaker has closed.
 *
 * @since 0.1.0
 * @category models
 */
export interface Growing {
  /** The first time. Finite. */
  readonly base: DurationInput
  /** How many times as long the next is: 1 or more. Default 2. */
  readonly factor?: number | undefined
  /** It does not get longer than this. Default: ten times the base. */
  readonly cap?: DurationInput | undefined
}

/**
 * A change of the state, and in how many milliseconds calls are let through then.
 *
 * @since 0.1.0
 * @category models
 */
export interface Change extends core.Change {}

/**
 * What a breaker knows, as data that can be saved as JSON. Instants are those of the calendar, in milliseconds since 1970.
 *
 * @since 0.1.0
 * @category models
 */
export interface Snapshot extends core.Snapshot {}

/**
 * A frozen snapshot of the numbers.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats extends core.Stats {}

/**
 * A circuit breaker.
 *
 * **When to use**: around calls to something that may be down, so that it is left alone until it has recovered, and callers need not wait
 * for what will fail. Give the work a time limit inside of it: what never ends has no outcome.
 *
 * **Details**: a call is let through, or fails at once with `CircuitOpen`; nobody waits. It counts when it ends, and only if the breaker
 * has not changed its state meanwhile. Typed failures and defects are failures, unless `isFailure` says otherwise. A function of the
 * options that throws makes the call die with that, and not count. Time per call is constant, and so is memory. The clock is that of
 * where the breaker was made.
 *
 * **Interruption**: a call that is interrupted counts neither way. It leaves its place in a sample.
 *
 * @example
 * import { CircuitBreaker } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const breaker = yield* CircuitBreaker.make({
 *     name: "mail",
 *     trip: { kind: "consecutive", failures: 2 },
 *     halfOpen: { after: "1 minute" }
 *   })
 *   const send = Effect.fail("no route").pipe(
 *     breaker.protect,
 *     Effect.catchTag("CircuitOpen", ({ breaker }) => Effect.fail(`${breaker} is left alone`)),
 *     Effect.flip
 *   )
 *   return [yield* send, yield* send, yield* send, yield* breaker.state]
 * })
 *
 * console.log(await Effect.runPromise(program)) // => [ 'no route', 'no route', 'mail is left alone', 'open' ]
 *
 * @since 0.1.0
 * @category models
 */
export interface CircuitBreaker {
  readonly [TypeId]: Circuit

  /** Runs an effect, or fails with `CircuitOpen`. */
  protect<A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | CircuitOpen, R>

  /** The state as the next call will find it. */
  readonly state: Effect.Effect<State>

  /**
   * Opens it by hand, for as long as the options say, or so long; Infinity: until it is reset. When its time was over it was half open in
   * between, and `onStateChange` is told of both.
   */
  trip(duration?: DurationInput): Effect.Effect<void>

  /** Closes it by hand. It forgets what it remembers; calls that are under way do not count any more. */
  readonly reset: Effect.Effect<void>

  /** What it knows, to be saved as JSON. */
  readonly snapshot: Effect.Effect<Snapshot>

  /**
   * Takes over what was saved, as if the time in between had passed here. Calls that are under way do not count any more. What was
   * remembered for another kind of rule is left out. A defect, and nothing has changed, when it is no snapshot.
   */
  restore(snapshot: Snapshot): Effect.Effect<void>

  /** A frozen snapshot of the numbers. */
  readonly stats: Effect.Effect<Stats>
}

class CircuitBreakerImpl implements CircuitBreaker {
  readonly [TypeId]: Circuit
  readonly state: CircuitBreaker["state"]
  readonly reset: CircuitBreaker["reset"]
  readonly snapshot: CircuitBreaker["snapshot"]
  readonly stats: CircuitBreaker["stats"]

  constructor(circuit: Circuit) {
    this[TypeId] = circuit
    this.state = Effect.sync(() => circuit.phase())
    this.reset = Effect.sync(() => circuit.reset())
    this.snapshot = Effect.sync(() => circuit.snapshot())
    this.stats = Effect.sync(() => circuit.stats())
  }

  readonly protect = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | CircuitOpen, R> =>
    around(self, (self) => this.run(self))

  private readonly run = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | CircuitOpen, R> =>
    Effect.uninterruptibleMask((restore): Effect.Effect<A, E | CircuitOpen, R> => {
      const circuit = this[TypeId]
      const epoch = circuit.begin()
      if (typeof epoch !== "number") return Effect.fail(epoch)
      return Effect.matchCauseEffect(restore(self), {
        onFailure: (cause) => {
          if (isInterruptedOnly(cause)) circuit.leave(epoch)
          else circuit.failed(epoch, Cause.squash(cause))
          return Effect.failCause(cause)
        },
        onSuccess: (value) => {
          circuit.succeeded(epoch, contentOf(value))
          return Effect.succeed(value)
        }
      })
    })

  readonly trip = (duration?: DurationInput): Effect.Effect<void> =>
    Effect.sync(() =>
      this[TypeId].trip(duration === undefined ? undefined : milliseconds("CircuitBreaker.trip", "duration", duration))
    )

  readonly restore = (snapshot: Snapshot): Effect.Effect<void> =>
    Effect.sync(() => this[TypeId].restore("CircuitBreaker.restore", snapshot))
}

const where = "CircuitBreaker.make"

const isGrowing = (after: unknown): after is Growing => typeof after === "object" && after !== null && "base" in after

/** The options with durations in milliseconds. What is no object, the core refuses. */
const inMilliseconds = (options: Options<any>): core.Options => {
  const { halfOpen, name, trip } = record(where, options)
  return {
    name,
    trip: trip?.kind === "time" ? { ...trip, window: milliseconds(where, "window", trip.window) } : trip,
    halfOpen: typeof halfOpen === "object" && halfOpen !== null ? { ...halfOpen, after: afterOf(halfOpen) } : halfOpen
  }
}

const afterOf = ({ after }: HalfOpen): core.HalfOpen["after"] =>
  isGrowing(after)
    ? {
        base: milliseconds(where, "base", after.base),
        factor: after.factor,
        cap: after.cap === undefined ? undefined : milliseconds(where, "cap", after.cap)
      }
    : milliseconds(where, "after", after)

const made = <R>(
  options: Options<R>,
  time: Timekeeper,
  wall: () => number,
  run: (effect: Effect.Effect<void, never, R>) => unknown
): CircuitBreaker => {
  const initial = core.make(where, inMilliseconds(options))
  const { isFailure, isFailureResult, onStateChange } = options
  for (const [name, f] of Object.entries({ isFailure, isFailureResult, onStateChange }))
    if (f !== undefined) callable(where, name, f)
  const changed =
    onStateChange &&
    ((change: Change): void => {
      run(
        catchCause(Effect.interruptible(Effect.suspend(() => Effect.asVoid(onStateChange(change)))), (cause) =>
          report({
            where: "CircuitBreaker.onStateChange",
            name: change.name,
            message: "a callback failed",
            cause
          })
        )
      )
    })
  const source = { now: () => time.now(), wall }
  return new CircuitBreakerImpl(new Circuit(initial, source, { isFailure, isFailureResult }, changed))
}

/**
 * Makes a breaker, without an effect around it, on the platform's clock.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeUnsafe = (options: Options): CircuitBreaker => {
  const clock = liveClock()
  return made(options, liveTimekeeper(), () => readClock(clock), runPlain)
}

/**
 * Makes a breaker, on the clock of where it is made. What `onStateChange` needs is taken from there, too. Options that make no sense are
 * a defect with a `RangeError` or a `TypeError`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <R = never>(options: Options<R>): Effect.Effect<CircuitBreaker, never, R> =>
  Effect.flatMap(laterForker<R>(), (fork) =>
    withFiber((fiber) => {
      const clock = clockOf(fiber)
      return Effect.sync(() => made(options, timekeeperOf(fiber), () => readClock(clock), fork))
    })
  )

/**
 * Runs an effect, or fails with `CircuitOpen`. See {@link CircuitBreaker}.
 *
 * @since 0.1.0
 * @category combinators
 */
export const protect: {
  (breaker: CircuitBreaker): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | CircuitOpen, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, breaker: CircuitBreaker): Effect.Effect<A, E | CircuitOpen, R>
} = dual(2, <A, E, R>(self: Effect.Effect<A, E, R>, breaker: CircuitBreaker) => breaker.protect(self))

/**
 * The state as the next call will find it. See {@link CircuitBreaker}.
 *
 * @since 0.1.0
 * @category operations
 */
export const state = (self: CircuitBreaker): Effect.Effect<State> => self.state

/**
 * Opens a breaker by hand. See {@link CircuitBreaker}.
 *
 * @since 0.1.0
 * @category operations
 */
export const trip = (self: CircuitBreaker, duration?: DurationInput): Effect.Effect<void> => self.trip(duration)

/**
 * Closes a breaker by hand. See {@link CircuitBreaker}.
 *
 * @since 0.1.0
 * @category operations
 */
export const reset = (self: CircuitBreaker): Effect.Effect<void> => self.reset

/**
 * What a breaker knows, to be saved as JSON. See {@link CircuitBreaker}.
 *
 * @since 0.1.0
 * @category operations
 */
export const snapshot = (self: CircuitBreaker): Effect.Effect<Snapshot> => self.snapshot

/**
 * Takes over what was saved. See {@link CircuitBreaker}.
 *
 * @since 0.1.0
 * @category operations
 */
export const restore = (self: CircuitBreaker, snapshot: Snapshot): Effect.Effect<void> => self.restore(snapshot)

/**
 * A frozen snapshot of the numbers. See {@link CircuitBreaker}.
 *
 * @since 0.1.0
 * @category operations
 */
export const stats = (self: CircuitBreaker): Effect.Effect<Stats> => self.stats

/**
 * A service class: a tag, its layer, and the operations of a `CircuitBreaker` on whichever breaker is provided.
 *
 * @since 0.1.0
 * @category services
 */
export interface ServiceClass<Self, Id extends string, E = never, R = never> extends service.ServiceClass<
  Self,
  Id,
  CircuitBreaker,
  E,
  R
> {
  readonly protect: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | CircuitOpen, R | Self>
  readonly state: Effect.Effect<State, never, Self>
  readonly trip: (duration?: DurationInput) => Effect.Effect<void, never, Self>
  readonly reset: Effect.Effect<void, never, Self>
  readonly snapshot: Effect.Effect<Snapshot, never, Self>
  readonly restore: (snapshot: Snapshot) => Effect.Effect<void, never, Self>
  readonly stats: Effect.Effect<Stats, never, Self>
}

/**
 * A breaker as a service.
 *
 * **Details**: the options are checked when the layer is built. They may also be an effect that finds them out then, such as a `Config`.
 *
 * @example
 * import { CircuitBreaker } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * class Mail extends CircuitBreaker.Service<Mail>()("app/Mail", {
 *   trip: { kind: "time", window: "10 seconds", rate: 0.5, minimum: 20 },
 *   halfOpen: { after: { base: "1 second", cap: "1 minute" }, sample: 3 }
 * }) {}
 *
 * const program = Effect.succeed("sent").pipe(Mail.protect)
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(Mail.layer)))) // => sent
 *
 * @since 0.1.0
 * @category services
 */
export const Service =
  <Self>() =>
  <const Id extends string, E = never, R = never, RC = never>(
    id: Id,
    options: service.Options<Options<RC>, E, R>
  ): ServiceClass<Self, Id, E, R | RC> =>
    service.make(id, Effect.flatMap(service.options(options), make), {
      properties: ["state", "reset", "snapshot", "stats"],
      methods: ["trip", "restore"],
      wrapper: ["protect"]
    })
