/**
 * The board: what a pool and a worker both see, where they share memory.
 *
 * State: a number for each job that the worker was sent, at its slot. It is the number of the job; negative, once the job has begun; and 0
 * once it is not to begin any more, or is to stop.
 *
 * Invariants:
 *
 * - I1 A job that was sent is begun by the worker, or had back by the pool, and not both: whoever changes its number first.
 *
 * Transitions: `offer`, `claim`, `clear`.
 *
 * @internal
 */
export type Board = Int32Array

/** A board with so many slots, in memory that can be shared. */
export const make = (slots: number): Board =>
  new Int32Array(new SharedArrayBuffer(slots * Int32Array.BYTES_PER_ELEMENT))

/** A job is sent. A number is never used again, so a message that comes late finds another one, and does nothing. */
export const offer = (board: Board, slot: number, id: number): void => void Atomics.store(board, slot, id)

/** The worker begins a job, unless the pool has it back. */
export const begin = (board: Board, slot: number, id: number): boolean => change(board, slot, id, -id)

/** The pool has a job back, unless the worker has begun it. */
export const takeBack = (board: Board, slot: number, id: number): boolean => change(board, slot, id, 0)

/** The pool wants a job that has begun to stop. */
export const stop = (board: Board, slot: number, id: number): boolean => change(board, slot, -id, 0)

/** Whether a job that the worker has begun is to stop. */
export const isStopped = (board: Board, slot: number, id: number): boolean => Atomics.load(board, slot) !== -id

/** Nobody asks for a slot any more. */
export const clear = (board: Board, slot: number): void => void Atomics.store(board, slot, 0)

const change = (board: Board, slot: number, from: number, to: number): boolean =>
  Atomics.compareExchange(board, slot, from, to) === from

/** Throws when a number is none. For tests. */
export const check = (board: Board, ids: ReadonlySet<number>): void => {
  for (const id of board) if (id !== 0 && !ids.has(Math.abs(id))) throw new Error(`I1: ${id} is no job`)
}
