/** How do I do something once a burst of changes is over, or now and then while it lasts? asyncio has nothing for it. */
import { Effect, Layer } from "effect"
import { Debounce, Throttle } from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { show, title } from "./show.js"

title("How do I do something once a burst of changes is over, or now and then while it lasts?", "(nothing)")

const saved: Array<string> = []

class Save extends Debounce.Service<Save>()("tour/Save", {
  run: (file: string, text: string) => Effect.sync(() => saved.push(`${file} ${text}`)),
  key: (file) => file,
  wait: "20 millis",
  maxWait: "1 second"
}) {}

class Progress extends Throttle.Service<Progress>()("tour/Progress", {
  run: (done: number) => Effect.sync(() => done),
  interval: "20 millis"
}) {}

const program = Effect.gen(function* () {
  for (const text of ["h", "he", "hey"]) yield* Save.trigger("a.txt", text)
  // Whoever waits has the result of the run that covers the call.
  const saves = yield* Save.call("b.txt", "hello")
  show("effect", `debounce: ${saves} saves of 4 changes to 2 files: ${saved.join(", ")}`)
  const shown = yield* Effect.all([1, 2, 3].map(Progress.call), { concurrency: "unbounded" })
  show("effect", `throttle: 3 calls got the results of 2 runs: ${shown.join(", ")}`)
  yield* Save.trigger("a.txt", "the last words")
})
// Closing the layer runs what is pending.
await Effect.runPromise(Effect.provide(program, Layer.merge(Save.layer, Progress.layer)))
show("effect", `at the end: ${saved.at(-1)}`)

const searches: Array<string> = []
const search = Promises.debounce(async (words: string) => searches.push(words), 20)
const controller = new AbortController()
const typing = [search("c"), search.with({ signal: controller.signal })("ca"), search("cat")]
controller.abort("never mind")
const results = await Promise.allSettled(typing)
show("promise", `searched for ${searches.join()}: ${results.map(({ status }) => status).join(", ")}`)
