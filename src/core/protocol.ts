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

// -------------------------------------------------------------------------------------------------------------------------- frames

/**
 * How that travels: framed as `@effect/platform` frames it for its workers, so that a worker of ours is the other end of any `PlatformWorker`.
 * Both ports of a pool and the worker's own end read frames here, and nowhere else.
 */
export type ToWorker =
  | readonly [0, Order]
  /** It may end: the platform says so when its scope closes. */
  | readonly [1]

export type FromWorker =
  /** It listens. */
  | readonly [0]
  | readonly [1, Message]
  /** It ends. Only a worker of the web says so, since nobody could see it otherwise. */
  | readonly [2]

export const order = (order: Order): ToWorker => [0, order]
export const dismissal: ToWorker = [1]

export const listening: FromWorker = [0]
export const message = (message: Message): FromWorker => [1, message]
export const ending: FromWorker = [2]

/** Tells a worker what a frame says. What else comes by the same way is not for it. */
export const hearOrder = (frame: unknown, worker: { hear(order: Order): void; end(): void }): void => {
  if (!Array.isArray(frame)) return
  if (frame[0] === 0 && Array.isArray(frame[1])) worker.hear(frame[1] as unknown as Order)
  else if (frame[0] === 1) worker.end()
}

/** Tells a pool what a frame says. What a function, or a tool, posts by the same way is not for it. */
export const hearMessage = (frame: unknown, pool: { message(message: Message): void; ended(): void }): void => {
  if (!Array.isArray(frame)) return
  if (frame[0] === 1 && Array.isArray(frame[1])) pool.message(frame[1] as unknown as Message)
  else if (frame[0] === 2) pool.ended()
}
