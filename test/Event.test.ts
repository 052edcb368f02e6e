import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer } from "effect"
import { Event } from "effect-concurrency"
import { Event as PromiseEvent } from "effect-concurrency/promise"
import { eventLaws } from "./laws/Event.js"
import { fork, settle, skins } from "./laws/skins.js"
import { sweepIsClean } from "./utils/sweep.js"

for (const skin of skins) eventLaws(skin)

const nobodyWaits = (event: Event.Event) => {
  const { waiting } = Effect.runSync(event.stats)
  return waiting === 0 ? undefined : `waiting ${waiting}`
}

describe("Event: interrupted at any operation", () => {
  it("a wait for a flag that is set leaves nobody waiting", () =>
    sweepIsClean({
      setup: () => {
        const event = Event.makeUnsafe()
        Effect.runSync(event.set)
        return event
      },
      victim: (event) => Effect.zipRight(event.wait, Effect.yieldNow()),
      verify: nobodyWaits
    }))

  for (const wake of ["set", "pulse"] as const) {
    it(`a wait that ${wake} ends leaves nobody waiting, and the others are woken`, () =>
      sweepIsClean({
        setup: () => {
          const event = Event.makeUnsafe()
          return { event, other: fork(event.wait) }
        },
        victim: ({ event }) => Effect.zipRight(event.wait, Effect.yieldNow()),
        meanwhile: ({ event }) => event[wake],
        verify: ({ event, other }) =>
          nobodyWaits(event) ?? (other.state === "done" ? undefined : `other ${other.state}`)
      }))
  }

  it("a wait that nobody ends leaves nobody waiting", () =>
    sweepIsClean({
      setup: () => Event.makeUnsafe(),
      victim: (event) => Effect.timeoutOption(Effect.zipRight(event.wait, Effect.yieldNow()), 1),
      meanwhile: () => Effect.sleep(5),
      verify: nobodyWaits
    }))
})

describe("Event for effects", () => {
  it("wakes in order of arrival, who comes later in order too", async () => {
    const event = Event.makeUnsafe()
    const log: Array<number> = []
    const waiters = Array.from({ length: 5 }, (_, i) => fork(Effect.tap(event.wait, () => log.push(i))))
    waiters[1]!.cancel()
    await settle()
    Effect.runSync(event.set)
    await settle()
    assert.deepStrictEqual(log, [0, 2, 3, 4])
  })

  it("who waits with a set flag goes on without giving others a turn", async () => {
    const event = Event.makeUnsafe()
    Effect.runSync(event.set)
    assert.isTrue(Exit.isSuccess(Effect.runSyncExit(event.wait)))
    const exit = Effect.runSyncExit(Event.makeUnsafe().wait)
    assert.isTrue(Exit.isFailure(exit))
    await settle()
  })

  it("a woken waiter that waits again waits for the next set", async () => {
    const event = Event.makeUnsafe()
    let rounds = 0
    const looper = fork(
      Effect.forever(
        Effect.tap(event.wait, () => {
          rounds++
        })
      )
    )
    for (let i = 1; i <= 3; i++) {
      await settle()
      Effect.runSync(event.pulse)
      await settle()
      assert.strictEqual(rounds, i)
    }
    looper.cancel()
    await settle()
    assert.strictEqual(nobodyWaits(event), undefined)
  })

  it("an uninterruptible wait is not cut short", async () => {
    const event = Event.makeUnsafe()
    const attempt = fork(Effect.uninterruptible(event.wait))
    attempt.cancel()
    await settle()
    assert.strictEqual(attempt.state, "waiting")
    Effect.runSync(event.set)
    await settle()
    assert.notStrictEqual(attempt.state, "waiting")
  })

  it("a fiber and a promise wait for one event, and each can wake the other", async () => {
    const event = Effect.runSync(Event.make())
    const facade = PromiseEvent.from(event)
    const fiber = fork(event.wait)
    facade.set()
    await settle()
    assert.strictEqual(fiber.state, "done")
    assert.isTrue(Effect.runSync(event.isSet))
    Effect.runSync(event.clear)
    assert.isFalse(facade.isSet)
    const promise = facade.wait()
    assert.strictEqual(Effect.runSync(event.stats).waiting, 1)
    Effect.runSync(event.set)
    await promise
  })

  it("module functions are the methods", () =>
    Effect.runPromise(
      Effect.gen(function* () {
        const event = yield* Event.make()
        const waiter = yield* Effect.fork(Event.wait(event))
        yield* Effect.yieldNow()
        assert.deepStrictEqual(yield* Event.stats(event), { isSet: false, waiting: 1 })
        yield* Event.pulse(event)
        yield* Fiber.join(waiter)
        assert.isFalse(yield* Event.isSet(event))
        yield* Event.set(event)
        assert.isTrue(yield* Event.isSet(event))
        yield* Event.clear(event)
        assert.isFalse(yield* Event.isSet(event))
        assert.strictEqual(event[Event.TypeId], event[Event.TypeId])
      })
    ))
})

describe("Event.Service", () => {
  class Ready extends Event.Service<Ready>()("test/Ready") {}
  class Other extends Event.Service<Other>()("test/Other") {}

  it("has the operations of whichever event is provided", () =>
    Effect.runPromise(
      Effect.gen(function* () {
        const waiter = yield* Effect.fork(Ready.wait)
        yield* Effect.yieldNow()
        assert.deepStrictEqual(yield* Ready.stats, { isSet: false, waiting: 1 })
        yield* Ready.pulse
        yield* Fiber.join(waiter)
        yield* Ready.set
        assert.isTrue(yield* Ready.isSet)
        const event = yield* Ready
        assert.isTrue(yield* event.isSet)
        yield* Ready.clear
        assert.isFalse(yield* event.isSet)
      }).pipe(Effect.provide(Ready.layer))
    ))

  it("of two classes are two events", () =>
    Effect.runPromise(
      Effect.gen(function* () {
        yield* Ready.set
        assert.isTrue(yield* Ready.isSet)
        assert.isFalse(yield* Other.isSet)
      }).pipe(Effect.provide(Layer.merge(Ready.layer, Other.layer)))
    ))

  it("built twice are two events", async () => {
    const build = () => Effect.runSync(Effect.provide(Ready, Ready.layer))
    const [one, two] = [build(), build()]
    assert.notStrictEqual(one, two)
    Effect.runSync(one.set)
    assert.isFalse(Effect.runSync(two.isSet))
  })

  it("may be given an event from elsewhere", () => {
    const event = Event.makeUnsafe()
    Effect.runSync(Effect.provideService(Ready.set, Ready, event))
    assert.isTrue(Effect.runSync(event.isSet))
  })
})
