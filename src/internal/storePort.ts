/**
 * How a store is reached by what asks it in nobody's name: each question in a fiber of its own, with what the fiber has that made the instance. What
 * fails is a cause.
 *
 * @internal
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { settle, wake } from "../core/ticket.js"
import { callback } from "./effect.js"
import { FiberTicket } from "./park.js"
import { report } from "./report.js"

export type Fork = (effect: Effect.Effect<void>) => void

export type Fail = (cause: unknown) => void

/** Asks a store, and watches it. A change is told with something, or with nothing. */
export abstract class Asker<in out Change = void> {
  constructor(
    private readonly watching: (
      name: string,
      changed: (change: Change) => void
    ) => Effect.Effect<void, unknown, Scope.Scope>,
    protected readonly fork: Fork
  ) {}

  /**
   * A store may throw as soon as its function is called. Nobody interrupts these fibers; but the store may interrupt what it does itself, by a timeout
   * say: so they are interruptible, wherever the instance was made. (A layer is built in an uninterruptible region.)
   */
  protected ask<A>(
    question: () => Effect.Effect<A, unknown>,
    check: (answer: A) => A,
    answer: (answer: A) => void,
    fail: Fail
  ): void {
    const asked = Effect.map(Effect.interruptible(Effect.suspend(question)), check)
    this.fork(Effect.matchCause(asked, { onFailure: fail, onSuccess: answer }))
  }

  watch(name: string, changed: (change: Change) => void, watching: () => void, fail: Fail): () => void {
    let isStopped = false
    let resume = () => {}
    const stopped = callback<void>((done) => {
      if (isStopped) done(Effect.void)
      else resume = () => done(Effect.void)
    })
    const watch = Effect.interruptible(Effect.suspend(() => this.watching(name, changed)))
    const whole = Effect.scoped(Effect.zipRight(Effect.zipRight(watch, Effect.sync(watching)), stopped))
    this.fork(Effect.matchCause(whole, { onFailure: fail, onSuccess: () => {} }))
    return () => {
      isStopped = true
      resume()
    }
  }

  errorOf(failure: unknown): unknown {
    return Cause.squash(failure as Cause.Cause<unknown>)
  }
}

export class StorePort extends Asker {
  constructor(
    private readonly where: string,
    watching: (name: string, changed: () => void) => Effect.Effect<void, unknown, Scope.Scope>,
    fork: Fork,
    readonly random: () => number
  ) {
    super(watching, fork)
  }

  id(): string {
    return globalThis.crypto.randomUUID()
  }

  report(name: string, message: string, failed?: { readonly failure: unknown }): void {
    const cause = failed === undefined ? Cause.empty : (failed.failure as Cause.Cause<unknown>)
    this.fork(report({ where: this.where, name, message, cause }))
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
