/**
 * From options to a connection: for both skins.
 *
 * @internal
 */
import { callable, expect, record } from "../core/arguments.js"
import { Connection, type ConnectionOptions, defaultTimeout, type Driver } from "./connection.js"
import { ioredis, type IoRedis } from "./ioredis.js"

/**
 * Where the server is, and how it is used.
 *
 * @since 0.1.0
 */
export interface RedisOptions extends ConnectionOptions {
  /** Where the server is: `redis://user:password@host:port/database`, or `rediss://` for TLS. Default: port 6379 of this machine. */
  readonly url?: string | undefined
  /** More options of `ioredis`: `tls`, `sentinels`, `family`, … What concerns sending again, queues and timeouts is not taken from here. */
  readonly ioredis?: object | undefined
  /**
   * A client of `ioredis` that there is: connections are made as it was made. It is itself left alone: it is not used, changed, or closed. Its
   * `keyPrefix` does not count.
   */
  readonly client?: IoRedis | undefined
  /** What speaks the protocol, if it is not `ioredis`. */
  readonly driver?: Driver | undefined
}

export const connect = (options: RedisOptions): Connection => {
  const { client, driver, prefix, timeout, url } = record("Redis", options)
  expect(url === undefined || typeof url === "string", "Redis", "url", "a string", url)
  if (driver !== undefined) callable("Redis", "driver.open", driver.open)
  expect(
    [url, client, driver].filter((given) => given !== undefined).length <= 1,
    "Redis",
    "options",
    "given one of url, client and driver",
    options
  )
  return new Connection(driver ?? ioredis(options, timeout ?? defaultTimeout), { prefix, timeout })
}
