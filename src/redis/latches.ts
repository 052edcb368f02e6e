/**
 * Flags on a Redis server.
 *
 * @internal
 */
import type { Look } from "../core/latch.js"
import type { SetRequest } from "../core/latches.js"
import * as scripts from "../core/redis/latches.js"
import type { Script } from "../core/redis/script.js"
import type { Connection } from "./connection.js"

export class RedisLatches {
  private readonly setting: Script<SetRequest, void>
  private readonly pulsing: Script<string, void>

  constructor(private readonly connection: Connection) {
    this.setting = scripts.set(connection.prefix)
    this.pulsing = scripts.pulse(connection.prefix)
  }

  set(request: SetRequest): Promise<void> {
    return this.connection.run(this.setting, request)
  }

  clear(name: string): Promise<void> {
    return this.connection.run(scripts.clear, name)
  }

  pulse(name: string): Promise<void> {
    return this.connection.run(this.pulsing, name)
  }

  look(name: string): Promise<Look> {
    return this.connection.run(scripts.look, name)
  }

  watch(name: string, changed: () => void): Promise<() => void> {
    return this.connection.subscribe(scripts.changedChannel(this.connection.prefix, name), () => changed())
  }
}
