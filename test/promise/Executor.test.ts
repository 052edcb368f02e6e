/** The executor on real threads and processes: what is the facade's own. What both skins promise is in test/laws/Executor.ts. */
import { assert, describe, it } from "@effect/vitest"
import { AsyncLocalStorage } from "node:async_hooks"
import { type ChildProcess, fork, spawn } from "node:child_process"
import { getEventListeners } from "node:events"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Worker } from "node:worker_threads"
import { Cause, Effect } from "effect"
import * as Effects from "effect-concurrency/Executor"
import * as NodeExecutor from "effect-concurrency/NodeExecutor"
import {
  Executor,
  ExecutorFull,
  type ExecutorOptions,
  JobTimeout,
  NotCloneable,
  WorkerDied
} from "effect-concurrency/promise"
import { TypeId } from "../../src/core/executor.js"
import {
  executorLaws,
  isAlive,
  type Kind,
  newFiles,
  promise,
  Registry,
  sleep,
  timed,
  until,
  url
} from "../laws/Executor.js"
import { closeAll, FakePool, functions, settle } from "../utils/fakeWorkers.js"
import { rejectionOf } from "../utils/rejection.js"

const jobs = Executor.module<typeof import("../fixtures/jobs.mjs")>(url)
const entry = new URL("../../dist/worker/entry.js", import.meta.url)

const file = newFiles()

/** Starts a program of its own. (From a file: workers would inherit the options for a program in the command line.) */
const program = (body: string): ChildProcess => {
  const path = `${file()}.mjs`
  const facade = new URL("../../dist/promise/index.js", import.meta.url).href
  writeFileSync(path, `import { Executor } from "${facade}"\nconst jobs = Executor.module("${url.href}")\n${body}`)
  return spawn(process.execPath, [path], { stdio: ["ignore", "pipe", "inherit"] })
}

/** A test with an executor, after which no worker is left. */
const withExecutor = async (
  kind: Kind,
  options: ExecutorOptions,
  test: (executor: Executor, registry: Registry) => Promise<unknown>
): Promise<void> => {
  const registry = new Registry(kind)
  const executor = new Executor({ max: 1, kind, spawn: registry.spawn, ...options })
  try {
    await test(executor, registry)
  } finally {
    await executor.terminate()
    assert.strictEqual(registry.live.size, 0, "workers are left")
  }
}

for (const kind of ["threads", "processes"] as const) executorLaws(promise, kind)

for (const kind of ["threads", "processes"] as const) {
  describe(`Executor on ${kind}`, () => {
    it("the context reaches the function, and nothing comes back (test_to_thread_contextvars)", () =>
      withExecutor(kind, { concurrency: 2 }, async (executor) => {
        const traced = executor.with({ context: { trace: 1 } })
        const both = await Promise.all([
          traced.run(jobs.contextLater),
          executor.with({ context: 2 }).run(jobs.contextLater),
          traced.with({ priority: 1 }).run(jobs.context)
        ])
        assert.deepStrictEqual(both, [{ trace: 1 }, 2, { trace: 1 }])
        assert.isUndefined(await executor.run(jobs.context))
        const late = (await rejectionOf(traced.run(jobs.contextTooLate))) as Error
        assert.include(late.message, "ask before the first await")
      }))

    it("what was aborted before is not sent", () =>
      withExecutor(kind, {}, async (executor, registry) => {
        const gone = executor.with({ signal: AbortSignal.abort("gone") })
        const calls = [gone.run(jobs.add, 1, 2), gone.tryRun(jobs.add, 1, 2), gone.toThread(() => 1)]
        for (const call of calls) assert.strictEqual(await rejectionOf(call), "gone")
        assert.strictEqual(await rejectionOf(gone.start(jobs.add, 1, 2)), "gone")
        assert.strictEqual(await rejectionOf(executor.warmUp(1, { signal: AbortSignal.abort("gone") })), "gone")
        assert.strictEqual(registry.started, 0)
      }))

    it("a function that runs is told why it is to stop, and keeps its worker when it does", () =>
      withExecutor(kind, { grace: 20_000 }, async (executor, registry) => {
        const path = file()
        const controller = new AbortController()
        const call = executor.with({ signal: controller.signal }).run(jobs.untilStopped, path)
        await until(() => existsSync(path))
        controller.abort("enough")
        const [took, reason] = await timed(() => rejectionOf(call))
        assert.strictEqual(reason, "enough")
        assert.isBelow(took, 1_000, "the caller does not wait for that")
        assert.strictEqual(await executor.run(jobs.add, 1, 2), 3)
        assert.strictEqual(readFileSync(path, "utf8"), "enough")
        assert.strictEqual(registry.started, 1)
      }))

    it("a reason that cannot be sent is told in words", () =>
      withExecutor(kind, { grace: 20_000 }, async (executor) => {
        const path = file()
        const controller = new AbortController()
        const call = executor.with({ signal: controller.signal }).run(jobs.untilStopped, path)
        await until(() => existsSync(path))
        // A thread may have the memory in common; a process may not, and the pool does not know beforehand.
        const reason = kind === "threads" ? { f: () => 1 } : new SharedArrayBuffer(4)
        controller.abort(reason)
        assert.strictEqual(await rejectionOf(call), reason)
        assert.strictEqual(await executor.run(jobs.add, 1, 2), 3)
        assert.match(readFileSync(path, "utf8"), /^Error: an? (Object|SharedArrayBuffer) cannot be sent$/)
      }))

    it("leaves no listener on a signal that outlives its jobs", () =>
      withExecutor(kind, { max: 2, backlog: 1 }, async (executor) => {
        const controller = new AbortController()
        const calling = executor.with({ signal: controller.signal })
        const calls = [1, 2, 3, 4, 5].map((n) => calling.run(jobs.echo, n))
        assert.strictEqual(getEventListeners(controller.signal, "abort").length, 1)
        await Promise.all(calls)
        const { task } = await calling.start(jobs.echo, 6)
        await task
        assert.strictEqual(getEventListeners(controller.signal, "abort").length, 0)
        const more = [1, 2, 3, 4, 5].map((n) => rejectionOf(calling.run(jobs.sleep, 5_000, n)))
        controller.abort("gone")
        assert.deepStrictEqual(await Promise.all(more), ["gone", "gone", "gone", "gone", "gone"])
        assert.strictEqual(getEventListeners(controller.signal, "abort").length, 0)
      }))

    it("room is free when the job has ended, not when its caller has gone", () =>
      withExecutor(kind, { backlog: 0, grace: 200 }, async (executor) => {
        const path = file()
        const controller = new AbortController()
        const call = executor.with({ signal: controller.signal }).run(jobs.spinForEver, path)
        // What has not begun is had back.
        await until(() => existsSync(path))
        controller.abort("gone")
        assert.strictEqual(await rejectionOf(call), "gone")
        assert.instanceOf(await rejectionOf(executor.tryRun(jobs.echo, 1)), ExecutorFull)
        assert.strictEqual(await executor.run(jobs.echo, 2), 2)
        assert.strictEqual(await executor.tryRun(jobs.echo, 3), 3)
      }))

    it("a job can be started as a task, and cancelled, which waits until it has stopped", () =>
      withExecutor(kind, { backlog: 0, grace: 100 }, async (executor) => {
        const { task } = await executor.start(jobs.add, 1, 2)
        assert.strictEqual(await task, 3)
        const spinning = await executor.start(jobs.spinForEver)
        let accepted = false
        const next = executor.start(jobs.echo, "next").then((started) => {
          accepted = true
          return started.task
        })
        await sleep(20)
        assert.isFalse(accepted)
        assert.isTrue(await spinning.task.cancel("enough"))
        assert.deepStrictEqual(spinning.task.poll(), { _tag: "Cancelled", reason: "enough" })
        assert.strictEqual(await next, "next")
        const failed = await executor.start(jobs.fails, "RangeError")
        assert.instanceOf(await rejectionOf(failed.task.wait()), RangeError)
        const controller = new AbortController()
        const followed = await executor.with({ signal: controller.signal }).start(jobs.untilStopped)
        controller.abort("signal")
        assert.strictEqual(await rejectionOf(followed.task.wait()), "signal")
        assert.strictEqual(followed.task.name, "untilStopped")
      }))

    it("await using closes it", async () => {
      const registry = new Registry(kind)
      const result = await (async () => {
        const executor = new Executor({ kind, spawn: registry.spawn })
        try {
          return executor.run(jobs.sleep, 50, "done")
        } finally {
          await executor[Symbol.asyncDispose]()
        }
      })()
      assert.strictEqual(result, "done")
      assert.strictEqual(registry.live.size, 0)
    })

    it("a worker that uses too much memory is replaced", () =>
      withExecutor(kind, { maxMemory: 1 }, async (executor) => {
        assert.strictEqual(await executor.run(jobs.count), 1)
        assert.strictEqual(await executor.run(jobs.count), 1)
      }))

    it("keeps the caller's AsyncLocalStorage", () =>
      withExecutor(kind, { backlog: 0 }, async (executor) => {
        const storage = new AsyncLocalStorage<number>()
        const seen = await Promise.all(
          [1, 2, 3].map((n) =>
            storage.run(n, async () => {
              await executor.run(jobs.echo, n)
              return storage.getStore()
            })
          )
        )
        assert.deepStrictEqual(seen, [1, 2, 3])
      }))

    it("workers see the environment and the options that they are given", async () => {
      const options = { kind, max: 1, env: { ...process.env, COLOR: "blue" }, execArgv: ["--no-warnings"] }
      const executor = new Executor(options)
      assert.strictEqual(await executor.run(jobs.environment, "COLOR"), "blue")
      assert.deepStrictEqual(await executor.run(jobs.options), ["--no-warnings"])
      await executor.close()
    })

    it("a worker that cannot be started at all is told like one that died", async () => {
      const broken = new Executor({ kind, max: 1, execArgv: ["--there-is-no-such-option"] })
      const error = (await rejectionOf(broken.run(jobs.add, 1, 2))) as WorkerDied
      assert.instanceOf(error, WorkerDied)
      assert.isFalse(error.started)
      await broken.close()
      const none = new Executor({ kind, max: 1, spawn: () => "a worker" })
      const wrong = (await rejectionOf(none.run(jobs.add, 1, 2))) as WorkerDied
      assert.include(wrong.message, "spawn must return a worker or a child process, got a worker")
      await none.close()
    })
  })
}

describe("Executor on threads", () => {
  it("one without memory left fails its jobs, and nothing else", async () => {
    const executor = new Executor({ max: 1, resourceLimits: { maxOldGenerationSizeMb: 20 } })
    const error = (await rejectionOf(executor.run(jobs.eatMemory))) as WorkerDied
    assert.instanceOf(error, WorkerDied)
    assert.include(error.message, "memory")
    assert.strictEqual(await executor.run(jobs.add, 1, 2), 3)
    await executor.close()
  })

  it("10,000 jobs each begin once, however often they are offered, had back and handed on", async () => {
    const many = 10_000
    const cells = new Int32Array(new SharedArrayBuffer(4 * many))
    const source = `
      const { data } = await import(${JSON.stringify(new URL("../../dist/worker/index.js", import.meta.url))})
      export const mark = (n) => Atomics.add(data(), n, 1)
      export const markSlowly = (n) => { const end = performance.now() + n % 5; while (performance.now() < end); return mark(n) }`
    const marks = Executor.module<{ mark: (n: number) => number; markSlowly: (n: number) => number }>(
      `data:text/javascript,${encodeURIComponent(source)}`
    )
    const executor = new Executor({ max: 3, data: cells })
    await Promise.all(
      Array.from({ length: many }, (_, n) => {
        const calling = executor.with({ priority: n % 7 === 0 ? 1 : 0 })
        return n % 100 === 0 ? calling.run(marks.markSlowly, n) : calling.run(marks.mark, n)
      })
    )
    assert.isTrue(cells.every((times) => times === 1))
    await executor.close()
  })
})

describe("Executor on processes", () => {
  it("end when whoever started them is gone", async () => {
    const parent = program(`
      const executor = new Executor({ kind: "processes", max: 1 })
      console.log((await executor.run(jobs.whoAmI)).pid)
      await executor.run(jobs.never)`)
    let output = ""
    parent.stdout!.on("data", (chunk) => (output += chunk))
    await until(() => output.endsWith("\n"))
    const pid = Number(output)
    assert.isTrue(isAlive(pid))
    parent.kill("SIGKILL")
    await until(() => !isAlive(pid))
  })
})

describe("Executor on processes that somebody else has started", () => {
  it("speaks by Node's own channel", async () => {
    const children: Array<ChildProcess> = []
    const start = () => {
      const child = fork(entry, [], { serialization: "advanced" })
      children.push(child)
      return child
    }
    const executor = new Executor({ kind: "processes", max: 1, spawn: start })
    const { pid } = await executor.run(jobs.whoAmI)
    assert.strictEqual(pid, children[0]!.pid)
    assert.deepStrictEqual(
      await executor.run(jobs.echo, new Map([["a", [undefined, -0]]])),
      new Map([["a", [undefined, -0]]])
    )
    assert.include(
      ((await rejectionOf(executor.run(jobs.closure))) as Error).message,
      "items[0].callback is a function"
    )
    assert.instanceOf(await rejectionOf(executor.run(jobs.echo, () => 1)), NotCloneable)
    await executor.close()
    assert.isFalse(isAlive(pid))
  })
})

describe("Executor and the end of the process", () => {
  const run = async (body: string): Promise<readonly [code: number | null, output: string]> => {
    const child = program(body)
    let output = ""
    child.stdout!.on("data", (chunk) => (output += chunk))
    const code = await new Promise<number | null>((resolve) => child.on("close", resolve))
    return [code, output]
  }

  for (const kind of ["threads", "processes"]) {
    it(`an idle pool of ${kind} does not keep it alive, and one that has work does`, async () => {
      const made = `const executor = new Executor({ kind: "${kind}", max: 2 })`
      const [took, idle] = await timed(() =>
        run(`${made}; await executor.warmUp(); console.log(await executor.run(jobs.add, 1, 2))`)
      )
      assert.deepStrictEqual(idle, [0, "3\n"])
      assert.isBelow(took, 20_000, "it does not wait for the idle time of the workers")
      const busy = `${made}; executor.run(jobs.sleep, 200, 1).then(console.log); executor.run(jobs.sleep, 100, 2).then(console.log)`
      const [code, output] = await run(busy)
      assert.strictEqual(code, 0)
      assert.sameMembers(output.trim().split("\n"), ["1", "2"])
    })

    it(`whoever waits until a pool of ${kind} is closed sees that`, async () => {
      const made = `const executor = new Executor({ kind: "${kind}", max: 2 })`
      assert.deepStrictEqual(
        await run(`${made}; await executor.run(jobs.add, 1, 2); console.log(await executor.close())`),
        [0, "[]\n"]
      )
      assert.deepStrictEqual(await run(`${made}; console.log(await executor.terminate())`), [0, "[]\n"])
    })
  }
})

describe("Executor.toThread", () => {
  it("runs a function by its source, with its arguments, once (test_to_thread, test_to_thread_once, test_to_thread_args_kwargs)", async () => {
    assert.strictEqual(await Executor.toThread((a: number, b: { c: number }) => a * b.c, 6, { c: 7 }), 42)
    const cells = new Int32Array(new SharedArrayBuffer(4))
    await Executor.toThread((cells: Int32Array) => Atomics.add(cells, 0, 1), cells)
    assert.strictEqual(cells[0], 1)
    const error = (await rejectionOf(
      Executor.toThread(() => {
        throw new RangeError("no")
      })
    )) as Error
    assert.instanceOf(error, RangeError)
  })

  it("many at a time (test_to_thread_concurrent)", async () => {
    const results = await Promise.all(Array.from({ length: 10 }, (_, n) => Executor.toThread((n: number) => n * n, n)))
    assert.deepStrictEqual(results, [0, 1, 4, 9, 16, 25, 36, 49, 64, 81])
  })

  const object = {
    method(n: number) {
      return n + 1
    },
    async later(n: number) {
      return n + 1
    },
    async(n: number) {
      return n + 1
    },
    get(n: number) {
      return n + 1
    },
    function(n: number) {
      return n + 1
    },
    "with a space"(n: number) {
      return n + 1
    },
    arrow: (n: number) => n + 1
  }
  const functions: Record<string, (n: number) => number | Promise<number>> = {
    ...object,
    "function expression": function (n) {
      return n + 1
    },
    "named function": function plus(n) {
      return n + 1
    },
    "async function": async function (n) {
      return n + 1
    },
    "async arrow": async (n) => n + 1,
    "arrow with defaults": (n, { one, text } = { one: 1, text: "=> {" }) => n + one + text.length - 4,
    "arrow without parentheses": new Function("return n => n + 1")(),
    "async arrow without parentheses": new Function("return async n => n + 1")(),
    "with a comment": (n /* => */) => /* { */ n + 1,
    "that names functions": (n) => {
      const plus = (m: number) => m + 1
      return plus(n)
    },
    "that uses what is global": (n) => Math.max(n, structuredClone(n + 1))
  }
  for (const [name, f] of Object.entries(functions)) {
    it(`takes a function: ${name}`, async () => {
      assert.strictEqual(await Executor.toThread(f, 1), 2)
    })
  }

  class Base {
    method() {
      return 1
    }
  }
  class Derived extends Base {
    override method() {
      return super.method() + 1
    }
    get value() {
      return 1
    }
  }
  const { get: getter } = Object.getOwnPropertyDescriptor(Derived.prototype, "value")!
  for (const [name, f, message] of [
    ["built in", Math.max, "a function with a source, neither built in nor bound"],
    ["bound", object.arrow.bind(null), "a function with a source, neither built in nor bound"],
    ["a class", Derived, "a function, and no class"],
    ["a method with super", Derived.prototype.method, "a function that can stand alone"],
    ["a getter", getter, "a function that can stand alone"],
    ["none", "() => 1", "a function"]
  ] as const) {
    it(`refuses what cannot be sent by its source: ${name}`, async () => {
      const error = (await rejectionOf(Executor.toThread(f as () => number))) as Error
      assert.instanceOf(error, TypeError)
      assert.include(error.message, `Executor.toThread: f must be ${message}`)
    })
  }

  it("says which name of its surroundings it misses", async () => {
    const factor = 2
    const both: ReadonlyArray<(n: number) => unknown> = [(n) => n * factor, async (n) => n * factor]
    for (const f of both) {
      const error = (await rejectionOf(Executor.toThread(f, 1))) as Error
      assert.instanceOf(error, ReferenceError)
      assert.include(error.message, `the function refers to "factor", which is not in the worker`)
      assert.include(error.message, "hand over what it needs as an argument")
    }
  })

  it("a generator is no result", async () => {
    const error = (await rejectionOf(
      Executor.toThread(function* () {
        yield 1
      })
    )) as Error
    assert.include(error.message, "result is a Generator")
  })

  it("an executor of one's own does it, too, with what is said of the job", () =>
    withExecutor("processes", {}, async (executor) => {
      const imports = new Function(
        `return async () => (await import("node:path")).join("a", "b")`
      )() as () => Promise<string>
      assert.strictEqual(await executor.toThread(imports), join("a", "b"))
      const spin = () => {
        for (;;);
      }
      assert.instanceOf(await rejectionOf(executor.with({ timeout: 20 }).toThread(spin)), JobTimeout)
    }))
})

describe("Executor, given up at any moment", () => {
  const { crashes, echo, hangs, spins } = functions

  /**
   * Has somebody give up at each moment in turn: between any two things that a worker does, and between any two reactions of promises. Others are in
   * line before and after. Everybody ends as he must, no job is begun twice, and nothing is left.
   */
  const everywhere = async (
    options: ExecutorOptions,
    victim: (executor: Executor, signal: AbortSignal) => Promise<unknown>,
    shared: boolean
  ): Promise<number> => {
    for (let moment = 0; ; moment++) {
      const fake = new FakePool({ startTimeout: 500, ...options }, shared)
      const executor = Executor.from({ [TypeId]: fake.pool } as unknown as Executor)
      const controller = new AbortController()
      let moments = 0
      const next = () => {
        if (moments++ === moment) controller.abort("enough")
      }
      const others = [executor.run(echo, 1), executor.run(echo, 2)]
      let ended = false
      const end = () => void (ended = true)
      next()
      void victim(executor, controller.signal).then(end, end)
      next()
      others.push(executor.run(echo, 3))
      for (let i = 0; i < 30; i++) {
        for (const worker of fake.workers.alive) {
          worker.step()
          next()
        }
        await Promise.resolve()
        next()
      }
      const isOver = moments <= moment
      // It may never end by itself.
      controller.abort("enough")
      await settle(fake)
      assert.deepStrictEqual(await Promise.all(others), [1, 2, 3], `given up at ${moment}`)
      assert.isTrue(ended, `it never ends, given up at ${moment}`)
      await closeAll(fake).catch((error: Error) => assert.fail(`given up at ${moment}: ${error.message}`))
      if (isOver) return moment
    }
  }

  const run =
    (call: typeof echo) =>
    (executor: Executor, signal: AbortSignal): Promise<unknown> =>
      executor.with({ signal }).run(call, 9)

  const starts = async (executor: Executor, signal: AbortSignal) => {
    const { task } = await executor.with({ signal }).start(hangs, 9)
    await task
  }

  for (const [name, victim, endsWorkers] of [
    ["a job", run(echo), false],
    ["a job that stops when it is told to", run(hangs), false],
    ["a job that does not", run(spins), true],
    ["a job that ends its worker", run(crashes), true],
    ["a job that is started", starts, false],
    ["a wait for workers", (executor: Executor, signal: AbortSignal) => executor.warmUp(2, { signal }), false]
  ] as const) {
    it(name, async () => {
      for (const shared of [true, false]) {
        assert.isAbove(await everywhere({ max: 2, backlog: 1 }, victim, shared), 40)
        // Those that run in a worker beside such a job end with it.
        if (!endsWorkers) await everywhere({ max: 2, concurrency: 2 }, victim, shared)
      }
    })
  }
})

describe("Executor, whose it is", () => {
  const told: Array<Effects.Unhandled> = []

  it("is that of an Effect program, too: its workers, its line, its limits", () =>
    Effect.gen(function* () {
      const effects = yield* Effects.Executor
      const plain = Executor.from(effects)
      assert.strictEqual(yield* Effect.promise(() => plain.run(jobs.count)), 1)
      assert.strictEqual(yield* effects.run(jobs.count as any), 2)
      assert.strictEqual(yield* Effect.promise(() => Executor.from(plain).run(jobs.count)), 3)
      assert.deepInclude(plain.stats(), { done: 3, started: 1 })
    }).pipe(Effect.provide(NodeExecutor.layerThreads({ max: 1 })), Effect.runPromise))

  it("what is to be reported goes where the executor of the Effect program reports", () =>
    Effect.gen(function* () {
      const plain = Executor.from(yield* Effects.Executor)
      yield* Effect.promise(() => plain.start(jobs.fails, "RangeError"))
      yield* Effect.promise(() => until(() => told.length > 0))
      assert.deepInclude(told[0], { where: "Executor.start", name: "fails" })
      assert.instanceOf(Cause.squash(told[0]!.cause), RangeError)
    }).pipe(
      Effect.provide(
        NodeExecutor.layerThreads({ max: 1, onError: (failure) => Effect.sync(() => told.push(failure)) })
      ),
      Effect.runPromise
    ))

  it("what a worker asks is refused elsewhere", () => {
    assert.isFalse(Executor.isWorker())
    assert.throws(() => Executor.onClose(() => {}), "onClose: there is no worker")
    assert.throws(() => Executor.signal(), "signal: there is no worker of an executor here")
    assert.throws(() => Executor.context(), "context: there is no worker")
    assert.throws(() => Executor.data(), "data: there is no worker")
  })

  it("on the web: a worker says that it ends, and one that is terminated does not", async () => {
    const live = new Set<Worker>()
    let terminated = 0
    // What a worker of the web has, over a thread.
    const spawn = () => {
      const thread = new Worker(entry)
      live.add(thread)
      thread.on("exit", () => live.delete(thread))
      return {
        postMessage: (message: unknown, transfer: ReadonlyArray<any>) => thread.postMessage(message, transfer),
        addEventListener: (event: string, listener: (event: any) => void) => {
          if (event === "message") {
            thread.on("message", (data) => listener({ data }))
            thread.on("exit", () => listener({ data: [2] }))
          }
          if (event === "error") thread.on("error", (error) => listener({ error, message: error.message }))
        },
        terminate: () => {
          terminated++
          thread.removeAllListeners("exit")
          thread.on("exit", () => live.delete(thread))
          void thread.terminate()
        }
      }
    }
    const executor = new Executor({ max: 1, grace: 100, spawn })
    assert.strictEqual(await executor.run(jobs.add, 1, 2), 3)
    assert.instanceOf(await rejectionOf(executor.with({ timeout: 200 }).run(jobs.spinForEver)), JobTimeout)
    assert.strictEqual(terminated, 1)
    const died = (await rejectionOf(executor.run(jobs.throwsBeside))) as WorkerDied
    assert.instanceOf(died.cause, RangeError)
    assert.strictEqual(await executor.run(jobs.add, 1, 2), 3)
    assert.deepStrictEqual(await executor.close(), [])
    await until(() => live.size === 0)
  })
})

describe("Executor, bad input", () => {
  for (const [options, message] of [
    [null, "options must be an object, got null"],
    [{ kind: "fibers" }, `kind must be one of "threads", "processes", got "fibers"`],
    [{ max: 0 }, "max must be an integer of at least 1, got 0"],
    [{ name: 5 }, "name must be a string, got 5"],
    [{ onError: "log" }, `onError must be a function, got "log"`],
    [{ spawn: {} }, "spawn must be a function, got an object (Object)"],
    [{ execArgv: "--x" }, `execArgv must be an array of strings, got "--x"`],
    [{ kind: "processes", resourceLimits: {} }, "resourceLimits must be an object, and of threads"],
    [{ resourceLimits: 5 }, "resourceLimits must be an object"],
    [{ startTimeout: 0 }, "startTimeout must be more than 0 milliseconds, got 0"],
    [{ startTimeout: -1 }, "startTimeout must be 0 or more milliseconds, got -1"],
    [{ data: { f: () => 1 } }, "data must be something that can be cloned (data.f is a function)"],
    [{ init: () => 1 }, "init must be a function with its arguments, as of bind(call, ...args)"],
    [
      { init: Executor.bind(jobs.echo, () => 1) },
      "init must be a function with arguments that can be cloned (init.args[0] is a function)"
    ]
  ] as const) {
    it(`new Executor: ${message}`, () => {
      assert.throws(() => new Executor(options as never), `new Executor: ${message}`)
    })
  }

  const executor = new Executor()
  for (const [options, message] of [
    [null, "options must be an object, got null"],
    [{ timeout: 0 }, "timeout must be more than 0 milliseconds, got 0"],
    [{ timeout: NaN }, "timeout must be 0 or more milliseconds, got NaN"],
    [{ priority: "high" }, `priority must be a number, got "high"`],
    [{ transfer: new ArrayBuffer(1) }, "transfer must be an array of what is to be moved"],
    [{ signal: {} }, "signal must be an AbortSignal, got an object (Object)"]
  ] as const) {
    it(`Executor.with: ${message}`, () => {
      assert.throws(() => executor.with(options as never), `Executor.with: ${message}`)
    })
  }

  it("a call that is none, a count that is none, an executor that is none", async () => {
    const message = "call must be a function of a module, as of module(…).name"
    for (const name of ["run", "tryRun", "start"] as const) {
      const error = (await rejectionOf((executor as any)[name](() => 1))) as Error
      assert.instanceOf(error, TypeError)
      assert.include(error.message, `Executor.${name}: ${message}`)
    }
    assert.include(
      ((await rejectionOf(executor.warmUp(-1))) as Error).message,
      "Executor.warmUp: count must be an integer"
    )
    assert.throws(() => Executor.bind((() => 1) as never), `Executor.bind: ${message}`)
    assert.throws(() => Executor.from({} as never), "Executor.from: argument must be a Executor")
    assert.throws(() => Executor.module("./hashing.js"), "Executor.module: url must be a URL")
    assert.strictEqual(executor.stats().started, 0, "and nothing was started")
  })
})
