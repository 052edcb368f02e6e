import { assert, describe, it } from "@effect/vitest"
import * as rate from "../../src/core/rate.js"
import * as core from "../../src/core/rateStore.js"
import { type Port, StoreLimiter } from "../../src/core/storeLimiter.js"
import { wake } from "../../src/core/ticket.js"
import { Timekeeper } from "../../src/core/timekeeper.js"
import { Jumps } from "../utils/clocks.js"
import { TestTicket } from "../utils/tickets.js"

class Waiter extends TestTicket<core.Request, core.Outcome> {}

/** A store that is some milliseconds away, each way. */
class FarStore implements Port {
  readonly usage: rate.Usage
  /** When units were granted for, one by one: it counts them. */
  readonly granted: Array<number> = []
  readonly reports: Array<unknown> = []
  questions = 0
  returned = 0

  constructor(
    private readonly jumps: Jumps,
    of: rate.Rate,
    private readonly away: () => number,
    /** Says whether a question fails, and how much later. */
    private readonly fails: () => number | undefined = () => undefined
  ) {
    this.usage = rate.make(of)
  }

  ask(
    { ahead, asks }: core.StoreRequest,
    answer: (answers: ReadonlyArray<core.Answer>) => void,
    fail: (failure: unknown) => void
  ) {
    this.questions++
    const failsAfter = this.fails()
    if (failsAfter !== undefined) {
      this.jumps.sleep(failsAfter, () => fail("down"))
      return
    }
    this.jumps.sleep(this.away(), () => {
      const now = this.jumps.time
      const decided = rate.decideAll(this.usage, now, asks, ahead)
      decided.forEach(({ delay, grant }, index) => {
        for (let i = 0; grant !== undefined && i < asks[index]!.cost; i++) this.granted.push(now + delay)
      })
      this.usage.check(now)
      this.jumps.sleep(this.away(), () => answer(decided))
    })
  }

  giveBack({ grants }: core.StoreReturn, over: () => void) {
    this.jumps.sleep(this.away(), () => {
      for (const { cost, grant } of grants) {
        this.returned += cost
        this.usage.giveBack(this.jumps.time, { ...(grant as rate.Grant), cost })
      }
      this.jumps.sleep(this.away(), over)
    })
  }

  report(_: string, failure: unknown) {
    this.reports.push(failure)
  }

  errorOf(failure: unknown) {
    return failure
  }
}

class Machine {
  readonly jumps: Jumps
  readonly store: FarStore
  readonly limiter: StoreLimiter
  used = 0
  failed = 0

  constructor(
    options: rate.Options,
    away: () => number,
    { fails = () => undefined as number | undefined, grain = 0 } = {}
  ) {
    this.jumps = new Jumps(grain)
    const state = core.fromOptions("test", options)
    this.store = new FarStore(this.jumps, state.rate, away, fails)
    this.limiter = new StoreLimiter(state, this.store, new Timekeeper(this.jumps))
  }

  consume(name = "a", cost = 1): Waiter {
    const ticket = new Waiter({ key: this.limiter.key(name), cost }, 0)
    ticket.onWake = () => {
      if (ticket.result!.kind !== "granted") this.failed++
      else {
        this.used += cost
        for (const { grant } of ticket.result!.grants) {
          // Times are sums: they have the rounding of one.
          if ((grant as rate.Grant).at > this.jumps.time + 1e-6) assert.fail("somebody went before his time")
        }
      }
    }
    this.limiter.enqueue(ticket)
    return ticket
  }

  /** So many wait; who goes comes again at once. */
  forever(waiting: number): void {
    const again = () => {
      const ticket = this.consume()
      const { onWake } = ticket
      ticket.onWake = () => {
        onWake!()
        again()
      }
    }
    for (let i = 0; i < waiting; i++) again()
  }

  to(time: number): void {
    while (this.jumps.jump(time + 1e-9));
    this.jumps.time = time
  }
}

/** Throws when units were granted nearer to each other than the rate has it. */
const keepsTheRate = ({ burst, interval, limit }: rate.Options, granted: ReadonlyArray<number>) => {
  const most = burst === undefined ? limit : burst
  const distance = burst === undefined ? interval : (interval * burst) / limit
  for (let n = most; n < granted.length; n++) {
    if (granted[n]! - granted[n - most]! < distance - 1e-6)
      assert.fail(`${most + 1} units from ${granted[n - most]} to ${granted[n]}`)
  }
}

/** What is looked at, from when the line has learnt how far away the store is. */
const start = 2000
const long = 10_000

const rates: ReadonlyArray<readonly [string, rate.Options]> = [
  ["600 a second, one by one", { limit: 600, interval: 1000, burst: 1 }],
  ["3,000 a second, one by one", { limit: 3000, interval: 1000, burst: 1 }],
  ["70 in 91 ms, sliding window", { limit: 70, interval: 91 }],
  ["10 a second, one by one", { limit: 10, interval: 1000, burst: 1 }],
  ["11 in 333.3 ms, sliding window", { limit: 11, interval: 333.3 }]
]

/** What answers take, there and back, in milliseconds; and whether timers are those of the platform, late by up to a millisecond. */
const distances: ReadonlyArray<readonly [number, number]> = [
  [1, 0],
  [20, 0],
  [2, 1],
  [20, 1],
  [200, 0]
]

describe("a line that never ends, over a store that is far away", () => {
  for (const [trip, grain] of distances) {
    it.each(rates)(
      `%s, ${trip} ms there and back, timers ${grain === 0 ? "exact" : "late"}: all there is, never more, in few questions`,
      (_, options) => {
        const machine = new Machine(options, () => trip / 2, { grain })
        machine.forever(3000)
        machine.to(start)
        const before = machine.used
        machine.to(start + long)
        const { store } = machine
        const used = machine.used - before
        keepsTheRate(options, store.granted)
        const there = (long * options.limit) / options.interval
        // Of a window, some of the last units may be cut off.
        assert.isAtLeast(used, 0.98 * there - (options.burst ?? options.limit), `${used} of ${there}`)
        // What is held ahead for those in line is not used yet.
        assert.isAtMost(
          store.granted.length - machine.used,
          Math.ceil((2 * options.limit * 2000) / options.interval) + options.limit
        )
        assert.isAtMost(store.questions, Math.min(there * 1.1, long / 10) * 1.2 + 10)
      }
    )
  }

  it("answers that take now 1 ms and now 30: 98 in 100 of all there is", () => {
    let n = 0
    const options = { limit: 600, interval: 1000, burst: 1 }
    const machine = new Machine(options, () => (n++ % 7 === 0 ? 15 : 0.5))
    machine.forever(1000)
    machine.to(long)
    keepsTheRate(options, machine.store.granted)
    assert.isAtLeast(machine.used, 0.98 * 600 * 10)
  })

  it("two programs: together they have all there is, and neither is left out", () => {
    const options = { limit: 600, interval: 1000, burst: 1 }
    const one = new Machine(options, () => 5)
    const other = new StoreLimiter(core.fromOptions("test", options), one.store, new Timekeeper(one.jumps))
    let used = 0
    const again = () => {
      const ticket = new Waiter({ key: other.key("a"), cost: 1 }, 0)
      ticket.onWake = () => {
        used++
        again()
      }
      other.enqueue(ticket)
    }
    one.forever(1000)
    for (let i = 0; i < 1000; i++) again()
    one.to(long)
    keepsTheRate(options, one.store.granted)
    assert.isAtLeast(one.used + used, 0.98 * 600 * 10)
    assert.isAtLeast(Math.min(one.used, used), 10, "one unit a second")
  })

  it("who comes when there is nobody costs one question, and waits for its answer only", () => {
    const machine = new Machine({ limit: 600, interval: 1000 }, () => 10)
    for (let i = 1; i <= 10; i++) {
      const ticket = machine.consume()
      machine.to(machine.jumps.time + 19.9)
      assert.isFalse(ticket.settled)
      machine.to(machine.jumps.time + 0.1)
      assert.isTrue(ticket.settled)
      assert.strictEqual(machine.store.questions, i)
      machine.to(machine.jumps.time + 7)
    }
    assert.strictEqual(machine.limiter.state.keys.size, 0)
    assert.strictEqual(machine.jumps.size, 0)
  })

  it("of n at once, whatever they want, nobody waits for more than two questions", () => {
    const machine = new Machine({ limit: 10_000, interval: 1000 }, () => 10)
    const all = Array.from({ length: 500 }, (_, n) => machine.consume("a", n % 7))
    machine.to(40)
    assert.isTrue(all.every(({ settled }) => settled))
    assert.strictEqual(machine.store.questions, 2)
  })
})

describe("when the store fails", () => {
  it("now and then, or does not answer until it gives up: never more than the rate, and the line goes on", () => {
    let n = 0
    const options = { limit: 600, interval: 1000, burst: 1 }
    // One in 20 fails at once, and another after 100 ms.
    const fails = () => (n++ % 10 === 5 ? (n % 20 < 10 ? 0 : 100) : undefined)
    const machine = new Machine(options, () => 0.5, { fails })
    machine.forever(1000)
    machine.to(long)
    keepsTheRate(options, machine.store.granted)
    assert.isAbove(machine.failed, 0)
    assert.isAtLeast(machine.used, 0.5 * 600 * 10)
    assert.deepStrictEqual(machine.store.reports, [])
  })

  it("and everybody leaves: nothing is lost, no timer is left", () => {
    const machine = new Machine({ limit: 100, interval: 1000, burst: 1 }, () => 5)
    const all = Array.from({ length: 50 }, () => machine.consume())
    machine.to(100)
    for (const ticket of all) if (!ticket.settled) wake(machine.limiter.cancel(ticket))
    machine.to(200)
    assert.strictEqual(machine.store.granted.length, machine.used + machine.store.returned)
    assert.isAbove(machine.store.returned, 0)
    assert.deepStrictEqual([machine.limiter.state.keys.size, machine.jumps.size], [0, 0])
    // It is as if they had never been there.
    assert.strictEqual(machine.store.usage.resetAt(200), 200)
  })
})

describe("one step at a time", () => {
  /** A store that answers when it is told to. */
  class Hand implements Port {
    readonly jumps = new Jumps(0)
    readonly limiter: StoreLimiter
    readonly asked: Array<core.StoreRequest> = []
    readonly reports: Array<readonly [key: string, failure: unknown]> = []
    readonly back: Array<core.StoreReturn> = []
    readonly overs: Array<() => void> = []
    private answers: Array<{
      readonly answer: (answers: ReadonlyArray<core.Answer>) => void
      readonly fail: (failure: unknown) => void
    }> = []

    constructor(backlog = 10) {
      const state = core.fromOptions("test", { limit: 2, interval: 100, burst: 1, backlog })
      this.limiter = new StoreLimiter(state, this, new Timekeeper(this.jumps))
    }

    ask(
      request: core.StoreRequest,
      answer: (answers: ReadonlyArray<core.Answer>) => void,
      fail: (failure: unknown) => void
    ) {
      this.asked.push(request)
      this.answers.push({ answer, fail })
    }
    giveBack(request: core.StoreReturn, over: () => void) {
      this.back.push(request)
      this.overs.push(over)
    }
    report(key: string, failure: unknown) {
      this.reports.push([key, failure])
    }
    errorOf(failure: unknown) {
      return failure
    }

    grant(n = 1): void {
      const one = { allowed: true, delay: 0, remaining: 0, retryAfter: 0, resetAfter: 50, grant: "units" }
      this.answers.shift()!.answer(Array.from({ length: n }, () => one))
    }
    grantLater(delay: number): void {
      const one = { allowed: true, delay, remaining: 0, retryAfter: 0, resetAfter: 50, grant: "units" }
      this.answers.shift()!.answer([one])
    }
    refuse(retryAfter: number): void {
      this.answers.shift()!.answer([{ allowed: false, delay: 0, remaining: 0, retryAfter, resetAfter: retryAfter }])
    }
    fail(): void {
      this.answers.shift()!.fail("down")
    }
    wait(name = "a"): Waiter {
      const ticket = new Waiter({ key: this.limiter.key(name), cost: 1 }, 0)
      this.limiter.enqueue(ticket)
      return ticket
    }
    get keys(): number {
      return this.limiter.state.keys.size
    }
  }

  it("asks what is wanted of which rate", () => {
    const hand = new Hand()
    hand.wait("b")
    assert.deepStrictEqual(hand.asked, [
      { algorithm: "gcra", limit: 2, interval: 100, burst: 1, key: "b", asks: [{ cost: 1, tries: false }], ahead: 0 }
    ])
    hand.grant()
    assert.deepStrictEqual([hand.keys, hand.jumps.size], [0, 0])
  })

  it("nothing is known of a key that nobody is in line for: whoever asks is not refused", () => {
    const hand = new Hand(1)
    assert.isUndefined(hand.limiter.refusal("a", 1))
    assert.isUndefined(hand.limiter.refused("a", 1))
    assert.strictEqual(hand.keys, 0)
  })

  it("who finds the line full, or somebody waiting, is refused without a question", () => {
    const hand = new Hand(1)
    hand.wait()
    assert.isUndefined(hand.limiter.refusal("a", 1))
    assert.isUndefined(hand.limiter.refused("a", 1))
    hand.refuse(50)
    assert.deepInclude(hand.limiter.refusal("a", 1), { key: "a", retryAfter: 100 })
    assert.deepInclude(hand.limiter.refused("a", 1), { allowed: false, retryAfter: 100 })
    assert.strictEqual(hand.asked.length, 1)
    hand.jumps.time = 20
    assert.strictEqual(hand.limiter.refused("a", 1)!.retryAfter, 80)
  })

  it("who comes when a timer is late finds the line as if it had not been", () => {
    for (const late of [0, 30]) {
      for (const look of ["refused", "refusal", "key"] as const) {
        const hand = new Hand()
        hand.wait()
        hand.refuse(50)
        hand.jumps.time = 49.9
        hand.limiter[look]("a", 1)
        assert.strictEqual(hand.asked.length, 1)
        hand.jumps.time = 50 + late
        hand.limiter[look]("a", 1)
        assert.strictEqual(hand.asked.length, 2, look)
        // No timer while a question is in flight.
        assert.strictEqual(hand.jumps.size, 0)
      }
    }
  })

  it("what was granted to who has gone is given back, also when its key is gone", () => {
    const hand = new Hand()
    const ticket = hand.wait()
    hand.grant()
    assert.isTrue(ticket.settled)
    assert.strictEqual(hand.keys, 0)
    hand.limiter.cancel(ticket)
    const rate = { algorithm: "gcra" as const, limit: 2, interval: 100, burst: 1 }
    assert.deepStrictEqual(hand.back, [{ ...rate, key: "a", grants: [{ cost: 1, grant: "units" }] }])
    hand.overs.pop()!()
    assert.deepStrictEqual([hand.keys, hand.jumps.size, hand.asked.length], [0, 0, 1])
  })

  it("the timer of a key asks again, and who leaves frees his units for the next", () => {
    const hand = new Hand()
    const [first, second] = [hand.wait(), hand.wait()]
    hand.refuse(50)
    assert.isTrue(hand.jumps.jump(Infinity))
    assert.strictEqual(hand.jumps.time, 50)
    assert.strictEqual(hand.asked.length, 2)
    hand.grant()
    assert.isTrue(first!.settled)
    hand.limiter.cancel(second!)
    hand.refuse(50)
    // Nobody is left: no timer, and nothing is asked.
    assert.deepStrictEqual([hand.jumps.size, hand.keys, hand.asked.length], [0, 0, 3])
  })

  it("nothing is given back for who had nothing, nor asked for nobody", () => {
    const hand = new Hand()
    hand.limiter.cancel(hand.wait())
    assert.strictEqual(hand.keys, 1)
    hand.refuse(50)
    assert.deepStrictEqual([hand.back.length, hand.keys, hand.jumps.size], [0, 0, 0])
  })

  it("units for later go to the next when their owner leaves, and back to the store when there is no next", () => {
    const hand = new Hand()
    const [first, second] = [hand.wait(), hand.wait()]
    hand.grantLater(40)
    hand.limiter.cancel(first!)
    assert.strictEqual(hand.back.length, 0)
    hand.limiter.cancel(second!)
    assert.deepStrictEqual(
      hand.back.map(({ grants }) => grants),
      [[{ cost: 1, grant: "units" }]]
    )
  })

  it("what was given back may be had at once: the line does not wait for the time that it was told before", () => {
    const hand = new Hand()
    const first = hand.wait()
    hand.grant()
    hand.wait()
    hand.refuse(50)
    assert.strictEqual(hand.asked.length, 2)
    hand.limiter.cancel(first)
    assert.strictEqual(hand.asked.length, 2)
    hand.overs.pop()!()
    assert.strictEqual(hand.asked.length, 3)
  })

  it("a failure that somebody hears of is not reported, and one that nobody hears of is", () => {
    const hand = new Hand()
    const ticket = hand.wait()
    hand.fail()
    assert.deepStrictEqual([ticket.wakes, ticket.result], [1, { kind: "failed", failure: "down" }])
    assert.deepStrictEqual(hand.reports, [])
    hand.limiter.cancel(hand.wait("b"))
    hand.fail()
    assert.deepStrictEqual(hand.reports, [["b", "down"]])
    assert.deepStrictEqual([hand.keys, hand.jumps.size], [0, 0])
  })
})
