/**
 * Rates of a store that may fail, and of another that stands in for it then.
 *
 * Every question is put to the store. When that cannot be reached, the same question is put to the stand-in, which knows nothing of what the store
 * knows. Going over, and coming back, is told once each.
 *
 * State: how many questions were put; of an outage, how many had been by when it began; how many had been by when the last one was over.
 *
 * Invariants:
 *
 * - I1 What belongs to before an outage, or before its end, changes nothing: questions are answered in any order, and late ones tell of old times.
 *   So neither the beginning nor the end of an outage is told twice in a row.
 * - I2 What is given back goes to whoever granted it.
 *
 * Transitions: `ask`, `failed`, `worked`.
 *
 * @internal
 */
import type { Answer, StoreReturn } from "./rateStore.js"
import { StoreError } from "./storeError.js"

export interface State {
  questions: number
  /** How many had been put when it went down; none: it is not. */
  downAt: number | undefined
  /** How many had been put when it was last up again. */
  upAt: number
}

export const make = (): State => ({ questions: 0, downAt: undefined, upAt: 0 })

/** The number of a question that is put to the store. */
export const ask = (state: State): number => ++state.questions

/** Whether the stand-in can help: what is wrong with a key or an answer, or with the question, would stay unseen. */
export const isDown = (error: unknown): boolean =>
  error instanceof StoreError &&
  (error.reason === "timeout" || error.reason === "connection" || error.reason === "server")

/** A question has failed because the store is down. True: that is news. */
export const failed = (state: State, question: number): boolean => {
  if (state.downAt !== undefined || question <= state.upAt) return false
  state.downAt = state.questions
  return true
}

/** A question was answered. True: it is news that the store is there. */
export const worked = (state: State, question: number): boolean => {
  if (state.downAt === undefined || question <= state.downAt) return false
  state.downAt = undefined
  state.upAt = state.questions
  return true
}

/** What a stand-in granted. */
class Substitute {
  constructor(readonly grant: unknown) {}
}

/** Answers of the stand-in. */
export const substituted = (answers: ReadonlyArray<Answer>): ReadonlyArray<Answer> =>
  answers.map((answer) => ({ ...answer, grant: new Substitute(answer.grant) }))

/** What goes back to the store, and what to the stand-in. */
export const returns = (
  request: StoreReturn
): { readonly toStore: StoreReturn; readonly toSubstitute: StoreReturn } => ({
  toStore: { ...request, grants: request.grants.filter(({ grant }) => !(grant instanceof Substitute)) },
  toSubstitute: {
    ...request,
    grants: request.grants.flatMap(({ cost, grant }) =>
      grant instanceof Substitute ? [{ cost, grant: grant.grant }] : []
    )
  }
})

/** What is reported. */
export const reports = {
  down: "the store cannot be reached: until it can, rates are kept apart from it",
  up: "the store can be reached again, and keeps the rates"
} as const

/** Throws when an invariant does not hold. For tests. */
export const check = ({ downAt, questions, upAt }: State): void => {
  if (upAt > questions || (downAt ?? 0) > questions) throw new Error("I1: there were fewer questions")
  if (downAt !== undefined && downAt <= upAt) throw new Error(`I1: it is down since ${downAt}, and up since ${upAt}`)
}
