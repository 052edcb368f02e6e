/** How do I start several tasks at once? `await event.wait()`, `event.set()` */
import { Effect, Fiber } from "effect"
import { Event } from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { show, title } from "./show.js"

title("How do I start several tasks at once?", "await event.wait(); event.set()")

const withEffect = Effect.gen(function* () {
  const gun = yield* Event.make()
  const finished: Array<string> = []
  const runner = (name: string) =>
    Effect.zipRight(
      gun.wait,
      Effect.sync(() => finished.push(name))
    )
  const race = yield* Effect.fork(Effect.all(["Ada", "Grace", "Edsger"].map(runner), { concurrency: "unbounded" }))
  yield* Effect.sleep(1)
  finished.push("bang!")
  yield* gun.set
  yield* Fiber.join(race)
  return finished
})
show("effect", (await Effect.runPromise(withEffect)).join(" "))

const gun = new Promises.Event()
const early = gun.wait().then(() => "woken")
gun.set()
gun.clear() // in the same tick: who waited is woken all the same
const late = gun.wait({ timeout: 5 }).catch((error: Error) => error.name)
show("promise", `who waited before the pulse: ${await early}; who came after it: ${await late}`)
