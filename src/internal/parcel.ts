/**
 * What an effect takes out of somewhere, on its way to whoever asked for it.
 *
 * An effect that takes something (an item of a queue, permits) hands it over in the step that calls the caller's continuation. Whatever is put
 * around it makes that several steps: out of a region that cannot be interrupted, and from one fiber to another. An interruption in between would
 * take it away from everybody. So what is put around asks for a parcel instead, which is opened by the caller, in one step again. Until then a
 * fiber carries it, and should that end, it goes back to where it was taken.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { type AnyFiber, onFiberExit } from "./effect.js"

export class Parcel<out A> {
  private carrier: (() => void) | undefined = undefined

  constructor(
    private readonly collect: () => A,
    private readonly giveBack: () => void
  ) {}

  /** A fiber carries it from now on. */
  carriedBy(fiber: AnyFiber): void {
    this.carrier?.()
    this.carrier = onFiberExit(fiber, () => this.return())
  }

  /** It goes back to where it was taken, unless it has been opened. */
  return(): void {
    if (this.carrier === undefined) return
    this.carrier()
    this.carrier = undefined
    this.giveBack()
  }

  open(): A {
    this.carrier?.()
    this.carrier = undefined
    return this.collect()
  }

  /** What is in it. */
  get content(): A {
    return this.collect()
  }
}

const Sent = Symbol("Sent")

/** The effect that gives a parcel of what an effect takes, if that takes anything. */
const sentBy = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<Parcel<A>, E, R> | undefined =>
  (effect as any)?.[Sent]

/** Says of an effect that takes something how it is to be had as a parcel. */
export const sends = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  parcel: Effect.Effect<Parcel<A>, E, R>
): Effect.Effect<A, E, R> => Object.assign(effect, { [Sent]: parcel })

/** Puts something around an effect; around the parcel, if it takes something. For what hands on the value of the effect as it is. */
export const around = <A, E, R, E2, R2>(
  effect: Effect.Effect<A, E, R>,
  wrap: <B>(effect: Effect.Effect<B, E, R>) => Effect.Effect<B, E2, R2>
): Effect.Effect<A, E2, R2> => {
  const sent = sentBy(effect)
  if (sent === undefined) return wrap(effect)
  const wrapped = wrap(sent)
  return sends(
    Effect.flatMap(wrapped, (parcel) => Effect.sync(() => parcel.open())),
    wrapped
  )
}

/** What is in a value, if it is a parcel, for who is asked about it. */
export const contentOf = (value: unknown): unknown => (value instanceof Parcel ? value.content : value)

/** Somebody has looked into a value, if it is a parcel, and it does not go back. */
export const opened = (value: unknown): void => {
  if (value instanceof Parcel) value.open()
}

/** The parcel that somebody ended with, be it as the exit of something inside. */
export const parcelIn = (exit: Exit.Exit<unknown, unknown>): Parcel<unknown> | undefined => {
  if (exit._tag === "Failure") return undefined
  const { value } = exit
  return value instanceof Parcel ? value : Exit.isExit(value) ? parcelIn(value) : undefined
}
