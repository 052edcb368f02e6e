/**
 * What a pool and its workers say to each other. Arrays, because they are cloned for each job.
 *
 * @internal
 */
import type { Board } from "./board.js"
import type { Wire } from "./wire.js"

/** The first that a worker hears. */
export interface Hello {
  readonly board: Board | undefined
  /** For whoever asks for it in the worker. */
  readonly data: unknown
  /** What it calls before all else. */
  readonly init: Target | undefined
  /** Whether answers say how much memory it uses. */
  readonly memory: boolean
  /** How many jobs it runs at a time. */
  readonly concurrency: number
}

/** A function: an export of a module, or, without one, its own source; and its arguments. */
export type Target = readonly [module: string | undefined, name: string, args: ReadonlyArray<unknown>]

export const Do = { hello: 0, run: 1, stop: 2, several: 3, end: 4, connect: 5 } as const

export type Run = readonly [typeof Do.run, id: number, slot: number, target: Target, context: unknown]

export type Order =
  | readonly [typeof Do.hello, Hello]
  | Run
  /** Runs that were ready together. */
  | readonly [typeof Do.several, runs: ReadonlyArray<Run>]
  | readonly [typeof Do.stop, id: number, reason: Wire]
  /** It is not needed any more. */
  | readonly [typeof Do.end]
  /** From now on all goes through this port: for a pool to which the platform's own way is a detour. */
  | readonly [typeof Do.connect, port: unknown]

/** `failure`: an effect has failed, as its type says that it may; `error`: something was thrown. */
export const Say = { ready: 0, failed: 1, value: 2, error: 3, failure: 4 } as const

export type Answer =
  | readonly [typeof Say.value, id: number, value: unknown, memory: number | undefined]
  | readonly [typeof Say.error | typeof Say.failure, id: number, error: Wire, memory: number | undefined]

export type Message =
  /** It has called what it was to call, and can be given work. */
  | readonly [typeof Say.ready]
  /** It could not. */
  | readonly [typeof Say.failed, error: Wire]
  | Answer
