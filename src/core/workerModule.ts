/**
 * A module that is run elsewhere, by its exports: a handle has a name for each of them, and nothing of it is loaded here.
 *
 * The types are those of the module (`typeof import("./hashing.js")`), so arguments and results are checked; that the export exists is seen
 * by whoever loads the module. What an effect gives and fails with is read off its type alone, as every version of Effect declares it, so
 * that nothing here depends on one.
 *
 * @internal
 */
import { expect, misuse, record, refusal } from "./arguments.js"
import type { ErrorClass } from "./wire.js"

export const TypeId = "~effect-concurrency/WorkerModule"

export type TypeId = typeof TypeId

/** Where a module is, and the classes of the errors that its functions fail with. */
export interface Source {
  readonly href: string
  readonly errors: ReadonlyArray<ErrorClass>
}

/**
 * A function of a module that is run elsewhere.
 *
 * @since 0.1.0
 * @category models
 */
export interface Call<in Args extends ReadonlyArray<any>, out A, out E = never> extends Source {
  /** The name of the export. */
  readonly name: string
  readonly [TypeId]: {
    readonly _Args?: (args: Args) => void
    readonly _A?: () => A
    readonly _E?: () => E
    readonly codec?: Codec | undefined
  }
}

/**
 * How the arguments of a call are encoded, and what comes of it is decoded, if it has a contract. The contract has Effect, and who calls this
 * need not: each gives the value where it can be had at once, and otherwise something to await. It throws, or rejects, when a value does not fit.
 */
export interface Codec {
  readonly encode: (args: ReadonlyArray<unknown>) => ReadonlyArray<unknown> | PromiseLike<ReadonlyArray<unknown>>
  readonly success: (value: unknown) => unknown
  readonly failure: (error: unknown) => unknown
}

/**
 * A module that is run elsewhere: a `Call` for each of the functions that it exports. One that returns an effect which needs services has
 * none: where it runs, nobody provides them.
 *
 * @since 0.1.0
 * @category models
 */
export type Module<M, E = never> = {
  readonly [K in keyof M as K extends string ? (CallOf<M[K], E> extends never ? never : K) : never]: CallOf<M[K], E>
} & { readonly [TypeId]: Source }

/**
 * What a function is to whoever has it run elsewhere. Of a promise and of an effect, the result.
 *
 * @since 0.1.0
 * @category models
 */
export type CallOf<F, E> = F extends (...args: infer Args) => infer R
  ? [Needs<R>] extends [never]
    ? Call<Args, Result<R>, E | Failure<R>>
    : never
  : never

/** How every effect declares what it gives, what it fails with, and what it needs. */
interface Variance {
  readonly _A: (_: never) => unknown
  readonly _E: (_: never) => unknown
  readonly _R: (_: never) => unknown
}

/** Not `ReturnType`: nothing can be handed to a parameter that is `never`. */
type Out<F> = F extends (_: never) => infer A ? A : never

type IsAny<R> = 0 extends 1 & R ? true : false

/** One by one: with all that an effect has, it would be a union with `unknown` in it. */
type VarianceOf<R> =
  IsAny<R> extends true
    ? never
    : R extends object
      ? { [K in keyof R]-?: IsAny<R[K]> extends true ? never : R[K] extends Variance ? R[K] : never }[keyof R]
      : never

type Result<R> =
  IsAny<R> extends true
    ? any
    : R extends unknown
      ? [VarianceOf<R>] extends [never]
        ? Awaited<R>
        : Out<VarianceOf<R>["_A"]>
      : never

type Failure<R> = [VarianceOf<R>] extends [never] ? never : Out<VarianceOf<R>["_E"]>

type Needs<R> = [VarianceOf<R>] extends [never] ? never : Out<VarianceOf<R>["_R"]>

/**
 * What is said of a module beside where it is.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<E = any> {
  /**
   * Classes of errors that its functions fail with: what arrives is an instance of them again. They are known by their names, and those of
   * the language need not be named.
   */
  readonly errors?: ReadonlyArray<ErrorClass<E>> | undefined
}

/** Where a module may be. A `URL`, or its text. */
export type Location = string | { readonly href: string }

/** A handle of a module. */
export const make = <M, E>(where: string, url: Location, options: Options = {}): Module<M, E> => {
  const href = typeof url === "string" ? url : (url as { readonly href: string } | null | undefined)?.href
  if (typeof href !== "string") throw refusal(where, "url", "a URL", url)
  // Of one letter, it is a drive. A path is relative to whatever runs it, and would be found here and not there.
  expect(/^[a-z][a-z\d+.-]+:/i.test(href), where, "url", 'a URL, as of new URL("./module.js", import.meta.url)', href)
  const { errors = [] } = record(where, options)
  const isClass = (value: unknown) => typeof value === "function" && value.name !== ""
  expect(Array.isArray(errors) && errors.every(isClass), where, "errors", "an array of classes with names", errors)
  return handle(Object.freeze({ href, errors: Object.freeze([...errors]) })) as Module<M, E>
}

const handle = (source: Source): unknown => {
  const calls = new Map<string, Call<ReadonlyArray<any>, unknown, unknown>>()
  return new Proxy<any>(Object.freeze({ __proto__: null, [Symbol.toStringTag]: "WorkerModule" }), {
    get(target, name) {
      if (name === TypeId) return source
      // What is awaited is asked for this.
      if (typeof name === "symbol" || name === "then") return target[name]
      let call = calls.get(name)
      if (call === undefined) calls.set(name, (call = Object.freeze({ ...source, name, [TypeId]: {} })))
      return call
    }
  })
}

/** Where the module of a handle is. */
export const sourceOf = (where: string, module: { readonly [TypeId]: Source }): Source => {
  const source = (module as { readonly [TypeId]: Source } | null | undefined)?.[TypeId]
  if (source === undefined || typeof source.href !== "string") {
    throw refusal(where, "module", 'a module, as of module(new URL("./module.js", import.meta.url))', module)
  }
  return source
}

/** A function of a module, or a refusal. */
export const callOf = <Args extends ReadonlyArray<any>, A, E>(
  where: string,
  call: Call<Args, A, E>
): Call<Args, A, E> => {
  const isCall = typeof (call as Call<Args, A, E> | null | undefined)?.name === "string" && call[TypeId] !== undefined
  return expect(isCall, where, "call", "a function of a module, as of module(…).name", call)
}

/** How arguments and results of a call are translated, if they are. */
export const codecOf = (call: Call<any, any, any> | undefined): Codec | undefined => call?.[TypeId]?.codec

/** A call that has a contract. */
export const withCodec = <C extends Call<any, any, any>>(call: C, codec: Codec): C =>
  Object.freeze({ ...call, [TypeId]: { codec } }) as C

const nothing = (): void => {}

/** The arguments as they are sent, for a call that is described now and made later. */
export const encodeNow = (
  where: string,
  call: Call<any, any, any>,
  args: ReadonlyArray<unknown>
): ReadonlyArray<unknown> => {
  const codec = codecOf(call)
  if (codec === undefined) return args
  const encoded = codec.encode(args)
  if (!("then" in encoded)) return encoded
  // How that ends is of no interest.
  void encoded.then(nothing, nothing)
  throw misuse(where, `the arguments of ${call.name} cannot be encoded at once: its contract has a schema that waits`)
}

/** The names of the functions of a module. */
export type NameOf<Calls> = {
  readonly [K in keyof Calls]: Calls[K] extends Call<any, any, any> ? K : never
}[keyof Calls] &
  string

/** What a function takes. */
export type ArgsOf<Calls, N extends keyof Calls> = Calls[N] extends Call<infer Args, any, any> ? Args : never

/** What it gives. */
export type SuccessOf<Calls, N extends keyof Calls> = Calls[N] extends Call<any, infer A, any> ? A : never

/** What it fails with. */
export type FailureOf<Calls, N extends keyof Calls> = Calls[N] extends Call<any, any, infer E> ? E : never
