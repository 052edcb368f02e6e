import { Cause, Exit } from "effect"

/** The defect of an exit that died. Throws when it did not, so that a typed failure does not pass for a defect. */
export const dieWith = (exit: Exit.Exit<unknown, unknown>): unknown => {
  if (Exit.isSuccess(exit) || !Cause.isDieType(exit.cause)) throw new Error(`not a defect: ${String(exit)}`)
  return exit.cause.defect
}
