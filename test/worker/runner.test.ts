/** What a worker does with what it is told, without a worker: the line to the pool is one of ours. */
import { assert, describe, it } from "@effect/vitest"
import * as board from "../../src/core/board.js"
import type { Board } from "../../src/core/board.js"
import { Do, type Hello, type Message, type Run, Say, type Target } from "../../src/core/protocol.js"
import * as wire from "../../src/core/wire.js"
import { here } from "../../src/worker/here.js"
import * as worker from "../../src/worker/index.js"
import { Runner } from "../../src/worker/runner.js"

const module = new URL("../fixtures/runnerJobs.mjs", import.meta.url).href

class World {
  readonly said: Array<Message> = []
  readonly transfers: Array<ReadonlyArray<unknown>> = []
  now = 0
  measured = 0
  ended = false
  private ids = 0
  readonly runner = new Runner({
    send: (message, transfer) => {
      this.said.push(structuredClone(message))
      this.transfers.push(transfer)
    },
    canClone: (value) => {
      try {
        return Boolean([structuredClone(value)])
      } catch {
        return false
      }
    },
    memory: () => ++this.measured,
    now: () => this.now,
    connect: () => {},
    end: () => void (this.ended = true)
  })

  constructor(hello: Partial<Hello> = {}) {
    const whole: Hello = { board: undefined, data: undefined, init: undefined, memory: false, concurrency: 1, ...hello }
    this.runner.hear([Do.hello, whole])
  }

  run(name: string, args: ReadonlyArray<unknown> = [], context?: unknown): number {
    const run = this.order(name, args, context)
    this.runner.hear(run)
    return run[1]
  }

  order(name: string, args: ReadonlyArray<unknown> = [], context?: unknown, slot = 0): Run {
    const target: Target = [module, name, args]
    return [Do.run, ++this.ids, slot, target, context]
  }

  async until(count: number): Promise<void> {
    for (let i = 0; i < 1_000 && this.said.length < count; i++) await new Promise((resolve) => setTimeout(resolve, 1))
    assert.lengthOf(this.said, count)
  }

  /** What was said last of a job, in words. */
  get ends(): ReadonlyArray<unknown> {
    return this.said.slice(1).map((message) => {
      if (message[0] === Say.value) return message[2]
      return message[0] === Say.error || message[0] === Say.failure ? String(wire.decode(message[2])) : message
    })
  }
}

/** A worker that has loaded the functions. */
const warmed = async (hello?: Partial<Hello>): Promise<World> => {
  const world = new World(hello)
  const shared = hello?.board
  let loaded = 0
  for (const name of ["add", "later", "until", "fails", "context", "signal"]) {
    const order = world.order(name, ["load"])
    if (shared !== undefined) board.offer(shared, 0, order[1])
    world.runner.hear(order)
    await world.until(++loaded + 1)
  }
  world.said.length = 1
  return world
}

describe("the runner", () => {
  it("says that it is ready, after what it is to call first; or that this failed", async () => {
    assert.deepStrictEqual(new World().said, [[Say.ready]])
    const world = new World({ init: [module, "later", [1]] })
    assert.deepStrictEqual(world.said, [])
    await world.until(1)
    assert.deepStrictEqual(world.said, [[Say.ready]])
    const failed = new World({ init: [module, "fails", ["no"]] })
    await failed.until(1)
    const [message] = failed.said
    assert.strictEqual(message![0], Say.failed)
    if (message![0] === Say.failed) assert.instanceOf(wire.decode(message![1]), RangeError)
  })

  it("answers in the same step what returns at once, one after the other", async () => {
    const world = await warmed()
    world.runner.hear([Do.several, [1, 2, 3].map((n) => world.order("add", [n, 1]))])
    assert.deepStrictEqual(world.ends, [2, 3, 4])
    world.run("fails", ["no"])
    assert.deepStrictEqual(world.ends.slice(3), ["RangeError: no"])
  })

  it("runs no more at a time than it may, and begins the next when one has ended", async () => {
    const world = await warmed({ concurrency: 2 })
    world.runner.hear([Do.several, ["a", "b", "c"].map((value) => world.order("later", [value]))])
    world.run("add", [1, 1])
    assert.deepStrictEqual(world.ends, [], "two run, and two wait")
    await world.until(5)
    assert.deepStrictEqual(world.ends.toSorted(), ["a", "b", "c", 2].toSorted())
  })

  it("does not begin what the pool had back", async () => {
    const shared: Board = board.make(2)
    const world = await warmed({ board: shared })
    const [mine, theirs] = [world.order("add", [1, 1], undefined, 0), world.order("add", [2, 2], undefined, 1)]
    board.offer(shared, 0, mine[1])
    board.offer(shared, 1, theirs[1])
    assert.isTrue(board.takeBack(shared, 1, theirs[1]))
    world.runner.hear([Do.several, [mine, theirs]])
    assert.deepStrictEqual(world.ends, [2])
    assert.isFalse(board.takeBack(shared, 0, mine[1]))
  })

  it("runs an effect: its failure is one, its defect and whatever is thrown is not", async () => {
    const world = new World()
    for (const name of ["succeeds", "failsAsEffect", "dies", "failsTwice", "later"]) {
      world.run(name, [name])
      await world.until(world.said.length + 1)
    }
    assert.deepStrictEqual(
      world.said.slice(1).map(([what]) => what),
      [Say.value, Say.failure, Say.error, Say.error, Say.value]
    )
    assert.deepStrictEqual(world.ends, [
      "succeeds",
      "RangeError: failsAsEffect",
      "RangeError: dies",
      "AggregateError: 2 errors",
      "later"
    ])
  })

  it("tells a function why it is to stop; also one that asks later", async () => {
    const world = await warmed({ concurrency: 3 })
    const reason = wire.encode(new RangeError("enough"), () => true)
    const asks = world.run("until")
    const later = world.run("signal", [20])
    world.runner.hear([Do.stop, asks, reason])
    world.runner.hear([Do.stop, later, reason])
    world.runner.hear([Do.stop, 99, reason])
    await world.until(3)
    assert.deepStrictEqual(world.ends, ["RangeError: enough", "RangeError: enough"])
  })

  it("interrupts an effect", async () => {
    const world = new World()
    const id = world.run("neverAsEffect")
    await new Promise((resolve) => setTimeout(resolve, 100))
    world.runner.hear([Do.stop, id, wire.encode("enough", () => true)])
    await world.until(2)
    assert.strictEqual(world.said[1]![0], Say.error)
  })

  it("a signal that is looked at looks at the board: no message comes through while a loop does not await", async () => {
    const shared = board.make(1)
    const world = await warmed({ board: shared })
    const order = world.order("until")
    board.offer(shared, 0, order[1])
    world.runner.hear(order)
    const signal = worker.signal()
    assert.isFalse(signal.aborted)
    signal.throwIfAborted()
    let heard = 0
    signal.addEventListener("abort", () => heard++)
    board.stop(shared, 0, order[1])
    assert.isTrue(signal.aborted)
    assert.throws(() => signal.throwIfAborted(), "its caller has gone, or its time is over")
    assert.strictEqual(signal.reason.name, "AbortError")
    // The message comes, too, and says nothing new.
    world.runner.hear([Do.stop, order[1], wire.encode("enough", () => true)])
    assert.strictEqual(heard, 1)
    await world.until(2)
  })

  it("a job has its context to its end; of several only in the first step", async () => {
    const alone = await warmed({ data: "data" })
    assert.strictEqual(worker.data(), "data")
    alone.run("context", [5], "mine")
    await alone.until(2)
    assert.deepStrictEqual(alone.ends, [["mine", "mine"]])
    assert.throws(() => worker.context(), "context: no job runs here")
    const several = await warmed({ concurrency: 2 })
    several.run("context", [5], "one")
    several.run("context", [5], "two")
    await several.until(3)
    assert.sameDeepMembers(Array.from(several.ends), [
      ["one", "none"],
      ["two", "none"]
    ])
  })

  it("moves what is to be moved, and says what cannot be cloned, and where", async () => {
    const world = new World()
    world.run("moves")
    await world.until(2)
    assert.lengthOf(world.transfers[1]!, 1)
    for (const name of ["closure", "closureLater"]) {
      world.run(name)
      await world.until(world.said.length + 1)
    }
    assert.deepStrictEqual(world.ends.slice(1), [
      "NotCloneable: closure: the result cannot be sent: result.f is a function",
      "NotCloneable: closureLater: the result cannot be sent: result.f is a function"
    ])
    world.run("nothing")
    await world.until(5)
    assert.match(String(world.ends[3]), /"nothing" is no export of .*, which has .*add/)
    world.run("constant")
    await world.until(6)
    assert.match(String(world.ends[4]), /"constant" is no function of/)
  })

  it("measures its memory when it is asked to, but not for each job", async () => {
    const world = await warmed({ memory: true })
    const measured = world.measured
    world.now += 1_000
    for (let n = 0; n < 3; n++) world.run("add", [n, 1])
    assert.strictEqual(world.measured, measured + 1)
    assert.deepStrictEqual(
      world.said.slice(1).map(({ 3: memory }: any) => memory),
      [measured + 1, undefined, undefined]
    )
    world.now += 100
    world.run("add", [1, 1])
    assert.strictEqual(world.measured, measured + 2)
    assert.strictEqual((await warmed()).measured, 0)
  })

  it("runs a function by its source, and says what it misses", async () => {
    const world = new World()
    const run = async (source: string, args: ReadonlyArray<unknown> = []) => {
      const { length } = world.said
      world.runner.hear([Do.run, 100 + length, 0, [undefined, source, args], undefined])
      await world.until(length + 1)
      return world.ends.at(-1)
    }
    assert.strictEqual(await run("(a, b) => a * b", [6, 7]), 42)
    assert.strictEqual(await run("(a, b) => a * b", [2, 3]), 6)
    assert.strictEqual(await run("() => __name(() => 5, 'f')()"), 5, "a helper of a compiler")
    const missing = String(await run("async () => factor * 2"))
    assert.match(missing, /^ReferenceError: toThread: the function refers to "factor", which is not in the worker/)
    assert.match(String(await run("() => factor")), /refers to "factor"/)
    assert.strictEqual(await run("() => { throw new RangeError('own') }"), "RangeError: own")
    assert.match(
      String(await run("() => ({ f: () => 1 })")),
      /toThread: the result cannot be sent: result\.f is a function/
    )
  })
})

describe("what a function asks for", () => {
  it("is known to every copy of the module", () => {
    assert.isEmpty(new World({ data: 1 }).ends)
    assert.isTrue(worker.isWorker())
    const other = Symbol.for("effect-concurrency/worker/Transfer")
    const moved = worker.transfer("value", []) as unknown as Record<symbol, unknown>
    assert.isTrue(moved[other])
  })

  it("is refused where it makes no sense, and can be had when the worker ends", () => {
    const world = new World()
    world.runner.hear([Do.end])
    assert.isTrue(world.ended)
    const closers = here()!.closers.length
    worker.onClose(() => {})
    assert.lengthOf(here()!.closers, closers + 1)
  })
})
