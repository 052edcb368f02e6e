/** The tests of `asyncio.wait`, `as_completed`, `gather` and `staggered_race`: test_tasks.py and test_staggered.py. */
import type { Row } from "./row.js"

const laws = "test/laws/Wait.ts"
const effects = "test/Wait.test.ts"
const promises = "test/promise/Wait.test.ts"

const wait: ReadonlyArray<Row> = [
  { row: "test_wait", ported: [laws] },
  { row: "test_wait_duplicate_coroutines", ported: [laws] },
  { row: "test_wait_errors", ported: [laws] },
  { row: "test_wait_first_completed", ported: [laws] },
  { row: "test_wait_really_done", ported: [laws] },
  { row: "test_wait_first_exception", ported: [laws] },
  { row: "test_wait_first_exception_in_wait", ported: [laws] },
  { row: "test_wait_with_exception", ported: [laws] },
  { row: "test_wait_with_timeout", ported: [laws] },
  { row: "test_wait_concurrent_complete", ported: [laws] },
  { row: "test_wait_with_iterator_of_tasks", ported: [laws] },
  { row: "test_wait_generator", ported: [laws] },
  { row: "test_yield_wait_does_not_shield_cancel", ported: [laws] },
  { row: "test_wait_invalid_args", ported: [laws] }
]

const asCompleted: ReadonlyArray<Row> = [
  { row: "test_as_completed", ported: [laws] },
  {
    row: "test_as_completed_same_tasks_in_as_out",
    ported: [laws],
    differs: "Each comes with its place in what was given, rather than being that itself: an effect is a description."
  },
  { row: "test_as_completed_with_timeout", ported: [effects, promises] },
  { row: "test_as_completed_with_unused_timeout", ported: [effects, promises] },
  {
    row: "test_as_completed_resume_iterator",
    ported: [effects, promises],
    differs:
      "A stream is a description, and starts anew each time it is run; the iterator of promises is resumed by `next`, as `break` closes it."
  },
  { row: "test_as_completed_reverse_wait", ported: [promises] },
  { row: "test_as_completed_concurrent", ported: [promises] },
  { row: "test_as_completed_duplicate_coroutines", ported: [laws] },
  { row: "test_as_completed_coroutine_use_running_loop", ported: [laws] },
  { row: "test_as_completed_invalid_args", ported: [laws] }
]

const gather: ReadonlyArray<Row> = [
  { row: "test_success", ported: [laws] },
  { row: "test_result_exception_success", ported: [laws] },
  {
    row: "test_one_exception",
    ported: [laws],
    differs: "The others are interrupted, unless they are kept; what fails later is reported, not dropped."
  },
  { row: "test_return_exceptions", ported: [laws] },
  { row: "test_constructor_empty_sequence_use_running_loop", ported: [laws] },
  { row: "test_one_cancellation", ported: [effects] },
  { row: "test_result_exception_one_cancellation", ported: [effects] },
  { row: "test_constructor_use_running_loop", ported: [laws] },
  {
    row: "test_duplicate_coroutines",
    ported: [laws],
    differs: "An effect, or a function, that is given twice runs twice. What runs already fills both places."
  },
  { row: "test_cancellation_broadcast", ported: [laws] },
  {
    row: "test_exception_marking",
    ported: [laws],
    differs: "What fails after the first is reported: nobody else would hear of it."
  },
  {
    row: "test_issue46672",
    ported: [laws],
    differs: "Nothing is started then, where there the members before the bad one run on."
  },
  { row: "test_cancel_gather_1", ported: [laws] },
  { row: "test_cancel_gather_2", ported: [effects] }
]

const staggered: ReadonlyArray<Row> = [
  { row: "test_empty", ported: [laws], differs: "Refused: there would be no value to give." },
  { row: "test_one_successful", ported: [laws] },
  {
    row: "test_first_error_second_successful",
    ported: [laws],
    differs: "The winner and its index are given; the errors of those before it are not."
  },
  { row: "test_first_timeout_second_successful", ported: [laws] },
  { row: "test_none_successful", ported: [laws] },
  { row: "test_multiple_winners", ported: [laws] },
  { row: "test_cancelled", ported: [laws] }
]

export const rows: ReadonlyArray<Row> = [...wait, ...asCompleted, ...gather, ...staggered]
