/**
 * The mutex: a semaphore of one permit, under a name and a type of its own, so that nobody resizes it or takes two.
 *
 * State, invariants and transitions are those of the semaphore.
 *
 * @internal
 */
import * as Semaphore from "./semaphore.js"

export const TypeId = "~effect-concurrency/Mutex"

export type TypeId = typeof TypeId

export interface State extends Semaphore.State {}

export const make = (): State => Semaphore.make(1)

export const isLocked = (state: State): boolean => state.taken === 1
