/** What came out, on the terminal and as JSON. */
import { Cause, Console, Effect } from "effect"
import type { Background } from "effect-concurrency"
import { realpath, rename, rm, stat, writeFile } from "node:fs/promises"
import { type Options, UserError } from "./options.js"
import type { Unreadable } from "./walk.js"

/** A link and where it stands. */
export interface Place {
  readonly file: string
  readonly line: number
  readonly href: string
}

export interface Broken extends Place {
  readonly reason: string
}

export interface Results {
  readonly phase: "starting" | "reading" | "checking" | "sharing" | "done"
  /** Files read. */
  readonly files: number
  /** Of a run that is shared, how many files this process has begun, and how many it has done. */
  readonly here: { readonly begun: number; readonly done: number } | undefined
  /** Links found: those to check and those that leave the machine. */
  readonly links: number
  readonly external: number
  readonly local: number
  /** Of the local ones, how many are done. */
  readonly checked: number
  /** Fewer than links, since what two links ask for is asked for once. */
  readonly requests: number
  /** How many times the mirrors were asked once more, since none had answered. */
  readonly retries: number
  /** How many of the answers came from which mirror. */
  readonly answers: ReadonlyArray<number>
  readonly broken: ReadonlyArray<Broken>
  readonly unreadable: ReadonlyArray<Unreadable>
  readonly peakInFlight: number
  readonly peakQueue: number
}

export const emptyResults: Results = {
  phase: "starting",
  files: 0,
  here: undefined,
  links: 0,
  external: 0,
  local: 0,
  checked: 0,
  requests: 0,
  retries: 0,
  answers: [],
  broken: [],
  unreadable: [],
  peakInFlight: 0,
  peakQueue: 0
}

/** How a run ended. */
export interface Outcome {
  readonly results: Results
  /** The links that leave the machine. */
  readonly external: ReadonlyArray<Place>
  /** Files that were found, but not read before it ended. */
  readonly unread: number
  readonly milliseconds: number
  readonly interrupted: boolean
}

/** One line, for the terminal to be rewritten in place. */
export const progressLine = (results: Results): string => {
  if (results.phase === "sharing") {
    const { begun, done } = results.here ?? { begun: 0, done: 0 }
    return `sharing: ${done} of ${begun} files done here, ${results.links} links, ${results.broken.length} broken`
  }
  return results.phase === "checking" || results.phase === "done"
    ? `checking: ${results.checked} of ${results.local} links, ${results.requests} requests, ${results.broken.length} broken`
    : `reading: ${results.files} files, ${results.links} links`
}

export const brokenLine = ({ file, href, line, reason }: Broken): string => `${file}:${line}  ${href}  ${reason}`

/** The broken links, unless they were printed when they were found; then the figures: what matters most stands last, next to the prompt. */
export const summary = (
  { folder, follow }: Options["Type"],
  { interrupted, milliseconds, results, unread }: Outcome
): string => {
  const unchecked = results.local - results.checked
  return [
    ...(follow ? [] : [...results.broken].sort(byPlace).map(brokenLine)),
    ...results.unreadable.map(({ file, reason }) => `${file}  could not be read: ${reason}`),
    "",
    `${interrupted ? "Interrupted. So far, in" : "Checked"} ${folder}:`,
    `  files          ${results.files}${unread > 0 ? `, with ${unread} found and not yet read` : ""}`,
    ...(results.here ? [`  done here      ${results.here.done} of these files`] : []),
    `  links          ${results.links}`,
    `  broken         ${results.broken.length}${unchecked > 0 ? `, with ${unchecked} links not yet checked` : ""}`,
    `  external       ${results.external}, listed by --json, not fetched`,
    results.here
      ? `  requests       ${results.requests}, made here`
      : `  requests       ${results.requests} for ${results.checked} local links (a target is asked for once)`,
    ...(results.retries > 0 ? [`  retries        ${results.retries}`] : []),
    `  answers        ${results.answers.map((count, mirror) => `${count} from mirror ${mirror + 1}`).join(", ")}`,
    `  peak in flight ${results.peakInFlight} requests`,
    ...(results.here ? [] : [`  peak queue     ${results.peakQueue} items`]),
    `  time           ${(milliseconds / 1000).toFixed(2)} s`
  ].join("\n")
}

/** The report as JSON. */
export const writeJson = (
  file: string,
  { folder }: Options["Type"],
  { external, interrupted, milliseconds, results, unread }: Outcome
): Effect.Effect<void, UserError> =>
  Effect.tryPromise({
    try: (signal) => {
      const { broken, phase: _, unreadable, ...figures } = results
      const report = {
        folder,
        interrupted,
        milliseconds,
        ...figures,
        unread,
        broken: [...broken].sort(byPlace),
        externalLinks: [...external].sort(byPlace),
        unreadable
      }
      return replace(file, JSON.stringify(report, undefined, 2) + "\n", signal)
    },
    catch: (error) => new UserError(`cannot write the report: ${(error as Error).message}`)
  })

/** Written beside it and then put in its place: whoever is killed half way leaves the old one, whole. */
const replace = async (file: string, text: string, signal: AbortSignal): Promise<void> => {
  if (!(await isReplaceable(file))) return writeFile(file, text, { signal })
  const target = await realpath(file).catch(() => file)
  const draft = `${target}.${process.pid}.part`
  try {
    await writeFile(draft, text, { signal })
    await rename(draft, target)
  } catch (error) {
    await rm(draft, { force: true })
    throw error
  }
}

/** A pipe or a device is not; a file that is not there yet is. */
export const isReplaceable = (file: string): Promise<boolean> =>
  stat(file).then(
    (stats) => stats.isFile(),
    () => true
  )

/** Tells the user what went wrong where nobody waits for it any more. */
export const complain = ({ cause, message }: Background.Unhandled): Effect.Effect<void> =>
  Console.error(`link-check: ${Cause.isEmpty(cause) ? message : (Cause.squash(cause) as Error).message}`)

const byPlace = (a: Place, b: Place): number => compare(a.file, b.file) || a.line - b.line || compare(a.href, b.href)

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
