import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Fiber, FiberRef, Layer, Option, Schema, TestClock } from "effect"
import { DeliveryStore, DistributedQueue } from "effect-concurrency/distributed"
import * as Promises from "effect-concurrency/promise/distributed"
import * as Reports from "../../src/internal/report.js"
import { MemoryDeliveries } from "../../src/core/memoryDeliveries.js"
import { distributedQueueLaws, queueSkins } from "../laws/DistributedQueue.js"
import { sweepIsClean } from "../utils/sweep.js"

queueSkins.forEach(distributedQueueLaws)

const memory = <A, E>(self: Effect.Effect<A, E, DeliveryStore.DeliveryStore>): Effect.Effect<A, E> =>
  Effect.provide(self, DeliveryStore.layerMemory)

describe("DistributedQueue", () => {
  it.effect("items are encoded with the schema, and decoded", () =>
    memory(
      Effect.gen(function* () {
        const queue = yield* DistributedQueue.make({ name: "q", schema: Schema.Struct({ at: Schema.Date }) })
        yield* queue.offer({ at: new Date(5) })
        const store = yield* DeliveryStore.DeliveryStore
        const item = yield* Effect.scoped(Effect.map(queue.take, ({ item }) => item))
        assert.deepEqual(item, { at: new Date(5) })
        const plain = yield* DistributedQueue.makeWith(store, { name: "q" })
        const text = yield* Effect.scoped(Effect.map(plain.take, ({ item }) => item))
        assert.deepEqual(text, { at: "1970-01-01T00:00:00.005Z" })
      })
    )
  )

  it.effect(
    "what the schema does not know is a dead letter at once, with what is wrong; it is told, and the next is taken",
    () =>
      Effect.gen(function* () {
        const told: Array<Reports.Unhandled> = []
        const reporter = { report: (unhandled: Reports.Unhandled) => Effect.sync(() => void told.push(unhandled)) }
        yield* memory(
          Effect.gen(function* () {
            const store = yield* DeliveryStore.DeliveryStore
            const plain = yield* DistributedQueue.makeWith<unknown>(store, { name: "q" })
            const queue = yield* DistributedQueue.makeWith(store, { name: "q", schema: Schema.Number })
            yield* plain.offerAll(["no number", 7])
            const item = yield* Effect.scoped(
              Effect.flatMap(queue.take, ({ acknowledge, item }) => Effect.as(acknowledge, item))
            )
            assert.strictEqual(item, 7)
            const [letter] = yield* queue.deadLetters.list()
            assert.match(letter!.reason, /^it cannot be decoded: .*Expected number/)
            assert.deepEqual(letter!.item, Option.none())
            assert.strictEqual(letter!.payload, '"no number"')
            assert.deepEqual((yield* plain.deadLetters.list())[0]!.item, Option.some("no number"))
            yield* Effect.yieldNow()
          })
        ).pipe(Effect.provideService(Reports.Reporter, reporter))
        assert.strictEqual(told.length, 1)
        assert.match(told[0]!.message, /dead letter.*Expected number/s)
      })
  )

  it.effect("an item that the schema refuses, or that has no text, is a defect of whoever offers it", () =>
    memory(
      Effect.gen(function* () {
        const positive = yield* DistributedQueue.make({ name: "q", schema: Schema.Positive })
        const plain = yield* DistributedQueue.make({ name: "q" })
        const offers: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
          positive.offer(-1),
          plain.offer(undefined),
          plain.offerAll([1, () => {}])
        ]
        for (const offer of offers) {
          const exit = yield* Effect.exit(offer)
          assert.isTrue(Exit.isFailure(exit) && Cause.isDie(exit.cause))
        }
        assert.strictEqual((yield* plain.size).ready, 0)
      })
    )
  )

  it.effect("bad input is refused before anything is asked", () =>
    memory(
      Effect.gen(function* () {
        const dies = (
          self: Effect.Effect<unknown, unknown, DeliveryStore.DeliveryStore>,
          error: unknown,
          text: RegExp
        ) =>
          Effect.map(Effect.exit(self), (exit) => {
            const defect = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
            assert.instanceOf(defect, error as ErrorConstructor)
            assert.match((defect as Error).message, text)
          })
        const { make } = DistributedQueue
        yield* dies(make({ name: 3 as any }), TypeError, /DistributedQueue\.make: name must be a string/)
        yield* dies(make({ name: "x".repeat(1001) }), RangeError, /1000 characters/)
        yield* dies(make({ name: "" }), RangeError, /of 1 to 1000 characters/)
        yield* dies(make({ name: "q", lease: 99 }), RangeError, /lease/)
        yield* dies(make({ name: "q", lease: "2 days" }), RangeError, /lease/)
        yield* dies(make({ name: "q", attempts: 0 }), RangeError, /attempts/)
        yield* dies(make({ name: "q", poll: 1 }), RangeError, /poll/)
        yield* dies(make({ name: "q", remember: -1 }), RangeError, /remember/)
        yield* dies(make({ name: "q", retry: { factor: 0 } }), RangeError, /factor/)
        yield* dies(make({ name: "q", schema: {} as any }), TypeError, /schema/)
        const queue = yield* make({ name: "q" })
        yield* dies(queue.offer(1, { id: "" }), RangeError, /id must be a string of 1 to 512 characters/)
        yield* dies(queue.offer(1, { id: 5 as any }), TypeError, /id/)
        yield* dies(queue.offerAll(5 as any), TypeError, /items/)
        yield* dies(queue.consume(5 as any), TypeError, /handler/)
        yield* dies(
          queue.consume(() => Effect.void, { concurrency: 0 }),
          RangeError,
          /concurrency/
        )
        yield* dies(queue.deadLetters.list({ limit: 0 }), RangeError, /limit/)
        yield* dies(queue.deadLetters.purge("abc"), TypeError, /ids/)
      })
    )
  )

  it.effect("a delivery that is raced with its work: lost ends the race, and never otherwise", () =>
    Effect.gen(function* () {
      const store = new MemoryDeliveries({ now: () => 0 })
      let isDown = false
      const shape = Effect.map(DeliveryStore.makeMemory, (memory): DeliveryStore.DeliveryStoreShape => ({
        ...memory,
        exchange: (request) =>
          isDown
            ? Effect.fail(new DeliveryStore.StoreError("down", { reason: "connection" }))
            : memory.exchange(request)
      }))
      const queue = yield* DistributedQueue.makeWith<number>(yield* shape, { name: "q", lease: 300 })
      yield* queue.offer(1)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { lost } = yield* queue.take
          const race = yield* Effect.fork(Effect.raceFirst(Effect.never, lost))
          yield* TestClock.adjust(1000)
          assert.isNull(race.unsafePoll())
          isDown = true
          yield* TestClock.adjust(300)
          const exit = yield* race.await
          assert.isTrue(Exit.isFailure(exit) && Cause.squash(exit.cause) instanceof DistributedQueue.LeaseLost)
          isDown = false
        })
      )
      assert.strictEqual(store.size, 0)
    }).pipe(Effect.provideService(Reports.Reporter, { report: () => Effect.void }))
  )

  it.effect("a handler has what its caller has, and what it sets in a FiberRef is there afterwards", () =>
    memory(
      Effect.gen(function* () {
        class Name extends Context.Tag("Name")<Name, string>() {}
        const ref = FiberRef.unsafeMake("before")
        const queue = yield* DistributedQueue.make({ name: "q" })
        yield* queue.offer(1)
        const seen: Array<string> = []
        const worker = yield* Effect.fork(
          Effect.provideService(
            queue.consume(() =>
              Effect.gen(function* () {
                seen.push(yield* Name, yield* FiberRef.get(ref))
                yield* FiberRef.set(ref, "inside")
              })
            ),
            Name,
            "ada"
          ).pipe(Effect.locally(ref, "caller"))
        )
        yield* queue.join
        yield* Fiber.interrupt(worker)
        assert.deepEqual(seen, ["ada", "caller"])
      })
    )
  )

  it.effect("a service, with its accessors", () => {
    class Jobs extends DistributedQueue.Service<Jobs>()("test/Jobs", { name: "jobs", schema: Schema.Number }) {}
    return Effect.gen(function* () {
      yield* Jobs.offer(1, { id: "one" })
      yield* Jobs.offerAll([2, 3])
      const sum = { of: 0 }
      const worker = yield* Effect.fork(Jobs.consume((n) => Effect.sync(() => (sum.of += n)), { concurrency: 2 }))
      yield* Jobs.join
      yield* Fiber.interrupt(worker)
      assert.strictEqual(sum.of, 6)
      assert.deepEqual(yield* Jobs.size, { ready: 0, delayed: 0, leased: 0, dead: 0 })
      assert.deepEqual(yield* Jobs.stats, { waiting: 0, held: 0, settling: 0 })
    }).pipe(Effect.provide(Layer.provide(Jobs.layer, DeliveryStore.layerMemory)))
  })
})

describe("interrupted at each of its operations", () => {
  const setup = () => {
    const store = Effect.runSync(DeliveryStore.makeMemory)
    const queue = Effect.runSync(DistributedQueue.makeWith<number>(store, { name: "q" }))
    return { store, queue, done: [] as Array<number> }
  }
  type State = ReturnType<typeof setup>
  const counts = ({ store }: State) => Effect.runSync(store.counts("q"))
  const stats = ({ queue }: State) => Effect.runSync(queue.stats)

  it("take loses nothing: the item is done, or ready, and nobody holds it", async () => {
    await sweepIsClean({
      setup,
      victim: ({ done, queue }) =>
        Effect.scoped(
          Effect.flatMap(queue.take, ({ acknowledge, item }) =>
            Effect.uninterruptible(Effect.map(acknowledge, () => void done.push(item)))
          )
        ),
      meanwhile: ({ queue }) => queue.offer(1),
      verify: (state) => {
        const { leased, ready } = counts(state)
        assert.strictEqual(leased, 0, "leased")
        assert.strictEqual(ready + state.done.length, 1, "ready, or done")
        assert.deepEqual(stats(state), { waiting: 0, held: 0, settling: 0 })
      }
    })
  })

  it("consume hands back what is not done, before it ends", async () => {
    await sweepIsClean({
      setup: () => {
        const { store } = setup()
        const done: Array<number> = []
        // It ends by itself when the store makes no sense any more.
        const ending: DeliveryStore.DeliveryStoreShape = {
          ...store,
          exchange: (request) =>
            done.length === 2 && request.settle.length === 0
              ? Effect.fail(new DeliveryStore.StoreError("over", { reason: "wrong type" }))
              : store.exchange(request)
        }
        const queue = Effect.runSync(DistributedQueue.makeWith<number>(ending, { name: "q" }))
        const items = [1, 2].map((n) => ({ id: `${n}`, payload: `${n}`, named: true }))
        Effect.runSync(store.offer({ name: "q", items }))
        return { store, queue, done }
      },
      victim: ({ done, queue }) =>
        queue.consume((n) =>
          Effect.zipRight(
            Effect.yieldNow(),
            Effect.sync(() => void done.push(n))
          )
        ),
      // Once it sleeps, it hears of something.
      meanwhile: ({ done, queue }) =>
        Effect.when(queue.offer(3), () => done.length === 2).pipe(Effect.zipRight(Effect.sleep(5))),
      verify: (state) => {
        const { leased, ready } = counts(state)
        assert.strictEqual(leased, 0, "leased")
        assert.strictEqual(ready + state.done.length, state.done.length === 2 ? 3 : 2, "ready, or done")
        assert.deepInclude(stats(state), { waiting: 0, held: 0 })
      }
    })
  })

  it("join leaves nothing behind", async () => {
    await sweepIsClean({
      setup,
      victim: ({ queue }) => Effect.zipRight(queue.offer(1), queue.join),
      meanwhile: ({ queue }) =>
        Effect.scoped(Effect.flatMap(queue.take, ({ acknowledge }) => acknowledge)).pipe(
          Effect.timeout(20),
          Effect.ignore
        ),
      verify: (state) => {
        assert.deepEqual(stats(state), { waiting: 0, held: 0, settling: 0 })
      }
    })
  })
})

/** The methods of an instance, as properties. */
const methods = (store: Promises.DeliveryStore): Promises.DeliveryStore => ({
  offer: (request) => store.offer(request),
  exchange: (request) => store.exchange(request),
  counts: (name) => store.counts(name),
  deadLetters: (name, limit) => store.deadLetters(name, limit),
  requeue: (request) => store.requeue(request),
  purge: (request) => store.purge(request),
  watch: (name, changed) => store.watch(name, changed)
})

describe("DistributedQueue for promises", () => {
  const open = (options: Partial<Promises.DistributedQueueOptions<any>> = {}) =>
    new Promises.DistributedQueue<any>(Promises.deliveryStoreMemory(), { name: "q", ...options })
  const failure = (promise: Promise<unknown>) =>
    promise.then(
      () => undefined,
      (error: unknown) => error
    )

  it("an offer whose store does not answer can be left", async () => {
    const store = { ...methods(Promises.deliveryStoreMemory()), offer: () => new Promise<never>(() => {}) }
    const queue = new Promises.DistributedQueue<number>(store, { name: "q" })
    const late = (await failure(queue.offer(1, { timeout: 5 }))) as DOMException
    assert.strictEqual(late.name, "TimeoutError")
    const end = new AbortController()
    const offered = failure(queue.offerAll([1], { signal: end.signal }))
    end.abort("why")
    assert.strictEqual(await offered, "why")
  })

  it("a handler that interrupts itself ends the consumption, and its item goes back", () =>
    Effect.gen(function* () {
      const queue = yield* DistributedQueue.make({ name: "q" })
      yield* queue.offer(1)
      const exit = yield* Effect.exit(queue.consume(() => Effect.interrupt, { concurrency: 2 }))
      assert.isTrue(Exit.isInterrupted(exit))
      assert.strictEqual((yield* queue.size).ready, 1)
    }).pipe(memory, Effect.runPromise))

  it("a codec of one's own, which may be asynchronous", async () => {
    const queue = open({
      codec: { encode: async (n: number) => `<${n}>`, decode: async (text: string) => Number(text.slice(1, -1)) }
    })
    await queue.offer(5)
    const delivery = await queue.take()
    assert.strictEqual(delivery.item, 5)
    await delivery.acknowledge()
    const refuses = open({ codec: { encode: () => 5 as any, decode: () => 0 } })
    assert.instanceOf(await failure(refuses.offer(1)), TypeError)
  })

  it("is given back at the end of a block, if it was not settled", async () => {
    const queue = open()
    await queue.offer("a")
    const delivery = await queue.take()
    await delivery[Symbol.asyncDispose]()
    assert.deepEqual(await queue.size(), { ready: 1, delayed: 0, leased: 0, dead: 0 })
    const again = await queue.take()
    await again.acknowledge()
    await again[Symbol.asyncDispose]()
    assert.deepEqual(await queue.size(), { ready: 0, delayed: 0, leased: 0, dead: 0 })
  })

  it("a signal that has aborted starts nothing, and a timeout ends a wait; nothing is left", async () => {
    const queue = open()
    const aborted = AbortSignal.abort("why")
    assert.strictEqual(await failure(queue.offer(1, { signal: aborted })), "why")
    assert.strictEqual(await failure(queue.offerAll([1], { signal: aborted })), "why")
    assert.strictEqual((await queue.size()).ready, 0)
    assert.strictEqual(await failure(queue.take({ signal: aborted })), "why")
    assert.strictEqual(await failure(queue.join({ signal: aborted })), "why")
    assert.strictEqual(await failure(queue.consume(() => assert.fail(), { signal: aborted })), "why")
    const late = (await failure(queue.take({ timeout: 5 }))) as DOMException
    assert.strictEqual(late.name, "TimeoutError")
    assert.deepEqual(queue.stats(), { waiting: 0, held: 0, settling: 0 })
  })

  it("bad input is refused", async () => {
    assert.throws(() => new Promises.DistributedQueue({} as any, { name: "q" }), /store\.offer must be a function/)
    assert.throws(() => open({ lease: 50 }), RangeError)
    assert.throws(() => open({ codec: {} as any }), /codec\.encode/)
    const queue = open()
    assert.instanceOf(await failure(queue.offer(undefined)), TypeError)
    assert.instanceOf(await failure(queue.offer(1, { id: "" })), RangeError)
    assert.instanceOf(await failure(queue.offerAll(1 as any)), TypeError)
    assert.instanceOf(await failure(queue.consume(1 as any)), TypeError)
    assert.instanceOf(await failure(queue.consume(() => {}, { concurrency: 1.5 })), RangeError)
    assert.instanceOf(await failure(queue.deadLetters({ limit: 0 })), RangeError)
    assert.instanceOf(await failure(queue.purge("abc")), TypeError)
    assert.throws(() => Promises.DistributedQueue.from({} as any), /a DistributedQueue/)
  })

  it("a handler keeps the AsyncLocalStorage of whoever consumes", async () => {
    const { AsyncLocalStorage } = await import("node:async_hooks")
    const storage = new AsyncLocalStorage<string>()
    const queue = open()
    const end = new AbortController()
    const seen: Array<unknown> = []
    const worker = storage.run("consumer", () =>
      failure(queue.consume(() => seen.push(storage.getStore()), { signal: end.signal }))
    )
    await storage.run("producer", () => queue.offerAll([1, 2]))
    await queue.join()
    end.abort()
    await worker
    assert.deepEqual(seen, ["consumer", "consumer"])
  })
})
