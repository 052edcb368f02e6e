import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Effects from "effect-concurrency"
import { Guarded, Mutex } from "effect-concurrency/promise"
import { TypeId } from "../../src/core/guarded.js"
import { release, tryTake } from "../../src/core/semaphore.js"
import { wake } from "../../src/core/ticket.js"
import { permitWaitLaws } from "./permitWaits.js"
import { gate } from "../utils/gate.js"
import { rejectionOf } from "../utils/rejection.js"

const free = { capacity: 1, inUse: 0, waiting: 0 }

/** A value whose lock is taken from the outside, so that it is free in the very tick in which it is opened. */
const locked = () => {
  const guarded = new Guarded(0)
  const { lock } = guarded[TypeId]
  assert.isTrue(tryTake(lock, 1, 0))
  return { guarded, open: () => wake(release(lock, 1)), stats: () => guarded.stats() }
}

permitWaitLaws({
  name: "Guarded.update",
  make: () => {
    const { guarded, ...rest } = locked()
    const call = (body: () => void, options?: Parameters<Guarded<number>["update"]>[1]) =>
      guarded.update((value) => {
        body()
        return value + 1
      }, options)
    return { call, ...rest }
  }
})

permitWaitLaws({
  name: "Guarded.modify",
  make: () => {
    const { guarded, ...rest } = locked()
    const call = (body: () => void, options?: Parameters<Guarded<number>["modify"]>[1]) =>
      guarded.modify((value) => {
        body()
        return ["result", value + 1]
      }, options)
    return { call, ...rest }
  }
})

describe("Guarded", () => {
  it("takes functions that are async, and functions that are not", async () => {
    const guarded = new Guarded(1)
    await Promise.all([guarded.update((value) => value + 1), guarded.update(async (value) => value * 10)])
    assert.strictEqual(guarded.get(), 20)
    const results = [
      guarded.modify((value) => [`was ${value}`, value + 1]),
      guarded.modify(async (value) => [`was ${value}`, value + 1])
    ]
    assert.deepStrictEqual(await Promise.all(results), ["was 20", "was 21"])
    assert.deepStrictEqual([guarded.get(), guarded.stats()], [22, free])
  })

  it("calls the function before it returns when nobody changes the value", async () => {
    const guarded = new Guarded(1)
    let seen: number | undefined
    const change = guarded.update((value) => {
      seen = value
      return 2
    })
    assert.strictEqual(seen, 1)
    await change
    const modified = guarded.modify((value) => {
      seen = value
      return ["result", 3]
    })
    assert.strictEqual(seen, 2)
    assert.strictEqual(await modified, "result")
  })

  it("sets the value in turn", async () => {
    const guarded = new Guarded("old")
    const { open, opened } = gate()
    const slow = guarded.update((value) => opened.then(() => `${value}er`))
    const set = guarded.set("new")
    const after = guarded.update((value) => `${value} and changed`)
    assert.deepStrictEqual([guarded.get(), guarded.stats().waiting], ["old", 2])
    open()
    await slow
    await set
    await after
    assert.strictEqual(guarded.get(), "new and changed")
  })

  it("sets nothing when the wait is aborted or times out", async () => {
    const { guarded, open } = locked()
    const controller = new AbortController()
    const set = rejectionOf(guarded.set(5, { signal: controller.signal }))
    const timed = rejectionOf(guarded.set(5, { timeout: 1 }))
    const refused = rejectionOf(guarded.set(5, { timeout: -1 }))
    controller.abort("reason")
    assert.strictEqual(await set, "reason")
    assert.strictEqual(((await timed) as Error).message, "Guarded.set: timed out after 1 ms")
    assert.match(((await refused) as Error).message, /^Guarded\.set: timeout must be/)
    open()
    assert.deepStrictEqual([guarded.get(), guarded.stats()], [0, free])
  })

  it("keeps the old value and rejects with the original error when the function throws", async () => {
    const error = new Error("original")
    const guarded = new Guarded(1)
    const broken = (): never => {
      throw error
    }
    const changes = [
      guarded.update(broken),
      guarded.update(() => Promise.reject(error)),
      guarded.modify(broken),
      guarded.modify(() => Promise.reject(error))
    ]
    assert.deepStrictEqual(await Promise.all(changes.map(rejectionOf)), [error, error, error, error])
    assert.deepStrictEqual([guarded.get(), guarded.stats()], [1, free])
  })

  it("lets a change that runs decide, when its signal is aborted", async () => {
    const guarded = new Guarded(1)
    const controller = new AbortController()
    const { open, opened } = gate()
    const change = guarded.update((value) => opened.then(() => value + 1), { signal: controller.signal })
    await Promise.resolve()
    await Promise.resolve()
    controller.abort("too late")
    open()
    await change
    assert.strictEqual(guarded.get(), 2)
  })

  it("rejects what is no function, and what is no pair", async () => {
    const guarded = new Guarded(1)
    for (const f of [undefined, null, {}, Promise.resolve()] as ReadonlyArray<any>) {
      for (const name of ["update", "modify"] as const) {
        const error = await rejectionOf(guarded[name](f))
        assert.instanceOf(error, TypeError)
        assert.match((error as Error).message, new RegExp(`^Guarded\\.${name}: f must be a function, got`))
      }
    }
    const error = await rejectionOf(guarded.modify(() => 1 as any))
    assert.strictEqual(
      (error as Error).message,
      "Guarded.modify: the function must return a pair: what to return, and the new value"
    )
    assert.deepStrictEqual([guarded.get(), guarded.stats()], [1, free])
  })
})

describe("Guarded.from", () => {
  it("is the value of an Effect program, which changes in turn with it", async () => {
    const effect = Effects.Guarded.makeUnsafe<ReadonlyArray<string>>([])
    const guarded = Guarded.from(effect)
    const { open, opened } = gate()
    const changes = [
      guarded.update((value) => opened.then(() => [...value, "plain"])),
      Effect.runPromise(effect.update((value) => [...value, "fiber"])),
      guarded.update((value) => [...value, "plain too"])
    ]
    assert.deepStrictEqual(guarded.stats(), { capacity: 1, inUse: 1, waiting: 2 })
    open()
    await Promise.all(changes)
    assert.deepStrictEqual(Effect.runSync(effect.get), ["plain", "fiber", "plain too"])
  })

  it("is one value with another view of it", async () => {
    const guarded = new Guarded(1)
    const view = Guarded.from(Guarded.from(guarded))
    assert.instanceOf(view, Guarded)
    await view.set(2)
    assert.strictEqual(guarded.get(), 2)
  })

  for (const bad of [undefined, null, {}, 5, "guarded", new Mutex()] as ReadonlyArray<any>) {
    it(`refuses ${String(bad)}, which is no guarded value`, () => {
      assert.throws(() => Guarded.from(bad), TypeError, "Guarded.from: argument must be a Guarded, got")
    })
  }
})
