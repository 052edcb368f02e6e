import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import * as core from "../../src/core/barrier.js"
import { type Chain, Ticket, wake } from "../../src/core/ticket.js"

/** One that arrived, and how it ended. */
class Party extends Ticket<core.Arrival, number> {
  constructor(
    arrival: core.Arrival,
    private readonly log: Array<Party>
  ) {
    super(arrival, 0)
  }

  wake(): void {
    this.log.push(this)
  }
}

interface Round {
  /** Who is there, by index; all that have arrived and not withdrawn, also the last one. */
  readonly parties: Map<number, Party>
  last: Party | undefined
  status: "filling" | "acting" | "passed" | "broken"
}

const newRound = (): Round => ({ parties: new Map(), last: undefined, status: "filling" })

/** The core, and beside it what it ought to be: rounds, in which a party takes the lowest index that nobody has. */
class Model {
  readonly state: core.State
  readonly woken: Array<Party> = []
  readonly expected: Array<readonly [Party, number]> = []
  filling = newRound()
  acting: Array<Round> = []
  ended: Array<Round> = []
  broken = false

  constructor(
    readonly parties: number,
    readonly onInterrupt: core.OnInterrupt
  ) {
    this.state = core.make("here", parties, onInterrupt)
  }

  arrive() {
    const arrival = core.arrive(this.state)
    if (this.broken) {
      assert.strictEqual(arrival, undefined)
      return
    }
    const round = this.filling
    const party = new Party(arrival!, this.woken)
    const lowest = Array.from({ length: this.parties }, (_, index) => index).find((index) => !round.parties.has(index))!
    assert.strictEqual(arrival!.index, lowest)
    round.parties.set(lowest, party)
    assert.strictEqual(arrival!.isLast, round.parties.size === this.parties)
    if (!arrival!.isLast) {
      core.enqueue(this.state, party)
      return
    }
    round.last = party
    round.status = "acting"
    this.acting.push(round)
    this.filling = newRound()
  }

  /** The action of some full round ends: perhaps of one that is broken meanwhile. */
  endAction(at: number, succeeds: boolean) {
    const rounds = [...this.acting, ...this.ended.filter(({ last }) => last !== undefined)]
    const round = rounds[at % rounds.length]
    if (round === undefined) return
    const arrival = round.last!.request
    if (round.status === "acting") {
      if (succeeds) {
        this.end(round, "passed")
        this.acting = this.acting.filter((other) => other !== round)
      } else this.breakAll()
    }
    this.run(succeeds ? core.pass(this.state, arrival) : core.fail(this.state, arrival))
    const index = [...round.parties].find(([, party]) => party === round.last)![0]
    assert.strictEqual(core.result(arrival), round.status === "broken" ? core.Broken : index)
  }

  /** Cancels somebody who waits, or whose wait has ended but who has not run. */
  cancel(at: number) {
    const waiting = [this.filling, ...this.acting, ...this.ended].flatMap((round) =>
      [...round.parties].filter(([, party]) => party !== round.last).map(([index, party]) => ({ round, index, party }))
    )
    const victim = waiting[at % waiting.length]
    if (victim === undefined) return
    const { index, party, round } = victim
    if (round.status === "filling" || round.status === "acting") round.parties.delete(index)
    if (round.status === "filling" && this.onInterrupt === "break") this.breakAll()
    this.run(core.cancel(this.state, party))
  }

  reset() {
    this.breakAll()
    this.broken = false
    this.run(core.reset(this.state))
  }

  abort() {
    this.breakAll()
    this.run(core.abort(this.state))
  }

  private breakAll() {
    for (const round of [...this.acting, this.filling]) this.end(round, "broken")
    this.acting = []
    this.filling = newRound()
    this.broken = true
  }

  private end(round: Round, status: "passed" | "broken") {
    round.status = status
    this.ended.push(round)
    const arrived = [...round.parties].filter(([, party]) => party !== round.last)
    for (const [index, party] of arrived) this.expected.push([party, status === "passed" ? index : core.Broken])
  }

  private run(chain: Chain) {
    wake(chain)
  }

  verify() {
    core.check(this.state)
    assert.deepStrictEqual(core.stats(this.state), {
      parties: this.parties,
      waiting: this.filling.parties.size,
      isBroken: this.broken
    })
    assert.strictEqual(this.state.acting.size, this.acting.length)
    // In a round the order is that of arrival; the model knows the indices only.
    assert.strictEqual(this.woken.length, this.expected.length)
    assert.strictEqual(new Set(this.woken).size, this.woken.length)
    for (const [party, result] of this.expected) {
      assert.isTrue(party.settled)
      assert.strictEqual(party.result, result)
    }
  }
}

const command = fc.oneof(
  { weight: 10, arbitrary: fc.constant((model: Model) => model.arrive()) },
  { weight: 4, arbitrary: fc.nat(20).map((at) => (model: Model) => model.cancel(at)) },
  { weight: 3, arbitrary: fc.nat(20).map((at) => (model: Model) => model.endAction(at, true)) },
  fc.nat(20).map((at) => (model: Model) => model.endAction(at, false)),
  fc.constant((model: Model) => model.reset()),
  { weight: 1, arbitrary: fc.constant((model: Model) => model.abort()) }
)

describe("core/barrier", () => {
  for (const onInterrupt of ["withdraw", "break"] as const) {
    it(`does what rounds of sets of indices do, "${onInterrupt}" (I1, I2, I3, I4)`, () => {
      fc.assert(
        fc.property(fc.integer({ min: 1, max: 6 }), fc.array(command, { maxLength: 80 }), (parties, commands) => {
          const model = new Model(parties, onInterrupt)
          for (const run of commands) {
            run(model)
            model.verify()
          }
        }),
        { numRuns: 300 }
      )
    })
  }

  const arrive = (state: core.State, log: Array<Party> = []): Party => {
    const arrival = core.arrive(state)!
    const party = new Party(arrival, log)
    if (!arrival.isLast) core.enqueue(state, party)
    return party
  }

  it("I1: check finds a full generation that nobody took away", () => {
    const state = core.make("here", 2)
    arrive(state)
    core.check(state)
    const { filling: generation } = state
    core.enqueue(state, new Party({ generation, index: 1, isLast: false }, []))
    assert.throws(() => core.check(state), "I1: 2 of 2 have arrived and none passed")
  })

  it("I2: whoever withdraws, in whatever order, the next get the lowest free indices", () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7, 8]), (gone) => {
        const state = core.make("here", 10)
        const parties = Array.from({ length: 9 }, () => arrive(state))
        for (const index of gone) core.cancel(state, parties[index]!)
        core.check(state)
        const late = gone.map(() => arrive(state).request.index)
        assert.deepStrictEqual(
          late,
          [...gone].sort((a, b) => a - b)
        )
        const last = arrive(state).request
        assert.deepStrictEqual([last.index, last.isLast], [9, true])
      }),
      { numRuns: 300 }
    )
  })

  it("I2: check finds an index that was given twice, and one that is none", () => {
    const state = core.make("here", 4)
    arrive(state)
    const { request } = arrive(state)
    const set = (index: number) => Object.assign(request, { index })
    core.check(state)
    set(0)
    assert.throws(() => core.check(state), "I2: indices 0,0 are not distinct")
    set(4)
    assert.throws(() => core.check(state), "I2: indices 0,4 of 4")
    set(-1)
    assert.throws(() => core.check(state), "I2: indices 0,-1 of 4")
  })

  it("I3: check finds one who waits at a broken barrier", () => {
    const state = core.make("here", 2)
    arrive(state)
    state.broken = true
    assert.throws(() => core.check(state), "I3: somebody waits at a broken barrier")
  })

  it("I3: abort, a failed action and an interruption that breaks leave nobody waiting", () => {
    for (const breaks of [
      (state: core.State) => core.abort(state),
      (state: core.State, _: Party, last: Party) => core.fail(state, last.request),
      (state: core.State, newcomer: Party) => core.cancel(state, newcomer)
    ]) {
      const state = core.make("here", 2, "break")
      const log: Array<Party> = []
      const first = arrive(state, log)
      const last = arrive(state, log)
      const newcomer = arrive(state, log)
      wake(breaks(state, newcomer, last))
      core.check(state)
      assert.isTrue(state.broken)
      assert.strictEqual(core.stats(state).waiting, 0)
      assert.strictEqual(first.result, core.Broken)
      assert.strictEqual(core.arrive(state), undefined)
      assert.strictEqual(core.result(last.request), core.Broken)
    }
  })

  it("I4: check finds an ended generation that is kept", () => {
    for (const status of ["passed", "broken"] as const) {
      const state = core.make("here", 1)
      const { request } = arrive(state)
      core.check(state)
      request.generation.status = status
      assert.throws(() => core.check(state), "I4: an ended generation is kept")
    }
  })

  it("I4: what comes late for a generation that has ended changes nothing", () => {
    const ends = {
      passed: (state: core.State, last: Party) => core.pass(state, last.request),
      broken: (state: core.State) => core.reset(state)
    }
    for (const [status, end] of Object.entries(ends)) {
      const state = core.make("here", 2)
      const log: Array<Party> = []
      const [first, last] = [arrive(state, log), arrive(state, log)]
      wake(end(state, last))
      assert.deepStrictEqual(log, [first])
      assert.strictEqual(last.request.generation.status, status)
      const result = status === "passed" ? 0 : core.Broken
      const newcomer = arrive(state, log)
      assert.strictEqual(core.pass(state, last.request), undefined)
      assert.strictEqual(core.fail(state, last.request), undefined)
      assert.strictEqual(core.cancel(state, first), undefined)
      assert.strictEqual(first.result, result)
      assert.strictEqual(core.result(last.request), status === "passed" ? 1 : core.Broken)
      assert.deepStrictEqual(core.stats(state), { parties: 2, waiting: 1, isBroken: false })
      assert.isFalse(newcomer.settled)
      core.check(state)
    }
  })

  it("who is cancelled while its action runs misses the rest, and the others pass in order of arrival", () => {
    for (const onInterrupt of ["withdraw", "break"] as const) {
      const state = core.make("here", 4, onInterrupt)
      const log: Array<Party> = []
      const [a, b, c, last] = [0, 1, 2, 3].map(() => arrive(state, log))
      assert.strictEqual(core.cancel(state, b!), undefined)
      core.check(state)
      wake(core.pass(state, last!.request))
      assert.deepStrictEqual(
        log.map((party) => party.result),
        [0, 2]
      )
      assert.deepStrictEqual(log, [a!, c!])
      assert.isFalse(b!.settled)
      assert.isFalse(state.broken)
    }
  })

  it("check finds what is wrong with the list of those who wait, before its action begins and after", () => {
    for (const begins of ["before", "after"]) {
      const state = core.make("here", 2)
      const waits = arrive(state)
      if (begins === "after") arrive(state)
      core.check(state)
      waits.settled = true
      assert.throws(() => core.check(state), "a settled ticket in a list")
    }
  })

  it("the result of who met a broken barrier is the index of nobody", () => {
    assert.isBelow(core.Broken, 0)
  })

  it("refuses what is no number of parties, and no way to be interrupted", () => {
    for (const parties of [0, -1, 2.5, NaN, Infinity]) {
      assert.throws(
        () => core.make("here", parties),
        RangeError,
        `here: parties must be an integer of at least 1, got ${parties}`
      )
    }
    assert.throws(
      () => core.make("here", 2, "leave" as "break"),
      RangeError,
      'here: onInterrupt must be one of "withdraw", "break", got "leave"'
    )
  })

  it("its snapshot is frozen", () => {
    assert.isFrozen(core.stats(core.make("here", 2)))
  })
})
