/**
 * Where a failure goes that nobody waits for: a task that was only started, a callback that throws, a cleanup that took too long. Nothing
 * of that kind is silent.
 *
 * @internal
 */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/** What went wrong, and where. */
export interface Unhandled {
  /** Which part of the library tells: `Background`, `Shield`, `Task.onComplete`. */
  readonly where: string
  /** The name of the task, if it has one. */
  readonly name: string | undefined
  /** What happened, in words. */
  readonly message: string
  readonly cause: Cause.Cause<unknown>
}

const toLog = ({ cause, message, name, where }: Unhandled): Effect.Effect<void> =>
  Effect.logError(`${where}: ${name === undefined ? "" : `${name}: `}${message}`, cause)

/** Effect 4 has `Context.Reference` too. */
export class Reporter extends Context.Reference<Reporter>()("effect-concurrency/Reporter", {
  defaultValue: () => ({ report: toLog })
}) {}

/** Tells the reporter that the fiber has. When that fails, the log has both: a report must not harm what goes on, nor be lost. */
export const report = (unhandled: Unhandled): Effect.Effect<void> =>
  Effect.flatMap(Reporter, (reporter) =>
    Effect.catchAllCause(
      Effect.suspend(() => reporter.report(unhandled)),
      (cause) => Effect.zipRight(toLog(unhandled), toLog({ ...unhandled, message: "the reporter failed", cause }))
    )
  )
