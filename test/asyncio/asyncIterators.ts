/** Async iterators and generators (asyncio-semantics, section 11). */
import type { Row } from "./row.js"

const laws = "test/laws/Streaming.ts"
const effect = "test/Streaming.test.ts"
const promise = "test/promise/Streaming.test.ts"

const overlap =
  "Calls that overlap wait for each other rather than fail. A source that waits for its own results waits for ever."
const noValues = "An iterator takes no values: `next(value)` is `next()`, so there is no `asend`."
const closes =
  "`throw(error)` closes the source and rejects with the error; the source does not see it and does not go on."
const twice = "An answer is a promise, which may be awaited twice."

export const rows: ReadonlyArray<Row> = [
  // AsyncGenTest
  { row: "test_async_gen_iteration_01", ported: [laws] },
  { row: "test_async_gen_iteration_02", ported: [laws] },
  { row: "test_async_gen_exception_03", ported: [laws] },
  { row: "test_async_gen_exception_04", ported: [laws] },
  { row: "test_async_gen_exception_07", ported: [laws] },
  { row: "test_async_gen_exception_08", ported: [laws] },
  { row: "test_async_gen_exception_09", ported: [laws] },
  { row: "test_async_gen_exception_11", ported: [laws] },
  { row: "test_async_gen_exception_12", ported: [laws], differs: overlap },
  { row: "test_async_gen_asend_throw_concurrent_with_send", ported: [laws], differs: overlap },
  { row: "test_async_gen_athrow_throw_concurrent_with_send", ported: [laws], differs: overlap },
  { row: "test_async_gen_asend_throw_concurrent_with_throw", ported: [laws], differs: overlap },
  { row: "test_async_gen_athrow_throw_concurrent_with_throw", ported: [laws], differs: overlap },

  // AsyncGenAsyncioTest: iterators
  {
    row: "test_async_generator_anext",
    ported: [laws],
    differs: "There is no default: after the end `next` gives `done`."
  },
  {
    row: "test_python_async_iterator_anext",
    ported: [laws],
    differs: "There is no default: after the end `next` gives `done`."
  },
  { row: "test_async_gen_aiter", ported: [laws] },
  { row: "test_async_gen_aiter_class", ported: [laws] },
  { row: "test_aiter_idempotent", ported: [laws] },
  { row: "test_anext_await_raises", ported: [laws] },
  { row: "test_async_gen_asyncio_01", ported: [laws] },
  { row: "test_async_gen_asyncio_02", ported: [laws] },
  { row: "test_async_gen_asyncio_03", ported: [laws] },
  { row: "test_async_gen_asyncio_anext_04", ported: [laws], differs: closes },
  { row: "test_async_gen_asyncio_anext_05", ported: [laws], differs: noValues },
  { row: "test_async_gen_asyncio_anext_06", ported: [laws] },

  // AsyncGenAsyncioTest: closing
  { row: "test_async_gen_asyncio_aclose_06", ported: [effect, promise] },
  { row: "test_async_gen_asyncio_aclose_07", ported: [laws] },
  { row: "test_async_gen_asyncio_aclose_08", ported: [effect] },
  { row: "test_async_gen_asyncio_aclose_10", ported: [laws] },
  { row: "test_async_gen_asyncio_aclose_11", ported: [effect, promise] },
  { row: "test_async_gen_asyncio_aclose_12", ported: [promise] },
  { row: "test_async_gen_aclose_twice_with_different_coros", ported: [laws] },
  { row: "test_async_gen_aclose_after_exhaustion", ported: [laws] },
  { row: "test_async_gen_await_same_anext_coro_twice", ported: [laws], differs: twice },
  { row: "test_async_gen_await_same_aclose_coro_twice", ported: [laws], differs: twice },

  // AsyncGenAsyncioTest: values and errors from outside
  { row: "test_async_gen_asyncio_asend_01", ported: [laws], differs: noValues },
  { row: "test_async_gen_asyncio_asend_02", ported: [laws], differs: noValues },
  { row: "test_async_gen_asyncio_asend_03", ported: [laws], differs: noValues },
  { row: "test_async_gen_asyncio_athrow_01", ported: [laws], differs: closes },
  { row: "test_async_gen_asyncio_athrow_02", ported: [laws], differs: closes },
  { row: "test_async_gen_asyncio_athrow_03", ported: [laws], differs: closes },

  // AsyncGenAsyncioTest: the end of the program
  { row: "test_async_gen_asyncio_shutdown_01", ported: [effect] },
  {
    row: "test_async_gen_asyncio_shutdown_02",
    differs: "Nothing closes what is dropped half way, also not the end of the program: `break` and `await using` do."
  },
  { row: "test_async_gen_asyncio_shutdown_exception_01", ported: [effect] },

  // TestUnawaitedWarnings
  { row: "test_asend_send_already_running", ported: [laws], differs: overlap },
  { row: "test_athrow_send_already_running", ported: [laws], differs: overlap },

  // AclosingTestCase
  { row: "test_aclosing", ported: [laws] },
  { row: "test_aclosing_error", ported: [laws] },
  { row: "test_aclosing_bpo41229", ported: [laws] }
]
