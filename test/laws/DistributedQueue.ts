/** What a distributed queue does, over a store in memory that fails, or answers late, when a test says so. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { type DeliveryStore, DistributedQueue } from "effect-concurrency/distributed"
import * as Promises from "effect-concurrency/promise/distributed"
import { afterEach, beforeEach, vi } from "vitest"
import type {
  Change,
  Counts,
  DeadLetter,
  DeadRequest,
  ExchangeAnswer,
  ExchangeRequest,
  OfferRequest
} from "../../src/core/deliveries.js"
import { LeaseLost } from "../../src/core/lease.js"
import { MemoryDeliveries } from "../../src/core/memoryDeliveries.js"
import { StoreError } from "../../src/core/storeError.js"
import { Timekeeper } from "../../src/core/timekeeper.js"
import { gate } from "../utils/gate.js"
import { onPlatform, onStepClock, onTheClock, type StepTimes } from "./RateLimiter.js"
import { type Attempt, fork, settle, start } from "./skins.js"

/** A store in memory. */
export class HandStore implements Promises.DeliveryStore {
  /** Whether it can be reached: not at all; or what it is asked arrives, and its answers do not. */
  mode: "up" | "down" | "mute" = "up"
  /** Answers wait until they are let go. */
  held: Array<() => void> | undefined
  reason: "connection" | "wrong type" = "connection"
  readonly memory: MemoryDeliveries
  questions = 0
  /** The most that it had leased. */
  most = 0
  watchers = 0

  constructor(now: () => number) {
    this.memory = new MemoryDeliveries(new Timekeeper({ now, sleep: () => () => {} }))
  }

  private async ask<A>(f: () => A): Promise<A> {
    this.questions++
    if (this.mode === "down") throw this.error()
    const answer = f()
    this.most = Math.max(this.most, this.memory.counts("q").leased)
    if (this.mode === "mute") throw this.error()
    if (this.held !== undefined) await new Promise<void>((resolve) => this.held!.push(resolve))
    return answer
  }

  private error(): StoreError {
    return new StoreError("the store is down", { reason: this.reason })
  }

  offer(request: OfferRequest): Promise<ReadonlyArray<boolean>> {
    return this.ask(() => this.memory.offer(request))
  }

  exchange(request: ExchangeRequest): Promise<ExchangeAnswer> {
    return this.ask(() => this.memory.exchange(request))
  }

  counts(name: string): Promise<Counts> {
    return this.ask(() => this.memory.counts(name))
  }

  deadLetters(name: string, limit: number): Promise<ReadonlyArray<DeadLetter>> {
    return this.ask(() => this.memory.deadLetters(name, limit))
  }

  requeue(request: DeadRequest): Promise<number> {
    return this.ask(() => this.memory.requeue(request))
  }

  purge(request: DeadRequest): Promise<number> {
    return this.ask(() => this.memory.purge(request))
  }

  /** No message arrives while it is `deaf`. */
  deaf = false

  async watch(name: string, changed: (change: Change) => void): Promise<() => void> {
    if (this.mode !== "up") throw this.error()
    this.watchers++
    const stop = this.memory.watch(name, (change) => {
      if (!this.deaf) changed(change)
    })
    return () => {
      this.watchers--
      stop()
    }
  }

  /** Lets all answers go. */
  async letGo(): Promise<void> {
    const held = this.held ?? []
    this.held = undefined
    for (const go of held) go()
    await settle()
  }

  /** ready, delayed, leased, dead */
  get state(): ReadonlyArray<number> {
    const { dead, delayed, leased, ready } = this.memory.counts("q")
    return [ready, delayed, leased, dead]
  }
}

/** The store for an Effect program. */
export const inEffect = (store: HandStore): DeliveryStore.DeliveryStoreShape => {
  const ask = <A>(f: () => Promise<A>): Effect.Effect<A, StoreError> =>
    Effect.tryPromise({ try: f, catch: (error) => error as StoreError })
  return {
    offer: (request) => ask(() => store.offer(request)),
    exchange: (request) => ask(() => store.exchange(request)),
    counts: (name) => ask(() => store.counts(name)),
    deadLetters: (name, limit) => ask(() => store.deadLetters(name, limit)),
    requeue: (request) => ask(() => store.requeue(request)),
    purge: (request) => ask(() => store.purge(request)),
    watch: (name, changed) =>
      Effect.asVoid(
        Effect.acquireRelease(
          ask(() => store.watch(name, changed)),
          (stop) => Effect.sync(stop)
        )
      )
  }
}

interface Taken {
  readonly item: unknown
  readonly id: string
  readonly attempt: number
  readonly token: number
  acknowledge(): Attempt<void>
  reject(options?: { reason?: string; delay?: number }): Attempt<void>
  giveBack(): Attempt<void>
  check(): Attempt<void>
  /** Ends what the delivery was taken for. */
  end(failure?: Error): Attempt<void>
}

interface Info {
  readonly id: string
  readonly attempt: number
  readonly token: number
}

interface Driver {
  offer(item: unknown, id?: string): Attempt<{ readonly id: string; readonly isNew: boolean }>
  offerAll(items: ReadonlyArray<unknown>): Attempt<ReadonlyArray<string>>
  take(): Attempt<Taken>
  /** A handler that fails when its promise rejects; it is interrupted, or its signal aborts, when it is to end. */
  consume(
    handler: (item: any, info: Info, signal: AbortSignal) => Promise<unknown>,
    concurrency?: number
  ): Attempt<never>
  join(): Attempt<void>
  size(): Attempt<Counts>
  deadLetters(): Attempt<ReadonlyArray<{ readonly item: unknown; readonly reason: string; readonly id: string }>>
  requeue(ids?: ReadonlyArray<string>): Attempt<number>
  purge(ids?: ReadonlyArray<string>): Attempt<number>
  stats(): { readonly waiting: number; readonly held: number; readonly settling: number }
}

type Options = Omit<Promises.DistributedQueueOptions<unknown>, "name" | "codec">

const run = <A>(self: Effect.Effect<A, unknown>): Attempt<A> => fork(onTheClock(self))

const effectDriver = (self: DistributedQueue.DistributedQueue<any>): Driver => ({
  offer: (item, id) => run(self.offer(item, { id })),
  offerAll: (items) => run(self.offerAll(items)),
  take: () =>
    run(
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(Scope.make(), (scope) =>
          Effect.map(
            Effect.onError(restore(Scope.extend(self.take, scope)), () => Scope.close(scope, Exit.void)),
            (delivery): Taken => ({
              item: delivery.item,
              id: delivery.id,
              attempt: delivery.attempt,
              token: delivery.token,
              acknowledge: () => run(delivery.acknowledge),
              reject: (options) => run(delivery.reject(options)),
              giveBack: () => run(delivery.giveBack),
              check: () => run(delivery.check),
              end: (failure) => run(Scope.close(scope, failure === undefined ? Exit.void : Exit.fail(failure)))
            })
          )
        )
      )
    ),
  consume: (handler, concurrency) =>
    run(
      self.consume(
        (item, info) => Effect.tryPromise({ try: (signal) => handler(item, info, signal), catch: (error) => error }),
        { concurrency }
      )
    ),
  join: () => run(self.join),
  size: () => run(self.size),
  deadLetters: () =>
    run(
      Effect.map(self.deadLetters.list(), (all) =>
        all.map(({ id, item, reason }) => ({ id, reason, item: item._tag === "Some" ? item.value : undefined }))
      )
    ),
  requeue: (ids) => run(self.deadLetters.requeue(ids)),
  purge: (ids) => run(self.deadLetters.purge(ids)),
  stats: () => run(self.stats).value
})

const promised = <A>(call: () => Promise<A>): Attempt<A> => start(call)

const promiseDriver = (self: Promises.DistributedQueue<any>): Driver => ({
  offer: (item, id) => promised(() => self.offer(item, { id })),
  offerAll: (items) => promised(() => self.offerAll(items)),
  take: () =>
    start(async ({ signal }) => {
      const delivery = await self.take({ signal })
      return {
        item: delivery.item,
        id: delivery.id,
        attempt: delivery.attempt,
        token: delivery.token,
        acknowledge: () => promised(() => delivery.acknowledge()),
        reject: (options) => promised(() => delivery.reject(options)),
        giveBack: () => promised(() => delivery.giveBack()),
        check: () => promised(async () => delivery.check()),
        end: (failure) =>
          promised(async () => {
            if (failure !== undefined) await delivery.reject({ reason: String(failure) }).catch(() => {})
            await delivery[Symbol.asyncDispose]()
          })
      }
    }),
  consume: (handler, concurrency) =>
    start(({ signal }) =>
      self.consume(
        (item, context) => {
          const end = new Promise((_, reject) => {
            if (context.signal.aborted) reject(context.signal.reason)
            context.signal.addEventListener("abort", () => reject(context.signal.reason))
          })
          end.catch(() => {})
          const { attempt, id, token } = context
          return Promise.race([handler(item, { id, attempt, token }, context.signal), end])
        },
        { concurrency, signal }
      )
    ),
  join: () => start((wait) => self.join(wait)),
  size: () => promised(() => self.size()),
  deadLetters: () => promised(() => self.deadLetters()),
  requeue: (ids) => promised(() => self.requeue(ids)),
  purge: (ids) => promised(() => self.purge(ids)),
  stats: () => self.stats()
})

/** Takes from one and the other, in turn. */
const alternating = (one: Driver, other: Driver): Driver => {
  let calls = 0
  const next = () => (calls++ % 2 === 0 ? one : other)
  return new Proxy(one, { get: (_, key) => (next() as any)[key] })
}

export interface QueueSkin extends StepTimes {
  readonly name: string
  open(store: HandStore, options?: Options): Driver
}

const effectOptions = (options: Options | undefined) => ({ name: "q", ...options })

export const queueSkins: ReadonlyArray<QueueSkin> = [
  {
    ...onStepClock,
    name: "effect",
    open: (store, options) =>
      effectDriver(run(DistributedQueue.makeWith(inEffect(store), effectOptions(options))).value)
  },
  {
    ...onPlatform,
    name: "promise",
    open: (store, options) => promiseDriver(new Promises.DistributedQueue(store, { name: "q", ...options }))
  },
  {
    ...onStepClock,
    name: "mixed",
    open: (store, options) => {
      const self = run(DistributedQueue.makeWith(inEffect(store), effectOptions(options))).value
      return alternating(effectDriver(self), promiseDriver(Promises.DistributedQueue.from(self)))
    }
  }
]

const kindsOf = (...attempts: ReadonlyArray<Attempt<unknown>>) => attempts.map(({ state }) => state)

export const distributedQueueLaws = (skin: QueueSkin) =>
  describe(`DistributedQueue laws (${skin.name})`, () => {
    const { advance } = skin
    let store: HandStore
    let printed: ReturnType<typeof vi.spyOn>
    const lines: Array<string> = []

    beforeEach(() => {
      skin.begin()
      store = new HandStore(skin.now)
      lines.length = 0
      const say = (...args: ReadonlyArray<unknown>) => void lines.push(args.map(String).join(" "))
      printed = vi.spyOn(console, "error").mockImplementation(say)
      vi.spyOn(console, "log").mockImplementation(say)
    })
    afterEach(async () => {
      await settle()
      skin.end()
      vi.restoreAllMocks()
      void printed
    })

    const open = (options?: Options) => skin.open(store, options)
    const done = async <A>(attempt: Attempt<A>): Promise<A> => {
      await settle()
      if (attempt.state === "failed") throw attempt.error
      return attempt.value
    }
    const said = (pattern: RegExp) => lines.filter((line) => pattern.test(line)).length

    it("gives what was offered, in order, and each once", async () => {
      const queue = open()
      const items = [{ a: 1 }, "text", 3, null, [true]]
      await done(queue.offerAll(items))
      for (const item of items) {
        const taken = await done(queue.take())
        assert.deepEqual(taken.item, item)
        assert.strictEqual(taken.attempt, 1)
        await done(taken.acknowledge())
      }
      assert.deepEqual(store.state, [0, 0, 0, 0])
    })

    it("whoever waits is given what comes, in order of arrival", async () => {
      const queue = open()
      const takers = [queue.take(), queue.take(), queue.take()]
      await settle()
      await done(queue.offer("a"))
      await done(queue.offer("b"))
      assert.deepEqual(kindsOf(...takers), ["done", "done", "waiting"])
      assert.deepEqual(
        takers.slice(0, 2).map(({ value }) => value.item),
        ["a", "b"]
      )
      takers[2]!.cancel()
      for (const { value } of takers.slice(0, 2)) await done(value.acknowledge())
    })

    it("no wake-up is lost when no message arrives: whoever waits asks again after a poll", async () => {
      const queue = open({ poll: 1000 })
      store.deaf = true
      const taker = queue.take()
      await settle()
      await done(queue.offer("a"))
      assert.strictEqual(taker.state, "waiting")
      await advance(1000)
      await settle()
      assert.strictEqual(taker.state, "done")
      await done(taker.value.acknowledge())
    })

    it("with an id an offer can be repeated, also after the item is done, for a while", async () => {
      const queue = open({ remember: 500 })
      assert.deepEqual(await done(queue.offer("a", "x")), { id: "x", isNew: true })
      assert.deepEqual(await done(queue.offer("a", "x")), { id: "x", isNew: false })
      await done((await done(queue.take())).acknowledge())
      assert.isFalse((await done(queue.offer("a", "x"))).isNew)
      await advance(500)
      assert.isTrue((await done(queue.offer("a", "x"))).isNew)
    })

    it("an offer whose answer is lost can be repeated, with the same id", async () => {
      const queue = open()
      store.mode = "mute"
      const lost = queue.offer("a", "x")
      await settle()
      assert.instanceOf(lost.error, StoreError)
      store.mode = "up"
      assert.isFalse((await done(queue.offer("a", "x"))).isNew)
      assert.deepEqual(store.state, [1, 0, 0, 0])
    })

    describe("a delivery", () => {
      it("that is rejected comes back after its delay, with one attempt more, and is a dead letter at last", async () => {
        const queue = open({ attempts: 2, retry: { base: 100, jitter: "none" } })
        await done(queue.offer("a"))
        await done((await done(queue.take())).reject({ reason: "first" }))
        const again = queue.take()
        await advance(99)
        assert.strictEqual(again.state, "waiting")
        await advance(1)
        const taken = await done(again)
        assert.strictEqual(taken.attempt, 2)
        await done(taken.reject({ reason: "second" }))
        const [letter] = await done(queue.deadLetters())
        assert.deepInclude(letter, { item: "a", reason: "second", id: taken.id })
        assert.strictEqual(said(/dead letter.*second/), 1)
      })

      it("that is given back is taken next, at the same attempt", async () => {
        const queue = open()
        await done(queue.offerAll(["a", "b"]))
        await done((await done(queue.take())).giveBack())
        const taken = await done(queue.take())
        assert.deepInclude(taken, { item: "a", attempt: 1 })
        await done(taken.acknowledge())
      })

      it("is kept as long as it takes, while the store can be reached", async () => {
        const queue = open({ lease: 300 })
        await done(queue.offer("a"))
        const taken = await done(queue.take())
        for (let i = 0; i < 20; i++) await advance(100)
        await done(taken.check())
        await done(taken.acknowledge())
        assert.deepEqual(store.state, [0, 0, 0, 0])
      })

      it("is lost when its lease cannot be renewed: whoever has it is told so, and settles nothing of another's", async () => {
        const [queue, other] = [open({ lease: 300 }), open({ lease: 300 })]
        await done(queue.offer("a"))
        const taken = await done(queue.take())
        store.mode = "down"
        await advance(294)
        await done(taken.check())
        await advance(6)
        const check = taken.check()
        await settle()
        assert.instanceOf(check.error, LeaseLost)
        assert.deepInclude(check.error as LeaseLost, { resource: "q", token: taken.token, reason: "expired" })
        store.mode = "up"
        const theirs = await done(other.take())
        assert.isAbove(theirs.token, taken.token)
        const stale = taken.acknowledge()
        await settle()
        assert.instanceOf(stale.error, LeaseLost)
        assert.deepEqual(store.state, [0, 0, 1, 0])
        await done(theirs.acknowledge())
      })

      it("that the store gave to somebody else, which nobody here noticed, is refused when it is acknowledged", async () => {
        const queue = open()
        await done(queue.offer("a"))
        const taken = await done(queue.take())
        // As if the store had forgotten it, or had another clock.
        store.memory.exchange({ ...asks, settle: [{ delivery: namesOf(store)[0]!, outcome: { kind: "return" } }] })
        store.memory.exchange({ ...asks, take: ["other"] })
        const stale = taken.acknowledge()
        await settle()
        assert.instanceOf(stale.error, LeaseLost)
        assert.strictEqual((stale.error as LeaseLost).reason, "unknown to the store")
        assert.deepEqual(store.state, [0, 0, 1, 0])
      })

      it("settled once is settled: the second time does nothing", async () => {
        const queue = open()
        await done(queue.offer("a"))
        const taken = await done(queue.take())
        await done(taken.acknowledge())
        await done(taken.reject())
        await done(taken.end())
        assert.deepEqual(store.state, [0, 0, 0, 0])
      })

      it("that was not settled goes back when what it was taken for ends; after a failure, as rejected", async () => {
        const queue = open({ retry: { base: 100, jitter: "none" } })
        await done(queue.offer("a"))
        await done((await done(queue.take())).end())
        assert.deepEqual(store.state, [1, 0, 0, 0])
        await done((await done(queue.take())).end(new Error("no")))
        assert.deepEqual(store.state, [0, 1, 0, 0])
        await advance(100)
        const taken = await done(queue.take())
        assert.strictEqual(taken.attempt, 2)
        await done(taken.acknowledge())
      })

      it("whose acknowledgement cannot be told is told of that, and is acknowledged later nevertheless", async () => {
        const queue = open()
        await done(queue.offer("a"))
        const taken = await done(queue.take())
        store.mode = "down"
        const told = taken.acknowledge()
        await settle()
        assert.instanceOf(told.error, StoreError)
        store.mode = "up"
        await advance(100)
        assert.deepEqual(store.state, [0, 0, 0, 0])
      })
    })

    describe("a taker that is gone", () => {
      it("before the store was asked, or while it is, loses nothing", async () => {
        const queue = open()
        await done(queue.offer("a"))
        store.held = []
        const taker = queue.take()
        await settle()
        taker.cancel()
        await settle()
        assert.strictEqual(taker.state, "cancelled")
        await store.letGo()
        assert.deepEqual(store.state, [1, 0, 0, 0])
        assert.deepEqual(queue.stats(), { waiting: 0, held: 0, settling: 0 })
      })

      it("while others wait: what comes for it is theirs", async () => {
        const queue = open()
        await done(queue.offer("a"))
        store.held = []
        const first = queue.take()
        const second = queue.take()
        await settle()
        first.cancel()
        await store.letGo()
        assert.strictEqual((await done(second)).item, "a")
        await done(second.value.acknowledge())
      })

      it("whose answer was lost: the item comes back by itself, and its attempt does not count", async () => {
        const queue = open()
        await done(queue.offer("a"))
        store.mode = "mute"
        const lost = queue.take()
        await settle()
        assert.instanceOf(lost.error, StoreError)
        assert.deepEqual(store.state, [0, 0, 1, 0])
        store.mode = "up"
        await advance(50)
        assert.deepEqual(store.state, [1, 0, 0, 0])
        const taken = await done(queue.take())
        assert.strictEqual(taken.attempt, 1)
        await done(taken.acknowledge())
      })
    })

    describe("consume", () => {
      it("works items off, so many at a time, and never leases more", async () => {
        const queue = open()
        await done(queue.offerAll(Array.from({ length: 20 }, (_, i) => i)))
        let running = 0
        let most = 0
        const seen: Array<number> = []
        const consumer = queue.consume(async (item: number) => {
          most = Math.max(most, ++running)
          await new Promise((resolve) => setImmediate(resolve))
          seen.push(item)
          running--
        }, 3)
        for (let i = 0; i < 40 && seen.length < 20; i++) await settle()
        assert.deepEqual(
          seen.toSorted((a, b) => a - b),
          Array.from({ length: 20 }, (_, i) => i)
        )
        assert.strictEqual(most, 3)
        assert.isAtMost(store.most, 3)
        consumer.cancel()
        await settle()
        assert.strictEqual(consumer.state, "cancelled")
        assert.deepEqual(store.state, [0, 0, 0, 0])
        assert.deepEqual(queue.stats(), { waiting: 0, held: 0, settling: 0 })
        assert.strictEqual(store.watchers, 0)
      })

      it("one at a time, one question for each item: what is done and what comes next go together", async () => {
        const queue = open()
        await done(queue.offerAll([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]))
        store.questions = 0
        let count = 0
        const consumer = queue.consume(async () => void count++)
        for (let i = 0; i < 20; i++) await settle()
        assert.strictEqual(count, 10)
        // The first, ten of which the last found nothing, and one once the store was watched.
        assert.isAtMost(store.questions, 12)
        consumer.cancel()
        await settle()
      })

      it("a handler that fails has failed an attempt: the item comes back, and is a dead letter at last", async () => {
        const queue = open({ attempts: 3, retry: { base: 10, jitter: "none" } })
        await done(queue.offerAll(["bad", "good"]))
        const seen: Array<unknown> = []
        const consumer = queue.consume(async (item, { attempt }) => {
          seen.push([item, attempt])
          if (item === "bad") throw new Error(`no ${attempt}`)
        })
        for (let i = 0; i < 10; i++) await advance(10)
        assert.deepEqual(seen, [
          ["bad", 1],
          ["good", 1],
          ["bad", 2],
          ["bad", 3]
        ])
        const [letter] = await done(queue.deadLetters())
        assert.deepInclude(letter, { item: "bad" })
        assert.include(letter!.reason, "no 3")
        assert.strictEqual(said(/dead letter.*no 3/), 1)
        assert.strictEqual(await done(queue.requeue([letter!.id])), 1)
        await settle()
        assert.deepEqual(seen.at(-1), ["bad", 1])
        consumer.cancel()
        await settle()
      })

      it("what cannot be decoded is a dead letter at once, with the reason, and the next is worked on", async () => {
        const queue = open()
        store.memory.offer({ name: "q", items: [{ id: "x", payload: "{", named: true }] })
        await done(queue.offer("good"))
        const seen: Array<unknown> = []
        const consumer = queue.consume(async (item) => void seen.push(item))
        await settle()
        assert.deepEqual(seen, ["good"])
        const [letter] = await done(queue.deadLetters())
        assert.match(letter!.reason, /^it cannot be decoded: .*JSON/)
        assert.strictEqual(letter!.item, undefined)
        assert.strictEqual(await done(queue.purge()), 1)
        consumer.cancel()
        await settle()
      })

      it("that is interrupted gives back what is not done, uncounted, and waits for its handlers and for the store", async () => {
        const queue = open()
        await done(queue.offerAll(["a", "b", "c"]))
        const cleanup = gate()
        const ends: Array<unknown> = []
        const consumer = queue.consume(
          (item, _, signal) =>
            new Promise((_, reject) => {
              signal.addEventListener("abort", () => {
                ends.push(item)
                reject(signal.reason)
              })
            }),
          2
        )
        await settle()
        assert.deepEqual(store.state, [1, 0, 2, 0])
        store.held = []
        consumer.cancel()
        await settle()
        assert.deepEqual(ends, ["a", "b"])
        assert.strictEqual(consumer.state, "waiting")
        await store.letGo()
        await settle()
        assert.strictEqual(consumer.state, "cancelled")
        assert.deepEqual(store.state, [3, 0, 0, 0])
        cleanup.open()
        const taken = await done(queue.take())
        assert.deepInclude(taken, { item: "a", attempt: 1 })
        await done(taken.acknowledge())
      })

      it("waits while the store cannot be reached, says so once, and goes on by itself", async () => {
        const queue = open()
        store.mode = "down"
        const seen: Array<unknown> = []
        const consumer = queue.consume(async (item) => void seen.push(item))
        for (let i = 0; i < 30; i++) await advance(200)
        assert.strictEqual(said(/cannot be reached/), 1)
        assert.strictEqual(consumer.state, "waiting")
        store.mode = "up"
        await done(queue.offer("a"))
        await advance(1000)
        assert.deepEqual(seen, ["a"])
        consumer.cancel()
        await settle()
        assert.strictEqual(store.watchers, 0)
      })

      it("ends when the store answers what makes no sense", async () => {
        const queue = open()
        store.mode = "down"
        store.reason = "wrong type"
        const consumer = queue.consume(async () => {}, 2)
        await settle()
        assert.instanceOf(consumer.error, StoreError)
        store.mode = "up"
        await advance(100)
      })

      it("interrupts a handler whose lease is lost, says so, and goes on; the item is done by somebody", async () => {
        const queue = open({ lease: 300 })
        await done(queue.offer("a"))
        const ends: Array<unknown> = []
        const consumer = queue.consume((item, { attempt }, signal) =>
          attempt > 1
            ? Promise.resolve(ends.push([item, attempt]))
            : new Promise((_, reject) => {
                signal.addEventListener("abort", () => {
                  ends.push("interrupted")
                  reject(signal.reason)
                })
              })
        )
        await settle()
        store.mode = "down"
        await advance(296)
        assert.deepEqual(ends, ["interrupted"])
        assert.strictEqual(said(/lease of item .* was lost/), 1)
        store.mode = "up"
        await advance(1000)
        assert.deepEqual(ends, ["interrupted", ["a", 2]])
        assert.deepEqual(store.state, [0, 0, 0, 0])
        consumer.cancel()
        await settle()
      })

      it("what was done while the answer was lost is not done again", async () => {
        const queue = open()
        await done(queue.offerAll(["a", "b"]))
        const work = gate()
        const seen: Array<unknown> = []
        const consumer = queue.consume(async (item) => {
          seen.push(item)
          if (item === "a") await work.opened
        })
        await settle()
        store.mode = "mute"
        work.open()
        await settle()
        store.mode = "up"
        await advance(100)
        assert.deepEqual(seen, ["a", "b"])
        assert.deepEqual(store.state, [0, 0, 0, 0])
        assert.strictEqual(said(/lease of item/), 0)
        consumer.cancel()
        await settle()
      })
    })

    describe("join", () => {
      it("waits until nothing is ready, delayed or leased; dead letters do not count", async () => {
        const queue = open({ attempts: 1 })
        await done(queue.join())
        await done(queue.offerAll(["a", "b"]))
        const joined = queue.join()
        const gone = queue.join()
        await settle()
        const [one, two] = [await done(queue.take()), await done(queue.take())]
        await done(one!.acknowledge())
        assert.strictEqual(joined.state, "waiting")
        gone.cancel()
        await done(two!.reject())
        await settle()
        assert.deepEqual(kindsOf(joined, gone), ["done", "cancelled"])
        assert.strictEqual(store.watchers, 0)
      })

      it("needs no message", async () => {
        const queue = open()
        store.deaf = true
        await done(queue.offer("a"))
        const joined = queue.join()
        await settle()
        await done((await done(queue.take())).acknowledge())
        assert.strictEqual(joined.state, "waiting")
        await advance(1000)
        assert.strictEqual(joined.state, "done")
      })

      it("fails when the store cannot be reached", async () => {
        const queue = open()
        store.mode = "down"
        const joined = queue.join()
        await settle()
        assert.instanceOf(joined.error, StoreError)
      })
    })

    it("says how many items there are", async () => {
      const queue = open()
      await done(queue.offerAll(["a", "b", "c"]))
      const taken = await done(queue.take())
      assert.deepEqual(await done(queue.size()), { ready: 2, delayed: 0, leased: 1, dead: 0 })
      await done(taken.giveBack())
    })

    it("many items are put in, in order", async () => {
      const queue = open()
      const ids = await done(queue.offerAll(Array.from({ length: 1200 }, (_, i) => i)))
      assert.strictEqual(new Set(ids).size, 1200)
      const { taken } = store.memory.exchange({ ...asks, take: Array.from({ length: 1200 }, (_, i) => `${i}`) })
      assert.deepEqual(
        taken.map(({ payload }) => Number(payload)),
        Array.from({ length: 1200 }, (_, i) => i)
      )
    })
  })

const asks: ExchangeRequest = { name: "q", settle: [], renew: [], take: [], lease: 1000, attempts: 3, remember: 0 }

/** The names of the deliveries that there are. */
const namesOf = ({ memory }: HandStore): ReadonlyArray<string> => [
  ...(memory as unknown as { queues: Map<string, { leases: Map<string, unknown> }> }).queues.get("q")!.leases.keys()
]
