/**
 * What a function asks for that runs in a worker of an executor: whether it is to stop, what it was given beside its arguments.
 *
 * This module has no side effects and imports no Effect, so it costs a worker nothing.
 *
 * @since 0.1.0
 */
import { misuse } from "../core/arguments.js"
import { type Current, here, Transfer } from "./here.js"

/** Whether this runs in a worker of an executor. */
export const isWorker = (): boolean => here() !== undefined

const current = (where: string): Current => {
  const worker = here()
  if (worker === undefined) throw misuse(where, "there is no worker of an executor here")
  if (worker.current === undefined) {
    throw misuse(where, "no job runs here, or several do: ask before the first await, and keep what you got")
  }
  return worker.current
}

/**
 * The signal of the job that asks. It aborts when the caller has gone, or the job's time is over.
 *
 * **When to use**: hand it on to what can be aborted, or look at `aborted` now and then in a long computation and return.
 *
 * **Details**: on worker threads `aborted` and `throwIfAborted` look at memory that is shared with the pool, so a loop that never awaits
 * sees it too. In a child process the news comes as a message, so one that never awaits does not. Where a worker runs several jobs at a time, ask
 * before the first `await`.
 *
 * @since 0.1.0
 */
export const signal = (): AbortSignal => current("signal").signal

/**
 * What the caller gave as `context`.
 *
 * **Details**: it was cloned on its way. `AsyncLocalStorage` does not reach into a worker; this does. Where a worker runs several jobs at a
 * time, ask before the first `await`.
 *
 * @since 0.1.0
 */
export const context = <A = unknown>(): A => current("context").context as A

/**
 * What the executor gives each of its workers: its option `data`.
 *
 * @since 0.1.0
 */
export const data = <A = unknown>(): A => {
  const worker = here()
  if (worker === undefined) throw misuse("data", "there is no worker of an executor here")
  return worker.data as A
}

/**
 * A result that is moved to the caller rather than copied: of what is in the list, an `ArrayBuffer` say, nothing stays here.
 *
 * @since 0.1.0
 */
export const transfer = <A>(value: A, list: ReadonlyArray<unknown>): A => new Transfer(value, list) as A

/**
 * Calls a function before the worker ends because it is not needed any more. It has as long as the executor's `grace`.
 *
 * @since 0.1.0
 */
export const onClose = (f: () => unknown): void => {
  const worker = here()
  if (worker === undefined) throw misuse("onClose", "there is no worker of an executor here")
  worker.closers.push(f)
}
