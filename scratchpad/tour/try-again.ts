/** How do I try again? A loop with `await asyncio.sleep(random() * 2 ** n)`, and `except Exception` but not `CancelledError` */
import { Effect } from "effect"
import { Retry } from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { show, title } from "./show.js"

title("How do I try again?", "for n in range(5): try: ... except Exception: await asyncio.sleep(random() * 2 ** n)")

class Unavailable extends Error {
  readonly _tag = "Unavailable"
  constructor(readonly retryAfter: number) {
    super("503")
  }
}

/** A server that is down for a while, and says so. */
const server = () => {
  let requests = 0
  return () => {
    if (++requests < 3) throw new Unavailable(0.005)
    return `a user, at request ${requests}`
  }
}

// All that call the server share a budget: in an outage one request in ten is retried, and not each of them five times.
class ApiRetry extends Retry.Service<ApiRetry>()(
  "tour/ApiRetry",
  Effect.map(Retry.makeBudget({ ratio: 0.1, burst: 5 }), (budget) =>
    Retry.policy({
      attempts: 5,
      base: "10 millis",
      jitter: "decorrelated",
      budget,
      retryAfter: (error: Unavailable) => error.retryAfter
    })
  )
) {}

const request = server()
const fetchUser = Effect.try({ try: request, catch: (error) => error as Unavailable })
show("effect", await Effect.runPromise(fetchUser.pipe(ApiRetry.retry, Effect.provide(ApiRetry.layer))))

const { retry } = Promises
const call = server()
const log: Array<string> = []
const user = await retry(async ({ attempt, signal }) => (log.push(`${attempt}`), signal.throwIfAborted(), call()), {
  attempts: 5,
  base: 10,
  perAttemptTimeout: 1000,
  while: (error) => error instanceof Unavailable
})
show("promise", `attempts ${log.join(", ")}: ${user}`)
