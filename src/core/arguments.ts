/**
 * The checks of arguments, so that a refusal reads the same from a fiber and from an `async` function: the function, the argument,
 * what is allowed, what came. They throw before any state changes.
 *
 * @internal
 */

/** The value, when it is allowed. */
export const expect = <A>(
  holds: boolean,
  where: string,
  name: string,
  allowed: string,
  value: A,
  kind?: "number" | "string"
): A => {
  if (holds) return value
  throw refusal(where, name, allowed, value, kind)
}

/** An integer in a range. */
export const integer = (where: string, name: string, value: number, min: number, max = Infinity): number =>
  expect(isInteger(value, min, max), where, name, `an integer ${range(min, max)}`, value, "number")

/** An integer in a range, or Infinity. */
export const integerOrInfinity = (where: string, name: string, value: number, min: number): number =>
  expect(
    value === Infinity || isInteger(value, min, Infinity),
    where,
    name,
    `an integer ${range(min, Infinity)}, or Infinity`,
    value,
    "number"
  )

/** A number that can be ordered; with a minimum, milliseconds, of which Infinity is "for ever". */
export const number = (where: string, name: string, value: number, min = -Infinity): number =>
  expect(
    typeof value === "number" && value >= min,
    where,
    name,
    min < 0 ? "a number" : "0 or more milliseconds",
    value,
    "number"
  )

export const callable = <F>(where: string, name: string, value: F): F =>
  expect(typeof value === "function", where, name, "a function", value)

export const oneOf = <A extends string>(where: string, name: string, value: A, allowed: ReadonlyArray<A>): A =>
  expect(
    allowed.includes(value),
    where,
    name,
    `one of ${allowed.map((option) => show(option)).join(", ")}`,
    value,
    "string"
  )

export const record = <A extends object>(where: string, options: A): A =>
  expect(typeof options === "object" && options !== null, where, "options", "an object", options)

const isInteger = (value: number, min: number, max: number) => Number.isInteger(value) && value >= min && value <= max

/** An operation that makes no sense in the state that it finds. */
export const misuse = (where: string, why: string): Error => new Error(`${where}: ${why}`)

/** Wrong kind of value: TypeError. Of the right kind, but outside what is allowed: RangeError. */
export const refusal = (
  where: string,
  name: string,
  allowed: string,
  got: unknown,
  kind?: "number" | "string"
): Error => new (typeof got === kind ? RangeError : TypeError)(`${where}: ${name} must be ${allowed}, got ${show(got)}`)

const range = (min: number, max: number): string => (max === Infinity ? `of at least ${min}` : `from ${min} to ${max}`)

/** The value, or of an object what kind it is. */
const show = (value: any): string =>
  typeof value === "string"
    ? JSON.stringify(value)
    : Object(value) === value
      ? `an object (${value.constructor?.name})`
      : String(value)
