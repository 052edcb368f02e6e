import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import * as event from "../../src/core/event.js"
import * as rate from "../../src/core/rate.js"
import { RateLimited } from "../../src/core/rateLimiter.js"
import * as core from "../../src/core/rateStore.js"
import { advance, holdsTheRate, type RateMachine, type Taken } from "../utils/rates.js"
import { TestTicket, ticketsOf } from "../utils/tickets.js"

class Key extends core.Key {
  fire(): void {}
}

class Waiter extends TestTicket<core.Request, core.Outcome> {}

const answer = (allowed: boolean, rest: Partial<core.Answer> = {}): core.Answer => ({
  allowed,
  delay: 0,
  remaining: 0,
  retryAfter: allowed ? 0 : 10,
  resetAfter: 10,
  ...rest
})

const yes = (rest: Partial<core.Answer> = {}) => answer(true, rest)
const no = (rest: Partial<core.Answer> = {}) => answer(false, rest)

interface Asked {
  readonly key: core.Key
  readonly question: core.Question
  /** What the store has decided, once it has. */
  decided: ReadonlyArray<rate.Decided> | undefined
}

const costsOf = ({ question }: Asked) => question.asks.map(({ cost }) => cost)
const sum = (all: ReadonlyArray<{ readonly cost: number }>) => all.reduce((sum, { cost }) => sum + cost, 0)

/** The core as a limiter on a clock uses it, over a store that is as slow as the test wants it to be. */
class Machine implements RateMachine {
  readonly state: core.State
  readonly usages = new Map<string, rate.Usage>()
  now = 0
  /** Who is in line, in order of arrival. */
  line: Array<Waiter> = []
  ended: Array<Waiter> = []
  /** What is in flight. */
  asked: Array<Asked> = []
  returning: Array<() => void> = []
  questions = 0
  /** Units that the store has granted; that a caller has; that went back. */
  taken = 0
  had = 0
  back = 0

  constructor(options: Parameters<typeof core.fromOptions>[1]) {
    this.state = core.fromOptions("test", options)
  }

  key(name: string): core.Key {
    let key = this.state.keys.get(name)
    if (key === undefined) this.state.keys.set(name, (key = new Key(name)))
    if (core.wakeAt(this.state, key) <= this.now) this.proceed(key, { chain: undefined, back: [] })
    return key
  }

  usage(name: string): rate.Usage {
    let usage = this.usages.get(name)
    if (usage === undefined) this.usages.set(name, (usage = rate.make(this.state.rate)))
    return usage
  }

  ask(name: string, cost: number, tries = false, place?: core.Place): Waiter | RateLimited | rate.Decision {
    const key = this.key(name)
    const refused = tries
      ? core.refused(this.state, key, cost, this.now)
      : core.refusal(this.state, key, cost, this.now)
    if (refused !== undefined) return refused
    const ticket = new Waiter({ key, cost, tries, place }, 0)
    this.line.push(ticket)
    this.proceed(key, core.enqueue(this.state, ticket, this.now))
    return ticket
  }

  wait(name: string, ...costs: ReadonlyArray<number>): Array<Waiter> {
    return costs.map((cost) => this.ask(name, cost) as Waiter)
  }

  proceed(key: core.Key, { back, chain }: core.Step): void {
    const due = core.due(this.state, key, this.now)
    if (core.isIdle(key)) this.state.keys.delete(key.name)
    this.giveBack(key.name, back)
    for (const each of [chain, due.chain])
      for (const ticket of ticketsOf(each)) if (ticket instanceof Waiter) this.end(ticket)
    if (due.question === undefined) return
    assert.isFalse(
      this.asked.some((asked) => asked.key === key),
      "two questions are in flight"
    )
    this.questions++
    this.asked.push({ key, question: due.question, decided: undefined })
  }

  end(ticket: Waiter): void {
    const { cost, key } = ticket.request
    const result = ticket.result!
    if (result.kind === "granted") {
      // I3.
      assert.strictEqual(
        ticket,
        this.line.find(({ request }) => request.key === key),
        "somebody was overtaken"
      )
      assert.strictEqual(sum(result.grants), cost)
      for (const { grant } of result.grants)
        assert.isAtMost((grant as rate.Grant | undefined)?.at ?? 0, this.now, "it goes before its time")
      this.had += cost
    }
    this.line.splice(this.line.indexOf(ticket), 1)
    this.ended.push(ticket)
  }

  /** The store decides; the answer is on its way. */
  decide(asked: Asked): ReadonlyArray<rate.Decided> {
    const { asks, ahead } = asked.question
    return (asked.decided ??= rate.decideAll(this.usage(asked.key.name), this.now, asks, ahead))
  }

  /** The oldest answer, the store's own or one of the test's, arrives. */
  answer(...given: ReadonlyArray<core.Answer>): void {
    this.arrive(this.asked[0]!, given.length > 0 ? given : undefined)
  }

  private arrive(asked: Asked, given?: ReadonlyArray<core.Answer>): void {
    const { key, question } = asked
    this.asked.splice(this.asked.indexOf(asked), 1)
    const answers: ReadonlyArray<core.Answer> = given ?? this.decide(asked)
    answers.forEach(({ allowed }, index) => {
      if (allowed) this.taken += question.asks[index]!.cost
    })
    core.checkAnswers(question.asks, answers)
    this.proceed(key, core.answered(this.state, key, answers, this.now))
  }

  /** Gives whether somebody does not hear of it. */
  fail(failure: unknown, asked = this.asked[0]!): boolean {
    this.asked.splice(this.asked.indexOf(asked), 1)
    const step = core.failed(this.state, asked.key, failure, this.now)
    this.proceed(asked.key, step)
    return step.isUnheard
  }

  private giveBack(name: string, grants: ReadonlyArray<core.Granted>): void {
    if (grants.length === 0) return
    this.back += sum(grants)
    this.returning.push(() => {
      for (const { cost, grant } of grants) {
        if (grant !== undefined) this.usage(name).giveBack(this.now, { ...(grant as rate.Grant), cost })
      }
      const key = this.state.keys.get(name)
      if (key === undefined) return
      core.returned(key)
      this.proceed(key, { chain: undefined, back: [] })
    })
  }

  return(index = 0): void {
    this.returning.splice(index, 1)[0]!()
  }

  cancel(ticket: Waiter): void {
    const { cost, key } = ticket.request
    const wasInLine = !ticket.settled
    const step = core.cancel(this.state, ticket)
    if (wasInLine) {
      this.line.splice(this.line.indexOf(ticket), 1)
      this.proceed(key, step)
    } else {
      this.ended.splice(this.ended.indexOf(ticket), 1)
      if (ticket.result!.kind === "granted") this.had -= cost
      this.giveBack(key.name, step.back)
    }
  }

  act(kind: string, name: string, cost: number, n: number): void {
    const asked = this.asked[n % Math.max(1, this.asked.length)]
    if (kind === "ask") this.ask(name, cost)
    else if (kind === "try") this.ask(name, cost, true)
    else if (kind === "return") {
      if (this.returning.length > 0) this.return(n % this.returning.length)
    } else if (kind === "cancel") {
      const all = [...this.line, ...this.ended]
      if (all.length > 0) this.cancel(all[n % all.length]!)
    } else if (asked !== undefined) {
      if (kind === "decide") this.decide(asked)
      else if (kind === "answer") this.arrive(asked)
      else if (asked.decided === undefined) this.fail("down", asked)
    }
  }

  nextAt(): number {
    return [...this.state.keys.values()].reduce((at, key) => Math.min(at, core.wakeAt(this.state, key)), Infinity)
  }

  step(): void {
    for (const key of this.state.keys.values()) {
      if (core.wakeAt(this.state, key) > this.now) continue
      this.proceed(key, { chain: undefined, back: [] })
      return
    }
  }

  advance(until: number): void {
    advance(this, until)
  }

  check(): void {
    core.check(this.state)
    for (const { request } of this.line) assert.strictEqual(this.state.keys.get(request.key.name), request.key)
    // Nothing is lost, and nothing there twice: what was granted is somebody's, or the line's, or went back.
    let slots = 0
    for (const key of this.state.keys.values()) {
      assert.isFalse(core.isIdle(key), "a key is kept that nobody needs")
      slots += sum(key.slots)
    }
    assert.strictEqual(this.taken, this.had + slots + this.back)
  }

  /** Everything in flight arrives, until nothing is. */
  comeToRest(): void {
    for (let steps = 0; this.line.length + this.asked.length + this.returning.length > 0; steps++) {
      assert.isBelow(steps, 10_000, "it never comes to rest")
      if (this.returning.length > 0) this.return()
      else if (this.asked.length > 0) this.arrive(this.asked[0]!)
      else this.advance(this.now + 1)
      this.check()
    }
    assert.strictEqual(this.state.keys.size, 0)
    for (const usage of this.usages.values()) usage.check(this.now)
  }

  kept(name: string): ReadonlyArray<Taken> {
    return this.ended.flatMap(({ request, result }) =>
      request.key.name === name && result?.kind === "granted"
        ? result.grants.map(({ cost, grant }) => ({ cost, at: (grant as rate.Grant).at }))
        : []
    )
  }
}

const decisionOf = ({ result }: Waiter) => (result as { readonly decision: rate.Decision }).decision
const kinds = (all: ReadonlyArray<Waiter>) => all.map(({ result }) => result?.kind)

describe("the line at a store", () => {
  it("whatever is asked, given up, answered late and failed: I1, I2, I3, I4, I5, I6; and it comes to rest", () =>
    holdsTheRate(
      (options) => new Machine(options),
      [
        ["ask", fc.nat({ max: 5 })],
        ["ask", fc.constant(1)],
        ["try", fc.constantFrom(0, 1, 1, 2, 3)],
        ["cancel", fc.constant(0)],
        ["decide", fc.constant(0)],
        ["answer", fc.constant(0)],
        ["answer", fc.constant(0)],
        ["return", fc.constant(0)],
        ["fail", fc.constant(0)]
      ],
      1000
    ))

  it("what there is to be had takes two questions, however many want it: I1", () => {
    const machine = new Machine({ limit: 100, interval: 10 })
    const all = machine.wait("a", ...Array<number>(150).fill(1))
    assert.deepStrictEqual(costsOf(machine.asked[0]!), [1])
    machine.answer()
    machine.answer()
    assert.deepStrictEqual([machine.questions, machine.asked.length], [2, 0])
    assert.deepStrictEqual(kinds(all), [...Array<string>(100).fill("granted"), ...Array<undefined>(50).fill(undefined)])
    assert.strictEqual(core.wakeAt(machine.state, machine.key("a")), 10)
  })

  it("those who only try are in one question too, whatever they want: each has his answer", () => {
    const machine = new Machine({ limit: 10, interval: 10 })
    const all = [3, 4, 5, 2, 2, 1, 0].map((cost) => machine.ask("a", cost, true) as Waiter)
    machine.answer()
    assert.deepStrictEqual(costsOf(machine.asked[0]!), [4, 5, 2, 2, 1, 0])
    machine.answer()
    assert.deepStrictEqual([machine.questions, machine.state.keys.size], [2, 0])
    assert.deepStrictEqual(
      all.map((ticket) => [decisionOf(ticket).allowed, decisionOf(ticket).remaining, decisionOf(ticket).retryAfter]),
      [
        [true, 7, 0],
        [true, 3, 0],
        [false, 3, 10],
        [true, 1, 0],
        [false, 1, 10],
        [true, 0, 0],
        [true, 0, 0]
      ]
    )
  })

  it("no more are in a question than could be granted, and one more; and 1,000", () => {
    const machine = new Machine({ limit: 5, interval: 10 })
    machine.wait("a", 1, 1, 2, 2, 1, 1, 1)
    machine.answer(yes({ remaining: 4 }))
    assert.deepStrictEqual(costsOf(machine.asked[0]!), [1, 2, 2, 1])
    const large = new Machine({ limit: 10_000, interval: 10 })
    large.wait("a", ...Array<number>(3000).fill(1))
    large.answer()
    assert.strictEqual(large.asked[0]!.question.asks.length, 1000)
    large.answer()
    large.answer()
    large.answer()
    assert.deepStrictEqual([large.questions, large.state.keys.size], [4, 0])
  })

  it("the first sleeps for as long as it was told, and asks again; one that is told nothing is not asked without end", () => {
    const machine = new Machine({ limit: 1, interval: 10 })
    const [waiter] = machine.wait("a", 1)
    machine.answer(no({ retryAfter: 2.5 }))
    assert.strictEqual(core.wakeAt(machine.state, machine.key("a")), 2.5)
    machine.advance(2.4)
    assert.strictEqual(machine.asked.length, 0)
    machine.advance(2.5)
    machine.answer(no({ retryAfter: 0 }))
    assert.strictEqual(core.wakeAt(machine.state, machine.key("a")), 3.5)
    machine.advance(3.5)
    machine.answer(yes())
    assert.strictEqual(waiter!.result!.kind, "granted")
    assert.strictEqual(machine.state.keys.size, 0)
  })

  describe("asking ahead", () => {
    /** Its answers have taken 4 ms so far: so it asks 20 ms ahead, and again when 10 are left. */
    const slow = (options: Parameters<typeof core.fromOptions>[1]) => {
      const machine = new Machine(options)
      machine.state.latency = 4
      return machine
    }

    it("how far follows from how long answers took: four times the slowest of late, from 20 ms to 2 s", () => {
      const machine = new Machine({ limit: 1000, interval: 1 })
      const aheadAfter = (latency: number) => {
        machine.wait("a", 1)
        const { ahead } = machine.asked[0]!.question
        machine.now += latency
        machine.answer()
        return ahead
      }
      assert.deepStrictEqual(
        [0, 1, 10, 4, 0, 3000, 0].map(aheadAfter).map((ahead) => Math.round(ahead * 100) / 100),
        [0, 0, 20, 40, 36, 32.4, 2000]
      )
    })

    it("is told when the units come, keeps them until then, and asks again when half of what it asked ahead is left", () => {
      const machine = slow({ limit: 1, interval: 5, burst: 1 })
      const all = machine.wait("a", 1, 1, 1, 1, 1, 1, 1, 1)
      assert.strictEqual(machine.asked[0]!.question.ahead, 20)
      machine.answer()
      assert.deepStrictEqual(costsOf(machine.asked[0]!), [1, 1, 1, 1, 1, 1])
      machine.now = 4
      machine.answer()
      // The store's time was when the answer arrived, here: units at 5, 10, 15 and 20.
      assert.deepStrictEqual(
        machine.key("a").slots.map(({ at }) => at),
        [5, 10, 15, 20]
      )
      machine.advance(9.9)
      assert.deepStrictEqual(kinds(all).filter((kind) => kind === "granted").length, 2)
      assert.strictEqual(machine.asked.length, 0)
      machine.advance(10)
      assert.strictEqual(machine.asked.length, 1)
      machine.comeToRest()
      assert.strictEqual(machine.questions, 4)
    })

    it("when the next is far off, it asks when he is near", () => {
      const machine = slow({ limit: 1, interval: 100, burst: 1 })
      machine.wait("a", 1, 1)
      machine.answer()
      machine.answer()
      // Three quarters of 20 ms before: then more than one can be had.
      machine.advance(84.9)
      assert.strictEqual(machine.asked.length, 0)
      machine.advance(85)
      machine.answer()
      assert.deepStrictEqual(
        machine.key("a").slots.map(({ at }) => at),
        [100]
      )
      machine.advance(100)
      assert.strictEqual(machine.state.keys.size, 0)
    })

    it("a store that grants nothing ahead is asked when it said, and not before", () => {
      const machine = slow({ limit: 1, interval: 5, burst: 1 })
      machine.wait("a", 1)
      machine.answer(no({ retryAfter: 5 }))
      assert.strictEqual(core.wakeAt(machine.state, machine.key("a")), 5)
    })

    it("when somebody leaves, those behind him move up, and the latest units go to the next who has none, or back: I3", () => {
      const machine = slow({ limit: 1, interval: 5, burst: 1 })
      const [, second, third, fourth, fifth, sixth, seventh] = machine.wait("a", 1, 1, 1, 1, 1, 1, 1)
      machine.answer()
      machine.answer()
      const slots = () => machine.key("a").slots.map(({ at }) => at)
      assert.deepStrictEqual(slots(), [5, 10, 15, 20])
      assert.deepStrictEqual(
        [second, third, fourth, fifth, sixth, seventh].map((ticket) => ticket!.request.hasUnits === true),
        [true, true, true, true, false, false]
      )
      machine.cancel(third!)
      assert.deepStrictEqual([slots(), sixth!.request.hasUnits, machine.back], [[5, 10, 15, 20], true, 0])
      machine.cancel(sixth!)
      machine.cancel(second!)
      machine.check()
      assert.deepStrictEqual([slots(), machine.back], [[5, 10, 15], 1])
      assert.isTrue(seventh!.request.hasUnits)
      machine.comeToRest()
      // The three who are left have the first three times.
      assert.deepStrictEqual(
        machine.kept("a").map(({ at }) => at),
        [0, 5, 10, 15]
      )
    })

    it("of other costs: the first has the first units, and goes when the last of his has come", () => {
      const machine = slow({ limit: 1, interval: 2, burst: 3 })
      const all = machine.wait("a", 3, 1, 3, 2)
      machine.answer()
      machine.answer()
      assert.deepStrictEqual(
        machine.key("a").slots.map(({ at, cost }) => [at, cost]),
        [
          [2, 1],
          [8, 3],
          [12, 2]
        ]
      )
      machine.cancel(all[1]!)
      // A unit of those at 12 goes back.
      assert.deepStrictEqual(
        machine.key("a").slots.map(({ at, cost }) => [at, cost]),
        [
          [2, 1],
          [8, 3],
          [12, 1]
        ]
      )
      machine.advance(8)
      assert.deepStrictEqual(kinds(all), ["granted", undefined, "granted", undefined])
      machine.comeToRest()
      assert.deepStrictEqual([machine.taken, machine.had, machine.back], [9, 8, 1])
    })

    it("nobody passes those who have units for later: who only tries is refused, and a newcomer waits behind them", () => {
      const machine = slow({ limit: 1, interval: 5, burst: 1 })
      machine.wait("a", 1, 1)
      machine.answer()
      machine.answer()
      assert.deepInclude(machine.ask("a", 1, true), { allowed: false, remaining: 0, retryAfter: 10 })
      assert.strictEqual(machine.questions, 2)
      const place = core.place()
      machine.ask("a", 1, false, place)
      assert.deepStrictEqual([place.known.isSet, place.delay], [true, 10])
    })
  })

  it("a cost of 0 waits for those in front, and asks nothing", () => {
    const machine = new Machine({ limit: 1, interval: 10 })
    assert.strictEqual(machine.wait("b", 0)[0]!.result!.kind, "granted")
    assert.strictEqual(machine.questions, 0)
    const all = machine.wait("a", 1, 1, 0, 1, 0)
    machine.answer()
    assert.deepStrictEqual(kinds(all), ["granted", undefined, undefined, undefined, undefined])
    assert.deepStrictEqual(costsOf(machine.asked[0]!), [1, 0, 1])
    machine.answer()
    machine.advance(10)
    machine.answer()
    assert.deepStrictEqual(kinds(all), ["granted", "granted", "granted", undefined, undefined])
    machine.comeToRest()
  })

  it("while the store is asked, no more come in than the backlog and a burst; when it refuses, the backlog is left: I4", () => {
    const machine = new Machine({ limit: 2, interval: 10, backlog: 1 })
    const all = Array.from({ length: 5 }, () => machine.ask("a", 1))
    assert.deepStrictEqual(
      all.map((each) => each instanceof RateLimited),
      [false, false, false, true, true]
    )
    // Two can go now, at best, and one an interval later.
    assert.strictEqual((all[3] as RateLimited).retryAfter, 10)
    assert.deepStrictEqual(core.stats(machine.state), { keys: 1, waiting: 3 })
    machine.answer(no({ retryAfter: 7 }))
    const [first, second, third] = all as Array<Waiter>
    assert.isFalse(first!.settled)
    assert.deepStrictEqual(
      [second, third].map((ticket) => (ticket!.result as { error: RateLimited }).error.retryAfter),
      // Both could go with the first, if they were let.
      [7, 7]
    )
    assert.strictEqual((machine.ask("a", 2) as RateLimited).retryAfter, 17)
    assert.strictEqual(machine.asked.length, 0)
    machine.cancel(first!)
    assert.strictEqual(machine.state.keys.size, 0)
  })

  it("those who are too many are refused also when they have units for later: these go back", () => {
    const machine = new Machine({ limit: 1, interval: 5, burst: 3, backlog: 1 })
    machine.state.latency = 4
    const all = machine.wait("a", 3, 1, 1, 1)
    machine.answer()
    machine.answer()
    assert.deepStrictEqual(kinds(all), ["granted", undefined, "full", "full"])
    assert.deepStrictEqual([machine.key("a").slots.map(({ at }) => at), machine.back], [[5], 2])
    machine.comeToRest()
  })

  it("a line that is known to wait is bounded by the backlog, whatever has come in before", () => {
    const machine = new Machine({ limit: 1, interval: 10, backlog: 2 })
    machine.ask("a", 1)
    machine.answer(no())
    assert.notInstanceOf(machine.ask("a", 1), RateLimited)
    // 10 until the first, and an interval for each that is ahead.
    assert.strictEqual((machine.ask("a", 1) as RateLimited).retryAfter, 30)
    machine.advance(10)
    // It asks again: it may go now, so there may be a place.
    const third = machine.ask("a", 1) as Waiter
    assert.notInstanceOf(third, RateLimited)
    assert.instanceOf(machine.ask("a", 1), RateLimited)
    machine.answer(yes(), no())
    assert.isFalse(third.settled)
    assert.deepStrictEqual(core.stats(machine.state), { keys: 1, waiting: 2 })
  })

  it("with no backlog: now or not at all, each by himself", () => {
    const machine = new Machine({ limit: 4, interval: 10, backlog: 0 })
    const all = machine.wait("a", 3, 3, 1)
    machine.answer(no({ remaining: 2, retryAfter: 4 }))
    machine.answer(no({ remaining: 2, retryAfter: 4 }), yes())
    assert.deepStrictEqual(kinds(all), ["full", "full", "granted"])
    const { error } = all[1]!.result as { readonly error: RateLimited }
    assert.deepStrictEqual([error._tag, error.key, error.retryAfter], ["RateLimited", "a", 4])
  })

  it("retryAfter counts who is ahead, as the rate has it", () => {
    for (const [options, retryAfter] of [
      [{ limit: 2, interval: 10 }, 5 + 10],
      [{ limit: 2, interval: 10, burst: 3 }, 5 + 10]
    ] as const) {
      const machine = new Machine(options)
      machine.ask("a", 1)
      machine.answer(no({ retryAfter: 8, resetAfter: 20 }))
      machine.ask("a", 1)
      machine.advance(3)
      assert.deepStrictEqual(machine.ask("a", 1, true), { allowed: false, remaining: 0, retryAfter, resetAfter: 17 })
      machine.advance(6)
      assert.strictEqual((machine.ask("a", 1, true) as rate.Decision).retryAfter, retryAfter - 3)
    }
    const machine = new Machine({ limit: 2, interval: 10, burst: 3, backlog: 0 })
    const all = [1, 1, 1, 2].map((cost) => machine.ask("a", cost))
    // Nobody has been refused yet: three at once, and two more at their rate.
    assert.strictEqual((all[3] as RateLimited).retryAfter, 10)
  })

  describe("who only tries", () => {
    it("takes his turn in line, and does not wait for more", () => {
      const machine = new Machine({ limit: 2, interval: 10 })
      const first = machine.ask("a", 1) as Waiter
      const tries = machine.ask("a", 2, true) as Waiter
      const next = machine.ask("a", 1) as Waiter
      assert.deepStrictEqual(core.stats(machine.state), { keys: 1, waiting: 2 })
      machine.answer()
      assert.strictEqual(first.result!.kind, "granted")
      machine.answer()
      assert.deepStrictEqual(tries.result, {
        kind: "refused",
        decision: { allowed: false, remaining: 1, retryAfter: 10, resetAfter: 10 }
      })
      assert.strictEqual(next.result!.kind, "granted")
      assert.strictEqual(machine.questions, 2)
    })

    it("is refused without a question, once it is known that somebody waits", () => {
      const machine = new Machine({ limit: 1, interval: 10 })
      machine.ask("a", 1)
      const tries = [machine.ask("a", 1, true), machine.ask("a", 1), machine.ask("a", 1, true)] as Array<Waiter>
      machine.answer(no())
      assert.deepStrictEqual(
        tries.map(({ result }) => (result as { decision?: rate.Decision } | undefined)?.decision?.retryAfter),
        [20, undefined, 30]
      )
      assert.strictEqual((machine.ask("a", 1, true) as rate.Decision).retryAfter, 30)
      assert.strictEqual(machine.asked.length, 0)
    })

    it("is refused without a question when there are as many as fit into one, or a burst: I4", () => {
      for (const [limit, most] of [
        [5, 1000],
        [2000, 2000]
      ] as const) {
        const machine = new Machine({ limit, interval: 10 })
        const all = Array.from({ length: most + 5 }, () => machine.ask("a", 1, true))
        assert.isTrue(all.slice(0, most).every((each) => each instanceof Waiter))
        for (const refused of all.slice(most)) {
          // Those in front want all that there can be at once, or more of it.
          const retryAfter = Math.ceil((most + 1) / limit) * 10 - 10
          assert.deepStrictEqual(refused, { allowed: false, remaining: 0, retryAfter, resetAfter: retryAfter })
        }
        // Who waits is not refused for that, and neither is the next when there is room again.
        assert.instanceOf(machine.ask("a", 1), Waiter)
        machine.answer(no())
        assert.instanceOf(machine.ask("a", 1, true), Waiter)
        machine.comeToRest()
      }
    })
  })

  describe("an answer", () => {
    it("for one who has gone goes to the next, as far as it is enough, and what is left is given back", () => {
      const machine = new Machine({ limit: 5, interval: 10 })
      const [gone, next, after] = machine.wait("a", 3, 2, 2)
      machine.cancel(gone!)
      machine.answer()
      assert.strictEqual(next!.result!.kind, "granted")
      assert.isFalse(after!.settled)
      assert.deepStrictEqual([machine.taken, machine.had, machine.back], [3, 2, 1])
      machine.return()
      machine.answer()
      machine.comeToRest()
      assert.strictEqual(machine.usage("a").remaining(machine.now), 1)
    })

    it("for one who has gone, that refuses, is for the next who wants as much or more, and for no other", () => {
      for (const cost of [3, 2, 1]) {
        const machine = new Machine({ limit: 5, interval: 10 })
        const [gone] = machine.wait("a", 2, cost)
        machine.cancel(gone!)
        machine.answer(no())
        assert.strictEqual(machine.asked.length, cost >= 2 ? 0 : 1)
      }
    })

    it("when everybody has gone is given back, and the key is forgotten", () => {
      const machine = new Machine({ limit: 5, interval: 10 })
      machine.cancel(machine.ask("a", 3) as Waiter)
      assert.deepStrictEqual(core.stats(machine.state), { keys: 1, waiting: 0 })
      machine.answer()
      assert.deepStrictEqual([machine.had, machine.back, machine.state.keys.size], [0, 3, 0])
    })

    it("from before something was given back lets nobody sleep: I5", () => {
      const machine = new Machine({ limit: 1, interval: 10 })
      const [had] = machine.wait("a", 1)
      machine.answer()
      const [waits] = machine.wait("a", 1)
      machine.decide(machine.asked[0]!)
      machine.cancel(had!)
      machine.return()
      machine.answer()
      // It asks again, and has it.
      machine.answer()
      assert.strictEqual(waits!.result!.kind, "granted")
    })

    it("that lets the first sleep is forgotten when something is given back: I5", () => {
      const machine = new Machine({ limit: 1, interval: 10 })
      const [had] = machine.wait("a", 1)
      machine.answer()
      const [waits] = machine.wait("a", 1)
      machine.answer()
      machine.cancel(had!)
      assert.strictEqual(machine.asked.length, 0)
      machine.return()
      machine.answer()
      assert.strictEqual(waits!.result!.kind, "granted")
      assert.strictEqual(machine.now, 0)
    })

    it("that is none is refused", () => {
      const asks = [
        { cost: 1, tries: true },
        { cost: 1, tries: false }
      ]
      for (const good of [
        [no(), yes()],
        [yes(), no()],
        [no(), no()]
      ])
        assert.strictEqual(core.checkAnswers(asks, good), good)
      const waits = [asks[1]!, asks[0]!]
      assert.strictEqual(core.checkAnswers(waits, [no()]).length, 1)
      const refused = (bad: unknown, kind: typeof TypeError, message: RegExp) => {
        try {
          core.checkAnswers(asks, bad as ReadonlyArray<core.Answer>)
          assert.fail("it was not refused")
        } catch (error) {
          assert.instanceOf(error, kind)
          assert.match(String(error), message)
        }
      }
      const decision = (bad: unknown) => [bad, yes()]
      refused(undefined, TypeError, /RateLimiter.Store: answer must be an array of decisions, got undefined/)
      refused(yes(), TypeError, /answer must be an array/)
      for (const few of [[], [yes()], [no()], [yes(), yes(), yes()]])
        refused(few, RangeError, /answer must be 2 decisions, or fewer that end with a refusal, got \d/)
      refused(decision(null), TypeError, /decision must be an object/)
      refused(decision("OK"), TypeError, /decision must be an object, got "OK"/)
      refused(decision({ ...yes(), allowed: 1 }), TypeError, /RateLimiter.Store: allowed must be true or false, got 1/)
      refused(
        decision(yes({ retryAfter: NaN })),
        RangeError,
        /retryAfter must be a finite number of 0 or more, got NaN/
      )
      refused(decision(yes({ resetAfter: -1 })), RangeError, /resetAfter/)
      refused(decision(yes({ delay: Infinity })), RangeError, /delay/)
      refused(
        decision({ allowed: true, delay: 0, retryAfter: 0, resetAfter: 0 }),
        TypeError,
        /remaining.*got undefined/
      )
    })
  })

  describe("a failure", () => {
    it("is of those who were asked for, and of nobody when they have gone; the next are asked for: I6", () => {
      const machine = new Machine({ limit: 5, interval: 10 })
      const [first, second, third] = machine.wait("a", 1, 1, 3)
      machine.answer()
      assert.deepStrictEqual(costsOf(machine.asked[0]!), [1, 3])
      const [fourth] = machine.wait("a", 1)
      machine.cancel(second!)
      assert.isFalse(machine.fail("down"))
      assert.strictEqual(first!.result!.kind, "granted")
      assert.deepStrictEqual(third!.result, { kind: "failed", failure: "down" })
      assert.deepStrictEqual(costsOf(machine.asked[0]!), [1])
      machine.cancel(fourth!)
      assert.isTrue(machine.fail("down"))
      assert.strictEqual(machine.state.keys.size, 0)
    })

    it("is not of those who have had units meanwhile, from one who has gone: I6", () => {
      const machine = new Machine({ limit: 1, interval: 5, burst: 1 })
      machine.state.latency = 4
      const [, second, third] = machine.wait("a", 1, 1)
      machine.answer()
      machine.answer()
      const [late] = machine.wait("a", 1)
      assert.isUndefined(third)
      machine.cancel(second!)
      assert.isTrue(machine.fail("down"))
      machine.comeToRest()
      assert.strictEqual(late!.result!.kind, "granted")
    })

    it("of a place that was taken for later is heard by who waits for it; by nobody, when nobody does", () => {
      for (const waits of [true, false]) {
        const machine = new Machine({ limit: 1, interval: 10 })
        const place = core.place()
        machine.ask("a", 1, false, place)
        machine.answer(no())
        assert.isTrue(place.known.isSet)
        if (waits) event.enqueue(place.over, new TestTicket<undefined, undefined>(undefined, 0))
        machine.advance(10)
        assert.strictEqual(machine.fail("down"), !waits)
        assert.strictEqual(machine.state.keys.size, 0)
      }
      // Who still waits to hear of his place hears of this.
      const machine = new Machine({ limit: 1, interval: 10 })
      machine.ask("a", 1, false, core.place())
      assert.isFalse(machine.fail("down"))
    })
  })

  describe("when the first, who sleeps, has gone", () => {
    it("the next is asked for at once if he wants less, and else when the first would have been", () => {
      for (const cost of [1, 2, 3]) {
        const machine = new Machine({ limit: 5, interval: 10 })
        const [first] = machine.wait("a", 2)
        machine.answer(no())
        machine.ask("a", cost)
        machine.cancel(first!)
        assert.strictEqual(machine.asked.length, cost < 2 ? 1 : 0)
        assert.strictEqual(core.wakeAt(machine.state, machine.key("a")), cost < 2 ? Infinity : 10)
      }
    })

    it("a line of 1,000 that is given up one after the other asks nothing", () => {
      const machine = new Machine({ limit: 1, interval: 10 })
      const all = machine.wait("a", ...Array<number>(1000).fill(1))
      machine.answer(no())
      for (const ticket of all) machine.cancel(ticket)
      assert.strictEqual(machine.questions, 1)
      assert.strictEqual(machine.state.keys.size, 0)
    })
  })

  it("who takes a place for later is told when it is known that he waits, and for how long", () => {
    const machine = new Machine({ limit: 1, interval: 10 })
    const places = [core.place(), core.place(), core.place()]
    machine.ask("a", 1, false, places[0])
    machine.ask("a", 1, false, places[1])
    assert.isFalse(places[0]!.known.isSet)
    machine.answer(no({ retryAfter: 4 }))
    machine.advance(1)
    // When it is known already, at once.
    machine.ask("a", 1, false, places[2])
    assert.deepStrictEqual(
      places.map(({ delay, known }) => [known.isSet, delay]),
      [
        [true, 4],
        [true, 14],
        [true, 23]
      ]
    )
  })

  it("who has units for later is told just when they come", () => {
    const machine = new Machine({ limit: 1, interval: 5, burst: 2 })
    machine.state.latency = 4
    machine.wait("a", 2)
    const places = [core.place(), core.place()]
    machine.ask("a", 2, false, places[0])
    machine.ask("a", 1, false, places[1])
    machine.answer()
    machine.now = 1
    machine.answer()
    assert.deepStrictEqual(
      places.map(({ delay }) => delay),
      [9, 14]
    )
  })

  it("a line of 100,000 costs the same a request, whatever is given up", () => {
    const machine = new Machine({ limit: 1000, interval: 10 })
    for (let i = 0; i < 100_000; i++) {
      const ticket = new Waiter({ key: machine.key("a"), cost: 1 }, 0)
      machine.proceed(ticket.request.key, core.enqueue(machine.state, ticket, 0))
    }
    machine.end = () => {}
    machine.check = () => {}
    for (let rounds = 0; rounds < 100; rounds++) {
      while (machine.asked.length > 0) machine.answer()
      machine.advance(machine.now + 10)
    }
    assert.strictEqual(machine.state.keys.size, 0)
    // Two an interval: one takes it all, and is full; the other is told when there is more.
    assert.isAtMost(machine.questions, 202)
  })
})

describe("check finds what does not hold", () => {
  /** Two in line: of whom nothing is known yet, or who wait. */
  const broken = (
    kind: "undecided" | "waiting",
    change: (key: any, tickets: ReadonlyArray<any>, state: any) => void
  ) => {
    const state = core.fromOptions("test", { limit: 2, interval: 10, backlog: 2 })
    const key = new Key("a")
    state.keys.set("a", key)
    if (kind === "waiting") key.refusal = { cost: 1, at: 10, askAt: 10 }
    const tickets = [1, 1].map((cost) => new Waiter({ key, cost }, 0))
    for (const ticket of tickets) core.enqueue(state, ticket, 0)
    core.check(state)
    change(key, tickets, state)
    let message = "nothing"
    try {
      core.check(state)
    } catch (error) {
      message = (error as Error).message
    }
    return message
  }
  const found = (kind: "undecided" | "waiting", message: string, change: Parameters<typeof broken>[1]) =>
    assert.strictEqual(broken(kind, change), message)
  /** All have units, in these slots. */
  const have = (
    key: any,
    tickets: ReadonlyArray<any>,
    ...slots: ReadonlyArray<readonly [cost: number, at: number]>
  ) => {
    for (const { request } of tickets) request.hasUnits = true
    key.open = undefined
    key.wanted = 0
    for (const [cost, at] of slots) key.slots.push({ cost, at, grant: undefined })
  }

  it("I1: somebody who is never asked for, and a line that says that it is longer than it is", () => {
    found("undecided", "I1: 2 have no units, and the next question is due at Infinity", (key) => {
      key.open = undefined
    })
    for (const kind of ["undecided", "waiting"] as const) {
      found(kind, "I1: size 3, but 2 tickets", (key) => key[kind].size++)
    }
  })

  it("I2: sums that are wrong, and who is in line for another key", () => {
    found("undecided", "I2: 2 units are wanted, not 3", (key) => key.wanted++)
    found("undecided", "I2: 0 only try, not 1", (key) => key.tries++)
    found("undecided", "I2: somebody is in line for another key", (_, [, second]) => {
      second.request.key = new Key("b")
    })
  })

  it("I3: units that are not those of the first in line, or not in order", () => {
    found("undecided", "I3: the first without units is another", (key, [, second]) => (key.open = second))
    found("undecided", "I3: somebody has units who is not among the first", (key, [, second]) => {
      second.request.hasUnits = true
      key.wanted = 1
    })
    found("undecided", "I3: the slots have 1 units", (key) => key.slots.push({ cost: 1, at: 0 }))
    found("undecided", "I3: the slots are not in order", (key, all) => have(key, all, [1, 5], [1, 4]))
    found("undecided", "I3: the slots are not in order", (key, all) => have(key, all, [0, 1], [2, 2]))
    found("waiting", "nothing", (key, all) => {
      have(key, all, [1, 5], [1, 5])
      key.refusal = undefined
    })
  })

  it("I4: more than may be there", () => {
    found("waiting", "I4: 2 wait", (_, __, state) => (state.backlog = 1))
    found("undecided", "I4: 2 can come to wait", (_, __, state) => {
      state.backlog = 1
      state.rate = { ...state.rate, burst: 0 }
    })
    for (const [n, message] of [
      [1000, "nothing"],
      [1001, "I4: 1001 only try"]
    ] as const) {
      found("undecided", message, (key, _, state) => {
        for (let i = 0; i < n; i++) core.enqueue(state, new Waiter({ key, cost: 1, tries: true }, 0), 0)
      })
    }
  })

  it("I5: who only tries and waits, a refusal of nobody, and somebody who does not know that he waits", () => {
    found("waiting", "I5: who only tries waits", (key, [, second]) => {
      second.request.tries = true
      key.tries = 1
    })
    found("waiting", "I5: a refusal of nobody", (key, all) => have(key, all, [2, 5]))
    found("undecided", "I5: somebody waits, and somebody does not know that he has to", (key) => {
      key.refusal = { cost: 1, at: 10, askAt: 10 }
    })
  })
})
