import { assert, describe, it } from "@effect/vitest"
import * as background from "../../src/core/background.js"
import * as barrier from "../../src/core/barrier.js"
import * as breaker from "../../src/core/breaker.js"
import * as bulkhead from "../../src/core/bulkhead.js"
import * as condition from "../../src/core/condition.js"
import * as deadline from "../../src/core/deadline.js"
import * as event from "../../src/core/event.js"
import * as guarded from "../../src/core/guarded.js"
import * as mutex from "../../src/core/mutex.js"
import * as rateLimiter from "../../src/core/rateLimiter.js"
import * as semaphore from "../../src/core/semaphore.js"
import * as shield from "../../src/core/shield.js"
import * as taskGroup from "../../src/core/taskGroup.js"
import * as workQueue from "../../src/core/workQueue.js"

describe("the key under which a primitive keeps its state", () => {
  it("names the package and the module, so that two copies of the package know each other's, and no two modules do", () => {
    const cores = {
      background,
      barrier,
      breaker,
      bulkhead,
      condition,
      deadline,
      event,
      guarded,
      mutex,
      rateLimiter,
      semaphore,
      shield,
      taskGroup,
      workQueue
    }
    assert.deepStrictEqual(
      Object.values(cores).map(({ TypeId }) => TypeId),
      [
        "~effect-concurrency/Background",
        "~effect-concurrency/Barrier",
        "~effect-concurrency/CircuitBreaker",
        "~effect-concurrency/Bulkhead",
        "~effect-concurrency/Condition",
        "~effect-concurrency/Deadline",
        "~effect-concurrency/Event",
        "~effect-concurrency/Guarded",
        "~effect-concurrency/Mutex",
        "~effect-concurrency/RateLimiter",
        "~effect-concurrency/Semaphore",
        "~effect-concurrency/Shield",
        "~effect-concurrency/TaskGroup",
        "~effect-concurrency/WorkQueue"
      ]
    )
  })
})
