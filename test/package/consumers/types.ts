import { Effect } from "effect"
import { Mutex, Semaphore } from "effect-concurrency"
import { Mutex as PromiseMutex } from "effect-concurrency/promise"
import * as WorkQueue from "effect-concurrency/WorkQueue"

class Slots extends Semaphore.Service<Slots>()("app/Slots", { permits: 2 }) {}

export const guarded: Effect.Effect<number, "oh", Slots> = Effect.fail("oh" as const).pipe(
  Effect.as(1),
  Slots.withPermit
)
export const dropIn: Effect.Semaphore = Semaphore.makeUnsafe(1)
export const shared: Promise<string> = PromiseMutex.from(Mutex.makeUnsafe()).run(() => "a")
export const queue: Effect.Effect<WorkQueue.WorkQueue<number>> = WorkQueue.make<number>()
// @ts-expect-error a count is a number
void Semaphore.makeUnsafe("1")
