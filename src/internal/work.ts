/**
 * Work on something that can be lost while it is worked on.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { type AnyFiber, interruptNow, type RunningFiber, withFiber } from "./effect.js"

/** An effect in a fiber of its own, so that it can be interrupted without its caller. */
export abstract class Work<A, E> {
  exit: Exit.Exit<A, E> | undefined = undefined
  private fiber: RunningFiber<void, never> | undefined = undefined
  private isStopped = false

  /** Who is said to have interrupted it, in the trace. */
  constructor(private readonly caller: AnyFiber) {}

  /** It has ended. */
  protected abstract ended(): void

  /** Before its first step there is nothing to interrupt: it looks for itself. */
  stop(): void {
    this.isStopped = true
    if (this.fiber !== undefined && this.exit === undefined) interruptNow(this.fiber, this.caller)
  }

  /** In a fiber that begins uninterruptible, so that its end is noted in any case. */
  run<R>(effect: Effect.Effect<A, E, R>): Effect.Effect<void, never, R> {
    return withFiber((fiber: RunningFiber<void, never>): Effect.Effect<void, never, R> => {
      if (this.isStopped) return this.end(Exit.interrupt(this.caller.id()))
      this.fiber = fiber
      return Effect.matchCauseEffect(Effect.interruptible(effect), {
        onFailure: (cause) => this.end(Exit.failCause(cause)),
        onSuccess: (value) => this.end(Exit.succeed(value))
      })
    })
  }

  private end(exit: Exit.Exit<A, E>): Effect.Effect<void> {
    this.exit = exit
    this.ended()
    return Effect.void
  }
}
