/** All that the explorer is set on. */
import * as Background from "./Background.js"
import * as Barrier from "./Barrier.js"
import * as Bulkhead from "./Bulkhead.js"
import * as CircuitBreaker from "./CircuitBreaker.js"
import * as Condition from "./Condition.js"
import * as Debounce from "./Debounce.js"
import * as Deferred from "./Deferred.js"
import * as DistributedBarrier from "./DistributedBarrier.js"
import * as DistributedEvent from "./DistributedEvent.js"
import * as DistributedMutex from "./DistributedMutex.js"
import * as DistributedQueue from "./DistributedQueue.js"
import * as DistributedSemaphore from "./DistributedSemaphore.js"
import * as Event from "./Event.js"
import * as Executor from "./Executor.js"
import * as Guarded from "./Guarded.js"
import * as HttpLimits from "./HttpLimits.js"
import * as Mutex from "./Mutex.js"
import * as Policy from "./Policy.js"
import * as RateLimiter from "./RateLimiter.js"
import * as Retry from "./Retry.js"
import type { Explored } from "./scenario.js"
import * as Semaphore from "./Semaphore.js"
import * as Shield from "./Shield.js"
import * as Streaming from "./Streaming.js"
import * as Task from "./Task.js"
import * as TaskGroup from "./TaskGroup.js"
import * as Throttle from "./Throttle.js"
import * as Timeout from "./Timeout.js"
import * as Wait from "./Wait.js"
import * as WorkQueue from "./WorkQueue.js"

export const scenarios: ReadonlyArray<Explored> = [
  Semaphore,
  Mutex,
  Guarded,
  Event,
  Condition,
  Barrier,
  WorkQueue,
  Task,
  Deferred,
  Background,
  TaskGroup,
  Shield,
  Wait,
  Streaming,
  Timeout,
  RateLimiter,
  Retry,
  Debounce,
  Throttle,
  CircuitBreaker,
  Bulkhead,
  Policy,
  HttpLimits,
  Executor,
  DistributedMutex,
  DistributedSemaphore,
  DistributedQueue,
  DistributedEvent,
  DistributedBarrier
].flatMap((module) => module.scenarios)
