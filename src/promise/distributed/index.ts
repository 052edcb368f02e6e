/**
 * Coordination among several processes for `async` functions, over stores that all of them reach.
 *
 * @since 0.1.0
 */
export { DistributedRateLimiter, insured, type InsuredOptions } from "./DistributedRateLimiter.js"
export { DistributedMutex, type DistributedMutexOptions } from "./DistributedMutex.js"
export {
  DistributedSemaphore,
  type DistributedSemaphoreMakeOptions,
  type DistributedSemaphoreOptions
} from "./DistributedSemaphore.js"
export {
  DistributedLease,
  type LeaseContext,
  type LeaseOptions,
  type LeaseStore,
  leaseStoreMemory,
  type LeaseWork
} from "./leases.js"
export { LeaseLost, type LossReason } from "../../core/lease.js"
export type {
  AcquireRequest as LeaseRequest,
  Answer as LeaseAnswer,
  Holder as LeaseHolder,
  Released as LeaseReleased,
  RenewRequest as LeaseRenewRequest,
  Stats as LeaseStats
} from "../../core/lessor.js"
export {
  DistributedDelivery,
  DistributedQueue,
  type DistributedQueueCodec,
  type DistributedQueueConsumeOptions,
  type DistributedQueueContext,
  type DistributedQueueOfferOptions,
  type DistributedQueueOptions
} from "./DistributedQueue.js"
export { type DeliveryStore, deliveryStoreMemory } from "./deliveries.js"
export type {
  Change as DeliveryChange,
  Counts as DeliveryCounts,
  DeadLetter,
  DeadRequest as DeadLetterRequest,
  ExchangeAnswer as DeliveryExchangeAnswer,
  ExchangeRequest as DeliveryExchangeRequest,
  OfferRequest as DeliveryOfferRequest
} from "../../core/deliveries.js"
export { DistributedEvent, type DistributedEventOptions, type DistributedEventSetOptions } from "./DistributedEvent.js"
export { type LatchStore, latchStoreMemory } from "./latches.js"
export type { Look as LatchLook } from "../../core/latch.js"
export type { SetRequest as LatchSetRequest, Stats as LatchStats } from "../../core/latches.js"
export { DistributedBarrier, type DistributedBarrierOptions } from "./DistributedBarrier.js"
export { type PartyStore, partyStoreMemory } from "./parties.js"
export { BrokenBarrier } from "../../core/errors.js"
export type { Answer as PartyAnswer } from "../../core/party.js"
export type {
  ArriveRequest as PartyArriveRequest,
  PartyRequest,
  Stats as PartyStats,
  WithdrawRequest as PartyWithdrawRequest
} from "../../core/parties.js"
