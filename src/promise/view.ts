/**
 * Views: instances of the facade on the state of another instance, of either skin.
 *
 * @internal
 */
import { expect } from "../core/arguments.js"

/** The state of an instance. Both skins keep it under the type id. */
export const stateOf = <Id extends string, I extends { readonly [_ in Id]: unknown }>(
  where: string,
  name: string,
  id: Id,
  instance: I
): I[Id] => {
  const state = (instance as I | undefined | null)?.[id]
  expect(state !== undefined, where, "argument", `a ${name}`, instance)
  return state as I[Id]
}

/** An instance of a class that was not constructed, but shares. */
export const view = <A extends object, Id extends string>(
  prototype: A,
  name: string,
  id: Id,
  instance: { readonly [_ in Id]: unknown },
  more?: object
): A => ({ __proto__: prototype, [id]: stateOf(`${name}.from`, name, id, instance), ...more }) as unknown as A
