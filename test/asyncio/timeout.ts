/** asyncio's tests of `timeout` and `timeout_at` (`test_timeouts.py`), but for those of `repr`. */
import type { Row } from "./row.js"

const effects = "test/Timeout.test.ts"
const promises = "test/promise/Timeout.test.ts"

const wrapper =
  "There is no block to be entered: a deadline is made and running, and `run` may be called again, also within itself."
const chain =
  "Nothing is chained to an error: what went wrong in a cleanup arrives instead of `DeadlineExceeded`, whose cause is the time."
const told = "To move a deadline that has passed or was closed is no error: it says that it was too late."

export const rows: ReadonlyArray<Row> = [
  { row: "test_timeout_basic", ported: [effects, promises] },
  { row: "test_timeout_at_basic", ported: [effects, promises] },
  { row: "test_nested_timeouts", ported: [effects, promises] },
  { row: "test_waiter_cancelled", ported: [effects] },
  { row: "test_timeout_not_called", ported: [effects, promises] },
  { row: "test_timeout_disabled", ported: [effects, promises] },
  { row: "test_timeout_at_disabled", ported: [effects, promises] },
  { row: "test_timeout_zero", ported: [effects, promises], differs: "The work is not started." },
  { row: "test_timeout_zero_sleep_zero", ported: [effects, promises], differs: "The work is not started." },
  { row: "test_timeout_in_the_past_sleep_zero", ported: [effects, promises], differs: "The work is not started." },
  { row: "test_foreign_exception_passed", ported: [effects, promises] },
  { row: "test_timeout_exception_context", differs: chain },
  { row: "test_foreign_exception_on_timeout", ported: [effects, promises] },
  { row: "test_foreign_exception_on_timeout_2", ported: [effects], differs: chain },
  { row: "test_foreign_cancel_doesnt_timeout_if_not_expired", ported: [effects, promises] },
  { row: "test_outer_task_is_not_cancelled", ported: [effects] },
  { row: "test_nested_timeouts_concurrent", ported: [effects, promises] },
  { row: "test_nested_timeouts_loop_busy", ported: [effects] },
  { row: "test_reschedule", ported: [effects, promises] },
  { row: "test_nested_timeout_in_finally", ported: [effects] },
  { row: "test_timeout_after_cancellation", ported: [effects] },
  { row: "test_cancel_in_timeout_after_cancellation", ported: [effects, promises] },
  { row: "test_timeout_exception_cause", differs: chain },
  { row: "test_timeout_already_entered", ported: [effects, promises], differs: wrapper },
  { row: "test_timeout_double_enter", ported: [effects], differs: wrapper },
  { row: "test_timeout_finished", ported: [effects, promises], differs: told },
  { row: "test_timeout_expired", ported: [effects, promises], differs: told },
  { row: "test_timeout_expiring", ported: [effects, promises], differs: told },
  { row: "test_timeout_not_entered", differs: wrapper },
  { row: "test_timeout_without_task", differs: "A deadline needs no task, and may be moved from anywhere." },
  { row: "test_timeout_taskgroup", ported: [effects], differs: chain }
]
