import { Effect, Exit, Scope } from "effect"
import type { Start } from "../../src/core/pool.js"
import { Do } from "../../src/core/protocol.js"
import type { Time } from "../../src/core/timekeeper.js"
import { timekeeper } from "../../src/internal/timer.js"
import { FakeWorkers, functions, threadOf } from "../utils/fakeWorkers.js"
import type { Explored, Library } from "./scenario.js"
import { claim, ended, fork, pause, same, settled } from "./tools.js"

const primitive = "Executor"

const { crashes, echo, hangs, spins } = functions

/** How long a worker may take for what it was told: to stop a job, and to go. */
const grace = 10

/** How long one may take to end that was killed, until it is left behind: see core/executor.ts. */
const endsWithin = 2_000

interface Options {
  readonly max?: number
  readonly backlog?: number
}

/**
 * Notes when a worker is told something, and when it is killed. One that was killed ends in its own time, as a thread and a process do, and the
 * explorer may let any time pass until then. So what is claimed of it is when it was killed, and not that it is gone.
 */
const watch = (workers: FakeWorkers, time: Time) => {
  const told = new Map<number, number>()
  const killed = new Map<number, number>()
  /** For how many milliseconds one was told before, if it was less than the grace. */
  const early: Array<number> = []
  const start: Start = (id, listener) => {
    const worker = workers.start(id, listener)
    return {
      send: (message, transfer) => {
        if ((message as ReadonlyArray<unknown>)[0] === Do.stop) told.set(id, time.now())
        worker.send(message, transfer)
      },
      dismiss: () => {
        told.set(id, time.now())
        worker.dismiss()
      },
      kill: () => {
        // One that was told nothing was not ready in time, which is another time.
        const since = time.now() - (told.get(id) ?? -Infinity)
        if (since < grace) early.push(since)
        killed.set(id, time.now())
        worker.kill()
      },
      hold: (held) => worker.hold(held)
    }
  }
  /** Whether one of them runs a job and was not killed. */
  const runs = (n: number): boolean => workers.all.some((worker) => !killed.has(worker.id) && worker.runs(n))
  /** How long ago it was killed. */
  const since = (id: number): number => time.now() - (killed.get(id) ?? Infinity)
  return { early, runs, since, start }
}

/** An executor, and a fiber to be, which does for each of its workers one thing after the other. */
const make = ({ executor }: Library, options: Options = {}) =>
  Effect.gen(function* () {
    const workers = new FakeWorkers()
    workers.clones = false
    const time = yield* timekeeper
    const watched = watch(workers, time)
    const self = yield* executor.over(
      { max: 1, grace, shared: true, onError: () => Effect.void, ...options },
      watched.start,
      time
    )
    const pool = self[executor.TypeId]
    const idle = Effect.async<void>((resume) => {
      if (workers.alive.some(({ isBusy }) => isBusy) || pool.state.stage === "closed") resume(Effect.void)
      else workers.onWork = () => resume(Effect.void)
    })
    const work: Effect.Effect<void> = Effect.suspend(() => {
      if (workers.step()) return Effect.zipRight(pause, work)
      return pool.state.stage === "closed" ? Effect.void : Effect.zipRight(idle, work)
    })
    const atRest = Effect.gen(function* () {
      yield* self.close
      workers.onWork()
      workers.checkOnce()
      const { inside, leaving, outside, stage } = pool.state
      same(watched.early, [], "workers that were killed before their grace was over")
      // The explorer may let seconds pass between two steps of a worker. Closing does not wait longer than it says for one that does not end;
      // it is left behind, and then it ends. None is left that was not killed, or that had less time than it should have had.
      for (const { id } of workers.alive) {
        claim(watched.since(id) >= endsWithin, `worker ${id} is left, and was killed ${watched.since(id)} ms ago`)
      }
      same(leaving.size, workers.alive.length, "workers that are left")
      workers.work()
      same([stage, inside, outside.size, leaving.size, workers.alive.length], ["closed", 0, 0, 0, 0], "what is left")
    })
    return { atRest, pool, runs: watched.runs, self, work, workers }
  })

/** The same, with its workers at work. */
const start = (library: Library, options?: Options) =>
  Effect.tap(make(library, options), ({ work }) => fork("workers", work))

/** Everything in a scope, which is closed in the end. */
const scoped = (scenario: (library: Library) => Effect.Effect<unknown, unknown, any>): Explored["scenario"] => {
  return (library) => Effect.scoped(scenario(library)) as Effect.Effect<unknown, unknown>
}

const value = (exit: Exit.Exit<unknown, unknown> | undefined, expected: unknown): void => {
  if (exit !== undefined && Exit.isSuccess(exit)) same(exit.value, expected, "the value")
}

export const scenarios: ReadonlyArray<Explored> = [
  {
    primitive,
    name: "each job is begun once, and ends, whoever is interrupted; no worker is left",
    options: { interrupt: ["a", "b"] },
    scenario: scoped((library) =>
      Effect.gen(function* () {
        const { atRest, self } = yield* start(library)
        const a = yield* fork("a", self.run(echo, 1))
        const b = yield* fork("b", self.run(echo, 2))
        const [one, two] = yield* ended<unknown>(a, b)
        value(one, 1)
        value(two, 2)
        same(yield* self.run(echo, 3), 3, "the next")
        yield* atRest
      })
    )
  },
  {
    primitive,
    name: "room is given back, wherever whoever waits for it is interrupted",
    options: { interrupt: ["b", "c"] },
    scenario: scoped((library) =>
      Effect.gen(function* () {
        const { atRest, pool, self } = yield* start(library, { backlog: 0 })
        const a = yield* fork("a", self.run(echo, 1))
        const b = yield* fork("b", self.run(echo, 2))
        const c = yield* fork(
          "c",
          Effect.flatMap(self.start(echo, 3), (task) => Effect.ignore(task.await))
        )
        const [one, two] = yield* ended<unknown>(a, b, c)
        value(one, 1)
        value(two, 2)
        same(yield* self.run(echo, 4), 4, "the next")
        claim(pool.state.inside === 0 || pool.state.inside === 1, `${pool.state.inside} jobs are inside`)
        yield* atRest
      })
    )
  },
  {
    primitive,
    name: "a worker that ends while its job is being given up costs nobody else anything",
    options: { interrupt: ["a"] },
    scenario: scoped((library) =>
      Effect.gen(function* () {
        const { atRest, self } = yield* start(library)
        const a = yield* fork("a", Effect.exit(self.run(crashes, 1)))
        const b = yield* fork("b", self.run(echo, 2))
        const [, two] = yield* ended<unknown>(a, b)
        value(two, 2)
        yield* atRest
      })
    )
  },
  {
    primitive,
    name: "whoever gives up a job waits until it has stopped, or its worker was ended; the next one has a worker",
    options: { interrupt: ["a", "b"] },
    scenario: scoped((library) =>
      Effect.gen(function* () {
        const { atRest, runs, self, workers } = yield* start(library)
        // Who gives up waits as long as the grace, and no longer: a worker that was killed may take its time to end, and its job goes on
        // until then. But nobody is gone while it runs in a worker that was not killed.
        const over = (n: number) => Effect.sync(() => claim(!runs(n), `job ${n} runs, and nobody waits for it`))
        const givesUp = (n: number, call: typeof hangs) =>
          Effect.ignore(Effect.ensuring(Effect.timeout(self.run(call, n), 20), over(n)))
        const a = yield* fork("a", givesUp(1, hangs))
        const b = yield* fork("b", givesUp(2, spins))
        yield* ended<unknown>(a, b)
        same(yield* self.run(echo, 3), 3, "the next")
        claim(workers.all.length <= 3, `${workers.all.length} workers were started`)
        yield* atRest
      })
    )
  },
  {
    primitive,
    name: "closing waits for what was taken and refuses the rest, whoever is interrupted",
    options: { interrupt: ["a", "close"] },
    scenario: scoped((library) =>
      Effect.gen(function* () {
        const { atRest, self } = yield* start(library, { backlog: 0 })
        const a = yield* fork("a", Effect.exit(self.run(echo, 1)))
        const b = yield* fork("b", Effect.exit(self.run(echo, 2)))
        const close = yield* fork("close", self.close)
        const [, , names] = yield* ended<unknown>(a, b, close)
        value(names, [])
        yield* self.close
        const late = yield* Effect.exit(self.run(echo, 3))
        same(Exit.isFailure(late) && (late.cause as any).error?._tag, "ExecutorClosed", "a job that comes late")
        yield* atRest
      })
    )
  },
  {
    primitive,
    name: "closing waits for a worker that was killed and takes its time to end",
    options: { interrupt: ["a"] },
    scenario: scoped((library) =>
      Effect.gen(function* () {
        const { atRest, self, work } = yield* make(library)
        const a = yield* fork("a", Effect.exit(self.warmUp(1)))
        const end = yield* fork("end", Effect.zipRight(self.terminate, atRest))
        yield* Effect.sleep(endsWithin / 2)
        yield* fork("workers", work)
        yield* ended<unknown>(a, end)
      })
    )
  },
  {
    primitive,
    name: "a wait for workers ends when they are there, or when there will be none, whoever is interrupted",
    options: { interrupt: ["a", "b"] },
    scenario: scoped((library) =>
      Effect.gen(function* () {
        const { atRest, pool, self } = yield* start(library, { max: 2 })
        const a = yield* fork("a", Effect.exit(self.warmUp(2)))
        const b = yield* fork("b", self.warmUp(1))
        const close = yield* fork("close", Effect.zipRight(pause, Effect.exit(self.close)))
        yield* ended<unknown>(a, b, close).pipe(Effect.ignore)
        same(pool.state.warming.size, 0, "who waits")
        yield* atRest
      })
    )
  },
  {
    primitive,
    name: "promises: each job is begun once, and ends, whoever gives up; no worker is left",
    models: ["taskOrder"],
    options: { interrupt: ["a", "b"] },
    scenario:
      ({ promise }) =>
      async (tasks) => {
        const workers = new FakeWorkers()
        workers.clones = false
        const spawn = ({ id }: { readonly id: number }) => threadOf(workers, id)
        const executor = new promise.Executor({ max: 1, grace: 10, backlog: 0, spawn, onError: () => {} })
        let isOver = false
        const working = tasks.spawn("workers", async ({ step }) => {
          while (!isOver || workers.alive.length > 0) {
            workers.step()
            await step("one thing")
            if (isOver && !workers.alive.some(({ isBusy }) => isBusy)) break
            if (workers.alive.every(({ isBusy }) => !isBusy)) await new Promise<void>((go) => (workers.onWork = go))
          }
        })
        const run = (name: string, n: number, call: typeof echo) =>
          tasks.spawn(name, async ({ signal }) => same(await executor.with({ signal }).run(call, n), n, "the value"))
        const late = tasks.spawn("b", ({ signal }) =>
          executor
            .with({ signal, timeout: 5 })
            .run(hangs, 2)
            .catch((error) => {
              if (error._tag !== "JobTimeout") throw error
            })
        )
        await settled<unknown>(run("a", 1, echo), late, run("c", 3, echo))
        isOver = true
        const closing = executor.close()
        workers.onWork()
        same(await closing, [], "what was stopped")
        await working
        workers.checkOnce()
        same(workers.alive.length, 0, "workers that are left")
      }
  },
  {
    primitive,
    name: "a fiber and an async function share the workers, whoever gives up",
    models: ["taskOrder", "aggressive"],
    options: { interrupt: ["fiber", "function"] },
    scenario: (library) => async (tasks) => {
      const made = Effect.flatMap(Scope.make(), (scope) => Scope.extend(make(library), scope))
      const { atRest, self, work } = await tasks.fork("make", made)
      const view = library.promise.Executor.from(self)
      const working = tasks.fork("workers", work)
      await settled<unknown>(
        tasks.fork(
          "fiber",
          Effect.map(self.run(echo, 1), (value) => same(value, 1, "of the fiber"))
        ),
        tasks.spawn("function", async ({ signal }) =>
          same(await view.with({ signal }).run(echo, 2), 2, "of the function")
        )
      )
      same(await view.run(echo, 3), 3, "the next")
      await tasks.fork("end", atRest)
      await working
    }
  }
]
