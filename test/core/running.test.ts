import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import * as core from "../../src/core/running.js"
import { wake } from "../../src/core/ticket.js"
import { TestTicket } from "../utils/tickets.js"

const waiter = () => new TestTicket<undefined, undefined>(undefined, 0)
const work = (name?: string): core.Work => ({ name, older: undefined, newer: undefined, list: undefined })

describe("running work", () => {
  it("is what an array is, and whoever waits is woken by the last to end, and waits no longer when nothing runs (I1, I2)", () =>
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom("add", "remove", "wait", "cancel"), fc.nat()), { maxLength: 60 }),
        (commands) => {
          const state = core.make()
          const works: Array<core.Work> = []
          let waiting: Array<TestTicket<undefined, undefined>> = []
          commands.forEach(([command, n], index) => {
            if (command === "add") {
              const one = work(n % 2 === 0 ? `work ${index}` : undefined)
              works.push(one)
              core.add(state, one)
            } else if (command === "remove" && works.length > 0) {
              const [one] = works.splice(n % works.length, 1)
              wake(core.remove(state, one!))
              // asyncio: test__unregister_task_not_registered
              assert.isUndefined(core.remove(state, one!), "twice is once")
              assert.deepStrictEqual(one, work(one!.name), "no link is left")
            } else if (command === "wait") {
              const ticket = waiter()
              wake(core.enqueue(state, ticket))
              waiting.push(ticket)
            } else if (command === "cancel" && waiting.length > 0) {
              wake(core.cancel(state, waiting.splice(n % waiting.length, 1)[0]!))
            }
            core.check(state)
            for (const ticket of waiting) assert.strictEqual(ticket.wakes, works.length === 0 ? 1 : 0)
            if (works.length === 0) waiting = []
            assert.strictEqual(state.size, works.length)
            assert.isTrue(core.all(state).every((each, i) => each === works[i]))
            assert.isTrue(works.every((each) => core.has(state, each)))
            assert.deepStrictEqual(
              core.names(state),
              works.map(({ name }) => name ?? "(no name)")
            )
          })
        }
      )
    ))

  it("is in one list at a time, and another list has nothing to do with it (I2)", () => {
    const [here, there] = [core.make(), core.make()]
    const one = work("one")
    core.add(here, one)
    assert.deepStrictEqual([core.has(here, one), core.has(there, one)], [true, false])
    assert.isUndefined(core.remove(there, one))
    assert.strictEqual(here.size, 1)
    core.remove(here, one)
    core.add(there, one)
    assert.deepStrictEqual([core.has(here, one), core.has(there, one)], [false, true])
    core.check(here)
    core.check(there)
  })

  it("the names are a frozen snapshot", () => {
    const state = core.make()
    core.add(state, work("one"))
    assert.isFrozen(core.names(state))
  })

  it("the check finds who waits for nothing", () => {
    const state = core.make()
    core.add(state, work("work"))
    core.enqueue(state, waiter())
    state.size = 0
    assert.throws(() => core.check(state), /^I1: 1 wait for nothing$/)
  })

  it("the check finds links that are wrong (I2)", () => {
    const state = core.make()
    const works = [work("a"), work("b"), work("c")]
    for (const one of works) core.add(state, one)
    state.size = 2
    assert.throws(() => core.check(state), /^I2: size 2, but 3 run$/)
    state.size = 3
    works[1]!.older = undefined
    assert.throws(() => core.check(state), /^I2: links disagree$/)
    works[1]!.older = works[0]
    works[2]!.list = undefined
    assert.throws(() => core.check(state), /^I2: links disagree$/)
    works[2]!.list = state
    state.newest = works[1]
    assert.throws(() => core.check(state), /^I2: the newest is not the last$/)
  })

  it("who was woken may be gone in the same tick: nothing is left of the wait", () => {
    const state = core.make()
    const one = work("work")
    core.add(state, one)
    const ticket = waiter()
    core.enqueue(state, ticket)
    const chain = core.remove(state, one)
    assert.isUndefined(core.cancel(state, ticket))
    wake(chain)
    assert.strictEqual(ticket.wakes, 1)
    core.check(state)
  })

  it("the check finds a wait list that is broken", () => {
    const state = core.make()
    core.add(state, work("work"))
    core.enqueue(state, waiter())
    state.waiting.size = 2
    assert.throws(() => core.check(state), /size 2, but 1 tickets/)
  })
})
