/**
 * Coordination for Effect programs.
 *
 * @since 0.1.0
 */
export * as Barrier from "./Barrier.js"
export * as Condition from "./Condition.js"
export * as Event from "./Event.js"
export * as Guarded from "./Guarded.js"
export * as Mutex from "./Mutex.js"
export * as Semaphore from "./Semaphore.js"
export * as WorkQueue from "./WorkQueue.js"
