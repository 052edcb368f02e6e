import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import * as event from "../../src/core/event.js"
import * as rate from "../../src/core/rate.js"
import { RateLimited } from "../../src/core/rateLimiter.js"
import * as core from "../../src/core/rateStore.js"
import type { Chain } from "../../src/core/ticket.js"
import { TestTicket, ticketsOf } from "../utils/tickets.js"

class Key extends core.Key {
  fire(): void {}
}

class Waiter extends TestTicket<core.Request, core.Outcome> {}

const answer = (allowed: boolean, rest: Partial<core.Answer> = {}): core.Answer => ({
  allowed,
  remaining: 0,
  retryAfter: allowed ? 0 : 10,
  resetAfter: 10,
  ...rest
})

interface Asked {
  readonly key: core.Key
  readonly question: core.Question
  /** What the store has decided, once it has. */
  decided: ReturnType<typeof rate.decide> | undefined
}

/** The core as a limiter on a clock uses it, over a store that is as slow as the test wants it to be. */
class Machine {
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
    if (key.wakeAt <= this.now) this.proceed(key, undefined)
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

  proceed(key: core.Key, chain: Chain): void {
    const question = core.due(key, this.now)
    if (core.isIdle(key)) this.state.keys.delete(key.name)
    for (const ticket of ticketsOf(chain)) if (ticket instanceof Waiter) this.end(ticket)
    if (question === undefined) return
    assert.isFalse(
      this.asked.some((asked) => asked.key === key),
      "two questions are in flight"
    )
    this.questions++
    this.asked.push({ key, question, decided: undefined })
  }

  end(ticket: Waiter): void {
    const { cost, key } = ticket.request
    if (ticket.result!.kind === "granted") {
      // I3.
      assert.strictEqual(
        ticket,
        this.line.find(({ request }) => request.key === key),
        "somebody was overtaken"
      )
      this.had += cost
    }
    this.line.splice(this.line.indexOf(ticket), 1)
    this.ended.push(ticket)
  }

  /** The store decides; the answer is on its way. */
  decide(asked: Asked): rate.Decision {
    asked.decided ??= rate.decide(this.usage(asked.key.name), this.now, asked.question.cost, undefined)
    return asked.decided.decision
  }

  /** The answer, the store's own or one of the test's, arrives. */
  answer(asked: Asked, given?: core.Answer): void {
    const { key, question } = asked
    this.asked.splice(this.asked.indexOf(asked), 1)
    const decision = given ?? this.decide(asked)
    const grant = asked.decided?.grant
    if (decision.allowed) this.taken += question.cost
    const { chain, left } = core.answered(this.state, key, { ...decision, grant }, this.now)
    if (left > 0) this.giveBack(key.name, left, grant)
    this.proceed(key, chain)
  }

  fail(asked: Asked, failure: unknown): boolean {
    this.asked.splice(this.asked.indexOf(asked), 1)
    const chain = core.failed(asked.key, failure, this.now)
    this.proceed(asked.key, chain)
    return chain !== undefined
  }

  private giveBack(name: string, cost: number, grant: rate.Grant | undefined): void {
    this.back += cost
    this.returning.push(() => {
      if (grant !== undefined) this.usage(name).giveBack(this.now, { ...grant, cost })
      const key = this.state.keys.get(name)
      if (key === undefined) return
      core.returned(key, this.now)
      this.proceed(key, undefined)
    })
  }

  return(index = 0): void {
    this.returning.splice(index, 1)[0]!()
  }

  cancel(ticket: Waiter): void {
    const { cost, key } = ticket.request
    const wasIn = !ticket.settled
    const granted = core.cancel(ticket, this.now)
    if (wasIn) {
      this.line.splice(this.line.indexOf(ticket), 1)
      this.proceed(key, undefined)
    } else {
      this.ended.splice(this.ended.indexOf(ticket), 1)
      if (granted === undefined) return
      this.had -= cost
      if (cost > 0) this.giveBack(key.name, cost, granted.grant as rate.Grant | undefined)
    }
  }

  /** Time goes on, and stops where a key asks for it. */
  advance(until: number): void {
    for (;;) {
      const first = [...this.state.keys.values()].reduce<core.Key | undefined>(
        (first, key) => (key.wakeAt < (first?.wakeAt ?? Infinity) ? key : first),
        undefined
      )
      if (first === undefined || first.wakeAt > until) break
      this.now = Math.max(this.now, first.wakeAt)
      this.proceed(first, undefined)
      this.check()
    }
    this.now = until
  }

  check(): void {
    core.check(this.state)
    for (const { request } of this.line) assert.strictEqual(this.state.keys.get(request.key.name), request.key)
    // Nothing is lost, and nothing there twice: what was granted is somebody's, or went back.
    assert.strictEqual(this.taken, this.had + this.back)
    for (const key of this.state.keys.values()) assert.isFalse(core.isIdle(key), "a key is kept that nobody needs")
  }

  /** Everything in flight arrives, until nothing is. */
  atRest(): void {
    for (let steps = 0; this.line.length + this.asked.length + this.returning.length > 0; steps++) {
      assert.isBelow(steps, 10_000, "it never comes to rest")
      if (this.returning.length > 0) this.return()
      else if (this.asked.length > 0) this.answer(this.asked[0]!)
      else this.advance(this.now + 1)
      this.check()
    }
    assert.strictEqual(this.state.keys.size, 0)
  }
}

const command = (kind: string, cost: fc.Arbitrary<number>) =>
  fc.record({ kind: fc.constant(kind), n: fc.nat({ max: 100 }), cost })

const commands = fc.array(
  fc.oneof(
    command("ask", fc.nat({ max: 5 })),
    command("ask", fc.constant(1)),
    command("try", fc.constantFrom(1, 1, 2, 3)),
    command("cancel", fc.constant(0)),
    command("decide", fc.constant(0)),
    command("answer", fc.constant(0)),
    command("answer", fc.constant(0)),
    command("return", fc.constant(0)),
    command("fail", fc.constant(0)),
    command("advance", fc.constant(0))
  ),
  { maxLength: 80 }
)

const anyOptions = fc.record({
  limit: fc.integer({ min: 1, max: 5 }),
  interval: fc.integer({ min: 1, max: 12 }),
  burst: fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined }),
  backlog: fc.option(fc.nat({ max: 6 }), { nil: undefined, freq: 3 })
})

describe("the line at a store", () => {
  it("whatever is asked, given up, answered late and failed: I1, I2, I3, I4, I5, I6; and it comes to rest", () =>
    fc.assert(
      fc.property(anyOptions, commands, (options, commands) => {
        const machine = new Machine(options)
        const { burst } = machine.state.rate
        for (const { cost, kind, n } of commands) {
          const name = ["a", "b"][n % 2]!
          const asked = machine.asked[n % Math.max(1, machine.asked.length)]
          if (kind === "ask") machine.ask(name, cost % (burst + 1))
          else if (kind === "try") machine.ask(name, Math.min(cost, burst), true)
          else if (kind === "advance") machine.advance(machine.now + (n % 9))
          else if (kind === "return") {
            if (machine.returning.length > 0) machine.return(n % machine.returning.length)
          } else if (kind === "cancel") {
            const all = [...machine.line, ...machine.ended]
            if (all.length > 0) machine.cancel(all[n % all.length]!)
          } else if (asked !== undefined) {
            if (kind === "decide") machine.decide(asked)
            else if (kind === "answer") machine.answer(asked)
            else if (asked.decided === undefined) machine.fail(asked, "down")
          }
          machine.check()
        }
        machine.atRest()
        for (const name of ["a", "b"]) machine.usage(name).check(machine.now)
      }),
      { numRuns: 1000 }
    ))

  it("what there is to be had takes two questions, however many want it: I1", () => {
    const machine = new Machine({ limit: 100, interval: 10 })
    const all = Array.from({ length: 100 }, () => machine.ask("a", 1) as Waiter)
    assert.strictEqual(machine.asked[0]!.question.cost, 1)
    machine.answer(machine.asked[0]!)
    assert.strictEqual(machine.asked[0]!.question.cost, 99)
    machine.answer(machine.asked[0]!)
    assert.strictEqual(machine.questions, 2)
    // Each is told what was left after him.
    assert.deepStrictEqual(
      all.map(({ result }) => (result as { decision: rate.Decision }).decision.remaining),
      Array.from({ length: 100 }, (_, n) => 99 - n)
    )
  })

  it("no more is asked for at once than is left, nor than a burst, and the first alone when nobody knows", () => {
    const machine = new Machine({ limit: 5, interval: 10 })
    for (const cost of [1, 2, 3, 1]) machine.ask("a", cost)
    machine.answer(machine.asked[0]!, answer(true, { remaining: 4 }))
    // The three do not fit beside the two, and the one does not overtake them.
    assert.strictEqual(machine.asked[0]!.question.cost, 2)
    machine.answer(machine.asked[0]!, answer(true, { remaining: 100 }))
    assert.strictEqual(machine.asked[0]!.question.cost, 4)
    machine.ask("a", 5)
    machine.ask("a", 1)
    machine.answer(machine.asked[0]!, answer(true, { remaining: 100 }))
    assert.strictEqual(machine.asked[0]!.question.cost, 5)
  })

  it("several that were too much at once are asked for one by one again", () => {
    const machine = new Machine({ limit: 5, interval: 10 })
    const all = [1, 1, 1].map((cost) => machine.ask("a", cost) as Waiter)
    machine.answer(machine.asked[0]!, answer(true, { remaining: 4 }))
    assert.strictEqual(machine.asked[0]!.question.cost, 2)
    // Somebody elsewhere was faster. Nobody sleeps on that, for it is no answer about the first.
    machine.answer(machine.asked[0]!, answer(false, { remaining: 1 }))
    assert.strictEqual(machine.asked[0]!.question.cost, 1)
    machine.answer(machine.asked[0]!, answer(true))
    assert.deepStrictEqual(
      all.map(({ settled }) => settled),
      [true, true, false]
    )
  })

  it("the first sleeps for as long as it was told, and asks again; one that is told nothing is not asked without end", () => {
    const machine = new Machine({ limit: 1, interval: 10 })
    const waiter = machine.ask("a", 1) as Waiter
    machine.answer(machine.asked[0]!, answer(false, { retryAfter: 2.5 }))
    assert.strictEqual(machine.key("a").wakeAt, 2.5)
    machine.advance(2.4)
    assert.strictEqual(machine.asked.length, 0)
    machine.advance(2.5)
    machine.answer(machine.asked[0]!, answer(false, { retryAfter: 0 }))
    assert.strictEqual(machine.key("a").wakeAt, 3.5)
    machine.advance(3.5)
    machine.answer(machine.asked[0]!, answer(true))
    assert.strictEqual(waiter.result!.kind, "granted")
    assert.strictEqual(machine.state.keys.size, 0)
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
    machine.answer(machine.asked[0]!, answer(false, { retryAfter: 7 }))
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

  it("a line that is known to wait is bounded by the backlog, whatever has come in before", () => {
    const machine = new Machine({ limit: 1, interval: 10, backlog: 2 })
    machine.ask("a", 1)
    machine.answer(machine.asked[0]!, answer(false))
    assert.notInstanceOf(machine.ask("a", 1), RateLimited)
    // 10 until the first, and an interval for each that is ahead.
    assert.strictEqual((machine.ask("a", 1) as RateLimited).retryAfter, 30)
    machine.advance(10)
    // It asks again: it may go now, so there may be a place.
    const third = machine.ask("a", 1) as Waiter
    assert.notInstanceOf(third, RateLimited)
    assert.instanceOf(machine.ask("a", 1), RateLimited)
    machine.answer(machine.asked[0]!, answer(true))
    machine.answer(machine.asked[0]!, answer(false))
    assert.isFalse(third.settled)
    assert.deepStrictEqual(core.stats(machine.state), { keys: 1, waiting: 2 })
  })

  it("with no backlog: now or not at all, each by himself", () => {
    const machine = new Machine({ limit: 4, interval: 10, backlog: 0 })
    const [large, as, small] = [3, 3, 1].map((cost) => machine.ask("a", cost) as Waiter)
    machine.answer(machine.asked[0]!, answer(false, { remaining: 2, retryAfter: 4 }))
    // Who wants as much is refused by the same answer; who wants less is asked for.
    for (const ticket of [large!, as!]) {
      const { error } = ticket.result as { readonly error: RateLimited }
      assert.deepStrictEqual([error._tag, error.key, error.retryAfter], ["RateLimited", "a", 4])
    }
    assert.strictEqual(machine.asked[0]!.question.cost, 1)
    machine.answer(machine.asked[0]!, answer(true))
    assert.strictEqual(small!.result!.kind, "granted")
  })

  it("retryAfter counts who is ahead, as the rate has it", () => {
    for (const [options, retryAfter] of [
      [{ limit: 2, interval: 10 }, 5 + 10],
      [{ limit: 2, interval: 10, burst: 3 }, 5 + 10]
    ] as const) {
      const machine = new Machine(options)
      machine.ask("a", 1)
      machine.answer(machine.asked[0]!, answer(false, { retryAfter: 8, resetAfter: 20 }))
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
      machine.answer(machine.asked[0]!)
      assert.strictEqual(first.result!.kind, "granted")
      assert.strictEqual(machine.asked[0]!.question.cost, 2)
      machine.answer(machine.asked[0]!)
      assert.deepStrictEqual(tries.result, {
        kind: "refused",
        decision: { allowed: false, remaining: 1, retryAfter: 10, resetAfter: 10 }
      })
      machine.answer(machine.asked[0]!)
      assert.strictEqual(next.result!.kind, "granted")
    })

    it("is refused without a question, once it is known that somebody waits", () => {
      const machine = new Machine({ limit: 1, interval: 10 })
      machine.ask("a", 1)
      const tries = [machine.ask("a", 1, true), machine.ask("a", 1), machine.ask("a", 1, true)] as Array<Waiter>
      machine.answer(machine.asked[0]!, answer(false))
      assert.deepStrictEqual(
        tries.map(({ result }) => (result as { decision?: rate.Decision } | undefined)?.decision?.retryAfter),
        [20, undefined, 30]
      )
      assert.strictEqual((machine.ask("a", 1, true) as rate.Decision).retryAfter, 30)
      assert.strictEqual(machine.asked.length, 0)
    })

    it("is refused by an answer to one in front who wanted as much, and asked for when he wants something else", () => {
      const machine = new Machine({ limit: 3, interval: 10 })
      const all = [2, 2, 2, 1, 1].map((cost) => machine.ask("a", cost, true) as Waiter)
      machine.answer(machine.asked[0]!, answer(false, { remaining: 1, retryAfter: 6 }))
      assert.deepStrictEqual(
        all.map(({ result }) => result?.kind),
        ["refused", "refused", "refused", undefined, undefined]
      )
      machine.answer(machine.asked[0]!, answer(true))
      assert.strictEqual(machine.asked[0]!.question.cost, 1)
      machine.answer(machine.asked[0]!, answer(false))
      assert.strictEqual(machine.questions, 3)
      assert.strictEqual(machine.state.keys.size, 0)
    })
  })

  describe("an answer", () => {
    it("for one who has gone goes to the next, as far as it is enough, and what is left is given back: I6", () => {
      const machine = new Machine({ limit: 5, interval: 10 })
      const [gone, next, after] = [3, 2, 2].map((cost) => machine.ask("a", cost) as Waiter)
      machine.cancel(gone!)
      machine.answer(machine.asked[0]!)
      assert.strictEqual(next!.result!.kind, "granted")
      assert.isFalse(after!.settled)
      assert.deepStrictEqual([machine.taken, machine.had, machine.back], [3, 2, 1])
      machine.return()
      machine.answer(machine.asked[0]!)
      machine.atRest()
      assert.strictEqual(machine.usage("a").remaining(machine.now), 1)
    })

    it("for one who has gone, that refuses, is for the next who wants as much, and for no other", () => {
      for (const cost of [2, 1]) {
        const machine = new Machine({ limit: 5, interval: 10 })
        const gone = machine.ask("a", 2) as Waiter
        machine.ask("a", cost)
        machine.cancel(gone)
        machine.answer(machine.asked[0]!, answer(false))
        assert.strictEqual(machine.asked.length, cost === 2 ? 0 : 1)
      }
    })

    it("when everybody has gone is given back, and the key is forgotten", () => {
      const machine = new Machine({ limit: 5, interval: 10 })
      machine.cancel(machine.ask("a", 3) as Waiter)
      assert.deepStrictEqual(core.stats(machine.state), { keys: 1, waiting: 0 })
      machine.answer(machine.asked[0]!)
      assert.deepStrictEqual([machine.had, machine.back, machine.state.keys.size], [0, 3, 0])
    })

    it("from before something was given back lets nobody sleep: I5", () => {
      const machine = new Machine({ limit: 1, interval: 10 })
      const had = machine.ask("a", 1) as Waiter
      machine.answer(machine.asked[0]!)
      const waits = machine.ask("a", 1) as Waiter
      machine.decide(machine.asked[0]!)
      machine.cancel(had)
      machine.return()
      machine.answer(machine.asked[0]!)
      // It asks again, and has it.
      machine.answer(machine.asked[0]!)
      assert.strictEqual(waits.result!.kind, "granted")
    })

    it("that lets the first sleep is forgotten when something is given back: I5", () => {
      const machine = new Machine({ limit: 1, interval: 10 })
      const had = machine.ask("a", 1) as Waiter
      machine.answer(machine.asked[0]!)
      const waits = machine.ask("a", 1) as Waiter
      machine.answer(machine.asked[0]!)
      machine.cancel(had)
      assert.strictEqual(machine.asked.length, 0)
      machine.return()
      machine.answer(machine.asked[0]!)
      assert.strictEqual(waits.result!.kind, "granted")
      assert.strictEqual(machine.now, 0)
    })

    it("that is none is refused", () => {
      const good = answer(true)
      assert.strictEqual(core.checkAnswer(good), good)
      const refused = (bad: unknown, kind: typeof TypeError, message: RegExp) => {
        try {
          core.checkAnswer(bad as core.Answer)
          assert.fail("it was not refused")
        } catch (error) {
          assert.instanceOf(error, kind)
          assert.match(String(error), message)
        }
      }
      refused(undefined, TypeError, /RateLimiter.Store: decision must be an object, got undefined/)
      refused(null, TypeError, /decision/)
      refused("OK", TypeError, /decision must be an object, got "OK"/)
      refused({ ...good, allowed: 1 }, TypeError, /RateLimiter.Store: allowed must be true or false, got 1/)
      refused({ ...good, retryAfter: NaN }, RangeError, /retryAfter must be a finite number of 0 or more, got NaN/)
      refused({ ...good, resetAfter: -1 }, RangeError, /resetAfter/)
      refused({ ...good, retryAfter: Infinity }, RangeError, /retryAfter/)
      refused({ allowed: true, retryAfter: 0, resetAfter: 0 }, TypeError, /remaining.*got undefined/)
    })
  })

  it("a failure is of those who were asked for, and of nobody when they have gone; the next are asked for: I6", () => {
    const machine = new Machine({ limit: 5, interval: 10 })
    const [first, second, third, fourth] = [1, 1, 3, 1].map((cost) => machine.ask("a", cost) as Waiter)
    machine.answer(machine.asked[0]!)
    assert.strictEqual(machine.asked[0]!.question.cost, 4)
    machine.cancel(second!)
    assert.isTrue(machine.fail(machine.asked[0]!, "down"))
    assert.strictEqual(first!.result!.kind, "granted")
    assert.deepStrictEqual(third!.result, { kind: "failed", failure: "down" })
    assert.strictEqual(machine.asked[0]!.question.cost, 1)
    machine.cancel(fourth!)
    assert.isFalse(machine.fail(machine.asked[0]!, "down"))
    assert.strictEqual(machine.state.keys.size, 0)
  })

  describe("when the first, who sleeps, has gone", () => {
    it("the next is asked for at once if he wants less, and else when the first would have been", () => {
      for (const cost of [1, 2, 3]) {
        const machine = new Machine({ limit: 5, interval: 10 })
        const first = machine.ask("a", 2) as Waiter
        machine.answer(machine.asked[0]!, answer(false))
        machine.ask("a", cost)
        machine.cancel(first)
        assert.strictEqual(machine.asked.length, cost < 2 ? 1 : 0)
        assert.strictEqual(machine.key("a").wakeAt, cost < 2 ? Infinity : 10)
      }
    })

    it("a line of 1,000 that is given up one after the other asks nothing", () => {
      const machine = new Machine({ limit: 1, interval: 10 })
      const all = Array.from({ length: 1000 }, () => machine.ask("a", 1) as Waiter)
      machine.answer(machine.asked[0]!, answer(false))
      for (const ticket of all) machine.cancel(ticket)
      assert.strictEqual(machine.questions, 1)
      assert.strictEqual(machine.state.keys.size, 0)
    })
  })

  it("who takes a place for later is told when it is known that he waits, and for how long", () => {
    const machine = new Machine({ limit: 1, interval: 10 })
    const place = (): core.Place => ({ known: event.make(), delay: 0 })
    const places = [place(), place(), place()]
    machine.ask("a", 1, false, places[0])
    machine.ask("a", 1, false, places[1])
    assert.isFalse(places[0]!.known.isSet)
    machine.answer(machine.asked[0]!, answer(false, { retryAfter: 4 }))
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

  it("a line of 100,000 costs the same a request, whatever is given up", () => {
    const machine = new Machine({ limit: 1000, interval: 10 })
    for (let i = 0; i < 100_000; i++) {
      const ticket = new Waiter({ key: machine.key("a"), cost: 1 }, 0)
      machine.proceed(ticket.request.key, core.enqueue(machine.state, ticket, 0))
    }
    machine.end = () => {}
    machine.check = () => {}
    for (let rounds = 0; rounds < 100; rounds++) {
      while (machine.asked.length > 0) machine.answer(machine.asked[0]!)
      machine.advance(machine.now + 10)
    }
    assert.strictEqual(machine.state.keys.size, 0)
    // Three an interval: the first, those who fit beside it, and when the next can come.
    assert.isAtMost(machine.questions, 300)
  })
})
