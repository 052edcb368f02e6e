/**
 * A contract: what a function that runs in a worker takes, gives and fails with, as schemas that both sides use. What is not plain data, an instance
 * of a class say, is encoded on its way and decoded where it arrives.
 *
 * It is imported as `effect-concurrency/worker/contract`, by the module that runs in the worker as well, which then loads `effect/Schema`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Call } from "../core/workerModule.js"

/** The schemas of arguments, one for each. */
type Fields = ReadonlyArray<Schema.Schema<any, any>>

type Types<Args extends Fields> = { readonly [K in keyof Args]: Schema.Schema.Type<Args[K]> }
type Encodeds<Args extends Fields> = { readonly [K in keyof Args]: Schema.Schema.Encoded<Args[K]> }

/** How the arguments of a call are encoded, and what comes of it is decoded. */
export interface Codec {
  readonly encode: (args: ReadonlyArray<unknown>) => Effect.Effect<ReadonlyArray<unknown>>
  readonly success: (value: unknown) => Effect.Effect<unknown>
  readonly failure: (error: unknown) => Effect.Effect<unknown>
}

const codecOf: unique symbol = Symbol.for("effect-concurrency/worker/Codec")

/** The codec of a call that has one. */
export const codec = (call: object): Codec | undefined => (call as { readonly [codecOf]?: Codec })[codecOf]

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

  /** What an executor is told to run: a function that was made with `implement`. */
  readonly of: (call: Call<any, AI, EI>) => Call<Types<Args>, A, E>
}

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
    of: (call): any => Object.freeze({ ...call, [codecOf]: own })
  }
}
