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

const textOf = (error: unknown): string => {
  const isPlain = typeof error === "object" && error !== null && !(error instanceof Error)
  try {
    return ((isPlain && JSON.stringify(error)) || String(error)).replace(/\s*\n\s*/g, " ")
  } catch {
    // It has a text that it does not give away: what kind of thing it is must do.
    return Object.prototype.toString.call(error)
  }
}
