/**
 * A mutex for several machines: one at a time, wherever they run.
 *
 * `asyncio` has none. It is `Mutex` with what memory cannot lose and a network can: a lock is held on a lease, which is renewed while the work
 * goes on, and which can be lost. So its operations can fail with `LeaseLost` and with `StoreError`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { LeaseLost } from "../core/lease.js"
import * as core from "../core/lessor.js"
import { StoreError } from "../core/storeError.js"
import * as lessor from "../internal/lessor.js"
import * as service from "../internal/service.js"
import * as leases from "./Lease.js"
import { LeaseStore, type LeaseStoreShape } from "./LeaseStore.js"

export {
  /**
   * The lock was lost while it was held: it was not renewed in time, or the store does not know it any more.
   *
   * @since 0.1.0
   * @category errors
   */
  LeaseLost,
  /**
   * The store could not be asked, or could not answer.
   *
   * @since 0.1.0
   * @category errors
   */
  StoreError
}

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: TypeId = core.MutexTypeId

/**
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = core.MutexTypeId

/**
 * How locks are held: how long a lease is, how often to ask while waiting, and what the names are put under.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends leases.Options {}

/**
 * A lock that is held: with a fencing `token`, and with what tells of its loss.
 *
 * @since 0.1.0
 * @category models
 */
export interface Lease extends leases.Lease {}

/**
 * A frozen snapshot of this process.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats extends core.Stats {}

/** What works with a lock: an effect, or a function that is told of the lease. */
type Body<A, E, R> = (lease: Lease) => Effect.Effect<A, E, R>

/**
 * Locks by name, each of which one effect holds at a time, of all processes that share a store.
 *
 * **When to use**: to do something in one place at a time although many could: a nightly job, a migration, a leader. If it must *never* happen
 * twice at the same time, hand the token of the lease to the resource, and let that check it: see {@link leases.Lease}. Within one process, use
 * `Mutex`.
 *
 * **Details**: what is promised:
 *
 * - Who holds a lock has it until he lets go, as long as he can reach the store at least once within a lease. A holder that dies is waited for
 *   until its lease ends.
 * - Nobody else can let go of it.
 * - Each grant has a token that is larger than those before, also when the store has lost its data meanwhile (as long as its clock does not go
 *   back).
 * - A holder that cannot renew its lease finds out by its own clock: what works inside `withLock` is interrupted, and the caller gets `LeaseLost`.
 *   So does the holder that finds out later, because its event loop was blocked or its process was stopped: as soon as it lets the event loop
 *   turn. Steps that follow without waiting for anything still run; before what matters, ask `lease.check`, and hand on the token.
 * - The clocks of the processes do not matter: instants are never compared, and the store uses its own clock.
 *
 * What is not promised: that two never run at the same time. A process can be stopped between two steps for longer than its lease, and a server
 * that fails over to a replica can forget a lock. Then the token protects the resource.
 *
 * To lock costs one round trip, and so does to let go; what waits in this process behind others of this process costs none. A loss takes the place
 * of what the effect succeeded with, but not of an error. If the store fails while a lock is given back, the result of the effect is kept and
 * the failure is reported: the lease ends by itself. It is not reentrant. A name is a text of 1 to 1,000 characters.
 *
 * **Interruption**: a waiter that is interrupted leaves at once, also while the store is being asked. What that grants then goes to the next
 * waiter, or back. Letting go is not interrupted; it takes a round trip, and at the most the store's timeout.
 *
 * **Fairness**: strict order of arrival within one instance; nobody overtakes. Between processes there is no order, but the process that has just
 * let go does not go first while others wait.
 *
 * @example
 * import { DistributedMutex, LeaseStore } from "effect-concurrency/distributed"
 * import { Effect } from "effect"
 *
 * // Stands for a resource that checks tokens, such as a table with a column for the latest one.
 * let latest = 0
 * const write = (text: string, token: number) =>
 *   Effect.sync(() => {
 *     if (token < latest) return `${text}: refused`
 *     latest = token
 *     return `${text}: written`
 *   })
 *
 * const program = Effect.gen(function* () {
 *   const mutex = yield* DistributedMutex.make({ lease: "30 seconds" })
 *   return yield* mutex.withLock("report", (lease) => write("the report", lease.token))
 * })
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(LeaseStore.layerMemory)))) // => the report: written
 *
 * @see `DistributedSemaphore` for more than one at a time.
 *
 * @since 0.1.0
 * @category models
 */
export interface DistributedMutex<out E = StoreError> {
  readonly [TypeId]: core.Lessor

  /** Runs an effect with the lock of a name. It is interrupted when the lock is lost. */
  readonly withLock: {
    (name: string): <A, E1, R>(self: Effect.Effect<A, E1, R>) => Effect.Effect<A, E1 | E | LeaseLost, R>
    <A, E1, R>(name: string, body: (lease: Lease) => Effect.Effect<A, E1, R>): Effect.Effect<A, E1 | E | LeaseLost, R>
  }

  /** Runs an effect with the lock of a name if that is free, and nobody waits for it here; otherwise gives `None`. */
  readonly withLockIfAvailable: {
    (name: string): <A, E1, R>(self: Effect.Effect<A, E1, R>) => Effect.Effect<Option.Option<A>, E1 | E | LeaseLost, R>
    <A, E1, R>(
      name: string,
      body: (lease: Lease) => Effect.Effect<A, E1, R>
    ): Effect.Effect<Option.Option<A>, E1 | E | LeaseLost, R>
  }

  /**
   * Takes the lock of a name for the rest of the scope. Nothing is interrupted when it is lost: use `lease.guard`, or look at `lease.check`. A
   * loss that nobody was told of is reported when the scope closes.
   */
  readonly acquire: (name: string) => Effect.Effect<Lease, E, Scope.Scope>

  /** Takes the lock of a name for the rest of the scope if it is free, and nobody waits for it here. */
  readonly tryAcquire: (name: string) => Effect.Effect<Option.Option<Lease>, E, Scope.Scope>

  /** A frozen snapshot of this process. */
  readonly stats: Effect.Effect<Stats>
}

const request = (where: string, name: string): lessor.Requested => ({
  where: `DistributedMutex.${where}`,
  name,
  permits: 1
})

class DistributedMutexImpl implements DistributedMutex<any> {
  readonly [TypeId]: core.Lessor
  readonly stats: DistributedMutex["stats"]

  constructor(self: core.Lessor) {
    this[TypeId] = self
    this.stats = Effect.sync(() => self.stats())
  }

  readonly withLock = (name: string, body?: Body<any, any, any>): any =>
    lessor.withBody("DistributedMutex.withLock", body, (body) =>
      lessor.hold(this[TypeId], request("withLock", name), (held) => body(leases.fromHeld(held)))
    )

  readonly withLockIfAvailable = (name: string, body?: Body<any, any, any>): any =>
    lessor.withBody("DistributedMutex.withLockIfAvailable", body, (body) =>
      lessor.holdIfAvailable(this[TypeId], request("withLockIfAvailable", name), (held) => body(leases.fromHeld(held)))
    )

  readonly acquire = (name: string): Effect.Effect<Lease, any, Scope.Scope> =>
    Effect.map(lessor.acquire(this[TypeId], request("acquire", name)), leases.fromHeld)

  readonly tryAcquire = (name: string): Effect.Effect<Option.Option<Lease>, any, Scope.Scope> =>
    lessor.tryAcquire(this[TypeId], request("tryAcquire", name), leases.fromHeld)
}

/**
 * Makes locks over the {@link LeaseStore}, or over one that it is given, whose errors are then its own. Options that make no sense are a defect.
 *
 * **Details**: those who wait in one instance stand in one line. Make one and share it: two instances compete, as two processes would.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: {
  (options?: Options): Effect.Effect<DistributedMutex, never, LeaseStore>
  <E>(options: Options | undefined, store: LeaseStoreShape<E>): Effect.Effect<DistributedMutex<E>>
} = (options: Options = {}, store?: LeaseStoreShape<unknown>): any => {
  const where = "DistributedMutex.make"
  const over = (store: LeaseStoreShape<unknown>) =>
    Effect.map(
      Effect.suspend(() =>
        lessor.make("DistributedMutex", store, core.config(where, "mutex", leases.coreOptions(where, 1, options)))
      ),
      (lessor) => new DistributedMutexImpl(lessor)
    )
  return store === undefined ? Effect.flatMap(LeaseStore, over) : over(store)
}

/**
 * A service class: a tag, its layer, and the operations of a `DistributedMutex` on whichever is provided.
 *
 * @since 0.1.0
 * @category services
 */
export interface ServiceClass<Self, Id extends string, E = never, R = never> extends service.ServiceClass<
  Self,
  Id,
  DistributedMutex,
  E,
  R | LeaseStore
> {
  readonly withLock: {
    (
      name: string
    ): <A, E1, R1>(self: Effect.Effect<A, E1, R1>) => Effect.Effect<A, E1 | StoreError | LeaseLost, R1 | Self>
    <A, E1, R1>(
      name: string,
      body: (lease: Lease) => Effect.Effect<A, E1, R1>
    ): Effect.Effect<A, E1 | StoreError | LeaseLost, R1 | Self>
  }
  readonly withLockIfAvailable: {
    (
      name: string
    ): <A, E1, R1>(
      self: Effect.Effect<A, E1, R1>
    ) => Effect.Effect<Option.Option<A>, E1 | StoreError | LeaseLost, R1 | Self>
    <A, E1, R1>(
      name: string,
      body: (lease: Lease) => Effect.Effect<A, E1, R1>
    ): Effect.Effect<Option.Option<A>, E1 | StoreError | LeaseLost, R1 | Self>
  }
  readonly acquire: (name: string) => Effect.Effect<Lease, StoreError, Self | Scope.Scope>
  readonly tryAcquire: (name: string) => Effect.Effect<Option.Option<Lease>, StoreError, Self | Scope.Scope>
  readonly stats: Effect.Effect<Stats, never, Self>
}

/**
 * Locks by name as a service. The layer needs a {@link LeaseStore}: that is what changes when the program outgrows one machine.
 *
 * @example
 * import { DistributedMutex, LeaseStore } from "effect-concurrency/distributed"
 * import { Effect, Layer } from "effect"
 *
 * class Jobs extends DistributedMutex.Service<Jobs>()("app/Jobs", { lease: "1 minute" }) {}
 *
 * const nightly = Effect.succeed("done").pipe(Jobs.withLockIfAvailable("nightly"))
 * const layer = Layer.provide(Jobs.layer, LeaseStore.layerMemory)
 *
 * console.log((await Effect.runPromise(nightly.pipe(Effect.provide(layer))))._tag) // => Some
 *
 * @since 0.1.0
 * @category services
 */
export const Service =
  <Self>() =>
  <const Id extends string, E = never, R = never>(
    id: Id,
    options: service.Options<Options, E, R> = {}
  ): ServiceClass<Self, Id, E, R> =>
    service.make(
      id,
      Effect.flatMap(service.options(options), (options) => make(options)),
      {
        properties: ["stats"],
        methods: ["acquire", "tryAcquire"],
        others: {
          withLock: lessor.withBodyOf("withLock", 1),
          withLockIfAvailable: lessor.withBodyOf("withLockIfAvailable", 1)
        }
      }
    )

/**
 * Runs an effect with the lock of a name. See {@link DistributedMutex}.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withLock: {
  <E>(
    mutex: DistributedMutex<E>,
    name: string
  ): <A, E1, R>(self: Effect.Effect<A, E1, R>) => Effect.Effect<A, E1 | E | LeaseLost, R>
  <A, E1, R, E>(
    self: Effect.Effect<A, E1, R>,
    mutex: DistributedMutex<E>,
    name: string
  ): Effect.Effect<A, E1 | E | LeaseLost, R>
} = dual(3, <A, E1, R, E>(self: Effect.Effect<A, E1, R>, mutex: DistributedMutex<E>, name: string) =>
  mutex.withLock(name)(self)
)

/**
 * Runs an effect with the lock of a name if that is to be had at once. See {@link DistributedMutex}.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withLockIfAvailable: {
  <E>(
    mutex: DistributedMutex<E>,
    name: string
  ): <A, E1, R>(self: Effect.Effect<A, E1, R>) => Effect.Effect<Option.Option<A>, E1 | E | LeaseLost, R>
  <A, E1, R, E>(
    self: Effect.Effect<A, E1, R>,
    mutex: DistributedMutex<E>,
    name: string
  ): Effect.Effect<Option.Option<A>, E1 | E | LeaseLost, R>
} = dual(3, <A, E1, R, E>(self: Effect.Effect<A, E1, R>, mutex: DistributedMutex<E>, name: string) =>
  mutex.withLockIfAvailable(name)(self)
)

/**
 * Takes the lock of a name for the rest of the scope. See {@link DistributedMutex}.
 *
 * @since 0.1.0
 * @category operations
 */
export const acquire = <E>(self: DistributedMutex<E>, name: string): Effect.Effect<Lease, E, Scope.Scope> =>
  self.acquire(name)

/**
 * Takes the lock of a name for the rest of the scope if it is to be had at once. See {@link DistributedMutex}.
 *
 * @since 0.1.0
 * @category operations
 */
export const tryAcquire = <E>(
  self: DistributedMutex<E>,
  name: string
): Effect.Effect<Option.Option<Lease>, E, Scope.Scope> => self.tryAcquire(name)

/**
 * A frozen snapshot of this process. See {@link DistributedMutex}.
 *
 * @since 0.1.0
 * @category operations
 */
export const stats = <E>(self: DistributedMutex<E>): Effect.Effect<Stats> => self.stats
