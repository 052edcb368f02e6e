/**
 * Rates in memory, as a store keeps them: the stand-in for one that several programs share.
 *
 * It has no clock: it is handed a timekeeper.
 *
 * @internal
 */
import type { Grant, Usage } from "./rate.js"
import { decideAll, make } from "./rate.js"
import * as core from "./rateLimiter.js"
import type { Answer, StoreRequest, StoreReturn } from "./rateStore.js"
import type { Timekeeper } from "./timekeeper.js"

interface Granted {
  readonly usage: Usage
  readonly grant: Grant
}

/** A key with what it has used. Nobody waits here. */
class Key extends core.Key {
  fire(): void {}
}

export class MemoryRates {
  /** A key is one for each rate that it is asked with. */
  private readonly states = new Map<string, core.State>()

  constructor(private readonly time: Timekeeper) {}

  consume(request: StoreRequest): ReadonlyArray<Answer> {
    const now = this.time.now()
    const usage = this.usageOf(request, now)
    const answers: Array<Answer> = []
    for (const { grant, ...decision } of decideAll(usage, now, request.asks, request.ahead))
      answers.push({ ...decision, grant: grant && { usage, grant } })
    return answers
  }

  giveBack({ grants }: StoreReturn): void {
    for (const { cost, grant: granted } of grants) {
      const { grant, usage } = granted as Granted
      usage.giveBack(this.time.now(), { ...grant, cost })
    }
  }

  private usageOf(request: StoreRequest, now: number): Usage {
    const { key: name } = request
    const state = this.stateOf(request)
    core.evict(state, now)
    let key = state.keys.get(name)
    if (key === undefined) state.keys.set(name, (key = new Key(name, make(state.rate))))
    return key.usage
  }

  private stateOf({ algorithm, burst, interval, limit }: StoreRequest): core.State {
    const id = [algorithm, burst, interval, limit].join()
    let state = this.states.get(id)
    if (state === undefined) {
      const options = { algorithm, limit, interval, burst: algorithm === "gcra" ? burst : undefined }
      this.states.set(id, (state = core.fromOptions("RateLimiter.Store", options)))
    }
    return state
  }
}
