/**
 * The only place where a ticket becomes a promise, and an abort or a timeout a cancelled ticket.
 *
 * @internal
 */
import { milliseconds, refusal } from "../core/arguments.js"
import type { Chain } from "../core/ticket.js"
import { Ticket, wake } from "../core/ticket.js"

/**
 * How long a wait may last. Every wait of the facade takes these.
 *
 * @since 0.1.0
 */
export interface WaitOptions {
  /** Ends the wait with `signal.reason`. When it is aborted already, nothing is tried and nothing runs. */
  readonly signal?: AbortSignal | undefined
  /** Milliseconds after which the wait ends with a `TimeoutError` (a `DOMException`). Default: none. */
  readonly timeout?: number | undefined
}

/** The place of a promise in a wait list. */
export class PromiseTicket<out Request, in out Result> extends Ticket<Request, Result> {
  /** What waits for the claim. */
  resume: ((claim: any) => void) | undefined = undefined

  /** What the wait gives: the ticket itself, unless a subclass has something better. */
  claim(): unknown {
    return this
  }

  wake(): void {
    this.resume?.(this.claim())
  }
}

/** A promise of the ticket's claim, for waits that nothing ends early. */
export const settlement = <T = unknown>(ticket: PromiseTicket<any, any>): Promise<T> => {
  if (ticket.settled) return Promise.resolve(ticket.claim() as T)
  const promise = new Promise<T>(catchResolve)
  ticket.resume = caught
  return promise
}

/** One executor for all, since a closure for each would be a third of what a waiter costs. */
const catchResolve = (resolve: (value: any) => void): void => {
  caught = resolve
}
let caught: (value: any) => void

/** Checks what a wait was given; throws the abort reason when it is already aborted. */
export const checkWait = (where: string, options: WaitOptions | undefined): void => {
  if (options === undefined) return
  const { signal, timeout } = options
  if (timeout !== undefined) milliseconds(where, "timeout", timeout)
  if (signal === undefined) return
  if (typeof signal !== "object" || signal === null || typeof signal.addEventListener !== "function") {
    throw refusal(where, "signal", "an AbortSignal", signal)
  }
  if (signal.aborted) throw signal.reason
}

/**
 * Waits for an enqueued ticket to be settled. When the wait ends early the ticket is cancelled: it leaves its list at once, and what
 * it was granted in the same tick goes back.
 */
export const park = (
  where: string,
  ticket: PromiseTicket<any, any>,
  options: WaitOptions | undefined,
  cancel: () => Chain
): Promise<unknown> =>
  options === undefined || (options.signal === undefined && options.timeout === undefined)
    ? settlement(ticket)
    : new Promise((resolve, reject) => new Watch(where, ticket, options, cancel, resolve, reject))

/** What ends a wait early, and takes away its listener and its timer whichever way it ends. */
class Watch {
  private timer: ReturnType<typeof setTimeout> | undefined = undefined
  private readonly signal: AbortSignal | undefined

  constructor(
    private readonly where: string,
    private readonly ticket: PromiseTicket<any, any>,
    options: WaitOptions,
    private readonly cancel: () => Chain,
    private readonly resolve: (claim: unknown) => void,
    private readonly reject: (reason: unknown) => void
  ) {
    this.signal = options.signal
    this.signal?.addEventListener("abort", this)
    if (options.timeout !== undefined && options.timeout !== Infinity) this.arm(options.timeout, options.timeout)
    ticket.resume = () => this.settled()
  }

  /** The abort listener. An object rather than a closure: this is all that a waiter leaves on a signal. */
  handleEvent(): void {
    this.end(this.signal!.reason)
  }

  private settled(): void {
    this.unwatch()
    if (this.signal === undefined) this.resolve(this.ticket.claim())
    // The caller runs a tick from now. An abort that comes before then still counts, and returns the grant.
    else queueMicrotask(() => (this.signal!.aborted ? this.end(this.signal!.reason) : this.resolve(this.ticket.claim())))
  }

  private end(reason: unknown): void {
    this.unwatch()
    // Some waits take something back before they end (a condition, its lock): then the ticket is woken once more.
    this.ticket.resume = () => this.reject(reason)
    wake(this.cancel())
    if (this.ticket.lane === undefined) this.reject(reason)
  }

  private unwatch(): void {
    this.signal?.removeEventListener("abort", this)
    clearTimeout(this.timer)
  }

  /** Timers hold 31 bits of milliseconds; longer waits take several. */
  private arm(timeout: number, remaining: number): void {
    const next = Math.min(remaining, 0x7fffffff)
    this.timer = setTimeout(() => {
      if (remaining > next) this.arm(timeout, remaining - next)
      else this.end(new DOMException(`${this.where}: timed out after ${timeout} ms`, "TimeoutError"))
    }, next)
  }
}
