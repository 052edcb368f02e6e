/**
 * A cyclic barrier: parties that wait for each other, again and again.
 *
 * It corresponds to `asyncio.Barrier`, with these differences. An arrival index is never given twice in a generation, also after somebody
 * withdrew (asyncio's is: gh-155233). The parties of a full generation pass at once: there is no draining state, newcomers arrive for
 * the next generation without waiting, and `reset` and `abort` do not reach who has passed. The last to arrive can run an action.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { record, refusal } from "./core/arguments.js"
import * as core from "./core/barrier.js"
import { BrokenBarrier } from "./core/errors.js"
import { wake } from "./core/ticket.js"
import { runnable } from "./internal/effect.js"
import { FiberTicket, park } from "./internal/park.js"
import * as service from "./internal/service.js"

export {
  /**
   * The barrier was reset or aborted, or its action failed, while this party waited; or it was broken already.
   *
   * @since 0.1.0
   * @category errors
   */
  BrokenBarrier
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
 * How a barrier is made.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<E = never, R = never> {
  /** What the last to arrive does before anybody passes. When it fails or is interrupted, the barrier is broken. */
  readonly action?: Effect.Effect<unknown, E, R> | undefined
  /**
   * What an interrupted wait does to the others: `"withdraw"`, the default, has them wait for one more to arrive in its place;
   * `"break"` breaks the barrier.
   */
  readonly onInterrupt?: core.OnInterrupt | undefined
}

/**
 * A frozen snapshot.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats extends core.Stats {}

/**
 * A place where a number of parties wait for each other.
 *
 * **When to use**: when fibers work in phases, and nobody may begin one before all have ended the last. To wait once, for others that
 * do not wait for you, use `Event`.
 *
 * **Details**: the last to arrive runs the action, if there is one, and all pass. A barrier is broken by `abort`, by an action that does
 * not succeed (which is the last arrival's own error), or by an interruption with `onInterrupt: "break"`; then every arrival fails with
 * `BrokenBarrier` until `reset`.
 *
 * **Interruption**: a party that is interrupted before all have arrived withdraws or breaks the barrier, as chosen. Once all have arrived
 * the others pass without it.
 *
 * **Fairness**: parties pass in order of arrival, the last one first.
 *
 * @example
 * import { Barrier } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const log: Array<string> = []
 *   const barrier = yield* Barrier.make(2, { action: Effect.sync(() => log.push("both are ready")) })
 *   const party = (name: string) =>
 *     Effect.gen(function* () {
 *       log.push(`${name} gets ready`)
 *       yield* barrier.await
 *       log.push(`${name} goes`)
 *     })
 *   yield* Effect.all([party("a"), party("b")], { concurrency: "unbounded" })
 *   return log.join(", ")
 * })
 *
 * console.log(await Effect.runPromise(program)) // => a gets ready, b gets ready, both are ready, b goes, a goes
 *
 * @since 0.1.0
 * @category models
 */
export interface Barrier<out E = never> {
  readonly [TypeId]: core.State
  /** The action as a promise, for a party that is plain code. */
  readonly action: (() => Promise<unknown>) | undefined

  /** Arrives, waits for the others, and gives the arrival index: 0 for the first, and so on. */
  readonly await: Effect.Effect<number, BrokenBarrier | E>

  /** Fails all who wait with `BrokenBarrier`, and starts afresh; a broken barrier works again. */
  readonly reset: Effect.Effect<void>

  /** Fails all who wait with `BrokenBarrier`, and all who come, until `reset`. */
  readonly abort: Effect.Effect<void>

  /** Whether the barrier is broken. */
  readonly isBroken: Effect.Effect<boolean>

  /** A frozen snapshot. */
  readonly stats: Effect.Effect<Stats>
}

class BarrierImpl<E> implements Barrier<E> {
  readonly [TypeId]: core.State
  readonly action: Barrier["action"]
  readonly await: Barrier<E>["await"]
  readonly reset: Barrier["reset"]
  readonly abort: Barrier["abort"]
  readonly isBroken: Barrier["isBroken"]
  readonly stats: Barrier["stats"]

  constructor(state: core.State, action: Effect.Effect<unknown, E> | undefined) {
    this[TypeId] = state
    this.action = action && runnable(action)
    this.await = Effect.uninterruptibleMask((restore) => {
      const arrival = core.arrive(state)
      if (arrival === undefined) return outcome(core.Broken)
      if (!arrival.isLast) {
        const ticket = new FiberTicket<core.Arrival, number>(arrival, 0, "the other parties of a barrier")
        core.enqueue(state, ticket)
        return park(restore, ticket, () => core.cancel(state, ticket), outcome)
      }
      const pass = () => {
        wake(core.pass(state, arrival))
        return outcome(core.result(arrival))
      }
      // In the step of the arrival: a reset in between would break a generation that is complete.
      if (action === undefined) return pass()
      return Effect.matchCauseEffect(restore(action), {
        onFailure: (cause) => {
          wake(core.fail(state, arrival))
          return Effect.failCause(cause)
        },
        onSuccess: pass
      })
    })
    this.reset = Effect.sync(() => wake(core.reset(state)))
    this.abort = Effect.sync(() => wake(core.abort(state)))
    this.isBroken = Effect.sync(() => state.broken)
    this.stats = Effect.sync(() => core.stats(state))
  }
}

const outcome = (result: number): Effect.Effect<number, BrokenBarrier> =>
  result === core.Broken ? Effect.fail(new BrokenBarrier()) : Effect.succeed(result)

/**
 * Makes a barrier for a number of parties, without an effect around it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeUnsafe = <E = never>(parties: number, options: Options<E> = {}): Barrier<E> => {
  const { action, onInterrupt } = record("Barrier.make", options)
  if (action !== undefined && !Effect.isEffect(action)) throw refusal("Barrier.make", "action", "an effect", action)
  return new BarrierImpl(core.make("Barrier.make", parties, onInterrupt), action)
}

/**
 * Makes a barrier for a number of parties. What the action needs is taken from where the barrier is made.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <E = never, R = never>(
  parties: number,
  options: Options<E, R> = {}
): Effect.Effect<Barrier<E>, never, R> =>
  Effect.map(Effect.context<R>(), (context) =>
    makeUnsafe<E>(parties, {
      ...record("Barrier.make", options),
      action: Effect.isEffect(options.action) ? Effect.provide(options.action, context) : options.action
    })
  )

const await_ = <E>(self: Barrier<E>): Effect.Effect<number, BrokenBarrier | E> => self.await

export {
  /**
   * Arrives, waits for the others, and gives the arrival index. See {@link Barrier}.
   *
   * @since 0.1.0
   * @category operations
   */
  await_ as await
}

/**
 * Fails all who wait, and starts afresh. See {@link Barrier}.
 *
 * @since 0.1.0
 * @category operations
 */
export const reset = <E>(self: Barrier<E>): Effect.Effect<void> => self.reset

/**
 * Fails all who wait, and all who come, until `reset`. See {@link Barrier}.
 *
 * @since 0.1.0
 * @category operations
 */
export const abort = <E>(self: Barrier<E>): Effect.Effect<void> => self.abort

/**
 * Whether the barrier is broken. See {@link Barrier}.
 *
 * @since 0.1.0
 * @category operations
 */
export const isBroken = <E>(self: Barrier<E>): Effect.Effect<boolean> => self.isBroken

/**
 * A frozen snapshot. See {@link Barrier}.
 *
 * @since 0.1.0
 * @category operations
 */
export const stats = <E>(self: Barrier<E>): Effect.Effect<Stats> => self.stats

/**
 * How a service is made.
 *
 * @since 0.1.0
 * @category services
 */
export interface ServiceOptions<E = never, R = never> extends Options<E, R> {
  /** How many have to arrive: an integer, 1 or more. */
  readonly parties: number
}

/**
 * A service class: a tag, its layer, and the operations of a `Barrier` on whichever barrier is provided.
 *
 * @since 0.1.0
 * @category services
 */
export interface ServiceClass<
  Self,
  Id extends string,
  ActionE = never,
  E = never,
  R = never
> extends service.ServiceClass<Self, Id, Barrier<ActionE>, E, R> {
  readonly await: Effect.Effect<number, BrokenBarrier | ActionE, Self>
  readonly reset: Effect.Effect<void, never, Self>
  readonly abort: Effect.Effect<void, never, Self>
  readonly isBroken: Effect.Effect<boolean, never, Self>
  readonly stats: Effect.Effect<Stats, never, Self>
}

/**
 * A barrier as a service. The options may also be an effect that finds them out when the layer is built.
 *
 * @example
 * import { Barrier } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * class PhaseEnd extends Barrier.Service<PhaseEnd>()("app/PhaseEnd", { parties: 2 }) {}
 *
 * const program = Effect.all([PhaseEnd.await, PhaseEnd.await], { concurrency: "unbounded" })
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(PhaseEnd.layer)))) // => [ 0, 1 ]
 *
 * @since 0.1.0
 * @category services
 */
export const Service =
  <Self>() =>
  <const Id extends string, ActionE = never, ActionR = never, E = never, R = never>(
    id: Id,
    options: service.Options<ServiceOptions<ActionE, ActionR>, E, R>
  ): ServiceClass<Self, Id, ActionE, E, R | ActionR> =>
    service.make(
      id,
      Effect.flatMap(service.options(options), (options) => {
        const { parties, ...rest } = record("Barrier.Service", options)
        return make(parties, rest)
      }),
      { properties: ["await", "reset", "abort", "isBroken", "stats"] }
    )
