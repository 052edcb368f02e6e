/**
 * What an HTTP response says about another attempt: reading of text, without a state.
 *
 * @internal
 */

/** A point in time, as a `Date` is one, in milliseconds since 1970. */
export interface Instant {
  getTime(): number
}

/**
 * What the header `Retry-After` says: so many seconds, or an instant in one of the three forms that HTTP knows. Undefined: it says nothing that
 * can be understood.
 */
export const parseRetryAfter = (text: string): number | Instant | undefined => {
  const trimmed = text.trim()
  if (/^\d+(\.\d+)?$/.test(trimmed)) return Number(trimmed)
  const usual = /^[a-z]{3,9}, (\d{1,2})[ -]([a-z]{3})[ -](\d{4}|\d{2}) ([\d:]{8}) GMT$/i.exec(trimmed)
  if (usual) return instant(usual[3]!, usual[2]!, usual[1]!, usual[4]!)
  const asctime = /^[a-z]{3} ([a-z]{3}) ([ \d]\d) ([\d:]{8}) (\d{4})$/i.exec(trimmed)
  return asctime ? instant(asctime[4]!, asctime[1]!, asctime[2]!, asctime[3]!) : undefined
}

const months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]

const instant = (year: string, monthName: string, day: string, time: string): Instant | undefined => {
  const month = months.indexOf(monthName.toLowerCase())
  const [, hours, minutes, seconds] = /^([01]\d|2[0-3]):([0-5]\d):([0-5]\d|60)$/.exec(time) ?? []
  if (month < 0 || seconds === undefined || Number(day) < 1 || Number(day) > 31) return undefined
  const days = daysSince1970(fourDigits(year), month + 1, Number(day))
  const at = (((days * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000
  return { getTime: () => at }
}

/** Two digits, as they were written in the last century. */
const fourDigits = (year: string): number =>
  year.length === 4 ? Number(year) : Number(year) + (Number(year) < 70 ? 2000 : 1900)

/** Of the Gregorian calendar. A year begins in March here, so that the leap day is its last. */
const daysSince1970 = (year: number, month: number, day: number): number => {
  const y = month > 2 ? year : year - 1
  const leapDays = Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400)
  const daysOfMonths = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5)
  return y * 365 + leapDays + daysOfMonths + day - 719_469
}

/** The response: what was given, or what an error has. */
const responseOf = (given: any): any => given?.response ?? given

/** What a response, or an error with one, says about when to come back. */
export const retryAfterOf = (responseOrError: unknown): number | Instant | undefined => {
  const headers = responseOf(responseOrError)?.headers
  const value: unknown = typeof headers?.get === "function" ? headers.get("retry-after") : headers?.["retry-after"]
  return typeof value === "string" ? parseRetryAfter(value) : undefined
}

/** The status of a response, or of an error with one. */
export const statusOf = (responseOrError: unknown): number | undefined => {
  const response = responseOf(responseOrError)
  const status: unknown = response?.status ?? response?.statusCode
  return typeof status === "number" ? status : undefined
}

/**
 * 408 it took too long to send the request; 429 too many requests; 500 something went wrong; 502, 503, 504 nobody there, busy, too late. The
 * other 5xx say that the server cannot do it.
 */
export const isTransientStatus = (status: number): boolean => [408, 429, 500, 502, 503, 504].includes(status)

const idempotent = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"])

/** Whether a method may be done twice. Others may if the server is told by a key that it is the same. */
export const isIdempotent = (method: string, headers: Readonly<Record<string, unknown>>): boolean =>
  idempotent.has(method.toUpperCase()) || headers["idempotency-key"] !== undefined

/** Errors of the network that come from below: connections that break, or do not come about. A name that nobody knows is none. */
const codes = new Set([
  "ECONNABORTED",
  "ECONNREFUSED",
  "ECONNRESET",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETDOWN",
  "ENETRESET",
  "ENETUNREACH",
  "EPIPE",
  "ETIMEDOUT",
  "UND_ERR_BODY_TIMEOUT",
  "UND_ERR_CONNECT_TIMEOUT",
  "UND_ERR_HEADERS_TIMEOUT",
  "UND_ERR_SOCKET"
])

/** What `fetch` says in Node, Chrome, Firefox and Safari when it cannot get through, and nothing more. */
const words = /^(fetch failed|terminated|Failed to fetch|network error|NetworkError\b.*|Load failed)$/

/** Whether an error is one of the network: by its code, or that of its cause; `fetch` in a browser has words only. */
export const isNetworkError = (error: any): boolean => {
  const code: unknown = error?.code ?? error?.cause?.code
  if (typeof code === "string") return codes.has(code)
  return error?.name === "TypeError" && words.test(error.message)
}
