/**
 * A rate limit for `async` functions that several processes share: the `RateLimiter`, over a store that all of them reach.
 *
 * @since 0.1.0
 */
import { callable } from "../../core/arguments.js"
import * as core from "../../core/insured.js"
import * as rates from "../../core/rateLimiter.js"
import type * as Effects from "../../distributed/DistributedRateLimiter.js"
import type { RateLimiterMakeOptions } from "../RateLimiter.js"
import type { RateLimiterStore, RateLimiterStoreDecision } from "../rateStore.js"
import { rateLimiterStoreMemory, StoredRateLimiter } from "../rateStore.js"
import { report, type Reporter } from "../report.js"
import { view } from "../view.js"

/**
 * A rate limit over a store: processes that give the same key and the same rate share the rate. Another rate for the same key is another count.
 *
 * It is the limiter of `RateLimiterWithStore`, which says in full what is promised, with its arguments and its errors as the others here have them:
 * the store comes first. `DistributedRateLimiter.from` shares one, of either skin.
 *
 * @example
 * import { rateLimiterStoreMemory } from "effect-concurrency/promise"
 * import { DistributedRateLimiter } from "effect-concurrency/promise/distributed"
 *
 * // For several processes: new Redis({ url }).rates, of effect-concurrency/promise/redis.
 * const limiter = new DistributedRateLimiter(rateLimiterStoreMemory(), { limit: 600, interval: 60_000 })
 *
 * console.log(await limiter.run(() => "a user", { key: "api.example.org" })) // => a user
 *
 * @since 0.1.0
 */
export class DistributedRateLimiter extends StoredRateLimiter {
  constructor(store: RateLimiterStore, options: RateLimiterMakeOptions) {
    super("DistributedRateLimiter", store, options)
  }

  /** @internal */
  protected override get where(): string {
    return "DistributedRateLimiter"
  }

  /** A view of the limiter that an Effect program, or other plain code, uses: all wait in one line, on the clock of where it was made. */
  static from(limiter: Effects.DistributedRateLimiter<unknown, unknown> | StoredRateLimiter): DistributedRateLimiter {
    return view(DistributedRateLimiter.prototype, "DistributedRateLimiter", rates.TypeId, limiter)
  }
}

/**
 * How a store is insured.
 *
 * @since 0.1.0
 */
export interface InsuredOptions {
  /** What stands in for the store. Default: a store in memory. */
  readonly substitute?: RateLimiterStore | undefined
  /** Who is told when the store is down, and when it is back. Default: the console. */
  readonly onError?: Reporter | undefined
}

/**
 * A store that is insured: when it cannot be reached, another stands in for it, by default one in memory.
 *
 * **When to use**: where it is better to exceed a limit while the store is down than to do nothing. Each process then has the whole rate for itself.
 *
 * **Details**: every question is put to the store first. When that rejects with a `StoreError` whose reason is `"timeout"`, `"connection"` or
 * `"server"`, the same question is put to the other, which knows nothing of what was used before. Everything else it rejects with is passed on. That
 * it went over, and that it came back, is reported once each.
 *
 * @example
 * import { StoreError } from "effect-concurrency/promise"
 * import { DistributedRateLimiter, insured } from "effect-concurrency/promise/distributed"
 *
 * const down = async () => {
 *   throw new StoreError("nobody there", { reason: "connection" })
 * }
 * const told: Array<string> = []
 * const store = insured({ consume: down, giveBack: down }, { onError: ({ message }) => told.push(message) })
 * const limiter = new DistributedRateLimiter(store, { limit: 2, interval: 60_000 })
 *
 * const { allowed } = await limiter.tryConsume("ada")
 * console.log(allowed, told.length) // => true 1
 *
 * @since 0.1.0
 */
export const insured = (store: RateLimiterStore, options: InsuredOptions = {}): RateLimiterStore => {
  const { onError, substitute = rateLimiterStoreMemory() } = options
  callable("insured", "store.consume", store?.consume)
  callable("insured", "store.giveBack", store.giveBack)
  callable("insured", "substitute.consume", substitute?.consume)
  if (onError !== undefined) callable("insured", "onError", onError)
  const state = core.make()
  const tell = (message: string, error: unknown) =>
    void report({ where: "DistributedRateLimiter", name: undefined, message, error }, onError)
  const up = (question: number) => {
    if (core.worked(state, question)) tell(core.reports.up, undefined)
  }
  /** Passes on what is no outage. */
  const down = (question: number, error: unknown) => {
    if (!core.isDown(error)) throw error
    if (core.failed(state, question)) tell(core.reports.down, error)
  }
  return {
    async consume(request): Promise<ReadonlyArray<RateLimiterStoreDecision>> {
      const question = core.ask(state)
      try {
        const answers = await store.consume(request)
        up(question)
        return answers
      } catch (error) {
        down(question, error)
      }
      return core.substituted(await substitute.consume(request))
    },
    async giveBack(request) {
      const { toStore, toSubstitute } = core.returns(request)
      if (toSubstitute.grants.length > 0) await substitute.giveBack(toSubstitute)
      if (toStore.grants.length === 0) return
      const question = core.ask(state)
      try {
        await store.giveBack(toStore)
        up(question)
      } catch (error) {
        // What cannot be given back is lost. That the store is down is told, and that is enough.
        down(question, error)
      }
    }
  }
}
