/**
 * The functions that a worker knows: exports of modules, and those that came as their source.
 *
 * @internal
 */
import type { Target } from "../core/protocol.js"

export type Callable = (...args: ReadonlyArray<unknown>) => unknown

export class Library {
  /** By module, and by name; what has no module is by its source. */
  private readonly functions = new Map<string | undefined, Map<string, Callable>>()

  /** The function, if it was loaded before. */
  known([module, name]: Target): Callable | undefined {
    return this.functions.get(module)?.get(name)
  }

  async load([module, name]: Target): Promise<Callable> {
    const f =
      module === undefined ? compile(name) : find(module, name, (await import(module)) as Record<string, unknown>)
    let known = this.functions.get(module)
    if (known === undefined) this.functions.set(module, (known = new Map()))
    known.set(name, f)
    return f
  }

  /** For errors. */
  nameOf([module, name]: Target): string {
    return module === undefined ? "toThread" : name
  }
}

const find = (module: string, name: string, exports: Record<string, unknown>): Callable => {
  const f = exports[name]
  if (typeof f === "function") return f as Callable
  const functions = Object.keys(exports).filter((each) => typeof exports[each] === "function")
  const has = functions.length === 0 ? "no functions" : functions.join(", ")
  const what = name in exports ? "no function" : "no export"
  throw new TypeError(`${JSON.stringify(name)} is ${what} of ${module}, which has ${has}`)
}

/** Compilers put calls of helpers into functions, which are not there in another thread: esbuild's names functions, Vite's imports. */
const helpers = {
  __name: (f: unknown) => f,
  __vite_ssr_dynamic_import__: (module: string) => import(module)
}

const compile = (source: string): Callable => {
  const f = new Function(...Object.keys(helpers), `"use strict"; return (${source})`)(
    ...Object.values(helpers)
  ) as Callable
  return (...args) => {
    try {
      const result = f(...args)
      return result instanceof Promise ? result.catch(explain) : result
    } catch (error) {
      return explain(error)
    }
  }
}

/** A name that is not there is nearly always one of where the function was written. */
const explain = (error: unknown): never => {
  const name = error instanceof ReferenceError ? /^(.+) is not defined$/.exec(error.message)?.[1] : undefined
  if (name === undefined) throw error
  throw new ReferenceError(
    `toThread: the function refers to ${JSON.stringify(name)}, which is not in the worker. It must be self-contained: ` +
      "hand over what it needs as an argument, import it inside, or put the function into a module",
    { cause: error }
  )
}
