import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Effect, Exit, type Fiber, Layer } from "effect"
import { Bulkhead } from "effect-concurrency"
import { bulkheadLaws, bulkheadSkins } from "./laws/Bulkhead.js"
import { dieWith } from "./utils/defects.js"
import { sweepIsClean } from "./utils/sweep.js"

for (const skin of bulkheadSkins.filter(({ name }) => name !== "promise")) bulkheadLaws(skin)

const numbers = (bulkhead: Bulkhead.Bulkhead) => {
  const { inUse, waiting } = Effect.runSync(bulkhead.stats)
  return inUse === 0 && waiting === 0 ? undefined : `in use ${inUse}, waiting ${waiting}`
}

/** A bulkhead whose one permit is held, until `release`. */
const held = () => {
  const bulkhead = Bulkhead.makeUnsafe({ permits: 1, backlog: 2 })
  let release!: () => void
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  Effect.runFork(bulkhead.protect(Effect.promise(() => released)))
  return { bulkhead, release }
}

describe("Bulkhead: interrupted at any operation", () => {
  class Slots extends Bulkhead.Service<Slots>()("test/Slots", { permits: 1, backlog: 1 }) {}

  const victims: Record<string, (bulkhead: Bulkhead.Bulkhead) => Effect.Effect<unknown, unknown>> = {
    protect: (bulkhead) => bulkhead.protect(Effect.yieldNow()),
    "protect around a body that fails": (bulkhead) =>
      bulkhead.protect(Effect.zipRight(Effect.yieldNow(), Effect.fail("body"))),
    "the module's protect": (bulkhead) => Effect.yieldNow().pipe(Bulkhead.protect(bulkhead)),
    "the service's protect": (bulkhead) => Effect.yieldNow().pipe(Slots.protect, Effect.provideService(Slots, bulkhead))
  }

  for (const [name, victim] of Object.entries(victims)) {
    it(`${name} gives back what it holds`, async () => {
      await sweepIsClean({
        setup: () => Bulkhead.makeUnsafe({ permits: 1 }),
        victim,
        verify: numbers
      })
    })

    it(`${name} that has to wait passes on what it is granted to whoever waits behind it`, async () => {
      await sweepIsClean({
        setup: () => ({
          ...held(),
          behind: undefined as Fiber.RuntimeFiber<number, Bulkhead.BulkheadFull> | undefined
        }),
        victim: ({ bulkhead }) => victim(bulkhead),
        meanwhile: (state) =>
          Effect.promise(async () => {
            state.behind = Effect.runFork(state.bulkhead.protect(Effect.succeed(1)))
            state.release()
          }),
        verify: ({ behind, bulkhead }) => {
          const exit = behind!.unsafePoll()
          if (exit?._tag !== "Success") return `whoever waits behind it: ${exit?._tag}`
          return numbers(bulkhead)
        }
      })
    })
  }
})

describe("Bulkhead", () => {
  it("options that make no sense are a defect", async () => {
    const exit = await Effect.runPromiseExit(Bulkhead.make({ permits: 0 }))
    assert.instanceOf(dieWith(exit), RangeError)
  })

  it("the permit comes back when the body dies", async () => {
    const bulkhead = Bulkhead.makeUnsafe({ permits: 1 })
    const exit = await Effect.runPromiseExit(bulkhead.protect(Effect.die("oops")))
    assert.strictEqual(dieWith(exit), "oops")
    assert.isUndefined(numbers(bulkhead))
  })

  it("a wait is interruptible also where the body is not, and the body is as interruptible as outside", async () => {
    const { bulkhead, release } = held()
    const waiting = Effect.runFork(bulkhead.protect(Effect.uninterruptible(Effect.never)))
    await Effect.runPromise(Effect.yieldNow())
    waiting.unsafeInterruptAsFork(waiting.id())
    const exit = await Effect.runPromise(waiting.await)
    assert.isTrue(Exit.isInterrupted(exit))
    release()
  })

  it("as a service, its options may be a Config, and are checked when the layer is built", async () => {
    const config = Config.all({ permits: Config.integer("PERMITS"), backlog: Config.succeed(3) })
    class Configured extends Bulkhead.Service<Configured>()("test/Configured", config) {}
    const layerFor = (permits: string) =>
      Configured.layer.pipe(
        Layer.provide(Layer.setConfigProvider(ConfigProvider.fromMap(new Map([["PERMITS", permits]]))))
      )
    const stats = await Effect.runPromise(Configured.stats.pipe(Effect.provide(layerFor("2"))))
    assert.deepInclude(stats, { capacity: 2, backlog: 3 })
    const exit = await Effect.runPromiseExit(Effect.void.pipe(Configured.protect, Effect.provide(layerFor("0"))))
    assert.instanceOf(dieWith(exit), RangeError)
  })

  it("as the module's functions", () => {
    const bulkhead = Bulkhead.makeUnsafe({ permits: 1 })
    assert.strictEqual(Effect.runSync(Bulkhead.protect(Effect.succeed(1), bulkhead)), 1)
    assert.strictEqual(Effect.runSync(Effect.succeed(2).pipe(Bulkhead.protect(bulkhead))), 2)
    assert.deepStrictEqual(Effect.runSync(Bulkhead.stats(bulkhead)), Effect.runSync(bulkhead.stats))
  })
})
