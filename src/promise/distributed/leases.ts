/**
 * Leases of permits for `async` functions: how the store is reached, and how functions wait, work and let go.
 *
 * @since 0.1.0
 */
import { callable } from "../../core/arguments.js"
import type { LeaseLost } from "../../core/lease.js"
import type { Outcome, Request } from "../../core/leaseLine.js"
import {
  type AcquireRequest,
  type Answer,
  checkAnswer,
  checkHeld,
  checkReleased,
  checkRequest,
  type Config,
  type Held,
  type Holder,
  Lessor,
  LeaseTypeId,
  type Port,
  type Released,
  type RenewRequest
} from "../../core/lessor.js"
import { MemoryLeases } from "../../core/memoryLeases.js"
import { Overhear, type Overheard } from "../overhear.js"
import { attempt, checkWait, park, PromiseTicket, type WaitOptions, watch } from "../park.js"
import { ownTimers, platformTime } from "../timer.js"
import { StorePort } from "./storePort.js"

/**
 * Where leases are kept: what a store does. It keeps who holds permits until when, and decides; who waits is not its business. What it has to
 * promise is what `LeaseStoreShape` of `effect-concurrency/distributed` says.
 *
 * @since 0.1.0
 */
export interface LeaseStore {
  /** Drops what is over, and grants the permits if so many are free; otherwise it takes nothing. The same holder is granted the same again. */
  acquire(request: AcquireRequest): Answer | PromiseLike<Answer>
  /** Lets the lease of a holder count from now. False: it holds nothing, or not any more. */
  renew(request: RenewRequest): boolean | PromiseLike<boolean>
  /** Frees what a holder holds, tells those who watch, and says whether it was held, and how many watchers there were. */
  release(request: Holder): Released | PromiseLike<Released>
  /**
   * Calls a function whenever permits of a name are given back, also when that may have gone unnoticed. Resolves when it is certain that nothing
   * is missed from now on, to a function that ends it.
   */
  watch(name: string, onFreed: () => void): (() => void) | PromiseLike<() => void>
}

/**
 * A store in memory, on the platform's clock: for one process, and for tests.
 *
 * @since 0.1.0
 */
export const leaseStoreMemory = (): LeaseStore => new MemoryLeases(platformTime())

/**
 * How leases are held.
 *
 * @since 0.1.0
 */
export interface LeaseOptions {
  /**
   * How many milliseconds one lease lasts: from 100 to a day. It is renewed every third of that for as long as it is held. So this is not a limit for
   * the work, but how long others wait after a holder has died; and how long the store may be out of reach before a holder loses what it holds.
   * Default: 10,000.
   */
  readonly lease?: number | undefined
  /**
   * The most milliseconds between two questions while somebody waits, should the store's message that something is free be lost: from 10 to a day.
   * Each time it is between a half and all of that, at random. Default: 1,000.
   */
  readonly poll?: number | undefined
  /** What the names of the instance are put under in the store. Default: `"mutex"`, or `"semaphore"`: the two have no names in common. */
  readonly prefix?: string | undefined
}

class LeasePort extends StorePort implements Port {
  constructor(
    where: string,
    private readonly store: LeaseStore
  ) {
    super(where, (name, freed) => store.watch(name, freed))
  }

  acquire(request: AcquireRequest, answer: (answer: Answer) => void, fail: (failure: unknown) => void): void {
    this.ask(() => this.store.acquire(request), checkAnswer, answer, fail)
  }

  renew(request: RenewRequest, answer: (held: boolean) => void, fail: (failure: unknown) => void): void {
    this.ask(() => this.store.renew(request), checkHeld, answer, fail)
  }

  release(request: Holder, answer: (released: Released) => void, fail: (failure: unknown) => void): void {
    this.ask(() => this.store.release(request), checkReleased, answer, fail)
  }
}

/** @internal */
export const makeLessor = (where: string, store: LeaseStore, config: Config): Lessor => {
  for (const name of ["acquire", "renew", "release", "watch"] as const)
    callable(`new ${where}`, `store.${name}`, store?.[name])
  return new Lessor(config, new LeasePort(where, store), ownTimers)
}

/** The place of a caller in line: what it gives is what is held, or undefined if it only tried, in vain. */
class Waiter extends PromiseTicket<Request, Outcome> {
  constructor(
    private readonly lessor: Lessor,
    request: Request
  ) {
    super(request, 0)
  }

  override claim(): Held | undefined | Promise<never> {
    const outcome = this.result!
    if (outcome.kind === "failed") return Promise.reject(this.lessor.port.errorOf(outcome.failure))
    return outcome.kind === "granted" ? (outcome.lease as Held) : undefined
  }
}

/**
 * What is asked for, and by which function.
 *
 * @internal
 */
export interface Requested {
  readonly where: string
  readonly name: string
  readonly permits: number
  readonly tries?: boolean
}

const enqueue = (lessor: Lessor, ticket: Waiter): void => lessor.enqueue(ticket)

const cancel = (lessor: Lessor, ticket: Waiter) => lessor.cancel(ticket)

const taken = (
  lessor: Lessor,
  { name, permits, tries = false, where }: Requested,
  options: WaitOptions | undefined
): Promise<Held | undefined> => {
  checkRequest(where, lessor, name, permits)
  checkWait(where, options)
  const ticket = new Waiter(lessor, { line: lessor.line(name), permits, tries })
  return park(where, lessor, ticket, options, enqueue, cancel)
}

const release = (held: Held): Promise<LeaseLost | undefined> => new Promise((resolve) => held.release(resolve))

/**
 * Something that is held on lease: to be given back once, by `release`, or at the end of a block by `await using`.
 *
 * `token` is a fencing token: every later lease of the same name has a larger one. Hand it to the resource that is protected, with each write,
 * and let the resource refuse a token that is smaller than the largest it has seen. Only the resource can do that.
 *
 * @since 0.1.0
 */
export class DistributedLease implements AsyncDisposable {
  /** @internal */
  declare readonly [LeaseTypeId]: Held
  #signal: AbortSignal | undefined = undefined

  /** @internal */
  constructor(held: Held) {
    this[LeaseTypeId] = held
  }

  /** What it was asked for by. */
  get name(): string {
    return this[LeaseTypeId].name
  }

  /** Larger than the token of every earlier lease of the name. A safe integer. */
  get token(): number {
    return this[LeaseTypeId].token
  }

  /** How many permits it is of: 1 for a lock. */
  get permits(): number {
    return this[LeaseTypeId].permits
  }

  /** For how many milliseconds it can be relied on if it is not renewed from now on. 0 when it is lost, or over. */
  get remaining(): number {
    return this[LeaseTypeId].remaining
  }

  /** Aborts with `LeaseLost` when the lease is lost. (If that is so by now, it has aborted when it is asked for.) */
  get signal(): AbortSignal {
    this[LeaseTypeId].look()
    return (this.#signal ??= signalOf(this[LeaseTypeId], new AbortController()))
  }

  /** Throws `LeaseLost` if the lease is lost by now. For work that is long and does not wait: no signal can abort in the middle of that. */
  check(): void {
    const loss = this[LeaseTypeId].hear()
    if (loss !== undefined) throw loss
  }

  /** Gives it back. Rejects with `LeaseLost` if it was lost before, and nobody was told of that. The second time it does nothing. */
  async release(): Promise<void> {
    const held = this[LeaseTypeId]
    const loss = await release(held)
    if (loss === undefined || held.heard) return
    held.heard = true
    throw loss
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release()
  }

  /** What can be logged. */
  toJSON(): { readonly name: string; readonly token: number; readonly permits: number } {
    const { name, permits, token } = this
    return { name, token, permits }
  }
}

const signalOf = (held: Held, controller: AbortController): AbortSignal => {
  const abort = () => controller.abort(held.hear())
  if (held.look() === undefined) held.listen(abort)
  else abort()
  return controller.signal
}

/**
 * What a function is told that runs with a lease.
 *
 * @since 0.1.0
 */
export interface LeaseContext {
  /** Aborts with `LeaseLost` when the lease is lost, and with the reason of the caller's signal when that aborts. */
  readonly signal: AbortSignal
  /** For the resource that is protected: every later lease of the name has a larger one. */
  readonly token: number
  readonly lease: DistributedLease
}

class Context implements LeaseContext, Overheard {
  readonly lease: DistributedLease
  readonly #where: string
  readonly #given: AbortSignal | undefined
  #signal: AbortSignal | undefined = undefined
  #unwatch: (() => void) | undefined = undefined

  constructor(where: string, held: Held, given: AbortSignal | undefined) {
    this.lease = new DistributedLease(held)
    this.#where = where
    this.#given = given
  }

  get token(): number {
    return this.lease.token
  }

  /** Made when it is asked for: not every function does. */
  get signal(): AbortSignal {
    this.lease[LeaseTypeId].look()
    if (this.#signal === undefined) {
      const controller = new AbortController()
      this.#signal = signalOf(this.lease[LeaseTypeId], controller)
      const given = this.#given
      if (given?.aborted) controller.abort(given.reason)
      else if (given) this.#unwatch = watch(this.#where, { signal: given }, (reason) => controller.abort(reason))
    }
    return this.#signal
  }

  [Overhear](): AbortSignal {
    return this.signal
  }

  /** The function has ended. */
  end(): void {
    this.#unwatch?.()
  }
}

/**
 * A function that runs with a lease.
 *
 * @since 0.1.0
 */
export type LeaseWork<A> = (context: LeaseContext) => A | PromiseLike<A>

/** @internal */
export const run = <A>(
  lessor: Lessor,
  request: Requested,
  options: WaitOptions | undefined,
  f: LeaseWork<A>
): Promise<A | undefined> =>
  attempt(() => {
    const { where } = request
    callable(where, "f", f)
    const signal = options?.signal
    return taken(lessor, request, options).then((held) => {
      if (held === undefined) return undefined
      return signal?.aborted ? leaveAborted(held, signal) : use(where, held, signal, f)
    })
  })

/** Aborted between the grant and its arrival. */
const leaveAborted = (held: Held, signal: AbortSignal): never => {
  held.release(() => {})
  throw signal.reason
}

const use = async <A>(where: string, held: Held, signal: AbortSignal | undefined, f: LeaseWork<A>): Promise<A> => {
  const context = new Context(where, held, signal)
  try {
    // It may have been lost on the way here: then nothing begins.
    context.lease.check()
    const value = await f(context)
    const loss = held.look() ?? (await release(held))
    if (loss !== undefined) throw loss
    return value
  } catch (error) {
    const loss = held.hear()
    throw loss !== undefined && isStop(error) ? loss : error
  } finally {
    context.end()
    await release(held)
  }
}

/** What a function throws that was told to stop; any other error is one of its own, and arrives. */
const isStop = (error: any): boolean => error?.name === "AbortError"

/** @internal */
export const acquire = (
  lessor: Lessor,
  request: Requested,
  options: WaitOptions | undefined
): Promise<DistributedLease | undefined> =>
  attempt(() => taken(lessor, request, options).then((held) => held && new DistributedLease(held)))
