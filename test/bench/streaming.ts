/** Items a second: a source of numbers, through calls, to who counts them. Sources and calls give at once, so what is left is the overhead. */
import { type Contender, ours, type Workload } from "./workload.js"

const numbers = (length: number): ReadonlyArray<number> => Array.from({ length }, (_, i) => i)

type Effects = (typeof import("effect"))["Effect"]
type AnEffect<A> = import("effect").Effect.Effect<A>
type AStream = import("effect").Stream.Stream<number>

interface Modules {
  readonly Effect: Effects
  readonly Option: (typeof import("effect"))["Option"]
  readonly Stream: (typeof import("effect"))["Stream"]
  readonly Streaming: (typeof import("effect-concurrency"))["Streaming"]
}

/** An Effect stream, made of the two libraries, and gone through. */
const stream =
  (make: (modules: Modules, items: ReadonlyArray<number>) => unknown, counts = (n: number) => n): Contender =>
  async (items) => {
    const effect = await import("effect")
    const { Streaming } = await import("effect-concurrency")
    const { Effect, Stream } = effect
    const source = numbers(items)
    const program = Effect.suspend(() => {
      let count = 0
      const stream = make({ ...effect, Streaming }, source) as AStream
      return Effect.map(
        Stream.runForEach(stream, () => Effect.sync(() => count++)),
        () => counts(count)
      )
    })
    return () => Effect.runPromise(program)
  }

/** What is there without a stream: the same calls and the same count, in so many fibers that share the items, and nothing around. */
const fibers =
  (concurrency: number, call: (effect: Effects, n: number, count: AnEffect<unknown>) => AnEffect<unknown>): Contender =>
  async (items) => {
    const { Effect } = await import("effect")
    const source = numbers(items)
    const program = Effect.suspend(() => {
      let next = 0
      let done = 0
      const count = Effect.sync(() => done++)
      const loop = Effect.suspend(() =>
        Effect.whileLoop({
          while: () => next < items,
          body: () => call(Effect, source[next++]!, count),
          step: () => {}
        })
      )
      const loops = Array.from({ length: concurrency }, () => loop)
      const all =
        concurrency === 1
          ? loop
          : Effect.flatMap(
              Effect.forEach(loops, (loop) => Effect.forkDaemon(loop)),
              (fibers) => Effect.forEach(fibers, (fiber) => fiber.await, { discard: true })
            )
      return Effect.map(all, () => done)
    })
    return () => Effect.runPromise(program)
  }

/** Async iterables of the facade. */
const results =
  (
    make: (
      Streaming: (typeof import("effect-concurrency/promise"))["Streaming"],
      items: ReadonlyArray<number>
    ) => AsyncIterable<unknown>,
    counts = (n: number) => n
  ): Contender =>
  async (items) => {
    const { Streaming } = await import("effect-concurrency/promise")
    const source = numbers(items)
    return async () => {
      let count = 0
      for await (const _ of make(Streaming, source)) count++
      return counts(count)
    }
  }

/** What is there without us: `for await` over something of the language. */
const plain =
  (make: (items: ReadonlyArray<number>) => Iterable<number> | AsyncIterable<number>): Contender =>
  (items) => {
    const source = numbers(items)
    return async () => {
      let count = 0
      for await (const _ of make(source)) count++
      return count
    }
  }

/** The same with calls: so many loops, each in an `async` function, that share the items. */
const loops =
  (concurrency: number, call: (n: number) => Promise<unknown>): Contender =>
  (items) => {
    const source = numbers(items)
    return async () => {
      let count = 0
      const rest = source.values()
      const loop = async () => {
        for (const n of rest) {
          await call(n)
          count++
        }
      }
      await Promise.all(Array.from({ length: concurrency }, loop))
      return count
    }
  }

const pMap =
  (concurrency: number): Contender =>
  async (items) => {
    const { pMapIterable } = await import("p-map")
    const source = numbers(items)
    return async () => {
      let count = 0
      for await (const _ of pMapIterable(source, async (n) => n, { concurrency })) count++
      return count
    }
  }

/** Calls of `next`, one after the other. */
const nexts =
  (make: (modules: Modules, items: ReadonlyArray<number>) => Promise<AsyncIterable<unknown>>): Contender =>
  async (items) => {
    const effect = await import("effect")
    const { Streaming } = await import("effect-concurrency")
    const source = numbers(items)
    return async () => {
      let count = 0
      for await (const _ of await make({ ...effect, Streaming }, source)) count++
      return count
    }
  }

const later = async function* (items: ReadonlyArray<number>) {
  for (const n of items) yield n
}

const sizes = [10_000]
const half = (n: number) => n * 2

/** The predicate of the filters: for one in two. */
const isEven = (n: number) => n % 2 === 0

/** How the floor is called: what it is made of. */
const floor = (concurrency: number, of: "loop" | "fiber") =>
  concurrency === 1 ? "floor: a loop" : `floor: ${concurrency} ${of}s`

export const workloads: ReadonlyArray<Workload> = [
  {
    name: "stream of an iterable, Effect",
    sizes: [100_000],
    // Not the same thing: it does not let the event loop turn. For information.
    aims: { "Stream.fromIterable": 0 },
    contenders: {
      [ours]: stream(({ Streaming }, items) => Streaming.fromIterable(items)),
      "Stream.fromIterable": stream(({ Stream }, items) => Stream.fromIterable(items)),
      [floor(1, "fiber")]: fibers(1, (_, __, count) => count)
    }
  },
  {
    name: "stream of an iterable, promise",
    sizes: [100_000],
    // Not the same thing either.
    aims: { "async generator": 0 },
    contenders: {
      [ours]: results((Streaming, items) => Streaming.fromIterable(items)),
      "async generator": plain(later),
      "floor: for await": plain((items) => items)
    }
  },
  ...[1, 10].flatMap((concurrency): Array<Workload> => [
    {
      name: `stream map, ${concurrency} at a time, Effect`,
      sizes,
      contenders: {
        [ours]: stream(({ Effect, Stream, Streaming }, items) =>
          Streaming.map(Stream.fromIterable(items), (n) => Effect.succeed(n), { concurrency })
        ),
        "Stream.mapEffect": stream(({ Effect, Stream }, items) =>
          Stream.mapEffect(Stream.fromIterable(items), (n) => Effect.succeed(n), { concurrency })
        ),
        [floor(concurrency, "fiber")]: fibers(concurrency, (Effect, n, count) =>
          Effect.flatMap(Effect.succeed(n), () => count)
        )
      }
    },
    {
      name: `stream map, ${concurrency} at a time, promise`,
      sizes,
      contenders: {
        [ours]: results((Streaming, items) => Streaming.map(items, async (n) => n, { concurrency })),
        "p-map": pMap(concurrency),
        [floor(concurrency, "loop")]: loops(concurrency, async (n) => n)
      }
    }
  ]),
  {
    name: "stream filter, 10 at a time, promise",
    sizes,
    contenders: {
      [ours]: results((Streaming, items) => Streaming.filter(items, async (n) => isEven(n), { concurrency: 10 }), half),
      "p-map": async (items) => {
        const { pMapIterable, pMapSkip } = await import("p-map")
        const source = numbers(items)
        const call = async (n: number) => (isEven(n) ? n : pMapSkip)
        return async () => {
          let count = 0
          for await (const _ of pMapIterable(source, call, { concurrency: 10 })) count++
          return half(count)
        }
      },
      [floor(10, "loop")]: loops(10, async (n) => isEven(n))
    }
  },
  {
    name: "stream filter, 1 at a time, Effect",
    sizes,
    contenders: {
      [ours]: stream(
        ({ Effect, Stream, Streaming }, items) =>
          Streaming.filter(Stream.fromIterable(items), (n) => Effect.succeed(isEven(n))),
        half
      ),
      "Stream.filterEffect": stream(
        ({ Effect, Stream }, items) =>
          Stream.filterEffect(Stream.fromIterable(items), (n) => Effect.succeed(isEven(n))),
        half
      ),
      [floor(1, "fiber")]: fibers(1, (Effect, n, count) => Effect.flatMap(Effect.succeed(isEven(n)), () => count))
    }
  },
  {
    name: "stream of an async iterable, Effect",
    sizes,
    contenders: {
      [ours]: stream(({ Streaming }, items) => Streaming.fromAsyncIterable(later(items))),
      "Stream.fromAsyncIterable": stream(({ Stream }, items) =>
        Stream.fromAsyncIterable(later(items), (error) => error)
      ),
      "floor: for await": plain(later)
    }
  },
  {
    name: "stream as an async iterable, Effect",
    sizes,
    contenders: {
      [ours]: nexts(({ Effect, Stream, Streaming }, items) =>
        Effect.runPromise(Streaming.toAsyncIterable(Stream.fromIterable(items)))
      ),
      "Stream.toAsyncIterable": nexts(async ({ Stream }, items) => Stream.toAsyncIterable(Stream.fromIterable(items))),
      "floor: async generator": plain(later)
    }
  },
  {
    name: "stream filter, 10 at a time, Effect",
    sizes,
    contenders: {
      [ours]: stream(
        ({ Effect, Stream, Streaming }, items) =>
          Streaming.filter(Stream.fromIterable(items), (n) => Effect.succeed(isEven(n)), { concurrency: 10 }),
        half
      ),
      // `Stream.filterEffect` asks about one at a time, so this is how it is done with several.
      "Stream.mapEffect, filterMap": stream(
        ({ Effect, Option, Stream }, items) =>
          Stream.filterMap(
            Stream.mapEffect(
              Stream.fromIterable(items),
              (n) => Effect.map(Effect.succeed(isEven(n)), (keeps) => (keeps ? Option.some(n) : Option.none())),
              { concurrency: 10 }
            ),
            (kept) => kept
          ),
        half
      ),
      [floor(10, "fiber")]: fibers(10, (Effect, n, count) => Effect.flatMap(Effect.succeed(isEven(n)), () => count))
    }
  }
]
