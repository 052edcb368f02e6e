import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import * as core from "../../src/core/running.js"
import { wake } from "../../src/core/ticket.js"
import { TestTicket } from "../utils/tickets.js"

const waiter = () => new TestTicket<undefined, undefined>(undefined, 0)

describe("running work", () => {
  it("whoever waits is woken by the last to end, and waits no longer when nothing runs (I1)", () =>
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom("add", "remove", "wait", "cancel"), fc.nat()), { maxLength: 60 }),
        (commands) => {
          const state = core.make<{ name: string | undefined }>()
          const works: Array<{ name: string | undefined }> = []
          let waiting: Array<TestTicket<undefined, undefined>> = []
          commands.forEach(([command, n], index) => {
            if (command === "add") {
              const work = { name: n % 2 === 0 ? `work ${index}` : undefined }
              works.push(work)
              core.add(state, work)
            } else if (command === "remove" && works.length > 0) {
              const [work] = works.splice(n % works.length, 1)
              wake(core.remove(state, work!))
              // asyncio: test__unregister_task_not_registered
              assert.isUndefined(core.remove(state, work!), "twice is once")
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
            assert.deepStrictEqual(
              core.names(state),
              works.map(({ name }) => name ?? "(no name)")
            )
          })
        }
      )
    ))

  it("the check finds who waits for nothing", () => {
    const state = core.make<{ name: string | undefined }>()
    const work = { name: "work" }
    core.add(state, work)
    core.enqueue(state, waiter())
    state.works.clear()
    assert.throws(() => core.check(state), /^I1: 1 wait for nothing$/)
  })

  it("who was woken may be gone in the same tick: nothing is left of the wait", () => {
    const state = core.make<{ name: string | undefined }>()
    const work = { name: "work" }
    core.add(state, work)
    const ticket = waiter()
    core.enqueue(state, ticket)
    const chain = core.remove(state, work)
    assert.isUndefined(core.cancel(state, ticket))
    wake(chain)
    assert.strictEqual(ticket.wakes, 1)
    core.check(state)
  })

  it("the check finds a wait list that is broken", () => {
    const state = core.make<{ name: string | undefined }>()
    core.add(state, { name: "work" })
    core.enqueue(state, waiter())
    state.waiting.size = 2
    assert.throws(() => core.check(state), /size 2, but 1 tickets/)
  })
})
