/** Futures and done callbacks (asyncio-semantics, section 8). */
import type { Row } from "./row.js"

const laws = "test/laws/Task.ts"
const effect = "test/Task.test.ts"
const promise = "test/promise/Task.test.ts"
const deferred = "test/promise/Deferred.test.ts"

const remover = "What registers a callback gives back what removes it."
const noCancel = "A `Deferred` has no `cancel`: reject it. What comes too late gives `false`, and is no error."

export const rows: ReadonlyArray<Row> = [
  // Done callbacks
  { row: "test_callbacks_remove_first_callback", ported: [laws] },
  { row: "test_callbacks_remove_first_and_second_callback", ported: [laws] },
  { row: "test_callbacks_remove_third_callback", ported: [laws] },
  { row: "test_callbacks_invoked_on_set_result", ported: [laws] },
  { row: "test_callbacks_invoked_on_set_exception", ported: [laws] },
  { row: "test_remove_done_callback", ported: [laws], differs: remover },
  { row: "test_remove_done_callbacks_list_mutation", ported: [laws], differs: remover },
  { row: "test_remove_done_callbacks_list_clear", ported: [laws], differs: remover },
  { row: "test_schedule_callbacks_list_mutation_1", ported: [laws] },
  { row: "test_schedule_callbacks_list_mutation_2", ported: [laws], differs: remover },

  // The future itself
  { row: "test_isfuture", ported: [deferred, promise] },
  { row: "test_initial_state", ported: [deferred] },
  { row: "test_future_cancel_message_getter", ported: [promise] },
  { row: "test_cancel", ported: [deferred], differs: noCancel },
  { row: "test_result", ported: [deferred], differs: noCancel },
  { row: "test_exception", ported: [laws, deferred], differs: noCancel },
  {
    row: "test_exception_class",
    ported: [deferred],
    differs: "What it is rejected with is handed on as it is, and is that a class, the class."
  },
  { row: "test_copy_state", ported: [effect] },

  // What nobody asks for
  { row: "test_tb_logger_abandoned", ported: [laws] },
  { row: "test_tb_logger_not_called_after_cancel", ported: [effect] },
  { row: "test_tb_logger_result_unretrieved", ported: [laws] },
  { row: "test_tb_logger_result_retrieved", ported: [laws] },
  {
    row: "test_tb_logger_exception_unretrieved",
    ported: [laws],
    differs: "It is reported when it happens, and not when the task is collected as garbage."
  },
  { row: "test_tb_logger_exception_retrieved", ported: [laws] },
  { row: "test_tb_logger_exception_result_retrieved", ported: [laws] },
  { row: "test_future_exception_never_retrieved", ported: [laws, promise] },

  // Between two worlds: there threads, here effects and promises
  { row: "test_wrap_future", of: "BaseFutureTests", ported: [effect] },
  { row: "test_wrap_future_future", ported: [deferred], differs: "`Deferred.from` gives a view of the same one." },
  { row: "test_wrap_future_cancel", ported: [promise] },
  { row: "test_wrap_future_cancel2", ported: [deferred], differs: noCancel },
  { row: "test_set_result_unless_cancelled", ported: [deferred] },
  { row: "test_wrap_future", of: "DuckTests", ported: [deferred] },
  { row: "test_ensure_future", of: "DuckTests", ported: [promise] },

  // The context of what reports
  { row: "test_task_exc_handler_correct_context", ported: [effect, promise] },
  { row: "test_handle_exc_handler_correct_context", ported: [effect, promise] }
]
