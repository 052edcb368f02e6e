/**
 * Coordination for `async` functions.
 *
 * @since 0.1.0
 */
export { BrokenBarrier, QueueClosed, QueueFull } from "../core/errors.js"
export type { Stats as BackgroundStats } from "../core/background.js"
export type { Stats as BarrierStats } from "../core/barrier.js"
export type { Stats as ConditionStats } from "../core/condition.js"
export type { Stats as EventStats } from "../core/event.js"
export type { Options as SemaphoreMakeOptions, Stats as SemaphoreStats } from "../core/semaphore.js"
export type { Stats as ShieldStats } from "../core/shield.js"
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
export { Condition } from "./Condition.js"
export { Deferred } from "./Deferred.js"
export { Event } from "./Event.js"
export { Guarded } from "./Guarded.js"
export { Lease } from "./Lease.js"
export { Mutex, type MutexOptions } from "./Mutex.js"
export type { WaitOptions } from "./park.js"
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
export * as Wait from "./Wait.js"
export { WorkQueue, type ConsumeOptions, type OnFailure, type WorkQueueOptions } from "./WorkQueue.js"
