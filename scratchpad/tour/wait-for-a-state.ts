/** How do I wait until shared state is as I need it? `async with condition: await condition.wait_for(predicate)` */
import { Effect, Fiber } from "effect"
import { Condition } from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { show, title } from "./show.js"

title("How do I wait until shared state is as I need it?", "async with condition: await condition.wait_for(predicate)")

const withEffect = Effect.gen(function* () {
  const changed = yield* Condition.make()
  let stock = 0
  const buy = (n: number) =>
    changed.waitFor(() => stock >= n).pipe(Effect.zipRight(Effect.sync(() => (stock -= n))), changed.withLock)
  const deliver = (n: number) =>
    Effect.zipRight(
      Effect.sync(() => (stock += n)),
      changed.notifyAll
    ).pipe(changed.withLock)
  const buyer = yield* Effect.fork(buy(5))
  yield* deliver(2)
  yield* deliver(2)
  yield* deliver(2)
  yield* Fiber.join(buyer)
  return stock
})
show("effect", `delivered 2 + 2 + 2, bought 5, left ${await Effect.runPromise(withEffect)}`)

const changed = new Promises.Condition()
let seats = 0
const guest = changed.run(async () => {
  await changed.waitFor(() => seats > 0)
  seats--
  return "seated"
})
await changed.run(() => {
  seats++
  changed.notify()
})
show("promise", `the guest is ${await guest}`)
