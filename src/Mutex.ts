/**
 * A mutex: one at a time, first come, first served.
 *
 * It corresponds to `asyncio.Lock`, with one difference: there is no `release` that anybody could call. A lock is released by what took
 * it: the end of an effect, a scope, or, in the facade, a lease.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as core from "./core/mutex.js"
import * as semaphore from "./core/semaphore.js"
import * as permits from "./internal/permits.js"
import * as service from "./internal/service.js"
import type * as Semaphore from "./Semaphore.js"

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
 * A frozen snapshot: a mutex has a capacity of 1.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats extends Semaphore.Stats {}

/**
 * How a request is made.
 *
 * @since 0.1.0
 * @category models
 */
export interface RequestOptions extends Semaphore.RequestOptions {}

/**
 * A lock that one effect holds at a time.
 *
 * **When to use**: to keep others out while an effect does several things that belong together. If what it protects is one value,
 * `Guarded` keeps the value and the lock together.
 *
 * **Details**: it is not reentrant. An effect that asks for a lock that it holds waits for itself, for ever: in code where one task may
 * be many fibers, nobody can say which of them "the owner" is. Split the work so that what runs inside does not lock.
 *
 * **Interruption**: a waiter that is interrupted leaves at once. One that was granted the lock in the same tick hands it on.
 *
 * **Fairness**: strict order of arrival within a priority; nobody overtakes, not even who has just released.
 *
 * @example
 * import { Mutex } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const mutex = yield* Mutex.make()
 *   let balance = 100
 *   const withdraw = (amount: number) =>
 *     Effect.gen(function* () {
 *       const seen = balance
 *       yield* Effect.yieldNow()
 *       balance = seen - amount
 *     }).pipe(mutex.withLock)
 *   yield* Effect.all([withdraw(10), withdraw(20), withdraw(30)], { concurrency: "unbounded" })
 *   return balance
 * })
 *
 * console.log(await Effect.runPromise(program)) // => 40
 *
 * @see `Semaphore` for more than one at a time.
 *
 * @since 0.1.0
 * @category models
 */
export interface Mutex {
  readonly [TypeId]: core.State

  /** Runs an effect with the lock, which is released however it ends. */
  readonly withLock: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

  /** Runs an effect with the lock if that is free and nobody waits for it; otherwise gives `None`. */
  readonly withLockIfAvailable: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<Option.Option<A>, E, R>

  /** Runs an effect with the lock, asking for it with a priority: higher goes first. */
  withLockPriority(priority: number): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

  /** Takes the lock for the rest of the scope. */
  acquire(options?: RequestOptions): Effect.Effect<void, never, Scope.Scope>

  /** Whether somebody holds the lock. */
  readonly isLocked: Effect.Effect<boolean>

  /** A frozen snapshot. */
  readonly stats: Effect.Effect<Stats>
}

class MutexImpl implements Mutex {
  readonly [TypeId]: core.State
  readonly withLock: Mutex["withLock"]
  readonly withLockPriority: Mutex["withLockPriority"]
  readonly withLockIfAvailable: Mutex["withLockIfAvailable"]
  readonly acquire: Mutex["acquire"]
  readonly isLocked: Mutex["isLocked"]
  readonly stats: Mutex["stats"]

  constructor(state: core.State) {
    this[TypeId] = state
    this.withLock = (self) => permits.hold("Mutex.withLock", state, 1, undefined, self)
    this.withLockIfAvailable = (self) => permits.holdIfAvailable("Mutex.withLockIfAvailable", state, 1, undefined, self)
    this.withLockPriority = (priority) => (self) => permits.hold("Mutex.withLockPriority", state, 1, { priority }, self)
    this.acquire = (options) => permits.acquire("Mutex.acquire", state, 1, options)
    this.isLocked = Effect.sync(() => core.isLocked(state))
    this.stats = Effect.sync(() => semaphore.stats(state))
  }
}

/**
 * Makes a free lock, without an effect around it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeUnsafe = (): Mutex => new MutexImpl(core.make())

/**
 * Makes a free lock.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (): Effect.Effect<Mutex> => Effect.sync(makeUnsafe)

/**
 * Runs an effect with the lock. See {@link Mutex}.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withLock: {
  (mutex: Mutex): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, mutex: Mutex): Effect.Effect<A, E, R>
} = dual(2, <A, E, R>(self: Effect.Effect<A, E, R>, mutex: Mutex) => mutex.withLock(self))

/**
 * Runs an effect with the lock, asking for it with a priority. See {@link Mutex}.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withLockPriority: {
  (mutex: Mutex, priority: number): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, mutex: Mutex, priority: number): Effect.Effect<A, E, R>
} = dual(3, <A, E, R>(self: Effect.Effect<A, E, R>, mutex: Mutex, priority: number) =>
  mutex.withLockPriority(priority)(self)
)

/**
 * Runs an effect with the lock if that is to be had at once. See {@link Mutex}.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withLockIfAvailable: {
  (mutex: Mutex): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<Option.Option<A>, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, mutex: Mutex): Effect.Effect<Option.Option<A>, E, R>
} = dual(2, <A, E, R>(self: Effect.Effect<A, E, R>, mutex: Mutex) => mutex.withLockIfAvailable(self))

/**
 * Takes the lock for the rest of the scope. See {@link Mutex}.
 *
 * @since 0.1.0
 * @category operations
 */
export const acquire = (self: Mutex, options?: RequestOptions): Effect.Effect<void, never, Scope.Scope> =>
  self.acquire(options)

/**
 * Whether somebody holds the lock. See {@link Mutex}.
 *
 * @since 0.1.0
 * @category operations
 */
export const isLocked = (self: Mutex): Effect.Effect<boolean> => self.isLocked

/**
 * A frozen snapshot. See {@link Mutex}.
 *
 * @since 0.1.0
 * @category operations
 */
export const stats = (self: Mutex): Effect.Effect<Stats> => self.stats

/**
 * A service class: a tag, its layer, and the operations of a `Mutex` on whichever mutex is provided.
 *
 * @since 0.1.0
 * @category services
 */
export interface ServiceClass<Self, Id extends string> extends service.ServiceClass<Self, Id, Mutex, never, never> {
  readonly withLock: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R | Self>
  readonly withLockPriority: (
    priority: number
  ) => <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R | Self>
  readonly withLockIfAvailable: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<Option.Option<A>, E, R | Self>
  readonly acquire: (options?: RequestOptions) => Effect.Effect<void, never, Self | Scope.Scope>
  readonly isLocked: Effect.Effect<boolean, never, Self>
  readonly stats: Effect.Effect<Stats, never, Self>
}

/**
 * A mutex as a service.
 *
 * @example
 * import { Mutex } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * class LedgerLock extends Mutex.Service<LedgerLock>()("app/LedgerLock") {}
 *
 * const program = Effect.succeed("booked").pipe(LedgerLock.withLock)
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(LedgerLock.layer)))) // => booked
 *
 * @since 0.1.0
 * @category services
 */
export const Service =
  <Self>() =>
  <const Id extends string>(id: Id): ServiceClass<Self, Id> =>
    service.make(id, make(), {
      properties: ["isLocked", "stats"],
      methods: ["acquire"],
      wrapper: ["withLock", "withLockIfAvailable"],
      wrappers: ["withLockPriority"]
    })
