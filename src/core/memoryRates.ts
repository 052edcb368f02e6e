/**
 * Rates in memory, as a store keeps them: the stand-in for one that several programs share.
 *
 * It has no clock: it is handed a timekeeper.
 *
 * @internal
 */
import type { Key } from "./limiter.js"
import { Limiter } from "./limiter.js"
import type { Grant } from "./rate.js"
import * as core from "./rateLimiter.js"
import type { Answer, StoreRequest } from "./rateStore.js"
import type { Timekeeper } from "./timekeeper.js"

interface Granted {
  readonly key: Key
  readonly grant: Grant
}

export class MemoryRates {
  /** A key is one for each rate that it is asked with. */
  private readonly limiters = new Map<string, Limiter>()

  constructor(private readonly time: Timekeeper) {}

  consume(request: StoreRequest): Answer {
    const key = this.limiterOf(request).key(request.key)
    const { decision, grant } = core.decide(key, request.cost, key.now)
    return { ...decision, grant: grant && { key, grant } }
  }

  giveBack(request: StoreRequest, answer: Answer): void {
    const { grant, key } = answer.grant as Granted
    this.limiterOf(request).giveBack(key, { ...grant, cost: request.cost })
  }

  private limiterOf({ algorithm, burst, interval, limit }: StoreRequest): Limiter {
    const id = [algorithm, burst, interval, limit].join()
    let limiter = this.limiters.get(id)
    if (limiter === undefined) {
      const options = { algorithm, limit, interval, burst: algorithm === "gcra" ? burst : undefined }
      this.limiters.set(id, (limiter = new Limiter(core.fromOptions("RateLimiter.Store", options), this.time)))
    }
    return limiter
  }
}
