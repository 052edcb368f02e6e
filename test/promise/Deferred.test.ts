import { assert, describe, it } from "@effect/vitest"
import { Deferred as EffectDeferred, Effect } from "effect"
import { Deferred } from "effect-concurrency/promise"
import { settle } from "../laws/skins.js"
import { rejectionOf } from "../utils/rejection.js"
import { waitLaws, watch } from "./waits.js"

// Both sides of a shared one are in test/Task.test.ts.

waitLaws("Deferred.wait", () => {
  const deferred = new Deferred<void>()
  const state = deferred["~effect-concurrency/Deferred"].result()
  return {
    wait: (options) => deferred.wait(options),
    grant: () => void deferred.resolve(),
    waiting: () => state.waiting?.size ?? 0,
    isIdle: () => !state.waiting?.size
  }
})

describe("Deferred", () => {
  it("settles once, whoever is first, and says whether it did", async () => {
    const resolved = new Deferred<number>()
    assert.isFalse(resolved.isSettled)
    assert.deepStrictEqual([resolved.resolve(1), resolved.resolve(2), resolved.reject(3)], [true, false, false])
    assert.deepStrictEqual([await resolved.promise, await resolved.wait(), resolved.isSettled], [1, 1, true])
    const rejected = new Deferred<number>()
    const oops = new Error("oops")
    assert.deepStrictEqual([rejected.reject(oops), rejected.resolve(1)], [true, false])
    assert.deepStrictEqual([await rejectionOf(rejected.promise), await rejectionOf(rejected.wait())], [oops, oops])
  }) // asyncio: test_initial_state, test_result, test_exception, test_cancel, test_set_result_unless_cancelled

  it("hands on what it is rejected with as it is, and be it a class", async () => {
    for (const error of [RangeError, undefined, "words"]) {
      const deferred = new Deferred<number>()
      deferred.reject(error)
      assert.strictEqual(await rejectionOf(deferred.wait()), error)
    }
  }) // asyncio: test_exception_class (there, an instance is made)

  it("all who wait hear of it, in order", async () => {
    const deferred = new Deferred<string>()
    const log: Array<string> = []
    for (const name of ["a", "b"]) void deferred.wait().then((value) => log.push(name + value))
    void deferred.promise.then((value) => log.push(`c${value}`))
    deferred.resolve("!")
    void deferred.wait().then((value) => log.push(`d${value}`))
    assert.deepStrictEqual(log, [])
    await settle()
    assert.deepStrictEqual(log, ["a!", "b!", "c!", "d!"])
  })

  it("has one promise, made when it is asked for: an error that nobody asked for is kept", async () => {
    const deferred = new Deferred<number>()
    deferred.reject("kept")
    await settle()
    assert.strictEqual(deferred.promise, deferred.promise)
    assert.strictEqual(await rejectionOf(deferred.promise), "kept")
  })

  it("a wait that is aborted does not settle it", async () => {
    const deferred = new Deferred<number>()
    const controller = new AbortController()
    const gone = watch(deferred.wait({ signal: controller.signal }))
    controller.abort("gone")
    await settle()
    assert.deepStrictEqual([gone.error, deferred.isSettled, deferred.resolve(1)], ["gone", false, true])
  }) // asyncio: test_wrap_future_cancel2

  it("from: views of a view share one", async () => {
    const deferred = new Deferred<number>()
    const view = Deferred.from(Deferred.from(deferred))
    assert.isTrue(view.resolve(5))
    assert.deepStrictEqual([deferred.isSettled, await deferred.promise, await view.promise], [true, 5, 5])
  }) // asyncio: test_wrap_future_future, test_wrap_future (there, the very object)

  for (const bad of [undefined, null, {}, 5, Promise.resolve()]) {
    it(`from refuses what is none: ${String(bad)}`, () => {
      assert.throws(() => Deferred.from(bad as never), TypeError, /^Deferred\.from: argument must be a Deferred, or /)
    })
  } // asyncio: test_isfuture

  it("from refuses an Effect Deferred as it is, and says what to do", () => {
    const deferred = Effect.runSync(EffectDeferred.make<number>())
    assert.throws(() => Deferred.from(deferred as never), TypeError, /Task\.shareDeferred/)
  })
})
