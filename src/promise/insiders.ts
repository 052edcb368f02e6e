/**
 * Who waits for itself: an `async` function that waits for the end of all that it is a part of would wait for ever, and can be told so, as
 * long as it has not awaited anything. After that there is no way to ask who calls.
 *
 * @internal
 */
import { misuse } from "../core/arguments.js"
import type { State, Work } from "../core/running.js"
import { has } from "../core/running.js"
import type { WaitOptions } from "./park.js"

/** Whose first, synchronous part runs. */
let inside: Work | undefined

/** Calls a function as the first part of some work. What it returns belongs to that: it may be the end of all. */
export const enter = <A, B>(work: Work, f: (argument: A) => B | PromiseLike<B>, argument: A): Promise<B> => {
  const outer = inside
  inside = work
  try {
    return Promise.resolve(f(argument))
  } finally {
    inside = outer
  }
}

/** Whether the caller is the first part of some of the work in this list. */
export const isInside = (list: State<any>): boolean => inside !== undefined && has(list, inside)

/** Whether a wait is over at some time, whatever it is for. */
export const isBounded = (options: WaitOptions | undefined): boolean =>
  options?.signal !== undefined || (options?.timeout ?? Infinity) < Infinity

/**
 * The end of all the work in a list, for whoever wants it. Work that asks for it in its first part, by `await`, `return` or `then`, would wait
 * for itself, and is refused. Merely to have called for it is no mistake: work may begin a closing that others wait for, and nobody need look at
 * the promise then.
 *
 * (A promise without a `constructor` is none of the platform's own to `await` and `return`: they look at its `then`, and they do so at once.)
 */
export const forOthers = <A>(where: string, why: string, list: State<any>, ended: Promise<A>): Promise<A> => {
  if (!isInside(list)) return ended
  const refuse: typeof ended.then = (onValue, onError) => Promise.reject(misuse(where, why)).then(onValue, onError)
  return Object.defineProperties(ended, {
    constructor: { value: undefined },
    // oxlint-disable-next-line unicorn/no-thenable -- a promise is one
    then: { get: () => (isInside(list) ? refuse : Promise.prototype.then) }
  })
}
