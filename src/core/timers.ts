/**
 * Timers: what is due when. However many there are, one alarm is enough for all of them.
 *
 * State: a binary heap of timers, by their time and, within a time, by the order in which they were added; and for when the alarm is set.
 * A timer knows its place, so that taking it away needs no search.
 *
 * Invariants:
 *
 * - I1 No timer comes before its parent in the heap, and each is where it says it is.
 * - I2 A timer that is in no heap has the place -1. It may be added again.
 * - I3 The alarm is not later than the first timer. It may be earlier: moving it whenever a timer goes would cost more than a ring in vain.
 *
 * Transitions: `add` and `due` say whether the alarm has to be set, and `remove` whether it can go. All take logarithmic time.
 *
 * @internal
 */

export abstract class Timer {
  /** When it is due, in milliseconds. */
  at = Infinity
  /** Its turn among those of its time. */
  turn = 0
  /** Where it is in the heap. */
  place = -1
  /** The timer of the platform behind it, on a clock that gives each its own. */
  handle: unknown = undefined

  /** Called once it is due and out of the heap; it may be added again at once. Never called by a core. */
  abstract fire(): void
}

export interface State {
  readonly heap: Array<Timer>
  /** When the alarm rings; Infinity: it is not set. */
  alarm: number
  turns: number
}

export const make = (): State => ({ heap: [], alarm: Infinity, turns: 0 })

/** Adds a timer that is in no heap. True: the alarm has to be set for it. */
export const add = (state: State, timer: Timer, at: number): boolean => {
  timer.at = at
  timer.turn = state.turns++
  state.heap.push(timer)
  rise(state.heap, timer, state.heap.length - 1)
  return mustSet(state)
}

/** Takes a timer away, if it is there. True: it was the last, and nothing needs the alarm any more. */
export const remove = (state: State, timer: Timer): boolean => {
  const { heap } = state
  const { place } = timer
  if (place < 0) return false
  timer.place = -1
  const last = heap.pop()!
  if (last !== timer) {
    rise(heap, last, place)
    if (last.place === place) sink(heap, last, place)
  }
  if (heap.length > 0) return false
  state.alarm = Infinity
  return true
}

/** The first timer, if it is due and was added before a certain turn, out of the heap. */
export const due = (state: State, now: number, turn: number): Timer | undefined => {
  const first = state.heap[0]
  if (first === undefined || first.at > now || first.turn >= turn) return undefined
  remove(state, first)
  return first
}

/** The alarm has rung, and all that was due is gone. True: it has to be set again. */
export const rung = (state: State): boolean => {
  state.alarm = Infinity
  return mustSet(state)
}

/** Sets the alarm for the first timer, unless it rings before that anyway. */
const mustSet = (state: State): boolean => {
  const first = state.heap[0]
  if (first === undefined || first.at >= state.alarm) return false
  state.alarm = first.at
  return true
}

const isBefore = (one: Timer, other: Timer): boolean =>
  one.at < other.at || (one.at === other.at && one.turn < other.turn)

/** Puts a timer at a place, or higher. */
const rise = (heap: Array<Timer>, timer: Timer, place: number): void => {
  while (place > 0) {
    const above = (place - 1) >> 1
    const parent = heap[above]!
    if (!isBefore(timer, parent)) break
    put(heap, parent, place)
    place = above
  }
  put(heap, timer, place)
}

/** Puts a timer at a place, or lower. */
const sink = (heap: Array<Timer>, timer: Timer, place: number): void => {
  for (;;) {
    let below = 2 * place + 1
    if (below >= heap.length) break
    if (below + 1 < heap.length && isBefore(heap[below + 1]!, heap[below]!)) below++
    const child = heap[below]!
    if (!isBefore(child, timer)) break
    put(heap, child, place)
    place = below
  }
  put(heap, timer, place)
}

const put = (heap: Array<Timer>, timer: Timer, place: number): void => {
  heap[place] = timer
  timer.place = place
}

/** Throws when an invariant does not hold. For tests. */
export const check = ({ alarm, heap }: State): void => {
  heap.forEach((timer, place) => {
    if (timer.place !== place) throw new Error(`I1: a timer at ${place} says that it is at ${timer.place}`)
    const parent = heap[(place - 1) >> 1]
    if (place > 0 && isBefore(timer, parent!)) throw new Error(`I1: the timer at ${place} comes before its parent`)
  })
  if (heap.length > 0 && alarm > heap[0]!.at) throw new Error(`I3: the alarm is at ${alarm}, a timer at ${heap[0]!.at}`)
}
