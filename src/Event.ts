/**
 * An event: a flag that effects wait for.
 *
 * It corresponds to `asyncio.Event`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as core from "./core/event.js"
import { wake } from "./core/ticket.js"
import { FiberTicket, park } from "./internal/park.js"
import * as service from "./internal/service.js"

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
 * A frozen snapshot.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats extends core.Stats {}

/**
 * A flag that is set or not, and those who wait for it to be set.
 *
 * **When to use**: to start several fibers at once, or to tell them that something has happened, when they need no value with it. For a
 * value, use Effect's `Deferred`; to wait until some state is as it should be, `Condition`.
 *
 * **Details**: who waits when the flag is set is woken, even if it is cleared in the same tick; who comes after that waits. Waking
 * takes time for those who wait and for nobody else.
 *
 * **Interruption**: a waiter that is interrupted leaves at once, and nobody else notices.
 *
 * **Fairness**: waiters are woken in order of arrival.
 *
 * @example
 * import { Event } from "effect-concurrency"
 * import { Effect, Fiber } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const started = yield* Event.make()
 *   const runner = yield* Effect.fork(Effect.as(started.wait, "off they go"))
 *   yield* started.set
 *   return yield* Fiber.join(runner)
 * })
 *
 * console.log(await Effect.runPromise(program)) // => off they go
 *
 * @since 0.1.0
 * @category models
 */
export interface Event {
  readonly [TypeId]: core.State

  /** Waits until the flag is set; with a flag that is set, does not wait. */
  readonly wait: Effect.Effect<void>

  /** Sets the flag and wakes all who wait. */
  readonly set: Effect.Effect<void>

  /** Clears the flag. Who was woken stays woken. */
  readonly clear: Effect.Effect<void>

  /** Wakes all who wait now, and leaves the flag as it is. */
  readonly pulse: Effect.Effect<void>

  /** Whether the flag is set. */
  readonly isSet: Effect.Effect<boolean>

  /** A frozen snapshot. */
  readonly stats: Effect.Effect<Stats>
}

class EventImpl implements Event {
  readonly [TypeId]: core.State
  readonly wait: Event["wait"]
  readonly set: Event["set"]
  readonly clear: Event["clear"]
  readonly pulse: Event["pulse"]
  readonly isSet: Event["isSet"]
  readonly stats: Event["stats"]

  constructor(state: core.State) {
    this[TypeId] = state
    this.wait = Effect.uninterruptibleMask((restore) => {
      if (state.isSet) return Effect.void
      const ticket = new FiberTicket<undefined, undefined>(undefined, 0, "an event to be set")
      core.enqueue(state, ticket)
      return park(
        restore,
        ticket,
        () => core.cancel(state, ticket),
        () => Effect.void
      )
    })
    this.set = Effect.sync(() => wake(core.set(state)))
    this.clear = Effect.sync(() => core.clear(state))
    this.pulse = Effect.sync(() => wake(core.pulse(state)))
    this.isSet = Effect.sync(() => state.isSet)
    this.stats = Effect.sync(() => core.stats(state))
  }
}

/**
 * Makes an event that is not set, without an effect around it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeUnsafe = (): Event => new EventImpl(core.make())

/**
 * Makes an event that is not set.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (): Effect.Effect<Event> => Effect.sync(makeUnsafe)

/**
 * Waits until the flag is set. See {@link Event}.
 *
 * @since 0.1.0
 * @category operations
 */
export const wait = (self: Event): Effect.Effect<void> => self.wait

/**
 * Sets the flag and wakes all who wait. See {@link Event}.
 *
 * @since 0.1.0
 * @category operations
 */
export const set = (self: Event): Effect.Effect<void> => self.set

/**
 * Clears the flag. See {@link Event}.
 *
 * @since 0.1.0
 * @category operations
 */
export const clear = (self: Event): Effect.Effect<void> => self.clear

/**
 * Wakes all who wait now, and leaves the flag as it is. See {@link Event}.
 *
 * @since 0.1.0
 * @category operations
 */
export const pulse = (self: Event): Effect.Effect<void> => self.pulse

/**
 * Whether the flag is set. See {@link Event}.
 *
 * @since 0.1.0
 * @category operations
 */
export const isSet = (self: Event): Effect.Effect<boolean> => self.isSet

/**
 * A frozen snapshot. See {@link Event}.
 *
 * @since 0.1.0
 * @category operations
 */
export const stats = (self: Event): Effect.Effect<Stats> => self.stats

/**
 * A service class: a tag, its layer, and the operations of an `Event` on whichever event is provided.
 *
 * @since 0.1.0
 * @category services
 */
export interface ServiceClass<Self, Id extends string> extends service.ServiceClass<Self, Id, Event, never, never> {
  readonly wait: Effect.Effect<void, never, Self>
  readonly set: Effect.Effect<void, never, Self>
  readonly clear: Effect.Effect<void, never, Self>
  readonly pulse: Effect.Effect<void, never, Self>
  readonly isSet: Effect.Effect<boolean, never, Self>
  readonly stats: Effect.Effect<Stats, never, Self>
}

/**
 * An event as a service.
 *
 * @example
 * import { Event } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * class Ready extends Event.Service<Ready>()("app/Ready") {}
 *
 * const program = Effect.zipRight(Ready.set, Ready.isSet)
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(Ready.layer)))) // => true
 *
 * @since 0.1.0
 * @category services
 */
export const Service =
  <Self>() =>
  <const Id extends string>(id: Id): ServiceClass<Self, Id> =>
    service.make(id, make(), { properties: ["wait", "set", "clear", "pulse", "isSet", "stats"] })
