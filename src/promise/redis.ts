/**
 * A Redis server for `async` functions, and what the distributed classes keep there.
 *
 * The package `ioredis` (version 5) is an optional peer: install it, or bring a driver. Redis 6.2 or later, and what speaks the same, as Valkey.
 *
 * @since 0.1.0
 */
import { connect, type RedisOptions } from "../redis/connect.js"
import type { CallOptions, Connection } from "../redis/connection.js"
import { RedisDeliveries } from "../redis/deliveries.js"
import { RedisLatches } from "../redis/latches.js"
import { RedisLeases } from "../redis/leases.js"
import { RedisParties } from "../redis/parties.js"
import { RedisRates } from "../redis/rates.js"
import type { DeliveryStore } from "./distributed/deliveries.js"
import type { LatchStore } from "./distributed/latches.js"
import type { LeaseStore } from "./distributed/leases.js"
import type { PartyStore } from "./distributed/parties.js"
import type { RateLimiterStore } from "./rateStore.js"

export { StoreError } from "../core/storeError.js"
export type { RedisOptions } from "../redis/connect.js"
export type { Driver, Link, LinkEvents } from "../redis/connection.js"
export type { IoRedis } from "../redis/ioredis.js"

/**
 * How a command is sent.
 *
 * @since 0.1.0
 */
export interface RedisCallOptions extends CallOptions {}

/**
 * A connection to a Redis server, with the stores of the distributed classes.
 *
 * **When to use**: make one for the program, and give its stores to what shares something with other processes.
 *
 * **Details**: it connects when it is made, and does not wait for that. What is asked meanwhile waits for the connection, for the `timeout` at most
 * (default 2 seconds); when the server has been away for that long, everything rejects at once until it is back. A connection that breaks is made
 * again by itself, without a word on the console. What was asked and not answered by then rejects with a `StoreError`, and is not sent again:
 * nobody knows whether it was done. Nothing is sent whose caller has given up. Listeners have a second connection. The process goes on while
 * it is open: close it.
 *
 * **Interruption**: an aborted call is over at once, with `signal.reason`. What was not sent is not sent; what was sent is done.
 *
 * @example
 * import { Redis } from "effect-concurrency/promise/redis"
 *
 * // A driver that answers "PONG" to everything. Yours is: new Redis({ url: "redis://localhost:6379" })
 * const driver = {
 *   open(events: { ready(): void }) {
 *     queueMicrotask(events.ready)
 *     return { call: async () => "PONG", reset() {}, close() {} }
 *   },
 *   isReply: () => false
 * }
 * const redis = new Redis({ driver })
 *
 * console.log(await redis.send("PING")) // => PONG
 * redis.close()
 *
 * @since 0.1.0
 */
export class Redis {
  /** @internal */
  readonly connection: Connection

  // Stores: each has no state but the connection.

  /** The rates of limiters: for `DistributedRateLimiter`. */
  readonly rates: RateLimiterStore

  /** The items of queues: for `DistributedQueue`. */
  readonly deliveries: DeliveryStore

  /** Leases of permits: for `DistributedMutex` and `DistributedSemaphore`. */
  readonly leases: LeaseStore

  /** Flags: for `DistributedEvent`. */
  readonly latches: LatchStore

  /** Those who wait for each other: for `DistributedBarrier`. */
  readonly parties: PartyStore

  constructor(options: RedisOptions = {}) {
    const connection = (this.connection = connect(options))
    this.deliveries = new RedisDeliveries(connection)
    this.latches = new RedisLatches(connection)
    this.leases = new RedisLeases(connection)
    this.parties = new RedisParties(connection)
    this.rates = new RedisRates(connection)
  }

  /**
   * Sends a command, and gives its answer: strings, integers, lists of them, `null`. All share one connection: a command that makes the server
   * wait (`BLPOP`) keeps all others waiting, and one that changes the connection (`MULTI`, `SELECT`, `SUBSCRIBE` and the like) is refused. For several
   * commands at once there is `eval`.
   */
  send(command: string, args: ReadonlyArray<string | number> = [], options?: RedisCallOptions): Promise<unknown> {
    return this.connection.send(command, args, options)
  }

  /** Runs a Lua script. From the second time on only its digest is sent. */
  eval(
    lua: string,
    keys: ReadonlyArray<string> = [],
    args: ReadonlyArray<string | number> = [],
    options?: RedisCallOptions
  ): Promise<unknown> {
    return this.connection.eval("EVAL", lua, keys, args, options)
  }

  /**
   * Listens to a channel; fulfilled when the server has confirmed it, with a function that ends it. The listener is called with each message; and
   * with `undefined` when the connection was lost and is there again, for messages may have been missed. It must not throw.
   */
  subscribe(
    channel: string,
    listener: (message: string | undefined) => void,
    options?: RedisCallOptions
  ): Promise<() => void> {
    return this.connection.subscribe(channel, listener, options)
  }

  /** Ends the connections at once. What is not answered yet rejects with a `StoreError`, and whatever is asked later. */
  close(): void {
    this.connection.close()
  }

  /** As `close`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close()
  }
}
