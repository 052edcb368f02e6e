/** How do I hand a result to somebody who waits for it elsewhere? `asyncio.Future`, `future.set_result(value)` */
import { Deferred, Effect } from "effect"
import { Task } from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { show, title } from "./show.js"

title(
  "How do I hand a result to somebody who waits for it elsewhere?",
  "future = loop.create_future(); future.set_result(42)"
)

const withEffect = Effect.gen(function* () {
  const answer = yield* Deferred.make<number>()
  const task = yield* Task.start(Effect.map(Deferred.await(answer), (n) => n + 1))
  const both = [yield* Deferred.succeed(answer, 41), yield* Deferred.succeed(answer, 0)]
  return `${yield* task.await}; who has set it: ${both.join(" and then ")}`
})
show("effect", `what waits for it goes on with ${await Effect.runPromise(withEffect)}`)

const answer = new Promises.Deferred<number>()
const patient = answer.wait()
const impatient = answer.wait({ timeout: 5 }).catch((error: Error) => error.name)
show("promise", `not there after 5 ms: ${await impatient}; it can come all the same: ${answer.isSettled}`)
show("promise", `set: ${[answer.resolve(42), answer.reject(new Error("late"))].join(" and then ")}; ${await patient}`)

// One result, and either side sets it.
const deferred = Effect.runSync(Deferred.make<string>())
const plain = Promises.Deferred.from(Task.shareDeferred(deferred))
const fiber = Effect.runPromise(Deferred.await(deferred))
setTimeout(() => plain.resolve("from a callback"), 1)
show("both", `a fiber waits, and plain code has it: ${await fiber}; ${await plain.promise}`)
