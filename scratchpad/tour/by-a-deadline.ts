/** How do I limit the time? `async with asyncio.timeout(1):`, `await asyncio.wait_for(work(), 1)` */
import { Duration, Effect, Option } from "effect"
import { Timeout } from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { show, title } from "./show.js"

title("How do I limit the time?", "async with asyncio.timeout(1): await work()")

class RequestTime extends Timeout.Service<RequestTime>()("tour/RequestTime", { duration: "10 millis" }) {}

const log: Array<string> = []
const request = Effect.gen(function* () {
  // Deep inside, one can ask how long is left: by the earliest of the deadlines around.
  const left = Option.map(yield* Timeout.remaining, Duration.toMillis)
  log.push(Option.exists(left, (ms) => ms <= 10) ? "some 10 ms left" : "all the time in the world")
  return yield* Effect.never
})
const withEffect = Effect.gen(function* () {
  const run = yield* Timeout.make("1 second", { name: "the whole run" })
  yield* run
    .run(RequestTime.timeout(request))
    .pipe(Effect.catchTag("DeadlineExceeded", ({ deadline }) => Effect.sync(() => log.push(`${deadline} is over`))))
  log.push(`the run ${(yield* run.expired) ? "as well" : "goes on"}`)
})
await Effect.runPromise(withEffect.pipe(Effect.scoped, Effect.provide(RequestTime.layer)))
show("effect", log.join(", "))

const { Deadline, timeout } = Promises
using run = new Deadline(1000, { name: "the whole run" }) // or `Deadline.from` that of an Effect program
const untilAborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))
const error = await timeout(({ signal }) => untilAborted(signal), 10, { name: "the request", deadline: run }).catch(
  (error: unknown) => error
)
if (!(error instanceof Promises.DeadlineExceeded)) throw error // `error.name === "TimeoutError"` is the web's way
show("promise", `${error.message}; the run ${run.expired ? "as well" : "goes on"}`)
