/**
 * A rate limit that several processes share: the `RateLimiter`, over a store that all of them reach.
 *
 * It is the limiter of `RateLimiter.makeWithStore` under a name of its own, beside the other services that several processes share. Against those of
 * others: exact at any rate, also with a fraction; by the clock of the server, and no other; every key expires; one script a question, for all
 * who wait; and no unit is lost to a caller who is gone.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as core from "../core/insured.js"
import { StoreError } from "../core/storeError.js"
import { layerScoped } from "../internal/effect.js"
import { report } from "../internal/report.js"
import * as RateLimiter from "../RateLimiter.js"

export {
  /**
   * As many wait for the key as may. `retryAfter` is in milliseconds.
   *
   * @since 0.1.0
   * @category errors
   */
  RateLimited,
  /**
   * Where the rates are kept: `layerRates` of `effect-concurrency/redis`, or in memory.
   *
   * @since 0.1.0
   * @category stores
   */
  Store,
  /**
   * A store in memory, for one process: what stands in for another in a test.
   *
   * @since 0.1.0
   * @category stores
   */
  layerStoreMemory
} from "../RateLimiter.js"

export {
  /**
   * The store could not decide; `reason` says why.
   *
   * @since 0.1.0
   * @category errors
   */
  StoreError
}

/**
 * How a limiter is made.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends RateLimiter.Options {}

/**
 * What a limiter does.
 *
 * @since 0.1.0
 * @category models
 */
export interface DistributedRateLimiter<out Full = never, out E = StoreError> extends RateLimiter.WithStore<Full, E> {}

/**
 * Makes a limiter over the `Store`.
 *
 * **Details**: processes that give the same key and the same rate share the rate. Give them the same options: another rate for the same key is
 * another count.
 *
 * @see `RateLimiter.WithStore` for all that it does.
 * @since 0.1.0
 * @category constructors
 */
export const make = RateLimiter.makeWithStore

/**
 * A limiter as a service.
 *
 * @example
 * import { DistributedRateLimiter } from "effect-concurrency/distributed"
 * import { Effect, Layer } from "effect"
 *
 * class ApiLimit extends DistributedRateLimiter.Service<ApiLimit>()("app/ApiLimit", { limit: 600, interval: "1 minute" }) {}
 *
 * const program = Effect.succeed("a user").pipe(ApiLimit.withLimit("api.example.org"))
 *
 * // For several processes: Layer.provide(layerRates, layer({ url })) of effect-concurrency/redis.
 * const layer = Layer.provide(ApiLimit.layer, DistributedRateLimiter.layerStoreMemory)
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(layer)))) // => a user
 *
 * @see `RateLimiter.WithStore` for all that it does.
 * @since 0.1.0
 * @category services
 */
export const Service = RateLimiter.ServiceWithStore

const where = "DistributedRateLimiter"

const tell = (message: string, cause: Cause.Cause<unknown>): Effect.Effect<void> =>
  report({ where, name: undefined, message, cause })

const insure = <E>(
  store: RateLimiter.StoreShape,
  substitute: RateLimiter.StoreShape<E>
): RateLimiter.StoreShape<StoreError | E> => {
  const state = core.make()
  const down = (question: number, error: StoreError) =>
    core.failed(state, question) ? tell(core.reports.down, Cause.fail(error)) : Effect.void
  const up = (question: number) =>
    Effect.suspend(() => (core.worked(state, question) ? tell(core.reports.up, Cause.empty) : Effect.void))
  return {
    consume: (request) =>
      Effect.suspend(() => {
        const question = core.ask(state)
        return Effect.matchEffect(store.consume(request), {
          onSuccess: (answers) => Effect.as(up(question), answers),
          onFailure: (error): Effect.Effect<ReadonlyArray<RateLimiter.StoreDecision>, StoreError | E> =>
            core.isDown(error)
              ? Effect.zipRight(down(question, error), Effect.map(substitute.consume(request), core.substituted))
              : Effect.fail(error)
        })
      }),
    giveBack: (request) =>
      Effect.suspend(() => {
        const { toStore, toSubstitute } = core.returns(request)
        const question = core.ask(state)
        // What cannot be given back is lost. That the store is down is told, and that is enough.
        const given = Effect.matchEffect(store.giveBack(toStore), {
          onSuccess: () => up(question),
          onFailure: (error) => (core.isDown(error) ? down(question, error) : Effect.fail(error))
        })
        return Effect.zipRight(
          toSubstitute.grants.length === 0 ? Effect.void : substitute.giveBack(toSubstitute),
          toStore.grants.length === 0 ? Effect.void : given
        )
      })
  }
}

/**
 * A store that is insured: when it cannot be reached, another stands in for it, by default one in memory.
 *
 * **When to use**: where it is better to exceed a limit while the store is down than to do nothing. Each process then has the whole rate for itself:
 * so with four of them there may be four times as much. To have less than that, give a store of your own.
 *
 * **Details**: every question is put to the store first. When that fails with a `StoreError` whose reason is `"timeout"`, `"connection"` or
 * `"server"`, the same question is put to the other, which knows nothing of what was used before. Other reasons (a key that holds something else)
 * are failures as ever. That it went over, and that it came back, is reported once each. A store that is down should fail at once: Redis does, after
 * an outage of its `timeout`.
 *
 * @example
 * import { DistributedRateLimiter } from "effect-concurrency/distributed"
 * import { Effect, Layer, Logger } from "effect"
 *
 * class ApiLimit extends DistributedRateLimiter.Service<ApiLimit>()("app/InsuredLimit", { limit: 2, interval: "1 minute" }) {}
 *
 * // A store that is down.
 * const down = Effect.fail(new DistributedRateLimiter.StoreError("nobody there", { reason: "connection" }))
 * const store = Layer.succeed(DistributedRateLimiter.Store, { consume: () => down, giveBack: () => down })
 * const layer = Layer.provide(ApiLimit.layer, DistributedRateLimiter.layerInsured(store))
 * const quiet = Logger.remove(Logger.defaultLogger)
 *
 * const program = Effect.as(ApiLimit.consume("ada"), "let through")
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(layer), Effect.provide(quiet)))) // => let through
 *
 * @since 0.1.0
 * @category stores
 */
export const layerInsured = <E = never, R = never, E2 = never, R2 = never>(
  store: Layer.Layer<RateLimiter.Store, E, R>,
  substitute: Layer.Layer<RateLimiter.Store, E2, R2> = RateLimiter.layerStoreMemory as Layer.Layer<
    RateLimiter.Store,
    any,
    any
  >
): Layer.Layer<RateLimiter.Store, E | E2, Exclude<R | R2, Scope.Scope>> => {
  const built = <E, R>(layer: Layer.Layer<RateLimiter.Store, E, R>) =>
    Effect.map(Layer.build(layer), (context) => Context.get(context, RateLimiter.Store))
  return layerScoped(RateLimiter.Store, Effect.zipWith(built(store), built(substitute), insure))
}
