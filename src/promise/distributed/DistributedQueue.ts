/**
 * A queue that several programs share, for `async` functions.
 *
 * @since 0.1.0
 */
import { callable, expect, integer, record } from "../../core/arguments.js"
import * as core from "../../core/deliveries.js"
import { Deliverer, type Port } from "../../core/deliverer.js"
import type { Held, Request, Result, Verdict } from "../../core/deliveryLine.js"
import * as event from "../../core/event.js"
import type * as lookout from "../../core/lookout.js"
import type { Chain } from "../../core/ticket.js"
import type * as Effects from "../../distributed/DistributedQueue.js"
import { attempt, checkWait, park, PromiseTicket, type WaitOptions, watch } from "../park.js"
import { platformTime } from "../timer.js"
import { view } from "../view.js"
import { DeliveryPort, type DeliveryStore } from "./deliveries.js"

/**
 * How a queue is used. Durations are milliseconds.
 *
 * @since 0.1.0
 */
export interface DistributedQueueOptions<A> {
  /** Which queue. Whoever uses the same name, on the same store, uses the same queue. */
  readonly name: string
  /** How items become text, and are made of it. Default: JSON. */
  readonly codec?: DistributedQueueCodec<A> | undefined
  /**
   * How long one lease of an item lasts: from 100 ms to a day. It is renewed every third of that while the item is worked on. So this is
   * not a limit for the work, but how long an item waits whose consumer has died; and how long the store may be out of reach before a
   * consumer loses its items. Default: 30,000.
   */
  readonly lease?: number | undefined
  /** After so many failed attempts an item is a dead letter: an integer, 1 or more. A lease that ended is one, too. Default: 5. */
  readonly attempts?: number | undefined
  /**
   * When an item comes back whose attempt has failed: the first pause is `base` (default 1,000), each is `factor` times the one before
   * (default 2), none is longer than `cap` (default 30,000), and `jitter` spreads them (default `"full"`).
   */
  readonly retry?: core.Options["retry"]
  /** The longest time between two questions while somebody waits, should the store's message be lost: from 10 ms. Default: 1,000. */
  readonly poll?: number | undefined
  /** For how long the id of an item is known after it is done, if it was given one: it is not taken in again until then. Default: a day. */
  readonly remember?: number | undefined
}

/**
 * How items become text, and are made of it. What throws when it decodes is a dead letter.
 *
 * @since 0.1.0
 */
export interface DistributedQueueCodec<A> {
  encode(item: A): string | PromiseLike<string>
  decode(payload: string): A | PromiseLike<A>
}

/**
 * How an item is offered.
 *
 * @since 0.1.0
 */
export interface DistributedQueueOfferOptions extends WaitOptions {
  /** The id of the item: 1 to 512 characters. With one, an offer can be repeated: an item is put in once. Default: a random one. */
  readonly id?: string | undefined
}

/**
 * What a handler knows of the item that it was given.
 *
 * @since 0.1.0
 */
export interface DistributedQueueContext extends Effects.DeliveryInfo {
  /** Aborts when the lease is lost, with the `LeaseLost`; and when the consumption ends. */
  readonly signal: AbortSignal
}

/**
 * How a queue is consumed.
 *
 * @since 0.1.0
 */
export interface DistributedQueueConsumeOptions {
  /** How many items are worked on at a time: an integer, 1 or more. Default 1. */
  readonly concurrency?: number | undefined
  /** Ends the consumption with `signal.reason`, when its handlers have ended and the store has heard of everything. */
  readonly signal?: AbortSignal | undefined
}

/** What the instance is made of. A view has it from the instance that it shows. */
interface Internals<in out A> {
  readonly deliverer: Deliverer
  readonly encode: (item: A) => string | PromiseLike<string>
  readonly decode: (payload: string) => A | PromiseLike<A>
  readonly call: <B>(ask: (store: any) => any) => B | PromiseLike<B>
}

/**
 * An item that was taken. It is to be settled once: by `acknowledge`, `reject` or `giveBack`; at the end of an `await using` block it is
 * given back if it was not.
 *
 * @since 0.1.0
 */
export class DistributedDelivery<out A> implements AsyncDisposable {
  private controller: AbortController | undefined = undefined

  /** @internal */
  constructor(
    private readonly deliverer: Deliverer,
    private readonly held: Held,
    /** What was offered. */
    readonly item: A
  ) {}

  /** The id of the item. It is the same in each attempt. */
  get id(): string {
    return this.held.given.id
  }

  /** 1 for the first attempt. */
  get attempt(): number {
    return this.held.given.attempt
  }

  /** A fencing token: each delivery of the queue has a larger one than those before. */
  get token(): number {
    return this.held.given.token
  }

  /** Aborts when the lease is lost, with the `LeaseLost`. */
  get signal(): AbortSignal {
    this.controller ??= abortedWhenLost(this.deliverer, this.held).controller
    return this.controller.signal
  }

  /** Throws if the lease is lost. */
  check(): void {
    this.deliverer.look(this.held)
    if (this.held.loss !== undefined) throw this.held.loss
  }

  /** The item is done. Rejects with `LeaseLost` when somebody else may have it by now: then the store was told nothing. */
  acknowledge(): Promise<void> {
    return this.settle({ kind: "acknowledge" })
  }

  /**
   * The attempt has failed: the item comes back after a delay in milliseconds (default: as `retry` says), or is a dead letter if this was
   * the last attempt.
   */
  reject(options: { readonly reason?: string | undefined; readonly delay?: number | undefined } = {}): Promise<void> {
    return attempt(() => {
      const { delay, reason = "it was rejected" } = record("DistributedQueue.reject", options)
      if (delay !== undefined) core.checkDelay("DistributedQueue.reject", delay)
      return this.settle(rejected(this.deliverer, this.held, reason, delay))
    })
  }

  /** The item goes back to its place at once, as if it had not been taken. */
  giveBack(): Promise<void> {
    return this.settle({ kind: "return" })
  }

  /** Gives back what was not settled. */
  async [Symbol.asyncDispose](): Promise<void> {
    // What could not be told now is told later, and what is lost was told.
    if (!this.held.isSettled) await this.giveBack().catch(() => {})
  }

  /** What can be logged. */
  toJSON(): { readonly id: string; readonly attempt: number; readonly token: number } {
    const { attempt, id, token } = this
    return { id, attempt, token }
  }

  private settle(outcome: core.Outcome): Promise<void> {
    return new Promise((resolve) => {
      const ticket = new VerdictTicket(this.deliverer.port, undefined)
      ticket.resume = resolve
      this.deliverer.settle(this.held, outcome, { waiting: ticket })
    })
  }
}

/** A place where somebody waits for what may fail. */
abstract class FailingTicket<Request, Result> extends PromiseTicket<Request, Result> {
  constructor(
    private readonly port: Port,
    request: Request
  ) {
    super(request, 0)
  }

  protected rejected(failure: unknown): Promise<never> {
    return Promise.reject(this.port.errorOf(failure))
  }
}

class VerdictTicket extends FailingTicket<undefined, Verdict> {
  override claim(): void | Promise<never> {
    const verdict = this.result!
    if (verdict.kind === "lost") return Promise.reject(verdict.loss)
    return verdict.kind === "failed" ? this.rejected(verdict.failure) : undefined
  }
}

const rejected = ({ port, settings }: Deliverer, { given }: Held, reason: string, delay?: number): core.Outcome => ({
  kind: "reject",
  reason: core.reasonOf(reason),
  delay: delay ?? core.retryDelay(settings, given.attempt, port.random())
})

/** What a handler is given. Its signal is made when it is looked at: that costs more than all the rest of a delivery here. */
class HandlerContext implements DistributedQueueContext {
  private made: AbortSignal | undefined = undefined
  private forget = (): void => {}

  constructor(
    private readonly deliverer: Deliverer,
    private readonly held: Held,
    private readonly consumption: AbortSignal
  ) {}

  get id(): string {
    return this.held.given.id
  }

  get attempt(): number {
    return this.held.given.attempt
  }

  get token(): number {
    return this.held.given.token
  }

  get signal(): AbortSignal {
    if (this.made !== undefined) return this.made
    const { controller, forget } = abortedWhenLost(this.deliverer, this.held)
    const { consumption } = this
    const end = (reason: unknown) => controller.abort(reason)
    if (consumption.aborted) end(consumption.reason)
    const unwatch = watch("DistributedQueue.consume", { signal: consumption }, end)
    this.forget = () => {
      unwatch()
      forget()
    }
    return (this.made = controller.signal)
  }

  /** The handler has ended: nothing listens any more. */
  end(): void {
    this.forget()
  }
}

/** A controller that aborts when a lease is lost. */
const abortedWhenLost = (
  deliverer: Deliverer,
  held: Held
): { readonly controller: AbortController; readonly forget: () => void } => {
  const controller = new AbortController()
  const ticket = new PromiseTicket<undefined, undefined>(undefined, 0)
  ticket.resume = () => {
    if (held.loss !== undefined) controller.abort(held.loss)
  }
  deliverer.look(held)
  if (held.over.isSet) ticket.resume(undefined)
  else event.enqueue(held.over, ticket)
  return {
    controller,
    forget: () => {
      if (ticket.lane !== undefined) event.cancel(held.over, ticket)
    }
  }
}

/** The place of a taker. */
class TakeTicket extends FailingTicket<Request, Result> {
  override claim(): Held | Promise<never> {
    const result = this.result!
    return result.kind === "given" ? result.held : this.rejected(result.failure)
  }
}

class JoinTicket extends FailingTicket<undefined, lookout.Result> {
  override claim(): void | Promise<never> {
    const result = this.result!
    return result.kind === "so" ? undefined : this.rejected(result.failure)
  }
}

/** What a worker has done with the delivery before. */
interface Last {
  readonly held: Held
  readonly outcome: core.Outcome
  readonly cause: unknown
}

/**
 * A queue that several programs share. The same machine as the Effect module's `DistributedQueue`, which says what is promised;
 * `DistributedQueue.from` shares one.
 *
 * **When to use**: for work that must not be lost when a process dies, or that several machines share. `consume` is the usual way to take.
 *
 * **Details**: items are delivered at least once, so a handler has to be one that may run twice for an item. An offer is in when its
 * promise is fulfilled; one that rejected may be in: with an `id` it can be repeated. A handler whose lease is lost is told by its signal,
 * and that is reported on the console; so is each item that becomes a dead letter. While the store cannot be reached, `consume` waits until
 * it can.
 *
 * **Interruption**: an offer that is aborted may be in all the same. `consume` that is aborted hands back what is not done, without counting the attempt; it waits for its handlers, and
 * until the store has heard of everything. An aborted `take` loses nothing.
 *
 * **Fairness**: first deliveries are in the order of the offers, over all programs. Who waits in this process is served in order of
 * arrival.
 *
 * @example
 * import { deliveryStoreMemory, DistributedQueue } from "effect-concurrency/promise/distributed"
 *
 * const mails = new DistributedQueue<string>(deliveryStoreMemory(), { name: "mails" })
 * const end = new AbortController()
 * const sent: Array<string> = []
 * const worker = mails.consume(async (to) => void sent.push(to), { signal: end.signal })
 * await mails.offerAll(["ada", "grace"])
 * await mails.join()
 * end.abort()
 * await worker.catch(() => {})
 *
 * console.log(sent.join(", ")) // => ada, grace
 *
 * @since 0.1.0
 */
export class DistributedQueue<in out A = unknown> {
  /** @internal */
  declare readonly [core.TypeId]: Internals<A>

  constructor(store: DeliveryStore, options: DistributedQueueOptions<A>) {
    const where = "new DistributedQueue"
    for (const name of ["offer", "exchange", "counts", "watch"] as const) {
      callable(where, `store.${name}`, store?.[name])
    }
    const settings = core.settings(where, options)
    const { codec } = options
    if (codec !== undefined) {
      callable(where, "codec.encode", codec.encode)
      callable(where, "codec.decode", codec.decode)
    }
    this[core.TypeId] = {
      deliverer: new Deliverer(settings, new DeliveryPort("DistributedQueue", settings.name, store), platformTime()),
      encode: (item) => (codec === undefined ? JSON.stringify(item) : codec.encode(item)),
      decode: (payload) => (codec === undefined ? (JSON.parse(payload) as A) : codec.decode(payload)),
      call: (ask) => ask(store)
    }
  }

  /** A view of the queue that an Effect program, or other plain code, uses: all wait in one line, on the clock of where it was made. */
  static from<A>(queue: Effects.DistributedQueue<A> | DistributedQueue<A>): DistributedQueue<A> {
    return view(DistributedQueue.prototype as DistributedQueue<A>, "DistributedQueue", core.TypeId, queue)
  }

  /** Puts an item in. */
  offer(item: A, options: DistributedQueueOfferOptions = {}): Promise<Effects.Offered> {
    const where = "DistributedQueue.offer"
    return bounded(where, options, (signal) => {
      const { id } = options
      if (id !== undefined) core.checkId(where, id)
      const put = (payload: string) => {
        const one = this.newItem(payload, id)
        return attempt(() => this.put([one], signal)).then(([isNew]) => ({ id: one.id, isNew: isNew! }))
      }
      // Most codecs have no need to wait.
      const payload = this[core.TypeId].encode(item)
      return typeof payload === "string" ? put(payload) : Promise.resolve(payload).then(put)
    })
  }

  /** Puts items in, in order; 500 and fewer without others between them. Gives their ids. */
  offerAll(items: Iterable<A>, options?: WaitOptions): Promise<ReadonlyArray<string>> {
    const where = "DistributedQueue.offerAll"
    return bounded(where, options, async (signal) => {
      expect(typeof items?.[Symbol.iterator] === "function", where, "items", "an iterable", items)
      const all: Array<core.NewItem> = []
      for (const item of items) all.push(this.newItem(await this[core.TypeId].encode(item), undefined))
      for (let i = 0; i < all.length; i += batch) {
        signal?.throwIfAborted()
        await this.put(all.slice(i, i + batch), signal)
      }
      return all.map(({ id }) => id)
    })
  }

  /** Takes an item; waits for one. */
  take(options?: WaitOptions): Promise<DistributedDelivery<A>> {
    const where = "DistributedQueue.take"
    return attempt(async () => {
      checkWait(where, options)
      const { deliverer } = this[core.TypeId]
      for (;;) {
        const held = await this.taken(where, options)
        try {
          return new DistributedDelivery(deliverer, held, await this[core.TypeId].decode(held.given.payload))
        } catch (error) {
          deliverer.settle(held, undecodable(error), { cause: error })
        }
      }
    })
  }

  /**
   * Works items off until it is aborted. A handler whose promise is fulfilled has done its item; one that rejects has failed an attempt.
   * Rejects with `signal.reason`, or when the store answers what makes no sense.
   */
  consume(
    handler: (item: A, context: DistributedQueueContext) => unknown,
    options: DistributedQueueConsumeOptions = {}
  ): Promise<never> {
    const where = "DistributedQueue.consume"
    return attempt(async () => {
      callable(where, "handler", handler)
      const { concurrency = 1, signal } = record(where, options)
      integer(where, "concurrency", concurrency, 1)
      checkWait(where, { signal })
      const controller = new AbortController()
      const end = (reason: unknown) => controller.abort(reason)
      const unwatch = watch(where, { signal }, end)
      const workers = Array.from({ length: concurrency }, () => this.work(where, handler, controller.signal).catch(end))
      await Promise.all(workers)
      unwatch()
      await this.flushed()
      throw controller.signal.reason
    })
  }

  /** Waits until nothing is left to be done, by anybody. */
  join(options?: WaitOptions): Promise<void> {
    const where = "DistributedQueue.join"
    return attempt(() => {
      checkWait(where, options)
      const { deliverer } = this[core.TypeId]
      return park<void, Deliverer, JoinTicket>(
        where,
        deliverer,
        new JoinTicket(deliverer.port, undefined),
        options,
        (deliverer, ticket) => deliverer.join(ticket),
        (deliverer, ticket) => deliverer.cancelJoin(ticket)
      )
    })
  }

  /** How many items there are, by what they are. */
  size(): Promise<core.Counts> {
    return attempt(() => this[core.TypeId].call<core.Counts>((store) => store.counts(this.name)))
  }

  /** The oldest of what was put aside, at most so many. */
  deadLetters({ limit = 100 }: { readonly limit?: number | undefined } = {}): Promise<
    ReadonlyArray<core.DeadLetter & { readonly item: A | undefined }>
  > {
    return attempt(async () => {
      integer("DistributedQueue.deadLetters", "limit", limit, 1)
      const { call, decode } = this[core.TypeId]
      const letters = await call<ReadonlyArray<core.DeadLetter>>((store) => store.deadLetters(this.name, limit))
      const items = letters.map(({ payload }) => attempt(() => decode(payload)).catch(() => undefined))
      return Promise.all(letters.map(async (letter, i) => Object.freeze({ ...letter, item: await items[i] })))
    })
  }

  /** Has dead letters delivered again, with all their attempts: those of some ids, or all that there are now. Says how many. */
  requeue(ids?: Iterable<string>): Promise<number> {
    return attempt(() => {
      const request = { name: this.name, ids: idsOf("DistributedQueue.requeue", ids) }
      return this[core.TypeId].call<number>((store) => store.requeue(request))
    })
  }

  /** Forgets dead letters: those of some ids, or all that there are now. Says how many. */
  purge(ids?: Iterable<string>): Promise<number> {
    return attempt(() => {
      const request = { name: this.name, ids: idsOf("DistributedQueue.purge", ids) }
      return this[core.TypeId].call<number>((store) => store.purge(request))
    })
  }

  /** A frozen snapshot of this process. */
  stats(): Effects.Stats {
    const { held, settling, waiting } = this[core.TypeId].deliverer.stats()
    return Object.freeze({ waiting, held, settling })
  }

  private get name(): string {
    return this[core.TypeId].deliverer.settings.name
  }

  private newItem(payload: string, id: string | undefined): core.NewItem {
    core.checkPayload("DistributedQueue.offer", payload)
    return { id: id ?? this[core.TypeId].deliverer.port.unique(), payload, named: id !== undefined }
  }

  private put(
    items: ReadonlyArray<core.NewItem>,
    signal: AbortSignal | undefined
  ): PromiseLike<ReadonlyArray<boolean>> | ReadonlyArray<boolean> {
    return this[core.TypeId].call((store) => store.offer({ name: this.name, items }, { signal }))
  }

  private taken(where: string, options: WaitOptions | undefined): Promise<Held> {
    const { deliverer } = this[core.TypeId]
    return park(where, deliverer, new TakeTicket(deliverer.port, { patient: false }), options, enqueue, cancel)
  }

  /** Works items off, one at a time, until the signal aborts: then it rejects with its reason. */
  private async work(
    where: string,
    handler: (item: A, context: DistributedQueueContext) => unknown,
    signal: AbortSignal
  ): Promise<never> {
    const { deliverer } = this[core.TypeId]
    let last: Last | undefined
    for (;;) {
      if (signal.aborted) {
        if (last !== undefined) deliverer.settle(last.held, last.outcome, { cause: last.cause })
        throw signal.reason
      }
      const ticket = new TakeTicket(deliverer.port, { patient: true })
      const before = last
      last = undefined
      const held = await park<Held, Deliverer, TakeTicket>(
        where,
        deliverer,
        ticket,
        { signal },
        (deliverer, next) => {
          if (before === undefined) deliverer.enqueue(next)
          else deliverer.settle(before.held, before.outcome, { cause: before.cause, next })
        },
        cancel
      )
      last = await this.handle(held, handler, signal)
    }
  }

  /** Works on an item; gives how that ended. Undefined: its lease is lost. */
  private async handle(
    held: Held,
    handler: (item: A, context: DistributedQueueContext) => unknown,
    signal: AbortSignal
  ): Promise<Last | undefined> {
    const { decode, deliverer } = this[core.TypeId]
    let item: A
    try {
      item = await decode(held.given.payload)
    } catch (error) {
      return { held, outcome: undecodable(error), cause: error }
    }
    deliverer.look(held)
    const context = new HandlerContext(deliverer, held, signal)
    try {
      if (held.loss === undefined) await handler(item, context)
      return held.loss === undefined ? { held, outcome: { kind: "acknowledge" }, cause: undefined } : undefined
    } catch (error) {
      if (held.loss !== undefined) return undefined
      // A handler that ends because it was told to has not failed.
      if (signal.aborted) return { held, outcome: { kind: "return" }, cause: undefined }
      return { held, outcome: rejected(deliverer, held, String(error)), cause: error }
    } finally {
      context.end()
    }
  }

  private flushed(): Promise<void> {
    return park(
      "DistributedQueue.consume",
      this[core.TypeId].deliverer,
      new PromiseTicket<undefined, undefined>(undefined, 0),
      undefined,
      (deliverer, ticket) => deliverer.flush(ticket),
      (): Chain => undefined
    )
  }
}

const batch = 500

/** What the store is asked, by a caller who may leave before it has answered. */
const bounded = <A>(
  where: string,
  options: WaitOptions | undefined,
  f: (signal: AbortSignal | undefined) => Promise<A>
): Promise<A> =>
  attempt(() => {
    checkWait(where, options)
    if (options?.signal === undefined && options?.timeout === undefined) return f(undefined)
    const controller = new AbortController()
    return new Promise<A>((resolve, reject) => {
      const unwatch = watch(where, options, (reason) => {
        unwatch()
        controller.abort(reason)
        reject(reason)
      })
      attempt(() => f(controller.signal))
        .then(resolve, reject)
        .finally(unwatch)
    })
  })

const enqueue = (deliverer: Deliverer, ticket: TakeTicket): void => deliverer.enqueue(ticket)

const cancel = (deliverer: Deliverer, ticket: TakeTicket): Chain => deliverer.cancel(ticket)

const undecodable = (error: unknown): core.Outcome => ({ kind: "bury", reason: core.undecodable(String(error)) })

const idsOf = (where: string, ids: Iterable<string> | undefined): ReadonlyArray<string> | undefined => {
  if (ids === undefined) return undefined
  expect(
    typeof ids !== "string" && typeof ids?.[Symbol.iterator] === "function",
    where,
    "ids",
    "an iterable of ids",
    ids
  )
  return Array.from(ids, (id) => core.checkId(where, id))
}
