/**
 * What there is of a worker in the thread that this runs in.
 *
 * It is kept on the global object: a program may have two copies of this module, of which the runner has one and the user's function the
 * other.
 *
 * @internal
 */

/** The job that runs. */
export interface Current {
  readonly context: unknown
  readonly signal: AbortSignal
}

export interface Here {
  data: unknown
  /** Nothing when there is none, or several run and none of them has the turn. */
  current: Current | undefined
  readonly closers: Array<() => unknown>
}

const key = Symbol.for("effect-concurrency/worker")

type Global = { [key]?: Here }

export const here = (): Here | undefined => (globalThis as Global)[key]

/** Says that this is a worker. */
export const enter = (): Here => ((globalThis as Global)[key] ??= { data: undefined, current: undefined, closers: [] })

const transferType = Symbol.for("effect-concurrency/worker/Transfer")

/** A value, and what of it is moved. */
export class Transfer {
  readonly [transferType] = true

  constructor(
    readonly value: unknown,
    readonly list: ReadonlyArray<unknown>
  ) {}
}

/** Of whichever copy of this module. */
export const isTransfer = (value: unknown): value is Transfer =>
  typeof value === "object" && value !== null && transferType in value
