/** How do I put limits together? A decorator on a decorator */
import { Effect } from "effect"
import { Bulkhead, CircuitBreaker, Policy, Retry, Timeout } from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { show, title } from "./show.js"

title("How do I put limits together?", "no counterpart: a decorator on a decorator")

/** The fourth answer is the first that is one. */
const server = () => {
  let requests = 0
  return () => (++requests < 4 ? undefined : `a user, at request ${requests}`)
}

// It reads from outside in: a second for all of it, five attempts, and each of them asks the breaker and then the bulkhead.
class ApiPolicy extends Policy.Service<ApiPolicy>()(
  "tour/ApiPolicy",
  Effect.gen(function* () {
    const retry = Retry.policy({ attempts: 5, base: "2 millis" })
    const breaker = yield* CircuitBreaker.make({
      trip: { kind: "consecutive", failures: 9 },
      halfOpen: { after: 1000 }
    })
    const bulkhead = yield* Bulkhead.make({ permits: 10, backlog: 100 })
    return Policy.wrap(Timeout.timeout("1 second"), retry.retry, breaker.protect, bulkhead.protect)
  })
) {}

// The types say what is left: "no answer" | DeadlineExceeded | CircuitOpen | BulkheadFull
const answer = server()
const request = Effect.suspend(() => Effect.mapError(Effect.fromNullable(answer()), () => "no answer" as const))
show("effect", await Effect.runPromise(request.pipe(ApiPolicy.protect, Effect.provide(ApiPolicy.layer))))

const { retryPolicy, timeoutPolicy } = Promises
const policy = Promises.Policy.wrap(
  timeoutPolicy(1000),
  retryPolicy({ attempts: 5, base: 2 }),
  new Promises.CircuitBreaker({ trip: { kind: "consecutive", failures: 9 }, halfOpen: { after: 1000 } }),
  new Promises.Bulkhead({ permits: 10, backlog: 100 })
)
const answerPlain = server()
const requestPlain = async () => answerPlain() ?? Promise.reject(new Error("no answer"))
show("promise", await policy.run(requestPlain))
