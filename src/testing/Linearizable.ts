/**
 * Whether what concurrent operations returned can be explained by some order in which they happen one after the other.
 *
 * The search is that of Wing and Gong, "Testing and verifying concurrent objects" (1993), with the memoization of Lowe, "Testing for
 * linearizability" (2017). Operations that wait are those of Scherer and Scott, "Nonblocking concurrent data structures with condition
 * synchronization" (2004); those that wait at the end, those of Burckhardt and others, "Line-Up" (2010).
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { callable, expect, integer, misuse, oneOf, record, refusal } from "../core/arguments.js"
import { onFiberExit, withFiber } from "../internal/effect.js"

/**
 * The result of an operation that failed, died, threw or rejected.
 *
 * @since 0.1.0
 * @category models
 */
export interface Failed {
  readonly _tag: "Failed"
  readonly error: unknown
}

/**
 * The result of an operation that failed, for a model and for histories written by hand.
 *
 * **When to use**: in a model, where an operation fails; what succeeds has its plain value as its result.
 *
 * **Details**: a failure and a defect, a throw and a rejection are one and the same here, so that one model does for effects and for
 * promises. By default two errors are equal if their `_tag` or name, their message and their own fields are.
 *
 * @example
 * import { Linearizable } from "effect-concurrency/testing"
 *
 * console.log(Linearizable.failed("no such account")) // => { _tag: 'Failed', error: 'no such account' }
 *
 * @since 0.1.0
 * @category constructors
 */
export const failed = (error: unknown): Failed => ({ _tag: "Failed", error })

/**
 * One thing that an operation may do in a state: end with a result, or begin to wait.
 *
 * @since 0.1.0
 * @category models
 */
export type Outcome<State, Result> =
  | { readonly state: State; readonly result: Result | Failed; readonly waits?: undefined }
  | { readonly state: State; readonly waits: true }

/**
 * All that an operation may do in a state; nothing if it cannot happen there.
 *
 * @since 0.1.0
 * @category models
 */
export type Outcomes<State, Result> = Outcome<State, Result> | ReadonlyArray<Outcome<State, Result>> | undefined

/**
 * One way in which a waiting operation may leave: at once, or after it has waited for something.
 *
 * @since 0.1.0
 * @category models
 */
export interface Leaving<State> {
  readonly state: State
  readonly waits?: true | undefined
}

/**
 * An object as it would be if operations came one after the other.
 *
 * **When to use**: to say what the operations of an object may return. Where an implementation has locks and lists of waiters, a
 * model has a value, and a function from it to the next.
 *
 * **Details**: `apply` gives what an operation may do in a state: one outcome, several if the model leaves that open, or nothing if it
 * has to wait there. It must not change the state it is given.
 *
 * That is enough for most. If it matters who waits in front of whom, an operation has more than one step: `apply` puts it in line, in the
 * state, by its `id`, and gives `waits: true`; from then on `resume` is asked, and gives nothing until it may go on. `withdraw` takes
 * out of line one that was interrupted.
 *
 * @example
 * import { Linearizable } from "effect-concurrency/testing"
 *
 * type Operation = readonly ["offer", string] | readonly ["take"]
 *
 * const queue: Linearizable.Spec<ReadonlyArray<string>, Operation, string | undefined> = {
 *   initial: [],
 *   apply: (items, [name, item]) => {
 *     if (name === "offer") return { state: [...items, item], result: undefined }
 *     return items.length === 0 ? undefined : { state: items.slice(1), result: items[0] }
 *   }
 * }
 *
 * const history = [
 *   { who: "a", operation: ["offer", "first"], called: 0, returned: 1, result: undefined },
 *   { who: "b", operation: ["offer", "second"], called: 2, returned: 5, result: undefined },
 *   { who: "c", operation: ["take"], called: 3, returned: 4, result: "first" }
 * ] as const
 *
 * console.log(Linearizable.check(queue, history).linearizable) // => true
 *
 * @since 0.1.0
 * @category models
 */
export interface Spec<State, Operation, Result> {
  /** The state to begin with, or a function that makes it. */
  readonly initial: State | (() => State)
  /** What an operation may do. The id is the same for all steps of one operation, and no other has it. */
  readonly apply: (state: State, operation: Operation, id: number) => Outcomes<State, Result>
  /** What an operation that waits may do. Needed if `apply` gives `waits`. */
  readonly resume?: ((state: State, operation: Operation, id: number) => Outcomes<State, Result>) | undefined
  /** How an operation that waits, or was granted what it waited for, leaves without having taken effect. */
  readonly withdraw?:
    | ((state: State, operation: Operation, id: number) => Leaving<State> | ReadonlyArray<Leaving<State>> | undefined)
    | undefined
  /**
   * A text which is the same for two states exactly when they cannot be told apart. By default one made of the structure: of plain
   * objects, arrays, maps, sets, dates, errors, what has a `toJSON`, and the enumerable fields of other objects. What has none of these is
   * compared by identity.
   */
  readonly key?: ((state: State) => string) | undefined
  /** Whether what an operation returned is what the model gives. By default equality of structure. */
  readonly equals?: ((returned: Result | Failed, given: Result | Failed) => boolean) | undefined
  /** An operation in an explanation. By default `offer(1)` for `["offer", 1]`. */
  readonly show?: ((operation: Operation) => string) | undefined
}

interface EntryOf<Operation> {
  /** Who called it: the name of a fiber or a function. */
  readonly who: string
  readonly operation: Operation
  /** When it was called. Times are numbers of which only the order matters. */
  readonly called: number
  /** When it is known to have stood in line, for a model in which it does: those who are called later are behind it. */
  readonly waiting?: number | undefined
}

/**
 * An operation that returned.
 *
 * @since 0.1.0
 * @category models
 */
export interface Returned<Operation, Result> extends EntryOf<Operation> {
  readonly status?: "returned" | undefined
  readonly returned: number
  readonly result: Result | Failed
}

/**
 * An operation of which nobody knows: it may have taken effect at any time after its call, or not at all. One that was interrupted may also
 * have left the line in which it stood; one that was not is still in it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Pending<Operation> extends EntryOf<Operation> {
  readonly status: "pending"
  readonly interrupted?: boolean | undefined
}

/**
 * An operation that was interrupted and must not have taken effect. It may have been waiting until it returned.
 *
 * @since 0.1.0
 * @category models
 */
export interface Withdrawn<Operation> extends EntryOf<Operation> {
  readonly status: "withdrawn"
  readonly returned: number
}

/**
 * An operation that still waits when nothing can happen any more: it must have to. If the model lets it go on, a wake-up was lost.
 *
 * @since 0.1.0
 * @category models
 */
export interface Blocked<Operation> extends EntryOf<Operation> {
  readonly status: "blocked"
}

/**
 * One operation of a history.
 *
 * @since 0.1.0
 * @category models
 */
export type Entry<Operation, Result> =
  Returned<Operation, Result> | Pending<Operation> | Withdrawn<Operation> | Blocked<Operation>

/**
 * What happened: who did what, from when to when, and what came of it. In any order, since the times say it.
 *
 * @since 0.1.0
 * @category models
 */
export type History<Operation, Result> = ReadonlyArray<Entry<Operation, Result>>

/**
 * One step of an order: the operation returned, began to wait (or waited on), or left.
 *
 * @since 0.1.0
 * @category models
 */
export type Step<Operation, Result> =
  | { readonly did: "return"; readonly entry: Entry<Operation, Result>; readonly result: Result | Failed }
  | { readonly did: "wait" | "withdraw"; readonly entry: Entry<Operation, Result> }

/**
 * What `check` found: an order, or why there is none.
 *
 * @since 0.1.0
 * @category models
 */
export type Verdict<Operation, Result> =
  | { readonly linearizable: true; readonly order: ReadonlyArray<Step<Operation, Result>> }
  | { readonly linearizable: false; readonly explanation: string }

/**
 * How a history is checked.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** How many different situations are looked at before it gives up with an error: an integer, 1 or more. Default 1,000,000. */
  readonly limit?: number | undefined
}

/**
 * Looks for an order of a history's operations in which the model gives each the result that it returned. An operation that
 * returned before another was called comes before it; those that overlap may come in either order.
 *
 * **When to use**: in a test of an object that several use at once, to check all of their results together. `assert` throws if there is
 * no such order.
 *
 * **Details**: there may be any number of operations. The time it takes grows with how many overlap: for ten, of which three or so do, it
 * is a fraction of a millisecond; sixteen that all do may take seconds if there is no order. In that case the explanation shows the
 * history over time, the longest order that the model allows, and what the model gives for what did not fit.
 *
 * @example
 * import { Linearizable } from "effect-concurrency/testing"
 *
 * const register: Linearizable.Spec<number, readonly ["read"] | readonly ["write", number], number | undefined> = {
 *   initial: 0,
 *   apply: (value, [name, next]) =>
 *     name === "read" ? { state: value, result: value } : { state: next, result: undefined }
 * }
 *
 * const verdict = Linearizable.check(register, [
 *   { who: "a", operation: ["write", 1], called: 0, returned: 3, result: undefined },
 *   { who: "b", operation: ["read"], called: 1, returned: 2, result: 1 },
 *   { who: "b", operation: ["read"], called: 4, returned: 5, result: 0 }
 * ])
 *
 * console.log(verdict.linearizable || verdict.explanation.split("\n").at(-1)?.trim()) // => b read: 0, where the model gives 1
 *
 * @see `assert` to have it throw the explanation.
 *
 * @since 0.1.0
 * @category checks
 */
export const check = <State, Operation, Result>(
  spec: Spec<State, Operation, Result>,
  history: History<Operation, Result>,
  options: Options = {}
): Verdict<Operation, Result> => decide("Linearizable.check", spec, history, options)

/**
 * Throws an error that explains it if a history is not linearizable; otherwise gives an order. See {@link check}.
 *
 * **When to use**: at the end of a test, and of a scenario that is explored.
 *
 * @example
 * import { Linearizable } from "effect-concurrency/testing"
 *
 * const counter: Linearizable.Spec<number, "next", number> = {
 *   initial: 0,
 *   apply: (count) => ({ state: count + 1, result: count + 1 })
 * }
 *
 * const order = Linearizable.assert(counter, [
 *   { who: "a", operation: "next", called: 0, returned: 3, result: 2 },
 *   { who: "b", operation: "next", called: 1, returned: 2, result: 1 }
 * ])
 *
 * console.log(order.map(({ entry }) => entry.who).join(", then ")) // => b, then a
 *
 * @since 0.1.0
 * @category checks
 */
export const assert = <State, Operation, Result>(
  spec: Spec<State, Operation, Result>,
  history: History<Operation, Result>,
  options: Options = {}
): ReadonlyArray<Step<Operation, Result>> => {
  const verdict = decide("Linearizable.assert", spec, history, options)
  if (!verdict.linearizable) throw new Error(verdict.explanation)
  return verdict.order
}

// ------------------------------------------------------------------------------------------------------------------------ the recorder

/**
 * What an operation that was interrupted says of itself: `"pending"`, that it may have taken effect or not; `"withdrawn"`, that it
 * promises to have had none.
 *
 * @since 0.1.0
 * @category models
 */
export type OnInterrupt = "pending" | "withdrawn"

/**
 * How operations are recorded.
 *
 * @since 0.1.0
 * @category models
 */
export interface RecordOptions {
  /** What an interruption means. Default `"pending"`, which claims nothing. */
  readonly onInterrupt?: OnInterrupt | undefined
  /** Which rejections of a promise are interruptions. By default errors with the name `AbortError` or `TimeoutError`. */
  readonly isInterruption?: ((error: unknown) => boolean) | undefined
}

/**
 * An operation that has been called and not ended yet. The first that is said of its end counts.
 *
 * @since 0.1.0
 * @category models
 */
export interface Call<Result> {
  /** It stands in line: who is called from now on is behind it. */
  readonly waiting: () => void
  readonly returned: (result: Result | Failed) => void
  readonly withdrawn: () => void
  /** It was interrupted, and nobody will know whether it took effect. */
  readonly pending: () => void
}

/**
 * Something that writes histories.
 *
 * @since 0.1.0
 * @category models
 */
export interface Recorder<Operation, Result> {
  /** Runs an effect as an operation. It does not change what the effect does, nor where it can be interrupted. */
  effect<A extends Result, E, R>(
    who: string,
    operation: Operation,
    effect: Effect.Effect<A, E, R>,
    options?: RecordOptions
  ): Effect.Effect<A, E, R>
  /** Calls a function that returns a promise, as an operation. When it has returned the promise, the operation stands in line. */
  promise<A extends Result>(
    who: string,
    operation: Operation,
    f: () => PromiseLike<A>,
    options?: RecordOptions
  ): Promise<A>
  /** Calls a function as an operation. */
  sync<A extends Result>(who: string, operation: Operation, f: () => A): A
  /** Says that a caller is seen to be suspended: what it has under way stands in line, and who is called from now on is behind it. */
  waiting(who: string): void
  /** Begins an operation whose end the caller will tell. */
  begin(who: string, operation: Operation): Call<Result>
  /** What happened until now. What has not ended is pending. */
  readonly history: History<Operation, Result>
  /** What happened, told when nothing can happen any more. What has not ended is blocked, and must have to be. */
  readonly historyAtRest: History<Operation, Result>
}

/**
 * Makes a recorder, of effects, promises and plain functions alike.
 *
 * **When to use**: to have the history of a test written while it runs. What several recorders write cannot be compared.
 *
 * **Details**: its time is a count of what it has recorded. A result is recorded in the step in which the effect succeeds, so nothing can
 * be done to it before it is in the history. What failed is recorded as `Failed`, and fails on.
 *
 * **Interruption**: an effect that is interrupted is pending or withdrawn, as chosen, when its fiber ends.
 *
 * @example
 * import { Linearizable } from "effect-concurrency/testing"
 * import { WorkQueue } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * type Operation = readonly ["offer", number] | readonly ["take"]
 *
 * const spec: Linearizable.Spec<ReadonlyArray<number>, Operation, number | boolean> = {
 *   initial: [],
 *   apply: (items, [name, item]) => {
 *     if (name === "offer") return { state: [...items, item], result: true }
 *     return items.length === 0 ? undefined : { state: items.slice(1), result: items[0]! }
 *   }
 * }
 *
 * const program = Effect.gen(function* () {
 *   const recorder = Linearizable.recorder<Operation, number | boolean>()
 *   const queue = yield* WorkQueue.make<number>()
 *   const offer = (who: string, n: number) => recorder.effect(who, ["offer", n], queue.offer(n))
 *   const take = (who: string) => recorder.effect(who, ["take"], queue.take)
 *   yield* Effect.all([take("a"), take("b"), offer("c", 1), offer("d", 2)], { concurrency: "unbounded" })
 *   return Linearizable.check(spec, recorder.history).linearizable
 * })
 *
 * console.log(await Effect.runPromise(program)) // => true
 *
 * @since 0.1.0
 * @category constructors
 */
export const recorder = <Operation, Result>(defaults: RecordOptions = {}): Recorder<Operation, Result> => {
  const chooseFrom = (where: string, options: RecordOptions) => {
    const { isInterruption = isAbort, onInterrupt = "pending" } = record(where, options)
    oneOf(where, "onInterrupt", onInterrupt, ["pending", "withdrawn"])
    return { isInterruption: callable(where, "isInterruption", isInterruption), onInterrupt }
  }
  const standard = chooseFrom("Linearizable.recorder", defaults)
  const choose = (where: string, options: RecordOptions = {}) => chooseFrom(where, { ...standard, ...options })

  interface Writing {
    who: string
    operation: Operation
    called: number
    waiting?: number
    end?:
      | { status: "returned"; returned: number; result: Result | Failed }
      | { status: "withdrawn"; returned: number }
      | { status: "pending"; interrupted: true }
  }
  const writings: Array<Writing> = []
  let time = 0

  const begin = (where: string, who: string, operation: Operation): Call<Result> => {
    expect(typeof who === "string", where, "who", "a string", who)
    const writing: Writing = { who, operation, called: time++ }
    writings.push(writing)
    return {
      waiting: () => {
        if (writing.end === undefined) writing.waiting ??= time++
      },
      returned: (result) => void (writing.end ??= { status: "returned", returned: time++, result }),
      withdrawn: () => void (writing.end ??= { status: "withdrawn", returned: time++ }),
      pending: () => void (writing.end ??= { status: "pending", interrupted: true })
    }
  }
  const historyWith = (status: "pending" | "blocked"): History<Operation, Result> =>
    writings.map(({ end, ...entry }) => ({ ...entry, ...(end ?? { status }) }))

  return {
    effect: (who, operation, effect, options) => {
      if (!Effect.isEffect(effect)) throw refusal("Linearizable.Recorder.effect", "effect", "an effect", effect)
      const { onInterrupt } = choose("Linearizable.Recorder.effect", options)
      // No region of its own: leaving one is a step in which an interruption could take away what the effect has just given.
      return withFiber((fiber) => {
        const call = begin("Linearizable.Recorder.effect", who, operation)
        const forget = onFiberExit(fiber, () => call[onInterrupt]())
        return Effect.matchCauseEffect(effect, {
          onFailure: (cause) => {
            forget()
            if (Cause.isInterrupted(cause)) call[onInterrupt]()
            else call.returned(failed(Cause.squash(cause)))
            return Effect.failCause(cause)
          },
          onSuccess: (value) => {
            forget()
            call.returned(value)
            return Effect.succeed(value)
          }
        })
      })
    },
    promise: async (who, operation, f, options) => {
      callable("Linearizable.Recorder.promise", "f", f)
      const { isInterruption, onInterrupt } = choose("Linearizable.Recorder.promise", options)
      const call = begin("Linearizable.Recorder.promise", who, operation)
      const writing = writings.at(-1)!
      let asked = -1
      try {
        const promise = f()
        call.waiting()
        asked = time
        const value = await promise
        call.returned(value)
        return value
      } catch (error) {
        // Over before anything else happened: its signal may have been aborted before it stood in line, so nobody can say that it did.
        if (isInterruption(error) && time === asked) delete writing.waiting
        if (isInterruption(error)) call[onInterrupt]()
        else call.returned(failed(error))
        throw error
      }
    },
    sync: (who, operation, f) => {
      callable("Linearizable.Recorder.sync", "f", f)
      const call = begin("Linearizable.Recorder.sync", who, operation)
      try {
        const value = f()
        call.returned(value)
        return value
      } catch (error) {
        call.returned(failed(error))
        throw error
      }
    },
    waiting: (who) => {
      expect(typeof who === "string", "Linearizable.Recorder.waiting", "who", "a string", who)
      for (const writing of writings) {
        if (writing.who === who && writing.end === undefined) writing.waiting ??= time++
      }
    },
    begin: (who, operation) => begin("Linearizable.Recorder.begin", who, operation),
    get history() {
      return historyWith("pending")
    },
    get historyAtRest() {
      return historyWith("blocked")
    }
  }
}

const isAbort = (error: unknown): boolean =>
  error instanceof Error && (error.name === "AbortError" || error.name === "TimeoutError")

// ------------------------------------------------------------------------------------------------------------------------ the search

/** What one step of an operation may be, whatever kind of step. */
type Move<State, Result> =
  | { readonly did: "return"; readonly state: State; readonly result: Result | Failed }
  | { readonly did: "wait" | "withdraw"; readonly state: State }

/** How far an operation is. */
const enum Phase {
  Before,
  Waiting,
  Over
}

const decide = <State, Operation, Result>(
  where: string,
  spec: Spec<State, Operation, Result>,
  history: History<Operation, Result>,
  options: Options
): Verdict<Operation, Result> => {
  checkSpec(where, spec)
  checkHistory(where, history)
  const limit = integer(where, "limit", record(where, options).limit ?? 1_000_000, 1)

  const structure = makeStructure(where)
  const { equals = (a, b) => a === b || structure(a) === structure(b), key = structure } = spec
  const initial = typeof spec.initial === "function" ? (spec.initial as () => State)() : spec.initial
  const untouched = structure(initial)

  const phases = new Uint8Array(history.length)
  /** The phases once more, two bits each, to be part of a key. */
  const packed: Array<number> = Array.from({ length: (history.length + 15) >> 4 }, () => 0)
  const setPhase = (index: number, phase: Phase): void => {
    const shift = (index & 15) * 2
    phases[index] = phase
    packed[index >> 4] = (packed[index >> 4]! & ~(3 << shift)) | (phase << shift)
  }

  /** Whether an interrupted operation can have stood in line: only if the model lets it leave. */
  const canLeave = spec.withdraw !== undefined
  /** When it must have made its first step: if at all. */
  const begunBy = history.map((entry) =>
    spec.resume === undefined || (entry.status === "withdrawn" && !canLeave) ? undefined : entry.waiting
  )
  /** Who returned first is tried first: that is nearest to what happened. */
  const inOrder = history.map((_, index) => index).sort((a, b) => endOf(history[a]!) - endOf(history[b]!))

  const movesOf = (state: State, index: number): ReadonlyArray<Move<State, Result>> => {
    const entry = history[index]!
    const { operation } = entry
    if (phases[index] === Phase.Before) return moves(where, "apply", spec, spec.apply(state, operation, index))
    const resumed = moves(where, "resume", spec, spec.resume!(state, operation, index))
    const mayLeave = entry.status === "withdrawn" || (entry.status === "pending" && entry.interrupted === true)
    if (!canLeave || !mayLeave) return resumed
    return resumed.concat(leavings(where, spec.withdraw!(state, operation, index)))
  }

  const fits = (entry: Entry<Operation, Result>, move: Move<State, Result>): boolean => {
    if (move.did !== "return") return true
    if (entry.status === "pending") return true
    return isReturned(entry) && equals(entry.result, move.result)
  }

  /** The earliest time by which some operation has to make a step that it has not made: what was called later cannot go before. */
  const deadline = (): number => {
    let earliest = Infinity
    for (const index of inOrder) {
      const entry = history[index]!
      if (phases[index] === Phase.Over) continue
      const due =
        phases[index] === Phase.Before && begunBy[index] !== undefined
          ? begunBy[index]
          : isReturned(entry) || (entry.status === "withdrawn" && phases[index] === Phase.Waiting)
            ? entry.returned
            : Infinity
      if (due < earliest) earliest = due
    }
    return earliest
  }

  /** Whether everybody has got where they have to be. */
  const complete = (state: State): boolean =>
    history.every((entry, index) => {
      const phase = phases[index]
      if (isReturned(entry)) return phase === Phase.Over
      if (phase === Phase.Before && begunBy[index] !== undefined) return false
      if (entry.status === "withdrawn") return phase !== Phase.Waiting
      return entry.status !== "blocked" || movesOf(state, index).length === 0
    })

  const candidates = (now: number): ReadonlyArray<number> => {
    const latest = deadline()
    return inOrder.filter((index) => {
      const entry = history[index]!
      if (phases[index] === Phase.Over || entry.called > latest) return false
      return entry.status !== "withdrawn" || phases[index] === Phase.Waiting || (canLeave && entry.returned >= now)
    })
  }

  const seen = new Set<string>()
  const trace: Array<Step<Operation, Result>> = []
  const everOver = new Uint8Array(history.length)
  let worth = 0
  let best: Stuck<State, Operation, Result> | undefined

  /** Now is the latest call that has begun: a function of the phases, like the deadline, so the key need not have it. */
  const explore = (state: State, now: number): boolean => {
    const situation = `${packed.join()}|${key(state)}`
    if (seen.has(situation)) return false
    if (seen.size === limit) {
      throw misuse(where, `gave up after ${limit} situations: record fewer operations at a time, or raise the limit`)
    }
    seen.add(situation)
    if (complete(state)) return true
    const next = candidates(now)
    if (best === undefined || worth > best.worth) {
      best = { worth, trace: trace.slice(), phases: phases.slice(), next, state }
    }
    for (const index of next) {
      const entry = history[index]!
      for (const move of movesOf(state, index)) {
        if (!fits(entry, move)) continue
        const before = phases[index]! as Phase
        const gain = worthOf(entry, move.did)
        setPhase(index, move.did === "wait" ? Phase.Waiting : Phase.Over)
        trace.push(move.did === "return" ? { did: "return", entry, result: move.result } : { did: move.did, entry })
        worth += gain
        if (isReturned(entry) && move.did === "return") everOver[index] = 1
        if (explore(move.state, Math.max(now, entry.called))) return true
        worth -= gain
        trace.pop()
        setPhase(index, before)
      }
    }
    return false
  }

  const found = explore(initial, -Infinity)
  if (structure(initial) !== untouched) {
    throw misuse(where, "the model has changed its initial state: spec.apply must return a new state instead")
  }
  if (found) return { linearizable: true, order: trace }

  phases.set(best!.phases)
  const nowhere = inOrder.find((index) => isReturned(history[index]!) && everOver[index] === 0)
  return { linearizable: false, explanation: explain(where, spec, history, structure, best!, movesOf, nowhere) }
}

const isReturned = <Operation, Result>(entry: Entry<Operation, Result>): entry is Returned<Operation, Result> =>
  entry.status === undefined || entry.status === "returned"

const endOf = <Operation, Result>(entry: Entry<Operation, Result>): number =>
  entry.status === "pending" || entry.status === "blocked" ? Number.MAX_VALUE : entry.returned

/** Which of two orders got further: the one that has more of what returned, then the one with more steps that need not be guessed. */
const worthOf = <Operation, Result>(entry: Entry<Operation, Result>, did: Step<Operation, Result>["did"]): number =>
  entry.status === "pending" ? 0 : did === "return" ? 10_000 : 1

const toArray = <A>(one: A | ReadonlyArray<A> | undefined): ReadonlyArray<A> =>
  one === undefined ? [] : Array.isArray(one) ? one : [one as A]

const moves = <State, Operation, Result>(
  where: string,
  name: "apply" | "resume",
  spec: Spec<State, Operation, Result>,
  outcomes: Outcomes<State, Result>
): ReadonlyArray<Move<State, Result>> =>
  toArray(outcomes).map((outcome) => {
    const known = typeof outcome === "object" && outcome !== null && "state" in outcome
    expect(
      known && ("result" in outcome || outcome.waits === true),
      where,
      `what spec.${name} returns`,
      "{ state, result }, { state, waits: true }, an array of these, or undefined",
      outcome
    )
    if (outcome.waits !== true) return { did: "return", state: outcome.state, result: outcome.result }
    callable(where, "spec.resume, since an operation waits,", spec.resume)
    return { did: "wait", state: outcome.state }
  })

const leavings = <State>(
  where: string,
  outcomes: Leaving<State> | ReadonlyArray<Leaving<State>> | undefined
): ReadonlyArray<Move<State, never>> =>
  toArray(outcomes).map((leaving) => {
    expect(
      typeof leaving === "object" && leaving !== null && "state" in leaving,
      where,
      "what spec.withdraw returns",
      "{ state }, { state, waits: true }, an array of these, or undefined",
      leaving
    )
    return { did: leaving.waits === true ? "wait" : "withdraw", state: leaving.state }
  })

// ------------------------------------------------------------------------------------------------------------------------ bad input

const checkSpec = <State, Operation, Result>(where: string, spec: Spec<State, Operation, Result>): void => {
  expect(typeof spec === "object" && spec !== null, where, "spec", "an object", spec)
  expect("initial" in spec, where, "spec", "an object with an initial state", spec)
  callable(where, "spec.apply", spec.apply)
  for (const name of ["resume", "withdraw", "key", "equals", "show"] as const) {
    if (spec[name] !== undefined) callable(where, `spec.${name}`, spec[name])
  }
}

const statuses = ["returned", "pending", "withdrawn", "blocked"] as const

const checkHistory = <Operation, Result>(where: string, history: History<Operation, Result>): void => {
  expect(Array.isArray(history), where, "history", "an array", history)
  history.forEach((entry, index) => {
    const name = `history[${index}]`
    expect(typeof entry === "object" && entry !== null, where, name, "an object", entry)
    expect(typeof entry.who === "string", where, `${name}.who`, "a string", entry.who)
    if (entry.status !== undefined) oneOf(where, `${name}.status`, entry.status, statuses)
    expect(Number.isFinite(entry.called), where, `${name}.called`, "a finite number", entry.called, "number")
    if (isReturned(entry))
      expect("result" in entry, where, name, "an entry with a result, or with another status", entry)
    let last = Infinity
    if (isReturned(entry) || entry.status === "withdrawn") {
      last = entry.returned
      expect(
        Number.isFinite(last) && last >= entry.called,
        where,
        `${name}.returned`,
        `a number of at least ${entry.called}, when it was called`,
        last,
        "number"
      )
    }
    const { waiting } = entry
    if (waiting === undefined) return
    expect(
      Number.isFinite(waiting) && waiting >= entry.called && waiting <= last,
      where,
      `${name}.waiting`,
      "a number from when it was called to when it returned",
      waiting,
      "number"
    )
  })
}

// ------------------------------------------------------------------------------------------------------------------------ structure

/** A text of a value which is the same for values of the same structure, and which people can read. */
const makeStructure = (where: string): ((value: unknown) => string) => {
  const identities = new Map<unknown, number>()
  const identity = (kind: string, value: unknown): string => {
    if (!identities.has(value)) identities.set(value, identities.size + 1)
    return `${kind}#${identities.get(value)}`
  }
  const fields = (value: object, depth: number, except: ReadonlyArray<string>): string =>
    Object.keys(value)
      .filter((name) => !except.includes(name))
      .sort()
      .map((name) => `${JSON.stringify(name)}:${text((value as any)[name], depth)}`)
      .join()

  const text = (value: unknown, depth: number): string => {
    switch (typeof value) {
      case "string":
        return JSON.stringify(value)
      case "bigint":
        return `${value}n`
      case "function":
        return identity(value.name || "function", value)
      case "symbol":
        return identity(String(value), value)
      case "object":
        return value === null ? "null" : ofObject(value, depth + 1)
      default:
        return String(value)
    }
  }

  const ofObject = (value: object, depth: number): string => {
    if (depth > 100) throw misuse(where, "a state or a result is circular: give spec.key and spec.equals")
    const all = (items: Iterable<unknown>): Array<string> => Array.from(items, (item) => text(item, depth))
    if (Array.isArray(value)) return `[${all(value).join()}]`
    if (value instanceof Map) return `Map{${all(value).sort().join()}}`
    if (value instanceof Set) return `Set{${all(value).sort().join()}}`
    if (value instanceof Error) {
      const kind = "_tag" in value ? String(value._tag) : value.name
      return `${kind}(${JSON.stringify(value.message)}${fields(value, depth, ["_tag", "name", "message"])})`
    }
    if ("toJSON" in value && typeof value.toJSON === "function") {
      const json: unknown = value.toJSON()
      return json !== value && typeof json === "object" && json !== null
        ? ofObject(json, depth + 1)
        : `${value.constructor?.name}(${text(json, depth)})`
    }
    if ("_tag" in value && typeof value._tag === "string")
      return `${value._tag}{${fields(value, depth, ["_tag", "_id"])}}`
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype === Object.prototype || prototype === null) return `{${fields(value, depth, [])}}`
    const name = value.constructor?.name ?? "object"
    // What has its state in private fields, or none: nobody can tell.
    return Object.keys(value).length === 0 ? identity(name, value) : `${name}(${fields(value, depth, [])})`
  }

  return (value) => text(value, 0)
}

// ------------------------------------------------------------------------------------------------------------------------ explanation

/** Where the search got furthest. */
interface Stuck<State, Operation, Result> {
  readonly worth: number
  readonly trace: ReadonlyArray<Step<Operation, Result>>
  readonly phases: Uint8Array
  readonly next: ReadonlyArray<number>
  readonly state: State
}

const explain = <State, Operation, Result>(
  where: string,
  spec: Spec<State, Operation, Result>,
  history: History<Operation, Result>,
  structure: (value: unknown) => string,
  stuck: Stuck<State, Operation, Result>,
  movesOf: (state: State, index: number) => ReadonlyArray<Move<State, Result>>,
  nowhere: number | undefined
): string => {
  const showResult = (result: unknown): string => shorten(showFailed(result) ?? structure(result))
  const name = ({ operation }: Entry<Operation, Result>): string =>
    shorten(spec.show === undefined ? showOperation(operation, structure) : spec.show(operation))
  const withResult = (entry: Entry<Operation, Result>): string => {
    if (!isReturned(entry)) return name(entry)
    return entry.result === undefined ? name(entry) : `${name(entry)}: ${showResult(entry.result)}`
  }
  const sentence = (entry: Entry<Operation, Result>): string => `${entry.who} ${withResult(entry)}`

  const steps = stuck.trace.map((step, index) => {
    const { did, entry } = step
    const what = did === "return" ? "" : did === "wait" ? " waits" : " leaves"
    const took = did !== "return" ? name(entry) : isReturned(entry) ? withResult(entry) : `${name(entry)} takes effect`
    return `  ${index + 1}. ${entry.who} ${took}${what}`
  })

  const misfit = (index: number): string => {
    const entry = history[index]!
    const possible = movesOf(stuck.state, index)
    const gives = Array.from(
      new Set(
        possible.map((move) =>
          move.did === "return"
            ? `gives ${showResult(move.result)}`
            : move.did === "wait"
              ? "has it wait"
              : "has it leave"
        )
      )
    )
    const model = gives.length === 0 ? "has it wait" : gives.join(" or ")
    if (entry.status === "withdrawn") return `${sentence(entry)}, which was withdrawn: the model ${model}`
    if (entry.status === "blocked") return `${sentence(entry)}, which still waits at the end, where the model ${model}`
    return `${sentence(entry)}, where the model ${model}`
  }

  // One that is pending may as well do nothing, one that was withdrawn has to if it waits, and one that is blocked must not go on.
  const misfits = stuck.next.filter((index) => {
    const entry = history[index]!
    if (entry.status === "blocked") return movesOf(stuck.state, index).length > 0
    return isReturned(entry) || (entry.status === "withdrawn" && stuck.phases[index] === Phase.Waiting)
  })
  const order =
    steps.length === 0
      ? ["No operation can be the first:"]
      : ["The longest order that the model allows:", ...steps, "After that nothing fits:"]

  return [
    `${where}: no order of ${history.length === 1 ? "this operation" : `these ${history.length} operations`} explains what was returned`,
    "",
    ...draw(history, withResult),
    "",
    ...(nowhere === undefined
      ? []
      : [`${sentence(history[nowhere]!)} is in none of the orders that the model allows.`]),
    ...order,
    ...misfits.map((index) => `  ${misfit(index)}`)
  ].join("\n")
}

const shorten = (text: string): string => (text.length > 60 ? `${text.slice(0, 59)}…` : text)

const showFailed = (result: unknown): string | undefined => {
  if (typeof result !== "object" || result === null || !("_tag" in result) || result._tag !== "Failed") return undefined
  const { error } = result as Failed
  return error instanceof Error ? `fails (${error.name}: ${error.message})` : `fails (${String(error)})`
}

const showOperation = (operation: unknown, structure: (value: unknown) => string): string => {
  if (typeof operation === "string") return operation
  if (!Array.isArray(operation) || typeof operation[0] !== "string") return structure(operation)
  const [name, ...values] = operation
  return values.length === 0 ? name : `${name}(${values.map(structure).join(", ")})`
}

/** How wide a history may be drawn with what was done in it; beyond that, with numbers. */
const maxWidth = 120

/** The history over time, a line for each who, and another where operations of one overlap. */
const draw = <Operation, Result>(
  history: History<Operation, Result>,
  label: (entry: Entry<Operation, Result>) => string
): ReadonlyArray<string> => {
  const times = Array.from(new Set(history.flatMap((entry) => [entry.called, endOf(entry)]))).sort((a, b) => a - b)
  const byCall = history.slice().sort((a, b) => a.called - b.called)
  const names = Math.max(...history.map(({ who }) => who.length))

  const columns = (labelOf: (entry: Entry<Operation, Result>) => string): Map<number, number> => {
    const at = new Map<number, number>()
    let column = 0
    for (const time of times) {
      for (const entry of history) {
        if (endOf(entry) === time && entry.called < time) {
          column = Math.max(column, at.get(entry.called)! + labelOf(entry).length + 1)
        }
      }
      at.set(time, column)
      column += 2
    }
    return at
  }

  const numbered = new Map(byCall.map((entry, index) => [entry, `#${index + 1}`]))
  let shown = label
  let at = columns(shown)
  const tooWide = at.get(times.at(-1)!)! + names > maxWidth
  if (tooWide) {
    shown = (entry) => numbered.get(entry)!
    at = columns(shown)
  }

  const lanes: Array<{ readonly who: string; free: number; line: string }> = []
  for (const who of new Set(byCall.map((entry) => entry.who))) {
    const mine: typeof lanes = []
    for (const entry of byCall) {
      if (entry.who !== who) continue
      let lane = mine.find(({ free }) => free < entry.called)
      if (lane === undefined) mine.push((lane = { who, free: -Infinity, line: "" }))
      const from = at.get(entry.called)!
      const to = Math.max(at.get(endOf(entry))!, from + shown(entry).length + 1)
      const last = { returned: "|", pending: "?", withdrawn: "x", blocked: "…" }[entry.status ?? "returned"]
      lane.line = `${lane.line.padEnd(from)}|${shown(entry).padEnd(to - from - 1, "-")}${last}`
      lane.free = endOf(entry)
    }
    lanes.push(...mine)
  }
  const drawing = lanes.map(({ line, who }) => `  ${who.padEnd(names)}  ${line}`)
  const legend = tooWide ? byCall.map((entry) => `  ${numbered.get(entry)} ${entry.who} ${label(entry)}`) : []
  return [...drawing, ...legend]
}
