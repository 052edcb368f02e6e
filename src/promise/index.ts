/**
 * Coordination for `async` functions.
 *
 * @since 0.1.0
 */
export { BrokenBarrier, QueueClosed, QueueFull } from "../core/errors.js"
export type { Stats as BackgroundStats } from "../core/background.js"
export type { Stats as BarrierStats } from "../core/barrier.js"
export type {
  Change as CircuitBreakerChange,
  Phase as CircuitBreakerState,
  Snapshot as CircuitBreakerSnapshot,
  Stats as CircuitBreakerStats
} from "../core/breaker.js"
export type { Stats as BulkheadStats } from "../core/bulkhead.js"
export type { Stats as ConditionStats } from "../core/condition.js"
export type { Stats as EventStats } from "../core/event.js"
export type { Stats as ExecutorStats } from "../core/executor.js"
export type { Algorithm as RateLimiterAlgorithm, Decision as RateLimiterDecision } from "../core/rate.js"
export type { Stats as RateLimiterStats } from "../core/rateLimiter.js"
export type { Options as RetryBudgetOptions, Stats as RetryBudgetStats } from "../core/budget.js"
export type { Edges as PacingEdges, Stats as PacingStats } from "../core/pacing.js"
export type { Options as SemaphoreMakeOptions, Stats as SemaphoreStats } from "../core/semaphore.js"
export type { Stats as ShieldStats } from "../core/shield.js"
export type { Stats as SyncBridgeStats } from "../core/syncBridge.js"
export type { Stats as TaskGroupStats } from "../core/taskGroup.js"
export type { Stats as WorkQueueStats } from "../core/workQueue.js"
export {
  Background,
  BackgroundClosed,
  BackgroundFull,
  type BackgroundOptions,
  type BackgroundTaskOptions,
  type Unhandled
} from "./Background.js"
export { Barrier, type BarrierOptions } from "./Barrier.js"
export { Bulkhead, BulkheadFull, type BulkheadOptions } from "./Bulkhead.js"
export {
  CircuitBreaker,
  type CircuitBreakerOptions,
  type CircuitBreakerRunOptions,
  CircuitOpen
} from "./CircuitBreaker.js"
export { Condition } from "./Condition.js"
export type { RunContext } from "./context.js"
export { debounce, DebounceCancelled, type Debounced, type DebounceOptions } from "./Debounce.js"
export { Deferred } from "./Deferred.js"
export { Event } from "./Event.js"
export {
  Executor,
  type ExecutorCall,
  type ExecutorCallOptions,
  ExecutorClosed,
  ExecutorFull,
  type ExecutorOptions,
  JobTimeout,
  NotCloneable,
  WorkerDied
} from "./Executor.js"
export { Guarded } from "./Guarded.js"
export * as HttpLimits from "./HttpLimits.js"
export { Lease } from "./Lease.js"
export { Mutex, type MutexOptions } from "./Mutex.js"
export type { WaitOptions } from "./park.js"
export * as Policy from "./Policy.js"
export {
  RateLimited,
  RateLimiter,
  type RateLimiterContext,
  type RateLimiterMakeOptions,
  type RateLimiterOptions,
  type RateLimiterReservation,
  type RateLimiterRunOptions,
  StoreError
} from "./RateLimiter.js"
export {
  type RateLimiterStore,
  type RateLimiterStoreAsk,
  type RateLimiterStoreDecision,
  rateLimiterStoreMemory,
  type RateLimiterStoreRequest,
  type RateLimiterStoreReturn,
  RateLimiterWithStore
} from "./rateStore.js"
export {
  retry,
  RetryBudget,
  RetryExhausted,
  retryPolicy,
  type Retried,
  type RetryContext,
  type RetryHint,
  type RetryOptions,
  type RetryPolicy,
  type RetryRunOptions
} from "./Retry.js"
export { Semaphore, type SemaphoreOptions, type SemaphoreRunOptions } from "./Semaphore.js"
export {
  critical,
  shield,
  Shield,
  ShieldClosed,
  type ShieldedContext,
  type ShieldedOptions,
  type ShieldOptions
} from "./Shield.js"
export * as Streaming from "./Streaming.js"
export { BridgeClosed, SyncBridge, type SyncBridgeOptions, type SyncBridgeRunOptions } from "./SyncBridge.js"
export {
  Task,
  TaskCancelled,
  type TaskCancelOptions,
  type TaskContext,
  type TaskOptions,
  type TaskOutcome
} from "./Task.js"
export {
  taskGroup,
  TaskGroup,
  TaskGroupClosed,
  TaskGroupError,
  type GroupTaskContext,
  type GroupTaskOptions
} from "./TaskGroup.js"
export { throttle, ThrottleCancelled, type Throttled, type ThrottleOptions } from "./Throttle.js"
export {
  Deadline,
  deadline,
  DeadlineExceeded,
  timeout,
  timeoutAt,
  timeoutPolicy,
  type DeadlineOptions,
  type TimeoutContext,
  type TimeoutOptions,
  type TimeoutPolicy,
  type TimeoutWork
} from "./Timeout.js"
export * as Wait from "./Wait.js"
export { WorkQueue, type ConsumeOptions, type OnFailure, type WorkQueueOptions } from "./WorkQueue.js"
