/**
 * A stream as an async iterator. One fiber runs the stream, and goes on only while somebody waits for an item.
 *
 * The promises here are the only ones that the Effect side makes itself. Whoever calls `next` is plain code: it has no fiber to be suspended,
 * and the protocol promises it an answer. Effect would make the promise if each `next` were run as a fiber that waits for a ticket, and each
 * would then cost a fiber, started and ended, for what is one callback. The facade has a ticket for promises, in src/promise/park.ts; but Effect
 * modules do not load the facade, which a bundle then would hold as well, and of signals and timeouts, which that is about, there are none.
 *
 * @internal
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import * as slice from "../core/slice.js"
import * as core from "../core/streaming.js"
import type { Chain } from "../core/ticket.js"
import { wake } from "../core/ticket.js"
import { afterTurn, forEachArray } from "./chunks.js"
import { callback, errorsOf, interruptNow, isInterruptedOnly, onFiberExit, type RunningFiber } from "./effect.js"
import { FiberTicket } from "./park.js"

type Answer<A> = A | typeof core.End | core.Failed

/** The place of plain code that called the iterator: it waits for a promise rather than in a fiber. */
class PromiseTicket<A> extends FiberTicket<undefined, Answer<A>> {
  constructor(
    private readonly value: unknown,
    private readonly thrown: ReadonlyArray<unknown>
  ) {
    super(undefined, 0, "an async iterator")
  }

  declare private resolve: (result: IteratorResult<A> | Promise<never>) => void

  readonly promise = new Promise<IteratorResult<A>>((resolve) => {
    this.resolve = resolve
  })

  override wake(): void {
    const { result, thrown, value } = this
    const errors = result instanceof core.Failed ? [...thrown, ...result.errors] : thrown
    if (errors.length > 0) this.resolve(Promise.reject(errorOf(errors)))
    else if (result === core.End) this.resolve({ done: true, value })
    else this.resolve({ done: false, value: result as A })
  }
}

const errorOf = (errors: ReadonlyArray<unknown>): unknown =>
  errors.length === 1 ? errors[0] : new AggregateError(errors, `Streaming.toAsyncIterable: ${errors.length} errors`)

export class StreamIterator<A, E, R> {
  private readonly state = core.make<A, A>("Streaming.toAsyncIterable", {}, false)
  /** How long it has gone on since it let the event loop turn. */
  private readonly slice = slice.make()
  private fiber: RunningFiber<void, E> | undefined = undefined
  /** Has the stream go on, when it waits for that. */
  private goOn: (() => void) | undefined = undefined

  constructor(
    private readonly stream: Stream.Stream<A, E, R>,
    private readonly fork: <A, E>(effect: Effect.Effect<A, E, R>) => RunningFiber<A, E>,
    private readonly now: () => number
  ) {}

  next(): Promise<IteratorResult<A>> {
    const ticket = new PromiseTicket<A>(undefined, [])
    this.step(core.request(this.state, ticket))
    return ticket.promise
  }

  return(value?: unknown): Promise<IteratorResult<A>> {
    return this.leave(new PromiseTicket<A>(value, []))
  }

  throw(error?: unknown): Promise<IteratorResult<A>> {
    return this.leave(new PromiseTicket<A>(undefined, [error]))
  }

  private leave(ticket: PromiseTicket<A>): Promise<IteratorResult<A>> {
    this.step(core.close(this.state, ticket as FiberTicket<any, any>))
    return ticket.promise
  }

  private step(chain: Chain): void {
    const { state } = this
    wake(chain)
    for (let work = core.next(state); work !== undefined; work = core.next(state)) {
      if (work === core.Ask) this.ask()
      else if (work === core.Close) this.close()
      else if (slice.isOver(this.slice, this.now)) this.handAfterTurn(work)
      else wake(core.complete(state, work, work.item))
    }
  }

  /** However many items a stream gives at once, and whatever is done with them: nobody else is kept waiting for long. */
  private handAfterTurn(entry: core.Entry<A, A>): void {
    afterTurn(() => {
      slice.begin(this.slice, this.now())
      this.step(core.complete(this.state, entry, entry.item))
    })
  }

  private ask(): void {
    const { fiber, goOn } = this
    this.goOn = undefined
    if (fiber !== undefined) return goOn!()
    this.fiber = this.fork(forEachArray(this.stream, (items) => this.give(items)))
    onFiberExit(this.fiber, (exit) => {
      const { state } = this
      const closing = state.source === "closing"
      if (exit._tag === "Success" || (closing && isInterruptedOnly(exit.cause))) this.step(core.closed(state))
      else {
        const errors = errorsOf(exit.cause)
        this.step(core.closed(state, { error: errors.length === 0 ? Cause.squash(exit.cause) : errorOf(errors) }))
      }
    })
  }

  private give(items: ReadonlyArray<A>): Effect.Effect<void> {
    return callback((resume) => {
      this.goOn = () => resume(Effect.void)
      this.step(core.give(this.state, items))
    })
  }

  private close(): void {
    const { fiber } = this
    if (fiber === undefined) this.step(core.closed(this.state))
    else interruptNow(fiber, fiber)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}
