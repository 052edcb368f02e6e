import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import * as rate from "../../src/core/rate.js"
import * as core from "../../src/core/rateLimiter.js"
import { settle } from "../../src/core/ticket.js"
import { advance, holdsTheRate, type RateMachine, type Taken } from "../utils/rates.js"
import { TestTicket, ticketsOf } from "../utils/tickets.js"

class Key extends core.Key {
  fire(): void {}
}

class Waiter extends TestTicket<core.Request, rate.Grant> {}

/** The core, with its keys looked up as a limiter on a clock does, and a log of what was granted and kept. */
class Machine implements RateMachine {
  readonly state: core.State
  now = 0
  waiting: Array<Waiter> = []
  granted: Array<Waiter> = []

  constructor(options: core.Options) {
    this.state = core.fromOptions("test", options)
  }

  key(name: string): core.Key {
    const { keys } = this.state
    core.evict(this.state, this.now)
    let key = keys.get(name)
    if (key === undefined) keys.set(name, (key = new Key(name, rate.make(this.state.rate))))
    return key
  }

  /** What was granted leaves the line, from its head. */
  private take(chain: Parameters<typeof ticketsOf>[0]): void {
    for (const ticket of ticketsOf(chain) as Array<Waiter>) {
      const first = this.waiting.find(({ request }) => request.key === ticket.request.key)
      assert.strictEqual(ticket, first, "somebody was overtaken")
      this.waiting.splice(this.waiting.indexOf(ticket), 1)
      this.granted.push(ticket)
      ticket.next = ticket.previous = undefined
    }
  }

  ask(name: string, cost: number): Waiter | core.RateLimited {
    const key = this.key(name)
    const ticket = new Waiter({ key, cost }, 0)
    const grant = core.tryTake(key, cost, this.now)
    if (grant !== undefined) {
      assert.isFalse(this.waiting.some(({ request }) => request.key === key))
      this.take(settle(undefined, this.wait(ticket), grant))
      return ticket
    }
    const refused = core.refusal(this.state, key, cost, this.now)
    if (refused !== undefined) return refused
    core.enqueue(this.wait(ticket), this.now)
    return ticket
  }

  private wait(ticket: Waiter): Waiter {
    this.waiting.push(ticket)
    return ticket
  }

  cancel(ticket: Waiter): void {
    const list = ticket.settled ? this.granted : this.waiting
    list.splice(list.indexOf(ticket), 1)
    this.take(core.cancel(ticket, this.now))
  }

  act(kind: string, name: string, cost: number, n: number): void {
    if (kind === "ask") this.ask(name, cost)
    else {
      const all = [...this.waiting, ...this.granted]
      if (all.length > 0) this.cancel(all[n % all.length]!)
    }
  }

  nextAt(): number {
    return [...this.state.keys.values()].reduce((at, { wakeAt }) => Math.min(at, wakeAt), Infinity)
  }

  step(): void {
    const key = [...this.state.keys.values()].find(({ wakeAt }) => wakeAt <= this.now)!
    this.take(core.due(key, this.now))
  }

  advance(until: number): void {
    advance(this, until)
  }

  check(): void {
    core.check(this.state, this.now)
    for (const ticket of this.waiting) {
      // I5: nobody waits for a key that was forgotten.
      assert.strictEqual(this.state.keys.get(ticket.request.key.name), ticket.request.key)
    }
  }

  comeToRest(): void {
    this.advance(this.now + 1e6)
    this.check()
    assert.deepStrictEqual(this.waiting, [])
  }

  kept(name: string): ReadonlyArray<Taken> {
    return this.granted.flatMap(({ request, result }) => (request.key.name === name ? [result!] : []))
  }
}

describe("the limiter", () => {
  it("whatever is asked, given up and waited for: the rate holds, and the line (I1, I2, I3, I4, I5)", () =>
    holdsTheRate(
      (options) => new Machine(options),
      [
        ["ask", fc.nat({ max: 5 })],
        ["ask", fc.constant(1)],
        ["cancel", fc.constant(0)]
      ],
      400
    ))

  it("a large cost at the head is not overtaken, and neither is anybody by tryTake", () => {
    const machine = new Machine({ limit: 3, interval: 10 })
    machine.ask("a", 2)
    machine.now = 1
    const large = machine.ask("a", 3) as Waiter
    const small = machine.ask("a", 1) as Waiter
    const key = machine.key("a")
    assert.isUndefined(core.tryTake(key, 1, 1))
    assert.isUndefined(core.tryTake(key, 0, 1))
    assert.deepStrictEqual(core.decide(key, 1, 1).decision, {
      allowed: false,
      remaining: 0,
      retryAfter: 19,
      resetAfter: 9
    })
    machine.advance(9.999)
    assert.isFalse(large.settled)
    machine.advance(10)
    assert.isTrue(large.settled)
    assert.isFalse(small.settled)
    machine.advance(20)
    assert.isTrue(small.settled)
  })

  it("a wait that is given up at the head lets those behind it go at once", () => {
    const machine = new Machine({ limit: 3, interval: 10 })
    machine.ask("a", 1)
    const large = machine.ask("a", 3) as Waiter
    const small = [machine.ask("a", 1), machine.ask("a", 1), machine.ask("a", 1)] as Array<Waiter>
    machine.cancel(large)
    assert.deepStrictEqual(
      small.map(({ settled }) => settled),
      [true, true, false]
    )
    assert.strictEqual(machine.key("a").wakeAt, 10)
  })

  it("what was granted and is given back in the same tick goes to the next", () => {
    for (const burst of [undefined, 1]) {
      const machine = new Machine({ limit: 1, interval: 10, burst })
      machine.ask("a", 1)
      const first = machine.ask("a", 1) as Waiter
      const next = machine.ask("a", 1) as Waiter
      machine.advance(10)
      assert.isTrue(first.settled)
      machine.cancel(first)
      assert.isTrue(next.settled)
      assert.strictEqual(next.result!.at, 10)
    }
  })

  it("more than the backlog is refused, and told when it could go: I4", () => {
    const machine = new Machine({ limit: 1, interval: 10, backlog: 1 })
    machine.ask("a", 1)
    machine.now = 4
    const waits = machine.ask("a", 1) as Waiter
    const refused = machine.ask("a", 1) as core.RateLimited
    assert.instanceOf(refused, core.RateLimited)
    assert.deepStrictEqual([refused._tag, refused.key, refused.retryAfter], ["RateLimited", "a", 16])
    assert.strictEqual(refused.name, "RateLimited")
    assert.strictEqual(refused.message, 'the rate limit of "a" is reached, and no more may wait: retry after 16 ms')
    assert.isFalse(machine.ask("b", 1) instanceof Error)
    machine.cancel(waits)
    assert.isFalse(machine.ask("a", 1) instanceof Error)
  })

  it("keys do not wait for each other", () => {
    const machine = new Machine({ limit: 1, interval: 10 })
    for (const name of ["a", "b", "c"]) assert.isTrue((machine.ask(name, 1) as Waiter).settled)
    assert.deepStrictEqual(core.stats(machine.state), { keys: 3, waiting: 0 })
    assert.isFalse((machine.ask("b", 1) as Waiter).settled)
    assert.deepStrictEqual(core.stats(machine.state), { keys: 3, waiting: 1 })
    assert.isFrozen(core.stats(machine.state))
  })

  it.each([0, 50, 1000])("forgets keys that are idle: I5 (each is in use for %d look-ups)", (busy) => {
    const machine = new Machine({ limit: 1, interval: 1 })
    let most = 0
    for (let i = 0; i < 20_000; i++) {
      machine.now = i / Math.max(1, busy) + (busy === 0 ? i : 0)
      machine.ask(`user ${i}`, 1)
      most = Math.max(most, machine.state.keys.size)
    }
    assert.isAtMost(most, 4 * busy + 4)
    // One that is asked for goes on forgetting the others.
    machine.now += 2
    for (let i = 0; i < most; i++) machine.ask("one", 0)
    assert.isAtMost(machine.state.keys.size, 2)
  })

  it("refuses what is no backlog, no key and no cost", () => {
    for (const backlog of [-1, 0.5, NaN])
      assert.throws(
        () => core.fromOptions("Limiter", { limit: 1, interval: 1, backlog }),
        RangeError,
        "Limiter: backlog"
      )
    const { rate } = core.fromOptions("", { limit: 2, interval: 1 })
    assert.throws(() => core.checkRequest("take", rate, 1 as never, {}), TypeError, "take: key must be a string, got 1")
    assert.throws(() => core.checkRequest("take", rate, "a", { cost: 3 }), RangeError, "take: cost")
    assert.strictEqual(core.checkRequest("take", rate, "a", { cost: 2 }), 2)
    assert.strictEqual(core.checkRequest("take", rate, "a", undefined), 1)
  })

  it("who names no key shares one with all who name none", () => assert.strictEqual(core.defaultKey, "default"))

  it("says what is left while nobody waits, and to who would pass others when those have gone", () => {
    const machine = new Machine({ limit: 3, interval: 30, burst: 3 })
    const key = machine.key("a")
    const { decision } = core.decide(key, 1, 0)
    assert.deepInclude(decision, { allowed: true, remaining: 2, retryAfter: 0 })
    machine.ask("a", 3)
    machine.check()
    const refused = core.decide(key, 1, 0)
    assert.isUndefined(refused.grant)
    assert.deepInclude(refused.decision, { allowed: false, remaining: 0, retryAfter: 20 })
  })

  it("I5: a key that somebody waits for is not forgotten, however late its timer is", () => {
    const machine = new Machine({ limit: 1, interval: 10 })
    machine.ask("a", 1)
    machine.ask("a", 1)
    const key = machine.state.keys.get("a")
    machine.now = 100
    for (let i = 0; i < 10; i++) machine.key(`${i}`)
    assert.strictEqual(machine.state.keys.get("a"), key)
  })

  it("the only key is kept: whoever has one need not make it anew for each call", () => {
    const machine = new Machine({ limit: 1, interval: 10 })
    const key = machine.key("a")
    for (let i = 0; i < 10; i++) assert.strictEqual(machine.key("a"), key)
  })

  it("check finds what does not hold", () => {
    const broken = (change: (key: core.Key, machine: Machine) => void, backlog = 5) => {
      const machine = new Machine({ limit: 1, interval: 10, backlog })
      machine.ask("a", 1)
      machine.now = 4
      machine.ask("a", 1)
      machine.check()
      change(machine.key("a"), machine)
      let message = "nothing"
      try {
        machine.check()
      } catch (error) {
        message = (error as Error).message
      }
      return message
    }
    assert.strictEqual(
      broken((key) => key.ahead++),
      "I2: 1 units are wanted, not 2"
    )
    assert.strictEqual(
      broken((key) => (key.wakeAt = 9)),
      "I3: the first can go at 10, not 9"
    )
    assert.strictEqual(
      broken((key) => (key.wakeAt = 11)),
      "I3: the first can go at 10, not 11"
    )
    // The timer is late.
    assert.strictEqual(
      broken((_, machine) => (machine.now = 15)),
      "nothing"
    )
    assert.strictEqual(
      broken((_, { state }) => ((state as { backlog: number }).backlog = 0)),
      "I4: 1 wait"
    )
    assert.strictEqual(
      broken((key, { state }) => {
        state.keys.delete("a")
        const other = new Key("a", key.usage)
        state.keys.set("a", Object.assign(other, { line: key.line, ahead: key.ahead, wakeAt: key.wakeAt }))
      }),
      "I5: somebody waits for a key that is not here"
    )
    assert.notStrictEqual(
      broken((key) => key.line.size++),
      "nothing"
    )
  })
})
