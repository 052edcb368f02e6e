import { Effect, Logger, LogLevel } from "effect"
import type { DeliveryStore, DistributedQueue } from "effect-concurrency/distributed"
import { MemoryDeliveries } from "../../src/core/memoryDeliveries.js"
import type { Explored, Library } from "./scenario.js"
import { atOnce, claim, ended, fork, pause, same, settled } from "./tools.js"

const primitive = "DistributedQueue"

/**
 * A store that is away a while, before it does what it is asked and after that. It answers as many questions as it is to before it loses
 * one.
 */
class SlowStore implements DeliveryStore.DeliveryStoreShape {
  readonly memory = new MemoryDeliveries({ now: () => performance.now() })
  /** Which exchanges it never hears of, and of which nobody hears its answer. */
  unheard: ReadonlyArray<number> = []
  lost: ReadonlyArray<number> = []
  private exchanges = 0

  /** The library's own, so that it is known there. */
  constructor(private readonly StoreError: typeof DeliveryStore.StoreError) {}

  /** The most that was leased. */
  most = 0
  watchers = 0

  private readonly ask = <A>(f: () => A): Effect.Effect<A, DeliveryStore.StoreError> =>
    Effect.zipLeft(
      Effect.flatMap(pause, () => Effect.sync(f)),
      pause
    )

  readonly offer: DeliveryStore.DeliveryStoreShape["offer"] = (request) => this.ask(() => this.memory.offer(request))
  readonly exchange: DeliveryStore.DeliveryStoreShape["exchange"] = (request) =>
    Effect.suspend(() => {
      const number = this.exchanges++
      const failed = Effect.fail(new this.StoreError("lost", { reason: "connection" }))
      if (this.unheard.includes(number)) return Effect.zipRight(pause, failed)
      const asked = this.ask(() => {
        const answer = this.memory.exchange(request)
        this.most = Math.max(this.most, this.memory.counts("q").leased)
        return answer
      })
      return this.lost.includes(number) ? Effect.zipRight(asked, failed) : asked
    })
  readonly counts: DeliveryStore.DeliveryStoreShape["counts"] = (name) => this.ask(() => this.memory.counts(name))
  readonly deadLetters: DeliveryStore.DeliveryStoreShape["deadLetters"] = (name, limit) =>
    this.ask(() => this.memory.deadLetters(name, limit))
  readonly requeue: DeliveryStore.DeliveryStoreShape["requeue"] = (request) =>
    this.ask(() => this.memory.requeue(request))
  readonly purge: DeliveryStore.DeliveryStoreShape["purge"] = (request) => this.ask(() => this.memory.purge(request))
  readonly watch: DeliveryStore.DeliveryStoreShape["watch"] = (name, changed) =>
    Effect.asVoid(
      Effect.acquireRelease(
        this.ask(() => {
          this.watchers++
          return this.memory.watch(name, changed)
        }),
        (stop) =>
          Effect.sync(() => {
            this.watchers--
            stop()
          })
      )
    )

  put(...ids: ReadonlyArray<string>): void {
    this.memory.offer({ name: "q", items: ids.map((id) => ({ id, payload: JSON.stringify(id), named: true })) })
  }
}

/** What was done, by the ids of the items. */
class Log {
  readonly done: Array<string> = []
  running = 0

  readonly handle = (id: string): Effect.Effect<void> =>
    Effect.zipRight(
      pause,
      Effect.sync(() => void this.done.push(id))
    )
}

const options = { name: "q", lease: 10_000, poll: 100, remember: 0, retry: { base: 1, jitter: "none" } } as const

const make = ({ distributed, promiseDistributed }: Library) => {
  const store = new SlowStore(distributed.DeliveryStore.StoreError)
  return Effect.map(distributed.DistributedQueue.makeWith<string>(store, options), (queue) => ({
    queue,
    store,
    view: promiseDistributed.DistributedQueue.from(queue),
    log: new Log()
    // What is reported is not looked at here.
  })).pipe(Logger.withMinimumLogLevel(LogLevel.None))
}

type Made = Effect.Effect.Success<ReturnType<typeof make>>

/**
 * What is on its way comes to the store, and its answer back; and then nothing goes on. Each question, each answer, and each end of a watch may be
 * held up, so one wait is not enough. (An answer that delivers to one who has gone is in no stats: only the store knows of it.) All waits together
 * take less than a lease: what would only come back by the end of one is found.
 */
const nothingGoesOn = ({ store, view }: Made) =>
  Effect.gen(function* () {
    const isOver = () => view.stats().settling === 0 && store.memory.counts("q").leased === 0 && store.watchers === 0
    yield* Effect.repeat(Effect.sleep(1000), { until: isOver, times: 8 })
    same(view.stats(), { waiting: 0, held: 0, settling: 0 }, "stats")
    same(store.watchers, 0, "watchers")
  })

/** In the end each item is done, or can be taken, and nothing goes on. */
const comesToRest = (made: Made, offered: number) =>
  Effect.gen(function* () {
    const { log, store } = made
    const begin = performance.now()
    yield* nothingGoesOn(made)
    // If nobody was held up, no lease had to end.
    if (begin < 1000) same(store.memory.counts("q").leased, 0, "leased")
    yield* Effect.sleep(options.lease)
    const take = Array.from({ length: offered + 1 }, (_, i) => `rest ${i}`)
    const rest = store.memory.exchange({ ...options, settle: [], renew: [], take, attempts: 9 }).taken
    same([...log.done, ...rest.map(({ id }) => id)].length, offered, "done, or to be had")
    same(new Set([...log.done, ...rest.map(({ id }) => id)]).size, offered, "done, or to be had, each once")
  })

/** Takes one and acknowledges it. Who is held up for longer than a lease has it no more: then somebody else does it. */
const takeOne = ({ log, queue }: { readonly log: Log; readonly queue: DistributedQueue.DistributedQueue<string> }) =>
  Effect.scoped(
    Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(restore(queue.take), ({ acknowledge, id }) =>
        Effect.catchTag(
          atOnce(acknowledge, () => void log.done.push(id)),
          "LeaseLost",
          () => Effect.void
        )
      )
    )
  ).pipe(Logger.withMinimumLogLevel(LogLevel.None))

export const scenarios: ReadonlyArray<Explored> = [
  {
    primitive,
    name: "no item is lost or done twice, whoever is interrupted, also in the tick of a delivery",
    options: { interrupt: true },
    scenario: (library) =>
      Effect.gen(function* () {
        const made = yield* make(library)
        made.store.put("1", "2")
        const a = yield* fork("a", takeOne(made))
        const b = yield* fork("b", takeOne(made))
        yield* ended<unknown>(a, b)
        yield* comesToRest(made, 2)
      })
  },
  {
    primitive,
    name: "whoever waits is given what is offered then, and a taker who is gone leaves it to the next",
    options: { interrupt: ["a"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const made = yield* make(library)
        const { queue } = made
        const a = yield* fork("a", takeOne(made))
        const b = yield* fork("b", takeOne(made))
        const offers = yield* fork("offers", queue.offerAll(["x", "y"]))
        yield* ended<unknown>(a, b, offers)
        yield* comesToRest(made, 2)
      })
  },
  {
    primitive,
    name: "a consumer that is interrupted hands back what is not done, and another does it; each once, and no more leased than hands",
    // In the others, who is held up for longer than a lease has it no more, and somebody else does it as well.
    models: ["taskOrder"],
    options: { interrupt: ["a"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const made = yield* make(library)
        const { log, queue, store } = made
        store.put("1", "2", "3")
        const a = yield* fork("a", queue.consume(log.handle))
        const b = yield* fork("b", queue.consume(log.handle))
        yield* queue.join
        yield* a.interruptAsFork(a.id())
        yield* b.interruptAsFork(b.id())
        yield* ended<unknown>(a, b)
        claim(store.most <= 2, `${store.most} were leased`)
        same(log.done.toSorted(), ["1", "2", "3"], "done")
        yield* comesToRest(made, 3)
      })
  },
  {
    primitive,
    name: "when a question is lost, or its answer, nothing of it is: what it delivered comes back at once, and what it settled is settled",
    models: ["taskOrder"],
    options: { interrupt: ["a"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const made = yield* make(library)
        const { log, queue, store } = made
        store.lost = [0, 4]
        store.unheard = [2]
        store.put("1", "2")
        const a = yield* fork("a", queue.consume(log.handle))
        const b = yield* fork("b", queue.consume(log.handle))
        yield* queue.join
        claim(performance.now() < options.lease / 2, "a lease had to end")
        yield* a.interruptAsFork(a.id())
        yield* b.interruptAsFork(b.id())
        yield* ended<unknown>(a, b)
        yield* comesToRest(made, 2)
      })
  },
  {
    primitive,
    name: "every item is done at least once, however long a consumer is held up, and whoever is interrupted; consumers end, and join does",
    options: { interrupt: ["a"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const made = yield* make(library)
        const { log, queue, store } = made
        store.put("1", "2")
        const a = yield* fork("a", queue.consume(log.handle))
        const b = yield* fork("b", queue.consume(log.handle))
        yield* queue.join
        same([...new Set(log.done)].toSorted(), ["1", "2"], "done")
        yield* a.interruptAsFork(a.id())
        yield* b.interruptAsFork(b.id())
        yield* ended<unknown>(a, b)
        yield* nothingGoesOn(made)
        same(store.memory.size, 0, "names in the store")
      }).pipe(Logger.withMinimumLogLevel(LogLevel.None))
  },
  {
    primitive,
    name: "a handler that fails has its item come again, in its turn, and join waits for that",
    models: ["taskOrder"],
    options: { interrupt: ["other"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const made = yield* make(library)
        const { log, queue, store } = made
        store.put("1", "2")
        const attempts: Array<number> = []
        const worker = yield* fork(
          "worker",
          queue.consume((id, { attempt }) => {
            if (id === "1") attempts.push(attempt)
            return id === "1" && attempt === 1 ? Effect.fail("no") : log.handle(id)
          })
        )
        const other = yield* fork("other", queue.join)
        yield* queue.join
        same(attempts, [1, 2], "attempts")
        yield* worker.interruptAsFork(worker.id())
        yield* ended<unknown>(worker, other)
        yield* comesToRest(made, 2)
      })
  },
  {
    primitive,
    name: "promises: consume does each item once, and hands back what is not done, whoever is aborted",
    models: ["taskOrder"],
    options: { interrupt: ["a"] },
    scenario:
      ({ promiseDistributed: { deliveryStoreMemory, DistributedQueue } }) =>
      async (tasks) => {
        const queue = new DistributedQueue<string>(deliveryStoreMemory(), options)
        await queue.offerAll(["1", "2", "3"])
        const done: Array<string> = []
        const end = new AbortController()
        const consumer = (name: string) =>
          tasks.spawn(name, ({ signal, step }) => {
            const either = new AbortController()
            const abort = () => either.abort(signal.reason)
            signal.addEventListener("abort", abort)
            end.signal.addEventListener("abort", abort)
            // All is done, perhaps, before it has begun.
            if (end.signal.aborted) abort()
            return queue
              .consume(
                async (item, context) => {
                  // Whoever is interrupted never comes to its next step.
                  await new Promise<void>((resolve, reject) => {
                    context.signal.addEventListener("abort", () => reject(context.signal.reason))
                    step("inside").then(resolve, reject)
                  })
                  done.push(item)
                },
                { signal: either.signal }
              )
              .catch(() => {})
          })
        const [a, b] = [consumer("a"), consumer("b")]
        await queue.join()
        end.abort()
        await settled(a!, b!)
        same(done.toSorted(), ["1", "2", "3"], "done")
        same(queue.stats(), { waiting: 0, held: 0, settling: 0 }, "stats")
      }
  },
  {
    primitive,
    name: "a fiber and an async function take from one line, and no item is lost, whoever is interrupted",
    models: ["taskOrder", "aggressive"],
    options: { interrupt: ["fiber", "task"] },
    scenario: (library) => async (tasks) => {
      let made: Made | undefined
      await settled(
        tasks.fork(
          "begin",
          Effect.map(make(library), (it) => void (made = it))
        )
      )
      if (made === undefined) return
      const all = made
      const { log, store, view } = all
      store.put("1", "2")
      const fiber = tasks.fork("fiber", takeOne(all))
      const task = tasks.spawn("task", async ({ signal }) => {
        const delivery = await view.take({ signal })
        await delivery.acknowledge().then(
          () => log.done.push(delivery.id),
          () => {}
        )
      })
      await settled<unknown>(fiber, task)
      await tasks.fork("rest", Effect.uninterruptible(comesToRest(all, 2)))
    }
  }
]
