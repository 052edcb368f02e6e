/** Every scenario under every model of it, with one preemption, for two to three seconds a primitive. `npm run explore` goes further. */
import * as effect from "effect-concurrency"
import * as distributed from "effect-concurrency/distributed"
import * as executor from "effect-concurrency/Executor"
import * as http from "effect-concurrency/HttpLimits"
import * as promise from "effect-concurrency/promise"
import * as promiseDistributed from "effect-concurrency/promise/distributed"
import { Explore } from "effect-concurrency/testing"
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import * as models from "../testing/models.js"
import { scenarios } from "./scenarios.js"
import { fork, judge, Recording } from "./tools.js"

const library = { effect, promise, http, executor, distributed, promiseDistributed }
const fidelities: ReadonlyArray<Explore.Model> = ["taskOrder", "elastic", "aggressive"]
const cases = scenarios.flatMap((explored) => (explored.models ?? fidelities).map((model) => ({ explored, model })))

/** Milliseconds for a primitive, and what is run in one of them when nothing else goes on. */
const budget = 2_500
const rate = 3

describe("explored", () => {
  it("all primitives are, under all models, in promises alone and mixed with fibers", () => {
    const waits = ["Semaphore", "Mutex", "Guarded", "Event", "Condition", "Barrier", "WorkQueue"]
    const tasks = ["Task", "Deferred", "Background", "TaskGroup", "Shield", "Wait", "Streaming"]
    const times = [
      "Timeout",
      "Retry",
      "Debounce",
      "Throttle",
      "RateLimiter",
      "CircuitBreaker",
      "Bulkhead",
      "Policy",
      "HttpLimits",
      "Executor"
    ]
    const shared = [
      "DistributedMutex",
      "DistributedSemaphore",
      "DistributedQueue",
      "DistributedEvent",
      "DistributedBarrier"
    ]
    const primitives = [...waits, ...tasks, ...times, ...shared]
    expect(new Set(scenarios.map(({ primitive }) => primitive))).toEqual(new Set(primitives))
    for (const primitive of primitives) {
      const own = scenarios.filter((explored) => explored.primitive === primitive)
      expect(own.some((explored) => explored.models === undefined)).toBe(true)
      expect(own.some((explored) => explored.name.startsWith("promises: "))).toBe(true)
      expect(own.some((explored) => /\bfibers?\b.*\basync function/.test(explored.name))).toBe(true)
    }
  })

  it("each claim has its own name", () => {
    const names = scenarios.map(({ name, primitive }) => `${primitive}: ${name}`)
    expect(new Set(names).size).toBe(names.length)
  })

  for (const { explored, model } of cases) {
    it(`${explored.primitive}: ${explored.name} (${model})`, async () => {
      const time = budget / cases.filter((other) => other.explored.primitive === explored.primitive).length
      const { complete, schedules } = await Explore.check(explored.scenario(library), {
        bound: 1,
        // The number is what limits it, so that it is a sample of all: what the time cuts off is always the end. On a busy machine that may be.
        runs: Math.ceil(time * rate),
        time: Math.max(2 * time, 1_000),
        ...explored.options,
        model
      })
      // A check of one schedule would be an ordinary test.
      expect(schedules).toBeGreaterThanOrEqual(complete ? 3 : 5)
    })
  }
})

/** What the explorer has found in ours, as small as it gets: one preemption was enough. */
describe("found and mended", () => {
  it("Semaphore.take, checked before a resize and in line after it, waited for ever", async () => {
    const scenario = Effect.gen(function* () {
      const semaphore = yield* effect.Semaphore.make(2)
      const taker = yield* Explore.fork("taker", Effect.zipRight(Explore.work, Effect.exit(semaphore.take(2))))
      const resizer = yield* Explore.fork("resizer", semaphore.resize(1))
      yield* resizer.await
      const exit = yield* taker.await
      // Taken before the resize, or refused after it.
      return exit._tag === "Success" ? exit.value._tag : "interrupted"
    })
    const { complete, outcomes } = await Explore.check(scenario, { model: "elastic" })
    expect(complete).toBe(true)
    expect(new Set(outcomes.keys())).toEqual(new Set(["Success", "Failure"]))
  })

  it("Barrier.await, the last to arrive, was broken by a reset after it had come", async () => {
    const judgement = judge(models.barrier(2))
    const scenario = Effect.gen(function* () {
      const barrier = yield* effect.Barrier.make(2)
      const { call, recorder, wait } = new Recording(judgement, () => Number.NaN)
      const awaits = (who: string) => Effect.exit(wait(who, ["await"], barrier.await))
      const first = yield* fork("first", awaits("first"))
      const last = yield* fork("last", awaits("last"))
      const resetter = yield* fork("resetter", call("resetter", ["reset"], barrier.reset))
      yield* resetter.await
      yield* call("main", ["abort"], barrier.abort)
      yield* first.await
      yield* last.await
      judgement(recorder.historyAtRest)
    })
    const { schedules } = await Explore.check(scenario, { model: "elastic", runs: 1_000 })
    expect(schedules).toBe(1_000)
  })
})
