/**
 * A Redis server, and what the distributed services keep there.
 *
 * The package `ioredis` (version 5) is an optional peer: install it, or bring a driver. Redis 6.2 or later, and what speaks the same, as Valkey.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { StoreError } from "./core/storeError.js"
import * as DeliveryStore from "./distributed/DeliveryStore.js"
import * as LatchStore from "./distributed/LatchStore.js"
import * as LeaseStore from "./distributed/LeaseStore.js"
import * as PartyStore from "./distributed/PartyStore.js"
import { layerScoped, tagClass } from "./internal/effect.js"
import type * as service from "./internal/service.js"
import { options as serviceOptions } from "./internal/service.js"
import { fromPromise } from "./internal/store.js"
import * as RateLimiter from "./RateLimiter.js"
import { connect, type RedisOptions } from "./redis/connect.js"
import type { Connection } from "./redis/connection.js"
import type { IoRedis } from "./redis/ioredis.js"
import { RedisDeliveries } from "./redis/deliveries.js"
import { RedisLatches } from "./redis/latches.js"
import { RedisLeases } from "./redis/leases.js"
import { RedisParties } from "./redis/parties.js"
import { RedisRates } from "./redis/rates.js"

export {
  /**
   * A store could not do what it was asked; `reason` says why.
   *
   * @since 0.1.0
   * @category errors
   */
  StoreError
}

/**
 * @since 0.1.0
 * @category models
 */
export type { RedisOptions } from "./redis/connect.js"

/**
 * What speaks the protocol: for a client library other than `ioredis`.
 *
 * @since 0.1.0
 * @category models
 */
export type { Driver, Link, LinkEvents } from "./redis/connection.js"

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: TypeId = "~effect-concurrency/Redis"

/**
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = "~effect-concurrency/Redis"

/**
 * What can be done with a server directly. Each operation ends within the `timeout` of the connection (default 2 seconds) with an answer or a
 * `StoreError`.
 *
 * @since 0.1.0
 * @category models
 */
export interface RedisShape {
  readonly [TypeId]: Connection

  /**
   * Sends a command, and gives its answer: strings, integers, lists of them, `null`. All share one connection: a command that makes the server
   * wait (`BLPOP`) keeps all others waiting, and one that changes the connection (`MULTI`, `SELECT`, `SUBSCRIBE` and the like) is refused. For several
   * commands at once there is `eval`.
   */
  readonly send: (command: string, ...args: ReadonlyArray<string | number>) => Effect.Effect<unknown, StoreError>

  /** Runs a Lua script. From the second time on only its digest is sent. */
  readonly eval: (
    lua: string,
    input?: {
      readonly keys?: ReadonlyArray<string> | undefined
      readonly args?: ReadonlyArray<string | number> | undefined
    }
  ) => Effect.Effect<unknown, StoreError>

  /**
   * Listens to a channel until the scope is closed; ends when the server has confirmed it. The listener is called with each message; and with
   * `undefined` when the connection was lost and is there again, for messages may have been missed. It must not throw.
   */
  readonly subscribe: (
    channel: string,
    listener: (message: string | undefined) => void
  ) => Effect.Effect<void, StoreError, Scope.Scope>
}

/**
 * A connection to a Redis server, which all stores of a program share.
 *
 * **When to use**: give its layer to those of the stores, {@link layerStores} for all of them; or use it directly.
 *
 * **Details**: it connects when the layer is built, and does not wait for that: a program starts also while its server is down. What is asked
 * meanwhile waits for the connection, for the `timeout` at most; when the server has been away for that long, everything fails at once until it is
 * back. A connection that breaks is made again by itself, without a word on the console. What was asked and not answered by then fails with a
 * `StoreError`, and is not sent again: nobody knows whether it was done. Nothing is sent whose caller has given up. Listeners have a second
 * connection.
 *
 * **Interruption**: an operation that is interrupted is over at once. What was not sent is not sent; what was sent is done.
 *
 * @example
 * import { Redis } from "effect-concurrency/redis"
 * import { Effect, Layer } from "effect"
 *
 * const program = Effect.flatMap(Redis, (redis) => redis.send("PING"))
 *
 * // A driver that answers "PONG" to everything. Yours is: layer({ url: "redis://localhost:6379" })
 * import { layer } from "effect-concurrency/redis"
 * const driver = {
 *   open(events: { ready(): void }) {
 *     queueMicrotask(events.ready)
 *     return { call: async () => "PONG", reset() {}, close() {} }
 *   },
 *   isReply: () => false
 * }
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(layer({ driver }))))) // => PONG
 *
 * @since 0.1.0
 * @category services
 */
export class Redis extends tagClass<Redis, RedisShape>("effect-concurrency/Redis") {}

/** The release is there before the wait: an interruption may come when the server has confirmed and the fiber does not know yet. */
const subscribe = (
  connection: Connection,
  channel: string,
  listener: (message: string | undefined) => void
): Effect.Effect<void, StoreError, Scope.Scope> =>
  Effect.suspend(() => {
    let isOver = false
    let leave = () => {}
    const entered = (end: () => void) => {
      if (isOver) end()
      else leave = end
    }
    const over = Effect.sync(() => {
      isOver = true
      leave()
    })
    return Effect.zipRight(
      Effect.addFinalizer(() => over),
      fromPromise((signal) => connection.subscribe(channel, listener, { signal }).then(entered))
    )
  })

const make = (options: RedisOptions): Effect.Effect<RedisShape, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => connect(options)),
      (connection) => Effect.sync(() => connection.close())
    ),
    (connection) => ({
      [TypeId]: connection,
      send: (command, ...args) => fromPromise((signal) => connection.send(command, args, { signal })),
      eval: (lua, { args = [], keys = [] } = {}) =>
        fromPromise((signal) => connection.eval("EVAL", lua, keys, args, { signal })),
      subscribe: (channel, listener) => subscribe(connection, channel, listener)
    })
  )

/**
 * A connection to a server. The options may also be an effect that finds them out when the layer is built, such as a `Config`. Options that make
 * no sense are a defect.
 *
 * @example
 * import { layer, layerStores } from "effect-concurrency/redis"
 * import { Config, Layer } from "effect"
 *
 * const redis = layer(Config.map(Config.string("REDIS_URL"), (url) => ({ url })))
 *
 * // Where all distributed services of the program keep what they share.
 * const stores = Layer.provide(layerStores, redis)
 *
 * console.log(Layer.isLayer(stores)) // => true
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <E = never, R = never>(
  options: service.Options<RedisOptions, E, R> = {}
): Layer.Layer<Redis, E, Exclude<R, Scope.Scope>> => layerScoped(Redis, Effect.flatMap(serviceOptions(options), make))

/**
 * Connections like that of an `ioredis` client which there is. The client is left alone: it is not used, changed, or closed.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerFrom = (client: IoRedis, options?: Pick<RedisOptions, "timeout" | "prefix">): Layer.Layer<Redis> =>
  layer({ ...options, client })

// -------------------------------------------------------------------------------------------------------------------------- stores

/** The store of a service, over the connection. */
const store = <Self, Shape>(
  tag: Context.Tag<Self, Shape>,
  over: (connection: Connection) => Shape
): Layer.Layer<Self, never, Redis> =>
  Layer.effect(
    tag,
    Effect.map(Redis, (redis) => over(redis[TypeId]))
  )

/**
 * The rates of limiters: see `DistributedRateLimiter`.
 *
 * **Details**: one script decides, by the server's clock, in whole microseconds; any rate, also with a fraction, is exact. Another rate for the
 * same key is another count. A key that is not used any more expires. What is given back is taken back, if it would still count.
 *
 * @since 0.1.0
 * @category stores
 */
export const layerRates: Layer.Layer<RateLimiter.Store, never, Redis> = store(RateLimiter.Store, (connection) => {
  const rates = new RedisRates(connection)
  return {
    consume: (request) => fromPromise(() => rates.consume(request)),
    giveBack: (request) => fromPromise(() => rates.giveBack(request))
  }
})

/**
 * Leases of permits: see `DistributedMutex` and `DistributedSemaphore`.
 *
 * **Details**: one script a request, by the server's clock. A name has one key, which expires at least half a day after its last lease. Tokens are the server's time
 * in microseconds, or one more than the latest: so they also grow when the server has lost its data.
 *
 * @since 0.1.0
 * @category stores
 */
export const layerLeases: Layer.Layer<LeaseStore.LeaseStore, never, Redis> = store(
  LeaseStore.LeaseStore,
  (connection) => LeaseStore.fromPromises(new RedisLeases(connection))
)

/**
 * The items of queues: see `DistributedQueue`.
 *
 * **Details**: one script a request, by the server's clock. A queue that is empty leaves nothing behind that does not expire. Places and tokens are
 * the server's time in microseconds, or one more than the latest: so they also grow when the server has lost its data. (What was in the queue
 * is lost then: how much a server can lose, its own persistence says.)
 *
 * @since 0.1.0
 * @category stores
 */
export const layerDeliveries: Layer.Layer<DeliveryStore.DeliveryStore, never, Redis> = store(
  DeliveryStore.DeliveryStore,
  (connection) => DeliveryStore.fromPromises(new RedisDeliveries(connection))
)

/**
 * Flags: see `DistributedEvent`.
 *
 * **Details**: one script a request, by the server's clock. A name has one key, which expires a day after it was last changed; while a flag is set for
 * ever it does not. Counts are the server's time in microseconds, or one more than the latest: so they also grow when the server has lost its data.
 *
 * @since 0.1.0
 * @category stores
 */
export const layerLatches: Layer.Layer<LatchStore.LatchStore, never, Redis> = store(
  LatchStore.LatchStore,
  (connection) => LatchStore.fromPromises(new RedisLatches(connection))
)

/**
 * Those who wait for each other: see `DistributedBarrier`.
 *
 * **Details**: one script a request, by the server's clock. A name has three keys. They expire a minute after nothing need be remembered any more, and
 * those of a broken barrier after a day.
 *
 * @since 0.1.0
 * @category stores
 */
export const layerParties: Layer.Layer<PartyStore.PartyStore, never, Redis> = store(
  PartyStore.PartyStore,
  (connection) => PartyStore.fromPromises(new RedisParties(connection))
)

/**
 * All stores.
 *
 * @since 0.1.0
 * @category stores
 */
export const layerStores: Layer.Layer<
  | RateLimiter.Store
  | LeaseStore.LeaseStore
  | DeliveryStore.DeliveryStore
  | LatchStore.LatchStore
  | PartyStore.PartyStore,
  never,
  Redis
> = Layer.mergeAll(layerRates, layerLeases, layerDeliveries, layerLatches, layerParties)
