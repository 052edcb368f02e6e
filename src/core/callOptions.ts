/**
 * What is said of a job beside its arguments, and the job that comes of it; and what is said to each worker before its first.
 *
 * @internal
 */
import { callable, expect, number, record, refusal } from "./arguments.js"
import type { Settings } from "./executorSettings.js"
import { checkTimeout } from "./executorSettings.js"
import type { Work } from "./job.js"
import type { Hello, Target } from "./protocol.js"
import { unclonable } from "./wire.js"
import type { Call, Codec } from "./workerModule.js"
import { callOf, codecOf, encodeNow } from "./workerModule.js"

/** Durations are milliseconds here. */
export interface CallOptions {
  readonly timeout?: number | undefined
  readonly priority?: number | undefined
  readonly transfer?: ReadonlyArray<unknown> | undefined
  readonly context?: unknown
}

/** The same, checked. */
export const check = (where: string, options: CallOptions): CallOptions => {
  const { priority = 0, timeout = Infinity, transfer = [] } = record(where, options)
  checkTimeout(where, timeout)
  number(where, "priority", priority)
  expect(Array.isArray(transfer), where, "transfer", "an array of what is to be moved", transfer)
  return options
}

/** Options, and those that are said later, which count where both say something. */
export const merge = <O extends CallOptions>(options: O, later: O): O => ({
  ...options,
  ...Object.fromEntries(Object.entries(later).filter(([, value]) => value !== undefined))
})

/** A function of a module, as a job. If it has a contract, the arguments are encoded already. */
export const work = (
  where: string,
  { timeout }: Settings,
  options: CallOptions,
  call: Call<any, any, any>,
  args: ReadonlyArray<unknown>
): Work => {
  const { errors, href, name } = callOf(where, call)
  return make(timeout, options, name, [href, name, args], errors, codecOf(call))
}

/**
 * A function of a module, and its arguments.
 *
 * @since 0.1.0
 * @category models
 */
export interface BoundCall {
  readonly call: Call<any, unknown, unknown>
  readonly args: ReadonlyArray<unknown>
}

export const bind = (where: string, call: Call<any, any, any>, args: ReadonlyArray<unknown>): BoundCall =>
  Object.freeze({ call: callOf(where, call), args: encodeNow(where, call, args) })

/** What each worker is told before its first job: what it is given, and what it calls. */
export const hello = (
  where: string,
  { data, init }: { readonly data?: unknown; readonly init?: BoundCall | undefined }
): Pick<Hello, "data" | "init"> => {
  const found = unclonable("data", data)
  expect(found === undefined, where, "data", `something that can be cloned (${found})`, data)
  return { data, init: targetOf(where, init) }
}

const targetOf = (where: string, init: BoundCall | undefined): Target | undefined => {
  if (init === undefined) return undefined
  const isBound = typeof init === "object" && init !== null && Array.isArray(init.args)
  expect(isBound, where, "init", "a function with its arguments, as of bind(call, ...args)", init)
  const found = unclonable("init.args", init.args)
  expect(found === undefined, where, "init", `a function with arguments that can be cloned (${found})`, init)
  const { href, name } = callOf(where, init.call)
  return [href, name, init.args]
}

/** A function by its source, as a job. */
export const lone = (
  where: string,
  { timeout }: Settings,
  options: CallOptions,
  f: (...args: ReadonlyArray<never>) => unknown,
  args: ReadonlyArray<unknown>
): Work => {
  callable(where, "f", f)
  return make(timeout, options, f.name || where, [undefined, sourceOf(where, f), args], [])
}

const make = (
  timeout: number,
  options: CallOptions,
  name: string,
  target: Target,
  errors: Work["errors"],
  codec?: Codec
): Work => ({
  name,
  target,
  context: options.context,
  transfer: options.transfer,
  timeout: options.timeout ?? timeout,
  errors,
  codec
})

/** Sources that were found to be such: it takes as long to see that as to run a small job. */
const sources = new WeakMap<Function, string>()

/** The source of a function, as an expression. */
const sourceOf = (where: string, f: Function): string => {
  const known = sources.get(f)
  if (known !== undefined) return known
  const source = expressionOf(where, f)
  sources.set(f, source)
  return source
}

const expressionOf = (where: string, f: Function): string => {
  const source = Function.prototype.toString.call(f)
  if (/\{\s*\[native code\]\s*\}\s*$/.test(source))
    throw refusal(where, "f", "a function with a source, neither built in nor bound", f)
  if (/^class\b/.test(source)) throw refusal(where, "f", "a function, and no class", f)
  if (isExpression(source)) return source
  // A method, by its short form: it is one again in an object of its own; but an accessor (of that form is also a method by the name of `get`,
  // which has no name behind it), and what uses `super`, is none.
  const isBound = /^[gs]et\s+[^\s(]|\bsuper\b/.test(source)
  const method = `Object.values({ ${source} })[0]`
  if (!isBound && isExpression(method)) return method
  throw refusal(where, "f", "a function that can stand alone: no getter, setter, or method that uses super", f)
}

/** Nothing is run: the source is compiled, inside a function that nobody calls. Strict, as it will be. */
const isExpression = (source: string): boolean => {
  try {
    return typeof new Function(`"use strict"; return (${source})`) === "function"
  } catch {
    return false
  }
}
