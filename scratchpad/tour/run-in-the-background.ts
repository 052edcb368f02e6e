/** How do I start work and go on? `tasks.add(asyncio.create_task(...))`, `task.add_done_callback(tasks.discard)` */
import { Effect } from "effect"
import { Background } from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { show, title } from "./show.js"

title("How do I start work and go on?", "tasks.add(create_task(work())); task.add_done_callback(tasks.discard)")

const failures: Array<string> = []

class Jobs extends Background.Service<Jobs>()("tour/Jobs", {
  concurrency: 2,
  onClose: "drain",
  deadline: "1 second",
  onError: ({ name }) => Effect.sync(() => failures.push(`${name} failed`))
}) {}

const log: Array<string> = []
const withEffect = Effect.gen(function* () {
  yield* Jobs.fireAndForget(
    Effect.zipRight(
      Effect.sleep(2),
      Effect.sync(() => log.push("report written"))
    )
  )
  yield* Jobs.fireAndForget(Effect.fail("no route"), { name: "mail" })
  log.push("answered")
})
await Effect.runPromise(Effect.provide(withEffect, Jobs.layer))
show("effect", [...log, ...failures].join(", "))

const { Background: Registry } = Promises
const background = new Registry({ onError: (failure) => failures.push(Registry.describe(failure)) })
background.fireAndForget(async () => Promise.reject("disk full"), { name: "log" })
background.fireAndForget(fetchSomething(), { name: "a promise will do" })
const answer = await background.run(async () => 42) // started and awaited; an abort would cancel it
if (answer !== 42 || !background.tryStart(() => "if there is room")) throw new Error("it is closed")
await background.close() // or `await using background = ...`
show("promise", failures.at(-1)!)

async function fetchSomething(): Promise<void> {}
