/**
 * A question to a store, among promises.
 *
 * @internal
 */
import { attempt } from "./park.js"

/**
 * Puts a question, and calls one of the two functions later. A store may throw as soon as its function is called, and an answer that does not
 * pass the check is a failure of the store. What `answer` throws is none, and reaches whoever listens for unhandled rejections.
 */
export const ask = <A>(
  question: () => A | PromiseLike<A>,
  check: (answer: A) => A,
  answer: (answer: A) => void,
  fail: (failure: unknown) => void
): void => {
  attempt(question).then((value) => {
    let checked: A
    try {
      checked = check(value)
    } catch (failure) {
      return fail(failure)
    }
    answer(checked)
  }, fail)
}
