/** The registry of tasks in the background (asyncio-semantics, section 9, which has one test of its own and names those of others). */
import type { Row } from "./row.js"

const laws = "test/laws/Background.ts"

export const rows: ReadonlyArray<Row> = [
  { row: "test_tb_logger_not_called_after_cancel", ported: [laws] },
  // What is said there of the list of all tasks of a loop is true of a registry of one's own.
  { row: "test__register_task_3", ported: [laws] },
  { row: "test__unregister_task_not_registered", ported: ["test/core/running.test.ts"] },
  { row: "test_all_tasks_with_eager_completion", ported: [laws] },
  { row: "test_all_tasks_with_blocking", ported: [laws] },
  // A failure is reported when the task ends, and not when it is collected.
  { row: "test_tb_logger_exception_unretrieved", ported: [laws] },
  // What a loop does at its end, a registry does when it is closed.
  { row: "test_asyncio_run_cancels_hanging_tasks", ported: [laws] },
  { row: "test_asyncio_run_reports_hanging_tasks_errors", ported: [laws] }
]
