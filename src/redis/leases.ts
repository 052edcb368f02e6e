/**
 * Leases on a Redis server.
 *
 * @internal
 */
import type { AcquireRequest, Answer, Holder, Released, RenewRequest } from "../core/lessor.js"
import * as scripts from "../core/redis/leases.js"
import type { Script } from "../core/redis/script.js"
import type { Connection } from "./connection.js"

export class RedisLeases {
  private readonly releasing: Script<Holder, Released>

  constructor(private readonly connection: Connection) {
    this.releasing = scripts.release(connection.prefix)
  }

  acquire(request: AcquireRequest): Promise<Answer> {
    return this.connection.run(scripts.acquire, request)
  }

  renew(request: RenewRequest): Promise<boolean> {
    return this.connection.run(scripts.renew, request)
  }

  release(request: Holder): Promise<Released> {
    return this.connection.run(this.releasing, request)
  }

  watch(name: string, onFreed: () => void): Promise<() => void> {
    return this.connection.subscribe(scripts.freedChannel(this.connection.prefix, name), () => onFreed())
  }
}
