/**
 * Where a failure goes that nobody waits for: a task that was only started, a callback that throws, a cleanup that took too long. Nothing
 * of that kind is silent.
 *
 * @internal
 */
import * as core from "../core/report.js"
import { watch } from "./park.js"

/** What went wrong, and where. */
export interface Unhandled {
  /** Which part of the library tells: `Background`, `Shield`, `Task.onComplete`. */
  readonly where: string
  /** The name of the task, if it has one. */
  readonly name: string | undefined
  /** What happened, in words. */
  readonly message: string
  readonly error: unknown
}

export type Reporter = (unhandled: Unhandled) => unknown

/** One line of text. */
export const describe = (unhandled: Unhandled): string =>
  core.line(unhandled, unhandled.error === undefined ? [] : [unhandled.error])

const toConsole: Reporter = (unhandled) => {
  const text = core.headline(unhandled)
  const { error } = unhandled
  // oxlint-disable-next-line no-console -- the last place where a failure can still be seen
  console.error(...(error === undefined ? [text] : [text, error]))
}

/**
 * Tells a reporter; by default, the console. One that throws, or rejects, is told on the console: a report must not harm what goes on. Gives a
 * promise when the reporter does; it never rejects.
 */
export const report = (unhandled: Unhandled, reporter: Reporter = toConsole): void | Promise<void> => {
  const failed = (error: unknown) => {
    toConsole(unhandled)
    toConsole({ ...unhandled, message: "the reporter failed", error })
  }
  try {
    const told: any = reporter(unhandled)
    if (typeof told?.then === "function") return Promise.resolve(told).then(() => {}, failed)
  } catch (error) {
    failed(error)
  }
}

/** Puts something on the console, whoever else is told. */
export const log = toConsole

/** Puts on the console what whoever was told has not dealt with in time. (He may yet: he is left alone.) */
export const overdue = (unhandled: Unhandled): void => void toConsole(core.overdue(unhandled))

/** Tells somebody who has so many milliseconds for it, and who does not reject. */
export const reportWithin = async (milliseconds: number, tell: Reporter, unhandled: Unhandled): Promise<void> => {
  const told: any = tell(unhandled)
  if (typeof told?.then !== "function") return
  await new Promise<void>((resolve) => {
    const tooLate = () => {
      overdue(unhandled)
      resolve()
    }
    const unwatch = watch(unhandled.where, { timeout: milliseconds }, tooLate)
    const inTime = () => {
      unwatch()
      resolve()
    }
    told.then(inTime, inTime)
  })
}
