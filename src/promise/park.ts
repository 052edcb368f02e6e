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
  resume?: (claim: any) => void

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
  const promise = new Promise<T>(catchResolve)
  ticket.resume = caught
  if (ticket.settled) ticket.wake()
  return promise
}

/** One executor for all, since a closure for each would be a third of what a waiter costs. */
const catchResolve = (resolve: (value: any) => void): void => {
  caught = resolve
}
let caught: (value: any) => void

/** Checks what a wait was given; throws the abort reason when it is already aborted. */
export const checkWait = (where: string, options: WaitOptions | undefined): void => {
  const { signal, timeout = 0 } = options ?? {}
  number(where, "timeout", timeout, 0)
  if (signal === undefined) return
  expect(typeof signal?.addEventListener === "function", where, "signal", "an AbortSignal", signal)
  signal.throwIfAborted()
}

/** Past this a timer would fire at once. */
const tooLong = 2 ** 31

/**
 * Who listens to a signal. However many wait with one signal, it has one listener: a signal looks through its listeners for each that
 * comes or goes, and Node warns at the eleventh.
 */
const listeners = new WeakMap<AbortSignal, Set<() => void> & EventListenerObject>()

const listen = (signal: AbortSignal, abort: () => void): (() => void) => {
  const all = listeners.get(signal) ?? Object.assign(new Set<() => void>(), { handleEvent: callAll })
  if (all.size === 0) {
    listeners.set(signal, all)
    signal.addEventListener("abort", all)
  }
  all.add(abort)
  return () => {
    if (!all.delete(abort) || all.size > 0) return
    listeners.delete(signal)
    signal.removeEventListener("abort", all)
  }
}

function callAll(this: Set<() => void>): void {
  this.forEach((abort) => abort())
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
): Promise<unknown> => {
  if (options === undefined || ticket.settled) return settlement(ticket)
  const { signal, timeout = tooLong } = options
  return new Promise((resolve, reject) => {
    const end = (reason: unknown) => {
      unwatch()
      // Some waits take something back before they end (a condition, its lock): then the ticket is woken once more.
      ticket.wake = () => reject(reason)
      wake(cancel())
      if (ticket.lane === undefined) reject(reason)
    }
    const abort = () => end(signal!.reason)
    const expire = () => end(timedOut(where, timeout))

    const unlisten = signal && listen(signal, abort)
    const timer = timeout < tooLong ? setTimeout(expire, timeout) : undefined
    const unwatch = () => {
      unlisten?.()
      clearTimeout(timer)
    }
    ticket.wake = () => {
      unwatch()
      // The caller runs a tick from now. An abort that comes before then still counts, and returns the grant.
      queueMicrotask(() => (signal?.aborted ? abort() : resolve(ticket.claim())))
    }
  })
}

/** Enqueues a ticket, waits for it, and gives its result. */
export const wait = async <State, Request, Result>(
  where: string,
  state: State,
  request: Request,
  options: WaitOptions | undefined,
  enqueue: (state: State, ticket: PromiseTicket<Request, Result>) => Chain | void,
  cancel: (state: State, ticket: PromiseTicket<Request, Result>) => Chain
): Promise<Result> => {
  const ticket = new PromiseTicket<Request, Result>(request, 0)
  wake(enqueue(state, ticket) as Chain)
  await park(where, ticket, options, () => cancel(state, ticket))
  return ticket.result!
}

const timedOut = (where: string, timeout: number): DOMException =>
  new DOMException(`${where}: timed out after ${timeout} ms`, "TimeoutError")

/** The options for each wait of a call that waits several times: its timeout is that of the whole call. `end` takes away its timer. */
export const limit = (
  where: string,
  options: WaitOptions | undefined
): { readonly options: WaitOptions | undefined; readonly end: () => void } => {
  const { signal, timeout = tooLong } = options ?? {}
  if (timeout >= tooLong) return { options, end: () => {} }
  const controller = new AbortController()
  const timer = setTimeout(() => controller.abort(timedOut(where, timeout)), timeout)
  const unlisten = signal && listen(signal, () => controller.abort(signal.reason))
  return {
    options: { signal: controller.signal },
    end: () => {
      clearTimeout(timer)
      unlisten?.()
    }
  }
}
