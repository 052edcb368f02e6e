/**
 * The items of queues on a Redis server.
 *
 * @internal
 */
import type {
  Change,
  Counts,
  DeadLetter,
  DeadRequest,
  ExchangeAnswer,
  ExchangeRequest,
  OfferRequest
} from "../core/deliveries.js"
import * as scripts from "../core/redis/deliveries.js"
import type { CallOptions, Connection } from "./connection.js"

/** As many ids as fit one question. */
const batch = 500

export class RedisDeliveries {
  constructor(private readonly connection: Connection) {}

  offer(request: OfferRequest, options?: CallOptions): Promise<ReadonlyArray<boolean>> {
    return this.connection.run(scripts.offer, request, options)
  }

  exchange(request: ExchangeRequest): Promise<ExchangeAnswer> {
    return this.connection.run(scripts.exchange, request)
  }

  counts(name: string): Promise<Counts> {
    return this.connection.run(scripts.counts, { name })
  }

  deadLetters(name: string, limit: number): Promise<ReadonlyArray<DeadLetter>> {
    return this.connection.run(scripts.deadLetters, { name, limit })
  }

  requeue(request: DeadRequest): Promise<number> {
    return this.move(request, "ready")
  }

  purge(request: DeadRequest): Promise<number> {
    return this.move(request, "nowhere")
  }

  watch(name: string, changed: (change: Change) => void): Promise<() => void> {
    return this.connection.subscribe(scripts.channel(this.connection.prefix, name), (message) =>
      changed(message === "ready" || message === "idle" ? message : undefined)
    )
  }

  /** All, or many, in several steps: none keeps the server from others for long. What dies meanwhile stays. */
  private async move({ ids, name }: DeadRequest, to: scripts.MoveRequest["to"]): Promise<number> {
    let count = 0
    if (ids !== undefined) {
      for (let i = 0; i < ids.length; i += batch) {
        const request = { name, ids: ids.slice(i, i + batch), to }
        count += (await this.connection.run(scripts.move, request)).count
      }
      return count
    }
    let moved: scripts.Moved = { count: 0, until: "", more: true }
    while (moved.more) {
      moved = await this.connection.run(scripts.move, { name, to, until: moved.until })
      count += moved.count
    }
    return count
  }
}
