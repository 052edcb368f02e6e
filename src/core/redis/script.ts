/**
 * A script that a Redis server runs: what it is sent, and what its answer means. Data, and checks of data.
 *
 * The keys of one name have one hash tag, so that in a cluster they are on one server. Each key that a script touches is one of its `KEYS`.
 *
 * **Formats**: before it writes anything, a script checks the form of what it finds: how long a packed value is, which fields a hash has, whether the
 * scores of a set are times, or, in `rates.ts`, a name with a number such as `window/1`. What has another form is refused with WRONGTYPE, a
 * `StoreError` whose reason is `"wrong type"`, and stays as it is: also what a later version has stored that stores differently. So whoever changes how
 * something is stored changes one of those, too. (The hashes of a queue have none: its sets and its state are checked for them.)
 *
 * @internal
 */
import { expect } from "../arguments.js"
import { StoreError } from "../storeError.js"

/** What a command can be sent. A number has to be an integer, or its text is what JavaScript makes of it. */
export type Argument = string | number

/** A script, as a question with an answer. */
export interface Script<in In, out Out> {
  /** What errors call it: `leases.acquire`. */
  readonly name: string
  /**
   * Its text. It answers integers and strings, in lists perhaps: RESP2 cuts the fraction off a number, and Lua writes a large one with an
   * exponent (`string.format("%.0f", n)` does not).
   */
  readonly lua: string
  /** `KEYS`, under the prefix of the connection: made by {@link keyOf}. */
  readonly keys: (prefix: string, input: In) => ReadonlyArray<string>
  /** `ARGV`. */
  readonly args: (input: In) => ReadonlyArray<Argument>
  /** The answer, if it is one: the checks below throw a `StoreError` when it is not. */
  readonly decode: (reply: unknown, input: In) => Out
}

/** The longest name. A key that does not fit a screen is most likely a value that was mistaken for one. */
const longest = 4096

/** A name under which something is kept: any text that is not too long. */
export const checkName = (where: string, argument: string, name: string): string => {
  expect(typeof name === "string", where, argument, "a string", name)
  expect(name.length <= longest, where, `the length of ${argument}`, `at most ${longest}`, name.length, "number")
  return name
}

/** What all keys begin with. Braces would make the hash tag another. */
export const checkPrefix = (where: string, prefix: string): string =>
  expect(
    typeof prefix === "string" && prefix.length <= 256 && !/[{}]/.test(prefix),
    where,
    "prefix",
    "a string of at most 256 characters without braces",
    prefix,
    "string"
  )

/** A tag that is empty, or that the name itself would end at once, would be none. No other name is written like this. */
const tagOf = (name: string): string => (/^($|[}\\])/.test(name) ? `\\${name}` : name)

/** The key of a part of what is kept under a name: `prefix:{name}:part`. A part has no braces. */
export const keyOf = (prefix: string, name: string, part: string): string => `${prefix}:{${tagOf(name)}}:${part}`

/** The channel on which those hear who wait for a name. */
export const channelOf = keyOf

const show = (reply: unknown): string => {
  const text = Array.isArray(reply) ? `a list of ${reply.length}` : `${JSON.stringify(reply) ?? String(reply)}`
  return text.length > 100 ? `${text.slice(0, 100)}…` : text
}

/** An answer that is none. */
export const wrongReply = (script: string, expected: string, reply: unknown): StoreError =>
  new StoreError(`${script}: the answer must be ${expected}, got ${show(reply)}`, {
    operation: script,
    reason: "reply"
  })

export const integerReply = (script: string, reply: unknown): number => {
  if (typeof reply === "number" && Number.isSafeInteger(reply)) return reply
  throw wrongReply(script, "an integer", reply)
}

/** 1 or 0, for yes or no. */
export const flagReply = (script: string, reply: unknown): boolean => {
  if (reply === 1 || reply === 0) return reply === 1
  throw wrongReply(script, "1 or 0", reply)
}

export const textReply = (script: string, reply: unknown): string => {
  if (typeof reply === "string") return reply
  throw wrongReply(script, "a text", reply)
}

/** A number that was written as a text: with a fraction, or larger than an integer of the protocol may safely be. */
export const numberReply = (script: string, reply: unknown): number => {
  const value = typeof reply === "string" && reply.trim() !== "" ? Number(reply) : reply
  if (typeof value === "number" && Number.isFinite(value)) return value
  throw wrongReply(script, "a number", reply)
}

/** A list, of a length perhaps. */
export const listReply = (script: string, reply: unknown, length?: number): ReadonlyArray<unknown> => {
  if (Array.isArray(reply) && (length === undefined || reply.length === length)) return reply
  throw wrongReply(script, length === undefined ? "a list" : `a list of ${length}`, reply)
}

/**
 * A server's clock may be set back. Then no time has passed, and from there it goes on: otherwise what lasts for a while would last until the old time is
 * reached again. A script reads `seen`, the latest time that was written, and `shift`, by how much the clock was set back since the first; this makes
 * of the server's time `now` the time that counts, in the same unit; and the script writes both again.
 */
export const monotone = `
now = now + shift
if now < seen then
  shift = shift + seen - now
  now = seen
end
seen = now
`
