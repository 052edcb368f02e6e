import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Event as EffectEvent, Mutex } from "effect-concurrency"
import { Event } from "effect-concurrency/promise"
import { settle } from "../laws/skins.js"
import { counted, waitLaws, watch } from "./waits.js"

waitLaws("Event.wait", () => {
  const event = new Event()
  return {
    wait: (options) => event.wait(options),
    grant: () => event.pulse(),
    waiting: () => event.stats().waiting,
    isIdle: () => event.stats().waiting === 0 && !event.isSet
  }
})

describe("Event for async functions", () => {
  it("wakes in order of arrival, with and without a signal", async () => {
    const event = new Event()
    const log: Array<number> = []
    for (let i = 0; i < 4; i++) void event.wait().then(() => log.push(i))
    event.set()
    await settle()
    assert.deepStrictEqual(log, [0, 1, 2, 3])
    event.clear()
    log.length = 0
    for (let i = 0; i < 4; i++) void event.wait({ signal: counted().signal }).then(() => log.push(i))
    event.set()
    await settle()
    assert.deepStrictEqual(log, [0, 1, 2, 3])
  })

  it("one who comes after the set goes before those who are being woken", async () => {
    const event = new Event()
    const log: Array<number> = []
    void event.wait().then(() => log.push(1))
    void event.wait().then(() => log.push(2))
    event.set()
    void event.wait().then(() => log.push(3))
    await settle()
    assert.deepStrictEqual(log, [3, 1, 2])
  }) // asyncio: test_wait

  it("a flag that is set needs no listener and no timer", async () => {
    const event = new Event()
    event.set()
    const { added, signal } = counted()
    await event.wait({ signal, timeout: 1000 })
    assert.strictEqual(added(), 0)
  })

  it("a flag that is set does not excuse an aborted signal", async () => {
    const event = new Event()
    event.set()
    const reason = { why: "before" }
    const attempt = watch(event.wait({ signal: AbortSignal.abort(reason) }))
    await settle()
    assert.strictEqual(attempt.error, reason)
  })

  it("nothing runs inside set but the event: who is woken goes on later", async () => {
    const event = new Event()
    const attempt = watch(event.wait({ signal: counted().signal }))
    event.set()
    assert.strictEqual(attempt.state, "waiting")
    await settle()
    assert.strictEqual(attempt.state, "done")
  })

  it("from shares an event of either skin", async () => {
    const effects = EffectEvent.makeUnsafe()
    const event = Event.from(effects)
    assert.instanceOf(event, Event)
    const attempt = watch(Event.from(event).wait())
    assert.strictEqual(event.stats().waiting, 1)
    Effect.runSync(effects.set)
    await settle()
    assert.strictEqual(attempt.state, "done")
    assert.isTrue(event.isSet)
  })

  for (const bad of [undefined, null, {}, () => {}, 5, "event", Mutex.makeUnsafe(), Effect.void]) {
    it(`from refuses what is no event: ${typeof bad} ${String(bad).slice(0, 12)}`, () => {
      assert.throws(() => Event.from(bad as never), TypeError, /^Event\.from: \w+ must be an? Event, got /)
    })
  }
})
