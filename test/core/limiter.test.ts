import { assert, describe, it } from "@effect/vitest"
import * as event from "../../src/core/event.js"
import { Limiter, type Key } from "../../src/core/limiter.js"
import type { Grant } from "../../src/core/rate.js"
import * as core from "../../src/core/rateLimiter.js"
import { wake } from "../../src/core/ticket.js"
import { Timekeeper } from "../../src/core/timekeeper.js"
import { Jumps } from "../utils/clocks.js"
import { TestTicket } from "../utils/tickets.js"

class Waiter extends TestTicket<core.Request, Grant> {}

/** A limiter on a clock that jumps, and its own source of time. */
class Machine {
  readonly jumps = new Jumps(0)
  readonly limiter: Limiter

  constructor(options: core.Options) {
    this.limiter = new Limiter(core.fromOptions("test", options), new Timekeeper(this.jumps))
  }

  /** Takes what is to be had, or waits for it. */
  ask(name: string, cost = 1): Waiter {
    const key = this.limiter.key(name)
    const ticket = new Waiter({ key, cost }, 0)
    const grant = this.limiter.tryTake(key, cost)
    if (grant === undefined) this.limiter.enqueue(ticket)
    else {
      ticket.result = grant
      ticket.settled = true
    }
    return ticket
  }

  /** Time goes on, and stops at each timer. */
  to(time: number): void {
    while (this.jumps.jump(time + 1e-9));
    this.jumps.time = time
  }
}

describe("a limiter on a clock", () => {
  it("has a timer while somebody waits, one for all, and none for nobody", () => {
    const machine = new Machine({ limit: 1, interval: 10 })
    machine.ask("a")
    assert.strictEqual(machine.jumps.size, 0)
    const waits = [machine.ask("a"), machine.ask("a"), machine.ask("b"), machine.ask("b")]
    assert.strictEqual(machine.jumps.size, 1)
    machine.to(9.999)
    assert.strictEqual(waits[0]!.wakes, 0)
    machine.to(10)
    assert.deepStrictEqual(
      waits.map(({ wakes }) => wakes),
      [1, 0, 0, 1]
    )
    wake(machine.limiter.cancel(waits[1]!))
    assert.strictEqual(machine.jumps.size, 0)
  })

  it("grants by a timer that is late, before anything else is asked of the key", () => {
    const machine = new Machine({ limit: 1, interval: 10 })
    machine.ask("a")
    const waits = machine.ask("a")
    machine.jumps.time = 12
    assert.isFalse(machine.limiter.decide(machine.limiter.key("a"), 1).allowed)
    assert.strictEqual(waits.wakes, 1)
    assert.strictEqual(waits.result!.at, 12)
    // The timer that was set for it has nothing more to do.
    machine.to(13)
    assert.strictEqual(machine.jumps.size, 0)
  })

  it("keeps a timer that is too early, and moves one that is too late", () => {
    const machine = new Machine({ limit: 3, interval: 10 })
    machine.ask("a", 1)
    machine.to(5)
    machine.ask("a", 2)
    const large = machine.ask("a", 3)
    const small = machine.ask("a", 1)
    assert.strictEqual((large.request.key as Key).at, 15)
    wake(machine.limiter.cancel(large))
    assert.strictEqual((small.request.key as Key).at, 10)
    machine.to(10)
    assert.strictEqual(small.wakes, 1)
    const late = machine.ask("a", 1)
    assert.strictEqual((late.request.key as Key).at, 15)
    machine.to(15)
    assert.strictEqual(late.wakes, 1)
  })

  it("wakes those who can go when one in front of them has gone, in the order of the line", () => {
    const machine = new Machine({ limit: 2, interval: 10 })
    machine.ask("a", 1)
    const large = machine.ask("a", 2)
    const order: Array<string> = []
    const small = machine.ask("a", 1)
    const next = machine.ask("a", 1)
    small.onWake = () => order.push("small")
    wake(machine.limiter.cancel(large))
    assert.deepStrictEqual([order, next.wakes], [["small"], 0])
    assert.strictEqual((next.request.key as Key).at, 10)
  })

  it("what is given back goes to those who wait, at once", () => {
    const machine = new Machine({ limit: 1, interval: 10 })
    const had = machine.ask("a")
    const waits = machine.ask("a")
    machine.to(2)
    machine.limiter.giveBack(had.request.key, had.result!)
    assert.strictEqual(waits.wakes, 1)
    assert.strictEqual(waits.result!.at, 2)
    assert.strictEqual(machine.jumps.size, 0)
    // It was not used, so nothing is left to wait for.
    const later = machine.ask("a")
    wake(machine.limiter.cancel(waits))
    assert.strictEqual(later.wakes, 1)
  })

  it("a reservation is over when it has come, or is cancelled, and is cancelled once", () => {
    const machine = new Machine({ limit: 1, interval: 10 })
    const reserve = () => {
      const ticket = new Waiter({ key: machine.limiter.key("a"), cost: 1 }, 0)
      const over = event.make()
      ticket.onWake = () => wake(event.set(over))
      return { over, reservation: machine.limiter.reserve(ticket, over) }
    }
    const all = [reserve(), reserve(), reserve()]
    assert.deepStrictEqual(
      all.map(({ over, reservation }) => [reservation.delay, over.isSet]),
      [
        [0, true],
        [10, false],
        [20, false]
      ]
    )
    assert.isFalse(all[1]!.reservation.isCancelled)
    assert.isTrue(all[1]!.reservation.cancel())
    assert.isTrue(all[1]!.reservation.isCancelled)
    assert.isFalse(all[1]!.reservation.cancel())
    assert.isTrue(all[1]!.over.isSet)
    machine.to(10)
    assert.isTrue(all[2]!.over.isSet)
    // What has come and was not used comes back.
    assert.isTrue(all[2]!.reservation.cancel())
    assert.isTrue(machine.limiter.available(machine.limiter.key("a"), 1))
  })

  it("a newcomer who cannot wait is told when he could go", () => {
    const machine = new Machine({ limit: 1, interval: 10, backlog: 1 })
    machine.ask("a")
    machine.to(4)
    assert.isUndefined(machine.limiter.refusal(machine.limiter.key("a"), 1))
    machine.ask("a")
    assert.strictEqual(machine.limiter.refusal(machine.limiter.key("a"), 1)!.retryAfter, 16)
  })
})

/** No two of them are the same rate: per second 600, 3,000, 769.2…, 2.3… and 33.003…. And how much is taken at once. */
const rates: ReadonlyArray<readonly [string, core.Options, number]> = [
  ["600 a second", { limit: 600, interval: 1000 }, 10],
  ["3,000 a second", { limit: 3000, interval: 1000 }, 50],
  ["70 in 91 ms", { limit: 70, interval: 91 }, 10],
  ["7 in 3 seconds", { limit: 7, interval: 3000 }, 1],
  ["11 in 333.3 ms", { limit: 11, interval: 333.3 }, 1]
]
const hour = 3_600_000

/** Gives how much was granted. The line is never empty; what is granted is looked at against what was granted before. */
const anHour = (options: core.Options, cost: number, most: number): number => {
  const machine = new Machine(options)
  const { jumps } = machine
  const { interval } = options
  const window = Math.floor(most / cost)
  const recent = new Float64Array(window).fill(-Infinity)
  let count = 0
  const again = () => {
    const now = jumps.time
    const first = recent[count % window]!
    // Times are sums: they have the rounding of one.
    if (first + interval - now > 1e-6) assert.fail(`more than ${most} in an interval: the ${count}th at ${now}`)
    recent[count++ % window] = now
    enqueue()
  }
  const enqueue = () => {
    const ticket = new Waiter({ key: machine.limiter.key("a"), cost }, 0)
    ticket.onWake = again
    machine.limiter.enqueue(ticket)
  }
  // What is there from the start is taken at once; from then on everybody waits.
  const key = machine.limiter.key("a")
  while (machine.limiter.tryTake(key, cost) !== undefined) recent[count++ % window] = 0
  for (let i = 0; i < 3; i++) enqueue()
  while (jumps.jump(hour));
  assert.strictEqual(core.stats(machine.limiter.state).waiting, 3)
  core.check(machine.limiter.state, jumps.time)
  return count * cost
}

describe("an hour of the whole limiter, with a line that never ends, on a virtual clock", () => {
  const expected = ({ interval, limit }: core.Options): number => (hour * limit) / interval

  it.each(rates)(
    "%s, in a sliding window: no window has more than the limit, and none is missing",
    (_, options, cost) => {
      const { limit } = options
      assert.isAtMost(Math.abs(anHour(options, cost, limit) - expected(options)), limit)
    }
  )

  it.each(rates)(
    "%s, evenly spread: no window has more than the next beyond the limit, and none is missing",
    (_, options, cost) => {
      const most = options.limit + cost
      assert.isAtMost(Math.abs(anHour({ ...options, burst: cost }, cost, most) - expected(options)), cost)
    }
  )

  it.each(rates)(
    "%s, with a burst: no window has more than that and the limit, and none is missing",
    (_, options, cost) => {
      const { limit } = options
      assert.isAtMost(Math.abs(anHour({ ...options, burst: limit }, cost, 2 * limit) - expected(options)), limit)
    }
  )
})
