import { AsyncLocalStorage } from "node:async_hooks"
import { afterEach, assert, beforeEach, describe, it, vi } from "@effect/vitest"
import { Effect } from "effect"
import * as Effects from "effect-concurrency"
import { QueueClosed, QueueFull, WorkQueue, type WorkQueueOptions } from "effect-concurrency/promise"
import { settle, start } from "../laws/skins.js"

/** Numbers and strings rather than the literals that were passed. */
type Widen<A> = A extends number ? number : A extends string ? string : A

const filled = <A>(options: WorkQueueOptions<Widen<A>>, ...items: Array<A>): WorkQueue<Widen<A>> => {
  const queue = new WorkQueue<any>(options as WorkQueueOptions<any>)
  for (const item of items) queue.tryOffer(item)
  return queue
}

const rest = <A>(queue: WorkQueue<A>): Array<A> => {
  const items: Array<A> = []
  while (queue.size > 0) items.push(queue.tryTake()!)
  return items
}

const errorOf = async (promise: Promise<unknown>): Promise<unknown> => {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error("it did not reject")
}

/** A controller whose signal counts its listeners. */
const counting = () => {
  const controller = new AbortController()
  const { signal } = controller
  const listeners = new Set<unknown>()
  const add = signal.addEventListener.bind(signal)
  const remove = signal.removeEventListener.bind(signal)
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners.add(args[1])
    add(...args)
  }
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listeners.delete(args[1])
    remove(...args)
  }
  return { controller, signal, listeners: () => listeners.size }
}

type Wait = { signal?: AbortSignal; timeout?: number }

/** Every wait, on a queue on which it does wait. */
const waits: Record<
  string,
  (options?: Wait) => { queue: WorkQueue<number>; promise: Promise<unknown>; grant: () => void }
> = {
  take: (options) => {
    const queue = filled<number>({})
    return { queue, promise: queue.take(options), grant: () => queue.tryOffer(9) }
  },
  takeUpTo: (options) => {
    const queue = filled<number>({})
    return { queue, promise: queue.takeUpTo(2, options), grant: () => queue.tryOffer(9) }
  },
  takeAll: (options) => {
    const queue = filled<number>({})
    return { queue, promise: queue.takeAll(options), grant: () => queue.tryOffer(9) }
  },
  offer: (options) => {
    const queue = filled({ capacity: 1 }, 1)
    return { queue, promise: queue.offer(2, options), grant: () => queue.tryTake() }
  },
  offerAll: (options) => {
    const queue = filled({ capacity: 1 }, 1)
    return { queue, promise: queue.offerAll([2], options), grant: () => queue.tryTake() }
  },
  join: (options) => {
    const queue = filled({}, 1)
    queue.tryTake()
    return { queue, promise: queue.join(options), grant: () => queue.taskDone() }
  }
}

describe("promise WorkQueue: waits", () => {
  const reason = new Error("enough")

  it("with an aborted signal reject with its reason before anything happens", async () => {
    const signal = AbortSignal.abort(reason)
    const queue = filled({ capacity: 3 }, 1)
    const before = queue.stats()
    let ran = false
    const calls = [
      () => queue.take({ signal }),
      () => queue.takeUpTo(1, { signal }),
      () => queue.takeAll({ signal }),
      () => queue.offer(2, { signal }),
      () => queue.offerAll([2], { signal }),
      () => queue.join({ signal }),
      () => queue.consume(() => void (ran = true), { signal })
    ]
    for (const call of calls) assert.strictEqual(await errorOf(call()), reason)
    assert.deepEqual(queue.stats(), before)
    assert.isFalse(ran)
  })

  for (const [name, wait] of Object.entries(waits)) {
    it(`${name} is aborted while it waits, and leaves no listener`, async () => {
      const { controller, listeners, signal } = counting()
      const { promise, queue } = wait({ signal })
      assert.strictEqual(listeners(), 1)
      await settle()
      controller.abort(reason)
      assert.strictEqual(queue.stats().waiting, 0, "it leaves at once")
      assert.strictEqual(await errorOf(promise), reason)
      assert.strictEqual(listeners(), 0)
    })

    it(`${name} leaves no listener when it is granted`, async () => {
      const { listeners, signal } = counting()
      const { grant, promise } = wait({ signal })
      await settle()
      grant()
      await promise
      assert.strictEqual(listeners(), 0)
    })

    for (const grantFirst of [true, false]) {
      it(`${name} that is aborted in the tick ${grantFirst ? "after" : "before"} the grant gives it back`, async () => {
        const { controller, listeners, signal } = counting()
        const { grant, promise, queue } = wait({ signal })
        const rejection = errorOf(promise)
        await settle()
        if (!grantFirst) controller.abort(reason)
        grant()
        if (grantFirst) controller.abort(reason)
        assert.strictEqual(await rejection, reason)
        assert.strictEqual(listeners(), 0)
        assert.strictEqual(queue.stats().waiting, 0)
        assert.deepEqual(rest(queue), name.startsWith("take") ? [9] : [])
      })
    }

    it(`${name} leaves no listener when the queue is closed or done`, async () => {
      const { listeners, signal } = counting()
      const { promise, queue } = wait({ signal })
      await settle()
      queue.shutdown()
      if (name === "join") queue.taskDone()
      await Promise.allSettled([promise])
      assert.strictEqual(listeners(), 0)
    })

    it(`${name} refuses a bad timeout or signal, and does not wait`, async () => {
      for (const [timeout, got] of [
        [NaN, "NaN"],
        [-1, "-1"],
        ["5", '"5"']
      ] as const) {
        const { promise, queue } = wait({ timeout: timeout as number })
        const error = await errorOf(promise)
        assert.instanceOf(error, typeof timeout === "number" ? RangeError : TypeError)
        assert.strictEqual(
          (error as Error).message,
          `WorkQueue.${name}: timeout must be 0 or more milliseconds, got ${got}`
        )
        assert.strictEqual(queue.stats().waiting, 0)
      }
      const { promise, queue } = wait({ signal: {} as AbortSignal })
      const error = await errorOf(promise)
      assert.instanceOf(error, TypeError)
      assert.strictEqual(
        (error as Error).message,
        `WorkQueue.${name}: signal must be an AbortSignal, got an object (Object)`
      )
      assert.strictEqual(queue.stats().waiting, 0)
    })
  }

  for (const options of [{ signal: new AbortController().signal }, { timeout: 60_000 }]) {
    it(`that need not wait end at once with ${Object.keys(options)}`, async () => {
      // Regression: offerAll with room never settled when it was given a signal or a timeout.
      const queue = filled<number>({ capacity: 10 }, 1, 2, 3)
      const ended: Array<string> = []
      void queue.take(options).then(() => ended.push("take"))
      void queue.takeUpTo(1, options).then(() => ended.push("takeUpTo"))
      void queue.takeAll(options).then(() => ended.push("takeAll"))
      void queue.offer(4, options).then(() => ended.push("offer"))
      void queue.offerAll([5, 6], options).then(() => ended.push("offerAll"))
      await settle()
      rest(queue)
      while (queue.stats().inUse > 0) queue.taskDone()
      void queue.join(options).then(() => ended.push("join"))
      await settle()
      assert.sameMembers(ended, ["take", "takeUpTo", "takeAll", "offer", "offerAll", "join"])
    })
  }

  describe("with a timeout", () => {
    beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }))
    afterEach(() => void vi.useRealTimers())

    for (const [name, wait] of Object.entries(waits)) {
      it(`${name} ends at it and not before, and leaves no ghost and no timer`, async () => {
        const { promise, queue } = wait({ timeout: 100 })
        let error: unknown
        promise.catch((thrown) => (error = thrown))
        vi.advanceTimersByTime(99)
        await settle()
        assert.isUndefined(error)
        if (name !== "join") assert.strictEqual(queue.stats().waiting, 1)
        vi.advanceTimersByTime(1)
        await settle()
        assert.instanceOf(error, DOMException)
        assert.strictEqual((error as DOMException).name, "TimeoutError")
        assert.strictEqual((error as DOMException).message, `WorkQueue.${name}: timed out after 100 ms`)
        assert.strictEqual(queue.stats().waiting, 0)
        assert.strictEqual(vi.getTimerCount(), 0)
      })

      it(`${name} leaves no timer when it is granted, aborted or closed`, async () => {
        for (const way of ["grant", "abort", "close"] as const) {
          const { controller, listeners, signal } = counting()
          const { grant, promise, queue } = wait({ timeout: 100, signal })
          assert.strictEqual(vi.getTimerCount(), 1)
          if (way === "grant") grant()
          else if (way === "abort") controller.abort(reason)
          else {
            queue.shutdown()
            if (name === "join") queue.taskDone()
          }
          await Promise.allSettled([promise])
          assert.strictEqual(vi.getTimerCount(), 0)
          assert.strictEqual(listeners(), 0)
        }
      })
    }

    it("of 0 waits for no item, but takes one that is there", async () => {
      const queue = filled({}, 1)
      assert.strictEqual(await queue.take({ timeout: 0 }), 1)
      const promise = errorOf(queue.take({ timeout: 0 }))
      vi.advanceTimersByTime(0)
      assert.strictEqual(((await promise) as DOMException).name, "TimeoutError")
    })
  })

  it("leave nothing behind on one signal, ten thousand times", async () => {
    const { listeners, signal } = counting()
    const queue = new WorkQueue<number>()
    for (let i = 0; i < 10_000; i++) {
      const taken = queue.take({ signal })
      queue.tryOffer(i)
      assert.strictEqual(await taken, i)
    }
    assert.strictEqual(listeners(), 0)
    const timedOut = await Promise.allSettled(Array.from({ length: 20_000 }, () => queue.take({ signal, timeout: 0 })))
    assert.isTrue(timedOut.every((result) => result.status === "rejected"))
    assert.strictEqual(listeners(), 0)
    assert.strictEqual(queue.stats().waiting, 0)
    queue.tryOffer(1)
    assert.strictEqual(queue.tryTake(), 1)
  })
})

describe("promise WorkQueue", () => {
  it("has the classes of errors that the Effect side has", async () => {
    const queue = filled({ capacity: 1, strategy: "reject" }, 1)
    assert.instanceOf(await errorOf(queue.offer(2)), QueueFull)
    queue.end()
    const error = await errorOf(queue.offer(2))
    assert.instanceOf(error, QueueClosed)
    assert.instanceOf(error, Effects.WorkQueue.QueueClosed)
    assert.deepInclude(error as object, { _tag: "QueueClosed", name: "QueueClosed", message: "the queue is closed" })
  })

  it("has size, peek and stats as plain values", () => {
    const queue = filled({ capacity: 3 }, 1, 2)
    assert.strictEqual(queue.size, 2)
    assert.strictEqual(queue.peek(), 1)
    assert.isTrue(Object.isFrozen(queue.stats()))
  })

  it("from shares an Effect queue", async () => {
    const effect = Effects.WorkQueue.makeUnsafe<number>({ capacity: 1 })
    const queue = WorkQueue.from(effect)
    assert.instanceOf(queue, WorkQueue)
    const taken = Effect.runPromise(effect.take)
    await queue.offer(1)
    assert.strictEqual(await taken, 1)
    const next = queue.take()
    await Effect.runPromise(effect.offer(2))
    assert.strictEqual(await next, 2)
    assert.strictEqual(queue.stats().inUse, 2)
    const seen: Array<number> = []
    const consumer = queue.consume((item) => void seen.push(item))
    await Effect.runPromise(effect.offer(3))
    await Effect.runPromise(effect.end)
    await consumer
    assert.deepEqual(seen, [3])
  })

  it("from another view or a promise queue shares too", async () => {
    const queue = filled({}, 1)
    assert.strictEqual(WorkQueue.from(WorkQueue.from(queue)).tryTake(), 1)
    assert.strictEqual(queue.size, 0)
  })

  it("from anything else is a TypeError that says so", () => {
    for (const [value, got] of [
      [undefined, "undefined"],
      [null, "null"],
      [{}, "an object (Object)"],
      [[], "an object (Array)"]
    ]) {
      assert.throws(
        () => WorkQueue.from(value as never),
        TypeError,
        `WorkQueue.from: argument must be a WorkQueue, got ${got}`
      )
    }
  })

  it("keeps the caller's AsyncLocalStorage across waits", async () => {
    const storage = new AsyncLocalStorage<string>()
    const queue = new WorkQueue<number>({ capacity: 1 })
    const seen: Array<string | undefined> = []
    const taker = storage.run("taker", async () => {
      await queue.take()
      seen.push(storage.getStore())
      await queue.take({ signal: new AbortController().signal })
      seen.push(storage.getStore())
    })
    await storage.run("offerer", async () => {
      await queue.offer(1)
      await queue.offer(2)
      seen.push(storage.getStore())
    })
    await taker
    const consumer = storage.run("consumer", () =>
      queue.consume(
        async () => {
          seen.push(storage.getStore())
          await Promise.resolve()
          seen.push(storage.getStore())
        },
        { concurrency: 2 }
      )
    )
    await settle()
    await storage.run("offerer", () => queue.offer(3))
    queue.end()
    await consumer
    assert.sameMembers(seen, ["taker", "taker", "offerer", "consumer", "consumer"])
  })
})

describe("promise WorkQueue.consume", () => {
  it("starts synchronously on what is there, and gives a promise of undefined", async () => {
    const queue = filled({}, 1)
    const seen: Array<number> = []
    queue.end()
    const consumer = queue.consume((item) => seen.push(item))
    assert.isUndefined(await consumer)
    assert.deepEqual(seen, [1])
  })

  it("aborted while it waits rejects with the reason, and leaves nobody and no listener", async () => {
    const { controller, listeners, signal } = counting()
    const queue = new WorkQueue<number>()
    const consumer = queue.consume(() => {}, { signal, concurrency: 3 })
    await settle()
    assert.strictEqual(listeners(), 1, "one, however many work")
    assert.strictEqual(queue.stats().takers, 3)
    const reason = new Error("enough")
    controller.abort(reason)
    assert.strictEqual(await errorOf(consumer), reason)
    assert.strictEqual(queue.stats().takers, 0)
    assert.strictEqual(listeners(), 0)
  })

  it("leaves no listener on the signal when it ends or fails", async () => {
    const { listeners, signal } = counting()
    const ended = filled<number>({}, 1)
    ended.end()
    await ended.consume(() => {}, { signal })
    const failed = filled({}, 1)
    await errorOf(failed.consume(() => Promise.reject(new Error("bad item")), { signal }))
    assert.strictEqual(listeners(), 0)
  })

  it("aborted while handlers run waits for them, takes no more, and tells them", async () => {
    const controller = new AbortController()
    const queue = filled({}, 1, 2, 3)
    const signals: Array<AbortSignal> = []
    const gates: Array<() => void> = []
    const consumer = start(() =>
      queue.consume(
        (_, { signal }) => {
          signals.push(signal)
          return new Promise<void>((resolve) => gates.push(resolve))
        },
        { signal: controller.signal, concurrency: 2 }
      )
    )
    await settle()
    assert.isTrue(signals.every((signal) => !signal.aborted))
    const reason = new Error("enough")
    controller.abort(reason)
    assert.isTrue(signals.every((signal) => signal.aborted && signal.reason === reason))
    gates[0]!()
    await settle()
    assert.strictEqual(consumer.state, "waiting")
    gates[1]!()
    await settle()
    assert.strictEqual(consumer.error, reason)
    assert.deepEqual([queue.stats().inUse, queue.stats().unfinished], [0, 1])
    assert.deepEqual(rest(queue), [3])
  })

  it("puts the items of handlers that the signal ended back, whatever onFailure says", async () => {
    for (const onFailure of ["fail", "drop", "requeue", () => "drop" as const] as const) {
      const controller = new AbortController()
      const queue = filled({}, 1, 2, 3)
      const reason = new Error("enough")
      const consumer = errorOf(
        queue.consume(
          (_, { signal }) =>
            new Promise<void>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
          {
            signal: controller.signal,
            concurrency: 2,
            onFailure
          }
        )
      )
      await settle()
      controller.abort(reason)
      assert.strictEqual(await consumer, reason)
      assert.strictEqual(queue.stats().inUse, 0)
      assert.deepEqual(rest(queue), [1, 2, 3], String(onFailure))
    }
  })

  it("aborts the signal of the other handlers when one fails, and rejects with that error when they have ended", async () => {
    const queue = filled({}, 1, 2, 3)
    const error = new Error("bad item")
    const ended: Array<number> = []
    const consumer = await errorOf(
      queue.consume(
        async (item, { signal }) => {
          if (item === 2) throw error
          await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()))
          assert.strictEqual(signal.reason, error)
          ended.push(item)
        },
        { concurrency: 2 }
      )
    )
    assert.strictEqual(consumer, error)
    assert.deepEqual(ended, [1])
    assert.deepEqual(rest(queue), [2, 3])
  })

  it("rejects with one error when the others only passed the reason on", async () => {
    const queue = filled({}, 1, 2)
    const error = new Error("bad item")
    const rejection = await errorOf(
      queue.consume(
        async (item, { signal }) => {
          if (item === 2) throw error
          await new Promise<void>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))
        },
        { concurrency: 2 }
      )
    )
    assert.strictEqual(rejection, error)
    assert.deepEqual(rest(queue), [1, 2])
  })

  it("rejects with an AggregateError of several errors, and all their items stay", async () => {
    const queue = filled({}, 1, 2, 3, 4)
    const rejection = await errorOf(
      queue.consume((item) => Promise.reject(new Error(`bad ${item}`)), { concurrency: 3 })
    )
    assert.instanceOf(rejection, AggregateError)
    assert.strictEqual((rejection as AggregateError).message, "WorkQueue.consume: 3 errors")
    assert.deepEqual(
      (rejection as AggregateError).errors.map((error: Error) => error.message),
      ["bad 1", "bad 2", "bad 3"]
    )
    assert.deepEqual(rest(queue), [1, 2, 3, 4])
  })

  it("rejects with the very thing that a handler threw, at once or later, also undefined", async () => {
    for (const thrown of [undefined, null, "text", { code: 1 }]) {
      for (const handler of [
        () => {
          throw thrown
        },
        () => Promise.reject(thrown)
      ]) {
        const queue = filled({}, 1)
        let result: unknown = "resolved"
        await queue.consume(handler).catch((error) => (result = error))
        assert.strictEqual(result, thrown)
        assert.deepEqual(rest(queue), [1])
      }
    }
  })

  it("does not abort the handlers that run when another finds that the queue has failed", async () => {
    const queue = filled<number>({}, 1)
    const error = new Error("no more")
    let signal: AbortSignal | undefined
    let open = () => {}
    const consumer = start(() =>
      queue.consume(
        (_, context) => {
          signal = context.signal
          return new Promise<void>((resolve) => (open = resolve))
        },
        { concurrency: 3 }
      )
    )
    await settle()
    queue.fail(error)
    await settle()
    assert.isFalse(signal!.aborted, "its item was offered before the failure")
    open()
    await settle()
    assert.strictEqual(consumer.error, error)
    assert.strictEqual(queue.stats().unfinished, 0)
  })

  it("asks onFailure with the error and the item, and does what it says", async () => {
    const queue = filled({}, 1, 2, 3)
    const asked: Array<[string, number]> = []
    let calls = 0
    const rejection = await errorOf(
      queue.consume(
        (item) => {
          if (++calls < 4) throw `no ${item}`
        },
        {
          onFailure: (error, item) => {
            asked.push([error as string, item])
            return item === 1 ? "drop" : item === 2 ? "requeue" : "fail"
          }
        }
      )
    )
    assert.strictEqual(rejection, "no 3")
    assert.deepEqual(asked, [
      ["no 1", 1],
      ["no 2", 2],
      ["no 3", 3]
    ])
    assert.deepEqual(rest(queue), [3, 2])
  })

  it("with an onFailure that throws rejects with the handler's error and what it threw, and keeps the item", async () => {
    const queue = filled({}, 1, 2)
    const [failure, error] = [new Error("bad item"), new Error("cannot choose")]
    const rejection = await errorOf(
      queue.consume(() => Promise.reject(failure), {
        onFailure: () => {
          throw error
        }
      })
    )
    assert.instanceOf(rejection, AggregateError)
    assert.deepEqual((rejection as AggregateError).errors, [failure, error])
    assert.strictEqual((rejection as AggregateError).message, "WorkQueue.consume: 2 errors")
    assert.strictEqual(queue.stats().inUse, 0)
    assert.deepEqual(rest(queue), [1, 2])
  })

  it("with an onFailure that throws the handler's error again rejects with it, once", async () => {
    const failure = new Error("bad item")
    const rejection = await errorOf(
      filled({}, 1).consume(() => Promise.reject(failure), {
        onFailure: (error) => {
          throw error
        }
      })
    )
    assert.strictEqual(rejection, failure)
  })

  it("with an onFailure that answers nonsense, also a promise, says so beside the handler's error", async () => {
    for (const [answer, got] of [
      ["retry", '"retry"'],
      [undefined, "undefined"],
      [Promise.resolve("drop"), "an object (Promise)"]
    ]) {
      const queue = filled({}, 1, 2)
      const failure = new Error("bad item")
      const rejection = await errorOf(
        queue.consume(() => Promise.reject(failure), { onFailure: () => answer as never })
      )
      const [first, second] = (rejection as AggregateError).errors
      assert.strictEqual(first, failure)
      assert.strictEqual(
        second.message,
        `WorkQueue.consume: onFailure must be one of "fail", "requeue", "drop", got ${got as string}`
      )
      assert.strictEqual(queue.stats().inUse, 0)
      assert.deepEqual(rest(queue), [1, 2])
    }
  })

  it("refuses bad arguments, and takes nothing", async () => {
    const queue = filled({}, 1)
    const refusals: Array<[Promise<void>, string]> = [
      [queue.consume(5 as never), "WorkQueue.consume: handler must be a function, got 5"],
      [queue.consume(() => {}, null as never), "WorkQueue.consume: options must be an object, got null"],
      [queue.consume(() => {}, { signal: 5 as never }), "WorkQueue.consume: signal must be an AbortSignal, got 5"]
    ]
    for (const [promise, message] of refusals) assert.strictEqual(((await errorOf(promise)) as Error).message, message)
    assert.strictEqual(queue.size, 1)
    assert.strictEqual(queue.stats().takers, 0)
  })

  it("of twenty at a time makes Node warn of no leak", async () => {
    const warnings: Array<Error> = []
    const listener = (warning: Error) => warnings.push(warning)
    process.on("warning", listener)
    try {
      const queue = new WorkQueue<number>()
      const consumer = queue.consume(() => {}, { concurrency: 20, signal: new AbortController().signal })
      await settle()
      queue.end()
      await consumer
      await settle()
    } finally {
      process.off("warning", listener)
    }
    assert.deepEqual(
      warnings.map((warning) => warning.message),
      []
    )
  })
})

describe("promise WorkQueue: the async iterator", () => {
  it("gives items until the queue has ended and is empty", async () => {
    const queue = filled({}, 1, 2)
    const seen: Array<number> = []
    const loop = (async () => {
      for await (const item of queue) seen.push(item)
    })()
    await settle()
    queue.tryOffer(3)
    queue.end()
    await loop
    assert.deepEqual(seen, [1, 2, 3])
    assert.strictEqual(queue.stats().unfinished, 3, "it says nothing of what is done")
  })

  it("rejects with the error of fail, after what is left", async () => {
    const queue = filled({}, 1)
    const error = new Error("no more")
    queue.fail(error)
    const seen: Array<number> = []
    const rejection = await errorOf(
      (async () => {
        for await (const item of queue) seen.push(item)
      })()
    )
    assert.strictEqual(rejection, error)
    assert.deepEqual(seen, [1])
  })

  it("leaves the queue open, and the rest in it, on break and on a throw", async () => {
    for (const leave of ["break", "throw"] as const) {
      const queue = filled({}, 1, 2, 3)
      const loop = async () => {
        for await (const item of queue) {
          if (item === 2 && leave === "throw") throw new Error("leave")
          if (item === 2) break
        }
      }
      await loop().catch((error) => assert.strictEqual(error.message, "leave"))
      assert.isFalse(queue.stats().isClosed)
      assert.strictEqual(queue.stats().takers, 0)
      assert.deepEqual(rest(queue), [3])
    }
  })

  it("takes one at a time", async () => {
    const queue = filled({}, 1, 2, 3)
    queue.end()
    const sizes: Array<number> = []
    for await (const _ of queue) {
      await settle()
      sizes.push(queue.size)
    }
    assert.deepEqual(sizes, [2, 1, 0])
  })

  it("answers concurrent next() in order", async () => {
    const queue = new WorkQueue<number>()
    const iterator = queue[Symbol.asyncIterator]()
    const nexts = [iterator.next(), iterator.next(), iterator.next()]
    queue.tryOffer(1)
    queue.tryOffer(2)
    queue.end()
    assert.deepEqual(await Promise.all(nexts), [
      { done: false, value: 1 },
      { done: false, value: 2 },
      { done: true, value: undefined }
    ])
  })

  it("stays done, also while the queue has items", async () => {
    const queue = filled({}, 1, 2)
    const iterator = queue[Symbol.asyncIterator]()
    assert.deepEqual(await iterator.next(), { done: false, value: 1 })
    assert.deepEqual(await iterator.return!(), { done: true, value: undefined })
    assert.deepEqual(await iterator.next(), { done: true, value: undefined })
    assert.deepEqual(await iterator.return!(), { done: true, value: undefined })
    assert.deepEqual(rest(queue), [2])

    const ended = new WorkQueue<number>()
    ended.end()
    const other = ended[Symbol.asyncIterator]()
    for (let i = 0; i < 2; i++) assert.deepEqual(await other.next(), { done: true, value: undefined })
  })

  it("settles a pending next() on return(), and loses nothing", async () => {
    for (const when of ["before", "after", "never"] as const) {
      const queue = new WorkQueue<number>()
      const iterator = queue[Symbol.asyncIterator]()
      const nexts = [iterator.next(), iterator.next()]
      await settle()
      if (when === "before") queue.tryOffer(1)
      const returned = iterator.return!()
      if (when === "after") queue.tryOffer(1)
      assert.deepEqual(await returned, { done: true, value: undefined })
      const results = await Promise.all(nexts)
      const given = results.flatMap((result) => (result.done === true ? [] : [result.value]))
      assert.strictEqual(queue.stats().takers, 0)
      assert.strictEqual(queue.stats().inUse, given.length)
      assert.deepEqual([...given, ...rest(queue)], when === "never" ? [] : [1])
    }
  })

  it("of one loop does not end that of another", async () => {
    const queue = filled({}, 1, 2, 3)
    const [one, two] = [queue[Symbol.asyncIterator](), queue[Symbol.asyncIterator]()]
    await one.next()
    await one.return!()
    assert.deepEqual(await two.next(), { done: false, value: 2 })
    assert.strictEqual(two[Symbol.asyncIterator](), two)
  })

  it("gives items that are undefined", async () => {
    const queue = filled<undefined>({}, undefined)
    const iterator = queue[Symbol.asyncIterator]()
    assert.deepEqual(await iterator.next(), { done: false, value: undefined })
  })
})
