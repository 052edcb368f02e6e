/**
 * What a function is told that is run by a policy, and its start.
 *
 * @internal
 */

import { Overhear, type Overheard } from "./overhear.js"

/**
 * What a function is given.
 *
 * @since 0.1.0
 */
export interface RunContext {
  /** The caller's signal; one that never aborts when there was none. */
  readonly signal: AbortSignal
}

/** Made for each call, and a signal only if it is looked at: listeners on one that all calls share would never go. */
export class Context implements RunContext, Overheard {
  constructor(private given: AbortSignal | undefined) {}

  get signal(): AbortSignal {
    return (this.given ??= new AbortController().signal)
  }

  [Overhear](): AbortSignal | undefined {
    return this.given
  }
}

/** Calls a function. What it returns, or throws, is a promise. (With no closure: this is done for each call.) */
export const start = <A>(
  f: (context: RunContext) => A | PromiseLike<A>,
  signal: AbortSignal | undefined
): Promise<A> => {
  try {
    return Promise.resolve(f(new Context(signal)))
  } catch (error) {
    return Promise.reject(error)
  }
}
