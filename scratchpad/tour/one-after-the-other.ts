/** How do I work on things as they come? `async for item in source: ...`, `async with aclosing(source): ...` */
import { Effect, Stream } from "effect"
import { Streaming } from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { show, title } from "./show.js"

title("How do I work on things as they come?", "async for item in source; async with aclosing(source)")

/** A source that has to be closed, such as the rows of a query. */
async function* rows() {
  try {
    for (const row of ["ann", "bob", "cy", "dee"]) {
      await Promise.resolve()
      yield row
    }
  } finally {
    show("promise", "the query is closed")
  }
}

// Two calls at a time, results in the order of the rows; leaving the loop stops the calls and closes the query.
for await (const greeting of Promises.Streaming.map(rows(), async (row) => `hello ${row}`, { concurrency: 2 })) {
  show("promise", greeting)
  if (greeting.endsWith("bob")) break
}

// The same among effects, and from there as an async iterable for plain code.
const lengths = Streaming.range(1, 6).pipe(
  Streaming.filter((n) => Effect.succeed(n % 2 === 1), { concurrency: 3 }),
  Streaming.map((n) => Effect.succeed("#".repeat(n)), { concurrency: 3 }),
  Stream.ensuring(Effect.sync(() => show("effect", "the finalizers have run")))
)
for await (const bar of await Effect.runPromise(Streaming.toAsyncIterable(lengths))) {
  show("both", bar)
  if (bar.length === 3) break
}

// A long computation that leaves the others their turn: a generator of the language keeps a timer waiting to the end.
const primes = function* () {
  for (let n = 2; ; n++) {
    let d = 2
    while (d * d <= n && n % d > 0) d++
    if (d * d > n) yield n
  }
}
let served = false
const timer = setTimeout(() => (served = true), 1)
for await (const _ of Promises.Streaming.fromIterable(primes())) if (served) break
clearTimeout(timer)
show("promise", "a timer was served amid the primes")
