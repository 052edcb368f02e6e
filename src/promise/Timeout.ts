/**
 * Timeouts and deadlines for `async` functions: how long some work may take.
 *
 * It corresponds to `asyncio.timeout`, `timeout_at` and `wait_for`, as the Effect module's `Timeout` does, with these differences more:
 *
 * - A function is told by its `signal`, and its end is waited for, so that its cleanup is done when its caller goes on. One that has not
 *   asked for its signal cannot be told, and is left at once. A promise cannot be told either: it is left, and its owner hears of its
 *   failure.
 * - What ends with `DeadlineExceeded`, the reason of its signal, or an `AbortError`, once it was told to stop, has stopped; a value that
 *   it gives all the same is its result, and another error, from a cleanup for example, arrives.
 * - Nothing is inherited by itself: hand the `deadline` on, of which the earlier counts. A function that catches the `DeadlineExceeded`
 *   of a deadline around it can see whose it is.
 *
 * @since 0.1.0
 */
import { callable, expect, misuse, number } from "../core/arguments.js"
import type { Stop, Waiting, Worker } from "../core/deadline.js"
import * as core from "../core/deadline.js"
import { DeadlineExceeded } from "../core/deadline.js"
import { Expiry } from "../core/expiry.js"
import { settle, wake } from "../core/ticket.js"
import { Timer } from "../core/timers.js"
import type * as Effects from "../Timeout.js"
import { wall } from "./clock.js"
import { Overhear, type Overheard } from "./overhear.js"
import { attempt, checkWait, park, PromiseTicket, type WaitOptions, watch } from "./park.js"
import { report, type Reporter } from "./report.js"
import { ownTimers } from "./timer.js"
import { stateOf } from "./view.js"

export {
  /**
   * The deadline has passed. It says whose deadline it was. Test for it with `instanceof`, by `_tag`, or, with all that took too long on
   * the web, by `error.name === "TimeoutError"`.
   *
   * @since 0.1.0
   */
  DeadlineExceeded
}

/**
 * How a deadline is made.
 *
 * @since 0.1.0
 */
export interface DeadlineOptions {
  /** For `DeadlineExceeded`, reports, and whoever looks. */
  readonly name?: string | undefined
  /**
   * How many milliseconds to wait for the end of a function that was told to stop. After that it is left behind, which is reported.
   * Default: as long as it takes.
   */
  readonly grace?: number | undefined
  /** A deadline within which this one is: it ends what runs here as well. */
  readonly deadline?: Deadline | undefined
  /** Is told of a function that is left behind after its grace, and of one that fails later. Default: the console. */
  readonly onError?: Reporter | undefined
}

/**
 * How something is done under a deadline.
 *
 * @since 0.1.0
 */
export interface TimeoutOptions extends DeadlineOptions {
  /** Ends the wait with `signal.reason`, when the function has ended, which is told as well. When it is aborted already, nothing runs. */
  readonly signal?: AbortSignal | undefined
}

/**
 * What a function is told.
 *
 * @since 0.1.0
 */
export interface TimeoutContext {
  /** Aborts when the deadline has passed, or its caller has aborted. */
  readonly signal: AbortSignal
  /** To see how long is left, and to hand on. */
  readonly deadline: Deadline
}

/**
 * A function that is told when to stop, or a promise.
 *
 * @since 0.1.0
 */
export type TimeoutWork<A> = ((context: TimeoutContext) => A | PromiseLike<A>) | PromiseLike<A>

/** What of a function, or of whoever only wants a signal, is told to stop. */
class Told extends PromiseTicket<Waiting | undefined, Stop> {
  private controller: AbortController | undefined = undefined

  /** Asked when it is told: who has aborted, or the deadline. */
  constructor(
    request: Waiting | undefined,
    private readonly reason: () => unknown
  ) {
    super(request, 0)
  }

  /** The controller is made when it is asked for: many functions do not. */
  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController()
      if (this.settled) this.abort()
    }
    return this.controller.signal
  }

  override wake(): void {
    this.abort()
  }

  protected abort(): void {
    this.controller?.abort(this.reason())
  }
}

type Account<A> = PromiseSettledResult<A>

/** A piece of work under a deadline. */
class Run<A> extends Told {
  account: Account<A> | undefined = undefined
  gone: { readonly reason: unknown } | undefined = undefined
  /** Whether the function has asked for what would tell it. */
  asked = false
  /** The end of the grace. */
  timer: Timer | undefined = undefined

  constructor(
    readonly deadline: Deadline,
    caller: Caller<A>
  ) {
    super(caller, () => (this.gone ? this.gone.reason : deadline[core.TypeId].state.expired))
    caller.run = this
  }

  override wake(): void {
    const { state, time } = this.deadline[core.TypeId]
    // Nothing is left to be told: a deadline around this one need not stay awake for it.
    this.deadline.follow()
    if (!this.asked) {
      this.abort() // for who overhears it
      return wake(core.leave(this))
    }
    if (state.grace < Infinity) time.set((this.timer = new Grace(this)), time.now() + state.grace)
    this.abort()
  }

  /** Whoever waits for it has gone. */
  leave(reason: unknown): void {
    const { deadline } = this
    this.gone ??= { reason }
    wake(core.stop(deadline[core.TypeId].state, this))
    deadline.follow()
  }

  end(account: Account<A>, isOwn: boolean, once: boolean): void {
    const { deadline, request, timer } = this
    const { state, time } = deadline[core.TypeId]
    if (timer) time.clear(timer)
    this.account = account
    deadline.end(this)
    if (once) core.close(state)
    const isLeft = request!.result === "left"
    // A caller that waited for the cleanup and is gone hears its own reason.
    if ((!isLeft && !this.gone) || !isOwn || account.status === "fulfilled") return
    const error: unknown = account.reason
    const message = isLeft ? core.failedLate : core.failedGone
    const { expired } = state
    if (error !== expired && !isStop(error, this.gone ? this.gone.reason : expired))
      deadline.tell({ where, name: state.name, message, error })
  }
}

/** What the function is given. */
class Context implements TimeoutContext, Overheard {
  readonly #run: Run<any>

  constructor(run: Run<any>) {
    this.#run = run
  }

  get signal(): AbortSignal {
    this.#run.asked = true
    return this.#run.signal
  }

  get deadline(): Deadline {
    this.#run.asked = true
    return this.#run.deadline
  }

  [Overhear](): AbortSignal {
    return this.#run.signal
  }
}

/** What is told to stop is waited for so long. */
class Grace extends Timer {
  constructor(private readonly run: Run<any>) {
    super()
  }

  fire(): void {
    const { deadline } = this.run
    const { state } = deadline[core.TypeId]
    wake(core.leave(this.run))
    deadline.tell({ where, name: state.name, message: core.left(state), error: undefined })
  }
}

const where = "Timeout"

/** Who waits for a piece of work. */
class Caller<A> extends PromiseTicket<undefined, "ended" | "left"> {
  run!: Run<A>
  unwatch: (() => void) | undefined = undefined

  constructor() {
    super(undefined, 0)
  }

  override claim(): unknown {
    this.unwatch?.()
    const { account, deadline, gone, result } = this.run
    if (gone) return Promise.reject(gone.reason)
    if (account?.status === "fulfilled") return account.value
    const { expired } = deadline[core.TypeId].state
    const stopped = result !== undefined && (!account || isStop(account.reason, expired))
    return Promise.reject(stopped ? expired : account!.reason)
  }
}

const isStop = (error: any, reason: unknown): boolean => error === reason || error?.name === "AbortError"

/** A deadline that is within another is work of that one, while anything is done under it. */
class Inner extends PromiseTicket<Waiting | undefined, Stop> {
  constructor(
    private readonly inner: Expiry,
    private readonly outer: Expiry,
    readonly waited: boolean
  ) {
    super(waited ? new Caller() : undefined, 0)
  }

  override wake(): void {
    wake(core.expire(this.inner.state, this.outer.state.expired))
    this.inner.follow()
  }

  /** Nobody waits for it in earnest, so there is nobody to wake. */
  end(): void {
    core.end(this.outer.state, this)
    this.outer.follow()
  }
}

/**
 * A deadline, under which work can be run until it has passed. `Deadline.from` shares that of an Effect program.
 *
 * **When to use**: for a time that is shared by several pieces of work, that is looked at, or that moves. For one piece of work use
 * `timeout`. `deadline(20)` is the same as `new Deadline(20)`.
 *
 * **Details**: it begins when it is made. Without a number of milliseconds there is none until it is moved. Each `run` tells its function
 * when the time is over, and rejects with `DeadlineExceeded`; after that nothing starts. `run` may be handed on by itself. `signal` is for
 * what knows nothing of deadlines. A timer is set only while something runs, or has the signal, and the signal alone does not keep the
 * process alive. `using` closes.
 *
 * **Interruption**: as for `timeout`.
 *
 * @example
 * import { Deadline } from "effect-concurrency/promise"
 *
 * using deadline = new Deadline(20, { name: "the whole run" })
 * const first = await deadline.run(async () => "in time")
 * const error = await deadline.run(() => new Promise<never>(() => {})).catch((error) => error)
 *
 * console.log(`${first}; ${error.message}`) // => in time; the deadline "the whole run" of 20 ms has passed
 *
 * @since 0.1.0
 */
export class Deadline {
  /** @internal */
  declare readonly [core.TypeId]: Expiry
  declare private outer: Deadline | undefined
  declare private onError: Reporter | undefined
  declare private inner: Inner | undefined
  declare private told: Told | undefined

  constructor(milliseconds?: number | undefined, options: DeadlineOptions = {}) {
    fromNow(this, "new Deadline", milliseconds, options)
  }

  /** A deadline at an instant: a `Date`, or milliseconds since 1970. */
  static at(instant: Date | number, options: DeadlineOptions = {}): Deadline {
    const where = "Deadline.at"
    return setUp(blank(), where, untilInstant(where, instant), undefined, options)
  }

  /** A view of the deadline that an Effect program, or other plain code, uses. */
  static from(deadline: Effects.Deadline | Deadline): Deadline {
    stateOf("Deadline.from", "Deadline", core.TypeId, deadline)
    return deadline instanceof Deadline ? deadline : share(deadline[core.TypeId])
  }

  /** What it was named. */
  get name(): string | undefined {
    return this[core.TypeId].state.name
  }

  /** Aborts with `DeadlineExceeded` when the deadline, or one around it, has passed. Not after it was closed. */
  get signal(): AbortSignal {
    if (!this.told) {
      const { state } = this[core.TypeId]
      this.told = new Told(undefined, () => state.expired)
      if (!state.closed && !this.begin(this.told)) wake(settle(undefined, this.told, "deadline"))
    }
    return this.told.signal
  }

  /** How many milliseconds are left, until this deadline or one around it that is earlier. Infinity: for ever. */
  remaining(): number {
    let left = Infinity
    this.first((state, now) => {
      left = Math.min(left, core.remaining(state, now))
      return undefined
    })
    return left
  }

  /** Whether the deadline, or one around it, has passed. */
  get expired(): boolean {
    return this.remaining() === 0
  }

  /** When it is, in milliseconds since 1970, by the calendar of now. Infinity: never. */
  get when(): number {
    const { state, time } = this[core.TypeId]
    return state.at < Infinity ? Math.round(wall() + state.at - time.now()) : Infinity
  }

  /**
   * Moves the deadline: so many milliseconds from now, or, if undefined, never. Says whether that was in time; if not, nothing has changed.
   */
  reschedule(milliseconds: number | undefined): boolean {
    if (milliseconds !== undefined) number("Deadline.reschedule", "milliseconds", milliseconds, 0)
    const { state, time } = this[core.TypeId]
    const now = time.now()
    const moved = core.move(state, now, now + (milliseconds ?? Infinity), milliseconds)
    this.follow()
    return moved
  }

  /** Runs a function until the deadline has passed, or waits so long for a promise. */
  get run(): <A>(work: TimeoutWork<A>, options?: WaitOptions) => Promise<A> {
    return (work, options) => runUnder("Deadline.run", work, options, () => this, false)
  }

  /** Nothing more is run under the deadline, and its signal does not abort any more. What still runs has its time. */
  [Symbol.dispose](): void {
    const { state } = this[core.TypeId]
    core.close(state)
    if (this.told) this.end(this.told)
  }

  /** One property after the other: there is a deadline for each timeout. @internal */
  init(expiry: Expiry, outer: Deadline | undefined, onError: Reporter | undefined): this {
    const self = this as { -readonly [K in keyof Deadline]: Deadline[K] }
    self[core.TypeId] = expiry
    this.outer = outer
    this.onError = onError
    this.inner = this.told = undefined
    return this
  }

  /** @internal */
  tell(unhandled: Parameters<Reporter>[0]): void {
    void report(unhandled, this.onError)
  }

  /** Lists what is to be told, and says whether it is in time. If not, what has passed expires, and this as well. @internal */
  begin(worker: Worker): boolean {
    const { state, time } = this[core.TypeId]
    // (To read the clock is no small part of what a timeout costs.)
    const late = (this.outer && this.late) ?? core.begin(state, worker, time.now())
    if (late) {
      wake(core.expire(late))
      wake(core.expire(state, late.expired))
    }
    this.follow()
    return !late
  }

  /** The work has ended. @internal */
  end(worker: Worker): void {
    wake(core.end(this[core.TypeId].state, worker))
    this.follow()
  }

  /** After each transition. @internal */
  follow(): void {
    const { inner, outer } = this
    const expiry = this[core.TypeId]
    const { state } = expiry
    if (outer) {
      const works = state.works.size > 0
      const waited = state.waited > 0
      if (inner && (!works || inner.waited !== waited)) {
        this.inner = undefined
        inner.end()
      }
      if (works && !this.inner && !outer[core.TypeId].state.closed) {
        this.inner = new Inner(expiry, outer[core.TypeId], waited)
        if (!outer.begin(this.inner)) this.inner.wake()
      }
    }
    expiry.follow()
  }

  /** This deadline, or one around it, if it has passed. */
  private get late(): core.State | undefined {
    return this.first((state, now) => core.passed(state, now))
  }

  /** Asks this deadline, and then those around it that are not closed. */
  private first<A>(ask: (state: core.State, now: number) => A | undefined): A | undefined {
    const { state, time } = this[core.TypeId]
    let answer = ask(state, time.now())
    for (let { outer } = this; outer && answer === undefined; outer = outer.outer) {
      const { state, time } = outer[core.TypeId]
      if (!state.closed) answer = ask(state, time.now())
    }
    return answer
  }
}

/**
 * Makes a deadline: so many milliseconds from now, or none until it is moved. See {@link Deadline}.
 *
 * @example
 * import { deadline } from "effect-concurrency/promise"
 *
 * using morning = deadline(1000, { name: "this morning" })
 * const { run } = morning
 *
 * console.log(await run(async () => "done"), morning.reschedule(5000)) // => done true
 *
 * @see timeout for one piece of work
 * @since 0.1.0
 */
export const deadline = (milliseconds?: number | undefined, options: DeadlineOptions = {}): Deadline =>
  fromNow(blank(), "deadline", milliseconds, options)

/** So many milliseconds from now, or never. */
const fromNow = (
  self: Deadline,
  where: string,
  milliseconds: number | undefined,
  options: DeadlineOptions
): Deadline => {
  if (milliseconds !== undefined) number(where, "milliseconds", milliseconds, 0)
  return setUp(self, where, milliseconds ?? Infinity, milliseconds, options)
}

/** The timer as well: what works on one side moves it for both. */
const share = (expiry: Expiry): Deadline => Object.assign(blank(), { [core.TypeId]: expiry })

const blank = (): Deadline => Object.create(Deadline.prototype) as Deadline

/** Checks all before anything is made. */
const setUp = (
  self: Deadline,
  where: string,
  limit: number,
  length: number | undefined,
  options: DeadlineOptions
): Deadline => {
  const checked = options === defaults ? none : core.options(where, options)
  const { deadline: outer, onError } = options
  expect(outer === undefined || outer instanceof Deadline, where, "deadline", "a Deadline", outer)
  if (onError !== undefined) callable(where, "onError", onError)
  const time = ownTimers
  const around = outer?.[core.TypeId]
  const state = core.make(checked, time.now() + limit, length, around?.time === time ? around.state : undefined)
  return self.init(new Expiry(state, time), outer, onError)
}

const defaults: TimeoutOptions = {}
const none = core.options("timeout", defaults)

/** Milliseconds until an instant. */
const untilInstant = (where: string, instant: Date | number): number =>
  number(where, "instant", instant instanceof Date ? instant.getTime() : instant) - wall()

const nothing = (): undefined => {}

const runUnder = <A>(
  where: string,
  work: TimeoutWork<A>,
  options: WaitOptions | undefined,
  deadlineOf: () => Deadline,
  once: boolean
): Promise<A> =>
  attempt(() => {
    const isFunction = typeof work === "function"
    expect(isFunction || typeof Object(work).then === "function", where, "work", "a function or a promise", work)
    const deadline = deadlineOf()
    checkWait(where, options)
    const { state } = deadline[core.TypeId]
    if (state.closed) throw misuse(where, "the deadline is closed")
    const caller = new Caller<A>()
    const run = new Run<A>(deadline, caller)
    const result = park<A, core.State, Caller<A>>(where, state, caller, undefined, nothing, nothing)
    if (!deadline.begin(run)) {
      // Nobody hears of what a promise has to say: its owner does.
      throw state.expired!
    }
    // A deadline around this one has passed since the clock was looked at.
    if (run.settled) return result
    if (options) caller.unwatch = watch(where, options, (reason) => run.leave(reason))
    void attempt(() => (isFunction ? work(new Context(run)) : work)).then(
      (value) => run.end({ status: "fulfilled", value }, isFunction, once),
      (reason: unknown) => run.end({ status: "rejected", reason }, isFunction, once)
    )
    return result
  })

/**
 * Rejects with `DeadlineExceeded` when a function, or a promise, takes longer than so many milliseconds.
 *
 * **When to use**: around work that may take too long. For a time that moves, or that several pieces of work share, make a `Deadline`.
 *
 * **Details**: a function is called at once, unless there is no time, and is told by its `signal`. Its end is waited for, unless that
 * takes longer than the `grace`; one that has asked for neither its signal nor its deadline is left at once, and so is a promise. A
 * function that fails after it was left is reported. asyncio: `timeout`, `wait_for`.
 *
 * Nested: hand the `deadline` on. The earlier one counts, and of two at one time the outer.
 *
 * **Interruption**: an abort tells the function, and rejects with `signal.reason` when it has ended, or as above at once. Nothing is called
 * when the signal is aborted already.
 *
 * @example
 * import { timeout } from "effect-concurrency/promise"
 *
 * const error = await timeout(
 *   ({ signal }) => new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
 *   10,
 *   { name: "the request" }
 * ).catch((error) => error)
 *
 * console.log(error.name, error.message) // => TimeoutError the deadline "the request" of 10 ms has passed
 *
 * @see Deadline for a time that several share, or that moves
 * @since 0.1.0
 */
export const timeout = <A>(
  work: TimeoutWork<A>,
  milliseconds: number,
  options: TimeoutOptions = defaults
): Promise<A> => {
  const where = "timeout"
  const make = () => setUp(blank(), where, number(where, "milliseconds", milliseconds, 0), milliseconds, options)
  return runUnder(where, work, signalOf(options), make, true)
}

/** All that is watched, if there is something. */
const signalOf = (options: TimeoutOptions): WaitOptions | undefined =>
  options?.signal === undefined ? undefined : { signal: options.signal }

/**
 * Rejects with `DeadlineExceeded` when a function, or a promise, has not ended at an instant.
 *
 * **When to use**: for a deadline that came from elsewhere: a header of a request, the end of a whole run.
 *
 * **Details**: an instant is a `Date`, or milliseconds since 1970. One that is past does not call the function. Otherwise as `timeout`.
 * asyncio: `timeout_at`.
 *
 * **Interruption**: as for `timeout`.
 *
 * @example
 * import { timeoutAt } from "effect-concurrency/promise"
 *
 * const late = timeoutAt(() => "done", new Date("2001-01-01"), { name: "the century" })
 *
 * console.log((await late.catch((error) => error)).message) // => the deadline "the century" has passed
 *
 * @since 0.1.0
 */
export const timeoutAt = <A>(
  work: TimeoutWork<A>,
  instant: Date | number,
  options: TimeoutOptions = {}
): Promise<A> => {
  const where = "timeoutAt"
  const make = () => setUp(blank(), where, untilInstant(where, instant), undefined, options)
  return runUnder(where, work, signalOf(options), make, true)
}

/**
 * A limit of time as a value, for work again and again, each time from its beginning.
 *
 * @since 0.1.0
 */
export interface TimeoutPolicy {
  /** Runs a function, or waits for a promise, until the time is over. */
  run<A>(work: TimeoutWork<A>, options?: WaitOptions & { readonly deadline?: Deadline | undefined }): Promise<A>
}

/**
 * A limit of time as a value, to be combined with other policies.
 *
 * @example
 * import { timeoutPolicy } from "effect-concurrency/promise"
 *
 * const brief = timeoutPolicy(5, { name: "brief" })
 *
 * console.log((await brief.run(() => new Promise<never>(() => {})).catch((error) => error)).deadline) // => brief
 *
 * @since 0.1.0
 */
export const timeoutPolicy = (milliseconds: number, options: DeadlineOptions = {}): TimeoutPolicy => {
  const where = "timeoutPolicy"
  number(where, "milliseconds", milliseconds, 0)
  core.options(where, options)
  return {
    run: (work, run) => {
      const deadline = run?.deadline ?? options.deadline
      const make = () => setUp(blank(), where, milliseconds, milliseconds, { ...options, deadline })
      return runUnder("TimeoutPolicy.run", work, run, make, true)
    }
  }
}
