import { Effect, type Stream } from "effect"
import { type Streaming as EffectStreaming, Streaming, type WorkQueue } from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { describe, expect, it } from "tstyche"

declare const stream: Stream.Stream<number, "e1", "r1">
declare const call: (n: number, index: number) => Effect.Effect<string, "e2", "r2">
declare const holds: (n: number) => Effect.Effect<boolean, "e2", "r2">

describe("Streaming", () => {
  it("fails with and requires what the stream and the calls do", () => {
    expect(Streaming.map(stream, call)).type.toBe<Stream.Stream<string, "e1" | "e2", "r1" | "r2">>()
    expect(stream.pipe(Streaming.map(call, { concurrency: 2, ordered: false, buffer: 3 }))).type.toBe<
      Stream.Stream<string, "e1" | "e2", "r1" | "r2">
    >()
    expect(Streaming.filter(stream, holds)).type.toBe<Stream.Stream<number, "e1" | "e2", "r1" | "r2">>()
    expect(stream.pipe(Streaming.filter(holds))).type.toBe<Stream.Stream<number, "e1" | "e2", "r1" | "r2">>()
    expect(Streaming.collect(stream)).type.toBe<Effect.Effect<Array<number>, "e1", "r1">>()
  })

  it("makes streams", () => {
    expect(Streaming.range(0, 10, 2)).type.toBe<Stream.Stream<number>>()
    expect(Streaming.fromIterable(new Set(["a"]))).type.toBe<Stream.Stream<string>>()
    const source = {} as AsyncIterable<number>
    expect(Streaming.fromAsyncIterable(source)).type.toBe<Stream.Stream<number, unknown>>()
    expect(Streaming.fromAsyncIterable(source, () => "e" as const)).type.toBe<Stream.Stream<number, "e">>()
  })

  it("needs what the stream needs to go over it", () => {
    expect(Streaming.toAsyncIterable(stream)).type.toBe<
      Effect.Effect<{ [Symbol.asyncIterator](): EffectStreaming.Results<number> }, never, "r1">
    >()
  })

  it("refuses misuse", () => {
    expect(Streaming.map).type.not.toBeCallableWith(stream, (n: number) => n)
    expect(Streaming.map).type.not.toBeCallableWith(stream, call, { concurrency: "2" })
    expect(Streaming.filter).type.not.toBeCallableWith(stream, () => Effect.succeed(1))
    expect(Streaming.range).type.not.toBeCallableWith("1")
  })
})

describe("Streaming of the facade", () => {
  it("gives what the functions give, awaited", () => {
    const { collect, filter, fromIterable, map, range } = Promises.Streaming
    type Results<A> = Promises.Streaming.Results<A>
    expect(map([1, 2], (n) => n * 2)).type.toBe<Results<number>>()
    expect(map([1, 2], async (n) => `${n}`)).type.toBe<Results<string>>()
    expect(map([Promise.resolve(1)], (n) => n)).type.toBe<Results<number>>()
    expect(filter(range(3), async (n) => n > 1)).type.toBe<Results<number>>()
    expect(fromIterable([1, Promise.resolve(2)])).type.toBe<Results<number>>()
    expect(collect([1, Promise.resolve(2)])).type.toBe<Promise<Array<number>>>()
  })

  it("goes over queues of either skin", () => {
    const { toAsyncIterable } = Promises.Streaming
    expect(toAsyncIterable({} as Promises.WorkQueue<string>)).type.toBe<Promises.Streaming.Results<string>>()
    expect(toAsyncIterable({} as WorkQueue.WorkQueue<string, "e">)).type.toBe<Promises.Streaming.Results<string>>()
    expect(toAsyncIterable).type.not.toBeCallableWith([1, 2])
  })
})
