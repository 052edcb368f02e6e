/**
 * Waiting for several, for `async` functions: for the first to end, the first to succeed, so many, or all; and what becomes of the others.
 *
 * It corresponds to `asyncio.wait`, `as_completed`, `gather`, and the `staggered_race` behind happy eyeballs. What differs from those on
 * purpose is said at the top of the Effect module `Wait`, and holds here as well. Besides:
 *
 * - What is given is a function, which is started here and told by its `signal` when it has lost; or a promise or a `Task`, which runs already,
 *   and is only listened to.
 * - A promise that was listened to counts as handled, for good: nobody can take that back. So its failure is its owner's, who has to look after it;
 *   we report none. A `Task` is left when the race is over, and its failure is as the Effect module says: the race's if it is the race's
 *   result; else reported by the task, unless somebody asks for it by the next turn of the event loop.
 * - A promise is never "cancelled": one that rejects has failed, also with an `AbortError`. Only a function that was told to abort, and
 *   rejects with the reason or an `AbortError`, has not; nor has a `Task` that was cancelled.
 * - `break` closes what `asCompleted` gives. To take some and go on later, call `next` for those. It starts its functions when it is called, as
 *   `as_completed` does. If nobody has begun to read by the next turn after one has failed, that is reported as the failure of a task that
 *   nobody waits for is; it can be taken all the same. Whoever has begun has the failures, until `break` or `return`; these report what is left.
 * - A task that takes part in a race of its own is told so, where it can be seen (see `Task`) and the race cannot end well without it.
 *
 * A promise that lives long may be waited for again and again: all waits together are one reaction on it, and one that has ended leaves
 * nothing behind. (`Promise.race` leaves a reaction for each race.) The same is true of a `Task`, which gets no reaction at all.
 *
 * @since 0.1.0
 */
import { callable, misuse, record } from "../core/arguments.js"
import * as tasks from "../core/task.js"
import { wake } from "../core/ticket.js"
import * as core from "../core/wait.js"
import { TooManyFailed } from "../core/wait.js"
import { attempt, checkWait, limit, wait as parked, watch, type WaitOptions as Limits } from "./park.js"
import { report, type Reporter } from "./report.js"
import { errorOf as errorOfTask, isInside, watchTask } from "./Task.js"

export {
  /**
   * So many failed that the successes that were needed cannot come any more. An `AggregateError`; `errors` are in start order.
   *
   * @since 0.1.0
   */
  TooManyFailed
}

/**
 * What a function is given. The signal aborts when its result is not wanted any more: another has won, or the caller was aborted.
 *
 * @since 0.1.0
 */
export interface Call {
  readonly signal: AbortSignal
}

/**
 * A function that starts something.
 *
 * @since 0.1.0
 */
export type Start<A> = (call: Call) => A | PromiseLike<A>

/**
 * A function that starts something, or what runs already.
 *
 * @since 0.1.0
 */
export type Input<A> = Start<A> | PromiseLike<A>

/**
 * What an input comes to.
 *
 * @since 0.1.0
 */
export type Output<T> = T extends (...args: any) => infer B ? Awaited<B> : Awaited<T>

/**
 * What becomes of the functions that still run when there is a result.
 *
 * - `"interruptAndWait"`, the default: their signals abort, and the result is there once they have settled.
 * - `"interrupt"`: their signals abort, and the result is there at once. Their cleanup goes on in the background.
 * - `"keep"`: they go on in the background.
 *
 * What fails after the decision is reported, whichever it is; to reject with the abort's reason is no failure.
 *
 * @since 0.1.0
 */
export type Losers = core.Losers

/**
 * What becomes of those who lose; a signal and a timeout for the whole.
 *
 * @since 0.1.0
 */
export interface Options extends Limits {
  /**
   * Default: `"interruptAndWait"`: a function that does not heed its signal then delays the result. An abort or a timeout of the whole ends
   * all, also those that would have been kept.
   */
  readonly losers?: Losers | undefined
  /** Is told of what fails when nobody waits for it any more. Default: the console. */
  readonly onError?: Reporter | undefined
}

/**
 * How to race: what becomes of those who lose, and whether to say who won.
 *
 * @since 0.1.0
 */
export interface RaceOptions<WithIndex extends boolean = false> extends Options {
  /** Whether the value is given with the place of its function: `{ index, value }`. Default: the value alone. */
  readonly withIndex?: WithIndex | undefined
}

/**
 * Who won, and with what: what a race gives that is asked `withIndex`. `index` is its place in what was given; of `hedge`,
 * which attempt it was, from 0.
 *
 * @since 0.1.0
 */
export type Winner<A> = core.Winner<A>

/**
 * What a race gives: a value, or, if it is asked `withIndex`, a `Winner`.
 *
 * @since 0.1.0
 */
export type Won<A, WithIndex extends boolean> = core.Won<A, WithIndex>

/**
 * How to wait for promises.
 *
 * @since 0.1.0
 */
export interface WaitOptions {
  /** Until one has settled; until one has rejected, or all have settled; until all have settled, the default. */
  readonly until?: core.Until | undefined
  /** Milliseconds after which it says what has settled by then. It does not reject. Default: as long as it takes. */
  readonly timeout?: number | undefined
  /** Ends the wait with `signal.reason`. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Which of the promises had settled, and which not: each once, and in the order in which they were given.
 *
 * @since 0.1.0
 */
export interface Waited<P> {
  readonly done: Array<P>
  readonly pending: Array<P>
}

/**
 * One that has settled, with its place in what was given.
 *
 * @since 0.1.0
 */
export type Completed<A> = PromiseSettledResult<A> & { readonly index: number }

/**
 * How to hedge.
 *
 * @since 0.1.0
 */
export interface HedgeOptions<WithIndex extends boolean = false> extends RaceOptions<WithIndex> {
  /** How many milliseconds an attempt may take before the next one is started beside it. */
  readonly after: number
  /** How many attempts in all: an integer, 1 or more. Default 2. */
  readonly max?: number | undefined
}

/**
 * Starts functions, and settles as the first that settles.
 *
 * **When to use**: when any answer will do, also a bad one; instead of `Promise.race`, which leaves the others running, and something in
 * each promise that lives on. For the first good answer, `firstSuccess`.
 *
 * **Details**: `asyncio.wait` with `FIRST_COMPLETED`. An empty list rejects. Those that settle in the same tick have the order in which
 * they were given. `withIndex` gives a value with its place; a rejection is that rejection.
 *
 * **Interruption**: an abort or a timeout aborts all functions and waits for them, unless losers are to be left with `"interrupt"`. After
 * the decision it changes nothing.
 *
 * **Fairness**: they are started in order. Nobody is favoured after that.
 *
 * @example
 * import { Wait } from "effect-concurrency/promise"
 *
 * const aborted: Array<string> = []
 * const after = (ms: number) => ({ signal }: Wait.Call) =>
 *   new Promise<string>((resolve, reject) => {
 *     const timer = setTimeout(() => resolve(`${ms} ms`), ms)
 *     signal.addEventListener("abort", () => {
 *       clearTimeout(timer)
 *       aborted.push(`${ms} ms`)
 *       reject(signal.reason)
 *     })
 *   })
 *
 * console.log(await Wait.firstCompleted([after(60_000), after(1)]), aborted) // => 1 ms [ '60000 ms' ]
 *
 * @see firstSuccess to look past failures
 * @since 0.1.0
 */
export const firstCompleted = <T extends Input<any>, WithIndex extends boolean = false>(
  inputs: Iterable<T>,
  options?: RaceOptions<WithIndex>
): Promise<Won<Output<T>, WithIndex>> =>
  race(
    "Wait.firstCompleted",
    inputs,
    options,
    () => "firstCompleted",
    (state) => valueOf(state, core.winners(state)[0]!)
  )

/**
 * Starts functions, and gives the first success.
 *
 * **When to use**: for several ways to the same thing, of which some may fail: mirrors, replicas, caches. `Promise.any` starts and stops
 * nothing.
 *
 * **Details**: when none succeeds it rejects with `TooManyFailed`, an `AggregateError` with all errors in start order. `withIndex` gives
 * the value with its place, `{ index, value }`.
 *
 * **Interruption**: an abort or a timeout aborts all functions and waits for them, unless losers are to be left with `"interrupt"`.
 *
 * **Fairness**: they are started in order. Nobody is favoured after that.
 *
 * @example
 * import { Wait } from "effect-concurrency/promise"
 *
 * const down = async (): Promise<string> => {
 *   throw new Error("down")
 * }
 *
 * console.log(await Wait.firstSuccess([down, async () => "from the mirror"])) // => from the mirror
 *
 * @see staggered to start them one after the other
 * @since 0.1.0
 */
export const firstSuccess = <T extends Input<any>, WithIndex extends boolean = false>(
  inputs: Iterable<T>,
  options?: RaceOptions<WithIndex>
): Promise<Won<Output<T>, WithIndex>> =>
  race(
    "Wait.firstSuccess",
    inputs,
    options,
    () => 1,
    (state) => successes(state)[0]!
  )

/**
 * Starts functions, and gives the first so many successes, in the order in which they came.
 *
 * **When to use**: for a quorum: two of three replicas.
 *
 * **Details**: as soon as too many have failed for it, it rejects with `TooManyFailed`. More than there are functions, or less than one, is
 * a `RangeError`. `withIndex` gives each with its place.
 *
 * **Interruption**: an abort or a timeout aborts all functions and waits for them, unless losers are to be left with `"interrupt"`.
 *
 * **Fairness**: they are started in order. Nobody is favoured after that.
 *
 * @example
 * import { Wait } from "effect-concurrency/promise"
 *
 * const replicas = [async () => "a", () => Promise.reject(new Error("down")), async () => "c"]
 *
 * console.log(await Wait.firstN(replicas, 2)) // => [ 'a', 'c' ]
 *
 * @since 0.1.0
 */
export const firstN = <T extends Input<any>, WithIndex extends boolean = false>(
  inputs: Iterable<T>,
  n: number,
  options?: RaceOptions<WithIndex>
): Promise<Array<Won<Output<T>, WithIndex>>> =>
  race("Wait.firstN", inputs, options, (where, { length }) => core.count(where, n, length), successes)

/**
 * Starts functions, and gives all their values, in the order of the functions; or rejects with the first failure.
 *
 * **When to use**: when every part is needed, and the others are to stop when one fails: `Promise.all` lets them run on, and drops
 * their errors.
 *
 * **Details**: `asyncio.gather`. Of no functions it gives no values.
 *
 * **Interruption**: an abort or a timeout aborts all functions and waits for them, unless losers are to be left with `"interrupt"`.
 *
 * **Fairness**: they are started in order, all at once.
 *
 * @example
 * import { Wait } from "effect-concurrency/promise"
 *
 * console.log(await Wait.all([() => "a", async () => 2, Promise.resolve(true)])) // => [ 'a', 2, true ]
 *
 * @since 0.1.0
 */
export const all: {
  <const T extends ReadonlyArray<Input<any>>>(
    inputs: T,
    options?: Options
  ): Promise<{ -readonly [K in keyof T]: Output<T[K]> }>
  <T extends Input<any>>(inputs: Iterable<T>, options?: Options): Promise<Array<Output<T>>>
} = (inputs: Iterable<Input<any>>, options?: Options): Promise<any> =>
  race(
    "Wait.all",
    inputs,
    options,
    (_, { length }) => length,
    (state) => {
      if (!core.hasSucceeded(state)) throw errorOf(state, core.losses(state)[0]!)
      return state.members.map(({ result }) => result)
    },
    0
  )

/**
 * Waits for promises and tasks, and says which have settled. It never rejects because of one.
 *
 * **When to use**: for promises that belong to somebody else, to look after some time, and then perhaps again.
 *
 * **Details**: `asyncio.wait`. A promise that is given twice counts once. One that rejected is in `done`: to await it there throws its
 * error; that of a `Task` is reported if nobody does by the next turn of the event loop. With a timeout of 0 it only looks. No promises is a
 * `RangeError`, as it is refused in asyncio.
 *
 * **Interruption**: an abort ends the wait and nothing else. Nothing is left in the promises, however often they are waited for.
 *
 * **Fairness**: does not apply: there is no result to get before another.
 *
 * @example
 * import { Wait } from "effect-concurrency/promise"
 *
 * const slow = new Promise<string>(() => {})
 * const fast = Promise.resolve("fast")
 * const { done, pending } = await Wait.wait([slow, fast], { until: "firstCompleted" })
 *
 * console.log(done[0] === fast, pending[0] === slow) // => true true
 *
 * @see asCompleted to get them one by one
 * @since 0.1.0
 */
export const wait = async <P extends PromiseLike<any>>(
  promises: Iterable<P>,
  options?: WaitOptions
): Promise<Waited<P>> => {
  const where = "Wait.wait"
  const { signal, timeout, until } = core.options(where, options) ?? {}
  const list = [...new Set(core.list(where, "promises", promises, "a promise", isPromise))]
  const state = core.make<unknown>(
    where,
    core.until(where, until),
    list.map(() => false)
  )
  checkWait(where, { signal, timeout })
  if (signal === undefined && timeout === undefined) refuseItself(where, list, state.goal)
  for (let i = 0; i < list.length; i++) core.startNext(state, 0)
  const listeners = list.map((promise, index) =>
    listen(promise, (ending) => wake(core.end(state, index, ending, undefined)))
  )
  const unwatch = watch(where, { timeout }, () => wake(core.expire(state)))
  try {
    // A task that has ended says so at once, and a promise that has settled, in the next tick.
    if (core.isDecided(state)) await undefined
    else await news(where, state, { signal })
  } finally {
    unwatch()
    for (const listener of listeners) listener.forget()
  }
  const is = (settled: boolean) => list.filter((_, index) => (state.members[index]!.status !== "running") === settled)
  return { done: is(true), pending: is(false) }
}

/**
 * Starts functions, all at once, and gives how they settle: each as it does.
 *
 * **When to use**: to go on with each result when it is there, rather than when all are: `for await (const { index, status } of …)`.
 *
 * **Details**: `asyncio.as_completed`. It may be asked for several at once: the first to ask gets the first to settle. A promise that is
 * given twice counts once, as it does where it is given first. A rejection does not end it. Of nothing it is empty. What a function
 * failed with and nobody took is reported. The signal and the timeout are those of the whole: what has settled by then is still given, and
 * every further `next` rejects.
 *
 * **Interruption**: `break`, an abort and a timeout abort the functions that still run, and wait for them, as `losers` says.
 *
 * **Fairness**: the order is that in which they settle.
 *
 * @example
 * import { Wait } from "effect-concurrency/promise"
 *
 * const after = (ms: number) => () => new Promise<number>((resolve) => setTimeout(resolve, ms, ms))
 * const log: Array<string> = []
 * for await (const result of Wait.asCompleted([after(5), () => Promise.reject(new Error("no")), after(1)])) {
 *   log.push(result.status === "fulfilled" ? `${result.index}: ${result.value}` : `${result.index}: ${result.reason}`)
 * }
 *
 * console.log(log) // => [ '1: Error: no', '2: 1', '0: 5' ]
 *
 * @since 0.1.0
 */
export const asCompleted = <T extends Input<any>>(inputs: Iterable<T>, options?: Options): AsCompleted<Output<T>> =>
  new AsCompleted(inputs, options)

/**
 * Starts functions one after the other: the next when a delay is over, or as soon as the one before has failed. Gives the first success.
 *
 * **When to use**: for several ways in order of preference, of which the later ones should cost nothing when an earlier one is quick: the
 * addresses of a host (happy eyeballs).
 *
 * **Details**: `staggered_race`. The delay is in milliseconds: 0 is `firstSuccess`; with `Infinity` the next is only started by a failure.
 * One below 0 is a `RangeError`, as is an empty list. When none succeeds: `TooManyFailed`, all errors in start order.
 * `withIndex` gives the value with its place.
 *
 * **Interruption**: an abort or a timeout aborts all that were started and waits for them, unless losers are to be left with `"interrupt"`.
 *
 * **Fairness**: they are started in order. An earlier one is not favoured once a later one is started.
 *
 * @example
 * import { Wait } from "effect-concurrency/promise"
 *
 * const tried: Array<string> = []
 * const connect = (address: string) => async () => {
 *   tried.push(address)
 *   if (address === "::1") throw new Error("unreachable")
 *   return address
 * }
 *
 * const addresses = ["::1", "127.0.0.1", "10.0.0.1"]
 * const connected = await Wait.staggered(addresses.map(connect), 250, { withIndex: true })
 * console.log(connected) // => { index: 1, value: '127.0.0.1' }
 * console.log(tried) // => [ '::1', '127.0.0.1' ]
 *
 * @since 0.1.0
 */
export const staggered = <A, WithIndex extends boolean = false>(
  functions: Iterable<Start<A>>,
  delay: number,
  options?: RaceOptions<WithIndex>
): Promise<Won<Awaited<A>, WithIndex>> => paced("Wait.staggered", () => functions, "delay", delay, options)

/**
 * Starts a function, and the same again beside it when it has not answered after some time. Gives the first success.
 *
 * **When to use**: against the slow tail of something that may be done twice: a read from a replica.
 *
 * **Details**: at most `max` attempts, 2 by default. An attempt that fails starts the next at once; when all have failed it rejects with
 * `TooManyFailed`, errors in start order. `withIndex` says which attempt it was, from 0. No counterpart in asyncio.
 *
 * **Interruption**: an abort or a timeout aborts all attempts and waits for them, unless losers are to be left with `"interrupt"`.
 *
 * **Fairness**: an earlier attempt is not favoured once a later one is started.
 *
 * @example
 * import { Wait } from "effect-concurrency/promise"
 *
 * let attempts = 0
 * const read = ({ signal }: Wait.Call) =>
 *   new Promise<string>((resolve, reject) => {
 *     signal.addEventListener("abort", () => reject(signal.reason))
 *     if (++attempts > 1) resolve(`attempt ${attempts}`)
 *   })
 *
 * console.log(await Wait.hedge(read, { after: 5 })) // => attempt 2
 *
 * @since 0.1.0
 */
export const hedge = async <A, WithIndex extends boolean = false>(
  f: Start<A>,
  options: HedgeOptions<WithIndex>
): Promise<Won<Awaited<A>, WithIndex>> => {
  const where = "Wait.hedge"
  const { after, max, ...rest } = record(where, options)
  callable(where, "argument", f)
  const copies = () => Array.from({ length: core.attempts(where, max) }, () => f)
  return paced(where, copies, "after", after, rest)
}

const paced = async <A>(
  where: string,
  functions: () => Iterable<Start<A>>,
  name: string,
  delay: number,
  options: RaceOptions<boolean> | undefined
): Promise<any> => {
  core.pace(where, name, delay)
  const list = core.list(where, "functions", functions(), "a function", isFunction)
  return race(
    where,
    list,
    options,
    () => 1,
    (state) => successes(state)[0]!,
    1,
    delay
  )
}

// -------------------------------------------------------------------------------------------------------------------------- running

type State = core.State<unknown>

/** What a reader who takes the endings one by one wants to hear. */
interface Reader {
  /** One has failed, and may be taken. */
  failed(): void
  decided(): void
}

/** Functions of one caller that run, and promises and tasks that are listened to. */
class Running {
  readonly state: State
  private readonly calls: Array<LazyCall> = []
  private readonly listeners: Array<Listener> = []

  constructor(
    readonly where: string,
    private readonly inputs: ReadonlyArray<Input<unknown>>,
    goal: core.Goal,
    options: core.Options,
    private readonly onError: Reporter | undefined,
    private readonly reader: Reader | undefined = undefined
  ) {
    this.state = core.make(where, goal, inputs.map(isFunction), options)
  }

  /** Starts those that are to be started now. */
  start(now: number): void {
    const { inputs, state } = this
    for (let index = core.startNext(state, now); index !== undefined; index = core.startNext(state, now)) {
      const input = inputs[index]!
      if (isFunction(input)) this.call(index, input)
      else this.listen(index, input)
    }
  }

  private call(index: number, f: Start<unknown>): void {
    const call = (this.calls[index] = new LazyCall())
    attempt(() => f(call)).then(
      (value) => this.end(index, "succeeded", value),
      (reason) => this.end(index, call.isTold(reason) ? "interrupted" : "failed", reason)
    )
  }

  private listen(index: number, promise: PromiseLike<unknown>): void {
    this.listeners[index] = listen(promise, (ending, result) => this.end(index, ending, result))
  }

  private end(index: number, ending: core.Ending, result: unknown): void {
    const { reader, state } = this
    const late = core.isDecided(state)
    wake(core.end(state, index, ending, result))
    if (late) return this.report(index)
    if (ending === "failed") reader?.failed()
    if (core.isDecided(state)) reader?.decided()
  }

  /** Tells of a failure that nobody has; of a promise or a task, its owner hears without us. */
  report(index: number): void {
    const { ours, result, status } = this.state.members[index]!
    if (!ours || status !== "failed") return
    const message = `number ${index} failed, and nobody waits for it any more`
    report({ where: this.where, name: undefined, message, error: result }, this.onError)
  }

  /** The caller has what a member ended with. */
  keep(index: number): void {
    this.listeners[index]?.keep()
  }

  /** Nobody has what the others ended with. Of these that is told. */
  abandon(failed: ReadonlyArray<number>): void {
    this.listeners.forEach((listener) => listener.forget())
    for (const index of failed) this.report(index)
  }

  /** Nobody has taken what failed so far. */
  disown(): void {
    for (const index of core.disown(this.state)) {
      this.listeners[index]?.forget()
      this.report(index)
    }
  }

  /** Lets go of those that still run. */
  async close(gone: boolean, reason: () => unknown): Promise<void> {
    const { calls, listeners, state, where } = this
    listeners.forEach((listener, index) => {
      if (state.members[index]!.status === "running") listener.forget()
    })
    const losers = core.close(state, gone)
    // An error knows where it was made, which takes time: it is made when somebody is told.
    if (losers.length > 0) {
      const told = { reason: reason() }
      for (const index of losers) calls[index]!.abort(told)
    }
    while (core.mustWait(state)) await news(where, state, undefined)
  }
}

/** What a function is given. A signal that nobody asks for is not made: it costs more than all else. */
class LazyCall implements Call {
  private controller: AbortController | undefined = undefined
  private told: { readonly reason: unknown } | undefined = undefined

  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController()
      if (this.told) this.controller.abort(this.told.reason)
    }
    return this.controller.signal
  }

  abort(told: { readonly reason: unknown }): void {
    this.told = told
    this.controller?.abort(told.reason)
  }

  /** Whether it rejects because it was told to. */
  isTold(error: any): boolean {
    return this.told !== undefined && (error === this.told.reason || error?.name === "AbortError")
  }
}

/** Runs until it is decided, lets go of those that still run, and gives the result. */
const race = async <A>(
  where: string,
  inputs: Iterable<Input<any>>,
  options: RaceOptions<boolean> | undefined,
  goal: (where: string, inputs: ReadonlyArray<unknown>) => core.Goal,
  result: (state: State) => A,
  min = 1,
  delay = 0
): Promise<A> => {
  const { losers, onError, signal, timeout, withIndex } = core.options(where, options) ?? {}
  const list = inputsOf(where, inputs, min)
  const running = new Running(where, list, goal(where, list), { delay, losers, withIndex }, onError)
  const { state } = running
  refuseItself(where, list, state.goal)
  const limits = signal === undefined && timeout === undefined ? undefined : { signal, timeout }
  checkWait(where, limits)
  const { end, options: wait } = limit(where, limits)
  // The timers are the clock: it stands still between them.
  let now = 0
  try {
    for (running.start(now); !core.isDecided(state); running.start(now)) {
      const due = core.wakeAt(state)
      const unwatch =
        due < Infinity
          ? watch(where, { timeout: due - now }, () => {
              now = due
              wake(core.tick(state))
            })
          : undefined
      try {
        await news(where, state, wait)
      } finally {
        unwatch?.()
      }
    }
  } catch (reason) {
    end()
    running.abandon(core.reasons(state)) // when it ended in the tick of the decision
    await running.close(true, () => reason)
    throw reason
  }
  end()
  core.reasons(state).forEach((index) => running.keep(index))
  running.abandon([])
  await running.close(false, () => lost(where))
  return result(state)
}

const lost = (where: string): DOMException =>
  new DOMException(`${where}: the result is not wanted any more`, "AbortError")

const news = (where: string, state: State, options: Limits | undefined): Promise<undefined> =>
  parked<State, undefined, undefined>(where, state, undefined, options, core.enqueue, core.cancel)

const valueOf = (state: State, index: number): any => {
  const { result, status } = state.members[index]!
  if (status !== "succeeded") throw result
  return core.won(state, index, result)
}

const errorOf = (state: State, index: number): unknown => state.members[index]!.result

const successes = (state: State): Array<any> => {
  if (core.hasSucceeded(state)) return core.winners(state).map((index) => valueOf(state, index))
  const errors = core.losses(state).map((index) => errorOf(state, index))
  throw new TooManyFailed(errors, state.goal as number, state.members.length)
}

// ------------------------------------------------------------------------------------------------------------------- one by one

/**
 * What `asCompleted` gives.
 *
 * @since 0.1.0
 */
export class AsCompleted<A> implements AsyncIterableIterator<Completed<A>> {
  private readonly running: Running
  private readonly indices: ReadonlyArray<number>
  /** Ends with the last of those who were asked. */
  private asked: Promise<unknown> = Promise.resolve()
  private closing: Promise<void> | undefined = undefined
  /** Whether the reader has asked for anything. */
  private begun = false
  /** Whether the reader wants no more. */
  private left = false
  private failure: { readonly reason: unknown } | undefined = undefined
  /** Whether it is about to be seen whether anybody reads. */
  private disowning = false
  private unwatch = (): void => {}

  /** @internal */
  constructor(inputs: Iterable<Input<any>>, options: Options | undefined) {
    const where = "Wait.asCompleted"
    const { losers, onError, ...limits } = core.options(where, options) ?? {}
    const list = inputsOf(where, inputs, 0)
    const seen = new Set<unknown>()
    this.indices = list.flatMap((input, index) =>
      isFunction(input) || seen.size < seen.add(input).size ? [index] : []
    )
    this.running = new Running(
      where,
      this.indices.map((index) => list[index]!),
      "each",
      { losers },
      onError,
      { failed: () => this.disown(), decided: () => this.unwatch() }
    )
    refuseItself(where, list, "each")
    const fail = (reason: unknown) => {
      this.failure = { reason }
      void this.close(true, () => reason)
    }
    try {
      checkWait(where, limits)
    } catch (reason) {
      if (limits.signal?.aborted !== true) throw reason
      fail(reason)
      return
    }
    this.running.start(0)
    // What it has called may have aborted the signal: then no event will come.
    if (limits.signal?.aborted) fail(limits.signal.reason)
    else if (!core.isDecided(this.running.state)) this.unwatch = watch(where, limits, fail)
  }

  /** Whoever has not begun to read by the next turn of the event loop may never: the failures until then are told as those of nobody. */
  private disown(): void {
    if (this.begun || this.disowning) return
    this.disowning = true
    setTimeout(() => {
      this.disowning = false
      if (!this.begun) this.running.disown()
    }, 0)
  }

  /** The next that settles, or has settled and was not taken. */
  next(): Promise<IteratorResult<Completed<A>, undefined>> {
    this.begun = true
    const result = this.asked.then(() => this.pull())
    this.asked = result.catch(() => {})
    return result
  }

  private async pull(): Promise<IteratorResult<Completed<A>, undefined>> {
    const { state, where } = this.running
    for (;;) {
      const index = this.left ? undefined : core.take(state)
      if (index !== undefined) return { done: false, value: this.completed(index) }
      if (this.failure !== undefined) {
        await this.closing
        throw this.failure.reason
      }
      if (this.left || core.isExhausted(state)) return { done: true, value: undefined }
      await news(where, state, undefined)
    }
  }

  private completed(at: number): Completed<A> {
    this.running.keep(at)
    const { result, status } = this.running.state.members[at]!
    const index = this.indices[at]!
    return status === "succeeded"
      ? { index, status: "fulfilled", value: result as A }
      : { index, status: "rejected", reason: result }
  }

  /** Wants no more. It ends when the functions have, as `losers` says. What `next` has not settled yet is done. */
  async return(): Promise<IteratorResult<Completed<A>, undefined>> {
    await this.leave(() => lost(this.running.where))
    return { done: true, value: undefined }
  }

  /** As `return`, and rejects with the error. */
  async throw(error: unknown): Promise<IteratorResult<Completed<A>, undefined>> {
    await this.leave(() => error)
    throw error
  }

  private leave(reason: () => unknown): Promise<void> {
    if (!this.left) {
      this.begun = this.left = true
      this.running.disown()
    }
    return this.close(false, reason)
  }

  private close(gone: boolean, reason: () => unknown): Promise<void> {
    this.unwatch()
    if (this.closing === undefined) {
      this.closing = this.running.close(gone, reason)
      // Who has asked for the next must not wait for those who lost.
      wake(core.tick(this.running.state))
    }
    return this.closing
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }
}

// ---------------------------------------------------------------------------------------------------------------- what runs already

/** Who listens to a promise or a task. */
interface Listener {
  /** Somebody has what it ended with. */
  keep(): void
  /** Nobody has, or it has not ended: it is as if nobody had listened. */
  forget(): void
}

type Settled = (ending: core.Ending, result: unknown) => void

/** Calls a function when a promise or a task settles. */
const listen = (promise: PromiseLike<unknown>, settled: Settled): Listener => {
  const task = taskOf(promise)
  return task === undefined ? subscribe(promise, settled) : new TaskListener(task, settled)
}

/** A task is not asked to `then`: that would be to ask for its failure, for good. */
const taskOf = (input: unknown): tasks.State | undefined => (input as any)[tasks.TypeId]

class TaskListener implements Listener {
  private readonly watch: tasks.Watch

  constructor(task: tasks.State, settled: Settled) {
    this.watch = watchTask(task, (outcome) => {
      if (outcome._tag === "Success") settled("succeeded", outcome.value)
      else settled(outcome._tag === "Failure" ? "failed" : "interrupted", errorOfTask(outcome))
    })
  }

  keep(): void {
    this.watch.keep()
  }

  forget(): void {
    wake(this.watch.leave())
  }
}

/** Refuses a task that would wait for itself, as far as that can be seen. */
const refuseItself = (where: string, inputs: ReadonlyArray<unknown>, goal: core.Goal): void => {
  const own = inputs.filter((input) => !isFunction(input) && isInside(taskOf(input))).length
  if (core.waitsForItself(goal, inputs.length, own)) throw misuse(where, tasks.itself)
}

/** One who waits for a promise, in a ring with the others: to forget one costs the same however many there are. */
class Waiter implements Listener {
  private next: Waiter = this
  private previous: Waiter = this

  constructor(private readonly settled: Settled) {}

  /** Adds another behind the last. */
  add(last: Waiter): void {
    last.next = this
    last.previous = this.previous
    this.previous = this.previous.next = last
  }

  /** Nobody can tell a promise that its failure is not handled after all. */
  keep(): void {}

  forget(): void {
    this.previous.next = this.next
    this.next.previous = this.previous
    this.previous = this.next = this
  }

  /** Tells the others, in order, and forgets them. */
  tell(ending: core.Ending, result: unknown): void {
    while (this.next !== this) {
      const waiter = this.next
      waiter.forget()
      waiter.settled(ending, result)
    }
  }
}

/** Who waits for a promise that has not settled. A promise keeps every reaction until it settles, so it gets one for all. */
const rings = new WeakMap<PromiseLike<unknown>, Waiter>()

/** Calls a function when a promise settles, unless the waiter that it gives is made to forget it. Then nothing is left behind. */
const subscribe = (promise: PromiseLike<unknown>, settled: Settled): Waiter => {
  const waiter = new Waiter(settled)
  ringOf(promise).add(waiter)
  return waiter
}

const ringOf = (promise: PromiseLike<unknown>): Waiter => {
  const found = rings.get(promise)
  if (found !== undefined) return found
  const ring = new Waiter(() => {})
  rings.set(promise, ring)
  const tell = (ending: core.Ending) => (result: unknown) => {
    rings.delete(promise)
    ring.tell(ending, result)
  }
  Promise.resolve(promise).then(tell("succeeded"), tell("failed"))
  return ring
}

const isFunction = (input: unknown): input is Start<any> => typeof input === "function"

const isPromise = (input: any): boolean => typeof input === "object" && typeof input?.then === "function"

const inputsOf = <T>(where: string, inputs: Iterable<T>, min: number): Array<T> =>
  core.list(where, "inputs", inputs, "a function or a promise", (input) => isFunction(input) || isPromise(input), min)
