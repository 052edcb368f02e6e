import { assert, describe, it } from "@effect/vitest"
import { AsyncLocalStorage } from "node:async_hooks"
import { Bulkhead as Effects } from "effect-concurrency"
import { Bulkhead, BulkheadFull } from "effect-concurrency/promise"
import { bulkheadLaws, bulkheadSkins } from "../laws/Bulkhead.js"
import { settle } from "../laws/skins.js"
import { gate } from "../utils/gate.js"
import { rejectionOf } from "../utils/rejection.js"
import { waitLaws, watch } from "./waits.js"

for (const skin of bulkheadSkins.filter(({ name }) => name === "promise")) bulkheadLaws(skin)

waitLaws("Bulkhead.run", () => {
  const bulkhead = new Bulkhead({ permits: 1, backlog: 1_000 })
  const { open, opened } = gate()
  let isHeld = true
  void bulkhead.run(() => opened)
  return {
    wait: (options) => bulkhead.run(() => {}, options),
    grant: () => {
      isHeld = false
      open()
    },
    waiting: () => bulkhead.stats().waiting,
    isIdle: () => bulkhead.stats().waiting === 0 && bulkhead.stats().inUse === (isHeld ? 1 : 0)
  }
})

describe("Bulkhead (promise)", () => {
  it("starts the function before run returns, with the caller's signal", async () => {
    const bulkhead = new Bulkhead({ permits: 1 })
    const controller = new AbortController()
    let seen: AbortSignal | undefined
    const call = bulkhead.run(({ signal }) => (seen = signal), { signal: controller.signal })
    assert.strictEqual(seen, controller.signal)
    await call
    const other = await bulkhead.run(({ signal }) => signal)
    assert.isFalse(other.aborted)
    assert.notStrictEqual(
      await bulkhead.run(({ signal }) => signal),
      other,
      "one for each call, so that nothing piles up"
    )
  })

  it("an aborted signal goes before a refusal, which is not counted", async () => {
    const bulkhead = new Bulkhead({ permits: 1 })
    const { open, opened } = gate()
    const held = bulkhead.run(() => opened)
    const reason = new Error("gone")
    assert.strictEqual(await rejectionOf(bulkhead.run(() => 1, { signal: AbortSignal.abort(reason) })), reason)
    assert.strictEqual(bulkhead.stats().refused, 0)
    assert.instanceOf(await rejectionOf(bulkhead.run(() => 1)), BulkheadFull)
    assert.strictEqual(bulkhead.stats().refused, 1)
    open()
    await held
  })

  it("what is no function rejects, and nothing has changed", async () => {
    const bulkhead = new Bulkhead({ permits: 1 })
    const error = await rejectionOf(bulkhead.run(5 as never))
    assert.strictEqual((error as Error).message, "Bulkhead.run: f must be a function, got 5")
    assert.deepInclude(bulkhead.stats(), { inUse: 0, refused: 0 })
    assert.throws(() => bulkhead.wrap(5 as never), "Bulkhead.wrap: f must be a function, got 5")
    assert.throws(
      () => Bulkhead.from({} as never),
      "Bulkhead.from: argument must be a Bulkhead, got an object (Object)"
    )
  })

  it("a throw is a rejection, and gives the permit back", async () => {
    const bulkhead = new Bulkhead({ permits: 1 })
    const error = new Error("oops")
    const call = bulkhead.run(() => {
      throw error
    })
    assert.strictEqual(await rejectionOf(call), error)
    assert.strictEqual(bulkhead.stats().inUse, 0)
  })

  it("wrap keeps this and the arguments, and runs each call with a permit", async () => {
    const bulkhead = new Bulkhead({ permits: 1 })
    const object = {
      base: 10,
      add: bulkhead.wrap(async function (this: { base: number }, n: number) {
        return this.base + n
      })
    }
    const [one, other] = [object.add(1), watch(object.add(2))]
    assert.strictEqual(await one, 11)
    await settle()
    assert.instanceOf(other.error, BulkheadFull)
  })

  it("runs in the context of its caller, also when it waited", async () => {
    const storage = new AsyncLocalStorage<string>()
    const bulkhead = new Bulkhead({ permits: 1, backlog: 1 })
    const { open, opened } = gate()
    const held = storage.run("holder", () => bulkhead.run(() => opened))
    const waiting = storage.run("waiter", () => bulkhead.run(() => storage.getStore()))
    storage.run("releaser", open)
    await held
    assert.strictEqual(await waiting, "waiter")
  })

  it("a view of an effect's, or of another's, is the same bulkhead", async () => {
    const effects = Effects.makeUnsafe({ permits: 1, backlog: 0 })
    const view = Bulkhead.from(effects)
    const again = Bulkhead.from(view)
    const { open, opened } = gate()
    const held = view.run(() => opened)
    assert.instanceOf(await rejectionOf(again.run(() => 1)), BulkheadFull)
    open()
    await held
    assert.instanceOf(again, Bulkhead)
    assert.deepStrictEqual(again.stats(), { capacity: 1, inUse: 0, waiting: 0, backlog: 0, refused: 1 })
  })
})
