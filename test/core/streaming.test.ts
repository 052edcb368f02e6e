import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import * as core from "../../src/core/streaming.js"
import { ticketsOf, TestTicket } from "../utils/tickets.js"

type State = core.State<number, number>
type Entry = core.Entry<number, number>
type Consumer = TestTicket<undefined, number | typeof core.End | core.Failed>

/** Settles nothing: what a chain holds is told by the tickets themselves. */
const done = (state: State, chain: ReturnType<typeof core.took>) => {
  for (const ticket of ticketsOf(chain)) ticket.previous = ticket.next = undefined
  core.check(state)
}

const consumer = (): Consumer => new TestTicket(undefined, 0)

/**
 * A model: a source of so many items, calls that end in any order, consumers that come and a flow that is stopped at any time. It keeps account
 * of what was asked, started, and handed over.
 */
class Model {
  readonly state: State
  readonly consumers: Array<Consumer> = []
  readonly closers: Array<TestTicket<undefined, typeof core.End | core.Failed>> = []
  readonly running: Array<Entry> = []
  given = 0
  owes = false
  closes = 0
  failed = 0
  closeDue = false

  constructor(
    readonly length: number,
    readonly options: { concurrency: number; buffer: number; ordered: boolean }
  ) {
    this.state = core.make("test", options)
  }

  step(chain: ReturnType<typeof core.took>): void {
    done(this.state, chain)
    for (let work = core.next(this.state); work !== undefined; work = core.next(this.state)) {
      core.check(this.state)
      if (work === core.Ask) {
        assert.isFalse(this.owes || this.closes > 0, "I5")
        this.owes = true
      } else if (work === core.Close) {
        assert.strictEqual(this.running.length, 0, "I5")
        this.closes++
        this.closeDue = true
      } else this.running.push(work)
    }
    core.check(this.state)
  }

  request() {
    const ticket = consumer()
    this.consumers.push(ticket)
    this.step(core.request(this.state, ticket))
  }

  answer(items: number, fails: boolean) {
    if (!this.owes) return
    this.owes = false
    if (fails) {
      this.failed++
      return this.step(core.failSource(this.state, "source"))
    }
    const more = Array.from({ length: Math.min(items, this.length - this.given) }, () => this.given++)
    this.step(more.length === 0 ? core.endSource(this.state) : core.give(this.state, more))
  }

  end(which: number, how: "value" | "skip" | "fail") {
    const [entry] = this.running.splice(which % Math.max(1, this.running.length), 1)
    if (entry === undefined) return
    if (how === "fail") {
      this.failed++
      return this.step(core.fail(this.state, entry, entry.item))
    }
    this.step(core.complete(this.state, entry, how === "skip" ? core.Skip : entry.item))
  }

  leave() {
    const ticket = new TestTicket<undefined, typeof core.End | core.Failed>(undefined, 0)
    this.closers.push(ticket)
    this.step(core.close(this.state, ticket))
  }

  closed() {
    if (!this.closeDue) return
    this.closeDue = false
    this.owes = false
    this.step(core.closed(this.state))
  }

  results(): Array<number> {
    return this.consumers.flatMap(({ result }) => (typeof result === "number" ? [result] : []))
  }

  /** Lets everything end. */
  drain() {
    for (let i = 0; i < 200; i++) {
      this.end(0, "value")
      this.answer(1, false)
      this.closed()
    }
  }
}

const command = fc.oneof(
  { weight: 4, arbitrary: fc.constant(["request"] as const) },
  { weight: 4, arbitrary: fc.tuple(fc.constant("answer" as const), fc.integer({ min: 1, max: 4 })) },
  { weight: 4, arbitrary: fc.tuple(fc.constant("end" as const), fc.nat(5), fc.constantFrom("value", "value", "skip")) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(["fail"] as const, ["failSource"] as const, ["leave"] as const, ["closed"] as const)
  }
)

const play = (model: Model, commands: ReadonlyArray<ReadonlyArray<any>>) => {
  for (const [name, ...args] of commands) {
    if (name === "request") model.request()
    if (name === "answer") model.answer(args[0], false)
    if (name === "end") model.end(args[0], args[1])
    if (name === "fail") model.end(0, "fail")
    if (name === "failSource") model.answer(1, true)
    if (name === "leave") model.leave()
    if (name === "closed") model.closed()
  }
}

const options = fc.record({
  concurrency: fc.integer({ min: 1, max: 4 }),
  buffer: fc.nat(3),
  ordered: fc.boolean()
})

describe("the core of Streaming", () => {
  it("keeps its invariants (I1 to I6) whatever happens, and everybody is told in the end", () => {
    fc.assert(
      fc.property(options, fc.nat(12), fc.array(command, { maxLength: 60 }), (options, length, commands) => {
        const model = new Model(length, options)
        play(model, commands)
        for (let i = 0; i < 20; i++) model.request()
        model.drain()
        const { closers, consumers, state } = model
        assert.isTrue(core.isOver(state), "it ends")
        assert.isTrue(
          [...consumers, ...closers].every(({ settled }) => settled),
          "I4: nobody waits"
        )
        const told = [...consumers, ...closers].flatMap(({ result }) =>
          result instanceof core.Failed ? result.errors : []
        )
        assert.strictEqual(told.length, model.failed, "each failure is told once")
        assert.isAtMost(model.closes, 1, "I5")
        const results = model.results()
        assert.strictEqual(new Set(results).size, results.length, "nothing is given twice")
        if (options.ordered)
          assert.deepStrictEqual(
            results,
            results.toSorted((a, b) => a - b),
            "I6"
          )
      }),
      { numRuns: 3000 }
    )
  })

  it("loses nothing unless it is stopped: all results are handed over", () => {
    fc.assert(
      fc.property(options, fc.nat(12), fc.array(command, { maxLength: 40 }), (options, length, commands) => {
        const model = new Model(length, options)
        play(
          model,
          commands.filter(([name]) => name === "request" || name === "answer")
        )
        for (let i = 0; i < 20; i++) model.request()
        model.drain()
        assert.deepStrictEqual(
          model.results().toSorted((a, b) => a - b),
          Array.from({ length }, (_, i) => i)
        )
      })
    )
  })

  it("I1, I2: starts as many as may run, and asks for one more only when it could be started", () => {
    const model = new Model(100, { concurrency: 2, buffer: 1, ordered: true })
    model.request()
    assert.isTrue(model.owes)
    model.answer(10, false)
    assert.strictEqual(model.running.length, 2)
    assert.isFalse(model.owes, "there are items left")
    model.end(0, "value")
    model.end(0, "value")
    model.end(0, "value")
    model.end(0, "value")
    assert.deepStrictEqual(model.results(), [0])
    assert.strictEqual(model.state.started, 1 + 1 + 1)
    assert.strictEqual(model.running.length, 0)
  })

  it("I3: hands a result over at once, to who came first", () => {
    const model = new Model(3, { concurrency: 1, buffer: 0, ordered: true })
    model.request()
    model.request()
    model.answer(1, false)
    model.end(0, "value")
    assert.deepStrictEqual(
      model.consumers.map(({ result, settled }) => [settled, result]),
      [
        [true, 0],
        [false, undefined]
      ]
    )
  })

  it("I7: calls one idle worker at a time, and only for something to do", () => {
    const state: State = core.make("test", { concurrency: 3 })
    const workers = Array.from({ length: 3 }, () => new TestTicket<undefined, undefined>(undefined, 0))
    for (const worker of workers) core.enqueueIdle(state, worker)
    const called = () => workers.map(({ settled }) => settled)
    const recruit = () => done(state, core.recruit(state))
    state.asked = true
    recruit()
    assert.deepStrictEqual(called(), [false, false, false], "the source is asked already")
    state.asked = false
    done(state, core.request(state, consumer()))
    assert.isTrue(core.isShort(state))
    recruit()
    assert.isFalse(core.isShort(state), "one is on its way")
    recruit()
    assert.deepStrictEqual(called(), [true, false, false])
    core.arrive(state)
    assert.strictEqual(core.next(state), core.Ask)
    assert.isFalse(core.isShort(state), "the source is asked")
    recruit()
    done(state, core.give(state, [7, 8, 9]))
    assert.strictEqual((core.next(state) as Entry).item, 7)
    recruit()
    assert.deepStrictEqual(called(), [true, true, false])
    core.arrive(state)
    assert.strictEqual((core.next(state) as Entry).item, 8)
    core.call(state)
    recruit()
    assert.deepStrictEqual(called(), [true, true, false], "a new one was called")
    core.arrive(state)
    assert.strictEqual((core.next(state) as Entry).item, 9)
    recruit()
    assert.deepStrictEqual(called(), [true, true, false], "as many run as may")
  })

  it("I7: for one who was called and is gone another is called; one who was not leaves the line", () => {
    const state: State = core.make("test", { concurrency: 2 })
    const workers = Array.from({ length: 3 }, () => new TestTicket<undefined, undefined>(undefined, 0))
    for (const worker of workers) core.enqueueIdle(state, worker)
    done(state, core.request(state, consumer()))
    done(state, core.recruit(state))
    done(state, core.cancelIdle(state, workers[1]!))
    assert.deepStrictEqual(
      workers.map(({ settled }) => settled),
      [true, false, false]
    )
    done(state, core.cancelIdle(state, workers[0]!))
    assert.isTrue(workers[2]!.settled)
    assert.isFalse(workers[1]!.settled)
    assert.strictEqual(state.idle.size, 0)
    done(state, core.cancelIdle(state, workers[2]!))
    assert.isTrue(core.isShort(state), "nobody is left, but somebody is wanted")
  })

  it("a worker that is gone with an entry leaves the flow able to end", () => {
    const state: State = core.make("test")
    const ticket = consumer()
    done(state, core.request(state, ticket))
    assert.strictEqual(core.next(state), core.Ask)
    done(state, core.give(state, [1]))
    const entry = core.next(state) as Entry
    assert.strictEqual(entry.item, 1)
    done(state, core.stop(state))
    assert.isUndefined(core.next(state), "it runs")
    done(state, core.drop(state, entry))
    assert.strictEqual(core.next(state), core.Close)
    done(state, core.closed(state))
    assert.strictEqual(ticket.result, core.End)
  })

  it("an answer that will not come is not waited for", () => {
    const state: State = core.make("test")
    const ticket = consumer()
    done(state, core.request(state, ticket))
    assert.strictEqual(core.next(state), core.Ask)
    done(state, core.unanswered(state))
    assert.strictEqual(core.next(state), core.Ask, "it is asked again")
    done(state, core.stop(state))
    done(state, core.unanswered(state))
    assert.strictEqual(core.next(state), core.Close)
  })

  it("errors are told in the order in which their calls were started, that of the source last", () => {
    const model = new Model(10, { concurrency: 3, buffer: 0, ordered: false })
    model.request()
    model.answer(3, false)
    model.end(2, "fail")
    model.end(0, "fail")
    model.end(0, "value")
    model.closed()
    model.request()
    model.request()
    assert.deepStrictEqual(model.results(), [1])
    const told = model.consumers.map(({ result }) => result).find((result) => result instanceof core.Failed)
    assert.deepStrictEqual((told as core.Failed).errors, [0, 2])
  })

  it("a reason is told unless everything is over, or something has failed", () => {
    const over = new Model(0, { concurrency: 1, buffer: 0, ordered: true })
    over.request()
    over.answer(1, false)
    over.step(core.stop(over.state, { error: "reason" }))
    over.request()
    assert.deepStrictEqual(
      over.consumers.map(({ result }) => result),
      [core.End, core.End]
    )
    const open = new Model(5, { concurrency: 1, buffer: 0, ordered: true })
    open.request()
    open.step(core.stop(open.state, { error: "reason" }))
    open.step(core.stop(open.state, { error: "another" }))
    open.closed()
    assert.deepStrictEqual((open.consumers[0]!.result as core.Failed).errors, ["reason"])
  })

  it("an item that needs no call and comes late goes to who waits for it", () => {
    const state: State = core.make("test", {}, false)
    const [first, second] = [consumer(), consumer()]
    done(state, core.request(state, first))
    done(state, core.request(state, second))
    assert.strictEqual(core.next(state), core.Ask)
    done(state, core.stop(state))
    assert.strictEqual(core.next(state), core.Close)
    done(state, core.give(state, [5]))
    done(state, core.closed(state))
    assert.deepStrictEqual([first.result, second.result], [5, core.End])
  })

  describe("an answer that comes at once", () => {
    const waits = (state: State) => done(state, core.request(state, consumer()))

    it("is for who asks, if nobody and nothing is before it; then the next can ask", () => {
      const state: State = core.make("test", {}, false)
      for (let i = 1; i <= 3; i++) {
        assert.isTrue(core.askFor(state))
        assert.isTrue(state.asked, "I5")
        assert.isUndefined(core.next(state))
        done(state, core.passed(state))
        assert.isFalse(state.asked)
        assert.strictEqual(state.started, i)
      }
      assert.isUndefined(core.next(state), "nobody waits")
    })

    it("is not: of a source that is asked already, or that is closed, or of a flow that is stopped, or that calls", () => {
      const refuses = (change: Partial<State>) => {
        const state: State = { ...core.make<number, number>("test", {}, false), ...change }
        assert.isFalse(core.askFor(state))
        assert.strictEqual(state.asked, change.asked ?? false)
      }
      refuses({ asked: true })
      refuses({ source: "closed" })
      refuses({ source: "closing" })
      refuses({ stopped: true })
      refuses({ calls: true })
      refuses({ supply: [1] })
      refuses({ held: 1 })
      const state: State = core.make("test", {}, false)
      waits(state)
      assert.isFalse(core.askFor(state), "somebody was first")
    })

    it("is for who asks first when somebody else asks meanwhile, and then the source is asked for that one", () => {
      const state: State = core.make("test", {}, false)
      assert.isTrue(core.askFor(state))
      waits(state)
      assert.isFalse(core.askFor(state))
      assert.isUndefined(core.next(state), "I5: it is asked")
      done(state, core.passed(state))
      assert.strictEqual(core.next(state), core.Ask)
    })

    it("takes its turn as every other when it does not come at once", () => {
      const state: State = core.make("test", {}, false)
      assert.isTrue(core.askFor(state))
      const [first, second] = [consumer(), consumer()]
      done(state, core.request(state, first))
      done(state, core.request(state, second))
      done(state, core.give(state, [7]))
      const entry = core.next(state) as Entry
      done(state, core.complete(state, entry, entry.item))
      assert.deepStrictEqual([first.result, second.settled], [7, false])
      assert.strictEqual(core.next(state), core.Ask)
    })
  })

  it("what was filtered out leaves the line at once, also behind one that takes long", () => {
    const model = new Model(Infinity, { concurrency: 2, buffer: 0, ordered: true })
    model.request()
    model.answer(1, false)
    model.answer(1, false)
    const [slow, other] = model.running
    for (let i = 0; i < 100; i++) {
      model.end(1, "skip")
      model.answer(1, false)
    }
    assert.strictEqual(model.state.started, 102)
    assert.strictEqual(model.state.first, slow)
    assert.strictEqual(model.state.last, model.running[1])
    assert.strictEqual(slow!.next, model.running[1])
    assert.isUndefined(other!.previous)
    assert.isUndefined(other!.next)
    assert.strictEqual(other!.status, "gone")
  })

  it("what was handed over holds nothing of what came after it", () => {
    const model = new Model(Infinity, { concurrency: 3, buffer: 0, ordered: true })
    const seen: Array<Entry> = []
    for (let i = 0; i < 100; i++) {
      model.request()
      model.answer(1, false)
      seen.push(...model.running)
      model.end(0, "value")
      model.answer(1, false)
    }
    assert.isAtLeast(model.results().length, 50)
    const over = seen.filter(({ index }) => index < model.results().length)
    assert.isTrue(over.every(({ next, previous }) => next === undefined && previous === undefined))
  })

  it("a consumer that is gone does not wait", () => {
    const state: State = core.make("test")
    const ticket = consumer()
    done(state, core.request(state, ticket))
    done(state, core.cancel(state, ticket))
    assert.strictEqual(state.waiting.size, 0)
    assert.isUndefined(core.next(state), "nobody wants anything")
  })

  it("refuses what cannot be", () => {
    for (const concurrency of [0, -1, 1.5, NaN, Infinity]) {
      assert.throws(
        () => core.make("f", { concurrency }),
        RangeError,
        /^f: concurrency must be an integer of at least 1, got /
      )
    }
    assert.throws(() => core.make("f", { concurrency: "2" as never }), TypeError)
    assert.throws(
      () => core.make("f", { buffer: -1 }),
      RangeError,
      "f: buffer must be an integer of at least 0, got -1"
    )
    assert.throws(() => core.make("f", { ordered: 1 as never }), TypeError, "f: ordered must be a boolean, got 1")
    assert.throws(() => core.make("f", null as never), TypeError, "f: options must be an object, got null")
  })

  it("check finds what is wrong", () => {
    const broken = (change: (state: any) => void) => {
      const state = core.make<number, number>("test")
      change(state)
      return () => core.check(state)
    }
    assert.throws(
      broken((state) => (state.running = 2)),
      /I1/
    )
    assert.throws(
      broken((state) => (state.held = 5)),
      /I2/
    )
    assert.throws(
      broken((state) => {
        core.request(state, consumer())
        state.held = 1
        state.first = state.last = { index: 0, item: 0, status: "ready", value: 0 }
      }),
      /I3/
    )
    assert.throws(
      broken((state) => {
        core.request(state, consumer())
        state.source = "closed"
      }),
      /I4/
    )
    assert.throws(
      broken((state) => {
        Object.assign(state, { running: 1, held: 1, stopped: true, source: "closing" })
        state.first = state.last = { index: 0, item: 0, status: "running" }
      }),
      /I5/
    )
    assert.throws(
      broken((state) => {
        const last: any = { index: 0, status: "failed" }
        state.first = last.previous = { index: 1, status: "failed", next: last }
        state.last = last
      }),
      /I6/
    )
  })
})
