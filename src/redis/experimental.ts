/**
 * The stores of `@effect/experimental`, on the `Redis` of this package: for programs that use its `RateLimiter` and its `PersistedQueue`,
 * and what `@effect/workflow` builds on them.
 *
 * **Why**: `@effect/experimental` 0.61 brings stores on Redis of its own. With these, a rate at which a token does not come back in whole
 * milliseconds fails; keys of token buckets never expire, and count by the clocks of the clients; the newest item is handed out first; a
 * taker who is interrupted leaves items in nobody's hands; and a worker whose lock has run out deletes that of another. With those here,
 * all of that is otherwise.
 *
 * The package `@effect/experimental` (version 0.61) is an optional peer: install it.
 *
 * @since 0.1.0
 */
import { PersistedQueueError, PersistedQueueStore } from "@effect/experimental/PersistedQueue"
import { RateLimitStoreError, RateLimiterStore } from "@effect/experimental/RateLimiter"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { settings as checkSettings } from "../core/deliveries.js"
import type { Deliverer } from "../core/deliverer.js"
import * as scripts from "../core/redis/windows.js"
import type { StoreError } from "../core/storeError.js"
import * as deliverer from "../internal/deliverer.js"
import { milliseconds } from "../internal/duration.js"
import type { DurationInput } from "../internal/effect.js"
import { fromPromise } from "../internal/store.js"
import { Redis, TypeId } from "../redis.js"
import type { Connection } from "./connection.js"
import { RedisDeliveries } from "./deliveries.js"

const connection: Effect.Effect<Connection, never, Redis> = Effect.map(Redis, (redis) => redis[TypeId])

/**
 * The counts of `RateLimiter` of `@effect/experimental`.
 *
 * **Details**: a script for each decision, by the server's clock, in microseconds; any window and any limit. A key expires when it says
 * nothing any more. Each key is one key of the server.
 *
 * @example
 * import { RateLimiter } from "@effect/experimental"
 * import { Layer } from "effect"
 * import { layer } from "effect-concurrency/redis"
 * import { layerRateLimiterStore } from "effect-concurrency/redis/experimental"
 *
 * const limits = RateLimiter.layer.pipe(Layer.provide(layerRateLimiterStore), Layer.provide(layer({ url: "redis://localhost:6379" })))
 *
 * console.log(Layer.isLayer(limits)) // => true
 *
 * @since 0.1.0
 * @category layers
 */
export const layerRateLimiterStore: Layer.Layer<RateLimiterStore, never, Redis> = Layer.effect(
  RateLimiterStore,
  Effect.map(connection, (connection) => ({
    fixedWindow: ({ key, limit, refillRate, tokens }) =>
      counted(
        "fixedWindow",
        fromPromise((signal) =>
          connection.run(scripts.fixedWindow, { key, tokens, limit, refill: Duration.toMillis(refillRate) }, { signal })
        )
      ),
    tokenBucket: ({ allowOverflow, key, limit, refillRate, tokens }) =>
      counted(
        "tokenBucket",
        fromPromise((signal) =>
          connection.run(
            scripts.tokenBucket,
            { key, tokens, limit, refill: Duration.toMillis(refillRate), overflow: allowOverflow },
            { signal }
          )
        )
      )
  }))
)

const counted = <A>(operation: string, asked: Effect.Effect<A, StoreError>): Effect.Effect<A, RateLimitStoreError> =>
  Effect.mapError(
    asked,
    (cause) => new RateLimitStoreError({ message: `RateLimiterStore.${operation}: ${cause.message}`, cause })
  )

/**
 * How the items of `PersistedQueue` are kept.
 *
 * @since 0.1.0
 * @category models
 */
export interface PersistedQueueOptions {
  /**
   * How long one lease of an item lasts: from 100 ms to a day. It is renewed every third of that while the item is worked on. Default: 30
   * seconds.
   */
  readonly lease?: DurationInput | undefined
  /** The longest time between two questions while somebody waits, should the server's message be lost: from 10 ms. Default: 1 second. */
  readonly poll?: DurationInput | undefined
  /** For how long an id that a caller chose is known after its item is done. Default: a day. */
  readonly remember?: DurationInput | undefined
}

/**
 * The items of `PersistedQueue` of `@effect/experimental`.
 *
 * **Details**: first deliveries are in the order of the offers. An item that was taken is leased, and the lease is renewed; if its taker
 * dies, it comes back by itself. Success acknowledges it, and never that of another who has it by then: that is reported. A failure makes
 * it ready again at once, in its old place; after `maxAttempts` it is put aside. A `DistributedQueue` with the same name is the same queue:
 * its `deadLetters` are what was put aside.
 *
 * **Interruption**: whoever is interrupted while it waits loses nothing; an item whose handler was interrupted goes back, uncounted.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerPersistedQueueStore = (
  options: PersistedQueueOptions = {}
): Layer.Layer<PersistedQueueStore, never, Redis> =>
  Layer.effect(
    PersistedQueueStore,
    Effect.map(connection, (connection) => {
      const where = "layerPersistedQueueStore"
      const time = (what: string, input: DurationInput | undefined) =>
        input === undefined ? undefined : milliseconds(where, what, input)
      const settingsOf = (name: string, attempts: number) =>
        checkSettings(where, {
          name,
          attempts,
          lease: time("lease", options.lease),
          poll: time("poll", options.poll),
          remember: time("remember", options.remember),
          retry: { base: 0, cap: 0 }
        })
      // What makes no sense is refused when the layer is built.
      settingsOf("any", 1)
      const deliveries = new RedisDeliveries(connection)
      const store: deliverer.Store = {
        exchange: (request) => fromPromise(() => deliveries.exchange(request)),
        counts: (name) => fromPromise(() => deliveries.counts(name)),
        watch: (name, changed) =>
          Effect.asVoid(
            Effect.acquireRelease(
              fromPromise(() => deliveries.watch(name, changed)),
              (stop) => Effect.sync(stop)
            )
          )
      }
      /** A line for each queue, and each number of attempts: as many as the program names. */
      const lines = new Map<string, Deliverer>()
      const lineOf = (name: string, attempts: number): Effect.Effect<Deliverer> =>
        Effect.suspend(() => {
          const key = `${attempts}:${name}`
          const line = lines.get(key)
          if (line !== undefined) return Effect.succeed(line)
          return Effect.map(deliverer.make("PersistedQueueStore", store, settingsOf(name, attempts)), (made) => {
            lines.set(key, made)
            return made
          })
        })
      return {
        offer: ({ element, id, isCustomId, name }) =>
          kept(
            "offer",
            Effect.asVoid(
              fromPromise((signal) =>
                deliveries.offer(
                  { name, items: [{ id, payload: JSON.stringify(element), named: isCustomId }] },
                  { signal }
                )
              )
            )
          ),
        take: ({ maxAttempts, name }) =>
          Effect.flatMap(lineOf(name, Math.max(1, maxAttempts)), (line) =>
            kept(
              "take",
              deliverer.take(
                line,
                json,
                ({ given: { attempt, id } }, element) => ({ id, attempts: attempt - 1, element }),
                { kind: "acknowledge" }
              )
            )
          )
      }
    })
  )

const json: deliverer.Codec<unknown> = {
  encode: (element) => Effect.sync(() => JSON.stringify(element)),
  decode: deliverer.parse
}

const kept = <A, R>(
  operation: string,
  asked: Effect.Effect<A, StoreError, R>
): Effect.Effect<A, PersistedQueueError, R> =>
  Effect.mapError(
    asked,
    (cause) => new PersistedQueueError({ message: `PersistedQueueStore.${operation}: ${cause.message}`, cause })
  )
