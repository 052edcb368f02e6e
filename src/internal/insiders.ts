/**
 * Who waits for itself. A fiber that does some of the work and waits for all of it to end would wait for ever, and can be told so.
 *
 * Only the very fiber is known that the work was started in. One that it forked may outlive it, so that its waiting is no mistake, or at
 * least not certainly one.
 *
 * @internal
 */
import type { State, Work } from "../core/running.js"
import { has } from "../core/running.js"
import type { AnyFiber } from "./effect.js"

/** The fibers, from their first step to their last, and what each of them does. */
export type Insiders = Map<AnyFiber, Work>

/** Whether a fiber does some of the work in these lists. */
export const isInside = (insiders: Insiders, fiber: AnyFiber, ...lists: ReadonlyArray<State<any>>): boolean => {
  const work = insiders.get(fiber)
  return work !== undefined && lists.some((list) => has(list, work))
}
