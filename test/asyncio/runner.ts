/** asyncio's tests of `run` and `Runner` (`test_runners.py`), and of `run_coroutine_threadsafe` (`test_tasks.py`). */
import type { Row } from "./row.js"

const laws = "test/laws/SyncBridge.ts"
const effects = "test/SyncBridge.test.ts"

const anyFunction =
  "Any function can be run, whatever it returns; what is refused is a name that is no function of the module."
const elsewhere =
  "The loop that runs is that of another thread, so a running one is no hindrance; what is refused is a call from within that thread."
const layers = "It is the closing of a `Background` layer that does it, for everything that was started there."
const signals =
  "It is `NodeRuntime.runMain` that does it; a thread that a bridge blocks hears no signals, and SIGINT ends the process."

export const rows: ReadonlyArray<Row> = [
  { row: "test_asyncio_run_return", ported: [laws] },
  { row: "test_asyncio_run_raises", ported: [laws] },
  { row: "test_asyncio_run_only_coro", ported: [laws], differs: anyFunction },
  { row: "test_asyncio_run_from_running_loop", ported: [laws], differs: elsewhere },
  { row: "test_asyncio_run_cancels_hanging_tasks", ported: [effects], differs: layers },
  { row: "test_asyncio_run_reports_hanging_tasks_errors", ported: [effects], differs: layers },
  { row: "test_asyncio_run_closes_gens_after_hanging_tasks_errors", ported: [effects], differs: layers },
  { row: "test_run", ported: [laws] },
  { row: "test_run_non_coro", ported: [laws], differs: anyFunction },
  { row: "test_run_future", ported: [laws] },
  { row: "test_run_awaitable", ported: [laws] },
  { row: "test_explicit_close", ported: [laws] },
  { row: "test_double_close", ported: [laws] },
  { row: "test_second_with_block_raises", ported: [laws] },
  {
    row: "test_run_keeps_context",
    ported: [laws],
    differs: "What is kept from run to run is what the module holds; there is no context beside it."
  },
  { row: "test_recursive_run", ported: [laws], differs: elsewhere },
  { row: "test_interrupt_call_soon", ported: [effects], differs: signals },
  { row: "test_interrupt_wait", ported: [effects], differs: signals },
  {
    row: "test_interrupt_cancelled_task",
    differs: "Who has interrupted a fiber makes no difference to what it ends with, so nobody counts the requests."
  },
  { row: "test_run_coroutine_threadsafe", ported: [laws] },
  { row: "test_run_coroutine_threadsafe_with_exception", ported: [laws] },
  {
    row: "test_run_coroutine_threadsafe_with_timeout",
    ported: [laws],
    differs: "Without any time nothing is started; later the worker's thread is ended, with whatever is pending there."
  },
  {
    row: "test_run_coroutine_threadsafe_task_cancelled",
    ported: [effects],
    differs: "An effect that interrupts itself there is an error here: nobody has interrupted the caller."
  },
  {
    row: "test_run_coroutine_threadsafe_and_cancel",
    differs:
      "The caller's thread is blocked, so nobody there can cancel; for what is to be cancelled there is the executor."
  }
]
