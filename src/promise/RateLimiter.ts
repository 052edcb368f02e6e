/**
 * A rate limiter for `async` functions: at most so many in an interval, for each key, first come, first served.
 *
 * @since 0.1.0
 */
import { callable } from "../core/arguments.js"
import * as event from "../core/event.js"
import { Limiter, type Reservation } from "../core/limiter.js"
import type { Decision, Grant } from "../core/rate.js"
import * as core from "../core/rateLimiter.js"
import { wake } from "../core/ticket.js"
import type * as Effects from "../RateLimiter.js"
import { Context, start } from "./context.js"
import { checkWait, park, PromiseTicket, wait, type WaitOptions } from "./park.js"
import { platformTime } from "./timer.js"
import { view } from "./view.js"

export {
  /**
   * As many wait for the key as may. `retryAfter` is in milliseconds.
   *
   * @since 0.1.0
   */
  RateLimited,
  /**
   * What a store can reject with that cannot decide.
   *
   * @since 0.1.0
   */
  StoreError
} from "../core/rateLimiter.js"

/**
 * How a limiter is made. The interval is in milliseconds.
 *
 * @since 0.1.0
 */
export interface RateLimiterMakeOptions extends core.Options {}

/**
 * How units are asked for: how many, by default one; and a signal or a timeout to give up by.
 *
 * @since 0.1.0
 */
export interface RateLimiterOptions extends core.RequestOptions, WaitOptions {}

/**
 * How a function is run: for which key, how many units it takes, and how long it waits for them.
 *
 * @since 0.1.0
 */
export interface RateLimiterRunOptions extends RateLimiterOptions {
  /** Default: `"default"`. */
  readonly key?: string | undefined
}

/**
 * What a function is given.
 *
 * @since 0.1.0
 */
export interface RateLimiterContext {
  /** The caller's signal; one that never aborts when there was none. */
  readonly signal: AbortSignal
}

/**
 * A place in the line of a key that was taken ahead of time.
 *
 * @since 0.1.0
 */
export class RateLimiterReservation {
  /** @internal */
  constructor(
    private readonly reserved: Reservation,
    private readonly failed: () => Promise<never> | undefined = () => undefined
  ) {}

  /**
   * In how many milliseconds, seen from the reservation, it comes. It comes sooner when somebody before it gives up; and later than this
   * only when several costs were mixed in a sliding window. Over a store it is a least time: others may take what it counts on.
   */
  get delay(): number {
    return this.reserved.delay
  }

  /** Waits until it has come. False: it was cancelled. Giving up this wait does not cancel it. Rejects when a store fails. */
  async wait(options?: WaitOptions): Promise<boolean> {
    const where = "RateLimiterReservation.wait"
    const { over } = this.reserved
    checkWait(where, options)
    if (!over.isSet) await wait(where, over, undefined, options, event.enqueue, event.cancel)
    return this.reserved.isCancelled ? false : (this.failed() ?? true)
  }

  /** Gives up the place or, when it has come already, gives back what was not used. False: it was cancelled before. */
  cancel(): boolean {
    return this.reserved.cancel()
  }
}

/**
 * A reservation's place in line: it tells those who wait for the reservation, or for what there is to know of it.
 *
 * @internal
 */
export class ReservationTicket<out Request, in out Result> extends PromiseTicket<Request, Result> {
  readonly over: event.State
  private readonly known: event.State | undefined

  constructor(request: Request, place?: { readonly known: event.State; readonly over: event.State }) {
    super(request, 0)
    this.over = place?.over ?? event.make()
    this.known = place?.known
  }

  override wake(): void {
    wake(event.set(this.over))
    if (this.known !== undefined) wake(event.set(this.known))
  }
}

/** @internal */
export type Work<A> = (context: RateLimiterContext) => A | PromiseLike<A>

/**
 * At most so many units in an interval, for each key. The same machine as the Effect module's `RateLimiter`; `RateLimiter.from` shares one.
 *
 * **When to use**: to keep to how often something may be done: requests to a server with a quota, mails to a person. The key is whom it
 * counts for: a host, a user. A limiter without keys uses one, `"default"`. To limit how many run at once, use a `Semaphore`.
 *
 * **Details**: by default a sliding window: no interval, whenever it begins, has more than the limit. With `algorithm: "gcra"` (a token
 * bucket) or a `burst`, up to `burst` at once and the rest evenly spread. What is to be had at once is taken before a call returns, and its
 * function started. A cost that can never fit is a `RangeError`. With a `backlog`, one more than may wait is refused with `RateLimited`,
 * whose `retryAfter` is in milliseconds, as all times here. There is a timer only while somebody waits, and one for all.
 *
 * **Interruption**: an aborted or timed-out wait leaves the line at once, and those behind it move up. What was granted to it in the same
 * tick goes back, and to the next.
 *
 * **Fairness**: strict order of arrival for each key. Nobody overtakes: neither a newcomer, nor a smaller cost, nor `tryConsume`.
 *
 * @example
 * import { RateLimiter } from "effect-concurrency/promise"
 *
 * const limiter = new RateLimiter({ limit: 2, interval: 200 })
 * const began = performance.now()
 * const results = await Promise.all([1, 2, 3, 4].map((n) => limiter.run(async () => n * n, { key: "example.org" })))
 *
 * console.log(results) // => [ 1, 4, 9, 16 ]
 * console.log(performance.now() - began >= 199) // => true
 * console.log(limiter.tryConsume("example.org").allowed) // => false
 *
 * @see RateLimiterWithStore for one whose rates are kept elsewhere, for several programs.
 * @since 0.1.0
 */
export class RateLimiter {
  /** @internal */
  declare readonly [core.TypeId]: Limiter

  constructor(options: RateLimiterMakeOptions) {
    this[core.TypeId] = new Limiter(core.fromOptions("new RateLimiter", options), platformTime())
  }

  /** A view of the limiter that an Effect program, or other plain code, uses: all wait in one line, on the clock of where it was made. */
  static from(limiter: Effects.RateLimiter<unknown> | RateLimiter): RateLimiter {
    return view(RateLimiter.prototype, "RateLimiter", core.TypeId, limiter)
  }

  /** Takes units, and waits for them if it has to. */
  consume(key = core.defaultKey, options?: RateLimiterOptions): Promise<void> {
    try {
      const where = "RateLimiter.consume"
      const limiter = this[core.TypeId]
      const request = requestOf(where, limiter, key, options)
      return request === undefined ? Promise.resolve() : granted(where, new Waiter(limiter, request), options)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Takes units if they are to be had without waiting and without overtaking anybody, and says what was decided. */
  tryConsume(key = core.defaultKey, options?: core.RequestOptions): Decision {
    const limiter = this[core.TypeId]
    const cost = core.checkRequest("RateLimiter.tryConsume", limiter.state.rate, key, options)
    return limiter.decide(limiter.key(key), cost)
  }

  /**
   * Takes a place in line now, for later, and says how long it will take. What is reserved is taken when its turn comes, whether anybody
   * waits for it or not; who does not need it any more cancels it. Throws `RateLimited` when as many wait as may.
   */
  reserve(key = core.defaultKey, options?: core.RequestOptions): RateLimiterReservation {
    const limiter = this[core.TypeId]
    const cost = core.checkRequest("RateLimiter.reserve", limiter.state.rate, key, options)
    const of = limiter.key(key)
    const refused = limiter.available(of, cost) ? undefined : limiter.refusal(of, cost)
    if (refused !== undefined) throw refused
    const ticket = new ReservationTicket<core.Request, Grant>({ key: of, cost })
    return new RateLimiterReservation(limiter.reserve(ticket, ticket.over))
  }

  /**
   * Runs a function when its turn has come. An abort before that is an abort of the wait, and nothing is used; the function is given the
   * signal.
   */
  run<A>(f: Work<A>, options?: RateLimiterRunOptions): Promise<A> {
    try {
      const where = "RateLimiter.run"
      callable(where, "f", f)
      const limiter = this[core.TypeId]
      const request = requestOf(where, limiter, options?.key ?? core.defaultKey, options)
      if (request === undefined) return start(f, options?.signal)
      // A reaction rather than a call from `wake`: it runs in the caller's context (AsyncLocalStorage).
      return granted<Run>(where, new Run(limiter, request, f, options?.signal), options).then(begin) as Promise<A>
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** A function that runs each of its calls when its turn has come. */
  wrap<This, Args extends Array<unknown>, A>(
    f: (this: This, ...args: Args) => A | PromiseLike<A>,
    options?: RateLimiterRunOptions
  ): (this: This, ...args: Args) => Promise<A> {
    callable("RateLimiter.wrap", "f", f)
    const run = (call: () => A | PromiseLike<A>) => this.run(call, options)
    return function (...args) {
      return run(() => f.apply(this, args))
    }
  }

  /** A frozen snapshot. */
  stats(): core.Stats {
    return core.stats(this[core.TypeId].state)
  }
}

/** Takes units, or gives the request that has to wait for them. */
const requestOf = (
  where: string,
  limiter: Limiter,
  name: string,
  options: RateLimiterOptions | undefined
): core.Request | undefined => {
  const cost = core.checkRequest(where, limiter.state.rate, name, options)
  checkWait(where, options)
  const key = limiter.key(name)
  if (limiter.tryTake(key, cost) !== undefined) return undefined
  const refused = limiter.refusal(key, cost)
  if (refused !== undefined) throw refused
  return { key, cost }
}

/** The place of a caller in line. What it was granted is nothing that a caller could use. */
class Waiter extends PromiseTicket<core.Request, Grant> {
  constructor(
    readonly limiter: Limiter,
    request: core.Request
  ) {
    super(request, 0)
  }

  override claim(): unknown {
    return undefined
  }
}

/** The place of a function in line. It knows all that is needed to run it: with no closures, since there may be very many. */
class Run extends Waiter {
  constructor(
    limiter: Limiter,
    request: core.Request,
    private readonly f: Work<unknown>,
    private readonly signal: AbortSignal | undefined
  ) {
    super(limiter, request)
  }

  override claim(): this {
    return this
  }

  begin(): unknown {
    const { signal } = this
    if (!signal?.aborted) return this.f(new Context(signal))
    // Aborted between the grant and this reaction.
    wake(this.limiter.cancel(this))
    throw signal.reason
  }
}

const begin = (run: Run): unknown => run.begin()

const granted = <A>(where: string, ticket: Waiter, options: RateLimiterOptions | undefined): Promise<A> =>
  park(where, ticket.limiter, ticket, options, enqueue, cancel)

const enqueue = (limiter: Limiter, ticket: Waiter): void => limiter.enqueue(ticket)

const cancel = (limiter: Limiter, ticket: Waiter) => limiter.cancel(ticket)
