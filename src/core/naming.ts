/**
 * What is said under a name that several processes share: the checks of the name, of what the names are put under, and of how often to ask.
 *
 * @internal
 */
import { expect } from "./arguments.js"

/** A name that does not fit a screen is most likely a value that was mistaken for one; an empty one, a value that was not there. */
const longest = 1000

export const checkName = (where: string, name: string): string => {
  expect(typeof name === "string", where, "name", "a string", name)
  const fits = name.length > 0 && name.length <= longest
  return expect(fits, where, "name", `of 1 to ${longest} characters`, name.slice(0, 50), "string") && name
}

export const checkPrefix = (where: string, prefix: string): string =>
  expect(
    typeof prefix === "string" && prefix.length <= 256,
    where,
    "prefix",
    "a string of at most 256 characters",
    prefix
  )

/** In milliseconds. */
export const checkPoll = (where: string, poll: number): number =>
  expect(poll >= 10 && poll <= 86_400_000, where, "poll", "from 10 ms to a day", poll, "number")
