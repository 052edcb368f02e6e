/** What a guarded value does, whoever changes it. */
import { assert, describe, it } from "@effect/vitest"
import { gate, statesOf } from "../utils/gate.js"
import { settle, type Skin } from "./skins.js"

const free = { capacity: 1, inUse: 0, waiting: 0 }

export const guardedLaws = (skin: Skin) =>
  describe(`Guarded (${skin.name})`, () => {
    it("has the value that it was made with", () => {
      const value = { a: 1 }
      assert.strictEqual(skin.guarded(value).get(), value)
      assert.isUndefined(skin.guarded(undefined).get())
    })

    it("loses no change, however many are made at once", async () => {
      const guarded = skin.guarded(0)
      const attempts = Array.from({ length: 50 }, (_, i) =>
        i % 2 === 0
          ? guarded.update(async (value) => {
              await Promise.resolve()
              return value + 1
            })
          : guarded.modify(async (value) => {
              await Promise.resolve()
              return [value, value + 1] as const
            })
      )
      while (attempts.some(({ state }) => state === "waiting")) await settle()
      assert.strictEqual(guarded.get(), 50)
      assert.isTrue(attempts.every(({ value }, i) => value === (i % 2 === 0 ? undefined : i)))
      assert.deepStrictEqual(guarded.stats(), free)
    })

    it("shows the old value, without waiting, until a change is complete", async () => {
      const guarded = skin.guarded("old")
      const { open, opened } = gate()
      const change = guarded.update(() => opened.then(() => "new"))
      const next = guarded.update(async (value) => `${value}er`)
      await settle()
      assert.strictEqual(guarded.get(), "old")
      assert.deepStrictEqual(guarded.stats(), { capacity: 1, inUse: 1, waiting: 1 })
      open()
      await settle()
      assert.deepStrictEqual(statesOf(change, next), ["done", "done"])
      assert.strictEqual(guarded.get(), "newer")
    })

    it("makes changes in order of arrival", async () => {
      const guarded = skin.guarded("")
      for (const letter of "abcdef") guarded.update(async (value) => value + letter)
      await settle()
      assert.strictEqual(guarded.get(), "abcdef")
    })

    it("keeps the old value when a change fails, and goes on", async () => {
      const guarded = skin.guarded(1)
      const error = new Error("the change's")
      const failing = [
        guarded.update(() => Promise.reject(error)),
        guarded.modify(() => Promise.reject(error)),
        guarded.update(async () => {
          await Promise.resolve()
          throw error
        })
      ]
      const next = guarded.update(async (value) => value + 1)
      await settle()
      assert.deepStrictEqual(
        failing.map((attempt) => attempt.error),
        [error, error, error]
      )
      assert.strictEqual(next.state, "done")
      assert.strictEqual(guarded.get(), 2)
      assert.deepStrictEqual(guarded.stats(), free)
    })

    it("refuses a modify function that returns no pair, and keeps the old value", async () => {
      const guarded = skin.guarded(1)
      for (const result of [2, undefined, [], [1, 2, 3]] as ReadonlyArray<any>) {
        const attempt = guarded.modify(async () => result)
        await settle()
        assert.match((attempt.error as Error).message, /^Guarded\.modify(Effect)?: the function must return a pair/)
        assert.strictEqual(guarded.get(), 1)
        assert.deepStrictEqual(guarded.stats(), free)
      }
    })

    it("changes nothing for who is cancelled while he waits, in the tick of his turn or before", async () => {
      for (const when of ["before", "with", "after"] as const) {
        const guarded = skin.guarded<ReadonlyArray<string>>([])
        const { open, opened } = gate()
        guarded.update((value) => opened.then(() => [...value, "first"]))
        let ran = false
        const victim = guarded.update(async (value) => {
          ran = true
          return [...value, "victim"]
        })
        guarded.update(async (value) => [...value, "last"])
        await settle()
        if (when === "before") {
          victim.cancel()
          await settle()
          assert.strictEqual(guarded.stats().waiting, 1)
        }
        if (when === "with") victim.cancel()
        open()
        if (when === "after") {
          while (guarded.stats().waiting === 2) await Promise.resolve()
          if (!ran) victim.cancel()
        }
        await settle()
        assert.strictEqual(victim.state, "cancelled")
        assert.isFalse(ran)
        assert.deepStrictEqual(guarded.get(), ["first", "last"])
        assert.deepStrictEqual(guarded.stats(), free)
      }
    })

    it("has frozen snapshots", () => {
      assert.isFrozen(skin.guarded(1).stats())
    })
  })
