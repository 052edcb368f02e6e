/** Items a second: a source of numbers, through calls, to who counts them. Sources and calls give at once, so what is left is the overhead. */
import { type Contender, ours, type Workload } from "./workload.js"

const numbers = (length: number): ReadonlyArray<number> => Array.from({ length }, (_, i) => i)

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
      const stream = make({ ...effect, Streaming }, source) as import("effect").Stream.Stream<number>
      return Effect.map(
        Stream.runForEach(stream, () => Effect.sync(() => count++)),
        () => counts(count)
      )
    })
    return () => Effect.runPromise(program)
  }

interface Modules {
  readonly Effect: (typeof import("effect"))["Effect"]
  readonly Stream: (typeof import("effect"))["Stream"]
  readonly Streaming: (typeof import("effect-concurrency"))["Streaming"]
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

const generator: Contender = (items) => {
  const source = numbers(items)
  const items_ = async function* () {
    for (const n of source) yield n
  }
  return async () => {
    let count = 0
    for await (const _ of items_()) count++
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

export const workloads: ReadonlyArray<Workload> = [
  {
    name: "stream of an iterable, Effect",
    sizes: [100_000],
    // Not the same thing: it does not let the event loop turn. For information.
    aims: { "Stream.fromIterable": 0 },
    contenders: {
      [ours]: stream(({ Streaming }, items) => Streaming.fromIterable(items)),
      "Stream.fromIterable": stream(({ Stream }, items) => Stream.fromIterable(items))
    }
  },
  {
    name: "stream of an iterable, promise",
    sizes: [100_000],
    // The floor: a generator of the language, which does not let the event loop turn either.
    aims: { "async generator": 0 },
    contenders: {
      [ours]: results((Streaming, items) => Streaming.fromIterable(items)),
      "async generator": generator
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
        )
      }
    },
    {
      name: `stream map, ${concurrency} at a time, promise`,
      sizes,
      contenders: {
        [ours]: results((Streaming, items) => Streaming.map(items, async (n) => n, { concurrency })),
        "p-map": pMap(concurrency)
      }
    }
  ]),
  {
    name: "stream filter, 10 at a time, promise",
    sizes,
    contenders: {
      [ours]: results(
        (Streaming, items) => Streaming.filter(items, async (n) => n % 2 === 0, { concurrency: 10 }),
        half
      ),
      "p-map": async (items) => {
        const { pMapIterable, pMapSkip } = await import("p-map")
        const source = numbers(items)
        const call = async (n: number) => (n % 2 === 0 ? n : pMapSkip)
        return async () => {
          let count = 0
          for await (const _ of pMapIterable(source, call, { concurrency: 10 })) count++
          return half(count)
        }
      }
    }
  },
  {
    name: "stream filter, 1 at a time, Effect",
    sizes,
    contenders: {
      [ours]: stream(
        ({ Effect, Stream, Streaming }, items) =>
          Streaming.filter(Stream.fromIterable(items), (n) => Effect.succeed(n % 2 === 0)),
        half
      ),
      "Stream.filterEffect": stream(
        ({ Effect, Stream }, items) =>
          Stream.filterEffect(Stream.fromIterable(items), (n) => Effect.succeed(n % 2 === 0)),
        half
      )
    }
  },
  {
    name: "stream of an async iterable, Effect",
    sizes,
    contenders: {
      [ours]: stream(({ Streaming }, items) => Streaming.fromAsyncIterable(later(items))),
      "Stream.fromAsyncIterable": stream(({ Stream }, items) =>
        Stream.fromAsyncIterable(later(items), (error) => error)
      )
    }
  },
  {
    name: "stream as an async iterable, Effect",
    sizes,
    contenders: {
      [ours]: nexts(({ Effect, Stream, Streaming }, items) =>
        Effect.runPromise(Streaming.toAsyncIterable(Stream.fromIterable(items)))
      ),
      "Stream.toAsyncIterable": nexts(async ({ Stream }, items) => Stream.toAsyncIterable(Stream.fromIterable(items)))
    }
  },
  {
    name: "stream filter, 10 at a time, Effect",
    sizes,
    contenders: {
      [ours]: stream(
        ({ Effect, Stream, Streaming }, items) =>
          Streaming.filter(Stream.fromIterable(items), (n) => Effect.succeed(n % 2 === 0), { concurrency: 10 }),
        half
      ),
      "Stream.filterEffect, 1 at a time": stream(
        ({ Effect, Stream }, items) =>
          Stream.filterEffect(Stream.fromIterable(items), (n) => Effect.succeed(n % 2 === 0)),
        half
      )
    }
  }
]
