import { Effect, Exit, Stream } from "effect"
import type { Explored, Library } from "./scenario.js"
import { atOnce, claim, ended, fork, pause, same, settled } from "./tools.js"

const primitive = "Streaming"

const done = { done: true, value: undefined } as const

/** How a promise has ended that did not reject. */
const well = () => "left well"

/** What was given, in the order of the asking: items one after the other, then nothing but the end. */
const inOrder = (answers: ReadonlyArray<IteratorResult<number>>): ReadonlyArray<number> => {
  const items = answers.flatMap((answer) => (answer.done === true ? [] : [answer.value]))
  same(
    answers,
    answers.map((_, i) => (i < items.length ? { done: false, value: i } : done)),
    "the answers"
  )
  return items
}

/** A stream of numbers and calls for them, with an account of both. */
const make = (
  library: Library,
  length: number,
  options: { concurrency?: number; ordered?: boolean; buffer?: number }
) => {
  const log = { asked: 0, running: 0, closed: 0, closedWhile: 0 }
  const source = Stream.ensuring(
    Stream.mapEffect(library.effect.Streaming.range(length), (n) =>
      Effect.map(pause, () => {
        log.asked++
        return n
      })
    ),
    Effect.sync(() => {
      log.closed++
      // A stream that is interrupted loses what fails here.
      log.closedWhile = log.running
    })
  )
  const { concurrency = 1 } = options
  const call = (n: number) =>
    Effect.acquireUseRelease(
      Effect.sync(() => claim(++log.running <= concurrency, `${log.running} run`)),
      () => Effect.as(pause, n),
      () => Effect.sync(() => void log.running--)
    )
  const got: Array<number> = []
  const results = library.effect.Streaming.map(source, call, options)
  const consume = Stream.runForEach(results, (n) => Effect.map(pause, () => void got.push(n)))
  /** However it ended. */
  const atRest = () => {
    same([log.running, log.closedWhile], [0, 0], "running, and while the source was closed")
    claim(log.closed === 1 || log.asked === 0, `closed ${log.closed} times`)
  }
  return { log, got, results, consume, atRest }
}

export const scenarios: ReadonlyArray<Explored> = [
  ...[true, false].map((ordered): Explored => ({
    primitive,
    name: `nothing runs and the source is closed once, whenever the consumer is interrupted (${ordered ? "in order" : "as they are ready"})`,
    options: { interrupt: ["consumer"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, consume, got } = make(library, 2, { concurrency: 2, ordered })
        const consumer = yield* fork("consumer", consume)
        const [exit] = yield* ended(consumer)
        if (Exit.isSuccess(exit!)) same(ordered ? got : got.toSorted(), [0, 1], "the results")
        atRest()
      })
  })),
  {
    primitive,
    name: "nobody reads further ahead than may, and the results are in order",
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, got, log, results } = make(library, 4, { concurrency: 2 })
        const consumer = yield* fork(
          "consumer",
          Stream.runForEach(results, (n) => {
            got.push(n)
            // One that is ahead. What this is given was asked for before it was here.
            claim(log.asked <= got.length + 1, `${log.asked} were read, and ${got.length} came`)
            return pause
          })
        )
        yield* ended(consumer)
        same(got, [0, 1, 2, 3], "the results")
        atRest()
      })
  },
  {
    primitive,
    name: "a failure interrupts the other call, and closes the source after it",
    scenario: (library) =>
      Effect.gen(function* () {
        let running = 0
        let closed = 0
        const call = (n: number) =>
          Effect.acquireUseRelease(
            Effect.sync(() => running++),
            () => (n === 0 ? Effect.zipRight(pause, Effect.fail("no")) : Effect.never),
            () => Effect.sync(() => void running--)
          )
        const source = Stream.ensuring(
          library.effect.Streaming.range(2),
          Effect.sync(() => {
            closed++
            claim(running === 0, "closed while a call runs")
          })
        )
        const consumer = yield* fork(
          "consumer",
          Effect.exit(Stream.runDrain(library.effect.Streaming.map(source, call, { concurrency: 2 })))
        )
        const exit = yield* consumer.await
        claim(Exit.isSuccess(exit) && Exit.isFailure(exit.value), "it did not fail")
        same([running, closed], [0, 1], "at rest")
      })
  },
  ...(["return", "throw"] as const).map((how): Explored => ({
    primitive,
    name: `next, and ${how} meanwhile: both settle, and the finalizers have run`,
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, results } = make(library, 2, {})
        const iterable = yield* library.effect.Streaming.toAsyncIterable(results)
        const iterator = iterable[Symbol.asyncIterator]()
        const asked: Array<Promise<IteratorResult<number>>> = []
        const next = Effect.promise(() => {
          const answer = iterator.next()
          asked.push(answer)
          return answer
        })
        const first = yield* fork("next", next)
        const second = yield* fork("second", next)
        const leave = yield* fork(
          how,
          Effect.zipRight(
            pause,
            Effect.promise(async () => {
              const end = iterator[how]("left")
              if (how === "return") return same(await end, { done: true, value: "left" }, "how it was left")
              same(await end.then(well, String), "left", "what throw rejects with")
            })
          )
        )
        yield* ended<unknown>(first, second, leave)
        atRest()
        inOrder(yield* Effect.promise(() => Promise.all(asked)))
        same(yield* Effect.promise(() => iterator.next()), done, "what comes afterwards")
      }),
    options: { promises: true }
  })),
  {
    primitive,
    name: "three next of a stream of one item, and one when it has ended: each settles, in order",
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, results } = make(library, 1, {})
        const iterable = yield* library.effect.Streaming.toAsyncIterable(results)
        const iterator = iterable[Symbol.asyncIterator]()
        const asked: Array<Promise<IteratorResult<number>>> = []
        const next = Effect.promise(() => {
          const answer = iterator.next()
          asked.push(answer)
          return answer
        })
        const one = yield* fork("one", next)
        const two = yield* fork("two", Effect.zipRight(next, next))
        yield* ended<unknown>(one, two)
        same(inOrder(yield* Effect.promise(() => Promise.all(asked))), [0], "the items")
        same(yield* Effect.promise(() => iterator.next()), done, "what comes afterwards")
        atRest()
      }),
    options: { promises: true }
  },
  {
    primitive,
    name: "break, while somebody else asks: the finalizers have run when the loop is left, and the other settles",
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, log, results } = make(library, 3, {})
        const iterable = yield* library.effect.Streaming.toAsyncIterable(results)
        const iterator = iterable[Symbol.asyncIterator]()
        const loop = yield* fork(
          "loop",
          Effect.promise(async () => {
            for await (const _ of iterator) break
            claim(log.closed === 1, `closed ${log.closed} times when the loop was left`)
          })
        )
        const other = yield* fork(
          "other",
          Effect.promise(() => iterator.next())
        )
        yield* ended<unknown>(loop, other)
        atRest()
        same(yield* Effect.promise(() => iterator.next()), done, "what comes afterwards")
      }),
    options: { promises: true }
  },
  {
    primitive,
    name: "promises: nothing runs, and the source is closed once, whenever it is aborted",
    models: ["taskOrder"],
    options: { interrupt: true },
    scenario:
      ({ promise }) =>
      async (tasks) => {
        const log = { running: 0, closed: 0 }
        let n = 0
        const source: AsyncIterableIterator<number> = {
          next: async () => (n < 3 ? { done: false, value: n++ } : { done: true, value: undefined }),
          return: async () => {
            log.closed++
            claim(log.running === 0, `closed while ${log.running} run`)
            return { done: true, value: undefined }
          },
          [Symbol.asyncIterator]: () => source
        }
        const consumer = tasks.spawn("consumer", async ({ signal, step }) => {
          const results = promise.Streaming.map(
            source,
            async (n) => {
              claim(++log.running <= 2, `${log.running} run`)
              await step(`call ${n}`)
              log.running--
              return n
            },
            { concurrency: 2, signal }
          )
          const got: Array<number> = []
          for await (const n of results) got.push(n)
          same(got, [0, 1, 2], "the results")
        })
        await settled(consumer)
        same(log.running, 0, "running")
        claim(log.closed <= 1, `closed ${log.closed} times`)
      }
  },
  {
    primitive,
    name: "promises: who leaves a loop has closed the source, and every next before that has settled",
    models: ["taskOrder"],
    options: { interrupt: ["consumer"] },
    scenario:
      ({ promise }) =>
      async (tasks) => {
        const log = { asked: 0, running: 0, closed: 0 }
        const source: AsyncIterableIterator<number> = {
          next: async () => ({ done: false, value: log.asked++ }),
          return: async () => {
            log.closed++
            claim(log.running === 0, `closed while ${log.running} run`)
            return { done: true, value: undefined }
          },
          [Symbol.asyncIterator]: () => source
        }
        // The first is quick; the others end, and without a result, when they are told to.
        const call = async (n: number, { signal }: { readonly signal: AbortSignal }) => {
          log.running++
          const told = new Promise<number>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))
          try {
            return n > 0 ? await told : n
          } finally {
            log.running--
          }
        }
        const results = promise.Streaming.map(source, call, { concurrency: 2 })
        const consumer = tasks.spawn("consumer", async ({ signal, step }) => {
          const [first, ...others] = [results.next(), results.next(), results.next()]
          same(await first, { done: false, value: 0 }, "the first")
          await step("leaves")
          const left = results.return("value")
          same(await Promise.all(others), [{ done: true }, { done: true }], "what was asked for before it was left")
          same(await left, { done: true, value: "value" }, "how it was left")
          signal.throwIfAborted()
        })
        await settled(consumer)
        if (log.asked === 0) return
        await results.return()
        same([log.running, log.closed], [0, 1], "what runs, and how often it was closed")
      }
  },
  ...(["return", "throw", "the queue's own return"] as const).map((how): Explored => ({
    primitive,
    name: `promises: next of a queue twice, and ${how} meanwhile: all settle, in order, and no item is lost`,
    models: ["taskOrder"],
    scenario:
      ({ promise }) =>
      async (tasks) => {
        const queue = new promise.WorkQueue<number>()
        const iterator: AsyncIterator<number> =
          how === "the queue's own return" ? queue[Symbol.asyncIterator]() : promise.Streaming.toAsyncIterable(queue)
        const asked: Array<Promise<IteratorResult<number>>> = []
        const next = () => {
          const answer = iterator.next()
          asked.push(answer)
          return answer
        }
        const first = tasks.spawn("first", next)
        const second = tasks.spawn("second", next)
        const leaver = tasks.spawn("leaver", async ({ step }) => {
          await step("offers, and leaves")
          queue.tryOffer(0)
          // The item is on its way, more or less far.
          for (let i = 0; i < asked.length; i++) await undefined
          const end = how === "throw" ? iterator.throw!("left") : iterator.return!()
          same(await end.then(well, String), how === "throw" ? "left" : "left well", "how it was left")
          // What was given before, or went to whoever waited, is all that ever comes.
          same(await iterator.next(), done, "what comes afterwards")
        })
        await settled<unknown>(first, second, leaver)
        const items = inOrder(await Promise.all(asked))
        same(queue.stats().waiting, 0, "who waits for an item")
        same([...items, ...queue.shutdown()], [0], "the items")
      }
  })),
  ...(["toAsyncIterable", "its own iterator"] as const).map((how): Explored => ({
    primitive,
    name: `promises: three next of a queue, a loop with a break, and what is left (${how}): in order, and done after the end`,
    models: ["taskOrder"],
    scenario:
      ({ promise }) =>
      async (tasks) => {
        const queue = new promise.WorkQueue<number>()
        const make = (): AsyncIterableIterator<number> =>
          how === "toAsyncIterable" ? promise.Streaming.toAsyncIterable(queue) : queue[Symbol.asyncIterator]()
        const iterator = make()
        const asked: Array<Promise<IteratorResult<number>>> = []
        const next = () => {
          const answer = iterator.next()
          asked.push(answer)
          return answer
        }
        const one = tasks.spawn("one", next)
        const two = tasks.spawn("two", async () => [await next(), await next()])
        const producer = tasks.spawn("producer", async ({ step }) => {
          queue.tryOffer(0)
          await step("offers more")
          for (const n of [1, 2, 3, 4]) queue.tryOffer(n)
        })
        await settled<unknown>(one, two, producer)
        same(inOrder(await Promise.all(asked)), [0, 1, 2], "the items")
        const loop = tasks.spawn("loop", async () => {
          for await (const n of make()) {
            same(n, 3, "the next item")
            break
          }
        })
        const ender = tasks.spawn("ender", () => queue.end())
        await settled<unknown>(loop, ender)
        const rest: Array<number> = []
        for await (const n of make()) rest.push(n)
        same(rest, [4], "what the loop left")
        for (let i = 0; i < 2; i++) same(await iterator.next(), done, "what comes after the end")
      }
  })),
  {
    primitive,
    name: "a fiber puts items in a queue, an async function loops over it and leaves, and no item is lost",
    models: ["taskOrder", "aggressive"],
    options: { interrupt: true },
    scenario:
      ({ effect, promise }) =>
      async (tasks) => {
        const queue = effect.WorkQueue.makeUnsafe<number>()
        const view = promise.WorkQueue.from(queue)
        const got: Array<number> = []
        let offered = 0
        const reader = tasks.spawn("reader", async ({ signal }) => {
          for await (const n of promise.Streaming.toAsyncIterable(queue, { signal })) got.push(n)
        })
        const offer = atOnce(
          Effect.suspend(() => queue.offer(offered)),
          () => offered++
        )
        await settled<unknown>(tasks.fork("writer", Effect.zipRight(offer, Effect.zipRight(pause, offer))))
        view.end()
        await settled(reader)
        const left = view.shutdown()
        const all = got.concat(left)
        // Of one who is interrupted, the last offer may have been made.
        claim(
          all.length >= offered && all.length <= offered + 1,
          `${offered} were offered, ${got} came and ${left} are left`
        )
        same(all, [0, 1].slice(0, all.length), "the items")
      }
  }
]
