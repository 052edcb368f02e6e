import { assert, describe, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import { Throttle } from "effect-concurrency"
import { pacedEffect } from "./laws/pacedEffect.js"
import { pacingLaws } from "./laws/pacing.js"

pacingLaws("throttle")
pacedEffect("Throttle")

describe("Throttle.Service", () => {
  it("offers the operations of the one that is provided; closing the layer flushes", async () => {
    const shown: Array<number> = []
    class Show extends Throttle.Service<Show>()("test/Show", {
      interval: "1 hour",
      key: (n: number) => n % 2,
      run: (n: number) => Effect.sync(() => shown.push(n))
    }) {}
    const program = Effect.gen(function* () {
      assert.strictEqual(yield* Show.call(1), 1)
      yield* Show.trigger(2)
      yield* Show.trigger(3)
      yield* Show.trigger(4)
      assert.deepStrictEqual([yield* Show.pending, (yield* Show.stats).keys, yield* Show.cancelKey(1)], [2, 2, 1])
      yield* Show.flushKey(0)
      assert.deepStrictEqual(shown, [1, 2, 4])
      yield* Show.trigger(6)
      assert.strictEqual(yield* Show.cancel, 1)
      yield* Show.trigger(8)
      yield* Show.flush
      yield* Show.trigger(9)
    })
    await Effect.runPromise(program.pipe(Effect.provide(Show.layer)))
    assert.deepStrictEqual(shown, [1, 2, 4, 8, 9])
  })
})

describe("the operations as functions", () => {
  it.scoped("are those of the instance", () =>
    Effect.gen(function* () {
      const self = yield* Throttle.make((n: number) => Effect.succeed(n), { interval: "100 millis" })
      yield* self.call(1)
      yield* self.trigger(1)
      assert.deepStrictEqual([yield* Throttle.pending(self), (yield* Throttle.stats(self)).keys], [1, 1])
      assert.strictEqual(yield* Throttle.cancel(self), 1)
      yield* self.trigger(1)
      yield* Throttle.flush(self)
      assert.strictEqual(yield* Throttle.pending(self), 0)
      yield* Throttle.close(self)
      assert.isTrue((yield* Throttle.stats(self)).isClosed)
      yield* TestClock.adjust("1 hour")
    })
  )
})
