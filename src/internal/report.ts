/**
 * Where a failure goes that nobody waits for: a task that was only started, a callback that throws, a cleanup that took too long. Nothing
 * of that kind is silent.
 *
 * @internal
 */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as core from "../core/report.js"
import { within } from "./duration.js"
import { type AnyFiber, catchCause, errorsOf, forkDetached, withFiber } from "./effect.js"

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

const toLog = (unhandled: Unhandled): Effect.Effect<void> => Effect.logError(core.headline(unhandled), unhandled.cause)

/** One line of text. */
export const describe = (unhandled: Unhandled): string => core.line(unhandled, errorsOf(unhandled.cause))

/** Effect 4 has `Context.Reference` too. */
export class Reporter extends Context.Reference<Reporter>()("effect-concurrency/Reporter", {
  defaultValue: () => ({ report: toLog })
}) {}

/** Tells the reporter that the fiber has. When that fails, the log has both: a report must not harm what goes on, nor be lost. */
export const report = (unhandled: Unhandled): Effect.Effect<void> =>
  Effect.flatMap(Reporter, (reporter) =>
    catchCause(
      Effect.suspend(() => reporter.report(unhandled)),
      (cause) => Effect.zipRight(toLog(unhandled), toLog({ ...unhandled, message: "the reporter failed", cause }))
    )
  )

/** Tells somebody, and waits until that is done. Whoever is told runs in the fiber that `begun` is called with, if it is anybody else's. */
export type Report = (failure: Unhandled, begun?: (fiber: AnyFiber) => void) => Effect.Effect<void>

/**
 * Tells whom somebody named instead; when that fails, the reporter has both.
 *
 * What was named runs in a fiber of its own, where it can be interrupted. Whoever reports does so where nothing can be interrupted, or was
 * interrupted before: a timeout there would have no effect, and what can be interrupted would not even begin. Nobody but itself can interrupt
 * it now. Should the one who waits for it be interrupted, it goes on.
 */
export const reporter =
  (where: string, onError: ((failure: Unhandled) => Effect.Effect<unknown, unknown>) | undefined): Report =>
  (failure, begun) => {
    if (onError === undefined) return report(failure)
    const told = withFiber((fiber: AnyFiber): Effect.Effect<unknown, unknown> => {
      begun?.(fiber)
      return Effect.interruptible(Effect.suspend(() => onError(failure)))
    })
    const failed = (cause: Cause.Cause<unknown>) =>
      Effect.zipRight(report(failure), report({ ...failure, where, message: "the reporter failed", cause }))
    return Effect.flatMap(forkDetached(Effect.uninterruptible(catchCause(told, failed))), (fiber) =>
      Effect.asVoid(fiber.await)
    )
  }

/** Puts something into the log, whoever else is told. */
export const log = toLog

/** Puts into the log what whoever was told has not dealt with in time. (He may yet: he is left alone.) */
export const overdue = (failure: Unhandled): Effect.Effect<void> => toLog(core.overdue(failure))

/** Tells somebody who has so many milliseconds for it. */
export const reportWithin = (
  milliseconds: number,
  report: (failure: Unhandled) => Effect.Effect<void>,
  failure: Unhandled
): Effect.Effect<void> =>
  milliseconds === Infinity
    ? report(failure)
    : Effect.flatMap(forkDetached(report(failure)), (fiber) =>
        Effect.flatMap(within(milliseconds, Effect.asVoid(fiber.await)), (inTime) =>
          inTime ? Effect.void : overdue(failure)
        )
      )
