/** How do I start several tasks that succeed or fail as a whole? `async with asyncio.TaskGroup() as group:` */
import { Effect, Fiber } from "effect"
import { TaskGroup } from "effect-concurrency"
import { taskGroup } from "effect-concurrency/promise"
import { show, title } from "./show.js"

title("How do I start several tasks that succeed or fail as a whole?", "async with asyncio.TaskGroup() as group:")

const product = TaskGroup.run((group) =>
  Effect.gen(function* () {
    const six = yield* group.start(Effect.succeed(6))
    const seven = yield* group.start(Effect.succeed(7))
    return (yield* Fiber.join(six)) * (yield* Fiber.join(seven))
  })
)
show("effect", `both have ended: ${await Effect.runPromise(product)}`)

const log: Array<string> = []
const failing = TaskGroup.run((group: TaskGroup.TaskGroup<string>) =>
  Effect.gen(function* () {
    yield* group.start(
      Effect.onInterrupt(Effect.never, () => Effect.sync(() => log.push("the sibling is interrupted")))
    )
    yield* Effect.yieldNow()
    yield* group.start(Effect.fail("no route"))
    return yield* Effect.never
  })
)
log.push(`the group fails: ${await Effect.runPromise(Effect.flip(failing))}`)
show("effect", log.join(", "))

const aborted = ({ signal }: { readonly signal: AbortSignal }) =>
  new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()))
const error = await taskGroup(async (group) => {
  void group.start(aborted)
  void group.start(async () => {
    throw new Error("no route")
  })
}).catch((error: Error) => error.message)
show("promise", `the others are told by their signals, and waited for: ${String(error)}`)
