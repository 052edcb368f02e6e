/**
 * A shield for `async` functions: work whose caller may go, and that is waited for at the end of the program.
 *
 * It corresponds to `asyncio.shield`. As there, several callers may shield one promise: each can go, and if all have gone before it
 * rejects, that is reported once.
 *
 * @since 0.1.0
 */
import { callable, expect, number, record } from "../core/arguments.js"
import * as running from "../core/running.js"
import * as core from "../core/shield.js"
import { wake } from "../core/ticket.js"
import type * as Effects from "../Shield.js"
import { enter, forOthers, isBounded } from "./insiders.js"
import { attempt, checkWait, park, PromiseTicket, wait, type WaitOptions, watch } from "./park.js"
import { log, overdue, report, reportWithin, type Unhandled } from "./report.js"
import { stateOf, view } from "./view.js"

export { ShieldClosed } from "../core/shield.js"

/**
 * How work is shielded. A signal or a timeout ends the caller's wait, and not the work.
 *
 * @since 0.1.0
 */
export interface ShieldedOptions extends WaitOptions {
  /** For reports, and for whoever looks. */
  readonly name?: string | undefined
}

/**
 * How a shield is made.
 *
 * @since 0.1.0
 */
export interface ShieldOptions {
  /**
   * Milliseconds that closing waits for the work. What has not ended then is reported by name and left behind. Default: as long as it
   * takes. A report has the same time: a failure whose report has not ended by the deadline is told on the console, and the report of what is
   * left behind may take as long again.
   */
  readonly deadline?: number | undefined
  /**
   * Where failures go whose caller has gone, once each. It may return a promise, which `close` waits for, and must not wait for the shield
   * itself. Default: `console.error`.
   */
  readonly onError?: ((failure: Unhandled) => unknown) | undefined
}

/**
 * What a shielded function is given.
 *
 * @since 0.1.0
 */
export interface ShieldedContext {
  /** Never aborted: for functions that want one. */
  readonly signal: AbortSignal
}

type Account<A> = PromiseSettledResult<A>

class Caller<A> extends PromiseTicket<undefined, core.End<Account<A>>> {
  constructor(
    private readonly state: core.State,
    private readonly work: core.Work
  ) {
    super(undefined, 0)
  }

  /** From here on he cannot go without it. */
  override claim(): unknown {
    wake(core.take(this.state, this.work))
    const { account } = this.result!
    return account.status === "fulfilled" ? account.value : Promise.reject(account.reason)
  }
}

/** Its signal is made when it is asked for. */
class Context implements ShieldedContext {
  private made: AbortSignal | undefined

  get signal(): AbortSignal {
    return (this.made ??= new AbortController().signal)
  }
}

type Report = (failure: Unhandled) => unknown

/**
 * A registry of shielded work. The same machine as the Effect module's `Shield`; `Shield.from` shares one.
 *
 * **When to use**: for what has to be completed once it has begun, also when the program ends: saving, paying, handing something back.
 *
 * **Details**: `close` waits for all of it; while it waits, work may still be added. Once it is closed, adding rejects with `ShieldClosed`.
 * `await using` closes.
 *
 * **Interruption**: an abort or a timeout lets the caller of `shield` go at once, and that of `critical` when the work has ended. What the
 * work rejects with afterwards is reported, once.
 *
 * @example
 * import { Shield } from "effect-concurrency/promise"
 *
 * const shield = new Shield({ deadline: 10_000 })
 * const log: Array<string> = []
 * const save = async () => {
 *   await new Promise((resolve) => setTimeout(resolve, 5))
 *   log.push("saved")
 * }
 * const controller = new AbortController()
 * const caller = shield.shield(save, { signal: controller.signal, name: "save" })
 * controller.abort("enough")
 * await caller.catch((reason) => log.push(reason))
 * await shield.close()
 *
 * console.log(log) // => [ 'enough', 'saved' ]
 *
 * @since 0.1.0
 */
export class Shield {
  /** @internal */
  declare readonly [core.TypeId]: core.State
  /** @internal */
  private readonly report: Report

  constructor(options: ShieldOptions = {}) {
    const where = "new Shield"
    const { deadline, onError } = record(where, options)
    if (onError !== undefined) callable(where, "onError", onError)
    this[core.TypeId] = core.make(where, { deadline })
    this.report = (failure) => report(failure, onError)
  }

  /** A view of the shield that an Effect program, or other plain code, uses. Its failures are reported where those are. */
  static from(shield: Effects.Shield | Shield): Shield {
    stateOf("Shield.from", "Shield", core.TypeId, shield as Shield)
    const report = "reportPlain" in shield ? (failure: Unhandled) => shield.reportPlain(failure) : shield.report
    return view(Shield.prototype, "Shield", core.TypeId, shield as Shield, { report })
  }

  /**
   * Does the work also when the wait for it is aborted or times out. A function is called at once; a promise is shielded as it is.
   * When the signal is aborted already, nothing is called, and a promise is nobody's business here.
   */
  async shield<A>(
    work: PromiseLike<A> | ((context: ShieldedContext) => A | PromiseLike<A>),
    options: ShieldedOptions = {}
  ): Promise<A> {
    const where = "Shield.shield"
    const state = this[core.TypeId]
    const shielded = this.begin(where, work, options)
    const leave = (_: unknown, ticket: Caller<A>): undefined => {
      core.leave(shielded, ticket)
      reportLate(state, shielded, this.report)
    }
    return park<A, core.Work, Caller<A>>(where, shielded, new Caller<A>(state, shielded), options, core.wait, leave)
  }

  /**
   * Does the work also when the wait for it is aborted or times out, and only then rejects with that. When the signal is aborted already,
   * nothing is called.
   */
  async critical<A>(
    work: PromiseLike<A> | ((context: ShieldedContext) => A | PromiseLike<A>),
    options: ShieldedOptions = {}
  ): Promise<A> {
    const where = "Shield.critical"
    const state = this[core.TypeId]
    const shielded = this.begin(where, work, options)
    const ticket = new PromiseTicket<undefined, core.End<Account<A>>>(undefined, 0)
    let gone: { readonly reason: unknown } | undefined
    // The work has begun, and may have aborted it by now: then no event will come.
    if (options.signal?.aborted) gone = { reason: options.signal.reason }
    const unwatch = watch(where, options, (reason) => (gone ??= { reason }))
    const { account } = await park<core.End<Account<A>>, core.Work, typeof ticket>(
      where,
      shielded,
      ticket,
      undefined,
      core.wait,
      core.leave
    )
    unwatch()
    if (gone) {
      core.leave(shielded, ticket)
      reportLate(state, shielded, this.report)
      throw (gone as { readonly reason: unknown }).reason
    }
    wake(core.take(state, shielded))
    if (account.status === "rejected") throw account.reason
    return account.value
  }

  /**
   * Waits until there is no shielded work, and every failure is reported. Work that waits for that waits for itself: before it has awaited
   * anything it is told so, and later that cannot be seen, and it never ends, unless it waits with a signal or a timeout.
   */
  awaitEmpty(options?: WaitOptions): Promise<void> {
    const where = "Shield.awaitEmpty"
    const { works } = this[core.TypeId]
    const emptied = attempt(() => {
      checkWait(where, options)
      return wait<typeof works, undefined, undefined>(where, works, undefined, options, running.enqueue, running.cancel)
    })
    return isBounded(options) ? emptied : forOthers(where, core.itself, works, emptied)
  }

  /**
   * Waits for the work, and closes the shield. What has not ended after the timeout, by default the deadline of the shield, is reported, once;
   * its names are the result, with those of failures that `onError` has not dealt with by then.
   *
   * Shielded work may close its shield, and need not look at the promise. If it waits for it, it waits for itself: before it has awaited anything
   * it is told so, by a rejection of that wait, and later that cannot be seen. With a timeout, it waits until then.
   */
  close(options: { readonly timeout?: number | undefined } = {}): Promise<ReadonlyArray<string>> {
    const where = "Shield.close"
    const { deadline, works } = this[core.TypeId]
    const closing = this.closed(where, options)
    return isBounded({ timeout: options?.timeout ?? deadline })
      ? closing
      : forOthers(where, core.itself, works, closing)
  }

  private async closed(where: string, options: { readonly timeout?: number | undefined }) {
    const state = this[core.TypeId]
    const { timeout = state.deadline } = record(where, options)
    number(where, "timeout", timeout, 0)
    core.beginClose(state)
    await wait(where, state.works, undefined, { timeout }, running.enqueue, running.cancel).catch(() => {})
    const { chain, message, names, overdue: late } = core.close(state)
    wake(chain)
    for (const work of late) overdue(unheard(work))
    if (message !== undefined) {
      const failure = { where, name: undefined, message, error: undefined }
      await reportWithin(timeout, late.length > 0 ? log : this.report, failure)
    }
    return names
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** A frozen snapshot. */
  stats(): core.Stats {
    return core.stats(this[core.TypeId])
  }

  /** Work that has begun, perhaps long ago: a promise is the same work for all who shield it. */
  private begin<A>(
    where: string,
    work: PromiseLike<A> | ((context: ShieldedContext) => A | PromiseLike<A>),
    options: ShieldedOptions
  ): core.Work {
    const state = this[core.TypeId]
    const { name } = record(where, options)
    checkWait(where, options)
    expect(name === undefined || typeof name === "string", where, "name", "a string", name)
    const isFunction = typeof work === "function"
    expect(isFunction || typeof Object(work).then === "function", where, "work", "a function or a promise", work)
    const known = isFunction ? undefined : state.shared.get(work)
    if (known) return known
    const begun = core.makeWork(name)
    const refused = core.add(state, begun)
    if (refused) throw refused
    if (!isFunction) state.shared.set(work, begun)
    const ended = (account: Account<A>) => {
      const failed = account.status === "rejected"
      wake(core.end(state, begun, { failed, error: failed ? account.reason : undefined, account }))
      reportLate(state, begun, this.report)
    }
    attempt(() => (isFunction ? enter(begun, work, new Context()) : work)).then(
      (value) => ended({ status: "fulfilled", value }),
      (reason: unknown) => ended({ status: "rejected", reason })
    )
    return begun
  }
}

/** Tells of a failure that nobody hears of. */
const reportLate = (state: core.State, work: core.Work, report: Report): void => {
  if (!core.late(work)) return
  const told = () => wake(core.told(state, work))
  // The report of an effect takes its time. (It does not reject; and if it did, it would be over, too.)
  void attempt(() => report(unheard(work))).then(told, told)
}

const unheard = ({ end, name }: core.Work): Unhandled => ({
  where: "Shield",
  name,
  message: core.unheard,
  error: end!.error
})

/** Work that no shield was made for: nobody waits for it when the program ends. */
const daemon = new Shield()

/**
 * Does the work also when the wait for it is aborted or times out.
 *
 * **When to use**: for what has to be completed once it has begun, in a program that goes on. To wait for it at the end of the program as
 * well, make a `Shield`.
 *
 * **Details**: a function is called at once; a promise is shielded as it is, and may be shielded several times. When the signal is aborted
 * already, nothing is called.
 *
 * **Interruption**: an abort or a timeout lets the caller go at once, and the work goes on. If it rejects then, that is reported, once,
 * with `console.error`.
 *
 * @example
 * import { shield } from "effect-concurrency/promise"
 *
 * const log: Array<string> = []
 * const save = async () => {
 *   await new Promise((resolve) => setTimeout(resolve, 20))
 *   log.push("saved")
 * }
 * await shield(save, { timeout: 1 }).catch((error) => log.push(error.name))
 * await new Promise((resolve) => setTimeout(resolve, 60))
 *
 * console.log(log) // => [ 'TimeoutError', 'saved' ]
 *
 * @since 0.1.0
 */
export const shield = <A>(
  work: PromiseLike<A> | ((context: ShieldedContext) => A | PromiseLike<A>),
  options?: ShieldedOptions
): Promise<A> => daemon.shield(work, options)

/**
 * Does the work also when the wait for it is aborted or times out, and only then rejects with that.
 *
 * **When to use**: for what nobody should overtake: whoever waits for the caller may rely on the work being done.
 *
 * **Details**: as `shield`.
 *
 * **Interruption**: delivered when the work has ended. A failure of the work is then nobody's, and reported, once.
 *
 * @example
 * import { critical } from "effect-concurrency/promise"
 *
 * const log: Array<string> = []
 * const save = async () => {
 *   await new Promise((resolve) => setTimeout(resolve, 5))
 *   log.push("saved")
 * }
 * const controller = new AbortController()
 * const caller = critical(save, { signal: controller.signal }).catch((reason) => log.push(reason))
 * controller.abort("enough")
 * await caller
 *
 * console.log(log) // => [ 'saved', 'enough' ]
 *
 * @since 0.1.0
 */
export const critical = <A>(
  work: PromiseLike<A> | ((context: ShieldedContext) => A | PromiseLike<A>),
  options?: ShieldedOptions
): Promise<A> => daemon.critical(work, options)
