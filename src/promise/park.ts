/**
 * The only place where a ticket becomes a promise, and an abort or a timeout a cancelled ticket.
 *
 * @internal
 */
import { expect, number } from "../core/arguments.js"
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
  /**
   * Milliseconds after which the wait ends with a `TimeoutError` (a `DOMException`). Default: none. Timers count to 2^31 - 1 ms, about 24
   * days: what is longer is taken as none.
   */
  readonly timeout?: number | undefined
}

/** The place of a promise in a wait list. */
export class PromiseTicket<out Request, in out Result> extends Ticket<Request, Result> {
  /** What waits for the claim. */
  declare resume: (claim: any) => void

  /** What the wait gives: the result, unless a subclass has something better. */
  claim(): unknown {
    return this.result
  }

  wake(): void {
    this.resume(this.claim())
  }
}

/** What a function returns, or throws, as a promise. */
export const attempt = <A>(f: () => A | PromiseLike<A>): Promise<A> => {
  try {
    return Promise.resolve(f())
  } catch (error) {
    return Promise.reject(error)
  }
}

/** One executor for all, since a closure for each would be a third of what a waiter costs. */
const catchSettlers = (resolve: (value: any) => void, reject: (reason: unknown) => void): void => {
  caughtResolve = resolve
  caughtReject = reject
}
let caughtResolve: (value: any) => void
let caughtReject: (reason: unknown) => void

/** Checks what a wait was given; throws the abort reason when it is already aborted. */
export const checkWait = (where: string, options: WaitOptions | undefined): void => {
  if (!options) return
  const { signal, timeout = 0 } = options
  number(where, "timeout", timeout, 0)
  if (signal === undefined) return
  expect(typeof signal?.addEventListener === "function", where, "signal", "an AbortSignal", signal)
  signal.throwIfAborted()
}

/** Past this a timer would fire at once. */
const tooLong = 2 ** 31

/** Ends a wait early. */
type End = (reason: unknown) => void

/**
 * Who listens to a signal. However many wait with one signal, it has one listener: a signal looks through its listeners for each that
 * comes or goes, and Node warns at the eleventh.
 */
class Listeners extends Set<End> {
  handleEvent({ target }: globalThis.Event): void {
    this.forEach((end) => end((target as AbortSignal).reason))
  }
}

const listeners = new WeakMap<AbortSignal, Listeners>()

/** Calls a function when the signal aborts or the time is over. What it returns takes the listener and the timer away again. */
export const watch = (where: string, { signal, timeout = tooLong }: WaitOptions, end: End): (() => void) => {
  const all = signal && (listeners.get(signal) ?? new Listeners())
  if (all?.size === 0) {
    listeners.set(signal!, all)
    signal!.addEventListener("abort", all)
  }
  all?.add(end)
  const expire = () => end(new DOMException(`${where}: timed out after ${timeout} ms`, "TimeoutError"))
  const timer = timeout < tooLong ? setTimeout(expire, timeout) : undefined
  return () => {
    clearTimeout(timer)
    if (all?.delete(end) && all.size === 0) signal!.removeEventListener("abort", all)
  }
}

/**
 * Enqueues a ticket and waits for its claim. When the wait ends early the ticket is cancelled: it leaves its list at once, and what
 * it was granted in the same tick goes back.
 */
export const park = <A, State, T extends PromiseTicket<any, any>>(
  where: string,
  state: State,
  ticket: T,
  options: WaitOptions | undefined,
  enqueue: (state: State, ticket: T) => Chain | void,
  cancel: (state: State, ticket: T) => Chain
): Promise<A> => {
  const promise = new Promise<A>(catchSettlers)
  const resume = (ticket.resume = caughtResolve)
  const reject = caughtReject
  wake(enqueue(state, ticket) as Chain)
  if (options && !ticket.settled) {
    const { signal } = options
    const end = (reason: unknown) => {
      unwatch()
      // Some waits take something back before they end (a condition, its lock): then the ticket is woken once more.
      ticket.wake = () => reject(reason)
      wake(cancel(state, ticket))
      if (!ticket.lane) reject(reason)
    }
    const unwatch = watch(where, options, end)
    ticket.wake = () => {
      unwatch()
      // The caller runs a tick from now. An abort that comes before then still counts, and returns the grant.
      queueMicrotask(() => (signal?.aborted ? end(signal.reason) : resume(ticket.claim())))
    }
    // Since the options were checked a function of the caller's has run, perhaps, and has aborted it: no event will come.
    if (signal?.aborted) end(signal.reason)
  }
  return promise
}

/** Waits for the result of a request. */
export const wait = <State, Request, Result>(
  where: string,
  state: State,
  request: Request,
  options: WaitOptions | undefined,
  enqueue: (state: State, ticket: PromiseTicket<Request, Result>) => Chain | void,
  cancel: (state: State, ticket: PromiseTicket<Request, Result>) => Chain
): Promise<Result> => park(where, state, new PromiseTicket<Request, Result>(request, 0), options, enqueue, cancel)

/** The options for each wait of a call that waits several times: its timeout is that of the whole call. `end` takes away its timer. */
export const limit = (
  where: string,
  options: WaitOptions | undefined
): { readonly options: WaitOptions | undefined; readonly end: () => void } => {
  if (options?.timeout === undefined || options.timeout >= tooLong) return { options, end: () => {} }
  const controller = new AbortController()
  return {
    options: controller,
    end: watch(where, options, (reason) => controller.abort(reason))
  }
}
