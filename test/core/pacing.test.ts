import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import { Pacer, type Runner } from "../../src/core/pacer.js"
import * as core from "../../src/core/pacing.js"
import { wake } from "../../src/core/ticket.js"
import type { Time } from "../../src/core/timekeeper.js"
import type { Timer } from "../../src/core/timers.js"
import { TestTicket } from "../utils/tickets.js"

/** A clock that the test moves, and that rings each timer at its time, or a little early. */
class TestTime implements Time {
  at = 1000
  sets = 0
  readonly timers = new Map<Timer, { at: number; idle: boolean }>()

  now() {
    return this.at
  }
  set(timer: Timer, at: number, idle = false) {
    assert.isBelow(at, Infinity, "a timer that never rings")
    this.sets++
    timer.at = at
    this.timers.set(timer, { at, idle })
  }
  clear(timer: Timer) {
    this.timers.delete(timer)
  }
  advance(ms: number, early = 0) {
    const end = this.at + ms
    for (;;) {
      const [timer, { at }] = [...this.timers].sort(([, a], [, b]) => a.at - b.at)[0] ?? [undefined, { at: Infinity }]
      if (timer === undefined || at > end) break
      this.at = Math.max(this.at, at - early)
      this.timers.delete(timer)
      timer.fire()
    }
    this.at = Math.max(this.at, end)
  }
}

interface Call {
  readonly n: number
  readonly at: number
  readonly run: core.Run
  readonly ticket: TestTicket<core.Run, core.End>
  gone: boolean
}

/** A pacer whose runs end when they are told to, and a record of everything. */
class World implements Runner {
  readonly time = new TestTime()
  readonly state: core.State
  readonly pacer: Pacer
  readonly runs = new Set<core.Run>()
  readonly running = new Map<core.Run, number>()
  readonly starts: Array<{ run: core.Run; at: number; args: ReadonlyArray<unknown>; flushed: boolean }> = []
  readonly calls: Array<Call> = []
  readonly reports: Array<unknown> = []
  readonly flushes: Array<TestTicket<core.Flush, undefined>> = []
  n = 0

  constructor(kind: core.Kind, options: Partial<core.Options> = {}) {
    this.state = core.make("here", kind, { wait: 100, ...options })
    this.pacer = new Pacer(this.state, this.time, (_n, key) => key, this)
  }

  start(run: core.Run): void {
    const { line } = run
    for (const other of this.running.keys()) assert.notStrictEqual(other.line.key, line.key, "I1: runs overlap")
    this.running.set(run, this.time.at)
    this.starts.push({ run, at: this.time.at, args: run.args, flushed: run.flushes !== undefined })
  }

  report(failure: core.End, told: () => void): void {
    this.reports.push(failure.value)
    told()
  }

  call(key = 0, waits = true): Call | undefined {
    const n = ++this.n
    const run = this.pacer.call([n, key])
    if (run === undefined) return undefined
    this.runs.add(run)
    const ticket = new TestTicket<core.Run, core.End>(run, 0)
    if (waits) wake(core.wait(run, ticket))
    const call = { n, at: this.time.at, run, ticket, gone: !waits }
    this.calls.push(call)
    return call
  }

  end(failed = false): void {
    const [run] = this.running.keys()
    if (run === undefined) return
    this.running.delete(run)
    this.pacer.ended(run, { failed, value: failed ? run : "fine", account: undefined })
  }

  leave(): void {
    const call = this.calls.find(({ gone }) => !gone)
    if (call === undefined) return
    call.gone = true
    this.pacer.leave(call.run, call.ticket)
  }

  flush(): void {
    const flush = this.pacer.flush()
    const ticket = new TestTicket<core.Flush, undefined>(flush, 0)
    wake(core.awaitFlush(flush, ticket))
    this.flushes.push(ticket)
  }

  verify(): void {
    core.check(this.state, this.time.at, this.runs)
    for (const line of this.state.lines.values()) {
      const timer = line.timer && this.time.timers.get(line.timer)
      if (line.running !== undefined) assert.isUndefined(timer, "a timer while it runs")
      else assert.isAtMost(timer!.at, core.wakeAt(this.state, line), "the timer rings too late")
      if (timer !== undefined) assert.strictEqual(timer.idle, line.pending === undefined, "whether anybody waits")
    }
  }

  drain(): void {
    for (let i = 0; i < 50 && (this.running.size > 0 || core.pending(this.state) > 0); i++) {
      while (this.running.size > 0) this.end()
      this.time.advance(1000)
    }
    this.time.advance(1000)
  }
}

const command = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("call" as const), key: fc.nat(1), waits: fc.boolean() }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("advance" as const), ms: fc.nat(130), early: fc.nat(1) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("end" as const), failed: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("leave" as const, "flush" as const, "cancel" as const) }) }
)

const options = fc.record({
  edges: fc.constantFrom<core.Edges>("leading", "trailing", "both"),
  maxWait: fc.constantFrom(undefined, 150, 100)
})

/** Runs commands, and gives the world when everything has come to rest. */
const play = (
  kind: core.Kind,
  { edges, maxWait }: { edges: core.Edges; maxWait: number | undefined },
  commands: ReadonlyArray<typeof command extends fc.Arbitrary<infer C> ? C : never>
): World => {
  const world = new World(kind, { edges, maxWait: kind === "Debounce" && edges !== "leading" ? maxWait : undefined })
  for (const each of commands) {
    if (each.do === "call") world.call(each.key, each.waits)
    else if (each.do === "advance") world.time.advance(each.ms, each.early)
    else if (each.do === "end") world.end(each.failed)
    else if (each.do === "leave") world.leave()
    else if (each.do === "flush") world.flush()
    else world.pacer.cancel()
    world.verify()
  }
  world.drain()
  world.verify()
  return world
}

const plays = (kind: core.Kind, property: (world: World) => void) =>
  fc.assert(fc.property(options, fc.array(command, { maxLength: 60 }), (options, commands) => property(play(kind, options, commands))), { numRuns: 400 }) // prettier-ignore

const kinds: ReadonlyArray<core.Kind> = ["Debounce", "Throttle"]

for (const kind of kinds) {
  describe(`the core of a ${kind.toLowerCase()}, whatever happens`, () => {
    it("runs of a line do not overlap, and what is due has a timer (I1)", () => plays(kind, () => {}))

    it("every call is covered by a run with the latest arguments, and nobody waits for ever (I2)", () =>
      plays(kind, (world) => {
        const { calls, starts } = world
        for (const { gone, run, ticket } of calls) {
          assert.include(["ended", "cancelled"], run.status)
          if (!gone) assert.deepStrictEqual([ticket.wakes, ticket.result], [1, run.end])
        }
        for (const { args, run } of starts) {
          const covered = calls.filter((call) => call.run === run).slice(0, run.calls)
          assert.strictEqual(covered.length, run.calls)
          assert.strictEqual(args[0], covered.at(-1)!.n)
        }
        assert.isTrue(world.flushes.every(({ wakes }) => wakes === 1))
      }))

    it("a line is forgotten when its window is over, and leaves no timer (I3)", () =>
      plays(kind, ({ state, time }) => {
        assert.strictEqual(state.lines.size, 0)
        assert.strictEqual(time.timers.size, 0)
      }))

    it("a failure has its callers or is reported, once (I5)", () =>
      plays(kind, ({ calls, reports, runs }) => {
        assert.strictEqual(new Set(reports).size, reports.length)
        for (const run of runs) {
          if (run.status !== "ended" || !run.end!.failed) continue
          const heard = calls.some((call) => call.run === run && !call.gone)
          if (!heard) assert.include(reports, run)
        }
      }))
  })
}

describe("the core of a throttle", () => {
  it("begins a run at least an interval after the one before, whatever happens, unless it was flushed (I4)", () =>
    plays("Throttle", ({ starts }) => {
      for (const key of [0, 1]) {
        const mine = starts.filter(({ run }) => run.line.key === key)
        mine.forEach(({ at, flushed }, i) => {
          const before = mine[i - 1]
          // A timer may ring a millisecond early.
          if (before !== undefined && !flushed) assert.isAtLeast(at - before.at, 99)
        })
      }
    }))
})

describe("a throttle whose run is started, and begins later", () => {
  it("counts the interval from when it begins, also for what came before that (I4)", () => {
    for (const flushed of [false, true]) {
      const world = new World("Throttle")
      const first = world.call()!.run
      world.time.advance(120)
      world.call()
      if (flushed) world.flush()
      world.pacer.begun(first)
      world.end()
      world.verify()
      assert.strictEqual(world.starts.length, flushed ? 2 : 1)
      world.time.advance(99)
      assert.strictEqual(world.starts.length, flushed ? 2 : 1)
      world.time.advance(1)
      assert.strictEqual(world.starts.length, 2)
    }
  })

  it("a debounce does not mind", () => {
    const world = new World("Debounce", { edges: "leading" })
    const first = world.call()!.run
    world.time.advance(120)
    world.call()
    world.pacer.begun(first)
    world.end()
    assert.strictEqual(world.starts.length, 2)
  })
})

describe("the core of a debounce", () => {
  it("begins a trailing run when there was no call for the wait, or after maxWait, if nothing runs then", () =>
    fc.assert(
      fc.property(fc.array(fc.nat(140), { minLength: 1, maxLength: 40 }), (pauses) => {
        const world = new World("Debounce", { maxWait: 250 })
        const expected: Array<number> = []
        let first = -Infinity
        let last = -Infinity
        let due = Infinity
        for (const pause of pauses) {
          world.time.advance(pause)
          while (world.running.size > 0) world.end()
          if (due <= world.time.at) {
            expected.push(due)
            first = -Infinity
          }
          world.call()
          last = world.time.at
          if (first === -Infinity) first = last
          due = Math.min(last + 100, first + 250)
        }
        expected.push(due)
        world.drain()
        assert.deepStrictEqual(
          world.starts.map(({ at }) => at),
          expected
        )
      })
    ))

  it("sets a timer for each wait that passes, and not for each call", () => {
    const world = new World("Debounce")
    for (let i = 0; i < 10_000; i++) {
      world.call(0, false)
      if (i % 100 === 99) world.time.advance(1)
    }
    world.drain()
    // 100 ms of calls: one is set at the first, and again when it rings after 100 ms.
    assert.deepStrictEqual([world.starts.length, world.time.sets], [1, 2])
  })

  it("keeps no arguments of a run that is over", () => {
    const world = new World("Debounce", { edges: "leading" })
    const call = world.call()!
    world.end()
    assert.deepStrictEqual([call.run.args, call.run.line.latest], [[], call.run])
  })
})

describe("the timers of a leading edge", () => {
  for (const kind of kinds) {
    it(`of a ${kind.toLowerCase()}: none while its run is in progress, and one for its window, however many calls come`, () => {
      const world = new World(kind, { edges: "leading" })
      for (let i = 0; i < 10_000; i++) world.call(0, false)
      assert.deepStrictEqual([world.starts.length, world.time.sets], [1, 0])
      world.end()
      for (let i = 0; i < 10_000; i++) world.call(0, false)
      world.verify()
      assert.deepStrictEqual([world.starts.length, world.time.sets], [1, 1])
      assert.deepStrictEqual(
        [...world.time.timers.values()].map(({ idle }) => idle),
        [true],
        "nobody waits for it"
      )
      world.time.advance(99)
      assert.strictEqual(world.state.lines.size, 1)
      world.time.advance(1)
      assert.deepStrictEqual([world.state.lines.size, world.time.timers.size, world.time.sets], [0, 0, 1])
    })

    it(`of a ${kind.toLowerCase()}: none for a run that takes longer than its window`, () => {
      const world = new World(kind, { edges: "leading" })
      world.call()
      world.time.advance(100)
      world.end()
      assert.deepStrictEqual([world.state.lines.size, world.time.sets], [0, 0])
    })
  }

  it("of a debounce: one for each wait that passes while calls go on; of a throttle: one for each run", () => {
    for (const kind of kinds) {
      const world = new World(kind, { edges: "leading" })
      for (let i = 0; i < 10_000; i++) {
        world.call(0, false)
        while (world.running.size > 0) world.end()
        if (i % 10 === 9) world.time.advance(1)
      }
      world.time.advance(200)
      // Calls for 999 ms, and the last window.
      assert.deepStrictEqual([world.starts.length, world.time.timers.size], [kind === "Debounce" ? 1 : 10, 0])
      assert.isAtMost(world.time.sets, 12)
    }
  })
})

describe("what is closed", () => {
  it("takes no call, and is at rest when the last run has ended (I6)", () => {
    for (const kind of kinds) {
      for (const onClose of ["flush", "cancel"] as const) {
        const world = new World(kind, { onClose, edges: "both" })
        world.call()
        const pending = world.call()!
        const flush = world.pacer.close()
        const ticket = new TestTicket<core.Flush, undefined>(flush, 0)
        wake(core.awaitFlush(flush, ticket))
        assert.isUndefined(world.call())
        world.verify()
        assert.deepStrictEqual([ticket.wakes, pending.run.status], [0, onClose === "flush" ? "pending" : "cancelled"])
        world.end()
        world.end()
        world.verify()
        assert.deepStrictEqual([ticket.wakes, world.time.timers.size], [1, 0])
        assert.deepStrictEqual(core.stats(world.state), { keys: 0, pending: 0, running: 0, isClosed: true })
        assert.isTrue(Object.isFrozen(core.stats(world.state)))
      }
    }
  })

  it("has nothing to wait for when nothing runs; a second time neither", () => {
    const world = new World("Throttle")
    for (let i = 0; i < 2; i++) {
      const flush = world.pacer.close()
      const ticket = new TestTicket<core.Flush, undefined>(flush, 0)
      wake(core.awaitFlush(flush, ticket))
      assert.strictEqual(ticket.wakes, 1)
    }
  })

  it("forgets a window that is still open", () => {
    const world = new World("Throttle")
    world.call()
    world.end()
    assert.strictEqual(world.time.timers.size, 1)
    world.pacer.close()
    assert.deepStrictEqual([world.time.timers.size, world.state.lines.size], [0, 0])
  })
})

describe("a pacer", () => {
  it("goes on in the skin's own time after a run, if that wants to, and not before it has ended", () => {
    const world = new World("Throttle")
    const going: Array<() => void> = []
    const runner: Runner = {
      start: (run) => world.start(run),
      report: (failure, told) => world.report(failure, told),
      after: (_, go) => void going.push(go)
    }
    const pacer = new Pacer(world.state, world.time, undefined, runner)
    const first = pacer.call([1])!
    const second = pacer.call([2])!
    pacer.call([3])
    assert.strictEqual(going.length, 1)
    world.time.advance(150)
    world.running.clear()
    pacer.ended(first, { failed: false, value: 1, account: undefined })
    assert.strictEqual(second.status, "pending")
    going[0]!()
    assert.deepStrictEqual([second.status, world.starts.length], ["running", 2])
    going[0]!()
    assert.strictEqual(world.starts.length, 2)
  })
})

describe("bad options", () => {
  const refused = (kind: core.Kind, options: any, message: string, type: any = RangeError) =>
    assert.throws(() => core.make("here", kind, options), type, message)

  it("are refused, with their name", () => {
    for (const wait of [-1, NaN])
      refused("Debounce", { wait }, `here: wait must be 0 or more milliseconds, got ${wait}`)
    refused("Debounce", { wait: Infinity }, "here: wait must be finite, got Infinity")
    refused("Throttle", { wait: Infinity }, "here: interval must be finite, got Infinity")
    refused("Throttle", { wait: -1 }, "here: interval must be 0 or more milliseconds, got -1")
    refused("Throttle", { wait: "1" }, 'here: interval must be 0 or more milliseconds, got "1"', TypeError)
    refused("Debounce", { wait: 10, maxWait: 9 }, "here: maxWait must be at least the wait of 10 ms, got 9")
    refused("Debounce", { wait: 10, maxWait: NaN }, "here: maxWait must be 0 or more milliseconds, got NaN")
    refused("Debounce", { wait: 10, maxWait: 20, edges: "leading" }, "here: maxWait must be given together with a trailing edge, got 20") // prettier-ignore
    refused("Debounce", { wait: 1, edges: "none" }, 'here: edges must be one of "leading", "trailing", "both", got "none"') // prettier-ignore
    refused("Debounce", { wait: 1, onClose: "stop" }, 'here: onClose must be one of "flush", "cancel", got "stop"')
    refused("Debounce", { wait: 1, name: 5 }, "here: name must be a string, got 5", TypeError)
    refused("Debounce", null, "here: options must be an object, got null", TypeError)
  })

  it("are those, and no others", () => {
    const { maxWait, wait } = core.make("here", "Debounce", { wait: 0, maxWait: Infinity, edges: "leading" })
    assert.deepStrictEqual([wait, maxWait], [0, Infinity])
    assert.strictEqual(core.make("here", "Debounce", { wait: 5, maxWait: 5 }).maxWait, 5)
    const { leading, onClose, trailing } = core.make("here", "Debounce", { wait: 5 })
    assert.deepStrictEqual([leading, trailing, onClose], [false, true, "flush"])
    const throttle = core.make("here", "Throttle", { wait: 5 })
    assert.deepStrictEqual([throttle.leading, throttle.trailing], [true, true])
  })
})

describe("the errors", () => {
  it("say what was not called, and why", () => {
    const messages = kinds.flatMap((kind) => {
      const state = core.make("here", kind, { wait: 1 })
      return (["cancelled", "closed"] as const).map((reason) => {
        const error = core.cancellation(state, reason)
        assert.deepStrictEqual([error._tag, error.name, error.reason], [`${kind}Cancelled`, `${kind}Cancelled`, reason])
        return error.message
      })
    })
    assert.deepStrictEqual(messages, [
      "the debounced call was cancelled",
      "the debounced function was not called: it is closed",
      "the throttled call was cancelled",
      "the throttled function was not called: it is closed"
    ])
  })
})

describe("windows", () => {
  const begun = (kind: core.Kind, options: Partial<core.Options>) => {
    const state = core.make("here", kind, { wait: 100, ...options })
    const line = core.lineOf(state, "key")
    const run = core.call(state, line, [], 0)
    return { state, line, run }
  }
  const ended: core.End = { failed: false, value: undefined, account: undefined }

  it("the end of a window is outside of it: a call at that time is a leading edge again", () => {
    const { line, run, state } = begun("Throttle", { edges: "leading" })
    assert.strictEqual(core.start(state, line, 0), run)
    assert.strictEqual(core.wakeAt(state, line), Infinity)
    core.end(run, ended)
    assert.strictEqual(core.wakeAt(state, line), 100)
    assert.strictEqual(core.call(state, line, [], 99), run)
    const next = core.call(state, line, [], 100)
    assert.notStrictEqual(next, run)
    assert.isTrue(next.atOnce)
  })

  it("a throttle without a leading edge waits an interval from the first call, and then from each start", () => {
    const { line, run, state } = begun("Throttle", { edges: "trailing" })
    core.call(state, line, [], 60)
    assert.strictEqual(core.wakeAt(state, line), 100)
    assert.isUndefined(core.start(state, line, 99))
    assert.strictEqual(core.start(state, line, 100), run)
    core.end(run, ended)
    core.call(state, line, [], 150)
    assert.strictEqual(core.wakeAt(state, line), 200)
  })

  it("with both edges, a call behind a long run goes as soon as that has ended, and not an interval later", () => {
    const { line, run, state } = begun("Throttle", { edges: "both" })
    core.start(state, line, 0)
    const next = core.call(state, line, [], 150)
    core.end(run, ended)
    assert.strictEqual(core.start(state, line, 160), next)
  })

  it("after a cancel a debounce begins anew, and a throttle keeps the interval since what has run", () => {
    for (const [kind, atOnce, until] of [
      ["Debounce", true, 160],
      ["Throttle", false, 100]
    ] as const) {
      const { line, run, state } = begun(kind, { edges: "both" })
      core.start(state, line, 0)
      core.end(run, ended)
      const pending = core.call(state, line, [], 50)
      const { runs } = core.cancel(state, [line], { ...ended, failed: true })
      assert.deepStrictEqual([runs.length, runs[0] === pending, pending.status], [1, true, "cancelled"])
      assert.strictEqual(core.call(state, line, [], 60).atOnce, atOnce, kind)
      assert.strictEqual(line.until, until, kind)
    }
  })

  it("a line is not forgotten while it has a run; and one that has come since is left alone", () => {
    const { line, run, state } = begun("Debounce", { edges: "both" })
    assert.isFalse(core.retire(state, line, 1000))
    core.start(state, line, 0)
    assert.isFalse(core.retire(state, line, 1000))
    core.end(run, ended)
    assert.isFalse(core.retire(state, line, 99))
    assert.isTrue(core.retire(state, line, 100))
    const other = core.lineOf(state, "key")
    assert.isTrue(core.retire(state, line, 100))
    assert.strictEqual(state.lines.get("key"), other)
  })

  it("a failure is for the report once, and not when somebody hears of it (I5)", () => {
    const failed = { ...ended, failed: true }
    const heard = begun("Throttle", {})
    core.wait(heard.run, new TestTicket<core.Run, core.End>(heard.run, 0))
    core.start(heard.state, heard.line, 0)
    assert.isUndefined(core.late(heard.run))
    core.end(heard.run, failed)
    assert.isUndefined(core.late(heard.run))
    const { line, run, state } = begun("Throttle", {})
    core.start(state, line, 0)
    core.end(run, failed)
    assert.deepStrictEqual([core.late(run), core.late(run)], [failed, undefined])
    assert.strictEqual(core.unheard, "it failed, and nobody waits for it")
  })

  it("who no longer waits for a flush is not woken by it", () => {
    const { line, run, state } = begun("Throttle", {})
    core.start(state, line, 0)
    const flush = core.flush([line])
    const ticket = new TestTicket<core.Flush, undefined>(flush, 0)
    core.awaitFlush(flush, ticket)
    core.leaveFlush(flush)
    core.end(run, ended)
    assert.isUndefined(core.told(run))
    assert.isFalse(ticket.settled)
  })

  it("how many run, and how many calls wait, of all keys", () => {
    const { line, run, state } = begun("Throttle", { name: "name" })
    assert.strictEqual(state.name, "name")
    core.start(state, line, 0)
    core.call(state, core.lineOf(state, "other"), [], 0)
    core.call(state, core.lineOf(state, "other"), [], 0)
    assert.deepStrictEqual(core.stats(state), { keys: 2, pending: 2, running: 1, isClosed: false })
    core.end(run, ended)
    assert.strictEqual(core.stats(state).running, 0)
  })

  it("check finds what does not hold", () => {
    const failed = { ...ended, failed: true }
    const broken = (phase: "pending" | "running" | "ended", change: (line: any, run: any, state: any) => void) => {
      const { line, run, state } = begun("Throttle", {})
      core.wait(run, new TestTicket<core.Run, core.End>(run, 0))
      if (phase !== "pending") core.start(state, line, 0)
      if (phase === "ended") core.end(run, failed)
      core.check(state, 0, [run])
      core.check(state, 0)
      change(line, run, state)
      let message = "nothing"
      try {
        core.check(state, 50, [run])
      } catch (error) {
        message = (error as Error).message
      }
      return message
    }
    const found = (phase: "pending" | "running" | "ended", change: Parameters<typeof broken>[1], message: string) =>
      assert.strictEqual(broken(phase, change), message)
    found("running", (_, run) => (run.status = "ended"), "I1: the run in progress is ended")
    found("running", (line) => (line.latest = undefined), "I1: the run in progress is running")
    found("pending", (_, run) => (run.status = "running"), "I1: the pending run is running")
    found("ended", (line) => (line.until = 50), "I3: a line that nothing needs is kept")
    found("ended", (line) => (line.until = 51), "nothing")
    found("ended", (_, __, state) => (state.closed = true), "I3: a line that nothing needs is kept")
    found("running", (line) => (line.until = 50), "nothing")
    found("pending", (line) => (line.until = 50), "nothing")
    found("pending", (_, run) => (run.end = ended), "I2: 1 wait for a run that has ended")
    found("pending", (line) => ((line.pending = undefined), (line.until = 51)), "I2: a run was lost")
    found("running", (_, __, state) => state.lines.clear(), "I3: a line that is needed was forgotten")
    found("ended", (_, run) => (run.heard = -1), "I5: more have gone than were there")
    found("running", (_, run) => (run.reported = true), "I5: what is no failure was reported")
    found("ended", (_, run) => ((run.reported = true), (run.end = ended)), "I5: what is no failure was reported")
    found("ended", (_, run) => (run.reported = true), "nothing")
    assert.notStrictEqual(
      broken("pending", (_, run) => run.waiting.size++),
      "nothing"
    )
  })
})
