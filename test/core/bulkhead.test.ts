import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as core from "../../src/core/bulkhead.js"
import * as semaphore from "../../src/core/semaphore.js"
import { type Chain, wake } from "../../src/core/ticket.js"
import { TestTicket, ticketsOf } from "../utils/tickets.js"

type Request = TestTicket<number, semaphore.Grant>

/** Who runs, and who waits, in order. */
interface Model {
  running: number
  readonly granted: Array<Request>
  readonly waiting: Array<Request>
  refused: number
}

type Step = (state: core.State, model: Model) => void

const isGranted = (chain: Chain, state: core.State, model: Model) => {
  const expected = model.waiting.splice(0, state.semaphore.permits - model.running)
  model.running += expected.length
  model.granted.push(...expected)
  assert.deepStrictEqual(ticketsOf(chain).length, expected.length)
  assert.isTrue(ticketsOf(chain).every((ticket, index) => ticket === expected[index]))
  wake(chain)
}

const request = fc.constant<Step>((state, model) => {
  const isFull = model.running === state.semaphore.permits && model.waiting.length >= state.backlog
  const refused = core.refuse(state)
  assert.strictEqual(refused !== undefined, isFull)
  if (isFull) return void model.refused++
  if (semaphore.tryTake(state.semaphore, 1, 0)) return void model.running++
  const ticket: Request = new TestTicket(1, 0)
  semaphore.enqueue(state.semaphore, ticket)
  model.waiting.push(ticket)
})

const release = fc.constant<Step>((state, model) => {
  if (model.running === 0) return
  model.running--
  isGranted(semaphore.release(state.semaphore, 1), state, model)
})

const leave = fc.nat(1_000).map((pick): Step => (state, model) => {
  if (model.waiting.length === 0) return
  const [ticket] = model.waiting.splice(pick % model.waiting.length, 1)
  isGranted(semaphore.cancel(state.semaphore, ticket!), state, model)
})

/** Gone in the tick of the grant. */
const leaveGranted = fc.constant<Step>((state, model) => {
  const ticket = model.granted.pop()
  if (ticket === undefined || model.running === 0) return
  model.running--
  isGranted(semaphore.cancel(state.semaphore, ticket), state, model)
})

describe("core/bulkhead", () => {
  it("does what the model does, step by step (I1, I2, I3)", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3 }),
        fc.oneof(fc.nat(3), fc.constant(Infinity)),
        fc.array(
          fc.oneof(
            { weight: 8, arbitrary: request },
            { weight: 4, arbitrary: release },
            { weight: 2, arbitrary: leave },
            { weight: 1, arbitrary: leaveGranted }
          ),
          { maxLength: 60 }
        ),
        (permits, backlog, steps) => {
          const state = core.make("here", { permits, backlog })
          const model: Model = { running: 0, granted: [], waiting: [], refused: 0 }
          for (const step of steps) {
            step(state, model)
            core.check(state)
            assert.deepStrictEqual(core.stats(state), {
              capacity: permits,
              inUse: model.running,
              waiting: model.waiting.length,
              backlog,
              refused: model.refused
            })
          }
        }
      ),
      { numRuns: 300 }
    )
  })

  it("by default nobody waits", () => {
    const state = core.make("here", { permits: 1 })
    assert.isUndefined(core.refuse(state))
    assert.isTrue(semaphore.tryTake(state.semaphore, 1, 0))
    assert.instanceOf(core.refuse(state), core.BulkheadFull)
  })

  it("says whose it is, and how much it holds", () => {
    const error = new core.BulkheadFull("db", 5, 10)
    assert.deepInclude(error, { _tag: "BulkheadFull", name: "BulkheadFull", bulkhead: "db", permits: 5, backlog: 10 })
    assert.strictEqual(error.message, `the bulkhead "db" is full: 5 may run, and 10 wait`)
    assert.strictEqual(new core.BulkheadFull(undefined, 1, 0).message, "the bulkhead is full: 1 may run, and 0 wait")
    assert.isFrozen(core.stats(core.make("here", { permits: 1 })))
  })

  for (const [options, message] of [
    [null, "options must be an object, got null"],
    [{}, "permits must be an integer of at least 1, got undefined"],
    [{ permits: 0 }, "permits must be an integer of at least 1, got 0"],
    [{ permits: 1.5 }, "permits must be an integer of at least 1, got 1.5"],
    [{ permits: Infinity }, "permits must be an integer of at least 1, got Infinity"],
    [{ permits: 1, backlog: -1 }, "backlog must be an integer of at least 0, or Infinity, got -1"],
    [{ permits: 1, backlog: NaN }, "backlog must be an integer of at least 0, or Infinity, got NaN"],
    [{ permits: 1, backlog: "5" }, `backlog must be an integer of at least 0, or Infinity, got "5"`],
    [{ permits: 1, name: 5 }, "name must be a string, got 5"]
  ] as const) {
    it(`refuses options: ${message}`, () => {
      assert.throws(() => core.make("here", options as never), `here: ${message}`)
    })
  }

  it("check sees what is wrong", () => {
    const state = core.make("here", { permits: 1, backlog: 0 })
    state.semaphore.taken = 1
    semaphore.enqueue(state.semaphore, new TestTicket(1, 0))
    assert.throws(() => core.check(state), "I2: 1 wait of 0")
    state.semaphore.taken = 2
    assert.throws(() => core.check(state), "I1: 2 run of 1")
  })
})
