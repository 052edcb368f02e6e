import { Effect, Layer } from "effect"
import { Mutex, Semaphore } from "effect-concurrency"
import { DistributedRateLimiter } from "effect-concurrency/distributed"
import { Mutex as PromiseMutex, type RateLimiterStore } from "effect-concurrency/promise"
import { insured } from "effect-concurrency/promise/distributed"
import { Redis as PromiseRedis } from "effect-concurrency/promise/redis"
import { layer, layerRates, type Redis, type StoreError } from "effect-concurrency/redis"
import * as WorkQueue from "effect-concurrency/WorkQueue"

class Slots extends Semaphore.Service<Slots>()("app/Slots", { permits: 2 }) {}

export const guarded: Effect.Effect<number, "oh", Slots> = Effect.fail("oh" as const).pipe(
  Effect.as(1),
  Slots.withPermit
)
export const dropIn: Effect.Semaphore = Semaphore.makeUnsafe(1)
export const shared: Promise<string> = PromiseMutex.from(Mutex.makeUnsafe()).run(() => "a")
export const queue: Effect.Effect<WorkQueue.WorkQueue<number>> = WorkQueue.make<number>()
class Limit extends DistributedRateLimiter.Service<Limit>()("app/Limit", { limit: 1, interval: "1 minute" }) {}

export const limited: Effect.Effect<void, StoreError> = Limit.consume("ada").pipe(
  Effect.provide(Layer.provide(Limit.layer, Layer.provide(layerRates, layer({ url: "redis://localhost" }))))
)
export const connected: Layer.Layer<Redis> = layer()
export const store: RateLimiterStore = insured(new PromiseRedis({ url: "redis://localhost" }).rates)
// @ts-expect-error a count is a number
void Semaphore.makeUnsafe("1")
