import { assert, describe, it } from "@effect/vitest"
import { settle, type Skin } from "./skins.js"

/** How many microtasks a wake-up takes at most to reach whoever it wakes, in any skin; a cancellation is tried after each. */
const microtasks = 40

export const eventLaws = (skin: Skin) =>
  describe(`Event laws (${skin.name})`, () => {
    it("those who wait are woken by set", async () => {
      const event = skin.event()
      const waiters = [event.wait(), event.wait(), event.wait()]
      await settle()
      assert.deepStrictEqual(
        waiters.map(({ state }) => state),
        ["waiting", "waiting", "waiting"]
      )
      assert.deepStrictEqual(event.stats(), { isSet: false, waiting: 3 })
      event.set()
      assert.deepStrictEqual(event.stats(), { isSet: true, waiting: 0 })
      await settle()
      assert.deepStrictEqual(
        waiters.map(({ state }) => state),
        ["done", "done", "done"]
      )
    })

    it("one who comes when the flag is set does not stand in line behind those who are being woken", async () => {
      const event = skin.event()
      const waiters = [event.wait(), event.wait()]
      event.set()
      const late = event.wait()
      assert.strictEqual(event.stats().waiting, 0)
      await settle()
      assert.strictEqual(late.state, "done")
      assert.deepStrictEqual(
        waiters.map(({ state }) => state),
        ["done", "done"]
      )
    }) // asyncio: test_wait

    it("a flag that is set keeps nobody waiting, however often it is asked", async () => {
      const event = skin.event()
      event.set()
      for (let i = 0; i < 3; i++) {
        const attempt = event.wait()
        assert.strictEqual(event.stats().waiting, 0)
        await settle()
        assert.strictEqual(attempt.state, "done")
      }
      assert.isTrue(event.isSet())
    }) // asyncio: test_wait_on_set

    it("clear makes newcomers wait again", async () => {
      const event = skin.event()
      assert.isFalse(event.isSet())
      event.set()
      assert.isTrue(event.isSet())
      event.clear()
      assert.isFalse(event.isSet())
      const attempt = event.wait()
      await settle()
      assert.strictEqual(attempt.state, "waiting")
      event.set()
      await settle()
      assert.strictEqual(attempt.state, "done")
    }) // asyncio: test_clear

    it("set and clear twice are as good as once", async () => {
      const event = skin.event()
      event.clear()
      assert.isFalse(event.isSet())
      event.set()
      event.set()
      assert.isTrue(event.isSet())
      event.clear()
      event.clear()
      assert.isFalse(event.isSet())
    })

    it("a wake-up is not revoked by a clear in the same tick", async () => {
      // Looking at the flag again after the wake-up would leave both waiting for ever.
      const event = skin.event()
      const waiters = [event.wait(), event.wait()]
      await settle()
      event.set()
      event.clear()
      await settle()
      assert.deepStrictEqual(
        waiters.map(({ state }) => state),
        ["done", "done"]
      )
      assert.deepStrictEqual(event.stats(), { isSet: false, waiting: 0 })
    })

    it("who comes after the clear waits, though it comes in the tick of the set", async () => {
      const event = skin.event()
      const before = event.wait()
      event.set()
      event.clear()
      const after = event.wait()
      assert.strictEqual(event.stats().waiting, 1)
      await settle()
      assert.strictEqual(before.state, "done")
      assert.strictEqual(after.state, "waiting")
      event.set()
      await settle()
      assert.strictEqual(after.state, "done")
    })

    it("a waiter is woken once by set, clear, set, set, and is in no list afterwards", async () => {
      const event = skin.event()
      const first = event.wait()
      await settle()
      event.set()
      event.clear()
      const second = event.wait()
      event.set()
      event.set()
      assert.strictEqual(event.stats().waiting, 0)
      await settle()
      assert.strictEqual(first.state, "done")
      assert.strictEqual(second.state, "done")
      assert.isTrue(event.isSet())
    }) // asyncio: test_clear_with_waiters

    it("pulse wakes who waits now, and nobody who comes after", async () => {
      const event = skin.event()
      const before = [event.wait(), event.wait()]
      event.pulse()
      const after = event.wait()
      await settle()
      assert.deepStrictEqual(
        before.map(({ state }) => state),
        ["done", "done"]
      )
      assert.strictEqual(after.state, "waiting")
      assert.deepStrictEqual(event.stats(), { isSet: false, waiting: 1 })
      event.pulse()
      await settle()
      assert.strictEqual(after.state, "done")
    })

    it("pulse with nobody waiting is not remembered, and leaves a set flag set", async () => {
      const event = skin.event()
      event.pulse()
      const attempt = event.wait()
      await settle()
      assert.strictEqual(attempt.state, "waiting")
      event.set()
      event.pulse()
      assert.isTrue(event.isSet())
      await settle()
      assert.strictEqual(attempt.state, "done")
    })

    it("a cancelled waiter leaves at once, and the others stay", async () => {
      const event = skin.event()
      const [first, second, third] = [event.wait(), event.wait(), event.wait()]
      await settle()
      second.cancel()
      await settle()
      assert.strictEqual(second.state, "cancelled")
      assert.strictEqual(event.stats().waiting, 2)
      assert.strictEqual(first.state, "waiting")
      event.set()
      await settle()
      assert.deepStrictEqual([first.state, second.state, third.state], ["done", "cancelled", "done"])
    }) // asyncio: test_wait_cancel

    it("the only waiter can be cancelled", async () => {
      const event = skin.event()
      const attempt = event.wait()
      await settle()
      attempt.cancel()
      await settle()
      assert.strictEqual(attempt.state, "cancelled")
      assert.deepStrictEqual(event.stats(), { isSet: false, waiting: 0 })
    })

    for (const others of [0, 1]) {
      it(`cancel, then set, in one tick: cancelled${others ? ", and the other waiter is woken" : ""}`, async () => {
        const event = skin.event()
        const victim = event.wait()
        const rest = Array.from({ length: others }, () => event.wait())
        await settle()
        victim.cancel()
        event.set()
        await settle()
        assert.strictEqual(victim.state, "cancelled")
        assert.isTrue(rest.every(({ state }) => state === "done"))
        assert.strictEqual(event.stats().waiting, 0)
      })

      it(`set, then cancel, in one tick: cancelled${others ? ", and the other waiter is woken" : ""}`, async () => {
        const event = skin.event()
        const victim = event.wait()
        const rest = Array.from({ length: others }, () => event.wait())
        await settle()
        event.set()
        victim.cancel()
        await settle()
        assert.strictEqual(victim.state, "cancelled")
        assert.isTrue(rest.every(({ state }) => state === "done"))
        assert.strictEqual(event.stats().waiting, 0)
      })
    }

    it("a late cancel of a woken waiter takes nobody of the next generation with it", async () => {
      for (let delay = 0; delay < microtasks; delay++) {
        const event = skin.event()
        const [victim, other] = [event.wait(), event.wait()]
        await settle()
        event.set()
        event.clear()
        const next = event.wait()
        for (let i = 0; i < delay; i++) await Promise.resolve()
        victim.cancel()
        await settle()
        assert.include(["done", "cancelled"], victim.state, `after ${delay} microtasks`)
        assert.strictEqual(other.state, "done", `after ${delay} microtasks`)
        assert.strictEqual(next.state, "waiting", `after ${delay} microtasks`)
        assert.strictEqual(event.stats().waiting, 1, `after ${delay} microtasks`)
        event.set()
        await settle()
        assert.strictEqual(next.state, "done", `after ${delay} microtasks`)
      }
    })

    it("a thousand waiters are woken by one set, but for those that were cancelled", async () => {
      const event = skin.event()
      const waiters = Array.from({ length: 1000 }, () => event.wait())
      for (let i = 0; i < 1000; i += 3) waiters[i]!.cancel()
      await settle()
      assert.strictEqual(event.stats().waiting, 666)
      event.set()
      await settle()
      assert.isTrue(waiters.every(({ state }, i) => state === (i % 3 === 0 ? "cancelled" : "done")))
      assert.strictEqual(event.stats().waiting, 0)
    })

    it("stats are a frozen snapshot", () => {
      const event = skin.event()
      const before = event.stats()
      event.set()
      assert.isFrozen(before)
      assert.deepStrictEqual(before, { isSet: false, waiting: 0 })
      assert.deepStrictEqual(event.stats(), { isSet: true, waiting: 0 })
    })
  })
