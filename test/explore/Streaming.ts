import { Effect, Exit, Stream } from "effect"
import type { Explored, Library } from "./scenario.js"
import { atOnce, claim, ended, fork, pause, same, settled } from "./tools.js"

const primitive = "Streaming"

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
  {
    primitive,
    name: "next, and return meanwhile: both settle, and the finalizers have run",
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, results } = make(library, 2, {})
        const iterable = yield* library.effect.Streaming.toAsyncIterable(results)
        const iterator = iterable[Symbol.asyncIterator]()
        const next = yield* fork(
          "next",
          Effect.promise(() => iterator.next())
        )
        const second = yield* fork(
          "second",
          Effect.promise(() => iterator.next())
        )
        const leave = yield* fork(
          "return",
          Effect.zipRight(
            pause,
            Effect.promise(() => iterator.return())
          )
        )
        yield* ended<unknown>(next, second, leave)
        atRest()
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
