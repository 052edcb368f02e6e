/**
 * How a store is reached among promises. What fails is what the store rejected with.
 *
 * @internal
 */
import { checkName } from "../../core/naming.js"
import { ask } from "../ask.js"
import { attempt } from "../park.js"
import { roll } from "../random.js"
import { report } from "../report.js"

type Fail = (failure: unknown) => void

/** Asks a store, and watches it. A change is told with something, or with nothing. */
export abstract class Asker<in out Change = void> {
  constructor(
    private readonly watching: (
      name: string,
      changed: (change: Change) => void
    ) => (() => void) | PromiseLike<() => void>
  ) {}

  /** A store may throw as soon as its function is called. */
  protected ask<A>(
    question: () => A | PromiseLike<A>,
    check: (answer: A) => A,
    answer: (answer: A) => void,
    fail: Fail
  ): void {
    ask(question, check, answer, fail)
  }

  watch(name: string, changed: (change: Change) => void, watching: () => void, fail: Fail): () => void {
    let isStopped = false
    let end: (() => void) | undefined
    // A store in memory tells of it in the very call that changes something.
    attempt(() => this.watching(name, (change) => queueMicrotask(() => changed(change)))).then((stop) => {
      if (isStopped) return stop()
      end = stop
      watching()
    }, fail)
    return () => {
      isStopped = true
      end?.()
    }
  }

  random(): number {
    return roll()
  }

  errorOf(failure: unknown): unknown {
    return failure
  }
}

export class StorePort extends Asker {
  constructor(
    private readonly where: string,
    watching: (name: string, changed: () => void) => (() => void) | PromiseLike<() => void>
  ) {
    super(watching)
  }

  id(): string {
    return globalThis.crypto.randomUUID()
  }

  report(name: string, message: string, failed?: { readonly failure: unknown }): void {
    void report({ where: this.where, name, message, error: failed?.failure })
  }
}

/** Of an answer that says nothing. */
export const unchecked = <A>(answer: A): A => answer

/** What is asked for somebody who waits for the answer. */
export const asked = <P extends { errorOf(failure: unknown): unknown }, A>(
  self: { readonly port: P; nameOf(name: string): string },
  where: string,
  name: string,
  f: (port: P, name: string, answer: (answer: A) => void, fail: Fail) => void
): Promise<A> =>
  new Promise((resolve, reject) => {
    const { port } = self
    f(port, self.nameOf(checkName(where, name)), resolve, (failure) => reject(port.errorOf(failure)))
  })
