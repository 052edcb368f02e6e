/**
 * A fiber that does some of the work of a registry or a group.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type * as Cause from "effect/Cause"
import type * as running from "../core/running.js"
import { type AnyFiber, forkDetached, interruptNow, type RunningFiber } from "./effect.js"
import type { Insiders } from "./insiders.js"
import { FiberTicket } from "./park.js"

/** What is linked there, and who is told to stop: one object, since there are many. */
export class Worker<in out Stop> extends FiberTicket<undefined, Stop> implements running.Work {
  older: running.Work | undefined = undefined
  newer: running.Work | undefined = undefined
  list: running.State<any> | undefined = undefined
  /** Once there is one. */
  fiber: AnyFiber | undefined = undefined

  constructor(readonly name: string | undefined) {
    super(undefined, 0, "nothing: it works")
  }

  /** It is told to stop. While there is nothing to interrupt, whoever forks looks for himself. */
  override wake(): void {
    if (this.fiber !== undefined) interruptNow(this.fiber, this.fiber)
  }
}

/**
 * Has a worker that is in a list do its work. For uninterruptible regions: what is there has to have a fiber. That begins uninterruptible,
 * too, so that the end is noted however it ends, and be it before its first step; and it is noted before the fiber waits for those that it has
 * forked, who may themselves wait for the end of all.
 */
export const work = <A, E, R, B, C, E2>(
  worker: Worker<any>,
  insiders: Insiders,
  effect: Effect.Effect<A, E, R>,
  ended: {
    readonly onSuccess: (value: A) => Effect.Effect<B, E2>
    readonly onFailure: (cause: Cause.Cause<E>) => Effect.Effect<C, E2>
  }
): Effect.Effect<RunningFiber<B | C, E2>, never, R> =>
  Effect.map(forkDetached(Effect.matchCauseEffect(Effect.interruptible(effect), ended)), (fiber) => {
    // It may have come to its end before its starter comes to this, and somebody may be reporting that already.
    if (worker.list === undefined || worker.fiber !== undefined) return fiber
    worker.fiber = fiber
    insiders.set(fiber, worker)
    if (worker.settled) interruptNow(fiber, fiber)
    return fiber
  })

/** Whoever has ended waits for nothing. */
export const forget = (insiders: Insiders, { fiber }: Worker<any>): void => {
  if (fiber !== undefined) insiders.delete(fiber)
}
