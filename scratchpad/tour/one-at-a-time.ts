/** How do I keep two tasks out of the same section? `async with lock:` */
import { Effect } from "effect"
import { Mutex } from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { show, title } from "./show.js"

title("How do I keep two tasks out of the same section?", "async with lock:")

const withEffect = Effect.gen(function* () {
  const mutex = yield* Mutex.make()
  let balance = 100
  const withdraw = (amount: number) =>
    Effect.gen(function* () {
      const seen = balance
      yield* Effect.sleep(1)
      balance = seen - amount
    }).pipe(mutex.withLock)
  yield* Effect.all([withdraw(10), withdraw(20), withdraw(30)], { concurrency: "unbounded" })
  return balance
})
show("effect", `100 - 10 - 20 - 30 = ${await Effect.runPromise(withEffect)}`)

const mutex = new Promises.Mutex()
let balance = 100
const withdraw = (amount: number) =>
  mutex.run(async () => {
    const seen = balance
    await new Promise((resolve) => setTimeout(resolve, 1))
    balance = seen - amount
  })
await Promise.all([withdraw(10), withdraw(20), withdraw(30)])
show("promise", `100 - 10 - 20 - 30 = ${balance}`)

// A lease instead of a callback, and a wait that gives up.
const lease = await mutex.acquire()
const late = await mutex.acquire({ timeout: 5 }).catch((error: Error) => error)
lease.release()
show("promise", `a wait that gives up: ${(late as Error).name}: ${(late as Error).message}`)
