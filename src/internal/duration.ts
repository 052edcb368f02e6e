/**
 * Durations as they are given: checked, in milliseconds, and as the limit of a wait.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import { number, refusal } from "../core/arguments.js"
import { type DurationInput, millisecondsOf } from "./effect.js"

/** A duration in milliseconds. (Effect takes a negative one in words for none at all: here it is refused, as a negative number is.) */
export const milliseconds = (where: string, name: string, input: DurationInput): number => {
  if (typeof input === "number") return number(where, name, input, 0)
  if (typeof input === "string" && input.startsWith("-"))
    throw refusal(where, name, "a duration of 0 or more", input, "string")
  const result = millisecondsOf(input)
  if (result === undefined) throw refusal(where, name, "a duration", input)
  return result
}

/** Waits, at most so many milliseconds; says whether it came to an end. In a finalizer, too, the wait can be given up. */
export const within = <A>(milliseconds: number, self: Effect.Effect<A>): Effect.Effect<boolean> =>
  milliseconds === Infinity
    ? Effect.as(self, true)
    : Effect.map(Effect.timeoutOption(Effect.interruptible(self), milliseconds), ({ _tag }) => _tag === "Some")
