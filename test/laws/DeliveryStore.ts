/**
 * What a store of deliveries has to do, whatever it keeps its items in: run for the stores in memory, and for any other. One on a clock
 * that cannot be moved by hand waits in `advance`.
 */
import { assert, describe, it } from "@effect/vitest"
import type { DeliveryStore } from "effect-concurrency/promise/distributed"
import type { Change, ExchangeAnswer, ExchangeRequest, Outcome } from "../../src/core/deliveries.js"
import { leaseEnded } from "../../src/core/deliveries.js"

export interface OpenStore {
  readonly store: DeliveryStore
  /** Lets so many milliseconds pass, and no fewer. */
  advance(milliseconds: number): Promise<void>
  /** Until a change has reached those who watch. */
  settle(): Promise<void>
  close(): Promise<void>
}

export interface StoreSkin {
  readonly name: string
  /** A store with nothing in it. */
  open(): Promise<OpenStore>
}

/** A delay, and a short lease, in milliseconds. */
const unit = 100

type Asked = Partial<Omit<ExchangeRequest, "settle">> & {
  readonly settle?: ReadonlyArray<readonly [delivery: string, outcome: Outcome]>
}

/** A queue of a store, as a test uses it. */
class Queue {
  constructor(
    readonly store: DeliveryStore,
    readonly name: string,
    readonly lease: number
  ) {}

  /** The payload is the id, unless it is given. */
  async offer(...ids: ReadonlyArray<string>): Promise<ReadonlyArray<boolean>> {
    return this.put(ids.map((id) => ({ id, payload: id, named: true })))
  }

  async put(items: ReadonlyArray<{ id: string; payload: string; named: boolean }>): Promise<ReadonlyArray<boolean>> {
    return this.store.offer({ name: this.name, items })
  }

  async exchange({ settle = [], ...rest }: Asked): Promise<ExchangeAnswer> {
    return this.store.exchange({
      name: this.name,
      settle: settle.map(([delivery, outcome]) => ({ delivery, outcome })),
      renew: [],
      take: [],
      lease: this.lease,
      attempts: 3,
      remember: 60_000,
      ...rest
    })
  }

  /** Takes under some names; gives the ids. */
  async take(...names: ReadonlyArray<string>): Promise<ReadonlyArray<string>> {
    return (await this.exchange({ take: names })).taken.map(({ id }) => id)
  }

  async settle(delivery: string, outcome: Outcome, more: Asked = {}): Promise<string> {
    return (await this.exchange({ settle: [[delivery, outcome]], ...more })).settled[0]!
  }

  /** ready, delayed, leased, dead */
  async counts(): Promise<ReadonlyArray<number>> {
    const { dead, delayed, leased, ready } = await this.store.counts(this.name)
    return [ready, delayed, leased, dead]
  }
}

const acknowledge: Outcome = { kind: "acknowledge" }
const giveBack: Outcome = { kind: "return" }
const reject = (delay = 0, reason = "no"): Outcome => ({ kind: "reject", delay, reason })

export const deliveryStoreLaws = ({ name, open }: StoreSkin): void => {
  const withStore = async (
    body: (queue: Queue, open: OpenStore) => Promise<void>,
    lease = 100 * unit
  ): Promise<void> => {
    const opened = await open()
    try {
      await body(new Queue(opened.store, "a", lease), opened)
    } finally {
      await opened.close()
    }
  }

  describe(`store laws (${name})`, () => {
    it("an item is taken once: what is leased is not ready", () =>
      withStore(async (queue) => {
        assert.deepEqual(await queue.offer("a", "b"), [true, true])
        assert.deepEqual(await queue.take("1"), ["a"])
        assert.deepEqual(await queue.take("2", "3"), ["b"])
        assert.deepEqual(await queue.take("4"), [])
        assert.deepEqual(await queue.counts(), [0, 0, 2, 0])
      }))

    it("first in, first out, however it was offered: by chosen ids, by others, one by one, and many", () =>
      withStore(async (queue) => {
        const expected: Array<string> = []
        for (let i = 0; i < 10; i++) {
          const items = [9, 5, 7].map((n) => ({ id: `${n}${i}`, payload: "", named: i % 2 === 0 }))
          expected.push(...items.map(({ id }) => id))
          if (i % 3 === 0) await queue.put(items)
          else for (const item of items) await queue.put([item])
        }
        const taken = await queue.take(...expected.map((_, i) => `d${i}`))
        assert.deepEqual(taken, expected)
      }))

    it("gives what was put in, the attempt, and the name that was asked for; tokens grow", () =>
      withStore(async (queue) => {
        const payload = `{"text":"ключ 🔑\\u0000"}`
        await queue.put([
          { id: "x", payload, named: false },
          { id: "y", payload: "", named: true }
        ])
        const { taken } = await queue.exchange({ take: ["one", "two", "three"] })
        assert.deepEqual(
          taken.map(({ attempt, delivery, id, payload }) => ({ delivery, id, payload, attempt })),
          [
            { delivery: "one", id: "x", payload, attempt: 1 },
            { delivery: "two", id: "y", payload: "", attempt: 1 }
          ]
        )
        await queue.exchange({ settle: [["two", giveBack]] })
        const again = (await queue.exchange({ take: ["four"] })).taken
        const tokens = [...taken, ...again].map(({ token }) => token)
        assert.isTrue(tokens.every(Number.isSafeInteger))
        assert.isTrue(tokens[0]! < tokens[1]! && tokens[1]! < tokens[2]!, tokens.join())
      }))

    it("acknowledged, an item is done", () =>
      withStore(async (queue) => {
        await queue.put([{ id: "a", payload: "a", named: false }])
        await queue.take("1")
        assert.strictEqual(await queue.settle("1", acknowledge), "settled")
        assert.deepEqual(await queue.counts(), [0, 0, 0, 0])
        assert.deepEqual(await queue.take("2"), [])
        assert.strictEqual(await queue.settle("1", acknowledge), "lost")
      }))

    it("given back, it has its old place, and its attempt does not count", () =>
      withStore(async (queue) => {
        await queue.offer("a", "b", "c")
        await queue.take("1", "2")
        await queue.offer("d")
        await queue.exchange({
          settle: [
            ["2", giveBack],
            ["1", giveBack]
          ]
        })
        const { taken } = await queue.exchange({ take: ["3", "4", "5", "6"] })
        assert.deepEqual(
          taken.map(({ attempt, id }) => [id, attempt]),
          [
            ["a", 1],
            ["b", 1],
            ["c", 1],
            ["d", 1]
          ]
        )
      }))

    it("rejected, it comes back with one attempt more, in its old place, and at last it is a dead letter", () =>
      withStore(async (queue) => {
        await queue.offer("a", "b")
        for (const attempt of [1, 2, 3]) {
          const { taken } = await queue.exchange({ take: [`${attempt}`] })
          assert.deepInclude(taken[0], { id: "a", attempt })
          assert.strictEqual(await queue.settle(`${attempt}`, reject()), attempt === 3 ? "buried" : "settled")
        }
        assert.deepEqual(await queue.take("4", "5"), ["b"])
        assert.deepEqual(await queue.counts(), [0, 0, 1, 1])
        const [letter, ...more] = await queue.store.deadLetters(queue.name, 10)
        assert.deepInclude(letter, { id: "a", payload: "a", attempts: 3, reason: "no" })
        assert.isNumber(letter?.since)
        assert.deepEqual(more, [])
      }))

    it("rejected with a delay, it comes back after it, and whoever asks is told when", () =>
      withStore(async (queue, { advance }) => {
        await queue.offer("a", "b")
        await queue.take("1")
        const delay = 2 * unit
        await queue.settle("1", reject(delay))
        assert.deepEqual(await queue.counts(), [1, 1, 0, 0])
        assert.deepEqual(await queue.take("2"), ["b"])
        const { retryAfter, taken } = await queue.exchange({ take: ["3"] })
        assert.deepEqual(taken, [])
        assert.isAtMost(retryAfter, delay)
        assert.isAtLeast(retryAfter, 1)
        await advance(delay)
        assert.deepInclude((await queue.exchange({ take: ["4"] })).taken[0], { id: "a", attempt: 2 })
      }))

    it("buried, it is a dead letter at once", () =>
      withStore(async (queue) => {
        await queue.offer("a")
        await queue.take("1")
        assert.strictEqual(await queue.settle("1", { kind: "bury", reason: "unreadable" }), "buried")
        assert.deepInclude((await queue.store.deadLetters(queue.name, 1))[0], { reason: "unreadable", attempts: 1 })
      }))

    it("what is settled goes before what is taken", () =>
      withStore(async (queue) => {
        await queue.offer("a")
        await queue.take("1")
        const { settled, taken } = await queue.exchange({ settle: [["1", giveBack]], take: ["2"] })
        assert.deepEqual(settled, ["settled"])
        assert.deepEqual(
          taken.map(({ id }) => id),
          ["a"]
        )
      }))

    describe("a lease", () => {
      it("that ends makes the item ready again, for whoever takes; its attempt has failed", () =>
        withStore(async (queue, { advance }) => {
          await queue.offer("a")
          await queue.take("1")
          const { retryAfter } = await queue.exchange({ take: ["2"] })
          assert.isAtMost(retryAfter, queue.lease)
          assert.isAtLeast(retryAfter, 1)
          await advance(queue.lease)
          assert.deepInclude((await queue.exchange({ take: ["3"] })).taken[0], { delivery: "3", id: "a", attempt: 2 })
        }, 3 * unit))

      it("that has ended is not the item's any more: whoever had it is refused, and does nothing to the other's", () =>
        withStore(async (queue, { advance }) => {
          await queue.offer("a")
          await queue.take("1")
          await advance(queue.lease)
          await queue.take("2")
          for (const outcome of [acknowledge, giveBack, reject(), { kind: "bury", reason: "" } as const]) {
            assert.strictEqual(await queue.settle("1", outcome), "lost")
          }
          assert.deepEqual((await queue.exchange({ renew: ["1"] })).renewed, [false])
          assert.deepEqual(await queue.counts(), [0, 0, 1, 0])
          assert.strictEqual(await queue.settle("2", acknowledge), "settled")
          assert.deepEqual(await queue.counts(), [0, 0, 0, 0])
        }, 3 * unit))

      it("that is renewed goes on", () =>
        withStore(async (queue, { advance }) => {
          await queue.offer("a")
          await queue.take("1")
          for (let i = 0; i < 3; i++) {
            await advance(queue.lease / 2)
            const { renewed, taken } = await queue.exchange({ renew: ["1", "none"], take: ["2"] })
            assert.deepEqual(renewed, [true, false])
            assert.deepEqual(taken, [])
          }
          assert.strictEqual(await queue.settle("1", acknowledge), "settled")
        }, 6 * unit))

      it("that has ended, and that nobody noticed, can still be renewed and settled: nobody else has the item", () =>
        withStore(async (queue, { advance }) => {
          await queue.offer("a", "b")
          await queue.take("1", "2")
          await advance(queue.lease)
          assert.deepEqual((await queue.exchange({ renew: ["1"] })).renewed, [true])
          assert.strictEqual(await queue.settle("2", acknowledge), "settled")
          assert.deepEqual(await queue.take("3"), [])
        }, 3 * unit))

      it("of the last attempt that ends makes a dead letter, and whoever finds that is told", () =>
        withStore(async (queue, { advance }) => {
          await queue.offer("a", "b")
          await queue.exchange({ take: ["1"] })
          await advance(queue.lease)
          const { died, taken } = await queue.exchange({ take: ["2"], attempts: 1 })
          assert.deepEqual(died, ["a"])
          assert.deepEqual(
            taken.map(({ id }) => id),
            ["b"]
          )
          assert.deepInclude((await queue.store.deadLetters(queue.name, 1))[0], { id: "a", reason: leaseEnded })
        }, 3 * unit))
    })

    describe("an id", () => {
      it("that is there is not put in again: ready, leased, delayed or dead; nor twice in one offer", () =>
        withStore(async (queue) => {
          assert.deepEqual(await queue.offer("ready", "leased", "ready"), [true, true, false])
          assert.deepEqual(await queue.offer("ready"), [false])
          await queue.take("1", "2")
          await queue.settle("1", reject(60_000))
          assert.deepEqual(await queue.offer("ready", "leased"), [false, false])
          await queue.settle("2", { kind: "bury", reason: "" })
          assert.deepEqual(await queue.offer("leased", "new"), [false, true])
          assert.deepEqual(await queue.counts(), [1, 1, 0, 1])
        }))

      it("that was chosen is known for a while after the item is done", () =>
        withStore(async (queue, { advance }) => {
          await queue.offer("a")
          await queue.take("1")
          await queue.settle("1", acknowledge, { remember: 3 * unit })
          assert.deepEqual(await queue.offer("a"), [false])
          await advance(3 * unit)
          assert.deepEqual(await queue.offer("a"), [true])
        }))

      it("that was chosen is not known any more when it is done, if nothing is to be remembered", () =>
        withStore(async (queue) => {
          await queue.put([{ id: "a", payload: "chosen", named: true }])
          await queue.take("1")
          await queue.settle("1", acknowledge, { remember: 0 })
          assert.deepEqual(await queue.offer("a"), [true])
        }))
    })

    describe("dead letters", () => {
      const withDead = (body: (queue: Queue) => Promise<void>) =>
        withStore(async (queue) => {
          await queue.offer("a", "b", "c", "d")
          await queue.take("1", "2", "3")
          for (const delivery of ["1", "2", "3"]) {
            await queue.settle(delivery, { kind: "bury", reason: `reason ${delivery}` })
          }
          await body(queue)
        })
      const idsOf = async (queue: Queue, limit = 10) =>
        (await queue.store.deadLetters(queue.name, limit)).map(({ id }) => id)

      it("are listed, the oldest first, as many as are wanted", () =>
        withDead(async (queue) => {
          assert.deepEqual(await idsOf(queue), ["a", "b", "c"])
          assert.deepEqual(await idsOf(queue, 2), ["a", "b"])
        }))

      it("are delivered again if so wanted, in their old places and with all their attempts", () =>
        withDead(async (queue) => {
          assert.strictEqual(await queue.store.requeue({ name: queue.name, ids: ["c", "b", "none"] }), 2)
          assert.deepEqual(await idsOf(queue), ["a"])
          const { taken } = await queue.exchange({ take: ["4", "5", "6"] })
          assert.deepEqual(
            taken.map(({ attempt, id }) => [id, attempt]),
            [
              ["b", 1],
              ["c", 1],
              ["d", 1]
            ]
          )
          assert.strictEqual(await queue.store.requeue({ name: queue.name }), 1)
          assert.deepEqual(await queue.take("7"), ["a"])
        }))

      it("are forgotten if so wanted, and their ids with them", () =>
        withDead(async (queue) => {
          assert.strictEqual(await queue.store.purge({ name: queue.name, ids: ["b"] }), 1)
          assert.deepEqual(await idsOf(queue), ["a", "c"])
          assert.strictEqual(await queue.store.purge({ name: queue.name }), 2)
          assert.deepEqual(await queue.counts(), [1, 0, 0, 0])
          assert.deepEqual(await queue.offer("a"), [true])
        }))

      it("are moved however many there are", () =>
        withStore(async (queue) => {
          const ids = Array.from({ length: 250 }, (_, i) => `${i}`)
          await queue.offer(...ids)
          await queue.take(...ids)
          await queue.exchange({ settle: ids.map((id) => [id, { kind: "bury", reason: "" }]) })
          assert.strictEqual(await queue.store.requeue({ name: queue.name }), 250)
          assert.deepEqual(await queue.take(...ids.map((id) => `again ${id}`)), ids)
        }))
    })

    describe("who watches", () => {
      const watched = async (queue: Queue) => {
        const changes: Array<Change> = []
        const stop = await queue.store.watch(queue.name, (change) => changes.push(change))
        return { changes, stop }
      }

      it("is told that something is ready when nothing was, and that nothing is left", () =>
        withStore(async (queue, { settle }) => {
          const { changes, stop } = await watched(queue)
          await queue.offer("a")
          await settle()
          assert.deepEqual(changes.splice(0), ["ready"])
          await queue.offer("b")
          await queue.take("1", "2")
          await queue.settle("1", acknowledge)
          await settle()
          assert.deepEqual(changes.splice(0), [])
          await queue.settle("2", giveBack)
          await settle()
          assert.deepEqual(changes.splice(0), ["ready"])
          await queue.take("3")
          await queue.settle("3", acknowledge)
          await settle()
          assert.deepEqual(changes.splice(0), ["idle"])
          stop()
          await settle()
          await queue.offer("c")
          await settle()
          assert.deepEqual(changes, [])
        }))

      it("is told of a delay, for it may be the first that is over; and that nothing is left but dead letters", () =>
        withStore(async (queue, { settle }) => {
          const { changes, stop } = await watched(queue)
          await queue.offer("a", "b")
          await queue.take("1", "2")
          await queue.settle("1", reject(60_000))
          await settle()
          assert.deepEqual(changes.splice(0), ["ready", "ready"])
          await queue.settle("2", { kind: "bury", reason: "" })
          await settle()
          assert.deepEqual(changes, [])
          stop()
        }))

      it("is not told of another queue", () =>
        withStore(async (queue, { settle, store }) => {
          const { changes, stop } = await watched(queue)
          await new Queue(store, "b", queue.lease).offer("x")
          await settle()
          assert.deepEqual(changes, [])
          stop()
        }))
    })

    it("queues have nothing to do with each other, whatever they are called", () =>
      withStore(async ({ lease, store }) => {
        for (const name of ["", " ", "a:b", "{a}", "{}", "}", "a*", "__proto__", "ключ 🔑", "x".repeat(1000)]) {
          const queue = new Queue(store, name, lease)
          assert.deepEqual(await queue.offer(name), [true], name)
          const { taken } = await queue.exchange({ take: ["1", "2"] })
          assert.deepEqual(
            taken.map(({ id }) => id),
            [name]
          )
          assert.strictEqual(await queue.settle("1", reject(0)), "settled")
          assert.deepEqual(await queue.take("3"), [name])
          assert.strictEqual(await queue.settle("3", { kind: "bury", reason: name }), "buried")
          assert.deepInclude((await store.deadLetters(name, 1))[0], { id: name, reason: name })
          assert.strictEqual(await store.purge({ name, ids: [name] }), 1)
        }
      }))

    it("large items, and many", () =>
      withStore(async (queue) => {
        const payload = "ж".repeat(500_000)
        await queue.put([{ id: "large", payload, named: false }])
        const many = Array.from({ length: 500 }, (_, i) => ({ id: `${i}`, payload: `${i}`, named: i % 2 === 0 }))
        await queue.put(many)
        const names = Array.from({ length: 501 }, (_, i) => `d${i}`)
        const { taken } = await queue.exchange({ take: names })
        assert.isTrue(taken[0]!.payload === payload)
        assert.deepEqual(
          taken.slice(1).map(({ id }) => id),
          many.map(({ id }) => id)
        )
        const { settled } = await queue.exchange({ settle: names.map((name) => [name, acknowledge]) })
        assert.isTrue(settled.every((each) => each === "settled"))
        assert.deepEqual(await queue.counts(), [0, 0, 0, 0])
      }))

    it("what is asked at the same time is done one after the other: each item is delivered once, in order for each who takes", () =>
      withStore(async (queue) => {
        await Promise.all(Array.from({ length: 20 }, (_, i) => queue.offer(`${i}`)))
        const all = await Promise.all(Array.from({ length: 30 }, (_, i) => queue.take(`d${i}`)))
        assert.deepEqual(
          all.flat().toSorted((a, b) => Number(a) - Number(b)),
          Array.from({ length: 20 }, (_, i) => `${i}`)
        )
      }))
  })
}
