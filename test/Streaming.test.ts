import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Deferred, Effect, Exit, Fiber, Option, Stream } from "effect"
import { Streaming, WorkQueue } from "effect-concurrency"
import { Reporter, type Unhandled } from "../src/internal/report.js"
import { settle } from "./laws/skins.js"
import { effect, streamingLaws } from "./laws/Streaming.js"
import { watch } from "./promise/waits.js"
import { dieWith } from "./utils/defects.js"
import { growth } from "./utils/heap.js"
import { sweepIsClean } from "./utils/sweep.js"
import { asLongAs, computing, gapsDuring, later, slow, turnedOften, withWork, type Work } from "./utils/turns.js"

streamingLaws(effect)

const done = { done: true, value: undefined } as const

/** A stream that tells what was done to it, and of calls. */
const probe = (length = Infinity) => {
  const log = { asked: 0, closed: 0, closedWhile: -1, running: 0, peak: 0 }
  const stream = Stream.repeatEffectOption(
    Effect.suspend(() => (log.asked < length ? Effect.succeed(log.asked++) : Effect.fail(Option.none())))
  ).pipe(
    Stream.ensuring(
      Effect.sync(() => {
        log.closed++
        log.closedWhile = log.running
      })
    )
  )
  const during = <A, E>(body: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.acquireUseRelease(
      Effect.sync(() => (log.peak = Math.max(log.peak, ++log.running))),
      () => body,
      () => Effect.sync(() => log.running--)
    )
  return { stream, log, during }
}

const reporting = () => {
  const reports: Array<Unhandled> = []
  const reporter = { report: (unhandled: Unhandled) => Effect.sync(() => void reports.push(unhandled)) }
  return { reports, reported: Effect.provideService(Reporter, reporter) }
}

describe("Streaming among effects", () => {
  describe("interruption", () => {
    for (const ordered of [true, false]) {
      it(`interrupts what runs, waits for it, then closes the source (${ordered ? "ordered" : "unordered"})`, async () => {
        const { during, log, stream } = probe()
        const cleanup: Array<number> = []
        const body = (n: number) =>
          during(
            Effect.ensuring(
              Effect.never,
              Effect.delay(
                Effect.sync(() => void cleanup.push(n)),
                "5 millis"
              )
            )
          )
        const fiber = Effect.runFork(Stream.runDrain(Streaming.map(stream, body, { concurrency: 3, ordered })))
        await settle()
        assert.deepStrictEqual([log.asked, log.running], [3, 3])
        await Effect.runPromise(Fiber.interrupt(fiber))
        assert.deepStrictEqual([log.running, log.closed, log.closedWhile, log.asked], [0, 1, 0, 3])
        assert.lengthOf(cleanup, 3)
      })

      for (const concurrency of [1, 2]) {
        it(`at any operation of the consumer leaves nothing running and closes the source (${concurrency}, ${ordered})`, async () => {
          const { operations } = await sweepIsClean({
            setup: () => probe(4),
            victim: ({ during, stream }) =>
              Stream.runDrain(Streaming.map(stream, () => during(Effect.yieldNow()), { concurrency, ordered })),
            verify: ({ log }, exit) => {
              assert.deepStrictEqual([log.running, log.closed > 1], [0, false])
              if (log.asked > 0) assert.strictEqual(log.closed, 1)
              if (Exit.isSuccess(exit)) assert.strictEqual(log.asked, 4)
            }
          })
          assert.isAbove(operations, 20)
        })
      }
    }

    it("of a call by itself is a failure of the stream", async () => {
      const exit = await Effect.runPromiseExit(
        Stream.runDrain(Streaming.map(Stream.make(1, 2), () => Effect.interrupt, { concurrency: 2 }))
      )
      assert.isTrue(Exit.isInterrupted(exit))
    })

    it("what a call fails with after its stream was left is reported", async () => {
      const { reported, reports } = reporting()
      const body = Effect.ensuring(Effect.never, Effect.die("oops"))
      const fiber = Effect.runFork(
        reported(Stream.runDrain(Streaming.map(Stream.make(1), () => body, { concurrency: 2 })))
      )
      await settle()
      await Effect.runPromise(Fiber.interrupt(fiber))
      assert.deepStrictEqual(
        reports.map(({ message, where }) => [where, message]),
        [["Streaming.map", "a call failed after its stream was left"]]
      )
    })
  })

  describe("failures", () => {
    it("of several calls: that of the first item, and the others are reported", async () => {
      const { reported, reports } = reporting()
      const gate = Effect.runSync(Deferred.make<void>())
      const body = (n: number) =>
        Effect.uninterruptible(
          Effect.zipRight(
            n === 1 ? Effect.delay(Deferred.succeed(gate, undefined), "2 millis") : Deferred.await(gate),
            Effect.fail(n)
          )
        )
      const stream = Streaming.map(Stream.make(0, 1, 2), body, { concurrency: 3, ordered: false })
      assert.deepStrictEqual(await Effect.runPromiseExit(reported(Stream.runDrain(stream))), Exit.fail(0))
      assert.deepStrictEqual(
        reports.map(({ cause }) => Cause.squash(cause)),
        [1, 2]
      )
    })

    it("a failure interrupts the others, and the source is closed after them", async () => {
      const { during, log, stream } = probe()
      const exit = await Effect.runPromiseExit(
        Stream.runDrain(
          Streaming.map(stream, (n) => during(n === 1 ? Effect.delay(Effect.fail("no"), "2 millis") : Effect.never), {
            concurrency: 3
          })
        )
      )
      assert.deepStrictEqual(exit, Exit.fail("no"))
      assert.deepStrictEqual([log.running, log.closed, log.closedWhile, log.asked], [0, 1, 0, 3])
    })

    it("at concurrency 1, too, a function that throws closes the source", async () => {
      for (const how of ["map", "filter"] as const) {
        const { log, stream } = probe()
        const raise = (): never => {
          throw new Error("oops")
        }
        await Effect.runPromiseExit(
          Stream.runDrain(how === "map" ? Streaming.map(stream, raise) : Streaming.filter(stream, raise))
        )
        assert.strictEqual(log.closed, 1)
      }
    })

    it("a defect of a predicate, and a function that throws, are defects", async () => {
      const oops = new Error("oops")
      const raise = (): never => {
        throw oops
      }
      assert.strictEqual(
        dieWith(await Effect.runPromiseExit(Stream.runDrain(Streaming.filter(Stream.make(1), raise)))),
        oops
      )
    })
  })

  it("forks as many workers as have something to do", async () => {
    const { log, stream, during } = probe(3)
    await Effect.runPromise(
      Stream.runDrain(Streaming.map(stream, () => during(Effect.yieldNow()), { concurrency: 1000 }))
    )
    assert.isAtMost(log.peak, 3)
  })

  it("map and filter in a pipe, and data first", async () => {
    const evenSquares = Streaming.range(10).pipe(
      Streaming.filter((n) => Effect.succeed(n % 2 === 0)),
      Streaming.map((n, index) => Effect.succeed(n * n + index), { concurrency: 2 })
    )
    assert.deepStrictEqual(await Effect.runPromise(Streaming.collect(evenSquares)), [0, 5, 18, 39, 68])
  })

  describe("fromAsyncIterable", () => {
    it("closes once what is left, and not what has ended or failed", async () => {
      for (const [length, take, closes] of [
        [5, 2, 1],
        [5, 9, 0]
      ] as const) {
        let asked = 0
        let closed = 0
        const iterator = {
          next: async () => (asked < length ? { done: false, value: asked++ } : { done: true, value: undefined }),
          return: async () => (closed++, done)
        }
        const iterable = { [Symbol.asyncIterator]: () => iterator as AsyncIterator<number> }
        await Effect.runPromise(Stream.runDrain(Stream.take(Streaming.fromAsyncIterable(iterable), take)))
        assert.strictEqual(closed, closes)
      }
    })

    it("makes of an error what it is told to", async () => {
      const source = async function* () {
        yield 1
        throw new Error("oops")
      }
      const stream = Streaming.fromAsyncIterable(source(), (error) => ({ wrapped: (error as Error).message }))
      assert.deepStrictEqual(await Effect.runPromiseExit(Stream.runDrain(stream)), Exit.fail({ wrapped: "oops" }))
    })

    it("can be interrupted in the midst of an answer that never comes", async () => {
      const source = async function* () {
        yield await new Promise(() => {})
      }
      const fiber = Effect.runFork(Stream.runDrain(Streaming.fromAsyncIterable(source())))
      await settle()
      const end = watch(Effect.runPromise(Fiber.interrupt(fiber)))
      await settle()
      assert.strictEqual(end.state, "done")
    })

    it("reports a source that goes on although it was closed, and refuses an answer that is none", async () => {
      // asyncio: test_async_gen_asyncio_aclose_06, test_async_gen_asyncio_aclose_11
      const { reported, reports } = reporting()
      const source = async function* () {
        try {
          yield 1
        } finally {
          yield 2
        }
      }
      await Effect.runPromise(reported(Stream.runDrain(Stream.take(Streaming.fromAsyncIterable(source()), 1))))
      assert.match(
        String(reports.map(({ cause }) => Cause.squash(cause))),
        /Streaming.fromAsyncIterable: the source goes on although it was closed/
      )
      const bad = { [Symbol.asyncIterator]: () => ({ next: async () => 5 as never }) }
      const exit = await Effect.runPromise(Effect.flip(Stream.runDrain(Streaming.fromAsyncIterable(bad))))
      assert.match(String(exit), /TypeError: Streaming.fromAsyncIterable: the source answered 5/)
    })

    it("reports a source that cannot be closed", async () => {
      // asyncio: test_async_gen_asyncio_shutdown_exception_01
      const { reported, reports } = reporting()
      const iterable = {
        [Symbol.asyncIterator]: () => ({
          next: async () => ({ done: false as const, value: 1 }),
          return: () => Promise.reject(new Error("finally"))
        })
      }
      await Effect.runPromise(reported(Stream.runDrain(Stream.take(Streaming.fromAsyncIterable(iterable), 1))))
      assert.deepStrictEqual(
        reports.map(({ message }) => message),
        ["the source could not be closed"]
      )
    })
  })

  describe("toAsyncIterable", () => {
    const iterate = <A>(stream: Stream.Stream<A, unknown>) =>
      Effect.runSync(Streaming.toAsyncIterable(stream))[Symbol.asyncIterator]()

    it("runs the stream anew each time, with the services of where it was made", async () => {
      class Name extends Effect.Service<Name>()("Name", { succeed: { name: "one" } }) {}
      const iterable = await Effect.runPromise(
        Streaming.toAsyncIterable(Stream.fromEffect(Effect.map(Name, ({ name }) => name))).pipe(
          Effect.provide(Name.Default)
        )
      )
      for (let i = 0; i < 2; i++) for await (const name of iterable) assert.strictEqual(name, "one")
    })

    it("a next that waits for a stream that never gives anything is settled by return and by throw", async () => {
      // asyncio: test_async_gen_asyncio_aclose_08, test_async_gen_asyncio_shutdown_01
      for (const how of ["return", "throw"] as const) {
        let closed = 0
        const results = iterate(
          Stream.ensuring(
            Stream.never,
            Effect.sync(() => closed++)
          )
        )
        const pending = [watch(results.next()), watch(results.next())]
        await settle()
        const end = watch(results[how]("x"))
        await settle()
        assert.deepStrictEqual([pending[0]!.value, pending[1]!.value], [done, done] as never)
        assert.strictEqual(how === "return" ? end.state : end.error, how === "return" ? "done" : "x")
        assert.strictEqual(closed, 1)
      }
    })

    it("return waits for the finalizers", async () => {
      let closed = false
      const slow = Effect.delay(
        Effect.sync(() => (closed = true)),
        "5 millis"
      )
      const results = iterate(Stream.ensuring(Stream.make(1, 2), slow))
      await results.next()
      await results.return()
      assert.isTrue(closed)
    })

    it("rejects with the original error, with several as an AggregateError, and with a defect", async () => {
      const oops = new Error("oops")
      for (const [stream, expected] of [
        [Stream.fail(oops), oops],
        [Stream.die(oops), oops]
      ] as const) {
        const results = iterate(stream)
        const next = watch(results.next())
        await settle()
        assert.strictEqual(next.error, expected)
        assert.deepStrictEqual(await results.next(), done as never)
      }
      const next = watch(iterate(Stream.ensuring(Stream.fail(1), Effect.die(2))).next())
      await settle()
      assert.deepStrictEqual(next.error.errors, [1, 2])
    })

    it("a finalizer that fails is what return rejects with", async () => {
      const oops = new Error("oops")
      const results = iterate(Stream.ensuring(Stream.make(1, 2), Effect.die(oops)))
      await results.next()
      const end = watch(results.return())
      await settle()
      assert.strictEqual(end.error, oops)
    })

    it("goes on only while somebody waits, one item at a time", async () => {
      let made = 0
      const results = iterate(Stream.repeatEffect(Effect.sync(() => made++)))
      await settle()
      assert.strictEqual(made, 0)
      for (let i = 1; i <= 3; i++) {
        await results.next()
        await settle()
        assert.strictEqual(made, i)
      }
      await results.return()
    })

    it("over the stream of a queue, no item is lost", async () => {
      const queue = WorkQueue.makeUnsafe<number>()
      const results = iterate(queue.stream)
      const next = watch(results.next())
      await settle()
      Effect.runSync(queue.offerAll([1, 2]))
      const end = watch(results.return())
      await settle()
      const got = next.value?.done === false ? [next.value.value] : []
      assert.strictEqual(end.state, "done")
      assert.deepStrictEqual([...got, ...Effect.runSync(queue.shutdown)], [1, 2])
    })

    it("Effect's own leaves a next waiting for ever: after the end, beside another, and after return", async () => {
      // Not ours. If this fails, Effect has mended it, and ours may go.
      const ended = Stream.toAsyncIterable(Stream.empty)[Symbol.asyncIterator]()
      await ended.next()
      const afterTheEnd = watch(ended.next())
      const both = Stream.toAsyncIterable(Stream.make(1, 2))[Symbol.asyncIterator]()
      const first = watch(both.next())
      await watch(both.next())
      const left = Stream.toAsyncIterable(Stream.never)[Symbol.asyncIterator]()
      const beforeReturn = watch(left.next())
      await settle()
      await left.return!()
      await settle()
      assert.deepStrictEqual([afterTheEnd.state, first.state, beforeReturn.state], ["waiting", "waiting", "waiting"])
      assert.isUndefined(left.throw)
    })
  })

  describe("the event loop", () => {
    for (const ms of [0.001, 0.03, 0.3, 0.7, 3]) {
      for (const of of ["a source", "a consumer"] as const) {
        it(`turns while ${of} goes on that takes ${ms} ms for an item: after a millisecond, or after one item`, async () => {
          const { longest, turns } = await withWork((work) => {
            const clock = Object.assign(Object.create(Clock.make()), { unsafeCurrentTimeMillis: () => work.now })
            const source = slow(work, () => (of === "a source" ? ms : 0))
            const loop = Stream.runForEachWhile(Streaming.fromIterable(source), (n) => {
              if (of === "a consumer") work.now += ms
              return Effect.succeed(n * ms <= 50)
            })
            return Effect.runPromise(Effect.withClock(loop, clock))
          })
          // What a consumer takes for an item is known when it has gone through the first two of them.
          assert.isAtMost(longest, of === "a source" ? 1.25 + ms : 2.25 + 2 * ms)
          assert.isAtLeast(turns, Math.floor(50 / (2.25 + ms)) - 1)
        })
      }
    }

    const through = (of: Iterable<number>, run: (stream: Stream.Stream<number>) => Stream.Stream<number> = (s) => s) =>
      Stream.runDrain(run(Streaming.fromIterable(of)))
    const overAll = (stream: Stream.Stream<number>, f: () => void = () => {}) =>
      Effect.flatMap(Streaming.toAsyncIterable(stream), (results) =>
        Effect.promise(async () => {
          for await (const _ of results) f()
        })
      )
    const isOdd = (n: number) => Effect.succeed(n % 2 === 1)

    /** What goes through a source, with functions that are quick. */
    const loops: ReadonlyArray<readonly [string, (of: Iterable<number>) => Effect.Effect<unknown>]> = [
      ["fromIterable", (of) => through(of)],
      ["collect", (of) => Streaming.collect(Streaming.fromIterable(of))],
      ["map, one at a time,", (of) => through(of, Streaming.map(Effect.succeed))],
      ["map, four at a time,", (of) => through(of, Streaming.map(Effect.succeed, { concurrency: 4 }))],
      ["filter, one at a time,", (of) => through(of, Streaming.filter(isOdd))],
      ["filter, four at a time,", (of) => through(of, Streaming.filter(isOdd, { concurrency: 4 }))],
      ["fromAsyncIterable", (of) => Effect.orDie(Stream.runDrain(Streaming.fromAsyncIterable(later(of))))],
      ["toAsyncIterable", (of) => overAll(Streaming.fromIterable(of))]
    ]
    const byClock = (work: Work) =>
      Object.assign(Object.create(Clock.make()), { unsafeCurrentTimeMillis: () => work.now }) as Clock.Clock

    for (const [name, loop] of loops.slice(1)) {
      for (const ms of [0.01, 0.7, 3]) {
        it(`turns while ${name} goes on, of which each item takes ${ms} ms: after a millisecond, or after one item`, async () => {
          const { longest, turns } = await withWork((work) => {
            const source = asLongAs(
              slow(work, () => ms),
              (n) => n * ms <= 50
            )
            return Effect.runPromise(Effect.withClock(loop(source), byClock(work)))
          })
          // The first items, of which nobody knows how long they take, may be two.
          assert.isAtMost(longest, Math.max(1.25 + ms, 2 * ms))
          assert.isAtLeast(turns, Math.floor(50 / (1.25 + ms)) - 1)
        })
      }
    }

    for (const ms of [0.01, 0.7, 3]) {
      it(`turns while a loop over toAsyncIterable takes ${ms} ms for an item, of which the stream gives many at once`, async () => {
        const { longest, turns } = await withWork((work) => {
          const many = Array.from({ length: Math.ceil(50 / ms) }, (_, i) => i)
          const loop = overAll(Stream.fromIterable(many), () => (work.now += ms))
          return Effect.runPromise(Effect.withClock(loop, byClock(work)))
        })
        assert.isAtMost(longest, Math.max(1.25 + ms, 2 * ms))
        assert.isAtLeast(turns, Math.floor(50 / (1.25 + ms)) - 1)
      })
    }

    for (const [name, loop] of [
      ...loops,
      [
        "range",
        (of) => {
          const rest = of[Symbol.iterator]()
          return Stream.runForEachWhile(Streaming.range(0, Infinity), () =>
            Effect.sync(() => rest.next().done !== true)
          )
        }
      ]
    ] satisfies typeof loops) {
      it(`turns while ${name} goes on: measured`, async () => {
        turnedOften(await gapsDuring(() => Effect.runPromise(loop(computing(100)))))
      })
    }

    it("the measure sees what does not turn", async () => {
      const gaps = await gapsDuring(() => Effect.runPromise(Stream.runDrain(Stream.fromIterable(computing(100)))))
      assert.throws(() => turnedOften(gaps), /turns/)
    })

    it("Effect's own fromIterable, for comparison, has no timer served", async () => {
      let ticks = 0
      const timer = setInterval(() => ticks++, 5)
      await Effect.runPromise(Stream.runDrain(Stream.fromIterable(Array.from({ length: 500_000 }, (_, i) => i))))
      clearInterval(timer)
      assert.strictEqual(ticks, 0)
    })

    it("what an iterator gives before it throws is given, and then comes the defect; it is not closed", async () => {
      const oops = new Error("oops")
      let closed = 0
      const source = (): Iterator<number> => {
        let n = 0
        return {
          next: () => {
            if (n === 3) throw oops
            return { done: false, value: n++ }
          },
          return: () => (closed++, done)
        }
      }
      const got: Array<unknown> = []
      const stream = Streaming.fromIterable({ [Symbol.iterator]: source }).pipe(
        Stream.tap((n) => Effect.sync(() => got.push(n))),
        Stream.catchAllCause((cause) => Stream.make(Cause.squash(cause)))
      )
      assert.deepStrictEqual(await Effect.runPromise(Streaming.collect(stream)), [0, 1, 2, oops] as never)
      assert.deepStrictEqual([got, closed], [[0, 1, 2], 0])
    })

    it("closes an iterator that is left, and not one that has ended", async () => {
      let closed = 0
      const numbers = function* () {
        try {
          yield* [1, 2, 3]
        } finally {
          closed++
        }
      }
      assert.deepStrictEqual(
        await Effect.runPromise(Streaming.collect(Stream.take(Streaming.fromIterable(endless(() => closed++)), 2))),
        [0, 1]
      )
      assert.strictEqual(closed, 1)
      assert.deepStrictEqual(await Effect.runPromise(Streaming.collect(Streaming.fromIterable(numbers()))), [1, 2, 3])
      assert.strictEqual(closed, 2, "by itself")
    })
  })

  describe("leaks", () => {
    const objects = async function* () {
      for (let n = 0; ; n++) yield { n }
    }

    for (const ordered of [true, false]) {
      it(
        `200,000 items through fromAsyncIterable, filter, map and toAsyncIterable leave nothing behind (${ordered ? "in order" : "as they are ready"})`,
        { timeout: 180_000 },
        async () => {
          const stream = Streaming.fromAsyncIterable(objects()).pipe(
            Streaming.filter(({ n }) => Effect.succeed(n % 4 > 0), { concurrency: 2, ordered }),
            Streaming.map(({ n }) => Effect.as(n % 16 === 0 ? Effect.yieldNow() : Effect.void, { n }), {
              concurrency: 3,
              ordered
            })
          )
          const results = Effect.runSync(Streaming.toAsyncIterable(stream))[Symbol.asyncIterator]()
          assert.isBelow(await growth(150_000, () => results.next()), 4)
          await results.return()
        }
      )
    }

    it("200,000 items through range, and map one at a time, leave nothing behind", { timeout: 180_000 }, async () => {
      const stream = Streaming.map(Streaming.range(0, Infinity), (n) => Effect.succeed({ n }))
      const results = Effect.runSync(Streaming.toAsyncIterable(stream))[Symbol.asyncIterator]()
      assert.isBelow(await growth(200_000, () => results.next()), 4)
      await results.return()
    })
  })

  describe("refuses", () => {
    const f = () => Effect.void
    const refusals: ReadonlyArray<[string, () => Stream.Stream<unknown, unknown>, RegExp]> = [
      [
        "a concurrency of 0",
        () => Streaming.map(Stream.make(1), f, { concurrency: 0 }),
        /concurrency must be an integer of at least 1, got 0/
      ],
      ["half a concurrency", () => Streaming.map(Stream.make(1), f, { concurrency: 0.5 }), /concurrency must be/],
      [
        "a negative buffer",
        () => Streaming.filter(Stream.make(1), () => Effect.succeed(true), { buffer: -1 }),
        /buffer must be/
      ],
      [
        "what is no function",
        () => Streaming.map(Stream.make(1), 5 as never),
        /Streaming.map: f must be a function, got 5/
      ],
      ["what is no stream", () => Streaming.map(5 as never, f), /Streaming.map: self must be a stream, got 5/],
      [
        "what is no iterable",
        () => Streaming.fromIterable(5 as never),
        /iterable must be an iterable that is not a string, got 5/
      ],
      ["a string", () => Streaming.fromIterable("text"), /iterable must be/],
      [
        "what is no async iterable",
        () => Streaming.fromAsyncIterable([] as never),
        /iterable must be an async iterable/
      ],
      ["a step of 0", () => Streaming.range(0, 5, 0), /Streaming.range: step must be an integer other than 0, got 0/]
    ]
    for (const [what, make, message] of refusals) {
      it(what, async () => {
        const defect = dieWith(await Effect.runPromiseExit(Stream.runDrain(make())))
        assert.match(String(defect), message)
      })
    }

    it("no stream as an async iterable", async () => {
      assert.instanceOf(dieWith(await Effect.runPromiseExit(Streaming.toAsyncIterable(5 as never))), TypeError)
    })
  })
})

function* endless(onReturn: () => void) {
  try {
    for (let n = 0; ; n++) yield n
  } finally {
    onReturn()
  }
}
