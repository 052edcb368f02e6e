import { AsyncLocalStorage } from "node:async_hooks"
import { getEventListeners } from "node:events"
import { assert, describe, it, vi } from "@effect/vitest"
import { Effect } from "effect"
import { WorkQueue as EffectWorkQueue } from "effect-concurrency"
import { Mutex, Streaming, WorkQueue } from "effect-concurrency/promise"
import { settle } from "../laws/skins.js"
import { all, mixed, probe, promise, streamingLaws } from "../laws/Streaming.js"
import { gate } from "../utils/gate.js"
import { growth } from "../utils/heap.js"
import { asLongAs, computing, gapsDuring, later, slow, turnedOften, withWork } from "../utils/turns.js"
import { counted, watch } from "./waits.js"

streamingLaws(promise)
streamingLaws(mixed)

const done = { done: true, value: undefined } as const

describe("Streaming for async functions", () => {
  describe("closing", () => {
    it("an error while the source is closed is what return rejects with", async () => {
      // asyncio: test_async_gen_asyncio_aclose_12
      const error = new Error("finally")
      const source = async function* () {
        try {
          yield 1
        } finally {
          await Promise.resolve()
          // oxlint-disable-next-line no-unsafe-finally -- that is what is tested
          throw error
        }
      }
      const results = Streaming.fromAsyncIterable(source())
      await results.next()
      const end = watch(results.return())
      await settle()
      assert.strictEqual(end.error, error)
    })

    it("a source that goes on although it was closed is told of", async () => {
      // asyncio: test_async_gen_asyncio_aclose_06, test_async_gen_asyncio_aclose_11
      const source = async function* () {
        try {
          yield 1
        } finally {
          yield 2
        }
      }
      const results = Streaming.fromAsyncIterable(source())
      await results.next()
      const end = watch(results.return())
      await settle()
      assert.match(String(end.error), /Streaming.fromAsyncIterable: the source goes on although it was closed/)
    })

    it("throw tells what it was given and what failed besides", async () => {
      const error = new Error("finally")
      const results = Streaming.fromAsyncIterable({
        [Symbol.asyncIterator]: () => ({
          next: async () => ({ done: false, value: 1 }),
          return: () => Promise.reject(error)
        })
      })
      await results.next()
      const end = watch(results.throw("thrown"))
      await settle()
      assert.instanceOf(end.error, AggregateError)
      assert.deepStrictEqual(end.error.errors, ["thrown", error])
    })

    it("an iterator that was never asked is closed, an iterable is not opened for that", async () => {
      const { iterator, log } = probe(3)
      await Streaming.map(iterator, () => 1).return()
      assert.strictEqual(log.closed, 1)
      let opened = 0
      const iterable = { [Symbol.asyncIterator]: () => (opened++, iterator) }
      await Streaming.map(iterable, () => 1).return()
      assert.deepStrictEqual([opened, log.closed], [0, 1])
    })

    it("an iterator of plain values is closed, too", async () => {
      let closed = 0
      const numbers = function* () {
        try {
          yield* [1, 2, 3]
        } finally {
          closed++
        }
      }
      for await (const n of Streaming.fromIterable(numbers())) if (n === 2) break
      assert.strictEqual(closed, 1)
    })
  })

  describe("a signal", () => {
    it("that is aborted already: the source is not asked, nothing is called, the reason is told once", async () => {
      const { iterator, log } = probe(3)
      const results = Streaming.map(iterator, () => assert.fail("called"), { signal: AbortSignal.abort("before") })
      const answers = [results.next(), results.next()].map(watch)
      await settle()
      assert.strictEqual(answers[0]!.error, "before")
      assert.deepStrictEqual(answers[1]!.value, done as never)
      assert.deepStrictEqual([log.asked, log.closed], [0, 1])
      const collected = watch(Streaming.collect([1, 2], { signal: AbortSignal.abort("before") }))
      await settle()
      assert.strictEqual(collected.error, "before")
    })

    it("aborts the signals of what runs, waits for it, closes the source, and rejects with the reason", async () => {
      const { during, iterator, log } = probe(100)
      const { abort, left, signal } = counted()
      const { open, opened } = gate()
      const reasons: Array<unknown> = []
      const results = Streaming.map(
        iterator,
        (_, { signal }) =>
          during(async () => {
            signal.addEventListener("abort", () => reasons.push(signal.reason))
            await opened
            signal.throwIfAborted()
          }),
        { concurrency: 2, signal }
      )
      const answers = [results.next(), results.next()].map(watch)
      await settle()
      assert.deepStrictEqual([left(), log.running], [1, 2])
      abort("enough")
      assert.deepStrictEqual(reasons, ["enough", "enough"])
      await settle()
      assert.deepStrictEqual([answers[0]!.state, log.closed], ["waiting", 0])
      open()
      await settle()
      assert.strictEqual(answers[0]!.error, "enough")
      assert.deepStrictEqual(answers[1]!.value, done as never)
      assert.deepStrictEqual([left(), log.closed, log.closedWhile, log.asked], [0, 1, 0, 2])
    })

    it("does not wait for a source that never answers; and what it fails with afterwards is reported", async () => {
      const error = vi.spyOn(console, "error").mockImplementation(() => {})
      try {
        const { abort, left, signal } = counted()
        let fail: (error: unknown) => void = () => {}
        let closed = 0
        const source = async function* () {
          try {
            yield await new Promise((_, reject) => (fail = reject))
          } finally {
            closed++
          }
        }
        const results = Streaming.fromAsyncIterable(source(), { signal })
        const next = watch(results.next())
        await settle()
        abort("enough")
        await settle()
        assert.deepStrictEqual([next.error, left()], ["enough", 0])
        assert.deepStrictEqual(await results.next(), done as never)
        const oops = new Error("too late")
        fail(oops)
        await settle()
        assert.strictEqual(closed, 1)
        assert.strictEqual(error.mock.calls.length, 1)
        assert.strictEqual(error.mock.calls[0]![1], oops)
      } finally {
        error.mockRestore()
      }
    })

    it("frees a return that waits for such a source", async () => {
      const { abort, signal } = counted()
      const source = async function* () {
        yield await new Promise(() => {})
      }
      const results = Streaming.fromAsyncIterable(source(), { signal })
      const next = watch(results.next())
      const end = watch(results.return())
      await settle()
      assert.deepStrictEqual([next.state, end.state], ["waiting", "waiting"])
      abort("enough")
      await settle()
      assert.deepStrictEqual([next.error, end.state], ["enough", "done"])
    })

    it("after the end means nothing, and no listener is left; nor after an error", async () => {
      for (const failAt of [-1, 1]) {
        const { abort, left, signal } = counted()
        const results = Streaming.map(probe(2, { failAt, error: "oops" }).iterator, (n) => n, { signal })
        await all(results).catch(() => {})
        assert.strictEqual(left(), 0)
        abort("late")
        assert.deepStrictEqual(await results.next(), done as never)
      }
    })

    it("drops what was ready and nobody waited for", async () => {
      const { abort, signal } = counted()
      const results = Streaming.map(probe(10).iterator, (n) => n, { concurrency: 3, signal })
      await results.next()
      await settle()
      abort("enough")
      const next = watch(results.next())
      await settle()
      assert.strictEqual(next.error, "enough")
    })

    it("of a call is made when it is looked at, and aborts when another call fails or the consumer leaves", async () => {
      const signals: Array<AbortSignal> = []
      const failing = Streaming.map(
        [0, 1, 2],
        async (n, { signal }) => {
          if (n < 2) signals.push(signal)
          if (n === 2) throw new Error("oops")
          await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))
        },
        { concurrency: 3 }
      )
      const next = watch(failing.next())
      await settle()
      assert.strictEqual(next.error.message, "oops")
      assert.isTrue(signals.every(({ aborted, reason }) => aborted && reason === next.error))
      let left: AbortSignal | undefined
      const leaving = Streaming.map(
        [0, 1],
        async (n, { signal }) => {
          if (n === 0) return
          left = signal
          await new Promise((resolve) => signal.addEventListener("abort", resolve))
        },
        { concurrency: 2 }
      )
      await leaving.next()
      await leaving.return()
      assert.strictEqual((left!.reason as DOMException).name, "AbortError")
    })

    it("one signal for many leaves no listener: 20 flows, 1 listener", async () => {
      const { signal } = new AbortController()
      const flows = Array.from({ length: 20 }, () => Streaming.map(Streaming.range(3), (n) => n, { signal }))
      await Promise.all(flows.map((flow) => flow.next()))
      assert.strictEqual(getEventListeners(signal, "abort").length, 1)
      await Promise.all(flows.map((flow) => flow.return()))
      assert.strictEqual(getEventListeners(signal, "abort").length, 0)
    })
  })

  describe("errors", () => {
    it("of several calls come together, in the order of their items", async () => {
      const { open, opened } = gate()
      const results = Streaming.map(
        [0, 1, 2],
        async (n) => {
          if (n !== 1) await opened
          throw n
        },
        { concurrency: 3 }
      )
      const next = watch(results.next())
      await settle()
      open()
      await settle()
      assert.instanceOf(next.error, AggregateError)
      assert.deepStrictEqual(next.error.errors, [0, 1, 2])
      assert.strictEqual(next.error.message, "Streaming.map: 3 errors")
    })

    it("that nobody asked for is what return rejects with; that a call was told to end is none", async () => {
      const oops = new Error("read ahead")
      for (const [error, told] of [
        [oops, oops],
        [new DOMException("mine", "AbortError"), undefined]
      ] as const) {
        const results = Streaming.map(
          [0, 1],
          async (n, { signal }) => {
            if (n === 0) return
            await new Promise((resolve) => signal.addEventListener("abort", resolve))
            throw error
          },
          { concurrency: 2 }
        )
        await results.next()
        const end = watch(results.return())
        await settle()
        assert.strictEqual(end.error, told)
      }
    })

    it("thrown at once by a call, a source, or its opening, are rejections", async () => {
      const error = new Error("at once")
      const raise = () => {
        throw error
      }
      const sources: ReadonlyArray<() => Streaming.Results<unknown>> = [
        () => Streaming.map([1], raise),
        () => Streaming.filter([1], raise),
        () => Streaming.fromIterable({ [Symbol.iterator]: raise }),
        () => Streaming.fromIterable({ [Symbol.iterator]: () => ({ next: raise }) }),
        () => Streaming.fromAsyncIterable({ [Symbol.asyncIterator]: () => ({ next: raise }) }),
        () => Streaming.fromIterable([Promise.reject(error)])
      ]
      for (const make of sources) {
        const next = watch(make().next())
        await settle()
        assert.strictEqual(next.error, error)
      }
    })

    it("an answer that is none is refused", async () => {
      const next = watch(
        Streaming.fromAsyncIterable({ [Symbol.asyncIterator]: () => ({ next: async () => 5 as never }) }).next()
      )
      await settle()
      assert.strictEqual(next.error.message, "Streaming.fromAsyncIterable: the source answered 5")
    })
  })

  it("calls keep the context of who asks for their results (AsyncLocalStorage)", async () => {
    const context = new AsyncLocalStorage<string>()
    const seen: Array<string | undefined> = []
    const answers: Array<(result: IteratorResult<number>) => void> = []
    const source = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise<IteratorResult<number>>((resolve) => answers.push(resolve))
      })
    }
    const f = async () => {
      seen.push(context.getStore())
      await Promise.resolve()
      seen.push(context.getStore())
    }
    const loop = context.run("consumer", () => all(Streaming.map(source, f, { concurrency: 2 })))
    for (let i = 0; i < 4; i++) {
      await settle()
      context.run("source", () => answers[i]!(i < 3 ? { done: false, value: i } : { done: true, value: undefined }))
    }
    await loop
    assert.deepStrictEqual(
      seen,
      Array.from({ length: 6 }, () => "consumer")
    )
  })

  it("functions may give plain values, and inputs may be promises", async () => {
    assert.deepStrictEqual(
      await Streaming.collect(Streaming.map([1, Promise.resolve(2), 3], (n, { index }) => n * 10 + index)),
      [10, 21, 32]
    )
    assert.deepStrictEqual(await Streaming.collect(Streaming.filter([1, Promise.resolve(2), 3], (n) => n > 1)), [2, 3])
    assert.deepStrictEqual(await Streaming.collect([Promise.resolve(1), 2]), [1, 2])
  })

  describe("collect", () => {
    it("takes all, and closes what it leaves", async () => {
      assert.deepStrictEqual(await Streaming.collect(Streaming.range(1, 4)), [1, 2, 3])
      let closed = 0
      const numbers = function* () {
        try {
          for (;;) yield 1
        } finally {
          closed++
        }
      }
      const { abort, signal } = counted()
      const all = watch(Streaming.collect(numbers(), { signal }))
      await settle()
      abort("enough")
      await settle()
      assert.strictEqual(all.error, "enough")
      assert.strictEqual(closed, 1)
    })
  })

  describe("toAsyncIterable", () => {
    it("goes over a queue of either skin until it has ended, and rejects with what it was failed with", async () => {
      const effects = EffectWorkQueue.makeUnsafe<number, string>()
      const plain = new WorkQueue<number>()
      for (const [queue, end] of [
        [effects, () => Effect.runSync(effects.end)],
        [plain, () => plain.end()]
      ] as const) {
        const view = WorkQueue.from(queue as WorkQueue<number>)
        await view.offerAll([1, 2])
        end()
        assert.deepStrictEqual(await all(Streaming.toAsyncIterable(queue as WorkQueue<number>)), [1, 2])
      }
      const failing = new WorkQueue<number>()
      failing.fail("oops")
      const next = watch(Streaming.toAsyncIterable(failing).next())
      await settle()
      assert.strictEqual(next.error, "oops")
    })

    for (const how of ["return", "throw", "abort"] as const) {
      it(`${how} while next waits settles all, and the queue keeps every item`, async () => {
        for (let delay = 0; delay < 20; delay++) {
          const queue = new WorkQueue<number>()
          const { abort, signal } = counted()
          const results = Streaming.toAsyncIterable(queue, { signal })
          const next = watch(results.next())
          await settle()
          void queue.offer(1)
          // However far the item has come: it is with who waited, or back in the queue.
          for (let i = 0; i < delay; i++) await Promise.resolve()
          const end = how === "abort" ? abort("enough") : watch(results[how]("enough"))
          await settle()
          assert.notStrictEqual(next.state, "waiting")
          assert.notStrictEqual((end as ReturnType<typeof watch> | undefined)?.state, "waiting")
          const got = next.value?.done === false ? [next.value.value] : []
          assert.deepStrictEqual([...got, ...queue.shutdown()], [1], `after ${delay} microtasks`)
          assert.strictEqual(queue.stats().waiting, 0)
        }
      })
    }

    it("refuses what is no queue", () => {
      for (const bad of [undefined, [], new Mutex()]) {
        assert.throws(() => Streaming.toAsyncIterable(bad as never), TypeError)
      }
    })
  })

  describe("the event loop", () => {
    const isEven = (n: number) => n % 2 === 0
    const drain = async (results: AsyncIterable<unknown>, f = () => {}) => {
      for await (const _ of results) f()
    }

    /** What goes through a source, with functions that are quick. */
    const loops: ReadonlyArray<readonly [string, (of: Iterable<number>) => Promise<unknown>]> = [
      ["fromIterable", (of) => drain(Streaming.fromIterable(of))],
      ["collect", (of) => Streaming.collect(of)],
      ["map, one at a time,", (of) => drain(Streaming.map(of, (n) => n))],
      ["map, four at a time,", (of) => drain(Streaming.map(of, (n) => n, { concurrency: 4 }))],
      ["map of async functions", (of) => drain(Streaming.map(of, async (n) => n, { concurrency: 4 }))],
      ["filter", (of) => drain(Streaming.filter(of, isEven))],
      ["filter of async functions", (of) => drain(Streaming.filter(of, async (n) => isEven(n), { concurrency: 4 }))],
      ["fromAsyncIterable", (of) => drain(Streaming.fromAsyncIterable(later(of)))],
      ["collect of an async iterable", (of) => Streaming.collect(later(of))],
      ["map of an async iterable", (of) => drain(Streaming.map(later(of), (n) => n))]
    ]

    for (const [name, loop] of loops) {
      for (const ms of [0.01, 0.3, 0.7, 3]) {
        it(`turns while ${name} goes on, of which each item takes ${ms} ms: after a millisecond, or after one item`, async () => {
          const { longest, turns } = await withWork((work) =>
            loop(
              asLongAs(
                slow(work, () => ms),
                (n) => n * ms <= 50
              )
            )
          )
          // The first items, of which nobody knows how long they take, may be two.
          assert.isAtMost(longest, Math.max(1.25 + ms, 2 * ms))
          assert.isAtLeast(turns, Math.floor(50 / (1.25 + ms)) - 1)
        })
      }
    }

    it("slow items among quick ones: 16 at most pass before it is noticed", async () => {
      const { longest } = await withWork(async (work) => {
        const source = slow(work, (n) => (n < 1000 ? 0.0001 : 2))
        for await (const n of Streaming.fromIterable(source)) if (n > 1100) break
      })
      assert.isAtMost(longest, 16 * 2 + 1)
    })

    const full = (length: number) => {
      const queue = new WorkQueue<number>()
      for (let n = 0; n < length; n++) queue.tryOffer(n)
      queue.end()
      return queue
    }
    for (const [name, make] of [
      ["range", (length) => Streaming.range(length)],
      ["toAsyncIterable", (length) => Streaming.toAsyncIterable(full(length))]
    ] as ReadonlyArray<readonly [string, (length: number) => AsyncIterable<number>]>) {
      for (const ms of [0.01, 0.7, 3]) {
        it(`turns while a loop over ${name} takes ${ms} ms for an item: after a millisecond, or after one item`, async () => {
          const { longest, turns } = await withWork((work) => drain(make(Math.ceil(50 / ms)), () => (work.now += ms)))
          assert.isAtMost(longest, Math.max(1.25 + ms, 2 * ms))
          assert.isAtLeast(turns, Math.floor(50 / (1.25 + ms)) - 1)
        })
      }
    }

    for (const [name, loop] of [
      ...loops,
      [
        "range",
        async (of) => {
          const rest = of[Symbol.iterator]()
          for await (const _ of Streaming.range(0, Infinity)) if (rest.next().done === true) break
        }
      ],
      ["toAsyncIterable", () => drain(Streaming.toAsyncIterable(full(100_000)))]
    ] satisfies typeof loops) {
      it(`turns while ${name} goes on: measured`, async () => {
        turnedOften(await gapsDuring(() => loop(computing(100))))
      })
    }

    it("the measure sees what does not turn", async () => {
      const gaps = await gapsDuring(() => drain(later(computing(100))))
      assert.throws(() => turnedOften(gaps), /turns/)
    })

    it("does not turn for a few items", async () => {
      let turned = false
      setImmediate(() => (turned = true))
      const first = Streaming.fromIterable([1, 2, 3])
      await first.next()
      await first.next()
      assert.isFalse(turned)
    })

    for (const [name, make] of [
      ["an iterator", (source, signal) => Streaming.fromIterable(source, { signal })],
      ["an async iterator", (source, signal) => Streaming.fromAsyncIterable(later(source), { signal })],
      ["a source of calls", (source, signal) => Streaming.map(source, (n) => n, { concurrency: 3, signal })]
    ] as ReadonlyArray<
      readonly [string, (source: Iterable<number>, signal: AbortSignal) => Streaming.Results<number>]
    >) {
      for (const how of ["left", "aborted"] as const) {
        it(`${name} that is ${how} during a turn is not asked again`, async () => {
          let asked = 0
          let closed = 0
          const source = function* () {
            try {
              for (;;) {
                const end = performance.now() + 2
                while (performance.now() < end);
                yield asked++
              }
            } finally {
              closed++
            }
          }
          const { abort, left, signal } = counted()
          const results = make(source(), signal)
          await results.next()
          const before = asked
          const next = watch(results.next())
          const end = how === "left" ? watch(results.return()) : abort("enough")
          await settle()
          if (how === "left") assert.deepStrictEqual([next.value, end!.state] as never, [done, "done"])
          else assert.strictEqual(next.error, "enough")
          assert.deepStrictEqual([asked, closed, left()], [before, 1, 0])
          assert.deepStrictEqual(await results.next(), done as never)
        })
      }
    }

    it("a source that asks for its own next item meanwhile keeps the order", async () => {
      const answers: Array<ReturnType<typeof watch<IteratorResult<number>>>> = []
      let n = 0
      const results = Streaming.fromIterable({
        [Symbol.iterator]: () => ({
          next: () => {
            const value = n++
            if (value === 0) answers.push(watch(results.next()))
            return { done: value > 2, value }
          }
        })
      })
      answers.unshift(watch(results.next()))
      await settle()
      assert.deepStrictEqual(
        answers.map(({ value }) => value),
        [
          { done: false, value: 0 },
          { done: false, value: 1 }
        ]
      )
      assert.deepStrictEqual(await all(results), [2])
    })
  })

  describe("leaks", () => {
    const many = 200_000
    const little = 4
    const objects = function* () {
      for (let n = 0; ; n++) yield { n }
    }
    const later = async function* () {
      for (let n = 0; ; n++) yield { n }
    }

    it("the measure sees what is retained", async () => {
      const kept: Array<unknown> = []
      assert.isAbove(await growth(many, async (n) => kept.push({ n })), little)
      assert.lengthOf(kept, many)
    })

    for (const [name, make] of [
      ["fromIterable", (signal) => Streaming.fromIterable(objects(), { signal })],
      ["fromAsyncIterable", (signal) => Streaming.fromAsyncIterable(later(), { signal })],
      ["map, in order", (signal) => Streaming.map(later(), async (item) => item, { concurrency: 3, signal })],
      [
        "map, as they are ready",
        (signal) => Streaming.map(objects(), async (item) => item, { concurrency: 3, ordered: false, signal })
      ],
      ["filter", (signal) => Streaming.filter(objects(), async ({ n }) => n % 2 === 0, { concurrency: 3, signal })],
      [
        "map, each with a look at its signal",
        (signal) =>
          Streaming.map(objects(), async (item, { signal }) => (signal.throwIfAborted(), item), {
            concurrency: 3,
            signal
          })
      ]
    ] as ReadonlyArray<readonly [string, (signal: AbortSignal) => Streaming.Results<unknown>]>) {
      it(`200,000 items through ${name} leave nothing behind`, async () => {
        const { signal } = new AbortController()
        const results = make(signal)
        assert.isBelow(await growth(many, () => results.next()), little)
        assert.strictEqual(getEventListeners(signal, "abort").length, 1)
        await results.return()
        assert.strictEqual(getEventListeners(signal, "abort").length, 0)
      })
    }

    it("200,000 items through toAsyncIterable leave nothing behind", async () => {
      const queue = new WorkQueue<object>()
      const results = Streaming.toAsyncIterable(queue)
      const megabytes = await growth(many, (n) => {
        const next = results.next()
        queue.tryOffer({ n })
        return next
      })
      assert.isBelow(megabytes, little)
      await results.return()
    })
  })

  describe("refuses", () => {
    const f = () => 1
    it("a source that is none", () => {
      for (const bad of [undefined, null, 5, {}, "text"]) {
        const message = /source must be an iterable that is not a string, or an async iterable, got /
        assert.throws(() => Streaming.map(bad as never, f), TypeError, message)
        assert.throws(() => Streaming.filter(bad as never, f), TypeError, message)
        assert.throws(() => Streaming.fromIterable(bad as never), TypeError, message)
        assert.throws(() => Streaming.fromAsyncIterable(bad as never), TypeError, message)
      }
    })

    it("a function, an option, a range that is none", async () => {
      assert.throws(() => Streaming.map([], 5 as never), TypeError, "Streaming.map: f must be a function, got 5")
      assert.throws(
        () => Streaming.filter([], undefined as never),
        TypeError,
        "Streaming.filter: predicate must be a function"
      )
      assert.throws(
        () => Streaming.map([], f, { concurrency: 0 }),
        RangeError,
        "Streaming.map: concurrency must be an integer of at least 1, got 0"
      )
      assert.throws(() => Streaming.map([], f, { concurrency: 1.5 }), RangeError)
      assert.throws(() => Streaming.map([], f, { buffer: -1 }), RangeError)
      assert.throws(() => Streaming.map([], f, null as never), TypeError)
      assert.throws(() => Streaming.map([], f, { signal: {} as never }), TypeError, "signal must be an AbortSignal")
      assert.throws(
        () => Streaming.range(0, 5, 0),
        RangeError,
        "Streaming.range: step must be an integer other than 0, got 0"
      )
      const collected = watch(Streaming.collect(5 as never))
      await settle()
      assert.instanceOf(collected.error, TypeError)
    })
  })
})
