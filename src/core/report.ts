/**
 * The words for a failure that nobody waits for, so that it reads the same wherever it is reported. Nothing here has a state.
 *
 * @internal
 */

/** What a report says, beside the error. */
export interface Headline {
  readonly where: string
  readonly name: string | undefined
  readonly message: string
}

/** Where, who, and what happened. */
export const headline = ({ message, name, where }: Headline): string =>
  `${where}: ${name === undefined ? "" : `${name}: `}${message}`

/** The same with its errors, in one line. */
export const line = (report: Headline, errors: ReadonlyArray<unknown>): string =>
  [headline(report), errors.map(textOf).join("; ")].filter((text) => text !== "").join(": ")

/** What is said instead by somebody else, when whoever should have said it has not come to an end in time. */
export const overdue = <R extends Headline>(report: R): R => ({
  ...report,
  message: `${report.message} (the report of this has not ended in time)`
})

/** Names, for a message: not more than one can read. */
export const listed = (names: ReadonlyArray<string>): string =>
  names.slice(0, 20).join(", ") + (names.length > 20 ? `, and ${names.length - 20} more` : "")

const textOf = (error: unknown): string => {
  const isPlain = typeof error === "object" && error !== null && !(error instanceof Error)
  try {
    return ((isPlain && JSON.stringify(error)) || String(error)).replace(/\s*\n\s*/g, " ")
  } catch {
    // It has a text that it does not give away: what kind of thing it is must do.
    return Object.prototype.toString.call(error)
  }
}
