/**
 * Taking permits of a semaphore from a fiber: what Semaphore, and everything with a lock inside, translates to.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { RequestOptions, State } from "../core/semaphore.js"
import * as core from "../core/semaphore.js"
import { wake } from "../core/ticket.js"
import { around } from "./parcel.js"
import { deliver, FiberTicket, holding, park, type Restore } from "./park.js"

/** Runs an effect with permits. */
export const hold = <A, E, R>(
  where: string,
  state: State,
  permits: number,
  options: RequestOptions | undefined,
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  around(self, (self) =>
    Effect.uninterruptibleMask((restore) => {
      const priority = core.checkRequest(where, state, permits, options)
      return taken(state, permits, priority, restore, (epoch) => held(state, permits, epoch, restore(self)))
    })
  )

/** Runs an effect with permits, or not at all. */
export const holdIfAvailable = <A, E, R>(
  where: string,
  state: State,
  permits: number,
  options: RequestOptions | undefined,
  self: Effect.Effect<A, E, R>
): Effect.Effect<Option.Option<A>, E, R> =>
  Effect.uninterruptibleMask((restore): Effect.Effect<Option.Option<A>, E, R> => {
    const priority = core.checkRequest(where, state, permits, options)
    if (!core.tryTake(state, permits, priority)) return Effect.succeedNone
    return held(state, permits, state.epoch, Effect.asSome(restore(self)))
  })

/** Takes permits for the rest of the scope. */
export const acquire = (
  where: string,
  state: State,
  permits: number,
  options: RequestOptions | undefined
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) => {
    const priority = core.checkRequest(where, state, permits, options)
    return taken(state, permits, priority, restore, (epoch) =>
      Effect.addFinalizer(() => Effect.sync(() => wake(core.giveBack(state, permits, epoch))))
    )
  })

/** Takes permits for a caller who gives them back. */
export const take = (
  where: string,
  state: State,
  permits: number,
  options: RequestOptions | undefined
): Effect.Effect<number> =>
  Effect.suspend(() => {
    const priority = core.checkRequest(where, state, permits, options)
    return deliver<number, core.Grant, number, never>({
      ready: () => core.available(state, permits, priority),
      now: () => {
        core.tryTake(state, permits, priority)
        return permits
      },
      failure: (result) => (result instanceof Error ? Effect.die(result) : undefined),
      // Steps lie between the first check and this: the semaphore may have become smaller.
      enqueue: () => enqueue(state, core.checkPermits(where, state, permits), priority),
      cancel: (ticket) => core.cancel(state, ticket),
      collect: () => permits
    })
  })

export const tryTake = (
  where: string,
  state: State,
  permits: number,
  options: RequestOptions | undefined
): Effect.Effect<boolean> =>
  Effect.sync(() => core.tryTake(state, permits, core.checkRequest(where, state, permits, options)))

const enqueue = (state: State, permits: number, priority: number): FiberTicket<number, core.Grant> => {
  const ticket = new FiberTicket<number, core.Grant>(permits, priority, "permits")
  core.enqueue(state, ticket)
  return ticket
}

/** Waits for permits in an uninterruptible region, and goes on there with the epoch of the grant. */
const taken = <A, E, R>(
  state: State,
  permits: number,
  priority: number,
  restore: Restore,
  granted: (epoch: number) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => {
  if (core.tryTake(state, permits, priority)) return granted(state.epoch)
  const ticket = enqueue(state, permits, priority)
  return park(
    restore,
    ticket,
    () => core.cancel(state, ticket),
    (grant) => (grant instanceof Error ? Effect.die(grant) : granted(grant))
  )
}

const held = <A, E, R>(state: State, permits: number, epoch: number, self: Effect.Effect<A, E, R>) =>
  holding(self, () => wake(core.giveBack(state, permits, epoch)))
