/**
 * Barriers on a Redis server.
 *
 * @internal
 */
import type { ArriveRequest, PartyRequest, WithdrawRequest } from "../core/parties.js"
import type { Answer } from "../core/party.js"
import { changedChannel, type Scripts, scripts } from "../core/redis/parties.js"
import type { Connection } from "./connection.js"

export class RedisParties {
  private readonly scripts: Scripts

  constructor(private readonly connection: Connection) {
    this.scripts = scripts(connection.prefix)
  }

  arrive(request: ArriveRequest): Promise<Answer> {
    return this.connection.run(this.scripts.arrive, request)
  }

  renew(request: PartyRequest): Promise<Answer> {
    return this.connection.run(this.scripts.renew, request)
  }

  withdraw(request: WithdrawRequest): Promise<void> {
    return this.connection.run(this.scripts.withdraw, request)
  }

  reset(name: string): Promise<void> {
    return this.connection.run(this.scripts.reset, name)
  }

  abort(name: string): Promise<void> {
    return this.connection.run(this.scripts.abort, name)
  }

  isBroken(name: string): Promise<boolean> {
    return this.connection.run(this.scripts.isBroken, name)
  }

  watch(name: string, changed: () => void): Promise<() => void> {
    return this.connection.subscribe(changedChannel(this.connection.prefix, name), () => changed())
  }
}
