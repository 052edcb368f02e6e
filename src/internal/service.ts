/**
 * The factory behind every `X.Service`: a tag with a layer, and the operations of the instance as accessors.
 *
 * @internal
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { layerScoped, tagClass } from "./effect.js"

/** Options as they are, or the effect (a `Config`, say) that finds them out when the layer is built. */
export type Options<O, E, R> = O | Effect.Effect<O, E, R>

/** What every service class has; each module adds its accessors. */
export interface ServiceClass<Self, Id extends string, Shape, E, R> extends Context.TagClass<Self, Id, Shape> {
  readonly layer: Layer.Layer<Self, E, R>
}

/** Which members of the instance the class offers, by their form. */
export interface Accessors {
  /** An effect. */
  readonly properties?: ReadonlyArray<string>
  /** A function that returns an effect. */
  readonly methods?: ReadonlyArray<string>
  /** A function from effect to effect. */
  readonly wrapper?: ReadonlyArray<string>
  /** A function that returns a function from effect to effect. */
  readonly wrappers?: ReadonlyArray<string>
  /** Anything else, made from the tag. */
  readonly others?: Record<string, (tag: Effect.Effect<any, never, any>) => unknown>
}

export const make = <Class>(
  id: string,
  instance: Effect.Effect<unknown, unknown, unknown>,
  { methods = [], others = {}, properties = [], wrapper = [], wrappers = [] }: Accessors
): Class => {
  const tag = tagClass<any, any>(id) as any
  const use = (f: (self: any) => Effect.Effect<unknown>) => Effect.flatMap(tag, f)
  const define = (name: string, value: unknown) => Object.defineProperty(tag, name, { value, enumerable: true })

  define("layer", layerScoped(tag, instance as Effect.Effect<any>))
  for (const name of properties)
    define(
      name,
      use((self) => self[name])
    )
  for (const name of methods) define(name, (...args: Array<unknown>) => use((self) => self[name](...args)))
  for (const name of wrapper) define(name, (effect: unknown) => use((self) => self[name](effect)))
  for (const name of wrappers) {
    define(
      name,
      (...args: Array<unknown>) =>
        (effect: unknown) =>
          use((self) => self[name](...args)(effect))
    )
  }
  for (const name of Object.keys(others)) define(name, others[name]!(tag))
  return tag as Class
}

/** The options of a service, found out if they have to be. */
export const options = <O, E, R>(options: Options<O, E, R>): Effect.Effect<O, E, R> =>
  Effect.isEffect(options) ? (options as Effect.Effect<O, E, R>) : Effect.succeed(options as O)
