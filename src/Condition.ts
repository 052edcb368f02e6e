/**
 * A condition variable: waiting, inside a lock, for somebody else to change what the lock protects.
 *
 * It corresponds to `asyncio.Condition` as of Python 3.13.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import { callable, integer, refusal } from "./core/arguments.js"
import * as core from "./core/condition.js"
import * as mutex from "./core/mutex.js"
import type { Grant } from "./core/semaphore.js"
import { wake } from "./core/ticket.js"
import { FiberTicket, park, untilForgotten } from "./internal/park.js"
import * as permits from "./internal/permits.js"
import * as service from "./internal/service.js"
import type { Mutex } from "./Mutex.js"

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
 * What to wait for: a function that looks at the state, or an effect that does.
 *
 * @since 0.1.0
 * @category models
 */
export type Predicate<E = never, R = never> = (() => boolean) | Effect.Effect<boolean, E, R>

/**
 * A lock, and those who wait inside it for a notification.
 *
 * **When to use**: when effects have to wait until state that they share is as they need it, and `WorkQueue`, `Event` and `Barrier` are not
 * that already.
 *
 * **Details**: `wait` and `notify` are for inside `withLock`; without the lock they are a defect, and nothing has changed. (That
 * somebody holds it is checked, not that it is you.) `wait` gives the lock up and has it again when it returns. A notification does not
 * say that the state still is as it was then: use `waitFor`, which looks again. The order in which it looks is that of asyncio: at once, and
 * after each notification.
 *
 * **Interruption**: a wait that is interrupted takes the lock again before it ends, so that what follows in `withLock` runs with it;
 * until the lock is free it cannot end. If it had been notified, the next waiter is notified instead. Once the wait has ended the
 * notification is used up, also when the fiber is interrupted before it did anything with it: what must happen then belongs into an
 * `Effect.onInterrupt`, or every notification is a `notifyAll`.
 *
 * **Fairness**: waiters are notified in order of arrival, and then get the lock in that order, behind whoever waits for it already.
 *
 * @example
 * import { Condition } from "effect-concurrency"
 * import { Effect, Fiber } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const changed = yield* Condition.make()
 *   let money = 0
 *   const buy = changed.waitFor(() => money >= 3).pipe(
 *     Effect.map(() => (money -= 3)),
 *     changed.withLock
 *   )
 *   const earn = Effect.zipRight(Effect.sync(() => money++), changed.notifyAll).pipe(changed.withLock)
 *   const buyer = yield* Effect.fork(buy)
 *   yield* Effect.repeatN(earn, 3)
 *   return yield* Fiber.join(buyer)
 * })
 *
 * console.log(await Effect.runPromise(program)) // => 0
 *
 * @since 0.1.0
 * @category models
 */
export interface Condition {
  readonly [TypeId]: core.State

  /** Runs an effect with the lock. */
  readonly withLock: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

  /** Gives the lock up, waits to be notified, and takes the lock again. */
  readonly wait: Effect.Effect<void>

  /** Waits until the predicate holds. It is asked with the lock held, at once and after each notification. */
  waitFor<E = never, R = never>(predicate: Predicate<E, R>): Effect.Effect<void, E, R>

  /** Notifies the first n of those who wait, by default one. They go on when they get the lock. */
  notify(n?: number): Effect.Effect<void>

  /** Notifies all who wait. */
  readonly notifyAll: Effect.Effect<void>

  /** A frozen snapshot. */
  readonly stats: Effect.Effect<Stats>
}

class ConditionImpl implements Condition {
  readonly [TypeId]: core.State
  readonly withLock: Condition["withLock"]
  /** Waits; gives what is to be called once the notification is used. Until then it passes on when the fiber ends. */
  private readonly notified: Effect.Effect<() => void>
  readonly wait: Condition["wait"]
  readonly notifyAll: Condition["notifyAll"]
  readonly stats: Condition["stats"]

  constructor(state: core.State) {
    this[TypeId] = state
    this.withLock = (self) => permits.hold("Condition.withLock", state.lock, 1, undefined, self)
    this.notified = Effect.uninterruptibleMask((restore) => {
      core.checkLocked("Condition.wait", state)
      const ticket = new FiberTicket<number, Grant>(1, 0, "a notification of a condition, or its lock")
      wake(core.wait(state, ticket))
      return Effect.onError(
        park(
          restore,
          ticket,
          () => core.cancel(state, ticket),
          () => untilForgotten(() => core.passOn(state))
        ),
        () => ticket.settlement
      )
    })
    this.wait = Effect.flatMap(this.notified, Effect.sync)
    this.notifyAll = Effect.sync(() => {
      core.checkLocked("Condition.notifyAll", state)
      core.notify(state, Infinity)
    })
    this.stats = Effect.sync(() => core.stats(state))
  }

  readonly waitFor = <E = never, R = never>(predicate: Predicate<E, R>): Effect.Effect<void, E, R> => {
    const state = this[TypeId]
    const look = Effect.suspend((): Effect.Effect<boolean, E, R> => {
      if (Effect.isEffect(predicate)) return predicate
      return Effect.succeed(callable("Condition.waitFor", "predicate", predicate)())
    })
    const again: Effect.Effect<void, E, R> = Effect.flatMap(this.notified, (forget) =>
      Effect.flatMap(
        Effect.onError(look, () =>
          Effect.sync(() => {
            forget()
            wake(core.passOn(state))
          })
        ),
        (holds) => {
          if (holds) return Effect.sync(forget)
          forget()
          return again
        }
      )
    )
    return Effect.flatMap(look, (holds) => (holds ? Effect.void : again))
  }

  readonly notify = (n = 1): Effect.Effect<void> => {
    const state = this[TypeId]
    return Effect.sync(() => {
      integer("Condition.notify", "n", n, 0)
      core.checkLocked("Condition.notify", state)
      core.notify(state, n)
    })
  }
}

/**
 * Makes a condition with a lock of its own, or with one that it shares, without an effect around it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeUnsafe = (lock?: Mutex): Condition => {
  if (lock === undefined) return new ConditionImpl(core.make(mutex.make()))
  const state = lock?.[mutex.TypeId]
  if (state === undefined) throw refusal("Condition.make", "mutex", "a Mutex", lock)
  return new ConditionImpl(core.make(state))
}

/**
 * Makes a condition with a lock of its own, or with one that it shares.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (lock?: Mutex): Effect.Effect<Condition> => Effect.sync(() => makeUnsafe(lock))

/**
 * Runs an effect with the lock. See {@link Condition}.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withLock: {
  (condition: Condition): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, condition: Condition): Effect.Effect<A, E, R>
} = dual(2, <A, E, R>(self: Effect.Effect<A, E, R>, condition: Condition) => condition.withLock(self))

/**
 * Gives the lock up, waits to be notified, and takes the lock again. See {@link Condition}.
 *
 * @since 0.1.0
 * @category operations
 */
export const wait = (self: Condition): Effect.Effect<void> => self.wait

/**
 * Waits until the predicate holds. See {@link Condition}.
 *
 * @since 0.1.0
 * @category operations
 */
export const waitFor: {
  <E = never, R = never>(predicate: Predicate<E, R>): (self: Condition) => Effect.Effect<void, E, R>
  <E = never, R = never>(self: Condition, predicate: Predicate<E, R>): Effect.Effect<void, E, R>
} = dual(2, <E, R>(self: Condition, predicate: Predicate<E, R>) => self.waitFor(predicate))

/**
 * Notifies the first n of those who wait, by default one. See {@link Condition}.
 *
 * @since 0.1.0
 * @category operations
 */
export const notify = (self: Condition, n?: number): Effect.Effect<void> => self.notify(n)

/**
 * Notifies all who wait. See {@link Condition}.
 *
 * @since 0.1.0
 * @category operations
 */
export const notifyAll = (self: Condition): Effect.Effect<void> => self.notifyAll

/**
 * A frozen snapshot. See {@link Condition}.
 *
 * @since 0.1.0
 * @category operations
 */
export const stats = (self: Condition): Effect.Effect<Stats> => self.stats

/**
 * A service class: a tag, its layer, and the operations of a `Condition` on whichever condition is provided.
 *
 * @since 0.1.0
 * @category services
 */
export interface ServiceClass<Self, Id extends string> extends service.ServiceClass<Self, Id, Condition, never, never> {
  readonly withLock: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R | Self>
  readonly wait: Effect.Effect<void, never, Self>
  readonly waitFor: <E = never, R = never>(predicate: Predicate<E, R>) => Effect.Effect<void, E, R | Self>
  readonly notify: (n?: number) => Effect.Effect<void, never, Self>
  readonly notifyAll: Effect.Effect<void, never, Self>
  readonly stats: Effect.Effect<Stats, never, Self>
}

/**
 * A condition as a service.
 *
 * @example
 * import { Condition } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * class Changed extends Condition.Service<Changed>()("app/Changed") {}
 *
 * const program = Changed.waitFor(() => true).pipe(Changed.withLock, Effect.as("it holds"))
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(Changed.layer)))) // => it holds
 *
 * @since 0.1.0
 * @category services
 */
export const Service =
  <Self>() =>
  <const Id extends string>(id: Id): ServiceClass<Self, Id> =>
    service.make(id, make(), {
      properties: ["wait", "notifyAll", "stats"],
      methods: ["waitFor", "notify"],
      wrapper: ["withLock"]
    })
