/**
 * Errors on their way between threads and processes. What structured cloning makes of an error has lost its class and whatever was added
 * to it; so an error travels as plain data, and is put together again where it arrives.
 *
 * What is kept: the class, where it is known there (those that the language has, `DOMException`, and those that are registered), name,
 * message, stack, `cause`, the `errors` of an `AggregateError`, enumerable properties that can be cloned, and `_tag`, wherever it comes
 * from. Errors may refer to each other, also in a circle. What is not kept: private fields, and properties that cannot be cloned. No
 * constructor is called: it would want its arguments.
 *
 * @internal
 */

/** A class of errors: what arrives is an instance of it, though its constructor was not called. It is known by its name. */
export type ErrorClass<E = any> = abstract new (...args: any) => E

/** Something that an error has, or is. */
export type Part =
  /** One of the errors, by its place. */
  | { readonly error: number }
  | { readonly value: unknown }
  /** An array with an error in it. */
  | { readonly list: ReadonlyArray<Part> }
  /** It could not be sent; in words, what it was. */
  | { readonly lost: string }

/** An error as data. */
export interface Sent {
  /** The names of its class and of those above, the nearest first. */
  readonly classes: ReadonlyArray<string>
  /** Whether it is an error for the engine, and not only thrown like one. */
  readonly native: boolean
  readonly name: string | undefined
  readonly message: string
  readonly stack: string | undefined
  readonly properties: ReadonlyArray<readonly [name: string, value: Part, enumerable: boolean]>
}

/** Whatever was thrown, as data that can be cloned. */
export interface Wire {
  readonly thrown: Part
  readonly errors: ReadonlyArray<Sent>
}

/**
 * An argument or a result cannot be sent to another thread or process: there is a function in it, say.
 *
 * @since 0.1.0
 * @category errors
 */
export class NotCloneable extends Error {
  readonly _tag = "NotCloneable"
  override readonly name = "NotCloneable"

  constructor(
    /** The name of the function whose argument or result it is. */
    readonly target: string,
    readonly what: "arguments" | "result",
    /** What is in the way, and where, if that was found: `result.items[3].callback is a function`. */
    readonly found: string | undefined,
    cause?: unknown
  ) {
    const reason = found ?? (read(cause, "message") as string | undefined) ?? "it cannot be cloned"
    const verb = what === "result" ? "the result cannot" : "the arguments cannot"
    super(`${target}: ${verb} be sent: ${reason}`, cause === undefined ? undefined : { cause })
  }
}

/** What says why the arguments or the result of a function cannot be sent. */
export const notCloneable = (
  target: string,
  what: "arguments" | "result",
  value: unknown,
  cause?: unknown
): NotCloneable => new NotCloneable(target, what, unclonable(what, value, cause), cause)

/** No more errors than this are sent for one that was thrown: there may be very many behind each other. */
const most = 1_000

/** Anything thrown, as data. Of what is no error, it is for the caller to say whether it can be cloned. */
export const encode = (thrown: unknown, canClone: (value: unknown) => boolean): Wire => {
  const places = new Map<unknown, number>()
  const found: Array<object> = []

  const part = (value: unknown): Part => {
    if (isThrowable(value)) {
      let place = places.get(value)
      if (place === undefined) {
        if (found.length === most) return { lost: `one of more than ${most} errors` }
        place = found.push(value) - 1
        places.set(value, place)
      }
      return { error: place }
    }
    if (Array.isArray(value) && value.some(isThrowable)) return { list: value.map(part) }
    return isPlain(value) || canClone(value) ? { value } : { lost: kindOf(value) }
  }

  const first = part(thrown)
  const errors: Array<Sent> = []
  // One after the other, not one inside the other: however long a chain of causes is, the stack does not grow.
  for (let place = 0; place < found.length; place++) errors.push(describe(found[place]!, part))
  return { thrown: first, errors }
}

const describe = (error: object, part: (value: unknown) => Part): Sent => {
  const properties: Array<readonly [string, Part, boolean]> = []
  for (const name of namesOf(error)) {
    const value = part(read(error, name))
    // A cause that cannot be sent was one all the same; of anything else it is as good if it is not there.
    if (!("lost" in value) || name === "cause") properties.push([name, value, isEnumerable(error, name)])
  }
  return {
    classes: classesOf(error),
    native: isError(error),
    name: text(read(error, "name")),
    message: text(read(error, "message")) ?? "",
    stack: text(read(error, "stack")),
    properties
  }
}

/** What an error has of its own, besides what every error has; and its tag, which a class may have instead. */
const namesOf = (error: object): ReadonlyArray<string> => {
  const names = Object.keys(error).filter((name) => name !== "stack" && name !== "message")
  for (const name of ["name", "cause", "errors"])
    if (Object.hasOwn(error, name) && !names.includes(name)) names.push(name)
  if (typeof read(error, "_tag") === "string" && !names.includes("_tag")) names.push("_tag")
  return names
}

const isEnumerable = (error: object, name: string) => Object.prototype.propertyIsEnumerable.call(error, name)

const classesOf = (error: object): ReadonlyArray<string> => {
  const names: Array<string> = []
  let prototype = Object.getPrototypeOf(error)
  while (prototype !== null && prototype !== Object.prototype && names.length < 100) {
    const name = text(read(read(prototype, "constructor"), "name"))
    if (name) names.push(name)
    prototype = Object.getPrototypeOf(prototype)
  }
  return names
}

/** What was thrown, put together again. */
export const decode = ({ errors, thrown }: Wire, classes: ReadonlyArray<ErrorClass> = []): unknown => {
  const known = new Map(classes.map((each) => [each.name, each]))
  // First all of them, then what they have: they may have each other.
  const made = errors.map((sent) => make(sent, known))
  const whole = (part: Part): unknown => {
    if ("error" in part) return made[part.error]
    if ("value" in part) return part.value
    if ("list" in part) return part.list.map(whole)
    return new Error(`${part.lost} cannot be sent`)
  }
  errors.forEach(({ properties }, place) => {
    for (const [name, part, enumerable] of properties) define(made[place]!, name, whole(part), enumerable)
  })
  return whole(thrown)
}

/** The classes of the language. Errors of a subclass that nobody has registered are instances of these. */
const builtin = new Set([
  "AggregateError",
  "DOMException",
  "Error",
  "EvalError",
  "RangeError",
  "ReferenceError",
  "SyntaxError",
  "TypeError",
  "URIError"
])

const make = (sent: Sent, known: ReadonlyMap<string, ErrorClass>): object => {
  const { message, native, stack } = sent
  const nearest = sent.classes.find((name) => known.has(name) || builtin.has(name))
  const prototype = (known.get(nearest!) ?? globalClass(nearest ?? "Error") ?? Error).prototype
  if (!native) {
    // Not an error for the engine, though thrown like one. Where its class is unknown, it is a plain object.
    const plain = known.has(nearest!) ? Object.create(prototype) : {}
    if (message !== "") define(plain, "message", message, true)
    return plain
  }
  const error = blank(sent)
  if (Object.getPrototypeOf(error) !== prototype) Object.setPrototypeOf(error, prototype)
  define(error, "stack", stack, false)
  const name = nameOf(sent, nearest)
  if (read(error, "name") !== name) define(error, "name", name, false)
  return error
}

/** An error for the engine, which logs it as such. A `DOMException` keeps name and message where nobody else can put them. */
const blank = ({ classes, message, name }: Sent): Error => {
  const DOMException = classes.includes("DOMException") ? globalClass("DOMException") : undefined
  return DOMException === undefined ? new Error(message) : new DOMException(message, name)
}

/**
 * What is only known as an instance of a class above goes by the name of its own, unless it has one that is not just that of a class of the
 * language.
 */
const nameOf = ({ classes, name = "Error" }: Sent, nearest: string | undefined): string => {
  const [own = name] = classes
  return own !== nearest && builtin.has(name) && classes.includes(name) ? own : name
}

const globalClass = (name: string): (new (message: string, name?: string) => Error) | undefined =>
  (globalThis as any)[name]

/** Not by assignment: a class may have a setter of that name, or nothing but a getter. */
const define = (object: object, name: string, value: unknown, enumerable: boolean): void =>
  void Object.defineProperty(object, name, { value, enumerable, configurable: true, writable: true })

/** An error, also one of another realm; or what is thrown as one, since it has a tag and a class. */
const isThrowable = (value: unknown): value is object => {
  if (typeof value !== "object" || value === null) return false
  if (isError(value)) return true
  const prototype = Object.getPrototypeOf(value)
  return prototype !== null && prototype !== Object.prototype && typeof read(value, "_tag") === "string"
}

const isError = (value: object): boolean =>
  value instanceof Error || tagOf(value) === "Error" || tagOf(value) === "DOMException"

const tagOf = (value: unknown): string => {
  try {
    return Object.prototype.toString.call(value).slice(8, -1)
  } catch {
    return "Object"
  }
}

const isPlain = (value: unknown): boolean =>
  value === null || (typeof value !== "object" && typeof value !== "function" && typeof value !== "symbol")

const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined)

/** A getter may throw. */
const read = (of: unknown, name: string): unknown => {
  try {
    return (of as any)?.[name]
  } catch {
    return undefined
  }
}

/** Whether a value can be sent to another thread. */
export const canClone = (value: unknown): boolean => {
  try {
    ;(globalThis as { structuredClone?: (value: unknown) => unknown }).structuredClone!(value)
    return true
  } catch {
    return false
  }
}

/** How far is looked for what cannot be cloned. */
const far = 100_000

/**
 * What in a value cannot be cloned, and where: `result.items[3].callback is a function`. The cause, if there is one, is what the platform
 * says: a process does not take all that a thread takes, and a platform has objects of its own. Undefined when nothing is found, which is no
 * proof.
 */
export const unclonable = (root: string, value: unknown, cause?: unknown): string | undefined => {
  const message = text(read(cause, "message")) ?? ""
  const named = nameIn(message)
  const seen = new Set<unknown>()
  const rest: Array<Place> = [[root, value]]
  for (let place = rest.pop(); place !== undefined && seen.size < far; place = rest.pop()) {
    const [path, value] = place
    if (isPlain(value) || seen.has(value)) continue
    seen.add(value)
    const kind = refused(value, named)
    if (kind !== undefined) return `${path} is ${kind}`
    const parts = partsIn(place)
    // The last one in comes out first.
    for (let i = parts.length - 1; i >= 0; i--) rest.push(parts[i]!)
  }
  return cause === undefined ? undefined : probe([root, value], message)
}

/** `#<SharedArrayBuffer> could not be cloned`, as the engine says, or `[object Array Iterator]`. */
const nameIn = (message: string): string | undefined =>
  /^(?:#<|\[object )(.+)[>\]] could not be cloned/.exec(message)?.[1]

/** So many values are cloned to find the one that cannot be. */
const tries = 1_000

/** The same, by cloning one part after the other: a proxy, say, looks like anything else. */
const probe = (whole: Place, message: string): string | undefined => {
  const seen = new Set<unknown>()
  let left = tries
  const isRefused = ([, value]: Place) => left-- > 0 && !canClone(value)
  /** What is refused although all in it is taken. One that leads back to what is looked at just now may be refused for that. */
  const search = (place: Place): Place | undefined => {
    seen.add(place[1])
    const parts = partsIn(place).filter(([, value]) => !isPlain(value))
    for (const part of parts) {
      const found = !seen.has(part[1]) && isRefused(part) ? search(part) : undefined
      if (found !== undefined || left <= 0) return found
    }
    return parts.some(([, value]) => seen.has(value)) ? undefined : place
  }
  const found = isRefused(whole) ? search(whole) : undefined
  if (found === undefined || left <= 0) return undefined
  const [path, value] = found
  const more = /transfer/.test(message) ? ", only moved" : looksPlain(value) ? ", perhaps a Proxy" : ""
  return `${path} is ${kindOf(value)} that cannot be cloned${more}`
}

const partsIn = ([path, value]: Place): ReadonlyArray<Place> => {
  try {
    return Array.from(partsOf(path, value as object))
  } catch {
    // A Proxy may refuse to be looked at.
    return []
  }
}

const looksPlain = (value: unknown): boolean => Array.isArray(value) || classesOf(value as object).length === 0

type Place = readonly [path: string, value: unknown]

const impossible = new Set(["AsyncGenerator", "Generator", "Promise", "WeakMap", "WeakRef", "WeakSet"])

/** `named`: of this the platform has said so. */
const refused = (value: unknown, named: string | undefined): string | undefined => {
  const tag = tagOf(value)
  const isRefused = typeof value === "function" || typeof value === "symbol" || impossible.has(tag)
  return isRefused || (tag === named && tag !== "Object" && tag !== "Array") ? kindOf(value) : undefined
}

const kindOf = (value: unknown): string => {
  if (typeof value !== "object" || value === null) return `a ${typeof value}`
  const tag = tagOf(value)
  // What these say of themselves is less than what they are.
  const name = tag === "Object" || tag === "EventTarget" ? (classesOf(value)[0] ?? tag) : tag
  return `${/^[AEIOU]/.test(name) ? "an" : "a"} ${name}`
}

function* partsOf(path: string, value: object): Iterable<Place> {
  if (ArrayBuffer.isView(value)) return
  if (value instanceof Map) {
    for (const [key, each] of value) {
      yield [`a key of ${path}`, key]
      yield [`${path}.get(${label(key)})`, each]
    }
  } else if (value instanceof Set) {
    for (const each of value) yield [`an element of ${path}`, each]
  } else if (isError(value)) {
    // Of an error these are cloned, and nothing else.
    for (const name of ["cause", "errors"]) if (Object.hasOwn(value, name)) yield [`${path}.${name}`, read(value, name)]
  } else {
    const isArray = Array.isArray(value)
    for (const name of Object.keys(value)) {
      const each = read(value, name)
      if (!isPlain(each)) yield [path + step(name, isArray), each]
    }
  }
}

const step = (name: string, isArray: boolean): string =>
  isArray && /^\d+$/.test(name) ? `[${name}]` : /^[\w$]+$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`

const label = (key: unknown): string =>
  typeof key === "string" ? JSON.stringify(key) : isPlain(key) ? String(key) : "…"
