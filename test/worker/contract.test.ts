/** Contracts as both skins use them. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, ParseResult, Schema } from "effect"
import * as Contract from "effect-concurrency/worker/contract"
import type { End } from "../../src/core/job.js"
import * as workerModule from "../../src/core/workerModule.js"
import { claimOf, encoded } from "../../src/promise/translate.js"
import { Degrees, Temperature, TooHot } from "../fixtures/contract.mjs"
import { rejectionOf } from "../utils/rejection.js"

const effects = workerModule.make<typeof import("../fixtures/effects.mjs"), never>("here", "file:///effects.mjs")
const facade = workerModule.make<typeof import("../fixtures/effects.mjs"), unknown>("here", "file:///effects.mjs")
const warmer = Temperature.of(effects.warmer)
const codec = workerModule.codecOf(warmer)!

/** A schema that has to wait, as one does that looks something up. */
const Slow = Schema.transformOrFail(Schema.Number, Schema.Number, {
  decode: (n, _, ast) =>
    Effect.delay(n < 0 ? ParseResult.fail(new ParseResult.Type(ast, n)) : Effect.succeed(n + 1), 1),
  encode: (n) => Effect.delay(Effect.succeed(n - 1), 1)
})
const slow = Contract.make({ args: [Slow], success: Slow }).of(effects.warmer as any)

describe("a contract, for who has no Effect", () => {
  it("gives at once what need not wait", () => {
    assert.deepStrictEqual(codec.encode([new Degrees(20), 5]), [20, 5])
    const success = codec.success(25)
    assert.instanceOf(success, Degrees)
    const failure = codec.failure({ _tag: "TooHot", degrees: 105 })
    assert.instanceOf(failure, TooHot)
  })

  it("throws what does not fit", () => {
    assert.throws(() => codec.encode([20, 5]), /Degrees/)
    assert.throws(() => codec.success("warm"), /number/)
    assert.throws(() => codec.failure("no"), /TooHot/)
  })

  it("gives a promise of the rest", async () => {
    const slowly = workerModule.codecOf(slow)!
    assert.deepStrictEqual(await slowly.encode([2]), [1])
    assert.strictEqual(await slowly.success(1), 2)
    assert.match(String(await rejectionOf(slowly.success(-1) as Promise<unknown>)), /actual -1/)
  })

  it("is of a module of either skin", () => {
    assert.strictEqual(Temperature.of(facade.warmer).name, "warmer")
    // @ts-expect-error -- it fails with what the contract does not say
    Temperature.of(effects.divide)
    assert.strictEqual(warmer.href, "file:///effects.mjs")
    assert.isTrue(Object.isFrozen(warmer))
    assert.isUndefined(workerModule.codecOf(effects.warmer))
  })
})

describe("arguments that are bound", () => {
  it("are encoded then", () => {
    assert.deepStrictEqual(workerModule.encodeNow("here", warmer, [new Degrees(20), 5]), [20, 5])
    assert.deepStrictEqual(workerModule.encodeNow("here", effects.warmer, [20, 5]), [20, 5])
    assert.throws(() => workerModule.encodeNow("here", warmer, [20, 5]), /Degrees/)
  })

  it("are refused when that has to wait", () => {
    assert.throws(
      () => workerModule.encodeNow("here", slow, [2]),
      /^here: the arguments of warmer cannot be encoded at once: its contract has a schema that waits$/
    )
  })
})

describe("a call of the facade", () => {
  const claim = (end: End): Promise<unknown> => Promise.resolve(claimOf(codec, end))

  it("is made with encoded arguments, in the same step where that is possible", async () => {
    const sent: Array<unknown> = []
    const go = (args: ReadonlyArray<unknown>) => sent.push(args)
    await encoded(slow, [2], go)
    assert.deepStrictEqual(sent, [[1]])
    void encoded(warmer, [new Degrees(20), 5], go)
    void encoded(effects.warmer, [1, 2], go)
    assert.deepStrictEqual(sent.slice(1), [
      [20, 5],
      [1, 2]
    ])
  })

  it("gives what comes of it decoded, and nothing else", async () => {
    assert.instanceOf(await claim({ _tag: "Value", value: 25 }), Degrees)
    const tooHot = { _tag: "TooHot", degrees: 105 }
    assert.instanceOf(await rejectionOf(claim({ _tag: "Rejected", error: tooHot, expected: true })), TooHot)
    assert.strictEqual(await rejectionOf(claim({ _tag: "Rejected", error: tooHot, expected: false })), tooHot)
    assert.match(String(await rejectionOf(claim({ _tag: "Value", value: "warm" }))), /number/)
    assert.strictEqual(((await rejectionOf(claim({ _tag: "Cancelled" }))) as Error).name, "AbortError")
    const died: any = new Error("died")
    assert.strictEqual(await rejectionOf(claim({ _tag: "Failed", error: died })), died)
    assert.strictEqual(claimOf(undefined, { _tag: "Value", value: 25 }), 25)
  })
})
