/**
 * Coordination among several processes, over stores that all of them reach.
 *
 * @since 0.1.0
 */
export * as DeliveryStore from "./DeliveryStore.js"
export * as DistributedBarrier from "./DistributedBarrier.js"
export * as DistributedEvent from "./DistributedEvent.js"
export * as DistributedMutex from "./DistributedMutex.js"
export * as DistributedQueue from "./DistributedQueue.js"
export * as DistributedRateLimiter from "./DistributedRateLimiter.js"
export * as DistributedSemaphore from "./DistributedSemaphore.js"
export * as LatchStore from "./LatchStore.js"
export * as Lease from "./Lease.js"
export * as LeaseStore from "./LeaseStore.js"
export * as PartyStore from "./PartyStore.js"
