/** How do I cancel running work, and hear when it has ended? `task.cancel()`, `task.add_done_callback(f)` */
import { Effect } from "effect"
import { Task } from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { show, title } from "./show.js"

title("How do I cancel running work, and hear when it has ended?", "task.cancel(); task.add_done_callback(f)")

const log: Array<string> = []
const watch = Effect.onInterrupt(Effect.never, () => Effect.sync(() => log.push("cleaned up")))
const withEffect = Effect.gen(function* () {
  const task = yield* Task.start(watch, { name: "watcher" })
  yield* task.onComplete(({ _tag }) => Effect.sync(() => log.push(_tag)))
  yield* Effect.sleep(1)
  yield* task.cancel({ grace: "1 second" }) // waits for the cleanup
  const error = yield* Effect.flip(task.await)
  yield* Effect.yieldNow()
  return [...log, error.message]
})
show("effect", (await Effect.runPromise(withEffect)).join(", "))

const task = new Promises.Task(
  ({ signal }) => new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))
)
await Promise.resolve()
await task.cancel("not needed")
show("promise", `whoever awaits it gets: ${await task.wait().catch((reason: unknown) => String(reason))}`)

const answer = new Promises.Deferred<number>()
const both = [answer.resolve(42), answer.resolve(43)]
show("promise", `a result that is settled once: ${await answer.promise}, ${both.join(" and then ")}`)
