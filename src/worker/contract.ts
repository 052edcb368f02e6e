/**
 * A contract: what a function that runs in a worker takes, gives and fails with, as schemas that both sides use. What is not plain data, an instance
 * of a class say, is encoded on its way and decoded where it arrives.
 *
 * It is imported as `effect-concurrency/worker/contract`, by the module that runs in the worker as well, which then loads `effect/Schema`.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { runFork } from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import type * as core from "../core/workerModule.js"
import { type Call, codecOf, withCodec } from "../core/workerModule.js"

/** The schemas of arguments, one for each. */
type Fields = ReadonlyArray<Schema.Schema<any, any>>

type Types<Args extends Fields> = { readonly [K in keyof Args]: Schema.Schema.Type<Args[K]> }
type Encodeds<Args extends Fields> = { readonly [K in keyof Args]: Schema.Schema.Encoded<Args[K]> }

/** How the arguments of a call are encoded, and what comes of it is decoded, in a program of Effect. */
export interface Codec {
  readonly encode: (args: ReadonlyArray<unknown>) => Effect.Effect<ReadonlyArray<unknown>>
  readonly success: (value: unknown) => Effect.Effect<unknown>
  readonly failure: (error: unknown) => Effect.Effect<unknown>
}

/** The same, also for who has no Effect. */
class Translation implements core.Codec {
  constructor(readonly effects: Codec) {}

  encode(args: ReadonlyArray<unknown>) {
    return outcome(this.effects.encode(args))
  }

  success(value: unknown): unknown {
    return outcome(this.effects.success(value))
  }

  failure(error: unknown): unknown {
    return outcome(this.effects.failure(error))
  }
}

/**
 * What an effect gives: at once, unless it has to wait. Errors are the original ones. Beside `effects.ts` this is where the worker layer runs effects.
 * Effect 4: `fiber.pollUnsafe`.
 */
const outcome = <A>(effect: Effect.Effect<A>): A | Promise<A> => {
  const fiber = runFork(effect)
  const exit = fiber.unsafePoll()
  if (exit !== null) return valueOf(exit)
  return new Promise<Exit.Exit<A>>((resolve) => fiber.addObserver(resolve)).then(valueOf)
}

const valueOf = <A>(exit: Exit.Exit<A>): A => {
  if (Exit.isSuccess(exit)) return exit.value
  throw Cause.squash(exit.cause)
}

/** The codec of a call that has one. */
export const codec = (call: object): Codec | undefined =>
  (codecOf(call as Call<any, any, any>) as Translation | undefined)?.effects

/**
 * What a function takes, gives and fails with. See {@link make}.
 *
 * @since 0.1.0
 */
export interface Contract<Args extends Fields, A, AI, E, EI> {
  /**
   * The function for the worker's module to export. Arguments that do not fit the schemas are a defect, and so is a result that does not.
   */
  readonly implement: (
    f: (...args: Types<Args>) => Effect.Effect<A, E>
  ) => (...args: Encodeds<Args>) => Effect.Effect<AI, EI>

  /** What an executor of either kind is told to run: a function that was made with `implement`. */
  readonly of: <X>(call: Call<any, AI, X> & Fits<X, EI>) => Call<Types<Args>, A, E>
}

/** A module of the facade does not say what its functions fail with; of another, it must be what the contract says. */
type Fits<X, EI> = unknown extends X ? unknown : [X] extends [EI] ? unknown : never

/**
 * A contract.
 *
 * **When to use**: where arguments, result or failure are more than data: dates inside of records, classes with methods, branded types. It costs encoding
 * and decoding on both sides.
 *
 * @example
 * import * as Contract from "effect-concurrency/worker/contract"
 * import { Effect, Schema } from "effect"
 *
 * // In a file that both sides import:
 * const NextYear = Contract.make({ args: [Schema.Date], success: Schema.Date })
 *
 * // In the worker's module, with export; and outside: executor.run(NextYear.of(calendar.nextYear), new Date())
 * const nextYear = NextYear.implement((date) => Effect.succeed(new Date(date.getTime() + 365 * 86_400_000)))
 *
 * console.log(await Effect.runPromise(nextYear("2026-01-01T00:00:00.000Z"))) // => 2027-01-01T00:00:00.000Z
 *
 * @since 0.1.0
 */
export const make = <const Args extends Fields, A, AI, E = never, EI = never>(schemas: {
  readonly args: Args
  readonly success: Schema.Schema<A, AI>
  readonly failure?: Schema.Schema<E, EI> | undefined
}): Contract<Args, A, AI, E, EI> => {
  const args = Schema.Tuple(...schemas.args) as unknown as Schema.Schema<any, any>
  const failure = (schemas.failure ?? Schema.Never) as Schema.Schema<any, any>
  const own: Codec = {
    encode: (values) => Effect.orDie(Schema.encode(args)(values)),
    success: (value) => Effect.orDie(Schema.decode(schemas.success)(value as AI)),
    failure: (error) => Effect.orDie(Schema.decode(failure)(error))
  }
  return {
    implement:
      (f) =>
      (...encoded) =>
        Effect.orDie(Schema.decode(args)(encoded)).pipe(
          Effect.flatMap((values: any) => f(...values)),
          Effect.matchEffect({
            onSuccess: (value) => Effect.orDie(Schema.encode(schemas.success)(value)),
            onFailure: (error) => Effect.flatMap(Effect.orDie(Schema.encode(failure)(error)), Effect.fail)
          })
        ),
    of: (call): any => withCodec(call, new Translation(own))
  }
}
