/**
 * The time slice: how long something goes on before it lets the event loop turn.
 *
 * State: when the slice began, when the clock was last read, and when the last batch was asked for; how many items pass between two
 * readings (more while they are quick, for a reading costs as much as one of those, and down to one when they are not), and how many still
 * do before the next; and how many items are worth taking at a time: as many as fit into a slice, with what is done with them.
 *
 * Invariants:
 *
 * - I1 A slice is over once the clock says that its time has passed, and also when the clock was set back, so that no clock can make it last.
 * - I2 The number of items at a time is between 1 and `most`.
 * - I3 The clock is read for the first item, and then at least for every `stride`th, which is between 1 and `widest`. As long as items
 *   take about as long as those before them, a quarter of a slice passes between two readings at most.
 *
 * Transitions: `begin`, `batch`, `isOver` (which counts an item, and may read the clock); `isPast` asks.
 *
 * @internal
 */

/** Milliseconds. A platform draws a frame in 16, and a server that answers others in between should keep them waiting for less. */
export const length = 1

/** Past this a larger number saves nothing. */
export const most = 1024

/** As many slow items as this may follow upon quick ones before it is noticed. */
export const widest = 16

/** How long two readings may be apart. */
const apart = length / 4

export interface State {
  began: number | undefined
  read: number
  asked: number
  stride: number
  unread: number
  size: number
}

export const make = (): State => ({ began: undefined, read: 0, asked: 0, stride: 1, unread: 0, size: 1 })

export const begin = (state: State, now: number): void => {
  state.began = state.read = state.asked = now
}

/** Whether the slice is over, one item later. */
export const isOver = (state: State, clock: () => number): boolean => {
  if (state.unread > 0) {
    state.unread--
    return false
  }
  const now = clock()
  if (state.began === undefined) {
    begin(state, now)
    return false
  }
  const isOver = isPast(state, now)
  state.stride = grown(state.stride, fitting(state.stride, apart, now - state.read), widest)
  state.unread = state.stride - 1
  state.read = now
  return isOver
}

/** Whether the slice is over at a time. The first begins when it is first asked. */
export const isPast = (state: State, now: number): boolean => {
  if (state.began === undefined) begin(state, now)
  const passed = now - state.began!
  return passed >= length || passed < 0
}

/** How many items to take now, after as many that were taken when this was asked last. */
export const batch = (state: State, now: number, taken: number): number => {
  state.size = grown(state.size, fitting(taken, length, now - state.asked), most)
  state.asked = now
  return state.size
}

/** How many there is room for, when so many took so long. Of no time: any number. */
const fitting = (count: number, room: number, passed: number): number =>
  passed > 0 ? Math.floor((count * room) / passed) : Infinity

const grown = (size: number, fitting: number, most: number): number => Math.max(1, Math.min(fitting, size * 2, most))

/** Throws when an invariant does not hold. For tests. */
export const check = ({ size, stride, unread }: State): void => {
  if (!(size >= 1 && size <= most)) throw new Error(`I2: ${size} at a time`)
  if (!(stride >= 1 && stride <= widest)) throw new Error(`I3: ${stride} between two readings`)
  if (!(unread >= 0 && unread < stride)) throw new Error(`I3: ${unread} of ${stride} left`)
}
