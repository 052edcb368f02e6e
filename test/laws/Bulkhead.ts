import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Effects from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { gate, statesOf } from "../utils/gate.js"
import { alternate, type Attempt, fork, settle, start } from "./skins.js"

export interface BulkheadDriver {
  run<A>(body: () => Promise<A>): Attempt<A>
  stats(): Effects.Bulkhead.Stats
}

export interface BulkheadSkin {
  readonly name: "effect" | "promise" | "mixed"
  make(options: Effects.Bulkhead.Options): BulkheadDriver
}

const effectDriver = (self: Effects.Bulkhead.Bulkhead): BulkheadDriver => ({
  run: (body) => fork(self.protect(Effect.tryPromise({ try: body, catch: (error) => error }))),
  stats: () => Effect.runSync(self.stats)
})

const promiseDriver = (self: Promises.Bulkhead): BulkheadDriver => ({
  run: (body) => start((wait) => self.run(body, wait)),
  stats: () => self.stats()
})

export const bulkheadSkins: ReadonlyArray<BulkheadSkin> = [
  { name: "effect", make: (options) => effectDriver(Effects.Bulkhead.makeUnsafe(options)) },
  { name: "promise", make: (options) => promiseDriver(new Promises.Bulkhead(options)) },
  {
    name: "mixed",
    make: (options) => {
      const self = Effects.Bulkhead.makeUnsafe(options)
      return alternate(effectDriver(self), promiseDriver(Promises.Bulkhead.from(self)))
    }
  }
]

/** A body that ends when it is told to. */
const work = (log: Array<unknown> = [], what: unknown = undefined) => {
  const { open, opened } = gate()
  return {
    open,
    body: async () => {
      log.push(what)
      await opened
      return what
    }
  }
}

export const bulkheadLaws = (skin: BulkheadSkin) =>
  describe(`Bulkhead laws (${skin.name})`, () => {
    const numbers = (driver: BulkheadDriver) => {
      const { inUse, refused, waiting } = driver.stats()
      return [inUse, waiting, refused]
    }

    it("lets in as many as there are permits, as many more wait as may, and the next is refused and does not run", async () => {
      const bulkhead = skin.make({ permits: 2, backlog: 2, name: "db" })
      const log: Array<unknown> = []
      const works = [1, 2, 3, 4, 5].map((n) => work(log, n))
      const calls = works.map(({ body }) => bulkhead.run(body))
      await settle()
      assert.deepStrictEqual(statesOf(...calls), ["waiting", "waiting", "waiting", "waiting", "failed"])
      assert.deepStrictEqual(log, [1, 2])
      const error = calls[4]!.error
      assert.instanceOf(error, Promises.BulkheadFull)
      assert.deepInclude(error, { _tag: "BulkheadFull", bulkhead: "db", permits: 2, backlog: 2 })
      assert.deepStrictEqual(bulkhead.stats(), { capacity: 2, inUse: 2, waiting: 2, backlog: 2, refused: 1 })
      for (const { open } of works) open()
      await settle()
      assert.deepStrictEqual(log, [1, 2, 3, 4])
      assert.deepStrictEqual(
        calls.slice(0, 4).map(({ value }) => value),
        [1, 2, 3, 4]
      )
      assert.deepStrictEqual(numbers(bulkhead), [0, 0, 1])
    })

    it("who was accepted is never refused: not by newcomers in the tick in which a permit goes on", async () => {
      const bulkhead = skin.make({ permits: 1, backlog: 1 })
      const first = work()
      const accepted: Array<Attempt<unknown>> = [bulkhead.run(first.body), bulkhead.run(async () => "second")]
      await settle()
      first.open()
      const newcomers: Array<Attempt<unknown>> = []
      // In each microtask one more, while the permit goes from the first to the second.
      for (let i = 0; i < 30; i++) {
        newcomers.push(bulkhead.run(async () => i))
        await Promise.resolve()
      }
      await settle()
      assert.deepStrictEqual(statesOf(...accepted), ["done", "done"])
      for (const call of newcomers) {
        assert.oneOf(call.state, ["done", "failed"])
        if (call.state === "failed") assert.instanceOf(call.error, Promises.BulkheadFull)
      }
      assert.isTrue(newcomers.some(({ state }) => state === "failed"))
      assert.isTrue(newcomers.some(({ state }) => state === "done"))
      assert.deepStrictEqual(numbers(bulkhead).slice(0, 2), [0, 0])
    })

    it("who is cancelled while he waits is gone at once, and his place is somebody else's", async () => {
      const bulkhead = skin.make({ permits: 1, backlog: 1 })
      const first = work()
      bulkhead.run(first.body)
      const waiting = bulkhead.run(async () => assert.fail("must not run"))
      await settle()
      const refused = bulkhead.run(async () => 0)
      waiting.cancel()
      await settle()
      assert.deepStrictEqual(statesOf(waiting, refused), ["cancelled", "failed"])
      const next = bulkhead.run(async () => "next")
      await settle()
      assert.deepStrictEqual(numbers(bulkhead), [1, 1, 1])
      first.open()
      await settle()
      assert.strictEqual(next.value, "next")
      assert.deepStrictEqual(numbers(bulkhead), [0, 0, 1])
    })

    for (const when of ["before", "after"] as const) {
      it(`cancelled in the tick of the grant, ${when} it, he passes the permit on`, async () => {
        const bulkhead = skin.make({ permits: 1, backlog: 2 })
        const first = work()
        const holder = bulkhead.run(first.body)
        const victim = bulkhead.run(async () => "victim")
        const next = bulkhead.run(async () => "next")
        await settle()
        if (when === "before") victim.cancel()
        first.open()
        if (when === "after") {
          while (bulkhead.stats().waiting === 2) await Promise.resolve()
          victim.cancel()
        }
        await settle()
        assert.strictEqual(holder.state, "done")
        assert.oneOf(victim.state, when === "before" ? ["cancelled"] : ["cancelled", "done"])
        assert.strictEqual(next.value, "next")
        assert.deepStrictEqual(numbers(bulkhead), [0, 0, 0])
      })
    }

    it("a failure is its caller's, and gives the permit back", async () => {
      const bulkhead = skin.make({ permits: 1 })
      const error = new Error("oops")
      const failing = bulkhead.run(() => Promise.reject(error))
      await settle()
      assert.strictEqual(failing.error, error)
      const next = bulkhead.run(async () => 1)
      await settle()
      assert.strictEqual(next.value, 1)
    })

    it("without a backlog nobody waits; with an infinite one nobody is refused", async () => {
      const none = skin.make({ permits: 1 })
      const all = skin.make({ permits: 1, backlog: Infinity })
      for (const bulkhead of [none, all]) {
        const works = Array.from({ length: 100 }, () => work())
        const calls = works.map(({ body }) => bulkhead.run(body))
        await settle()
        const refused = calls.filter(({ state }) => state === "failed").length
        assert.strictEqual(refused, bulkhead === none ? 99 : 0)
        for (const { open } of works) open()
        await settle()
        assert.isTrue(calls.every(({ state }) => state !== "waiting"))
        assert.deepStrictEqual(numbers(bulkhead), [0, 0, refused])
      }
    })

    it("options that make no sense are refused", () => {
      const maker = skin.name === "promise" ? "new Bulkhead" : "Bulkhead.make"
      const message = `${maker}: permits must be an integer of at least 1, got 0`
      assert.throws(() => skin.make({ permits: 0 }), RangeError, message)
      assert.throws(() => skin.make({ permits: 1, backlog: -1 }), RangeError, `${maker}: backlog must be`)
      for (const permits of [-1, NaN, Infinity, 1.5, "1"])
        assert.throws(() => skin.make({ permits } as never), `${maker}: permits must be an integer of at least 1, got `)
      for (const backlog of [NaN, 0.5, "1"])
        assert.throws(() => skin.make({ permits: 1, backlog } as never), `${maker}: backlog must be`)
      assert.throws(
        () => skin.make({ permits: 1, name: 5 } as never),
        TypeError,
        `${maker}: name must be a string, got 5`
      )
      assert.throws(() => skin.make(undefined as never), TypeError, `${maker}: options must be an object`)
    })
  })
