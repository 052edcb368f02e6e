/**
 * The flow as an async iterator: the only place where one is made.
 *
 * @internal
 */
import { expect, misuse } from "../core/arguments.js"
import * as slice from "../core/slice.js"
import * as core from "../core/streaming.js"
import type { Chain } from "../core/ticket.js"
import { wake } from "../core/ticket.js"
import { now, turn } from "./clock.js"
import { park, PromiseTicket, watch } from "./park.js"
import { report } from "./report.js"

/** Anything that `for await` takes. */
export type Source<A> = AsyncIterable<A> | Iterable<A | PromiseLike<A>>

/** Either iterator, whose answers come at once or later. */
interface AnyIterator<A> {
  next(): IteratorResult<A> | PromiseLike<IteratorResult<A>>
  return?(): unknown
}

/** What a source has thrown instead of an answer. */
class Thrown {
  constructor(readonly error: unknown) {}
}

/** What asking a source gives. */
type Answer<A> = IteratorResult<A> | PromiseLike<IteratorResult<A>> | Thrown

export interface Settings extends core.Options {
  readonly signal?: AbortSignal | undefined
}

/** What a call is given beside its item. */
export interface Context {
  /** Which item it is: 0 for the first, and so on. */
  readonly index: number
  /** Aborts when the result is not wanted any more. */
  readonly signal: AbortSignal
}

export type Call<A> = (item: A, context: Context) => unknown

/** What the result of a call makes of its item. */
export type Select<A, B> = (item: A, result: any) => B | typeof core.Skip

const done = { done: true, value: undefined } as const

export const isThenable = (value: any): value is PromiseLike<unknown> =>
  typeof value === "object" && value !== null && typeof value.then === "function"

export const checkSource = <A>(where: string, source: Source<A>): void => {
  const { [Symbol.asyncIterator]: later, [Symbol.iterator]: sooner } = Object(source)
  const iterable = typeof later === "function" || (typeof sooner === "function" && typeof source !== "string")
  expect(iterable, where, "source", "an iterable that is not a string, or an async iterable", source)
}

/** What a call is told of itself. Its signal is made when it is asked for: most calls never look. */
class Running implements Context {
  private controller: AbortController | undefined = undefined

  constructor(
    readonly index: number,
    private readonly calls: Calls
  ) {}

  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController()
      this.calls.listen(this.controller)
    }
    return this.controller.signal
  }

  end(): void {
    if (this.controller !== undefined) this.calls.delete(this.controller)
  }
}

/** What waits for calls, one after the other: as many are made as run at a time, rather than two functions for each call. */
class Waiter<A, B> {
  private entry: core.Entry<A, B> | undefined = undefined
  private item: A | undefined = undefined
  private running: Running | undefined = undefined

  constructor(private readonly flow: Flow<A, B>) {}

  wait(entry: core.Entry<A, B>, item: A, running: Running, result: PromiseLike<unknown>): void {
    this.entry = entry
    this.item = item
    this.running = running
    void Promise.resolve(result).then(this.ended, this.failed)
  }

  private readonly ended = (result: unknown): void => {
    const { entry, flow, item, running } = this
    this.free()
    flow.completed(entry!, item!, running!, result)
  }

  private readonly failed = (error: unknown): void => {
    const { entry, flow, running } = this
    this.free()
    flow.failed(entry!, running, error)
  }

  private free(): void {
    this.entry = this.item = this.running = undefined
    this.flow.waiters.push(this)
  }
}

/** The calls that run and listen. */
class Calls extends Set<AbortController> {
  /** Why they were told to end. */
  stopped: { readonly error: unknown } | undefined = undefined

  listen(controller: AbortController): void {
    if (this.stopped) controller.abort(this.stopped.error)
    else this.add(controller)
  }

  stop(reason: unknown): void {
    if (this.stopped) return
    this.stopped = { error: reason }
    for (const controller of this) controller.abort(reason)
  }

  /** Whether an error only says that what failed was told to end. */
  isTold(error: unknown): boolean {
    return this.stopped !== undefined && (error === this.stopped.error || (error as any)?.name === "AbortError")
  }
}

/** The place of who called `next`. */
class ResultTicket<B> extends PromiseTicket<undefined, B | typeof core.End | core.Failed> {
  constructor(readonly where: string) {
    super(undefined, 0)
  }

  override claim(): unknown {
    const { result, where } = this
    if (result === core.End) return done
    return result instanceof core.Failed
      ? Promise.reject(errorOf(where, result.errors))
      : { done: false, value: result }
  }
}

/** The place of who called `return` or `throw`. */
class CloseTicket extends PromiseTicket<undefined, typeof core.End | core.Failed> {
  constructor(
    readonly where: string,
    readonly value: unknown,
    readonly thrown: ReadonlyArray<unknown>
  ) {
    super(undefined, 0)
  }

  override claim(): unknown {
    const { result, thrown, value, where } = this
    const errors = result instanceof core.Failed ? [...thrown, ...result.errors] : thrown
    return errors.length > 0 ? Promise.reject(errorOf(where, errors)) : { done: true, value }
  }
}

const errorOf = (where: string, errors: ReadonlyArray<unknown>): unknown =>
  errors.length === 1 ? errors[0] : new AggregateError(errors, `${where}: ${errors.length} errors`)

const nobodyCancels = (): Chain => undefined

export class Flow<A, B> {
  private readonly state: core.State<A, B>
  private iterator: AnyIterator<A> | undefined
  /** Whether items may be promises. */
  private readonly awaits: boolean
  private readonly calls = new Calls()
  readonly waiters: Array<Waiter<A, B>> = []
  private readonly signal: AbortSignal | undefined
  private unwatch: (() => void) | undefined = undefined
  /** How long it has gone on since it let the event loop turn. */
  private readonly slice = slice.make()
  private began = false
  private working = false

  constructor(
    readonly where: string,
    private readonly source: Source<A>,
    private readonly call: Call<A> | undefined,
    settings: Settings = {},
    private readonly select?: Select<A, B>
  ) {
    checkSource(where, source)
    this.state = core.make(where, settings, call !== undefined)
    this.signal = settings.signal
    const { signal } = this
    if (signal !== undefined) {
      expect(typeof signal?.addEventListener === "function", where, "signal", "an AbortSignal", signal)
    }
    this.awaits = !(Symbol.asyncIterator in source)
    // An iterator is open already, and so has to be closed even if it is never asked. An iterable is not.
    if ("next" in source) this.iterator = open(source)
  }

  next(): Promise<IteratorResult<B>> {
    const { state } = this
    if (!this.began) this.begin()
    if (core.ready(state)) {
      const value = core.take(state)
      this.step(core.took(state))
      return Promise.resolve({ done: false, value })
    }
    return core.askFor(state) ? this.askFor() : this.request()
  }

  /** Waits for a result. */
  private request(): Promise<IteratorResult<B>> {
    const promise = park<IteratorResult<B>, core.State<A, B>, ResultTicket<B>>(
      this.where,
      this.state,
      new ResultTicket<B>(this.where),
      undefined,
      core.request,
      nobodyCancels
    )
    this.work()
    return promise
  }

  /** Asks the source for the only one who wants something. An answer that comes at once is his; for another he waits like everybody. */
  private askFor(): Promise<IteratorResult<B>> {
    if (slice.isOver(this.slice, now)) {
      const promise = this.request()
      void turn().then(this.askAfterTurn)
      return promise
    }
    const answer = this.answer()
    if (answer instanceof Thrown || isThenable(answer) || answer?.done !== false || this.isLater(answer.value)) {
      const promise = this.request()
      this.answered(answer)
      return promise
    }
    const value = answer.value as unknown as B
    this.step(core.passed(this.state))
    return Promise.resolve({ done: false, value })
  }

  return(value?: unknown): Promise<IteratorResult<B>> {
    return this.leave(new CloseTicket(this.where, value, []))
  }

  throw(error?: unknown): Promise<IteratorResult<B>> {
    return this.leave(new CloseTicket(this.where, undefined, [error]))
  }

  private leave(ticket: CloseTicket): Promise<IteratorResult<B>> {
    this.began = true
    const promise = park<IteratorResult<B>, core.State<A, B>, CloseTicket>(
      this.where,
      this.state,
      ticket,
      undefined,
      core.close,
      nobodyCancels
    )
    this.calls.stop(new DOMException("the results are not wanted any more", "AbortError"))
    this.work()
    return promise
  }

  /** What is to be done when a result is first asked for. */
  private begin(): void {
    const { signal, where } = this
    this.began = true
    if (signal?.aborted === true) this.abort(signal.reason)
    else if (signal) this.unwatch = watch(where, { signal }, (reason) => this.abort(reason))
  }

  private abort(reason: unknown): void {
    // Who listens to the signal of a call may ask the flow for something: it is stopped by then.
    wake(core.stop(this.state, { error: reason }))
    this.calls.stop(reason)
    this.abandon()
    this.work()
  }

  /** Does what there is to do. What is called in between may come back here: then there is only one more thing to do. */
  private work(): void {
    const { state } = this
    if (this.working) return
    this.working = true
    for (let work = core.next(state); work !== undefined; work = core.next(state)) {
      if (work === core.Ask) this.ask()
      else if (work === core.Close) this.close()
      else this.start(work)
    }
    this.working = false
    if (this.unwatch && core.isOver(state)) {
      this.unwatch()
      this.unwatch = undefined
    }
  }

  private step(chain: Chain): void {
    wake(chain)
    this.work()
  }

  /** Asks the source, after a turn of the event loop if it is time for one: a source that answers at once would let nobody else go on. */
  private ask(): void {
    if (slice.isOver(this.slice, now)) void turn().then(this.askAfterTurn)
    else this.answered(this.answer())
  }

  private readonly askAfterTurn = (): void => {
    slice.begin(this.slice, now())
    if (this.state.stopped) this.step(core.unanswered(this.state))
    else this.answered(this.answer())
  }

  private answer(): Answer<A> {
    try {
      this.iterator ??= open(this.source)
      return this.iterator.next()
    } catch (error) {
      return new Thrown(error)
    }
  }

  private readonly answered = (answer: Answer<A>): void => {
    const { state, where } = this
    if (isThenable(answer)) void Promise.resolve(answer).then(this.answered, this.askFailed)
    else if (answer instanceof Thrown) this.askFailed(answer.error)
    else if (Object(answer) !== answer) this.askFailed(new TypeError(`${where}: the source answered ${String(answer)}`))
    else this.step(answer.done === true ? core.endSource(state) : core.give(state, [answer.value]))
  }

  private readonly askFailed = (error: unknown): void => {
    const { state, where } = this
    if (state.source === "closed") {
      if (!this.calls.isTold(error))
        report({ where, name: undefined, message: "the source failed after it was left", error })
    } else if (this.calls.isTold(error)) this.step(core.endSource(state))
    else this.step(core.failSource(state, error))
  }

  private close(): void {
    const { iterator } = this
    try {
      const answer = iterator?.return?.()
      if (isThenable(answer)) void Promise.resolve(answer).then(this.closeAnswered, this.closeFailed)
      else this.closeAnswered(answer)
    } catch (error) {
      this.closeFailed(error)
    }
    this.abandon()
  }

  private readonly closeAnswered = (answer: unknown): void => {
    const open = (answer as IteratorResult<A> | undefined)?.done === false
    this.ended(open ? { error: misuse(this.where, "the source goes on although it was closed") } : undefined)
  }

  private readonly closeFailed = (error: unknown): void => this.ended(this.calls.isTold(error) ? undefined : { error })

  /** The source is closed. What it still owes is due at once: it is waited for that long, so that no item is lost on its way. */
  private ended(failure: { readonly error: unknown } | undefined): void {
    const { state, where } = this
    if (state.source === "closed") {
      if (!failure) return
      report({ where, name: undefined, message: "the source could not be closed", error: failure.error })
    } else if (state.asked) void turn().then(() => this.step(core.closed(state, failure)))
    else this.step(core.closed(state, failure))
  }

  /** After an abort nobody waits for a source in the midst of an answer: it may never come. */
  private abandon(): void {
    const { signal, state } = this
    if (signal?.aborted === true && state.asked && state.source === "closing") {
      void turn().then(() => state.source === "closing" && this.step(core.closed(state)))
    }
  }

  /** Whether an item is the promise of one. */
  private isLater(item: A): item is A & PromiseLike<unknown> {
    return this.awaits && isThenable(item)
  }

  private start(entry: core.Entry<A, B>): void {
    const { item } = entry
    if (!this.isLater(item)) this.run(entry, item)
    else {
      void Promise.resolve(item).then(
        (item) => this.run(entry, item as A),
        (error) => this.failed(entry, undefined, error)
      )
    }
  }

  private run(entry: core.Entry<A, B>, item: A): void {
    const { call, calls, state } = this
    if (call === undefined) return this.step(core.complete(state, entry, item as unknown as B))
    const running = new Running(entry.index, calls)
    let result: unknown
    try {
      result = call(item, running)
      if (isThenable(result)) return (this.waiters.pop() ?? new Waiter(this)).wait(entry, item, running, result)
    } catch (error) {
      return this.failed(entry, running, error)
    }
    this.completed(entry, item, running, result)
  }

  completed(entry: core.Entry<A, B>, item: A, running: Running, result: unknown): void {
    const { select, state } = this
    running.end()
    this.step(core.complete(state, entry, select === undefined ? (result as B) : select(item, result)))
  }

  failed(entry: core.Entry<A, B>, running: Running | undefined, error: unknown): void {
    const { calls, state } = this
    running?.end()
    if (calls.isTold(error)) return this.step(core.drop(state, entry))
    wake(core.fail(state, entry, error))
    calls.stop(error)
    this.work()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}

const open = <A>(source: Source<A>): AnyIterator<A> => {
  const { [Symbol.asyncIterator]: later } = source as AsyncIterable<A>
  return later === undefined
    ? (source as Iterable<A>)[Symbol.iterator]()
    : (source as AsyncIterable<A>)[Symbol.asyncIterator]()
}
