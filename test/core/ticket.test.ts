import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { type AnyTicket, type Chain, concat, settle, wake } from "../../src/core/ticket.js"
import * as waitList from "../../src/core/waitList.js"
import { TestTicket, ticketsOf } from "../utils/tickets.js"

const ticket = (name = "") => new TestTicket<string, number>(name, 0)

const chainOf = (tickets: ReadonlyArray<TestTicket<string, number>>): Chain => {
  let chain: Chain = undefined
  for (const ticket of tickets) chain = settle(chain, ticket, 0)
  return chain
}

describe("ticket", () => {
  it("is new until it waits or is settled", () => {
    const fresh = ticket()
    assert.deepStrictEqual([fresh.settled, fresh.result, fresh.lane], [false, undefined, undefined])
    assert.deepStrictEqual([fresh.previous, fresh.next], [undefined, undefined])
  })

  it("waits in exactly one list, which is that of the lane it names (I1)", () => {
    const lists = [waitList.make<TestTicket<string, number>>(), waitList.make<TestTicket<string, number>>()] as const
    const waiting = ticket()
    waitList.push(lists[0], waiting)
    assert.strictEqual(waiting.lane?.list, lists[0])
    assert.deepStrictEqual(
      lists.map((list) => waitList.has(list, waiting)),
      [true, false]
    )
  })

  it("is in no list once it is settled (I2)", () => {
    const list = waitList.make<TestTicket<string, number>>()
    const [first, second] = [ticket(), ticket()]
    waitList.push(list, first)
    waitList.push(list, second)
    const chain = waitList.settleAll(list, undefined, 7)
    assert.deepStrictEqual(ticketsOf(chain), [first, second])
    for (const settled of [first, second]) {
      assert.deepStrictEqual([settled.settled, settled.result, settled.lane], [true, 7, undefined])
      assert.isFalse(waitList.has(list, settled))
    }
    waitList.check(list)
  })

  it("is seen by the list's check when it is settled and still there (I2)", () => {
    const list = waitList.make<TestTicket<string, number>>()
    const waiting = ticket()
    waitList.push(list, waiting)
    waitList.check(list)
    waiting.settled = true
    assert.throws(() => waitList.check(list), /a settled ticket in a list/)
  })
})

describe("chain", () => {
  it("wakes in the order of settling, each once, and hands out the results (I2)", () => {
    const woken: Array<string> = []
    const tickets = ["a", "b", "c"].map((name) => ticket(name))
    for (const each of tickets) each.onWake = () => woken.push(each.request)
    let chain: Chain = undefined
    for (const [index, each] of tickets.entries()) chain = settle(chain, each, index)
    wake(chain)
    assert.deepStrictEqual(woken, ["a", "b", "c"])
    assert.deepStrictEqual(
      tickets.map(({ result, wakes }) => [result, wakes]),
      [
        [0, 1],
        [1, 1],
        [2, 1]
      ]
    )
  })

  it("unlinks a ticket before it wakes it, so what is woken may settle and wake others", () => {
    const woken: Array<string> = []
    const [first, second, third] = [ticket("first"), ticket("second"), ticket("third")]
    first.onWake = () => {
      woken.push("first")
      assert.deepStrictEqual([first.previous, first.next], [undefined, undefined])
      wake(settle(undefined, third, 0))
    }
    second.onWake = () => woken.push("second")
    third.onWake = () => woken.push("third")
    wake(chainOf([first, second]))
    assert.deepStrictEqual(woken, ["first", "third", "second"])
  })

  it("that is empty wakes nobody", () => {
    wake(undefined)
    assert.isUndefined(concat(undefined, undefined))
  })

  it("of several chains is their tickets, one chain after the other", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(4), { maxLength: 8 }), fc.nat(4), (sizes, more) => {
        const parts = sizes.map((size) => Array.from({ length: size }, () => ticket()))
        let chain: Chain = undefined
        for (const part of parts) chain = concat(chain, chainOf(part))
        const extra = Array.from({ length: more }, () => ticket())
        for (const each of extra) chain = settle(chain, each, 1)
        const expected = [...parts.flat(), ...extra]
        assert.deepStrictEqual(
          ticketsOf(chain).map((each) => expected.indexOf(each as never)),
          [...expected.keys()]
        )
        assert.strictEqual(chain?.previous, expected.at(-1))
        wake(chain)
        const untouched = (each: AnyTicket) => each.previous === undefined && each.next === undefined
        assert.isTrue(expected.every((each) => each.wakes === 1 && untouched(each)))
      }),
      { numRuns: 300 }
    )
  })
})
