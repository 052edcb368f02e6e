/**
 * The rates of limiters on a Redis server.
 *
 * @internal
 */
import type { Answer, StoreRequest, StoreReturn } from "../core/rateStore.js"
import { scriptsOf } from "../core/redis/rates.js"
import type { Connection } from "./connection.js"

/** A question is not sent twice: after a failure nobody knows whether units were taken, and at worst a few are lost. */
export class RedisRates {
  constructor(private readonly connection: Connection) {}

  consume(request: StoreRequest): Promise<ReadonlyArray<Answer>> {
    return this.connection.run(scriptsOf(request).take, request)
  }

  async giveBack(request: StoreReturn): Promise<void> {
    if (request.grants.length > 0) await this.connection.run(scriptsOf(request).giveBack, request)
  }
}
