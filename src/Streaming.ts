/**
 * Streaming: sources, and effects for each of their items, as Effect's own `Stream`; and a stream as an async iterable.
 *
 * It corresponds to asyncio's async iterators and generators, `aclosing` included, with these differences. Who leaves a stream closes
 * it. Calls of an async iterator that overlap wait for each other rather than fail with "already running", so a source must not wait for
 * results of its own. An async iterator takes no values: `next(value)` is `next()`, so there is no `asend`. `throw(error)` closes, and rejects with the error; it does not go on in the
 * stream. What `next` and `return` give are promises, which may be awaited twice. Nothing closes what is dropped half way, also not the end
 * of the program. A fiber can be interrupted in the midst of an answer, and so a stream can; a JavaScript generator cannot, and is told to
 * close, and not waited for.
 *
 * Why not `Stream.mapEffect` and `Stream.toAsyncIterable`? The first is what `map` is when nothing runs beside the consumer, with a concurrency
 * of 1 and no buffer. With more it starts a fiber for each item, and unordered it reads ahead without heed of its bound. The second never
 * answers a `next` that waits while `return` is called, nor one after the end.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Stream from "effect/Stream"
import { callable, expect, misuse, refusal } from "./core/arguments.js"
import * as core from "./core/range.js"
import * as slice from "./core/slice.js"
import * as streaming from "./core/streaming.js"
import { fromPulled, type Pull, type Pulled, turn } from "./internal/chunks.js"
import { callback, forkDetached, forker, readClock } from "./internal/effect.js"
import { type Call, flow, type Select } from "./internal/flow.js"
import { StreamIterator } from "./internal/iterate.js"
import { report } from "./internal/report.js"

/**
 * How a function is applied.
 *
 * @since 0.1.0
 * @category models
 */
export interface MapOptions extends streaming.Options {}

/**
 * The items of a stream, for `for await`, or one by one.
 *
 * **When to use**: it is what an async iterable made by `toAsyncIterable` gives each time that it is gone through. `await using` closes
 * it at the end of a block.
 *
 * **Details**: nothing happens before the first `next`. Several `next` may wait at a time, and are answered in order. After the end, or
 * after an error, `next` gives `done`. `return` (which `break` calls) and `throw` interrupt the stream, and settle when its finalizers
 * have run; a `next` that waits then gets what the stream still gave, or `done`. Should a finalizer fail, `return` rejects with that.
 *
 * **Fairness**: who asks first gets the first item.
 *
 * @since 0.1.0
 * @category models
 */
export interface Results<A> extends AsyncIterableIterator<A>, AsyncDisposable {
  next(): Promise<IteratorResult<A>>
  return(value?: unknown): Promise<IteratorResult<A>>
  throw(error?: unknown): Promise<IteratorResult<A>>
  [Symbol.asyncIterator](): this
}

/**
 * The integers from `start` up or down to `end`, which is not among them, as Python's `range`. With one argument, from 0 up to it.
 *
 * **When to use**: for a count that goes through a stream. `Stream.range` includes its end, and knows no step.
 *
 * **Details**: `step` is an integer other than 0, by default 1. One that leads away from `end` gives nothing. `end` may be `Infinity`. A
 * defect with a `RangeError` otherwise. It yields as `fromIterable` does.
 *
 * @example
 * import { Effect } from "effect"
 * import { Streaming } from "effect-concurrency"
 *
 * console.log(await Effect.runPromise(Streaming.collect(Streaming.range(5)))) // => [ 0, 1, 2, 3, 4 ]
 * console.log(await Effect.runPromise(Streaming.collect(Streaming.range(6, 0, -2)))) // => [ 6, 4, 2 ]
 *
 * @since 0.1.0
 * @category constructors
 */
export const range = (start: number, end?: number, step?: number): Stream.Stream<number> =>
  sliced("Streaming.range", () => core.range("Streaming.range", start, end, step))

/**
 * The items of an iterable. The event loop turns after each millisecond of them: timers, input and everybody else are served in between.
 *
 * **When to use**: for a long computation that gives one thing after the other, and must not keep the others waiting.
 * `Stream.fromIterable` lets other fibers go on, and the rest of the program wait.
 *
 * **Details**: what counts is the time between two items by Effect's `Clock`, the consumer's work included; a single item or a body that
 * takes long blocks as long as it takes. The clock is read for each item, or for one in 16 while they are quick: so many that are suddenly
 * slow may come together, once. It gives as many items at a time as fit into a millisecond with what was done with those before, and at most
 * 1,024: a consumer that was quick and is suddenly slow may have so many before that is noticed. An iterator that throws is a defect.
 *
 * **Interruption**: closes the iterator, if it has a `return`.
 *
 * @example
 * import { Effect } from "effect"
 * import { Streaming } from "effect-concurrency"
 *
 * const words = Streaming.fromIterable(new Set(["to", "be", "or", "not", "to", "be"]))
 *
 * console.log(await Effect.runPromise(Streaming.collect(words))) // => [ 'to', 'be', 'or', 'not' ]
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromIterable = <A>(iterable: Iterable<A>): Stream.Stream<A> =>
  sliced("Streaming.fromIterable", () => {
    const isIterable = typeof Object(iterable)[Symbol.iterator] === "function" && typeof iterable !== "string"
    return expect(isIterable, "Streaming.fromIterable", "iterable", "an iterable that is not a string", iterable)
  })

/** What can be told by Effect's clock. */
const clockWith = <A>(f: (now: () => number) => A): Effect.Effect<A> =>
  Clock.clockWith((clock) => Effect.sync(() => f(() => readClock(clock))))

const sliced = <A>(where: string, make: () => Iterable<A>): Stream.Stream<A> =>
  fromPulled(
    clockWith((clock) => new Slices(make()[Symbol.iterator](), clock)),
    (slices) =>
      reported(
        where,
        Effect.sync(() => slices.close())
      )
  )

/** An iterator, a slice of time after the other. */
class Slices<A> implements Pulled<A, never, never> {
  private readonly slice = slice.make()
  private taken = 0
  /** An iterator that has ended or thrown has closed itself, and until it has answered there is nothing to close. */
  private open = true
  private thrown: { readonly error: unknown } | undefined = undefined

  constructor(
    private readonly iterator: Iterator<A>,
    private readonly clock: () => number
  ) {}

  readonly now = (): ReadonlyArray<A> | undefined => {
    if (!this.open) return undefined
    const now = this.clock()
    return slice.isPast(this.slice, now) ? undefined : this.take(slice.batch(this.slice, now, this.taken))
  }

  readonly pull: Pull<A, never, never> = Effect.suspend(() => {
    const { open, thrown } = this
    if (thrown !== undefined) return Effect.die(thrown.error)
    if (!open) return Effect.succeed(undefined)
    const size = slice.batch(this.slice, this.clock(), this.taken)
    return Effect.flatMap(turn, () => {
      slice.begin(this.slice, this.clock())
      const items = this.take(size)
      return items === undefined ? this.pull : Effect.succeed(items)
    })
  })

  /** What an iterator gives before it throws is given as well. */
  private take(size: number): ReadonlyArray<A> | undefined {
    const { clock, iterator, slice: state } = this
    const items: Array<A> = []
    this.open = false
    try {
      for (let next = iterator.next(); next.done !== true; next = iterator.next()) {
        items.push(next.value)
        if (items.length < size && !slice.isOver(state, clock)) continue
        this.open = true
        break
      }
    } catch (error) {
      this.thrown = { error }
    }
    this.taken = items.length
    return items.length === 0 ? undefined : items
  }

  close(): void {
    if (this.open) this.iterator.return?.()
  }
}

/**
 * The items of an async iterable.
 *
 * **When to use**: for what plain code gives: a generator, a reader, a result set. `Stream.fromAsyncIterable` closes also what has ended
 * or failed already, and can be interrupted only between two answers.
 *
 * **Details**: it is asked once at a time, when the stream wants an item, and closed once, unless it has ended or failed. `onError`
 * makes of what it rejects with an error of yours; by default it is the stream's error as it is. A `return` that rejects is reported. The
 * event loop turns after each millisecond here as well: a generator that never waits for anything would keep everybody else waiting.
 *
 * **Interruption**: closes it, and waits for that; unless it is in the midst of an answer, which may never come: then it is told to
 * close, and not waited for.
 *
 * @example
 * import { Effect } from "effect"
 * import { Streaming } from "effect-concurrency"
 *
 * async function* lines() {
 *   yield "first"
 *   yield "second"
 * }
 *
 * console.log(await Effect.runPromise(Streaming.collect(Streaming.fromAsyncIterable(lines())))) // => [ 'first', 'second' ]
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromAsyncIterable: {
  <A>(iterable: AsyncIterable<A>): Stream.Stream<A, unknown>
  <A, E>(iterable: AsyncIterable<A>, onError: (error: unknown) => E): Stream.Stream<A, E>
} = <A>(iterable: AsyncIterable<A>, onError: (error: unknown) => unknown = (error) => error) =>
  fromPulled(
    clockWith((clock) => {
      const where = "Streaming.fromAsyncIterable"
      const isIterable = typeof Object(iterable)[Symbol.asyncIterator] === "function"
      expect(isIterable, where, "iterable", "an async iterable", iterable)
      callable(where, "onError", onError)
      return new Asked(where, iterable[Symbol.asyncIterator](), onError, clock)
    }),
    (asked) => asked.close
  )

/** An async iterator that is asked, and knows whether it owes an answer. */
class Asked<A, E> implements Pulled<A, E, never> {
  private readonly slice = slice.make()
  private status: "open" | "asked" | "closed" = "open"
  private resume: (answer: Pull<A, E, never>) => void = () => {}

  constructor(
    private readonly where: string,
    private readonly iterator: AsyncIterator<A>,
    private readonly onError: (error: unknown) => E,
    private readonly clock: () => number
  ) {}

  readonly pull: Pull<A, E, never> = Effect.suspend(() => {
    if (this.status === "closed") return Effect.succeed(undefined)
    return slice.isOver(this.slice, this.clock) ? this.afterTurn : this.answer
  })

  private readonly afterTurn: Pull<A, E, never> = Effect.flatMap(turn, () => {
    slice.begin(this.slice, this.clock())
    return this.answer
  })

  private readonly answer: Pull<A, E, never> = callback((resume) => {
    this.status = "asked"
    this.resume = resume
    attempt(() => this.iterator.next()).then(this.answered, this.failed)
  })

  private readonly answered = (result: IteratorResult<A>): void => {
    if (Object(result) !== result) {
      return this.failed(new TypeError(`${this.where}: the source answered ${String(result)}`))
    }
    this.status = result.done === true ? "closed" : "open"
    this.resume(Effect.succeed(result.done === true ? undefined : [result.value]))
  }

  private readonly failed = (error: unknown): void => {
    this.status = "closed"
    this.resume(Effect.suspend(() => Effect.fail(this.onError(error))))
  }

  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    const { iterator, status, where } = this
    this.status = "closed"
    if (status === "closed" || iterator.return === undefined) return Effect.void
    const closing = reported(
      where,
      Effect.map(
        Effect.promise(() => attempt(() => iterator.return!())),
        (answer) => {
          if (answer?.done === false) throw misuse(where, "the source goes on although it was closed")
        }
      )
    )
    return status === "open" ? closing : Effect.asVoid(forkDetached(closing))
  })
}

/** Closes a source. A stream would lose what fails then. */
const reported = (where: string, closing: Effect.Effect<unknown>): Effect.Effect<void> =>
  Effect.matchCauseEffect(closing, {
    onFailure: (cause) => report({ where, name: undefined, message: "the source could not be closed", cause }),
    onSuccess: () => Effect.void
  })

/** What a function returns, or throws, as a promise. */
const attempt = <A>(f: () => A | PromiseLike<A>): Promise<A> => {
  try {
    return Promise.resolve(f())
  } catch (error) {
    return Promise.reject(error)
  }
}

/**
 * All items of a stream, as an array.
 *
 * **Details**: `Stream.runCollect`, without its `Chunk`.
 *
 * @example
 * import { Effect, Stream } from "effect"
 * import { Streaming } from "effect-concurrency"
 *
 * console.log(await Effect.runPromise(Streaming.collect(Stream.make(1, 2, 3)))) // => [ 1, 2, 3 ]
 *
 * @since 0.1.0
 * @category destructors
 */
export const collect = <A, E, R>(self: Stream.Stream<A, E, R>): Effect.Effect<Array<A>, E, R> =>
  Effect.map(Stream.runCollect(self), (items) => [...items])

/**
 * Applies an effect to each item, several at a time if you like.
 *
 * **When to use**: where the results are wanted one by one, as they come.
 *
 * **Details**: with a concurrency of 1, the default, it is a loop: an item is asked for when a result is. With more, it reads ahead of
 * the consumer by `concurrency - 1 + buffer` items and no further (a stream that gives many at once is asked for those at once). Results
 * come in the order of the items, or with `ordered: false` as they are ready. When a call fails no more are started, those that run are
 * interrupted, and when they have ended the source is closed; results that were ready before are still given, then the error; of
 * several, that of the first item, since a stream keeps one, and the others are reported. An error of the source comes after the results
 * of what it gave before. A worker fiber runs one item after the other: what a call leaves in a `FiberRef` stays there.
 *
 * **Interruption**: no more are started, those that run are interrupted and waited for, then the source is closed. What has been read
 * ahead is lost to the source.
 *
 * **Fairness**: items are started in the order of the source.
 *
 * @example
 * import { Effect, Stream } from "effect"
 * import { Streaming } from "effect-concurrency"
 *
 * const lengths = Stream.make("a", "bb", "ccc").pipe(
 *   Streaming.map((word, index) => Effect.succeed(`${index}: ${word.length}`), { concurrency: 2 })
 * )
 *
 * console.log(await Effect.runPromise(Streaming.collect(lengths))) // => [ '0: 1', '1: 2', '2: 3' ]
 *
 * @since 0.1.0
 * @category operations
 */
export const map: {
  <A, B, E2, R2>(
    f: (item: A, index: number) => Effect.Effect<B, E2, R2>,
    options?: MapOptions
  ): <E, R>(self: Stream.Stream<A, E, R>) => Stream.Stream<B, E | E2, R | R2>
  <A, E, R, B, E2, R2>(
    self: Stream.Stream<A, E, R>,
    f: (item: A, index: number) => Effect.Effect<B, E2, R2>,
    options?: MapOptions
  ): Stream.Stream<B, E | E2, R | R2>
} = dual(
  (args) => isStream(args[0]) || typeof args[1] === "function",
  <A, E, R, B, E2, R2>(
    self: Stream.Stream<A, E, R>,
    f: (item: A, index: number) => Effect.Effect<B, E2, R2>,
    options?: MapOptions
  ) =>
    start(
      "Streaming.map",
      "f",
      self,
      f,
      options,
      (_, result) => result,
      (f) => Stream.mapEffect(self, f)
    )
)

/**
 * The items that an effectful predicate holds for; several are asked about at a time if you like.
 *
 * **When to use**: where the predicate has to wait. It takes the options of {@link map}, and ends as that does.
 *
 * @example
 * import { Effect } from "effect"
 * import { Streaming } from "effect-concurrency"
 *
 * const even = Streaming.filter(Streaming.range(6), (n) => Effect.succeed(n % 2 === 0), { concurrency: 3 })
 *
 * console.log(await Effect.runPromise(Streaming.collect(even))) // => [ 0, 2, 4 ]
 *
 * @since 0.1.0
 * @category operations
 */
export const filter: {
  <A, E2, R2>(
    predicate: (item: A, index: number) => Effect.Effect<boolean, E2, R2>,
    options?: MapOptions
  ): <E, R>(self: Stream.Stream<A, E, R>) => Stream.Stream<A, E | E2, R | R2>
  <A, E, R, E2, R2>(
    self: Stream.Stream<A, E, R>,
    predicate: (item: A, index: number) => Effect.Effect<boolean, E2, R2>,
    options?: MapOptions
  ): Stream.Stream<A, E | E2, R | R2>
} = dual(
  (args) => isStream(args[0]) || typeof args[1] === "function",
  <A, E, R, E2, R2>(
    self: Stream.Stream<A, E, R>,
    predicate: (item: A, index: number) => Effect.Effect<boolean, E2, R2>,
    options?: MapOptions
  ) =>
    start<A, E, R, A, boolean, E2, R2>(
      "Streaming.filter",
      "predicate",
      self,
      predicate,
      options,
      (item, kept) => (kept ? item : streaming.Skip),
      (predicate) => Stream.filterEffect(self, predicate)
    )
)

const start = <A, E, R, B, X, E2, R2>(
  where: string,
  name: string,
  self: Stream.Stream<A, E, R>,
  call: Call<A, X, E2, R2>,
  options: MapOptions | undefined,
  select: Select<A, B, X>,
  oneByOne: (call: (item: A) => Effect.Effect<X, E2, R2>) => Stream.Stream<B, E | E2, R | R2>
): Stream.Stream<B, E | E2, R | R2> =>
  Stream.suspend(() => {
    checkStream(where, self)
    callable(where, name, call)
    let index = 0
    // Effect's own loop does well where nothing runs beside it.
    return streaming.make(where, options).ahead === 0
      ? oneByOne((item) => call(item, index++))
      : flow(where, self, call, select, () => streaming.make<A, B>(where, options))
  })

const isStream = (value: unknown): boolean => Object(value)[Stream.StreamTypeId] !== undefined

const checkStream = (where: string, self: unknown): void => {
  if (!isStream(self)) throw refusal(where, "self", "a stream", self)
}

/**
 * A stream as an async iterable, for plain code. Each time that it is gone through, the stream is run anew, with the services of where
 * it was made.
 *
 * **When to use**: to hand results to code that does not use Effect. For a queue: `toAsyncIterable(queue.stream)`, or the facade's
 * `WorkQueue.from`.
 *
 * **Details**: the stream goes on only while somebody waits for an item. Errors are the original ones, several an `AggregateError`. The
 * event loop turns after each millisecond of items, the consumer's work included, whatever the stream is made of. See {@link Results} for the
 * rest of the protocol.
 *
 * **Interruption**: `break`, `return` and `throw` interrupt the stream and wait for its finalizers. Whoever drops an iterator half way
 * without them leaves the stream where it is.
 *
 * @example
 * import { Effect, Stream } from "effect"
 * import { Streaming } from "effect-concurrency"
 *
 * const stream = Stream.make("first", "second").pipe(Stream.ensuring(Effect.sync(() => console.log("closed")))) // => closed
 * for await (const item of await Effect.runPromise(Streaming.toAsyncIterable(stream))) {
 *   if (item === "first") break
 * }
 *
 * @since 0.1.0
 * @category destructors
 */
export const toAsyncIterable = <A, E, R>(
  self: Stream.Stream<A, E, R>
): Effect.Effect<{ [Symbol.asyncIterator](): Results<A> }, never, R> =>
  Effect.flatMap(forker<R>(), (fork) =>
    clockWith((now) => {
      checkStream("Streaming.toAsyncIterable", self)
      return { [Symbol.asyncIterator]: (): Results<A> => new StreamIterator(self, fork, now) }
    })
  )
