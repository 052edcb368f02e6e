/**
 * How a store is reached by what asks it in nobody's name: with what the fiber has that made the instance. What fails is a cause.
 *
 * A question begins in the step in which it is put, as it does among promises. So questions reach the store in the order in which they were put,
 * and before anything is done that comes after. The store's code runs inside that step. It finds everything as it was left: whoever asks has made
 * up his mind before. What it says comes later, in a step of its own: an answer that is there at once, and also a change of which it tells. What it
 * does when it is told of an answer may be to ask again, and what it tells to all who watch would come in the middle of what it does for one.
 *
 * @internal
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { settle, wake } from "../core/ticket.js"
import { callback, laterForker, schedulerOf, starter, withFiber, yieldNow } from "./effect.js"
import { FiberTicket } from "./park.js"
import { report } from "./report.js"
import { causeOf, promisedBy } from "./store.js"

type Fork = (effect: Effect.Effect<void>) => void

export type Fail = (cause: unknown) => void

/** How others come to their turn, with what the fiber has that made an instance. */
export interface Forks {
  /** Starts a fiber, as far as it comes without waiting. */
  readonly now: Fork
  /** Starts a fiber, not before the present step has ended. */
  readonly later: Fork
  /** Calls a function, not before the present step has ended: that costs less than a fiber. */
  readonly next: (f: () => void) => void
}

/** Those of the fiber that asks. */
export const forks: Effect.Effect<Forks> = withFiber((fiber) => {
  const scheduler = schedulerOf(fiber)
  return Effect.zipWith(starter<never>(), laterForker<never>(), (now, later) => ({
    now,
    later,
    next: (f) => scheduler.scheduleTask(() => guarded(f, later), 0)
  }))
})

/** What is thrown out of a turn would take the turns of all others with it. */
const guarded = (f: () => void, later: Fork): void => {
  try {
    f()
  } catch (defect) {
    later(Effect.die(defect))
  }
}

/** Puts questions. */
export class Questioner {
  constructor(protected readonly forks: Forks) {}

  /**
   * A store may throw as soon as its function is called. Nobody interrupts its fiber; but the store may interrupt what it does itself, by a timeout
   * say. A promise is waited for without a fiber.
   */
  ask<A>(
    question: () => Effect.Effect<A, unknown>,
    check: (answer: A) => A,
    answer: (answer: A) => void,
    fail: Fail
  ): void {
    const asked = attempted(question)
    const promised = promisedBy(asked)
    if (promised === undefined) this.fork(Effect.map(asked, check), answer, fail)
    else awaitAnswer(promised, check, answer, fail)
  }

  private fork<A>(asked: Effect.Effect<A, unknown>, answer: (answer: A) => void, fail: Fail): void {
    let isAsking = true
    const over = (tell: () => void): Effect.Effect<void> => (isAsking ? Effect.map(yieldNow, tell) : Effect.sync(tell))
    this.forks.now(
      Effect.matchCauseEffect(asked, {
        onFailure: (cause) => over(() => fail(cause)),
        onSuccess: (value) => over(() => answer(value))
      })
    )
    isAsking = false
  }

  errorOf(failure: unknown): unknown {
    return Cause.squash(failure as Cause.Cause<unknown>)
  }
}

const attempted = <A>(question: () => Effect.Effect<A, unknown>): Effect.Effect<A, unknown> => {
  try {
    return question()
  } catch (defect) {
    return Effect.die(defect)
  }
}

const awaitAnswer = <A>(
  promised: () => PromiseLike<A>,
  check: (answer: A) => A,
  answer: (answer: A) => void,
  fail: Fail
): void => {
  const failed = (error: unknown) => fail(causeOf(error))
  const answered = (value: A) => {
    let checked
    try {
      checked = check(value)
    } catch (defect) {
      // It is no failure of the store, whatever it looks like.
      return fail(Cause.die(defect))
    }
    answer(checked)
  }
  attemptedPromise(promised).then(answered, failed)
}

const attemptedPromise = <A>(promised: () => PromiseLike<A>): PromiseLike<A> => {
  try {
    return promised()
  } catch (error) {
    return Promise.reject(error)
  }
}

/** Asks a store, and watches it. A change is told with something, or with nothing. */
export abstract class Asker<in out Change = void> extends Questioner {
  constructor(
    private readonly watching: (
      name: string,
      changed: (change: Change) => void
    ) => Effect.Effect<void, unknown, Scope.Scope>,
    forks: Forks
  ) {
    super(forks)
  }

  watch(name: string, changed: (change: Change) => void, watching: () => void, fail: Fail): () => void {
    let isStopped = false
    let resume = () => {}
    const stopped = callback<void>((done) => {
      if (isStopped) done(Effect.void)
      else resume = () => done(Effect.void)
    })
    const told = (change: Change) => this.forks.next(() => changed(change))
    const watch = Effect.interruptible(Effect.suspend(() => this.watching(name, told)))
    const whole = Effect.scoped(Effect.zipRight(Effect.zipRight(watch, Effect.sync(watching)), stopped))
    this.forks.later(Effect.matchCause(whole, { onFailure: fail, onSuccess: () => {} }))
    return () => {
      isStopped = true
      resume()
    }
  }
}

export class StorePort extends Asker {
  constructor(
    private readonly where: string,
    watching: (name: string, changed: () => void) => Effect.Effect<void, unknown, Scope.Scope>,
    forks: Forks,
    readonly random: () => number
  ) {
    super(watching, forks)
  }

  id(): string {
    return globalThis.crypto.randomUUID()
  }

  report(name: string, message: string, failed?: { readonly failure: unknown }): void {
    const cause = failed === undefined ? Cause.empty : (failed.failure as Cause.Cause<unknown>)
    this.forks.later(report({ where: this.where, name, message, cause }))
  }
}

/** Of an answer that says nothing. */
export const unchecked = <A>(answer: A): A => answer

/** Puts a question, and waits for the answer. Whoever is interrupted does not wait for it any more; it is done all the same. */
export const asked = <A>(what: string, ask: (answer: (answer: A) => void, fail: Fail) => void): Effect.Effect<A, any> =>
  Effect.suspend(() => {
    const ticket = new FiberTicket<undefined, Effect.Effect<A, any>>(undefined, 0, what)
    const over = (result: Effect.Effect<A, any>) => wake(settle(undefined, ticket, result))
    ask(
      (answer) => over(Effect.succeed(answer)),
      (cause) => over(Effect.failCause(cause as Cause.Cause<unknown>))
    )
    return Effect.flatMap(ticket.settlement, () => ticket.result!)
  })
