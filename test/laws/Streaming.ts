import { assert, describe, it } from "@effect/vitest"
import { Effect, type Stream } from "effect"
import * as Effects from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { watch } from "../promise/waits.js"
import { gate } from "../utils/gate.js"
import { settle } from "./skins.js"

export interface Options {
  readonly concurrency?: number
  readonly ordered?: boolean
  readonly buffer?: number
}

type Results<A> = Promises.Streaming.Results<A>

/** A way from an async iterable to an async iterator, through calls. */
export interface StreamingSkin {
  readonly name: "effect" | "promise" | "mixed"
  /** The items as they are. */
  through<A>(source: AsyncIterable<A>): Results<A>
  map<A, B>(source: AsyncIterable<A>, f: (item: A) => Promise<B>, options?: Options): Results<B>
  filter<A>(source: AsyncIterable<A>, f: (item: A) => Promise<boolean>, options?: Options): Results<A>
}

const attempt = <A>(f: () => Promise<A>) => Effect.tryPromise({ try: f, catch: (error) => error })

const run = <A>(stream: Stream.Stream<A, unknown>): Results<A> =>
  Effect.runSync(Effects.Streaming.toAsyncIterable(stream))[Symbol.asyncIterator]()

export const effect: StreamingSkin = {
  name: "effect",
  through: (source) => run(Effects.Streaming.fromAsyncIterable(source)),
  map: (source, f, options) =>
    run(Effects.Streaming.map(Effects.Streaming.fromAsyncIterable(source), (item) => attempt(() => f(item)), options)),
  filter: (source, f, options) =>
    run(
      Effects.Streaming.filter(Effects.Streaming.fromAsyncIterable(source), (item) => attempt(() => f(item)), options)
    )
}

export const promise: StreamingSkin = {
  name: "promise",
  through: (source) => Promises.Streaming.fromAsyncIterable(source),
  map: (source, f, options) => Promises.Streaming.map(source, f, options) as Results<any>,
  filter: (source, f, options) => Promises.Streaming.filter(source, f, options)
}

/** Calls of the facade for each item of a stream. */
export const mixed: StreamingSkin = {
  name: "mixed",
  through: (source) => promise.through(effect.through(source)),
  map: (source, f, options) => promise.map(effect.through(source), f, options),
  filter: (source, f, options) => promise.filter(effect.through(source), f, options)
}

/** A source that tells what was done to it. */
export const probe = (length: number, options: { readonly failAt?: number; readonly error?: unknown } = {}) => {
  const log = { asked: 0, closed: 0, closedWhile: -1, running: 0, peak: 0, overlapping: 0 }
  let asking = false
  const iterator: AsyncIterableIterator<number> = {
    next: async () => {
      if (asking) log.overlapping++
      asking = true
      const item = log.asked++
      await Promise.resolve()
      asking = false
      if (item === options.failAt) throw options.error
      return item < length ? { done: false, value: item } : { done: true, value: undefined }
    },
    return: async () => {
      log.closed++
      log.closedWhile = log.running
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator]: () => iterator
  }
  /** Counts who runs, around a body. */
  const during = async <A>(body: () => Promise<A>): Promise<A> => {
    log.peak = Math.max(log.peak, ++log.running)
    try {
      return await body()
    } finally {
      log.running--
    }
  }
  return { iterator, log, during }
}

export const all = async <A>(results: AsyncIterable<A>): Promise<Array<A>> => {
  const items: Array<A> = []
  for await (const item of results) items.push(item)
  return items
}

/** How a promise ends, when that may be badly. */
const watchEnd = <A>(promise: Promise<A>): Promise<A | { readonly failed: unknown }> =>
  promise.catch((failed: unknown) => ({ failed }))

const identity = async <A>(item: A) => item
const done = { done: true, value: undefined } as const

export const streamingLaws = (skin: StreamingSkin) =>
  describe(`Streaming laws (${skin.name})`, () => {
    describe("the protocol", () => {
      it("gives the items in order, then done, again and again", async () => {
        // asyncio: test_async_gen_iteration_01, test_async_gen_iteration_02, test_async_gen_asyncio_01, test_async_generator_anext, test_python_async_iterator_anext
        const results = skin.through(probe(2).iterator)
        assert.deepStrictEqual(await results.next(), { done: false, value: 0 })
        assert.deepStrictEqual(await results.next(), { done: false, value: 1 })
        for (let i = 0; i < 3; i++) assert.deepStrictEqual(await results.next(), done)
      })

      it("is its own iterator", () => {
        // asyncio: test_aiter_idempotent, test_async_gen_aiter
        const results = skin.through(probe(2).iterator)
        assert.strictEqual(results[Symbol.asyncIterator](), results)
      })

      it("goes over a class whose iterator is a generator", async () => {
        // asyncio: test_async_gen_aiter_class, test_async_gen_asyncio_03
        class Numbers {
          async *[Symbol.asyncIterator]() {
            yield 1
            yield 2
          }
        }
        assert.deepStrictEqual(await all(skin.through(new Numbers())), [1, 2])
      })

      it("calls of next that overlap are answered in order, and the source is asked for one at a time", async () => {
        // asyncio: test_async_gen_exception_12, test_asend_send_already_running, deliberately different: they wait
        const { iterator, log } = probe(3)
        const results = skin.through(iterator)
        const answers = await Promise.all([
          results.next(),
          results.next(),
          results.next(),
          results.next(),
          results.next()
        ])
        assert.deepStrictEqual(
          answers.map(({ value }) => value),
          [0, 1, 2, undefined, undefined]
        )
        assert.strictEqual(log.overlapping, 0)
      })

      it("nothing is asked before next, nor before there is somebody to give it to", async () => {
        const { iterator, log } = probe(10)
        const results = skin.map(iterator, identity)
        await settle()
        assert.strictEqual(log.asked, 0)
        await results.next()
        await settle()
        assert.strictEqual(log.asked, 1)
        await results.return()
      })

      it("an error of the source comes once, then done; it is not closed, for it has closed itself", async () => {
        // asyncio: test_async_gen_exception_03, test_async_gen_exception_04, test_async_gen_asyncio_02, test_anext_await_raises
        const error = new Error("oops")
        const { iterator, log } = probe(10, { failAt: 1, error })
        const results = skin.through(iterator)
        const answers = [results.next(), results.next(), results.next()].map(watch)
        await settle()
        assert.deepStrictEqual(answers[0]!.value, { done: false, value: 0 })
        assert.strictEqual(answers[1]!.error, error)
        assert.deepStrictEqual(answers[2]!.value, done as never)
        assert.deepStrictEqual(await results.next(), done as never)
        assert.strictEqual(log.closed, 0)
      })

      it("break closes the source once, and waits for it", async () => {
        // asyncio: test_aclosing, test_async_gen_asyncio_aclose_07
        const { open, opened } = gate()
        const log: Array<string> = []
        const source = async function* () {
          try {
            yield 1
            yield 2
            log.push("goes on")
          } finally {
            await opened
            log.push("closed")
          }
        }
        const loop = watch(
          (async () => {
            for await (const _ of skin.through(source())) break
          })()
        )
        await settle()
        assert.deepStrictEqual([loop.state, log], ["waiting", []])
        open()
        await settle()
        assert.deepStrictEqual([loop.state, log], ["done", ["closed"]])
      })

      it("a throw in the loop closes the source, and is what the loop throws", async () => {
        // asyncio: test_aclosing_error, test_aclosing_bpo41229
        const { iterator, log } = probe(10)
        const error = new Error("body")
        const loop = watch(
          (async () => {
            for await (const _ of skin.through(iterator)) throw error
          })()
        )
        await settle()
        assert.strictEqual(loop.error, error)
        assert.strictEqual(log.closed, 1)
      })

      it("return gives its value, twice is as good as once, and also after the end", async () => {
        // asyncio: test_async_gen_aclose_twice_with_different_coros, test_async_gen_aclose_after_exhaustion
        const { iterator, log } = probe(1)
        const results = skin.through(iterator)
        await results.next()
        assert.deepStrictEqual(await Promise.all([results.return("a"), results.return("b")]), [
          { done: true, value: "a" },
          { done: true, value: "b" }
        ] as never)
        assert.strictEqual(log.closed, 1)
        assert.deepStrictEqual(await results.next(), done as never)
        const ended = skin.through(probe(0).iterator)
        await ended.next()
        assert.deepStrictEqual(await ended.return("c"), { done: true, value: "c" } as never)
      })

      it("return and throw before the first next run nothing of the source", async () => {
        for (const how of ["return", "throw"] as const) {
          const { iterator, log } = probe(3)
          const results = skin.map(iterator, identity)
          const end = watch(results[how]("x"))
          await settle()
          assert.strictEqual(how === "return" ? end.state : end.error, how === "return" ? "done" : "x")
          assert.deepStrictEqual(await results.next(), done as never)
          assert.strictEqual(log.asked, 0)
        }
      })

      it("throw closes the source and rejects with the error", async () => {
        // asyncio: test_async_gen_exception_11, and test_async_gen_asyncio_athrow_01, test_async_gen_asyncio_athrow_02,
        // test_async_gen_asyncio_athrow_03, test_async_gen_asyncio_anext_04, deliberately different: the source does not see the error
        const { iterator, log } = probe(3)
        const results = skin.through(iterator)
        await results.next()
        const error = new Error("thrown")
        const end = watch(results.throw(error))
        await settle()
        assert.strictEqual(end.error, error)
        assert.strictEqual(log.closed, 1)
        assert.deepStrictEqual(await results.next(), done as never)
      })

      for (const how of ["return", "throw"] as const) {
        it(`${how} while several next wait: all settle`, async () => {
          // asyncio: test_async_gen_asend_throw_concurrent_with_send, test_async_gen_athrow_throw_concurrent_with_send,
          // test_async_gen_asend_throw_concurrent_with_throw, test_async_gen_athrow_throw_concurrent_with_throw,
          // test_athrow_send_already_running, deliberately different: they wait
          const calls = { return: 0 }
          let answer: (result: IteratorResult<number>) => void = () => {}
          const results = skin.through<number>({
            [Symbol.asyncIterator]: () => ({
              next: () => new Promise((resolve) => (answer = resolve)),
              return: async () => {
                calls.return++
                answer({ done: true, value: undefined })
                return { done: true, value: undefined }
              }
            })
          })
          const pending = [results.next(), results.next()].map(watch)
          await settle()
          const end = watch(results[how]("x"))
          const late = watch(results.next())
          await settle()
          assert.deepStrictEqual(
            [...pending, late].map(({ value }) => value),
            [done, done, done] as never
          )
          assert.strictEqual(end.state, how === "return" ? "done" : "failed")
          assert.strictEqual(calls.return, 1)
        })
      }

      it("what next is given is not handed on, and the source's finally runs at the end and before an error", async () => {
        // asyncio: test_async_gen_asyncio_anext_05, test_async_gen_asyncio_asend_01, test_async_gen_asyncio_asend_02,
        // test_async_gen_asyncio_asend_03, deliberately different: an iterator takes no values
        for (const error of [undefined, new Error("oops"), new DOMException("cancelled", "AbortError")]) {
          const log: Array<unknown> = []
          const source = async function* (): AsyncGenerator<number, void, unknown> {
            try {
              log.push(yield 1)
              if (error !== undefined) throw error
              log.push(yield 2)
            } finally {
              await Promise.resolve()
              log.push("finally")
            }
          }
          const results: { next(value?: unknown): Promise<IteratorResult<number>> } = skin.through(source())
          const answers = [
            await results.next("a"),
            await watchEnd(results.next("b")),
            await watchEnd(results.next("c"))
          ]
          assert.deepStrictEqual(
            answers,
            error === undefined
              ? [{ done: false, value: 1 }, { done: false, value: 2 }, done]
              : [{ done: false, value: 1 }, { failed: error }, done]
          )
          assert.deepStrictEqual(log, error === undefined ? [undefined, undefined, "finally"] : [undefined, "finally"])
        }
      })

      it("the promise of an answer may be awaited twice", async () => {
        // asyncio: test_async_gen_await_same_anext_coro_twice, test_async_gen_await_same_aclose_coro_twice, deliberately different
        const results = skin.through(probe(2).iterator)
        const [next, end] = [results.next(), results.return("x")]
        for (let i = 0; i < 2; i++) {
          await next
          assert.deepStrictEqual(await end, { done: true, value: "x" } as never)
        }
      })

      it("await using closes it", async () => {
        const { iterator, log } = probe(3)
        {
          await using results = skin.through(iterator)
          await results.next()
        }
        assert.strictEqual(log.closed, 1)
      })

      it("a generator that swallows what is thrown and ends is fine", async () => {
        // asyncio: test_async_gen_asyncio_aclose_10, test_async_gen_asyncio_anext_06
        const source = async function* () {
          try {
            yield 1
          } finally {
            await Promise.resolve()
          }
        }
        const results = skin.through(source())
        await results.next()
        assert.deepStrictEqual(await results.return(), done as never)
      })

      it("an error in the finally of the source, between items, comes in its turn", async () => {
        // asyncio: test_async_gen_exception_07, test_async_gen_exception_08, test_async_gen_exception_09
        const error = new Error("later")
        const source = async function* () {
          try {
            yield 1
          } finally {
            yield 2
            // oxlint-disable-next-line no-unsafe-finally -- that is what is tested
            throw error
          }
        }
        const results = skin.through(source())
        assert.deepStrictEqual(await results.next(), { done: false, value: 1 })
        assert.deepStrictEqual(await results.next(), { done: false, value: 2 })
        const end = watch(results.next())
        await settle()
        assert.strictEqual(end.error, error)
      })
    })

    for (const ordered of [true, false]) {
      describe(ordered ? "calls in order" : "calls as they are ready", () => {
        it("applies to each item, however many at a time", async () => {
          for (const concurrency of [1, 2, 3, 10]) {
            const { during, iterator, log } = probe(20)
            const results = skin.map(iterator, (n) => during(async () => n * 2), { concurrency, ordered })
            const items = await all(results)
            assert.deepStrictEqual(
              ordered ? items : items.toSorted((a, b) => a - b),
              Array.from({ length: 20 }, (_, i) => i * 2)
            )
            assert.isAtMost(log.peak, concurrency)
            assert.strictEqual(log.overlapping, 0)
            assert.strictEqual(log.closed, 0, "it has ended by itself")
          }
        })

        it("results come in their order", async () => {
          const gates = Array.from({ length: 3 }, gate)
          const got: Array<number> = []
          const { iterator } = probe(3)
          const results = skin.map(
            iterator,
            async (n) => {
              await gates[n]!.opened
              return n
            },
            { concurrency: 3, ordered }
          )
          const loop = (async () => {
            for await (const n of results) got.push(n)
          })()
          await settle()
          gates[2]!.open()
          await settle()
          gates[1]!.open()
          await settle()
          assert.deepStrictEqual(got, ordered ? [] : [2, 1])
          gates[0]!.open()
          await loop
          assert.deepStrictEqual(got, ordered ? [0, 1, 2] : [2, 1, 0])
        })

        it("reads ahead of the consumer by concurrency - 1 and the buffer, and no further", async () => {
          for (const [concurrency, buffer] of [
            [1, 0],
            [1, 2],
            [3, 0],
            [3, 2]
          ] as const) {
            const { iterator, log } = probe(100)
            const results = skin.map(iterator, identity, { concurrency, buffer, ordered })
            for (let taken = 1; taken <= 5; taken++) {
              await results.next()
              await settle()
              assert.strictEqual(log.asked, taken + concurrency - 1 + buffer)
            }
            await results.return()
          }
        })

        it("at most so many run, and the source is not asked while all do", async () => {
          const { opened, open } = gate()
          const { during, iterator, log } = probe(100)
          const results = skin.map(iterator, () => during(() => opened), { concurrency: 3, buffer: 10, ordered })
          const pending = [results.next(), results.next(), results.next(), results.next(), results.next()]
          await settle()
          assert.deepStrictEqual([log.running, log.asked], [3, 3])
          open()
          await Promise.all(pending)
          assert.strictEqual(log.peak, 3)
          await results.return()
        })

        it("a failure stops the source, waits for what runs, closes the source once, and comes after what was ready", async () => {
          const error = new Error("oops")
          const gates = Array.from({ length: 4 }, gate)
          const { during, iterator, log } = probe(100)
          const results = skin.map(
            iterator,
            (n) =>
              during(async () => {
                await gates[n]!.opened
                if (n === 1) throw error
                return n
              }),
            { concurrency: 3, ordered }
          )
          const first = watch(results.next())
          const second = watch(results.next())
          await settle()
          gates[0]!.open()
          await settle()
          assert.deepStrictEqual(first.value, { done: false, value: 0 })
          gates[1]!.open()
          await settle()
          // What runs cannot be interrupted in the midst of a promise here, but an Effect can stop waiting for it.
          if (skin.name !== "effect") assert.deepStrictEqual([second.state, log.closed], ["waiting", 0])
          gates[2]!.open()
          gates[3]!.open()
          await settle()
          const rest = [second, watch(results.next()), watch(results.next()), watch(results.next())]
          await settle()
          const ends = rest.filter(({ state }) => state === "failed")
          assert.deepStrictEqual(
            ends.map(({ error }) => error),
            [error]
          )
          const given = rest.filter(({ value }) => value !== undefined && !value.done).length
          assert.strictEqual(given, ordered || skin.name === "effect" ? 0 : 2)
          assert.strictEqual(log.closed, 1)
          if (skin.name !== "effect") assert.strictEqual(log.closedWhile, 0)
          assert.strictEqual(log.asked, 4)
          assert.deepStrictEqual(await results.next(), done as never)
        })

        it("an error of the source comes after the results of what it gave before", async () => {
          const error = new Error("source")
          const { during, iterator, log } = probe(10, { failAt: 2, error })
          const { open, opened } = gate()
          const results = skin.map(
            iterator,
            (n) =>
              during(async () => {
                await opened
                return n
              }),
            { concurrency: 3, ordered }
          )
          const answers = [results.next(), results.next(), results.next()].map(watch)
          await settle()
          assert.isTrue(answers.every(({ state }) => state === "waiting"))
          open()
          await settle()
          assert.deepStrictEqual([answers[0]!.value, answers[1]!.value] as never, [
            { done: false, value: 0 },
            { done: false, value: 1 }
          ])
          assert.strictEqual(answers[2]!.error, error)
          assert.strictEqual(log.closed, 0)
        })

        it("what is filtered out makes room for the next", async () => {
          for (const concurrency of [1, 3]) {
            const { iterator, log } = probe(30)
            const results = skin.filter(iterator, async (n) => n % 10 === 9, { concurrency, ordered })
            assert.deepStrictEqual(await results.next(), { done: false, value: 9 })
            await settle()
            if (concurrency === 1) assert.strictEqual(log.asked, 10)
            assert.deepStrictEqual(await all(results), [19, 29])
          }
        })

        it("all may be filtered out", async () => {
          assert.deepStrictEqual(
            await all(skin.filter(probe(30).iterator, async () => false, { concurrency: 3, ordered })),
            []
          )
        })

        it("leaving waits for what runs, then closes the source", async () => {
          const { during, iterator, log } = probe(100)
          const { open, opened } = gate()
          const results = skin.map(iterator, (n) => during(async () => (n === 0 ? n : (await opened, n))), {
            concurrency: 3,
            ordered
          })
          await results.next()
          await settle()
          assert.strictEqual(log.running, 2)
          const end = watch(results.return())
          await settle()
          if (skin.name !== "effect") {
            assert.deepStrictEqual([end.state, log.closed], ["waiting", 0])
            open()
            await settle()
          }
          assert.deepStrictEqual([end.state, log.closed], ["done", 1])
          assert.deepStrictEqual(await results.next(), done as never)
          open()
        })
      })
    }
  })
