/** What a lock on lease promises beyond what permits do: that there is one. */
import { assert, describe, it } from "@effect/vitest"
import { gate as makeGate } from "../utils/gate.js"
import type { StoreFactory } from "./DistributedSemaphore.js"
import { type Skin, until } from "./leaseSkins.js"

export const distributedMutexLaws = (skin: Skin, factory: StoreFactory): void => {
  describe(`a lock on lease (${skin.name}, ${factory.name})`, () => {
    it("a balance that is read and written by many, in several instances, is right, and tokens come in order", async () => {
      const { close, connect } = await factory.open()
      const drivers = [skin.open(connect(), 1), skin.open(connect(), 1), skin.open(connect(), 1)]
      let balance = 0
      let latest = 0
      const all = Array.from({ length: 30 }, (_, i) =>
        drivers[i % 3]!.hold("account", 1, async ({ token }) => {
          assert.isAbove(token, latest)
          latest = token
          const seen = balance
          await new Promise((resolve) => setImmediate(resolve))
          balance = seen + 1
        })
      )
      await until("all have ended", () => all.every(({ state }) => state !== "waiting"))
      assert.isTrue(all.every(({ state }) => state === "done"))
      assert.strictEqual(balance, 30)
      await close()
    })

    it("is not reentrant: who asks for it again only tries, in vain", async () => {
      const { close, connect } = await factory.open()
      const driver = skin.open(connect(), 1)
      const gate = makeGate()
      const held = driver.hold("a", 1, () => gate.opened)
      await until("it holds", () => driver.stats().held === 1)
      const again = driver.holdIfAvailable("a", 1, async () => "inside")
      await until("it is refused", () => again.state === "done")
      assert.isUndefined(again.value)
      gate.open()
      await until("it ends", () => held.state === "done")
      await close()
    })
  })
}
