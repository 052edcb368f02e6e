/**
 * The bulkhead: a number of permits, and a number of places for those who wait for one.
 *
 * State: a semaphore; how many may wait for it; how many were refused.
 *
 * Invariants:
 *
 * - I1 The semaphore is in order: no more are let in than there are permits, in order of their arrival, and nobody waits who could go.
 * - I2 No more wait than the backlog.
 * - I3 Nobody is refused while a permit or a place is free.
 *
 * Transitions: `refuse`, before a request; all others are those of the semaphore, which refuses nobody: who was accepted once stays so.
 *
 * @internal
 */
import { expect, integer, integerOrInfinity, record } from "./arguments.js"
import type { State as Semaphore } from "./semaphore.js"
import * as semaphore from "./semaphore.js"

export const TypeId = "~effect-concurrency/Bulkhead"

export type TypeId = typeof TypeId

/**
 * How a bulkhead is made.
 *
 * @since 0.1.0
 */
export interface Options {
  /** How many run at a time: an integer, 1 or more. */
  readonly permits: number
  /** How many may wait beside them: an integer, 0 or more, or Infinity. Default 0: who cannot run at once is refused. */
  readonly backlog?: number | undefined
  /** For `BulkheadFull`. */
  readonly name?: string | undefined
}

export interface State {
  readonly name: string | undefined
  readonly semaphore: Semaphore
  readonly backlog: number
  refused: number
}

/**
 * As many run as may, and as many wait as may.
 *
 * @since 0.1.0
 * @category errors
 */
export class BulkheadFull extends Error {
  readonly _tag = "BulkheadFull"
  override readonly name = "BulkheadFull"

  constructor(
    /** The name of the bulkhead, if it has one. */
    readonly bulkhead: string | undefined,
    /** How many may run. */
    readonly permits: number,
    /** How many may wait beside them. */
    readonly backlog: number
  ) {
    super(
      `the bulkhead${bulkhead === undefined ? "" : ` ${JSON.stringify(bulkhead)}`} is full: ${permits} may run, and ${backlog} wait`
    )
  }
}

export const make = (where: string, options: Options): State => {
  const { backlog = 0, name, permits } = record(where, options)
  expect(name === undefined || typeof name === "string", where, "name", "a string", name)
  integer(where, "permits", permits, 1)
  return {
    name,
    semaphore: semaphore.make(permits),
    backlog: integerOrInfinity(where, "backlog", backlog, 0),
    refused: 0
  }
}

/** Why a request is refused that comes now; if it is not, it is to be put to the semaphore in the same step. */
export const refuse = (state: State): BulkheadFull | undefined => {
  const { backlog, name, semaphore: of } = state
  if (of.waiting.size < backlog || semaphore.available(of, 1, 0)) return undefined
  state.refused++
  return new BulkheadFull(name, of.permits, backlog)
}

export interface Stats extends semaphore.Stats {
  /** How many may wait. */
  readonly backlog: number
  /** How many were refused since it was made. */
  readonly refused: number
}

export const stats = ({ backlog, refused, semaphore: of }: State): Stats =>
  Object.freeze({ ...semaphore.stats(of), backlog, refused })

/** Throws when an invariant does not hold. For tests. */
export const check = ({ backlog, semaphore: of }: State): void => {
  semaphore.check(of)
  if (of.taken > of.permits) throw new Error(`I1: ${of.taken} run of ${of.permits}`)
  if (of.waiting.size > backlog) throw new Error(`I2: ${of.waiting.size} wait of ${backlog}`)
}
