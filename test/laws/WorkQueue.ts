/** What a work queue promises in every skin. Rows of CPython's own tests are named at the end of the line. */
import { assert, describe, it } from "@effect/vitest"
import { FastCheck } from "effect"
import { WorkQueue } from "effect-concurrency"
import { type Attempt, settle, type Skin, type WorkQueueDriver } from "./skins.js"

const ascending = (a: number, b: number): number => a - b

const orders = [
  { name: "fifo", order: "fifo" },
  { name: "lifo", order: "lifo" },
  { name: "an order", order: ascending }
] as const

const states = (attempts: ReadonlyArray<Attempt<unknown>>) => attempts.map((attempt) => attempt.state)

const thrown = (f: () => unknown): unknown => {
  try {
    f()
  } catch (error) {
    return error
  }
  throw new Error("it did not throw")
}

const isClosed = (error: unknown) => assert.instanceOf(error, WorkQueue.QueueClosed)

/** Everything that is in it, in the order in which it is taken. The items count as being worked on. */
const takeOut = <A>(queue: WorkQueueDriver<A>): Array<A> => {
  const items: Array<A> = []
  while (queue.stats().size > 0) items.push(queue.tryTake()!)
  return items
}

/** Numbers and strings rather than the literals that were passed. */
type Widen<A> = A extends number ? number : A extends string ? string : A

export const workQueueLaws = (skin: Skin): void => {
  const filled = <A>(options: WorkQueue.Options<Widen<A>>, ...items: Array<A>): WorkQueueDriver<Widen<A>> => {
    const queue = skin.workQueue<any>(options as WorkQueue.Options<any>)
    for (const item of items) assert.isTrue(queue.tryOffer(item))
    return queue
  }

  describe(`WorkQueue (${skin.name})`, () => {
    describe("order", () => {
      it("is first in, first out", async () => {
        // asyncio: Queue test_order
        assert.deepEqual(takeOut(filled({}, 1, 3, 2)), [1, 3, 2])
      })

      it("is last in, first out with order lifo", async () => {
        // asyncio: LifoQueue test_order
        assert.deepEqual(takeOut(filled({ order: "lifo" }, 1, 3, 2)), [2, 3, 1])
      })

      it("is smallest first with an order", async () => {
        // asyncio: PriorityQueue test_order
        assert.deepEqual(takeOut(filled({ order: ascending }, 1, 3, 2)), [1, 2, 3])
      })

      it("is that of arrival among equals", async () => {
        const byRank = (a: string, b: string) => a.charCodeAt(0) - b.charCodeAt(0)
        const queue = filled({ order: byRank }, "b1", "a1", "b2", "a2", "b3", "a3")
        assert.deepEqual(takeOut(queue), ["a1", "a2", "a3", "b1", "b2", "b3"])
      })

      it("does not hold for those who wait to offer: they come in in order of arrival", async () => {
        const queue = filled({ order: ascending, capacity: 1 }, 5)
        const offers = [queue.offer(9), queue.offer(1)]
        assert.deepEqual([queue.tryTake(), queue.tryTake(), queue.tryTake()], [5, 9, 1])
        await settle()
        assert.deepEqual(states(offers), ["done", "done"])
      })
    })

    describe("size", () => {
      it("is counted", async () => {
        // asyncio: test_empty
        const queue = skin.workQueue<number>()
        assert.strictEqual(queue.stats().size, 0)
        queue.tryOffer(1)
        assert.strictEqual(queue.stats().size, 1)
        queue.tryTake()
        assert.strictEqual(queue.stats().size, 0)
      })

      it("is bounded by the capacity, and by nothing without one", async () => {
        // asyncio: test_full
        const unbounded = skin.workQueue<number>()
        for (let i = 0; i < 1000; i++) assert.isTrue(unbounded.tryOffer(i))
        assert.strictEqual(unbounded.stats().capacity, Infinity)
        const queue = filled({ capacity: 1 }, 1)
        assert.isFalse(queue.tryOffer(2))
        assert.strictEqual(queue.stats().size, 1)
      })

      it("that is not an integer is refused", async () => {
        // asyncio: test_float_maxsize, deliberately different
        assert.throws(
          () => skin.workQueue({ capacity: 1.3 }),
          RangeError,
          `${skin.maker("WorkQueue")}: capacity must be an integer of at least 1, or Infinity, got 1.3`
        )
      })

      it("is in a frozen snapshot with the other numbers", async () => {
        const queue = filled({ capacity: 2 }, 1, 2)
        queue.offer(3)
        queue.tryTake()
        queue.offer(4)
        await settle()
        const stats = queue.stats()
        assert.isTrue(Object.isFrozen(stats))
        assert.deepEqual(
          { ...stats },
          {
            capacity: 2,
            size: 2,
            inUse: 1,
            waiting: 1,
            takers: 0,
            offerers: 1,
            unfinished: 3,
            dropped: 0,
            isClosed: false
          }
        )
      })
    })

    describe("take", () => {
      it("gives what is there", async () => {
        // asyncio: test_blocking_get
        const queue = filled({}, 1)
        const taker = queue.take()
        await settle()
        assert.strictEqual(taker.value, 1)
      })

      it("waits for an item", async () => {
        // asyncio: test_blocking_get_wait, test_put_with_waiting_getters
        const queue = skin.workQueue<number>()
        const taker = queue.take()
        await settle()
        assert.strictEqual(taker.state, "waiting")
        queue.tryOffer(1)
        await settle()
        assert.strictEqual(taker.value, 1)
      })

      it("serves takers in order of arrival, and nobody overtakes", async () => {
        const queue = skin.workQueue<number>()
        const takers = [queue.take(), queue.take()]
        queue.tryOffer(1)
        assert.isUndefined(queue.tryTake(), "a newcomer in the same tick finds nothing")
        queue.tryOffer(2)
        await settle()
        assert.deepEqual(
          takers.map((taker) => taker.value),
          [1, 2]
        )
      })

      it("gives undefined and null as items", async () => {
        const queue = skin.workQueue<undefined | null>()
        const taker = queue.take()
        queue.tryOffer(undefined)
        queue.tryOffer(null)
        const next = queue.take()
        await settle()
        assert.deepEqual([taker.value, next.value], [undefined, null])
      })

      it("lets the first who waits to offer in", async () => {
        // asyncio: test_get_with_putters
        const queue = filled({ capacity: 1 }, 1)
        const offers = [queue.offer(2), queue.offer(3)]
        await settle()
        assert.strictEqual(queue.tryTake(), 1)
        await settle()
        assert.deepEqual(states(offers), ["done", "waiting"])
      })

      it("serves those who wait to offer in order", async () => {
        // asyncio: test_get_with_waiting_putters
        const queue = skin.workQueue<string>({ capacity: 1 })
        const offers = [queue.offer("a"), queue.offer("b")]
        const takers = [queue.take(), queue.take()]
        await settle()
        assert.deepEqual(
          takers.map((taker) => taker.value),
          ["a", "b"]
        )
        assert.deepEqual(
          offers.map((offer) => offer.value),
          [true, true]
        )
      })
    })

    describe("tryTake and peek", () => {
      it("tryTake gives an item", async () => {
        // asyncio: test_nonblocking_get, test_nonblocking_put
        const queue = filled({}, 1)
        assert.strictEqual(queue.tryTake(), 1)
      })

      it("tryTake of nothing is no error", async () => {
        // asyncio: test_nonblocking_get_exception, deliberately different
        assert.isUndefined(skin.workQueue().tryTake())
      })

      it("peek shows what is next and leaves it", async () => {
        for (const { order } of orders) {
          const queue = skin.workQueue<number>({ order })
          assert.isUndefined(queue.peek())
          for (const item of [2, 1, 3]) queue.tryOffer(item)
          const next = queue.peek()
          assert.strictEqual(queue.stats().size, 3)
          assert.strictEqual(queue.tryTake(), next)
        }
      })
    })

    describe("takeUpTo and takeAll", () => {
      it("give what is there, without waiting for more", async () => {
        const queue = filled({}, 1, 2, 3, 4, 5)
        const two = queue.takeUpTo(2)
        const all = queue.takeAll()
        await settle()
        assert.deepEqual(two.value, [1, 2])
        assert.deepEqual(all.value, [3, 4, 5])
      })

      it("wait for the first item", async () => {
        const queue = skin.workQueue<number>()
        const two = queue.takeUpTo(2)
        const all = queue.takeAll()
        await settle()
        assert.deepEqual(states([two, all]), ["waiting", "waiting"])
        queue.tryOffer(1)
        queue.tryOffer(2)
        await settle()
        assert.deepEqual([two.value, all.value], [[1], [2]])
      })

      it("get a batch that is offered together", async () => {
        const queue = skin.workQueue<number>()
        const two = queue.takeUpTo(2)
        const all = queue.takeAll()
        queue.offerAll([1, 2, 3, 4, 5])
        await settle()
        assert.deepEqual(
          [two.value, all.value],
          [
            [1, 2],
            [3, 4, 5]
          ]
        )
      })

      it("take in the order of the queue", async () => {
        for (const { name, order } of orders) {
          const queue = skin.workQueue<number>({ order })
          for (const item of [2, 1, 3]) queue.tryOffer(item)
          const all = queue.takeAll()
          await settle()
          assert.deepEqual(all.value, name === "fifo" ? [2, 1, 3] : name === "lifo" ? [3, 1, 2] : [1, 2, 3])
        }
      })

      it("make room for all that fit", async () => {
        const queue = filled({ capacity: 2 }, 1, 2)
        const offers = [queue.offer(3), queue.offer(4), queue.offer(5)]
        const all = queue.takeAll()
        await settle()
        assert.deepEqual(all.value, [1, 2])
        assert.deepEqual(states(offers), ["done", "done", "waiting"])
      })

      it("take Infinity, and refuse what is not a count", async () => {
        const queue = filled({}, 1)
        for (const n of [0, -1, 1.5, NaN, "2" as never]) {
          const attempt = queue.takeUpTo(n)
          await settle()
          assert.instanceOf(attempt.error, typeof n === "number" ? RangeError : TypeError)
          const got = typeof n === "string" ? JSON.stringify(n) : n
          assert.strictEqual(
            (attempt.error as Error).message,
            `WorkQueue.takeUpTo: n must be an integer of at least 1, got ${got}`
          )
        }
        assert.strictEqual(queue.stats().size, 1)
        assert.strictEqual(queue.stats().takers, 0)
        const all = queue.takeUpTo(Infinity)
        await settle()
        assert.deepEqual(all.value, [1])
      })
    })

    describe("offer", () => {
      it("does not wait while there is room", async () => {
        // asyncio: test_blocking_put
        const queue = skin.workQueue<number>()
        const offer = queue.offer(1)
        await settle()
        assert.isTrue(offer.value)
        assert.strictEqual(queue.tryTake(), 1)
      })

      it("waits for room", async () => {
        // asyncio: test_blocking_put_wait, test_maxsize
        const queue = skin.workQueue<number>({ capacity: 2 })
        const offers = [queue.offer(1), queue.offer(2), queue.offer(3)]
        await settle()
        assert.deepEqual(states(offers), ["done", "done", "waiting"])
        assert.strictEqual(queue.tryTake(), 1)
        await settle()
        assert.isTrue(offers[2]!.value)
        assert.deepEqual(takeOut(queue), [2, 3])
      })

      it("is not overtaken by a newcomer", async () => {
        const queue = filled({ capacity: 1 }, 1)
        const offer = queue.offer(2)
        queue.tryTake()
        assert.isFalse(queue.tryOffer(3), "2 was let in by the take, so there is no room for 3")
        await settle()
        assert.isTrue(offer.value)
        assert.deepEqual(takeOut(queue), [2])
      })

      it("runs side by side with takes at capacity 1", async () => {
        // asyncio: test_why_are_getters_waiting
        const queue = skin.workQueue<number>({ capacity: 1 })
        const offers = [0, 1, 2, 3, 4].map((i) => queue.offer(i))
        const taken: Array<number> = []
        for (let i = 0; i < 5; i++) {
          const taker = queue.take()
          await settle()
          taken.push(taker.value)
        }
        assert.deepEqual(taken, [0, 1, 2, 3, 4])
        assert.isTrue(offers.every((offer) => offer.value))
      })

      it("by many is unblocked by one taker who drains it", async () => {
        // asyncio: test_why_are_putters_waiting
        const queue = skin.workQueue<number>({ capacity: 2 })
        const offers = [0, 1, 2, 3].map((i) => queue.offer(i))
        await settle()
        assert.deepEqual(takeOut(queue), [0, 1, 2, 3])
        await settle()
        assert.deepEqual(states(offers), ["done", "done", "done", "done"])
      })

      it("goes on beside a take", async () => {
        // asyncio: test_put_cancelled
        const queue = skin.workQueue<number>()
        const taker = queue.take()
        const offer = queue.offer(1)
        await settle()
        assert.strictEqual(taker.value, 1)
        offer.cancel()
        await settle()
        assert.isTrue(offer.value, "a cancellation that comes after the end changes nothing")
      })
    })

    describe("offerAll", () => {
      it("puts items in, and gives back none", async () => {
        const queue = skin.workQueue<number>()
        const offer = queue.offerAll(new Set([1, 2, 3]))
        await settle()
        assert.deepEqual(offer.value, [])
        assert.deepEqual(takeOut(queue), [1, 2, 3])
      })

      it("puts in what fits and waits with the rest", async () => {
        const queue = skin.workQueue<number>({ capacity: 2 })
        const offer = queue.offerAll([1, 2, 3, 4, 5])
        await settle()
        assert.strictEqual(offer.state, "waiting")
        assert.strictEqual(queue.stats().size, 2)
        assert.deepEqual([queue.tryTake(), queue.tryTake()], [1, 2])
        await settle()
        assert.strictEqual(offer.state, "waiting")
        assert.strictEqual(queue.tryTake(), 3)
        await settle()
        assert.deepEqual(offer.value, [])
        assert.deepEqual(takeOut(queue), [4, 5])
      })

      it("lets nobody in between its items while it waits", async () => {
        const queue = skin.workQueue<number>({ capacity: 2 })
        const offers = [queue.offerAll([1, 2, 3, 4]), queue.offer(9), queue.offerAll([5, 6])]
        const taken: Array<number> = []
        for (let i = 0; i < 7; i++) {
          taken.push(queue.tryTake()!)
          assert.isFalse(queue.tryOffer(0) && queue.stats().offerers > 0, "a newcomer got in before those who wait")
          await settle()
        }
        assert.deepEqual(taken, [1, 2, 3, 4, 9, 5, 6])
        assert.deepEqual(states(offers), ["done", "done", "done"])
      })

      for (const strategy of ["dropping", "sliding", "reject"] as const) {
        it(`lets nobody in between its items with the strategy ${strategy}`, async () => {
          const queue = skin.workQueue<number>({ capacity: 10, strategy })
          const offers = [queue.offerAll([1, 2, 3]), queue.offer(9), queue.offerAll([4, 5, 6])]
          await settle()
          assert.deepEqual(states(offers), ["done", "done", "done"])
          assert.deepEqual(takeOut(queue), [1, 2, 3, 9, 4, 5, 6])
        })
      }

      it("of a list that is changed afterwards offers what was in it", async () => {
        const queue = skin.workQueue<number>({ capacity: 1 })
        const items = [1, 2, 3]
        const offer = queue.offerAll(items)
        items.length = 0
        assert.deepEqual(takeOut(queue), [1, 2, 3])
        await settle()
        assert.deepEqual(offer.value, [])
      })

      it("of nothing is done at once, also when it is full", async () => {
        const queue = filled({ capacity: 1 }, 1)
        const offer = queue.offerAll([])
        await settle()
        assert.deepEqual(offer.value, [])
        assert.strictEqual(queue.stats().size, 1)
      })

      for (const strategy of ["suspend", "dropping", "sliding", "reject"] as const) {
        it(`of nothing to a closed queue is refused, as any offer is (${strategy})`, async () => {
          const queue = skin.workQueue<number>({ capacity: 1, strategy })
          queue.end()
          const offer = queue.offerAll([])
          await settle()
          isClosed(offer.error)
        })
      }

      it("refuses what is not a list, and changes nothing", async () => {
        const queue = skin.workQueue<unknown>()
        for (const [items, got] of [
          ["abc", '"abc"'],
          [5, "5"],
          [null, "null"],
          [undefined, "undefined"],
          [{}, "an object (Object)"],
          [{ [Symbol.iterator]: 5 }, "an object (Object)"],
          [{ [Symbol.asyncIterator]: () => {} }, "an object (Object)"]
        ] as const) {
          const offer = queue.offerAll(items as never)
          await settle()
          assert.strictEqual(
            (offer.error as Error).message,
            `WorkQueue.offerAll: items must be an iterable that is not a string, got ${got}`
          )
        }
        assert.strictEqual(queue.stats().unfinished, 0)
      })

      it("of an iterable that throws puts nothing in", async () => {
        const queue = skin.workQueue<number>()
        const error = new Error("halfway")
        const offer = queue.offerAll(
          (function* () {
            yield 1
            throw error
          })()
        )
        await settle()
        assert.strictEqual(offer.error, error)
        assert.strictEqual(queue.stats().size, 0)
      })
    })

    describe("strategy dropping", () => {
      it("drops what does not fit, and says so", async () => {
        const queue = skin.workQueue<number>({ capacity: 2, strategy: "dropping" })
        const offers = [queue.offer(1), queue.offer(2), queue.offer(3)]
        await settle()
        assert.deepEqual(
          offers.map((offer) => offer.value),
          [true, true, false]
        )
        assert.strictEqual(queue.stats().dropped, 1)
        assert.strictEqual(queue.stats().unfinished, 2)
        assert.deepEqual(takeOut(queue), [1, 2])
      })

      it("gives back those of offerAll that were dropped", async () => {
        const queue = skin.workQueue<number>({ capacity: 2, strategy: "dropping" })
        const offer = queue.offerAll([1, 2, 3, 4])
        await settle()
        assert.deepEqual(offer.value, [3, 4])
        assert.strictEqual(queue.stats().dropped, 2)
        assert.deepEqual(takeOut(queue), [1, 2])
      })

      it("does not count a tryOffer that found no room", async () => {
        const queue = skin.workQueue<number>({ capacity: 1, strategy: "dropping" })
        assert.deepEqual([queue.tryOffer(1), queue.tryOffer(2)], [true, false])
        assert.strictEqual(queue.stats().size, 1)
      })

      it("keeps join waiting for what was accepted only", async () => {
        const queue = skin.workQueue<number>({ capacity: 1, strategy: "dropping" })
        queue.offerAll([1, 2, 3])
        await settle()
        const join = queue.join()
        assert.strictEqual(queue.tryTake(), 1)
        await settle()
        assert.strictEqual(join.state, "waiting")
        queue.taskDone()
        await settle()
        assert.strictEqual(join.state, "done")
      })
    })

    describe("strategy sliding", () => {
      it("drops the oldest for the newest", async () => {
        for (const order of ["fifo", "lifo"] as const) {
          const queue = skin.workQueue<number>({ capacity: 2, strategy: "sliding", order })
          const offer = queue.offerAll([1, 2, 3, 4])
          await settle()
          assert.deepEqual(offer.value, [])
          assert.strictEqual(queue.stats().dropped, 2)
          assert.deepEqual(takeOut(queue), order === "fifo" ? [3, 4] : [4, 3])
        }
      })

      it("with an order drops the least urgent, and of equals the oldest", async () => {
        const byRank = (a: string, b: string) => a.charCodeAt(0) - b.charCodeAt(0)
        const queue = skin.workQueue<string>({ capacity: 3, strategy: "sliding", order: byRank })
        for (const item of ["c1", "a1", "c2"]) queue.offer(item)
        queue.offer("b1")
        await settle()
        queue.offer("c3")
        await settle()
        assert.strictEqual(queue.stats().dropped, 2)
        assert.deepEqual(takeOut(queue), ["a1", "b1", "c3"])
      })

      it("with an order says so when it is the offered item that was dropped", async () => {
        const queue = filled({ capacity: 2, strategy: "sliding", order: ascending }, 1, 2)
        const one = queue.offer(9)
        const many = queue.offerAll([0, 8])
        await settle()
        assert.isFalse(one.value)
        assert.deepEqual(many.value, [8])
        assert.isFalse(queue.tryOffer(7))
        assert.strictEqual(queue.stats().dropped, 4)
        assert.deepEqual(takeOut(queue), [0, 1])
      })

      it("counts a dropped item as done, for join and for taskDone", async () => {
        const queue = skin.workQueue<number>({ capacity: 1, strategy: "sliding" })
        queue.offerAll([1, 2, 3])
        await settle()
        assert.strictEqual(queue.stats().unfinished, 1)
        const join = queue.join()
        assert.strictEqual(queue.tryTake(), 3)
        await settle()
        assert.strictEqual(join.state, "waiting")
        queue.taskDone()
        assert.instanceOf(
          thrown(() => queue.taskDone()),
          Error
        )
        await settle()
        assert.strictEqual(join.state, "done")
      })

      it("keeps what was given back beyond its capacity, until newcomers need the place", async () => {
        const queue = skin.workQueue<number>({ capacity: 1, strategy: "sliding" })
        const taker = queue.take()
        queue.tryOffer(1)
        queue.tryOffer(2)
        taker.cancel()
        await settle()
        if (taker.state === "cancelled") assert.deepEqual(takeOut(queue), [1, 2])
        else assert.deepEqual([taker.value, ...takeOut(queue)], [1, 2])
      })
    })

    describe("strategy reject", () => {
      it("refuses what does not fit", async () => {
        // asyncio: test_nonblocking_put_exception
        const queue = skin.workQueue<number>({ capacity: 1, strategy: "reject" })
        const offers = [queue.offer(1), queue.offer(2)]
        await settle()
        assert.isTrue(offers[0]!.value)
        assert.instanceOf(offers[1]!.error, WorkQueue.QueueFull)
        assert.strictEqual((offers[1]!.error as WorkQueue.QueueFull).capacity, 1)
        assert.isFalse(queue.tryOffer(3))
        assert.deepEqual(takeOut(queue), [1])
        assert.strictEqual(queue.stats().unfinished, 1)
      })

      it("takes all of offerAll or none", async () => {
        const queue = filled({ capacity: 3, strategy: "reject" }, 1)
        const three = queue.offerAll([2, 3, 4])
        await settle()
        assert.instanceOf(three.error, WorkQueue.QueueFull)
        assert.strictEqual(queue.stats().size, 1)
        const two = queue.offerAll([2, 3])
        await settle()
        assert.deepEqual(two.value, [])
        assert.deepEqual(takeOut(queue), [1, 2, 3])
      })

      it("takes all of two offerAll at a time or none of one", async () => {
        const queue = skin.workQueue<number>({ capacity: 5, strategy: "reject" })
        const offers = [queue.offerAll([1, 2, 3]), queue.offerAll([4, 5, 6])]
        await settle()
        assert.deepEqual(states(offers), ["done", "failed"])
        assert.deepEqual(takeOut(queue), [1, 2, 3])
      })
    })

    describe("a cancelled take", () => {
      it("leaves, and the item goes to the next", async () => {
        // asyncio: test_get_cancelled_race
        const queue = skin.workQueue<number>()
        const takers = [queue.take(), queue.take()]
        takers[0]!.cancel()
        await settle()
        queue.tryOffer(1)
        await settle()
        assert.deepEqual(states(takers), ["cancelled", "done"])
        assert.strictEqual(takers[1]!.value, 1)
      })

      it("is not held by the queue", async () => {
        // asyncio: test_cancelled_getters_not_being_held_in_self_getters
        const queue = skin.workQueue<number>()
        for (let i = 0; i < 100; i++) {
          const taker = [queue.take(), queue.takeUpTo(2), queue.takeAll()][i % 3]!
          taker.cancel()
          await Promise.resolve()
        }
        for (let i = 0; i < 3; i++) await settle()
        assert.isAbove(queue.stats().takers, 0, "the ones that were not cancelled")
        const rest = queue.stats().takers
        const one = queue.take()
        await settle()
        assert.strictEqual(queue.stats().takers, rest + 1)
        one.cancel()
        await settle()
        assert.strictEqual(queue.stats().takers, rest)
      })

      for (const { name, order } of orders) {
        for (const kind of ["take", "takeUpTo", "takeAll"] as const) {
          const call = (queue: WorkQueueDriver<number>): Attempt<unknown> =>
            kind === "take" ? queue.take() : kind === "takeUpTo" ? queue.takeUpTo(2) : queue.takeAll()

          for (const deliveredFirst of [true, false]) {
            const when = deliveredFirst ? "after the delivery" : "before the delivery"

            it(`${kind} (${name}) in the same tick, ${when}, leaves the item`, async () => {
              // asyncio: test_get_cancel_drop_one_pending_reader
              const queue = skin.workQueue<number>({ order })
              const taker = call(queue)
              await settle()
              if (!deliveredFirst) taker.cancel()
              queue.tryOffer(1)
              queue.tryOffer(2)
              if (deliveredFirst) taker.cancel()
              await settle()
              assert.strictEqual(taker.state, "cancelled", "it had no chance to see the item")
              assert.deepEqual(takeOut(queue), name === "lifo" ? [2, 1] : [1, 2])
              assert.strictEqual(queue.stats().unfinished, 2)
            })

            it(`${kind} (${name}) in the same tick, ${when}, passes the item on`, async () => {
              const queue = skin.workQueue<number>({ order })
              const taker = call(queue)
              const next = queue.take()
              await settle()
              if (!deliveredFirst) taker.cancel()
              queue.tryOffer(1)
              if (deliveredFirst) taker.cancel()
              await settle()
              assert.deepEqual([taker.state, next.state], ["cancelled", "done"])
              assert.strictEqual(next.value, 1)
              assert.strictEqual(queue.stats().size, 0)
            })
          }
        }

        it(`gives items back in order (${name}) when several takers are cancelled, in any order`, async () => {
          for (const cancellation of [
            [0, 1, 2],
            [2, 1, 0],
            [1, 0, 2],
            [2, 0, 1]
          ]) {
            const queue = skin.workQueue<number>({ order })
            const takers = [queue.takeUpTo(2), queue.take(), queue.takeAll()]
            await settle()
            queue.offerAll([1, 2, 3, 4, 5, 6])
            for (const index of cancellation) takers[index]!.cancel()
            await settle()
            assert.deepEqual(states(takers), ["cancelled", "cancelled", "cancelled"])
            assert.deepEqual(takeOut(queue), name === "lifo" ? [6, 5, 4, 3, 2, 1] : [1, 2, 3, 4, 5, 6])
          }
        })

        it(`gives items back in order (${name}) among those that came meanwhile`, async () => {
          const queue = skin.workQueue<number>({ order })
          const takers = [queue.take(), queue.take()]
          await settle()
          for (const item of [2, 1, 4, 3]) queue.tryOffer(item)
          takers[1]!.cancel()
          takers[0]!.cancel()
          await settle()
          const expected = { fifo: [2, 1, 4, 3], lifo: [3, 4, 1, 2], "an order": [1, 2, 3, 4] }
          assert.deepEqual(takeOut(queue), expected[name])
        })
      }

      it("among three readers leaves two items to the other two", async () => {
        // asyncio: test_get_cancel_drop_many_pending_readers
        const queue = skin.workQueue<number>()
        const takers = [queue.take(), queue.take(), queue.take()]
        await settle()
        queue.tryOffer(1)
        queue.tryOffer(2)
        takers[0]!.cancel()
        await settle()
        assert.deepEqual(states(takers), ["cancelled", "done", "done"])
        assert.sameMembers([takers[1]!.value, takers[2]!.value], [1, 2])
      })

      it("that waited for nothing leaves room as it was", async () => {
        const queue = filled({ capacity: 1 }, 1)
        const offer = queue.offer(2)
        const taker = queue.take()
        await settle()
        taker.cancel()
        await settle()
        assert.strictEqual(taker.value, 1)
        assert.isTrue(offer.value)
      })

      it("gives back beyond the capacity rather than lose, and lets nobody in until there is room", async () => {
        const queue = skin.workQueue<number>({ capacity: 1 })
        const taker = queue.take()
        await settle()
        queue.tryOffer(1)
        queue.tryOffer(2)
        const offer = queue.offer(3)
        taker.cancel()
        await settle()
        assert.strictEqual(queue.stats().size, 2)
        assert.strictEqual(offer.state, "waiting")
        assert.strictEqual(queue.tryTake(), 1)
        await settle()
        assert.strictEqual(offer.state, "waiting")
        assert.deepEqual(takeOut(queue), [2, 3])
      })
    })

    describe("a cancelled offer", () => {
      it("leaves, and its item never comes", async () => {
        // asyncio: test_put_cancelled_race, test_cancelled_puts_not_being_held_in_self_putters
        const queue = filled({ capacity: 1 }, "a")
        const offers = [queue.offer("b"), queue.offer("X"), queue.offer("c")]
        await settle()
        offers[1]!.cancel()
        await settle()
        assert.strictEqual(queue.stats().offerers, 2)
        assert.deepEqual(takeOut(queue), ["a", "b", "c"])
        await settle()
        assert.deepEqual(states(offers), ["done", "cancelled", "done"])
      })

      for (const acceptedFirst of [true, false]) {
        for (const other of [true, false]) {
          it(`in the same tick, ${acceptedFirst ? "after" : "before"} it is let in, ${other ? "with" : "without"} another: \
is not made and can be made again`, async () => {
            // asyncio: test_put_cancel_drop, test_cancelled_put_silence_value_error_exception
            const queue = filled({ capacity: 1 }, 0)
            const offer = queue.offer(1)
            const next = other ? queue.offer(2) : undefined
            await settle()
            if (!acceptedFirst) offer.cancel()
            assert.strictEqual(queue.tryTake(), 0)
            if (acceptedFirst) offer.cancel()
            await settle()
            assert.strictEqual(offer.state, "cancelled")
            assert.strictEqual(next?.state, other ? "done" : undefined)
            const again = queue.offer(1)
            assert.deepEqual(takeOut(queue), other ? [2, 1] : [1])
            await settle()
            assert.isTrue(again.value)
            assert.strictEqual(queue.stats().unfinished, other ? 3 : 2)
          })
        }
      }

      it("in the same tick, after its item was taken, was made", async () => {
        const queue = filled({ capacity: 1 }, 0)
        const offer = queue.offer(1)
        await settle()
        assert.deepEqual(takeOut(queue), [0, 1])
        offer.cancel()
        await settle()
        assert.strictEqual(queue.stats().size, 0)
        assert.strictEqual(queue.stats().unfinished, 2)
      })

      it("that is taken back in the same tick releases those who wait for the end of all work", async () => {
        const queue = filled({ capacity: 1 }, 0)
        const offer = queue.offer(1)
        const join = queue.join()
        await settle()
        queue.tryTake()
        queue.taskDone()
        assert.strictEqual(queue.stats().unfinished, 1)
        offer.cancel()
        await settle()
        assert.strictEqual(queue.stats().unfinished, 0)
        assert.strictEqual(join.state, "done")
      })

      it("of many leaves in what got in, and lets the next in", async () => {
        const queue = skin.workQueue<number>({ capacity: 2 })
        const many = queue.offerAll([1, 2, 3, 4])
        const next = queue.offer(5)
        await settle()
        queue.tryTake()
        many.cancel()
        await settle()
        assert.deepEqual([many.state, next.state], ["cancelled", "waiting"])
        assert.deepEqual(takeOut(queue), [2, 3, 5])
        await settle()
        assert.isTrue(next.value)
      })
    })

    describe("end", () => {
      it("says whether it was open", async () => {
        const queue = skin.workQueue<number>()
        assert.isTrue(queue.end())
        assert.isFalse(queue.end())
        assert.isFalse(queue.fail("late"))
        assert.isTrue(queue.stats().isClosed)
      })

      it("of an empty queue ends those who wait, and refuses everything after", async () => {
        // asyncio: test_shutdown_empty
        const queue = skin.workQueue<number>()
        const takers = [queue.take(), queue.takeUpTo(2), queue.takeAll()]
        await settle()
        queue.end()
        const join = queue.join()
        await settle()
        takers.forEach((taker) => isClosed(taker.error))
        assert.strictEqual(join.state, "done")
        const later = [queue.offer(1), queue.offerAll([1]), queue.take(), queue.takeUpTo(1), queue.takeAll()]
        await settle()
        later.forEach((attempt) => isClosed(attempt.error))
        isClosed(thrown(() => queue.tryOffer(1)))
        isClosed(thrown(() => queue.tryTake()))
        assert.isUndefined(queue.peek())
        assert.strictEqual(queue.stats().unfinished, 0)
      })

      it("lets takers drain what is left, and join wait for it", async () => {
        // asyncio: test_shutdown_nonempty
        for (const { order } of orders) {
          const queue = skin.workQueue<number>({ capacity: 1, order })
          queue.tryOffer(1)
          const offer = queue.offer(2)
          const many = queue.offerAll([3, 4])
          const join = queue.join()
          await settle()
          queue.end()
          await settle()
          isClosed(offer.error)
          isClosed(many.error)
          isClosed(thrown(() => queue.tryOffer(5)))
          assert.strictEqual(join.state, "waiting")
          const taker = queue.take()
          await settle()
          assert.strictEqual(taker.value, 1)
          isClosed(thrown(() => queue.tryTake()))
          assert.strictEqual(join.state, "waiting")
          queue.taskDone()
          await settle()
          assert.strictEqual(join.state, "done")
          assert.throws(() => queue.taskDone(), Error, "WorkQueue.taskDone: no item is being worked on")
        }
      })

      it("while a full queue refuses comes before the refusal", async () => {
        const queue = filled({ capacity: 1, strategy: "reject" }, 1)
        queue.end()
        const attempts = [queue.offer(2), queue.offerAll([2, 3])]
        await settle()
        attempts.forEach((attempt) => isClosed(attempt.error))
      })

      it("keeps what a waiting offerAll had brought in", async () => {
        const queue = skin.workQueue<number>({ capacity: 2 })
        const many = queue.offerAll([1, 2, 3])
        await settle()
        queue.end()
        await settle()
        isClosed(many.error)
        assert.deepEqual(takeOut(queue), [1, 2])
      })

      it("of a queue comes too late for an item that was delivered in the same tick", async () => {
        const queue = skin.workQueue<number>()
        const takers = [queue.take(), queue.take()]
        await settle()
        queue.tryOffer(1)
        queue.end()
        await settle()
        assert.strictEqual(takers[0]!.value, 1)
        isClosed(takers[1]!.error)
      })

      it("leaves an item that comes back afterwards to be drained", async () => {
        const queue = skin.workQueue<number>()
        const taker = queue.take()
        await settle()
        queue.tryOffer(1)
        queue.end()
        taker.cancel()
        await settle()
        assert.strictEqual(taker.state, "cancelled")
        assert.strictEqual(queue.tryTake(), 1)
        isClosed(thrown(() => queue.tryTake()))
      })

      it("and a cancellation in the same tick end a taker once", async () => {
        const queue = skin.workQueue<number>({ capacity: 1 })
        const taker = queue.take()
        await settle()
        queue.end()
        taker.cancel()
        await settle()
        assert.include(["cancelled", "failed"], taker.state)
        assert.strictEqual(queue.stats().size, 0)
      })

      it("and a cancellation in the same tick end an offer once, and it is not made", async () => {
        const queue = filled({ capacity: 1 }, 1)
        const offer = queue.offer(2)
        await settle()
        queue.end()
        offer.cancel()
        await settle()
        assert.include(["cancelled", "failed"], offer.state)
        assert.deepEqual(takeOut(queue), [1])
      })
    })

    describe("fail", () => {
      it("lets takers drain what is left, and then fails them with the error", async () => {
        const queue = filled({}, 1)
        const error = new Error("no more")
        assert.isTrue(queue.fail(error))
        const takers = [queue.take(), queue.take(), queue.takeUpTo(2), queue.takeAll()]
        await settle()
        assert.strictEqual(takers[0]!.value, 1)
        for (const taker of takers.slice(1)) assert.strictEqual(taker.error, error)
        assert.strictEqual(
          thrown(() => queue.tryTake()),
          error
        )
        isClosed(thrown(() => queue.tryOffer(1)))
      })

      it("fails those who wait, and closes the queue to those who offer", async () => {
        const error = { custom: true }
        const empty = skin.workQueue<number>()
        const taker = empty.take()
        const full = filled({ capacity: 1 }, 1)
        const offer = full.offer(2)
        await settle()
        empty.fail(error)
        full.fail(error)
        await settle()
        assert.strictEqual(taker.error, error)
        isClosed(offer.error)
      })

      it("keeps an error that is undefined apart from an end", async () => {
        const queue = skin.workQueue<number>()
        queue.fail(undefined)
        const taker = queue.take()
        await settle()
        assert.strictEqual(taker.state, "failed")
        assert.isUndefined(taker.error)
      })

      it("counts only the first time", async () => {
        const queue = skin.workQueue<number>()
        queue.fail("first")
        assert.isFalse(queue.fail("second"))
        assert.strictEqual(
          thrown(() => queue.tryTake()),
          "first"
        )
      })
    })

    describe("shutdown", () => {
      it("gives what was left, and releases join", async () => {
        // asyncio: test_shutdown_immediate
        for (const { name, order } of orders) {
          const queue = skin.workQueue<number>({ order })
          for (const item of [2, 1, 3]) queue.tryOffer(item)
          const join = queue.join()
          await settle()
          const left = queue.shutdown()
          assert.deepEqual(left, name === "fifo" ? [2, 1, 3] : name === "lifo" ? [3, 1, 2] : [1, 2, 3])
          await settle()
          assert.strictEqual(join.state, "done")
          const attempts = [queue.offer(1), queue.take()]
          await settle()
          attempts.forEach((attempt) => isClosed(attempt.error))
          isClosed(thrown(() => queue.tryOffer(1)))
          isClosed(thrown(() => queue.tryTake()))
          assert.throws(() => queue.taskDone(), Error, "WorkQueue.taskDone: no item is being worked on")
          assert.deepEqual(queue.shutdown(), [])
        }
      })

      it("leaves join waiting for what is being worked on", async () => {
        // asyncio: test_shutdown_immediate_with_unfinished
        for (const { order } of orders) {
          const queue = skin.workQueue<number>({ order })
          queue.tryOffer(1)
          queue.tryOffer(2)
          const join = queue.join()
          const taken = queue.tryTake()
          assert.deepEqual([taken, ...queue.shutdown()].sort(), [1, 2])
          await settle()
          assert.strictEqual(join.state, "waiting")
          queue.taskDone()
          await settle()
          assert.strictEqual(join.state, "done")
          assert.instanceOf(
            thrown(() => queue.taskDone()),
            Error
          )
        }
      })

      it("ends those who wait to take", async () => {
        const queue = skin.workQueue<number>()
        const takers = [queue.take(), queue.takeAll()]
        await settle()
        assert.deepEqual(queue.shutdown(), [])
        await settle()
        takers.forEach((taker) => isClosed(taker.error))
      })

      it("ends those who wait to offer, and gives only what was in", async () => {
        const queue = filled({ capacity: 2 }, 1)
        const offers = [queue.offerAll([2, 3, 4]), queue.offer(5)]
        await settle()
        assert.deepEqual(queue.shutdown(), [1, 2])
        await settle()
        offers.forEach((offer) => isClosed(offer.error))
      })

      it("after an end gives what nobody has drained", async () => {
        const queue = filled({}, 1, 2)
        queue.end()
        assert.deepEqual(queue.shutdown(), [1, 2])
        assert.strictEqual(queue.stats().unfinished, 0)
      })

      it("leaves an item that was delivered in the same tick to its taker", async () => {
        // asyncio: contract of immediate=True, deliberately different
        const queue = skin.workQueue<number>()
        const taker = queue.take()
        await settle()
        queue.tryOffer(1)
        assert.deepEqual(queue.shutdown(), [], "or it would be delivered twice")
        await settle()
        assert.strictEqual(taker.value, 1)
      })

      it("and a cancelled taker lose no delivered item: a second shutdown gives it", async () => {
        const queue = skin.workQueue<number>()
        const taker = queue.take()
        await settle()
        queue.tryOffer(1)
        assert.deepEqual(queue.shutdown(), [])
        taker.cancel()
        await settle()
        assert.strictEqual(taker.state, "cancelled")
        assert.deepEqual(queue.shutdown(), [1])
        assert.strictEqual(queue.stats().unfinished, 0)
      })
    })

    describe("join and taskDone", () => {
      it("join of a queue that was never used returns, twice", async () => {
        // asyncio: test_join_empty_queue
        const queue = skin.workQueue<number>()
        for (let i = 0; i < 2; i++) {
          const join = queue.join()
          await settle()
          assert.strictEqual(join.state, "done")
        }
      })

      for (const { name, order } of orders) {
        it(`taskDone of a fresh queue is refused (${name})`, async () => {
          // asyncio: test_task_done_underflow
          const queue = skin.workQueue<number>({ order })
          const message = "WorkQueue.taskDone: no item is being worked on: called more often than items were taken"
          assert.throws(() => queue.taskDone(), Error, message)
          queue.tryOffer(1)
          assert.throws(() => queue.taskDone(), Error, message)
          assert.strictEqual(queue.stats().unfinished, 1)
        })

        it(`join returns when 100 items are done by 2 workers (${name})`, async () => {
          // asyncio: test_task_done
          const queue = skin.workQueue<number>({ order })
          let sum = 0
          for (let i = 0; i < 100; i++) queue.tryOffer(i)
          const join = queue.join()
          const workers = [0, 1].map(() =>
            queue.consume(async (item) => {
              await Promise.resolve()
              if (queue.stats().unfinished > 1) assert.strictEqual(join.state, "waiting")
              sum += item
            })
          )
          await settle()
          assert.strictEqual(join.state, "done")
          assert.strictEqual(sum, 4950)
          queue.end()
          await settle()
          assert.deepEqual(states(workers), ["done", "done"])
        })
      }

      it("join waits for what is done by hand, and not for what is taken", async () => {
        const queue = filled({}, 1, 2)
        const joins = [queue.join(), queue.join()]
        takeOut(queue)
        queue.taskDone()
        await settle()
        assert.deepEqual(states(joins), ["waiting", "waiting"])
        queue.taskDone()
        await settle()
        assert.deepEqual(states(joins), ["done", "done"])
      })

      it("a cancelled join leaves the others waiting", async () => {
        const queue = filled({}, 1)
        const joins = [queue.join(), queue.join()]
        await settle()
        joins[0]!.cancel()
        await settle()
        queue.tryTake()
        queue.taskDone()
        await settle()
        assert.deepEqual(states(joins), ["cancelled", "done"])
      })

      it("a join that is cancelled in the same tick as its end ends once", async () => {
        for (const doneFirst of [true, false]) {
          const queue = filled({}, 1)
          const join = queue.join()
          queue.tryTake()
          await settle()
          if (!doneFirst) join.cancel()
          queue.taskDone()
          if (doneFirst) join.cancel()
          await settle()
          assert.strictEqual(join.state, "cancelled")
          assert.strictEqual(queue.stats().unfinished, 0)
        }
      })
    })

    describe("consume", () => {
      it("works items off, one at a time, until the end", async () => {
        const queue = filled({}, 1, 2)
        const seen: Array<number> = []
        let running = 0
        const consumer = queue.consume(async (item) => {
          assert.strictEqual(++running, 1)
          await Promise.resolve()
          running--
          seen.push(item)
        })
        await settle()
        assert.deepEqual(seen, [1, 2])
        assert.strictEqual(queue.stats().takers, 1)
        queue.tryOffer(3)
        queue.end()
        await settle()
        assert.strictEqual(consumer.state, "done")
        assert.deepEqual(seen, [1, 2, 3])
        assert.strictEqual(queue.stats().unfinished, 0)
      })

      it("of an ended, empty queue is done at once", async () => {
        const queue = skin.workQueue<number>()
        queue.end()
        const consumer = queue.consume(async () => assert.fail("there is no item"), { concurrency: 3 })
        await settle()
        assert.strictEqual(consumer.state, "done")
      })

      it("is ended by shutdown, once the handlers that run have ended", async () => {
        const queue = filled({}, 1, 2, 3)
        const gates: Array<() => void> = []
        const consumer = queue.consume(() => new Promise<void>((resolve) => gates.push(resolve)))
        await settle()
        assert.deepEqual(queue.shutdown(), [2, 3])
        await settle()
        assert.strictEqual(consumer.state, "waiting")
        gates[0]!()
        await settle()
        assert.strictEqual(consumer.state, "done")
        assert.strictEqual(queue.stats().unfinished, 0)
      })

      it("works on as many items at a time as it was told, and no more", async () => {
        const queue = skin.workQueue<number>()
        const gates: Array<() => void> = []
        const consumer = queue.consume(() => new Promise<void>((resolve) => gates.push(resolve)), { concurrency: 3 })
        queue.offerAll([1, 2, 3, 4, 5])
        await settle()
        assert.strictEqual(gates.length, 3)
        assert.strictEqual(queue.stats().size, 2)
        assert.strictEqual(queue.stats().inUse, 3)
        gates[0]!()
        await settle()
        assert.strictEqual(gates.length, 4)
        queue.end()
        for (let i = 1; i < 5; i++) {
          await settle()
          gates[i]!()
        }
        await settle()
        assert.strictEqual(consumer.state, "done")
      })

      it("lets join wait without sentinels", async () => {
        const queue = skin.workQueue<number>({ capacity: 2 })
        let done = 0
        const consumer = queue.consume(
          async () => {
            await new Promise((resolve) => setImmediate(resolve))
            done++
          },
          { concurrency: 2 }
        )
        const offer = queue.offerAll(Array.from({ length: 10 }, (_, i) => i))
        const join = queue.join()
        for (let i = 0; i < 5; i++) await settle()
        assert.strictEqual(offer.state, "done")
        assert.strictEqual(join.state, "done")
        assert.strictEqual(done, 10)
        assert.strictEqual(consumer.state, "waiting", "the consumer goes on")
      })

      it("after fail(e) works off what is left and fails with e", async () => {
        for (const concurrency of [1, 3]) {
          const queue = filled({}, 1, 2)
          const error = new Error("no more")
          const seen: Array<number> = []
          const waiting = skin.workQueue<number>()
          const idle = waiting.consume(async () => {}, { concurrency })
          await settle()
          queue.fail(error)
          waiting.fail(error)
          const consumer = queue.consume(async (item) => void seen.push(item), { concurrency })
          await settle()
          assert.strictEqual(consumer.error, error)
          assert.strictEqual(idle.error, error)
          assert.deepEqual(seen, [1, 2])
          assert.strictEqual(queue.stats().unfinished, 0)
        }
      })

      it("after fail(e) lets the handlers that run end before it fails with e", async () => {
        const queue = filled({}, 1, 2)
        const gates: Array<() => void> = []
        const consumer = queue.consume(() => new Promise<void>((resolve) => gates.push(resolve)), { concurrency: 3 })
        await settle()
        queue.fail("no more")
        await settle()
        assert.strictEqual(consumer.state, "waiting")
        assert.strictEqual(queue.stats().inUse, 2)
        gates.forEach((open) => open())
        await settle()
        assert.strictEqual(consumer.error, "no more")
        assert.strictEqual(queue.stats().unfinished, 0)
      })

      it("onFailure fail keeps the item at the head and fails with the error", async () => {
        for (const options of [{}, { onFailure: "fail" as const }]) {
          const queue = filled({}, 1, 2, 3)
          const error = new Error("bad item")
          const seen: Array<number> = []
          const consumer = queue.consume(async (item) => {
            seen.push(item)
            if (item === 2) throw error
          }, options)
          await settle()
          assert.strictEqual(consumer.error, error)
          assert.deepEqual(seen, [1, 2])
          assert.strictEqual(queue.stats().unfinished, 2)
          assert.deepEqual(takeOut(queue), [2, 3])
        }
      })

      it("onFailure requeue puts the item behind all others and goes on", async () => {
        const queue = filled({}, 1, 2, 3)
        const seen: Array<number> = []
        const consumer = queue.consume(
          async (item) => {
            seen.push(item)
            if (seen.length === 1) throw new Error("not now")
          },
          { onFailure: "requeue" }
        )
        await settle()
        assert.deepEqual(seen, [1, 2, 3, 1])
        assert.strictEqual(queue.stats().unfinished, 0)
        assert.strictEqual(consumer.state, "waiting")
      })

      it("onFailure requeue puts the item behind its equals in an order", async () => {
        const byRank = (a: string, b: string) => a.charCodeAt(0) - b.charCodeAt(0)
        const queue = filled({ order: byRank }, "b1", "a1", "a2")
        const seen: Array<string> = []
        queue.consume(
          async (item) => {
            seen.push(item)
            if (seen.length === 1) throw new Error("not now")
          },
          { onFailure: "requeue" }
        )
        await settle()
        assert.deepEqual(seen, ["a1", "a2", "a1", "b1"])
      })

      it("onFailure requeue keeps an ended or full queue's item", async () => {
        const queue = filled({ capacity: 2 }, 1, 2)
        const offer = queue.offer(3)
        await settle()
        const seen: Array<number> = []
        const consumer = queue.consume(
          async (item) => {
            seen.push(item)
            if (seen.length === 1) {
              queue.end()
              throw new Error("not now")
            }
          },
          { onFailure: "requeue" }
        )
        await settle()
        assert.strictEqual(offer.state, "done")
        assert.deepEqual(seen, [1, 2, 3, 1])
        assert.strictEqual(consumer.state, "done")
        assert.strictEqual(queue.stats().unfinished, 0)
      })

      it("onFailure drop counts the item as done and goes on", async () => {
        const queue = filled({}, 1, 2, 3)
        const seen: Array<number> = []
        const join = queue.join()
        const consumer = queue.consume(
          async (item) => {
            if (item === 2) throw new Error("bad item")
            seen.push(item)
          },
          { onFailure: "drop" }
        )
        await settle()
        assert.deepEqual(seen, [1, 3])
        assert.strictEqual(join.state, "done")
        assert.strictEqual(consumer.state, "waiting")
      })

      it("refuses an unknown onFailure before it takes anything", async () => {
        const queue = filled({}, 1)
        let calls = 0
        const consumer = queue.consume(async () => void calls++, { onFailure: "retry" as never })
        await settle()
        assert.strictEqual(
          (consumer.error as Error).message,
          'WorkQueue.consume: onFailure must be one of "fail", "requeue", "drop", got "retry"'
        )
        assert.strictEqual(calls, 0)
        assert.strictEqual(queue.stats().size, 1)
      })

      it("refuses a bad concurrency, handler or options, and takes nothing", async () => {
        const queue = filled({}, 1)
        const refusals: Array<[Attempt<void>, string]> = []
        for (const concurrency of [0, -1, 1.5, NaN, Infinity, "2" as never]) {
          const got = typeof concurrency === "string" ? '"2"' : concurrency
          refusals.push([
            queue.consume(async () => {}, { concurrency }),
            `WorkQueue.consume: concurrency must be an integer of at least 1, got ${got}`
          ])
        }
        await settle()
        for (const [attempt, message] of refusals) {
          assert.instanceOf(attempt.error, message.endsWith('"') ? TypeError : RangeError)
          assert.strictEqual((attempt.error as Error).message, message)
        }
        assert.strictEqual(queue.stats().size, 1)
        assert.strictEqual(queue.stats().waiting, 0)
      })

      it("cancelled while it waits leaves the queue", async () => {
        const queue = skin.workQueue<number>()
        const consumer = queue.consume(async () => {}, { concurrency: 3 })
        await settle()
        assert.strictEqual(queue.stats().takers, 3)
        consumer.cancel()
        await settle()
        assert.strictEqual(consumer.state, "cancelled")
        assert.strictEqual(queue.stats().takers, 0)
      })

      it("cancelled at once has done an item or leaves it", async () => {
        for (const concurrency of [1, 3]) {
          const queue = filled({}, 1, 2, 3)
          const seen: Array<number> = []
          const consumer = queue.consume(async (item) => void seen.push(item), { concurrency })
          consumer.cancel()
          await settle()
          assert.strictEqual(consumer.state, "cancelled")
          const { inUse, unfinished } = queue.stats()
          const left = takeOut(queue)
          assert.deepEqual([inUse, unfinished], [0, left.length])
          assert.deepEqual(left, [1, 2, 3].slice(3 - left.length))
          assert.includeMembers([...seen, ...left], [1, 2, 3])
        }
      })

      it("cancelled in the same tick as a delivery leaves the items in order", async () => {
        for (const deliveredFirst of [true, false]) {
          const queue = skin.workQueue<number>()
          const seen: Array<number> = []
          const consumer = queue.consume(async (item) => void seen.push(item))
          await settle()
          if (!deliveredFirst) consumer.cancel()
          queue.offerAll([1, 2, 3])
          if (deliveredFirst) consumer.cancel()
          await settle()
          assert.strictEqual(consumer.state, "cancelled")
          assert.deepEqual(takeOut(queue), [1, 2, 3])
          assert.deepEqual(seen, [])
        }
      })

      it("of several at a time, cancelled in the same tick as a delivery, has done an item or leaves it", async () => {
        for (const deliveredFirst of [true, false]) {
          const queue = skin.workQueue<number>()
          const seen: Array<number> = []
          const consumer = queue.consume(async (item) => void seen.push(item), { concurrency: 2 })
          await settle()
          if (!deliveredFirst) consumer.cancel()
          queue.offerAll([1, 2, 3])
          if (deliveredFirst) consumer.cancel()
          await settle()
          assert.strictEqual(consumer.state, "cancelled")
          const { inUse, size, takers } = queue.stats()
          assert.deepEqual([inUse, takers], [0, 0])
          const rest = takeOut(queue)
          assert.strictEqual(rest.length, size)
          assert.deepEqual(rest, [1, 2, 3].slice(3 - size), "in order")
          assert.includeMembers([...seen, ...rest], [1, 2, 3])
        }
      })

      it("that fails in one handler stops the waits of its siblings", async () => {
        const queue = skin.workQueue<number>()
        const error = new Error("bad item")
        const consumer = queue.consume(
          async () => {
            throw error
          },
          { concurrency: 4 }
        )
        await settle()
        queue.tryOffer(1)
        await settle()
        assert.strictEqual(consumer.error, error)
        assert.strictEqual(queue.stats().takers, 0)
        assert.deepEqual(takeOut(queue), [1])
      })

      it("that fails does not hand the failed item to its siblings", async () => {
        for (const late of [false, true]) {
          const queue = skin.workQueue<number>()
          let calls = 0
          const consumer = queue.consume(
            async () => {
              calls++
              if (late) await Promise.resolve()
              throw new Error(`call ${calls}`)
            },
            { concurrency: 4 }
          )
          await settle()
          queue.tryOffer(1)
          await settle()
          assert.strictEqual((consumer.error as Error).message, "call 1")
          assert.strictEqual(calls, 1, "the item goes back to the head when nobody of this consumption takes any more")
          assert.deepEqual([queue.stats().takers, queue.stats().inUse], [0, 0])
          assert.deepEqual(takeOut(queue), [1])
        }
      })

      it("of 100,000 items by 3 consumers through a small queue does not hang", async () => {
        const queue = skin.workQueue<number>({ capacity: 100 })
        let count = 0
        let sum = 0
        const consumers = [0, 1, 2].map(() =>
          queue.consume(async (item) => {
            count++
            sum += item
          })
        )
        const offer = queue.offerAll(Array.from({ length: 100_000 }, (_, i) => i))
        const join = queue.join()
        for (let i = 0; i < 5000 && join.state === "waiting"; i++) await settle()
        assert.deepEqual([offer.state, join.state, count, sum], ["done", "done", 100_000, 4_999_950_000])
        queue.end()
        await settle()
        assert.deepEqual(states(consumers), ["done", "done", "done"])
      }, 60_000)
    })

    describe("an order that throws", () => {
      let armed = false
      const fragile = (a: number, b: number): number => {
        if (armed) throw new Error("cannot compare")
        return a - b
      }
      const failing = async <A>(f: () => A): Promise<A> => {
        armed = true
        try {
          const result = f()
          await settle()
          return result
        } finally {
          armed = false
        }
      }
      const cannotCompare = (attempt: Attempt<unknown>) =>
        assert.strictEqual((attempt.error as Error).message, "cannot compare")

      for (const strategy of ["suspend", "dropping", "sliding", "reject"] as const) {
        it(`changes nothing when an item is offered (${strategy})`, async () => {
          const queue = filled({ order: fragile, capacity: 4, strategy }, 3, 1, 2)
          const before = queue.stats()
          cannotCompare(await failing(() => queue.offer(0)))
          cannotCompare(await failing(() => queue.offerAll([0])))
          await failing(() => assert.throws(() => queue.tryOffer(0), "cannot compare"))
          assert.deepEqual(queue.stats(), before)
          assert.isTrue(queue.tryOffer(0))
          assert.deepEqual(takeOut(queue), [0, 1, 2, 3])
        })

        it(`loses nothing when items are taken: those that it cannot tell apart come as they arrived (${strategy})`, async () => {
          const queue = filled({ order: fragile, capacity: 10, strategy }, 3, 1, 5, 4, 2, 6)
          const first = await failing(() => queue.take())
          const some = await failing(() => queue.takeUpTo(2))
          const one = await failing(() => queue.tryTake())
          assert.strictEqual(first.value, 1)
          assert.strictEqual(queue.stats().inUse, 4)
          const all = [first.value, ...some.value, one!, ...takeOut(queue)]
          assert.deepEqual(all.sort(ascending), [1, 2, 3, 4, 5, 6])
        })
      }

      it("halfway through takeUpTo, takeAll or shutdown loses nothing", async () => {
        for (const kind of ["takeUpTo", "takeAll", "shutdown"] as const) {
          let comparisons = Infinity
          const wearing = (a: number, b: number): number => {
            if (comparisons-- <= 0) throw new Error("cannot compare")
            return a - b
          }
          for (let limit = 0; limit < 12; limit++) {
            comparisons = Infinity
            const queue = filled({ order: wearing }, 5, 3, 1, 4, 2, 6)
            comparisons = limit
            let given: Array<number> = []
            if (kind === "shutdown") {
              try {
                given = queue.shutdown()
              } catch {}
            } else {
              const attempt = kind === "takeAll" ? queue.takeAll() : queue.takeUpTo(4)
              await settle()
              if (attempt.state === "done") given = attempt.value
            }
            comparisons = Infinity
            const inUse = queue.stats().inUse
            const rest = takeOut(queue)
            const all = [...given, ...rest]
            assert.deepEqual(all.sort(ascending), [1, 2, 3, 4, 5, 6], `${kind} after ${limit} comparisons`)
            assert.strictEqual(inUse, kind === "shutdown" ? 0 : given.length, `${kind} after ${limit} comparisons`)
          }
        }
      })

      it("in a full sliding queue refuses the offer whole, or accepts it whole, wherever it throws", async () => {
        for (let limit = 0; limit < 12; limit++) {
          let comparisons = Infinity
          const wearing = (a: number, b: number): number => {
            if (comparisons-- <= 0) throw new Error("cannot compare")
            return a - b
          }
          const queue = filled({ order: wearing, capacity: 5, strategy: "sliding" }, 5, 3, 1, 4, 2)
          comparisons = limit
          const offer = queue.offer(0)
          await settle()
          comparisons = Infinity
          const left = takeOut(queue)
          assert.strictEqual(new Set(left).size, 5, `after ${limit} comparisons`)
          // A refused offer is not in; which item made room for an accepted one is the order's to say, while it can.
          if (offer.state === "failed")
            assert.deepEqual(left.sort(ascending), [1, 2, 3, 4, 5], `after ${limit} comparisons`)
          else assert.strictEqual(left.includes(0), offer.value, `after ${limit} comparisons`)
        }
      })

      it("in a sliding queue leaves a take whole, wherever it throws", async () => {
        for (let limit = 0; limit < 12; limit++) {
          let comparisons = Infinity
          const wearing = (a: number, b: number): number => {
            if (comparisons-- <= 0) throw new Error("cannot compare")
            return a - b
          }
          const queue = filled({ order: wearing, capacity: 5, strategy: "sliding" }, 5, 3, 1, 4, 2)
          comparisons = limit
          const taker = queue.take()
          await settle()
          comparisons = Infinity
          const taken = taker.state === "done" ? [taker.value] : []
          const all = [...taken, ...takeOut(queue)]
          assert.deepEqual(all.sort(ascending), [1, 2, 3, 4, 5], `after ${limit} comparisons`)
          assert.isTrue(queue.tryOffer(7), `after ${limit} comparisons`)
          assert.strictEqual(queue.tryTake(), 7, `after ${limit} comparisons`)
        }
      })

      it("fails the offer that waited, and not the take that made room", async () => {
        const bad = (a: number, b: number): number => {
          if (a === 13 || b === 13) throw new Error("cannot compare")
          return a - b
        }
        const queue = filled({ order: bad, capacity: 2 }, 1, 2)
        const offers = [queue.offer(13), queue.offerAll([0, 13, 4]), queue.offer(5)]
        await settle()
        assert.strictEqual(queue.tryTake(), 1)
        await settle()
        cannotCompare(offers[0]!)
        assert.strictEqual(queue.stats().size, 2)
        assert.deepEqual(takeOut(queue), [0, 2, 5])
        await settle()
        cannotCompare(offers[1]!)
        assert.isTrue(offers[2]!.value)
        assert.strictEqual(queue.stats().offerers, 0)
      })

      it("loses no item that is given back, and leaves no taker waiting in vain", async () => {
        const queue = skin.workQueue<number>({ order: fragile })
        const takers = [queue.takeUpTo(3), queue.take()]
        await settle()
        queue.offerAll([3, 1, 2, 4])
        await failing(() => takers.forEach((taker) => taker.cancel()))
        const rest = takeOut(queue)
        assert.sameMembers(rest, [1, 2, 3, 4])
        assert.strictEqual(queue.stats().unfinished, 4)
      })
    })

    describe("bad options", () => {
      for (const [options, message] of [
        [{ capacity: 0 }, "capacity must be an integer of at least 1, or Infinity, got 0"],
        [{ capacity: -1 }, "capacity must be an integer of at least 1, or Infinity, got -1"],
        [{ capacity: NaN }, "capacity must be an integer of at least 1, or Infinity, got NaN"],
        [{ capacity: "5" }, 'capacity must be an integer of at least 1, or Infinity, got "5"'],
        [{ strategy: "block" }, 'strategy must be one of "suspend", "dropping", "sliding", "reject", got "block"'],
        [{ order: "random" }, 'order must be one of "fifo", "lifo", got "random"'],
        [null, "options must be an object, got null"],
        [5, "options must be an object, got 5"]
      ] as ReadonlyArray<[any, string]>) {
        it(`are refused: ${JSON.stringify(options)} ${message.slice(-4)}`, async () => {
          const error = thrown(() => skin.workQueue(options))
          assert.isTrue(error instanceof RangeError || error instanceof TypeError)
          assert.strictEqual((error as Error).message, `${skin.maker("WorkQueue")}: ${message}`)
        })
      }
    })

    describe("conservation", () => {
      type Step =
        | { readonly kind: "offer" | "tryOffer" | "take" | "takeAll" | "tryTake" | "tick" }
        | { readonly kind: "offerAll" | "takeUpTo" | "cancel"; readonly n: number }

      const step: FastCheck.Arbitrary<Step> = FastCheck.oneof(
        { weight: 4, arbitrary: FastCheck.constantFrom<Step>({ kind: "offer" }, { kind: "take" }) },
        {
          weight: 2,
          arbitrary: FastCheck.constantFrom<Step>({ kind: "tryOffer" }, { kind: "takeAll" }, { kind: "tryTake" })
        },
        {
          weight: 3,
          arbitrary: FastCheck.record({
            kind: FastCheck.constantFrom("offerAll" as const, "takeUpTo" as const),
            n: FastCheck.integer({ min: 1, max: 4 })
          })
        },
        {
          weight: 5,
          arbitrary: FastCheck.record({ kind: FastCheck.constant("cancel" as const), n: FastCheck.nat(50) })
        },
        { weight: 2, arbitrary: FastCheck.constant<Step>({ kind: "tick" }) }
      )

      for (const { name, order } of orders) {
        it(`any schedule of offers, takes and cancellations keeps every item exactly once (${name})`, async () => {
          const schedule = FastCheck.array(step, { maxLength: 30 })
          await FastCheck.assert(
            FastCheck.asyncProperty(schedule, FastCheck.constantFrom(1, 2, 5, Infinity), async (steps, capacity) => {
              const queue = skin.workQueue<number>({ capacity, order })
              let next = 0
              const given: Array<number> = []
              const singles: Array<[number, Attempt<boolean>]> = []
              const batches: Array<[Array<number>, Attempt<Array<number>>]> = []
              const takes: Array<Attempt<number>> = []
              const batchTakes: Array<Attempt<Array<number>>> = []
              const all: Array<Attempt<unknown>> = []
              const keep = <A>(attempt: Attempt<A>): Attempt<A> => {
                all.push(attempt)
                return attempt
              }
              for (const step of steps) {
                switch (step.kind) {
                  case "offer":
                    singles.push([next, keep(queue.offer(next))])
                    next++
                    break
                  case "tryOffer":
                    if (queue.tryOffer(next)) given.push(next)
                    next++
                    break
                  case "offerAll": {
                    const items = Array.from({ length: step.n }, () => next++)
                    batches.push([items, keep(queue.offerAll(items))])
                    break
                  }
                  case "take":
                    takes.push(keep(queue.take()))
                    break
                  case "takeUpTo":
                    batchTakes.push(keep(queue.takeUpTo(step.n)))
                    break
                  case "takeAll":
                    batchTakes.push(keep(queue.takeAll()))
                    break
                  case "tryTake": {
                    const item = queue.tryTake()
                    if (item !== undefined)
                      takes.push({ state: "done", value: item, error: undefined, cancel: () => {} })
                    break
                  }
                  case "cancel":
                    if (all.length > 0) all[step.n % all.length]!.cancel()
                    break
                  case "tick":
                    await settle()
                }
              }
              await settle()
              const { isClosed, offerers, size, takers } = queue.stats()
              assert.isFalse(isClosed)
              assert.isFalse(takers > 0 && size > 0, "somebody waits to take what is there")
              assert.isFalse(offerers > 0 && size < capacity, "somebody waits to offer while there is room")
              assert.strictEqual(all.filter((attempt) => attempt.state === "waiting").length, takers + offerers)
              const left = queue.shutdown()
              await settle()
              assert.isTrue(
                all.every((attempt) => attempt.state !== "waiting"),
                "somebody waits for ever"
              )
              const taken = [
                ...takes.flatMap((take) => (take.state === "done" ? [take.value] : [])),
                ...batchTakes.flatMap((take) => (take.state === "done" ? take.value : []))
              ]
              const out = [...taken, ...left]
              assert.strictEqual(new Set(out).size, out.length, "an item is there twice")
              assert.strictEqual(queue.stats().unfinished, taken.length)
              const has = new Set(out)
              for (const item of given) assert.isTrue(has.has(item), `${item} is lost`)
              for (const [item, offer] of singles) {
                if (offer.state === "done") assert.isTrue(has.has(item), `${item} is lost`)
                else assert.isFalse(left.includes(item), `${item} is in although its offer was not made`)
              }
              for (const [items, offer] of batches) {
                const came = items.filter((item) => has.has(item))
                if (offer.state === "done") assert.deepEqual(came, items, "part of a batch is lost")
                else assert.deepEqual(came, items.slice(0, came.length), "a batch has a hole")
              }
            }),
            { numRuns: 60 }
          )
        })
      }
    })
  })
}
