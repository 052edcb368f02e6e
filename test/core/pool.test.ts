import { assert, describe, it } from "@effect/vitest"
import * as board from "../../src/core/board.js"
import * as core from "../../src/core/executor.js"
import {
  type End,
  type ExecutorClosed,
  ExecutorFull,
  Job,
  JobTimeout,
  WorkerDied,
  type Work
} from "../../src/core/job.js"
import { isOfCloning, type Listener, Pool, type Port } from "../../src/core/pool.js"
import { Do, type Hello, type Order, type Run, Say } from "../../src/core/protocol.js"
import { wake } from "../../src/core/ticket.js"
import * as wire from "../../src/core/wire.js"
import { FakeTime } from "../utils/fakeWorkers.js"
import { TestTicket } from "../utils/tickets.js"

class FakePort implements Port {
  readonly sent: Array<Order> = []
  readonly transfers: Array<ReadonlyArray<unknown> | undefined> = []
  held = true
  fate: "none" | "dismissed" | "killed" = "none"

  constructor(
    readonly id: number,
    readonly listener: Listener
  ) {}

  send(message: unknown, transfer: ReadonlyArray<unknown> | undefined): void {
    this.sent.push(structuredClone(message) as Order)
    this.transfers.push(transfer)
  }

  dismiss(): void {
    this.fate = "dismissed"
  }

  kill(): void {
    this.fate = "killed"
  }

  hold(held: boolean): void {
    this.held = held
  }

  ready(): void {
    this.listener.message([Say.ready])
  }

  exit(cause: unknown = new Error("crash")): void {
    this.listener.exited(cause)
  }

  get hello(): Hello {
    const [first] = this.sent
    assert.strictEqual(first![0], Do.hello)
    return first![1] as Hello
  }

  /** The jobs that it was sent, in order. */
  get runs(): ReadonlyArray<Run> {
    return this.sent.flatMap((order) => (order[0] === Do.run ? [order] : order[0] === Do.several ? order[1] : []))
  }

  answer(value: unknown, nth = this.runs.length - 1): void {
    this.listener.message([Say.value, this.runs[nth]![1], value, undefined])
  }
}

class Call extends TestTicket<Job, End> {}

class World {
  readonly time = new FakeTime()
  readonly ports: Array<FakePort> = []
  readonly told: Array<core.Report> = []
  readonly pool: Pool

  constructor(options: core.Options = {}, hello: Pick<Hello, "data" | "init"> = { data: undefined, init: undefined }) {
    const settings = core.settings(
      "here",
      { max: 1, idleTime: 1000, grace: 100, ...options },
      { parallelism: 2, shared: true }
    )
    this.pool = new Pool(
      settings,
      this.time,
      (id, listener) => {
        const port = new FakePort(id, listener)
        this.ports.push(port)
        return port
      },
      hello,
      (report) => void this.told.push(report)
    )
  }

  get port(): FakePort {
    return this.ports.at(-1)!
  }

  submit(args: ReadonlyArray<unknown> = [], work: Partial<Work> = {}, priority = 0): Call {
    const target = ["file:///m.js", "f", args] as const
    const call = new Call(
      new Job({ name: "f", target, context: undefined, transfer: undefined, timeout: Infinity, errors: [], ...work }),
      priority
    )
    this.pool.submit(call)
    core.check(this.pool.state)
    return call
  }

  cancel(call: Call, reason: unknown = "gone"): void {
    wake(this.pool.cancel(call, reason))
  }
}

/** A pool with one worker that is ready. */
const ready = (options?: core.Options): World => {
  const world = new World({ min: 1, ...options })
  world.port.ready()
  return world
}

const failure = ({ result }: Call): unknown =>
  result?._tag === "Failed" || result?._tag === "Rejected"
    ? result.error
    : assert.fail(`it did not fail: ${result?._tag}`)

describe("core/pool", () => {
  it("tells each worker first what there is to know, the next one as well", () => {
    const hello = { data: { url: "db" }, init: ["file:///m.js", "init", [1]] as const }
    const world = new World({ maxMemory: 5, concurrency: 3 }, hello)
    world.submit()
    world.port.ready()
    assert.deepInclude(world.port.hello, { ...hello, memory: true, concurrency: 3 })
    assert.instanceOf(world.port.hello.board, Int32Array)
    world.port.exit()
    world.submit()
    assert.strictEqual(world.ports.length, 2)
    assert.deepInclude(world.port.hello, hello)
    assert.notStrictEqual(world.port.hello.board, world.ports[0]!.hello.board)
    assert.strictEqual(ready().port.hello.memory, false)
  })

  it("sends a job, and settles it with the answer, once", () => {
    const world = ready()
    const call = world.submit([1, "a"], { context: 7 })
    const [, id, , target, context] = world.port.runs[0]!
    assert.deepStrictEqual([target, context], [["file:///m.js", "f", [1, "a"]], 7])
    world.port.listener.message([Say.value, id, "b", undefined])
    world.port.listener.message([Say.value, id, "c", undefined])
    world.port.listener.message([Say.value, 99, "d", undefined])
    assert.deepStrictEqual([call.result, call.wakes], [{ _tag: "Value", value: "b" }, 1])
  })

  it("an error is one of the classes that were named, and expected then; or if an effect failed with it", () => {
    class NotFound extends Error {}
    const world = ready()
    const of = (error: unknown) => wire.encode(error, () => true)
    const end = (say: 3 | 4, error: unknown): End => {
      const call = world.submit([], { errors: [NotFound] })
      world.port.listener.message([say, world.port.runs.at(-1)![1], of(error), undefined])
      return call.result!
    }
    const found = end(Say.error, new NotFound("no"))
    assert.deepInclude(found, { _tag: "Rejected", expected: true })
    assert.instanceOf((found as { error: unknown }).error, NotFound)
    assert.deepInclude(end(Say.error, new RangeError("far")), { _tag: "Rejected", expected: false })
    assert.deepInclude(end(Say.failure, new RangeError("far")), { _tag: "Rejected", expected: true })
  })

  it("what is handed out in one step goes with one message", () => {
    const world = new World()
    for (let n = 0; n < 3; n++) world.submit([n])
    world.port.ready()
    assert.deepStrictEqual(
      world.port.sent.map(([what]) => what),
      [Do.hello, Do.several]
    )
    assert.deepStrictEqual(
      world.port.runs.map(([, , , [, , args]]) => args),
      [[0], [1], [2]]
    )
  })

  it("but jobs have no object in common that they do not have here, nor another order", () => {
    const world = new World()
    const shared = { n: 0 }
    world.submit([0])
    world.submit([shared])
    world.submit([shared])
    world.submit([3])
    world.submit([], { context: shared })
    world.submit([], { transfer: [] })
    world.submit([5])
    world.port.ready()
    const { runs } = world.port
    assert.deepStrictEqual(
      runs.map(([, , , [, , args]]) => args[0]),
      [0, shared, shared, 3, undefined, undefined, 5]
    )
    assert.notStrictEqual(runs[1]![3][2][0], runs[2]![3][2][0])
    assert.deepStrictEqual(
      world.port.sent.slice(1).map(([what]) => what),
      new Array(7).fill(Do.run)
    )
  })

  it("hands the transfer list on", () => {
    const world = ready()
    const buffer = new ArrayBuffer(8)
    world.submit([buffer], { transfer: [buffer] })
    assert.deepStrictEqual(world.port.transfers, [undefined, [buffer]])
  })

  it("what cannot be cloned rejects its own job, with what is in the way", () => {
    const world = ready()
    const bad = world.submit([{ items: [() => 1] }])
    const error = failure(bad) as wire.NotCloneable
    assert.instanceOf(error, wire.NotCloneable)
    assert.strictEqual(error.message, "f: the arguments cannot be sent: arguments[0][0].items[0] is a function")
    assert.deepInclude(bad.result, { expected: false })
    const good = world.submit()
    world.port.answer(1)
    assert.deepInclude(good.result, { value: 1 })
    const other = new Error("no room")
    world.port.send = () => {
      throw other
    }
    assert.strictEqual(failure(world.submit()), other, "and whatever else keeps it from being sent")
  })

  it("a process says in words that something cannot be cloned", () => {
    const world = ready()
    world.port.send = () => {
      throw new Error("() => 1 could not be cloned.")
    }
    assert.instanceOf(failure(world.submit([() => 1])), wire.NotCloneable)
  })

  it("a worker that cannot be told what it is to know is none: whoever waits is told why", () => {
    const world = new World({}, { data: () => 1, init: undefined })
    const call = world.submit()
    world.time.sleep(5_000)
    const error = failure(call) as WorkerDied
    assert.instanceOf(error, WorkerDied)
    assert.strictEqual(error.started, false)
    assert.strictEqual((error.cause as Error).name, "DataCloneError")
    assert.isTrue(world.ports.every(({ fate }) => fate === "killed"))
  })

  it("a job that is given up is told why, and its worker killed when the grace is over, not before", () => {
    const world = ready()
    const call = world.submit()
    const next = world.submit()
    const [port] = world.ports
    const [, id] = port!.runs[0]!
    assert.isTrue(board.begin(call.request.worker!.board!, call.request.slot, id))
    world.cancel(call, new RangeError("enough"))
    const stop = port!.sent.at(-1)!
    assert.strictEqual(stop[0], Do.stop)
    if (stop[0] === Do.stop) {
      assert.strictEqual(stop[1], id)
      assert.instanceOf(wire.decode(stop[2]), RangeError)
    }
    assert.isTrue(world.time.isAwake)
    world.time.sleep(99)
    assert.strictEqual(port!.fate, "none")
    world.time.sleep(1)
    assert.strictEqual(port!.fate, "killed")
    assert.deepStrictEqual(call.result, { _tag: "Cancelled" })
    // The killed one says something yet, and it is nobody's.
    port!.answer("late", 0)
    port!.listener.message([Say.ready])
    world.port.ready()
    world.port.answer("next")
    port!.exit()
    assert.deepStrictEqual(next.result, { _tag: "Value", value: "next" })
    assert.strictEqual(core.stats(world.pool.state).died, 0)
  })

  it("a job's time is over: it is told so, and that is its error", () => {
    const world = ready()
    const call = world.submit([], { timeout: 50 })
    const { id, slot, worker } = call.request
    assert.isTrue(board.begin(worker!.board!, slot, id))
    world.time.sleep(49)
    assert.strictEqual(world.port.sent.length, 2)
    world.time.sleep(1)
    const stop = world.port.sent.at(-1)!
    assert.isTrue(stop[0] === Do.stop && wire.decode(stop[2], [JobTimeout]) instanceof JobTimeout)
    world.port.answer("in its grace")
    assert.instanceOf(failure(call), JobTimeout)
    assert.strictEqual(world.port.fate, "none")
    assert.isFalse(world.time.isAwake, "no timer is left that keeps the process alive")
  })

  it("a reason that cannot be cloned is told as far as it can be", () => {
    const world = ready()
    const call = world.submit()
    const { id, slot, worker } = call.request
    assert.isTrue(board.begin(worker!.board!, slot, id))
    world.cancel(call, { callback: () => 1 })
    const stop = world.port.sent.at(-1)!
    assert.isTrue(stop[0] === Do.stop)
  })

  it("what was sent and has not begun is had back: it never begins, and nobody waits for it", () => {
    const world = ready()
    const call = world.submit()
    const { id, slot, worker } = call.request
    world.cancel(call, "gone")
    assert.strictEqual(call.result?._tag, "Cancelled")
    assert.isFalse(board.begin(worker!.board!, slot, id))
    assert.isFalse(world.port.held)
    const next = world.submit()
    assert.strictEqual(next.request.worker, worker)
  })

  it("a worker that does not start fails no job beside one that has", () => {
    const world = new World({ max: 2, min: 2 })
    world.ports[0]!.ready()
    const calls = [world.submit(), world.submit(), world.submit()]
    for (let i = 0; i < 5; i++) {
      world.ports.at(-1)!.exit(new Error("no route"))
      world.time.sleep(5000)
    }
    assert.deepStrictEqual(
      calls.map(({ settled }) => settled),
      [false, false, false]
    )
  })

  it("what waits behind a long job goes to a worker that is quicker", () => {
    const world = new World({ max: 2, min: 2 })
    for (const port of world.ports) port.ready()
    const calls = Array.from({ length: 6 }, () => world.submit())
    world.time.sleep(1000)
    const [long, other, third] = calls
    const free = other!.request.worker!
    assert.notStrictEqual(long!.request.worker, free)
    world.ports.find((_, index) => index === free.id - 1)!.answer(1, 0)
    assert.strictEqual(third!.request.worker, free)
    assert.strictEqual(long!.request.phase, "running")
  })

  it("an idle pool keeps nothing alive, and a busy one does", () => {
    const world = new World()
    const call = world.submit()
    assert.isTrue(world.port.held, "one that starts")
    world.port.ready()
    assert.isTrue(world.port.held, "one that has work")
    world.port.answer(1)
    assert.isFalse(world.port.held)
    assert.isFalse(world.time.isAwake)
    assert.isTrue(call.settled)
    world.submit()
    world.submit()
    assert.isTrue(world.port.held)
    world.port.answer(1, 1)
    assert.isTrue(world.port.held, "one answer is left")
    world.port.answer(1, 2)
    assert.isFalse(world.port.held)
    const warm = ready()
    assert.isFalse(warm.port.held, "one that was started ahead")
  })

  it("a job that waits for a worker that may be started later keeps the process alive", () => {
    const world = ready()
    for (let i = 0; i < 3; i++) {
      world.submit()
      if (world.ports.length === i + 1 && i > 0) world.port.ready()
      world.port.exit()
    }
    world.submit()
    assert.strictEqual(world.ports.length, 2, "not yet")
    assert.isTrue(world.time.isAwake)
    world.time.sleep(100)
    assert.strictEqual(world.ports.length, 3)
    assert.isFalse(world.time.isAwake, "the worker that starts does")
  })

  it("an idle worker is dismissed when its time is over, and killed if it does not go", () => {
    const world = new World()
    world.submit()
    const { port } = world
    port.ready()
    port.answer(1)
    world.time.sleep(999)
    assert.strictEqual(port.fate, "none")
    world.time.sleep(1)
    assert.strictEqual(port.fate, "dismissed")
    world.time.sleep(99)
    assert.strictEqual(port.fate, "dismissed")
    world.time.sleep(1)
    assert.strictEqual(port.fate, "killed")
    port.exit()
    assert.isFalse(world.time.isAwake)
    world.time.sleep(2_000)
    assert.strictEqual(world.time.timers.size, 0)
  })

  it("closing drains, dismisses, keeps the process alive until it is over, and leaves no timer", () => {
    const world = ready()
    const call = world.submit()
    world.pool.close()
    assert.strictEqual(world.port.fate, "none")
    world.port.answer(1)
    assert.isTrue(call.settled)
    assert.strictEqual(world.port.fate, "dismissed")
    assert.isTrue(world.port.held && world.time.isAwake)
    world.port.exit(undefined)
    assert.strictEqual(world.pool.state.stage, "closed")
    assert.strictEqual(world.time.timers.size, 0)
  })

  it("also of those that were about to go when it was closed", () => {
    const world = new World()
    world.submit()
    world.port.ready()
    world.port.answer(1)
    world.time.sleep(1_000)
    assert.strictEqual(world.port.fate, "dismissed")
    assert.isFalse(world.port.held)
    world.pool.close()
    assert.isTrue(world.port.held)
    assert.strictEqual(world.pool.state.stage, "draining")
    world.port.exit()
    assert.strictEqual(world.pool.state.stage, "closed")
  })

  it("terminating kills, and says what it stopped", () => {
    const world = ready()
    const call = world.submit()
    world.pool.terminate()
    assert.deepStrictEqual(world.pool.state.stopped, ["f"])
    assert.strictEqual(world.port.fate, "killed")
    assert.isTrue(call.settled)
    world.port.exit()
    assert.strictEqual(world.pool.state.stage, "closed")
  })

  it("whoever is woken may come straight back", () => {
    const world = ready()
    const first = world.submit([1])
    let second: Call | undefined
    first.onWake = () => {
      second = world.submit([2])
    }
    world.port.answer("one", 0)
    world.port.answer("two", 1)
    assert.deepInclude(second!.result, { value: "two" })
  })

  it("a reason that the platform cannot send is told in words, and the job has to stop all the same", () => {
    const world = ready()
    const call = world.submit([], { timeout: 5_000 })
    const { id, slot, worker } = call.request
    assert.isTrue(board.begin(worker!.board!, slot, id))
    const { port } = world
    const send = port.send.bind(port)
    // As of a process: what another thread could share, it cannot.
    port.send = (message, transfer) => {
      const found = JSON.stringify(message).includes("shared")
      if (found) throw new Error("#<SharedArrayBuffer> could not be cloned.")
      send(message, transfer)
    }
    world.cancel(call, { shared: new SharedArrayBuffer(4) })
    const stop = port.sent.at(-1)!
    assert.isTrue(stop[0] === Do.stop)
    if (stop[0] === Do.stop) assert.strictEqual((wire.decode(stop[2]) as Error).message, "an Object cannot be sent")
    world.time.sleep(100)
    assert.strictEqual(port.fate, "killed")
  })

  it("what nobody waits for is told when all else is done: it may come straight back", () => {
    const world = ready()
    let call: Call | undefined
    world.told.push = (report) => {
      call = world.submit()
      core.check(world.pool.state)
      return report === undefined ? 0 : 1
    }
    world.port.exit()
    assert.strictEqual(world.ports.length, 2)
    world.port.ready()
    world.port.answer("again")
    assert.deepInclude(call!.result, { value: "again" })
  })

  it("a worker that says of itself that it failed is none: whoever waits is told why", () => {
    const world = new World()
    const call = world.submit()
    for (let n = 0; n < 10 && !call.settled; n++) {
      world.port.listener.message([Say.failed, wire.encode(new RangeError("no module"), () => true)])
      world.port.exit()
      world.time.sleep(5_000)
    }
    const error = failure(call) as WorkerDied
    assert.instanceOf(error, WorkerDied)
    assert.strictEqual((error.cause as Error).message, "no module")
    assert.strictEqual(world.ports[0]!.fate, "killed")
  })

  it("of several classes that were named, each is expected", () => {
    class NotFound extends Error {}
    const world = ready()
    const call = world.submit([], { errors: [RangeError, NotFound] })
    const encoded = wire.encode(new NotFound("no"), () => true)
    world.port.listener.message([Say.error, world.port.runs[0]![1], encoded, undefined])
    assert.deepInclude(call.result, { expected: true })
  })

  it("one primitive among the arguments does not make the others so: jobs have still no object in common", () => {
    const world = new World()
    const shared = { n: 0 }
    world.submit([null, shared])
    world.submit([shared, 1])
    world.port.ready()
    const { runs, sent } = world.port
    assert.deepStrictEqual([sent[1]![0], sent[2]![0]], [Do.run, Do.run])
    assert.notStrictEqual(runs[0]![3][2][1], runs[1]![3][2][0])
  })

  it("what has no identity goes with one message, and null is such", () => {
    const world = new World()
    world.submit([null])
    world.submit([undefined, 1n, "a", true], { context: null })
    world.port.ready()
    assert.strictEqual(world.port.sent[1]![0], Do.several)
  })

  it.each([[() => 1], [Symbol("s")]])("%s cannot be sent: its own job fails, and not its neighbour", (value) => {
    const world = new World()
    const [bad, good] = [world.submit([value]), world.submit([1])]
    world.port.ready()
    assert.instanceOf(failure(bad), wire.NotCloneable)
    assert.isFalse(good.settled)
    world.port.answer("good")
    assert.deepInclude(good.result, { value: "good" })
  })

  it("a worker that is gone is heard no more, and its port not asked for anything", () => {
    const world = ready()
    const call = world.submit()
    const { port } = world
    const [, id] = port.runs[0]!
    port.exit()
    const { result } = call
    const told: Array<boolean> = []
    port.hold = (held) => void told.push(held)
    port.listener.message([Say.value, id, 1, undefined])
    port.ready()
    assert.deepStrictEqual(told, [])
    assert.strictEqual(call.result, result)
    core.check(world.pool.state)
  })

  it("a worker whose only job was had back keeps nothing alive, and one that has another does", () => {
    const world = ready()
    const [one, two] = [world.submit(), world.submit()]
    world.cancel(one)
    assert.isTrue(world.port.held)
    world.cancel(two)
    assert.isFalse(world.port.held)
  })

  it("a job that was given up before it had a worker is nobody's", () => {
    const world = new World()
    const calls = Array.from({ length: 40 }, () => world.submit())
    for (const call of calls) world.cancel(call)
    assert.isTrue(calls.every(({ settled }) => settled))
    core.check(world.pool.state)
  })

  it("one that would have to wait for room is refused, when it is not to wait", () => {
    const world = new World({ backlog: 0 })
    const submitNow = () => {
      const target = ["file:///m.js", "f", []] as const
      const work = { name: "f", target, context: undefined, transfer: undefined, timeout: Infinity, errors: [] }
      const call = new Call(new Job(work), 0)
      world.pool.submitNow(call)
      return call
    }
    const calls = Array.from({ length: 100 }, submitNow)
    assert.isFalse(calls[0]!.settled)
    assert.instanceOf(failure(calls[99]!), ExecutorFull)
    core.check(world.pool.state)
  })

  it("who asks for a warm pool is told when it is", () => {
    const world = new World()
    const ticket = new TestTicket<number, WorkerDied | ExecutorClosed | undefined>(1, 0)
    wake(world.pool.warm(ticket))
    assert.strictEqual(world.ports.length, 1)
    assert.isFalse(ticket.settled)
    world.port.ready()
    assert.strictEqual(ticket.wakes, 1)
  })

  it("a port is told once whether it keeps the process alive: to tell it costs", () => {
    const world = ready()
    const told: Array<boolean> = []
    world.port.hold = (held) => void told.push(held)
    world.submit()
    world.submit()
    world.port.answer(1, 0)
    world.port.answer(2, 1)
    assert.deepStrictEqual(told, [true, false])
  })

  it("terminating keeps the process alive until all have ended", () => {
    const world = ready()
    assert.isFalse(world.port.held)
    world.pool.terminate()
    assert.isTrue(world.port.held)
  })
})

describe("what says that something cannot be cloned", () => {
  it("is the platform, by a name, a code, or words at the end; and no other error", () => {
    const unmoved = { code: "ERR_MISSING_TRANSFERABLE_IN_TRANSFER_LIST", message: "a port" }
    for (const error of [new DOMException("it", "DataCloneError"), unmoved, new Error("#<X> could not be cloned.")])
      assert.isTrue(isOfCloning(error))
    assert.isTrue(isOfCloning(new Error("#<X> could not be cloned")))
    const others = [
      undefined,
      null,
      "text",
      {},
      new Error("no room"),
      new Error("could not be cloned, since it is red")
    ]
    for (const error of others) assert.isFalse(isOfCloning(error))
  })
})
