import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as core from "../../src/core/semaphore.js"
import { type Chain, wake } from "../../src/core/ticket.js"
import { TestTicket, ticketsOf } from "../utils/tickets.js"

type Request = TestTicket<number, core.Grant>

interface Waiting {
  readonly ticket: Request
  readonly permits: number
  readonly priority: number
}

/** A grant that somebody holds, through a ticket or not. */
interface Grant {
  readonly ticket: Request | undefined
  readonly permits: number
  readonly epoch: number
}

/** The sequential model: one array in order of turn, and a search from its front. */
class Model {
  taken = 0
  epoch = 0
  readonly waiting: Array<Waiting> = []
  readonly grants: Array<Grant> = []

  constructor(
    public permits: number,
    readonly fairness: core.Fairness
  ) {}

  /** Whether a newcomer goes at once. */
  admits(permits: number, priority: number): boolean {
    if (permits > this.permits - this.taken) return false
    return this.fairness === "throughput" || this.waiting.every((other) => other.priority < priority)
  }

  give(permits: number, ticket?: Request): void {
    this.taken += permits
    this.grants.push({ ticket, permits, epoch: this.epoch })
  }

  enqueue(entry: Waiting): void {
    this.waiting.push(entry)
    const bySize = this.fairness === "throughput" ? 1 : 0
    // Sorting is stable: equals stay in order of arrival.
    this.waiting.sort((a, b) => b.priority - a.priority || bySize * (a.permits - b.permits))
  }

  /** Who goes now, in order. */
  settle(): ReadonlyArray<Request> {
    const granted: Array<Request> = []
    for (;;) {
      const fits = (entry: Waiting) => entry.permits <= this.permits - this.taken
      const index = this.fairness === "fifo" ? 0 : this.waiting.findIndex(fits)
      const entry = this.waiting[index]
      if (entry === undefined || !fits(entry)) return granted
      this.waiting.splice(index, 1)
      this.give(entry.permits, entry.ticket)
      granted.push(entry.ticket)
    }
  }

  refuse(): ReadonlyArray<Request> {
    const impossible = this.waiting.filter(({ permits }) => permits > this.permits && this.permits > 0)
    for (const entry of impossible) this.waiting.splice(this.waiting.indexOf(entry), 1)
    return impossible.map(({ ticket }) => ticket)
  }
}

type Step = (state: core.State, model: Model) => void

const sameTickets = (chain: Chain, expected: ReadonlyArray<Request>): void => {
  const tickets = ticketsOf(chain)
  assert.strictEqual(tickets.length, expected.length, "as many are woken as in the model")
  assert.isTrue(
    tickets.every((ticket, index) => ticket === expected[index]),
    "in the order of the model"
  )
  assert.isTrue(tickets.every(({ lane, settled }) => settled && lane === undefined))
  wake(chain)
}

const priorities = fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.integer({ min: -2, max: 2 }))

const request = fc.tuple(fc.nat(5), priorities).map(([permits, priority]): Step => (state, model) => {
  if (!core.possible(state, permits)) return
  const admitted = model.admits(permits, priority)
  assert.strictEqual(core.available(state, permits, priority), admitted)
  const before = state.taken
  assert.strictEqual(core.tryTake(state, permits, priority), admitted)
  if (admitted) {
    // I2
    assert.isAtMost(state.taken, state.permits)
    return model.give(permits)
  }
  assert.strictEqual(state.taken, before)
  const ticket: Request = new TestTicket(permits, priority)
  core.enqueue(state, ticket)
  model.enqueue({ ticket, permits, priority })
})

const cancelWaiting = fc.nat(1_000).map((pick): Step => (state, model) => {
  if (model.waiting.length === 0) return
  const [gone] = model.waiting.splice(pick % model.waiting.length, 1)
  sameTickets(core.cancel(state, gone!.ticket), model.settle())
  assert.isFalse(gone!.ticket.settled)
})

/** By its ticket's cancellation, by its lease, or, twice, by both a release of everything and itself. */
const giveBack = fc.tuple(fc.nat(1_000), fc.boolean()).map(([pick, byTicket]): Step => (state, model) => {
  if (model.grants.length === 0) return
  const [{ epoch, permits, ticket }] = model.grants.splice(pick % model.grants.length, 1) as [Grant]
  if (epoch === model.epoch) model.taken -= permits
  const expected = epoch === model.epoch ? model.settle() : []
  const back = byTicket && ticket !== undefined ? core.cancel(state, ticket) : core.giveBack(state, permits, epoch)
  sameTickets(back, expected)
})

const releaseAll = fc.constant<Step>((state, model) => {
  model.epoch++
  model.taken = 0
  sameTickets(core.releaseAll(state), model.settle())
})

const resize = fc.nat(5).map((permits): Step => (state, model) => {
  model.permits = permits
  const refused = model.refuse()
  const granted = model.settle()
  const chain = core.resize(state, permits)
  sameTickets(chain, [...refused, ...granted])
  assert.isTrue(refused.every(({ result }) => result instanceof RangeError))
  for (const ticket of refused)
    assert.isUndefined(core.cancel(state, ticket), "a refused ticket has nothing to give back")
})

const steps = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: request },
    { weight: 3, arbitrary: cancelWaiting },
    { weight: 5, arbitrary: giveBack },
    { weight: 1, arbitrary: releaseAll },
    { weight: 2, arbitrary: resize }
  ),
  { maxLength: 60 }
)

for (const fairness of ["fifo", "throughput"] as const) {
  describe(`semaphore core, ${fairness}`, () => {
    it("does what the model does, step by step (I1, I2, I3, I4, I5)", () => {
      fc.assert(
        fc.property(fc.nat(5), steps, (permits, steps) => {
          const state = core.fromOptions("here", { permits, fairness })
          const model = new Model(permits, fairness)
          for (const step of steps) {
            const takenBefore = state.taken
            step(state, model)
            core.check(state)
            const stats = core.stats(state)
            assert.deepStrictEqual(stats, {
              capacity: model.permits,
              inUse: model.taken,
              waiting: model.waiting.length
            })
            // I2: above the capacity only what was taken before it shrank.
            assert.isTrue(state.taken <= state.permits || state.taken <= takenBefore)
            assert.strictEqual(core.free(state), Math.max(0, model.permits - model.taken))
          }
        }),
        { numRuns: 400 }
      )
    })
  })
}

const waitingFor = (state: core.State, permits: number, priority = 0): Request => {
  const ticket: Request = new TestTicket(permits, priority)
  core.enqueue(state, ticket)
  return ticket
}

const taken = (permits: number, of: number, fairness: core.Fairness = "fifo"): core.State => {
  const state = core.fromOptions("here", { permits: of, fairness })
  assert.isTrue(core.tryTake(state, permits, 0))
  return state
}

describe("semaphore core", () => {
  it("grants one release to as many as fit, in one chain", () => {
    const state = taken(3, 3)
    const waiting = [waitingFor(state, 1), waitingFor(state, 2), waitingFor(state, 1)]
    sameTickets(core.release(state, 3), waiting.slice(0, 2))
    assert.deepStrictEqual(core.stats(state), { capacity: 3, inUse: 3, waiting: 1 })
  })

  it("grants behind a head that is cancelled, since it was what blocked them (I3)", () => {
    const state = taken(2, 3)
    const head = waitingFor(state, 2)
    const small = waitingFor(state, 1)
    sameTickets(core.cancel(state, head), [small])
  })

  it("gives a cancelled grant to the next in the same transition", () => {
    const state = taken(1, 1)
    const [first, second] = [waitingFor(state, 1), waitingFor(state, 1)]
    sameTickets(core.release(state, 1), [first])
    sameTickets(core.cancel(state, first), [second])
    assert.strictEqual(state.taken, 1)
  })

  it("takes back nothing from a grant that a releaseAll has taken back already", () => {
    const state = taken(2, 2)
    const epoch = state.epoch
    sameTickets(core.releaseAll(state), [])
    assert.isTrue(core.tryTake(state, 2, 0))
    sameTickets(core.giveBack(state, 2, epoch), [])
    assert.strictEqual(state.taken, 2)
    sameTickets(core.giveBack(state, 2, state.epoch), [])
    assert.strictEqual(state.taken, 0)
  })

  it("gives those whom a releaseAll lets in a grant of the new epoch", () => {
    const state = taken(1, 1)
    const next = waitingFor(state, 1)
    sameTickets(core.releaseAll(state), [next])
    assert.strictEqual(next.result, state.epoch)
    sameTickets(core.cancel(state, next), [])
    assert.strictEqual(state.taken, 0)
  })

  it("wakes those whom a resize refuses before those whom it lets in", () => {
    const state = taken(4, 4)
    const large = waitingFor(state, 4)
    const small = waitingFor(state, 1)
    sameTickets(core.release(state, 2), [])
    sameTickets(core.resize(state, 3), [large, small])
    assert.instanceOf(large.result, RangeError)
    assert.strictEqual(
      (large.result as Error).message,
      "Semaphore.resize: permits of a request that waits must be an integer from 0 to 3, got 4"
    )
    assert.strictEqual(small.result, state.epoch)
  })

  it("finds what fits behind a thousand that do not (I4)", () => {
    const state = taken(10, 10, "throughput")
    for (let i = 0; i < 1_000; i++) waitingFor(state, 10)
    const small = waitingFor(state, 3)
    sameTickets(core.release(state, 3), [small])
  })

  it("has frozen snapshots", () => {
    assert.isFrozen(core.stats(core.make(1)))
  })
})

describe("semaphore core: arguments", () => {
  it("are a number of permits, or options, and strict order is the default", () => {
    for (const state of [core.fromOptions("here", 2), core.fromOptions("here", { permits: 2 })]) {
      assert.deepStrictEqual(core.stats(state), { capacity: 2, inUse: 0, waiting: 0 })
      assert.isTrue(core.tryTake(state, 1, 0))
      waitingFor(state, 2)
      assert.isFalse(core.tryTake(state, 1, 0), "nobody overtakes")
    }
    assert.strictEqual(core.fromOptions("here", 0).permits, 0)
  })

  it("that make no semaphore are refused", () => {
    for (const permits of [-1, 0.5, NaN, Infinity]) {
      const message = `here: permits must be an integer of at least 0, got ${permits}`
      assert.throws(() => core.fromOptions("here", permits), RangeError, message)
      assert.throws(() => core.fromOptions("here", { permits }), RangeError, message)
    }
    assert.throws(
      () => core.fromOptions("here", { permits: 1, fairness: "luck" as "fifo" }),
      RangeError,
      'here: fairness must be one of "fifo", "throughput", got "luck"'
    )
    assert.throws(() => core.fromOptions("here", null as never), TypeError, "here: options must be an object, got null")
  })

  it("of a request are up to as many permits as there are; of a closed semaphore, any number, since it waits to be opened", () => {
    const state = core.make(3)
    for (const permits of [0, 3]) assert.strictEqual(core.checkPermits("f", state, permits), permits)
    for (const permits of [-1, 4, 0.5]) {
      const message = `f: permits must be an integer from 0 to 3, got ${permits}`
      assert.throws(() => core.checkPermits("f", state, permits), RangeError, message)
      assert.throws(() => core.checkRequest("f", state, permits, undefined), RangeError, message)
    }
    const closed = core.make(0)
    assert.strictEqual(core.checkPermits("f", closed, 4), 4)
    assert.throws(
      () => core.checkPermits("f", closed, -1),
      RangeError,
      "f: permits must be an integer of at least 0, got -1"
    )
  })

  it("of a request have a priority, which is 0 unless one is given", () => {
    const state = core.make(1)
    for (const [options, priority] of [
      [undefined, 0],
      [{}, 0],
      [{ priority: undefined }, 0],
      [{ priority: -1.5 }, -1.5]
    ] as const) {
      assert.strictEqual(core.priorityOf("f", options), priority)
      assert.strictEqual(core.checkRequest("f", state, 1, options), priority)
    }
    assert.throws(
      () => core.checkRequest("f", state, 1, { priority: NaN }),
      RangeError,
      "f: priority must be a number, got NaN"
    )
  })
})

describe("semaphore core: check sees", () => {
  it("a number of taken permits that is negative or no integer (I1)", () => {
    for (const taken of [-1, 0.5, NaN]) {
      const state = core.make(1)
      state.taken = taken
      assert.throws(() => core.check(state), /I1/)
    }
  })

  it("a head that waits although it fits (I3)", () => {
    const state = taken(1, 1)
    waitingFor(state, 1)
    core.check(state)
    state.taken = 0
    assert.throws(() => core.check(state), /I3: a request of 1 fits and waits/)
  })

  it("anybody who waits although he fits (I4)", () => {
    const state = taken(3, 3, "throughput")
    waitingFor(state, 1)
    waitingFor(state, 3, 5)
    core.check(state)
    state.taken = 2
    assert.throws(() => core.check(state), /I4: a request of 1 fits and waits/)
  })

  it("a request that can never be granted (I5), but not while the semaphore is closed", () => {
    const state = taken(3, 3)
    waitingFor(state, 3)
    state.permits = 0
    core.check(state)
    state.permits = 2
    assert.throws(() => core.check(state), /I5: a request of 3 waits for ever/)
  })

  it("a broken wait list", () => {
    const state = taken(1, 1)
    waitingFor(state, 1)
    state.waiting.size = 0
    assert.throws(() => core.check(state), /size 0, but 1 tickets/)
  })
})
