/**
 * The time slice: how long something goes on before it lets the event loop turn.
 *
 * State: when the slice began, and how many items are worth taking at a time: more while that is quick, fewer when it takes a slice.
 *
 * Invariants:
 *
 * - I1 A slice is over once its time has passed, and also when the clock was set back, so that no clock can make it last.
 * - I2 The number is between 1 and `most`.
 *
 * Transitions: `begin`, `adapt`; `isOver` asks.
 *
 * @internal
 */

/** Milliseconds. A platform draws a frame in 16, and a server that answers others in between should keep them waiting for less. */
export const length = 1

/** Past this a larger number saves nothing. */
export const most = 1024

export interface State {
  began: number | undefined
  size: number
}

export const make = (): State => ({ began: undefined, size: 16 })

export const begin = (state: State, now: number): void => {
  state.began = now
}

/** Whether the slice is over. The first begins when it is first asked. */
export const isOver = (state: State, now: number): boolean => {
  if (state.began === undefined) begin(state, now)
  const passed = now - state.began!
  return passed >= length || passed < 0
}

/** How many items to take now. */
export const adapt = (state: State, over: boolean): number =>
  (state.size = over ? Math.max(1, state.size >> 1) : Math.min(most, state.size * 2))

/** Throws when an invariant does not hold. For tests. */
export const check = (state: State, now: number): void => {
  if (state.began !== undefined && Math.abs(now - state.began) > length && !isOver(state, now)) {
    throw new Error(`I1: a slice of ${now - state.began} ms`)
  }
  if (!(state.size >= 1 && state.size <= most)) throw new Error(`I2: ${state.size} at a time`)
}
