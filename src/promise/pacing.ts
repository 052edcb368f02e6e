/**
 * What debounce and throttle are made of among promises.
 *
 * @internal
 */
import { callable } from "../core/arguments.js"
import { Pacer, type Runner } from "../core/pacer.js"
import type { End, Flush, Kind, Options, Run, Stats } from "../core/pacing.js"
import * as core from "../core/pacing.js"
import { attempt, checkWait, park, PromiseTicket, wait, type WaitOptions } from "./park.js"
import { report, type Reporter } from "./report.js"
import { ownTimers } from "./timer.js"

/** What both functions have. */
export interface Paced<in Args extends ReadonlyArray<any>, out A> {
  /** Calls the function, as soon as it is due; gives what comes of the run that covers this call. */
  (...args: Args): Promise<A>

  /** The same with a signal or a timeout, which end the wait and not the run. */
  with(options: WaitOptions): (...args: Args) => Promise<A>

  /** Calls the function, as soon as it is due, and gives no promise: its failures are reported. False: it is closed. */
  trigger(...args: Args): boolean

  /**
   * Makes what is pending due now, and waits until that, and what was in progress, has ended. It does not reject with their errors:
   * those are the callers'.
   */
  flush(options?: WaitOptions): Promise<void>

  /** As `flush`, of one key. */
  flushKey(key: unknown, options?: WaitOptions): Promise<void>

  /** Rejects the pending calls, and says how many. What is in progress goes on. */
  cancel(): number

  /** As `cancel`, of one key. */
  cancelKey(key: unknown): number

  /** How many calls are covered by no run that has begun. */
  readonly pending: number

  /** A frozen snapshot. */
  stats(): Stats

  /** Takes no more calls, flushes or cancels as it was made to, and waits for what runs. */
  close(options?: WaitOptions): Promise<void>

  [Symbol.asyncDispose](): Promise<void>
}

/** What is done with a run of which nobody hears, and what calls belong together. */
export interface Hooks<Args extends ReadonlyArray<any>> {
  readonly key?: ((...args: Args) => unknown) | undefined
  readonly onError?: Reporter | undefined
}

class Caller extends PromiseTicket<Run, End> {
  override claim(): unknown {
    const { failed, value } = this.result!
    return failed ? Promise.reject(value) : value
  }
}

/** All who called without a signal of their own: they share one promise, so that one more of them costs next to nothing. */
class Callers extends Caller {
  override claim(): unknown {
    const { shared, status } = this.request
    // Whoever cancels knows: it is no unhandled rejection.
    if (status === "cancelled") handled(shared as Promise<unknown>)
    return super.claim()
  }
}

const handled = (promise: Promise<unknown>): Promise<never> => {
  promise.catch(() => {})
  return promise as Promise<never>
}

/** What is to be done when a run has ended, by those who came meanwhile: each in its own `AsyncLocalStorage` context. */
class Over {
  declare end: () => void
  readonly promise = new Promise<void>((resolve) => (this.end = resolve))
}

/** Whose first, synchronous part runs. Later there is no way to ask who calls. */
let inside: Run | undefined

class PromiseRunner implements Runner {
  declare pacer: Pacer

  constructor(
    private readonly where: string,
    private readonly name: string | undefined,
    private readonly f: (...args: ReadonlyArray<any>) => unknown,
    private readonly onError: Reporter | undefined
  ) {}

  start(run: Run): void {
    const { f } = this
    const { args } = run
    const ended = (end: End) => {
      this.pacer.ended(run, end)
      ;(run.over as Over | undefined)?.end()
    }
    const call = () => {
      const outer = inside
      inside = run
      try {
        return f(...args)
      } finally {
        inside = outer
      }
    }
    attempt(call).then(
      (value) => ended({ failed: false, value, account: undefined }),
      (value: unknown) => ended({ failed: true, value, account: undefined })
    )
  }

  report({ value }: End, told: () => void): void {
    const { name, onError, where } = this
    const reported = report({ where, name, message: core.unheard, error: value }, onError)
    if (reported === undefined) told()
    else void reported.then(told)
  }

  isInside(running: Run): boolean {
    return running === inside
  }

  after(running: Run, go: () => void): void {
    void ((running.over ??= new Over()) as Over).promise.then(go)
  }
}

/** Makes a pacer. The options are checked before anything begins. */
export const makePacer = (
  where: string,
  kind: Kind,
  f: (...args: any) => unknown,
  options: Options,
  { key, onError }: Hooks<any>
): Pacer => {
  callable(where, "fn", f)
  if (key !== undefined) callable(where, "key", key)
  if (onError !== undefined) callable(where, "onError", onError)
  const state = core.make(where, kind, options)
  const runner = new PromiseRunner(where, state.name, f, onError)
  return (runner.pacer = new Pacer(state, ownTimers, key, runner))
}

/** Where a wait is that nothing sets an end to. */
const endless = (where: string, { signal, timeout = Infinity }: WaitOptions = {}): string | undefined =>
  signal === undefined && timeout === Infinity ? where : undefined

/** The function that calls a pacer, whoever has made that. */
export const paced = <F extends Paced<any, any>>(where: string, id: string, pacer: Pacer): F => {
  const leave = (run: Run, ticket: Caller) => pacer.leave(run, ticket)
  const join = (run: Run | undefined, ticket: typeof Caller, options?: WaitOptions): Promise<any> =>
    run === undefined
      ? handled(Promise.reject(core.cancellation(pacer.state, "closed")))
      : park<unknown, Run, Caller>(where, run, new ticket(run, 0), options, core.wait, leave)

  const call = (...args: ReadonlyArray<unknown>): Promise<unknown> => {
    let run: Run | undefined
    try {
      run = pacer.call(args)
    } catch (error) {
      return Promise.reject(error)
    }
    return run === undefined ? join(run, Callers) : ((run.shared ??= join(run, Callers)) as Promise<unknown>)
  }

  const finished = (
    name: string,
    options: WaitOptions | undefined,
    begin: (where: string | undefined) => Flush
  ): Promise<any> =>
    attempt(() => {
      checkWait(`${where}.${name}`, options)
      const flush = begin(endless(`${where}.${name}`, options))
      return wait(`${where}.${name}`, flush, flush, options, core.awaitFlush, core.leaveFlush)
    })

  const close = (options?: WaitOptions) => finished("close", options, (where) => pacer.close(where))

  return Object.defineProperties(
    call as unknown as F,
    Object.getOwnPropertyDescriptors({
      [id]: pacer,
      with:
        (options: WaitOptions) =>
        (...args: ReadonlyArray<unknown>) =>
          attempt(() => {
            checkWait(where, options)
            return join(pacer.call(args), Caller, options)
          }),
      trigger: (...args: ReadonlyArray<unknown>) => pacer.call(args) !== undefined,
      flush: (options?: WaitOptions) => finished("flush", options, (where) => pacer.flush(where)),
      flushKey: (key: unknown, options?: WaitOptions) =>
        finished("flushKey", options, (where) => pacer.flush(where, key)),
      cancel: () => pacer.cancel(),
      cancelKey: (key: unknown) => pacer.cancel(key),
      get pending() {
        return core.pending(pacer.state)
      },
      stats: () => core.stats(pacer.state),
      close,
      [Symbol.asyncDispose]: () => close()
    })
  )
}
