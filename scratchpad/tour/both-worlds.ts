/** How do an Effect program and plain code share a lock? asyncio has one world; here there are two. */
import { Effect, ManagedRuntime } from "effect"
import { Mutex } from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { show, title } from "./show.js"

title("How do an Effect program and plain code share a lock?", "one world there, two here")

class LedgerLock extends Mutex.Service<LedgerLock>()("tour/LedgerLock") {}

const runtime = ManagedRuntime.make(LedgerLock.layer)
const plain = Promises.Mutex.from(await runtime.runPromise(LedgerLock))

const order: Array<string> = []
const inEffect = (name: string) =>
  runtime.runPromise(
    Effect.zipRight(
      Effect.sleep(1),
      Effect.sync(() => order.push(name))
    ).pipe(LedgerLock.withLock)
  )
const inPlainCode = (name: string) => plain.run(async () => void order.push(name))

await Promise.all([inEffect("fiber 1"), inPlainCode("async 1"), inEffect("fiber 2"), inPlainCode("async 2")])
await runtime.dispose()
show("both", `one queue, in order of arrival: ${order.join(", ")}`)
