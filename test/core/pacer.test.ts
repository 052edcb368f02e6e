import { assert, describe, it } from "@effect/vitest"
import { Pacer, type Runner } from "../../src/core/pacer.js"
import * as core from "../../src/core/pacing.js"
import { wake } from "../../src/core/ticket.js"
import type { Time } from "../../src/core/timekeeper.js"
import type { Timer } from "../../src/core/timers.js"
import { TestTicket } from "../utils/tickets.js"

/** What holds whatever happens is in pacing.test.ts. Here is who is told what, and of which key. */
class World implements Time {
  readonly state: core.State
  readonly pacer: Pacer
  readonly started: Array<core.Run> = []
  readonly reports: Array<unknown> = []
  readonly going: Array<() => void> = []
  /** The run that whoever asks is in. */
  inside: core.Run | undefined = undefined
  time = 0
  cleared = 0
  /** Whether anybody waits for the timer that was set last. */
  idle: boolean | undefined = undefined
  timers = new Map<Timer, number>()

  constructor(kind: core.Kind, options: Partial<core.Options> = {}, withAfter = false) {
    this.state = core.make("here", kind, { wait: 100, ...options })
    const runner: Runner = {
      start: (run) => void this.started.push(run),
      report: (failure, told) => this.report(failure, told),
      isInside: (run) => run === this.inside
    }
    const after = (_: core.Run, go: () => void) => void this.going.push(go)
    this.pacer = new Pacer(this.state, this, (key) => key, withAfter ? { ...runner, after } : runner)
  }

  report(failure: core.End, told: () => void): void {
    this.reports.push(failure.value)
    told()
  }
  now(): number {
    return this.time
  }
  set(timer: Timer, at: number, idle?: boolean): void {
    this.timers.set(timer, at)
    this.idle = idle
  }
  clear(timer: Timer): void {
    this.cleared++
    this.timers.delete(timer)
  }
  to(time: number): void {
    this.time = time
    for (const [timer, at] of Array.from(this.timers)) {
      if (at > time) continue
      this.timers.delete(timer)
      timer.at = at
      timer.fire()
    }
  }
  end(run: core.Run, failed = false): void {
    this.pacer.ended(run, { failed, value: "how it ended", account: undefined })
  }
  wait(run: core.Run): TestTicket<core.Run, core.End> {
    const ticket = new TestTicket<core.Run, core.End>(run, 0)
    wake(core.wait(run, ticket))
    return ticket
  }
}

const kinds: ReadonlyArray<core.Kind> = ["Debounce", "Throttle"]

describe("whoever waits inside of a run for that run", () => {
  for (const kind of kinds) {
    const message = `where: a run of the ${kind.toLowerCase()} waits for itself, and would never end`

    it(`is told so, rather than hang: ${kind}`, () => {
      const world = new World(kind, { edges: "both" })
      const run = world.pacer.call(["a"])!
      world.inside = run
      assert.throws(() => world.pacer.call(["a"], "where"), Error, message)
      assert.throws(() => world.pacer.flush("where"), Error, message)
      assert.throws(() => world.pacer.flush("where", "a"), Error, message)
      // What does not wait may be done.
      assert.isDefined(world.pacer.call(["a"]))
      world.pacer.flush(undefined)
      // Another key is another matter.
      assert.isDefined(world.pacer.call(["b"], "where"))
      assert.doesNotThrow(() => world.pacer.flush("where", "b"))
      assert.throws(() => world.pacer.flush("where"), Error, message)
      assert.isFalse(world.state.closed)
      assert.throws(() => world.pacer.close("where"), Error, message)
      // It is closed nevertheless.
      assert.isTrue(world.state.closed)
    })

    it(`others may wait, while it runs and when it does not: ${kind}`, () => {
      const world = new World(kind, { edges: "both" })
      const run = world.pacer.call(["a"], "where")!
      assert.doesNotThrow(() => world.pacer.call(["a"], "where"))
      assert.doesNotThrow(() => world.pacer.flush("where"))
      world.end(run)
      world.inside = undefined
      assert.doesNotThrow(() => world.pacer.close("where"))
    })
  }

  it("is not known to a skin that cannot tell: nobody is refused", () => {
    const world = new World("Throttle")
    const runner: Runner = { start: () => {}, report: () => {} }
    const pacer = new Pacer(world.state, world, undefined, runner)
    pacer.call([1], "where")
    assert.doesNotThrow(() => pacer.call([2], "where"))
  })
})

describe("one key of several", () => {
  it("is cancelled alone, and says of how many calls; those who waited hear why", () => {
    for (const kind of kinds) {
      const world = new World(kind, { edges: "trailing" })
      const run = world.pacer.call(["a"])!
      world.pacer.call(["a"])
      world.pacer.call(["b"])
      const ticket = world.wait(run)
      assert.strictEqual(world.pacer.cancel("none"), 0)
      assert.strictEqual(world.pacer.cancel("a"), 2)
      assert.strictEqual(ticket.wakes, 1)
      const { account, failed, value } = ticket.result!
      assert.deepStrictEqual(
        [failed, (value as any)._tag, (value as any).reason, account],
        [true, `${kind}Cancelled`, "cancelled", undefined]
      )
      assert.deepStrictEqual(core.stats(world.state), { keys: 1, pending: 1, running: 0, isClosed: false })
      world.pacer.call(["c"])
      world.pacer.call(["c"])
      assert.strictEqual(world.pacer.cancel(), 3)
      assert.strictEqual(world.timers.size, 0)
    }
  })

  it("is flushed alone", () => {
    const world = new World("Debounce")
    const [a, b] = [world.pacer.call(["a"]), world.pacer.call(["b"])]
    assert.strictEqual(world.pacer.flush(undefined, "none").left, 0)
    world.pacer.flush(undefined, "a")
    assert.deepStrictEqual([a!.status, b!.status], ["running", "pending"])
    world.pacer.flush()
    assert.strictEqual(b!.status, "running")
  })
})

describe("what is closed", () => {
  it("tells those whose call it drops that it is closed", () => {
    const world = new World("Debounce", { onClose: "cancel" })
    const ticket = world.wait(world.pacer.call(["a"])!)
    world.pacer.close()
    assert.strictEqual((ticket.result!.value as core.DebounceCancelled).reason, "closed")
    assert.deepStrictEqual(world.started, [])
  })
})

describe("a failure", () => {
  it("is reported once when its last caller has gone in the tick in which he was told", () => {
    const world = new World("Throttle")
    const run = world.pacer.call(["a"])!
    const [one, two] = [world.wait(run), world.wait(run)]
    world.end(run, true)
    assert.deepStrictEqual(world.reports, [])
    world.pacer.leave(run, one!)
    assert.deepStrictEqual(world.reports, [])
    world.pacer.leave(run, two!)
    assert.deepStrictEqual(world.reports, ["how it ended"])
  })
})

describe("a line has one timer", () => {
  it("that a new run sets anew, so that it rings in the context of whoever made that run; a call that joins does not", () => {
    const world = new World("Throttle")
    const first = world.pacer.call(["a"])!
    world.end(first)
    assert.deepStrictEqual([...world.timers.values()], [100])
    const { cleared } = world
    world.time = 10
    world.pacer.call(["a"])
    assert.strictEqual(world.cleared, cleared + 1)
    world.pacer.call(["a"])
    assert.strictEqual(world.cleared, cleared + 1)
    assert.strictEqual(world.timers.size, 1)
  })

  it("that is only moved when it has rung in vain", () => {
    const world = new World("Debounce")
    world.pacer.call(["a"])
    world.time = 50
    world.pacer.call(["a"])
    world.to(100)
    assert.deepStrictEqual([...world.timers.values()], [150])
    assert.strictEqual(world.cleared, 0)
    world.to(150)
    assert.strictEqual(world.started.length, 1)
  })
})

describe("a skin to whom it matters where it goes on", () => {
  it("goes on once for each run that is made during another, and not for one that nobody has called for", () => {
    const world = new World("Throttle", {}, true)
    const first = world.pacer.call(["a"])!
    world.pacer.flush()
    assert.strictEqual(world.going.length, 0)
    const second = world.pacer.call(["a"])!
    world.pacer.call(["a"])
    world.pacer.flush()
    assert.strictEqual(world.going.length, 1)
    world.end(first)
    assert.strictEqual(second.status, "pending")
    world.going[0]!()
    assert.strictEqual(second.status, "running")
    // Nothing came meanwhile: the line goes on by itself, to its end.
    world.end(second)
    assert.strictEqual(world.timers.size, 1)
    world.to(1000)
    assert.strictEqual(world.state.lines.size, 0)
  })
})

describe("a run that has ended", () => {
  it("begins the next that is due, and tells who has flushed it, also when it failed", () => {
    for (const isFailed of [false, true]) {
      const world = new World("Throttle")
      const first = world.pacer.call(["a"])!
      const second = world.pacer.call(["a"])!
      const flush = world.pacer.flush()
      const ticket = new TestTicket<core.Flush, undefined>(flush, 0)
      wake(core.awaitFlush(flush, ticket))
      world.end(first, isFailed)
      assert.deepStrictEqual([second.status, ticket.wakes], ["running", 0])
      world.end(second, isFailed)
      assert.strictEqual(ticket.wakes, 1)
      assert.strictEqual(world.reports.length, isFailed ? 2 : 0)
      assert.isTrue(world.idle, "nobody waits for the end of a window")
    }
  })

  it("is told to who has flushed it only when its failure is reported", () => {
    const world = new World("Throttle")
    const told: Array<() => void> = []
    const pacer = new Pacer(world.state, world, undefined, {
      start: () => {},
      report: (_, then) => void told.push(then)
    })
    const run = pacer.call([])!
    const flush = pacer.flush()
    const ticket = new TestTicket<core.Flush, undefined>(flush, 0)
    wake(core.awaitFlush(flush, ticket))
    pacer.ended(run, { failed: true, value: "why", account: undefined })
    assert.strictEqual(ticket.wakes, 0)
    told[0]!()
    assert.strictEqual(ticket.wakes, 1)
  })
})

describe("a throttle", () => {
  it("counts its interval from when the function is really called", () => {
    const world = new World("Throttle")
    const run = world.pacer.call(["a"])!
    world.time = 30
    world.pacer.begun(run)
    world.end(run)
    assert.deepStrictEqual([...world.timers.values()], [130])
  })

  it("has nothing to do for a call that an earlier run covers", () => {
    const world = new World("Throttle", { edges: "leading" })
    const run = world.pacer.call(["a"])!
    world.end(run)
    const { cleared } = world
    assert.strictEqual(world.pacer.call(["a"]), run)
    assert.strictEqual(world.cleared, cleared)
  })

  it("closed, runs what is pending as soon as it can, and takes no more calls", () => {
    const world = new World("Throttle")
    const first = world.pacer.call(["a"])!
    const second = world.pacer.call(["a"])!
    assert.isFalse(world.idle ?? false)
    world.pacer.close()
    assert.isUndefined(world.pacer.call(["a"]))
    world.end(first)
    assert.strictEqual(second.status, "running")
    world.end(second)
    assert.deepStrictEqual([world.state.lines.size, world.timers.size], [0, 0])
  })
})
