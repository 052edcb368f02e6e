import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Option, Scope } from "effect"
import * as fc from "fast-check"
import { BrokenBarrier, QueueClosed, QueueFull } from "../../src/core/errors.js"
import { misuse, refusal } from "../../src/core/arguments.js"
import * as Barrier from "../../src/Barrier.js"
import * as Condition from "../../src/Condition.js"
import * as Event from "../../src/Event.js"
import * as Guarded from "../../src/Guarded.js"
import * as Mutex from "../../src/Mutex.js"
import * as Promises from "../../src/promise/index.js"
import * as Semaphore from "../../src/Semaphore.js"
import * as Linearizable from "../../src/testing/Linearizable.js"
import * as WorkQueue from "../../src/WorkQueue.js"
import * as models from "./models.js"

const runs = 50

type Spec = Linearizable.Spec<any, any, any>
type Entry = Linearizable.Entry<any, any>

const entry = (who: string, operation: unknown, called: number, returned: number, result?: unknown): Entry => ({
  who,
  operation,
  called,
  returned,
  result
})

const accepts = (spec: Spec, history: ReadonlyArray<Entry>): void => {
  const verdict = Linearizable.check(spec, history)
  assert.isTrue(verdict.linearizable, verdict.linearizable ? "" : verdict.explanation)
}

const rejects = (spec: Spec, history: ReadonlyArray<Entry>): string => {
  const verdict = Linearizable.check(spec, history)
  if (verdict.linearizable) throw new Error(`explained by ${verdict.order.map((step) => step.entry.who).join()}`)
  return verdict.explanation
}

const register: Linearizable.Spec<number, readonly ["read"] | readonly ["write", number], number | undefined> = {
  initial: 0,
  apply: (value, [name, next]) =>
    name === "read" ? { state: value, result: value } : { state: next, result: undefined }
}

type QueueOperation = readonly ["offer", number] | readonly ["take"]

const queue: Linearizable.Spec<ReadonlyArray<number>, QueueOperation, number | undefined> = {
  initial: [],
  apply: (items, [name, item]) => {
    if (name === "offer") return { state: [...items, item], result: undefined }
    return items.length === 0 ? undefined : { state: items.slice(1), result: items[0] }
  }
}

/** Gives any of its items. */
const bag: Linearizable.Spec<ReadonlyArray<number>, QueueOperation, number | undefined> = {
  initial: [],
  apply: (items, [name, item]) =>
    name === "offer"
      ? { state: [...items, item].sort(), result: undefined }
      : items.map((item, index) => ({ state: items.toSpliced(index, 1), result: item }))
}

const lock: Linearizable.Spec<boolean, "lock" | "unlock", void> = {
  initial: false,
  apply: (locked, name) => (locked === (name === "lock") ? undefined : { state: !locked, result: undefined })
}

describe("a history", () => {
  it("of nothing is linearizable", () => {
    assert.deepStrictEqual(Linearizable.check(register, []), { linearizable: true, order: [] })
  })

  it("may have overlapping operations in either order", () => {
    for (const seen of [0, 1]) {
      accepts(register, [entry("a", ["write", 1], 0, 3), entry("b", ["read"], 1, 2, seen)])
    }
    rejects(register, [entry("a", ["write", 1], 0, 3), entry("b", ["read"], 1, 2, 2)])
  })

  it("keeps to real time: who returned before another was called comes first", () => {
    accepts(register, [entry("a", ["write", 1], 0, 1), entry("b", ["read"], 2, 3, 1)])
    rejects(register, [entry("a", ["write", 1], 0, 1), entry("b", ["read"], 2, 3, 0)])
    rejects(register, [entry("b", ["read"], 0, 1, 1), entry("a", ["write", 1], 2, 3)])
  })

  it("overlaps where one returns at the very time when another is called", () => {
    accepts(register, [entry("b", ["read"], 0, 1, 1), entry("a", ["write", 1], 1, 2)])
  })

  it("cannot have a value seen, and then not any more", () => {
    const write = entry("a", ["write", 1], 0, 9)
    accepts(register, [write, entry("b", ["read"], 1, 2, 0), entry("b", ["read"], 3, 4, 1)])
    rejects(register, [write, entry("b", ["read"], 1, 2, 1), entry("b", ["read"], 3, 4, 0)])
  })

  it("of a queue is in order", () => {
    const offers = [entry("a", ["offer", 1], 0, 1), entry("a", ["offer", 2], 2, 3)]
    accepts(queue, [...offers, entry("b", ["take"], 4, 7, 2), entry("c", ["take"], 5, 6, 1)])
    rejects(queue, [...offers, entry("b", ["take"], 4, 5, 2), entry("c", ["take"], 6, 7, 1)])
    rejects(queue, [...offers, entry("b", ["take"], 4, 7, 1), entry("c", ["take"], 5, 6, 1)])
  })

  it("waits where the model has no outcome", () => {
    accepts(queue, [entry("b", ["take"], 0, 5, 1), entry("a", ["offer", 1], 2, 3)])
    rejects(queue, [entry("b", ["take"], 0, 1, 1), entry("a", ["offer", 1], 2, 3)])
    accepts(lock, [entry("a", "lock", 0, 1), entry("b", "lock", 2, 7), entry("a", "unlock", 3, 8)])
    rejects(lock, [entry("a", "lock", 0, 1), entry("b", "lock", 2, 3), entry("a", "unlock", 4, 5)])
  })

  it("gives an order that the model goes along with", () => {
    const order = Linearizable.assert(queue, [
      { who: "b", operation: ["take"], called: 0, returned: 5, result: 1 },
      { who: "a", operation: ["offer", 1], called: 2, returned: 3, result: undefined }
    ])
    assert.deepStrictEqual(
      order.map(({ did, entry }) => [did, entry.who]),
      [
        ["return", "a"],
        ["return", "b"]
      ]
    )
  })

  it("may be longer than what fits into a word, if little overlaps", () => {
    const history = Array.from({ length: 500 }, (_, n) => [
      entry("a", ["offer", n], 4 * n, 4 * n + 2),
      entry("b", ["take"], 4 * n + 1, 4 * n + 3, n)
    ]).flat()
    accepts(queue, history)
    rejects(queue, [...history, entry("b", ["take"], 5000, 5001, 1)])
  })

  it("is checked against any of the outcomes that a model allows", () => {
    const offers = [entry("a", ["offer", 1], 0, 1), entry("a", ["offer", 2], 2, 3)]
    for (const [first, second] of [
      [1, 2],
      [2, 1]
    ]) {
      accepts(bag, [...offers, entry("b", ["take"], 4, 5, first), entry("b", ["take"], 6, 7, second)])
    }
    rejects(bag, [...offers, entry("b", ["take"], 4, 5, 2), entry("b", ["take"], 6, 7, 2)])
  })
})

describe("an operation that did not return", () => {
  const write = (status: "pending" | "blocked"): Entry => ({ who: "a", operation: ["write", 1], called: 2, status })

  it("may have taken effect at any time after its call, or not at all", () => {
    accepts(register, [write("pending"), entry("b", ["read"], 3, 4, 0)])
    accepts(register, [write("pending"), entry("b", ["read"], 3, 4, 0), entry("b", ["read"], 5, 6, 1)])
    rejects(register, [write("pending"), entry("b", ["read"], 3, 4, 1), entry("b", ["read"], 5, 6, 0)])
    rejects(register, [write("pending"), entry("b", ["read"], 0, 1, 1)])
  })

  it("must not have taken effect if it was withdrawn", () => {
    const withdrawn: Entry = { who: "a", operation: ["write", 1], called: 0, returned: 3, status: "withdrawn" }
    accepts(register, [withdrawn, entry("b", ["read"], 1, 2, 0)])
    rejects(register, [withdrawn, entry("b", ["read"], 1, 2, 1)])
  })

  it("must have to wait if it is blocked", () => {
    const take: Entry = { who: "a", operation: ["take"], called: 0, status: "blocked" }
    accepts(queue, [take])
    accepts(queue, [take, entry("b", ["offer", 1], 1, 2), entry("c", ["take"], 3, 4, 1)])
    const explanation = rejects(queue, [take, entry("b", ["offer", 1], 1, 2)])
    assert.include(explanation, "a take, which still waits at the end, where the model gives 1")
    rejects(register, [write("blocked")])
  })
})

describe("a model with steps", () => {
  const begin = (id: number, waiting: number | undefined, called: number, returned: number): Entry => ({
    ...entry(`w${id}`, ["take", 1], called, returned, 1),
    waiting
  })

  it("has those in order of whom it is known that they stood in line", () => {
    const spec = models.semaphore(1)
    const rest = [entry("x", ["take", 1], 0, 1, 1), entry("x", ["release", 1], 10, 11, 0), entry("y", ["isSet"], 0, 0)]
    const both = (waiting: number | undefined): Array<Entry> => [
      ...rest.slice(0, 2),
      { who: "a", operation: ["take", 1], called: 2, waiting, status: "blocked" },
      begin(2, undefined, 4, 12)
    ]
    accepts(spec, both(undefined))
    rejects(spec, both(3))
  })

  it("lets those leave who are withdrawn, and those behind them go on", () => {
    const spec = models.semaphore(2)
    const large: Entry = { who: "b", operation: ["take", 2], called: 2, waiting: 3, returned: 8, status: "withdrawn" }
    const small = (returned: number): Entry => ({ ...entry("c", ["take", 1], 4, returned, 1), waiting: 5 })
    const held = entry("a", ["take", 1], 0, 1, 1)
    accepts(spec, [held, large, small(9)])
    accepts(spec, [
      held,
      { who: "b", operation: ["take", 2], called: 2, waiting: 3, status: "pending", interrupted: true },
      small(9)
    ])
    rejects(spec, [held, { who: "b", operation: ["take", 2], called: 2, waiting: 3, status: "pending" }, small(9)])
    const order = Linearizable.assert(spec, [held, large, small(9)] as any)
    assert.deepStrictEqual(
      order.map(({ did, entry }) => `${entry.who} ${did}`),
      ["a return", "b wait", "b withdraw", "c return"]
    )
    rejects(spec, [held, { ...large, status: "blocked" } as Entry, small(9)])
  })
})

describe("an explanation", () => {
  it("shows the history over time, the longest order, and what the model gives instead", () => {
    const explanation = rejects(queue, [
      entry("ann", ["offer", 1], 0, 3),
      entry("bob", ["offer", 2], 4, 5),
      entry("cleo", ["take"], 6, 7, 2),
      { who: "dan", operation: ["offer", 9], called: 1, status: "pending" },
      { who: "bob", operation: ["offer", 3], called: 8, returned: 9, status: "withdrawn" }
    ])
    assert.strictEqual(
      explanation,
      `Linearizable.check: no order of these 5 operations explains what was returned

  ann   |offer(1)|
  dan     |offer(9)--------------------------------?
  bob              |offer(2)|           |offer(3)x
  cleo                        |take: 2|

cleo take: 2 is in none of the orders that the model allows.
The longest order that the model allows:
  1. ann offer(1)
  2. bob offer(2)
After that nothing fits:
  cleo take: 2, where the model gives 1`
    )
  })

  it("numbers the operations of a history that is too wide to be drawn with them", () => {
    const explanation = rejects(
      queue,
      Array.from({ length: 20 }, (_, n) => entry("a", ["offer", n], 2 * n, 2 * n + 1)).concat(
        entry("b", ["take"], 50, 51, 9)
      )
    )
    assert.include(explanation, "|#1| |#2|")
    assert.include(explanation, "#21 b take: 9")
    assert.include(explanation, "b take: 9, where the model gives 0")
  })

  it("gives each of two overlapping operations of one caller a line", () => {
    const lines = rejects(register, [entry("a", ["write", 1], 0, 3), entry("a", ["read"], 1, 2, 5)]).split("\n")
    assert.lengthOf(
      lines.filter((line) => line.startsWith("  a  ") && line.includes("|")),
      2
    )
  })

  it("is what assert throws, and shows failures and operations as asked", () => {
    const spec: Spec = { ...register, show: (operation) => `<${operation[0]}>` }
    let thrown: unknown
    try {
      Linearizable.assert(spec, [entry("a", ["read"], 0, 1, Linearizable.failed(new QueueClosed()))])
    } catch (error) {
      thrown = error
    }
    assert.instanceOf(thrown, Error)
    assert.include(String(thrown), "Linearizable.assert: no order of this operation explains what was returned")
    assert.include(String(thrown), "a <read>: fails (QueueClosed: the queue is closed), where the model gives 0")
    assert.include(String(thrown), "No operation can be the first")
  })
})

describe("results", () => {
  const one = (given: unknown, equals?: (a: unknown, b: unknown) => boolean): Spec => ({
    initial: 0,
    apply: (state) => ({ state, result: given }),
    equals
  })
  const same = (returned: unknown, given: unknown) =>
    Linearizable.check(one(given), [entry("a", "get", 0, 1, returned)]).linearizable

  it("are equal by structure", () => {
    for (const [make] of [
      [() => ({ a: 1, b: [undefined, null, NaN, "x", 1n] })],
      [() => new Map([["k", new Set([1, 2])]])],
      [() => Option.some({ n: 1 })],
      [() => new Date(5)],
      [() => new QueueFull(3)],
      [() => Linearizable.failed(new RangeError("no"))]
    ] as const) {
      assert.isTrue(same(make(), make()), String(make()))
    }
    assert.isTrue(same({ a: 1, b: 2 }, { b: 2, a: 1 }))
  })

  it("are different by structure", () => {
    const values = [0, "0", 0n, null, undefined, [], {}, [0], [[0]], { a: 0 }, { a: undefined }, Option.none()]
    const more = [Option.some(0), new Map(), new Set(), new Date(0), new QueueFull(1), new QueueFull(2), () => 1]
    const all = [
      ...values,
      ...more,
      new QueueClosed(),
      new Error("a"),
      new TypeError("a"),
      Symbol("a"),
      Promise.resolve()
    ]
    all.forEach((a, i) => all.forEach((b, j) => assert.strictEqual(same(a, b), i === j, `${i} and ${j}`)))
  })

  it("are equal as the model has it, if it says so", () => {
    accepts(
      one(3, (a, b) => Math.abs((a as number) - (b as number)) < 1),
      [entry("a", "get", 0, 1, 3.5)]
    )
  })

  it("and states must not be circular, unless the model compares them", () => {
    const circular: Array<unknown> = []
    circular.push(circular)
    assert.throws(() => same(circular, circular.concat(1)), "a state or a result is circular")
  })
})

// ------------------------------------------------------------------------------------------------------------------------ properties

const permutations = function* (all: ReadonlyArray<Entry>): Generator<ReadonlyArray<Entry>> {
  if (all.length === 0) yield []
  for (let index = 0; index < all.length; index++) {
    for (const rest of permutations(all.toSpliced(index, 1))) yield [all[index]!, ...rest]
  }
}

const subsets = <A>(all: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> =>
  all.reduce<ReadonlyArray<ReadonlyArray<A>>>((sets, a) => sets.concat(sets.map((set) => [...set, a])), [[]])

const isPending = (entry: Entry): boolean => entry.status === "pending"
const returnOf = (entry: Entry): number => ("returned" in entry ? entry.returned : Infinity)

/** Tries every order of every choice of the pending operations. */
const bruteForce = (spec: Spec, history: ReadonlyArray<Entry>): boolean => {
  const took = history.filter((entry) => entry.status === undefined)
  for (const extra of subsets(history.filter(isPending))) {
    for (const order of permutations([...took, ...extra])) {
      const inTime = order.every((a, i) => order.slice(i + 1).every((b) => !(returnOf(b) < a.called)))
      if (!inTime) continue
      let states: ReadonlyArray<unknown> = [spec.initial]
      for (const entry of order) {
        states = states.flatMap((state) =>
          [spec.apply(state, entry.operation, 0) ?? []]
            .flat()
            .filter((outcome: any) => isPending(entry) || outcome.result === (entry as any).result)
            .map((outcome: any) => outcome.state)
        )
      }
      if (states.length > 0) return true
    }
  }
  return false
}

const value = fc.integer({ min: 1, max: 3 })
const span = fc.tuple(fc.nat(8), fc.nat(6))
const status = fc.constantFrom("returned", "returned", "returned", "pending", "withdrawn")

const history = (operation: fc.Arbitrary<readonly [unknown, unknown]>) =>
  fc.array(fc.tuple(operation, span, status), { maxLength: 5 }).map((all) =>
    all.map(([[operation, result], [called, length], status], index): Entry => {
      const who = `p${index}`
      if (status === "pending") return { who, operation, called, status }
      if (status === "withdrawn") return { who, operation, called, returned: called + length, status }
      return entry(who, operation, called, called + length, result)
    })
  )

const registerHistory = history(
  fc.oneof(
    value.map((n) => [["write", n], undefined] as const),
    fc.nat(3).map((n) => [["read"], n] as const)
  )
)
const queueHistory = history(
  fc.oneof(
    value.map((n) => [["offer", n], undefined] as const),
    value.map((n) => [["take"], n] as const)
  )
)

describe("the search", () => {
  it.each([
    ["a register", register as Spec, registerHistory],
    ["a queue", queue as Spec, queueHistory],
    ["a bag", bag as Spec, queueHistory]
  ] as const)("finds what trying all orders finds, for %s", (_, spec, histories) => {
    let found = 0
    let total = 0
    fc.assert(
      fc.property(histories, (history) => {
        const expected = bruteForce(spec, history)
        total++
        if (expected) found++
        assert.strictEqual(Linearizable.check(spec, history).linearizable, expected)
      }),
      { numRuns: 10 * runs }
    )
    assert.isAbove(found, total / 20)
    assert.isBelow(found, total)
  })

  it.each([
    ["a queue", queue as Spec],
    ["a bag", bag as Spec],
    ["our queue", models.workQueue({ capacity: 2, strategy: "sliding" }) as Spec]
  ] as const)("accepts what was made from an order, for %s", (_, spec) => {
    const operation = fc.oneof(
      value.map((n) => ["offer", n]),
      fc.constant(["take"])
    )
    fc.assert(
      fc.property(fc.array(fc.tuple(operation, fc.nat(), fc.nat(30), fc.nat(30)), { maxLength: 10 }), (all) => {
        let state = spec.initial
        const history: Array<Entry> = []
        all.forEach(([operation, choice, before, after], index) => {
          const outcomes = [spec.apply(state, operation, index) ?? []].flat().filter((outcome: any) => !outcome.waits)
          if (outcomes.length === 0) return
          const outcome: any = outcomes[choice % outcomes.length]
          state = outcome.state
          // It took effect at its index, and was under way for a while before and after.
          history.push(entry(`p${index}`, operation, 10 * index - before, 10 * index + after, outcome.result))
        })
        accepts(spec, history)
      }),
      { numRuns: 2 * runs }
    )
  })

  it("does not look at a situation twice, so that ten overlapping operations take no time", () => {
    let looks = 0
    const spec: Spec = { ...queue, key: (state) => (looks++, state.join()) }
    const takes = Array.from({ length: 5 }, (_, n) => entry(`t${n}`, ["take"], n, 100 + n, n))
    const offers = Array.from({ length: 5 }, (_, n) => entry(`o${n}`, ["offer", 4 - n], 10 + n, 90 - n))
    accepts(spec, [...offers, ...takes])
    const easy = looks
    looks = 0
    rejects(spec, [...offers, ...takes.slice(0, 4), entry("t4", ["take"], 4, 200, 7)])
    assert.isBelow(easy, 1000)
    assert.isBelow(looks, 20_000)
  })

  it("gives up at its limit", () => {
    const writes = Array.from({ length: 12 }, (_, n) => entry(`w${n}`, ["write", n], 0, 9))
    const history = [...writes, entry("r", ["read"], 10, 11, -1)]
    assert.throws(
      () => Linearizable.check(register, history as any, { limit: 100 }),
      "Linearizable.check: gave up after 100 situations: record fewer operations at a time, or raise the limit"
    )
  })
})

describe("bad input", () => {
  const good = { initial: 0, apply: () => ({ state: 0, result: 0 }) }
  const at = { who: "a", operation: "x", called: 5, returned: 6, result: 0 }
  const refused = (spec: unknown, history: unknown, message: string, options?: unknown): void => {
    assert.throws(
      () => Linearizable.check(spec as Spec, history as any, options as any),
      `Linearizable.check: ${message}`
    )
    assert.throws(
      () => Linearizable.assert(spec as Spec, history as any, options as any),
      `Linearizable.assert: ${message}`
    )
  }

  it.each([
    [null, "spec must be an object, got null"],
    [{ apply: good.apply }, "spec must be an object with an initial state, got an object (Object)"],
    [{ initial: 0 }, "spec.apply must be a function, got undefined"],
    [{ ...good, resume: 1 }, "spec.resume must be a function, got 1"],
    [{ ...good, withdraw: 1 }, "spec.withdraw must be a function, got 1"],
    [{ ...good, key: "k" }, 'spec.key must be a function, got "k"'],
    [{ ...good, equals: true }, "spec.equals must be a function, got true"],
    [{ ...good, show: {} }, "spec.show must be a function, got an object (Object)"],
    [
      { ...good, apply: () => 1 },
      "what spec.apply returns must be { state, result }, { state, waits: true }, an array"
    ],
    [{ ...good, apply: () => ({ state: 1 }) }, "what spec.apply returns must be { state, result }"],
    [{ ...good, apply: () => ({ state: 1, waits: true }) }, "spec.resume, since an operation waits, must be a function"]
  ])("a model that is none is refused (%#)", (spec, message) => {
    refused(spec, [at], message)
  })

  it.each([
    ["x", 'history must be an array, got "x"'],
    [[1], "history[0] must be an object, got 1"],
    [[at, { ...at, who: 1 }], "history[1].who must be a string, got 1"],
    [
      [{ ...at, status: "lost" }],
      'history[0].status must be one of "returned", "pending", "withdrawn", "blocked", got "lost"'
    ],
    [[{ ...at, called: NaN }], "history[0].called must be a finite number, got NaN"],
    [[{ ...at, returned: 4 }], "history[0].returned must be a number of at least 5, when it was called, got 4"],
    [[{ ...at, returned: undefined }], "history[0].returned must be a number of at least 5"],
    [[{ ...at, status: "withdrawn", returned: 4 }], "history[0].returned must be a number of at least 5"],
    [[{ ...at, waiting: 4 }], "history[0].waiting must be a number from when it was called to when it returned, got 4"],
    [[{ ...at, waiting: 7 }], "history[0].waiting must be a number from when"],
    [
      [{ who: "a", operation: "x", called: 1, returned: 2 }],
      "history[0] must be an entry with a result, or with another status, got an object (Object)"
    ]
  ])("a history that cannot be is refused (%#)", (history, message) => {
    refused(good, history, message)
  })

  it("options that are none are refused", () => {
    refused(good, [at], "options must be an object, got 5", 5)
    refused(good, [at], "limit must be an integer of at least 1, got 0", { limit: 0 })
  })

  it("a model that changes its state is told", () => {
    const spec: Spec = {
      initial: [],
      apply: (state: Array<number>) => ({ state, result: state.push(1) })
    }
    refused(spec, [{ ...at, result: 1 }], "the model has changed its initial state: spec.apply must return a new state")
    accepts({ ...spec, initial: () => 0, apply: (n: number) => ({ state: n + 1, result: n }) }, [at as Entry])
  })

  it("a withdrawal that is none is refused", () => {
    const spec = { ...models.event(), withdraw: () => 1 } as unknown as Spec
    const wait = { who: "a", operation: ["wait"], called: 0, waiting: 1, returned: 2, status: "withdrawn" }
    refused(spec, [wait], "what spec.withdraw returns must be { state }, { state, waits: true }, an array")
  })

  it("is refused by the recorder", async () => {
    const made = () => Linearizable.recorder<string, any>()
    assert.throws(() => Linearizable.recorder(3 as any), "Linearizable.recorder: options must be an object, got 3")
    assert.throws(
      () => Linearizable.recorder({ onInterrupt: "x" as any }),
      'Linearizable.recorder: onInterrupt must be one of "pending", "withdrawn", got "x"'
    )
    assert.throws(() => Linearizable.recorder({ isInterruption: 1 as any }), "isInterruption must be a function, got 1")
    assert.throws(() => made().begin(1 as any, "x"), "Linearizable.Recorder.begin: who must be a string, got 1")
    assert.throws(() => made().waiting(1 as any), "Linearizable.Recorder.waiting: who must be a string, got 1")
    assert.throws(() => made().sync("a", "x", 1 as any), "Linearizable.Recorder.sync: f must be a function, got 1")
    assert.throws(
      () => made().effect("a", "x", 1 as any),
      "Linearizable.Recorder.effect: effect must be an effect, got 1"
    )
    const rejected = await made()
      .promise("a", "x", 1 as any)
      .catch((error: Error) => error.message)
    assert.strictEqual(rejected, "Linearizable.Recorder.promise: f must be a function, got 1")
  })
})

// ------------------------------------------------------------------------------------------------------------------------ the recorder

describe("a recorder", () => {
  it("does not say of a call whose signal was aborted before it that it stood in line", async () => {
    const queue = new Promises.WorkQueue<number>()
    const recorder = Linearizable.recorder<string, any>()
    const signal = AbortSignal.abort()
    await recorder.promise("a", "take", () => queue.take({ signal })).catch(() => {})
    const [call] = recorder.history
    assert.deepStrictEqual([call?.status, call?.waiting], ["pending", undefined])
  })

  it.effect("writes effects that succeed, fail, die, and are interrupted", () =>
    Effect.gen(function* () {
      const recorder = Linearizable.recorder<string, any>()
      yield* recorder.effect("a", "succeeds", Effect.succeed(1))
      const failure = yield* Effect.exit(recorder.effect("a", "fails", Effect.fail("no") as Effect.Effect<any, string>))
      assert.strictEqual(failure._tag, "Failure")
      yield* Effect.exit(recorder.effect("a", "dies", Effect.die(new Error("broken")) as Effect.Effect<any>))
      const first = yield* Effect.fork(recorder.effect("b", "waits", Effect.never as Effect.Effect<any>))
      const second = yield* Effect.fork(
        recorder.effect("c", "leaves", Effect.never as Effect.Effect<any>, { onInterrupt: "withdrawn" })
      )
      yield* Effect.yieldNow()
      assert.deepStrictEqual(recorder.historyAtRest[3], { who: "b", operation: "waits", called: 6, status: "blocked" })
      yield* Fiber.interrupt(first)
      yield* Fiber.interrupt(second)
      assert.deepStrictEqual(recorder.history, [
        { who: "a", operation: "succeeds", called: 0, status: "returned", returned: 1, result: 1 },
        { who: "a", operation: "fails", called: 2, status: "returned", returned: 3, result: Linearizable.failed("no") },
        {
          who: "a",
          operation: "dies",
          called: 4,
          status: "returned",
          returned: 5,
          result: Linearizable.failed(new Error("broken"))
        },
        { who: "b", operation: "waits", called: 6, status: "pending", interrupted: true },
        { who: "c", operation: "leaves", called: 7, status: "withdrawn", returned: 8 }
      ])
      assert.strictEqual(recorder.historyAtRest[3]!.status, "pending")
    })
  )

  it.effect("writes an interruption that an uninterruptible region shows", () =>
    Effect.gen(function* () {
      const recorder = Linearizable.recorder<string, any>({ onInterrupt: "withdrawn" })
      const restored = Effect.uninterruptibleMask((restore) =>
        Effect.exit(recorder.effect("a", "waits", restore(Effect.never as Effect.Effect<any>)))
      )
      const fiber = yield* Effect.fork(restored)
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(recorder.history[0]!.status, "withdrawn")
    })
  )

  it("writes promises, and when they stood in line", async () => {
    const recorder = Linearizable.recorder<string, any>()
    const timeout = Object.assign(new Error(), { name: "TimeoutError" })
    const promises = [
      recorder.promise("a", "resolves", async () => 1),
      recorder.promise("b", "rejects", () => Promise.reject(new Error("no"))),
      recorder.promise("c", "times out", () => Promise.reject(timeout), { onInterrupt: "withdrawn" }),
      recorder.promise("d", "is aborted", () => Promise.reject("stop"), { isInterruption: (e) => e === "stop" }),
      recorder.promise("e", "throws", () => {
        throw new Error("now")
      })
    ]
    assert.deepStrictEqual(
      (await Promise.allSettled(promises)).map(({ status }) => status),
      ["fulfilled", ...Array.from({ length: 4 }, () => "rejected" as const)]
    )
    assert.deepStrictEqual(
      recorder.history.map((entry) => [entry.waiting, entry.status, (entry as any).result]),
      [
        [1, "returned", 1],
        [3, "returned", Linearizable.failed(new Error("no"))],
        [5, "withdrawn", undefined],
        [7, "pending", undefined],
        [undefined, "returned", Linearizable.failed(new Error("now"))]
      ]
    )
  })

  it("writes plain calls, and what it is told; the first end counts", () => {
    const recorder = Linearizable.recorder<string, any>()
    assert.strictEqual(
      recorder.sync("a", "calls", () => 5),
      5
    )
    assert.throws(() =>
      recorder.sync("a", "throws", () => {
        throw new Error("no")
      })
    )
    const call = recorder.begin("b", "told")
    call.waiting()
    call.returned(1)
    call.withdrawn()
    call.pending()
    call.waiting()
    assert.deepStrictEqual(recorder.history, [
      { who: "a", operation: "calls", called: 0, status: "returned", returned: 1, result: 5 },
      {
        who: "a",
        operation: "throws",
        called: 2,
        status: "returned",
        returned: 3,
        result: Linearizable.failed(new Error("no"))
      },
      { who: "b", operation: "told", called: 4, waiting: 5, status: "returned", returned: 6, result: 1 }
    ])
  })
})

// ------------------------------------------------------------------------------------------------------------------------ the models

/**
 * A history as a story: `["a", ["take", 1], 1]` calls and returns, without a result it waits, `["a", "gives", 1]` returns later, and
 * `["a", "withdraws"]` was interrupted. What has not ended is blocked.
 */
const story = (
  ...lines: ReadonlyArray<readonly [who: string, what: unknown, result?: unknown]>
): ReadonlyArray<Entry> => {
  const recorder = Linearizable.recorder<any, any>()
  const calls = new Map<string, Linearizable.Call<any>>()
  for (const [who, what, ...result] of lines) {
    if (what === "gives") calls.get(who)!.returned(result[0])
    else if (what === "withdraws") calls.get(who)!.withdrawn()
    else {
      const call = recorder.begin(who, what)
      // As a fiber or an async function does, it gets as far as it can at once.
      call.waiting()
      calls.set(who, call)
      if (result.length > 0) call.returned(result[0])
    }
  }
  return recorder.historyAtRest
}

const closed = Linearizable.failed(new QueueClosed())
const broken = Linearizable.failed(new BrokenBarrier())
const tooMany = (n: number) =>
  Linearizable.failed(
    refusal("Semaphore.resize", "permits of a request that waits", `an integer from 0 to ${n}`, n + 1, "number")
  )
const none = undefined

type Line = readonly [who: string, what: unknown, result?: unknown]

/** A story that the model tells, and line by line what would be wrong in its place. */
const cases: ReadonlyArray<
  readonly [
    name: string,
    spec: () => Spec,
    story: ReadonlyArray<Line>,
    wrong: ReadonlyArray<readonly [at: number, line: Line]>
  ]
> = [
  [
    "a semaphore: in line, by weight",
    () => models.semaphore(3),
    [
      ["a", ["take", 2], 2],
      ["b", ["take", 3]],
      ["c", ["take", 1]],
      ["d", ["tryTake", 1], false],
      ["a", ["release", 2], 0],
      ["b", "gives", 3],
      ["b", ["release", 3], 2],
      ["c", "gives", 1],
      ["c", ["tryTake", 2], true],
      ["c", ["releaseAll"], 3],
      [
        "c",
        ["take", 4],
        Linearizable.failed(refusal("Semaphore.take", "permits", "an integer from 0 to 3", 4, "number"))
      ]
    ],
    [
      [3, ["d", ["tryTake", 1], true]],
      [4, ["a", ["release", 2], 2]],
      [5, ["c", "gives", 1]],
      [6, ["b", ["release", 3], 3]],
      [10, ["c", ["take", 4], 4]]
    ]
  ],
  [
    "a semaphore: priorities, resize and interruption",
    () => models.semaphore(2),
    [
      ["a", ["take", 2], 2],
      ["b", ["take", 2]],
      ["c", ["take", 1]],
      ["d", ["take", 1, 1]],
      ["a", ["resize", 1], none],
      ["b", "gives", tooMany(1)],
      ["a", ["release", 1], 0],
      ["a", ["release", 1], 0],
      ["d", "withdraws"],
      ["c", "gives", 1],
      ["c", ["resize", 0], none],
      ["e", ["take", 5]]
    ],
    [
      [5, ["b", "gives", 2]],
      [8, ["c", "gives", 1]],
      [11, ["e", ["take", 5], 5]]
    ]
  ],
  [
    "a semaphore: throughput",
    () => models.semaphore(2, "throughput"),
    [
      ["a", ["take", 1], 1],
      ["b", ["take", 2]],
      ["c", ["take", 1], 1],
      ["a", ["release", 1], 1],
      ["c", ["release", 1], 0],
      ["b", "gives", 2]
    ],
    [[3, ["b", "gives", 2]]]
  ],
  [
    "a mutex",
    () => models.mutex(),
    [
      ["a", ["acquire"], none],
      ["b", ["acquire"]],
      ["c", ["acquire", 1]],
      ["d", ["acquireIfAvailable"], false],
      ["a", ["release"], none],
      ["c", "gives", none],
      ["c", ["isLocked"], true],
      ["c", ["release"], none],
      ["b", "withdraws"],
      ["d", ["isLocked"], false],
      ["d", ["acquireIfAvailable"], true]
    ],
    [
      [3, ["d", ["acquireIfAvailable"], true]],
      [5, ["b", "gives", none]],
      [6, ["c", ["isLocked"], false]],
      [8, ["b", ["isLocked"], false]]
    ]
  ],
  [
    "a guarded value",
    () => models.guarded(1),
    [
      ["a", ["update", (n: number) => n * 2], none],
      ["b", ["modify", (n: number) => [`was ${n}`, n + 1]], "was 2"],
      ["c", ["updateEffect", () => fail("no")], Linearizable.failed("no")],
      ["d", ["get"], 3],
      ["e", ["updateEffect", () => 9]],
      ["e", "withdraws"],
      ["d", ["get"], 3],
      ["d", ["set", 5], none],
      ["d", ["get"], 5]
    ],
    [
      [1, ["b", ["modify", (n: number) => [`was ${n}`, n + 1]], "was 1"]],
      [2, ["c", ["updateEffect", () => fail("no")], Linearizable.failed("yes")]],
      [6, ["d", ["get"], 9]],
      [8, ["d", ["get"], 3]]
    ]
  ],
  [
    "an event",
    () => models.event(),
    [
      ["a", ["wait"]],
      ["b", ["wait"]],
      ["b", "withdraws"],
      ["c", ["set"], none],
      ["c", ["clear"], none],
      ["a", "gives", none],
      ["c", ["isSet"], false],
      ["d", ["wait"]],
      ["c", ["pulse"], none],
      ["d", "gives", none],
      ["e", ["wait"]]
    ],
    [
      [3, ["a", "gives", none]],
      [5, ["d", ["wait"], none]],
      [6, ["c", ["isSet"], true]],
      [10, ["e", ["wait"], none]]
    ]
  ],
  [
    "a condition",
    () => models.condition(),
    [
      ["a", ["acquire"], none],
      ["a", ["wait"]],
      ["b", ["acquire"], none],
      ["b", ["wait"]],
      ["c", ["acquire"], none],
      ["d", ["acquire"]],
      ["c", ["notify", 1], none],
      ["c", ["release"], none],
      ["d", "gives", none],
      ["d", ["release"], none],
      ["a", "withdraws"],
      ["a2", ["release"], none],
      ["b", "gives", none],
      ["b", ["release"], none],
      ["b", ["notifyAll"], Linearizable.failed(misuse("Condition.notifyAll", "the lock is not held"))]
    ],
    [
      [7, ["b", "gives", none]],
      [8, ["a", "gives", none]],
      [9, ["a", "withdraws"]],
      [11, ["b", "gives", none]],
      [14, ["b", ["notifyAll"], none]]
    ]
  ],
  [
    "a barrier",
    () => models.barrier(2),
    [
      ["a", ["await"]],
      ["a", "withdraws"],
      ["b", ["await"]],
      ["c", ["await"], 1],
      ["b", "gives", 0],
      ["d", ["await"]],
      ["e", ["abort"], none],
      ["d", "gives", broken],
      ["e", ["isBroken"], true],
      ["e", ["await"], broken],
      ["e", ["reset"], none],
      ["e", ["await"]]
    ],
    [
      [3, ["b", "gives", 0]],
      [3, ["c", ["await"], 0]],
      [7, ["d", "gives", 0]],
      [9, ["e", ["await"], 0]],
      [11, ["e", ["await"], 0]]
    ]
  ],
  [
    "a barrier that breaks",
    () => models.barrier(3, "break"),
    [
      ["a", ["await"]],
      ["b", ["await"]],
      ["a", "withdraws"],
      ["b", "gives", broken],
      ["c", ["isBroken"], true]
    ],
    [[4, ["c", ["isBroken"], false]]]
  ],
  [
    "a queue",
    () => models.workQueue({ capacity: 1 }),
    [
      ["a", ["take"]],
      ["b", ["takeAll"]],
      ["c", ["offer", 1], true],
      ["a", "withdraws"],
      ["b", "gives", [1]],
      ["c", ["offer", 2], true],
      ["c", ["offer", 3]],
      ["d", ["tryOffer", 4], false],
      ["e", ["join"]],
      ["d", ["peek"], Option.some(2)],
      ["d", ["tryTake"], Option.some(2)],
      ["c", "gives", true],
      ["d", ["taskDone"], none],
      ["d", ["taskDone"], none],
      ["c", ["offerAll", [4, 5]]],
      ["d", ["end"], true],
      ["c", "gives", closed],
      ["d", ["fail", "late"], false],
      ["d", ["takeUpTo", 2], [3]],
      ["d", ["take"], closed],
      ["d", ["tryTake"], closed],
      ["d", ["taskDone"], none],
      ["e", "gives", none],
      ["d", ["size"], 0]
    ],
    [
      [2, ["a", "gives", 1]],
      [4, ["b", "gives", [1, 2]]],
      [7, ["d", ["tryOffer", 4], true]],
      [10, ["d", ["tryTake"], Option.some(3)]],
      [12, ["e", "gives", none]],
      [16, ["c", "gives", []]],
      [18, ["d", ["takeUpTo", 2], [3, 4]]],
      [23, ["d", ["size"], 1]]
    ]
  ],
  [
    "a queue that drops",
    () => models.workQueue({ capacity: 1, strategy: "dropping" }),
    [
      ["a", ["offer", 1], true],
      ["a", ["offer", 2], false],
      ["a", ["offerAll", [3, 4]], [3, 4]],
      ["a", ["fail", "why"], true],
      ["a", ["offer", 5], closed],
      ["a", ["takeAll"], [1]],
      ["a", ["take"], Linearizable.failed("why")]
    ],
    [
      [1, ["a", ["offer", 2], true]],
      [6, ["a", ["take"], closed]]
    ]
  ],
  [
    "a queue that slides, by an order",
    () => models.workQueue({ capacity: 2, strategy: "sliding", order: (a: number, b: number) => a - b }),
    [
      ["a", ["offerAll", [5, 3]], []],
      ["a", ["offer", 4], true],
      ["a", ["offer", 9], false],
      ["a", ["take"], 3],
      ["a", ["shutdown"], [4]]
    ],
    [
      [2, ["a", ["offer", 9], true]],
      [3, ["a", ["take"], 4]],
      [4, ["a", ["shutdown"], []]]
    ]
  ],
  [
    "a queue that slides",
    () => models.workQueue({ capacity: 1, strategy: "sliding", order: "lifo" }),
    [
      ["a", ["offer", 1], true],
      ["a", ["offer", 2], true],
      ["a", ["take"], 2]
    ],
    [[2, ["a", ["take"], 1]]]
  ],
  [
    "a stack that refuses",
    () => models.workQueue({ capacity: 2, strategy: "reject", order: "lifo" }),
    [
      ["a", ["offerAll", [1, 2, 3]], Linearizable.failed(new QueueFull(2))],
      ["a", ["offerAll", [1, 2]], []],
      ["a", ["offer", 3], Linearizable.failed(new QueueFull(2))],
      ["a", ["takeAll"], [2, 1]]
    ],
    [
      [2, ["a", ["offer", 3], true]],
      [3, ["a", ["takeAll"], [1, 2]]]
    ]
  ]
]

const fail = (error: unknown): never => {
  throw error
}

describe("the model of", () => {
  it.each(cases)("%s tells its story, and none that is wrong", (_, spec, lines, wrong) => {
    accepts(spec(), story(...lines))
    // A story goes on after the wrong line only in the mind.
    for (const [at, line] of wrong) rejects(spec(), story(...lines.slice(0, at), line).map(asPending))
  })
})

/** What is left open when a story is cut short says nothing. */
const asPending = (entry: Entry): Entry => (entry.status === "blocked" ? { ...entry, status: "pending" } : entry)

/** A primitive as its model has it: an operation as an effect, or nothing when a sensible program would not do it now. */
type Subject = () => {
  readonly spec: Spec
  readonly perform: (operation: any) => Effect.Effect<any, any> | undefined
  /** Whether an operation is chosen only when nothing else runs, since it depends on who holds the lock. */
  readonly quiet?: boolean
}

/** Runs operations one after the other, each in a fiber of its own, with interruptions in between. */
const explored = (subject: Subject, script: ReadonlyArray<Scripted>): Effect.Effect<ReadonlyArray<Entry>> =>
  Effect.gen(function* () {
    const recorder = Linearizable.recorder<any, any>({ onInterrupt: "withdrawn" })
    const { perform, quiet } = subject()
    const rest = Effect.repeatN(Effect.yieldNow(), 20)
    const fibers: Array<Fiber.RuntimeFiber<unknown, unknown>> = []
    for (const [index, [operation, yields, interrupt]] of script.entries()) {
      if (quiet) yield* rest
      const effect = perform(operation)
      if (effect !== undefined) {
        const fiber = yield* Effect.forkDaemon(Effect.exit(recorder.effect(`${index}`, operation, effect)))
        fibers.push(fiber)
      }
      for (let n = 0; n < yields; n++) yield* Effect.yieldNow()
      // What has run and not ended is parked, since nothing here yields.
      if (yields > 0) script.slice(0, index + 1).forEach((_, who) => recorder.waiting(`${who}`))
      const victim = fibers[interrupt]
      if (victim !== undefined) yield* Fiber.interruptFork(victim)
    }
    yield* rest
    const history = recorder.historyAtRest
    yield* Effect.forEach(fibers, (fiber) => Fiber.interruptFork(fiber), { discard: true })
    return history
  })

/** What is done, how long is waited after that, and the how manieth fiber is then interrupted. */
type Scripted = readonly [operation: any, yields: number, interrupt: number]

/** Locks by scopes, which can be closed whenever somebody holds the lock. */
const locking = (mutex: Mutex.Mutex) => {
  const held: Array<Scope.CloseableScope> = []
  return {
    acquire: (priority = 0): Effect.Effect<void> =>
      Effect.flatMap(Scope.make(), (scope) =>
        Effect.map(Scope.extend(mutex.acquire({ priority }), scope), () => void held.push(scope))
      ),
    release: (): Effect.Effect<void> | undefined => {
      const scope = Effect.runSync(mutex.isLocked) ? held.pop() : undefined
      return scope && Scope.close(scope, Exit.void)
    }
  }
}

const subjects: ReadonlyArray<readonly [string, Subject, ReadonlyArray<unknown>]> = [
  ...(["fifo", "throughput"] as const).map(
    (fairness) =>
      [
        `a semaphore (${fairness})`,
        () => {
          const semaphore: any = Semaphore.makeUnsafe({ permits: 3, fairness })
          return {
            spec: models.semaphore(3, fairness),
            perform: ([name, n, priority]: any) =>
              name === "releaseAll" ? semaphore.releaseAll : semaphore[name](n, { priority })
          }
        },
        [
          ...[1, 2, 3, 4].map((n) => ["take", n]),
          ...[1, 2, 3].map((n) => ["release", n]),
          ["take", 1, 1],
          ["tryTake", 1],
          ["tryTake", 2, 1],
          ["releaseAll"],
          ["resize", 2],
          ["resize", 0],
          ["resize", 4]
        ]
      ] as const
  ),
  [
    "a mutex",
    () => {
      const mutex = Mutex.makeUnsafe()
      const { acquire, release } = locking(mutex)
      return {
        spec: models.mutex(),
        perform: ([name, priority]) =>
          name === "isLocked" ? mutex.isLocked : name === "acquire" ? acquire(priority) : release()
      }
    },
    [["acquire"], ["acquire"], ["acquire", 1], ["release"], ["release"], ["isLocked"]]
  ],
  [
    "a guarded value",
    () => {
      const guarded: any = Guarded.makeUnsafe(1)
      return {
        spec: models.guarded(1),
        perform: ([name, f]) =>
          name === "get"
            ? guarded.get
            : name === "updateEffect"
              ? guarded.updateEffect((n: number) =>
                  Effect.zipRight(Effect.yieldNow(), Effect.try({ try: () => f(n), catch: (e) => e }))
                )
              : guarded[name](f)
      }
    },
    [
      ["get"],
      ["set", 5],
      ["update", (n: number) => n * 2],
      ["modify", (n: number) => [n, n + 1]],
      ["updateEffect", (n: number) => n * 3],
      ["updateEffect", () => fail("no")]
    ]
  ],
  [
    "an event",
    () => {
      const event: any = Event.makeUnsafe()
      return { spec: models.event(), perform: ([name]) => event[name] }
    },
    [["wait"], ["wait"], ["set"], ["clear"], ["pulse"], ["isSet"]]
  ],
  [
    "a condition",
    () => {
      const mutex = Mutex.makeUnsafe()
      const condition = Condition.makeUnsafe(mutex)
      const { acquire, release } = locking(mutex)
      return {
        quiet: true,
        spec: models.condition(),
        perform: ([name, n]) =>
          name === "acquire"
            ? acquire()
            : name === "release"
              ? release()
              : name === "notify"
                ? condition.notify(n)
                : condition[name as "wait" | "notifyAll"]
      }
    },
    [["acquire"], ["acquire"], ["release"], ["wait"], ["wait"], ["notify"], ["notify", 2], ["notifyAll"]]
  ],
  ...(["withdraw", "break"] as const).map(
    (onInterrupt) =>
      [
        `a barrier (${onInterrupt})`,
        () => {
          const barrier: any = Barrier.makeUnsafe(3, { onInterrupt })
          return { spec: models.barrier(3, onInterrupt), perform: ([name]: any) => barrier[name] }
        },
        [["await"], ["await"], ["await"], ["await"], ["reset"], ["abort"], ["isBroken"]]
      ] as const
  ),
  ...(
    [
      { capacity: 2 },
      {},
      { capacity: 1, order: "lifo" },
      { capacity: 2, strategy: "dropping" },
      { capacity: 2, strategy: "sliding", order: (a: number, b: number) => (a % 2) - (b % 2) },
      { capacity: 2, strategy: "sliding" },
      { capacity: 2, strategy: "reject", order: (a: number, b: number) => b - a }
    ] as ReadonlyArray<models.WorkQueueOptions<number>>
  ).map(
    (options) =>
      [
        `a queue (${JSON.stringify(options)}${typeof options.order === "function" ? " in an order" : ""})`,
        () => {
          const queue: any = WorkQueue.makeUnsafe(options)
          let taken = 0
          const count = (result: any) => {
            taken += Array.isArray(result) ? result.length : Option.isOption(result) ? Number(Option.isSome(result)) : 1
          }
          const perform = ([name, value]: any) => {
            if (name === "taskDone") return taken > 0 ? Effect.suspend(() => (taken--, queue.taskDone)) : undefined
            const effect = typeof queue[name] === "function" ? queue[name](value) : queue[name]
            return /^(try)?take/i.test(name) ? Effect.tap(effect, (result) => Effect.sync(() => count(result))) : effect
          }
          return { spec: models.workQueue(options), perform }
        },
        [
          ...[1, 2, 3].map((n) => ["offer", n]),
          ["offer", 4],
          ["tryOffer", 5],
          ["offerAll", [6, 7, 8]],
          ["take"],
          ["take"],
          ["takeAll"],
          ["takeUpTo", 2],
          ["tryTake"],
          ["peek"],
          ["size"],
          ["join"],
          ["taskDone"],
          ["taskDone"],
          ["end"],
          ["fail", "why"],
          ["shutdown"]
        ]
      ] as const
  )
]

describe("our primitives", () => {
  it.each(subjects)("%s is what its model says", async (_, subject, operations) => {
    const script = fc.array(fc.tuple(fc.constantFrom(...operations), fc.nat(3), fc.nat(12)), { maxLength: 9 })
    await fc.assert(
      fc.asyncProperty(script, async (script) => {
        accepts(subject().spec, await Effect.runPromise(explored(subject, script)))
      }),
      { numRuns: runs }
    )
  })

  it("as promises say themselves when they stand in line", async () => {
    const recorder = Linearizable.recorder<any, any>()
    const semaphore = new Promises.Semaphore(1)
    const take = (who: string) => recorder.promise(who, ["take", 1], () => semaphore.acquire().then(() => 1))
    const all = [take("a"), take("b"), take("c")]
    await all[0]
    const b = (status: "blocked"): Entry => ({ ...recorder.history[1]!, status }) as Entry
    accepts(models.semaphore(1), recorder.historyAtRest)
    accepts(models.semaphore(1), [recorder.historyAtRest[0]!, b("blocked")])
    assert.isBelow(recorder.history[1]!.waiting!, recorder.history[2]!.called)
  })
})
