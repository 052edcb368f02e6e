/**
 * Coordination for Effect programs.
 *
 * @since 0.1.0
 */
export * as Background from "./Background.js"
export * as Barrier from "./Barrier.js"
export * as Bulkhead from "./Bulkhead.js"
export * as CircuitBreaker from "./CircuitBreaker.js"
export * as Condition from "./Condition.js"
export * as Debounce from "./Debounce.js"
export * as Event from "./Event.js"
export * as Guarded from "./Guarded.js"
export * as Mutex from "./Mutex.js"
export * as Policy from "./Policy.js"
export * as RateLimiter from "./RateLimiter.js"
export * as Retry from "./Retry.js"
export * as Semaphore from "./Semaphore.js"
export * as Shield from "./Shield.js"
export * as Streaming from "./Streaming.js"
export * as SyncBridge from "./SyncBridge.js"
export * as Task from "./Task.js"
export * as TaskGroup from "./TaskGroup.js"
export * as Throttle from "./Throttle.js"
export * as Timeout from "./Timeout.js"
export * as Wait from "./Wait.js"
export * as WorkQueue from "./WorkQueue.js"
