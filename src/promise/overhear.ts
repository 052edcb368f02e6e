/**
 * Hearing an abort without having asked for the signal.
 *
 * A function that has not asked for its signal cannot be told to stop, and so a timeout does not wait for it. A policy in between hands the
 * signal on in any case; whether it was asked for is up to the function at the bottom.
 *
 * @internal
 */

export const Overhear: unique symbol = Symbol("effect-concurrency/overhear")

/** What a context is if it can be overheard. */
export interface Overheard {
  /** The signal, if there is one. It counts as not asked for. */
  [Overhear](): AbortSignal | undefined
}

/** The signal of what a function was given, if there is one. */
export const overhear = (context: Partial<Overheard & { readonly signal: AbortSignal }> | undefined) =>
  context?.[Overhear] ? context[Overhear]() : context?.signal
