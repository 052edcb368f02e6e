/**
 * A value that one effect at a time changes.
 *
 * It corresponds to a value beside an `asyncio.Lock`, and to Effect's `SynchronizedRef`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import { record, refusal } from "./core/arguments.js"
import * as core from "./core/guarded.js"
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
 * A frozen snapshot of the lock.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats extends Semaphore.Stats {}

/**
 * How a service is made.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<A> {
  /** The value to begin with. */
  readonly initial: A
}

/**
 * A value and the lock that its changes take.
 *
 * **When to use**: for shared state whose next value takes an effect to find out. Without one, Effect's `Ref` is enough.
 *
 * **Details**: changes happen one after the other. When an effectful change fails, dies or is interrupted, the old value stays. `get` does
 * not wait: it gives the value as the last completed change left it. The value is not copied; treat it as immutable.
 *
 * **Interruption**: a change that waits for its turn leaves at once; one that runs is interrupted, and changes nothing.
 *
 * **Fairness**: changes run in order of arrival.
 *
 * @example
 * import { Guarded } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const stock = yield* Guarded.make(1)
 *   const buy = stock.modifyEffect((left) =>
 *     left > 0 ? Effect.succeed([true, left - 1] as const) : Effect.succeed([false, left] as const)
 *   )
 *   return yield* Effect.all([buy, buy], { concurrency: "unbounded" })
 * })
 *
 * console.log(await Effect.runPromise(program)) // => [ true, false ]
 *
 * @since 0.1.0
 * @category models
 */
export interface Guarded<in out A> {
  readonly [TypeId]: core.State<A>

  /** The value as the last completed change left it. Does not wait. */
  readonly get: Effect.Effect<A>

  /** Replaces the value. */
  set(value: A): Effect.Effect<void>

  /** Changes the value with a function. */
  update(f: (value: A) => A): Effect.Effect<void>

  /** Changes the value with a function that returns a pair: a result, and the new value. */
  modify<B>(f: (value: A) => readonly [B, A]): Effect.Effect<B>

  /** Changes the value with an effect. If that does not succeed, the old value stays. */
  updateEffect<E, R>(f: (value: A) => Effect.Effect<A, E, R>): Effect.Effect<void, E, R>

  /** Changes the value with an effect that gives a pair: a result, and the new value. If it does not succeed, the old value stays. */
  modifyEffect<B, E, R>(f: (value: A) => Effect.Effect<readonly [B, A], E, R>): Effect.Effect<B, E, R>

  /** A frozen snapshot of the lock. */
  readonly stats: Effect.Effect<Stats>
}

class GuardedImpl<in out A> implements Guarded<A> {
  readonly [TypeId]: core.State<A>
  readonly get: Effect.Effect<A>
  readonly stats: Effect.Effect<Stats>

  constructor(state: core.State<A>) {
    this[TypeId] = state
    this.get = Effect.sync(() => state.value)
    this.stats = Effect.sync(() => core.stats(state))
  }

  readonly set = (value: A): Effect.Effect<void> => {
    const replace = () => Effect.succeed([undefined, value] as const)
    return this.change("Guarded.set", replace, replace)
  }

  readonly update = (f: (value: A) => A): Effect.Effect<void> => {
    return this.change("Guarded.update", f, (value) => Effect.sync(() => [undefined, f(value)]))
  }

  readonly modify = <B>(f: (value: A) => readonly [B, A]): Effect.Effect<B> => {
    return this.change("Guarded.modify", f, (value) => Effect.sync(() => f(value)))
  }

  readonly updateEffect = <E, R>(f: (value: A) => Effect.Effect<A, E, R>): Effect.Effect<void, E, R> => {
    return this.change("Guarded.updateEffect", f, (value) => Effect.map(f(value), (next) => [undefined, next]))
  }

  readonly modifyEffect = <B, E, R>(f: (value: A) => Effect.Effect<readonly [B, A], E, R>): Effect.Effect<B, E, R> => {
    return this.change("Guarded.modifyEffect", f, f)
  }

  /** Changes the value with what was made of the caller's function. */
  private change<B, E, R>(
    where: string,
    f: unknown,
    next: (value: A) => Effect.Effect<readonly [B, A], E, R>
  ): Effect.Effect<B, E, R> {
    if (typeof f !== "function") return Effect.die(refusal(where, "f", "a function", f))
    const state = this[TypeId]
    const body = Effect.flatMap(
      Effect.suspend(() => next(state.value)),
      (result) =>
        Effect.sync(() => {
          const [returned, value] = core.pair(where, result)
          core.commit(state, value)
          return returned
        })
    )
    return permits.hold(where, state.lock, 1, undefined, body)
  }
}

/**
 * Makes a guarded value, without an effect around it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeUnsafe = <A>(initial: A): Guarded<A> => new GuardedImpl(core.make(initial))

/**
 * Makes a guarded value.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <A>(initial: A): Effect.Effect<Guarded<A>> => Effect.sync(() => makeUnsafe(initial))

/**
 * The value as the last completed change left it. See {@link Guarded}.
 *
 * @since 0.1.0
 * @category operations
 */
export const get = <A>(self: Guarded<A>): Effect.Effect<A> => self.get

/**
 * Replaces the value. See {@link Guarded}.
 *
 * @since 0.1.0
 * @category operations
 */
export const set: {
  <A>(value: A): (self: Guarded<A>) => Effect.Effect<void>
  <A>(self: Guarded<A>, value: A): Effect.Effect<void>
} = dual(2, <A>(self: Guarded<A>, value: A) => self.set(value))

/**
 * Changes the value with a function. See {@link Guarded}.
 *
 * @since 0.1.0
 * @category operations
 */
export const update: {
  <A>(f: (value: A) => A): (self: Guarded<A>) => Effect.Effect<void>
  <A>(self: Guarded<A>, f: (value: A) => A): Effect.Effect<void>
} = dual(2, <A>(self: Guarded<A>, f: (value: A) => A) => self.update(f))

/**
 * Changes the value with a function that returns a pair: a result, and the new value. See {@link Guarded}.
 *
 * @since 0.1.0
 * @category operations
 */
export const modify: {
  <A, B>(f: (value: A) => readonly [B, A]): (self: Guarded<A>) => Effect.Effect<B>
  <A, B>(self: Guarded<A>, f: (value: A) => readonly [B, A]): Effect.Effect<B>
} = dual(2, <A, B>(self: Guarded<A>, f: (value: A) => readonly [B, A]) => self.modify(f))

/**
 * Changes the value with an effect. See {@link Guarded}.
 *
 * @since 0.1.0
 * @category operations
 */
export const updateEffect: {
  <A, E, R>(f: (value: A) => Effect.Effect<A, E, R>): (self: Guarded<A>) => Effect.Effect<void, E, R>
  <A, E, R>(self: Guarded<A>, f: (value: A) => Effect.Effect<A, E, R>): Effect.Effect<void, E, R>
} = dual(2, <A, E, R>(self: Guarded<A>, f: (value: A) => Effect.Effect<A, E, R>) => self.updateEffect(f))

/**
 * Changes the value with an effect that gives a pair: a result, and the new value. See {@link Guarded}.
 *
 * @since 0.1.0
 * @category operations
 */
export const modifyEffect: {
  <A, B, E, R>(f: (value: A) => Effect.Effect<readonly [B, A], E, R>): (self: Guarded<A>) => Effect.Effect<B, E, R>
  <A, B, E, R>(self: Guarded<A>, f: (value: A) => Effect.Effect<readonly [B, A], E, R>): Effect.Effect<B, E, R>
} = dual(2, <A, B, E, R>(self: Guarded<A>, f: (value: A) => Effect.Effect<readonly [B, A], E, R>) =>
  self.modifyEffect(f)
)

/**
 * A frozen snapshot of the lock. See {@link Guarded}.
 *
 * @since 0.1.0
 * @category operations
 */
export const stats = <A>(self: Guarded<A>): Effect.Effect<Stats> => self.stats

/**
 * A service class: a tag, its layer, and the operations of a `Guarded` on whichever value is provided.
 *
 * @since 0.1.0
 * @category services
 */
export interface ServiceClass<Self, Id extends string, A, E = never, R = never> extends service.ServiceClass<
  Self,
  Id,
  Guarded<A>,
  E,
  R
> {
  readonly get: Effect.Effect<A, never, Self>
  readonly set: (value: A) => Effect.Effect<void, never, Self>
  readonly update: (f: (value: A) => A) => Effect.Effect<void, never, Self>
  readonly modify: <B>(f: (value: A) => readonly [B, A]) => Effect.Effect<B, never, Self>
  readonly updateEffect: <E, R>(f: (value: A) => Effect.Effect<A, E, R>) => Effect.Effect<void, E, R | Self>
  readonly modifyEffect: <B, E, R>(
    f: (value: A) => Effect.Effect<readonly [B, A], E, R>
  ) => Effect.Effect<B, E, R | Self>
  readonly stats: Effect.Effect<Stats, never, Self>
}

/**
 * A guarded value as a service. The options may also be an effect that finds them out when the layer is built.
 *
 * @example
 * import { Guarded } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * class Balance extends Guarded.Service<Balance, number>()("app/Balance", { initial: 100 }) {}
 *
 * const program = Effect.zipRight(
 *   Balance.update((balance) => balance - 60),
 *   Balance.get
 * )
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(Balance.layer)))) // => 40
 *
 * @since 0.1.0
 * @category services
 */
export const Service =
  <Self, A>() =>
  <const Id extends string, E = never, R = never>(
    id: Id,
    options: service.Options<Options<A>, E, R>
  ): ServiceClass<Self, Id, A, E, R> =>
    service.make(
      id,
      Effect.flatMap(service.options(options), (options) => make(record("Guarded.Service", options).initial)),
      { properties: ["get", "stats"], methods: ["set", "update", "modify", "updateEffect", "modifyEffect"] }
    )
