import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import * as board from "../../src/core/board.js"
import * as core from "../../src/core/executor.js"
import { type End, ExecutorClosed, ExecutorFull, Job, JobTimeout, WorkerDied, type Work } from "../../src/core/job.js"
import type { Worker } from "../../src/core/poolWorker.js"
import { type Chain, wake } from "../../src/core/ticket.js"
import * as waitList from "../../src/core/waitList.js"
import { TestTicket, ticketsOf } from "../utils/tickets.js"

class Call extends TestTicket<Job, End> {
  constructor(work: Partial<Work>, priority = 0) {
    super(
      new Job({
        name: "job",
        target: [undefined, "", []],
        context: undefined,
        transfer: undefined,
        timeout: Infinity,
        errors: [],
        ...work
      }),
      priority
    )
  }
}

class Warm extends TestTicket<number, WorkerDied | ExecutorClosed | undefined> {
  constructor(count: number) {
    super(count, 0)
  }
}

class Closing extends TestTicket<undefined, ReadonlyArray<string>> {
  constructor() {
    super(undefined, 0)
  }
}

const settings = (options: core.Options = {}, shared = true): core.Settings =>
  core.settings("here", { max: 2, idleTime: 1000, grace: 100, ...options }, { parallelism: 2, shared })

/** What a worker is at the other end: what it was sent and has not begun, what runs in it, and what it has said that nobody has heard. */
class Sim {
  readonly inbox: Array<{ readonly id: number; readonly slot: number; readonly call: Call }> = []
  readonly running: Array<{ readonly id: number; readonly call: Call }> = []
  readonly outbox: Array<"ready" | number> = []
  listens = false
  fate: "none" | "dismissed" | "killed" = "none"

  constructor(
    readonly worker: Worker,
    readonly concurrency: number
  ) {}

  /** Begins what it may, as the runner does. */
  begin(begun: (call: Call) => void): void {
    while (this.running.length < this.concurrency) {
      const next = this.inbox.shift()
      if (next === undefined) return
      if (this.worker.board !== undefined && !board.begin(this.worker.board, next.slot, next.id)) continue
      this.running.push(next)
      begun(next.call)
    }
  }
}

/** A pool whose workers, clock and messages are moved by hand. */
class World {
  readonly state: core.State
  readonly sims = new Map<Worker, Sim>()
  readonly calls: Array<Call> = []
  /** How often the function of a call was begun. */
  readonly begun = new Map<Call, number>()
  readonly bad = new Set<Call>()
  readonly warming: Array<Warm> = []
  readonly reports: Array<core.Report> = []
  now = 0

  constructor(settings: core.Settings) {
    this.state = core.make(settings)
    core.fill(this.state, settings.min, this.now)
    this.did(undefined)
  }

  warm(count: number): Warm {
    const ticket = new Warm(count)
    this.warming.push(ticket)
    this.did(core.warm(this.state, ticket, this.now))
    return ticket
  }

  submit(work: Partial<Work> = {}, priority = 0, isBad = false): Call {
    const call = new Call(work, priority)
    this.calls.push(call)
    if (isBad) this.bad.add(call)
    this.did(core.submit(this.state, call, this.now))
    return call
  }

  cancel(call: Call, reason: unknown = "gone"): void {
    this.did(core.cancel(this.state, call, reason, this.now))
  }

  /** The workers that have not ended. */
  get alive(): ReadonlyArray<Sim> {
    return Array.from(this.sims.values())
  }

  start(sim: Sim): void {
    if (sim.listens) return
    sim.listens = true
    sim.outbox.push("ready")
  }

  begin(sim: Sim): void {
    if (sim.listens) sim.begin((call) => this.begun.set(call, (this.begun.get(call) ?? 0) + 1))
  }

  /** A function ends, and the next begins. Nobody has heard of it. */
  finish(sim: Sim, pick = 0): void {
    const [ended] = sim.running.splice(pick % Math.max(1, sim.running.length), 1)
    if (ended !== undefined) sim.outbox.push(ended.id)
    this.begin(sim)
  }

  /** The first thing is heard that the worker has said. */
  hear(sim: Sim, memory?: number): void {
    const said = sim.outbox.shift()
    if (said === undefined || sim.worker.phase === "gone") return
    if (said === "ready") return this.did(core.ready(this.state, sim.worker, this.now))
    const call = sim.worker.calls.get(said)
    if (call === undefined) return
    this.did(core.answer(this.state, sim.worker, call, { _tag: "Value", value: said }, memory, this.now))
  }

  exit(sim: Sim, cause: unknown = new Error("crash")): void {
    this.sims.delete(sim.worker)
    const isLoss = this.state.workers.has(sim.worker)
    this.told(isLoss, () => this.did(core.exited(this.state, sim.worker, cause, this.now)))
  }

  misstart(sim: Sim): void {
    const isLoss = sim.worker.phase === "starting"
    this.told(isLoss, () => this.did(core.misstarted(this.state, sim.worker, new Error("no init"), this.now)))
  }

  /** Somebody hears of it when a worker ends by itself (I8). */
  private told(isLoss: boolean, lose: () => void): void {
    const before = this.losses
    lose()
    if (isLoss) assert.isAbove(this.losses, before, "a worker has ended, and nobody was told (I8)")
  }

  private get losses(): number {
    const died = this.calls.filter(({ result }) => result?._tag === "Failed" && result.error instanceof WorkerDied)
    const unwarmed = this.warming.filter(({ result }) => result instanceof WorkerDied)
    return died.length + unwarmed.length + this.reports.length
  }

  /** Time goes by, and what is due happens. */
  sleep(ms: number): void {
    this.now += ms
    for (const call of this.calls) {
      if (call.request.wakeAt <= this.now) this.did(core.expire(this.state, call, this.now))
    }
    if (core.wakeAt(this.state) <= this.now) this.did(core.tick(this.state, this.now))
  }

  /** Has all of it happen that is under way, without anything new. */
  settle(): void {
    for (let i = 0; i < 10_000; i++) {
      let quiet = true
      for (const sim of this.alive) {
        if (sim.fate !== "none") this.exit(sim)
        else {
          this.start(sim)
          this.begin(sim)
          this.finish(sim)
          quiet &&= sim.outbox.length === 0
          this.hear(sim)
        }
      }
      if (quiet && this.calls.every(({ settled }) => settled) && this.state.starting === 0) return
      if (quiet) this.sleep(50)
    }
    throw new Error("it does not come to an end")
  }

  did(chain: Chain): void {
    const { state } = this
    for (let i = 0; i < state.actions.length; i++) {
      const action = state.actions[i]!
      if (action.do === "start") this.sims.set(action.worker, new Sim(action.worker, state.settings.concurrency))
      if (action.do === "send" && action.worker.calls.get(action.id) === action.call) {
        const call = action.call as Call
        if (this.bad.has(call)) wake(core.unsendable(state, call, new Error("a function"), this.now))
        else this.sims.get(action.worker)!.inbox.push({ id: action.id, slot: call.request.slot, call })
      }
      const sim = "worker" in action ? this.sims.get(action.worker) : undefined
      if (action.do === "dismiss" && sim?.fate === "none") sim.fate = "dismissed"
      if (action.do === "kill" && sim !== undefined) sim.fate = "killed"
      if (action.do === "report") this.reports.push(action.report)
    }
    state.actions.length = 0
    wake(chain)
    this.check()
  }

  check(): void {
    const { state } = this
    core.check(state)
    for (const worker of state.workers) assert.isTrue(this.sims.has(worker), "a worker that has ended is none (I3)")
    for (const call of this.calls) {
      assert.strictEqual(call.settled, call.request.phase === "ended", "who has ended is told (I1)")
      assert.isAtMost(call.wakes, 1, "and once")
      if (call.settled) assert.strictEqual(call.request.wakeAt, Infinity)
    }
    // I5: nothing is ahead in a worker that is less urgent than what waits.
    const head = waitList.head(state.queue)
    for (const { board: shared, calls } of state.workers) {
      for (const { priority, request } of calls.values()) {
        if (request.phase !== "offered" || shared![request.slot]! < 0 || head === undefined) continue
        assert.isAtLeast(priority, head.priority, "what was offered is in order (I5)")
      }
    }
    for (const [call, times] of this.begun) {
      // A job begins once, unless it is run again after its worker was ended because of another; and what was moved cannot be.
      const once = state.settings.neighbours === "fail" || call.request.work.transfer !== undefined
      if (once) assert.strictEqual(times, 1, "begun, or had back, and not both")
    }
    if (state.stage === "closed") {
      const left = this.alive.filter(({ worker }) => worker.going !== "left")
      assert.strictEqual(left.length, 0, "closed, and a worker is left (I6)")
      assert.strictEqual(core.wakeAt(state), Infinity)
    }
  }
}

type Step = (world: World) => void

const close: Step = (world) => world.did(core.close(world.state, world.now))

const terminate: Step = (world) => {
  const waiting = world.calls.filter(({ settled }) => !settled).length
  const before = world.state.stopped.length
  const chain = core.terminate(world.state, world.now)
  assert.isAtMost(world.state.stopped.length - before, waiting)
  const { queued, running, waiting: outside } = core.stats(world.state)
  assert.strictEqual(running + queued + outside, 0)
  world.did(chain)
}

const pickFrom = <A>(all: ReadonlyArray<A>, pick: number): A | undefined => all[pick % Math.max(1, all.length)]

const nat = fc.nat(1_000)

const ofWorker = (f: (world: World, sim: Sim, pick: number) => void) =>
  fc.tuple(nat, nat).map(([which, pick]): Step => (world) => {
    const sim = pickFrom(world.alive, which)
    if (sim !== undefined) f(world, sim, pick)
  })

const steps = {
  submit: fc
    .record({
      priority: fc.constantFrom(0, 0, 0, 1, -1),
      timeout: fc.constantFrom(Infinity, Infinity, 200),
      transfer: fc.constantFrom(undefined, undefined, undefined, ["moved"]),
      isBad: fc.constantFrom(false, false, false, false, false, true)
    })
    .map(
      ({ isBad, priority, timeout, transfer }): Step =>
        (world) =>
          void world.submit({ timeout, transfer }, priority, isBad)
    ),
  cancel: nat.map((pick): Step => (world) => {
    const call = pickFrom(world.calls, pick)
    if (call !== undefined) world.cancel(call)
  }),
  start: ofWorker((world, sim) => world.start(sim)),
  begin: ofWorker((world, sim) => world.begin(sim)),
  finish: ofWorker((world, sim, pick) => world.finish(sim, pick)),
  hear: ofWorker((world, sim, pick) => world.hear(sim, pick % 10 === 0 ? 2_000 : undefined)),
  exit: ofWorker((world, sim) => world.exit(sim)),
  obey: ofWorker((world, sim) => {
    if (sim.fate !== "none") world.exit(sim)
  }),
  misstart: ofWorker((world, sim) => {
    if (!sim.listens) world.misstart(sim)
  }),
  sleep: fc.constantFrom(1, 20, 50, 100, 300, 1_500).map(
    (ms): Step =>
      (world) =>
        world.sleep(ms)
  ),
  warm: fc.nat(2).map(
    (count): Step =>
      (world) =>
        void world.warm(count)
  ),
  close: fc.constant<Step>(close),
  terminate: fc.constant<Step>(terminate)
}

const script = fc.array(
  fc.oneof(
    { weight: 12, arbitrary: steps.submit },
    { weight: 3, arbitrary: steps.cancel },
    { weight: 5, arbitrary: steps.start },
    { weight: 8, arbitrary: steps.begin },
    { weight: 10, arbitrary: steps.finish },
    { weight: 12, arbitrary: steps.hear },
    { weight: 1, arbitrary: steps.exit },
    { weight: 3, arbitrary: steps.obey },
    { weight: 1, arbitrary: steps.misstart },
    { weight: 3, arbitrary: steps.sleep },
    { weight: 1, arbitrary: steps.warm }
  ),
  { maxLength: 120 }
)

const options = fc.record({
  max: fc.integer({ min: 1, max: 3 }),
  min: fc.nat(1),
  concurrency: fc.constantFrom(1, 1, 2),
  shared: fc.boolean(),
  neighbours: fc.constantFrom("rerun" as const, "fail" as const),
  maxJobs: fc.constantFrom(Infinity, 3),
  backlog: fc.constantFrom(Infinity, 0, 2),
  startTimeout: fc.constantFrom(10_000, 200),
  deadline: fc.constantFrom(Infinity, 500),
  maxMemory: fc.constantFrom(Infinity, 1_000)
})

const ends: Record<string, Step> = {
  "let be": () => {},
  close,
  terminate,
  "closed, then terminated": (world) => {
    close(world)
    world.sleep(20)
    terminate(world)
  }
}

describe("core/executor", () => {
  it("keeps its invariants whatever comes, and settles every call once (I1 to I8)", () => {
    fc.assert(
      fc.property(options, script, fc.constantFrom(...Object.keys(ends)), ({ shared, ...options }, script, how) => {
        const world = new World(settings(options, shared))
        for (const step of script) step(world)
        ends[how]!(world)
        world.settle()
        for (const call of world.calls) assert.strictEqual(call.wakes, 1)
        for (const warm of world.warming) assert.strictEqual(warm.wakes, 1)
        const { cancelled, done, failed, queued, running } = core.stats(world.state)
        assert.strictEqual(cancelled + done + failed, world.calls.length)
        assert.strictEqual(queued + running, 0)
        close(world)
        world.settle()
        assert.strictEqual(world.state.stage, "closed")
        assert.strictEqual(world.sims.size, 0)
      }),
      { numRuns: 500 }
    )
  })

  it("keeps them when it is closed in the middle, and takes nothing from then on (I6)", () => {
    fc.assert(
      fc.property(options, script, script, fc.boolean(), ({ shared, ...options }, before, after, now) => {
        const world = new World(settings(options, shared))
        for (const step of before) step(world)
        if (now) terminate(world)
        else close(world)
        const { length } = world.calls
        for (const step of after) step(world)
        world.settle()
        for (const { result } of world.calls.slice(length)) {
          if (result?._tag === "Failed") assert.instanceOf(result.error, ExecutorClosed)
          else assert.fail(`it was taken: ${result?._tag}`)
        }
      }),
      { numRuns: 300 }
    )
  })

  /** A pool with so many workers that are ready. */
  const readyWorld = (options: core.Options = {}, shared = true): World => {
    const world = new World(settings({ max: 1, min: 1, ...options }, shared))
    for (const sim of world.alive) {
      world.start(sim)
      world.hear(sim)
    }
    return world
  }

  const only = (world: World): Sim => {
    const [sim, ...others] = world.alive
    assert.isEmpty(others)
    return sim!
  }

  const phases = (...calls: ReadonlyArray<Call>) => calls.map(({ request }) => request.phase)

  it("starts a worker for each job that waits, up to the most (I3, I4)", () => {
    const world = new World(settings({ max: 2 }))
    assert.strictEqual(world.sims.size, 0)
    world.submit()
    assert.strictEqual(world.sims.size, 1)
    world.submit()
    world.submit()
    assert.strictEqual(world.sims.size, 2)
    assert.deepInclude(core.stats(world.state), { workers: 2, busy: 0, queued: 3, running: 0, started: 2 })
    world.settle()
    assert.deepInclude(core.stats(world.state), { workers: 2, queued: 0, running: 0, done: 3, died: 0 })
  })

  it("hands out the next job ahead, where memory is shared, and not otherwise (I2)", () => {
    const shared = readyWorld()
    assert.deepStrictEqual(phases(...[1, 2].map(() => shared.submit())), ["running", "offered"])
    const apart = readyWorld({}, false)
    assert.deepStrictEqual(phases(...[1, 2].map(() => apart.submit())), ["running", "queued"])
  })

  it("offers nothing that would be moved: it could not be had back", () => {
    const world = readyWorld()
    const [first, moved, last] = [world.submit(), world.submit({ transfer: [{}] }), world.submit()]
    assert.deepStrictEqual(phases(first, moved, last), ["running", "queued", "queued"])
    world.settle()
    assert.deepStrictEqual(
      [first, moved, last].map(({ result }) => result?._tag),
      ["Value", "Value", "Value"]
    )
  })

  it("has what it offered back for who is idle", () => {
    const world = readyWorld({ max: 2, min: 2 })
    const [one, two] = world.alive
    const long = world.submit()
    const other = world.submit()
    const rest = [1, 2, 3, 4].map(() => world.submit())
    world.begin(one!)
    world.begin(two!)
    assert.strictEqual(long.request.worker, one!.worker)
    while (two!.running.length > 0 || two!.outbox.length > 0) {
      world.finish(two!)
      world.hear(two!)
      world.begin(two!)
    }
    assert.deepStrictEqual(phases(long, other, ...rest), ["running", "ended", "ended", "ended", "ended", "ended"])
  })

  it("has what it offered back for a job of more priority (I5)", () => {
    const world = readyWorld()
    const [, low] = [world.submit(), world.submit()]
    const high = world.submit({}, 1)
    assert.deepStrictEqual(phases(low, high), ["offered", "offered"])
    const order: Array<Call> = []
    for (const call of [low, high]) call.onWake = () => void order.push(call)
    world.settle()
    assert.deepStrictEqual(order, [high, low])
  })

  it("cannot have back what the worker has begun: that runs, and so does what was sent before it", () => {
    const world = readyWorld()
    const calls = [world.submit(), world.submit(), world.submit(), world.submit()]
    const sim = only(world)
    world.begin(sim)
    world.finish(sim)
    world.finish(sim)
    // The third has begun, and nobody has heard that those before it have ended.
    assert.deepStrictEqual(phases(...calls), ["running", "offered", "offered", "offered"])
    world.cancel(calls[2]!)
    assert.deepStrictEqual(phases(...calls), ["running", "running", "stopping", "offered"])
    world.settle()
    assert.deepStrictEqual(
      calls.map(({ result }) => result?._tag),
      ["Value", "Value", "Cancelled", "Value"]
    )
  })

  it("what was had back goes before what was never sent", () => {
    const world = readyWorld({ maxJobs: 7 })
    const calls = Array.from({ length: 100 }, () => world.submit())
    const order: Array<Call> = []
    for (const call of calls) call.onWake = () => void order.push(call)
    world.settle()
    assert.deepStrictEqual(
      order.map((call) => calls.indexOf(call)),
      calls.map((_, n) => n)
    )
  })

  it("a job that waits leaves at once; one that runs is told, and killed when its grace is over", () => {
    const world = readyWorld()
    const [running, offered] = [world.submit(), world.submit()]
    const sim = only(world)
    world.begin(sim)
    world.cancel(offered)
    assert.deepStrictEqual(offered.result, { _tag: "Cancelled" })
    world.cancel(running, "enough")
    assert.strictEqual(running.request.phase, "stopping")
    assert.isTrue(board.isStopped(sim.worker.board!, running.request.slot, running.request.id))
    const next = world.submit()
    world.sleep(99)
    assert.isFalse(running.settled)
    world.sleep(1)
    assert.deepStrictEqual(running.result, { _tag: "Cancelled" })
    assert.strictEqual(sim.fate, "killed")
    assert.isFalse(world.state.workers.has(sim.worker), "its place is another's, although it has not ended")
    assert.strictEqual(world.state.workers.size, 1)
    world.settle()
    assert.strictEqual(next.result?._tag, "Value")
    assert.deepInclude(core.stats(world.state), { done: 1, cancelled: 2, started: 2, died: 0 })
  })

  it("one that stops in its grace keeps its worker", () => {
    const world = readyWorld()
    const call = world.submit()
    const sim = only(world)
    world.begin(sim)
    world.cancel(call)
    world.finish(sim)
    world.hear(sim)
    assert.deepStrictEqual(call.result, { _tag: "Cancelled" })
    world.sleep(500)
    assert.strictEqual(sim.fate, "none")
  })

  it("a job's time counts from when it begins, and ends with its own error", () => {
    const world = readyWorld()
    const [first, second] = [world.submit(), world.submit({ name: "slow", timeout: 50 })]
    const sim = only(world)
    world.begin(sim)
    world.sleep(200)
    assert.strictEqual(second.request.phase, "offered")
    world.finish(sim)
    world.hear(sim)
    assert.strictEqual(first.result?._tag, "Value")
    world.sleep(49)
    assert.strictEqual(second.request.phase, "running")
    world.sleep(1)
    assert.strictEqual(second.request.phase, "stopping")
    world.sleep(100)
    const { result } = second
    assert.isTrue(result?._tag === "Failed" && result.error instanceof JobTimeout)
    if (result?._tag === "Failed")
      assert.deepInclude(result.error, { _tag: "JobTimeout", job: "slow", milliseconds: 50 })
  })

  it("the first reason to stop counts", () => {
    const world = readyWorld()
    const [late, gone] = [world.submit({ timeout: 50 }), world.submit({ timeout: 50 })]
    const sim = only(world)
    world.begin(sim)
    world.sleep(50)
    world.cancel(late)
    world.finish(sim)
    world.hear(sim)
    const { result } = late
    assert.isTrue(result?._tag === "Failed" && result.error instanceof JobTimeout)
    world.cancel(gone, "first")
    world.cancel(gone, "second")
    assert.deepStrictEqual(gone.request.stop, { _tag: "Cancelled", reason: "first" })
    world.sleep(100)
    assert.deepStrictEqual(gone.result, { _tag: "Cancelled" })
  })

  for (const [neighbours, transfer, expected] of [
    ["rerun", undefined, "Value"],
    ["rerun", [{}], "Failed"],
    ["fail", undefined, "Failed"]
  ] as const) {
    it(`the neighbours of a killed job: ${neighbours}${transfer ? ", but it was moved" : ""}`, () => {
      const world = readyWorld({ concurrency: 2, neighbours })
      const [bad, good] = [world.submit(), world.submit(transfer ? { transfer } : {})]
      world.begin(only(world))
      world.cancel(bad)
      world.sleep(100)
      world.settle()
      assert.strictEqual(good.result?._tag, expected)
      if (good.result?._tag !== "Failed") return
      assert.deepInclude(good.result.error, { _tag: "WorkerDied", job: "job", started: true })
    })
  }

  it("a worker that ends by itself fails what it had begun, and no more", () => {
    const world = readyWorld()
    const [running, offered] = [world.submit({ name: "crash" }), world.submit()]
    const sim = only(world)
    world.begin(sim)
    const cause = new Error("out of memory")
    world.exit(sim, cause)
    const { result } = running
    assert.isTrue(result?._tag === "Failed" && result.error instanceof WorkerDied)
    if (result?._tag === "Failed") {
      assert.deepInclude(result.error, { job: "crash", cause })
      assert.strictEqual(result.error.message, `the worker ended while it ran "crash": out of memory`)
    }
    world.settle()
    assert.strictEqual(offered.result?._tag, "Value")
    assert.deepInclude(core.stats(world.state), { done: 1, failed: 1, started: 2, died: 1 })
  })

  it("also what it had begun before anybody heard of it", () => {
    const world = readyWorld()
    const [first, second, third] = [world.submit(), world.submit(), world.submit()]
    const sim = only(world)
    world.begin(sim)
    world.finish(sim)
    world.exit(sim)
    assert.deepStrictEqual(
      [first, second, third].map(({ settled }) => settled),
      [true, true, false]
    )
    world.settle()
    assert.strictEqual(world.begun.get(second), 1)
    assert.strictEqual(third.result?._tag, "Value")
  })

  it("one that dies is replaced at once, those after it after longer and longer pauses, until one has answered", () => {
    const world = readyWorld()
    const starts: Array<number> = []
    const die = () => {
      world.submit()
      const began = world.now
      while (world.sims.size === 0) world.sleep(10)
      starts.push(world.now - began)
      const sim = only(world)
      world.start(sim)
      world.hear(sim)
      world.begin(sim)
      world.exit(sim)
    }
    for (let i = 0; i < 7; i++) die()
    assert.deepStrictEqual(starts, [0, 0, 100, 200, 400, 800, 1_600])
    world.submit()
    world.settle()
    starts.length = 0
    die()
    die()
    assert.deepStrictEqual(starts, [0, 0])
  })

  it("whoever waits is told when three in a row could not be started", () => {
    const world = new World(settings({ max: 1 }))
    const call = world.submit({ name: "query" })
    const warm = world.warm(1)
    for (let i = 0; i < 3; i++) {
      assert.strictEqual(warm.settled, i > 0)
      assert.isFalse(call.settled)
      while (world.sims.size === 0) world.sleep(50)
      const sim = only(world)
      world.misstart(sim)
      assert.strictEqual(sim.fate, "killed")
      world.exit(sim)
    }
    const { result } = call
    assert.isTrue(result?._tag === "Failed" && result.error instanceof WorkerDied && !result.error.started)
    if (result?._tag === "Failed") {
      assert.strictEqual(result.error.message, `the worker could not be started for "query": no init`)
    }
    assert.instanceOf(warm.result, WorkerDied)
    assert.deepInclude(core.stats(world.state), { died: 3, misstarted: 3 })
    const later = world.submit()
    world.settle()
    assert.strictEqual(later.result?._tag, "Value")
    // Two more are not in a row with those before.
    world.exit(only(world))
    const patient = world.submit()
    for (let i = 0; i < 2; i++) {
      while (world.sims.size === 0) world.sleep(50)
      const sim = only(world)
      world.misstart(sim)
      world.exit(sim)
    }
    assert.isFalse(patient.settled)
    world.settle()
    assert.strictEqual(patient.result?._tag, "Value")
  })

  it("warming waits until as many are ready, and starts no more than there may be", () => {
    const world = new World(settings({ max: 2 }))
    const [one, two] = [world.warm(1), world.warm(9)]
    assert.strictEqual(world.sims.size, 2)
    const [first, second] = world.alive
    world.start(first!)
    world.hear(first!)
    assert.deepStrictEqual([one.settled, two.settled], [true, false])
    // It stays while somebody waits until both are there.
    world.sleep(5_000)
    assert.strictEqual(first!.fate, "none")
    world.start(second!)
    world.hear(second!)
    assert.deepStrictEqual([two.settled, two.result], [true, undefined])
    world.exit(first!)
    const gone = new Warm(2)
    world.did(core.warm(world.state, gone, world.now))
    world.did(core.cancelWarm(world.state, gone))
    world.settle()
    assert.isFalse(gone.settled)
    assert.strictEqual(core.checkCount("here", world.state, undefined), 2)
    assert.throws(() => core.checkCount("here", world.state, 3), "here: count must be an integer from 0 to 2, got 3")
  })

  it("warming fails when there will not be as many, whichever it is that fails", () => {
    const world = new World(settings({ max: 2 }))
    const [one, two] = [world.warm(1), world.warm(2)]
    const [first, second] = world.alive
    world.misstart(second!)
    assert.instanceOf(two.result, WorkerDied)
    assert.isFalse(one.settled)
    world.start(first!)
    world.hear(first!)
    assert.deepStrictEqual([one.settled, one.result], [true, undefined])
    const again = world.warm(2)
    world.exit(first!)
    assert.instanceOf(again.result, WorkerDied)
  })

  it("a pool that closes has no more workers to wait for", () => {
    const world = new World(settings({ max: 2 }))
    const before = world.warm(2)
    close(world)
    assert.instanceOf(before.result, ExecutorClosed)
    assert.instanceOf(world.warm(1).result, ExecutorClosed)
    world.settle()
    assert.instanceOf(world.warm(0).result, ExecutorClosed)
  })

  it("a worker that is not ready in time is ended, and could not be started", () => {
    const world = new World(settings({ max: 1, startTimeout: 500 }))
    const call = world.submit({ name: "query" })
    const starts: Array<number> = []
    for (let round = 0; round < 3; round++) {
      while (world.sims.size === 0) world.sleep(10)
      starts.push(world.now)
      const sim = only(world)
      world.sleep(499)
      assert.strictEqual(sim.fate, "none")
      assert.isFalse(call.settled)
      world.sleep(1)
      assert.strictEqual(sim.fate, "killed")
      world.exit(sim)
    }
    assert.deepStrictEqual(starts, [0, 500, 1_100], "at once, and after a pause")
    const { result } = call
    assert.isTrue(result?._tag === "Failed" && result.error instanceof WorkerDied && !result.error.started)
    if (result?._tag === "Failed") {
      assert.strictEqual(
        result.error.message,
        `the worker could not be started for "query": it was not ready within 500 ms`
      )
    }
  })

  it("workers that were on their way together and fail are one failure in a row", () => {
    const world = new World(settings({ max: 4 }))
    const calls = [1, 2, 3, 4].map(() => world.submit())
    for (let round = 1; round <= 3; round++) {
      assert.deepStrictEqual(
        calls.map(({ settled }) => settled),
        [false, false, false, false]
      )
      for (let i = 0; world.state.starting < 4 && i < 100; i++) world.sleep(50)
      const together = world.alive.filter(({ fate }) => fate === "none")
      for (const sim of together) {
        world.misstart(sim)
        world.exit(sim)
      }
    }
    assert.isTrue(calls.every(({ settled }) => settled))
  })

  it("when one with nothing to do ends by itself it is reported, and replaced (I8)", () => {
    const world = readyWorld()
    const cause = new Error("crash")
    world.exit(only(world), cause)
    assert.deepStrictEqual(world.reports, [{ where: "Executor", message: "a worker has ended", error: cause }])
    assert.strictEqual(world.sims.size, 1)
    assert.deepInclude(core.stats(world.state), { died: 1, misstarted: 0, started: 2 })
    const failed = only(world)
    world.misstart(failed)
    world.exit(failed)
    assert.deepInclude(world.reports[1], { where: "Executor", message: "a worker could not be started" })
    world.settle()
    while (world.sims.size === 0) world.sleep(10)
    world.settle()
    // Of that somebody is told.
    world.submit()
    world.begin(only(world))
    world.exit(only(world))
    assert.strictEqual(world.reports.length, 2)
  })

  it("a worker that cannot be ended is reported, and waited for no longer", () => {
    const world = readyWorld()
    const closing = new Closing()
    const sim = only(world)
    const call = world.submit()
    world.begin(sim)
    terminate(world)
    assert.isTrue(call.settled)
    wake(core.awaitClosed(world.state, closing))
    world.sleep(1_999)
    assert.isFalse(closing.settled)
    world.sleep(1)
    assert.deepStrictEqual(closing.result, ["job"])
    const message = "a worker cannot be ended, and is left behind"
    assert.deepStrictEqual(world.reports, [{ where: "Executor", message, error: undefined }])
    world.exit(sim)
    assert.strictEqual(world.state.stage, "closed")
  })

  it("closing ends what has not ended by its deadline, and says so; what waits can still be given up before", () => {
    const world = readyWorld({ deadline: 300 })
    const [running, queued] = [world.submit({ name: "one" }), world.submit({ name: "two" })]
    const sim = only(world)
    world.begin(sim)
    const closing = new Closing()
    close(world)
    wake(core.awaitClosed(world.state, closing))
    world.cancel(queued)
    world.sleep(299)
    assert.isFalse(running.settled)
    world.sleep(1)
    assert.isTrue(running.settled)
    assert.strictEqual(sim.fate, "killed")
    world.exit(sim)
    assert.deepStrictEqual(closing.result, ["one"])
    const message = "1 job had not ended by the deadline, and was stopped: one"
    assert.deepStrictEqual(world.reports, [{ where: "Executor.close", message, error: undefined }])
  })

  it("is closed when the last job that waits for a worker is given up", () => {
    const world = new World(settings({ max: 1 }))
    for (let i = 0; i < 3; i++) {
      world.submit()
      while (world.sims.size === 0) world.sleep(50)
      world.start(only(world))
      world.hear(only(world))
      world.begin(only(world))
      world.exit(only(world))
    }
    // None may be started yet.
    const call = world.submit()
    assert.strictEqual(world.sims.size, 0)
    close(world)
    assert.strictEqual(world.state.stage, "draining")
    world.cancel(call)
    assert.strictEqual(world.state.stage, "closed")
  })

  it("a job that fails while it stops, since its time is over, has that as the cause", () => {
    const causes = [
      [new RangeError("cleanup"), "cleanup"],
      [new DOMException("stopped", "AbortError"), undefined],
      [new JobTimeout("job", 50), undefined],
      [undefined, undefined]
    ] as const
    for (const [error, cause] of causes) {
      const world = readyWorld()
      const call = world.submit({ timeout: 50 })
      const sim = only(world)
      world.begin(sim)
      world.sleep(50)
      const how: End = { _tag: "Rejected", error, expected: false }
      world.did(core.answer(world.state, sim.worker, call, how, undefined, world.now))
      assert.isTrue(call.result?._tag === "Failed" && call.result.error instanceof JobTimeout)
      if (call.result?._tag === "Failed") assert.strictEqual((call.result.error.cause as Error)?.message, cause)
    }
  })

  it("an idle worker goes when its time is over, but for the least", () => {
    const world = readyWorld({ max: 2, min: 1 })
    world.submit()
    world.submit()
    world.settle()
    assert.strictEqual(world.sims.size, 2)
    const [one, two] = world.alive
    world.sleep(999 - world.now)
    assert.strictEqual(two!.fate, "none")
    world.sleep(1_000)
    assert.sameMembers([one!.fate, two!.fate], ["none", "dismissed"])
    assert.strictEqual(core.wakeAt(world.state), world.now + 100)
    world.sleep(100)
    assert.sameMembers([one!.fate, two!.fate], ["none", "killed"])
    assert.strictEqual(core.wakeAt(world.state), world.now + 2_000)
    world.exit(one!.fate === "killed" ? one! : two!)
    assert.strictEqual(core.wakeAt(world.state), Infinity)
  })

  it("a worker that has done enough, or uses too much memory, is replaced when its jobs have ended", () => {
    for (const [options, memory, answers] of [
      [{ maxJobs: 2 }, undefined, 2],
      [{ maxMemory: 1_000 }, 1_001, 1],
      [{ maxMemory: 1_000 }, 1_000, Infinity]
    ] as const) {
      const world = readyWorld({ concurrency: 2, ...options })
      const sim = only(world)
      const calls = [1, 2, 3, 4].map(() => world.submit())
      world.begin(sim)
      for (let heard = 1; heard <= 4 && sim.fate === "none"; heard++) {
        world.finish(sim)
        world.hear(sim, memory)
        if (heard === answers) assert.strictEqual(sim.worker.phase, sim.worker.calls.size > 0 ? "retiring" : "gone")
      }
      assert.strictEqual(sim.fate, answers === Infinity ? "none" : "dismissed")
      world.settle()
      for (const { result } of calls) assert.strictEqual(result?._tag, "Value")
    }
  })

  it("what cannot be sent fails alone", () => {
    const world = readyWorld()
    const [bad, good] = [world.submit({}, 0, true), world.submit()]
    assert.deepStrictEqual(bad.result, { _tag: "Rejected", error: new Error("a function"), expected: false })
    world.settle()
    assert.strictEqual(good.result?._tag, "Value")
  })

  it("closing waits for what was taken, and then for the workers (I6)", () => {
    const world = readyWorld({ max: 2, min: 2 })
    const call = world.submit()
    const [closing, gone] = [new Closing(), new Closing()]
    close(world)
    wake(core.awaitClosed(world.state, closing))
    wake(core.awaitClosed(world.state, gone))
    core.cancelClosed(world.state, gone)
    const late = world.submit({ name: "late" })
    assert.isTrue(late.result?._tag === "Failed")
    if (late.result?._tag === "Failed") {
      assert.deepInclude(late.result.error, { _tag: "ExecutorClosed", job: "late", started: false })
      assert.strictEqual(late.result.error.message, `the job "late" was not started: the executor is closed`)
    }
    assert.isTrue(core.stats(world.state).isClosed)
    world.settle()
    assert.strictEqual(call.result?._tag, "Value")
    world.settle()
    assert.isTrue(closing.settled && !gone.settled)
    const after = new Closing()
    assert.deepStrictEqual(ticketsOf(core.awaitClosed(world.state, after)), [after])
    close(world)
    terminate(world)
    assert.strictEqual(world.state.stage, "closed")
  })

  it("terminating ends everything, and says what", () => {
    const world = readyWorld()
    const calls = ["one", "two"].map((name) => world.submit({ name }))
    const told = world.submit({ name: "told" })
    world.begin(only(world))
    world.cancel(calls[0]!)
    world.cancel(told)
    const sim = only(world)
    terminate(world)
    assert.deepStrictEqual(world.state.stopped, ["two"])
    assert.strictEqual(sim.fate, "killed")
    assert.deepStrictEqual(
      calls.map(({ result }) => result?._tag),
      ["Cancelled", "Failed"]
    )
    assert.strictEqual(core.overdue(["a"]), "1 job had not ended by the deadline, and was stopped: a")
    const many = core.overdue(Array.from({ length: 22 }, (_, n) => `${n}`))
    assert.match(many, /^22 jobs had not ended by the deadline, and were stopped: 0, 1, .*, 19, and 2 more$/)
  })

  it("terminating also ends those who were to go and have not gone", () => {
    const world = readyWorld()
    const sim = only(world)
    close(world)
    assert.strictEqual(sim.fate, "dismissed")
    terminate(world)
    assert.strictEqual(sim.fate, "killed")
  })

  it("lets in as many as can run and wait; who comes then waits outside, or is told (I7)", () => {
    const world = readyWorld({ backlog: 1, maxJobs: 2 })
    const [running, queued] = [world.submit(), world.submit()]
    const [low, high, gone] = [world.submit(), world.submit({}, 1), world.submit()]
    assert.deepInclude(core.stats(world.state), { running: 1, queued: 1, ahead: 1, waiting: 3 })
    const refused = new Call({ name: "query" })
    world.did(core.submitNow(world.state, refused, world.now))
    const { result } = refused
    assert.isTrue(result?._tag === "Rejected" && result.expected && result.error instanceof ExecutorFull)
    if (result?._tag === "Rejected") {
      assert.deepInclude(result.error, { _tag: "ExecutorFull", name: "ExecutorFull", job: "query", backlog: 1 })
      assert.strictEqual(
        (result.error as Error).message,
        `the job "query" was not taken: all workers are busy, and 1 wait`
      )
    }
    world.cancel(gone)
    assert.deepStrictEqual(gone.result, { _tag: "Cancelled" })
    const order: Array<Call> = []
    for (const call of [running, queued, low, high]) call.onWake = () => void order.push(call)
    world.settle()
    assert.deepStrictEqual(order, [running, queued, high, low])
    const now = new Call({})
    world.calls.push(now)
    world.did(core.submitNow(world.state, now, world.now))
    world.settle()
    assert.strictEqual(now.result?._tag, "Value")
    // What was refused is not counted: it was never there.
    assert.deepInclude(core.stats(world.state), { done: 5, cancelled: 1, failed: 0, waiting: 0 })
  })

  it("whoever starts a job is told when it is taken, or has ended before", () => {
    const started = (world: World) => {
      const taken = new TestTicket<undefined, undefined>(undefined, 0)
      const { work } = new Call({}).request
      const call = new (class extends TestTicket<Job, End> {})(new core.StartedJob(work, taken), 0)
      world.did(core.submit(world.state, call, world.now))
      return { taken, call }
    }
    const world = readyWorld({ backlog: 0 })
    const first = started(world)
    assert.isTrue(first.taken.settled)
    const [second, third, fourth] = [started(world), started(world), started(world)]
    assert.isFalse(second.taken.settled)
    world.did(core.cancel(world.state, third.call, "gone", world.now))
    assert.isTrue(third.taken.settled && third.call.settled)
    world.begin(only(world))
    world.finish(only(world))
    world.hear(only(world))
    assert.deepStrictEqual([second.taken.settled, fourth.taken.settled], [true, false])
    close(world)
    assert.isTrue(fourth.taken.settled && fourth.call.result?._tag === "Failed")
    for (const { taken } of [first, second, third, fourth]) assert.strictEqual(taken.wakes, 1)
  })

  it("counts waits and runs", () => {
    const world = readyWorld()
    world.submit()
    world.submit()
    const sim = only(world)
    world.begin(sim)
    world.sleep(10)
    world.finish(sim)
    world.hear(sim)
    world.sleep(20)
    world.finish(sim)
    world.hear(sim)
    const { runTime, waitTime } = core.stats(world.state)
    assert.deepInclude(waitTime, { count: 2, mean: 5, max: 10 })
    assert.deepInclude(runTime, { count: 2, mean: 15, max: 20 })
    assert.isFrozen(core.stats(world.state))
  })

  for (const [options, message] of [
    [null, "options must be an object, got null"],
    [{ max: 0 }, "max must be an integer of at least 1, got 0"],
    [{ max: 1.5 }, "max must be an integer of at least 1, got 1.5"],
    [{ max: 2, min: 3 }, "min must be an integer from 0 to 2, got 3"],
    [{ concurrency: 0 }, "concurrency must be an integer of at least 1, got 0"],
    [{ backlog: -1 }, "backlog must be an integer of at least 0, or Infinity, got -1"],
    [{ startTimeout: 0 }, "startTimeout must be more than 0 milliseconds, got 0"],
    [{ startTimeout: -1 }, "startTimeout must be 0 or more milliseconds, got -1"],
    [{ idleTime: -1 }, "idleTime must be 0 or more milliseconds, got -1"],
    [{ grace: NaN }, "grace must be 0 or more milliseconds, got NaN"],
    [{ neighbours: "spare" }, `neighbours must be one of "rerun", "fail", got "spare"`],
    [{ maxMemory: 0 }, "maxMemory must be a number of bytes above 0, got 0"],
    [{ maxJobs: 0 }, "maxJobs must be an integer of at least 1, or Infinity, got 0"],
    [{ deadline: -1 }, "deadline must be 0 or more milliseconds, got -1"],
    [{ timeout: 0 }, "timeout must be more than 0 milliseconds, got 0"],
    [{ timeout: "1s" }, `timeout must be 0 or more milliseconds, got "1s"`]
  ] as const) {
    it(`refuses options: ${message}`, () => {
      assert.throws(() => core.settings("here", options as never, { parallelism: 2, shared: true }), `here: ${message}`)
    })
  }

  it("has as many workers as there are processors, if nothing else is said", () => {
    assert.strictEqual(core.settings("here", {}, { parallelism: 3, shared: true }).max, 3)
    assert.strictEqual(core.settings("here", {}, { parallelism: 3, shared: false }).ahead, 0)
  })

  it("check sees what is wrong", () => {
    const wrong = (message: string, spoil: (world: World, sim: Sim, call: Call) => void) => {
      const world = readyWorld()
      const call = world.submit()
      spoil(world, only(world), call)
      assert.throws(() => core.check(world.state), message)
    }
    wrong("I1: a worker has what is not its own", (_, __, call) => void (call.request.phase = "ended"))
    wrong("I2: 0 are the last, and 1 are offered", (_, sim) => void sim.worker.offered++)
    wrong("I3: 0 are starting, not 1", (world) => void world.state.starting++)
    wrong("I3: a worker that is gone", (_, sim) => void (sim.worker.phase = "gone"))
    wrong("I6: closed, with jobs", (world) => void (world.state.stage = "closed"))
    wrong("I4: a job waits beside a worker that could run it", (world, { worker }, call) => {
      worker.drop(call)
      waitList.push(world.state.queue, new Call({}))
    })
    wrong("I1: a queued job is elsewhere", (world) => {
      const call = new Call({})
      call.request.phase = "running"
      waitList.push(world.state.queue, call)
    })
    wrong("I2: a worker that is not ready has jobs", (_, sim) => void (sim.worker.phase = "starting"))
    wrong("I4: a worker stays for nothing", (world, sim) => {
      sim.worker.drop(world.calls[0]!)
      sim.worker.phase = "retiring"
    })
    wrong("I2: 2 were sent", (world) => {
      world.submit()
      ;(world.state.settings as { ahead: number }).ahead = 0
    })
    wrong("I2: one is offered that could run", (_, { worker }, call) => {
      call.request.phase = "offered"
      worker.offered = 1
    })
    const full = readyWorld()
    full.state.workers.add(new World(settings({ min: 1 })).alive[0]!.worker)
    assert.throws(() => core.check(full.state), "I3: 2 workers of 1")
  })
})
