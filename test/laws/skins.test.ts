import { assert, describe, it } from "@effect/vitest"
import { alternate } from "./skins.js"

describe("the mixed skin", () => {
  it("changes skin with each call, however often a method is looked at", () => {
    const driver = alternate({ who: () => "first", add: (_n: number) => "first" }, { who: () => "second", add: String })
    const { who } = driver
    void driver.add
    assert.isFunction(driver.who)
    assert.deepStrictEqual([who(), who(), driver.add(1), driver.add(2)], ["first", "second", "first", "2"])
  })
})
