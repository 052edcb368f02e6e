/** How do I finish what began, although nobody waits any more? `await asyncio.shield(task)` */
import { Effect, Fiber } from "effect"
import { Shield } from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { show, title } from "./show.js"

title("How do I finish what began, although nobody waits any more?", "await asyncio.shield(task)")

class Saves extends Shield.Service<Saves>()("tour/Saves", { deadline: "10 seconds" }) {}

const log: Array<string> = []
const save = Effect.zipRight(
  Effect.sleep(5),
  Effect.sync(() => log.push("saved"))
)
const main = Effect.runFork(Saves.shield(save, { name: "the report" }).pipe(Effect.provide(Saves.layer)))
await new Promise((resolve) => setTimeout(resolve))
await Effect.runPromise(Fiber.interrupt(main))
log.push("the program has ended")
show("effect", `interrupted at once: ${log.join(", ")}`)

const events: Array<string> = []
{
  await using shield = new Promises.Shield()
  const controller = new AbortController()
  const saving = shield.shield(
    async () => {
      await new Promise((resolve) => setTimeout(resolve, 5))
      events.push("saved")
    },
    { signal: controller.signal }
  )
  controller.abort("enough")
  await saving.catch((reason: string) => events.push(reason))
}
show("promise", `aborted: ${events.join(", ")}`)
