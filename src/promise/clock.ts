/**
 * The clock of the facade, and the turn of the event loop: looked up when called, so that fake timers take their place.
 *
 * @internal
 */

/** Milliseconds, from whenever; they only grow. */
export const now = (): number => globalThis.performance.now()

/** Milliseconds of the calendar, which somebody may set. */
export const wall = (): number => globalThis.Date.now()

const platform = globalThis as unknown as { readonly setImmediate?: (callback: () => void) => unknown }

/** Lets the event loop turn: input, timers, whatever waited. Where there is no `setImmediate`, a timer takes a few milliseconds. */
export const turn = (): Promise<void> =>
  new Promise((resolve) => {
    if (typeof platform.setImmediate === "function") platform.setImmediate(resolve)
    else setTimeout(resolve)
  })
