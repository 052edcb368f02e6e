/**
 * Several fibers of one effect.
 *
 * @internal
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { callback, fork, onFiberExit } from "./effect.js"

/**
 * Runs an effect several times at once; the first failure interrupts the others. `Effect.all` never ends when it is interrupted before
 * its own fiber has started.
 */
export const together = <E, R>(n: number, worker: Effect.Effect<void, E, R>): Effect.Effect<void, E, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Effect.replicateEffect(fork(restore(worker)), n), (fibers) => {
      const ended = callback<void, E>((resume) => {
        let left = n
        for (const fiber of fibers) {
          onFiberExit(fiber, (exit) => {
            if (exit._tag === "Failure") resume(exit)
            else if (--left === 0) resume(Effect.void)
          })
        }
      })
      return Effect.matchCauseEffect(restore(ended), {
        // The others may have failed in the same tick: no error is lost.
        onFailure: (cause) =>
          Effect.flatMap(
            Effect.zipRight(
              Fiber.interruptAll(fibers),
              Effect.forEach(fibers, (fiber) => fiber.await)
            ),
            (exits) => {
              const failed = exits.flatMap((exit) =>
                exit._tag === "Failure" && exit.cause !== cause ? [exit.cause] : []
              )
              return Effect.failCause(
                failed.filter((each) => !Cause.isInterruptedOnly(each)).reduce(Cause.parallel, cause)
              )
            }
          ),
        onSuccess: () => Effect.void
      })
    })
  )
