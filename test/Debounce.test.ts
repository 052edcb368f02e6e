import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Config, Duration, Effect, TestClock } from "effect"
import { Debounce } from "effect-concurrency"
import { pacedEffect } from "./laws/pacedEffect.js"
import { pacingLaws } from "./laws/pacing.js"

pacingLaws("debounce")
pacedEffect("Debounce")

describe("Debounce.Service", () => {
  it("offers the operations of the one that is provided, with what the layer found out; closing the layer flushes", async () => {
    const saved: Array<string> = []
    class Save extends Debounce.Service<Save>()(
      "test/Save",
      Effect.map(Config.duration("WAIT"), (wait) => ({
        wait,
        key: (text: string) => text[0],
        run: (text: string) => Effect.sync(() => saved.push(text))
      }))
    ) {}
    const program = Effect.gen(function* () {
      yield* Save.trigger("a1")
      yield* Save.trigger("a2")
      yield* Save.trigger("b")
      assert.deepStrictEqual([yield* Save.pending, (yield* Save.stats).keys, yield* Save.cancelKey("b")], [3, 2, 1])
      yield* Save.flushKey("a")
      assert.deepStrictEqual(saved, ["a2"])
      yield* Save.trigger("c")
      assert.strictEqual(yield* Save.cancel, 1)
      yield* Save.trigger("d")
      yield* Save.flush
      yield* Save.trigger("e")
    })
    const config = ConfigProvider.fromMap(new Map([["WAIT", "1 hour"]]))
    await Effect.runPromise(program.pipe(Effect.provide(Save.layer), Effect.withConfigProvider(config)))
    assert.deepStrictEqual(saved, ["a2", "d", "e"])
  })
})

describe("the operations as functions", () => {
  it.scoped("are those of the instance", () =>
    Effect.gen(function* () {
      const self = yield* Debounce.make((n: number) => Effect.succeed(n), { wait: "100 millis", maxWait: Duration.seconds(1) }) // prettier-ignore
      yield* self.trigger(1)
      assert.deepStrictEqual([yield* Debounce.pending(self), (yield* Debounce.stats(self)).keys], [1, 1])
      assert.strictEqual(yield* Debounce.cancel(self), 1)
      yield* self.trigger(1)
      yield* Debounce.flush(self)
      assert.strictEqual(yield* Debounce.pending(self), 0)
      yield* Debounce.close(self)
      assert.isTrue((yield* Debounce.stats(self)).isClosed)
      yield* TestClock.adjust("1 hour")
    })
  )
})
