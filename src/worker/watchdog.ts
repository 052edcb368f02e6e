/**
 * Ends a child process whose parent has gone, also while it computes.
 *
 * The parent's end of the channel is closed then, and the child hears that; but not while it is in a loop, which may be one without end. So a
 * thread of its own looks whether the process still has the parent that it had, and ends it if not. A child that hears the news itself has time
 * to end by itself: it is ended when the thread has seen it twice.
 *
 * @internal
 */
import { builtin } from "./node.js"

/** How often it looks, in milliseconds. */
const interval = 400

/** What the thread runs. As text, so that what compiles and bundles this file finds nothing in it to change. */
const program = (parent: number): string => `
  const hasGone = () => {
    // On Windows a process keeps the number of a parent that has gone.
    if (process.platform !== "win32") return process.ppid !== ${parent}
    try {
      return !process.kill(${parent}, 0)
    } catch (error) {
      return error.code === "ESRCH"
    }
  }
  let seen = 0
  setInterval(() => {
    if (hasGone() && ++seen === 2) process.kill(process.pid, "SIGKILL")
  }, ${interval})
`

/** From here on this process ends when its parent has. */
export const watchParent = (parent: number): void => {
  const { Worker } = builtin("node:worker_threads")!
  // Neither loaders nor anything else of this process: it starts faster, and needs none of it.
  const thread = new Worker(program(parent), { eval: true, execArgv: [], env: {}, name: "watchdog" })
  // Without it the process is no worse off than others.
  thread.on("error", () => {})
  thread.unref()
}
