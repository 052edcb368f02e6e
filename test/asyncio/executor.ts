/** Blocking work on threads and processes (asyncio-semantics, section 19). */
import type { Row } from "./row.js"

const laws = "test/laws/Executor.ts"
const promises = "test/promise/Executor.test.ts"

const noLoop = "There is no loop that an executor belongs to: it is closed itself, and refuses what comes then."
const noDefault =
  "The executor that all share, for Executor.toThread, is not replaced by another one: whoever wants another makes it and calls that."

export const rows: ReadonlyArray<Row> = [
  { row: "test_to_thread", ported: [promises] },
  { row: "test_to_thread_exception", ported: [laws] },
  { row: "test_to_thread_once", ported: [promises] },
  { row: "test_to_thread_concurrent", ported: [promises] },
  {
    row: "test_to_thread_args_kwargs",
    ported: [promises],
    differs: "There are no keyword arguments: a record is one."
  },
  {
    row: "test_to_thread_contextvars",
    ported: [promises],
    differs: "AsyncLocalStorage cannot be cloned. What is to reach the worker is named, and nothing comes back."
  },
  { row: "test_run_in_executor", ported: [laws] },
  {
    row: "test_run_in_executor_cancel",
    ported: [laws],
    differs: "Work that runs is stopped, too: it is told, and its worker is ended when it does not stop in its grace."
  },
  { row: "test_close", ported: [laws], differs: noLoop },
  {
    row: "test_get_event_loop_new_process",
    differs: "A process is what an executor of processes has; there is no loop to get there."
  },
  { row: "test_set_default_executor", differs: noDefault },
  { row: "test_set_default_executor_error", differs: noDefault },
  {
    row: "test_shutdown_default_executor_timeout",
    ported: [laws],
    differs:
      "After the deadline the workers are ended, and the jobs are named that were stopped; Python leaves its threads."
  }
]
