/**
 * The checks of arguments, so that a refusal reads the same from a fiber and from an `async` function: the function, the argument,
 * what is allowed, what came. They throw before any state changes.
 *
 * @internal
 */

/** An integer in a range. */
export const integer = (where: string, name: string, value: number, min: number, max = Infinity): number => {
  if (Number.isInteger(value) && value >= min && value <= max) return value
  throw refusal(where, name, `an integer ${range(min, max)}`, value)
}

/** An integer in a range, or Infinity. */
export const integerOrInfinity = (where: string, name: string, value: number, min: number): number => {
  if (value === Infinity) return value
  if (Number.isInteger(value) && value >= min) return value
  throw refusal(where, name, `an integer ${range(min, Infinity)}, or Infinity`, value)
}

/** A number that can be ordered. */
export const orderable = (where: string, name: string, value: number): number => {
  if (typeof value === "number" && !Number.isNaN(value)) return value
  throw refusal(where, name, "a number", value)
}

/** Milliseconds, zero or more; Infinity is "for ever". */
export const milliseconds = (where: string, name: string, value: number): number => {
  if (typeof value === "number" && value >= 0) return value
  throw refusal(where, name, "a number of milliseconds, 0 or more", value)
}

export const callable = <F>(where: string, name: string, value: F): F => {
  if (typeof value === "function") return value
  throw refusal(where, name, "a function", value)
}

export const oneOf = <A extends string>(where: string, name: string, value: A, allowed: ReadonlyArray<A>): A => {
  if (allowed.includes(value)) return value
  throw refusal(where, name, `one of ${allowed.map((option) => JSON.stringify(option)).join(", ")}`, value)
}

export const record = <A extends object>(where: string, options: A): A => {
  if (typeof options === "object" && options !== null) return options
  throw refusal(where, "options", "an object", options)
}

/** An operation that makes no sense in the state that it finds. */
export const misuse = (where: string, why: string): Error => new Error(`${where}: ${why}`)

/** Wrong kind of value: TypeError. Right kind, outside what is allowed: RangeError. */
export const refusal = (where: string, name: string, allowed: string, got: unknown): Error => {
  const message = `${where}: ${name} must be ${allowed}, got ${show(got)}`
  return typeof got === "number" || typeof got === "string" ? new RangeError(message) : new TypeError(message)
}

const range = (min: number, max: number): string => (max === Infinity ? `of at least ${min}` : `from ${min} to ${max}`)

const show = (value: unknown): string => {
  if (typeof value === "string") return JSON.stringify(value)
  if (typeof value === "function") return `a function`
  if (typeof value !== "object" || value === null) return String(value)
  return Array.isArray(value) ? "an array" : `an object (${(value as object).constructor?.name ?? "no prototype"})`
}
