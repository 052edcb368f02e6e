import { assert, describe, it } from "@effect/vitest"
import * as background from "../../src/core/background.js"
import * as barrier from "../../src/core/barrier.js"
import * as breaker from "../../src/core/breaker.js"
import * as budget from "../../src/core/budget.js"
import * as bulkhead from "../../src/core/bulkhead.js"
import * as condition from "../../src/core/condition.js"
import * as deadline from "../../src/core/deadline.js"
import * as deferred from "../../src/core/deferred.js"
import * as deliveries from "../../src/core/deliveries.js"
import * as event from "../../src/core/event.js"
import * as executor from "../../src/core/executor.js"
import * as guarded from "../../src/core/guarded.js"
import * as latches from "../../src/core/latches.js"
import * as lessor from "../../src/core/lessor.js"
import * as mutex from "../../src/core/mutex.js"
import * as pacing from "../../src/core/pacing.js"
import * as parties from "../../src/core/parties.js"
import * as rateLimiter from "../../src/core/rateLimiter.js"
import * as semaphore from "../../src/core/semaphore.js"
import * as shield from "../../src/core/shield.js"
import * as syncBridge from "../../src/core/syncBridge.js"
import * as task from "../../src/core/task.js"
import * as taskGroup from "../../src/core/taskGroup.js"
import * as workerModule from "../../src/core/workerModule.js"
import * as workQueue from "../../src/core/workQueue.js"
import { filesIn, read } from "../utils/source.js"

const ids = [
  [background.TypeId, "~effect-concurrency/Background"],
  [barrier.TypeId, "~effect-concurrency/Barrier"],
  [breaker.TypeId, "~effect-concurrency/CircuitBreaker"],
  [budget.TypeId, "~effect-concurrency/RetryBudget"],
  [bulkhead.TypeId, "~effect-concurrency/Bulkhead"],
  [condition.TypeId, "~effect-concurrency/Condition"],
  [deadline.TypeId, "~effect-concurrency/Deadline"],
  [deferred.TypeId, "~effect-concurrency/Deferred"],
  [deliveries.TypeId, "~effect-concurrency/DistributedQueue"],
  [event.TypeId, "~effect-concurrency/Event"],
  [executor.TypeId, "~effect-concurrency/Executor"],
  [guarded.TypeId, "~effect-concurrency/Guarded"],
  [latches.TypeId, "~effect-concurrency/DistributedEvent"],
  [lessor.LeaseTypeId, "~effect-concurrency/Lease"],
  [lessor.MutexTypeId, "~effect-concurrency/DistributedMutex"],
  [lessor.SemaphoreTypeId, "~effect-concurrency/DistributedSemaphore"],
  [mutex.TypeId, "~effect-concurrency/Mutex"],
  [pacing.DebounceTypeId, "~effect-concurrency/Debounce"],
  [pacing.ThrottleTypeId, "~effect-concurrency/Throttle"],
  [parties.TypeId, "~effect-concurrency/DistributedBarrier"],
  [rateLimiter.TypeId, "~effect-concurrency/RateLimiter"],
  [semaphore.TypeId, "~effect-concurrency/Semaphore"],
  [shield.TypeId, "~effect-concurrency/Shield"],
  [syncBridge.TypeId, "~effect-concurrency/SyncBridge"],
  [task.TypeId, "~effect-concurrency/Task"],
  [taskGroup.TypeId, "~effect-concurrency/TaskGroup"],
  [workerModule.TypeId, "~effect-concurrency/WorkerModule"],
  [workQueue.TypeId, "~effect-concurrency/WorkQueue"]
] as const

describe("the key under which a primitive keeps its state", () => {
  it("names the package and the module, so that two copies of the package know each other's, and no two modules do", () => {
    for (const [id, expected] of ids) assert.strictEqual(id, expected)
    assert.strictEqual(new Set(ids.map(([id]) => id)).size, ids.length)
  })

  it("all of them are here", () => {
    const sources = filesIn("src/core").map(read)
    const declared = sources.flatMap((text) => text.match(/^export const \w*TypeId\b/gm) ?? [])
    assert.strictEqual(declared.length, ids.length)
  })
})
