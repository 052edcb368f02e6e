import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  Chunk,
  Config,
  ConfigProvider,
  Deferred,
  Effect,
  Exit,
  Fiber,
  Layer,
  Logger,
  Option,
  Order,
  Stream
} from "effect"
import { WorkQueue } from "effect-concurrency"
import { settle, skins } from "./laws/skins.js"
import { workQueueLaws } from "./laws/WorkQueue.js"
import { sweepIsClean } from "./utils/sweep.js"

for (const skin of skins) workQueueLaws(skin)

/** Numbers and strings rather than the literals that were passed. */
type Widen<A> = A extends number ? number : A extends string ? string : A

const filled = <A>(options: WorkQueue.Options<Widen<A>>, ...items: Array<A>): WorkQueue.WorkQueue<Widen<A>, string> => {
  const queue = WorkQueue.makeUnsafe<any, string>(options as WorkQueue.Options<any>)
  for (const item of items) Effect.runSync(queue.tryOffer(item))
  return queue
}

/** What is in it, which is thereby taken. */
const rest = <A>(queue: WorkQueue.WorkQueue<A, any, any>): Array<A> => {
  const items: Array<A> = []
  while (Effect.runSync(queue.size) > 0) items.push(Option.getOrThrow(Effect.runSync(queue.tryTake)))
  return items
}

const stats = (queue: { readonly stats: Effect.Effect<WorkQueue.Stats> }): WorkQueue.Stats =>
  Effect.runSync(queue.stats)

const defectOf = (exit: Exit.Exit<unknown, unknown>): unknown => {
  if (Exit.isSuccess(exit)) throw new Error("it succeeded")
  return Option.getOrThrowWith(Cause.dieOption(exit.cause), () => new Error(`no defect: ${Cause.pretty(exit.cause)}`))
}

const failuresOf = <E>(exit: Exit.Exit<unknown, E>): Array<E> =>
  Exit.isSuccess(exit) ? [] : [...Cause.failures(exit.cause)]

describe("WorkQueue: interrupted at any operation", () => {
  type State = { readonly queue: WorkQueue.WorkQueue<number, string>; readonly reached: Array<number> }

  const takers: Record<string, (state: State) => Effect.Effect<unknown, unknown>> = {
    take: ({ queue, reached }) => Effect.flatMap(queue.take, (item) => Effect.succeed(void reached.push(item))),
    "takeUpTo(2)": ({ queue, reached }) =>
      Effect.flatMap(queue.takeUpTo(2), (items) => Effect.succeed(void reached.push(...items))),
    takeAll: ({ queue, reached }) =>
      Effect.flatMap(queue.takeAll, (items) => Effect.succeed(void reached.push(...items))),
    tryTake: ({ queue, reached }) =>
      Effect.flatMap(queue.tryTake, (item) => Effect.succeed(void reached.push(...Option.toArray(item)))),
    "stream, one item,": ({ queue, reached }) =>
      Stream.runForEach(Stream.take(queue.stream, 1), (item) => Effect.sync(() => void reached.push(item))),
    "stream, with a yield at each item,": ({ queue, reached }) =>
      Stream.runForEach(Stream.take(queue.stream, 2), (item) =>
        Effect.zipRight(
          Effect.sync(() => void reached.push(item)),
          Effect.yieldNow()
        )
      )
  }

  for (const order of ["fifo", "lifo", Order.number] as const) {
    for (const [name, victim] of Object.entries(takers)) {
      for (const waits of [false, true]) {
        if (waits && name === "tryTake") continue
        const orderName = typeof order === "string" ? order : "an order"
        it(`${name} ${waits ? "that has to wait " : ""}has taken nothing, or reaches the next step (${orderName})`, () =>
          sweepIsClean({
            setup: (): State => ({ queue: waits ? filled({ order }) : filled({ order }, 1, 2, 3), reached: [] }),
            victim,
            meanwhile: ({ queue }) => (waits ? queue.offerAll([1, 2, 3]) : Effect.void),
            verify: ({ queue, reached }) => {
              const { inUse, takers, unfinished } = stats(queue)
              const left = rest(queue)
              const all = [...reached, ...left].sort((a, b) => a - b)
              if (all.join() !== "1,2,3") return `reached ${reached}, left ${left}`
              if (inUse !== reached.length || unfinished !== 3 || takers !== 0)
                return `in use ${inUse}, of ${unfinished}`
              const inOrder = [...left].sort((a, b) => (order === "lifo" ? b - a : a - b))
              return left.join() === inOrder.join() ? undefined : `out of order: ${left}`
            }
          }))
      }
    }
  }

  for (const concurrency of [1, 3]) {
    for (const waits of [false, true]) {
      it(`consume ${waits ? "that has to wait " : ""}has done an item or leaves it (${concurrency} at a time)`, () =>
        sweepIsClean({
          setup: () => ({ queue: waits ? filled<number>({}) : filled({}, 1, 2, 3), done: [] as Array<number> }),
          victim: ({ done, queue }) =>
            queue.consume(
              (item) =>
                Effect.zipRight(
                  Effect.yieldNow(),
                  Effect.sync(() => void done.push(item))
                ),
              {
                concurrency
              }
            ),
          meanwhile: ({ queue }) => Effect.zipRight(waits ? queue.offerAll([1, 2, 3]) : Effect.void, queue.end),
          verify: ({ done, queue }) => {
            const { inUse, takers, unfinished } = stats(queue)
            const left = rest(queue)
            if (inUse !== 0 || takers !== 0 || unfinished !== left.length) return `in use ${inUse}, of ${unfinished}`
            // Interrupted after the handler's last step, it may have done an item that stays: at least once.
            const all = new Set([...done, ...left])
            if (all.size !== 3 || new Set(done).size !== done.length) return `done ${done}, left ${left}`
            return [...left].sort((a, b) => a - b).join() === left.join() ? undefined : `out of order: ${left}`
          }
        }))
    }
  }

  it("offer puts its item in once or not", () =>
    sweepIsClean({
      setup: () => filled<number>({ capacity: 1 }),
      victim: (queue) => Effect.zipRight(queue.offer(1), Effect.yieldNow()),
      verify: (queue, exit) => {
        const { unfinished } = stats(queue)
        const left = rest(queue)
        if (left.length !== unfinished || left.length > 1) return `left ${left}, unfinished ${unfinished}`
        return Exit.isSuccess(exit) && left.length !== 1 ? "it is lost" : undefined
      }
    }))

  it("offer that has to wait puts its item in once or not, and leaves no ghost", () =>
    sweepIsClean({
      setup: () => filled({ capacity: 1 }, 0),
      victim: (queue) => Effect.zipRight(queue.offer(1), Effect.yieldNow()),
      meanwhile: (queue) => queue.take,
      verify: (queue, exit) => {
        const { offerers, unfinished } = stats(queue)
        const left = rest(queue)
        if (left.length + 1 !== unfinished || left.length > 1) return `left ${left}, unfinished ${unfinished}`
        if (offerers > 0) return "it still waits"
        return Exit.isSuccess(exit) && left.length !== 1 ? "it is lost" : undefined
      }
    }))

  for (const waits of [false, true]) {
    it(`offerAll ${waits ? "that has to wait " : ""}puts in the first of its items, and leaves no ghost`, () =>
      sweepIsClean({
        setup: () => filled({ capacity: waits ? 2 : 4 }, 0),
        victim: (queue) => Effect.zipRight(queue.offerAll([1, 2, 3]), Effect.yieldNow()),
        meanwhile: (queue) => (waits ? Effect.zipRight(queue.tryTake, queue.tryTake) : Effect.void),
        verify: (queue, exit) => {
          const { offerers, unfinished } = stats(queue)
          const before = unfinished - stats(queue).size
          const left = rest(queue)
          if (offerers > 0) return "it still waits"
          const came = waits ? [0, 1, 2, 3].slice(before) : [0, 1, 2, 3]
          if (came.slice(0, left.length).join() !== left.join()) return `left ${left}`
          return Exit.isSuccess(exit) && left.length !== came.length ? "part is lost" : undefined
        }
      }))
  }

  it("join leaves no ghost", () =>
    sweepIsClean({
      setup: () => filled({}, 1),
      victim: (queue) => Effect.zipRight(queue.join, Effect.yieldNow()),
      meanwhile: (queue) => Effect.zipRight(queue.take, queue.taskDone),
      verify: (queue) => {
        const next = Effect.runFork(queue.join).unsafePoll()
        return next !== null && Exit.isSuccess(next) && stats(queue).unfinished === 0
          ? undefined
          : "it is not at its end"
      }
    }))
})

describe("WorkQueue.consume (Effect)", () => {
  it("asks onFailure with the error and the item, and does what it says", async () => {
    const queue = filled({}, 1, 2, 3)
    const asked: Array<[string, number]> = []
    const seen: Array<number> = []
    const exit = await Effect.runPromiseExit(
      queue.consume(
        (item) => {
          seen.push(item)
          return seen.length < 4 ? Effect.fail(`no ${item}`) : Effect.void
        },
        {
          onFailure: (error, item) => {
            asked.push([error, item])
            return item === 1 ? "drop" : item === 2 ? "requeue" : "fail"
          }
        }
      )
    )
    assert.deepEqual(exit, Exit.fail("no 3"))
    assert.deepEqual(asked, [
      ["no 1", 1],
      ["no 2", 2],
      ["no 3", 3]
    ])
    assert.deepEqual(rest(queue), [3, 2])
    assert.strictEqual(stats(queue).unfinished, 2)
  })

  it("with an onFailure that throws fails with the handler's error and what it threw, and keeps the item", async () => {
    const queue = filled({}, 1, 2)
    const error = new Error("cannot choose")
    const exit = await Effect.runPromiseExit(
      queue.consume(() => Effect.fail("bad item"), {
        onFailure: () => {
          throw error
        }
      })
    )
    assert.deepEqual(exit, Exit.failCause(Cause.sequential(Cause.fail("bad item"), Cause.die(error))))
    assert.deepEqual([stats(queue).inUse, stats(queue).unfinished], [0, 2])
    assert.deepEqual(rest(queue), [1, 2])
  })

  it("with an onFailure that answers nonsense says so beside the handler's error, and keeps the item at the head", async () => {
    for (const [answer, got] of [
      ["retry", '"retry"'],
      [undefined, "undefined"],
      [0, "0"]
    ] as const) {
      const queue = filled({}, 1, 2)
      const exit = await Effect.runPromiseExit(
        queue.consume(() => Effect.fail("bad item"), { onFailure: () => answer as never })
      )
      assert.strictEqual(
        (defectOf(exit) as Error).message,
        `WorkQueue.consume: onFailure must be one of "fail", "requeue", "drop", got ${got}`
      )
      assert.deepEqual(failuresOf(exit), ["bad item"])
      assert.strictEqual(stats(queue).inUse, 0)
      assert.deepEqual(rest(queue), [1, 2])
    }
  })

  it("keeps the item of a handler with a defect, whatever onFailure says", async () => {
    for (const onFailure of ["drop", "requeue", () => "drop" as const] as const) {
      const error = new Error("a bug")
      for (const handler of [
        () => Effect.die(error),
        () => {
          throw error
        }
      ]) {
        const queue = filled({}, 1, 2)
        const exit = await Effect.runPromiseExit(queue.consume(handler, { onFailure }))
        assert.strictEqual(defectOf(exit), error)
        assert.deepEqual(rest(queue), [1, 2])
      }
    }
  })

  it("puts the items of interrupted handlers back in order, whatever onFailure says", async () => {
    for (const onFailure of ["fail", "drop", "requeue"] as const) {
      const queue = filled({}, 1, 2, 3, 4)
      let running = 0
      const consumer = Effect.runFork(
        queue.consume(
          () =>
            Effect.zipRight(
              Effect.sync(() => running++),
              Effect.never
            ),
          { concurrency: 3, onFailure }
        )
      )
      await settle()
      assert.strictEqual(running, 3)
      const exit = await Effect.runPromise(Fiber.interrupt(consumer))
      assert.isTrue(Exit.isInterrupted(exit))
      assert.strictEqual(stats(queue).inUse, 0)
      assert.deepEqual(rest(queue), [1, 2, 3, 4])
    }
  })

  it("waits for the finalizers of an interrupted handler before its item is back", async () => {
    const queue = filled({}, 1)
    const gate = Deferred.unsafeMake<void>(undefined as never)
    const consumer = Effect.runFork(queue.consume(() => Effect.ensuring(Effect.never, Deferred.await(gate))))
    await settle()
    consumer.unsafeInterruptAsFork(consumer.id())
    await settle()
    assert.strictEqual(stats(queue).size, 0)
    Effect.runSync(Deferred.succeed(gate, undefined))
    await settle()
    assert.deepEqual(rest(queue), [1])
  })

  it("interrupts its other handlers when one fails, and their items stay", async () => {
    const queue = filled({}, 1, 2, 3, 4)
    const interrupted: Array<number> = []
    const exit = await Effect.runPromiseExit(
      queue.consume(
        (item) =>
          item === 2
            ? Effect.zipRight(Effect.yieldNow(), Effect.fail("bad item"))
            : Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted.push(item))),
        { concurrency: 3 }
      )
    )
    assert.isTrue(Exit.isFailure(exit) && Option.getOrNull(Cause.failureOption(exit.cause)) === "bad item")
    assert.sameMembers(interrupted, [1, 3])
    assert.deepEqual(rest(queue), [1, 2, 3, 4])
  })

  it("hands an item that came back to a consumer who waits", async () => {
    const queue = filled<number>({})
    const seen: Array<string> = []
    const first = Effect.runFork(
      queue.consume((item) =>
        Effect.zipRight(
          Effect.sync(() => seen.push(`first ${item}`)),
          Effect.never
        )
      )
    )
    const second = Effect.runFork(queue.consume((item) => Effect.sync(() => seen.push(`second ${item}`))))
    await settle()
    Effect.runSync(queue.tryOffer(1))
    await settle()
    await Effect.runPromise(Fiber.interrupt(first))
    await settle()
    assert.deepEqual(seen, ["first 1", "second 1"])
    assert.strictEqual(stats(queue).unfinished, 0)
    await Effect.runPromise(Fiber.interrupt(second))
  })

  // Effect.all (3.22) never ends when it is interrupted before its own fiber has started, which the yield after 2048 operations makes possible.
  it("of several at a time ends when it is interrupted, wherever its fiber yields", async () => {
    const hung: Array<number> = []
    for (let before = 1980; before < 2060; before++) {
      const queue = filled<number>({})
      const steps = Effect.forEach(Array.from({ length: before }), () => Effect.void, { discard: true })
      const fiber = Effect.runFork(
        Effect.zipRight(
          steps,
          queue.consume(() => Effect.void, { concurrency: 3 })
        )
      )
      fiber.unsafeInterruptAsFork(fiber.id())
      await settle()
      if (fiber.unsafePoll() === null) hung.push(before)
      else assert.strictEqual(stats(queue).takers, 0)
    }
    assert.deepEqual(hung, [])
  })

  it("is refused a handler that is not a function, options that are no object", async () => {
    const queue = filled({}, 1)
    const handler = await Effect.runPromiseExit(queue.consume(Effect.void as never))
    assert.instanceOf(defectOf(handler), TypeError)
    assert.include((defectOf(handler) as Error).message, "WorkQueue.consume: handler must be a function, got ")
    const options = await Effect.runPromiseExit(queue.consume(() => Effect.void, 5 as never))
    assert.strictEqual((defectOf(options) as Error).message, "WorkQueue.consume: options must be an object, got 5")
    assert.strictEqual(stats(queue).size, 1)
  })

  it("can be run again, each time from the state of then", async () => {
    const queue = filled({}, 1)
    const seen: Array<number> = []
    const consume = queue.consume((item) => Effect.sync(() => void seen.push(item)))
    for (const item of [2, 3]) {
      const fiber = Effect.runFork(consume)
      await settle()
      await Effect.runPromise(Fiber.interrupt(fiber))
      Effect.runSync(queue.tryOffer(item))
    }
    assert.deepEqual(seen, [1, 2])
    assert.deepEqual(rest(queue), [3])
  })
})

describe("WorkQueue: inside a span", () => {
  // Effect wraps a thrown object in a proxy there: what `take` throws to leave its step was not recognized, and it died of it.
  it.effect("takes wait as they do outside", () =>
    Effect.gen(function* () {
      const queue = WorkQueue.makeUnsafe<number>()
      const takes = yield* Effect.all([queue.take, queue.takeUpTo(2), queue.takeAll], {
        concurrency: "unbounded"
      }).pipe(Effect.withSpan("takes"), Effect.fork)
      yield* Effect.promise(settle)
      yield* queue.offerAll([1, 2, 3, 4])
      assert.deepStrictEqual(yield* Fiber.join(takes), [1, [2, 3], [4]])
    })
  )
})

describe("WorkQueue.offerAll (Effect)", () => {
  for (const strategy of ["dropping", "sliding", "reject"] as const) {
    it(`of many items lets no other fiber in between (${strategy})`, async () => {
      const queue = WorkQueue.makeUnsafe<number>({ capacity: 100_000, strategy: strategy as "dropping" })
      const items = Array.from({ length: 10_000 }, (_, i) => i)
      const fibers = [items, [-1], items].map((batch) => Effect.runFork(queue.offerAll(batch)))
      for (const fiber of fibers) assert.deepEqual(await Effect.runPromise(Fiber.join(fiber)), [])
      assert.deepEqual(await Effect.runPromise(queue.takeAll), [...items, -1, ...items])
    })
  }
})

describe("WorkQueue.stream", () => {
  it("takes one at a time: what is not asked for stays in the queue", async () => {
    const queue = filled({}, 1, 2, 3, 4, 5)
    const taken = await Effect.runPromise(Stream.runCollect(Stream.take(queue.stream, 3)))
    assert.deepEqual(Chunk.toReadonlyArray(taken), [1, 2, 3])
    assert.isFalse(stats(queue).isClosed)
    assert.deepEqual(rest(queue), [4, 5])
  })

  it("takes the next item only when the last one was handled", async () => {
    const queue = filled({}, 1, 2, 3)
    const sizes: Array<number> = []
    Effect.runSync(queue.end)
    await Effect.runPromise(
      Stream.runForEach(queue.stream, () =>
        Effect.zipRight(
          Effect.yieldNow(),
          Effect.map(queue.size, (size) => void sizes.push(size))
        )
      )
    )
    assert.deepEqual(sizes, [2, 1, 0])
  })

  it("ends with the queue, after what is left", async () => {
    const queue = filled({}, 1)
    const fiber = Effect.runFork(Stream.runCollect(queue.stream))
    await settle()
    assert.isNull(fiber.unsafePoll())
    Effect.runSync(queue.tryOffer(2))
    Effect.runSync(queue.end)
    assert.deepEqual(Chunk.toReadonlyArray(await Effect.runPromise(Fiber.join(fiber))), [1, 2])
    assert.strictEqual(stats(queue).unfinished, 2, "it says nothing of what is done")
  })

  it("fails with the error of fail, after what is left", async () => {
    const queue = filled({}, 1)
    Effect.runSync(queue.fail("no more"))
    const seen: Array<number> = []
    const exit = await Effect.runPromiseExit(
      Stream.runForEach(queue.stream, (item) => Effect.sync(() => void seen.push(item)))
    )
    assert.deepEqual(exit, Exit.fail("no more"))
    assert.deepEqual(seen, [1])
  })

  it("interrupted while it waits leaves the queue, also in the same tick as a delivery", async () => {
    for (const delivered of [false, true]) {
      const queue = filled<number>({})
      const seen: Array<number> = []
      const fiber = Effect.runFork(Stream.runForEach(queue.stream, (item) => Effect.sync(() => void seen.push(item))))
      await settle()
      if (delivered) Effect.runSync(queue.tryOffer(1))
      fiber.unsafeInterruptAsFork(fiber.id())
      await settle()
      assert.strictEqual(stats(queue).takers, 0)
      assert.deepEqual([...seen, ...rest(queue)], delivered ? [1] : [])
    }
  })
})

describe("WorkQueue: interruption of what is not one fiber", () => {
  it("take under a timeout that wins leaves the item", async () => {
    const queue = filled<number>({})
    const result = await Effect.runPromise(Effect.timeoutOption(queue.take, 0))
    assert.isTrue(Option.isNone(result))
    assert.strictEqual(stats(queue).takers, 0)
  })

  it("an offer under a race that it loses is not made", async () => {
    const queue = filled({ capacity: 1 }, 1)
    await Effect.runPromise(Effect.raceFirst(queue.offer(2), Effect.yieldNow()))
    assert.strictEqual(stats(queue).offerers, 0)
    assert.deepEqual(rest(queue), [1])
  })

  it("a take in an uninterruptible region gets its item although it is interrupted", async () => {
    const queue = filled<number>({})
    const got: Array<number> = []
    const fiber = Effect.runFork(
      Effect.uninterruptible(Effect.flatMap(queue.take, (item) => Effect.sync(() => void got.push(item))))
    )
    await settle()
    fiber.unsafeInterruptAsFork(fiber.id())
    await settle()
    Effect.runSync(queue.tryOffer(1))
    await settle()
    assert.deepEqual(got, [1])
    assert.deepEqual(rest(queue), [])
  })
})

describe("WorkQueue: making one", () => {
  it("make dies with a RangeError or TypeError that says what is wrong", async () => {
    const exit = await Effect.runPromiseExit(WorkQueue.make({ capacity: 0 }))
    assert.instanceOf(defectOf(exit), RangeError)
    assert.instanceOf(defectOf(await Effect.runPromiseExit(WorkQueue.make(null as never))), TypeError)
    assert.instanceOf(defectOf(await Effect.runPromiseExit(WorkQueue.make({ order: {} as never }))), TypeError)
  })

  it("makeUnsafe throws it", () => {
    assert.throws(
      () => WorkQueue.makeUnsafe({ capacity: 1.5 }),
      RangeError,
      "WorkQueue.make: capacity must be an integer of at least 1, or Infinity, got 1.5"
    )
  })

  it("takes an Effect Order", () => {
    const queue = filled({ order: Order.reverse(Order.number) }, 2, 3, 1)
    assert.deepEqual(rest(queue), [3, 2, 1])
  })

  it("the effects of one queue can be made before they are run, and run often", async () => {
    const queue = WorkQueue.makeUnsafe<number>()
    const offer = WorkQueue.offer(queue, 1)
    const { take } = queue
    assert.strictEqual(stats(queue).size, 0)
    assert.deepEqual(await Effect.runPromise(Effect.all([offer, offer, take, take])), [true, true, 1, 1])
  })
})

describe("WorkQueue: the module's functions", () => {
  it("do what the members do", async () => {
    const program = Effect.gen(function* () {
      const queue = yield* WorkQueue.make<number, string>({ capacity: 10 })
      assert.isTrue(yield* WorkQueue.offer(queue, 1))
      assert.deepEqual(yield* WorkQueue.offerAll(queue, [2, 3, 4, 5, 6]), [])
      assert.isTrue(yield* WorkQueue.tryOffer(queue, 7))
      assert.deepEqual(yield* WorkQueue.peek(queue), Option.some(1))
      assert.strictEqual(yield* WorkQueue.size(queue), 7)
      assert.strictEqual(yield* WorkQueue.take(queue), 1)
      assert.deepEqual(yield* WorkQueue.takeUpTo(queue, 2), [2, 3])
      assert.deepEqual(yield* WorkQueue.tryTake(queue), Option.some(4))
      assert.deepEqual(yield* WorkQueue.takeAll(queue), [5, 6, 7])
      assert.deepEqual(yield* WorkQueue.tryTake(queue), Option.none())
      for (let i = 0; i < 7; i++) yield* WorkQueue.taskDone(queue)
      yield* WorkQueue.join(queue)
      yield* WorkQueue.offerAll(queue, [8, 9])
      assert.strictEqual((yield* WorkQueue.stats(queue)).size, 2)
      assert.isTrue(yield* WorkQueue.fail(queue, "no more"))
      assert.isFalse(yield* WorkQueue.end(queue))
      const first = yield* Stream.runCollect(Stream.take(WorkQueue.stream(queue), 1))
      assert.deepEqual(Chunk.toReadonlyArray(first), [8])
      const seen: Array<number> = []
      const consumed = yield* Effect.flip(WorkQueue.consume(queue, (item) => Effect.sync(() => void seen.push(item))))
      assert.strictEqual(consumed, "no more")
      assert.deepEqual(seen, [9])
      assert.deepEqual(yield* WorkQueue.shutdown(queue), [])
    })
    await Effect.runPromise(program)
  })
})

describe("WorkQueue.Service", () => {
  class Jobs extends WorkQueue.Service<Jobs, number, string>()("test/Jobs", { capacity: 3 }) {}

  const logged = () => {
    const messages: Array<string> = []
    const layer = Logger.replace(
      Logger.defaultLogger,
      Logger.make(({ logLevel, message }) => void messages.push(`${logLevel.label} ${String(message)}`))
    )
    return { messages, layer }
  }

  it("gives its operations as accessors, and itself as the instance", async () => {
    const program = Effect.gen(function* () {
      assert.isTrue(yield* Jobs.offer(1))
      assert.deepEqual(yield* Jobs.offerAll([2, 3]), [])
      assert.isFalse(yield* Jobs.tryOffer(4))
      assert.deepEqual(yield* Jobs.peek, Option.some(1))
      assert.strictEqual(yield* Jobs.size, 3)
      assert.strictEqual(yield* Jobs.take, 1)
      assert.deepEqual(yield* Jobs.takeUpTo(1), [2])
      assert.deepEqual(yield* Jobs.takeAll, [3])
      assert.deepEqual(yield* Jobs.tryTake, Option.none())
      for (let i = 0; i < 3; i++) yield* Jobs.taskDone
      yield* Jobs.join
      const queue = yield* Jobs
      yield* queue.offerAll([5, 6])
      assert.deepEqual(Chunk.toReadonlyArray(yield* Stream.runCollect(Stream.take(Jobs.stream, 1))), [5])
      assert.isTrue(yield* Jobs.fail("no more"))
      assert.isFalse(yield* Jobs.end)
      const seen: Array<number> = []
      assert.strictEqual(yield* Effect.flip(Jobs.consume((item) => Effect.sync(() => void seen.push(item)))), "no more")
      assert.deepEqual(seen, [6])
      assert.strictEqual((yield* Jobs.stats).unfinished, 1)
      assert.deepEqual(yield* Jobs.shutdown, [])
    })
    await Effect.runPromise(Effect.provide(program, Jobs.layer))
  })

  it("that is closed is shut down: those who wait end, and what is left is logged", async () => {
    const { layer, messages } = logged()
    const program = Effect.gen(function* () {
      const queue = yield* Jobs
      yield* queue.offerAll([1, 2, 3])
      const offer = yield* Effect.forkDaemon(queue.offer(4))
      yield* Effect.yieldNow()
      return { queue, offer }
    })
    const { offer, queue } = await Effect.runPromise(Effect.provide(program, Layer.provideMerge(Jobs.layer, layer)))
    assert.instanceOf(await Effect.runPromise(Effect.flip(Fiber.join(offer))), WorkQueue.QueueClosed)
    assert.deepEqual(messages, ["WARN WorkQueue test/Jobs: its layer was closed with 3 item(s) in it"])
    assert.deepEqual({ ...stats(queue) }, { ...stats(queue), isClosed: true, size: 0, unfinished: 0, waiting: 0 })
  })

  it("that is closed ends those who wait to take or consume, and logs nothing when nothing is left", async () => {
    const { layer, messages } = logged()
    const program = Effect.gen(function* () {
      const queue = yield* Jobs
      const taker = yield* Effect.forkDaemon(queue.take)
      const consumer = yield* Effect.forkDaemon(queue.consume(() => Effect.void, { concurrency: 2 }))
      yield* Effect.yieldNow()
      return { consumer, taker }
    })
    const { consumer, taker } = await Effect.runPromise(Effect.provide(program, Layer.provideMerge(Jobs.layer, layer)))
    assert.instanceOf(await Effect.runPromise(Effect.flip(Fiber.join(taker))), WorkQueue.QueueClosed)
    assert.isUndefined(await Effect.runPromise(Fiber.join(consumer)))
    assert.deepEqual(messages, [])
  })

  it("takes its options from a Config", async () => {
    class Configured extends WorkQueue.Service<Configured, number>()(
      "test/Configured",
      Config.all({ capacity: Config.integer("CAPACITY") })
    ) {}
    const capacity = Effect.map(Configured.stats, (stats) => stats.capacity)
    const withConfig = (map: Map<string, string>) =>
      Effect.withConfigProvider(Effect.provide(capacity, Configured.layer), ConfigProvider.fromMap(map))
    assert.strictEqual(await Effect.runPromise(withConfig(new Map([["CAPACITY", "7"]]))), 7)
    const missing = await Effect.runPromise(Effect.flip(withConfig(new Map())))
    assert.strictEqual((missing as { _op?: string })._op, "MissingData")
    assert.instanceOf(defectOf(await Effect.runPromiseExit(withConfig(new Map([["CAPACITY", "0"]])))), RangeError)
  })

  it("fails to build with the error of its options", async () => {
    class Failing extends WorkQueue.Service<Failing, number>()("test/Failing", Effect.fail("no options")) {}
    assert.strictEqual(await Effect.runPromise(Effect.flip(Effect.provide(Failing.size, Failing.layer))), "no options")
  })

  it("is one instance a layer that is built", async () => {
    class Other extends WorkQueue.Service<Other, number>()("test/Other") {}
    const [one, two, other] = await Promise.all([
      Effect.runPromise(Effect.provide(Jobs, Jobs.layer)),
      Effect.runPromise(Effect.provide(Jobs, Jobs.layer)),
      Effect.runPromise(Effect.provide(Other, Other.layer))
    ])
    assert.notStrictEqual(one, two)
    assert.strictEqual(stats(other).capacity, Infinity)
    const shared = Effect.provide(Effect.all([Jobs, Jobs]), Jobs.layer)
    const [first, second] = await Effect.runPromise(shared)
    assert.strictEqual(first, second)
  })
})
