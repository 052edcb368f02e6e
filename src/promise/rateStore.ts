/**
 * A rate limiter for `async` functions whose rates a store keeps.
 *
 * @since 0.1.0
 */
import { callable } from "../core/arguments.js"
import * as event from "../core/event.js"
import { Reservation } from "../core/limiter.js"
import { MemoryRates } from "../core/memoryRates.js"
import type { Ask, Decision } from "../core/rate.js"
import * as rates from "../core/rateLimiter.js"
import type { Answer, Outcome, Request, StoreRequest, StoreReturn } from "../core/rateStore.js"
import * as core from "../core/rateStore.js"
import { type Port, StoreLimiter } from "../core/storeLimiter.js"
import type * as Effects from "../RateLimiter.js"
import { Context } from "./context.js"
import { ask } from "./ask.js"
import { attempt, checkWait, park, PromiseTicket, wait } from "./park.js"
import type { RateLimiterMakeOptions, RateLimiterOptions, RateLimiterRunOptions, Work } from "./RateLimiter.js"
import { RateLimiterReservation, ReservationTicket } from "./RateLimiter.js"
import { report } from "./report.js"
import { platformTime } from "./timer.js"
import { view } from "./view.js"

/**
 * What somebody wants of a store.
 *
 * @since 0.1.0
 */
export interface RateLimiterStoreAsk extends Ask {}

/**
 * What a store is asked: a key, the rate, whose interval is in milliseconds, perhaps with a fraction, and what is wanted. For a sliding
 * window, `burst` is the limit.
 *
 * @since 0.1.0
 */
export interface RateLimiterStoreRequest extends StoreRequest {}

/**
 * What a store decides about one who asked.
 *
 * @since 0.1.0
 */
export interface RateLimiterStoreDecision extends Decision {
  /** In how many milliseconds what was granted can be used: 0 when it can now, and when nothing was granted. */
  readonly delay: number
  /** Whatever the store needs to know its grant again. */
  readonly grant?: unknown
}

/**
 * What a store is given back: parts of grants, or all of them.
 *
 * @since 0.1.0
 */
export interface RateLimiterStoreReturn extends StoreReturn {}

type Answered = ReadonlyArray<RateLimiterStoreDecision>

/**
 * What a store does. It keeps what is used of the rates, and decides; who waits, and in which order, is the limiter's business. What it has
 * to promise is what `StoreShape` of the Effect module's `RateLimiter` says.
 *
 * @since 0.1.0
 */
export interface RateLimiterStore {
  /**
   * Decides about each of `asks` in turn, in one step and by its own clock: grants all of its `cost` now, or for a time of no more than
   * `ahead` milliseconds from now, or refuses it. With the refusal of one who does not only try (`tries`), the answer ends.
   */
  consume(request: RateLimiterStoreRequest): Answered | PromiseLike<Answered>
  /** Undoes what was granted, or parts of it: `cost` says how much of each grant. A store that cannot do so does nothing. */
  giveBack(request: RateLimiterStoreReturn): unknown
}

/**
 * A store in memory, on the platform's clock: what stands in for another in a test. A key is one for each rate that it is asked with.
 *
 * @since 0.1.0
 */
export const rateLimiterStoreMemory = (): RateLimiterStore => new MemoryRates(platformTime())

/** What fails is what the store rejected with. */
class StorePort implements Port {
  constructor(
    private readonly where: string,
    private readonly store: RateLimiterStore
  ) {}

  ask(request: StoreRequest, answer: (answers: ReadonlyArray<Answer>) => void, fail: (failure: unknown) => void): void {
    const check = (answers: ReadonlyArray<Answer>) => core.checkAnswers(request.asks, answers)
    ask(() => this.store.consume(request), check, answer, fail)
  }

  giveBack(request: StoreReturn, over: () => void): void {
    attempt(() => this.store.giveBack(request)).then(over, (error) => {
      this.tell(request.key, "what was not used could not be given back", error)
      over()
    })
  }

  report(key: string, error: unknown): void {
    this.tell(key, "the store failed, and nobody waits for its answer", error)
  }

  private tell(name: string, message: string, error: unknown): void {
    void report({ where: this.where, name, message, error })
  }

  errorOf(failure: unknown): unknown {
    return failure
  }
}

/** The place of a caller in line. */
class Waiter extends PromiseTicket<Request, Outcome> {
  constructor(
    private readonly limiter: StoreLimiter,
    request: Request
  ) {
    super(request, 0)
  }

  override claim(): Decision | Promise<never> {
    const outcome = this.result!
    return errorOf(this.limiter, outcome) ?? (outcome as Extract<Outcome, { decision: Decision }>).decision
  }
}

const errorOf = ({ port }: StoreLimiter, outcome: Outcome | undefined): Promise<never> | undefined =>
  outcome?.kind === "full"
    ? Promise.reject(outcome.error)
    : outcome?.kind === "failed"
      ? Promise.reject(port.errorOf(outcome.failure))
      : undefined

/**
 * What a limiter over a store does, under whichever name: with that begin its errors and what it reports.
 *
 * @internal
 */
export abstract class StoredRateLimiter {
  /** @internal */
  declare readonly [rates.TypeId]: StoreLimiter

  constructor(name: string, store: RateLimiterStore, options: RateLimiterMakeOptions) {
    const where = `new ${name}`
    callable(where, "store.consume", store?.consume)
    callable(where, "store.giveBack", store.giveBack)
    const state = core.fromOptions(where, options)
    this[rates.TypeId] = new StoreLimiter(state, new StorePort(this.where, store), platformTime())
  }

  /**
   * Of the class, for a view is not constructed.
   *
   * @internal
   */
  protected get where(): string {
    return "RateLimiter"
  }

  /** Takes units, and waits for them if it has to. */
  consume(key = rates.defaultKey, options?: RateLimiterOptions): Promise<void> {
    return attempt(() => taken(`${this.where}.consume`, this[rates.TypeId], key, options)).then(nothing)
  }

  /** Takes units if they are to be had without waiting for more and without overtaking anybody, and says what was decided. */
  tryConsume(key = rates.defaultKey, options?: RateLimiterOptions): Promise<Decision> {
    return attempt(() => {
      const where = `${this.where}.tryConsume`
      const limiter = this[rates.TypeId]
      const request = requestOf(where, limiter, key, options, true)
      return limiter.refused(key, request.cost) ?? granted(where, new Waiter(limiter, request), limiter, options)
    })
  }

  /**
   * Takes a place in line now, for later, and says, when the store has answered, how long it will take. What is reserved is taken when its
   * turn comes, whether anybody waits for it or not; who does not need it any more cancels it.
   */
  reserve(key = rates.defaultKey, options?: RateLimiterOptions): Promise<RateLimiterReservation> {
    return attempt(async () => {
      const where = `${this.where}.reserve`
      const limiter = this[rates.TypeId]
      const request = accepted(where, limiter, key, options)
      const place = core.place()
      const ticket = new ReservationTicket<Request, Outcome>({ ...request, place }, place)
      limiter.enqueue(ticket)
      try {
        if (!place.known.isSet) await wait(where, place.known, undefined, options, event.enqueue, event.cancel)
      } catch (reason) {
        limiter.cancel(ticket)
        throw reason
      }
      const failed = () => errorOf(limiter, ticket.result)
      return failed() ?? new RateLimiterReservation(new Reservation(limiter, ticket, ticket.over, place.delay), failed)
    })
  }

  /**
   * Runs a function when its turn has come. An abort before that is an abort of the wait, and nothing is used; the function is given the
   * signal.
   */
  run<A>(f: Work<A>, options?: RateLimiterRunOptions): Promise<A> {
    const where = `${this.where}.run`
    return attempt(() => {
      callable(where, "f", f)
      const limiter = this[rates.TypeId]
      const signal = options?.signal
      const ticket = new Waiter(limiter, accepted(where, limiter, options?.key ?? rates.defaultKey, options))
      // A reaction rather than a call from `wake`: it runs in the caller's context (AsyncLocalStorage).
      return granted(where, ticket, limiter, options).then(() => {
        if (!signal?.aborted) return f(new Context(signal))
        // Aborted between the grant and this reaction.
        limiter.cancel(ticket)
        throw signal.reason
      })
    })
  }

  /** A function that runs each of its calls when its turn has come. */
  wrap<This, Args extends Array<unknown>, A>(
    f: (this: This, ...args: Args) => A | PromiseLike<A>,
    options?: RateLimiterRunOptions
  ): (this: This, ...args: Args) => Promise<A> {
    callable(`${this.where}.wrap`, "f", f)
    const run = (call: () => A | PromiseLike<A>) => this.run(call, options)
    return function (...args) {
      return run(() => f.apply(this, args))
    }
  }

  /** A frozen snapshot. */
  stats(): rates.Stats {
    return core.stats(this[rates.TypeId].state)
  }
}

/**
 * A `RateLimiter` whose rates a store keeps: so several programs can share one limit. It does the same; but every operation waits for the
 * store, and rejects with what that rejects with.
 *
 * **Details**: it keeps a line for each key, and asks the store for all who stand in it, in one question. When there is a line it asks
 * ahead, for units whose time has not come yet, and hands them out when it has: so the time that an answer takes does not lower the rate.
 * What is granted belongs to the line: when somebody leaves it, those behind him move up, and what nobody needs goes back to the store.
 * While the store is being asked, as many more than the `backlog` are let in line as could all go at once; when the first is refused, the
 * latest of them are, too. `retryAfter` counts those in front, and is a least time: others share the rate. What the store rejects with
 * reaches those who were asked for, and whoever waits for a reservation, also later. When nobody hears of it, and when giving back fails,
 * it is reported. The numbers are those of `WithStore` in the Effect module.
 *
 * **Interruption**: an aborted or timed-out wait is over at once, also while the store is being asked. The question is not: what it grants
 * to nobody goes back.
 *
 * **Fairness**: strict order of arrival for each key in this process; nobody overtakes. Between processes the store decides: who asks
 * first.
 *
 * @example
 * import { rateLimiterStoreMemory, RateLimiterWithStore } from "effect-concurrency/promise"
 *
 * const store = rateLimiterStoreMemory()
 * const [one, other] = [1, 2].map(() => new RateLimiterWithStore({ limit: 2, interval: 60_000 }, store))
 *
 * await one!.consume("ada")
 * console.log(await other!.run(() => "hello", { key: "ada" })) // => hello
 * console.log((await one!.tryConsume("ada")).allowed) // => false
 *
 * @since 0.1.0
 */
export class RateLimiterWithStore extends StoredRateLimiter {
  constructor(options: RateLimiterMakeOptions, store: RateLimiterStore) {
    super("RateLimiterWithStore", store, options)
  }

  /** A view of the limiter that an Effect program, or other plain code, uses: all wait in one line, on the clock of where it was made. */
  static from(limiter: Effects.WithStore<unknown, unknown> | StoredRateLimiter): RateLimiterWithStore {
    return view(RateLimiterWithStore.prototype, "RateLimiterWithStore", rates.TypeId, limiter)
  }
}

const nothing = (): void => {}

const requestOf = (
  where: string,
  limiter: StoreLimiter,
  name: string,
  options: RateLimiterOptions | undefined,
  tries = false
): Request => {
  const cost = rates.checkRequest(where, limiter.state.rate, name, options)
  checkWait(where, options)
  return { key: limiter.key(name), cost, tries }
}

/** A request that may wait. */
const accepted = (
  where: string,
  limiter: StoreLimiter,
  name: string,
  options: RateLimiterOptions | undefined
): Request => {
  const request = requestOf(where, limiter, name, options)
  const refused = limiter.refusal(name, request.cost)
  if (refused !== undefined) throw refused
  return request
}

const taken = (
  where: string,
  limiter: StoreLimiter,
  name: string,
  options: RateLimiterOptions | undefined
): Promise<Decision> => granted(where, new Waiter(limiter, accepted(where, limiter, name, options)), limiter, options)

const granted = (
  where: string,
  ticket: Waiter,
  limiter: StoreLimiter,
  options: RateLimiterOptions | undefined
): Promise<Decision> => park(where, limiter, ticket, options, enqueue, cancel)

const enqueue = (limiter: StoreLimiter, ticket: Waiter): void => limiter.enqueue(ticket)

const cancel = (limiter: StoreLimiter, ticket: Waiter) => limiter.cancel(ticket)
