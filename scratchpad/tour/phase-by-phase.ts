/** How do I have tasks finish one phase before any begins the next? `await barrier.wait()` */
import { Effect } from "effect"
import { Barrier } from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { show, title } from "./show.js"

title("How do I have tasks finish one phase before any begins the next?", "await barrier.wait()")

const withEffect = Effect.gen(function* () {
  const log: Array<string> = []
  const barrier = yield* Barrier.make(3, { action: Effect.sync(() => log.push("|")) })
  const worker = (name: string) =>
    Effect.forEach([1, 2], (phase) =>
      Effect.zipRight(
        Effect.sync(() => log.push(name + phase)),
        barrier.await
      )
    )
  yield* Effect.all(["a", "b", "c"].map(worker), { concurrency: "unbounded" })
  return log
})
show("effect", (await Effect.runPromise(withEffect)).join(" "))

const barrier = new Promises.Barrier(3)
const indices = await Promise.all([barrier.wait(), barrier.wait(), barrier.wait()])
show("promise", `arrival indices ${indices.join(", ")}`)

const waiting = barrier.wait().catch((error: Error) => error.name)
barrier.abort()
show("promise", `aborted: ${await waiting}`)
