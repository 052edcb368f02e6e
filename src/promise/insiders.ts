/**
 * Who waits for itself: an `async` function that waits for the end of all that it is a part of would wait for ever, and can be told so, as
 * long as it has not awaited anything. After that there is no way to ask who calls.
 *
 * @internal
 */
import type { State, Work } from "../core/running.js"
import { has } from "../core/running.js"
import type { WaitOptions } from "./park.js"

/** Whose first, synchronous part runs. */
let inside: Work | undefined

/** Calls a function as the first part of some work. */
export const enter = <A, B>(work: Work, f: (argument: A) => B, argument: A): B => {
  const outer = inside
  inside = work
  try {
    return f(argument)
  } finally {
    inside = outer
  }
}

/** Whether the caller is the first part of some of the work in this list. */
export const isInside = (list: State<any>): boolean => inside !== undefined && has(list, inside)

/** Whether the caller would wait for itself, and for ever: a signal or a timeout would end that. */
export const waitsForItself = (list: State<any>, { signal, timeout = Infinity }: WaitOptions = {}): boolean =>
  signal === undefined && timeout === Infinity && isInside(list)
