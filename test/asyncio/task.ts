/** Tasks: cancellation, creation, sleeping, context, eager tasks (asyncio-semantics, section 7). */
import type { Row } from "./row.js"

const laws = "test/laws/Task.ts"
const effect = "test/Task.test.ts"
const promise = "test/promise/Task.test.ts"

const noCount = "Cancelling is not refusable and not counted, so there is no `uncancel`."
const noCurrent = "There is no current task: hand the task over."
const notEager = "A task never starts within the call that starts it, so there are no eager ones."
const noList = "There is no list of all tasks. `Background` has one of its own, and what has ended is not in it."

export const rows: ReadonlyArray<Row> = [
  // Cancellation
  { row: "test_task_cancel_message_getter", ported: [effect, promise] },
  { row: "test_cancelling", ported: [laws], differs: noCount },
  { row: "test_uncancel_basic", ported: [effect], differs: noCount },
  { row: "test_uncancel_structured_blocks", ported: [effect], differs: noCount },
  { row: "test_cancel", ported: [laws] },
  { row: "test_cancel_with_message_then_future_result", ported: [effect] },
  { row: "test_cancel_with_message_then_future_exception", ported: [promise] },
  { row: "test_cancellation_exception_context", ported: [laws] },
  { row: "test_cancel_with_message_before_starting_task", ported: [effect, promise] },
  { row: "test_cancel_yield", ported: [laws] },
  {
    row: "test_cancel_inner_future",
    ported: [effect, promise],
    differs: "Whoever waits for a task that was cancelled fails, and is not cancelled itself."
  },
  { row: "test_cancel_both_task_and_inner_future", ported: [effect] },
  {
    row: "test_cancel_task_catching",
    ported: [effect, promise],
    differs: "An effect that catches its own interruption has not caught it. An async function does as in Python."
  },
  {
    row: "test_cancel_task_ignoring",
    ported: [effect, promise],
    differs: "An effect that catches its own interruption has not caught it. An async function does as in Python."
  },
  { row: "test_cancel_current_task", ported: [effect, promise] },
  {
    row: "test_cancel_at_end",
    ported: [effect, promise],
    differs: "As in Python for effects; the value that an async function gives all the same is its result."
  },
  {
    row: "test_cancel_awaited_task",
    ported: [effect],
    differs: "An awaited task is not cancelled along with who awaits it, unless `startScoped` ties it to that."
  },
  { row: "test_sleep_cancel", ported: [effect] },
  { row: "test_task_cancel_sleeping_task", ported: [laws] },
  {
    row: "test_task_cancel_waiter_future",
    ported: [effect],
    differs: "What it waits for is left, and not cancelled, if that is a task."
  },
  { row: "test_baseexception_during_cancel", ported: [laws] },
  { row: "test_yield_future_passes_cancel", ported: [effect] },
  { row: "test_uncancel_resets_must_cancel", differs: noCount },

  // Task object, creation, ensure_future
  { row: "test_task_awaits_on_itself", ported: [effect, promise] },
  { row: "test_task_class", ported: [laws] },
  { row: "test_ensure_future_coroutine", ported: [promise] },
  { row: "test_ensure_future_future", ported: [promise], differs: "`Task.from` gives a view of the same task." },
  { row: "test_ensure_future_task", ported: [promise], differs: "`Task.from` gives a view of the same task." },
  { row: "test_ensure_future_awaitable", ported: [promise] },
  { row: "test_ensure_future_neither", ported: [effect, promise] },
  { row: "test_task_basics", ported: [laws] },
  {
    row: "test_exception_chaining_after_await",
    ported: [promise],
    differs: "JavaScript chains no errors by itself: an error arrives as it is, with the `cause` that it was given."
  },
  { row: "test_task_set_methods", differs: "There is no `set_result`: a result that anybody may set is a `Deferred`." },
  { row: "test_step_result_future", ported: [promise] },
  { row: "test_current_task", of: "BaseTaskTests", differs: noCurrent },
  { row: "test_current_task_with_interleaving_tasks", differs: noCurrent },
  { row: "test_create_task_with_noncoroutine", ported: [effect, promise] },
  { row: "test_create_task_with_async_function", ported: [promise] },
  { row: "test_create_task_with_asynclike_function", ported: [promise] },
  { row: "test_bare_create_task", ported: [laws] },
  { row: "test_bare_create_named_task", ported: [effect] },
  { row: "test_eager_start_true", differs: notEager },
  { row: "test_eager_start_false", of: "BaseTaskTests", ported: [laws] },
  { row: "test__register_task_3", differs: noList },
  { row: "test__unregister_task_not_registered", ported: ["test/core/running.test.ts"] },
  { row: "test_current_task_no_running_loop", differs: noCurrent },
  { row: "test_current_task_with_implicit_loop", differs: noCurrent },
  {
    row: "test_future_subclass",
    ported: [promise],
    differs: "A task is not a `Deferred`, as nobody can settle it; both can be awaited."
  },

  // Sleep
  { row: "test_sleep", ported: [effect] },
  { row: "test_sleep_when_delay_is_nan", ported: [effect, promise] },
  { row: "test_sleep_zero", ported: [effect] },

  // Context
  { row: "test_context_1", ported: [effect, promise] },
  { row: "test_context_2", ported: [effect, promise] },
  { row: "test_context_3", ported: [effect, promise] },
  { row: "test_context_4", ported: [effect] },
  { row: "test_context_5", ported: [effect] },
  { row: "test_context_6", ported: [effect] },
  { row: "test_asyncio_task_decimal_context", ported: [promise] },
  { row: "test_async_def_coroutines", ported: [laws] },
  {
    row: "test_double_await",
    ported: [effect],
    differs: "An effect may be started as often as you like: each start is another task."
  },

  // Eager tasks
  { row: "test_await_future_during_eager_step", ported: [promise], differs: notEager },
  { row: "test_eager_completion", differs: notEager },
  { row: "test_block_after_eager_step", differs: notEager },
  { row: "test_cancellation_after_eager_completion", ported: [laws] },
  { row: "test_cancellation_after_eager_step_blocks", ported: [promise] },
  { row: "test_current_task", of: "EagerTaskFactoryLoopTests", differs: noCurrent },
  { row: "test_all_tasks_with_eager_completion", differs: noList },
  { row: "test_all_tasks_with_blocking", differs: noList },
  { row: "test_context_vars", ported: [effect, promise] },
  { row: "test_staggered_race_with_eager_tasks", differs: notEager },
  { row: "test_staggered_race_with_eager_tasks_no_delay", differs: notEager },
  { row: "test_eager_start_false", of: "EagerTaskFactoryLoopTests", ported: [laws] },
  { row: "test_awaitables_chain", ported: [effect] },
  { row: "test_recursive_taskgroups", ported: [effect] },
  { row: "test_recursive_gather", ported: [effect] },
  { row: "test_eager_start_true_with_default_factory", differs: notEager }
]
