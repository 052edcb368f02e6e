/** asyncio's tests of `wait_for` (`test_waitfor.py`), but for one that 3.12 removed. */
import type { Row } from "./row.js"

const effects = "test/Timeout.test.ts"
const promises = "test/promise/Timeout.test.ts"

const uninterruptible =
  "An effect cannot refuse its interruption: what is uninterruptible is waited for, and its value discarded where it could be interrupted next."
const zero =
  "With no time left nothing is started, so there is nothing to interrupt or to wait for, and no result to ask for."

export const rows: ReadonlyArray<Row> = [
  { row: "test_asyncio_wait_for_cancelled", ported: [effects, promises] },
  { row: "test_asyncio_wait_for_timeout", ported: [effects, promises] },
  { row: "test_wait_for_timeout_less_then_0_or_0_future_done", differs: zero },
  { row: "test_wait_for_timeout_less_then_0_or_0_coroutine_do_not_started", ported: [effects, promises] },
  {
    row: "test_wait_for_timeout_less_then_0_or_0",
    differs: `${zero} A negative time is refused. A task is not cancelled along with who awaits it.`
  },
  { row: "test_wait_for", ported: [effects, promises] },
  { row: "test_wait_for_blocking", ported: [effects, promises] },
  { row: "test_wait_for_race_condition", ported: [effects, promises] },
  { row: "test_wait_for_cancellation_race_condition", ported: [effects, promises], differs: uninterruptible },
  { row: "test_wait_for_waits_for_task_cancellation", ported: [effects, promises] },
  { row: "test_wait_for_waits_for_task_cancellation_w_timeout_0", differs: zero },
  { row: "test_wait_for_reraises_exception_during_cancellation", ported: [effects, promises] },
  { row: "test_cancel_blocking_wait_for", ported: [effects, promises] },
  { row: "test_cancel_wait_for", ported: [effects, promises] },
  { row: "test_wait_for_cancel_suppressed", ported: [effects, promises], differs: uninterruptible },
  { row: "test_wait_for_issue86296", ported: [effects, promises] }
]
