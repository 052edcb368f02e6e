/**
 * Streaming for `async` functions: sources, and calls for each of their items, as async iterators.
 *
 * It corresponds to asyncio's async iterators and generators, `aclosing` included, with these differences. `break` out of a `for await`
 * closes the iterator, as JavaScript has it. Calls that overlap wait for each other rather than fail with "already running", so a source must not wait
 * for results of its own. An iterator takes no values: `next(value)` is `next()`, so there is no `asend`. `throw(error)` closes, and rejects with the error; it
 * does not go on in the source. What `next` and `return` give are promises, which may be awaited twice. Nothing closes what is dropped half
 * way, also not the end of the program. An abort cannot reach into a source that is in the midst of an answer: it is told to close, and not
 * waited for.
 *
 * @since 0.1.0
 */
import { callable, record } from "../core/arguments.js"
import * as core from "../core/range.js"
import { Skip } from "../core/streaming.js"
import type * as Effects from "../WorkQueue.js"
import { type Call, type Context, Flow, type Select, type Settings, type Source } from "./flow.js"
import { WorkQueue } from "./WorkQueue.js"

/**
 * What `for await` takes: an async iterable, or an iterable of values or promises.
 *
 * @since 0.1.0
 */
export type { Source }

/**
 * What a call is given beside its item.
 *
 * @since 0.1.0
 */
export type { Context }

/**
 * The results, for `for await`, or one by one.
 *
 * **When to use**: it is what every function here gives. `await using` closes it at the end of a block.
 *
 * **Details**: it can be gone through once. Nothing happens before the first `next`. Several `next` may wait at a time, and are answered in
 * order. After the end, or after an error, `next` gives `done`. `return` (which `break` calls) and `throw` stop it: nothing is started any
 * more, the signals of the calls that run abort, and when those have ended the source is closed; then they settle. What failed until then
 * and was not told yet is what `return` rejects with.
 *
 * **Interruption**: `signal` stops it likewise, and the next `next` rejects with `signal.reason`. Nobody then waits for a source in the
 * midst of an answer: it is told to close, and what it fails with afterwards is reported on the console.
 *
 * **Fairness**: who asks first gets the first result.
 *
 * @since 0.1.0
 */
export interface Results<A> extends AsyncIterableIterator<A>, AsyncDisposable {
  next(): Promise<IteratorResult<A>>
  return(value?: unknown): Promise<IteratorResult<A>>
  throw(error?: unknown): Promise<IteratorResult<A>>
  [Symbol.asyncIterator](): this
}

/**
 * How to end early.
 *
 * @since 0.1.0
 */
export interface SignalOptions {
  /** Ends it with `signal.reason`. When it is aborted already, the source is not asked. */
  readonly signal?: AbortSignal | undefined
}

/**
 * How a function is applied.
 *
 * @since 0.1.0
 */
export interface MapOptions extends Settings {}

/**
 * The integers from `start` up or down to `end`, which is not among them, as Python's `range`. With one argument, from 0 up to it.
 *
 * **When to use**: for a count that goes through `map` or `filter`, or that has to leave others their turn.
 *
 * **Details**: `step` is an integer other than 0, by default 1. One that leads away from `end` gives nothing. `end` may be `Infinity`. A
 * `RangeError` otherwise. It yields as `fromIterable` does.
 *
 * @example
 * import { Streaming } from "effect-concurrency/promise"
 *
 * console.log(await Streaming.collect(Streaming.range(5))) // => [ 0, 1, 2, 3, 4 ]
 * console.log(await Streaming.collect(Streaming.range(6, 0, -2))) // => [ 6, 4, 2 ]
 *
 * @since 0.1.0
 */
export const range = (start: number, end?: number, step?: number): Results<number> =>
  new Flow<number, number>("Streaming.range", core.range("Streaming.range", start, end, step), undefined)

/**
 * The items of an iterable. The event loop turns after each millisecond of them: timers, input and everybody else are served in between.
 *
 * **When to use**: for a long computation that gives one thing after the other, and must not keep the others waiting. Everything else here
 * does the same with whatever it goes through: also an async generator may never wait for anything.
 *
 * **Details**: what counts is the time between two items, the consumer's work included; a single item or a body that takes long blocks as
 * long as it takes. The clock is read for each item, or for one in 16 while they are quick: so many that are suddenly slow may come
 * together, once. Promises in the iterable are awaited. Closing closes the iterator, if it has a `return`.
 *
 * @example
 * import { Streaming } from "effect-concurrency/promise"
 *
 * let sum = 0
 * for await (const n of Streaming.fromIterable([1, 2, Promise.resolve(3)])) sum += n
 *
 * console.log(sum) // => 6
 *
 * @since 0.1.0
 */
export const fromIterable = <A>(iterable: Iterable<A | PromiseLike<A>>, options?: SignalOptions): Results<A> =>
  new Flow<A, A>("Streaming.fromIterable", iterable, undefined, only("Streaming.fromIterable", options))

/**
 * The items of an async iterable, through an iterator that keeps the whole protocol, whatever the source's own does: calls that overlap,
 * calls after the end, `return` and `throw` while a `next` waits, and an abort.
 *
 * **When to use**: to put a signal to a source, or to hand a source of unknown making to others.
 *
 * **Details**: the source is asked once at a time, when somebody waits for an item. An item that it gives while it is being closed goes to
 * who waits for it. When a millisecond has passed, the event loop turns before the source is asked again.
 *
 * @example
 * import { Streaming } from "effect-concurrency/promise"
 *
 * async function* numbers() {
 *   yield 1
 *   yield 2
 * }
 * const results = Streaming.fromAsyncIterable(numbers())
 * const both = await Promise.all([results.next(), results.next()])
 *
 * console.log(both.map(({ value }) => value)) // => [ 1, 2 ]
 * console.log(await results.next()) // => { done: true, value: undefined }
 *
 * @since 0.1.0
 */
export const fromAsyncIterable = <A>(iterable: AsyncIterable<A>, options?: SignalOptions): Results<A> =>
  new Flow<A, A>("Streaming.fromAsyncIterable", iterable, undefined, only("Streaming.fromAsyncIterable", options))

/**
 * The items of a queue, until it has ended and is empty.
 *
 * **When to use**: for a queue that an Effect program made, or where the rest of the protocol is needed: `throw`, `await using`, a
 * signal, a turn of the event loop after each millisecond although the queue is full. A plain `for await` can go over the facade's `WorkQueue`
 * itself.
 *
 * **Details**: leaving ends the iterator and not the queue. It says nothing of what is done: call `taskDone` if you use `join`. It rejects
 * with what the queue was failed with.
 *
 * **Interruption**: no item is lost. One that the queue hands over while the iterator is left goes back to it, or to the `next` that waits.
 *
 * @example
 * import { Streaming, WorkQueue } from "effect-concurrency/promise"
 *
 * const queue = new WorkQueue<number>()
 * await queue.offerAll([1, 2, 3])
 * for await (const n of Streaming.toAsyncIterable(queue)) {
 *   if (n === 2) break
 * }
 *
 * console.log(queue.peek()) // => 3
 *
 * @since 0.1.0
 */
export const toAsyncIterable = <A, E = never, Full = never>(
  queue: WorkQueue<A> | Effects.WorkQueue<A, E, Full>,
  options?: SignalOptions
): Results<A> => {
  const where = "Streaming.toAsyncIterable"
  return new Flow<A, A>(where, WorkQueue.from(queue), undefined, only(where, options))
}

/**
 * All items of a source, as an array.
 *
 * **Interruption**: an abort stops the source, and rejects with `signal.reason`. An error stops it, too. What was collected until then
 * is lost.
 *
 * @example
 * import { Streaming } from "effect-concurrency/promise"
 *
 * const doubled = Streaming.map([1, 2, 3], (n) => n * 2)
 *
 * console.log(await Streaming.collect(doubled)) // => [ 2, 4, 6 ]
 *
 * @since 0.1.0
 */
export const collect = async <A>(source: Source<A>, options?: SignalOptions): Promise<Array<A>> => {
  const results = new Flow<A, A>("Streaming.collect", source, undefined, only("Streaming.collect", options))
  const all: Array<A> = []
  for await (const item of results) all.push(item)
  return all
}

/**
 * Applies a function to each item, several at a time if you like.
 *
 * **When to use**: where the results are wanted one by one, as they come. For all of them at once, with permits shared among callers,
 * there is `Semaphore.map`.
 *
 * **Details**: with a concurrency of 1, the default, it is a loop: an item is asked for when a result is. With more, it reads ahead of
 * the consumer by `concurrency - 1 + buffer` items and no further. The source is asked once at a time, and only when the item can be
 * started. Results come in the order of the items, or with `ordered: false` as they are ready. When a call fails no more are started,
 * the signals of those that run abort, and when they have ended the source is closed; results that were ready before are still given,
 * then the error, or an `AggregateError` of several in the order of their items. An error of the source comes after the results of what
 * it gave before. A function may return a value or a promise.
 *
 * **Interruption**: leaving or aborting stops it: see {@link Results}. What has been read ahead is lost to the source.
 *
 * **Fairness**: items are started in the order of the source.
 *
 * @example
 * import { Streaming } from "effect-concurrency/promise"
 *
 * const lengths = Streaming.map(["a", "bb", "ccc"], async (word, { index }) => `${index}: ${word.length}`, { concurrency: 2 })
 * for await (const line of lengths) if (line.startsWith("2")) console.log(line) // => 2: 3
 *
 * @since 0.1.0
 */
export const map = <A, B>(
  source: Source<A>,
  f: (item: A, context: Context) => B | PromiseLike<B>,
  options?: MapOptions
): Results<Awaited<B>> => {
  callable("Streaming.map", "f", f)
  return new Flow<A, Awaited<B>>("Streaming.map", source, f as Call<A>, options)
}

/**
 * The items that a predicate holds for; several are asked about at a time if you like.
 *
 * **When to use**: where the predicate has to wait. It takes the options of {@link map}, and ends as that does.
 *
 * **Details**: what the predicate gives may be any value, or a promise of it; what is truthy holds.
 *
 * @example
 * import { Streaming } from "effect-concurrency/promise"
 *
 * const even = Streaming.filter(Streaming.range(6), async (n) => n % 2 === 0, { concurrency: 3 })
 *
 * console.log(await Streaming.collect(even)) // => [ 0, 2, 4 ]
 *
 * @since 0.1.0
 */
export const filter = <A>(
  source: Source<A>,
  predicate: (item: A, context: Context) => unknown,
  options?: MapOptions
): Results<A> => {
  callable("Streaming.filter", "predicate", predicate)
  return new Flow<A, A>("Streaming.filter", source, predicate as Call<A>, options, keep)
}

const keep: Select<any, any> = (item, kept) => (kept ? item : Skip)

/** Of the options of a flow without calls, those that mean something. */
const only = (where: string, options: SignalOptions = {}): Settings => ({ signal: record(where, options).signal })
