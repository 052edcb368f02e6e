import { assert, describe, it } from "@effect/vitest"
import * as core from "../../src/core/breaker.js"
import { Circuit, type Judgement } from "../../src/core/circuit.js"

/** A circuit on clocks that the test moves, and what was told of it. */
const make = (options: Partial<core.Options> = {}, judgement: Judgement = {}) => {
  const time = { now: 1_000, wall: 50_000, reads: 0 }
  const changes: Array<readonly [from: string, to: string, retryAfter: number | undefined]> = []
  const source = {
    now: () => {
      time.reads++
      return time.now
    },
    wall: () => time.wall
  }
  const state = core.make("here", {
    name: "db",
    trip: { kind: "consecutive", failures: 2 },
    halfOpen: { after: 100 },
    ...options
  })
  const circuit = new Circuit(state, source, judgement, ({ from, retryAfter, to }) =>
    changes.push([from, to, retryAfter])
  )
  const begin = (): number => {
    const epoch = circuit.begin()
    if (typeof epoch !== "number") throw epoch
    return epoch
  }
  return { begin, changes, circuit, state, time }
}

describe("core/circuit", () => {
  it("lets through, and tells of each change once it is made", () => {
    const { begin, changes, circuit, time } = make()
    circuit.failed(begin(), "no")
    assert.deepStrictEqual([circuit.phase(), changes], ["closed", []])
    circuit.failed(begin(), "no")
    time.now += 100
    assert.strictEqual(circuit.phase(), "halfOpen")
    circuit.succeeded(begin(), "yes")
    assert.deepStrictEqual(changes, [
      ["closed", "open", 100],
      ["open", "halfOpen", undefined],
      ["halfOpen", "closed", 0]
    ])
  })

  it("refuses with an error that says for how long, and reads the clock once for it; half open, not at all", () => {
    const { begin, changes, circuit, time } = make()
    circuit.trip(undefined)
    time.now += 40
    time.reads = 0
    const open = circuit.begin()
    assert.instanceOf(open, core.CircuitOpen)
    assert.deepInclude(open as core.CircuitOpen, { breaker: "db", retryAfter: 60 })
    assert.strictEqual(time.reads, 1)
    time.now += 60
    begin()
    time.reads = 0
    assert.deepInclude(circuit.begin() as core.CircuitOpen, { breaker: "db", retryAfter: undefined })
    assert.strictEqual(time.reads, 0)
    assert.strictEqual(changes.length, 2)
    assert.deepInclude(circuit.stats(), { state: "halfOpen", refused: 2, opened: 1 })
  })

  it("a success reads the clock only if the rule has to do with time", () => {
    for (const [trip, reads] of [
      [{ kind: "consecutive", failures: 2 }, 0],
      [{ kind: "time", window: 100, rate: 1 }, 1]
    ] as const) {
      const { begin, circuit, time } = make({ trip })
      circuit.succeeded(begin(), 1)
      assert.strictEqual(time.reads, reads)
    }
  })

  it("opened by hand when its time was over, it was half open in between", () => {
    const { changes, circuit, state, time } = make()
    circuit.trip(10)
    time.now += 9
    circuit.trip(10)
    time.now += 10
    circuit.trip(70)
    assert.deepStrictEqual(changes, [
      ["closed", "open", 10],
      ["open", "halfOpen", 0],
      ["halfOpen", "open", 70]
    ])
    assert.strictEqual(state.opened, 2)
    core.check(state)
    circuit.reset()
    circuit.reset()
    assert.deepStrictEqual(changes.slice(3), [["open", "closed", 0]])
  })

  it("who was interrupted does not count, and leaves his place", () => {
    const { begin, changes, circuit } = make()
    circuit.trip(0)
    circuit.leave(begin())
    assert.deepInclude(circuit.stats(), { state: "halfOpen", retryAfter: 0, calls: 0 })
    assert.strictEqual(changes.length, 2)
  })

  it("is judged, by value and by error; a judgement that throws is thrown, and the call does not count", () => {
    const { begin, circuit } = make(
      {},
      { isFailure: (error) => error === "no", isFailureResult: (value) => value === 503 }
    )
    circuit.failed(begin(), "not found")
    assert.strictEqual(circuit.stats().calls, 0)
    circuit.succeeded(begin(), 200)
    assert.strictEqual(circuit.stats().calls, 0)
    circuit.succeeded(begin(), 503)
    assert.strictEqual(circuit.stats().calls, 1)
    circuit.failed(begin(), "no")
    assert.strictEqual(circuit.phase(), "open")

    const wrong = () => {
      throw new Error("wrong")
    }
    const broken = make({}, { isFailure: wrong, isFailureResult: wrong })
    broken.circuit.trip(0)
    assert.throws(() => broken.circuit.failed(broken.begin(), "no"), "wrong")
    assert.throws(() => broken.circuit.succeeded(broken.begin(), 1), "wrong")
    assert.deepInclude(broken.circuit.stats(), { state: "halfOpen", retryAfter: 0, calls: 0 })
  })

  it("is saved by the calendar, restored by it, and tells if that is a change", () => {
    const one = make()
    one.circuit.trip(500)
    const saved = one.circuit.snapshot()
    assert.deepInclude(saved, { state: "open", until: 50_500 })
    const other = make()
    other.time.now = 7
    other.time.wall = 50_200
    other.circuit.restore("here", saved)
    assert.deepStrictEqual(other.changes, [["closed", "open", 300]])
    other.circuit.restore("here", saved)
    assert.strictEqual(other.changes.length, 1)
    assert.throws(() => other.circuit.restore("there", {} as never), /^there: /)
  })

  it("tells nobody when there is nobody to tell", () => {
    const { state } = make()
    const circuit = new Circuit(state, { now: () => 0, wall: () => 0 }, {}, undefined)
    circuit.trip(5)
    assert.strictEqual(circuit.phase(), "open")
  })
})
