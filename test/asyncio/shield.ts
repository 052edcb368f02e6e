/** asyncio's tests of `shield` (`test_tasks.py`, `test_waitfor.py`). */
import type { Row } from "./row.js"

const effects = "test/Shield.test.ts"
const promises = "test/promise/Shield.test.ts"

const anew =
  "Each use of a shielded effect does the work anew; several views of running work are several who join its fiber."

export const rows: ReadonlyArray<Row> = [
  { row: "test_shield_result", ported: [effects, promises] },
  { row: "test_shield_exception", ported: [effects, promises] },
  {
    row: "test_shield_cancel_inner",
    ported: [effects],
    differs: "In the facade nobody can cancel what is shielded: its function is told nothing."
  },
  { row: "test_shield_cancel_outer", ported: [effects, promises] },
  { row: "test_shield_cancel_outer_result", ported: [effects, promises] },
  { row: "test_shield_cancel_outer_exception", ported: [effects, promises] },
  { row: "test_shield_duplicate_log_once", ported: [effects, promises], differs: anew },
  { row: "test_shield_shortcut", ported: [effects, promises] },
  { row: "test_shield_effect", ported: [effects, promises] },
  { row: "test_shield_gather", ported: [effects] },
  { row: "test_gather_shield", ported: [effects, promises] },
  { row: "test_shield_coroutine_use_running_loop", ported: [effects] },
  { row: "test_zero_timeout", ported: [effects, promises] },
  { row: "test_none_timeout", ported: [effects] },
  { row: "test_shielded_timeout", ported: [effects, promises] }
]
