/**
 * What permits on lease promise, over any store: run for each skin over the store in memory, and over any other. Nothing here depends on how long
 * a store takes to answer.
 */
import { assert, describe, it } from "@effect/vitest"
import { LeaseLost, type LeaseStore } from "effect-concurrency/promise/distributed"
import { gate as makeGate } from "../utils/gate.js"
import { type Context, Recorded, type Skin, until } from "./leaseSkins.js"
import type { Attempt } from "./skins.js"

export interface StoreFactory {
  readonly name: string
  /** A store with nothing in it. Several made from what this gives share what they keep: as several processes do. */
  open(): Promise<{ readonly connect: () => LeaseStore; readonly close: () => Promise<void> }>
}

/** How long nothing may happen before it counts as not happening, in real time. */
const quiet = (milliseconds = 15) => new Promise((resolve) => setTimeout(resolve, milliseconds))

export const distributedSemaphoreLaws = (skin: Skin, factory: StoreFactory): void => {
  const withStores = async (body: (connect: () => Recorded) => Promise<void>): Promise<void> => {
    const { close, connect } = await factory.open()
    try {
      await body(() => new Recorded(connect()))
    } finally {
      await close()
    }
  }

  const done = async <A>(attempt: Attempt<A>): Promise<A> => {
    await until("it ends", () => attempt.state !== "waiting")
    return attempt.value
  }

  const failed = async (attempt: Attempt<unknown>): Promise<unknown> => {
    await until("it ends", () => attempt.state !== "waiting")
    return attempt.error
  }

  /** Nobody holds or waits, and all permits are to be had. */
  const isWhole = async (connect: () => Recorded, limit: number, name = "a") => {
    const fresh = skin.open(connect(), limit)
    const handle = await done(fresh.tryAcquire(name, limit))
    assert.isDefined(handle, "permits were lost")
    await done(handle!.release())
  }

  describe(`permits on lease (${skin.name}, ${factory.name})`, () => {
    it("no more are held at once than there are, by all instances together; and tokens grow", () =>
      withStores(async (connect) => {
        const drivers = [skin.open(connect(), 2), skin.open(connect(), 2)]
        let running = 0
        let peak = 0
        const tokens: Array<number> = []
        const body = async ({ token }: Context) => {
          tokens.push(token)
          peak = Math.max(peak, ++running)
          // The first one waits for another.
          await until("two run", () => peak === 2)
          await quiet(1)
          running--
          return token
        }
        const all = Array.from({ length: 12 }, (_, i) => drivers[i % 2]!.hold("a", 1, body))
        const results = await Promise.all(all.map(done))
        assert.strictEqual(peak, 2)
        assert.deepStrictEqual(
          results.toSorted((a, b) => a - b),
          tokens.toSorted((a, b) => a - b)
        )
        assert.strictEqual(new Set(tokens).size, 12)
        assert.deepStrictEqual(
          drivers.map((driver) => driver.stats()),
          [
            { held: 0, waiting: 0 },
            { held: 0, waiting: 0 }
          ]
        )
        await isWhole(connect, 2)
      }))

    it("a lock takes one round trip, and so does letting go; who waits behind others here costs none", () =>
      withStores(async (connect) => {
        const store = connect()
        const driver = skin.open(store, 1)
        for (let i = 0; i < 3; i++) await done(driver.hold("a", 1, async () => i))
        assert.deepStrictEqual(store.log, ["acquire", "release", "acquire", "release", "acquire", "release"])
        store.log.length = 0
        const all = Array.from({ length: 64 }, () => driver.hold("a", 1, () => quiet(0)))
        await Promise.all(all.map(done))
        assert.deepStrictEqual([store.count("acquire"), store.count("release"), store.log.length], [64, 64, 128])
      }))

    it("those who wait in one instance are served in order; a larger request is not overtaken, nor by one who only tries", () =>
      withStores(async (connect) => {
        const driver = skin.open(connect(), 3)
        const order: Array<string> = []
        const gate = makeGate()
        const first = driver.hold("a", 2, () => gate.opened)
        await until("it holds", () => driver.stats().held === 1)
        const big = driver.hold("a", 3, async () => void order.push("big"))
        const small = driver.hold("a", 1, async () => void order.push("small"))
        const tries = driver.holdIfAvailable("a", 1, async () => void order.push("tries"))
        assert.isUndefined(await done(tries))
        await quiet()
        assert.deepStrictEqual(order, [])
        assert.deepStrictEqual(driver.stats(), { held: 1, waiting: 2 })
        gate.open()
        await Promise.all([first, big, small].map(done))
        assert.deepStrictEqual(order, ["big", "small"])
      }))

    it("ifAvailable runs when there is room, and otherwise not at all", () =>
      withStores(async (connect) => {
        const [one, other] = [skin.open(connect(), 1), skin.open(connect(), 1)]
        assert.strictEqual(
          await done(one.holdIfAvailable("a", 1, async () => done(other.holdIfAvailable("a", 1, async () => "inner")))),
          undefined
        )
        assert.strictEqual(await done(one.holdIfAvailable("a", 1, async () => "outer")), "outer")
      }))

    it("what is held can be looked at, and is given back once", () =>
      withStores(async (connect) => {
        const [one, other] = [skin.open(connect(), 2, { lease: 5000 }), skin.open(connect(), 2)]
        const first = await done(one.acquire("a", 1))
        const second = await done(one.tryAcquire("a", 1))
        assert.isAbove(second!.token, first.token)
        assert.isAtMost(first.remaining(), 5000 - 52)
        assert.isAbove(first.remaining(), 1000)
        assert.isUndefined(await done(other.tryAcquire("a", 1)))
        first.check()
        await done(first.release())
        await done(first.release())
        assert.strictEqual(first.remaining(), 0)
        const third = await done(other.tryAcquire("a", 1))
        assert.isUndefined(await done(other.tryAcquire("a", 1)))
        await done(third!.release())
        await done(second!.release())
        await isWhole(connect, 2)
      }))

    it("whoever waits in another instance is woken when permits are given back, long before it would ask by itself", () =>
      withStores(async (connect) => {
        const options = { lease: 60_000, poll: 30_000 }
        const [one, other] = [skin.open(connect(), 1, options), skin.open(connect(), 1, options)]
        const gate = makeGate()
        const held = one.hold("a", 1, () => gate.opened)
        await until("it holds", () => one.stats().held === 1)
        const waits = [other.hold("a", 1, async () => "first"), other.hold("a", 1, async () => "second")]
        await quiet()
        assert.deepStrictEqual(
          waits.map(({ state }) => state),
          ["waiting", "waiting"]
        )
        const began = performance.now()
        gate.open()
        assert.deepStrictEqual(await Promise.all(waits.map(done)), ["first", "second"])
        assert.isBelow(performance.now() - began, 2000)
        await done(held)
      }))

    it("a process that has just let go does not take it again while another waits", () =>
      withStores(async (connect) => {
        const options = { lease: 60_000, poll: 30_000 }
        const [busy, other] = [skin.open(connect(), 1, options), skin.open(connect(), 1, options)]
        const order: Array<string> = []
        const all = Array.from({ length: 20 }, () =>
          busy.hold("a", 1, async () => {
            order.push("busy")
            await quiet(2)
          })
        )
        await until("it holds", () => order.length === 2)
        const waits = other.hold("a", 1, async () => void order.push("other"))
        await Promise.all([...all, waits].map(done))
        assert.isBelow(order.indexOf("other"), 20, "it was not the last")
      }))

    it("a waiter that is cancelled leaves at once, and those behind it have their turn", () =>
      withStores(async (connect) => {
        const driver = skin.open(connect(), 1)
        const other = skin.open(connect(), 1)
        const gate = makeGate()
        const held = other.hold("a", 1, () => gate.opened)
        await until("it holds", () => other.stats().held === 1)
        const gone = driver.hold("a", 1, async () => "gone")
        const next = driver.hold("a", 1, async () => "next")
        await quiet(5)
        gone.cancel()
        await until("it is gone", () => gone.state === "cancelled")
        assert.deepStrictEqual(driver.stats(), { held: 0, waiting: 1 })
        gate.open()
        assert.strictEqual(await done(next), "next")
        await done(held)
        await isWhole(connect, 1)
      }))

    it("a waiter that is cancelled while it is asked for leaves nothing: what is granted goes to the next, or back", () =>
      withStores(async (connect) => {
        for (const isNext of [false, true]) {
          const store = connect()
          const driver = skin.open(store, 1)
          const gate = makeGate()
          store.back = (operation) => (operation === "acquire" ? gate.opened : undefined)
          const gone = driver.hold("a", 1, async () => "gone")
          await until("it is asked for", () => store.count("acquire") === 1)
          const next = isNext ? driver.hold("a", 1, async () => "next") : undefined
          gone.cancel()
          await until("it is gone", () => gone.state === "cancelled")
          gate.open()
          if (next !== undefined) assert.strictEqual(await done(next), "next")
          await until("it is given back", () => store.count("release") === 1)
          assert.strictEqual(store.count("acquire"), 1)
          await until("nothing is left", () => driver.stats().waiting === 0)
          await isWhole(connect, 1)
        }
      }))

    it("what fails inside arrives, and the permits come back", () =>
      withStores(async (connect) => {
        const driver = skin.open(connect(), 1)
        const error = new Error("inside")
        assert.strictEqual(await failed(driver.hold("a", 1, () => Promise.reject(error))), error)
        await isWhole(connect, 1)
      }))

    it("a body that is cancelled is told, and the permits come back when it has ended", () =>
      withStores(async (connect) => {
        const driver = skin.open(connect(), 1)
        let signal: AbortSignal | undefined
        const held = driver.hold("a", 1, (context) => {
          signal = context.signal
          return new Promise((_, reject) =>
            context.signal.addEventListener("abort", () => reject(context.signal.reason))
          )
        })
        await until("it runs", () => signal !== undefined)
        held.cancel()
        await until("it ends", () => held.state === "cancelled")
        assert.isTrue(signal!.aborted)
        await isWhole(connect, 1)
      }))

    it("names have nothing to do with each other", () =>
      withStores(async (connect) => {
        const driver = skin.open(connect(), 1)
        const inner = (name: string) => done(driver.hold(name, 1, async () => name))
        assert.strictEqual(await done(driver.hold("a", 1, () => inner("b"))), "b")
        assert.strictEqual(await done(driver.hold("a", 1, () => inner("A"))), "A")
      }))

    it("what fails while it is asked for is told to all who wait, and what may have been granted is given back", () =>
      withStores(async (connect) => {
        for (const failure of ["lost", "unanswered"] as const) {
          const store = connect()
          const driver = skin.open(store, 1)
          store.failures = [failure]
          const all = [driver.hold("a", 1, async () => "one"), driver.hold("a", 1, async () => "two")]
          const errors = await Promise.all(all.map(failed))
          assert.strictEqual((errors[0] as Error).message, "acquire: down")
          assert.strictEqual(errors[1], errors[0])
          await until("it is given back", () => store.count("release") === 1)
          await isWhole(connect, 1)
          assert.strictEqual(await done(driver.hold("a", 1, async () => "later")), "later")
        }
      }))

    describe("the loss of what is held", () => {
      const lease = 450

      it("is found by the next renewal: the body is told, and the caller gets LeaseLost", () =>
        withStores(async (connect) => {
          const store = connect()
          const driver = skin.open(store, 1, { lease })
          let reason: unknown
          let token = 0
          const held = driver.hold("a", 1, async (context) => {
            ;({ token } = context)
            await new Promise<void>((resolve) =>
              context.signal.addEventListener("abort", () => {
                reason = context.signal.reason
                resolve()
              })
            )
            return "a result"
          })
          await until("it holds", () => token > 0)
          await store.forget("a")
          const error = (await failed(held)) as LeaseLost
          assert.instanceOf(error, LeaseLost)
          assert.deepInclude(error, { resource: "a", token, reason: "unknown to the store" })
          if (skin.name === "promise") assert.strictEqual(reason, error)
          const { length } = store.log
          await quiet(lease / 2)
          assert.strictEqual(store.log.length, length, "nothing is renewed any more")
          await isWhole(connect, 1)
        }))

      it("is found when it is given back: what ran had no protection", () =>
        withStores(async (connect) => {
          const store = connect()
          const driver = skin.open(store, 1)
          const error = (await failed(
            driver.hold("a", 1, async () => {
              await store.forget("a")
              return "a result"
            })
          )) as LeaseLost
          assert.deepInclude(error, { _tag: "LeaseLost", reason: "unknown to the store" })
        }))

      it("does not take the place of an error", () =>
        withStores(async (connect) => {
          const store = connect()
          const driver = skin.open(store, 1)
          const error = new Error("inside")
          const held = driver.hold("a", 1, async () => {
            await store.forget("a")
            throw error
          })
          assert.strictEqual(await failed(held), error)
        }))

      it("can be waited for, and looked at", () =>
        withStores(async (connect) => {
          const store = connect()
          const driver = skin.open(store, 1, { lease })
          const handle = await done(driver.acquire("a", 1))
          const lost = handle.lost()
          handle.check()
          await store.forget("a")
          const error = await failed(lost)
          assert.instanceOf(error, LeaseLost)
          assert.strictEqual(handle.remaining(), 0)
          assert.throws(() => handle.check(), LeaseLost)
          assert.strictEqual(await failed(handle.lost()), error)
          // Somebody was told: that is enough.
          await done(handle.release())
        }))

      it("those who wait here have their turn after it", () =>
        withStores(async (connect) => {
          const store = connect()
          const driver = skin.open(store, 1, { lease })
          const handle = await done(driver.acquire("a", 1))
          const next = driver.hold("a", 1, async ({ token }) => token)
          await store.forget("a")
          assert.isAbove(await done(next), handle.token)
          assert.throws(() => handle.check(), LeaseLost)
        }))
    })

    it("a lease is renewed for as long as it is held, and not after that", () =>
      withStores(async (connect) => {
        const store = connect()
        const [driver, other] = [skin.open(store, 1, { lease: 450 }), skin.open(connect(), 1)]
        const held = driver.hold("a", 1, async () => {
          await quiet(700)
          assert.isUndefined(await done(other.tryAcquire("a", 1)))
          return "done"
        })
        assert.strictEqual(await done(held), "done")
        assert.isAtLeast(store.count("renew"), 3)
        assert.isAtMost(store.count("renew"), 6)
        const { length } = store.log
        await quiet(200)
        assert.strictEqual(store.log.length, length)
      }))
  })
}
