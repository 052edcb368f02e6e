/** How do I call async code from sync code? `asyncio.run(main())` */
import { Effect } from "effect"
import { SyncBridge } from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { Unknown } from "./callAsync.mjs"
import { show, title } from "./show.js"

title("How do I call async code from sync code?", "asyncio.run(main()); run_coroutine_threadsafe(coro, loop).result()")

// An effect that need not wait is done in place.
show("effect", `in place: ${SyncBridge.runSync(Effect.map(Effect.succeed(20), (n) => n + 1))}`)
const exit = SyncBridge.runSyncExit(
  Effect.onInterrupt(Effect.never, () => Effect.sync(() => show("effect", "cleaned up")))
)
show("effect", `one that has to wait: ${exit._tag}, and not left running`)

// Anything else runs in a worker, for which this thread waits. `sort` wants its answer at once.
const url = new URL("./callAsync.mjs", import.meta.url)
const prices = SyncBridge.module<typeof import("./callAsync.mjs"), Unknown>(url, { errors: [Unknown] })

class Prices extends SyncBridge.Service<Prices>()("tour/Prices", prices) {}

const sorted = Effect.map(Prices.run, (run) => ["cake", "tea"].sort((a, b) => run("price", [a]) - run("price", [b])))
show("effect", `cheapest first: ${(await Effect.runPromise(Effect.provide(sorted, Prices.layer))).join(", ")}`)

const bridge = new Promises.SyncBridge(prices)
const attempt = (call: () => unknown): unknown => {
  try {
    return call()
  } catch (error) {
    return error instanceof Unknown ? `an Unknown: ${error.message}` : (error as Error).message
  }
}
show("promise", `price of tea: ${attempt(() => bridge.run("price", ["tea"]))}`)
show("promise", `price of fame: ${attempt(() => bridge.run("price", ["fame"]))}`)
show("promise", `too slow: ${attempt(() => bridge.run("negotiate", [], { timeout: 20 }))}`)
show("promise", `and another worker answers: ${attempt(() => bridge.run("price", ["cake"]))}`)
await bridge.close()
