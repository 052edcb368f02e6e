/**
 * The error of a store that could not do what it was asked. One class for all stores, and for both skins.
 *
 * @internal
 */

/** Why a store could not do it. */
export type StoreErrorReason = "timeout" | "connection" | "closed" | "wrong type" | "reply" | "server"

/** What a store error says beside its message. */
export interface StoreErrorOptions {
  /** What was asked for: a command, or the name of a script. */
  readonly operation?: string | undefined
  /** Default: `"server"`. */
  readonly reason?: StoreErrorReason | undefined
  readonly cause?: unknown
}

/**
 * A store could not do what it was asked.
 *
 * **Details**: `reason` says why.
 *
 * - `"timeout"`: there was no connection, or no answer, in time.
 * - `"connection"`: the connection broke, or has been down for a while already.
 * - `"closed"`: the connection was closed here. It is over, and no later question will be answered.
 * - `"wrong type"`: something else is stored under the key. It was left as it is.
 * - `"reply"`: the answer is none that was expected.
 * - `"server"`: the server refused, or the store is one of your own that does not say more.
 *
 * After `"timeout"`, `"connection"` and `"closed"` nobody knows whether it was done: the question may have arrived, and only the answer been lost. A
 * question that was never sent is not sent later.
 *
 * @since 0.1.0
 * @category errors
 */
export class StoreError extends Error {
  readonly _tag = "StoreError"
  override readonly name = "StoreError"
  /** What was asked for: a command, or the name of a script. */
  readonly operation: string | undefined
  readonly reason: StoreErrorReason

  constructor(message?: string, { operation, reason = "server", ...options }: StoreErrorOptions = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined)
    this.operation = operation
    this.reason = reason
  }
}
